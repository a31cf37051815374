"""The columns of an index, kept for the next start: the same answers, without reading the items again, or no snapshot at all."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from datetime import timedelta

import pytest
from simulators.archive import BEGIN, DAYS, HOLDER, NATIONS, archive, archive_agreements
from simulators.nodes import World

from kizuna.adapters.index_file import COLUMNS, FileSnapshot
from kizuna.adapters.memory import FixedClock
from kizuna.adapters.sqlite import SqliteStore
from kizuna.adapters.sqlite_items import SqliteItems
from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.store import Item
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.label import Label
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.founding import record_agreement
from kizuna.web.stac_query import get_query

COUNT = 150
ASKED = [
    {},
    {"bbox": "-20,-40,60,60"},
    {"filter": "gsd <= 0.5 AND platform = 'QPS-SAR-3'"},
    {"filter": "security:classification = 'UNCLASSIFIED'", "sortby": "+datetime"},
    {"datetime": "2025-01-01T00:00:00Z/2025-06-01T00:00:00Z"},
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Folder with the database of a node that holds an archive, and its world."""
    monkeypatch.setattr("kizuna.catalog.column_index._LEAST_KEPT", 2)
    monkeypatch.setattr("kizuna.catalog.column_index._TENTH", 1000)
    with closing(SqliteStore(tmp_path / "node.sqlite")) as store:
        world = World(FixedClock(BEGIN))
        node = world.node(HOLDER, store)
        for document in archive_agreements():
            record_agreement(node, document, NO_CIVIL_DATES, [str(document["id"])])
        world.clock.pass_by(timedelta(days=DAYS + 30))
        products = list(archive(COUNT))
        # One is derived from two others, and all three are for everybody.
        for number in (7, 8, 9):
            label = Label("JPN", "UNCLASSIFIED", HOLDER, BEGIN)
            products[number] = dataclasses.replace(products[number], label=label, originator=HOLDER)
        products[7] = dataclasses.replace(products[7], lineage=(products[8].id, products[9].id))
        store.items.put_all(map(Item, products))
        yield node, tmp_path, products


def answers(node, index):
    catalogue = Catalogue(node, index)
    found = []
    for caller in (None, NATIONS[0], NATIONS[-2]):
        for asked in ASKED:
            # Of the index itself: what it finds too much the catalogue would leave out.
            numbers = index.search(get_query(asked | {"limit": "200"})[0], catalogue.sight(caller)).numbers
            items = node.store.items.with_numbers(numbers)
            found.append([items[number].product.id if number in items else "gone" for number in numbers])
    return found


def index_of(node, folder, holder=HOLDER):
    return ColumnIndex(node.store.items, holder, detected_remains, keep=FileSnapshot(folder / COLUMNS))


@pytest.fixture
def read(monkeypatch):
    """Counts of the items that were read of the store."""
    counts = []
    before = SqliteItems.rows_after

    def rows_after(self, number, through):
        rows = list(before(self, number, through))
        counts.append(len(rows))
        return iter(rows)

    monkeypatch.setattr(SqliteItems, "rows_after", rows_after)
    return counts


def test_an_index_that_is_made_from_a_snapshot_finds_the_same_and_reads_only_what_is_new(place, read):
    node, folder, products = place
    plain = answers(node, ColumnIndex(node.store.items, HOLDER, detected_remains))
    assert any(plain)
    assert answers(node, index_of(node, folder)) == plain
    assert max(read) == COUNT
    read.clear()
    assert answers(node, index_of(node, folder)) == plain
    assert sum(read) == 1, "more was read than the one item that tells whose snapshot it is"
    # What came, went and was put again since is found as it is now.
    items = node.store.items
    items.put_all(map(Item, archive(30, seed=3)))
    items.put(Item(dataclasses.replace(products[3], sensor="QPS-SAR-3", resolution_m=0.3)))
    items.remove(products[4].id)
    items.remove(products[8].id)
    read.clear()
    later = answers(node, index_of(node, folder))
    assert sum(read) == 1 + 31
    assert later == answers(node, ColumnIndex(items, HOLDER, detected_remains))
    assert later != plain


def test_a_snapshot_holds_what_has_gone_and_what_hangs_on_what(place):
    node, folder, products = place
    items, index = node.store.items, index_of(node, folder)
    answers(node, index)
    items.remove(products[4].id)
    items.put_all(map(Item, archive(5, seed=3)))
    # The snapshot is taken once more, with a row that is dead.
    answers(node, index)
    again = index_of(node, folder)
    assert answers(node, again) == answers(node, ColumnIndex(items, HOLDER, detected_remains))
    shown = Catalogue(node, again).item(products[7].id, NATIONS[0])
    assert shown is not None
    # What it was derived from may not go any more: what stands in the snapshot follows.
    secret = dataclasses.replace(products[8].label, classification="秘")
    items.put(Item(dataclasses.replace(products[8], label=secret)))
    assert products[7].id not in [each for page in answers(node, again)[len(ASKED) :] for each in page]
    assert answers(node, again) == answers(node, ColumnIndex(items, HOLDER, detected_remains))


def test_a_store_that_was_set_back_and_went_on_otherwise_is_read_anew(place):
    node, folder, _ = place
    with closing(SqliteStore(folder / "other.sqlite")) as other:
        other.items.put_all(map(Item, archive(COUNT - 20, seed=9)))
        answers(node, index_of(node, folder))
        # Here the numbers of the snapshot belong to other items.
        index = ColumnIndex(other.items, HOLDER, detected_remains, keep=FileSnapshot(folder / COLUMNS))
        other.items.put_all(map(Item, archive(40, seed=10)))
        expected = ColumnIndex(other.items, HOLDER, detected_remains)
        query, sight = get_query({"limit": "1000"})[0], Catalogue(node, index).sight(None)
        assert index.search(query, sight).numbers == expected.search(query, sight).numbers
        assert len(index.search(query, sight).numbers) == COUNT + 20


@pytest.mark.parametrize("harm", ["torn", "empty", "another", "flipped", "gone"])
def test_a_file_that_is_no_whole_snapshot_is_not_used(place, harm, read):
    node, folder, _ = place
    plain = answers(node, index_of(node, folder))
    file = folder / COLUMNS
    data = file.read_bytes()
    match harm:
        case "torn":
            file.write_bytes(data[: len(data) // 2])
        case "empty":
            file.write_bytes(b"")
        case "another":
            file.write_bytes(b"PK\x05\x06" + bytes(18))
        case "flipped":
            file.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
        case _:
            file.unlink()
    read.clear()
    assert answers(node, index_of(node, folder)) == plain
    assert max(read) == COUNT


def test_a_snapshot_of_another_holder_is_not_used(place, read):
    node, folder, _ = place
    answers(node, index_of(node, folder))
    read.clear()
    other = index_of(node, folder, NATIONS[0])
    other.search(get_query({})[0], Catalogue(node, other).sight(None))
    assert max(read) == COUNT


def test_a_disk_that_takes_nothing_only_means_that_nothing_is_kept(place):
    node, folder, _ = place
    nowhere = ColumnIndex(node.store.items, HOLDER, detected_remains, keep=FileSnapshot(folder / "missing" / COLUMNS))
    assert answers(node, nowhere) == answers(node, ColumnIndex(node.store.items, HOLDER, detected_remains))
    assert not (folder / "missing").exists()
    answers(node, index_of(node, folder))
    assert (folder / COLUMNS).stat().st_mode & 0o077 == 0
    assert not (folder / f".{COLUMNS}.new").exists()
