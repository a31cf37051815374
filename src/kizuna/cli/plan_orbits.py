"""What the planning commands share: satellites out of files of orbits, ready for the time that is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.cli.terminal import read_file
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.earth.elements import MeanElements
    from kizuna.earth.orbit import Track
    from kizuna.formats.oem import StateSet

__all__ = ["Orbits", "orbits_of"]


@dataclass(frozen=True, slots=True)
class Orbits:
    """Satellites, in the order of their files: names, tracks, and elements where these were given (None for an ephemeris)."""

    names: tuple[str, ...]
    tracks: tuple[Track, ...]
    elements: tuple[MeanElements | None, ...]

    def take(self, which: Sequence[int]) -> Orbits:
        """Some of them, by their places."""
        return Orbits(
            tuple(self.names[number] for number in which),
            tuple(self.tracks[number] for number in which),
            tuple(self.elements[number] for number in which),
        )


def orbits_of(paths: Sequence[Path], only: Sequence[str], begin: Instant, duration_s: float, *, max_age_days: float) -> Orbits:
    """Satellites of files of orbits.

    Parameters
    ----------
    paths
        TLE, 3LE, OMM or OEM.
    only
        How names begin; none: all satellites.
    begin, duration_s
        Time that is asked about.
    max_age_days
        How far elements may be off that time.

    Raises
    ------
    InputError
        A file cannot be used, elements are too old, or no satellite is left.
    """
    from kizuna.earth.orbit import track_of
    from kizuna.earth.states import track_of_states
    from kizuna.formats.element_sets import newest_sets, refuse_unusable
    from kizuna.formats.orbit_files import read_orbits

    read = [read_orbits(read_file(path)) for path in paths]
    sets = [one for found, _states in read for one in found if not only or one.elements.name.startswith(tuple(only))]
    chosen = newest_sets(sets, begin)
    refuse_unusable(chosen, begin, Instant(begin + timedelta(seconds=duration_s)), most_days=max_age_days)
    by_name: dict[str, list[StateSet]] = {}
    for one in (one for _sets, found in read for one in found):
        if not only or one.states.name.startswith(tuple(only)):
            by_name.setdefault(one.states.name, []).append(one)
    if not chosen and not by_name:
        raise InputError(Message("no satellite is left"), hint=Message("correct --satellite"), field="satellite")
    tracks = [track_of(one.elements, begin, duration_s) for one in chosen]
    for segments in by_name.values():
        states = sorted((one.states for one in segments), key=lambda one: one.epoch)
        tracks.append(track_of_states(states, begin, duration_s))
    names = (*(one.elements.name for one in chosen), *by_name)
    return Orbits(names, tuple(tracks), (*(one.elements for one in chosen), *([None] * len(by_name))))
