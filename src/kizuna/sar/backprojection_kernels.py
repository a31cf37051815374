"""The inner loops of backprojection: pulses added to tiles of pixels, once plainly and once fast.

Both take the same arguments, so that one test holds them to the same sums:

========== ================================== ==================================================================================
argument   shape and type                     meaning
========== ================================== ==================================================================================
image      (rows, cols) complex64             pixels; what the pulses contribute is added to them
begin, end int                                tiles to fill, counted row by row over the image
centres    (tiles, 3) float64                 middle of each tile, scene metres
offsets    (tiles or 1, 4, side, side) float32 pixels about their tile's middle, metres: x, y, z and x^2 + y^2 + z^2; one set for
                                              all tiles where they are evenly spaced on a plane
antennas   (pulses, 3) float64                antenna phase centres, scene metres
references (pulses,) float64                  range to which each pulse's phase is referred, metres
profiles   (pulses, samples) complex64        range profiles about the carrier
first      (pulses,) int64                    range index of each profile's first sample; profiles reach a few samples
                                              beyond any place within a tile's radius of its middle
step_m     float                              range step of the profiles, metres
cycles_m   float                              carrier cycles a metre of range
========== ================================== ==================================================================================
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["add_tiles", "add_tiles_plainly"]

type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]
type Image = npt.NDArray[np.complex64]
type Integers = npt.NDArray[np.int64]

# cos(2 pi x) and sin(2 pi x) / x as polynomials in x^2 for |x| <= 1/2, of least greatest error: 4e-5 and 6e-6.
_C0, _C1, _C2, _C3, _C4 = (np.float32(c) for c in (0.9999598, -19.73104175, 64.6734317, -82.40355228, 45.64655792))
_S0, _S1, _S2, _S3, _S4 = (np.float32(s) for s in (6.28305672, -41.3312518, 81.36728057, -74.48025998, 32.78515046))
_ROUNDER = np.float32(1.5 * 2.0**23)  # x + _ROUNDER - _ROUNDER is x rounded to a whole number, in single precision
_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)


def add_tiles_plainly(  # noqa: PLR0913, PLR0917 - the kernel's arguments are one table
    image: Image,
    begin: int,
    end: int,
    centres: Floats,
    offsets: Singles,
    antennas: Floats,
    references: Floats,
    profiles: Image,
    first: Integers,
    step_m: float,
    cycles_m: float,
) -> None:
    """Add pulses to tiles: exact ranges, in double precision. The slow twin of `add_tiles`."""
    side = offsets.shape[-1]
    across = -(-image.shape[1] // side)
    for tile in range(begin, end):
        top, left = tile // across * side, tile % across * side
        block = image[top : top + side, left : left + side]
        offset = offsets[tile if len(offsets) > 1 else 0, :3, : block.shape[0], : block.shape[1]].astype(np.float64)
        pixels = np.moveaxis(offset, 0, -1) + centres[tile]
        total = np.zeros(block.shape, np.complex128)
        for antenna, reference, profile, start in zip(antennas, references, profiles, first, strict=True):
            range_m = np.linalg.norm(pixels - antenna, axis=-1) - reference
            position = range_m / step_m - start
            index = position.astype(np.int64)
            fraction = position - index
            value = profile[index] * (1.0 - fraction) + profile[index + 1] * fraction
            total += value * np.exp(2j * math.pi * cycles_m * range_m)
        block += total.astype(np.complex64)


@njit(cache=True, nogil=True, fastmath={"contract"})
def add_tiles(  # noqa: PLR0913, PLR0915, PLR0917 - the kernel's arguments are one table
    image: Image,
    begin: int,
    end: int,
    centres: Floats,
    offsets: Singles,
    antennas: Floats,
    references: Floats,
    profiles: Image,
    first: Integers,
    step_m: float,
    cycles_m: float,
) -> None:
    """Add pulses to tiles: range, position and phase of a tile's middle in double precision, of its pixels in single.

    Notes
    -----
    With w from the antenna to the tile's middle, r = |w|, u = w / r and d from the middle to the pixel,
    |w + d| - r = d.u + q / (2 r) - d.u q / (2 r^2) + O(|d|^4 / r^3), where q = |d|^2 - (d.u)^2.
    """
    halves = profiles.view(np.float32)
    rows, cols = image.shape
    side = offsets.shape[3]
    across = -(-cols // side)
    index = np.empty(side, np.int32)
    weights = np.empty((4, side), np.float32)
    x, y, z, square = offsets[0, 0], offsets[0, 1], offsets[0, 2], offsets[0, 3]
    total = np.empty((side, 2 * side), np.float32)
    for tile in range(begin, end):
        if len(offsets) > 1:
            x, y, z, square = offsets[tile, 0], offsets[tile, 1], offsets[tile, 2], offsets[tile, 3]
        top, left = tile // across * side, tile % across * side
        height, width = min(side, rows - top), min(side, cols - left)
        total[:] = 0.0
        reach = math.ceil(math.sqrt(square.max()) / step_m) + 1
        for pulse in range(len(antennas)):
            wx = centres[tile, 0] - antennas[pulse, 0]
            wy = centres[tile, 1] - antennas[pulse, 1]
            wz = centres[tile, 2] - antennas[pulse, 2]
            r = math.sqrt(wx * wx + wy * wy + wz * wz)
            ux, uy, uz = np.float32(wx / r), np.float32(wy / r), np.float32(wz / r)
            curve, skew = np.float32(0.5 / r), np.float32(0.5 / (r * r))
            position = (r - references[pulse]) / step_m - first[pulse]
            # In single precision positions must be small, for their fraction's sake, and positive, so that truncation is floor.
            whole = math.floor(position) - reach
            part = np.float32(position - whole)
            cycles = cycles_m * (r - references[pulse])
            turn = np.float32(cycles - math.floor(cycles))
            per_m, turns_m = np.float32(1.0 / step_m), np.float32(cycles_m)
            samples = halves[pulse, 2 * whole :]
            for row in range(height):
                for col in range(side):
                    along = ux * x[row, col] + uy * y[row, col] + uz * z[row, col]
                    beside = square[row, col] - along * along
                    offset = along + beside * (curve - skew * along)
                    at = part + per_m * offset
                    lower = np.int32(at)
                    fraction = at - np.float32(lower)
                    index[col] = lower + lower
                    phase = turn + turns_m * offset
                    phase -= (phase + _ROUNDER) - _ROUNDER
                    s = phase * phase
                    cosine = _C0 + s * (_C1 + s * (_C2 + s * (_C3 + s * _C4)))
                    sine = phase * (_S0 + s * (_S1 + s * (_S2 + s * (_S3 + s * _S4))))
                    weights[0, col] = fraction * cosine
                    weights[1, col] = fraction * sine
                    weights[2, col] = cosine - fraction * cosine
                    weights[3, col] = sine - fraction * sine
                line = total[row]
                for col in range(width):
                    i = np.uint64(index[col])
                    nr, ni, fr, fi = samples[i], samples[i + _1], samples[i + _2], samples[i + _3]
                    p, q, v, w = weights[0, col], weights[1, col], weights[2, col], weights[3, col]
                    j = np.uint64(2 * col)
                    line[j] += nr * v - ni * w + fr * p - fi * q
                    line[j + _1] += nr * w + ni * v + fr * q + fi * p
        for row in range(height):
            for col in range(width):
                image[top + row, left + col] += np.complex64(complex(total[row, 2 * col], total[row, 2 * col + 1]))
