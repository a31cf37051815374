"""Files in which a log travels: an export (JSON Lines) and a proof of one entry (C2SP tlog-proof). Bytes <-> values, no I/O.

The formats stand in ``docs/audit.md``. ``cli/verify_log.py`` verifies the same files with the standard library alone; a test
holds the two equal. What is wrong is named in the error's field: ``entries.7.root``, ``checkpoints.0.tree``, ``proof.path``.

# INVARIANT: each line is canonical JSON and each base64 canonical, so no byte can be changed without being found.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.errors import InputError, KizunaError, LogDamaged, Message
from kizuna.exchange.checkpoint import Checkpoint, open_checkpoint, read_verifier_key, verifier_key
from kizuna.exchange.cosignature import cosigned_at
from kizuna.exchange.envelope import MOST_ENVELOPE_BYTES, key_id_of, signer_of, unseal
from kizuna.exchange.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    extend,
    leaf_data,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.provenance import FACT_SCHEMA
from kizuna.model.reading import open_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant

    type VerifierKey = tuple[str, bytes]

__all__ = [
    "FACT_TYPE",
    "MOST_LINE_BYTES",
    "PROOF_HEAD",
    "Cosigned",
    "VerifiedExport",
    "VerifiedProof",
    "checkpoint_line",
    "entry_line",
    "header_line",
    "leaf_line",
    "proof_bytes",
    "verify_export",
    "verify_proof",
]

FACT_TYPE = "application/vnd.kizuna.fact.1+json"
"""Payload type of the envelope of an entry."""
EXPORT_SCHEMA = "kizuna/log-export/1"
PROOF_HEAD = b"c2sp.org/tlog-proof@v1\n"
"""First line of a proof of one entry; an export begins with a brace."""
MOST_LINE_BYTES = MOST_ENVELOPE_BYTES + 4096
"""Longest line of an export that is read."""
_PROOF = re.compile(
    PROOF_HEAD.replace(b".", rb"\.")
    + rb"extra ([A-Za-z0-9+/=]+)\nindex (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.*)",
    re.DOTALL,
)
_MOST_HASHES = 63
_MOST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness's cosignature that verified: whose, on the tree of which size, when."""

    witness: str
    size: int
    at: Instant


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """What a verified export shows.

    Parameters
    ----------
    origin
        Name of the log.
    key
        Verifier key that signed; to be compared with one that came another way, unless it was asked for.
    begin, end
        The entries [begin, end) are in the file, each under the tree.
    root
        Root of the tree of the first `end` entries.
    disclosed
        Count of entries that the file holds with their content; of the others it has only the hash.
    checkpoints
        Signed checkpoints, each of one tree with the entries.
    cosigned
        Cosignatures of the witnesses that were asked for.
    """

    origin: str
    key: str
    begin: int
    end: int
    root: bytes
    disclosed: int
    checkpoints: tuple[Checkpoint, ...]
    cosigned: tuple[Cosigned, ...]


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """What a verified proof shows: the fact stands at `index` in the tree of the checkpoint."""

    index: int
    fact: dict[str, Json]
    checkpoint: Checkpoint
    cosigned: tuple[Cosigned, ...]


def _fault(field: str, message: Message) -> LogDamaged:
    return LogDamaged(
        message,
        hint=Message("ask for the file again; if it comes the same, keep it as evidence and ask the log's operator"),
        field=field,
    )


# ---- writing


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def header_line(
    origin: str, public_key: bytes, begin: int, end: int, frontier: Sequence[bytes], former: Sequence[bytes] = ()
) -> bytes:
    """First line of an export.

    Parameters
    ----------
    origin, public_key
        The log and its key.
    begin, end
        The entries [begin, end) follow.
    frontier
        Of the tree of the first `begin` entries (`kizuna.exchange.merkle.extend`).
    former
        The log's keys before this one, oldest first.
    """
    head: dict[str, Json] = {
        "schema": EXPORT_SCHEMA,
        "origin": origin,
        "key": verifier_key(origin, public_key),
        "begin": begin,
        "end": end,
        "frontier": [_text(node) for node in frontier],
    }
    if former:
        head["former"] = [verifier_key(origin, key) for key in former]
    return canonical(head) + b"\n"


def entry_line(index: int, salt: bytes, envelope: bytes, root: bytes) -> bytes:
    """Line of an entry with its content; `root` is that of the tree that it completes."""
    # An envelope is canonical JSON already, so it stands in the line as it is.
    return b'{"envelope":%b,"index":%d,"root":"%b","salt":"%b"}\n' % (
        envelope,
        index,
        base64.b64encode(root),
        base64.b64encode(salt),
    )


