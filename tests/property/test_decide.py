"""What holds of every decision, whatever the facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from simulators.rules import FRA, HUR, IQPS, JPN, LADDERS, NOW, NZL, UKR

from kizuna.model.instants import Instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.release.agreements import (
    Agreement,
    AgreementKind,
    Article,
    Bound,
    Consent,
    Equivalence,
    Resumption,
    State,
    Suspension,
    Term,
)
from kizuna.release.decide import APPLICABLE, Ancestor, Subject, decide, suspended_grants
from kizuna.release.decision import Obligation, ObligationKind, Outcome
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.register import Register

if TYPE_CHECKING:
    import random

# A dozen properties over one world: together they try some hundreds of questions.
FEW = settings(max_examples=40, deadline=None)

# A small world, so that facts meet: few parties, few days, few markings; and most facts such that something is permitted.
DAY = timedelta(days=1)
INSTANTS = st.integers(-6, 6).map(lambda days: Instant(NOW + days * DAY))
EARLY = st.integers(-12, -4).map(lambda days: Instant(NOW + days * DAY))
PARTIES = st.sampled_from([JPN, IQPS, UKR, HUR, FRA])
MARKINGS = {"JPN": ["秘", "極秘", "機密"], "UKR": ["ДСК", "Таємно"], "NOR": ["HEMMELIG"]}


@st.composite
def bounds(draw, instants=INSTANTS):
    if draw(st.integers(0, 9)) == 0:
        return Bound(None, None, "unknown")
    earliest = draw(instants)
    latest = Instant(earliest + DAY * draw(st.sampled_from([0, 0, 0, 2])))
    return Bound(earliest, latest, "about")


@st.composite
def terms(draw, begins=INSTANTS):
    begin = draw(bounds(begins))
    end = draw(st.none() | bounds())
    if end is not None and begin.earliest is not None and end.latest is not None:
        assume(end.latest > begin.earliest)
    return Term(begin, end)


@st.composite
def labels(draw):
    policy = draw(st.sampled_from(["JPN", "JPN", "JPN", "UKR", "NOR"]))
    return Label(
        policy,
        draw(st.sampled_from([UNCLASSIFIED, MARKINGS[policy][0], *MARKINGS[policy]])),
        draw(st.sampled_from([JPN, JPN, JPN, HUR])),
        draw(st.sampled_from([Instant(NOW - 9 * DAY), Instant(NOW - 9 * DAY), NOW])),
        draw(st.sampled_from([None, None, (HUR, UKR), ()])),
        draw(st.sampled_from([(), (), (Category("SAP", CategoryType.RESTRICTIVE, ("X",)),)])),
        review=draw(st.sampled_from([None, None, Instant(NOW + 2 * DAY)])),
    )


OBLIGATIONS = st.builds(
    Obligation, st.sampled_from([*sorted(APPLICABLE), *ObligationKind]), st.just("1"), st.just("A"), st.just("1")
)
ARTICLES = st.builds(
    Article,
    st.sampled_from(["1", "2"]),
    st.just("title"),
    st.lists(st.sampled_from([JPN, JPN, IQPS]), min_size=1, max_size=2).map(tuple),
    st.lists(st.sampled_from([HUR, HUR, UKR]), min_size=1, max_size=2).map(tuple),
    st.just(("imagery",)),
    st.sampled_from(["JPN", "JPN", "UKR"]),
    st.sampled_from([*MARKINGS["JPN"], UNCLASSIFIED, None, "SECRET"]),
    st.lists(OBLIGATIONS, max_size=2).map(tuple),
)
PAIRS = st.builds(
    Equivalence,
    st.just("JPN"),
    st.sampled_from(MARKINGS["JPN"]),
    st.just("UKR"),
    st.sampled_from(["Таємно", "Таємно", "Таємно", "Цілком таємно", "SECRET"]),
    st.just("4"),
    st.just("text"),
    st.sampled_from([True, True, False]),
)
AGREEMENTS = st.builds(
    Agreement,
    st.sampled_from(["A", "B", "ISA"]),
    st.integers(1, 2),
    st.just("title"),
    st.sampled_from([AgreementKind.SHARING, AgreementKind.INFORMATION_SECURITY, AgreementKind.DECLARATION]),
    st.just((JPN, UKR)),
    terms(EARLY),
    EARLY,
    st.lists(ARTICLES, max_size=2).map(tuple),
    st.lists(PAIRS, max_size=3).map(tuple),
    st.booleans(),
)
IDS = st.sampled_from(["A", "B", "ISA"])
SUSPENSIONS = st.builds(Suspension, IDS, terms(), INSTANTS, st.just("review"))
RESUMPTIONS = st.builds(Resumption, IDS, INSTANTS, INSTANTS)
CONSENTS = st.builds(Consent, PARTIES, st.just("p"), st.just(HUR), terms(EARLY), EARLY)
REGISTERS = st.builds(
    Register,
    agreements=st.lists(AGREEMENTS, min_size=1, max_size=4).map(tuple),
    suspensions=st.lists(SUSPENSIONS, max_size=2).map(tuple),
    resumptions=st.lists(RESUMPTIONS, max_size=2).map(tuple),
    consents=st.lists(CONSENTS, max_size=2).map(tuple),
    ladders=st.just(LADDERS),
    accepted_ladders=st.sampled_from([frozenset(), frozenset({"UKR"})]),
)
ANCESTORS = st.builds(Ancestor, st.just("parent"), st.sampled_from([JPN, HUR, None]), st.none() | labels())
SUBJECTS = st.builds(
    Subject,
    st.just("p"),
    st.just("imagery"),
    st.sampled_from([JPN, JPN, JPN, HUR]),
    st.sampled_from([JPN, JPN, JPN, IQPS]),
    labels(),
    st.lists(ANCESTORS, max_size=1).map(tuple),
    st.booleans(),
)
PARTNERS = st.sampled_from([HUR, HUR, HUR, UKR, NZL])
QUESTIONS = st.tuples(REGISTERS, SUBJECTS, PARTNERS, INSTANTS, INSTANTS)


def permitting():
    """Questions that start from something that is permitted, with the facts around it drawn."""
    share = Agreement(
        "A",
        9,
        "title",
        AgreementKind.SHARING,
        (JPN, UKR),
        Term(Bound(NOW - 9 * DAY, NOW - 9 * DAY, "")),  # type: ignore[arg-type]
        NOW - 9 * DAY,  # type: ignore[arg-type]
        (Article("1", "t", (JPN,), (HUR,), ("imagery",), "JPN", "機密"),),
    )
    pairs = tuple(Equivalence("JPN", marking, "UKR", "Таємно", "4", "text", verified=True) for marking in MARKINGS["JPN"])
    isa = replace(share, id="ISA", kind=AgreementKind.INFORMATION_SECURITY, articles=(), equivalences=pairs)
    subject = Subject("p", "imagery", JPN, JPN, Label("JPN", "秘", JPN, NOW))
    return st.tuples(
        REGISTERS.map(lambda r: replace(r, agreements=(*r.agreements, share, isa), suspensions=(), resumptions=())),
        st.just(subject),
        st.just(HUR),
        st.integers(0, 6).map(lambda days: Instant(NOW + days * DAY)),
        st.integers(0, 6).map(lambda days: Instant(NOW + days * DAY)),
    )


MIXED = st.one_of(QUESTIONS, permitting())


@FEW
@given(permitting())
def test_what_starts_permitted_is_permitted(question):
    # Else the properties below would hold of nothing.
    assert decide(*question).outcome is Outcome.PERMIT


def grants(question):
    """Agreements that a permit leans on, with what is known then."""
    register, _, _, _, known_at = question
    known = register.as_known(known_at)
    by_id = {agreement.id: agreement for agreement in known.agreements}
    return known, [by_id[reason.agreement] for reason in decide(*question).reasons]


@FEW
@given(MIXED)
def test_nothing_goes_under_an_agreement_that_is_not_in_force_or_is_suspended(question):
    decision = decide(*question)
    assume(decision.outcome is Outcome.PERMIT)
    at = question[3]
    known, leaned_on = grants(question)
    for agreement in leaned_on:
        assert agreement.kind is not AgreementKind.DECLARATION
        assert agreement.term.state(at) is State.WITHIN
        states = {term.state(at) for _, term in known.suspension_terms(agreement.id)}
        assert states <= {State.BEFORE, State.AFTER}


@FEW
@given(permitting(), st.data())
def test_what_is_suspended_without_end_is_never_permitted(question, data):
    register, subject, partner, valid_at, known_at = question
    for agreement in {a.id for a in register.agreements}:
        begin = data.draw(st.integers(0, 9)) * DAY
        when = Instant(min(valid_at, known_at) - begin)
        held = Suspension(agreement, Term(Bound(when, when, "")), when, "review")
        register = replace(register, suspensions=(*register.suspensions, held))
    # A resumption that is recorded no later than the suspension ends none.
    early = [r for r in register.resumptions if all(r.recorded_at <= s.recorded_at for s in register.suspensions)]
    register = replace(register, resumptions=tuple(early))
    assert decide(register, subject, partner, valid_at, known_at).outcome is not Outcome.PERMIT


@FEW
@given(MIXED)
def test_nothing_unknown_is_permitted_and_a_fault_denies(question):
    register, subject, partner, *_ = question
    decision = decide(*question)
    if decision.outcome is Outcome.PERMIT:
        assert not decision.faults
        assert not decision.changes
        assert register.ladder_rank(subject.label.policy, subject.label.classification) is not None
        assert partner != NZL
        assert {o.kind for o in decision.obligations} <= APPLICABLE
        assert subject.label.releasable_to is None or partner in subject.label.releasable_to
        assert not subject.label.categories
        assert all(a.label is not None and a.originator is not None for a in subject.ancestors)
        for label in (subject.label, *(a.label for a in subject.ancestors)):
            assert label.created <= question[3]
            assert label.review is None or question[3] < label.review
        for reason in decision.reasons[1:]:
            marks = [o.value for o in decision.obligations if o.agreement == reason.agreement and o.value.startswith("UKR ")]
            assert all(register.ladder_rank("UKR", mark.removeprefix("UKR ")) for mark in marks)
    if decision.faults:
        assert decision.outcome is Outcome.DENY
    assert decision.reasons


@FEW
@given(permitting(), st.data())
def test_making_one_thing_unknown_never_permits(question, data):
    register, subject, partner, valid_at, known_at = question
    what = data.draw(st.sampled_from(["term", "ceiling", "equivalences", "policy", "marking", "parent"]))
    unknown = Bound(None, None, "unknown")

    def forget(agreement):
        match what:
            case "term":
                return replace(agreement, term=Term(unknown))
            case "ceiling":
                return replace(agreement, articles=tuple(replace(a, ceiling=None) for a in agreement.articles))
            case "equivalences":
                return replace(agreement, equivalences=())
        return agreement

    register = replace(register, agreements=tuple(map(forget, register.agreements)))
    match what:
        case "policy":
            subject = replace(subject, label=replace(subject.label, policy="NOR"))
        case "marking":
            subject = replace(subject, label=replace(subject.label, classification="?"))
        case "parent":
            subject = replace(subject, ancestors=(Ancestor("parent", None, None),))
    decision = decide(register, subject, partner, valid_at, known_at)
    assert decision.outcome is Outcome.DENY
    assert decision.faults


@FEW
@given(MIXED, st.sampled_from([UNCLASSIFIED, "秘", "極秘"]))
def test_lowering_a_ceiling_never_adds_a_permit(question, lower):
    register, subject, partner, valid_at, known_at = question
    order = [UNCLASSIFIED, *MARKINGS["JPN"]]

    def lowered(article):
        if article.policy != "JPN" or article.ceiling not in order or order.index(article.ceiling) <= order.index(lower):
            return article
        return replace(article, ceiling=lower)

    less = replace(register, agreements=tuple(replace(a, articles=tuple(map(lowered, a.articles))) for a in register.agreements))
    if decide(less, subject, partner, valid_at, known_at).outcome is Outcome.PERMIT:
        assert decide(*question).outcome is Outcome.PERMIT


@FEW
@given(MIXED, st.lists(PAIRS, min_size=1, max_size=2))
def test_an_equivalence_that_is_not_verified_changes_nothing(question, pairs):
    register, *rest = question
    loose = tuple(replace(pair, verified=False) for pair in pairs)
    more = tuple(replace(a, equivalences=(*loose, *a.equivalences)) for a in register.agreements)
    assert decide(replace(register, agreements=more), *rest) == decide(*question)


@FEW
@given(MIXED, SUSPENSIONS)
def test_one_suspension_more_never_adds_a_permit(question, suspension):
    register, *rest = question
    more = replace(register, suspensions=(*register.suspensions, suspension))
    if decide(more, *rest).outcome is Outcome.PERMIT:
        assert decide(*question).outcome is Outcome.PERMIT


@FEW
@given(MIXED, ANCESTORS)
def test_one_parent_more_never_adds_a_permit(question, ancestor):
    register, subject, *rest = question
    child = replace(subject, ancestors=(*subject.ancestors, ancestor))
    if decide(register, child, *rest).outcome is Outcome.PERMIT:
        assert decide(*question).outcome is Outcome.PERMIT


@FEW
@given(MIXED, REGISTERS)
def test_a_replayed_decision_is_the_same_whatever_was_recorded_since(question, other):
    register, subject, partner, valid_at, known_at = question
    later = Instant(known_at + timedelta(microseconds=1))

    def since(facts):
        return tuple(replace(fact, recorded_at=max(fact.recorded_at, later)) for fact in facts)

    grown = replace(
        register,
        agreements=(*since(replace(a, version=a.version + 50) for a in other.agreements), *register.agreements),
        suspensions=(*since(other.suspensions), *register.suspensions),
        resumptions=(*since(other.resumptions), *register.resumptions),
        consents=(*since(other.consents), *register.consents),
    )
    assert decide(grown, subject, partner, valid_at, known_at) == decide(*question)


@FEW
@given(MIXED, st.randoms(use_true_random=False))
def test_a_decision_does_not_hang_on_the_order_of_the_agreements(question, shuffler: random.Random):
    register, *rest = question
    # Of two records of one version nobody can say which holds; a node refuses the second one.
    once = {(a.id, a.version): a for a in register.agreements}
    mixed = list(once.values())
    shuffler.shuffle(mixed)
    first = replace(register, agreements=tuple(once.values()))
    assert decide(first, *rest) == decide(replace(register, agreements=tuple(mixed)), *rest) == decide(first, *rest)


@FEW
@given(MIXED)
def test_a_partner_that_is_told_of_a_suspension_would_get_nothing(question):
    register, subject, partner, at, _ = question
    told = suspended_grants(register, subject.holder, partner, at)
    if told:
        assert decide(register, subject, partner, at, at).outcome is not Outcome.PERMIT
        telling = {a.id for a in register.as_known(at).agreements if a.tells_partner}
        assert {reason.agreement for reason in told} <= telling
