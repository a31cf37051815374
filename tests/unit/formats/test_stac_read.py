"""STAC documents of others: what they say, and what is no item."""

from __future__ import annotations

import io
import json
import math
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from simulators.observations import FULL
from simulators.products import a_product

from kizuna.errors import InputError
from kizuna.formats.stac import stac_item
from kizuna.formats.stac_read import read_stac
from kizuna.kinds import reference
from kizuna.kinds.registry import sniff
from kizuna.model.product import Footprint

SQUARE = [[30.0, 46.0], [31.0, 46.0], [31.0, 47.0], [30.0, 47.0], [30.0, 46.0]]


def item(**changes):
    form = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "S1",
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
        "properties": {"datetime": "2025-06-22T12:00:00Z"},
        "links": [],
        "assets": {"a": {"href": "a.tif", "roles": ["data"]}},
    }
    return form | changes


def read(form):
    return read_stac(json.dumps(form).encode())


def one(form):
    (((found, _),), _) = (read(form).items, None)
    return found


def test_an_item_of_ours_comes_back_as_it_went():
    product = replace(a_product(), observation=FULL)
    form = stac_item(product, lambda asset: f"https://node.example/{asset.name}", [])
    found = one(form)
    assert (found.title, found.sensor, found.event) == (product.title, product.sensor, product.event)
    assert shapely.Polygon(found.footprint.ring).equals(shapely.Polygon(product.footprint.ring))
    assert (found.assets[0].digest, found.assets[0].size) == (product.assets[0].digest, product.assets[0].size)
    ours, theirs = FULL, found.observation
    assert (theirs.orbit, theirs.radar.polarisations, theirs.radar.side) == (
        ours.orbit,
        ours.radar.polarisations,
        ours.radar.side,
    )
    assert theirs.radar.centre_frequency_hz == pytest.approx(ours.radar.centre_frequency_hz)
    assert theirs.viewing.incidence_rad == pytest.approx(ours.viewing.incidence_rad, abs=1e-7)
    assert (theirs.grid.code, theirs.grid.shape) == (ours.grid.code, ours.grid.shape)


def test_several_polygons_are_taken_as_the_convex_one_around_them():
    far = [[x + 3, y] for x, y in SQUARE]
    ring = one(item(geometry={"type": "MultiPolygon", "coordinates": [[SQUARE], [far]]})).footprint.ring
    assert shapely.Polygon(ring).equals(shapely.box(30, 46, 34, 47))
    assert shapely.Polygon(ring).exterior.is_ccw


def test_two_halves_at_the_antimeridian_are_one_outline():
    halves = [[[[s * 179.0, 1], [s * 180.0, 1], [s * 180.0, 2], [s * 179.0, 2], [s * 179.0, 1]]] for s in (1, -1)]
    ring = one(item(geometry={"type": "MultiPolygon", "coordinates": halves})).footprint.ring
    assert shapely.Polygon([(lon % 360, lat) for lon, lat in ring]).equals(shapely.box(179, 1, 181, 2))
    product = replace(a_product(), footprint=Footprint(ring))
    again = stac_item(product, lambda asset: "x", [])
    assert shapely.geometry.shape(again["geometry"]).equals(shapely.MultiPolygon([shapely.Polygon(h[0]) for h in halves]))


def test_a_ring_that_runs_clockwise_or_has_heights_is_put_right():
    flown = [[*point, 12.0] for point in SQUARE[::-1]]
    ring = one(item(geometry={"type": "Polygon", "coordinates": [flown]})).footprint.ring
    assert shapely.Polygon(ring).exterior.is_ccw
    assert len(ring[0]) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": None},
        {"stac_version": None},
        {"type": "feature"},
        {"properties": []},
        {"geometry": {"type": "Point", "coordinates": [1, 2]}},
        {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [200, 0], [0, 1], [0, 0]]]}},
        {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 1]]]}},
        {"geometry": {"type": "Polygon", "coordinates": []}},
        {"geometry": "here"},
        {"properties": {"start_datetime": "2025-01-02T00:00:00Z", "end_datetime": "2025-01-01T00:00:00Z"}},
    ],
)
def test_what_is_no_item_is_refused(changes):
    with pytest.raises(InputError):
        read(item(**changes))


def test_members_of_another_form_are_left_out():
    told = {
        "sar:frequency_band": "Z",
        "view:incidence_angle": 99,
        "sat:relative_orbit": "7",
        "proj:shape": [1],
        "gsd": -1,
        "platform": 7,
    }
    found = one(
        item(properties={"datetime": None, **told}, assets={"a": 1, "b": {"href": 2}, "c": {"href": "c", "file:checksum": "12"}})
    )
    assert (found.observation, found.event, found.resolution_m, found.sensor) == (None, None, None, "")
    assert [(asset.key, asset.digest) for asset in found.assets] == [("c", None)]


def test_which_file_holds_the_product():
    files = {"thumbnail": {"href": "t.png", "roles": ["thumbnail"]}, "vv": {"href": "vv.tif", "roles": ["data"]}}
    found = one(item(assets=files))
    assert found.data_asset().key == "vv"
    assert found.data_asset("thumbnail").name == "t.png"
    with pytest.raises(InputError, match="no asset xx") as caught:
        found.data_asset("xx")
    assert "thumbnail, vv" in caught.value.hint.render()
    with pytest.raises(InputError, match="no asset that holds data"):
        one(item(assets={"a": {"href": "a"}, "b": {"href": "b"}})).data_asset()
    assert one(item(assets={"a": {"href": "a"}})).data_asset().key == "a"


def test_documents_and_the_links_that_lead_on():
    assert len(read({"type": "FeatureCollection", "features": [item(), item(id="2")]}).items) == 2
    page = {"type": "FeatureCollection", "features": [], "links": [{"rel": "next", "href": "b"}, {"rel": "self", "href": "a"}]}
    assert read(page).links == (("next", "b"),)
    page["links"][0]["method"] = "POST"
    assert read(page).links == ()
    links = [{"rel": rel, "href": rel} for rel in ("item", "child", "self", "parent")]
    assert [rel for rel, _ in read({"type": "Catalog", "stac_version": "1.0.0", "links": links}).links] == ["item", "child"]
    links.append({"rel": "items", "href": "items"})
    assert read({"type": "Collection", "stac_version": "1.0.0", "links": links}).links == (("items", "items"),)
    for wrong in ([], {}, {"type": "Collection"}, {"type": "Feature"}):
        with pytest.raises(InputError):
            read(wrong)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["id", "geometry", "properties", "assets", "links", "type", "stac_version", "features"])
TOLD = st.sampled_from(
    ["datetime", "sar:polarizations", "proj:shape", "proj:transform", "processing:software", "view:azimuth", "gsd"]
)


@given(st.dictionaries(KEYS, JSON, max_size=3), st.dictionaries(TOLD, JSON, max_size=3))
def test_whatever_stands_in_it_is_read_or_refused_with_words(changes, told):
    form = item(properties={"datetime": "2025-06-22T12:00:00Z", **told}) | changes
    # Any other error fails the test.
    with suppress(InputError):
        read(form)


def test_an_item_alone_is_a_kind_of_its_own():
    data = json.dumps({"stac_version": "1.1.0", **item()}).encode()
    assert sniff(data[:4096], PurePath("a.json")) == (reference, "application/geo+json")
    found = reference.extract(io.BytesIO(data), "a.json")
    assert (found.title, found.complex_data) == ("S1", True)
    assert math.isclose(found.footprint.bounds[0], 30.0)
    assert not reference.validate(io.BytesIO(b'{"stac_version":1}')).valid
