"""SIDD 3.0 (NGA.STND.0025), written: a detected image on a plane, as a person looks at it. sarkit handles the bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.sidd
import sarkit.sidd.calculations

from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.ism import ENGLISH_MARKS, ism_attributes_of
from kizuna.formats.marking import UNCLASSIFIED, Marking
from kizuna.formats.nitf_security import security_texts
from kizuna.formats.sicd_metadata import SicdDescription, ecef_path, timed
from kizuna.sar.collection import Mode
from kizuna.sar.image import detect, spatial_support

if TYPE_CHECKING:
    from kizuna.model.instants import Instant
    from kizuna.sar.image import FormedImage

__all__ = ["DetectedImage", "detected_image", "eye_levels", "write_sidd"]

type Floats = npt.NDArray[np.float64]
type Levels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sidd
_calculations: Any = sarkit.sidd.calculations

_NAMESPACE = "urn:SIDD:3.0.0"
_CODES = {"H": "H", "V": "V", "R": "RHC", "L": "LHC"}
_PIXELS = {np.dtype(np.uint8): "MONO8I", np.dtype(np.uint16): "MONO16I"}
# IC-ISM of the schema that SIDD 3.0 carries.
_ISM = "urn:us:gov:ic:ism:13"
_ISM_VERSIONS = {"DESVersion": "13", "ISMCATCESVersion": "201903"}
# A plane that rises by more than 6 degrees does not lie on the ground.
_LEVEL = 0.9945
_DARK_DB, _BRIGHT_QUANTILE = 12.0, 0.999


@dataclass(frozen=True, slots=True)
class DetectedImage:
    """A detected image on a plane, and what a SIDD says of it.

    Parameters
    ----------
    levels
        Shape (rows, cols), uint8 or uint16, rows growing away from the radar.
    reference_ecef_m, reference_pixel
        A point of the plane, shape (3,), and the row and column whose pixel's centre it is.
    row_ecef, col_ecef
        Unit vectors along which rows and columns grow, shape (3,).
    spacing_m
        Of rows and of columns.
    path
        Polynomial of seconds of the antenna's position, shape (n, 3), ECEF metres.
    seen_s
        When the middle was seen, on the path's clock.
    start, duration_s
        Instant that the path's clock counts from, and how long the collection took.
    resolution_m
        Along the rows and along the columns, on the plane.
    sensor, mode, mode_name, name
        Of the radar; how it was steered; name of the collection.
    polarisation
        Sent and received, such as ``"HH"``.
    product_class
        Such as ``"Detected Image"``.
    remap
        How levels came from amplitude, in words.
    produced
        Instant written as the file's date.
    marking
        What its label says.
    notes
        Names and sentences.
    """

    levels: Levels
    reference_ecef_m: Floats
    reference_pixel: tuple[float, float]
    row_ecef: Floats
    col_ecef: Floats
    spacing_m: tuple[float, float]
    path: Floats
    seen_s: float
    start: Instant
    duration_s: float
    resolution_m: tuple[float, float]
    sensor: str
    name: str
    polarisation: str
    produced: Instant
    mode: Mode = Mode.SPOTLIGHT
    mode_name: str = ""
    product_class: str = "Detected Image"
    remap: str = "linear"
    marking: Marking = UNCLASSIFIED
    notes: tuple[tuple[str, str], ...] = field(default=())


def eye_levels(amplitude: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], str]:
    """Levels of an amplitude for the eye, and how they were made.

    Parameters
    ----------
    amplitude
        Shape (rows, cols), not negative.

    Returns
    -------
    levels, words
        Evenly in decibels from 12 dB below the median (black) to the brightest thousandth (white).
    """
    power = np.maximum(amplitude.astype(np.float64), 1e-30)
    decibels = 20.0 * np.log10(power)
    low = float(np.median(decibels)) - _DARK_DB
    high = max(float(np.quantile(decibels, _BRIGHT_QUANTILE)), low + 1.0)
    levels = np.rint(255.0 * np.clip((decibels - low) / (high - low), 0.0, 1.0)).astype(np.uint8)
    return levels, f"decibels, {low:.2f} dB black, {high:.2f} dB white"


def detected_image(image: FormedImage, description: SicdDescription) -> DetectedImage:
    """Detected image of a formed one, at twice its sampling, with levels for the eye.

    Parameters
    ----------
    image
        Image at baseband.
    description
        As a SICD of it has it.
    """
    image = timed(image, description.platform_speed_m_s)
    history, grid, scene = image.history, image.grid, image.scene
    levels, words = eye_levels(detect(image.pixels))
    support = spatial_support(history, grid).bandwidth
    widths = description.row_weighting.half_power_width(), description.col_weighting.half_power_width()
    times = np.asarray(history.times_s)
    return DetectedImage(
        levels=levels,
        reference_ecef_m=scene.to_ecef(grid.origin_m),
        reference_pixel=(2.0 * grid.centre_row, 2.0 * grid.centre_col),
        row_ecef=scene.direction_to_ecef(grid.row_direction),
        col_ecef=scene.direction_to_ecef(grid.col_direction),
        spacing_m=(grid.row_spacing_m / 2.0, grid.col_spacing_m / 2.0),
        path=ecef_path(image.history, image.scene),
        seen_s=0.5 * float(times[0] + times[-1]),
        start=description.collect_start,
        duration_s=float(times[-1] - times[0]),
        resolution_m=(widths[0] / support[0], widths[1] / support[1]),
        sensor=description.collector,
        name=description.core_name,
        polarisation=history.polarisation,
        produced=description.produced,
        mode=description.mode,
        mode_name=description.mode_name,
        remap=words,
        marking=description.marking or UNCLASSIFIED,
        notes=description.notes,
    )


def write_sidd(file: BinaryIO, image: DetectedImage) -> None:
    """Write a detected image as a SIDD 3.0 NITF; the same of it gives the same bytes.

    Parameters
    ----------
    file
        Open binary file, writable and seekable, at its start.
    image
        Levels and their metadata.

    Raises
    ------
    InputError
        Levels of another type, a plane that is not the ground's, or a label that IC-ISM or NITF cannot say.
    """
    if image.levels.dtype not in _PIXELS or image.levels.ndim != 2:  # noqa: PLR2004 # rows, columns
        raise InputError(
            Message("levels are {got}; expected {expected}", {"got": str(image.levels.dtype), "expected": "uint8, uint16"}),
            hint=Message("Detect and quantise the image first."),
            field="levels",
        )
    up = image.reference_ecef_m / np.linalg.norm(image.reference_ecef_m)
    if abs(float(np.cross(image.row_ecef, image.col_ecef) @ up)) < _LEVEL:
        raise InputError(
            Message("the image's plane stands out of the ground; SIDD holds images on the ground"),
            hint=Message("Form the image on the ground plane."),
            field="plane",
        )
    tree = _metadata(image)
    security = _sarkit.NitfSecurityFields(**{tag.lower(): text for tag, text in security_texts(image.marking.security).items()})
    product = _sarkit.NitfProductImageMetadata(
        xmltree=tree,
        im_subheader_part=_sarkit.NitfImSubheaderPart(iid2=image.name[:80], security=security),
        de_subheader_part=_sarkit.NitfDeSubheaderPart(security=security, desshrp="kizuna"),
    )
    metadata = _sarkit.NitfMetadata(
        file_header_part=_sarkit.NitfFileHeaderPart(ostaid="kizuna", ftitle=f"SIDD: {image.name}"[:80], security=security),
        images=[product],
    )
    # sarkit's writing wants a file of its own kind and stamps the wall clock; both are put right on the way out.
    out = io.BytesIO()
    headers = _sarkit.jbp_from_nitf_metadata(metadata)
    with _sarkit.NitfWriter(out, metadata, headers) as writer:
        del writer
        first = 0
        for segment in headers["ImageSegments"]:
            last = first + segment["subheader"]["NROWS"].value
            out.seek(segment["Data"].get_offset())
            block = image.levels[first:last]
            out.write(np.ascontiguousarray(block, block.dtype.newbyteorder(">")).data)
            first = last
    produced = image.produced.astimezone(UTC)
    stamps: list[tuple[Any, str]] = [(headers["FileHeader"]["FDT"], produced.strftime("%Y%m%d%H%M%S"))]
    moment = produced.strftime("%Y-%m-%dT%H:%M:%SZ")
    stamps.extend((segment["subheader"]["DESSHDT"], moment) for segment in headers["DataExtensionSegments"])
    for place, text in stamps:
        out.seek(place.get_offset())
        out.write(text.encode("ascii"))
    file.write(out.getbuffer())


def _filter(name: str, operation: str) -> dict[str, Any]:
    return {
        "FilterName": name,
        "FilterKernel": {"Predefined": {"DatabaseName": name}},
        "Operation": operation,
    }


def _classification(image: DetectedImage) -> dict[str, str]:
    """IC-ISM attributes of the label; of an unmarked product, that it is unclassified."""
    label = image.marking.label
    if label is None:
        word = image.marking.classification.split(" (")[0]
        mark = ENGLISH_MARKS.get(word)
        if mark is None:
            # INVARIANT: what cannot be said is not said to be unclassified.
            raise InputError(
                Message("the classification {got} has no place in IC-ISM", {"got": repr(word)[:100]}),
                hint=Message("known are: {names}", {"names": ", ".join(ENGLISH_MARKS)}),
                field="classification",
            )
        attributes = {"classification": mark, "ownerProducer": "USA"}
    else:
        letter = image.marking.security.classification
        marks = {label.classification: {"T": "TS"}.get(letter, letter)}
        attributes = ism_attributes_of(label, marks=marks)
    attributes = {**attributes, **_ISM_VERSIONS}
    attributes.setdefault("createDate", image.produced.date().isoformat())
    attributes.setdefault("resourceElement", "true")
    attributes.setdefault("compliesWith", "OtherAuthority")
    return attributes


def _metadata(image: DetectedImage) -> lxml.etree._ElementTree:
    rows, cols = image.levels.shape
    corners = [(0, 0), (0, cols - 1), (rows - 1, cols - 1), (rows - 1, 0)]
    root = lxml.etree.fromstring(f'<SIDD xmlns="{_NAMESPACE}" xmlns:ism="{_ISM}"/>')
    sidd = _sarkit.ElementWrapper(root)
    classification = lxml.etree.SubElement(root, f"{{{_NAMESPACE}}}Classification")
    for name, text in _classification(image).items():
        classification.set(f"{{{_ISM}}}{name}", text)
    sidd["ProductCreation"] = {
        "ProcessorInformation": {"Application": "kizuna", "ProcessingDateTime": image.produced, "Site": "kizuna"},
        "Classification": classification,
        "ProductName": image.name,
        "ProductClass": image.product_class,
        "ProductType": "SAR",
        **({"ProductCreationExtension": list(image.notes)} if image.notes else {}),
    }
    sidd["Display"] = {
        "PixelType": _PIXELS[image.levels.dtype],
        "NumBands": 1,
        "NonInteractiveProcessing": [
            {
                "@band": "1",
                "ProductGenerationOptions": {
                    "DataRemapping": {"LUTName": image.remap, "Predefined": {"DatabaseName": image.remap}}
                },
                "RRDS": {"DownsamplingMethod": "DECIMATE"},
            }
        ],
        "InteractiveProcessing": [
            {
                "@band": "1",
                "GeometricTransform": {
                    "Scaling": {
                        "AntiAlias": _filter("BILINEAR", "CONVOLUTION"),
                        "Interpolation": _filter("BILINEAR", "CORRELATION"),
                    },
                    "Orientation": {"ShadowDirection": "DOWN"},
                },
                "SharpnessEnhancement": {"ModularTransferFunctionCompensation": _filter("NEAREST NEIGHBOR", "CONVOLUTION")},
                "DynamicRangeAdjustment": {"AlgorithmType": "NONE", "BandStatsSource": 1},
            }
        ],
    }
    sidd["GeoData"] = {"EarthModel": "WGS_84", "ImageCorners": np.zeros((4, 2)), "ValidData": np.zeros((4, 2))}
    sidd["Measurement"] = {
        "PlaneProjection": {
            "ReferencePoint": {"ECEF": image.reference_ecef_m, "Point": image.reference_pixel},
            "SampleSpacing": image.spacing_m,
            "TimeCOAPoly": np.array([[image.seen_s]]),
            "ProductPlane": {"RowUnitVector": image.row_ecef, "ColUnitVector": image.col_ecef},
        },
        "PixelFootprint": (rows, cols),
        "ARPPoly": image.path,
        "ValidData": corners,
    }
    tree = root.getroottree()
    latitude, longitude, _ = ecef_to_geodetic(_calculations.pixel_to_ecef(tree, corners))
    places = np.degrees(np.stack([latitude, longitude], axis=-1))
    sidd["GeoData"]["ImageCorners"] = places
    sidd["GeoData"]["ValidData"] = places
    sidd["ExploitationFeatures"] = _features(image)
    return tree


def _features(image: DetectedImage) -> dict[str, Any]:
    at = np.polynomial.polynomial.polyval(image.seen_s, image.path)
    speed = np.polynomial.polynomial.polyval(image.seen_s, np.polynomial.polynomial.polyder(image.path))
    angles = _calculations.compute_angles(image.reference_ecef_m, at, speed, image.row_ecef, image.col_ecef)
    sent, heard = (_CODES.get(letter, "OTHER") for letter in image.polarisation)
    mode = {"ModeType": image.mode.value} | ({"ModeID": image.mode_name} if image.mode_name else {})

    def turn(degrees: float) -> float:
        return float(degrees) % 360.0

    return {
        "Collection": [
            {
                "@identifier": image.name,
                "Information": {
                    "SensorName": image.sensor,
                    "RadarMode": mode,
                    "CollectionDateTime": image.start,
                    "CollectionDuration": image.duration_s,
                    "Resolution": image.resolution_m,
                    "Polarization": [{"TxPolarization": sent, "RcvPolarization": heard}],
                },
                "Geometry": {
                    "Azimuth": turn(angles.Azimuth),
                    "Slope": float(angles.Slope),
                    "Squint": float(angles.Squint),
                    "Graze": float(angles.Graze),
                    "Tilt": float(angles.Tilt),
                    "DopplerConeAngle": float(angles.DopplerCone),
                },
                "Phenomenology": {
                    "Shadow": (turn(angles.Shadow), float(angles.ShadowMagnitude)),
                    "Layover": (turn(angles.Layover), float(angles.LayoverMagnitude)),
                    "MultiPath": turn(angles.MultiPath),
                    "GroundTrack": turn(angles.GroundTrack),
                },
            }
        ],
        "Product": [
            {
                "Resolution": image.resolution_m,
                "Ellipticity": max(image.resolution_m) / min(image.resolution_m),
                "Polarization": [{"TxPolarizationProc": sent, "RcvPolarizationProc": heard}],
                "North": turn(angles.North),
            }
        ],
    }
