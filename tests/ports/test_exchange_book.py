"""Exchange book port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.products import JPN, UKR, product_id

from kizuna.errors import StoreError
from kizuna.model.digests import digest_of
from kizuna.node.ports import Outgoing, Store

if TYPE_CHECKING:
    from kizuna.model.parties import Party

ONE, TWO = digest_of(b"1"), digest_of(b"2")


def _out(sequence: int, number: int, partner: Party = UKR, *blobs: str) -> Outgoing:
    return Outgoing(partner, sequence, product_id(number), b"envelope %d" % number, tuple(digest_of(b.encode()) for b in blobs))


def test_empty(store: Store) -> None:
    book = store.book
    assert list(book.waiting(UKR)) == []
    assert (book.last_sequence(UKR), book.acknowledged(UKR), book.cursor(UKR)) == (0, 0, 0)
    assert list(book.outgoing(UKR, 0, 10)) == []
    assert list(book.holding(UKR, ONE)) == []
    assert book.notes(UKR) == {}


def test_queue_keeps_its_order_and_is_each_partners_own(store: Store) -> None:
    book = store.book
    for number in (3, 1, 2, 1):
        book.enqueue(UKR, product_id(number))
    book.enqueue(JPN, product_id(9))
    assert list(book.waiting(UKR)) == [product_id(3), product_id(1), product_id(2)]
    book.drop(UKR, product_id(1))
    book.drop(UKR, product_id(9))
    assert list(book.waiting(UKR)) == [product_id(3), product_id(2)]
    book.enqueue(UKR, product_id(1))
    assert list(book.waiting(UKR)) == [product_id(3), product_id(2), product_id(1)]
    assert list(book.waiting(JPN)) == [product_id(9)]


def test_many_are_queued_at_once_in_their_order(store: Store) -> None:
    book = store.book
    book.enqueue(UKR, product_id(2))
    book.enqueue(UKR, *(product_id(number) for number in (3, 2, 1, 3)))
    book.enqueue(UKR)
    assert list(book.waiting(UKR)) == [product_id(2), product_id(3), product_id(1)]


def test_feed_is_numbered_without_gaps(store: Store) -> None:
    book = store.book
    for number in (1, 2, 3):
        book.enqueue(UKR, product_id(number))
    book.enqueue(JPN, product_id(1))
    book.sequence(_out(1, 2, UKR, "1"))
    assert list(book.waiting(UKR)) == [product_id(1), product_id(3)]
    for wrong in (0, 1, 3):
        with pytest.raises(StoreError, match="does not follow"):
            book.sequence(_out(wrong, 1))
    book.sequence(_out(2, 1, UKR, "2", "1"))
    book.sequence(_out(1, 1, JPN, "1"))
    assert (book.last_sequence(UKR), book.last_sequence(JPN)) == (2, 1)
    assert list(book.outgoing(UKR, 0, 10)) == [_out(1, 2, UKR, "1"), _out(2, 1, UKR, "2", "1")]
    assert list(book.outgoing(UKR, 1, 10)) == [_out(2, 1, UKR, "2", "1")]
    assert list(book.outgoing(UKR, 0, 1)) == [_out(1, 2, UKR, "1")]
    assert list(book.outgoing(UKR, 2, 10)) == []
    assert list(book.outgoing(UKR, 0, 0)) == []


def test_tells_the_place_of_a_product(store: Store) -> None:
    store.book.enqueue(UKR, product_id(1))
    assert [store.book.sequence_of(UKR, product_id(number)) for number in (1, 2)] == [None, None]
    store.book.sequence(_out(1, 1))
    assert [store.book.sequence_of(partner, product_id(1)) for partner in (UKR, JPN)] == [1, None]


def test_sequences_only_what_waits(store: Store) -> None:
    with pytest.raises(StoreError, match="does not wait"):
        store.book.sequence(_out(1, 1))
    store.book.enqueue(UKR, product_id(1))
    store.book.sequence(_out(1, 1))
    with pytest.raises(StoreError, match="does not wait"):
        store.book.sequence(_out(2, 1))


def test_what_has_its_place_is_neither_queued_again_nor_dropped(store: Store) -> None:
    store.book.enqueue(UKR, product_id(1))
    store.book.sequence(_out(1, 1))
    store.book.enqueue(UKR, product_id(1))
    store.book.drop(UKR, product_id(1))
    assert list(store.book.waiting(UKR)) == []
    assert list(store.book.outgoing(UKR, 0, 10)) == [_out(1, 1)]


def test_tells_which_entries_hand_out_a_file(store: Store) -> None:
    for number in (1, 2):
        store.book.enqueue(UKR, product_id(number))
    store.book.enqueue(JPN, product_id(3))
    store.book.sequence(_out(1, 1, UKR, "1", "1"))
    store.book.sequence(_out(2, 2, UKR, "2", "1"))
    store.book.sequence(_out(1, 3, JPN, "2"))
    assert [entry.sequence for entry in store.book.holding(UKR, ONE)] == [1, 2]
    assert [entry.sequence for entry in store.book.holding(UKR, TWO)] == [2]
    assert list(store.book.holding(JPN, ONE)) == []


def test_receipts_are_for_what_was_handed_out(store: Store) -> None:
    for number in (1, 2):
        store.book.enqueue(UKR, product_id(number))
        store.book.sequence(_out(number, number))
    assert store.book.acknowledged(UKR) == 0
    store.book.acknowledge(UKR, 2, b"receipt")
    store.book.acknowledge(UKR, 2, b"another")
    assert store.book.acknowledged(UKR) == 2
    assert store.book.acknowledged(JPN) == 0
    for unknown in (0, 3):
        with pytest.raises(StoreError, match="has no entry"):
            store.book.acknowledge(UKR, unknown, b"receipt")
    assert store.book.acknowledged(UKR) == 2


def test_cursor_moves_one_by_one(store: Store) -> None:
    store.book.advance(UKR, 1)
    store.book.advance(UKR, 2)
    for wrong in (0, 1, 2, 4):
        with pytest.raises(StoreError, match="does not follow"):
            store.book.advance(UKR, wrong)
    assert (store.book.cursor(UKR), store.book.cursor(JPN)) == (2, 0)


def test_notes_keep_the_latest_word(store: Store) -> None:
    store.book.note(UKR, "last_in", "1")
    store.book.note(UKR, "last_in", "2")
    store.book.note(UKR, "last_refusal", "3")
    store.book.note(JPN, "last_in", "4")
    assert store.book.notes(UKR) == {"last_in": "2", "last_refusal": "3"}


def test_an_unconfirmed_entry_is_sealed_anew_under_its_number(store: Store) -> None:
    book = store.book
    book.enqueue(UKR, product_id(1))
    book.sequence(_out(1, 1, UKR, "1", "2"))
    anew = Outgoing(UKR, 1, product_id(1), b"stricter", (TWO,))
    book.reseal(anew)
    assert list(book.outgoing(UKR, 0, 10)) == [anew]
    assert list(book.holding(UKR, ONE)) == []
    assert list(book.holding(UKR, TWO)) == [anew]


def test_what_is_confirmed_or_absent_is_not_sealed_anew(store: Store) -> None:
    book = store.book
    book.enqueue(UKR, product_id(1))
    with pytest.raises(StoreError):
        book.reseal(_out(1, 1))
    entry = _out(1, 1, UKR, "1")
    book.sequence(entry)
    with pytest.raises(StoreError):
        book.reseal(_out(1, 2, UKR, "1"))
    book.acknowledge(UKR, 1, b"receipt")
    with pytest.raises(StoreError):
        book.reseal(_out(1, 1, UKR, "2"))
    assert list(book.outgoing(UKR, 0, 10)) == [entry]
    recalled = Outgoing(UKR, 1, product_id(1), b"recalled", ())
    book.reseal(recalled, confirmed=True)
    assert list(book.outgoing(UKR, 0, 10)) == [recalled]
    assert list(book.holding(UKR, ONE)) == []
    assert book.acknowledged(UKR) == 1
    with pytest.raises(StoreError):
        book.reseal(_out(2, 2), confirmed=True)


def test_a_product_may_have_several_numbers(store: Store) -> None:
    book = store.book
    book.enqueue(UKR, product_id(1))
    for _ in range(2):
        # What waits waits once.
        book.enqueue_again(UKR, product_id(1))
    assert list(book.waiting(UKR)) == [product_id(1)]
    first = _out(1, 1, UKR, "1")
    book.sequence(first)
    book.enqueue(UKR, product_id(2))
    for _ in range(2):
        book.enqueue_again(UKR, product_id(1))
        book.enqueue(UKR, product_id(1))
    assert list(book.waiting(UKR)) == [product_id(2), product_id(1)]
    assert book.sequence_of(UKR, product_id(1)) == 1
    book.drop(UKR, product_id(1))
    assert list(book.outgoing(UKR, 0, 10)) == [first]
    book.enqueue_again(UKR, product_id(1))
    again, third = _out(2, 1, UKR, "2"), Outgoing(UKR, 3, product_id(1), b"third", ())
    book.sequence(again)
    assert list(book.waiting(UKR)) == [product_id(2)]
    book.enqueue_again(UKR, product_id(1))
    book.sequence(third)
    assert list(book.outgoing(UKR, 0, 10)) == [first, again, third]
    assert (book.sequence_of(UKR, product_id(1)), book.sequence_of(JPN, product_id(1))) == (3, None)
    # Each under its own number.
    anew = Outgoing(UKR, 1, product_id(1), b"anew", ())
    book.reseal(anew)
    assert list(book.outgoing(UKR, 0, 10)) == [anew, again, third]
    with pytest.raises(StoreError):
        book.reseal(_out(1, 2))


def test_what_never_had_a_number_is_queued_again_as_the_first_time(store: Store) -> None:
    store.book.enqueue_again(UKR, product_id(1))
    store.book.enqueue(UKR, product_id(1))
    assert list(store.book.waiting(UKR)) == [product_id(1)]
