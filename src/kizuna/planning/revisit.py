"""Revisit: how often places are imaged, and how long a request waits.

"Every ten minutes" can mean a mean time between images, a mean wait from a request to its image, or a longest wait. These are
different numbers, so all are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numba import njit

from kizuna.planning.passes import everybody

if TYPE_CHECKING:
    from kizuna.planning.passes import Availability, Passes

__all__ = ["Baseline", "Revisit", "Spread", "images_s", "revisit", "spread"]

type Floats = npt.NDArray[np.float64]
type Integers = npt.NDArray[np.int64]
type Indices = npt.NDArray[np.unsignedinteger]
type Groups = npt.NDArray[np.int32]
type Flags = npt.NDArray[np.bool_]

_COMMON = 0.95
"""Of all gaps, and of all instants at which one may ask, the share that "as a rule" is about."""


@dataclass(frozen=True, slots=True)
class Revisit:
    """How often each place is imaged over a period. Times that do not exist are NaN.

    Parameters
    ----------
    images
        Shape (places,): passes that are worth an image.
    mean_s
        Shape (places,): mean time between an image and the next; NaN with fewer than two.
    worst_s
        Shape (places,): longest time without an image, the ends of the period included (there it is a lower bound); the whole
        period where there is none.
    response_s
        Shape (places,): mean time from a request to the next image, over all instants of the period; NaN where there is none.
        Requests after the last image count as answered at the end of the period, which is a lower bound.
    unanswered
        Shape (places,): share of the period that lies after the last image.
    """

    images: Integers
    mean_s: Floats
    worst_s: Floats
    response_s: Floats
    unanswered: Floats


@dataclass(frozen=True, slots=True)
class Spread:
    """How the times between images are spread. Times that do not exist are NaN.

    Parameters
    ----------
    median_s, p95_s
        Shape (places,): quantiles of the times between an image and the next, interpolated linearly between neighbours.
    response_p95_s
        Shape (places,): time within which 95 % of all requests, made at any instant of the period, get their image.
    """

    median_s: Floats
    p95_s: Floats
    response_p95_s: Floats


def revisit(passes: Passes, available: Availability | None = None) -> Revisit:
    """How often each place is imaged.

    Parameters
    ----------
    passes
        Passes over places.
    available
        Which satellites count; all by default.

    Notes
    -----
    The mean wait of a request that comes at any instant of the period T is the sum of g^2 / (2 T) over all gaps g: it grows with
    the square of a gap, which a mean time between images does not.

    Examples
    --------
    >>> from kizuna.planning.passes import Passes
    >>> made = Passes.of(["A"], ["Kyiv"], [0, 0], [0, 0], [10.0, 30.0], [10.0, 30.0], (0.0, 40.0))
    >>> found = revisit(made)
    >>> found.mean_s.tolist(), found.worst_s.tolist(), found.response_s.tolist()
    ([20.0], [20.0], [7.5])
    """
    available = everybody(passes) if available is None else available
    places = len(passes.places)
    images, out = np.zeros(places, np.int64), np.full((4, places), np.nan)
    scan = _scan_instants if passes.instants else _scan_windows
    scan(_rows(passes, available), images, out)
    return Revisit(images, *out)


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """How often places are imaged today, to which changes are compared.

    A satellite that is lost joins gaps and does nothing else: only its own passes are looked at, not those of all others
    (benchmarks/speed/whatif.py). Any other change is worked out anew.

    Parameters
    ----------
    passes
        All passes.
    counted
        Those of the satellites that count today; None where that differs by time or place, or images take time.
    available
        Which satellites count today.
    today
        How often places are imaged today.
    owner
        Shape (satellites,): whose each satellite is, since satellites are lost by owners; any grouping does.
    rows, first
        Passes in `counted` of owner ``o``: ``rows[first[o]:first[o + 1]]``, ascending.
    """

    passes: Passes
    counted: Passes | None
    available: Availability
    today: Revisit
    owner: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    first: Integers

    @classmethod
    def of(cls, passes: Passes, available: Availability | None = None, owner: npt.ArrayLike | None = None) -> Self:
        """Baseline of passes and the satellites that count; all by default, each its own owner."""
        available = everybody(passes) if available is None else available
        of_satellite = np.arange(len(passes.satellites), dtype=np.int32) if owner is None else np.asarray(owner, np.int32)
        counts = available.constant
        today = revisit(passes, available)
        if counts is None or not passes.instants:
            return cls(passes, None, available, today, of_satellite, np.empty(0, np.int32), np.empty(0, np.int64))
        counted = passes.only(counts)
        owners = of_satellite[counted.satellite]
        numbers = np.bincount(owners, minlength=int(of_satellite.max(initial=0)) + 1)
        rows = np.argsort(owners, kind="stable").astype(np.int32)
        return cls(passes, counted, available, today, of_satellite, rows, np.concatenate(([0], np.cumsum(numbers))))

    def after(self, available: Availability) -> Revisit:
        """How often places are imaged after a change."""
        before, now = self.available.constant, available.constant
        if self.counted is None or before is None or now is None or np.any(now & ~before):
            return revisit(self.passes, available)
        gone = np.flatnonzero(before & ~now)
        if not len(gone):
            return self.today
        passes, today = self.counted, self.today
        places = len(passes.places)
        images, out = np.zeros(places, np.int64), np.full((4, places), np.nan)
        parts = []
        for owner in np.unique(self.owner[gone]):
            rows = self.rows[self.first[owner] : self.first[owner + 1]]
            whole = not np.any(now[self.owner == owner])
            parts.append(rows if whole else rows[~now[passes.satellite[rows]]])
        lost = parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
        low_s, high_s = passes.period_s
        _join(passes.first, passes.begin_s, low_s, high_s, lost, today.images, today.worst_s, today.response_s, images, out)
        return Revisit(images, *out)


def spread(passes: Passes, available: Availability | None = None) -> Spread:
    """How the times between images are spread; slower than `revisit`, since it puts them in order.

    Parameters
    ----------
    passes, available
        As for `revisit`.
    """
    available = everybody(passes) if available is None else available
    out = np.full((3, len(passes.places)), np.nan)
    _order(_rows(passes, available), out)
    return Spread(*out)


def images_s(passes: Passes, place: int, available: Availability | None = None) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Begins of the passes over one place that count, and their satellites.

    Returns
    -------
    begin_s, satellite
        Each of shape (images,), in order of time.
    """
    available = everybody(passes) if available is None else available
    rows = slice(passes.first[place], passes.first[place + 1])
    begin_s, satellite = passes.begin_s[rows], passes.satellite[rows]
    when = np.searchsorted(available.cuts_s, begin_s, side="right")
    counts = available.active[available.groups_of(len(passes.places))[place], when, satellite]
    return begin_s[counts], satellite[counts]


