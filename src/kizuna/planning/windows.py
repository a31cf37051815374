"""Access windows as a table of arrays: which satellite can image which target, from when until when, and how it looks then.

What finds windows (`kizuna.planning.access`) makes the table once; revisit, what-if and schedules only read it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kizuna.model.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AccessWindows", "sorted_windows"]

type Floats = npt.NDArray[np.float64]
type Indices = npt.NDArray[np.int32]
type Flags = npt.NDArray[np.bool_]

_COLUMNS = (
    "satellite",
    "target",
    "start_s",
    "end_s",
    "closest_s",
    "incidence_rad",
    "right",
    "ascending",
    "edge_uncertainty_s",
)


@dataclass(frozen=True, slots=True, eq=False)
class AccessWindows:
    """Windows, sorted by target and then by start; row `i` of every array is about the same window.

    Parameters
    ----------
    epoch
        What the times count from.
    satellites, targets
        Names; `satellite` and `target` are places in them.
    satellite, target
        Which satellite sees which target, shape (n,).
    start_s, end_s
        Window, closed, seconds since `epoch`, shape (n,). One that is a single instant has both equal.
    closest_s
        Instant of the window, seconds since `epoch`, at which the satellite is nearest to the target, shape (n,): the
        zero-Doppler time where it lies within the window, else the edge that is next to it.
    incidence_rad
        Incidence angle at `closest_s`: between the line of sight and the ellipsoid's normal at the target, shape (n,).
    right
        Whether the target lies to the right of the track at `closest_s`, shape (n,); else it lies to the left.
    ascending
        Whether the satellite moves north at `closest_s`, shape (n,).
    edge_uncertainty_s
        Half of the interval in which an edge lies with 95 %, seconds, shape (n,); NaN where nothing is known of it.
    """

    epoch: Instant
    satellites: tuple[str, ...]
    targets: tuple[str, ...]
    satellite: Indices
    target: Indices
    start_s: Floats
    end_s: Floats
    closest_s: Floats
    incidence_rad: Floats
    right: Flags
    ascending: Flags
    edge_uncertainty_s: Floats

    def __post_init__(self) -> None:
        """Hold the columns to one length."""
        lengths = {name: getattr(self, name).shape for name in _COLUMNS}
        if len(set(lengths.values())) != 1 or self.satellite.ndim != 1:
            raise ValueError(lengths)

    def __len__(self) -> int:
        return len(self.satellite)

    @property
    def duration_s(self) -> Floats:
        """How long each window is, seconds, shape (n,)."""
        return self.end_s - self.start_s

    def take(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.integer] | slice) -> AccessWindows:
        """Windows that a mask, rising row numbers or a slice name; the order stays."""
        return replace(self, **{name: getattr(self, name)[which] for name in _COLUMNS})

    def of_target(self, number: int) -> AccessWindows:
        """Windows of one target, by its place in `targets`; found by bisection, without a copy."""
        return self.take(slice(*np.searchsorted(self.target, [number, number + 1]).tolist()))

    def instant(self, seconds: float) -> Instant:
        """Instant that lies so many seconds after `epoch`, to the microsecond."""
        return Instant(self.epoch + timedelta(seconds=float(seconds)))


def sorted_windows(epoch: Instant, satellites: Sequence[str], targets: Sequence[str], **columns: npt.ArrayLike) -> AccessWindows:
    """Table of windows that come in any order.

    Parameters
    ----------
    epoch, satellites, targets
        As in `AccessWindows`.
    columns
        The arrays of `AccessWindows` by name, all of them but `edge_uncertainty_s`, which is NaN where it is not given.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> columns = {"satellite": [0, 0], "target": [1, 0], "start_s": [5, 60], "end_s": [9, 90], "closest_s": [7, 75]}
    >>> columns |= {"incidence_rad": [0.5, 0.6], "right": [True, False], "ascending": [True, True]}
    >>> windows = sorted_windows(parse_instant("2026-05-08"), ["QPS-SAR-5"], ["Kyiv", "Tokyo"], **columns)
    >>> windows.target.tolist(), windows.start_s.tolist(), len(windows.of_target(1))
    ([0, 1], [60.0, 5.0], 1)
    """
    kinds = {"satellite": np.int32, "target": np.int32, "right": np.bool_, "ascending": np.bool_}
    columns.setdefault("edge_uncertainty_s", np.full(np.shape(columns["start_s"]), np.nan))
    order = np.lexsort((np.asarray(columns["start_s"]), np.asarray(columns["target"])))
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.asarray(column, kinds.get(name, np.float64))[order] for name, column in columns.items()
    }
    return AccessWindows(epoch, tuple(satellites), tuple(targets), **arrays)
