"""Image files, a format each: what they say about themselves, and their pixels with a place. `kizuna.kinds.imagery` chooses."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from kizuna.formats import media_types
from kizuna.kinds.values import Extracted
from kizuna.model.instants import instant_of
from kizuna.model.product import Footprint
from kizuna.model.reading import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    from rasterio.control import GroundControlPoint

    from kizuna.formats.geotiff import Placed
    from kizuna.model.instants import Instant

    type Floats = npt.NDArray[np.float64]

__all__ = [
    "NOMINAL_NOTE",
    "NOMINAL_TAG",
    "extract_geotiff",
    "extract_safe",
    "extract_sicd",
    "extract_sidd",
    "place_sicd",
    "place_sidd",
]

_TIFF_DATE_TIME = "TIFFTAG_DATETIME"
_TIFF_DESCRIPTION = "TIFFTAG_IMAGEDESCRIPTION"
NOMINAL_TAG = "KIZUNA_NOMINAL_POSITION"
"""Tag of a TIFF file whose place was assigned, not measured."""
NOMINAL_NOTE = "The position is nominal: it was assigned, not measured."
_SENTINEL_1 = re.compile(r"Sentinel-1[A-D]")
_FINELY_DETECTED_PIXELS = 16_000_000


def _footprint(ring: Sequence[tuple[float, float]], *, nominal: bool) -> Footprint:
    return Footprint((*ring, ring[0]), nominal)


def extract_sicd(file: BinaryIO, name: str) -> Extracted:
    """What a SICD says about itself."""
    from kizuna.formats import sicd
    from kizuna.formats.sicd_observation import read_sicd_observation

    summary = sicd.read_summary(file)
    return Extracted(
        title=one_line(summary.core_name) or name,
        footprint=_footprint(summary.footprint_lonlat_deg, nominal=summary.nominal_position),
        event=summary.collected,
        produced=summary.produced,
        sensor=one_line(summary.sensor),
        resolution_m=summary.resolution_m,
        polarisation=one_line(summary.polarisation),
        complex_data=True,
        classification=one_line(summary.classification),
        notes=(NOMINAL_NOTE,) if summary.nominal_position else (),
        observation=read_sicd_observation(file),
    )


def extract_geotiff(file: BinaryIO, name: str) -> Extracted:
    """What a GeoTIFF says about itself."""
    from kizuna.formats import geotiff
    from kizuna.formats.geotiff_observation import read_geotiff_observation

    reference = geotiff.read_georeference(file)
    observation, observed = read_geotiff_observation(file, name)
    description = one_line(reference.tags.get(_TIFF_DESCRIPTION, ""))
    sentinel = _SENTINEL_1.match(description)
    nominal = NOMINAL_TAG in reference.tags
    return Extracted(
        title=description or name,
        footprint=_footprint(reference.footprint_lonlat_deg, nominal=nominal),
        # TIFF has no tag for when a scene was observed; its one date is when the file was written.
        event=observed,
        produced=_tiff_instant(reference.tags.get(_TIFF_DATE_TIME, "")),
        sensor=sentinel.group() if sentinel else "",
        resolution_m=reference.pixel_m,
        polarisation="+".join(observation.radar.polarisations) if observation is not None else "",
        complex_data=reference.is_complex,
        classification="",
        notes=(NOMINAL_NOTE,) if nominal else (),
        observation=observation,
    )


def _tiff_instant(text: str) -> Instant | None:
    """Instant of a TIFF DateTime, taken as UTC (the tag has no zone; SAR processors write UTC); None if it is no date."""
    try:
        return instant_of(datetime.strptime(text.strip(), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC))
    except ValueError:
        return None


def place_sicd(file: BinaryIO, *, phase: bool = False) -> Placed:
    """Amplitude of a SICD, or its phase, and where it lies."""
    import numpy as np
    from rasterio.crs import CRS

    from kizuna.formats import geotiff, sicd
    from kizuna.sar.image import detect

    summary = sicd.read_summary(file)
    pixels = sicd.read_pixels(file)
    rows, cols, latitudes, longitudes = sicd.ground_points(file)
    # Twice the sampling keeps the speckle from aliasing; a very large image is detected as it is.
    factor = 2 if pixels.size <= _FINELY_DETECTED_PIXELS and not phase else 1
    if phase:
        values = np.angle(pixels).astype(np.float32)
        values[pixels == 0] = np.nan
    else:
        values = detect(pixels) if factor > 1 else np.abs(pixels)
    points = _control_points(factor * rows, factor * cols, latitudes, longitudes)
    tags = {_TIFF_DESCRIPTION: f"{summary.sensor} {summary.core_name}, detected"}
    if summary.nominal_position:
        tags[NOMINAL_TAG] = NOMINAL_NOTE
    return geotiff.place(values, points, CRS.from_epsg(4326), oversampling=factor, tags=tags)


def _control_points(rows: Floats, cols: Floats, latitudes: Floats, longitudes: Floats) -> tuple[GroundControlPoint, ...]:
    """Ground control points of pixels' centres, whose corners GDAL counts from."""
    from rasterio.control import GroundControlPoint

    net = zip(rows.tolist(), cols.tolist(), latitudes.tolist(), longitudes.tolist(), strict=True)
    return tuple(GroundControlPoint(row=row + 0.5, col=col + 0.5, x=lon, y=lat) for row, col, lat, lon in net)


def extract_sidd(file: BinaryIO, name: str) -> Extracted:
    """What a SIDD says about itself."""
    from kizuna.formats.sidd import read_sidd_summary

    summary = read_sidd_summary(file)
    observation = summary.observation
    return Extracted(
        title=one_line(summary.product_name) or name,
        footprint=_footprint(summary.footprint_lonlat_deg, nominal=False),
        event=summary.collected,
        produced=summary.produced,
        sensor=one_line(summary.sensor),
        resolution_m=summary.resolution_m,
        polarisation="+".join(observation.radar.polarisations) if observation is not None else "",
        complex_data=False,
        classification=one_line(summary.classification),
        notes=(),
        observation=observation,
        media_type=media_types.SIDD,
    )


def place_sidd(file: BinaryIO) -> Placed:
    """Image of a SIDD as its producer mapped it for the eye, and where it lies."""
    from rasterio.crs import CRS

    from kizuna.formats import geotiff, sidd

    amplitude = sidd.read_sidd_amplitude(file)
    points = _control_points(*sidd.sidd_ground_points(file))
    name = one_line(sidd.read_sidd_summary(file).product_name)
    return geotiff.place(amplitude, points, CRS.from_epsg(4326), oversampling=1, tags={_TIFF_DESCRIPTION: name})


def extract_safe(file: BinaryIO) -> Extracted:
    """What a Sentinel-1 SAFE package says about itself."""
    from kizuna.formats.safe import read_safe_summary

    summary = read_safe_summary(file)
    observation = summary.observation
    return Extracted(
        title=one_line(summary.name),
        footprint=_footprint(summary.footprint_lonlat_deg, nominal=False),
        event=summary.collected,
        produced=summary.produced,
        sensor=summary.sensor,
        resolution_m=summary.spacing_m,
        polarisation="+".join(observation.radar.polarisations) if observation is not None else "",
        complex_data=summary.is_complex,
        classification="",
        notes=(),
        observation=observation,
    )
