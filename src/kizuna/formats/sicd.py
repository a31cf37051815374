"""SICD (NGA.STND.0024): write a formed image, read others'. sarkit handles the bytes; this module says what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.sicd
from sarkit.verification import SicdConsistency

from kizuna.earth.wgs84 import ecef_to_geodetic, geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.nitf import check_length, require_room_for_pixels
from kizuna.formats.nitf_security import NitfSecurity, security_texts
from kizuna.formats.sicd_metadata import SicdDescription, sicd_metadata
from kizuna.model.instants import Instant, Interval, instant_of

if TYPE_CHECKING:
    from datetime import datetime

    from kizuna.sar.image import FormedImage

__all__ = [
    "NitfDescription",
    "SicdDescription",
    "SicdSummary",
    "consistency_findings",
    "ground_points",
    "read_metadata",
    "read_pixels",
    "read_summary",
    "write_sicd",
    "write_sicd_file",
]

type Floats = npt.NDArray[np.float64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd

_NITF_CLASSES = {"TOP SECRET": "T", "SECRET": "S", "CONFIDENTIAL": "C", "RESTRICTED": "R", "UNCLASSIFIED": "U"}


@dataclass(frozen=True, slots=True)
class SicdSummary:
    """What a catalogue wants to know of a SICD file.

    Parameters
    ----------
    footprint_lonlat_deg
        Corners (longitude, latitude) in degrees, counter-clockwise, first point not repeated.
    collected
        When it was observed.
    produced
        When the image was formed, if the file says so.
    sensor, core_name, classification, polarisation, version
        As the file says: collector name, collection id, classification text, such as ``"HH"``, SICD version.
    resolution_m
        Coarser of the two impulse response widths on the ground, metres.
    shape
        Rows, columns.
    nominal_position
        Whether the file itself says that its place is nominal.
    notes
        CollectionInfo parameters, ``"name: value"``.
    """

    footprint_lonlat_deg: tuple[tuple[float, float], ...]
    collected: Interval
    produced: Instant | None
    sensor: str
    core_name: str
    classification: str
    polarisation: str
    version: str
    resolution_m: float
    shape: tuple[int, int]
    nominal_position: bool
    notes: tuple[str, ...]


def write_sicd(file: BinaryIO, image: FormedImage, description: SicdDescription) -> None:
    """Write a formed image as a SICD NITF.

    Parameters
    ----------
    file
        Open binary file, writable and seekable, at its start.
    image
        Image at baseband.
    description
        What the data do not say.

    Raises
    ------
    InputError
        A classification that NITF has no letter for, data without times and no nominal speed, or another version.
    """
    marking = description.marking
    write_sicd_file(
        file,
        sicd_metadata(image, description),
        image.pixels,
        NitfDescription(
            description.core_name,
            description.classification,
            description.collector,
            description.produced,
            description.originator,
            security=None if marking is None else marking.security,
        ),
    )


@dataclass(frozen=True, slots=True)
class NitfDescription:
    """What the headers of a SICD file say.

    Parameters
    ----------
    core_name
        Identifier of the collection.
    classification
        Classification text; without `security` it must start with one of the five words that NITF has a letter for.
    collector
        Name of the sensor.
    produced
        Instant written as the file's date.
    originator
        NITF originating station and responsible party.
    security
        Security group of all headers; None: no more than the letter of `classification`.
    """

    core_name: str
    classification: str
    collector: str
    produced: Instant
    originator: str = "kizuna"
    security: NitfSecurity | None = None


def write_sicd_file(
    file: BinaryIO, tree: lxml.etree._ElementTree, pixels: npt.NDArray[np.complex64], description: NitfDescription
) -> None:
    """Write complex pixels and their metadata as a SICD NITF; the same of both give the same bytes.

    Parameters
    ----------
    file
        Open binary file, writable and seekable, at its start.
    tree
        SICD metadata.
    pixels
        Shape (rows, cols).
    description
        What the headers say.

    Raises
    ------
    InputError
        A classification that NITF has no letter for.
    """
    security = _security(description)
    metadata = _sarkit.NitfMetadata(
        xmltree=tree,
        file_header_part=_sarkit.NitfFileHeaderPart(
            ostaid=description.originator[:10], ftitle=f"SICD: {description.core_name}"[:80], security=security
        ),
        im_subheader_part=_sarkit.NitfImSubheaderPart(
            iid2=description.core_name[:80], isorce=description.collector[:42], security=security
        ),
        de_subheader_part=_sarkit.NitfDeSubheaderPart(security=security, desshrp=description.originator[:40]),
    )
    headers = _sarkit.jbp_from_nitf_metadata(metadata)
    _sarkit.NitfWriter(file, metadata, headers)
    # sarkit's own write_image needs a file descriptor; this room is handed any binary file.
    first = 0
    for segment in headers["ImageSegments"]:
        last = first + segment["subheader"]["NROWS"].value
        file.seek(segment["Data"].get_offset())
        file.write(np.ascontiguousarray(pixels[first:last], ">c8").data)
        first = last
    # sarkit writes the wall clock into both; the same image must give the same bytes.
    produced = description.produced.astimezone(UTC)
    for field, text in (
        (headers["FileHeader"]["FDT"], produced.strftime("%Y%m%d%H%M%S")),
        (headers["DataExtensionSegments"][0]["subheader"]["DESSHDT"], produced.strftime("%Y-%m-%dT%H:%M:%SZ")),
    ):
        file.seek(field.get_offset())
        file.write(text.encode("ascii"))


def _security(description: NitfDescription) -> Any:  # noqa: ANN401 # sarkit's security fields, untyped
    group = description.security
    if group is not None:
        return _sarkit.NitfSecurityFields(**{tag.lower(): text for tag, text in security_texts(group).items()})
    clas = next((c for word, c in _NITF_CLASSES.items() if description.classification.upper().startswith(word)), None)
    if clas is None:
        raise _no_letter(description.classification)
    return _sarkit.NitfSecurityFields(clas=clas)


def _no_letter(classification: str) -> InputError:
    return InputError(
        Message(
            "classification {got} has no NITF letter; expected one of {expected}",
            {"got": classification, "expected": ", ".join(_NITF_CLASSES)},
        ),
        hint=Message("Start the classification with one of these words."),
        field="classification",
    )


def _open(file: BinaryIO) -> Any:  # noqa: ANN401 # sarkit's reader, untyped
    check_length(file)
    try:
        return _sarkit.NitfReader(file)
    except Exception as error:  # jbpy, lxml and sarkit raise a dozen unrelated kinds on damaged headers
        # sarkit's own words for the commonest case hold the open file's path, which is nobody else's business.
        reason = "its first data extension is not SICD XML" if "SICD DES" in str(error) else str(error) or type(error).__name__
        raise InputError(
            Message("the NITF file holds no readable SICD: {reason}", {"reason": reason}),
            hint=Message("Check that it is a SICD (a complex image), not a SIDD or another NITF, and fetch it again."),
            field="file",
        ) from error


def ground_points(file: BinaryIO, *, points: int = 11) -> tuple[Floats, Floats, Floats, Floats]:
    """Where an even net of a SICD's pixels lies on the ground, at the height of the scene's centre.

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
        Not a SICD, or metadata that cannot be projected.

    Notes
    -----
    R/Rdot contours met with the surface of constant height (SICD volume 3, section 9), by sarkit.
    """
    tree = _open(file).metadata.xmltree
    try:
        helper = _sarkit.XmlHelper(tree)
        first = np.array([helper.load("./{*}ImageData/{*}FirstRow"), helper.load("./{*}ImageData/{*}FirstCol")])
        shape = np.array([helper.load("./{*}ImageData/{*}NumRows"), helper.load("./{*}ImageData/{*}NumCols")])
        net = np.stack(
            np.meshgrid(np.linspace(0, shape[0] - 1, points), np.linspace(0, shape[1] - 1, points), indexing="ij"), axis=-1
        ).reshape(-1, 2)
        height = float(helper.load("./{*}GeoData/{*}SCP/{*}LLH")[2])
        located, _, reached = _sarkit.image_to_constant_hae_surface(tree, _sarkit.rowcol_to_xrowycol(tree, net + first), height)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise _unreadable(error) from error
    if not (np.all(reached) and np.isfinite(located).all()):
        raise InputError(
            Message("the SICD file's geometry does not meet the ground everywhere"),
            hint=Message("Run sicdcheck on it; its Position or Grid metadata are wrong."),
            field="Grid",
        )
    latitude, longitude, _ = ecef_to_geodetic(located)
    return net[:, 0], net[:, 1], np.degrees(latitude), np.degrees(longitude)


def read_pixels(file: BinaryIO, *, window: tuple[int, int, int, int] | None = None) -> npt.NDArray[np.complex64]:
    """Complex pixels of a SICD file.

    Parameters
    ----------
    file
        Open, seekable binary file.
    window
        First row and column, rows and columns of what is read; None for all.

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        Pixels as they are stored; 16-bit integers are widened, amplitude and phase turned into complex numbers.

    Raises
    ------
    InputError
        Not a SICD, or a damaged one.
    """
    reader = _open(file)
    require_room_for_pixels(file, read_summary(file).shape, 2)
    try:
        top, left, rows, cols = window or (0, 0, *read_summary(file).shape)
        stored = reader.read_sub_image(top, left, top + rows, left + cols)[0]
    except Exception as error:
        raise _unreadable(error) from error
    if stored.dtype.names is None:
        return np.asarray(stored, np.complex64)
    first, second = (stored[name].astype(np.float32) for name in stored.dtype.names)
    if stored.dtype.names[0] == "amp":
        table = reader.metadata.xmltree.findall("{*}ImageData/{*}AmpTable/{*}Amplitude")
        if table:
            levels = np.zeros(256, np.float32)
            for entry in table:
                levels[int(entry.get("index", "0"))] = float(entry.text or "nan")
            first = levels[stored["amp"]]
        phase = second * np.float32(2.0 * math.pi / 256.0)
        return np.asarray(first * np.exp(1j * phase), np.complex64)
    return np.asarray(first + 1j * second, np.complex64)


def consistency_findings(file: BinaryIO) -> tuple[str, ...]:
    """What sarkit's SICD consistency checker finds, errors and warnings alike; empty for a clean file.

    Raises
    ------
    InputError
        Not a SICD.
    """
    _open(file)
    file.seek(0)
    try:
        checker: Any = SicdConsistency.from_file(file)
        checker.check()
    except Exception as error:  # a checker that stumbles has found something, but cannot say what
        raise _unreadable(error) from error
    return tuple(
        f"{check}: {detail['details']}"
        for check, result in checker.failures().items()
        for detail in result["details"]
        if not detail["passed"]
    )


def _unreadable(error: Exception) -> InputError:
    return InputError(
        Message("the SICD file cannot be read: {reason}", {"reason": str(error) or type(error).__name__}),
        hint=Message("Run sicdcheck on it, and fetch it again."),
        field="file",
    )


def read_metadata(file: BinaryIO) -> lxml.etree._ElementTree:
    """XML metadata of a SICD file.

    Raises
    ------
    InputError
        Not a SICD.
    """
    tree: lxml.etree._ElementTree = _open(file).metadata.xmltree
    return tree


def read_summary(file: BinaryIO) -> SicdSummary:
    """What a catalogue wants to know of a SICD file of any version from 1.0 to 1.5.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Returns
    -------
    SicdSummary
        Place, time, sensor, resolution, classification.

    Raises
    ------
    InputError
        Not a SICD, or one whose metadata lack what every SICD must have.
    """
    tree = _open(file).metadata.xmltree
    try:
        return _summarised(tree)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise _unreadable(error) from error


def _summarised(tree: lxml.etree._ElementTree) -> SicdSummary:
    helper = _sarkit.XmlHelper(tree)

    def text(path: str) -> str:
        return (tree.findtext(path) or "").strip()

    corners = helper.load("./{*}GeoData/{*}ImageCorners")  # clockwise on the image: first row first column, ...
    ring = [(float(longitude), float(latitude)) for latitude, longitude in corners]
    if _signed_area(ring) < 0.0:
        ring.reverse()
    start = _utc(helper.load("./{*}Timeline/{*}CollectStart"))
    created = helper.load("./{*}ImageCreation/{*}DateTime")
    duration = timedelta(seconds=float(helper.load("./{*}Timeline/{*}CollectDuration")))
    parameters = tree.findall("./{*}CollectionInfo/{*}Parameter")
    return SicdSummary(
        footprint_lonlat_deg=tuple(ring),
        collected=Interval(start, instant_of(start + duration)),
        produced=None if created is None else _utc(created),
        sensor=text("./{*}CollectionInfo/{*}CollectorName"),
        core_name=text("./{*}CollectionInfo/{*}CoreName"),
        classification=text("./{*}CollectionInfo/{*}Classification"),
        polarisation=text("./{*}ImageFormation/{*}TxRcvPolarizationProc").replace(":", ""),
        version=lxml.etree.QName(tree.getroot()).namespace.removeprefix("urn:SICD:"),
        resolution_m=_ground_resolution_m(helper),
        shape=(int(helper.load("./{*}ImageData/{*}NumRows")), int(helper.load("./{*}ImageData/{*}NumCols"))),
        nominal_position=any(parameter.get("name") == "NominalPosition" for parameter in parameters),
        notes=tuple(f"{parameter.get('name')}: {(parameter.text or '').strip()}" for parameter in parameters),
    )


def _utc(moment: datetime) -> Instant:
    """Instant of a SICD time, which is UTC whether or not it says so (volume 1, section 2.1)."""
    return instant_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _signed_area(ring: list[tuple[float, float]]) -> float:
    """Twice the area that a ring encloses; positive counter-clockwise."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True))


def _ground_resolution_m(helper: Any) -> float:  # noqa: ANN401 # sarkit's XML helper, untyped
    """Coarser of the impulse response widths, each stretched onto the ground plane at the scene's centre, metres."""
    latitude, longitude, _ = helper.load("./{*}GeoData/{*}SCP/{*}LLH")
    up = geodetic_to_ecef(math.radians(latitude), math.radians(longitude), 1.0) - geodetic_to_ecef(
        math.radians(latitude), math.radians(longitude), 0.0
    )
    widths = []
    for axis in ("Row", "Col"):
        vector = helper.load(f"./{{*}}Grid/{{*}}{axis}/{{*}}UVectECF")
        on_ground = math.sqrt(max(1.0 - float(vector @ up) ** 2, 1e-6))
        widths.append(float(helper.load(f"./{{*}}Grid/{{*}}{axis}/{{*}}ImpRespWid")) / on_ground)
    return max(widths)
