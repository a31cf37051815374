"""The fast sums of echoes against the definition."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic
from kizuna.sar.acquisition import CircularOrbit, Radar, spotlight
from kizuna.sar.echoes import Cloud, Movers, cloud_echoes, point_echoes, sum_echoes

RADAR = Radar("test", 9.65e9, 469e6, 0.46, -20.0, "HH")


@pytest.fixture(scope="module")
def wide():
    """Pulses and frequencies of a 46 cm spotlight over 1 km, thinned: its full aperture and band, which make the error."""
    place = Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65)
    orbit = CircularOrbit.seeing(
        place,
        height_m=575e3,
        inclination_rad=math.radians(97.68),
        incidence_rad=math.radians(45.0),
        ascending=True,
        looks_right=True,
    )
    full = spotlight(LocalScene(place), RADAR, orbit.positions_ecef_m, extent_m=1000.0)
    chosen = slice(None, None, 16)
    return replace(full, times_s=full.times_s[chosen], positions_m=full.positions_m[chosen])


def points(count, reach_m, heights_m, seed=0):
    rng = np.random.default_rng(seed)
    low, high = heights_m
    positions = rng.uniform([-reach_m, -reach_m, low], [reach_m, reach_m, high], (count, 3)).astype(np.float32)
    amplitudes = (rng.standard_normal(count) + 1j * rng.standard_normal(count)).astype(np.complex64)
    return positions, amplitudes


def level_db(found, expected):
    return 20.0 * math.log10(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_points_that_move_are_summed_as_the_definition_says(wide):
    positions, amplitudes = points(20, 500.0, (0.0, 80.0))
    velocities = np.random.default_rng(1).uniform(-15.0, 15.0, (20, 3))
    movers = Movers(positions.astype(np.float64), velocities, amplitudes)
    found = np.ones((len(wide.times_s), len(wide.frequencies_hz)), np.complex64)  # echoes are added to what is there
    point_echoes(wide, movers, found)
    assert level_db(found - 1.0, sum_echoes(wide, movers)) < -110.0


@pytest.mark.parametrize(("heights_m", "most_db"), [((0.0, 0.1), -55.0), ((0.0, 100.0), -47.0)])
def test_a_cloud_is_summed_to_better_than_45_db(wide, heights_m, most_db):
    positions, amplitudes = points(40, 500.0, heights_m)
    found = np.zeros((len(wide.times_s), len(wide.frequencies_hz)), np.complex64)
    said_db = cloud_echoes(wide, Cloud(positions, amplitudes), found)
    expected = sum_echoes(wide, Movers(positions.astype(np.float64), np.zeros((40, 3)), amplitudes))
    measured_db = level_db(found, expected)
    assert measured_db < most_db
    assert said_db == pytest.approx(measured_db, abs=3.0)


def test_one_scatterer_alone_and_none_at_all(wide):
    nothing = np.zeros((len(wide.times_s), len(wide.frequencies_hz)), np.complex64)
    cloud_echoes(wide, Cloud(np.empty((0, 3), np.float32), np.empty(0, np.complex64)), nothing)
    point_echoes(wide, Movers(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, np.complex64)), nothing)
    assert not nothing.any()
    one = np.array([[120.0, -310.0, 7.0]], np.float32)
    cloud_echoes(wide, Cloud(one, np.ones(1, np.complex64)), nothing)
    assert level_db(nothing, sum_echoes(wide, Movers(one.astype(np.float64), np.zeros((1, 3)), np.ones(1, np.complex64)))) < -55.0
