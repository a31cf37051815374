"""Terrain whose layover, shadow and slopes have closed forms."""

import math

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.geocode import facet_areas, fit_projection, hidden_by_terrain, resample_power

INCIDENCE = math.radians(35.0)
ALTITUDE = 500e3


def ridge(x, top, foot, back, height):
    """Height over ground range: up from `foot` to `top`, down to `back`."""
    return np.interp(x, [foot, top, back], [0.0, height, 0.0], left=0.0, right=0.0)


@pytest.mark.parametrize("turn_deg", [0.0, 90.0, 200.0, 33.0])
def test_a_ridge_hides_what_its_geometry_says(turn_deg):
    """Front slope steeper than the incidence (layover), back slope steeper than the line of sight (shadow)."""
    side, turn = 401, math.radians(turn_deg)
    i, j = np.meshgrid(np.arange(side) - side // 2, np.arange(side) - side // 2, indexing="ij")
    x = i * math.cos(turn) + j * math.sin(turn)
    foot, top, back, height = -40.0, -10.0, 20.0, 60.0
    h = ridge(x, top, foot, back, height)
    ahead = ALTITUDE * math.tan(INCIDENCE) + x
    hidden = hidden_by_terrain(np.hypot(ahead, ALTITUDE - h), np.arctan2(ahead, ALTITUDE - h))
    inner = np.hypot(i, j) < side // 2 - 5
    # Shadow: from the back slope's start (it is steeper than the ray) to where the ray over the top meets the ground.
    end = top + height * math.tan(INCIDENCE)
    assert end > back
    expected = (x > top) & (x < end)
    wrong = (hidden.shadow != expected) & inner
    assert np.all(np.minimum(np.abs(x - top), np.abs(x - end))[wrong] < 1.5)
    # Layover: nearer ground of the top's range, up to the far side's place of the foot's range.
    near = top - height / math.tan(INCIDENCE)
    slope = height / (back - top)
    far = (foot * math.sin(INCIDENCE) + math.cos(INCIDENCE) * (height + slope * top)) / (
        math.sin(INCIDENCE) + slope * math.cos(INCIDENCE)
    )
    assert top < far < back
    expected = (x > near) & (x < far)
    wrong = (hidden.layover != expected) & inner
    assert np.all(np.minimum(np.abs(x - near), np.abs(x - far))[wrong] < 1.5)
    assert hidden.layover.any()
    assert hidden.shadow.any()


def test_flat_ground_hides_nothing():
    x = np.arange(50.0) + np.zeros((40, 1))
    ahead = ALTITUDE * math.tan(INCIDENCE) + x
    hidden = hidden_by_terrain(np.hypot(ahead, ALTITUDE), np.arctan2(ahead, ALTITUDE))
    assert not hidden.layover.any()
    assert not hidden.shadow.any()


@pytest.mark.parametrize("slope_deg", [-20.0, 0.0, 15.0])
def test_a_slope_shows_as_much_ground_as_its_angle_says(slope_deg):
    """A cell of a slope sees its slant area over the tangent of the local incidence (Small 2011, for a plane)."""
    slope, side, spacing = math.radians(slope_deg), 200, 2.0
    east, south = np.meshgrid(np.arange(side) * spacing, np.arange(side) * spacing)
    height = east * math.tan(slope)
    place = np.stack([east, -south, height], axis=-1)
    sight = np.broadcast_to([math.sin(INCIDENCE), 0.0, -math.cos(INCIDENCE)], place.shape)
    slant = (place * sight).sum(axis=-1)
    row_m, col_m = 1.0, 1.5
    rows, cols = (slant - slant.min()) / row_m, south / col_m
    cell = (4, 5)
    shape = math.ceil(rows.max()), math.ceil(cols.max())
    areas = facet_areas(place, sight, rows, cols, hidden=np.zeros(rows.shape, bool), cell=cell, shape=shape)
    # Ground that rises away from the radar is turned towards it.
    local = INCIDENCE - slope
    expected = cell[0] * row_m * cell[1] * col_m / math.tan(local)
    inner = areas[4:-4, 4:-4]
    assert inner.size > 100
    assert inner.mean() == pytest.approx(expected, rel=0.005)
    assert inner.std() < 0.05 * expected
    hidden = np.ones(rows.shape, bool)
    assert not facet_areas(place, sight, rows, cols, hidden=hidden, cell=cell, shape=shape).any()


def test_a_projection_that_polynomials_cannot_follow_is_refused():
    def bent(x, y, h):
        return np.sin(x * 20.0) * 50.0, y + h

    with pytest.raises(InputError, match="bends"):
        fit_projection(bent, (-1.0, 1.0), (0.0, 1.0), (0.0, 100.0))
    fitted = fit_projection(lambda x, y, h: (x**2 + y * h, np.cos(y) - h), (-1.0, 1.0), (0.0, 1.0), (0.0, 100.0))
    rng = np.random.default_rng(0)
    x, y, h = rng.uniform(-1, 1, 50), rng.uniform(0, 1, 50), rng.uniform(0, 100, 50)
    rows, cols = fitted(x, y, h)
    assert rows == pytest.approx(x**2 + y * h, abs=0.02)
    assert cols == pytest.approx(np.cos(y) - h, abs=0.02)


def test_power_is_read_between_pixels_and_kept_when_the_map_is_coarser():
    power = np.random.default_rng(0).exponential(1.0, (120, 120))
    rows, cols = np.meshgrid(np.arange(1.0, 119.0, 3.0), np.arange(1.0, 119.0, 3.0), indexing="ij")
    coarse = resample_power(power, rows, cols, looks=(3, 3))
    assert coarse == pytest.approx(power.reshape(40, 3, 40, 3).mean(axis=(1, 3)))
    ramp = np.add.outer(np.arange(10.0), 2.0 * np.arange(10.0))
    assert resample_power(ramp, np.array([2.25]), np.array([3.5])) == pytest.approx([9.25])
    assert np.isnan(resample_power(ramp, np.array([-0.6, 9.6, 4.0]), np.array([4.0, 4.0, 9.6]))).all()
