"""STAPI (Sensor Tasking API 0.1.0) as a provider serves it: products, opportunities, orders with the history of their statuses.

A product is an imaging mode; its queryables are SAR terms, which docs/stapi.md defines. The models are those of
`stapi-pydantic`, the routing is plain Starlette: no second framework for twelve addresses. Who asks is told by what stands
before this application.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import cql2
from pydantic import ValidationError
from stapi_pydantic import (
    Conformance,
    Link,
    Opportunity,
    OpportunityCollection,
    OpportunityPayload,
    OpportunityProperties,
    OrderCollection,
    OrderParameters,
    OrderPayload,
    OrderProperties,
    OrderSearchParameters,
    OrderStatus,
    OrderStatuses,
    Product,
    ProductsCollection,
    RootResponse,
)
from stapi_pydantic import Order as StapiOrder
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kizuna.model.instants import Instant, instant_of
from kizuna.planning.offers import Offer, Wish, matches
from kizuna.planning.tasking import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel
    from starlette.requests import Request

    from kizuna.model.canonical import Json
    from kizuna.planning.offers import Order, Status

__all__ = ["CONFORMANCE", "QUERYABLES", "TaskingDesk", "stapi_app"]

_CORE = "https://stapi.example.com/v0.1.0"
CONFORMANCE = (f"{_CORE}/core", f"{_CORE}/order-statuses")
_PRODUCT_CONFORMANCE = (
    f"{_CORE}/opportunities",
    "https://geojson.org/schema/Point.json",
    "https://geojson.org/schema/Polygon.json",
)
_MOST_BODY_BYTES = 1 << 20
_MOST_PAGE = 1000
_GEOJSON = "application/geo+json"

QUERYABLES: dict[str, Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "title": "SAR queryables",
    "additionalProperties": False,
    "properties": {
        "platform": {"type": "string", "description": "Name of the satellite."},
        "sar:instrument_mode": {"type": "string", "enum": [*(mode.value for mode in Mode)], "description": "Imaging mode."},
        "sar:observation_direction": {
            "type": "string",
            "enum": ["left", "right"],
            "description": "Side of the track that the antenna looks to.",
        },
        "sat:orbit_state": {
            "type": "string",
            "enum": ["ascending", "descending"],
            "description": "Whether the satellite moves north or south.",
        },
        "view:incidence_angle": {
            "type": "number",
            "minimum": 0,
            "maximum": 90,
            "description": "Degrees between the line of sight and the normal of the ellipsoid, at closest approach.",
        },
    },
}


_EXAMPLE = Offer(
    "",
    Mode.SPOTLIGHT,
    Instant(datetime.max.replace(tzinfo=UTC)),
    Instant(datetime.max.replace(tzinfo=UTC)),
    0.0,
    right=True,
    ascending=True,
)
"""A filter is tried on it: what cannot be understood is refused even where no pass is there to try it on."""


class TaskingDesk(Protocol):
    """Answers customers. Called from several threads at once."""

    def modes(self) -> Sequence[tuple[Mode, str]]:
        """Modes that are offered, each with one line on it."""
        ...

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        """Passes that a wish fits, in the order of time; see `kizuna.planning.offers.offers_of`."""
        ...

    def order(self, mode: Mode, wish: Wish, geometry: Json) -> Order:
        """Take an order; it is rejected by its status where no pass fits."""
        ...

    def orders(self) -> list[Order]:
        """All orders, as they stand now."""
        ...


class _NoParameters(OrderParameters):
    """Orders have no parameters beyond what is searched for."""


def _answer(model: BaseModel, status: int = 200, kind: str = "application/json") -> Response:
    return Response(model.model_dump_json(by_alias=True), status, {"cache-control": "no-store"}, kind)


def _fault(status: int, code: str, why: str) -> Response:
    return Response(json.dumps({"code": code, "description": why}), status, media_type="application/json")


def _link(request: Request, path: str, rel: str, kind: str = "application/json", **more: Any) -> Link:  # noqa: ANN401 - STAPI's own
    return Link(href=f"{str(request.base_url).rstrip('/')}{path}", rel=rel, type=kind, **more)


def _middle(geometry: Any) -> tuple[float, float]:  # noqa: ANN401 - any GeoJSON geometry
    """Middle of the box around a geometry."""
    positions: list[tuple[float, float]] = []

    def collect(coordinates: Any) -> None:  # noqa: ANN401
        match coordinates:
            case [int() | float() as lon, int() | float() as lat, *_]:
                positions.append((lon, lat))
            case [*parts]:
                for part in parts:
                    collect(part)
            case _:
                pass

    collect(geometry.model_dump(mode="json").get("coordinates"))
    if not positions:
        raise HTTPException(422, "the geometry has no position")
    lons, lats = zip(*positions, strict=True)
    return (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2


def _wish(payload: OpportunityPayload | OrderPayload[_NoParameters]) -> Wish:
    begin, end = payload.datetime
    wish = Wish(instant_of(begin), instant_of(end), *_middle(payload.geometry), payload.filter)
    if wish.filter is not None:
        try:
            matches(wish.filter, _EXAMPLE.properties)
        except (KeyError, TypeError, ValueError) as error:
            raise HTTPException(422, "the filter cannot be understood: see the queryables") from error
    return wish


def _status(one: Status) -> OrderStatus:
    return OrderStatus.model_validate({"timestamp": one.at, "status_code": one.code, "reason_text": one.text})


def _form(request: Request, order: Order) -> StapiOrder[OrderStatus]:
    searched = {"datetime": (order.wish.begin, order.wish.end), "geometry": order.geometry, "filter": order.wish.filter}
    offer = order.offer
    taken = {} if offer is None else {"datetime": f"{offer.begin.isoformat()}/{offer.end.isoformat()}", **offer.properties}
    search = OrderSearchParameters.model_validate(searched)
    return StapiOrder[OrderStatus](
        id=order.id,
        geometry=search.geometry,
        properties=OrderProperties[OrderStatus](
            product_id=order.mode.value,
            created=order.created,
            status=_status(order.status),
            search_parameters=search,
            opportunity_properties=taken,
            order_parameters={},
        ),
        links=[
            _link(request, f"/orders/{order.id}", "self", _GEOJSON),
            _link(request, f"/orders/{order.id}/statuses", "monitor"),
        ],
    )


class _Endpoints:
    def __init__(self, desk: TaskingDesk, name: str) -> None:
        self._desk, self._name = desk, name

    def _mode(self, request: Request) -> Mode:
        known = dict(self._desk.modes())
        name = request.path_params["product"]
        if name not in set(known):
            raise HTTPException(404, "product not found")
        return Mode(name)

    def _product(self, request: Request, mode: Mode, title: str) -> Product:
        path = f"/products/{mode.value}"
        return Product(
            id=mode.value,
            title=title,
            description=title,
            keywords=["SAR", mode.value],
            license="proprietary",
            conformsTo=[*_PRODUCT_CONFORMANCE],
            links=[
                _link(request, path, "self"),
                _link(request, f"{path}/conformance", "conformance"),
                _link(request, f"{path}/queryables", "queryables", "application/schema+json"),
                _link(request, f"{path}/order-parameters", "order-parameters", "application/schema+json"),
                _link(request, f"{path}/opportunities", "opportunities", method="POST"),
                _link(request, f"{path}/orders", "create-order", method="POST"),
            ],
        )

    async def root(self, request: Request) -> Response:
        """Landing page."""
        links = [
            _link(request, "/", "self"),
            _link(request, "/conformance", "conformance"),
            _link(request, "/products", "products"),
            _link(request, "/orders", "orders", _GEOJSON),
        ]
        return _answer(
            RootResponse(id="kizuna", conformsTo=[*CONFORMANCE], title=self._name, description=self._name, links=links)
        )

    async def conformance(self, _request: Request) -> Response:
        """What is conformed to."""
        return _answer(Conformance(conforms_to=[*CONFORMANCE]))

    async def products(self, request: Request) -> Response:
        """All products."""
        found = [self._product(request, mode, title) for mode, title in self._desk.modes()]
        return _answer(ProductsCollection(products=found, links=[_link(request, "/products", "self")]))

    async def product(self, request: Request) -> Response:
        """One product."""
        mode = self._mode(request)
        return _answer(self._product(request, mode, dict(self._desk.modes())[mode]))

    async def product_conformance(self, request: Request) -> Response:
        """What a product conforms to."""
        self._mode(request)
        return _answer(Conformance(conforms_to=[*_PRODUCT_CONFORMANCE]))

    async def queryables(self, request: Request) -> Response:
        """By what a product can be searched."""
        self._mode(request)
        return Response(json.dumps(QUERYABLES), media_type="application/schema+json")

    async def parameters(self, request: Request) -> Response:
        """Parameters of an order: none."""
        self._mode(request)
        return Response(json.dumps(_NoParameters.model_json_schema()), media_type="application/schema+json")

    async def opportunities(self, request: Request) -> Response:
        """Passes that fit."""
        mode = self._mode(request)
        payload = OpportunityPayload.model_validate_json(await _body(request))
        limit = min(max(payload.limit, 1), _MOST_PAGE)
        first = int(payload.next) if payload.next is not None and payload.next.isdecimal() else 0
        found = await run_in_threadpool(self._desk.offers, mode, _wish(payload))
        features: list[Opportunity[Any, OpportunityProperties]] = [
            Opportunity[Any, OpportunityProperties].model_validate(
                {
                    "type": "Feature",
                    "geometry": payload.geometry.model_dump(mode="json"),
                    "properties": {
                        "datetime": f"{offer.begin.isoformat()}/{offer.end.isoformat()}",
                        "product_id": mode.value,
                        **offer.properties,
                    },
                    "links": [],
                }
            )
            for offer in found[first : first + limit]
        ]
        links = [_link(request, f"/products/{mode.value}/orders", "create-order", method="POST", body=payload.search_body())]
        if first + limit < len(found):
            follow = {**payload.body(), "next": str(first + limit), "limit": limit}
            links.append(_link(request, f"/products/{mode.value}/opportunities", "next", method="POST", body=follow))
        return _answer(
            OpportunityCollection[Any, OpportunityProperties](type="FeatureCollection", features=features, links=links),
            kind=_GEOJSON,
        )

    async def order(self, request: Request) -> Response:
        """Take an order."""
        mode = self._mode(request)
        payload = OrderPayload[_NoParameters].model_validate_json(await _body(request))
        geometry: Json = payload.geometry.model_dump(mode="json", exclude_none=True)
        made = await run_in_threadpool(self._desk.order, mode, _wish(payload), geometry)
        answer = _answer(_form(request, made), 201, _GEOJSON)
        answer.headers["location"] = f"{str(request.base_url).rstrip('/')}/orders/{made.id}"
        return answer

    async def orders(self, request: Request) -> Response:
        """All orders, by pages."""
        first, limit = (request.query_params.get(name, default) for name, default in (("next", "0"), ("limit", "100")))
        if not first.isdecimal() or not limit.isdecimal():
            raise HTTPException(422, "next and limit are whole numbers")
        start, most = int(first), min(max(int(limit), 1), _MOST_PAGE)
        found = await run_in_threadpool(self._desk.orders)
        links = (
            [_link(request, f"/orders?next={start + most}&limit={most}", "next", _GEOJSON)] if start + most < len(found) else []
        )
        some = [_form(request, order) for order in found[start : start + most]]
        collection = OrderCollection[OrderStatus](features=some, links=links, number_matched=len(found))
        return _answer(collection, kind=_GEOJSON)

    async def _named(self, request: Request) -> Order:
        found = await run_in_threadpool(self._desk.orders)
        named = [order for order in found if order.id == request.path_params["order"]]
        if not named:
            raise HTTPException(404, "order not found")
        return named[0]

    async def one_order(self, request: Request) -> Response:
        """One order."""
        return _answer(_form(request, await self._named(request)), kind=_GEOJSON)

    async def statuses(self, request: Request) -> Response:
        """History of an order, the latest first."""
        order = await self._named(request)
        links = [_link(request, f"/orders/{order.id}/statuses", "self")]
        return _answer(OrderStatuses[OrderStatus](statuses=[_status(one) for one in reversed(order.statuses)], links=links))


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY_BYTES:
            raise HTTPException(413, "too long")
    return body


async def _invalid(_request: Request, error: Exception) -> Response:
    why = (
        "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        if isinstance(error, ValidationError)
        else ""
    )
    return _fault(422, "ValidationError", why or "the filter or the geometry cannot be understood: see the queryables")


async def _no_filter(_request: Request, error: Exception) -> Response:
    # `stapi-pydantic` lets the errors of its CQL2 library through.
    return _fault(422, "ValidationError", f"filter: {error}")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - INVARIANT: registered for it alone
    return _fault(error.status_code, "NotFound" if error.status_code == 404 else "BadRequest", error.detail)  # noqa: PLR2004


def stapi_app(desk: TaskingDesk, name: str) -> Starlette:
    """Application that serves a desk as STAPI.

    Parameters
    ----------
    desk
        Who answers.
    name
        Title of the landing page.
    """
    ends = _Endpoints(desk, name)
    return Starlette(
        routes=[
            Route("/", ends.root),
            Route("/conformance", ends.conformance),
            Route("/products", ends.products),
            Route("/products/{product}", ends.product),
            Route("/products/{product}/conformance", ends.product_conformance),
            Route("/products/{product}/queryables", ends.queryables),
            Route("/products/{product}/order-parameters", ends.parameters),
            Route("/products/{product}/opportunities", ends.opportunities, methods=["POST"]),
            Route("/products/{product}/orders", ends.order, methods=["POST"]),
            Route("/orders", ends.orders),
            Route("/orders/{order}", ends.one_order),
            Route("/orders/{order}/statuses", ends.statuses),
        ],
        exception_handlers={
            ValidationError: _invalid,
            cql2.ValidationError: _no_filter,
            cql2.ParseError: _no_filter,
            HTTPException: _refused,
        },
    )
