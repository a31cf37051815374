"""Pull a partner's feed: verify each entry, store its files chunk by chunk, then record it and move the cursor at once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kizuna.catalog.store import Item
from kizuna.errors import Message, PartnerMisbehaved, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.feed import MOST_PAGE_ENTRIES, FeedEntry, Receipt, Refusal, read_answer, seal_receipt
from kizuna.exchange.manifest import fetch_verified
from kizuna.exchange.messages import MessageEntry, unseal_any
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.instants import format_instant
from kizuna.model.product import product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.take_messages import owed_witness_answer, take_message, witness_told
from kizuna.node.withdrawals import owed_answers, was_told
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.exchange.transport import Transport
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.product import Product
    from kizuna.node.state import Node, Partner

    type Progress = Callable[[str, int, int], None]

__all__ = ["Intake", "PullReport", "pull"]

_OWED = "receipt_owed"
_UNTOUCHED = Message("nothing of it was taken over; tell the partner's operator")


@dataclass(slots=True)
class PullReport:
    """What one pull brought.

    Parameters
    ----------
    partner
        From whom.
    received
        Products that are new here, or came in a newer version.
    payload_bytes
        Bytes of files that were fetched.
    messages
        What else came: recalls, notices, checkpoints, alerts, requests.
    refusal
        The partner's signed refusal, if it refused.
    """

    partner: str
    received: list[Product] = field(default_factory=list)
    payload_bytes: int = 0
    messages: list[MessageEntry] = field(default_factory=list)
    refusal: Refusal | None = None


def _misbehaved(partner: Partner, entry: FeedEntry | MessageEntry, why: str) -> PartnerMisbehaved:
    return PartnerMisbehaved(
        Message("entry {sequence} of {partner}: {why}", {"sequence": entry.sequence, "partner": partner.party, "why": why}),
        hint=_UNTOUCHED,
    )


def _check_place(node: Node, partner: Partner, entry: FeedEntry | MessageEntry, expected: int) -> None:
    if entry.sequence != expected:
        raise _misbehaved(partner, entry, f"expected number {expected}")
    if entry.sender != partner.party or entry.receiver != node.organisation:
        raise _misbehaved(partner, entry, f"made by {entry.sender} for {entry.receiver}")


def _check(node: Node, partner: Partner, entry: FeedEntry) -> None:
    if entry.product.originator != partner.party:
        # Passing on what a third party made comes with that party's own signature; this version does not take it.
        raise _misbehaved(partner, entry, f"it passes on a product of {entry.product.originator}")
    if entry.product.label.originator != partner.party:
        raise _misbehaved(partner, entry, f"its label is that of {entry.product.label.originator}")
    if entry.product.content not in {asset.digest for asset in entry.product.assets}:
        # Else a partner could take the digest of a file that it never had, and keep us from publishing that file.
        raise _misbehaved(partner, entry, "its content is none of its files")
    if entry.decision.get("outcome") != Outcome.PERMIT.value:
        raise PartnerMisbehaved(
            Message(
                "entry {sequence} of {partner}: the decision in it is no permit",
                {"sequence": entry.sequence, "partner": partner.party},
            ),
            hint=_UNTOUCHED,
        )
    held = node.store.items.get(entry.product.id)
    if held is not None and held.received_from != partner.party:
        raise _misbehaved(partner, entry, "its product id is that of a product from elsewhere")
    if held is not None:
        _check_version(partner, entry, held.product)


def _is_same(product: Product, held: Product) -> bool:
    return canonical(product_to_json(product)) == canonical(product_to_json(held))


def _check_version(partner: Partner, entry: FeedEntry, held: Product) -> None:
    """Let a partner say again what it said, or hand over a newer version; never rewrite what is held."""
    product = entry.product
    values: dict[str, str | int | float] = {
        "sequence": entry.sequence,
        "partner": partner.party,
        "product": product.id,
        "got": product.version,
        "held": held.version,
    }
    if product.version < held.version:
        raise PartnerMisbehaved(
            Message(
                "entry {sequence} of {partner}: version {got} of {product} is older than version {held}, which is here", values
            ),
            hint=_UNTOUCHED,
        )
    if product.version == held.version and not _is_same(product, held):
        raise PartnerMisbehaved(
            Message("entry {sequence} of {partner}: version {got} of {product} is here with another record", values),
            hint=_UNTOUCHED,
        )


@dataclass(frozen=True, slots=True)
class Intake:
    """How much a partner may bring.

    Parameters
    ----------
    files, payload_bytes
        Most files and bytes of one entry.
    entries
        Most entries of one pull.
    """

    files: int = 1_000
    payload_bytes: int = 1_000_000_000_000
    entries: int = 1_000_000


_INTAKE = Intake()


def _require_room(partner: Partner, entry: FeedEntry, intake: Intake) -> None:
    """Refuse an entry that brings more than this node takes in, before anything of it is fetched."""
    found = (
        ("intake_files", len(entry.manifests), intake.files),
        ("intake_bytes", sum(manifest.size for manifest in entry.manifests), intake.payload_bytes),
    )
    for name, got, most in found:
        if got > most:
            raise PartnerMisbehaved(
                Message(
                    "entry {sequence} of {partner} brings {got} where at most {most} are taken in ({name})",
                    {"sequence": entry.sequence, "partner": partner.party, "got": got, "most": most, "name": name},
                ),
                hint=Message("if that is meant, raise {name} in kizuna.toml and pull again", {"name": name}),
                field=name,
            )


def pull(
    node: Node, partner: Partner, transport: Transport, progress: Progress | None = None, intake: Intake = _INTAKE
) -> PullReport:
    """Take everything new from a partner's feed.

    Parameters
    ----------
    node
        This node.
    partner
        Whose feed.
    transport
        Way to the partner.
    progress
        Told the title of a product, the bytes that came so far and the bytes in all.
    intake
        How much the partner may bring.

    Returns
    -------
    report
        What came, or why nothing did. What was stored before an error stays stored; pulling again goes on from there.

    Raises
    ------
    PartnerUnreachable
        If the partner does not answer.
    PartnerMisbehaved
        If something does not verify; nothing of that entry is taken over.
    """
    node.require_confirmed()
    report = PullReport(partner.party)
    taken = 0
    shown: set[Digest] = set()
    book = node.store.book
    _send_owed_receipt(node, partner, transport)
    _send_answers(node, partner, transport)
    while True:
        came = transport.feed(book.cursor(partner.party), MOST_PAGE_ENTRIES)
        answer = read_answer(came, partner.key_for(came))
        if isinstance(answer, Refusal):
            if answer.sender != partner.party or answer.receiver != node.organisation:
                raise PartnerMisbehaved(Message("{partner} sent a refusal that is meant for another", {"partner": partner.party}))
            report.refusal = answer
            with node.store.transaction():
                book.note(partner.party, "last_refusal", format_instant(node.now()))
                book.note(partner.party, "refusal_cause", answer.reason)
            _send_answers(node, partner, transport)
            return report
        for envelope in answer.entries[: intake.entries - taken]:
            entry = unseal_any(envelope, partner.key_for(envelope))
            _check_place(node, partner, entry, book.cursor(partner.party) + 1)
            if isinstance(entry, MessageEntry):
                take_message(node, partner, entry, envelope, _OWED)
                report.messages.append(entry)
                _send_owed_receipt(node, partner, transport)
                continue
            _check(node, partner, entry)
            _require_room(partner, entry, intake)
            held = node.store.items.get(entry.product.id)
            report.payload_bytes += _fetch(node, partner, entry, transport, progress, shown)
            _store(node, partner, entry, envelope)
            if held is None or not _is_same(entry.product, held.product):
                report.received.append(entry.product)
            _send_owed_receipt(node, partner, transport)
        taken += len(answer.entries)
        if not answer.more or not answer.entries or taken >= intake.entries:
            _send_answers(node, partner, transport)
            _forget_parts(node, partner, set())
            return report


def _send_owed_receipt(node: Node, partner: Partner, transport: Transport) -> None:
    """Confirm the last entry taken, if that has not reached the partner yet (the link may have broken in between)."""
    owed = node.store.book.notes(partner.party).get(_OWED)
    if not owed:
        return
    sequence, _, entry = owed.partition(" ")
    receipt = Receipt(partner.party, node.organisation, int(sequence), parse_digest(entry), node.now())
    transport.receipt(seal_receipt(receipt, node.keys))
    with node.store.transaction():
        node.store.book.note(partner.party, _OWED, "")


def _send_answers(node: Node, partner: Partner, transport: Transport) -> None:
    """Send the answers to recalls and checkpoints that the partner does not have yet.

    One that it does not take stays owed, and keeps nothing else away: the partner may have lost what it asked.
    """
    for withdrawn, envelope in owed_answers(node, partner.party):
        with suppress(PartnerMisbehaved):
            transport.receipt(envelope)
            was_told(node, withdrawn)
    witnessed = owed_witness_answer(node, partner.party)
    if witnessed is not None:
        text, envelope = witnessed
        with suppress(PartnerMisbehaved):
            transport.receipt(envelope)
            witness_told(node, partner.party, text)


def _fetch(
    node: Node, partner: Partner, entry: FeedEntry, transport: Transport, progress: Progress | None, shown: set[Digest]
) -> int:
    """Store the files of an entry; `shown` are those that the partner is known to have. Gives the count of bytes fetched."""
    total = sum(manifest.size for manifest in entry.manifests)
    came = fetched = 0
    # Whatever else broke off on the way from this partner is of no entry that could still come.
    _forget_parts(node, partner, {manifest.digest for manifest in entry.manifests})
    for manifest in entry.manifests:

        def told(digest: Digest, offset: int, length: int, before: int = came) -> bytes | memoryview:
            data = transport.blob(digest, offset, length)
            if progress is not None:
                progress(entry.product.title, before + offset + len(data), total)
            return data

        if not node.blobs.has(manifest.digest):
            fetched += node.blobs.receive(manifest, told, partner.party)
        elif manifest.digest not in shown and _belongs_to_another(node, partner, manifest.digest):
            # A digest proves nothing: whoever names a file of ours or of a third party must show that it has it.
            for _chunk in fetch_verified(manifest, told):
                pass
            fetched += manifest.size
        shown.add(manifest.digest)
        came += manifest.size
    return fetched


def _forget_parts(node: Node, partner: Partner, awaited: set[Digest]) -> None:
    """Remove what broken transfers left of files that will not come: from this partner all but those, and from strangers."""
    known = node.knowledge().partners
    node.blobs.forget_parts(
        lambda owner, digest: owner in known and (owner != partner.party or digest in awaited),
    )


def _belongs_to_another(node: Node, partner: Partner, blob: Digest) -> bool:
    """Whether a file that is here belongs to a product that did not come from this partner."""
    return any(
        item.received_from != partner.party and any(asset.digest == blob for asset in item.product.assets)
        for item in node.store.items.all()
    )


def _store(node: Node, partner: Partner, entry: FeedEntry, envelope: bytes) -> None:
    terms: dict[str, Json] = dict(entry.decision)
    body: dict[str, Json] = {
        "partner": partner.party,
        "sequence": entry.sequence,
        # The whole record and the terms, so that an audit can hold what is stored now against what was signed then.
        "product": product_to_json(entry.product),
        "terms": terms,
        "entry": digest_of(envelope),
        # Should the key be revoked one day, this is what it casts doubt on.
        "key": key_id_of(partner.key_for(envelope)),
        "blobs": [manifest.digest for manifest in entry.manifests],
    }
    with node.store.transaction():
        if not all(node.blobs.has(manifest.digest) for manifest in entry.manifests):
            raise StoreError(
                Message("a file of {product} was removed while it came", {"product": entry.product.id}),
                hint=Message("a recalled product shared it, and was destroyed just now; receive again"),
            )
        node.journal.record(FactKind.PRODUCT_RECEIVED, body, by="exchange", authority=f"signature of {partner.party}")
        node.store.items.put(Item(entry.product, received_from=partner.party, terms=canonical(terms).decode()))
        node.store.book.advance(partner.party, entry.sequence)
        node.store.book.note(partner.party, _OWED, f"{entry.sequence} {digest_of(envelope)}")
        node.store.book.note(partner.party, "last_in", format_instant(node.now()))
