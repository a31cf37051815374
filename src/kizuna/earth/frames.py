"""The turning Earth: sidereal angles, and the way from SGP4's frame to the Earth-fixed one.

Times are an instant and seconds after it, so that no precision is lost on the way to an angle.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from kizuna.model.instants import Instant

__all__ = ["EARTH_RATE_RAD_S", "gmst_rad", "julian_day", "turned"]

type Floats = npt.NDArray[np.float64]

EARTH_RATE_RAD_S = 7.292115146706979e-5
"""Sidereal rate of the Earth against TEME, as SGP4's reference code uses it (Vallado 2006)."""

_DAY_S = 86400.0
_MIDNIGHT_2000 = Instant(datetime(2000, 1, 1, tzinfo=UTC))
_MIDNIGHT_2000_JD = 2451544.5


def julian_day(instant: Instant) -> tuple[float, float]:
    """Julian day of an instant: that of its midnight, and the part of the day gone since then (exact to a microsecond)."""
    gone = instant - _MIDNIGHT_2000
    return _MIDNIGHT_2000_JD + gone.days, (gone.seconds + gone.microseconds * 1e-6) / _DAY_S


def gmst_rad(instant: Instant, seconds: npt.ArrayLike, *, ut1_minus_utc_s: float = 0.0) -> Floats:
    """Greenwich mean sidereal time of 1982.

    Parameters
    ----------
    instant
        UTC from which `seconds` count.
    seconds
        Seconds after it, shape (...).
    ut1_minus_utc_s
        Earth orientation, UT1 - UTC in seconds: below 0.9 s; leaving it out turns the Earth by at most 66 microradians.

    Returns
    -------
    ndarray of float64, shape (...)
        Angle in radians, 0 to 2 pi.

    Notes
    -----
    67310.54841 s + (876600 h + 8640184.812866 s) T + 0.093104 s T^2 - 6.2e-6 s T^3, T in Julian centuries of UT1 since J2000
    (Aoki and others 1982, equation 14). The whole turns of the days are taken out first.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> round(math.degrees(float(gmst_rad(parse_instant("1992-08-20T12:14:00Z"), 0.0))), 6)  # Vallado, example 3-5
    152.578788
    """
    midnight, fraction = julian_day(instant)
    of_day = fraction + (np.asarray(seconds, np.float64) + ut1_minus_utc_s) / _DAY_S
    days = (midnight - 2451545.0) + of_day
    centuries = days / 36525.0
    # A Julian day is a whole turn and a bit: 876600 h a century is one turn a day, counted from noon.
    slow_s = 67310.54841 + 8640184.812866 * centuries + 0.093104 * centuries**2 - 6.2e-6 * centuries**3
    turns = slow_s / _DAY_S + (of_day + 0.5)
    return np.asarray((turns % 1.0) * math.tau, np.float64)


def turned(vectors: npt.ArrayLike, angle_rad: npt.ArrayLike) -> Floats:
    """Vectors, shape (..., 3), in axes that are turned eastwards about the third one by an angle, shape (...).

    With `gmst_rad` this takes TEME to the pseudo Earth-fixed frame, here taken for ECEF: polar motion, below 15 m on the ground,
    is left out.

    Examples
    --------
    >>> turned([0.0, 1.0, 5.0], math.pi / 2).round(12).tolist()
    [1.0, 0.0, 5.0]
    """
    given = np.asarray(vectors, np.float64)
    sine, cosine = np.sin(angle_rad), np.cos(angle_rad)
    x, y, z = given[..., 0], given[..., 1], given[..., 2]
    return np.stack(np.broadcast_arrays(cosine * x + sine * y, cosine * y - sine * x, z), axis=-1)
