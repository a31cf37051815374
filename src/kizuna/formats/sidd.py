"""SIDD (NGA.STND.0025), versions 1 to 3: others' detected images in NITF. sarkit handles the bytes and the geometry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO

import jbpy
import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.sidd
import sarkit.sidd.calculations
from sarkit.verification import SiddConsistency

from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.nitf import check_length, require_room_for_pixels
from kizuna.formats.sicd_observation import platform_of, polarisation_of, side_of
from kizuna.model.instants import Instant, Interval, instant_of, parse_instant
from kizuna.model.observation import Grid, Observation, Processing, Radar, plausible

__all__ = ["SiddSummary", "is_sidd", "read_sidd_amplitude", "read_sidd_summary", "sidd_findings", "sidd_ground_points"]

type Floats = npt.NDArray[np.float64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sidd
_calculations: Any = sarkit.sidd.calculations

_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?SIDD[\s>/]")
_ROOT_WITHIN = 4096
_EDGE_POINTS = 8
_LUMINANCE = {"R": 0.299, "G": 0.587, "B": 0.114}  # Rec. ITU-R BT.601
_NOT_COMPRESSED = "NC"


@dataclass(frozen=True, slots=True)
class SiddSummary:
    """What a catalogue wants to know of a SIDD file: of its first image.

    Parameters
    ----------
    footprint_lonlat_deg
        Outline (longitude, latitude) in degrees, counter-clockwise, first point not repeated.
    collected
        When it was observed; of several collections from the first to the last.
    produced
        When the image was made, if the file says so.
    sensor, product_name, classification, version
        As the file says.
    resolution_m
        Coarser of the two, on the ground, metres.
    shape
        Rows, columns.
    observation
        How it was observed.
    """

    footprint_lonlat_deg: tuple[tuple[float, float], ...]
    collected: Interval | None
    produced: Instant | None
    sensor: str
    product_name: str
    classification: str
    resolution_m: float | None
    shape: tuple[int, int]
    observation: Observation | None
    version: str = ""


def is_sidd(file: BinaryIO) -> bool:
    """Whether a NITF file holds a SIDD; leave it at its start.

    Raises
    ------
    InputError
        Another format, or a damaged file.
    """
    check_length(file)
    try:
        nitf: Any = jbpy.Jbp  # its annotations are no use to a strict checker
        segments = nitf().load(file)["DataExtensionSegments"]
        found = False
        for segment in segments:
            if segment["subheader"]["DESID"].value == "XML_DATA_CONTENT":
                file.seek(segment["DESDATA"].get_offset())
                found = found or _ROOT.search(file.read(_ROOT_WITHIN)) is not None
    except Exception as error:  # jbpy raises a dozen unrelated kinds on damaged headers
        raise _unreadable(error) from error
    file.seek(0)
    return found


def _unreadable(error: Exception) -> InputError:
    return InputError(
        Message("the SIDD file cannot be read: {reason}", {"reason": str(error) or type(error).__name__}),
        hint=Message("Run siddcheck on it, and fetch it again."),
        field="file",
    )


def _open(file: BinaryIO) -> Any:  # noqa: ANN401 # sarkit's reader, untyped
    check_length(file)
    try:
        reader = _sarkit.NitfReader(file)
    except Exception as error:  # jbpy, lxml and sarkit raise a dozen unrelated kinds on damaged headers
        raise _unreadable(error) from error
    if not reader.metadata.images:
        raise InputError(
            Message("the NITF file holds no readable SIDD: {reason}", {"reason": "it has no product image"}),
            hint=Message("Check that the whole file arrived."),
            field="file",
        )
    return reader


def read_sidd_summary(file: BinaryIO) -> SiddSummary:
    """What a catalogue wants to know of a SIDD file.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        Not a SIDD, or one whose metadata lack what every SIDD must have.
    """
    root = _open(file).metadata.images[0].xmltree
    tree = MetadataTree(root)
    collected = _collected(tree)
    classification = root.getroot().find("./{*}ProductCreation/{*}Classification")
    produced = tree.text("ProductCreation/ProcessorInformation/ProcessingDateTime")
    return SiddSummary(
        footprint_lonlat_deg=_footprint(root),
        collected=collected,
        produced=None if produced is None else _instant(produced),
        sensor=tree.text("ExploitationFeatures/Collection/Information/SensorName") or "",
        product_name=tree.text("ProductCreation/ProductName") or "",
        classification="" if classification is None else _classification(classification),
        resolution_m=_resolution_m(tree),
        shape=_shape(root),
        observation=plausible(_observation(root, tree)),
        version=(lxml.etree.QName(root.getroot()).namespace or "").removeprefix("urn:SIDD:"),
    )


def _classification(element: lxml.etree._Element) -> str:
    return next((str(value) for name, value in element.attrib.items() if str(name).endswith("}classification")), "")


def _instant(text: str) -> Instant | None:
    try:
        return parse_instant(text if text.endswith("Z") or "+" in text else text + "Z")
    except InputError:
        return None


def _collected(tree: MetadataTree) -> Interval | None:
    begins: list[Instant] = []
    ends: list[Instant] = []
    for collection in tree.below("ExploitationFeatures/Collection"):
        text = collection.text("Information/CollectionDateTime")
        begin = None if text is None else _instant(text)
        seconds = collection.number("Information/CollectionDuration") or 0.0
        if begin is not None and 0.0 <= seconds < timedelta(days=1).total_seconds():
            begins.append(begin)
            ends.append(instant_of(begin + timedelta(seconds=seconds)))
    return Interval(min(begins), max(ends)) if begins else None


def _resolution_m(tree: MetadataTree) -> float | None:
    sides = [tree.number(f"ExploitationFeatures/Product/Resolution/{axis}") for axis in ("Row", "Col")]
    known = [side for side in sides if side is not None and side > 0.0]
    return max(known) if known else None


def _shape(root: lxml.etree._ElementTree) -> tuple[int, int]:
    try:
        rows, cols = (int(side) for side in _sarkit.XmlHelper(root).load("./{*}Measurement/{*}PixelFootprint"))
    except (AttributeError, TypeError, ValueError) as error:
        raise _unreadable(error) from error
    if rows < 1 or cols < 1:
        raise _unreadable(ValueError(f"PixelFootprint {rows} {cols}"))
    return rows, cols


def _located(root: lxml.etree._ElementTree, pixels: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Latitudes and longitudes in degrees of pixels (row, col)."""
    try:
        latitude, longitude, _ = ecef_to_geodetic(np.asarray(_calculations.pixel_to_ecef(root, pixels), np.float64))
    except Exception as error:  # sarkit raises unrelated kinds where a member is missing
        raise _unreadable(error) from error
    if not (np.isfinite(latitude).all() and np.isfinite(longitude).all()):
        raise InputError(
            Message("the SIDD file's geometry does not meet the ground everywhere"),
            hint=Message("Run siddcheck on it; its Measurement metadata are wrong."),
            field="Measurement",
        )
    return np.degrees(latitude), np.degrees(longitude)


