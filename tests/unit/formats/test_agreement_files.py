"""Agreements, ladders and labels as files."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.adapters.zones import offset_at_begin, offset_at_end
from kizuna.errors import InputError
from kizuna.formats.agreement import (
    NO_CIVIL_DATES,
    CivilOffsets,
    agreement_to_json,
    check_agreement,
    parse_toml,
    read_agreement,
    read_label_document,
    read_ladders,
)
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.instants import format_instant, parse_instant
from kizuna.wiring import sample_folder

CIVIL = CivilOffsets(offset_at_begin, offset_at_end)
SAMPLES = sorted(path for path in sample_folder("coalition").rglob("*.toml") if path.name != "markings.toml")

JUNE_1, JUNE_2 = "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z"
BASE = """
schema = "kizuna/agreement/1"
id = "A-1"
version = 1
title = "Imagery"
kind = "sharing"
parties = ["JPN", "UKR"]
recorded = 2025-01-01
[in_force]
from = 2025-06-21
until = 2025-06-30
[[articles]]
number = "1"
title = "Imagery"
givers = ["JPN"]
receivers = ["UKR/HUR"]
kinds = ["imagery"]
policy = "JPN"
ceiling = "秘"
[[articles.obligations]]
kind = "caveat"
value = "own use"
[[equivalences]]
policy = "JPN"
marking = "秘"
to_policy = "UKR"
to_marking = "Таємно"
article = "4"
basis = "text"
verified = true
[[suspensions]]
from = 2025-06-25
until = 2025-06-26
reason = "review"
recorded = 2025-06-24
"""


def base():
    return parse_toml(BASE.encode(), name="base")


def read(document):
    return read_agreement(document, CIVIL)


def changed(path, value):
    """Base with one member changed; ``...`` removes it."""
    document = copy.deepcopy(base())
    *way, last = path
    inner = document
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return document


def test_an_agreement_is_in_force_while_it_is_day_for_both():
    agreement, _ = read(base())
    # From Kyiv's midnight (the later) to the midnight after in Tokyo (the earlier).
    assert format_instant(agreement.term.begin.exact) == "2025-06-20T21:00:00Z"
    assert format_instant(agreement.term.end.exact) == "2025-06-30T15:00:00Z"
    assert agreement.term.begin.text == "2025-06-21"


def test_a_suspension_lasts_while_it_is_day_for_either():
    _, (suspension,) = read(base())
    # From Tokyo's midnight (the earlier) to the midnight after in Kyiv (the later).
    assert format_instant(suspension.term.begin.exact) == "2025-06-24T15:00:00Z"
    assert format_instant(suspension.term.end.exact) == "2025-06-26T21:00:00Z"


def test_a_nation_with_many_zones_counts_with_all_of_them():
    document = changed(["parties"], ["USA", "UKR"])
    document["articles"] = []
    agreement, (suspension,) = read(document)
    # Honolulu begins the day last (UTC-10); Kyiv ends it first.
    assert format_instant(agreement.term.begin.exact) == "2025-06-21T10:00:00Z"
    assert format_instant(agreement.term.end.exact) == "2025-06-30T21:00:00Z"
    assert format_instant(suspension.term.begin.exact) == "2025-06-24T21:00:00Z"
    assert format_instant(suspension.term.end.exact) == "2025-06-27T10:00:00Z"


@pytest.mark.parametrize(("name", "civil"), [("from", "2025-06-21"), ("until", "2025-06-30")])
def test_a_day_between_quotation_marks_is_the_same_day(name, civil):
    assert read(changed(["in_force", name], civil))[0].term == read(base())[0].term


def test_an_instant_is_taken_as_it_stands():
    agreement, _ = read(changed(["in_force", "from"], "2025-06-21T00:00:00+09:00"))
    assert format_instant(agreement.term.begin.exact) == "2025-06-20T15:00:00Z"


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("where", [["in_force"], ["suspensions", 0]])
def test_a_day_at_the_end_of_the_calendar_is_refused_not_a_crash(day, where):
    name = "until" if day > "2000" else "from"
    document = changed([*where, name], day)
    with pytest.raises(InputError) as caught:
        read(document)
    assert caught.value.field.endswith(name)


def test_unknown_and_approximate_dates_stay_what_they_are():
    about = {"earliest": "2025-02-26T00:00:00Z", "latest": "2025-03-07T00:00:00Z", "text": "about"}
    agreement, _ = read(changed(["in_force"], {"from": about, "until": "unknown"}))
    assert agreement.term.begin.exact is None
    assert agreement.term.begin.earliest == parse_instant("2025-02-26")
    assert agreement.term.begin.text == "about"
    assert agreement.term.end.earliest is None
    unknown, _ = read(changed(["in_force"], {"from": {"text": "in spring"}}))
    assert unknown.term.begin.latest is None
    assert unknown.term.end is None
    assert read(changed(["articles", 0, "ceiling"], "unknown"))[0].articles[0].ceiling is None


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["schema"], "kizuna/agreement/2", "schema"),
        (["id"], ..., "id"),
        (["version"], 0, "version"),
        (["kind"], "treaty", "kind"),
        (["parties"], ["JPN"], "parties"),
        (["parties"], ["JPN", "JPN"], "parties"),
        (["parties"], ["JPN", "ZZZ"], "parties"),
        (["recorded"], ..., "recorded"),
        (["recorded"], "then", "recorded"),
        (["tells_partner"], "yes", "tells_partner"),
        (["fictional"], 1, "fictional"),
        (["fictonal"], True, "fictonal"),
        (["in_force"], ..., "in_force"),
        (["in_force", "from"], ..., "in_force.from"),
        (["in_force", "from"], "about June", "in_force.from"),
        (["in_force", "from"], 2025, "in_force.from"),
        (["in_force", "from"], "2025-02-30", "in_force.from"),
        (["in_force", "until"], "2025-06-01", "in_force.until"),
        (["in_force", "since"], "2025-06-01", "in_force.since"),
        (["in_force", "from"], {"earliest": JUNE_2, "text": "x"}, "in_force.from.latest"),
        (["in_force", "from"], {"earliest": JUNE_2, "latest": JUNE_1, "text": "x"}, "in_force.from.latest"),
        (["articles", 0, "givers"], ["FRA"], "articles[0]"),
        (["articles", 0, "givers"], [], "articles[0]"),
        (["articles", 0, "receivers"], [], "articles[0]"),
        (["articles", 0, "receivers"], ["UKR/hur"], "articles[0].receivers"),
        (["articles", 0, "ceiling"], ..., "articles[0].ceiling"),
        (["articles", 0, "celing"], "秘", "articles[0].celing"),
        (["articles", 0, "obligations", 0, "kind"], "shred", "articles[0].obligations[0].kind"),
        (["articles", 0, "obligations", 0, "value"], ..., "articles[0].obligations[0].value"),
        (["equivalences", 0, "verified"], ..., "equivalences[0].verified"),
        (["equivalences", 0, "to_marking"], "UNCLASSIFIED", "equivalences[0].to_marking"),
        (["suspensions", 0, "reason"], "", "suspensions[0].reason"),
        (["suspensions", 0, "from"], ..., "suspensions[0].from"),
        (["suspensions", 0, "lifted"], True, "suspensions[0].lifted"),
    ],
)
def test_a_faulty_agreement_is_refused_and_the_field_named(path, value, field):
    with pytest.raises(InputError) as caught:
        read(changed(path, value))
    assert caught.value.field == field


def test_an_organisations_agreement_never_names_its_nation():
    document = changed(["parties"], ["JPN/IQPS", "UKR/HUR"])
    with pytest.raises(InputError) as caught:
        read(document)
    assert "JPN" in str(caught.value)


def test_a_nations_agreement_may_name_its_organisations():
    assert read(changed(["articles", 0, "givers"], ["JPN/IQPS", "JPN"]))[0].articles[0].givers == ("JPN/IQPS", "JPN")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_an_agreement_of_the_sample_survives_the_log(path):
    found = read(parse_toml(path.read_bytes(), name=path.name))
    assert found[0].sources
    assert found[0].fictional == (path.parent.name == "fictional")
    written = parse_json(canonical(agreement_to_json(*found)))
    # A record of the log holds instants only, so it is read without any table of zones.
    assert read_agreement(written, NO_CIVIL_DATES) == found


@given(st.dates(max_value=parse_instant("9990-01-01").date(), min_value=parse_instant("1970-01-05").date()), st.integers(1, 400))
def test_any_civil_days_survive_the_log_and_a_suspension_is_never_shorter(day, days):
    document = changed(["in_force"], {"from": day, "until": day + timedelta(days=days)})
    document["suspensions"][0] |= {"from": day, "until": day + timedelta(days=days)}
    agreement, (suspension,) = found = read(document)
    assert read_agreement(parse_json(canonical(agreement_to_json(*found))), NO_CIVIL_DATES) == found
    assert suspension.term.begin.exact <= agreement.term.begin.exact < agreement.term.end.exact <= suspension.term.end.exact


def test_a_civil_date_in_a_record_of_the_log_is_refused():
    with pytest.raises(InputError):
        read_agreement(base(), NO_CIVIL_DATES)


def test_what_is_no_toml_is_refused_with_the_files_name():
    for data in (b"\xff", b"a = ", b"a = 1\na = 2", b"[" * 50):
        with pytest.raises(InputError) as caught:
            parse_toml(data, name="x.toml")
        assert "x.toml" in str(caught.value)


# ---- ladders and labels


def ladders(*rungs, **more):
    return {
        "schema": "kizuna/markings/1",
        "ladders": [{"policy": "JPN", "basis": "x", "rungs": [{"markings": list(r), "verified": True} for r in rungs]} | more],
    }


def test_ladders_of_the_sample_are_read():
    found = read_ladders(parse_toml((sample_folder("coalition") / "markings.toml").read_bytes(), name="markings.toml"))
    assert found["JPN"].rank("極秘") == 2
    assert found["USA"].rank("SECRET") is None
    assert found["FIN"].rank("HEMLIG") == found["FIN"].rank("SALAINEN") == 3


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(ladders(["秘"], ["極秘", "秘"]), id="a marking on two rungs"),
        pytest.param(ladders(["秘"], []), id="a rung without a marking"),
        pytest.param(ladders(["秘"], ["UNCLASSIFIED"]), id="unclassified as a rung"),
        pytest.param({**ladders(["秘"]), "ladders": 2 * ladders(["秘"])["ladders"]}, id="two ladders of a policy"),
        pytest.param(ladders(["秘"], order="up"), id="an unknown member"),
        pytest.param(ladders(["秘"], basis=""), id="no basis"),
    ],
)
def test_a_ladder_that_can_be_read_in_two_ways_is_refused(document):
    with pytest.raises(InputError):
        read_ladders(document)


def test_a_label_document_is_read_strictly():
    text = 'schema = "kizuna/label/1"\npolicy = "JPN"\nclassification = "秘"\noriginator = "JPN/IQPS"\ncreated = 2025-06-22\n'
    label = read_label_document(parse_toml(text.encode(), name="x"))
    assert label.releasable_to is None
    with pytest.raises(InputError) as caught:
        read_label_document(parse_toml((text + 'releaseable_to = ["UKR"]\n').encode(), name="x"))
    assert caught.value.field == "releaseable_to"


SEVERAL_FAULTS = """
schema = "kizuna/agreement/1"
id = "A"
version = 1
title = "Imagery"
kind = "sharing"
parties = ["JPN", "UKR"]
recorded = 2025-01-01T00:00:00Z
sources = ["made up"]
[in_force]
from = 2025-06-21
until = 2025-06-01
[[articles]]
number = "1"
title = "Imagery"
givers = ["JPN"]
receivers = ["UKR"]
kinds = ["imagery"]
policy = "JPN"
ceiling = "UNCLASSIFIED"
acquired = { from = "2025-06-21" }
"""


@pytest.mark.parametrize(
    ("replaced", "by", "fields"),
    [
        # An end before its begin, whoever the parties are.
        ('parties = ["JPN", "UKR"]', "parties = 5", {"parties", "in_force.until"}),
        ('parties = ["JPN", "UKR"]', 'parties = ["JPN", "XQZ", 7, "UKR"]', {"parties", "in_force.until"}),
        (
            "[in_force]\nfrom = 2025-06-21\nuntil = 2025-06-01",
            "[in_force]\nx = 3\nfrom = 4\nuntil = 5",
            {"in_force.x", "in_force.from", "in_force.until"},
        ),
        (
            'acquired = { from = "2025-06-21" }',
            "acquired = { from = 2025-06-21, until = 5, x = 3 }",
            {"articles[0].acquired.until", "articles[0].acquired.x", "in_force.until"},
        ),
        (
            'acquired = { from = "2025-06-21" }',
            "areas = [{ name = 5, x = 3 }]",
            {"articles[0].areas[0].name", "articles[0].areas[0].x", "in_force.until"},
        ),
    ],
)
def test_no_fault_hides_another(replaced, by, fields):
    assert replaced in SEVERAL_FAULTS
    document = parse_toml(SEVERAL_FAULTS.replace(replaced, by).encode(), name="a")
    _agreement, _suspensions, found = check_agreement(document, CIVIL)
    assert {fault.field for fault in found} == fields
    if "XQZ" in by:
        said = [str(fault) for fault in found if fault.field == "parties"]
        assert len(said) == 2
        assert "XQZ" in said[0]
        assert "got 7" in said[1]
