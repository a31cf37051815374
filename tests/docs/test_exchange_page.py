"""The page on the protocol names each type of entry, each payload type and each member as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from simulators.nodes import HUR, IQPS, World
from simulators.products import JPN, NOON, UKR, a_product, product_id

from kizuna.adapters.memory import MemoryKeys
from kizuna.exchange.answers import RECALL_ANSWER_TYPE, WITNESS_ANSWER_TYPE, Fate, Witnessed
from kizuna.exchange.envelope import peek
from kizuna.exchange.feed import ENTRY_TYPE, RECEIPT_TYPE, REFUSAL_TYPE, entry_from_json, page_from_bytes
from kizuna.exchange.manifest import manifest_to_json
from kizuna.exchange.messages import (
    ENTRY_TYPES,
    AgreementNotice,
    Alert,
    Ask,
    Closed,
    ConsentNotice,
    KeyStatement,
    LogCheckpoint,
    NoticeState,
    Reply,
    Step,
    Withdraw,
    content_to_json,
    type_of,
)
from kizuna.exchange.onward import CONSENT_TYPE, OnwardConsent, seal_consent
from kizuna.exchange.rotation import ROTATION_TYPE
from kizuna.model.digests import digest_of
from kizuna.model.label import CategoryType, Label
from kizuna.model.parties import Party
from kizuna.model.product import AssetRole, product_to_json
from kizuna.model.regions import area_of
from kizuna.node.founding import CARD_SCHEMA, node_card
from kizuna.release.decision import ObligationKind

PAGE = (Path(__file__).parents[2] / "docs/exchange.md").read_text("utf-8")
AREA = area_of("x", ((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)),),))
CONTENTS = [
    Withdraw(product_id(1), 1, "x"),
    AgreementNotice("A", NoticeState.SUSPENDED, NOON),
    LogCheckpoint("x"),
    Alert(product_id(1), "x", Label("JPN", "UNCLASSIFIED", JPN, NOON, (UKR,))),
    Ask(product_id(1), "imagery", AREA, NOON, NOON),
    Reply(product_id(1), Step.ACCEPT),
    KeyStatement("x"),
    ConsentNotice(b"{}"),
    Closed(),
]


def section(name):
    """Text below the heading of an entry's type, up to the next heading."""
    return re.split(r"\n#+ ", PAGE.split(f"\n### `{name}`\n")[1])[0]


def test_the_page_has_a_section_for_each_type_of_entry_and_no_other():
    assert set(re.findall(r"^### `([a-z-]+)`$", PAGE, re.MULTILINE)) == set(ENTRY_TYPES)
    assert {type_of(content) for content in CONTENTS} | {"publish", "relay"} == set(ENTRY_TYPES)


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_each_member_stands_in_the_section_of_its_type(content):
    text = section(type_of(content))
    assert [name for name in content_to_json(content) if f"`{name}`" not in text] == []


def test_each_member_of_a_product_stands_there(a_record):
    text = section("publish")
    assert [name for name in a_record if name != "schema" and f"`{name}`" not in text] == []


def test_the_example_is_an_entry_as_a_node_makes_it(world):
    text = PAGE.split("\n## A product's record\n")[1].split("\n## ")[0]
    entry = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    read = entry_from_json(entry)
    assert product_to_json(read.product) == entry["product"]
    assert [manifest_to_json(manifest) for manifest in read.manifests] == entry["manifests"]
    served = peek(page_from_bytes(world.desk(IQPS).feed(HUR, 0, 1).body).entries[0])
    assert served.keys() == entry.keys()
    assert served["decision"].keys() == entry["decision"].keys()
    for name in ("reasons", "obligations"):
        assert served["decision"][name][0].keys() == entry["decision"][name][0].keys()
    assert [word for word in (*AssetRole, *CategoryType, *ObligationKind) if f"`{word}`" not in text] == []


@pytest.fixture
def world():
    made = World()
    made.befriend(IQPS, HUR)
    made.agree(IQPS)
    made.take_in(IQPS, 1)
    return made


def test_each_member_of_a_card_stands_there():
    node = World().node(IQPS)
    text = PAGE.split("\n## Transport\n")[1].split("\n## ")[0]
    assert [name for name in node_card(node, "") if f"`{name}`" not in text] == []
    assert f"`{CARD_SCHEMA}`" in text


@pytest.fixture
def a_record():
    return product_to_json(a_product())


def test_each_member_of_a_consent_to_pass_on_stands_there():
    keys = MemoryKeys(JPN, NOON, b"keys")
    consent = OnwardConsent(JPN, UKR, Party("POL"), product_id(1), 1, digest_of(b"x"), NOON, None, NOON)
    text = PAGE.split("\n## Passing on\n")[1].split("\n## ")[0]
    assert [name for name in peek(seal_consent(consent, keys)) if f"`{name}`" not in text] == []
    assert "`consent`" in section("relay")


@pytest.mark.parametrize(
    "word", [ENTRY_TYPE, REFUSAL_TYPE, RECEIPT_TYPE, RECALL_ANSWER_TYPE, WITNESS_ANSWER_TYPE, ROTATION_TYPE, CONSENT_TYPE]
)
def test_each_payload_type_stands_there(word):
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("word", [*Fate, *Witnessed, *NoticeState, *Step])
def test_each_word_of_a_closed_set_stands_there(word):
    assert f"`{word}`" in PAGE
