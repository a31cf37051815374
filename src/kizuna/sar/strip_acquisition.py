"""A strip before it is flown: pulses while a beam goes along the ground, and what each of them lights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.wgs84 import ECCENTRICITY_SQUARED, SEMI_MAJOR_AXIS_M
from kizuna.errors import InputError, Message
from kizuna.sar.acquisition import Acquisition, Beam
from kizuna.sar.collection import track_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.earth.scene import LocalScene
    from kizuna.sar.acquisition import Radar

__all__ = ["doppler_hz", "drop_m", "stripmap"]

type Floats = npt.NDArray[np.float64]

_MARGIN = 1.2
"""How much wider than the swath the frequencies tell apart, as of spotlights."""
_RATE_SHARE = 1.25
"""Pulses for each hertz of the Doppler band."""
_SPARE_PULSES = 3
_ROUNDS = 6
_STEP_S = 0.5


def drop_m(scene: LocalScene, east_m: npt.ArrayLike, north_m: npt.ArrayLike) -> Floats:
    """How far the surface of the scene's height lies below its horizontal plane, metres.

    Parameters
    ----------
    scene
        Where the frame lies.
    east_m, north_m
        Places on the plane, any shape.

    Notes
    -----
    Squares of the distances over twice the radii of curvature (NGA.STND.0036, section 4): 0.1 m off at 40 km, 1 mm at 10 km.
    """
    square = 1.0 - ECCENTRICITY_SQUARED * math.sin(scene.origin.latitude_rad) ** 2
    across = SEMI_MAJOR_AXIS_M / math.sqrt(square) + scene.origin.height_m
    along = SEMI_MAJOR_AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / square**1.5 + scene.origin.height_m
    return np.asarray(0.5 * (np.square(east_m) / across + np.square(north_m) / along), np.float64)


def doppler_hz(places_m: Floats, antenna_m: Floats, velocity_m_s: Floats, frequency_hz: float) -> Floats:
    """Doppler frequency of places at rest, positive ahead of the antenna; shapes (..., 3) that broadcast."""
    away = places_m - antenna_m
    return np.asarray(
        2.0 * frequency_hz / SPEED_OF_LIGHT_M_S * (away * velocity_m_s).sum(axis=-1) / np.linalg.norm(away, axis=-1), np.float64
    )


def stripmap(
    scene: LocalScene,
    radar: Radar,
    track_ecef_m: Callable[[Floats], Floats],
    *,
    swath_m: float,
    length_m: float,
    middle_s: float = 0.0,
) -> Acquisition:
    """Acquisition of a strip about a scene's centre, with a beam at zero Doppler.

    Parameters
    ----------
    scene
        Where the strip's middle lies.
    radar
        Band and resolution.
    track_ecef_m
        Positions in ECEF, shape (n, 3), metres, of times in seconds, shape (n,).
    swath_m
        Width of the strip on the ground, away from the radar.
    length_m
        Length along the ground over which every place is lit for its whole dwell.
    middle_s
        Time of the track at which the beam's middle passes the scene's centre.

    Returns
    -------
    Acquisition
        Pulses at an even rate, a quarter more than the Doppler band, with a `Beam`.

    Raises
    ------
    InputError
        A side that is not positive, or a satellite below the scene's horizon.

    Notes
    -----
    A resolution d of the ground takes a Doppler band of 0.886 v / d, v being the speed of the beam over the ground (Cumming and
    Wong 2005, section 4.3); a scatterer passes that band in the band over the Doppler rate.
    """
    for name, value in (("swath_m", swath_m), ("length_m", length_m)):
        if not value > 0.0:
            raise InputError(
                Message("a strip of {got} m cannot be observed", {"got": value}),
                hint=Message("Give a positive swath and length in metres."),
                field=name,
            )
    around = scene.from_ecef(track_ecef_m(middle_s + _STEP_S * np.array([-1.0, 0.0, 1.0])))
    if around[1, 2] <= 0.0:
        raise InputError(
            Message("the satellite is below the scene's horizon"),
            hint=Message("Choose another time or another place."),
            field="middle_s",
        )
    velocity = (around[2] - around[0]) / (2.0 * _STEP_S)
    ranges = np.linalg.norm(around, axis=-1)
    bend = float(ranges[0] - 2.0 * ranges[1] + ranges[2]) / _STEP_S**2
    feet = _lit_points(scene, around[1], around, np.broadcast_to(velocity, (3, 3)) + _turning(around))
    speed = float(np.linalg.norm(feet[2] - feet[0])) / (2.0 * _STEP_S)
    width = HALF_POWER_WIDTH_OF_SINC * speed / radar.azimuth_resolution_m
    dwell = width * SPEED_OF_LIGHT_M_S / (2.0 * radar.centre_frequency_hz * bend)
    interval = 1.0 / (_RATE_SHARE * width)
    across = math.hypot(float(around[1, 0]), float(around[1, 1])) / float(ranges[1])
    # The far edge is lit for longer than the middle.
    farthest = 1.0 + swath_m * across / float(ranges[1])
    pulses = math.ceil((farthest * dwell + length_m / speed) / interval) + _SPARE_PULSES
    times: Floats = (np.arange(pulses, dtype=np.float64) - 0.5 * (pulses - 1)) * interval
    positions = scene.from_ecef(track_ecef_m(middle_s + times))
    bare = PhaseHistory(
        np.zeros((pulses, 1), np.complex64),
        np.array([radar.centre_frequency_hz]),
        positions,
        np.zeros(pulses),
        radar.polarisation,
        times_s=times,
    )
    velocities = track_of(bare).at(times, derivative=1)
    # The edges of the dwell are farther than its middle.
    walk_m = bend * (0.5 * dwell) ** 2
    count = math.ceil(_MARGIN * (swath_m * across + walk_m) * 2.0 * radar.bandwidth_hz / SPEED_OF_LIGHT_M_S)
    frequencies: Floats = radar.centre_frequency_hz + (np.arange(count, dtype=np.float64) - 0.5 * (count - 1)) * (
        radar.bandwidth_hz / count
    )
    points = _lit_points(scene, around[1], positions, velocities)
    beam = Beam(width, dwell, points, velocities, (swath_m, length_m))
    return Acquisition(scene, radar, times - times[0], positions, frequencies, beam)


def _turning(around: Floats) -> Floats:
    """Change of the velocity over three positions, about the middle one, shape (3, 3)."""
    change = (around[0] - 2.0 * around[1] + around[2]) / _STEP_S**2
    return np.asarray(np.array([-_STEP_S, 0.0, _STEP_S])[:, None] * change)


def _lit_points(scene: LocalScene, middle_m: Floats, antennas_m: Floats, velocities_m_s: Floats) -> Floats:
    """Points at zero Doppler, shape (n, 3), of the surface's line through the scene's centre across the line of sight."""
    left = np.cross([0.0, 0.0, 1.0], -middle_m * [1.0, 1.0, 0.0])
    left /= np.linalg.norm(left)
    along = np.zeros(len(antennas_m))
    for _round in range(_ROUNDS):
        points = along[:, None] * left
        points[:, 2] -= drop_m(scene, points[:, 0], points[:, 1])
        along -= ((points - antennas_m) * velocities_m_s).sum(axis=-1) / (velocities_m_s @ left)
    points = along[:, None] * left
    points[:, 2] -= drop_m(scene, points[:, 0], points[:, 1])
    return np.asarray(points)
