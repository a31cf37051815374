"""Polar format: the fast way to form a spotlight image, for planar wavefronts, with their curvature put right afterwards.

A pulse's samples lie on a ray in the plane of spatial frequencies. They are spread onto an even grid, first along the rays, then
across them; a fast Fourier transform makes the image; and the image is moved from where points appear to where they are
(`kizuna.sar.plane_waves`). What the move cannot mend is a blur that grows with the square of the scene, so a large one is formed
in pieces, each about a centre of its own: that bounds the error, and the memory too.

Both ways sum exactly what backprojection sums, without interpolation of the data: kernels and roll-off corrections are those of a
non-uniform Fourier transform. They differ in how the sums over rays and across them are taken: `polar_format` one after another,
in passes of six points; `polar_reference` both at once, between points anywhere (`kizuna.sar.nufft`).
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
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.nufft import PointTransform
from kizuna.sar.parallel import run_spread, thread_count
from kizuna.sar.plane_waves import ApparentPlaces, PlaneWaves, projected_sights
from kizuna.sar.polar_kernels import LANES, columns_of_image, range_lines, rows_of_image, spread_pulses
from kizuna.sar.quadrature import gauss_legendre

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

__all__ = ["polar_format", "polar_plane", "polar_reference", "summed_over_samples"]

type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]
type Image = npt.NDArray[np.complex64]

_FILL = 0.8
"""Share of an even grid's period that what is gathered from it fills; kernels of width 6 then leave -67 dB (rms)."""
_RANGE_FILL = 1.0 / 1.5
"""The same along rays, where the roll-off is undone by a short filter instead of a division."""
_MOST_PIXELS = 4608 * 4608
_SHARPENERS = 6
_FEW = 300
_UP = np.array([0.0, 0.0, 1.0])
_LEAST_LEVEL, _SAME_PLANE = 0.1, 1e-3
_MOST_BLUR_RAD = 0.5  # of an image on the plane itself: an eighth off the peak of what lies at its corners
_SAME_RANGE_M = 1e-8  # rounding of ranges from orbit


