"""Echoes of scatterers: summed exactly, pulse by pulse for some thousands that may move, or all at once for millions at rest.

Three ways to one definition (`kizuna.sar.history.PhaseHistory`): `sum_echoes` is the definition, slow and plain. `point_echoes`
takes each range exactly and sums the frequencies of a pulse by one fast transform; what it leaves out is below single precision.
`cloud_echoes` takes scatterers at rest to where they seem to lie and sums everything by two-dimensional transforms; it says
how far it may be off.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.sar.apparent import ApparentPlane, fit_apparent_plane
from kizuna.sar.echo_kernels import add_line, compact, extent_along, place_points, spread_ranges, target_line
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.nufft_kernels import LANES, interpolate_points, spread_points
from kizuna.sar.spreading import fine_shape, kernel_for, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kizuna.sar.acquisition import Acquisition

__all__ = ["Cloud", "Movers", "cloud_echoes", "point_echoes", "sum_echoes"]

type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]
type Samples = npt.NDArray[np.complex64]

_POINT_TOLERANCE = 1e-6
_CLOUD_TOLERANCE = 3e-3
_SCATTERERS_A_BLOCK = 1 << 16
_PULSES_A_BLOCK = 64
_MOST_APERTURES = 32
_HAT_STEPS = 1024
_SAMPLE = 200
_GOLDEN = 0.6180339887498949
_EDGE_M = 3.0
"""How far beyond its corners a box may bulge in the apparent plane."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Scatterers at rest.

    Parameters
    ----------
    positions_m
        Shape (n, 3), scene metres; single precision is finer than a hundredth of a wavelength within 4 km.
    amplitudes
        Complex, shape (n,): the squared magnitude is the radar cross section in square metres.
    """

    positions_m: Singles
    amplitudes: Samples

    def __len__(self) -> int:
        return len(self.amplitudes)

    def keep(self, kept: npt.NDArray[np.bool_]) -> Cloud:
        """Some of the scatterers, in the same memory: this cloud is used up."""
        count = compact(self.positions_m, self.amplitudes.view(np.float32).reshape(-1, 2), kept)
        return self.of(slice(count))

    def of(self, chosen: npt.NDArray[np.bool_ | np.intp] | slice) -> Cloud:
        """Some of the scatterers."""
        return Cloud(self.positions_m[chosen], self.amplitudes[chosen])


@dataclass(frozen=True, slots=True)
class Movers:
    """Scatterers that may move, each at a speed of its own that does not change.

    Parameters
    ----------
    positions_m
        At the middle of the aperture, shape (n, 3), scene metres.
    velocities_m_s
        Shape (n, 3).
    amplitudes
        As of `Cloud`.
    """

    positions_m: Floats
    velocities_m_s: Floats
    amplitudes: Samples

    def __len__(self) -> int:
        return len(self.amplitudes)


def _from_middle_s(acquisition: Acquisition) -> Floats:
    return np.asarray(acquisition.times_s - 0.5 * (acquisition.times_s[0] + acquisition.times_s[-1]))


def sum_echoes(acquisition: Acquisition, movers: Movers) -> npt.NDArray[np.complex128]:
    """Echoes by the definition, in double precision: the oracle of the others, for a few scatterers.

    Returns
    -------
    ndarray of complex128, shape (pulses, frequencies)

    Notes
    -----
    S(p, f) = sum_i a_i exp(-4j pi f (|x_i + v_i t_p - a_p| - |a_p|) / c).
    """
    reference = np.linalg.norm(acquisition.positions_m, axis=1)
    times = _from_middle_s(acquisition)[:, None]
    out = np.zeros((len(times), len(acquisition.frequencies_hz)), np.complex128)
    for position, velocity, amplitude in zip(movers.positions_m, movers.velocities_m_s, movers.amplitudes, strict=True):
        away = np.linalg.norm(position + velocity * times - acquisition.positions_m, axis=1) - reference
        out += amplitude * np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * away[:, None] * acquisition.frequencies_hz)
    return out


def point_echoes(acquisition: Acquisition, movers: Movers, out: Samples, *, threads: int | None = None) -> None:
    """Add the echoes of scatterers that may move.

    Parameters
    ----------
    acquisition
        Pulses.
    movers
        Scatterers.
    out
        Samples to add to, shape (pulses, frequencies).
    threads
        How many processors to use; None: all.

    Notes
    -----
    Ranges are exact for each pulse and scatterer. Over the frequencies of a pulse, which are evenly spaced, the sum is a type-1
    non-uniform Fourier transform: 8 grid points a scatterer and one transform a pulse, where a direct sum takes as many steps
    as there are frequencies. Measured against `sum_echoes`: 1e-6 of the strongest scatterer.
    """
    if not len(movers):
        return
    kernel = kernel_for(_POINT_TOLERANCE)
    table = table_of(kernel)
    count = len(acquisition.frequencies_hz)
    fine = fine_shape((count, count), kernel)[0]
    wanted = np.arange(count) - count // 2
    scale = (1.0 / kernel.transform(wanted / fine)).astype(np.float32)
    step_hz = float(acquisition.frequencies_hz[-1] - acquisition.frequencies_hz[0]) / (count - 1)
    middle_hz = float(acquisition.frequencies_hz[count // 2])
    reference = np.linalg.norm(acquisition.positions_m, axis=1)
    times = _from_middle_s(acquisition)
    parts = np.ascontiguousarray(movers.amplitudes, np.complex64).view(np.float32)

    def work(start: int) -> None:
        stop = min(start + _PULSES_A_BLOCK, len(times))
        grid = np.zeros((stop - start, fine), np.complex64)
        spread_ranges(
            grid.view(np.float32),
            np.ascontiguousarray(movers.positions_m, np.float64),
            np.ascontiguousarray(movers.velocities_m_s, np.float64),
            parts,
            acquisition.positions_m[start:stop],
            reference[start:stop],
            times[start:stop],
            (2.0 * middle_hz / SPEED_OF_LIGHT_M_S, 2.0 * step_hz / SPEED_OF_LIGHT_M_S),
            table,
            kernel.width,
        )
        spectrum = scipy.fft.fft(grid, axis=1, overwrite_x=True)
        out[start:stop] += spectrum[:, wanted % fine] * scale

    _each(work, range(0, len(times), _PULSES_A_BLOCK), threads)


def cloud_echoes(
    acquisition: Acquisition,
    cloud: Cloud,
    out: Samples,
    *,
    tolerance_db: float = -48.0,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Add the echoes of scatterers at rest.

    Parameters
    ----------
    acquisition
        Pulses.
    cloud
        Scatterers, in any order; faster where neighbours in the list are neighbours in the scene.
    out
        Samples to add to, shape (pulses, frequencies).
    tolerance_db
        How far below the echoes' power the errors of the ranges may lie, decibels; the aperture is done in as many parts as
        that takes. The transforms' own error lies at -60 dB.
    threads
        How many processors to use; None: all.
    progress
        Called with (parts done, parts in all).

    Returns
    -------
    float
        Level of the errors of the ranges that is left, decibels: root-mean-square phase error, over scatterers weighted by their
        power.

    Notes
    -----
    Peak memory beside `cloud` and `out`: one transform, 20 bytes for each cell of space times bandwidth of the scene.
    """
    if not len(cloud):
        return -math.inf
    reference = np.linalg.norm(acquisition.positions_m, axis=1)
    # A stride of the golden ratio meets all parts of a list evenly, whatever order it is in.
    some = cloud.of(np.unique((np.arange(_SAMPLE) * _GOLDEN % 1.0 * len(cloud)).astype(np.intp)))
    corners = _corners_m(cloud.positions_m, acquisition)
    wavenumber = 4.0 * math.pi / acquisition.radar.wavelength_m
    wanted_rad = 10.0 ** (tolerance_db / 20.0)
    parts = 1
    while True:
        edges = np.linspace(0, len(reference), parts + 1).round().astype(int)
        planes = [
            fit_apparent_plane(
                some.positions_m, np.abs(some.amplitudes) ** 2, corners, acquisition.positions_m[a:b], reference[a:b]
            )
            for a, b in pairwise(edges)
        ]
        left_rad = wavenumber * math.sqrt(sum(plane.residual_m**2 for plane in planes) / parts)
        if left_rad <= wanted_rad or 2 * parts > min(_MOST_APERTURES, len(reference) // 4):
            break
        parts = min(2 * parts, max(parts + 1, math.ceil(parts * math.sqrt(left_rad / wanted_rad))))
    for number, (plane, start, stop) in enumerate(zip(planes, edges[:-1], edges[1:], strict=True)):
        _plane_echoes(acquisition.frequencies_hz, cloud, corners, plane, out[start:stop], threads)
        if progress is not None:
            progress(number + 1, parts)
    return 20.0 * math.log10(max(left_rad, 1e-12))


def _plane_echoes(
    frequencies_hz: Floats, cloud: Cloud, corners_m: Floats, plane: ApparentPlane, out: Samples, threads: int | None
) -> None:
    """Add what one aperture hears: spread the cloud over its apparent plane, transform, read the transform at the samples."""
    kernel = kernel_for(_CLOUD_TOLERANCE)
    table = table_of(kernel)
    seen = plane.places_m(corners_m)
    wavenumbers = 2.0 * frequencies_hz[[0, -1]] / SPEED_OF_LIGHT_M_S
    axes = [_Axis.holding(seen[:, k], np.outer(wavenumbers, plane.directions[:, k]), kernel.oversampling) for k in range(2)]
    fine = np.zeros((axes[0].fine, axes[1].fine), np.complex64)
    place = np.array([(axis.middle_m, axis.wavenumber, axis.spacing_m, axis.fine) for axis in axes])
    view = fine.view(np.float32)
    for start in range(0, len(cloud), _SCATTERERS_A_BLOCK):
        part = cloud.of(slice(start, start + _SCATTERERS_A_BLOCK))
        row, col, values = place_points(
            part.positions_m, part.amplitudes.view(np.float32), plane.terms, plane.centre_m, plane.scale_m, place
        )
        spread_points(view, row, col, values, table, kernel.width)
    # The transform of the kernel by which the result will be read is taken out beforehand.
    for axis in axes:
        turns = scipy.fft.fftfreq(axis.fine)
        inside = np.abs(turns) * axis.fine <= 0.5 * axis.count
        scale = np.where(inside, 1.0 / kernel.transform(np.where(inside, turns, 0.0)), 0.0).astype(np.float32)
        fine *= scale[:, None] if axis is axes[0] else scale
    fine = scipy.fft.fft2(fine, overwrite_x=True, workers=threads or os.cpu_count())
    view = fine.view(np.float32)
    order = np.arange(len(frequencies_hz), dtype=np.int64)
    # And so is that of the kernel by which the cloud was spread, at the samples: even, so from a table of one side.
    hat = (1.0 / kernel.transform(np.linspace(0.0, 0.5, _HAT_STEPS + 1))).astype(np.float32)
    band = (float(wavenumbers[0]), float(wavenumbers[1] - wavenumbers[0]) / (len(frequencies_hz) - 1))

    def work(start: int) -> None:
        here = slice(start, min(start + _PULSES_A_BLOCK, len(out)))
        values = np.empty(2 * len(frequencies_hz), np.float32)
        for pulse in range(here.start, here.stop):
            row, col = target_line(band, len(order), plane.directions[pulse], place)
            interpolate_points(view, row, col, order, values, table, kernel.width)
            range_m = plane.offsets_m[pulse] + plane.directions[pulse] @ place[:, 0]
            add_line(out[pulse].view(np.float32), values, band, range_m, plane.directions[pulse], place, hat)

    _each(work, range(0, len(out), _PULSES_A_BLOCK), threads)


def _corners_m(positions_m: Singles, acquisition: Acquisition) -> Floats:
    """Corners, shape (8, 3), of a box about scatterers that lies along the ground away from the radar: the grid is no larger."""
    away = -acquisition.middle_m * [1.0, 1.0, 0.0]
    away /= np.linalg.norm(away)
    axes = np.stack([away, np.cross([0.0, 0.0, 1.0], away), [0.0, 0.0, 1.0]])
    low, high = extent_along(positions_m, axes).T
    return np.asarray(np.array([np.where(bits, high, low) for bits in np.ndindex(2, 2, 2)]) @ axes)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Grid along one axis of the apparent plane, for a transform between an interval of places and one of wavenumbers.

    Parameters
    ----------
    middle_m, wavenumber
        Middles of the two intervals, metres and cycles a metre.
    spacing_m
        Distance of neighbouring grid points.
    count, fine
        Grid points that hold the places, and those of the transform.
    """

    middle_m: float
    wavenumber: float
    spacing_m: float
    count: int
    fine: int

    @classmethod
    def holding(cls, places_m: Floats, wavenumbers: Floats, oversampling: float) -> _Axis:
        low_m, high_m = float(places_m.min()) - _EDGE_M, float(places_m.max()) + _EDGE_M
        low, high = float(wavenumbers.min()), float(wavenumbers.max())
        # A band so narrow that it does not matter still needs a grid.
        spacing_m = 1.0 / (oversampling * max(high - low, 1.0 / (high_m - low_m)))
        count = math.ceil((high_m - low_m) / spacing_m) + 2 * LANES
        fine = int(scipy.fft.next_fast_len(math.ceil(oversampling * count)))
        return cls(0.5 * (low_m + high_m), 0.5 * (low + high), spacing_m, count, fine)


def _each(work: Callable[[int], object], starts: Iterable[int], threads: int | None) -> None:
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for _ in pool.map(work, starts):
            pass
