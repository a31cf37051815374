"""The ground of a scene as scatterers: one to a cell that the radar just resolves, as bright as its surface and slope make it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from kizuna.errors import InputError, Message
from kizuna.sar.echoes import Cloud
from kizuna.sar.scene_kernels import fill_outline, lay_ground
from kizuna.sar.scene_shapes import gamma_of

if TYPE_CHECKING:
    from kizuna.sar.scene import Scene, Surface

__all__ = ["Ground", "ground_of"]

type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]

_COARSE_M = 2.0
_WAVES = 40
_DB = math.log(10.0) / 10.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Frame of the lattice that the ground is cut into: along the ground away from the radar, and to the left of that.

    Parameters
    ----------
    away, left
        Unit vectors, shape (2,), east and north.
    """

    away: Floats
    left: Floats

    @classmethod
    def facing(cls, sight: Floats) -> Ground:
        """Frame for a vector to the radar."""
        away = -sight[:2] / np.linalg.norm(sight[:2])
        return cls(away, np.array([-away[1], away[0]]))

    def within(self, places_m: Floats, extent_m: tuple[float, float]) -> npt.NDArray[np.bool_]:
        """Which places, shape (n, 2), east and north, lie within a rectangle of these sides, away and left, about the centre."""
        return np.asarray(
            (np.abs(places_m @ self.away) <= 0.5 * extent_m[0]) & (np.abs(places_m @ self.left) <= 0.5 * extent_m[1])
        )


def ground_of(
    scene: Scene, sight: Floats, *, extent_m: tuple[float, float], spacing_m: tuple[float, float], rng: np.random.Generator
) -> Cloud:
    """Ground of a scene's rectangle, in rows that run away from the radar.

    Parameters
    ----------
    scene
        Areas, hills and terrain.
    sight
        Unit vector to the radar, shape (3,).
    extent_m
        Sides of the rectangle, away from the radar and across, metres.
    spacing_m
        Sides of a cell, away from the radar and across: no wider than the image's bandwidths tell apart, so that its speckle is
        fully developed.
    rng
        Speckle and textures.

    Raises
    ------
    InputError
        An area of a surface that the scene does not name.
    """
    frame = Ground.facing(sight)
    step_m = np.asarray(spacing_m[::-1], np.float64)
    counts = np.rint(np.asarray(extent_m[::-1]) / step_m).astype(int)
    first_m = (0.5 - 0.5 * counts) * step_m
    # Rows lie across the line of sight and run away from the radar, as memory does in `kizuna.sar.echoes`.
    axes = np.array([frame.left, frame.away])
    names = [surface.name for surface in scene.surfaces]
    kinds = np.zeros((int(counts[0]), int(counts[1])), np.uint8)
    heights = [0.0]
    kind_surface = [0]
    for area in scene.areas:
        if area.surface not in names:
            raise InputError(
                Message("surface {got} is not among {known}", {"got": area.surface, "known": ", ".join(names)}),
                hint=Message("Name a surface of the recipe."),
                field="area.surface",
            )
        heights.append(area.height_m)
        kind_surface.append(names.index(area.surface))
        corners = np.asarray(area.outline_m, np.float64)
        lattice = corners @ axes.T
        fill_outline(kinds, (lattice - first_m) / step_m, len(heights) - 1)
    at = _coarse(extent_m[1]), _coarse(extent_m[0])
    hills = np.zeros((len(at[0]), len(at[1])))
    for hill in scene.hills:
        centre = np.array(hill.centre_m)
        squared = (at[0][:, None] - centre @ axes[0]) ** 2 + (at[1][None, :] - centre @ axes[1]) ** 2
        hills += hill.height_m * np.exp(-0.5 * squared / hill.radius_m**2)
    if scene.terrain is not None:
        places = at[0][:, None, None] * axes[0] + at[1][None, :, None] * axes[1]
        hills += scene.terrain.at(places[..., 0], places[..., 1])
    fields = np.stack([_texture(surface, at, axes, rng) for surface in scene.surfaces])
    table = np.array(
        [
            (
                heights[kind],
                gamma_of(scene.surfaces[number].sigma0_db) * step_m.prod(),
                _DB * scene.surfaces[number].texture_db,
                scene.surfaces[number].roughness_m,
                number,
                # Hills stand on land; the first kind is what no area covers. Terrain is told of all ground.
                1.0 if kind or scene.terrain is not None else 0.0,
            )
            for kind, number in enumerate(kind_surface)
        ]
    )
    values = rng.standard_normal((kinds.size, 2), np.float32)
    positions = lay_ground(
        kinds,
        table,
        hills,
        fields,
        (*first_m.tolist(), *step_m.tolist(), float(at[0][0]), float(at[1][0]), _COARSE_M),
        axes,
        np.ascontiguousarray(sight, np.float64),
        values,
    )
    return Cloud(positions, values.view(np.complex64)[:, 0])


def _coarse(extent_m: float) -> Floats:
    """Coordinates of the coarse lattice along one side."""
    count = math.ceil(extent_m / _COARSE_M) + 3
    return np.asarray((np.arange(count, dtype=np.float64) - 0.5 * (count - 1)) * _COARSE_M)


def _texture(surface: Surface, at: tuple[Floats, Floats], axes: Floats, rng: np.random.Generator) -> Singles:
    """Field of mean 0 and variance 1 over the coarse lattice: filtered noise, or waves that run with the wind."""
    shape = len(at[0]), len(at[1])
    if surface.texture_db == 0.0 and surface.roughness_m == 0.0:
        return np.zeros(shape, np.float32)
    if surface.swell_m > 0.0:
        # A swell: lengths about one and directions about one, as many waves as make it look irregular.
        length = surface.swell_m * np.exp(0.35 * rng.standard_normal(_WAVES))
        heading = 0.9 + 0.35 * rng.standard_normal(_WAVES)
        way = np.stack([np.sin(heading), np.cos(heading)], axis=-1) * (2.0 * math.pi / length)[:, None]
        down = np.exp(1j * (np.outer(at[0], way @ axes[0]) + rng.uniform(0.0, 2.0 * math.pi, _WAVES)))
        across = np.exp(1j * np.outer(way @ axes[1], at[1]))
        field = (down @ across).real
    else:
        field = scipy.ndimage.gaussian_filter(rng.standard_normal(shape), surface.texture_m / _COARSE_M, mode="wrap")
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-12), np.float32)
