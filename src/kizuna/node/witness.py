"""Partners witness each other's logs: each cosigns what continues the log that it saw before, and keeps evidence of a fork.

One round, whatever carries the bytes: the witness asks for the partner's checkpoint since `seen_size`; the partner answers with
`checkpoint_for_witness`; the witness passes that to `witness` and hands back what it gives; the partner takes it in with
`take_cosignature`. Requests are bodies of C2SP's ``add-checkpoint``; what goes back is the checkpoint with the cosignature on it.

# INVARIANT: the latest checkpoint seen is compared, replaced and cosigned in one transaction, so that it never goes back.
# What is witnessed is no fact of one's own log: two nodes that witness each other would make each other's logs grow for ever.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.errors import KizunaError, Message, PartnerMisbehaved
from kizuna.exchange.checkpoint import COSIGNATURE_TYPE, make_checkpoint, open_checkpoint, verifier_key
from kizuna.exchange.cosignature import cosign, cosigned_at, with_cosignatures
from kizuna.exchange.merkle import consistency_proof, extend, root_of
from kizuna.exchange.witness import Continues, Fork, Request, judge, read_request, request_bytes
from kizuna.model.provenance import FactKind
from kizuna.node.audit_files import keep_witnessed, log_key, lost_end, present_tree, require_part_of, witnessed_notes

if TYPE_CHECKING:
    from kizuna.exchange.checkpoint import Checkpoint
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.state import Node, Partner

__all__ = [
    "WitnessLine",
    "checkpoint_for_witness",
    "follow_witnessed",
    "seen_size",
    "take_cosignature",
    "witness",
    "witness_lines",
    "witness_within",
]

_PROVEN, _SHOWN = "proven", "shown"


def _seen_under(partner: Partner) -> str:
    # A partner that is pinned anew under another key has another log.
    return f"witness-of/{partner.party}/{partner.signing_key.hex()}"


def _forked_under(partner: Partner) -> str:
    return f"fork-of/{partner.party}/{partner.signing_key.hex()}"


def _opened(partner: Partner, note: str) -> Checkpoint:
    name, public_key = log_key(partner.party, _signer_of_note(partner, note))
    return open_checkpoint(note, origin=name, key_name=name, public_key=public_key)


def _signer_of_note(partner: Partner, note: str) -> bytes:
    """Key of a partner that signed a checkpoint which was verified here before: of the former ones, else the present one."""
    name, _key = log_key(partner.party, partner.signing_key)
    for former in partner.former:
        with suppress(KizunaError):
            open_checkpoint(note, origin=name, key_name=name, public_key=former.key)
            return former.key
    return partner.signing_key


def _signer_of_request(partner: Partner, note: str, now: Instant) -> bytes:
    """Key that signed a checkpoint, of those that a partner may sign with now; the present one for any other."""
    name, _key = log_key(partner.party, partner.signing_key)
    for key in partner.signing_at(now)[1:]:
        with suppress(KizunaError):
            open_checkpoint(note, origin=name, key_name=name, public_key=key)
            return key
    return partner.signing_key


def follow_witnessed(node: Node, partner: Partner, signing_key: bytes) -> None:
    """Go on with what was seen of a partner's log under its new key, inside the store's open transaction."""
    after = replace(partner, signing_key=signing_key)
    for name in (_seen_under, _forked_under):
        kept = node.store.setting(name(partner))
        if kept is not None:
            node.store.keep_setting(name(after), kept)


def seen_size(node: Node, partner: Party) -> int:
    """Count of entries of a partner's log in the latest checkpoint that this node cosigned; 0 for none."""
    known = node.partner(partner)
    note = node.store.setting(_seen_under(known))
    return 0 if note is None else _opened(known, note).size


