"""``kizuna plan order``: order what was scheduled, by each provider's tasking interface, and ask how orders stand."""

from __future__ import annotations

import json
import math
import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file
from kizuna.errors import InputError, KizunaError, Message
from kizuna.model.instants import Instant, format_instant
from kizuna.model.parties import Party
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.formats.tasking import Fleet
    from kizuna.model.canonical import Json
    from kizuna.node.state import Node
    from kizuna.planning.tasking import ImageRequest, Spot, Task

__all__ = ["order"]

_MARGIN_S = 30.0
_MARGIN_DEG = 1.0
_TOKEN = "KIZUNA_STAPI_TOKEN"  # noqa: S105 - its name
"""Environment variable of the token that providers ask for."""
_KEPT = "order/"


@click.command(
    help=_(
        "Order what was scheduled by each provider's tasking interface (STAPI). Who may be told is decided again, and put on "
        "record first. With --status, ask how the orders stand."
    ),
    epilog=examples(
        "kizuna plan order schedule.json --requests requests.toml --fleet fleet.toml",
        "kizuna plan order --status --fleet fleet.toml",
    ),
)
@click.argument("schedule", required=False, type=click.Path(path_type=Path))
@click.option("--requests", type=click.Path(path_type=Path), help=_("Requests that were scheduled, TOML."))
@click.option("--fleet", required=True, type=click.Path(path_type=Path), help=_("Providers and their addresses, TOML."))
@click.option("--status", is_flag=True, help=_("Ask how the orders stand, and order nothing."))
@click.option("--authority", default="collection manager", show_default=True, help=_("By what authority."))
@node_option
@as_json
def order(
    schedule: Path | None, requests: Path | None, fleet: Path, status: bool, authority: str, folder: Path, json_: bool
) -> None:
    """Order."""
    from kizuna.formats.tasking import read_fleet

    known = read_fleet(read_file(fleet), name=str(fleet))
    with open_node(folder) as here:
        if status:
            rows = _standing(here, known)
        elif schedule is None or requests is None:
            raise InputError(
                Message("a schedule and its requests are needed"),
                hint=Message("write: kizuna plan order schedule.json --requests requests.toml --fleet fleet.toml"),
                field="schedule" if schedule is None else "requests",
            )
        else:
            rows = _order_all(here, known, schedule, requests, authority)
    if json_:
        print_json([dict(row) for row in rows])
        return
    head = [_("place"), _("provider"), _("satellite"), _("start"), _("order"), _("state"), _("why")]
    members = ("spot", "provider", "satellite", "start", "order", "state", "why")
    print_table(head, [[str(row.get(name) or "") for name in members] for row in rows])


def _order_all(here: Node, fleet: Fleet, schedule: Path, requests: Path, authority: str) -> Sequence[Mapping[str, Json]]:
    from kizuna.cli.plan_fleet import scene_m
    from kizuna.formats.tasking import read_requests, read_schedule
    from kizuna.planning.tasking import spots_of

    wanted = read_requests(read_file(requests), name=str(requests))
    by_id = {one.id: one for one in wanted}
    spots = {spot.name: spot for one in wanted for spot in spots_of(one, scene_m(one, fleet))}
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
        rows.append(_order_one(here, fleet, task, (request, spot, epoch), authority))
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
    }


def _order_one(
    here: Node, fleet: Fleet, task: Task, asked: tuple[ImageRequest, Spot, Instant], authority: str
) -> dict[str, Json]:
    from stapi_pydantic import OrderStatusCode

    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.node.tasking import decide_telling, may_be_told, record_telling

    request, spot, epoch = asked
    # A task is named by what it is: the same is not ordered twice.
    start = Instant((epoch + timedelta(seconds=task.start_s)).replace(microsecond=0))
    name = f"{_KEPT}{task.provider}/{task.spot}/{format_instant(start)}"
    kept = here.store.setting(name)
    if kept is not None:
        row: dict[str, Json] = json.loads(kept)
        return {**row, "why": _("ordered already")}
    address = next((one.stapi for one in fleet.providers if one.party == task.provider and one.stapi is not None), None)
    if address is None:
        return _row(task, epoch, "not ordered", why=_("the fleet knows no tasking interface"))
    if task.provider != here.organisation:
        now = here.now()
        decision = decide_telling(here, request, task.provider, now)
        if not may_be_told(decision):
            return _row(task, epoch, "not ordered", why=_("it may not be told"))
        record_telling(here, request, task.provider, decision, now, authority=authority)
    with closing(StapiClient(address, os.environ.get(_TOKEN))) as client:
        try:
            made = client.order(task.mode.value, _wish(task, spot, epoch))
        except KizunaError as error:
            return _row(task, epoch, "not ordered", why=str(error))
    latest = made.properties.status
    row = _row(task, epoch, latest.status_code.value, order=made.id, why=latest.reason_text)
    if latest.status_code is not OrderStatusCode.rejected:
        with here.store.transaction():
            here.store.keep_setting(name, json.dumps(row))
    return row


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


def _standing(here: Node, fleet: Fleet) -> Sequence[Mapping[str, Json]]:
    """All orders, as their providers say that they stand."""
    from kizuna.adapters.stapi_client import StapiClient

    rows: list[Mapping[str, Json]] = []
    addresses = {one.party: one.stapi for one in fleet.providers}
    for name, text in sorted(here.store.settings(_KEPT).items()):
        row: dict[str, Json] = json.loads(text)
        address = addresses.get(Party(str(row["provider"])))
        if address is not None:
            with closing(StapiClient(address, os.environ.get(_TOKEN))) as client:
                try:
                    latest = client.order_named(str(row["order"])).properties.status
                    row |= {"state": latest.status_code.value, "why": latest.reason_text}
                    with here.store.transaction():
                        here.store.keep_setting(name, json.dumps(row))
                except KizunaError as error:
                    row["why"] = str(error)
        rows.append(row)
    return rows
