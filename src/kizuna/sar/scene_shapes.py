"""Shapes as scatterers: faces sampled into cells, and the edges and corners that outshine them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.scene import Block, Bridge, Outline, Ship

__all__ = ["Shapes", "gamma_of"]

type Floats = npt.NDArray[np.float64]

_UP = np.array([0.0, 0.0, 1.0])
_DIHEDRAL_DB_PER_M = 14.0
_DIHEDRAL_WIDTH_RAD = math.radians(9.0)
_DIHEDRAL_FLOOR_DB_PER_M = -3.0
_WINDOW_M2 = 2.5
_PARAPET_M2_PER_M = 1.0


def gamma_of(sigma0_db: float) -> float:
    """Backscatter per projected area (gamma), from sigma0 under 45 degrees."""
    return float(10.0 ** (sigma0_db / 10.0) * math.sqrt(2.0))


@dataclass(slots=True)
class Shapes:
    """Scatterers of shapes, gathered piece by piece.

    Parameters
    ----------
    sight
        Unit vector to the radar, shape (3,), scene frame.
    spacing_m
        Side of the cells that faces are cut into.
    rng
        What is random in it.
    """

    sight: Floats
    spacing_m: float
    rng: np.random.Generator
    _positions: list[Floats] = field(default_factory=list)
    _amplitudes: list[npt.NDArray[np.complex128]] = field(default_factory=list)
    _hidden: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    def scatterers(self) -> tuple[Floats, npt.NDArray[np.complex64], npt.NDArray[np.bool_]]:
        """Positions, shape (n, 3), amplitudes, (n,), and whether each can be hidden by, and hides, what is real."""
        if not self._positions:
            return np.empty((0, 3)), np.empty(0, np.complex64), np.empty(0, np.bool_)
        return (
            np.concatenate(self._positions),
            np.concatenate(self._amplitudes).astype(np.complex64),
            np.concatenate(self._hidden),
        )

    def _add(self, positions: Floats, amplitudes: npt.NDArray[np.complexfloating], *, real: bool = True) -> None:
        self._positions.append(positions)
        self._amplitudes.append(np.asarray(amplitudes, np.complex128))
        self._hidden.append(np.full(len(positions), real))

    def points(self, positions: Floats, cross_section_m2: npt.ArrayLike, *, real: bool = True) -> None:
        """Add scatterers of these mean cross sections: fixed in strength, their phases random."""
        size = np.sqrt(np.broadcast_to(np.asarray(cross_section_m2, np.float64), (len(positions),)))
        self._add(positions, size * np.exp(2j * math.pi * self.rng.random(len(positions))), real=real)

    def rough(self, positions: Floats, cross_section_m2: npt.ArrayLike, *, real: bool = True) -> None:
        """Add scatterers that make fully developed speckle of these mean cross sections."""
        size = np.sqrt(0.5 * np.broadcast_to(np.asarray(cross_section_m2, np.float64), (len(positions),)))
        normal = self.rng.standard_normal((2, len(positions)))
        self._add(positions, size * (normal[0] + 1j * normal[1]), real=real)

    def face(self, origin: Floats, first: Floats, second: Floats, gamma: float) -> None:
        """Add a parallelogram from its corner and its sides, rough; the side that first x second points to is the outer one."""
        across = np.cross(first, second)
        area = float(np.linalg.norm(across))
        counts = [max(1, math.ceil(float(np.linalg.norm(side)) / self.spacing_m)) for side in (first, second)]
        if area == 0.0:
            return
        steps = [(np.arange(count) + 0.5) / count for count in counts]
        positions = origin + (steps[0][:, None, None] * first + steps[1][None, :, None] * second).reshape(-1, 3)
        seen = max(0.0, float(across @ self.sight))
        self.rough(positions, gamma * seen / (counts[0] * counts[1]))

    def plate(self, origin: Floats, first: Floats, second: Floats, gamma: float) -> None:
        """Add a parallelogram as `face` does, of which the side is the outer one that the radar sees."""
        if np.cross(first, second) @ self.sight >= 0.0:
            self.face(origin, first, second, gamma)
        else:
            self.face(origin, second, first, gamma)

    def floor(self, outline: Floats, height_m: float, gamma: float) -> None:
        """Add a level face of any outline, shape (n, 2)."""
        low, high = outline.min(axis=0), outline.max(axis=0)
        counts = np.maximum(1, np.ceil((high - low) / self.spacing_m)).astype(int)
        cell = (high - low) / counts
        east, north = np.meshgrid(*(low[k] + (np.arange(counts[k]) + 0.5) * cell[k] for k in range(2)), indexing="ij")
        inside = _inside(outline, east.ravel(), north.ravel())
        positions = np.column_stack([east.ravel(), north.ravel(), np.full(east.size, height_m)])[inside]
        self.rough(positions, gamma * float(self.sight[2]) * float(cell[0] * cell[1]))

    def line(self, start: Floats, stop: Floats, cross_section_m2_per_m: float, step_m: float, *, real: bool = True) -> None:
        """Add a line of scatterers, whose distance and strength are a little irregular."""
        length = float(np.linalg.norm(stop - start))
        count = max(1, round(length / step_m))
        along = (np.arange(count) + 0.5 + 0.3 * self.rng.uniform(-1.0, 1.0, count)) / count
        self.rough(start + along[:, None] * (stop - start), cross_section_m2_per_m * length / count, real=real)

    def prism(self, outline: Floats, base_m: float, height_m: float, roof_gamma: float, wall_gamma: float) -> None:
        """Add an outline, shape (n, 2), counter-clockwise, carried up: roof, walls, and what shines along their feet and tops.

        A wall and the ground before it are a dihedral: it shines where the wall faces the radar, and little beyond some degrees.
        """
        top = base_m + height_m
        self.floor(outline, top, roof_gamma)
        for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            foot, along = np.array([*a, base_m]), np.array([*(b - a), 0.0])
            normal = np.cross(along, _UP)
            length = float(np.linalg.norm(along))
            if length == 0.0 or normal @ self.sight <= 0.0:
                continue
            self.face(foot, along, height_m * _UP, wall_gamma)
            self.dihedral(foot, foot + along, height_m)
            lifted = np.array([0.0, 0.0, height_m])
            self.line(foot + lifted, foot + along + lifted, _PARAPET_M2_PER_M, 0.6)

    def dihedral(self, start: Floats, stop: Floats, height_m: float) -> None:
        """Add what a wall over [start, stop] and the ground before it send back together: it seems to come from the foot."""
        along = stop - start
        normal = np.cross(along, _UP) / np.linalg.norm(along)
        ground = self.sight * [1.0, 1.0, 0.0]
        off = math.acos(min(1.0, max(-1.0, float(normal @ ground) / float(np.linalg.norm(ground)))))
        level = 10.0 ** (_DIHEDRAL_DB_PER_M / 10.0) * math.exp(-((off / _DIHEDRAL_WIDTH_RAD) ** 2))
        level += 10.0 ** (_DIHEDRAL_FLOOR_DB_PER_M / 10.0)
        self.line(start, stop, level * min(1.0, height_m / 10.0), 0.4)

    def block(self, block: Block) -> None:
        """Add a building."""
        outline = counter_clockwise(block.outline_m)
        self.prism(outline, block.base_m, block.height_m, gamma_of(block.roof_db), gamma_of(block.wall_db))
        if block.windows_m <= 0.0:
            return
        for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            along = np.array([*(b - a), 0.0])
            length = float(np.linalg.norm(along))
            if np.cross(along, _UP) @ self.sight <= 0.0 or length < block.windows_m:
                continue
            steps = np.arange(block.windows_m / 2.0, length, block.windows_m) / length
            heights = np.arange(block.windows_m / 2.0, block.height_m, block.windows_m)
            positions = np.array([*a, block.base_m]) + (steps[:, None, None] * along + heights[None, :, None] * _UP).reshape(
                -1, 3
            )
            strength = _WINDOW_M2 * float(np.cross(along, _UP) @ self.sight) / length
            self.points(positions, strength * self.rng.exponential(1.0, len(positions)))

    def bridge(self, bridge: Bridge) -> None:
        """Add a bridge, with the echoes that go over the water: once to the foot of its side, twice to its mirror image.

        Over the girder's side and the water an echo takes as long as from the water below that side; over the water, the deck's
        underside and the water again, as long as from the deck's mirror image below the water (Soergel et al. 2008).
        """
        first, last = (np.asarray(end, np.float64) for end in bridge.ends_m)
        length = float(np.linalg.norm(last - first))
        along = (last - first) / length
        aside = np.array([-along[1], along[0]]) * (0.5 * bridge.width_m)
        if aside @ self.sight[:2] < 0.0:  # the side that the radar sees
            aside = -aside
        under = bridge.height_m - bridge.thickness_m

        def place(distance_m: float, side: float, height_m: float) -> Floats:
            return np.array([*(first + distance_m * along + side * aside), height_m])

        deck, wide = np.array([*(length * along), 0.0]), np.array([*(2.0 * aside), 0.0])
        self.plate(place(0.0, -1.0, bridge.height_m), deck, wide, gamma_of(-17.0))
        self.plate(place(0.0, 1.0, under), deck, bridge.thickness_m * _UP, gamma_of(-6.0))
        for side in (-1.0, 1.0):
            rail = bridge.height_m + 1.0
            self.line(place(0.0, side, rail), place(length, side, rail), 3.0, 0.5)
            lamps = np.arange(15.0, length, 30.0)
            self.points(np.array([place(d, side, bridge.height_m + 9.0) for d in lamps]), 25.0)
        below = bridge.water_m
        self.line(place(below[0], 1.0, 0.0), place(below[1], 1.0, 0.0), 12.0, 0.4, real=False)
        for side in np.linspace(-0.8, 0.8, 7):
            mirrored = -under
            self.line(place(below[0], side, mirrored), place(below[1], side, mirrored), 0.12, 0.6, real=False)
        for distance in bridge.towers_m:
            self._tower(place, distance, bridge)

    def _tower(self, at: Callable[[float, float, float], Floats], distance_m: float, bridge: Bridge) -> None:
        for side in (-1.0, 1.0):
            corners = np.array(
                [at(distance_m + d, side * s, 0.0)[:2] for d, s in ((-2.5, 1.0), (2.5, 1.0), (2.5, 1.35), (-2.5, 1.35))]
            )
            if _signed_area(corners) < 0.0:
                corners = corners[::-1]
            self.prism(corners, 0.0, bridge.tower_height_m, gamma_of(-12.0), gamma_of(-8.0))
            reach = bridge.tower_height_m - bridge.height_m
            for fraction in np.linspace(0.25, 1.0, 6):
                for way in (-1.0, 1.0):
                    top = at(distance_m, side, bridge.height_m + reach * (0.4 + 0.55 * fraction))
                    foot = at(distance_m + way * 1.6 * reach * fraction, side, bridge.height_m)
                    self.line(top, foot, 0.6, 0.7)

    def hull(self, ship: Ship) -> None:
        """Add a ship, about its own middle and with its bow to the north."""
        half, side = 0.5 * ship.length_m, 0.5 * ship.width_m
        outline = np.array(
            [
                [0.7 * side, -half], [side, -0.9 * half], [side, 0.62 * half], [0.6 * side, 0.85 * half], [0.0, half],
                [-0.6 * side, 0.85 * half], [-side, 0.62 * half], [-side, -0.9 * half], [-0.7 * side, -half],
            ]
        )  # fmt: skip
        turn = np.array(
            [
                [math.cos(ship.heading_rad), -math.sin(ship.heading_rad)],
                [math.sin(ship.heading_rad), math.cos(ship.heading_rad)],
            ]
        )

        def turned(points: Floats) -> Floats:
            return np.asarray(points @ turn)

        def box(low: tuple[float, float], high: tuple[float, float], base_m: float, height_m: float, wall_db: float) -> None:
            """Box on deck between two corners, each a share of half the width and of half the length."""
            corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]]) * [side, half]
            self.prism(turned(corners), base_m, height_m, gamma_of(-8.0), gamma_of(wall_db))

        self.prism(turned(outline), 0.0, ship.freeboard_m, gamma_of(-9.0), gamma_of(-7.0))
        deck = ship.freeboard_m
        details: list[Floats] = []
        match ship.kind.value:
            case "container":
                box((-0.85, -0.78), (0.85, -0.66), deck, 22.0, -4.0)
                for bay in np.arange(-0.56, 0.62, 0.14):
                    box((-0.9, bay), (0.9, bay + 0.11), deck, float(self.rng.choice([5.2, 7.8, 10.4])), -5.0)
                details.append(
                    np.column_stack([self.rng.uniform(-0.9, 0.9, 60), self.rng.uniform(-0.6, 0.6, 60), np.full(60, deck + 9.0)])
                )
            case "tanker":
                box((-0.8, -0.85), (0.8, -0.68), deck, 16.0, -4.0)
                line = np.linspace(-0.6, 0.8, 40)
                details.extend(np.column_stack([np.full(40, x), line, np.full(40, deck + 1.5)]) for x in (-0.12, 0.0, 0.12))
                details.append(np.column_stack([np.linspace(-0.9, 0.9, 12), np.zeros(12), np.full(12, deck + 2.5)]))
            case "ferry":
                box((-0.92, -0.8), (0.92, 0.55), deck, 7.0, -5.0)
                box((-0.7, -0.5), (0.7, 0.35), deck + 7.0, 4.0, -5.0)
                details.append(
                    np.column_stack([self.rng.uniform(-0.8, 0.8, 40), self.rng.uniform(-0.7, 0.5, 40), np.full(40, deck + 8.0)])
                )
            case _:
                box((-0.6, -0.1), (0.6, 0.45), deck, 5.0, -4.0)
                details.append(np.array([[0.0, 0.1, deck + 10.0], [0.0, -0.6, deck + 1.5]]))
        for group in details:
            flat = turned(group[:, :2] * [side, half])
            self.points(np.column_stack([flat, group[:, 2]]), 6.0 * self.rng.exponential(1.0, len(group)))


def _inside(outline: Floats, east: Floats, north: Floats) -> npt.NDArray[np.bool_]:
    """Whether points lie in a polygon: crossings of a ray, counted."""
    inside = np.zeros(len(east), np.bool_)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crosses = (y0 > north) != (y1 > north)
        if y0 != y1:
            inside ^= crosses & (east < x0 + (north - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _signed_area(outline: Floats) -> float:
    following = np.roll(outline, -1, axis=0)
    return float(0.5 * np.sum(outline[:, 0] * following[:, 1] - following[:, 0] * outline[:, 1]))


def counter_clockwise(outline: Outline) -> Floats:
    """Corners, shape (n, 2), in the order that `Shapes.prism` wants."""
    corners = np.asarray(outline, np.float64)
    return corners if _signed_area(corners) > 0.0 else corners[::-1].copy()
