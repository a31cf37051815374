"""Pull a partner's feed: verify each entry, store its files chunk by chunk, then record it and move the cursor at once.

Entries whose files are small are taken together: what a disk and a line cost is then paid once for many of them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from kizuna.catalog.store import Item
from kizuna.errors import KizunaError, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.feed import (
    MOST_PAGE_ENTRIES,
    PUBLISH,
    RELAY,
    FeedEntry,
    Receipt,
    Refusal,
    read_answer,
    seal_receipt,
)
from kizuna.exchange.manifest import CHUNK_BYTES, fetch_verified
from kizuna.exchange.messages import MessageEntry, unseal_any
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.instants import format_instant
from kizuna.model.product import product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.onward import keep_passed_on, relay_fault
from kizuna.node.take_messages import owed_witness_answer, take_message, witness_told
from kizuna.node.versions import all_superseded, keep_superseded
from kizuna.node.withdrawals import owed_answers, was_told
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kizuna.exchange.manifest import Manifest
    from kizuna.exchange.transport import Transport
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.product import Product
    from kizuna.node.state import Node, Partner

    type Progress = Callable[[str, int, int], None]

__all__ = ["Intake", "PullReport", "pull"]

_OWED = "receipt_owed"
# What is taken together: so much is lost of what came, at most, should this process be killed.
_MOST_FILES_TOGETHER = 100
_MOST_BYTES_TOGETHER = CHUNK_BYTES
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
    if entry.product.originator != partner.party or entry.consent is not None:
        why = relay_fault(node, entry)
        if why is not None:
            raise PartnerMisbehaved(
                Message(
                    "entry {sequence} of {partner}: {why}",
                    {"sequence": entry.sequence, "partner": partner.party, "why": why},
                ),
                hint=_UNTOUCHED,
            )
    elif entry.product.label.originator != partner.party:
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
    if held is None:
        return
    if held.received_from is None or held.product.originator != entry.product.originator:
        # Whoever passed a product on does not make it its own thereby, be it under a newer version.
        raise _misbehaved(partner, entry, "its product id is that of a product from elsewhere")
    if held.received_from == partner.party:
        _check_version(partner, entry, held.product)


def _came_otherwise(node: Node, partner: Partner, entry: FeedEntry) -> bool:
    """Whether what an entry hands out is here by another way, and stays as it is.

    One originator's product can come from itself and from those to whom it agreed that they pass it on. What came from itself
    stands; of others the one that came first, until a newer version comes.
    """
    held = node.store.items.get(entry.product.id)
    if held is None or held.received_from == partner.party:
        return False
    if entry.consent is None:
        return entry.product.version < held.product.version
    return held.received_from == held.product.originator or entry.product.version <= held.product.version


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
    ClockBehind
        If the clock stands behind the log: also where there is nothing to take, nobody may believe that all is well.
    """
    node.require_confirmed()
    node.now()
    report = PullReport(partner.party)
    came = 0
    book = node.store.book
    with suppress(PartnerMisbehaved):
        # One that is not taken holds nothing up: that for a later entry confirms this one as well. It is told at the end.
        _send_owed_receipt(node, partner, transport)
    _send_answers(node, partner, transport)
    taking = _Taking(node, partner, transport, progress, intake, report)
    while True:
        body = transport.feed(book.cursor(partner.party), MOST_PAGE_ENTRIES)
        # Its keys may have changed: said by itself a page ago, or taken in by another process.
        partner = taking.partner = node.partner(partner.party)
        answer = read_answer(body, partner.key_for(body))
        if isinstance(answer, Refusal):
            if answer.sender != partner.party or answer.receiver != node.organisation:
                raise PartnerMisbehaved(Message("{partner} sent a refusal that is meant for another", {"partner": partner.party}))
            report.refusal = answer
            with node.store.transaction():
                book.note(partner.party, "last_refusal", format_instant(node.now()))
                book.note(partner.party, "refusal_cause", answer.reason)
            _send_answers(node, partner, transport)
            return report
        try:
            for envelope in answer.entries[: intake.entries - came]:
                taking.take(envelope)
        except KizunaError:
            # What came before a faulty entry stays.
            taking.finish()
            raise
        taking.finish()
        came += len(answer.entries)
        if not answer.more or not answer.entries or came >= intake.entries:
            _send_answers(node, partner, transport)
            _forget_parts(node, partner, set())
            _send_owed_receipt(node, partner, transport)
            return report


