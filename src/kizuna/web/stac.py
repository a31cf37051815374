"""STAC API over the catalogue: landing page, collections, items and search, for people and for partners.

One face, twice: at the people's listener for whoever signed in, at the partners' for the peer of the TLS connection. What a
caller may not see does not exist for it: one and the same 404, no counts of what is there for others, no extents made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kizuna.catalog.cql2 import Type
from kizuna.catalog.query import MOST_ITEMS, QUERYABLES
from kizuna.errors import InputError, Message
from kizuna.formats.stac import STAC_VERSION, security_schema
from kizuna.kinds.registry import kind_names
from kizuna.model.canonical import parse_json
from kizuna.model.product import parse_product_id
from kizuna.web.answers import answering, text_of
from kizuna.web.answers import miss as _miss
from kizuna.web.answers import written as _written
from kizuna.web.gate import peer_fingerprint
from kizuna.web.lane import Lane
from kizuna.web.map_openapi import MAP_OPERATIONS, MAP_PARAMETERS
from kizuna.web.stac_aggregate import aggregation_document, aggregations_document, get_aggregations, post_aggregations
from kizuna.web.stac_fields import Fields, get_fields, post_fields
from kizuna.web.stac_items import item_document, item_text
from kizuna.web.stac_openapi import CONFORMANCE, FORMATS, GEOJSON, HTML, JSON, OPENAPI, OPERATIONS, SCHEMA, openapi, service_page
from kizuna.web.stac_query import LARGEST_BODY_BYTES, boxed, get_query, post_query, read_span, read_where, whole_number
from kizuna.web.tiles import TileFace, grid_links

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kizuna.catalog.aggregate import Aggregation, Counted
    from kizuna.catalog.query import Query
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.product import Asset, Product, ProductId
    from kizuna.node.catalogue import Page, Shown
    from kizuna.web.answers import Endpoint, Guard
    from kizuna.web.stac_openapi import Operation
    from kizuna.web.tiles import TileDesk

__all__ = ["PARTNER_PATH", "PEOPLE_PATH", "StacDesk", "StacFace", "beside", "collection_document", "item_path", "partner_stac"]

PEOPLE_PATH, PARTNER_PATH = "/stac", "/exchange/stac"

_SUFFIXES = {"kml": "kml", "geoparquet": "parquet"}
_UNCACHED = {"cache-control": "private, no-store"}
_MOST_HOSTS = 4
# More threads would only take the interpreter from each other; what takes longer waits for the disk.
_MOST_AT_ONCE = 8
# So many outlines a globe draws with ease.
_GLOBE_ITEMS = 200
_TYPES: dict[Type, dict[str, Json]] = {
    Type.TEXT: {"type": "string"},
    Type.NUMBER: {"type": "number"},
    Type.INSTANT: {"type": "string", "format": "date-time"},
    Type.BOOLEAN: {"type": "boolean"},
}


class StacDesk(Protocol):
    """Answers searches. Called from several threads at once."""

    def search(self, query: Query, partner: Party | None, token: str | None = None) -> Page:
        """Page of what a query finds for a partner, or for the node's own people."""
        ...

    def aggregate(self, query: Query, aggregations: Sequence[Aggregation], partner: Party | None) -> Sequence[Counted]:
        """What is counted of all that a query finds for a partner, or for the node's own people."""
        ...

    def item(self, product: ProductId, partner: Party | None) -> Shown | None:
        """Product of this id as a caller may see it."""
        ...


