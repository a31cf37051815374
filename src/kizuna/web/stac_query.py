"""Searches as requests write them, by GET or POST (STAC API 1.0 item search, filter, query and sort), read into queries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kizuna.catalog.cql2 import And, Compare, Comparison, Expression, Filters, OneOf, Type, Value
from kizuna.catalog.cql2_text import read_text
from kizuna.catalog.extents import GLOBE_DEG, Extent, box_of, continuous, meets
from kizuna.catalog.query import MOST_ITEMS, NEWEST_FIRST, OLDEST_FIRST, QUERYABLES, Order, Query, Where
from kizuna.errors import InputError, Message
from kizuna.model.canonical import parse_json
from kizuna.model.instants import day_of, parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.model.instants import Instant

__all__ = ["LARGEST_BODY_BYTES", "boxed", "get_query", "post_query", "read_span", "read_where", "whole_number"]

LARGEST_BODY_BYTES = 1 << 16
_MOST_NAMES = 1_000
_MOST_KEYS = 8
_DEFAULT_ITEMS = 10
_LANGUAGES = ("cql2-json", "cql2-text")
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_TURNS = (0.0, GLOBE_DEG, -GLOBE_DEG)


def _wrong(field: str, expected: Message, got: object = None) -> InputError:
    values: dict[str, str | int | float | Message] = {"field": field, "expected": expected, "got": repr(got)[:64]}
    return InputError(Message("{field}: got {got}, expected {expected}", values), field=field)


def get_query(parameters: Mapping[str, str], collection: str | None = None) -> tuple[Query, str | None]:
    """Query and token of the parameters of a GET request.

    Parameters
    ----------
    parameters
        As they stand in the address; those of no meaning here are passed over.
    collection
        Collection that the path names; None: it names none.

    Raises
    ------
    InputError
        Naming the parameter.
    """
    document: dict[str, object] = {name: parameters[name].split(",") for name in ("collections", "ids") if parameters.get(name)}
    document |= boxed(parameters)
    for name in ("intersects", "query"):
        if parameters.get(name):
            document[name] = parse_json(parameters[name].encode(), field=name)
    if parameters.get("limit"):
        document["limit"] = whole_number(parameters, "limit", _DEFAULT_ITEMS)
    if parameters.get("sortby"):
        document["sortby"] = [
            {"field": part.strip().lstrip("+-"), "direction": "desc" if part.strip().startswith("-") else "asc"}
            for part in parameters["sortby"].split(",")
        ]
    language = parameters.get("filter-lang") or "cql2-text"
    document["filter-lang"] = language
    if parameters.get("filter"):
        is_json = language == "cql2-json"
        document["filter"] = parse_json(parameters["filter"].encode(), field="filter") if is_json else parameters["filter"]
    document |= {name: parameters[name] for name in ("datetime", "token", "filter-crs") if parameters.get(name)}
    if collection is not None:
        # Clients name it once more.
        if "collections" in document and collection not in parameters["collections"].split(","):
            raise _wrong("collections", Message("{value}", {"value": collection}), parameters["collections"])
        document["collections"] = [collection]
    return post_query(document)


def boxed(parameters: Mapping[str, str]) -> dict[str, object]:
    """Member ``bbox`` of the parameter of this name, where there is one."""
    text = parameters.get("bbox")
    return {"bbox": [_number(part) for part in text.split(",")]} if text else {}


def whole_number(parameters: Mapping[str, str], field: str, default: int, *, least: int = 1) -> int:
    """Number that a parameter gives; `default` without one.

    Raises
    ------
    InputError
        If it is no whole number from `least` on.
    """
    text = parameters.get(field)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(2**53)) and int(text) >= least):
        raise _wrong(field, Message("a whole number from {least}", {"least": least}), text)
    return int(text)


def post_query(document: object) -> tuple[Query, str | None]:
    """Query and token of the body of a POST request, already parsed.

    Raises
    ------
    InputError
        Naming the member.
    """
    if not isinstance(document, dict):
        raise _wrong("body", Message("a JSON object"), document)
    begin, end = read_span(document.get("datetime"))
    token = document.get("token")
    if token is not None and not isinstance(token, str):
        raise _wrong("token", Message("a text"), token)
    query = Query(
        collections=_names(document, "collections"),
        ids=_names(document, "ids"),
        where=read_where(document),
        begin=begin,
        end=end,
        expression=_both(_filter(document), _tests(document.get("query"))),
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
        case str(name) if field == "collections" and name:
            # Some clients write one name as it is.
            return (name,)
        case [*names] if len(names) <= _MOST_NAMES and all(isinstance(name, str) for name in names):
            return tuple(str(name) for name in names)
        case got:
            raise _wrong(field, Message("a list of at most {count} texts", {"count": _MOST_NAMES}), got)


def _limit(got: object) -> int:
    if isinstance(got, bool) or not isinstance(got, int) or got < 1:
        raise _wrong("limit", Message("a whole number from {least}", {"least": 1}), got)
    return min(got, MOST_ITEMS)


def read_span(got: object) -> tuple[Instant | None, Instant | None]:
    """Instants that a ``datetime`` names (RFC 3339, or two of them with ``/`` between and ``..`` for an open end).

    Raises
    ------
    InputError
        If it names none, or a whole day, which STAC API leaves out.
    """
    if got is None:
        return None, None
    if not isinstance(got, str):
        raise _wrong("datetime", Message("a text"), got)
    first, slash, last = got.partition("/")
    begin, end = (
        None if text in {"", ".."} else parse_instant(text, field="datetime") for text in (first, last if slash else first)
    )
    if (begin is None and end is None) or any(day_of(text) is not None for text in (first, last)):
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
    got, crs = document.get("filter"), document.get("filter-crs", _CRS84)
    if crs != _CRS84:
        raise _wrong("filter-crs", Message("{value}", {"value": _CRS84}), crs)
    if document.get("filter-lang", _LANGUAGES[0]) not in _LANGUAGES:
        raise _wrong("filter-lang", Message("one of {names}", {"names": ", ".join(_LANGUAGES)}), document["filter-lang"])
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


def _both(one: Expression | None, other: Expression | None) -> Expression | None:
    return one if other is None else other if one is None else And((one, other))


# ---- the query extension

_OPERATORS = {
    "eq": Comparison.EQUAL,
    "neq": Comparison.UNEQUAL,
    "lt": Comparison.BELOW,
    "lte": Comparison.AT_MOST,
    "gt": Comparison.ABOVE,
    "gte": Comparison.AT_LEAST,
}
_PATTERNS = {"startsWith": "{}%", "endsWith": "%{}", "contains": "%{}%"}
_WILD = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


def _tests(got: object) -> Expression | None:
    """Conditions of the query extension: operators and values by property, all of which must hold."""
    if got is None:
        return None
    if not isinstance(got, dict):
        raise _wrong("query", Message('an object such as {{"gsd": {{"lte": 1}}}}'), got)
    filters = Filters(QUERYABLES)
    parts: list[Expression] = []
    for name, tests in got.items():
        if not isinstance(tests, dict) or not tests:
            raise _wrong("query", Message('an object such as {{"gsd": {{"lte": 1}}}}'), got)
        for operator, value in tests.items():
            filters.count(0)
            parts.append(_test(filters, str(name).removeprefix("properties."), operator, value))
    return None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))


def _test(filters: Filters, name: str, operator: str, value: object) -> Expression:
    match operator, value:
        case (("eq" | "neq" | "lt" | "lte" | "gt" | "gte"), (str() | bool() | int() | float())):
            # What is written as a text may be meant as a number: in an address everything is a text.
            plain = _number(value) if isinstance(value, str) and filters.type_of(name) is Type.NUMBER else value
            return Compare(name, _OPERATORS[operator], filters.value(name, plain))
        case (("startsWith" | "endsWith" | "contains"), str(text)):
            return filters.like(name, _PATTERNS[operator].format(text.translate(_WILD)))
        case "in", [_, *_] as values:
            found: list[Value] = []
            for each in values:
                filters.count(0)
                if not isinstance(each, str | bool | int | float):
                    raise _wrong("query", Message("texts or numbers"), each)
                found.append(filters.value(name, each))
            return OneOf(name, tuple(found))
        case _:
            expected = Message("one of {names}, with its value", {"names": ", ".join([*_OPERATORS, *_PATTERNS, "in"])})
            raise _wrong("query", expected, {operator: value})


# ---- places


def read_where(document: Mapping[str, object]) -> Where | None:
    """Place that ``bbox`` or ``intersects`` names.

    Raises
    ------
    InputError
        If it is none, or both are there.
    """
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
