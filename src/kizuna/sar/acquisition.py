"""An acquisition: a collection before it is flown: where the radar stands at each pulse, and which frequencies it sends.

The track is any function of time. One is given here: a circular orbit over the turning Earth, laid so that a place is seen under
a wanted angle; the positions of a real satellite, from its elements, do as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.frames import EARTH_RATE_RAD_S
from kizuna.earth.wgs84 import SEMI_MAJOR_AXIS_M, enu_basis
from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.earth.scene import LocalScene
    from kizuna.earth.wgs84 import Geodetic

__all__ = ["Acquisition", "Beam", "CircularOrbit", "Radar", "pass_over", "spotlight", "sun_synchronous_inclination_rad"]

type Floats = npt.NDArray[np.float64]

GRAVITATIONAL_PARAMETER_M3_S2 = 3.986004418e14
"""WGS 84 (NGA.STND.0036, table 3.1)."""

_J2 = 1.08262982e-3
_YEAR_S = 365.2421897 * 86400.0
_AZIMUTHS = 720
_COARSE_S, _FINE_S = 20.0, 1e-4
_INCIDENCES_RAD = (math.radians(20.0), math.radians(55.0))
_MARGIN = 1.2
"""How much farther than the scene's sides the samples tell apart: heights lay over, and corners stand askew."""


@dataclass(frozen=True, slots=True)
class Radar:
    """What a radar sends and how well it hears, for one mode.

    Parameters
    ----------
    name
        Sensor.
    centre_frequency_hz, bandwidth_hz
        Band.
    azimuth_resolution_m
        -3 dB width across the line of sight that the aperture is long enough for, uniformly weighted, metres.
    noise_equivalent_sigma0_db
        sigma0 whose echo is as strong as the noise, decibels.
    polarisation
        Transmitted and received, such as ``"HH"``.
    assumed
        Names of the parameters above that the operator does not publish.
    """

    name: str
    centre_frequency_hz: float
    bandwidth_hz: float
    azimuth_resolution_m: float
    noise_equivalent_sigma0_db: float
    polarisation: str
    assumed: tuple[str, ...] = ()

    @property
    def wavelength_m(self) -> float:
        """Wavelength at the middle of the band."""
        return SPEED_OF_LIGHT_M_S / self.centre_frequency_hz


@dataclass(frozen=True, slots=True)
class Beam:
    """A beam that goes along with the satellite: a scatterer is lit while its Doppler frequency lies within a band about zero.

    Parameters
    ----------
    width_hz
        Of that band.
    dwell_s
        How long a scatterer in the middle of the scene is lit.
    points_m
        Middle of what each pulse lights, shape (pulses, 3), scene metres, on the surface of the place's height.
    velocities_m_s
        Of the antenna at each pulse, shape (pulses, 3), in the scene's frame.
    extent_m
        Sides of the strip, away from the radar and along it, metres.
    """

    width_hz: float
    dwell_s: float
    points_m: Floats
    velocities_m_s: Floats
    extent_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Pulses to be sent: what a `PhaseHistory` holds besides the samples.

    Parameters
    ----------
    scene
        Where the scene lies.
    radar
        What sees it.
    times_s
        When each pulse meets the scene, shape (pulses,), seconds after the first.
    positions_m
        Antenna at each pulse, shape (pulses, 3), metres in the scene's east-north-up frame.
    frequencies_hz
        Ascending, evenly spaced frequencies, shape (frequencies,).
    beam
        Of a strip; None where all of the scene is lit by every pulse.
    """

    scene: LocalScene
    radar: Radar
    times_s: Floats
    positions_m: Floats
    frequencies_hz: Floats
    beam: Beam | None = None

    @property
    def middle_m(self) -> Floats:
        """Antenna at the middle pulse, shape (3,), scene metres."""
        return np.asarray(self.positions_m[len(self.positions_m) // 2], np.float64)

    @property
    def incidence_rad(self) -> float:
        """Angle between the line of sight and the vertical, at the scene's centre in the middle of the aperture."""
        return math.acos(float(self.middle_m[2] / np.linalg.norm(self.middle_m)))

    @property
    def lit_share(self) -> float:
        """Share of the pulses that light a scatterer: 1 but for strips."""
        if self.beam is None:
            return 1.0
        return self.beam.dwell_s / float(self.times_s[-1] - self.times_s[0]) * (1.0 - 1.0 / len(self.times_s))

    @property
    def ground_cell_m2(self) -> float:
        """Area on the ground that one resolution cell of an unweighted image stands for: 1 / (both spatial bandwidths)."""
        across = np.linalg.norm(self.middle_m[:2]) / np.linalg.norm(self.middle_m)
        steps = len(self.frequencies_hz) / (len(self.frequencies_hz) - 1)
        band_hz = float(self.frequencies_hz[-1] - self.frequencies_hz[0]) * steps
        ground_range = 2.0 * band_hz * float(across) / SPEED_OF_LIGHT_M_S
        azimuth = np.unwrap(np.arctan2(self.positions_m[:, 1], self.positions_m[:, 0]))
        turned = abs(float(azimuth[-1] - azimuth[0])) * len(azimuth) / (len(azimuth) - 1) * self.lit_share
        return 1.0 / (ground_range * 2.0 * float(across) * turned / self.radar.wavelength_m)


