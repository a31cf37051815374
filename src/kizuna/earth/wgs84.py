"""WGS 84: geodetic coordinates, the Earth-centred Earth-fixed frame (ECEF) and the east-north-up basis at a point.

Angles are radians, lengths metres, heights are above the ellipsoid (not above sea level). Arrays carry the coordinate in the
last axis; every other axis is free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "ECCENTRICITY_SQUARED",
    "FLATTENING",
    "SEMI_MAJOR_AXIS_M",
    "SEMI_MINOR_AXIS_M",
    "Geodetic",
    "ecef_to_geodetic",
    "enu_basis",
    "geodetic_to_ecef",
]

type Floats = npt.NDArray[np.float64]

# NGA.STND.0036, WGS 84, table 3.1 (defining parameters).
SEMI_MAJOR_AXIS_M = 6378137.0
FLATTENING = 1.0 / 298.257223563
SEMI_MINOR_AXIS_M = SEMI_MAJOR_AXIS_M * (1.0 - FLATTENING)
ECCENTRICITY_SQUARED = FLATTENING * (2.0 - FLATTENING)


@dataclass(frozen=True, slots=True)
class Geodetic:
    """A place on or above the WGS 84 ellipsoid; the names of its fields settle which angle comes first.

    Parameters
    ----------
    latitude_rad
        Geodetic latitude, -pi/2 to pi/2, north positive.
    longitude_rad
        Longitude, -pi to pi, east positive.
    height_m
        Height above the ellipsoid along its normal.

    Examples
    --------
    >>> Geodetic.from_degrees(latitude_deg=45.0, longitude_deg=90.0).longitude_deg
    90.0
    """

    latitude_rad: float
    longitude_rad: float
    height_m: float = 0.0

    @classmethod
    def from_degrees(cls, *, latitude_deg: float, longitude_deg: float, height_m: float = 0.0) -> Geodetic:
        """Place from degrees, by keyword only, so that no caller can swap the two."""
        return cls(math.radians(latitude_deg), math.radians(longitude_deg), height_m)

    @property
    def latitude_deg(self) -> float:
        """Geodetic latitude in degrees."""
        return math.degrees(self.latitude_rad)

    @property
    def longitude_deg(self) -> float:
        """Longitude in degrees."""
        return math.degrees(self.longitude_rad)

    def ecef_m(self) -> Floats:
        """Position in ECEF, shape (3,), metres."""
        return geodetic_to_ecef(self.latitude_rad, self.longitude_rad, self.height_m)


def geodetic_to_ecef(latitude_rad: npt.ArrayLike, longitude_rad: npt.ArrayLike, height_m: npt.ArrayLike = 0.0) -> Floats:
    """Geodetic coordinates to ECEF.

    Parameters
    ----------
    latitude_rad, longitude_rad, height_m
        Geodetic latitude and longitude in radians, height above the ellipsoid in metres; any shapes that broadcast to (...).

    Returns
    -------
    ndarray of float64, shape (..., 3)
        Positions in ECEF, metres.

    Notes
    -----
    With N the radius of curvature in the prime vertical: x = (N + h) cos(lat) cos(lon), y = (N + h) cos(lat) sin(lon),
    z = (N (1 - e^2) + h) sin(lat) (NGA.STND.0036, equation 4-14).

    Examples
    --------
    >>> geodetic_to_ecef(0.0, 0.0, 0.0).tolist()
    [6378137.0, 0.0, 0.0]
    """
    latitude, longitude, height = np.broadcast_arrays(
        np.asarray(latitude_rad, np.float64), np.asarray(longitude_rad, np.float64), np.asarray(height_m, np.float64)
    )
    sine = np.sin(latitude)
    cosine = np.cos(latitude)
    prime_vertical = SEMI_MAJOR_AXIS_M / np.sqrt(1.0 - ECCENTRICITY_SQUARED * sine**2)
    return np.stack(
        [
            (prime_vertical + height) * cosine * np.cos(longitude),
            (prime_vertical + height) * cosine * np.sin(longitude),
            (prime_vertical * (1.0 - ECCENTRICITY_SQUARED) + height) * sine,
        ],
        axis=-1,
    )


def ecef_to_geodetic(position_ecef_m: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """ECEF to geodetic coordinates.

    Parameters
    ----------
    position_ecef_m
        Positions in ECEF, shape (..., 3), metres; more than 50 km from the Earth's centre.

    Returns
    -------
    latitude_rad, longitude_rad, height_m : ndarrays of float64, shape (...)
        Geodetic latitude and longitude in radians, height above the ellipsoid in metres.

    Notes
    -----
    Bowring's fixed point on the parametric latitude b: tan(lat) = (z + e'^2 B sin^3 b) / (p - e^2 A cos^3 b), then
    tan(b) = (B / A) tan(lat) (Bowring 1985, Survey Review 28(218), 202-206). Three rounds reach 1e-9 m from the deep ocean to
    geostationary height. The height uses p cos(lat) + z sin(lat) - A^2 / N, which is well conditioned at the poles too.

    Examples
    --------
    >>> latitude, longitude, height = ecef_to_geodetic([6378137.0 + 100.0, 0.0, 0.0])
    >>> float(latitude), float(longitude), float(height)
    (0.0, 0.0, 100.0)
    """
    position = np.asarray(position_ecef_m, np.float64)
    x, y, z = position[..., 0], position[..., 1], position[..., 2]
    p = np.hypot(x, y)
    second_eccentricity_squared = ECCENTRICITY_SQUARED / (1.0 - ECCENTRICITY_SQUARED)
    parametric = np.arctan2(z * SEMI_MAJOR_AXIS_M, p * SEMI_MINOR_AXIS_M)
    latitude = parametric
    for _ in range(3):
        latitude = np.arctan2(
            z + second_eccentricity_squared * SEMI_MINOR_AXIS_M * np.sin(parametric) ** 3,
            p - ECCENTRICITY_SQUARED * SEMI_MAJOR_AXIS_M * np.cos(parametric) ** 3,
        )
        parametric = np.arctan2(SEMI_MINOR_AXIS_M * np.sin(latitude), SEMI_MAJOR_AXIS_M * np.cos(latitude))
    sine = np.sin(latitude)
    height = p * np.cos(latitude) + z * sine - SEMI_MAJOR_AXIS_M * np.sqrt(1.0 - ECCENTRICITY_SQUARED * sine**2)
    return latitude, np.arctan2(y, x), height


def enu_basis(latitude_rad: float, longitude_rad: float) -> Floats:
    """East, north and up at a place.

    Parameters
    ----------
    latitude_rad, longitude_rad
        Geodetic latitude and longitude in radians.

    Returns
    -------
    ndarray of float64, shape (3, 3)
        Rows are the unit vectors east, north, up in ECEF; the matrix turns an ECEF difference into east-north-up.

    Examples
    --------
    >>> enu_basis(0.0, 0.0).round(12).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    sin_lat, cos_lat = math.sin(latitude_rad), math.cos(latitude_rad)
    sin_lon, cos_lon = math.sin(longitude_rad), math.cos(longitude_rad)
    basis = np.array(
        [
            [-sin_lon, cos_lon, 0.0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    )
    return basis + 0.0  # turns the -0.0 of the equator into 0.0
