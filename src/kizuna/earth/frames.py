"""The turning Earth: sidereal angles, and the way from SGP4's frame to the Earth-fixed one.

Times are an instant and seconds after it, so that no precision is lost on the way to an angle.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from kizuna.model.instants import Instant

__all__ = ["EARTH_RATE_RAD_S", "eme2000_to_ecef", "gmst_rad", "julian_day", "turned"]

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


_ARCSECOND = math.pi / 648000.0
# Largest terms of the IAU 1980 nutation (Seidelmann 1982): multiples of l, l', F, D and the node; longitude and obliquity in
# arcseconds. What is left out adds up to 0.1 arcseconds at most, 3 m in a low orbit.
_NUTATION = np.array(
    [
        (0, 0, 0, 0, 1, -17.1996, 9.2025),
        (0, 0, 2, -2, 2, -1.3187, 0.5736),
        (0, 0, 2, 0, 2, -0.2274, 0.0977),
        (0, 0, 0, 0, 2, 0.2062, -0.0895),
        (0, 1, 0, 0, 0, 0.1426, 0.0054),
        (1, 0, 0, 0, 0, 0.0712, -0.0007),
        (0, 1, 2, -2, 2, -0.0517, 0.0224),
        (0, 0, 2, 0, 1, -0.0386, 0.0200),
        (1, 0, 2, 0, 2, -0.0301, 0.0129),
        (0, -1, 2, -2, 2, 0.0217, -0.0095),
        (1, 0, 0, -2, 0, -0.0158, -0.0001),
        (0, 0, 2, -2, 1, 0.0129, -0.0070),
        (-1, 0, 2, 0, 2, 0.0123, -0.0053),
    ]
)


def eme2000_to_ecef(vectors: npt.ArrayLike, instant: Instant, seconds: npt.ArrayLike) -> Floats:
    """Vectors in the mean equator and equinox of J2000 (taken for the ICRF too), in the Earth-fixed frame.

    Parameters
    ----------
    vectors
        Positions, shape (n, 3), metres.
    instant, seconds
        UTC and seconds after it, shape (n,).

    Returns
    -------
    ndarray of float64, shape (n, 3)
        Positions in ECEF, with UT1 = UTC and without polar motion, metres.

    Notes
    -----
    Precession of IAU 1976 (Lieske 1979), the thirteen largest terms of the nutation of IAU 1980, apparent sidereal time (Vallado
    2013, section 3.7). UTC stands for dynamical time: a minute changes nothing that shows.
    """
    given, times = np.asarray(vectors, np.float64), np.asarray(seconds, np.float64)
    midnight, fraction = julian_day(instant)
    t = (midnight - 2451545.0 + fraction + times / _DAY_S) / 36525.0
    zeta = (2306.2181 + (0.30188 + 0.017998 * t) * t) * t * _ARCSECOND
    theta = (2004.3109 - (0.42665 + 0.041833 * t) * t) * t * _ARCSECOND
    z = (2306.2181 + (1.09468 + 0.018203 * t) * t) * t * _ARCSECOND
    of_date = turned(_about_y(turned(given, -zeta), theta), -z)
    obliquity = (84381.448 - 46.8150 * t) * _ARCSECOND
    longitude, tilt = _nutation(t)
    true = _about_x(turned(_about_x(of_date, obliquity), -longitude), -(obliquity + tilt))
    return turned(true, gmst_rad(instant, times) + longitude * np.cos(obliquity))


def _nutation(t: Floats) -> tuple[Floats, Floats]:
    """Nutation in longitude and in obliquity, radians; t in Julian centuries since J2000."""
    degrees = np.stack(
        [
            134.96298139 + 477198.8673981 * t,
            357.52772333 + 35999.0503400 * t,
            93.27191028 + 483202.0175381 * t,
            297.85036306 + 445267.1114800 * t,
            125.04452222 - 1934.1362608 * t,
        ],
        axis=-1,
    )
    arguments = np.radians(degrees % 360.0) @ _NUTATION[:, :5].T
    # The largest term has a rate of its own: 17.42 milliarcseconds a century.
    longitude = np.sin(arguments) @ _NUTATION[:, 5] - 0.01742 * t * np.sin(arguments[..., 0])
    return longitude * _ARCSECOND, np.cos(arguments) @ _NUTATION[:, 6] * _ARCSECOND


def _about_x(vectors: Floats, angle_rad: Floats) -> Floats:
    """Vectors in axes turned by an angle about the first one."""
    return np.roll(turned(np.roll(vectors, -1, axis=-1), angle_rad), 1, axis=-1)


def _about_y(vectors: Floats, angle_rad: Floats) -> Floats:
    """Vectors in axes turned by an angle about the second one."""
    return np.roll(turned(np.roll(vectors, 1, axis=-1), angle_rad), -1, axis=-1)