class _Rows(NamedTuple):
    """Passes, their period, and which satellites count when and where, as a kernel takes them; see `Passes`, `Availability`."""

    first: Integers
    satellite: Indices
    begin_s: Floats
    end_s: Floats
    low_s: float
    high_s: float
    cuts_s: Floats
    active: Flags
    group: Groups


def _rows(passes: Passes, available: Availability) -> _Rows:
    columns = (passes.first, passes.satellite, passes.begin_s, passes.end_s, *passes.period_s)
    return _Rows(*columns, available.cuts_s, available.active, available.groups_of(len(passes.places)))


@njit(cache=True, nogil=True, error_model="numpy")
def _scan_instants(rows: _Rows, images: Integers, out: Floats) -> None:
    first, satellite, at_s, _end_s, low_s, high_s, cuts_s, active, group = rows
    for place in range(len(first) - 1):
        row, end = first[place], first[place + 1]
        taken, reach_s, worst_s, squares_s2, begun_s = 0, low_s, 0.0, 0.0, low_s
        # Between two cuts the same satellites count: the inner loop looks at nothing else (benchmarks/speed/whatif.py).
        for when in range(len(cuts_s) + 1):
            flags = active[group[place], when]
            until = end if when == len(cuts_s) else row + np.searchsorted(at_s[row:end], cuts_s[when])
            for each in range(row, until):
                if flags[satellite[each]]:
                    now_s = at_s[each]
                    gap_s = now_s - reach_s
                    if gap_s > worst_s:  # noqa: PLR1730 - rarely so: a branch is foretold, `max` is waited for
                        worst_s = gap_s
                    squares_s2 += gap_s * gap_s
                    reach_s = now_s
                    if taken == 0:
                        begun_s = now_s
                    taken += 1
            row = until
        between = taken - 1
        _write(place, taken, between, reach_s - begun_s, worst_s, squares_s2, reach_s, low_s, high_s, images, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _join(  # noqa: PLR0913, PLR0917 - arrays are all that a kernel can take
    first: Integers,
    at_s: Floats,
    low_s: float,
    high_s: float,
    lost: npt.NDArray[np.int32],
    images_today: Integers,
    worst_today_s: Floats,
    response_today_s: Floats,
    images: Integers,
    out: Floats,
) -> None:
    next_lost = 0
    for place in range(len(first) - 1):
        row, end = first[place], first[place + 1]
        taken, worst_s = images_today[place], worst_today_s[place]
        # All gaps, those at the ends of the period too.
        squares_s2 = 2.0 * (high_s - low_s) * response_today_s[place]
        begun_s = at_s[row] if taken else low_s
        reach_s = at_s[end - 1] if taken else low_s
        while next_lost < len(lost) and lost[next_lost] < end:
            # A run of lost images, one after the other: their gaps become one.
            each = lost[next_lost]
            from_s = at_s[each - 1] if each > row else low_s
            last_s, joined_s2 = from_s, 0.0
            while True:
                gap_s = at_s[each] - last_s
                joined_s2 += gap_s * gap_s
                last_s = at_s[each]
                taken -= 1
                next_lost += 1
                each += 1
                if next_lost == len(lost) or lost[next_lost] != each or each == end:
                    break
            to_s = at_s[each] if each < end else high_s
            squares_s2 += (to_s - from_s) ** 2 - joined_s2 - (to_s - last_s) ** 2
            worst_s = max(worst_s, to_s - from_s)
            begun_s = to_s if from_s == low_s and begun_s <= last_s else begun_s
            reach_s = from_s if each == end else reach_s
        if taken == 0:
            begun_s = reach_s = low_s
        tail_s = high_s - reach_s
        images[place] = taken
        out[1, place] = worst_s
        out[3, place] = tail_s / (high_s - low_s)
        if taken > 1:
            out[0, place] = (reach_s - begun_s) / (taken - 1)
        if taken > 0:
            out[2, place] = squares_s2 / (2.0 * (high_s - low_s))


@njit(cache=True, nogil=True, error_model="numpy")
def _scan_windows(rows: _Rows, images: Integers, out: Floats) -> None:
    first, satellite, begin_s, end_s, low_s, high_s, cuts_s, active, group = rows
    for place in range(len(first) - 1):
        row, end = first[place], first[place + 1]
        taken, reach_s, worst_s, squares_s2, between, total_s = 0, low_s, 0.0, 0.0, 0, 0.0
        for when in range(len(cuts_s) + 1):
            flags = active[group[place], when]
            until = end if when == len(cuts_s) else row + np.searchsorted(begin_s[row:end], cuts_s[when])
            for each in range(row, until):
                if flags[satellite[each]]:
                    gap_s = begin_s[each] - reach_s
                    # A window that opens while another is under way ends no gap.
                    if gap_s >= 0.0:
                        worst_s = max(worst_s, gap_s)
                        squares_s2 += gap_s * gap_s
                        if taken > 0:
                            between += 1
                            total_s += gap_s
                    reach_s = max(reach_s, end_s[each])
                    taken += 1
            row = until
        _write(place, taken, between, total_s, worst_s, squares_s2, reach_s, low_s, high_s, images, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _write(  # noqa: PLR0913, PLR0917 - what a scan found, number by number
    place: int,
    taken: int,
    between: int,
    total_s: float,
    worst_s: float,
    squares_s2: float,
    reach_s: float,
    low_s: float,
    high_s: float,
    images: Integers,
    out: Floats,
) -> None:
    tail_s = high_s - reach_s
    images[place] = taken
    out[1, place] = max(worst_s, tail_s)
    out[3, place] = tail_s / (high_s - low_s)
    if between > 0:
        out[0, place] = total_s / between
    if taken > 0:
        out[2, place] = (squares_s2 + tail_s * tail_s) / (2.0 * (high_s - low_s))


@njit(cache=True, nogil=True, error_model="numpy")
def _order(rows: _Rows, out: Floats) -> None:
    first, satellite, begin_s, end_s, low_s, high_s, cuts_s, active, group = rows
    for place in range(len(first) - 1):
        flags = active[group[place]]
        begin, end = first[place], first[place + 1]
        # All gaps, those at the ends of the period first and last.
        gaps_s = np.empty(end - begin + 1)
        count, when, reach_s = 0, 0, low_s
        for row in range(begin, end):
            start_s = begin_s[row]
            while when < len(cuts_s) and cuts_s[when] <= start_s:
                when += 1
            if not flags[when, satellite[row]]:
                continue
            if start_s >= reach_s:
                gaps_s[count] = start_s - reach_s
                count += 1
            reach_s = max(reach_s, end_s[row])
        if count == 0:
            continue
        gaps_s[count] = high_s - reach_s
        between_s = np.sort(gaps_s[1:count])
        if count > 1:
            out[0, place] = _quantile(between_s, 0.5)
            out[1, place] = _quantile(between_s, _COMMON)
        out[2, place] = _wait(np.sort(gaps_s[: count + 1]), high_s - low_s, _COMMON)


@njit(cache=True, nogil=True, error_model="numpy")
def _quantile(ordered: Floats, share: float) -> float:
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (at - below) * (ordered[above] - ordered[below]))


@njit(cache=True, nogil=True, error_model="numpy")
def _wait(ordered_s: Floats, span_s: float, share: float) -> float:
    # Of a gap the last w seconds wait no longer than w: the sum of min(gap, w) is how much of the period is answered within w.
    # What lies inside windows is answered at once.
    missing_s = share * span_s - (span_s - ordered_s.sum())
    whole_s = 0.0
    for number in range(len(ordered_s)):
        left = len(ordered_s) - number
        if whole_s + left * ordered_s[number] >= missing_s:
            return max((missing_s - whole_s) / left, 0.0)
        whole_s += ordered_s[number]
    return float(ordered_s[-1])
