"""The catalogue: whose satellites there are, what their radars can image, and which of that nobody has published.

Windows, revisit, what-if and schedules take a satellite's limits from here and from nowhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.planning.geometry import Geometry, Look
from kizuna.planning.tasking import Mode, ModeLimits, Provider, Satellite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kizuna.model.parties import Party

__all__ = ["UNKNOWN_SENSOR", "Catalogue", "ModeKind", "Sensor", "SensorMode", "mode_name"]

_OTHER_WORDS = {"spot": Mode.SPOTLIGHT, "strip": Mode.STRIPMAP, "scan": Mode.SCANSAR}
_GROUND_SPEED_M_S = 7_000.0
TURN_S, SIDE_S, DUTY_S = 60.0, 120.0, 180.0
"""What is assumed of a satellite whose operator says nothing of it: see `Satellite`."""


def mode_name(word: str) -> str:
    """Name of a mode in the words of STAC's SAR extension, where it is one of those.

    Examples
    --------
    >>> mode_name("spot"), mode_name("Spotlight"), mode_name("dual-beam")
    ('spotlight', 'spotlight', 'dual-beam')
    """
    lower = word.strip().lower()
    return str(_OTHER_WORDS.get(lower, lower))


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
        Width of the image across the track; a scene is as long as it is wide.
    shortest_s
        Time that an image needs; 0: that in which a strip as long as it is wide passes.
    incidence_rad
        Range of the incidence angle; None: that of the sensor.
    resolution_m
        Coarser resolution on the ground; None where nobody says.
    """

    kind: ModeKind
    swath_m: float
    shortest_s: float
    incidence_rad: tuple[float, float] | None = None
    resolution_m: float | None = None


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
        By name; see `mode_name`.
    unchecked, assumed
        Which of these were told from memory, and which nobody published.
    turn_duty_s
        How long it may image in a turn of its orbit; None where nobody says.
    turn_s, side_s
        Least time between two images, and between two on different sides of the track; None where nobody says.
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
    turn_s: float | None = None
    side_s: float | None = None

    def geometry(self, mode: str | None = None) -> Geometry | None:
        """Limits of a mode, or of the sensor whatever the mode; None where it has no such mode.

        A strip is taken as the beam passes and a spot while it stays; the sensor's squint limits both, and what tells them apart
        is the time that they need.
        """
        if mode is None:
            return Geometry(*self.incidence_rad, self.look, squint_max_rad=self.squint_max_rad)
        one = self.modes.get(mode_name(mode))
        if one is None:
            return None
        low, high = one.incidence_rad or self.incidence_rad
        return Geometry(low, high, self.look, squint_max_rad=self.squint_max_rad, shortest_s=one.shortest_s)

    def taskable(self) -> dict[Mode, ModeLimits]:
        """Modes that can be ordered, with what each needs."""
        found = {}
        for mode in Mode:
            one = self.modes.get(mode)
            if one is not None:
                duration_s = one.shortest_s or one.swath_m / _GROUND_SPEED_M_S
                limits = one.incidence_rad or self.incidence_rad
                found[mode] = ModeLimits(duration_s, one.swath_m, *limits, one.resolution_m)
        return found

    def guessed(self) -> tuple[str, ...]:
        """What is assumed where images are scheduled: `assumed`, and what is taken for want of any word."""
        silent = [name for name in ("turn_s", "side_s", "turn_duty_s") if getattr(self, name) is None]
        return (*self.assumed, *silent)


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


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Radars, and who has satellites.

    Parameters
    ----------
    sensors
        Radars.
    providers
        Who can be asked for images, as far as more is known than that.
    parties
        Whose the satellites are, by how their names begin, where their radar is not known; or against what the radar says.

    Examples
    --------
    >>> Catalogue().sensor("QPS-SAR-5").assumed
    ('incidence_deg', 'look', 'squint_deg')
    """

    sensors: tuple[Sensor, ...] = ()
    providers: tuple[Provider, ...] = ()
    parties: tuple[tuple[str, Party], ...] = ()

    def sensor(self, satellite: str) -> Sensor:
        """Sensor of a satellite, by the longest beginning of its name that is known; an unknown one where none is.

        Of two files that name one beginning, the first that was read holds.
        """
        radar = _longest(satellite, ((beginning, one) for one in self.sensors for beginning in one.satellites))
        party = _longest(satellite, self.parties)
        known = UNKNOWN_SENSOR if radar is None else radar[1]
        if party is not None and (radar is None or len(party[0]) >= len(radar[0])):
            return replace(known, party=party[1])
        return known

    def satellite(self, name: str) -> Satellite | None:
        """What can be ordered of a satellite; None where nothing can, or nobody knows whose it is."""
        sensor = self.sensor(name)
        modes = sensor.taskable()
        if sensor.party is None or not modes:
            return None
        turn_s, side_s, duty_s = sensor.turn_s or TURN_S, sensor.side_s or SIDE_S, sensor.turn_duty_s or DUTY_S
        return Satellite(name, sensor.party, modes, turn_s, side_s, duty_s)

    def smallest_scene_m(self, modes: Iterable[Mode]) -> float | None:
        """Smallest scene of some modes, which fits every one of them; None where no radar has one."""
        wanted = set(modes)
        sizes = [limits.scene_m for one in self.sensors for mode, limits in one.taskable().items() if mode in wanted]
        return min(sizes, default=None)

    def beside(self, other: Catalogue) -> Catalogue:
        """Both; where they name the same, this one holds."""
        ours = {provider.party for provider in self.providers}
        providers = (*self.providers, *(one for one in other.providers if one.party not in ours))
        return Catalogue((*self.sensors, *other.sensors), providers, (*self.parties, *other.parties))


def _longest[Value](name: str, known: Iterable[tuple[str, Value]]) -> tuple[str, Value] | None:
    """What is known by the longest beginning of a name; the first where two are as long."""
    fitting = [one for one in known if name.upper().startswith(one[0].upper())]
    return max(fitting, key=lambda one: len(one[0]), default=None)
