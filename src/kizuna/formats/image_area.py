"""Where an area lies on an image: which pixels have no point outside it.

What reduces images for release (`kizuna.formats.geotiff_reduce`, `kizuna.formats.sicd_reduce`) asks here, so that both cut alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.transform import GCPTransformer
from rasterio.warp import transform as transform_points

from kizuna.earth.wgs84 import geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import to_lonlat

if TYPE_CHECKING:
    from collections.abc import Sequence

    type Ring = tuple[tuple[float, float], ...]
    type Floats = npt.NDArray[np.float64]
    type Mask = npt.NDArray[np.bool_]

__all__ = ["NOTHING_LEFT", "ImageGrid", "ground_steps_m", "inside", "on_image", "reduction_fault", "union_of"]

_LATTICE = 17
_EARTH_M = 6_378_137.0
_METRES_A_DEGREE = 111_320.0
_HALF_GLOBE_DEG = 180.0
_BEND_PIXELS, _INWARDS_PIXELS = 0.01, 0.05
_WGS84 = CRS.from_epsg(4326)
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ImageGrid:
    """Where pixels lie: by a transform or by ground control points, of an image of so many rows and columns."""

    crs: CRS
    transform: Affine | None
    points: tuple[GroundControlPoint, ...]
    shape: tuple[int, int]

    def lonlat(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Longitudes and latitudes in degrees of pixel-corner coordinates."""
        longitude, latitude = to_lonlat(self.crs, self.transform, self.points, rows.ravel().tolist(), cols.ravel().tolist())
        if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
            raise reduction_fault(Message("the image's position cannot be turned into longitude and latitude"))
        # Either the longitudes jump, or they go on beyond the half globe (as degrees in an image's own grid may).
        if np.ptp(longitude) > _HALF_GLOBE_DEG or np.abs(longitude).max() > _HALF_GLOBE_DEG + _ROUNDING:
            raise reduction_fault(Message("the image crosses the antimeridian, where this version cannot measure it"))
        return longitude, latitude

    def pixels(self, longitude: Floats, latitude: Floats) -> Floats:
        """Pixel-corner coordinates (col, row), shape (n, 2), of longitudes and latitudes in degrees."""
        xs, ys = transform_points(_WGS84, self.crs, longitude.tolist(), latitude.tolist())[:2]
        if self.transform is not None:
            inverse, x, y = ~self.transform, np.asarray(xs, np.float64), np.asarray(ys, np.float64)
            cols, rows = inverse.a * x + inverse.b * y + inverse.c, inverse.d * x + inverse.e * y + inverse.f
        else:
            with GCPTransformer(list(self.points), tps=True) as transformer:
                rows, cols = transformer.rowcol(xs, ys, op=np.positive)
        found = np.stack([np.asarray(cols, np.float64), np.asarray(rows, np.float64)], axis=1)
        if not np.isfinite(found).all():
            raise reduction_fault(Message("the area's outline cannot be placed on the image"))
        return found

    def part(self, top: int, left: int, factors: tuple[int, int], shape: tuple[int, int]) -> ImageGrid:
        """Grid of the blocks of `factors` pixels from a first pixel on."""
        down, across = factors
        return ImageGrid(
            self.crs,
            None if self.transform is None else _block_transform(self.transform, top, left, factors),
            tuple(GroundControlPoint(row=(p.row - top) / down, col=(p.col - left) / across, x=p.x, y=p.y) for p in self.points),
            shape,
        )


def _block_transform(transform: Affine, top: int, left: int, factors: tuple[int, int]) -> Affine:
    """Transform of blocks of pixels, written out: how two transforms are multiplied differs between versions of affine."""
    down, across = factors
    a, b, c, d, e, f = transform[:6]
    return Affine(a * across, b * down, a * left + b * top + c, d * across, e * down, d * left + e * top + f)


def reduction_fault(message: Message) -> InputError:
    """Why nothing of an image remains."""
    return InputError(
        message,
        hint=Message("Nothing of the product goes under this article; the original is as it was."),
        field="file",
    )


