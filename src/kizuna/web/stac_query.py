"""Searches as requests write them, by GET or POST (STAC API 1.0 item search, filter and sort), read into queries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kizuna.catalog.cql2 import Filters
from kizuna.catalog.cql2_text import read_text
from kizuna.catalog.extents import GLOBE_DEG, Extent, box_of, continuous, meets
from kizuna.catalog.query import MOST_ITEMS, NEWEST_FIRST, OLDEST_FIRST, QUERYABLES, Order, Query, Where
from kizuna.errors import InputError, Message
from kizuna.model.canonical import parse_json
from kizuna.model.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.catalog.cql2 import Expression
    from kizuna.model.instants import Instant

__all__ = ["LARGEST_BODY_BYTES", "get_query", "post_query"]

LARGEST_BODY_BYTES = 1 << 16
_MOST_NAMES = 1_000
_MOST_KEYS = 8
_DEFAULT_ITEMS = 10
_TURNS = (0.0, GLOBE_DEG, -GLOBE_DEG)


def _wrong(field: str, expected: Message, got: object = None) -> InputError:
    values: dict[str, str | int | float | Message] = {"field": field, "expected": expected, "got": repr(got)[:64]}
    return InputError(Message("{field}: got {got}, expected {expected}", values), field=field)


def get_query(parameters: Mapping[str, str], **fixed: object) -> tuple[Query, str | None]:
    """Query and token of the parameters of a GET request.

    Parameters
    ----------
    parameters
        As they stand in the address; those of no meaning here are passed over.
    fixed
        Members in place of parameters, as the path names them.

    Raises
    ------
    InputError
        Naming the parameter.
    """
    document: dict[str, object] = {}
    for name in ("collections", "ids"):
        if parameters.get(name):
            document[name] = parameters[name].split(",")
    if parameters.get("bbox"):
        document["bbox"] = [_number(part) for part in parameters["bbox"].split(",")]
    if parameters.get("intersects"):
        document["intersects"] = parse_json(parameters["intersects"].encode(), field="intersects")
    if parameters.get("limit"):
        text = parameters["limit"]
        document["limit"] = int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(2**53)) else text
    if parameters.get("sortby"):
        document["sortby"] = [
            {"field": part.strip().lstrip("+-"), "direction": "desc" if part.strip().startswith("-") else "asc"}
            for part in parameters["sortby"].split(",")
        ]
    if parameters.get("filter"):
        language = parameters.get("filter-lang", "cql2-text")
        document["filter-lang"] = language
        is_json = language == "cql2-json"
        document["filter"] = parse_json(parameters["filter"].encode(), field="filter") if is_json else parameters["filter"]
    for name in ("datetime", "token"):
        if parameters.get(name):
            document[name] = parameters[name]
    return post_query(document | fixed)


def post_query(document: object) -> tuple[Query, str | None]:
    """Query and token of the body of a POST request, already parsed.

    Raises
    ------
    InputError
        Naming the member.
    """
    if not isinstance(document, dict):
        raise _wrong("body", Message("a JSON object"), document)
    begin, end = _span(document.get("datetime"))
    token = document.get("token")
    if token is not None and not isinstance(token, str):
        raise _wrong("token", Message("a text"), token)
    query = Query(
        collections=_names(document, "collections"),
        ids=_names(document, "ids"),
        where=_where(document),
        begin=begin,
        end=end,
        expression=_filter(document),
        order=_order(document.get("sortby")),
        limit=_limit(document.get("limit", _DEFAULT_ITEMS)),
    )
    return query, token


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _names(document: Mapping[str, object], field: str) -> tuple[str, ...] | None:
    match document.get(field):
        case None | []:
            return None
        case [*names] if len(names) <= _MOST_NAMES and all(isinstance(name, str) for name in names):
            return tuple(str(name) for name in names)
        case got:
            raise _wrong(field, Message("a list of at most {count} texts", {"count": _MOST_NAMES}), got)


def _limit(got: object) -> int:
    if isinstance(got, bool) or not isinstance(got, int) or got < 1:
        raise _wrong("limit", Message("a whole number from 1"), got)
    return min(got, MOST_ITEMS)


def _span(got: object) -> tuple[Instant | None, Instant | None]:
    """Instants that a ``datetime`` names (RFC 3339, or two of them with ``/`` between and ``..`` for an open end)."""
    if got is None:
        return None, None
    if not isinstance(got, str):
        raise _wrong("datetime", Message("a text"), got)
    first, slash, last = got.partition("/")
    begin, end = (
        None if text in {"", ".."} else parse_instant(text, field="datetime") for text in (first, last if slash else first)
    )
    if begin is None and end is None:
        raise _wrong("datetime", Message("an instant, or two with a slash between, one of which may be open (..)"), got)
    if begin is not None and end is not None and end < begin:
        raise _wrong("datetime", Message("an end that is not before the begin"), got)
    return begin, end


def _order(got: object) -> tuple[Order, ...]:
    if got is None or got == []:
        return NEWEST_FIRST
    if not isinstance(got, list) or len(got) > _MOST_KEYS:
        raise _wrong("sortby", Message("a list of at most {count} properties", {"count": _MOST_KEYS}), got)
    orders = []
    for each in got:
        match each:
            case {"field": str(name), "direction": ("asc" | "desc") as direction}:
                pass
            case {"field": str(name)}:
                direction = "asc"
            case _:
                raise _wrong("sortby", Message('{{"field": "...", "direction": "asc" or "desc"}}'), each)
        name = name.removeprefix("properties.")
        if name not in QUERYABLES:
            raise _wrong("sortby", Message("one of {names}", {"names": ", ".join(sorted(QUERYABLES))}), name)
        orders.append(Order(name, direction == "desc"))
    order = tuple(orders)
    if order in {NEWEST_FIRST, NEWEST_FIRST[:1]}:
        return NEWEST_FIRST
    return OLDEST_FIRST if order in {OLDEST_FIRST, OLDEST_FIRST[:1]} else (*order, *NEWEST_FIRST)


def _filter(document: Mapping[str, object]) -> Expression | None:
    got = document.get("filter")
    if got is None:
        return None
    filters = Filters(QUERYABLES)
    match document.get("filter-lang", "cql2-json"), got:
        case "cql2-text", str():
            return read_text(filters, got)
        case "cql2-json", dict() | bool():
            return filters.read_json(got)
        case language, _:
            raise _wrong("filter", Message("a CQL2 filter as filter-lang says: cql2-text a text, cql2-json an object"), language)


# ---- places


def _where(document: Mapping[str, object]) -> Where | None:
    bbox, geometry = document.get("bbox"), document.get("intersects")
    if bbox is not None and geometry is not None:
        raise _wrong("intersects", Message("either bbox or intersects"), geometry)
    if geometry is not None:
        return _geometry(geometry)
    if bbox is None:
        return None
    if not isinstance(bbox, list) or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in bbox):
        raise _wrong("bbox", Message("four or six numbers"), bbox)
    box = box_of([float(number) for number in bbox])
    return Where(box, lambda ring: meets(ring, box), is_box=True, told=repr(box))


def _geometry(document: object) -> Where:
    """Place of a GeoJSON geometry."""
    import shapely
    from shapely.affinity import translate

    try:
        geometry = shapely.from_geojson(json.dumps(document))
    except (shapely.errors.GEOSException, ValueError, TypeError) as error:
        raise _wrong("intersects", Message("a GeoJSON geometry"), document) from error
    west, south, east, north = shapely.bounds(geometry).tolist()
    sound = not shapely.is_empty(geometry) and shapely.is_valid(geometry)
    if not sound or not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004 - degrees
        raise _wrong("intersects", Message("a valid geometry within 180 degrees west to east, 90 south to north"), document)
    shapely.prepare(geometry)

    def met(ring: Sequence[tuple[float, float]]) -> bool:
        outline = shapely.Polygon(continuous(ring))
        return any(bool(shapely.intersects(geometry, translate(outline, turn))) for turn in _TURNS)

    return Where(Extent(west, south, east, north), met, told=json.dumps(document, sort_keys=True))