@dataclass(frozen=True, slots=True)
class CircularOrbit:
    """A circular two-body orbit, seen from the turning Earth; the frames coincide at time zero.

    Parameters
    ----------
    position_m, velocity_m_s
        State at time zero, shape (3,), in the inertial frame that then coincides with ECEF.
    """

    position_m: Floats
    velocity_m_s: Floats

    def positions_ecef_m(self, times_s: Floats) -> Floats:
        """Positions in ECEF, shape (..., 3), metres, at `times_s`, shape (...)."""
        times = np.asarray(times_s, np.float64)[..., None]
        radius = np.linalg.norm(self.position_m)
        rate = np.linalg.norm(self.velocity_m_s) / radius
        inertial = self.position_m * np.cos(rate * times) + self.velocity_m_s / rate * np.sin(rate * times)
        turned = EARTH_RATE_RAD_S * times[..., 0]
        cosine, sine = np.cos(turned), np.sin(turned)
        return np.stack(
            [
                inertial[..., 0] * cosine + inertial[..., 1] * sine,
                inertial[..., 1] * cosine - inertial[..., 0] * sine,
                inertial[..., 2],
            ],
            axis=-1,
        )

    @classmethod
    def seeing(
        cls,
        place: Geodetic,
        *,
        height_m: float,
        inclination_rad: float,
        incidence_rad: float,
        ascending: bool,
        looks_right: bool,
    ) -> CircularOrbit:
        """Orbit that sees a place at zero Doppler at time zero, under a given incidence.

        Parameters
        ----------
        place
            What is seen.
        height_m
            Height of the orbit above the equator, metres.
        inclination_rad
            Inclination of the orbit.
        incidence_rad
            Angle between the line of sight and the ellipsoid's normal at the place.
        ascending, looks_right
            Which way the satellite flies, and on which side of it the place lies.

        Raises
        ------
        InputError
            No such orbit sees the place so.

        Notes
        -----
        The satellite lies on the cone of the incidence about the normal, where the cone meets the orbit's sphere. Of each such
        point the inclination gives the heading (cos i = cos(latitude) sin(heading)); the azimuth is where the line of sight is
        at right angles to the velocity over the turning Earth.
        """
        target = place.ecef_m()
        azimuths = np.linspace(0.0, math.tau, _AZIMUTHS, endpoint=False)

        def state(azimuth: Floats) -> tuple[Floats, Floats, Floats]:
            east, north, up = enu_basis(place.latitude_rad, place.longitude_rad)
            sight = (
                math.sin(incidence_rad) * (np.sin(azimuth)[:, None] * east + np.cos(azimuth)[:, None] * north)
                + math.cos(incidence_rad) * up
            )
            along = sight @ target
            radius = SEMI_MAJOR_AXIS_M + height_m
            position = target + (np.sqrt(along**2 + radius**2 - target @ target) - along)[:, None] * sight
            cosine_latitude = np.hypot(position[:, 0], position[:, 1]) / radius
            east_of = np.stack([-position[:, 1], position[:, 0], np.zeros(len(position))], axis=-1)
            east_of /= np.linalg.norm(east_of, axis=-1, keepdims=True)
            north_of = np.cross(position / radius, east_of)
            with np.errstate(invalid="ignore"):
                sine = math.cos(inclination_rad) / cosine_latitude
                cosine = np.sqrt(1.0 - sine**2) * (1.0 if ascending else -1.0)
            speed = math.sqrt(GRAVITATIONAL_PARAMETER_M3_S2 / radius)
            velocity = speed * (sine[:, None] * east_of + cosine[:, None] * north_of)
            over_ground = velocity - EARTH_RATE_RAD_S * np.stack(
                [-position[:, 1], position[:, 0], np.zeros(len(position))], axis=-1
            )
            sideways = np.einsum("ij,ij->i", np.cross(over_ground, position), target - position)  # positive to the right
            doppler = np.einsum("ij,ij->i", over_ground, target - position)
            doppler[(sideways > 0.0) != looks_right] = math.nan
            return position, velocity, doppler

        doppler = state(azimuths)[2]
        crossings = np.flatnonzero(doppler * np.roll(doppler, -1) <= 0.0)
        if not len(crossings):
            raise InputError(
                Message(
                    "no orbit of inclination {inclination} degrees sees latitude {latitude} degrees so",
                    {"inclination": round(math.degrees(inclination_rad), 2), "latitude": round(place.latitude_deg, 2)},
                ),
                hint=Message("Choose an inclination above the latitude, the other look side, or another incidence."),
                field="inclination",
            )
        low, high = azimuths[crossings[0]], azimuths[crossings[0]] + math.tau / _AZIMUTHS
        rising = state(np.array([high]))[2][0] > 0.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            if (state(np.array([middle]))[2][0] > 0.0) == rising:
                high = middle
            else:
                low = middle
        position, velocity, _ = state(np.array([0.5 * (low + high)]))
        return cls(position[0], velocity[0])


