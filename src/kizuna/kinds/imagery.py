"""Imagery: complex SAR images (SICD), detected ones (SIDD, GeoTIFF), and packages of either (Sentinel-1 SAFE).

What a node needs to know of an image before it can decide on it, and what remains of one under an obligation. `sniff` and
`redact` serve every request and load nothing; the rest loads GDAL and sarkit when it is first called.
"""

from __future__ import annotations

import io
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from kizuna.errors import InputError, Message
from kizuna.formats import media_types
from kizuna.formats.nitf import is_nitf
from kizuna.kinds import image_files
from kizuna.kinds.image_files import NOMINAL_NOTE, NOMINAL_TAG
from kizuna.kinds.values import Extracted, Layer, Limits, Reduced, Summary
from kizuna.model.product import AssetRole, Footprint, Verdict
from kizuna.model.reading import MOST_TEXTS, one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kizuna.formats.marking import Marking
    from kizuna.model.product import Asset

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

_HEAD_BYTES = 512
_TIFF_MAGICS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
# The name of a ZIP file's first member, behind 30 bytes of its header (APPNOTE 4.3.7).
_SAFE = re.compile(rb"PK\x03\x04.{26}[^/]{1,200}\.SAFE/", re.DOTALL)

# Obligations, by their value: what cannot be applied to an image here releases nothing of it.
_DETECTED_ONLY = "detected-only"
_BESIDE_THE_ASSETS = frozenset({"caveat", "re-mark", "no-onward", "delay", "purpose"})


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
        Media type of SICD for any NITF (`extract` tells a SIDD, and `validate` refuses another), of GeoTIFF for any TIFF, of a
        ZIP file for one that begins with the folder of a SAFE package; None otherwise.

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
    return media_types.SAFE if _SAFE.match(head) else None


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
    from kizuna.formats import geotiff

    findings: tuple[str, ...] = ()
    try:
        match _media_type(file):
            case media_types.SICD:
                from kizuna.formats import sicd

                sicd.read_summary(file)
                sicd.read_pixels(file)
                findings = sicd.consistency_findings(file)
            case media_types.SIDD:
                from kizuna.formats import sidd

                sidd.read_sidd_summary(file)
                sidd.read_sidd_amplitude(file)
                findings = sidd.sidd_findings(file)
            case media_types.SAFE:
                from kizuna.formats.safe import read_safe_summary

                # Its pixels are read once, when its small files are made: unpacking a package takes minutes.
                read_safe_summary(file)
            case _:
                geotiff.read_amplitude(file)
    except InputError as error:
        return Verdict(valid=False, findings=(str(error),))
    return Verdict(valid=True, findings=tuple(filter(None, map(one_line, findings)))[:MOST_TEXTS])


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
    match _media_type(file):
        case media_types.SICD:
            return image_files.extract_sicd(file, name)
        case media_types.SIDD:
            return image_files.extract_sidd(file, name)
        case media_types.SAFE:
            return image_files.extract_safe(file)
        case _:
            return image_files.extract_geotiff(file, name)


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

    # INVARIANT: every original but a GeoTIFF of one plain image gets a detected image beside it (`redact`).
    beside = True
    match _media_type(file):
        case media_types.SICD:
            placed = image_files.place_sicd(file)
        case media_types.SIDD:
            placed = image_files.place_sidd(file)
        case media_types.SAFE:
            from kizuna.formats.safe import read_safe_amplitude

            placed = read_safe_amplitude(file)
        case _:
            placed, beside = geotiff.read_amplitude(file), geotiff.read_georeference(file).is_complex
    web_cog = geotiff.write_web_cog(placed)
    return Summary(
        quicklook_png=quicklook_png(io.BytesIO(web_cog)),
        web_cog=web_cog,
        detected_cog=geotiff.write_detected_cog(placed) if beside else None,
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
    # original without one is a GeoTIFF of one plain image. A NITF or a package goes in no case.
    has_detected = any(asset.role is AssetRole.DETECTED for asset in assets)
    return tuple(
        asset
        for asset in assets
        if asset.role is not AssetRole.ORIGINAL or (asset.media_type.startswith("image/tiff") and not has_detected)
    )


def reducible(assets: Sequence[Asset]) -> tuple[Asset, ...]:
    """Assets that `reduce` may be able to take, in the order in which to try: a complex original, then a detected image."""
    found = (_complex_original(assets), _detected(assets))
    return tuple(asset for asset in found if asset is not None)


def _complex_original(assets: Sequence[Asset]) -> Asset | None:
    return next((asset for asset in assets if asset.role is AssetRole.ORIGINAL and asset.media_type == media_types.SICD), None)


def _detected(assets: Sequence[Asset]) -> Asset | None:
    """Detected image, made here or original; None where a product has none."""
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
        Open, seekable image: an asset that `reducible` named.
    name
        Its name.
    footprint
        Outline of the product.
    limits
        What may remain.

    Returns
    -------
    Reduced
        Of a SICD a SICD and all that follows, made from it. Of a detected image a detected image, the map image made from it and
        the quicklook made from that. The same image, name, footprint and limits give the same bytes.

    Raises
    ------
    InputError
        It cannot be done, or nothing remains.

    Notes
    -----
    Of a complex image a narrower band of its spectrum is kept (`kizuna.sar.reduce`), of a detected one the mean power of blocks
    (`kizuna.formats.geotiff_reduce`): what a partner gets holds no frequency finer than asked.
    """
    if limits.polygons is not None:
        from kizuna.formats.geotiff_reduce import cut_ring

        if footprint is None or footprint.nominal:
            raise InputError(
                Message("an image whose position was not measured cannot be cut to an area"),
                hint=Message("It goes only under an article that names no area."),
                field="footprint",
            )
        footprint = Footprint(cut_ring(footprint.ring, limits.polygons))
    is_complex = sniff(file.read(_HEAD_BYTES), name) == media_types.SICD
    file.seek(0)
    stem = PurePath(name).stem.removesuffix(".detected") + ".reduced"
    if is_complex:
        files, resolution_m = _reduce_complex(file, stem, limits)
    else:
        files, resolution_m = _reduce_detected(file, stem, footprint, limits)
    return Reduced(files, footprint, resolution_m)


type _Files = tuple[tuple[AssetRole, str, str, bytes], ...]


def _reduce_complex(file: BinaryIO, stem: str, limits: Limits) -> tuple[_Files, float]:
    from kizuna.formats import geotiff
    from kizuna.formats.marking import marking_of
    from kizuna.formats.sicd_reduce import reduce_sicd

    marking = None if limits.label is None else marking_of(limits.label)
    made = reduce_sicd(
        file,
        finest_m=limits.finest_m,
        polygons=limits.polygons,
        classification=None if marking is None else marking.classification,
        security=None if marking is None else marking.security,
    )
    placed = image_files.place_sicd(io.BytesIO(made.data))
    web_cog = geotiff.write_web_cog(placed)
    files = (
        (AssetRole.ORIGINAL, f"{stem}.nitf", media_types.SICD, made.data),
        *_detected_files(stem, geotiff.write_detected_cog(placed), web_cog),
        *_sidd(made.data, stem, marking),
    )
    return files, made.resolution_m


def _sidd(data: bytes, stem: str, marking: Marking | None) -> _Files:
    """The same as SIDD, if it is known what it is marked as and the standard has words for that."""
    from kizuna.formats.sicd_sidd import sidd_of_sicd

    if marking is None:
        return ()
    try:
        made = sidd_of_sicd(io.BytesIO(data), marking)
    except InputError:
        return ()
    return ((AssetRole.DETECTED, f"{stem}.sidd.nitf", media_types.SIDD, made),)


def _reduce_detected(file: BinaryIO, stem: str, footprint: Footprint | None, limits: Limits) -> tuple[_Files, float]:
    from kizuna.formats.geotiff_reduce import reduce_image

    nominal = footprint is not None and footprint.nominal
    made = reduce_image(
        file,
        finest_m=limits.finest_m,
        polygons=limits.polygons,
        tags={NOMINAL_TAG: NOMINAL_NOTE} if nominal else None,
    )
    return _detected_files(stem, made.detected_cog, made.web_cog), made.resolution_m


def _detected_files(stem: str, detected_cog: bytes, web_cog: bytes) -> _Files:
    from kizuna.formats.quicklook import quicklook_png

    return (
        (AssetRole.DETECTED, f"{stem}.tif", media_types.COG, detected_cog),
        (AssetRole.VISUAL, f"{stem}.map.tif", media_types.COG, web_cog),
        (AssetRole.QUICKLOOK, f"{stem}.quicklook.png", media_types.PNG, quicklook_png(io.BytesIO(web_cog))),
    )


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
        return _detected(assets)
    # Phase is in originals alone.
    return _complex_original(assets)


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
    return map_cog.write_phase_map(image_files.place_sicd(file, phase=True))


def _media_type(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    media_type = sniff(head, "")
    if media_type is None:
        raise InputError(
            Message("neither a NITF nor a TIFF file: it starts with {got}", {"got": repr(head[:9])}),
            hint=Message(
                "Give a SICD or SIDD (.nitf), a GeoTIFF (.tif) or a Sentinel-1 SAFE; check that the whole file arrived."
            ),
            field="file",
        )
    if media_type == media_types.SICD:
        from kizuna.formats.sidd import is_sidd

        return media_types.SIDD if is_sidd(file) else media_types.SICD
    return media_type
