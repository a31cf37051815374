"""Sub-apertures and looks."""

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.form import Method
from kizuna.sar.grid import ground_grid
from kizuna.sar.looks import multilook, sub_apertures


def test_parts_are_consecutive_and_leave_nothing_out(simulated):
    history = simulated([[0.0, 0.0, 0.0]], pulses=48)
    parts = sub_apertures(history, 3)
    assert [part.pulses for part in parts] == [16, 16, 16]
    assert np.concatenate([part.positions_m for part in parts]).tolist() == history.positions_m.tolist()
    half = sub_apertures(history, 3, overlap=0.5)
    assert [part.pulses for part in half] == [24, 24, 24]
    assert half[1].positions_m[0].tolist() == history.positions_m[12].tolist()
    assert half[-1].positions_m[-1].tolist() == history.positions_m[-1].tolist()


@pytest.mark.parametrize(("count", "overlap"), [(0, 0.0), (30, 0.0), (2, 1.0), (2, -0.1)])
def test_refuses_parts_that_are_none(simulated, count, overlap):
    with pytest.raises(InputError) as refusal:
        sub_apertures(simulated([[0.0, 0.0, 0.0]], pulses=48), count, overlap=overlap)
    assert refusal.value.field == "looks"


def test_independent_looks_make_speckle_even_as_their_number_says(simulated):
    # Noise in every sample is speckle in every pixel: the equivalent number of looks is mean^2 / variance of the power.
    history = simulated([[0.0, 0.0, 0.0]], pulses=96, frequencies=64)
    random = np.random.default_rng(4)
    history.samples[:] = random.normal(size=history.samples.shape) + 1j * random.normal(size=history.samples.shape)
    grid = ground_grid(history, extent_m=18.0, spacing_m=0.3)
    for looks in (1, 4):
        power = multilook(history, grid, looks, Method.POLAR_FORMAT) ** 2
        assert power.mean() ** 2 / power.var() == pytest.approx(looks, rel=0.25)
