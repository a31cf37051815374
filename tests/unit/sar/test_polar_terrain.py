"""Polar format on terrain against exact backprojection on the same surface, and the blur that it takes out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from simulators.collections import orbital_history

from kizuna.errors import InputError
from kizuna.sar.backprojection import backproject
from kizuna.sar.grid import PlaneGrid, TerrainGrid, ground_grid
from kizuna.sar.polar import polar_reference
from kizuna.sar.polar_terrain import polar_terrain


def apart_db(image, truth):
    return 20.0 * math.log10(np.linalg.norm(image - truth) / np.linalg.norm(truth))


def hill(grid, height_m):
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, grid.rows), np.linspace(-1.0, 1.0, grid.cols), indexing="ij")
    return TerrainGrid(grid, height_m * np.exp(-2.0 * (x**2 + y**2)) + 3.0 * np.sin(9.0 * x * y))


@pytest.fixture(scope="module")
def steep():
    """A hill of 80 m with targets on its flank and top, at 46 cm across."""
    history = orbital_history(pulses=300, frequencies=260, bandwidth_hz=300e6, seconds=2.9)
    surface = hill(ground_grid(history, extent_m=48.0, spacing_m=0.5), 80.0)
    places = surface.to_scene(np.array([20.0, 48.0, 70.0]), np.array([30.0, 48.0, 80.0]))
    return orbital_history(places, pulses=300, frequencies=260, bandwidth_hz=300e6, seconds=2.9), surface


def test_each_pixel_is_focused_at_its_own_height(steep):
    history, surface = steep
    image, told = polar_terrain(history, surface), []
    assert apart_db(image, backproject(history, surface, oversampling=24)) < -62.0  # focused at one height: -28
    polar_terrain(history, surface, progress=lambda *at: told.append(at))
    assert told[-1] == (surface.rows * surface.cols, surface.rows * surface.cols)
    assert np.abs(image[48, 48]) == pytest.approx(1.0, abs=0.03)


def test_a_level_surface_is_a_plane(steep):
    history, surface = steep
    plane = surface.plane
    flat = TerrainGrid(replace(plane, rows=40, cols=30), np.full((40, 30), 7.0))
    raised = replace(flat.plane, origin_m=plane.origin_m + np.array([0.0, 0.0, 7.0]))
    assert apart_db(polar_terrain(history, flat), polar_reference(history, raised)) < -55.0


def test_heights_between_pixels_are_linear_and_end_at_the_edge():
    plane = PlaneGrid(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), 1.0, 1.0, 2, 3)
    grid = TerrainGrid(plane, np.array([[0.0, 2.0, 4.0], [10.0, 12.0, 14.0]]))
    assert grid.to_scene([0.5, 0.0, 1.0, 9.0], [0.5, 2.0, 1.0, 9.0])[:, 2] == pytest.approx([6.0, 4.0, 12.0, 14.0])


def test_heights_must_fit_the_pixels():
    plane = PlaneGrid(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), 1.0, 1.0, 2, 3)
    with pytest.raises(InputError) as refusal:
        TerrainGrid(plane, np.zeros((3, 2)))
    assert refusal.value.field == "heights_m"
