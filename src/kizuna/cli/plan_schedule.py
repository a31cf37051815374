"""``kizuna plan schedule``: which satellite takes which image when, and who is told of what."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.errors import InputError, KizunaError, Message
from kizuna.model.instants import Instant, format_instant, parse_instant
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.formats.tasking import Fleet
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
        "does not let a provider know, it is not asked for."
    ),
    epilog=examples(
        "kizuna plan schedule requests.toml --fleet fleet.toml --elements satellites.3le --hours 48 --json > schedule.json",
        "kizuna plan schedule requests.toml --fleet fleet.toml --elements satellites.3le --keep schedule.json --commit-hours 6",
    ),
)
@click.argument("requests", type=click.Path(path_type=Path))
@click.option(
    "--fleet", required=True, type=click.Path(path_type=Path), help=_("Providers and what their satellites can do, TOML.")
)
@click.option(
    "--elements", required=True, multiple=True, type=click.Path(path_type=Path), help=_("Orbital elements; may be repeated.")
)
@click.option("--from", "begin", metavar="INSTANT", help=_("When to begin, RFC 3339; now if left out."))
@click.option("--hours", default=24.0, show_default=True, help=_("For how long."))
@click.option("--keep", type=click.Path(path_type=Path), help=_("Earlier schedule (JSON) to which the new one keeps."))
@click.option("--commit-hours", default=0.0, show_default=True, help=_("Of the earlier schedule this much stays, whatever else."))
@click.option("--seconds", default=20.0, show_default=True, help=_("How long to look for the best schedule at most."))
@node_option
@as_json
def schedule(
    requests: Path,
    fleet: Path,
    elements: tuple[Path, ...],
    begin: str | None,
    hours: float,
    keep: Path | None,
    commit_hours: float,
    seconds: float,
    folder: Path,
    json_: bool,
) -> None:
    """Schedule."""
    from kizuna.cli.plan_fleet import fleet_windows, scene_m
    from kizuna.formats.tasking import read_fleet, read_requests, read_schedule
    from kizuna.planning.schedule import Problem
    from kizuna.planning.schedule import schedule as choose_schedule
    from kizuna.planning.schedule_check import faults_of
    from kizuna.planning.tasking import spots_of

    if not 0.0 < hours <= _LONGEST_H:
        raise InputError(Message("got {got} hours, expected up to {most}", {"got": hours, "most": _LONGEST_H}), field="hours")
    wanted, known = read_requests(read_file(requests), name=str(requests)), read_fleet(read_file(fleet), name=str(fleet))
    with open_node(folder) as here:
        now = here.now()
        epoch = now if begin is None else parse_instant(begin, field="from")
        told = _told(here, wanted, known, now)
    spots = [spot for one in wanted for spot in spots_of(one, scene_m(one, known))]
    windows = fleet_windows(elements, known, spots, epoch, hours)
    satellites = [one for name in windows.satellites if (one := known.satellite(name)) is not None]
    earlier = () if keep is None else read_schedule(read_file(keep), epoch, name=str(keep))
    committed = [task for task in earlier if task.start_s < commit_hours * 3600.0]
    problem = Problem(wanted, spots, satellites, known.providers, windows, told, committed, earlier)
    made = choose_schedule(problem, seconds=seconds, elapsed_s=time.monotonic, progress=Progress(_("scheduling")))
    faults = faults_of(problem, made.tasks)
    if faults:
        raise KizunaError(
            Message("the schedule does not hold: {why}", {"why": faults[0]}), hint=Message("nothing was written; report this")
        )
    if json_:
        print_json(_form(problem, made, epoch, hours))
    else:
        _show(problem, made)


def _told(here: Node, wanted: Sequence[ImageRequest], known: Fleet, now: Instant) -> dict[str, frozenset[Party]]:
    from kizuna.node.tasking import told_of

    parties = dict.fromkeys(provider.party for provider in known.providers)
    return {id_: frozenset(told) for id_, told in told_of(here, wanted, parties, now).items()}


def _why(problem: Problem, made: Schedule, spot: Spot) -> str:
    """Why a spot is not taken."""
    windows = problem.windows
    seen = {windows.satellites[k] for k in windows.satellite[windows.target == windows.targets.index(spot.name)]}
    owners = {one.provider for one in problem.satellites if one.name in seen}
    if not seen:
        return _("no satellite sees it")
    if not owners & set(problem.told.get(spot.request, ())):
        return _("nobody who sees it may be told")
    if not made.options:
        return _("no pass is as asked")
    return _("others come first, or no pass is as asked")


def _form(problem: Problem, made: Schedule, epoch: Instant, hours: float) -> dict[str, Json]:
    from kizuna.formats.tasking import SCHEDULE_SCHEMA, task_json

    taken = {task.spot for task in made.tasks}
    tasks: list[Json] = [task_json(task, epoch) for task in made.tasks]
    return {
        "schema": SCHEDULE_SCHEMA,
        "from": format_instant(epoch),
        "hours": hours,
        "worth": made.worth,
        "bound": made.bound,
        "options": made.options,
        "told": {id_: [*sorted(parties)] for id_, parties in problem.told.items()},
        "tasks": tasks,
        "missed": [
            {"request": spot.request, "spot": spot.name, "why": _why(problem, made, spot)}
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


def _show(problem: Problem, made: Schedule) -> None:
    taken = {task.spot for task in made.tasks}
    instants = {task: problem.windows.instant(task.start_s) for task in made.tasks}
    head = (_("place"), _("start"), _("satellite"), _("provider"), _("mode"), _("incidence"), _("look"), _("direction"))
    print_table(head, [_row(task, instants) for task in made.tasks])
    missed = [spot for spot in problem.spots if spot.name not in taken]
    for spot in missed:
        say(Message("Not taken: {spot}: {why}.", {"spot": spot.name, "why": _why(problem, made, spot)}))
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
