"""Inner loops of `kizuna.sar.nufft`, compiled: sorting points by bins, spreading them on a grid, reading a grid at them.

A sample is two float32 beside each other, so that a kernel of 8 points is 16 numbers: two vector registers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    type Floats = npt.NDArray[np.float64]
    type Singles = npt.NDArray[np.float32]
    type Indices = npt.NDArray[np.int64]

__all__ = ["LANES", "interpolate_points", "sort_points", "spread_points"]

LANES = 8
"""Most points of the fine grid that a kernel covers along each axis."""


@numba.njit(cache=True, nogil=True)
def sort_points(
    row: Floats, col: Floats, values: Singles, rows: int, cols: int, width: int, bin_rows: int, bin_cols: int
) -> tuple[Floats, Floats, Singles, Indices, Indices]:
    """Points in row-major order of bins: rows, columns, values, where each came from, and where each row of bins begins.

    Positions are in steps of the grid, 0 <= row <= rows. A point belongs to the bin of the first grid point that its kernel
    covers, so that rows of bins that are no neighbours write apart. Points are copied, since a loop that follows an index into
    unsorted memory waits for it far longer than it computes (measured: three times). Values may be empty.
    """
    down, across = max(1, rows // bin_rows), max(1, cols // bin_cols)
    half = 0.5 * width
    count = len(row)
    bins = np.empty(count, np.int32)
    counts = np.zeros(down * across + 1, np.int64)
    for i in range(count):
        first_row = math.ceil(row[i] - half) % rows
        first_col = math.ceil(col[i] - half) % cols
        bins[i] = min(first_row // bin_rows, down - 1) * across + min(first_col // bin_cols, across - 1)
        counts[bins[i] + 1] += 1
    for b in range(down * across):
        counts[b + 1] += counts[b]
    starts = counts[::across].copy()
    sorted_row, sorted_col = np.empty(count, np.float64), np.empty(count, np.float64)
    sorted_values, order = np.empty(len(values), np.float32), np.empty(count, np.int64)
    for i in range(count):
        at = counts[bins[i]]
        counts[bins[i]] = at + 1
        order[at], sorted_row[at], sorted_col[at] = i, row[i], col[i]
        if len(values):
            sorted_values[2 * at], sorted_values[2 * at + 1] = values[2 * i], values[2 * i + 1]
    return sorted_row, sorted_col, sorted_values, order, starts


@numba.njit(cache=True, nogil=True, fastmath=True)
def spread_points(grid: Singles, row: Floats, col: Floats, values: Singles, table: Singles, width: int) -> None:
    """Add to `grid`, shape (rows, 2 cols), the kernel times each point's value; periodic both ways.

    `table`, shape (steps + 1, LANES), holds the kernel at the fine-grid points from the left, for how far the first one lies
    inside the kernel's left edge; between its rows it is linear.
    """
    rows, cols = grid.shape[0], grid.shape[1] // 2
    half, steps = 0.5 * width, table.shape[0] - 1
    down, product = np.empty(LANES, np.float32), np.empty(2 * LANES, np.float32)
    for n in range(len(row)):
        row_edge, col_edge = math.ceil(row[n] - half), math.ceil(col[n] - half)
        row_step, col_step = (row_edge - row[n] + half) * steps, (col_edge - col[n] + half) * steps
        at_row, at_col = min(int(row_step), steps - 1), min(int(col_step), steps - 1)
        row_part, col_part = np.float32(row_step - at_row), np.float32(col_step - at_col)
        real, imag = values[2 * n], values[2 * n + 1]
        for k in range(LANES):
            down[k] = table[at_row, k] + row_part * (table[at_row + 1, k] - table[at_row, k])
        for k in range(LANES):
            weight = table[at_col, k] + col_part * (table[at_col + 1, k] - table[at_col, k])
            product[2 * k] = weight * real
            product[2 * k + 1] = weight * imag
        top, left = int(row_edge), int(col_edge)
        if top >= 0 and top + width <= rows and left >= 0 and left + LANES <= cols:
            for t in range(width):
                line = grid[top + t, 2 * left : 2 * left + 2 * LANES]
                for k in range(2 * LANES):
                    line[k] += down[t] * product[k]
        else:
            for t in range(width):
                for k in range(width):
                    i, j = (top + t) % rows, (left + k) % cols
                    grid[i, 2 * j] += down[t] * product[2 * k]
                    grid[i, 2 * j + 1] += down[t] * product[2 * k + 1]


@numba.njit(cache=True, nogil=True, fastmath=True)
def interpolate_points(
    grid: Singles, row: Floats, col: Floats, order: Indices, values: Singles, table: Singles, width: int
) -> None:
    """Set value `order[n]` to the kernel-weighted sum of `grid`, shape (rows, 2 cols), about point n; periodic both ways."""
    rows, cols = grid.shape[0], grid.shape[1] // 2
    half, steps = 0.5 * width, table.shape[0] - 1
    down, total = np.empty(LANES, np.float32), np.empty(2 * LANES, np.float32)
    for n in range(len(row)):
        row_edge, col_edge = math.ceil(row[n] - half), math.ceil(col[n] - half)
        row_step, col_step = (row_edge - row[n] + half) * steps, (col_edge - col[n] + half) * steps
        at_row, at_col = min(int(row_step), steps - 1), min(int(col_step), steps - 1)
        row_part, col_part = np.float32(row_step - at_row), np.float32(col_step - at_col)
        for k in range(LANES):
            down[k] = table[at_row, k] + row_part * (table[at_row + 1, k] - table[at_row, k])
        total[:] = np.float32(0.0)
        top, left = int(row_edge), int(col_edge)
        if top >= 0 and top + width <= rows and left >= 0 and left + LANES <= cols:
            for t in range(width):
                line = grid[top + t, 2 * left : 2 * left + 2 * LANES]
                for k in range(2 * LANES):
                    total[k] += down[t] * line[k]
        else:
            for t in range(width):
                for k in range(width):
                    i, j = (top + t) % rows, (left + k) % cols
                    total[2 * k] += down[t] * grid[i, 2 * j]
                    total[2 * k + 1] += down[t] * grid[i, 2 * j + 1]
        real = imag = np.float32(0.0)
        for k in range(LANES):
            weight = table[at_col, k] + col_part * (table[at_col + 1, k] - table[at_col, k])
            real += weight * total[2 * k]
            imag += weight * total[2 * k + 1]
        values[2 * order[n]], values[2 * order[n] + 1] = real, imag