class StacFace:
    """Endpoints of the STAC API under one path.

    Parameters
    ----------
    desk
        What answers.
    path
        Where the API begins, such as ``/stac``.
    title
        Title of the catalogue.
    asset_path
        Path of a file of a product.
    """

    def __init__(self, desk: StacDesk, path: str, title: str, asset_path: Callable[[Product, Asset], str]) -> None:
        self._desk, self._path, self._title, self._asset_path = desk, path, title, asset_path
        self._lane = Lane("stac", _MOST_AT_ONCE)

    def routes(self, guard: Guard) -> list[Route]:
        """Routes of the API, each behind what tells who asks."""

        def route(operation: Operation) -> Route:
            endpoint: Endpoint = getattr(self, operation.name.removesuffix("_posted"))
            answer = guard(_answering(operation, endpoint))

            async def answered(request: Request) -> Response:
                if operation.body:
                    body = await _read(request)
                    if body is None:
                        return _written({"code": "TooLarge", "description": "the body is too large"}, status=413)
                    request.state.body = body
                return await self._lane.run(answer, request)

            return Route(self._path + operation.path, answered, methods=[operation.method])

        # Each request is held to one after the other, so what is asked most stands first.
        return [route(operation) for operation in sorted(OPERATIONS, key=lambda each: each.path != "/search")]

    # ---- what is the same for all

    def _here(self, request: Request) -> str:
        path: str = request.scope["path"]
        asked: str = request.scope["query_string"].decode()
        return self._base(request) + path.removeprefix(self._path) + (f"?{asked}" if asked else "")

    def _base(self, request: Request) -> str:
        # Not of the request's URL, which takes longer to be put together than an item to be found.
        return f"{request.scope['scheme']}://{request.headers.get('host', '')}{self._path}"

    def landing(self, request: Request, _caller: Party | None) -> Response:
        """Catalogue that all begins with."""
        base = self._base(request)
        links: list[Json] = [
            {"rel": "self", "type": JSON, "href": base},
            {"rel": "root", "type": JSON, "href": base},
            {"rel": "conformance", "type": JSON, "href": base + "/conformance"},
            {"rel": "data", "type": JSON, "href": base + "/collections"},
            {"rel": "search", "type": GEOJSON, "href": base + "/search", "method": "GET"},
            {"rel": "search", "type": GEOJSON, "href": base + "/search", "method": "POST"},
            {"rel": "service-desc", "type": OPENAPI, "href": base + "/api"},
            {"rel": "service-doc", "type": HTML, "href": base + "/api.html"},
            *_properties_links(base),
            {"rel": "aggregate", "type": JSON, "href": base + "/aggregate", "method": "GET"},
            {"rel": "aggregate", "type": JSON, "href": base + "/aggregate", "method": "POST"},
            *grid_links(base),
        ]
        links += [{"rel": "child", "type": JSON, "href": f"{base}/collections/{name}", "title": name} for name in kind_names()]
        return _written(
            {
                "type": "Catalog",
                "stac_version": STAC_VERSION,
                "id": "kizuna",
                "title": self._title,
                "description": "Products of this node that you may see.",
                "conformsTo": [*CONFORMANCE],
                "links": links,
            }
        )

    def conformance(self, _request: Request, _caller: Party | None) -> Response:
        """Classes that the API conforms to."""
        return _written({"conformsTo": [*CONFORMANCE]})

    def api(self, request: Request, _caller: Party | None) -> Response:
        """OpenAPI description."""
        return _written(openapi(self._title, self._base(request), (*OPERATIONS, *MAP_OPERATIONS), MAP_PARAMETERS), OPENAPI)

    def api_page(self, request: Request, _caller: Party | None) -> Response:
        """The same to be read."""
        page = service_page(self._title, self._base(request), (*OPERATIONS, *MAP_OPERATIONS))
        return Response(page, headers={"cache-control": "private, no-store"}, media_type=HTML)

    def queryables(self, request: Request, _caller: Party | None) -> Response:
        """Properties that filters know."""
        return self._properties(request)

    def sortables(self, request: Request, _caller: Party | None) -> Response:
        """Properties to sort by."""
        return self._properties(request)

    collection_queryables, collection_sortables = queryables, sortables

    def _properties(self, request: Request) -> Response:
        self._known(request)
        return _written(
            {
                "$schema": "https://json-schema.org/draft/2019-09/schema",
                "$id": self._here(request),
                "type": "object",
                "title": self._title,
                "properties": {name: {"title": name, **_TYPES[kind]} for name, kind in QUERYABLES.items()},
                "additionalProperties": False,
            },
            SCHEMA,
        )

    def schema(self, _request: Request, _caller: Party | None) -> Response:
        """Schema of the security extension."""
        return _written(security_schema(), SCHEMA)

    def collections(self, request: Request, _caller: Party | None) -> Response:
        """Collections, one a kind of product, whatever the node holds.

        Their extents are the whole world and all time, so each box and each span meets all of them.
        """
        base, asked = self._base(request), request.query_params
        read_span(asked.get("datetime") or None)
        read_where(boxed(asked))
        words = [word.strip().casefold() for word in asked.get("q", "").split(",") if word.strip()]
        known = [self._collection(base, name) for name in kind_names()]
        matched = [
            one for one in known if not words or any(word in f"{one['id']} {one['description']}".casefold() for word in words)
        ]
        first, limit = whole_number(asked, "offset", 0, least=0), whole_number(asked, "limit", MOST_ITEMS)
        shown = matched[first : first + limit]
        links: list[Json] = [
            {"rel": "self", "type": JSON, "href": self._here(request)},
            {"rel": "root", "type": JSON, "href": base},
        ]
        if first + limit < len(matched):
            href = f"{base}/collections?{_encoded(asked, offset=str(first + limit))}"
            links.append({"rel": "next", "type": JSON, "href": href, "method": "GET"})
        return _written({"collections": [*shown], "links": links, "numberMatched": len(matched), "numberReturned": len(shown)})

    def collection(self, request: Request, _caller: Party | None) -> Response:
        """One collection."""
        return _written(self._collection(self._base(request), self._known(request)))

    def _known(self, request: Request) -> str:
        name: str = request.path_params.get("collection", kind_names()[0])
        if name not in kind_names():
            raise HTTPException(404)
        return name

    def _collection(self, base: str, name: str) -> dict[str, Json]:
        return collection_document(base, name)

    # ---- items

    def item(self, request: Request, caller: Party | None) -> Response:
        """One item."""
        collection = self._known(request)
        try:
            product = parse_product_id(request.path_params["item"])
        except InputError:
            raise HTTPException(404) from None
        shown = self._desk.item(product, caller)
        if shown is None or shown.product.kind != collection:
            raise HTTPException(404)
        base = self._base(request)
        if _format(request) is not None:
            return self._formed(request, [self._item(base, shown)], None)
        return Response(self._text(base, shown), headers=_UNCACHED, media_type=GEOJSON)

    def _text(self, base: str, shown: Shown) -> bytes:
        """Item as it is written; of many it is asked again and again."""
        text = shown.written.get(base)
        if text is None:
            text = item_text(shown, base, base.removesuffix(self._path), self._asset_path)
            # Clients name the host as they like.
            if len(shown.written) < _MOST_HOSTS:
                shown.written[base] = text
        return text

    def _item(self, base: str, shown: Shown) -> dict[str, Json]:
        return item_document(shown, base, base.removesuffix(self._path), self._asset_path)

    def items(self, request: Request, caller: Party | None) -> Response:
        """Items of a collection."""
        collection, asked = self._known(request), request.query_params
        query, token = get_query(asked, collection)
        return self._page(request, self._desk.search(query, caller, token), get_fields(asked))

    def search(self, request: Request, caller: Party | None) -> Response:
        """Items that a search finds."""
        if request.method == "POST":
            document = _body(request)
            (query, token), fields = post_query(document), post_fields(document)
        else:
            (query, token), fields = get_query(request.query_params), get_fields(request.query_params)
        return self._page(request, self._desk.search(query, caller, token), fields)

    def _page(self, request: Request, page: Page, fields: Fields) -> Response:
        base, here = self._base(request), self._here(request)
        links: list[dict[str, Json]] = [
            {"rel": "root", "type": JSON, "href": base},
            {"rel": "self", "type": GEOJSON, "href": here},
        ]
        if page.token is not None and request.method == "POST":
            body: Json = {"token": page.token}
            links.append({"rel": "next", "type": GEOJSON, "href": here, "method": "POST", "body": body, "merge": True})
        elif page.token is not None:
            href = f"{here.partition('?')[0]}?{_encoded(request.query_params, token=page.token)}"
            links.append({"rel": "next", "type": GEOJSON, "href": href, "method": "GET"})
        if _format(request) is not None:
            following = None if page.token is None else str(links[-1]["href"])
            return self._formed(request, [self._item(base, shown) for shown in page.items], following)
        if fields.everything:
            features = [self._text(base, shown) for shown in page.items]
        else:
            features = [text_of(fields.of(self._item(base, shown))) for shown in page.items]
        head, rest = b'{"type":"FeatureCollection","features":[', b'],"numberReturned":%d,"links":' % len(features)
        text = b"".join((head, b",".join(features), rest, text_of([*links]), b"}"))
        return Response(text, headers=_UNCACHED, media_type=GEOJSON)

    def _formed(self, request: Request, items: Sequence[Mapping[str, Json]], following: str | None) -> Response:
        """Items in another form than GeoJSON."""
        asked = _format(request)
        match asked:
            case "kml":
                from kizuna.formats.kml import kml_items

                body = kml_items(self._title, items, following)
            case "geoparquet":
                from kizuna.formats.geoparquet import geoparquet_items

                body = geoparquet_items(items)
            case _:
                raise HTTPException(404)
        headers = _UNCACHED | {"content-disposition": f'attachment; filename="items.{_SUFFIXES[asked]}"'}
        if following is not None:
            headers["link"] = f'<{following}>; rel="next"'
        return Response(body, headers=headers, media_type=FORMATS[asked])

    def kml(self, request: Request, _caller: Party | None) -> Response:
        """Document for a globe, which loads what lies in view."""
        from kizuna.formats.kml import kml_links

        base = self._base(request)
        links = {name: f"{base}/collections/{name}/items?f=kml&limit={_GLOBE_ITEMS}" for name in kind_names()}
        return Response(kml_links(self._title, links), headers={"cache-control": "private, no-store"}, media_type=FORMATS["kml"])

    # ---- counts

    def aggregations(self, request: Request, _caller: Party | None) -> Response:
        """What can be counted."""
        self._known(request)
        return _written(aggregations_document(self._links(request)))

    def aggregate(self, request: Request, caller: Party | None) -> Response:
        """Counts of what a search finds."""
        if request.method == "POST":
            document = _body(request)
            (query, _), asked = post_query(document), post_aggregations(document)
        else:
            collection = self._known(request) if "collection" in request.path_params else None
            (query, _), asked = get_query(request.query_params, collection), get_aggregations(request.query_params)
        return _written(aggregation_document(self._desk.aggregate(query, asked, caller), self._links(request)))

    collection_aggregations, collection_aggregate = aggregations, aggregate

    def _links(self, request: Request) -> list[Json]:
        return [
            {"rel": "self", "type": JSON, "href": self._here(request)},
            {"rel": "root", "type": JSON, "href": self._base(request)},
        ]


