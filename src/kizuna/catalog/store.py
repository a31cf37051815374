"""The port to the store of items: the products that a node holds, ready to be listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId

__all__ = ["Item", "ItemStore"]


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


class ItemStore(Protocol):
    """Items by id, newest observation first."""

    def put(self, item: Item) -> None:
        """Add the item, or replace the one with the same product id."""
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
