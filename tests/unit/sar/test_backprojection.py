"""Backprojection against the sum that defines it, on simulated echoes."""

import math

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.backprojection import backproject
from kizuna.sar.grid import ground_grid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S


def plain(history, grid, rows, cols):
    """The slow twin: every sample, for the pixels asked for, in double precision."""
    pixels = grid.to_scene(rows, cols)
    image = np.zeros(rows.shape, complex)
    for samples, position, reference in zip(history.samples, history.positions_m, history.reference_range_m, strict=True):
        offset = np.linalg.norm(pixels - position, axis=-1) - reference
        image += np.exp(4j * math.pi / SPEED_OF_LIGHT_M_S * offset[..., None] * history.frequencies_hz) @ samples
    return image / history.samples.size


@pytest.mark.parametrize(("oversampling", "limit_db"), [(8, -40.0), (16, -50.0), (32, -60.0)])
def test_is_the_plain_sum(simulated, oversampling, limit_db):
    history = simulated([[0.7, -1.3, 0.0], [-2.0, 1.1, 0.0], [1.5, 2.5, 0.4]])
    grid = ground_grid(history, extent_m=7.0, spacing_m=0.2)
    exact = plain(history, grid, *np.indices(grid.shape))
    error = backproject(history, grid, oversampling=oversampling) - exact
    assert 10.0 * math.log10(np.mean(np.abs(error) ** 2) / np.mean(np.abs(exact) ** 2)) < limit_db


def test_a_unit_scatterer_has_magnitude_one_where_it_stands(simulated):
    history = simulated([[0.0, 0.0, 0.0]])
    grid = ground_grid(history, extent_m=4.0, spacing_m=0.2)
    image = np.abs(backproject(history, grid))
    assert np.unravel_index(image.argmax(), image.shape) == (grid.centre_row, grid.centre_col)
    assert image.max() == pytest.approx(1.0, abs=0.01)


def test_blocks_leave_no_seam(simulated):
    # 300 columns make blocks of 54 rows: 6 blocks, the last one short; 48 pulses make two blocks of pulses.
    history = simulated([[0.0, 0.0, 0.0]], frequencies=256)
    grid = ground_grid(history, extent_m=30.0, spacing_m=0.1)
    image = backproject(history, grid)
    rows, cols = np.meshgrid([53, 54, 107, 108, 150, 299], [0, 7, 150, 299])
    assert np.abs(image[rows, cols] - plain(history, grid, rows, cols)).max() < 2e-3


def test_tells_its_progress(simulated):
    history = simulated([[0.0, 0.0, 0.0]])
    told = []
    backproject(history, ground_grid(history, extent_m=2.0, spacing_m=0.5), progress=lambda *at: told.append(at))
    assert told == [(32, 48), (48, 48)]


def test_refuses_more_range_than_the_frequencies_tell_apart(simulated):
    history = simulated([[0.0, 0.0, 0.0]])  # 600 MHz in 63 steps: 15.7 m
    with pytest.raises(InputError, match=r"the frequency step tells 15\.7 m apart") as refusal:
        backproject(history, ground_grid(history, extent_m=60.0, spacing_m=0.5))
    assert refusal.value.field == "extent_m"


@pytest.mark.parametrize("spacing_m", [0.0, -1.0, math.nan, 200.0])
def test_refuses_a_grid_without_pixels(simulated, spacing_m):
    with pytest.raises(InputError) as refusal:
        ground_grid(simulated([[0.0, 0.0, 0.0]]), extent_m=100.0, spacing_m=spacing_m)
    assert refusal.value.field == "spacing_m"


def test_grid_turns_pixels_into_places_and_back(simulated):
    grid = ground_grid(simulated([[0.0, 0.0, 0.0]]), extent_m=10.0, spacing_m=0.2)
    row, col = grid.from_scene(grid.to_scene([3.25, 0.0], [7.5, 49.0]))
    assert row == pytest.approx([3.25, 0.0])
    assert col == pytest.approx([7.5, 49.0])
    assert grid.normal == pytest.approx([0.0, 0.0, 1.0])
