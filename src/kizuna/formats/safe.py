"""Sentinel-1 SAFE, a package of files, as one ZIP file: Level-1 SLC and GRD (S1-RS-MDA-52-7441, S1-RS-MDA-52-7440).

Nothing of it is unpacked under a name of its own: members are read by the package's own order, each up to a limit whatever the
archive says of its size.
"""

from __future__ import annotations

import io
import math
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO

import numpy as np
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from scipy.interpolate import CubicHermiteSpline

from kizuna.earth.wgs84 import geodetic_to_ecef
from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import Placed, open_tiff, place
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.sentinel1_names import parse_sentinel1_name
from kizuna.formats.sicd_observation import platform_of
from kizuna.formats.xml_reading import parse_xml
from kizuna.model.instants import Instant, Interval, parse_instant
from kizuna.model.observation import (
    Grid,
    Observation,
    Orbit,
    OrbitState,
    Processing,
    Radar,
    Side,
    Viewing,
    band_of,
    plausible,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MOST_IMAGE_BYTES",
    "SafePackage",
    "SafeSummary",
    "image_names",
    "image_shape",
    "instant_of",
    "is_detected",
    "is_package",
    "read_safe_amplitude",
    "read_safe_summary",
    "refused",
    "states_of",
]

_MOST_MEMBERS = 4096
_MOST_METADATA_BYTES = 64 << 20
MOST_IMAGE_BYTES = 8 << 30
"""Of one image, at most."""
# A map needs no more: an image of more pixels is read at half, a third, ... of its sampling.
_MOST_PIXELS = 100_000_000
_MOST_ANNOTATIONS = 64
_MANIFEST = "manifest.safe"
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
# Range and azimuth resolution in metres at the middle of the swath (S1-RS-MDA-52-7440, tables of GRD products).
_GRD_RESOLUTION_M = {
    "IW_GRDH": (20.0, 22.0),
    "IW_GRDM": (88.0, 87.0),
    "EW_GRDH": (50.0, 50.0),
    "EW_GRDM": (93.0, 87.0),
}
_CLASS_AT = slice(4, 11)
"""Where mode, type and resolution stand in a product's name."""


@dataclass(frozen=True, slots=True)
class SafeSummary:
    """What a catalogue wants to know of a SAFE package.

    Parameters
    ----------
    name
        Of the package, as its own folder is called.
    footprint_lonlat_deg
        Corners (longitude, latitude) in degrees, counter-clockwise, first point not repeated.
    collected
        First line to last, of all its images.
    produced
        When it was processed, if it says so.
    sensor
        Such as ``"Sentinel-1A"``.
    is_complex
        Whether its images hold phase (SLC), or it holds files of which nothing is told.
    spacing_m
        Coarser of the two distances of pixels.
    observation
        How it was observed.
    """

    name: str
    footprint_lonlat_deg: tuple[tuple[float, float], ...]
    collected: Interval
    produced: Instant | None
    sensor: str
    is_complex: bool
    spacing_m: float
    observation: Observation | None


def refused(message: Message) -> InputError:
    """Error of a package that is damaged, and what to do."""
    return InputError(
        message, hint=Message("Fetch the package again, and give it as it is: the ZIP file or its folder."), field="file"
    )


