"""Images put on a map: SICD and Sentinel-1 GRD by their own geometry onto the ellipsoid or terrain, others by control points.

The map is north up, in the UTM zone of the scene or a projected system that is asked for. With terrain come a mask of what it
hides, and gamma nought flattened for its slopes.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
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
    FittedProjection,
    Hidden,
    facet_areas,
    fit_projection,
    hidden_by_terrain,
    resample_power,
)

__all__ = ["MASK_LAYOVER", "MASK_OUTSIDE", "MASK_SHADOW", "MOST_PIXELS", "MOST_WHOLE_PIXELS", "Geocoded", "Quantity", "geocode"]

type Floats = npt.NDArray[np.float64]

MOST_PIXELS = 200_000_000
"""Pixels of a map, at most; it is made some rows at a time, and takes 20 bytes a pixel while it is compressed."""
MOST_WHOLE_PIXELS = 50_000_000
"""The same where layover, shadow or flattening need the whole map at once: about 200 bytes a pixel."""
MASK_LAYOVER, MASK_SHADOW, MASK_OUTSIDE = 1, 2, 255
"""Values of the mask; 3 is layover and shadow, 255 beyond the image or the terrain model."""

_HEAD_BYTES = 512
_EDGE = 9
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
            require_size(grid.rows, grid.cols, MOST_WHOLE_PIXELS)
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


def _hidden(
    geometry: Geometry, grid: MapGrid, projection: _Projection, power: AveragedPower, quantity: Quantity
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Map on terrain, and what that hides: along lines through the whole map, so of all of it at once."""
    x, y, heights = grid.places(0, grid.rows)
    known = np.isfinite(heights)
    heights = np.where(known, heights, grid.height_range_m[0])
    rows, cols = projection(x, y, heights)
    found = power.at(rows, cols)
    found[~known] = np.nan
    place = ecef_of(grid.crs)(x, y, heights)
    sight, range_m, look_rad = _seen(geometry, place, rows, cols)
    hidden = hidden_by_terrain(range_m, look_rad)
    mask = (hidden.layover * np.uint8(MASK_LAYOVER) + hidden.shadow * np.uint8(MASK_SHADOW)).astype(np.uint8)
    mask[~np.isfinite(found)] = MASK_OUTSIDE
    match quantity:
        case Quantity.AMPLITUDE:
            found = np.sqrt(found)
        case Quantity.SIGMA0:
            found *= geometry.brightness("sigma0", rows, cols)
        case Quantity.GAMMA0:
            found *= _flattened(geometry, rows, cols, (place, sight), hidden, power.shape)
    return found.astype(np.float32), mask


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
    x, y = grid.x(), grid.y(0, grid.rows)
    fitted = fit_projection(
        lambda x, y, h: geometry.smooth_of(position(x, y, h)),
        (float(x[0]), float(x[-1])),
        (float(y[-1]), float(y[0])),
        (grid.height_range_m[0] - 1.0, grid.height_range_m[1] + 1.0),
    )
    return _Projection(fitted, geometry)


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


def _flattened(
    geometry: Geometry,
    rows: Floats,
    cols: Floats,
    seen: tuple[Floats, Floats],
    hidden: Hidden,
    shape: tuple[int, int],
) -> Floats:
    """What power is multiplied by for gamma nought flattened for slopes, at each map pixel."""
    place, sight = seen
    down, across = (max(1, math.ceil(_CELLS * float(np.median(_step(values))))) for values in (rows, cols))
    seen_m2 = facet_areas(place, sight, rows, cols, hidden=hidden.shadow, cell=(down, across), shape=shape)
    cell_rows, cell_cols = (
        (np.arange(size) + 0.5) * step - 0.5 for size, step in zip(seen_m2.shape, (down, across), strict=True)
    )
    slant_m2 = geometry.slant_area_m2(cell_rows[:, None], cell_cols[None, :]) * down * across
    with np.errstate(divide="ignore", invalid="ignore"):
        cells = np.where(seen_m2 > 0.0, slant_m2 / seen_m2, np.nan)
    flattened = resample_power(cells, (rows + 0.5) / down - 0.5, (cols + 0.5) / across - 0.5)
    flattened[hidden.shadow] = np.nan
    return geometry.brightness("beta0", rows, cols) * flattened


def _step(values: Floats) -> Floats:
    return np.hypot(np.diff(values, axis=0)[:, :-1], np.diff(values, axis=1)[:-1])
