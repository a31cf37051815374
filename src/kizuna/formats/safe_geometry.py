"""Where places lie on the pixels of a Sentinel-1 GRD: by orbit and ground range of its annotation, not by its control points.

A place is seen when the orbit has it at right angles (zero Doppler), at its slant range; polynomials of the annotation make
ground range of that. The geolocation grid holds what the processor found so: it says how azimuth times run in the image, and is
the check of all the rest (S1-RS-MDA-52-7441).
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
from rasterio.errors import RasterioError
from rasterio.windows import Window
from scipy.interpolate import CubicHermiteSpline, RegularGridInterpolator

from kizuna.earth.wgs84 import SEMI_MAJOR_AXIS_M, ecef_to_geodetic, geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import open_tiff
from kizuna.formats.safe import (
    MOST_IMAGE_BYTES,
    SafePackage,
    image_names,
    image_shape,
    instant_of,
    is_detected,
    refused,
    states_of,
)
from kizuna.sar.geocode import AveragedPower
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from kizuna.formats.metadata_tree import MetadataTree
    from kizuna.model.instants import Instant

__all__ = ["MOST_GRID_MISFIT_PX", "SafeGeometry", "read_safe_geometry", "read_safe_power"]

type Floats = npt.NDArray[np.float64]

MOST_GRID_MISFIT_PX = 1.0
"""How far the geometry may be off the processor's own geolocation grid, pixels."""

_ROUNDS = 6
_LEAST_POINTS = 6
_BLOCK_PIXELS = 1 << 24
_POINTS = "geolocationGrid/geolocationGridPointList/geolocationGridPoint"


