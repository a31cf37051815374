"""What a radar asks of the geometry of a window, and the places that it is asked about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.wgs84 import geodetic_to_ecef
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.earth.wgs84 import Geodetic

__all__ = ["Direction", "Geometry", "Look", "Places"]

type Floats = npt.NDArray[np.float64]


class Look(StrEnum):
    """Side of the track that the radar looks to."""

    LEFT = "left"
    RIGHT = "right"
    EITHER = "either"


class Direction(StrEnum):
    """Part of the orbit: northwards or southwards."""

    ASCENDING = "ascending"
    DESCENDING = "descending"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Geometry:
    """Limits of an imaging geometry; a window is where all of them hold.

    Parameters
    ----------
    incidence_min_rad, incidence_max_rad
        Range of the incidence angle, between the line of sight and the ellipsoid's normal at the target; 0 to pi/2.
    look
        Side of the track on which the target lies.
    direction
        Whether the satellite moves north or south.
    squint_max_rad
        Largest angle between the line of sight and the plane across the track (the zero-Doppler plane of the turning Earth):
        what the antenna can be steered or the satellite be turned by along its track. None: no limit. 0: only the zero-Doppler
        instant, as strips without any steering are taken; windows are single instants then.
    shortest_s
        Windows shorter than that are left out: the dwell that a spot image needs. 0: each is found, however short.

    Raises
    ------
    InputError
        A limit is out of its range or the range is empty.
    """

    incidence_min_rad: float = 0.0
    incidence_max_rad: float = math.pi / 2
    look: Look = Look.EITHER
    direction: Direction = Direction.EITHER
    squint_max_rad: float | None = None
    shortest_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no radar can mean."""
        low, high = math.degrees(self.incidence_min_rad), math.degrees(self.incidence_max_rad)
        if not 0.0 <= low < high <= 90.0:  # noqa: PLR2004 - the horizon
            raise InputError(
                Message("the incidence range is {low} to {high} degrees", {"low": round(low, 6), "high": round(high, 6)}),
                hint=Message("it begins at 0 or above, ends at 90 or below, and its end is larger than its begin"),
                field="incidence",
            )
        if self.squint_max_rad is not None and not 0.0 <= self.squint_max_rad < math.pi / 2:
            raise InputError(
                Message("the largest squint is {got} degrees", {"got": round(math.degrees(self.squint_max_rad), 6)}),
                hint=Message("it lies from 0 to below 90 degrees"),
                field="squint",
            )
        if not 0.0 <= self.shortest_s < math.inf:
            raise InputError(
                Message("the shortest window is {got} s, expected 0 or more", {"got": self.shortest_s}), field="shortest"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Targets in ECEF, ready to be looked up by where they lie.

    Parameters
    ----------
    names
        What they are called.
    frames
        Position in metres and ellipsoid's normal of each, shape (n, 6).
    row_start
        Rows of equal latitude of the normal, from south to north: row `r` is `order[row_start[r]:row_start[r + 1]]`.
    order
        Numbers of the places, by row and then by longitude.
    longitude_rad
        Longitudes in the order of `order`.
    lowest_m
        Height of the lowest place above the ellipsoid, metres.
    """

    names: tuple[str, ...]
    frames: Floats
    row_start: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    longitude_rad: Floats
    lowest_m: float

    @classmethod
    def of(cls, names: Sequence[str], places: Sequence[Geodetic]) -> Places:
        """Index of places; their heights are above the ellipsoid: terrain height plus geoid undulation.

        Raises
        ------
        InputError
            A place does not lie on the Earth.
        """
        latitude = np.array([place.latitude_rad for place in places], np.float64)
        longitude = np.array([place.longitude_rad for place in places], np.float64)
        height = np.array([place.height_m for place in places], np.float64)
        bad = ~((np.abs(latitude) <= math.pi / 2) & np.isfinite(longitude) & (np.abs(height) <= _HIGHEST_M))
        if bad.any():
            number = int(np.argmax(bad))
            raise InputError(
                Message(
                    "place {name}: latitude {latitude}, longitude {longitude} degrees, height {height} m",
                    {
                        "name": names[number],
                        "latitude": round(math.degrees(latitude[number]), 6),
                        "longitude": round(math.degrees(longitude[number]), 6),
                        "height": round(float(height[number]), 3),
                    },
                ),
                hint=Message("latitudes lie from -90 to 90 degrees, heights within 12 km of the ellipsoid"),
                field="targets",
            )
        cosine = np.cos(latitude)
        normal = np.stack([cosine * np.cos(longitude), cosine * np.sin(longitude), np.sin(latitude)], axis=1)
        rows = max(1, min(_MOST_ROWS, round(2.0 * math.sqrt(len(places)))))
        row = np.clip(((latitude / math.pi + 0.5) * rows).astype(np.int64), 0, rows - 1)
        wrapped = np.arctan2(normal[:, 1], normal[:, 0])
        order = np.lexsort((wrapped, row))
        return cls(
            tuple(names),
            np.concatenate([geodetic_to_ecef(latitude, longitude, height).reshape(-1, 3), normal], axis=1),
            np.searchsorted(row[order], np.arange(rows + 1)),
            order,
            wrapped[order],
            float(height.min(initial=0.0)),
        )


_HIGHEST_M = 12e3
_MOST_ROWS = 512
