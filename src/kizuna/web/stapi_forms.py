"""Orders, offers and products in the form of STAPI 0.1.0: the models are those of `stapi-pydantic`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field
from stapi_pydantic import (
    Link,
    Opportunity,
    OpportunityPayload,
    OpportunityProperties,
    OrderParameters,
    OrderPayload,
    OrderProperties,
    OrderSearchParameters,
    OrderStatus,
    Product,
)
from stapi_pydantic import Order as StapiOrder
from starlette.exceptions import HTTPException

from kizuna.model.instants import Instant, instant_of
from kizuna.planning.offers import Offer, Wish, matches
from kizuna.planning.tasking import Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.canonical import Json
    from kizuna.planning.offers import Order, Status

__all__ = [
    "CONFORMANCE",
    "GEOJSON",
    "PRODUCT_CONFORMANCE",
    "QUERYABLES",
    "SarOrderParameters",
    "opportunity_form",
    "order_form",
    "product_form",
    "status_form",
    "wish_of",
]

_CORE = "https://stapi.example.com/v0.1.0"
CONFORMANCE = tuple(
    f"{_CORE}/{name}" for name in ("core", "order-statuses", "searches-opportunity", "searches-opportunity-statuses")
)
PRODUCT_CONFORMANCE = (
    f"{_CORE}/opportunities",
    f"{_CORE}/opportunities-async",
    "https://geojson.org/schema/Point.json",
    "https://geojson.org/schema/Polygon.json",
)
GEOJSON = "application/geo+json"
_SCHEMA = "application/schema+json"
_LONGEST_TOKEN = 128

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
        "sar:resolution_range": {
            "type": "number",
            "minimum": 0,
            "description": "Metres on the ground that the image resolves, in the coarser direction.",
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

_LATEST = Instant(datetime.max.replace(tzinfo=UTC))
_EXAMPLE = Offer("", Mode.SPOTLIGHT, _LATEST, _LATEST, 0.0, right=True, ascending=True, resolution_m=1.0)
"""A filter is tried on it: what cannot be understood is refused even where no pass is there to try it on."""


class SarOrderParameters(OrderParameters):
    """What an order may carry beside what is searched for."""

    client_token: str | None = Field(
        default=None,
        min_length=1,
        max_length=_LONGEST_TOKEN,
        description="By this the customer knows its order again: one that bears the token of an earlier one is that one.",
    )


type MakeLink = Callable[..., Link]


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
    if max(map(abs, lons)) > 180.0 or max(map(abs, lats)) > 90.0:  # noqa: PLR2004 - degrees
        raise HTTPException(422, "a position lies beyond 180 degrees of longitude or 90 of latitude")
    return (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2


def wish_of(payload: OpportunityPayload | OrderPayload[SarOrderParameters]) -> Wish:
    """What a search or an order asks for.

    Raises
    ------
    HTTPException
        422, where the geometry or the filter cannot be understood.
    """
    begin, end = payload.datetime
    wish = Wish(instant_of(begin), instant_of(end), *_middle(payload.geometry), payload.filter)
    if wish.filter is not None:
        try:
            matches(wish.filter, _EXAMPLE.properties)
        except (KeyError, TypeError, ValueError) as error:
            raise HTTPException(422, "the filter cannot be understood: see the queryables") from error
    return wish


def _terms(offer: Offer) -> dict[str, Json]:
    taken = {name: value for name, value in offer.properties.items() if value is not None}
    return {"datetime": f"{offer.begin.isoformat()}/{offer.end.isoformat()}", **taken}


def opportunity_form(offer: Offer, geometry: Json) -> Opportunity[Any, OpportunityProperties]:
    """An offer as an opportunity; its geometry is the scene where that is known, and else what was asked for."""
    scene: Json = None if offer.scene is None else {"type": "Polygon", "coordinates": [[[*one] for one in offer.scene]]}
    return Opportunity[Any, OpportunityProperties].model_validate(
        {
            "type": "Feature",
            "geometry": scene or geometry,
            "properties": {"product_id": offer.mode.value, **_terms(offer)},
            "links": [],
        }
    )


def status_form(one: Status) -> OrderStatus:
    """A status."""
    return OrderStatus.model_validate({"timestamp": one.at, "status_code": one.code, "reason_text": one.text})


def order_form(order: Order, link: MakeLink) -> StapiOrder[OrderStatus]:
    """An order.

    Parameters
    ----------
    order
        The order.
    link
        Makes a link of a path (or a URI), a relation and a media type; a path of the interface, or of the server if not ``here``.
    """
    searched = {"datetime": (order.wish.begin, order.wish.end), "geometry": order.geometry, "filter": order.wish.filter}
    search = OrderSearchParameters.model_validate(searched)
    links = [link(f"/orders/{order.id}", "self", GEOJSON), link(f"/orders/{order.id}/statuses", "monitor")]
    if order.delivery is not None:
        links.append(link(order.delivery, "delivery", None, here=False))
    return StapiOrder[OrderStatus](
        id=order.id,
        geometry=search.geometry,
        properties=OrderProperties[OrderStatus](
            product_id=order.mode.value,
            created=order.created,
            status=status_form(order.status),
            search_parameters=search,
            opportunity_properties={} if order.offer is None else _terms(order.offer),
            order_parameters={} if order.token is None else {"client_token": order.token},
        ),
        links=links,
    )


def product_form(mode: Mode, title: str, link: MakeLink) -> Product:
    """A mode as a product; `link` as for `order_form`."""
    path = f"/products/{mode.value}"
    return Product(
        id=mode.value,
        title=title,
        description=title,
        keywords=["SAR", mode.value],
        license="proprietary",
        conformsTo=[*PRODUCT_CONFORMANCE],
        links=[
            link(path, "self"),
            link(f"{path}/conformance", "conformance"),
            link(f"{path}/queryables", "queryables", _SCHEMA),
            link(f"{path}/order-parameters", "order-parameters", _SCHEMA),
            link(f"{path}/opportunities", "opportunities", method="POST"),
            link(f"{path}/orders", "create-order", method="POST"),
        ],
    )