@dataclass(frozen=True, slots=True)
class SafeGeometry:
    """Geometry of one GRD.

    Parameters
    ----------
    shape
        Rows (azimuth lines) and columns (ground range).
    path
        Antenna's ECEF position, metres, over seconds.
    line_of
        Line as 1, seconds of zero Doppler, slant range: coefficients, shape (3,). The range stands for the echo's own delay.
    spacing_m
        Of columns on the ground, and of lines along the track.
    seconds_of_sets, origins_m, coefficients
        Ground range as polynomials of slant range less an origin: of each set its time, its origin, its coefficients.
    ranges_m
        Least and greatest slant range of the image.
    calibration
        Of sigma nought and beta nought, over line and pixel; empty where the package has none.
    scp_ecef_m, scp_height_m
        Middle of the scene, and its height above the ellipsoid: the mean of the geolocation grid's.
    misfit_px
        How far the geolocation grid is off all this, at most.
    """

    shape: tuple[int, int]
    path: CubicHermiteSpline
    line_of: Floats
    spacing_m: tuple[float, float]
    seconds_of_sets: Floats
    origins_m: Floats
    coefficients: Floats
    ranges_m: tuple[float, float]
    calibration: dict[str, RegularGridInterpolator]
    scp_ecef_m: Floats
    scp_height_m: float
    misfit_px: float = 0.0

    def smooth_of(self, position_ecef_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Lines, and slant ranges in half column spacings, each (...), of ECEF positions (..., 3): smooth over any scene."""
        seconds, range_m = self._seen(np.asarray(position_ecef_m, np.float64))
        return self._line(seconds, range_m), (range_m - self.ranges_m[0]) / (0.5 * self.spacing_m[0])

    def pixels_from(self, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        """Fractional rows and columns of what `smooth_of` gives."""
        range_m = second * (0.5 * self.spacing_m[0]) + self.ranges_m[0]
        return first, self._ground_m(self._seconds(first, range_m), range_m) / self.spacing_m[0]

    def pixels_of(self, position_ecef_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Fractional rows and columns, each (...), 0 being the centre of the first pixel, of ECEF positions (..., 3)."""
        return self.pixels_from(*self.smooth_of(position_ecef_m))

    def ground_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike, height_m: float) -> Floats:
        """ECEF positions (..., 3), metres, in which pixels meet the surface of a height above the ellipsoid.

        Notes
        -----
        On a sphere about the Earth's centre through the place, whose radius follows the ellipsoid from round to round.
        """
        rows, cols = np.broadcast_arrays(np.asarray(rows, np.float64), np.asarray(cols, np.float64))
        range_m = self._slant_m(rows, cols)
        antenna, velocity = self.antenna_of(rows, cols)
        distance = np.linalg.norm(antenna, axis=-1)
        down = -antenna / distance[..., None]
        # The side that the radar looks to, at right angles to its motion: Sentinel-1's is the right one.
        ahead = velocity / np.linalg.norm(velocity, axis=-1, keepdims=True)
        right = np.cross(down, ahead)
        right /= np.linalg.norm(right, axis=-1, keepdims=True)
        down = np.cross(ahead, right)
        vertical = -(down * antenna).sum(axis=-1)
        radius = np.full(rows.shape, SEMI_MAJOR_AXIS_M + height_m)
        place = antenna
        for _ in range(2 * _ROUNDS):
            along_down = (distance**2 + range_m**2 - radius**2) / (2.0 * vertical)
            aside = np.sqrt(np.maximum(range_m**2 - along_down**2, 0.0))
            place = antenna + along_down[..., None] * down + aside[..., None] * right
            radius += height_m - ecef_to_geodetic(place)[2]
        return np.asarray(place, np.float64)

    def antenna_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Antenna's ECEF positions and velocities, each (..., 3), m and m/s, when pixels were at right angles."""
        rows, cols = np.broadcast_arrays(np.asarray(rows, np.float64), np.asarray(cols, np.float64))
        seconds = self._seconds(rows, self._slant_m(rows, cols))
        return np.asarray(self.path(seconds), np.float64), np.asarray(self.path(seconds, 1), np.float64)

    def brightness(self, quantity: str, rows: Floats, cols: Floats) -> Floats:
        """What squared amplitude is multiplied by for ``sigma0`` or ``beta0``, at pixels.

        Raises
        ------
        InputError
            The package has no calibration.
        """
        if quantity not in self.calibration:
            raise InputError(
                Message("the SAFE package has no calibration"),
                hint=Message("Only its amplitude can be mapped."),
                field="quantity",
            )
        limit = np.array(self.shape) - 1.0
        at = np.stack([np.clip(rows, 0.0, limit[0]), np.clip(cols, 0.0, limit[1])], axis=-1)
        return np.asarray(self.calibration[quantity](at) ** -2.0, np.float64)

    def slant_area_m2(self, rows: Floats, cols: Floats) -> Floats:
        """Area of pixels in the slant plane, square metres."""
        across = self._slant_m(rows, cols + 0.5) - self._slant_m(rows, cols - 0.5)
        return self.spacing_m[1] * across

    def _seen(self, position: Floats) -> tuple[Floats, Floats]:
        """Seconds of zero Doppler and slant ranges of positions, by Newton's method."""
        seconds = np.full(position.shape[:-1], float(np.mean(self.seconds_of_sets)))
        for _ in range(_ROUNDS):
            away, velocity = position - self.path(seconds), self.path(seconds, 1)
            doppler = (velocity * away).sum(axis=-1)
            seconds = seconds - doppler / ((self.path(seconds, 2) * away).sum(axis=-1) - (velocity**2).sum(axis=-1))
        return seconds, np.asarray(np.linalg.norm(position - self.path(seconds), axis=-1))

    def _line(self, seconds: Floats, range_m: Floats) -> Floats:
        return np.asarray(self.line_of[0] + self.line_of[1] * seconds + self.line_of[2] * range_m)

    def _seconds(self, line: Floats, range_m: Floats) -> Floats:
        return np.asarray((line - self.line_of[0] - self.line_of[2] * range_m) / self.line_of[1])

    def _set_of(self, seconds: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
        """Set before each time, and the share of the one after it."""
        times = self.seconds_of_sets
        before = np.clip(np.searchsorted(times, seconds) - 1, 0, max(len(times) - 2, 0))
        after = np.minimum(before + 1, len(times) - 1)
        length = np.where(after > before, times[after] - times[before], 1.0)
        return before, np.clip((seconds - times[before]) / length, 0.0, 1.0)

    def _ground_m(self, seconds: Floats, range_m: Floats) -> Floats:
        """Ground range, linear in time between sets, and along range beyond the image."""
        before, share = self._set_of(np.asarray(seconds, np.float64))
        after = np.minimum(before + 1, len(self.seconds_of_sets) - 1)
        reach = self.ranges_m[1] - self.ranges_m[0]
        inside = np.clip(range_m, self.ranges_m[0] - 0.02 * reach, self.ranges_m[1] + 0.02 * reach)
        total = np.zeros(np.shape(range_m))
        for which, weight in ((before, 1.0 - share), (after, share)):
            offset = inside - self.origins_m[which]
            ground = np.zeros_like(offset)
            for power in range(self.coefficients.shape[1] - 1, -1, -1):
                ground = ground * offset + self.coefficients[which, power]
            total += weight * ground
        return total + (range_m - inside)

    def _slant_m(self, rows: Floats, cols: Floats) -> Floats:
        """Slant range of pixels: the inverse of `_ground_m`, by the secant between both ends."""
        rows, wanted = np.broadcast_arrays(np.asarray(rows, np.float64), np.asarray(cols, np.float64) * self.spacing_m[0])
        low, high = (np.full(np.shape(wanted), value) for value in self.ranges_m)
        ends = [self._ground_m(self._seconds(rows, value), value) for value in (low, high)]
        found = low + (high - low) * (wanted - ends[0]) / (ends[1] - ends[0])
        for _ in range(_ROUNDS):
            at = self._ground_m(self._seconds(rows, found), found)
            slope = self._ground_m(self._seconds(rows, found + 1.0), found + 1.0) - at
            found = found + (wanted - at) / slope
        return np.asarray(found, np.float64)


def read_safe_geometry(file: BinaryIO) -> SafeGeometry:
    """Geometry of a package's first image (of the channel sent and received alike, if there is one).

    Parameters
    ----------
    file
        Open, seekable ZIP file.

    Raises
    ------
    InputError
        No SAFE package of a GRD, or one whose annotation lacks orbit, ground range or grid, or where these do not agree.
    """
    package = SafePackage(file)
    name, _image = image_names(package)
    annotation = package.tree(name)
    if not is_detected(annotation):
        raise InputError(
            Message("the SAFE package is no GRD: its pixels do not lie in ground range"),
            hint=Message("Ask for the GRD of the same acquisition."),
            field="file",
        )
    calibration = package.calibration_of(name)
    try:
        with np.errstate(all="ignore"):  # numbers of a damaged package overflow; what comes of them is refused
            return _geometry(annotation, None if calibration is None else package.tree(calibration))
    except np.linalg.LinAlgError as error:
        raise _lacking("geolocationGrid") from error


def _lacking(what: str) -> InputError:
    return refused(Message("the SAFE package's annotation has no usable {what}", {"what": what}))


def _geometry(annotation: MetadataTree, calibration: MetadataTree | None) -> SafeGeometry:
    shape = image_shape(annotation)
    states = states_of(annotation)
    spacing = [annotation.number(f"imageAnnotation/imageInformation/{axis}PixelSpacing") for axis in ("range", "azimuth")]
    if shape is None or min(shape) < 1 or None in spacing or min(float(one or 0.0) for one in spacing) <= 0.0:
        raise _lacking("imageInformation")
    if len(states) < 2:  # noqa: PLR2004 # between two
        raise _lacking("orbitList")
    zero = states[0][0]
    times = np.array([(time - zero).total_seconds() for time, _, _ in states])
    if not (np.diff(times) > 0.0).all():
        raise _lacking("orbitList")
    path = CubicHermiteSpline(times, [place for _, place, _ in states], [velocity for _, _, velocity in states])
    grid = []
    for point in annotation.below(_POINTS):
        seen = instant_of(point.text("azimuthTime") or "")
        known = [point.number(name) for name in ("line", "pixel", "slantRangeTime", "height")]
        known += [point.radians("latitude"), point.radians("longitude")]
        if seen is not None and None not in known:
            grid.append([(seen - zero).total_seconds(), *(float(value or 0.0) for value in known)])
    points = np.array(grid, np.float64).reshape(-1, 7)
    seconds, line, _pixel, delay, height, latitude, longitude = points.T
    range_m = 0.5 * SPEED_OF_LIGHT_M_S * delay
    if len(points) < _LEAST_POINTS or not times[0] <= seconds.min() <= seconds.max() <= times[-1]:
        raise _lacking("geolocationGrid")
    design = np.stack([np.ones(len(points)), seconds, range_m], axis=-1)
    centre, width = design.mean(axis=0), np.maximum(np.ptp(design, axis=0), 1e-9)
    scaled = np.linalg.lstsq(np.column_stack([np.ones(len(points)), (design[:, 1:] - centre[1:]) / width[1:]]), line)[0]
    slopes = scaled[1:] / width[1:]
    line_of = np.array([scaled[0] - slopes @ centre[1:], *slopes])
    if not line_of[1] > 0.0:
        raise _lacking("geolocationGrid")
    sets = sorted(_ground_range_sets(annotation, zero), key=lambda one: one[0])
    if not sets:
        raise _lacking("coordinateConversion")
    longest = max(len(one[2]) for one in sets)
    middle_m = float(height.mean())
    made = SafeGeometry(
        shape,
        path,
        line_of,
        (float(spacing[0] or 0.0), float(spacing[1] or 0.0)),
        np.array([one[0] for one in sets]),
        np.array([one[1] for one in sets]),
        np.array([[*one[2], *[0.0] * (longest - len(one[2]))] for one in sets]),
        (float(range_m.min()), float(range_m.max())),
        {} if calibration is None else _calibrations(calibration),
        np.zeros(3),
        middle_m,
    )
    rows, cols = made.pixels_of(geodetic_to_ecef(latitude, longitude, height))
    misfit = float(np.hypot(rows - line, cols - points[:, 2]).max())
    if not misfit <= MOST_GRID_MISFIT_PX:
        raise refused(
            Message(
                "the SAFE package's orbit and its geolocation grid are {got} pixels apart",
                {"got": round(misfit, 1) if math.isfinite(misfit) else "nan"},
            )
        )
    scp = made.ground_of(0.5 * (shape[0] - 1), 0.5 * (shape[1] - 1), middle_m)
    return replace(made, scp_ecef_m=scp, misfit_px=misfit)


def _ground_range_sets(annotation: MetadataTree, zero: Instant) -> list[tuple[float, float, list[float]]]:
    """Time, origin and coefficients of each polynomial from slant range to ground range."""
    found = []
    for one in annotation.below("coordinateConversion/coordinateConversionList/coordinateConversion"):
        seen, origin = instant_of(one.text("azimuthTime") or ""), one.number("sr0")
        try:
            terms = [float(word) for word in (one.text("srgrCoefficients") or "").split()]
        except ValueError:
            continue
        if seen is not None and origin is not None and terms and all(map(math.isfinite, terms)):
            found.append(((seen - zero).total_seconds(), origin, terms))
    return found


def _calibrations(tree: MetadataTree) -> dict[str, RegularGridInterpolator]:
    """Square roots of what squared amplitude is divided by, over line and pixel."""
    found: dict[str, RegularGridInterpolator] = {}
    vectors = tree.below("calibrationVectorList/calibrationVector")
    for quantity, name in (("sigma0", "sigmaNought"), ("beta0", "betaNought")):
        lines: list[float] = []
        rows: list[Floats] = []
        pixels: Floats | None = None
        for vector in vectors:
            try:
                at = np.array([float(word) for word in (vector.text("pixel") or "").split()])
                values = np.array([float(word) for word in (vector.text(name) or "").split()])
            except ValueError:
                continue
            line = vector.number("line")
            fine = len(at) == len(values) > 1 and bool((np.diff(at) > 0.0).all()) and bool((values > 0.0).all())
            if line is None or not fine or (lines and line <= lines[-1]):
                continue
            pixels = at if pixels is None else pixels
            lines.append(line)
            rows.append(np.interp(pixels, at, values))
        if pixels is not None and len(lines) > 1:
            found[quantity] = RegularGridInterpolator((lines, pixels), np.array(rows), bounds_error=False, fill_value=None)
    return found


def read_safe_power(file: BinaryIO, looks: tuple[int, int]) -> AveragedPower:
    """Squared amplitude of the image that `read_safe_geometry` places, averaged as it is read; zero all over a block is no data.

    Parameters
    ----------
    file
        Open, seekable ZIP file.
    looks
        Rows and columns that are averaged.

    Raises
    ------
    InputError
        A damaged package, or one without its images.
    """
    package = SafePackage(file)
    name, image = image_names(package)
    shape = image_shape(package.tree(name))
    with tempfile.TemporaryFile() as unpacked:
        package.copy(image, unpacked, MOST_IMAGE_BYTES)
        with open_tiff(unpacked) as dataset:
            if shape is None or dataset.shape != shape or dataset.count != 1 or dataset.dtypes[0].startswith("complex"):
                values = {"got": " x ".join(map(str, dataset.shape)), "expected": " x ".join(map(str, shape or ()))}
                raise refused(Message("the package's image has {got} pixels, its annotation says {expected}", values))
            down, across = looks
            rows, cols = shape[0] // down, shape[1] // across
            blocks = np.empty((rows, cols), np.float32)
            step = max(1, _BLOCK_PIXELS // (down * shape[1]))
            for begin in range(0, rows, step):
                end = min(begin + step, rows)
                try:
                    band = dataset.read(1, window=Window(0, begin * down, cols * across, (end - begin) * down))
                except (RasterioError, OSError, MemoryError) as error:
                    raise refused(Message("the TIFF file's pixels cannot be read: it is damaged or cut off")) from error
                power = np.square(band, dtype=np.float32).reshape(end - begin, down, cols, across).mean(axis=(1, 3))
                blocks[begin:end] = np.where(power > 0.0, power, np.nan)
    return AveragedPower(blocks, looks, shape)
