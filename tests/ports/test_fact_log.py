"""Fact log port."""

from __future__ import annotations

import pytest

from kizuna.errors import StoreError
from kizuna.exchange.merkle import extend, leaf_data, leaf_hash
from kizuna.node.ports import LogEntry, Store


def _entry(index: int) -> LogEntry:
    return LogEntry(index, bytes([index % 256]) * 32, b"envelope %d" % index)


def _frontier(count: int) -> tuple[bytes, ...]:
    return extend((), 0, [leaf_hash(leaf_data(_entry(index).salt, _entry(index).envelope)) for index in range(count)])


def test_empty(store: Store) -> None:
    assert store.log.size() == 0
    assert list(store.log.entries()) == []
    assert store.log.checkpoint() is None
    assert store.log.frontier() == ()


def test_appends_in_order_with_the_latest_checkpoint(store: Store) -> None:
    store.log.append([_entry(0)], "first", _frontier(1))
    store.log.append([_entry(1), _entry(2)], "second", _frontier(3))
    assert store.log.size() == 3
    assert list(store.log.entries()) == [_entry(0), _entry(1), _entry(2)]
    assert list(store.log.entries(2)) == [_entry(2)]
    assert list(store.log.entries(3)) == []
    assert store.log.checkpoint() == "second"
    assert store.log.frontier() == _frontier(3)


@pytest.mark.parametrize("indices", [[0], [2], [1, 1], [1, 3], [-1]])
def test_refuses_what_does_not_continue_it_and_keeps_nothing_of_it(store: Store, indices: list[int]) -> None:
    store.log.append([_entry(0)], "first", _frontier(1))
    with pytest.raises(StoreError, match="does not follow"):
        store.log.append([_entry(index) for index in indices], "second", _frontier(2))
    assert list(store.log.entries()) == [_entry(0)]
    assert store.log.checkpoint() == "first"
    assert store.log.frontier() == _frontier(1)


def test_reads_long_logs_whole(store: Store) -> None:
    store.log.append([_entry(index) for index in range(1000)], "checkpoint", _frontier(1000))
    assert [entry.index for entry in store.log.entries(10)] == list(range(10, 1000))


def test_appending_while_reading_disturbs_neither(store: Store) -> None:
    store.log.append([_entry(0), _entry(1)], "first", _frontier(2))
    reader = store.log.entries()
    assert next(reader) == _entry(0)
    store.log.append([_entry(2)], "second", _frontier(3))
    assert next(reader) == _entry(1)
    assert store.log.size() == 3
