"""GeoTIFF: where one lies on the Earth, cloud-optimised ones out of amplitude, and map tiles out of those.

The web COG holds display levels: 0 where there is no data, 1 to 255 for decibels between two limits that are decided once, when
it is made, and kept in its tags. A tile is then a lookup in a file whose blocks are the map's own tiles.
"""

from __future__ import annotations

import io
import logging
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
import rasterio.transform
from affine import Affine
from PIL import Image
from rasterio._err import CPLE_BaseError
from rasterio.abc import FileContainer
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.transform import GCPTransformer
from rasterio.warp import reproject
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from kizuna.errors import InputError, Message
from kizuna.formats.tiff import holds_one_plain_image, read_directories

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rasterio.io import DatasetReader

__all__ = [
    "COMPLEX_COG",
    "DEEPEST_ZOOM",
    "DETECTED_COG",
    "EQUATOR_M",
    "HIGH_PERCENTILE",
    "LOW_PERCENTILE",
    "STRETCH_HIGH",
    "STRETCH_LOW",
    "TILE",
    "WEB_COG",
    "WEB_MERCATOR",
    "GeoReference",
    "Levels",
    "Placed",
    "copy_as_cog",
    "decibels_of",
    "levels_of",
    "open_tiff",
    "place",
    "placement_of",
    "read_amplitude",
    "read_georeference",
    "read_levels",
    "render_tile",
    "stretch_of",
    "to_lonlat",
    "warp_to_web",
    "write_cog",
    "write_detected_cog",
    "write_web_cog",
]

type Levels = npt.NDArray[np.uint8]

WEB_MERCATOR = CRS.from_epsg(3857)
_WGS84 = CRS.from_epsg(4326)
EQUATOR_M = 2.0 * math.pi * 6378137.0  # Web Mercator's square is this wide (EPSG:3857, OGC 17-083r4 annex D)
TILE = 256
DEEPEST_ZOOM = 24
# What GDAL finds wrong in the middle of its work comes as it is, no RasterioError around it.
_GDAL_ERRORS = (RasterioError, CPLE_BaseError, ValueError)
_EDGE_POINTS = 8
_HALF_GLOBE_DEG, _GLOBE_DEG, _MOST_LATITUDE_DEG = 180.0, 360.0, 90.0
_FINEST_PIXEL_M = 1e-4
# Without data, a pixel takes a hundredth of a byte at best; with data, a hundred times that.
_MOST_UNPACKED_PIXELS, _MOST_PIXELS_A_BYTE = 100_000_000, 100
# An image that lies askew has room around it, a narrow strip fifty times its own; what needs more than this has a wrong place.
_MOST_WARPED_PIXELS, _MOST_WARPED = 200_000_000, 64
LOW_PERCENTILE, HIGH_PERCENTILE = 8.0, 99.7
STRETCH_LOW, STRETCH_HIGH = "KIZUNA_STRETCH_LOW_DB", "KIZUNA_STRETCH_HIGH_DB"
_SPLINE = "SRC_METHOD"
DETECTED_COG = {"BLOCKSIZE": "512", "PREDICTOR": "YES", "OVERVIEW_RESAMPLING": "AVERAGE"}
"""How a COG of amplitude is laid out."""
COMPLEX_COG = {"BLOCKSIZE": "512", "OVERVIEW_RESAMPLING": "NEAREST"}
"""How a COG of complex pixels is laid out: their mean would cancel them."""
WEB_COG = {
    "BLOCKSIZE": str(TILE),
    "TILING_SCHEME": "GoogleMapsCompatible",
    "WARP_RESAMPLING": "NEAREST",
    "OVERVIEW_RESAMPLING": "AVERAGE",
    "ADD_ALPHA": "NO",
}
"""How a COG of display levels is laid out; `ZOOM_LEVEL` comes to it."""
# Samples that are taken for amplitude. Two of the narrow ones fit into one of 64 bits, which is why those are not among them.
_UNSIGNED = frozenset({"uint8", "uint16", "uint32"})
_PLAIN = _UNSIGNED | {"int8", "int16", "int32", "float16", "float32"}
_IN_PHASE = re.compile(r"(?:i|re|real)(?:[\W_].*)?\Z", re.IGNORECASE | re.DOTALL)
_QUADRATURE = re.compile(r"(?:q|im|imag|imaginary)(?:[\W_].*)?\Z", re.IGNORECASE | re.DOTALL)
_PHASE = re.compile(r"(?:^|[\W_])(?:i|q|re|im|real|imag|imaginary|phase|complex)(?:$|[\W_])", re.IGNORECASE)


