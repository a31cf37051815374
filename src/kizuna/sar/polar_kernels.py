"""Inner loops of `kizuna.sar.polar`, compiled.

All of them spread or gather with one kind of kernel, a polynomial sum_j c_j v^j, j >= 1, of v = 1 - z^2 on |z| < 1: no table is
looked up and nothing branches. Each works on `LANES` lines that lie beside each other, pulses or rows or columns, and goes along
them: neighbours want nearly the same samples, so that the loops over lanes below become vector instructions. What one pass hands
to the next is turned over in the cache, (lines, 2, LANES), real and imaginary parts apart, and never lies in memory whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    type Floats = npt.NDArray[np.float64]
    type Singles = npt.NDArray[np.float32]
    type Indices = npt.NDArray[np.int64]

__all__ = ["LANES", "columns_of_image", "range_lines", "rows_of_image", "spread_pulses"]

LANES = 64
_TILE = 16  # a square of this many is turned over in the first-level cache


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def _add(line: Singles, offset: Singles, per_reach: float, kernel: Singles, total: Singles) -> None:
    """Add to `total`, shape (2, LANES), one sample of each lane, `line`, weighted for how far, `offset`, it is away."""
    scale = np.float32(per_reach)
    c1, c2, c3, c4, c5, c6 = kernel[1], kernel[2], kernel[3], kernel[4], kernel[5], kernel[6]
    for k in range(LANES):
        z = offset[k] * scale
        v = max(np.float32(0.0), np.float32(1.0) - z * z)
        w = v * (c1 + v * (c2 + v * (c3 + v * (c4 + v * (c5 + v * c6)))))
        total[0, k] += w * line[0, k]
        total[1, k] += w * line[1, k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _read(lines: Singles, begin: int, positions: Floats, reach: float, kernel: Singles, offset: Singles, total: Singles) -> None:
    """Set `total`, shape (2, LANES), to the sums of `lines`, (samples, 2, LANES), about one place in each lane.

    Places count samples from 0; `lines` hold those from `begin`. `offset`, shape (LANES,), is room to work in.
    """
    lowest, highest = positions[0], positions[0]
    for k in range(LANES):
        lowest, highest = min(lowest, positions[k]), max(highest, positions[k])
    first, last = max(begin, math.ceil(lowest - reach)), min(begin + len(lines) - 1, math.floor(highest + reach))
    for k in range(LANES):
        offset[k] = np.float32(first - positions[k])
    total[:] = np.float32(0.0)
    scale = 1.0 / reach
    for p in range(first, last + 1):
        _add(lines[p - begin], offset, scale, kernel, total)
        for k in range(LANES):
            offset[k] += np.float32(1.0)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _turn(lines: Singles, begin: int, turns: Floats) -> None:
    """Turn sample i of lane k, `lines` from `begin`, by turns[k, 0] + i turns[k, 1] cycles."""
    cosine, sine = np.empty(LANES, np.float64), np.empty(LANES, np.float64)
    step_cosine, step_sine = np.empty(LANES, np.float64), np.empty(LANES, np.float64)
    for k in range(LANES):
        angle, step = 2.0 * math.pi * ((turns[k, 0] + begin * turns[k, 1]) % 1.0), 2.0 * math.pi * (turns[k, 1] % 1.0)
        cosine[k], sine[k], step_cosine[k], step_sine[k] = math.cos(angle), math.sin(angle), math.cos(step), math.sin(step)
    for i in range(len(lines)):
        real, imag = lines[i, 0], lines[i, 1]
        for k in range(LANES):
            c, s = np.float32(cosine[k]), np.float32(sine[k])
            real[k], imag[k] = real[k] * c - imag[k] * s, real[k] * s + imag[k] * c
        for k in range(LANES):
            c, s = cosine[k], sine[k]
            cosine[k], sine[k] = c * step_cosine[k] - s * step_sine[k], s * step_cosine[k] + c * step_sine[k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def range_lines(  # noqa: C901 # from samples to lines while they lie in the cache
    samples: Singles,
    order: Indices,
    turns: Floats,
    first: Floats,
    stretch: Floats,
    kernel: Singles,
    sharpen: Singles,
    out: Singles,
) -> None:
    """Resample all pulses onto `LANES` frequencies that lie evenly along rows.

    `samples`, shape (pulses, 2 frequencies), are turned by turns[p, 0] + i turns[p, 1] cycles, then spread: output m lies at
    sample first[p] + stretch[p] m, m from minus the reach of `sharpen`. That, symmetric, of seven, undoes the kernel's roll-off.
    Pulse order[n] goes to line n of `out`, shape (pulses, 2, LANES).
    """
    count, pulses = samples.shape[1] // 2, len(order)
    around = len(sharpen) - 1
    span = LANES + 2 * around
    begins, steps, angles, which = np.empty(LANES), np.empty(LANES), np.empty((LANES, 2)), np.empty(LANES, np.int64)
    lines = np.empty((2 * span, 2, LANES), np.float32)
    spread, sharp = np.empty((span, 2, LANES), np.float32), np.empty((LANES, 2, LANES), np.float32)
    positions, offset = np.empty(LANES), np.empty(LANES, np.float32)
    for start in range(0, pulses, LANES):
        lanes = min(LANES, pulses - start)
        longest, begin, end, turned = 0.0, math.inf, -math.inf, False
        for k in range(LANES):
            p = order[start + min(k, lanes - 1)]
            which[k], begins[k], steps[k], angles[k] = p, first[p], stretch[p], turns[p]
            longest, turned = max(longest, steps[k]), turned or angles[k, 0] != 0.0 or angles[k, 1] != 0.0
            begin, end = min(begin, first[p] - around * steps[k]), max(end, first[p] + (span - 1 - around) * steps[k])
        # A pulse's kernel is `stretch` samples a step wide, which differs too little among neighbours to matter.
        reach = kernel[0] * longest
        low = min(max(math.ceil(begin - reach), 0), count)
        high = max(low, min(count, math.floor(end + reach) + 1))
        if high - low > len(lines):
            lines = np.empty((high - low, 2, LANES), np.float32)
        for left in range(low, high, _TILE):
            for k in range(LANES):
                line = samples[which[k]]
                for i in range(left, min(high, left + _TILE)):
                    lines[i - low, 0, k], lines[i - low, 1, k] = line[2 * i], line[2 * i + 1]
        window = lines[: high - low]
        if turned:
            _turn(window, low, angles)
        for m in range(span):
            for k in range(LANES):
                positions[k] = begins[k] + steps[k] * (m - around)
            _read(window, low, positions, reach, kernel, offset, spread[m])
        for m in range(LANES):
            at = m + around
            for part in range(2):
                for k in range(LANES):
                    sharp[m, part, k] = (
                        sharpen[0] * spread[at, part, k]
                        + sharpen[1] * (spread[at - 1, part, k] + spread[at + 1, part, k])
                        + sharpen[2] * (spread[at - 2, part, k] + spread[at + 2, part, k])
                        + sharpen[3] * (spread[at - 3, part, k] + spread[at + 3, part, k])
                        + sharpen[4] * (spread[at - 4, part, k] + spread[at + 4, part, k])
                        + sharpen[5] * (spread[at - 5, part, k] + spread[at + 5, part, k])
                        + sharpen[6] * (spread[at - 6, part, k] + spread[at + 6, part, k])
                    )
        _turned_over(sharp, lanes, out[start : start + lanes])


@numba.njit(cache=True, nogil=True, fastmath=True)
def _turned_over(tile: Singles, lanes: int, out: Singles) -> None:
    """Write `tile`, shape (LANES, 2, LANES), to `out`, shape (lanes, 2, LANES): what were lanes are lines then."""
    for top in range(0, LANES, _TILE):
        for k in range(lanes):
            for m in range(top, top + _TILE):
                out[k, 0, m], out[k, 1, m] = tile[m, 0, k], tile[m, 1, k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def spread_pulses(
    lines: Singles,
    per_tangent: Floats,
    tangents: Floats,
    begin: float,
    row_scale: Singles,
    col_scale: Singles,
    kernel: Singles,
    out: Singles,
) -> None:
    """Spread one block of range lines along columns of spatial frequency: the keystone.

    Line p lies, for lane k, at column per_tangent[k] tangents[p] - begin of the even grid; tangents ascend. `out`, shape
    (columns, 2 LANES), receives each column's lanes, scaled by row_scale and col_scale.
    """
    pulses, reach = len(tangents), kernel[0]
    scale = 1.0 / reach
    slow, fast = per_tangent[0], per_tangent[len(per_tangent) - 1]
    total, offset = np.empty((2, LANES), np.float32), np.empty(LANES, np.float32)
    low = 0
    for j in range(len(out)):
        at = j + begin
        total[:] = np.float32(0.0)
        # Both ends of the block bound the pulses that reach this column.
        while low < pulses and max(slow * tangents[low], fast * tangents[low]) <= at - reach:
            low += 1
        p = low
        while p < pulses and min(slow * tangents[p], fast * tangents[p]) < at + reach:
            tangent = tangents[p]
            for k in range(LANES):
                offset[k] = np.float32(per_tangent[k] * tangent - at)
            _add(lines[p], offset, scale, kernel, total)
            p += 1
        line = out[j]
        for k in range(LANES):
            size = row_scale[k] * col_scale[j]
            line[2 * k] = total[0, k] * size
            line[2 * k + 1] = total[1, k] * size


@numba.njit(cache=True, nogil=True, fastmath=True)
def rows_of_image(  # noqa: C901 # from the image to lines while they lie in the cache
    image: Singles,
    polynomials: Floats,
    at: Floats,
    scale: Singles,
    centre: float,
    kernel: Singles,
    out: Singles,
) -> None:
    """First pass of the move to true places, along rows, which are lanes here: `image` is turned over, (cols, 2 rows).

    The sample wanted for output n, at most LANES of them, of row r lies at polynomials[r] of at[n], in columns of `image`, and is
    multiplied by the polynomial `scale` of the squared distance from column `centre`: not beforehand, for the kernel reads
    rightly only the band that it was made for. Row r goes to line r of `out`, shape (rows, 2, LANES).
    """
    count, rows, some, reach = len(image), len(polynomials), len(at), float(kernel[0])
    terms, positions = np.empty((6, LANES)), np.empty((LANES, LANES))
    lines, tile = np.empty((2 * LANES, 2, LANES), np.float32), np.zeros((LANES, 2, LANES), np.float32)
    offset = np.empty(LANES, np.float32)
    for left in range(0, rows, LANES):
        lanes = min(LANES, rows - left)
        for k in range(LANES):
            terms[:, k] = polynomials[left + min(k, lanes - 1)]
        nearest, farthest = math.inf, -math.inf
        for n in range(some):
            x, place = at[n], positions[n]
            for k in range(LANES):
                place[k] = terms[0, k] + x * (
                    terms[1, k] + x * (terms[2, k] + x * (terms[3, k] + x * (terms[4, k] + x * terms[5, k])))
                )
            for k in range(LANES):
                nearest, farthest = min(nearest, place[k]), max(farthest, place[k])
        low = min(max(math.ceil(nearest - reach), 0), count)
        high = max(low, min(count, math.floor(farthest + reach) + 1))
        if high - low > len(lines):
            lines = np.empty((high - low, 2, LANES), np.float32)
        for i in range(low, high):
            source, real, imag = image[i, 2 * left :], lines[i - low, 0], lines[i - low, 1]
            for k in range(lanes):
                real[k], imag[k] = source[2 * k], source[2 * k + 1]
            real[lanes:], imag[lanes:] = np.float32(0.0), np.float32(0.0)
        window = lines[: high - low]
        for n in range(some):
            place, total = positions[n], tile[n]
            _read(window, low, place, reach, kernel, offset, total)
            for k in range(LANES):
                away = np.float32(place[k] - centre)
                square = away * away
                size = scale[0]
                for d in range(1, 8):
                    size = size * square + scale[d]
                total[0, k] *= size
                total[1, k] *= size
        _turned_over(tile, lanes, out[left : left + lanes])


@numba.njit(cache=True, nogil=True, fastmath=True)
def columns_of_image(
    lines: Singles,
    polynomials: Floats,
    turns: Floats,
    at: Floats,
    phasor: Singles,
    kernel: Singles,
    out: Singles,
) -> None:
    """Second pass: along columns, then the phase, into `out`, shape (rows, 2 columns), at most LANES columns.

    The sample wanted for row r and lane k lies at row polynomials[r] of at[k] of `lines`; it is turned by turns[r] of at[k].
    `phasor`, shape (2, 8), holds polynomials in x^2, highest power first, of sin(2 pi x) / x and of cos(2 pi x), |x| <= 1/2.
    """
    reach, lanes = float(kernel[0]), len(at)
    position, whole = np.zeros(LANES, np.float64), np.zeros(LANES, np.float32)
    offset, total = np.empty(LANES, np.float32), np.empty((2, LANES), np.float32)
    places = np.empty(LANES)
    for k in range(LANES):
        places[k] = at[min(k, lanes - 1)]
    for r in range(len(out)):
        c0, c1, c2 = polynomials[r, 0], polynomials[r, 1], polynomials[r, 2]
        c3, c4, c5 = polynomials[r, 3], polynomials[r, 4], polynomials[r, 5]
        t0, t1, t2, t3, t4, t5 = turns[r, 0], turns[r, 1], turns[r, 2], turns[r, 3], turns[r, 4], turns[r, 5]
        for k in range(LANES):
            x = places[k]
            position[k] = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * c5))))
            cycles = t0 + x * (t1 + x * (t2 + x * (t3 + x * (t4 + x * t5))))
            whole[k] = np.float32(cycles - np.rint(cycles))
        _read(lines, 0, position, reach, kernel, offset, total)
        line = out[r]
        for k in range(lanes):
            x = whole[k]
            square = x * x
            sine, cosine = phasor[0, 0], phasor[1, 0]
            for d in range(1, 8):
                sine = sine * square + phasor[0, d]
                cosine = cosine * square + phasor[1, d]
            sine *= x
            line[2 * k] = total[0, k] * cosine - total[1, k] * sine
            line[2 * k + 1] = total[0, k] * sine + total[1, k] * cosine
