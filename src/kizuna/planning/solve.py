"""The best choice that can be found in a given time, and how much better one could at most be.

One thread proves: CP-SAT chooses among all options, beginning with a good choice as its hint; its bound says how much is left.
The others explore: walks of simulated annealing (`kizuna.planning.anneal`), which find good choices within seconds, take turns
with a search in large neighbourhoods of the best, where all but some hundred options stay as they are and CP-SAT chooses among
those.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from kizuna.planning.anneal import Annealer
from kizuna.planning.selection import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.planning.selection import Mask, Rows, Selection

__all__ = ["Choice", "choose"]

_FIRST_STEPS = 500_000
_WALK, _LONGER, _COOL = 0.05, 1.7, 0.15
"""The first walk's share of the time; how much longer each is that begins anew; how hot one begins that shakes the best."""
_NEIGHBOURHOOD_S = 3.0
_SMALL, _LARGE = 60, 4_000
_TELL_S = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Parameters
    ----------
    chosen
        Which options, shape (options,).
    profit
        What they earn.
    bound
        What no choice can exceed.
    """

    chosen: Mask
    profit: int
    bound: int

    @property
    def proven(self) -> bool:
        """Whether no choice is better."""
        return self.profit >= self.bound

    @property
    def gap(self) -> float:
        """How much more than the profit could at most be earned, as a share of the bound."""
        return (self.bound - self.profit) / self.bound if self.bound else 0.0


def _cliques(selection: Selection) -> list[list[int]]:
    """Sets of options of which at most one may be chosen, which together say all that the pairs say, but more strongly."""
    count = selection.profit.size
    near, left = [0] * count, [0] * count
    for a, b in selection.pairs.tolist():
        near[a] |= 1 << b
        near[b] |= 1 << a
        left[a] |= 1 << b
    found = []
    for a in range(count):
        while left[a]:
            clique, among = [a], near[a]
            while among:
                # Rather one whose pair with the first is not said yet.
                wanted = among & left[a] or among
                b = (wanted & -wanted).bit_length() - 1
                clique.append(b)
                among &= near[b]
                left[a] &= ~(1 << b)
            said = sum(1 << b for b in clique)
            for b in clique:
                left[b] &= ~said
            found.append(sorted(clique))
    return found


class _Model:
    """A `Selection` for CP-SAT."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.model = model = cp_model.CpModel()
        self.options = options = [model.new_bool_var("") for _ in range(selection.profit.size)]
        for clique in _cliques(selection):
            model.add_at_most_one(options[k] for k in clique)
        for three in selection.triples.tolist():
            model.add_bool_or(~options[k] for k in three)
        uses: list[list[tuple[int, int]]] = [[] for _ in range(selection.capacity.size)]
        for k, budget, amount in zip(selection.user.tolist(), selection.budget.tolist(), selection.amount.tolist(), strict=True):
            uses[budget].append((k, amount))
        for some, capacity in zip(uses, selection.capacity.tolist(), strict=True):
            if sum(amount for _k, amount in some) > capacity:
                model.add(sum(amount * options[k] for k, amount in some) <= capacity)
        model.maximize(sum(profit * option for profit, option in zip(selection.profit.tolist(), options, strict=True) if profit))

    def solve(
        self, hint: Mask, seconds: float, seed: int, solver: cp_model.CpSolver, found: Callable[[Mask], object] | None = None
    ) -> Choice:
        """Best choice that CP-SAT finds in the time, at worst the hint, which must be allowed; `found` hears of each."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]
        for option, value in zip(self.options, hint.tolist(), strict=True):
            self.model.add_hint(option, value)
        solver.parameters.max_time_in_seconds = max(seconds, 0.01)
        # One thread with all its linear cuts proves in a tenth of the time that two share: benchmarks/speed/schedule.py.
        solver.parameters.num_workers = 1
        solver.parameters.linearization_level = 2
        solver.parameters.random_seed = seed
        status = solver.solve(self.model, None if found is None else _Listener(self.options, found))
        worth, bound = int(self.selection.profit[hint].sum()), int(self.selection.profit.sum())
        if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            values = np.array([solver.boolean_value(option) for option in self.options], np.bool_)
            if (profit := int(self.selection.profit[values].sum())) >= worth:
                hint, worth = values, profit
            bound = math.floor(solver.best_objective_bound + 1e-6)
        return Choice(hint, worth, max(bound, worth))


class _Listener(cp_model.CpSolverSolutionCallback):
    """Hands on each solution."""

    def __init__(self, options: list[cp_model.IntVar], found: Callable[[Mask], object]) -> None:
        super().__init__()
        self.options, self.found = options, found

    def on_solution_callback(self) -> None:
        """Hand it on."""
        self.found(np.array([self.boolean_value(option) for option in self.options], np.bool_))


def _neighbourhood(near: Rows, start: int, size: int, count: int) -> Mask:
    """So many options around one, by the pairs."""
    free = np.zeros(count, np.bool_)
    free[start] = True
    reached, edge = 1, [start]
    while edge and reached < size:
        after = []
        for k in edge:
            for other in near[k].tolist():
                if not free[other] and reached < size:
                    free[other] = True
                    reached += 1
                    after.append(other)
        edge = after
    return free


def _greedy(selection: Selection, near: Rows) -> Mask:
    """Allowed choice: what earns the most first, and of what earns the same what excludes the least."""
    chosen, shut = np.zeros(selection.profit.size, np.bool_), np.zeros(selection.profit.size, np.bool_)
    # A triple may come whole later: its options are not taken at all.
    shut[selection.triples] = True
    left, uses = selection.capacity.copy(), rows_of(selection.user, np.arange(selection.user.size, dtype=np.int32), chosen.size)
    for k in np.lexsort((np.diff(near.begin), -selection.profit)).tolist():
        own = uses[k]
        need = np.zeros(left.size, np.int64)
        np.add.at(need, selection.budget[own], selection.amount[own])
        if not shut[k] and (need <= left).all():
            chosen[k] = True
            shut[near[k]] = True
            left -= need
    return chosen


class _Search:
    """What the threads share: the best choice, and whether anything is left to do."""

    def __init__(self, selection: Selection, elapsed_s: Callable[[], float], seconds: float, seed: int) -> None:
        self.selection, self.elapsed_s, self.seconds = selection, elapsed_s, seconds
        self.best = np.zeros(selection.profit.size, np.bool_)
        self.profit, self.bound = 0, int(selection.profit.sum())
        self.annealer, self.near = Annealer.of(selection), selection.neighbours()
        self.random, self.size = np.random.default_rng(seed), 4 * _SMALL
        self.lock = Lock()
        self.stopped = np.zeros(1, np.bool_)
        self.solvers: set[cp_model.CpSolver] = set()

    @property
    def left_s(self) -> float:
        """Time that is left, none where the best is proven."""
        return 0.0 if self.profit >= self.bound else self.seconds - self.elapsed_s()

    def take(self, chosen: Mask) -> bool:
        """Keep a choice if it is better."""
        profit = self.selection.profit_of(np.flatnonzero(chosen))
        with self.lock:
            if profit <= self.profit:
                return False
            self.best, self.profit = chosen, profit
        self.bounded(self.bound)
        return True

    def bounded(self, bound: float) -> None:
        """Learn that none can exceed a bound, and stop everyone where the best reaches it."""
        with self.lock:
            self.bound = max(self.profit, min(self.bound, math.floor(bound + 1e-6)))
            if self.profit >= self.bound:
                self.stopped[0] = True
                for solver in self.solvers:
                    solver.stop_search()

    def solve(self, model: _Model, hint: Mask, seconds: float, seed: int, *, whole: bool = False) -> Choice:
        """Let CP-SAT choose, so that a proof elsewhere stops it; of the whole selection, tell everyone what it finds."""
        solver = cp_model.CpSolver()
        if whole:
            solver.best_bound_callback = self.bounded
        with self.lock:
            self.solvers.add(solver)
        try:
            return model.solve(hint, min(seconds, self.left_s), seed, solver, self.take if whole else None)
        finally:
            with self.lock:
                self.solvers.remove(solver)

    def walk(self, steps: int, seed: int, *, heat: float = 1.0) -> bool:
        """One walk, a hot one from nothing, a cooler one from the best; whether it found a better one."""
        start = np.flatnonzero(self.best) if heat < 1.0 else np.zeros(0, np.int64)
        return self.take(self.annealer.walk(start.astype(np.int32), steps, seed, self.stopped, heat=heat))

    def around(self, seed: int) -> bool:
        """Choose anew in a large neighbourhood of the best; in two places at once, where budgets tie them together."""
        best, random = self.best, np.random.default_rng(seed)
        free = np.zeros(best.size, np.bool_)
        places = 2 if self.selection.capacity.size else 1
        for _ in range(places):
            free |= _neighbourhood(self.near, int(random.integers(best.size)), self.size // places, best.size)
        part, left = self.selection.restricted(free, best)
        found = self.solve(_Model(part), best[left], _NEIGHBOURHOOD_S, seed)
        chosen = best & ~free
        chosen[left[found.chosen]] = True
        better = self.take(chosen)
        if not better:
            self.size = min(round(self.size * 1.1), _LARGE, max(_SMALL, best.size // 2))
        return better

    def explore(self, seed: int) -> None:
        """Walk, and look around the best, by turns, until nothing is left to do."""
        random, turn = np.random.default_rng(seed), 0
        self.walk(1000, seed)  # compiles, or loads what was compiled, while CP-SAT is under way
        before, steps = self.elapsed_s(), min(_FIRST_STEPS, 1000 * self.best.size)
        self.walk(steps, seed)
        steps_per_s = steps / max(self.elapsed_s() - before, 1e-3)
        walk_s = _WALK * self.seconds
        while (left_s := self.left_s) > 0:
            number = int(random.integers(2**31))
            if turn % 2:
                self.around(number)
            else:
                # Every other walk begins anew, and longer than the last; the rest shake what is best.
                anew = turn % 4 == 0
                seconds = min(walk_s if anew else _WALK * self.seconds, left_s)
                self.walk(max(1000, int(seconds * steps_per_s)), number, heat=1.0 if anew else _COOL)
                walk_s *= _LONGER if anew else 1.0
            turn += 1

    def prove(self, seed: int) -> None:
        """Let CP-SAT choose among all, and say what none can exceed."""
        found = self.solve(_Model(self.selection), self.best, self.seconds, seed, whole=True)
        self.take(found.chosen)
        self.bounded(found.bound)


def choose(
    selection: Selection,
    *,
    seconds: float,
    elapsed_s: Callable[[], float],
    workers: int = 2,
    seed: int = 1,
    start: Mask | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Choice:
    """Choose options that earn the most.

    Parameters
    ----------
    selection
        What to choose from.
    seconds
        How long to look at most; a proof ends it earlier.
    elapsed_s
        Seconds that have passed, of any clock that never goes back.
    workers
        Threads.
    seed
        Of the random numbers. How far each phase comes depends on the machine's speed, so the same seed need not find the same.
    start
        An allowed choice to begin with.
    progress
        Called with (seconds passed, seconds in all) between the phases.

    Returns
    -------
    Choice
        Allowed, which `Selection.profit_of` has made sure of, with its bound.

    Raises
    ------
    InputError
        If `start` is not allowed.
    """
    begun = elapsed_s()
    search = _Search(selection, lambda: elapsed_s() - begun, seconds, seed)
    if start is not None:
        search.take(start)
    if search.left_s > 0:
        search.take(_greedy(selection, search.near))
        with ThreadPoolExecutor(max(workers, 2)) as pool:
            running = [
                pool.submit(search.prove, seed),
                *(pool.submit(search.explore, seed + k) for k in range(1, max(workers, 2))),
            ]
            while wait(running, timeout=_TELL_S).not_done:
                if progress is not None:
                    progress(round(min(search.elapsed_s(), seconds)), round(seconds))
            for future in running:
                future.result()
    return Choice(search.best, search.profit, search.bound)
