"""The quality meter against closed forms: responses of weighted bands, speckle of so many looks."""

import math

import numpy as np
import pytest
from scipy.signal.windows import taylor

from kizuna.errors import InputError
from kizuna.sar.impulse import find_points, measure_response, theoretical_response
from kizuna.sar.speckle import equivalent_looks, noise_floor

SINC = 0.8858929413789046
SIDE = 256
POINTS = ((100.31, 80.72), (170.5, 190.02), (60.13, 200.9))


def image(bandwidths, window=None, points=POINTS, carrier=(0, 0), noise=0.0):
    """Points of amplitude 1 in an image whose spectrum fills so much of either axis; and how much exactly."""
    sizes = [round(b * SIDE) | 1 for b in bandwidths]
    bins = [np.arange(size) - size // 2 for size in sizes]
    weights = [np.ones(size) if window is None else window(size) for size in sizes]
    made = np.zeros((SIDE, SIDE), complex)
    n = np.arange(SIDE)
    for row, col in points:
        along = [
            np.exp(2j * np.pi * np.outer(n - at, k) / SIDE) @ w / w.sum()
            for at, k, w in zip((row, col), bins, weights, strict=True)
        ]
        made += np.outer(*along)
    made *= np.exp(2j * np.pi * (carrier[0] * n[:, None] + carrier[1] * n) / SIDE)
    rng = np.random.default_rng(5)
    made += noise * (rng.normal(size=made.shape) + 1j * rng.normal(size=made.shape)) / math.sqrt(2.0)
    return made.astype(np.complex64), [size / SIDE for size in sizes]


@pytest.mark.parametrize("carrier", [(0, 0), (70, -101)])
@pytest.mark.parametrize("bandwidths", [(0.5, 0.8), (0.9, 0.65)])
def test_a_uniform_response_is_that_of_a_sinc(bandwidths, carrier):
    pixels, filled = image(bandwidths, carrier=carrier)
    for row, col in POINTS:
        found = measure_response(pixels, round(row), round(col))
        assert (found.row, found.col) == pytest.approx((row, col), abs=2e-3)
        assert found.amplitude == pytest.approx(1.0, rel=2e-3)
        for axis, bandwidth in zip((found.along_rows, found.along_cols), filled, strict=True):
            assert axis.width_px == pytest.approx(SINC / bandwidth, rel=1e-3)
            assert axis.pslr_db == pytest.approx(-13.26, abs=0.05)
            # The integral to infinity gives -9.7 dB; over 24 pixels less lies beside.
            assert axis.islr_db == pytest.approx(-10.0, abs=0.25)


def test_a_weighted_response_is_that_of_its_window():
    """Taylor -35 dB, nbar 5: the width grows by 1.341 (Carrara, Goodman, Majewski 1995, table D.2)."""
    pixels, filled = image((0.7, 0.7), lambda size: taylor(size, nbar=5, sll=35))
    found = measure_response(pixels, 100, 81)
    assert found.along_rows.width_px * filled[0] / SINC == pytest.approx(1.341, rel=3e-3)
    assert found.along_rows.pslr_db == pytest.approx(-35.2, abs=0.2)
    theory = theoretical_response(found.along_rows.width_px, taylor(101, nbar=5, sll=35))
    assert theory.pslr_db == pytest.approx(found.along_rows.pslr_db, abs=0.1)
    assert theory.islr_db == pytest.approx(found.along_rows.islr_db, abs=0.3)
    assert theory.width_px == pytest.approx(found.along_rows.width_px, rel=1e-3)


def test_points_are_found_among_clutter_and_others_are_left():
    pixels, filled = image((0.7, 0.7), noise=0.01)
    # A wall: bright, long, no point.
    pixels[30:34, 20:90] += 2.0
    widths = SINC / filled[0], SINC / filled[1]
    found = find_points(pixels, widths)
    assert sorted((round(p.row), round(p.col)) for p in found) == sorted((round(r), round(c)) for r, c in POINTS)
    assert all(37.0 < p.clutter_db < 45.0 for p in found)
    assert find_points(pixels, (2.0 * widths[0], widths[1])) == ()
    assert find_points(pixels[:10, :10], widths) == ()


def test_what_cannot_be_measured_says_so():
    pixels, _ = image((0.7, 0.7))
    with pytest.raises(InputError, match="edge"):
        measure_response(pixels, 5, 100)
    with pytest.raises(InputError, match="nothing"):
        measure_response(np.zeros((200, 200), np.complex64), 100, 100)
    with pytest.raises(InputError, match="half its power"):
        measure_response(np.ones((200, 200), np.complex64), 100, 100)


@pytest.mark.parametrize("looks", [1, 4, 16])
def test_speckle_has_the_looks_it_was_made_with(looks):
    power = np.random.default_rng(looks).gamma(looks, 1.0 / looks, (512, 512))
    # Half of the image is a town.
    power[:, 256:] *= np.repeat(np.repeat(np.random.default_rng(1).gamma(0.5, 4.0, (128, 64)), 4, axis=0), 4, axis=1)
    found, fields = equivalent_looks(power)
    assert found == pytest.approx(looks, rel=0.06)
    assert fields > 10


def test_the_darkest_field_is_the_noise():
    power = np.random.default_rng(2).exponential(1.0, (512, 512))
    power[100:300, 100:300] *= 0.01
    assert noise_floor(power) == pytest.approx(0.01, rel=0.06)
    assert math.isnan(noise_floor(power[:20]))
    assert all(math.isnan(value) or value == 0 for value in equivalent_looks(power[:20]))
