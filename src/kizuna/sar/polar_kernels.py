"""Inner loops of `kizuna.sar.polar`, compiled.

All of them spread or gather with one kind of kernel, a polynomial sum_j c_j v^j, j >= 1, of v = 1 - z^2 on |z| < 1: no table is
looked up and nothing branches, so that the loops over lanes below become vector instructions. Data between two passes lie in
blocks of `LANES` columns, shape (blocks, rows, 2, LANES), real and imaginary parts apart: the next pass reads them in sequence.
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
    type Samples = npt.NDArray[np.complex64]
    type Indices = npt.NDArray[np.int64]

__all__ = ["LANES", "SCALE_STEPS", "columns_of_image", "range_lines", "rows_of_image", "spread_pulses"]

LANES = 64
SCALE_STEPS = 16
_TAPS = 8
_TILE = 16
_MARGIN = 64


@numba.njit(cache=True, nogil=True, fastmath=True)
def _gather(real: Singles, imag: Singles, count: int, positions: Floats, stretch: float, kernel: Singles, out: Singles) -> None:
    """Set `out`, shape (2, n), to sums of samples about fractional `positions`, shape (n,), that the kernel covers.

    Samples 0 ... count - 1 begin at index _MARGIN of `real` and `imag`; zeros lie about them. The kernel is `stretch` samples a
    unit; its reach is kernel[0].
    """
    reach = kernel[0] * stretch
    groups = math.ceil(2.0 * reach / _TAPS)
    scale = np.float32(1.0 / reach)
    start, offset = np.empty(LANES, np.int64), np.empty(LANES, np.float32)
    weights = np.empty((LANES, _TAPS), np.float32)
    for left in range(0, len(positions), LANES):
        lanes = min(LANES, len(positions) - left)
        for k in range(lanes):
            position = min(max(positions[left + k], -reach - 1.0), count + reach)
            first = math.ceil(position - reach)
            start[k] = int(first) + _MARGIN
            offset[k] = np.float32(first - position)
            out[0, left + k] = out[1, left + k] = np.float32(0.0)
        for _group in range(groups):
            # Weights of many outputs at once are vectors; the sums after them are not, for each begins elsewhere.
            for k in range(lanes):
                for t in range(_TAPS):
                    z = (offset[k] + np.float32(t)) * scale
                    v = max(np.float32(0.0), np.float32(1.0) - z * z)
                    w = kernel[6]
                    w = w * v + kernel[5]
                    w = w * v + kernel[4]
                    w = w * v + kernel[3]
                    w = w * v + kernel[2]
                    w = w * v + kernel[1]
                    weights[k, t] = w * v
            for k in range(lanes):
                re, im = real[start[k] : start[k] + _TAPS], imag[start[k] : start[k] + _TAPS]
                total_real = total_imag = np.float32(0.0)
                for t in range(_TAPS):
                    total_real += weights[k, t] * re[t]
                    total_imag += weights[k, t] * im[t]
                out[0, left + k] += total_real
                out[1, left + k] += total_imag
                start[k] += _TAPS
                offset[k] += np.float32(_TAPS)


@numba.njit(cache=True, nogil=True, fastmath=True)
def range_lines(  # noqa: C901 # one pulse from its samples to its place in the blocks, while it lies in the cache
    samples: Singles,
    turns: Floats,
    first: Floats,
    stretch: Floats,
    place: Indices,
    kernel: Singles,
    sharpen: Singles,
    blocks: Singles,
) -> None:
    """Resample pulses onto one spacing of the spatial frequency along rows.

    `samples`, shape (pulses, 2 frequencies), are turned by turns[p, 0] + i turns[p, 1] cycles, then spread: output m lies at
    sample first[p] + stretch[p] m, m from minus the reach of `sharpen`. That, symmetric, of seven, undoes the kernel's roll-off.
    Pulse p goes to row place[p] of `blocks`.
    """
    count = samples.shape[1] // 2
    reach = len(sharpen) - 1
    length = blocks.shape[0] * LANES
    real, imag = np.zeros(count + 2 * _MARGIN, np.float32), np.zeros(count + 2 * _MARGIN, np.float32)
    positions = np.empty(length + 2 * reach, np.float64)
    spread = np.empty((2, length + 2 * reach), np.float32)
    cosine, sine = np.empty(16, np.float64), np.empty(16, np.float64)
    for p in range(len(samples)):
        line = samples[p]
        if turns[p, 0] == 0.0 and turns[p, 1] == 0.0:
            for i in range(count):
                real[_MARGIN + i], imag[_MARGIN + i] = line[2 * i], line[2 * i + 1]
        else:
            for k in range(16):
                angle = 2.0 * math.pi * ((turns[p, 0] + k * turns[p, 1]) % 1.0)
                cosine[k], sine[k] = math.cos(angle), math.sin(angle)
            step = 2.0 * math.pi * ((16 * turns[p, 1]) % 1.0)
            step_cosine, step_sine = math.cos(step), math.sin(step)
            for start in range(0, count, 16):
                for k in range(min(16, count - start)):
                    i = start + k
                    c, s = np.float32(cosine[k]), np.float32(sine[k])
                    real[_MARGIN + i] = line[2 * i] * c - line[2 * i + 1] * s
                    imag[_MARGIN + i] = line[2 * i] * s + line[2 * i + 1] * c
                for k in range(16):
                    c, s = cosine[k], sine[k]
                    cosine[k], sine[k] = c * step_cosine - s * step_sine, s * step_cosine + c * step_sine
        for m in range(length + 2 * reach):
            positions[m] = first[p] + stretch[p] * (m - reach)
        _gather(real, imag, count, positions, stretch[p], kernel, spread)
        row = place[p]
        for block in range(blocks.shape[0]):
            for part in range(2):
                target, source = blocks[block, row, part], spread[part]
                centre = block * LANES + reach
                for k in range(LANES):
                    at = centre + k
                    target[k] = (
                        sharpen[0] * source[at]
                        + sharpen[1] * (source[at - 1] + source[at + 1])
                        + sharpen[2] * (source[at - 2] + source[at + 2])
                        + sharpen[3] * (source[at - 3] + source[at + 3])
                        + sharpen[4] * (source[at - 4] + source[at + 4])
                        + sharpen[5] * (source[at - 5] + source[at + 5])
                        + sharpen[6] * (source[at - 6] + source[at + 6])
                    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def spread_pulses(  # noqa: PLR0913, PLR0917 # a compiled loop takes its arrays one by one
    blocks: Singles,
    block: int,
    per_tangent: Floats,
    tangents: Floats,
    begin: float,
    row_scale: Singles,
    col_scale: Singles,
    kernel: Singles,
    out: Samples,
) -> None:
    """Spread one block of range lines along columns of spatial frequency: the keystone.

    Line p lies, for lane k, at column per_tangent[k] tangents[p] - begin of the even grid; tangents ascend. `out`, shape
    (rows, columns), receives rows block * LANES ..., each scaled by row_scale and col_scale.
    """
    lines = blocks[block]
    pulses, reach = len(tangents), kernel[0]
    scale = np.float32(1.0 / reach)
    top = block * LANES
    lanes = min(LANES, out.shape[0] - top)
    slow, fast = per_tangent[0], per_tangent[len(per_tangent) - 1]
    real, imag = np.empty((_TILE, LANES), np.float32), np.empty((_TILE, LANES), np.float32)
    base, weight = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    low = 0
    for left in range(0, out.shape[1], _TILE):
        width = min(_TILE, out.shape[1] - left)
        for j in range(width):
            at = left + j + begin
            re, im = real[j], imag[j]
            re[:] = np.float32(0.0)
            im[:] = np.float32(0.0)
            # Both ends of the block bound the pulses that reach this column.
            while low < pulses and max(slow * tangents[low], fast * tangents[low]) <= at - reach:
                low += 1
            p = low
            while p < pulses and min(slow * tangents[p], fast * tangents[p]) < at + reach:
                tangent = tangents[p]
                line_re, line_im = lines[p, 0], lines[p, 1]
                for k in range(LANES):
                    base[k] = np.float32(per_tangent[k] * tangent - at)
                for k in range(LANES):
                    z = base[k] * scale
                    v = max(np.float32(0.0), np.float32(1.0) - z * z)
                    w = kernel[6]
                    w = w * v + kernel[5]
                    w = w * v + kernel[4]
                    w = w * v + kernel[3]
                    w = w * v + kernel[2]
                    w = w * v + kernel[1]
                    weight[k] = w * v
                for k in range(LANES):
                    re[k] += weight[k] * line_re[k]
                    im[k] += weight[k] * line_im[k]
                p += 1
        for k in range(lanes):
            row = out[top + k]
            for j in range(width):
                size = row_scale[top + k] * col_scale[left + j]
                row[left + j] = np.complex64(complex(real[j, k] * size, imag[j, k] * size))


@numba.njit(cache=True, nogil=True, fastmath=True)
def rows_of_image(
    image: Singles,
    col_scale: Singles,
    polynomials: Floats,
    at: Floats,
    first: int,
    kernel: Singles,
    blocks: Singles,
) -> None:
    """First pass of the move to true places, along rows: row r of `image`, (rows, 2 cols), goes to row first + r of `blocks`.

    The sample wanted for output n lies at polynomials[r] of at[n], in columns of `image`, and is multiplied by `col_scale` there,
    a table of SCALE_STEPS entries a column: not beforehand, for the kernel reads rightly only the band that it was made for.
    """
    count = image.shape[1] // 2
    real, imag = np.zeros(count + 2 * _MARGIN, np.float32), np.zeros(count + 2 * _MARGIN, np.float32)
    positions = np.empty(len(at), np.float64)
    line = np.zeros((2, blocks.shape[0] * LANES), np.float32)
    for r in range(len(image)):
        source, polynomial = image[r], polynomials[r]
        for i in range(count):
            real[_MARGIN + i], imag[_MARGIN + i] = source[2 * i], source[2 * i + 1]
        c0, c1, c2, c3, c4, c5 = polynomial[0], polynomial[1], polynomial[2], polynomial[3], polynomial[4], polynomial[5]
        for n in range(len(at)):
            x = at[n]
            positions[n] = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * c5))))
        _gather(real, imag, count, positions, 1.0, kernel, line)
        for n in range(len(at)):
            step = positions[n] * SCALE_STEPS
            below = min(max(int(step), 0), len(col_scale) - 2)
            size = col_scale[below] + np.float32(step - below) * (col_scale[below + 1] - col_scale[below])
            line[0, n] *= size
            line[1, n] *= size
        for block in range(blocks.shape[0]):
            for part in range(2):
                target = blocks[block, first + r, part]
                for k in range(LANES):
                    target[k] = line[part, block * LANES + k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def columns_of_image(
    blocks: Singles,
    block: int,
    polynomials: Floats,
    turns: Floats,
    at: Floats,
    phasor: Singles,
    kernel: Singles,
    out: Singles,
) -> None:
    """Second pass: along columns, then the phase. Block `block` of columns goes to `out`, shape (rows, 2 cols).

    The sample wanted for row r and lane k lies at row polynomials[r] of at[k] of `blocks`; it is turned by turns[r] of at[k].
    `phasor`, shape (2, 8), holds polynomials in x^2, highest power first, of sin(2 pi x) / x and of cos(2 pi x), |x| <= 1/2.
    """
    lines = blocks[block]
    rows, reach = len(lines), kernel[0]
    scale = np.float32(1.0 / reach)
    lanes = len(at)
    position, cycles = np.zeros(LANES, np.float64), np.zeros(LANES, np.float64)
    real, imag = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    base, weight, whole = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    for r in range(len(out)):
        c0, c1, c2 = polynomials[r, 0], polynomials[r, 1], polynomials[r, 2]
        c3, c4, c5 = polynomials[r, 3], polynomials[r, 4], polynomials[r, 5]
        t0, t1, t2, t3, t4, t5 = turns[r, 0], turns[r, 1], turns[r, 2], turns[r, 3], turns[r, 4], turns[r, 5]
        for k in range(lanes):
            x = at[k]
            position[k] = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * c5))))
            cycles[k] = t0 + x * (t1 + x * (t2 + x * (t3 + x * (t4 + x * t5))))
        lowest, highest = position[0], position[0]
        for k in range(lanes):
            lowest, highest = min(lowest, position[k]), max(highest, position[k])
        first, last = max(0, math.ceil(lowest - reach)), min(rows - 1, math.floor(highest + reach))
        for k in range(LANES):
            base[k] = np.float32(first - position[k])
            whole[k] = np.float32(cycles[k] - np.rint(cycles[k]))
        real[:] = np.float32(0.0)
        imag[:] = np.float32(0.0)
        for p in range(first, last + 1):
            ahead = np.float32(p - first)
            line_re, line_im = lines[p, 0], lines[p, 1]
            for k in range(LANES):
                z = (base[k] + ahead) * scale
                v = max(np.float32(0.0), np.float32(1.0) - z * z)
                w = kernel[6]
                w = w * v + kernel[5]
                w = w * v + kernel[4]
                w = w * v + kernel[3]
                w = w * v + kernel[2]
                w = w * v + kernel[1]
                weight[k] = w * v
            for k in range(LANES):
                real[k] += weight[k] * line_re[k]
                imag[k] += weight[k] * line_im[k]
        line = out[r, 2 * block * LANES :]
        for k in range(lanes):
            x = whole[k]
            square = x * x
            sine, cosine = phasor[0, 0], phasor[1, 0]
            for d in range(1, 8):
                sine = sine * square + phasor[0, d]
                cosine = cosine * square + phasor[1, d]
            sine *= x
            line[2 * k] = real[k] * cosine - imag[k] * sine
            line[2 * k + 1] = real[k] * sine + imag[k] * cosine
