"""STAPI served and consumed: orders from search to delivery, over a simulated provider; and what is refused."""

import json
import math
from datetime import timedelta

import httpx
import pytest
import rasterio
from starlette.testclient import TestClient

from kizuna.adapters.provider_simulator import FasterClock, SimulatedProvider
from kizuna.adapters.stapi_client import StapiClient
from kizuna.errors import InputError, PartnerMisbehaved, PartnerUnreachable
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.planning.offers import matches
from kizuna.planning.tasking import Mode, ModeLimits, Satellite
from kizuna.planning.windows import sorted_windows
from kizuna.web.stapi import QUERYABLES, Customer, stapi_app

EPOCH = parse_instant("2026-05-08")
ICEYE = parse_party("FIN/ICEYE")
MODES = {Mode.SPOTLIGHT: ModeLimits(10.0, 5_000.0, math.radians(15), math.radians(45))}
FLEET = [Satellite(name, ICEYE, MODES, turn_s=30, side_s=60, duty_s=300) for name in ("X1", "X2")]
KYIV = {"type": "Point", "coordinates": [30.52, 50.45]}
# Satellite, seconds after the epoch, incidence, right.
PASSES = [("X1", 3600, 25, True), ("X2", 7200, 35, False), ("X1", 3600 + 40_000, 50, True)]


def access(lon, lat, begin, end):
    """The same passes whatever the place, but for the far south, which nobody sees."""
    some = [] if lat < -60 else PASSES
    columns = {
        "satellite": [int(p[0] == "X2") for p in some],
        "target": [0 for _ in some],
        "start_s": [p[1] for p in some],
        "end_s": [p[1] + 60 for p in some],
        "closest_s": [p[1] + 30 for p in some],
        "incidence_rad": [math.radians(p[2]) for p in some],
        "right": [p[3] for p in some],
        "ascending": [True for _ in some],
    }
    return sorted_windows(EPOCH, ["X1", "X2"], ["place"], **columns)


@pytest.fixture
def world(tmp_path):
    class World:
        seconds = 0.0

        def __init__(self):
            clock = FasterClock(EPOCH, lambda: self.seconds, 1.0)
            self.provider = SimulatedProvider(ICEYE, FLEET, access, clock, tmp_path, policy="FIN", classification="UNCLASSIFIED")
            app = TestClient(
                stapi_app(lambda _request: Customer("", self.provider), "Simulated", clock), base_url="http://127.0.0.1:9"
            )
            self.http = app

            def forward(request):
                answer = app.request(request.method, str(request.url), content=request.read(), headers=dict(request.headers))
                return httpx.Response(answer.status_code, content=answer.content)

            self.client = StapiClient("http://127.0.0.1:9", transport=httpx.MockTransport(forward))

    return World()


def wish(filter_=None, hours=24, geometry=None, begin=EPOCH):
    end = Instant(begin + timedelta(hours=hours))
    form = {"datetime": f"{begin.isoformat()}/{end.isoformat()}", "geometry": geometry or KYIV}
    return form if filter_ is None else {**form, "filter": filter_}


def left():
    return {"op": "=", "args": [{"property": "sar:observation_direction"}, "left"]}


def test_a_product_is_a_mode_with_sar_queryables(world):
    (product,) = world.client.products().products
    assert product.id == "spotlight"
    paths = {link.rel: str(link.href) for link in product.links}
    assert world.http.get(paths["queryables"]).json() == QUERYABLES
    assert world.http.get(paths["order-parameters"]).json()["additionalProperties"] is False
    assert world.http.get("/conformance").json()["conformsTo"] == world.http.get("/").json()["conformsTo"]


def test_opportunities_are_the_passes_that_fit(world):
    found = world.client.opportunities("spotlight", wish()).features
    assert [one.properties.platform for one in found] == ["X1", "X2"]  # the third is beyond 45 degrees
    assert [one.properties.platform for one in world.client.opportunities("spotlight", wish(left())).features] == ["X2"]
    assert found[0].properties.datetime == (EPOCH + timedelta(seconds=3625), EPOCH + timedelta(seconds=3635))
    assert world.client.opportunities("spotlight", wish(hours=0.5)).features == []


def test_pages_of_opportunities_follow_each_other(world):
    first = world.http.post("/products/spotlight/opportunities", json={**wish(), "limit": 1}).json()
    (following,) = [link for link in first["links"] if link["rel"] == "next"]
    second = world.http.post(following["href"], json=following["body"]).json()
    assert [page["features"][0]["properties"]["platform"] for page in (first, second)] == ["X1", "X2"]
    assert "next" not in {link["rel"] for link in second["links"]}


