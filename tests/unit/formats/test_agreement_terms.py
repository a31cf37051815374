"""What an article grants beside kinds and a ceiling: categories, areas, periods, purposes, and the form in which things go."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.agreements import HARBOUR, LINES, MOMENTS, agreements, base, changed, load, terms

from kizuna.adapters.zones import offset_at_begin, offset_at_end
from kizuna.errors import InputError
from kizuna.formats.agreement import (
    NO_CIVIL_DATES,
    CivilOffsets,
    agreement_to_json,
    check_agreement,
    read_agreement,
)
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.instants import format_instant
from kizuna.model.regions import area_of
from kizuna.release.agreements import Bound, Grant, Suspension, Term
from kizuna.release.decision import ObligationKind

CIVIL = CivilOffsets(offset_at_begin, offset_at_end)


def read(document, loader=load):
    return read_agreement(document, CIVIL, loader)


def test_every_term_of_an_article_is_read():
    agreement, _ = read(base())
    (article,) = agreement.articles
    assert article.categories == (Grant("Handling", ("JPN-UKR",)),)
    assert article.purposes == ("mine clearance", "flood relief")
    assert [(o.kind, o.value) for o in article.obligations] == [
        (ObligationKind.RESOLUTION, "3"),
        (ObligationKind.DELAY, "1.5"),
        (ObligationKind.AREA, ""),
        (ObligationKind.NO_ONWARD, ""),
    ]
    assert article.areas == (area_of("Black Sea", ((((28, 41), (42, 41), (42, 47), (28, 47), (28, 41)),),)),)
    # The ring of the file ran clockwise: RFC 7946 wants it the other way round.
    assert article.denied_areas[0].polygons == ((((30, 46), (31, 46), (31, 47), (30, 47), (30, 46)),),)
    assert article.acquired is not None
    # From Kyiv's midnight (the later) to the midnight after in Tokyo (the earlier), as the agreement's own days.
    assert format_instant(article.acquired.begin.exact) == "2025-06-20T21:00:00Z"
    assert format_instant(article.acquired.end.exact) == "2025-06-30T15:00:00Z"
    assert article.produced == Term(Bound(None, None, "unknown"))
    valid = agreement.equivalences[0].valid
    assert valid.begin == agreement.term.begin
    assert format_instant(valid.end.exact) == "2026-03-31T15:00:00Z"


def test_a_version_applies_from_a_day_of_all_parties():
    assert format_instant(read(base())[0].applies_from.exact) == "2025-06-21T21:00:00Z"
    assert read(changed(["applies_from"], ...))[0].applies_from is None


@pytest.mark.parametrize(
    "about",
    [
        "unknown",
        "soon",
        {"text": "in summer"},
        {"text": "in June", "earliest": "2025-06-01T00:00:00Z", "latest": "2025-06-30T00:00:00Z"},
        True,
    ],
)
def test_nobody_can_say_which_version_holds_unless_the_date_is_exact(about):
    agreement, _, faults = check_agreement(changed(["applies_from"], about), CIVIL, load)
    assert agreement is None
    assert [fault.field for fault in faults] == ["applies_from"]


def test_what_is_written_for_the_log_needs_neither_files_nor_zones():
    found = read(base())
    written = parse_json(canonical(agreement_to_json(*found)))
    assert read_agreement(written, NO_CIVIL_DATES) == found


def test_terms_that_are_absent_leave_everything_open():
    document = base()
    for name in ("purposes", "onward", "acquired", "produced", "categories", "areas", "denied_areas", "obligations"):
        del document["articles"][0][name]
    del document["equivalences"][0]["until"]
    agreement, _ = read(document)
    article = agreement.articles[0]
    assert (article.purposes, article.acquired, article.produced, article.categories) == ((), None, None, ())
    assert (article.areas, article.denied_areas, article.obligations) == ((), (), ())
    assert agreement.equivalences[0].valid is None


def test_onward_never_says_once_what_the_obligation_says():
    document = changed(["articles", 0, "obligations"], [{"kind": "no-onward"}])
    assert [o.kind for o in read(document)[0].articles[0].obligations] == [ObligationKind.NO_ONWARD]
    assert read(changed(["articles", 0, "onward"], "consent"))[0].articles[0].obligations[-1].kind is ObligationKind.AREA


def ring(*positions):
    return {"type": "Polygon", "coordinates": [[list(p) for p in positions]]}


GEOMETRY = ["articles", 0, "areas", 0, "geometry"]
WHERE = "articles[0].areas[0].geometry.coordinates"
SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]


@pytest.mark.parametrize(
    ("geometry", "field"),
    [
        pytest.param(ring(*SQUARE[:-1]), WHERE, id="not closed"),
        pytest.param(ring((0, 0), (1, 1), (0, 0)), WHERE, id="two points"),
        pytest.param(ring((0, 0), (1, 1), (2, 2), (0, 0)), WHERE, id="encloses nothing"),
        pytest.param(ring((181, 0), (182, 0), (182, 1), (181, 0)), WHERE, id="beyond 180"),
        pytest.param(ring((46, 99), (47, 99), (47, 98), (46, 99)), WHERE, id="latitude first"),
        pytest.param(ring((0, 0), (float("nan"), 0), (1, 1), (0, 0)), WHERE, id="no number"),
        pytest.param(ring((0, 0), (True, 0), (1, 1), (0, 0)), WHERE, id="true is no longitude"),
        pytest.param(ring((0, 0, 5), (1, 0, 5), (1, 1, 5), (0, 0, 5)), WHERE, id="heights"),
        pytest.param(ring((170, 40), (-170, 40), (-170, 50), (170, 50), (170, 40)), WHERE, id="across the antimeridian"),
        pytest.param(ring((-100, -60), (100, -60), (100, 60), (-100, 60), (-100, -60)), WHERE, id="more than half the globe"),
        pytest.param({"type": "Polygon", "coordinates": []}, WHERE, id="no ring"),
        pytest.param({"type": "MultiPolygon", "coordinates": [[]]}, WHERE, id="no ring in a polygon"),
        pytest.param({"type": "MultiPolygon", "coordinates": []}, WHERE, id="no polygon"),
        pytest.param({"type": "Polygon"}, WHERE, id="no coordinates"),
        pytest.param({"type": "Point", "coordinates": [0, 0]}, WHERE.replace("coordinates", "type"), id="a point"),
        pytest.param(
            {"type": "Polygon", "coordinates": [[list(p) for p in SQUARE]], "crs": "x"},
            WHERE.replace("coordinates", "crs"),
            id="a coordinate system",
        ),
        pytest.param(
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 0]] * 10_001 + [[1, 1], [0, 0]]]}, WHERE, id="too many positions"
        ),
    ],
)
def test_an_area_that_can_be_read_in_two_ways_is_refused(geometry, field):
    with pytest.raises(InputError) as caught:
        read(changed(GEOMETRY, geometry))
    assert caught.value.field == field
    assert caught.value.hint is not None


def test_a_polygon_with_a_hole_and_one_split_at_the_antimeridian_are_read():
    # RFC 7946 section 3.1.9 prints this one.
    split = {
        "type": "MultiPolygon",
        "coordinates": [
            [[[180.0, 40.0], [180.0, 50.0], [170.0, 50.0], [170.0, 40.0], [180.0, 40.0]]],
            [[[-170.0, 40.0], [-170.0, 50.0], [-180.0, 50.0], [-180.0, 40.0], [-170.0, 40.0]]],
        ],
    }
    polygons = read(changed(GEOMETRY, split))[0].articles[0].areas[0].polygons
    assert [[tuple(map(tuple, ring)) for ring in polygon] for polygon in split["coordinates"]] == [list(p) for p in polygons]
    outer, inner = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]
    (polygon,) = read(changed(GEOMETRY, {"type": "Polygon", "coordinates": [outer, inner]}))[0].articles[0].areas[0].polygons
    assert polygon == (tuple(map(tuple, outer)), tuple(map(tuple, inner[::-1])))


def test_which_way_a_ring_runs_makes_no_other_area():
    turned = ring(*SQUARE[::-1])
    one, other = (read(changed(GEOMETRY, geometry))[0].articles[0].areas[0] for geometry in (ring(*SQUARE), turned))
    assert one == other


FILE = ["articles", 0, "denied_areas", 0]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.geojson", "a/../../x", "C:\\x", "https://example.org/x", "a\\b"])
def test_an_agreement_names_no_file_elsewhere(name):
    with pytest.raises(InputError) as caught:
        read(changed([*FILE, "file"], name), lambda _name: pytest.fail("it was read"))
    assert caught.value.field == "articles[0].denied_areas[0].file"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"type": "Feature", "geometry": null}',
        b'{"type": "FeatureCollection", "features": []}',
        json.dumps({"type": "FeatureCollection", "features": [{"geometry": HARBOUR}] * 2}).encode(),
        json.dumps(ring(*SQUARE[:-1])).encode(),
        b" " * 2_000_001,
    ],
)
def test_a_file_that_is_no_area_is_refused_where_it_is_named(data):
    with pytest.raises(InputError) as caught:
        read(base(), lambda _name: data)
    assert caught.value.field == "articles[0].denied_areas[0].file"


def test_a_geometry_a_feature_and_a_collection_of_one_are_the_same_area():
    forms = [HARBOUR | {"bbox": [0, 0, 1, 1]}, {"type": "Feature", "geometry": HARBOUR}]
    forms.append({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": HARBOUR}]})
    found = {read(base(), lambda _name, f=form: json.dumps(f).encode())[0] for form in forms}
    assert len(found) == 1


def test_without_a_loader_files_are_refused():
    with pytest.raises(InputError) as caught:
        read_agreement(base(), CIVIL)
    assert caught.value.field == "articles[0].denied_areas[0].file"


A = ["articles", 0]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ([*A, "onward"], "always", "articles[0].onward"),
        ([*A, "purposes"], "relief", "articles[0].purposes"),
        ([*A, "acquired"], "2025", "articles[0].acquired"),
        ([*A, "acquired"], {}, "articles[0].acquired.from"),
        ([*A, "acquired", "until"], "2025-06-01", "articles[0].acquired.until"),
        ([*A, "acquired", "since"], "2025-06-01", "articles[0].acquired.since"),
        (
            [*A, "produced"],
            {"from": {"earliest": "2025-01-01", "latest": "2025-02-01", "text": "x"}},
            "articles[0].produced.from",
        ),
        (
            [*A, "acquired", "until"],
            {"earliest": "2025-07-01", "latest": "2025-08-01", "text": "in July"},
            "articles[0].acquired.until",
        ),
        ([*A, "categories", 0, "values"], [], "articles[0].categories[0].values"),
        ([*A, "categories", 0, "tag"], ..., "articles[0].categories[0].tag"),
        ([*A, "categories", 0, "type"], "restrictive", "articles[0].categories[0].type"),
        ([*A, "areas", 0, "name"], ..., "articles[0].areas[0].name"),
        ([*A, "areas", 0, "geometry"], ..., "articles[0].areas[0].geometry"),
        ([*A, "areas", 0, "file"], "areas/harbour.geojson", "articles[0].areas[0].geometry"),
        ([*A, "areas", 0, "colour"], "red", "articles[0].areas[0].colour"),
        ([*A, "areas"], [], "articles[0].obligations"),
        ([*A, "obligations", 0, "value"], 0, "articles[0].obligations[0].value"),
        ([*A, "obligations", 0, "value"], -1, "articles[0].obligations[0].value"),
        ([*A, "obligations", 0, "value"], "a few", "articles[0].obligations[0].value"),
        ([*A, "obligations", 0, "value"], "nan", "articles[0].obligations[0].value"),
        ([*A, "obligations", 0, "value"], 1e9, "articles[0].obligations[0].value"),
        ([*A, "obligations", 0, "value"], True, "articles[0].obligations[0].value"),
        ([*A, "obligations", 1, "value"], ..., "articles[0].obligations[1].value"),
        ([*A, "obligations", 2, "value"], "x", "articles[0].obligations[2].value"),
        ([*A, "obligations", 2], {"kind": "purpose", "value": "relief"}, "articles[0].obligations[2].kind"),
        ([*A, "obligations", 2], {"kind": "re-mark"}, "articles[0].obligations[2].value"),
        ([*A, "obligations", 2, "unit"], "m", "articles[0].obligations[2].unit"),
        (["equivalences", 0, "until"], "2025-06-01", "equivalences[0].until"),
        (["equivalences", 0, "from"], "soon", "equivalences[0].from"),
    ],
)
def test_a_faulty_term_is_refused_and_the_field_named(path, value, field):
    with pytest.raises(InputError) as caught:
        read(changed(path, value))
    assert caught.value.field == field


def test_onward_consent_contradicts_the_obligation_not_to_pass_on():
    document = changed([*A, "onward"], "consent")
    document["articles"][0]["obligations"].append({"kind": "no-onward"})
    with pytest.raises(InputError) as caught:
        read(document)
    assert caught.value.field == "articles[0].onward"


def test_a_record_of_the_log_is_read_even_where_an_obligation_cannot_be():
    """Whoever recorded it did so with an older version; at a decision such an obligation lets nothing go."""
    document = base()
    document["articles"][0]["obligations"] = [
        {"kind": "resolution", "value": "a few"},
        {"kind": "purpose", "value": "relief"},
        {"kind": "detected-only", "value": "x"},
    ]
    agreement, _ = read_agreement(document, CIVIL, load, recorded=True)
    assert [o.value for o in agreement.articles[0].obligations] == ["a few", "relief", "x", ""]


def test_all_faults_of_a_document_are_found_at_once():
    document = base()
    document |= {"version": 0, "titel": "x", "kind": "treaty"}
    article = document["articles"][0]
    article |= {"celing": "秘", "onward": "always", "policy": 7}
    del article["ceiling"]
    article["obligations"][0]["value"] = "fine"
    article["areas"][0]["geometry"] = ring(*SQUARE[:-1])
    document["articles"].append({"number": "2", "givers": ["FRA"]})
    document["equivalences"][0] |= {"verified": "yes", "form": "x"}
    agreement, suspensions, faults = check_agreement(document, CIVIL, load)
    assert (agreement, suspensions) == (None, ())
    assert {fault.field for fault in faults} == {
        "version",
        "titel",
        "kind",
        "articles[0].celing",
        "articles[0].ceiling",
        "articles[0].policy",
        "articles[0].onward",
        "articles[0].obligations[0].value",
        WHERE,
        "articles[1].title",
        "articles[1].policy",
        "articles[1].ceiling",
        "articles[1]",
        "equivalences[0].verified",
        "equivalences[0].form",
    }
    hints = {fault.field: fault.hint.render() for fault in faults}
    assert "ceiling" in hints["articles[0].celing"]
    assert "title" in hints["titel"]
    assert hints["equivalences[0].form"] == "did you mean from?"


def test_a_document_of_another_schema_has_that_one_fault():
    agreement, _, faults = check_agreement({"schema": "x"}, CIVIL)
    assert agreement is None
    assert [fault.field for fault in faults] == ["schema"]


# ---- any agreement survives the log


@given(agreements(), st.lists(st.tuples(terms(), MOMENTS, LINES), max_size=2))
def test_any_agreement_survives_the_log(agreement, suspended):
    suspensions = tuple(Suspension("A-1", term, at, reason, agreement.fictional) for term, at, reason in suspended)
    written = parse_json(canonical(agreement_to_json(agreement, suspensions)))
    assert read_agreement(written, NO_CIVIL_DATES) == (agreement, suspensions)
    other = replace(agreement, articles=())
    assert read_agreement(parse_json(canonical(agreement_to_json(other))), NO_CIVIL_DATES) == (other, ())


@pytest.mark.parametrize("day", ["2025-W25-7", "2025-W26", "20250622"])
def test_a_civil_day_is_written_as_a_full_date(day):
    with pytest.raises(InputError) as caught:
        read(changed(("in_force", "from"), day))
    assert caught.value.field == "in_force.from"
