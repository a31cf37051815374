"""The Merkle tree against transparency-dev's vectors, against a plain twin, and against its own proofs."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.exchange.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    extend,
    inclusion_proof,
    is_subtree,
    leaf_data,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

VECTORS = Path(__file__).parents[2] / "vectors/merkle/vectors.jsonl"
# By folder: how many vectors transparency-dev/merkle 417fb0c has.
COUNTS = {"inclusion": 98, "consistency": 98, "subtreeinclusion": 204, "subtreeconsistency": 118}


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _verdict(kind: str, vector: dict[str, object]) -> bool:
    def data(name: str) -> bytes:
        return _bytes(str(vector[name]) if vector[name] is not None else None)

    def number(name: str) -> int:
        value = vector[name]
        assert isinstance(value, int)
        return value

    proofs = vector["proof"] or []
    assert isinstance(proofs, list)
    proof = [_bytes(text) for text in proofs]
    match kind:
        case "inclusion":
            return verify_inclusion(data("leafHash"), number("leafIdx"), number("treeSize"), data("root"), proof)
        case "consistency":
            return verify_consistency(number("size1"), number("size2"), data("root1"), data("root2"), proof)
        case "subtreeinclusion":
            begin, end = number("start"), number("end")
            return is_subtree(begin, end) and verify_inclusion(
                data("leafHash"), number("leafIdx") - begin, end - begin, data("root"), proof
            )
        case _:
            begin, end, size = number("start"), number("end"), number("size")
            return verify_subtree_consistency(begin, end, size, data("root1"), data("root2"), proof)


@pytest.mark.parametrize("kind", COUNTS)
def test_agrees_with_all_vectors_of_transparency_dev(kind: str) -> None:
    vectors = [vector for vector in map(json.loads, VECTORS.read_text("utf-8").splitlines()) if vector["kind"] == kind]
    assert len(vectors) == COUNTS[kind]
    for vector in vectors:
        assert _verdict(kind, vector) is not vector["wantErr"], f"{vector['name']}: {vector['desc']}"


def _plain_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + _plain_root(leaves[:k]) + _plain_root(leaves[k:])).digest()


def _leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def test_root_follows_from_frontier_at_every_size() -> None:
    frontier: tuple[bytes, ...] = ()
    leaves = _leaves(70)
    for size in range(70):
        assert root_of(frontier) == _plain_root(leaves[:size])
        assert len(frontier) == size.bit_count()
        frontier = extend(frontier, size, [leaves[size]])


# SHA-256 over the roots at 1 to 299 leaves, the leaves' data being the numbers from 0 in decimal, as pymerkle 7.0.0 computes them
# (`InmemoryTree`, sha256). It is under the GPL, so it was run beside kizuna, never within: only this number came over.
PYMERKLE = "d7fc655b0da6bde6616dbca41b5cbf2b506984f7a1470d1b76e5fd0ea185935c"


def test_roots_are_those_of_pymerkle():
    frontier: tuple[bytes, ...] = ()
    roots = hashlib.sha256()
    for size, leaf in enumerate(_leaves(299)):
        frontier = extend(frontier, size, [leaf])
        roots.update(root_of(frontier))
    assert roots.hexdigest() == PYMERKLE


def test_the_empty_tree_has_its_own_root_and_proves_nothing():
    assert root_of(()) == root_of(extend((), 0, [])) == EMPTY_ROOT == hashlib.sha256(b"").digest()
    root = root_of(extend((), 0, _leaves(3)))
    for proof in ((), (EMPTY_ROOT,), (root,)):
        assert not verify_consistency(0, 3, EMPTY_ROOT, root, proof)
        assert not verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, proof)
        assert not verify_inclusion(leaf_hash(b"0"), 0, 0, EMPTY_ROOT, proof)
    # As a subtree, the empty one is part of every tree, without a proof.
    assert verify_subtree_consistency(0, 0, 3, EMPTY_ROOT, root, ())
    assert not verify_subtree_consistency(0, 0, 3, root, root, ())
    assert not verify_subtree_consistency(0, 0, 3, EMPTY_ROOT, root, (root,))


@given(st.integers(0, 64), st.integers(0, 64))
def test_extending_twice_is_extending_once(first: int, second: int) -> None:
    leaves = _leaves(first + second)
    half = extend((), 0, leaves[:first])
    assert extend(half, first, leaves[first:]) == extend((), 0, leaves)


def test_every_proof_verifies_and_only_where_it_belongs() -> None:
    leaves = _leaves(20)
    for size in range(1, 21):
        root = root_of(extend((), 0, leaves[:size]))
        for index in range(size):
            proof = inclusion_proof(leaves[:size], index)
            assert verify_inclusion(leaves[index], index, size, root, proof)
            assert not verify_inclusion(leaves[index], (index + 1) % size, size, root, proof) or size == 1
            assert not verify_inclusion(leaf_hash(b"other"), index, size, root, proof)
        for old in range(1, size + 1):
            old_root = root_of(extend((), 0, leaves[:old]))
            proof = consistency_proof(leaves[:size], old)
            assert verify_consistency(old, size, old_root, root, proof)
            forked = root_of(extend((), 0, [leaf_hash(b"fork"), *leaves[1:old]]))
            assert not verify_consistency(old, size, forked, root, proof)


def test_leaf_is_never_a_node() -> None:
    left, right = _leaves(2)
    assert leaf_hash(left + right) != node_hash(left, right)


def test_leaf_data_is_salted_and_needs_a_whole_salt() -> None:
    envelope = b'{"payload":""}'
    assert leaf_data(b"\0" * 32, envelope) == hashlib.sha256(b"\0" * 32 + envelope).digest()
    assert leaf_data(b"\0" * 32, envelope) != leaf_data(b"\1" * 32, envelope)
    with pytest.raises(ValueError, match="salt of 31 bytes"):
        leaf_data(b"\0" * 31, b"\0" + envelope)


def test_refuses_a_frontier_of_another_size() -> None:
    with pytest.raises(ValueError, match="frontier of 1 hashes for a tree of 3 leaves"):
        extend([EMPTY_ROOT], 3, [])


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(_leaves(3), index)
    with pytest.raises(IndexError):
        consistency_proof(_leaves(3), index + 1)
