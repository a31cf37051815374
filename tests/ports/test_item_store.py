"""Item store port."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

from simulators.products import NOON, UKR, a_product, product_id

from kizuna.catalog.extents import Extent
from kizuna.catalog.store import Item
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant
from kizuna.model.product import Footprint
from kizuna.release.columns import micros

if TYPE_CHECKING:
    from kizuna.node.ports import Store


def _at(**time: float) -> Instant:
    return Instant(NOON + timedelta(**time))


def test_empty(store: Store) -> None:
    assert store.items.count() == 0
    assert list(store.items.all()) == []
    assert store.items.get(product_id(1)) is None
    assert store.items.by_content(digest_of(b"")) is None


def test_gives_back_what_was_put(store: Store) -> None:
    own, received = Item(a_product(1)), Item(a_product(2, files=(b"2",)), UKR, '{"outcome":"permit"}')
    store.items.put(own)
    store.items.put(received)
    assert store.items.get(product_id(1)) == own
    assert store.items.get(product_id(2)) == received
    assert store.items.by_content(digest_of(b"2")) == received
    assert store.items.count() == 2


def test_replaces_the_item_of_the_same_id(store: Store) -> None:
    store.items.put(Item(a_product(1)))
    later = Item(dataclasses.replace(a_product(1, files=(b"new",)), title="new", version=2))
    store.items.put(later)
    assert list(store.items.all()) == [later]
    assert store.items.by_content(digest_of(b"bytes")) is None


def test_what_was_taken_away_is_found_nowhere(store: Store) -> None:
    store.items.put(Item(a_product(1)))
    store.items.put(Item(a_product(2, files=(b"2",))))
    store.items.remove(product_id(2))
    store.items.remove(product_id(3))
    assert [item.product.id for item in store.items.all()] == [product_id(1)]
    assert (store.items.get(product_id(2)), store.items.by_content(digest_of(b"2"))) == (None, None)
    assert store.items.count() == 1


def test_newest_observation_first_then_by_id(store: Store) -> None:
    products = [
        a_product(5, event=_at(hours=1)),
        a_product(4, event=_at(microseconds=1)),
        a_product(1, event=NOON),
        a_product(3, event=None, produced=NOON),
        a_product(2, event=_at(microseconds=-1), produced=_at(days=9)),
        a_product(6, event=_at(days=-20_000)),
    ]
    for product in sorted(products, key=lambda product: product.title + product.id):
        store.items.put(Item(product))
    expected = [product_id(number) for number in (5, 4, 1, 3, 2, 6)]
    assert [item.product.id for item in store.items.all()] == expected


def test_many_items_of_one_moment_come_each_once(store: Store) -> None:
    with store.transaction():
        for number in range(600):
            store.items.put(Item(a_product(number)))
    ids = [item.product.id for item in store.items.all()]
    assert ids == sorted(ids)
    assert len(set(ids)) == 600


def test_by_content_gives_the_first_of_several(store: Store) -> None:
    store.items.put(Item(a_product(1, event=_at(hours=-1))))
    store.items.put(Item(a_product(2)))
    found = store.items.by_content(digest_of(b"bytes"))
    assert found is not None
    assert found.product.id == product_id(2)


def test_writing_while_listing_disturbs_neither(store: Store) -> None:
    for number in range(3):
        store.items.put(Item(a_product(number)))
    seen = []
    for item in store.items.all():
        seen.append(item.product.id)
        store.items.put(dataclasses.replace(item, terms="seen"))
    assert len(seen) == 3
    assert {item.terms for item in store.items.all()} == {"seen"}


def _rows(store: Store, after: int = 0) -> list[tuple[int, object]]:
    return [(row.number, row.record["id"]) for row in store.items.rows_after(after, store.items.stamp()[0])]


def test_what_is_put_is_numbered_upwards_also_when_it_is_put_again(store: Store) -> None:
    store.items.put_all([Item(a_product(1)), Item(a_product(2), UKR)])
    first, _ = store.items.stamp()
    store.items.put(Item(dataclasses.replace(a_product(1), title="new", version=2)))
    ((number, id_),) = _rows(store, first)
    assert (number > first, id_) == (True, product_id(1))
    assert [id_ for _, id_ in _rows(store)] == [product_id(2), product_id(1)]
    (other, _) = store.items.rows_after(0, number)
    assert (other.record["title"], other.received_from) == ("港の画像", UKR)
    assert store.items.with_numbers([number, 99]) == {number: store.items.get(product_id(1))}


def test_numbers_of_what_was_removed_are_not_given_again(store: Store) -> None:
    store.items.put(Item(a_product(1)))
    put, removed = store.items.stamp()
    store.items.remove(product_id(1))
    store.items.remove(product_id(1))
    assert store.items.stamp() == (put, removed + 1)
    assert list(store.items.removed_after(removed, removed + 1)) == [product_id(1)]
    store.items.put(Item(a_product(1)))
    assert store.items.stamp() == (put + 1, removed + 1)


def test_what_was_undone_left_no_number(store: Store) -> None:
    store.items.put(Item(a_product(1)))
    before = store.items.stamp()
    with contextlib.suppress(RuntimeError), store.transaction():
        store.items.put_all([Item(a_product(2)), Item(a_product(3))])
        raise RuntimeError
    assert (store.items.stamp(), store.items.count()) == (before, 1)


def test_boxes_find_at_least_what_lies_in_them(store: Store) -> None:
    def ring(west: float, east: float) -> Footprint:
        return Footprint(((west, 0.0), (east, 0.0), (east, 1.0), (west, 1.0), (west, 0.0)))

    places = {1: ring(0.1, 1.3), 2: ring(2.1, 3.3), 3: ring(179.5, -179.5), 4: None}
    store.items.put_all(Item(dataclasses.replace(a_product(n), footprint=place)) for n, place in places.items())
    store.items.put(Item(dataclasses.replace(a_product(5, event=_at(days=2)), footprint=ring(0.1, 1.3))))
    at = micros(NOON)
    ids = dict(_rows(store))

    def found(west: float, east: float, begin_us: int = at, end_us: int = at) -> set[object]:
        return {ids[number] for number in store.items.in_box(Extent(west, 0.5, east, 2.0), begin_us, end_us)}

    assert found(1.3, 2.0) == {product_id(1)}
    assert found(0.0, 3.0) == {product_id(1), product_id(2)}
    assert found(180.2, 181.0) == {product_id(3)}
    assert found(0.0, 1.0, -(10**17), 10**17) == {product_id(1), product_id(5)}
    store.items.put(Item(dataclasses.replace(a_product(1), footprint=places[2])))
    store.items.remove(product_id(2))
    ids = dict(_rows(store))
    assert (found(0.0, 1.0), found(2.0, 3.0)) == (set(), {product_id(1)})
