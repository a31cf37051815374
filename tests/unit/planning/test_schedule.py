"""Schedules: made, held to a verifier written apart, replanned; and told to nobody who may not know."""

import math
import time
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.model.instants import Instant, parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.regions import area_of
from kizuna.planning.schedule import Problem, chances_of, options_of, schedule
from kizuna.planning.schedule_check import faults_of
from kizuna.planning.tasking import ImageRequest, Mode, ModeLimits, Provider, Satellite, Spot, Task, spots_of
from kizuna.planning.windows import sorted_windows

EPOCH = parse_instant("2026-05-08")
IQPS, ICEYE = parse_party("JPN/IQPS"), parse_party("FIN/ICEYE")
BOTH = (Provider(IQPS), Provider(ICEYE))
LABEL = Label("JPN", "秘", parse_party("JPN"), EPOCH)
MODES = {
    Mode.SPOTLIGHT: ModeLimits(10.0, 7_000.0, math.radians(15), math.radians(45)),
    Mode.STRIPMAP: ModeLimits(20.0, 20_000.0, math.radians(20), math.radians(40)),
}


def box(west, south, east, north):
    ring = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return area_of("box", ((ring,),))


def after(seconds):
    return Instant(EPOCH + timedelta(seconds=seconds))


def request(name, *, priority=3, begin=0, deadline=86_400, modes=tuple(Mode), incidence=(0, 90), right=None):
    low, high = map(math.radians, incidence)
    area = box(30.4, 50.4, 30.42, 50.42)
    return ImageRequest(name, area, after(begin), after(deadline), priority, frozenset(modes), low, high, right, None, LABEL)


def satellite(name, provider=IQPS, **change):
    return replace(Satellite(name, provider, MODES, turn_s=30, side_s=60, duty_s=300), **change)


def problem(requests, satellites, passes, *, told=None, providers=BOTH, **more):
    """A problem with a spot a request; `passes` are (satellite, request, start, end, incidence in degrees, right)."""
    names, targets = [one.name for one in satellites], [one.id for one in requests]
    windows = sorted_windows(
        EPOCH,
        names,
        targets,
        satellite=[names.index(p[0]) for p in passes],
        target=[targets.index(p[1]) for p in passes],
        start_s=[p[2] for p in passes],
        end_s=[p[3] for p in passes],
        closest_s=[(p[2] + p[3]) / 2 for p in passes],
        incidence_rad=[math.radians(p[4]) for p in passes],
        right=[p[5] for p in passes],
        ascending=[True for _ in passes],
    )
    told = {one.id: {IQPS, ICEYE} for one in requests} if told is None else told
    spots = [Spot(one.id, one.id, 50.41, 30.41, 1.0) for one in requests]
    return Problem(requests, spots, satellites, providers, windows, told, **more)


def solve(asked):
    made = schedule(asked, seconds=30, elapsed_s=time.monotonic)
    assert faults_of(asked, made.tasks) == []
    return made


def test_the_image_is_taken_about_the_closest_approach():
    (task,) = solve(problem([request("a", modes=[Mode.SPOTLIGHT])], [satellite("S")], [("S", "a", 100, 170, 30, True)])).tasks
    assert (task.start_s, task.end_s) in {(130.0, 140.0), (100.0, 110.0)}
    assert task.mode is Mode.SPOTLIGHT


def test_the_higher_priority_wins_where_there_is_time_for_one():
    asked = problem(
        [request("low", priority=2), request("high", priority=1)],
        [satellite("S")],
        [("S", "low", 100, 125, 30, True), ("S", "high", 100, 125, 30, True)],
    )
    made = solve(asked)
    assert [task.request for task in made.tasks] == ["high"]
    assert made.worth == made.bound


@pytest.mark.parametrize(
    ("change", "pass_"),
    [
        ({"deadline": 105}, ("S", "a", 100, 170, 30, True)),
        ({"begin": 165}, ("S", "a", 100, 170, 30, True)),
        ({"modes": [Mode.SCANSAR]}, ("S", "a", 100, 170, 30, True)),
        ({"modes": [Mode.STRIPMAP]}, ("S", "a", 100, 170, 42, True)),
        ({"incidence": (31, 40)}, ("S", "a", 100, 170, 30, True)),
        ({"right": False}, ("S", "a", 100, 170, 30, True)),
        ({}, ("S", "a", 100, 109, 30, True)),
    ],
)
def test_what_is_not_as_asked_is_no_option(change, pass_):
    assert options_of(problem([request("a", **change)], [satellite("S")], [pass_])) == []


