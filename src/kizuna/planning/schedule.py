"""A schedule: which satellite takes which image when, across providers, so that the most that is wanted is got.

Each window in which a request may be met gives options: its mode, begun so that the closest approach lies in the middle, or as
early or as late as the window allows: of a window, the part in which an image lies with 95 %. `kizuna.planning.solve` chooses
among them. What is committed already stays, and takes its place from all others. A provider's satellites are options only for
requests that it may be told of.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kizuna.planning.selection import Selection
from kizuna.planning.solve import choose
from kizuna.planning.tasking import PRIORITIES, Task
from kizuna.planning.uncertainty import margins_s

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.planning.tasking import ImageRequest, Mode, ModeLimits, Provider, Satellite, Spot
    from kizuna.planning.windows import AccessWindows

__all__ = ["Problem", "Schedule", "chances_of", "options_of", "schedule"]

_DAY_S = 86_400.0
_SOONER = 0.05
"""At most this share of an image's worth is lost by waiting until its deadline."""
_KEPT = 0.02
"""What an image gains that stays as it was planned before: others are told of changes."""
_SAME_S = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is asked and what there is.

    Parameters
    ----------
    requests, spots
        What is asked, and the places that its areas are cut into.
    satellites, providers
        What there is.
    windows
        Windows of all satellites over all spots, by their names.
    told
        Who may be told of a request: parties by the request's id. A request that is not there may be told to nobody.
    committed
        Tasks that stay, whatever else.
    planned
        Tasks of an earlier schedule, to which this one keeps where it costs little.
    certain
        Whether an image is taken only in the part of its window that is certain at 95 %; else anywhere in it.
    """

    requests: Sequence[ImageRequest]
    spots: Sequence[Spot]
    satellites: Sequence[Satellite]
    providers: Sequence[Provider]
    windows: AccessWindows
    told: Mapping[str, Collection[Party]]
    committed: Sequence[Task] = ()
    planned: Sequence[Task] = ()
    certain: bool = True

    def seconds(self, instant: Instant) -> float:
        """Seconds from the windows' epoch to an instant."""
        return (instant - self.windows.epoch).total_seconds()


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is to be taken.

    Parameters
    ----------
    tasks
        In the order of their begin, what was committed among them.
    worth
        Of the tasks that were chosen, those committed left out.
    bound
        What no schedule can exceed.
    options
        How many options there were to choose from.
    """

    tasks: tuple[Task, ...]
    worth: int
    bound: int
    options: int


def _starts(start_s: float, end_s: float, closest_s: float, duration_s: float, *, free: bool) -> list[float]:
    """When to begin within a window: first about its closest approach, then, where it is `free` to, at its two ends."""
    latest = end_s - duration_s
    if latest < start_s:
        return []
    middle = min(max(closest_s - duration_s / 2, start_s), latest)
    ends = [start_s, latest] if free else []
    return [middle, *(begin for begin in ends if abs(begin - middle) > duration_s / 2)]


def _suits(request: ImageRequest, mode: Mode, limits: ModeLimits, incidence_rad: float, *, right: bool, ascending: bool) -> bool:
    low = max(request.incidence_min_rad, limits.incidence_min_rad)
    high = min(request.incidence_max_rad, limits.incidence_max_rad)
    sides = request.right in {None, right} and request.ascending in {None, ascending}
    return mode in request.modes and low <= incidence_rad <= high and sides


def options_of(problem: Problem) -> list[Task]:
    """Every way to take an image that meets a request and may be told; those of a spot together."""
    return [task for tasks in _ways(problem) for task in tasks]


def chances_of(problem: Problem) -> list[Task]:
    """Of each window in which an image could be taken as asked and told, the earliest way: as often as one could be taken."""
    return [min(tasks, key=lambda task: task.start_s) for tasks in _ways(problem) if tasks]


def _ways(problem: Problem) -> Iterator[list[Task]]:
    """Ways to take an image in each window."""
    requests = {request.id: request for request in problem.requests}
    spots = {spot.name: spot for spot in problem.spots}
    satellites = {satellite.name: satellite for satellite in problem.satellites}
    done = {task.spot for task in problem.committed}
    windows = problem.windows
    lost_s = margins_s(windows) if problem.certain else np.zeros(len(windows))
    for row in range(len(windows)):
        spot = spots.get(windows.targets[windows.target[row]])
        satellite = satellites.get(windows.satellites[windows.satellite[row]])
        if spot is None or satellite is None or spot.name in done:
            continue
        request = requests[spot.request]
        if satellite.provider in problem.told.get(request.id, ()):
            begin = max(float(windows.start_s[row] + lost_s[row]), problem.seconds(request.begin))
            end = min(float(windows.end_s[row] - lost_s[row]), problem.seconds(request.deadline))
            yield _ways_in(windows, row, spot, request, satellite, begin, end)


def _ways_in(
    windows: AccessWindows, row: int, spot: Spot, request: ImageRequest, satellite: Satellite, begin: float, end: float
) -> list[Task]:
    """Ways to take an image of a spot in the part of a window between two times."""
    found: list[Task] = []
    look = {"right": bool(windows.right[row]), "ascending": bool(windows.ascending[row])}
    incidence, closest = float(windows.incidence_rad[row]), float(windows.closest_s[row])
    uncertain = float(windows.edge_uncertainty_s[row])
    for mode, limits in satellite.modes.items():
        if not _suits(request, mode, limits, incidence, **look):
            continue
        # Off the closest approach the angle grows: only where all of the window will do may an image be taken at its ends.
        widest = max(one.incidence_max_rad for one in satellite.modes.values())
        free = min(request.incidence_max_rad, limits.incidence_max_rad) >= widest
        if not free and not begin <= closest <= end:
            continue
        found += [
            Task(
                spot.name,
                request.id,
                satellite.name,
                satellite.provider,
                mode,
                start,
                start + limits.duration_s,
                incidence,
                look["right"],
                look["ascending"],
                None if math.isnan(uncertain) else uncertain,
            )
            for start in _starts(begin, end, closest, limits.duration_s, free=free)
        ]
    return found


def _clash(one: Task, other: Task, satellite: Satellite) -> bool:
    """Whether the satellite cannot take both."""
    if one.start_s > other.start_s:
        one, other = other, one
    return other.start_s < one.end_s + (satellite.turn_s if one.right == other.right else satellite.side_s)


def _clashes(tasks: Sequence[Task], satellites: Mapping[str, Satellite]) -> Iterable[tuple[int, int]]:
    """Pairs of tasks that one satellite cannot both take, and pairs for one spot."""
    by_satellite: dict[str, list[int]] = {}
    by_spot: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        by_satellite.setdefault(task.satellite, []).append(number)
        by_spot.setdefault(task.spot, []).append(number)
    for numbers in by_spot.values():
        yield from ((a, b) for place, a in enumerate(numbers) for b in numbers[:place])
    for name, numbers in by_satellite.items():
        satellite = satellites[name]
        numbers.sort(key=lambda number: tasks[number].start_s)
        starts = [tasks[number].start_s for number in numbers]
        for place, a in enumerate(numbers):
            last = bisect_left(starts, tasks[a].end_s + max(satellite.turn_s, satellite.side_s))
            yield from ((a, b) for b in numbers[place + 1 : last] if _clash(tasks[a], tasks[b], satellite))


def _budgets(problem: Problem, tasks: Sequence[Task]) -> tuple[list[tuple[int, int, int]], list[int]]:
    """What tasks use: milliseconds of each satellite's transmission an orbit, and a provider's images a day; and what is left."""
    satellites = {satellite.name: satellite for satellite in problem.satellites}
    quotas = {provider.party: provider.orders_a_day for provider in problem.providers}
    number: dict[tuple[str, int], int] = {}
    capacity: list[int] = []

    def budget(name: str, part: int, holds: int) -> int:
        if (name, part) not in number:
            number[name, part] = len(capacity)
            capacity.append(holds)
        return number[name, part]

    uses = []
    for k, task in enumerate([*tasks, *problem.committed]):
        satellite = satellites.get(task.satellite)
        some = []
        if satellite is not None:
            orbit = budget(
                f"orbit {task.satellite}", math.floor(task.start_s / satellite.period_s), math.floor(satellite.duty_s * 1e3)
            )
            some.append((orbit, math.ceil((task.end_s - task.start_s) * 1e3)))
        quota = quotas.get(task.provider)
        if quota is not None:
            some.append((budget(f"day {task.provider}", math.floor(task.start_s / _DAY_S), quota), 1))
        if k < len(tasks):
            uses += [(k, part, amount) for part, amount in some]
        else:
            for part, amount in some:
                capacity[part] = max(0, capacity[part] - amount)
    return uses, capacity


def _worth(problem: Problem, tasks: Sequence[Task]) -> list[int]:
    requests = {request.id: request for request in problem.requests}
    share = {spot.name: spot.share for spot in problem.spots}
    planned = {(task.spot, task.satellite, task.mode): task.start_s for task in problem.planned}
    found = []
    for task in tasks:
        request = requests[task.request]
        begin, end = problem.seconds(request.begin), problem.seconds(request.deadline)
        late = min(max((task.start_s - max(begin, 0.0)) / max(end - max(begin, 0.0), 1.0), 0.0), 1.0)
        kept = abs(planned.get((task.spot, task.satellite, task.mode), math.inf) - task.start_s) < _SAME_S
        found.append(round(10 * PRIORITIES[request.priority] * share[task.spot] * (1 - _SOONER * late + _KEPT * kept)))
    return found


def schedule(
    problem: Problem,
    *,
    seconds: float,
    elapsed_s: Callable[[], float],
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Schedule:
    """Choose what is taken when.

    Parameters
    ----------
    problem
        What is asked and what there is.
    seconds, elapsed_s, workers, progress
        As for `kizuna.planning.solve.choose`.
    """
    satellites = {satellite.name: satellite for satellite in problem.satellites}
    free = [
        task
        for task in options_of(problem)
        if not any(task.satellite == one.satellite and _clash(task, one, satellites[task.satellite]) for one in problem.committed)
    ]
    uses, capacity = _budgets(problem, free)
    selection = Selection.make(_worth(problem, free), pairs=_clashes(free, satellites), uses=uses, capacity=capacity)
    found = choose(selection, seconds=seconds, elapsed_s=elapsed_s, workers=workers, progress=progress)
    chosen = [free[k] for k in np.flatnonzero(found.chosen)]
    tasks = sorted([*problem.committed, *chosen], key=lambda task: (task.start_s, task.satellite))
    return Schedule(tuple(tasks), found.profit, found.bound, len(free))
