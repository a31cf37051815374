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
