"""Complex images made coarser for release: of the spectrum of what is kept, only the bins of a narrower band are ever computed.

What remains hangs on the kept bins alone, and exactly so. Floating-point arithmetic cannot give that: the last bits of a Fourier
transform hang on everything that goes into it. So the kept bins are added up in whole numbers, without any rounding, and what
comes after starts from those whole numbers:

* Pixels outside the kept area are not read.
* A pixel is a whole number of the smallest step of its format, split into digits that a float64 matrix product adds up exactly.
* The sines and cosines are whole numbers too, chosen so that every relation that holds between roots of unity holds between
  them (`_roots`). So where bins are equal as real numbers, the sums are equal as whole numbers, bit for bit.
* Then the sums are rounded, brought back to pixels, and of each pixel `PIXEL_BITS` bits are kept.

Two images whose kept areas differ by D1 + D2, where D1 has no content in the kept bins of any column and D2 none in those of any
row, give the same bytes: whatever lies outside the kept band, along rows or along columns, is gone. In general the result is a
function of (kept rows) x (kept columns) whole numbers, each a fixed sum over pixels of the area, rounded to `PIXEL_BITS` bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PIXEL_BITS", "KeptBand", "kept_band", "kept_spectrum", "reduce_pixels", "smooth_length"]

type Floats = npt.NDArray[np.float64]
type Complex = npt.NDArray[np.complex128]
type Image = npt.NDArray[np.complex64]

PIXEL_BITS = 12
"""Bits that are kept of a reduced pixel, of the larger of its two parts: 72 dB below it begins what was rounded away."""

_ROOT_BITS = 14
_EXACT_BITS = 53  # of a float64: whole numbers below 2^53 add and multiply exactly, in whatever order
_SMALLEST_EXPONENT, _LARGEST_EXPONENT = -149, 128  # of float32, subnormal numbers included
_PRIMES = (2, 3, 5)
_BINS_AT_ONCE, _LINES_AT_ONCE = 256, 2048
_OVERSAMPLING = 1.2
_LONGEST = 1 << 20


def smooth_length(least: int) -> int:
    """Smallest multiple of 4 of the form 2^a 3^b 5^c that is not below `least`.

    Examples
    --------
    >>> smooth_length(1), smooth_length(500), smooth_length(1001)
    (4, 500, 1024)
    """
    best = 1 << max(2, (least - 1).bit_length())
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = max(4, -(-least // three))
            best = min(best, three << (rest - 1).bit_length())
            three *= 3
        five *= 5
    return best


@dataclass(frozen=True, slots=True)
class KeptBand:
    """What is kept of one axis: bins of a discrete Fourier transform, and the samples made of them.

    Parameters
    ----------
    samples
        Samples of the axis before.
    length
        Length of the transform, to which they are filled up with zeros.
    first, count
        First bin kept, counted from zero frequency and maybe negative, and how many.
    length_after
        Length of the transform back.
    start
        Where the first sample afterwards lies, samples before; at least 0.
    """

    samples: int
    length: int
    first: int
    count: int
    length_after: int
    start: float = 0.0

    @property
    def samples_after(self) -> int:
        """Samples of the axis afterwards: those that lie between the first and the last before."""
        # A sample that falls onto the last one before is not lost to rounding.
        return math.floor((self.samples - 1 - self.start) * self.length_after / self.length + 1e-9) + 1

    @property
    def coarsening(self) -> float:
        """Spacing of the samples afterwards over that before."""
        return self.length / self.length_after

    def meeting(self, sample: float) -> KeptBand:
        """The same band, its samples moved by less than one so that one of them falls onto `sample`."""
        return replace(self, start=sample % self.coarsening)

    @property
    def bandwidth(self) -> float:
        """Width of the kept band in cycles a sample before: that of its outermost bins, half a bin more on each side."""
        return self.count / self.length

    @property
    def centre(self) -> float:
        """Middle of the kept band in cycles a sample before."""
        return (self.first + (self.count - 1) / 2.0) / self.length


def kept_band(samples: int, bandwidth: float, centre: float = 0.0) -> KeptBand | None:
    """Bins that lie in a band.

    Parameters
    ----------
    samples
        Samples of the axis.
    bandwidth
        Width of the band that may remain, cycles a sample, above 0 and below 1.
    centre
        Its middle, cycles a sample; exp(+2j pi centre n) is the middle of the band.

    Returns
    -------
    KeptBand or None
        An odd number of bins about the one that is nearest to the centre, as many as fit; None where not one does.
    """
    if not 1 <= samples <= _LONGEST:
        raise InputError(
            Message("an axis of {got} pixels cannot be made coarser, at most {most}", {"got": samples, "most": _LONGEST}),
            hint=Message("Cut the image to an area first."),
            field="area",
        )
    length = smooth_length(samples)
    middle = round(centre * length)
    # Each side reaches half a bin beyond its last one.
    aside = math.floor((bandwidth * length - 1.0) / 2.0 - abs(centre * length - middle))
    if aside < 0:
        return None
    count = 2 * aside + 1
    if count > length:
        raise ValueError(bandwidth)
    length_after = min(length, smooth_length(math.ceil(_OVERSAMPLING * count)))
    return KeptBand(samples, length, middle - aside, count, length_after)


def reduce_pixels(
    pixels: Image,
    rows: KeptBand | None,
    cols: KeptBand | None,
    *,
    gain: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Pixels that remain of a kept area when only the kept bins of its spectrum do.

    Parameters
    ----------
    pixels
        Kept area, shape (rows, cols), complex64, all finite.
    rows, cols
        What is kept along the row index and along the column index; None leaves that axis as it is.
    gain
        Factor of the amplitude; 1 keeps that of a frequency inside the band.
    progress
        Called with (work done, work in all).

    Returns
    -------
    ndarray of complex64, shape (rows.samples_after, cols.samples_after)
        The same scene sampled more coarsely, the middle of the kept band at zero frequency. Pixel (0, 0) lies `start` into it.

    Raises
    ------
    InputError
        A pixel is no finite number.
    """
    spectrum = kept_spectrum(pixels, rows, cols, progress=progress)
    for axis, band in enumerate((rows, cols)):
        if band is not None:
            spectrum = _back(spectrum, band, axis)
    return _rounded(spectrum * gain)


