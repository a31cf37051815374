"""STAPI served and consumed: orders from search to delivery, over a simulated provider; and what is refused."""

import json
import math
import threading
import time
from datetime import timedelta

import httpx
import pytest
import rasterio
from simulators.providers import EPOCH, FLEET, ICEYE, access
from starlette.testclient import TestClient

from kizuna.adapters.provider_simulator import FasterClock, SimulatedProvider
from kizuna.adapters.stapi_client import StapiClient
from kizuna.errors import InputError, PartnerMisbehaved, PartnerUnreachable
from kizuna.model.digests import content_uri, digest_of
from kizuna.model.instants import Instant
from kizuna.planning.offers import Wish, matches, only
from kizuna.planning.tasking import Mode
from kizuna.web.stapi import QUERYABLES, Customer, stapi_app
from kizuna.web.stapi_searches import Searches, TooMany

KYIV = {"type": "Point", "coordinates": [30.52, 50.45]}


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
        ("/products/spotlight/opportunities", wish({"op": 3}), 422),
        ("/products/spotlight/opportunities", wish(geometry={"type": "Point", "coordinates": [30, 95]}), 422),
        ("/products/spotlight/opportunities", wish(geometry={"type": "Point", "coordinates": [181, 5]}), 422),
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


def test_a_search_may_be_answered_later(world):
    record = world.http.post("/products/spotlight/opportunities", json=wish(), headers={"prefer": "wait=5, respond-async"})
    assert (record.status_code, record.headers["preference-applied"]) == (201, "respond-async")
    address = record.headers["location"]
    end = time.monotonic() + 10
    while world.http.get(address).json()["status"]["status_code"] != "completed":
        assert time.monotonic() < end
    found = world.http.get(address).json()
    (there,) = [link["href"] for link in found["status"]["links"] if link["rel"] == "opportunities"]
    pages = [world.http.get(there + "?limit=1").json()]
    pages.append(world.http.get(next(link["href"] for link in pages[0]["links"] if link["rel"] == "next")).json())
    at_once = world.http.post("/products/spotlight/opportunities", json=wish()).json()
    assert [page["features"][0] for page in pages] == at_once["features"]
    assert [one["status_code"] for one in world.http.get(address + "/statuses").json()] == [
        "completed",
        "in_progress",
        "received",
    ]
    assert [one["id"] for one in world.http.get("/searches/opportunities").json()["search_records"]] == [found["id"]]
    # The client waits by itself, and what has passed meanwhile is offered no more.
    assert (
        world.client.opportunities("spotlight", wish(), later=True).features
        == world.client.opportunities("spotlight", wish()).features
    )
    world.seconds = 7200
    assert [one["properties"]["platform"] for one in world.http.get(there).json()["features"]] == ["X2"]
    assert world.http.get("/searches/opportunities/other").status_code == 404
    world.seconds = 7200 + 3700
    world.client.opportunities("spotlight", wish(), later=True)
    assert len(world.http.get("/searches/opportunities").json()["search_records"]) == 1  # kept for an hour


def test_searches_are_their_customers_own_and_not_too_many():
    hold, searches = threading.Event(), Searches(lambda: EPOCH)
    try:
        open_ = [searches.begin("one", Mode.SPOTLIGHT, None, lambda: hold.wait() and []) for _ in range(4)]
        with pytest.raises(TooMany):
            searches.begin("one", Mode.SPOTLIGHT, None, list)
        other = searches.begin("other", Mode.SPOTLIGHT, None, lambda: 1 // 0)
    finally:
        hold.set()
    assert (searches.named("other", open_[0].id), searches.named("one", open_[0].id)) == (None, open_[0])
    end = time.monotonic() + 10
    while other.code != "failed":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_order_is_known_again_by_its_token(world):
    first, second = (world.client.order_once("spotlight", wish(), token, asked_before=False) for token in ("a", "b"))
    assert [one.properties.order_parameters for one in (first, second)] == [{"client_token": "a"}, {"client_token": "b"}]
    for asked_before in (False, True):
        assert world.client.order_once("spotlight", wish(), "a", asked_before=asked_before).id == first.id
    assert len(world.provider.orders()) == 2


def test_of_a_provider_without_tokens_an_order_is_known_by_what_was_asked(world, monkeypatch):
    monkeypatch.setattr(world.client, "parameters", lambda _product: frozenset())
    first = world.client.order_once("spotlight", wish(left()), "a", asked_before=False)
    assert first.properties.order_parameters == {}
    other = world.client.order_once("spotlight", wish(), "a", asked_before=True)
    assert other.id != first.id
    assert world.client.order_once("spotlight", wish(left()), "a", asked_before=True).id == first.id
    assert len(world.provider.orders()) == 2


def test_links_lead_nowhere_else(world):
    page = {"type": "ProductCollection", "products": [], "links": [{"href": "https://elsewhere.example/products", "rel": "next"}]}
    client = StapiClient("https://p.example", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=page)))
    with pytest.raises(PartnerMisbehaved, match="leads elsewhere"):
        client.products()


def test_only_finds_the_pass_and_no_other(world):
    asked = Wish(EPOCH, Instant(EPOCH + timedelta(days=1)), 30.52, 50.45)
    for offer in world.provider.offers(Mode.SPOTLIGHT, asked):
        assert world.provider.offers(Mode.SPOTLIGHT, only(offer, asked)) == [offer]
        (lon, lat), (east, north) = offer.scene[0], offer.scene[2]
        assert math.isclose((north - lat) * 111_320, 5_000, rel_tol=1e-9)
        assert math.isclose((east - lon) * 111_320 * math.cos(math.radians(50.45)), 5_000, rel_tol=1e-9)


def test_orders_are_taken_while_an_image_is_being_made(world, monkeypatch):
    under_way, go_on = threading.Event(), threading.Event()

    def image(order, offer, label):
        assert (offer.satellite, label.caveats) == ("X2", ("SIMULATED",))
        under_way.set()
        assert go_on.wait(10)
        return order.id.encode()

    monkeypatch.setattr(world.provider, "_image", image)
    made = world.client.order("spotlight", wish(left()))
    world.seconds = 7836
    flying = threading.Thread(target=world.provider.fly)
    flying.start()
    assert under_way.wait(10)
    assert [one.status.code for one in world.provider.orders()] == ["scheduled"]
    assert world.client.order("spotlight", wish()).properties.status.status_code == "rejected"  # all have passed
    go_on.set()
    flying.join()
    done = world.client.order_named(made.id)
    assert done.properties.status.status_code == "completed"
    (link,) = [str(link.href) for link in done.links if link.rel == "delivery"]
    assert link == content_uri(digest_of(made.id.encode()))
