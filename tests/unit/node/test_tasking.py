"""To whom a request for an image may be told: by agreements in force that cover requests, and not otherwise."""

import json
from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS, NZL

from kizuna.formats.tasking import read_requests
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.audit_log import sentence
from kizuna.node.founding import suspend_agreement
from kizuna.node.tasking import binds_alone, decide_telling, record_telling, told_of
from kizuna.release.decision import Outcome

HARBOUR = [[[30, 46], [31, 46], [31, 47], [30, 47], [30, 46]]]


@pytest.fixture
def request_():
    text = f"""
schema = "kizuna/image-requests/1"
[label]
policy = "JPN"
classification = "UNCLASSIFIED"
originator = "JPN/IQPS"
created = 2025-06-30T00:00:00Z
[[request]]
id = "port"
area = {{ name = "Port", geometry = {{ type = "Polygon", coordinates = {json.dumps(HARBOUR)} }} }}
from = 2025-07-01T12:00:00Z
until = 2025-07-03T00:00:00Z
priority = 1
"""
    (found,) = read_requests(text.encode(), name="r")
    return found


def told(world, request_):
    node = world.node(IQPS)
    return {*told_of(node, [request_], [IQPS, HUR, NZL], node.now())["port"]}


def test_without_an_agreement_only_we_know(world, request_):
    assert told(world, request_) == {IQPS}


def test_an_agreement_on_imagery_says_nothing_of_requests(world, request_):
    world.agree(IQPS)
    assert told(world, request_) == {IQPS}


def test_an_agreement_on_requests_lets_its_party_know_and_no_other(world, request_):
    world.agree(IQPS, article={"kinds": ["request"], "obligations": []})
    assert told(world, request_) == {IQPS, HUR}
    kept = replace(request_, label=replace(request_.label, releasable_to=(NZL,)))
    assert told(world, kept) == {IQPS}


def test_a_suspension_ends_the_telling(world, request_):
    world.agree(IQPS, article={"kinds": ["request"], "obligations": []})
    node = world.node(IQPS)
    before = node.now()
    world.tick()
    suspend_agreement(node, "SHARE", authority="minister", reason="test")
    assert binds_alone(decide_telling(node, request_, HUR, before))
    assert decide_telling(node, request_, HUR, node.now()).outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("obligation", "outcome"),
    [
        ({"kind": "no-onward"}, True),
        ({"kind": "caveat", "value": "own use"}, False),
        ({"kind": "delay", "value": 24}, False),
        ({"kind": "resolution", "value": 5}, False),
    ],
)
def test_what_an_order_cannot_carry_is_not_told(world, request_, obligation, outcome):
    world.agree(IQPS, article={"kinds": ["request"], "obligations": [obligation]})
    assert (HUR in told(world, request_)) is outcome


def test_an_article_on_an_area_covers_requests_within_it_only(world, request_):
    area = {"name": "Harbours", "geometry": {"type": "Polygon", "coordinates": HARBOUR}}
    world.agree(IQPS, article={"kinds": ["request"], "obligations": [], "areas": [area]})
    assert HUR in told(world, request_)
    ((ring,),) = request_.area.polygons
    beyond = tuple((lon + 2, lat) for lon, lat in ring)
    assert told(world, replace(request_, area=replace(request_.area, polygons=((beyond,),)))) == {IQPS}
    two = replace(request_.area, polygons=((ring,), (ring,)))
    assert told(world, replace(request_, area=two)) == {IQPS}


def test_what_is_told_is_on_record_first(world, request_):
    world.agree(IQPS, article={"kinds": ["request"], "obligations": []})
    node = world.node(IQPS)
    decision = told_of(node, [request_], [HUR], node.now())["port"][HUR]
    record_telling(node, request_, HUR, decision, node.now(), authority="collection manager")
    (*_, (_index, fact)) = node.journal.facts()
    assert fact.kind is FactKind.DECISION_MADE
    assert (fact.body["product"], fact.body["partner"], fact.body["purpose"]) == ("request/port", HUR, "order")
    assert "port" in sentence(fact).render()
    assert verify_node(node).size == _index + 1
