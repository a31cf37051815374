"""What would turn a refusal: nothing superfluous, nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.rules import (
    ARTICLE,
    DAWN,
    FRA,
    HUR,
    ISA,
    JPN,
    LABEL,
    NOW,
    PAIR,
    SHARE,
    SUBJECT,
    ask,
    bound,
    obligation,
    register,
    term,
)

from kizuna.errors import Message
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import Party
from kizuna.release.agreements import Suspension, Withdrawal
from kizuna.release.decide import APPLICABLE, Ancestor, decide, decide_in
from kizuna.release.decision import ObligationKind, Outcome
from kizuna.release.remedies import EVERYTHING, linked, smallest
from kizuna.release.view import View


def change(text, **links):
    return linked(Message(text), **links)


def rendered(messages):
    return [message.render() for message in messages]


def test_what_another_change_settles_is_left_out():
    equal, low = change("equivalent", needed_for=["marking A"]), change("lower", settles=["marking A"])
    assert rendered(smallest([equal, low])) == ["lower"]
    assert rendered(smallest([equal, change("other", settles=["marking B"])])) == ["equivalent", "other"]


def test_what_is_left_out_settles_nothing():
    lower = change("lower", settles=["marking A"])
    anew = change("new agreement", needed_for=["marking A"], settles=["standing X"])
    resumed = change("resumption", needed_for=["standing X"])
    assert rendered(smallest([resumed, anew, lower])) == ["resumption", "lower"]
    assert rendered(smallest([resumed, anew])) == ["new agreement"]


def test_what_settles_everything_stands_alone():
    assert rendered(smallest([change("one"), change("partner", settles=[EVERYTHING]), change("two")])) == ["partner"]


def test_the_same_words_stand_once_and_carry_nothing_else():
    twice = [Message("a new {agreement}", {"agreement": "X", "reason": reason}) for reason in ("one", "two")]
    assert smallest(twice) == (Message("a new {agreement}", {"agreement": "X"}),)
    assert len(smallest([*twice, Message("a new {agreement}", {"agreement": "Y"})])) == 2
    assert smallest([change("lower", settles=["marking A"])]) == (Message("lower"),)


def test_links_add_up():
    both = linked(change("it", needed_for=["a"]), needed_for=["b"])
    for settled in ("a", "b"):
        assert rendered(smallest([both, change("other", settles=[settled])])) == ["other"]


def test_nothing_may_be_suggested():
    assert smallest([]) == ()


# The same, seen from the decision.


def asked(facts, subject=SUBJECT, partner=HUR, **more):
    return rendered(c.message for c in ask(facts, subject, partner, **more).changes)


def article(**changes):
    return replace(SHARE, articles=(replace(ARTICLE, **changes),))


def labelled(**changes):
    return replace(SUBJECT, label=replace(LABEL, **changes))


def test_under_a_lower_marking_the_equivalent_of_the_higher_one_is_not_needed():
    assert asked(register(article(ceiling="秘"), ISA), labelled(classification="機密")) == ["a classification of 秘 or lower"]


def test_a_marking_that_would_not_be_protected_is_not_suggested():
    facts = register(article(ceiling="極秘"), replace(ISA, equivalences=(replace(PAIR, marking="秘"),)))
    assert asked(facts, labelled(classification="機密")) == ["a classification of 秘 or lower"]
    facts = register(article(ceiling="極秘"), replace(ISA, equivalences=(replace(PAIR, marking="極秘"),)))
    assert asked(facts, labelled(classification="機密")) == ["a classification of 極秘"]
    assert asked(register(article(ceiling="極秘")), labelled(classification="機密")) == [
        "a classification of UNCLASSIFIED or lower"
    ]


def test_whether_a_lower_marking_is_protected_is_asked_for_each_instant():
    # Nothing of the first answer may be kept for the second.
    facts = register(article(ceiling="秘"), replace(ISA, term=term("2025-01-01", "2025-06-01")))
    high = labelled(classification="機密")
    assert asked(facts, high, at="2025-05-01") == ["a classification of 秘 or lower"]
    assert asked(facts, high, at="2025-06-15") == ["a classification of UNCLASSIFIED or lower"]


def test_an_unknown_ceiling_is_named():
    decision = ask(register(article(ceiling="ULTRA"), ISA))
    assert "The ceiling ULTRA of the policy JPN (SHARE article 1) is unknown here." in rendered(
        f.message for f in decision.faults
    )
    assert rendered(c.message for c in decision.changes) == [
        "a verified ladder of the policy JPN that holds ULTRA; then ask again"
    ]


def test_what_is_unknown_is_asked_about_as_if_it_were_classified():
    decision = ask(register(SHARE, ISA), labelled(classification="部外秘"))
    assert rendered(c.message for c in decision.changes) == [
        "a verified ladder of the policy JPN that holds 部外秘; then ask again",
        "the equivalent of JPN 部外秘 in ISA",
    ]


def test_a_withdrawn_agreement_asks_for_a_new_one_only_and_once():
    away = tuple(Withdrawal("SHARE", bound(day).exact, DAWN, day) for day in ("2025-05-01", "2025-05-02"))
    held = (Suspension("SHARE", term("2025-05-03"), DAWN, "review"),)
    facts = replace(register(replace(SHARE, term=term("2025-01-01", "2025-06-01")), ISA), withdrawals=away, suspensions=held)
    assert asked(facts) == ["a new agreement in the place of SHARE"]


def test_for_what_is_no_nation_nothing_else_is_suggested():
    other = "another partner, a known nation or an organisation of one; then ask again"
    assert asked(register(SHARE, ISA), labelled(releasable_to=()), Party("XXN")) == [other]


def test_of_an_approximate_date_it_says_what_would_have_to_be_known():
    facts = register(replace(SHARE, term=term(("2025-06-01", "2025-09-01"))), ISA)
    assert asked(facts) == ["SHARE known to be in force then"]
    facts = register(replace(SHARE, term=term("unknown", "2025-06-01")), ISA)
    assert asked(facts) == ["SHARE known to be in force then"]


def test_an_obligation_that_this_node_cannot_apply():
    facts = register(article(obligations=(obligation(ObligationKind.CAVEAT, "text"),)), ISA)
    decision = decide_in(View(facts, APPLICABLE - {ObligationKind.CAVEAT}), SUBJECT, HUR, NOW)
    assert rendered(c.message for c in decision.changes) == ["SHARE article 1 without the obligation caveat"]
    facts = register(article(obligations=(obligation(ObligationKind.RESOLUTION, "?"),)), ISA)
    assert asked(facts) == ["SHARE article 1 without the obligation resolution"]


def test_consent_for_the_product_is_consent_for_what_it_was_made_from():
    open_label = Label("JPN", "UNCLASSIFIED", FRA, DAWN)
    subject = replace(SUBJECT, originator=FRA, label=open_label, ancestors=(Ancestor("echoes", FRA, open_label),))
    assert asked(register(SHARE, ISA), subject) == ["consent of FRA as originator"]


def test_of_restrictive_values_only_those_that_are_not_granted_are_asked_for():
    sap = Category("SAP", CategoryType.RESTRICTIVE, ("Y", "X"))
    eyes = Category("SAP", CategoryType.PERMISSIVE, ("X", "Z"))
    assert asked(register(SHARE, ISA), labelled(categories=(sap, eyes))) == ["a grant of SAP (X, Y) in SHARE article 1"]
    assert asked(register(SHARE, ISA), labelled(categories=(eyes,))) == ["a grant of one of SAP (X, Z) in SHARE article 1"]


@pytest.mark.parametrize("kinds", [("imagery",), ("imagry",)])
def test_a_kind_that_no_agreement_speaks_of_is_unknown(kinds):
    decision = decide(register(article(kinds=kinds), ISA), SUBJECT, HUR, NOW, NOW)
    assert (decision.outcome is Outcome.PERMIT) is (kinds == ("imagery",))
    unknown = ["No agreement here speaks of the kind imagery."]
    assert rendered(f.message for f in decision.faults) == ([] if kinds == ("imagery",) else unknown)
    assert SUBJECT.originator == JPN