class SafePackage:
    """Members of a package, each read to a limit."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        try:
            # It stays open with the file, which is the caller's.
            self._zip = zipfile.ZipFile(file)
            members = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise refused(Message("the ZIP file cannot be read: {reason}", {"reason": str(error) or "damaged"})) from error
        if len(members) > _MOST_MEMBERS:
            raise refused(
                Message(
                    "the ZIP file holds {count} files, at most {most} are read", {"count": len(members), "most": _MOST_MEMBERS}
                )
            )
        manifests = [m for m in members if m.filename.rpartition("/")[2] == _MANIFEST and m.filename.count("/") <= 1]
        if len(manifests) != 1:
            raise refused(Message("the ZIP file is no SAFE package: it holds {count} manifest.safe", {"count": len(manifests)}))
        self._manifest = manifests[0]
        self.folder = self._manifest.filename.removesuffix(_MANIFEST)
        self._members = {member.filename: member for member in members}

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.rstrip("/")

    def manifest(self) -> MetadataTree:
        """What the package says of itself."""
        return self.tree(self._manifest.filename)

    def annotations(self) -> tuple[str, ...]:
        """Names of the images' annotations, those of calibration and noise not among them."""
        start = f"{self.folder}annotation/"
        return tuple(
            sorted(n for n in self._members if n.startswith(start) and n.endswith(".xml") and "/" not in n.removeprefix(start))
        )[:_MOST_ANNOTATIONS]

    def calibration_of(self, annotation: str) -> str | None:
        """Name of the calibration of the image that an annotation is of, if the package has one."""
        folder, _, name = annotation.rpartition("/")
        found = f"{folder}/calibration/calibration-{name}"
        return found if found in self._members else None

    def image_of(self, annotation: str) -> str | None:
        """Name of the image that an annotation is of; a cloud-optimised one has a name that goes on."""
        stem = annotation.rpartition("/")[2].removesuffix(".xml").removesuffix("-cog")
        start = f"{self.folder}measurement/{stem}"
        return next((n for n in sorted(self._members) if n in {f"{start}.tiff", f"{start}-cog.tiff"}), None)

    def has_more(self, annotations: Sequence[str]) -> bool:
        """Whether it holds what no annotation tells of: images without one, or files where a package has none."""
        told = {self.image_of(annotation) for annotation in annotations}
        known = tuple(f"{self.folder}{part}" for part in ("annotation/", "preview/", "support/"))
        return any(
            name not in told
            and name != self._manifest.filename
            and not name.endswith("/")
            and not name.startswith(known)
            and not name.endswith((".pdf", ".html"))
            for name in self._members
        )

    def tree(self, name: str) -> MetadataTree:
        """An XML member."""
        target = io.BytesIO()
        self.copy(name, target, _MOST_METADATA_BYTES)
        return MetadataTree(parse_xml(target.getvalue(), what=name, most_bytes=_MOST_METADATA_BYTES))

    def copy(self, name: str, target: IO[bytes], most_bytes: int) -> None:
        """Bytes of a member, no more than a limit whatever the archive says."""
        member = self._members[name]
        if member.flag_bits & _ENCRYPTED:
            raise refused(Message("{name} in the package is encrypted", {"name": name}))
        written = 0
        try:
            with self._zip.open(member) as source:
                while chunk := source.read(_CHUNK_BYTES):
                    written += len(chunk)
                    if written > most_bytes:
                        raise refused(
                            Message("{name} in the package is larger than {most} bytes", {"name": name, "most": most_bytes})
                        )
                    target.write(chunk)
        except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError, RuntimeError) as error:
            values = {"name": name, "reason": str(error)[:200] or "damaged"}
            raise refused(Message("{name} in the package cannot be read: {reason}", values)) from error


def is_package(file: BinaryIO) -> bool:
    """Whether a file is a ZIP file, as packages are sent."""
    file.seek(0)
    return file.read(4) == b"PK\x03\x04"


def read_safe_summary(file: BinaryIO) -> SafeSummary:
    """What a catalogue wants to know of a SAFE package.

    Parameters
    ----------
    file
        Open, seekable ZIP file.

    Raises
    ------
    InputError
        No SAFE package of Level 1, or a damaged one.
    """
    package = SafePackage(file)
    manifest = package.manifest()
    annotations = [package.tree(name) for name in _annotations(package)]
    first = annotations[0]
    times = [_times(one) for one in annotations]
    spacings = [first.number(f"imageAnnotation/imageInformation/{axis}PixelSpacing") or 0.0 for axis in ("range", "azimuth")]
    named = parse_sentinel1_name(package.name)
    produced = manifest.attribute("metadataSection/metadataObject/metadataWrap/xmlData/processing", "stop")
    unit = (first.text("adsHeader/missionId") or "").upper()
    return SafeSummary(
        name=package.name,
        footprint_lonlat_deg=_footprint(manifest),
        collected=Interval(min(time.begin for time in times), max(time.end or time.begin for time in times)),
        produced=None if produced is None else instant_of(produced),
        sensor=f"Sentinel-{unit[1:]}" if unit.startswith("S1") else "",
        is_complex=not all(map(is_detected, annotations)) or package.has_more(_annotations(package)),
        spacing_m=max(*spacings, 1e-3),
        observation=plausible(
            Observation(
                radar=_radar(package.name, annotations, spacings),
                orbit=_orbit(manifest, first),
                viewing=_viewing(first),
                grid=Grid(shape=image_shape(first)),
                processing=_processing(manifest, "L1" if named is None else named.level),
            )
        ),
    )


def _annotations(package: SafePackage) -> tuple[str, ...]:
    found = package.annotations()
    if not found:
        raise InputError(
            Message("the SAFE package has no annotation of an image: only Level-1 SLC and GRD are taken in"),
            hint=Message("Ask for the Level-1 product, or convert it to a GeoTIFF."),
            field="file",
        )
    return found


def instant_of(text: str) -> Instant | None:
    """Instant of a time in the package, which is UTC and does not say so."""
    try:
        return parse_instant(text if text.endswith("Z") else text + "Z")
    except InputError:
        return None


def is_detected(annotation: MetadataTree) -> bool:
    """Whether an annotation is of a detected image in ground range (GRD)."""
    detected = annotation.text("imageAnnotation/imageInformation/pixelValue") == "Detected"
    return detected and annotation.text("adsHeader/productType") == "GRD"


