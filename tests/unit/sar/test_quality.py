"""The meter against responses of known place and width."""

import math

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.image import detect, form_image, spatial_support
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC, ground_resolution, measure_point

GRID = PlaneGrid(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), 0.2, 0.25, 128, 160)


def sinc(grid, at_m, bandwidth, carrier=(0.0, 0.0)):
    row = grid.row_offsets_m()[:, None] - at_m[0]
    col = grid.col_offsets_m() - at_m[1]
    turn = np.exp(2j * math.pi * (carrier[0] * row + carrier[1] * col))
    return np.sinc(bandwidth[0] * row) * np.sinc(bandwidth[1] * col) * turn


@pytest.mark.parametrize("carrier", [(0.0, 0.0), (44.7, 0.0), (2.4, -1.9)])
def test_measures_place_and_width_of_a_sinc_whatever_its_carrier(carrier):
    found = measure_point(sinc(GRID, (0.33, -0.41), (2.9, 2.3), carrier), GRID, [0.0, 0.0, 0.0])
    assert found.position_m == pytest.approx([0.33, -0.41, 0.0], abs=0.002)
    assert found.row_width_m == pytest.approx(HALF_POWER_WIDTH_OF_SINC / 2.9, rel=0.01)
    assert found.col_width_m == pytest.approx(HALF_POWER_WIDTH_OF_SINC / 2.3, rel=0.01)
    assert found.amplitude == pytest.approx(1.0, abs=0.01)


def test_half_power_width_of_a_sinc_is_what_it_is_said_to_be():
    assert np.sinc(HALF_POWER_WIDTH_OF_SINC / 2.0) ** 2 == pytest.approx(0.5, abs=1e-12)


def test_a_simulated_point_is_as_sharp_as_theory_says(simulated, nowhere):
    history = simulated([[0.6, -0.4, 0.0]], pulses=96, frequencies=256)
    image = form_image(history, nowhere, extent_m=20.0, spacing_m=0.15, nominal=True)
    found = measure_point(image.pixels, image.grid, [0.0, 0.0, 0.0])
    range_m, cross_m = ground_resolution(history)
    assert found.position_m == pytest.approx([0.6, -0.4, 0.0], abs=0.005)
    assert found.row_width_m == pytest.approx(range_m, rel=0.01)
    assert found.col_width_m == pytest.approx(cross_m, rel=0.01)


def test_a_formed_image_is_at_baseband(simulated, nowhere):
    history = simulated([[0.0, 0.0, 0.0]], frequencies=256)
    image = form_image(history, nowhere, extent_m=20.0, spacing_m=0.15, nominal=True)
    bandwidth = spatial_support(history, image.grid).bandwidth
    power = np.abs(np.fft.fft2(image.pixels)) ** 2
    frequency = np.fft.fftfreq(image.grid.rows, 0.15)
    for axis, width in enumerate(bandwidth):
        along = power.sum(axis=1 - axis)
        inside = along[np.abs(frequency) < 0.55 * width].sum() / along.sum()
        assert inside > 0.95
        assert abs(np.sum(along * frequency) / along.sum()) < 0.05 * width


def test_refuses_a_place_at_the_edge_and_a_flat_image():
    with pytest.raises(InputError, match="of the edge of an image of 128 x 160 pixels"):
        measure_point(np.ones(GRID.shape, complex), GRID, [12.0, 0.0, 0.0])
    with pytest.raises(InputError, match="does not fall to half its power"):
        measure_point(np.ones(GRID.shape, complex), GRID, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("carrier", [(0.0, 0.0), (2.3, 1.9)])
def test_detection_doubles_the_sampling_and_keeps_what_was_there(carrier):
    pixels = sinc(GRID, (0.33, -0.41), (2.4, 1.9), carrier)
    amplitude = detect(pixels)
    assert amplitude.shape == (256, 320)
    assert amplitude[::2, ::2] == pytest.approx(np.abs(pixels), abs=1e-5)
    fine = PlaneGrid(GRID.origin_m, GRID.row_direction, GRID.col_direction, 0.1, 0.125, 256, 320)
    expected = np.abs(sinc(fine, (0.33, -0.41), (2.4, 1.9)))
    assert np.abs(amplitude - expected)[100:156, 120:200].max() < 0.01
