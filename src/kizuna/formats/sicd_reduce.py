"""SICD files made coarser, or cut to an area, for release: what remains is a complex image, and says so honestly.

The pixels are those of `kizuna.sar.reduce`: only the kept area is read, only the kept band of its spectrum is computed. The
metadata are made anew: a list (`_KEPT`) names what is taken over, and nothing else is. What tells of the rest of the image is not
among it: its size and middle, its pulses and waveforms, its area plane, antenna, matches, parameters, and all of the headers but
the names of sensor and collection. So two files that agree in what the list names, and in what the kept pixels hold within the
kept band, give the same bytes.
"""

from __future__ import annotations

import copy
import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.sicd
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from kizuna.earth.wgs84 import ecef_to_geodetic, geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.image_area import NOTHING_LEFT, ImageGrid, inside, on_image, reduction_fault, union_of
from kizuna.formats.nitf_security import file_security
from kizuna.formats.sicd import NitfDescription, ground_points, read_metadata, read_pixels, read_summary, write_sicd_file
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC
from kizuna.sar.reduce import KeptBand, kept_band, reduce_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kizuna.formats.nitf_security import NitfSecurity

    type Ring = tuple[tuple[float, float], ...]

__all__ = ["MOST_PIXELS", "ReducedSicd", "reduce_sicd"]

type Floats = npt.NDArray[np.float64]
type Mask = npt.NDArray[np.bool_]
type Element = lxml.etree._Element  # noqa: SLF001 # its public name is a function

MOST_PIXELS = 1 << 28
"""Pixels of the kept area, at most: they are held in memory."""

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd

_ALL: Mapping[str, Any] = {}
_AXIS = dict.fromkeys(
    ("UVectECF", "SS", "ImpRespWid", "Sgn", "ImpRespBW", "KCtr", "DeltaK1", "DeltaK2", "DeltaKCOAPoly", "WgtType", "WgtFunct"),
    _ALL,
)
_KEPT: Mapping[str, Any] = {
    "CollectionInfo": {
        "CollectorName": _ALL,
        "IlluminatorName": _ALL,
        "CoreName": _ALL,
        "CollectType": _ALL,
        "RadarMode": {"ModeType": _ALL, "ModeID": _ALL},
        "Classification": _ALL,
        "Parameter": _ALL,
    },
    "ImageCreation": {"DateTime": _ALL},
    "ImageData": {"SCPPixel": _ALL},
    "GeoData": {"EarthModel": _ALL, "SCP": _ALL},
    "Grid": {"ImagePlane": _ALL, "Type": _ALL, "TimeCOAPoly": _ALL, "Row": _AXIS, "Col": _AXIS},
    "Timeline": {"CollectStart": _ALL, "CollectDuration": _ALL},
    "Position": {"ARPPoly": _ALL},
    "RadarCollection": {
        "TxFrequency": _ALL,
        "RefFreqIndex": _ALL,
        "TxPolarization": _ALL,
        "TxSequence": _ALL,
        "RcvChannels": {"ChanParameters": {"TxRcvPolarization": _ALL}},
    },
    "ImageFormation": dict.fromkeys(
        (
            "RcvChanProc",
            "TxRcvPolarizationProc",
            "TStartProc",
            "TEndProc",
            "TxFrequencyProc",
            "ImageFormAlgo",
            "STBeamComp",
            "ImageBeamComp",
            "AzAutofocus",
            "RgAutofocus",
        ),
        _ALL,
    ),
    "SCPCOA": _ALL,
    "Radiometric": _ALL,
    "ErrorStatistics": _ALL,
    "RgAzComp": _ALL,
    "PFA": _ALL,
    "RMA": _ALL,
}
# Of the free parameters those by which this project says that a place or a time was assigned, not measured.
_KEPT_PARAMETERS = ("NominalPosition", "NominalCollectStart", "PulseTimes")
_SCALE_FACTORS = ("SigmaZeroSFPoly", "BetaZeroSFPoly", "GammaZeroSFPoly")
_TIED_TO_THE_MIDDLE = Message("its grid is tied to the scene's middle, which lies outside the area")
_LEAST_FILLED = 0.9
_NET = 9
_HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class ReducedSicd:
    """What remains of a SICD.

    Parameters
    ----------
    data
        The file.
    resolution_m
        Finer of its two impulse response widths on the ground, metres.
    shape
        Rows and columns.
    """

    data: bytes
    resolution_m: float
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Axis:
    """What is done to one axis, and what it means.

    Parameters
    ----------
    name
        ``"Row"`` or ``"Col"``.
    band
        Kept bins; None where the axis stays as it is.
    spacing_m
        Of its samples before, metres.
    sign
        Grid's Sgn.
    """

    name: str
    band: KeptBand | None
    spacing_m: float
    sign: int

    @property
    def coarsening(self) -> float:
        return 1.0 if self.band is None else self.band.coarsening

    @property
    def start(self) -> float:
        return 0.0 if self.band is None else self.band.start

    @property
    def centre(self) -> float:
        """Middle of the kept band, cycles a metre from KCtr."""
        return 0.0 if self.band is None else -self.sign * self.band.centre / self.spacing_m

    @property
    def width(self) -> float:
        """Width of the kept band, cycles a metre; infinite where the axis stays."""
        return math.inf if self.band is None else self.band.bandwidth / self.spacing_m


