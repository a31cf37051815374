"""Satellites with their limits: the one place where orbits and the catalogue become what windows are sought of.

A satellite has the limits of its radar; what a person asks besides (a mode, a range of incidence, a side) is laid over them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kizuna.errors import InputError, Message
from kizuna.planning.access import find_windows
from kizuna.planning.geometry import Direction, Geometry
from kizuna.planning.uncertainty import PUBLIC_SETS, with_uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.earth.elements import MeanElements
    from kizuna.earth.orbit import Track
    from kizuna.model.instants import Instant
    from kizuna.planning.geometry import Look, Places
    from kizuna.planning.sensors import Sensor
    from kizuna.planning.uncertainty import Ageing
    from kizuna.planning.windows import AccessWindows

__all__ = ["Ages", "Limits", "Satellites", "satellites_of", "windows_over"]

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person asks of the geometry beside what each radar can do; None: the radar's own.

    Parameters
    ----------
    incidence_rad
        Range of the incidence angle.
    look, direction
        Side of the track; northbound or southbound passes.
    squint_max_rad
        Largest squint.
    shortest_s
        Shorter windows are left out.
    mode
        Only radars with this mode, within its limits.
    orderable
        Only radars of which images can be ordered, within the limits of all modes that can be.
    """

    incidence_rad: tuple[float, float] | None = None
    look: Look | None = None
    direction: Direction = Direction.EITHER
    squint_max_rad: float | None = None
    shortest_s: float | None = None
    mode: str | None = None
    orderable: bool = False

    def of(self, sensor: Sensor) -> Geometry | None:
        """Limits of a radar under these; None where it has no such mode."""
        own = sensor.geometry(self.mode)
        if self.orderable and own is not None:
            modes = sensor.taskable().values()
            if not modes:
                return None
            low, high = min(one.incidence_min_rad for one in modes), max(one.incidence_max_rad for one in modes)
            shortest_s = min(one.duration_s for one in modes)
            own = replace(own, incidence_min_rad=low, incidence_max_rad=high, shortest_s=shortest_s)
        if own is None:
            return None
        asked: dict[str, Any] = {"direction": self.direction}
        if self.incidence_rad is not None:
            asked["incidence_min_rad"], asked["incidence_max_rad"] = self.incidence_rad
        asked |= {name: value for name in ("look", "squint_max_rad", "shortest_s") if (value := getattr(self, name)) is not None}
        return replace(own, **asked)


@dataclass(frozen=True, slots=True)
class Ages:
    """How old the elements of satellites are in the time that is asked about.

    Parameters
    ----------
    youngest_days, oldest_days
        How far their epochs lie off its begin, before or after it.
    last_days
        How far they lie off any instant of it, at most.
    last_width_s
        Half of the interval in which a window's edge lies then with 95 %: the widest of all satellites.
    aged
        Satellites with elements; those of an ephemeris have no age.
    """

    youngest_days: float
    oldest_days: float
    last_days: float
    last_width_s: float
    aged: int


@dataclass(frozen=True, slots=True, eq=False)
class Satellites:
    """Satellites, each with where it is, whose it is and what it can image.

    Parameters
    ----------
    names
        What they are called.
    tracks
        Where they are; all count from one epoch.
    elements
        Elements, where these were given; None for an ephemeris.
    sensors
        Their radars.
    limits
        What an access window has to hold to.
    """

    names: tuple[str, ...]
    tracks: tuple[Track, ...]
    elements: tuple[MeanElements | None, ...]
    sensors: tuple[Sensor, ...]
    limits: tuple[Geometry, ...]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, which: Sequence[int]) -> Satellites:
        """Some of them, by their places."""
        return Satellites(
            tuple(self.names[number] for number in which),
            tuple(self.tracks[number] for number in which),
            tuple(self.elements[number] for number in which),
            tuple(self.sensors[number] for number in which),
            tuple(self.limits[number] for number in which),
        )

    def beside(self, other: Satellites) -> Satellites:
        """These and others, about the same time."""
        return Satellites(
            self.names + other.names,
            self.tracks + other.tracks,
            self.elements + other.elements,
            self.sensors + other.sensors,
            self.limits + other.limits,
        )

    def ages(self, begin: Instant, duration_s: float, ageing: Ageing = PUBLIC_SETS) -> Ages | None:
        """How old their elements are; None where all come from ephemerides."""
        known = [one for one in self.elements if one is not None]
        if not known:
            return None
        since_s = np.array([(begin - one.epoch).total_seconds() for one in known])
        ages_s, last_s = np.abs(since_s), np.maximum(np.abs(since_s), np.abs(since_s + duration_s))
        widths_s = [
            max(float(ageing.half_width_s(one, age)), float(ageing.half_width_s(one, age + duration_s)))
            for one, age in zip(known, since_s, strict=True)
        ]
        return Ages(
            float(ages_s.min()) / _DAY_S,
            float(ages_s.max()) / _DAY_S,
            float(last_s.max()) / _DAY_S,
            max(widths_s),
            len(known),
        )


def satellites_of(
    names: Sequence[str],
    tracks: Sequence[Track],
    elements: Sequence[MeanElements | None],
    sensors: Sequence[Sensor],
    limits: Limits | None = None,
) -> Satellites:
    """Satellites with the limits of their radars.

    Parameters
    ----------
    names, tracks, elements, sensors
        As in `Satellites`.
    limits
        What is asked besides; a satellite whose radar has no such mode is left out.

    Raises
    ------
    InputError
        No radar has the mode that is asked for.
    """
    asked = Limits() if limits is None else limits
    fitting = [(number, own) for number, sensor in enumerate(sensors) if (own := asked.of(sensor)) is not None]
    if not fitting:
        modes = ", ".join(sorted({name for sensor in sensors for name in sensor.modes}))
        raise InputError(
            Message("no satellite has a mode {mode}", {"mode": asked.mode})
            if asked.mode is not None
            else Message("of no satellite an image can be ordered: the catalogue knows none of their modes"),
            hint=Message("known modes: {modes}", {"modes": modes}),
            field="mode" if asked.mode is not None else "elements",
        )
    which = [number for number, _own in fitting]
    return Satellites(
        tuple(names[number] for number in which),
        tuple(tracks[number] for number in which),
        tuple(elements[number] for number in which),
        tuple(sensors[number] for number in which),
        tuple(own for _number, own in fitting),
    )


def windows_over(
    satellites: Satellites,
    places: Places,
    *,
    epoch: Instant,
    ageing: Ageing = PUBLIC_SETS,
    progress: Callable[[int, int], None] | None = None,
) -> AccessWindows:
    """All windows of satellites over places, each with how sure its edges are; see `kizuna.planning.access.find_windows`."""
    found = find_windows(satellites.tracks, satellites.names, places, satellites.limits, epoch=epoch, progress=progress)
    return with_uncertainty(found, satellites.elements, ageing)
