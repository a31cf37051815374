"""A good choice within seconds: simulated annealing over a `Selection`.

Each step proposes one option at random: one that is chosen leaves; one that is not comes in and throws out what excludes it,
and the cheaper of the other two where it would make a triple whole. Budgets may be overdrawn at a price above any profit, so
that the walk can pass through what is not allowed; only what is allowed is kept. It cools geometrically, over the whole scale
of the profits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from kizuna.planning.selection import rows_of

if TYPE_CHECKING:
    from kizuna.planning.selection import Indices, Ints, Mask, Rows, Selection

__all__ = ["Annealer"]

type Floats = npt.NDArray[np.float64]

_HOT, _COLD = 0.2, 0.3
"""First temperature as a share of the largest profit, last as one of the smallest: benchmarks/speed/schedule.py."""
_PRICE = 1.5
"""What a unit too much of a budget costs, in largest profits."""


@njit(cache=True, nogil=True)
def _anneal(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one loop, which numba compiles as a whole
    profit: Floats,
    near: Indices,
    near_values: Indices,
    triple: Indices,
    triple_values: Indices,
    use: Indices,
    use_budget: Indices,
    use_amount: Ints,
    capacity: Ints,
    chosen: Mask,
    steps: int,
    hot: float,
    cold: float,
    price: float,
    seed: int,
    stopped: Mask,
) -> float:
    """Walk `steps` steps from `chosen`, and leave the best allowed choice in it; return its profit, -1 if none was met."""
    np.random.seed(seed)  # noqa: NPY002 - numba's own generator, a state a thread
    n = profit.size
    lost = np.zeros(n)  # profit of the chosen ones that exclude each option
    whole = np.zeros(n, np.int32)  # triples that each option would make whole
    used = np.zeros(capacity.size, np.int64)
    change = np.zeros(capacity.size, np.int64)
    touched = np.empty(capacity.size, np.int32)
    out = np.empty(n, np.int32)
    total, excess = 0.0, 0
    best, best_total = chosen.copy(), -1.0
    begin = np.flatnonzero(chosen)
    chosen[:] = False
    temperature = hot
    cooling = (cold / hot) ** (1000.0 / steps)
    for step in range(-begin.size, steps):
        if step % 1000 == 999:  # noqa: PLR2004
            temperature *= cooling
            if stopped[0]:
                break
        # INVARIANT: the first steps, counted below zero, put in what was chosen at the start.
        v = begin[-step - 1] if step < 0 else np.random.randint(n)  # noqa: NPY002
        comes = not chosen[v]
        gone = 0
        gain = profit[v] if comes else -profit[v]
        if comes:
            if gain - lost[v] < -20.0 * temperature:
                continue
            for k in range(near[v], near[v + 1]):
                u = near_values[k]
                if chosen[u]:
                    out[gone] = u
                    gone += 1
                    gain -= profit[u]
            if whole[v] > 0:
                for k in range(triple[v], triple[v + 1]):
                    a, b = triple_values[k, 0], triple_values[k, 1]
                    if chosen[a] and chosen[b]:
                        known = False
                        for q in range(gone):
                            known |= out[q] == a or out[q] == b
                        if not known:
                            first = profit[a] < profit[b] or (profit[a] == profit[b] and np.random.random() < 0.5)  # noqa: NPY002, PLR2004
                            u = a if first else b
                            out[gone] = u
                            gone += 1
                            gain -= profit[u]
        # What the budgets say.
        count = 0
        for q in range(-1, gone):
            u = v if q < 0 else out[q]
            sign = 1 if comes and q < 0 else -1
            for k in range(use[u], use[u + 1]):
                b = use_budget[k]
                if change[b] == 0:
                    touched[count] = b
                    count += 1
                change[b] += sign * use_amount[k]
                if change[b] == 0:
                    # Taken out of the list, or it would stand there twice.
                    for t in range(count):
                        if touched[t] == b:
                            touched[t] = touched[count - 1]
                            count -= 1
                            break
        worse = 0
        for t in range(count):
            b = touched[t]
            worse += max(0, used[b] + change[b] - capacity[b]) - max(0, used[b] - capacity[b])
        value = gain - price * worse
        if step >= 0 and value < 0.0 and np.random.random() >= np.exp(value / temperature):  # noqa: NPY002
            for t in range(count):
                change[touched[t]] = 0
            continue
        for t in range(count):
            b = touched[t]
            used[b] += change[b]
            change[b] = 0
        excess += worse
        total += gain
        for q in range(-1, gone):
            u = v if q < 0 else out[q]
            came = comes and q < 0
            chosen[u] = came
            by = profit[u] if came else -profit[u]
            one = 1 if came else -1
            for k in range(near[u], near[u + 1]):
                lost[near_values[k]] += by
            for k in range(triple[u], triple[u + 1]):
                a, b = triple_values[k, 0], triple_values[k, 1]
                if chosen[a]:
                    whole[b] += one
                if chosen[b]:
                    whole[a] += one
        if total > best_total and excess == 0:
            best_total = total
            best[:] = chosen
    chosen[:] = best
    return best_total


@dataclass(frozen=True, slots=True)
class Annealer:
    """A `Selection`, laid out for the walk."""

    selection: Selection
    near: Rows
    triple: Rows
    use: Rows
    amount: Ints

    @classmethod
    def of(cls, selection: Selection) -> Annealer:
        """Lay it out."""
        count, threes = selection.profit.size, selection.triples
        owners = np.concatenate([threes[:, 0], threes[:, 1], threes[:, 2]])
        others = np.concatenate([threes[:, [1, 2]], threes[:, [0, 2]], threes[:, [0, 1]]])
        order = np.argsort(selection.user, kind="stable")
        return cls(
            selection,
            selection.neighbours(),
            rows_of(owners, others, count),
            rows_of(selection.user, selection.budget, count),
            np.ascontiguousarray(selection.amount[order]),
        )

    def walk(self, start: Indices, steps: int, seed: int, stopped: Mask | None = None, *, heat: float = 1.0) -> Mask:
        """Best allowed choice met on a walk of so many steps from `start`, which must be allowed; at worst `start` itself.

        Parameters
        ----------
        start
            Options chosen at the start.
        steps
            How many.
        seed
            Of the random numbers: the same gives the same.
        stopped
            Where its one member becomes true, the walk ends.
        heat
            How hot it begins: 1 forgets the start, less keeps more of it.

        Returns
        -------
        ndarray of bool, shape (options,)
            What is chosen.
        """
        selection = self.selection
        chosen = selection.chosen_mask(start)
        earning = selection.profit[selection.profit > 0]
        if not earning.size:
            return chosen
        profit = selection.profit.astype(np.float64)
        hot, cold = _HOT * float(earning.max()) * heat, _COLD * float(earning.min())
        _anneal(
            profit,
            self.near.begin,
            self.near.values,
            self.triple.begin,
            self.triple.values,
            self.use.begin,
            self.use.values,
            self.amount,
            selection.capacity,
            chosen,
            steps,
            max(hot, cold),
            cold,
            _PRICE * float(earning.max()),
            seed,
            np.zeros(1, np.bool_) if stopped is None else stopped,
        )
        return chosen
