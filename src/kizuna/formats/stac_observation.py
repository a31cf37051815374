"""How a product was observed, as STAC's extensions sar, sat, view, processing and proj have it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kizuna.model.canonical import Json
    from kizuna.model.observation import Grid, Observation, Orbit, Processing, Radar, Viewing

__all__ = ["PROJECTION", "grid_members", "observation_properties"]

_SAR = "https://stac-extensions.github.io/sar/v1.3.1/schema.json"
_SAT = "https://stac-extensions.github.io/sat/v1.2.0/schema.json"
_VIEW = "https://stac-extensions.github.io/view/v1.0.0/schema.json"
# The one version that has both proj:code and proj:epsg, which GDAL before 3.10 needs.
PROJECTION = "https://stac-extensions.github.io/projection/v1.2.0/schema.json"
"""Schema of the projection extension."""
_POLARISATIONS = frozenset(("HH", "VV", "HV", "VH", "LH", "LV", "RH", "RV", "CH", "CV"))
_HZ_IN_GHZ = 1e9
_FRACTION_DIGITS = 6


def observation_properties(observation: Observation | None) -> tuple[dict[str, Json], list[str]]:
    """Properties of the item of a product, those that are known, and the schemas of the extensions that they are of.

    Parameters
    ----------
    observation
        As the reader may have it.
    """
    if observation is None:
        return {}, []
    told, extensions = _processing(observation.processing), []
    for schema, some in (
        (_SAR, _radar(observation.radar)),
        (_SAT, _orbit(observation.orbit)),
        (_VIEW, _viewing(observation.viewing)),
    ):
        if some:
            told |= some
            extensions.append(schema)
    return told, extensions


def grid_members(grid: Grid) -> dict[str, Json]:
    """Members of the asset whose pixels a grid tells of."""
    epsg, code = (grid.code or "").partition(":")[::2]
    return _known(
        {
            "proj:code": grid.code,
            "proj:epsg": int(code) if epsg.upper() == "EPSG" and code.isascii() and code.isdecimal() else None,
            "proj:shape": None if grid.shape is None else [*grid.shape],
            "proj:transform": None if grid.transform is None else [*grid.transform],
            "proj:bbox": None if grid.bounds is None else [*grid.bounds],
        }
    )


def _known(members: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value is not None and value != []}


def _radar(radar: Radar) -> dict[str, Json]:
    frequency_hz = radar.centre_frequency_hz
    known = all(polarisation in _POLARISATIONS for polarisation in radar.polarisations)
    return _known(
        {
            "sar:instrument_mode": radar.instrument_mode,
            "sar:frequency_band": None if radar.frequency_band is None else radar.frequency_band.value,
            "sar:center_frequency": None if frequency_hz is None else round(frequency_hz / _HZ_IN_GHZ, _FRACTION_DIGITS + 3),
            # The extension has no words for others (circular both ways).
            "sar:polarizations": [*dict.fromkeys(radar.polarisations)] if known else None,
            "sar:product_type": radar.product_type,
            "sar:resolution_range": radar.resolution_range_m,
            "sar:resolution_azimuth": radar.resolution_azimuth_m,
            "sar:pixel_spacing_range": radar.spacing_range_m,
            "sar:pixel_spacing_azimuth": radar.spacing_azimuth_m,
            "sar:looks_range": _whole(radar.looks_range),
            "sar:looks_azimuth": _whole(radar.looks_azimuth),
            "sar:looks_equivalent_number": radar.looks_equivalent,
            "sar:observation_direction": None if radar.side is None else radar.side.value,
        }
    )


def _whole(looks: float | None) -> int | None:
    """Looks as the extension has them: whole ones; of others nothing is told."""
    return None if looks is None or not looks.is_integer() else int(looks)


def _orbit(orbit: Orbit) -> dict[str, Json]:
    return _known(
        {
            "sat:orbit_state": None if orbit.state is None else orbit.state.value,
            # Counted from 1.
            "sat:relative_orbit": orbit.relative or None,
            "sat:absolute_orbit": orbit.absolute or None,
            "sat:platform_international_designator": orbit.designator,
        }
    )


def _viewing(viewing: Viewing) -> dict[str, Json]:
    return _known(
        {
            "view:incidence_angle": _degrees(viewing.incidence_rad),
            "view:off_nadir": _degrees(viewing.off_nadir_rad),
            "view:azimuth": _degrees(viewing.azimuth_rad),
        }
    )


def _degrees(angle_rad: float | None) -> float | None:
    return None if angle_rad is None else round(math.degrees(angle_rad), _FRACTION_DIGITS)


def _processing(processing: Processing) -> dict[str, Json]:
    software: dict[str, Json] = dict(processing.software)
    return _known(
        {
            "processing:level": processing.level,
            "processing:facility": processing.facility,
            "processing:software": software or None,
            "processing:lineage": processing.lineage,
        }
    )
