"""Images that go coarser or cut to an area, measured where they arrive."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from simulators.images import gotcha_sicd
from simulators.nodes import HUR, IQPS, START
from simulators.observations import FULL

from kizuna.catalog.store import Item
from kizuna.errors import Message, StoreError
from kizuna.exchange.feed import page_from_bytes, unseal_entry
from kizuna.formats.nitf_security import file_security
from kizuna.formats.sicd import read_pixels
from kizuna.formats.sidd import sidd_findings
from kizuna.kinds import imagery
from kizuna.model.digests import digest_of
from kizuna.model.label import Label
from kizuna.model.observation import after_reducing
from kizuna.model.product import AssetRole, Verdict
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import decide_item
from kizuna.node.forms import held_back, why_held
from kizuna.node.publish import publish
from kizuna.node.share import Sharing
from kizuna.node.state import Node
from kizuna.release.decision import Outcome

UTM = "EPSG:32643"
LEFT, TOP, SIDE = 650_000.0, 1_100_000.0, 240
LABEL = Label("JPN", "UNCLASSIFIED", IQPS, START)


def tiff(seed=0, *, left=LEFT, top=TOP, crs=UTM, pixel=1.0):
    """GeoTIFF of noise, 1 m a pixel, that says things in its tags."""
    band = np.random.default_rng(seed).integers(1, 255, (SIDE, SIDE), dtype=np.uint8)
    form = {"crs": crs, "transform": Affine(pixel, 0.0, left, 0.0, -pixel, top), "width": SIDE, "height": SIDE}
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, dtype="uint8", **form) as dataset:
            dataset.write(band, 1)
            dataset.update_tags(secret="SECRETSHIP")
        return bytes(memory.read())


def lonlat(*points):
    xs, ys = zip(*points, strict=True)
    return list(zip(*rasterio.warp.transform(UTM, "EPSG:4326", xs, ys), strict=True))


def area(name, *points):
    """Area of an article, its corners in metres from the image's upper left."""
    ring = lonlat(*((LEFT + x, TOP - y) for x, y in (*points, points[0])))
    return {"name": name, "geometry": {"type": "Polygon", "coordinates": [[list(point) for point in ring]]}}


CUT = area("strait", (31.3, 200.2), (170.6, 180.4), (190.1, 40.7), (60.9, 20.8))
FAR = area("far", (5000, 5000), (6000, 5000), (6000, 4000), (5000, 4000))


def asking(*obligations, **article):
    return {"article": {"obligations": list(obligations), **article}}


def coarse(metres):
    return asking({"kind": "resolution", "value": str(metres)})


def put(world, data, name="pass 7.tif"):
    product = publish(world.node(IQPS), io.BytesIO(data), name, LABEL).product
    world.tick()
    return product


def entries(world, desk=None, after=0):
    node = world.node(IQPS)
    page = page_from_bytes((desk or world.desk(IQPS)).feed(HUR, after, 100).body)
    return [unseal_entry(envelope, node.keys.public_key) for envelope in page.entries]


def pulled(world):
    world.pull(HUR, IQPS)
    items = [item.product for item in world.node(HUR).store.items.all()]
    return items[0] if len(items) == 1 else items


def opened(node, asset):
    with node.blobs.open(asset.digest) as file, rasterio.MemoryFile(file.read()) as memory, memory.open() as dataset:
        return dataset.read(1), dataset.transform, dataset.crs, dataset.overviews(1)


def corners(transform, crs, known):
    """Corners in longitude and latitude of all pixels that hold data."""
    rows, cols = np.nonzero(known)
    xs, ys = zip(
        *(transform @ (col + x, row + y) for row, col in zip(rows, cols, strict=True) for x in (0, 1) for y in (0, 1)),
        strict=True,
    )
    return np.stack(rasterio.warp.transform(crs, "EPSG:4326", xs, ys), axis=1)


def payload(envelope):
    return base64.b64decode(json.loads(envelope)["payload"])