def leaf_line(index: int, leaf: bytes, root: bytes) -> bytes:
    """Line of an entry that is not disclosed: the hash of its leaf."""
    return canonical({"index": index, "leaf": _text(leaf), "root": _text(root)}) + b"\n"


def checkpoint_line(note: str, proof: Sequence[bytes]) -> bytes:
    """Line of a signed checkpoint; `proof` shows that its tree and that of the entries are one, the smaller within the larger."""
    return canonical({"checkpoint": note, "proof": [_text(node) for node in proof]}) + b"\n"


def proof_bytes(index: int, salt: bytes, envelope: bytes, path: Sequence[bytes], note: str) -> bytes:
    """File that proves one entry (C2SP tlog-proof; its extra data is salt and envelope, whose SHA-256 is the leaf's data)."""
    lines = [f"extra {_text(salt + envelope)}", f"index {index}", *(_text(node) for node in path), "", note]
    return PROOF_HEAD + "\n".join(lines).encode()


# ---- reading


def _decoded(text: object, size: int | None = HASH_SIZE) -> bytes:
    """Bytes of canonical base64.

    Raises
    ------
    ValueError
        If it is none, or of another length.
    """
    if not isinstance(text, str):
        raise TypeError(text)
    data = base64.b64decode(text, validate=True)
    if _text(data) != text or (size is not None and len(data) != size):
        raise ValueError(text[:100])
    return data


def _decoded_all(texts: object) -> tuple[bytes, ...]:
    if not isinstance(texts, list) or len(texts) > _MOST_HASHES:
        raise TypeError(texts)
    return tuple(_decoded(text) for text in texts)


def _members(line: bytes, field: str, *forms: set[str]) -> dict[str, Json]:
    """Members of a line, which must be canonical JSON and have exactly the names of one form."""
    why = Message("too long") if len(line) > MOST_LINE_BYTES else Message("not canonical JSON on one line")
    try:
        value = parse_json(line.removesuffix(b"\n"), field=field) if len(line) <= MOST_LINE_BYTES else None
        if isinstance(value, dict) and canonical(value) + b"\n" == line:
            if set(value) in forms:
                return value
            why = Message("of another form")
    except (InputError, RecursionError):
        pass
    raise _fault(field, Message("{field}: the line is {why}", {"field": field, "why": why}))


def _malformed(field: str, name: str) -> LogDamaged:
    return _fault(field, Message("{field}: {name} cannot be read", {"field": field, "name": name}))


