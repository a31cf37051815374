"""When a provider takes an image that is asked for: the very time that was planned, else about the closest approach."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import radians

import pytest

from kizuna.model.instants import Instant, parse_instant
from kizuna.model.parties import Party
from kizuna.planning.offers import Order, Wish, fits, offers_of
from kizuna.planning.tasking import Mode, ModeLimits, Satellite
from kizuna.planning.windows import sorted_windows

EPOCH = parse_instant("2026-05-08")
LIMITS = ModeLimits(10.0, 5_000.0, radians(15), radians(45), 0.46)
RADAR = Satellite("QPS-SAR-5", Party("JPN/IQPS"), {Mode.SPOTLIGHT: LIMITS}, turn_s=20.0, side_s=60.0, duty_s=600.0)


def at(seconds):
    return Instant(EPOCH + timedelta(seconds=seconds))


def offered(begin_s, end_s, *, pass_s=(100.0, 220.0), incidence_rad=0.5):
    windows = sorted_windows(
        EPOCH,
        [RADAR.name],
        ["Kochi"],
        satellite=[0],
        target=[0],
        start_s=[pass_s[0]],
        end_s=[pass_s[1]],
        closest_s=[sum(pass_s) / 2],
        incidence_rad=[incidence_rad],
        right=[True],
        ascending=[True],
    )
    return offers_of(windows, [RADAR], Mode.SPOTLIGHT, Wish(at(begin_s), at(end_s), 133.5, 33.5))


@pytest.mark.parametrize(
    ("asked", "begin_s"),
    [
        pytest.param((0, 1000), 155, id="about the closest approach"),
        pytest.param((115, 145), 125, id="in the middle of less than a pass"),
        pytest.param((90, 120), 100, id="where the pass begins"),
        pytest.param((205, 235), 210, id="where the pass ends"),
        pytest.param((130, 140), 130, id="at the very time"),
        pytest.param((0, 140), 130, id="before the closest approach"),
    ],
)
def test_an_image_is_taken_when_it_is_asked_for(asked, begin_s):
    (offer,) = offered(*asked)
    assert (offer.begin, offer.end) == (at(begin_s), at(begin_s + 10))


@pytest.mark.parametrize("asked", [(0, 109), (211, 300), (130, 139)])
def test_no_image_is_offered_for_which_the_time_does_not_reach(asked):
    assert offered(*asked) == []


def test_a_pass_that_begins_where_the_mode_does_is_one_of_its_passes():
    assert offered(0, 1000, incidence_rad=radians(15) - 1e-9)
    assert not offered(0, 1000, incidence_rad=radians(14.9))


@pytest.mark.parametrize(("right", "gap_s", "free"), [(True, 20, True), (True, 19, False), (False, 20, False), (False, 60, True)])
def test_a_satellite_needs_longer_to_turn_to_its_other_side(right, gap_s, free):
    (first,) = offered(100, 110)
    order = Order("order-1", Mode.SPOTLIGHT, Wish(at(0), at(1), 0.0, 0.0), None, EPOCH, (), offer=first)
    later = replace(first, begin=Instant(first.end + timedelta(seconds=gap_s)), end=at(1000), right=right)
    assert fits(later, [order], RADAR) is free
    # Whichever of the two comes first.
    assert fits(first, [replace(order, offer=later)], RADAR) is free
