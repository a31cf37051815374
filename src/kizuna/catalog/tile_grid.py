"""The grid of web map tiles, WebMercatorQuad (OGC 17-083r4, annex D.1), as XYZ, TileJSON, WMTS and OGC API Tiles number it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kizuna.errors import InputError, Message

__all__ = ["DEEPEST_ZOOM", "EQUATOR_M", "TILE_PIXELS", "Box", "Matrix", "box_of_degrees", "matrix", "tile_box"]

EQUATOR_M = 2.0 * math.pi * 6378137.0
"""Side of the square that is zoom 0, metres of EPSG:3857."""
TILE_PIXELS = 256
DEEPEST_ZOOM = 24
_HALF_M = EQUATOR_M / 2.0
_MOST_LATITUDE_DEG = math.degrees(2.0 * math.atan(math.exp(math.pi)) - math.pi / 2.0)
_PIXEL_M = 0.28e-3  # OGC's "standardised rendering pixel", by which scale denominators are told


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of EPSG:3857, metres; x is east, y is north."""

    west_m: float
    south_m: float
    east_m: float
    north_m: float

    def to_degrees(self) -> tuple[float, float, float, float]:
        """West, south, east, north, degrees of WGS 84."""
        west, south = _degrees(self.west_m, self.south_m)
        east, north = _degrees(self.east_m, self.north_m)
        return west, south, east, north


@dataclass(frozen=True, slots=True)
class Matrix:
    """One zoom of the grid.

    Parameters
    ----------
    zoom
        From 0, which is one tile, on.
    side
        Tiles in a row, and rows.
    cell_m
        Side of a pixel at the equator, metres.
    scale_denominator
        As OGC defines it, for pixels of 0.28 mm.
    """

    zoom: int
    side: int
    cell_m: float
    scale_denominator: float


def matrix(zoom: int) -> Matrix:
    """One zoom of the grid."""
    cell_m = EQUATOR_M / TILE_PIXELS / 2**zoom
    return Matrix(zoom, 2**zoom, cell_m, cell_m / _PIXEL_M)


def tile_box(z: int, x: int, y: int) -> Box:
    """Rectangle of a tile.

    Parameters
    ----------
    z, x, y
        Zoom, column from the west, row from the north.

    Raises
    ------
    InputError
        There is no such tile.

    Examples
    --------
    >>> tile_box(1, 1, 0) == Box(0.0, 0.0, EQUATOR_M / 2, EQUATOR_M / 2)
    True
    """
    if not (0 <= z <= DEEPEST_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
        raise InputError(
            Message("there is no tile {z}/{x}/{y}", {"z": str(z)[:20], "x": str(x)[:20], "y": str(y)[:20]}),
            hint=Message("Zoom goes from 0 to 24, column and row from 0 to 2**zoom - 1."),
            field="tile",
        )
    side = EQUATOR_M / 2**z
    west, north = x * side - _HALF_M, _HALF_M - y * side
    return Box(west, north - side, west + side, north)


def box_of_degrees(west: float, south: float, east: float, north: float) -> Box:
    """Rectangle between meridians and parallels, degrees of WGS 84; what lies beyond the grid's 85 degrees is cut off."""

    def northing(latitude: float) -> float:
        phi = math.radians(max(-_MOST_LATITUDE_DEG, min(_MOST_LATITUDE_DEG, latitude)))
        return max(-_HALF_M, min(_HALF_M, math.asinh(math.tan(phi)) * EQUATOR_M / (2.0 * math.pi)))

    return Box(west / 360.0 * EQUATOR_M, northing(south), east / 360.0 * EQUATOR_M, northing(north))


def _degrees(x_m: float, y_m: float) -> tuple[float, float]:
    return 360.0 * x_m / EQUATOR_M, math.degrees(math.atan(math.sinh(2.0 * math.pi * y_m / EQUATOR_M)))
