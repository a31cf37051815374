"""Exact time-domain backprojection: for every pixel, add up what each pulse heard at that pixel's range.

The plain, slow and right way to form an image: any aperture, any surface, no approximation of the wavefront. The fast ways
are measured against it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

__all__ = ["backproject"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]

_PULSES_A_BLOCK = 32
_PIXELS_A_BLOCK = 1 << 14  # scratch of one block stays in the second-level cache (benchmarks/speed/sar.py)


def backproject(
    history: PhaseHistory,
    grid: PlaneGrid,
    *,
    oversampling: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form a complex image by exact backprojection, uniformly weighted.

    Parameters
    ----------
    history
        Phase history of a spotlight collection.
    grid
        Pixels to form.
    oversampling
        How many times finer than the Nyquist rate the range profiles are sampled before linear interpolation between samples.
    progress
        Called with (pulses done, pulses in all) after each block of pulses.

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        Image whose phase is that of the data: a scatterer of unit reflectivity has magnitude 1 and, in its neighbourhood, the
        phase 4 pi f_c (R - r0) / c of its own range. Nothing is demodulated; see `kizuna.sar.image` for that.

    Raises
    ------
    InputError
        The grid spans more range than the frequency step can tell apart.

    Notes
    -----
    I(x) = 1/(P F) sum_p sum_f S(p, f) exp(+4j pi f (|x - a_p| - r0_p) / c) (Gorham and Moore 2010, SPIE 7699, equation 8). The
    inner sum is a zero-padded inverse FFT about the middle of the band, so that what is interpolated varies slowly; the
    carrier's phase is put back exactly for each pixel. Peak memory: the image, 8 bytes a pixel; 32 oversampled profiles before
    and after cropping, at most 32 x oversampling x frequencies x 24 bytes (5 MB for 424 frequencies at 16); scratch below 2 MB.
    """
    first_m, last_m = _range_window(history, grid)
    if last_m - first_m > history.unambiguous_range_m:
        raise InputError(
            Message(
                "the image spans {got} m of range; the frequency step tells {limit} m apart",
                {"got": round(last_m - first_m, 1), "limit": round(history.unambiguous_range_m, 1)},
            ),
            hint=Message("Form a smaller image."),
            field="extent_m",
        )
    image = np.zeros(grid.shape, np.complex64)
    block_rows = max(1, _PIXELS_A_BLOCK // grid.cols)
    scratch = _Scratch(block_rows, grid.cols)
    for start in range(0, history.pulses, _PULSES_A_BLOCK):
        stop = min(start + _PULSES_A_BLOCK, history.pulses)
        profiles, start_m, step_m = _profiles(history, start, stop, first_m, last_m, oversampling)
        along_row, along_col, above = _separated(history.positions_m[start:stop], grid)
        for top in range(0, grid.rows, block_rows):
            block = image[top : top + block_rows]
            for pulse in range(stop - start):
                scratch.add_pulse(
                    block,
                    along_row[pulse, top : top + block_rows, None] + above[pulse],
                    along_col[pulse],
                    profiles[pulse],
                    history.reference_range_m[start + pulse],
                    (start_m, step_m, 2.0 * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S),
                )
        if progress is not None:
            progress(stop, history.pulses)
    image /= history.pulses
    return image


class _Scratch:
    """Arrays of one block, kept between pulses: allocating them anew costs more than the arithmetic."""

    def __init__(self, rows: int, cols: int) -> None:
        self.range = np.empty((rows, cols), np.float64)
        self.position = np.empty((rows, cols), np.float64)
        self.index = np.empty((rows, cols), np.intp)
        self.fraction = np.empty((rows, cols), np.float32)
        self.value = np.empty((rows, cols), np.complex64)
        self.slope = np.empty((rows, cols), np.complex64)
        self.carrier = np.empty((rows, cols), np.complex64)

    def add_pulse(
        self,
        block: Image,
        row_squared: Floats,
        col_squared: Floats,
        profile: tuple[Image, Image],
        reference_range_m: float,
        scale: tuple[float, float, float],
    ) -> None:
        """Add one pulse's contribution to `block`; `scale` is first range, range step (m) and carrier (cycles/m of range)."""
        n = len(block)
        distance, position, index, fraction = self.range[:n], self.position[:n], self.index[:n], self.fraction[:n]
        value, slope, carrier = self.value[:n], self.slope[:n], self.carrier[:n]
        first_m, step_m, cycles_per_m = scale

        np.add(row_squared, col_squared, out=distance)
        np.sqrt(distance, out=distance)
        distance -= reference_range_m

        np.multiply(distance, 1.0 / step_m, out=position)
        position -= first_m / step_m
        np.copyto(index, position, casting="unsafe")
        np.subtract(position, index, out=fraction, casting="unsafe")
        # mode="clip" skips numpy's bounds check and buffering; the range window holds every pixel, so nothing is clipped.
        np.take(profile[0], index, out=value, mode="clip")
        np.take(profile[1], index, out=slope, mode="clip")
        slope *= fraction
        value += slope

        # Whole cycles go in double precision; the rest is small enough for float32's fast sine and cosine.
        distance *= cycles_per_m
        np.rint(distance, out=position)
        np.subtract(distance, position, out=fraction, casting="unsafe")
        fraction *= np.float32(2.0 * math.pi)
        np.cos(fraction, out=carrier.real)
        np.sin(fraction, out=carrier.imag)
        value *= carrier
        block += value


def _separated(positions_m: Floats, grid: PlaneGrid) -> tuple[Floats, Floats, Floats]:
    """Squared distances, (pulses, rows), (pulses, cols) and (pulses,) m^2: their sum is the squared range to a pixel."""
    offset = positions_m - grid.origin_m
    return (
        (grid.row_offsets_m() - (offset @ grid.row_direction)[:, None]) ** 2,
        (grid.col_offsets_m() - (offset @ grid.col_direction)[:, None]) ** 2,
        (offset @ grid.normal) ** 2,
    )


def _range_window(history: PhaseHistory, grid: PlaneGrid) -> tuple[float, float]:
    """Least and greatest |x - a| - r0 over all pixels and pulses, metres.

    Range over a plane is convex, so the greatest lies at a corner and the least at the pixel under the antenna's foot.
    """
    along_row, along_col, above = _separated(history.positions_m, grid)
    nearest = np.sqrt(along_row.min(axis=1) + along_col.min(axis=1) + above) - history.reference_range_m
    farthest = np.sqrt(along_row.max(axis=1) + along_col.max(axis=1) + above) - history.reference_range_m
    return float(nearest.min()), float(farthest.max())


def _profiles(
    history: PhaseHistory, start: int, stop: int, first_m: float, last_m: float, oversampling: int
) -> tuple[list[tuple[Image, Image]], float, float]:
    """Range profiles of a block of pulses over the window, each with its forward difference; first range and step, metres."""
    count = len(history.frequencies_hz)
    length = scipy.fft.next_fast_len(oversampling * count)
    step_m = history.unambiguous_range_m / length
    lowest, highest = math.floor(first_m / step_m), math.ceil(last_m / step_m) + 1
    # The window may start at a negative range: profiles are periodic, so indices are taken modulo their length.
    wanted = np.arange(lowest, highest + 1)
    spectrum = history.samples[start:stop]
    full = scipy.fft.ifft(spectrum, n=length, axis=1, norm="forward")
    # Centre of the band to zero frequency: exp(-2j pi (f_c - f_0) 2 r / c), exact for every range sample.
    half_band = 0.5 * (count - 1) / length
    windowed = full[:, wanted % length] * np.exp(-2j * math.pi * half_band * wanted)
    windowed = (windowed / count).astype(np.complex64)
    pairs = [(row[:-1].copy(), np.diff(row)) for row in windowed]
    return pairs, lowest * step_m, step_m