def _times(annotation: MetadataTree) -> Interval:
    begin, end = (instant_of(annotation.text(f"adsHeader/{name}Time") or "") for name in ("start", "stop"))
    if begin is None or end is None or end < begin:
        raise refused(Message("the SAFE package does not say when it was observed"))
    return Interval(begin, end)


def _footprint(manifest: MetadataTree) -> tuple[tuple[float, float], ...]:
    text = manifest.text("metadataSection/metadataObject/metadataWrap/xmlData/frameSet/frame/footPrint/coordinates") or ""
    try:
        ring = [(float(lon), float(lat)) for lat, _, lon in (pair.partition(",") for pair in text.split())]
    except ValueError:
        ring = []
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring.pop()
    if len(ring) < 3 or not all(abs(lon) <= 180.0 and abs(lat) <= 90.0 for lon, lat in ring):  # noqa: PLR2004 # a triangle; degrees
        raise refused(Message("the SAFE package does not say where it lies"))
    lons = np.unwrap([lon for lon, _ in ring], period=360.0)
    lats = np.asarray([lat for _, lat in ring])
    area = float(np.sum(lons * np.roll(lats, -1) - np.roll(lons, -1) * lats))
    return tuple(ring if area > 0.0 else ring[::-1])


def image_shape(annotation: MetadataTree) -> tuple[int, int] | None:
    """Rows and columns of the image that an annotation is of, if it says so."""
    rows = annotation.whole("imageAnnotation/imageInformation/numberOfLines")
    cols = annotation.whole("imageAnnotation/imageInformation/numberOfSamples")
    return None if rows is None or cols is None else (rows, cols)


def _radar(name: str, annotations: Sequence[MetadataTree], spacings: Sequence[float]) -> Radar:
    first = annotations[0]
    frequency_hz = first.number("generalAnnotation/productInformation/radarFrequency")
    resolution = _GRD_RESOLUTION_M.get(name[_CLASS_AT], (None, None))
    looks = "imageAnnotation/processingInformation/swathProcParamsList/swathProcParams"
    return Radar(
        instrument_mode=first.text("adsHeader/mode"),
        frequency_band=None if frequency_hz is None else band_of(frequency_hz),
        centre_frequency_hz=frequency_hz,
        polarisations=tuple(dict.fromkeys(p for one in annotations if (p := one.text("adsHeader/polarisation")) is not None)),
        product_type=first.text("adsHeader/productType"),
        resolution_range_m=resolution[0],
        resolution_azimuth_m=resolution[1],
        spacing_range_m=spacings[0],
        spacing_azimuth_m=spacings[1],
        looks_range=first.number(f"{looks}/rangeProcessing/numberOfLooks"),
        looks_azimuth=first.number(f"{looks}/azimuthProcessing/numberOfLooks"),
        # The antenna of Sentinel-1 looks to the right (S1-RS-MDA-52-7440, section 3).
        side=Side.RIGHT,
    )


def _orbit(manifest: MetadataTree, annotation: MetadataTree) -> Orbit:
    reference = "metadataSection/metadataObject/metadataWrap/xmlData"
    passing = (annotation.text("generalAnnotation/productInformation/pass") or "").lower()
    return Orbit(
        state=OrbitState(passing) if passing in set(OrbitState) else None,
        relative=manifest.whole(f"{reference}/orbitReference/relativeOrbitNumber"),
        absolute=manifest.whole(f"{reference}/orbitReference/orbitNumber"),
        designator=manifest.text(f"{reference}/platform/nssdcIdentifier"),
    )


def states_of(annotation: MetadataTree) -> list[tuple[Instant, tuple[float, ...], tuple[float, ...]]]:
    """Instants, positions and velocities of the orbit, Earth-fixed, metres and metres a second, in order."""
    vectors = annotation.below("generalAnnotation/orbitList/orbit")
    known = [(instant_of(v.text("time") or ""), v.numbers("position", "xyz"), v.numbers("velocity", "xyz")) for v in vectors]
    return sorted((t, p, s) for t, p, s in known if t is not None and p is not None and s is not None)


