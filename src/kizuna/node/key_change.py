"""Keys of this node change, and keys of partners are revoked. All of it is facts, so that it can be replayed.

New keys are announced first: partners know them before they are used, and accept both until the former ones end, so that no
connection is refused meanwhile. They come into use once every partner has confirmed, on the day that was announced at the latest.

# INVARIANT: the former key signs that the new one takes its place, and the new key signs the next entry, in one transaction: the
# log is one chain of keys, and its latest checkpoint is always signed by the present one.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message, PartnerMisbehaved
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.messages import KeyStatement
from kizuna.exchange.rotation import Rotation, SealingKey, seal_rotation, seal_sealing_key
from kizuna.model.instants import Instant, format_instant
from kizuna.model.product import ProductId
from kizuna.model.provenance import FactKind
from kizuna.node.journal import OWN_KEYS
from kizuna.node.messages import queue_message

if TYPE_CHECKING:
    from datetime import timedelta

    from kizuna.exchange.transport import Transport
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.node.ports import Keys
    from kizuna.node.state import Announced, Node

__all__ = [
    "announce_keys",
    "announce_sealing_key",
    "due_key",
    "hand_over_statements",
    "received_under",
    "require_none_announced",
    "revoke_key",
    "rotate_keys",
    "tell_of_announced",
    "unaware",
]

_LEAST_CHARACTERS = 8
_OPERATOR = "node operator"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---- announce


def require_none_announced(node: Node) -> None:
    """Let one change of keys come to its end before the next one begins.

    Raises
    ------
    InputError
        If keys are announced.
    """
    announced = node.knowledge().announced
    if announced is not None:
        raise InputError(
            Message("the key {key} is announced already", {"key": announced.key_id}),
            hint=Message("wait until it is in use (kizuna node status), or use it at once: kizuna node rotate-keys --now"),
            field="keys",
        )


def announce_keys(node: Node, fresh: Keys, within: timedelta) -> Announced:
    """Tell every partner that `fresh` keys will take the place of the present ones, which sign that.

    Parameters
    ----------
    node
        This node.
    fresh
        The keys to come.
    within
        After this time they come into use, whether all partners have confirmed or not; the present ones end after twice as long.

    Raises
    ------
    InputError
        If others are announced already.
    TailUnconfirmed
        If the node was restored, copied or moved and its tail is not confirmed.
    """
    node.require_confirmed()
    with node.store.transaction():
        require_none_announced(node)
        known = node.knowledge()
        now = node.now()
        by, until = Instant(now + within), Instant(now + 2 * within)
        rotation = Rotation(node.organisation, node.keys.key_id, fresh.public_key, fresh.certificate_der, until)
        body: dict[str, Json] = {
            "party": node.organisation,
            "key": fresh.key_id,
            "signing_key": _text(fresh.public_key),
            "certificate": _text(fresh.certificate_der),
            "by": format_instant(by),
            "until": format_instant(until),
            "statement": seal_rotation(rotation, node.keys, fresh).decode(),
        }
        node.journal.record(FactKind.KEYS_ANNOUNCED, body, by=node.by, authority=_OPERATOR)
        for partner in sorted(known.partners):
            tell_of_announced(node, partner)
        announced = node.knowledge().announced
    assert announced is not None  # noqa: S101 - INVARIANT: it was recorded just now
    return announced


def tell_of_announced(node: Node, partner: Party) -> None:
    """Queue for a partner what it has to know of keys that are announced, if any are; inside the open transaction."""
    announced = node.knowledge().announced
    if announced is None:
        return
    kept = json.loads(node.store.setting(_under(partner, "keys")) or "{}")
    if kept.get("statement") != announced.statement:
        _tell(node, partner, "keys", announced.statement)


def announce_sealing_key(node: Node, former: bytes, within: timedelta) -> Instant:
    """Tell every partner that media for this node are to be sealed to its present sealing key; give when the former one ends.

    Parameters
    ----------
    node
        This node, which has its new sealing key.
    former
        Raw X25519 public key whose place it took.
    within
        For how long partners may still make media for the former one.
    """
    node.require_confirmed()
    with node.store.transaction():
        now = node.now()
        until = Instant(now + within)
        said = SealingKey(node.organisation, node.keys.sealing_key or b"", now, until)
        statement = seal_sealing_key(said, node.keys).decode()
        body: dict[str, Json] = {
            "party": node.organisation,
            "key": key_id_of(said.sealing_key),
            "former": key_id_of(former),
            "until": format_instant(until),
            "statement": statement,
        }
        node.journal.record(FactKind.SEALING_KEY_CHANGED, body, by=node.by, authority=_OPERATOR)
        for partner in sorted(node.knowledge().partners):
            _tell(node, partner, "sealing-key", statement)
    return until


def _under(partner: Party | str, what: str) -> str:
    return f"key-statement/{partner}/{what}"


def _tell(node: Node, partner: Party, what: str, statement: str) -> None:
    key = queue_message(node, partner, KeyStatement(statement), authority=_OPERATOR)
    node.store.keep_setting(_under(partner, what), json.dumps({"message": key, "statement": statement}))


def _is_told(node: Node, partner: Party, what: str, statement: str) -> bool:
    """Whether a partner has confirmed a statement: with a receipt for the entry that carried it, or as it was handed over."""
    kept = json.loads(node.store.setting(_under(partner, what)) or "{}")
    if kept.get("statement") != statement:
        return False
    if kept.get("taken"):
        return True
    number = node.store.book.sequence_of(partner, ProductId(kept["message"]))
    return number is not None and number <= node.store.book.acknowledged(partner)


def hand_over_statements(node: Node, partner: Party, transport: Transport) -> None:
    """Tell a partner at once what it may not ask our feed for: one that cannot reach us only answers."""
    for what in ("keys", "sealing-key"):
        kept = json.loads(node.store.setting(_under(partner, what)) or "{}")
        if not kept or _is_told(node, partner, what, kept["statement"]):
            continue
        # What is not taken so goes with the feed.
        with suppress(PartnerMisbehaved):
            transport.receipt(kept["statement"].encode())
            with node.store.transaction():
                node.store.keep_setting(_under(partner, what), json.dumps(kept | {"taken": True}))


def unaware(node: Node) -> list[Party]:
    """Partners that have not confirmed the keys that are announced, by name; none if none are."""
    known = node.knowledge()
    if known.announced is None:
        return []
    statement = known.announced.statement
    return [partner for partner in sorted(known.partners) if not _is_told(node, partner, "keys", statement)]


def due_key(node: Node) -> str | None:
    """Id of the announced signing key, if it is to be used from now on."""
    announced = node.knowledge().announced
    if announced is None or (node.now() < announced.by and unaware(node)):
        return None
    return announced.key_id


# ---- go over


def rotate_keys(node: Node, fresh: Keys) -> None:
    """Go over to `fresh` keys: what was signed stays, what comes is signed by the new one.

    Raises
    ------
    TailUnconfirmed
        If the node was restored, copied or moved and its tail is not confirmed.
    """
    node.require_confirmed()
    journal = node.journal
    with node.store.transaction():
        # Another process may have gone over in between.
        keys = journal.own_keys()
        former = node.keys.key_id
        if former == fresh.key_id:
            return
        announced = node.knowledge().announced
        if announced is not None and announced.key_id == fresh.key_id:
            statement = announced.statement
        else:
            rotation = Rotation(node.organisation, former, fresh.public_key, fresh.certificate_der, node.now())
            statement = seal_rotation(rotation, node.keys, fresh).decode()
        body: dict[str, Json] = {
            "party": node.organisation,
            "signing_key": _text(fresh.public_key),
            "certificate": _text(fresh.certificate_der),
            "statement": statement,
        }
        journal.record(FactKind.KEYS_ROTATED, body, by=node.by, authority=_OPERATOR)
        node.store.keep_setting(OWN_KEYS, json.dumps([_text(key) for key in [*keys, fresh.public_key]]))
        taken: dict[str, Json] = {"party": node.organisation, "key": fresh.key_id, "former": former}
        replace(journal, keys=fresh).record(FactKind.KEYS_TAKEN, taken, by=node.by, authority=_OPERATOR)
    # Under the former key too: a copy of the folder from before is then recognised.
    node.remember_tail()
    node.keys.use(fresh.key_id)


# ---- revoke


def revoke_key(node: Node, party: Party, key: str, reason: str) -> str:
    """Revoke a key of a partner: nothing that it signed is accepted from now on; give the key's whole id.

    Parameters
    ----------
    node
        This node.
    party
        The partner.
    key
        Id of the key (SHA-256, hexadecimal), or its first characters, eight at least.
    reason
        One sentence.

    Raises
    ------
    InputError
        If the partner has or had no such key, or it is revoked already.
    """
    partner = node.partner(party)
    known = [key_id_of(partner.signing_key), *(key_id_of(former.key) for former in partner.former)]
    found = [id_ for id_ in known if id_.startswith(key.lower())] if len(key) >= _LEAST_CHARACTERS else []
    if len(found) != 1:
        raise InputError(
            Message("{party} has no key {key}", {"party": party, "key": key}),
            hint=Message("its keys: {known}", {"known": ", ".join(known)}),
            field="key",
        )
    if found[0] in node.knowledge().revoked:
        raise InputError(Message("the key {key} is revoked already", {"key": found[0]}), field="key")
    body: dict[str, Json] = {"party": party, "key": found[0], "reason": reason}
    with node.store.transaction():
        node.journal.record(FactKind.PARTNER_KEY_REVOKED, body, by=node.by, authority="node operator")
    return found[0]


def received_under(node: Node, key_ids: frozenset[str]) -> list[tuple[int, str]]:
    """Index in the log and product of what came signed by any of these keys, oldest first: what a revocation casts doubt on."""
    if not key_ids:
        return []
    found = []
    for entry in node.store.log.entries():
        fact = node.journal.read_entry(entry)
        if fact.kind is FactKind.PRODUCT_RECEIVED and fact.body.get("key") in key_ids:
            product = fact.body.get("product")
            found.append((entry.index, str(product["id"]) if isinstance(product, dict) else ""))
    return found
