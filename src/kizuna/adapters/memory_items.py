"""The fake of the store of items: as plain as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.catalog.extents import extent_of
from kizuna.catalog.store import StoredRow
from kizuna.model.product import product_to_json
from kizuna.release.columns import micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kizuna.adapters.memory import _Shared
    from kizuna.catalog.extents import Extent
    from kizuna.catalog.store import Item
    from kizuna.model.digests import Digest
    from kizuna.model.product import ProductId

__all__ = ["MemoryItems"]


class MemoryItems:
    """Port of the store of items, and of the rows that an index over them reads, in memory."""

    __slots__ = ("_shared",)

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    def put(self, item: Item) -> None:
        """Add the item, or replace the one with the same product id."""
        self.put_all([item])

    def put_all(self, items: Iterable[Item]) -> None:
        """Put many; all of them or, if that fails, none."""
        with self._shared.writing() as state:
            for item in items:
                state.put += 1
                state.items[item.product.id], state.numbers[item.product.id] = item, state.put

    def remove(self, product: ProductId) -> None:
        """Take the item of this product id away; absent: nothing."""
        with self._shared.writing() as state:
            if state.items.pop(product, None) is not None:
                state.removed.append(product)

    def get(self, product: ProductId) -> Item | None:
        """Item of this product id, or None."""
        return self._shared.read().items.get(product)

    def by_content(self, content: Digest) -> Item | None:
        """Item whose original has this digest, or None."""
        return next((item for item in self.all() if item.product.content == content), None)

    def all(self) -> Iterator[Item]:
        """All items, newest first, then by id."""

        def newest(item: Item) -> tuple[float, str]:
            product = item.product
            moment = product.event.begin if product.event else product.produced
            return -moment.timestamp(), product.id

        return iter(sorted(self._shared.read().items.values(), key=newest))

    def count(self) -> int:
        """Count of items."""
        return len(self._shared.read().items)

    def stamp(self) -> tuple[int, int]:
        """Number of the item that was put last, and of the removal made last."""
        state = self._shared.read()
        return state.put, len(state.removed)

    def _numbered(self, number: int, through: int) -> list[tuple[int, Item]]:
        state = self._shared.read()
        found = [(state.numbers[product], item) for product, item in state.items.items()]
        return sorted((pair for pair in found if number < pair[0] <= through), key=lambda pair: pair[0])

    def rows_after(self, number: int, through: int) -> Iterator[StoredRow]:
        """Items that are there with numbers over `number` up to `through`, in their order."""
        for place, item in self._numbered(number, through):
            yield StoredRow(place, product_to_json(item.product), item.received_from)

    def removed_after(self, number: int, through: int) -> Iterator[str]:
        """Products that were removed, the removals numbered as in `stamp`."""
        return iter(self._shared.read().removed[number:through])

    def in_box(self, box: Extent, begin_us: int, end_us: int) -> Sequence[int]:
        """Numbers of the items whose extents meet a box, and whose time meets a span in microseconds."""
        found = []
        for number, item in self._numbered(0, self.stamp()[0]):
            product = item.product
            begin = micros(product.event.begin if product.event else product.produced)
            end = micros(product.event.end) if product.event and product.event.end else begin
            extent = None if product.footprint is None else extent_of(product.footprint.ring)
            if (
                extent is not None
                and begin <= end_us
                and end >= begin_us
                and extent.west <= box.east
                and extent.east >= box.west
                and extent.south <= box.north
                and extent.north >= box.south
            ):
                found.append(number)
        return found

    def with_numbers(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        """Items by their numbers; those that are no longer there are left out."""
        return {number: item for number, item in self._numbered(0, self.stamp()[0]) if number in numbers}