def _format(request: Request) -> str | None:
    """Form that was asked for; None for GeoJSON."""
    asked = request.query_params.get("f") or "geojson"
    if asked not in FORMATS:
        raise InputError(
            Message("{field}: got {got}, expected {expected}", {"field": "f", "got": asked[:64], "expected": ", ".join(FORMATS)})
        )
    return None if FORMATS[asked] == GEOJSON else asked


def collection_document(base: str, name: str) -> dict[str, Json]:
    """STAC collection of the products of a kind.

    Parameters
    ----------
    base
        Address of the landing page.
    name
        Name of the kind.
    """
    here = f"{base}/collections/{name}"
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": name,
        "title": name,
        "description": f"Products of the kind {name} that you may see.",
        "license": "other",
        # Not that of the items: it would tell of those that the reader may not see.
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "links": [
            {"rel": "self", "type": JSON, "href": here},
            {"rel": "root", "type": JSON, "href": base},
            {"rel": "parent", "type": JSON, "href": base},
            {"rel": "items", "type": GEOJSON, "href": here + "/items"},
            *_properties_links(here),
            {"rel": "aggregate", "type": JSON, "href": here + "/aggregate", "method": "GET"},
        ],
    }


def item_path(path: str, product: Product) -> str:
    """Path of the item of a product, of the STAC API below another path."""
    return f"{path}/collections/{product.kind}/items/{product.id}"


