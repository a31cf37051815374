"""Factorised backprojection against exact backprojection."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.sar.backprojection import backproject
from kizuna.sar.factorised import factorise, spreading_weights
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory

RANGE_M, GRAZING_RAD, CENTRE_HZ, BAND_HZ = 10_000.0, 0.6, 9.6e9, 400e6


def positions_at(azimuth_rad):
    level = RANGE_M * math.cos(GRAZING_RAD)
    height = np.full_like(azimuth_rad, RANGE_M * math.sin(GRAZING_RAD))
    return np.stack([level * np.sin(azimuth_rad), -level * np.cos(azimuth_rad), height], axis=-1)


def noise(positions, *, frequencies=256, seed=5):
    """Echoes that fill the scene evenly: what errs anywhere shows."""
    random = np.random.default_rng(seed)
    shape = len(positions), frequencies
    samples = (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(np.complex64)
    frequency = CENTRE_HZ + BAND_HZ * (np.arange(frequencies) / frequencies - 0.5)
    return PhaseHistory(samples, frequency, positions, np.linalg.norm(positions, axis=-1), "HH")


def square(*, turn_rad=0.0, pixels=200, spacing_m=0.3, origin_m=(0.0, 0.0, 0.0)):
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    return PlaneGrid(
        np.array(origin_m), np.array([sin, cos, 0.0]), np.array([-cos, sin, 0.0]), spacing_m, spacing_m, pixels, pixels
    )


def error_db(image, exact):
    return 10.0 * math.log10(np.mean(np.abs(image - exact) ** 2) / np.mean(np.abs(exact) ** 2) + 1e-20)


def held(history, grid, limit_db=-62.0):
    assert error_db(factorise(history, grid), backproject(history, grid, oversampling=32)) < limit_db


@pytest.fixture
def never_exactly(monkeypatch):
    """Fail where the factorised way gives up and backprojects exactly: it would be compared with itself."""

    def refuse(*_args, **_rest):
        pytest.fail("was backprojected exactly")

    monkeypatch.setattr("kizuna.sar.factorised.backproject", refuse)


ARC = np.linspace(-0.03, 0.03, 600)


@pytest.mark.parametrize("turn_rad", [0.0, 0.7, math.pi / 2])
def test_is_exact_backprojection_on_a_plane(never_exactly, turn_rad):
    held(noise(positions_at(ARC)), square(turn_rad=turn_rad))


def test_pulses_need_not_be_even_nor_complete(never_exactly):
    random = np.random.default_rng(2)
    azimuth = np.sort(ARC + random.uniform(-3e-5, 3e-5, len(ARC)))
    azimuth = np.delete(azimuth, np.s_[200:260])  # one pulse in ten is missing, all in one place
    held(noise(positions_at(azimuth)), square())


def test_an_aircraft_that_sways(never_exactly):
    positions = positions_at(ARC)
    positions[:, 1] += 1.5 * np.sin(40.0 * np.pi * np.linspace(0.0, 1.0, len(ARC)) / 10.0)
    positions[:, 2] += 0.8 * np.cos(70.0 * np.pi * np.linspace(0.0, 1.0, len(ARC)) / 10.0)
    held(noise(positions), square())


def test_the_pulses_references_may_be_any(never_exactly):
    history = noise(positions_at(ARC))
    away = replace(history, reference_range_m=history.reference_range_m + np.linspace(-7.0, 9.0, history.pulses))
    held(away, square(pixels=150))


class Hills:
    rows, cols = 150, 170

    def to_scene(self, row, col):
        row, col = np.broadcast_arrays(np.asarray(row, float), col)
        x, y = 0.3 * (col - 85.0), 0.3 * (row - 75.0)
        return np.stack([x, y, 2.0 * np.sin(x / 9.0) * np.cos(y / 12.0)], axis=-1)


def test_forms_on_any_surface(never_exactly):
    held(noise(positions_at(ARC)), Hills())


def test_a_point_stands_where_it_is_with_magnitude_one(never_exactly):
    history = noise(positions_at(ARC))
    point = np.array([12.0, -21.0, 0.0])
    beyond = np.linalg.norm(history.positions_m - point, axis=-1) - history.reference_range_m
    echo = np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * beyond[:, None] * history.frequencies_hz).astype(np.complex64)
    grid = square()
    image = factorise(replace(history, samples=echo), grid)
    row, col = (round(float(at)) for at in grid.from_scene(point))
    assert np.unravel_index(np.abs(image).argmax(), image.shape) == (row, col)
    assert abs(image[row, col]) == pytest.approx(1.0, abs=0.01)


def test_threads_change_no_bit_and_progress_reaches_its_end(never_exactly):
    history, told = noise(positions_at(ARC)), []
    alone = factorise(history, square(), threads=1)
    assert np.array_equal(alone, factorise(history, square(), threads=3, progress=lambda *at: told.append(at)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (16, 16)


@pytest.mark.parametrize("azimuth", [ARC[:40], np.zeros(100)])
def test_few_pulses_or_no_track_are_backprojected_exactly(azimuth):
    history = noise(positions_at(azimuth), frequencies=64)
    grid = square(pixels=40)
    assert np.array_equal(factorise(history, grid, oversampling=8), backproject(history, grid, oversampling=8))


def test_refuses_more_range_than_the_frequencies_tell_apart():
    with pytest.raises(InputError) as refusal:
        factorise(noise(positions_at(ARC), frequencies=32), square())
    assert refusal.value.field == "extent_m"


@settings(max_examples=50, deadline=None)
@given(fraction=st.floats(0.0, 1.0), frequency=st.floats(-0.3, 0.3))
def test_spreading_weights_interpolate_what_is_slow(fraction, frequency):
    weights = spreading_weights(np.array([fraction]))[:, 0]
    nodes = np.arange(-5, 7)
    assert abs(np.exp(2j * np.pi * frequency * nodes) @ weights - np.exp(2j * np.pi * frequency * fraction)) < 4e-3
