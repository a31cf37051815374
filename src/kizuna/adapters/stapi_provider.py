"""A provider of images that is reached by STAPI (port `kizuna.node.take_orders.ImagingProvider`)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from geojson_pydantic import Polygon

from kizuna.model.instants import Interval, format_instant, instant_of, parse_instant
from kizuna.planning.offers import Offer, Order, Status
from kizuna.planning.tasking import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stapi_pydantic import OrderStatus

    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.model.canonical import Json
    from kizuna.planning.offers import Ring, Wish

__all__ = ["StapiProvider"]


class StapiProvider:
    """A provider by its interface. What it offers and does not describe in the terms of docs/stapi.md is left out.

    Parameters
    ----------
    client
        Its interface.
    """

    def __init__(self, client: StapiClient) -> None:
        self._client = client

    def modes(self) -> list[tuple[Mode, str]]:
        """Modes that are offered, each with one line on it."""
        return [(Mode(one.id), one.title or one.id) for one in self._client.products().products if one.id in set(Mode)]

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        """Passes that a wish fits, in the order of time."""
        found = []
        for feature in self._client.opportunities(mode.value, _asked(wish)).features:
            properties = feature.properties
            if properties is not None:
                begin, end = map(instant_of, properties.datetime)
                offer = _offer(mode, Interval(begin, end), properties.model_extra or {})
                if offer is not None:
                    found.append(replace(offer, scene=_ring(feature.geometry)))
        return sorted(found, key=lambda offer: (offer.begin, offer.satellite))

    def order(self, mode: Mode, wish: Wish, token: str, *, asked_before: bool) -> Order:
        """Order once; `kizuna.adapters.stapi_client.StapiClient.order_once`."""
        made = self._client.order_once(mode.value, _asked(wish), token, asked_before=asked_before)
        taken = made.properties.opportunity_properties
        when = taken.get("datetime")
        offer = _offer(mode, _interval(when), taken) if isinstance(when, str) else None
        order = Order(made.id, mode, wish, None, instant_of(made.properties.created), (_status(made.properties.status),), offer)
        return self.standing(order)

    def standing(self, order: Order) -> Order:
        """An order as it stands now."""
        links = self._client.order_named(order.id).links
        delivery = next((str(link.href) for link in links if link.rel == "delivery"), None)
        statuses = [*map(_status, self._client.statuses(order.id).statuses)]
        # Some tell the latest first, as we do, and some the oldest.
        if statuses and statuses[0].at >= statuses[-1].at:
            statuses.reverse()
        return replace(order, statuses=tuple(statuses) or order.statuses, delivery=delivery)


def _asked(wish: Wish) -> dict[str, Json]:
    asked: dict[str, Json] = {
        "datetime": f"{format_instant(wish.begin)}/{format_instant(wish.end)}",
        "geometry": {"type": "Point", "coordinates": [wish.longitude_deg, wish.latitude_deg]},
    }
    return asked if wish.filter is None else {**asked, "filter": cast("Json", wish.filter)}


def _interval(text: str) -> Interval:
    begin, _, end = text.partition("/")
    return Interval(parse_instant(begin), parse_instant(end))


def _offer(mode: Mode, when: Interval, terms: Mapping[str, object]) -> Offer | None:
    """Offer in the terms of docs/stapi.md; None where one of them is missing."""
    assert when.end is not None  # noqa: S101 - INVARIANT: STAPI's intervals end
    match terms:
        case {
            "platform": str(satellite),
            "sar:observation_direction": ("left" | "right") as side,
            "sat:orbit_state": ("ascending" | "descending") as direction,
            "view:incidence_angle": int() | float() as angle,
        }:
            resolution = terms.get("sar:resolution_range")
            coarser = float(resolution) if isinstance(resolution, int | float) else None
            right, ascending = side == "right", direction == "ascending"
            return Offer(satellite, mode, when.begin, when.end, math.radians(angle), right, ascending, coarser)
        case _:
            return None


def _ring(geometry: object) -> Ring | None:
    """Outline of a scene; None of a point, a line, or an outline with holes."""
    if not isinstance(geometry, Polygon) or len(geometry.coordinates) != 1:
        return None
    return tuple((float(position[0]), float(position[1])) for position in geometry.coordinates[0])


def _status(one: OrderStatus) -> Status:
    return Status(instant_of(one.timestamp), one.status_code.value, one.reason_text)
