"""How the image of a GeoTIFF was observed: its grid, and what tags and a name of Sentinel-1's say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from rasterio.errors import RasterioError

from kizuna.formats.geotiff import open_tiff, placement_of
from kizuna.formats.sentinel1_names import CENTRE_FREQUENCY_HZ, Sentinel1Name, parse_sentinel1_name
from kizuna.model.observation import FrequencyBand, Grid, Observation, Orbit, Processing, Radar, Side, plausible
from kizuna.model.reading import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rasterio.crs import CRS

    from kizuna.model.instants import Interval

__all__ = ["read_geotiff_observation"]

_DESCRIPTION, _SOFTWARE = "TIFFTAG_IMAGEDESCRIPTION", "TIFFTAG_SOFTWARE"
# As ESA's processor writes it: "Sentinel-1A IW GRD HR L1".
_SENTINEL_1 = re.compile(
    r"(?P<platform>Sentinel-1[A-D]) (?P<mode>\S+) (?P<type>SLC|GRD|OCN)(?: [FHM]R)? (?P<level>L[0-2])\Z", re.ASCII
)
_VERSION = re.compile(r"(?P<name>.*\S)\s+[vV]?(?P<version>\d\S*)\Z", re.ASCII)


def read_geotiff_observation(file: BinaryIO, name: str) -> tuple[Observation | None, Interval | None]:
    """How a GeoTIFF was observed, and when if its name is one of Sentinel-1's and its tags agree.

    Parameters
    ----------
    file
        Open, seekable binary file.
    name
        Its name.

    Returns
    -------
    observation
        None where nothing is known.
    observed
        To the second, out of the name; None otherwise.

    Raises
    ------
    InputError
        Not a TIFF, a damaged one, or one without position.
    """
    with open_tiff(file) as dataset:
        crs, transform, _points = placement_of(dataset)
        rows, cols = dataset.shape
        tags = dict(dataset.tags())
    grid = Grid(shape=(rows, cols))
    if transform is not None:
        a, b, c, d, e, f = transform[:6]
        xs, ys = zip(*((a * x + b * y + c, d * x + e * y + f) for x in (0, cols) for y in (0, rows)), strict=True)
        grid = Grid(
            code=_code(crs),
            shape=(rows, cols),
            transform=(a, b, c, d, e, f),
            bounds=(min(xs), min(ys), max(xs), max(ys)),
        )
    described = _SENTINEL_1.match(one_line(tags.get(_DESCRIPTION, "")))
    named = parse_sentinel1_name(name) if described else None
    if described is None or (named is not None and named.platform != described["platform"]):
        # A name proves nothing: it counts where the file says the same.
        named = None
    radar = Radar() if described is None else _radar(described, named)
    orbit = Orbit() if named is None else Orbit(absolute=named.absolute_orbit, relative=named.relative_orbit)
    processing = Processing(level=None if described is None else described["level"], software=_software(tags))
    observation = plausible(Observation(radar=radar, orbit=orbit, grid=grid, processing=processing))
    return observation, None if named is None else named.observed


def _radar(described: re.Match[str], named: Sentinel1Name | None) -> Radar:
    return Radar(
        instrument_mode=described["mode"],
        frequency_band=FrequencyBand.C,
        centre_frequency_hz=CENTRE_FREQUENCY_HZ,
        polarisations=() if named is None else named.polarisations,
        product_type=described["type"],
        side=Side.RIGHT,
    )


def _code(crs: CRS) -> str | None:
    try:
        authority = crs.to_authority()
    except RasterioError:
        return None
    return None if authority is None else ":".join(authority)


def _software(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    text = one_line(tags.get(_SOFTWARE, ""))
    found = _VERSION.match(text)
    if found is not None:
        return ((found["name"], found["version"]),)
    return ((text, "unknown"),) if text else ()
