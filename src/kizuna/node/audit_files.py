"""What others may check of a node's log without the node: a proof of one entry, an export of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, LogDamaged, Message
from kizuna.exchange.cosignature import with_cosignatures
from kizuna.exchange.log_file import checkpoint_line, entry_line, header_line, leaf_line, proof_bytes
from kizuna.exchange.merkle import consistency_proof, extend, inclusion_proof, leaf_data, leaf_hash, root_of
from kizuna.model.digests import digest_of
from kizuna.model.parties import parse_party
from kizuna.model.provenance import FactKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kizuna.exchange.checkpoint import Checkpoint
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.provenance import Fact
    from kizuna.node.journal import Journal
    from kizuna.node.state import Node

__all__ = [
    "LogKey",
    "Tree",
    "export_log",
    "find_entry",
    "keep_witnessed",
    "leaf_hashes",
    "log_key",
    "lost_end",
    "present_tree",
    "prove_entry",
    "received_as",
    "require_part_of",
    "require_witnessed",
    "witnessed_notes",
]

_WITNESSED = "witnessed-by/"
_SENT = frozenset({FactKind.RELEASE_SEQUENCED, FactKind.MESSAGE_SEQUENCED})
_CAME = frozenset({FactKind.PRODUCT_RECEIVED, FactKind.PRODUCT_WITHDRAWN, FactKind.MESSAGE_RECEIVED})


type LogKey = tuple[str, bytes]
"""Name and raw public key of a log."""


def log_key(organisation: Party, public_key: bytes) -> LogKey:
    """Key of the log of an organisation's node."""
    return f"kizuna/{organisation}", public_key


@dataclass(frozen=True, slots=True)
class Tree:
    """Hashes of all leaves of the log, under its latest checkpoint."""

    leaves: Sequence[bytes]
    note: str
    head: Checkpoint


def leaf_hashes(journal: Journal, size: int) -> list[bytes]:
    """Hashes of the first `size` leaves."""
    found: list[bytes] = []
    for entry in journal.store.log.entries():
        if entry.index != len(found) or entry.index >= size:
            break
        found.append(leaf_hash(leaf_data(entry.salt, entry.envelope)))
    return found


def present_tree(node: Node) -> Tree:
    """Tree under the latest checkpoint.

    Raises
    ------
    LogDamaged
        If there is none, or the entries do not make it up: nothing is handed out that a partner would find wrong.
    """
    head = node.journal.head()
    note = node.store.log.checkpoint()
    if head is None or note is None:
        raise LogDamaged(Message("the log has no checkpoint"))
    leaves = leaf_hashes(node.journal, head.size)
    if len(leaves) != head.size or root_of(extend((), 0, leaves)) != head.root:
        raise LogDamaged(
            Message("the log's entries do not make up the root that the checkpoint was signed over"),
            hint=Message("see which entry was changed: kizuna audit verify"),
        )
    return Tree(leaves, note, head)


def witnessed_notes(node: Node) -> dict[Party, str]:
    """The latest checkpoint of this node's log that each partner has cosigned."""
    found = {party: node.store.setting(_WITNESSED + party) for party in node.knowledge().partners}
    return {party: note for party, note in found.items() if note}


def keep_witnessed(node: Node, partner: Party, note: str) -> None:
    """Keep a checkpoint of this node's log that a partner has cosigned."""
    node.store.keep_setting(_WITNESSED + partner, note)


def lost_end(seen: int, size: int) -> LogDamaged:
    """Error for a log that is shorter than what a partner has seen of it."""
    return LogDamaged(
        Message(
            "a partner has seen {seen} entries of this node's log, which has {size}: it lost its end",
            {"seen": seen, "size": size},
        ),
        hint=Message("restore a newer backup; a log that lost its end must not serve"),
    )


def require_part_of(tree: Tree, checkpoint: Checkpoint) -> None:
    """Require that a checkpoint which this node signed once is one of the present log.

    Raises
    ------
    LogDamaged
        If it is of more entries or of others: a partner holds what this log has lost.
    """
    if checkpoint.size > tree.head.size:
        raise lost_end(checkpoint.size, tree.head.size)
    if root_of(extend((), 0, tree.leaves[: checkpoint.size])) != checkpoint.root:
        raise LogDamaged(
            Message(
                "this node signed another tree of {size} entries than its log has now, and a partner cosigned it: the log forked",
                {"size": checkpoint.size},
            ),
            hint=Message("restore the node from a backup and confirm its tail; keep the damaged folder as evidence"),
        )


def require_witnessed(node: Node) -> None:
    """Require that the present log continues each checkpoint of it that a partner has cosigned.

    Raises
    ------
    LogDamaged
        If it does not.
    """
    notes = witnessed_notes(node)
    if notes:
        tree = present_tree(node)
        for note in notes.values():
            require_part_of(tree, node.journal.open_note(note))


def _named(fact: Fact, digest: str) -> bool:
    return fact.kind in _SENT and fact.body.get("entry") == digest


