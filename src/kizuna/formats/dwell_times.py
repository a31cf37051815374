"""When and for how long each place of a collection is lit, as CPHD and CRSD have it: polynomials over the image area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kizuna.sar.collection import Mode, track_of
from kizuna.sar.strip_acquisition import doppler_hz

if TYPE_CHECKING:
    from kizuna.formats.cphd_write import Apertures, Area
    from kizuna.formats.metadata_tree import MetadataTree
    from kizuna.sar.collection import Collection

__all__ = ["dwell_in", "dwell_times"]

type Floats = npt.NDArray[np.float64]

_NET = 5
_MOMENTS = 129
_DEGREES = 1, 2
_WHOLE_SHARE = 0.95
"""A dwell of more of the collection than this is the whole of it."""


def dwell_times(collection: Collection, apertures: Apertures, area: Area, name: str) -> dict[str, Any]:
    """Centres of dwell and dwells, as the element that both standards share, of one identifier.

    Parameters
    ----------
    collection
        Of which `dwell_s` says how long the middle is lit.
    apertures
        Of the file, whose times the polynomials give.
    area
        Image area.
    name
        Identifier of both polynomials.

    Notes
    -----
    The beam passes a place when the place has the Doppler frequency of the point that the pulse refers to; it stays while that
    changes by the same band everywhere. Polynomials of first degree away from the radar and second along the track, fitted.
    """
    times = 0.5 * (apertures.sent_s + apertures.heard_s)
    centre, dwell = np.array([[0.5 * float(times[0] + times[-1])]]), np.array([[float(times[-1] - times[0])]])
    if collection.dwell_s is not None:
        x, y = (0.5 * length * np.linspace(-1.0, 1.0, _NET) for length in area.lengths_m)
        grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        when, rate = _passed(collection, times, grid[:, :1] * area.away + grid[:, 1:] * area.across)
        band = collection.dwell_s * rate[len(rate) // 2]
        centre, dwell = (_fitted(grid, area.lengths_m, values) for values in (when, band / rate))
    return {
        "NumCODTimes": 1,
        "CODTime": [{"Identifier": name, "CODTimePoly": centre}],
        "NumDwellTimes": 1,
        "DwellTime": [{"Identifier": name, "DwellTimePoly": dwell}],
    }


def _passed(collection: Collection, times: Floats, places: Floats) -> tuple[Floats, Floats]:
    """When the beam passes places, shape (n, 3), and how fast they pass it then, Hz/s."""
    history, track = collection.history, track_of(collection.history)
    own = np.asarray(history.times_s)
    some = np.unique(np.linspace(0, len(own) - 1, _MOMENTS).round().astype(int))
    antenna, velocity = track.at(own[some]), track.at(own[some], derivative=1)
    frequency = history.centre_frequency_hz
    ahead = doppler_hz(places[:, None], antenna, velocity, frequency)
    ahead -= doppler_hz(collection.points_m[some], antenna, velocity, frequency)
    # Both fall nearly as straight lines; a low polynomial is exact to microseconds.
    middle = 0.5 * float(times[0] + times[-1])
    found = [np.polynomial.Polynomial.fit(line, times[some] - middle, 3) for line in ahead]
    when = np.array([middle + float(one(0.0)) for one in found])
    return when, np.array([1.0 / abs(float(one.deriv()(0.0))) for one in found])


def _fitted(grid: Floats, lengths_m: tuple[float, float], values: Floats) -> Floats:
    half = 0.5 * np.asarray(lengths_m)
    shares = grid / half
    design = np.polynomial.polynomial.polyvander2d(shares[:, 0], shares[:, 1], _DEGREES)
    found = np.linalg.lstsq(design, values)[0].reshape(_DEGREES[0] + 1, _DEGREES[1] + 1)
    powers = [half[axis] ** np.arange(degree + 1.0) for axis, degree in enumerate(_DEGREES)]
    return np.asarray(found / np.outer(*powers), np.float64)


def dwell_in(tree: MetadataTree, path: str, identifier: str | None, mode: Mode, span_s: float) -> float | None:
    """How long a strip lights the middle of its image area, as a file says; None where it says nothing, or the whole collection.

    Parameters
    ----------
    tree
        Metadata.
    path
        Of the dwell times.
    identifier
        Of the channel's own.
    mode
        Of the collection.
    span_s
        From its first to its last pulse.
    """
    if mode is Mode.SPOTLIGHT:
        return None
    for one in tree.below(path):
        if one.text("Identifier") == identifier and one.attribute("DwellTimePoly/Coef", "exponent1") == "0":
            value = one.number("DwellTimePoly/Coef")
            if value is not None and 0.0 < value < _WHOLE_SHARE * span_s:
                return value
    return None
