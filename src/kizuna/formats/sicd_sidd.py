"""A SIDD of a SICD: its amplitude on the ground at the scene's middle, in levels for the eye, marked anew.

All that goes into it is the SICD: of a reduced one nothing is told that the reduced one does not hold.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import sarkit.sicd

from kizuna.earth.wgs84 import ecef_to_geodetic, enu_basis
from kizuna.formats.sicd import read_pixels, read_summary
from kizuna.formats.sicd_geometry import SicdGeometry, read_sicd_geometry
from kizuna.formats.sicd_looks import looks_of_image
from kizuna.formats.sicd_metadata import UNIFORM, weighting_of
from kizuna.formats.sidd_write import DetectedImage, eye_levels, write_sidd
from kizuna.sar.collection import Mode
from kizuna.sar.geocode import fit_projection, resample_power
from kizuna.sar.windows import Window

if TYPE_CHECKING:
    from kizuna.formats.marking import Marking

__all__ = ["DetectedFile", "detected_file", "sidd_of_sicd"]

type Floats = npt.NDArray[np.float64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd
_UNIFORM = Window()
_EDGE = 9
_NOTED = ("NominalPosition", "NominalCollectStart", "PulseTimes")


@dataclass(frozen=True, slots=True)
class DetectedFile:
    """A SIDD, and what is known of its speckle.

    Parameters
    ----------
    data
        The file.
    shape
        Rows and columns.
    equivalent_looks
        Measured before levels were made; NaN where the image has no field that is large enough.
    """

    data: bytes
    shape: tuple[int, int]
    equivalent_looks: float


def sidd_of_sicd(file: BinaryIO, marking: Marking) -> bytes:
    """Detect a SICD and write it as SIDD 3.0: the bytes of `detected_file` of one look."""
    return detected_file(file, marking).data


def detected_file(file: BinaryIO, marking: Marking, *, looks: int = 1, aperture: Window = _UNIFORM) -> DetectedFile:
    """Detect a SICD, in one look or in several, and write it as SIDD 3.0.

    Parameters
    ----------
    file
        Open, seekable SICD.
    marking
        What the SIDD is marked as.
    looks, aperture
        As `kizuna.formats.sicd_looks.looks_of_image`.

    Returns
    -------
    DetectedFile
        Amplitude at twice the sampling of the SICD, or of its looks, on the plane that touches the ground at the scene's middle,
        rows growing away from the radar. The same SICD, marking and looks give the same bytes.

    Raises
    ------
    InputError
        Not a SICD, or one whose geometry does not meet the ground; a label that IC-ISM or NITF cannot say; too many looks.
    """
    summary, geometry = read_summary(file), read_sicd_geometry(file)
    helper = _sarkit.XmlHelper(geometry.tree)
    latitude, longitude, _ = (float(value) for value in ecef_to_geodetic(geometry.scp_ecef_m))
    up = enu_basis(latitude, longitude)[2]
    away = np.asarray(helper.load("./{*}GeoData/{*}SCP/{*}ECF")) - np.asarray(helper.load("./{*}SCPCOA/{*}ARPPos"))
    away = away - (away @ up) * up
    row = np.asarray(away / np.linalg.norm(away), np.float64)
    col = np.asarray(np.cross(up, row), np.float64)
    seen = looks_of_image(geometry.tree, read_pixels(file), looks, aperture=aperture)
    finer = 2.0, seen.columns_a_pixel
    wider = 1.0, looks * weighting_of(aperture).half_power_width() / UNIFORM.half_power_width()
    spacing = _along(helper, "SS", (row, col), (1.0 / finer[0], 1.0 / finer[1]))
    amplitude, pixel = _on_plane(geometry, seen.power, finer, (row, col), spacing)
    known = np.isfinite(amplitude)
    levels = np.zeros(amplitude.shape, np.uint8)
    levels[known], words = eye_levels(amplitude[known].astype(np.float32))
    start = summary.collected.begin
    mode = str(helper.load("./{*}CollectionInfo/{*}RadarMode/{*}ModeType"))
    image = DetectedImage(
        levels=levels,
        reference_ecef_m=geometry.scp_ecef_m,
        reference_pixel=pixel,
        row_ecef=row,
        col_ecef=col,
        spacing_m=spacing,
        path=np.asarray(helper.load("./{*}Position/{*}ARPPoly"), np.float64),
        seen_s=float(helper.load("./{*}SCPCOA/{*}SCPTime")),
        start=start,
        duration_s=float(helper.load("./{*}Timeline/{*}CollectDuration")),
        resolution_m=_along(helper, "ImpRespWid", (row, col), wider),
        sensor=summary.sensor,
        name=summary.core_name,
        polarisation=summary.polarisation,
        produced=summary.produced or start,
        mode=Mode(mode) if mode in set(Mode) else Mode.SPOTLIGHT,
        mode_name=str(helper.load("./{*}CollectionInfo/{*}RadarMode/{*}ModeID") or ""),
        remap=words,
        marking=marking,
        notes=tuple((name, text) for name, _, text in (note.partition(": ") for note in summary.notes) if name in _NOTED)
        + ((("Looks", f"{looks}, of parts of the aperture side by side"),) if looks > 1 else ()),
    )
    target = io.BytesIO()
    write_sidd(target, image)
    rows, cols = levels.shape
    return DetectedFile(target.getvalue(), (rows, cols), seen.equivalent)


def _along(
    helper: Any,  # noqa: ANN401 # sarkit's XML helper, untyped
    member: str,
    axes: tuple[Floats, Floats],
    factors: tuple[float, float],
) -> tuple[float, float]:
    """Member of both grid axes, metres, times factors, each on the plane's axis that it is nearest to, stretched onto it."""
    found = {}
    for name, factor in zip(("Row", "Col"), factors, strict=True):
        vector = np.asarray(helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}UVectECF"))
        cosines = [abs(float(vector @ axis)) for axis in axes]
        nearest = int(np.argmax(cosines))
        on_plane = max(math.hypot(*cosines), 1e-3)
        found[nearest] = factor * float(helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}{member}")) / on_plane
    both = [found.get(k, next(iter(found.values()))) for k in (0, 1)]
    return both[0], both[1]