def test_an_order_flies_and_is_delivered(world, tmp_path):
    made = world.client.order("spotlight", wish(left()))
    assert made.properties.status.status_code == "scheduled"
    assert made.properties.opportunity_properties["platform"] == "X2"
    assert not list(tmp_path.iterdir())
    world.seconds = 7240
    assert world.client.order_named(made.id).properties.status.status_code == "processing"
    world.seconds = 7836
    codes = [one.status_code.value for one in world.client.statuses(made.id).statuses]
    assert codes == ["completed", "processing", "scheduled", "accepted", "received"]
    (label,) = tmp_path.glob("*.label.toml")
    assert "SIMULATED" in label.read_text()
    with rasterio.open(label.with_name(label.name.removesuffix(".label.toml"))) as image:
        west, south, east, north = image.bounds
        assert west < 30.52 < east
        assert math.isclose((north - south) * 111_320, 5_000, rel_tol=1e-6)
    assert world.provider.fly() == 0  # once only


def test_a_pass_is_sold_once(world):
    taken = [world.client.order("spotlight", wish()) for _ in range(3)]
    assert [one.properties.status.status_code for one in taken] == ["scheduled", "scheduled", "rejected"]
    assert len({one.properties.opportunity_properties.get("platform") for one in taken}) == 3
    listed = world.http.get("/orders?limit=2").json()
    assert listed["numberMatched"] == 3
    assert [one["id"] for one in listed["features"]] == [one.id for one in taken[:2]]


def test_a_place_that_nobody_sees_is_rejected(world):
    made = world.client.order("spotlight", wish(geometry={"type": "Point", "coordinates": [0, -89]}))
    assert made.properties.status.status_code == "rejected"
    assert made.properties.status.reason_text == "no pass fits, or none is free"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/products/optical/opportunities", {}, 404),
        ("/products/spotlight/opportunities", {}, 422),
        ("/products/spotlight/opportunities", wish({"op": "=", "args": [{"property": "eo:cloud_cover"}, 1]}), 422),
        ("/products/spotlight/opportunities", wish({"op": "s_intersects", "args": []}), 422),
        ("/products/spotlight/opportunities", wish(geometry={"type": "Point", "coordinates": []}), 422),
        ("/products/spotlight/orders", wish(), 422),
        ("/products/spotlight/orders", {**wish(), "order_parameters": {"priority": 1}}, 422),
    ],
)
def test_what_cannot_be_understood_is_refused(world, path, body, status):
    answer = world.http.post(path, json=body)
    assert (answer.status_code, set(answer.json())) == (status, {"code", "description"})
    assert world.provider.orders() == []


def test_unknown_orders_are_not_found(world):
    assert world.http.get("/orders/order-00001").status_code == 404
    with pytest.raises(PartnerMisbehaved, match="404"):
        world.client.statuses("order-00001")


@pytest.mark.parametrize("url", ["http://provider.example", "ftp://127.0.0.1", "https://", "http://127.0.0.1.evil.example"])
def test_orders_go_over_tls_only(url):
    with pytest.raises(InputError, match="TLS"):
        StapiClient(url)


def test_answers_are_held_to_the_standard():
    def answering(body):
        return StapiClient("https://p.example", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))

    with pytest.raises(PartnerMisbehaved, match="not STAPI"):
        answering(json.dumps({"id": "1"})).order_named("1")
    with pytest.raises(PartnerMisbehaved, match="too long"):
        answering(b" " * ((16 << 20) + 1)).products()

    def silent(_):
        raise httpx.ConnectError("no route")

    with pytest.raises(PartnerUnreachable):
        StapiClient("https://p.example", transport=httpx.MockTransport(silent)).products()


def test_filters_combine():
    properties = {"view:incidence_angle": 25.0, "platform": "X1"}
    angle, name = {"property": "view:incidence_angle"}, {"property": "platform"}
    low, other = {"op": "<", "args": [angle, 20]}, {"op": "<>", "args": [name, "X2"]}
    assert matches({"op": "or", "args": [low, other]}, properties)
    assert not matches({"op": "and", "args": [low, other]}, properties)
    assert matches({"op": "not", "args": [low]}, properties)
    assert matches({"op": "in", "args": [name, ["X1"]]}, properties)
    assert not matches({"op": "between", "args": [angle, 26, 30]}, properties)
    for broken in ({"op": "or", "args": [other, {"op": "=", "args": [{"property": "?"}, 1]}]}, {"op": "like"}, 3):
        with pytest.raises((KeyError, ValueError)):
            matches(broken, properties)
    with pytest.raises(TypeError):
        matches({"op": "<", "args": [name, 3]}, properties)
