"""Roles and credentials."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from simulators.nodes import IQPS, World

from kizuna.errors import InputError
from kizuna.model.provenance import FactKind
from kizuna.node.access import Act, Person, credentials, give_access, issue_token, may, person_by_token, revoke_access
from kizuna.node.audit_log import sentence
from kizuna.node.people import PeopleRoom

AIKO = Person("aiko", "analyst")


@pytest.fixture
def world():
    return World()


def signed_in(world, token):
    return PeopleRoom(world.node(IQPS), lambda *_: None).sign_in(token)


def test_what_each_role_may_do_and_an_unknown_one_nothing():
    assert {role: {act.name for act in Act if may(role, act)} for role in ("analyst", "operator", "partner", "", "chief")} == {
        "analyst": {"SEE_PRODUCTS", "SEE_AGREEMENTS", "SEE_PARTNERS", "ASK"},
        "operator": {"SEE_PARTNERS", "SEE_NUMBERS", "OPERATE"},
        "partner": set(),
        "": set(),
        "chief": set(),
    }
    assert all(may("officer", act) for act in Act)


def test_a_credential_opens_until_it_is_revoked(world):
    node = world.node(IQPS)
    one, token = give_access(node, AIKO, "QGIS")
    _, other = give_access(node, AIKO, "pystac-client")
    assert signed_in(world, token) == signed_in(world, other) == AIKO
    assert [(c.person.name, c.purpose) for c in credentials(node)][1:] == [("aiko", "QGIS"), ("aiko", "pystac-client")]
    assert [c.id for c in revoke_access(node, one.id)] == [one.id]
    assert signed_in(world, token) is None
    assert signed_in(world, other) == AIKO
    revoke_access(node, "aiko")
    assert signed_in(world, other) is None
    with pytest.raises(InputError) as fault:
        revoke_access(node, "aiko")
    assert fault.value.field == "credential"
    told = [sentence(f).render() for _, f in node.journal.facts() if f.kind in {FactKind.ACCESS_GIVEN, FactKind.ACCESS_REVOKED}]
    assert told[0] == f"aiko was given access as analyst (credential {one.id})"
    assert told[2] == f"the credential {one.id} of aiko was revoked"
    assert len(told) == 4


def test_a_credential_ends_at_its_instant(world):
    _, token = give_access(world.node(IQPS), AIKO, "", timedelta(days=1))
    world.tick(hours=23, minutes=59)
    assert signed_in(world, token) == AIKO
    world.tick(minutes=1)
    assert signed_in(world, token) is None


def test_neither_the_store_nor_the_log_holds_a_secret(world):
    node = world.node(IQPS)
    _, token = give_access(node, AIKO, "")
    assert token[3:] not in json.dumps(node.store.settings(""))
    assert all(token[3:] not in json.dumps(fact.body) for _, fact in node.journal.facts())


def test_a_role_that_is_unknown_opens_nothing(world):
    node = world.node(IQPS)
    with node.store.transaction():
        token = issue_token(node, "aiko", "chief")
        old = issue_token(node, "taro", "analyst")
        kept = json.loads(node.store.setting("people"))
        node.store.keep_setting("people", json.dumps({h: {n: k[n] for n in ("name", "role")} for h, k in kept.items()}))
    assert person_by_token(node.store, token, node.now()) is None
    assert signed_in(world, old) == Person("taro", "analyst")


@pytest.mark.parametrize(("name", "purpose"), [("", ""), ("a\n", ""), ("a" * 101, ""), ("a", "\x1b[2J")])
def test_names_can_be_shown(world, name, purpose):
    with pytest.raises(InputError):
        give_access(world.node(IQPS), Person(name, "analyst"), purpose)
