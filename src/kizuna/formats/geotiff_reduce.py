"""Images made coarser, or cut to an area: what remains of a detected image under an obligation, made from its pixels alone.

Coarser means one number for each cell: the image is divided into blocks of whole pixels, each at least as wide as asked in both
directions, and of each block only the mean power is kept. The pixel spacing is that of the blocks, so nothing that is finer can
be computed from the result: two images with the same mean power in each block give the same bytes. What remains is that mean;
where the blocks begin is fixed by the source's first pixel, whatever is cut out of it. (Who gets the same image under two
limits, neither a multiple of the other, has the means of two grids, whose cells overlap in smaller pieces.)

Power (amplitude squared) is averaged rather than amplitude: it is what adds up in radar echoes, so a field keeps its
brightness whatever the blocks. Pixels without data count as no power, and a block of which they are more than half is no data:
so at the edges, too, a value never stands for less than its block.

Cut means that a pixel, or a block, stays only if it lies inside the area as a whole. What does not is taken away before anything
else is made of the image: overviews, map image, limits of brightness and bounds are those of what stays.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from kizuna.errors import Message
from kizuna.formats.geotiff import (
    DEEPEST_ZOOM,
    DETECTED_COG,
    EQUATOR_M,
    HIGH_PERCENTILE,
    LOW_PERCENTILE,
    STRETCH_HIGH,
    STRETCH_LOW,
    TILE,
    WEB_COG,
    WEB_MERCATOR,
    Placed,
    copy_as_cog,
    decibels_of,
    levels_of,
    open_tiff,
    placement_of,
    read_georeference,
    write_detected_cog,
)
from kizuna.formats.image_area import NOTHING_LEFT, ImageGrid, ground_steps_m, inside, on_image, reduction_fault, union_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rasterio.io import DatasetReader

    type Ring = tuple[tuple[float, float], ...]
    type Floats = npt.NDArray[np.float64]
    type Amplitude = npt.NDArray[np.float32]
    type Mask = npt.NDArray[np.bool_]

__all__ = ["MOST_PIXELS_AT_ONCE", "ReducedImage", "cut_ring", "reduce_image"]

MOST_PIXELS_AT_ONCE = 100_000_000
"""Pixels of one block, and of what remains of an image that is placed by ground control points: these are held in memory."""

_WGS84 = CRS.from_epsg(4326)
# Source pixels that are read at a time; multiples of the 512 of a COG's tiles.
_CHUNK_ROWS, _CHUNK_COLS = 1024, 2048
# Pieces are read once: GDAL's cache, a twentieth of the machine's memory, would only hold them longer.
_CACHE_MB = 128
_PLAIN = {"driver": "GTiff", "count": 1, "tiled": True, "blockxsize": 512, "blockysize": 512, "BIGTIFF": "IF_SAFER"}
_EDGE_POINTS = 16
_HALF_GLOBE_DEG = 180.0
# A warped image's pixels are set by the map projection, whose scale differs by less than this from that of the ground.
_PROJECTION_MARGIN = 1.01
_ROUNDING = 1e-9
_LOWEST_DB, _HIGHEST_DB, _BINS_A_DB = -400, 400, 50
_LONGEST_RING = 500
_FINEST_RING_DEG, _COARSEST_RING_DEG = 1e-6, 1.0


@dataclass(frozen=True, slots=True)
class ReducedImage:
    """What remains of an image.

    Parameters
    ----------
    detected_cog
        Amplitude as a cloud-optimised GeoTIFF, float32, NaN is no data, trimmed to what remains.
    web_cog
        Web-optimised GeoTIFF of display levels, made from it.
    resolution_m
        Smaller of the two sides of its cells on the ground, metres, measured at their smallest in the image.
    """

    detected_cog: bytes
    web_cog: bytes
    resolution_m: float


def reduce_image(
    file: BinaryIO,
    *,
    finest_m: float = 0.0,
    polygons: Sequence[Sequence[Ring]] | None = None,
    tags: Mapping[str, str] | None = None,
) -> ReducedImage:
    """Make a detected image coarser, or cut it to an area, or both.

    Parameters
    ----------
    file
        Open, seekable GeoTIFF of one plain image: a detected COG, or a detected original.
    finest_m
        The cells of the result are no smaller than this on the ground, in either direction and anywhere; metres.
    polygons
        Nothing outside their union remains: each an exterior ring and its holes, (longitude, latitude) in degrees, closed, edges
        straight in those coordinates (RFC 7946). None: no limit.
    tags
        Tags of the result. None of the source's are taken over.

    Returns
    -------
    ReducedImage
        The files. The same image, limits and tags give the same bytes.

    Raises
    ------
    InputError
        Not a plain detected image or a damaged one; polygons that cross themselves; nothing is left; too large.
    """
    try:
        if read_georeference(file).is_complex:
            raise reduction_fault(Message("the image may hold phase: only a detected one can be made coarser or cut"))
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
            return _reduce(file, finest_m, None if polygons is None else union_of(polygons), dict(tags or {}))
    except (RasterioError, CPLE_BaseError, shapely.errors.ShapelyError, OSError, ValueError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise reduction_fault(Message("the image cannot be made coarser or cut: {reason}", {"reason": reason})) from error


def _reduce(file: BinaryIO, finest_m: float, area: shapely.Geometry | None, tags: Mapping[str, str]) -> ReducedImage:
    with open_tiff(file) as dataset, MemoryFile() as plain:
        grid = ImageGrid(*placement_of(dataset), dataset.shape)
        steps = ground_steps_m(grid)
        down, across = (max(1, math.ceil(finest_m / step - _ROUNDING)) for step in steps)
        if down * across > MOST_PIXELS_AT_ONCE:
            raise reduction_fault(NOTHING_LEFT)
        made = _write_blocks(plain, dataset, grid, (down, across), area)
        if grid.points:
            resolution_m = min(down * steps[0], across * steps[1])
            placed = _placed_by_points(plain, made.grid, max(down * steps[0], across * steps[1]), tags)
        else:
            detected_cog, trimmed = _trim(plain, made, tags)
            finished = replace(made, grid=trimmed)
    if grid.points:
        # On a map grid it is cut once more: the warp draws the last pixels out by a part of a cell.
        again = _reduce(io.BytesIO(write_detected_cog(placed)), 0.0, area, tags)
        return replace(again, resolution_m=_hold(min(again.resolution_m, resolution_m), finest_m))
    return ReducedImage(
        detected_cog, _web_cog(detected_cog, finished, finest_m, area, tags), _hold(min(ground_steps_m(finished.grid)), finest_m)
    )


def _hold(resolution_m: float, finest_m: float) -> float:
    """INVARIANT: what is finer than asked goes nowhere."""
    if resolution_m < finest_m * (1.0 - _ROUNDING):
        values: dict[str, str | int | float] = {"got": f"{resolution_m:.3f}", "asked": f"{finest_m:g}"}
        raise reduction_fault(Message("the image came out at {got} m, and {asked} m were asked", values))
    return max(resolution_m, finest_m)


# ---- amplitude


@dataclass(slots=True)
class _Made:
    """What was written: where it lies, which part of it holds data, and how its decibels are spread."""

    grid: ImageGrid
    rows: tuple[int, int]
    cols: tuple[int, int]
    spread: npt.NDArray[np.int64]


def _chunks(rows: int, cols: int, step_rows: int, step_cols: int) -> Iterator[tuple[int, int, int, int]]:
    """First row and column and counts of rows and columns of each piece."""
    for top in range(0, rows, step_rows):
        for left in range(0, cols, step_cols):
            yield top, left, min(step_rows, rows - top), min(step_cols, cols - left)


def _read(dataset: DatasetReader, top: int, left: int, shape: tuple[int, int]) -> Amplitude:
    """Amplitude of a piece of the first band, NaN without data and beyond the image."""
    amplitude = np.full(shape, np.nan, np.float32)
    rows, cols = min(shape[0], dataset.height - top), min(shape[1], dataset.width - left)
    window = Window(left, top, cols, rows)
    band = dataset.read(1, window=window)
    known = dataset.read_masks(1, window=window) > 0
    if np.issubdtype(band.dtype, np.integer):
        known &= band != 0
    values = np.abs(band.astype(np.float32))
    known &= np.isfinite(values)
    amplitude[:rows, :cols][known] = values[known]
    return amplitude


def _block_means(amplitude: Amplitude, inside: Mask, factors: tuple[int, int]) -> Amplitude:
    """Root of the mean power of each block."""
    down, across = factors
    blocks = (amplitude.shape[0] // down, down, amplitude.shape[1] // across, across)
    known = np.isfinite(amplitude)
    power = np.square(np.where(known, amplitude, np.float32(0.0)), dtype=np.float64)
    means = np.sqrt(power.reshape(blocks).mean(axis=(1, 3))).astype(np.float32)
    enough = 2 * np.count_nonzero(known.reshape(blocks), axis=(1, 3)) >= down * across
    means[~(enough & inside.reshape(blocks).all(axis=(1, 3)))] = np.nan
    return means


def _write_blocks(
    plain: MemoryFile, dataset: DatasetReader, grid: ImageGrid, factors: tuple[int, int], area: shapely.Geometry | None
) -> _Made:
    """Write the blocks of an image that lie inside an area, piece by piece."""
    down, across = factors
    outline = None if area is None else on_image(grid, area)
    first, last = (0, 0), (math.ceil(grid.shape[0] / down), math.ceil(grid.shape[1] / across))
    if outline is not None:
        if outline.is_empty:
            raise reduction_fault(NOTHING_LEFT)
        west, north, east, south = outline.bounds
        first = (max(0, math.floor(north / down)), max(0, math.floor(west / across)))
        last = (min(last[0], math.ceil(south / down)), min(last[1], math.ceil(east / across)))
    rows, cols = last[0] - first[0], last[1] - first[1]
    if rows < 1 or cols < 1:
        raise reduction_fault(NOTHING_LEFT)
    if grid.points and rows * cols > MOST_PIXELS_AT_ONCE:
        values: dict[str, str | int | float] = {"got": rows * cols, "most": MOST_PIXELS_AT_ONCE}
        raise reduction_fault(
            Message("what would remain are {got} pixels placed by ground control points, at most {most} fit", values)
        )
    made = _Made(
        grid.part(first[0] * down, first[1] * across, factors, (rows, cols)),
        (rows, 0),
        (cols, 0),
        np.zeros((_HIGHEST_DB - _LOWEST_DB) * _BINS_A_DB, np.int64),
    )
    # What is placed by points is placed again further on; GDAL warns of a file without any place.
    place = {"crs": grid.crs, "transform": made.grid.transform or Affine.scale(1.0, -1.0)}
    with plain.open(**_PLAIN, width=cols, height=rows, dtype="float32", nodata=math.nan, **place) as target:
        steps = max(1, _CHUNK_ROWS // down), max(1, _CHUNK_COLS // across)
        for top, left, count_rows, count_cols in _chunks(rows, cols, *steps):
            corner = (first[0] + top) * down, (first[1] + left) * across
            shape = count_rows * down, count_cols * across
            within = inside(outline, *corner, shape)
            if not within.any():
                target.write(
                    np.full((count_rows, count_cols), np.nan, np.float32), 1, window=Window(left, top, count_cols, count_rows)
                )
                continue
            means = _block_means(_read(dataset, *corner, shape), within, factors)
            target.write(means, 1, window=Window(left, top, count_cols, count_rows))
            _note(made, means, top, left)
    if made.rows[1] <= made.rows[0]:
        raise reduction_fault(NOTHING_LEFT)
    return made


def _note(made: _Made, means: Amplitude, top: int, left: int) -> None:
    known = np.isfinite(means)
    rows, cols = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    if not rows.size:
        return
    made.rows = min(made.rows[0], top + int(rows[0])), max(made.rows[1], top + int(rows[-1]) + 1)
    made.cols = min(made.cols[0], left + int(cols[0])), max(made.cols[1], left + int(cols[-1]) + 1)
    decibels = decibels_of(means)
    bins = (decibels[np.isfinite(decibels)] - _LOWEST_DB) * _BINS_A_DB
    made.spread += np.bincount(np.clip(bins.astype(np.int64), 0, made.spread.size - 1), minlength=made.spread.size)


def _placed_by_points(plain: MemoryFile, grid: ImageGrid, pixel_m: float, tags: Mapping[str, str]) -> Placed:
    with plain.open() as dataset:
        return Placed(dataset.read(1), grid.crs, None, grid.points, pixel_m * _PROJECTION_MARGIN, tags)


def _trim(plain: MemoryFile, made: _Made, tags: Mapping[str, str]) -> tuple[bytes, ImageGrid]:
    """COG of the part that holds data."""
    (top, bottom), (left, right) = made.rows, made.cols
    shape = (bottom - top, right - left)
    grid = made.grid.part(top, left, (1, 1), shape)
    with MemoryFile() as trimmed:
        profile = {"width": shape[1], "height": shape[0], "dtype": "float32", "nodata": math.nan, "crs": grid.crs}
        with plain.open() as source, trimmed.open(**_PLAIN, **profile, transform=grid.transform) as target:
            for row, col, rows, cols in _chunks(*shape, _CHUNK_ROWS, _CHUNK_COLS):
                target.write(
                    source.read(1, window=Window(left + col, top + row, cols, rows)), 1, window=Window(col, row, cols, rows)
                )
            target.update_tags(**tags)
        # Of a large image two copies are enough in memory.
        plain.close()
        return copy_as_cog(trimmed, DETECTED_COG), grid


# ---- the map image


def _percentile(spread: npt.NDArray[np.int64], percent: float) -> float:
    reached = np.cumsum(spread)
    place = int(np.searchsorted(reached, reached[-1] * percent / 100.0))
    return _LOWEST_DB + (min(place, spread.size - 1) + 0.5) / _BINS_A_DB


def _web_grid(grid: ImageGrid, finest_m: float) -> tuple[ImageGrid, int]:
    """Grid on the lattice of web map tiles that covers an image, as fine as it but not finer than half of `finest_m`."""
    height, width = grid.shape
    edge = np.linspace(0.0, 1.0, _EDGE_POINTS)
    rows = np.concatenate([0 * edge, edge, 1 + 0 * edge, edge]) * height
    cols = np.concatenate([edge, 0 * edge, edge, 1 + 0 * edge]) * width
    longitude, latitude = grid.lonlat(rows, cols)
    xs, ys = transform_points(_WGS84, WEB_MERCATOR, longitude.tolist(), latitude.tolist())[:2]
    # A map pixel is as many metres on the ground as on the map, times about the cosine of its latitude.
    middle, furthest = (math.cos(math.radians(float(value))) for value in (np.mean(latitude), np.abs(latitude).max()))
    zoom = min(max(math.ceil(math.log2(EQUATOR_M / TILE * middle / max(ground_steps_m(grid)))), 0), DEEPEST_ZOOM)
    while zoom > 0 and EQUATOR_M / TILE / 2**zoom * furthest * 0.99 < finest_m / 2.0:
        zoom -= 1
    pixel = EQUATOR_M / TILE / 2**zoom
    half = EQUATOR_M / 2.0
    left = math.floor((min(xs) + half) / pixel) * pixel - half
    top = half - math.floor((half - max(ys)) / pixel) * pixel
    shape = (math.ceil((top - min(ys)) / pixel), math.ceil((max(xs) - left) / pixel))
    return ImageGrid(WEB_MERCATOR, Affine(pixel, 0.0, left, 0.0, -pixel, top), (), shape), zoom


def _web_cog(detected_cog: bytes, made: _Made, finest_m: float, area: shapely.Geometry | None, tags: Mapping[str, str]) -> bytes:
    """Display levels of an amplitude COG, made piece by piece."""
    if not made.spread.any():
        raise reduction_fault(Message("no pixel of the image holds data"))
    low, high = (_percentile(made.spread, percent) for percent in (LOW_PERCENTILE, HIGH_PERCENTILE))
    high = max(high, low + 1.0)
    grid, zoom = _web_grid(made.grid, finest_m)
    outline = None if area is None else on_image(grid, area)
    place = {"crs": grid.crs, "transform": grid.transform, "height": grid.shape[0], "width": grid.shape[1]}
    with MemoryFile() as plain:
        with (
            open_tiff(io.BytesIO(detected_cog)) as dataset,
            WarpedVRT(dataset, **place, nodata=math.nan, resampling=Resampling.bilinear) as warped,
            plain.open(**_PLAIN, **place, dtype="uint8", nodata=0, compress="DEFLATE", zlevel=1) as target,
        ):
            for top, left, rows, cols in _chunks(*grid.shape, _CHUNK_ROWS, _CHUNK_COLS):
                window = Window(left, top, cols, rows)
                amplitude = warped.read(1, window=window)
                amplitude[~inside(outline, top, left, (rows, cols))] = np.nan
                target.write(levels_of(amplitude, decibels_of(amplitude), low, high), 1, window=window)
            target.update_tags(**tags, **{STRETCH_LOW: repr(low), STRETCH_HIGH: repr(high)})
        return copy_as_cog(plain, {**WEB_COG, "ZOOM_LEVEL": str(zoom)})


# ---- the outline that is claimed


def cut_ring(ring: Ring, polygons: Sequence[Sequence[Ring]]) -> Ring:
    """One ring around what of a footprint lies in an area.

    Parameters
    ----------
    ring
        Footprint, closed, (longitude, latitude) in degrees.
    polygons
        The area, as in `reduce_image`.

    Returns
    -------
    ring
        Closed, counter-clockwise. Of one piece without holes its own outline. A record has one ring and no holes: of a piece with
        holes it is the outer ring, of several pieces their convex hull. Either is made of what remains alone, so that it tells
        nothing of the rest. An outline of very many points is drawn with fewer, a little further inside.

    Raises
    ------
    InputError
        No part of the footprint lies in the area, or one of them crosses itself or the antimeridian.
    """
    footprint = shapely.Polygon(ring)
    if not footprint.is_valid or any(abs(one[0] - other[0]) > _HALF_GLOBE_DEG for one, other in pairwise(ring)):
        raise reduction_fault(Message("the footprint crosses itself or the antimeridian, and cannot be cut to the area"))
    left = shapely.intersection(footprint, union_of(polygons))
    pieces = [piece for piece in shapely.get_parts(left) if piece.geom_type == "Polygon" and piece.area > 0.0]
    if not pieces:
        raise reduction_fault(NOTHING_LEFT)
    outer = shapely.Polygon(pieces[0].exterior) if len(pieces) == 1 else shapely.convex_hull(shapely.union_all(pieces))
    return tuple((float(x), float(y)) for x, y in shapely.orient_polygons(_shorter(outer)).exterior.coords)


def _shorter(polygon: shapely.Geometry) -> shapely.Geometry:
    """Polygon with few enough points for a record, which lies inside the one given."""
    tolerance = _FINEST_RING_DEG
    shorter = polygon
    while shapely.get_num_coordinates(shorter) > _LONGEST_RING:
        if tolerance > _COARSEST_RING_DEG:
            return shapely.convex_hull(polygon)
        # Moved inwards by more than leaving out points can move it outwards.
        shorter = polygon.buffer(-tolerance).simplify(0.9 * tolerance)
        tolerance *= 2.0
        if shorter.geom_type != "Polygon" or shorter.is_empty:
            return shapely.convex_hull(polygon)
    return shorter
