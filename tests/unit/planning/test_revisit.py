"""Revisit against definitions in closed form and a slow plain twin."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.planning.passes import Availability, Passes, everybody
from kizuna.planning.revisit import Baseline, revisit, spread

HOUR, DAY = 3600.0, 86400.0


def passes_of(rows, places=1, satellites=3, period=(0.0, DAY), *, instants=True):
    """Passes of (satellite, place, begin, end)."""
    satellite, place, begin, end = zip(*rows, strict=True) if rows else ((), (), (), ())
    begins = np.array(begin, float)
    names = [f"S{n}" for n in range(satellites)], [f"P{n}" for n in range(places)]
    return Passes.of(*names, satellite, place, begins, begins if instants else np.array(end, float), period)


def twin(passes, available, place):
    """The definitions, word by word: gaps between what is covered, sampled requests."""
    low, high = passes.period_s
    found, covered = [], []
    for row in range(passes.first[place], passes.first[place + 1]):
        begin, end = passes.begin_s[row], passes.end_s[row]
        when = sum(1 for cut in available.cuts_s if cut <= begin)
        group = 0 if available.group is None else available.group[place]
        if available.active[group, when, passes.satellite[row]]:
            found.append(row)
            covered.append((begin, end))
    if not covered:
        return 0, math.nan, high - low, math.nan, 1.0, (math.nan, math.nan)
    between, reach = [], covered[0][1]
    for begin, end in covered[1:]:
        if begin >= reach:
            between.append(begin - reach)
        reach = max(reach, end)
    gaps = [covered[0][0] - low, *between, high - reach]
    mean = np.mean(between) if between else math.nan
    quantiles = tuple(np.quantile(between, (0.5, 0.95))) if between else (math.nan, math.nan)
    return len(found), mean, max(gaps), sum(g * g for g in gaps) / 2 / (high - low), gaps[-1] / (high - low), quantiles


def test_regular_images_wait_half_their_interval_and_rare_ones_longer():
    regular = revisit(passes_of([(0, 0, t * HOUR, 0) for t in range(25)]))
    assert regular.mean_s[0] == pytest.approx(HOUR)
    assert regular.response_s[0] == pytest.approx(HOUR / 2)
    # Twice as many in the same hour's mean, but in pairs: the mean says thirty minutes, a request still waits half an hour.
    pairs = revisit(passes_of([(0, 0, t * HOUR + d, 0) for t in range(25) for d in (0.0, 1e-6)], period=(0.0, DAY + 1e-6)))
    assert pairs.mean_s[0] == pytest.approx(24 * HOUR / 49)
    assert pairs.response_s[0] == pytest.approx(HOUR / 2)


def test_a_place_that_is_never_seen_has_no_times_and_the_whole_period_as_gap():
    found, more = revisit(passes_of([(0, 1, 60.0, 0)], places=2)), spread(passes_of([(0, 1, 60.0, 0)], places=2))
    assert found.images.tolist() == [0, 1]
    assert math.isnan(found.mean_s[0])
    assert math.isnan(found.response_s[0])
    assert math.isnan(more.response_p95_s[0])
    assert found.worst_s[0] == DAY
    assert found.unanswered[0] == 1.0
    # One image: nothing comes after it, but the wait for it and after it is known.
    assert math.isnan(found.mean_s[1])
    assert found.worst_s[1] == DAY - 60.0
    assert found.response_s[1] == pytest.approx((60.0**2 + (DAY - 60.0) ** 2) / 2 / DAY)


def test_windows_that_overlap_are_one_stretch_of_cover():
    found = revisit(passes_of([(0, 0, 100, 200), (1, 0, 150, 400), (2, 0, 160, 170), (0, 0, 500, 600)], instants=False))
    assert found.mean_s[0] == 100.0
    assert found.worst_s[0] == DAY - 600.0


def test_a_response_of_95_percent_is_the_time_within_which_95_percent_of_sampled_requests_are_answered():
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, DAY, 40))
    found = spread(passes_of([(0, 0, t, 0) for t in times]))
    asked = np.linspace(0, DAY, 2_000_001)
    following = np.append(times, DAY)[np.searchsorted(times, asked)]
    assert found.response_p95_s[0] == pytest.approx(np.quantile(following - asked, 0.95), abs=1.0)


def test_what_counts_may_change_with_time_and_place():
    passes = passes_of([(0, p, t, 0) for p in (0, 1) for t in (10.0, 20.0, 30.0, 40.0)], places=2, satellites=1, period=(0, 50))
    until_25 = Availability(np.array([25.0]), np.array([[[True], [False]], [[False], [True]]]), np.array([0, 1], np.int32))
    found = revisit(passes, until_25)
    assert found.images.tolist() == [2, 2]
    assert found.worst_s.tolist() == [30.0, 30.0]
    # A change at the very instant of an image holds for it.
    assert revisit(passes, everybody(passes).switched(np.array([True]), 20.0, counts=False)).images.tolist() == [1, 1]


def test_what_lies_outside_the_period_is_cut_off_and_a_period_must_end_after_it_begins():
    passes = passes_of([(0, 0, -50.0, 10.0), (0, 0, 95.0, 120.0), (0, 0, 200.0, 210.0)], period=(0.0, 100.0), instants=False)
    assert passes.begin_s.tolist() == [0.0, 95.0]
    assert passes.end_s.tolist() == [10.0, 100.0]
    with pytest.raises(InputError, match="period"):
        passes_of([], period=(5.0, 5.0))


@st.composite
def worlds(draw):
    instants = draw(st.booleans())
    places = draw(st.integers(1, 3))
    moments = st.integers(0, 40).map(float)
    rows = draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, places - 1), moments, st.integers(0, 9).map(float)), max_size=25)
    )
    rows = [(s, p, b, b + (0.0 if instants else d)) for s, p, b, d in rows]
    passes = passes_of(rows, places, period=(0.0, 50.0), instants=instants)
    cuts = sorted(draw(st.sets(moments, max_size=2)))
    groups = draw(st.integers(1, 2))
    flags = draw(st.lists(st.booleans(), min_size=groups * (len(cuts) + 1) * 3, max_size=groups * (len(cuts) + 1) * 3))
    group = draw(st.lists(st.integers(0, groups - 1), min_size=places, max_size=places))
    active = np.array(flags).reshape(groups, len(cuts) + 1, 3)
    return passes, Availability(np.array(cuts, float), active, np.array(group, np.int32))


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_the_fast_way_and_the_plain_way_agree(world):
    passes, available = world
    found, more = revisit(passes, available), spread(passes, available)
    for place in range(len(passes.places)):
        images, mean, worst, response, unanswered, quantiles = twin(passes, available, place)
        assert found.images[place] == images
        np.testing.assert_allclose(
            [found.mean_s[place], found.worst_s[place], found.response_s[place], found.unanswered[place]],
            [mean, worst, response, unanswered],
            atol=1e-9,
        )
        np.testing.assert_allclose([more.median_s[place], more.p95_s[place]], quantiles, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.lists(st.booleans(), min_size=3, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_a_loss_is_told_from_the_lost_passes_as_from_all(world, before, after, owned):
    passes, changing = world
    owner = [0, 0, 1] if owned else None
    for today in (Availability.of(before), changing):
        base = Baseline.of(passes, today, owner)
        for then in (Availability.of(after), Availability.of([a and b for a, b in zip(before, after, strict=True)]), changing):
            found, expected = base.after(then), revisit(passes, then)
            for name in ("images", "mean_s", "worst_s", "response_s", "unanswered"):
                np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-9, err_msg=name)


def test_what_counts_by_either_of_two_counts_by_both_together():
    one = Availability(np.array([10.0]), np.array([[[True, False], [False, False]]]))
    other = Availability(np.array([20.0]), np.array([[[False, False], [False, True]]]))
    both = one.united(other)
    assert both.cuts_s.tolist() == [10.0, 20.0]
    assert both.active.tolist() == [[[True, False], [False, False], [False, True]]]
