"""``kizuna plan order``: order what was scheduled, by each provider's tasking interface, and ask how orders stand."""

from __future__ import annotations

import json
import math
import os
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file
from kizuna.errors import InputError, KizunaError, Message
from kizuna.model.instants import Instant, format_instant
from kizuna.model.parties import Party
from kizuna.model.product import ProductId, parse_product_id
from kizuna.wiring import STAPI_TOKEN, open_node, tasking_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stapi_pydantic import Order, OrderStatus

    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.model.canonical import Json
    from kizuna.node.state import Node
    from kizuna.planning.sensors import Catalogue
    from kizuna.planning.tasking import ImageRequest, Spot, Task

__all__ = ["order"]

_MARGIN_S = 10.0
_MARGIN_DEG = 1.0
_KEPT = "order/"
_UNCLEAR = "unclear"
"""State of an order of which the provider may have heard, and of which we heard nothing."""
_ORDERED = ("spot", "provider", "satellite", "start", "order", "state", "product", "why")
_TAKEN = ("partner", "mode", "satellite", "start", "order", "state", "product")


@click.command(
    help=_(
        "Order what was scheduled by each provider's tasking interface (STAPI). Who may be told is decided again, and put on "
        "record first. A provider that the fleet gives no address of is asked over its node, if it is a partner. With --status, "
        "ask how the orders stand; with --taken, show those that partners placed with this node."
    ),
    epilog=examples(
        "kizuna plan order schedule.json --requests requests.toml --fleet fleet.toml",
        "kizuna plan order --status --fleet fleet.toml",
        "kizuna plan order --taken",
    ),
)
@click.argument("schedule", required=False, type=click.Path(path_type=Path))
@click.option("--requests", type=click.Path(path_type=Path), help=_("Requests that were scheduled, TOML."))
@click.option("--fleet", type=click.Path(path_type=Path), help=_("Providers and their addresses, TOML."))
@click.option("--status", is_flag=True, help=_("Ask how the orders stand, and order nothing."))
@click.option("--taken", is_flag=True, help=_("Show the orders that partners placed with this node, and order nothing."))
@click.option("--authority", default="collection manager", show_default=True, help=_("By what authority."))
@node_option
@as_json
def order(
    schedule: Path | None,
    requests: Path | None,
    fleet: Path | None,
    status: bool,
    taken: bool,
    authority: str,
    folder: Path,
    json_: bool,
) -> None:
    """Order."""
    from kizuna.formats.sensors_file import read_catalogue

    if fleet is None and not taken:
        raise InputError(
            Message("the fleet is needed, which says who the providers are"),
            hint=Message("write: kizuna plan order schedule.json --requests requests.toml --fleet fleet.toml"),
            field="fleet",
        )
    with open_node(folder) as here:
        if fleet is None or taken:
            members: tuple[str, ...] = _TAKEN
            rows = _taken(here)
        else:
            known = read_catalogue(read_file(fleet), name=str(fleet))
            members = _ORDERED
            if status:
                rows = _standing(here, folder, known)
            elif schedule is None or requests is None:
                raise InputError(
                    Message("a schedule and its requests are needed"),
                    hint=Message("write: kizuna plan order schedule.json --requests requests.toml --fleet fleet.toml"),
                    field="schedule" if schedule is None else "requests",
                )
            else:
                rows = _order_all(here, folder, known, (schedule, requests), authority)
    if json_:
        print_json([dict(row) for row in rows])
        return
    heads = {
        "spot": _("place"),
        "partner": _("partner"),
        "provider": _("provider"),
        "mode": _("mode"),
        "satellite": _("satellite"),
        "start": _("start"),
        "order": _("order"),
        "state": _("state"),
        "product": _("product"),
        "why": _("why"),
    }
    print_table([heads[name] for name in members], [[str(row.get(name) or "") for name in members] for row in rows])


