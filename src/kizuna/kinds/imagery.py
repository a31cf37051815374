"""Imagery: complex SAR images (SICD) and detected ones (GeoTIFF).

What a node needs to know of an image before it can decide on it, and what remains of one under an obligation. `sniff` and
`redact` serve every request and load nothing; the rest loads GDAL and sarkit when it is first called.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from kizuna.errors import InputError, Message
from kizuna.formats import media_types
from kizuna.formats.nitf import is_nitf
from kizuna.model.instants import instant_of
from kizuna.model.product import AssetRole, Footprint, Verdict
from kizuna.model.reading import MOST_TEXTS, one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kizuna.formats.geotiff import Placed
    from kizuna.model.instants import Instant, Interval
    from kizuna.model.observation import Observation
    from kizuna.model.product import Asset

    type Ring = tuple[tuple[float, float], ...]
    type Polygons = tuple[tuple[Ring, ...], ...]

__all__ = [
    "NAME",
    "Extracted",
    "Layer",
    "Limits",
    "Reduced",
    "Summary",
    "extract",
    "map_image",
    "map_source",
    "redact",
    "reduce",
    "reducible",
    "sniff",
    "summarise",
    "validate",
]

NAME = "imagery"

_HEAD_BYTES = 16
_TIFF_MAGICS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_TIFF_DATE_TIME = "TIFFTAG_DATETIME"
_TIFF_DESCRIPTION = "TIFFTAG_IMAGEDESCRIPTION"
_NOMINAL_TAG = "KIZUNA_NOMINAL_POSITION"
_NOMINAL_NOTE = "The position is nominal: it was assigned, not measured."
_SENTINEL_1 = re.compile(r"Sentinel-1[A-D]")
_FINELY_DETECTED_PIXELS = 16_000_000

# Obligations, by their value: what cannot be applied to an image here releases nothing of it.
_DETECTED_ONLY = "detected-only"
_BESIDE_THE_ASSETS = frozenset({"caveat", "re-mark", "no-onward", "delay", "purpose"})


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an image file says about itself.

    Parameters
    ----------
    title
        One line for people.
    footprint
        Outline on the ground; None where it has none.
    event
        When it was observed; None where the file does not say.
    produced
        When the file was made; None where it does not say.
    sensor
        What observed it; empty where the file does not say.
    resolution_m
        Coarser resolution on the ground, metres. For a GeoTIFF the sampling, which is never coarser than the resolution.
    polarisation
        Such as ``"HH"``; empty where the file does not say.
    complex_data
        Whether it holds phase, or may hold it.
    classification
        Marking that the file carries in itself, as written; empty where it has none. It is no label.
    notes
        Sentences that must be read with it.
    observation
        How it was observed; None where the file says nothing of that.
    """

    title: str
    footprint: Footprint | None
    event: Interval | None
    produced: Instant | None
    sensor: str
    resolution_m: float | None
    polarisation: str
    complex_data: bool
    classification: str
    notes: tuple[str, ...]
    observation: Observation | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Files made from an image.

    Parameters
    ----------
    quicklook_png
        Small picture, north up.
    web_cog
        Web-optimised GeoTIFF that map tiles are cut from.
    detected_cog
        Amplitude as a cloud-optimised GeoTIFF, if the original holds or may hold phase; None where it is detected itself.
    """

    quicklook_png: bytes
    web_cog: bytes
    detected_cog: bytes | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What may remain of an image.

    Parameters
    ----------
    finest_m
        Nothing finer than this, metres on the ground; 0 for no limit.
    polygons
        Nothing outside their union: each an exterior ring and its holes, (longitude, latitude) in degrees on WGS 84, closed. None
        for no limit.
    """

    finest_m: float = 0.0
    polygons: Polygons | None = None


@dataclass(frozen=True, slots=True)
class Reduced:
    """What remains of an image.

    Parameters
    ----------
    files
        Of each its role, name, media type and bytes; the first stands for the product.
    footprint
        Its outline on the ground; None where the image had none.
    resolution_m
        Finest distance that its cells have on the ground, metres.
    """

    files: tuple[tuple[AssetRole, str, str, bytes], ...]
    footprint: Footprint | None
    resolution_m: float


class Layer(StrEnum):
    """What of an image is put on a map."""

    AMPLITUDE = "amplitude"
    PHASE = "phase"


def sniff(head: bytes, name: str) -> str | None:  # noqa: ARG001 # the name is part of every kind's sniff; bytes decide here
    """Media type of an image file.

    Parameters
    ----------
    head
        Its first bytes, sixteen or more.
    name
        Its name; not used, because an extension proves nothing.

    Returns
    -------
    str or None
        Media type of SICD for any NITF (`validate` tells a SICD from another NITF), of GeoTIFF for any TIFF, None otherwise.

    Examples
    --------
    >>> sniff(b"NITF02.10" + bytes(7), "a.nitf")
    'application/vnd.nga.sicd+nitf'
    >>> sniff(b"hello, world....", "a.tif") is None
    True
    """
    if is_nitf(head):
        return media_types.SICD
    if head.startswith(_TIFF_MAGICS):
        return media_types.GEOTIFF
    return None