def partner_stac(peer_of: Callable[[str], Party | None], desk: StacDesk, title: str, tiles: TileDesk | None = None) -> Starlette:
    """STAC API for partners, below `PARTNER_PATH`.

    Parameters
    ----------
    peer_of
        Partner whose pinned certificate has this SHA-256; None for a stranger.
    desk
        What answers.
    title
        Title of the catalogue.
    tiles
        What says what may be drawn; None: there are no map tiles.
    """

    def guard(endpoint: Endpoint) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            peer = peer_of(peer_fingerprint(request.scope))
            if peer is None:
                raise HTTPException(404)
            return endpoint(request, peer)

        return guarded

    face = StacFace(desk, PARTNER_PATH, title, lambda _product, asset: f"/exchange/v1/blobs/{asset.digest}")

    async def missed(_request: Request, _error: Exception) -> Response:
        return _miss()

    async def failed(_request: Request, _error: Exception) -> Response:
        return _written({"code": "ServerError", "description": "failed"}, status=500)

    routes = face.routes(guard) + ([] if tiles is None else TileFace(tiles, PARTNER_PATH, title).routes(guard))
    app = Starlette(routes=routes, exception_handlers={HTTPException: missed, Exception: failed})
    app.router.redirect_slashes = False
    return app


def beside(app: ASGIApp, path: str, other: ASGIApp) -> ASGIApp:
    """`app`, but for what lies below a path, which `other` answers."""

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        below = scope["type"] == "http" and (scope["path"] == path or scope["path"].startswith(path + "/"))
        await (other if below else app)(scope, receive, send)

    return chosen


