"""Strips: from a stripmap collection to an image on the zero-Doppler grid, and what its places, times and spectrum are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.collection import track_of
from kizuna.sar.doppler import DopplerBand, doppler_band, pointed_at
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.strip_grid import StripGrid, closest_approach, looks_right
from kizuna.sar.stripmap import least_phase, omega_k, pulse_interval_s
from kizuna.sar.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.earth.scene import LocalScene
    from kizuna.sar.collection import Collection
    from kizuna.sar.history import PhaseHistory

__all__ = ["FormedStrip", "StripPlan", "form_strip", "looks_of", "plan_strip"]

type Floats = npt.NDArray[np.float64]
type Image = npt.NDArray[np.complex64]

_UNIFORM = Window()
_ROW_SHARE = 0.8  # of the range cell: sampled 1.25 times finer than it must
_COL_SHARE = 0.8
_RANGE_SHARE = 0.9  # of the range that the frequency step tells apart
_LEAST_SHARE = 0.25  # of the shorter of dwell and collection, where both are as good as equal


@dataclass(frozen=True, slots=True)
class StripPlan:
    """Pixels of a strip and the Doppler band that it is processed in.

    Parameters
    ----------
    grid
        Its pixels.
    doppler
        Its Doppler spectrum.
    span_s
        First and last pulse.
    """

    grid: StripGrid
    doppler: DopplerBand
    span_s: tuple[float, float]

    def chirp_hz_s(self, carrier_hz: float, range_m: float) -> float:
        """How fast the Doppler frequency of a scatterer falls, hertz a second."""
        return _chirp_hz_s(self.grid, carrier_hz, range_m)

    def dwell_s(self, carrier_hz: float) -> float:
        """How long a scatterer in the middle is seen within the processed band."""
        return self.doppler.width_hz / self.chirp_hz_s(carrier_hz, self.grid.range_m)

    def lit_throughout(self, carrier_hz: float) -> bool:
        """Whether the beam stays on each pixel for the whole collection, so that this and not the beam ends its aperture."""
        return self.dwell_s(carrier_hz) > self.span_s[1] - self.span_s[0]

    def seen_at_s(self, carrier_hz: float, range_m: Floats, time_s: Floats) -> Floats:
        """Time of the middle of the aperture of pixels at ranges and times of closest approach, shapes (n,)."""
        if self.lit_throughout(carrier_hz):
            return np.full(np.shape(time_s), 0.5 * sum(self.span_s))
        return np.asarray(time_s + self.ahead_s(carrier_hz, range_m), np.float64)

    def ahead_s(self, carrier_hz: float, range_m: npt.ArrayLike) -> Floats:
        """Seconds from closest approach to the middle of the beam, shape (n,)."""
        ranges = np.atleast_1d(np.asarray(range_m, np.float64))
        centroids = np.polynomial.polynomial.polyval(ranges - self.doppler.range_m, self.doppler.centroid_hz)
        series = self.grid.range_series(ranges, self.grid.time_s)
        return least_phase(series, np.array([carrier_hz]), np.asarray(centroids, np.float64)[:, None])[1][:, 0]


def _chirp_hz_s(grid: StripGrid, carrier_hz: float, range_m: float) -> float:
    speed2 = float(grid.range_series(np.array([range_m]), grid.time_s)[0, 2])
    return 2.0 * carrier_hz * speed2 / SPEED_OF_LIGHT_M_S / range_m


@dataclass(frozen=True, slots=True)
class FormedStrip:
    """A complex image of a strip.

    Parameters
    ----------
    pixels
        Shape (rows, cols); along range without its carrier, its Doppler frequencies where they are.
    plan
        Pixels and Doppler band.
    history
        Phase history that it was formed from.
    band, aperture
        Windows that were laid over.
    nominal
        Whether its place was assigned, not measured.
    """

    pixels: Image
    plan: StripPlan
    history: PhaseHistory
    band: Window = _UNIFORM
    aperture: Window = _UNIFORM
    nominal: bool = False

    @property
    def grid(self) -> StripGrid:
        """Its pixels."""
        return self.plan.grid

    @property
    def scene(self) -> LocalScene:
        """Where it lies on the Earth."""
        return self.plan.grid.scene


def plan_strip(collection: Collection, *, doppler_hz: float | None = None, width_hz: float | None = None) -> StripPlan:
    """Pixels that a stripmap collection fills with whole apertures, and its Doppler band.

    Parameters
    ----------
    collection
        With times.
    doppler_hz, width_hz
        Doppler centroid and processed width, where they are known; None for what the echoes tell, or, of the width, what the
        collection's dwell says.

    Raises
    ------
    InputError
        Pulses at no even rate, or a width that is none.

    Notes
    -----
    Rows lie 0.8 range cells apart, columns at the times of pulses, as many of these apart as 0.8 azimuth cells take. Columns are
    those whose aperture is whole; where the beam dwells for longer than the collection, those that it does not leave.
    """
    history = collection.history
    interval = pulse_interval_s(history)
    times = np.asarray(history.times_s)
    track = track_of(history)
    middle_s = 0.5 * float(times[0] + times[-1])
    centre, height = collection.points_m.mean(axis=0), collection.scene.origin.height_m
    distance, when = (float(one) for one in closest_approach(track, centre, middle_s))
    right = looks_right(track, collection.scene, middle_s)
    spacing = _ROW_SHARE * SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz)
    near, far = _swath(collection, distance)
    grid = StripGrid(
        track,
        collection.scene,
        height,
        right,
        0.5 * (near + far),
        when,
        spacing,
        interval,
        max(1, round((far - near) / spacing)),
        1,
    )
    velocity = track.at(times, derivative=1)
    expected = pointed_at(history, collection.reference_points_m, velocity)
    carrier = history.centre_frequency_hz
    if width_hz is None and collection.dwell_s is not None:
        width_hz = min(collection.dwell_s * _chirp_hz_s(grid, carrier, grid.range_m), 1.0 / interval)
    doppler = doppler_band(history, grid, interval, expected_hz=expected, centroid_hz=doppler_hz, width_hz=width_hz)
    plan = StripPlan(grid, doppler, (float(times[0]), float(times[-1])))
    span, dwell = float(times[-1] - times[0]), plan.dwell_s(carrier)
    whole = max(abs(span - dwell), _LEAST_SHARE * min(span, dwell))
    ahead = float(plan.ahead_s(carrier, grid.range_m)[0])
    # Where the aperture is short for the beam, neighbouring pulses' columns tell nothing apart.
    band = doppler.width_hz * min(1.0, span / dwell)
    every = max(1, math.floor(_COL_SHARE / (band * interval)))
    cols = max(1, round(whole / interval / every))
    centre_s = times[0] + round((middle_s - ahead - float(times[0])) / interval) * interval
    return replace(plan, grid=replace(grid, time_s=float(centre_s), col_spacing_s=every * interval, cols=cols))


def _swath(collection: Collection, distance_m: float) -> tuple[float, float]:
    """Nearest and farthest range of the image: of the imaged area if it is known, within what the frequency step tells."""
    history = collection.history
    most = 0.5 * _RANGE_SHARE * history.unambiguous_range_m
    near, far = distance_m - most, distance_m + most
    if collection.extent_m is None:
        return near, far
    antenna = history.centre_position_m
    away = -antenna * np.array([1.0, 1.0, 0.0])
    away /= np.linalg.norm(away)
    half = 0.5 * collection.extent_m[0] * away
    reach = [float(np.linalg.norm(antenna - one) - np.linalg.norm(antenna)) for one in (-half, half)]
    return max(near, distance_m + reach[0]), min(far, distance_m + reach[1])


def form_strip(
    collection: Collection,
    plan: StripPlan,
    *,
    band: Window = _UNIFORM,
    aperture: Window = _UNIFORM,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FormedStrip:
    """Form a strip by `kizuna.sar.stripmap.omega_k`.

    Parameters
    ----------
    collection
        Echoes.
    plan
        As `plan_strip` gives it, or with another grid.
    band, aperture
        Windows over the frequencies and over the processed Doppler band.
    threads, progress
        As `omega_k`.

    Raises
    ------
    InputError
        As `omega_k`.
    """
    pixels = omega_k(
        collection.history, plan.grid, plan.doppler, band=band, aperture=aperture, threads=threads, progress=progress
    )
    return FormedStrip(pixels, plan, collection.history, band, aperture)


def looks_of(pixels: npt.NDArray[np.complexfloating], looks: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Amplitude whose square is the mean power of neighbouring pixels.

    Parameters
    ----------
    pixels
        Shape (rows, cols).
    looks
        How many rows and columns are averaged; what is left over at the ends is cut off.

    Returns
    -------
    ndarray of float32, shape (rows // looks[0], cols // looks[1])

    Raises
    ------
    InputError
        Fewer than one look, or more than there are pixels.
    """
    rows, cols = (size // max(1, number) for size, number in zip(pixels.shape, looks, strict=True))
    if min(looks) < 1 or min(rows, cols) < 1:
        raise InputError(
            Message(
                "{looks} looks of {shape} pixels", {"looks": "{} x {}".format(*looks), "shape": "{} x {}".format(*pixels.shape)}
            ),
            hint=Message("Average at least one pixel, and at most as many as there are, along each axis."),
            field="looks",
        )
    cut = pixels[: rows * looks[0], : cols * looks[1]]
    power = np.square(cut.real, dtype=np.float32) + np.square(cut.imag, dtype=np.float32)
    return np.asarray(np.sqrt(power.reshape(rows, looks[0], cols, looks[1]).mean(axis=(1, 3), dtype=np.float64)), np.float32)
