"""Many files at once: what is good is taken in, what is not is told, and the same bytes are one product."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from simulators import partner_files
from simulators.nodes import HUR, IQPS, START

from kizuna.adapters.memory import MemoryBlobs
from kizuna.errors import InputError, Message, StoreError
from kizuna.model.label import Label
from kizuna.model.observation import after_stripping
from kizuna.model.product import AssetRole
from kizuna.node.forms import held_back
from kizuna.node.intake import Source, take_in_all
from kizuna.node.publish import Described
from kizuna.release.decision import Outcome

OPEN = Label("JPN", "UNCLASSIFIED", IQPS, START)


def source(place, data, label=OPEN, described=None):
    @contextmanager
    def opened():
        yield io.BytesIO(data), place.rpartition("/")[2]

    def read_label():
        if isinstance(label, Exception):
            raise label
        return label

    return Source(place, opened, read_label, described or Described())


def history(number):
    """CPHD whose bytes are its own."""
    return partner_files.cphd(start=f"2022-12-05T18:41:{number:02}Z")


def taken(world, *sources, jobs=1):
    told = []
    take_in_all(world.node(IQPS), sources, told.append, jobs=jobs)
    world.tick()
    return {t.source.place: t for t in told}, told


@pytest.mark.parametrize("jobs", [1, 4])
def test_good_files_are_taken_in_and_faulty_ones_told(any_world, jobs):
    any_world.agree(IQPS)
    missing = InputError(Message("no label"), field="label")
    found, told = taken(
        any_world,
        *(source(f"a/{n}.cphd", history(n)) for n in range(30)),
        source("a/cut.cphd", history(40)[:-5]),
        source("a/other.txt", b"Dear Sir, please find attached"),
        source("a/unlabelled.cphd", history(41), label=missing),
        source("a/odd.cphd", history(42), label=replace(OPEN, classification="ULTRA")),
        jobs=jobs,
    )
    node = any_world.node(IQPS)
    assert len(told) == len(found) == 34
    faults = {place: t.fault.field for place, t in found.items() if t.fault is not None}
    assert faults == {"a/cut.cphd": "file", "a/other.txt": "file", "a/unlabelled.cphd": "label", "a/odd.cphd": "classification"}
    products = {item.product.id for item in node.store.items.all()}
    assert products == {t.published.product.id for t in told if t.published is not None}
    assert len(products) == 30
    assert {partner for t in told if t.published for partner, _ in t.published.decisions} >= {HUR}
    # Nothing is left of what was refused.
    assert len(node.blobs._blobs) == 30


def test_the_same_bytes_are_told_and_not_doubled_and_under_another_label_refused(any_world):
    data = history(1)
    found, _ = taken(any_world, source("first", data), source("second", data), jobs=3)
    assert found["second"].published.known
    assert found["second"].published.product == found["first"].published.product
    other = replace(OPEN, caveats=("for exercise only",))
    found, _ = taken(any_world, source("third", data), source("fourth", data, label=other))
    assert found["third"].published.known
    fault = found["fourth"].fault
    assert fault.field == "label"
    assert "caveats" in str(fault)
    assert "kizuna product relabel" in fault.hint.render()
    assert any_world.node(IQPS).store.items.count() == 1


def test_where_the_first_of_two_alike_is_faulty_so_is_the_second(world):
    data = history(1)[:-5]
    found, _ = taken(world, source("first", data), source("second", data), jobs=2)
    assert [type(found[place].fault) for place in ("first", "second")] == [InputError, InputError]


def test_files_are_made_at_once_and_no_more_than_asked(world, monkeypatch):
    made_so_far = []
    meet = threading.Barrier(3, timeout=30)

    def made(file):
        made_so_far.append(1)
        meet.wait()
        return kept(file)

    from kizuna.kinds import phase_history

    kept = phase_history.validate
    monkeypatch.setattr(phase_history, "validate", made)
    _, told = taken(world, *(source(f"{n}", history(n)) for n in range(6)), jobs=3)
    # Three meet twice: with fewer at a time the barrier breaks.
    assert [t.fault for t in told] == [None] * 6
    assert len(made_so_far) == 6


def test_a_full_disk_stops_all_and_leaves_nothing_half(any_world, monkeypatch):
    node = any_world.node(IQPS)
    put = MemoryBlobs.put
    count = []

    def full(blobs, stored):
        count.append(1)
        if len(count) > 3:
            raise StoreError(Message("the disk is full"))
        return put(blobs, stored)

    told = []
    monkeypatch.setattr(MemoryBlobs, "put", full)
    with pytest.raises(StoreError):
        take_in_all(node, [source(f"{n}", history(n)) for n in range(9)], told.append, jobs=2)
    products = list(node.store.items.all())
    assert {i.product.id for i in products} == {t.published.product.id for t in told}
    assert len(node.blobs._blobs) == len(products) <= 3


def test_a_newer_version_goes_one_by_one(world):
    first, _ = taken(world, source("a", history(1)))
    product = first["a"].published.product
    second, _ = taken(world, source("b", history(2), described=Described(replaces=product.id)))
    assert (second["b"].published.product.version, second["b"].published.product.id) == (2, product.id)


def test_a_file_that_changes_between_looks_is_refused(world):
    versions = [history(1), history(2)]

    @contextmanager
    def opened():
        yield io.BytesIO(versions.pop(0)), "a.cphd"

    found, _ = taken(world, Source("a", opened, lambda: OPEN, Described()))
    assert "changed while it was read" in str(found["a"].fault)
    assert world.node(IQPS).blobs._blobs == {}


def test_phase_history_goes_whole_or_not_at_all(any_world):
    any_world.agree(IQPS, article={"kinds": ["phase-history"], "obligations": [{"kind": "detected-only"}]})
    found, _ = taken(any_world, source("a", history(1)))
    product = found["a"].published.product
    assert dict(found["a"].published.decisions)[HUR].outcome is Outcome.PERMIT
    assert not any_world.pull(HUR, IQPS).received
    assert [why.render() for _, why in held_back(any_world.node(IQPS), HUR)] == ["its obligations leave no file of it"]
    any_world.agree(IQPS, version=2, article={"kinds": ["phase-history"], "obligations": []})
    (received,) = any_world.pull(HUR, IQPS).received
    assert (received.kind, received.content, received.observation) == ("phase-history", product.content, product.observation)
    assert any_world.node(HUR).blobs.has(product.content)


def test_a_safe_goes_without_its_package_under_detected_only(world):
    world.agree(IQPS, article={"obligations": [{"kind": "detected-only"}]})
    grd = partner_files.safe_members(64, 96)
    as_slc = {b"<productType>GRD<": b"<productType>SLC<", b">Detected<": b">Complex<"}
    slc = dict(grd)
    for name in grd:
        for said, instead in as_slc.items():
            slc[name] = slc[name].replace(said, instead)
    found, _ = taken(world, source("a.zip", partner_files.packed(slc)))
    product = found["a.zip"].published.product
    assert product.complex_data
    (received,) = world.pull(HUR, IQPS).received
    assert [asset.role for asset in received.assets] == [AssetRole.DETECTED, AssetRole.VISUAL, AssetRole.QUICKLOOK]
    assert received.observation == after_stripping(product.observation)
    assert received.observation.processing.facility is None
    assert not world.node(HUR).blobs.has(product.content)
