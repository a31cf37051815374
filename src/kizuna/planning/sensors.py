"""Radars: whose they are, what they can image, and which of that nobody has published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.planning.geometry import Geometry, Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.parties import Party

__all__ = ["UNKNOWN_SENSOR", "ModeKind", "Sensor", "SensorMode", "sensor_of"]


class ModeKind(StrEnum):
    """How an image is taken."""

    SPOT = "spot"
    STRIP = "strip"


@dataclass(frozen=True, slots=True)
class SensorMode:
    """One way to take an image.

    Parameters
    ----------
    kind
        Spot: the beam stays on the place. Strip: it passes over.
    swath_m
        Width of the image across the track.
    shortest_s
        Time that an image needs.
    incidence_rad
        Range of the incidence angle; None: that of the sensor.
    """

    kind: ModeKind
    swath_m: float
    shortest_s: float
    incidence_rad: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A radar of a constellation.

    Parameters
    ----------
    name
        What it is called.
    party
        Whose it is: nation and perhaps operator; None for one that is not known.
    satellites
        How the names of its satellites begin.
    band
        Letter of its band; empty where it is not known.
    incidence_rad
        Range of the incidence angle.
    look
        Side of the track that it looks to.
    squint_max_rad
        Largest squint; None: no limit.
    modes
        By name.
    unchecked, assumed
        Which of these were told from memory, and which nobody published.
    turn_duty_s
        How long it may image in a turn of its orbit; None where nobody says.
    """

    name: str
    party: Party | None
    satellites: tuple[str, ...]
    band: str
    incidence_rad: tuple[float, float]
    look: Look
    squint_max_rad: float | None
    modes: Mapping[str, SensorMode]
    unchecked: tuple[str, ...]
    assumed: tuple[str, ...]
    turn_duty_s: float | None = None

    def geometry(self, mode: str | None = None) -> Geometry | None:
        """Limits of a mode, or of the sensor whatever the mode; None where it has no such mode.

        A strip is taken as the beam passes and a spot while it stays; the sensor's squint limits both, and what tells them apart
        is the time that they need.
        """
        if mode is None:
            return Geometry(*self.incidence_rad, self.look, squint_max_rad=self.squint_max_rad)
        one = self.modes.get(mode)
        if one is None:
            return None
        low, high = one.incidence_rad or self.incidence_rad
        return Geometry(low, high, self.look, squint_max_rad=self.squint_max_rad, shortest_s=one.shortest_s)


UNKNOWN_SENSOR = Sensor(
    "",
    None,
    (),
    "",
    (math.radians(15.0), math.radians(45.0)),
    Look.EITHER,
    None,
    {},
    (),
    ("incidence_deg", "look", "squint_deg"),
)
"""A radar that no file names."""


def sensor_of(satellite: str, known: tuple[Sensor, ...]) -> Sensor:
    """Sensor of a satellite, by the longest beginning of its name that is known; `UNKNOWN_SENSOR` where none is.

    Examples
    --------
    >>> sensor_of("QPS-SAR-5", ()).assumed
    ('incidence_deg', 'look', 'squint_deg')
    """
    fitting = [
        (len(beginning), number)
        for number, sensor in enumerate(known)
        for beginning in sensor.satellites
        if satellite.upper().startswith(beginning.upper())
    ]
    return known[max(fitting)[1]] if fitting else UNKNOWN_SENSOR
