"""Heights of a scene's ground out of a GeoTIFF."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import scipy.ndimage
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import open_tiff
from kizuna.sar.scene import Terrain

if TYPE_CHECKING:
    from kizuna.earth.scene import LocalScene

__all__ = ["read_terrain"]

_STEP_M = 2.0
_ROOM = 1.2
_WGS84 = CRS.from_epsg(4326)


def read_terrain(file: BinaryIO, place: LocalScene, extent_m: float, *, undulation_m: float = 0.0) -> Terrain:
    """Heights about a place, every two metres.

    Parameters
    ----------
    file
        Open GeoTIFF of heights, metres, in any coordinate system.
    place
        Where the scene lies; its height above the ellipsoid becomes 0.
    extent_m
        Side of the scene's square; heights reach a fifth farther, for it may be turned.
    undulation_m
        What is added to have heights above the ellipsoid (that of the geoid, where they are above the sea).

    Raises
    ------
    InputError
        No GeoTIFF with a coordinate system, or heights that do not cover the scene.
    """
    half = math.ceil(0.5 * extent_m * math.sqrt(2.0) * _ROOM / _STEP_M)
    along = np.arange(-half, half + 1) * _STEP_M
    east, north = np.meshgrid(along, along)
    latitude, longitude, base_m = place.to_geodetic(np.stack([east, north, np.zeros_like(east)], axis=-1))
    try:
        with open_tiff(file) as dataset:
            if dataset.crs is None:
                raise _refused()
            x, y = transform_points(_WGS84, dataset.crs, np.degrees(longitude).ravel(), np.degrees(latitude).ravel())[:2]
            back = ~dataset.transform
            # From pixels' corners to their centres.
            col = back.a * np.asarray(x) + back.b * np.asarray(y) + back.c - 0.5
            row = back.d * np.asarray(x) + back.e * np.asarray(y) + back.f - 0.5
            top, left = math.floor(row.min()), math.floor(col.min())
            bottom, right = math.ceil(row.max()) + 1, math.ceil(col.max()) + 1
            if top < 0 or left < 0 or bottom > dataset.height or right > dataset.width:
                raise _refused()
            window = Window(left, top, right - left, bottom - top)
            heights: npt.NDArray[np.float64] = np.asarray(dataset.read(1, window=window, masked=True).filled(np.nan), np.float64)
    except RasterioError as error:
        raise _refused() from error
    found = scipy.ndimage.map_coordinates(heights, [row - top, col - left], order=1, mode="nearest").reshape(east.shape)
    if not np.isfinite(found).all():
        raise _refused()
    return Terrain(found + undulation_m - base_m, (float(along[0]), float(along[0])), _STEP_M)


def _refused() -> InputError:
    return InputError(
        Message("the terrain model does not cover the scene with heights"),
        hint=Message("Give a GeoTIFF of heights with a coordinate system that reaches a fifth beyond the scene."),
        field="dem",
    )