def _order_all(
    here: Node, folder: Path, fleet: Catalogue, files: tuple[Path, Path], authority: str
) -> Sequence[Mapping[str, Json]]:
    from kizuna.cli.plan_requests import spots_of_all
    from kizuna.formats.tasking import read_requests, read_schedule, read_spots

    schedule, requests = files
    wanted = read_requests(read_file(requests), name=str(requests))
    by_id = {one.id: one for one in wanted}
    # Where the scenes lie depends on whose satellites were asked: the schedule says it, this fleet may be another.
    spots = read_spots(read_file(schedule), name=str(schedule)) or {spot.name: spot for spot in spots_of_all(wanted, fleet)}
    epoch = here.now()
    tasks = read_schedule(read_file(schedule), epoch, name=str(schedule))
    rows: list[Mapping[str, Json]] = []
    for task in tasks:
        request, spot = by_id.get(task.request), spots.get(task.spot)
        if request is None or spot is None:
            raise InputError(
                Message("{spot}: the requests do not name it", {"spot": task.spot}),
                hint=Message("name the requests that the schedule was made of"),
                field="requests",
            )
        # INVARIANT: who may be told was decided of the request's area, so nothing outside it is ordered.
        if spot.request != request.id or not request.holds(spot):
            raise InputError(
                Message("{spot}: it does not lie in the area of its request", {"spot": task.spot}),
                hint=Message("name the requests that the schedule was made of"),
                field="schedule",
            )
        rows.append(_order_one(here, folder, fleet, task, (request, spot, epoch), authority))
    return rows


def _row(task: Task, epoch: Instant, state: str, *, order: str | None = None, why: str | None = None) -> dict[str, Json]:
    return {
        "spot": task.spot,
        "request": task.request,
        "provider": task.provider,
        "satellite": task.satellite,
        "start": format_instant(Instant(epoch + timedelta(seconds=task.start_s))),
        "order": order,
        "state": state,
        "why": why,
        "product": None,
    }


@contextmanager
def _interface(here: Node, folder: Path, fleet: Catalogue, provider: Party) -> Iterator[StapiClient | None]:
    """Tasking interface of a provider: that of the fleet, else that of its node if it is a partner; None where there is none."""
    from kizuna.adapters.stapi_client import StapiClient

    address = next((one.stapi for one in fleet.providers if one.party == provider and one.stapi is not None), None)
    partner = here.knowledge().partners.get(provider)
    if address is not None:
        with closing(StapiClient(address, os.environ.get(STAPI_TOKEN))) as client:
            yield client
    elif partner is not None and partner.url:
        with tasking_of(folder, partner) as client:
            yield client
    else:
        yield None


def _order_one(
    here: Node, folder: Path, fleet: Catalogue, task: Task, asked: tuple[ImageRequest, Spot, Instant], authority: str
) -> dict[str, Json]:
    from stapi_pydantic import OrderStatusCode

    from kizuna.node.messages import new_id
    from kizuna.node.tasking import binds_alone, decide_telling, record_telling

    request, spot, epoch = asked
    # A task is named by what it is: the same is not ordered twice.
    start = Instant((epoch + timedelta(seconds=task.start_s)).replace(microsecond=0))
    name = f"{_KEPT}{task.provider}/{task.spot}/{format_instant(start)}"
    kept = here.store.setting(name)
    before: dict[str, Json] = {} if kept is None else json.loads(kept)
    if before and before["state"] != _UNCLEAR:
        return {**before, "why": _("ordered already")}
    with _interface(here, folder, fleet, task.provider) as client:
        if client is None:
            return _row(task, epoch, "not ordered", why=_("the fleet knows no tasking interface, and no partner has one"))
        if task.provider != here.organisation:
            now = here.now()
            decision = decide_telling(here, request, task.provider, now)
            if not binds_alone(decision):
                return _row(task, epoch, "not ordered", why=_("it may not be told"))
            record_telling(here, request, task.provider, decision, now, authority=authority)
        token = str(before.get("token") or new_id(here))
        # INVARIANT: that it may have been ordered, and under which token, is durable before the provider hears of it.
        unclear = {**_row(task, epoch, _UNCLEAR), "token": token}
        _keep(here, name, unclear)
        try:
            made = client.order_once(task.mode.value, _wish(task, spot, epoch), token, asked_before=bool(before))
        except KizunaError as error:
            return {**unclear, "why": str(error)}
    latest = made.properties.status
    row = {**_row(task, epoch, latest.status_code.value, order=made.id, why=latest.reason_text), "token": token}
    if latest.status_code is OrderStatusCode.rejected:
        with here.store.transaction():
            here.store.drop_setting(name)
    else:
        _keep(here, name, row)
    return row