def checkpoint_for_witness(node: Node, since_size: int, *, until: Instant | None = None) -> bytes:
    """Request to a partner to cosign this node's log.

    Parameters
    ----------
    node
        This node.
    since_size
        Count of entries that the partner saw last (its `seen_size`).
    until
        Only entries recorded before this instant. The size of a log tells a partner how much its node does: handed out for
        the beginning of the day, it tells no more than daily sums. None for all entries.

    Returns
    -------
    body
        Bytes for the partner's `witness`.

    Raises
    ------
    LogDamaged
        If the log is damaged, or shorter than what the partner has seen of it.
    TailUnconfirmed
        If the node was restored, copied or moved and its tail is not confirmed.
    """
    node.require_confirmed()
    tree = present_tree(node)
    if since_size > tree.head.size:
        raise lost_end(since_size, tree.head.size)
    size, note = tree.head.size, tree.note
    if until is not None:
        before = (entry.index for entry in node.store.log.entries() if node.journal.read_entry(entry).recorded_at >= until)
        # What the partner saw already is no secret any more.
        size = max(since_size, min(size, next(before, size)))
        if size != tree.head.size:
            origin = node.journal.origin
            root = root_of(extend((), 0, tree.leaves[:size]))
            note = make_checkpoint(origin, size, root, node.keys.sign, origin, node.keys.public_key)
    proof = consistency_proof(tree.leaves[:size], since_size) if since_size else ()
    return request_bytes(Request(since_size, proof, note))


def witness(node: Node, partner: Party, body: bytes) -> bytes:
    """Cosign a partner's checkpoint, or keep the evidence that its log has forked.

    Parameters
    ----------
    node
        This node, the witness.
    partner
        Whose log it is.
    body
        What the partner's `checkpoint_for_witness` made.

    Returns
    -------
    note
        The checkpoint with this node's cosignature on it, for the partner's `take_cosignature`.

    Raises
    ------
    PartnerMisbehaved
        If nothing can be cosigned. Its field says why: ``old`` where the proof starts from another size than the one seen last
        (which is the value ``size`` of the message: ask again from there), ``fork`` for a log that does not continue the one
        seen before (both signed checkpoints are then in this node's log), none for what is malformed or not signed.
    """
    node.require_confirmed()
    with node.store.transaction():
        found = witness_within(node, partner, body)
    if isinstance(found, PartnerMisbehaved):
        raise found
    return found


def witness_within(node: Node, partner: Party, body: bytes) -> bytes | PartnerMisbehaved:
    """As `witness`, inside the store's open transaction: why nothing was cosigned is given, so that the evidence is kept.

    Raises
    ------
    PartnerMisbehaved
        If the request is malformed or not signed; there is nothing to keep then.
    """
    known = node.partner(partner)
    request = read_request(body)
    name, public_key = log_key(known.party, _signer_of_request(known, request.note, node.now()))
    seen = node.store.setting(_seen_under(known))
    found = judge(
        request, seen, origin=name, public_key=public_key, seen_key=None if seen is None else _signer_of_note(known, seen)
    )
    if isinstance(found, Continues) and _is_forked(node, known):
        return _forked(known, Message("it signed two different logs before"))
    if isinstance(found, Continues):
        mine, key = log_key(node.organisation, node.keys.public_key)
        note = with_cosignatures(request.note, cosign(request.note, node.now(), mine, key, node.keys.sign))
        node.store.keep_setting(_seen_under(known), note)
        return note.encode()
    if isinstance(found, Fork):
        _keep_evidence(node, known, found)
        return _forked(known, found.why)
    return PartnerMisbehaved(
        Message(
            "{partner} proves its log from {old} entries on, and {size} were seen here",
            {"partner": known.party, "old": request.old_size, "size": found.size},
        ),
        hint=Message("ask it again, from {size} entries on", {"size": found.size}),
        field="old",
    )


def _forked(partner: Partner, why: Message) -> PartnerMisbehaved:
    return PartnerMisbehaved(
        Message("the log of {partner} has forked: {why}", {"partner": partner.party, "why": why}),
        hint=Message(
            "nothing was cosigned; both signed checkpoints are in this node's log (kizuna audit log): confront the partner"
        ),
        field="fork",
    )


