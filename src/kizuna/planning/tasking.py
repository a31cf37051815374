"""What tasking speaks of: requests for images, the satellites that could take them, and the tasks of a schedule.

Times are seconds since an epoch that all that stands together shares, as in `kizuna.planning.windows`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.regions import Area

__all__ = ["PRIORITIES", "ImageRequest", "Mode", "ModeLimits", "Provider", "Satellite", "Spot", "Task", "spots_of"]

PRIORITIES = {1: 10_000, 2: 3_000, 3: 1_000, 4: 300, 5: 100}
"""What an image is worth by its priority, 1 the highest: one outweighs three of the next."""

_METRES_A_DEGREE = 111_320.0
_MOST_SPOTS = 400


class Mode(StrEnum):
    """How an image is taken, in the words of STAC's SAR extension for what vendors call spotlight, strip and scan."""

    SPOTLIGHT = "spotlight"
    STRIPMAP = "stripmap"
    SCANSAR = "scansar"


@dataclass(frozen=True, slots=True)
class ModeLimits:
    """What a satellite needs for an image, and what it allows.

    Parameters
    ----------
    duration_s
        How long an image takes.
    scene_m
        Width and length of the scene on the ground.
    incidence_min_rad, incidence_max_rad
        Incidence angles at the scene.
    resolution_m
        Coarser resolution on the ground; None where nobody says.
    """

    duration_s: float
    scene_m: float
    incidence_min_rad: float
    incidence_max_rad: float
    resolution_m: float | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose satellites they are.

    Parameters
    ----------
    party
        Who is told what is asked of its satellites.
    orders_a_day
        How many images it takes for us in 24 hours from the epoch; None without limit.
    stapi
        Address of its tasking interface, if it has one.
    """

    party: Party
    orders_a_day: int | None = None
    stapi: str | None = None


@dataclass(frozen=True, slots=True)
class Satellite:
    """A satellite, as far as tasking needs to know it.

    Parameters
    ----------
    name
        As the windows call it.
    provider
        Whose it is.
    modes
        What it can do.
    turn_s
        Least time between the end of one image and the begin of the next.
    side_s
        That time where the two lie on different sides of the track.
    duty_s
        How long it can transmit in each orbit, counted from the epoch.
    period_s
        Of its orbit.
    """

    name: str
    provider: Party
    modes: Mapping[Mode, ModeLimits]
    turn_s: float
    side_s: float
    duty_s: float
    period_s: float = 5_700.0


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Request for images of an area.

    Parameters
    ----------
    id
        Its name.
    area
        Where.
    begin, deadline
        From when, and until when the image must be taken.
    priority
        1, the highest, to 5.
    modes
        Which modes will do.
    incidence_min_rad, incidence_max_rad
        Which incidence angles will do.
    right, ascending
        Which side of the track, which direction; None: either.
    label
        Of the request itself: to ask for an image of a place tells something.
    """

    id: str
    area: Area
    begin: Instant
    deadline: Instant
    priority: int
    modes: frozenset[Mode]
    incidence_min_rad: float
    incidence_max_rad: float
    right: bool | None
    ascending: bool | None
    label: Label

    def holds(self, spot: Spot) -> bool:
        """Whether a place lies between the least and largest longitude and latitude of one part of the area."""
        for polygon in self.area.polygons:
            lons, lats = [lon for lon, _ in polygon[0]], [lat for _, lat in polygon[0]]
            if min(lons) <= spot.longitude_deg <= max(lons) and min(lats) <= spot.latitude_deg <= max(lats):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of a request that one scene covers.

    Parameters
    ----------
    name
        As the windows call it: the request's id, and a number where there are several.
    request
        Id of the request.
    latitude_deg, longitude_deg
        Middle of the scene.
    share
        Share of the request's worth; those of a request sum to 1.
    """

    name: str
    request: str
    latitude_deg: float
    longitude_deg: float
    share: float


@dataclass(frozen=True, slots=True)
class Task:
    """One image to be taken.

    Parameters
    ----------
    spot, request
        What it is for.
    satellite, provider
        Who takes it.
    mode
        How.
    start_s, end_s
        When, seconds since the epoch.
    incidence_rad
        Incidence angle of its window at closest approach.
    right, ascending
        Side of the track and direction there.
    edge_uncertainty_s
        Of its window, 95 %: what the image keeps off both edges, where it keeps to what is certain. None where unknown.
    """

    spot: str
    request: str
    satellite: str
    provider: Party
    mode: Mode
    start_s: float
    end_s: float
    incidence_rad: float
    right: bool
    ascending: bool
    edge_uncertainty_s: float | None


def _inside(ring: tuple[tuple[float, float], ...], x: float, y: float) -> bool:
    crossings = [(x1 - x0) * (y - y0) / (y1 - y0) + x0 > x for (x0, y0), (x1, y1) in pairwise(ring) if (y0 > y) != (y1 > y)]
    return sum(crossings) % 2 == 1


def spots_of(request: ImageRequest, scene_m: float) -> list[Spot]:
    """Places whose scenes, side by side on a grid along the meridians, cover a request's area; each is one image.

    Parameters
    ----------
    request
        Whose area; an outline that fits one scene is one place, its middle.
    scene_m
        Width and length of a scene.

    Returns
    -------
    list of Spot
        In rows from the south-west; at most 400, of a larger area the first of them.

    Notes
    -----
    A scene counts where its middle, or one of 5 x 5 points spread over it, lies within an outer ring of the area.
    """
    found: list[tuple[float, float]] = []
    for polygon in request.area.polygons:
        outer = polygon[0]
        lons, lats = [lon for lon, _ in outer], [lat for _, lat in outer]
        middle = (min(lats) + max(lats)) / 2
        across = _METRES_A_DEGREE * max(math.cos(math.radians(middle)), 1e-3)
        columns = max(1, math.ceil((max(lons) - min(lons)) * across / scene_m))
        rows = max(1, math.ceil((max(lats) - min(lats)) * _METRES_A_DEGREE / scene_m))
        wide, high = (max(lons) - min(lons)) / columns, (max(lats) - min(lats)) / rows
        for row in range(min(rows, _MOST_SPOTS)):
            for column in range(min(columns, _MOST_SPOTS)):
                west, south = min(lons) + column * wide, min(lats) + row * high
                points = [(west + (i + 0.5) / 5 * wide, south + (j + 0.5) / 5 * high) for i in range(5) for j in range(5)]
                if rows == columns == 1 or any(_inside(outer, *point) for point in points):
                    found.append((south + high / 2, west + wide / 2))
    found = found[:_MOST_SPOTS]
    several = len(found) > 1
    return [
        Spot(f"{request.id}/{number}" if several else request.id, request.id, lat, lon, 1 / len(found))
        for number, (lat, lon) in enumerate(found, 1)
    ]