def _keep(here: Node, name: str, row: Mapping[str, Json]) -> None:
    with here.store.transaction():
        here.store.keep_setting(name, json.dumps(row))


def _wish(task: Task, spot: Spot, epoch: Instant) -> dict[str, Json]:
    """The very pass that was scheduled: its time with some margin, and its geometry."""
    incidence = math.degrees(task.incidence_rad)
    begin = Instant(epoch + timedelta(seconds=task.start_s - _MARGIN_S))
    end = Instant(epoch + timedelta(seconds=task.end_s + _MARGIN_S))
    same: list[tuple[str, str]] = [
        ("platform", task.satellite),
        ("sar:observation_direction", "right" if task.right else "left"),
        ("sat:orbit_state", "ascending" if task.ascending else "descending"),
    ]
    terms: list[Json] = [{"op": "=", "args": [{"property": name}, value]} for name, value in same]
    low, high = incidence - _MARGIN_DEG, incidence + _MARGIN_DEG
    terms.append({"op": "between", "args": [{"property": "view:incidence_angle"}, low, high]})
    return {
        "datetime": f"{format_instant(begin)}/{format_instant(end)}",
        "geometry": {"type": "Point", "coordinates": [spot.longitude_deg, spot.latitude_deg]},
        "filter": {"op": "and", "args": terms},
    }


def _standing(here: Node, folder: Path, fleet: Catalogue) -> Sequence[Mapping[str, Json]]:
    """All orders, as their providers say that they stand."""
    rows: list[Mapping[str, Json]] = []
    for name, text in sorted(here.store.settings(_KEPT).items()):
        row: dict[str, Json] = json.loads(text)
        if row["state"] == _UNCLEAR:
            rows.append({**row, "why": _("order again: it is looked for first")})
            continue
        with _interface(here, folder, fleet, Party(str(row["provider"]))) as client:
            try:
                if client is not None:
                    found = client.order_named(str(row["order"]))
                    latest = found.properties.status
                    row |= {"state": latest.status_code.value, "why": latest.reason_text, "product": _product_of(found)}
                    _keep(here, name, row)
            except KizunaError as error:
                row["why"] = str(error)
        product = row.get("product")
        if isinstance(product, str):
            held = here.store.items.get(ProductId(product)) is not None
            row["why"] = _("it is here") if held else _("not here yet: kizuna sync")
        rows.append(row)
    return rows


def _product_of(order: Order[OrderStatus]) -> Json:
    """Id of the product that was delivered to a kizuna node; None where none is linked."""
    for link in order.links:
        path = (link.href.path or "") if link.rel == "delivery" else ""
        if "/items/" in path:
            try:
                return parse_product_id(path.rpartition("/")[2])
            except KizunaError:
                return None
    return None


def _taken(here: Node) -> Sequence[Mapping[str, Json]]:
    """Orders that partners placed with this node."""
    from kizuna.node.take_orders import taken_orders

    return [
        {
            "partner": one.partner,
            "mode": one.order.mode.value,
            "satellite": None if one.order.offer is None else one.order.offer.satellite,
            "start": None if one.order.offer is None else format_instant(one.order.offer.begin),
            "order": one.order.id,
            "state": one.order.status.code,
            "product": one.product,
        }
        for one in taken_orders(here)
    ]
