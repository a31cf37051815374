"""Backprojection against the sum that defines it, on simulated echoes."""

import math

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.backprojection import Engine, backproject
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


def error_db(image, exact):
    return 10.0 * math.log10(np.mean(np.abs(image - exact) ** 2) / np.mean(np.abs(exact) ** 2))


ENGINES = [Engine.NUMBA, Engine.NUMPY]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("oversampling", "limit_db"), [(6, -45.0), (8, -50.0), (16, -62.0), (32, -74.0)])
def test_is_the_plain_sum(simulated, engine, oversampling, limit_db):
    history = simulated([[0.7, -1.3, 0.0], [-2.0, 1.1, 0.0], [1.5, 2.5, 0.4]])
    grid = ground_grid(history, extent_m=7.0, spacing_m=0.2)
    exact = plain(history, grid, *np.indices(grid.shape))
    assert error_db(backproject(history, grid, oversampling=oversampling, engine=engine), exact) < limit_db


class Hills:
    """Pixels on a bumpy ground, turned and stretched: no plane, no right angles."""

    rows, cols = 33, 40

    def to_scene(self, row, col):
        row, col = np.broadcast_arrays(np.asarray(row, float), col)
        x, y = 0.11 * (row - 20.0) + 0.02 * (col - 30.0), 0.09 * (col - 30.0) - 0.01 * (row - 20.0)
        return np.stack([x, y, 0.4 * np.sin(x) * np.cos(2.0 * y)], axis=-1)


@pytest.mark.parametrize("engine", ENGINES)
def test_forms_on_any_surface(simulated, engine):
    history = simulated([[0.7, -1.3, 0.0], [-2.0, 1.1, 0.3]])
    exact = plain(history, Hills(), *np.indices((Hills.rows, Hills.cols)))
    assert error_db(backproject(history, Hills(), oversampling=16, engine=engine), exact) < -62.0


@pytest.mark.parametrize("spacing_m", [0.3, 3.0])
def test_holds_from_a_low_and_near_antenna(simulated, spacing_m):
    """Coarse pixels near the antenna: tiles must shrink, or the range series fails."""
    history = simulated([[3.0, -4.0, 0.0]], frequencies=512, pulses=8, distance_m=800.0)
    grid = ground_grid(history, extent_m=40.0 * spacing_m, spacing_m=spacing_m)
    exact = backproject(history, grid, engine=Engine.NUMPY)
    assert error_db(backproject(history, grid, engine=Engine.NUMBA), exact) < -65.0


def test_threads_change_no_bit(simulated):
    history = simulated([[0.7, -1.3, 0.0]])
    grid = ground_grid(history, extent_m=14.0, spacing_m=0.1)
    alone = backproject(history, grid, threads=1)
    assert np.array_equal(alone, backproject(history, grid, threads=3))


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
    history = simulated([[0.0, 0.0, 0.0]], pulses=96)
    told = []
    backproject(history, ground_grid(history, extent_m=2.0, spacing_m=0.5), progress=lambda *at: told.append(at))
    assert told == [(64, 96), (96, 96)]


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
