"""What a partner's node gets from ours: the decision is taken when a product is queued and again whenever it is served.

Each partner has a feed of its own, numbered without gaps. A product gets its number only at the moment at which it is first
served, so nothing that is withheld leaves a trace in the numbers. Withheld products stay in the queue: a suspension freezes
them, a resumption has each decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING

from kizuna.errors import KizunaError, Message, PartnerMisbehaved, StoreError
from kizuna.exchange.answers import RECALL_ANSWER_TYPE, WITNESS_ANSWER_TYPE
from kizuna.exchange.envelope import payload_type_of
from kizuna.exchange.feed import (
    FeedEntry,
    Refusal,
    page_to_bytes,
    page_within_limits,
    seal_refusal,
    unseal_receipt,
)
from kizuna.exchange.messages import Closed, MessageEntry, unseal_any
from kizuna.exchange.rotation import ROTATION_TYPE, SEALING_KEY_TYPE
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, format_instant, parse_instant
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import as_labelled_now, decide_item, decider, decision_facts, labelling, partner_terms
from kizuna.node.entries import Release, record_releases, release
from kizuna.node.follow_keys import take_handed_statement
from kizuna.node.forms import form_for
from kizuna.node.manifests import Manifests
from kizuna.node.messages import is_message, make_message, not_recalled, waiting_message, was_recalled, why_withheld
from kizuna.node.onward import consent_of, tell_consents
from kizuna.node.present_key import has_former_signature, under_present_key
from kizuna.node.reads import ReadForm
from kizuna.node.recall import recall_of, recall_withdrawn, take_recall_answer, withdraw_of
from kizuna.node.reduce import outgoing_label, prepare, reduces_for
from kizuna.node.turning import turning_points
from kizuna.node.witnessing import queue_checkpoint, take_witness_answer
from kizuna.release.decide import any_live_grant, suspended_grants
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId
    from kizuna.node.ports import Outgoing
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision, Reason

__all__ = ["BlobPart", "FeedAnswer", "Sharing", "queue_for_partners", "reconsider_all"]

_RECONSIDERED = "reconsidered"
_MOST_NUMBERED_AT_ONCE = 50
_MOST_QUEUED_AT_ONCE = 128
_PERMIT = timedelta(seconds=0.1)
_MOST_PERMITS = 256
_MOST_OPENED_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class FeedAnswer:
    """Bytes for the partner, and whether they are a refusal."""

    body: bytes
    refused: bool


@dataclass(frozen=True, slots=True)
class BlobPart:
    """Some bytes of a blob.

    Parameters
    ----------
    data
        Bytes from the offset that was asked for.
    size
        Length of the whole blob in bytes.
    """

    data: bytes
    size: int


def queue_for_partners(
    node: Node, products: Iterable[Product], partners: Iterable[Party] | None = None
) -> list[tuple[Product, Party, Decision]]:
    """Decide on each product for each partner, record each decision and queue what is permitted.

    Call it inside the store's open transaction.
    """
    now = node.now()
    known = node.knowledge()
    partners = sorted(known.partners) if partners is None else list(partners)
    decide, labelled = decider(node), labelling(node)
    made = [(product, partner, decide(product, partner)) for product in products for partner in partners]
    if made:
        facts = decision_facts([(labelled(product), partner, decision) for product, partner, decision in made], "queue", now)
        node.journal.record_all(facts, by=node.by, authority="release rules")
    for partner in partners:
        permitted = [product.id for product, to, d in made if to == partner and d.outcome is Outcome.PERMIT]
        node.store.book.enqueue(partner, *not_recalled(node, partner, permitted))
    return made


def reconsider_all(node: Node) -> None:
    """Queue at once what a change of the register lets go, or calls back, rather than when a serving node looks next."""
    desk = Sharing(node)
    for party in node.knowledge().partners:
        desk.reconsider(party, node.now())


def _obligations(terms: dict[str, Json]) -> list[tuple[str, str]]:
    """Kind and value of each obligation in the terms of a permit."""
    found = terms.get("obligations")
    if not isinstance(found, list):
        return []
    return [(str(o["kind"]), str(o["value"])) for o in found if isinstance(o, dict)]


def _unlike(outgoing: Outgoing, why: str) -> StoreError:
    return StoreError(
        Message(
            "entry {sequence} of the feed for {partner} does not verify: {why}",
            {"sequence": outgoing.sequence, "partner": outgoing.partner, "why": why},
        ),
        hint=Message("restore the node from a backup and confirm its tail; keep the damaged folder as evidence"),
    )


class Sharing:
    """Partners' desk: what the exchange listener asks on behalf of a partner whose certificate was verified.

    Parameters
    ----------
    node
        This node.
    in_background
        True where somebody else calls `reconsider` and `prepare`: a partner's request then does no work that depends on what the
        node holds for others, and takes no longer for it.
    """

    def __init__(self, node: Node, *, in_background: bool = False) -> None:
        self._node = node
        self._in_background = in_background
        # Of each partner what was recorded and reconsidered when its files were last looked after.
        self._prepared: dict[Party, tuple[str | None, str | None]] = {}
        # Of each file on its way to a partner the log's head and the instant at which it was last permitted.
        # What was verified of signed entries lately, by their very bytes.
        self._entries: dict[bytes, FeedEntry | MessageEntry] = {}
        self._permits: dict[tuple[Party, Digest], tuple[str | None, Instant, ProductId]] = {}
        # The same of the place of the node's folder and the end of its log.
        self._confirmed: tuple[str | None, Instant] | None = None
        self._manifests = Manifests(node.blobs)

    def peer_of(self, fingerprint: str) -> Party | None:
        """Partner to whom the certificate with this SHA-256 belongs."""
        now = self._node.journal.clock.now()
        for party, partner in self._node.knowledge().partners.items():
            # Whose key was revoked is nobody here until it is pinned anew: who asks may be somebody else.
            if fingerprint in partner.fingerprints(now):
                return party
        return None

    # ---- feed

    def feed(self, peer: Party, after: int, limit: int) -> FeedAnswer:
        """Page of the partner's feed, or a signed refusal.

        While agreements with the partner are suspended it gets the messages that stand first, and then the refusal.
        """
        node = self._node
        node.require_confirmed()
        now = node.now()
        told = suspended_grants(node.knowledge().register, node.organisation, peer, now)
        if not told and not self._in_background:
            self.reconsider(peer, now)
            self.prepare(peer)
        book = node.store.book
        if after > book.last_sequence(peer):
            self._tell_of_set_back(peer, after, now)
        ready = self._still_permitted(peer, book.outgoing(peer, after, limit), frozen=bool(told))
        more = len(ready) == limit
        if not more and after + len(ready) == book.last_sequence(peer):
            # INVARIANT: whether more follows is told by what was permitted, never by what waits.
            fresh = self._sequence_waiting(peer, min(limit - len(ready), _MOST_NUMBERED_AT_ONCE))
            ready += fresh
            more = len(ready) == limit or len(fresh) == _MOST_NUMBERED_AT_ONCE
        if told and not ready:
            return FeedAnswer(self._refuse(peer, told[0], now), refused=True)
        # What follows the messages of a suspended partner is the refusal.
        more = more or bool(told)
        page = page_within_limits(after, [outgoing.envelope for outgoing in ready], limit, more=more)
        if page.entries:
            book.note(peer, "last_out", format_instant(now))
        return FeedAnswer(page_to_bytes(page), refused=False)

    def _tell_of_set_back(self, peer: Party, after: int, now: Instant) -> None:
        """Tell the operator of a partner who has more of its feed than this log knows of.

        The whole machine was set back, what it remembers of its tail included, or the partner lies. Either way its feed stands:
        nothing is numbered for who asks beyond its end, so no number is given a second time.
        """
        book = self._node.store.book
        why = Message(
            "{partner} says that it has entry {after} of its feed, and this log ends at {last}: was this node set back?",
            {"partner": peer, "after": after, "last": book.last_sequence(peer)},
        ).render()
        if book.notes(peer).get("refusal_cause") != why:
            with self._node.store.transaction():
                book.note(peer, "last_refusal", format_instant(now))
                book.note(peer, "refusal_cause", why)

    def _refuse(self, peer: Party, reason: Reason, now: Instant) -> bytes:
        node = self._node
        refusal = Refusal(
            sender=node.organisation,
            receiver=peer,
            reason=reason.message.render(),
            rule=reason.rule,
            agreement=reason.agreement,
            since=reason.begin,
            at=now,
        )
        envelope = seal_refusal(refusal, node.keys)
        # Recorded once for each suspension, not for each of the partner's attempts.
        cause = f"{reason.agreement} {'' if reason.begin is None else format_instant(reason.begin)}"
        body: dict[str, Json] = {"partner": peer, "agreement": reason.agreement, "reason": refusal.reason, "rule": refusal.rule}
        with node.store.transaction():
            if node.store.book.notes(peer).get("refused_for") != cause:
                node.journal.record(FactKind.REFUSAL_SERVED, body, by="exchange", authority=f"suspension of {reason.agreement}")
                node.store.book.note(peer, "refused_for", cause)
            node.store.book.note(peer, "last_refusal", format_instant(now))
            node.store.book.note(peer, "refusal_cause", refusal.reason)
        return envelope

    def reconsider(self, peer: Party, now: Instant) -> None:
        """Decide anew on everything if an agreement began, ended or changed since the last time."""
        node = self._node
        recall_withdrawn(node)
        queue_checkpoint(node, peer, now)
        noted = node.store.book.notes(peer).get(_RECONSIDERED)
        since = None if noted is None else parse_instant(noted)
        # What was recorded at the very instant of the last look may have come after it.
        if since is not None and not any(since <= moment <= now for moment in turning_points(node)):
            return
        book = node.store.book
        known = set(book.waiting(peer)) | {o.product for o in book.outgoing(peer, 0, book.last_sequence(peer))}
        fresh = [item.product for item in node.store.items.all() if item.product.id not in known]
        left = set(not_recalled(node, peer, [product.id for product in fresh]))
        decide = decider(node)
        permitted = [product for product in fresh if product.id in left and decide(product, peer).outcome is Outcome.PERMIT]
        # The lock is held for some products at a time: a suspension must not wait for it.
        for some in batched(permitted, _MOST_QUEUED_AT_ONCE):
            with node.store.transaction():
                queue_for_partners(node, some, [peer])
        book.note(peer, _RECONSIDERED, format_instant(now))

    def prepare(self, peer: Party) -> None:
        """Make the reduced files of what is to go to a partner, if anything was recorded or reconsidered since the last time.

        It may take minutes, and holds no lock meanwhile: a product whose files are not made yet waits, those behind it do not.
        """
        node, book = self._node, self._node.store.book
        state = node.store.log.checkpoint(), book.notes(peer).get(_RECONSIDERED)
        note, reconsidered = self._prepared.get(peer, (None, None))
        if not reduces_for(node, peer) or (reconsidered == state[1] and node.reads.are_all_since(note, state[0])):
            return
        # What was signed and is not confirmed may have to be sealed anew, in another form.
        signed = book.outgoing(peer, book.acknowledged(peer), book.last_sequence(peer))
        prepare(node, peer, [*(outgoing.product for outgoing in signed), *book.waiting(peer)])
        self._prepared[peer] = state

    def _still_permitted(self, peer: Party, entries: Sequence[Outgoing], *, frozen: bool) -> list[Outgoing]:
        """Leading entries that may still go: behind one that may not, the feed stops rather than leave a gap.

        What was signed under fewer obligations than hold now, and was not confirmed yet, is sealed anew under its number; and
        so is what was recalled before it arrived, as its recall. What was confirmed, and is asked for again, is closed where it
        may not go any more, unless everything is `frozen`: then the partner is told so, and nothing is for ever.
        """
        ready: list[Outgoing] = []
        for outgoing in entries:
            current = outgoing
            if is_message(outgoing.product):
                if why_withheld(self._node, peer, self._message(outgoing).content, self._node.now()) is not None:
                    break
            elif self._may_go_now(peer, outgoing) is None:
                sealed = (self._called_back if was_recalled(self._node, peer, outgoing.product) else self._seal_anew)(
                    peer, outgoing
                )
                if sealed is None and not frozen:
                    sealed = self._close(peer, outgoing)
                if sealed is None:
                    break
                current = sealed
            presented = self._under_present_key(peer, current)
            if presented is None:
                break
            ready.append(presented)
        return ready

    def _under_present_key(self, peer: Party, outgoing: Outgoing) -> Outgoing | None:
        """Entry that may go, sealed anew if the key that signed it was given up since: the partner may believe that no more."""
        node = self._node
        if not has_former_signature(node.journal, outgoing.envelope):
            return outgoing
        entry = self._opened(outgoing)
        if not isinstance(entry, MessageEntry):
            return self._seal_anew(peer, outgoing, confirmed=True)
        with node.store.transaction():
            content = under_present_key(node.journal, entry.content)
            made = make_message(node, peer, outgoing.product, content, outgoing.sequence, node.now())
            node.store.book.reseal(made, confirmed=True)
        return made

    def _seal_anew(self, peer: Party, outgoing: Outgoing, *, confirmed: bool = False) -> Outgoing | None:
        node = self._node
        if isinstance(self._opened(outgoing), MessageEntry):
            # It was closed, or called back: so it stays.
            return outgoing
        if not confirmed and outgoing.sequence <= node.store.book.acknowledged(peer):
            return None
        while True:
            with node.store.transaction():
                item = node.store.items.get(outgoing.product)
                decision = None if item is None else decide_item(node, item.product, peer)
                if item is None or decision is None or decision.outcome is not Outcome.PERMIT:
                    return None
                product = as_labelled_now(node, item.product)
                form = form_for(node, peer, product, decision)
                if form is None:
                    return None
                manifests = self._manifests.find(form.product.assets)
                if manifests is not None:
                    sealed = release(node, peer, product, form, manifests, decision, outgoing.sequence)
                    self._record([sealed])
                    node.store.book.reseal(sealed.outgoing, confirmed=confirmed)
                    # Whatever newer version waited has gone herewith.
                    node.store.book.drop(peer, product.id)
                    tell_consents(node, peer, [sealed.outgoing])
                    return sealed.outgoing
            self._manifests.prepare(form.product.assets)

    def _close(self, peer: Party, outgoing: Outgoing) -> Outgoing | None:
        """Close the place of a product for good, so that nothing behind it waits; None where it may be asked for once more.

        That is what the partner confirmed before, as when its node was restored; what a newer version has taken the place of; and
        what is a third party's that consents no longer. It is queued once more: if it may go again one day, it does, at the end.
        """
        node, book, signed = self._node, self._node.store.book, self._signed(outgoing)
        item = node.store.items.get(outgoing.product)
        replaced = item is not None and item.product.version > signed.product.version
        consents = signed.consent is None or (item is not None and isinstance(consent_of(node, item.product, peer), bytes))
        if outgoing.sequence > book.acknowledged(peer) and consents and not replaced:
            return None
        with node.store.transaction():
            made = make_message(node, peer, outgoing.product, Closed(), outgoing.sequence, node.now())
            book.reseal(made, confirmed=True)
            if book.sequence_of(peer, outgoing.product) == outgoing.sequence:
                book.enqueue_again(peer, outgoing.product)
        return made

    def _called_back(self, peer: Party, outgoing: Outgoing) -> Outgoing | None:
        """Recall in the place of a product that is asked for: the sequence has no gap, and nothing behind it waits for it."""
        node = self._node
        if isinstance(self._opened(outgoing), MessageEntry):
            return outgoing
        recall = recall_of(node, peer, outgoing.product)
        if recall is None or recall.recalls is None:
            return None
        with node.store.transaction():
            made = make_message(node, peer, outgoing.product, withdraw_of(recall), outgoing.sequence, node.now())
            # A partner that confirmed it and asks again was restored: it gets the recall in its place, too.
            node.store.book.reseal(made, confirmed=True)
        return made

    def _may_go_now(self, peer: Party, outgoing: Outgoing) -> Product | None:
        """Product of an entry as the partner may have it now; None unless that takes away no more than the entry does."""
        item = self._node.store.items.get(outgoing.product)
        signed = self._opened(outgoing)
        if item is None or isinstance(signed, MessageEntry) or was_recalled(self._node, peer, outgoing.product):
            return None
        decision = decide_item(self._node, item.product, peer)
        if decision.outcome is not Outcome.PERMIT:
            return None
        product = as_labelled_now(self._node, item.product)
        form = form_for(self._node, peer, product, decision)
        if form is None or not {asset.digest for asset in form.product.assets} >= set(outgoing.blobs):
            return None
        # INVARIANT: what was signed under fewer obligations than hold now does not go: its caveats would be the old ones. Nor
        # does what was signed under a label that its originator has corrected since, or in a version before this one.
        under = _obligations(signed.decision)
        if not set(_obligations(partner_terms(decision))) <= set(under) or signed.product.version != product.version:
            return None
        # A third party's goes with the consent that was signed last, and under no label but the one that it signed.
        label = product.label if form.consent is not None else outgoing_label(product.label, under)
        return form.product if (signed.consent, signed.product.label) == (form.consent, label) else None

    def _signed(self, outgoing: Outgoing) -> FeedEntry:
        """An entry that hands out a product, as this node signed it."""
        entry = self._opened(outgoing)
        if isinstance(entry, MessageEntry):
            raise _unlike(outgoing, "it hands out no product")
        return entry

    def _message(self, outgoing: Outgoing) -> MessageEntry:
        """A message as this node signed it."""
        entry = self._opened(outgoing)
        if not isinstance(entry, MessageEntry):
            raise _unlike(outgoing, "it is no message")
        return entry

    def _opened(self, outgoing: Outgoing) -> FeedEntry | MessageEntry:
        # A large file is decided on ten times a second, and its entry holds a hash for each of its chunks.
        known = self._entries.get(outgoing.envelope)
        if known is not None:
            return known
        try:
            entry = unseal_any(outgoing.envelope, self._node.journal.key_of(outgoing.envelope))
        except PartnerMisbehaved as error:
            raise _unlike(outgoing, str(error)) from error
        self._know(outgoing.envelope, entry)
        return entry

    def _know(self, envelope: bytes, entry: FeedEntry | MessageEntry) -> None:
        # Another thread may be at it, too.
        if sum(map(len, list(self._entries))) + len(envelope) > _MOST_OPENED_BYTES:
            self._entries.clear()
        self._entries[envelope] = entry

    def _sequence_waiting(self, peer: Party, most: int) -> list[Outgoing]:
        """Give what waits and may go now its place in the feed, and record it before anything is served."""
        made: list[Outgoing] = []
        while True:
            fresh, unhashed = self._number_waiting(peer, most - len(made))
            made += fresh
            if unhashed is None:
                return made
            # INVARIANT: no large file is hashed under the lock, for which a suspension would wait. All is decided anew after it.
            self._manifests.prepare(unhashed.assets)

    def _number_waiting(self, peer: Party, most: int) -> tuple[list[Outgoing], Product | None]:
        """Number what waits, up to a product of which a large file is to be hashed first; that one is given, too."""
        node = self._node
        book = node.store.book
        made: list[Outgoing] = []
        # Without a live grant no product goes, whatever waits: only messages are looked at.
        live = any_live_grant(node.knowledge().register, node.organisation, peer, node.now())
        if most < 1 or not any(live or is_message(key) for key in book.waiting(peer)):
            return made, None
        releases: list[Release] = []
        unhashed: Product | None = None
        with node.store.transaction():
            now, following = node.now(), book.last_sequence(peer) + 1
            # Nothing that is recorded here has a part in a decision.
            decide, labelled = decider(node), labelling(node)
            for product_id in book.waiting(peer):
                if len(made) == most:
                    break
                if is_message(product_id):
                    content = under_present_key(node.journal, waiting_message(node, peer, product_id))
                    if why_withheld(node, peer, content, now) is None:
                        # In the log as in the feed.
                        self._record(releases)
                        releases.clear()
                        made.append(make_message(node, peer, product_id, content, following + len(made), now))
                        book.sequence(made[-1])
                    continue
                item = node.store.items.get(product_id)
                decision = None if item is None else decide(item.product, peer)
                if item is None or decision is None or decision.outcome is not Outcome.PERMIT or not live:
                    continue
                product = labelled(item.product)
                form = form_for(node, peer, product, decision)
                if form is None or was_recalled(node, peer, product_id):
                    continue
                manifests = self._manifests.find(form.product.assets)
                if manifests is None:
                    unhashed = form.product
                    break
                releases.append(release(node, peer, product, form, manifests, decision, following + len(made)))
                made.append(releases[-1].outgoing)
                book.sequence(made[-1])
            self._record(releases)
            tell_consents(node, peer, made)
        return made, unhashed

    def _record(self, releases: Sequence[Release]) -> None:
        record_releases(self._node, releases)
        for made in releases:
            # It will be looked at again when its files are asked for.
            self._know(made.outgoing.envelope, made.entry)

    # ---- files and receipts

    def blob(self, peer: Party, digest: Digest, offset: int, length: int) -> BlobPart | None:
        """Bytes of a file that an entry of the partner's feed hands out, if it still may go; None for all else."""
        product = self._product_of(peer, digest)
        if product is None:
            return None
        if length and self._node.reads.record(peer, ReadForm.FILE, [product]) and self._product_of(peer, digest) is None:
            return None
        with self._node.blobs.open(digest) as source:
            size = source.seek(0, 2)
            source.seek(offset)
            return BlobPart(source.read(length), size)

    def record_reads(self, peer: Party, digests: Sequence[Digest]) -> None:
        """Have on record together, and not one after the other, that a partner reads files, those of them that may go."""
        found = (self._product_of(peer, digest) for digest in digests)
        self._node.reads.record(peer, ReadForm.FILE, [product for product in found if product is not None])

    def _product_of(self, peer: Party, digest: Digest) -> ProductId | None:
        """Product with which a file may go to a partner now; None if it may not.

        A permit holds for as long as nothing but reads was recorded since, and no longer than a tenth of a second: within that
        time only the clock could turn it. Whatever a decision rests upon is recorded, so what turns it otherwise is seen at once.
        """
        node = self._node
        # Before anything is read that the decision rests upon.
        note, now = node.store.log.checkpoint(), node.journal.clock.now()

        def holds(since: tuple[str | None, Instant] | None) -> bool:
            return since is not None and since[1] <= now < since[1] + _PERMIT and node.reads.are_all_since(since[0], note)

        permit = self._permits.get((peer, digest))
        if permit is not None and holds(permit[:2]):
            return permit[2]
        if not holds(self._confirmed):
            node.require_confirmed()
            self._confirmed = note, now
        holding = node.store.book.holding(peer, digest)
        product = next((outgoing.product for outgoing in holding if self._may_go_now(peer, outgoing)), None)
        if product is not None:
            if len(self._permits) >= _MOST_PERMITS:
                self._permits.clear()
            self._permits[peer, digest] = note, now, product
        return product

    def receipt(self, peer: Party, envelope: bytes) -> bool:
        """Take the partner's receipt for an entry of its feed, its answer to one, or what it says of its own keys.

        False for what is none of these.
        """
        node = self._node
        node.require_confirmed()
        takers = {
            RECALL_ANSWER_TYPE: take_recall_answer,
            WITNESS_ANSWER_TYPE: take_witness_answer,
            ROTATION_TYPE: take_handed_statement,
            SEALING_KEY_TYPE: take_handed_statement,
        }
        claimed = payload_type_of(envelope)
        if claimed in takers:
            return takers[claimed](node, peer, envelope)
        partner = node.knowledge().partners.get(peer)
        if partner is None or claimed is None:
            return False
        try:
            receipt = unseal_receipt(envelope, partner.key_for(envelope))
        except KizunaError:
            return False
        confirmed = (*receipt.before, receipt.entry)
        entries = node.store.book.outgoing(peer, receipt.sequence - len(confirmed), len(confirmed))
        if (
            receipt.sender != node.organisation
            or receipt.receiver != peer
            or [entry.sequence for entry in entries][-1:] != [receipt.sequence]
            or tuple(digest_of(entry.envelope) for entry in entries) != confirmed
        ):
            return False
        body: dict[str, Json] = {
            "partner": peer,
            "sequence": receipt.sequence,
            "entry": receipt.entry,
            "stored_at": format_instant(receipt.stored_at),
            "receipt": digest_of(envelope),
        }
        if receipt.before:
            body["before"] = list(receipt.before)
        with node.store.transaction():
            if receipt.sequence > node.store.book.acknowledged(peer):
                node.journal.record(FactKind.RECEIPT_RECEIVED, body, by="exchange", authority=f"signature of {peer}")
                node.store.book.acknowledge(peer, receipt.sequence, envelope)
        return True
