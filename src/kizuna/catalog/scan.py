"""Which rows of a shelf answer a query, in its order, as few looked at as may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kizuna.catalog.extents import turns
from kizuna.catalog.filters import holds
from kizuna.catalog.query import NEWEST_FIRST, OLDEST_FIRST, Order
from kizuna.release.columns import micros

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from kizuna.catalog.filters import Columns, Rows
    from kizuna.catalog.query import Position, Query
    from kizuna.catalog.shelf import Shelf

    type Truths = npt.NDArray[np.bool_]
    type RowNumbers = npt.NDArray[np.intp]

__all__ = ["Scan", "is_natural"]

_FIRST_CHUNK, _LAST_CHUNK, _GROWTH = 1 << 11, 1 << 17, 4


def is_natural(order: tuple[Order, ...]) -> bool:
    """Whether rows stand in this order, or in its reverse."""
    # Mostly these very ones: hashes of orders would take longer.
    return order in (NEWEST_FIRST, OLDEST_FIRST)


@dataclass(slots=True)
class Scan:
    """A query over the rows of one shelf.

    Parameters
    ----------
    shelf
        Rows.
    query
        What is looked for.
    visible
        Whether each row is there for the caller; None: all are.
    columns
        Properties of the rows.
    """

    shelf: Shelf
    query: Query
    visible: Truths | None
    columns: Columns

    def span(self) -> tuple[int, int]:
        """Rows that are to be looked at by their time, and by the position after which the page begins."""
        query, shelf = self.query, self.shelf
        begin = None if query.begin is None else micros(query.begin)
        first, last = shelf.between(begin, None if query.end is None else micros(query.end))
        match query.after:
            case (int(moment), str(id_)) if is_natural(query.order):
                left = int(np.searchsorted(shelf.negated, -moment, "left"))
                right = int(np.searchsorted(shelf.negated, -moment, "right"))
                same = shelf.segment.id[left:right]
                if query.order == NEWEST_FIRST:
                    first = max(first, left + int(np.searchsorted(same, np.bytes_(id_.encode()), "right")))
                else:
                    last = min(last, left + int(np.searchsorted(same, np.bytes_(id_.encode()), "left")))
            case _:
                pass
        return first, max(first, last)

    def rows(self, some: RowNumbers | None = None) -> Iterator[int]:
        """Rows that answer the query, in its order.

        Parameters
        ----------
        some
            Rows, ascending, among which all lie that do; None where that is not known.
        """
        found = self._natural(some) if is_natural(self.query.order) else self._sorted(some)
        if self.query.where is None:
            yield from found
        else:
            yield from (row for row in found if self._meets(row))

    def all_rows(self, some: RowNumbers | None = None) -> RowNumbers:
        """All rows that answer the query, whatever its order and the place at which its page begins, ascending.

        Parameters
        ----------
        some
            As in `rows`.
        """
        if some is None:
            first, last = replace(self, query=replace(self.query, after=None)).span()
            found = np.flatnonzero(self._passes(slice(first, last))) + first
        else:
            found = some[self._passes(some)]
            if self.query.end is not None:
                found = found[self.shelf.segment.begin[found] <= micros(self.query.end)]
        if self.query.where is None:
            return found
        return found[np.fromiter(map(self._meets, found.tolist()), np.bool_, len(found))]

    def _meets(self, row: int) -> bool:
        """Whether the footprint of a row, whose extent meets that of the place, meets the place."""
        where, segment = self.query.where, self.shelf.segment
        assert where is not None  # noqa: S101 - INVARIANT: asked only where there is one
        box = where.extent
        # What lies wholly in a plain box meets it.
        return (
            where.is_box
            and bool(box.west <= segment.west[row])
            and bool(segment.east[row] <= box.east)
            and bool(box.south <= segment.south[row])
            and bool(segment.north[row] <= box.north)
        ) or where.meets(segment.ring(row))

    def _natural(self, some: RowNumbers | None) -> Iterator[int]:
        first, last = self.span()
        newest = self.query.order == NEWEST_FIRST
        if some is not None:
            rows = some[np.searchsorted(some, first) : np.searchsorted(some, last)]
            kept = rows[self._passes(rows)]
            yield from (kept if newest else kept[::-1]).tolist()
            return
        chunk = _FIRST_CHUNK
        while first < last:
            here = (first, min(first + chunk, last)) if newest else (max(first, last - chunk), last)
            kept = np.flatnonzero(self._passes(slice(*here))) + here[0]
            yield from (kept if newest else kept[::-1]).tolist()
            first, last = (here[1], last) if newest else (first, here[0])
            chunk = min(chunk * _GROWTH, _LAST_CHUNK)

    def _passes(self, rows: Rows) -> Truths:
        """Where all holds that columns tell of."""
        query, segment = self.query, self.shelf.segment
        passing: Truths
        passing = np.ones(len(segment.number[rows]), np.bool_) if self.visible is None else self.visible[rows].copy()
        if query.begin is not None and self.shelf.longest_us:
            passing &= segment.end[rows] >= micros(query.begin)
        if query.collections is not None:
            wanted = {self.shelf.names.kinds.numbers.get(name, -1) for name in query.collections}
            passing &= np.array([n in wanted for n in range(len(self.shelf.names.kinds.things))])[segment.kind[rows]]
        if query.where is not None and passing.any():
            passing &= self._in_extent(rows)
        if query.expression is not None and passing.any():
            passing &= holds(query.expression, self.columns, rows)
        return passing

    def _in_extent(self, rows: Rows) -> Truths:
        assert self.query.where is not None  # noqa: S101 - INVARIANT: asked only where there is one
        box, segment = self.query.where.extent, self.shelf.segment
        west, east = segment.west[rows], segment.east[rows]
        across: Truths = np.zeros(len(west), np.bool_)
        for turn in turns(box, -180.0, self.shelf.most_east):
            across |= (west <= box.east + turn) & (east >= box.west + turn)
        return across & (segment.south[rows] <= box.north) & (segment.north[rows] >= box.south)

    # ---- other orders

    def _sorted(self, some: RowNumbers | None) -> Iterator[int]:
        first, last = self.span()
        rows: RowNumbers
        if some is None:
            rows = np.flatnonzero(self._passes(slice(first, last))) + first
        else:
            rows = some[np.searchsorted(some, first) : np.searchsorted(some, last)]
            rows = rows[self._passes(rows)]
        order = self.query.order[: -len(NEWEST_FIRST)]
        keys = [self._key(each, rows) for each in order]
        if self.query.after is not None:
            later = self._later(keys, rows, self.query.after)
            rows = rows[later]
            keys = [key[later] for key in keys]
        while len(rows):
            part = _smallest(keys[0], self.query.limit + 1)
            # Where all these are equal, rows stand in the order of time and id.
            ranked = part[np.lexsort([key[part] for key in reversed(keys)])]
            yield from rows[ranked].tolist()
            rest = np.ones(len(rows), np.bool_)
            rest[part] = False
            rows, keys = rows[rest], [key[rest] for key in keys]

    def _key(self, order: Order, rows: RowNumbers) -> npt.NDArray[np.float64]:
        """Numbers by which rows are sorted; what has no value comes last."""
        words = self.columns.words(order.name, rows)
        if words is not None:
            ranks = {word: rank for rank, word in enumerate(sorted(set(words[0])))}
            key = np.array([ranks[word] for word in words[0]] or [0], np.float64)[words[1]]
            known = None
        else:
            values, known = self.columns.values(order.name, rows)
            key = (
                np.unique(values, return_inverse=True)[1].astype(np.float64)
                if values.dtype.kind == "S"
                else values.astype(np.float64)
            )
        key = -key if order.descending else key
        return key if known is None else np.where(known, key, np.inf)

    def _later(self, keys: list[npt.NDArray[np.float64]], rows: RowNumbers, after: Position) -> Truths:
        """Which rows come after a position."""
        segment = self.shelf.segment
        *values, last_moment, last_id = after
        moment, id_ = int(last_moment or 0), str(last_id).encode()
        later: Truths = np.zeros(len(rows), np.bool_)
        equal: Truths = np.ones(len(rows), np.bool_)
        for order, key, value in zip(self.query.order, keys, values, strict=False):
            beyond, same = self._against(order, key, rows, value)
            later |= equal & beyond
            equal &= same
        begin, ids = segment.begin[rows], segment.id[rows]
        later |= equal & (begin < moment)
        later |= equal & (begin == moment) & (ids > id_)
        return later

    def _against(
        self, order: Order, key: npt.NDArray[np.float64], rows: RowNumbers, value: str | float | None
    ) -> tuple[Truths, Truths]:
        """Where a property comes after a value in an order, and where it is the same."""
        none = np.isinf(key)
        if value is None:
            return np.zeros(len(key), np.bool_), none
        words = self.columns.words(order.name, rows)
        wanted: Any = value
        if words is not None:
            above = np.array([word > str(value) for word in words[0]] or [False])[words[1]]
            same = np.array([word == value for word in words[0]] or [False])[words[1]]
        else:
            values, _ = self.columns.values(order.name, rows)
            wanted = str(value).encode() if values.dtype.kind == "S" else value
            above, same = values > wanted, values == wanted
        return none | (~above & ~same if order.descending else above), same & ~none


def _smallest(key: npt.NDArray[np.float64], count: int) -> RowNumbers:
    """Places of the `count` smallest numbers, and of all that are equal to the greatest of these; ascending."""
    if len(key) <= count:
        return np.arange(len(key))
    bound = np.partition(key, count - 1)[count - 1]
    return np.flatnonzero(key <= bound)
