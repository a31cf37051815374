"""Autofocus against errors that are known because they were put in."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.autofocus import phase_gradient
from kizuna.sar.form import Method, form_pixels
from kizuna.sar.grid import ground_grid
from kizuna.sar.quality import measure_point

PULSES = 160
ALONG = np.linspace(-1.0, 1.0, PULSES)
ERRORS = {
    "quadratic": 8.0 * math.pi * ALONG**2 / 2.0,
    "sinusoidal": 2.5 * np.sin(6.0 * math.pi * ALONG),
    "random": np.random.default_rng(1).normal(size=PULSES) * 0.7,
}


def without_line(phase):
    return phase - np.polyval(np.polyfit(ALONG, phase, 1), ALONG)


@pytest.fixture
def sharp(simulated):
    random = np.random.default_rng(2)
    places = np.column_stack([random.uniform(-4.0, 4.0, (12, 2)), np.zeros(12)])
    places[0] = 0.0
    history = simulated(places, pulses=PULSES, frequencies=64)
    noise = random.normal(size=(*history.samples.shape, 2)) @ np.array([1.0, 1.0j])
    return replace(history, samples=(history.samples + 0.3 * noise).astype(np.complex64))


@pytest.mark.parametrize("kind", ERRORS)
def test_finds_the_error_and_restores_the_width(sharp, kind):
    grid = ground_grid(sharp, extent_m=13.0, spacing_m=0.15)
    blurred = replace(sharp, samples=(sharp.samples * np.exp(1j * ERRORS[kind])[:, None]).astype(np.complex64))
    solved = phase_gradient(blurred, grid)
    assert np.std(without_line(solved.phase_rad + ERRORS[kind])) < 0.15
    whole = measure_point(form_pixels(sharp, grid, Method.POLAR_FORMAT), grid, [0.0, 0.0, 0.0], search_m=0.5)
    again = form_pixels(solved.history.autofocused(), grid, Method.POLAR_FORMAT)
    found = measure_point(again, grid, [0.0, 0.0, 0.0], search_m=0.5)
    assert found.col_width_m == pytest.approx(whole.col_width_m, rel=0.03)
    assert found.amplitude > 0.97 * whole.amplitude


def test_keeps_the_solution_that_the_data_hold_and_adds_to_it(sharp):
    grid = ground_grid(sharp, extent_m=13.0, spacing_m=0.15)
    error = ERRORS["quadratic"]
    blurred = replace(
        sharp,
        samples=(sharp.samples * np.exp(1j * error)[:, None]).astype(np.complex64),
        phase_correction_rad=-error,
        range_correction_m=np.zeros(PULSES),
    )
    told = []
    solved = phase_gradient(blurred, grid, rounds=3, progress=lambda *at: told.append(at))
    assert told[-1][1] == 3
    assert np.std(solved.phase_rad) < 0.15
    assert np.std(without_line(solved.history.phase_correction_rad + error)) < 0.15
    assert solved.history.samples is blurred.samples


def test_refuses_an_area_without_room(sharp):
    with pytest.raises(InputError) as refusal:
        phase_gradient(sharp, ground_grid(sharp, extent_m=0.2, spacing_m=0.15), method=Method.POLAR_REFERENCE)
    assert refusal.value.field == "grid"
