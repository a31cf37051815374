"""Strips formed by omega-k, against the sum that defines an image, closed forms, and sarkit's projection."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import sarkit.sicd
from simulators.strips import START, strip_collection

from kizuna.formats.sicd import consistency_findings
from kizuna.formats.sicd_metadata import describe_collection
from kizuna.formats.sicd_rma import strip_metadata, write_strip
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.strip import form_strip, plan_strip
from kizuna.sar.stripmap import omega_k
from kizuna.sar.windows import parse_window

PLACES = ((0.0, 0.0, 0.0), (150.0, 60.0, 0.0), (-250.0, -90.0, 20.0))
DWELL_HZ = 1500.0
SMALL = {"pulse_rate_hz": 2000.0, "seconds": 0.75, "frequencies": 160, "bandwidth_hz": 24e6, "dwell_hz": DWELL_HZ}


def formed(collection, **named):
    plan = plan_strip(collection)
    plan = replace(plan, doppler=replace(plan.doppler, width_hz=DWELL_HZ))
    return form_strip(collection, plan, **named)


def exact(collection, plan, rows, cols):
    """The sum over all samples at pixels, double precision, without the carrier along range; 1 for a unit scatterer."""
    history, grid = collection.history, plan.grid
    lit = history.samples.any(axis=1)
    away = np.linalg.norm(grid.to_scene(rows, cols).reshape(-1, 3) - history.positions_m[lit, None], axis=-1)
    late = 4j * math.pi / SPEED_OF_LIGHT_M_S * (away - history.reference_range_m[lit, None])
    turn, image = np.exp(late * history.frequency_step_hz), np.zeros(late.shape, complex)
    for samples in history.samples[lit].T[::-1, :, None]:  # Horner, from the highest frequency down
        image = image * turn + samples
    image = (image * np.exp(late * history.frequencies_hz[0])).sum(axis=0).reshape(rows.shape)
    ranges = grid.ranges_m()[rows]
    pulses = (
        DWELL_HZ / grid.col_spacing_s / np.array([plan.chirp_hz_s(history.centre_frequency_hz, one) for one in ranges.ravel()])
    )
    carrier = np.exp(-4j * math.pi * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S * (ranges - grid.range_m))
    return image * carrier / pulses.reshape(rows.shape) / len(history.frequencies_hz)


def chip(plan, place, half=2):
    row, col = (round(float(one)) for one in plan.grid.from_scene(np.asarray(place)))
    return np.meshgrid(np.arange(row - half, row + half + 1), np.arange(col - half, col + half + 1), indexing="ij")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"right": False},
        {"moving": True, "doppler_hz": -1300.0, "seconds": 1.4},
        {"centre_hz": 1.27e9, "dwell_hz": 500.0, "seconds": 1.4, "pulse_rate_hz": 1000.0},
    ],
)
def test_is_the_exact_sum(changed):
    """On both sides of the track, ahead of it by two thirds of the pulse rate, and at long waves that a curved orbit bends."""
    collection = strip_collection(PLACES, **{**SMALL, **changed})
    strip = formed(collection)
    for place in PLACES:
        rows, cols = chip(strip.plan, place)
        truth = exact(collection, strip.plan, rows, cols)
        apart = np.linalg.norm(strip.pixels[rows, cols] - truth) / np.linalg.norm(truth)
        assert 20.0 * math.log10(apart) < -45.0, (changed, place)


def test_blocks_do_not_show(monkeypatch):
    """Small blocks along and across give what one large block gives, to their geometries' bound."""
    collection = strip_collection(PLACES, **SMALL)
    plan = plan_strip(collection)
    plan = replace(plan, doppler=replace(plan.doppler, width_hz=DWELL_HZ))
    whole = form_strip(collection, plan).pixels
    cut = omega_k(collection.history, plan.grid, plan.doppler, block_bytes=4 << 20, blur_rad=0.002)
    places = [chip(plan, place) for place in PLACES]
    for rows, cols in places:
        assert np.linalg.norm(cut[rows, cols] - whole[rows, cols]) < 5e-3 * np.linalg.norm(whole[rows, cols])


