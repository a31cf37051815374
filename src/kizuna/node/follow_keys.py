"""Follow a partner to its new keys: by its card, by its feed, or by what it hands over. All of it is facts.

# INVARIANT: a key counts only if the one that was pinned, or followed to before, has signed that it does, and was not revoked.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message, PartnerMisbehaved
from kizuna.exchange.envelope import key_id_of, payload_type_of
from kizuna.exchange.rotation import ROTATION_TYPE, SEALING_KEY_TYPE, Rotation, unseal_rotation, unseal_sealing_key
from kizuna.model.instants import format_instant
from kizuna.model.provenance import FactKind
from kizuna.node.certificates import certificate_fault
from kizuna.node.witness import follow_witnessed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.node.state import Node, Partner

__all__ = ["Step", "follow", "record_steps", "take_handed_statement", "take_statement"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of keys that was verified, and the statement that says so."""

    rotation: Rotation
    statement: str


def _signer(statement: str) -> str | None:
    try:
        return str(json.loads(statement)["signatures"][0]["keyid"])
    except (ValueError, LookupError, TypeError):
        return None


def follow(party: Party, key: bytes, statements: Iterable[str], *, revoked: frozenset[str]) -> list[Step]:
    """Statements that lead on from a key of a party, one after the other; none if no one begins there.

    Raises
    ------
    PartnerMisbehaved
        If a statement that begins there does not verify.
    """
    steps: list[Step] = []
    for statement in statements:
        if _signer(statement) != key_id_of(key) or key_id_of(key) in revoked:
            continue
        rotation = unseal_rotation(statement.encode(), key)
        if rotation.party != party:
            continue
        steps.append(Step(rotation, statement))
        key = rotation.signing_key
    return steps


def record_steps(
    node: Node, partner: Partner, steps: Sequence[Step], *, by: str, url: str | None = None, sealing_key: bytes | None = None
) -> None:
    """Record that a partner is known by new keys from now on, and by the former ones until they end.

    Call it inside the store's open transaction.

    Parameters
    ----------
    node, partner
        This node, and the partner as it is known.
    steps
        What leads from its present key on, one at least.
    by
        Who acts.
    url, sealing_key
        As a new card has them; None: they stay.

    Raises
    ------
    PartnerMisbehaved
        If a key or certificate cannot be pinned.
    """
    _require_fit(node, partner, [step.rotation for step in steps])
    last = steps[-1].rotation
    body: dict[str, Json] = {
        "party": partner.party,
        "url": partner.url if url is None else url,
        "certificate": _text(last.certificate_der),
        "signing_key": _text(last.signing_key),
        "steps": [
            {
                "signing_key": _text(step.rotation.signing_key),
                "certificate": _text(step.rotation.certificate_der),
                "at": format_instant(step.rotation.at),
                "statement": step.statement,
            }
            for step in steps
        ],
    }
    if sealing_key is not None:
        body["sealing_key"] = _text(sealing_key)
    node.journal.record(FactKind.PARTNER_ROTATED, body, by=by, authority=f"signature of {partner.party}")
    follow_witnessed(node, partner, last.signing_key)


def take_statement(node: Node, party: Party, statement: str) -> None:
    """Take what a partner says of its own keys, inside the store's open transaction. What is known already changes nothing.

    Raises
    ------
    PartnerMisbehaved
        If it does not verify, or names a key or certificate that cannot be pinned.
    """
    partner = node.partner(party)
    match payload_type_of(statement.encode()):
        case type_ if type_ == ROTATION_TYPE:
            _take_rotation(node, partner, statement)
        case type_ if type_ == SEALING_KEY_TYPE:
            _take_sealing_key(node, partner, statement)
        case _:
            raise _refused(partner, Message("it is of a type that this version of kizuna does not know"))


def take_handed_statement(node: Node, partner: Party, envelope: bytes) -> bool:
    """Take a statement that a partner hands over instead of waiting to be asked for its feed; False for what is none."""
    with suppress(PartnerMisbehaved, InputError, UnicodeDecodeError):
        with node.store.transaction():
            take_statement(node, partner, envelope.decode())
        return True
    return False


def _take_rotation(node: Node, partner: Partner, statement: str) -> None:
    steps = follow(partner.party, partner.signing_key, [statement], revoked=node.knowledge().revoked)
    if not steps:
        for former in partner.former:
            if _signer(statement) == key_id_of(former.key):
                unseal_rotation(statement.encode(), former.key)
                return
        raise _refused(partner, Message("it is not signed by the key that is pinned"))
    record_steps(node, partner, steps, by="exchange")


def _require_fit(node: Node, partner: Partner, rotations: Sequence[Rotation]) -> None:
    """Refuse steps to keys that are not a partner's own and new.

    # INVARIANT: no key comes back once it was given up, and none takes its own place: a statement that led on from it could be
    # said again then, and lead back to what it named.
    """
    known, now = node.knowledge(), node.now()
    others = [other for party, other in known.partners.items() if party != partner.party]
    certificates = {node.keys.certificate_der, *(c for p in others for c in (p.certificate_der, *p.certificates(now)))}
    keys = {*node.journal.own_keys(), *(key for other in others for key in other.keys)}
    had = {partner.signing_key, *(former.key for former in partner.former)}
    for rotation in rotations:
        if rotation.certificate_der in certificates:
            raise _refused(partner, Message("another node has its certificate"))
        if rotation.signing_key in keys:
            raise _refused(partner, Message("another node has its key"))
        if rotation.signing_key in had:
            raise _refused(partner, Message("it had its key before"))
        if key_id_of(rotation.signing_key) in known.revoked:
            raise _refused(partner, Message("its key was revoked"))
        had.add(rotation.signing_key)
    # Of the others nothing is used any more.
    expected = certificate_fault(rotations[-1].certificate_der, partner.party, now)
    if expected is not None:
        raise _refused(partner, Message("its certificate is not {expected}", {"expected": expected}))


def _take_sealing_key(node: Node, partner: Partner, statement: str) -> None:
    said = unseal_sealing_key(statement.encode(), partner.key_for(statement.encode()))
    if said.party != partner.party:
        raise _refused(partner, Message("it is about the keys of {party}", {"party": said.party}))
    others = [other.sealing_key for party, other in node.knowledge().partners.items() if party != partner.party]
    if said.sealing_key in {node.keys.sealing_key, *others}:
        raise _refused(partner, Message("another node has its key"))
    if partner.sealing_since is not None and said.at <= partner.sealing_since:
        return
    body: dict[str, Json] = {
        "party": partner.party,
        "sealing_key": _text(said.sealing_key),
        "at": format_instant(said.at),
        "former_until": format_instant(said.former_until),
        "statement": statement,
    }
    node.journal.record(FactKind.PARTNER_SEALING_KEY_CHANGED, body, by="exchange", authority=f"signature of {partner.party}")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _refused(partner: Partner, why: Message) -> PartnerMisbehaved:
    return PartnerMisbehaved(
        Message("what {partner} says of its keys was not taken over: {why}", {"partner": partner.party, "why": why}),
        hint=Message("ask the partner's operator for its card by a way that you trust"),
    )
