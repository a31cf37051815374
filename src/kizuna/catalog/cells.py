"""Rows by the cell of the globe in which their extents begin: which rows can meet a small box, without looking at the others.

Cells are a degree wide and high, those of one latitude side by side, so that of each latitude a box takes one run of rows.
What is wider or higher than a cell stands apart, and is always looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from kizuna.catalog.extents import Extent
    from kizuna.catalog.segments import Segment

__all__ = ["Cells", "cells_of"]

_COLUMNS, _LINES = 360, 180
# A little more than a cell: what is rounded must not be passed over.
_CELL_DEG, _REACH_DEG = 1.0, 1.001


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows of a segment by cells.

    Parameters
    ----------
    rows
        Rows whose extents are no larger than a cell, by the cell of their south-west corner, ascending in each.
    begins
        Of each cell its place in `rows`; one more at the end.
    large
        Rows of larger extents, ascending.
    """

    rows: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    large: npt.NDArray[np.int32]

    def _runs(self, box: Extent) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where the run of each latitude begins in `rows`, and where it ends."""
        # A corner may lie a cell to the west or south of the box, and its extent reach into it.
        west, east = _column(box.west - _REACH_DEG), _column(box.east)
        lines = np.arange(_line(box.south - _REACH_DEG), _line(box.north) + 1) * _COLUMNS
        return self.begins[lines + west], self.begins[lines + east + 1]

    def count(self, box: Extent) -> int:
        """How many rows `in_box` gives."""
        begins, ends = self._runs(box)
        return int((ends - begins).sum()) + len(self.large)

    def in_box(self, box: Extent, first: int, last: int) -> npt.NDArray[np.int32]:
        """Rows from `first` to before `last` among which all are whose extents meet a box; some more, in no order."""
        runs = [self.rows[begin:end] for begin, end in zip(*self._runs(box), strict=True) if begin < end]
        found = np.concatenate([*runs, self.large])
        return found[(found >= first) & (found < last)]


def _column(lon: float) -> int:
    return min(max(int(lon + 180.0), 0), _COLUMNS - 1)


def _line(lat: float) -> int:
    return min(max(int(lat + 90.0), 0), _LINES - 1)


def cells_of(segment: Segment) -> Cells:
    """Rows of a segment by cells; those without an extent are in none."""
    placed = np.flatnonzero(~np.isnan(segment.west)).astype(np.int32)
    wide, high = segment.east[placed] - segment.west[placed], segment.north[placed] - segment.south[placed]
    is_small = (wide <= _CELL_DEG) & (high <= _CELL_DEG)
    small = placed[is_small]
    columns = np.clip((segment.west[small] + 180.0).astype(np.int64), 0, _COLUMNS - 1)
    lines = np.clip((segment.south[small] + 90.0).astype(np.int64), 0, _LINES - 1)
    cells = lines * _COLUMNS + columns
    order = np.argsort(cells, kind="stable")
    begins = np.zeros(_COLUMNS * _LINES + 1, np.int64)
    begins[1:] = np.cumsum(np.bincount(cells, minlength=_COLUMNS * _LINES))
    return Cells(small[order], begins, placed[~is_small])