def validate(file: BinaryIO) -> Verdict:
    """Check an image file on the way in.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Returns
    -------
    Verdict
        Not valid where the file cannot be read, is cut off or has no position. Findings of sarkit's SICD checker are listed
        and leave a readable file valid: real products have some.
    """
    from kizuna.formats import geotiff, sicd

    try:
        if _media_type(file) == media_types.SICD:
            sicd.read_summary(file)
            sicd.read_pixels(file)
            findings = tuple(filter(None, map(one_line, sicd.consistency_findings(file))))
            return Verdict(valid=True, findings=findings[:MOST_TEXTS])
        geotiff.read_amplitude(file)
    except InputError as error:
        return Verdict(valid=False, findings=(str(error),))
    return Verdict(valid=True)


def extract(file: BinaryIO, name: str) -> Extracted:
    """What an image file says about itself.

    Parameters
    ----------
    file
        Open, seekable binary file.
    name
        Its name: the title where the file has none.

    Returns
    -------
    Extracted
        Place, time, sensor, resolution.

    Raises
    ------
    InputError
        Neither a SICD nor a GeoTIFF with a position, or a damaged one.
    """
    return _extract_sicd(file, name) if _media_type(file) == media_types.SICD else _extract_geotiff(file, name)


def summarise(file: BinaryIO, name: str) -> Summary:  # noqa: ARG001 # every kind's summarise has the name
    """Make the small files that stand for an image: quicklook, web COG, and a detected COG if it is complex.

    Parameters
    ----------
    file
        Open, seekable binary file.
    name
        Its name.

    Returns
    -------
    Summary
        The files' bytes.

    Raises
    ------
    InputError
        As `extract`; or no pixel holds data.
    """
    from kizuna.formats import geotiff
    from kizuna.formats.quicklook import quicklook_png

    if _media_type(file) == media_types.SICD:
        placed, is_complex = _place_sicd(file), True
    else:
        placed, is_complex = geotiff.read_amplitude(file), geotiff.read_georeference(file).is_complex
    web_cog = geotiff.write_web_cog(placed)
    return Summary(
        quicklook_png=quicklook_png(io.BytesIO(web_cog)),
        web_cog=web_cog,
        detected_cog=geotiff.write_detected_cog(placed) if is_complex else None,
    )


def redact(assets: Sequence[Asset], obligations: Collection[str]) -> tuple[Asset, ...]:
    """Assets that may go under these obligations.

    Parameters
    ----------
    assets
        Assets of one product.
    obligations
        Values of `kizuna.release.decision.ObligationKind` (its members are such strings).

    Returns
    -------
    tuple of Asset
        ``detected-only`` leaves out an original that holds or may hold phase; every other asset is amplitude. An obligation
        that takes more than leaving files out (``resolution`` and ``area``, which `reduce` carries out, or an unknown one) leaves
        nothing.
    """
    asked = {str(obligation) for obligation in obligations}
    if asked - _BESIDE_THE_ASSETS - {_DETECTED_ONLY}:
        return ()
    if _DETECTED_ONLY not in asked:
        return tuple(assets)
    # INVARIANT: an original that `extract` does not hold for detected always has a detected asset beside it (`summarise`), so an
    # original without one is a GeoTIFF of one plain image. A NITF goes in no case: it is SICD here.
    has_detected = any(asset.role is AssetRole.DETECTED for asset in assets)
    return tuple(
        asset
        for asset in assets
        if asset.role is not AssetRole.ORIGINAL or (asset.media_type.startswith("image/tiff") and not has_detected)
    )


def reducible(assets: Sequence[Asset]) -> Asset | None:
    """Asset that `reduce` can take: the detected image, made here or original; None where a product has none."""
    detected = next((asset for asset in assets if asset.role is AssetRole.DETECTED), None)
    if detected is not None:
        return detected
    # The invariant of `redact`: an original TIFF without a detected image beside it is one itself.
    original = (asset for asset in assets if asset.role is AssetRole.ORIGINAL and asset.media_type.startswith("image/tiff"))
    return next(original, None)


