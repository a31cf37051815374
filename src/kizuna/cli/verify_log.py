"""Verify a file that ``kizuna audit export`` or ``kizuna audit prove`` wrote, with Python's standard library alone.

    python verify_log.py FILE [--key VKEY] [--former VKEY] [--witness VKEY] [--json]

This one file imports nothing of kizuna, so that a partner can read it from top to bottom, and run it where kizuna is not
installed: Python 3.9 or later, no network, nothing is written. It exits with 0 if all of FILE verifies, with 1 if something does
not (and names it: ``entries.7.root``), with 2 if it was called wrongly.

What is verified of an export: each line's form; each disclosed entry's signature (DSSE envelope, Ed25519, its own or that of its
batch), and that times never go back; that each entry's salted hash leads to the root on its line (Merkle tree of RFC 6962); each
checkpoint's signature (C2SP signed note); and that the tree of each checkpoint and that of the entries are one, the smaller
within the larger. Of a proof: the entry's signature, the checkpoint's, and the entry's place in the tree of the checkpoint.

What is not: whether what the entries say is true; and, without --key, whether the key is that of the organisation that the file
names. Compare the key that is printed with one that came to you another way.

Sources: RFC 8032 (Ed25519), RFC 6962 and 9162 (Merkle tree), C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-proof,
DSSE 1.0.
SPDX-License-Identifier: Apache-2.0
"""

# Its sentences are English only: it stands alone, without the catalogues of kizuna.
# Python 3.9 runs it, and whoever has to trust it should not have to look things up elsewhere in it.
# ruff: noqa: ANN401, C901, FURB161, PLR2004, PTH123, TRY004, TRY300, TRY301, UP017

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import math
import re
import sys
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FACT_TYPE = "application/vnd.kizuna.fact.1+json"
FACT_SCHEMA = "kizuna/fact/1"
EXPORT_SCHEMA = "kizuna/log-export/1"
PROOF_HEAD = b"c2sp.org/tlog-proof@v1\n"
LONGEST_ENVELOPE = 4 * 2**20
LONGEST_LINE = LONGEST_ENVELOPE + 4096
LONGEST_NOTE = 65_536
DASH = "\N{EM DASH} "
NOTE_TYPE, COSIGNATURE_TYPE = b"\x01", b"\x04"


class Fault(Exception):
    """What does not verify: where (``entries.7.root``), and a sentence."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why


# ---- Ed25519 (RFC 8032, section 5.1). Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)
if TYPE_CHECKING:
    Point = tuple[int, int, int, int]
    Key = tuple[str, bytes]


def add(p: Point, q: Point) -> Point:
    """Sum of two points (RFC 8032, section 5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def decode_point(data: bytes) -> Point | None:
    """Point of its 32 bytes (RFC 8032, section 5.1.3); None if there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if len(data) != 32 or y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_OF_MINUS_1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def encode_point(p: Point) -> bytes:
    """32 bytes of a point (RFC 8032, section 5.1.2)."""
    inverse = pow(p[2], -1, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def multiples(p: Point) -> list[list[Point]]:
    """For each half byte of a scalar, least first, the sixteen multiples of `p` that it can stand for."""
    rows = []
    for _half_byte in range(64):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(add(row[-1], p))
        rows.append(row)
        p = add(row[-1], p)
    return rows


def times(rows: list[list[Point]], scalar: int) -> Point:
    """Product of a scalar below 2**256 and the point whose `multiples` are given."""
    total = NEUTRAL
    for row in rows:
        if scalar & 15:
            total = add(total, row[scalar & 15])
        scalar >>= 4
    return total


_BASE_Y = 4 * pow(5, -1, P) % P
BASE = multiples(decode_point(_BASE_Y.to_bytes(32, "little")) or NEUTRAL)
_KEYS: dict[bytes, list[list[Point]] | None] = {}


@lru_cache(maxsize=16)
def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature verifies (RFC 8032, section 5.1.7, without the cofactor: [S]B = R + [k]A)."""
    if len(signature) != 64:
        return False
    if public_key not in _KEYS:
        point = decode_point(public_key)
        # [S]B - [k]A is computed with the negative of A.
        _KEYS[public_key] = None if point is None else multiples((P - point[0], point[1], 1, P - point[3]))
    rows = _KEYS[public_key]
    s = int.from_bytes(signature[32:], "little")
    if rows is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % L
    return encode_point(add(times(BASE, s), times(rows, k))) == signature[:32]


# ---- The Merkle tree (RFC 6962, section 2; RFC 9162, section 2.1)


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def leaf_hash(salt: bytes, envelope: bytes) -> bytes:
    """Hash of the leaf of an entry: the leaf's data is a salted hash, so that it tells nothing of the entry."""
    return sha256(b"\x00" + sha256(salt + envelope))


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right)


