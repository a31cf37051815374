"""A constellation as a TOML file: Walker patterns and planes of one's own.

::

    schema = "kizuna/constellation/1"
    name = "iQPS, 36 satellites: 24 inclined and 12 Sun-synchronous"
    sensor = "QPS-SAR"
    assumed = ["phasing", "nodes"]
    sources = ["Mynavi, 20 August 2024: four planes of nine"]

    [[walker]]
    name = "inclined"
    satellites = 24
    planes = 4
    phasing = 1
    inclination_deg = 42.0
    height_km = 575.0

    [[planes]]
    name = "polar"
    satellites = 6
    inclination_deg = "sun-synchronous"
    node_deg = 30.0
    height_km = 575.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, open_table
from kizuna.planning.constellation import Plane, sun_synchronous_rad, walker

if TYPE_CHECKING:
    from kizuna.model.reading import Table

__all__ = ["CONSTELLATION_SCHEMA", "Design", "read_constellation", "read_walker"]

CONSTELLATION_SCHEMA = "kizuna/constellation/1"
_SUN_SYNCHRONOUS = "sun-synchronous"


@dataclass(frozen=True, slots=True)
class Design:
    """A constellation on paper.

    Parameters
    ----------
    name
        One line.
    planes
        Its planes.
    assumed
        What about it nobody published.
    sources
        Where the rest was read.
    sensor
        How names of satellites begin in the catalogue whose radar these carry; empty where that is not said.
    """

    name: str
    planes: tuple[Plane, ...]
    assumed: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    sensor: str = ""

    @property
    def satellites(self) -> int:
        """How many it has."""
        return sum(plane.satellites for plane in self.planes)


def read_constellation(data: bytes, *, name: str) -> Design:
    """Constellation of a TOML file.

    Parameters
    ----------
    data
        Its bytes.
    name
        What the file is called, for errors.

    Raises
    ------
    InputError
        If a field is missing, unknown or out of range, or there is no plane.
    """
    table = open_table(parse_toml(data, name=name), schema=CONSTELLATION_SCHEMA, what=name)
    title = table.text("name", longest=LONGEST_LINE)
    planes: list[Plane] = []
    for each in table.tables("walker"):
        planes += _walker(each)
    planes += [_plane(each) for each in table.tables("planes")]
    assumed, sources = table.texts("assumed"), table.texts("sources")
    sensor = table.text("sensor", longest=LONGEST_MARKING) if table.has("sensor") else ""
    table.done()
    if not planes:
        raise InputError(
            Message("{name}: a constellation needs at least one [[walker]] or [[planes]]", {"name": name}),
            hint=Message("see docs/ten-minutes.md for an example"),
            field="planes",
        )
    return Design(title, tuple(planes), assumed, sources, sensor)


def read_walker(text: str) -> Design:
    """Constellation of a Walker pattern in short: ``INCLINATION:T/P/F@HEIGHT``, in degrees and kilometres.

    Raises
    ------
    InputError
        If it is written otherwise or cannot fly.

    Examples
    --------
    >>> read_walker("42:36/4/1@575").satellites
    36
    """
    try:
        inclination, _, rest = text.partition(":")
        pattern, _, height = rest.partition("@")
        t, p, f = (int(part) for part in pattern.split("/"))
        inclination_deg, height_km = float(inclination), float(height)
    except ValueError:
        raise InputError(
            Message("walker: got {got!r}, expected INCLINATION:T/P/F@HEIGHT", {"got": text[:200]}),
            hint=Message("for example 42:36/4/1@575, in degrees and kilometres"),
            field="walker",
        ) from None
    planes = walker("W", t, p, f, inclination_rad=math.radians(inclination_deg), height_m=height_km * 1e3)
    return Design(f"Walker {text}", planes)


def _inclination_rad(table: Table, height_m: float) -> float:
    if table.raw("inclination_deg") == _SUN_SYNCHRONOUS:
        return sun_synchronous_rad(height_m)
    return math.radians(table.number("inclination_deg"))


def _optional_rad(table: Table, name: str) -> float:
    return math.radians(table.number(name)) if table.has(name) else 0.0


def _walker(table: Table) -> tuple[Plane, ...]:
    height_m = 1e3 * table.number("height_km")
    made = walker(
        table.text("name", longest=LONGEST_LINE),
        table.integer("satellites", least=1),
        table.integer("planes", least=1),
        table.integer("phasing"),
        inclination_rad=_inclination_rad(table, height_m),
        height_m=height_m,
        node_rad=_optional_rad(table, "node_deg"),
        star=table.boolean("star", default=False),
    )
    table.done()
    return made


def _plane(table: Table) -> Plane:
    height_m = 1e3 * table.number("height_km")
    plane = Plane(
        table.text("name", longest=LONGEST_LINE),
        height_m,
        _inclination_rad(table, height_m),
        _optional_rad(table, "node_deg"),
        table.integer("satellites", least=1),
        _optional_rad(table, "first_deg"),
    )
    table.done()
    return plane
