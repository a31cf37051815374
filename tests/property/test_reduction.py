"""What is taken away for release is gone: inputs that differ only there reduce to identical bytes."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import lxml.etree
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from simulators.images import gotcha_sicd

from kizuna.formats.sicd import NitfDescription, read_metadata, read_pixels, read_summary, write_sicd_file
from kizuna.formats.sicd_reduce import reduce_sicd
from kizuna.sar.reduce import KeptBand, kept_band, kept_spectrum, reduce_pixels, smooth_length

SIZES = (24, 36, 40, 48, 60, 64, 72, 80, 96, 100)
seeds = st.integers(0, 2**32 - 1)
# Amplitudes of 8 bits to 20 bits and of any power of two: all sums below are exact in float32.
scales = st.integers(-40, 40)


def noise(rng, shape, most):
    return rng.integers(-most, most, shape) + 1j * rng.integers(-most, most, shape)


def beyond(rng, band: KeptBand, lines, most):
    """Gaussian integers (band.samples, lines) whose spectrum along the first axis is zero in every kept bin, or None.

    A pattern that repeats every `period` samples has content at multiples of length / period only; here none of these is kept,
    and the mean of the pattern, at zero frequency, is taken away where that is.
    """
    kept = set((np.arange(band.first, band.first + band.count) % band.length).tolist())
    periods = [
        p
        for p in range(2, band.length + 1)
        if band.length % p == 0 and not (kept & set(range(0, band.length, band.length // p))) - {0}
    ]
    if not periods or band.samples != band.length:
        return None
    made = np.zeros((band.length, lines), np.complex128)
    for period in periods:
        pattern = noise(rng, (period, lines), most)
        if 0 in kept:
            pattern[-1] = -pattern[:-1].sum(axis=0)
        made += np.tile(pattern, (band.length // period, 1))
    return made


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(SIZES), st.sampled_from(SIZES), st.floats(0.1, 0.6), st.floats(-0.3, 0.3), scales)
def test_content_beyond_the_kept_band_leaves_not_one_bit(seed, rows, cols, bandwidth, centre, scale):
    rng = np.random.default_rng(seed)
    bands = kept_band(rows, bandwidth, centre), kept_band(cols, bandwidth, -centre)
    if None in bands:
        return
    image = noise(rng, (rows, cols), 200)
    other = image.copy()
    for axis, band in enumerate(bands):
        more = beyond(rng, band, (cols, rows)[axis], 300)
        if more is not None:
            other += more if axis == 0 else more.T
    # Numpy agrees that nothing of the difference lies in both bands.
    spectrum = np.fft.fft2(other - image, s=[band.length for band in bands])
    kept = spectrum[np.ix_(*(np.arange(band.first, band.first + band.count) for band in bands))]
    assert np.abs(kept).max() < 1e-6
    stored = [np.ldexp(1.0, scale) * values for values in (image, other)]
    one, two = (reduce_pixels(values.astype(np.complex64), *bands) for values in stored)
    assert all(np.array_equal(values.astype(np.complex64), values) for values in stored)
    assert one.tobytes() == two.tobytes()


def test_the_test_above_does_change_images():
    """Of most sizes there is something beyond the band, and it is no small thing."""
    rng = np.random.default_rng(0)
    found = [beyond(rng, kept_band(size, 0.3), 5, 300) for size in SIZES]
    assert all(more is not None and np.abs(more).std() > 50.0 for more in found)


@settings(max_examples=12, deadline=None)
@given(seeds, st.integers(5, 70), st.integers(5, 70), st.floats(0.1, 0.9), st.floats(-0.4, 0.4))
def test_the_kept_bins_are_those_of_the_fourier_transform(seed, rows, cols, bandwidth, centre):
    rng = np.random.default_rng(seed)
    image = (rng.normal(size=(rows, cols)) * np.exp(rng.normal(size=(rows, cols)) * 4) + 1j).astype(np.complex64)
    bands = kept_band(rows, bandwidth, centre), kept_band(cols, bandwidth)
    if None in bands:
        return
    found = kept_spectrum(image, *bands)
    whole = np.fft.fft2(image.astype(np.complex128), s=[band.length for band in bands])
    expected = whole[np.ix_(*(np.arange(band.first, band.first + band.count) for band in bands))]
    # The whole numbers that stand for sines and cosines are good to 1e-4 each.
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(image) * np.sqrt(found.size)


@given(st.integers(1, 5000))
def test_transforms_are_as_long_as_needed(least):
    length = smooth_length(least)
    assert length >= least
    assert length % 4 == 0
    for prime in (2, 3, 5):
        while length % prime == 0:
            length //= prime
    assert length == 1


# ---- files


def source(seed=None, *, outside=None, tree=None, description=None):
    """SICD of the Gotcha car park, its pixels outside a window replaced, its metadata and headers changed."""
    data = io.BytesIO(gotcha_sicd())
    pixels, metadata, summary = read_pixels(data), read_metadata(data), read_summary(data)
    for name in () if tree is None else ("NominalPosition",):
        for parameter in metadata.findall(f"{{*}}CollectionInfo/{{*}}Parameter[@name='{name}']"):
            parameter.getparent().remove(parameter)
    if outside is not None:
        rng = np.random.default_rng(seed)
        other = (noise(rng, pixels.shape, 10**6) / 7.0).astype(np.complex64)
        pixels = np.where(outside, other, pixels)
    if tree is not None:
        tree(metadata)
    file = io.BytesIO()
    headers = NitfDescription(summary.core_name, "UNCLASSIFIED", summary.sensor, summary.produced)
    with warnings.catch_warnings():
        # What `meddle` writes is no valid SICD.
        warnings.simplefilter("ignore")
        write_sicd_file(file, metadata, pixels, headers if description is None else description(headers))
    return file.getvalue()


DIAMOND = (11.0, 36.0, 61.0, 36.0), (46.0, 71.0, 46.0, 21.0)
WINDOW = (11.5, 11.5, 60.5, 60.5), (20.5, 70.5, 70.5, 20.5)


def ring(rows, cols):
    """Outline in longitude and latitude of corners among the car park's pixels (it is a plane)."""
    summary = read_summary(io.BytesIO(gotcha_sicd()))
    height, width = summary.shape
    # Row 0 col 0, row 0 col last, last last, last 0.
    metadata = read_metadata(io.BytesIO(gotcha_sicd()))
    corners = np.array(
        [
            [float(icp.findtext("{*}Lon")), float(icp.findtext("{*}Lat"))]
            for icp in metadata.findall("{*}GeoData/{*}ImageCorners/{*}ICP")
        ]
    )
    down, across = (corners[3] - corners[0]) / (height - 1), (corners[1] - corners[0]) / (width - 1)
    points = [tuple((corners[0] + row * down + col * across).tolist()) for row, col in zip(rows, cols, strict=True)]
    return (*points, points[0])


