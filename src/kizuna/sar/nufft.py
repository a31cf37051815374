"""Fourier sums between points that lie anywhere, in two dimensions and single precision: the way to and from polar samples.

Three sums, named as by Dutt and Rokhlin (1993): *type 1* from points to a grid of modes, *type 2* from modes to points, *type 3*
from points to points. Each spreads with, or interpolates by, a narrow kernel on an oversampled grid between fast Fourier
transforms, as Barnett, Magland and af Klinteberg (2019, SIAM J. Sci. Comput. 41(5)) describe; their kernel is used here too.

`PointSpreader`, `ModeInterpolator` and `PointTransform` take points a block at a time, so that coordinates of a large set never
lie in memory at once; `type_1`, `type_2` and `type_3` are the short way for one block.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message
from kizuna.sar.nufft_kernels import LANES, interpolate_points, sort_points, spread_points
from kizuna.sar.parallel import run_spread, thread_count
from kizuna.sar.spreading import SpreadingKernel, fine_shape, kernel_for, table_of

__all__ = ["FINEST_TOLERANCE", "ModeInterpolator", "PointSpreader", "PointTransform", "type_1", "type_2", "type_3"]

type Floats = npt.NDArray[np.float64]
type Samples = npt.NDArray[np.complex64]

FINEST_TOLERANCE = 1e-6
"""What single precision allows: below it the sums' own rounding is larger than the kernel's error."""

_BIN_ROWS, _BIN_COLS = 64, 256  # 128 KiB of the oversampled grid: a bin stays in the second-level cache


def _checked_tolerance(tolerance: float) -> float:
    if not FINEST_TOLERANCE <= tolerance < 1.0:
        raise InputError(
            Message(
                "tolerance {got} cannot be kept; expected {finest} up to 1",
                {"got": tolerance, "finest": FINEST_TOLERANCE},
            ),
            hint=Message("Samples are single precision; ask for less, or sum directly."),
            field="tolerance",
        )
    return tolerance


def _checked_points(x_rad: npt.ArrayLike, y_rad: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.ascontiguousarray(x_rad, np.float64).ravel(), np.ascontiguousarray(y_rad, np.float64).ravel()
    if x.shape != y.shape:
        raise InputError(
            Message("points have {x} first and {y} second coordinates", {"x": len(x), "y": len(y)}),
            hint=Message("Give as many of one as of the other."),
            field="y",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(
            Message("some points have coordinates that are not finite"), hint=Message("Leave these points out."), field="x"
        )
    return x, y


def _checked_values(points: Floats, values: npt.ArrayLike) -> Samples:
    weights = np.ascontiguousarray(values, np.complex64).ravel()
    if weights.shape != points.shape:
        raise InputError(
            Message("{points} points have {values} values", {"points": len(points), "values": len(weights)}),
            hint=Message("Give one value for each point."),
            field="values",
        )
    return weights


def _correction(count: int, fine: int, kernel: SpreadingKernel) -> npt.NDArray[np.float32]:
    """What each of `count` modes, centred on zero, must be multiplied by to undo the kernel, shape (count,)."""
    modes = np.arange(count) - count // 2
    return np.asarray(1.0 / kernel.transform(modes / fine), np.float32)


def _halves(count: int, fine: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where modes -count//2 ... -1 and 0 ... lie: pairs of slices into the centred modes and into the fine transform."""
    negative = count // 2
    return (slice(0, negative), slice(fine - negative, fine)), (slice(negative, count), slice(0, count - negative))


