"""The tamper-evident log as a Merkle tree (RFC 6962, section 2; RFC 9162, section 2.1). No I/O.

A tree is grown through its *frontier*: the roots of its perfect subtrees, largest first, one for each bit that is set in
its size. Appending a leaf touches only the frontier, and the root follows from it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "EMPTY_ROOT",
    "consistency_proof",
    "extend",
    "inclusion_proof",
    "inclusion_proofs",
    "is_subtree",
    "leaf_data",
    "leaf_hash",
    "node_hash",
    "root_by_path",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
    "verify_subtree_consistency",
]

HASH_SIZE = hashlib.sha256().digest_size
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_data(salt: bytes, envelope: bytes) -> bytes:
    """Data of the leaf that commits to an envelope: a salted hash, so that a leaf tells nothing of what it commits to.

    Parameters
    ----------
    salt
        32 random bytes.
    envelope
        Sealed envelope.

    Raises
    ------
    ValueError
        If the salt has another length: salt and envelope would no longer part in one place only.
    """
    if len(salt) != HASH_SIZE:
        msg = f"salt of {len(salt)} bytes, expected {HASH_SIZE}"
        raise ValueError(msg)
    return hashlib.sha256(salt + envelope).digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf (RFC 9162, section 2.1.1: the prefix 0x00 keeps a leaf from being read as a node)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def extend(frontier: Sequence[bytes], size: int, leaves: Iterable[bytes]) -> tuple[bytes, ...]:
    """Frontier of a tree after `leaves` were appended.

    Parameters
    ----------
    frontier
        Roots of the perfect subtrees before, largest first.
    size
        Count of leaves before.
    leaves
        Hashes of the new leaves (`leaf_hash`).

    Raises
    ------
    ValueError
        If the frontier does not belong to a tree of this size.

    Examples
    --------
    >>> one = extend((), 0, [leaf_hash(b"a")])
    >>> root_of(extend(one, 1, [leaf_hash(b"b")])) == node_hash(leaf_hash(b"a"), leaf_hash(b"b"))
    True
    """
    if len(frontier) != size.bit_count():
        msg = f"frontier of {len(frontier)} hashes for a tree of {size} leaves"
        raise ValueError(msg)
    nodes = list(frontier)
    for node in leaves:
        nodes.append(node)
        # One merge for each bit that is carried when the size is incremented.
        for _ in range((~size & (size + 1)).bit_length() - 1):
            right = nodes.pop()
            nodes.append(node_hash(nodes.pop(), right))
        size += 1
    return tuple(nodes)


def root_of(frontier: Sequence[bytes]) -> bytes:
    """Root of the tree with this frontier."""
    if not frontier:
        return EMPTY_ROOT
    *rest, root = frontier
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def _split(size: int) -> int:
    """Largest power of two smaller than `size`: where a tree of more than one leaf parts."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree_root(leaves: Sequence[bytes], begin: int, end: int) -> bytes:
    return root_of(extend((), 0, leaves[begin:end]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Audit path of a leaf (RFC 9162, section 2.1.3.1), from the leaf upwards.

    Parameters
    ----------
    leaves
        Hashes of all leaves.
    index
        Place of the leaf.

    Raises
    ------
    IndexError
        If there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    path: list[bytes] = []
    begin, end = 0, len(leaves)
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_subtree_root(leaves, middle, end))
            end = middle
        else:
            path.append(_subtree_root(leaves, begin, middle))
            begin = middle
    return tuple(reversed(path))


def inclusion_proofs(leaves: Sequence[bytes]) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """Root of the tree over `leaves`, of which there is at least one, and the audit path of each.

    Examples
    --------
    >>> leaves = [leaf_hash(bytes([number])) for number in range(5)]
    >>> inclusion_proofs(leaves)[1] == [inclusion_proof(leaves, index) for index in range(5)]
    True
    """
    if len(leaves) == 1:
        return leaves[0], [()]
    middle = _split(len(leaves))
    (left, before), (right, after) = inclusion_proofs(leaves[:middle]), inclusion_proofs(leaves[middle:])
    return node_hash(left, right), [*((*path, right) for path in before), *((*path, left) for path in after)]


def consistency_proof(leaves: Sequence[bytes], size: int) -> tuple[bytes, ...]:
    """Proof that the tree of the first `size` leaves is a prefix of the whole (RFC 9162, section 2.1.4.1).

    Raises
    ------
    IndexError
        If `size` is not between 1 and the count of leaves.
    """
    if not 0 < size <= len(leaves):
        raise IndexError(size)
    path: list[bytes] = []
    begin, end = 0, len(leaves)
    # `whole` says that the old tree covers exactly a subtree that the verifier already knows: its own root.
    whole = True
    while size != end:
        middle = begin + _split(end - begin)
        if size <= middle:
            path.append(_subtree_root(leaves, middle, end))
            end = middle
        else:
            path.append(_subtree_root(leaves, begin, middle))
            begin, whole = middle, False
    if not whole:
        path.append(_subtree_root(leaves, begin, end))
    return tuple(reversed(path))


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Root of the tree in which an audit path places a leaf (RFC 9162, section 2.1.3.2); None if there is no such tree.

    Parameters
    ----------
    leaf
        Hash of the leaf.
    index
        Place of the leaf.
    size
        Count of leaves of the tree.
    path
        Audit path of the leaf, from the leaf upwards.
    """
    if not 0 <= index < size or not _hashes(leaf, *path):
        return None
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    return r if sn == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the leaf with hash `leaf` stands at `index` in the tree (RFC 9162, section 2.1.3.2)."""
    return root_by_path(leaf, index, size, proof) == root


def is_subtree(begin: int, end: int) -> bool:
    """Whether the leaves [begin, end) can be a subtree: `begin` is a multiple of the least power of two that holds them."""
    return 0 <= begin < end and begin % (1 << (end - begin - 1).bit_length()) == 0


def verify_subtree_consistency(begin: int, end: int, size: int, subtree: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the subtree over the leaves [begin, end) is part of the tree of `size` leaves.

    Notes
    -----
    The verification of RFC 9162, section 2.1.4.2, with a lower bound added as draft-ietf-plants-merkle-tree-certs has it;
    with `begin` 0 it is exactly the RFC's.
    """
    if begin == end <= size:
        # The empty subtree is part of every tree.
        return begin >= 0 and subtree == EMPTY_ROOT and not proof
    if not is_subtree(begin, end) or end > size or not _hashes(*proof):
        return False
    fn, sn, tn = begin, end - 1, size - 1
    while fn != sn and (sn == tn or sn & 1):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    # Where the subtree is itself a node of the tree its root begins the chain; otherwise the proof's first hash does.
    first, *rest = [subtree, *proof] if fn == sn else [*proof] or [b""]
    fr = sr = first
    for p in rest:
        if tn == 0:
            return False
        if sn & 1 or sn == tn:
            if fn < sn:
                fr = node_hash(p, fr)
            sr = node_hash(p, sr)
            while sn and not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            sr = node_hash(sr, p)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    return tn == 0 and fr == subtree and sr == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `old_size` leaves is a prefix of that of `new_size` leaves.

    An empty old tree proves nothing and is refused: compare `EMPTY_ROOT` instead.
    """
    return old_size > 0 and verify_subtree_consistency(0, old_size, new_size, old_root, new_root, proof)
