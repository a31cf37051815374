"""The beginning of a log, folded once: what a node that is started need not read again.

A node knows what its log says, and a long log takes long to read. So the node signs, now and then, how long the log was, the
frontier of its tree, and which of its entries teach anything. Who starts later reads those entries, and all that came after.

# INVARIANT: what is known is what the signed checkpoint commits to. The beginning carries the frontier on, and the root tells.
# What it saves is to hash the entries that teach nothing: that one of those was altered is found where the log is verified, and
# by whoever is handed its proof; an entry that teaches is hashed at each start.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kizuna.errors import InputError, PartnerMisbehaved
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.merkle import leaf_data, leaf_hash
from kizuna.model.provenance import FactKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.provenance import Fact
    from kizuna.node.journal import Journal

__all__ = ["BEGINNING_TYPE", "SETTING", "TEACHING", "Beginning", "open_beginning", "seal_beginning"]

TEACHING = frozenset(
    {
        FactKind.LADDERS_RECORDED,
        FactKind.AGREEMENT_RECORDED,
        FactKind.AGREEMENT_SUSPENDED,
        FactKind.AGREEMENT_RESUMED,
        FactKind.AGREEMENT_WITHDRAWN,
        FactKind.CONSENT_GIVEN,
        FactKind.LABEL_CORRECTED,
        FactKind.PARTNER_PINNED,
        FactKind.PARTNER_REMOVED,
        FactKind.PARTNER_ROTATED,
        FactKind.PARTNER_KEY_REVOKED,
        FactKind.PARTNER_SEALING_KEY_CHANGED,
        FactKind.KEYS_ANNOUNCED,
        FactKind.KEYS_ROTATED,
        FactKind.SEALING_KEY_CHANGED,
    }
)
"""Kinds of facts that change what a node knows; a beginning that was folded from others is not used."""
_KINDS = tuple(sorted(TEACHING))

BEGINNING_TYPE = "application/vnd.kizuna.beginning.1+json"
"""Type under which the node signs it, for itself alone."""
SETTING = "beginning"
"""Setting under which a store keeps it."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first entries of a log, as they were folded.

    Parameters
    ----------
    size
        Count of entries.
    frontier
        Roots of the perfect subtrees of the Merkle tree over them, largest first.
    teaching
        Indices of those entries whose facts are of a kind in `TEACHING`, in order.
    leaves
        Their leaf hashes, in the same order.
    """

    size: int
    frontier: tuple[bytes, ...]
    teaching: tuple[int, ...]
    leaves: tuple[bytes, ...]


def seal_beginning(journal: Journal, beginning: Beginning) -> str:
    """Text of a beginning, signed with the node's key.

    Raises
    ------
    InputError
        If there are more teaching entries than an envelope holds: such a log is read from its first entry.
    """
    body: dict[str, Json] = {
        "size": beginning.size,
        "frontier": [node.hex() for node in beginning.frontier],
        "kinds": _KINDS,
        "teaching": beginning.teaching,
        "leaves": _digest(beginning.leaves),
    }
    return seal(BEGINNING_TYPE, body, journal.keys).decode()


def open_beginning(journal: Journal, text: str) -> tuple[Beginning, list[Fact]] | None:
    """Beginning of a log that the node signed, and the facts that teach.

    None if it is not the node's own, if its entries are others now, or if other kinds of facts taught something when it was made.

    Raises
    ------
    LogDamaged
        If an entry cannot be read.
    """
    envelope = text.encode()
    try:
        body: Any = unseal(envelope, journal.key_of(envelope), BEGINNING_TYPE)
        frontier = tuple(bytes.fromhex(node) for node in body["frontier"])
        size, teaching, kinds, digest = int(body["size"]), tuple(map(int, body["teaching"])), tuple(body["kinds"]), body["leaves"]
    except (InputError, PartnerMisbehaved, KeyError, TypeError, ValueError):
        return None
    if kinds != _KINDS:
        return None
    entries = [next(journal.store.log.entries(index), None) for index in teaching]
    leaves = tuple(leaf_hash(leaf_data(entry.salt, entry.envelope)) for entry in entries if entry is not None)
    if _digest(leaves) != digest:
        return None
    return Beginning(size, frontier, teaching, leaves), [journal.read_entry(entry) for entry in entries if entry is not None]


def _digest(leaves: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(leaves)).hexdigest()