def meddle(tree):
    """Say other things of all that lies outside of what is kept."""

    def put(path, text):
        for element in tree.findall(path):
            element.text = text

    namespace = "{" + lxml.etree.QName(tree.getroot()).namespace + "}"
    put("{*}ImageCreation/{*}Application", "other software 9")
    info = tree.find("{*}CollectionInfo")
    lxml.etree.SubElement(info, namespace + "Parameter", {"name": "Target"}).text = "SECRETSHIP"
    info.append(lxml.etree.Comment("SECRETSHIP"))
    info.set("note", "SECRETSHIP")
    site = lxml.etree.SubElement(tree.find("{*}ImageCreation"), namespace + "Profile")
    site.text = "SECRETSHIP"
    for parameter in tree.findall("{*}ImageFormation/{*}Processing"):
        parameter.getparent().remove(parameter)
    for side in ("NumRows", "NumCols"):
        put(f"{{*}}ImageData/{{*}}FullImage/{{*}}{side}", "4321")
    for corner in tree.findall("{*}GeoData/{*}ValidData"):
        corner.getparent().remove(corner)
    lxml.etree.SubElement(tree.find("{*}Timeline"), namespace + "IPP").set("size", "0")


@pytest.mark.parametrize("finest_m", [0.0, 0.7])
@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(seed=seeds)
def test_files_that_differ_only_outside_the_area_and_what_is_kept_give_the_same_bytes(finest_m, seed):
    # A diamond: its bounds hold pixels that are not of it.
    area = ((ring(*DIAMOND),),)
    row, col = np.meshgrid(np.arange(80), np.arange(80), indexing="ij")
    outside = np.abs(row - 36) / 25.0 + np.abs(col - 46) / 25.0 > 1.0
    other = source(
        seed,
        outside=outside,
        tree=meddle,
        description=lambda d: replace(d, originator="elsewhere"),
    )
    # That a place is nominal is told, and taken out of both here.
    expected = reduce_sicd(io.BytesIO(source(tree=lambda _: None)), finest_m=finest_m, polygons=area)
    got = reduce_sicd(io.BytesIO(other), finest_m=finest_m, polygons=area)
    assert got.data == expected.data
    assert b"SECRETSHIP" in other
    assert b"SECRETSHIP" not in got.data


def test_a_change_inside_the_area_is_seen():
    """The test above could pass on constant bytes."""
    area = ((ring(*WINDOW),),)
    inside = np.zeros((80, 80), bool)
    inside[30, 40] = True
    plain, other = (
        reduce_sicd(io.BytesIO(data), finest_m=0.7, polygons=area).data for data in (source(), source(1, outside=inside))
    )
    assert plain != other
