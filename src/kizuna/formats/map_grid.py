"""North-up grids on a map, level or with the heights of a terrain model, and where their pixels lie on the Earth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from kizuna.earth.wgs84 import geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import open_tiff

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from affine import Affine

__all__ = ["WGS84", "MapGrid", "ecef_of", "map_system", "on_terrain", "require_size", "to_map"]

type Floats = npt.NDArray[np.float64]

WGS84 = CRS.from_epsg(4326)
_ROWS_PIXELS = 1 << 20
_ANOTHER = Message("Name another coordinate system, in metres, that covers the scene.")


@dataclass(frozen=True, slots=True)
class MapGrid:
    """A map grid, its rows some at a time.

    Parameters
    ----------
    crs, transform
        Coordinate system, and pixels to map coordinates.
    rows, cols
        Size in pixels.
    height_range_m
        Least and greatest height above the ellipsoid.
    heights
        Of some rows, by first and end, shape (rows, cols); NaN where they are not known.
    """

    crs: CRS
    transform: Affine
    rows: int
    cols: int
    height_range_m: tuple[float, float]
    heights: Callable[[int, int], Floats]

    def x(self) -> Floats:
        """Map coordinate of each column's middle."""
        return np.asarray(self.transform.c + self.transform.a * (np.arange(self.cols) + 0.5))

    def y(self, begin: int, end: int) -> Floats:
        """Map coordinate of some rows' middles."""
        return np.asarray(self.transform.f + self.transform.e * (np.arange(begin, end) + 0.5))

    def at(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Map coordinates of fractional rows and columns, 0 being the middle of the first."""
        place = self.transform
        return np.asarray(place.c + place.a * (cols + 0.5)), np.asarray(place.f + place.e * (rows + 0.5))

    def places(self, begin: int, end: int) -> tuple[Floats, Floats, Floats]:
        """Coordinates and heights of some rows' pixels, each (rows, cols)."""
        x, y = np.meshgrid(self.x(), self.y(begin, end))
        return x, y, self.heights(begin, end)

    def parts(self, share: int = 1) -> list[tuple[int, int]]:
        """All rows, so many at a time as make a million pixels, or a share of that."""
        step = max(1, _ROWS_PIXELS // (self.cols * share))
        return [(begin, min(begin + step, self.rows)) for begin in range(0, self.rows, step)]


def require_size(rows: int, cols: int, most: int) -> None:
    """Refuse a map of more than `most` pixels.

    Raises
    ------
    InputError
        It has more.
    """
    if rows * cols > most:
        raise InputError(
            Message("the map would have {rows} x {cols} pixels, at most {most} fit", {"rows": rows, "cols": cols, "most": most}),
            hint=Message("Give a coarser spacing."),
            field="spacing",
        )


def map_system(crs: str | None, latitude_deg: float, longitude_deg: float) -> CRS:
    """Projected coordinate system in metres, by name; without one, the UTM zone of a place.

    Raises
    ------
    InputError
        No coordinate system, or none that is projected, in metres.
    """
    if crs is None:
        zone = min(max(int((longitude_deg + 180.0) // 6.0) + 1, 1), 60)
        return CRS.from_epsg((32600 if latitude_deg >= 0.0 else 32700) + zone)
    try:
        system = CRS.from_user_input(crs)
    except (RasterioError, ValueError) as error:
        raise InputError(Message("{crs} is no coordinate system", {"crs": crs}), hint=_ANOTHER, field="crs") from error
    if not system.is_projected or system.linear_units not in {"metre", "meter", "m"}:
        raise InputError(Message("{crs} is no projected coordinate system in metres", {"crs": crs}), hint=_ANOTHER, field="crs")
    return system


def on_terrain(grid: MapGrid, terrain: BinaryIO, undulation_m: float, stack: ExitStack) -> MapGrid:
    """The same grid with the heights of a terrain model, which stays open as long as `stack`.

    Raises
    ------
    InputError
        No terrain model, or one that does not reach the grid.
    """
    try:
        warped = stack.enter_context(
            WarpedVRT(
                stack.enter_context(open_tiff(terrain)),
                crs=grid.crs,
                transform=grid.transform,
                width=grid.cols,
                height=grid.rows,
                resampling=Resampling.bilinear,
                dtype="float64",
                nodata=math.nan,
            )
        )
        least, most = math.inf, -math.inf
        for begin, end in grid.parts():
            known = warped.read(1, window=Window(0, begin, grid.cols, end - begin))
            known = known[np.isfinite(known)]
            if known.size:
                least, most = min(least, float(known.min())), max(most, float(known.max()))
    except RasterioError as error:
        raise InputError(
            Message("the terrain model cannot be read: {reason}", {"reason": str(error)}),
            hint=Message("Give a GeoTIFF of heights with a coordinate system."),
            field="dem",
        ) from error
    if least > most:
        raise InputError(
            Message("the terrain model does not reach the image"), hint=Message("Give one that covers the scene."), field="dem"
        )

    def heights(begin: int, end: int) -> Floats:
        return np.asarray(warped.read(1, window=Window(0, begin, grid.cols, end - begin)), np.float64) + undulation_m

    return replace(grid, height_range_m=(least + undulation_m, most + undulation_m), heights=heights)


def ecef_of(crs: CRS) -> Callable[[Floats, Floats, Floats], Floats]:
    """ECEF positions (..., 3) of map coordinates and heights."""

    def position(x: Floats, y: Floats, height_m: Floats) -> Floats:
        longitude, latitude = transform_points(crs, WGS84, np.ravel(x).tolist(), np.ravel(y).tolist())[:2]
        shape = np.shape(x)
        return geodetic_to_ecef(np.radians(latitude).reshape(shape), np.radians(longitude).reshape(shape), height_m)

    return position


def to_map(crs: CRS, latitude_rad: Floats, longitude_rad: Floats) -> tuple[Floats, Floats]:
    """Map coordinates of places, each of the shape given.

    Raises
    ------
    InputError
        Places of which the coordinate system knows nothing.
    """
    degrees = (np.degrees(np.ravel(angle)).tolist() for angle in (longitude_rad, latitude_rad))
    x, y = (
        np.asarray(values, np.float64).reshape(np.shape(latitude_rad)) for values in transform_points(WGS84, crs, *degrees)[:2]
    )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(Message("the image's place cannot be turned into {crs}", {"crs": str(crs)}), hint=_ANOTHER, field="crs")
    return x, y
