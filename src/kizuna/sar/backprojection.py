"""Exact time-domain backprojection: for every pixel, add up what each pulse heard at that pixel's range.

Any aperture, any surface, no approximation of the wavefront: the fast ways are measured against it. The inner loop comes plain
(numpy), fast (numba) and, where kizuna-native is installed, faster (C++); see `kizuna.sar.backprojection_kernels`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, assert_never

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.parallel import run_spread, thread_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.history import PhaseHistory

__all__ = ["Engine", "Surface", "backproject"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]
type Integers = npt.NDArray[np.int64]
type Kernel = Callable[[Image, int, int, Floats, Singles, Floats, Floats, Image, Integers, float, float], None]

_PULSES_A_BLOCK = 64
_TILE_SIDES = (64, 32, 16, 8, 4)
_PHASE_LIMIT_RAD = 1e-3
_SPARE_SAMPLES = 32  # kernels read this many samples at once at most
_SINGLE_EPSILON = 2.0**-24


class Engine(StrEnum):
    """What runs the inner loop. All give the same image to within their stated accuracy."""

    AUTO = "auto"
    """The fastest that is installed."""
    NATIVE = "native"
    """C++, from the optional distribution kizuna-native."""
    NUMBA = "numba"
    """Compiled on first use."""
    NUMPY = "numpy"
    """Double precision throughout, slow: the measure of the others."""


class Surface(Protocol):
    """Pixels in the scene: a `PlaneGrid`, or any other arrangement of rows and columns, such as a map grid on terrain."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def cols(self) -> int:
        """Number of columns."""

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Floats:
        """Scene positions, shape (..., 3), metres, of pixel indices, shape (...)."""