def reduce(file: BinaryIO, name: str, footprint: Footprint | None, limits: Limits) -> Reduced:
    """Make what remains of an image under limits. What it is made from does not go along, nor anything finer or farther off.

    Parameters
    ----------
    file
        Open, seekable detected image: the asset that `reducible` named.
    name
        Its name.
    footprint
        Outline of the product.
    limits
        What may remain.

    Returns
    -------
    Reduced
        A detected image, the map image made from it and the quicklook made from that. The same image, name, footprint and limits
        give the same bytes.

    Raises
    ------
    InputError
        It cannot be done, or nothing remains.

    Notes
    -----
    Coarser is the mean power of blocks of the detected image: what a partner gets holds no frequency finer than its cells.
    """
    from kizuna.formats.geotiff_reduce import cut_ring, reduce_image
    from kizuna.formats.quicklook import quicklook_png

    if limits.polygons is not None:
        if footprint is None or footprint.nominal:
            raise InputError(
                Message("an image whose position was not measured cannot be cut to an area"),
                hint=Message("It goes only under an article that names no area."),
                field="footprint",
            )
        footprint = Footprint(cut_ring(footprint.ring, limits.polygons))
    nominal = footprint is not None and footprint.nominal
    made = reduce_image(
        file,
        finest_m=limits.finest_m,
        polygons=limits.polygons,
        tags={_NOMINAL_TAG: _NOMINAL_NOTE} if nominal else None,
    )
    stem = PurePath(name).stem.removesuffix(".detected") + ".reduced"
    files = (
        (AssetRole.DETECTED, f"{stem}.tif", media_types.COG, made.detected_cog),
        (AssetRole.VISUAL, f"{stem}.map.tif", media_types.COG, made.web_cog),
        (AssetRole.QUICKLOOK, f"{stem}.quicklook.png", media_types.PNG, quicklook_png(io.BytesIO(made.web_cog))),
    )
    return Reduced(files, footprint, made.resolution_m)


def map_source(assets: Sequence[Asset], layer: Layer) -> Asset | None:
    """Asset that `map_image` can take; None where there is none.

    Parameters
    ----------
    assets
        Those that the reader may have: nothing else of a product gets onto a map.
    layer
        What is wanted of it.
    """
    if layer is Layer.AMPLITUDE:
        return reducible(assets)
    # Phase is in originals alone.
    return next((asset for asset in assets if asset.role is AssetRole.ORIGINAL and asset.media_type == media_types.SICD), None)


def map_image(file: BinaryIO, layer: Layer) -> bytes:
    """Web-optimised COG that map tiles are cut from.

    Parameters
    ----------
    file
        Open, seekable image that `map_source` named.
    layer
        What is wanted of it.

    Returns
    -------
    bytes
        The file, as `kizuna.formats.map_cog` makes it.

    Raises
    ------
    InputError
        As `extract`; or no pixel holds data.
    """
    from kizuna.formats import geotiff, map_cog

    if layer is Layer.AMPLITUDE:
        return map_cog.write_amplitude_map(geotiff.read_amplitude(file))
    return map_cog.write_phase_map(_place_sicd(file, phase=True))


def _media_type(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    media_type = sniff(head, "")
    if media_type is None:
        raise InputError(
            Message("neither a NITF nor a TIFF file: it starts with {got}", {"got": repr(head[:9])}),
            hint=Message("Give a SICD (.nitf) or a GeoTIFF (.tif); check that the whole file arrived."),
            field="file",
        )
    return media_type


def _footprint(ring: Sequence[tuple[float, float]], *, nominal: bool) -> Footprint:
    return Footprint((*ring, ring[0]), nominal)


def _extract_sicd(file: BinaryIO, name: str) -> Extracted:
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
        notes=(_NOMINAL_NOTE,) if summary.nominal_position else (),
        observation=read_sicd_observation(file),
    )


def _extract_geotiff(file: BinaryIO, name: str) -> Extracted:
    from kizuna.formats import geotiff
    from kizuna.formats.geotiff_observation import read_geotiff_observation

    reference = geotiff.read_georeference(file)
    observation, observed = read_geotiff_observation(file, name)
    description = one_line(reference.tags.get(_TIFF_DESCRIPTION, ""))
    sentinel = _SENTINEL_1.match(description)
    nominal = _NOMINAL_TAG in reference.tags
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
        notes=(_NOMINAL_NOTE,) if nominal else (),
        observation=observation,
    )


def _tiff_instant(text: str) -> Instant | None:
    """Instant of a TIFF DateTime, taken as UTC (the tag has no zone; SAR processors write UTC); None if it is no date."""
    try:
        return instant_of(datetime.strptime(text.strip(), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC))
    except ValueError:
        return None


def _place_sicd(file: BinaryIO, *, phase: bool = False) -> Placed:
    """Amplitude of a SICD, or its phase, and where it lies."""
    import numpy as np
    from rasterio.control import GroundControlPoint
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
    points = tuple(
        GroundControlPoint(row=factor * row + 0.5, col=factor * col + 0.5, x=longitude, y=latitude)
        for row, col, latitude, longitude in zip(
            rows.tolist(), cols.tolist(), latitudes.tolist(), longitudes.tolist(), strict=True
        )
    )
    tags = {_TIFF_DESCRIPTION: f"{summary.sensor} {summary.core_name}, detected"}
    if summary.nominal_position:
        tags[_NOMINAL_TAG] = _NOMINAL_NOTE
    return geotiff.place(values, points, CRS.from_epsg(4326), oversampling=factor, tags=tags)
