"""Choosing: of many options, which together earn the most and still go together. The one form that all scheduling takes here.

An option is one way to do one thing: to photograph this strip with that camera, or this place on that pass. Some pairs exclude
each other, some triples may not be chosen whole, and options use up budgets (memory, seconds of transmission an orbit, orders a
day). `kizuna.planning.solve` chooses; `Selection.profit_of` says what a choice is worth and refuses one that breaks a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Rows", "Selection", "rows_of"]

type Ints = npt.NDArray[np.int64]
type Indices = npt.NDArray[np.int32]
type Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rows:
    """Lists of different lengths, one after the other (compressed rows).

    Parameters
    ----------
    begin
        Where each list begins, and where the last one ends, shape (rows + 1,).
    values
        Their members, shape (all members, ...).
    """

    begin: Indices
    values: Indices

    def __getitem__(self, row: int) -> Indices:
        return self.values[self.begin[row] : self.begin[row + 1]]


def rows_of(keys: Indices, values: Indices, count: int) -> Rows:
    """Lists of the values of each key from 0 to `count`, in the order given."""
    order = np.argsort(keys, kind="stable")
    begin = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(keys, minlength=count), out=begin[1:])
    return Rows(begin, np.ascontiguousarray(values[order]))


@dataclass(frozen=True, slots=True)
class Selection:
    """Options to choose among.

    Parameters
    ----------
    profit
        What each option earns, not negative, shape (options,).
    pairs
        Options that exclude each other, shape (pairs, 2), each pair once with the smaller index first.
    triples
        Options of which not all three may be chosen, shape (triples, 3).
    user, budget, amount
        That option `user` uses `amount` of `budget`, each of shape (uses,); an amount is positive.
    capacity
        How much each budget holds, shape (budgets,).
    """

    profit: Ints
    pairs: Indices
    triples: Indices
    user: Indices
    budget: Indices
    amount: Ints
    capacity: Ints

    @classmethod
    def make(
        cls,
        profit: Iterable[int],
        *,
        pairs: Iterable[tuple[int, int]] = (),
        triples: Iterable[tuple[int, int, int]] = (),
        uses: Iterable[tuple[int, int, int]] = (),
        capacity: Iterable[int] = (),
    ) -> Selection:
        """Selection of plain numbers; pairs and triples in any order, repeated or not; `uses` are (option, budget, amount).

        Raises
        ------
        InputError
            If a profit, an amount or a capacity is negative, or an index names nothing.

        Examples
        --------
        >>> two = Selection.make([3, 2], pairs=[(1, 0), (0, 1)])
        >>> two.pairs.tolist(), two.profit_of([0])
        ([[0, 1]], 3)
        """
        earned, room = np.fromiter(profit, np.int64), np.fromiter(capacity, np.int64)
        both = np.array(sorted({(min(a, b), max(a, b)) for a, b in pairs if a != b}), np.int32).reshape(-1, 2)
        three = np.array(sorted({tuple(sorted(three)) for three in triples}), np.int32).reshape(-1, 3)
        used = np.array([use for use in uses if use[2]], np.int64).reshape(-1, 3)
        options = np.concatenate([both.ravel(), three.ravel(), used[:, 0]])
        if any((numbers < 0).any() for numbers in (earned, room, used)):
            raise InputError(Message("a profit, an amount or a capacity is negative"), field="selection")
        if options.size and (options.min() < 0 or options.max() >= earned.size):
            raise InputError(
                Message("a rule names option {got} of {count}", {"got": int(options.max()), "count": earned.size}),
                field="selection",
            )
        if used.size and used[:, 1].max() >= room.size:
            raise InputError(
                Message("an option uses budget {got} of {count}", {"got": int(used[:, 1].max()), "count": room.size}),
                field="selection",
            )
        return cls(earned, both, three, used[:, 0].astype(np.int32), used[:, 1].astype(np.int32), used[:, 2].copy(), room)

    def chosen_mask(self, chosen: Iterable[int]) -> Mask:
        """Which options are chosen, shape (options,)."""
        mask = np.zeros(self.profit.size, np.bool_)
        mask[np.fromiter(chosen, np.int64)] = True
        return mask

    def profit_of(self, chosen: Iterable[int]) -> int:
        """Profit of a choice.

        Raises
        ------
        InputError
            If two that exclude each other are chosen, a triple is whole, or a budget is overdrawn.
        """
        mask = self.chosen_mask(chosen)
        for rule in (self.pairs, self.triples):
            broken = rule[mask[rule].all(axis=1)]
            if len(broken):
                raise InputError(
                    Message("these options may not be chosen together: {options}", {"options": ", ".join(map(str, broken[0]))}),
                    field="chosen",
                )
        over = np.flatnonzero(self.used(mask) > self.capacity)
        if over.size:
            raise InputError(
                Message(
                    "budget {budget} holds {capacity}, and {used} is used",
                    {
                        "budget": int(over[0]),
                        "capacity": int(self.capacity[over[0]]),
                        "used": int(self.used(mask)[over[0]]),
                    },
                ),
                field="chosen",
            )
        return int(self.profit[mask].sum())

    def used(self, mask: Mask) -> Ints:
        """How much of each budget a choice uses, shape (budgets,)."""
        held = mask[self.user]
        used = np.zeros(self.capacity.size, np.int64)
        np.add.at(used, self.budget[held], self.amount[held])
        return used

    def neighbours(self) -> Rows:
        """For each option those that exclude it."""
        first, second = self.pairs.T
        return rows_of(np.concatenate([first, second]), np.concatenate([second, first]), self.profit.size)

    def restricted(self, free: Mask, chosen: Mask) -> tuple[Selection, Indices]:
        """What is left to choose among the options `free`, when of the others those of `chosen` stay chosen.

        Returns
        -------
        Selection
            Over the free options that nothing that stays forbids.
        ndarray of int32, shape (options left,)
            Which of our options they are.
        """
        stays = chosen & ~free
        open_ = free.copy()
        for side, other in ((0, 1), (1, 0)):
            open_[self.pairs[stays[self.pairs[:, other]], side]] = False
        held = stays[self.triples].sum(axis=1) if len(self.triples) else np.zeros(0, np.int64)
        last = self.triples[held == 2]  # noqa: PLR2004 - of three: the third may not come
        open_[last[~stays[last]]] = False
        left = np.flatnonzero(open_).astype(np.int32)
        number = np.full(self.profit.size, -1, np.int32)
        number[left] = np.arange(left.size, dtype=np.int32)
        pairs = number[self.pairs]
        some = self.triples[held == 1]
        turned = number[some[~stays[some]].reshape(-1, 2)]
        pairs = np.concatenate([pairs[(pairs >= 0).all(axis=1)], turned[(turned >= 0).all(axis=1)]])
        triples = number[self.triples[held == 0]]
        using = open_[self.user]
        return (
            Selection(
                self.profit[left],
                pairs,
                triples[(triples >= 0).all(axis=1)],
                number[self.user[using]],
                self.budget[using],
                self.amount[using],
                self.capacity - self.used(stays),
            ),
            left,
        )
