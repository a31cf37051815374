"""Radars as TOML; degrees and kilometres here, radians and metres inside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.formats.agreement import parse_toml
from kizuna.model.reading import LONGEST_MARKING, open_table
from kizuna.planning.geometry import Look
from kizuna.planning.sensors import ModeKind, Sensor, SensorMode

if TYPE_CHECKING:
    from kizuna.model.reading import Table

__all__ = ["SENSORS_SCHEMA", "read_sensors"]

SENSORS_SCHEMA = "kizuna/sensors/1"

_HORIZON_DEG = 90.0
_FIELDS = ("band", "incidence_deg", "look", "squint_deg", "modes", "turn_duty_s")


def read_sensors(data: bytes, *, name: str) -> tuple[Sensor, ...]:
    """Sensors of a file.

    Raises
    ------
    InputError
        A field is missing, unknown or out of its range, or one beginning of a name has two sensors.
    """
    table = open_table(parse_toml(data, name=name), schema=SENSORS_SCHEMA, what=name)
    found: list[Sensor] = []
    taken: set[str] = set()
    for each in table.tables("sensor"):
        sensor = _sensor(each)
        twice = taken & {beginning.upper() for beginning in sensor.satellites}
        if twice:
            each.fault("satellites", Message("each beginning with one sensor; {name} has two", {"name": min(twice)}))
        taken |= {beginning.upper() for beginning in sensor.satellites}
        found.append(sensor)
    table.done()
    return tuple(found)


def _sensor(table: Table) -> Sensor:
    modes: dict[str, SensorMode] = {}
    if table.has("modes"):
        described = table.raw("modes")
        if not isinstance(described, dict):
            table.fault("modes", Message("a table of modes by name"))
        inner = table.table("modes")
        modes = {name: _mode(inner.table(name)) for name in described}
        inner.done()
    sensor = Sensor(
        name=table.text("name", longest=LONGEST_MARKING),
        party=table.party("party"),
        satellites=table.texts("satellites"),
        band=table.text("band", longest=LONGEST_MARKING) if table.has("band") else "",
        incidence_rad=_range(table),
        look=Look(table.choice("look", list(Look))),
        squint_max_rad=math.radians(_bounded(table, "squint_deg", _HORIZON_DEG)) if table.has("squint_deg") else None,
        modes=modes,
        unchecked=_fields(table, "unchecked"),
        assumed=_fields(table, "assumed"),
        turn_duty_s=table.number("turn_duty_s") if table.has("turn_duty_s") else None,
    )
    table.done()
    return sensor


def _mode(table: Table) -> SensorMode:
    mode = SensorMode(
        kind=ModeKind(table.choice("kind", list(ModeKind))),
        swath_m=1e3 * _bounded(table, "swath_km", 1e3),
        shortest_s=_bounded(table, "shortest_s", 3600.0),
        incidence_rad=_range(table) if table.has("incidence_deg") else None,
    )
    table.done()
    return mode


def _range(table: Table) -> tuple[float, float]:
    match table.raw("incidence_deg"):
        case [int() | float() as low, int() | float() as high] if 0 <= low < high <= _HORIZON_DEG:
            pass
        case _:
            table.fault("incidence_deg", Message("two rising angles of 0 to 90 degrees, for example [20, 40]"))
    return math.radians(low), math.radians(high)


def _bounded(table: Table, name: str, most: float) -> float:
    value = table.number(name)
    if not 0.0 <= value < most:
        table.fault(name, Message("a number from 0 to below {most}", {"most": most}))
    return value


def _fields(table: Table, name: str) -> tuple[str, ...]:
    named = table.texts(name) if table.has(name) else ()
    unknown = set(named) - set(_FIELDS)
    if unknown:
        table.fault(name, Message("names of fields of this sensor: {choices}", {"choices": ", ".join(_FIELDS)}))
    return named