def test_a_partner_gets_an_image_no_finer_than_the_article_allows(any_world):
    world = any_world
    world.agree(IQPS, **coarse(10))
    data = tiff()
    before = digest_of(b"the version before")
    product = replace(
        put(world, data), verdict=Verdict(valid=True, findings=("spacing 1 m",)), supersedes=before, observation=FULL
    )
    world.node(IQPS).store.items.put(Item(product))
    got = pulled(world)
    there = world.node(HUR)
    assert [a.role for a in got.assets] == [AssetRole.DETECTED, AssetRole.VISUAL, AssetRole.QUICKLOOK]
    cells, transform, _, _ = opened(there, got.assets[0])
    assert (transform.a, -transform.e) == (10.0, 10.0)
    assert cells.shape == (24, 24)
    # Nothing but the mean power of each cell.
    with rasterio.MemoryFile(data) as memory, memory.open() as dataset:
        power = dataset.read(1).astype(np.float64) ** 2
    assert cells == pytest.approx(np.sqrt(power.reshape(24, 10, 24, 10).mean(axis=(1, 3))), rel=1e-6)
    _, transform, _, _ = opened(there, got.asset(AssetRole.VISUAL))
    assert transform.a >= 4.9
    assert got.resolution_m >= 10.0
    assert got.reductions == ("resolution",)
    assert (got.content, got.media_type) == (got.assets[0].digest, got.assets[0].media_type)
    assert got.footprint == product.footprint
    assert got.observation == after_reducing(FULL)
    assert (got.verdict, got.supersedes, got.lineage) == (Verdict(valid=True), None, ())
    # Neither the original nor its digest nor what its tags say goes along.
    digests = {before, *(a.digest for a in product.assets)}
    said = [world.desk(IQPS).feed(HUR, 0, 100).body]
    for asset in got.assets:
        with there.blobs.open(asset.digest) as file:
            said.append(file.read())
    for clear in [*said, *(payload(sent.envelope) for sent in world.node(IQPS).store.book.outgoing(HUR, 0, 9))]:
        assert b"SECRETSHIP" not in clear
        assert not any(digest.encode() in clear for digest in digests)
    assert digests.isdisjoint(a.digest for a in got.assets)
    assert all(world.desk(IQPS).blob(HUR, digest, 0, 1) is None for digest in digests)
    assert not any(there.blobs.has(digest) for digest in digests)


SICD_LABEL = replace(LABEL, caveats=("EXERCISE",))


def put_sicd(world, label=SICD_LABEL):
    product = publish(world.node(IQPS), io.BytesIO(gotcha_sicd()), "pass 1.nitf", label).product
    world.tick()
    return product


def test_a_partner_gets_a_complex_image_with_a_narrower_band(any_world):
    world = any_world
    world.agree(IQPS, **asking({"kind": "resolution", "value": "1"}, {"kind": "caveat", "value": "NOT FOR TARGETING"}))
    product = put_sicd(world)
    got = pulled(world)
    there = world.node(HUR)
    # No SIDD: IC-ISM has no place for a caveat, and what is marked with less than its record says goes to nobody.
    roles = [AssetRole.ORIGINAL, AssetRole.DETECTED, AssetRole.VISUAL, AssetRole.QUICKLOOK]
    assert [a.role for a in got.assets] == roles
    assert (got.media_type, got.complex_data, got.content) == (product.media_type, True, got.assets[0].digest)
    assert got.reductions == ("resolution", "caveat")
    assert 1.0 <= got.resolution_m < 1.1
    with there.blobs.open(got.assets[0].digest) as file:
        data = file.read()
    assert imagery.validate(io.BytesIO(data)) == Verdict(valid=True)
    found = imagery.extract(io.BytesIO(data), "a.nitf")
    assert found.resolution_m >= 1.0
    assert found.footprint.nominal
    # Marked as it goes.
    assert file_security(data[:512]).classification_text == "EXERCISE; NOT FOR TARGETING"
    # A quarter of the pixels and fewer: what is left is the band alone.
    assert np.prod(read_pixels(io.BytesIO(data)).shape) < np.prod(read_pixels(io.BytesIO(gotcha_sicd())).shape) / 4
    assert all(world.desk(IQPS).blob(HUR, asset.digest, 0, 1) is None for asset in product.assets)
    assert {a.digest for a in product.assets}.isdisjoint(a.digest for a in got.assets)
    # All of it was made of what remains.
    again = imagery.summarise(io.BytesIO(data), "a.nitf")
    assert [digest_of(made) for made in (again.detected_cog, again.web_cog)] == [a.digest for a in got.assets[1:3]]


