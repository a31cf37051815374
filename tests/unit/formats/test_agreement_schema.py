"""The published JSON Schema accepts every agreement that kizuna reads, and none that it refuses for its form."""

from __future__ import annotations

import copy
import json
import tomllib
from datetime import date, datetime, time
from importlib import resources

import jsonschema
import pytest
from hypothesis import given
from simulators.agreements import TEXT, agreements, changed, load

from kizuna.adapters.zones import offset_at_begin, offset_at_end
from kizuna.formats.agreement import CivilOffsets, agreement_to_json, check_agreement
from kizuna.wiring import beside, sample_folder

SCHEMA = json.loads((resources.files("kizuna.formats") / "schemas/agreement.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CIVIL = CivilOffsets(offset_at_begin, offset_at_end)
SAMPLES = sorted(path for path in sample_folder("coalition").rglob("*.toml") if path.name != "markings.toml")


def as_json(value):
    """TOML as JSON, its dates as strings."""
    if isinstance(value, dict):
        return {name: as_json(below) for name, below in value.items()}
    if isinstance(value, list):
        return [as_json(below) for below in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def accepts(document):
    return VALIDATOR.is_valid(as_json(document))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_every_agreement_of_the_sample_is_valid(path):
    document = tomllib.loads(path.read_text("utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(as_json(document))] == []
    agreement, suspensions, faults = check_agreement(document, CIVIL, beside(path))
    assert not faults
    # What the log holds is valid too.
    assert accepts(agreement_to_json(agreement, suspensions))


def nodes(value, path=()):
    """Path of everything in a document."""
    if path:
        yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in below:
        yield from nodes(inner, (*path, step))


WRONG = [None, "", 7, -1, True, [], {}, ["x"], {"x": 1}, "no such thing", "2025-13-45T00:00:00Z", ...]
WHOLE = tomllib.loads(TEXT)
# Coordinates are compared apart: here each number would be a case.
PATHS = [path for path in nodes(WHOLE) if "coordinates" not in path[:-1]]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_what_the_schema_refuses_kizuna_refuses_and_the_other_way_round(path):
    """Of each member: removed, of another type, out of range. Where they differ it is in what a schema cannot say."""
    differing = []
    for wrong in WRONG:
        document = changed(list(path), wrong)
        faults = check_agreement(document, CIVIL, lambda _name: load("areas/harbour.geojson"))[2]
        if accepts(document) == bool(faults):
            differing.append((wrong, [str(fault) for fault in faults]))
    for wrong, faults in differing:
        # The schema may let pass what looks at two members at once or at the world. It never refuses what kizuna takes, but for
        # an empty text or list that means the same as none.
        assert faults or wrong in (None, [], "", {}), (wrong, faults)


def test_names_that_nobody_knows_are_refused_everywhere():
    for path in [(), *PATHS]:
        document = copy.deepcopy(WHOLE)
        inner = document
        for step in path:
            inner = inner[step]
        if isinstance(inner, dict):
            inner["misspelt"] = 1
            assert not accepts(document), path


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (["schema"], "kizuna/agreement/2"),
        (["kind"], "treaty"),
        (["version"], 0),
        (["parties"], ["JPN"]),
        (["parties"], ["JPN", "ukr"]),
        (["applies_from"], "unknown"),
        (["in_force"], ...),
        (["in_force", "from"], "soon"),
        (["in_force", "from"], {"earliest": "2025-01-01", "text": "x"}),
        (["articles", 0, "ceiling"], ...),
        (["articles", 0, "givers"], []),
        (["articles", 0, "onward"], "always"),
        (["articles", 0, "areas", 0, "geometry"], ...),
        (["articles", 0, "areas", 0, "file"], "x.geojson"),
        (["articles", 0, "denied_areas", 0, "file"], "../x.geojson"),
        (["articles", 0, "denied_areas", 0, "file"], "/x.geojson"),
        (["articles", 0, "areas", 0, "geometry", "coordinates"], [[[0, 0], [1, 0], [0, 0]]]),
        (["articles", 0, "areas", 0, "geometry", "coordinates"], [[[0, 0], [181, 0], [1, 1], [0, 0]]]),
        (["articles", 0, "areas", 0, "geometry", "coordinates"], [[[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]]),
        (["articles", 0, "areas", 0, "geometry", "type"], "MultiPolygon"),
        (["articles", 0, "obligations", 0, "value"], 0),
        (["articles", 0, "obligations", 0, "value"], "a few"),
        (["articles", 0, "obligations", 1, "value"], ...),
        (["articles", 0, "obligations", 2, "value"], "x"),
        (["articles", 0, "obligations", 2, "kind"], "purpose"),
        (["articles", 0, "categories", 0, "values"], []),
        (["equivalences", 0, "verified"], "yes"),
    ],
)
def test_the_schema_refuses_by_itself(path, wrong):
    assert accepts(WHOLE)
    assert not accepts(changed(path, wrong))


@given(agreements())
def test_whatever_kizuna_writes_is_valid(agreement):
    assert [error.message for error in VALIDATOR.iter_errors(agreement_to_json(agreement))] == []