def append(frontier: list[bytes], size: int, leaf: bytes) -> None:
    """Append a leaf to a tree of `size` leaves, of which `frontier` has the roots of the perfect subtrees, largest first."""
    frontier.append(leaf)
    while size & 1:
        right = frontier.pop()
        frontier.append(node_hash(frontier.pop(), right))
        size >>= 1


def root_of(frontier: list[bytes]) -> bytes:
    """Root of the tree with this frontier."""
    if not frontier:
        return sha256(b"")
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Root of the tree of `size` leaves in which `path` places `leaf` at `index` (RFC 9162, section 2.1.3.2), if there is one."""
    if not 0 <= index < size:
        return None
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


def is_one_tree(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of `old` leaves is the beginning of that of `new` (RFC 9162, section 2.1.4.2)."""
    if old > new:
        old, old_root, new, new_root = new, new_root, old, old_root
    if old == new:
        return old_root == new_root and not proof
    if old == 0:
        return old_root == sha256(b"") and not proof
    path = list(proof)
    if old & (old - 1) == 0:
        # The old tree is itself a node of the new one, so its root begins the chain.
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


# ---- Strict reading: one value has one sequence of bytes


def base64_bytes(text: object, size: int | None = None) -> bytes:
    """Bytes of base64 in its one canonical form; ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError("no text")
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text or (size is not None and len(data) != size):
        raise ValueError("base64 of another form or length")
    return data


def hashes(texts: object) -> list[bytes]:
    """At most 63 hashes in base64."""
    if not isinstance(texts, list) or len(texts) > 63:
        raise ValueError("no list of at most 63 hashes")
    return [base64_bytes(text, 32) for text in texts]


def count(value: object) -> int:
    """Whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**16:
        raise ValueError("no whole number")
    return value


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Members of an object, of which none may stand twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def finite(text: str) -> float:
    """Number that is not beyond those that all readers of JSON agree on."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def refuse_constant(name: str) -> float:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is no JSON")


def read_json(data: bytes) -> Any:
    """Value of JSON that can be read in one way only; ValueError for anything else."""
    try:
        return json.loads(data.decode(), object_pairs_hook=once, parse_constant=refuse_constant, parse_float=finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def has_float(value: object) -> bool:
    """Whether there is a number with a fraction or an exponent in it: lines and envelopes have none."""
    if isinstance(value, dict):
        return any(has_float(item) for item in value.values())
    if isinstance(value, list):
        return any(has_float(item) for item in value)
    return isinstance(value, float)


def canonical(value: object) -> bytes:
    """Canonical bytes (RFC 8785) of a value without fractions, all of whose names are ASCII."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def canonical_members(data: bytes) -> dict[str, Any]:
    """Members of an object in canonical JSON; ValueError for anything else."""
    try:
        value = read_json(data)
        if not isinstance(value, dict) or has_float(value) or canonical(value) != data:
            raise ValueError("no canonical JSON")
        return value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


# ---- Signed envelopes and notes


def signed_text(encoded: bytes, salt: bytes, batch: dict[str, Any]) -> bytes:
    """What the one signature of a batch is over: the root of the tree that the place and the path of an envelope lead to."""
    path = base64_bytes(batch["path"])
    if set(batch) != {"index", "path", "size"} or len(path) % 32 or len(salt) != 32:
        raise ValueError("its batch has another form")
    size = count(batch["size"])
    root = root_by_path(
        leaf_hash(salt, encoded), count(batch["index"]), size, [path[at : at + 32] for at in range(0, len(path), 32)]
    )
    if root is None:
        raise ValueError("it has no place in its batch")
    return b"kizuna batch 1\n%d\n%b\n" % (size, base64.b64encode(root))


