"""Windows against their published sidelobes and widths; apodisation against what it promises."""

import numpy as np
import pytest
import scipy.signal.windows

from kizuna.errors import InputError
from kizuna.sar.form import Method, form_pixels
from kizuna.sar.grid import ground_grid
from kizuna.sar.image import spatial_support, to_baseband
from kizuna.sar.quality import measure_point
from kizuna.sar.windows import Window, WindowKind, apodise, parse_window, weighted


@pytest.mark.parametrize(("sidelobe_db", "n_bar"), [(35.0, 5), (30.0, 4), (45.0, 8)])
def test_taylor_is_scipys(sidelobe_db, n_bar):
    ours = Window(WindowKind.TAYLOR, sidelobe_db, n_bar).weights(257)
    theirs = scipy.signal.windows.taylor(257, nbar=n_bar, sll=sidelobe_db, norm=False)
    assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "sidelobe_db", "width"),
    # Harris 1978, table 1 (highest sidelobe; 3 dB width in bins); Taylor: Carrara et al. 1995, table D.1.
    [("uniform", -13.26, 0.886), ("hamming", -42.7, 1.30), ("hann", -31.5, 1.44), ("taylor:35,5", -35.2, 1.19)],
)
def test_sidelobes_and_widths_are_the_published_ones(text, sidelobe_db, width):
    weights = parse_window(text).weights(512)
    assert weights.mean() == pytest.approx(1.0, abs=1e-6)
    response = 20.0 * np.log10(np.abs(np.fft.fft(weights, 1 << 16)) / 512.0 + 1e-12)
    first_null = int(np.flatnonzero(np.diff(response[: 1 << 12]) > 0.0)[0])
    assert response[first_null : 1 << 13].max() == pytest.approx(sidelobe_db, abs=0.3)
    half = float(np.interp(3.0103, -response[:first_null], np.arange(first_null)))
    assert 2.0 * half * 512.0 / (1 << 16) == pytest.approx(width, abs=0.015)


def test_kaiser_of_no_shape_is_uniform_and_of_some_has_mean_one():
    assert (Window(WindowKind.KAISER, beta=0.0).weights(9) == 1.0).all()
    assert Window(WindowKind.KAISER, beta=6.0).weights(4000).mean() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("text", ["", "boxcar", "hamming:3", "taylor:35,5,1", "taylor:x", "taylor:0", "kaiser:nan"])
def test_refuses_what_is_no_window(text):
    with pytest.raises(InputError) as refusal:
        parse_window(text)
    assert refusal.value.field == "window"


@pytest.fixture(scope="module")
def pair():
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("sar_conftest", Path(__file__).with_name("conftest.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.simulate([[0.0, 0.0, 0.0], [2.13, 1.9, 0.0]], pulses=160, frequencies=150)


def test_windows_keep_a_scatterer_and_widen_it_as_theory_says(pair):
    grid = ground_grid(pair, extent_m=16.0, spacing_m=0.12)
    plain = measure_point(form_pixels(pair, grid, Method.POLAR_FORMAT), grid, [0.0, 0.0, 0.0])
    window = parse_window("taylor:35,5")
    soft = measure_point(form_pixels(weighted(pair, window, window), grid, Method.POLAR_FORMAT), grid, [0.0, 0.0, 0.0])
    assert soft.amplitude == pytest.approx(1.0, abs=0.02)
    assert soft.row_width_m / plain.row_width_m == pytest.approx(1.341, abs=0.03)
    assert soft.col_width_m / plain.col_width_m == pytest.approx(1.341, abs=0.03)
    assert weighted(pair, Window(), Window()) is pair


def test_apodisation_takes_sidelobes_and_leaves_widths(pair):
    grid = ground_grid(pair, extent_m=16.0, spacing_m=0.12)
    image = to_baseband(form_pixels(pair, grid, Method.POLAR_FORMAT), pair, grid)
    clean = apodise(image, grid, spatial_support(pair, grid))
    assert np.abs(clean).max() <= np.abs(image).max() * 1.01
    before = measure_point(image, grid, [0.0, 0.0, 0.0])
    after = measure_point(clean, grid, [0.0, 0.0, 0.0])
    assert after.col_width_m < 1.05 * before.col_width_m
    assert after.row_width_m < 1.05 * before.row_width_m
    # Along both axes through the scatterers: sidelobes of uniform weights reach -13 dB; here they are gone.
    row, col = grid.centre_row, grid.centre_col
    beside = np.r_[0 : row - 8, row + 8 : grid.rows]
    assert np.abs(image[beside, col]).max() > 0.12
    assert np.abs(clean[beside, col]).max() < 0.015
