"""Taking a file in: what could not be released or read elsewhere is refused at home, and nothing of it is kept."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from simulators.nodes import HUR, IQPS, START
from simulators.products import product_id

from kizuna.catalog.store import Item
from kizuna.errors import InputError
from kizuna.model.digests import digest_of
from kizuna.model.label import Label
from kizuna.model.product import AssetRole, make_product_id
from kizuna.node.publish import Described, publish
from kizuna.release.decision import Outcome

OPEN = Label("JPN", "UNCLASSIFIED", IQPS, START)


def geotiff(dtype: str) -> io.BytesIO:
    values = np.arange(64 * 64, dtype=np.float32).reshape(64, 64).astype(dtype)
    with MemoryFile() as memory:
        with rasterio.open(
            memory,
            "w",
            driver="GTiff",
            width=64,
            height=64,
            count=1,
            dtype=dtype,
            crs="EPSG:4326",
            transform=from_origin(30.5, 50.5, 1e-4, 1e-4),
        ) as dataset:
            dataset.write(values, 1)
        return io.BytesIO(memory.read())


def kept(world):
    node = world.node(IQPS)
    return node.store.items.count(), node.store.log.size(), len(node.blobs._blobs)


def test_a_complex_image_goes_without_its_phase_and_is_taken_in_once(world):
    world.agree(IQPS)
    node = world.node(IQPS)
    made = publish(node, geotiff("complex64"), "scene.tif", OPEN)
    world.tick()
    assert made.product.complex_data
    assert dict(made.decisions)[HUR].outcome is Outcome.PERMIT
    before = kept(world)
    again = publish(node, geotiff("complex64"), "other.tif", OPEN)
    assert again.known
    assert again.product == made.product
    assert kept(world) == before
    (received,) = world.pull(HUR, IQPS).received
    assert not received.complex_data
    assert AssetRole.ORIGINAL not in {asset.role for asset in received.assets}
    assert not world.node(HUR).blobs.has(made.product.content)


@pytest.mark.parametrize(
    ("name", "label", "described", "field"),
    [
        ("back\\slash.tif", OPEN, Described(), "assets[0].name"),
        ("scene.tif", OPEN, Described(title="\x1b[31mred"), "title"),
        ("scene.tif", OPEN, Described(title="x" * 10_001), "title"),
        ("scene.tif", OPEN, Described(derived_from=(product_id(9),)), "derived_from"),
        ("scene.tif", replace(OPEN, policy="NOR"), Described(), "policy"),
        ("scene.tif", replace(OPEN, classification="SECRET"), Described(), "classification"),
    ],
)
def test_what_another_node_would_refuse_is_refused_at_home_and_nothing_kept(world, name, label, described, field):
    world.agree(IQPS)
    before = kept(world)
    with pytest.raises(InputError) as caught:
        publish(world.node(IQPS), geotiff("float32"), name, label, described)
    assert caught.value.field == field
    assert kept(world) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"releasable_to": ()}, "releasable_to"),
        ({"classification": "秘"}, "classification"),
        ({"caveats": ("own use",)}, "caveats"),
        # Decisions depend on when a label was made.
        ({"created": START - timedelta(days=1)}, "created"),
        ({"originator": HUR}, "originator"),
    ],
)
def test_the_same_bytes_under_another_label_are_refused_and_nothing_kept(world, changes, field):
    world.agree(IQPS)
    node = world.node(IQPS)
    product = publish(node, geotiff("float32"), "scene.tif", OPEN).product
    world.tick()
    before = kept(world)
    label = replace(OPEN, **changes)
    with pytest.raises(InputError) as caught:
        publish(node, geotiff("float32"), "again.tif", label)
    assert caught.value.field == "label"
    assert all(part in str(caught.value) for part in (product.id, OPEN.marking, label.marking, field))
    assert "kizuna product relabel" in caught.value.hint.render()
    assert kept(world) == before
    assert node.store.items.get(product.id).product.label == OPEN


@pytest.mark.parametrize("partners_id", [1, 2**128 - 1])
def test_what_a_partner_handed_over_does_not_stand_for_our_own(world, partners_id):
    node = world.node(IQPS)
    theirs = replace(
        world.hold(HUR, 1), id=make_product_id(partners_id.to_bytes(16)), content=digest_of(geotiff("float32").getvalue())
    )
    node.store.items.put(Item(theirs, received_from=HUR))
    made = publish(node, geotiff("float32"), "scene.tif", OPEN)
    world.tick()
    assert not made.known
    assert made.product.id != theirs.id
    assert made.product.content == theirs.content
    assert node.store.items.get(theirs.id).product == theirs
    before = kept(world)
    again = publish(node, geotiff("float32"), "scene.tif", OPEN)
    assert again.known
    assert again.product == made.product
    with pytest.raises(InputError, match="NOT RELEASABLE"):
        publish(node, geotiff("float32"), "scene.tif", replace(OPEN, releasable_to=()))
    assert kept(world) == before


@pytest.mark.parametrize("data", [b"", b"hello, world....", b"II*\0" + bytes(20)])
def test_a_file_that_is_none_is_refused_and_nothing_kept(world, data):
    before = kept(world)
    with pytest.raises(InputError):
        publish(world.node(IQPS), io.BytesIO(data), "scene.tif", OPEN)
    assert kept(world) == before


def test_anothers_label_makes_it_anothers_product(world):
    world.agree(IQPS)
    made = publish(world.node(IQPS), geotiff("float32"), "scene.tif", replace(OPEN, originator=HUR))
    assert made.product.originator == HUR
    assert {decision.outcome for _, decision in made.decisions} == {Outcome.DENY}
