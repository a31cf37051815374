"""Areas of agreements: GeoJSON polygons (RFC 7946), beside the agreement or inside it.

What two readers could read differently is refused: a ring that is not closed, a longitude beyond ±180°, and an edge that spans
more than half the globe, which one would draw across the antimeridian and another around the world.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.model.canonical import parse_json
from kizuna.model.reading import LONGEST_MARKING, Table
from kizuna.model.regions import area_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.regions import Area

    Loader = Callable[[str], bytes]

__all__ = ["LARGEST_FILE_BYTES", "MOST_AREAS", "MOST_POSITIONS", "area_to_json", "no_files", "read_area"]

MOST_AREAS = 100
"""Most areas of an article."""
MOST_POSITIONS = 20_000
"""Most positions of an area, over all its rings."""
LARGEST_FILE_BYTES = 2_000_000
"""Largest file of an area that is read."""

_LONGEST_NAME = 200
# A triangle, closed.
_FEWEST_POSITIONS = 4
_MOST_LONGITUDE_DEG, _MOST_LATITUDE_DEG, _HALF_GLOBE_DEG = 180.0, 90.0, 180.0
_RING = Message("a closed ring of at least four [longitude, latitude] pairs in degrees")

type Position = tuple[float, float]
type Ring = tuple[Position, ...]


def no_files(name: str) -> bytes:
    """Loader for documents that stand alone: a record of the log, or what came from elsewhere.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        Message("{name}: files beside the agreement are not read here", {"name": name}),
        hint=Message("write the polygon into the agreement: geometry = { type = ..., coordinates = ... }"),
    )


def _fault(field: str, message: Message, hint: Message) -> NoReturn:
    raise InputError(message, hint=hint, field=field)


def _position(value: object, table: Table) -> Position:
    match value:
        case [int() | float() as lon, int() | float() as lat] if not isinstance(lon, bool) and not isinstance(lat, bool):
            pass
        case _:
            table.fault("coordinates", _RING)
    # NaN is within no bounds.
    if abs(lon) <= _MOST_LONGITUDE_DEG and abs(lat) <= _MOST_LATITUDE_DEG:
        # No negative zero: it would be the same place under another digest.
        return float(lon) + 0.0, float(lat) + 0.0
    if abs(lon) <= _MOST_LATITUDE_DEG and abs(lat) <= _MOST_LONGITUDE_DEG:
        hint = Message("write the longitude first, then the latitude")
    else:
        hint = Message("longitudes run from -180 to 180; split a polygon that goes on beyond (RFC 7946, section 3.1.9)")
    values: dict[str, str | int | float] = {"field": table.field("coordinates"), "lon": lon, "lat": lat}
    _fault(
        table.field("coordinates"),
        Message("{field}: got longitude {lon}, latitude {lat}, expected at most 180 and 90 degrees", values),
        hint,
    )


def _ring(value: object, table: Table, left: int) -> Ring:
    if not isinstance(value, list | tuple) or len(value) < _FEWEST_POSITIONS:
        table.fault("coordinates", _RING)
    if len(value) > left:
        table.fault("coordinates", Message("at most {most} positions in an area", {"most": MOST_POSITIONS}))
    ring = tuple(_position(position, table) for position in value)
    field = table.field("coordinates")
    if ring[0] != ring[-1]:
        values: dict[str, str | int | float] = {"field": field, "first": str(list(ring[0])), "last": str(list(ring[-1]))}
        _fault(
            field,
            Message("{field}: a ring begins at {first} and ends at {last}: it is not closed", values),
            Message("repeat the first position at the end of the ring"),
        )
    for (lon, _), (next_lon, _) in pairwise(ring):
        if abs(lon - next_lon) > _HALF_GLOBE_DEG:
            values = {"field": field, "one": lon, "other": next_lon}
            _fault(
                field,
                Message("{field}: the edge from longitude {one} to {other} spans more than 180 degrees", values),
                Message(
                    "split the polygon where it crosses the antimeridian (RFC 7946, section 3.1.9), or add a position in between "
                    "where it does not"
                ),
            )
    return ring


def _turn(ring: Ring) -> float:
    """Twice the signed area of a ring in square degrees; positive where it runs counter-clockwise."""
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in pairwise(ring))


def _oriented(ring: Ring, *, hole: bool, table: Table) -> Ring:
    """Ring as RFC 7946 section 3.1.6 turns it: the exterior counter-clockwise, holes clockwise."""
    turn = _turn(ring)
    if turn == 0:
        _fault(
            table.field("coordinates"),
            Message("{field}: a ring encloses nothing", {"field": table.field("coordinates")}),
            Message("draw it around an area"),
        )
    return ring if (turn < 0) == hole else ring[::-1]


