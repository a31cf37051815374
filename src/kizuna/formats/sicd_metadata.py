"""What a SICD (NGA.STND.0024) says of an image that kizuna formed: place, grid, timeline, radar, radiometry, errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.sicd

from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.cphd_write import error_statistics
from kizuna.formats.marking import UNCLASSIFIED, Marking
from kizuna.formats.sicd_polar import polar_block
from kizuna.sar.collection import Collection, ErrorStatistics, Mode, Radiometry, Waveform, track_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.image import spatial_support
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC
from kizuna.sar.windows import WindowKind

if TYPE_CHECKING:
    from kizuna.earth.scene import LocalScene
    from kizuna.model.instants import Instant
    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.image import FormedImage
    from kizuna.sar.strip_grid import StripGrid
    from kizuna.sar.windows import Window

__all__ = [
    "SICD_VERSIONS",
    "UNIFORM",
    "Plane",
    "SicdDescription",
    "Weighting",
    "collection_info",
    "composite_errors",
    "describe_collection",
    "ecef_path",
    "image_data",
    "image_formation",
    "plane_of",
    "pulse_sequence",
    "radar_collection",
    "sicd_metadata",
    "timed",
    "weighting_of",
]

type Floats = npt.NDArray[np.float64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd

SICD_VERSIONS = {"1.3.0": "urn:SICD:1.3.0", "1.4.0": "urn:SICD:1.4.0", "1.5": "urn:SICD:1.5"}
"""Versions that are written, and their namespaces."""

_EDGE_POINTS = 11
_PULSE_TIMES = "PulseTimes"
_CODES = {"H": "H", "V": "V", "R": "RHC", "L": "LHC"}
# Normals this near to one another stand for one plane.
_SAME_PLANE = math.cos(math.radians(0.5))


class Plane(StrEnum):
    """Plane that an image lies on, in SICD's words."""

    SLANT = "SLANT"
    GROUND = "GROUND"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Weighting:
    """Weights that were laid over the band (rows) or the aperture (columns).

    Parameters
    ----------
    name
        As SICD has it: ``UNIFORM``, ``TAYLOR``, ``HAMMING``, ...
    weights
        Evenly over the band, shape (n,), 512 by the standard's advice; empty for uniform.
    parameters
        Names and values of what the window takes.
    """

    name: str = "UNIFORM"
    weights: tuple[float, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()

    def half_power_width(self) -> float:
        """Half-power width of the impulse response times the bandwidth; 0.886 for uniform weights."""
        return HALF_POWER_WIDTH_OF_SINC if not self.weights else _half_power_width(np.asarray(self.weights))

    def noise_gain(self) -> float:
        """Mean square of the weights over the square of their mean: how much more noise a pixel holds than with uniform ones."""
        weights = np.asarray(self.weights or (1.0,))
        return float(np.mean(weights**2) / np.mean(weights) ** 2)


UNIFORM = Weighting()


def weighting_of(window: Window) -> Weighting:
    """What a SICD says of a window."""
    if window.kind is WindowKind.UNIFORM:
        return UNIFORM
    return Weighting(window.kind.upper(), tuple(map(float, window.weights())), window.parameters)


@dataclass(frozen=True, slots=True)
class SicdDescription:
    """What a SICD says that no pixel and no pulse can tell.

    Parameters
    ----------
    core_name
        Identifier of the collection.
    collect_start
        Instant that the history's times count from; of the first pulse where it has none.
    produced
        Instant written as the file's date.
    classification
        Classification text; without `marking` it must start with one of the five words that NITF has a letter for.
    collect_start_nominal
        Whether the start was assigned, not recorded.
    platform_speed_m_s
        Nominal speed that turns the antenna's path into pulse times, for data that carry positions and no times.
    collector
        Name of the sensor.
    originator
        NITF originating station and responsible party.
    marking
        What the product's label says, for all security fields; None: no more than `classification`.
    mode, mode_name
        How the beam was steered; what the operator calls it.
    method
        How the image was formed, in words.
    polar_plane
        Whether its pixels lie on polar format's own plane (`kizuna.sar.polar.polar_plane`), not where the grid says.
    row_weighting, col_weighting
        Over the band and over the aperture.
    autofocused
        Whether an autofocus solution was applied.
    waveform, radiometry, errors
        None where they are not known.
    notes
        Further parameters, names and sentences.
    version
        Of SICD, one of `SICD_VERSIONS`.
    """

    core_name: str
    collect_start: Instant
    produced: Instant
    classification: str = "UNCLASSIFIED"
    collect_start_nominal: bool = False
    platform_speed_m_s: float | None = None
    collector: str = "AFRL airborne X-band"
    originator: str = "kizuna"
    marking: Marking | None = None
    mode: Mode = Mode.SPOTLIGHT
    mode_name: str = ""
    method: str = "time-domain backprojection"
    polar_plane: bool = False
    row_weighting: Weighting = UNIFORM
    col_weighting: Weighting = UNIFORM
    autofocused: bool = False
    waveform: Waveform | None = None
    radiometry: Radiometry | None = None
    errors: ErrorStatistics | None = None
    notes: tuple[tuple[str, str], ...] = ()
    version: str = "1.4.0"


def describe_collection(collection: Collection, *, produced: Instant, marking: Marking = UNCLASSIFIED) -> SicdDescription:
    """Description of an image formed from a collection; method and weightings are the caller's to replace."""
    return SicdDescription(
        core_name=collection.name,
        collect_start=collection.start,
        produced=produced,
        classification=marking.classification,
        collector=collection.sensor,
        marking=marking,
        mode=collection.mode,
        mode_name=collection.mode_name,
        waveform=collection.waveform,
        radiometry=collection.radiometry,
        errors=collection.errors,
        notes=collection.notes,
    )


def _half_power_width(weights: Floats) -> float:
    # The transform of the weights at non-integer bins, near its peak: fine enough to interpolate the half-power crossing.
    offsets = np.linspace(0.0, 4.0, 4001)
    positions = (np.arange(len(weights)) - 0.5 * (len(weights) - 1)) / len(weights)
    response = np.abs(np.exp(-2j * math.pi * np.outer(offsets, positions)) @ weights) / abs(weights.sum())
    beyond = int(np.argmax(response < math.sqrt(0.5)))
    above, below = float(response[beyond - 1]), float(response[beyond])
    return 2.0 * float(offsets[beyond - 1] + (above - math.sqrt(0.5)) / (above - below) * (offsets[1] - offsets[0]))


def plane_of(image: FormedImage) -> Plane:
    """Plane of an image: of the ground, of the slant range, or another."""
    normal = image.grid.normal
    if abs(float(normal[2])) > _SAME_PLANE:
        return Plane.GROUND
    return Plane.SLANT if abs(float(normal @ _slant_normal(image))) > _SAME_PLANE else Plane.OTHER


def _slant_normal(image: FormedImage) -> Floats:
    """Unit normal of the plane of the line of sight and the antenna's path at the middle of the aperture, scene frame."""
    history = image.history
    half = history.pulses // 2
    along = history.positions_m[min(half + 1, history.pulses - 1)] - history.positions_m[max(half - 1, 0)]
    normal = np.cross(along, history.centre_position_m - image.grid.origin_m)
    return np.asarray(normal / np.linalg.norm(normal), np.float64)


def timed(image: FormedImage, speed_m_s: float | None) -> FormedImage:
    """The image with times in its history: its own, or path length over a nominal speed.

    Raises
    ------
    InputError
        It has none, and no speed was given.
    """
    history = image.history
    if history.times_s is not None:
        return image
    if speed_m_s is None or not speed_m_s > 0.0:
        raise InputError(
            Message("platform speed {got} m/s is not positive", {"got": speed_m_s if speed_m_s is not None else "none"}),
            hint=Message("Give the nominal speed of the platform in metres a second."),
            field="platform_speed_m_s",
        )
    steps = np.linalg.norm(np.diff(history.positions_m, axis=0), axis=1)
    times = np.concatenate([[0.0], np.cumsum(steps)]) / speed_m_s
    return replace(image, history=replace(history, times_s=times))


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


def _direction(image: FormedImage, axis: int, poly: Floats, weighting: Weighting) -> dict[str, Any]:
    grid = image.grid
    support = spatial_support(image.history, grid)
    spacing = (grid.row_spacing_m, grid.col_spacing_m)[axis]
    corners = _corner_offsets(image)
    shifts = np.polynomial.polynomial.polyval2d(corners[:, 0], corners[:, 1], poly)
    bandwidth = support.bandwidth[axis]
    low, high = float(shifts.min()) - bandwidth / 2.0, float(shifts.max()) + bandwidth / 2.0
    if low < -0.5 / spacing or high > 0.5 / spacing:  # the support wraps: SICD volume 1, DeltaK1 and DeltaK2
        low, high = -0.5 / spacing, 0.5 / spacing
    window: dict[str, Any] = {"WindowName": weighting.name}
    if weighting.parameters:
        window["Parameter"] = list(weighting.parameters)
    direction = {
        "UVectECF": image.scene.direction_to_ecef((grid.row_direction, grid.col_direction)[axis]),
        "SS": spacing,
        "ImpRespWid": weighting.half_power_width() / bandwidth,
        "Sgn": -1,
        "ImpRespBW": bandwidth,
        "KCtr": support.centre[axis],
        "DeltaK1": low,
        "DeltaK2": high,
        "DeltaKCOAPoly": poly,
        "WgtType": window,
    }
    return direction | ({"WgtFunct": np.asarray(weighting.weights)} if weighting.weights else {})


def sicd_metadata(image: FormedImage, description: SicdDescription) -> lxml.etree._ElementTree:
    """XML of a SICD.

    Parameters
    ----------
    image
        Image at baseband.
    description
        What the data do not say.

    Raises
    ------
    InputError
        Data without times and no nominal speed, or another version.

    Notes
    -----
    Grid type PLANE, whatever formed the image, where a pixel's centre lies where the grid says; ImageFormAlgo is therefore OTHER,
    and the method stands among the processing steps (a PFA or RMA block would tell readers to undo a distortion that is not
    there). An image on polar format's own plane is RGAZIM, with a PFA block. Row.Sgn = -1, since the image's phase grows with
    range. DeltaKCOAPoly is fitted to the true spatial frequency over the image, so the support is right at its edges too. ARPPoly
    is a polynomial of degree 5 fitted to the antenna positions.
    """
    if description.version not in SICD_VERSIONS:
        raise InputError(
            Message(
                "SICD {got} is not written; expected {expected}",
                {
                    "got": description.version,
                    "expected": ", ".join(SICD_VERSIONS),
                },
            ),
            hint=Message("Name one of these versions."),
            field="version",
        )
    untimed = image.history.times_s is None
    image = timed(image, description.platform_speed_m_s)
    history, grid = image.history, image.grid
    times = np.asarray(history.times_s)
    # On polar format's plane all pixels have the support of the middle.
    row_poly, col_poly = (np.zeros((1, 1)), np.zeros((1, 1))) if description.polar_plane else _support_polynomials(image)
    root = lxml.etree.fromstring(f'<SICD xmlns="{SICD_VERSIONS[description.version]}"/>')
    sicd = _sarkit.ElementWrapper(root)
    sicd["CollectionInfo"] = collection_info(description, nominal=image.nominal, untimed=untimed)
    sicd["ImageCreation"] = {"Application": "kizuna", "DateTime": description.produced, "Profile": description.method}
    sicd["ImageData"] = image_data(grid)
    sicd["GeoData"] = _place(image)
    sicd["Grid"] = {
        "ImagePlane": plane_of(image).value,
        "Type": "RGAZIM" if description.polar_plane else "PLANE",
        "TimeCOAPoly": np.array([[0.5 * float(times[0] + times[-1])]]),
        "Row": _direction(image, 0, row_poly, description.row_weighting),
        "Col": _direction(image, 1, col_poly, description.col_weighting),
    }
    interval = float(times[-1] - times[0]) / (history.pulses - 1)
    sicd["Timeline"] = {
        "CollectStart": description.collect_start,
        "CollectDuration": float(times[-1]) + interval,
        "IPP": {"@size": "1", "Set": [{"@index": "1", **pulse_sequence(times, interval)}]},
    }
    sicd["Position"] = {"ARPPoly": ecef_path(history, image.scene)}
    sicd["RadarCollection"] = radar_collection(history, description)
    sicd["ImageFormation"] = image_formation(history, description, algorithm="PFA" if description.polar_plane else "OTHER")
    tree = root.getroottree()
    root.append(_sarkit.compute_scp_coa(tree))
    if description.polar_plane:
        sicd["PFA"] = polar_block(image)
    corners_deg = _corners_deg(tree, image)
    sicd["GeoData"]["ImageCorners"] = corners_deg
    sicd["GeoData"]["ValidData"] = corners_deg
    if description.radiometry is not None:
        sicd["Radiometric"] = _radiometry(tree, image, description, description.radiometry)
    if description.errors is not None:
        sicd["ErrorStatistics"] = composite_errors(history, image.scene, grid.origin_m, description.errors)
    return tree


def radar_collection(history: PhaseHistory, description: SicdDescription) -> dict[str, Any]:
    """RadarCollection: band, waveform where it is known, polarisation."""
    middle, half = history.centre_frequency_hz, 0.5 * history.bandwidth_hz
    radar: dict[str, Any] = {"TxFrequency": {"Min": middle - half, "Max": middle + half}}
    if description.waveform is not None:
        radar["Waveform"] = {"@size": "1", "WFParameters": [_waveform(description.waveform, history)]}
        span = max(half, 0.5 * abs(description.waveform.chirp_hz_s) * description.waveform.pulse_s)
        radar["TxFrequency"] = {"Min": middle - span, "Max": middle + span}
    codes = _codes(history)
    return radar | {
        "TxPolarization": codes[0],
        "RcvChannels": {"@size": "1", "ChanParameters": [{"@index": "1", "TxRcvPolarization": ":".join(codes)}]},
    }


def image_formation(history: PhaseHistory, description: SicdDescription, *, algorithm: str) -> dict[str, Any]:
    """ImageFormation: what of pulses and band was processed, and how."""
    times = np.asarray(history.times_s)
    middle, half = history.centre_frequency_hz, 0.5 * history.bandwidth_hz
    return {
        "RcvChanProc": {"NumChanProc": 1, "ChanIndex": [1]},
        "TxRcvPolarizationProc": ":".join(_codes(history)),
        "TStartProc": float(times[0]),
        "TEndProc": float(times[-1]),
        "TxFrequencyProc": {"MinProc": middle - half, "MaxProc": middle + half},
        "ImageFormAlgo": algorithm,
        "STBeamComp": "NO",
        "ImageBeamComp": "NO",
        "AzAutofocus": "GLOBAL" if description.autofocused else "NO",
        "RgAutofocus": "NO",
        "Processing": [{"Type": description.method, "Applied": True}],
    }


def _codes(history: PhaseHistory) -> list[str]:
    return [_CODES.get(letter, "OTHER") for letter in history.polarisation]


def image_data(grid: PlaneGrid | StripGrid) -> dict[str, Any]:
    """ImageData of a whole image of complex64 pixels, all of them valid, about the middle of its grid."""
    return {
        "PixelType": "RE32F_IM32F",
        "NumRows": grid.rows,
        "NumCols": grid.cols,
        "FirstRow": 0,
        "FirstCol": 0,
        "FullImage": {"NumRows": grid.rows, "NumCols": grid.cols},
        "SCPPixel": (grid.centre_row, grid.centre_col),
        "ValidData": [(0, 0), (0, grid.cols - 1), (grid.rows - 1, grid.cols - 1), (grid.rows - 1, 0)],
    }


def collection_info(description: SicdDescription, *, nominal: bool, untimed: bool = False) -> dict[str, Any]:
    """CollectionInfo: what was collected by what, how it is marked, and all notes."""
    marking = description.marking
    parameters = list(description.notes)
    names = {name for name, _ in parameters}
    if nominal and "NominalPosition" not in names:
        parameters.append(("NominalPosition", "yes: the public data carries no map position"))
    if untimed and _PULSE_TIMES not in names:
        speed = description.platform_speed_m_s
        parameters.append((_PULSE_TIMES, f"nominal: path length over {speed:g} m/s; the source data carry no times"))
    if description.collect_start_nominal:
        parameters.append(("NominalCollectStart", "yes: the source data carry no date"))
    if marking is not None and marking.release != UNCLASSIFIED.release:
        parameters.append(("ReleaseInfo", marking.release))
    mode = {"ModeType": description.mode.value} | ({"ModeID": description.mode_name} if description.mode_name else {})
    collection: dict[str, Any] = {
        "CollectorName": description.collector,
        "CoreName": description.core_name,
        "CollectType": "MONOSTATIC",
        "RadarMode": mode,
        "Classification": description.classification if marking is None else marking.classification,
    }
    return collection | ({"Parameter": parameters} if parameters else {})


def _place(image: FormedImage) -> dict[str, Any]:
    grid, scene = image.grid, image.scene
    scp_latitude, scp_longitude, scp_height = scene.to_geodetic(grid.origin_m)
    return {
        "EarthModel": "WGS_84",
        "SCP": {
            "ECF": scene.to_ecef(grid.origin_m),
            "LLH": (math.degrees(float(scp_latitude)), math.degrees(float(scp_longitude)), float(scp_height)),
        },
        "ImageCorners": np.zeros((4, 2)),
        "ValidData": np.zeros((4, 2)),
    }


def _corners_deg(tree: lxml.etree._ElementTree, image: FormedImage) -> Floats:
    """Latitude and longitude of the corners on the ground at the height of the scene's centre, whatever plane they lie on."""
    height_m = float(image.scene.to_geodetic(image.grid.origin_m)[2])
    points = _sarkit.image_to_constant_hae_surface(tree, _corner_offsets(image), height_m)[0]
    latitude, longitude, _ = ecef_to_geodetic(points)
    return np.degrees(np.stack([latitude, longitude], axis=-1))


def pulse_sequence(times: Floats, interval: float) -> dict[str, Any]:
    """IPP: sequence of inter-pulse periods: pulse k begins the k-th, the last of them ends one mean period later."""
    if np.abs(np.diff(times) / interval - 1.0).max() < 1e-6:  # noqa: PLR2004 # a constant rate
        poly = np.array([-float(times[0]) / interval, 1.0 / interval])
    else:
        ends = np.append(times, times[-1] + interval)
        # Ends exact, so that the count of pulses is; between them a smooth change of rate.
        bend = (ends - ends[0]) * (ends - ends[-1])
        line = (len(times)) * (ends - ends[0]) / (ends[-1] - ends[0])
        curve = float(bend @ (np.arange(len(ends)) - line) / (bend @ bend))
        slope = len(times) / float(ends[-1] - ends[0])
        poly = np.array(
            [
                -slope * float(ends[0]) + curve * float(ends[0] * ends[-1]),
                slope - curve * float(ends[0] + ends[-1]),
                curve,
            ]
        )
    return {
        "TStart": float(times[0]),
        "TEnd": float(times[-1]) + interval,
        "IPPStart": 0,
        "IPPEnd": len(times) - 1,
        "IPPPoly": poly,
    }


def ecef_path(history: PhaseHistory, scene: LocalScene) -> Floats:
    """Polynomial of seconds of the antenna's position, shape (n, 3), ECEF metres."""
    coefficients = track_of(history).coefficients
    path = scene.direction_to_ecef(coefficients)
    path[0] = scene.to_ecef(coefficients[0])
    return path


def _waveform(wave: Waveform, history: PhaseHistory) -> dict[str, Any]:
    span = abs(wave.chirp_hz_s) * wave.pulse_s
    return {
        "@index": "1",
        "TxPulseLength": wave.pulse_s,
        "TxRFBandwidth": span,
        "TxFreqStart": history.centre_frequency_hz - 0.5 * wave.chirp_hz_s * wave.pulse_s,
        "TxFMRate": wave.chirp_hz_s,
        "RcvDemodType": "CHIRP",
        "RcvWindowLength": wave.pulse_s,
        "ADCSampleRate": wave.sample_rate_hz,
        "RcvIFBandwidth": wave.sample_rate_hz,
        "RcvFreqStart": history.centre_frequency_hz,
        "RcvFMRate": 0.0,
    }


def _radiometry(
    tree: lxml.etree._ElementTree, image: FormedImage, description: SicdDescription, radiometry: Radiometry
) -> dict[str, Any]:
    """Factors from pixel power to radar cross section and to the three normalised ones, and the noise (volume 1, section 4.11).

    A scatterer of unit magnitude in the samples has magnitude 1 in the image; noise is averaged over pulses times frequencies.
    The cell is what the bandwidths and weightings make of it, on the slant plane for beta, on the ground for sigma and gamma.
    """
    helper = _sarkit.XmlHelper(tree)
    grazing = math.radians(helper.load("./{*}SCPCOA/{*}GrazeAng"))
    slant = _slant_normal(image)
    row, col = spatial_support(image.history, image.grid).bandwidth
    gains = description.row_weighting.noise_gain() * description.col_weighting.noise_gain()
    # What is seen in one cell lies along the slant plane's normal, so areas of planes are as the cosines of theirs with it.
    slant_m2 = gains / (row * col) * abs(float(image.grid.normal @ slant))
    ground_m2 = slant_m2 / abs(float(slant[2]))
    history = image.history
    noise = radiometry.noise_power * gains / (history.pulses * len(history.frequencies_hz))
    factors = {
        "RCSSFPoly": radiometry.rcs_m2,
        "SigmaZeroSFPoly": radiometry.rcs_m2 / ground_m2,
        # Brightness in the slant plane is said of slant images alone: readers take the pixel's own cell for it.
        **({"BetaZeroSFPoly": radiometry.rcs_m2 / slant_m2} if plane_of(image) is Plane.SLANT else {}),
        "GammaZeroSFPoly": radiometry.rcs_m2 / ground_m2 / math.sin(grazing),
    }
    level = {"NoiseLevelType": "ABSOLUTE", "NoisePoly": np.array([[10.0 * math.log10(max(noise, 1e-30))]])}
    return {"NoiseLevel": level, **{name: np.array([[value]]) for name, value in factors.items()}}


def composite_errors(history: PhaseHistory, scene: LocalScene, place_m: Floats, errors: ErrorStatistics) -> dict[str, Any]:
    """Components as they are known, and what they come to at a place of the scene in slant range and azimuth."""
    track = track_of(history)
    when = 0.5 * float(np.asarray(history.times_s)[0] + np.asarray(history.times_s)[-1])
    position, velocity = scene.to_ecef(track.at(when)), scene.direction_to_ecef(track.at(when, derivative=1))
    up = position / np.linalg.norm(position)
    across = np.cross(up, velocity / np.linalg.norm(velocity))
    across /= np.linalg.norm(across)
    frame = np.stack([up, np.cross(across, up), across])  # radial, in-track, cross-track
    sight = scene.to_ecef(place_m) - position
    distance = float(np.linalg.norm(sight))
    in_range = frame @ (sight / distance)
    # In azimuth a scatterer is where its range does not change: along the track, less what a wrong velocity turns.
    along = frame @ (velocity / np.linalg.norm(velocity))
    range_variance = float(in_range**2 @ np.square(errors.position_m)) + errors.range_bias_m**2
    lever_s = distance / float(np.linalg.norm(velocity))
    azimuth_variance = float(along**2 @ np.square(errors.position_m)) + lever_s**2 * float(
        in_range**2 @ np.square(errors.velocity_m_s)
    )
    together = float((in_range * along) @ np.square(errors.position_m))
    rg, az = math.sqrt(range_variance), math.sqrt(azimuth_variance)
    return {
        "CompositeSCP": {"Rg": rg, "Az": az, "RgAz": together / (rg * az) if rg * az > 0.0 else 0.0},
        "Components": error_statistics(errors)["Monostatic"],
    }
