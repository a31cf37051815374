"""Items of products: what the extensions say of how they were observed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from simulators.observations import FULL, OBSERVATIONS
from simulators.products import a_product

from kizuna.formats.stac import stac_item
from kizuna.model.observation import Observation, Radar


def item_of(observation):
    product = dataclasses.replace(a_product(1), observation=observation)
    return stac_item(product, lambda asset: f"https://node/{asset.name}", [])


def told(observation, *prefixes):
    item = item_of(observation)
    members = {**item["properties"], **item["assets"]["original"]}
    return {name: value for name, value in members.items() if name.startswith(prefixes)}


def test_all_that_is_known_is_told_in_the_extensions_units():
    assert told(FULL, "sar:", "sat:", "view:", "proj:", "processing:") == {
        "sar:instrument_mode": "SL",
        "sar:frequency_band": "X",
        "sar:center_frequency": 9.65,
        "sar:polarizations": ["HH", "HV"],
        "sar:product_type": "SLC",
        "sar:resolution_range": 0.9,
        "sar:resolution_azimuth": 1.2,
        "sar:pixel_spacing_range": 0.5,
        "sar:pixel_spacing_azimuth": 0.7,
        "sar:looks_range": 1,
        "sar:looks_azimuth": 2,
        "sar:looks_equivalent_number": 1.8,
        "sar:observation_direction": "left",
        "sat:orbit_state": "ascending",
        "sat:relative_orbit": 12,
        "sat:absolute_orbit": 34567,
        "sat:platform_international_designator": "2014-016A",
        "view:incidence_angle": pytest.approx(34.377468),
        "view:off_nadir": pytest.approx(28.64789),
        "view:azimuth": pytest.approx(280.74932),
        "proj:code": "EPSG:32643",
        "proj:epsg": 32643,
        "proj:shape": [240, 120],
        "proj:transform": [1.0, 0.0, 650_000.0, 0.0, -1.0, 1_100_000.0],
        "proj:bbox": [650_000.0, 1_099_760.0, 650_120.0, 1_100_000.0],
        "processing:datetime": item_of(FULL)["properties"]["processing:datetime"],
        "processing:level": "L1",
        "processing:facility": "Kochi",
        "processing:software": {"kizuna": "0.1.0"},
        "processing:lineage": "range, then azimuth",
    }


def test_the_grid_is_told_of_the_original_alone():
    item = item_of(FULL)
    assert [name for name in item["properties"] if name.startswith("proj:")] == []
    placed = {key for key, asset in item["assets"].items() if any(name.startswith("proj:") for name in asset)}
    assert placed == {"original"}


def test_what_the_extensions_have_no_words_for_is_left_out():
    radar = Radar(polarisations=("HH", "RL"), looks_range=1.5, looks_azimuth=3.0)
    assert told(Observation(radar=radar), "sar:") == {"sar:looks_azimuth": 3}
    assert told(None, "sar:", "sat:", "view:", "proj:") == {}


@given(OBSERVATIONS)
def test_an_extension_is_named_where_it_says_something(observation):
    item = item_of(observation)
    names = [*item["properties"], *item["assets"]["original"]]
    for prefix, schema in (("sar", "sar"), ("sat", "sat"), ("view", "view"), ("proj", "projection")):
        named = any(f"/{schema}/v" in uri for uri in item["stac_extensions"])
        assert named == any(name.startswith(f"{prefix}:") for name in names)