def _not_about_the_spline(record: logging.LogRecord) -> bool:
    # rasterio has one set of options for GDAL's transformer, which needs this one, and for its warper, which warns of it.
    return f"does not support option {_SPLINE}" not in record.getMessage()


logging.getLogger("rasterio._env").addFilter(_not_about_the_spline)


@dataclass(frozen=True, slots=True)
class GeoReference:
    """Where a GeoTIFF lies and what it holds.

    Parameters
    ----------
    footprint_lonlat_deg
        Outline, (longitude, latitude) in degrees, counter-clockwise, first point not repeated.
    pixel_m
        Coarser of the two distances of neighbouring pixels on the ground, metres.
    shape
        Rows, columns.
    is_complex
        Whether it holds phase, or may: a complex band anywhere, a second image, several signed or floating bands, a band that
        calls itself real or imaginary part, or samples of a type that is not known to be amplitude.
    tags
        The file's own tags.
    """

    footprint_lonlat_deg: tuple[tuple[float, float], ...]
    pixel_m: float
    shape: tuple[int, int]
    is_complex: bool
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Placed:
    """Amplitude and where its pixels lie: by a transform, or by ground control points; never both.

    Parameters
    ----------
    amplitude
        Shape (rows, cols); NaN where there is no data.
    crs
        Coordinate reference system of the transform or of the points.
    transform
        Pixel corner (col, row) to coordinates.
    points
        Ground control points in pixel-corner coordinates (0.5, 0.5 is the centre of the first pixel).
    pixel_m
        Sampling on the ground that is worth keeping, metres.
    tags
        Tags for every file made from it.
    """

    amplitude: npt.NDArray[np.float32]
    crs: CRS
    transform: Affine | None
    points: tuple[GroundControlPoint, ...]
    pixel_m: float
    tags: Mapping[str, str] = field(default_factory=dict)