def polar_format(
    history: PhaseHistory,
    grid: PlaneGrid,
    *,
    blur_rad: float = 5e-3,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form a complex image by polar format, as weighted as its samples are.

    Parameters
    ----------
    history
        Phase history of a spotlight collection.
    grid
        Pixels to form; rows roughly away from the radar.
    blur_rad
        Phase, rms over the aperture, that the curvature of the wavefronts may leave anywhere: pieces are made so small. The
        error relative to backprojection is at most about this; 5e-3 is -46 dB.
    threads
        How many processors to use; None: all.
    progress
        Called with (pieces done, pieces in all).

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        The image that `kizuna.sar.backprojection.backproject` forms, phase included.

    Raises
    ------
    InputError
        The grid spans more range than the frequency step tells apart, or its rows do not point away from the radar.

    Notes
    -----
    Peak memory beyond history and image, for pieces of N pixels: about 20 N bytes, N at most 21 million; less where the data
    resolve less than the pixels.
    """
    return _in_pieces(history, grid, (blur_rad, _bent_rad), _MOST_PIXELS, _form_separably, thread_count(threads), progress)


def polar_reference(
    history: PhaseHistory,
    grid: PlaneGrid,
    *,
    blur_rad: float = 5e-4,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form a complex image by polar format with non-uniform Fourier transforms: slower, of any orientation, below -60 dB.

    Parameters and results are those of `polar_format`; the blur allowed is less. Piece by piece, one sum from the samples to the
    apparent place of each pixel (type 3).
    """
    return _in_pieces(history, grid, (blur_rad, None), _MOST_PIXELS // 4, _form_by_points, thread_count(threads), progress)


def polar_plane(history: PhaseHistory, grid: PlaneGrid, *, threads: int | None = None) -> Image:
    """Form a complex image by polar format and leave points where planar wavefronts have them: SICD's grid type RGAZIM.

    Parameters and results are those of `polar_format`, but that what lies on the scene's horizontal plane through the grid's
    origin, dropped onto the plane of the grid, is seen where planar waves have it, and blurred a little away from the middle.

    Raises
    ------
    InputError
        A scene so large that its corners blur by more than half a radian (rms over the aperture), a grid neither on the ground
        nor on the slant plane, and all that `polar_format` raises.

    Notes
    -----
    Peak memory as with `polar_format`; the image is one piece, of any size.
    """
    middle = history.centre_position_m - grid.origin_m
    level, slanted = abs(float(grid.normal @ _UP)), abs(float(grid.normal @ middle)) / float(np.linalg.norm(middle))
    if level < 1.0 - _SAME_PLANE and (slanted > _SAME_PLANE or level < _LEAST_LEVEL):
        raise InputError(
            Message("the grid lies neither on the ground nor on the slant plane, which an image with planar wavefronts needs"),
            hint=Message("Form the image on the ground or the slant plane."),
            field="grid",
        )
    real = _piece(history, grid, np.arange(grid.rows), np.arange(grid.cols))
    waves = real.waves
    sights = waves.centre_m - waves.antenna_m
    sights = projected_sights(sights / waves.centre_range_m[:, None], grid.normal, _UP)
    waves = replace(waves, row_cosine=sights @ grid.row_direction, col_cosine=sights @ grid.col_direction)
    ground = (_dropped(grid.row_direction, grid), _dropped(grid.col_direction, grid))
    blur_rad = ApparentPlaces.over(waves, *ground, real.places.half_m).phase_rad
    if blur_rad > _MOST_BLUR_RAD:
        raise InputError(
            Message(
                "with wavefronts left planar the corners would blur by {got} rad of phase; at most {limit} are let pass",
                {"got": round(blur_rad, 2), "limit": _MOST_BLUR_RAD},
            ),
            hint=Message("Form a smaller image, or one by polar format, which puts this right."),
            field="extent_m",
        )
    piece = replace(real, waves=waves, places=ApparentPlaces.unmoved(real.places.half_m, blur_rad))
    image = np.empty(grid.shape, np.complex64)
    _form_separably(history, piece, image, thread_count(threads))
    return image


def _dropped(direction: Floats, grid: PlaneGrid) -> Floats:
    """The way on the ground that is `direction` once it is dropped onto the grid's plane."""
    return np.asarray(direction - (direction @ _UP) / float(grid.normal @ _UP) * grid.normal)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A rectangle of the grid: pixels from `top` and `left`, and the geometry about its centre."""

    grid: PlaneGrid
    top: int
    left: int
    rows: int
    cols: int
    waves: PlaneWaves
    places: ApparentPlaces

    @property
    def row_over_half(self) -> Floats:
        """Row offsets of the pixels from the centre over `places.half_m[0]`, shape (rows,)."""
        return (np.arange(self.rows, dtype=np.float64) - self.rows // 2) * self.grid.row_spacing_m / self.places.half_m[0]

    @property
    def col_over_half(self) -> Floats:
        """Column offsets of the pixels from the centre over `places.half_m[1]`, shape (cols,)."""
        return (np.arange(self.cols, dtype=np.float64) - self.cols // 2) * self.grid.col_spacing_m / self.places.half_m[1]


type _Former = Callable[[PhaseHistory, _Piece, Image, int], None]
type _Limit = tuple[float, Callable[[PhaseHistory, _Piece], float] | None]


def _in_pieces(
    history: PhaseHistory,
    grid: PlaneGrid,
    limit: _Limit,
    most_pixels: int,
    form: _Former,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> Image:
    pieces = _pieces(history, grid, limit, most_pixels)
    image = np.empty(grid.shape, np.complex64)
    for done, piece in enumerate(pieces):
        form(history, piece, image[piece.top : piece.top + piece.rows, piece.left : piece.left + piece.cols], threads)
        if progress is not None:
            progress(done + 1, len(pieces))
    return image


def _pieces(history: PhaseHistory, grid: PlaneGrid, limit: _Limit, most_pixels: int) -> list[_Piece]:
    """The grid cut into equal pieces, as few as keep blur, what a way of forming adds to it, and size below what is allowed."""
    most_rad, added_rad = limit
    down = across = 1
    while True:
        rows, cols = np.array_split(np.arange(grid.rows), down), np.array_split(np.arange(grid.cols), across)
        pieces = [_piece(history, grid, row, col) for row in rows for col in cols]
        blurred = max(piece.places.phase_rad for piece in pieces) > most_rad
        if added_rad is not None:
            blurred = blurred or max(added_rad(history, piece) for piece in pieces) > most_rad
        large = len(rows[0]) * len(cols[0]) > most_pixels
        if not (blurred or large) or down * across > grid.rows * grid.cols // 64:
            return pieces
        if len(rows[0]) * grid.row_spacing_m >= len(cols[0]) * grid.col_spacing_m:
            down += 1
        else:
            across += 1


def _piece(history: PhaseHistory, grid: PlaneGrid, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> _Piece:
    # A pixel, not the middle between two: of a grid about the point that phases are referred to, nothing need be turned.
    centre = grid.to_scene(rows[0] + len(rows) // 2, cols[0] + len(cols) // 2)
    waves = PlaneWaves.about(history, centre, grid.row_direction, grid.col_direction)
    half = (0.5 * (len(rows) + 1) * grid.row_spacing_m, 0.5 * (len(cols) + 1) * grid.col_spacing_m)
    places = ApparentPlaces.over(waves, grid.row_direction, grid.col_direction, half)
    span = (places.reach_m[1] - places.reach_m[0]) * abs(float(np.median(waves.row_cosine)))
    if span > history.unambiguous_range_m:
        raise InputError(
            Message(
                "the image spans {got} m of range; the frequency step tells {limit} m apart",
                {"got": round(span, 1), "limit": round(history.unambiguous_range_m, 1)},
            ),
            hint=Message("Form a smaller image."),
            field="extent_m",
        )
    return _Piece(grid, int(rows[0]), int(cols[0]), len(rows), len(cols), waves, places)


# The kernel of the fast way.


@dataclass(frozen=True, slots=True)
class _Kernel:
    """Polynomial sum_j c_j v^j, j = 1 ... 6, of v = 1 - (x / reach)^2 within `reach`, made to leak least beyond a filled period.

    Parameters
    ----------
    reach
        Half width, in steps of the grid.
    fill
        Share of the period that must come out right.
    coefficients
        c_1 ... c_6, whose sum is 1.
    """

    reach: float
    fill: float
    coefficients: tuple[float, ...]

    @property
    def packed(self) -> Singles:
        """Reach and coefficients as the compiled loops take them, shape (7,)."""
        return np.array([self.reach, *self.coefficients], np.float32)

    def transform(self, turns: Floats) -> Floats:
        """Fourier transform at frequencies in cycles a step, shape (n,), none beyond half a cycle if they are many."""
        if len(turns) <= _FEW:
            return np.asarray(_basis_transforms(self.reach, turns) @ self.coefficients, np.float64)
        # Even and smooth: a polynomial of the square tells it to all digits.
        table = np.polynomial.Chebyshev.interpolate(lambda s: self.transform(np.sqrt(s)), 20, domain=[0.0, 0.25])
        return np.asarray(table(turns**2), np.float64)

    def sharpener(self) -> Singles:
        """Symmetric filter, shape (7,), that undoes the transform's roll-off over the filled band to -60 dB."""
        turns = np.linspace(0.0, 0.5 * self.fill, 256)
        waves = np.cos(2.0 * math.pi * np.outer(turns, np.arange(_SHARPENERS + 1))) * self.transform(turns)[:, None]
        found = np.linalg.lstsq(waves, np.ones(len(turns)))[0]
        found[1:] *= 0.5
        return found.astype(np.float32)


def _basis_transforms(reach: float, turns: Floats) -> Floats:
    nodes, weights = gauss_legendre()
    v = 1.0 - nodes**2
    basis = np.stack([v**j for j in range(1, 7)], axis=-1) * (weights * reach)[:, None]
    return np.asarray(np.cos(2.0 * math.pi * reach * np.outer(turns, nodes)) @ basis, np.float64)


@lru_cache(maxsize=4)
def _kernel(width: int, fill: float) -> _Kernel:
    """Kernel of `width` steps with the least energy in the images of the filled band, relative to that in the band itself."""
    reach, turns = 0.5 * width, np.linspace(-0.5 * fill, 0.5 * fill, 257)
    # Errors count relative to the kernel's transform in the band, which that of an exponential of a semicircle stands in for.
    nodes, weights = gauss_legendre()
    model = np.exp(0.976 * math.pi * width * (1.0 - 0.5 * fill) * (np.sqrt(1.0 - nodes**2) - 1.0)) * weights
    size = np.cos(2.0 * math.pi * reach * np.outer(turns, nodes)) @ model
    band = _basis_transforms(reach, turns) / size[:, None]
    images = np.concatenate([_basis_transforms(reach, turns + period) / size[:, None] for period in range(-8, 9) if period])
    # Least |images c| for given |band c|, without squaring: the last singular vector after the band was made orthonormal.
    triangle = np.linalg.qr(band)[1]
    best = np.linalg.solve(triangle, np.linalg.svd(np.linalg.solve(triangle.T, images.T).T, full_matrices=False)[2][-1])
    return _Kernel(reach, fill, tuple(float(c) for c in best / best.sum()))


@lru_cache(maxsize=1)
def _phasor() -> Singles:
    """Polynomials in x^2, highest power first, of sin(2 pi x) / x and cos(2 pi x) for |x| <= 1/2, shape (2, 8)."""
    fit = np.polynomial.Chebyshev.interpolate
    sine = fit(lambda s: 2.0 * math.pi * np.sinc(2.0 * np.sqrt(s)), 7, domain=[0.0, 0.25])
    cosine = fit(lambda s: np.cos(2.0 * math.pi * np.sqrt(s)), 7, domain=[0.0, 0.25])
    power = [series.convert(kind=np.polynomial.Polynomial).coef[::-1] for series in (sine, cosine)]
    return np.stack(power).astype(np.float32)


# The fast way.


@dataclass(frozen=True, slots=True)
class _Axis:
    """Even grids of one axis: of spatial frequency, `count` steps about `centre`, and of the image, `length` points.

    Parameters
    ----------
    centre
        Spatial frequency that becomes zero, cycles per metre.
    step
        Spacing of spatial frequencies, cycles per metre.
    count
        How many of them hold data.
    length
        Points of the transform; image points are 1 / (length step) metres apart.
    first, kept
        Which of the image's points are needed, counted with apparent place 0 at length // 2.
    """

    centre: float
    step: float
    count: int
    length: int
    first: int
    kept: int

    @classmethod
    def holding(cls, ends: Floats, reach_m: tuple[float, float], fill: float, margin: int) -> _Axis:
        """For frequencies between `ends` and an image between `reach_m`; `margin` steps are added at both ends of the former."""
        low, high, (near_m, far_m) = float(ends.min()), float(ends.max()), reach_m
        band = max(high - low, 1e-6)
        reach = 2.0 * max(abs(near_m), abs(far_m))
        # Spacing of the image's points so that the band fills _FILL of its period, and of frequencies so that the image does.
        # Even, and quick to transform: twice a number that is.
        least = max(reach / fill * band / _FILL, (2 * margin + 9) / (1.0 - _FILL))
        length = 2 * int(scipy.fft.next_fast_len(math.ceil(0.5 * least)))
        spacing = _FILL / band
        step = 1.0 / (length * spacing)
        count = 2 * (math.ceil(0.5 * band / step) + margin) + 1
        first = math.floor(near_m / spacing) - 4 + length // 2
        last = math.ceil(far_m / spacing) + 4 + length // 2
        return cls(0.5 * (low + high), step, count, length, first, last - first + 1)

    @property
    def frequencies(self) -> Floats:
        """Spatial frequencies that hold data, shape (count,), cycles per metre."""
        return self.centre + (np.arange(self.count, dtype=np.float64) - self.count // 2) * self.step

    @property
    def points_a_metre(self) -> float:
        """Points of the image in a metre."""
        return self.length * self.step

    def roll_off(self, kernel: _Kernel) -> Floats:
        """What frequencies are multiplied by for a kernel that will read the image; signs put place 0 at length // 2."""
        index = np.arange(self.count) - self.count // 2
        return np.asarray(
            np.where(index % 2, -1.0, 1.0) / kernel.transform(np.asarray(index / self.length, np.float64)), np.float64
        )

    def undo_in_image(self, kernel: _Kernel) -> Singles:
        """Polynomial in the squared distance from place 0, in points, highest power first, of one over the kernel's transform."""
        half = (0.5 * self.length * _FILL + 1.0) ** 2
        found = np.polynomial.Chebyshev.interpolate(
            lambda s: 1.0 / kernel.transform(np.sqrt(s) / self.length), 7, domain=[0.0, half]
        )
        return found.convert(kind=np.polynomial.Polynomial).coef[::-1].astype(np.float32)


def _band_ends(history: PhaseHistory, waves: PlaneWaves) -> tuple[Floats, Floats]:
    """Spatial frequencies along rows and across them, cycles per metre, of the ends of each pulse, shape (2, pulses) each."""
    ends = np.outer(2.0 / SPEED_OF_LIGHT_M_S * history.frequencies_hz[[0, -1]], waves.row_cosine)
    return ends, ends * (waves.col_cosine / waves.row_cosine)


def _bent_rad(history: PhaseHistory, piece: _Piece) -> float:
    """Relative error, rms over the band, of reading along columns what was read across along bent lines.

    A bend lends the rows' frequencies some of the columns', and the kernel's roll-off there is not the one that was undone.
    """
    along, across = (float(np.ptp(ends)) for ends in _band_ends(history, piece.waves))
    return _unevenness() * piece.places.bend * across / along


@lru_cache(maxsize=1)
def _unevenness() -> float:
    """Relative change of the kernel's transform over the band, rms, for a shift of one column's frequency, rms."""
    turns = np.linspace(-0.5 * _FILL, 0.5 * _FILL, 257)
    change = np.gradient(np.log(_kernel(6, _FILL).transform(turns)), turns)
    return float(np.sqrt(np.mean(change**2) * np.mean(turns**2)))


def _form_separably(history: PhaseHistory, piece: _Piece, out: Image, threads: int) -> None:
    waves, places = piece.waves, piece.places
    if float(waves.row_cosine.min()) <= 0.0 or float(np.abs(waves.col_cosine / waves.row_cosine).max()) > 0.5:  # noqa: PLR2004
        raise InputError(
            Message("the grid's rows do not point away from the radar, which this way of forming an image needs"),
            hint=Message("Turn the grid, or use the reference method or backprojection."),
            field="grid",
        )
    along, across = _band_ends(history, waves)
    near, far, left, right = places.reach_m
    ray, cross = _kernel(5, _RANGE_FILL), _kernel(6, _FILL)
    # A ray sees a point at xi + tan eta along itself: the rays' roll-off must be undone as far as that.
    slack = float(np.abs(waves.col_cosine / waves.row_cosine).max()) * max(-left, right)
    rows = _Axis.holding(along, (near - slack, far + slack), _RANGE_FILL, 3 + _SHARPENERS)
    cols = _Axis.holding(across, (left, right), _FILL, 3)
    apparent = _apparent_image(history, waves, (rows, cols), (ray, cross), threads)
    _moved(apparent, piece, (rows, cols), cross, out, threads)


def _apparent_image(
    history: PhaseHistory, waves: PlaneWaves, axes: tuple[_Axis, _Axis], kernels: tuple[_Kernel, _Kernel], threads: int
) -> Image:
    """Image of apparent places, turned over: shape (cols.kept, rows.length)."""
    (rows, cols), (ray, cross) = axes, kernels
    tangents = waves.col_cosine / waves.row_cosine
    order = np.argsort(tangents, kind="stable")
    # Phases are referred to the piece's centre: exp(+4j pi f (|x0 - a| - r0) / c), in cycles and cycles a sample.
    cycles_hz = 2.0 / SPEED_OF_LIGHT_M_S
    change = waves.centre_range_m - history.reference_range_m
    change[np.abs(change) < _SAME_RANGE_M] = 0.0
    turns = np.stack([cycles_hz * change * history.frequencies_hz[0], cycles_hz * change * history.frequency_step_hz], axis=-1)
    a_sample = cycles_hz * history.frequency_step_hz * waves.row_cosine
    first = (rows.frequencies[0] - cycles_hz * history.frequencies_hz[0] * waves.row_cosine) / a_sample
    stretch = rows.step / a_sample
    samples, sharpen = np.ascontiguousarray(history.samples, np.complex64).view(np.float32), ray.sharpener()
    blocks = -(-rows.count // LANES)
    per_tangent = np.pad(rows.frequencies / cols.step, (0, blocks * LANES - rows.count), mode="edge")
    row_scale, col_scale = (axis.roll_off(cross).astype(np.float32) for axis in axes)
    row_scale = np.pad(row_scale * np.float32(1.0 / history.samples.size), (0, len(per_tangent) - rows.count))
    ascending, begin, middle = tangents[order], cols.frequencies[0] / cols.step, cols.count // 2
    image = np.zeros((cols.kept, rows.length), np.complex64)

    def some_rows(start: int, end: int) -> None:
        lines = np.empty((history.pulses, 2, LANES), np.float32)
        # Columns stand a little more than LANES apart: a power of two would have them all in the same lines of the cache.
        columns = np.zeros((cols.length, LANES + 8), np.complex64)
        pairs = columns.view(np.float32)
        for block in range(start, end):
            range_lines(samples, order, turns, first + block * LANES * stretch, stretch, ray.packed, sharpen, lines)
            lanes = slice(block * LANES, (block + 1) * LANES)
            columns[cols.count - middle : cols.length - middle] = 0.0
            # Columns below the centre belong at the end of the transform's index, and so do rows.
            for at, scale, part in (
                (begin + middle, col_scale[middle:], pairs[: cols.count - middle]),
                (begin, col_scale[:middle], pairs[cols.length - middle :]),
            ):
                spread_pulses(lines, per_tangent[lanes], ascending, at, row_scale[lanes], scale, cross.packed, part)
            across = scipy.fft.ifft(columns[:, :LANES], axis=0, norm="forward", overwrite_x=True)
            across = across[cols.first : cols.first + cols.kept]
            low = block * LANES - rows.count // 2
            high = min(low + LANES, rows.count - rows.count // 2)
            below = min(max(-low, 0), high - low)
            image[:, rows.length + low : rows.length + low + below] = across[:, :below]
            image[:, low + below : high] = across[:, below : high - low]

    run_spread(some_rows, blocks, threads)
    return np.asarray(scipy.fft.ifft(image, axis=1, norm="forward", overwrite_x=True, workers=threads), np.complex64)


def _moved(apparent: Image, piece: _Piece, axes: tuple[_Axis, _Axis], kernel: _Kernel, out: Image, threads: int) -> None:
    """Read the image at the apparent place of each pixel, first along rows, then along columns, and put the phase right."""
    (rows, cols), places = axes, piece.places
    u, v = piece.row_over_half, piece.col_over_half
    lines = (np.arange(rows.kept) + rows.first - rows.length // 2) / (rows.points_a_metre * places.half_m[0])
    wanted = places.along_rows(places.col_at_row, lines) * cols.points_a_metre
    centre = float(cols.length // 2 - cols.first)
    wanted[:, 0] += centre
    pairs, undo = apparent[:, rows.first : rows.first + rows.kept].view(np.float32), cols.undo_in_image(kernel)
    row, col = places.along_rows(places.row, u), places.along_rows(places.col, u)
    turns = rows.centre * row + cols.centre * col
    row = row * rows.points_a_metre
    row[:, 0] += rows.length // 2 - rows.first
    target = out.view(np.float32) if out.flags.c_contiguous else np.empty((piece.rows, 2 * piece.cols), np.float32)

    def some_columns(start: int, end: int) -> None:
        lines = np.empty((rows.kept, 2, LANES), np.float32)
        for left in range(start * LANES, min(end * LANES, piece.cols), LANES):
            at = v[left : left + LANES]
            rows_of_image(pairs, wanted, at, undo, centre, kernel.packed, lines)
            columns_of_image(lines, row, turns, at, _phasor(), kernel.packed, target[:, 2 * left :])

    run_spread(some_columns, -(-piece.cols // LANES), threads)
    if not out.flags.c_contiguous:
        out[:] = target.view(np.complex64)


# The reference.


def summed_over_samples(
    history: PhaseHistory,
    waves: PlaneWaves,
    reach_m: tuple[float, float, float, float],
    threads: int,
    *,
    extra_range_m: Floats | None = None,
) -> PointTransform:
    """Sum over all samples as plane waves, ready to be taken at apparent places 2 pi (xi, eta) between `reach_m`.

    Parameters
    ----------
    history, waves
        Samples, and the directions that they are taken to come from.
    reach_m
        Least and greatest xi, least and greatest eta.
    threads
        Threads, 1 or more.
    extra_range_m
        Range to be added for every pulse, shape (pulses,), metres.
    """
    cycles = 2.0 / SPEED_OF_LIGHT_M_S * history.frequencies_hz
    ends = cycles[[0, -1]]
    row_ends, col_ends = np.outer(ends, waves.row_cosine), np.outer(ends, waves.col_cosine)
    near, far, left, right = reach_m
    transform = PointTransform(
        sources=((float(row_ends.min()), float(row_ends.max())), (float(col_ends.min()), float(col_ends.max()))),
        targets=((2.0 * math.pi * near, 2.0 * math.pi * far), (2.0 * math.pi * left, 2.0 * math.pi * right)),
        tolerance=1e-4,
        threads=threads,
    )
    change = waves.centre_range_m - history.reference_range_m
    if extra_range_m is not None:
        change += extra_range_m
    pulses = max(1, (1 << 20) // len(cycles))
    for start in range(0, history.pulses, pulses):
        some = slice(start, start + pulses)
        turns = np.outer(change[some], cycles)
        turns -= np.rint(turns)
        values = history.samples[some] * np.exp(2j * math.pi * turns).astype(np.complex64)
        transform.add(np.outer(waves.row_cosine[some], cycles), np.outer(waves.col_cosine[some], cycles), values)
    return transform


def _form_by_points(history: PhaseHistory, piece: _Piece, out: Image, threads: int) -> None:
    places = piece.places
    transform = summed_over_samples(history, piece.waves, places.reach_m, threads)
    block = max(1, (1 << 20) // piece.cols)
    powers = np.polynomial.polynomial.polyvander(piece.col_over_half, 5).T
    for start in range(0, piece.rows, block):
        u = piece.row_over_half[start : start + block]
        xi, eta = places.along_rows(places.row, u) @ powers, places.along_rows(places.col, u) @ powers
        values = transform.at(2.0 * math.pi * xi, 2.0 * math.pi * eta).reshape(xi.shape)
        np.multiply(values, np.float32(1.0 / history.samples.size), out=out[start : start + block])
