"""Recipes of scenes: the sample, and what is refused."""

from dataclasses import replace
from importlib import resources

import pytest

from kizuna.errors import InputError
from kizuna.formats.scene_recipe import read_scene
from kizuna.formats.simulated_product import moved
from kizuna.sar.collection import Mode

PORT = (resources.files("kizuna.samples") / "port" / "port.toml").read_text("utf-8")


def test_the_reference_port_has_what_it_says():
    scene = read_scene(PORT.encode(), name="port.toml")
    assert scene.extent_m == 1000.0
    assert len(scene.bridges) == 1
    assert sum(ship.speed_m_s > 0.0 for ship in scene.ships) >= 3
    assert len(scene.reflectors) >= 5
    assert "bandwidth_hz" in scene.radar.assumed
    assert "azimuth_resolution_m" not in scene.radar.assumed
    # Random heights of containers come from the seed: the same recipe is the same scene.
    assert read_scene(PORT.encode(), name="port.toml") == scene


@pytest.mark.parametrize(
    ("text", "instead", "field"),
    [
        ('schema = "kizuna/scene/1"', 'schema = "kizuna/scene/2"', "schema"),
        ("extent_m = 1000.0", "extent_m = 1e9", "extent_m"),
        ("latitude_deg = 35.35", "latitude_deg = 95.0", "place.latitude_deg"),
        ('pass = "ascending"', 'pass = "sideways"', "orbit.pass"),
        ("bandwidth_hz = 469e6", 'bandwidth_hz = "wide"', "radar.bandwidth_hz"),
        ('surface = "gravel"', 'surface = "marble"', "area[2].surface"),
        ("towers_m = [215.0, 425.0]", 'towers_m = ["two"]', "bridge[0].towers_m"),
        ("heights_m = [2.6,", "heights_m = [-1,", "stacks[0].heights_m"),
        ("rows = 6", "rows = 100000", "stacks[0].rows"),
        ("position_m = [290, 430, 3.5]", "position_m = [290, 430]", "reflector[0].position_m"),
        ("roughness_m = 1.2", "roughnes_m = 1.2", "surface[4].roughnes_m"),
        ("seed = 46", 'seed = 46\nmode = "scan"', "mode"),
        ("length_m = 4000.0", "length_m = 4e6", "stripmap.length_m"),
    ],
)
def test_refuses_and_names_the_field(text, instead, field):
    assert text in PORT
    with pytest.raises(InputError) as refused:
        read_scene(PORT.replace(text, instead, 1).encode(), name="port.toml")
    assert refused.value.field == field


def test_a_strip_is_observed_where_recipe_or_caller_wants_one():
    square, strip = read_scene(PORT.encode(), name="port.toml"), read_scene(PORT.encode(), name="port.toml", mode=Mode.STRIPMAP)
    assert square.strip is None
    assert strip.strip.radar.azimuth_resolution_m == 1.8
    assert strip.strip.radar.centre_frequency_hz == square.radar.centre_frequency_hz
    asked = PORT.replace("seed = 46", 'seed = 46\nmode = "stripmap"', 1)
    assert read_scene(asked.encode(), name="port.toml") == strip
    assert read_scene(asked.encode(), name="port.toml", mode=Mode.SPOTLIGHT) == square
    without = PORT[: PORT.index("[stripmap]")] + PORT[PORT.index("# The first surface") :]
    with pytest.raises(InputError) as refused:
        read_scene(without.encode(), name="port.toml", mode=Mode.STRIPMAP)
    assert refused.value.field == "stripmap"
    assert moved(strip, extent_m=500.0, length_m=900.0).strip == replace(strip.strip, swath_m=500.0, length_m=900.0)
    for scene, length_m in ((square, 900.0), (strip, 1e6)):
        with pytest.raises(InputError) as refused:
            moved(scene, length_m=length_m)
        assert refused.value.field == "length"


def test_counted_from_another_point_everything_moves_by_as_much():
    scene = read_scene(PORT.encode(), name="port.toml")
    other = scene.about((100.0, -30.0))

    def places(one):
        yield from (corner for area in one.areas for corner in area.outline_m)
        yield from (corner for block in one.blocks for corner in block.outline_m)
        yield from (end for bridge in one.bridges for end in bridge.ends_m)
        yield from (part.centre_m for part in (*one.hills, *one.ships))
        yield from (part.position_m[:2] for part in one.reflectors)

    assert list(places(other)) == [(east - 100.0, north + 30.0) for east, north in places(scene)]
    assert [part.position_m[2] for part in other.reflectors] == [part.position_m[2] for part in scene.reflectors]