class _Reading(io.RawIOBase):
    """A place of its own in a file that others read too. Closing it leaves the file open."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}
        self._at = offset + (start[whence] if whence in start else self._file.seek(0, io.SEEK_END))
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data


class _OneFile(FileContainer):  # type: ignore[misc] # rasterio ships no types
    """An open file as the only one of a file system that GDAL reads from: none of the files beside it that GDAL looks for."""

    NAME = "image"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def _require(self, path: str) -> None:
        if path.rpartition("/")[2] != self.NAME:
            raise FileNotFoundError(path)

    def open(self, path: str, mode: str = "r", **_options: object) -> _Reading:
        self._require(path)
        if "w" in mode or "+" in mode or "a" in mode:
            raise PermissionError(path)
        return _Reading(self._file)

    def isfile(self, path: str) -> bool:
        return path.rpartition("/")[2] == self.NAME

    def isdir(self, path: str) -> bool:  # noqa: ARG002 - the interface is rasterio's
        return False

    def ls(self, path: str) -> list[str]:  # noqa: ARG002
        return []

    def mtime(self, path: str) -> int:
        self._require(path)
        return 0

    def size(self, path: str) -> int:
        self._require(path)
        return self._file.seek(0, io.SEEK_END)

    def rm(self, path: str) -> None:
        raise PermissionError(path)


def open_tiff(file: BinaryIO) -> DatasetReader:
    """Open a TIFF file with at least one band.

    Raises
    ------
    InputError
        Not a TIFF, or a damaged one.
    """
    try:
        # Given the file itself, rasterio would read all of it into memory.
        dataset = rasterio.open(_OneFile.NAME, driver="GTiff", opener=_OneFile(file))
    except (RasterioError, OSError, ValueError) as error:
        raise InputError(
            Message("not a readable TIFF file: {reason}", {"reason": str(error).splitlines()[0] if str(error) else "damaged"}),
            hint=Message("Check that the file is a GeoTIFF and that it was fetched whole."),
            field="file",
        ) from error
    if dataset.count < 1:
        raise InputError(
            Message("the TIFF file holds no band"), hint=Message("Give a GeoTIFF with an image in it."), field="file"
        )
    return dataset


def _is_plain(file: BinaryIO) -> bool:
    # What is no TIFF at all is refused by GDAL, in better words.
    with open_tiff(file):
        return holds_one_plain_image(read_directories(file))


def _may_hold_phase(dataset: DatasetReader) -> bool:
    """Whether the bands cannot be taken for amplitude. What is not known to be detected is not."""
    return (
        not _PLAIN.issuperset(dataset.dtypes)
        or bool(dataset.subdatasets)
        or sum(dtype not in _UNSIGNED for dtype in dataset.dtypes) > 1
        or any(_PHASE.search(description or "") for description in dataset.descriptions)
    )


def _detect(dataset: DatasetReader, *, plain: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Magnitude of an image and where it holds data."""
    described = [(description or "").strip() for description in dataset.descriptions]
    parts = len(described) == 2 and any(  # noqa: PLR2004 - a real part and an imaginary one
        _IN_PHASE.match(one) and _QUADRATURE.match(other) for one, other in (described, described[::-1])
    )
    is_complex = [dtype.startswith("complex") for dtype in dataset.dtypes]
    named = any(_PHASE.search(description) for description in described)
    if len(dataset.dtypes) > 1 or named:
        detectable = all(is_complex) or (parts and not any(is_complex)) or not _may_hold_phase(dataset)
    else:
        detectable = True
    if dataset.subdatasets or not (plain or any(is_complex)) or not detectable:
        raise InputError(
            Message("the GeoTIFF holds several images or bands, and which of them is the amplitude cannot be told"),
            hint=Message("Export the detected image, or the complex one, as a GeoTIFF with one band."),
            field="file",
        )
    if parts:
        first, second = dataset.read(1), dataset.read(2)
        mask = (dataset.read_masks(1) > 0) & (dataset.read_masks(2) > 0)
        known = (first != 0) | (second != 0) if np.issubdtype(first.dtype, np.integer) else np.ones_like(mask)
        return np.hypot(first.astype(np.float64), second.astype(np.float64)).astype(np.float32), mask & known
    band = dataset.read(1)
    mask = dataset.read_masks(1) > 0
    return np.abs(band).astype(np.float32), mask & (band != 0) if np.issubdtype(band.dtype, np.integer) else mask


def placement_of(dataset: DatasetReader) -> tuple[CRS, Affine | None, tuple[GroundControlPoint, ...]]:
    """Coordinate system of an image with its transform or with its ground control points, never with both.

    Raises
    ------
    InputError
        It has neither.
    """
    points, points_crs = dataset.gcps
    if dataset.crs is not None and not dataset.transform.is_identity:
        return dataset.crs, dataset.transform, ()
    if points and points_crs is not None:
        return points_crs, None, tuple(points)
    raise InputError(
        Message("a GeoTIFF without position: it has neither a coordinate system with a transform nor ground control points"),
        hint=Message("Export it again with its georeference, or publish the original product instead."),
        field="file",
    )


