"""The STAC face, asked in process by people and by partners."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
from datetime import timedelta
from urllib.parse import quote, urlsplit

import jsonschema
import pytest
from simulators.nodes import HUR, IQPS, NITF, NZL, START, World
from simulators.products import product_id
from starlette.applications import Starlette

from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.query import Found, Query
from kizuna.catalog.store import Item
from kizuna.formats.stac import security_schema
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Label
from kizuna.model.product import Asset, AssetRole, Footprint
from kizuna.model.provenance import FactKind
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.founding import resume_agreement, suspend_agreement
from kizuna.node.messages import recalled_under
from kizuna.web.stac import StacFace, partner_stac

BOX = Footprint(((30.0, 46.0), (31.0, 46.0), (31.0, 47.0), (30.0, 47.0), (30.0, 46.0)))
ACROSS = Footprint(((179.0, 0.0), (-179.0, 0.0), (-179.0, 1.0), (179.0, 1.0), (179.0, 0.0)))
OPEN, WITHHELD = range(1, 8), range(20, 32)


def hour(number):
    instant = Instant(START - timedelta(hours=number))
    return Interval(instant, Instant(instant + timedelta(seconds=20)))


def filled(*, withheld=True, agreement=True):
    """World of IQPS, HUR and NZL; HUR may have seven products, of twelve it must not learn."""
    world = World()
    for party in (IQPS, HUR, NZL):
        world.node(party)
    world.befriend(IQPS, HUR)
    if agreement:
        world.agree(IQPS)
    store = world.node(IQPS).store
    with store.transaction():
        for number in (*OPEN, *(WITHHELD if withheld else ())):
            label = Label("JPN", "秘" if number in WITHHELD else "UNCLASSIFIED", IQPS, START)
            place = {3: ACROSS, 4: None}.get(number, BOX)
            product = world.hold(IQPS, number, event=hour(number % 20), footprint=place, label=label, sensor=f"QPS-{number % 3}")
            store.items.put(Item(dataclasses.replace(product, title=f"scene {number}")))
    return world


class Client:
    """Asks an app, as the holder of a certificate where one is given."""

    def __init__(self, app, certificate_der=None):
        self.app = app
        self.chain = [] if certificate_der is None else [ssl.DER_cert_to_PEM_cert(certificate_der)]

    def __call__(self, path, body=None, *, host="node"):
        address = urlsplit(path)
        sent, received = [], [{"type": "http.request", "body": json.dumps(body).encode() if body is not None else b""}]
        scope = {
            "type": "http",
            "method": "GET" if body is None else "POST",
            "path": address.path,
            "raw_path": address.path.encode(),
            "query_string": address.query.encode(),
            "headers": [(b"host", host.encode())],
            "scheme": "http",
            "server": ("node", 80),
            "root_path": "",
            "extensions": {"tls": {"client_cert_chain": self.chain}},
        }

        async def receive():
            return received.pop(0) if received else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        start, *bodies = sent
        return start["status"], start["headers"], b"".join(message.get("body", b"") for message in bodies)

    def json(self, path, body=None):
        status, _, answer = self(path, body)
        assert status == 200, answer
        return json.loads(answer)


def catalogue_of(world):
    node = world.node(IQPS)
    return Catalogue(node, ColumnIndex(node.store.items, IQPS, detected_remains))


def people(world):
    face = StacFace(catalogue_of(world), "/stac", "IQPS", lambda product, asset: f"/products/{product.id}/assets/{asset.role}")
    return Client(Starlette(routes=face.routes(lambda endpoint: lambda request: endpoint(request, None))))


def partner(world, party=HUR):
    desk = world.desk(IQPS)
    return Client(partner_stac(desk.peer_of, catalogue_of(world), "IQPS"), world.node(party).keys.certificate_der)


def ids(document):
    return [feature["id"] for feature in document["features"]]


def test_people_see_all_and_a_partner_what_it_may_have():
    world = filled()
    everything = ids(people(world).json("/stac/search?limit=100"))
    assert sorted(everything) == sorted(product_id(number) for number in (*OPEN, *WITHHELD))
    assert ids(partner(world).json("/exchange/stac/search")) == [product_id(number) for number in OPEN]


def test_a_partner_sees_an_item_in_the_form_in_which_it_goes():
    world = filled()
    whole = people(world).json(f"/stac/collections/imagery/items/{product_id(1)}")
    item = partner(world).json(f"/exchange/stac/collections/imagery/items/{product_id(1)}")
    assert set(whole["assets"]) == {"original", "detected", "visual", "quicklook"}
    assert set(item["assets"]) == {"detected", "visual", "quicklook"}
    assert item["properties"]["security:caveats"] == ["own use"]
    assert item["properties"]["security:release"]["reasons"][0]["agreement"] == "SHARE"
    assert "security:release" not in whole["properties"]
    assert item["assets"]["quicklook"]["href"].startswith("http://node/exchange/v1/blobs/sha256:")
    assert item["assets"]["quicklook"]["file:checksum"] == "1220" + item["assets"]["quicklook"]["href"][-64:]
    for document in (whole, item):
        jsonschema.Draft7Validator(security_schema()).validate(document)


def test_what_only_phase_would_be_left_of_is_not_there():
    world = filled(withheld=False)
    node = world.node(IQPS)
    original = Asset(AssetRole.ORIGINAL, "a.nitf", NITF, digest_of(b"x"), 1)
    product = world.hold(IQPS, 9, assets=(original,), event=hour(0))
    node.store.items.put(Item(product))
    assert product_id(9) not in ids(partner(world).json("/exchange/stac/search"))
    assert product_id(9) in ids(people(world).json("/stac/search"))


def test_a_stranger_and_one_without_an_agreement_see_nothing():
    world = filled()
    assert partner(world, NZL)("/exchange/stac/search")[0] == 404
    assert Client(partner(world).app)("/exchange/stac")[0] == 404
    assert ids(partner(filled(agreement=False)).json("/exchange/stac/search")) == []


def test_a_suspension_takes_effect_in_the_next_request():
    world = filled()
    client = partner(world)
    first = client.json("/exchange/stac/search?limit=2")
    (following,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
    suspend_agreement(world.node(IQPS), "SHARE", "review", "officer")
    assert ids(client.json("/exchange/stac/search")) == []
    assert ids(client.json(following.removeprefix("http://node"))) == []
    assert client(f"/exchange/stac/collections/imagery/items/{product_id(1)}")[0] == 404
    world.tick()
    resume_agreement(world.node(IQPS), "SHARE", "officer")
    assert ids(client.json("/exchange/stac/search")) == [product_id(number) for number in OPEN]


def test_what_was_called_back_is_gone():
    world = filled()
    client = partner(world)
    assert product_id(2) in ids(client.json("/exchange/stac/search"))
    node = world.node(IQPS)
    with node.store.transaction():
        node.store.keep_setting(recalled_under(HUR, product_id(2)), "{}")
        node.journal.record(FactKind.TAIL_CONFIRMED, {"tail": "x"}, by="test", authority="test")
    assert product_id(2) not in ids(client.json("/exchange/stac/search"))


def test_what_is_derived_follows_what_it_is_derived_from():
    world = filled(withheld=False)
    node, client = world.node(IQPS), partner(world)
    child, parent = world.hold(IQPS, 60, lineage=(product_id(61),)), world.hold(IQPS, 61)
    secret = dataclasses.replace(parent, label=Label("JPN", "秘", IQPS, START))
    seen = []
    for change in (Item(child), Item(parent), Item(secret), Item(parent), None):
        if change is None:
            node.store.items.remove(parent.id)
        else:
            node.store.items.put(change)
        seen.append(child.id in ids(client.json("/exchange/stac/search?limit=100")))
    assert seen == [False, True, False, True, False]


class Careless:
    """Index that finds everything for everybody."""

    def __init__(self, rows):
        self.rows = rows

    def search(self, query, sight):
        numbers = tuple(row.number for row in self.rows.rows_after(0, self.rows.stamp()[0]))
        return Found(numbers, None, more=False)


def test_what_an_index_finds_by_mistake_is_not_shown():
    world = filled()
    node = world.node(IQPS)
    page = Catalogue(node, Careless(node.store.items)).search(Query(), HUR)
    assert [shown.product.id for shown in page.items] == [product_id(number) for number in OPEN]
    assert len(Catalogue(node, Careless(node.store.items)).search(Query(), None).items) == len(OPEN) + len(WITHHELD)


REQUESTS = [
    "",
    "/conformance",
    "/api",
    "/queryables",
    "/collections",
    "/collections/imagery",
    "/collections/none",
    "/collections/imagery/queryables",
    "/collections/imagery/items",
    "/collections/imagery/items?limit=2",
    "/collections/none/items",
    f"/collections/imagery/items/{product_id(2)}",
    f"/collections/imagery/items/{product_id(20)}",
    f"/collections/imagery/items/{product_id(99)}",
    f"/collections/none/items/{product_id(2)}",
    "/collections/imagery/items/..%2f..",
    "/nowhere",
    "/search",
    "/search?limit=1",
    "/search?limit=3&sortby=%2Bdatetime",
    "/search?limit=3&sortby=-platform,%2Bgsd",
    "/search?sortby=security:classification",
    f"/search?ids={product_id(1)},{product_id(20)},{product_id(99)}",
    "/search?bbox=29,45,30.5,46.5&limit=2",
    "/search?bbox=-180,-90,180,90",
    "/search?bbox=178,-5,-178,5",
    "/search?bbox=178,-5,0,-178,5,9000",
    "/search?datetime=2025-07-01T05:00:00Z/..",
    "/search?datetime=../2025-07-01T05:00:00Z",
    "/search?collections=imagery,none",
    "/search?collections=none",
    "/search?filter=" + quote("security:classification = '秘'"),
    "/search?filter=" + quote("NOT security:classification = 'UNCLASSIFIED' OR platform LIKE 'QPS-_'"),
    "/search?filter=" + quote("id >= 'a'") + "&limit=2&sortby=-id",
    "/search?filter=" + quote("gsd IS NULL"),
    "/search?intersects=" + quote('{"type":"Point","coordinates":[30.5,46.5]}'),
    "/search?token=bm90IGEgdG9rZW4",
    "/search?limit=0",
]


def session(client):
    """Answers to all requests, and to the pages that they lead to."""
    for request in REQUESTS:
        path = "/exchange/stac" + request
        for _ in range(20):
            answer = client(path)
            yield path, answer
            links = json.loads(answer[2]).get("links", []) if answer[0] == 200 else []
            following = [link["href"] for link in links if link["rel"] == "next"]
            if not following:
                break
            address = urlsplit(following[0])
            path = f"{address.path}?{address.query}"


def test_answers_to_a_partner_have_the_same_bytes_whatever_is_withheld():
    with_it, without = list(session(partner(filled()))), list(session(partner(filled(withheld=False))))
    assert len(with_it) > 50
    for one, other in zip(with_it, without, strict=True):
        assert one == other


def test_a_token_is_worth_nothing_to_others_nor_in_another_search():
    world = filled()
    ours, theirs = people(world), partner(world)
    (following,) = [link for link in ours.json("/stac/search?limit=1")["links"] if link["rel"] == "next"]
    token = following["href"].partition("token=")[2]
    assert ids(ours.json(f"/stac/search?limit=3&token={token}"))
    answers = {
        theirs(f"/exchange/stac/search?limit=1&token={token}")[::2],
        ours(f"/stac/search?limit=1&sortby=%2Bdatetime&token={token}")[::2],
        ours(f"/stac/search?limit=1&token={token[:-2]}AA")[::2],
        ours("/stac/search?limit=1&token=%00")[::2],
    }
    assert [status for status, _ in answers] == [400]


def test_pages_lead_to_each_item_once_by_get_and_by_post():
    world = filled()
    for asked in ({}, {"sortby": [{"field": "platform", "direction": "desc"}]}):
        body, found = {"limit": 4} | asked, []
        while True:
            page = people(world).json("/stac/search", body)
            found += ids(page)
            following = [link for link in page["links"] if link["rel"] == "next"]
            if not following:
                break
            assert following[0]["merge"] is True
            body |= following[0]["body"]
        assert sorted(found) == sorted(product_id(number) for number in (*OPEN, *WITHHELD))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "body"),
        ({"limit": True}, "limit"),
        ({"limit": -1}, "limit"),
        ({"bbox": [None, None]}, "bbox"),
        ({"bbox": [0, 0, 1]}, "bbox"),
        ({"bbox": [0, 5, 1, 0]}, "bbox"),
        ({"bbox": [0, 0, 1, 1], "intersects": {"type": "Point", "coordinates": [0, 0]}}, "intersects"),
        ({"intersects": {"type": "Point"}}, "intersects"),
        ({"intersects": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}}, "intersects"),
        ({"datetime": [None, None]}, "datetime"),
        ({"datetime": "../.."}, "datetime"),
        ({"datetime": "2025-07-02/2025-07-01"}, "datetime"),
        ({"datetime": "yesterday"}, "datetime"),
        ({"ids": "a"}, "ids"),
        ({"ids": [1]}, "ids"),
        ({"sortby": ["gsd"]}, "sortby"),
        ({"sortby": [{"field": "hidden"}]}, "one of collection, datetime"),
        ({"token": 3}, "token"),
        ({"filter": "gsd = 1"}, "filter"),
        ({"filter": {"op": "=", "args": [{"property": "gsd"}, "x"]}}, "number for gsd"),
        ({"filter": {"op": "s_touches", "args": [{"property": "gsd"}, 1]}}, "isNull"),
        ({"filter": {"op": "=", "args": [{"property": "nothing"}, 1]}}, "one of collection"),
        ({"filter": {"op": "=", "args": [{"property": "gsd"}, 10**400]}}, "number for gsd"),
    ],
)
def test_what_cannot_be_read_is_told(body, told):
    client = people(filled(withheld=False))
    status, _, answer = client("/stac/search", body)
    assert status == 400
    assert told in json.loads(answer)["description"]


def test_deep_and_long_filters_are_refused_and_break_nothing():
    client = people(filled(withheld=False))
    deep = {"op": "=", "args": [{"property": "gsd"}, 1]}
    for _ in range(200):
        deep = {"op": "not", "args": [deep]}
    texts = ["(" * 5_000 + "gsd=1" + ")" * 5_000, "NOT " * 4_000 + "gsd=1", " AND ".join(["gsd=1"] * 2_000), "gsd=1 " * 9_000]
    for body in ({"filter": deep}, *({"filter": text, "filter-lang": "cql2-text"} for text in texts)):
        assert client("/stac/search", body)[0] == 400
    assert client("/stac/search", {"ids": ["x" * 70_000]})[0] == 413
