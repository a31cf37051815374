"""Backprojection against the sum that defines it, on simulated echoes."""

import contextlib
import importlib.util
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

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
    return 10.0 * math.log10(np.mean(np.abs(image - exact) ** 2) / np.mean(np.abs(exact) ** 2) + 1e-20)


NATIVE = Path(__file__).parents[3] / "native" / "src"
FLAGS = ["-O2", "-std=c++17", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"]
WIDE = ["-DKIZUNA_ASSUME_WIDE", '-DKIZUNA_WIDE_TARGET="avx2,fma"']  # sixteen lanes, run by a processor that may have eight


@pytest.fixture(scope="session")
def native_kernels(tmp_path_factory):
    """`add_tiles` of kizuna-native by number of lanes, as far as this machine can run them."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("kizuna-native needs a C++ compiler")
    folder = tmp_path_factory.mktemp("native") / "kizuna_native"
    shutil.copytree(NATIVE / "kizuna_native", folder)
    for name, extra in (("kernels.so", []), ("wide.so", WIDE)):
        command = [compiler, *FLAGS, *extra, str(NATIVE / "backprojection.cpp"), "-o", str(folder / name)]
        subprocess.run(command, check=True)
    spec = importlib.util.spec_from_file_location("kizuna_native", folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lanes = {4: module.load(folder / "kernels.so", 0)}
    with contextlib.suppress(ValueError):
        lanes[8] = module.load(folder / "kernels.so", 1)
        lanes[16] = module.load(folder / "wide.so")
    return lanes


@pytest.fixture(params=["4 lanes", "8 lanes", "16 lanes", "numba", "numpy"])
def engine(request, monkeypatch):
    """Each inner loop that this machine can run."""
    if "lanes" not in request.param:
        return Engine(request.param)
    kernels = request.getfixturevalue("native_kernels")
    lanes = int(request.param.split()[0])
    if lanes not in kernels:
        pytest.skip(f"this processor cannot run {lanes} lanes")
    monkeypatch.setitem(sys.modules, "kizuna_native", SimpleNamespace(add_tiles=kernels[lanes]))
    return Engine.NATIVE


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


def test_forms_on_any_surface(simulated, engine):
    history = simulated([[0.7, -1.3, 0.0], [-2.0, 1.1, 0.3]])
    exact = plain(history, Hills(), *np.indices((Hills.rows, Hills.cols)))
    assert error_db(backproject(history, Hills(), oversampling=16, engine=engine), exact) < -62.0


@pytest.mark.parametrize("spacing_m", [0.3, 3.0])
def test_holds_from_a_low_and_near_antenna(simulated, engine, spacing_m):
    """Coarse pixels near the antenna: tiles must shrink, or the range series fails."""
    history = simulated([[3.0, -4.0, 0.0]], frequencies=512, pulses=8, distance_m=800.0)
    grid = ground_grid(history, extent_m=40.0 * spacing_m, spacing_m=spacing_m)
    exact = backproject(history, grid, engine=Engine.NUMPY)
    assert error_db(backproject(history, grid, engine=engine), exact) < -65.0


@pytest.mark.parametrize("turn_deg", [0.0, 4.0, 40.0, 90.0, 130.0])
@pytest.mark.parametrize("oversampling", [6, 40])
def test_a_turned_grid_is_as_exact(simulated, engine, turn_deg, oversampling):
    """Rows along range, across it and askew: each its own way through the kernels."""
    history = simulated([[0.7, -1.3, 0.0]], pulses=5, frequencies=128)
    grid = ground_grid(history, extent_m=14.0, spacing_m=0.2)
    cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    down, across = grid.row_direction, grid.col_direction
    turned = replace(grid, row_direction=cos * down + sin * across, col_direction=cos * across - sin * down, cols=83)
    exact = backproject(history, turned, oversampling=oversampling, engine=Engine.NUMPY)
    assert error_db(backproject(history, turned, oversampling=oversampling, engine=engine), exact) < -72.0


def test_threads_change_no_bit(simulated, engine):
    history = simulated([[0.7, -1.3, 0.0]])
    grid = ground_grid(history, extent_m=14.0, spacing_m=0.1)
    alone = backproject(history, grid, threads=1, engine=engine)
    assert np.array_equal(alone, backproject(history, grid, threads=3, engine=engine))


def test_says_that_an_engine_is_missing(simulated, monkeypatch):
    monkeypatch.setitem(sys.modules, "kizuna_native", None)
    history = simulated([[0.0, 0.0, 0.0]])
    grid = ground_grid(history, extent_m=2.0, spacing_m=0.5)
    with pytest.raises(InputError, match="kizuna-native is not installed") as refusal:
        backproject(history, grid, engine=Engine.NATIVE)
    assert refusal.value.field == "engine"
    assert np.array_equal(backproject(history, grid), backproject(history, grid, engine=Engine.NUMBA))


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