def kept_spectrum(
    pixels: Image, rows: KeptBand | None, cols: KeptBand | None, *, progress: Callable[[int, int], None] | None = None
) -> Complex:
    """Kept bins of the spectrum of an area, each the rounded value of a whole number that was added up exactly.

    Parameters
    ----------
    pixels, rows, cols, progress
        As for `reduce_pixels`.

    Returns
    -------
    ndarray of complex128, shape (rows.count, cols.count)
        sum over n, m of pixels[n, m] exp(-2j pi (k n / rows.length + l m / cols.length)); an axis that is left as it is has its
        samples instead.
    """
    if not np.isfinite(pixels).all():
        raise InputError(
            Message("a pixel of the area is no finite number"),
            hint=Message("Mark such pixels as no data (0) and try again."),
            field="file",
        )
    lengths = [band.length for band in (rows, cols) if band is not None]
    # INVARIANT: 2 (parts) x length x 2^_ROOT_BITS x 2^(width - 1) stays below 2^53, so nothing is ever rounded.
    width = _EXACT_BITS - 1 - _ROOT_BITS - max((length - 1).bit_length() for length in lengths or [2])
    spectrum = np.empty((_count(rows, pixels.shape[0]), _count(cols, pixels.shape[1])), np.complex128)
    blocks = _blocks(rows, pixels.shape[0])
    for done, block in enumerate(blocks):
        if rows is None:
            digits, places = _split(pixels[block], width), block
        else:
            digits, places = _sums_of(pixels, rows, block, width), _places(rows, block)
        scale = 0 if rows is None else _ROOT_BITS
        if cols is None:
            spectrum[places] = _value(digits, width, scale, (len(places), pixels.shape[1]))
        else:
            turned = {place: np.ascontiguousarray(digit.T) for place, digit in _carried(digits, width).items()}
            for part in _blocks(cols, pixels.shape[1]):
                bins = _places(cols, part)
                value = _value(_sums(turned, cols, part), width, scale + _ROOT_BITS, (len(bins), len(places)))
                spectrum[places[:, None], bins] = value.T
        if progress is not None:
            progress(done + 1, len(blocks))
    return spectrum


