"""Satellites out of files of orbits and the catalogue, ready for the time that is asked about; and what an answer rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.cli.terminal import Progress, _, read_file, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, format_instant
from kizuna.model.label import label_to_json
from kizuna.wiring import label_path, read_label_file, sample_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kizuna.cli.plan_options import AskedSatellites
    from kizuna.earth.elements import MeanElements
    from kizuna.earth.orbit import Track
    from kizuna.earth.states import States
    from kizuna.formats.element_sets import ElementSet
    from kizuna.formats.oem import StateSet
    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.planning.geometry import Geometry, Places
    from kizuna.planning.satellites import Ages, Limits, Satellites
    from kizuna.planning.sensors import Catalogue, Sensor
    from kizuna.planning.uncertainty import Ageing
    from kizuna.planning.windows import AccessWindows

__all__ = ["Flown", "Source", "catalogue_of", "fly", "fly_paper", "marked", "names_in"]

_DAY_S = 86400.0
_OLD_DAYS = 7.0
"""Elements that are older than that at some time of what is asked are warned about."""
_WORDS = {"incidence_deg": "incidence_rad", "look": "look", "squint_deg": "squint_max_rad"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file of orbits, how many satellites were taken from it, and the label under which it was handed over."""

    name: str
    satellites: int
    label: Label | None


@dataclass(frozen=True, slots=True, eq=False)
class Flown:
    """Satellites that are asked about, and what all that is said of them rests on.

    Parameters
    ----------
    satellites
        Satellites with their limits.
    limits
        What was asked beside what each radar can do.
    begin, duration_s
        Time that is asked about.
    ageing
        How their elements age.
    sources
        Files that they come from.
    """

    satellites: Satellites
    limits: Limits
    begin: Instant
    duration_s: float
    ageing: Ageing
    sources: tuple[Source, ...]

    @property
    def end(self) -> Instant:
        """End of the time."""
        return self.at(self.duration_s)

    def at(self, seconds: float) -> Instant:
        """Instant that lies so many seconds after the begin."""
        return Instant(self.begin + timedelta(seconds=seconds))

    @property
    def labels(self) -> tuple[Label, ...]:
        """Labels that orbits were handed over under, each once: what is planned with them tells where the satellites are."""
        return tuple(dict.fromkeys(one.label for one in self.sources if one.label is not None))

    def take(self, which: Sequence[int]) -> Flown:
        """Some of the satellites, by their places."""
        return replace(self, satellites=self.satellites.take(which))

    def beside(self, paper: Flown) -> Flown:
        """These, and satellites on paper."""
        return replace(self, satellites=self.satellites.beside(paper.satellites))

    def within(self, limits: Limits) -> Flown:
        """Those that can anything within other limits."""
        from kizuna.planning.satellites import satellites_of

        own = self.satellites
        return replace(self, limits=limits, satellites=satellites_of(own.names, own.tracks, own.elements, own.sensors, limits))

    def windows(self, places: Places) -> AccessWindows:
        """All their windows over places, each with how sure its edges are."""
        from kizuna.planning.satellites import windows_over

        return windows_over(self.satellites, places, epoch=self.begin, ageing=self.ageing, progress=Progress(_("searching")))

    def form(self) -> dict[str, Json]:
        """What an answer rests on, as JSON: satellites with their limits and ages, files with their labels."""
        told = zip(self.satellites.names, self.satellites.sensors, self.satellites.limits, self.satellites.elements, strict=True)
        satellites: list[Json] = [_satellite(self.begin, *one) for one in told]
        return {"satellites": satellites, "orbits": self.rests_on()}

    def rests_on(self) -> list[Json]:
        """Files of orbits with their labels, as JSON."""
        return [
            {"file": one.name, "satellites": one.satellites, "label": None if one.label is None else label_to_json(one.label)}
            for one in self.sources
        ]

    def tell(self) -> None:
        """Say on stderr what an answer rests on: labels, the age of elements, gaps, guesses."""
        for label in self.labels:
            say(Message("UNDER A LABEL, since orbits were handed over under it: {label}", {"label": marked(label)}), err=True)
        ages = self.satellites.ages(self.begin, self.duration_s, self.ageing)
        if ages is not None:
            _tell_ages(ages)
        self._tell_gaps()
        _tell_guesses(self.satellites.sensors, self.limits)

    def _tell_gaps(self) -> None:
        for name, track in zip(self.satellites.names, self.satellites.tracks, strict=True):
            if track.begin_s > 1.0 or track.end_s < self.duration_s - 1.0:
                since, until = (format_instant(self.at(s)) for s in (track.begin_s, track.end_s))
                values: dict[str, str | int | float] = {"name": name, "since": since, "until": until}
                say(Message("{name}: where it is is known from {since} to {until} only; without it else", values), err=True)


def marked(label: Label) -> str:
    """A label in one line."""
    return f"{label.policy} {label.classification} ({label.originator})"