def _properties_links(here: str) -> list[Json]:
    """Links to the properties that filters and sorting know, and to what can be counted."""
    relation = "http://www.opengis.net/def/rel/ogc/1.0"
    return [
        {"rel": f"{relation}/queryables", "type": SCHEMA, "href": f"{here}/queryables"},
        {"rel": f"{relation}/sortables", "type": SCHEMA, "href": f"{here}/sortables"},
        {"rel": "aggregations", "type": JSON, "href": here + "/aggregations"},
    ]


def _encoded(asked: QueryParams, **others: str) -> str:
    """Parameters as they were asked, some of them replaced."""
    return urlencode([*((name, value) for name, value in asked.multi_items() if name not in others), *others.items()])


async def _read(request: Request) -> bytes | None:
    """Body of a request; None if it is too large."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY_BYTES:
            return None
    return bytes(body)


def _body(request: Request) -> dict[str, object]:
    document = parse_json(request.state.body or b"{}", field="body")
    if not isinstance(document, dict):
        raise InputError(Message("{field}: expected {expected}", {"field": "body", "expected": Message("a JSON object")}))
    return {**document}


def _require_known(asked: QueryParams, known: Sequence[str]) -> None:
    """Refuse parameters that an address does not have (OGC API Features 1.0.1, 7.6)."""
    for name in asked:
        if name not in known:
            raise InputError(
                Message("{field}: no parameter of this address", {"field": repr(name)[:64]}),
                hint=Message("known are: {names}", {"names": ", ".join(known) or "-"}),
                field="parameters",
            )


def _answering(operation: Operation, endpoint: Endpoint) -> Endpoint:
    """Endpoint that refuses parameters it does not know."""

    def answer(request: Request, caller: Party | None) -> Response:
        # Before anything is looked for: what is wrong with a question hangs on nothing but the question.
        _require_known(request.query_params, operation.parameters)
        return endpoint(request, caller)

    return answering(answer)
