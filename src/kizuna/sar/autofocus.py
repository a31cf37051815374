"""Autofocus by phase gradient: the errors of the track, out of what they did to bright points."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message
from kizuna.sar.form import Method, form_pixels
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

__all__ = ["AutofocusSolution", "phase_gradient"]

type Floats = npt.NDArray[np.float64]
type Complex = npt.NDArray[np.complex128]

_OVERSAMPLING = 8
_FEWEST_POINTS = 3
_ROUGH_RAD = 1.0  # change below which two more rounds go by slopes, and the rest pulse by pulse
_ROUGH = 2
_SETTLED_RAD = 0.02
_OWN_CELLS = 2


@dataclass(frozen=True, slots=True)
class AutofocusSolution:
    """What autofocus found.

    Parameters
    ----------
    history
        The history as given, with the solution beside its samples: `PhaseHistory.autofocused` applies it. What it already held
        is part of it.
    phase_rad
        Phase that each pulse is turned by, shape (pulses,), without mean and slope: those do not blur.
    change_rad
        Root-mean-square change of the phase in each round.
    points
        How many bright points it rests on.
    """

    history: PhaseHistory
    phase_rad: Floats
    change_rad: tuple[float, ...]
    points: int


def phase_gradient(
    history: PhaseHistory,
    grid: PlaneGrid,
    *,
    method: Method = Method.POLAR_FORMAT,
    points: int = 64,
    rounds: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> AutofocusSolution:
    """Estimate the phase error of each pulse.

    Parameters
    ----------
    history
        Phase history; a solution that it already holds is applied first and kept in the result.
    grid
        Where to look for bright points.
    method
        How the image between rounds is formed.
    points
        How many bright points to use, each the brightest of its part of the grid.
    rounds
        How often at most to form the image anew.
    progress
        Called with (rounds done, rounds in all).

    Returns
    -------
    AutofocusSolution

    Raises
    ------
    InputError
        The grid is too small to hold three bright points.

    Notes
    -----
    For each point the echoes of a pulse, compressed at the point's range, give one sample: along the aperture its phase is the
    error, and what lies beside it. A window about the point, narrower from round to round, keeps the point's own. The error's
    derivative is the phase of the lag-one products, summed over points (Wahl, Eichel, Ghiglia and Jakowatz 1994, IEEE Trans.
    AES 30(3), with the summation of Eichel and Jakowatz 1989). Once that changes little, the phase of each pulse is taken against
    the points' means instead, which lets no noise add up along the aperture. Samples come from echoes, not from a column
    transform of the image, so that pulses keep apart however wide the band and fast the error.
    """
    focused = history.autofocused() if history.phase_correction_rad is not None else history
    ranges = np.zeros(history.pulses) if history.range_correction_m is None else history.range_correction_m
    held = np.zeros(history.pulses) if history.phase_correction_rad is None else history.phase_correction_rad
    found = np.zeros(history.pulses)
    changes: list[float] = []
    used = settling = 0
    for done in range(rounds):
        current = replace(focused, samples=(focused.samples * np.exp(1j * found)[:, None]).astype(np.complex64))
        places = _bright(form_pixels(current, grid, method), grid, points)
        used = len(places)
        samples = _responses(current, places)
        # An error of many cycles spreads a point widely: begin with all that is unambiguous, end with a few resolution cells.
        keep = max(8, round(history.pulses * 0.5 ** (0.5 + 0.75 * done)))
        change = -(_slope_error(_windowed(samples, keep)) if settling < _ROUGH else _own_error(samples))
        found += change
        changes.append(float(np.sqrt(np.mean(change**2))))
        settling += changes[-1] < _ROUGH_RAD or settling > 0
        if progress is not None:
            progress(done + 1, rounds)
        if changes[-1] < _SETTLED_RAD and settling > _ROUGH:
            break
    found = _without_line(found)
    solved = replace(history, range_correction_m=ranges, phase_correction_rad=held + found)
    return AutofocusSolution(solved, found, tuple(changes), used)


def _bright(image: npt.NDArray[np.complex64], grid: PlaneGrid, points: int) -> Floats:
    """Places of the brightest pixels of as many parts of the grid, brightest half of twice as many, shape (n, 3)."""
    side = max(2, math.ceil(math.sqrt(2 * points)))
    power = image.real**2 + image.imag**2
    best = []
    for rows in np.array_split(np.arange(grid.rows), min(side, grid.rows)):
        for cols in np.array_split(np.arange(grid.cols), min(side, grid.cols)):
            part = power[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
            row, col = np.unravel_index(int(part.argmax()), part.shape)
            best.append((float(part[row, col]), int(rows[0] + row), int(cols[0] + col)))
    best.sort(reverse=True)
    # Points far below the brightest hold more of their neighbours' sidelobes than of themselves.
    chosen = [entry for entry in best[:points] if entry[0] > 1e-4 * best[0][0]]
    if len(best) < _FEWEST_POINTS:
        raise InputError(
            Message("the image has room for {count} bright points; {least} are needed", {"count": len(best), "least": 3}),
            hint=Message("Autofocus over a larger area."),
            field="grid",
        )
    return grid.to_scene([row for _, row, _ in chosen], [col for _, _, col in chosen])


def _responses(history: PhaseHistory, places_m: Floats) -> Complex:
    """What each pulse heard at the range of each place, its carrier taken off, shape (places, pulses)."""
    count = len(history.frequencies_hz)
    length = scipy.fft.next_fast_len(_OVERSAMPLING * count)
    step_m = history.unambiguous_range_m / length
    out = np.empty((len(places_m), history.pulses), np.complex128)
    half_band = 0.5 * (count - 1) / length
    for p in range(history.pulses):
        profile = scipy.fft.ifft(history.samples[p], n=length, norm="forward")
        change = np.linalg.norm(places_m - history.positions_m[p], axis=-1) - history.reference_range_m[p]
        position = change / step_m
        below = np.floor(position)
        part = position - below
        index = below.astype(np.int64)
        # The middle of the band is turned off before samples are interpolated, and on again after.
        first = profile[index % length] * np.exp(-2j * math.pi * half_band * below)
        second = profile[(index + 1) % length] * np.exp(-2j * math.pi * half_band * (below + 1.0))
        cycles = 2.0 * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S * change
        out[:, p] = (first + part * (second - first)) * np.exp(2j * math.pi * (cycles - np.rint(cycles)))
    return out


def _centred(samples: Complex, reach: int) -> Complex:
    """Samples turned so that the brightest cell within `reach` of each point becomes its zero: its own place was blurred."""
    pulses = samples.shape[1]
    length = int(scipy.fft.next_fast_len(2 * pulses))
    near = np.r_[np.arange(reach + 1), np.arange(length - reach, length)]
    peak = near[np.abs(scipy.fft.fft(samples, n=length, axis=1)[:, near]).argmax(axis=1)]
    return np.asarray(samples * np.exp(-2j * math.pi * np.outer(peak, np.arange(pulses)) / length))


def _windowed(samples: Complex, keep: int) -> Complex:
    """Samples with what lies farther than `keep` / 2 cells from their own point taken out, shape (points, pulses)."""
    pulses = samples.shape[1]
    image = scipy.fft.fft(_centred(samples, max(1, min(keep, pulses // 4))), n=scipy.fft.next_fast_len(2 * pulses), axis=1)
    # Padded to twice the pulses, a cell is half a resolution cell.
    image[:, np.abs(np.fft.fftfreq(image.shape[1])) * image.shape[1] > keep] = 0.0
    return np.asarray(scipy.fft.ifft(image, axis=1)[:, :pulses])


def _slope_error(samples: Complex) -> Floats:
    """Phase error along the aperture from its slopes, shape (pulses,), without mean and slope: finds errors of many cycles."""
    products = np.sum(samples[:, 1:] * np.conj(samples[:, :-1]), axis=0)
    return _without_line(np.concatenate([[0.0], np.cumsum(np.angle(products))]))


def _own_error(samples: Complex) -> Floats:
    """Phase of each pulse against the point's mean over all of them, shape (pulses,): no noise adds up from pulse to pulse."""
    centred = _centred(samples, _OWN_CELLS)
    mean = centred.mean(axis=1, keepdims=True)
    return _without_line(np.angle(np.sum(centred * np.conj(mean), axis=0)))


def _without_line(phase: Floats) -> Floats:
    x = np.linspace(-1.0, 1.0, len(phase))
    return np.asarray(phase - np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyfit(x, phase, 1)))