def catalogue_of(asked: AskedSatellites, fleet: Path | None = None) -> Catalogue:
    """Catalogue that a person asks with: a fleet alone, or files of one's own before the sample's.

    Raises
    ------
    InputError
        If a file is none of a catalogue.
    """
    from kizuna.formats.sensors_file import parse_provider, read_catalogue
    from kizuna.planning.sensors import Catalogue

    sample = sample_folder("planning") / "sensors.toml"
    paths = [*asked.sensors, sample if fleet is None else fleet]
    found = Catalogue(parties=tuple(parse_provider(text) for text in asked.providers))
    for path in paths:
        found = found.beside(read_catalogue(read_file(path), name=path.name))
    return found


def names_in(elements: Sequence[Path]) -> list[str]:
    """Names of the satellites of files of orbits, each once; without files, of the sample's."""
    read = [_orbits_in(path) for path in _files(elements)]
    names = [name for sets, states in read for name in (*(s.elements.name for s in sets), *(s.states.name for s in states))]
    return list(dict.fromkeys(names))


def _files(elements: Sequence[Path]) -> list[Path]:
    return list(elements) or [sample_folder("planning") / "satellites.3le"]


def _orbits_in(path: Path) -> tuple[tuple[ElementSet, ...], tuple[StateSet, ...]]:
    """What `read_orbits` finds in a file, of several of which an error must say which it is about."""
    from kizuna.formats.orbit_files import read_orbits

    try:
        sets, states = read_orbits(read_file(path))
    except InputError as error:
        raise _about(path.name, error) from error
    if not sets and not states:
        raise InputError(
            Message("{file}: no orbit stands in it", {"file": path.name}),
            hint=Message("check that the whole file arrived"),
            field="elements",
        )
    return sets, states


def _about(name: str, error: InputError) -> InputError:
    """An error, with the file or the satellite that it is about."""
    return InputError(Message("{name}: {what}", {"name": name, "what": error.message}), hint=error.hint, field=error.field)


def _refuse_two_truths(sets: Sequence[tuple[ElementSet, Path]]) -> None:
    """Refuse files that say different things of one satellite and one epoch."""
    from kizuna.formats.element_sets import fault_at

    seen: dict[tuple[int, Instant], tuple[ElementSet, Path]] = {}
    for one, path in sets:
        first, before = seen.setdefault((one.elements.number, one.elements.epoch), (one, path))
        if replace(first.elements, name=one.elements.name) != one.elements:
            values: dict[str, str | int | float] = {"number": one.elements.number, "first": before.name}
            message = Message("satellite {number} has other elements here than in {first}, of one epoch", values)
            hint = Message("leave one of the two sets out")
            raise _about(path.name, fault_at(one.number_at, message, hint))


def fly(
    elements: Sequence[Path],
    asked: AskedSatellites,
    limits: Limits,
    begin: Instant,
    duration_s: float,
    *,
    catalogue: Catalogue | None = None,
    where: Callable[[str], bool] | None = None,
) -> Flown:
    """Satellites of files of orbits, with the limits of their radars.

    Parameters
    ----------
    elements
        TLE, 3LE, OMM or OEM, mixed; none: the sample's. Beside each may lie its label, as ``FILE.label.toml``.
    asked
        Which of them.
    limits
        What is asked of the geometry.
    begin, duration_s
        Time that is asked about.
    catalogue
        What is known of radars; that which `asked` names by default.
    where
        Which names are taken besides; all by default.

    Raises
    ------
    InputError
        A file cannot be used, elements are too old, or no satellite is left.
    """
    from kizuna.earth.orbit import track_of
    from kizuna.earth.states import track_of_states
    from kizuna.formats.element_sets import newest_sets, refuse_unusable
    from kizuna.planning.satellites import satellites_of

    def wanted(name: str) -> bool:
        return (not asked.only or name.startswith(asked.only)) and (where is None or where(name))

    sets: list[tuple[ElementSet, Path]] = []
    segments: dict[str, list[States]] = {}
    came: dict[str, set[Path]] = {}
    paths = _files(elements)
    for path in paths:
        found, states = _orbits_in(path)
        for one in (one for one in found if wanted(one.elements.name)):
            sets.append((one, path))
            came.setdefault(one.elements.name, set()).add(path)
        for each in (each for each in states if wanted(each.states.name)):
            segments.setdefault(each.states.name, []).append(each.states)
            came.setdefault(each.states.name, set()).add(path)
    # Of a satellite whose states are given those are taken: they are nearer to the truth than elements are.
    _refuse_two_truths(sets)
    chosen = [one for one in newest_sets([one for one, _path in sets], begin) if one.elements.name not in segments]
    if not chosen and not segments:
        raise InputError(
            Message("no satellite is left"),
            hint=Message("correct --satellite, or name orbits of satellites that the catalogue knows"),
            field="satellite",
        )
    refuse_unusable(chosen, begin, Instant(begin + timedelta(seconds=duration_s)), most_days=asked.max_age)
    names = [*(one.elements.name for one in chosen), *segments]
    _refuse_twice(names)
    tracks: list[Track] = [track_of(one.elements, begin, duration_s) for one in chosen]
    for name, some in segments.items():
        try:
            tracks.append(track_of_states(sorted(some, key=lambda one: one.epoch), begin, duration_s))
        except InputError as error:
            raise _about(name, error) from error
    known: list[MeanElements | None] = [*(one.elements for one in chosen), *([None] * len(segments))]
    radars = catalogue or catalogue_of(asked)
    made = satellites_of(names, tracks, known, [radars.sensor(name) for name in names], limits)
    taken = set(made.names)
    sources = [Source(path.name, sum(path in came[name] for name in taken), _label_of(path)) for path in paths]
    return Flown(made, limits, begin, duration_s, _ageing(asked), tuple(one for one in sources if one.satellites))


