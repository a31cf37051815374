"""All access windows of satellites over places: candidates from the geometry, then every root of what limits a window.

For each piece of a satellite's track, a cap on the ground holds all places that it can see under the largest incidence angle
during the piece, and `kizuna.planning.search` finds each instant at which a limit is crossed. A
window is what lies between such instants where all limits hold. Nothing is sampled: a window of a millisecond is found like one
of an hour.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.planning.geometry import Direction, Geometry, Look
from kizuna.planning.search import NO_LIMIT, search
from kizuna.planning.windows import AccessWindows, sorted_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.earth.orbit import Track
    from kizuna.model.instants import Instant
    from kizuna.planning.geometry import Places

__all__ = ["find_windows"]

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]


def find_windows(
    tracks: Sequence[Track],
    satellites: Sequence[str],
    places: Places,
    geometry: Geometry | Sequence[Geometry],
    *,
    epoch: Instant,
    progress: Callable[[int, int], None] | None = None,
) -> AccessWindows:
    """Find all windows in which satellites can image places.

    Parameters
    ----------
    tracks
        Where the satellites are; all count from `epoch`.
    satellites
        What they are called.
    places
        Targets.
    geometry
        Limits, one for all satellites or one for each.
    epoch
        What times count from.
    progress
        Called with (satellites done, satellites in all).

    Returns
    -------
    AccessWindows
        All windows within the tracks, none missed; edges within 1 ms of the track's own but where one only grazes a limit.
    """
    each = [geometry] * len(tracks) if isinstance(geometry, Geometry) else geometry
    columns: list[tuple[npt.NDArray[np.int32], Floats]] = []
    for number, (track, limits) in enumerate(zip(tracks, each, strict=True)):
        target, table = _windows_of(track, places, limits)
        columns.append((np.full(len(target), number, np.int32), np.column_stack([target, table])))
        if progress is not None:
            progress(number + 1, len(tracks))
    satellite = np.concatenate([np.empty(0, np.int32), *(column for column, _ in columns)])
    table = np.concatenate([np.empty((0, 7)), *(rows for _, rows in columns)])
    return sorted_windows(
        epoch,
        satellites,
        places.names,
        satellite=satellite,
        target=table[:, 0],
        start_s=table[:, 1],
        end_s=table[:, 2],
        closest_s=table[:, 3],
        incidence_rad=np.arccos(np.clip(table[:, 4], -1.0, 1.0)),
        right=table[:, 5] > 0.0,
        ascending=table[:, 6] > 0.0,
    )


def _windows_of(track: Track, places: Places, limits: Geometry) -> tuple[Ints, Floats]:
    """Windows of one satellite: targets, and start, end, closest approach, cosine of incidence, side and direction there."""
    squint = NO_LIMIT if limits.squint_max_rad is None else math.sin(limits.squint_max_rad)
    target, table = search(
        track.coefficients,
        (float(track.begin_s), float(track.step_s), float(track.end_s)),
        (places.frames, places.row_start, places.order, places.longitude_rad, float(places.lowest_m)),
        (
            float(limits.incidence_max_rad),
            math.cos(limits.incidence_max_rad) if limits.incidence_max_rad < math.pi / 2 else 0.0,
            math.cos(limits.incidence_min_rad) if limits.incidence_min_rad > 0.0 else 2.0,
            squint,
            {Look.EITHER: 0.0, Look.RIGHT: -1.0, Look.LEFT: 1.0}[limits.look],
            {Direction.EITHER: 0.0, Direction.ASCENDING: 1.0, Direction.DESCENDING: -1.0}[limits.direction],
        ),
    )
    if limits.shortest_s > 0.0:
        enough = table[:, 1] - table[:, 0] >= limits.shortest_s
        target, table = target[enough], table[enough]
    return target, table