def _is_forked(node: Node, partner: Partner) -> bool:
    """Whether the partner's key has signed two trees of one size: then it gets no cosignature until it is pinned anew."""
    return (node.store.setting(_forked_under(partner)) or "").startswith(_PROVEN)


def _keep_evidence(node: Node, partner: Partner, fork: Fork) -> None:
    """Record a fork, once for what was seen before and how sure it is: a partner cannot fill this node's log with forks."""
    mark = f"{_PROVEN if fork.proven else _SHOWN} {fork.seen}"
    kept = node.store.setting(_forked_under(partner))
    if kept == mark or (kept or "").startswith(_PROVEN):
        return
    request = request_bytes(Request(_opened(partner, fork.seen).size, fork.proof, fork.signed))
    body: dict[str, Json] = {
        "partner": partner.party,
        "why": fork.why.render(),
        "proven": fork.proven,
        "seen": fork.seen,
        "request": request.decode(),
    }
    node.journal.record(FactKind.FORK_FOUND, body, by="exchange", authority=f"signature of {partner.party}")
    node.store.keep_setting(_forked_under(partner), mark)


def take_cosignature(node: Node, partner: Party, note: bytes) -> Instant:
    """Take in a checkpoint of this node's log that a partner has cosigned; give when it did.

    Parameters
    ----------
    node
        This node, whose log was witnessed.
    partner
        The witness.
    note
        What the partner's `witness` gave.

    Raises
    ------
    PartnerMisbehaved
        If it is no checkpoint of this log, or not cosigned by the partner.
    LogDamaged
        If this node signed it and its log does not continue it now: it was restored from an old copy, or tampered with.
    """
    known = node.partner(partner)
    tree = present_tree(node)
    try:
        text = note.decode()
        checkpoint = node.journal.open_note(text)
        at = next(filter(None, (cosigned_at(text, *log_key(known.party, key)) for key in known.keys)), None)
    except (KizunaError, UnicodeDecodeError) as error:
        why = error.message if isinstance(error, KizunaError) else Message("it is no text")
        raise PartnerMisbehaved(
            Message("{partner} sent a cosigned checkpoint that does not verify: {why}", {"partner": partner, "why": why}),
            hint=Message("tell the partner's operator; nothing of it was taken over"),
        ) from error
    if at is None:
        raise PartnerMisbehaved(
            Message("{partner} sent a checkpoint that it has not cosigned", {"partner": partner}),
            hint=Message("tell the partner's operator; nothing of it was taken over"),
        )
    require_part_of(tree, checkpoint)
    with node.store.transaction():
        kept = witnessed_notes(node).get(known.party)
        if kept is None or node.journal.open_note(kept).size <= checkpoint.size:
            keep_witnessed(node, known.party, text)
    return at


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """How the witnessing with one partner stands.

    Parameters
    ----------
    partner
        The partner.
    seen
        Entries of its log that this node cosigned.
    cosigned
        Entries of this node's log that the partner cosigned.
    cosigned_at
        When it did; None for never.
    forked
        Whether this node holds evidence that the partner's log forked.
    key
        Verifier key of the partner as a witness, for those who verify its cosignatures.
    """

    partner: Party
    seen: int
    cosigned: int
    cosigned_at: Instant | None
    forked: bool
    key: str


def witness_lines(node: Node) -> list[WitnessLine]:
    """How the witnessing with each partner stands, by name."""
    found = []
    notes = witnessed_notes(node)
    for party, partner in sorted(node.knowledge().partners.items()):
        note = notes.get(party)
        size, at = 0, None
        if note is not None:
            size = node.journal.open_note(note).size
            at = next(filter(None, (cosigned_at(note, *log_key(party, key)) for key in partner.keys)), None)
        key = verifier_key(*log_key(party, partner.signing_key), COSIGNATURE_TYPE)
        forked = node.store.setting(_forked_under(partner)) is not None
        found.append(WitnessLine(party, seen_size(node, party), size, at, forked, key))
    return found
