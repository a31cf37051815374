"""Range compression: from echoes of a chirp, sample by sample, to phase history, frequency by frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.parallel import run_spread, thread_count

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RawEchoes", "compressed"]

type Floats = npt.NDArray[np.float64]
type Samples = npt.NDArray[np.complex64]

_PULSES = 64
_LONGEST = 1.5
_LEAST = 0.05  # of the chirp's mean power: at the edges of the band there is less


@dataclass(frozen=True, slots=True)
class RawEchoes:
    """Uncompressed echoes at baseband.

    Parameters
    ----------
    pulses
        How many.
    samples
        Of each.
    read
        Gives the complex samples of pulses from one up to another, shape (n, samples).
    sample_rate_hz
        Of the receiver.
    near_range_m
        Range of the first sample: half the way of light from the beginning of the pulse to it, shape (pulses,).
    centre_hz
        Carrier.
    chirp_hz_s, pulse_s
        Rate of the linear frequency modulation about the carrier, negative for a falling one; length of the pulse.
    positions_m, times_s
        Antenna halfway between sending and hearing, shape (pulses, 3), in the scene's frame, and when.
    polarisation
        Such as ``"HH"``.
    """

    pulses: int
    samples: int
    read: Callable[[int, int], Samples]
    sample_rate_hz: float
    near_range_m: Floats
    centre_hz: float
    chirp_hz_s: float
    pulse_s: float
    positions_m: Floats
    times_s: Floats
    polarisation: str

    @property
    def bandwidth_hz(self) -> float:
        """Of the chirp, as far as the receiver samples it."""
        return min(abs(self.chirp_hz_s) * self.pulse_s, self.sample_rate_hz)


def compressed(raw: RawEchoes, *, threads: int | None = None, progress: Callable[[int, int], None] | None = None) -> PhaseHistory:
    """Phase history of raw echoes.

    Parameters
    ----------
    raw
        Echoes.
    threads
        Threads; all processors without it.
    progress
        Called with (pulses done, pulses in all).

    Returns
    -------
    PhaseHistory
        Its reference range leads to the middle of what was heard of whole pulses; an echo of magnitude 1 has it here too.

    Notes
    -----
    The spectrum of each echo is divided by the chirp's own, which leaves the band flat. Transforms are longer than an echo and
    a pulse together, so that nothing comes round; ranges of which only a part of a pulse was heard are left out. Memory: the
    history, and 64 pulses a thread.
    """
    length = _length(raw)
    step = raw.sample_rate_hz / length
    count = min(length, 2 * round(0.5 * raw.bandwidth_hz / step))
    bins = np.arange(count) - count // 2
    times = np.arange(math.ceil(raw.pulse_s * raw.sample_rate_hz)) / raw.sample_rate_hz - 0.5 * raw.pulse_s
    chirp = scipy.fft.fft(np.exp(1j * math.pi * raw.chirp_hz_s * times**2), length)[bins]
    power = np.abs(chirp) ** 2
    inverse = np.conj(chirp) / np.maximum(power, _LEAST * power.mean())
    # Whole pulses were heard of so much range; the rest is cut off, and fewer frequencies tell what remains apart.
    kept = max(2, math.floor((raw.samples / raw.sample_rate_hz - raw.pulse_s) * count * step + 1e-6))
    kept = min(kept, count)
    # The carrier in the middle: between two frequencies where they are even in number.
    between = 0.5 if kept % 2 == 0 else 0.0
    frequencies = raw.centre_hz + (np.arange(kept) - kept // 2 + between) * (count * step / kept)
    moved = np.exp(-2j * math.pi * between * np.arange(kept) / kept)
    middle = kept // 2
    half_m = middle * SPEED_OF_LIGHT_M_S / (2.0 * count * step)
    # From the first sample to the middle of what is kept, and the carrier's phase of the first.
    turns = 2.0 / SPEED_OF_LIGHT_M_S * half_m * frequencies
    laid = np.exp(2j * math.pi * (turns - np.rint(turns)))
    carried = 2.0 / SPEED_OF_LIGHT_M_S * raw.near_range_m * raw.centre_hz
    carrier = np.exp(2j * math.pi * (carried - np.rint(carried)))
    samples = np.empty((raw.pulses, kept), np.complex64)

    def work(begin: int, end: int) -> None:
        for first in range(begin, end, _PULSES):
            last = min(first + _PULSES, end)
            spectrum = scipy.fft.fft(raw.read(first, last), length, axis=1)
            profile = scipy.fft.ifft(scipy.fft.ifftshift(spectrum[:, bins] * inverse, axes=1), axis=1)[:, :kept]
            profile *= moved
            spectrum = scipy.fft.fftshift(scipy.fft.fft(profile, axis=1), axes=1)
            samples[first:last] = spectrum * laid * carrier[first:last, None]
            if progress is not None:
                progress(last, raw.pulses)

    run_spread(work, raw.pulses, thread_count(threads))
    return PhaseHistory(
        samples=samples,
        frequencies_hz=np.asarray(frequencies, np.float64),
        positions_m=raw.positions_m,
        reference_range_m=raw.near_range_m + half_m,
        polarisation=raw.polarisation,
        times_s=raw.times_s,
    )


def _length(raw: RawEchoes) -> int:
    """Length of a transform that holds an echo and a pulse, of which the band is as near to an even number of bins as can be."""
    least = raw.samples + math.ceil(raw.pulse_s * raw.sample_rate_hz) + 1
    lengths = [scipy.fft.next_fast_len(least)]
    while lengths[-1] < _LONGEST * least:
        lengths.append(scipy.fft.next_fast_len(lengths[-1] + 1))
    halves = [0.5 * raw.bandwidth_hz / raw.sample_rate_hz * length for length in lengths]
    return int(min(zip(lengths, halves, strict=True), key=lambda one: (round(abs(one[1] - round(one[1])), 6), one[0]))[0])
