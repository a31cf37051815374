"""A question to the catalogue, its answer, and the port that both engines answer by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kizuna.catalog.cql2 import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.catalog.aggregate import Aggregation, Counted
    from kizuna.catalog.areas import Placer
    from kizuna.catalog.cql2 import Expression
    from kizuna.catalog.extents import Extent
    from kizuna.catalog.store import Item
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

__all__ = [
    "MOST_ITEMS",
    "NEWEST_FIRST",
    "OLDEST_FIRST",
    "QUERYABLES",
    "Found",
    "Index",
    "Order",
    "Position",
    "Query",
    "Sight",
    "Where",
]

MOST_ITEMS = 1_000
"""Most items on a page."""

QUERYABLES: dict[str, Type] = {
    "id": Type.TEXT,
    "collection": Type.TEXT,
    "datetime": Type.INSTANT,
    "start_datetime": Type.INSTANT,
    "end_datetime": Type.INSTANT,
    "expires": Type.INSTANT,
    "processing:datetime": Type.INSTANT,
    "platform": Type.TEXT,
    "gsd": Type.NUMBER,
    "security:policy": Type.TEXT,
    "security:classification": Type.TEXT,
    "security:originator": Type.TEXT,
}
"""Properties that filters and sorting know, with their types. None of them changes where a product goes in reduced form."""


@dataclass(frozen=True, slots=True)
class Order:
    """A property to sort by. What has no value comes last."""

    name: str
    descending: bool = False


NEWEST_FIRST = (Order("datetime", descending=True), Order("id"))
"""With this all orders end, so that no two items stand at one place; but for its reverse, oldest first, which stands alone."""

OLDEST_FIRST = (Order("datetime"), Order("id", descending=True))
"""The very reverse of `NEWEST_FIRST`."""

type Position = tuple[str | float | int | None, ...]
"""Values of the properties that a query is sorted by, of the last item of a page."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place.

    Parameters
    ----------
    extent
        Its extent.
    meets
        Whether a footprint has a point in common with it.
    is_box
        Whether it is all of its extent.
    told
        The place in words, different for different places.
    """

    extent: Extent
    meets: Callable[[Sequence[tuple[float, float]]], bool]
    is_box: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; all that is given must hold.

    Parameters
    ----------
    collections, ids
        Some of these; None for all.
    where
        Footprints that have a point in common with it. What has no footprint is nowhere.
    begin, end
        What was observed in this span, both ends included, or in part; None without limit.
    expression
        Filter over `QUERYABLES`.
    order
        Properties to sort by; see `NEWEST_FIRST`.
    after
        Position after which the page begins; None for the first page.
    limit
        Most items of the page.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    where: Where | None = None
    begin: Instant | None = None
    end: Instant | None = None
    expression: Expression | None = None
    order: tuple[Order, ...] = NEWEST_FIRST
    after: Position | None = None
    limit: int = 10

    @property
    def told(self) -> str:
        """All of the query but for the page, the same text for the same question."""
        where = None if self.where is None else self.where.told
        return repr((self.collections, self.ids, where, self.begin, self.end, self.expression, self.order))


@dataclass(frozen=True, slots=True)
class Sight:
    """Who asks, when, and what was known then: what of the catalogue there is for a caller.

    Parameters
    ----------
    giver
        Whose node it is.
    partner
        Partner who asks; None for the node's own people, who see everything.
    view
        What was known.
    at
        Instant of asking.
    placer
        Says how footprints lie to the areas that agreements name.
    subject_of
        What a decision has to know of the product of an item.
    recalled
        Products that were called back from the partner.
    """

    giver: Party
    partner: Party | None
    view: View
    at: Instant
    placer: Placer
    subject_of: Callable[[Item], Subject]
    recalled: frozenset[ProductId] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """A page.

    Parameters
    ----------
    numbers
        Numbers of the items, in their order.
    last
        Position of the last one; None for an empty page.
    more
        Whether others follow.
    """

    numbers: tuple[int, ...]
    last: Position | None
    more: bool


class Index(Protocol):
    """Finds what a caller may see of the items.

    # INVARIANT: what is not for the caller has no effect on an answer: neither on numbers, order, positions nor on `more`.
    """

    def search(self, query: Query, sight: Sight) -> Found:
        """Page of what a query finds for a caller."""
        ...

    def aggregate(self, query: Query, aggregations: Sequence[Aggregation], sight: Sight) -> tuple[Counted, ...]:
        """What is counted of all that a query finds for a caller, in the order of `aggregations`.

        The query's order, its position and its limit change nothing. What is not for the caller counts nowhere: neither in a
        value, a bucket nor in what overflows.
        """
        ...