def sun_synchronous_inclination_rad(height_m: float) -> float:
    """Inclination at which the Earth's flattening turns a circular orbit once a year.

    Notes
    -----
    dOmega/dt = -3/2 J2 n (R/a)^2 cos i (Vallado 2013, equation 9-38).

    Examples
    --------
    >>> round(math.degrees(sun_synchronous_inclination_rad(575e3)), 2)
    97.69
    """
    radius = SEMI_MAJOR_AXIS_M + height_m
    rate = math.sqrt(GRAVITATIONAL_PARAMETER_M3_S2 / radius**3)
    return math.acos(-math.tau / _YEAR_S / (1.5 * _J2 * rate * (SEMI_MAJOR_AXIS_M / radius) ** 2))


def pass_over(
    scene: LocalScene,
    track_ecef_m: Callable[[Floats], Floats],
    *,
    duration_s: float,
    incidence_rad: tuple[float, float] = _INCIDENCES_RAD,
) -> float:
    """When a satellite first stands closest to a scene, at zero Doppler, and sees it under a wanted incidence.

    Parameters
    ----------
    scene
        Where the scene lies.
    track_ecef_m
        Positions in ECEF, shape (n, 3), metres, of times in seconds, shape (n,).
    duration_s
        Latest time that is looked at, from zero.
    incidence_rad
        Least and greatest angle between the line of sight and the vertical.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InputError
        There is no such pass.
    """
    margin_s = 2.0 * _COARSE_S
    times = np.arange(margin_s, duration_s - margin_s, _COARSE_S)
    ranges = np.linalg.norm(scene.from_ecef(track_ecef_m(times)), axis=1)
    for number in np.flatnonzero((ranges[1:-1] <= ranges[:-2]) & (ranges[1:-1] < ranges[2:])) + 1:
        low, high = float(times[number - 1]), float(times[number + 1])
        while high - low > _FINE_S:
            first, second = low + (high - low) / 3.0, high - (high - low) / 3.0
            near = np.linalg.norm(scene.from_ecef(track_ecef_m(np.array([first, second]))), axis=1)
            low, high = (low, second) if near[0] < near[1] else (first, high)
        found = 0.5 * (low + high)
        antenna = scene.from_ecef(track_ecef_m(np.array([found])))[0]
        incidence = math.acos(float(antenna[2] / np.linalg.norm(antenna)))
        if incidence_rad[0] <= incidence <= incidence_rad[1]:
            return found
    raise InputError(
        Message(
            "no pass within {hours} hours sees the scene under {least} to {most} degrees",
            {
                "hours": round(duration_s / 3600.0, 1),
                "least": round(math.degrees(incidence_rad[0]), 1),
                "most": round(math.degrees(incidence_rad[1]), 1),
            },
        ),
        hint=Message("Look farther ahead, or take another satellite."),
        field="elements",
    )


