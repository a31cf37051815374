"""Is a schedule one that can be flown, and that asks nobody for what it may not be told? Written apart from what makes schedules.

Each task is held to what was asked, to a window and to its satellite; then each satellite's tasks to each other, to its duty an
orbit and each provider's to its quota. Nothing here uses the options, the pairs or the budgets of `kizuna.planning.schedule`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kizuna.errors import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from kizuna.planning.schedule import Problem
    from kizuna.planning.tasking import Satellite, Task

__all__ = ["faults_of"]

_SLACK_S = 1e-6


def faults_of(problem: Problem, tasks: Sequence[Task]) -> list[Message]:
    """What is wrong with a schedule; nothing if it can be flown and may be told. Committed tasks are held to each other only."""
    committed = set(problem.committed)
    found = [fault for task in tasks if task not in committed for fault in _alone(problem, task)]
    missing = [task for task in problem.committed if task not in set(tasks)]
    found += [Message("{spot}: what was committed is not there", {"spot": task.spot}) for task in missing]
    found += [
        Message("{spot}: it is taken {count} times", {"spot": spot, "count": count})
        for spot, count in Counter(task.spot for task in tasks).items()
        if count > 1
    ]
    return [*found, *_together(problem, tasks, committed)]


def _alone(problem: Problem, task: Task) -> Iterator[Message]:
    request = next((one for one in problem.requests if one.id == task.request), None)
    spot = next((one for one in problem.spots if one.name == task.spot), None)
    satellite = next((one for one in problem.satellites if one.name == task.satellite), None)
    if request is None or spot is None or satellite is None or spot.request != task.request:
        yield Message("{spot}: nobody asked for it, or there is no such satellite", {"spot": task.spot})
        return
    if satellite.provider != task.provider or task.provider not in problem.told.get(request.id, ()):
        yield Message("{spot}: {provider} may not be told of it", {"spot": task.spot, "provider": task.provider})
    limits = satellite.modes.get(task.mode)
    if limits is None or task.mode not in request.modes or abs(task.end_s - task.start_s - limits.duration_s) > _SLACK_S:
        yield Message(
            "{spot}: {satellite} has no such mode, or it is not asked for", {"spot": task.spot, "satellite": task.satellite}
        )
        return
    if task.start_s < problem.seconds(request.begin) - _SLACK_S or task.end_s > problem.seconds(request.deadline) + _SLACK_S:
        yield Message("{spot}: it is taken before it is wanted, or after its deadline", {"spot": task.spot})
    windows = problem.windows
    # A window that is late or early by as much as is expected of 95 % of them: the image still lies in it.
    off_s = np.where(np.isnan(windows.edge_uncertainty_s), 0.0, windows.edge_uncertainty_s) if problem.certain else 0.0
    rows = np.flatnonzero(
        (windows.target == windows.targets.index(task.spot))
        & (windows.satellite == windows.satellites.index(task.satellite))
        & (windows.start_s + off_s <= task.start_s + _SLACK_S)
        & (windows.end_s - off_s >= task.end_s - _SLACK_S)
    )
    low = max(request.incidence_min_rad, limits.incidence_min_rad)
    high = min(request.incidence_max_rad, limits.incidence_max_rad)
    fits = [
        row
        for row in rows
        if low <= windows.incidence_rad[row] <= high
        and request.right in {None, bool(windows.right[row])}
        and request.ascending in {None, bool(windows.ascending[row])}
    ]
    if not fits:
        yield Message(
            "{spot}: {satellite} does not see it for certain then, or not as asked",
            {"spot": task.spot, "satellite": task.satellite},
        )


def _together(problem: Problem, tasks: Sequence[Task], committed: Collection[Task]) -> Iterator[Message]:
    satellites = {satellite.name: satellite for satellite in problem.satellites}
    by_satellite: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_satellite[task.satellite].append(task)
    for name, some in by_satellite.items():
        if name in satellites:
            yield from _flown(satellites[name], sorted(some, key=lambda task: task.start_s), committed)
    for provider in problem.providers:
        days = Counter(math.floor(task.start_s / 86_400.0) for task in tasks if task.provider == provider.party)
        for day, count in days.items():
            if provider.orders_a_day is not None and count > provider.orders_a_day:
                values: dict[str, str | int | float] = {"provider": provider.party, "count": count, "day": day}
                values["limit"] = provider.orders_a_day
                yield Message("{provider}: {count} images on day {day}, and it takes {limit}", values)


def _flown(satellite: Satellite, tasks: Sequence[Task], committed: Collection[Task]) -> Iterator[Message]:
    """What is wrong with what one satellite takes, in the order of time; tasks that are all committed are as they are."""
    for before, after in pairwise(tasks):
        turn = satellite.turn_s if before.right == after.right else satellite.side_s
        if after.start_s - before.end_s < turn - _SLACK_S and not {before, after} <= set(committed):
            names: dict[str, str | int | float] = {"satellite": satellite.name, "one": before.spot, "other": after.spot}
            yield Message("{satellite}: no time to turn from {one} to {other}", names)
    spent: dict[int, float] = defaultdict(float)
    for task in tasks:
        spent[math.floor(task.start_s / satellite.period_s)] += task.end_s - task.start_s
    for orbit, used in spent.items():
        if used > satellite.duty_s + _SLACK_S and not set(tasks) <= set(committed):
            yield Message(
                "{satellite}: it transmits {used} s in orbit {orbit}, and may {limit} s",
                {"satellite": satellite.name, "used": round(used, 1), "orbit": orbit, "limit": satellite.duty_s},
            )
