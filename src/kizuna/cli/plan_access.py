"""``kizuna plan access``: every window in which a satellite can image a place."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, print_json, print_table, read_file, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, format_instant, parse_instant
from kizuna.wiring import sample_folder, system_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.planning.geometry import Geometry
    from kizuna.planning.sensors import Sensor
    from kizuna.planning.windows import AccessWindows

__all__ = ["access"]

_LONGEST_H = 24.0 * 366


@click.command(
    help=_("Find every window in which satellites can image places: none is missed, however short."),
    epilog=examples(
        "kizuna plan access satellites.3le --target Kyiv=50.45,30.52 --target Tokyo=35.68,139.69 --hours 48",
        "kizuna plan access satellites.3le --targets places.csv --incidence 20:35 --look right --json",
    ),
)
@click.argument("elements", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--target", "named", multiple=True, metavar="NAME=LAT,LON[,HEIGHT]", help=_("Place, degrees and metres; may be repeated.")
)
@click.option("--targets", type=click.Path(path_type=Path), help=_("Places in a CSV table or as GeoJSON points."))
@click.option("--from", "begin", metavar="INSTANT", help=_("When to begin, RFC 3339; now if left out."))
@click.option("--hours", default=24.0, show_default=True, help=_("For how long."))
@click.option(
    "--satellite", "only", multiple=True, metavar="NAME", help=_("Only satellites whose name begins so; may be repeated.")
)
@click.option("--incidence", metavar="MIN:MAX", help=_("Incidence angles, degrees; the sensor's own if left out."))
@click.option(
    "--look", type=click.Choice(["left", "right", "either"]), help=_("Side of the track; the sensor's own if left out.")
)
@click.option(
    "--direction",
    default="either",
    show_default=True,
    type=click.Choice(["ascending", "descending", "either"]),
    help=_("Northbound or southbound passes."),
)
@click.option(
    "--squint",
    type=float,
    metavar="DEGREES",
    help=_("Largest squint; 0: only zero-Doppler instants; the sensor's own if left out."),
)
@click.option("--shortest", type=float, metavar="SECONDS", help=_("Leave out windows that are shorter."))
@click.option("--mode", metavar="NAME", help=_("Only sensors with this mode, within its limits: spot, strip and others."))
@click.option("--sensors", type=click.Path(path_type=Path), help=_("What radars can image, a TOML file instead of the sample's."))
@click.option(
    "--max-age", default=30.0, show_default=True, metavar="DAYS", help=_("Refuse elements whose epoch lies farther off.")
)
@click.option("--history", type=click.Path(path_type=Path), help=_("Older element sets, from which to learn how they age."))
@as_json
def access(
    elements: tuple[Path, ...],
    named: tuple[str, ...],
    targets: Path | None,
    begin: str | None,
    hours: float,
    only: tuple[str, ...],
    incidence: str | None,
    look: str | None,
    direction: str,
    squint: float | None,
    shortest: float | None,
    mode: str | None,
    sensors: Path | None,
    max_age: float,
    history: Path | None,
    json_: bool,
) -> None:
    """Access."""
    from kizuna.cli.plan_orbits import orbits_of
    from kizuna.formats.orbit_files import read_orbits
    from kizuna.formats.places import parse_place, read_places
    from kizuna.formats.sensors_file import read_sensors
    from kizuna.planning.access import find_windows
    from kizuna.planning.geometry import Places
    from kizuna.planning.sensors import sensor_of
    from kizuna.planning.uncertainty import PUBLIC_SETS, learn_ageing, with_uncertainty

    asked = _asked(incidence, look, direction, squint, shortest)
    epoch = system_now() if begin is None else parse_instant(begin, field="from")
    if not 0.0 <= hours <= _LONGEST_H:
        raise InputError(Message("got {got} hours, expected 0 to {most}", {"got": hours, "most": _LONGEST_H}), field="hours")
    places = [parse_place(text) for text in named] + ([] if targets is None else list(read_places(read_file(targets))))
    if not places:
        raise InputError(Message("no place is named"), hint=Message("name one with --target or --targets"), field="target")
    path = sensors or sample_folder("planning") / "sensors.toml"
    known = read_sensors(read_file(path), name=path.name)
    orbits = orbits_of(elements, only, epoch, hours * 3600.0, max_age_days=max_age)
    radars = [sensor_of(name, known) for name in orbits.names]
    fitting = [(number, limits) for number, radar in enumerate(radars) if (limits := radar.geometry(mode)) is not None]
    if not fitting:
        raise InputError(
            Message("no satellite has a mode {mode}", {"mode": mode or ""}),
            hint=Message("known modes: {modes}", {"modes": ", ".join(sorted({name for radar in known for name in radar.modes}))}),
            field="mode",
        )
    orbits = orbits.take([number for number, _limits in fitting])
    radars = [radars[number] for number, _limits in fitting]
    geometry = [replace(limits, **asked) for _number, limits in fitting]
    index = Places.of([name for name, _place in places], [place for _name, place in places])
    windows = find_windows(orbits.tracks, orbits.names, index, geometry, epoch=epoch, progress=Progress(_("searching")))
    ageing = PUBLIC_SETS
    if history is not None:
        older = [one.elements for one in read_orbits(read_file(history))[0]]
        ageing = learn_ageing(older, progress=Progress(_("learning")))
    windows = with_uncertainty(windows, orbits.elements, ageing)
    if json_:
        told = [_limits(*one) for one in zip(orbits.names, radars, geometry, strict=True)]
        print_json({"from": format_instant(epoch), "hours": hours, "satellites": [*told], "windows": [*_rows(windows)]})
    else:
        _show(windows)
        _warn(radars, asked)


def _asked(
    incidence: str | None, look: str | None, direction: str, squint: float | None, shortest: float | None
) -> dict[str, Any]:
    """Limits that a person set, by their names in `Geometry`."""
    from kizuna.planning.geometry import Direction, Geometry, Look

    asked: dict[str, Any] = {"direction": Direction(direction)}
    if incidence is not None:
        asked["incidence_min_rad"], asked["incidence_max_rad"] = _range(incidence)
    if look is not None:
        asked["look"] = Look(look)
    if squint is not None:
        asked["squint_max_rad"] = math.radians(squint)
    if shortest is not None:
        asked["shortest_s"] = shortest
    # Refused here, where it is a person's own words that are wrong.
    Geometry(**asked)
    return asked


_ASKED = {"incidence_deg": "incidence_max_rad", "look": "look", "squint_deg": "squint_max_rad"}


def _limits(name: str, radar: Sensor, geometry: Geometry) -> Json:
    return {
        "satellite": name,
        "party": radar.party,
        "sensor": radar.name or None,
        "incidence_deg": [round(math.degrees(angle), 6) for angle in (geometry.incidence_min_rad, geometry.incidence_max_rad)],
        "look": str(geometry.look),
        "squint_deg": None if geometry.squint_max_rad is None else round(math.degrees(geometry.squint_max_rad), 6),
        "assumed": list(radar.assumed),
        "unchecked": list(radar.unchecked),
    }


def _warn(radars: Sequence[Sensor], asked: dict[str, Any]) -> None:
    """Say on which guesses the answer rests."""
    for title, field in ((_("assumed, for nobody published it"), "assumed"), (_("told from memory, not checked"), "unchecked")):
        told = dict.fromkeys(
            f"{radar.name or _('unknown radars')} {name}"
            for radar in radars
            for name in getattr(radar, field)
            if name in _ASKED and _ASKED[name] not in asked
        )
        if told:
            say(f"{title}: {', '.join(told)}", err=True)


def _range(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        if colon:
            return math.radians(float(low)), math.radians(float(high))
    except ValueError:
        pass
    raise InputError(
        Message("{got!r} is no range of incidence angles", {"got": text}),
        hint=Message("write for example 15:45, in degrees"),
        field="incidence",
    )


def _rows(windows: AccessWindows) -> list[Json]:
    return [
        {
            "target": windows.targets[windows.target[row]],
            "satellite": windows.satellites[windows.satellite[row]],
            "start": format_instant(windows.instant(windows.start_s[row])),
            "end": format_instant(windows.instant(windows.end_s[row])),
            "closest": format_instant(windows.instant(windows.closest_s[row])),
            "incidence_deg": round(math.degrees(windows.incidence_rad[row]), 3),
            "look": "right" if windows.right[row] else "left",
            "direction": "ascending" if windows.ascending[row] else "descending",
            "edge_uncertainty_s": None if math.isnan(sure := float(windows.edge_uncertainty_s[row])) else round(sure, 3),
        }
        for row in range(len(windows))
    ]


def _show(windows: AccessWindows) -> None:
    if not len(windows):
        say(Message("No window."))
        return
    head = (_("target"), _("satellite"), _("start"), _("seconds"), _("edges (95 %)"), _("incidence"), _("look"), _("direction"))
    rows = [
        (
            windows.targets[windows.target[row]],
            windows.satellites[windows.satellite[row]],
            format_instant(Instant(windows.instant(windows.start_s[row]).replace(microsecond=0))),
            f"{windows.duration_s[row]:.1f}",
            "–" if math.isnan(windows.edge_uncertainty_s[row]) else f"±{windows.edge_uncertainty_s[row]:.1f} s",
            f"{math.degrees(windows.incidence_rad[row]):.1f}°",
            _("right") if windows.right[row] else _("left"),
            _("ascending") if windows.ascending[row] else _("descending"),
        )
        for row in range(len(windows))
    ]
    print_table(head, rows)
