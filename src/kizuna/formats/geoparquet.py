"""STAC items as GeoParquet 1.1, a column a property, as stac-geoparquet 1.0 has it. Needs the optional package ``pyarrow``."""

from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.model.canonical import Json

__all__ = ["geoparquet_items", "refuse_without_pyarrow"]

_INSTANTS = frozenset("datetime start_datetime end_datetime expires processing:datetime security:created security:review".split())
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def refuse_without_pyarrow(field: str) -> None:
    """Refuse to write where the optional package is missing.

    Raises
    ------
    InputError
        About `field`, if it is.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - whether it is there
    except ImportError as error:
        raise InputError(
            Message("GeoParquet needs the package {package}, which is not installed", {"package": "pyarrow"}),
            hint=Message("install it with: pip install 'kizuna[geoparquet]', or choose another format"),
            field=field,
        ) from error


def geoparquet_items(items: Sequence[Mapping[str, Json]]) -> bytes:
    """GeoParquet file of items; the same bytes for the same items.

    Parameters
    ----------
    items
        STAC items. Properties that are objects, or lists of these, are written as JSON texts.

    Raises
    ------
    InputError
        If ``pyarrow`` is not installed.
    """
    refuse_without_pyarrow("format")
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = pa.string(), pa.float64()
    types: dict[str, Any] = {
        **dict.fromkeys(("type", "stac_version", "id", "collection"), text),
        "stac_extensions": pa.list_(text),
        "geometry": pa.binary(),
        "bbox": pa.struct([(side, number) for side in _SIDES]),
        "links": pa.list_(pa.struct([("rel", text), ("type", text), ("href", text)])),
        "datetime": pa.timestamp("us", tz="UTC"),
        "gsd": number,
    }
    rows = [_row(item) for item in items]
    names = list(dict.fromkeys([*types, *(name for row in rows for name in row)]))
    columns = {}
    for name in names:
        kind = types.get(name) or (pa.timestamp("us", tz="UTC") if name in _INSTANTS else None)
        columns[name] = pa.array([row.get(name) for row in rows], type=kind)
    table = pa.table(columns).replace_schema_metadata(
        {"geo": json.dumps(_geo(items), sort_keys=True), "stac-geoparquet": json.dumps({"version": "1.0.0"})}
    )
    stream = BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    from shapely import from_geojson, to_wkb

    geometry, bbox = item["geometry"], item.get("bbox")
    row: dict[str, Any] = {
        **{name: item[name] for name in ("type", "stac_version", "stac_extensions", "id", "collection", "links")},
        "geometry": None if geometry is None else to_wkb(from_geojson(json.dumps(geometry))),
        "bbox": None if bbox is None else dict(zip(_SIDES, bbox, strict=True)),
    }
    if item["assets"]:
        row["assets"] = item["assets"]
    return row | {name: _value(name, value) for name, value in item["properties"].items()}


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 # of any column
    if name in _INSTANTS:
        return datetime.fromisoformat(value)
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict | list) for each in value)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value


def _geo(items: Sequence[Mapping[str, Any]]) -> Json:
    kinds: list[Json] = [*sorted({item["geometry"]["type"] for item in items if item["geometry"] is not None})]
    covering = {side: ["bbox", side] for side in _SIDES}
    column = {"encoding": "WKB", "geometry_types": kinds, "covering": {"bbox": covering}}
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}  # type: ignore[dict-item]
