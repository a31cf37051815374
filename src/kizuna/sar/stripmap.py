"""Omega-k formation of stripmap collections onto the zero-Doppler grid, with Stolt's change of variable fitted to the real orbit.

Of a scatterer that the antenna comes closest to at range R, the spectrum over frequency f and Doppler frequency a has the
phase -2 pi F(f, a; R), F the least of 2 f r(t) / c + a t over t. For a straight track of speed V, F = 2 R / c sqrt(f^2 -
(c a / 2 V)^2): a reference range is taken out, and how what is left grows with range becomes the new frequency (Stolt; Cumming
and Wong 2005, chapter 8). An orbit's effective speed changes with range. Its first derivative goes into the change of variable,
which is exact for it in both frequencies; what still differs from the true F, found from the orbit itself by stationary phase,
is a small phase of a and R at the middle of the band. It is taken out after the change of variable, range by range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.parallel import run_spread, thread_count
from kizuna.sar.stripmap_kernels import finish_rows, stolt_rows, turn_pulses
from kizuna.sar.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.doppler import DopplerBand
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.strip_grid import StripGrid

__all__ = ["least_phase", "omega_k", "pulse_interval_s"]

type Floats = npt.NDArray[np.float64]
type Image = npt.NDArray[np.complex64]

_UNIFORM = Window()
_TAPS, _OVERSAMPLING, _TABLE_STEPS = 8, 1.5, 1024
_SPARE_CELLS = 96  # range cells about a block, so that no scatterer within it loses the heart of its response
_DEGREE = 4  # of the small phase in range
_NODES = 25  # Doppler frequencies at which it is found
_ROUNDS = 8
_UNEVEN = 1e-3  # of a pulse interval: of Doppler's phase, less than a hundredth of a radian
_LEAST_BLOCK = 256
_BEND_RANGES_M = 500.0
_UNSTEADY_TURNS = 1.0 / 64.0


def pulse_interval_s(history: PhaseHistory) -> float:
    """Interval of evenly spaced pulses.

    Raises
    ------
    InputError
        The history has no times, or they are not even.
    """
    times = history.times_s
    if times is not None and history.pulses > 1:
        interval = float(times[-1] - times[0]) / (history.pulses - 1)
        uneven = np.abs(times - times[0] - interval * np.arange(history.pulses)).max() / interval if interval > 0.0 else math.inf
        if uneven < _UNEVEN * history.pulses**0.5:
            return interval
    raise InputError(
        Message("the pulses do not follow each other at an even rate"),
        hint=Message("Form the image by backprojection or factorised backprojection, which take pulses at any times."),
        field="times_s",
    )


@dataclass(frozen=True, slots=True)
class _Geometry:
    """Range histories about the middle of a block, and the straight track that comes nearest to them.

    Parameters
    ----------
    reference_m
        Range in the middle.
    speed_m_s, growth
        Effective speed there, and its derivative with range over itself, 1/m.
    """

    grid: StripGrid
    time_s: float
    reference_m: float
    speed_m_s: float
    growth: float


def _geometry(grid: StripGrid, reference_m: float, time_s: float) -> _Geometry:
    series = grid.range_series(reference_m + _BEND_RANGES_M * np.array([-1.0, 0.0, 1.0]), time_s)
    speeds = np.sqrt(series[:, 2])
    middle = float(speeds[1])
    return _Geometry(grid, time_s, reference_m, middle, float(speeds[2] - speeds[0]) / (2.0 * _BEND_RANGES_M) / middle)


def least_phase(series: Floats, frequency_hz: Floats, doppler_hz: Floats) -> tuple[Floats, Floats]:
    """Least of 2 f r(t) / c + a t over t, cycles, and the t at which it is taken: stationary phase on a true range history.

    Parameters
    ----------
    series
        Squared ranges, polynomials of t, shape (n, degree + 1).
    frequency_hz, doppler_hz
        f and a, shape (m,), or (n, m) for some to each.

    Returns
    -------
    phase, time_s : ndarrays of float64, shape (n, m)
    """
    polynomial = np.polynomial.polynomial
    first, second = (np.asarray(polynomial.polyder(series, order, axis=1), np.float64) for order in (1, 2))
    speed2, closest = series[:, 2:3], np.sqrt(series[:, :1])
    wanted = -doppler_hz * SPEED_OF_LIGHT_M_S / (2.0 * frequency_hz)  # the range's rate at the stationary time
    when = np.asarray(wanted * closest / np.sqrt(speed2 * (speed2 - wanted**2)), np.float64)
    for _round in range(_ROUNDS):
        distance = np.sqrt(_each(series, when))
        rate = _each(first, when) / (2.0 * distance)
        bend = (0.5 * _each(second, when) - rate**2) / distance
        when = np.asarray(when - (rate - wanted) / bend, np.float64)
    return 2.0 / SPEED_OF_LIGHT_M_S * frequency_hz * np.sqrt(_each(series, when)) + doppler_hz * when, when


def _each(series: Floats, when: Floats) -> Floats:
    """Polynomials, shape (n, degree + 1), each at its own places, shape (n, m)."""
    total = np.zeros_like(when)
    for power in range(series.shape[1] - 1, -1, -1):
        total = total * when + series[:, power, None]
    return total


@dataclass(frozen=True, slots=True)
class _Task:
    """What all blocks share."""

    history: PhaseHistory
    grid: StripGrid
    doppler: DopplerBand
    band: Window
    aperture: Window
    interval: float
    workers: int


@dataclass(frozen=True, slots=True)
class _Block:
    """One block: columns of the image, the pulses that they need, rows of the image and the ranges that these need."""

    cols: tuple[int, int]
    pulses: tuple[int, int]
    length: int
    rows: tuple[int, int]
    centre_m: float
    cells: int


def omega_k(  # noqa: PLR0913 # echoes, pixels, Doppler, windows, and bounds on error, memory and threads
    history: PhaseHistory,
    grid: StripGrid,
    doppler: DopplerBand,
    *,
    band: Window = _UNIFORM,
    aperture: Window = _UNIFORM,
    blur_rad: float = 0.02,
    block_bytes: int = 256 << 20,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form an image of a stripmap collection.

    Parameters
    ----------
    history
        Phase history with times at an even rate; its positions lie on the grid's track.
    grid
        Pixels; its columns lie whole pulse intervals apart, before the first pulse and after the last too.
    doppler
        Where the Doppler spectrum lies, and how much of it is processed where `aperture` is not uniform.
    band, aperture
        Windows over the frequencies and over the processed Doppler band. A uniform aperture keeps the whole spectrum.
    blur_rad
        Greatest phase by which the geometry of a block's middle may miss that of its edges; blocks are made so short.
    block_bytes
        Memory for the block that is worked on.
    threads
        Threads; all processors without it.
    progress
        Called with (blocks done, blocks in all).

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        Image at baseband along range (without the carrier 2 f_c / c about the centre row), its Doppler where it is: a unit
        scatterer lit through the processed band has magnitude 1. Scatterers to which the antenna comes closest at the same
        range and time, at whatever height, share a pixel.

    Raises
    ------
    InputError
        Pulses at no even rate, a track that is not smooth, or a scene wider than the frequency step tells apart.

    Notes
    -----
    Memory beside history and image: about three times `block_bytes`, or what one aperture of a few hundred range cells takes.
    """
    workers = thread_count(threads)
    interval = pulse_interval_s(history)
    _require_smooth(history, grid)
    blocks = _blocks(history, grid, doppler, interval, blur_rad, block_bytes)
    image = np.zeros(grid.shape, np.complex64)
    task = _Task(history, grid, doppler, band, aperture, interval, workers)
    for done, block in enumerate(blocks):
        _form(image, task, block)
        if progress is not None:
            progress(done + 1, len(blocks))
    return image


