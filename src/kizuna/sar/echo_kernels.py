"""Inner loops of `kizuna.sar.echoes`, compiled. A sample is two float32 beside each other."""

# ruff: noqa: PLR0913, PLR0917 # a compiled loop takes its arrays one by one
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from kizuna.sar.nufft_kernels import LANES

if TYPE_CHECKING:
    import numpy.typing as npt

    type Floats = npt.NDArray[np.float64]
    type Singles = npt.NDArray[np.float32]

__all__ = ["add_line", "compact", "extent_along", "place_points", "spread_ranges", "target_line"]

_TURN = np.float32(2.0 * math.pi)
_BLOCK = 64


@numba.njit(cache=True, nogil=True, fastmath=True)
def spread_ranges(
    grid: Singles,
    positions_m: Floats,
    velocities_m_s: Floats,
    values: Singles,
    antennas_m: Floats,
    reference_m: Floats,
    times_s: Floats,
    wavenumbers: tuple[float, float],
    table: Singles,
    width: int,
) -> None:
    """Add each scatterer to each pulse's row of `grid`, shape (pulses, 2 cells), at its range, with its phase there.

    `wavenumbers` are 2 f / c of the middle frequency and of one frequency step, cycles a metre; a cell is one over (cells times
    the latter). `table` as of `kizuna.sar.nufft_kernels.spread_points`.
    """
    cells = grid.shape[1] // 2
    half, steps = 0.5 * width, table.shape[0] - 1
    for pulse in range(len(times_s)):
        line = grid[pulse]
        time = times_s[pulse]
        for n in range(len(positions_m)):
            x = positions_m[n, 0] + time * velocities_m_s[n, 0] - antennas_m[pulse, 0]
            y = positions_m[n, 1] + time * velocities_m_s[n, 1] - antennas_m[pulse, 1]
            z = positions_m[n, 2] + time * velocities_m_s[n, 2] - antennas_m[pulse, 2]
            away = math.sqrt(x * x + y * y + z * z) - reference_m[pulse]
            turns = wavenumbers[0] * away
            angle = -_TURN * np.float32(turns - np.rint(turns))
            cosine, sine = np.cos(angle), np.sin(angle)
            real = values[2 * n] * cosine - values[2 * n + 1] * sine
            imag = values[2 * n] * sine + values[2 * n + 1] * cosine
            at = wavenumbers[1] * away
            at = (at - np.floor(at)) * cells
            edge = math.ceil(at - half)
            step = (edge - at + half) * steps
            row = min(int(step), steps - 1)
            part = np.float32(step - row)
            left = int(edge)
            if left >= 0 and left + LANES <= cells:
                for k in range(LANES):
                    weight = table[row, k] + part * (table[row + 1, k] - table[row, k])
                    line[2 * (left + k)] += weight * real
                    line[2 * (left + k) + 1] += weight * imag
            else:
                for k in range(LANES):
                    weight = table[row, k] + part * (table[row + 1, k] - table[row, k])
                    j = (left + k) % cells
                    line[2 * j] += weight * real
                    line[2 * j + 1] += weight * imag


@numba.njit(cache=True, nogil=True, fastmath=True)
def extent_along(positions_m: Singles, axes: Floats) -> Floats:
    """Least and greatest coordinate of positions, shape (n, 3), along each axis, shape (m, 3): shape (m, 2)."""
    found = np.empty((len(axes), 2))
    for m in range(len(axes)):
        low, high = np.float32(np.inf), np.float32(-np.inf)
        x, y, z = np.float32(axes[m, 0]), np.float32(axes[m, 1]), np.float32(axes[m, 2])
        for n in range(len(positions_m)):
            value = x * positions_m[n, 0] + y * positions_m[n, 1] + z * positions_m[n, 2]
            low, high = min(low, value), max(high, value)
        found[m, 0], found[m, 1] = low, high
    return found


@numba.njit(cache=True, nogil=True)
def compact(positions_m: Singles, values: Singles, kept: npt.NDArray[np.bool_]) -> int:
    """Move the scatterers that are kept to the front of positions, shape (n, 3), and values, (n, 2); how many they are."""
    count = 0
    for n in range(len(kept)):
        if kept[n]:
            for k in range(3):
                positions_m[count, k] = positions_m[n, k]
            values[count, 0], values[count, 1] = values[n, 0], values[n, 1]
            count += 1
    return count