def _viewing(annotation: MetadataTree) -> Viewing:
    """Angles at the middle of the geolocation grid, from the orbit's state vectors, between which it goes as a cubic."""
    points = annotation.below("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    states = states_of(annotation)
    if len(points) == 0:
        return Viewing()
    lines = sorted({line for one in points if (line := one.whole("line")) is not None})
    pixels = sorted({pixel for one in points if (pixel := one.whole("pixel")) is not None})
    if not lines or not pixels:
        return Viewing()
    middle = next(
        (p for p in points if (p.whole("line"), p.whole("pixel")) == (lines[len(lines) // 2], pixels[len(pixels) // 2])),
        points[0],
    )
    seen = instant_of(middle.text("azimuthTime") or "")
    place = (middle.radians("latitude"), middle.radians("longitude"), middle.number("height"))
    if seen is None or None in place or len(states) < 2 or not states[0][0] <= seen <= states[-1][0]:  # noqa: PLR2004
        return Viewing()
    seconds = [(time - states[0][0]).total_seconds() for time, _, _ in states]
    if not all(np.diff(seconds) > 0.0):
        return Viewing()
    path = CubicHermiteSpline(seconds, [p for _, p, _ in states], [s for _, _, s in states])
    at = (seen - states[0][0]).total_seconds()
    latitude, longitude, height = (float(value or 0.0) for value in place)
    scene = geodetic_to_ecef(latitude, longitude, height).tolist()
    _, viewing = platform_of(path(at), path(at, 1), scene)
    return viewing


def _processing(manifest: MetadataTree, level: str) -> Processing:
    path = "metadataSection/metadataObject/metadataWrap/xmlData/processing/facility"
    software = manifest.attribute(f"{path}/software", "name"), manifest.attribute(f"{path}/software", "version")
    return Processing(
        level=level or "L1",
        facility=manifest.attribute(path, "name"),
        software=((software[0], software[1] or "unknown"),) if software[0] else (),
    )


def read_safe_amplitude(file: BinaryIO) -> Placed:
    """Amplitude of the package's first image (of the channel sent and received alike, if there is one), and where it lies.

    Parameters
    ----------
    file
        Open, seekable ZIP file.

    Returns
    -------
    Placed
        Sampled so coarsely that it has at most a hundred million pixels; zeros are no data.

    Raises
    ------
    InputError
        No SAFE package of Level 1, a damaged one, or one without its images.
    """
    package = SafePackage(file)
    annotation, image = image_names(package)
    points, shape = _grid_points(package.tree(annotation))
    with tempfile.TemporaryFile() as unpacked:
        package.copy(image, unpacked, MOST_IMAGE_BYTES)
        with open_tiff(unpacked) as dataset:
            if dataset.shape != shape or dataset.count != 1:
                values = {"got": " x ".join(map(str, dataset.shape)), "expected": " x ".join(map(str, shape))}
                raise refused(Message("the package's image has {got} pixels, its annotation says {expected}", values))
            factor = math.ceil(math.sqrt(shape[0] * shape[1] / _MOST_PIXELS))
            rows, cols = max(1, shape[0] // factor), max(1, shape[1] // factor)
            # A mean of complex pixels would cancel them.
            resampling = Resampling.nearest if dataset.dtypes[0].startswith("complex") else Resampling.average
            try:
                band = dataset.read(1, out_shape=(rows, cols), resampling=resampling)
            except (RasterioError, OSError, MemoryError) as error:
                raise refused(Message("the TIFF file's pixels cannot be read: it is damaged or cut off")) from error
    amplitude = np.abs(band).astype(np.float32)
    amplitude[amplitude == 0.0] = np.nan
    scaled = tuple(
        GroundControlPoint(row=line * rows / shape[0], col=pixel * cols / shape[1], x=longitude, y=latitude)
        for line, pixel, latitude, longitude in points
    )
    tags = {"TIFFTAG_IMAGEDESCRIPTION": f"{package.name}, detected"}
    return place(amplitude, scaled, CRS.from_epsg(4326), oversampling=1, tags=tags)


def image_names(package: SafePackage) -> tuple[str, str]:
    """Names of the annotation and the image that stand for a package: of the channel sent and received alike, if there is one.

    Raises
    ------
    InputError
        It holds no image.
    """
    names = [(annotation, image) for annotation in _annotations(package) if (image := package.image_of(annotation)) is not None]
    if not names:
        raise refused(Message("the SAFE package holds no image"))
    return min(names, key=lambda pair: not ("-vv-" in pair[1] or "-hh-" in pair[1]))


def _grid_points(annotation: MetadataTree) -> tuple[list[tuple[float, float, float, float]], tuple[int, int]]:
    """Line and pixel at the corner of the first, latitude and longitude in degrees, of the geolocation grid; rows and columns."""
    shape = image_shape(annotation)
    points = []
    for one in annotation.below("geolocationGrid/geolocationGridPointList/geolocationGridPoint"):
        line, pixel, latitude, longitude = (one.number(name) for name in ("line", "pixel", "latitude", "longitude"))
        if line is not None and pixel is not None and latitude is not None and longitude is not None:
            points.append((line + 0.5, pixel + 0.5, latitude, longitude))
    if shape is None or min(shape) < 1 or len(points) < 4:  # noqa: PLR2004 # the corners
        raise refused(Message("the SAFE package does not say where it lies"))
    return points, shape
