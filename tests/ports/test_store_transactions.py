"""Store port: what a transaction promises."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from simulators.products import UKR, a_product, product_id

from kizuna.catalog.store import Item
from kizuna.errors import StoreError
from kizuna.node.ports import LogEntry, Outgoing, Store

if TYPE_CHECKING:
    from collections.abc import Callable


class Crash(BaseException):
    """Stands for anything that ends a block."""


def _write_everywhere(store: Store) -> None:
    store.items.put(Item(a_product(1)))
    store.log.append([LogEntry(store.log.size(), b"s" * 32, b"e")], "checkpoint", [b"f" * 32])
    store.book.enqueue(UKR, product_id(1))
    store.book.sequence(Outgoing(UKR, 1, product_id(1), b"e", ()))
    store.book.acknowledge(UKR, 1, b"r")
    store.book.enqueue(UKR, product_id(2))
    store.book.advance(UKR, 1)
    store.book.note(UKR, "name", "value")
    store.keep_setting("name", "value")


def _state(store: Store) -> tuple[object, ...]:
    return (
        store.items.count(),
        store.log.size(),
        store.log.checkpoint(),
        store.log.frontier(),
        list(store.book.waiting(UKR)),
        store.book.last_sequence(UKR),
        store.book.acknowledged(UKR),
        store.book.cursor(UKR),
        store.book.notes(UKR),
        store.setting("name"),
    )


EMPTY: tuple[object, ...] = (0, 0, None, (), [], 0, 0, 0, {}, None)
WRITTEN = (1, 1, "checkpoint", (b"f" * 32,), [product_id(2)], 1, 1, 1, {"name": "value"}, "value")


def _elsewhere[T](ask: Callable[[], T]) -> T:
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(ask()))
    thread.start()
    thread.join(20)
    return found[0]


def test_all_at_once(store: Store) -> None:
    with store.transaction():
        _write_everywhere(store)
        assert _state(store) == WRITTEN
        assert _elsewhere(lambda: _state(store)) == EMPTY
    assert _state(store) == WRITTEN
    assert _elsewhere(lambda: _state(store)) == WRITTEN


@pytest.mark.parametrize("end", [Crash, ValueError, StoreError])
def test_nothing_at_all(store: Store, end: type[BaseException]) -> None:
    def write() -> None:
        with store.transaction():
            _write_everywhere(store)
            if end is StoreError:
                store.book.advance(UKR, 99)
            raise end

    with pytest.raises(end):
        write()
    assert _state(store) == EMPTY
    with store.transaction():
        _write_everywhere(store)
    assert _state(store) == WRITTEN


def test_failure_that_is_caught_inside_undoes_only_itself(store: Store) -> None:
    with store.transaction():
        store.keep_setting("name", "value")
        with pytest.raises(StoreError):
            store.book.advance(UKR, 2)
    assert store.setting("name") == "value"


def test_is_not_reentrant_and_says_so(store: Store) -> None:
    with store.transaction():
        store.keep_setting("name", "value")
        with pytest.raises(RuntimeError, match="within a transaction"), store.transaction():
            pass
    assert store.setting("name") == "value"


def test_one_at_a_time_and_the_second_sees_the_first(store: Store) -> None:
    started, seen = threading.Event(), []

    def second() -> None:
        started.set()
        with store.transaction():
            seen.append(store.setting("name"))

    thread = threading.Thread(target=second)
    with store.transaction():
        thread.start()
        assert started.wait(5)
        thread.join(0.2)
        assert seen == []
        store.keep_setting("name", "first")
    thread.join(20)
    assert seen == ["first"]


def test_threads_lose_nothing(store: Store) -> None:
    def work() -> None:
        for _ in range(20):
            with store.transaction():
                index = store.log.size()
                store.log.append([LogEntry(index, b"s" * 32, b"%d" % index)], str(index), [b"f" * 32])

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [entry.envelope for entry in store.log.entries()] == [b"%d" % index for index in range(100)]


def test_settings_keep_the_latest_value(store: Store) -> None:
    assert store.setting("name") is None
    store.keep_setting("name", "1")
    store.keep_setting("name", "2")
    assert store.setting("name") == "2"
    store.keep_settings({"name": "3", "other": "4"})
    store.keep_settings({})
    assert (store.setting("name"), store.setting("other")) == ("3", "4")


def test_settings_are_found_by_how_their_names_begin(store: Store) -> None:
    for name in ("recall/b", "recall/é", "recall", "recall/a", "recalled/a", "a"):
        store.keep_setting(name, f"of {name}")
    found = {name: f"of {name}" for name in ("recall/a", "recall/b", "recall/é")}
    assert store.settings("recall/") == found
    assert list(store.settings("recall/")) == sorted(found)
    assert store.settings("nothing") == {}
    # More names than one query takes.
    names = [f"absent/{number}" for number in range(600)]
    assert store.settings_among([*names, *found, *found]) == found
    assert store.settings_among(names) == store.settings_among([]) == {}


def test_a_setting_that_was_dropped_is_not_kept(store: Store) -> None:
    for name in ("a/1", "a/2", "b"):
        store.keep_setting(name, "x")
    store.drop_setting("a/1")
    store.drop_setting("never kept")
    assert store.settings("a/") == {"a/2": "x"}
    assert store.setting("a/1") is None

    def drop_and_crash() -> None:
        with store.transaction():
            store.drop_setting("b")
            assert store.setting("b") is None
            raise Crash

    with pytest.raises(Crash):
        drop_and_crash()
    assert store.setting("b") == "x"
