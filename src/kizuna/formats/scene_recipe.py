"""Recipes of scenes as TOML: what `kizuna sar simulate` observes. Degrees, metres east and north of the centre, decibels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import Message
from kizuna.formats.agreement import parse_toml
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, MOST_TEXTS, open_table
from kizuna.sar.acquisition import Radar
from kizuna.sar.collection import Mode
from kizuna.sar.scene import Area, Block, Bridge, Hill, Orbit, Reflector, Scene, Ship, ShipKind, Strip, Surface

if TYPE_CHECKING:
    from kizuna.model.reading import Table
    from kizuna.sar.scene import Outline, Point

__all__ = ["SCENE_SCHEMA", "read_scene"]

SCENE_SCHEMA = "kizuna/scene/1"

LEAST_EXTENT_M = 10.0
LARGEST_EXTENT_M = 5_000.0
LONGEST_STRIP_M = 20_000.0
_FARTHEST_M = 20_000.0
_MOST = 2_000
_MOST_CORNERS = 1_000
_TANK_SIDES = 20


def read_scene(data: bytes, *, name: str, mode: Mode | None = None) -> Scene:
    """Scene of a recipe.

    Parameters
    ----------
    data
        TOML of the schema ``kizuna/scene/1``; `docs/simulation.md` describes it.
    name
        The file's name, for the errors.
    mode
        How it is observed; None: as the recipe says, or as a spotlight.

    Raises
    ------
    InputError
        Naming the faulty field.
    """
    table = open_table(parse_toml(data, name=name), schema=SCENE_SCHEMA, what=name)
    seed = table.integer("seed")
    rng = np.random.default_rng(seed)
    blocks = [_block(part) for part in _some(table, "block")]
    for part in _some(table, "stacks"):
        blocks += _stacks(part, rng)
    for part in _some(table, "tanks"):
        blocks += _tanks(part)
    for part in _some(table, "cranes"):
        blocks += _cranes(part)
    if len(blocks) > _MOST:
        table.fault("block", Message("at most {most} blocks, stacks, tanks and cranes", {"most": _MOST}))
    radar = _radar(table.table("radar"))
    said = table.choice("mode", (Mode.SPOTLIGHT.lower(), Mode.STRIPMAP.lower())) if table.has("mode") else "spotlight"
    strip = _strip(table.table("stripmap"), radar) if table.has("stripmap") else None
    wanted = Mode(said.upper()) if mode is None else mode
    if wanted is Mode.STRIPMAP and strip is None:
        table.fault("stripmap", Message("a table with the strip's length, swath and radar"))
    scene = Scene(
        name=table.text("name", longest=LONGEST_MARKING),
        place=_place(table.table("place")),
        start=table.instant("start"),
        extent_m=_number(table, "extent_m", LEAST_EXTENT_M, LARGEST_EXTENT_M),
        orbit=_orbit(table.table("orbit")),
        radar=radar,
        seed=seed,
        surfaces=tuple(_surface(part) for part in _some(table, "surface")),
        areas=tuple(_area(part) for part in _some(table, "area")),
        hills=tuple(_hill(part) for part in _some(table, "hill")),
        blocks=tuple(blocks),
        bridges=tuple(_bridge(part) for part in _some(table, "bridge")),
        ships=tuple(_ship(part) for part in _some(table, "ship")),
        reflectors=tuple(_reflector(part) for part in _some(table, "reflector")),
        strip=strip if wanted is Mode.STRIPMAP else None,
    )
    table.done()
    if not scene.surfaces:
        table.fault("surface", Message("at least one surface"))
    names = [surface.name for surface in scene.surfaces]
    for part, area in zip(table.tables("area"), scene.areas, strict=True):
        if area.surface not in names:
            part.fault("surface", Message("one of {choices}", {"choices": ", ".join(names)}))
    return scene


def _some(table: Table, name: str) -> tuple[Table, ...]:
    found = table.tables(name)
    if len(found) > _MOST:
        table.fault(name, Message("at most {most} of them", {"most": _MOST}))
    return found


def _number(table: Table, name: str, least: float, most: float, default: float | None = None) -> float:
    if default is not None and not table.has(name):
        return default
    value = table.number(name)
    if not least <= value <= most:
        table.fault(name, Message("a number from {least} to {most}", {"least": least, "most": most}))
    return value


def _numbers(table: Table, name: str, count: int, most: float = _FARTHEST_M) -> tuple[float, ...]:
    value = table.raw(name)
    if (
        not isinstance(value, list)
        or len(value) != count
        or not all(isinstance(item, int | float) and not isinstance(item, bool) and abs(item) <= most for item in value)
    ):
        table.fault(name, Message("{count} numbers", {"count": count}))
    return tuple(float(item) for item in value)


def _pair(table: Table, name: str) -> Point:
    first, second = _numbers(table, name, 2)
    return first, second


def _outline(table: Table, name: str, fewest: int = 3) -> Outline:
    value = table.raw(name)
    expected = Message("at least {fewest} pairs of metres east and north", {"fewest": fewest})
    if not isinstance(value, list) or not fewest <= len(value) <= _MOST_CORNERS:
        table.fault(name, expected)
    corners = []
    for pair in value:
        if (
            not isinstance(pair, list)
            or len(pair) != 2  # noqa: PLR2004
            or not all(isinstance(item, int | float) and not isinstance(item, bool) and abs(item) <= _FARTHEST_M for item in pair)
        ):
            table.fault(name, expected)
        corners.append((float(pair[0]), float(pair[1])))
    return tuple(corners)


def _degrees(table: Table, name: str, least: float = 0.0, most: float = 360.0) -> float:
    return math.radians(_number(table, name, least, most))


def _place(table: Table) -> Geodetic:
    place = Geodetic.from_degrees(
        latitude_deg=_number(table, "latitude_deg", -90.0, 90.0),
        longitude_deg=_number(table, "longitude_deg", -180.0, 180.0),
        height_m=_number(table, "height_m", -500.0, 9_000.0, 0.0),
    )
    table.done()
    return place


def _orbit(table: Table) -> Orbit:
    orbit = Orbit(
        height_m=_number(table, "height_m", 150e3, 2_000e3),
        inclination_rad=_degrees(table, "inclination_deg", 0.0, 180.0) if table.has("inclination_deg") else None,
        incidence_rad=_degrees(table, "incidence_deg", 10.0, 70.0),
        ascending=table.choice("pass", ("ascending", "descending")) == "ascending",
        looks_right=table.choice("look", ("right", "left")) == "right",
    )
    table.done()
    return orbit


def _radar(table: Table) -> Radar:
    radar = Radar(
        name=table.text("name", longest=LONGEST_MARKING),
        centre_frequency_hz=_number(table, "centre_frequency_hz", 1e9, 40e9),
        bandwidth_hz=_number(table, "bandwidth_hz", 1e6, 2e9),
        azimuth_resolution_m=_number(table, "azimuth_resolution_m", 0.05, 50.0),
        noise_equivalent_sigma0_db=_number(table, "noise_equivalent_sigma0_db", -100.0, 10.0),
        polarisation=table.choice("polarisation", ("HH", "HV", "VH", "VV")),
        assumed=table.texts("assumed", most=MOST_TEXTS),
    )
    table.done()
    return radar


def _strip(table: Table, radar: Radar) -> Strip:
    """A strip; what its table does not say of the radar is as in the other mode."""
    strip = Strip(
        length_m=_number(table, "length_m", LEAST_EXTENT_M, LONGEST_STRIP_M),
        swath_m=_number(table, "swath_m", LEAST_EXTENT_M, LARGEST_EXTENT_M),
        radar=replace(
            radar,
            bandwidth_hz=_number(table, "bandwidth_hz", 1e6, 2e9),
            azimuth_resolution_m=_number(table, "azimuth_resolution_m", 0.5, 50.0),
            noise_equivalent_sigma0_db=_number(
                table, "noise_equivalent_sigma0_db", -100.0, 10.0, radar.noise_equivalent_sigma0_db
            ),
            assumed=table.texts("assumed", most=MOST_TEXTS) if table.has("assumed") else radar.assumed,
        ),
    )
    table.done()
    return strip


def _surface(table: Table) -> Surface:
    surface = Surface(
        name=table.text("name", longest=LONGEST_MARKING),
        sigma0_db=_number(table, "sigma0_db", -60.0, 20.0),
        texture_db=_number(table, "texture_db", 0.0, 10.0, 0.0),
        texture_m=_number(table, "texture_m", 1.0, 1e3, 10.0),
        swell_m=_number(table, "swell_m", 0.0, 1e3, 0.0),
        roughness_m=_number(table, "roughness_m", 0.0, 20.0, 0.0),
    )
    table.done()
    return surface


def _area(table: Table) -> Area:
    area = Area(
        surface=table.text("surface", longest=LONGEST_LINE),
        outline_m=_outline(table, "outline_m"),
        height_m=_number(table, "height_m", -50.0, 3_000.0, 0.0),
        walled=table.boolean("walled", default=False),
    )
    table.done()
    return area


def _hill(table: Table) -> Hill:
    hill = Hill(
        centre_m=_pair(table, "centre_m"),
        radius_m=_number(table, "radius_m", 5.0, 5e3),
        height_m=_number(table, "height_m", -50.0, 1e3),
    )
    table.done()
    return hill


def _box(centre: tuple[float, float], size: tuple[float, float], heading_rad: float) -> Outline:
    """Corners of a rectangle; its length, the first of its size, lies along the heading."""
    along = np.array([math.sin(heading_rad), math.cos(heading_rad)]) * 0.5 * size[0]
    aside = np.array([-math.cos(heading_rad), math.sin(heading_rad)]) * 0.5 * size[1]
    corners = [centre - along - aside, centre + along - aside, centre + along + aside, centre - along + aside]
    return tuple((float(x), float(y)) for x, y in corners)


def _block(table: Table) -> Block:
    if table.has("box_m"):
        box = table.table("box_m")
        outline = _box(_pair(box, "centre"), _pair(box, "size"), _degrees(box, "heading_deg"))
        box.done()
    else:
        outline = _outline(table, "outline_m")
    block = Block(
        outline_m=outline,
        base_m=_number(table, "base_m", -50.0, 3e3),
        height_m=_number(table, "height_m", 0.1, 500.0),
        roof_db=_number(table, "roof_db", -60.0, 20.0, -14.0),
        wall_db=_number(table, "wall_db", -60.0, 20.0, -10.0),
        windows_m=_number(table, "windows_m", 0.0, 20.0, 0.0),
    )
    table.done()
    return block


def _raster(table: Table) -> list[tuple[float, float]]:
    """Places of things that stand in rows and columns."""
    first = np.array(_pair(table, "first_m"))
    down, across = np.array(_pair(table, "row_step_m")), np.array(_pair(table, "col_step_m"))
    rows, cols = table.integer("rows", least=1), table.integer("cols", least=1)
    if rows * cols > _MOST:
        table.fault("rows", Message("at most {most} in all", {"most": _MOST}))
    places = [first + row * down + col * across for row in range(rows) for col in range(cols)]
    return [(float(x), float(y)) for x, y in places]


def _stacks(table: Table, rng: np.random.Generator) -> list[Block]:
    places = _raster(table)
    size, heading = _pair(table, "size_m"), _degrees(table, "heading_deg")
    base, gaps = _number(table, "base_m", -50.0, 3e3), _number(table, "gaps", 0.0, 1.0, 0.0)
    heights = table.raw("heights_m")
    if (
        not isinstance(heights, list)
        or not heights
        or not all(isinstance(item, int | float) and not isinstance(item, bool) and 0.1 <= item <= 100.0 for item in heights)  # noqa: PLR2004
    ):
        table.fault("heights_m", Message("a list of heights in metres"))
    table.done()
    return [
        Block(_box(place, (size[1], size[0]), heading), base, float(rng.choice(heights)), roof_db=-8.0, wall_db=-5.0)
        for place in places
        if rng.random() >= gaps
    ]


def _tanks(table: Table) -> list[Block]:
    places = _raster(table)
    radius = _number(table, "radius_m", 1.0, 200.0)
    base, height = _number(table, "base_m", -50.0, 3e3), _number(table, "height_m", 0.1, 200.0)
    table.done()
    turns = np.arange(_TANK_SIDES) * (2.0 * math.pi / _TANK_SIDES)
    circle = np.stack([radius * np.cos(turns), radius * np.sin(turns)], axis=-1)
    return [
        Block(tuple((float(x), float(y)) for x, y in circle + place), base, height, roof_db=-15.0, wall_db=-12.0)
        for place in places
    ]


def _cranes(table: Table) -> list[Block]:
    """Gantry cranes: four legs and a boom over the quay's edge."""
    first, step = np.array(_pair(table, "first_m")), np.array(_pair(table, "step_m"))
    heading = _degrees(table, "boom_heading_deg")
    base, height = _number(table, "base_m", -50.0, 3e3), _number(table, "height_m", 5.0, 200.0)
    boom = _number(table, "boom_m", 1.0, 200.0)
    count = table.integer("count", least=1)
    if count > MOST_TEXTS:
        table.fault("count", Message("at most {most} of them", {"most": MOST_TEXTS}))
    table.done()
    way = np.array([math.sin(heading), math.cos(heading)])
    aside = np.array([-way[1], way[0]])
    blocks = []
    for number in range(count):
        centre = first + number * step
        for along in (-8.0, 8.0):
            for across in (-9.0, 9.0):
                foot = centre + along * way + across * aside
                blocks.append(Block(_box((foot[0], foot[1]), (1.4, 1.4), heading), base, height - 6.0, -6.0, -4.0))
        middle = centre + (0.5 * boom - 12.0) * way
        blocks.append(Block(_box((middle[0], middle[1]), (boom, 3.5), heading), base + height - 6.0, 4.0, -6.0, -4.0))
    return blocks


