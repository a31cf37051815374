"""What partners read: on record before it goes, once a window, and many together."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, NZL, World
from simulators.products import product_id

from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.query import Query
from kizuna.errors import LogDamaged, Message, StoreError
from kizuna.model.product import AssetRole
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.audit_log import sentence
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.founding import suspend_agreement
from kizuna.node.journal import Journal
from kizuna.node.reads import ReadForm, last_reads, reads_in_log
from kizuna.node.state import Node


@pytest.fixture
def world():
    made = World()
    for party in (IQPS, HUR, NZL):
        made.node(party)
    made.befriend(IQPS, HUR)
    made.agree(IQPS)
    return made


def catalogue_of(world):
    node = world.node(IQPS)
    return Catalogue(node, ColumnIndex(node.store.items, IQPS, detected_remains))


def entries(world):
    return [fact.body for _, fact in world.node(IQPS).journal.facts() if fact.kind is FactKind.PRODUCTS_READ]


def test_what_a_partner_is_shown_is_on_record_and_what_people_see_is_not(world):
    products = [world.take_in(IQPS, number) for number in (1, 2)]
    catalogue = catalogue_of(world)
    catalogue.search(Query(), None)
    catalogue.item(products[0].id, None)
    assert entries(world) == []
    catalogue.search(Query(), HUR)
    catalogue.item(products[1].id, HUR)
    catalogue.item(products[1].id, HUR, ReadForm.TILE)
    assert [(body["form"], body["products"]) for body in entries(world)] == [
        ("listed", [product_id(1), product_id(2)]),
        ("item", [product_id(2)]),
        ("tile", [product_id(2)]),
    ]
    assert {body["partner"] for body in entries(world)} == {HUR}
    assert [(read.form, read.partner) for read in last_reads(world.node(IQPS), products[0].id)] == [(ReadForm.LISTED, HUR)]
    assert [read.form for read in reads_in_log(world.node(IQPS))] == ["listed", "listed", "item", "tile"]
    verify_node(world.node(IQPS))


@pytest.mark.parametrize("change", ["forgotten", "another", "made up"])
def test_what_the_store_tells_of_reads_is_verified_by_the_log(world, change):
    product = world.take_in(IQPS, 1)
    node, catalogue = world.node(IQPS), catalogue_of(world)
    catalogue.item(product.id, HUR)
    verify_node(node)
    name = f"read/{product.id}/{HUR}"
    with node.store.transaction():
        match change:
            case "forgotten":
                node.store.drop_setting(name)
            case "another":
                node.store.keep_setting(name, '{"item": "2025-01-01T00:00:00.000000Z"}')
            case _:
                node.store.keep_setting(f"read/{product.id}/{NZL}", node.store.setting(name))
    with pytest.raises(LogDamaged, match="last read product"):
        verify_node(node)


def test_a_file_is_on_record_before_its_first_byte(world):
    product = world.take_in(IQPS, 1)
    desk = world.desk(IQPS)
    desk.feed(HUR, 0, 10)
    shown, held_back = product.asset(AssetRole.QUICKLOOK), product.asset(AssetRole.ORIGINAL)
    assert desk.blob(HUR, shown.digest, 0, 0) is not None
    assert desk.blob(HUR, held_back.digest, 0, 10) is None
    assert entries(world) == []
    assert desk.blob(HUR, shown.digest, 0, 10) is not None
    assert entries(world) == [{"partner": HUR, "form": "file", "products": [product.id]}]


def test_the_files_of_one_request_are_recorded_together(world):
    products = [world.take_in(IQPS, number) for number in (1, 2, 3)]
    desk = world.desk(IQPS)
    desk.feed(HUR, 0, 10)
    size = world.node(IQPS).store.log.size()
    desk.record_reads(HUR, [product.asset(AssetRole.QUICKLOOK).digest for product in products] + [products[0].assets[0].digest])
    assert entries(world) == [{"partner": HUR, "form": "file", "products": [product.id for product in products]}]
    assert desk.blob(HUR, products[2].asset(AssetRole.QUICKLOOK).digest, 0, 10) is not None
    assert world.node(IQPS).store.log.size() == size + 1


def test_the_same_is_recorded_once_a_window(world):
    world.take_in(IQPS, 1)
    catalogue = catalogue_of(world)
    counts = []
    for minutes in (0, 1, 58, 1, 1):
        world.tick(minutes=minutes)
        catalogue.search(Query(), HUR)
        counts.append(len(entries(world)))
    assert counts == [1, 1, 1, 2, 2]
    world.take_in(IQPS, 2)
    catalogue.search(Query(), HUR)
    assert entries(world)[-1]["products"] == [product_id(2)]


def test_each_of_those_who_read_at_once_waits_for_the_record_and_few_entries_are_written(world):
    node = world.node(IQPS)
    held, begun, commits = threading.Event(), threading.Event(), []
    record_all = type(node.journal).record_all

    def slowly(journal, facts, **how):
        commits.append(len(facts))
        begun.set()
        assert held.wait(10)
        return record_all(journal, facts, **how)

    done = []

    def reader(number):
        node.reads.record(HUR, ReadForm.ITEM, [product_id(number)])
        done.append(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(node.journal), "record_all", slowly)
        threads = [threading.Thread(target=reader, args=(number,)) for number in range(8)]
        threads[0].start()
        assert begun.wait(10)
        for thread in threads[1:]:
            thread.start()
        # The seven have joined the next entry when it holds all of them.
        while len(node.reads._waiting.keys) < 7:
            pass
        assert done == []
        held.set()
        for thread in threads:
            thread.join(10)
    assert sorted(done) == list(range(8))
    assert commits == [1, 1]
    assert len(entries(world)) == 2


def test_what_was_decided_holds_over_reads_and_over_nothing_else(world):
    world.take_in(IQPS, 1)
    node = world.node(IQPS)
    notes = [node.store.log.checkpoint()]
    for number in (1, 2):
        node.reads.record(HUR, ReadForm.ITEM, [product_id(number)])
        notes.append(node.store.log.checkpoint())
    assert all(
        node.reads.are_all_since(before, after) for before, after in ((notes[0], notes[2]), (notes[1], notes[2]), (notes[2],) * 2)
    )
    assert not node.reads.are_all_since(notes[2], notes[0])
    assert not node.reads.are_all_since(None, notes[2])
    with node.store.transaction():
        node.journal.record(FactKind.TAIL_CONFIRMED, {"tail": "x"}, by="test", authority="test")
    notes.append(node.store.log.checkpoint())
    node.reads.record(HUR, ReadForm.ITEM, [product_id(3)])
    assert not any(node.reads.are_all_since(before, node.store.log.checkpoint()) for before in notes[:3])
    assert node.reads.are_all_since(notes[3], node.store.log.checkpoint())


def test_a_suspension_by_another_process_is_known_at_once_and_reads_teach_nothing(world):
    world.take_in(IQPS, 1)
    node, catalogue = world.node(IQPS), catalogue_of(world)
    assert len(catalogue.search(Query(), HUR).items) == 1
    known = node.present().known
    catalogue.item(product_id(1), HUR)
    assert node.present().known is known
    assert node.present().note == node.store.log.checkpoint() != known.note
    journal = Journal(IQPS, node.store, node.keys, world.clock)
    suspend_agreement(Node(journal, node.blobs, lambda: "here", "another"), "SHARE", "x", "order")
    assert catalogue.search(Query(), HUR).items == ()
    assert node.present().known == node.knowledge() != known


def test_a_suspension_between_reads_stops_a_file(world):
    product = world.take_in(IQPS, 1)
    other = world.take_in(IQPS, 2)
    desk, digest = world.desk(IQPS), product.asset(AssetRole.QUICKLOOK).digest
    desk.feed(HUR, 0, 10)
    assert desk.blob(HUR, digest, 0, 10) is not None
    desk.blob(HUR, other.asset(AssetRole.QUICKLOOK).digest, 0, 10)
    assert desk.blob(HUR, digest, 0, 10) is not None
    suspend_agreement(world.node(IQPS), "SHARE", "review", "officer")
    world.node(IQPS).reads.record(HUR, ReadForm.TILE, [other.id])
    assert desk.blob(HUR, digest, 0, 10) is None


def test_what_cannot_be_recorded_does_not_go(world, monkeypatch):
    product = world.take_in(IQPS, 1)
    desk, catalogue = world.desk(IQPS), catalogue_of(world)
    desk.feed(HUR, 0, 10)

    def full(*_facts, **_how):
        raise StoreError(Message("the disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(type(world.node(IQPS).journal), "record_all", full)
        for ask in (
            lambda: catalogue.search(Query(), HUR),
            lambda: catalogue.item(product.id, HUR),
            lambda: desk.blob(HUR, product.asset(AssetRole.QUICKLOOK).digest, 0, 10),
        ):
            with pytest.raises(StoreError):
                ask()
        assert catalogue.item(product_id(9), HUR) is None
    assert catalogue.item(product.id, HUR) is not None


def test_a_window_of_one_node_can_be_set(world):
    world.take_in(IQPS, 1)
    world.node(IQPS).reads.window = timedelta(minutes=5)
    catalogue = catalogue_of(world)
    for _ in range(3):
        catalogue.search(Query(), HUR)
        world.tick(minutes=5)
    assert len(entries(world)) == 3


def test_the_log_says_it_in_a_sentence(world):
    world.take_in(IQPS, 1)
    catalogue_of(world).search(Query(), HUR)
    facts = [fact for _, fact in world.node(IQPS).journal.facts() if fact.kind is FactKind.PRODUCTS_READ]
    assert sentence(facts[0]).render() == "UKR/HUR read 1 products (listed)"
