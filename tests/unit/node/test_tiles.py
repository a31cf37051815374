"""Map images: made when somebody looks, by a thread of their own, once, and given up with what they were made of."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulators.images import scene_tiff
from simulators.nodes import HUR, IQPS, NZL, START, World
from simulators.processes import within

from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.tile_grid import EQUATOR_M, tile_box
from kizuna.formats.map_styles import Format, Style
from kizuna.formats.tiled_image import Content
from kizuna.kinds import imagery
from kizuna.model.label import Label
from kizuna.model.product import AssetRole
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.publish import publish
from kizuna.node.tiles import Drawn, NotMadeYet, Tiles, sheet_box

NAME = "amplitude.1.tif"


class Scene:
    """A node with one image, that makes map images beside what else it does."""

    def __init__(self):
        self.world = world = World()
        for party in (IQPS, HUR, NZL):
            world.node(party)
        for partner in (HUR, NZL):
            world.befriend(IQPS, partner)
        # Both under one article, on the same terms.
        world.agree(IQPS, parties=["JPN/IQPS", "UKR/HUR", "NZL"], article={"receivers": ["UKR/HUR", "NZL"]})
        self.node = world.node(IQPS)
        self.product = self.put()
        self.tiles = self.new_tiles()

    def put(self, **changed):
        label = Label("JPN", "UNCLASSIFIED", IQPS, START)
        return publish(self.node, io.BytesIO(scene_tiff(side=200, **changed)), "scene.tif", label).product

    def new_tiles(self):
        catalogue = Catalogue(self.node, ColumnIndex(self.node.store.items, IQPS, detected_remains))
        return Tiles(self.node, catalogue, in_background=True)

    def content(self, product=None):
        sheet = self.tiles.sheet((product or self.product).id, None, Drawn())
        return sheet.images[0].scaling.content

    def is_made(self, product=None):
        file = self.node.blobs.derived((product or self.product).content, NAME)
        if file is not None:
            file.close()
        return file is not None


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def counted(monkeypatch):
    """What was made, and a gate that it has to pass."""
    made, gate, make = [], threading.Event(), imagery.map_image

    def slowly(file, layer):
        gate.wait(30)
        made.append(layer)
        return make(file, layer)

    monkeypatch.setattr(imagery, "map_image", slowly)
    yield made, gate
    gate.set()


def test_nobody_waits_for_the_finer_image_and_it_is_made_once(scene, counted):
    made, gate = counted
    assert not scene.is_made()
    assert [scene.content() for _ in range(3)] == [Content.LEVELS] * 3
    gate.set()
    within(30, "the finer image", lambda: scene.content() is Content.AMPLITUDE)
    assert made == [imagery.Layer.AMPLITUDE]
    # A node that starts again finds it.
    scene.tiles = scene.new_tiles()
    assert scene.content() is Content.AMPLITUDE
    assert len(made) == 1


def test_taking_a_file_in_makes_none(scene):
    assert scene.node.blobs.derived(scene.product.content, NAME) is None


def test_what_has_no_other_image_is_asked_for_again(scene, counted):
    _, gate = counted
    blobs = scene.node.blobs
    blobs.discard(scene.product.asset(AssetRole.VISUAL).digest)
    with pytest.raises(NotMadeYet):
        scene.content()
    gate.set()
    within(30, "the image", scene.is_made)
    within(5, "its use", lambda: scene.tiles.sheet(scene.product.id, HUR, Drawn()) is not None)


def test_one_that_cannot_be_made_stands_in_no_others_way(scene, monkeypatch):
    other, make = scene.put(seed=8), imagery.map_image
    first = scene.product.content

    def broken(file, layer):
        with scene.node.blobs.open(first) as bad:
            if file.read() == bad.read():
                raise RuntimeError
        file.seek(0)
        return make(file, layer)

    monkeypatch.setattr(imagery, "map_image", broken)
    assert scene.content() is Content.LEVELS
    within(30, "the other image", lambda: scene.content(other) is Content.AMPLITUDE)
    # It is drawn from what there is.
    assert scene.content() is Content.LEVELS


def test_a_damaged_image_is_made_again(scene):
    scene.node.blobs.keep_derived(scene.product.content, NAME, b"damaged")
    assert scene.content() is Content.LEVELS
    within(30, "a sound one", lambda: scene.content() is Content.AMPLITUDE)


def test_the_stamp_is_another_for_another_image_caller_or_drawing(scene):
    def stamp(partner=None, drawn=Drawn(), **more):  # noqa: B008 - it never changes
        return scene.tiles.sheet(scene.product.id, partner, drawn, **more).stamp

    coarse = stamp()
    within(30, "the finer image", lambda: scene.content() is Content.AMPLITUDE)
    other = scene.put(seed=8)
    within(30, "the other finer image", lambda: scene.content(other) is Content.AMPLITUDE)
    stamps = [
        coarse,
        stamp(),
        stamp(HUR),
        stamp(NZL),
        stamp(drawn=Drawn(Style.AMPLITUDE)),
        stamp(drawn=Drawn(stretch_db=(1.0, 2.0))),
        stamp(before=other.id),
    ]
    assert len(set(stamps)) == len(stamps)
    assert stamp() == stamps[1]


def test_what_nobody_looks_at_is_not_held_open(scene):
    other = scene.put(seed=8)
    for product in (scene.product, other):
        within(30, "the finer image", lambda product=product: scene.content(product) is Content.AMPLITUDE)
    kept = weakref.ref(scene.tiles.sheet(scene.product.id, None, Drawn()).images[0])
    assert kept() is not None
    scene.world.tick(minutes=11)
    third = scene.put(seed=9)
    assert scene.content(other) is Content.AMPLITUDE
    scene.content(third)
    gc.collect()
    assert kept() is None
    assert scene.content() is Content.AMPLITUDE


def test_threads_draw_side_by_side_what_one_draws(scene):
    within(30, "the finer image", lambda: scene.content() is Content.AMPLITUDE)
    whole, side = sheet_box(scene.product), EQUATOR_M / 2**16
    x, y = int((whole.west_m + EQUATOR_M / 2) / side), int((EQUATOR_M / 2 - whole.north_m) / side)
    boxes = [tile_box(16, x + number % 4, y + number // 4) for number in range(16)]

    def draw(box):
        return scene.tiles.sheet(scene.product.id, None, Drawn()).picture(box, (256, 256), Format.PNG)

    alone = [draw(box) for box in boxes]
    assert len(set(alone)) > 4
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(draw, boxes)) == alone
