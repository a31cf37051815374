"""Who answers instead, against requests that are asked one by one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.planning.passes import Availability, Passes, everybody
from kizuna.planning.whatif import NOBODY, Wanted, answers, replacements

PROVIDER = np.array([0, 0, 1, 2])


def passes_at(*rows, period=(0.0, 100.0)):
    satellite, at = zip(*rows, strict=True) if rows else ((), ())
    times = np.array(at, float)
    return Passes.of(["A1", "A2", "B", "C"], ["Kyiv"], satellite, np.zeros(len(rows), int), times, times, period)


def test_what_one_would_have_answered_falls_to_the_next_who_comes():
    passes = passes_at((0, 40.0), (2, 60.0), (3, 90.0))
    before, after = everybody(passes), Availability.of([False, False, True, True])
    (found,) = replacements(passes, before, after, PROVIDER)
    # Requests of the first 40 s were answered by A at 40 s; now B answers them, 20 s later.
    assert (found.provider, found.by) == (0, 1)
    assert found.share == pytest.approx(0.4)
    assert found.later_s == pytest.approx(20.0)


def test_where_nobody_comes_nobody_answers_and_no_time_is_named():
    passes = passes_at((2, 10.0), (0, 40.0))
    (found,) = replacements(passes, everybody(passes), Availability.of([False, False, True, True]), PROVIDER)
    assert (found.provider, found.by) == (0, NOBODY)
    assert found.share == pytest.approx(0.3)
    assert math.isnan(found.later_s)


def test_a_partner_who_joins_answers_earlier_than_the_one_before():
    passes = passes_at((0, 80.0), (2, 50.0))
    (found,) = replacements(passes, Availability.of([True, True, False, False]), everybody(passes), PROVIDER)
    assert (found.provider, found.by, found.later_s) == (0, 1, pytest.approx(-30.0))


def test_a_request_fails_where_fewer_images_are_left_than_it_needs():
    passes = passes_at((0, 10.0), (2, 20.0), (1, 30.0))
    wanted = [Wanted("twice", (0,), 0.0, 100.0, 2), Wanted("late", (0,), 50.0, 100.0), Wanted("in time", (0,), 5.0, 10.0)]
    twice, late, in_time = answers(passes, wanted, everybody(passes))
    assert (twice.met, twice.possible, twice.done_s, twice.satellite) == (True, 3, 20.0, 2)
    assert (late.met, late.possible, late.satellite) == (False, 0, NOBODY)
    # Its time is half open: what is taken at its very end comes too late.
    assert not in_time.met
    twice, _, _ = answers(passes, wanted, Availability.of([False, False, True, True]))
    assert (twice.met, twice.possible) == (False, 1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99).map(float)), max_size=12, unique_by=lambda row: row[1]),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_shares_are_those_of_requests_that_are_asked_one_by_one(rows, before, after):
    passes = passes_at(*rows)
    found = {
        (each.provider, each.by): each for each in replacements(passes, Availability.of(before), Availability.of(after), PROVIDER)
    }
    asked: dict[tuple[int, int], list[float]] = {}
    for second in range(100):
        # A request in the middle of each second; images come at whole ones.
        moment = second + 0.5
        first = [min(((t, s) for s, t in rows if t > moment and flags[s]), default=(100.0, None)) for flags in (before, after)]
        if first[0] != first[1]:
            who = tuple(NOBODY if s is None else int(PROVIDER[s]) for _, s in first)
            asked.setdefault(who, []).append(first[1][0] - first[0][0])
    assert found.keys() == asked.keys()
    for who, waits in asked.items():
        assert found[who].share == pytest.approx(len(waits) / 100)
        if NOBODY not in who:
            assert found[who].later_s == pytest.approx(np.mean(waits))
