"""What a change costs: who answers instead, and which requests fail.

The passes are computed once. A change is another `Availability` over them: suspended providers count no longer, joined ones do,
from an instant on or for some places. So each question is one pass through memory (`kizuna.planning.revisit.revisit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from kizuna.planning.revisit import images_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.planning.passes import Availability, Passes

__all__ = ["NOBODY", "Answer", "Replacement", "Wanted", "answers", "replacements"]

type Floats = npt.NDArray[np.float64]
type Indices = npt.NDArray[np.int32]
type Flags = npt.NDArray[np.bool_]

NOBODY = -1
"""Stands for a provider where a request gets no image within the period."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Who answers the requests that one provider would have answered first, and who does after a change.

    Parameters
    ----------
    provider
        Index of who answered before; `NOBODY` where nobody did.
    by
        Index of who answers after; `NOBODY` where nobody does.
    share
        Share of all requests, made at any instant of the period at any of the places, that this is about.
    later_s
        How much later they are answered on average (negative: earlier); NaN where one of the two is nobody.
    """

    provider: int
    by: int
    share: float
    later_s: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for images of places between two instants.

    Parameters
    ----------
    name
        Its name.
    places
        Indices of the places: an area takes several scenes.
    begin_s, end_s
        From when until when, in seconds since the epoch of the passes.
    images
        How many images are needed of each place.
    """

    name: str
    places: tuple[int, ...]
    begin_s: float
    end_s: float
    images: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a request can be answered.

    Parameters
    ----------
    wanted
        The request.
    possible
        Images that could be taken in its time, of the place of which there are fewest.
    done_s
        When it has all that it needs; NaN where it never has.
    satellite
        Index of the satellite that takes the last of them; `NOBODY` where it never has.
    """

    wanted: Wanted
    possible: int
    done_s: float
    satellite: int

    @property
    def met(self) -> bool:
        """Whether it gets all that it needs in time."""
        return self.possible >= self.wanted.images


def replacements(
    passes: Passes, before: Availability, after: Availability, provider: npt.ArrayLike, *, places: Iterable[int] | None = None
) -> list[Replacement]:
    """Who answers after a change what others answered before it, the largest share first.

    Parameters
    ----------
    passes
        Passes over places; each is taken as an image at its begin.
    before, after
        Which satellites count.
    provider
        Shape (satellites,): index of each satellite's provider.
    places
        Places that this is about; all by default.

    Returns
    -------
    replacements
        Only where a request is answered by another provider, or at another time, than before.
    """
    of_satellite = np.asarray(provider, np.int32)
    chosen = np.arange(len(passes.places), dtype=np.int64) if places is None else np.asarray(list(places), np.int64)
    count = int(of_satellite.max(initial=-1)) + 1
    # The last row and column stand for nobody.
    length_s, later_s2 = np.zeros((count + 1, count + 1)), np.zeros((count + 1, count + 1))
    for place in chosen:
        rows = slice(passes.first[place], passes.first[place + 1])
        begin_s, satellite = passes.begin_s[rows], passes.satellite[rows]
        flags = [
            each.active[each.groups_of(len(passes.places))[place], np.searchsorted(each.cuts_s, begin_s, side="right"), satellite]
            for each in (before, after)
        ]
        _hand_over(
            begin_s, of_satellite[satellite], flags[0], flags[1], passes.period_s[0], passes.period_s[1], length_s, later_s2
        )
    whole_s = (passes.period_s[1] - passes.period_s[0]) * max(len(chosen), 1)
    found = [
        Replacement(
            NOBODY if was == count else int(was),
            NOBODY if by == count else int(by),
            float(length_s[was, by] / whole_s),
            float("nan") if count in (was, by) else float(later_s2[was, by] / length_s[was, by]),
        )
        for was, by in np.argwhere(length_s > 0.0)
    ]
    return sorted(found, key=lambda each: -each.share)


def answers(passes: Passes, wanted: Sequence[Wanted], available: Availability) -> list[Answer]:
    """Whether each request can be answered by the satellites that count, and by when."""
    return [_answer(passes, request, available) for request in wanted]


def _answer(passes: Passes, request: Wanted, available: Availability) -> Answer:
    fewest, last_s, by = np.iinfo(np.int64).max, -np.inf, NOBODY
    for place in request.places:
        begin_s, satellite = images_s(passes, place, available)
        first, end = np.searchsorted(begin_s, (request.begin_s, request.end_s))
        fewest = min(fewest, int(end - first))
        done = first + request.images - 1
        if fewest >= request.images and begin_s[done] > last_s:
            last_s, by = float(begin_s[done]), int(satellite[done])
    met = bool(request.places) and fewest >= request.images
    return Answer(request, int(fewest) if request.places else 0, last_s if met else float("nan"), by if met else NOBODY)


@njit(cache=True, nogil=True, error_model="numpy")
def _hand_over(
    at_s: Floats,
    provider: Indices,
    before: Flags,
    after: Flags,
    low_s: float,
    high_s: float,
    length_s: Floats,
    later_s2: Floats,
) -> None:
    nobody = length_s.shape[0] - 1
    was, was_s, by, by_s = nobody, high_s, nobody, high_s
    until_s = high_s
    # Backwards: between two passes the next image is the same for every instant, before the change and after it.
    for row in range(len(at_s) - 1, -2, -1):
        from_s = at_s[row] if row >= 0 else low_s
        if was != by or was_s != by_s:
            length_s[was, by] += until_s - from_s
            later_s2[was, by] += (until_s - from_s) * (by_s - was_s)
        if row >= 0:
            if before[row]:
                was, was_s = provider[row], at_s[row]
            if after[row]:
                by, by_s = provider[row], at_s[row]
        until_s = from_s
