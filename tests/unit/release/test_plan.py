"""What is kept of one product is never said of another to which it does not apply, in whichever order they are asked about."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from simulators.rules import (
    ARTICLE,
    DAWN,
    FRA,
    HUR,
    ISA,
    JPN,
    LADDERS,
    NOW,
    SHARE,
    SUBJECT,
    ObligationKind,
    obligation,
    term,
)

from kizuna.model.instants import Interval, parse_instant
from kizuna.model.label import Label
from kizuna.model.regions import Placement, area_of
from kizuna.release.agreements import Consent
from kizuna.release.decide import Ancestor, decide
from kizuna.release.decision import Outcome
from kizuna.release.register import Register

LATER = parse_instant("2026-01-01")
BEFORE = parse_instant("2025-06-01")
FRENCH = Label("JPN", "秘", FRA, DAWN)
AREAS = [area_of(name, ((((x, 0.0), (x + 1.0, 0.0), (x, 1.0), (x, 0.0)),),)) for name, x in (("A", 1.0), ("B", 5.0))]
OBSERVED = Interval(BEFORE, BEFORE)


def made_of(name, originator=JPN, **changes):
    return Ancestor(name, originator, replace(Label("JPN", "秘", originator, DAWN), **changes))


def in_areas(*numbers):
    ids = frozenset(AREAS[number].id for number in numbers)
    return Placement(ids, ids)


PLAIN = replace(SUBJECT, event=OBSERVED, produced=BEFORE, resolution_m=1.0, placement=in_areas())
ALIKE = {
    "whose it is": [PLAIN, replace(PLAIN, product="agreed", originator=FRA), replace(PLAIN, product="not", originator=FRA)],
    "who labelled it": [PLAIN, replace(PLAIN, product="agreed", label=FRENCH), replace(PLAIN, product="not", label=FRENCH)],
    "whose its parent is": [
        replace(PLAIN, product=name, ancestors=(made_of("x", originator),))
        for name, originator in (("p", JPN), ("agreed", FRA), ("not", FRA), ("other", None))
    ],
    "what is known of its parent": [
        replace(PLAIN, ancestors=parents)
        for parents in (
            (),
            (made_of("a"),),
            (Ancestor("b", JPN, None),),
            (made_of("c", created=LATER),),
            (made_of("d", review=BEFORE),),
            (made_of("e", classification="極秘"),),
            (made_of("f", releasable_to=()),),
            (made_of("g"), made_of("h")),
        )
    ],
    "its label": [
        PLAIN,
        *(
            replace(PLAIN, label=replace(PLAIN.label, **changes))
            for changes in (
                {"created": LATER},
                {"review": BEFORE},
                {"review": LATER},
                {"releasable_to": (HUR,)},
                {"releasable_to": (FRA,)},
                {"classification": "極秘"},
                {"classification": "?"},
                {"classification": "UNCLASSIFIED"},
            )
        ),
    ],
    "its form": [PLAIN, replace(PLAIN, complex_data=False), replace(PLAIN, kind="tracks")],
    "where it is": [
        replace(PLAIN, placement=place) for place in (Placement(), in_areas(), in_areas(0), in_areas(1), in_areas(0, 1))
    ],
    "how fine it is": [replace(PLAIN, resolution_m=resolution) for resolution in (None, 0.0, 0.5, 1.0, 10.0)],
    "when it was observed": [
        replace(PLAIN, event=event)
        for event in (None, OBSERVED, Interval(BEFORE, None), Interval(DAWN, DAWN), Interval(NOW, NOW))
    ],
    "when it was made": [replace(PLAIN, produced=produced) for produced in (None, BEFORE, DAWN, NOW)],
}
ARTICLES = {
    "plain": {},
    "detected only": {"obligations": (obligation(ObligationKind.DETECTED_ONLY),)},
    "no finer": {"obligations": (obligation(ObligationKind.RESOLUTION, "1"),)},
    "cut": {"areas": tuple(AREAS), "obligations": (obligation(ObligationKind.AREA),)},
    "within": {"areas": (AREAS[0],)},
    "without": {"denied_areas": tuple(AREAS)},
    "later": {"obligations": (obligation(ObligationKind.DELAY, "24"),)},
    "observed then": {"acquired": term("2025-01-01", "2025-06-15")},
    "made then": {"produced": term("2025-01-01", "2025-06-15")},
}


def facts(changes):
    consents = [Consent(FRA, product, HUR, term(), DAWN) for product in ("agreed",)]
    return Register((replace(SHARE, articles=(replace(ARTICLE, **changes),)), ISA), consents=tuple(consents), ladders=LADDERS)


@pytest.mark.parametrize("article", ARTICLES)
@pytest.mark.parametrize("about", ALIKE)
def test_each_product_gets_its_own_decision(about, article):
    subjects = ALIKE[about]
    own = [decide(facts(ARTICLES[article]), subject, HUR, NOW, NOW) for subject in subjects]
    register = facts(ARTICLES[article])
    for _ in range(2):
        for one, other in permutations(range(len(subjects)), 2):
            assert decide(register, subjects[one], HUR, NOW, NOW) == own[one]
            assert decide(register, subjects[other], HUR, NOW, NOW) == own[other]
    for one, other in permutations(range(len(subjects)), 2):
        register = facts(ARTICLES[article])
        assert decide(register, subjects[one], HUR, NOW, NOW) == own[one]
        assert decide(register, subjects[other], HUR, NOW, NOW) == own[other]


@pytest.mark.parametrize("about", ["whose it is", "who labelled it", "whose its parent is"])
def test_consent_makes_the_difference(about):
    outcomes = [decide(facts({}), subject, HUR, NOW, NOW).outcome for subject in ALIKE[about][:3]]
    assert outcomes == [Outcome.PERMIT, Outcome.PERMIT, Outcome.DENY]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ({"classification": "極秘"}, "It is derived from {}, marked JPN 極秘."),
        ({"releasable_to": (FRA,)}, "It is derived from {}, which its originator JPN releases to FRA only."),
        ({"releasable_to": ()}, "It is derived from {}, which its originator JPN releases to nobody."),
    ],
)
def test_what_is_kept_names_each_product_s_own_parents(label, says):
    register = facts({})
    for names in (("a", "b"), ("c", "d"), ("1", "0"), ("a", "b")):
        subject = replace(PLAIN, ancestors=tuple(made_of(name, **label) for name in names))
        decision = decide(register, subject, HUR, NOW, NOW)
        texts = [reason.message.render() for reason in decision.reasons]
        assert [text for text in texts if text.startswith("It is derived")] == [says.format(name) for name in names]
        changes = " ".join(change.message.render() for change in decision.changes)
        assert "\0" not in " ".join([*texts, changes])
        assert decision == decide(facts({}), subject, HUR, NOW, NOW)


def test_one_parent_named_twice_is_spoken_of_once():
    register = facts({})
    twice, two = (
        replace(PLAIN, ancestors=tuple(made_of(name, releasable_to=()) for name in names)) for names in (("a", "a"), ("a", "b"))
    )
    for subject, count in ((two, 2), (twice, 1), (two, 2)):
        assert len(decide(register, subject, HUR, NOW, NOW).reasons) == count


def test_another_s_parent_is_asked_for_the_consent_of_its_originator():
    register = facts({})
    for originator in (FRA, "ITA", FRA):
        subject = replace(PLAIN, ancestors=(made_of("x", originator),))
        (reason,) = decide(register, subject, HUR, NOW, NOW).reasons
        assert reason.message.render() == f"It is derived from x, and {originator} has not agreed that this goes on to {HUR}."


LIMITS = ["2025-01-01", "2024-12-31T23:59:59.999999Z", "2025-06-15", "2025-06-14T23:59:59.999999Z", "2025-06-15T00:00:00.000001Z"]


@pytest.mark.parametrize("first", LIMITS)
def test_limits_of_periods_are_exact_whatever_was_asked_before(first):
    """A period lies in an article's from its first instant on, and may end with it."""
    events = [Interval(parse_instant(begin), parse_instant(end)) for begin in LIMITS for end in LIMITS if begin <= end]
    register = facts({"acquired": term("2025-01-01", "2025-06-15")})
    for event in sorted(events, key=lambda event: parse_instant(first) not in {event.begin, event.end}):
        decision = decide(register, replace(PLAIN, event=event), HUR, NOW, NOW)
        begin, end = parse_instant("2025-01-01"), parse_instant("2025-06-15")
        inside = begin <= event.begin < end and event.end <= end
        assert (decision.outcome is Outcome.PERMIT) == inside


def test_a_permit_names_the_kind_of_what_goes():
    register = facts({"kinds": ("imagery", "detections")})
    for kind in ("imagery", "detections"):
        (grant, *_) = decide(register, replace(PLAIN, kind=kind), HUR, NOW, NOW).reasons
        assert f"give {kind} to" in grant.message.render()
