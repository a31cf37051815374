"""The catalogue of radars and providers as TOML; degrees and kilometres here, radians and metres inside.

::

    schema = "kizuna/sensors/1"

    [[sensor]]
    party = "DEU"
    name = "SARah"
    satellites = ["SARAH"]
    incidence_deg = [15, 60]
    look = "either"
    squint_deg = 45
    turn_duty_s = 180
    modes.spotlight = { kind = "spot", swath_km = 5, shortest_s = 10 }
    assumed = ["incidence_deg", "squint_deg", "turn_duty_s", "modes"]

    [[provider]]
    party = "DEU"
    satellites = ["SAR-LUPE"]
    orders_a_day = 10
    stapi = "https://tasking.example"

A fleet (``kizuna/fleet/1``), which says less of its radars and more of what binds a satellite, is read as a catalogue too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml
from kizuna.model.parties import parse_party
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, open_table
from kizuna.planning.geometry import Look
from kizuna.planning.sensors import Catalogue, ModeKind, Sensor, SensorMode, mode_name
from kizuna.planning.tasking import Mode, Provider

if TYPE_CHECKING:
    from kizuna.model.parties import Party
    from kizuna.model.reading import Table

__all__ = ["FLEET_SCHEMA", "SENSORS_SCHEMA", "parse_provider", "range_rad", "read_catalogue"]

SENSORS_SCHEMA = "kizuna/sensors/1"
FLEET_SCHEMA = "kizuna/fleet/1"

_HORIZON_DEG = 90.0
_FIELDS = ("band", "incidence_deg", "look", "squint_deg", "modes", "turn_duty_s", "turn_s", "side_s")


def read_catalogue(data: bytes, *, name: str) -> Catalogue:
    """Radars and providers of a file, whichever of the two forms it has.

    Raises
    ------
    InputError
        A field is missing, unknown or out of its range, or one beginning of a name has two radars or two providers.
    """
    document = parse_toml(data, name=name)
    if document.get("schema") == FLEET_SCHEMA:
        return _fleet(open_table(document, schema=FLEET_SCHEMA, what=name))
    table = open_table(document, schema=SENSORS_SCHEMA, what=name)
    sensors: list[Sensor] = []
    taken: set[str] = set()
    for each in table.tables("sensor") if table.has("sensor") else ():
        sensor = _sensor(each)
        _refuse_taken(each, sensor.satellites, taken)
        sensors.append(sensor)
    providers: list[Provider] = []
    parties: list[tuple[str, Party]] = []
    taken.clear()
    for each in table.tables("provider") if table.has("provider") else ():
        party = each.party("party")
        beginnings = each.texts("satellites") if each.has("satellites") else ()
        _refuse_taken(each, beginnings, taken)
        parties += [(beginning, party) for beginning in beginnings]
        if any(one.party == party for one in providers):
            each.fault("party", Message("each provider once"))
        providers.append(_provider(each, party))
        each.done()
    table.done()
    return Catalogue(tuple(sensors), tuple(providers), tuple(parties))


def parse_provider(text: str) -> tuple[str, Party]:
    """Beginning of a name and its provider, of ``BEGINNING=PARTY``.

    Examples
    --------
    >>> parse_provider("QPS-SAR=JPN/IQPS")
    ('QPS-SAR', 'JPN/IQPS')
    """
    beginning, equals, party = text.partition("=")
    if not equals or not beginning.strip():
        raise InputError(
            Message("provider: got {got!r}, expected BEGINNING=PARTY", {"got": text[:200]}),
            hint=Message("for example QPS-SAR=JPN/IQPS: the beginning of the satellites' names, and whose they are"),
            field="provider",
        )
    return beginning.strip(), parse_party(party.strip(), field="provider")


def range_rad(table: Table, name: str) -> tuple[float, float]:
    """Two rising angles in degrees, as radians."""
    match table.raw(name):
        case [int() | float() as low, int() | float() as high] if 0 <= low < high <= _HORIZON_DEG:
            pass
        case _:
            table.fault(name, Message("two rising angles of 0 to 90 degrees, for example [20, 40]"))
    return math.radians(low), math.radians(high)


def _refuse_taken(table: Table, beginnings: tuple[str, ...], taken: set[str]) -> None:
    """Refuse a beginning that stands there before; what is said of it would depend on the order of the file."""
    upper = {beginning.upper() for beginning in beginnings}
    if twice := taken & upper:
        table.fault("satellites", Message("each beginning once; {name} stands there twice", {"name": min(twice)}))
    taken |= upper


def _sensor(table: Table) -> Sensor:
    modes: dict[str, SensorMode] = {}
    if table.has("modes"):
        described = table.raw("modes")
        if not isinstance(described, dict):
            table.fault("modes", Message("a table of modes by name"))
        inner = table.table("modes")
        modes = {mode_name(name): _mode(inner.table(name)) for name in described}
        if len(modes) < len(described):
            table.fault("modes", Message("each mode once: spot is spotlight, strip is stripmap, scan is scansar"))
        inner.done()
    sensor = Sensor(
        name=table.text("name", longest=LONGEST_MARKING),
        party=table.party("party"),
        satellites=table.texts("satellites"),
        band=table.text("band", longest=LONGEST_MARKING) if table.has("band") else "",
        incidence_rad=range_rad(table, "incidence_deg"),
        look=Look(table.choice("look", list(Look))),
        squint_max_rad=math.radians(_bounded(table, "squint_deg", _HORIZON_DEG)) if table.has("squint_deg") else None,
        modes=modes,
        unchecked=_fields(table, "unchecked"),
        assumed=_fields(table, "assumed"),
        turn_duty_s=_positive(table, "turn_duty_s") if table.has("turn_duty_s") else None,
        turn_s=_positive(table, "turn_s") if table.has("turn_s") else None,
        side_s=_positive(table, "side_s") if table.has("side_s") else None,
    )
    table.done()
    return sensor


def _mode(table: Table) -> SensorMode:
    mode = SensorMode(
        kind=ModeKind(table.choice("kind", list(ModeKind))),
        swath_m=1e3 * _bounded(table, "swath_km", 1e3),
        shortest_s=_bounded(table, "shortest_s", 3600.0),
        incidence_rad=range_rad(table, "incidence_deg") if table.has("incidence_deg") else None,
        resolution_m=_positive(table, "resolution_m") if table.has("resolution_m") else None,
    )
    if mode.swath_m == 0.0:
        table.fault("swath_km", Message("a number above 0"))
    table.done()
    return mode


def _provider(table: Table, party: Party) -> Provider:
    return Provider(
        party,
        table.integer("orders_a_day") if table.has("orders_a_day") else None,
        table.text("stapi", longest=LONGEST_LINE) if table.has("stapi") else None,
    )


def _fleet(table: Table) -> Catalogue:
    """Catalogue of a fleet: each provider's satellites look to either side, at any squint, for nothing says otherwise."""
    providers, sensors = [], []
    for one in table.tables("provider"):
        party = one.party("party")
        providers.append(_provider(one, party))
        inner = one.table("modes")
        modes = {str(mode): _fleet_mode(inner.table(mode), mode) for mode in Mode if inner.has(mode)}
        if not modes:
            one.fault("modes", Message("a table of one of {choices}", {"choices": ", ".join(Mode)}))
        inner.done()
        guesses = one.texts("assumed") if one.has("assumed") else ()
        ranges = [mode.incidence_rad for mode in modes.values() if mode.incidence_rad is not None]
        sensor = Sensor(
            name=str(party),
            party=party,
            satellites=one.texts("satellites"),
            band="",
            incidence_rad=(min(low for low, _high in ranges), max(high for _low, high in ranges)),
            look=Look.EITHER,
            squint_max_rad=None,
            modes=modes,
            unchecked=(),
            assumed=("look", "squint_deg", *("turn_duty_s" if name == "duty_s" else name for name in guesses)),
            turn_duty_s=_positive(one, "duty_s"),
            turn_s=_positive(one, "turn_s"),
            side_s=_positive(one, "side_s"),
        )
        one.done()
        sensors.append(sensor)
    table.done()
    return Catalogue(tuple(sensors), tuple(providers))


def _fleet_mode(table: Table, mode: Mode) -> SensorMode:
    found = SensorMode(
        kind=ModeKind.SPOT if mode is Mode.SPOTLIGHT else ModeKind.STRIP,
        swath_m=1e3 * _positive(table, "scene_km"),
        shortest_s=_positive(table, "duration_s"),
        incidence_rad=range_rad(table, "incidence_deg"),
        resolution_m=_positive(table, "resolution_m") if table.has("resolution_m") else None,
    )
    table.done()
    return found


def _bounded(table: Table, name: str, most: float) -> float:
    value = table.number(name)
    if not 0.0 <= value < most:
        table.fault(name, Message("a number from 0 to below {most}", {"most": most}))
    return value


def _positive(table: Table, name: str) -> float:
    value = table.number(name)
    if value <= 0:
        table.fault(name, Message("a number above 0"))
    return value


def _fields(table: Table, name: str) -> tuple[str, ...]:
    named = table.texts(name) if table.has(name) else ()
    unknown = set(named) - set(_FIELDS)
    if unknown:
        table.fault(name, Message("names of fields of this sensor: {choices}", {"choices": ", ".join(_FIELDS)}))
    return named