@numba.njit(cache=True, nogil=True, fastmath=True)
def place_points(
    positions_m: Singles, values: Singles, terms: Floats, centre_m: Floats, scale_m: float, place: Floats
) -> tuple[Floats, Floats, Singles]:
    """Where scatterers fall on the grid of the apparent plane (rows, columns, in its steps), and their values there.

    `terms`, shape (20, 2), in the order of `kizuna.sar.apparent.POWERS`; `place`, shape (2, 4), middle (m), wavenumber (cycles a
    metre), spacing (m) and length of each axis. Values are turned by the middle wavenumbers, so that what is left is a low pass.
    """
    count = len(positions_m)
    row, col, turned = np.empty(count), np.empty(count), np.empty(2 * count, np.float32)
    for n in range(count):
        x = (positions_m[n, 0] - centre_m[0]) / scale_m
        y = (positions_m[n, 1] - centre_m[1]) / scale_m
        z = (positions_m[n, 2] - centre_m[2]) / scale_m
        first = second = 0.0
        term, along_x = 0, 1.0
        for i in range(4):
            along_y = along_x
            for j in range(4 - i):
                along_z = along_y
                for _ in range(4 - i - j):
                    first += along_z * terms[term, 0]
                    second += along_z * terms[term, 1]
                    term += 1
                    along_z *= z
                along_y *= y
            along_x *= x
        first -= place[0, 0]
        second -= place[1, 0]
        turns = place[0, 1] * first + place[1, 1] * second
        angle = -_TURN * np.float32(turns - np.rint(turns))
        cosine, sine = np.cos(angle), np.sin(angle)
        turned[2 * n] = values[2 * n] * cosine - values[2 * n + 1] * sine
        turned[2 * n + 1] = values[2 * n] * sine + values[2 * n + 1] * cosine
        first /= place[0, 2]
        second /= place[1, 2]
        row[n] = first if first >= 0.0 else first + place[0, 3]
        col[n] = second if second >= 0.0 else second + place[1, 3]
    return row, col, turned


@numba.njit(cache=True, nogil=True, fastmath=True)
def target_line(band: tuple[float, float], count: int, direction: Floats, place: Floats) -> tuple[Floats, Floats]:
    """Where the frequencies of one pulse fall on the transform's grid: rows and columns, in its steps.

    `band` is the first wavenumber 2 f / c and the step to the next, cycles a metre; `direction`, shape (2,), is where the pulse
    looks.
    """
    row, col = np.empty(count), np.empty(count)
    for n in range(count):
        wavenumber = band[0] + n * band[1]
        first = (wavenumber * direction[0] - place[0, 1]) * place[0, 2] * place[0, 3]
        second = (wavenumber * direction[1] - place[1, 1]) * place[1, 2] * place[1, 3]
        row[n] = first if first >= 0.0 else first + place[0, 3]
        col[n] = second if second >= 0.0 else second + place[1, 3]
    return row, col


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_line(
    out: Singles, values: Singles, band: tuple[float, float], range_m: float, direction: Floats, place: Floats, hat: Singles
) -> None:
    """Add one pulse's values to `out`, turned to the range of the grid's middle and freed of the spreading kernel.

    `hat` is one over the kernel's transform at 0 to 1/2 cycles a grid step.
    """
    steps, count = len(hat) - 1, len(out) // 2
    # Phasors of a block differ from those of the first one by one turn: sine and cosine once a block, products in between.
    turns = np.empty(2 * _BLOCK, np.float32)
    for k in range(_BLOCK):
        angle = -2.0 * math.pi * (k * band[1] * range_m % 1.0)
        turns[2 * k], turns[2 * k + 1] = math.cos(angle), math.sin(angle)
    for first in range(0, count, _BLOCK):
        angle = -2.0 * math.pi * ((band[0] + first * band[1]) * range_m % 1.0)
        cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        for k in range(min(_BLOCK, count - first)):
            n = first + k
            wavenumber = band[0] + n * band[1]
            scale = np.float32(1.0)
            for axis in range(2):
                at = abs((wavenumber * direction[axis] - place[axis, 1]) * place[axis, 2]) * 2.0 * steps
                below = min(int(at), steps - 1)
                scale *= hat[below] + np.float32(at - below) * (hat[below + 1] - hat[below])
            real = scale * (cosine * turns[2 * k] - sine * turns[2 * k + 1])
            imag = scale * (cosine * turns[2 * k + 1] + sine * turns[2 * k])
            out[2 * n] += values[2 * n] * real - values[2 * n + 1] * imag
            out[2 * n + 1] += values[2 * n] * imag + values[2 * n + 1] * real
