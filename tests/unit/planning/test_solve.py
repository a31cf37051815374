"""Choosing: against every choice there is, on small cases; and published optima."""

import time
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.spot5 import check_spot5, read_spot5, selection_of
from kizuna.planning.anneal import Annealer
from kizuna.planning.selection import Selection
from kizuna.planning.solve import choose

VECTORS = Path(__file__).parents[2] / "vectors" / "spot5"


@st.composite
def selections(draw):
    count = draw(st.integers(1, 9))
    option = st.integers(0, count - 1)
    budgets = draw(st.lists(st.integers(0, 6), max_size=2))
    use = st.tuples(option, st.integers(0, max(0, len(budgets) - 1)), st.integers(1, 4))
    return Selection.make(
        draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)),
        pairs=draw(st.lists(st.tuples(option, option), max_size=10)),
        triples=draw(st.lists(st.permutations(range(count)).map(lambda order: tuple(order[:3])), max_size=5))
        if count > 2
        else [],
        uses=draw(st.lists(use, max_size=10 if budgets else 0)),
        capacity=budgets,
    )


def allowed(selection, chosen):
    """The rules once more, in the plainest words."""
    held = set(chosen)
    used = [0] * len(selection.capacity)
    for option, budget, amount in zip(selection.user, selection.budget, selection.amount, strict=True):
        used[budget] += amount if option in held else 0
    broken = [set(rule) <= held for rule in chain(selection.pairs.tolist(), selection.triples.tolist())]
    return not any(broken) and all(a <= b for a, b in zip(used, selection.capacity, strict=True))


def every(selection):
    count = len(selection.profit)
    return chain.from_iterable(combinations(range(count), size) for size in range(count + 1))


@settings(max_examples=40, deadline=None)
@given(selections())
def test_a_small_choice_is_the_best_of_all(selection):
    best = max(int(selection.profit[list(chosen)].sum()) for chosen in every(selection) if allowed(selection, chosen))
    found = choose(selection, seconds=60, elapsed_s=time.monotonic)
    assert allowed(selection, np.flatnonzero(found.chosen))
    assert found.profit == best == found.bound
    assert found.proven


@settings(max_examples=60, deadline=None)
@given(selections(), st.integers(0, 1000))
def test_a_walk_never_breaks_a_rule(selection, seed):
    chosen = Annealer.of(selection).walk(np.zeros(0, np.int32), 2000, seed)
    assert allowed(selection, np.flatnonzero(chosen))
    again = Annealer.of(selection).walk(np.flatnonzero(chosen).astype(np.int32), 50, seed + 1, heat=0.2)
    assert selection.profit_of(np.flatnonzero(again)) >= selection.profit_of(np.flatnonzero(chosen))


@settings(max_examples=60, deadline=None)
@given(selections(), st.data())
def test_what_is_left_to_choose_is_what_the_rules_leave(selection, data):
    count = len(selection.profit)
    chosen = data.draw(st.sampled_from([some for some in every(selection) if allowed(selection, some)]))
    free = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    mask = selection.chosen_mask(chosen)
    part, left = selection.restricted(free, mask)
    stays = set(np.flatnonzero(mask & ~free).tolist())
    names = left.tolist()
    theirs = {frozenset(stays | {names[k] for k in some}) for some in every(part) if allowed(part, some)}
    options = np.flatnonzero(free).tolist()
    subsets = chain.from_iterable(combinations(options, size) for size in range(len(options) + 1))
    assert theirs == {frozenset(stays | set(some)) for some in subsets if allowed(selection, stays | set(some))}


@settings(max_examples=60, deadline=None)
@given(selections())
def test_a_choice_that_breaks_a_rule_is_refused(selection):
    for chosen in every(selection):
        if allowed(selection, chosen):
            assert selection.profit_of(chosen) == sum(int(selection.profit[k]) for k in chosen)
        else:
            with pytest.raises(InputError):
                selection.profit_of(chosen)


@pytest.mark.parametrize(("name", "optimum"), [("8", 10), ("54", 70), ("1502", 61158)])
def test_published_optima_are_proven(name, optimum):
    instance = read_spot5((VECTORS / f"{name}.spot").read_text())
    selection, options = selection_of(instance)
    found = choose(selection, seconds=60, elapsed_s=time.monotonic)
    plan = dict(option for option, held in zip(options, found.chosen, strict=True) if held)
    assert check_spot5(instance, plan) == found.profit == found.bound == optimum


def test_no_time_leaves_what_one_began_with():
    selection = Selection.make([3, 4], pairs=[(0, 1)])
    found = choose(selection, seconds=0, elapsed_s=time.monotonic, start=np.array([True, False]))
    assert (found.profit, found.bound, found.proven) == (3, 7, False)
    with pytest.raises(InputError):
        choose(selection, seconds=0, elapsed_s=time.monotonic, start=np.array([True, True]))


@pytest.mark.parametrize(
    "parts", [{"pairs": [(0, 5)]}, {"uses": [(0, 0, 1)]}, {"capacity": [-1]}, {"uses": [(0, 0, -1)], "capacity": [1]}]
)
def test_rules_about_nothing_are_refused(parts):
    with pytest.raises(InputError):
        Selection.make([1, 2], **parts)
