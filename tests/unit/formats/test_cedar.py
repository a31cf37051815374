"""Agreements as Cedar policies: what stands there, that Cedar reads it, and that no text gets out of its quotation marks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.rules import (
    ARTICLE,
    HUR,
    ISA,
    NOW,
    REGISTER,
    SHARE,
    SUBJECT,
    ObligationKind,
    obligation,
    register,
    suspension,
    term,
)

from kizuna.cli.release_cedar import export_cedar
from kizuna.errors import InputError
from kizuna.formats.cedar import CEDAR_SCHEMA, cedar_policies
from kizuna.formats.cedar_requests import cedar_request
from kizuna.formats.cedar_values import cedar_string
from kizuna.model.regions import area_of
from kizuna.release.agreements import AgreementKind, Grant, Withdrawal
from kizuna.release.view import APPLICABLE
from kizuna.wiring import load_register

cedarpy = pytest.importorskip("cedarpy", reason="`make test` installs it")

AREA = area_of("the strait", ((((129.0, 33.0), (130.0, 33.0), (130.0, 34.0), (129.0, 33.0)),),))
FULL = replace(
    ARTICLE,
    categories=(Grant("SAP", ("X", "Y")), Grant("Handling", ("EYES",))),
    areas=(AREA,),
    denied_areas=(AREA,),
    acquired=term("2025-01-01", "2026-01-01"),
    produced=term("2025-01-01"),
    purposes=("maritime awareness",),
    obligations=(
        obligation(ObligationKind.DELAY, "47.5"),
        obligation(ObligationKind.RESOLUTION, "0.5"),
        obligation(ObligationKind.CAVEAT, "not onward"),
    ),
)
TEXTS = st.text(min_size=1, max_size=12) | st.sampled_from(
    ['"', "\\", "\\u{41}", "//", ");", "\r\n", "\u202e", "\0", "秘", "$&{}"]
)


def share(**changes):
    return replace(SHARE, articles=(replace(FULL, **changes),))


def policies(*agreements, **changes):
    return cedar_policies(register(*agreements, **changes), NOW)


def read(text):
    """Policies as Cedar has them in JSON, by their @id."""
    return {
        policy["annotations"]["id"]: policy
        for policy in json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values()
    }


def valid(text):
    return [str(error) for error in cedarpy.validate_policies(text, CEDAR_SCHEMA).errors]


def allowed(facts, subject=SUBJECT, **changes):
    made = cedar_request(facts, subject, HUR, NOW, NOW, **changes)
    entities = cedarpy.Entities.from_json_str(json.dumps(made.entities), CEDAR_SCHEMA)
    result = cedarpy.is_authorized(made.request, cedar_policies(facts, NOW), entities, CEDAR_SCHEMA)
    assert result.diagnostics.errors == []
    return result.allowed


def test_an_article_with_all_that_it_can_say_is_valid_under_the_schema():
    text = policies(share(), ISA, suspensions=(suspension("2025-03-05", "2025-03-12"),))
    assert valid(text) == []
    permit = read(text)["SHARE v1 article 1"]
    assert permit["effect"] == "permit"
    assert permit["annotations"] == {
        "id": "SHARE v1 article 1",
        "agreement": "SHARE",
        "version": "1",
        "article": "1",
        "title": "imagery",
        "in_force": "2025-01-01",
        "areas": "the strait; the strait",
        "obligations": "delay 47.5; resolution 0.5; caveat not onward",
    }


def test_what_is_written_can_be_read_by_a_reviewer():
    text = policies(share(), ISA, suspensions=(suspension("2025-03-05", "2025-03-12"),))
    suspended = 'context.at >= datetime("2025-03-05T00:00:00Z") && context.at < datetime("2025-03-12T00:00:00Z")'
    category = 'if resource.hasTag("SAP") then resource.getTag("SAP").containsAny(["X", "Y"]) else true'
    for line in (
        "// SHARE version 1, article 1",
        'when { [Party::"UKR/HUR"].contains(principal) } // covered',
        'when { context.at >= datetime("2025-01-01T00:00:00Z") } // in-force',
        f"when {{ !({suspended}) }} // not-suspended",
        'when { if context has purpose then ["maritime awareness"].contains(context.purpose) else true } // purpose',
        f"when {{ {category} }} // categories, lineage-ceiling",
        'when { resource has observedUntil && resource.observedUntil.offset(duration("171000000ms")) <= context.at } // delay',
        "when { resource has resolution && resource.resolution >= 1 } // resolution",
        "// JPN 秘 goes only to whom an agreement obliges to protect it (ISA version 1, article 4: UKR Таємно).",
    ):
        assert line in text.splitlines(), line
    assert text.startswith("// Agreements as Cedar policies")
    assert "not: what the node decides by" in text
    unable = cedar_policies(register(share(), ISA), NOW, APPLICABLE - {ObligationKind.RESOLUTION})
    assert "when { resource has resolution && resource.resolution >= 500 } // resolution" in unable.splitlines()


def test_what_can_be_cut_goes_only_from_a_known_place():
    cut = share(denied_areas=(), obligations=(obligation(ObligationKind.AREA),))
    part = f'(resource has touches && resource.touches.containsAny(["{AREA.id}"]))'
    whole = f'resource.inside.containsAny(["{AREA.id}"])'
    assert f"when {{ ({whole}) || {part} }} // area" in policies(cut, ISA).splitlines()
    unable = cedar_policies(register(cut, ISA), NOW, APPLICABLE - {ObligationKind.AREA})
    assert f"when {{ {whole} }} // area" in unable.splitlines()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(SHARE, term=term("unknown")), "in-force"),
        (replace(SHARE, term=term("2025-01-01", "unknown")), "in-force"),
        (share(ceiling=None), "ceiling"),
        (share(ceiling="SECRET"), "ceiling"),
        (share(acquired=term("unknown")), "acquired"),
        (share(produced=term("unknown")), "produced"),
        (share(obligations=(obligation(ObligationKind.DELAY, "soon"),)), "obligations"),
        (share(obligations=(obligation(ObligationKind.AREA),), areas=()), "obligations"),
    ],
)
def test_an_article_that_can_let_nothing_go_says_why(changed, why):
    text = policies(changed, ISA)
    assert "SHARE v1 article 1" not in read(text)
    (line,) = [line for line in text.splitlines() if "lets nothing go" in line]
    assert line == f"// SHARE version 1, article 1 lets nothing go: {why}."
    assert valid(text) == []


def test_a_declaration_permits_nothing():
    assert {p["effect"] for p in read(policies(replace(SHARE, kind=AgreementKind.DECLARATION), ISA)).values()} == {"forbid"}


def test_what_was_recorded_later_is_left_out():
    late = (Withdrawal("SHARE", NOW, NOW, "a new policy"),)
    assert "not-withdrawn" in policies(SHARE, withdrawals=late)
    assert "not-withdrawn" not in cedar_policies(register(SHARE, withdrawals=late), term().begin.latest)


def test_an_empty_register_permits_nothing_and_is_valid():
    text = cedar_policies(replace(REGISTER, agreements=(), ladders={}), NOW)
    assert valid(text) == []
    assert {policy["effect"] for policy in read(text).values()} == {"forbid"}


def test_two_articles_of_one_number_have_two_names():
    twice = replace(SHARE, articles=(ARTICLE, ARTICLE))
    assert {"SHARE v1 article 1", "SHARE v1 article 1 (2)"} <= set(read(policies(twice, ISA)))


def test_the_plain_question_is_allowed_and_a_missing_fact_denies():
    assert allowed(REGISTER)
    assert not allowed(register(SHARE, replace(ISA, equivalences=())))
    assert not allowed(register(share(), ISA))


def test_the_sample_register_is_valid_and_marks_what_is_fictional():
    text = cedar_policies(load_register(None, ("IQPS-HUR-2025",), ()), NOW)
    assert valid(text) == []
    fictional = {id_ for id_, policy in read(text).items() if "fictional" in policy["annotations"]}
    assert fictional == {id_ for id_ in read(text) if id_.startswith("IQPS-HUR-2025")}
    assert fictional


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_cedar_reads_a_string_as_it_was_meant(text):
    policy = (
        f"@text({cedar_string(text)})\npermit (principal, action, resource) when {{ resource.name == {cedar_string(text)} }};"
    )
    (made,) = json.loads(cedarpy.policies_to_json_str(policy))["staticPolicies"].values()
    assert made["annotations"]["text"] == text
    assert made["conditions"][0]["body"]["=="]["right"]["Value"] == text
    # Nothing that turns or hides what a reviewer reads stands there as such.
    assert cedar_string(text).isprintable()


def test_what_is_no_unicode_is_refused():
    with pytest.raises(InputError) as refused:
        cedar_string("half \ud83d")
    assert refused.value.field == "cedar"


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_text_of_an_agreement_gets_out_of_its_quotation_marks(one, two, three, four):
    article = replace(FULL, number=one, title=two, categories=(Grant(three, (four,)),), purposes=(two,), kinds=("imagery", one))
    agreement = replace(SHARE, id=four, articles=(replace(article, obligations=(obligation(ObligationKind.CAVEAT, three),)),))
    plain = read(policies(share(obligations=()), ISA))
    made = read(policies(agreement, replace(ISA, id="ISA " + one)))
    assert len(made) == len(plain)
    permit = made[f"{four} v1 article {one}"]
    assert permit["annotations"]["title"] == two
    assert permit["annotations"]["obligations"] == f"caveat {three}".rstrip()
    assert len(permit["conditions"]) == len(plain["SHARE v1 article 1"]["conditions"]) - 1


def test_the_command_prints_policies_and_writes_a_file(tmp_path):
    run = CliRunner().invoke(export_cedar, ["--accept-fictional", "IQPS-HUR-2025", "--known-at", "2026-01-01"])
    assert run.exit_code == 0
    assert "IQPS-HUR-2025 v2 article 3" in read(run.stdout)
    path = tmp_path / "policies.cedar"
    written = CliRunner().invoke(export_cedar, ["--known-at", "2026-01-01", "--output", str(path), "--json"])
    form = json.loads(written.stdout)
    assert path.read_text("utf-8") == form["policies"]
    assert form["schema"] == CEDAR_SCHEMA
    assert form["known_at"] == "2026-01-01T00:00:00Z"
    assert not valid(form["policies"])
    assert "FICTIONAL" not in form["policies"]


def test_the_command_overwrites_nothing(tmp_path):
    path = tmp_path / "policies.cedar"
    path.write_text("mine")
    run = CliRunner().invoke(export_cedar, ["--output", str(path)])
    assert isinstance(run.exception, InputError)
    assert path.read_text() == "mine"
