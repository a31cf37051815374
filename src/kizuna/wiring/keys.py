"""Keys of a node: made, announced, changed, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tail_anchor import FileTailAnchor, state_folder
from kizuna.errors import InputError, Message
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.merkle import leaf_data, leaf_hash
from kizuna.model.instants import instant_of
from kizuna.wiring.nodes import KEYS, open_node

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from kizuna.model.instants import Instant
    from kizuna.node.state import Announced, Node

__all__ = [
    "announce_node_keys",
    "forget_sealing_keys",
    "give_sealing_key",
    "read_certificate_end",
    "rotate_node_keys",
    "rotate_sealing_key",
    "take_due_keys",
]


def give_sealing_key(folder: Path) -> None:
    """Make the key for removable media of the node in `folder`, if it has none."""
    FileKeys.add_sealing_key(folder / KEYS)


def rotate_sealing_key(folder: Path, within: timedelta) -> tuple[str, Instant]:
    """Make a new key for removable media for the node in `folder`, and announce it to its partners.

    Returns
    -------
    id, until
        Its id, and when the former one ends.

    Raises
    ------
    InputError
        If the node has none yet.
    TailUnconfirmed, StoreError
        As `kizuna.node.key_change.announce_sealing_key`, or if the key cannot be written.
    """
    from kizuna.node.key_change import announce_sealing_key

    with open_node(folder) as node:
        node.require_confirmed()
        if node.keys.sealing_key is None:
            raise InputError(
                Message("this node has no key for removable media yet"),
                hint=Message("make one: kizuna exchange key"),
                field="key",
            )
    # The key before the word of it: what is announced is there, whatever happens in between.
    former = FileKeys.rotate_sealing_key(folder / KEYS)
    with open_node(folder) as node:
        return node.keys.sealing_ids[0], announce_sealing_key(node, former, within)


def forget_sealing_keys(folder: Path) -> int:
    """Remove the former keys for removable media that have ended; give how many there were."""
    with open_node(folder) as node:
        now = node.now()
        return FileKeys.forget_sealing_keys(
            folder / KEYS, [id_ for id_, end in node.knowledge().sealing_ends.items() if end <= now]
        )


def announce_node_keys(folder: Path, within: timedelta) -> tuple[Node, Announced | None]:
    """Make new keys for the node in `folder` and announce them to its partners.

    Without partners there is nobody to tell: they are in use at once, and nothing is given back as announced.

    Raises
    ------
    InputError, TailUnconfirmed, StoreError
        As `kizuna.node.key_change.announce_keys`, or if the keys cannot be written.
    """
    from kizuna.node.key_change import announce_keys, require_none_announced

    with open_node(folder) as node:
        require_none_announced(node)
        fresh = _fresh_keys(folder, node)
        if node.knowledge().partners:
            return node, announce_keys(node, fresh, within)
        _go_over(folder, node, fresh)
        return node, None


def rotate_node_keys(folder: Path) -> Node:
    """Go over to new keys at once, to those that were announced if any were; the log says so, signed by the former key.

    Returns
    -------
    node
        The node as it was opened; its store is closed.

    Raises
    ------
    TailUnconfirmed, StoreError
        As `kizuna.node.key_change.rotate_keys`, or if the keys cannot be written.
    """
    with open_node(folder) as node:
        announced = node.knowledge().announced
        fresh = _fresh_keys(folder, node) if announced is None else FileKeys.stored(folder / KEYS, announced.key_id)
        _go_over(folder, node, fresh)
    return node


def take_due_keys(folder: Path, node: Node) -> bool:
    """Go over to the keys that were announced, if every partner knows them or their day has come; whether it did."""
    from kizuna.node.key_change import due_key

    due = due_key(node)
    if due is not None:
        _go_over(folder, node, FileKeys.stored(folder / KEYS, due))
    return due is not None


def _fresh_keys(folder: Path, node: Node) -> FileKeys:
    node.require_confirmed()
    # As the log has it: an earlier rotation may not have come to its end.
    node.journal.own_keys()
    return FileKeys.load(folder / KEYS).make_next(node.organisation, node.now())


def _go_over(folder: Path, node: Node, fresh: FileKeys) -> None:
    from kizuna.node.key_change import rotate_keys

    rotate_keys(node, fresh)
    # Only what the log says is former: the next keys may have been made already.
    FileKeys.forget(folder / KEYS, {key_id_of(key) for key in node.journal.own_keys()[:-1]})
    FileTailAnchor(state_folder(), fresh.key_id).keep(*_tail_of(node))


def _tail_of(node: Node) -> tuple[int, bytes]:
    size = node.store.log.size()
    entry = next(node.store.log.entries(size - 1))
    return size, leaf_hash(leaf_data(entry.salt, entry.envelope))


def read_certificate_end(folder: Path) -> Instant:
    """Instant at which the certificate of the node in `folder` ends."""
    from cryptography.x509 import load_der_x509_certificate

    certificate = load_der_x509_certificate(FileKeys.load(folder / KEYS).certificate_der)
    return instant_of(certificate.not_valid_after_utc)
