"""A provider by stapi-fastapi: two passes, orders in memory, searches that are answered later; it prints its address.

It knows no tokens, tells the oldest status first, and pages as small as can be: all that differs from kizuna's own.
"""

import socket
import sys
from datetime import UTC, datetime, timedelta

import uvicorn
from fastapi import FastAPI
from pydantic import Field
from returns.maybe import Maybe, Nothing, Some
from returns.result import Success
from stapi_fastapi.conformance import PRODUCT
from stapi_fastapi.models.product import Product
from stapi_fastapi.routers.root_router import RootRouter
from stapi_pydantic import (
    Opportunity,
    OpportunityCollection,
    OpportunityProperties,
    OpportunitySearchRecord,
    OpportunitySearchStatus,
    Order,
    OrderParameters,
    OrderProperties,
    OrderSearchParameters,
    OrderStatus,
    Queryables,
)

NOW = datetime(2026, 5, 8, tzinfo=UTC)
ORDERS, SEARCHES = {}, {}


class SarProperties(OpportunityProperties):
    platform: str
    side: str = Field(alias="sar:observation_direction")
    direction: str = Field(alias="sat:orbit_state")
    angle: float = Field(alias="view:incidence_angle")


class Terms(Queryables):
    platform: str


def passes(search):
    found = []
    for hour, name in ((1, "X1"), (2, "X2")):
        begin = NOW + timedelta(hours=hour)
        terms = {"platform": name, "sar:observation_direction": "left", "sat:orbit_state": "ascending"}
        properties = {"datetime": (begin, begin + timedelta(seconds=10)), "product_id": "spotlight", "view:incidence_angle": 30.0}
        found.append(Opportunity(geometry=search.geometry, properties=SarProperties(**terms, **properties)))
    return found


def paged(found, token, limit):
    first = int(token or 0)
    return found[first : first + limit], Some(str(first + limit)) if first + limit < len(found) else Nothing


async def search_opportunities(_router, search, token, _limit, _request):
    return Success(paged(passes(search), token, 1))


async def search_later(_router, search, _request):
    id_ = f"search-{len(SEARCHES)}"
    SEARCHES[id_] = [0, search]
    return Success(record(id_))


def record(id_):
    code = ("received", "in_progress", "completed")[min(SEARCHES[id_][0], 2)]
    SEARCHES[id_][0] += 1
    status = OpportunitySearchStatus(timestamp=NOW, status_code=code)
    return OpportunitySearchRecord(id=id_, product_id="spotlight", opportunity_request=SEARCHES[id_][1], status=status)


async def searches(token, limit, _request):
    return Success(paged([record(id_) for id_ in SEARCHES], token, limit))


async def one_search(id_, _request):
    return Success(Some(record(id_)) if id_ in SEARCHES else Nothing)


async def found_later(_router, id_, _request):
    return Success(Maybe.from_optional(OpportunityCollection(features=passes(SEARCHES[id_][1])) if id_ in SEARCHES else None))


async def create_order(_router, payload, _request):
    status = OrderStatus(timestamp=NOW, status_code="accepted")
    order = Order(
        id=f"order-{len(ORDERS)}",
        geometry=payload.geometry,
        properties=OrderProperties(
            product_id="spotlight",
            created=NOW,
            status=status,
            search_parameters=OrderSearchParameters(geometry=payload.geometry, datetime=payload.datetime, filter=payload.filter),
            opportunity_properties={},
            order_parameters=payload.order_parameters.model_dump(),
        ),
    )
    ORDERS[order.id] = order
    return Success(order.model_copy(deep=True))


async def get_orders(token, _limit, _request):
    some, following = paged([order.model_copy(deep=True) for order in ORDERS.values()], token, 1)
    return Success((some, following, Some(len(ORDERS))))


async def get_order(id_, _request):
    return Success(Maybe.from_optional(ORDERS[id_].model_copy(deep=True) if id_ in ORDERS else None))


async def get_order_statuses(id_, token, _limit, _request):
    if id_ not in ORDERS:
        return Success(Nothing)
    received = OrderStatus(timestamp=NOW - timedelta(seconds=1), status_code="received")
    return Success(Some(paged([received, ORDERS[id_].properties.status], token, 1)))


root = RootRouter(
    get_orders=get_orders,
    get_order=get_order,
    get_order_statuses=get_order_statuses,
    get_opportunity_search_records=searches,
    get_opportunity_search_record=one_search,
)
root.add_product(
    Product(
        id="spotlight",
        license="proprietary",
        conformsTo=[PRODUCT.geojson_point],
        create_order=create_order,
        search_opportunities=search_opportunities,
        search_opportunities_async=search_later,
        get_opportunity_collection=found_later,
        queryables=Terms,
        opportunity_properties=SarProperties,
        order_parameters=OrderParameters,
    )
)
app = FastAPI()
app.include_router(root)

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listening])
