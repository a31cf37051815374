"""Phase history: what a radar heard, pulse by pulse and frequency by frequency, and where its antenna stood."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SPEED_OF_LIGHT_M_S", "PhaseHistory", "join"]

type Floats = npt.NDArray[np.float64]
type Samples = npt.NDArray[np.complex64]

SPEED_OF_LIGHT_M_S = 299_792_458.0


@dataclass(frozen=True, slots=True)
class PhaseHistory:
    """Deramped spotlight phase history with its phase referred to the scene's centre.

    A scatterer at range R of a pulse contributes exp(-4j pi f (R - r0) / c) at frequency f.

    Parameters
    ----------
    samples
        Complex samples, shape (pulses, frequencies).
    frequencies_hz
        Ascending, evenly spaced frequencies, shape (frequencies,).
    positions_m
        Antenna phase centres, shape (pulses, 3), metres in the scene's right-handed frame (z up, zero at the scene's centre).
    reference_range_m
        r0: range to which each pulse's phase is referred, shape (pulses,), metres.
    polarisation
        Transmitted and received polarisation, such as ``"HH"``.
    range_correction_m, phase_correction_rad
        Autofocus solution, both or neither, shape (pulses,): add the one to r0 and multiply the samples by exp(+j) of the other.
    times_s
        When each pulse met the scene, shape (pulses,), seconds after the collection's start; None where the data carry no times.
    """

    samples: Samples
    frequencies_hz: Floats
    positions_m: Floats
    reference_range_m: Floats
    polarisation: str
    range_correction_m: Floats | None = None
    phase_correction_rad: Floats | None = None
    times_s: Floats | None = None

    @property
    def pulses(self) -> int:
        """Number of pulses."""
        return len(self.samples)

    @property
    def centre_frequency_hz(self) -> float:
        """Middle of the band, hertz."""
        return 0.5 * float(self.frequencies_hz[0] + self.frequencies_hz[-1])

    @property
    def frequency_step_hz(self) -> float:
        """Spacing of the frequencies, hertz."""
        return float(self.frequencies_hz[-1] - self.frequencies_hz[0]) / (len(self.frequencies_hz) - 1)

    @property
    def bandwidth_hz(self) -> float:
        """Bandwidth that the samples stand for, hertz: one step for each sample."""
        return self.frequency_step_hz * len(self.frequencies_hz)

    @property
    def unambiguous_range_m(self) -> float:
        """Slant range over which a scatterer is not mistaken for another, c / (2 df), metres."""
        return SPEED_OF_LIGHT_M_S / (2.0 * self.frequency_step_hz)

    @property
    def centre_position_m(self) -> Floats:
        """Antenna position halfway through the aperture, shape (3,), scene metres."""
        half = 0.5 * (self.pulses - 1)
        return np.asarray(0.5 * (self.positions_m[math.floor(half)] + self.positions_m[math.ceil(half)]), np.float64)

    @property
    def grazing_rad(self) -> float:
        """Angle of the aperture's centre above the scene's horizontal plane, seen from the scene's centre."""
        x, y, z = self.centre_position_m
        return math.atan2(z, math.hypot(x, y))

    @property
    def aperture_rad(self) -> float:
        """Azimuth that the pulses stand for, seen from the scene's centre in the horizontal plane: one step for each pulse."""
        azimuth = np.unwrap(np.arctan2(self.positions_m[:, 1], self.positions_m[:, 0]))
        return abs(float(azimuth[-1] - azimuth[0])) * self.pulses / (self.pulses - 1)

    def autofocused(self) -> PhaseHistory:
        """History with the autofocus solution applied: range and phase together, for one without the other blurs the image.

        Raises
        ------
        InputError
            The history holds no autofocus solution.
        """
        if self.range_correction_m is None or self.phase_correction_rad is None:
            raise InputError(
                Message("this phase history holds no autofocus solution"),
                hint=Message("Form the image without it."),
                field="af",
            )
        turn = np.exp(1j * self.phase_correction_rad)[:, None]
        return replace(
            self,
            samples=(self.samples * turn).astype(np.complex64),
            reference_range_m=self.reference_range_m + self.range_correction_m,
            range_correction_m=None,
            phase_correction_rad=None,
        )


def _joined(first: Floats | None, second: Floats | None) -> Floats | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _join_two(first: PhaseHistory, second: PhaseHistory) -> PhaseHistory:
    if first.polarisation != second.polarisation:
        raise InputError(
            Message(
                "the files hold different polarisations: {first} and {second}",
                {"first": first.polarisation, "second": second.polarisation},
            ),
            hint=Message("Form one image for each polarisation."),
            field="polarisation",
        )
    if not np.array_equal(first.frequencies_hz, second.frequencies_hz):
        raise InputError(
            Message("the files hold different frequencies"),
            hint=Message("Join only files of one pass, which share the radar's frequencies."),
            field="freq",
        )
    return PhaseHistory(
        samples=np.concatenate([first.samples, second.samples]),
        frequencies_hz=first.frequencies_hz,
        positions_m=np.concatenate([first.positions_m, second.positions_m]),
        reference_range_m=np.concatenate([first.reference_range_m, second.reference_range_m]),
        polarisation=first.polarisation,
        range_correction_m=_joined(first.range_correction_m, second.range_correction_m),
        phase_correction_rad=_joined(first.phase_correction_rad, second.phase_correction_rad),
        times_s=_joined(first.times_s, second.times_s),
    )


def join(histories: Sequence[PhaseHistory]) -> PhaseHistory:
    """One history out of consecutive ones of the same pass, in the order given.

    Parameters
    ----------
    histories
        One or more histories with the same frequencies and polarisation.

    Returns
    -------
    PhaseHistory
        All pulses, in order.

    Raises
    ------
    InputError
        No history, or histories that do not belong together.
    """
    if not histories:
        raise InputError(Message("no phase history was given; one or more is needed"), hint=Message("Name at least one file."))
    return reduce(_join_two, histories)
