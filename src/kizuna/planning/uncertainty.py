"""How far off a window may be, because the elements that it comes from are old: learnt from how elements aged before.

An element set is compared with later sets of its satellite, at their epochs, where these are at their best. What is off is
almost all along the track, so it is an error of time, and shifts a window as a whole. Half of the interval in which it lies
with 95 % grows with the age t of the elements as s(t) = a + b t + c t^2 + d |n'|/n t^2/2: a set is off from its beginning,
its mean motion drifts, and drag, of which n' tells, cannot be foretold. The four numbers are the quantile regression (Koenker
and Bassett 1978) of 95 % over all satellites. Each satellite of the history has a factor beside it: one that is held on its
path, or manoeuvres often, ages otherwise than most.

Truth here is the next element set, not the orbit: what both have in common is not seen. A manoeuvre after the last set is
foreseen only so far as satellites of the history manoeuvred too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.orbit import Sgp4
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kizuna.earth.elements import MeanElements
    from kizuna.planning.windows import AccessWindows

__all__ = ["PUBLIC_SETS", "Ageing", "learn_ageing", "margins_s", "nothing_certain", "with_uncertainty"]

type Floats = npt.NDArray[np.float64]

COVERAGE = 0.95
_DAY_S = 86400.0
_AGES_DAYS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0)
_FEWEST_PAIRS = 200
_FEWEST_OF_ONE = 6
_AS_MANY_AS_ALL = 30
"""With so many sets in the history, a satellite's own factor weighs as much as what is known of all."""
_LEAST_FACTOR = 0.05
_MOST_ROWS = 6000


@dataclass(frozen=True, slots=True)
class Ageing:
    """How element sets age.

    Parameters
    ----------
    coefficients
        a in seconds, b in seconds a day, c in seconds a day squared, d without unit.
    factors
        By catalogue number: how much more or less than most a satellite ages.
    """

    coefficients: tuple[float, float, float, float]
    factors: Mapping[int, float] = field(default_factory=dict)

    def half_width_s(self, elements: MeanElements, age_s: npt.ArrayLike) -> Floats:
        """Half of the interval that holds an edge of a window with 95 %, seconds, for elements of an age in seconds, shape (...).

        Examples
        --------
        >>> from kizuna.earth.elements import MeanElements
        >>> from kizuna.model.instants import parse_instant
        >>> elements = MeanElements("A", 1, parse_instant("2026-05-07"), 1.1e-3, 0.001, 0.7, 0, 0, 0, 4e-4, 2e-12)
        >>> PUBLIC_SETS.half_width_s(elements, [0.0, 86400.0, 7 * 86400.0]).round(1).tolist()
        [0.0, 4.5, 210.9]
        """
        days = np.abs(np.asarray(age_s, np.float64)) / _DAY_S
        factor = self.factors.get(elements.number, 1.0)
        return np.asarray(factor * (_terms(elements, days) @ np.array(self.coefficients)), np.float64)


PUBLIC_SETS = Ageing((0.0056, 0.188, 0.274, 0.590))
"""Public element sets of 88 radar satellites, 9,707 of March and April 2026; no satellite by itself."""


def with_uncertainty(windows: AccessWindows, elements: Sequence[MeanElements | None], ageing: Ageing) -> AccessWindows:
    """Windows with the uncertainty of their edges, from the age of each satellite's elements at its closest approach.

    Parameters
    ----------
    windows
        Windows.
    elements
        Elements by the satellites' places in the windows; of one without, nothing is said.
    ageing
        How they age.
    """
    uncertainty_s = np.full(len(windows), np.nan)
    for number, one in enumerate(elements):
        if one is None:
            continue
        rows = np.flatnonzero(windows.satellite == number)
        since_s = (windows.epoch - one.epoch).total_seconds()
        uncertainty_s[rows] = ageing.half_width_s(one, since_s + windows.closest_s[rows])
    return replace(windows, edge_uncertainty_s=uncertainty_s)


def margins_s(windows: AccessWindows) -> Floats:
    """What each end of a window loses if only the part is taken that lies in it with 95 %, seconds, shape (n,).

    A late or early satellite shifts both edges alike, so an image that keeps this distance from both lies in the window with
    95 %. Where nothing is known of the uncertainty (an ephemeris) nothing is taken off.
    """
    return np.nan_to_num(windows.edge_uncertainty_s, nan=0.0)


def nothing_certain(windows: AccessWindows) -> npt.NDArray[np.bool_]:
    """Which windows are uncertain by more than their own length: no instant lies in them with 95 %, shape (n,).

    Examples
    --------
    >>> from kizuna.planning.windows import sorted_windows
    >>> from kizuna.model.instants import parse_instant
    >>> columns = {"satellite": [0, 0, 0], "target": [0, 0, 0], "start_s": [0, 100, 200], "end_s": [60, 160, 260]}
    >>> columns |= {"closest_s": [30, 130, 230], "incidence_rad": [0.5] * 3, "right": [True] * 3, "ascending": [True] * 3}
    >>> made = sorted_windows(parse_instant("2026-05-08"), ["A"], ["Kyiv"], **columns, edge_uncertainty_s=[2, 31, math.nan])
    >>> nothing_certain(made).tolist()
    [False, True, False]
    """
    return 2.0 * margins_s(windows) > windows.duration_s


