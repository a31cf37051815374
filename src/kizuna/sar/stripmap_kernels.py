"""Inner loops of `kizuna.sar.stripmap`, compiled. A sample is two float32 beside each other."""

# ruff: noqa: PLR0913, PLR0917 # a compiled loop takes its arrays one by one
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    type Floats = npt.NDArray[np.float64]
    type Singles = npt.NDArray[np.float32]

__all__ = ["finish_rows", "stolt_rows", "turn_pulses"]

_TURN = np.float32(2.0 * math.pi)
_EXACT = 64  # samples between two phases computed anew


@numba.njit(cache=True, nogil=True)
def turn_pulses(samples: Singles, turns: Floats, out: Singles) -> None:
    """Set row p of `out`, shape (pulses, 2 n), to sample k of row p of `samples` turned by turns[p, 0] + k turns[p, 1] cycles."""
    for p in range(len(samples)):
        step = 2.0 * math.pi * (turns[p, 1] % 1.0)
        step_cosine, step_sine = math.cos(step), math.sin(step)
        cosine = sine = 0.0
        for k in range(samples.shape[1] // 2):
            if k % _EXACT == 0:
                angle = 2.0 * math.pi * ((turns[p, 0] + k * turns[p, 1]) % 1.0)
                cosine, sine = math.cos(angle), math.sin(angle)
            real, imag = samples[p, 2 * k], samples[p, 2 * k + 1]
            out[p, 2 * k] = np.float32(real * cosine - imag * sine)
            out[p, 2 * k + 1] = np.float32(real * sine + imag * cosine)
            cosine, sine = cosine * step_cosine - sine * step_sine, cosine * step_sine + sine * step_cosine


@numba.njit(cache=True, nogil=True)
def stolt_rows(
    spectra: Singles,
    slowness: Floats,
    bend: Floats,
    place: Floats,
    frequencies: Floats,
    weights: Singles,
    table: Singles,
    grid: Floats,
    out: Singles,
) -> None:
    """Take the reference range's phase out of rows of one Doppler frequency each, and spread them over Stolt's frequencies.

    `spectra`, shape (rows, 2 n), are samples at `frequencies`, shape (n,), with factors `weights`; `slowness` is c fa / (2 V) and
    `bend` is R V' / V times its square, hertz and hertz squared; `place` the reference range and the range that the row's phase
    counts from, each times 2 / c. `out`, zeros of shape (rows, 2 cells), is circular and begins at `grid[0]`, a cell each
    `grid[1]`. `table`, shape (steps + 1, taps), is the kernel at shares of a cell.
    """
    cells = out.shape[1] // 2
    steps, taps = table.shape[0] - 1, table.shape[1]
    for row in range(len(spectra)):
        line, target, square = spectra[row], out[row], slowness[row] * slowness[row]
        for k in range(len(frequencies)):
            root = frequencies[k] * frequencies[k] - square
            if root <= 0.0:
                continue
            along = math.sqrt(root)
            turns = place[0] * along - place[1] * frequencies[k]
            angle = _TURN * np.float32(turns - np.rint(turns))
            cosine, sine = weights[k] * np.cos(angle), weights[k] * np.sin(angle)
            real = line[2 * k] * cosine - line[2 * k + 1] * sine
            imag = line[2 * k] * sine + line[2 * k + 1] * cosine
            position = (along + bend[row] / along - grid[0]) / grid[1] - 0.5 * taps
            first = math.ceil(position)
            share = (first - position) * steps
            entry = min(int(share), steps - 1)
            part = np.float32(share - entry)
            at = int(first) % cells
            for t in range(taps):
                w = table[entry, t] + part * (table[entry + 1, t] - table[entry, t])
                target[2 * at] += w * real
                target[2 * at + 1] += w * imag
                at += 1
                if at == cells:
                    at = 0


@numba.njit(cache=True, nogil=True)
def finish_rows(lines: Singles, shift: int, phases: Floats, gains: Floats, shares: Floats, ranges: Singles, out: Singles) -> None:
    """Set `out`, shape (rows, 2 n), to `lines`, circular, from `shift` on, turned by a polynomial phase and weighted.

    `phases`, shape (rows, degree + 1), are cycles, polynomials of `shares`, shape (n,); `gains`, shape (rows,), and `ranges`,
    shape (n,), are factors.
    """
    length = lines.shape[1] // 2
    degree = phases.shape[1] - 1
    for row in range(len(lines)):
        at = shift % length
        for k in range(len(shares)):
            turns = phases[row, degree]
            for power in range(degree - 1, -1, -1):
                turns = turns * shares[k] + phases[row, power]
            angle = _TURN * np.float32(turns - np.rint(turns))
            gain = gains[row] * ranges[k]
            cosine, sine = gain * np.cos(angle), gain * np.sin(angle)
            real, imag = lines[row, 2 * at], lines[row, 2 * at + 1]
            out[row, 2 * k] = real * cosine - imag * sine
            out[row, 2 * k + 1] = real * sine + imag * cosine
            at += 1
            if at == length:
                at = 0
