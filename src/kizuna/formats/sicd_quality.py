"""How good a SICD is: impulse responses against what its metadata promise, speckle, noise, and targets whose place is known."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import sarkit.sicd

from kizuna.earth.wgs84 import ecef_to_geodetic, geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.sicd import SicdSummary, read_pixels, read_summary
from kizuna.formats.sicd_geometry import SicdGeometry, read_sicd_geometry
from kizuna.sar.impulse import AxisResponse, ImpulseResponse, find_points, measure_response, theoretical_response
from kizuna.sar.speckle import equivalent_looks, noise_floor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Reference", "SicdQuality", "TargetQuality", "assess_sicd", "read_references"]

type Complex = npt.NDArray[np.complex64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd

_SEARCH_M = 15.0
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Reference:
    """A target whose place is known.

    Parameters
    ----------
    name
        Its name.
    position_ecef_m
        Its phase centre, ECEF, metres.
    cross_section_dbsm
        Radar cross-section, decibels of a square metre; NaN where it is not known.
    """

    name: str
    position_ecef_m: tuple[float, float, float]
    cross_section_dbsm: float = math.nan


@dataclass(frozen=True, slots=True)
class TargetQuality:
    """One point target, measured.

    Parameters
    ----------
    name
        Of the reference, or a number.
    response
        Its impulse response, in pixels.
    widths_m
        -3 dB widths along the row's and the column's direction, metres on the image plane.
    latitude_deg, longitude_deg
        Where it lies, at the reference's height or that of the scene's middle.
    offset_m
        Where it was found less where it should be, along the row's and the column's direction, metres; NaN without reference.
    cross_section_dbsm
        Measured; NaN where the file has no scale factor.
    cross_section_error_db
        Less the reference's; NaN without either.
    """

    name: str
    response: ImpulseResponse
    widths_m: tuple[float, float]
    latitude_deg: float
    longitude_deg: float
    offset_m: tuple[float, float] = (math.nan, math.nan)
    cross_section_dbsm: float = math.nan
    cross_section_error_db: float = math.nan


@dataclass(frozen=True, slots=True)
class SicdQuality:
    """What was measured of one SICD.

    Parameters
    ----------
    summary
        What the file says of itself.
    targets
        Point targets.
    widths_m
        -3 dB widths that the metadata promise, row and column, metres on the image plane.
    ground_widths_m
        The same on the ground at the scene's middle.
    theory
        Responses that follow from the metadata's weights, row and column.
    spacing_m
        Of the pixels, row and column.
    window
        Name of the weighting, row and column.
    looks, fields
        Equivalent number of looks, and how many fields it was measured on.
    darkest_sigma0_db
        Sigma nought of the darkest fields: noise is no more than this. NaN without scale factor.
    nesz_db
        Noise-equivalent sigma nought that the metadata say, at the scene's middle; NaN where they do not.
    """

    summary: SicdSummary
    targets: tuple[TargetQuality, ...]
    widths_m: tuple[float, float]
    ground_widths_m: tuple[float, float]
    theory: tuple[AxisResponse, AxisResponse]
    spacing_m: tuple[float, float]
    window: tuple[str, str]
    looks: float
    fields: int
    darkest_sigma0_db: float
    nesz_db: float


def read_references(data: bytes) -> tuple[Reference, ...]:
    r"""Targets of a CSV file with the columns ``name``, ``latitude_deg``, ``longitude_deg``, ``height_m`` and maybe ``rcs_dbsm``.

    The reflectors of a simulation's truth (`kizuna.formats.scene_truth`, GeoJSON) are taken as well.

    Raises
    ------
    InputError
        A column that is missing, or what is no number.

    Examples
    --------
    >>> read_references(b"name,latitude_deg,longitude_deg,height_m\nA,10.0,76.0,2.5\n")[0].name
    'A'
    """
    try:
        text = data.decode("utf-8-sig")
        rows = _reflectors(text) if text.lstrip().startswith("{") else list(csv.DictReader(io.StringIO(text)))
        made = []
        for row in rows:
            latitude, longitude, height = (float(row[name]) for name in ("latitude_deg", "longitude_deg", "height_m"))
            x, y, z = geodetic_to_ecef(math.radians(latitude), math.radians(longitude), height).tolist()
            made.append(Reference(row["name"].strip(), (x, y, z), float(row.get("rcs_dbsm") or "nan")))
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
        raise InputError(
            Message("the list of targets cannot be read: {reason}", {"reason": str(error) or type(error).__name__}),
            hint=Message(
                "It is a CSV file with the columns name, latitude_deg, longitude_deg, height_m and maybe rcs_dbsm, "
                "or the truth of a simulation."
            ),
            field="targets",
        ) from error
    return tuple(made)


def _reflectors(text: str) -> list[dict[str, Any]]:
    """Rows of the corner reflectors in a simulation's truth."""
    rows = []
    for feature in json.loads(text)["features"]:
        told = feature["properties"]
        if told["what"] == "trihedral":
            longitude, latitude, height = feature["geometry"]["coordinates"]
            row = {"name": told["name"], "latitude_deg": latitude, "longitude_deg": longitude, "height_m": height}
            rows.append({**row, "rcs_dbsm": told["rcs_dbsm"]})
    return rows


