"""Keys change: this node's own, a partner's, and those that are revoked. All of it is facts, so that it can be replayed.

# INVARIANT: the former key signs that the new one takes its place, and the new key signs the next entry, in one transaction: the
# log is one chain of keys, and its latest checkpoint is always signed by the present one.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.rotation import Rotation, seal_rotation, unseal_rotation
from kizuna.model.provenance import FactKind
from kizuna.node.journal import OWN_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.node.ports import Keys
    from kizuna.node.state import Node, Partner

__all__ = ["follow", "received_under", "revoke_key", "rotate_keys"]

_LEAST_CHARACTERS = 8


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def rotate_keys(node: Node, fresh: Keys) -> None:
    """Go over to `fresh` keys: what was signed stays, what comes is signed by the new one.

    Raises
    ------
    TailUnconfirmed
        If the node was restored, copied or moved and its tail is not confirmed.
    """
    node.require_confirmed()
    journal, former = node.journal, node.keys.key_id
    with node.store.transaction():
        now = node.now()
        keys = [*(journal.own_keys()), fresh.public_key]
        rotation = Rotation(node.organisation, former, fresh.public_key, fresh.certificate_der, now)
        body: dict[str, Json] = {
            "party": node.organisation,
            "signing_key": _text(fresh.public_key),
            "certificate": _text(fresh.certificate_der),
            "statement": seal_rotation(rotation, node.keys, fresh).decode(),
        }
        journal.record(FactKind.KEYS_ROTATED, body, by=node.by, authority="node operator")
        node.store.keep_setting(OWN_KEYS, json.dumps([_text(key) for key in keys]))
        taken: dict[str, Json] = {"party": node.organisation, "key": fresh.key_id, "former": former}
        replace(journal, keys=fresh).record(FactKind.KEYS_TAKEN, taken, by=node.by, authority="node operator")
    # Under the former key too: a copy of the folder from before is then recognised.
    node.remember_tail()
    node.keys.use(fresh.key_id)


def follow(partner: Partner, statements: Sequence[str], *, revoked: frozenset[str]) -> list[tuple[Rotation, str]]:
    """Statements that lead from the pinned key of a partner on, one after the other; none if no one begins there.

    Raises
    ------
    PartnerMisbehaved
        If a statement that begins there does not verify, or is signed by a revoked key.
    """
    steps: list[tuple[Rotation, str]] = []
    key = partner.signing_key
    for statement in statements:
        if _signer(statement) != key_id_of(key) or key_id_of(key) in revoked:
            continue
        rotation = unseal_rotation(statement.encode(), key)
        if rotation.party != partner.party:
            continue
        steps.append((rotation, statement))
        key = rotation.signing_key
    return steps


def _signer(statement: str) -> str | None:
    try:
        return str(json.loads(statement)["signatures"][0]["keyid"])
    except (ValueError, LookupError, TypeError):
        return None


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