def read_fact(envelope: bytes, salt: bytes, keys: list[bytes], where: str) -> tuple[dict[str, Any], datetime]:
    """Fact in an envelope (DSSE) that one of the keys signed, alone or in a batch, and when it was recorded."""
    try:
        if len(envelope) > LONGEST_ENVELOPE:
            raise ValueError("too long")
        members = canonical_members(envelope)
        ((signature),) = members["signatures"]
        alone = "batch" not in signature
        if set(members) != {"payload", "payloadType", "signatures"} or set(signature) - {"batch"} != {"keyid", "sig"}:
            raise ValueError("it has other members")
        payload = base64_bytes(members["payload"])
        if members["payloadType"] != FACT_TYPE:
            raise ValueError("it holds no fact")
        named = [public_key for public_key in keys if signature["keyid"] == hashlib.sha256(public_key).hexdigest()]
        if not named:
            raise ValueError("another key")
        signed = b"DSSEv1 %d %b %d %b" % (len(FACT_TYPE), FACT_TYPE.encode(), len(payload), payload)
        if not alone:
            signed = signed_text(signed, salt, signature["batch"])
        if not is_signed(named[0], base64_bytes(signature["sig"]), signed):
            raise ValueError("the signature is wrong")
        fact = read_json(payload)
        if not isinstance(fact, dict) or fact.get("schema") != FACT_SCHEMA:
            raise ValueError("it holds no fact of this version")
        recorded_at = fact.get("recorded_at")
        if not isinstance(recorded_at, str) or not re.fullmatch(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z", recorded_at
        ):
            raise ValueError("recorded_at is no instant")
        return fact, datetime.fromisoformat(recorded_at[:-1])
    except (ValueError, TypeError, KeyError) as error:
        raise Fault(where, f"the entry's envelope does not verify: {error}") from error


def key_id(name: str, public_key: bytes, kind: bytes) -> bytes:
    """Four bytes by which a signature line names its key."""
    return sha256(name.encode() + b"\n" + kind + public_key)[:4]


