"""Where satellites are: SGP4, and tracks over the turning Earth as polynomials that stand for it to a millimetre."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sgp4.api import SGP4_ERRORS, WGS72, Satrec

from kizuna.earth.frames import EARTH_RATE_RAD_S, gmst_rad, julian_day, turned
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.earth.elements import MeanElements
    from kizuna.model.instants import Instant

__all__ = ["Sgp4", "Track", "track_of", "track_through"]

type Floats = npt.NDArray[np.float64]
type Flags = npt.NDArray[np.bool_]

_DAY_S = 86400.0
_EPOCH_1950_JD = 2433281.5
"""SGP4 counts days of an epoch from 31 December 1949."""

NODES = 12
"""Positions that each polynomial goes through: six before and six after the middle of its piece."""

_PIECES_A_TURN = 38
_LARGEST_ERROR_M = 1e-3
_BEND_ERROR = 3e-6
"""SGP4 holds an eccentricity that drag has used up at 1e-6, all at once: there its path has a bend that no polynomial follows. In
parts of the distance from the Earth's centre; of a low orbit that is 20 m, or 3 ms."""
_HALVINGS_AT_A_BEND = 2
_HALVINGS = 8
_CHECK_EVERY = 16
_ROUGH_M = 2e-11
"""A smooth orbit leaves less in the last coefficient, which counts for 11 to the power of 11 where the nodes lie."""
_LAST_MOMENT_S = 1e-3