def test_a_provider_is_not_asked_for_what_it_may_not_know():
    asked = problem(
        [request("open"), request("secret")],
        [satellite("S", ICEYE)],
        [("S", "open", 100, 170, 30, True), ("S", "secret", 1000, 1070, 30, True)],
        told={"open": {ICEYE}, "secret": {IQPS}},
    )
    made = solve(asked)
    assert [task.request for task in made.tasks] == ["open"]
    unknown = replace(asked, told={})
    assert options_of(unknown) == []
    assert "may not be told" in faults_of(unknown, made.tasks)[0].render()


def test_time_to_turn_to_the_other_side_is_kept():
    passes = [("S", "a", 100, 120, 30, True), ("S", "b", 155, 175, 30, False)]
    both = [request("a", modes=[Mode.STRIPMAP]), request("b", modes=[Mode.STRIPMAP])]
    assert len(solve(problem(both, [satellite("S")], passes)).tasks) == 1
    assert len(solve(problem(both, [satellite("S", side_s=35)], passes)).tasks) == 2


def test_duty_and_quota_are_kept():
    requests = [request(f"r{k}", modes=[Mode.SPOTLIGHT]) for k in range(6)]
    passes = [("S", f"r{k}", 500 * k, 500 * k + 60, 30, True) for k in range(6)]
    assert len(solve(problem(requests, [satellite("S", duty_s=35)], passes)).tasks) == 3
    quota = (Provider(IQPS, orders_a_day=2), Provider(ICEYE))
    assert len(solve(problem(requests, [satellite("S")], passes, providers=quota)).tasks) == 2


def test_what_is_committed_stays_and_what_was_planned_stays_where_it_costs_little():
    passes = [("S", "a", 100, 170, 30, True), ("S", "b", 105, 175, 30, True), ("S", "b", 9000, 9070, 30, True)]
    requests = [request("a", priority=5), request("b", priority=1)]
    first = solve(problem(requests, [satellite("S")], passes))
    held = Task("a", "a", "S", IQPS, Mode.SPOTLIGHT, 130.0, 140.0, math.radians(30), True, True, None)
    second = solve(problem(requests, [satellite("S")], passes, committed=[held], planned=first.tasks))
    assert held in second.tasks
    assert {task.request for task in second.tasks} == {"a", "b"}
    late = [task for task in second.tasks if task.request == "b"]
    sooner = [passes[0], passes[2], ("T", "b", 8000, 8070, 30, True)]
    fleet = [satellite("S"), satellite("T")]
    assert [task.satellite for task in solve(problem(requests[1:], fleet, sooner[1:])).tasks] == ["T"]
    kept = solve(problem(requests, fleet, sooner, planned=late))
    assert set(late) <= set(kept.tasks)


@st.composite
def problems(draw):
    count = draw(st.integers(1, 5))
    requests = [request(f"r{k}", priority=draw(st.integers(1, 5))) for k in range(count)]
    satellites = [satellite("S", duty_s=draw(st.sampled_from([25.0, 300.0]))), satellite("T", ICEYE)]
    one = st.tuples(
        st.sampled_from(["S", "T"]),
        st.sampled_from([r.id for r in requests]),
        st.integers(0, 600),
        st.integers(5, 90),
        st.integers(15, 45),
        st.booleans(),
    )
    passes = [(a, b, start, start + long, angle, side) for a, b, start, long, angle, side in draw(st.lists(one, max_size=10))]
    told = {r.id: set(draw(st.sampled_from([(IQPS,), (ICEYE,), (IQPS, ICEYE), ()]))) for r in requests}
    quota = (Provider(IQPS, orders_a_day=draw(st.sampled_from([None, 1, 2]))), Provider(ICEYE))
    return problem(requests, satellites, passes, told=told, providers=quota)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_every_schedule_passes_the_verifier(asked):
    made = solve(asked)
    assert made.worth <= made.bound
    assert len({task.spot for task in made.tasks}) == len(made.tasks)


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 4))
def test_the_verifier_sees_what_is_broken(asked, which):
    made = solve(asked)
    if not made.tasks:
        return
    task = made.tasks[0]
    broken = [
        replace(task, start_s=task.start_s + 5000, end_s=task.end_s + 5000),
        replace(task, satellite="nobody"),
        replace(task, end_s=task.end_s + 1),
        replace(task, provider=ICEYE if task.provider == IQPS else IQPS),
        replace(task, mode=Mode.SCANSAR),
    ][which]
    assert faults_of(asked, [broken, *made.tasks[1:]])