NOTHING_LEFT = Message("nothing of the image is left inside the area at that resolution")


def ground_steps_m(grid: ImageGrid) -> tuple[float, float]:
    """Smallest extents of a pixel on the ground, metres, along rows' order and columns', at right angles to the other side."""
    height, width = grid.shape
    rows, cols = np.meshgrid(np.linspace(0, height - 1, _LATTICE), np.linspace(0, width - 1, _LATTICE), indexing="ij")
    corners = []
    for further in ((0, 0), (1, 0), (0, 1)):
        longitude, latitude = grid.lonlat(rows + further[0], cols + further[1])
        corners.append(geodetic_to_ecef(np.radians(latitude), np.radians(longitude)))
    down, across = corners[1] - corners[0], corners[2] - corners[0]
    areas = np.linalg.norm(np.cross(down, across), axis=-1)
    found = [float(np.min(areas / np.linalg.norm(side, axis=-1))) for side in (across, down)]
    if not all(math.isfinite(step) and step > 0.0 for step in found):
        raise reduction_fault(Message("the size of the image's pixels on the ground is not known"))
    return found[0], found[1]


def on_image(grid: ImageGrid, area: shapely.Geometry) -> shapely.Geometry:
    """Area in pixel-corner coordinates (col, row), cut off some way beyond the image."""
    height, width = grid.shape
    rows, cols = np.meshgrid(np.linspace(0, height, _LATTICE), np.linspace(0, width, _LATTICE), indexing="ij")
    longitude, latitude = grid.lonlat(rows, cols)
    pixel_deg = max(np.ptp(longitude) / width, np.ptp(latitude) / height)
    margins = [max(0.05 * float(np.ptp(values)), 10.0 * float(pixel_deg)) for values in (longitude, latitude)]
    frame = shapely.box(
        max(float(longitude.min()) - margins[0], -180.0),
        max(float(latitude.min()) - margins[1], -90.0),
        min(float(longitude.max()) + margins[0], 180.0),
        min(float(latitude.max()) + margins[1], 90.0),
    )
    near = area.intersection(frame)
    if near.is_empty:
        return near
    # Edges are straight in degrees and bent on the image: in pieces so short that they bend by a hundredth of a pixel, and then
    # moved inwards by more than that and more than GDAL lets an outline overlap a pixel before it counts as touched.
    longest_m = math.sqrt(8.0 * _BEND_PIXELS * min(ground_steps_m(grid)) * _EARTH_M)
    pieces = shapely.segmentize(near, longest_m / _METRES_A_DEGREE)
    drawn = shapely.make_valid(shapely.transform(pieces, lambda xy: grid.pixels(xy[:, 0], xy[:, 1])))
    return drawn.buffer(-_INWARDS_PIXELS, join_style="mitre")


def inside(outline: shapely.Geometry | None, top: int, left: int, shape: tuple[int, int]) -> Mask:
    """Pixels that lie inside as a whole: no point of theirs is outside."""
    rows, cols = shape
    if outline is None:
        return np.ones(shape, np.bool_)
    frame = shapely.box(left - 1, top - 1, left + cols + 1, top + rows + 1)
    outside = frame.difference(outline)
    if outside.is_empty:
        return np.ones(shape, np.bool_)
    place = Affine.translation(left, top)
    burnt = rasterize([(outside, 1)], out_shape=shape, transform=place, fill=0, all_touched=True, dtype="uint8")
    return np.asarray(burnt == 0)


def union_of(polygons: Sequence[Sequence[Ring]]) -> shapely.Geometry:
    """Union of polygons, each an exterior ring and its holes.

    Raises
    ------
    InputError
        If one of them crosses itself.
    """
    made = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons]
    for polygon in made:
        if not polygon.is_valid:
            # What two programs would fill differently is filled by none.
            raise reduction_fault(
                Message("an outline of the area crosses itself: {why}", {"why": shapely.is_valid_reason(polygon)})
            )
    return shapely.union_all(made)
