"""The port to the store of items: the products that a node holds, ready to be listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kizuna.catalog.extents import Extent
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId

__all__ = ["Item", "ItemRows", "ItemStore", "StoredRow"]


@dataclass(frozen=True, slots=True)
class Item:
    """A product that the node holds.

    Parameters
    ----------
    product
        The record.
    received_from
        Partner that handed it over; None for the node's own products.
    terms
        What the partner said when it handed the product over: its decision's reasons and obligations, as JSON text.
    """

    product: Product
    received_from: Party | None = None
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """An item as it lies in the store.

    Parameters
    ----------
    number
        Its number: higher than those of all that were put before. What is put again gets another one.
    record
        JSON form of the product (`kizuna.model.product.product_to_json`).
    received_from
        As `Item` has it.
    """

    number: int
    record: Mapping[str, Json]
    received_from: str | None


class ItemRows(Protocol):
    """What an index over the items reads: what changed since, and what lies in a small box."""

    def stamp(self) -> tuple[int, int]:
        """Number of the item that was put last, and of the removal made last; 0 where there was none."""
        ...

    def rows_after(self, number: int, through: int) -> Iterator[StoredRow]:
        """Items that are there with numbers over `number` up to `through`, in their order."""
        ...

    def removed_after(self, number: int, through: int) -> Iterator[str]:
        """Products that were removed, the removals numbered as in `stamp`; some may have been put again since."""
        ...

    def in_box(self, box: Extent, begin_us: int, end_us: int) -> Sequence[int]:
        """Numbers of the items whose extents meet a box, and whose time meets a span in microseconds; perhaps some more.

        Longitudes are compared as they are; see `kizuna.catalog.extents.turns`.
        """
        ...

    def with_numbers(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        """Items by their numbers; those that are no longer there are left out."""
        ...


class ItemStore(ItemRows, Protocol):
    """Items by id, newest observation first."""

    def put(self, item: Item) -> None:
        """Add the item, or replace the one with the same product id."""
        ...

    def put_all(self, items: Iterable[Item]) -> None:
        """Put many; all of them or, if that fails, none."""
        ...

    def remove(self, product: ProductId) -> None:
        """Take the item of this product id away; absent: nothing."""
        ...

    def get(self, product: ProductId) -> Item | None:
        """Item of this product id, or None."""
        ...

    def by_content(self, content: Digest) -> Item | None:
        """Item whose original has this digest, or None."""
        ...

    def all(self) -> Iterator[Item]:
        """All items: by begin of the event (products without one by their production), newest first, then by id."""
        ...

    def count(self) -> int:
        """Count of items."""
        ...
