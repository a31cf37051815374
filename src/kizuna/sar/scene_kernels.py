"""Inner loops of scenes, compiled: filling outlines, laying the ground, finding what stands in the way."""

# a compiled loop takes its arrays one by one
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    type Floats = npt.NDArray[np.float64]
    type Singles = npt.NDArray[np.float32]

__all__ = ["fill_outline", "in_sight", "lay_ground", "nearest"]


@numba.njit(cache=True, nogil=True)
def fill_outline(kinds: npt.NDArray[np.uint8], outline: Floats, kind: int) -> None:
    """Set the cells of `kinds` whose centres lie within an outline, shape (n, 2), in rows and columns of the cells."""
    rows, cols = kinds.shape
    crossings = np.empty(len(outline))
    for row in range(max(0, math.ceil(outline[:, 0].min())), min(rows, math.floor(outline[:, 0].max()) + 1)):
        found = 0
        for n in range(len(outline)):
            a, b = outline[n], outline[(n + 1) % len(outline)]
            if (a[0] > row) != (b[0] > row):
                crossings[found] = a[1] + (row - a[0]) * (b[1] - a[1]) / (b[0] - a[0])
                found += 1
        ordered = np.sort(crossings[:found])
        for pair in range(0, found - 1, 2):
            for col in range(max(0, math.ceil(ordered[pair])), min(cols, math.floor(ordered[pair + 1]) + 1)):
                kinds[row, col] = kind


@numba.njit(cache=True, nogil=True, fastmath=True)
def lay_ground(
    kinds: npt.NDArray[np.uint8],
    table: Floats,
    hills: Floats,
    fields: Singles,
    lattice: tuple[float, float, float, float, float, float, float],
    frame: Floats,
    sight: Floats,
    values: Singles,
) -> Singles:
    """Positions of the cells' scatterers, shape (cells, 3); `values`, shape (cells, 2), standard normal, get their strength.

    `table` has a row a kind: height, cross section of a cell turned to the radar, logarithm of the texture's spread, roughness,
    field, whether it lies on hills. `hills` and `fields` are coarse lattices; `lattice` is the first places and the steps of the
    cells, and those of the coarse ones. Backscatter goes with the area that faces the radar: slope and normal in one.
    """
    rows, cols = kinds.shape
    first_row, first_col, step_row, step_col, coarse_row, coarse_col, coarse_step = lattice
    positions = np.empty((rows * cols, 3), np.float32)
    sight_down = sight[0] * frame[0, 0] + sight[1] * frame[0, 1]
    sight_along = sight[0] * frame[1, 0] + sight[1] * frame[1, 1]
    for row in range(rows):
        down = first_row + row * step_row
        u = (down - coarse_row) / coarse_step
        i = int(u)
        u -= i
        for col in range(cols):
            along = first_col + col * step_col
            v = (along - coarse_col) / coarse_step
            j = int(v)
            v -= j
            kind = kinds[row, col]
            field = fields[int(table[kind, 4])]
            texture = (1.0 - u) * ((1.0 - v) * field[i, j] + v * field[i, j + 1]) + u * (
                (1.0 - v) * field[i + 1, j] + v * field[i + 1, j + 1]
            )
            height = table[kind, 0] + table[kind, 3] * texture
            facing = sight[2]
            if table[kind, 5] > 0.0:
                a, b, c, d = hills[i, j], hills[i, j + 1], hills[i + 1, j], hills[i + 1, j + 1]
                height += (1.0 - u) * ((1.0 - v) * a + v * b) + u * ((1.0 - v) * c + v * d)
                facing -= sight_down * ((1.0 - v) * (c - a) + v * (d - b)) / coarse_step
                facing -= sight_along * ((1.0 - u) * (b - a) + u * (d - c)) / coarse_step
            spread = table[kind, 2]
            power = table[kind, 1] * max(0.0, facing)
            if spread != 0.0:
                power *= math.exp(spread * texture - 0.5 * spread * spread)
            size = np.float32(math.sqrt(0.5 * power))
            n = row * cols + col
            values[n, 0] *= size
            values[n, 1] *= size
            positions[n, 0] = down * frame[0, 0] + along * frame[1, 0]
            positions[n, 1] = down * frame[0, 1] + along * frame[1, 1]
            positions[n, 2] = height
    return positions


@numba.njit(cache=True, nogil=True, fastmath=True)
def nearest(depths: Singles, positions: Singles, view: Floats, first: tuple[float, float], cell_m: float) -> None:
    """Lower each cell of `depths` to the least depth of the positions that fall in it.

    `view`, shape (3, 3): rows are the unit vectors across the line of sight, up from it, and along it away from the radar.
    """
    rows, cols = depths.shape
    for n in range(len(positions)):
        x, y, z = positions[n, 0], positions[n, 1], positions[n, 2]
        row = int((view[1, 0] * x + view[1, 1] * y + view[1, 2] * z - first[0]) / cell_m)
        col = int((view[0, 0] * x + view[0, 1] * y + view[0, 2] * z - first[1]) / cell_m)
        if 0 <= row < rows and 0 <= col < cols:
            depth = np.float32(view[2, 0] * x + view[2, 1] * y + view[2, 2] * z)
            depths[row, col] = min(depths[row, col], depth)


@numba.njit(cache=True, nogil=True, fastmath=True)
def in_sight(
    depths: Singles, positions: Singles, view: Floats, first: tuple[float, float], cell_m: float, slack_m: float
) -> npt.NDArray[np.bool_]:
    """Which positions have nothing more than `slack_m` nearer to the radar in their cell; arguments as of `nearest`."""
    rows, cols = depths.shape
    seen = np.ones(len(positions), np.bool_)
    for n in range(len(positions)):
        x, y, z = positions[n, 0], positions[n, 1], positions[n, 2]
        row = int((view[1, 0] * x + view[1, 1] * y + view[1, 2] * z - first[0]) / cell_m)
        col = int((view[0, 0] * x + view[0, 1] * y + view[0, 2] * z - first[1]) / cell_m)
        if 0 <= row < rows and 0 <= col < cols:
            depth = view[2, 0] * x + view[2, 1] * y + view[2, 2] * z
            seen[n] = depth <= depths[row, col] + slack_m
    return seen
