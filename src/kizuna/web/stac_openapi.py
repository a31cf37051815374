"""What the STAC API offers, operation by operation: the table that its routes are made from, and its OpenAPI description."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.catalog.query import MOST_ITEMS
from kizuna.web.stac_aggregate import AGGREGATION_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kizuna.model.canonical import Json

__all__ = [
    "CONFORMANCE",
    "FORMATS",
    "GEOJSON",
    "HTML",
    "JSON",
    "OPENAPI",
    "OPERATIONS",
    "SCHEMA",
    "Operation",
    "openapi",
    "service_page",
]

GEOJSON, JSON, SCHEMA = "application/geo+json", "application/json", "application/schema+json"
OPENAPI, HTML = "application/vnd.oai.openapi+json;version=3.0", "text/html"
FORMATS = {
    "geojson": GEOJSON,
    "json": GEOJSON,
    "kml": "application/vnd.google-earth.kml+xml",
    "geoparquet": "application/vnd.apache.parquet",
}
"""Forms in which items can be had (``f=``), with their media types."""

_STAC, _SEARCH = "https://api.stacspec.org/v1.0.0", "https://api.stacspec.org/v1.0.0-rc.1/collection-search"
_OGC = "http://www.opengis.net/spec"
CONFORMANCE = (
    *(f"{_STAC}/{name}" for name in ("core", "collections", "ogcapi-features", "item-search")),
    *(f"{_STAC}/{of}#{name}" for of in ("item-search", "ogcapi-features") for name in ("sort", "filter", "fields", "query")),
    _SEARCH,
    f"{_SEARCH}#free-text",
    "https://api.stacspec.org/v0.3.0/aggregation",
    "https://api.stacspec.org/v0.3.0/aggregation#query",
    "https://api.stacspec.org/v0.3.0/aggregation#filter",
    f"{_OGC}/ogcapi-common-2/1.0/conf/simple-query",
    *(f"{_OGC}/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30")),
    *(f"{_OGC}/ogcapi-features-3/1.0/conf/{name}" for name in ("filter", "features-filter")),
    *(f"{_OGC}/cql2/1.0/conf/{name}" for name in ("basic-cql2", "advanced-comparison-operators", "cql2-text", "cql2-json")),
    *(f"{_OGC}/ogcapi-tiles-1/1.0/conf/{name}" for name in ("core", "tileset", "tilesets-list", "png")),
    *(f"{_OGC}/ogcapi-maps-1/1.0/conf/{name}" for name in ("core", "png")),
)
"""Classes that the API conforms to."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked.

    Parameters
    ----------
    name
        Its name, unique: that of the endpoint.
    path
        Path below that of the API.
    summary
        What it answers.
    answer
        Media type of the answer, and the name of its schema.
    method
        HTTP method.
    parameters
        Names of the parameters of its address that it knows; others are refused.
    body
        Name of the schema of its body.
    """

    name: str
    path: str
    summary: str
    answer: tuple[str, str]
    method: str = "GET"
    parameters: tuple[str, ...] = ()
    body: str | None = None


_FIND = ("bbox", "datetime", "filter", "filter-lang", "filter-crs", "query")
_PAGE = ("limit", "sortby", "fields", "token", "f")
_SOME = ("collections", "ids", "intersects")
_COUNT = tuple(AGGREGATION_PARAMETERS)
_ONE = "/collections/{collection}"
_ITEMS = (GEOJSON, "ItemCollection")
_COUNTS = (JSON, "AggregationCollection")

OPERATIONS = (
    Operation("landing", "", "Landing page", (JSON, "Catalog")),
    Operation("conformance", "/conformance", "Classes that the API conforms to", (JSON, "Conformance")),
    Operation("api", "/api", "This description", (OPENAPI, "Any")),
    Operation("api_page", "/api.html", "This description, to be read", (HTML, "Text")),
    Operation("queryables", "/queryables", "Properties that filters know", (SCHEMA, "Any")),
    Operation("sortables", "/sortables", "Properties to sort by", (SCHEMA, "Any")),
    Operation("schema", "/schemas/security", "JSON Schema of the security extension", (SCHEMA, "Any")),
    Operation(
        "collections",
        "/collections",
        "Collections",
        (JSON, "Collections"),
        parameters=("bbox", "datetime", "q", "limit", "offset"),
    ),
    Operation("collection", _ONE, "One collection", (JSON, "Collection")),
    Operation("collection_queryables", f"{_ONE}/queryables", "Properties that filters know", (SCHEMA, "Any")),
    Operation("collection_sortables", f"{_ONE}/sortables", "Properties to sort by", (SCHEMA, "Any")),
    Operation("items", f"{_ONE}/items", "Items of a collection", _ITEMS, parameters=(*_SOME, *_FIND, *_PAGE)),
    Operation("item", f"{_ONE}/items/{{item}}", "One item", (GEOJSON, "Item"), parameters=("f",)),
    Operation("kml", "/kml", "KML for a globe, which loads what lies in view", (FORMATS["kml"], "Text")),
    Operation("search", "/search", "Items that a search finds", _ITEMS, parameters=(*_SOME, *_FIND, *_PAGE)),
    Operation("search_posted", "/search", "Items that a search finds", _ITEMS, "POST", body="Search"),
    Operation("aggregations", "/aggregations", "What can be counted", _COUNTS),
    Operation("aggregate", "/aggregate", "Counts of what a search finds", _COUNTS, parameters=(*_SOME, *_FIND, *_COUNT)),
    Operation("aggregate_posted", "/aggregate", "Counts of what a search finds", _COUNTS, "POST", body="Aggregate"),
    Operation("collection_aggregations", f"{_ONE}/aggregations", "What can be counted", _COUNTS),
    Operation(
        "collection_aggregate",
        f"{_ONE}/aggregate",
        "Counts of items of a collection",
        _COUNTS,
        parameters=(*_SOME, *_FIND, *_COUNT),
    ),
)

_TEXT: dict[str, Json] = {"type": "string"}
_OBJECT: dict[str, Json] = {"type": "object"}
_TEXTS: dict[str, Json] = {"type": "array", "items": _TEXT}
_LINKS: dict[str, Json] = {"type": "array", "items": {"$ref": "#/components/schemas/Link"}}
_BOX: dict[str, Json] = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
_LIMIT: dict[str, Json] = {"type": "integer", "minimum": 1, "default": 10, "description": f"at most {MOST_ITEMS} come"}
_LANGUAGE: dict[str, Json] = {"type": "string", "enum": ["cql2-text", "cql2-json"]}
_CRS: dict[str, Json] = {"type": "string", "enum": ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]}
_LISTED: dict[str, Json] = {"type": "string", "description": "names with commas between"}
_PARAMETERS: dict[str, dict[str, Json]] = {
    "bbox": {"type": "string", "description": "west,south,east,north in degrees; or six numbers, with heights"},
    "datetime": {"type": "string", "description": "RFC 3339 instant, or two with / between, one of which may be .."},
    "intersects": {"type": "string", "description": "GeoJSON geometry"},
    "collections": _LISTED,
    "ids": _LISTED,
    "filter": {"type": "string", "description": "CQL2"},
    "filter-lang": _LANGUAGE,
    "filter-crs": _CRS,
    "query": {"type": "string", "description": 'JSON such as {"gsd": {"lte": 1}}'},
    "limit": _LIMIT,
    "offset": {"type": "integer", "minimum": 0, "default": 0},
    "q": {"type": "string", "description": "words with commas between, one of which must occur"},
    "sortby": {"type": "string", "description": "properties with commas between, - before one for descending"},
    "fields": {"type": "string", "description": "members with commas between, - before one that is not wanted"},
    "token": {"type": "string", "description": "as a link to the next page has it"},
    "f": {"type": "string", "enum": [*FORMATS]},
    **AGGREGATION_PARAMETERS,
}


def _shape(required: str, **properties: Json) -> dict[str, Json]:
    """Schema of an object with these members."""
    return {"type": "object", "required": [*required.split()], "properties": properties}


def _ref(name: str) -> dict[str, Json]:
    return {"$ref": f"#/components/schemas/{name}"}


_SEARCH_BODY: dict[str, Json] = {
    "collections": _TEXTS,
    "ids": _TEXTS,
    "bbox": _BOX,
    "intersects": _OBJECT,
    "datetime": _TEXT,
    "filter": {},
    "filter-lang": _LANGUAGE,
    "filter-crs": _CRS,
    "query": _OBJECT,
}
_SCHEMAS: dict[str, Json] = {
    "Any": _OBJECT,
    "Text": _TEXT,
    "Link": _shape("rel href", rel=_TEXT, href=_TEXT, type=_TEXT),
    "Problem": _shape("code description", code=_TEXT, description=_TEXT),
    "Conformance": _shape("conformsTo", conformsTo=_TEXTS),
    "Catalog": _shape("type stac_version id description conformsTo links", id=_TEXT, conformsTo=_TEXTS, links=_LINKS),
    "Collection": _shape("type stac_version id description license extent links", id=_TEXT, extent=_OBJECT, links=_LINKS),
    "Collections": _shape(
        "collections links numberMatched numberReturned",
        collections={"type": "array", "items": _ref("Collection")},
        links=_LINKS,
        numberMatched={"type": "integer"},
        numberReturned={"type": "integer"},
    ),
    "Item": _shape(
        "type stac_version id collection geometry properties links assets",
        type={"type": "string", "enum": ["Feature"]},
        id=_TEXT,
        geometry={"type": "object", "nullable": True},
        properties=_OBJECT,
        links=_LINKS,
        assets=_OBJECT,
    ),
    # Of an item only what `fields` asks for.
    "ItemCollection": _shape(
        "type features links numberReturned",
        type={"type": "string", "enum": ["FeatureCollection"]},
        features={"type": "array", "items": _shape("type id", id=_TEXT)},
        links=_LINKS,
        numberReturned={"type": "integer"},
    ),
    "AggregationCollection": _shape(
        "type aggregations links",
        type={"type": "string", "enum": ["AggregationCollection"]},
        aggregations={"type": "array", "items": _shape("name data_type", name=_TEXT, data_type=_TEXT)},
        links=_LINKS,
    ),
    "Search": _shape(
        "",
        **_SEARCH_BODY,
        limit=_LIMIT,
        sortby={
            "type": "array",
            "items": _shape("field", field=_TEXT, direction={"type": "string", "enum": ["asc", "desc"]}),
        },
        fields=_shape("", include={**_TEXTS, "nullable": True}, exclude={**_TEXTS, "nullable": True}),
        token=_TEXT,
    ),
    "Aggregate": _shape("", **_SEARCH_BODY, **{**AGGREGATION_PARAMETERS, "aggregations": _TEXTS}),
}
for _schema in ("Search", "Aggregate"):
    _SCHEMAS[_schema] = {name: value for name, value in dict(_SCHEMAS[_schema]).items() if name != "required"}  # type: ignore[arg-type]


def openapi(title: str, base: str, operations: Iterable[Operation], parameters: Mapping[str, dict[str, Json]]) -> Json:
    """OpenAPI 3.0 description.

    Parameters
    ----------
    title
        Title of the catalogue.
    base
        Address of the landing page.
    operations
        What is offered.
    parameters
        Schemas of their parameters beside those of the STAC API.
    """
    known = {**_PARAMETERS, **parameters}
    paths: dict[str, dict[str, Json]] = {}
    for operation in operations:
        paths.setdefault(operation.path or "/", {})[operation.method.lower()] = _described(operation, known)
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": "1", "description": "STAC API of a kizuna node: what you may see of its products."},
        "servers": [{"url": base}],
        "paths": {**paths},
        "components": {"schemas": dict(_SCHEMAS)},
    }


def _described(operation: Operation, known: Mapping[str, dict[str, Json]]) -> Json:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT} for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [{"name": name.partition(":")[0], "in": "query", "schema": known[name]} for name in operation.parameters]
    media_type, schema = operation.answer
    content: dict[str, Json] = {media_type: {"schema": _ref(schema)}}
    if "f" in operation.parameters:
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS.values() if kind != GEOJSON}
    if media_type.startswith("image/"):
        content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/webp", "image/png")}
    problem: Json = {JSON: {"schema": _ref("Problem")}}
    responses: dict[str, Json] = {
        "200": {"description": operation.summary, "content": content},
        "400": {"description": "the question cannot be read; the answer says what was expected", "content": problem},
        "401": {"description": "nobody signed in (people's listener)"},
        "404": {"description": "not there for you", "content": problem},
        **(
            {
                "304": {"description": "what the caller has is still good"},
                "503": {"description": "what it is drawn from is being made", "content": problem},
            }
            if media_type.startswith("image/")
            else {}
        ),
        "429": {"description": "too many requests (partners' listener)"},
    }
    told: dict[str, Json] = {"operationId": operation.name, "summary": operation.summary, "parameters": parameters}
    if operation.body is not None:
        told["requestBody"] = {"required": False, "content": {JSON: {"schema": _ref(operation.body)}}}
        responses["413"] = {"description": "the body is too large", "content": problem}
    return told | {"responses": responses}


def service_page(title: str, base: str, operations: Iterable[Operation]) -> str:
    """Page that says what the API offers, for people: plain HTML without scripts."""
    cells = (
        (f"<code>{one.method} {html.escape(base + one.path)}</code>", html.escape(one.summary), _names(one)) for one in operations
    )
    rows = "\n".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}: STAC API</title></head>\n'
        f"<body><h1>{name}: STAC API</h1>\n<table><tr><th>Request</th><th>Answer</th><th>Parameters</th></tr>\n"
        f"{rows}\n</table></body></html>\n"
    )


def _names(operation: Operation) -> str:
    """Parameters of an operation, with commas between."""
    return ", ".join(name.partition(":")[0] for name in operation.parameters)
