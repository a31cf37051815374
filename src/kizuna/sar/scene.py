"""A scene to be observed: ground of several surfaces, hills, buildings, bridges, ships, corner reflectors.

Places are metres east, north and up of the scene's centre; heights are above the water. What each thing sends back is a model
made to look right and to measure right (backscatter per area, known corner reflectors), not a prediction for one object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.instants import Instant
    from kizuna.sar.acquisition import Radar

__all__ = ["Area", "Block", "Bridge", "Hill", "Orbit", "Reflector", "Scene", "Ship", "ShipKind", "Strip", "Surface", "Terrain"]

type Point = tuple[float, float]
type Outline = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """How a kind of ground sends back.

    Parameters
    ----------
    name
        What it is called.
    sigma0_db
        Backscatter per area of ground seen under 45 degrees; it goes with the cosine of the angle of incidence.
    texture_db, texture_m
        Standard deviation of its level and the length over which that changes.
    swell_m
        Length of the waves that the texture consists of, for water; 0 for irregular texture.
    roughness_m
        Height that one standard deviation of the texture lifts the ground by (crowns of trees).
    """

    name: str
    sigma0_db: float
    texture_db: float = 0.0
    texture_m: float = 10.0
    swell_m: float = 0.0
    roughness_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Area:
    """Ground of one surface.

    Parameters
    ----------
    surface
        Name of it.
    outline_m
        Corners, east and north; a later area lies over an earlier one.
    height_m
        Height of the ground before hills are added.
    walled
        Whether it falls off to the water as a wall, as a quay does.
    """

    surface: str
    outline_m: Outline
    height_m: float = 0.0
    walled: bool = False


@dataclass(frozen=True, slots=True)
class Hill:
    """A hill, Gaussian in shape.

    Parameters
    ----------
    centre_m, radius_m, height_m
        Top, standard deviation and height above the ground.
    """

    centre_m: Point
    radius_m: float
    height_m: float


@dataclass(frozen=True, slots=True)
class Block:
    """A building, a stack of containers, a tank: an outline carried up.

    Parameters
    ----------
    outline_m
        Corners, east and north, counter-clockwise.
    base_m, height_m
        Height of its foot above the water, and its own height.
    roof_db, wall_db
        Backscatter per area, as of `Surface`.
    windows_m
        Distance of windows and balconies, which send back strongly from the walls that are seen; 0 for none.
    """

    outline_m: Outline
    base_m: float
    height_m: float
    roof_db: float = -14.0
    wall_db: float = -10.0
    windows_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Bridge:
    """A straight bridge over water.

    Parameters
    ----------
    ends_m
        Both ends of its axis, east and north.
    water_m
        Distances from the first end between which there is water below.
    width_m, height_m, thickness_m
        Of the deck; its upper side is at `height_m`.
    towers_m
        Distances from the first end at which towers stand.
    tower_height_m
        Their height above the water.
    """

    ends_m: tuple[Point, Point]
    water_m: Point
    width_m: float
    height_m: float
    thickness_m: float
    towers_m: tuple[float, ...]
    tower_height_m: float


class ShipKind(StrEnum):
    """What a ship carries on its deck."""

    CONTAINER = "container"
    TANKER = "tanker"
    FERRY = "ferry"
    TUG = "tug"


@dataclass(frozen=True, slots=True)
class Ship:
    """A ship.

    Parameters
    ----------
    name, kind
        What it is.
    centre_m
        Middle of its waterline in the middle of the aperture, east and north.
    heading_rad
        Where its bow points, clockwise from north.
    speed_m_s
        Along its heading; 0 for a moored one.
    length_m, width_m, freeboard_m
        Of the hull.
    """

    name: str
    kind: ShipKind
    centre_m: Point
    heading_rad: float
    speed_m_s: float
    length_m: float
    width_m: float
    freeboard_m: float

    @property
    def velocity_m_s(self) -> tuple[float, float, float]:
        """East, north, up."""
        return self.speed_m_s * math.sin(self.heading_rad), self.speed_m_s * math.cos(self.heading_rad), 0.0


@dataclass(frozen=True, slots=True)
class Reflector:
    """A trihedral corner reflector that faces the radar.

    Parameters
    ----------
    name
        What it is called.
    position_m
        Its apex: east, north, up.
    leg_m
        Length of its inner edges.
    """

    name: str
    position_m: tuple[float, float, float]
    leg_m: float

    def cross_section_m2(self, wavelength_m: float) -> float:
        """Peak radar cross section, 4 pi leg^4 / (3 wavelength^2) (Ruck et al. 1970, table 8-1)."""
        return 4.0 * math.pi * self.leg_m**4 / (3.0 * wavelength_m**2)


@dataclass(frozen=True, slots=True)
class Orbit:
    """A circular orbit that sees the scene, as a recipe describes it.

    Parameters
    ----------
    height_m, inclination_rad
        Of the orbit; no inclination stands for the sun-synchronous one.
    incidence_rad
        Under which the scene's centre is seen.
    ascending, looks_right
        Way of flight and side.
    """

    height_m: float
    inclination_rad: float | None
    incidence_rad: float
    ascending: bool
    looks_right: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """How a recipe wants its scene observed as a strip.

    Parameters
    ----------
    length_m
        Along the ground, about the scene's centre.
    swath_m
        Width on the ground, away from the radar.
    radar
        By what: resolution along the track, band and noise of this mode.
    """

    length_m: float
    swath_m: float
    radar: Radar


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """Heights of the ground on an even lattice; beyond its edge they go on as there.

    Parameters
    ----------
    heights_m
        Above the scene's height 0, shape (rows, cols): rows run north, columns east.
    corner_m
        Where the first of them lies, east and north.
    spacing_m
        Distance of neighbours.
    """

    heights_m: npt.NDArray[np.float64]
    corner_m: Point
    spacing_m: float

    def at(self, east_m: npt.NDArray[np.float64], north_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Heights at places, any shape, metres; linear between the lattice's points."""
        rows, cols = self.heights_m.shape
        row = np.clip((north_m - self.corner_m[1]) / self.spacing_m, 0.0, rows - 1.0)
        col = np.clip((east_m - self.corner_m[0]) / self.spacing_m, 0.0, cols - 1.0)
        top, left = np.minimum(row.astype(int), rows - 2), np.minimum(col.astype(int), cols - 2)
        down, across, heights = row - top, col - left, self.heights_m
        upper = (1.0 - across) * heights[top, left] + across * heights[top, left + 1]
        lower = (1.0 - across) * heights[top + 1, left] + across * heights[top + 1, left + 1]
        return np.asarray((1.0 - down) * upper + down * lower, np.float64)


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene, and how a recipe wants it observed.

    Parameters
    ----------
    name
        What it is called.
    place
        Where its centre lies, on the water's surface.
    start
        Instant of the first pulse.
    extent_m
        Side of the square to be observed.
    orbit, radar
        From where, and by what.
    seed
        Makes what is random the same each time.
    surfaces
        The first one fills all that no area covers.
    areas, hills, blocks, bridges, ships, reflectors
        What there is.
    terrain
        Heights of all ground, beside what areas and hills add; None: none.
    strip
        The strip that is to be observed instead of the square; None: the square, as a spotlight.
    """

    name: str
    place: Geodetic
    start: Instant
    extent_m: float
    orbit: Orbit
    radar: Radar
    seed: int
    surfaces: tuple[Surface, ...]
    areas: tuple[Area, ...] = ()
    hills: tuple[Hill, ...] = ()
    blocks: tuple[Block, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    ships: tuple[Ship, ...] = ()
    reflectors: tuple[Reflector, ...] = ()
    terrain: Terrain | None = None
    strip: Strip | None = None

    def about(self, centre_m: Point) -> Scene:
        """The same scene with its coordinates counted from another point, east and north."""

        def one(point: Point) -> Point:
            return point[0] - centre_m[0], point[1] - centre_m[1]

        def outline(corners: Outline) -> Outline:
            return tuple(one(corner) for corner in corners)

        return replace(
            self,
            areas=tuple(replace(area, outline_m=outline(area.outline_m)) for area in self.areas),
            hills=tuple(replace(hill, centre_m=one(hill.centre_m)) for hill in self.hills),
            blocks=tuple(replace(block, outline_m=outline(block.outline_m)) for block in self.blocks),
            bridges=tuple(replace(bridge, ends_m=(one(bridge.ends_m[0]), one(bridge.ends_m[1]))) for bridge in self.bridges),
            ships=tuple(replace(ship, centre_m=one(ship.centre_m)) for ship in self.ships),
            reflectors=tuple(
                replace(part, position_m=(*one(part.position_m[:2]), part.position_m[2])) for part in self.reflectors
            ),
            terrain=None if self.terrain is None else replace(self.terrain, corner_m=one(self.terrain.corner_m)),
        )