class Sgp4:
    """Orbit of one element set by SGP4 (WGS 72, the improved mode of Vallado 2006), seen from an epoch of one's own.

    Parameters
    ----------
    elements
        Mean elements.
    epoch
        What the times given to the methods count from.
    """

    def __init__(self, elements: MeanElements, epoch: Instant) -> None:
        self.elements = elements
        self.epoch = epoch
        midnight, fraction = julian_day(elements.epoch)
        self._satellite = Satrec()
        self._satellite.sgp4init(
            WGS72,
            "i",
            # SGP4 only carries the number along, and its binding takes no more digits than Alpha-5 has.
            elements.number % 100000,
            midnight - _EPOCH_1950_JD + fraction,
            elements.bstar_per_radius,
            elements.mean_motion_dot_rad_s2 * 3600.0,
            elements.mean_motion_dot_dot_rad_s3 * 216000.0,
            elements.eccentricity,
            elements.perigee_rad,
            elements.inclination_rad,
            elements.mean_anomaly_rad,
            elements.mean_motion_rad_s * 60.0,
            elements.node_rad,
        )
        ours, part = julian_day(epoch)
        self._epoch_min = ((ours - midnight) + (part - fraction)) * 1440.0
        # The binding counts from its own rounded epoch: what it is off is put back, so that times are exact to nanoseconds.
        self._jd = self._satellite.jdsatepoch
        self._fraction = self._satellite.jdsatepochF

    def teme(self, seconds: npt.ArrayLike) -> tuple[Floats, Floats, npt.NDArray[np.uint8]]:
        """Positions and velocities in TEME, metres and metres a second, shape (n, 3), and SGP4's error numbers (0: none).

        Parameters
        ----------
        seconds
            Times after the epoch, shape (n,).
        """
        days = (self._epoch_min + np.asarray(seconds, np.float64) / 60.0) / 1440.0
        error, position_km, velocity_km_s = self._satellite.sgp4_array(np.full(days.shape, self._jd), days + self._fraction)
        return position_km * 1e3, velocity_km_s * 1e3, error

    def ecef(self, seconds: npt.ArrayLike) -> tuple[Floats, Flags]:
        """Positions in ECEF, metres, shape (n, 3), and whether SGP4 vouches for them, shape (n,)."""
        position_m, _, error = self.teme(seconds)
        # An inclination of next to nothing makes SGP4 divide zero by zero, without an error of its own.
        known = (error == 0) & np.isfinite(position_m[:, 0])
        return turned(position_m, gmst_rad(self.epoch, seconds)), known

    def why_not(self, seconds: float) -> str:
        """SGP4's own words on why there is no position at a time."""
        return str(SGP4_ERRORS.get(int(self.teme([seconds])[2][0]), ""))


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Path of one satellite in ECEF, in pieces of equal length.

    Parameters
    ----------
    epoch
        What the times count from.
    begin_s, step_s
        Begin of the first piece, and how long each lasts, seconds.
    end_s
        When the track ends, seconds: at most the end of the last piece, earlier where the satellite decays.
    coefficients
        Shape (pieces, `NODES`, 3), metres: position = sum over k of coefficients[piece, k] u^k, with u from -1 at the begin to 1
        at the end of the piece.
    """

    epoch: Instant
    begin_s: float
    step_s: float
    end_s: float
    coefficients: Floats

    def position_ecef_m(self, seconds: npt.ArrayLike) -> Floats:
        """Positions in ECEF at times of the track, shape (n,); shape (n, 3), metres."""
        piece, u = self._place(seconds)
        return np.asarray(np.einsum("nkd,nk->nd", self.coefficients[piece], u[:, None] ** np.arange(NODES)), np.float64)

    def velocity_ecef_m_s(self, seconds: npt.ArrayLike) -> Floats:
        """Velocities against the turning Earth at times of the track, shape (n,); shape (n, 3), metres a second."""
        piece, u = self._place(seconds)
        powers = np.arange(1, NODES) * u[:, None] ** np.arange(NODES - 1)
        return np.asarray(np.einsum("nkd,nk->nd", self.coefficients[piece, 1:], powers) * (2.0 / self.step_s), np.float64)

    def _place(self, seconds: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], Floats]:
        pieces = (np.asarray(seconds, np.float64) - self.begin_s) / self.step_s
        piece = np.clip(np.floor(pieces), 0, len(self.coefficients) - 1).astype(np.intp)
        return piece, 2.0 * (pieces - piece) - 1.0


def track_of(elements: MeanElements, epoch: Instant, duration_s: float) -> Track:
    """Track of an element set by SGP4.

    Parameters
    ----------
    elements
        Mean elements.
    epoch, duration_s
        Begin and length of the time asked for.

    Returns
    -------
    Track
        Within 1 mm of SGP4, within 3 millionths of the distance where its path has a bend; it ends early where SGP4 says that
        the satellite has decayed.

    Raises
    ------
    InputError
        SGP4 knows no position at the begin: the satellite has decayed by then, or the elements are no orbit. Or its path jumps
        farther than that, as that of some deep orbits of little inclination does.
    """
    orbit = Sgp4(elements, epoch)
    if not orbit.ecef([0.0])[1][0]:
        raise InputError(
            Message(
                "{name}: SGP4 knows no position at {begin} from elements of {epoch} ({why})",
                {
                    "name": elements.name,
                    "begin": format_instant(epoch),
                    "epoch": format_instant(elements.epoch),
                    "why": orbit.why_not(0.0),
                },
            ),
            hint=Message("the satellite has decayed by then; take newer elements, or leave it out"),
            field="elements",
        )
    # What the path's direction turns by at its fastest, at perigee, against the turning Earth.
    eccentricity = min(elements.eccentricity, 0.99)
    fastest_rad_s = elements.mean_motion_rad_s * math.sqrt(1.0 + eccentricity) / (1.0 - eccentricity) ** 1.5
    step_s = math.tau / (fastest_rad_s + EARTH_RATE_RAD_S) / _PIECES_A_TURN
    return track_through(orbit.ecef, epoch, duration_s, step_s)


def track_through(
    where: Callable[[Floats], tuple[Floats, Flags]],
    epoch: Instant,
    duration_s: float,
    step_s: float,
    *,
    begin_s: float = 0.0,
    error_m: float = _LARGEST_ERROR_M,
) -> Track:
    """Track through the positions that a function gives, with steps halved until it is near enough.

    Parameters
    ----------
    where
        Positions in ECEF at times after the track's begin, and whether each is known: where not, the track ends.
    epoch
        What the track's times count from.
    duration_s
        Longest length of the track.
    step_s
        Longest step.
    begin_s
        When the track begins, seconds after `epoch`.
    error_m
        How far from `where` the track may lie in the middles of pieces, metres.

    Notes
    -----
    Positions alone are interpolated (Lagrange, 12 nodes): SGP4's velocities differ by centimetres a second from the derivative of
    its positions, which a Hermite polynomial would turn into decimetres.
    """
    length_s = duration_s
    for halvings in range(_HALVINGS):
        pieces = max(math.ceil(length_s / step_s - 1e-9), 1)
        track = _through_nodes(where, epoch, pieces, max(length_s, _LAST_MOMENT_S) / pieces, length_s)
        bend_m = 0.0 if track is None or halvings < _HALVINGS_AT_A_BEND else _BEND_ERROR * float(np.abs(track.coefficients).max())
        if track is not None and _farthest_m(where, track) <= max(error_m, bend_m):
            return replace(track, begin_s=begin_s, end_s=begin_s + track.end_s)
        if length_s == duration_s:
            length_s = _known_for(where, duration_s, step_s)
        step_s /= 2.0
    raise InputError(
        Message("the orbit cannot be followed to {limit} m: it is not smooth", {"limit": error_m}),
        hint=Message("look at its elements or states: an orbit that decays within the hour or a gap in the states"),
        field="elements",
    )


def _known_for(where: Callable[[Floats], tuple[Floats, Flags]], duration_s: float, step_s: float) -> float:
    """How long from the begin positions are known, up to `duration_s`, to a millisecond."""
    times = np.append(np.arange(0.0, duration_s, step_s), duration_s)
    unknown = np.flatnonzero(~where(times)[1])
    if not unknown.size:
        return duration_s
    known, not_known = float(times[max(unknown[0] - 1, 0)]), float(times[unknown[0]])
    while not_known - known > _LAST_MOMENT_S:
        middle = (known + not_known) / 2.0
        known, not_known = (middle, not_known) if where(np.array([middle]))[1][0] else (known, middle)
    return known


def _through_nodes(
    where: Callable[[Floats], tuple[Floats, Flags]], epoch: Instant, pieces: int, step_s: float, length_s: float
) -> Track | None:
    """Track of so many pieces through positions at their ends and beyond them; None where too few positions are known."""
    before = NODES // 2 - 1
    numbers = np.arange(-before, pieces + before + 1)
    # The last node of the time asked for is known, even where rounding would set it a hair later.
    times = np.asarray(numbers * step_s, np.float64)
    if length_s > 0.0:
        times[before + pieces] = length_s
    position_m, known = where(times)
    first = before - int(np.argmin(known[before::-1])) + 1 if not known[: before + 1].all() else 0
    last = before + pieces + (int(np.argmin(known[before + pieces :])) - 1 if not known[before + pieces :].all() else before)
    if not known[first : last + 1].all() or last - first + 1 < NODES:
        return None
    # Piece i lies between the nodes i + before and i + before + 1; where that many are not known, its nodes lie to one side.
    start = np.clip(np.arange(pieces), first, last - NODES + 1)
    coefficients = np.empty((pieces, NODES, 3))
    for shift in np.unique(start - np.arange(pieces)):
        these = np.flatnonzero(start - np.arange(pieces) == shift)
        nodes = position_m[start[these, None] + np.arange(NODES)]
        coefficients[these] = _lagrange(int(shift)) @ nodes
    return Track(epoch, 0.0, step_s, length_s, coefficients)


def _farthest_m(where: Callable[[Floats], tuple[Floats, Flags]], track: Track) -> float:
    """How far the track lies from the positions, at most, in the middles of every sixteenth piece and of those in doubt."""
    pieces = len(track.coefficients)
    rough = np.flatnonzero(np.abs(track.coefficients[:, -1]).max(axis=1) > _ROUGH_M)
    # The last ones too: there the polynomial may have nodes on one side alone, and an orbit that comes down is at its steepest.
    checked = np.unique(np.concatenate([np.arange(0, pieces, _CHECK_EVERY), np.arange(max(pieces - NODES, 0), pieces), rough]))
    times = (checked + 0.5) * track.step_s
    position_m, known = where(times)
    # Between two known positions SGP4 may be silent in the last moments of an orbit: that is no error of the track.
    off_m = np.linalg.norm(position_m - track.coefficients[checked, 0], axis=1)[known]
    return float(off_m.max(initial=0.0))


@cache
def _lagrange(shift: int) -> Floats:
    """Matrix from `NODES` equidistant values to the coefficients of their polynomial, exact before it is rounded.

    The nodes lie at u = -11, -9, ... 11, moved by 2 `shift`.
    """
    nodes = [2 * (number + shift) - (NODES - 1) for number in range(NODES)]
    columns = []
    for node in nodes:
        polynomial = [Fraction(1)]
        for other in nodes:
            if other != node:
                shifted = [Fraction(0), *polynomial]
                scaled = [*(other * coefficient for coefficient in polynomial), Fraction(0)]
                polynomial = [(high - low) / (node - other) for high, low in zip(shifted, scaled, strict=True)]
        columns.append([float(coefficient) for coefficient in polynomial])
    return np.array(columns).T
