"""Files of tasking: requests for images as TOML, schedules as JSON; bytes <-> values. Degrees here, radians inside."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.formats.agreement import parse_toml
from kizuna.formats.agreement_areas import no_files, read_area
from kizuna.formats.sensors_file import range_rad
from kizuna.model.canonical import parse_json
from kizuna.model.instants import Instant, format_instant, parse_instant
from kizuna.model.label import read_label
from kizuna.model.parties import parse_party
from kizuna.model.reading import LONGEST_MARKING, open_table
from kizuna.model.regions import area_of
from kizuna.planning.tasking import PRIORITIES, ImageRequest, Mode, Spot, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.model.reading import Table
    from kizuna.model.regions import Area

__all__ = [
    "REQUESTS_SCHEMA",
    "SCHEDULE_SCHEMA",
    "box_about",
    "read_requests",
    "read_schedule",
    "read_spots",
    "spot_json",
    "task_json",
]

REQUESTS_SCHEMA = "kizuna/image-requests/1"
SCHEDULE_SCHEMA = "kizuna/schedule/1"

_EDGE_DEG = 0.005
"""Half of the edge of the box that stands for a place without an outline, about 500 m."""
_SIDES = {"right": True, "left": False, "either": None}
_DIRECTIONS = {"ascending": True, "descending": False, "either": None}


def _area(table: Table, name: str) -> Area:
    """Area of ``area``, or the box about the ``place`` [longitude, latitude]."""
    if table.has("area") == table.has("place"):
        table.fault("area", Message("either area (with geometry) or place ([longitude, latitude]), one of the two"))
    if table.has("area"):
        return read_area(table.table("area"), no_files)
    match table.raw("place"):
        case [int() | float() as lon, int() | float() as lat] if abs(lon) <= 180 - _EDGE_DEG and abs(lat) <= 90 - _EDGE_DEG:
            pass
        case _:
            table.fault("place", Message("[longitude, latitude] in degrees"))
    return box_about(name, lon, lat)


def box_about(name: str, lon: float, lat: float) -> Area:
    """Box that stands for a place without an outline; the place lies 0.005 degrees off the poles and the antimeridian."""
    west, east, south, north = lon - _EDGE_DEG, lon + _EDGE_DEG, lat - _EDGE_DEG, lat + _EDGE_DEG
    return area_of(name, ((((west, south), (east, south), (east, north), (west, north), (west, south)),),))


def _request(table: Table, label: Label | None) -> ImageRequest:
    name = table.text("id", longest=LONGEST_MARKING)
    begin, deadline = table.instant("from"), table.instant("until")
    if deadline <= begin:
        table.fault("until", Message("an instant after {begin}", {"begin": format_instant(begin)}))
    priority = table.integer("priority", least=1)
    if priority not in PRIORITIES:
        table.fault("priority", Message("1, the highest, to {most}", {"most": max(PRIORITIES)}))
    modes = table.texts("modes") if table.has("modes") else tuple(Mode)
    if not modes or not set(modes) <= set(Mode):
        table.fault("modes", Message("some of {choices}", {"choices": ", ".join(Mode)}))
    low, high = range_rad(table, "incidence_deg") if table.has("incidence_deg") else (0.0, math.pi / 2)
    look = table.choice("look", list(_SIDES)) if table.has("look") else "either"
    direction = table.choice("direction", list(_DIRECTIONS)) if table.has("direction") else "either"
    own = read_label(table.table("label")) if table.has("label") else label
    if own is None:
        table.fault("label", Message("a label, here or for all: to ask for an image tells something"))
    area = _area(table, name)
    table.done()
    wanted = frozenset(map(Mode, modes))
    return ImageRequest(name, area, begin, deadline, priority, wanted, low, high, _SIDES[look], _DIRECTIONS[direction], own)


def read_requests(data: bytes, *, name: str) -> tuple[ImageRequest, ...]:
    """Requests of a TOML file.

    Raises
    ------
    InputError
        Naming the field; also where two requests have one id.
    """
    table = open_table(parse_toml(data, name=name), schema=REQUESTS_SCHEMA, what=name)
    label = read_label(table.table("label")) if table.has("label") else None
    tables = table.tables("request")
    found = tuple(_request(one, label) for one in tables)
    table.done()
    seen: set[str] = set()
    for one, request in zip(tables, found, strict=True):
        if request.id in seen or "/" in request.id:
            one.fault("id", Message("an id that no other request has, without a slash"))
        seen.add(request.id)
    return found


def _at(epoch: Instant, seconds: float) -> str:
    return format_instant(Instant(epoch + timedelta(seconds=seconds)))


def task_json(task: Task, epoch: Instant) -> dict[str, Json]:
    """JSON form of a task."""
    return {
        "request": task.request,
        "spot": task.spot,
        "satellite": task.satellite,
        "provider": task.provider,
        "mode": task.mode.value,
        "start": _at(epoch, task.start_s),
        "end": _at(epoch, task.end_s),
        "incidence_deg": round(math.degrees(task.incidence_rad), 6),
        "look": "right" if task.right else "left",
        "direction": "ascending" if task.ascending else "descending",
        "edge_uncertainty_s": None if task.edge_uncertainty_s is None else round(task.edge_uncertainty_s, 3),
    }


def _task(table: Table, epoch: Instant) -> Task:
    def seconds(name: str) -> float:
        return (parse_instant(table.text(name), field=table.field(name)) - epoch).total_seconds()

    task = Task(
        table.text("spot"),
        table.text("request"),
        table.text("satellite"),
        parse_party(table.text("provider"), field=table.field("provider")),
        Mode(table.choice("mode", list(Mode))),
        seconds("start"),
        seconds("end"),
        math.radians(table.number("incidence_deg")),
        table.choice("look", ["right", "left"]) == "right",
        table.choice("direction", ["ascending", "descending"]) == "ascending",
        table.number("edge_uncertainty_s") if table.has("edge_uncertainty_s") else None,
    )
    table.done()
    return task


def spot_json(spot: Spot) -> dict[str, Json]:
    """JSON form of a place, as a schedule names it."""
    return {
        "spot": spot.name,
        "request": spot.request,
        "longitude_deg": spot.longitude_deg,
        "latitude_deg": spot.latitude_deg,
        "share": spot.share,
    }


def read_spots(data: bytes, *, name: str) -> dict[str, Spot]:
    """Places of a schedule that `kizuna plan schedule --json` wrote, by their names; none of one that does not name them.

    Raises
    ------
    InputError
        Naming the field.
    """
    table = open_table(parse_json(data), schema=SCHEDULE_SCHEMA, what=name)
    found = {}
    for one in table.tables("spots") if table.has("spots") else ():
        where = one.number("latitude_deg"), one.number("longitude_deg")
        spot = Spot(one.text("spot"), one.text("request"), *where, one.number("share"))
        one.done()
        found[spot.name] = spot
    return found


def read_schedule(data: bytes, epoch: Instant, *, name: str) -> Sequence[Task]:
    """Tasks of a schedule that `kizuna plan schedule --json` wrote, in seconds since another epoch.

    Raises
    ------
    InputError
        Naming the field.
    """
    table = open_table(parse_json(data), schema=SCHEDULE_SCHEMA, what=name)
    return [_task(one, epoch) for one in table.tables("tasks")]
