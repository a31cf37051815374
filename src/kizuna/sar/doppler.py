"""Where a collection's Doppler spectrum lies: its centroid over range, and how wide it is, from the echoes themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage

from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.stripmap_kernels import turn_pulses

if TYPE_CHECKING:
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.strip_grid import StripGrid

__all__ = ["DopplerBand", "doppler_band", "pointed_at"]

type Floats = npt.NDArray[np.float64]

_PULSES = 4096
_PARTS = 16
_FEWEST_SHARE = 1.0 / 6.0  # as if all of the power were in six of the parts
_LEAST_RATE_SHARE, _MOST_RATE_SHARE = 0.02, 1.0


@dataclass(frozen=True, slots=True)
class DopplerBand:
    """Doppler spectrum of a strip.

    Parameters
    ----------
    centroid_hz
        Polynomial of the range of closest approach less `range_m`, lowest power first.
    range_m
        See there.
    width_hz
        Of the band that is processed.
    """

    centroid_hz: tuple[float, ...]
    range_m: float
    width_hz: float

    def centroid_at(self, range_m: float) -> float:
        """Centroid at a range, hertz; positive where the radar looks ahead."""
        return float(np.polynomial.polynomial.polyval(range_m - self.range_m, self.centroid_hz))


def pointed_at(history: PhaseHistory, points_m: Floats | None, track_velocity_m_s: Floats) -> float:
    """Doppler frequency of the points that pulses refer to, hertz; 0 where these do not follow the beam."""
    if points_m is None:
        return 0.0
    sight = points_m - history.positions_m
    rate = -(sight * track_velocity_m_s).sum(axis=-1) / np.linalg.norm(sight, axis=-1)
    return float(np.mean(-2.0 * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S * rate))


def doppler_band(
    history: PhaseHistory,
    grid: StripGrid,
    interval_s: float,
    *,
    expected_hz: float = 0.0,
    centroid_hz: float | None = None,
    width_hz: float | None = None,
) -> DopplerBand:
    """Doppler spectrum of echoes.

    Parameters
    ----------
    history
        Phase history.
    grid
        Rows of the image.
    interval_s
        Of the pulses.
    expected_hz
        Centroid that the pointing lets expect; what the echoes tell only up to the pulse rate is taken nearest to it.
    centroid_hz, width_hz
        Known beforehand; None for what the echoes tell.

    Raises
    ------
    InputError
        A width that is none, or wider than the pulse rate tells.

    Notes
    -----
    The centroid is the phase of the mean product of each echo with the next, over the pulse interval (Madsen 1989, IEEE Trans.
    AES 25(2)), in each of sixteen parts of the range, through which a line is laid, weighted by their power. The width is that
    of the flat spectrum of the same power and mean square, above the least of the spectrum.
    """
    rate = 1.0 / interval_s
    if width_hz is not None and not _LEAST_RATE_SHARE * rate <= width_hz <= _MOST_RATE_SHARE * rate:
        raise InputError(
            Message("a Doppler band of {got} Hz; the pulse rate is {rate} Hz", {"got": width_hz, "rate": round(rate, 1)}),
            hint=Message("Give a positive width up to the pulse rate."),
            field="width_hz",
        )
    found = (centroid_hz,) if centroid_hz is not None else _centroid(history, grid, rate, expected_hz)
    width = _width(history, grid, rate) if width_hz is None else width_hz
    return DopplerBand(found, grid.range_m, width)


def _lines(history: PhaseHistory, centre_m: float, first: int, last: int) -> npt.NDArray[np.complex64]:
    """Spectra of pulses with their phase referred to one range."""
    change = 2.0 / SPEED_OF_LIGHT_M_S * (centre_m - history.reference_range_m[first:last])
    turns = np.stack([change * history.frequencies_hz[0], change * history.frequency_step_hz], axis=-1)
    samples = np.ascontiguousarray(history.samples[first:last])
    out = np.empty_like(samples)
    turn_pulses(samples.view(np.float32), turns, out.view(np.float32))
    return out


def _centroid(history: PhaseHistory, grid: StripGrid, rate: float, expected_hz: float) -> tuple[float, ...]:
    count = len(history.frequencies_hz)
    cell = SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz)
    ranges = grid.ranges_m()
    reach = min(count, math.ceil(float(np.ptp(ranges)) / cell) + 1)
    edges = np.linspace(-reach / 2, reach / 2, _PARTS + 1).astype(int)
    places = 0.5 * (edges[1:] + edges[:-1]) * cell
    centre = 0.5 * float(ranges[0] + ranges[-1])
    products, powers = np.zeros(_PARTS, complex), np.zeros(_PARTS)
    for first in range(0, history.pulses - 1, _PULSES):
        last = min(first + _PULSES, history.pulses)
        if last - first < 2:  # noqa: PLR2004 # a pair
            break
        lines = np.roll(scipy.fft.ifft(_lines(history, centre, first, last), axis=1), count // 2, axis=1)
        pairs = (lines[1:] * np.conj(lines[:-1])).sum(axis=0, dtype=np.complex128)
        power = (np.abs(lines) ** 2).sum(axis=0, dtype=np.float64)
        for part in range(_PARTS):
            cells = slice(edges[part] + count // 2, edges[part + 1] + count // 2)
            products[part] += pairs[cells].sum()
            powers[part] += power[cells].sum()
    whole = float(np.angle(products.sum())) / (2.0 * math.pi) * rate
    whole += rate * round((expected_hz - whole) / rate)
    # Parts about the whole, so that none is a pulse rate off.
    each = whole + np.angle(products * np.exp(-2j * math.pi * whole / rate)) / (2.0 * math.pi) * rate
    if not powers.sum() > 0.0:
        return (expected_hz,)
    weights = np.abs(products) / np.abs(products).sum()
    middle, level = float(weights @ places), float(weights @ each)
    # Where all echoes come from a few ranges, they do not tell how the centroid changes with it.
    if float((weights**2).sum()) > _FEWEST_SHARE:
        return (level,)
    slope = float(weights @ ((places - middle) * (each - level))) / float(weights @ (places - middle) ** 2)
    return float(level + slope * (grid.range_m - centre - middle)), float(slope)


def _width(history: PhaseHistory, grid: StripGrid, rate: float) -> float:
    count = len(history.frequencies_hz)
    chosen = np.unique(np.linspace(0, count - 1, min(count, 256)).astype(int))
    change = 2.0 / SPEED_OF_LIGHT_M_S * (grid.range_m - history.reference_range_m)
    turns = change[:, None] * history.frequencies_hz[chosen]
    phased = history.samples[:, chosen] * np.exp(2j * math.pi * (turns - np.rint(turns))).astype(np.complex64)
    length = min(history.pulses, 2048)
    spectrum = np.zeros(length)
    for first in range(0, history.pulses - length + 1, max(1, length // 2)):
        spectrum += (np.abs(scipy.fft.fft(phased[first : first + length], axis=0)) ** 2).sum(axis=1)
    # As many Doppler cells as are smoothed keep their shape where the band is a tenth of the rate.
    smooth = scipy.ndimage.uniform_filter1d(spectrum, max(1, length // 32), mode="wrap")
    above = smooth - smooth.min()
    if not above.sum() > 0.0:
        return 0.8 * rate
    return float(np.clip(above.sum() ** 2 / (above**2).sum() / length, 0.02, 1.0) * rate)