def test_widths_and_sidelobes_are_theory_s():
    """Of a scatterer in the middle: sinc along both axes, by the image's own spectrum."""
    collection = strip_collection(PLACES[:1], **{**SMALL, "seconds": 1.2})
    strip = formed(collection)
    row, col = (float(one) for one in strip.grid.from_scene(np.zeros(3)))
    cells = (
        SPEED_OF_LIGHT_M_S / (2.0 * collection.history.bandwidth_hz) / strip.grid.row_spacing_m,
        1.0 / (DWELL_HZ * strip.grid.col_spacing_s),
    )
    for axis, cell in enumerate(cells):
        width, lobe = cut_of(strip.pixels, (row, col), axis)
        assert width == pytest.approx(0.88589 * cell, rel=0.01)
        assert lobe == pytest.approx(-13.2615, abs=0.1)


def cut_of(pixels, peak, axis):
    """Half-power width in pixels, and the higher first sidelobe in decibels, along one axis through a peak."""
    row, col = round(peak[0]), round(peak[1])
    part = pixels[row - 48 : row + 48, col - 48 : col + 48].astype(complex)
    spectrum = np.fft.fft2(part)
    frequency = np.fft.fftfreq(96)
    offsets = np.linspace(-4.0, 4.0, 4001)
    at = [np.array([peak[0] - row + 48.0]), np.array([peak[1] - col + 48.0])]
    at[axis] = at[axis] + offsets
    line = np.abs(
        np.exp(2j * math.pi * np.outer(at[0], frequency)) @ spectrum @ np.exp(2j * math.pi * np.outer(frequency, at[1]))
    ).ravel()
    line /= line.max()
    above = offsets[line >= math.sqrt(0.5)]
    lobes = line[1:-1][(line[1:-1] > line[:-2]) & (line[1:-1] > line[2:])]
    return above[-1] - above[0], 20.0 * math.log10(np.sort(lobes)[-2])


@pytest.mark.parametrize(
    ("changed", "window"),
    [({}, "uniform"), ({"right": False}, "taylor:30,4"), ({"moving": True, "doppler_hz": -1300.0, "seconds": 1.4}, "uniform")],
)
def test_checker_finds_nothing_and_sarkit_puts_points_where_they_are(changed, window):
    """A scatterer above the surface comes to lie where the standard's projection puts its true place, ahead of the beam too."""
    collection = strip_collection(PLACES, **{**SMALL, **changed})
    strip = formed(collection, band=parse_window(window), aperture=parse_window(window))
    description = describe_collection(collection, produced=START)
    out = io.BytesIO()
    write_strip(out, strip, description)
    assert consistency_findings(out) == ()
    tree = strip_metadata(strip, description)
    assert tree.findtext("{*}Grid/{*}Type") == "RGZERO"
    assert tree.findtext("{*}ImageFormation/{*}ImageFormAlgo") == "RMA"
    for place in PLACES:
        found, _, reached = sarkit.sicd.scene_to_image(tree, collection.scene.to_ecef(np.asarray(place)))
        assert reached
        row, col = sarkit.sicd.xrowycol_to_rowcol(tree, found)
        at = peak_of(strip.pixels, round(float(row)), round(float(col)))
        assert at == pytest.approx((row, col), abs=0.05)


def peak_of(pixels, row, col):
    """Fractional pixel of the greatest magnitude near a pixel: the top of a parabola through a finely interpolated response."""
    part = pixels[row - 24 : row + 24, col - 24 : col + 24].astype(complex)
    spectrum, offsets, waves = np.fft.fft2(part), np.linspace(-2.0, 2.0, 161), []
    for axis in (0, 1):  # frequencies about their centroid, wherever the beam looks
        power, frequency = (np.abs(spectrum) ** 2).sum(axis=1 - axis), np.fft.fftfreq(48)
        centroid = np.angle(power @ np.exp(2j * math.pi * frequency)) / (2.0 * math.pi)
        waves.append(np.exp(2j * math.pi * np.outer(24.0 + offsets, frequency - np.rint(frequency - centroid))))
    fine = np.abs(waves[0] @ spectrum @ waves[1].T)
    top = np.unravel_index(fine.argmax(), fine.shape)
    return row + offsets[top[0]], col + offsets[top[1]]
