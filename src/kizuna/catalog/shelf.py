"""One segment with all that is kept of it: its planner's counts, its columns in a view, and what of it each partner may see."""

from __future__ import annotations

import threading
from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from kizuna.catalog.cells import cells_of
from kizuna.catalog.filters import Columns
from kizuna.catalog.release_rows import placements_of, release_columns
from kizuna.catalog.segments import label_number
from kizuna.catalog.sights import look
from kizuna.model.label import label_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from kizuna.catalog.areas import Placer
    from kizuna.catalog.columns import ProductColumns
    from kizuna.catalog.extents import Extent
    from kizuna.catalog.query import Sight
    from kizuna.catalog.segments import Names, Segment
    from kizuna.catalog.sights import Kept
    from kizuna.model.parties import Party
    from kizuna.model.regions import Placement
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

    type Truths = npt.NDArray[np.bool_]
    type Placed = tuple[Sequence[Placement], npt.NDArray[np.int64]]

__all__ = ["Shelf"]

_CELL_DEG = 2.0
_MOST_PARTNERS = 64
_ID_LENGTH = 26


class Shelf:
    """A segment, and what is known of it by now. Safe to use from several threads.

    Parameters
    ----------
    segment, names
        Rows, and their words.
    alive
        Whether each row is still the item of its product.
    """

    __slots__ = (
        "_by_id",
        "_by_number",
        "_counts",
        "_kept",
        "_lock",
        "_placed",
        "_properties",
        "_release",
        "alive",
        "cells",
        "longest_us",
        "most_east",
        "names",
        "negated",
        "segment",
        "whole",
    )

    def __init__(self, segment: Segment, names: Names, alive: Truths | None = None) -> None:
        self.segment, self.names = segment, names
        self.alive: Truths = np.ones(segment.size, np.bool_) if alive is None else alive
        self.whole = bool(self.alive.all())
        # Ascending, to be searched by halves.
        self.negated = -segment.begin
        self.longest_us = int((segment.end - segment.begin).max(initial=0))
        self.most_east = float(np.nan_to_num(segment.east, nan=-180.0).max(initial=-180.0))
        self.cells = cells_of(segment)
        self._counts = _counts(segment)
        self._by_id, self._by_number = np.argsort(segment.id), np.argsort(segment.number)
        self._lock = threading.Lock()
        self._placed: tuple[Placer, Placed] | None = None
        self._release: tuple[View, Placer, ProductColumns] | None = None
        self._properties: tuple[View, Columns] | None = None
        self._kept: dict[Party, Kept] = {}

    def without(self, rows: Sequence[int]) -> Shelf:
        """The same without some rows."""
        other = copy(self)
        other.alive = self.alive.copy()
        other.alive[list(rows)] = False
        other.whole = False
        return other

    def rows_of(self, numbers: Sequence[int]) -> npt.NDArray[np.intp]:
        """Rows of the items of these numbers that are here, ascending."""
        return _lookup(self.segment.number, self._by_number, np.asarray(numbers, np.int64))

    def rows_with(self, ids: Sequence[str]) -> npt.NDArray[np.intp]:
        """Rows of the products of these ids that are here, ascending."""
        # What is no ASCII is no id, nor is what is longer than one; NumPy would cut the zeros off that an id may not have.
        asked = [id_.encode() for id_ in ids if len(id_) == _ID_LENGTH and id_.isascii() and id_.isalnum()]
        return _lookup(self.segment.id, self._by_id, np.array(asked, "S26"))

    def visible(self, sight: Sight, subject_of: Callable[[int], Subject | None]) -> tuple[Truths | None, int]:
        """Whether each row is there for a caller (None: all are), and how many are."""
        if sight.partner is None:
            return (None if self.whole else self.alive), int(np.count_nonzero(self.alive))
        kept = self._kept.get(sight.partner)
        if kept is None or not kept.holds(sight):
            with self._lock:
                kept = self._kept.get(sight.partner)
                if kept is None or not kept.holds(sight):
                    kept = look(self.segment, self._columns(sight, subject_of), sight, sight.partner)
                    if len(self._kept) >= _MOST_PARTNERS:
                        self._kept.clear()
                    self._kept[sight.partner] = kept
        return (kept.visible if self.whole else kept.visible & self.alive), kept.count

    def _columns(self, sight: Sight, subject_of: Callable[[int], Subject | None]) -> ProductColumns:
        release = self._release
        if release is None or release[0] is not sight.view or release[1] is not sight.placer:
            if self._placed is None or self._placed[0] is not sight.placer:
                self._placed = sight.placer, placements_of(self.segment, sight.placer)
            columns = release_columns(self.segment, self.names, sight.view, sight.giver, self._placed[1], subject_of)
            release = self._release = sight.view, sight.placer, columns
        return release[2]

    def properties(self, view: View) -> Columns:
        """Properties of the rows, their labels as they were corrected by what is known."""
        found = self._properties
        if found is None or found[0] is not view:
            label = self.segment.label
            corrected = {r.product.encode(): r.label for r in view.register.relabellings}
            if corrected:
                label = label.copy()
                for row in np.flatnonzero(np.isin(self.segment.id, np.array(list(corrected), "S26"))).tolist():
                    label[row] = label_number(label_to_json(corrected[bytes(self.segment.id[row])]), self.names)
            marking = np.array(self.names.marking, np.int32)[label]
            found = self._properties = view, Columns(self.segment, self.names, marking)
        return found[1]

    def between(self, begin_us: int | None, end_us: int | None) -> tuple[int, int]:
        """Rows among which all lie that were observed in a span: from the first to before the last."""
        first = 0 if end_us is None else int(np.searchsorted(self.negated, -end_us, "left"))
        last = self.segment.size
        if begin_us is not None:
            last = int(np.searchsorted(self.negated, -(begin_us - self.longest_us), "right"))
        return first, max(first, last)

    def in_box(self, box: Extent) -> int:
        """About how many rows lie in a box."""
        counts = self._counts
        most_row, most_column = counts.shape[0] - 1, counts.shape[1] - 1
        west, east = (int((lon + 180.0) // _CELL_DEG) for lon in (box.west, box.east))
        south, north = (int((lat + 90.0) // _CELL_DEG) for lat in (box.south, box.north))
        west, south = min(west, most_column), min(south, most_row)
        top, right = min(north + 1, most_row), min(east + 1, most_column)
        return int(counts[top, right] - counts[south, right] - counts[top, west] + counts[south, west])


def _lookup[K: np.generic](column: npt.NDArray[K], order: npt.NDArray[np.intp], keys: npt.NDArray[K]) -> npt.NDArray[np.intp]:
    """Rows of a column, sorted by `order`, that have one of the keys."""
    if not len(column) or not len(keys):
        return np.zeros(0, np.intp)
    places = np.minimum(np.searchsorted(column, keys, sorter=order), len(column) - 1)
    rows = order[places]
    return np.unique(rows[column[rows] == keys])


def _counts(segment: Segment) -> npt.NDArray[np.int64]:
    """Counts of the centres of extents south and west of each corner of a grid."""
    known = ~np.isnan(segment.west)
    lons = ((segment.west[known] + segment.east[known]) / 2 + 180.0) % 360.0 - 180.0
    lats = (segment.south[known] + segment.north[known]) / 2
    rows, columns = round(180 / _CELL_DEG), round(360 / _CELL_DEG)
    grid, _, _ = np.histogram2d(lats, lons, bins=[rows, columns], range=[[-90, 90], [-180, 180]])
    counts = np.zeros((rows + 1, columns + 1), np.int64)
    counts[1:, 1:] = grid.cumsum(0).cumsum(1)
    return counts