def learn_ageing(history: Iterable[MeanElements], *, progress: Callable[[int, int], None] | None = None) -> Ageing:
    """Learn how elements age from a history of element sets.

    Parameters
    ----------
    history
        Element sets of satellites, several of each, in any order.
    progress
        Called with (satellites done, satellites in all).

    Raises
    ------
    InputError
        The history is too short.
    """
    by_satellite: dict[int, list[MeanElements]] = defaultdict(list)
    for elements in history:
        by_satellite[elements.number].append(elements)
    pairs = {}
    for done, (number, sets) in enumerate(by_satellite.items(), start=1):
        pairs[number] = _pairs(sorted(sets, key=lambda elements: elements.epoch))
        if progress is not None:
            progress(done, len(by_satellite))
    terms = np.concatenate([np.empty((0, 4)), *(own for own, _off, _sets in pairs.values())])
    off_s = np.concatenate([np.empty(0), *(own for _terms, own, _sets in pairs.values())])
    if len(off_s) < _FEWEST_PAIRS:
        raise InputError(
            Message(
                "the history holds {got} pairs of element sets half a day to 14 days apart, expected {least} or more",
                {"got": len(off_s), "least": _FEWEST_PAIRS},
            ),
            hint=Message("take a history of several satellites over several weeks, or leave it out"),
            field="history",
        )
    coefficients = _regression(terms, off_s)
    factors = {
        number: max(float(np.quantile(own_off_s / np.maximum(own @ coefficients, 1e-9), COVERAGE)), _LEAST_FACTOR)
        ** (sets / (sets + _AS_MANY_AS_ALL))
        for number, (own, own_off_s, sets) in pairs.items()
        if len(own_off_s) >= _FEWEST_OF_ONE
    }
    a, b, c, d = (float(value) for value in coefficients)
    return Ageing((a, b, c, d), factors)


def _terms(elements: MeanElements, days: Floats) -> Floats:
    """What the coefficients multiply, shape (..., 4)."""
    drag_s = abs(elements.mean_motion_dot_rad_s2) / elements.mean_motion_rad_s * (days * _DAY_S) ** 2 / 2.0
    return np.stack([np.ones_like(days), days, days**2, drag_s], axis=-1)


def _pairs(sets: Sequence[MeanElements]) -> tuple[Floats, Floats, int]:
    """Terms and seconds along the track by which sets of one satellite miss later ones, and how many sets there were to ask."""
    epochs_s = np.array([(one.epoch - sets[0].epoch).total_seconds() for one in sets])
    terms, off_s, asked = [], [], 0
    for number, one in enumerate(sets):
        later = np.searchsorted(epochs_s, epochs_s[number] + np.array(_AGES_DAYS) * _DAY_S)
        counted = False
        for wanted, other in zip(_AGES_DAYS, later.tolist(), strict=True):
            if other == len(sets):
                break
            age_s = epochs_s[other] - epochs_s[number]
            # Sets come in some distance: one that is far from the age that is wanted is no example of it.
            if abs(age_s / _DAY_S - wanted) > max(0.35, 0.1 * wanted):
                continue
            miss_s = _along_track_s(one, sets[other])
            if math.isfinite(miss_s):
                terms.append(_terms(one, np.array(age_s / _DAY_S)))
                off_s.append(abs(miss_s))
                counted = True
        asked += counted
    return np.array(terms).reshape(-1, 4), np.array(off_s), asked


def _along_track_s(older: MeanElements, newer: MeanElements) -> float:
    """Seconds by which a satellite is ahead of where a newer set has it, at that set's epoch."""
    expected_m = Sgp4(older, newer.epoch).teme([0.0])[0][0]
    position_m, velocity_m_s, _ = Sgp4(newer, newer.epoch).teme([0.0])
    speed2 = float(velocity_m_s[0] @ velocity_m_s[0])
    return float((expected_m - position_m[0]) @ velocity_m_s[0]) / speed2


def _regression(terms: Floats, off_s: Floats) -> Floats:
    """Coefficients, none negative, of the quantile regression of `COVERAGE`, as a linear programme.

    Each row is divided by the typical miss of its age, so that young sets count as much as old ones.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, eye, hstack

    rows = np.linspace(0, len(off_s) - 1, min(len(off_s), _MOST_ROWS)).astype(np.intp)
    days = terms[:, 1]
    typical_s = np.interp(days, *_typical(days, off_s))[rows]
    weighted, right = terms[rows] / typical_s[:, None], off_s[rows] / typical_s
    equations = hstack([csr_matrix(weighted), eye(len(rows)), -eye(len(rows))]).tocsr()
    cost = np.concatenate([np.zeros(4), np.full(len(rows), COVERAGE), np.full(len(rows), 1.0 - COVERAGE)])
    solved = linprog(cost, A_eq=equations, b_eq=right, bounds=(0.0, None), method="highs")
    return np.asarray(solved.x[:4], np.float64)


def _typical(days: Floats, off_s: Floats) -> tuple[Floats, Floats]:
    """Median misses at the ages that are looked at."""
    nearest = np.abs(days[:, None] - np.array(_AGES_DAYS)).argmin(axis=1)
    there = np.unique(nearest)
    return np.array(_AGES_DAYS)[there], np.array([max(float(np.median(off_s[nearest == age])), 1e-3) for age in there])
