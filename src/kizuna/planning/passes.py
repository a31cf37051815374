"""When satellites pass over places, laid out for questions: place by place, in order of time.

A pass is a window of access. It is worth an image at its closest approach (broadside, as strip maps are taken) or anywhere in it
(squinted or spotlight). Both are intervals: of the first kind each is a single instant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.planning.windows import AccessWindows

__all__ = ["Availability", "Imaging", "Passes", "everybody", "passes_of"]

_MOST_SMALL = 256

type Floats = npt.NDArray[np.float64]
type Indices = npt.NDArray[np.unsignedinteger]
type Groups = npt.NDArray[np.int32]
type Flags = npt.NDArray[np.bool_]


class Imaging(StrEnum):
    """When in a window a satellite takes its image."""

    BROADSIDE = "broadside"
    """At the closest approach, at right angles to the track: one instant a window."""
    ANYWHEN = "anywhen"
    """At any instant of the window, squinted where it must be: a window under way answers a request at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Passes:
    """Passes of satellites over places within a period.

    Parameters
    ----------
    satellites, places
        Names.
    first
        Shape (places + 1,): passes of place ``p`` are ``first[p]`` to ``first[p + 1]``, in order of `begin_s`.
    satellite
        Shape (passes,): index into `satellites`.
    begin_s, end_s
        Shape (passes,): when an image can be taken, in seconds since the epoch of the windows. Equal, and one array, where
        images are taken broadside.
    period_s
        Begin and end of the period over which windows were sought.

    Examples
    --------
    >>> made = Passes.of(["A", "B"], ["Kyiv"], [0, 1], [0, 0], [30.0, 10.0], [30.0, 10.0], (0.0, 60.0))
    >>> made.begin_s.tolist(), made.satellite.tolist(), made.first.tolist()
    ([10.0, 30.0], [1, 0], [0, 2])
    """

    satellites: tuple[str, ...]
    places: tuple[str, ...]
    first: npt.NDArray[np.int64]
    satellite: Indices
    begin_s: Floats
    end_s: Floats
    period_s: tuple[float, float]

    @classmethod
    def of(
        cls,
        satellites: Sequence[str],
        places: Sequence[str],
        satellite: npt.ArrayLike,
        place: npt.ArrayLike,
        begin_s: npt.ArrayLike,
        end_s: npt.ArrayLike,
        period_s: tuple[float, float],
    ) -> Self:
        """Passes in any order, put in order; what lies outside the period is cut off.

        Parameters
        ----------
        satellites, places
            Names.
        satellite, place
            Shape (passes,): indices into these.
        begin_s, end_s
            Shape (passes,): see the class.
        period_s
            Begin and end of the period.

        Raises
        ------
        InputError
            If the period has no length or a pass ends before it begins.
        """
        low_s, high_s = period_s
        if not low_s < high_s:
            raise InputError(
                Message("period: it ends {end} s and begins {begin} s after the epoch", {"begin": low_s, "end": high_s}),
                hint=Message("let it end after it begins"),
                field="period",
            )
        # The smallest type that holds them: a question reads all of them (benchmarks/speed/whatif.py).
        small: type[np.unsignedinteger] = np.uint8 if len(satellites) <= _MOST_SMALL else np.uint16
        of_satellite: Indices = np.asarray(satellite, small)
        of_place = np.asarray(place, np.int64)
        begins, ends = np.asarray(begin_s, np.float64), np.asarray(end_s, np.float64)
        if not np.all(begins <= ends):
            raise InputError(
                Message("pass {number}: its end is not after its begin", {"number": int(np.argmin(begins <= ends))}),
                field="end_s",
            )
        points = begin_s is end_s
        if begins.size and (begins.min() < low_s or ends.max() > high_s):
            kept = (ends >= low_s) & (begins <= high_s)
            of_satellite, of_place = of_satellite[kept], of_place[kept]
            begins, ends = np.maximum(begins[kept], low_s), np.minimum(ends[kept], high_s)
        order = np.lexsort((begins, of_place))
        counts = np.bincount(of_place, minlength=len(places))
        in_order = begins[order]
        return cls(
            tuple(satellites),
            tuple(places),
            np.concatenate(([0], np.cumsum(counts))),
            of_satellite[order],
            in_order,
            in_order if points else ends[order],
            (float(low_s), float(high_s)),
        )

    def __len__(self) -> int:
        return len(self.begin_s)

    @property
    def instants(self) -> bool:
        """Whether each pass is a single instant."""
        return self.end_s is self.begin_s

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        both = 0 if self.instants else self.end_s.nbytes
        return self.first.nbytes + self.satellite.nbytes + self.begin_s.nbytes + both

    def only(self, counts: Flags) -> Passes:
        """Passes of the satellites that count."""
        kept = counts[self.satellite]
        before = np.concatenate(([0], np.cumsum(kept)))
        begins = self.begin_s[kept]
        return Passes(
            self.satellites,
            self.places,
            before[self.first],
            self.satellite[kept],
            begins,
            begins if self.instants else self.end_s[kept],
            self.period_s,
        )

    def over(self, places: Iterable[int]) -> Passes:
        """Passes over some of the places."""
        chosen = list(places)
        taken = [np.arange(self.first[p], self.first[p + 1]) for p in chosen]
        rows = np.concatenate(taken) if taken else np.empty(0, np.int64)
        begins = self.begin_s[rows]
        return Passes(
            self.satellites,
            tuple(self.places[p] for p in chosen),
            np.concatenate(([0], np.cumsum([len(each) for each in taken], dtype=np.int64))),
            self.satellite[rows],
            begins,
            begins if self.instants else self.end_s[rows],
            self.period_s,
        )


