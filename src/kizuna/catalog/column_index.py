"""The embedded index: items in columns in memory, by time and by cells of the globe, and a planner that picks where to look.

The store is the truth. The index follows it by the numbers that items got as they were put: each time it is asked it reads what
is newer, as a small segment of its own; segments of like size are joined, so that there are few.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np

from kizuna.catalog.aggregate import counted
from kizuna.catalog.extents import Extent, turns
from kizuna.catalog.query import NEWEST_FIRST, OLDEST_FIRST, Found, Query
from kizuna.catalog.scan import Scan, is_natural
from kizuna.catalog.segments import Names, joined, segment_of
from kizuna.catalog.shelf import Shelf
from kizuna.catalog.snapshot import Snapshot, read_snapshot, write_snapshot
from kizuna.release.columns import ALWAYS, NEVER, micros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from kizuna.catalog.aggregate import Aggregation, Counted
    from kizuna.catalog.query import Position, Sight
    from kizuna.catalog.snapshot import SnapshotKeep
    from kizuna.catalog.store import ItemRows
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.release.subject import Subject

__all__ = ["ColumnIndex", "Plan"]

_TIMES_SMALLER = 4
_MOST_TRIES = 3
_SAMPLE = 1_000
_LEAST_KEPT, _TENTH = 20_000, 10
# Costs in microseconds, measured: benchmarks/speed/catalog.py.
_SCAN_US, _SCAN_ROW_US = 60.0, 0.006
_TREE_US, _TREE_ROW_US = 400.0, 10.0
_CELLS_US, _CELLS_ROW_US = 50.0, 0.05


class Plan(StrEnum):
    """Where the rows to look at come from."""

    SCAN = "scan"
    """All, in the order of time."""
    CELLS = "cells"
    """Those of some cells of the globe."""
    TREE = "tree"
    """Those that the store's R*Tree names: of one place and time, where much was observed of that place at other times."""


@dataclass(frozen=True, slots=True)
class _State:
    """What was read of the store."""

    stamp: tuple[int, int]
    shelves: tuple[Shelf, ...]


