"""Whose satellites count, by a register: the same dates, suspensions and areas as for a product that exists."""

from dataclasses import replace

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.model.regions import NOWHERE_KNOWN, Placement, area_of
from kizuna.node.providers import Fleet, Lie, Question, count, supposed
from kizuna.release.agreements import Agreement, AgreementKind, Article, Bound, Suspension, Term
from kizuna.release.decision import Outcome
from kizuna.release.markings import Ladder
from kizuna.release.register import Register

HUR, IQPS, ICEYE, UMBRA = map(parse_party, ("UKR/HUR", "JPN/IQPS", "FIN/ICEYE", "USA/UMBRA"))
BEGIN, END = parse_instant("2026-05-08"), parse_instant("2026-05-15")
BLACK_SEA = area_of("Black Sea", ((((28.0, 41.0), (42.0, 41.0), (42.0, 47.0), (28.0, 47.0), (28.0, 41.0)),),))
FLEET = Fleet(("QPS-SAR-5", "QPS-SAR-7", "ICEYE-X7", "UMBRA-09"), (IQPS, IQPS, ICEYE, UMBRA))
ASKED = Question(HUR, BEGIN, END, END)
EVERYWHERE = Lie.of([Placement(touches=frozenset())])


def at(text):
    instant = parse_instant(text)
    return Bound(instant, instant, text)


def agreement(id_, giver, begin="2025-01-01", end=None, **article):
    made = Article("1", "Imagery", (giver,), (HUR,), ("imagery",), giver[:3], "UNCLASSIFIED", **article)
    term = Term(at(begin) if begin else Bound(None, None, "unknown"), at(end) if end else None)
    recorded = parse_instant("2025-01-01")
    return Agreement(id_, 1, id_, AgreementKind.SHARING, (giver, HUR), term, recorded, (made,))


def register(*agreements, **more):
    ladders = {nation: Ladder(nation, (), "test") for nation in ("JPN", "FIN", "USA")}
    return Register(agreements, ladders=ladders, **more)


def shape(counted):
    return counted.available.cuts_s.tolist(), counted.available.active.astype(int).tolist()


def test_only_who_has_an_agreement_in_force_counts_and_the_others_are_refused_with_a_reason():
    found = count(register(agreement("A", IQPS), agreement("B", ICEYE, begin=None)), FLEET, ASKED, EVERYWHERE)
    assert shape(found) == ([], [[[1, 1, 0, 0]]])
    (unknown,), (without,) = found.standings[ICEYE, 0], found.standings[UMBRA, 0]
    assert unknown.decision.faults[0].rule == "in-force"
    assert without.decision.outcome is Outcome.DENY
    assert without.decision.reasons[0].rule == "covered"


def test_a_receivers_own_satellites_count_without_an_agreement():
    found = count(register(), FLEET, replace(ASKED, receiver=IQPS), EVERYWHERE)
    assert shape(found) == ([], [[[1, 1, 0, 0]]])
    assert found.standings[IQPS, 0][0].decision is None


def test_a_suspension_and_an_end_in_the_register_divide_the_period():
    suspended = Suspension("A", Term(at("2026-05-10"), at("2026-05-12")), parse_instant("2026-05-01"), "review")
    facts = register(agreement("A", IQPS), agreement("B", ICEYE, end="2026-05-11"), suspensions=(suspended,))
    found = count(facts, FLEET, ASKED, EVERYWHERE)
    day = 86400.0
    assert shape(found) == ([2 * day, 3 * day, 4 * day], [[[1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]])
    assert [each.counts for each in found.standings[IQPS, 0]] == [True, False, True]
    assert format_instant(found.standings[IQPS, 0][1].term.end) == "2026-05-12T00:00:00Z"
    # Before anybody knew of it, it was not so.
    earlier = replace(ASKED, known_at=parse_instant("2026-04-01"))
    assert count(facts, FLEET, earlier, EVERYWHERE).available.active[0, :, 0].all()


def test_an_agreement_about_an_area_counts_for_places_in_it_only():
    facts = register(agreement("A", IQPS, areas=(BLACK_SEA,)))
    sea, land = Placement(frozenset({BLACK_SEA.id}), frozenset({BLACK_SEA.id})), Placement(touches=frozenset())
    found = count(facts, FLEET, ASKED, Lie.of([land, sea, NOWHERE_KNOWN, land]))
    assert found.available.group.tolist() == [0, 1, 2, 0]
    assert found.available.active[:, 0, 0].tolist() == [False, True, False]


def test_what_is_refused_for_a_product_is_refused_for_a_plan():
    facts = register(agreement("A", IQPS))
    assert not count(facts, FLEET, replace(ASKED, classification="極秘"), EVERYWHERE).available.active.any()
    assert not count(facts, FLEET, replace(ASKED, kind="tracks"), EVERYWHERE).available.active.any()


@pytest.mark.parametrize(
    ("changes", "cuts_s", "active"),
    [
        (["suspend:A"], [86400.0], [[1, 1, 1, 0], [0, 0, 1, 0]]),
        (["withdraw:B"], [86400.0], [[1, 1, 1, 0], [1, 1, 0, 0]]),
        (["withdraw:JPN/IQPS"], [86400.0], [[1, 1, 1, 0], [0, 0, 1, 0]]),
        (["lose:QPS-SAR-7"], [86400.0], [[1, 1, 1, 0], [1, 0, 1, 0]]),
        (["join:USA/UMBRA", "suspend:B"], [86400.0], [[1, 1, 1, 0], [1, 1, 0, 1]]),
    ],
)
def test_changes_hold_from_their_instant(changes, cuts_s, active):
    facts = register(agreement("A", IQPS), agreement("B", ICEYE))
    before = count(facts, FLEET, ASKED, EVERYWHERE)
    found = supposed(facts, FLEET, ASKED, EVERYWHERE, before, changes, parse_instant("2026-05-09"))
    assert shape(found) == (cuts_s, [active])


def test_what_is_decided_again_after_a_change_is_what_deciding_all_anew_gives():
    facts = register(agreement("A", IQPS), agreement("B", ICEYE, end="2026-05-11"), agreement("C", UMBRA))
    before, when = count(facts, FLEET, ASKED, EVERYWHERE), parse_instant("2026-05-10")
    for id_ in "ABC":
        again = supposed(facts, FLEET, ASKED, EVERYWHERE, before, [f"suspend:{id_}"], when)
        suspended = Suspension(id_, Term(at("2026-05-10")), END, "supposed")
        anew = count(replace(facts, suspensions=(suspended,)), FLEET, ASKED, EVERYWHERE)
        assert shape(again) == shape(anew)


@pytest.mark.parametrize("change", ["lose:QPS-SAR-6", "join:FRA", "suspend:NOTHING", "vanish:A", "suspend"])
def test_a_change_of_what_nobody_knows_is_refused(change):
    facts = register(agreement("A", IQPS))
    before = count(facts, FLEET, ASKED, EVERYWHERE)
    with pytest.raises(InputError) as caught:
        supposed(facts, FLEET, ASKED, EVERYWHERE, before, [change], BEGIN)
    assert caught.value.field == "if"
    assert caught.value.hint is not None


def test_flags_and_names_are_of_one_length():
    found = count(register(), FLEET, ASKED, Lie.of([]))
    assert found.available.active.shape == (1, 1, 4)
    assert not np.any(found.available.active)
