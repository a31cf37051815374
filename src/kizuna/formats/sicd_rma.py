"""SICD of a strip on the zero-Doppler grid: Grid.Type RGZERO, ImageFormAlgo RMA, RMA/INCA (NGA.STND.0024, volumes 1 and 3)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.sicd

from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.sicd import NitfDescription, write_sicd_file
from kizuna.formats.sicd_metadata import (
    SICD_VERSIONS,
    SicdDescription,
    Weighting,
    collection_info,
    composite_errors,
    ecef_path,
    image_data,
    image_formation,
    pulse_sequence,
    radar_collection,
    weighting_of,
)
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.windows import WindowKind

if TYPE_CHECKING:
    from kizuna.sar.strip import FormedStrip

__all__ = ["METHOD", "strip_metadata", "write_strip"]

type Floats = npt.NDArray[np.float64]

_sarkit: Any = sarkit.sicd

METHOD = "omega-k with Stolt's change of variable fitted to the orbit"
"""What is written as the processing step."""

_NET = 11
_DEGREE = 4


def write_strip(file: BinaryIO, strip: FormedStrip, description: SicdDescription) -> None:
    """Write a strip as a SICD NITF.

    Parameters
    ----------
    file
        Open binary file, writable and seekable, at its start.
    strip
        Image.
    description
        What the data do not say; method and weightings are the strip's own.

    Raises
    ------
    InputError
        A classification that NITF has no letter for, or another version.
    """
    marking = description.marking
    write_sicd_file(
        file,
        strip_metadata(strip, description),
        strip.pixels,
        NitfDescription(
            description.core_name,
            description.classification,
            description.collector,
            description.produced,
            description.originator,
            security=None if marking is None else marking.security,
        ),
    )


class _Net:
    """A net of pixels, and polynomials through what is known at them: x and y are metres from the scene's centre point."""

    def __init__(self, strip: FormedStrip) -> None:
        grid, carrier = strip.grid, strip.history.centre_frequency_hz
        track = grid.track
        ahead_m = track.at(grid.time_s, derivative=1)
        self.speed_m_s = float(np.linalg.norm(ahead_m))
        middle = np.array([grid.range_m]), np.array([grid.time_s])
        seen = strip.plan.seen_at_s(carrier, *middle) - grid.time_s
        #: Metres of the image's columns for a second: of the ground below the antenna's way, at the scene's centre.
        self.metres_a_second = float(_scale(grid.range_series(*middle), seen)[0]) / self.speed_m_s
        sign = 1.0 if grid.right else -1.0
        rows = np.linspace(0, grid.rows - 1, _NET) - grid.centre_row
        cols = (np.linspace(0, grid.cols - 1, _NET) - grid.centre_col) * grid.col_spacing_s
        self.x, self.y = (
            one.ravel() for one in np.meshgrid(rows * grid.row_spacing_m, cols * self.metres_a_second, indexing="ij")
        )
        self.time_poly = np.array([grid.time_s, sign / self.metres_a_second])
        self.closest_m, self.closest_s = grid.range_m + self.x, np.polynomial.polynomial.polyval(self.y, self.time_poly)
        self.seen_s = strip.plan.seen_at_s(carrier, self.closest_m, self.closest_s)
        places = grid.place(self.closest_m, self.closest_s)
        sight = places - track.at(self.seen_s)
        rate = -(sight * track.at(self.seen_s, derivative=1)).sum(axis=-1) / np.linalg.norm(sight, axis=-1)
        self.doppler_hz = -2.0 * carrier / SPEED_OF_LIGHT_M_S * rate
        speed2 = (track.at(self.closest_s, derivative=1) ** 2).sum(axis=-1)
        self.scale = _scale(grid.range_series(self.closest_m, self.closest_s), self.seen_s - self.closest_s) / speed2

    def fitted(self, values: Floats, degree: int = _DEGREE) -> Floats:
        """Polynomial of x and y, shape (degree + 1, degree + 1), through values at the net; its first term as at the centre."""
        scale = max(float(np.abs(self.x).max()), 1.0), max(float(np.abs(self.y).max()), 1.0)
        design = np.polynomial.polynomial.polyvander2d(self.x / scale[0], self.y / scale[1], [degree, degree])
        found = np.linalg.lstsq(design, values)[0].reshape(degree + 1, degree + 1)
        powers = np.arange(degree + 1.0)
        return np.asarray(found / np.outer(scale[0] ** powers, scale[1] ** powers), np.float64)


def _scale(series: Floats, after_s: Floats) -> Floats:
    """Square of the speed of a hyperbola that has the true rate of the range, shape (n,), seconds after closest approach."""
    powers = np.arange(2, series.shape[1])
    return np.asarray((0.5 * powers * series[:, 2:] * after_s[:, None] ** (powers - 2)).sum(axis=1), np.float64)


