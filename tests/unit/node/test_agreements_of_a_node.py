"""Agreements in a node: withdrawn from, with areas on the ground, and with delays that pass."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, NZL, START, agreement

from kizuna.errors import InputError
from kizuna.exchange.feed import FeedEntry, page_from_bytes
from kizuna.exchange.messages import unseal_any
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.instants import Instant, Interval, parse_instant
from kizuna.model.product import Footprint
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import decide_item
from kizuna.node.founding import record_agreement, resume_agreement, suspend_agreement, withdraw_agreement
from kizuna.node.people import agreement_lines
from kizuna.node.what_if import suppose
from kizuna.release.decision import Outcome
from kizuna.release.rules import RuleId


def box(west, south, east, north):
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def area(name, *corners):
    return {"name": name, "geometry": {"type": "Polygon", "coordinates": [[list(p) for p in box(*corners)]]}}


def decision(world, product, partner=HUR, **when):
    return decide_item(world.node(IQPS), product, partner, **when)


def served(world):
    """Count of products in the feed; a refusal has none."""
    answer, key = world.desk(IQPS).feed(HUR, 0, 100), world.node(IQPS).keys.public_key
    found = [] if answer.refused else page_from_bytes(answer.body).entries
    return sum(isinstance(unseal_any(envelope, key), FeedEntry) for envelope in found)


def state(world):
    (line,) = agreement_lines(world.node(IQPS))
    return line.state


# ---- withdrawal


def test_a_withdrawal_stops_everything_from_now_on(any_world):
    world = any_world
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    world.take_in(IQPS, 2)
    assert served(world) == 2
    before = world.node(IQPS).now()
    world.tick()
    assert withdraw_agreement(world.node(IQPS), "SHARE", "Breach of the third-party rule.", "order 9") == world.node(IQPS).now()
    world.tick()
    assert decision(world, product).outcome is Outcome.DENY
    assert [reason.rule for reason in decision(world, product).reasons] == [RuleId.NOT_WITHDRAWN]
    assert served(world) == 0
    assert state(world) == "withdrawn"
    assert decision(world, product, valid_at=before).outcome is Outcome.PERMIT
    (fact,) = [f for _, f in world.node(IQPS).journal.facts() if f.kind is FactKind.AGREEMENT_WITHDRAWN]
    assert (fact.authority, fact.body["reason"]) == ("order 9", "Breach of the third-party rule.")


def test_a_withdrawal_takes_effect_on_its_day(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    day = parse_instant("2025-07-03")
    assert withdraw_agreement(world.node(IQPS), "SHARE", "x", "order", day) == day
    world.tick()
    assert (served(world), state(world)) == (1, "in force")
    (line,) = agreement_lines(world.node(IQPS))
    assert line.leaving == day
    assert [message.render() for message in line.told] == ["withdrawn from, with effect from 2025-07-03T00:00:00Z"]
    assert decision(world, product, valid_at=day).outcome is Outcome.DENY
    world.tick(days=2)
    assert (served(world), state(world)) == (0, "withdrawn")
    assert agreement_lines(world.node(IQPS))[0].leaving is None


def test_no_version_brings_back_what_was_withdrawn_from(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    withdraw_agreement(world.node(IQPS), "SHARE", "x", "order")
    world.tick()
    world.agree(IQPS, version=2)
    assert decision(world, product).outcome is Outcome.DENY
    world.agree(IQPS, id="ANOTHER")
    assert decision(world, product).outcome is Outcome.PERMIT


# ---- versions


def test_a_version_takes_the_place_of_the_one_before_on_its_day(any_world):
    world = any_world
    world.agree(IQPS, article={"kinds": ["detections"]})
    product = world.take_in(IQPS, 1)
    world.tick()
    world.agree(IQPS, version=2, applies_from="2025-07-03T00:00:00Z")
    day = parse_instant("2025-07-03")
    lines = [(line.version, line.state) for line in agreement_lines(world.node(IQPS))]
    assert lines == [(1, "in force"), (2, "not yet")]
    assert decision(world, product).outcome is Outcome.DENY
    assert decision(world, product, valid_at=day).outcome is Outcome.PERMIT
    assert served(world) == 0
    # The day comes, and nothing else happens.
    world.tick(days=2)
    assert decision(world, product).outcome is Outcome.PERMIT
    assert served(world) == 1
    assert [(line.version, line.state) for line in agreement_lines(world.node(IQPS))] == [(2, "in force")]
    assert decision(world, product, valid_at=Instant(day - timedelta(seconds=1))).outcome is Outcome.DENY


def test_a_withdrawal_that_says_nothing_new_is_refused(world):
    world.agree(IQPS)
    node = world.node(IQPS)
    for id_, at, field in (("SHAER", None, "agreement"), ("SHARE", parse_instant("2025-06-30"), "at")):
        with pytest.raises(InputError) as caught:
            withdraw_agreement(node, id_, "x", "order", at)
        assert caught.value.field == field
    withdraw_agreement(node, "SHARE", "x", "order", parse_instant("2025-07-03"))
    world.tick()
    for at in (parse_instant("2025-07-03"), parse_instant("2025-07-04")):
        with pytest.raises(InputError) as caught:
            withdraw_agreement(node, "SHARE", "x", "order", at)
        assert caught.value.field == "agreement"
    # An earlier one is news.
    withdraw_agreement(node, "SHARE", "x", "order", parse_instant("2025-07-02"))
    assert len(node.knowledge().register.withdrawals) == 2


# ---- suspensions and resumptions

MARCH = {
    "from": {"text": "about 1 March", "earliest": "2025-02-26T00:00:00Z", "latest": "2025-03-07T00:00:00Z"},
    "until": "unknown",
    "reason": "review",
    "recorded": "2025-03-07",
}


def test_the_end_of_a_past_suspension_is_recorded_and_corrected(any_world):
    world = any_world
    world.agree(IQPS, suspensions=[MARCH])
    node, product = world.node(IQPS), world.take_in(IQPS, 1)
    assert decision(world, product).outcome is Outcome.DENY
    world.tick()
    before = node.now()
    world.tick()
    eleventh, twelfth = parse_instant("2025-03-11"), parse_instant("2025-03-12")
    assert resume_agreement(node, "SHARE", "joint statement", eleventh) == eleventh
    world.tick()
    assert (decision(world, product).outcome, served(world)) == (Outcome.PERMIT, 1)
    label = replace(product.label, created=parse_instant("2025-01-01"))
    old = world.take_in(IQPS, 2, label=label)
    assert decision(world, old, valid_at=eleventh).outcome is Outcome.PERMIT
    assert decision(world, old, valid_at=eleventh, known_at=before).outcome is Outcome.DENY
    world.tick()
    resume_agreement(node, "SHARE", "erratum", twelfth)
    world.tick()
    assert decision(world, old, valid_at=eleventh).outcome is Outcome.DENY
    assert decision(world, old, valid_at=twelfth).outcome is Outcome.PERMIT


def test_a_resumption_on_a_later_day_is_waited_for(world):
    world.agree(IQPS)
    node, product = world.node(IQPS), world.take_in(IQPS, 1)
    suspend_agreement(node, "SHARE", "x", "order")
    world.tick()
    resume_agreement(node, "SHARE", "order", parse_instant("2025-07-03"))
    world.tick()
    assert decision(world, product).outcome is Outcome.DENY
    now = node.now()
    # To suppose that it resumes today is to suppose nothing of that day.
    supposed = suppose(node.knowledge().register, "resume:SHARE", now, now)
    assert all(term.end is not None and term.end.exact == now for _, term in supposed.as_known(now).suspension_terms("SHARE"))
    world.tick(days=2)
    assert (decision(world, product).outcome, served(world)) == (Outcome.PERMIT, 1)


@pytest.mark.parametrize("at", [None, "2025-02-25", "2025-03-11", "2030-01-01"])
def test_a_resumption_that_ends_no_suspension_is_refused(world, at):
    world.agree(IQPS)
    node = world.node(IQPS)
    size = node.store.log.size()
    with pytest.raises(InputError) as caught:
        resume_agreement(node, "SHARE", "order", None if at is None else parse_instant(at))
    assert caught.value.field == ("agreement" if at is None else "at")
    assert node.store.log.size() == size


def test_the_same_resumption_is_not_recorded_twice_nor_one_before_the_suspension(world):
    world.agree(IQPS, suspensions=[MARCH])
    world.tick()
    node = world.node(IQPS)
    resume_agreement(node, "SHARE", "order", parse_instant("2025-03-11"))
    world.tick()
    for at in ("2025-03-11", "2025-03-07", "2025-02-25"):
        with pytest.raises(InputError) as caught:
            resume_agreement(node, "SHARE", "order", parse_instant(at))
        assert caught.value.field == "at"


def test_nothing_resumes_what_was_withdrawn_from(world):
    world.agree(IQPS, suspensions=[MARCH])
    world.tick()
    node = world.node(IQPS)
    withdraw_agreement(node, "SHARE", "x", "order", parse_instant("2025-07-02"))
    world.tick()
    # Until then it may resume, and the end of what is past is a fact still.
    resume_agreement(node, "SHARE", "order")
    world.tick(days=1)
    for at in (None, parse_instant("2025-07-02"), parse_instant("2025-07-03")):
        with pytest.raises(InputError, match="withdrawn from since") as caught:
            resume_agreement(node, "SHARE", "order", at)
        assert caught.value.field == "agreement"
    resume_agreement(node, "SHARE", "order", parse_instant("2025-03-11"))


def test_what_is_said_of_a_suspension_is_what_is_recorded(world):
    world.agree(IQPS)
    node = world.node(IQPS)
    said = suspend_agreement(node, "SHARE", "x", "order")
    ((_, term),) = node.knowledge().register.suspension_terms("SHARE")
    assert term.begin.exact == said


# ---- areas

SEA = area("Black Sea", 28, 41, 42, 47)
INSIDE, ACROSS, APART = (Footprint(box(*c)) for c in ((30, 43, 31, 44), (27, 43, 29, 44), (10, 43, 11, 44)))


@pytest.mark.parametrize(
    ("article", "footprint", "outcome", "rule"),
    [
        ({"areas": [SEA]}, INSIDE, Outcome.PERMIT, RuleId.GRANT),
        ({"areas": [SEA]}, ACROSS, Outcome.DENY, RuleId.AREA),
        ({"areas": [SEA]}, Footprint(INSIDE.ring, nominal=True), Outcome.DENY, RuleId.AREA),
        ({"areas": [SEA]}, None, Outcome.DENY, RuleId.AREA),
        ({"denied_areas": [SEA]}, APART, Outcome.PERMIT, RuleId.GRANT),
        ({"denied_areas": [SEA]}, ACROSS, Outcome.DENY, RuleId.DENIED_AREA),
        ({"denied_areas": [SEA]}, Footprint(APART.ring, nominal=True), Outcome.DENY, RuleId.DENIED_AREA),
    ],
)
def test_where_a_product_lies_decides(any_world, article, footprint, outcome, rule):
    world = any_world
    world.agree(IQPS, article=article)
    product = world.take_in(IQPS, 1, footprint=footprint)
    made = decision(world, product)
    assert (made.outcome, made.reasons[0].rule) == (outcome, rule)
    assert served(world) == (outcome is Outcome.PERMIT)


def test_areas_of_a_version_that_comes_later_are_looked_at_too(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1, footprint=ACROSS)
    assert decision(world, product).outcome is Outcome.PERMIT
    world.agree(IQPS, version=2, article={"areas": [SEA]})
    assert decision(world, product).outcome is Outcome.DENY
    # Inside none of them; that together they cover it does not help.
    world.agree(IQPS, version=3, article={"areas": [SEA, area("more", 20, 40, 28, 48)]})
    assert decision(world, product).outcome is Outcome.DENY
    world.agree(IQPS, version=4, article={"areas": [area("more", 20, 40, 29, 48)]})
    assert decision(world, product).outcome is Outcome.PERMIT


def test_the_log_holds_the_area_itself_not_the_name_of_a_file(world):
    document = agreement(article={"areas": [{"name": "Black Sea", "file": "sea.geojson"}]})
    files = {"sea.geojson": json.dumps(SEA["geometry"]).encode()}
    record_agreement(world.node(IQPS), document, NO_CIVIL_DATES, [], files.__getitem__)
    files.clear()
    world.tick()
    assert decision(world, world.take_in(IQPS, 1, footprint=INSIDE)).outcome is Outcome.PERMIT
    assert decision(world, world.take_in(IQPS, 2, footprint=ACROSS)).outcome is Outcome.DENY


def test_an_area_that_crosses_itself_is_not_recorded(world):
    crossing = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 3], [0, 0]]]}
    size = world.node(IQPS).store.log.size()
    with pytest.raises(InputError) as caught:
        world.agree(IQPS, article={"denied_areas": [{"name": "x", "geometry": crossing}]})
    assert caught.value.field == "articles[0].denied_areas[0]"
    assert world.node(IQPS).store.log.size() == size


# ---- dates that pass without anything being recorded


def test_what_an_article_holds_back_goes_when_the_delay_is_over(any_world):
    world = any_world
    world.agree(IQPS, article={"obligations": [{"kind": "detected-only"}, {"kind": "delay", "value": 48}]})
    observed = Instant(START - timedelta(hours=1))
    product = world.take_in(IQPS, 1, event=Interval(observed, observed))
    world.take_in(IQPS, 2, event=None)
    assert decision(world, product).outcome is Outcome.DENY
    assert served(world) == 0
    world.tick(hours=46.9)
    assert served(world) == 0
    world.tick(hours=0.2)
    assert served(world) == 1
    assert decision(world, product).outcome is Outcome.PERMIT


def test_what_a_classified_product_waits_for_is_the_day_of_its_equivalence(world):
    """A nation that renames its levels: the pair of the new name begins on its day, and what waited goes."""
    pair = {
        "policy": "JPN",
        "marking": "秘",
        "to_policy": "UKR",
        "to_marking": "Таємно",
        "article": "4",
        "basis": "text",
        "verified": True,
        "from": "2025-07-03T00:00:00Z",
    }
    security = agreement(id="ISA", kind="information-security", parties=["JPN", "UKR"], articles=[], equivalences=[pair])
    record_agreement(world.node(IQPS), security, NO_CIVIL_DATES, [])
    world.tick()
    world.agree(IQPS, article={"ceiling": "秘"})
    product = world.hold(IQPS, 1)
    product = world.take_in(IQPS, 1, label=type(product.label)("JPN", "秘", IQPS, START))
    assert decision(world, product).outcome is Outcome.DENY
    assert served(world) == 0
    world.tick(days=2)
    assert decision(world, product).outcome is Outcome.PERMIT
    assert served(world) == 1
    assert decision(world, product, NZL).outcome is Outcome.DENY
