"""Tracks against SGP4 itself: between their nodes, at their ends, at the end of an orbit."""

from dataclasses import replace

import numpy as np
import pytest

from kizuna.earth.elements import MeanElements
from kizuna.earth.orbit import Sgp4, track_of
from kizuna.errors import InputError
from kizuna.model.instants import parse_instant

EPOCH = parse_instant("2026-05-08")
LOW = MeanElements("low", 1, EPOCH, 1.1e-3, 0.001, 0.733, 1.0, 2.0, 3.0, 4e-4)
# Geostationary transfer and Molniya-like: fast at perigee, slow at apogee, with the terms of deep space.
HIGH = replace(LOW, mean_motion_rad_s=1.46e-4, eccentricity=0.72, inclination_rad=1.107)
# Comes down within hours.
FALLING = replace(LOW, mean_motion_rad_s=1.192e-3, bstar_per_radius=0.02)


def farthest_m(elements, duration_s):
    track = track_of(elements, EPOCH, duration_s)
    asked = np.linspace(0.0, track.end_s, 3001)
    return np.linalg.norm(track.position_ecef_m(asked) - Sgp4(elements, EPOCH).ecef(asked)[0], axis=1).max()


@pytest.mark.parametrize("elements", [LOW, HIGH], ids=["low", "high"])
@pytest.mark.parametrize("duration_s", [0.0, 1e-3, 1.0, 100.0, 86400.0])
def test_a_track_is_within_a_millimetre_of_sgp4(elements, duration_s):
    assert farthest_m(elements, duration_s) < 1e-3


def test_velocities_are_the_derivative_of_positions():
    track = track_of(LOW, EPOCH, 7200.0)
    times = np.linspace(1.0, 7199.0, 100)
    slope = (track.position_ecef_m(times + 0.01) - track.position_ecef_m(times - 0.01)) / 0.02
    assert np.abs(slope - track.velocity_ecef_m_s(times)).max() < 1e-4


def test_a_track_ends_where_the_satellite_comes_down():
    track = track_of(FALLING, EPOCH, 10 * 86400.0)
    assert 1800.0 < track.end_s < 5 * 86400.0
    orbit = Sgp4(FALLING, EPOCH)
    assert orbit.ecef([track.end_s])[1][0]
    assert not orbit.ecef([track.end_s + 0.01])[1][0]
    # On its way drag uses up the eccentricity.
    assert farthest_m(FALLING, 10 * 86400.0) < 25.0


def test_a_bend_of_sgp4_is_followed_to_metres():
    round_orbit = replace(LOW, eccentricity=1e-9, bstar_per_radius=1e-3)
    assert farthest_m(round_orbit, 86400.0) < 20.0
    standing = replace(round_orbit, mean_motion_rad_s=7.2921159e-5, inclination_rad=0.0625, bstar_per_radius=1e-4)
    assert farthest_m(standing, 86400.0) < 130.0


def test_elements_that_give_no_orbit_at_the_begin_are_refused():
    gone = replace(FALLING, epoch=parse_instant("2026-05-01"))
    with pytest.raises(InputError, match="low: SGP4 knows no position at 2026-05-08"):
        track_of(gone, EPOCH, 3600.0)