class _Taking:
    """Takes a partner's entries, in order; those with small files wait for each other, until `finish`."""

    __slots__ = ("_intake", "_node", "_progress", "_report", "_shown", "_transport", "_waiting", "partner")

    def __init__(
        self,
        node: Node,
        partner: Partner,
        transport: Transport,
        progress: Progress | None,
        intake: Intake,
        report: PullReport,
    ) -> None:
        self._node, self.partner, self._transport = node, partner, transport
        self._progress, self._intake, self._report = progress, intake, report
        self._waiting: list[tuple[FeedEntry, bytes]] = []
        # Files that are here, and that the partner is known to have.
        self._shown: set[Digest] = set()

    def take(self, envelope: bytes) -> None:
        """Check the entry that comes next and take it, now or together with those that follow."""
        node, partner = self._node, self.partner
        entry = unseal_any(envelope, partner.key_for(envelope))
        _check_place(node, partner, entry, node.store.book.cursor(partner.party) + len(self._waiting) + 1)
        if isinstance(entry, MessageEntry):
            self.finish()
            take_message(node, partner, entry, envelope, _OWED)
            # It may have said that its keys change.
            self.partner = node.partner(partner.party)
            self._report.messages.append(entry)
            _send_owed_receipt(node, partner, self._transport)
            return
        if entry.product.id in {other.product.id for other, _ in self._waiting}:
            # It is held against the version before it.
            self.finish()
        _check(node, partner, entry)
        if _came_otherwise(node, partner, entry):
            self.finish()
            _leave(node, partner, entry, envelope)
            _send_owed_receipt(node, partner, self._transport)
            return
        _require_room(partner, entry, self._intake)
        if not _fit_together([*(other for other, _ in self._waiting), entry]):
            self.finish()
        self._waiting.append((entry, envelope))

    def finish(self) -> None:
        """Take what waits: its files, then all that it says in one transaction, then confirm it.

        What came whole before something failed is taken.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        whole: list[tuple[FeedEntry, bytes]] = []
        try:
            # Whatever else broke off on the way from this partner is of no entry that could still come.
            _forget_parts(self._node, self.partner, {m.digest for entry, _ in waiting for m in entry.manifests})
            self._bring_together([entry for entry, _ in waiting])
            for taken in waiting:
                self._bring(taken[0])
                whole.append(taken)
        except KizunaError:
            # What failed is told, and not that the line is down for the receipt as well.
            with suppress(PartnerUnreachable, PartnerMisbehaved):
                self._keep(whole)
            raise
        self._keep(whole)

    def _keep(self, taken: Sequence[tuple[FeedEntry, bytes]]) -> None:
        if not taken:
            return
        held = {entry.product.id: self._node.store.items.get(entry.product.id) for entry, _ in taken}
        _store(self._node, self.partner, taken)
        for entry, _ in taken:
            item = held[entry.product.id]
            if item is None or not _is_same(entry.product, item.product):
                self._report.received.append(entry.product)
        _send_owed_receipt(self._node, self.partner, self._transport)

    # ---- files

    def _bring_together(self, entries: Sequence[FeedEntry]) -> None:
        """Fetch and store small files in one go, as far as they come; what does not is asked for again, and told then."""
        node = self._node
        every = {manifest.digest: (entry, manifest) for entry in entries for manifest in entry.manifests}
        missing = [found for digest, found in every.items() if not node.blobs.has(digest)]
        if len(missing) <= 1 or not _fit_together(entries):
            return

        def bodies() -> Iterator[bytes | memoryview]:
            came = self._transport.blobs([(manifest.digest, manifest.size) for _, manifest in missing])
            for (entry, manifest), data in zip(missing, came, strict=True):
                self._tell(entry, manifest, 0, data)
                yield data
                self._shown.add(manifest.digest)

        with suppress(NotReleasable, PartnerMisbehaved, PartnerUnreachable):
            node.blobs.receive_all([manifest for _, manifest in missing], bodies())

    def _bring(self, entry: FeedEntry) -> None:
        """Have all files of an entry."""
        node = self._node
        for manifest in entry.manifests:
            if not node.blobs.has(manifest.digest):
                node.blobs.receive(manifest, self._told(entry, manifest), self.partner.party)
            elif manifest.digest not in self._shown and _belongs_to_another(node, self.partner, manifest.digest):
                # A digest proves nothing: whoever names a file of ours or of a third party must show that it has it.
                for _chunk in fetch_verified(manifest, self._told(entry, manifest)):
                    pass
            self._shown.add(manifest.digest)

    def _told(self, entry: FeedEntry, manifest: Manifest) -> Callable[[Digest, int, int], bytes | memoryview]:
        """How a file of an entry is fetched in pieces."""

        def fetch(digest: Digest, offset: int, length: int) -> bytes | memoryview:
            data = self._transport.blob(digest, offset, length)
            self._tell(entry, manifest, offset, data)
            return data

        return fetch

    def _tell(self, entry: FeedEntry, manifest: Manifest, offset: int, data: bytes | memoryview) -> None:
        self._report.payload_bytes += len(data)
        if self._progress is not None:
            before = sum(m.size for m in takewhile(lambda m: m is not manifest, entry.manifests))
            self._progress(entry.product.title, before + offset + len(data), sum(m.size for m in entry.manifests))


def _fit_together(entries: Sequence[FeedEntry]) -> bool:
    """Whether the files of entries are few and small enough to be taken together."""
    sizes = [manifest.size for entry in entries for manifest in entry.manifests]
    return len(sizes) <= _MOST_FILES_TOGETHER and sum(sizes) <= _MOST_BYTES_TOGETHER


def _send_owed_receipt(node: Node, partner: Partner, transport: Transport) -> None:
    """Confirm the entries taken last, if that has not reached the partner yet (the link may have broken in between)."""
    owed = node.store.book.notes(partner.party).get(_OWED)
    if not owed:
        return
    sequence, *digests = owed.split()
    entry, *before = map(parse_digest, digests)
    receipt = Receipt(partner.party, node.organisation, int(sequence), entry, node.now(), tuple(before))
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
    ) or any(before.received_from != partner.party and blob in before.blobs for before in all_superseded(node))


def _leave(node: Node, partner: Partner, entry: FeedEntry, envelope: bytes) -> None:
    """Take the number of an entry, and nothing of what it hands out."""
    body: dict[str, Json] = {
        "partner": partner.party,
        "sequence": entry.sequence,
        "type": PUBLISH if entry.consent is None else RELAY,
        "entry": digest_of(envelope),
        "content": {"product": entry.product.id, "version": entry.product.version, "held": True},
    }
    with node.store.transaction():
        node.journal.record(FactKind.MESSAGE_RECEIVED, body, by="exchange", authority=f"signature of {partner.party}")
        node.store.book.advance(partner.party, entry.sequence)
        node.store.book.note(partner.party, _OWED, f"{entry.sequence} {digest_of(envelope)}")
        node.store.book.note(partner.party, "last_in", format_instant(node.now()))


def _store(node: Node, partner: Partner, taken: Sequence[tuple[FeedEntry, bytes]]) -> None:
    """Record entries whose files are here, and move the cursor, in one transaction."""
    digests = [digest_of(envelope) for _, envelope in taken]
    facts = [(FactKind.PRODUCT_RECEIVED, _received(partner, entry, envelope)) for entry, envelope in taken]
    with node.store.transaction():
        for entry, _ in taken:
            if not all(node.blobs.has(manifest.digest) for manifest in entry.manifests):
                raise StoreError(
                    Message("a file of {product} was removed while it came", {"product": entry.product.id}),
                    hint=Message("a recalled product shared it, and was destroyed just now; receive again"),
                )
            # INVARIANT: what is stored was checked against what is here now. While its files came, another pull may have brought
            # the same product, or the consent under which it is passed on may have ended.
            _check(node, partner, entry)
            if _came_otherwise(node, partner, entry):
                raise StoreError(
                    Message("{product} came by another way meanwhile", {"product": entry.product.id}),
                    hint=Message("receive again"),
                )
        now = node.journal.record_all(facts, by="exchange", authority=f"signature of {partner.party}")
        for entry, _ in taken:
            held = node.store.items.get(entry.product.id)
            if held is not None and held.product.version < entry.product.version:
                keep_superseded(node, held, now)
            keep_passed_on(node, entry)
            node.store.items.put(Item(entry.product, partner.party, canonical(dict(entry.decision)).decode()))
            node.store.book.advance(partner.party, entry.sequence)
        node.store.book.note(partner.party, _OWED, " ".join([str(taken[-1][0].sequence), digests[-1], *digests[:-1]]))
        node.store.book.note(partner.party, "last_in", format_instant(node.now()))


def _received(partner: Partner, entry: FeedEntry, envelope: bytes) -> dict[str, Json]:
    """Body of the fact that an entry was received."""
    terms: dict[str, Json] = dict(entry.decision)
    passed_on: dict[str, Json] = {} if entry.consent is None else {"consent": entry.consent.decode()}
    return passed_on | {
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