def strip_metadata(strip: FormedStrip, description: SicdDescription) -> lxml.etree._ElementTree:
    """XML of a strip's SICD.

    Parameters
    ----------
    strip
        Image.
    description
        What the data do not say.

    Raises
    ------
    InputError
        Another version.

    Notes
    -----
    Columns are metres of the ground along the track at the scene's centre point; DRateSFPoly is such that a pixel's range rate in
    the middle of its aperture is the orbit's own, for places rest on it. Row.Sgn = Col.Sgn = -1, as all images of kizuna.
    """
    if description.version not in SICD_VERSIONS:
        raise InputError(
            Message(
                "SICD {got} is not written; expected {expected}",
                {"got": description.version, "expected": ", ".join(SICD_VERSIONS)},
            ),
            hint=Message("Name one of these versions."),
            field="version",
        )
    description = replace(
        description, method=METHOD, row_weighting=weighting_of(strip.band), col_weighting=weighting_of(strip.aperture)
    )
    grid, history, net = strip.grid, strip.history, _Net(strip)
    times = np.asarray(history.times_s)
    root = lxml.etree.fromstring(f'<SICD xmlns="{SICD_VERSIONS[description.version]}"/>')
    sicd = _sarkit.ElementWrapper(root)
    sicd["CollectionInfo"] = collection_info(description, nominal=strip.nominal)
    sicd["ImageCreation"] = {"Application": "kizuna", "DateTime": description.produced, "Profile": description.method}
    sicd["ImageData"] = image_data(grid)
    centre = grid.place(grid.range_m, grid.time_s)
    latitude, longitude, height = (float(one) for one in grid.scene.to_geodetic(centre))
    sicd["GeoData"] = {
        "EarthModel": "WGS_84",
        "SCP": {"ECF": grid.scene.to_ecef(centre), "LLH": (math.degrees(latitude), math.degrees(longitude), height)},
        "ImageCorners": np.zeros((4, 2)),
        "ValidData": np.zeros((4, 2)),
    }
    spans = _support(strip, net)
    sicd["Grid"] = {
        "ImagePlane": "SLANT",
        "Type": "RGZERO",
        "TimeCOAPoly": net.fitted(net.seen_s) if np.ptp(net.seen_s) > 0.0 else np.array([[net.seen_s[0]]]),
        "Row": _axis(strip, net, 0, spans, description.row_weighting),
        "Col": _axis(strip, net, 1, spans, description.col_weighting),
    }
    interval = float(times[-1] - times[0]) / (history.pulses - 1)
    sicd["Timeline"] = {
        "CollectStart": description.collect_start,
        "CollectDuration": float(times[-1]) + interval,
        "IPP": {"@size": "1", "Set": [{"@index": "1", **pulse_sequence(times, interval)}]},
    }
    sicd["Position"] = {"ARPPoly": ecef_path(history, grid.scene)}
    sicd["RadarCollection"] = radar_collection(history, description)
    sicd["ImageFormation"] = image_formation(history, description, algorithm="RMA")
    sicd["RMA"] = {
        "RMAlgoType": "OMEGA_K",
        "ImageType": "INCA",
        "INCA": {
            "TimeCAPoly": net.time_poly,
            "R_CA_SCP": grid.range_m,
            "FreqZero": history.centre_frequency_hz,
            "DRateSFPoly": net.fitted(net.scale),
            "DopCentroidPoly": net.fitted(net.doppler_hz),
            "DopCentroidCOA": True,
        },
    }
    tree = root.getroottree()
    formation = root.find("{*}RMA")
    assert formation is not None  # noqa: S101 # just made
    formation.addprevious(_sarkit.compute_scp_coa(tree))
    points = _sarkit.image_to_constant_hae_surface(tree, _corners(strip, net), height)[0]
    corners = np.degrees(np.stack(ecef_to_geodetic(points)[:2], axis=-1))
    sicd["GeoData"]["ImageCorners"] = corners
    sicd["GeoData"]["ValidData"] = corners
    if description.radiometry is not None:
        sicd["Radiometric"] = _radiometry(tree, strip, spans, description)
    if description.errors is not None:
        sicd["ErrorStatistics"] = composite_errors(history, grid.scene, centre, description.errors)
    # The schema wants the image formation algorithm last.
    root.append(formation)
    return tree


def _corners(strip: FormedStrip, net: _Net) -> Floats:
    """Offsets of the corners from the centre point, metres: first row first column, clockwise on the image."""
    grid = strip.grid
    x = (np.array([0, grid.rows - 1]) - grid.centre_row) * grid.row_spacing_m
    y = (np.array([0, grid.cols - 1]) - grid.centre_col) * grid.col_spacing_s * net.metres_a_second
    return np.array([[x[0], y[0]], [x[0], y[1]], [x[1], y[1]], [x[1], y[0]]])