def test_detected_only_takes_the_phase_of_what_was_made_coarser(world):
    world.agree(IQPS, **asking({"kind": "resolution", "value": "1"}, {"kind": "detected-only"}))
    put_sicd(world, LABEL)
    got = pulled(world)
    assert [a.role for a in got.assets] == [AssetRole.DETECTED, AssetRole.VISUAL, AssetRole.QUICKLOOK, AssetRole.DETECTED]
    assert not got.complex_data
    # The last is a SIDD, marked as its record says.
    with world.node(HUR).blobs.open(got.assets[-1].digest) as file:
        data = file.read()
    assert file_security(data[:512]).classification_system == "JP"
    assert sidd_findings(io.BytesIO(data)) == ()
    assert imagery.extract(io.BytesIO(data), "a.nitf").resolution_m >= 1.0
    assert all(world.desk(IQPS).blob(HUR, a.digest, 0, 1) is not None for a in got.assets)
    (sent,) = world.node(IQPS).store.book.outgoing(HUR, 0, 9)
    assert b"application/vnd.nga.sicd" not in payload(sent.envelope)


def test_a_label_that_nitf_has_no_words_for_goes_detected(world):
    """A file that is marked otherwise than its record says goes to nobody."""
    world.agree(IQPS, **asking({"kind": "resolution", "value": "1"}, {"kind": "caveat", "value": "絆"}))
    put_sicd(world)
    assert [a.role for a in pulled(world).assets] == [AssetRole.DETECTED, AssetRole.VISUAL, AssetRole.QUICKLOOK]


def test_a_partner_gets_only_what_lies_inside_the_area(any_world):
    world = any_world
    world.agree(IQPS, **asking({"kind": "area"}, areas=[CUT]))
    product = put(world, tiff())
    got = pulled(world)
    there = world.node(HUR)
    outline = shapely.Polygon(CUT["geometry"]["coordinates"][0])
    for asset in got.assets[:2]:
        band, transform, crs, _ = opened(there, asset)
        known = np.isfinite(band) if band.dtype == np.float32 else band > 0
        assert known.any()
        if asset.role is AssetRole.DETECTED:
            assert shapely.contains_xy(outline, *corners(transform, crs, known).T).all()
            assert known.sum() > 0.95 * shapely.area(shapely.Polygon([(31, 200), (171, 180), (190, 41), (61, 21)]))
            # Nothing of the rest, not even empty.
            whole = corners(transform, crs, np.ones(band.shape))
            assert shapely.box(*outline.bounds).buffer(1e-5).covers(shapely.MultiPoint(whole))
    assert outline.buffer(1e-9).covers(shapely.Polygon(got.footprint.ring))
    assert got.resolution_m == pytest.approx(product.resolution_m, rel=0.01)
    assert got.reductions == ("area",)
    assert world.desk(IQPS).blob(HUR, product.content, 0, 1) is None


def test_several_obligations_are_applied_together_and_the_coarsest_limit_holds(world):
    finer, coarser = {"kind": "resolution", "value": "3"}, {"kind": "resolution", "value": "8"}
    world.agree(IQPS, **asking({"kind": "area"}, finer, coarser, {"kind": "detected-only"}, areas=[CUT]))
    put(world, tiff())
    got = pulled(world)
    band, transform, crs, _ = opened(world.node(HUR), got.assets[0])
    assert transform.a == 8.0
    outline = shapely.Polygon(CUT["geometry"]["coordinates"][0])
    assert shapely.contains_xy(outline, *corners(transform, crs, np.isfinite(band)).T).all()
    assert got.reductions == ("area", "resolution", "resolution")


