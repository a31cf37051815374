"""A plane of pixels in the scene, and an image formed on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from kizuna.sar.history import PhaseHistory

__all__ = ["PlaneGrid", "TerrainGrid", "ground_grid", "slant_grid"]

type Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlaneGrid:
    """Evenly spaced pixels on a plane, rows and columns at right angles.

    Parameters
    ----------
    origin_m
        Centre of pixel (`centre_row`, `centre_col`), shape (3,), scene metres.
    row_direction, col_direction
        Unit vectors along which the row and the column index grow, shape (3,), scene frame, at right angles.
    row_spacing_m, col_spacing_m
        Distance of neighbouring pixels along each, metres.
    rows, cols
        Size in pixels.
    """

    origin_m: Floats
    row_direction: Floats
    col_direction: Floats
    row_spacing_m: float
    col_spacing_m: float
    rows: int
    cols: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def centre_row(self) -> int:
        """Row index of `origin_m`."""
        return self.rows // 2

    @property
    def centre_col(self) -> int:
        """Column index of `origin_m`."""
        return self.cols // 2

    @property
    def normal(self) -> Floats:
        """Unit normal of the plane, row direction x column direction, shape (3,), scene frame."""
        return np.cross(self.row_direction, self.col_direction)

    def row_offsets_m(self) -> Floats:
        """Distance of each row from the origin along the row direction, shape (rows,), metres."""
        return (np.arange(self.rows, dtype=np.float64) - self.centre_row) * self.row_spacing_m

    def col_offsets_m(self) -> Floats:
        """Distance of each column from the origin along the column direction, shape (cols,), metres."""
        return (np.arange(self.cols, dtype=np.float64) - self.centre_col) * self.col_spacing_m

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Floats:
        """Scene positions, shape (..., 3), metres, of fractional pixel indices, shape (...)."""
        along_row = (np.asarray(row, np.float64) - self.centre_row) * self.row_spacing_m
        along_col = (np.asarray(col, np.float64) - self.centre_col) * self.col_spacing_m
        return self.origin_m + along_row[..., None] * self.row_direction + along_col[..., None] * self.col_direction

    def from_scene(self, position_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Fractional row and column, each (...), of scene positions, shape (..., 3), metres, dropped onto the plane."""
        offset = np.asarray(position_m, np.float64) - self.origin_m
        return (
            np.asarray(self.centre_row + offset @ self.row_direction / self.row_spacing_m),
            np.asarray(self.centre_col + offset @ self.col_direction / self.col_spacing_m),
        )


@dataclass(frozen=True, slots=True)
class TerrainGrid:
    """Pixels over a plane, each at a height of its own.

    Parameters
    ----------
    plane
        Rows, columns, spacing.
    heights_m
        Heights of the pixels above that plane along its normal, shape (rows, cols), metres.

    Raises
    ------
    InputError
        As many heights as there are not pixels.
    """

    plane: PlaneGrid
    heights_m: Floats

    def __post_init__(self) -> None:
        if self.heights_m.shape != self.plane.shape:
            raise InputError(
                Message(
                    "heights of shape {got} do not fit pixels of shape {expected}",
                    {"got": str(self.heights_m.shape), "expected": str(self.plane.shape)},
                ),
                hint=Message("Give one height for each pixel."),
                field="heights_m",
            )

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.plane.rows

    @property
    def cols(self) -> int:
        """Number of columns."""
        return self.plane.cols

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Floats:
        """Scene positions, shape (..., 3), metres, of pixel indices, shape (...); heights linear between pixels."""
        row, col = np.broadcast_arrays(np.asarray(row, np.float64), np.asarray(col, np.float64))
        top = np.clip(np.floor(row).astype(int), 0, max(self.rows - 2, 0))
        left = np.clip(np.floor(col).astype(int), 0, max(self.cols - 2, 0))
        down, across = np.clip(row - top, 0.0, 1.0), np.clip(col - left, 0.0, 1.0)
        below, right = np.minimum(top + 1, self.rows - 1), np.minimum(left + 1, self.cols - 1)
        heights = self.heights_m
        upper = (1.0 - across) * heights[top, left] + across * heights[top, right]
        lower = (1.0 - across) * heights[below, left] + across * heights[below, right]
        height = (1.0 - down) * upper + down * lower
        return np.asarray(self.plane.to_scene(row, col) + height[..., None] * self.plane.normal, np.float64)


def ground_grid(history: PhaseHistory, *, extent_m: float, spacing_m: float) -> PlaneGrid:
    """Square grid on the scene's horizontal plane, rows growing away from the radar at the middle of the aperture.

    Parameters
    ----------
    history
        Phase history, whose aperture turns the grid.
    extent_m
        Length of a side, metres.
    spacing_m
        Distance of neighbouring pixels, metres.

    Returns
    -------
    PlaneGrid
        Rows along ground range, columns so that row x column points up; shadows fall towards greater row numbers.

    Raises
    ------
    InputError
        The spacing is too coarse for the data's resolution, or nothing lies in the extent.
    """
    pixels = _pixels(extent_m, spacing_m)
    x, y, _ = -history.centre_position_m
    length = math.hypot(x, y)
    away = np.array([x / length, y / length, 0.0])
    return PlaneGrid(
        origin_m=np.zeros(3),
        row_direction=away,
        col_direction=np.cross(np.array([0.0, 0.0, 1.0]), away),
        row_spacing_m=spacing_m,
        col_spacing_m=spacing_m,
        rows=pixels,
        cols=pixels,
    )


def slant_grid(history: PhaseHistory, *, extent_m: float, spacing_m: float) -> PlaneGrid:
    """Square grid on the slant plane, which the line of sight and the track span at the middle of the aperture.

    Parameters
    ----------
    history
        Phase history.
    extent_m
        Length of a side in that plane, metres.
    spacing_m
        Distance of neighbouring pixels, metres.

    Returns
    -------
    PlaneGrid
        Rows along the line of sight, columns so that row x column points up.

    Raises
    ------
    InputError
        The spacing is too coarse for the extent.
    """
    pixels = _pixels(extent_m, spacing_m)
    away = -history.centre_position_m / np.linalg.norm(history.centre_position_m)
    along = history.positions_m[-1] - history.positions_m[0]
    across = along - (along @ away) * away
    across /= np.linalg.norm(across)
    if np.cross(away, across)[2] < 0.0:
        across = -across
    return PlaneGrid(np.zeros(3), away, across, spacing_m, spacing_m, pixels, pixels)


def _pixels(extent_m: float, spacing_m: float) -> int:
    if not (spacing_m > 0.0 and extent_m >= spacing_m):
        raise InputError(
            Message(
                "an image of {extent} m with pixels of {spacing} m cannot be formed",
                {"extent": extent_m, "spacing": spacing_m},
            ),
            hint=Message("Give a positive spacing that is smaller than the extent."),
            field="spacing_m",
        )
    return round(extent_m / spacing_m)
