"""How good an image is: the response of a point target against theory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

__all__ = ["HALF_POWER_WIDTH_OF_SINC", "PointResponse", "ground_resolution", "measure_point"]

type Floats = npt.NDArray[np.float64]
type Complex = npt.NDArray[np.complex128]

HALF_POWER_WIDTH_OF_SINC = 0.8858929413789046
"""Full width of sinc^2 at half its peak: the solution of sin(pi x / 2) = (pi x / 2) / sqrt(2)."""

_HALF_CHIP = 32
_COARSE = 8
_NEIGHBOURS = np.arange(-12, 13, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PointResponse:
    """Measured response of one point target.

    Parameters
    ----------
    position_m
        Peak, shape (3,), scene metres.
    row_width_m, col_width_m
        -3 dB widths along the grid's rows' and columns' directions, metres.
    amplitude
        Peak amplitude.
    """

    position_m: Floats
    row_width_m: float
    col_width_m: float
    amplitude: float


def ground_resolution(history: PhaseHistory) -> tuple[float, float]:
    """Theoretical -3 dB widths on the ground, uniform weighting.

    Parameters
    ----------
    history
        Phase history.

    Returns
    -------
    range_m, cross_m : float
        Width along ground range and across it, metres.

    Notes
    -----
    0.886 c / (2 B cos g) and 0.886 c / (2 f_c cos g dtheta), g the grazing angle and dtheta the azimuth of the aperture in the
    ground plane (Jakowatz et al. 1996, section 2.4).
    """
    scale = HALF_POWER_WIDTH_OF_SINC * SPEED_OF_LIGHT_M_S / (2.0 * math.cos(history.grazing_rad))
    return scale / history.bandwidth_hz, scale / (history.centre_frequency_hz * history.aperture_rad)


def measure_point(
    pixels: npt.NDArray[np.complexfloating], grid: PlaneGrid, near_m: npt.ArrayLike, *, search_m: float = 1.0
) -> PointResponse:
    """Find the brightest point near a place and measure its -3 dB widths.

    Parameters
    ----------
    pixels
        Complex image, shape (rows, cols), sampled at or above the Nyquist rate.
    grid
        Plane of the pixels.
    near_m
        Where to look, shape (3,), scene metres.
    search_m
        Farthest that the brightest pixel may lie from it along a row or a column, metres.

    Returns
    -------
    PointResponse
        Position, widths and amplitude of the peak.

    Raises
    ------
    InputError
        The place lies too near the image's edge, or the response is no peak.

    Notes
    -----
    A chip of 64 x 64 pixels about the brightest one is interpolated through its spectrum, exactly, at any fractional index:
    no image is resampled. The spectrum is first rolled to its centroid, so that carriers and demodulated images measure alike.
    """
    row, col = (int(np.rint(index)) for index in grid.from_scene(near_m))
    reach = max(1, math.ceil(search_m / min(grid.row_spacing_m, grid.col_spacing_m)))
    margin = reach + _HALF_CHIP
    if not (margin <= row < grid.rows - margin and margin <= col < grid.cols - margin):
        raise InputError(
            Message(
                "row {row}, column {col} lies within {margin} pixels of the edge of an image of {rows} x {cols} pixels",
                {"row": row, "col": col, "margin": margin, "rows": grid.rows, "cols": grid.cols},
            ),
            hint=Message("Form a larger image, or measure a point farther inside it."),
            field="near_m",
        )
    window = np.abs(pixels[row - reach : row + reach + 1, col - reach : col + reach + 1])
    peak_row, peak_col = (int(index) for index in np.unravel_index(int(window.argmax()), window.shape))
    top, left = row - reach + peak_row - _HALF_CHIP, col - reach + peak_col - _HALF_CHIP
    chip = _Chip(np.asarray(pixels[top : top + 2 * _HALF_CHIP, left : left + 2 * _HALF_CHIP], np.complex128))
    at_row, at_col = chip.peak()
    amplitude = float(np.abs(chip.at(np.array([at_row]), np.array([at_col])))[0, 0])
    offsets = np.linspace(-6.0, 6.0, 12 * 64 + 1)
    along_row = np.abs(chip.at(at_row + offsets, np.array([at_col])))[:, 0] / amplitude
    along_col = np.abs(chip.at(np.array([at_row]), at_col + offsets))[0] / amplitude
    return PointResponse(
        position_m=grid.to_scene(top + at_row, left + at_col),
        row_width_m=_half_power_width(offsets, along_row) * grid.row_spacing_m,
        col_width_m=_half_power_width(offsets, along_col) * grid.col_spacing_m,
        amplitude=amplitude,
    )


class _Chip:
    """A chip that can be evaluated at fractional indices through its spectrum."""

    def __init__(self, chip: Complex) -> None:
        spectrum = np.fft.fft2(chip) / chip.size
        power = np.abs(spectrum) ** 2
        self._spectrum = spectrum
        self._frequencies = [
            _about_centroid(power.sum(axis=1)),
            _about_centroid(power.sum(axis=0)),
        ]

    def at(self, rows: Floats, cols: Floats) -> Complex:
        """Values at all pairs of fractional rows (n,) and columns (m,), shape (n, m)."""
        left = np.exp(2j * math.pi * np.outer(rows, self._frequencies[0]))
        right = np.exp(2j * math.pi * np.outer(self._frequencies[1], cols))
        return np.asarray(left @ self._spectrum @ right, np.complex128)

    def peak(self) -> tuple[float, float]:
        """Fractional row and column of the greatest magnitude, to a few thousandths of a pixel."""
        row = col = float(_HALF_CHIP)
        step = 1.0 / _COARSE
        for _ in range(3):
            rows, cols = row + step * _NEIGHBOURS, col + step * _NEIGHBOURS
            magnitude = np.abs(self.at(rows, cols))
            i, j = np.unravel_index(int(magnitude.argmax()), magnitude.shape)
            row, col = float(rows[i]), float(cols[j])
            step /= _COARSE
        return row, col


def _about_centroid(power: Floats) -> Floats:
    """Frequencies (cycles a sample) of DFT bins, each taken from the period centred on the power's circular centroid."""
    frequencies = np.fft.fftfreq(len(power))
    centroid = float(np.angle(np.sum(power * np.exp(2j * math.pi * frequencies)))) / (2.0 * math.pi)
    return frequencies - np.rint(frequencies - centroid)


def _half_power_width(offsets: Floats, amplitude: Floats) -> float:
    """Full width at half power about the middle of `offsets`, in their unit; `amplitude` is 1 there."""
    level = math.sqrt(0.5)
    middle = len(offsets) // 2
    below = np.flatnonzero(amplitude < level)
    right, left = below[below > middle], below[below < middle]
    if not (len(right) and len(left)):
        raise InputError(
            Message("the response does not fall to half its power within {limit} pixels", {"limit": float(offsets[-1])}),
            hint=Message("Measure an isolated bright point in a focused image."),
            field="near_m",
        )
    high, low = int(right[0]), int(left[-1])
    upper = np.interp(-level, [-amplitude[high - 1], -amplitude[high]], [offsets[high - 1], offsets[high]])
    lower = np.interp(level, [amplitude[low], amplitude[low + 1]], [offsets[low], offsets[low + 1]])
    return float(upper - lower)
