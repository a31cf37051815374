"""A correction is a later fact: consents taken back, labels corrected twice at once, resumptions and suspensions set right."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from simulators.rules import (
    ARTICLE,
    FRA,
    HUR,
    ISA,
    JPN,
    LABEL,
    NOW,
    SHARE,
    SUBJECT,
    UKR,
    ask,
    bound,
    consent,
    register,
    resumption,
    suspension,
    term,
)

from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.release.agreements import Relabelling
from kizuna.release.decision import Outcome
from kizuna.release.rules import RuleId

PERMIT, DENY, REFER = Outcome.PERMIT, Outcome.DENY, Outcome.REFER
TWO = (SHARE, ISA)


def day(text):
    return parse_instant(f"2025-{text}")


# ---- consents: UKR/HUR made it, JPN holds it, it goes to FRA

THEIRS = replace(SUBJECT, originator=HUR, label=replace(LABEL, classification="UNCLASSIFIED", originator=HUR))
ONWARD = replace(SHARE, articles=tuple(replace(a, receivers=(FRA,)) for a in SHARE.articles), parties=(JPN, UKR, FRA))


def onward(*consents, at=NOW, known=NOW, **more):
    return ask(register(ONWARD, consents=tuple(consents), **more), THEIRS, "FRA", at, known).outcome


GIVEN = consent(term=term("2025-01-01"), recorded_at=day("01-01"))
ENDED = consent(term=term("2025-01-01", "2025-06-10"), recorded_at=day("06-12"))


@pytest.mark.parametrize("facts", [*permutations([GIVEN, ENDED])])
def test_a_consent_that_was_recorded_later_takes_the_place_of_the_one_before(facts):
    assert onward(*facts, at=day("06-11"), known=day("06-11")) is PERMIT
    assert onward(*facts, at=day("06-11"), known=day("06-12")) is DENY
    assert onward(*facts, at=day("06-09"), known=day("06-12")) is PERMIT
    assert onward(*facts) is DENY


def test_a_consent_can_be_given_again():
    assert onward(GIVEN, ENDED, consent(term=term("2025-06-20"), recorded_at=day("06-20"))) is PERMIT


def test_a_consent_for_another_party_product_or_of_another_originator_corrects_nothing():
    for changes in ({"receiver": UKR}, {"product": "q"}, {"originator": UKR}):
        assert onward(GIVEN, replace(ENDED, **changes)) is PERMIT


@pytest.mark.parametrize("facts", [*permutations([GIVEN, replace(ENDED, recorded_at=GIVEN.recorded_at)])])
def test_of_two_consents_recorded_at_one_instant_neither_counts_where_they_differ(facts):
    assert onward(*facts, at=day("06-01")) is DENY
    assert onward(GIVEN, GIVEN) is PERMIT


# ---- corrected labels recorded at one instant

SECRET, TOP = replace(LABEL, classification="秘"), replace(LABEL, classification="機密")


@pytest.mark.parametrize("labels", [*permutations([SECRET, TOP])])
def test_of_two_labels_recorded_at_one_instant_neither_counts(labels):
    facts = tuple(Relabelling("p", label, day("06-01")) for label in labels)
    decision = ask(replace(register(*TWO), relabellings=facts))
    assert decision.outcome is DENY
    assert RuleId.LABEL_KNOWN in {fault.rule for fault in decision.faults}
    later = Relabelling("p", SECRET, day("06-02"))
    assert ask(replace(register(*TWO), relabellings=(later, *facts))).outcome is PERMIT
    assert ask(replace(register(*TWO), relabellings=facts[:1] * 2)).outcome is (PERMIT if labels[0] == SECRET else DENY)


def test_two_labels_of_one_instant_that_differ_in_a_caveat_only_are_two_labels_too():
    facts = tuple(Relabelling("p", replace(SECRET, caveats=caveats), day("06-01")) for caveats in (("a",), ("b",)))
    assert ask(replace(register(*TWO), relabellings=facts)).outcome is DENY


# ---- resumptions


def suspended(*suspensions, resumed=()):
    return register(*TWO, suspensions=suspensions, resumptions=tuple(resumed))


def outcomes(facts, *days, known=NOW):
    return [ask(facts, at=day(at), known=known).outcome for at in days]


def test_of_two_resumptions_the_one_recorded_last_counts_the_later_one_too():
    first, corrected = resumption("2025-06-10"), resumption("2025-06-12", recorded="2025-06-15")
    for resumed in permutations([first, corrected]):
        facts = suspended(suspension("2025-06-01"), resumed=resumed)
        assert outcomes(facts, "06-11", "06-12") == [DENY, PERMIT]
        assert outcomes(facts, "06-11", known=day("06-14")) == [PERMIT]
    facts = suspended(suspension("2025-06-01"), resumed=[first, resumption("2025-06-08", recorded="2025-06-15")])
    assert outcomes(facts, "06-07", "06-08") == [DENY, PERMIT]


def test_of_two_resumptions_recorded_at_one_instant_the_later_end_counts():
    both = [resumption(f"2025-06-{at}", recorded="2025-06-15") for at in (10, 12)]
    for resumed in permutations(both):
        assert outcomes(suspended(suspension("2025-06-01"), resumed=resumed), "06-11", "06-12") == [DENY, PERMIT]


def test_a_resumption_after_a_second_suspension_leaves_the_end_of_the_first_alone():
    facts = suspended(
        suspension("2025-06-01"),
        suspension("2025-06-20"),
        resumed=[resumption("2025-06-10"), resumption("2025-06-25"), resumption("2025-06-28", recorded="2025-06-30")],
    )
    assert outcomes(facts, "06-05", "06-15", "06-22", "06-26", "06-28") == [DENY, PERMIT, DENY, DENY, PERMIT]


def test_a_resumption_ends_all_suspensions_that_run():
    facts = suspended(suspension("2025-06-01"), suspension("2025-06-05"), resumed=[resumption("2025-06-10")])
    assert outcomes(facts, "06-09", "06-10") == [DENY, PERMIT]


def test_a_later_resumption_than_the_end_that_was_announced_counts():
    facts = suspended(suspension("2025-06-01", "2025-06-05"), resumed=[resumption("2025-06-08", recorded="2025-06-15")])
    assert outcomes(facts, "06-06", "06-08") == [DENY, PERMIT]


# ---- a suspension set right by another of the same begin


def test_a_suspension_of_the_same_begin_recorded_later_says_when_it_ended():
    open_, known = suspension("2025-06-01", "unknown"), suspension("2025-06-01", "2025-06-05", recorded_at=day("06-20"))
    for both in permutations([open_, known]):
        facts = suspended(*both)
        assert outcomes(facts, "06-04", "06-05") == [DENY, PERMIT]
        assert outcomes(facts, "06-05", known=day("06-19")) == [DENY]
    assert outcomes(suspended(open_, replace(known, agreement="ISA")), "06-05") == [DENY]
    assert outcomes(suspended(open_, replace(known, recorded_at=open_.recorded_at)), "06-05") == [DENY]


def test_suspensions_of_which_nobody_knows_when_they_began_correct_nothing():
    unknown = suspension("unknown", recorded_at=day("06-01"))
    assert outcomes(suspended(unknown, suspension("unknown", "2025-06-05", recorded_at=day("06-20"))), "06-06") == [DENY]


# ---- versions

NARROW = (replace(ARTICLE, ceiling="UNCLASSIFIED"),)


def version(number=2, applies=None, **changes):
    made = {"version": number, "recorded_at": day(f"05-{number:02}"), "articles": NARROW}
    return replace(SHARE, **made | {"applies_from": None if applies is None else bound(f"2025-{applies}")} | changes)


def cited(facts, *days, known=NOW):
    return [(d.outcome, d.reasons[0].version) for d in (ask(facts, at=day(at), known=known) for at in days)]


@pytest.mark.parametrize("both", [*permutations([SHARE, version(applies="06-10")])])
def test_a_version_with_a_date_of_its_own_leaves_the_one_before_until_then(both):
    facts = register(*both, ISA)
    assert outcomes(facts, "06-09T23:59:59.999999Z", "06-10") == [PERMIT, DENY]
    assert outcomes(facts, "06-10", known=day("05-01")) == [PERMIT]


def test_a_version_without_a_date_corrects_all_time():
    assert outcomes(register(SHARE, version(), ISA), "06-09", "06-10") == [DENY, DENY]
    # Also where another one was to apply from a day on.
    facts = register(SHARE, version(applies="06-10"), version(3, articles=SHARE.articles), ISA)
    assert cited(facts, "06-09", "06-10") == [(PERMIT, 3), (PERMIT, 3)]


def test_of_three_versions_the_highest_that_applies_counts():
    third = version(3, "06-20", articles=SHARE.articles)
    assert outcomes(register(SHARE, version(applies="06-10"), third, ISA), "06-09", "06-19", "06-20") == [PERMIT, DENY, PERMIT]
    # One that applies earlier than the one before leaves nothing of that.
    third = version(3, "06-05", articles=SHARE.articles)
    facts = register(SHARE, version(applies="06-10"), third, ISA)
    assert cited(facts, "06-04", "06-05", "06-15") == [(PERMIT, 1), (PERMIT, 3), (PERMIT, 3)]


def test_a_version_has_its_own_term_besides():
    facts = register(
        replace(SHARE, articles=NARROW), version(applies="06-10", articles=SHARE.articles, term=term("2025-06-15")), ISA
    )
    assert outcomes(facts, "06-09", "06-12", "06-15") == [DENY, DENY, PERMIT]
    facts = register(SHARE, version(applies="06-10", term=term("2025-01-01", "2025-06-01")), ISA)
    assert outcomes(facts, "06-09", "06-10") == [PERMIT, DENY]
    # A version that had ended before stays as it ended.
    facts = register(replace(SHARE, term=term("2025-01-01", "2025-06-01")), version(applies="06-10"), ISA)
    assert outcomes(facts, "05-31", "06-05") == [PERMIT, DENY]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (term(("2025-06-01", "2025-06-20")), [REFER, DENY, DENY]),
        (term("2025-01-01", ("2025-06-01", "2025-06-20")), [REFER, DENY, DENY]),
        (term("2025-01-01", ("2025-06-20", "2025-06-30")), [PERMIT, DENY, DENY]),
        (term("2025-01-01", "unknown"), [DENY, DENY, DENY]),
        (term("unknown"), [DENY, DENY, DENY]),
        (term("2025-06-10"), [DENY, DENY, DENY]),
    ],
)
def test_a_term_of_approximate_dates_is_cut_where_the_next_version_applies(held, expected):
    assert outcomes(register(replace(SHARE, term=held), version(applies="06-10"), ISA), "06-09", "06-10", "06-25") == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (term(("2025-06-01", "2025-06-20")), [DENY, REFER, PERMIT]),
        (term(("2025-06-01", "2025-06-08")), [DENY, PERMIT, PERMIT]),
        (term("unknown"), [DENY, DENY, DENY]),
        (term("2025-01-01", ("2025-06-20", "2025-06-22")), [DENY, PERMIT, DENY]),
    ],
)
def test_so_is_that_of_the_version_itself(held, expected):
    later = version(applies="06-10", articles=SHARE.articles, term=held)
    facts = register(replace(SHARE, articles=NARROW), later, ISA)
    assert outcomes(facts, "06-09", "06-10", "06-25") == expected


@pytest.mark.parametrize("records", [*permutations([version(), version(articles=SHARE.articles)])])
def test_of_two_records_of_one_version_neither_counts(records):
    assert outcomes(register(SHARE, *records, ISA), "06-09") == [DENY]
    assert outcomes(register(SHARE, *records, version(3, articles=SHARE.articles), ISA), "06-09") == [PERMIT]
    dated = [replace(record, applies_from=bound("2025-06-10")) for record in records]
    assert outcomes(register(SHARE, *dated, ISA), "06-09", "06-10") == [PERMIT, DENY]


def test_a_refusal_says_that_another_version_applies_since():
    decision = ask(register(SHARE, version(applies="06-10", articles=()), ISA), at=day("06-12"), known=NOW)
    assert "Version 1 of SHARE held until 2025-06-10: since then version 2 applies." in [
        reason.message.render() for reason in decision.reasons
    ]


def test_what_is_known_of_what_is_known_is_the_same():
    facts = register(SHARE, version(applies="06-10"), ISA, suspensions=(suspension("2025-06-01"),), consents=(GIVEN, ENDED))
    facts = replace(facts, relabellings=tuple(Relabelling("p", label, day("06-01")) for label in (SECRET, TOP)))
    known = facts.as_known(NOW)
    assert known.as_known(NOW) == known


def test_the_first_label_is_not_said_to_be_missing_where_it_was_corrected():
    corrected = Label("JPN", "秘", JPN, day("06-10"))
    facts = replace(register(*TWO), relabellings=(Relabelling("p", corrected, day("06-10")),))
    (reason,) = ask(facts, at=day("06-05"), known=NOW).reasons
    assert reason.message.render() == (
        "Its label was corrected, and the label known now was made only on 2025-06-10T00:00:00Z: "
        "what it may do before that is answered as known then."
    )
    assert ask(facts, at=day("06-05")).outcome is PERMIT
    # One that was made later than that had none then either way.
    late = replace(SUBJECT, label=replace(LABEL, created=day("06-08")))
    (reason,) = ask(facts, late, at=day("06-05"), known=NOW).reasons
    assert "before that it has none" in reason.message.render()