def _require_smooth(history: PhaseHistory, grid: StripGrid) -> None:
    off_m = float(np.linalg.norm(grid.track.at(np.asarray(history.times_s)) - history.positions_m, axis=-1).max())
    most_m = _UNSTEADY_TURNS * SPEED_OF_LIGHT_M_S / history.centre_frequency_hz
    if off_m > most_m:
        raise InputError(
            Message(
                "the antenna strays {got} m from a smooth path; {limit} m is the most",
                {"got": f"{off_m:.2g}", "limit": f"{most_m:.2g}"},
            ),
            hint=Message("Form the image by factorised backprojection, which takes any path."),
            field="positions_m",
        )


def _doppler_axis(length: int, interval: float, centroid_hz: float) -> Floats:
    """Doppler frequencies of a transform's bins, within half the pulse rate of the centroid."""
    rate = 1.0 / interval
    bins = np.arange(length) * (rate / length)
    return np.asarray(bins + rate * np.rint((centroid_hz - bins) / rate), np.float64)


def _span_m(geometry: _Geometry, centre_hz: float, doppler_hz: Floats) -> tuple[float, float]:
    """How much farther than at closest approach scatterers are at the least and at the greatest, over Doppler frequencies."""
    sine = np.append(doppler_hz, 0.0 if doppler_hz.min() < 0.0 < doppler_hz.max() else doppler_hz[0])
    sine = sine * SPEED_OF_LIGHT_M_S / (2.0 * centre_hz * geometry.speed_m_s)
    farther = geometry.reference_m * (1.0 / np.sqrt(1.0 - sine**2) - 1.0)
    return float(farther.min()), float(farther.max())