def is_key_name(name: str) -> bool:
    """Whether a key may have this name."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def read_key(text: str, kind: bytes = NOTE_TYPE) -> Key:
    """Name and public key of a verifier key (vkey); ValueError for anything else."""
    name, _plus, rest = text.partition("+")
    _id, _plus, material = rest.partition("+")
    data = base64_bytes(material, 33)
    if not is_key_name(name) or data[:1] != kind or text != write_key(name, data[1:], kind):
        raise ValueError("no verifier key of this use")
    return name, data[1:]


def write_key(name: str, public_key: bytes, kind: bytes = NOTE_TYPE) -> str:
    """Verifier key of a name and a public key."""
    return f"{name}+{key_id(name, public_key, kind).hex()}+{base64.b64encode(kind + public_key).decode()}"


def open_note(note: str, key: Key, witnesses: list[Key]) -> tuple[int, bytes, list[tuple[str, int]]]:
    """Size and root of a signed checkpoint, and the cosignatures on it; ValueError for anything that does not verify."""
    name, public_key = key
    if len(note) > LONGEST_NOTE or not note.endswith("\n") or any(c < " " and c != "\n" for c in note):
        raise ValueError("no signed note")
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.startswith(DASH):
        raise ValueError("no signature")
    text = head + "\n"
    signed = False
    cosigned: list[tuple[str, int]] = []
    for line in tail[:-1].split("\n"):
        who, space, encoded = line[len(DASH) :].partition(" ")
        if not line.startswith(DASH) or not space or not is_key_name(who):
            raise ValueError("a signature line is malformed")
        data = base64_bytes(encoded)
        if len(data) <= 4:
            raise ValueError("a signature is too short")
        if (who, data[:4]) == (name, key_id(name, public_key, NOTE_TYPE)):
            if not is_signed(public_key, data[4:], text.encode()):
                raise ValueError("the log's signature is wrong")
            signed = True
        for witness, witness_key in witnesses:
            if (who, data[:4]) == (witness, key_id(witness, witness_key, COSIGNATURE_TYPE)):
                seconds = int.from_bytes(data[4:12], "big")
                message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
                if len(data) != 76 or seconds > 253402300799 or not is_signed(witness_key, data[12:], message):
                    raise ValueError("a witness's cosignature is wrong")
                cosigned.append((witness, seconds))
    if not signed:
        raise ValueError("the log's key has not signed it")
    origin, *rest = head.split("\n")
    if len(rest) < 2 or not all(rest) or not re.fullmatch("0|[1-9][0-9]{0,15}", rest[0]) or origin != name:
        raise ValueError("no checkpoint of this log")
    return int(rest[0]), base64_bytes(rest[1], 32), cosigned


def open_note_by_any(note: str, keys: list[Key], witnesses: list[Key]) -> tuple[int, bytes, list[tuple[str, int]], Key]:
    """As `open_note`, by whichever of the keys signed it, which is given too."""
    for key in keys[1:]:
        try:
            return (*open_note(note, key, witnesses), key)
        except ValueError:
            pass
    return (*open_note(note, keys[0], witnesses), keys[0])


# ---- The two files


def require_witnesses(cosigned: list[dict[str, Any]], witnesses: list[Key]) -> None:
    """Each witness that was asked for must have cosigned."""
    for name, _key in sorted(witnesses):
        if name not in {found["witness"] for found in cosigned}:
            raise Fault("witnesses", f"no checkpoint here is cosigned by {name}")


def as_told(cosigned: list[tuple[str, int]], size: int) -> list[dict[str, Any]]:
    """Cosignatures as they are printed."""
    return [
        {"witness": name, "size": size, "at": datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
        for name, at in cosigned
    ]


def read_line(line: bytes, where: str, *forms: set[str]) -> dict[str, Any]:
    """Members of a line of an export, which has the names of one of the forms."""
    try:
        if len(line) > LONGEST_LINE or not line.endswith(b"\n"):
            raise ValueError("too long, or cut off")
        members = canonical_members(line[:-1])
        if set(members) not in forms:
            raise ValueError("other members")
        return members
    except ValueError as error:
        raise Fault(where, f"the line cannot be read: {error}") from error


def verify_entry(line: bytes, index: int, keys: list[bytes], last: datetime | None) -> tuple[bytes, bytes, datetime | None, bool]:
    """Leaf and root of the line that must hold entry `index`, and when the entry was recorded."""
    where = f"entries.{index}"
    forms = {"index", "salt", "envelope", "root"}, {"index", "leaf", "root"}, {"checkpoint", "proof"}
    members = read_line(line, f"{where}.form", *forms)
    if "checkpoint" in members:
        raise Fault(f"{where}.missing", f"entry {index} is missing")
    try:
        found = count(members["index"])
    except ValueError as error:
        raise Fault(f"{where}.form", "the index cannot be read") from error
    if found != index:
        raise Fault(f"{where}.place", f"entry {found} stands where entry {index} belongs: it is missing or was moved")
    try:
        root = base64_bytes(members["root"], 32)
        if "leaf" in members:
            return base64_bytes(members["leaf"], 32), root, last, False
        salt = base64_bytes(members["salt"], 32)
    except ValueError as error:
        raise Fault(f"{where}.form", f"root, leaf or salt cannot be read: {error}") from error
    envelope = canonical(members["envelope"])
    _fact, at = read_fact(envelope, salt, keys, f"{where}.envelope")
    if last is not None and at < last:
        raise Fault(f"{where}.recorded_at", f"entry {index} was recorded before the entry that precedes it")
    return leaf_hash(salt, envelope), root, at, True


def verify_checkpoint(
    line: bytes, number: int, keys: list[Key], witnesses: list[Key], tree: tuple[int, bytes]
) -> tuple[int, list[dict[str, Any]], bool]:
    """Size of the tree of a checkpoint that is one with that of the entries, who cosigned it, whether the first key signed it."""
    where = f"checkpoints.{number}"
    members = read_line(line, f"{where}.form", {"checkpoint", "proof"})
    try:
        proof = hashes(members["proof"])
        if not isinstance(members["checkpoint"], str):
            raise ValueError("the checkpoint is no text")
    except ValueError as error:
        raise Fault(f"{where}.form", f"proof or checkpoint cannot be read: {error}") from error
    try:
        size, root, cosigned, key = open_note_by_any(members["checkpoint"], keys, witnesses)
    except ValueError as error:
        raise Fault(f"{where}.signature", f"the checkpoint does not verify: {error}") from error
    if not is_one_tree(size, root, *tree, proof):
        raise Fault(
            f"{where}.tree",
            f"the log signed a tree of {size} entries that is not shown to be one with the {tree[0]} entries here: "
            "a fork, or the consistency proof was changed",
        )
    return size, as_told(cosigned, size), key == keys[0]


def verify_export(lines: Iterator[bytes], key: Key | None, witnesses: list[Key]) -> dict[str, Any]:
    """What an export shows; Fault if something of it does not verify."""
    names = {"schema", "origin", "key", "begin", "end", "frontier"}
    head = read_line(next(lines, b""), "header", names, names | {"former"})
    try:
        begin, end, frontier = count(head["begin"]), count(head["end"]), hashes(head["frontier"])
        own = read_key(str(head["key"]))
        if head["schema"] != EXPORT_SCHEMA or own[0] != head["origin"] or begin > end or len(frontier) != bin(begin).count("1"):
            raise ValueError("its members do not fit together")
        # Keys that the log had before: the present one vouches for the tree, and so for what they signed in their time.
        told = head.get("former", [])
        keys = [own, *(read_key(str(text)) for text in told)] if isinstance(told, list) else []
        if any(name != own[0] for name, _key in keys) or not keys or ("former" in head and len(keys) == 1):
            raise ValueError("its former keys cannot be used")
    except ValueError as error:
        raise Fault("header", f"the first line cannot be read: {error}") from error
    if key is not None and key != own:
        raise Fault("header.key", f"the log is signed with {write_key(*own)}, expected {write_key(*key)}")
    last: datetime | None = None
    disclosed = 0
    for index in range(begin, end):
        line = next(lines, None)
        if line is None:
            raise Fault(f"entries.{index}.missing", f"entry {index} is missing: the file ends")
        leaf, root, last, whole = verify_entry(line, index, [public_key for _name, public_key in keys], last)
        disclosed += whole
        append(frontier, index, leaf)
        if root_of(frontier) != root:
            raise Fault(
                f"entries.{index}.root", "the tree has another root with it than its line states: salt, hash or root was changed"
            )
    covered, present = -1, True
    cosigned: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        size, found, present = verify_checkpoint(line, number, keys, witnesses, (end, root_of(frontier)))
        if size <= covered:
            raise Fault(f"checkpoints.{number}.place", "the checkpoint is not of a larger tree than the one before it")
        covered = size
        cosigned += found
    if covered < end:
        raise Fault("checkpoints.missing", f"no signed checkpoint covers the entries up to {end}")
    if not present:
        raise Fault(f"checkpoints.{number}.signature", "the largest tree is not signed with the present key")
    require_witnesses(cosigned, witnesses)
    return {
        "origin": own[0],
        "key": write_key(*own),
        "key_expected": key is not None,
        "begin": begin,
        "end": end,
        "root": root_of(frontier).hex(),
        "disclosed": disclosed,
        "cosigned": cosigned,
    }


PROOF = re.compile(
    rb"c2sp\.org/tlog-proof@v1\nextra ([A-Za-z0-9+/=]+)\nindex (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.*)",
    re.DOTALL,
)


def verify_proof(data: bytes, key: Key, witnesses: list[Key], former: Sequence[Key] = ()) -> dict[str, Any]:
    """What a proof of one entry shows; Fault if something of it does not verify."""
    match = PROOF.fullmatch(data)
    try:
        if match is None or len(data) > 2 * LONGEST_LINE:
            raise ValueError("another form")
        extra, index = base64_bytes(match[1].decode()), int(match[2])
        path, note = hashes(match[3].decode().split()), match[4].decode()
    except ValueError as error:
        raise Fault("proof.form", f"the proof cannot be read: {error}") from error
    try:
        size, root, cosigned = open_note(note, key, witnesses)
    except ValueError as error:
        raise Fault("proof.checkpoint", f"the checkpoint does not verify: {error}") from error
    fact, _at = read_fact(extra[32:], extra[:32], [key[1], *(public_key for _name, public_key in former)], "proof.entry")
    if root_by_path(leaf_hash(extra[:32], extra[32:]), index, size, path) != root:
        raise Fault("proof.path", f"the entry is not shown to stand at {index} in the log of {size} entries")
    told = as_told(cosigned, size)
    require_witnesses(told, witnesses)
    return {
        "origin": key[0],
        "key": write_key(*key),
        "index": index,
        "size": size,
        "root": root.hex(),
        "fact": fact,
        "cosigned": told,
    }


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Lines of a file; of one that is too long only as much as shows that it is."""
    while True:
        line = file.readline(LONGEST_LINE + 1)
        if not line:
            return
        yield line


