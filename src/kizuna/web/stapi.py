"""STAPI (Sensor Tasking API 0.1.0) as a provider serves it: products, opportunities, orders with the history of their statuses.

A product is an imaging mode; its queryables are SAR terms, which docs/stapi.md defines. The routing is plain Starlette: no
second framework for a few addresses. Who asks is told by what stands before this application.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread
from pydantic import ValidationError
from stapi_pydantic import (
    Conformance,
    Link,
    OpportunityCollection,
    OpportunityPayload,
    OpportunityProperties,
    OpportunitySearchRecord,
    OpportunitySearchRecords,
    OpportunitySearchStatus,
    OrderCollection,
    OrderPayload,
    OrderStatus,
    OrderStatuses,
    ProductsCollection,
    RootResponse,
)
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kizuna.errors import PartnerMisbehaved, PartnerUnreachable
from kizuna.web.stapi_forms import (
    CONFORMANCE,
    GEOJSON,
    PRODUCT_CONFORMANCE,
    QUERYABLES,
    SarOrderParameters,
    opportunity_form,
    order_form,
    product_form,
    status_form,
    wish_of,
)
from kizuna.web.stapi_searches import Searches, TooMany

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pydantic import BaseModel
    from starlette.requests import Request

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.planning.offers import Offer, Order, TaskingDesk
    from kizuna.planning.tasking import Mode
    from kizuna.web.stapi_searches import Search

__all__ = ["CONFORMANCE", "QUERYABLES", "Customer", "stapi_app"]

_MOST_BODY_BYTES = 1 << 20
_MOST_PAGE = 1000
# Threads of its own: what stands behind may hang, and others answer in this process too.
_MOST_AT_ONCE = 8
_PAGE = 100
_JSON = "application/json"
_SCHEMA = "application/schema+json"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who asks, by a name that is its own, and the desk as it stands for it."""

    name: str
    desk: TaskingDesk


type _Endpoint = Callable[[Request, Customer, bytes], Response]


def _answer(model: BaseModel, status: int = 200, kind: str = _JSON) -> Response:
    return Response(model.model_dump_json(by_alias=True), status, {"cache-control": "no-store"}, kind)


def _fault(status: int, code: str, why: str) -> Response:
    return Response(json.dumps({"code": code, "description": why}), status, media_type=_JSON)