def _bridge(table: Table) -> Bridge:
    ends = _outline(table, "ends_m", 2)
    towers = table.raw("towers_m") if table.has("towers_m") else []
    if not isinstance(towers, list) or not all(isinstance(item, int | float) for item in towers):
        table.fault("towers_m", Message("a list of distances in metres"))
    bridge = Bridge(
        ends_m=(ends[0], ends[1]),
        water_m=_pair(table, "water_m"),
        width_m=_number(table, "width_m", 1.0, 200.0),
        height_m=_number(table, "height_m", 1.0, 500.0),
        thickness_m=_number(table, "thickness_m", 0.2, 50.0),
        towers_m=tuple(float(item) for item in towers),
        tower_height_m=_number(table, "tower_height_m", 1.0, 500.0, 0.0) if towers else 0.0,
    )
    table.done()
    return bridge


def _ship(table: Table) -> Ship:
    ship = Ship(
        name=table.text("name", longest=LONGEST_MARKING),
        kind=ShipKind(table.choice("kind", tuple(ShipKind))),
        centre_m=_pair(table, "centre_m"),
        heading_rad=_degrees(table, "heading_deg"),
        speed_m_s=_number(table, "speed_m_s", 0.0, 50.0),
        length_m=_number(table, "length_m", 2.0, 500.0),
        width_m=_number(table, "width_m", 0.5, 100.0),
        freeboard_m=_number(table, "freeboard_m", 0.1, 50.0),
    )
    table.done()
    return ship


def _reflector(table: Table) -> Reflector:
    east, north, up = _numbers(table, "position_m", 3)
    reflector = Reflector(table.text("name", longest=LONGEST_MARKING), (east, north, up), _number(table, "leg_m", 0.05, 10.0))
    table.done()
    return reflector
