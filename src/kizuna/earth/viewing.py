"""How a place on the ground is seen from a platform: the angles of the line of sight, on WGS 84."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kizuna.earth.wgs84 import ecef_to_geodetic, enu_basis, geodetic_to_ecef

__all__ = ["LineOfSight", "line_of_sight"]


@dataclass(frozen=True, slots=True)
class LineOfSight:
    """Angles of a line of sight.

    Parameters
    ----------
    incidence_rad
        Between it and the ellipsoid's vertical, at the ground.
    off_nadir_rad
        Between it and the ellipsoid's vertical through the platform, downwards.
    azimuth_rad
        At the point of the ellipsoid below the platform, from north clockwise to the place, 0 to 2 pi.
    height_m
        Height of the platform above the ellipsoid.
    """

    incidence_rad: float
    off_nadir_rad: float
    azimuth_rad: float
    height_m: float


def line_of_sight(platform_ecef_m: npt.ArrayLike, place_ecef_m: npt.ArrayLike) -> LineOfSight:
    """Line of sight from a platform to a place.

    Parameters
    ----------
    platform_ecef_m, place_ecef_m
        Positions in ECEF, shape (3,), metres.

    Examples
    --------
    >>> seen = line_of_sight([6378137.0 + 700e3, 0.0, 0.0], [6378137.0, 0.0, 0.0])
    >>> round(seen.incidence_rad, 9), round(seen.off_nadir_rad, 9), round(seen.height_m)
    (0.0, 0.0, 700000)
    """
    platform, place = np.asarray(platform_ecef_m, np.float64), np.asarray(place_ecef_m, np.float64)
    towards = platform - place
    towards /= np.linalg.norm(towards)
    latitude, longitude, _ = (float(value) for value in ecef_to_geodetic(place))
    below_latitude, below_longitude, height_m = (float(value) for value in ecef_to_geodetic(platform))
    up, below = enu_basis(latitude, longitude)[2], enu_basis(below_latitude, below_longitude)
    east, north, _ = below @ (place - geodetic_to_ecef(below_latitude, below_longitude, 0.0))
    return LineOfSight(
        incidence_rad=_angle(towards @ up),
        off_nadir_rad=_angle(towards @ below[2]),
        azimuth_rad=math.atan2(float(east), float(north)) % math.tau,
        height_m=height_m,
    )


def _angle(cosine: float) -> float:
    return math.acos(min(max(float(cosine), -1.0), 1.0))