def _polygons(table: Table) -> tuple[tuple[Ring, ...], ...]:
    kind = table.choice("type", ["Polygon", "MultiPolygon"])
    coordinates = table.raw("coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list | tuple) or not polygons:
        table.fault("coordinates", Message("the rings of each polygon, one polygon at least"))
    made: list[tuple[Ring, ...]] = []
    left = MOST_POSITIONS
    for polygon in polygons:
        if not isinstance(polygon, list | tuple) or not polygon:
            table.fault("coordinates", Message("the rings of each polygon, the outer one first"))
        rings: list[Ring] = []
        for number, value in enumerate(polygon):
            ring = _ring(value, table, left)
            left -= len(ring)
            rings.append(_oriented(ring, hole=number > 0, table=table))
        made.append(tuple(rings))
    table.done()
    return tuple(made)


def _geometry_of(document: Json, field: str) -> Mapping[str, object]:
    """Geometry of a GeoJSON document: a geometry, a feature, or a collection of one feature."""
    match document:
        case {"type": "Feature", "geometry": dict() as geometry}:
            return _geometry_of(geometry, field)
        case {"type": "FeatureCollection", "features": [{"geometry": dict() as geometry}]}:
            return _geometry_of(geometry, field)
        case {"type": "FeatureCollection"}:
            _fault(
                field,
                Message("{field}: a collection of several features, expected one polygon or multipolygon", {"field": field}),
                Message("keep one feature, or join them into one multipolygon"),
            )
        case {"type": "Polygon" | "MultiPolygon" as kind, "coordinates": coordinates}:
            # Tools add a bounding box or a name, which mean nothing here.
            return {"type": kind, "coordinates": coordinates}
        case _:
            _fault(
                field,
                Message("{field}: no GeoJSON polygon or multipolygon", {"field": field}),
                Message("write a geometry or a feature of GeoJSON (RFC 7946) into the file"),
            )


def _document(data: bytes, field: str) -> Json:
    try:
        return parse_json(data, field=field)
    except InputError as error:
        raise InputError(
            error.message,
            hint=Message("correct the GeoJSON there: brackets in pairs, commas between values, plain numbers, never NaN"),
            field=field,
        ) from error


def _from_file(table: Table, load: Loader) -> tuple[tuple[Ring, ...], ...]:
    name, field = table.text("file", longest=_LONGEST_NAME), table.field("file")
    # An agreement may come from anybody: it names files beside itself, no others.
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        table.fault("file", Message("the name of a file beside the agreement or in a folder below it"))
    try:
        data = load(name)
        if len(data) > LARGEST_FILE_BYTES:
            table.fault("file", Message("a file of at most {most} bytes", {"most": LARGEST_FILE_BYTES}))
        return _polygons(Table(_geometry_of(_document(data, field), field), field))
    except InputError as error:
        # Whatever is wrong inside the file, the agreement's line that names it is where a reader begins.
        raise InputError(error.message, hint=error.hint, field=field) from error


def read_area(table: Table, load: Loader) -> Area:
    """Area of its table: a ``name``, and its ``geometry`` or the ``file`` that holds it.

    Parameters
    ----------
    table
        ``name``, and either ``geometry`` (GeoJSON Polygon or MultiPolygon) or ``file``.
    load
        Gives the bytes of a file by its name relative to the agreement.

    Raises
    ------
    InputError
        Naming the field: a ring that is not closed, out of range, encloses nothing or can be read in two ways, too many
        positions, or a file that cannot be read.
    """
    name = table.text("name", longest=LONGEST_MARKING)
    geometry, file = table.has("geometry"), table.has("file")
    if geometry == file:
        table.fault("geometry", Message("either geometry (GeoJSON) or file, one of the two"))
    polygons = _from_file(table, load) if file else _polygons(table.table("geometry"))
    table.done()
    return area_of(name, polygons)


def _ring_to_json(ring: Sequence[Position]) -> Json:
    return [[lon, lat] for lon, lat in ring]


def area_to_json(area: Area) -> dict[str, Json]:
    """JSON form of an area; `read_area` reads it back, under the same id."""
    coordinates: list[Json] = [[_ring_to_json(ring) for ring in polygon] for polygon in area.polygons]
    return {"name": area.name, "geometry": {"type": "MultiPolygon", "coordinates": coordinates}}
