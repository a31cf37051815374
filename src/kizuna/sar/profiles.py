"""Range profiles: the echoes of pulses over range, finely sampled about a carrier, cut to the range that is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.sar.history import SPEED_OF_LIGHT_M_S

__all__ = ["Profiles", "range_profiles"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]
type Integers = npt.NDArray[np.int64]

_SPARE_SAMPLES = 32  # kernels read this many samples at once at most


@dataclass(frozen=True, slots=True)
class Profiles:
    """Range profiles of a block of pulses, about a carrier; the names are the kernels' arguments."""

    samples: Image
    first: Integers
    step_m: float
    cycles_per_m: float


def range_profiles(
    spectrum: Image,
    frequencies_hz: tuple[float, float],
    window_m: tuple[Floats, Floats],
    oversampling: float,
    *,
    gain: float,
    threads: int,
) -> Profiles:
    """Range profiles of pulses.

    Parameters
    ----------
    spectrum
        Samples, shape (pulses, frequencies).
    frequencies_hz
        First frequency and step.
    window_m
        Nearest and farthest range, each (pulses,), metres beyond the pulse's reference.
    oversampling
        How many times finer than the Nyquist rate, for linear interpolation between samples.
    gain
        Factor on all samples.
    threads
        Threads of the Fourier transform.

    Returns
    -------
    Profiles
        Each from a few samples before its window to a few after it.
    """
    pulses, count = spectrum.shape
    first_hz, step_hz = frequencies_hz
    length = scipy.fft.next_fast_len(math.ceil(oversampling * count))
    step_m = SPEED_OF_LIGHT_M_S / (2.0 * step_hz * length)
    middle = count // 2
    # 1 / sinc^2 undoes what linear interpolation does to the edges of the band.
    strengthened = (gain / np.sinc((np.arange(count) - middle) / length) ** 2).astype(np.float32)
    padded = np.zeros((pulses, length), np.complex64)
    np.multiply(spectrum[:, middle:], strengthened[middle:], out=padded[:, : count - middle])
    np.multiply(spectrum[:, :middle], strengthened[:middle], out=padded[:, length - middle :])
    full = scipy.fft.ifft(padded, axis=1, norm="forward", overwrite_x=True, workers=threads)
    nearest_m, farthest_m = window_m
    first = np.floor(nearest_m / step_m).astype(np.int64) - _SPARE_SAMPLES
    wanted = int((np.ceil(farthest_m / step_m).astype(np.int64) - first).max()) + _SPARE_SAMPLES
    # Rows an odd number of cache lines long: at a power of two, all pulses of a tile would fall upon the same lines of the cache.
    samples = np.empty((pulses, 8 * (-(-wanted // 8) | 1)), np.complex64)
    for row, profile, start in zip(samples, full, first % length, strict=True):
        _copy_around(profile, int(start), row)
    return Profiles(samples, first, step_m, 2.0 * (first_hz + middle * step_hz) / SPEED_OF_LIGHT_M_S)


def _copy_around(profile: Image, start: int, out: Image) -> None:
    """Fill `out` from a periodic profile: the window may start at a negative range."""
    done = 0
    while done < len(out):
        piece = profile[start : start + len(out) - done]
        out[done : done + len(piece)] = piece
        done += len(piece)
        start = 0
