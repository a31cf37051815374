"""Where a label, its parents or an article say a thing more than once, the strictest counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.rules import ARTICLE, DAWN, HUR, ISA, JPN, NOW, SHARE, SUBJECT, ObligationKind, ask, obligation, register

from kizuna.model.instants import Interval, parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.release.agreements import Grant
from kizuna.release.decide import APPLICABLE, Ancestor, decide_in
from kizuna.release.decision import Outcome
from kizuna.release.rules import RuleId
from kizuna.release.view import View

MADE = Interval(parse_instant("2025-07-01T00:00:00Z"), parse_instant("2025-07-01T00:00:05Z"))


def article(**changes):
    return register(replace(SHARE, articles=(replace(ARTICLE, **changes),)), ISA)


def sap(*values):
    return (Category("SAP", CategoryType.PERMISSIVE, values),)


def parent(name, *values):
    return Ancestor(name, JPN, Label("JPN", "UNCLASSIFIED", JPN, DAWN, categories=sap(*values)))


def granting(*values):
    return article(categories=(Grant("SAP", values),))


@pytest.mark.parametrize(
    ("grants", "outcome"),
    [(("Y",), Outcome.PERMIT), (("X", "Z"), Outcome.DENY), (("X", "Y"), Outcome.PERMIT), (("X",), Outcome.DENY)],
)
def test_of_two_parents_only_what_both_name_opens_a_permissive_category(grants, outcome):
    derived = replace(SUBJECT, ancestors=(parent("a", "X", "Y"), parent("b", "Y", "Z")))
    decision = ask(granting(*grants), derived)
    assert decision.outcome is outcome
    if outcome is Outcome.DENY:
        assert {reason.rule for reason in decision.reasons} == {RuleId.LINEAGE_CEILING}
        assert "a, b" in {reason.message.values.get("products") for reason in decision.reasons}


def test_the_products_own_label_counts_among_them():
    derived = replace(SUBJECT, label=replace(SUBJECT.label, categories=sap("X", "Y")), ancestors=(parent("a", "Y", "Z"),))
    assert ask(granting("Y"), derived).outcome is Outcome.PERMIT
    assert ask(granting("X", "Z"), derived).outcome is Outcome.DENY


def test_what_labels_have_in_common_is_known_the_first_time():
    derived = replace(SUBJECT, ancestors=(parent("a", "X", "Y"), parent("b", "Y", "Z")))
    facts = granting("Y")
    assert [ask(facts, derived).outcome for _ in range(3)] == [Outcome.PERMIT] * 3


@pytest.mark.parametrize("values", [("10", "0.5"), ("0.5", "10")])
def test_of_two_limits_of_resolution_the_coarser_one_counts(values):
    facts = article(obligations=tuple(obligation(ObligationKind.RESOLUTION, value) for value in values))
    asked = [
        {o.value for o in ask(facts, replace(SUBJECT, resolution_m=metres)).obligations if o.kind is ObligationKind.RESOLUTION}
        for metres in (10.0, 1.0)
    ]
    # Applying both, the coarser one holds.
    assert asked == [set(), {"10", "0.5"}]
    unable = View(facts.as_known(NOW), APPLICABLE - {ObligationKind.RESOLUTION})
    decision = decide_in(unable, replace(SUBJECT, resolution_m=1.0), HUR, NOW)
    assert decision.outcome is Outcome.DENY
    assert decision.reasons[0].message.values["finest"] == "10"


@pytest.mark.parametrize("values", [("24", "6"), ("6", "24")])
def test_of_two_delays_the_longer_one_counts(values):
    facts = article(obligations=tuple(obligation(ObligationKind.DELAY, value) for value in values))
    assert ask(facts, replace(SUBJECT, event=MADE)).outcome is Outcome.DENY
    assert ask(facts, replace(SUBJECT, event=MADE), at="2025-07-02T00:00:05Z").outcome is Outcome.PERMIT


def test_of_two_delays_one_that_nobody_can_read_lets_nothing_go():
    facts = article(obligations=(obligation(ObligationKind.DELAY, "soon"), obligation(ObligationKind.DELAY, "0")))
    assert ask(facts, replace(SUBJECT, event=MADE)).outcome is Outcome.DENY
