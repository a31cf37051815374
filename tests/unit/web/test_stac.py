"""The STAC face, asked in process by people and by partners."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import timedelta
from urllib.parse import quote, urlsplit

import jsonschema
import pytest
from lxml import etree
from simulators.asgi import Client
from simulators.nodes import HUR, IQPS, NITF, NZL, START, World
from simulators.products import product_id
from starlette.applications import Starlette

from kizuna.catalog.aggregate import Measure
from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.query import Found, Query
from kizuna.catalog.store import Item
from kizuna.formats.stac import security_schema
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Label, label_to_json
from kizuna.model.product import Asset, AssetRole, Footprint
from kizuna.model.provenance import FactKind
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.founding import resume_agreement, suspend_agreement
from kizuna.node.messages import recalled_under
from kizuna.web.stac import StacFace, partner_stac
from kizuna.web.stac_openapi import OPERATIONS
from kizuna.web.tiles import TileFace

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


def caveats(client, number=1):
    (item,) = [f for f in client.json("/exchange/stac/search")["features"] if f["id"] == product_id(number)]
    assert item == client.json(f"/exchange/stac/collections/imagery/items/{product_id(number)}")
    return item["properties"].get("security:caveats")


def test_what_was_shown_before_is_shown_again_only_if_nothing_of_it_has_changed():
    """Items are kept as they were shown: each thing that enters into them is changed here after they were."""
    world = filled()
    node, client = world.node(IQPS), partner(world)
    assert caveats(client) == ["own use"]
    # The label is corrected.
    label = Label("JPN", "UNCLASSIFIED", IQPS, START, caveats=("handle with care",))
    with node.store.transaction():
        body = {"product": product_id(1), "label": label_to_json(label)}
        node.journal.record(FactKind.LABEL_CORRECTED, body, by="officer", authority="IQPS")
    world.tick()
    assert caveats(client) == ["handle with care", "own use"]
    # The agreement asks for something else.
    world.agree(IQPS, version=2, article={"obligations": [{"kind": "caveat", "value": "for rescue"}]})
    assert caveats(client) == ["handle with care", "for rescue"]
    # Without the obligation to strip it, the original goes too.
    (item,) = [f for f in client.json("/exchange/stac/search")["features"] if f["id"] == product_id(2)]
    assert "original" in item["assets"]
    # The item itself is another.
    changed = dataclasses.replace(node.store.items.get(product_id(1)).product, title="another")
    with node.store.transaction():
        node.store.items.put(Item(changed))
    titles = {f["id"]: f["properties"]["title"] for f in client.json("/exchange/stac/search")["features"]}
    assert titles[product_id(1)] == "another"


def test_items_name_the_host_by_which_they_were_asked_for_and_are_not_those_of_another_caller():
    world = filled()
    for face, path in ((people(world), "/stac"), (partner(world), "/exchange/stac")):
        for host in ("node", "other", *(f"host-{number}" for number in range(9)), "node"):
            _, _, answer = face(f"{path}/search?limit=100", host=host)
            addresses = [link["href"] for feature in json.loads(answer)["features"] for link in feature["links"]]
            assert addresses
            assert {urlsplit(address).netloc for address in addresses} == {host}
    # One desk for both: each is shown its own form, whoever came first.
    catalogue = catalogue_of(world)
    for caller in (HUR, None, HUR, None):
        shown = catalogue.item(product_id(1), caller)
        assert (shown.decision is None) == (caller is None)
        assert ("own use" in shown.product.label.caveats) == (caller is HUR)


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
    "/search?limit=3&f=kml",
    "/kml",
    f"/collections/imagery/items/{product_id(20)}?f=kml",
    f"/collections/imagery/items/{product_id(99)}?f=nothing",
    "/search?fields=",
    "/search?fields=id,-links&sortby=gsd",
    "/search?query=" + quote(json.dumps({"platform": {"contains": "S"}})),
    "/aggregations",
    "/aggregate?aggregations=" + ",".join(Measure),
    "/aggregate?aggregations=total_count&bbox=29,45,30.5,46.5",
    "/aggregate?aggregations=total_count&ids=" + product_id(20),
    "/aggregate?aggregations=datetime_max,platform_frequency&filter=" + quote("security:classification = '秘'"),
    "/collections/imagery/aggregate?aggregations=datetime_frequency&datetime_frequency_interval=hour",
    "/collections/none/aggregate?aggregations=total_count",
    "/collections/none/aggregations",
    "/collections?q=secret",
    "/sortables",
    "/api.html",
]


def session(client):
    """Answers to all requests, and to the pages that they lead to."""
    for request in REQUESTS:
        path = "/exchange/stac" + request
        for _ in range(20):
            answer = client(path)
            yield path, answer
            links = json.loads(answer[2]).get("links", []) if answer[0] == 200 and answer[2].startswith(b"{") else []
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


def test_fields_of_items_are_those_that_are_asked_for_and_the_marking_stays():
    client = people(filled(withheld=False))

    def members(**asked):
        posted = client.json("/stac/search", {"limit": 1, "ids": [product_id(1)]} | asked)["features"][0]
        return set(posted) | {f"properties.{name}" for name in posted.get("properties", {})}

    whole = members()
    kept = {"type", "id", "collection", "properties", "properties.security:marking"}
    least = kept | {"stac_version", "stac_extensions", "geometry", "bbox", "links", "assets", "properties.datetime"}
    assert members(fields={}) == members(fields={"include": [], "exclude": None}) == least
    assert members(fields={"include": ["gsd"]}) == kept | {"properties.gsd"}
    assert members(fields={"exclude": ["geometry", "properties.platform", "security:marking", "id"]}) == whole - {
        "geometry",
        "properties.platform",
    }
    assert members(fields={"exclude": ["geometry"], "include": []}) == least - {"geometry"}
    assert members(fields={"include": ["properties"], "exclude": ["platform"]}) == {
        name for name in whole if name in kept or name.startswith("properties.")
    } - {"properties.platform"}
    assert members(fields={"include": ["platform"], "exclude": ["properties"]}) == kept | {"properties.platform"}
    assert members(fields={"include": ["bbox"], "exclude": ["bbox"]}) == kept | {"bbox"}
    (asset,) = client.json("/stac/search?limit=1&fields=assets.visual.href")["features"][0]["assets"]
    assert asset == "visual"
    for fields, same in ((" gsd", {"include": ["gsd"]}), ("-geometry", {"exclude": ["geometry"]}), ("", {})):
        found = client.json(f"/stac/search?limit=1&ids={product_id(1)}&fields={quote(fields)}")
        assert found["features"] == client.json("/stac/search", {"ids": [product_id(1)], "fields": same})["features"]
    for wrong in (None, [], {"include": "gsd"}, {"include": [1]}):
        assert client("/stac/search", {"fields": wrong})[0] == 400


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"platform": {"eq": "QPS-1"}}, [1, 4, 7]),
        ({"platform": {"startsWith": "QPS-", "neq": "QPS-1"}}, [2, 3, 5, 6]),
        ({"platform": {"endsWith": "2"}, "gsd": {"lte": 0.5}}, [2, 5]),
        ({"platform": {"contains": "%"}}, []),
        ({"properties.platform": {"in": ["QPS-0", "QPS-9"]}}, [3, 6]),
        ({"gsd": {"gt": "0.5"}}, []),
        ({"gsd": {"gte": "0.5"}}, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_query_extension_finds(asked, numbers):
    client = people(filled(withheld=False))
    expected = {product_id(number) for number in numbers}
    assert set(ids(client.json("/stac/search", {"query": asked}))) == expected
    assert set(ids(client.json("/stac/search?query=" + quote(json.dumps(asked))))) == expected
    only = client.json("/stac/search", {"query": asked, "filter": {"op": "=", "args": [{"property": "id"}, product_id(1)]}})
    assert set(ids(only)) == expected & {product_id(1)}


def test_counts_for_a_partner_are_those_of_what_it_may_see():
    asked = "?aggregations=total_count,datetime_min,platform_frequency,centroid_geohash_grid_frequency,collection_frequency"
    counts = {}
    for client, path in ((people(filled()), "/stac"), (partner(filled()), "/exchange/stac")):
        found = client.json(f"{path}/aggregate{asked}")["aggregations"]
        counts[path] = {one["name"]: one for one in found}
        assert client.json(f"{path}/aggregate", {"aggregations": [one["name"] for one in found]})["aggregations"] == found
        assert client.json(f"{path}/collections/imagery/aggregate{asked}")["aggregations"] == found
        known = client.json(f"{path}/aggregations")["aggregations"]
        assert {one["name"]: one["data_type"] for one in known}.items() >= {
            one["name"]: one["data_type"] for one in found
        }.items()
    assert counts["/stac"]["total_count"]["value"] == len(OPEN) + len(WITHHELD)
    theirs = counts["/exchange/stac"]
    assert theirs["total_count"]["value"] == len(OPEN)
    assert theirs["datetime_min"]["value"] == (START - timedelta(hours=7)).isoformat().replace("+00:00", "Z")
    assert [(b["key"], b["frequency"]) for b in theirs["platform_frequency"]["buckets"]] == [
        ("QPS-1", 3),
        ("QPS-0", 2),
        ("QPS-2", 2),
    ]
    grid = theirs["centroid_geohash_grid_frequency"]
    assert (sum(bucket["frequency"] for bucket in grid["buckets"]), grid["overflow"]) == (6, 1)


def test_collections_are_searched():
    client = people(filled(withheld=False))
    (only,) = client.json("/stac/collections?bbox=0,0,1,1&datetime=2020-01-01T00:00:00Z/..&q=nothing,IMAGERY&limit=1")[
        "collections"
    ]
    assert only["id"] == "imagery"
    assert client.json("/stac/collections?q=nothing")["numberMatched"] == 0
    assert client.json("/stac/collections?offset=9")["collections"] == []
    for wrong in ("bbox=1", "datetime=yesterday", "limit=0", "offset=-1", "limit=x"):
        assert client(f"/stac/collections?{wrong}")[0] == 400


def test_the_description_holds_every_route_and_parameter():
    client = people(filled(withheld=False))
    document = client.json("/stac/api")
    page = client("/stac/api.html")[2].decode()
    for route in [*client.app.routes, *TileFace(None, "/stac", "IQPS").routes(lambda endpoint: endpoint)]:
        path = route.path.removeprefix("/stac") or "/"
        for method in route.methods - {"HEAD"}:
            told = document["paths"][path][method.lower()]
            assert {p["name"] for p in told["parameters"] if p["in"] == "path"} == set(route.param_convertors)
            assert f"{method} http://node{route.path}" in page
    for path, operations in document["paths"].items():
        if "get" in operations and operations["get"]["operationId"] in {one.name for one in OPERATIONS}:
            filled_in = "/stac" + path.removesuffix("/").format(collection="imagery", item=product_id(1))
            assert client(filled_in)[0] == 200
            assert client(f"{filled_in}?surprise=1")[0] == 400


KML = "{http://www.opengis.net/kml/2.2}"


def test_items_come_as_kml_with_their_times_places_and_the_next_page():
    for client, path, count in ((people(filled()), "/stac", 19), (partner(filled()), "/exchange/stac", 7)):
        status, headers, body = client(f"{path}/search?f=kml&limit=100")
        assert (status, dict(headers)[b"content-type"]) == (200, b"application/vnd.google-earth.kml+xml")
        places = etree.fromstring(body).findall(f".//{KML}Placemark")
        told = client.json(f"{path}/search?limit=100")["features"]
        assert [place.get("id") for place in places] == [item["id"] for item in told]
        assert len(places) == count
        for place, item in zip(places, told, strict=True):
            assert place.findtext(f"{KML}description") == item["properties"]["security:marking"]
            assert place.findtext(f"{KML}TimeSpan/{KML}end") == item["properties"]["end_datetime"]
            assert (
                len(place.findall(f".//{KML}Polygon"))
                == {None: 0, "Polygon": 1, "MultiPolygon": 2}[item["geometry"] and item["geometry"]["type"]]
            )
        _, headers, body = client(f"{path}/search?f=kml&limit=3")
        href = etree.fromstring(body).findtext(f".//{KML}NetworkLink/{KML}Link/{KML}href")
        assert dict(headers)[b"link"].decode() == f'<{href}>; rel="next"'
        address = urlsplit(href)
        following = etree.fromstring(client(f"{address.path}?{address.query}")[2])
        assert [place.get("id") for place in following.iter(f"{KML}Placemark")] == [item["id"] for item in told[3:6]]
        globe = etree.fromstring(client(f"{path}/kml")[2])
        assert globe.findtext(f".//{KML}href").startswith(f"http://node{path}/collections/imagery/items?f=kml")
        one = etree.fromstring(client(f"{path}/collections/imagery/items/{product_id(1)}?f=kml")[2])
        assert [place.get("id") for place in one.iter(f"{KML}Placemark")] == [product_id(1)]


def test_geoparquet_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, answer = people(filled(withheld=False))("/stac/search?f=geoparquet")
    assert (status, "kizuna[geoparquet]" in answer.decode()) == (400, True)
