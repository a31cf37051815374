"""Satellites whose states are given at instants, and their tracks between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.frames import eme2000_to_ecef, gmst_rad, turned
from kizuna.earth.orbit import NODES, Track, track_through
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.instants import Instant

__all__ = ["Frame", "States", "track_of_states"]

type Floats = npt.NDArray[np.float64]

_LARGEST_ERROR_M = 0.1


class Frame(StrEnum):
    """Axes of states."""

    ECEF = "ECEF"
    TEME = "TEME"
    EME2000 = "EME2000"


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """States of a satellite.

    Parameters
    ----------
    name
        What it is called.
    epoch
        What the times count from.
    seconds
        Times, rising, shape (n,).
    position_m, velocity_m_s
        Positions and velocities in `frame`, shape (n, 3); those in ECEF are against the turning Earth.
    frame
        Axes.
    """

    name: str
    epoch: Instant
    seconds: Floats
    position_m: Floats
    velocity_m_s: Floats
    frame: Frame

    def at(self, seconds: Floats) -> Floats:
        """Positions at times within the states, shape (n,), in the states' frame, shape (n, 3), metres.

        Notes
        -----
        Polynomial through the twelve positions about each time (fewer where there are fewer), by Newton's divided differences.
        The velocities are left aside: where they are not quite the derivative of the positions, as those of SGP4, they would
        draw the path off by metres.
        """
        nodes = min(NODES, len(self.seconds))
        first = np.clip(np.searchsorted(self.seconds, seconds, side="right") - nodes // 2, 0, len(self.seconds) - nodes)
        which = first[:, None] + np.arange(nodes)
        times, differences = self.seconds[which], self.position_m[which]
        found, product = differences[:, 0].copy(), np.ones(len(seconds))
        for order in range(1, nodes):
            differences = np.diff(differences, axis=1) / (times[:, order:] - times[:, :-order])[..., None]
            product = product * (seconds - times[:, order - 1])
            found += product[:, None] * differences[:, 0]
        return np.asarray(found, np.float64)


def track_of_states(segments: Sequence[States], epoch: Instant, duration_s: float) -> Track:
    """Track through the states of one satellite; between segments and outside them nothing is known.

    Parameters
    ----------
    segments
        States in the order of time.
    epoch, duration_s
        Begin and length of the time asked for.

    Returns
    -------
    Track
        From where states begin within that time to the first gap.

    Raises
    ------
    InputError
        No states lie in that time, or they lie too far apart to be followed.
    """
    offsets = [(one.epoch - epoch).total_seconds() for one in segments]
    spans = [(offset + one.seconds[0], offset + one.seconds[-1]) for offset, one in zip(offsets, segments, strict=True)]
    here = [begin for begin, end in spans if begin <= duration_s and end >= 0.0]
    if not here:
        raise InputError(
            Message(
                "{name}: its states begin at {begin}, and none lies in the time asked for",
                {"name": segments[0].name, "begin": format_instant(segments[0].epoch)},
            ),
            hint=Message("take the ephemeris of that time, or leave the satellite out"),
            field="elements",
        )
    begin_s = max(min(here), 0.0)

    def where(seconds: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        times = np.asarray(seconds, np.float64) + begin_s
        position, known = np.zeros((len(times), 3)), np.zeros(len(times), np.bool_)
        for one, offset, (first, last) in zip(segments, offsets, spans, strict=True):
            inside = np.flatnonzero((times >= first - 1e-6) & (times <= last + 1e-6))
            if inside.size:
                position[inside] = one.at(np.clip(times[inside], first, last) - offset)
                known[inside] = True
        for frame in Frame:
            rows = np.flatnonzero(known) if all(one.frame is frame for one in segments) else np.empty(0, np.intp)
            if rows.size and frame is Frame.TEME:
                position[rows] = turned(position[rows], gmst_rad(epoch, times[rows]))
            elif rows.size and frame is Frame.EME2000:
                position[rows] = eme2000_to_ecef(position[rows], epoch, times[rows])
        return position, known

    if len({one.frame for one in segments}) > 1:
        raise InputError(
            Message("{name}: its states stand in several frames", {"name": segments[0].name}),
            hint=Message("convert them to one"),
            field="elements",
        )
    step_s = min(120.0, float(np.median(np.diff(segments[0].seconds))) * 2.0)
    return track_through(where, epoch, duration_s - begin_s, step_s, begin_s=begin_s, error_m=_LARGEST_ERROR_M)