def _footprint(root: lxml.etree._ElementTree) -> tuple[tuple[float, float], ...]:
    """Outline of the outer pixels' edges, counter-clockwise."""
    rows, cols = _shape(root)
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS, endpoint=False)
    row = np.concatenate([0 * steps, steps, 1 + 0 * steps, 1 - steps]) * rows - 0.5
    col = np.concatenate([steps, 1 + 0 * steps, 1 - steps, 0 * steps]) * cols - 0.5
    latitude, longitude = _located(root, np.stack([row, col], axis=-1))
    ring = [(float(x), float(y)) for x, y in zip(longitude, latitude, strict=True)]
    unwrapped = np.unwrap(longitude, period=360.0)
    area = float(np.sum(unwrapped * np.roll(latitude, -1) - np.roll(unwrapped, -1) * latitude))
    return tuple(ring if area > 0.0 else ring[::-1])


def sidd_ground_points(file: BinaryIO, *, points: int = 11) -> tuple[Floats, Floats, Floats, Floats]:
    """Where an even net of a SIDD's pixels lies, on the surface that its own projection names.

    Parameters
    ----------
    file
        Open, seekable binary file.
    points
        How many rows and how many columns the net has.

    Returns
    -------
    row, col, latitude_deg, longitude_deg : ndarrays of float64, shape (points ** 2,)
        Fractional pixel indices (0 is the centre of the first) and geodetic degrees.

    Raises
    ------
    InputError
        Not a SIDD, or metadata that cannot be projected.

    Notes
    -----
    SIDD volume 1, section 3, by sarkit. A plane's points are not dropped along the range contour onto the ellipsoid: ten
    kilometres from its reference point that is 8 m of height, and less on the ground.
    """
    root = _open(file).metadata.images[0].xmltree
    rows, cols = _shape(root)
    net = np.stack(
        np.meshgrid(np.linspace(0, rows - 1, points), np.linspace(0, cols - 1, points), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    latitude, longitude = _located(root, net)
    return net[:, 0], net[:, 1], latitude, longitude


def read_sidd_amplitude(file: BinaryIO) -> npt.NDArray[np.float32]:
    """Brightness of a SIDD's first image, through its lookup table if it has one; of a coloured one its luminance.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        Brightness as the producer mapped it: display values, no physical quantity.

    Raises
    ------
    InputError
        Not a SIDD, a damaged one, or one whose pixels are compressed.
    """
    reader = _open(file)
    image = reader.metadata.images[0]
    shape = _shape(image.xmltree)
    require_room_for_pixels(file, shape, 1)
    coded = {s["subheader"]["IC"].value for s in reader.jbp["ImageSegments"]} - {_NOT_COMPRESSED}
    if coded:
        raise InputError(
            Message("the SIDD's pixels are compressed ({how}), which is not read here", {"how": ", ".join(sorted(coded))}),
            hint=Message("Ask for it uncompressed (IC=NC), or for a GeoTIFF of it."),
            field="IC",
        )
    try:
        stored = reader.read_image(0)
    except Exception as error:
        raise _unreadable(error) from error
    table = image.lookup_table
    values = stored if table is None else np.asarray(table)[stored]
    if values.dtype.names is None:
        return np.asarray(values, np.float32)
    return np.asarray(sum(np.float32(weight) * values[band] for band, weight in _LUMINANCE.items()), np.float32)


def sidd_findings(file: BinaryIO) -> tuple[str, ...]:
    """What sarkit's SIDD consistency checker finds, errors and warnings alike; empty for a clean file.

    Raises
    ------
    InputError
        Not a SIDD.
    """
    _open(file)
    file.seek(0)
    try:
        checker: Any = SiddConsistency.from_file(file)
        checker.check()
    except Exception as error:  # a checker that stumbles has found something, but cannot say what
        raise _unreadable(error) from error
    return tuple(
        f"{check}: {detail['details']}"
        for check, result in checker.failures().items()
        for detail in result["details"]
        if not detail["passed"]
    )


def _observation(root: lxml.etree._ElementTree, tree: MetadataTree) -> Observation:
    information = "ExploitationFeatures/Collection/Information"
    pairs = [
        polarisation_of(one.text("TxPolarization") or "", one.text("RcvPolarization") or "")
        for one in tree.below(f"{information}/Polarization")
    ]
    rows, cols = _shape(root)
    position, velocity, middle = _platform(root, (rows, cols))
    orbit, viewing = platform_of(position, velocity, middle)
    processor = "ProductCreation/ProcessorInformation"
    application = tree.text(f"{processor}/Application")
    spacing = [
        tree.number(f"Measurement/{projection}/SampleSpacing/{axis}")
        for axis in ("Row", "Col")
        for projection in ("PlaneProjection", "GeographicProjection", "CylindricalProjection")
    ]
    across, along = next(filter(None, spacing[:3]), None), next(filter(None, spacing[3:]), None)
    metric = tree.has("Measurement/PlaneProjection") or tree.has("Measurement/CylindricalProjection")
    return Observation(
        radar=Radar(
            instrument_mode=tree.text(f"{information}/RadarMode/ModeID") or tree.text(f"{information}/RadarMode/ModeType"),
            polarisations=tuple(dict.fromkeys(pair for pair in pairs if pair is not None)),
            product_type=tree.text("ProductCreation/ProductType") or tree.text("ProductCreation/ProductClass"),
            resolution_range_m=tree.number(f"{information}/Resolution/Range"),
            resolution_azimuth_m=tree.number(f"{information}/Resolution/Azimuth"),
            # A geographic grid's spacing is in seconds of arc.
            spacing_range_m=across if metric else None,
            spacing_azimuth_m=along if metric else None,
            side=side_of(position, velocity, middle),
        ),
        orbit=orbit,
        viewing=viewing,
        grid=Grid(shape=(rows, cols)),
        processing=Processing(
            facility=tree.text(f"{processor}/Site"),
            software=() if application is None else ((application, tree.text(f"{processor}/Profile") or "unknown"),),
        ),
    )


def _platform(root: lxml.etree._ElementTree, shape: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Position and velocity when the image's middle was seen, and the middle; Nones where the file does not say."""
    try:
        helper = _sarkit.XmlHelper(root)
        projection = next(
            found
            for name in ("PlaneProjection", "GeographicProjection", "CylindricalProjection", "PolynomialProjection")
            if (found := root.find(f"./{{*}}Measurement/{{*}}{name}")) is not None
        )
        when = helper.load_elem(projection.find("./{*}TimeCOAPoly"))
        reference = helper.load_elem(projection.find("./{*}ReferencePoint/{*}Point"))
        spacing = projection.find("./{*}SampleSpacing")
        steps = helper.load_elem(spacing) if spacing is not None else np.ones(2)
        pixel = (np.asarray(shape, np.float64) - 1.0) / 2.0
        offset = (pixel - np.asarray(reference)) * np.asarray(steps)
        seconds = float(np.polynomial.polynomial.polyval2d(offset[0], offset[1], when))
        path = np.asarray(helper.load("./{*}Measurement/{*}ARPPoly"))
        position = np.polynomial.polynomial.polyval(seconds, path)
        velocity = np.polynomial.polynomial.polyval(seconds, np.polynomial.polynomial.polyder(path))
        middle = np.asarray(_calculations.pixel_to_ecef(root, pixel), np.float64)
    except Exception:  # noqa: BLE001 # what only describes refuses no product, and sarkit raises unrelated kinds
        return None, None, None
    known = all(np.isfinite(vector).all() for vector in (position, velocity, middle))
    return (position, velocity, middle) if known else (None, None, None)