def _blocks(
    history: PhaseHistory, grid: StripGrid, doppler: DopplerBand, interval: float, blur_rad: float, block_bytes: int
) -> list[_Block]:
    ranges, times = grid.ranges_m(), np.sort(grid.times_s())
    first_s = float(np.asarray(history.times_s)[0])
    rate = 1.0 / interval
    middle = _geometry(grid, float(ranges[grid.centre_row]), float(times[len(times) // 2]))
    wavelength = SPEED_OF_LIGHT_M_S / history.centre_frequency_hz
    centroids = np.asarray([doppler.centroid_at(one) for one in (ranges[0], ranges[-1])])
    edges = np.array([centroids.min() - 0.5 * rate, centroids.max() + 0.5 * rate])
    # Pulses that a scatterer is lit by, as far as Doppler frequencies are told apart.
    chirp = 2.0 * middle.speed_m_s**2 / (wavelength * float(ranges[-1]))
    before, after = math.floor(-edges[1] / chirp * rate * 1.02) - 16, math.ceil(-edges[0] / chirp * rate * 1.02) + 16
    # How fast the geometry changes along the track.
    nodes = np.linspace(centroids.min() - 0.5 * doppler.width_hz, centroids.max() + 0.5 * doppler.width_hz, _NODES)
    carrier = np.full(_NODES, history.centre_frequency_hz)
    phases = [
        least_phase(grid.range_series(np.array([middle.reference_m]), middle.time_s + ahead), carrier, nodes)[0][0]
        for ahead in (-0.5, 0.5)
    ]
    drift = 2.0 * math.pi * np.ptp(phases[1] - phases[0]) / 2.0
    steady = math.ceil(2.0 * blur_rad / max(drift, 1e-9) * rate)
    reach = after - before
    cols = max(reach // 4, min(steady, 4 * reach), _LEAST_BLOCK)
    near, far = _span_m(middle, history.centre_frequency_hz, edges)
    cell = SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz)
    extra = math.ceil((far - near) / cell) + 2 * _SPARE_CELLS
    every = max(1, round(grid.col_spacing_s / interval))
    count = max(1, math.ceil(grid.cols * every / cols))
    starts = [grid.cols * part // count for part in range(count + 1)]
    length = scipy.fft.next_fast_len(max(b - a for a, b in pairwise(starts)) * every + reach)
    widest = max(block_bytes // (8 * length), 2 * extra)
    rows = max(1, math.floor((widest - extra) * cell / grid.row_spacing_m))
    parts = max(1, math.ceil(grid.rows / rows))
    lines = [grid.rows * part // parts for part in range(parts + 1)]
    found = []
    origin = round((float(times[0]) - first_s) / interval)
    for begin, end in pairwise(starts):
        pulses = max(0, origin + begin * every + before), min(history.pulses, origin + end * every + after)
        if pulses[0] >= pulses[1]:
            continue
        for top, bottom in pairwise(lines):
            centre = 0.5 * float(ranges[top] + ranges[bottom - 1]) + 0.5 * (near + far)
            cells = math.ceil((bottom - top) * grid.row_spacing_m / cell) + extra
            found.append(_Block((begin, end), pulses, length, (top, bottom), centre, min(cells, len(history.frequencies_hz))))
    if extra - 2 * _SPARE_CELLS > len(history.frequencies_hz) or not found:
        raise InputError(
            Message(
                "the image spans {got} m of range; the frequency step tells {limit} m apart",
                {"got": round(float(np.ptp(ranges)) + far - near, 1), "limit": round(history.unambiguous_range_m, 1)},
            ),
            hint=Message("Form a smaller image."),
            field="extent_m",
        )
    return found


def _gathered(history: PhaseHistory, block: _Block, workers: int) -> Image:
    """Echoes of a block's pulses over its ranges and over Doppler frequency, shape (length, cells)."""
    count = len(history.frequencies_hz)
    work = np.zeros((block.length, block.cells), np.complex64)
    first, last = block.pulses
    turns = np.empty((last - first, 2))
    change = 2.0 / SPEED_OF_LIGHT_M_S * (block.centre_m - history.reference_range_m[first:last])
    turns[:, 0], turns[:, 1] = change * history.frequencies_hz[0], change * history.frequency_step_hz
    half = block.cells // 2

    def gather(begin: int, end: int) -> None:
        for start in range(begin, end, 64):
            stop = min(start + 64, end)
            samples = np.ascontiguousarray(history.samples[first + start : first + stop])
            lines = np.empty_like(samples)
            turn_pulses(samples.view(np.float32), turns[start:stop], lines.view(np.float32))
            lines = scipy.fft.ifft(lines, axis=1, overwrite_x=True)
            work[start:stop, half : block.cells] = lines[:, : block.cells - half]
            work[start:stop, :half] = lines[:, count - half :]

    run_spread(gather, last - first, workers)
    return np.asarray(scipy.fft.fft(work, axis=0, overwrite_x=True, workers=workers))


def _form(image: Image, task: _Task, block: _Block) -> None:
    """Form one block into its part of the image."""
    history, grid, interval, workers = task.history, task.grid, task.interval, task.workers
    top, bottom = block.rows
    ranges = grid.ranges_m()[top:bottom]
    times = grid.times_s()
    ascending = np.sort(times)[block.cols[0] : block.cols[1]]
    middle_row = (bottom - top) // 2
    geometry = _geometry(grid, float(ranges[middle_row]), float(ascending[len(ascending) // 2]))
    axis = _doppler_axis(block.length, interval, task.doppler.centroid_at(geometry.reference_m))
    work = _gathered(history, block, workers)

    # The change of variable, and what of the orbit it leaves.
    slowness = SPEED_OF_LIGHT_M_S * axis / (2.0 * geometry.speed_m_s)
    bend = geometry.reference_m * geometry.growth * slowness**2
    shares = (ranges - geometry.reference_m) / max(float(np.ptp(ranges)), 1.0) * 2.0
    phases = _left_over(history, geometry, ranges, axis)
    gains = _gains(task, geometry, axis, slowness / history.centre_frequency_hz)
    # The carrier counts from the centre row of the image.
    carried = 2.0 / SPEED_OF_LIGHT_M_S * (geometry.reference_m - grid.range_m) * history.centre_frequency_hz
    start_s = float(np.asarray(history.times_s)[block.pulses[0]])
    # Columns may lie between pulses, all by the same share: at those of another polarisation, which alternate with these.
    late = (ascending - start_s) / interval
    between_s = float(late[0] - np.rint(late[0])) * interval
    phases[:, 0] += 0.125 - (carried % 1.0) + axis * between_s

    # Samples are spread over Stolt's frequencies, not interpolated in them: the edges of the band do not ring.
    cell = SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz)
    lines = math.ceil(max(block.cells * cell / grid.row_spacing_m, bottom - top)) + 2 * _TAPS
    fine = scipy.fft.next_fast_len(math.ceil(_OVERSAMPLING * lines))
    stolt = np.array([history.centre_frequency_hz, SPEED_OF_LIGHT_M_S / (2.0 * grid.row_spacing_m * fine)])
    frequencies = history.frequencies_hz[0] + history.bandwidth_hz / block.cells * np.arange(block.cells)
    over_band = task.band.weights(block.cells).astype(np.float32)
    table, roll = _kernel(lines / fine)
    place = 2.0 / SPEED_OF_LIGHT_M_S * np.array([geometry.reference_m, block.centre_m])
    turns = (np.arange(bottom - top) - middle_row) / fine
    factors = np.asarray(np.sqrt(geometry.reference_m / ranges) * fine / block.cells / roll(turns), np.float32)
    half = block.cells // 2
    focused = np.empty((block.length, bottom - top), np.complex64)

    def change(begin: int, end: int) -> None:
        for one in range(begin, end, 16):
            rows = slice(one, min(one + 16, end))
            spectra = scipy.fft.fft(np.roll(work[rows], -half, axis=1), axis=1, overwrite_x=True)
            out = np.zeros((rows.stop - one, fine), np.complex64)
            stolt_rows(
                spectra.view(np.float32), slowness[rows], bend[rows], place, frequencies, over_band, table, stolt,
                out.view(np.float32),
            )  # fmt: skip
            out = scipy.fft.ifft(out, axis=1, overwrite_x=True)
            finish_rows(
                out.view(np.float32), -middle_row, phases[rows], gains[rows], shares, factors, focused[rows].view(np.float32)
            )

    run_spread(change, block.length, workers)
    strip = scipy.fft.ifft(focused, axis=0, overwrite_x=True, workers=workers)
    index = np.rint((ascending - between_s - start_s) / interval).astype(np.int64) % block.length
    kept = strip[index].T
    if grid.right:
        image[top:bottom, block.cols[0] : block.cols[1]] = kept
    else:
        image[top:bottom, grid.cols - block.cols[1] : grid.cols - block.cols[0]] = kept[:, ::-1]


def _gains(task: _Task, geometry: _Geometry, axis: Floats, sine: Floats) -> Floats:
    """Factor of each Doppler frequency, seen under an angle of this sine: the window, and what gives a scatterer magnitude 1."""
    weights = np.ones(len(axis))
    if task.aperture != _UNIFORM:
        share = (axis - task.doppler.centroid_at(geometry.reference_m)) / task.doppler.width_hz + 0.5
        weights = np.where((share >= 0.0) & (share < 1.0), task.aperture.at(np.clip(share, 0.0, 1.0)), 0.0)
    chirp = 2.0 * task.history.centre_frequency_hz * geometry.speed_m_s**2 / SPEED_OF_LIGHT_M_S / geometry.reference_m
    cosine = np.sqrt(np.maximum(1.0 - sine**2, 1e-6))
    return np.asarray(weights * math.sqrt(chirp) / task.doppler.width_hz / cosine**1.5, np.float64)


def _left_over(history: PhaseHistory, geometry: _Geometry, ranges: Floats, axis: Floats) -> Floats:
    """Phase to take out after the change of variable, cycles: polynomials of the range's share, shape (dopplers, degree + 1)."""
    reference, centre = geometry.reference_m, history.centre_frequency_hz
    width = max(float(np.ptp(ranges)), 1.0)
    low, high = float(axis.min()), float(axis.max())
    nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(math.pi * (np.arange(_NODES) + 0.5) / _NODES)
    slowness2 = (SPEED_OF_LIGHT_M_S * nodes / (2.0 * geometry.speed_m_s)) ** 2
    along = 0.5 * (centre + np.sqrt(centre**2 - 4.0 * reference * geometry.growth * slowness2))
    frequency = np.sqrt(along**2 + slowness2)
    places = reference + np.linspace(float(ranges[0]) - reference, float(ranges[-1]) - reference + 1e-3, 9)
    true, _when = least_phase(geometry.grid.range_series(places, geometry.time_s), frequency, nodes)
    taken = 2.0 / SPEED_OF_LIGHT_M_S * (reference * along + (places - reference)[:, None] * centre)
    shares = 2.0 * (places - reference) / width
    in_range = np.polynomial.polynomial.polyfit(shares, true - taken, _DEGREE)  # (degree + 1, nodes)
    over = np.polynomial.chebyshev.chebfit((nodes - 0.5 * (low + high)) / (0.5 * (high - low)), in_range.T, _NODES // 2)
    return np.ascontiguousarray(np.polynomial.chebyshev.chebval((axis - 0.5 * (low + high)) / (0.5 * (high - low)), over).T)


def _kernel(filled: float) -> tuple[npt.NDArray[np.float32], Callable[[Floats], Floats]]:
    """Spreading kernel at shares of a cell, shape (steps + 1, taps), and its Fourier transform over cycles a cell.

    The exponential of a semicircle (Barnett, Magland and af Klinteberg 2019), of `_TAPS` cells; `filled` is the share of the fine
    grid's span that is wanted.
    """
    exponent = 0.976 * math.pi * _TAPS * (1.0 - 0.5 * filled)

    def value(z: Floats) -> Floats:
        return np.asarray(np.exp(exponent * (np.sqrt(np.maximum(0.0, 1.0 - z * z)) - 1.0)))

    nodes, weights = np.polynomial.legendre.leggauss(64)

    def transform(turns: Floats) -> Floats:
        return np.asarray(0.5 * _TAPS * np.cos(math.pi * _TAPS * np.outer(turns, nodes)) @ (weights * value(nodes)))

    share = np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS
    return np.ascontiguousarray(value((share[:, None] + np.arange(_TAPS)) / (0.5 * _TAPS) - 1.0), np.float32), transform