def _on_plane(
    geometry: SicdGeometry,
    power: npt.NDArray[np.float32],
    finer: tuple[float, float],
    axes: tuple[Floats, Floats],
    spacing: tuple[float, float],
) -> tuple[Floats, tuple[float, float]]:
    """Amplitude on the plane, NaN beyond the image, and the fractional pixel at which the scene's middle lies.

    `power` has `finer` rows and columns for one of the SICD's.
    """
    edge = np.linspace(0.0, 1.0, _EDGE)
    rows, cols = np.meshgrid(*((size - 1) * edge for size in geometry.shape), indexing="ij")
    offset = geometry.ground_of(rows.ravel(), cols.ravel(), geometry.scp_height_m) - geometry.scp_ecef_m
    first, last = [], []
    for axis, step in zip(axes, spacing, strict=True):
        along = offset @ axis
        first.append(math.floor(float(along.min()) / step))
        last.append(math.ceil(float(along.max()) / step))
    down, across = (
        step * np.arange(low, high + 1, dtype=np.float64) for step, low, high in zip(spacing, first, last, strict=True)
    )

    def project(x: Floats, y: Floats, height: Floats) -> tuple[Floats, Floats]:
        del height
        return geometry.pixels_of(geometry.scp_ecef_m + x[:, None] * axes[0] + y[:, None] * axes[1])

    fitted = fit_projection(project, (down[0], down[-1]), (across[0], across[-1]), (0.0, 0.0))
    x, y = np.meshgrid(down, across, indexing="ij")
    at_row, at_col = fitted(x, y, np.zeros(x.shape))
    amplitude = np.sqrt(resample_power(power, finer[0] * at_row, finer[1] * at_col))
    return amplitude, (float(-first[0]), float(-first[1]))
