"""How a product was observed: as strict JSON, as it is stored, and what goes along under obligations."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from simulators.observations import FULL, OBSERVATIONS
from simulators.products import a_product

from kizuna.errors import InputError
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.observation import (
    Observation,
    Orbit,
    Processing,
    Radar,
    Viewing,
    after_reducing,
    after_stripping,
    band_of,
    observation_from_stored,
    observation_to_json,
    plausible,
    read_observation,
)
from kizuna.model.product import product_from_json, product_to_bytes, product_to_json
from kizuna.model.reading import Table
from kizuna.model.stored_product import product_from_stored


@given(OBSERVATIONS)
def test_an_observation_survives_its_json_read_strictly_and_as_stored(observation):
    data = canonical(observation_to_json(observation))
    assert read_observation(Table(parse_json(data))) == observation
    stored = observation_from_stored(json.loads(data))
    assert stored == observation
    assert canonical(observation_to_json(stored)) == data
    assert (plausible(observation) or Observation()) == observation


def test_every_member_is_in_the_example():
    for part in fields(FULL):
        of_part = getattr(FULL, part.name)
        assert [f.name for f in fields(of_part) if getattr(of_part, f.name) in {None, ()}] == []


def test_a_product_carries_it_and_one_without_has_the_bytes_that_it_always_had():
    product = a_product()
    assert b"observation" not in product_to_bytes(product)
    assert product_from_json(parse_json(product_to_bytes(product))) == product
    seen = replace(product, observation=FULL)
    assert product_from_json(parse_json(product_to_bytes(seen))) == seen
    assert product_from_stored(json.loads(product_to_bytes(seen))) == seen
    assert product_from_stored(json.loads(product_to_bytes(product))) == product
    assert {**product_to_json(seen), "observation": None} == {**product_to_json(product), "observation": None}


@pytest.mark.parametrize(
    ("part", "member", "value", "field"),
    [
        ("radar", "frequency_band", "Q", "observation.radar.frequency_band"),
        ("radar", "centre_frequency_hz", 0, "observation.radar.centre_frequency_hz"),
        ("radar", "polarisations", ["HX"], "observation.radar.polarisations"),
        ("radar", "polarisations", ["HH"] * 17, "observation.radar.polarisations"),
        ("radar", "resolution_range_m", -1.0, "observation.radar.resolution_range_m"),
        ("radar", "looks_range", True, "observation.radar.looks_range"),
        ("radar", "side", "up", "observation.radar.side"),
        ("radar", "colour", "red", "observation.radar.colour"),
        ("orbit", "relative", -1, "observation.orbit.relative"),
        ("orbit", "designator", "S1A", "observation.orbit.designator"),
        ("viewing", "incidence_rad", 1.6, "observation.viewing.incidence_rad"),
        ("viewing", "azimuth_rad", 6.3, "observation.viewing.azimuth_rad"),
        ("grid", "code", "EPSG", "observation.grid.code"),
        ("grid", "shape", [1, True], "observation.grid.shape"),
        ("grid", "shape", [0, 1], "observation.grid.shape"),
        ("grid", "transform", [1, 0, 0, 0, 1], "observation.grid.transform"),
        ("grid", "bounds", [1, 0, 0, "1"], "observation.grid.bounds"),
        ("processing", "software", [["kizuna"]], "observation.processing.software"),
        ("processing", "software", [["kizuna", "1\n2"]], "observation.processing.software[0].version"),
        ("processing", "lineage", "x" * 2001, "observation.processing.lineage"),
    ],
)
def test_a_faulty_member_is_named(part, member, value, field):
    form = product_to_json(replace(a_product(), observation=FULL))
    form["observation"][part][member] = value
    with pytest.raises(InputError) as caught:
        product_from_json(form)
    assert caught.value.field == field


@pytest.mark.parametrize("form", [{}, {"schema": "kizuna/observation/2"}, {"schema": "kizuna/observation/1", "sar": {}}, "x"])
def test_another_form_is_refused(form):
    with pytest.raises(InputError):
        product_from_json(product_to_json(a_product()) | {"observation": form})


def test_what_no_reader_would_take_is_left_out_and_the_rest_stays():
    odd = Observation(
        replace(FULL.radar, resolution_range_m=float("nan"), polarisations=("HH", "??")),
        replace(FULL.orbit, absolute=-4),
        processing=Processing(level="L1\n"),
    )
    expected = Observation(replace(FULL.radar, resolution_range_m=None, polarisations=()), replace(FULL.orbit, absolute=None))
    assert plausible(odd) == expected
    assert plausible(Observation(radar=Radar(side=None), viewing=Viewing(incidence_rad=9.0))) is None


def test_a_stripped_one_says_nothing_of_the_file_that_was_taken_away():
    stripped = after_stripping(FULL)
    assert stripped.processing == Processing()
    assert stripped == Observation(
        replace(
            FULL.radar,
            product_type=None,
            spacing_range_m=None,
            spacing_azimuth_m=None,
            looks_range=None,
            looks_azimuth=None,
            looks_equivalent=None,
        ),
        FULL.orbit,
        FULL.viewing,
    )


def test_a_reduced_one_says_only_what_no_pixel_size_and_no_place_hangs_on():
    reduced = after_reducing(FULL)
    assert reduced == Observation(
        Radar(frequency_band=FULL.radar.frequency_band, polarisations=FULL.radar.polarisations, side=FULL.radar.side),
        Orbit(state=FULL.orbit.state),
    )
    assert after_reducing(Observation(viewing=FULL.viewing, grid=FULL.grid, processing=FULL.processing)) is None
    assert (after_reducing(None), after_stripping(None)) == (None, None)


@pytest.mark.parametrize(
    ("hz", "band"),
    [(0.435e9, "P"), (1.27e9, "L"), (3.2e9, "S"), (5.405e9, "C"), (9.65e9, "X"), (15e9, "Ku"), (20e9, "K"), (35e9, "Ka")],
)
def test_bands(hz, band):
    assert band_of(hz) == band
