"""Entries that hand out no product, and the receipts that say more: round trips, strictness, unknown types."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from simulators.products import JPN, NOON, UKR, a_product, product_id

from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import PartnerMisbehaved
from kizuna.exchange.answers import (
    Fate,
    RecallAnswer,
    WitnessAnswer,
    Witnessed,
    seal_recall_answer,
    seal_witness_answer,
    unseal_recall_answer,
    unseal_witness_answer,
)
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.feed import ENTRY_TYPE, FeedEntry, seal_entry, unseal_entry, unseal_receipt
from kizuna.exchange.messages import (
    ENTRY_TYPES,
    AgreementNotice,
    Alert,
    Ask,
    Closed,
    ConsentNotice,
    Content,
    KeyStatement,
    LogCheckpoint,
    MessageEntry,
    NoticeState,
    Reply,
    Step,
    Withdraw,
    seal_message,
    type_of,
    unseal_any,
)
from kizuna.model.digests import digest_of
from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.regions import area_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.canonical import Json

KEYS = MemoryKeys(JPN, NOON, seed=b"a")
ID = product_id(7)
KOCHI = area_of("Kochi", ((((133.0, 33.0), (134.0, 33.0), (134.0, 34.0), (133.0, 33.0)),),))
LATER = parse_instant("2030-01-01T00:00:00Z")
ASK = Ask(ID, "imagery", KOCHI, NOON, LATER, "ships in port")
WITHDRAW = Withdraw(product_id(1), 3, "sent by mistake")
NOTICE = AgreementNotice("JPN-UKR", NoticeState.SUSPENDED, NOON, "review")
ALERT = Alert(ID, "missile", Label("JPN", "UNCLASSIFIED", JPN, NOON, (UKR,)))
CHECKPOINT = LogCheckpoint("old 0\n\nkizuna/JPN\n1\n")
CONTENTS: list[Content] = [
    WITHDRAW,
    dataclasses.replace(WITHDRAW, agreement="JPN-UKR"),
    NOTICE,
    dataclasses.replace(NOTICE, state=NoticeState.RESUMED, reason=None),
    dataclasses.replace(NOTICE, state=NoticeState.WITHDRAWN),
    CHECKPOINT,
    ALERT,
    ASK,
    dataclasses.replace(ASK, text=None),
    Reply(ID, Step.ACCEPT),
    Reply(ID, Step.DECLINE, "no satellite"),
    Reply(ID, Step.FULFIL, None, product_id(2)),
    ConsentNotice(b'{"payload":"e30=","payloadType":"x","signatures":[]}'),
    Closed(),
    KeyStatement("x"),
]
RECALL_ANSWER = RecallAnswer(JPN, UKR, 4, digest_of(b"entry"), product_id(1), Fate.KEPT, "a court asks for it", NOON)
WITNESS_ANSWER = WitnessAnswer(JPN, UKR, 4, digest_of(b"entry"), Witnessed.COSIGNED, "kizuna/JPN\n1\nroot\n", 1, None, NOON)


def sealed(content: Content, **members: Json) -> bytes:
    envelope = seal_message(MessageEntry(1, JPN, UKR, content, NOON), KEYS)
    payload = unseal(envelope, KEYS.public_key, ENTRY_TYPE)
    assert isinstance(payload, dict)
    return seal(ENTRY_TYPE, payload | members, KEYS)


@pytest.mark.parametrize("content", CONTENTS, ids=type_of)
def test_messages_come_back(content: Content) -> None:
    entry = MessageEntry(9, JPN, UKR, content, NOON)
    assert unseal_any(seal_message(entry, KEYS), KEYS.public_key) == entry
    assert type_of(content) in ENTRY_TYPES


def test_every_type_has_its_message() -> None:
    assert {type_of(content) for content in CONTENTS} | {"publish", "relay"} == set(ENTRY_TYPES)


def test_a_product_comes_back_and_is_no_message() -> None:
    product = FeedEntry(1, JPN, UKR, dataclasses.replace(a_product(), assets=()), (), {"outcome": "permit"}, NOON)
    assert unseal_any(seal_entry(product, KEYS), KEYS.public_key) == product
    with pytest.raises(PartnerMisbehaved):
        unseal_entry(sealed(WITHDRAW), KEYS.public_key)


@pytest.mark.parametrize("type_", ["recall", "publish2", "", "Withdraw", "x" * 5000, "a\nb"])
def test_an_unknown_type_is_named(type_: str) -> None:
    with pytest.raises(PartnerMisbehaved, match="does not know") as caught:
        unseal_any(sealed(WITHDRAW, type=type_), KEYS.public_key)
    assert caught.value.field == "type"
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("type_", [None, 1, ["withdraw"], {}])
def test_a_type_that_is_no_word_is_refused(type_: Json) -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal_any(sealed(WITHDRAW, type=type_), KEYS.public_key)


@pytest.mark.parametrize(
    ("content", "members"),
    [
        (WITHDRAW, {"product": "../../etc/passwd"}),
        (WITHDRAW, {"recalls": 0}),
        (WITHDRAW, {"recalls": "3"}),
        (WITHDRAW, {"reason": ""}),
        (WITHDRAW, {"reason": None}),
        (WITHDRAW, {"reason": "a\nb"}),
        (WITHDRAW, {"reason": "\u202egnp.exe"}),
        (WITHDRAW, {"reason": "x" * 2001}),
        (WITHDRAW, {"agreement": 7}),
        (WITHDRAW, {"schema": "kizuna/feed-entry/2"}),
        (WITHDRAW, {"sequence": 0}),
        (WITHDRAW, {"sender": "jpn"}),
        (WITHDRAW, {"type": "alert"}),
        (WITHDRAW, {"unknown": 1}),
        (NOTICE, {"state": "in force"}),
        (NOTICE, {"since": None}),
        (NOTICE, {"since": "yesterday"}),
        (NOTICE, {"agreement": None}),
        (CHECKPOINT, {"request": ""}),
        (CHECKPOINT, {"request": "x" * 70_001}),
        (CHECKPOINT, {"request": "a\x00b"}),
        (ALERT, {"id": "A" * 26}),
        (ALERT, {"text": "x" * 2001}),
        (ALERT, {"text": "\x1b[2J"}),
        (ALERT, {"label": None}),
        (ALERT, {"label": {}}),
        (ASK, {"id": "short"}),
        (ASK, {"step": "steal"}),
        (ASK, {"step": "accept"}),
        (ASK, {"end": "2000-01-01T00:00:00Z"}),
        (ASK, {"area": {"name": "x", "file": "/etc/passwd"}}),
        (ASK, {"area": {"name": "x", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}}}),
        (ASK, {"area": {"name": "x", "geometry": {"type": "Polygon", "coordinates": [[[0, 99], [1, 1], [2, 2], [0, 99]]]}}}),
        (ASK, {"kind": None}),
        (Reply(ID, Step.ACCEPT), {"product": product_id(1)}),
        (Reply(ID, Step.FULFIL, None, product_id(1)), {"product": None}),
        (Reply(ID, Step.DECLINE, "no"), {"reason": None}),
    ],
)
def test_refuses_messages_of_another_form(content: Content, members: dict[str, Json]) -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal_any(sealed(content, **members), KEYS.public_key)


def test_refuses_a_message_that_another_signed() -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal_any(sealed(ALERT), MemoryKeys(JPN, NOON, seed=b"b").public_key)


def test_answers_come_back() -> None:
    for recall in (RECALL_ANSWER, dataclasses.replace(RECALL_ANSWER, fate=Fate.DESTROYED, reason=None)):
        assert unseal_recall_answer(seal_recall_answer(recall, KEYS), KEYS.public_key) == recall
    behind = dataclasses.replace(WITNESS_ANSWER, outcome=Witnessed.BEHIND, note=None, why="from 3 on")
    for witness in (WITNESS_ANSWER, behind):
        assert unseal_witness_answer(seal_witness_answer(witness, KEYS), KEYS.public_key) == witness


def test_one_receipt_is_never_taken_for_another() -> None:
    recall, witness = seal_recall_answer(RECALL_ANSWER, KEYS), seal_witness_answer(WITNESS_ANSWER, KEYS)
    attempts: list[tuple[bytes, Callable[[bytes, bytes], object]]] = [
        (recall, unseal_receipt),
        (recall, unseal_witness_answer),
        (witness, unseal_receipt),
        (witness, unseal_recall_answer),
        (recall, unseal_any),
    ]
    for envelope, read in attempts:
        with pytest.raises(PartnerMisbehaved):
            read(envelope, KEYS.public_key)


@pytest.mark.parametrize(
    "answer",
    [
        dataclasses.replace(RECALL_ANSWER, reason=None),
        dataclasses.replace(RECALL_ANSWER, fate=Fate.REFUSED, reason=None),
        dataclasses.replace(RECALL_ANSWER, sequence=0),
        dataclasses.replace(RECALL_ANSWER, reason="x" * 2001),
    ],
)
def test_refuses_recall_answers_of_another_form(answer: RecallAnswer) -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal_recall_answer(seal_recall_answer(answer, KEYS), KEYS.public_key)


@pytest.mark.parametrize(
    "answer",
    [
        dataclasses.replace(WITNESS_ANSWER, note=None),
        dataclasses.replace(WITNESS_ANSWER, outcome=Witnessed.FORKED),
        dataclasses.replace(WITNESS_ANSWER, seen=-1),
    ],
)
def test_refuses_witness_answers_of_another_form(answer: WitnessAnswer) -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal_witness_answer(seal_witness_answer(answer, KEYS), KEYS.public_key)