def fly_paper(elements: Sequence[MeanElements], sensors: Sequence[Sensor], limits: Limits, begin: Instant, days: float) -> Flown:
    """Satellites on paper, each with a radar; nothing of them is uncertain, for nobody measured it."""
    from kizuna.earth.orbit import track_of
    from kizuna.planning.satellites import satellites_of
    from kizuna.planning.uncertainty import PUBLIC_SETS

    duration_s = days * _DAY_S
    tracks = [track_of(one, begin, duration_s) for one in elements]
    made = satellites_of([one.name for one in elements], tracks, [None] * len(elements), sensors, limits)
    return Flown(made, limits, begin, duration_s, PUBLIC_SETS, ())


def _refuse_twice(names: Sequence[str]) -> None:
    """Refuse two satellites of one name: windows are told by names."""
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise InputError(
            Message("two satellites with different numbers are called {name}", {"name": twice}),
            hint=Message("leave one of the two out, or give it another name in its file"),
            field="elements",
        )


def _label_of(path: Path) -> Label | None:
    beside = label_path(path)
    return read_label_file(beside) if beside.exists() else None


def _ageing(asked: AskedSatellites) -> Ageing:
    from kizuna.planning.uncertainty import PUBLIC_SETS, learn_ageing

    if asked.history is None:
        return PUBLIC_SETS
    older = [one.elements for one in _orbits_in(asked.history)[0]]
    return learn_ageing(older, progress=Progress(_("learning")))


def _satellite(begin: Instant, name: str, radar: Sensor, geometry: Geometry, elements: MeanElements | None) -> Json:
    return {
        "satellite": name,
        "party": radar.party,
        "sensor": radar.name or None,
        "incidence_deg": [round(math.degrees(angle), 6) for angle in (geometry.incidence_min_rad, geometry.incidence_max_rad)],
        "look": str(geometry.look),
        "squint_deg": None if geometry.squint_max_rad is None else round(math.degrees(geometry.squint_max_rad), 6),
        "assumed": list(radar.assumed),
        "unchecked": list(radar.unchecked),
        "epoch": None if elements is None else format_instant(elements.epoch),
        "age_days": None if elements is None else round((begin - elements.epoch).total_seconds() / _DAY_S, 3),
    }


def _tell_ages(ages: Ages) -> None:
    values: dict[str, str | int | float] = {
        "youngest": f"{ages.youngest_days:.1f}",
        "oldest": f"{ages.oldest_days:.1f}",
        "last": f"{ages.last_days:.1f}",
        "width": f"{ages.last_width_s:.0f}",
    }
    say(Message("Elements are {youngest} to {oldest} days off the begin.", values), err=True)
    if ages.last_days > _OLD_DAYS:
        told = Message(
            "WARNING: some are up to {last} days old in this time, and edges of windows off by up to {width} s.", values
        )
        say(told, err=True)


def _all_of(names: Sequence[str], everyone: Sequence[str]) -> str:
    """Names, each once; in a word where these are all of several."""
    once = list(dict.fromkeys(names))
    return _("all") if len(once) == len(everyone) > 1 else ", ".join(once)


def _tell_guesses(radars: Sequence[Sensor], limits: Limits) -> None:
    """Say on which guesses the answer rests."""
    everyone = list(dict.fromkeys(radar.name or _("unknown radars") for radar in radars))
    for title, field in ((_("assumed, for nobody published it"), "assumed"), (_("told from memory, not checked"), "unchecked")):
        told: dict[str, list[str]] = {}
        for radar in radars:
            guesses = radar.guessed() if limits.orderable and field == "assumed" else getattr(radar, field)
            for name in guesses:
                matters = getattr(limits, _WORDS[name]) is None if name in _WORDS else limits.orderable or limits.mode is not None
                if matters and name != "band":
                    told.setdefault(name, []).append(radar.name or _("unknown radars"))
        if told:
            text = "; ".join(f"{name}: {_all_of(names, everyone)}" for name, names in told.items())
            say(f"{title}: {text}", err=True)