def passes_of(windows: AccessWindows, period_s: tuple[float, float], imaging: Imaging = Imaging.BROADSIDE) -> Passes:
    """Passes of a table of windows.

    Parameters
    ----------
    windows
        Windows of access.
    period_s
        Period over which they were sought, in seconds since their epoch.
    imaging
        When in a window an image is taken.
    """
    if imaging is Imaging.BROADSIDE:
        # Where the closest approach lies outside the limits (a pass overhead is too steep), the window has none of its own.
        inside = (windows.start_s < windows.closest_s) & (windows.closest_s < windows.end_s)
        windows = windows.take(inside | (windows.start_s == windows.end_s))
    columns = (windows.satellites, windows.targets, windows.satellite, windows.target)
    match imaging:
        case Imaging.BROADSIDE:
            return Passes.of(*columns, windows.closest_s, windows.closest_s, period_s)
        case Imaging.ANYWHEN:
            return Passes.of(*columns, windows.start_s, windows.end_s, period_s)


@dataclass(frozen=True, slots=True, eq=False)
class Availability:
    """Which satellites count, when and where.

    Parameters
    ----------
    cuts_s
        Shape (times - 1,): ascending instants at which anything changes, in seconds since the epoch of the passes.
    active
        Shape (groups, times, satellites): whether a satellite counts for a group of places between two cuts.
    group
        Shape (places,): group of each place; None where all places are in the first group.
    """

    cuts_s: Floats
    active: Flags
    group: Groups | None = field(default=None)

    @classmethod
    def of(cls, active: npt.ArrayLike) -> Self:
        """The same at all times and places: shape (satellites,).

        Examples
        --------
        >>> Availability.of([True, False]).active.shape
        (1, 1, 2)
        """
        flags = np.asarray(active, np.bool_)
        return cls(np.empty(0), flags.reshape(1, 1, -1))

    @property
    def constant(self) -> Flags | None:
        """Shape (satellites,): whether each counts, where that is so at all times and places; None where it is not."""
        return self.active[0, 0] if self.active.shape[:2] == (1, 1) else None

    def groups_of(self, places: int) -> Groups:
        """Group of each of so many places."""
        return np.zeros(places, np.int32) if self.group is None else self.group

    def over(self, places: slice) -> Availability:
        """The same for some of the places."""
        return self if self.group is None else Availability(self.cuts_s, self.active, self.group[places])

    def switched(self, which: Flags, from_s: float, *, counts: bool) -> Availability:
        """The same, but from an instant on some satellites count, or do not.

        Parameters
        ----------
        which
            Shape (satellites,).
        from_s
            Instant, in seconds since the epoch of the passes; minus infinity for all of the time.
        counts
            Whether they count from then on.

        Examples
        --------
        >>> changed = Availability.of([True, True]).switched(np.array([True, False]), 60.0, counts=False)
        >>> changed.cuts_s.tolist(), changed.active.tolist()
        ([60.0], [[[True, True], [False, True]]])
        """
        cuts_s, active = self.cuts_s, self.active
        if from_s == -np.inf:
            active = active.copy()
            active[:, :, which] = counts
            return Availability(cuts_s, active, self.group)
        at = int(np.searchsorted(cuts_s, from_s, side="left"))
        if at == len(cuts_s) or cuts_s[at] != from_s:
            cuts_s = np.insert(cuts_s, at, from_s)
            active = np.insert(active, at, active[:, at], axis=1)
        else:
            active = active.copy()
        active[:, at + 1 :, which] = counts
        return Availability(cuts_s, active, self.group)

    def united(self, other: Availability) -> Availability:
        """What counts by either of two, about the same groups of places."""
        cuts_s = np.union1d(self.cuts_s, other.cuts_s)
        begins_s = np.concatenate(([-np.inf], cuts_s))
        flags = [each.active[:, np.searchsorted(each.cuts_s, begins_s, side="right")] for each in (self, other)]
        return Availability(cuts_s, flags[0] | flags[1], self.group)


def everybody(passes: Passes) -> Availability:
    """Every satellite, at all times and places."""
    return Availability.of(np.ones(len(passes.satellites), np.bool_))
