"""Valid time and recorded time: versions, suspensions and resumptions, and what was known when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.rules import ARTICLE, HUR, ISA, JPN, NOW, NZL, SHARE, UKR, ask, bound, register, resumption, suspension, term

from kizuna.model.instants import parse_instant
from kizuna.release.agreements import AgreementKind
from kizuna.release.decide import suspended_grants
from kizuna.release.decision import Outcome
from kizuna.release.rules import RuleId

PERMIT, DENY, REFER = Outcome.PERMIT, Outcome.DENY, Outcome.REFER


def suspended(*suspensions, resumed=()):
    return register(SHARE, ISA, suspensions=suspensions, resumptions=tuple(resumed))


# ---- versions


def test_of_the_versions_known_then_the_highest_counts():
    facts = register(
        replace(SHARE, version=3, recorded_at=parse_instant("2025-06-03"), term=term("2025-06-10")),
        replace(SHARE, term=term("unknown")),
        replace(SHARE, version=2, recorded_at=parse_instant("2025-06-02")),
        ISA,
    )
    asked = [(known, ask(facts, at="2025-06-05", known=known)) for known in ("2025-06-01", "2025-06-02", "2025-06-03")]
    assert [(known, d.outcome, d.reasons[0].version) for known, d in asked] == [
        ("2025-06-01", DENY, 1),
        ("2025-06-02", PERMIT, 2),
        ("2025-06-03", DENY, 3),
    ]


def test_an_agreement_is_not_known_before_it_was_recorded():
    late = register(replace(SHARE, recorded_at=NOW), ISA)
    assert ask(late, at=NOW, known="2025-07-01T11:59:59Z").reasons[0].rule == RuleId.COVERED
    assert ask(late, at=NOW, known=NOW).outcome is PERMIT
    # What is known now may also be asked of a time when it was not known yet.
    assert ask(late, at="2025-06-01", known=NOW).outcome is PERMIT


def test_a_new_version_does_not_lift_a_suspension():
    facts = register(replace(SHARE, version=2), ISA, suspensions=(suspension("2025-06-01"),))
    assert ask(facts).outcome is DENY


# ---- suspensions


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        ("2025-05-31T23:59:59.999999Z", PERMIT),
        ("2025-06-01", DENY),
        ("2025-06-09T23:59:59.999999Z", DENY),
        ("2025-06-10", PERMIT),
    ],
)
def test_a_suspension_holds_from_its_begin_to_the_resumption(at, outcome):
    facts = suspended(suspension("2025-06-01"), resumed=[resumption("2025-06-10")])
    assert ask(facts, at=at, known=NOW).outcome is outcome


def test_a_suspension_is_not_seen_before_it_was_recorded_nor_a_resumption():
    facts = suspended(suspension("2025-06-01", recorded_at=bound("2025-06-05").exact), resumed=[resumption("2025-06-10")])
    assert ask(facts, at="2025-06-03").outcome is PERMIT
    assert ask(facts, at="2025-06-03", known="2025-06-05").outcome is DENY
    assert ask(facts, at="2025-06-20", known="2025-06-09").outcome is DENY
    assert ask(facts, at="2025-06-20", known="2025-06-10").outcome is PERMIT


def test_a_second_suspension_outlives_the_resumption_of_the_first():
    facts = suspended(suspension("2025-06-01"), suspension("2025-06-20"), resumed=[resumption("2025-06-10")])
    assert ask(facts, at="2025-06-15", known=NOW).outcome is PERMIT
    assert ask(facts, at="2025-06-25", known=NOW).outcome is DENY


def test_a_resumption_that_was_known_before_does_not_end_a_suspension_that_is_recorded_later():
    # Recorded on 1 July: suspended since 1 June. The resumption of 10 June was about an earlier suspension.
    facts = suspended(
        suspension("2025-05-01"),
        suspension("2025-06-01", recorded_at=bound("2025-06-30").exact),
        resumed=[resumption("2025-06-10")],
    )
    assert ask(facts).outcome is DENY


def test_of_a_suspension_and_a_resumption_of_one_instant_the_suspension_stands():
    assert ask(suspended(suspension("2025-06-01"), resumed=[resumption("2025-06-01")])).outcome is DENY
    assert ask(suspended(suspension("2025-06-01"), resumed=[resumption("2025-06-01", recorded="2025-06-02")])).outcome is DENY


def test_the_resumption_of_another_agreement_ends_nothing():
    assert ask(suspended(suspension("2025-06-01"), resumed=[resumption("2025-06-10", agreement="ISA")])).outcome is DENY


# The United States' suspension of March 2025: it began about then, and no source gives the day of its end.
MARCH = suspension(("2025-02-26", "2025-03-07"), "unknown")


@pytest.mark.parametrize(
    ("at", "outcome"),
    [("2025-02-25", PERMIT), ("2025-02-26", DENY), ("2025-03-01", DENY), ("2025-03-10", DENY), ("2025-07-01", DENY)],
)
def test_a_suspension_whose_end_is_unknown_denies_for_good_and_says_so(at, outcome):
    decision = ask(suspended(MARCH), at=at, known=NOW)
    assert decision.outcome is outcome
    if outcome is DENY:
        assert [f.rule for f in decision.faults] == [RuleId.NOT_SUSPENDED]
        assert [c.message.render() for c in decision.changes] == ["the day on which SHARE resumed; then ask again"]


@pytest.mark.parametrize("end", ["unknown", ("2025-06-01", "2025-09-01"), "2025-09-01", None])
def test_an_officer_can_resume_whatever_end_was_written_down(end):
    facts = suspended(suspension("2025-03-07", end), resumed=[resumption("2025-06-10")])
    assert ask(facts, at="2025-06-09", known="2025-06-09").outcome in {DENY, REFER}
    assert ask(facts, at="2025-06-09", known=NOW).outcome is DENY
    assert ask(facts, at="2025-06-10", known=NOW).outcome is PERMIT


def test_a_suspension_of_unknown_begin_denies_until_it_is_resumed():
    facts = suspended(suspension("unknown", recorded_at=bound("2025-03-07").exact))
    assert ask(facts, at="2020-01-01", known=NOW).outcome is DENY
    assert ask(facts).outcome is DENY
    assert ask(replace(facts, resumptions=(resumption("2025-06-10"),))).outcome is PERMIT
    assert ask(replace(facts, resumptions=(resumption("2025-03-01"),))).outcome is DENY


def test_a_suspension_of_unknown_begin_that_is_over_stands_in_nobodys_way():
    assert ask(suspended(suspension("unknown", "2025-06-01"))).outcome is PERMIT


@pytest.mark.parametrize(
    ("at", "outcome"),
    [("2025-05-31", PERMIT), ("2025-06-01", REFER), ("2025-06-05", DENY), ("2025-06-10", REFER), ("2025-06-15", PERMIT)],
)
def test_at_the_approximate_ends_of_a_suspension_a_person_decides(at, outcome):
    facts = suspended(suspension(("2025-06-01", "2025-06-05"), ("2025-06-10", "2025-06-15")))
    assert ask(facts, at=at, known=NOW).outcome is outcome


# ---- what a partner is told of a suspension

OPEN = replace(SHARE, tells_partner=True)


def told(*agreements, at=NOW, partner=HUR, **facts):
    found = suspended_grants(register(*agreements, **facts), JPN, partner, at)
    return None if found is None else [(r.rule, r.agreement) for r in found]


def test_a_partner_is_told_of_the_suspension_that_its_agreement_tells():
    assert told(OPEN, suspensions=(suspension("2025-06-01"),)) == [(RuleId.NOT_SUSPENDED, "SHARE")]


@pytest.mark.parametrize(
    ("agreements", "suspensions"),
    [
        pytest.param([SHARE], [suspension("2025-06-01")], id="its agreement does not tell"),
        pytest.param([OPEN], [], id="not suspended"),
        pytest.param([OPEN], [suspension("2025-07-02")], id="not suspended yet"),
        pytest.param([OPEN], [suspension("2025-06-01", "2025-06-30")], id="resumed"),
        pytest.param([OPEN, replace(OPEN, id="OTHER")], [suspension("2025-06-01")], id="another grant is live"),
        pytest.param([replace(OPEN, term=term("2025-07-02"))], [suspension("2025-06-01")], id="not in force anyway"),
        pytest.param([replace(OPEN, term=term("unknown"))], [suspension("2025-06-01")], id="perhaps never in force"),
        pytest.param([replace(OPEN, kind=AgreementKind.DECLARATION)], [suspension("2025-06-01")], id="lets nothing go"),
        pytest.param([], [suspension("2025-06-01")], id="no agreement"),
    ],
)
def test_a_partner_is_told_nothing_where(agreements, suspensions):
    assert told(*agreements, suspensions=tuple(suspensions)) is None


def test_of_two_suspended_agreements_only_the_one_that_tells_is_named():
    silent = replace(SHARE, id="SILENT")
    both = (suspension("2025-06-01"), suspension("2025-06-01", agreement="SILENT"))
    assert told(silent, OPEN, suspensions=both) == [(RuleId.NOT_SUSPENDED, "SHARE")]


def test_nobody_else_is_told_and_nothing_that_is_not_known_yet():
    facts = {"suspensions": (suspension("2025-06-01", recorded_at=bound("2025-06-05").exact),)}
    assert told(OPEN, partner=NZL, **facts) is None
    assert told(OPEN, partner=UKR, **facts) is None
    assert told(OPEN, at=parse_instant("2025-06-03"), **facts) is None
    assert told(replace(OPEN, articles=(replace(ARTICLE, givers=(UKR,)),)), **facts) is None
