"""Fourier sums between points anywhere against the sums themselves, in double precision."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.sar.nufft import ModeInterpolator, PointSpreader, type_1, type_2, type_3

TOLERANCES = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]


def waves(points, count, sign):
    return np.exp(1j * sign * np.outer(np.arange(count) - count // 2, points))


def apart(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.fixture
def points():
    random = np.random.default_rng(5)
    row, col = random.uniform(-3.0 * math.pi, 3.0 * math.pi, (2, 700))  # beyond one period
    return row, col, random.normal(size=700) + 1j * random.normal(size=700)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize(("shape", "sign"), [((40, 57), 1), ((33, 8), -1), ((1, 2), 1)])
def test_type_1_is_the_sum_over_points(points, shape, sign, tolerance):
    row, col, values = points
    exact = (waves(row, shape[0], sign) * values) @ waves(col, shape[1], sign).T
    assert apart(type_1(row, col, values, shape, sign=sign, tolerance=tolerance), exact) < tolerance


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize(("shape", "sign"), [((40, 57), 1), ((33, 8), -1), ((1, 2), 1)])
def test_type_2_is_the_sum_over_modes(points, shape, sign, tolerance):
    row, col, _ = points
    random = np.random.default_rng(6)
    modes = random.normal(size=shape) + 1j * random.normal(size=shape)
    exact = np.einsum("mj,mn,nj->j", waves(row, shape[0], sign), modes, waves(col, shape[1], sign))
    assert apart(type_2(row, col, modes, sign=sign, tolerance=tolerance), exact) < tolerance


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("sign", [1, -1])
def test_type_3_is_the_sum_between_points_of_any_unit(points, sign, tolerance):
    row, col, values = points
    x, y = 150.0 + 5.0 * row, -1e4 + 0.1 * col
    random = np.random.default_rng(7)
    s, t = 400.0 + random.uniform(-1.0, 1.0, 300), random.uniform(-90.0, 30.0, 300)
    exact = np.exp(1j * sign * (np.outer(s, x) + np.outer(t, y))) @ values
    assert apart(type_3((x, y), values, (s, t), sign=sign, tolerance=tolerance), exact) < 2.0 * tolerance


def test_blocks_and_threads_leave_no_seam():
    # 300 modes on a finer grid are more than three rows of bins, so stripes have neighbours, and one writes round the edge.
    random = np.random.default_rng(8)
    row, col = random.uniform(0.0, 2.0 * math.pi, (2, 20_000))
    values = random.normal(size=20_000) + 0j
    exact = (waves(row, 300, 1) * values) @ waves(col, 20, 1).T
    spreader = PointSpreader((300, 20), threads=3)
    for block in np.array_split(np.arange(20_000), 3):
        spreader.add(row[block], col[block], values[block])
    assert apart(spreader.modes(), exact) < 1e-4
    back = np.einsum("mj,mn,nj->j", waves(row[:500], 300, 1), exact, waves(col[:500], 20, 1))
    assert apart(ModeInterpolator(exact, threads=3).at(row, col)[:500], back) < 1e-4


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), cols=st.integers(1, 40), count=st.integers(1, 60))
def test_type_2_is_the_adjoint_of_type_1(seed, rows, cols, count):
    random = np.random.default_rng(seed)
    row, col = random.uniform(-math.pi, math.pi, (2, count))
    values, modes = random.normal(size=count) + 0j, random.normal(size=(rows, cols)) + 0j
    left = np.vdot(modes, type_1(row, col, values, (rows, cols), tolerance=1e-5))
    right = np.vdot(type_2(row, col, modes, sign=-1, tolerance=1e-5), values)
    assert abs(left - right) < 1e-4 * np.linalg.norm(values) * np.linalg.norm(modes) * math.sqrt(count)


def test_one_point_and_no_extent():
    assert type_3(([2.0], [3.0]), [1j], ([5.0], [7.0])) == pytest.approx([1j * np.exp(1j * 31.0)], abs=1e-4)
    assert len(type_3(([], []), [], ([1.0, 2.0], [3.0, 4.0]))) == 2
    assert not type_1([], [], [], (4, 4)).any()


@pytest.mark.parametrize("tolerance", [0.0, 1e-9, 1.0, math.nan])
def test_refuses_what_single_precision_cannot_keep(tolerance):
    with pytest.raises(InputError) as refusal:
        type_1([0.0], [0.0], [1.0], (4, 4), tolerance=tolerance)
    assert refusal.value.field == "tolerance"


@pytest.mark.parametrize(
    ("row", "col", "values", "field"),
    [([0.0, 1.0], [0.0], [1.0], "y"), ([0.0], [0.0], [1.0, 2.0], "values"), ([math.inf], [0.0], [1.0], "x")],
)
def test_refuses_points_that_are_none(row, col, values, field):
    with pytest.raises(InputError) as refusal:
        type_1(row, col, values, (4, 4))
    assert refusal.value.field == field