def _support(strip: FormedStrip, net: _Net) -> tuple[float, float]:
    """Widths of the spectrum along rows and columns, cycles a metre."""
    plan, carrier = strip.plan, strip.history.centre_frequency_hz
    doppler = plan.doppler.width_hz
    if plan.lit_throughout(carrier):
        doppler *= (plan.span_s[1] - plan.span_s[0]) / plan.dwell_s(carrier)
    return 2.0 * strip.history.bandwidth_hz / SPEED_OF_LIGHT_M_S, doppler / net.metres_a_second


def _axis(strip: FormedStrip, net: _Net, axis: int, spans: tuple[float, float], weighting: Weighting) -> dict[str, Any]:
    grid, carrier = strip.grid, strip.history.centre_frequency_hz
    ahead = grid.track.at(grid.time_s, derivative=1)
    sign = 1.0 if grid.right else -1.0
    sight = grid.place(grid.range_m, grid.time_s) - grid.track.at(grid.time_s)
    direction = (sight / np.linalg.norm(sight), sign * ahead / np.linalg.norm(ahead))[axis]
    spacing = (grid.row_spacing_m, grid.col_spacing_s * net.metres_a_second)[axis]
    if axis == 0:
        # A band seen at an angle is a little lower in range: what Stolt's variable makes of the carrier.
        slowness = SPEED_OF_LIGHT_M_S * net.doppler_hz / (2.0 * math.sqrt(net.metres_a_second * net.speed_m_s))
        values = 2.0 / SPEED_OF_LIGHT_M_S * (np.sqrt(carrier**2 - slowness**2) - carrier)
    else:
        values = net.doppler_hz * sign / net.metres_a_second
    poly = net.fitted(values)
    corners = _corners(strip, net)
    shifts = np.polynomial.polynomial.polyval2d(corners[:, 0], corners[:, 1], poly)
    low, high = float(shifts.min()) - spans[axis] / 2.0, float(shifts.max()) + spans[axis] / 2.0
    if low < -0.5 / spacing or high > 0.5 / spacing:  # the support wraps: SICD volume 1, DeltaK1 and DeltaK2
        low, high = -0.5 / spacing, 0.5 / spacing
    window: dict[str, Any] = {"WindowName": weighting.name}
    if weighting.parameters:
        window["Parameter"] = list(weighting.parameters)
    found = {
        "UVectECF": grid.scene.direction_to_ecef(direction),
        "SS": spacing,
        "ImpRespWid": weighting.half_power_width() / spans[axis],
        "Sgn": -1,
        "ImpRespBW": spans[axis],
        "KCtr": (2.0 * carrier / SPEED_OF_LIGHT_M_S, 0.0)[axis],
        "DeltaK1": low,
        "DeltaK2": high,
        "DeltaKCOAPoly": poly,
        "WgtType": window,
    }
    return found | ({"WgtFunct": np.asarray(weighting.weights)} if weighting.weights else {})


def _radiometry(
    tree: lxml.etree._ElementTree, strip: FormedStrip, spans: tuple[float, float], description: SicdDescription
) -> dict[str, Any]:
    """Factors and noise, as in `kizuna.formats.sicd_metadata`; a uniform aperture keeps the noise of all Doppler frequencies."""
    radiometry = description.radiometry
    assert radiometry is not None  # noqa: S101 # the caller asked
    history, plan = strip.history, strip.plan
    grazing = math.radians(_sarkit.XmlHelper(tree).load("./{*}SCPCOA/{*}GrazeAng"))
    slope = math.radians(_sarkit.XmlHelper(tree).load("./{*}SCPCOA/{*}SlopeAng"))
    gains = description.row_weighting.noise_gain() * description.col_weighting.noise_gain()
    slant_m2 = gains / (spans[0] * spans[1])
    ground_m2 = slant_m2 / math.cos(slope)
    interval = (plan.span_s[1] - plan.span_s[0]) / (history.pulses - 1)
    pulses = plan.dwell_s(history.centre_frequency_hz) / interval
    kept = 1.0 / (plan.doppler.width_hz * interval) if strip.aperture.kind is WindowKind.UNIFORM else 1.0
    noise = radiometry.noise_power * gains * kept / (pulses * len(history.frequencies_hz))
    if plan.lit_throughout(history.centre_frequency_hz):
        # A scatterer is lit for a part of the processed band: it has that part of its magnitude.
        share = (plan.span_s[1] - plan.span_s[0]) / plan.dwell_s(history.centre_frequency_hz)
        radiometry = replace(radiometry, rcs_m2=radiometry.rcs_m2 / share**2)
    factors = {
        "RCSSFPoly": radiometry.rcs_m2,
        "SigmaZeroSFPoly": radiometry.rcs_m2 / ground_m2,
        "BetaZeroSFPoly": radiometry.rcs_m2 / slant_m2,
        "GammaZeroSFPoly": radiometry.rcs_m2 / ground_m2 / math.sin(grazing),
    }
    level = {"NoiseLevelType": "ABSOLUTE", "NoisePoly": np.array([[10.0 * math.log10(max(noise, 1e-30))]])}
    return {"NoiseLevel": level, **{name: np.array([[value]]) for name, value in factors.items()}}
