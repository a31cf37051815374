"""``kizuna plan access``: every window in which a satellite can image a place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_files import WINDOW_KINDS, window_rows, write_windows
from kizuna.cli.plan_options import (
    AskedLimits,
    AskedPlaces,
    AskedSatellites,
    Asking,
    elements_argument,
    limit_options,
    output_option,
    place_options,
    refuse_existing,
    satellite_options,
)
from kizuna.cli.plan_orbits import fly
from kizuna.cli.plan_search import ask
from kizuna.cli.terminal import _, as_json, examples, print_json, print_table, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, format_instant

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.planning.windows import AccessWindows

__all__ = ["access"]

_LONGEST_H = 24.0 * 366


@click.command(
    help=_(
        "Find every window in which satellites can image places: none is missed, however short. ELEMENTS are orbits, as TLE, OMM "
        "or OEM; without any those of the sample are flown."
    ),
    epilog=examples(
        "kizuna plan access satellites.3le --target Kyiv=50.45,30.52 --target Tokyo=35.68,139.69 --hours 48",
        "kizuna plan access satellites.3le partner.oem --targets places.csv --incidence 20:35 --look right --json",
        "kizuna plan access satellites.3le --target Kyiv=50.45,30.52 --output windows.parquet --output windows.ics",
    ),
)
@elements_argument
@place_options
@click.option("--from", "begin", metavar="INSTANT", help=_("When to begin, RFC 3339; now if left out."))
@click.option("--hours", default=24.0, show_default=True, help=_("For how long."))
@satellite_options
@limit_options
@output_option(WINDOW_KINDS)
@as_json
def access(
    elements: tuple[Path, ...],
    places: AskedPlaces,
    begin: str | None,
    hours: float,
    satellites: AskedSatellites,
    limits: AskedLimits,
    outputs: tuple[Path, ...],
    json_: bool,
) -> None:
    """Access."""
    from kizuna.planning.geometry import Places

    refuse_existing(outputs, WINDOW_KINDS)
    if not 0.0 < hours <= _LONGEST_H:
        raise InputError(
            Message("got {got} hours, expected more than 0 and at most {most}", {"got": hours, "most": _LONGEST_H}), field="hours"
        )
    asked = ask(Asking(places, satellites, limits, begin, hours / 24.0))
    flown = fly(elements, satellites, asked.limits, asked.begin, asked.duration_s)
    windows = flown.windows(Places.of([name for name, _place in asked.places], [place for _name, place in asked.places]))
    write_windows(outputs, flown, windows, [place for _name, place in asked.places], _("SAR access windows"))
    if json_:
        form = {"from": format_instant(asked.begin), "hours": hours, **flown.form(), "windows": window_rows(windows)}
        print_json(form | {"outputs": [str(path) for path in outputs]})
        return
    _show(windows)
    flown.tell()
    for path in outputs:
        say(Message("Wrote {path}.", {"path": str(path)}), err=True)


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
