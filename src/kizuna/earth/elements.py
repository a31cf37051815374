"""Mean orbital elements as SGP4 takes them: what TLE and OMM carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["EARTH_RADIUS_WGS72_M", "GRAVITY_WGS72_M3_S2", "MeanElements"]

# The constants that element sets are made with (Hoots and Roehrich 1980, Spacetrack report 3).
EARTH_RADIUS_WGS72_M = 6378135.0
GRAVITY_WGS72_M3_S2 = 398600.8e9


@dataclass(frozen=True, slots=True)
class MeanElements:
    """Brouwer mean elements in TEME of the epoch, for SGP4 with WGS 72.

    Parameters
    ----------
    name
        What the satellite is called.
    number
        Catalogue number, 0 to 999999999.
    epoch
        UTC that the elements are about.
    mean_motion_rad_s
        Mean motion as Kozai defined it.
    eccentricity
        0 up to below 1.
    inclination_rad, node_rad, perigee_rad, mean_anomaly_rad
        Inclination, right ascension of the ascending node, argument of perigee and mean anomaly.
    bstar_per_radius
        Drag term B*, per Earth radius.
    mean_motion_dot_rad_s2, mean_motion_dot_dot_rad_s3
        First and second derivative of the mean motion. SGP4 does not use them; they tell how fast the orbit decays.
    designator
        International designator (``1998-067A``), empty where there is none.
    """

    name: str
    number: int
    epoch: Instant
    mean_motion_rad_s: float
    eccentricity: float
    inclination_rad: float
    node_rad: float
    perigee_rad: float
    mean_anomaly_rad: float
    bstar_per_radius: float
    mean_motion_dot_rad_s2: float = 0.0
    mean_motion_dot_dot_rad_s3: float = 0.0
    designator: str = ""

    @property
    def semi_major_axis_m(self) -> float:
        """Semi-major axis of a Kepler orbit with this mean motion, metres."""
        return float((GRAVITY_WGS72_M3_S2 / self.mean_motion_rad_s**2) ** (1 / 3))

    @property
    def perigee_height_m(self) -> float:
        """Height of the perigee above the Earth's equatorial radius, metres; below none it has decayed."""
        return self.semi_major_axis_m * (1.0 - self.eccentricity) - EARTH_RADIUS_WGS72_M