def printable(text: str) -> str:
    """Text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def report(found: dict[str, Any]) -> Iterator[str]:
    """Sentences about what was verified."""
    if "fact" in found:
        fact = found["fact"]
        yield f"Entry {found['index']} stands in the log {found['origin']} of {found['size']} entries."
        yield f"  {fact.get('kind')}, recorded at {fact.get('recorded_at')} by {fact.get('recorded_by')}"
        yield f"  {json.dumps(fact.get('body'), ensure_ascii=False)}"
    else:
        entries = found["end"] - found["begin"]
        yield (
            f"{entries} entries of the log {found['origin']} verified, from {found['begin']} on, "
            f"{found['disclosed']} of them with content."
        )
        yield f"Tail: {found['end']}:{found['root']}"
        if not found["key_expected"]:
            yield "The file itself names the key. Compare it with one that came to you another way, or give that with --key:"
            yield f"  {found['key']}"
    for cosigned in found["cosigned"]:
        yield f"Cosigned by {cosigned['witness']} at {cosigned['at']}, at {cosigned['size']} entries."


def main() -> int:
    """Verify the file that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--key", metavar="VKEY", help="verifier key of the log: NAME+ID+KEY; a proof needs it")
    parser.add_argument(
        "--witness", metavar="VKEY", action="append", default=[], help="verifier key of a witness that must have cosigned"
    )
    parser.add_argument(
        "--former",
        metavar="VKEY",
        action="append",
        default=[],
        help="key that the log had before, which may have signed a proof's entry",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a letter is shown its number instead.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        key = None if options.key is None else read_key(options.key)
        witnesses = [read_key(text, COSIGNATURE_TYPE) for text in options.witness]
        former = [read_key(text) for text in options.former]
    except ValueError as error:
        parser.error(f"a key cannot be read: {error}")
    try:
        with open(options.file, "rb") as file:
            is_proof = file.read(len(PROOF_HEAD)) == PROOF_HEAD
            file.seek(0)
            if not is_proof:
                found = verify_export(lines_of(file), key, witnesses)
            elif key is None:
                parser.error("a proof names no key: give the log's with --key")
            else:
                found = verify_proof(file.read(2 * LONGEST_LINE + 1), key, witnesses, former)
    except OSError as error:
        parser.error(f"{options.file}: {error.strerror}")
    except Fault as fault:
        if options.json:
            print(json.dumps({"verified": False, "field": fault.where, "message": fault.why}))
        else:
            print(printable(f"NOT VERIFIED: {fault}"))
        return 1
    if options.json:
        print(json.dumps({"verified": True, **found}))
    else:
        for sentence in report(found):
            print(printable(sentence))
    return 0


if __name__ == "__main__":
    sys.exit(main())
