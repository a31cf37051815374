"""Each rule of the table, both ways: the plain case permits, and each case here is one change away from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from simulators.rules import (
    ARTICLE,
    DAWN,
    FRA,
    HUR,
    IQPS,
    ISA,
    JPN,
    LABEL,
    NOW,
    NZL,
    PAIR,
    REGISTER,
    SHARE,
    SUBJECT,
    UKR,
    ObligationKind,
    ask,
    bound,
    consent,
    obligation,
    register,
    suspension,
    term,
)

from kizuna.model.instants import Interval, parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.regions import Placement, area_of
from kizuna.release.agreements import AgreementKind, Article, Equivalence, Grant, Relabelling, State, Term, Withdrawal
from kizuna.release.decide import APPLICABLE, Ancestor, Subject, decide_in
from kizuna.release.decision import Outcome, decision_to_json
from kizuna.release.rules import RULES, RuleId
from kizuna.release.view import View

if TYPE_CHECKING:
    from kizuna.release.register import Register

OPEN = Label("JPN", "UNCLASSIFIED", JPN, DAWN)
AREA = area_of("the strait", ((((129.0, 33.0), (130.0, 33.0), (130.0, 34.0), (129.0, 33.0)),),))
MAY = Interval(parse_instant("2025-05-03T10:00:00Z"), parse_instant("2025-05-03T10:00:05Z"))
OBSERVED = replace(SUBJECT, event=MAY, produced=parse_instant("2025-05-03T11:00:00Z"), resolution_m=0.46)


def labelled(**changes: object) -> Subject:
    return replace(SUBJECT, label=replace(LABEL, **changes))


def article(**changes: object) -> Register:
    return register(replace(SHARE, articles=(replace(ARTICLE, **changes),)), ISA)


def share(**changes: object) -> Register:
    return register(replace(SHARE, **changes), ISA)


def isa(**changes: object) -> Register:
    return register(SHARE, replace(ISA, **changes))


def pairs(*equivalences: Equivalence) -> Register:
    return isa(equivalences=equivalences)


def derived(label: Label | None, originator: str | None = "JPN") -> Subject:
    return replace(SUBJECT, ancestors=(Ancestor("parent", originator, label),))  # type: ignore[arg-type]


def category(kind: CategoryType) -> Subject:
    return labelled(categories=(Category("SAP", kind, ("X",)),))


def test_the_plain_case_permits_and_says_by_which_article():
    decision = ask()
    assert decision.outcome is Outcome.PERMIT
    assert [(r.rule, r.agreement, r.article) for r in decision.reasons] == [
        (RuleId.GRANT, "SHARE", "1"),
        (RuleId.EQUIVALENCE, "ISA", "4"),
    ]
    assert [(o.kind, o.value) for o in decision.obligations] == [(ObligationKind.REMARK, "UKR Таємно")]
    assert not decision.faults
    assert not decision.changes


# Rule, what is changed, what the reason must name, and whether it is an unknown (a fault).
REFUSED = {
    "partner of no known nation": (RuleId.PARTNER_KNOWN, REGISTER, SUBJECT, "ZZZ/HUR", "ZZZ/HUR", True),
    "partner is an alliance": (RuleId.PARTNER_KNOWN, REGISTER, SUBJECT, "XXN", "XXN", True),
    "unknown policy": (RuleId.LABEL_KNOWN, REGISTER, labelled(policy="NOR"), HUR, "NOR", True),
    "unknown marking": (RuleId.LABEL_KNOWN, REGISTER, labelled(classification="部外秘"), HUR, "部外秘", True),
    "marking of another policy": (RuleId.LABEL_KNOWN, REGISTER, labelled(classification="SECRET"), HUR, "SECRET", True),
    "unverified marking": (RuleId.LABEL_KNOWN, REGISTER, labelled(policy="UKR", classification="ДСК"), HUR, "ДСК", True),
    "released to nobody": (RuleId.RELEASABLE_TO, REGISTER, labelled(releasable_to=()), HUR, "nobody", False),
    "released to another": (RuleId.RELEASABLE_TO, REGISTER, labelled(releasable_to=(NZL,)), HUR, "NZL", False),
    "released to the nation only": (RuleId.RELEASABLE_TO, REGISTER, labelled(releasable_to=(UKR,)), HUR, "UKR", False),
    "restrictive category": (RuleId.CATEGORIES, REGISTER, category(CategoryType.RESTRICTIVE), HUR, "SAP", True),
    "permissive category": (RuleId.CATEGORIES, REGISTER, category(CategoryType.PERMISSIVE), HUR, "SAP", True),
    "another's product": (RuleId.ORIGINATOR_CONSENT, REGISTER, replace(SUBJECT, originator=FRA), HUR, "FRA", False),
    "another's label": (RuleId.ORIGINATOR_CONSENT, REGISTER, labelled(originator=FRA), HUR, "FRA", False),
    "parent unknown": (RuleId.LINEAGE, REGISTER, derived(None, None), HUR, "parent", True),
    "parent's label unknown": (RuleId.LINEAGE, REGISTER, derived(None), HUR, "parent", True),
    "parent withheld": (RuleId.LINEAGE, REGISTER, derived(replace(OPEN, releasable_to=())), HUR, "parent", False),
    "parent of a third party": (RuleId.LINEAGE, REGISTER, derived(replace(OPEN, originator=FRA), "FRA"), HUR, "parent", False),
    "parent labelled by a third party": (RuleId.LINEAGE, REGISTER, derived(replace(OPEN, originator=FRA)), HUR, "parent", False),
    "parent of an unknown marking": (RuleId.LINEAGE, REGISTER, derived(replace(OPEN, policy="NOR")), HUR, "parent", True),
    "parent above the ceiling": (
        RuleId.LINEAGE_CEILING,
        REGISTER,
        derived(replace(LABEL, classification="機密")),
        HUR,
        "parent",
        False,
    ),
    "parent without equivalence": (
        RuleId.EQUIVALENCE,
        REGISTER,
        derived(replace(LABEL, classification="極秘")),
        HUR,
        "parent",
        True,
    ),
    "parent in a category": (
        RuleId.LINEAGE_CEILING,
        REGISTER,
        derived(replace(OPEN, categories=(Category("SAP", CategoryType.RESTRICTIVE, ("X",)),))),
        HUR,
        "parent",
        False,
    ),
    "category that another article grants": (
        RuleId.CATEGORIES,
        article(categories=(Grant("SAP", ("Y",)),)),
        category(CategoryType.RESTRICTIVE),
        HUR,
        "does not grant SAP (X)",
        False,
    ),
    "withdrawn": (
        RuleId.NOT_WITHDRAWN,
        register(SHARE, ISA, withdrawals=(Withdrawal("SHARE", bound("2025-07-01").exact, DAWN, "a new policy"),)),
        SUBJECT,
        HUR,
        "a new policy",
        False,
    ),
    "outside the area": (
        RuleId.AREA,
        article(areas=(AREA,)),
        replace(SUBJECT, placement=Placement(touches=frozenset({AREA.id}))),
        HUR,
        "the strait",
        False,
    ),
    "place unknown": (RuleId.AREA, article(areas=(AREA,)), SUBJECT, HUR, "the strait", True),
    "place unknown, so nothing can be cut out": (
        RuleId.AREA,
        article(areas=(AREA,), obligations=(obligation(ObligationKind.AREA),)),
        SUBJECT,
        HUR,
        "the strait",
        True,
    ),
    "elsewhere, so nothing can be cut out": (
        RuleId.AREA,
        article(areas=(AREA,), obligations=(obligation(ObligationKind.AREA),)),
        replace(SUBJECT, placement=Placement(touches=frozenset())),
        HUR,
        "the strait",
        False,
    ),
    "in a denied area": (
        RuleId.DENIED_AREA,
        article(denied_areas=(AREA,)),
        replace(SUBJECT, placement=Placement(touches=frozenset({AREA.id}))),
        HUR,
        "the strait",
        False,
    ),
    "perhaps in a denied area": (RuleId.DENIED_AREA, article(denied_areas=(AREA,)), SUBJECT, HUR, "the strait", True),
    "observed too early": (RuleId.ACQUIRED, article(acquired=term("2025-06-01")), OBSERVED, HUR, "2025-06-01", False),
    "observed too late": (
        RuleId.ACQUIRED,
        article(acquired=term("2025-01-01", "2025-05-01")),
        OBSERVED,
        HUR,
        "2025-05-01",
        False,
    ),
    "observed nobody knows when": (RuleId.ACQUIRED, article(acquired=term("2025-01-01")), SUBJECT, HUR, "SHARE", True),
    "observed in a period that nobody knows": (
        RuleId.ACQUIRED,
        article(acquired=term("unknown")),
        OBSERVED,
        HUR,
        "SHARE",
        True,
    ),
    "made too early": (RuleId.PRODUCED, article(produced=term("2025-06-01")), OBSERVED, HUR, "2025-06-01", False),
    "made nobody knows when": (RuleId.PRODUCED, article(produced=term("2025-01-01")), SUBJECT, HUR, "SHARE", True),
    "delay not over": (
        RuleId.DELAY,
        article(obligations=(obligation(ObligationKind.DELAY, "1500"),)),
        OBSERVED,
        HUR,
        "1500 hours",
        False,
    ),
    "delay since nobody knows when": (
        RuleId.DELAY,
        article(obligations=(obligation(ObligationKind.DELAY, "1"),)),
        SUBJECT,
        HUR,
        "SHARE",
        True,
    ),
    "resolution unknown": (
        RuleId.RESOLUTION,
        article(obligations=(obligation(ObligationKind.RESOLUTION, "0.5"),)),
        SUBJECT,
        HUR,
        "0.5 m or coarser",
        True,
    ),
    "no agreement": (RuleId.COVERED, register(ISA), SUBJECT, HUR, "JPN", False),
    "another kind": (RuleId.COVERED, article(kinds=("cyber",)), SUBJECT, HUR, "on file lets JPN", True),
    "another giver": (RuleId.COVERED, article(givers=(UKR,)), SUBJECT, HUR, "JPN", False),
    "a declaration lets nothing go": (RuleId.COVERED, share(kind=AgreementKind.DECLARATION), SUBJECT, HUR, "UKR/HUR", False),
    "not yet in force": (RuleId.IN_FORCE, share(term=term("2025-07-02")), SUBJECT, HUR, "2025-07-02", False),
    "ended": (RuleId.IN_FORCE, share(term=term("2025-01-01", "2025-06-01")), SUBJECT, HUR, "2025-06-01", False),
    "begin unknown": (RuleId.IN_FORCE, share(term=term("unknown")), SUBJECT, HUR, "SHARE", True),
    "end unknown": (RuleId.IN_FORCE, share(term=term("2025-01-01", "unknown")), SUBJECT, HUR, "SHARE", True),
    "suspended": (
        RuleId.NOT_SUSPENDED,
        register(SHARE, ISA, suspensions=(suspension("2025-06-30"),)),
        SUBJECT,
        HUR,
        "review",
        False,
    ),
    "suspension's end unknown": (
        RuleId.NOT_SUSPENDED,
        register(SHARE, ISA, suspensions=(suspension("2025-06-30", "unknown"),)),
        SUBJECT,
        HUR,
        "SHARE",
        True,
    ),
    "security agreement suspended": (
        RuleId.NOT_SUSPENDED,
        register(SHARE, ISA, suspensions=(suspension("2025-06-30", agreement="ISA"),)),
        SUBJECT,
        HUR,
        "ISA",
        False,
    ),
    "above the ceiling": (RuleId.CEILING, REGISTER, labelled(classification="機密"), HUR, "機密", False),
    "ceiling unknown": (RuleId.CEILING, article(ceiling=None), SUBJECT, HUR, "SHARE", True),
    "ceiling on no ladder": (RuleId.CEILING, article(ceiling="SECRET"), SUBJECT, HUR, "SECRET", True),
    "ceiling of another policy": (RuleId.CEILING, article(policy="UKR", ceiling="Цілком таємно"), SUBJECT, HUR, "JPN 秘", False),
    "no security agreement": (RuleId.INFORMATION_SECURITY, register(SHARE), SUBJECT, HUR, "JPN 秘", False),
    "security agreement with another": (RuleId.INFORMATION_SECURITY, isa(parties=(JPN, FRA)), SUBJECT, HUR, "UKR", False),
    "security agreement of organisations": (RuleId.INFORMATION_SECURITY, isa(parties=(IQPS, HUR)), SUBJECT, HUR, "UKR", False),
    "security agreement not in force": (RuleId.IN_FORCE, isa(term=term("2025-07-02")), SUBJECT, HUR, "ISA", False),
    "equivalence missing": (RuleId.EQUIVALENCE, isa(equivalences=()), SUBJECT, HUR, "JPN 秘", True),
    "equivalence of another marking": (RuleId.EQUIVALENCE, REGISTER, labelled(classification="極秘"), HUR, "極秘", True),
    "equivalence in the other direction": (
        RuleId.EQUIVALENCE,
        isa(equivalences=(Equivalence("UKR", "Таємно", "JPN", "秘", "4", "text", verified=True),)),
        SUBJECT,
        HUR,
        "ISA",
        True,
    ),
    "equivalence for another nation": (
        RuleId.EQUIVALENCE,
        isa(equivalences=(replace(PAIR, to_policy="FRA"),)),
        SUBJECT,
        HUR,
        "ISA",
        True,
    ),
    "label to come": (RuleId.LABEL_CURRENT, REGISTER, labelled(created=bound("2025-07-02").exact), HUR, "2025-07-02", False),
    "parent's label to come": (
        RuleId.LINEAGE,
        REGISTER,
        derived(replace(LABEL, created=bound("2025-07-02").exact)),
        HUR,
        "parent",
        False,
    ),
    "equivalent on no rung": (RuleId.EQUIVALENCE, pairs(replace(PAIR, to_marking="SECRET")), SUBJECT, HUR, "SECRET", True),
    "equivalent unclassified": (
        RuleId.EQUIVALENCE,
        pairs(replace(PAIR, to_marking="UNCLASSIFIED")),
        SUBJECT,
        HUR,
        "UNCLASSIFIED",
        True,
    ),
    "equivalent on an unverified rung": (
        RuleId.EQUIVALENCE,
        pairs(replace(PAIR, to_marking="ДСК")),
        SUBJECT,
        HUR,
        "ДСК",
        True,
    ),
    "two equivalents of one marking": (
        RuleId.EQUIVALENCE,
        pairs(PAIR, replace(PAIR, to_marking="Цілком таємно")),
        SUBJECT,
        HUR,
        "several equivalents of JPN 秘",
        True,
    ),
    "a higher marking below a lower one": (
        RuleId.EQUIVALENCE,
        pairs(replace(PAIR, to_marking="Цілком таємно"), replace(PAIR, marking="極秘")),
        SUBJECT,
        HUR,
        "a higher marking below a lower one",
        True,
    ),
    "equivalence unverified, its ladder accepted": (
        RuleId.EQUIVALENCE,
        replace(pairs(replace(PAIR, verified=False)), accepted_ladders=frozenset({"UKR"})),
        SUBJECT,
        HUR,
        "ISA",
        True,
    ),
    "equivalence unverified": (RuleId.EQUIVALENCE, isa(equivalences=(replace(PAIR, verified=False),)), SUBJECT, HUR, "ISA", True),
    "obligation that cannot be applied": (
        RuleId.OBLIGATIONS,
        article(obligations=(obligation(ObligationKind.AREA),)),
        SUBJECT,
        HUR,
        "area",
        True,
    ),
    "obligation that cannot be read": (
        RuleId.OBLIGATIONS,
        article(obligations=(obligation(ObligationKind.RESOLUTION, "coarse"),)),
        OBSERVED,
        HUR,
        "resolution",
        True,
    ),
}


@pytest.mark.parametrize(("rule", "facts", "subject", "partner", "named", "unknown"), REFUSED.values(), ids=REFUSED)
def test_one_change_refuses_and_the_reason_names_it(rule, facts, subject, partner, named, unknown):
    decision = ask(facts, subject, partner)
    assert decision.outcome is Outcome.DENY
    assert not decision.obligations
    (reason,) = [r for r in decision.reasons if r.rule == rule and named in r.message.render()]
    assert (rule in {fault.rule for fault in decision.faults}) is unknown
    assert all(fault.message in [r.message for r in decision.reasons] for fault in decision.faults)
    assert reason.message.render().endswith(".") or reason.agreement


def test_each_rule_of_the_table_refuses_in_a_case_here():
    # A purpose is part of the question, and disjoint labels are put before a person: they have tests of their own.
    elsewhere = {RuleId.PURPOSE, RuleId.DOMINANT}
    assert {rule.id for rule in RULES} == {case[0] for case in REFUSED.values()} | elsewhere
    assert set(RuleId) - {rule.id for rule in RULES} == {RuleId.GRANT}


@pytest.mark.parametrize(("rule", "facts", "subject", "partner", "named", "unknown"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_can_be_written_and_read(rule, facts, subject, partner, named, unknown):
    form = decision_to_json(ask(facts, subject, partner))
    assert form["outcome"] == "deny"
    assert rule in {reason["rule"] for reason in form["reasons"]}


# What does not stand in the way, next to what does.
PERMITTED = {
    "released to it": (REGISTER, labelled(releasable_to=(NZL, HUR))),
    "informative category": (REGISTER, category(CategoryType.INFORMATIVE)),
    "own parent that may go": (REGISTER, derived(LABEL)),
    "own unclassified parent": (REGISTER, derived(OPEN)),
    "at the ceiling": (article(ceiling="秘"), SUBJECT),
    "unclassified needs no security agreement": (register(SHARE), replace(SUBJECT, label=OPEN)),
    "unclassified of another policy": (register(SHARE), labelled(policy="UKR", classification="UNCLASSIFIED")),
    "unclassified under the lowest ceiling": (article(ceiling="UNCLASSIFIED"), replace(SUBJECT, label=OPEN)),
    "begins now": (share(term=term("2025-07-01T12:00:00Z")), SUBJECT),
    "about to end": (share(term=term("2025-01-01", "2025-07-01T12:00:00.000001Z")), SUBJECT),
    "suspension over": (register(SHARE, ISA, suspensions=(suspension("2025-06-01", "2025-07-01T12:00:00Z"),)), SUBJECT),
    "suspension to come": (register(SHARE, ISA, suspensions=(suspension("2025-07-02"),)), SUBJECT),
    "another agreement is suspended": (register(SHARE, ISA, suspensions=(suspension("2025-06-01", agreement="X"),)), SUBJECT),
    "equivalent on a rung accepted by name": (
        replace(pairs(replace(PAIR, to_marking="ДСК")), accepted_ladders=frozenset({"UKR"})),
        SUBJECT,
    ),
    "an unverified equivalence beside it": (pairs(replace(PAIR, to_marking="Цілком таємно", verified=False), PAIR), SUBJECT),
    "the same equivalence twice": (pairs(PAIR, replace(PAIR, article="5")), SUBJECT),
    "two markings of one equivalent": (pairs(PAIR, replace(PAIR, marking="極秘")), SUBJECT),
    "labelled now": (REGISTER, labelled(created=NOW)),
    "review to come": (REGISTER, labelled(review=bound("2025-07-02").exact)),
    "a second security agreement holds": (register(SHARE, replace(ISA, id="A", equivalences=()), ISA), SUBJECT),
}


@pytest.mark.parametrize(("facts", "subject"), PERMITTED.values(), ids=PERMITTED)
def test_what_stands_in_nobodys_way_permits(facts, subject):
    assert ask(facts, subject).outcome is Outcome.PERMIT


# ---- parties never stand for each other


@pytest.mark.parametrize(
    ("givers", "receivers", "holder", "partner"),
    [
        ((JPN,), (UKR,), JPN, HUR),
        ((JPN,), (HUR,), JPN, UKR),
        ((JPN,), (UKR,), IQPS, UKR),
        ((IQPS,), (UKR,), JPN, UKR),
        ((IQPS,), (HUR,), IQPS, UKR),
        ((IQPS,), (HUR,), JPN, HUR),
    ],
)
def test_a_nation_and_its_organisations_never_stand_for_each_other(givers, receivers, holder, partner):
    facts = article(givers=givers, receivers=receivers)
    subject = Subject("p", "imagery", holder, holder, replace(OPEN, originator=holder))
    decision = ask(facts, subject, partner)
    assert decision.outcome is Outcome.DENY
    assert [r.rule for r in decision.reasons] == [RuleId.COVERED]


def test_the_security_agreement_of_two_nations_says_nothing_between_organisations_of_one():
    home = Article("1", "home", (IQPS,), ("JPN/X",), ("imagery",), "UKR", "Цілком таємно")  # type: ignore[arg-type]
    back = Equivalence("UKR", "Таємно", "JPN", "秘", "4", "text", verified=True)
    facts = register(replace(SHARE, articles=(home,)), replace(ISA, equivalences=(back,)))
    subject = Subject("p", "imagery", IQPS, IQPS, Label("UKR", "Таємно", IQPS, DAWN))
    decision = ask(facts, subject, "JPN/X")
    assert RuleId.INFORMATION_SECURITY in {r.rule for r in decision.reasons}
    assert decision.outcome is Outcome.DENY


# ---- third parties


RECEIVED = Subject("p", "imagery", HUR, JPN, Label("JPN", "UNCLASSIFIED", HUR, DAWN))
ONWARD = article(receivers=(FRA,))


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, Outcome.PERMIT),
        ({"receiver": NZL}, Outcome.DENY),
        ({"product": "q"}, Outcome.DENY),
        ({"originator": UKR}, Outcome.DENY),
        ({"term": term("2025-01-01", "2025-06-01")}, Outcome.DENY),
        ({"term": term("unknown")}, Outcome.DENY),
        ({"term": term(("2025-06-01", "2025-08-01"))}, Outcome.REFER),
        ({"recorded_at": bound("2025-07-02").exact}, Outcome.DENY),
    ],
)
def test_anothers_product_goes_on_only_with_its_consent_for_this_product_receiver_and_time(changes, outcome):
    decision = ask(replace(ONWARD, consents=(consent(**changes),)), RECEIVED, "FRA")
    assert decision.outcome is outcome
    if outcome is not Outcome.PERMIT:
        assert [r.rule for r in decision.reasons] == [RuleId.ORIGINATOR_CONSENT]


def test_the_consent_of_the_originator_is_not_that_of_the_party_that_labelled():
    subject = replace(RECEIVED, label=replace(RECEIVED.label, originator=NZL))
    one = replace(ONWARD, consents=(consent(),))
    assert ask(one, subject, "FRA").outcome is Outcome.DENY
    assert ask(replace(one, consents=(consent(), consent(originator=NZL))), subject, "FRA").outcome is Outcome.PERMIT


# ---- obligations


@pytest.mark.parametrize("kind", ObligationKind)
def test_an_obligation_is_passed_on_or_else_nothing_goes(kind):
    known = replace(SUBJECT, resolution_m=0.46, placement=Placement(touches=frozenset({AREA.id})))
    decision = ask(article(obligations=(obligation(kind, "1"),), areas=(AREA,) if kind is ObligationKind.AREA else ()), known)
    if kind in APPLICABLE:
        assert decision.outcome is Outcome.PERMIT
        assert kind in {o.kind for o in decision.obligations}
    else:
        assert decision.outcome is Outcome.DENY
        assert {f.rule for f in decision.faults} & {RuleId.OBLIGATIONS, RuleId.DELAY}


def unable(kind, facts, subject):
    """Decision of a node that cannot apply one kind of obligation."""
    return decide_in(View(facts.as_known(NOW), APPLICABLE - {kind}), subject, HUR, NOW)


def test_a_node_that_cannot_make_it_coarser_or_cut_it_keeps_it():
    facts = article(obligations=(obligation(ObligationKind.RESOLUTION, "0.5"),))
    refused = unable(ObligationKind.RESOLUTION, facts, OBSERVED)
    assert [r.rule for r in refused.reasons] == [RuleId.RESOLUTION]
    assert "0.46 m" in refused.reasons[0].message.render()
    facts = article(areas=(AREA,), obligations=(obligation(ObligationKind.AREA),))
    part = replace(SUBJECT, placement=Placement(touches=frozenset({AREA.id})))
    assert [r.rule for r in unable(ObligationKind.AREA, facts, part).reasons] == [RuleId.AREA]


def test_a_delay_is_over_when_it_is_over():
    facts = article(obligations=(obligation(ObligationKind.DELAY, "1418"),))
    # 1,418 hours after 10:00:05 on 3 May is 12:00:05 on 1 July.
    assert ask(facts, OBSERVED, at="2025-07-01T12:00:04Z").outcome is Outcome.DENY
    later = ask(facts, OBSERVED, at="2025-07-01T12:00:05Z")
    assert later.outcome is Outcome.PERMIT
    assert ObligationKind.DELAY not in {o.kind for o in later.obligations}


def test_what_is_coarse_already_need_not_be_made_coarser():
    facts = article(obligations=(obligation(ObligationKind.RESOLUTION, "0.46"),))
    decision = ask(facts, OBSERVED)
    assert decision.outcome is Outcome.PERMIT
    assert ObligationKind.RESOLUTION not in {o.kind for o in decision.obligations}


def test_what_lies_inside_an_area_goes_whole():
    facts = article(areas=(AREA,), obligations=(obligation(ObligationKind.AREA),))
    there = replace(SUBJECT, placement=Placement(frozenset({AREA.id}), frozenset({AREA.id})))
    decision = ask(facts, there)
    assert decision.outcome is Outcome.PERMIT
    assert ObligationKind.AREA not in {o.kind for o in decision.obligations}
    # Of what only touches it the rest is cut away.
    part = ask(facts, replace(there, placement=Placement(touches=frozenset({AREA.id}))))
    assert part.outcome is Outcome.PERMIT
    assert ObligationKind.AREA in {o.kind for o in part.obligations}


def test_an_article_grants_what_the_categories_ask_for():
    both = labelled(
        categories=(
            Category("SAP", CategoryType.RESTRICTIVE, ("X", "Z")),
            Category("Crew", CategoryType.PERMISSIVE, ("RED", "BLUE")),
            Category("Note", CategoryType.INFORMATIVE, ("anything",)),
        )
    )
    enough = (Grant("SAP", ("X", "Y", "Z")), Grant("Crew", ("BLUE",)))
    assert ask(article(categories=enough), both).outcome is Outcome.PERMIT
    assert ask(article(categories=(Grant("SAP", ("X",)), enough[1])), both).outcome is Outcome.DENY
    assert ask(article(categories=(enough[0], Grant("Crew", ("GREEN",)))), both).outcome is Outcome.DENY
    assert ask(article(categories=enough[:1]), both).outcome is Outcome.DENY


def test_a_category_that_was_never_heard_of_before_is_asked_of_articles_that_were():
    facts = article(categories=(Grant("SAP", ("X",)),))
    assert ask(facts).outcome is Outcome.PERMIT
    assert ask(facts, category(CategoryType.RESTRICTIVE)).outcome is Outcome.PERMIT


def test_the_purposes_of_an_article_go_with_the_product_and_no_other_is_accepted():
    facts = article(purposes=("search and rescue", "flood relief"))
    decision = ask(facts)
    assert decision.outcome is Outcome.PERMIT
    assert ("purpose", "search and rescue; flood relief") in {(o.kind.value, o.value) for o in decision.obligations}
    assert ask(facts, purpose="flood relief").outcome is Outcome.PERMIT
    refused = ask(facts, purpose="targeting")
    assert refused.outcome is Outcome.DENY
    assert [r.rule for r in refused.reasons] == [RuleId.PURPOSE]
    assert "targeting" in refused.reasons[0].message.render()


def test_labels_that_leave_nobody_to_whom_all_agree_are_put_before_a_person():
    there = labelled(releasable_to=(HUR,))
    parent = Ancestor("parent", JPN, replace(LABEL, releasable_to=(FRA,)))
    decision = ask(subject=replace(there, ancestors=(parent,)))
    assert decision.outcome is Outcome.REFER
    assert [r.rule for r in decision.reasons] == [RuleId.DOMINANT]
    # Where somebody is left, it is for that party only; and who is released to nobody is nobody's.
    somebody = replace(parent, label=replace(LABEL, releasable_to=(FRA, NZL)))
    wide = labelled(releasable_to=(HUR, FRA))
    assert ask(subject=replace(wide, ancestors=(somebody,))).outcome is Outcome.DENY
    assert (
        ask(subject=replace(there, ancestors=(replace(parent, label=replace(LABEL, releasable_to=())),))).outcome is Outcome.DENY
    )


def test_parents_that_are_classified_under_several_policies_are_above_every_ceiling():
    two = replace(
        SUBJECT,
        ancestors=(Ancestor("one", JPN, LABEL), Ancestor("two", JPN, replace(LABEL, policy="UKR", classification="Таємно"))),
    )
    decision = ask(subject=two)
    assert decision.outcome is Outcome.DENY
    assert any("several policies (JPN, UKR)" in r.message.render() for r in decision.reasons)


def test_a_corrected_label_counts_from_when_the_correction_was_known():
    corrected = Relabelling("p", replace(LABEL, releasable_to=(NZL,)), bound("2025-06-15").exact)
    facts = replace(REGISTER, relabellings=(corrected,))
    assert ask(facts).outcome is Outcome.DENY
    assert ask(facts, known="2025-06-14").outcome is Outcome.PERMIT
    assert ask(facts, replace(SUBJECT, product="other")).outcome is Outcome.PERMIT
    assert ask(facts, replace(SUBJECT, product="other", ancestors=(Ancestor("p", JPN, LABEL),))).outcome is Outcome.DENY


def test_a_pair_of_markings_holds_over_its_own_dates_too():
    until, since = (
        replace(PAIR, valid=term("2025-01-01", "2025-07-01")),
        replace(PAIR, to_marking="Цілком таємно", valid=term("2025-07-01")),
    )
    facts = pairs(until, since)
    marks = {at: [o.value for o in ask(facts, at=at).obligations] for at in ("2025-06-30", "2025-07-01")}
    assert marks == {"2025-06-30": ["UKR Таємно"], "2025-07-01": ["UKR Цілком таємно"]}


def test_what_is_derived_carries_at_least_the_dominant_label():
    unclassified = replace(SUBJECT, label=OPEN, ancestors=(Ancestor("parent", JPN, LABEL), Ancestor("other", JPN, OPEN)))
    decision = ask(subject=unclassified)
    assert decision.outcome is Outcome.PERMIT
    assert [(o.kind.value, o.value) for o in decision.obligations] == [("re-mark", "UKR Таємно")]
    higher = replace(PAIR, marking="極秘", to_marking="Цілком таємно")
    above = replace(SUBJECT, ancestors=(Ancestor("parent", JPN, replace(LABEL, classification="極秘")),))
    assert [o.value for o in ask(pairs(PAIR, higher), above).obligations] == ["UKR Цілком таємно"]


def test_a_parents_originator_may_agree_to_its_going_on():
    parent = Ancestor("theirs", FRA, replace(OPEN, originator=FRA))
    derived_ = replace(SUBJECT, ancestors=(parent,))
    agreed = consent(originator=FRA, product="theirs", receiver=HUR)
    assert ask(subject=derived_).outcome is Outcome.DENY
    assert ask(replace(REGISTER, consents=(agreed,)), derived_).outcome is Outcome.PERMIT
    assert ask(replace(REGISTER, consents=(replace(agreed, receiver=UKR),)), derived_).outcome is Outcome.DENY


def test_nothing_is_stripped_of_what_has_no_phase():
    facts = article(obligations=(obligation(ObligationKind.DETECTED_ONLY), obligation(ObligationKind.NO_ONWARD)))
    kinds = {o.kind for o in ask(facts, replace(SUBJECT, complex_data=False)).obligations}
    assert kinds == {ObligationKind.NO_ONWARD, ObligationKind.REMARK}
    assert ask(facts).reduced
    assert not ask(facts, replace(SUBJECT, complex_data=False)).reduced


def test_of_several_articles_the_one_with_the_fewest_obligations_lets_it_go():
    caveat = obligation(ObligationKind.CAVEAT, "own use")
    facts = register(
        replace(SHARE, id="A", articles=(replace(ARTICLE, obligations=(caveat, obligation(ObligationKind.NO_ONWARD))),)),
        replace(SHARE, id="B", articles=(replace(ARTICLE, obligations=(caveat,)),)),
        replace(SHARE, id="C", articles=(replace(ARTICLE, ceiling="UNCLASSIFIED"),)),
        ISA,
    )
    decision = ask(facts)
    assert decision.outcome is Outcome.PERMIT
    assert decision.reasons[0].agreement == "B"


# ---- refer, and what is said


def test_inside_an_approximate_date_a_person_decides():
    about = share(term=term(("2025-06-01", "2025-08-01")))
    decision = ask(about)
    assert decision.outcome is Outcome.REFER
    assert not decision.obligations
    assert [r.rule for r in decision.reasons] == [RuleId.IN_FORCE]
    assert ask(about, at="2025-05-31").outcome is Outcome.DENY
    assert ask(about, at="2025-08-01").outcome is Outcome.PERMIT


def test_a_person_is_asked_only_where_nothing_else_stands_in_the_way():
    about = share(term=term(("2025-06-01", "2025-08-01")))
    assert ask(about, labelled(releasable_to=())).outcome is Outcome.DENY
    assert ask(about, labelled(classification="機密")).outcome is Outcome.DENY


@pytest.mark.parametrize("names", [("A", "B"), ("B", "A")])
def test_whether_a_person_is_asked_does_not_hang_on_the_agreements_names(names):
    refused, referred = names
    facts = register(
        replace(SHARE, id=refused, term=term("2025-07-02")),
        replace(SHARE, id=referred, term=term(("2025-06-01", "2025-08-01"))),
        ISA,
    )
    assert ask(facts).outcome is Outcome.REFER


def test_a_refusal_says_what_would_change_it_once_each():
    decision = ask(register(replace(SHARE, term=term("2025-07-02"))), labelled(releasable_to=()))
    changes = [change.message.render() for change in decision.changes]
    assert changes == [
        "UKR/HUR named in Releasable To by JPN",
        "an information-security agreement between JPN and UKR with an equivalent of JPN 秘",
        "in force from 2025-07-02 (SHARE)",
    ]
    assert len(set(changes)) == len(changes)


def test_a_fictional_supplement_is_named_as_such_in_its_reasons():
    decision = ask(register(replace(SHARE, fictional=True), ISA))
    assert [r.fictional for r in decision.reasons] == [True, False]


def test_a_term_that_is_over_is_over_whenever_it_began():
    held = Term(bound("unknown"), bound("2025-06-01"))
    assert held.state(NOW) is State.AFTER
    assert held.state(bound("2025-05-31").exact) is State.UNKNOWN


@pytest.mark.parametrize(
    ("subject", "rule"),
    [
        (labelled(review=NOW), RuleId.LABEL_CURRENT),
        (derived(replace(LABEL, review=NOW)), RuleId.LINEAGE),
    ],
)
def test_a_label_that_was_to_be_reviewed_is_put_before_a_person(subject, rule):
    decision = ask(subject=subject)
    assert decision.outcome is Outcome.REFER
    assert [r.rule for r in decision.reasons] == [rule]
    assert ask(subject=subject, at="2025-06-30").outcome is Outcome.PERMIT
    assert ask(register(ISA), subject).outcome is Outcome.DENY


def test_the_reason_of_a_suspension_is_said_in_one_line():
    held = suspension("2025-06-30", reason="review\nof \u202ethe rule")
    (reason,) = ask(register(SHARE, ISA, suspensions=(held,))).reasons
    assert reason.message.render().endswith(": review of the rule")


def test_the_first_decision_on_a_parents_category_is_the_second_one_too():
    granting = article(categories=(Grant("SAP", ("X",)),))
    child = derived(replace(LABEL, categories=(Category("SAP", CategoryType.RESTRICTIVE, ("X",)),)))
    assert [ask(granting, child).outcome for _ in range(2)] == [Outcome.PERMIT, Outcome.PERMIT]


@pytest.mark.parametrize("delay", ["some", "1e300", "900000"])
def test_a_delay_that_nobody_can_compute_denies_and_says_so(delay):
    late = replace(OBSERVED, event=Interval(MAY.begin, parse_instant("9999-12-31")))
    for subject in (OBSERVED, late):
        decision = ask(article(obligations=(obligation(ObligationKind.DELAY, delay),)), subject)
        assert decision.outcome is Outcome.DENY
        assert decision.reasons


@pytest.mark.parametrize("resolution", [float("inf"), float("nan"), 1e300])
def test_a_resolution_that_is_no_length_is_unknown(resolution):
    coarse = replace(OBSERVED, resolution_m=resolution)
    asked = article(obligations=(obligation(ObligationKind.RESOLUTION, "1"),))
    outcome = Outcome.PERMIT if resolution == 1e300 else Outcome.DENY
    assert ask(asked, coarse).outcome is outcome
