"""Images formed straight onto a terrain model: each pixel of the map summed at its own place and height.

No standard of radar images has room for this: a SICD's pixels lie on a plane, and a SIDD is detected. So it is a GeoTIFF.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
from affine import Affine

from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import COMPLEX_COG, DETECTED_COG, write_cog
from kizuna.formats.map_grid import MapGrid, ecef_of, map_system, on_terrain, require_size, to_map
from kizuna.sar.form import form_on_surface
from kizuna.sar.grid import ground_grid
from kizuna.sar.image import spatial_support
from kizuna.sar.map_surface import MapSurface, map_sampling_m, to_map_baseband

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rasterio.crs import CRS

    from kizuna.earth.scene import LocalScene
    from kizuna.sar.form import Method
    from kizuna.sar.history import PhaseHistory

__all__ = ["MOST_FORMED_PIXELS", "FormedMap", "MapPlan", "MapValues", "form_map", "plan_map"]

type Floats = npt.NDArray[np.float64]

MOST_FORMED_PIXELS = 100_000_000
"""Pixels of a map, at most: 40 bytes each."""
_FILLED = 0.9


class MapValues(StrEnum):
    """What pixels of the map hold."""

    AMPLITUDE = "amplitude"
    COMPLEX = "complex"


@dataclass(frozen=True, slots=True)
class MapPlan:
    """Pixels of a map on terrain.

    Parameters
    ----------
    grid
        Of the map; its heights can no longer be asked for.
    surface
        The same in the scene.
    known
        Where the terrain model has heights, shape (rows, cols).
    """

    grid: MapGrid
    surface: MapSurface
    known: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FormedMap:
    """An image formed on terrain.

    Parameters
    ----------
    cog
        Cloud-optimised GeoTIFF: float32 amplitude, or complex64; NaN is no data.
    shape
        Rows and columns.
    """

    cog: bytes
    shape: tuple[int, int]


def plan_map(
    history: PhaseHistory,
    scene: LocalScene,
    terrain: BinaryIO,
    *,
    undulation_m: float = 0.0,
    lengths_m: tuple[float, float] | None = None,
    crs: str | None = None,
) -> MapPlan:
    """Lay a map about the middle of a collection's scene, on terrain.

    Parameters
    ----------
    history
        Phase history.
    scene
        Where it lies.
    terrain
        Open GeoTIFF of heights, metres.
    undulation_m
        What is added to them to have heights above the ellipsoid.
    lengths_m
        Side of the map's square and of its pixels; None: the largest that neither pulses nor frequencies fold, and pixels whose
        spectrum the complex image fills to four fifths.
    crs
        Projected coordinate system in metres; None: the scene's UTM zone.

    Raises
    ------
    InputError
        A terrain model that cannot be read or does not reach the scene; heights so different that nothing is left unfolded; a map
        that is too large.
    """
    origin = scene.origin
    system = map_system(crs, origin.latitude_deg, origin.longitude_deg)
    x, y = (float(value) for value in to_map(system, np.array(origin.latitude_rad), np.array(origin.longitude_rad)))
    with ExitStack() as stack:
        if lengths_m is None:
            spacing_m = map_sampling_m(history)
            widest_m, upright = _unfolded_m(history)
            grid = on_terrain(_square(system, (x, y), widest_m, spacing_m), terrain, undulation_m, stack)
            # What is high appears nearer.
            relief_m = (grid.height_range_m[1] - grid.height_range_m[0]) * math.tan(history.grazing_rad)
            extent_m = widest_m - relief_m / upright
            if extent_m < spacing_m:
                raise InputError(
                    Message("the terrain's heights differ by more than the echoes tell apart"),
                    hint=Message("Give the side of a smaller map and its spacing by --grid."),
                    field="grid",
                )
        else:
            extent_m, spacing_m = lengths_m
            ground_grid(history, extent_m=extent_m, spacing_m=spacing_m)  # refuses lengths that make no image
        grid = on_terrain(_square(system, (x, y), extent_m, spacing_m), terrain, undulation_m, stack)
        heights = np.empty((grid.rows, grid.cols), np.float32)
        middle_m = 0.5 * (grid.height_range_m[0] + grid.height_range_m[1])
        known = np.empty((grid.rows, grid.cols), np.bool_)
        for begin, end in grid.parts():
            read = grid.heights(begin, end)
            known[begin:end] = np.isfinite(read)
            heights[begin:end] = np.where(known[begin:end], read - middle_m, 0.0)
    ecef = ecef_of(system)

    def place(row: Floats, col: Floats, height_m: Floats) -> Floats:
        return scene.from_ecef(
            ecef(
                grid.transform.c + grid.transform.a * (col + 0.5),
                grid.transform.f + grid.transform.e * (row + 0.5),
                height_m,
            )
        )

    return MapPlan(replace(grid, heights=_closed), MapSurface.fitted(place, heights, middle_m), known)


def _closed(begin: int, end: int) -> Floats:  # pragma: no cover - nobody asks
    raise NotImplementedError(begin, end)


def _unfolded_m(history: PhaseHistory) -> tuple[float, float]:
    """Side of the largest level square, north up, that nothing folds; and how much longer it is along the line of sight."""
    row, col = spatial_support(history, ground_grid(history, extent_m=2.0, spacing_m=1.0)).bandwidth
    away = history.centre_position_m[:2] / np.linalg.norm(history.centre_position_m[:2])
    longer = float(np.abs(away).sum())
    return _FILLED * min((len(history.frequencies_hz) - 1) / row, history.pulses / col) / longer, longer


def _square(crs: CRS, middle: tuple[float, float], extent_m: float, spacing_m: float) -> MapGrid:
    """Square of pixels whose corners lie on whole multiples of the spacing."""
    side = max(1, round(extent_m / spacing_m))
    require_size(side, side, MOST_FORMED_PIXELS)
    left, top = (
        round((at + sign * 0.5 * side * spacing_m) / spacing_m) * spacing_m for at, sign in zip(middle, (-1, 1), strict=True)
    )
    return MapGrid(crs, Affine(spacing_m, 0.0, left, 0.0, -spacing_m, top), side, side, (0.0, 0.0), _closed)


def form_map(
    history: PhaseHistory,
    scene: LocalScene,
    plan: MapPlan,
    method: Method,
    *,
    values: MapValues = MapValues.AMPLITUDE,
    carrier: PhaseHistory | None = None,
    tags: Mapping[str, str],
    progress: Callable[[int, int], None] | None = None,
) -> FormedMap:
    """Form an image on terrain.

    Parameters
    ----------
    history
        Phase history, weighted if wanted.
    scene
        Where it lies.
    plan
        Pixels.
    method
        How.
    values
        What pixels hold. A complex one is without the carrier's phase of its own range from one antenna position, which the tags
        name: so it can be resampled, and with that phase put back it is the sum itself.
    carrier
        Whose middle antenna and frequency the removed phase has; None: the history's own.
    tags
        For the file, beside its own.
    progress
        Called with (work done, work in all).

    Raises
    ------
    InputError
        The method cannot form a map, or not this one from these data.
    """
    pixels = form_on_surface(history, plan.surface, method, progress=progress)
    own = {"QUANTITY": str(values)}
    shown: npt.NDArray[np.float32] | npt.NDArray[np.complex64] = pixels
    if values is MapValues.AMPLITUDE:
        shown = np.abs(pixels)
    else:
        carrier = history if carrier is None else carrier
        antenna = to_map_baseband(pixels, plan.surface, carrier)
        own |= {
            "PHASE_REMOVED": "4 pi f (|x - a| - r) / c",
            "PHASE_F_HZ": repr(carrier.centre_frequency_hz),
            "PHASE_A_ECEF_M": " ".join(f"{value:.6f}" for value in scene.to_ecef(antenna)),
            "PHASE_R_M": f"{float(np.linalg.norm(antenna)):.6f}",
        }
    del pixels
    shown[~plan.known] = np.nan
    options = DETECTED_COG if values is MapValues.AMPLITUDE else COMPLEX_COG
    cog = write_cog(shown, plan.grid.crs, plan.grid.transform, nodata=math.nan, tags={**own, **tags}, options=options)
    return FormedMap(cog, (plan.grid.rows, plan.grid.cols))
