"""Exact time-domain backprojection: for every pixel, add up what each pulse heard at that pixel's range.

Any aperture, any surface, no approximation of the wavefront: the fast ways are measured against it. The inner loop comes plain
(numpy), fast (numba) and, where kizuna-native is installed, faster (C++); see `kizuna.sar.backprojection_kernels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.engine import Engine, kernel_of
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.parallel import run_spread, thread_count
from kizuna.sar.profiles import range_profiles
from kizuna.sar.tiles import cut_tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.tiles import Surface, Tiles

__all__ = ["Engine", "backproject", "check_span"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]

_PULSES_A_BLOCK = 64


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
    kernel = kernel_of(engine)
    threads = thread_count(threads)
    tiles = cut_tiles(grid, history)
    nearest, farthest = tiles.range_windows_m(history.positions_m, history.reference_range_m)
    check_span(history, grid, tiles)
    image = np.zeros((grid.rows, grid.cols), np.complex64)
    for start in range(0, history.pulses, _PULSES_A_BLOCK):
        block = slice(start, min(start + _PULSES_A_BLOCK, history.pulses))
        profiles = range_profiles(
            history.samples[block],
            (float(history.frequencies_hz[0]), history.frequency_step_hz),
            (nearest[block], farthest[block]),
            oversampling,
            gain=1.0 / len(history.frequencies_hz),
            threads=threads,
        )
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


def check_span(history: PhaseHistory, grid: Surface, tiles: Tiles) -> None:
    """Refuse a grid that spans more range than the frequency step can tell apart.

    Raises
    ------
    InputError
        It does.
    """
    widest = _range_span_m(history, grid, tiles)
    if widest > history.unambiguous_range_m:
        raise InputError(
            Message(
                "the image spans {got} m of range; the frequency step tells {limit} m apart",
                {"got": round(widest, 1), "limit": round(history.unambiguous_range_m, 1)},
            ),
            hint=Message("Form a smaller image."),
            field="extent_m",
        )


def _range_span_m(history: PhaseHistory, grid: Surface, tiles: Tiles) -> float:
    """Greatest span of range of a pulse over all pixels; off a plane, a bound."""
    if not isinstance(grid, PlaneGrid):
        nearest_m, farthest_m = tiles.range_windows_m(history.positions_m, history.reference_range_m)
        return float((farthest_m - nearest_m).max())
    # Range over a plane is convex: the greatest lies at a corner, the least at the pixel under the antenna's foot.
    row, col = grid.row_offsets_m(), grid.col_offsets_m()
    offset = history.positions_m - grid.origin_m
    foot_row, foot_col, above = offset @ grid.row_direction, offset @ grid.col_direction, (offset @ grid.normal) ** 2
    near = np.hypot(np.clip(foot_row, row[0], row[-1]) - foot_row, np.clip(foot_col, col[0], col[-1]) - foot_col)
    far = np.hypot(
        np.maximum(np.abs(row[0] - foot_row), np.abs(row[-1] - foot_row)),
        np.maximum(np.abs(col[0] - foot_col), np.abs(col[-1] - foot_col)),
    )
    return float((np.sqrt(far**2 + above) - np.sqrt(near**2 + above)).max())
