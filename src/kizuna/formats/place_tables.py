"""Figures of places as GeoJSON (RFC 7946), GeoParquet 1.1 and xarray: a place a row, points or the cells of a grid."""

from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from kizuna.formats.geoparquet import refuse_without_pyarrow
from kizuna.model.instants import Instant, format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import xarray as xr

    from kizuna.model.canonical import Json

__all__ = ["feature", "geojson", "geoparquet", "grid_dataset", "place_dataset"]


def feature(
    longitude_deg: float,
    latitude_deg: float,
    properties: Mapping[str, object],
    *,
    cell_deg: tuple[float, float] | None = None,
) -> dict[str, object]:
    """Feature of a place, as GeoJSON has it but for instants, which stay what they are.

    Parameters
    ----------
    longitude_deg, latitude_deg
        Where it lies; the middle of its cell.
    properties
        Name and figures; None where there is none.
    cell_deg
        Width and height of its cell, which then is the geometry; None for a point.

    Examples
    --------
    >>> feature(30.52, 50.45, {"name": "Kyiv", "mean_s": 906.0})["geometry"]
    {'type': 'Point', 'coordinates': [30.52, 50.45]}
    """
    geometry: dict[str, object] = {
        "type": "Point",
        "coordinates": [round(longitude_deg, 9), round(latitude_deg, 9)],
    }
    if cell_deg is not None:
        half_x, half_y = (each / 2.0 for each in cell_deg)
        west, east = round(longitude_deg - half_x, 9), round(longitude_deg + half_x, 9)
        south, north = round(latitude_deg - half_y, 9), round(latitude_deg + half_y, 9)
        geometry = {
            "type": "Polygon",
            "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
        }
    return {"type": "Feature", "geometry": geometry, "properties": dict(properties)}


def geojson(features: Sequence[Mapping[str, object]], about: Mapping[str, Json]) -> bytes:
    """GeoJSON feature collection; `about` stands beside the features."""
    form = {"type": "FeatureCollection", **about, "features": list(features)}
    text = json.dumps(form, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_text)
    return (text + "\n").encode()


def _text(value: object) -> str:
    """An instant as text; nothing else is no JSON here."""
    if not isinstance(value, datetime):
        raise TypeError(value)
    return format_instant(Instant(value))


def geoparquet(features: Sequence[Mapping[str, Any]], about: Mapping[str, Json]) -> bytes:
    """GeoParquet file of features, a property a column; `about` stands in the file's metadata.

    Raises
    ------
    InputError
        If ``pyarrow`` is not installed.
    """
    refuse_without_pyarrow("output")
    import pyarrow as pa
    import pyarrow.parquet as pq
    from shapely import from_geojson, to_wkb

    names = list(dict.fromkeys(name for each in features for name in each["properties"]))
    columns = {name: [each["properties"].get(name) for each in features] for name in names}
    shapes = [from_geojson(json.dumps(each["geometry"])) for each in features]
    kinds = sorted({each["geometry"]["type"] for each in features})
    bounds = [shape.bounds for shape in shapes]
    geo: dict[str, Any] = {"encoding": "WKB", "geometry_types": kinds, "orientation": "counterclockwise"}
    if bounds:
        lows, highs = np.min(bounds, axis=0), np.max(bounds, axis=0)
        geo["bbox"] = [float(lows[0]), float(lows[1]), float(highs[2]), float(highs[3])]
    metadata = {
        "geo": json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geo}}, sort_keys=True),
        "kizuna": json.dumps(about, sort_keys=True),
    }
    arrays = {name: pa.array(values) for name, values in columns.items()}
    # A column in which nothing stands has no type of its own, and readers know none that is none: figures are numbers.
    arrays = {name: each.cast(pa.float64()) if pa.types.is_null(each.type) else each for name, each in arrays.items()}
    arrays["geometry"] = pa.array([to_wkb(shape) for shape in shapes], pa.binary())
    stream = BytesIO()
    pq.write_table(pa.table(arrays).replace_schema_metadata(metadata), stream, compression="zstd")
    return stream.getvalue()


_UNITS = dict.fromkeys(("images", "unanswered", "windows", "uncertain_windows"), "1")


def _variables(figures: Mapping[str, npt.NDArray[Any]], dimensions: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        name: (dimensions, np.asarray(values).reshape(shape), {"units": _UNITS.get(name, "s")})
        for name, values in figures.items()
    }


def place_dataset(
    names: Sequence[str],
    longitude_deg: npt.ArrayLike,
    latitude_deg: npt.ArrayLike,
    figures: Mapping[str, npt.NDArray[Any]],
    about: Mapping[str, str | float],
) -> xr.Dataset:
    """Figures of named places as an xarray dataset, for the notebook.

    Parameters
    ----------
    names, longitude_deg, latitude_deg
        The places.
    figures
        Shape (places,) each; names that end in ``_s`` are seconds.
    about
        Attributes of the dataset.
    """
    import xarray as xr

    coordinates = {
        "place": list(names),
        "longitude": ("place", np.asarray(longitude_deg, float), {"units": "degrees_east"}),
        "latitude": ("place", np.asarray(latitude_deg, float), {"units": "degrees_north"}),
    }
    return xr.Dataset(_variables(figures, ("place",), (len(names),)), coords=coordinates, attrs=dict(about))


def grid_dataset(
    longitude_deg: npt.ArrayLike,
    latitude_deg: npt.ArrayLike,
    figures: Mapping[str, npt.NDArray[Any]],
    about: Mapping[str, str | float],
) -> xr.Dataset:
    """Figures of the cells of a grid, row by row from the south, as an xarray dataset with dimensions latitude, longitude."""
    import xarray as xr

    longitudes, latitudes = np.asarray(longitude_deg, float), np.asarray(latitude_deg, float)
    coordinates = {
        "latitude": ("latitude", latitudes, {"units": "degrees_north"}),
        "longitude": ("longitude", longitudes, {"units": "degrees_east"}),
    }
    shape = (len(latitudes), len(longitudes))
    return xr.Dataset(_variables(figures, ("latitude", "longitude"), shape), coords=coordinates, attrs=dict(about))
