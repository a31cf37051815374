"""The words of the protocol: feed entries, feed pages, refusals, receipts; values and their strict JSON. No I/O.

Each partner has a feed of its own, numbered without gaps from 1, that holds only what goes to that partner.

# INVARIANT: a page is made of nothing but the partner's own entries. It has no total, no log size and no time, so a page
# for a partner with nothing is the same sequence of bytes whatever the node holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message, PartnerMisbehaved
from kizuna.exchange.envelope import MOST_ENVELOPE_BYTES, payload_type_of, seal, unseal
from kizuna.exchange.manifest import manifest_to_json, read_manifest
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.digests import parse_digest
from kizuna.model.instants import format_instant
from kizuna.model.product import product_from_json, product_to_json
from kizuna.model.reading import open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.exchange.envelope import Signer
    from kizuna.exchange.manifest import Manifest
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import Product

__all__ = [
    "ENTRY_SCHEMA",
    "ENTRY_TYPE",
    "MOST_PAGE_BYTES",
    "MOST_PAGE_ENTRIES",
    "MOST_RECEIPT_BYTES",
    "PUBLISH",
    "RECEIPT_TYPE",
    "RELAY",
    "FeedEntry",
    "FeedPage",
    "Receipt",
    "Refusal",
    "entry_from_json",
    "page_from_bytes",
    "page_to_bytes",
    "page_within_limits",
    "read_answer",
    "seal_entry",
    "seal_receipt",
    "seal_refusal",
    "strictly",
    "unseal_entry",
    "unseal_receipt",
    "unseal_refusal",
]

ENTRY_SCHEMA = "kizuna/feed-entry/1"
_PAGE_SCHEMA = "kizuna/feed/1"
_REFUSAL_SCHEMA = "kizuna/refusal/1"
_RECEIPT_SCHEMA = "kizuna/receipt/1"

ENTRY_TYPE = "application/vnd.kizuna.feed-entry.1+json"
REFUSAL_TYPE = "application/vnd.kizuna.refusal.1+json"
RECEIPT_TYPE = "application/vnd.kizuna.receipt.1+json"

PUBLISH, RELAY = "publish", "relay"
"""Types of the entries that hand out a product: the sender's own, or a third party's with its consent."""

MOST_PAGE_ENTRIES = 100
MOST_PAGE_BYTES = 8 * 2**20
MOST_RECEIPT_BYTES = 16 * 2**10
# Room for the page's own members around its entries.
_PAGE_FRAME_BYTES = 1024


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A product that is handed to one partner, for the first time or in a newer version.

    What else a feed carries is `kizuna.exchange.messages.MessageEntry`.

    Parameters
    ----------
    sequence
        Place in this partner's feed, from 1, without gaps.
    sender, receiver
        Who hands it to whom.
    product
        The product in the form in which it may go.
    manifests
        One for each different file of the product.
    decision
        Why it may go, in the words meant for the partner.
    made_at
        When the entry was made.
    consent
        Where the product is not the sender's own: the envelope in which its originator agrees
        (`kizuna.exchange.onward.OnwardConsent`), still to be unsealed.
    """

    sequence: int
    sender: Party
    receiver: Party
    product: Product
    manifests: tuple[Manifest, ...]
    decision: dict[str, Json]
    made_at: Instant
    consent: bytes | None = None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Entries that follow `after`, as sealed envelopes; `more` says whether another page follows."""

    after: int
    entries: tuple[bytes, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a partner gets nothing at present.

    Parameters
    ----------
    sender, receiver
        Who refuses whom.
    reason
        One plain sentence.
    rule
        Id of the rule that refuses.
    agreement
        Agreement that it is about, if the refusal is about one.
    since
        Since when, if known.
    at
        When it was said.
    """

    sender: Party
    receiver: Party
    reason: str
    rule: str
    agreement: str | None
    since: Instant | None
    at: Instant


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the receiver of an entry confirms: it verified the entry and stored every file of it; and so for some before it.

    Parameters
    ----------
    sender, receiver
        As in the entry: who handed it to whom. The receiver signs the receipt.
    sequence
        Of the entry.
    entry
        Digest of the entry's envelope.
    stored_at
        When it was durable.
    before
        Digests of the envelopes of the entries right before it that it confirms as well, in order.
    """

    sender: Party
    receiver: Party
    sequence: int
    entry: Digest
    stored_at: Instant
    before: tuple[Digest, ...] = ()


def strictly[S, T](what: str, read: Callable[[S], T], document: S) -> T:
    """What `read` makes of a document that a partner sent.

    Raises
    ------
    PartnerMisbehaved
        If it cannot be read.
    """
    try:
        return read(document)
    except (InputError, RecursionError) as error:
        raise PartnerMisbehaved(
            Message("the partner sent a {what} that cannot be read: {why}", {"what": what, "why": str(error)[:500]}),
            hint=Message("compare the versions of kizuna on both sides"),
        ) from error


# ---- entries


def _entry_to_json(entry: FeedEntry) -> dict[str, Json]:
    relayed: dict[str, Json] = {} if entry.consent is None else {"consent": parse_json(entry.consent)}
    return relayed | {
        "schema": ENTRY_SCHEMA,
        "sequence": entry.sequence,
        "sender": entry.sender,
        "receiver": entry.receiver,
        "type": PUBLISH if entry.consent is None else RELAY,
        "product": product_to_json(entry.product),
        "manifests": [manifest_to_json(manifest) for manifest in entry.manifests],
        "decision": entry.decision,
        "made_at": format_instant(entry.made_at),
    }


def entry_from_json(document: object) -> FeedEntry:
    """Entry that hands out a product, of the payload of its envelope.

    Raises
    ------
    InputError
        If the form is off, or files and manifests differ.
    """
    table = open_table(document, schema=ENTRY_SCHEMA, what="feed entry")
    relayed = table.choice("type", [PUBLISH, RELAY]) == RELAY
    decision, consent = table.raw("decision"), table.raw("consent") if relayed else None
    if not isinstance(decision, dict):
        table.fault("decision", Message("a table"))
    if relayed and not isinstance(consent, dict):
        table.fault("consent", Message("the envelope of the originator's consent"))
    entry = FeedEntry(
        sequence=table.integer("sequence", least=1),
        sender=table.party("sender"),
        receiver=table.party("receiver"),
        product=product_from_json(table.raw("product")),
        manifests=tuple(read_manifest(manifest) for manifest in table.tables("manifests")),
        decision=decision,
        made_at=table.instant("made_at"),
        consent=canonical(consent) if isinstance(consent, dict) else None,
    )
    table.done()
    promised = {(asset.digest, asset.size) for asset in entry.product.assets}
    described = [(manifest.digest, manifest.size) for manifest in entry.manifests]
    if len(described) != len(set(described)) or set(described) != promised:
        table.fault("manifests", Message("one manifest for each file of the product, of the same digest and size"))
    return entry


def seal_entry(entry: FeedEntry, signer: Signer) -> bytes:
    """Envelope of `entry`, signed by its sender."""
    return seal(ENTRY_TYPE, _entry_to_json(entry), signer)


def unseal_entry(envelope: bytes, public_key: bytes) -> FeedEntry:
    """Entry of an envelope.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off, or files and manifests differ.
    """
    return strictly("feed entry", entry_from_json, unseal(envelope, public_key, ENTRY_TYPE))


# ---- pages


def page_within_limits(after: int, envelopes: Sequence[bytes], limit: int, *, more: bool) -> FeedPage:
    """Page of as many leading `envelopes` as the limits allow.

    Parameters
    ----------
    after
        Sequence number that was asked for.
    envelopes
        The partner's entries that follow it.
    limit
        Most entries that the partner asked for.
    more
        Whether the feed goes on after `envelopes`.
    """
    taken: list[bytes] = []
    room = MOST_PAGE_BYTES - _PAGE_FRAME_BYTES
    for envelope in envelopes[: min(limit, MOST_PAGE_ENTRIES)]:
        room -= len(envelope) + 1
        if room < 0:
            break
        taken.append(envelope)
    return FeedPage(after, tuple(taken), more or len(taken) < len(envelopes))


def page_to_bytes(page: FeedPage) -> bytes:
    """Canonical JSON of `page`."""
    # Envelopes are canonical JSON already, so they stand in the page as they are.
    entries = b",".join(page.entries)
    more = b"true" if page.more else b"false"
    return b'{"after":%d,"entries":[%b],"more":%b,"schema":"%b"}' % (page.after, entries, more, _PAGE_SCHEMA.encode())


def _read_page(body: bytes) -> FeedPage:
    table = open_table(parse_json(body, field="feed page"), schema=_PAGE_SCHEMA, what="feed page")
    entries = table.raw("entries")
    if not isinstance(entries, list) or len(entries) > MOST_PAGE_ENTRIES:
        table.fault("entries", Message("a list of at most {most} envelopes", {"most": MOST_PAGE_ENTRIES}))
    if not all(isinstance(entry, dict) for entry in entries):
        table.fault("entries", Message("a list of envelopes"))
    page = FeedPage(table.integer("after"), tuple(canonical(entry) for entry in entries), table.boolean("more"))
    table.done()
    return page


def page_from_bytes(body: bytes) -> FeedPage:
    """Page of its bytes; its entries are still to be unsealed.

    Raises
    ------
    PartnerMisbehaved
        If it is over-long or has another form.
    """
    if len(body) > MOST_PAGE_BYTES:
        raise PartnerMisbehaved(
            Message("feed page of {got} bytes, at most {most} are read", {"got": len(body), "most": MOST_PAGE_BYTES}),
            hint=Message("ask the partner's operator to send smaller pages"),
        )
    return strictly("feed page", _read_page, body)


def read_answer(body: bytes, public_key: bytes) -> FeedPage | Refusal:
    """Make of what a partner's feed answered a page or a refusal; a refusal must be signed by the partner.

    Raises
    ------
    PartnerMisbehaved
        If it is neither.
    """
    if len(body) <= MOST_ENVELOPE_BYTES and payload_type_of(body) is not None:
        return unseal_refusal(body, public_key)
    return page_from_bytes(body)


# ---- refusals


def _refusal_to_json(refusal: Refusal) -> dict[str, Json]:
    return {
        "schema": _REFUSAL_SCHEMA,
        "sender": refusal.sender,
        "receiver": refusal.receiver,
        "reason": refusal.reason,
        "rule": refusal.rule,
        "agreement": refusal.agreement,
        "since": None if refusal.since is None else format_instant(refusal.since),
        "at": format_instant(refusal.at),
    }


def _read_refusal(document: object) -> Refusal:
    table = open_table(document, schema=_REFUSAL_SCHEMA, what="refusal")
    refusal = Refusal(
        sender=table.party("sender"),
        receiver=table.party("receiver"),
        reason=table.text("reason"),
        rule=table.text("rule"),
        agreement=table.text("agreement") if table.has("agreement") else None,
        since=table.instant("since") if table.has("since") else None,
        at=table.instant("at"),
    )
    table.done()
    return refusal


def seal_refusal(refusal: Refusal, signer: Signer) -> bytes:
    """Envelope of `refusal`, signed by its sender."""
    return seal(REFUSAL_TYPE, _refusal_to_json(refusal), signer)


def unseal_refusal(envelope: bytes, public_key: bytes) -> Refusal:
    """Refusal of an envelope.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off.
    """
    return strictly("refusal", _read_refusal, unseal(envelope, public_key, REFUSAL_TYPE))


# ---- receipts


def _receipt_to_json(receipt: Receipt) -> dict[str, Json]:
    before: dict[str, Json] = {"before": list(receipt.before)} if receipt.before else {}
    return before | {
        "schema": _RECEIPT_SCHEMA,
        "sender": receipt.sender,
        "receiver": receipt.receiver,
        "sequence": receipt.sequence,
        "entry": receipt.entry,
        "stored_at": format_instant(receipt.stored_at),
    }


def _read_receipt(document: object) -> Receipt:
    table = open_table(document, schema=_RECEIPT_SCHEMA, what="receipt")
    before = table.texts("before", most=MOST_PAGE_ENTRIES - 1)
    receipt = Receipt(
        sender=table.party("sender"),
        receiver=table.party("receiver"),
        sequence=table.integer("sequence", least=1),
        entry=parse_digest(table.text("entry"), field="entry"),
        stored_at=table.instant("stored_at"),
        before=tuple(parse_digest(text, field=table.field("before")) for text in before),
    )
    table.done()
    if len(before) >= receipt.sequence:
        table.fault("before", Message("digests of entries from the first on"))
    return receipt


def seal_receipt(receipt: Receipt, signer: Signer) -> bytes:
    """Envelope of `receipt`, signed by the receiver of the entry."""
    return seal(RECEIPT_TYPE, _receipt_to_json(receipt), signer)


def unseal_receipt(envelope: bytes, public_key: bytes) -> Receipt:
    """Receipt of an envelope.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off.
    """
    return strictly("receipt", _read_receipt, unseal(envelope, public_key, RECEIPT_TYPE, most_bytes=MOST_RECEIPT_BYTES))