def to_lonlat(
    crs: CRS, transform: Affine | None, points: tuple[GroundControlPoint, ...], rows: list[float], cols: list[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Longitudes and latitudes in degrees of pixel-corner coordinates.

    Raises
    ------
    InputError
        They have none.
    """
    try:
        if transform is not None:
            xs, ys = rasterio.transform.xy(transform, rows, cols, offset="ul")
        else:
            with GCPTransformer(list(points), tps=True) as transformer:
                xs, ys = transformer.xy(rows, cols, offset="ul")
        longitude, latitude = transform_points(crs, _WGS84, list(xs), list(ys))[:2]
    except _GDAL_ERRORS as error:
        raise _unplaced() from error
    return np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)


def _unplaced() -> InputError:
    return InputError(
        Message("the GeoTIFF's position cannot be turned into longitude and latitude"),
        hint=Message("Check its coordinate system and its ground control points."),
        field="file",
    )


def read_georeference(file: BinaryIO) -> GeoReference:
    """Where a GeoTIFF lies, from its transform or its ground control points.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Returns
    -------
    GeoReference
        Outline in degrees, sampling, shape, tags.

    Raises
    ------
    InputError
        Not a TIFF, a damaged one, or one without position.
    """
    plain = _is_plain(file)
    with open_tiff(file) as dataset:
        crs, transform, points = _continuous(*placement_of(dataset), dataset.shape)
        ring = _outline(crs, transform, points, dataset.shape)
        return GeoReference(
            footprint_lonlat_deg=tuple((_within_globe(longitude), latitude) for longitude, latitude in ring),
            pixel_m=_pixel_m(crs, transform, points, dataset.shape),
            shape=dataset.shape,
            is_complex=not plain or _may_hold_phase(dataset),
            tags=dict(dataset.tags()),
        )


def _continuous(
    crs: CRS, transform: Affine | None, points: tuple[GroundControlPoint, ...], shape: tuple[int, int]
) -> tuple[CRS, Affine | None, tuple[GroundControlPoint, ...]]:
    """Place whose coordinates do not jump within the image: that of a scene across the antimeridian counts degrees from there.

    Longitudes begin anew at the antimeridian, and PROJ gives none beyond it: neither splines through points on both its sides nor
    the way back from the ground to the pixels would be right.
    """
    if not crs.is_geographic:
        return crs, transform, points
    rows, cols = shape
    if transform is not None:
        xs = [transform.c + transform.a * x + transform.b * y for x in (0, cols) for y in (0, rows)]
    else:
        xs = [point.x for point in points]
        if max(xs) - min(xs) > _HALF_GLOBE_DEG:
            xs = [x % _GLOBE_DEG for x in xs]
    turns = math.floor((min(xs) + _HALF_GLOBE_DEG) / _GLOBE_DEG) * _GLOBE_DEG
    if max(xs) - turns <= _HALF_GLOBE_DEG:
        shift, based = turns, crs
    else:
        shift, based = turns + _HALF_GLOBE_DEG, CRS.from_string(f"{crs.to_proj4()} +pm={_HALF_GLOBE_DEG:g}")
    if transform is not None:
        return based, Affine(transform.a, transform.b, transform.c - shift, transform.d, transform.e, transform.f), ()
    moved = tuple(
        GroundControlPoint(row=point.row, col=point.col, x=x - shift, y=point.y) for point, x in zip(points, xs, strict=True)
    )
    return based, None, moved


def _within_globe(longitude_deg: float) -> float:
    """The same longitude within ±180 degrees."""
    if abs(longitude_deg) <= _HALF_GLOBE_DEG:
        return longitude_deg
    return (longitude_deg + _HALF_GLOBE_DEG) % _GLOBE_DEG - _HALF_GLOBE_DEG


def _outline(
    crs: CRS, transform: Affine | None, points: tuple[GroundControlPoint, ...], shape: tuple[int, int]
) -> tuple[tuple[float, float], ...]:
    height, width = shape
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS, endpoint=False)
    rows = np.concatenate([0 * steps, steps, 1 + 0 * steps, 1 - steps]) * height
    cols = np.concatenate([steps, 1 + 0 * steps, 1 - steps, 0 * steps]) * width
    longitude, latitude = to_lonlat(crs, transform, points, rows.tolist(), cols.tolist())
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all() and np.abs(latitude).max() <= _MOST_LATITUDE_DEG):
        raise _unplaced()
    # One that crosses the antimeridian goes on beyond it.
    longitude = np.unwrap(longitude, period=_GLOBE_DEG)
    area = float(np.sum(longitude * np.roll(latitude, -1) - np.roll(longitude, -1) * latitude))
    ring = [(float(x), float(y)) for x, y in zip(longitude, latitude, strict=True)]
    return tuple(ring if area > 0.0 else ring[::-1])


def _pixel_m(crs: CRS, transform: Affine | None, points: tuple[GroundControlPoint, ...], shape: tuple[int, int]) -> float:
    """Coarser sampling on the ground at the middle of the image, over ten pixels, on a sphere: it only chooses a zoom level."""
    row, col, span = shape[0] / 2.0, shape[1] / 2.0, 10.0
    longitude, latitude = to_lonlat(crs, transform, points, [row, row + span, row], [col, col, col + span])
    longitude = np.unwrap(longitude, period=_GLOBE_DEG)
    east = np.radians(longitude[1:] - longitude[0]) * math.cos(math.radians(float(latitude[0])))
    north = np.radians(latitude[1:] - latitude[0])
    pixel_m = float(np.hypot(east, north).max()) * EQUATOR_M / (2.0 * math.pi) / span
    if not _FINEST_PIXEL_M <= pixel_m <= EQUATOR_M:
        raise _unplaced()
    return pixel_m


def read_amplitude(file: BinaryIO) -> Placed:
    """Amplitude of a GeoTIFF, and where it lies: magnitude of its first band, or of its real and imaginary parts.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Returns
    -------
    Placed
        Magnitude; zeros of integer images and masked pixels are no data.

    Raises
    ------
    InputError
        As `read_georeference`; or several images or bands of which no amplitude can be made.
    """
    plain = _is_plain(file)
    with open_tiff(file) as dataset:
        crs, transform, points = _continuous(*placement_of(dataset), dataset.shape)
        _require_pixels(file, dataset.shape)
        try:
            amplitude, mask = _detect(dataset, plain=plain)
        except (RasterioError, OSError) as error:
            raise InputError(
                Message("the TIFF file's pixels cannot be read: it is damaged or cut off"),
                hint=Message("Fetch the file again."),
                field="file",
            ) from error
        amplitude[~mask] = np.nan
        return Placed(amplitude, crs, transform, points, _pixel_m(crs, transform, points, dataset.shape))


def _require_pixels(file: BinaryIO, shape: tuple[int, int]) -> None:
    """Refuse an image that says it has far more pixels than its bytes can hold, before room is made for them."""
    size = file.seek(0, io.SEEK_END)
    if shape[0] * shape[1] > max(_MOST_UNPACKED_PIXELS, _MOST_PIXELS_A_BYTE * size):
        raise InputError(
            Message(
                "the metadata say {rows} x {cols} pixels; the file has {size} bytes",
                {"rows": shape[0], "cols": shape[1], "size": size},
            ),
            hint=Message("Fetch the file again; its metadata or its pixels are damaged."),
            field="file",
        )


def place(
    amplitude: npt.NDArray[np.float32],
    points: tuple[GroundControlPoint, ...],
    crs: CRS,
    *,
    oversampling: int,
    tags: Mapping[str, str],
) -> Placed:
    """Amplitude placed by ground control points, of which only every `oversampling`-th pixel is worth keeping."""
    crs, _, points = _continuous(crs, None, points, amplitude.shape)
    pixel_m = oversampling * _pixel_m(crs, None, points, amplitude.shape)
    return Placed(amplitude, crs, None, points, pixel_m, tags)


def write_web_cog(placed: Placed) -> bytes:
    """Web-optimised COG of display levels: EPSG:3857 on the grid of web map tiles, blocks of 256, overviews, 0 is no data.

    Parameters
    ----------
    placed
        Amplitude and its place.

    Returns
    -------
    bytes
        The file. Tags `KIZUNA_STRETCH_LOW_DB` and `KIZUNA_STRETCH_HIGH_DB` are the decibels (of amplitude 1) of level 1 and of
        level 255; what lies beyond is clipped.

    Raises
    ------
    InputError
        No pixel holds data.
    """
    warped, transform, zoom = warp_to_web(placed, Resampling.bilinear)
    decibels = decibels_of(warped)
    low, high = stretch_of(decibels)
    tags = {**placed.tags, STRETCH_LOW: repr(low), STRETCH_HIGH: repr(high)}
    options = {**WEB_COG, "ZOOM_LEVEL": str(zoom)}
    return write_cog(levels_of(warped, decibels, low, high), WEB_MERCATOR, transform, nodata=0, tags=tags, options=options)


def warp_to_web(placed: Placed, resampling: Resampling, *, coarser: float = 0.0) -> tuple[npt.NDArray[np.float32], Affine, int]:
    """Values of an image on the grid of web map tiles, their place, and the zoom of which they are the pixels.

    These are at least as fine as the image's own, or 2**`coarser` times coarser at most.
    """
    corner_latitude = np.mean([y for _, y in _outline(placed.crs, placed.transform, placed.points, placed.amplitude.shape)])
    wanted = placed.pixel_m / math.cos(math.radians(float(corner_latitude)))
    zoom = min(max(math.ceil(math.log2(EQUATOR_M / TILE / wanted) - coarser), 0), DEEPEST_ZOOM)
    resolution = EQUATOR_M / TILE / 2**zoom
    return *_warp(placed, WEB_MERCATOR, resolution, EQUATOR_M / 2.0, resampling), zoom


def stretch_of(decibels: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Decibels between which an image is shown: two of their percentiles, at least one apart.

    Raises
    ------
    InputError
        No pixel holds data.
    """
    known = decibels[np.isfinite(decibels)]
    if not known.size:
        raise InputError(
            Message("no pixel of the image holds data"), hint=Message("Check the file's no-data value."), field="file"
        )
    low, high = (float(value) for value in np.percentile(known, [LOW_PERCENTILE, HIGH_PERCENTILE]))
    return low, max(high, low + 1.0)


def decibels_of(amplitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Decibels of amplitude 1; NaN where there is no data or no echo."""
    decibels = np.full_like(amplitude, np.nan)
    np.log10(amplitude, where=amplitude > 0.0, out=decibels)
    decibels *= np.float32(20.0)
    return decibels


def levels_of(
    amplitude: npt.NDArray[np.float32], decibels: npt.NDArray[np.float32], low: float, high: float
) -> npt.NDArray[np.uint8]:
    """Display levels between two limits: 0 without data, 1 for `low` decibels and less, 255 for `high` and more."""
    levels = np.clip(np.rint(1.0 + 254.0 * (decibels - low) / (high - low)), 1, 255)
    levels[np.isnan(amplitude)] = 0  # dead pixels (amplitude 0) stay black, outside stays transparent
    levels[np.isnan(levels)] = 1
    return levels.astype(np.uint8)


def write_detected_cog(placed: Placed) -> bytes:
    """COG of detected amplitude, north up in the scene's UTM zone, float32, NaN is no data.

    Parameters
    ----------
    placed
        Amplitude and its place.

    Returns
    -------
    bytes
        The file.
    """
    ring = _outline(placed.crs, placed.transform, placed.points, placed.amplitude.shape)
    longitude, latitude = (float(np.mean(values)) for values in zip(*ring, strict=True))
    zone = min(max(int((_within_globe(longitude) + 180.0) // 6.0) + 1, 1), 60)
    crs = CRS.from_epsg((32600 if latitude >= 0.0 else 32700) + zone)
    warped, transform = _warp(placed, crs, placed.pixel_m, 0.0, Resampling.bilinear)
    return write_cog(
        warped,
        crs,
        transform,
        nodata=math.nan,
        tags=placed.tags,
        options=DETECTED_COG,
    )


def _warp(
    placed: Placed, crs: CRS, resolution: float, lattice: float, resampling: Resampling
) -> tuple[npt.NDArray[np.float32], Affine]:
    """Amplitude on a north-up grid whose pixel corners lie on the lattice through (-lattice, +lattice)."""
    # Splines through the points rather than a polynomial: over Sentinel-1's terrain the polynomial is off by pixels.
    ring = _outline(placed.crs, placed.transform, placed.points, placed.amplitude.shape)
    if crs == WEB_MERCATOR:
        ring = _on_one_side(ring)
    try:
        xs, ys = transform_points(_WGS84, crs, [x for x, _ in ring], [y for _, y in ring])[:2]
    except _GDAL_ERRORS as error:
        raise _unplaced() from error
    if not np.isfinite([*xs, *ys]).all():
        raise _unplaced()
    if crs == WEB_MERCATOR:
        # The antimeridian itself is both edges of the map.
        xs = [math.copysign(x, longitude) for x, (longitude, _) in zip(xs, ring, strict=True)]
    left = math.floor((min(xs) + lattice) / resolution) * resolution - lattice
    top = lattice - math.floor((lattice - max(ys)) / resolution) * resolution
    shape = (math.ceil((top - min(ys)) / resolution), math.ceil((max(xs) - left) / resolution))
    transform = Affine(resolution, 0.0, left, 0.0, -resolution, top)
    if not 0 < shape[0] * shape[1] <= max(_MOST_WARPED_PIXELS, _MOST_WARPED * placed.amplitude.size):
        values = {"rows": shape[0], "cols": shape[1]}
        raise InputError(
            Message("the image's place cannot be right: north up it has {rows} x {cols} pixels", values),
            hint=Message("Check its coordinate system and its ground control points."),
            field="file",
        )
    target = np.full(shape, np.nan, np.float32)
    source = {"gcps": list(placed.points), _SPLINE: "GCP_TPS"} if placed.points else {"src_transform": placed.transform}
    try:
        reproject(
            placed.amplitude,
            target,
            src_crs=placed.crs,
            src_nodata=math.nan,
            dst_transform=transform,
            dst_crs=crs,
            dst_nodata=math.nan,
            resampling=resampling,
            **source,
        )
    except _GDAL_ERRORS as error:
        raise _unplaced() from error
    return target, transform


def _on_one_side(ring: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Outline on the side of the antimeridian where the more of it lies: a map of the world ends there, and so does its image."""
    lons = [longitude for longitude, _ in ring]
    west, east = min(lons), max(lons)
    edge = next((e for e in (-_HALF_GLOBE_DEG, _HALF_GLOBE_DEG) if west < e < east), None)
    if edge is None:
        return tuple((_within_globe(longitude), latitude) for longitude, latitude in ring)
    # What is cut off is drawn in to the edge: the rectangle around it is the same.
    if edge - west >= east - edge:
        return tuple((min(longitude, edge) - (edge - _HALF_GLOBE_DEG), latitude) for longitude, latitude in ring)
    return tuple((max(longitude, edge) - (edge + _HALF_GLOBE_DEG), latitude) for longitude, latitude in ring)


def write_cog(
    band: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32] | npt.NDArray[np.complex64],
    crs: CRS,
    transform: Affine,
    *,
    nodata: float,
    tags: Mapping[str, str],
    options: Mapping[str, str],
) -> bytes:
    """Cloud-optimised GeoTIFF of one band."""
    height, width = band.shape
    with MemoryFile() as plain:
        with plain.open(
            driver="GTiff",
            width=width,
            height=height,
            count=1,
            dtype=band.dtype.name,
            crs=crs,
            transform=transform,
            nodata=nodata,
        ) as dataset:
            dataset.write(band, 1)
            dataset.update_tags(**tags)
        return copy_as_cog(plain, options)


def copy_as_cog(plain: MemoryFile, options: Mapping[str, str]) -> bytes:
    """Cloud-optimised GeoTIFF of a plain one: its overviews are made anew from its pixels."""
    with MemoryFile() as finished:
        rasterio.shutil.copy(plain.name, finished.name, driver="COG", **{"COMPRESS": "DEFLATE", **options})
        return bytes(finished.read())


def read_levels(file: BinaryIO, *, longest: int) -> Levels:
    """Display levels of a web COG, no side longer than `longest` pixels; 0 is no data."""
    with open_tiff(file) as dataset:
        scale = max(1.0, max(dataset.shape) / longest)
        shape = tuple(max(1, round(side / scale)) for side in dataset.shape)
        levels: Levels = dataset.read(1, out_shape=shape, resampling=Resampling.average)
        known = np.flatnonzero(levels.any(axis=1)), np.flatnonzero(levels.any(axis=0))
        # Tiles reach past the image; a picture need not.
        return levels[known[0][0] : known[0][-1] + 1, known[1][0] : known[1][-1] + 1] if known[0].size else levels


def render_tile(file: BinaryIO, z: int, x: int, y: int, size: int = TILE) -> bytes | None:
    """One map tile (WebP) out of a web COG.

    Parameters
    ----------
    file
        Open, seekable web COG, as `write_web_cog` makes it.
    z, x, y
        Tile of the WebMercatorQuad matrix: zoom, column from the west, row from the north.
    size
        Side of the picture, pixels.

    Returns
    -------
    bytes or None
        Picture, transparent where there is no data; None where there is none at all.

    Raises
    ------
    InputError
        No such tile, or not a web COG.
    """
    if not (0 <= z <= DEEPEST_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z and 0 < size <= 4 * TILE):
        raise InputError(
            Message("there is no tile {z}/{x}/{y} of {size} pixels", {"z": z, "x": x, "y": y, "size": size}),
            hint=Message("Zoom goes from 0 to 24, column and row from 0 to 2**zoom - 1, size to 1024."),
            field="tile",
        )
    with open_tiff(file) as dataset:
        if dataset.crs != WEB_MERCATOR or dataset.dtypes[0] != "uint8":
            raise InputError(
                Message("not a web-optimised COG of display levels"),
                hint=Message("Tiles are cut from the visual asset of a product, not from its original."),
                field="file",
            )
        levels = _tile_levels(dataset, z, x, y, size)
    if levels is None or not levels.any():
        return None
    return _encode(levels)


def _tile_levels(dataset: DatasetReader, z: int, x: int, y: int, size: int) -> Levels | None:
    span = EQUATOR_M / 2**z
    resolution = dataset.transform.a
    # The tile in the file's pixels. Both lie on powers of two of one lattice; rounding to 1/65536 removes the noise of metres.
    first_col = round((x * span - EQUATOR_M / 2.0 - dataset.transform.c) / resolution * 65536) / 65536
    first_row = round((dataset.transform.f - (EQUATOR_M / 2.0 - y * span)) / resolution * 65536) / 65536
    extent = span / resolution
    left, right = max(first_col, 0.0), min(first_col + extent, float(dataset.width))
    top, bottom = max(first_row, 0.0), min(first_row + extent, float(dataset.height))
    scale = size / extent
    cols = (round((left - first_col) * scale), round((right - first_col) * scale))
    rows = (round((top - first_row) * scale), round((bottom - first_row) * scale))
    if cols[1] <= cols[0] or rows[1] <= rows[0] or right <= left or bottom <= top:
        return None
    read = dataset.read(
        1,
        window=Window(left, top, right - left, bottom - top),
        out_shape=(rows[1] - rows[0], cols[1] - cols[0]),
        resampling=Resampling.bilinear if scale > 1.0 else Resampling.nearest,
    )
    levels: Levels = np.zeros((size, size), np.uint8)
    levels[rows[0] : rows[1], cols[0] : cols[1]] = read
    return levels


def _encode(levels: Levels) -> bytes:
    picture = Image.fromarray(levels, "L")
    if levels.all():
        colours = picture.convert("RGB")
    else:
        colours = Image.merge("RGBA", (picture, picture, picture, picture.point([0] + [255] * 255)))
    out = io.BytesIO()
    # method 0: a fifth of the default's time for a tenth more bytes; speckle does not compress anyway.
    colours.save(out, "WEBP", quality=80, method=0)
    return out.getvalue()