def spotlight(
    scene: LocalScene, radar: Radar, track_ecef_m: Callable[[Floats], Floats], *, extent_m: float, middle_s: float = 0.0
) -> Acquisition:
    """Acquisition that resolves what the radar promises over a square scene, with no more samples than that needs.

    Parameters
    ----------
    scene
        Where the scene lies.
    radar
        Band and resolution.
    track_ecef_m
        Positions in ECEF, shape (n, 3), metres, of times in seconds, shape (n,).
    extent_m
        Side of the scene, metres: decides how finely pulses and frequencies are spaced.
    middle_s
        Time of the track at the middle of the aperture.

    Returns
    -------
    Acquisition
        Pulses evenly spaced in time.

    Raises
    ------
    InputError
        The scene's side is not positive, or the satellite is below its horizon.

    Notes
    -----
    The line of sight turns by 0.886 wavelength / (2 azimuth resolution) (Jakowatz et al. 1996, section 2.4). A scene of side L
    needs pulses closer than c / (2 f L) of turn and frequencies closer than c / (2 L sin(incidence)); both are kept with a
    margin of a fifth.
    """
    if not extent_m > 0.0:
        raise InputError(
            Message("a scene of {extent} m cannot be observed", {"extent": extent_m}),
            hint=Message("Give a positive extent in metres."),
            field="extent_m",
        )
    middle = scene.from_ecef(track_ecef_m(np.array([middle_s])))[0]
    if middle[2] <= 0.0:
        raise InputError(
            Message("the satellite is below the scene's horizon"),
            hint=Message("Choose another time or another place."),
            field="middle_s",
        )

    def turn_rad(half_s: float) -> float:
        ends = scene.from_ecef(track_ecef_m(np.array([middle_s - half_s, middle_s + half_s])))
        ends /= np.linalg.norm(ends, axis=1, keepdims=True)
        return float(2.0 * np.arcsin(0.5 * np.linalg.norm(ends[1] - ends[0])))

    wanted = HALF_POWER_WIDTH_OF_SINC * radar.wavelength_m / (2.0 * radar.azimuth_resolution_m)
    half_s = 1.0
    for _ in range(8):  # the turn is nearly proportional to the time: each round gains three digits
        half_s *= wanted / turn_rad(half_s)
    highest_hz = radar.centre_frequency_hz + 0.5 * radar.bandwidth_hz
    pulses = math.ceil(_MARGIN * extent_m * wanted * 2.0 * highest_hz / SPEED_OF_LIGHT_M_S)
    across = float(np.linalg.norm(middle[:2]) / np.linalg.norm(middle))
    count = math.ceil(_MARGIN * extent_m * across * 2.0 * radar.bandwidth_hz / SPEED_OF_LIGHT_M_S)
    # Each sample stands for one step, so that the ends of the band and of the aperture lie half a step beyond the last ones.
    times: Floats = (np.arange(pulses, dtype=np.float64) - 0.5 * (pulses - 1)) * (2.0 * half_s / pulses)
    frequencies: Floats = radar.centre_frequency_hz + (np.arange(count, dtype=np.float64) - 0.5 * (count - 1)) * (
        radar.bandwidth_hz / count
    )
    return Acquisition(scene, radar, times - times[0], scene.from_ecef(track_ecef_m(middle_s + times)), frequencies)
