"""From the radar's pixels to the map's: where each map pixel was seen, what hid it, and how much ground one radar pixel saw.

Everything here is arrays on a map grid of square pixels whose places are known in three dimensions. What projects places onto an
image (SICD's own geometry) is handed in and called on a coarse net only: between, polynomials take its place, and are checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MOST_MISFIT_PX",
    "AveragedPower",
    "FittedProjection",
    "Hidden",
    "facet_areas",
    "fit_projection",
    "hidden_by_terrain",
    "resample_power",
]

type Floats = npt.NDArray[np.float64]
type Mask = npt.NDArray[np.bool_]

MOST_MISFIT_PX = 0.02
"""How far the polynomials may be off the geometry that they stand for, pixels."""

_NET, _HEIGHTS = 12, 4
_DEGREES = ((3, 3, 2), (5, 5, 3), (7, 7, 3))
_ROUNDING_M, _ROUNDING_RAD = 1e-6, 1e-12


@dataclass(frozen=True, slots=True)
class FittedProjection:
    """Rows and columns as polynomials of map coordinates and height.

    Parameters
    ----------
    middle, half
        Middle and half extents of the box in which it holds, shape (3,): x, y, height.
    degrees
        Of the polynomials along each.
    rows, cols
        Coefficients of the normalised coordinates, shape (n,).
    misfit_px
        Largest error found between the net's points, pixels.
    """

    middle: Floats
    half: Floats
    degrees: tuple[int, int, int]
    rows: Floats
    cols: Floats
    misfit_px: float

    def __call__(self, x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        """Fractional rows and columns, each (...), of places."""
        u, v, w = (
            (np.asarray(value, np.float64) - middle) / half
            for value, middle, half in zip((x, y, height_m), self.middle, self.half, strict=True)
        )
        shape = tuple(degree + 1 for degree in self.degrees)
        chebyshev = np.polynomial.chebyshev.chebval3d
        return (
            np.asarray(chebyshev(u, v, w, self.rows.reshape(shape)), np.float64),
            np.asarray(chebyshev(u, v, w, self.cols.reshape(shape)), np.float64),
        )


def fit_projection(
    project: Callable[[Floats, Floats, Floats], tuple[Floats, Floats]],
    x: tuple[float, float],
    y: tuple[float, float],
    height_m: tuple[float, float],
) -> FittedProjection:
    """Polynomials in place of a slow projection, checked between the points they were fitted to.

    Parameters
    ----------
    project
        Rows and columns, each (n,), of x, y and height, each (n,).
    x, y, height_m
        Box of map coordinates and heights.

    Returns
    -------
    FittedProjection
        Of the lowest degree that holds.

    Raises
    ------
    InputError
        If none does: the box is too large.
    """
    box = np.array([x, y, height_m])
    middle, half = box.mean(axis=1), np.maximum(np.diff(box, axis=1)[:, 0] / 2.0, 1.0)
    # Chebyshev's points for the fit, even ones that are not among them for the check.
    nodes = [np.cos(math.pi * (np.arange(n) + 0.5) / n) for n in (_NET, _NET, _HEIGHTS)]
    between = [np.linspace(-1.0, 1.0, n) for n in (_NET - 1, _NET - 1, _HEIGHTS - 1)]
    fitted, checked = (np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")]) for axes in (nodes, between))
    known, expected = (project(*(middle[:, None] + half[:, None] * points)) for points in (fitted, checked))
    misfit = math.inf
    for degrees in _DEGREES:
        design = np.polynomial.chebyshev.chebvander3d(fitted[0], fitted[1], fitted[2], degrees)
        rows, cols = (np.linalg.lstsq(design, values)[0] for values in known)
        made = FittedProjection(middle, half, degrees, rows, cols, 0.0)
        found = made(*(middle[:, None] + half[:, None] * checked))
        misfit = max(float(np.abs(got - want).max()) for got, want in zip(found, expected, strict=True))
        if misfit <= MOST_MISFIT_PX:
            return FittedProjection(middle, half, degrees, rows, cols, misfit)
    raise InputError(
        Message("the image's geometry bends too much over its extent: {got} pixels are left", {"got": round(misfit, 3)}),
        hint=Message("Cut the image into parts, or check its metadata with sicdcheck."),
        field="file",
    )


@dataclass(frozen=True, slots=True)
class AveragedPower:
    """Power of an image, averaged over blocks of pixels once, and read between them as often as is asked.

    Parameters
    ----------
    blocks
        Mean power of each block.
    looks
        Rows and columns of a block.
    shape
        Rows and columns of the image.
    """

    blocks: npt.NDArray[np.floating]
    looks: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def of(cls, power: npt.NDArray[np.floating], looks: tuple[int, int]) -> AveragedPower:
        """Of detected power, shape (rows, cols)."""
        down, across = looks
        shape = power.shape[0] // down * down, power.shape[1] // across * across
        blocks = power[: shape[0], : shape[1]].reshape(shape[0] // down, down, shape[1] // across, across).mean(axis=(1, 3))
        return cls(blocks, looks, (power.shape[0], power.shape[1]))

    def at(self, rows: Floats, cols: Floats) -> Floats:
        """Power at fractional pixels of the image, any shape; NaN beyond it."""
        down, across = self.looks
        at = np.stack([(rows + 0.5) / down - 0.5, (cols + 0.5) / across - 0.5])
        found = np.asarray(scipy.ndimage.map_coordinates(self.blocks, at, order=1, mode="nearest", output=np.float64))
        inside = (np.abs(rows - (self.shape[0] - 1) / 2.0) <= self.shape[0] / 2.0) & (
            np.abs(cols - (self.shape[1] - 1) / 2.0) <= self.shape[1] / 2.0
        )
        found[~inside] = np.nan
        return found


def resample_power(power: npt.NDArray[np.floating], rows: Floats, cols: Floats, *, looks: tuple[int, int] = (1, 1)) -> Floats:
    """Power of an image at fractional pixels.

    Parameters
    ----------
    power
        Detected power, shape (rows, cols).
    rows, cols
        Where, any shape; beyond the image gives NaN.
    looks
        Rows and columns that are averaged first, so that a map pixel larger than the image's loses no power.

    Returns
    -------
    ndarray of float64
        Shape of `rows`.
    """
    return AveragedPower.of(power, looks).at(rows, cols)


@dataclass(frozen=True, slots=True)
class Hidden:
    """What terrain hides, on the map.

    Parameters
    ----------
    layover
        Whether another place of the same range shares the pixel.
    shadow
        Whether nearer terrain stands between.
    """

    layover: Mask
    shadow: Mask


def hidden_by_terrain(range_m: Floats, look_rad: Floats, *, oversampling: int = 2) -> Hidden:
    """Layover and shadow.

    Parameters
    ----------
    range_m
        From the antenna to each map pixel's ground, shape (rows, cols).
    look_rad
        Angle between the antenna's vertical and the line of sight to it.
    oversampling
        Lines and samples for each map pixel.

    Returns
    -------
    Hidden
        Both masks.

    Notes
    -----
    The map is turned so that lines run away from the radar. Along a line from near to far, a place is in shadow whose look angle
    does not exceed all nearer ones, and in layover if its range does not exceed all nearer ones or is not exceeded by all farther
    ones (Kropatsch and Strobl 1990, IEEE TGRS 28(1)).
    """
    rows, cols = range_m.shape
    # Away from the radar: where range grows, on the whole.
    gradient = [float(np.median(np.diff(range_m, axis=axis))) for axis in (0, 1)]
    length = math.hypot(*gradient)
    away = np.array(gradient) / length
    along = np.array([-away[1], away[0]])
    middle = np.array([(rows - 1) / 2.0, (cols - 1) / 2.0])
    reach = [sum(abs(direction[k]) * ((rows, cols)[k] - 1) / 2.0 for k in (0, 1)) for direction in (along, away)]
    lines, samples = (np.arange(-half, half + 0.5 / oversampling, 1.0 / oversampling) for half in reach)
    at = middle[:, None, None] + along[:, None, None] * lines[:, None] + away[:, None, None] * samples

    def turned(values: Floats, outside: float) -> Floats:
        return np.asarray(scipy.ndimage.map_coordinates(values, at, order=1, cval=outside))

    ranges, looks = turned(range_m, math.nan), turned(look_rad, math.nan)
    shadow = looks < np.fmax.accumulate(np.nan_to_num(looks, nan=-math.inf), axis=1) - _ROUNDING_RAD
    nearer = np.fmax.accumulate(np.nan_to_num(ranges, nan=-math.inf), axis=1)
    farther = np.fmin.accumulate(np.nan_to_num(ranges, nan=math.inf)[:, ::-1], axis=1)[:, ::-1]
    layover = (ranges < nearer - _ROUNDING_M) | (ranges > farther + _ROUNDING_M)
    # Back onto the map.
    i, j = np.meshgrid(np.arange(rows) - middle[0], np.arange(cols) - middle[1], indexing="ij")
    line = (i * along[0] + j * along[1] - lines[0]) * oversampling
    sample = (i * away[0] + j * away[1] - samples[0]) * oversampling
    back = np.clip(np.rint(line).astype(int), 0, len(lines) - 1), np.clip(np.rint(sample).astype(int), 0, len(samples) - 1)
    return Hidden(layover[back], shadow[back])


def facet_areas(
    position_ecef_m: Floats,
    sight: Floats,
    rows: Floats,
    cols: Floats,
    *,
    hidden: Mask,
    cell: tuple[int, int],
    shape: tuple[int, int],
) -> Floats:
    """Ground that each radar cell saw, projected onto the plane that its line of sight is normal to.

    Parameters
    ----------
    position_ecef_m
        Of the map's pixels, shape (m, n, 3).
    sight
        Unit vectors from the antenna to them, shape (m, n, 3).
    rows, cols
        Where they lie on the image, fractional pixels, shape (m, n).
    hidden
        Pixels in shadow, which nobody saw.
    cell
        Rows and columns of the image that make one cell.
    shape
        Rows and columns of the image.

    Returns
    -------
    ndarray of float64, shape (ceil(shape / cell))
        Square metres; 0 where no ground falls.

    Notes
    -----
    Small 2011 (IEEE TGRS 49(8)), equation 12: gamma nought is beta nought times the cell's area in the slant plane over this
    area. Each facet is two triangles; their area is spread bilinearly over the four nearest cells.
    """
    a, b = position_ecef_m[:-1, :-1], position_ecef_m[:-1, 1:]
    c, d = position_ecef_m[1:, :-1], position_ecef_m[1:, 1:]
    towards = sight[:-1, :-1]
    area = np.zeros(a.shape[:2])
    for normal in (np.cross(b - a, c - a), np.cross(c - d, b - d)):
        # The map's rows run south, so that (east) x (south) points down, as the line of sight does.
        area += np.maximum(0.5 * (normal * towards).sum(axis=-1), 0.0)
    area[hidden[:-1, :-1]] = 0.0
    at_row = (_of_facets(rows) + 0.5) / cell[0] - 0.5
    at_col = (_of_facets(cols) + 0.5) / cell[1] - 0.5
    size = math.ceil(shape[0] / cell[0]), math.ceil(shape[1] / cell[1])
    total = np.zeros(size[0] * size[1])
    first_row, first_col = np.floor(at_row).astype(int), np.floor(at_col).astype(int)
    for down in (0, 1):
        for across in (0, 1):
            row, col = first_row + down, first_col + across
            weight = np.abs(1 - down - (at_row - first_row)) * np.abs(1 - across - (at_col - first_col)) * area
            inside = (row >= 0) & (row < size[0]) & (col >= 0) & (col < size[1]) & np.isfinite(weight)
            total += np.bincount(row[inside] * size[1] + col[inside], weight[inside], minlength=len(total))
    return total.reshape(size)


def _of_facets(values: Floats) -> Floats:
    """Mean of each facet's four corners."""
    return np.asarray((values[:-1, :-1] + values[:-1, 1:] + values[1:, :-1] + values[1:, 1:]) / 4.0, np.float64)