def find_entry(node: Node, name: str) -> int:
    """Index of the log's entry that a person means.

    Parameters
    ----------
    node
        This node.
    name
        An index; a digest of a feed's entry, as the partner holds it (the latest release of it) or of the log entry's own
        envelope; or ``PARTY:NUMBER``, the entry of that number in the feed for that party.

    Raises
    ------
    InputError
        If there is none.
    """
    size = node.store.log.size()
    found: int | None = None
    party, colon, number = name.rpartition(":")
    if name.isascii() and name.isdecimal():
        found = int(name) if int(name) < size else None
    elif name.startswith("sha256:"):
        for entry in node.store.log.entries():
            if digest_of(entry.envelope) == name or _named(node.journal.read_entry(entry), name):
                found = entry.index
    elif colon and number.isascii() and number.isdecimal():
        to = node.partner_named(str(parse_party(party, field="entry")))
        for entry in node.store.log.entries():
            fact = node.journal.read_entry(entry)
            if fact.kind in _SENT and (fact.body["partner"], fact.body["sequence"]) == (to, int(number)):
                found = entry.index
    if found is None:
        raise InputError(
            Message("the log of {size} entries has none that is {name}", {"size": size, "name": repr(name)[:200]}),
            hint=Message("name an index, a digest (sha256:...), or PARTY:NUMBER for an entry of the feed; see: kizuna audit log"),
            field="entry",
        )
    return found


def received_as(node: Node, fact: Mapping[str, Json]) -> int | None:
    """Index of the entry of this node's log that holds what a partner's log says it released; None if nothing such came here.

    Parameters
    ----------
    node
        This node, the receiver.
    fact
        Fact of the partner's log, as a proof showed it.
    """
    body = fact.get("body")
    if fact.get("kind") not in {kind.value for kind in _SENT} or not isinstance(body, dict):
        return None
    for entry in node.store.log.entries():
        own = node.journal.read_entry(entry)
        # The digest is of the very envelope that came: two that are equal are one release.
        if own.kind in _CAME and own.body.get("entry") == body.get("entry"):
            return entry.index
    return None


def prove_entry(node: Node, index: int) -> bytes:
    """Proof that the log holds the entry at `index`, with the entry's content, under the latest checkpoint.

    Raises
    ------
    InputError
        If there is no such entry.
    LogDamaged
        If the log is damaged.
    """
    tree = present_tree(node)
    entry = next(node.store.log.entries(index), None) if index < len(tree.leaves) else None
    if entry is None:
        raise InputError(
            Message("the log of {size} entries has none that is {name}", {"size": len(tree.leaves), "name": str(index)}),
            hint=Message("see: kizuna audit log"),
            field="entry",
        )
    note = tree.note
    for witnessed in witnessed_notes(node).values():
        note = _joined(note, witnessed)
    return proof_bytes(index, entry.salt, entry.envelope, inclusion_proof(tree.leaves, index), note)


def _joined(note: str, other: str) -> str:
    """Note with the signatures of another note over the same text."""
    (text, _blank, _own), (same, _blank, lines) = note.rpartition("\n\n"), other.rpartition("\n\n")
    return with_cosignatures(note, lines) if text == same else note


def export_log(node: Node, first: int = 0, last: int | None = None, *, private: bool = False) -> Iterator[bytes]:
    """Lines of an export of the entries from `first` to `last`, both included (None: to the end).

    With `private` the entries' contents stay here, and only the hashes of their leaves go along.

    Raises
    ------
    InputError
        If there are no such entries.
    LogDamaged
        If the log is damaged.
    """
    tree = present_tree(node)
    end = len(tree.leaves) if last is None else last + 1
    if not 0 <= first < end <= len(tree.leaves):
        raise InputError(
            Message(
                "entries {first} to {last}: the log has the entries 0 to {most}",
                {"first": first, "last": end - 1, "most": len(tree.leaves) - 1},
            ),
            hint=Message("see: kizuna audit log"),
            field="from",
        )
    frontier = extend((), 0, tree.leaves[:first])
    yield header_line(node.journal.origin, node.keys.public_key, first, end, frontier, node.journal.own_keys()[:-1])
    for entry in node.store.log.entries(first):
        if entry.index >= end:
            break
        leaf = tree.leaves[entry.index]
        frontier = extend(frontier, entry.index, [leaf])
        root = root_of(frontier)
        yield leaf_line(entry.index, leaf, root) if private else entry_line(entry.index, entry.salt, entry.envelope, root)
    notes: dict[int, str] = {}
    for note in (tree.note, *witnessed_notes(node).values()):
        checkpoint = node.journal.open_note(note)
        # What a partner cosigned before the log lost its end is no part of this log; it is its own evidence.
        if checkpoint.size <= len(tree.leaves):
            known = notes.get(checkpoint.size)
            notes[checkpoint.size] = note if known is None else _joined(known, note)
    for size, note in sorted(notes.items()):
        small, large = sorted((size, end))
        proof = consistency_proof(tree.leaves[:large], small) if 0 < small < large else ()
        yield checkpoint_line(note, proof)