class ColumnIndex:
    """Index over the items of a store (`kizuna.catalog.query.Index`). Safe to use from several threads.

    Parameters
    ----------
    rows
        The store's items.
    holder
        Whose store it is.
    detected
        Whether anything remains of a product, given as its record, where its phase is taken away.
    plan
        The plan to take for each query with a place; None: the one that is expected to be faster.
    keep
        Keeps the columns for the next start, where they are many; None: they are made anew then.
    """

    __slots__ = ("_children", "_detected", "_holder", "_keep", "_kept_rows", "_lock", "_names", "_plan", "_rows", "_state")

    def __init__(
        self,
        rows: ItemRows,
        holder: Party,
        detected: Callable[[Mapping[str, Json]], bool],
        plan: Plan | None = None,
        keep: SnapshotKeep | None = None,
    ) -> None:
        self._rows, self._holder, self._detected, self._plan, self._keep = rows, holder, detected, plan, keep
        self._kept_rows = 0
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._names = Names()
        # By product those that were derived from it.
        self._children: dict[str, set[str]] = {}
        self._state = _State((0, 0), ())

    # ---- following the store

    def _followed(self) -> _State:
        """State with all that is in the store by now."""
        stamp = self._rows.stamp()
        if self._state.stamp == stamp:
            return self._state
        with self._lock:
            stamp = self._rows.stamp()
            before = self._state
            if stamp[0] < before.stamp[0] or stamp[1] < before.stamp[1]:
                # An older store stands where the newer one was.
                self._forget()
                before = self._state
            if before.stamp == (0, 0):
                before = self._taken_up() or before
            if before.stamp != stamp:
                before = self._grown(before, stamp)
            self._state = before
            self._keep_columns()
            return self._state

    def _taken_up(self) -> _State | None:
        """State of the snapshot that was kept, if it is one of this store."""
        file = None if self._keep is None else self._keep.read()
        if file is None:
            return None
        with file:
            found = read_snapshot(file, self._rows, self._holder)
        if found is None:
            return None
        self._names, self._children = found.names, dict(found.children)
        shelves = tuple([Shelf(segment, found.names, alive) for segment, alive in found.segments])
        self._kept_rows = sum(shelf.segment.size for shelf in shelves)
        return _State(found.stamp, shelves)

    def _keep_columns(self) -> None:
        """Keep the columns when they have grown by a tenth; a small store is read in no time."""
        if self._keep is None:
            return
        shelves = self._state.shelves
        rows = sum(shelf.segment.size for shelf in shelves)
        if rows - self._kept_rows >= max(_LEAST_KEPT, rows // _TENTH):
            kept = [(shelf.segment, shelf.alive) for shelf in shelves]
            snapshot = Snapshot(self._state.stamp, kept, self._names, self._children)
            self._keep.write(lambda file: write_snapshot(file, snapshot, self._holder))
            self._kept_rows = rows

    def _grown(self, before: _State, stamp: tuple[int, int]) -> _State:
        changed: list[str] = list(self._rows.removed_after(before.stamp[1], stamp[1]))
        fresh = segment_of(
            self._noted(self._rows.rows_after(before.stamp[0], stamp[0]), changed), self._names, self._holder, self._detected
        )
        shelves = list(before.shelves)
        # What hangs on what changed is looked at anew: it stands in new segments too.
        hanging = self._descendants(changed) if shelves else set()
        anew = []
        for place, shelf in enumerate(shelves):
            rows = shelf.rows_with(sorted(hanging))
            rows = rows[shelf.alive[rows]]
            if len(rows):
                taken: npt.NDArray[np.bool_] = np.zeros(shelf.segment.size, np.bool_)
                taken[rows] = True
                anew.append(Shelf(joined([shelf.segment], [taken]), self._names))
            gone = [int(row) for row in (*shelf.rows_with(changed), *rows) if shelf.alive[row]]
            if gone:
                shelves[place] = shelf.without(gone)
        shelves += anew
        if fresh.size:
            shelves.append(Shelf(fresh, self._names))
        return _State(stamp, tuple(self._fewer(shelves)))

    def _noted[R](self, rows: Iterable[R], changed: list[str]) -> Iterator[R]:
        """The same rows, their products noted, and what they were derived from."""
        for row in rows:
            record = cast("Mapping[str, list[str]]", getattr(row, "record"))  # noqa: B009 - of a row of any store
            product = str(record["id"])
            changed.append(product)
            for parent in record["lineage"]:
                self._children.setdefault(parent, set()).add(product)
            yield row

    def _descendants(self, products: Iterable[str]) -> set[str]:
        changed, found = set(products), set[str]()
        waiting = list(changed)
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found - changed

    def _fewer(self, shelves: list[Shelf]) -> list[Shelf]:
        """Shelves, the larger ones first, none of which is about as large as the one before."""
        kept: list[Shelf] = []
        for shelf in shelves:
            kept.append(shelf)
            while len(kept) > 1 and kept[-1].segment.size * _TIMES_SMALLER >= kept[-2].segment.size:
                last = kept[-2:]
                segment = joined([one.segment for one in last], [one.alive for one in last])
                kept[-2:] = [Shelf(segment, self._names)]
        return [shelf for shelf in kept if shelf.segment.size]

    # ---- searching

    def search(self, query: Query, sight: Sight) -> Found:
        """Page of what a query finds for a caller."""
        parts = [_pairs(scan, some) for scan, some in self._looked_at(query, sight)]
        merged = parts[0] if len(parts) == 1 else heapq.merge(*parts, key=lambda pair: _rank(query, pair[0], pair[1]))
        page = list(islice(merged, query.limit + 1))
        more = len(page) > query.limit
        page = page[: query.limit]
        return Found(
            tuple(int(scan.shelf.segment.number[row]) for scan, row in page), _position(query, *page[-1]) if page else None, more
        )

    def aggregate(self, query: Query, aggregations: Sequence[Aggregation], sight: Sight) -> tuple[Counted, ...]:
        """What is counted of all that a query finds for a caller."""
        parts = [(scan.columns, scan.all_rows(some)) for scan, some in self._looked_at(query, sight)]
        return tuple(counted(aggregation, parts) for aggregation in aggregations)

    def visible(self, sight: Sight) -> list[int]:
        """Numbers of all items that there are for a caller."""
        found: list[int] = []
        for scan in self._scans(self._followed(), Query(), sight):
            numbers = scan.shelf.segment.number
            found += (numbers if scan.visible is None else numbers[scan.visible]).tolist()
        return found

    def _looked_at(self, query: Query, sight: Sight) -> list[tuple[Scan, npt.NDArray[np.intp] | None]]:
        """Scans over all that is in the store by now, each with the rows to look at; None: all."""
        for _ in range(_MOST_TRIES):
            state = self._followed()
            scans = self._scans(state, query, sight)
            some = self._candidates(scans, query)
            # What the tree tells is of this very state, or it is asked again.
            if some is None or query.ids is not None or self._rows.stamp() == state.stamp:
                break
        else:
            some = None
        return [(scan, None if some is None else some[place]) for place, scan in enumerate(scans)]

    def _scans(self, state: _State, query: Query, sight: Sight) -> list[Scan]:
        def subject_of(number: int) -> Subject | None:
            item = self._rows.with_numbers([number]).get(number)
            return None if item is None else sight.subject_of(item)

        return [Scan(shelf, query, shelf.visible(sight, subject_of)[0], shelf.properties(sight.view)) for shelf in state.shelves]

    def _candidates(self, scans: Sequence[Scan], query: Query) -> list[npt.NDArray[np.intp]] | None:
        """Of each scan the rows to look at; None: all."""
        if query.ids is not None:
            return [scan.shelf.rows_with(query.ids) for scan in scans]
        if query.where is None:
            return None
        match self._plan or self._planned(scans, query):
            case Plan.SCAN:
                return None
            case Plan.CELLS:
                return [_in_cells(scan, query.where.extent) for scan in scans]
            case Plan.TREE:
                return self._in_tree(scans, query, query.where.extent)

    def _in_tree(self, scans: Sequence[Scan], query: Query, box: Extent) -> list[npt.NDArray[np.intp]]:
        begin_us = ALWAYS if query.begin is None else micros(query.begin)
        end_us = NEVER if query.end is None else micros(query.end)
        numbers: set[int] = set()
        for moved in _turned(box, max((scan.shelf.most_east for scan in scans), default=0.0)):
            numbers.update(self._rows.in_box(moved, begin_us, end_us))
        asked = list(numbers)
        return [scan.shelf.rows_of(asked) for scan in scans]

    def _planned(self, scans: Sequence[Scan], query: Query) -> Plan:
        """Plan whose cost is estimated to be lowest."""
        assert query.where is not None  # noqa: S101 - INVARIANT: asked only where there is a place
        natural = query.expression is None and is_natural(query.order)
        box = query.where.extent
        cost = {Plan.SCAN: 0.0, Plan.CELLS: 0.0, Plan.TREE: _TREE_US}
        for scan in scans:
            first, last = scan.span()
            rows, size = last - first, scan.shelf.segment.size
            inside = scan.shelf.in_box(box) + 1.0
            looked: float = rows
            if natural:
                # So many are looked at until a page is full.
                looked = min(looked, (query.limit + 1) * size / (inside * _share(scan.visible)))
            cost[Plan.SCAN] += _SCAN_US + _SCAN_ROW_US * looked
            near = sum(scan.shelf.cells.count(moved) for moved in _turned(box, scan.shelf.most_east))
            cost[Plan.CELLS] += _CELLS_US + _CELLS_ROW_US * near
            cost[Plan.TREE] += _TREE_ROW_US * inside * rows / size
        return min(cost, key=lambda plan: cost[plan])


def _turned(box: Extent, most_east: float) -> Iterator[Extent]:
    """The box, and where else on the globe's turns it can be met."""
    for turn in turns(box, -180.0, most_east):
        yield Extent(box.west + turn, box.south, box.east + turn, box.north)


def _in_cells(scan: Scan, box: Extent) -> npt.NDArray[np.intp]:
    """Rows of a scan that can meet a box, ascending."""
    query = scan.query
    # Wherever the page begins: counts are of all pages.
    span = [None if at is None else micros(at) for at in (query.begin, query.end)]
    first, last = scan.shelf.between(*span)
    found = [scan.shelf.cells.in_box(moved, first, last) for moved in _turned(box, scan.shelf.most_east)]
    # What is near two turns of one box is there once.
    return (np.sort(found[0]) if len(found) == 1 else np.unique(np.concatenate(found))).astype(np.intp)


def _share(visible: npt.NDArray[np.bool_] | None) -> float:
    """About what share of rows is there for a caller, never none."""
    if visible is None:
        return 1.0
    sample = visible[:: 1 + len(visible) // _SAMPLE]
    return (float(np.count_nonzero(sample)) + 1.0) / (len(sample) + 1.0)


def _pairs(scan: Scan, some: npt.NDArray[np.intp] | None) -> Iterator[tuple[Scan, int]]:
    for row in scan.rows(some):
        yield scan, row


@total_ordering
@dataclass(frozen=True, slots=True)
class _Turned:
    """A value that stands before lower ones."""

    value: object

    def __lt__(self, other: _Turned) -> bool:
        return bool(other.value < self.value)  # type: ignore[operator]


def _position(query: Query, scan: Scan, row: int) -> Position:
    segment = scan.shelf.segment
    place = int(segment.begin[row]), segment.id[row].decode()
    if is_natural(query.order):
        return place
    return (*(_value(scan, order.name, row) for order in query.order[: -len(NEWEST_FIRST)]), *place)


def _value(scan: Scan, name: str, row: int) -> str | float | int | None:
    rows = np.array([row], np.intp)
    words = scan.columns.words(name, rows)
    if words is not None:
        return words[0][int(words[1][0])]
    values, known = scan.columns.values(name, rows)
    if known is not None and not known[0]:
        return None
    value = values[0].item()
    return value.decode() if isinstance(value, bytes) else cast("float | int", value)


def _rank(query: Query, scan: Scan, row: int) -> tuple[object, ...]:
    """What items of several shelves are merged by."""
    *values, moment, id_ = _position(query, scan, row)
    if query.order == OLDEST_FIRST:
        return moment, _Turned(id_)
    ranks: list[object] = []
    for order, value in zip(query.order, values, strict=False):
        ranks.append(value is None)
        ranks.append(0 if value is None else _Turned(value) if order.descending else value)
    return *ranks, _Turned(moment), id_