def assess_sicd(
    file: BinaryIO,
    *,
    references: Sequence[Reference] = (),
    places: Sequence[tuple[float, float]] = (),
    most: int = 8,
) -> tuple[SicdQuality, Complex]:
    """Measure a SICD.

    Parameters
    ----------
    file
        Open, seekable SICD.
    references
        Targets whose place is known: looked for within 15 m of it.
    places
        Rows and columns at which to measure.
    most
        How many point targets to find where neither is given.

    Returns
    -------
    quality, pixels : SicdQuality, ndarray of complex64
        What was measured, and the image.

    Raises
    ------
    InputError
        Not a SICD; a reference outside the image; a given place at which nothing can be measured.
    """
    summary, geometry = read_summary(file), read_sicd_geometry(file)
    pixels = read_pixels(file)
    helper = _sarkit.XmlHelper(geometry.tree)
    axes = [_axis(helper, name) for name in ("Row", "Col")]
    spacing, widths = tuple(axis.spacing_m for axis in axes), tuple(axis.width_m for axis in axes)
    widths_px = widths[0] / spacing[0], widths[1] / spacing[1]
    found: list[tuple[str, ImpulseResponse, Reference | None]] = []
    for reference in references:
        row, col = (float(at) for at in geometry.pixels_of(np.asarray(reference.position_ecef_m)))
        search_px = max(2, math.ceil(_SEARCH_M / max(spacing)))
        found.append((reference.name, measure_response(pixels, row, col, search_px=search_px), reference))
    found.extend((str(n), measure_response(pixels, *place), None) for n, place in enumerate(places, start=len(found) + 1))
    if not found:
        found = [(str(n), one, None) for n, one in enumerate(find_points(pixels, widths_px, most=most), start=1)]
    power = np.abs(pixels) ** 2
    looks, fields = equivalent_looks(power)
    return (
        SicdQuality(
            summary=summary,
            targets=tuple(_target(helper, geometry, spacing, *one) for one in found),
            widths_m=(widths[0], widths[1]),
            ground_widths_m=(widths[0] / axes[0].on_ground, widths[1] / axes[1].on_ground),
            theory=(theoretical_response(widths_px[0], axes[0].weights), theoretical_response(widths_px[1], axes[1].weights)),
            spacing_m=(spacing[0], spacing[1]),
            window=(axes[0].window, axes[1].window),
            looks=looks,
            fields=fields,
            darkest_sigma0_db=_decibels(noise_floor(power) * _factor(helper, "SigmaZeroSFPoly")),
            nesz_db=_nesz_db(helper),
        ),
        pixels,
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """What the metadata say of one axis."""

    spacing_m: float
    width_m: float
    on_ground: float
    window: str
    weights: npt.NDArray[np.float64] | None


def _axis(helper: Any, name: str) -> _Axis:  # noqa: ANN401 # sarkit's XML helper, untyped
    latitude, longitude, _ = np.radians(helper.load("./{*}GeoData/{*}SCP/{*}LLH"))
    up = geodetic_to_ecef(latitude, longitude, 1.0) - geodetic_to_ecef(latitude, longitude, 0.0)
    vector = helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}UVectECF")
    weights = helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}WgtFunct")
    return _Axis(
        spacing_m=float(helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}SS")),
        width_m=float(helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}ImpRespWid")),
        on_ground=math.sqrt(max(1.0 - float(vector @ up) ** 2, 1e-6)),
        window=str(
            helper.load(f"./{{*}}Grid/{{*}}{name}/{{*}}WgtType/{{*}}WindowName") or ("?" if weights is None else "WgtFunct")
        ),
        weights=None if weights is None else np.asarray(weights, np.float64),
    )


def _factor(helper: Any, name: str, x: float = 0.0, y: float = 0.0) -> float:  # noqa: ANN401 # sarkit's XML helper, untyped
    poly = helper.load(f"./{{*}}Radiometric/{{*}}{name}")
    return math.nan if poly is None else float(np.polynomial.polynomial.polyval2d(x, y, poly))


def _decibels(power: float) -> float:
    return 10.0 * math.log10(power) if power > 0.0 else math.nan


def _nesz_db(helper: Any) -> float:  # noqa: ANN401 # sarkit's XML helper, untyped
    if helper.load("./{*}Radiometric/{*}NoiseLevel/{*}NoiseLevelType") != "ABSOLUTE":
        return math.nan
    return _factor(helper, "NoiseLevel/{*}NoisePoly") + _decibels(_factor(helper, "SigmaZeroSFPoly"))


def _target(
    helper: Any,  # noqa: ANN401 # sarkit's XML helper, untyped
    geometry: SicdGeometry,
    spacing_m: tuple[float, ...],
    name: str,
    response: ImpulseResponse,
    reference: Reference | None,
) -> TargetQuality:
    x, y = (float(offset) for offset in geometry.offsets_m(response.row, response.col))
    section_db = _decibels(response.amplitude**2 * _factor(helper, "RCSSFPoly", x, y))
    height, offset, error_db = geometry.scp_height_m, (math.nan, math.nan), math.nan
    if reference is not None:
        row, col = (float(at) for at in geometry.pixels_of(np.asarray(reference.position_ecef_m)))
        offset = (response.row - row) * spacing_m[0], (response.col - col) * spacing_m[1]
        height = float(ecef_to_geodetic(np.asarray(reference.position_ecef_m))[2])
        error_db = section_db - reference.cross_section_dbsm
    latitude, longitude, _ = ecef_to_geodetic(geometry.ground_of(response.row, response.col, height))
    return TargetQuality(
        name=name,
        response=response,
        widths_m=(response.along_rows.width_px * spacing_m[0], response.along_cols.width_px * spacing_m[1]),
        latitude_deg=math.degrees(float(latitude)),
        longitude_deg=math.degrees(float(longitude)),
        offset_m=offset,
        cross_section_dbsm=section_db,
        cross_section_error_db=error_db,
    )