def backproject(
    history: PhaseHistory,
    grid: Surface,
    *,
    oversampling: int = 16,
    threads: int | None = None,
    engine: Engine = Engine.AUTO,
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
        The error against the sum that defines the image is -47 dB at 6, -52 dB at 8, -64 dB at 16 and -76 dB at 32.
    threads
        How many threads share the work; one for each processor if not given.
    engine
        What runs the inner loop.
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
    inner sum is a zero-padded inverse FFT about a frequency in the middle of the band, so that what is interpolated varies
    slowly; the carrier's phase is put back exactly for each pixel. Linear interpolation weakens the edges of the band by
    sinc^2; the spectrum is strengthened by as much beforehand, so that only the interpolation's images are left as error.

    Peak memory beside the history: the image, 8 bytes a pixel, and 16 more where `grid` is no plane; 64 oversampled profiles
    before and after cropping, at most 64 x oversampling x frequencies x 24 bytes (10 MB for 424 frequencies at 16).
    """
    kernel = _kernel(engine)
    threads = thread_count(threads)
    tiles = _tiles(grid, history)
    nearest, farthest = _range_windows(history, grid, tiles)
    widest = float((farthest - nearest).max())
    if widest > history.unambiguous_range_m:
        raise InputError(
            Message(
                "the image spans {got} m of range; the frequency step tells {limit} m apart",
                {"got": round(widest, 1), "limit": round(history.unambiguous_range_m, 1)},
            ),
            hint=Message("Form a smaller image."),
            field="extent_m",
        )
    # Kernels work on whole tiles, so they also look up pixels beyond the grid's edges; these are not kept.
    margin_m = 2.0 * tiles.radius_m
    image = np.zeros((grid.rows, grid.cols), np.complex64)
    for start in range(0, history.pulses, _PULSES_A_BLOCK):
        block = slice(start, min(start + _PULSES_A_BLOCK, history.pulses))
        profiles = _profiles(history, block, nearest[block] - margin_m, farthest[block] + margin_m, oversampling, threads)
        antennas = np.ascontiguousarray(history.positions_m[block], np.float64)
        references = np.ascontiguousarray(history.reference_range_m[block], np.float64)

        def add(begin: int, end: int) -> None:
            kernel(
                image,
                begin,
                end,
                tiles.centres_m,
                tiles.offsets_m,
                antennas,  # noqa: B023 - called before the next block
                references,  # noqa: B023
                profiles.samples,  # noqa: B023
                profiles.first,  # noqa: B023
                profiles.step_m,  # noqa: B023
                profiles.cycles_per_m,  # noqa: B023
            )

        run_spread(add, len(tiles.centres_m), threads)
        if progress is not None:
            progress(block.stop, history.pulses)
    image /= history.pulses
    return image


def _kernel(engine: Engine) -> Kernel:
    if engine in {Engine.AUTO, Engine.NATIVE}:
        native = _native_kernel()
        if native is not None:
            return native
    match engine:
        case Engine.NATIVE:
            raise InputError(
                Message("kizuna-native is not installed, or does not run on this machine"),
                hint=Message("Install it from the folder native of kizuna's source, or choose another engine."),
                field="engine",
            )
        case Engine.AUTO | Engine.NUMBA:
            from kizuna.sar.backprojection_kernels import add_tiles  # loads numba

            return add_tiles
        case Engine.NUMPY:
            from kizuna.sar.backprojection_kernels import add_tiles_plainly

            return add_tiles_plainly
        case _:  # pragma: no cover
            assert_never(engine)


def _native_kernel() -> Kernel | None:
    try:
        kernel: Kernel = import_module("kizuna_native").add_tiles
    except (ImportError, OSError):  # OSError: built for another machine
        return None
    return kernel


@dataclass(frozen=True, slots=True)
class _Tiles:
    """Square tiles, row by row: middles (tiles, 3), pixels about them as the kernels take them, greatest distance of a pixel."""

    centres_m: Floats
    offsets_m: Singles
    radius_m: float


def _tiles(grid: Surface, history: PhaseHistory) -> _Tiles:
    """Tiles as large as the kernel's third-order range and single precision allow."""
    for side in _TILE_SIDES:
        tiles = _cut(grid, side)
        if side == _TILE_SIDES[-1] or _phase_error_rad(tiles, history) < _PHASE_LIMIT_RAD:
            return tiles
    raise AssertionError  # pragma: no cover - the last side is always taken


def _phase_error_rad(tiles: _Tiles, history: PhaseHistory) -> float:
    """Greatest error of phase inside a tile: the range series' next term, h^4 / (8 r^3), and single precision's rounding."""
    # A few tiles and pulses tell the least distance closely enough: it enters as the cube of a range that hardly varies.
    some = tiles.centres_m[:: max(1, len(tiles.centres_m) // 64)]
    antennas = history.positions_m[:: max(1, history.pulses // 64)]
    nearest_m = float(np.linalg.norm(some[:, None] - antennas, axis=-1).min())
    per_m = 4.0 * math.pi * float(history.frequencies_hz[-1]) / SPEED_OF_LIGHT_M_S
    series_m = tiles.radius_m**4 / (8.0 * max(nearest_m, tiles.radius_m) ** 3)
    return per_m * (series_m + _SINGLE_EPSILON * tiles.radius_m)


def _cut(grid: Surface, side: int) -> _Tiles:
    down, across = -(-grid.rows // side), -(-grid.cols // side)
    top, left = (np.arange(down) * side)[:, None], (np.arange(across) * side)[None, :]
    inside = np.arange(side)
    if isinstance(grid, PlaneGrid):
        half = 0.5 * (side - 1)
        centres = grid.to_scene(top + half, left + half)
        offsets = (grid.to_scene(inside[:, None], inside[None, :]) - grid.to_scene(half, half))[None]
    else:
        centres = np.empty((down, across, 3))
        # A set a tile, and two at least: one alone says that the pixels are evenly spaced on a plane.
        offsets = np.zeros((max(2, down * across), side, side, 3), np.float32)
        for tile in range(down * across):
            row, col = tile // across, tile % across
            # Pixels beyond the edge stand on it; what is computed there is not kept.
            rows, cols = np.minimum(row * side + inside, grid.rows - 1), np.minimum(col * side + inside, grid.cols - 1)
            pixels = grid.to_scene(rows[:, None], cols[None, :])
            centres[row, col] = 0.5 * (pixels.min(axis=(0, 1)) + pixels.max(axis=(0, 1)))
            offsets[tile] = pixels - centres[row, col]
    square = np.sum(np.square(offsets), axis=-1, keepdims=True)
    packed = np.moveaxis(np.concatenate([offsets, square], axis=-1), -1, 1).astype(np.float32, order="C")
    return _Tiles(centres.reshape(-1, 3), np.ascontiguousarray(packed), math.sqrt(float(square.max())))


def _range_windows(history: PhaseHistory, grid: Surface, tiles: _Tiles) -> tuple[Floats, Floats]:
    """Least and greatest |x - a| - r0 of each pulse over all pixels, metres; bounds, at most a tile too wide, off a plane."""
    nearest, farthest = np.empty(history.pulses), np.empty(history.pulses)
    centre_square = np.sum(tiles.centres_m**2, axis=1)
    for start in range(0, history.pulses, _PULSES_A_BLOCK):
        block = slice(start, start + _PULSES_A_BLOCK)
        antennas = history.positions_m[block]
        if isinstance(grid, PlaneGrid):
            # Range over a plane is convex: the greatest lies at a corner, the least at the pixel under the antenna's foot.
            offset = antennas - grid.origin_m
            along_row = (grid.row_offsets_m() - (offset @ grid.row_direction)[:, None]) ** 2
            along_col = (grid.col_offsets_m() - (offset @ grid.col_direction)[:, None]) ** 2
            above = (offset @ grid.normal) ** 2
            nearest[block] = np.sqrt(along_row.min(axis=1) + along_col.min(axis=1) + above)
            farthest[block] = np.sqrt(along_row.max(axis=1) + along_col.max(axis=1) + above)
        else:
            square = centre_square - 2.0 * antennas @ tiles.centres_m.T + np.sum(antennas**2, axis=1, keepdims=True)
            nearest[block] = np.sqrt(np.maximum(square.min(axis=1), 0.0)) - tiles.radius_m
            farthest[block] = np.sqrt(square.max(axis=1)) + tiles.radius_m
    return nearest - history.reference_range_m, farthest - history.reference_range_m


@dataclass(frozen=True, slots=True)
class _Profiles:
    """Range profiles of a block of pulses, about a carrier; the names are the kernels' arguments."""

    samples: Image
    first: Integers
    step_m: float
    cycles_per_m: float


def _profiles(
    history: PhaseHistory, block: slice, nearest_m: Floats, farthest_m: Floats, oversampling: int, threads: int
) -> _Profiles:
    spectrum = history.samples[block]
    pulses, count = spectrum.shape
    length = scipy.fft.next_fast_len(oversampling * count)
    step_m = history.unambiguous_range_m / length
    middle = count // 2
    # 1 / sinc^2 undoes what linear interpolation does to the edges of the band.
    gain = (1.0 / (count * np.sinc((np.arange(count) - middle) / length) ** 2)).astype(np.float32)
    padded = np.zeros((pulses, length), np.complex64)
    np.multiply(spectrum[:, middle:], gain[middle:], out=padded[:, : count - middle])
    np.multiply(spectrum[:, :middle], gain[:middle], out=padded[:, length - middle :])
    full = scipy.fft.ifft(padded, axis=1, norm="forward", overwrite_x=True, workers=threads)
    first = np.floor(nearest_m / step_m).astype(np.int64) - _SPARE_SAMPLES
    wanted = int((np.ceil(farthest_m / step_m).astype(np.int64) - first).max()) + _SPARE_SAMPLES
    # Rows an odd number of cache lines long: at a power of two, all pulses of a tile would fall upon the same lines of the cache.
    samples = np.empty((pulses, 8 * (-(-wanted // 8) | 1)), np.complex64)
    for row, profile, start in zip(samples, full, first, strict=True):
        # The profile is periodic, and the window may start at a negative range.
        np.take(profile, np.arange(start, start + len(row)), mode="wrap", out=row)
    return _Profiles(samples, first, step_m, 2.0 * float(history.frequencies_hz[middle]) / SPEED_OF_LIGHT_M_S)
