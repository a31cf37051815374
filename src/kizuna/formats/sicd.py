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
from kizuna.model.instants import Instant, Interval, instant_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.image import spatial_support
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC

if TYPE_CHECKING:
    from datetime import datetime

    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.image import FormedImage

__all__ = [
    "SicdDescription",
    "SicdSummary",
    "consistency_findings",
    "ground_points",
    "read_metadata",
    "read_pixels",
    "read_summary",
    "write_sicd",
]

type Floats = npt.NDArray[np.float64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd

_NAMESPACE = "urn:SICD:1.4.0"
_ARP_DEGREE = 5
_NITF_CLASSES = {"TOP SECRET": "T", "SECRET": "S", "CONFIDENTIAL": "C", "RESTRICTED": "R", "UNCLASSIFIED": "U"}
_EDGE_POINTS = 11


@dataclass(frozen=True, slots=True)
class SicdDescription:
    """What a SICD says that no pixel and no pulse can tell.

    Parameters
    ----------
    core_name
        Identifier of the collection.
    classification
        Classification text; it must start with one of the five words that NITF has a letter for.
    collect_start
        Instant of the first pulse.
    collect_start_nominal
        Whether that instant was assigned, not recorded.
    platform_speed_m_s
        Nominal speed that turns the antenna's path into pulse times, for data that carry positions and no times.
    produced
        Instant written as the file's date.
    collector
        Name of the sensor.
    originator
        NITF originating station and responsible party.
    """

    core_name: str
    classification: str
    collect_start: Instant
    collect_start_nominal: bool
    platform_speed_m_s: float
    produced: Instant
    collector: str = "AFRL airborne X-band"
    originator: str = "kizuna"


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
    """Write a formed image as a SICD 1.4.0 NITF.

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
        A classification that NITF has no letter for, or a speed that is not positive.

    Notes
    -----
    Grid type PLANE on the ground plane; Row.Sgn = -1, since the image's phase grows with range. DeltaKCOAPoly is fitted to the
    true spatial frequency over the image, so the support is right at its edges too. ARPPoly is a polynomial of degree 5 fitted
    to the antenna positions; pulse times come from path length over the nominal speed, and the parameters say so.
    """
    clas = next((c for word, c in _NITF_CLASSES.items() if description.classification.upper().startswith(word)), None)
    if clas is None:
        raise InputError(
            Message(
                "classification {got} has no NITF letter; expected one of {expected}",
                {"got": description.classification, "expected": ", ".join(_NITF_CLASSES)},
            ),
            hint=Message("Start the classification with one of these words."),
            field="classification",
        )
    if not description.platform_speed_m_s > 0.0:
        raise InputError(
            Message("platform speed {got} m/s is not positive", {"got": description.platform_speed_m_s}),
            hint=Message("Give the nominal speed of the platform in metres a second."),
            field="platform_speed_m_s",
        )
    tree = _metadata(image, description)
    security = _sarkit.NitfSecurityFields(clas=clas)
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
        file.write(np.ascontiguousarray(image.pixels[first:last], ">c8").data)
        first = last
    # sarkit writes the wall clock into both; the same image must give the same bytes.
    produced = description.produced.astimezone(UTC)
    for field, text in (
        (headers["FileHeader"]["FDT"], produced.strftime("%Y%m%d%H%M%S")),
        (headers["DataExtensionSegments"][0]["subheader"]["DESSHDT"], produced.strftime("%Y-%m-%dT%H:%M:%SZ")),
    ):
        file.seek(field.get_offset())
        file.write(text.encode("ascii"))


def _pulse_times(history: PhaseHistory, speed_m_s: float) -> Floats:
    steps = np.linalg.norm(np.diff(history.positions_m, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]) / speed_m_s


def _corner_offsets(image: FormedImage) -> Floats:
    """Row and column offsets (m) of the corners: first row first column, clockwise on the image as SICD numbers them."""
    rows, cols = image.grid.row_offsets_m(), image.grid.col_offsets_m()
    return np.array([[rows[0], cols[0]], [rows[0], cols[-1]], [rows[-1], cols[-1]], [rows[-1], cols[0]]])


def _support_polynomials(image: FormedImage) -> tuple[Floats, Floats]:
    """DeltaKCOAPoly of rows and columns: second-degree fits, (3, 3), of the true spatial frequency less its centre, cycles/m."""
    grid, history = image.grid, image.history
    x, y = np.meshgrid(
        np.linspace(grid.row_offsets_m()[0], grid.row_offsets_m()[-1], _EDGE_POINTS),
        np.linspace(grid.col_offsets_m()[0], grid.col_offsets_m()[-1], _EDGE_POINTS),
        indexing="ij",
    )
    points = grid.origin_m + x[..., None] * grid.row_direction + y[..., None] * grid.col_direction
    away = points - history.centre_position_m
    wavenumber = 2.0 * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S
    away *= wavenumber / np.linalg.norm(away, axis=-1, keepdims=True)
    centre = spatial_support(history, grid).centre
    design = np.polynomial.polynomial.polyvander2d(x.ravel(), y.ravel(), [2, 2])
    fits = []
    for direction, middle in zip((grid.row_direction, grid.col_direction), centre, strict=True):
        coefficients = np.linalg.lstsq(design, (away @ direction - middle).ravel())[0].reshape(3, 3)
        coefficients[0, 0] = 0.0  # by construction of the centre; the fit leaves 1e-6
        fits.append(coefficients)
    return fits[0], fits[1]


def _direction(image: FormedImage, axis: str, poly: Floats) -> dict[str, Any]:
    grid = image.grid
    support = spatial_support(image.history, grid)
    k = 0 if axis == "Row" else 1
    spacing = (grid.row_spacing_m, grid.col_spacing_m)[k]
    corners = _corner_offsets(image)
    shifts = np.polynomial.polynomial.polyval2d(corners[:, 0], corners[:, 1], poly)
    low, high = float(shifts.min()) - support.bandwidth[k] / 2.0, float(shifts.max()) + support.bandwidth[k] / 2.0
    if low < -0.5 / spacing or high > 0.5 / spacing:  # the support wraps: SICD volume 1, DeltaK1 and DeltaK2
        low, high = -0.5 / spacing, 0.5 / spacing
    return {
        "UVectECF": image.scene.direction_to_ecef((grid.row_direction, grid.col_direction)[k]),
        "SS": spacing,
        "ImpRespWid": HALF_POWER_WIDTH_OF_SINC / support.bandwidth[k],
        "Sgn": -1,
        "ImpRespBW": support.bandwidth[k],
        "KCtr": support.centre[k],
        "DeltaK1": low,
        "DeltaK2": high,
        "DeltaKCOAPoly": poly,
        "WgtType": {"WindowName": "UNIFORM"},
    }


def _metadata(image: FormedImage, description: SicdDescription) -> lxml.etree._ElementTree:
    history, grid, scene = image.history, image.grid, image.scene
    times = _pulse_times(history, description.platform_speed_m_s)
    duration = float(times[-1])
    middle = 0.5 * duration
    arp = np.polynomial.polynomial.polyfit(times, scene.to_ecef(history.positions_m), _ARP_DEGREE)
    offsets = _corner_offsets(image)
    corners = grid.origin_m + offsets[:, :1] * grid.row_direction + offsets[:, 1:] * grid.col_direction
    latitude, longitude, _ = scene.to_geodetic(corners)
    corners_deg = np.degrees(np.stack([latitude, longitude], axis=-1))
    scp_latitude, scp_longitude, scp_height = scene.to_geodetic(grid.origin_m)
    polarisation = ":".join(history.polarisation)
    low_hz = history.centre_frequency_hz - history.bandwidth_hz / 2.0
    high_hz = history.centre_frequency_hz + history.bandwidth_hz / 2.0
    row_poly, col_poly = _support_polynomials(image)
    edges = [(0, 0), (0, grid.cols - 1), (grid.rows - 1, grid.cols - 1), (grid.rows - 1, 0)]
    parameters = [
        ("PulseTimes", f"nominal: path length over {description.platform_speed_m_s:g} m/s; the source data carry no times"),
    ]
    if image.nominal:
        parameters.insert(0, ("NominalPosition", "yes: the public data carries no map position"))
    if description.collect_start_nominal:
        parameters.append(("NominalCollectStart", "yes: the source data carry no date"))

    root = lxml.etree.fromstring(f'<SICD xmlns="{_NAMESPACE}"/>')
    sicd = _sarkit.ElementWrapper(root)
    sicd["CollectionInfo"] = {
        "CollectorName": description.collector,
        "CoreName": description.core_name,
        "CollectType": "MONOSTATIC",
        "RadarMode": {"ModeType": "SPOTLIGHT"},
        "Classification": description.classification,
        "Parameter": parameters,
    }
    sicd["ImageCreation"] = {"Application": "kizuna", "DateTime": description.produced}
    sicd["ImageData"] = {
        "PixelType": "RE32F_IM32F",
        "NumRows": grid.rows,
        "NumCols": grid.cols,
        "FirstRow": 0,
        "FirstCol": 0,
        "FullImage": {"NumRows": grid.rows, "NumCols": grid.cols},
        "SCPPixel": (grid.centre_row, grid.centre_col),
        "ValidData": edges,
    }
    sicd["GeoData"] = {
        "EarthModel": "WGS_84",
        "SCP": {
            "ECF": scene.to_ecef(grid.origin_m),
            "LLH": (math.degrees(float(scp_latitude)), math.degrees(float(scp_longitude)), float(scp_height)),
        },
        "ImageCorners": corners_deg,
        "ValidData": corners_deg,
    }
    sicd["Grid"] = {
        "ImagePlane": "GROUND",
        "Type": "PLANE",
        "TimeCOAPoly": np.array([[middle]]),
        "Row": _direction(image, "Row", row_poly),
        "Col": _direction(image, "Col", col_poly),
    }
    sicd["Timeline"] = {"CollectStart": description.collect_start, "CollectDuration": duration}
    sicd["Position"] = {"ARPPoly": arp}
    sicd["RadarCollection"] = {
        "TxFrequency": {"Min": low_hz, "Max": high_hz},
        "TxPolarization": history.polarisation[0],
        "RcvChannels": {"@size": "1", "ChanParameters": [{"@index": "1", "TxRcvPolarization": polarisation}]},
    }
    sicd["ImageFormation"] = {
        "RcvChanProc": {"NumChanProc": 1, "ChanIndex": [1]},
        "TxRcvPolarizationProc": polarisation,
        "TStartProc": 0.0,
        "TEndProc": duration,
        "TxFrequencyProc": {"MinProc": low_hz, "MaxProc": high_hz},
        "ImageFormAlgo": "OTHER",
        "STBeamComp": "NO",
        "ImageBeamComp": "NO",
        "AzAutofocus": "NO",
        "RgAutofocus": "NO",
        "Processing": [{"Type": "time-domain backprojection", "Applied": True}],
    }
    tree = root.getroottree()
    # The schema wants SCPCOA between ImageFormation and what follows it; nothing follows here.
    root.append(_sarkit.compute_scp_coa(tree))
    return tree


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


def read_pixels(file: BinaryIO) -> npt.NDArray[np.complex64]:
    """Complex pixels of a SICD file.

    Parameters
    ----------
    file
        Open, seekable binary file.

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
        stored = reader.read_image()
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