def test_what_is_coarse_already_or_lies_inside_goes_whole(world):
    everywhere = area("all", (-100, 400), (400, 400), (400, -100), (-100, -100))
    world.agree(IQPS, **asking({"kind": "resolution", "value": "0.9"}, {"kind": "area"}, areas=[everywhere]))
    product = put(world, tiff())
    assert pulled(world).assets == product.assets


def test_what_lies_elsewhere_is_not_even_queued(world):
    world.agree(IQPS, **asking({"kind": "area"}, areas=[FAR]))
    product = put(world, tiff())
    assert decide_item(world.node(IQPS), product, HUR).outcome is Outcome.DENY
    assert list(world.node(IQPS).store.book.waiting(HUR)) == []
    assert pulled(world) == []


@pytest.mark.parametrize("changes", [{"resolution_m": None}, {"footprint": None}])
def test_what_is_unknown_of_a_product_keeps_it(world, changes):
    world.agree(IQPS, **asking({"kind": "area"}, {"kind": "resolution", "value": "10"}, areas=[CUT]))
    product = world.take_in(IQPS, 1, **changes)
    assert decide_item(world.node(IQPS), product, HUR).outcome is Outcome.DENY
    assert entries(world) == []


def test_a_raised_limit_seals_anew_what_was_not_confirmed(any_world):
    world = any_world
    world.agree(IQPS, **coarse(5))
    put(world, tiff())
    (entry,) = entries(world)
    before = {a.digest for a in entry.product.assets}
    assert entry.product.resolution_m >= 5.0
    world.agree(IQPS, version=2, **coarse(10))
    assert all(world.desk(IQPS).blob(HUR, digest, 0, 1) is None for digest in before)
    (anew,) = entries(world)
    assert (anew.sequence, anew.product.resolution_m >= 10.0) == (entry.sequence, True)
    assert before.isdisjoint(a.digest for a in anew.product.assets)
    assert all(world.desk(IQPS).blob(HUR, digest, 0, 1) is None for digest in before)
    assert all(world.desk(IQPS).blob(HUR, a.digest, 0, 1) is not None for a in anew.product.assets)
    assert opened(world.node(IQPS), anew.product.assets[0])[1].a == 10.0


INNER = area("strait", (60.3, 150.2), (150.6, 150.4), (150.1, 60.7), (60.9, 60.8))


@pytest.mark.parametrize(("first", "second"), [(CUT, INNER), (INNER, CUT)])
def test_another_area_of_the_same_words_seals_anew(world, first, second):
    world.agree(IQPS, **asking({"kind": "area"}, areas=[first]))
    put(world, tiff())
    (entry,) = entries(world)
    world.agree(IQPS, version=2, **asking({"kind": "area"}, areas=[second]))
    assert all(world.desk(IQPS).blob(HUR, a.digest, 0, 1) is None for a in entry.product.assets)
    (anew,) = entries(world)
    outline = shapely.Polygon(second["geometry"]["coordinates"][0])
    assert shapely.Polygon(anew.product.footprint.ring).symmetric_difference(outline).area < 1e-6 * outline.area


def test_a_lifted_limit_lets_the_whole_go(world):
    world.agree(IQPS, **coarse(5))
    product = put(world, tiff())
    entries(world)
    world.agree(IQPS, version=2, **asking())
    assert pulled(world).assets == product.assets


# ---- what cannot be made


ACROSS = tiff(left=179.999, top=10.0, crs="EPSG:4326", pixel=1e-5)


@pytest.mark.parametrize(
    ("data", "why"),
    [(ACROSS, "antimeridian"), (b"II*\x00" + bytes(100), "not a readable TIFF"), (tiff()[:9000], "not a readable TIFF")],
)
def test_what_cannot_be_reduced_waits_and_stops_nobody(any_world, data, why):
    world = any_world
    node = world.node(IQPS)
    product = put(world, tiff())
    digest, size = node.blobs.put(data)
    assets = (replace(product.assets[0], digest=digest, size=size), *product.assets[1:])
    node.store.items.put(Item(replace(product, assets=assets)))
    other = put(world, tiff(1))
    world.agree(IQPS, **coarse(10))
    for _ in range(2):
        assert [e.product.id for e in entries(world)] == [other.id]
        assert list(node.store.book.waiting(HUR)) == [product.id]
        ((held, told),) = held_back(node, HUR)
        assert held == product.id
        assert why in told.render()
    assert all(world.desk(IQPS).blob(HUR, asset.digest, 0, 1) is None for asset in assets)


