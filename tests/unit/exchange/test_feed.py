"""The words of the protocol: round trips, strictness, limits, and a page that tells nothing."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING

import pytest
from simulators.products import JPN, NOON, UKR, a_product

from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import PartnerMisbehaved
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.feed import (
    ENTRY_TYPE,
    MOST_PAGE_BYTES,
    MOST_PAGE_ENTRIES,
    FeedEntry,
    FeedPage,
    Receipt,
    Refusal,
    page_from_bytes,
    page_to_bytes,
    page_within_limits,
    read_answer,
    seal_entry,
    seal_receipt,
    seal_refusal,
    unseal_entry,
    unseal_receipt,
    unseal_refusal,
)
from kizuna.exchange.manifest import make_manifest
from kizuna.model.canonical import Json, canonical
from kizuna.model.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = MemoryKeys(JPN, NOON, seed=b"a")
FILES = (b"one", b"two")
ENTRY = FeedEntry(
    sequence=1,
    sender=JPN,
    receiver=UKR,
    product=a_product(files=FILES),
    manifests=tuple(make_manifest(io.BytesIO(data)) for data in FILES),
    decision={"outcome": "permit", "reasons": []},
    made_at=NOON,
)
REFUSAL = Refusal(JPN, UKR, "the agreement is suspended", "in-force", "JPN-UKR-2024", NOON, NOON)
RECEIPT = Receipt(JPN, UKR, 1, digest_of(b"entry"), NOON)


def test_entries_refusals_and_receipts_come_back() -> None:
    assert unseal_entry(seal_entry(ENTRY, KEYS), KEYS.public_key) == ENTRY
    assert unseal_refusal(seal_refusal(REFUSAL, KEYS), KEYS.public_key) == REFUSAL
    bare = dataclasses.replace(REFUSAL, agreement=None, since=None)
    assert unseal_refusal(seal_refusal(bare, KEYS), KEYS.public_key) == bare
    assert unseal_receipt(seal_receipt(RECEIPT, KEYS), KEYS.public_key) == RECEIPT
    many = dataclasses.replace(RECEIPT, sequence=2**53 - 1, before=tuple(digest_of(bytes([n])) for n in range(99)))
    assert unseal_receipt(seal_receipt(many, KEYS), KEYS.public_key) == many
    for faulty in (
        dataclasses.replace(many, before=(*many.before, digest_of(b"one too many"))),
        dataclasses.replace(many, sequence=99),
        dataclasses.replace(RECEIPT, sequence=2, before=("sha256:",)),
    ):
        with pytest.raises(PartnerMisbehaved):
            unseal_receipt(seal_receipt(faulty, KEYS), KEYS.public_key)


def test_one_kind_is_never_taken_for_another() -> None:
    entry, receipt = seal_entry(ENTRY, KEYS), seal_receipt(RECEIPT, KEYS)
    for envelope, read in (
        (entry, unseal_receipt),
        (entry, unseal_refusal),
        (receipt, unseal_entry),
        (receipt, unseal_refusal),
    ):
        with pytest.raises(PartnerMisbehaved):
            read(envelope, KEYS.public_key)


def _entry_with(**members: Json) -> bytes:
    payload = unseal(seal_entry(ENTRY, KEYS), KEYS.public_key, ENTRY_TYPE)
    assert isinstance(payload, dict)
    return seal(ENTRY_TYPE, payload | members, KEYS)


@pytest.mark.parametrize(
    "members",
    [
        {"schema": "kizuna/feed-entry/2"},
        {"sequence": 0},
        {"sequence": "1"},
        {"sender": "jpn"},
        {"receiver": None},
        {"type": "recall"},
        {"product": {}},
        {"decision": None},
        {"decision": []},
        {"made_at": "yesterday"},
        {"manifests": []},
        {"unknown": 1},
    ],
)
def test_refuses_entries_of_another_form(members: dict[str, Json]) -> None:
    with pytest.raises(PartnerMisbehaved, match="feed entry"):
        unseal_entry(_entry_with(**members), KEYS.public_key)


@pytest.mark.parametrize("files", [(b"one",), (b"one", b"two", b"three"), (b"one", b"two", b"two"), (b"one", b"2")])
def test_manifests_are_of_exactly_the_products_files(files: tuple[bytes, ...]) -> None:
    entry = dataclasses.replace(ENTRY, manifests=tuple(make_manifest(io.BytesIO(data)) for data in files))
    with pytest.raises(PartnerMisbehaved, match="one manifest for each file"):
        unseal_entry(seal_entry(entry, KEYS), KEYS.public_key)


def test_page_is_canonical_and_comes_back() -> None:
    envelopes = (seal_entry(ENTRY, KEYS), seal_entry(dataclasses.replace(ENTRY, sequence=2), KEYS))
    for page in (FeedPage(0, (), more=False), FeedPage(7, envelopes, more=True)):
        body = page_to_bytes(page)
        assert canonical(json.loads(body)) == body
        assert page_from_bytes(body) == page


def test_empty_page_is_always_the_same_bytes() -> None:
    body = b'{"after":0,"entries":[],"more":false,"schema":"kizuna/feed/1"}'
    assert page_to_bytes(page_within_limits(0, [], 100, more=False)) == body


def test_page_keeps_to_its_limits() -> None:
    small, large = [b"{}"] * 250, [canonical("a" * (3 * 2**20))] * 4
    page = page_within_limits(0, small, 1000, more=False)
    assert (len(page.entries), page.more) == (MOST_PAGE_ENTRIES, True)
    page = page_within_limits(0, small[:3], 2, more=False)
    assert (len(page.entries), page.more) == (2, True)
    page = page_within_limits(0, small[:3], 3, more=False)
    assert (len(page.entries), page.more) == (3, False)
    assert page_within_limits(0, small[:3], 3, more=True).more
    page = page_within_limits(0, large, 100, more=False)
    assert (len(page.entries), page.more) == (2, True)
    assert len(page_to_bytes(page)) <= MOST_PAGE_BYTES


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page | {"schema": "kizuna/feed/2"},
        lambda page: page | {"total": 12},
        lambda page: page | {"more": 0},
        lambda page: page | {"after": -1},
        lambda page: page | {"entries": ["e30="]},
        lambda page: page | {"entries": None},
        lambda page: page | {"entries": [{}] * (MOST_PAGE_ENTRIES + 1)},
    ],
)
def test_refuses_pages_of_another_form(change: Callable[[dict[str, Json]], Json]) -> None:
    page = json.loads(page_to_bytes(FeedPage(0, (), more=False)))
    with pytest.raises(PartnerMisbehaved, match="feed page"):
        page_from_bytes(canonical(change(page)))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_refuses_noise(body: bytes) -> None:
    with pytest.raises(PartnerMisbehaved):
        page_from_bytes(body)


def test_refuses_an_overlong_page() -> None:
    with pytest.raises(PartnerMisbehaved, match="at most"):
        page_from_bytes(b" " * (MOST_PAGE_BYTES + 1))


def test_answer_is_a_page_or_a_refusal_that_the_partner_signed() -> None:
    page = FeedPage(0, (seal_entry(ENTRY, KEYS),), more=False)
    assert read_answer(page_to_bytes(page), KEYS.public_key) == page
    assert read_answer(seal_refusal(REFUSAL, KEYS), KEYS.public_key) == REFUSAL
    other = MemoryKeys(JPN, NOON, seed=b"b")
    with pytest.raises(PartnerMisbehaved):
        read_answer(seal_refusal(REFUSAL, other), KEYS.public_key)