class PointSpreader:
    """Type 1, block by block: add points with `add`, then ask for the modes once.

    Parameters
    ----------
    shape
        Modes (rows, cols) wanted, numbered -rows//2 ... and -cols//2 ...
    tolerance
        Greatest error, relative to the sum of the values' magnitudes for a single mode, in the root-mean-square sense over all
        modes: 1e-6 to 1.
    threads
        How many processors to use; None: all.

    Raises
    ------
    InputError
        A tolerance that single precision cannot keep.
    """

    def __init__(self, shape: tuple[int, int], *, tolerance: float = 1e-4, threads: int | None = None) -> None:
        self._shape = shape
        self._kernel = kernel_for(_checked_tolerance(tolerance))
        self._threads = thread_count(threads)
        self._fine = np.zeros(fine_shape(shape, self._kernel), np.complex64)

    def add(self, row_rad: npt.ArrayLike, col_rad: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Add points at (row, col) radians, each with a complex value; arrays of one size.

        Raises
        ------
        InputError
            Arrays of different sizes, or coordinates that are not finite.
        """
        row, col = _checked_points(row_rad, col_rad)
        _spread(self._fine, row, col, _checked_values(row, values), self._kernel, self._threads)

    def modes(self, *, sign: int = 1) -> Samples:
        """Sum over points of value exp(sign j (m row + n col)), shape `shape`, for all modes (m, n); the points are then gone."""
        (fine_rows, fine_cols), (rows, cols) = self._fine.shape, self._shape
        transform = scipy.fft.ifft if sign > 0 else scipy.fft.fft
        norm = "forward" if sign > 0 else "backward"
        across = np.empty((fine_rows, cols), np.complex64)
        block = max(1, (1 << 22) // fine_cols)
        scale = _correction(cols, fine_cols, self._kernel)
        for top in range(0, fine_rows, block):
            part = transform(self._fine[top : top + block], axis=1, norm=norm, workers=self._threads)
            for centred, there in _halves(cols, fine_cols):
                np.multiply(part[:, there], scale[centred], out=across[top : top + block, centred])
        self._fine = np.empty((0, 0), np.complex64)
        down = transform(across, axis=0, norm=norm, overwrite_x=True, workers=self._threads)
        out = np.empty(self._shape, np.complex64)
        scale = _correction(rows, fine_rows, self._kernel)
        for centred, there in _halves(rows, fine_rows):
            np.multiply(down[there], scale[centred, None], out=out[centred])
        return out


class ModeInterpolator:
    """Type 2, block by block: transforms the modes once, then sums them `at` any points.

    Parameters
    ----------
    modes
        Complex modes, shape (rows, cols), numbered -rows//2 ... and -cols//2 ...
    sign
        Sign of the exponent.
    tolerance
        Greatest error, relative to the root-mean-square sum at random points, in the root-mean-square sense: 1e-6 to 1.
    threads
        How many processors to use; None: all.

    Raises
    ------
    InputError
        A tolerance that single precision cannot keep.
    """

    def __init__(self, modes: npt.ArrayLike, *, sign: int = 1, tolerance: float = 1e-4, threads: int | None = None) -> None:
        kernel = kernel_for(_checked_tolerance(tolerance))
        given = np.asarray(modes, np.complex64)
        self._kernel, self._threads = kernel, thread_count(threads)
        (rows, cols), (fine_rows, fine_cols) = given.shape, fine_shape((given.shape[0], given.shape[1]), kernel)
        transform = scipy.fft.ifft if sign > 0 else scipy.fft.fft
        norm = "forward" if sign > 0 else "backward"
        down = np.zeros((fine_rows, cols), np.complex64)
        scale = np.outer(_correction(rows, fine_rows, kernel), _correction(cols, fine_cols, kernel))
        for centred, there in _halves(rows, fine_rows):
            np.multiply(given[centred], scale[centred], out=down[there])
        down = transform(down, axis=0, norm=norm, overwrite_x=True, workers=self._threads)
        self._fine = np.empty((fine_rows, fine_cols), np.complex64)
        block = max(1, (1 << 22) // fine_cols)
        for top in range(0, fine_rows, block):
            part = np.zeros((min(block, fine_rows - top), fine_cols), np.complex64)
            for centred, there in _halves(cols, fine_cols):
                part[:, there] = down[top : top + block, centred]
            self._fine[top : top + block] = transform(part, axis=1, norm=norm, overwrite_x=True, workers=self._threads)

    def at(self, row_rad: npt.ArrayLike, col_rad: npt.ArrayLike) -> Samples:
        """Sum over modes (m, n) of mode exp(sign j (m row + n col)) at points in radians; as many values as points, flat.

        Raises
        ------
        InputError
            Arrays of different sizes, or coordinates that are not finite.
        """
        row, col = _checked_points(row_rad, col_rad)
        return _interpolate(self._fine, row, col, self._kernel, self._threads)


class PointTransform:
    """Type 3, block by block: add points that have values with `add`, then ask for sums `at` others.

    Parameters
    ----------
    sources
        Least and greatest x, least and greatest y of the points that will be added.
    targets
        Least and greatest s, least and greatest t of those that will be asked for, radians over the unit of x and of y.
    sign, tolerance, threads
        As `type_3`.

    Raises
    ------
    InputError
        A tolerance that single precision cannot keep.
    """

    def __init__(
        self,
        sources: tuple[tuple[float, float], tuple[float, float]],
        targets: tuple[tuple[float, float], tuple[float, float]],
        *,
        sign: int = 1,
        tolerance: float = 1e-4,
        threads: int | None = None,
    ) -> None:
        self._kernel = kernel_for(_checked_tolerance(tolerance))
        self._sign, self._tolerance, self._threads = sign, tolerance, thread_count(threads)
        self._middles = [0.5 * (low + high) for low, high in (*sources, *targets)]
        reaches = [0.5 * (high - low) for low, high in (*sources, *targets)]
        (rows, self._row_scale), (cols, self._col_scale) = (
            _space_bandwidth(reaches[axis], reaches[axis + 2], self._kernel) for axis in (0, 1)
        )
        self._grid = np.zeros((rows, cols), np.complex64)
        self._modes: ModeInterpolator | None = None

    def add(self, x: npt.ArrayLike, y: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Add points, each with a complex value; arrays of one size. None can be added once a sum was asked for.

        Raises
        ------
        InputError
            Arrays of different sizes, or coordinates that are not finite.
        """
        x, y = _checked_points(x, y)
        weights = _checked_values(x, values)
        x, y = x - self._middles[0], y - self._middles[1]
        weights = weights * _turned(self._sign * (self._middles[2] * x + self._middles[3] * y))
        rows, cols = self._grid.shape
        # The grid's point n // 2 is the sources' centre: half a turn, so that no source lies near the seam.
        x = x / self._row_scale + 2.0 * math.pi * (rows // 2) / rows
        y = y / self._col_scale + 2.0 * math.pi * (cols // 2) / cols
        _spread(self._grid, x, y, weights, self._kernel, self._threads)

    def at(self, s: npt.ArrayLike, t: npt.ArrayLike) -> Samples:
        """Sum over the points of value exp(sign j (s x + t y)); as many values as targets, flat.

        Raises
        ------
        InputError
            Arrays of different sizes, or coordinates that are not finite.
        """
        s, t = _checked_points(s, t)
        if self._modes is None:
            self._modes = ModeInterpolator(self._grid, sign=self._sign, tolerance=self._tolerance, threads=self._threads)
        s_turn = (s - self._middles[2]) * (self._row_scale / self._grid.shape[0])
        t_turn = (t - self._middles[3]) * (self._col_scale / self._grid.shape[1])
        found = self._modes.at(2.0 * math.pi * s_turn, 2.0 * math.pi * t_turn)
        found /= (self._kernel.transform(s_turn) * self._kernel.transform(t_turn)).astype(np.float32)
        return np.asarray(found * _turned(self._sign * (s * self._middles[0] + t * self._middles[1])), np.complex64)


def type_1(
    row_rad: npt.ArrayLike,
    col_rad: npt.ArrayLike,
    values: npt.ArrayLike,
    shape: tuple[int, int],
    *,
    sign: int = 1,
    tolerance: float = 1e-4,
    threads: int | None = None,
) -> Samples:
    """From points to modes: F[m, n] = sum_j values[j] exp(sign j (m row[j] + n col[j])), -rows//2 <= m < rows - rows//2.

    Parameters
    ----------
    row_rad, col_rad
        Where the points lie, any shape, radians; periodic in 2 pi.
    values
        Complex values of the points.
    shape
        Modes (rows, cols) wanted.
    sign
        Sign of the exponent, +1 or -1.
    tolerance, threads
        As `PointSpreader`.

    Returns
    -------
    ndarray of complex64, shape `shape`

    Raises
    ------
    InputError
        As `PointSpreader`.

    Examples
    --------
    >>> type_1([0.0], [0.0], [2.0], (2, 2)).real.round(3).tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    spreader = PointSpreader(shape, tolerance=tolerance, threads=threads)
    spreader.add(row_rad, col_rad, values)
    return spreader.modes(sign=sign)


def type_2(
    row_rad: npt.ArrayLike,
    col_rad: npt.ArrayLike,
    modes: npt.ArrayLike,
    *,
    sign: int = 1,
    tolerance: float = 1e-4,
    threads: int | None = None,
) -> Samples:
    """From modes to points: v[j] = sum over (m, n) of modes[m, n] exp(sign j (m row[j] + n col[j])).

    Parameters
    ----------
    row_rad, col_rad
        Where the points lie, any shape, radians; periodic in 2 pi.
    modes
        Complex modes, shape (rows, cols); mode (0, 0) stands at [rows // 2, cols // 2].
    sign, tolerance, threads
        As `ModeInterpolator`.

    Returns
    -------
    ndarray of complex64, shape (points,)

    Raises
    ------
    InputError
        As `ModeInterpolator`.
    """
    return ModeInterpolator(modes, sign=sign, tolerance=tolerance, threads=threads).at(row_rad, col_rad)


def type_3(
    sources: tuple[npt.ArrayLike, npt.ArrayLike],
    values: npt.ArrayLike,
    targets: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    sign: int = 1,
    tolerance: float = 1e-4,
    threads: int | None = None,
) -> Samples:
    """From points to points: v[k] = sum_j values[j] exp(sign j (s[k] x[j] + t[k] y[j])).

    Parameters
    ----------
    sources
        x and y of the points that have values; any unit.
    values
        Their complex values.
    targets
        s and t of the points wanted, in radians over the unit of x and of y.
    sign, tolerance, threads
        As `type_1`; the error is about twice that of one type.

    Returns
    -------
    ndarray of complex64, shape (targets,)

    Raises
    ------
    InputError
        As `type_1`.

    Notes
    -----
    The sources are spread, scaled, on a grid whose size is the product of both extents (space times bandwidth); its type 2 at the
    scaled targets, divided by the kernel's transform, is the sum (Lee and Greengard 2005, J. Comput. Phys. 206, section 3). The
    centres of both sets are taken out beforehand, in double precision, so that only extents count.
    """
    (x, y), (s, t) = _checked_points(*sources), _checked_points(*targets)
    if not (len(x) and len(s)):
        _checked_values(x, values)
        return np.zeros(len(s), np.complex64)
    transform = PointTransform((_ends(x), _ends(y)), (_ends(s), _ends(t)), sign=sign, tolerance=tolerance, threads=threads)
    transform.add(x, y, values)
    return transform.at(s, t)


def _ends(points: Floats) -> tuple[float, float]:
    return float(points.min()), float(points.max())


def _space_bandwidth(reach: float, bandwidth: float, kernel: SpreadingKernel) -> tuple[int, float]:
    """Points of the grid that holds sources within `reach` for targets within `bandwidth`, and what a source's place is over."""
    bandwidth = max(bandwidth, 1.0 / reach if reach > 0.0 else 1.0)  # so small that any grid does
    least = 2.0 * kernel.oversampling * bandwidth * reach / math.pi + 2 * LANES
    count = int(scipy.fft.next_fast_len(math.ceil(least)))
    return count, count / (2.0 * kernel.oversampling * bandwidth)


def _turned(phase_rad: Floats) -> Samples:
    """Unit phasors; whole turns are taken off in double precision first."""
    turns = phase_rad / (2.0 * math.pi)
    turns -= np.rint(turns)
    angle = (2.0 * math.pi * turns).astype(np.float32)
    return np.asarray(np.cos(angle) + 1j * np.sin(angle), np.complex64)


def _sorted(
    shape: tuple[int, int], row: Floats, col: Floats, values: Samples, kernel: SpreadingKernel
) -> tuple[Floats, Floats, npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """`sort_points` of points in radians."""
    row = np.mod(row * (shape[0] / (2.0 * math.pi)), shape[0])
    col = np.mod(col * (shape[1] / (2.0 * math.pi)), shape[1])
    return sort_points(row, col, values.view(np.float32), *shape, kernel.width, _BIN_ROWS, _BIN_COLS)


def _spread(fine: Samples, row: Floats, col: Floats, values: Samples, kernel: SpreadingKernel, threads: int) -> None:
    row, col, parts, _, starts = _sorted(fine.shape, row, col, values, kernel)
    table, view = table_of(kernel), fine.view(np.float32)

    count = len(starts) - 1
    # Neighbouring stripes write the same few rows between them, and so does the last one with the first.
    last = count - 1 if count % 2 and count > 1 else count
    for stripes in (range(0, last, 2), range(1, last, 2), range(last, count)):

        def work(begin: int, end: int, some: range = stripes) -> None:
            for stripe in some[begin:end]:
                here = slice(starts[stripe], starts[stripe + 1])
                spread_points(view, row[here], col[here], parts[2 * here.start : 2 * here.stop], table, kernel.width)

        run_spread(work, len(stripes), threads)


def _interpolate(fine: Samples, row: Floats, col: Floats, kernel: SpreadingKernel, threads: int) -> Samples:
    row, col, _, order, starts = _sorted(fine.shape, row, col, np.empty(0, np.complex64), kernel)
    table, view = table_of(kernel), fine.view(np.float32)
    out = np.empty(len(row), np.complex64)
    parts = out.view(np.float32)

    def work(begin: int, end: int) -> None:
        here = slice(starts[begin], starts[end])
        interpolate_points(view, row[here], col[here], order[here], parts, table, kernel.width)

    run_spread(work, len(starts) - 1, threads)
    return out
