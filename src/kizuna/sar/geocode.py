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
from kizuna.sar.geocode_kernels import chebyshev_pair
from kizuna.sar.parallel import run_spread, thread_count

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MOST_MISFIT_PX",
    "AveragedPower",
    "CellAreas",
    "FittedProjection",
    "Hidden",
    "facet_areas",
    "fit_projection",
    "hidden_along_lines",
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
_LEAST_SLOPE = 1e-12
_FEW_PLACES = 1 << 15


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
        parts = [
            (np.asarray(value, np.float64) - middle) / half
            for value, middle, half in zip((x, y, height_m), self.middle, self.half, strict=True)
        ]
        shape = np.broadcast_shapes(*(part.shape for part in parts))
        places = np.stack([np.broadcast_to(part, shape).ravel() for part in parts])
        sizes = tuple(degree + 1 for degree in self.degrees)
        first, second = (np.ascontiguousarray(terms, np.float64).reshape(sizes) for terms in (self.rows, self.cols))
        out = np.empty((2, places.shape[1]))
        count = places.shape[1]
        threads = thread_count(None) if count > _FEW_PLACES else 1
        run_spread(lambda begin, end: chebyshev_pair(places, first, second, out, begin, end), count, threads)
        return out[0].reshape(shape), out[1].reshape(shape)


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
        # The net is a product of three, and so is its least-squares solution.
        inverses = [np.linalg.pinv(np.polynomial.chebyshev.chebvander(n, d)) for n, d in zip(nodes, degrees, strict=True)]
        rows, cols = (
            np.einsum("ia,jb,kc,abc->ijk", *inverses, values.reshape(_NET, _NET, _HEIGHTS), optimize=True).ravel()
            for values in known
        )
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
    gradient = (float(np.median(np.diff(range_m, axis=0))), float(np.median(np.diff(range_m, axis=1))))

    def seen(rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        at = np.stack([rows, cols])
        ranges, looks = (scipy.ndimage.map_coordinates(values, at, order=1, cval=math.nan) for values in (range_m, look_rad))
        return np.asarray(ranges), np.asarray(looks)

    return hidden_along_lines((range_m.shape[0], range_m.shape[1]), gradient, seen, oversampling=oversampling)


def hidden_along_lines(
    shape: tuple[int, int],
    gradient: tuple[float, float],
    seen: Callable[[Floats, Floats], tuple[Floats, Floats]],
    *,
    oversampling: int = 2,
    most_samples: int = 1 << 19,
) -> Hidden:
    """Layover and shadow of a map of any size: some lines at a time, whose number changes nothing.

    Parameters
    ----------
    shape
        Rows and columns of the map.
    gradient
        How range grows along rows and columns, on the whole: lines run that way.
    seen
        Ranges (m) and look angles (rad) at fractional rows and columns of the map, any shape; NaN beyond it.
    oversampling
        Lines and samples for each map pixel.
    most_samples
        Of lines done at once.

    Returns
    -------
    Hidden
        Both masks; see `hidden_by_terrain`.
    """
    length = math.hypot(*gradient)
    away = np.array(gradient) / length
    along = np.array([-away[1], away[0]])
    middle = np.array([(side - 1) / 2.0 for side in shape])
    reach = [sum(abs(direction[k]) * (shape[k] - 1) / 2.0 for k in (0, 1)) for direction in (along, away)]
    lines, samples = (np.arange(-half, half + 0.5 / oversampling, 1.0 / oversampling) for half in reach)
    hidden = Hidden(np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))
    step = max(1, most_samples // len(samples))
    for begin in range(0, len(lines), step):
        end = min(begin + step, len(lines))
        some = lines[begin:end, None]
        ranges, looks = seen(
            middle[0] + along[0] * some + away[0] * samples,
            middle[1] + along[1] * some + away[1] * samples,
        )
        shadow = looks < np.fmax.accumulate(np.nan_to_num(looks, nan=-math.inf), axis=1) - _ROUNDING_RAD
        nearer = np.fmax.accumulate(np.nan_to_num(ranges, nan=-math.inf), axis=1)
        farther = np.fmin.accumulate(np.nan_to_num(ranges, nan=math.inf)[:, ::-1], axis=1)[:, ::-1]
        layover = (ranges < nearer - _ROUNDING_M) | (ranges > farther + _ROUNDING_M)
        # Back onto the map: each pixel takes what the nearest sample of the nearest line is.
        at = _near_lines(shape, along, (float(lines[0]), len(lines)), (begin, end), oversampling)
        i, j = at[0] - middle[0], at[1] - middle[1]
        line = np.clip(np.rint((i * along[0] + j * along[1] - lines[0]) * oversampling).astype(int), 0, len(lines) - 1) - begin
        sample = np.clip(np.rint((i * away[0] + j * away[1] - samples[0]) * oversampling).astype(int), 0, len(samples) - 1)
        hidden.layover[at] = layover[line, sample]
        hidden.shadow[at] = shadow[line, sample]
    return hidden


type _Pixels = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def _near_lines(
    shape: tuple[int, int], along: Floats, lines: tuple[float, int], part: tuple[int, int], oversampling: int
) -> _Pixels:
    """Rows and columns of the pixels whose nearest line is among some, a run of columns in each row."""
    rows, cols = shape
    slope = float(along[1]) * oversampling
    slope = slope if abs(slope) > _LEAST_SLOPE else _LEAST_SLOPE
    at_left = ((np.arange(rows) - (rows - 1) / 2.0) * along[0] - (cols - 1) / 2.0 * along[1] - lines[0]) * oversampling
    # The first and the last line take all that is beyond them.
    ends = [-math.inf if part[0] == 0 else part[0] - 0.5, math.inf if part[1] == lines[1] else part[1] - 0.5]
    crossings = np.sort([(end - at_left) / slope for end in ends], axis=0)
    first = np.clip(np.floor(crossings[0]) - 1, 0, cols).astype(np.intp)
    last = np.clip(np.ceil(crossings[1]) + 2, 0, cols).astype(np.intp)
    counts = np.maximum(last - first, 0)
    row = np.repeat(np.arange(rows), counts)
    col = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    line = ((row - (rows - 1) / 2.0) * along[0] + (col - (cols - 1) / 2.0) * along[1] - lines[0]) * oversampling
    nearest = np.clip(np.rint(line).astype(int), 0, lines[1] - 1)
    kept = (nearest >= part[0]) & (nearest < part[1])
    return row[kept], col[kept]


@dataclass(frozen=True, slots=True)
class CellAreas:
    """Ground that radar cells saw, added up part by part: the parts change nothing, for facets come in the map's order.

    Parameters
    ----------
    cell
        Rows and columns of the image that make one cell.
    total_m2
        Shape of the cells: so far.
    """

    cell: tuple[int, int]
    total_m2: Floats

    @classmethod
    def over(cls, shape: tuple[int, int], cell: tuple[int, int]) -> CellAreas:
        """Of an image of a shape."""
        return cls(cell, np.zeros((math.ceil(shape[0] / cell[0]), math.ceil(shape[1] / cell[1]))))

    def add(self, position_ecef_m: Floats, sight: Floats, rows: Floats, cols: Floats, hidden: Mask) -> None:
        """Add the facets between pixels of some rows of the map; parameters as in `facet_areas`."""
        a, b = position_ecef_m[:-1, :-1], position_ecef_m[:-1, 1:]
        c, d = position_ecef_m[1:, :-1], position_ecef_m[1:, 1:]
        towards = sight[:-1, :-1]
        area = np.zeros(a.shape[:2])
        for normal in (np.cross(b - a, c - a), np.cross(c - d, b - d)):
            # The map's rows run south, so that (east) x (south) points down, as the line of sight does.
            area += np.maximum(0.5 * (normal * towards).sum(axis=-1), 0.0)
        area[hidden[:-1, :-1]] = 0.0
        at_row = (_of_facets(rows) + 0.5) / self.cell[0] - 0.5
        at_col = (_of_facets(cols) + 0.5) / self.cell[1] - 0.5
        size = self.total_m2.shape
        lost = ~(np.isfinite(at_row) & np.isfinite(at_col) & np.isfinite(area))
        at_row[lost], at_col[lost] = -2.0, -2.0
        first_row = np.clip(np.floor(at_row), -2, size[0]).astype(np.intp)
        first_col = np.clip(np.floor(at_col), -2, size[1]).astype(np.intp)
        index = np.empty((*area.shape, 4), np.intp)
        weight = np.empty((*area.shape, 4))
        for k, (down, across) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            row, col = first_row + down, first_col + across
            inside = (row >= 0) & (row < size[0]) & (col >= 0) & (col < size[1]) & ~lost
            share = np.abs(1 - down - (at_row - first_row)) * np.abs(1 - across - (at_col - first_col))
            weight[..., k] = np.where(inside, share * area, 0.0)
            index[..., k] = np.where(inside, row * size[1] + col, 0)
        # INVARIANT: added one after another, so that where the map is cut does not change a bit.
        np.add.at(self.total_m2.reshape(-1), index.reshape(-1), weight.reshape(-1))


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
    areas = CellAreas.over(shape, cell)
    areas.add(position_ecef_m, sight, rows, cols, hidden)
    return areas.total_m2


def _of_facets(values: Floats) -> Floats:
    """Mean of each facet's four corners."""
    return np.asarray((values[:-1, :-1] + values[:-1, 1:] + values[1:, :-1] + values[1:, 1:]) / 4.0, np.float64)
