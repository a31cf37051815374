"""Images put on a map: SICD and Sentinel-1 GRD by their own geometry onto the ellipsoid or terrain, others by control points.

The map is north up, in the UTM zone of the scene or a projected system that is asked for. With terrain come a mask of what it
hides, and gamma nought flattened for its slopes.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import scipy.ndimage
from affine import Affine

from kizuna.earth.wgs84 import ecef_to_geodetic, enu_basis
from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import DETECTED_COG, read_amplitude, write_cog, write_detected_cog
from kizuna.formats.map_grid import MapGrid, ecef_of, map_system, on_terrain, require_size, to_map
from kizuna.formats.nitf import is_nitf
from kizuna.formats.safe import is_package, read_safe_amplitude
from kizuna.formats.safe_geometry import read_safe_geometry, read_safe_power
from kizuna.formats.sicd import read_pixels
from kizuna.formats.sicd_geometry import read_sicd_geometry
from kizuna.sar.geocode import (
    AveragedPower,
    CellAreas,
    FittedProjection,
    fit_projection,
    hidden_along_lines,
    resample_power,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MASK_LAYOVER", "MASK_OUTSIDE", "MASK_SHADOW", "MOST_PIXELS", "Geocoded", "Quantity", "geocode"]

type Floats = npt.NDArray[np.float64]

MOST_PIXELS = 200_000_000
"""Pixels of a map, at most; it is made some rows at a time, and takes 20 bytes a pixel while it is compressed, 30 on terrain."""
MASK_LAYOVER, MASK_SHADOW, MASK_OUTSIDE = 1, 2, 255
"""Values of the mask; 3 is layover and shadow, 255 beyond the image or the terrain model."""

_HEAD_BYTES = 512
_EDGE = 9
_NET = 33
_TERRAIN_SHARE = 8
_RANGE_UNIT_M, _ANGLE_UNIT = 0.1, 1e-5  # `fit_projection` keeps within 0.02 of its unit
_CELLS = 3.0  # map pixels that a radar cell is wide, so that several facets fall into each


class Geometry(Protocol):
    """Where an image's pixels lie, and what they mean: `SicdGeometry` or `SafeGeometry`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def scp_ecef_m(self) -> Floats:
        """Middle of the scene, shape (3,)."""

    @property
    def scp_height_m(self) -> float:
        """Its height above the ellipsoid."""

    def smooth_of(self, position_ecef_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Two smooth functions of places (..., 3), about as steep as rows and columns."""

    def pixels_from(self, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        """Fractional rows and columns of those."""

    def ground_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike, height_m: float) -> Floats:
        """ECEF positions in which pixels meet a height."""

    def antenna_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Antenna's positions and velocities when pixels were seen."""

    def brightness(self, quantity: str, rows: Floats, cols: Floats) -> Floats:
        """What power is multiplied by for ``sigma0`` or ``beta0``."""

    def slant_area_m2(self, rows: Floats, cols: Floats) -> Floats:
        """Area of pixels in the slant plane."""


@dataclass(frozen=True, slots=True)
class _Projection:
    """Rows and columns of map coordinates and heights, by polynomials in place of what is smooth."""

    fitted: FittedProjection
    geometry: Geometry

    def __call__(self, x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        return self.geometry.pixels_from(*self.fitted(x, y, height_m))


class Quantity(StrEnum):
    """What the map shows."""

    AMPLITUDE = "amplitude"
    SIGMA0 = "sigma0"
    GAMMA0 = "gamma0"


@dataclass(frozen=True, slots=True)
class Geocoded:
    """An image on a map.

    Parameters
    ----------
    cog
        Cloud-optimised GeoTIFF, float32, NaN is no data: amplitude, or sigma or gamma nought as power.
    mask_cog
        Layover and shadow; None without terrain.
    misfit_px
        How far the polynomials that stand for the image's geometry are off it, pixels of the image; NaN for control points.
    """

    cog: bytes
    mask_cog: bytes | None
    misfit_px: float


def geocode(
    file: BinaryIO,
    *,
    terrain: BinaryIO | None = None,
    undulation_m: float = 0.0,
    height_m: float | None = None,
    spacing_m: float | None = None,
    crs: str | None = None,
    quantity: Quantity = Quantity.AMPLITUDE,
) -> Geocoded:
    """Put an image on a map.

    Parameters
    ----------
    file
        Open, seekable SICD, Sentinel-1 SAFE package of a GRD as a ZIP file, or GeoTIFF with ground control points.
    terrain
        Open GeoTIFF of heights, metres.
    undulation_m
        What is added to the terrain's heights to have them above the ellipsoid (that of the geoid, where they are above the sea).
    height_m
        Height above the ellipsoid of the map without terrain; None: that of the scene's middle.
    spacing_m
        Side of a map pixel; None: the image's own, on the ground.
    crs
        Projected coordinate system in metres, such as ``"EPSG:32643"``; None: the scene's UTM zone.
    quantity
        What the map shows; an image without calibration has amplitude alone. With terrain, gamma nought is flattened.

    Returns
    -------
    Geocoded
        The files.

    Raises
    ------
    InputError
        A file that cannot be read or placed; a coordinate system that is none; a map that is too large; a GeoTIFF with options
        that need the geometry of an orbit.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    plain = terrain is None and height_m is None and crs is None and quantity is Quantity.AMPLITUDE
    packed = not is_nitf(head) and is_package(file)
    if packed and plain and spacing_m is None:
        return Geocoded(write_detected_cog(read_safe_amplitude(file)), None, math.nan)
    if not packed and not is_nitf(head):
        if not plain:
            raise InputError(
                Message("an image with ground control points alone goes onto the surface that these describe"),
                hint=Message(
                    "Terrain, heights and calibration need an orbit. Give a SICD, or the ZIP file of a GRD's SAFE package."
                ),
                field="dem",
            )
        return Geocoded(write_detected_cog(read_amplitude(file)), None, math.nan)
    geometry: Geometry = read_safe_geometry(file) if packed else read_sicd_geometry(file)
    surface_m = geometry.scp_height_m if height_m is None else height_m
    with ExitStack() as stack:
        grid = _map(geometry, surface_m, spacing_m, crs)
        if terrain is not None:
            grid = on_terrain(grid, terrain, undulation_m, stack)
        projection = _projection(geometry, grid)
        middle = max(grid.rows // 2, 1)
        x, y, _ = grid.places(middle - 1, middle + 1)
        looks = _looks(*projection(x, y, np.full(x.shape, surface_m)))
        averaged = read_safe_power(file, looks) if packed else AveragedPower.of(np.abs(read_pixels(file)) ** 2, looks)
        if terrain is not None:
            values, mask = _hidden(geometry, grid, projection, averaged, quantity)
        else:
            values, mask = _open(geometry, grid, projection, averaged, quantity), None
    mask_cog = None
    if mask is not None:
        mask_cog = write_cog(mask, grid.crs, grid.transform, nodata=MASK_OUTSIDE, tags={}, options=_MASK_COG)
    cog = write_cog(values, grid.crs, grid.transform, nodata=math.nan, tags={"QUANTITY": quantity}, options=DETECTED_COG)
    return Geocoded(cog, mask_cog, projection.fitted.misfit_px)


def _open(
    geometry: Geometry, grid: MapGrid, projection: _Projection, power: AveragedPower, quantity: Quantity
) -> npt.NDArray[np.float32]:
    """Map on a surface of one height, on which nothing hides anything: some rows at a time."""
    values = np.empty((grid.rows, grid.cols), np.float32)
    for begin, end in grid.parts():
        places = grid.places(begin, end)
        rows, cols = projection(*places)
        found = power.at(rows, cols)
        if quantity is not Quantity.AMPLITUDE:
            found *= geometry.brightness("sigma0", rows, cols)
        if quantity is Quantity.GAMMA0:
            sight, _, _ = _seen(geometry, ecef_of(grid.crs)(*places), rows, cols)
            latitude, longitude, _ = ecef_to_geodetic(geometry.scp_ecef_m)
            found /= -(sight @ enu_basis(float(latitude), float(longitude))[2])
        values[begin:end] = np.sqrt(found) if quantity is Quantity.AMPLITUDE else found
    return values


@dataclass(frozen=True, slots=True)
class _View:
    """What the radar sees of places of the map, by polynomials of coordinates and height.

    Parameters
    ----------
    sight
        Unit vector of the line of sight (ECEF) in units of 1e-5: its x and y, and its z.
    distance
        Range in tenths of a metre, look angle in units of 1e-5 radian.
    """

    sight: tuple[FittedProjection, FittedProjection]
    distance: FittedProjection

    def ranges(self, x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        """Ranges (m) and look angles (rad)."""
        range_, look = self.distance(x, y, height_m)
        return range_ * _RANGE_UNIT_M, look * _ANGLE_UNIT

    def sights(self, x: Floats, y: Floats, height_m: Floats) -> Floats:
        """Unit vectors from the antenna, shape (..., 3)."""
        parts = [*self.sight[0](x, y, height_m), self.sight[1](x, y, height_m)[0]]
        return np.stack(parts, axis=-1) * _ANGLE_UNIT


def _view(geometry: Geometry, grid: MapGrid) -> _View:
    position = ecef_of(grid.crs)

    def seen(x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats, Floats]:
        place = position(x, y, height_m)
        return _seen(geometry, place, *geometry.pixels_from(*geometry.smooth_of(place)))

    def distance(x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        _, range_m, look_rad = seen(x, y, height_m)
        return range_m / _RANGE_UNIT_M, look_rad / _ANGLE_UNIT

    def sideways(x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        sight = seen(x, y, height_m)[0] / _ANGLE_UNIT
        return sight[..., 0], sight[..., 1]

    def upwards(x: Floats, y: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        up = seen(x, y, height_m)[0][..., 2] / _ANGLE_UNIT
        return up, np.zeros_like(up)

    return _View((_fitted(sideways, grid), _fitted(upwards, grid)), _fitted(distance, grid))


def _hidden(
    geometry: Geometry, grid: MapGrid, projection: _Projection, power: AveragedPower, quantity: Quantity
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Map on terrain, and what that hides; of the whole map only heights, masks and the result are held."""
    heights = np.empty((grid.rows, grid.cols), np.float32)
    mask = np.zeros((grid.rows, grid.cols), np.uint8)
    for begin, end in grid.parts():
        read = grid.heights(begin, end)
        known = np.isfinite(read)
        heights[begin:end] = np.where(known, read, grid.height_range_m[0])
        mask[begin:end][~known] = MASK_OUTSIDE
    view = _view(geometry, grid)

    def seen(rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        height = scipy.ndimage.map_coordinates(heights, np.stack([rows, cols]), np.float64, order=1, mode="nearest")
        beyond = (rows < 0.0) | (rows > grid.rows - 1) | (cols < 0.0) | (cols > grid.cols - 1)
        ranges, looks = view.ranges(*grid.at(rows, cols), height)
        ranges[beyond], looks[beyond] = math.nan, math.nan
        return ranges, looks

    level = 0.5 * (grid.height_range_m[0] + grid.height_range_m[1])
    net = np.meshgrid(*(np.linspace(0, size - 1, _NET) for size in (grid.rows, grid.cols)), indexing="ij")
    steps = [(net[0], net[1]), (net[0] + 1.0, net[1]), (net[0], net[1] + 1.0)]
    ranges = [view.ranges(*grid.at(*step), np.full(net[0].shape, level))[0] for step in steps]
    gradient = (float(np.median(ranges[1] - ranges[0])), float(np.median(ranges[2] - ranges[0])))
    hidden = hidden_along_lines((grid.rows, grid.cols), gradient, seen)
    cells = None
    if quantity is Quantity.GAMMA0:
        pixels = [projection(*grid.at(*step), np.full(net[0].shape, level)) for step in steps]
        sizes = [float(np.median(np.hypot(down - here, across - here))) for here, down, across in zip(*pixels, strict=True)]
        cell = (max(1, math.ceil(_CELLS * sizes[0])), max(1, math.ceil(_CELLS * sizes[1])))
        cells = _Flattened.over(geometry, grid, projection, view, heights, hidden.shadow, (cell, power.shape))
    values = np.empty((grid.rows, grid.cols), np.float32)
    for begin, end in grid.parts(_TERRAIN_SHARE):
        x, y = np.meshgrid(grid.x(), grid.y(begin, end))
        rows, cols = projection(x, y, heights[begin:end].astype(np.float64))
        found = power.at(rows, cols)
        found[mask[begin:end] == MASK_OUTSIDE] = np.nan
        layover, shadow = (one[begin:end] for one in (hidden.layover, hidden.shadow))
        mask[begin:end] = layover * np.uint8(MASK_LAYOVER) + shadow * np.uint8(MASK_SHADOW)
        mask[begin:end][~np.isfinite(found)] = MASK_OUTSIDE
        if quantity is Quantity.SIGMA0:
            found *= geometry.brightness("sigma0", rows, cols)
        if cells is not None:
            found *= geometry.brightness("beta0", rows, cols) * cells.at(rows, cols)
            found[shadow] = np.nan
        values[begin:end] = np.sqrt(found) if quantity is Quantity.AMPLITUDE else found
    return values, mask


@dataclass(frozen=True, slots=True)
class _Flattened:
    """What beta nought is multiplied by for gamma nought flattened for slopes, by radar cell.

    Parameters
    ----------
    cell
        Rows and columns of the image that make one cell.
    ratio
        Area of a cell in the slant plane over the ground that it saw; NaN where it saw none.
    """

    cell: tuple[int, int]
    ratio: Floats

    @classmethod
    def over(
        cls,
        geometry: Geometry,
        grid: MapGrid,
        projection: _Projection,
        view: _View,
        heights: npt.NDArray[np.float32],
        shadow: npt.NDArray[np.bool_],
        sizes: tuple[tuple[int, int], tuple[int, int]],
    ) -> _Flattened:
        """Add up the facets of all of the map; `sizes` are those of a cell and of the image."""
        areas = CellAreas.over(sizes[1], sizes[0])
        position = ecef_of(grid.crs)
        for begin, end in grid.parts(_TERRAIN_SHARE):
            last = min(end + 1, grid.rows)  # facets reach to the next part's first row
            places = (*np.meshgrid(grid.x(), grid.y(begin, last)), heights[begin:last].astype(np.float64))
            areas.add(position(*places), view.sights(*places), *projection(*places), shadow[begin:last])
        down, across = sizes[0]
        row, col = np.ogrid[0 : areas.total_m2.shape[0], 0 : areas.total_m2.shape[1]]
        slant_m2 = geometry.slant_area_m2((row + 0.5) * down - 0.5, (col + 0.5) * across - 0.5) * down * across
        with np.errstate(divide="ignore", invalid="ignore"):
            return cls(sizes[0], np.where(areas.total_m2 > 0.0, slant_m2 / areas.total_m2, np.nan))

    def at(self, rows: Floats, cols: Floats) -> Floats:
        """Between cells, at pixels of the image."""
        down, across = self.cell
        return resample_power(self.ratio, (rows + 0.5) / down - 0.5, (cols + 0.5) / across - 0.5)


_MASK_COG = {"BLOCKSIZE": "512", "OVERVIEW_RESAMPLING": "MODE"}


def _map(geometry: Geometry, surface_m: float, spacing_m: float | None, crs: str | None) -> MapGrid:
    """Grid about the image's outline on a surface of one height."""
    edge = np.linspace(-0.5, 0.5, _EDGE)
    middle, half = [(size - 1) / 2.0 for size in geometry.shape], [float(size) for size in geometry.shape]
    net = np.meshgrid(middle[0] + half[0] * edge, middle[1] + half[1] * edge, indexing="ij")
    latitude, longitude, _ = ecef_to_geodetic(geometry.ground_of(net[0].ravel(), net[1].ravel(), surface_m))
    middle_at = latitude.size // 2
    system = map_system(crs, math.degrees(float(latitude[middle_at])), math.degrees(float(longitude[middle_at])))
    xs, ys = to_map(system, latitude, longitude)
    if spacing_m is None:
        corners = geometry.ground_of(
            np.array([middle[0], middle[0] + 1.0, middle[0]]), np.array([middle[1], middle[1], middle[1] + 1.0]), surface_m
        )
        spacing_m = float(max(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[0])))
    left, top = math.floor(xs.min() / spacing_m) * spacing_m, math.ceil(ys.max() / spacing_m) * spacing_m
    cols, rows = math.ceil((xs.max() - left) / spacing_m), math.ceil((top - ys.min()) / spacing_m)
    require_size(rows, cols, MOST_PIXELS)
    transform = Affine(spacing_m, 0.0, left, 0.0, -spacing_m, top)
    return MapGrid(
        system, transform, rows, cols, (surface_m, surface_m), lambda begin, end: np.full((end - begin, cols), surface_m)
    )


def _projection(geometry: Geometry, grid: MapGrid) -> _Projection:
    position = ecef_of(grid.crs)
    return _Projection(_fitted(lambda x, y, h: geometry.smooth_of(position(x, y, h)), grid), geometry)


def _fitted(function: Callable[[Floats, Floats, Floats], tuple[Floats, Floats]], grid: MapGrid) -> FittedProjection:
    x, y = grid.x(), grid.y(0, grid.rows)
    return fit_projection(
        function,
        (float(x[0]), float(x[-1])),
        (float(y[-1]), float(y[0])),
        (grid.height_range_m[0] - 1.0, grid.height_range_m[1] + 1.0),
    )


def _seen(geometry: Geometry, place: Floats, rows: Floats, cols: Floats) -> tuple[Floats, Floats, Floats]:
    """Lines of sight (unit, from the antenna), ranges (m) and look angles (rad) to the map's pixels."""
    antenna, _ = geometry.antenna_of(rows, cols)
    away = place - antenna
    range_m = np.linalg.norm(away, axis=-1)
    sight = away / range_m[..., None]
    down = -antenna / np.linalg.norm(antenna, axis=-1, keepdims=True)
    return sight, range_m, np.arccos(np.clip((sight * down).sum(axis=-1), -1.0, 1.0))


def _looks(rows: Floats, cols: Floats) -> tuple[int, int]:
    """Image pixels that one map pixel holds along rows and columns."""

    def step(values: Floats) -> int:
        down, across = float(np.median(np.diff(values, axis=0))), float(np.median(np.diff(values, axis=1)))
        return max(1, math.floor(math.hypot(down, across)))

    return step(rows), step(cols)
