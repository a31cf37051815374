"""STAC API over the catalogue: landing page, collections, items and search, for people and for partners.

One face, twice: at the people's listener for whoever signed in, at the partners' for the peer of the TLS connection. What a
caller may not see does not exist for it: one and the same 404, no counts of what is there for others, no extents made of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kizuna.catalog.cql2 import Type
from kizuna.catalog.query import QUERYABLES
from kizuna.errors import InputError
from kizuna.formats.stac import STAC_VERSION, security_schema, stac_item
from kizuna.kinds.registry import kind_names
from kizuna.model.canonical import parse_json
from kizuna.model.product import parse_product_id
from kizuna.node.decisions import partner_terms
from kizuna.web.gate import peer_fingerprint
from kizuna.web.stac_query import LARGEST_BODY_BYTES, get_query, post_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kizuna.catalog.query import Query
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.product import Asset, Product, ProductId
    from kizuna.node.catalogue import Page, Shown

    type Endpoint = Callable[[Request, Party | None], Response]
    type Guard = Callable[[Endpoint], Callable[[Request], Response]]

__all__ = ["PARTNER_PATH", "PEOPLE_PATH", "StacDesk", "StacFace", "beside", "partner_stac"]

PEOPLE_PATH, PARTNER_PATH = "/stac", "/exchange/stac"

_GEOJSON, _JSON, _SCHEMA = "application/geo+json", "application/json", "application/schema+json"
_OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
_CONFORMANCE = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
]
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

    def item(self, product: ProductId, partner: Party | None) -> Shown | None:
        """Product of this id as a caller may see it."""
        ...


def _written(document: Json, media_type: str = _JSON, status: int = 200) -> Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, {"cache-control": "private, no-store"}, media_type)


def _miss() -> Response:
    return _written({"code": "NotFound", "description": "not found"}, status=404)


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

    def routes(self, guard: Guard) -> list[Route]:
        """Routes of the API, each behind what tells who asks."""
        path, collection = self._path, self._path + "/collections/{collection}"

        def route(where: str, endpoint: Endpoint) -> Route:
            return Route(where, guard(_answering(endpoint)), methods=["GET"])

        search = guard(_answering(self.search))

        async def posted(request: Request) -> Response:
            body = bytearray()
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_BODY_BYTES:
                    return _written({"code": "TooLarge", "description": "the body is too large"}, status=413)
            request.state.body = bytes(body)
            return await run_in_threadpool(search, request)

        return [
            route(path, self.landing),
            route(path + "/conformance", self.conformance),
            route(path + "/api", self.api),
            route(path + "/queryables", self.queryables),
            route(path + "/schemas/security", self.schema),
            route(path + "/collections", self.collections),
            route(collection, self.collection),
            route(collection + "/queryables", self.queryables),
            route(collection + "/items", self.items),
            route(collection + "/items/{item}", self.item),
            Route(path + "/search", search, methods=["GET"]),
            Route(path + "/search", posted, methods=["POST"]),
        ]

    # ---- what is the same for all

    def _base(self, request: Request) -> str:
        return f"{request.url.scheme}://{request.headers.get('host', '')}{self._path}"

    def landing(self, request: Request, _caller: Party | None) -> Response:
        """Catalogue that all begins with."""
        base = self._base(request)
        links: list[Json] = [
            {"rel": "self", "type": _JSON, "href": base},
            {"rel": "root", "type": _JSON, "href": base},
            {"rel": "conformance", "type": _JSON, "href": base + "/conformance"},
            {"rel": "data", "type": _JSON, "href": base + "/collections"},
            {"rel": "search", "type": _GEOJSON, "href": base + "/search", "method": "GET"},
            {"rel": "search", "type": _GEOJSON, "href": base + "/search", "method": "POST"},
            {"rel": "service-desc", "type": _OPENAPI, "href": base + "/api"},
            {"rel": "http://www.opengis.net/def/rel/ogc/1.0/queryables", "type": _SCHEMA, "href": base + "/queryables"},
        ]
        links += [{"rel": "child", "type": _JSON, "href": f"{base}/collections/{name}"} for name in kind_names()]
        return _written(
            {
                "type": "Catalog",
                "stac_version": STAC_VERSION,
                "id": "kizuna",
                "title": self._title,
                "description": "Products of this node that you may see.",
                "conformsTo": [*_CONFORMANCE],
                "links": links,
            }
        )

    def conformance(self, _request: Request, _caller: Party | None) -> Response:
        """Classes that the API conforms to."""
        return _written({"conformsTo": [*_CONFORMANCE]})

    def api(self, _request: Request, _caller: Party | None) -> Response:
        """OpenAPI description."""
        paths: dict[str, Json] = {}
        for route in self.routes(lambda endpoint: lambda request: endpoint(request, None)):
            names = [name for name in ("collection", "item") if f"{{{name}}}" in route.path]
            parameters: list[Json] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
            operation: dict[str, Json] = {"parameters": parameters, "responses": {"200": {"description": "as STAC API has it"}}}
            known = paths.setdefault(route.path.removeprefix(self._path) or "/", {})
            assert isinstance(known, dict)  # noqa: S101 - INVARIANT: put there above
            known |= {method.lower(): operation for method in sorted(route.methods or ()) if method != "HEAD"}
        info: Json = {"title": self._title, "version": "1"}
        return _written({"openapi": "3.0.3", "info": info, "paths": paths}, _OPENAPI)

    def queryables(self, request: Request, _caller: Party | None) -> Response:
        """Properties that filters know."""
        self._known(request)
        return _written(
            {
                "$schema": "https://json-schema.org/draft/2019-09/schema",
                "$id": f"{self._base(request)}/queryables",
                "type": "object",
                "properties": {name: dict(_TYPES[kind]) for name, kind in QUERYABLES.items()},
                "additionalProperties": False,
            },
            _SCHEMA,
        )

    def schema(self, _request: Request, _caller: Party | None) -> Response:
        """Schema of the security extension."""
        return _written(security_schema(), _SCHEMA)

    def collections(self, request: Request, _caller: Party | None) -> Response:
        """Collections, one a kind of product, whatever the node holds."""
        base = self._base(request)
        links: list[Json] = [
            {"rel": "self", "type": _JSON, "href": base + "/collections"},
            {"rel": "root", "type": _JSON, "href": base},
        ]
        return _written({"collections": [self._collection(base, name) for name in kind_names()], "links": links})

    def collection(self, request: Request, _caller: Party | None) -> Response:
        """One collection."""
        return _written(self._collection(self._base(request), self._known(request)))

    def _known(self, request: Request) -> str:
        name: str = request.path_params.get("collection", kind_names()[0])
        if name not in kind_names():
            raise HTTPException(404)
        return name

    def _collection(self, base: str, name: str) -> Json:
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
                {"rel": "self", "type": _JSON, "href": here},
                {"rel": "root", "type": _JSON, "href": base},
                {"rel": "parent", "type": _JSON, "href": base},
                {"rel": "items", "type": _GEOJSON, "href": here + "/items"},
                {"rel": "http://www.opengis.net/def/rel/ogc/1.0/queryables", "type": _SCHEMA, "href": here + "/queryables"},
            ],
        }

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
        return _written(self._item(self._base(request), shown), _GEOJSON)

    def _item(self, base: str, shown: Shown) -> dict[str, Json]:
        product, origin = shown.product, base.removesuffix(self._path)
        collection = f"{base}/collections/{product.kind}"
        links: list[Mapping[str, Json]] = [
            {"rel": "self", "type": _GEOJSON, "href": f"{collection}/items/{product.id}"},
            {"rel": "root", "type": _JSON, "href": base},
            {"rel": "parent", "type": _JSON, "href": collection},
            {"rel": "collection", "type": _JSON, "href": collection},
        ]
        terms = None if shown.decision is None else partner_terms(shown.decision)
        return stac_item(product, lambda asset: origin + self._asset_path(product, asset), links, terms)

    def items(self, request: Request, caller: Party | None) -> Response:
        """Items of a collection."""
        collection = self._known(request)
        query, token = get_query(request.query_params, collections=[collection])
        page = self._desk.search(query, caller, token)
        return self._page(request, page, f"/collections/{collection}/items")

    def search(self, request: Request, caller: Party | None) -> Response:
        """Items that a search finds."""
        if request.method == "POST":
            document = parse_json(request.state.body or b"{}", field="body")
            query, token = post_query(document)
        else:
            query, token = get_query(request.query_params)
        return self._page(request, self._desk.search(query, caller, token), "/search")

    def _page(self, request: Request, page: Page, path: str) -> Response:
        base = self._base(request)
        links: list[Json] = [
            {"rel": "root", "type": _JSON, "href": base},
            {"rel": "self", "type": _GEOJSON, "href": base + path},
        ]
        if page.token is not None and request.method == "POST":
            body: Json = {"token": page.token}
            links.append({"rel": "next", "type": _GEOJSON, "href": base + path, "method": "POST", "body": body, "merge": True})
        elif page.token is not None:
            asked = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
            href = f"{base}{path}?{urlencode([*asked, ('token', page.token)])}"
            links.append({"rel": "next", "type": _GEOJSON, "href": href, "method": "GET"})
        features: list[Json] = [self._item(base, shown) for shown in page.items]
        return _written(
            {"type": "FeatureCollection", "features": features, "numberReturned": len(features), "links": links}, _GEOJSON
        )


def partner_stac(peer_of: Callable[[str], Party | None], desk: StacDesk, title: str) -> Starlette:
    """STAC API for partners, below `PARTNER_PATH`.

    Parameters
    ----------
    peer_of
        Partner whose pinned certificate has this SHA-256; None for a stranger.
    desk
        What answers.
    title
        Title of the catalogue.
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

    app = Starlette(routes=face.routes(guard), exception_handlers={HTTPException: missed, Exception: failed})
    app.router.redirect_slashes = False
    return app


def beside(app: ASGIApp, path: str, other: ASGIApp) -> ASGIApp:
    """`app`, but for what lies below a path, which `other` answers."""

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        below = scope["type"] == "http" and (scope["path"] == path or scope["path"].startswith(path + "/"))
        await (other if below else app)(scope, receive, send)

    return chosen


def _answering(endpoint: Endpoint) -> Endpoint:
    """Endpoint that says what is wrong with a question, and answers every miss alike."""

    def answer(request: Request, caller: Party | None) -> Response:
        try:
            return endpoint(request, caller)
        except InputError as error:
            hint = None if error.hint is None else error.hint.render()
            told = f"{error.message.render()}. {hint}" if hint else error.message.render()
            return _written({"code": "InvalidParameterValue", "description": told}, status=400)
        except HTTPException:
            return _miss()

    return answer
