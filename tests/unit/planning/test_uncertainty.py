"""How elements age: what is learnt from a history that was made with a known spread."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from kizuna.earth.elements import MeanElements
from kizuna.errors import InputError
from kizuna.model.instants import Instant, parse_instant
from kizuna.planning import uncertainty
from kizuna.planning.uncertainty import Ageing, learn_ageing, with_uncertainty
from kizuna.planning.windows import sorted_windows

EPOCH = parse_instant("2026-05-08")
ELEMENTS = MeanElements("A", 1, EPOCH, 1.1e-3, 0.001, 0.7, 0.1, 0.2, 0.3, 0.0, 0.0)
DAY_S = 86400.0


def at(number, days):
    return replace(ELEMENTS, number=number, epoch=Instant(EPOCH + timedelta(days=days)))


def test_a_satellite_ahead_on_its_orbit_is_early_by_the_angle_over_the_motion():
    ahead = replace(ELEMENTS, mean_anomaly_rad=0.3 + 1.1e-3 * 0.5)
    assert uncertainty._along_track_s(ahead, ELEMENTS) == pytest.approx(0.5, rel=2e-3)


@pytest.fixture
def known(monkeypatch):
    """Misses of 0.2 s a day, normally spread; satellite 7 misses five times as much."""
    random = np.random.default_rng(1)

    def miss(older, newer):
        age_days = (newer.epoch - older.epoch).total_seconds() / DAY_S
        return 0.2 * age_days * random.normal() * (5 if older.number == 7 else 1)

    monkeypatch.setattr(uncertainty, "_along_track_s", miss)
    return [at(number, 0.5 * step) for number in range(20) for step in range(80)]


def test_the_spread_that_made_the_history_is_learnt(known):
    ageing = learn_ageing([one for one in known if one.number != 7])
    got = ageing.half_width_s(at(99, 0), np.array([1.0, 3.0, 7.0]) * DAY_S)
    assert got == pytest.approx(1.96 * 0.2 * np.array([1.0, 3.0, 7.0]), rel=0.12)


def test_a_satellite_that_ages_faster_has_wider_intervals(known):
    ageing = learn_ageing(known)
    ratio = ageing.half_width_s(at(7, 0), 3 * DAY_S) / ageing.half_width_s(at(8, 0), 3 * DAY_S)
    # Pulled towards all by the thirty sets that all stand for: 5 to the power of 79 / 109.
    assert ratio == pytest.approx(5 ** (79 / 109), rel=0.2)


def test_drag_widens_intervals_with_the_square_of_time():
    ageing = Ageing((0.0, 0.0, 0.0, 1.0))
    dragged = replace(ELEMENTS, mean_motion_dot_rad_s2=1.1e-3 * 1e-9)
    assert ageing.half_width_s(dragged, [100.0, 200.0, -200.0]).tolist() == pytest.approx([5e-6, 2e-5, 2e-5])


def test_a_short_history_teaches_nothing():
    with pytest.raises(InputError, match="the history holds 0 pairs"):
        learn_ageing([ELEMENTS])


def test_each_window_has_the_age_of_its_satellites_elements():
    base = {"satellite": [0, 1], "target": [0, 0], "start_s": [0.0, 50.0], "end_s": [1.0, 51.0], "closest_s": [0.0, DAY_S]}
    windows = sorted_windows(EPOCH, "AB", "K", **base, incidence_rad=[0.5, 0.5], right=[1, 1], ascending=[1, 1])
    got = with_uncertainty(windows, [at(1, -2), at(2, 0)], Ageing((0.0, 1.0, 0.0, 0.0), {2: 10.0}))
    assert got.edge_uncertainty_s.tolist() == pytest.approx([2.0, 10.0])