def _payload[M: BaseModel](model: type[M], body: bytes) -> M:
    """What was posted.

    Raises
    ------
    ValidationError, HTTPException
        Where it cannot be understood.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError:
        raise
    except Exception as error:
        # The CQL2 library of `stapi-pydantic` raises what no other class names, and says nothing that helps.
        raise HTTPException(422, "the filter cannot be understood: see the queryables") from error


def _prefers_later(request: Request) -> bool:
    """Whether the search may be answered later (RFC 7240); a preference that is unknown is none."""
    asked = [part.split(";")[0].strip().lower() for value in request.headers.getlist("prefer") for part in value.split(",")]
    return "respond-async" in asked


def _page(first: str | None, limit: str | None) -> tuple[int, int]:
    texts = first or "0", limit or str(_PAGE)
    if not all(text.isascii() and text.isdecimal() and len(text) < 10 for text in texts):  # noqa: PLR2004 - digits
        raise HTTPException(422, "next and limit are whole numbers")
    return int(texts[0]), min(max(int(texts[1]), 1), _MOST_PAGE)


class _Endpoints:
    def __init__(self, name: str, path: str, searches: Searches) -> None:
        self._name, self._path, self._searches = name, path, searches

    # ---- links

    def _linker(self, request: Request) -> Callable[..., Link]:
        origin = str(request.base_url).rstrip("/")

        def link(target: str, rel: str, kind: str | None = _JSON, *, here: bool = True, **more: Any) -> Link:  # noqa: ANN401 - STAPI's own
            href = f"{origin}{self._path if here else ''}{target}" if target.startswith("/") else target
            return Link(href=href, rel=rel, type=kind, **more)

        return link

    def _mode(self, request: Request, customer: Customer) -> tuple[Mode, str]:
        name = request.path_params["product"]
        found = next(((mode, title) for mode, title in customer.desk.modes() if mode.value == name), None)
        if found is None:
            raise HTTPException(404, "product not found")
        return found

    # ---- what is offered

    def root(self, request: Request, _customer: Customer, _body: bytes) -> Response:
        """Landing page."""
        link = self._linker(request)
        links = [
            link("/", "self"),
            link("/conformance", "conformance"),
            link("/products", "products"),
            link("/orders", "orders", GEOJSON),
            link("/searches/opportunities", "opportunity-search-records"),
        ]
        return _answer(
            RootResponse(id="kizuna", conformsTo=[*CONFORMANCE], title=self._name, description=self._name, links=links)
        )

    def conformance(self, _request: Request, _customer: Customer, _body: bytes) -> Response:
        """What is conformed to."""
        return _answer(Conformance(conforms_to=[*CONFORMANCE]))

    def products(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """All products."""
        link = self._linker(request)
        found = [product_form(mode, title, link) for mode, title in customer.desk.modes()]
        return _answer(ProductsCollection(products=found, links=[link("/products", "self")]))

    def product(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """One product."""
        return _answer(product_form(*self._mode(request, customer), self._linker(request)))

    def product_conformance(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """What a product conforms to."""
        self._mode(request, customer)
        return _answer(Conformance(conforms_to=[*PRODUCT_CONFORMANCE]))

    def queryables(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """By what a product can be searched."""
        self._mode(request, customer)
        return Response(json.dumps(QUERYABLES), media_type=_SCHEMA)

    def parameters(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """Parameters of an order."""
        self._mode(request, customer)
        return Response(json.dumps(SarOrderParameters.model_json_schema()), media_type=_SCHEMA)

    # ---- opportunities

    def opportunities(self, request: Request, customer: Customer, body: bytes) -> Response:
        """Passes that fit, at once or later."""
        mode, _ = self._mode(request, customer)
        payload = _payload(OpportunityPayload, body)
        wish = wish_of(payload)
        if not _prefers_later(request):
            return self._collection(request, mode, payload, customer.desk.offers(mode, wish))
        try:
            search = self._searches.begin(customer.name, mode, payload, lambda: customer.desk.offers(mode, wish))
        except TooMany:
            return _fault(429, "TooManyRequests", "too many searches are not answered yet")
        record = self._record(request, search)
        answer = _answer(record, 201)
        answer.headers["location"] = str(record.links[0].href)
        answer.headers["preference-applied"] = "respond-async"
        return answer

    def _collection(
        self, request: Request, mode: Mode, payload: OpportunityPayload, found: Sequence[Offer], id_: str | None = None
    ) -> Response:
        first, limit = _page(payload.next, str(max(payload.limit, 1)))
        link, geometry = self._linker(request), payload.geometry.model_dump(mode="json")
        links = [link(f"/products/{mode.value}/orders", "create-order", method="POST", body=payload.search_body())]
        path = f"/products/{mode.value}/opportunities"
        if first + limit < len(found) and id_ is None:
            links.append(link(path, "next", method="POST", body={**payload.body(), "next": str(first + limit), "limit": limit}))
        elif first + limit < len(found):
            links.append(link(f"{path}/{id_}?next={first + limit}&limit={limit}", "next", GEOJSON))
        features = [opportunity_form(offer, geometry) for offer in found[first : first + limit]]
        collection = OpportunityCollection[Any, OpportunityProperties](
            type="FeatureCollection", features=features, links=links, id=id_
        )
        return _answer(collection, kind=GEOJSON)

    def _status(self, request: Request, search: Search, at: Instant, code: str) -> OpportunitySearchStatus:
        links = []
        if code == "completed":
            path = f"/products/{search.mode.value}/opportunities/{search.id}"
            links.append(self._linker(request)(path, "opportunities", GEOJSON))
        return OpportunitySearchStatus.model_validate({"timestamp": at, "status_code": code, "links": links})

    def _record(self, request: Request, search: Search) -> OpportunitySearchRecord:
        link, path = self._linker(request), f"/searches/opportunities/{search.id}"
        status = self._status(request, search, *search.statuses[-1])
        links = [link(path, "self"), link(f"{path}/statuses", "monitor"), *status.links]
        return OpportunitySearchRecord(
            id=search.id, product_id=search.mode.value, opportunity_request=search.payload, status=status, links=links
        )

    def _search(self, request: Request, customer: Customer) -> Search:
        found = self._searches.named(customer.name, request.path_params["search"])
        # The product of a search may have been taken from the customer meanwhile.
        if found is None or found.mode not in {mode for mode, _ in customer.desk.modes()}:
            raise HTTPException(404, "search not found")
        return found

    def searches(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """Searches that were to be answered later."""
        modes = {mode for mode, _ in customer.desk.modes()}
        records = [self._record(request, one) for one in self._searches.of(customer.name) if one.mode in modes]
        return _answer(OpportunitySearchRecords(search_records=records))

    def one_search(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """One of them."""
        return _answer(self._record(request, self._search(request, customer)))

    def search_statuses(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """History of a search, the latest first."""
        search = self._search(request, customer)
        found = [self._status(request, search, *one) for one in reversed(search.statuses)]
        return Response(json.dumps([one.model_dump(mode="json") for one in found]), media_type=_JSON)

    def later(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """What such a search found, as far as the customer may still see it."""
        mode, _ = self._mode(request, customer)
        search = self._search(request, customer)
        if search.found is None or search.mode is not mode:
            raise HTTPException(404, "opportunities not found")
        asked = request.query_params
        first, limit = _page(asked.get("next"), asked.get("limit"))
        payload = search.payload.model_copy(update={"next": str(first), "limit": limit})
        return self._collection(request, mode, payload, customer.desk.still(search.found), search.id)

    # ---- orders

    def order(self, request: Request, customer: Customer, body: bytes) -> Response:
        """Take an order."""
        mode, _ = self._mode(request, customer)
        payload = _payload(OrderPayload[SarOrderParameters], body)
        geometry: Json = payload.geometry.model_dump(mode="json", exclude_none=True)
        made = customer.desk.order(mode, wish_of(payload), geometry, payload.order_parameters.client_token)
        form = order_form(made, self._linker(request))
        answer = _answer(form, 201, GEOJSON)
        answer.headers["location"] = str(form.links[0].href)
        return answer

    def orders(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """All orders, by pages."""
        start, most = _page(request.query_params.get("next"), request.query_params.get("limit"))
        found, link = customer.desk.orders(), self._linker(request)
        links = [link(f"/orders?next={start + most}&limit={most}", "next", GEOJSON)] if start + most < len(found) else []
        some = [order_form(order, link) for order in found[start : start + most]]
        collection = OrderCollection[OrderStatus](features=some, links=links, number_matched=len(found))
        return _answer(collection, kind=GEOJSON)

    def _named(self, request: Request, customer: Customer) -> Order:
        named = [order for order in customer.desk.orders() if order.id == request.path_params["order"]]
        if not named:
            raise HTTPException(404, "order not found")
        return named[0]

    def one_order(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """One order."""
        return _answer(order_form(self._named(request, customer), self._linker(request)), kind=GEOJSON)

    def statuses(self, request: Request, customer: Customer, _body: bytes) -> Response:
        """History of an order, the latest first."""
        order = self._named(request, customer)
        found = [status_form(one) for one in reversed(order.statuses)]
        links = [self._linker(request)(f"/orders/{order.id}/statuses", "self")]
        return _answer(OrderStatuses[OrderStatus](statuses=found, links=links))


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY_BYTES:
            raise HTTPException(413, "too long")
    return bytes(body)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)  # noqa: S101 - INVARIANT: registered for it alone
    return _fault(422, "ValidationError", "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - INVARIANT: registered for it alone
    return _fault(error.status_code, "NotFound" if error.status_code == 404 else "BadRequest", error.detail)  # noqa: PLR2004


async def _unavailable(_request: Request, _error: Exception) -> Response:
    # Nothing of who stands behind, and what it said.
    return _fault(503, "Unavailable", "orders cannot be taken at the moment: try again later")


def stapi_app(customer_of: Callable[[Request], Customer], name: str, now: Callable[[], Instant], path: str = "") -> Starlette:
    """Application that serves a desk as STAPI.

    Parameters
    ----------
    customer_of
        Who asks. Called in a thread of its own.
    name
        Title of the landing page.
    now
        Clock of what is searched.
    path
        Where on the server the landing page is, such as ``/exchange/stapi``; empty: at its root.
    """
    ends = _Endpoints(name, path, Searches(now))
    limiter = anyio.CapacityLimiter(_MOST_AT_ONCE)

    def answering(endpoint: _Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body = await _body(request) if request.method == "POST" else b""
            return await to_thread.run_sync(lambda: endpoint(request, customer_of(request), body), limiter=limiter)

        return answer

    got: dict[str, _Endpoint] = {
        "/": ends.root,
        "/conformance": ends.conformance,
        "/products": ends.products,
        "/products/{product}": ends.product,
        "/products/{product}/conformance": ends.product_conformance,
        "/products/{product}/queryables": ends.queryables,
        "/products/{product}/order-parameters": ends.parameters,
        "/products/{product}/opportunities/{search}": ends.later,
        "/searches/opportunities": ends.searches,
        "/searches/opportunities/{search}": ends.one_search,
        "/searches/opportunities/{search}/statuses": ends.search_statuses,
        "/orders": ends.orders,
        "/orders/{order}": ends.one_order,
        "/orders/{order}/statuses": ends.statuses,
    }
    if path:
        got[""] = ends.root
    posted: dict[str, _Endpoint] = {
        "/products/{product}/opportunities": ends.opportunities,
        "/products/{product}/orders": ends.order,
    }
    return Starlette(
        routes=[
            *(Route(path + route, answering(endpoint)) for route, endpoint in got.items()),
            *(Route(path + route, answering(endpoint), methods=["POST"]) for route, endpoint in posted.items()),
        ],
        exception_handlers={
            ValidationError: _invalid,
            HTTPException: _refused,
            PartnerUnreachable: _unavailable,
            PartnerMisbehaved: _unavailable,
        },
    )