def test_an_area_larger_than_a_scene_is_cut_into_scenes_that_cover_it():
    wide = replace(request("a"), area=box(30.0, 50.0, 30.5, 50.2))
    spots = spots_of(wide, 7_000.0)
    assert math.isclose(sum(spot.share for spot in spots), 1.0)
    across, up = 111_320 * math.cos(math.radians(50.1)), 111_320
    for lon, lat in np.random.default_rng(1).uniform([30.0, 50.0], [30.5, 50.2], (200, 2)):
        near = [s for s in spots if abs(s.longitude_deg - lon) * across <= 3_510 and abs(s.latitude_deg - lat) * up <= 3_510]
        assert near
    assert len(spots_of(request("b"), 7_000.0)) == 1


def test_what_is_committed_uses_up_duty_and_quota():
    requests = [request(f"r{k}", modes=[Mode.SPOTLIGHT]) for k in range(4)]
    passes = [("S", f"r{k}", 500 * k, 500 * k + 60, 30, True) for k in range(4)]
    held = Task("r0", "r0", "S", IQPS, Mode.SPOTLIGHT, 25.0, 35.0, math.radians(30), True, True, None)
    assert len(solve(problem(requests, [satellite("S", duty_s=35)], passes, committed=[held])).tasks) == 3
    quota = (Provider(IQPS, orders_a_day=2), Provider(ICEYE))
    assert len(solve(problem(requests, [satellite("S")], passes, providers=quota, committed=[held])).tasks) == 2


def uncertain(asked, width_s):
    return replace(asked, windows=replace(asked.windows, edge_uncertainty_s=np.full(len(asked.windows), width_s)))


@given(st.floats(0, 60), st.floats(0, 120), st.floats(-1, 1), st.sampled_from([Mode.SPOTLIGHT, Mode.STRIPMAP]))
def test_a_late_or_early_window_still_holds_the_image(width_s, length_s, off, mode):
    asked = problem([request("a", modes=[mode])], [satellite("S")], [("S", "a", 1000, 1000 + length_s, 30, True)])
    asked = uncertain(asked, width_s)
    for task in options_of(asked):
        # The window as it really is: shifted by no more than is expected of 95 % of them.
        assert 1000 + off * width_s <= task.start_s + 1e-9
        assert task.end_s <= 1000 + length_s + off * width_s + 1e-9
    # Nothing that fits is left out: an image as long as what is certain can be taken.
    assert bool(options_of(asked)) == (length_s - 2 * width_s >= MODES[mode].duration_s)
    assert bool(options_of(replace(asked, certain=False))) == (length_s >= MODES[mode].duration_s)


def test_the_verifier_holds_images_to_what_is_certain():
    asked = problem([request("a", modes=[Mode.SPOTLIGHT])], [satellite("S")], [("S", "a", 100, 170, 30, True)])
    whole = [task for task in options_of(uncertain(asked, 2.0)) if task.start_s == 102.0]
    assert [bool(faults_of(uncertain(asked, width), whole)) for width in (2.0, 2.1, math.nan)] == [False, True, False]
    assert "for certain" in faults_of(uncertain(asked, 2.1), whole)[0].render()
    assert faults_of(replace(uncertain(asked, 2.1), certain=False), whole) == []


def test_a_window_is_one_chance_in_whatever_ways_it_can_be_used():
    asked = problem([request("a")], [satellite("S")], [("S", "a", 100, 170, 30, True), ("S", "a", 6000, 6070, 30, True)])
    assert len(options_of(asked)) > 2
    assert [task.start_s for task in chances_of(asked)] == [100.0, 6000.0]
