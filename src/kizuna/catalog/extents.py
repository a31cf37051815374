"""Boxes around footprints, and whether a footprint meets a box: exact, without a geometry library, on the globe's own terms.

Longitudes go around. An extent starts within ±180° and may end beyond +180° where it crosses the antimeridian, so that its east
is never below its west; a question is asked at each turn of the globe at which the two could meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    type Ring = Sequence[tuple[float, float]]

__all__ = ["GLOBE_DEG", "Extent", "box_of", "continuous", "extent_of", "meets", "turns"]

GLOBE_DEG = 360.0
_HALF_DEG, _POLE_DEG = 180.0, 90.0
_FLAT, _SOLID = 4, 6


@dataclass(frozen=True, slots=True)
class Extent:
    """West, south, east, north in degrees; `east` beyond 180 where it crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """The same as RFC 7946 (section 5.2) writes it: east below west where it crosses the antimeridian."""
        return self.west, self.south, self.east - GLOBE_DEG if self.east > _HALF_DEG else self.east, self.north


def continuous(ring: Ring) -> list[tuple[float, float]]:
    """Ring whose longitudes go on beyond ±180° where it crosses the antimeridian: no edge spans more than half the globe.

    Examples
    --------
    >>> continuous([(179, 0), (-179, 0), (-179, 1), (179, 0)])
    [(179.0, 0), (181.0, 0), (181.0, 1), (179.0, 0)]
    """
    points: list[tuple[float, float]] = []
    before = float(ring[0][0])
    for lon, lat in ring:
        before = lon + GLOBE_DEG * round((before - lon) / GLOBE_DEG)
        points.append((before, lat))
    return points


def extent_of(ring: Ring) -> Extent:
    """Extent of a footprint. One that goes around a pole has all longitudes, up to that pole.

    Examples
    --------
    >>> extent_of([(179, 0), (-179, 0), (-179, 1), (179, 0)])
    Extent(west=179.0, south=0.0, east=181.0, north=1.0)
    >>> extent_of([(0, 80), (120, 80), (-120, 80), (0, 80)])
    Extent(west=-180.0, south=80.0, east=180.0, north=90.0)
    """
    plain_lons, plain_lats = zip(*ring, strict=True)
    west, south, east, north = float(min(plain_lons)), float(min(plain_lats)), float(max(plain_lons)), float(max(plain_lats))
    if east - west <= _HALF_DEG and west < _HALF_DEG:
        # Nothing in it goes around.
        return Extent(west, south, east, north)
    points = continuous(ring)
    if abs(points[0][0] - points[-1][0]) > _HALF_DEG:
        return Extent(-_HALF_DEG, *((-_POLE_DEG, _HALF_DEG, north) if south + north < 0 else (south, _HALF_DEG, _POLE_DEG)))
    lons = [lon for lon, _ in points]
    west, east = min(lons), max(lons)
    if east - west >= GLOBE_DEG:
        return Extent(-_HALF_DEG, south, _HALF_DEG, north)
    turn = GLOBE_DEG * math.floor((west + _HALF_DEG) / GLOBE_DEG)
    return Extent(west - turn, south, east - turn, north)


def box_of(numbers: Sequence[float], *, field: str = "bbox") -> Extent:
    """Extent of a bounding box as requests write it: of four numbers, or six with heights, which products do not have.

    Raises
    ------
    InputError
        If the numbers are no box.

    Examples
    --------
    >>> box_of([170, -10, -170, 10])
    Extent(west=170.0, south=-10.0, east=190.0, north=10.0)
    >>> box_of([1, 2, 0, 3, 4, 500])
    Extent(west=1.0, south=2.0, east=3.0, north=4.0)
    """
    given = [float(number) for number in numbers]
    if len(given) == _SOLID:
        west, south, low, east, north, high = given
    elif len(given) == _FLAT:
        (west, south, east, north), low, high = given, 0.0, 0.0
    else:
        west = south = east = north = low = high = math.nan
    lons, lats = -_HALF_DEG <= west <= _HALF_DEG >= east >= -_HALF_DEG, -_POLE_DEG <= south <= north <= _POLE_DEG
    if not (lons and lats and low <= high):
        raise InputError(
            Message("{field}: expected west, south, east, north in degrees, or these with heights", {"field": field}),
            hint=Message("write for example 30,45,31.5,46; east below west crosses the antimeridian"),
            field=field,
        )
    return Extent(west, south, east if west <= east else east + GLOBE_DEG, north)


def turns(box: Extent, least_west: float, most_east: float) -> Iterator[float]:
    """Turns of the globe, in degrees, by which a box is moved to look among extents between these longitudes.

    Examples
    --------
    >>> list(turns(Extent(-180, 0, -170, 1), -180, 190)), list(turns(Extent(170, 0, 190, 1), -180, 180))
    ([0.0, 360.0], [0.0, -360.0])
    """
    yield 0.0
    if box.west + GLOBE_DEG <= most_east:
        yield GLOBE_DEG
    if box.east - GLOBE_DEG >= least_west:
        yield -GLOBE_DEG


def meets(ring: Ring, box: Extent) -> bool:
    """Whether a footprint and a box have a point in common, their edges included.

    Examples
    --------
    >>> triangle = [(0, 0), (4, 0), (0, 4), (0, 0)]
    >>> meets(triangle, Extent(1, 1, 9, 9)), meets(triangle, Extent(3, 3, 9, 9)), meets(triangle, Extent(-9, -9, 9, 9))
    (True, False, True)
    """
    points = continuous(ring)
    if abs(points[0][0] - points[-1][0]) > _HALF_DEG:
        # Around a pole nothing is nearer than its box.
        found = extent_of(ring)
        return found.south <= box.north and box.south <= found.north
    lons = [lon for lon, _ in points]
    least, most = min(lons), max(lons)
    first = math.ceil((least - box.east) / GLOBE_DEG)
    last = math.floor((most - box.west) / GLOBE_DEG)
    return any(
        _meets(points, box.west + GLOBE_DEG * turn, box.south, box.east + GLOBE_DEG * turn, box.north)
        for turn in range(first, last + 1)
    )


def _meets(points: Ring, west: float, south: float, east: float, north: float) -> bool:
    inside = False
    for (x1, y1), (x2, y2) in pairwise(points):
        if west <= x1 <= east and south <= y1 <= north:
            return True
        if _crosses(x1, y1, x2 - x1, y2 - y1, (west, east), (south, north)):
            return True
        # A corner of the box, followed eastwards to infinity, leaves the ring an odd number of times if it lies in it.
        if (y1 > south) != (y2 > south) and west < (x2 - x1) * (south - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _crosses(x: float, y: float, dx: float, dy: float, across: tuple[float, float], up: tuple[float, float]) -> bool:
    """Whether an edge meets a box (Liang and Barsky 1984)."""
    begin, end = 0.0, 1.0
    for start, change, (least, most) in ((x, dx, across), (y, dy, up)):
        if change == 0.0:
            if not least <= start <= most:
                return False
            continue
        near, far = (least - start) / change, (most - start) / change
        begin, end = max(begin, min(near, far)), min(end, max(near, far))
        if begin > end:
            return False
    return True
