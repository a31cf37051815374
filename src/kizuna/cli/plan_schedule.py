"""``kizuna plan schedule``: which satellite takes which image when, and who is told of what."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_files import TASK_KINDS, write_tasks
from kizuna.cli.plan_options import AskedSatellites, elements_option, output_option, refuse_existing, satellite_options
from kizuna.cli.plan_orbits import catalogue_of, fly
from kizuna.cli.plan_requests import spots_of_all, windows_over_spots
from kizuna.cli.plan_search import begin_of
from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.errors import InputError, KizunaError, Message
from kizuna.model.instants import Instant, format_instant
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kizuna.cli.plan_orbits import Flown
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.node.state import Node
    from kizuna.planning.schedule import Problem, Schedule
    from kizuna.planning.tasking import ImageRequest, Spot, Task

__all__ = ["schedule"]

_LONGEST_H = 24.0 * 31


@click.command(
    help=_(
        "Schedule requests for images over the satellites of all providers that may be told of them: what an agreement in force "
        "does not let a provider know, it is not asked for. An image is planned only where it lies in its window with 95 %."
    ),
    epilog=examples(
        "kizuna plan schedule requests.toml --elements satellites.3le --elements partner.oem --hours 48 --json > schedule.json",
        "kizuna plan schedule requests.toml --fleet fleet.toml --elements satellites.3le --keep schedule.json --commit-hours 6",
    ),
)
@click.argument("requests", type=click.Path(path_type=Path))
@click.option(
    "--fleet", type=click.Path(path_type=Path), help=_("Only these providers and satellites, TOML, instead of the catalogue's.")
)
@elements_option
@satellite_options
@click.option("--from", "begin", metavar="INSTANT", help=_("When to begin, RFC 3339; now if left out."))
@click.option("--hours", default=24.0, show_default=True, help=_("For how long."))
@click.option(
    "--edges",
    default="certain",
    show_default=True,
    type=click.Choice(["certain", "nominal"]),
    help=_("Plan in the part of a window that is certain at 95 %, or in all of it."),
)
@click.option("--keep", type=click.Path(path_type=Path), help=_("Earlier schedule (JSON) to which the new one keeps."))
@click.option("--commit-hours", default=0.0, show_default=True, help=_("Of the earlier schedule this much stays, whatever else."))
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help=_("How long to look for the best schedule at most."),
)
@output_option(TASK_KINDS)
@node_option
@as_json
def schedule(
    requests: Path,
    fleet: Path | None,
    elements: tuple[Path, ...],
    satellites: AskedSatellites,
    begin: str | None,
    hours: float,
    edges: str,
    keep: Path | None,
    commit_hours: float,
    seconds: float,
    outputs: tuple[Path, ...],
    folder: Path,
    json_: bool,
) -> None:
    """Schedule."""
    from kizuna.formats.tasking import read_requests, read_schedule
    from kizuna.planning.satellites import Limits
    from kizuna.planning.schedule import Problem
    from kizuna.planning.schedule import schedule as choose_schedule
    from kizuna.planning.schedule_check import faults_of

    refuse_existing(outputs, TASK_KINDS)
    if not 0.0 < hours <= _LONGEST_H:
        raise InputError(Message("got {got} hours, expected up to {most}", {"got": hours, "most": _LONGEST_H}), field="hours")
    wanted, catalogue = read_requests(read_file(requests), name=str(requests)), catalogue_of(satellites, fleet)
    spots = spots_of_all(wanted, catalogue)
    with open_node(folder) as here:
        now = here.now()
        epoch = begin_of(begin)
        flown = fly(
            *(elements, satellites, Limits(orderable=True), epoch, hours * 3600.0),
            catalogue=catalogue,
            where=lambda name: catalogue.satellite(name) is not None,
        )
        able = [one for name in flown.satellites.names if (one := catalogue.satellite(name)) is not None]
        told = _told(here, wanted, dict.fromkeys(one.provider for one in able), now)
    windows = windows_over_spots(flown, spots)
    earlier = () if keep is None else read_schedule(read_file(keep), epoch, name=str(keep))
    committed = [task for task in earlier if task.start_s < commit_hours * 3600.0]
    problem = Problem(wanted, spots, able, catalogue.providers, windows, told, committed, earlier, certain=edges == "certain")
    made = choose_schedule(problem, seconds=seconds, elapsed_s=time.monotonic, progress=Progress(_("scheduling")))
    faults = faults_of(problem, made.tasks)
    if faults:
        raise KizunaError(
            Message("the schedule does not hold: {why}", {"why": faults[0]}), hint=Message("nothing was written; report this")
        )
    write_tasks(outputs, flown, spots, made.tasks)
    if json_:
        print_json(_form(problem, made, flown, hours))
    else:
        _show(problem, made)
        flown.tell()
        for path in outputs:
            say(Message("Wrote {path}.", {"path": str(path)}), err=True)


def _told(here: Node, wanted: Sequence[ImageRequest], parties: Iterable[Party], now: Instant) -> dict[str, frozenset[Party]]:
    from kizuna.node.tasking import told_of

    return {id_: frozenset(told) for id_, told in told_of(here, wanted, parties, now).items()}


def _why(problem: Problem, spot: Spot) -> str:
    """Why a spot is not taken."""
    from kizuna.planning.schedule import options_of

    windows = problem.windows
    seen = {windows.satellites[k] for k in windows.satellite[windows.target == windows.targets.index(spot.name)]}
    owners = {one.provider for one in problem.satellites if one.name in seen}
    if not seen:
        return _("no satellite sees it")
    if not owners & set(problem.told.get(spot.request, ())):
        return _("nobody who sees it may be told")
    alone = replace(problem, spots=[spot], committed=())
    if options_of(alone):
        return _("others come first")
    if options_of(replace(alone, certain=False)):
        return _("no pass is certain enough: take newer elements, or --edges nominal")
    return _("no pass is as asked")


def _margins(problem: Problem) -> dict[str, Json]:
    """What keeping to what is certain costs: windows, those of which nothing is left, and seconds off each edge of the others."""
    import numpy as np

    from kizuna.planning.uncertainty import margins_s, nothing_certain

    lost, off_s = nothing_certain(problem.windows), margins_s(problem.windows)
    left = off_s[~lost]
    return {
        "edges": "certain" if problem.certain else "nominal",
        "windows": len(problem.windows),
        "nothing_certain": int(lost.sum()),
        "median_margin_s": round(float(np.median(left)), 3) if len(left) else None,
        "largest_margin_s": round(float(left.max()), 3) if len(left) else None,
    }


def _form(problem: Problem, made: Schedule, flown: Flown, hours: float) -> dict[str, Json]:
    from kizuna.formats.tasking import SCHEDULE_SCHEMA, spot_json, task_json

    taken = {task.spot for task in made.tasks}
    tasks: list[Json] = [task_json(task, flown.begin) for task in made.tasks]
    return {
        "schema": SCHEDULE_SCHEMA,
        "from": format_instant(flown.begin),
        "hours": hours,
        "worth": made.worth,
        "bound": made.bound,
        "options": made.options,
        "margins": _margins(problem),
        **flown.form(),
        "told": {id_: [*sorted(parties)] for id_, parties in problem.told.items()},
        "spots": [spot_json(spot) for spot in problem.spots],
        "tasks": tasks,
        "missed": [
            {"request": spot.request, "spot": spot.name, "why": _why(problem, spot)}
            for spot in problem.spots
            if spot.name not in taken
        ],
    }


def _row(task: Task, instants: Mapping[Task, Instant]) -> tuple[str, ...]:
    return (
        task.spot,
        format_instant(Instant(instants[task].replace(microsecond=0))),
        task.satellite,
        task.provider,
        task.mode.value,
        f"{math.degrees(task.incidence_rad):.1f}°",
        _("right") if task.right else _("left"),
        _("ascending") if task.ascending else _("descending"),
    )


def _tenths(seconds: Json) -> str:
    return f"{seconds:.1f}" if isinstance(seconds, float) else "–"


def _show_margins(problem: Problem) -> None:
    found = _margins(problem)
    values: dict[str, str | int | float] = {
        "windows": len(problem.windows),
        "lost": str(found["nothing_certain"]),
        "median": _tenths(found["median_margin_s"]),
        "largest": _tenths(found["largest_margin_s"]),
    }
    if not problem.certain:
        say(Message("Planned in whole windows: {lost} of {windows} are uncertain by more than their own length.", values))
    elif len(problem.windows):
        say(
            Message(
                "Planned where windows are certain at 95 %: each edge {median} s inwards (median; at most {largest} s), nothing "
                "left of {lost} of {windows}.",
                values,
            )
        )


def _show(problem: Problem, made: Schedule) -> None:
    taken = {task.spot for task in made.tasks}
    instants = {task: problem.windows.instant(task.start_s) for task in made.tasks}
    head = (_("place"), _("start"), _("satellite"), _("provider"), _("mode"), _("incidence"), _("look"), _("direction"))
    print_table(head, [_row(task, instants) for task in made.tasks])
    missed = [spot for spot in problem.spots if spot.name not in taken]
    for spot in missed:
        say(Message("Not taken: {spot}: {why}.", {"spot": spot.name, "why": _why(problem, spot)}))
    _show_margins(problem)
    shares = Counter(task.provider for task in made.tasks)
    say(
        Message(
            "{taken} of {all} places; worth {worth}, and none exceeds {bound}; {shares}.",
            {
                "taken": len(taken),
                "all": len(problem.spots),
                "worth": made.worth,
                "bound": made.bound,
                "shares": ", ".join(f"{party} {count}" for party, count in shares.most_common()) or "-",
            },
        )
    )