def _count(band: KeptBand | None, samples: int) -> int:
    return samples if band is None else band.count


def _blocks(band: KeptBand | None, samples: int) -> list[npt.NDArray[np.intp]]:
    """What is worked on at a time: some orders of bins (k and -k are one order), or some samples where there are no bins."""
    first = np.arange(samples) if band is None else np.unique(np.abs(np.arange(band.first, band.first + band.count)))
    return [first[at : at + _BINS_AT_ONCE] for at in range(0, len(first), _BINS_AT_ONCE)]


def _signs(band: KeptBand, orders: npt.NDArray[np.intp]) -> list[tuple[int, npt.NDArray[np.bool_]]]:
    """Both signs, and which of the orders have a kept bin of that sign."""
    found = []
    for sign in (1, -1):
        place = sign * orders - band.first
        inside = (place >= 0) & (place < band.count)
        found.append((sign, inside if sign > 0 else inside & (orders > 0)))
    return found


def _places(band: KeptBand, orders: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Where the kept bins of some orders stand among the kept, in the order in which `_sums` gives them."""
    return np.concatenate([sign * orders[inside] - band.first for sign, inside in _signs(band, orders)])


# ---- whole numbers


type _Digits = dict[int, Complex]
"""Whole numbers in the smallest step of float32: sum over p of digits[p] 2^(width p), each digit a Gaussian integer."""


def _split(pixels: Image, width: int) -> _Digits:
    """Digits of pixels; those that are all zero are left out."""
    rest = np.ldexp(pixels.real.astype(np.float64), -_SMALLEST_EXPONENT) + 0j
    rest.imag = np.ldexp(pixels.imag.astype(np.float64), -_SMALLEST_EXPONENT)
    digits: _Digits = {}
    for place in range((_LARGEST_EXPONENT - _SMALLEST_EXPONENT) // width + 1, -1, -1):
        unit = 2.0 ** (width * place)
        digit = np.rint(rest / unit)  # of both parts; scaling by a power of two is exact
        if digit.any():
            digits[place] = digit
            rest -= digit * unit
            if not rest.any():
                break
    return digits


def _carried(digits: _Digits, width: int) -> _Digits:
    """The same numbers with each part of a digit from -2^(width-1) to 2^(width-1) - 1: there is one such form of each number."""
    made: _Digits = {}
    left: npt.NDArray[np.int64]
    half, base = 1 << (width - 1), 1 << width
    carry: npt.NDArray[np.int64] | None = None
    place = min(digits, default=0)
    last = max(digits, default=-1)
    while place <= last or (carry is not None and carry.any()):
        total = np.zeros(1, np.int64) if place not in digits else digits[place].view(np.float64).astype(np.int64)
        if carry is not None:
            total = total + carry
        carry = (total + half) >> width
        left = total - carry * base
        if left.any():
            made[place] = left.astype(np.float64).view(np.complex128)
        place += 1
    return made


def _value(digits: _Digits, width: int, scale: int, shape: tuple[int, int]) -> Complex:
    """Nearest complex numbers, by one fixed sequence of roundings."""
    carried = _carried(digits, width)
    value = np.zeros(shape, np.complex128)
    place = 0
    for place in range(min(carried, default=0), max(carried, default=0) + 1):
        value *= 2.0**-width
        if place in carried:
            value += carried[place]
    return value * 2.0 ** (width * place + _SMALLEST_EXPONENT - scale)


@lru_cache(maxsize=4)
def _roots(length: int) -> Complex:
    """Whole numbers near 2^_ROOT_BITS exp(-2j pi n / length), n from 0.

    Notes
    -----
    Between the roots of unity of an order 2^a 3^b 5^c hold the relations "the p roots that are turned against each other by whole
    p-th turns add up to zero" for the primes p, multiplication by i, and what follows from these. A turn is written as the sum of
    one of 2^a, one of 3^b and one of 5^c parts; in each of the three the highest digit p - 1 is expressed by the others, for two
    by quarter turns. Thus every relation over the whole numbers and i carries over, exactly.
    """
    factors = []
    rest = length
    for prime in _PRIMES:
        power = 1
        while rest % prime == 0:
            rest //= prime
            power *= prime
        factors.append(power)
    index = np.zeros(factors, np.int64)
    for axis, power in enumerate(factors):
        shape = [1, 1, 1]
        shape[axis] = power
        index = index + (np.arange(power) * (length // power)).reshape(shape)
    index %= length
    table = np.exp(-2j * math.pi * index / length) * 2.0**_ROOT_BITS
    table = np.asarray(np.rint(table.real) + 1j * np.rint(table.imag), np.complex128)
    quarter = factors[0] // 4
    for turn in range(1, 4):
        table[turn * quarter : (turn + 1) * quarter] = table[:quarter] * (-1j) ** turn
    for axis, (prime, power) in enumerate(zip(_PRIMES, factors, strict=True)):
        if axis and power > 1:
            parts = np.split(table, prime, axis=axis)
            table = np.concatenate([*parts[:-1], -np.sum(parts[:-1], axis=0)], axis=axis)
    roots = np.empty(length, np.complex128)
    roots[index.ravel()] = table.ravel()
    return roots


def _sums_of(pixels: Image, band: KeptBand, orders: npt.NDArray[np.intp], width: int) -> _Digits:
    """Kept bins of the columns of pixels, some columns at a time."""
    made: _Digits = {}
    for left in range(0, pixels.shape[1], _LINES_AT_ONCE):
        part = slice(left, left + _LINES_AT_ONCE)
        for place, sums in _sums(_split(pixels[:, part], width), band, orders).items():
            if place not in made:
                made[place] = np.zeros((len(sums), pixels.shape[1]), np.complex128)
            made[place][:, part] = sums
    return made


def _sums(digits: _Digits, band: KeptBand, orders: npt.NDArray[np.intp]) -> _Digits:
    """Kept bins of some orders along the first axis, exactly; times 2^_ROOT_BITS."""
    table = _roots(band.length)[np.outer(orders, np.arange(band.samples)) % band.length]
    cosines, sines = np.ascontiguousarray(table.real), np.ascontiguousarray(table.imag)
    made: _Digits = {}
    for place, digit in digits.items():
        # Real parts beside imaginary ones. Bins k and -k share their products: one has the conjugate roots.
        pairs = np.ascontiguousarray(digit).view(np.float64)
        even, odd = (cosines @ pairs).view(np.complex128), (sines @ pairs).view(np.complex128)
        made[place] = np.concatenate([even[inside] + sign * 1j * odd[inside] for sign, inside in _signs(band, orders)])
    return made


# ---- back to pixels


def _back(spectrum: Complex, band: KeptBand, axis: int) -> Complex:
    """Samples of kept bins along an axis, their middle bin at zero frequency."""
    shape = list(spectrum.shape)
    shape[axis] = band.length_after
    filled = np.zeros(shape, np.complex128)
    aside = band.count // 2
    source, target = np.moveaxis(spectrum, axis, 0), np.moveaxis(filled, axis, 0)
    turns = np.arange(-aside, aside + 1) * (band.start / band.length)
    source = source * np.exp(2j * math.pi * turns)[:, None]
    target[: aside + 1] = source[aside:]
    target[band.length_after - aside :] = source[:aside]
    samples = scipy.fft.ifft(filled, axis=axis, norm="forward", overwrite_x=True)
    return np.asarray(np.take(samples, np.arange(band.samples_after), axis=axis) / band.length, np.complex128)


def _rounded(values: Complex) -> Image:
    """Pixels of which `PIXEL_BITS` bits are kept, as many below the larger of the two parts."""
    _, exponent = np.frexp(np.maximum(np.abs(values.real), np.abs(values.imag)))
    step = exponent - PIXEL_BITS
    made = np.empty(values.shape, np.complex64)
    made.real = np.ldexp(np.rint(np.ldexp(values.real, -step)), step)
    made.imag = np.ldexp(np.rint(np.ldexp(values.imag, -step)), step)
    return made
