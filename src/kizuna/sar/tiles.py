"""Pixels cut into square tiles, so small that range is a short series about each tile's middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from kizuna.sar.grid import PlaneGrid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from kizuna.sar.history import PhaseHistory

__all__ = ["Surface", "Tiles", "cut_tiles"]

type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]

_SIDES = (64, 32, 16, 8, 4)
_ANTENNAS_A_BLOCK = 64
_PHASE_LIMIT_RAD = 1e-3
_SINGLE_EPSILON = 2.0**-24


class Surface(Protocol):
    """Pixels in the scene: a `PlaneGrid`, or any other arrangement of rows and columns, such as a map grid on terrain."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def cols(self) -> int:
        """Number of columns."""

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Floats:
        """Scene positions, shape (..., 3), metres, of pixel indices, shape (...)."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Square tiles, row by row: middles (tiles, 3), pixels about them as the kernels take them, greatest distance of a pixel."""

    centres_m: Floats
    offsets_m: Singles
    radius_m: float

    @property
    def side(self) -> int:
        """Pixels along a side of a tile."""
        return int(self.offsets_m.shape[-1])

    def range_windows_m(self, antennas_m: Floats, references_m: Floats) -> tuple[Floats, Floats]:
        """Bounds of |x - a| - r0 over all pixels, least and greatest, each (antennas,), metres; no tile's pixel lies outside."""
        nearest, farthest = np.empty(len(antennas_m)), np.empty(len(antennas_m))
        square = np.sum(self.centres_m**2, axis=1)
        for start in range(0, len(antennas_m), _ANTENNAS_A_BLOCK):
            block = slice(start, start + _ANTENNAS_A_BLOCK)
            antennas = antennas_m[block]
            apart = square - 2.0 * antennas @ self.centres_m.T + np.sum(antennas**2, axis=1, keepdims=True)
            nearest[block] = np.sqrt(np.maximum(apart.min(axis=1), 0.0)) - self.radius_m
            farthest[block] = np.sqrt(np.maximum(apart.max(axis=1), 0.0)) + self.radius_m
        return nearest - references_m, farthest - references_m


def cut_tiles(grid: Surface, history: PhaseHistory) -> Tiles:
    """Tiles of `grid`, as large as the kernels' third-order range and single precision allow with these antennas."""
    for side in _SIDES:
        tiles = _cut_into(grid, side)
        if side == _SIDES[-1] or _phase_error_rad(tiles, history) < _PHASE_LIMIT_RAD:
            return tiles
    raise AssertionError  # pragma: no cover - the last side is always taken


def _phase_error_rad(tiles: Tiles, history: PhaseHistory) -> float:
    """Greatest error of phase inside a tile: the range series' next term, h^4 / (8 r^3), and single precision's rounding."""
    # A few tiles and pulses tell the least distance closely enough: it enters as the cube of a range that hardly varies.
    some = tiles.centres_m[:: max(1, len(tiles.centres_m) // 64)]
    antennas = history.positions_m[:: max(1, history.pulses // 64)]
    nearest_m = float(np.linalg.norm(some[:, None] - antennas, axis=-1).min())
    per_m = 4.0 * math.pi * float(history.frequencies_hz[-1]) / SPEED_OF_LIGHT_M_S
    series_m = tiles.radius_m**4 / (8.0 * max(nearest_m, tiles.radius_m) ** 3)
    return per_m * (series_m + _SINGLE_EPSILON * tiles.radius_m)


def _cut_into(grid: Surface, side: int) -> Tiles:
    down, across = -(-grid.rows // side), -(-grid.cols // side)
    top, left = (np.arange(down) * side)[:, None], (np.arange(across) * side)[None, :]
    inside = np.arange(side)
    if isinstance(grid, PlaneGrid):
        half = 0.5 * (side - 1)
        centres = grid.to_scene(top + half, left + half)
        offsets = (grid.to_scene(inside[:, None], inside[None, :]) - grid.to_scene(half, half))[None]
    else:
        centres = np.empty((down, across, 3))
        # A set a tile, and two at least: one alone says that the pixels are evenly spaced on a plane.
        offsets = np.zeros((max(2, down * across), side, side, 3), np.float32)
        for tile in range(down * across):
            row, col = tile // across, tile % across
            # Pixels beyond the edge stand on it; what is computed there is not kept.
            rows, cols = np.minimum(row * side + inside, grid.rows - 1), np.minimum(col * side + inside, grid.cols - 1)
            pixels = grid.to_scene(rows[:, None], cols[None, :])
            centres[row, col] = 0.5 * (pixels.min(axis=(0, 1)) + pixels.max(axis=(0, 1)))
            offsets[tile] = pixels - centres[row, col]
    square = np.sum(np.square(offsets), axis=-1, keepdims=True)
    packed = np.moveaxis(np.concatenate([offsets, square], axis=-1), -1, 1).astype(np.float32, order="C")
    return Tiles(centres.reshape(-1, 3), np.ascontiguousarray(packed), math.sqrt(float(square.max())))