def _count(value: Json, field: str, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**_MOST_DIGITS:
        raise _malformed(field, name)
    return value


@dataclass(frozen=True, slots=True)
class _Header:
    origin: str
    public_key: bytes
    begin: int
    end: int
    frontier: tuple[bytes, ...]
    former: tuple[bytes, ...]


def _read_header(line: bytes) -> _Header:
    names = {"schema", "origin", "key", "begin", "end", "frontier"}
    head = _members(line, "header", names, names | {"former"})
    if head["schema"] != EXPORT_SCHEMA:
        raise _malformed("header", "schema")
    begin, end = _count(head["begin"], "header", "begin"), _count(head["end"], "header", "end")
    try:
        name, public_key = read_verifier_key(str(head["key"]))
        frontier = _decoded_all(head["frontier"])
        told = head.get("former", [])
        former = [read_verifier_key(str(text)) for text in told] if isinstance(told, list) else []
    except (InputError, ValueError, TypeError) as error:
        raise _malformed("header", "key, frontier") from error
    if any(other != name for other, _key in former) or ("former" in head and not former):
        raise _malformed("header", "former")
    if name != head["origin"] or begin > end or len(frontier) != begin.bit_count():
        raise _malformed("header", "origin, begin, end, frontier")
    return _Header(name, public_key, begin, end, frontier, tuple(key for _name, key in former))


def _fact_of(envelope: bytes, salt: bytes, keys: Sequence[bytes], field: str) -> tuple[dict[str, Json], Instant]:
    """Fact that one of the keys signed, and when it was recorded. A kind that this version does not know is no damage."""
    claimed = signer_of(envelope)
    public_key = next((key for key in keys if key_id_of(key) == claimed), keys[0])
    try:
        payload = unseal(envelope, public_key, FACT_TYPE, salt=salt)
        recorded_at = open_table(payload, schema=FACT_SCHEMA, what="fact").text("recorded_at")
        at = parse_instant(recorded_at)
    except KizunaError as error:
        raise _fault(field, Message("{field} does not verify: {why}", {"field": field, "why": error.message})) from error
    if not isinstance(payload, dict) or format_instant(at) != recorded_at:
        raise _malformed(field, "recorded_at")
    return payload, at


@dataclass(slots=True)
class _Entries:
    """The entries of an export, as far as they are read."""

    header: _Header
    frontier: tuple[bytes, ...]
    disclosed: int = 0
    last: Instant | None = None

    def take(self, index: int, line: bytes) -> None:
        """Take the line that must hold entry `index`."""
        field = f"entries.{index}"
        members = _members(
            line, f"{field}.form", {"index", "salt", "envelope", "root"}, {"index", "leaf", "root"}, {"checkpoint", "proof"}
        )
        if "checkpoint" in members:
            raise _missing(index)
        found = _count(members["index"], f"{field}.form", "index")
        if found != index:
            raise _fault(
                f"{field}.place",
                Message(
                    "entry {found} stands where entry {index} belongs: entry {index} is missing or was moved",
                    {"found": found, "index": index},
                ),
            )
        try:
            root = _decoded(members["root"])
            leaf = _decoded(members["leaf"]) if "leaf" in members else None
            salt = _decoded(members["salt"]) if leaf is None else b""
        except (ValueError, TypeError, binascii.Error) as error:
            raise _malformed(f"{field}.form", "root, leaf, salt") from error
        if leaf is None:
            envelope = canonical(members["envelope"])
            # The tree is vouched for by the present key; of the former ones each signed what it signed in its time.
            _fact, at = _fact_of(envelope, salt, (self.header.public_key, *self.header.former), f"{field}.envelope")
            if self.last is not None and at < self.last:
                raise _fault(
                    f"{field}.recorded_at",
                    Message("entry {index} of the log was recorded before the entry that precedes it", {"index": index}),
                )
            self.last = at
            self.disclosed += 1
            leaf = leaf_hash(leaf_data(salt, envelope))
        self.frontier = extend(self.frontier, index, [leaf])
        if root_of(self.frontier) != root:
            raise _fault(
                f"{field}.root",
                Message(
                    "entry {index}: the tree has another root with it than its line states: its salt, hash or root was changed",
                    {"index": index},
                ),
            )


def _missing(index: int) -> LogDamaged:
    return _fault(f"entries.{index}.missing", Message("entry {index} of the log is missing", {"index": index}))


def _is_one_tree(checkpoint: Checkpoint, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the trees of a checkpoint and of `size` entries are one, the smaller within the larger."""
    (old, old_root), (new, new_root) = sorted([(checkpoint.size, checkpoint.root), (size, root)], key=lambda tree: tree[0])
    if old == new:
        return old_root == new_root and not proof
    if old == 0:
        # The empty tree is within every tree, and needs no proof.
        return old_root == EMPTY_ROOT and not proof
    return verify_consistency(old, new, old_root, new_root, proof)


def _cosigned(note: str, size: int, witnesses: Sequence[VerifierKey]) -> Iterator[Cosigned]:
    for name, public_key in witnesses:
        at = cosigned_at(note, name, public_key)
        if at is not None:
            yield Cosigned(name, size, at)


def _open_by_any(note: str, header: _Header) -> Checkpoint:
    for key in header.former:
        with suppress(LogDamaged):
            return open_checkpoint(note, origin=header.origin, key_name=header.origin, public_key=key)
    return open_checkpoint(note, origin=header.origin, key_name=header.origin, public_key=header.public_key)


def _read_checkpoint(
    line: bytes, number: int, entries: _Entries, witnesses: Sequence[VerifierKey]
) -> tuple[Checkpoint, list[Cosigned]]:
    field, header = f"checkpoints.{number}", entries.header
    members = _members(line, f"{field}.form", {"checkpoint", "proof"})
    note = members["checkpoint"]
    try:
        proof = _decoded_all(members["proof"])
    except (ValueError, TypeError, binascii.Error) as error:
        raise _malformed(f"{field}.form", "proof") from error
    if not isinstance(note, str):
        raise _malformed(f"{field}.form", "checkpoint")
    try:
        checkpoint = _open_by_any(note, header)
        cosigned = list(_cosigned(note, checkpoint.size, witnesses))
    except LogDamaged as error:
        raise LogDamaged(error.message, hint=error.hint, field=f"{field}.signature") from error
    if not _is_one_tree(checkpoint, header.end, root_of(entries.frontier), proof):
        raise _fault(
            f"{field}.tree",
            Message(
                "the log signed a tree of {size} entries that is not shown to be one with the {end} entries here: a fork, "
                "or the consistency proof was changed",
                {"size": checkpoint.size, "end": header.end},
            ),
        )
    return checkpoint, cosigned


def _require_witnesses(cosigned: Iterable[Cosigned], witnesses: Sequence[VerifierKey]) -> None:
    absent = sorted({name for name, _key in witnesses} - {found.witness for found in cosigned})
    if absent:
        raise _fault("witnesses", Message("no checkpoint here is cosigned by {name}", {"name": absent[0]}))


def _require_key(origin: str, public_key: bytes, key: VerifierKey | None) -> None:
    if key is not None and key != (origin, public_key):
        raise _fault(
            "header.key",
            Message(
                "the log is signed with {got}, expected {expected}",
                {"got": verifier_key(origin, public_key), "expected": verifier_key(*key)},
            ),
        )


def verify_export(
    lines: Iterable[bytes], *, key: VerifierKey | None = None, witnesses: Sequence[VerifierKey] = ()
) -> VerifiedExport:
    """Verify an export from its first line to its last.

    Parameters
    ----------
    lines
        Lines of the file, line ends included.
    key
        Name and public key of the log that it must be; None to take the key that the file itself names, and show it.
    witnesses
        Names and public keys of witnesses, each of which must have cosigned a checkpoint of the file.

    Raises
    ------
    LogDamaged
        Naming in its field what does not verify: an entry that is missing, was moved or changed, a checkpoint of another tree.
    """
    source = iter(lines)
    header = _read_header(next(source, b""))
    _require_key(header.origin, header.public_key, key)
    entries = _Entries(header, header.frontier)
    for index in range(header.begin, header.end):
        line = next(source, None)
        if line is None:
            raise _missing(index)
        entries.take(index, line)
    checkpoints: list[Checkpoint] = []
    cosigned: list[Cosigned] = []
    last = b""
    for number, line in enumerate(source):
        checkpoint, found = _read_checkpoint(line, number, entries, witnesses)
        if checkpoints and checkpoint.size <= checkpoints[-1].size:
            raise _fault(
                f"checkpoints.{number}.place",
                Message("checkpoint {number} is not of a larger tree than the one before it", {"number": number}),
            )
        checkpoints.append(checkpoint)
        cosigned += found
        last = line
    if checkpoints and header.former:
        # INVARIANT: the largest tree is signed with the present key, whatever former ones signed.
        _read_checkpoint(last, len(checkpoints) - 1, replace(entries, header=replace(header, former=())), ())
    if not checkpoints or checkpoints[-1].size < header.end:
        raise _fault("checkpoints.missing", Message("no signed checkpoint covers the entries up to {end}", {"end": header.end}))
    _require_witnesses(cosigned, witnesses)
    return VerifiedExport(
        header.origin,
        verifier_key(header.origin, header.public_key),
        header.begin,
        header.end,
        root_of(entries.frontier),
        entries.disclosed,
        tuple(checkpoints),
        tuple(cosigned),
    )


def _read_proof(data: bytes) -> tuple[bytes, int, tuple[bytes, ...], str]:
    """Extra data, index, path and checkpoint of a proof."""
    match = _PROOF.fullmatch(data)
    try:
        if match is not None:
            extra, index, path, note = (group.decode() for group in match.groups())
            return _decoded(extra, None), int(index), _decoded_all(path.split()), note
    except ValueError:
        pass
    raise _malformed("proof.form", "proof")


def verify_proof(
    data: bytes, *, key: VerifierKey, witnesses: Sequence[VerifierKey] = (), former: Sequence[bytes] = ()
) -> VerifiedProof:
    """Verify a proof of one entry.

    Parameters
    ----------
    data
        The file.
    key
        Name and public key of the log; a proof names no key.
    witnesses
        As for `verify_export`.
    former
        Keys that the log had before: one of them may have signed the entry.

    Raises
    ------
    LogDamaged
        Naming in its field what does not verify: ``proof.form``, ``proof.checkpoint``, ``proof.entry``, ``proof.path``.
    """
    if len(data) > 2 * MOST_LINE_BYTES:
        raise _malformed("proof.form", "proof")
    extra, index, path, note = _read_proof(data)
    try:
        checkpoint = open_checkpoint(note, origin=key[0], key_name=key[0], public_key=key[1])
        cosigned = tuple(_cosigned(note, checkpoint.size, witnesses))
    except LogDamaged as error:
        raise LogDamaged(error.message, hint=error.hint, field="proof.checkpoint") from error
    salt, envelope = extra[:HASH_SIZE], extra[HASH_SIZE:]
    fact, _at = _fact_of(envelope, salt, (key[1], *former), "proof.entry")
    leaf = leaf_hash(leaf_data(salt, envelope))
    if not verify_inclusion(leaf, index, checkpoint.size, checkpoint.root, path):
        raise _fault(
            "proof.path",
            Message(
                "the entry is not shown to stand at {index} in the log of {size} entries",
                {"index": index, "size": checkpoint.size},
            ),
        )
    _require_witnesses(cosigned, witnesses)
    return VerifiedProof(index, fact, checkpoint, cosigned)