def test_an_image_smaller_than_one_cell_waits(world):
    world.agree(IQPS, **coarse(10_000))
    put(world, tiff())
    assert entries(world) == []
    ((_, told),) = held_back(world.node(IQPS), HUR)
    assert "nothing of the image is left" in told.render()


class FullDisk:
    """Blob store that takes nothing more."""

    def __init__(self, blobs):
        self._blobs = blobs

    def __getattr__(self, name):
        return getattr(self._blobs, name)

    def put(self, _source):
        raise StoreError(Message("the disk is full"))


def test_a_full_disk_is_tried_again(world):
    world.agree(IQPS, **coarse(10))
    put(world, tiff())
    node = world.node(IQPS)
    blobs = node.blobs
    node.blobs = FullDisk(blobs)
    assert entries(world) == []
    assert [why.render() for _, why in held_back(node, HUR)] == ["the disk is full"]
    node.blobs = blobs
    assert len(entries(world)) == 1
    assert list(held_back(node, HUR)) == []


def test_a_product_without_an_image_that_can_be_reduced_is_told(world):
    world.agree(IQPS, **coarse(10))
    product = world.hold(IQPS, 1)
    bare = world.take_in(IQPS, 1, assets=product.assets[2:], resolution_m=1.0)
    assert entries(world) == []
    decision = decide_item(world.node(IQPS), bare, HUR)
    assert "no detected image" in why_held(world.node(IQPS), HUR, bare, decision).render()


# ---- made once


def test_what_was_made_is_not_made_again_by_whatever_process(any_world, monkeypatch):
    world = any_world
    world.agree(IQPS, **coarse(10))
    put(world, tiff())
    (entry,) = entries(world)
    monkeypatch.setattr(imagery, "reduce", lambda *_: pytest.fail("made again"))
    node = world.node(IQPS)
    again = Node(node.journal, node.blobs, lambda: "here", "officer")
    for desk in (world.desk(IQPS), Sharing(again)):
        assert [e.product.assets for e in entries(world, desk)] == [entry.product.assets]
        assert desk.blob(HUR, entry.product.assets[0].digest, 0, 1) is not None


def test_files_that_were_lost_are_made_again_with_the_same_bytes(world):
    world.agree(IQPS, **coarse(10))
    put(world, tiff())
    (entry,) = entries(world)
    node = world.node(IQPS)
    for asset in entry.product.assets:
        node.blobs.discard(asset.digest)
    (again,) = entries(world)
    assert again.product == entry.product
    assert all(node.blobs.has(asset.digest) for asset in entry.product.assets)


def test_a_serving_node_makes_them_beside_the_requests(world):
    world.agree(IQPS, **coarse(10))
    put(world, tiff())
    node = world.node(IQPS)
    desk = Sharing(node, in_background=True)
    assert entries(world, desk) == []
    assert [why.render() for _, why in held_back(node, HUR)] == ["its reduced form is not made yet"]
    desk.prepare(HUR)
    (entry,) = entries(world, desk)
    assert entry.product.reductions == ("resolution",)
    later = put(world, tiff(1))
    assert [e.product.id for e in entries(world, desk)] == [entry.product.id]
    desk.prepare(HUR)
    assert [e.product.id for e in entries(world, desk)] == [entry.product.id, later.id]


def test_what_was_decided_and_sent_stands_in_the_log(world):
    world.agree(IQPS, **coarse(10))
    put(world, tiff())
    (entry,) = entries(world)
    (sent,) = [f.body for _, f in world.node(IQPS).journal.facts() if f.kind is FactKind.RELEASE_SEQUENCED]
    assert sent["blobs"] == [a.digest for a in entry.product.assets]
    assert [(o["kind"], o["value"]) for o in entry.decision["obligations"]] == [("resolution", "10")]
