"""A radar collection: phase history, where on the Earth and when it was gathered, by what, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from kizuna.earth.scene import LocalScene
    from kizuna.model.instants import Instant
    from kizuna.sar.history import PhaseHistory

__all__ = ["Collection", "ErrorStatistics", "Mode", "Radiometry", "Track", "Waveform", "track_of"]

type Floats = npt.NDArray[np.float64]

_TRACK_DEGREE = 5
_FEWEST_PULSES = 2


class Mode(StrEnum):
    """How the beam was steered, in the words of SICD, CPHD and CRSD."""

    SPOTLIGHT = "SPOTLIGHT"
    STRIPMAP = "STRIPMAP"
    DYNAMIC_STRIPMAP = "DYNAMIC STRIPMAP"


@dataclass(frozen=True, slots=True)
class Waveform:
    """What one pulse was.

    Parameters
    ----------
    pulse_s
        Its length.
    chirp_hz_s
        Rate of its linear frequency modulation, negative for a falling one.
    sample_rate_hz
        Of the receiver.
    """

    pulse_s: float
    chirp_hz_s: float
    sample_rate_hz: float


@dataclass(frozen=True, slots=True)
class Radiometry:
    """What the samples' magnitude means.

    Parameters
    ----------
    rcs_m2
        Radar cross section of a scatterer whose samples have magnitude 1.
    noise_power
        Mean squared magnitude of the noise in one sample.
    """

    rcs_m2: float
    noise_power: float


@dataclass(frozen=True, slots=True)
class ErrorStatistics:
    """Standard deviations of what the place of an image rests on.

    Parameters
    ----------
    position_m, velocity_m_s
        Of the antenna: radial, along the track, across it.
    range_bias_m
        Of the range, as one way.
    """

    position_m: tuple[float, float, float]
    velocity_m_s: tuple[float, float, float]
    range_bias_m: float


@dataclass(frozen=True, slots=True)
class Collection:
    """One channel of a collection.

    Parameters
    ----------
    history
        Pulses; its frame is east-north-up of `scene`, and its `times_s` are known.
    scene
        Where its zero lies on the Earth.
    start
        Instant that `history.times_s` count from.
    name
        Identifier of the collection.
    sensor
        Name of the radar.
    mode, mode_name
        How the beam was steered; what the operator calls it.
    reference_points_m
        Point that each pulse's reference range leads to, shape (pulses, 3), scene metres; None where it is the zero of the scene.
    extent_m
        Lengths of the imaged area away from the radar and across, metres; None for what the sampling allows.
    dwell_s
        How long a strip's beam lights the middle of that area; None for the whole collection, or where it is not known.
    waveform, radiometry, errors
        None where they are not known.
    notes
        What was assumed or assigned: names and sentences, which go into every file as parameters.
    """

    history: PhaseHistory
    scene: LocalScene
    start: Instant
    name: str
    sensor: str
    mode: Mode = Mode.SPOTLIGHT
    mode_name: str = ""
    reference_points_m: Floats | None = None
    extent_m: tuple[float, float] | None = None
    dwell_s: float | None = None
    waveform: Waveform | None = None
    radiometry: Radiometry | None = None
    errors: ErrorStatistics | None = None
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def points_m(self) -> Floats:
        """Point that each pulse's reference range should lead to, shape (pulses, 3), scene metres."""
        if self.reference_points_m is not None:
            return self.reference_points_m
        return np.zeros_like(self.history.positions_m)

    def referred(self) -> Collection:
        """The same echoes with each pulse's phase referred to the range of its own reference point, exactly.

        Autofocus moves reference ranges by fractions of a wavelength; CPHD and CRSD have no place for that but the samples.
        """
        history = self.history
        ranges = np.linalg.norm(history.positions_m - self.points_m, axis=-1)
        change = ranges - history.reference_range_m
        if not change.any():
            return self
        turns = 2.0 / SPEED_OF_LIGHT_M_S * change[:, None] * history.frequencies_hz
        samples = history.samples * np.exp(2j * np.pi * (turns - np.rint(turns)))
        return replace(self, history=replace(history, samples=samples.astype(np.complex64), reference_range_m=ranges))


@dataclass(frozen=True, slots=True)
class Track:
    """Path of the antenna, smooth in time.

    Parameters
    ----------
    coefficients
        Polynomial of seconds, lowest power first, shape (degree + 1, 3), metres in the scene's frame.
    residual_m
        Greatest distance of a pulse's antenna from it.
    """

    coefficients: Floats
    residual_m: float

    def at(self, times_s: npt.ArrayLike, *, derivative: int = 0) -> Floats:
        """Position, or a derivative of it, shape (..., 3), at times of shape (...)."""
        polynomial = np.polynomial.polynomial.polyder(self.coefficients, derivative)
        return np.moveaxis(np.asarray(np.polynomial.polynomial.polyval(np.asarray(times_s, np.float64), polynomial)), 0, -1)


def track_of(history: PhaseHistory, *, degree: int = _TRACK_DEGREE) -> Track:
    """Polynomial path through the antenna positions of a history.

    Parameters
    ----------
    history
        With times.
    degree
        Of the polynomial; fewer pulses take a lower one.

    Raises
    ------
    InputError
        The history has no times, or they do not grow, or it has fewer than two pulses.
    """
    times = history.times_s
    if times is None or history.pulses < _FEWEST_PULSES or not bool((np.diff(times) > 0.0).all()):
        raise InputError(
            Message("the phase history has no pulse times that grow from pulse to pulse"),
            hint=Message("Give each pulse its time; two pulses are the fewest."),
            field="times_s",
        )
    # Fitted about the middle and in units of half the span: powers of raw seconds make the fit needlessly ill-conditioned.
    middle, half = 0.5 * (times[0] + times[-1]), 0.5 * (times[-1] - times[0])
    scaled = np.polynomial.polynomial.polyfit((times - middle) / half, history.positions_m, min(degree, history.pulses - 1))
    step = np.polynomial.Polynomial([-middle / half, 1.0 / half])
    coefficients = np.stack([_composed(column, step, len(scaled)) for column in scaled.T], axis=-1)
    track = Track(coefficients, 0.0)
    residual = np.linalg.norm(track.at(times) - history.positions_m, axis=-1)
    return replace(track, residual_m=float(residual.max()))


def _composed(coefficients: Floats, inner: np.polynomial.Polynomial, length: int) -> Floats:
    found = np.zeros(length)
    composed = np.polynomial.Polynomial(coefficients)(inner).coef
    found[: len(composed)] = composed
    return found
