"""Looks of a complex image: as many as were asked for, as coarse, as bright, and in their places."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sarkit.sicd
from simulators.collections import START, orbital_collection, plane

from kizuna.errors import InputError
from kizuna.formats.sicd_looks import looks_of_image
from kizuna.formats.sicd_metadata import describe_collection, sicd_metadata
from kizuna.sar.image import FormedImage
from kizuna.sar.windows import Window, WindowKind

ROWS, COLS = 160, 640


@pytest.fixture(scope="module")
def described():
    """Metadata of an image, its band along the columns in cycles a pixel, and the centre of that in each row."""
    collection = orbital_collection()
    grid = plane(collection, "ground", rows=ROWS, cols=COLS, oversampling=1.25)
    image = FormedImage(np.zeros(grid.shape, np.complex64), grid, collection.history, collection.scene, nominal=False)
    tree = sicd_metadata(image, describe_collection(collection, produced=START))
    col = sarkit.sicd.ElementWrapper(tree.getroot())["Grid"]["Col"]
    spacing = col["SS"]
    # The centre goes from row to row, and the band wraps: 0.3 cycles a pixel in the middle, 0.4 more at the last row.
    per_row = 0.8 / ROWS / grid.row_spacing_m
    col["DeltaKCOAPoly"] = np.array([[0.3], [per_row]]) / spacing
    offsets = (np.arange(ROWS) - grid.centre_row) * grid.row_spacing_m
    return tree, col["ImpRespBW"] * spacing, 0.3 + per_row * offsets


def banded(described, spectrum):
    """Image of a spectrum given over shares of the band, -1/2 to 1/2, in each row about that row's centre."""
    _tree, band, centres = described
    turns = np.fft.fftfreq(COLS)[None, :] - centres[:, None]
    share = (turns - np.rint(turns)) / band
    return np.fft.ifft(np.where(np.abs(share) < 0.5, spectrum(share), 0.0), axis=1).astype(np.complex64)


def noise(described, seed=5):
    random = np.random.default_rng(seed)
    return banded(described, lambda share: random.normal(size=share.shape) + 1j * random.normal(size=share.shape))


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_speckle_is_as_even_as_the_number_of_looks_says_and_as_bright(described, count):
    pixels = noise(described)
    found = looks_of_image(described[0], pixels, count)
    power = found.power[8:-8, 8:-8].astype(float)
    assert power.mean() ** 2 / power.var() == pytest.approx(count, rel=0.06)
    assert found.equivalent == pytest.approx(count, rel=0.15)
    # A look has one part of the noise and is made as bright as the whole: a scatterer stays, noise grows.
    assert power.mean() == pytest.approx(count * np.mean(np.abs(pixels) ** 2), rel=0.03)
    assert found.power.shape == (2 * ROWS, 2 * math.ceil(COLS / count))


@pytest.mark.parametrize("window", [Window(), Window(WindowKind.TAYLOR)])
def test_a_point_keeps_its_place_and_brightness_and_gets_as_much_wider(described, window):
    row, col, count = 61, 300, 4
    tree, band, centres = described
    impulse = np.zeros((ROWS, COLS), np.complex64)
    impulse[row] = banded(
        (tree, band, centres),
        lambda share: np.exp(-2j * math.pi * np.fft.fftfreq(COLS) * col)[None, :] + np.zeros_like(share),
    )[row]
    impulse /= np.abs(impulse).max()
    found = looks_of_image(tree, impulse, count, aperture=window)
    line = found.power[2 * row]
    fine = np.interp(np.arange(0, COLS, 0.02), np.arange(len(line)) / found.columns_a_pixel, line)
    assert found.power.max() == pytest.approx(1.0, abs=0.02)
    assert fine.argmax() * 0.02 == pytest.approx(col, abs=1.0 / found.columns_a_pixel)
    width = np.count_nonzero(fine > 0.5 * fine.max()) * 0.02
    factor = 1.0 if window == Window() else 1.341  # of Taylor's -35 dB, five equal sidelobes
    assert width == pytest.approx(0.886 * factor * count / band, rel=0.04)


def test_spectra_of_the_other_sign_give_the_same_looks(described):
    tree, _band, _centres = described
    pixels = noise(described)
    first = looks_of_image(tree, pixels, 3).power
    other = sarkit.sicd.ElementWrapper(tree.getroot())["Grid"]["Col"]
    other["Sgn"] = 1
    try:
        turned = looks_of_image(tree, np.conj(pixels), 3).power
    finally:
        other["Sgn"] = -1
    assert np.allclose(first, turned, rtol=1e-3, atol=1e-3 * first.mean())


def test_refuses_what_gives_no_alike_looks(described):
    collection = orbital_collection()
    grid = plane(collection, "ground")
    image = FormedImage(np.zeros(grid.shape, np.complex64), grid, collection.history, collection.scene, nominal=False)
    told = describe_collection(collection, produced=START)
    weighted = sicd_metadata(image, replace(told, col_weighting=type(told.col_weighting)("TAYLOR", (0.5, 1.0, 0.5))))
    for tree, count in ((weighted, 2), (described[0], 0), (described[0], COLS // 4)):
        with pytest.raises(InputError) as refused:
            looks_of_image(tree, np.zeros((ROWS, COLS), np.complex64), count)
        assert refused.value.field == "looks"
