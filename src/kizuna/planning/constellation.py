"""Constellations on paper: Walker patterns and planes of one's own, as mean elements that can be flown.

What is flown is SGP4 without drag: the planes turn as the flattened Earth turns them, and nothing decays, as an operator who
keeps station sees to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.earth.elements import EARTH_RADIUS_WGS72_M, GRAVITY_WGS72_M3_S2, MeanElements
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.model.instants import Instant

__all__ = ["Plane", "flown", "mean_motion_rad_s", "sun_synchronous_rad", "walker"]

_J2_WGS72 = 1.082616e-3
_TROPICAL_YEAR_S = 365.2421897 * 86400.0
_LOWEST_M, _HIGHEST_M = 160e3, 2_000e3
_MOST_SATELLITES = 10_000


@dataclass(frozen=True, slots=True)
class Plane:
    """A circular orbit with satellites evenly spread along it.

    Parameters
    ----------
    name
        What its satellites are called, before their number.
    height_m
        Height above the equator's radius, metres; 160 to 2,000 km.
    inclination_rad
        0 to pi.
    node_rad
        Right ascension of the ascending node.
    satellites
        How many.
    first_rad
        Argument of latitude of the first of them.
    """

    name: str
    height_m: float
    inclination_rad: float
    node_rad: float
    satellites: int
    first_rad: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot fly."""
        if not _LOWEST_M <= self.height_m <= _HIGHEST_M:
            raise InputError(
                Message(
                    "height_km: got {got}, expected {least} to {most}",
                    {"got": round(self.height_m / 1e3, 3), "least": round(_LOWEST_M / 1e3), "most": round(_HIGHEST_M / 1e3)},
                ),
                hint=Message("radar satellites fly low: give the height above the equator in kilometres"),
                field="height_km",
            )
        if not 0.0 <= self.inclination_rad <= math.pi:
            raise InputError(
                Message("inclination_deg: got {got}, expected 0 to 180", {"got": round(math.degrees(self.inclination_rad), 6)}),
                field="inclination_deg",
            )
        if not 1 <= self.satellites <= _MOST_SATELLITES:
            raise InputError(
                Message("satellites: got {got}, expected 1 to {most}", {"got": self.satellites, "most": _MOST_SATELLITES}),
                field="satellites",
            )


def mean_motion_rad_s(height_m: float) -> float:
    """Mean motion of a circular Kepler orbit at a height above the equator's radius."""
    return math.sqrt(GRAVITY_WGS72_M3_S2 / (EARTH_RADIUS_WGS72_M + height_m) ** 3)


def sun_synchronous_rad(height_m: float) -> float:
    """Inclination at which a circular orbit's plane turns with the mean Sun.

    Notes
    -----
    The node drifts by -3/2 J2 n (R/a)^2 cos i (Vallado 2013, equation 9-41, e = 0); the Sun goes round once a tropical year.

    Examples
    --------
    >>> round(math.degrees(sun_synchronous_rad(575e3)), 2)
    97.69
    """
    drift_rad_s = 2.0 * math.pi / _TROPICAL_YEAR_S
    ratio = EARTH_RADIUS_WGS72_M / (EARTH_RADIUS_WGS72_M + height_m)
    return math.acos(-drift_rad_s / (1.5 * _J2_WGS72 * mean_motion_rad_s(height_m) * ratio**2))


def walker(
    name: str,
    satellites: int,
    planes: int,
    phasing: int,
    *,
    inclination_rad: float,
    height_m: float,
    node_rad: float = 0.0,
    star: bool = False,
) -> tuple[Plane, ...]:
    """Planes of a Walker pattern i: t/p/f.

    Parameters
    ----------
    name
        What its satellites are called.
    satellites, planes, phasing
        t, p and f: satellites in all, planes, and by how many of the t parts of a revolution the satellites of a plane are ahead
        of those of the plane before.
    inclination_rad, height_m
        Of all planes.
    node_rad
        Node of the first plane.
    star
        Whether the nodes are spread over half a revolution (near-polar planes, which come back from the other side) instead of
        the whole (delta).

    Raises
    ------
    InputError
        If the satellites do not fill the planes evenly, or the phasing is not 0 to p - 1.

    Examples
    --------
    >>> found = walker("W", 36, 4, 1, inclination_rad=0.73, height_m=575e3)
    >>> [round(math.degrees(plane.node_rad)) for plane in found], [round(math.degrees(plane.first_rad)) for plane in found]
    ([0, 90, 180, 270], [0, 10, 20, 30])
    """
    if planes < 1 or satellites < 1 or satellites % planes:
        raise InputError(
            Message(
                "walker: {satellites} satellites do not fill {planes} planes evenly", {"satellites": satellites, "planes": planes}
            ),
            hint=Message("let the number of satellites be a multiple of the number of planes"),
            field="planes",
        )
    if not 0 <= phasing < planes:
        raise InputError(
            Message("walker: the phasing is {got}, expected 0 to {most}", {"got": phasing, "most": planes - 1}),
            field="phasing",
        )
    turn = math.pi if star else 2.0 * math.pi
    return tuple(
        Plane(
            name,
            height_m,
            inclination_rad,
            (node_rad + turn * plane / planes) % (2.0 * math.pi),
            satellites // planes,
            2.0 * math.pi * phasing * plane / satellites,
        )
        for plane in range(planes)
    )


def flown(planes: Iterable[Plane], epoch: Instant) -> tuple[MeanElements, ...]:
    """Mean elements of all satellites at an epoch, each with a name and a number of its own.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> planes = [Plane("A", 575e3, 0.7, 0.0, 2), Plane("A", 575e3, 0.7, 1.0, 1)]
    >>> [each.name for each in flown(planes, parse_instant("2026-05-08"))]
    ['A-1', 'A-2', 'A-3']
    """
    made: list[MeanElements] = []
    numbers: dict[str, int] = {}
    for plane in planes:
        for each in range(plane.satellites):
            numbers[plane.name] = numbers.get(plane.name, 0) + 1
            made.append(
                MeanElements(
                    name=f"{plane.name}-{numbers[plane.name]}",
                    number=len(made) + 1,
                    epoch=epoch,
                    mean_motion_rad_s=mean_motion_rad_s(plane.height_m),
                    eccentricity=0.0,
                    inclination_rad=plane.inclination_rad,
                    node_rad=plane.node_rad,
                    perigee_rad=0.0,
                    mean_anomaly_rad=(plane.first_rad + 2.0 * math.pi * each / plane.satellites) % (2.0 * math.pi),
                    bstar_per_radius=0.0,
                )
            )
    return tuple(made)