def reduce_sicd(
    file: BinaryIO,
    *,
    finest_m: float = 0.0,
    polygons: Sequence[Sequence[Ring]] | None = None,
    classification: str | None = None,
    security: NitfSecurity | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ReducedSicd:
    """Make a SICD coarser, or cut it to an area, or both.

    Parameters
    ----------
    file
        Open, seekable SICD.
    finest_m
        Neither impulse response is narrower than this on the ground afterwards, however the spectrum is weighted; metres.
    polygons
        Nothing of pixels that do not lie wholly inside their union is used: each an exterior ring and its holes, (longitude,
        latitude) in degrees. None: no limit.
    classification, security
        Marking of what remains, in words and as NITF has it; None leaves the file's own classification.
    progress
        Called with (work done, work in all).

    Returns
    -------
    ReducedSicd
        The file. The same kept pixels, metadata and limits give the same bytes.

    Raises
    ------
    InputError
        Not a SICD, or a damaged one; nothing is left; the spectrum moves across the image by more than is kept; a grid that
        cannot be cut; a classification that NITF has no letter for.
    """
    source = read_metadata(file)
    summary = read_summary(file)
    try:
        plan = _Plan(file, source, summary.shape, finest_m, polygons)
        metadata = plan.metadata(classification)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise reduction_fault(
            Message("the SICD file cannot be read: {reason}", {"reason": str(error) or type(error).__name__})
        ) from error
    pixels = plan.pixels(file, progress)
    target = io.BytesIO()
    tree = metadata.getroottree()
    words = classification or summary.classification
    if security is None and classification is None:
        security = _own_security(file)
    produced = summary.produced or summary.collected.begin
    write_sicd_file(target, tree, pixels, NitfDescription(summary.core_name, words, summary.sensor, produced, security=security))
    return ReducedSicd(target.getvalue(), plan.resolution_m(metadata), (pixels.shape[0], pixels.shape[1]))


class _Plan:
    """What of a SICD remains."""

    def __init__(
        self,
        file: BinaryIO,
        source: lxml.etree._ElementTree,
        shape: tuple[int, int],
        finest_m: float,
        polygons: Sequence[Sequence[Ring]] | None,
    ) -> None:
        self.source, self.helper = source, _sarkit.XmlHelper(source)
        self.window, self.mask = (0, 0, *shape), None
        if polygons is not None:
            self.window, self.mask = _cut(file, shape, polygons)
        if self.window[2] * self.window[3] > MOST_PIXELS:
            values: dict[str, str | int | float] = {"got": self.window[2] * self.window[3], "most": MOST_PIXELS}
            raise reduction_fault(Message("the kept area has {got} pixels, at most {most} fit", values))
        self.is_plane = self.load("Grid/Type") == "PLANE" and self.load("Grid/ImagePlane") == "GROUND"
        # In an image of which a part is cut out, the middle of the whole is nobody's business.
        self.moves = polygons is not None and self.is_plane
        axes = [self._axis(name, size, finest_m) for name, size in zip(("Row", "Col"), self.window[2:], strict=True)]
        scp = np.asarray(self.load("ImageData/SCPPixel"), np.float64)
        first = [self.load(f"ImageData/First{name}") for name in ("Row", "Col")]
        self.scp = scp - np.asarray(first) - np.asarray(self.window[:2])
        if polygons is not None and not self.moves and not self._has_scp():
            raise reduction_fault(_TIED_TO_THE_MIDDLE)
        if not self.moves:
            axes = [
                axis if axis.band is None else replace(axis, band=axis.band.meeting(at))
                for axis, at in zip(axes, self.scp.tolist(), strict=True)
            ]
        self.axes = axes
        self.shape = tuple(
            size if axis.band is None else axis.band.samples_after for axis, size in zip(axes, self.window[2:], strict=True)
        )
        if min(self.shape) < 1:
            raise reduction_fault(NOTHING_LEFT)

    def load(self, path: str) -> Any:  # noqa: ANN401 # whatever sarkit makes of the element
        return self.helper.load("./" + "/".join(f"{{*}}{name}" for name in path.split("/")))

    def _has_scp(self) -> bool:
        row, col = (round(float(at)) for at in self.scp)
        if not (0 <= row < self.window[2] and 0 <= col < self.window[3]):
            return False
        return self.mask is None or bool(self.mask[row, col])

    def _on_ground(self, axis: str) -> float:
        """Cosine of an axis's angle to the ground at the scene's centre."""
        latitude, longitude, _ = np.radians(self.load("GeoData/SCP/LLH"))
        up = geodetic_to_ecef(latitude, longitude, 1.0) - geodetic_to_ecef(latitude, longitude, 0.0)
        return math.sqrt(max(1.0 - float(self.load(f"Grid/{axis}/UVectECF") @ up) ** 2, 1e-6))

    def _axis(self, name: str, samples: int, finest_m: float) -> _Axis:
        spacing, sign = float(self.load(f"Grid/{name}/SS")), int(self.load(f"Grid/{name}/Sgn"))
        if finest_m <= 0.0:
            return _Axis(name, None, spacing, sign)
        # INVARIANT: no weighting makes the response of a band narrower than the uniform one, so nothing finer than asked remains,
        # whatever the file says of its own bandwidth and weights.
        width = HALF_POWER_WIDTH_OF_SINC * spacing / (finest_m * self._on_ground(name))
        if width >= 1.0:
            return _Axis(name, None, spacing, sign)
        poly = self._support(name)
        band = kept_band(samples, width, -sign * float(poly[0, 0]) * spacing)
        if band is None:
            raise reduction_fault(NOTHING_LEFT)
        return _Axis(name, band, spacing, sign)

    def _support(self, name: str) -> Floats:
        poly = self.load(f"Grid/{name}/DeltaKCOAPoly")
        return np.zeros((1, 1)) if poly is None else np.asarray(poly, np.float64)

    # ---- pixels

    def pixels(self, file: BinaryIO, progress: Callable[[int, int], None] | None) -> npt.NDArray[np.complex64]:
        kept = read_pixels(file, window=self.window)
        if self.mask is not None:
            kept[~self.mask] = 0.0
        rows, cols = (axis.band for axis in self.axes)
        if rows is None and cols is None:
            return kept
        return reduce_pixels(kept, rows, cols, gain=math.sqrt(self.noise_gain), progress=progress)

    # ---- metadata

    def offsets_m(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Metres from the source's SCP of samples of the kept area, counted before."""
        return (rows - self.scp[0]) * self.axes[0].spacing_m, (cols - self.scp[1]) * self.axes[1].spacing_m

    def metadata(self, classification: str | None) -> Element:
        root = _filtered(self.source.getroot(), _KEPT)
        new = _sarkit.ElementWrapper(root)
        self._say_what_it_is(new, classification)
        self.noise_gain = 1.0
        peak = 1.0
        net = np.meshgrid(*(np.linspace(0.0, size - 1.0, _NET) for size in self.window[2:]), indexing="ij")
        x, y = (values.ravel() for values in self.offsets_m(*net))
        middle = np.zeros(2)
        after = [math.floor(size / 2) for size in self.shape]
        if self.moves:
            middle = np.array(self.offsets_m(*(a * axis.coarsening for a, axis in zip(after, self.axes, strict=True))))  # type: ignore[arg-type]
        for axis in self.axes:
            noise, point = self._say_axis(new["Grid"][axis.name], axis, (x, y), middle)
            self.noise_gain *= noise
            peak *= point
        self._say_when(new, (x, y), middle)
        self._say_where(new, middle, after)
        self._say_how_bright(root, middle, peak)
        self._say_how_formed(new, root)
        self._say_corners(new, root)
        root.replace(root.findall("./{*}SCPCOA")[0], _sarkit.compute_scp_coa(root.getroottree()))
        return root

    def _say_what_it_is(self, new: Any, classification: str | None) -> None:  # noqa: ANN401 # sarkit's wrapper
        info = new["CollectionInfo"]
        if classification is not None:
            info["Classification"] = classification
        kept = [entry for entry in info.get("Parameter", ()) if entry[0] in _KEPT_PARAMETERS]
        element = info.elem
        for parameter in element.findall("{*}Parameter"):
            element.remove(parameter)
        if kept:
            info["Parameter"] = kept
        produced = self.load("ImageCreation/DateTime")
        new["ImageCreation"] = {"Application": "kizuna"} | ({} if produced is None else {"DateTime": produced})

    def _say_axis(self, grid: Any, axis: _Axis, net: tuple[Floats, Floats], middle: Floats) -> tuple[float, float]:  # noqa: ANN401
        """Write one axis of the grid; by what power must grow to keep a field's, and what is then left of a point's peak."""
        poly = self._support(axis.name)
        shift = _at(poly, *net)
        width = float(grid["ImpRespBW"])
        noise = peak = 1.0
        if axis.band is None:
            poly, low, high = _moved(poly, middle), *self._reach(axis, shift, width)
        else:
            poly, noise, peak = self._say_cut(grid, axis, (poly, shift), middle)
            after = _at(poly, net[0] - middle[0], net[1] - middle[1])
            low, high = self._reach(axis, after, float(grid["ImpRespBW"]))
        grid["SS"] = axis.spacing_m * axis.coarsening
        grid["DeltaK1"], grid["DeltaK2"] = low, high
        grid["DeltaKCOAPoly"] = poly
        return noise, peak

    @staticmethod
    def _reach(axis: _Axis, shift: Floats, width: float) -> tuple[float, float]:
        low, high = float(shift.min()) - width / 2.0, float(shift.max()) + width / 2.0
        most = 0.5 / (axis.spacing_m * axis.coarsening)
        # The support wraps: SICD volume 1, DeltaK1 and DeltaK2.
        return (-most, most) if low < -most or high > most else (low, high)

    def _say_cut(self, grid: Any, axis: _Axis, support: tuple[Floats, Floats], middle: Floats) -> tuple[Floats, float, float]:  # noqa: ANN401
        poly, shift = support
        width, centre = float(grid["ImpRespBW"]), axis.centre
        shift = shift - centre
        poly = poly.copy()
        poly[0, 0] -= centre
        grid["KCtr"] = float(grid["KCtr"]) + centre
        half, own = axis.width / 2.0, width / 2.0
        if np.abs(shift).max() + own <= half:
            # All of the support lies in the band: what is cut away is beyond it.
            return _moved(poly, middle), 1.0, 1.0
        low, high = max(float(shift.max()) - own, -half), min(float(shift.min()) + own, half)
        kept = high - low
        if kept < _LEAST_FILLED * min(2.0 * half, width):
            raise reduction_fault(
                Message("the spectrum moves across the image by more than is kept of it; cut it to a smaller area")
            )
        grid["ImpRespBW"] = kept
        weights = grid.get("WgtFunct", None)
        before, after = _slice_of(weights, width, kept)
        name = grid["WgtType"]["WindowName"] if "WgtType" in grid else "UNKNOWN"
        for old in grid.elem.findall("{*}WgtType") + grid.elem.findall("{*}WgtFunct"):
            grid.elem.remove(old)
        # A narrow part from the middle of any window is all but flat.
        flat = bool(after.min() > 0.999 * after.max()) and (weights is not None or name == "UNIFORM")
        grid["WgtType"] = {"WindowName": "UNIFORM" if flat else "UNKNOWN"}
        if not flat and weights is not None:
            grid["WgtFunct"] = after
        grid["ImpRespWid"] = (HALF_POWER_WIDTH_OF_SINC if flat or weights is None else _half_power_width(after)) / kept
        energy = width * float(np.mean(before**2)) / (kept * float(np.mean(after**2)))
        fell = kept * float(np.mean(after)) / (width * float(np.mean(before)))
        return np.zeros((1, 1)), energy, energy * fell**2

    def _say_when(self, new: Any, net: tuple[Floats, Floats], middle: Floats) -> None:  # noqa: ANN401 # sarkit's wrapper
        """Write when the middle of the kept aperture saw each pixel."""
        poly = np.asarray(self.load("Grid/TimeCOAPoly"), np.float64)
        col = self.axes[1]
        before = self._support("Col")
        cut = col.band is not None and not np.any(np.asarray(new["Grid"]["Col"]["DeltaKCOAPoly"])) and np.any(before)
        if not cut:
            new["Grid"]["TimeCOAPoly"] = _moved(poly, middle)
            return
        x, y = net
        seconds, shift = _at(poly, x, y), _at(before, x, y)
        # The spatial frequency along the columns turns with the antenna: the kept middle was seen when it passed.
        seconds = seconds + (col.centre - shift) / self._turning(x, y, seconds)
        degree = [2, 2]
        design = np.polynomial.polynomial.polyvander2d(x - middle[0], y - middle[1], degree)
        scale = np.abs(design).max(axis=0)
        fit = np.linalg.lstsq(design / scale, seconds)[0] / scale
        new["Grid"]["TimeCOAPoly"] = fit.reshape(3, 3)

    def _turning(self, x: Floats, y: Floats, seconds: Floats) -> Floats:
        """Change of the spatial frequency along the columns with time, cycles a metre a second."""
        place = self.load("GeoData/SCP/ECF") + x[:, None] * self.load("Grid/Row/UVectECF")
        along = np.asarray(self.load("Grid/Col/UVectECF"))
        place = place + y[:, None] * along
        path = np.asarray(self.load("Position/ARPPoly"))
        away = place - np.polynomial.polynomial.polyval(seconds, path).T
        velocity = np.polynomial.polynomial.polyval(seconds, np.polynomial.polynomial.polyder(path)).T
        distance = np.linalg.norm(away, axis=1)
        sight = away / distance[:, None]
        rate = (-velocity @ along + (velocity * sight).sum(axis=1) * (sight @ along)) / distance
        return np.asarray(2.0 * self._frequency_hz() / SPEED_OF_LIGHT_M_S * rate, np.float64)

    def _frequency_hz(self) -> float:
        low, high = (float(self.load(f"ImageFormation/TxFrequencyProc/{end}Proc")) for end in ("Min", "Max"))
        return 0.5 * (low + high)

    def _say_where(self, new: Any, middle: Floats, after: list[int]) -> None:  # noqa: ANN401 # sarkit's wrapper
        data = new["ImageData"]
        if self.moves:
            scp = np.asarray(after)
            place = self.load("GeoData/SCP/ECF") + middle[0] * self.load("Grid/Row/UVectECF")
            place = place + middle[1] * self.load("Grid/Col/UVectECF")
            latitude, longitude, height = (float(value) for value in ecef_to_geodetic(place))
            new["GeoData"]["SCP"] = {"ECF": place, "LLH": (math.degrees(latitude), math.degrees(longitude), height)}
        else:
            scp = np.array(
                [round((at - axis.start) / axis.coarsening) for at, axis in zip(self.scp.tolist(), self.axes, strict=True)]
            )
        # No more of the whole is told than where its middle lies, if that is needed.
        first = np.maximum(0, -scp)
        full = np.maximum(first + np.asarray(self.shape), scp + first + 1)
        del new["ImageData"]
        data = {
            "PixelType": "RE32F_IM32F",
            "NumRows": self.shape[0],
            "NumCols": self.shape[1],
            "FirstRow": int(first[0]),
            "FirstCol": int(first[1]),
            "FullImage": {"NumRows": int(full[0]), "NumCols": int(full[1])},
            "SCPPixel": tuple(int(value) for value in scp + first),
        }
        top, left = int(first[0]), int(first[1])
        bottom, right = top + self.shape[0] - 1, left + self.shape[1] - 1
        data["ValidData"] = [(top, left), (top, right), (bottom, right), (bottom, left)]
        new["ImageData"] = data

    def _say_corners(self, new: Any, root: Element) -> None:  # noqa: ANN401 # sarkit's wrapper
        rows, cols = self.shape
        first = np.array([new["ImageData"]["FirstRow"], new["ImageData"]["FirstCol"]])
        corners = first + np.array([[0, 0], [0, cols - 1], [rows - 1, cols - 1], [rows - 1, 0]])
        height = float(new["GeoData"]["SCP"]["LLH"][2])
        tree = root.getroottree()
        located, _, reached = _sarkit.image_to_constant_hae_surface(tree, _sarkit.rowcol_to_xrowycol(tree, corners), height)
        if not np.all(reached):
            raise reduction_fault(Message("the SICD file's geometry does not meet the ground everywhere"))
        latitude, longitude, _ = ecef_to_geodetic(located)
        degrees = np.degrees(np.stack([latitude, longitude], axis=-1))
        new["GeoData"]["ImageCorners"] = degrees
        new["GeoData"]["ValidData"] = degrees

    def _say_how_bright(self, root: Element, middle: Floats, peak: float) -> None:
        radiometric = root.find("./{*}Radiometric")
        if radiometric is None:
            return
        wrapped = _sarkit.ElementWrapper(root)["Radiometric"]
        for name in _SCALE_FACTORS:
            if name in wrapped:
                wrapped[name] = _moved(np.asarray(wrapped[name]), middle)
        if "RCSSFPoly" in wrapped:
            wrapped["RCSSFPoly"] = _moved(np.asarray(wrapped["RCSSFPoly"]), middle) / peak
        if "NoiseLevel" in wrapped:
            wrapped["NoiseLevel"]["NoisePoly"] = _moved(np.asarray(wrapped["NoiseLevel"]["NoisePoly"]), middle)

    def _say_how_formed(self, new: Any, root: Element) -> None:  # noqa: ANN401 # sarkit's wrapper
        formation = new["ImageFormation"]
        widths = [float(new["Grid"][name]["ImpRespBW"]) / float(self.load(f"Grid/{name}/ImpRespBW")) for name in ("Row", "Col")]
        low, high = (float(self.load(f"ImageFormation/TxFrequencyProc/{end}Proc")) for end in ("Min", "Max"))
        middle_hz, half_hz = 0.5 * (low + high), 0.5 * (high - low) * widths[0]
        formation["TxFrequencyProc"] = {"MinProc": middle_hz - half_hz, "MaxProc": middle_hz + half_hz}
        begin, end = float(formation["TStartProc"]), float(formation["TEndProc"])
        if self.load("CollectionInfo/RadarMode/ModeType") == "SPOTLIGHT" and widths[1] < 1.0:
            half_s = 0.5 * (end - begin) * widths[1]
            at = min(max(float(np.asarray(new["Grid"]["TimeCOAPoly"])[0, 0]), begin + half_s), end - half_s)
            formation["TStartProc"], formation["TEndProc"] = at - half_s, at + half_s
        formation["Processing"] = [{"Type": "reduced for release: band and area", "Applied": True}]
        for path, axis, name in (("Krg", 0, "Row"), ("Kaz", 1, "Col")):
            if root.find("./{*}PFA") is not None and self.axes[axis].band is not None:
                centre, half = float(new["Grid"][name]["KCtr"]), 0.5 * float(new["Grid"][name]["ImpRespBW"])
                new["PFA"][f"{path}1"], new["PFA"][f"{path}2"] = centre - half, centre + half
        inca = root.find("./{*}RMA/{*}INCA")
        if inca is not None and self.axes[1].band is not None and not np.any(np.asarray(new["Grid"]["Col"]["DeltaKCOAPoly"])):
            speed = float(np.asarray(self.load("RMA/INCA/TimeCAPoly"))[1])
            wrapped = new["RMA"]["INCA"]
            if "DopCentroidPoly" in wrapped:
                wrapped["DopCentroidPoly"] = np.array([[float(new["Grid"]["Col"]["KCtr"]) / speed]])

    def resolution_m(self, root: Element) -> float:
        helper = _sarkit.XmlHelper(root.getroottree())
        return min(
            float(helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}ImpRespWid")) / self._on_ground(name) for name in ("Row", "Col")
        )


def _own_security(file: BinaryIO) -> NitfSecurity | None:
    """Security group of a file's header; None where it has none that NITF knows."""
    file.seek(0)
    try:
        return file_security(file.read(_HEAD_BYTES))
    except InputError:
        return None


def _cut(
    file: BinaryIO, shape: tuple[int, int], polygons: Sequence[Sequence[Ring]]
) -> tuple[tuple[int, int, int, int], Mask | None]:
    """First row and column, rows and columns of what of an image an area needs, and which pixels of it lie inside."""
    rows, cols, latitudes, longitudes = ground_points(file)
    net = zip(rows.tolist(), cols.tolist(), latitudes.tolist(), longitudes.tolist(), strict=True)
    points = tuple(GroundControlPoint(row=row + 0.5, col=col + 0.5, x=lon, y=lat) for row, col, lat, lon in net)
    outline = on_image(ImageGrid(CRS.from_epsg(4326), None, points, shape), union_of(polygons))
    if outline.is_empty:
        raise reduction_fault(NOTHING_LEFT)
    west, north, east, south = outline.bounds
    top, left = max(0, math.floor(north)), max(0, math.floor(west))
    bottom, right = min(shape[0], math.ceil(south)), min(shape[1], math.ceil(east))
    if bottom <= top or right <= left:
        raise reduction_fault(NOTHING_LEFT)
    if (bottom - top) * (right - left) > MOST_PIXELS:
        return (top, left, bottom - top, right - left), None
    mask = inside(outline, top, left, (bottom - top, right - left))
    in_rows, in_cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not in_rows.size:
        raise reduction_fault(NOTHING_LEFT)
    part = slice(in_rows[0], in_rows[-1] + 1), slice(in_cols[0], in_cols[-1] + 1)
    mask = mask[part]
    return (top + int(in_rows[0]), left + int(in_cols[0]), *mask.shape), mask


def _filtered(element: Element, kept: Mapping[str, Any]) -> Element:
    """Copy of an element with those children that are named, and of each what is named of it; without attributes' strangers."""
    if not kept:
        return copy.deepcopy(element)
    made = lxml.etree.Element(element.tag, {str(k): str(v) for k, v in element.attrib.items() if k in {"size", "index"}})
    made.text = element.text if len(element) == 0 else None
    for child in element.iterchildren(tag=lxml.etree.Element):
        inner = kept.get(lxml.etree.QName(child).localname)
        if inner is not None:
            made.append(_filtered(child, inner))
    return made


def _at(poly: Floats, x: Floats, y: Floats) -> Floats:
    return np.asarray(np.polynomial.polynomial.polyval2d(x, y, poly), np.float64)


def _moved(poly: Floats, middle: Floats) -> Floats:
    """Coefficients about another point: p(x + middle[0], y + middle[1])."""
    poly = np.asarray(poly, np.float64)
    if not np.any(middle):
        return poly
    for axis, at in enumerate(np.asarray(middle).tolist()):
        if poly.shape[axis] > 1:
            lines = np.moveaxis(poly, axis, 0)
            made = np.zeros_like(lines)
            for power, line in enumerate(lines):
                for lower in range(power + 1):
                    made[lower] += math.comb(power, lower) * at ** (power - lower) * line
            poly = np.moveaxis(made, 0, axis)
    return poly


def _slice_of(weights: Floats | None, width: float, kept: float) -> tuple[Floats, Floats]:
    """Weights over the whole band and over its middle, both at as many places."""
    if weights is None:
        return np.ones(2), np.ones(2)
    whole = np.asarray(weights, np.float64)
    places = np.linspace(-0.5, 0.5, len(whole))
    return whole, np.interp(places * min(kept / width, 1.0), places, whole)


def _half_power_width(weights: Floats) -> float:
    """Full width at half power of the response to a weighted band of width 1."""
    places = (np.arange(len(weights)) - (len(weights) - 1) / 2.0) / len(weights)
    at = np.linspace(0.0, 3.0, 3001)
    response = np.cos(2.0 * math.pi * np.outer(at, places)) @ weights / weights.sum()
    below = int(np.flatnonzero(response < math.sqrt(0.5))[0])
    return 2.0 * float(np.interp(-math.sqrt(0.5), -response[below - 1 : below + 1], at[below - 1 : below + 1]))
