"""Witnessing a partner's log (C2SP tlog-witness): cosign a checkpoint that continues what was seen, or show the fork. No I/O.

A witness keeps of each log the latest checkpoint that it cosigned. It cosigns a new one only with a proof that the new tree
continues that one. Two trees of one size that the log's key has signed are proof of a fork by themselves, for anybody.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import KizunaError, Message, PartnerMisbehaved
from kizuna.exchange.checkpoint import Checkpoint, open_checkpoint
from kizuna.exchange.merkle import EMPTY_ROOT, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_REQUEST_BYTES", "Continues", "Fork", "Request", "Unrelated", "judge", "read_request", "request_bytes"]

MOST_REQUEST_BYTES = 70_000
"""Longest request that is read."""
_REQUEST = re.compile(rb"old (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """Request to cosign (body of C2SP's ``add-checkpoint``).

    Parameters
    ----------
    old_size
        Size of the tree that the proof starts from: of the latest checkpoint that the witness cosigned, 0 for none.
    proof
        Consistency proof from there.
    note
        Signed checkpoint.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Continues:
    """The checkpoint continues what was seen: it may be cosigned, and is the latest from then on."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Unrelated:
    """The proof starts from another size than that of the latest checkpoint seen: ask for one that starts from `size`."""

    size: int


@dataclass(frozen=True, slots=True)
class Fork:
    """The log's key signed a checkpoint that does not continue what was seen.

    Parameters
    ----------
    seen, signed
        The signed checkpoints: seen before, and sent now.
    proof
        The consistency proof that was sent and does not verify.
    proven
        Whether the two checkpoints alone prove the fork to anybody: they are of one size and differ.
    why
        One sentence.
    """

    seen: str
    signed: str
    proof: tuple[bytes, ...]
    proven: bool
    why: Message


def request_bytes(request: Request) -> bytes:
    """Body of a request."""
    lines = [f"old {request.old_size}", *(base64.b64encode(node).decode() for node in request.proof), "", request.note]
    return "\n".join(lines).encode()


def _off(why: Message) -> PartnerMisbehaved:
    return PartnerMisbehaved(
        Message("the request to cosign a checkpoint cannot be used: {why}", {"why": why}),
        hint=Message("nothing was cosigned; tell the partner's operator"),
    )


def read_request(body: bytes) -> Request:
    """Request of its body.

    Raises
    ------
    PartnerMisbehaved
        If it has another form.
    """
    match = _REQUEST.fullmatch(body) if len(body) <= MOST_REQUEST_BYTES else None
    if match is None:
        raise _off(Message("it has another form"))
    try:
        note = match[3].decode()
    except UnicodeDecodeError as error:
        raise _off(Message("its checkpoint is no text")) from error
    texts = match[2].split()
    proof = tuple(base64.b64decode(text, validate=True) for text in texts)
    if [base64.b64encode(node) for node in proof] != texts:
        raise _off(Message("it holds base64 in another than its one canonical form"))
    return Request(int(match[1]), proof, note)


def _continues(seen: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> bool:
    if seen.size == 0:
        return True
    return verify_consistency(seen.size, new.size, seen.root, new.root, proof)


def judge(
    request: Request, seen: str | None, *, origin: str, public_key: bytes, seen_key: bytes | None = None
) -> Continues | Unrelated | Fork:
    """Whether a partner's checkpoint may be cosigned.

    Parameters
    ----------
    request
        What the partner sent.
    seen
        The latest checkpoint of this log that was cosigned here, as it was signed; None for none.
    origin, public_key
        The log and its key, as pinned.
    seen_key
        The key that signed `seen`, if the log's key was changed since; None for the same.

    Raises
    ------
    PartnerMisbehaved
        If the checkpoint is not signed with the log's key, or the request contradicts itself: then nothing is shown of the log.
    """
    try:
        new = open_checkpoint(request.note, origin=origin, key_name=origin, public_key=public_key)
    except KizunaError as error:
        raise _off(error.message) from error
    last = (
        Checkpoint(origin, 0, EMPTY_ROOT)
        if seen is None
        else open_checkpoint(seen, origin=origin, key_name=origin, public_key=seen_key or public_key)
    )
    if request.old_size > new.size:
        sizes: dict[str, str | int | float | Message] = {"old": request.old_size, "size": new.size}
        raise _off(Message("it proves from {old} entries on, and its checkpoint is of {size}", sizes))
    if new.size == 0 and new.root != EMPTY_ROOT:
        raise _off(Message("its root is not that of the empty tree"))
    if seen is not None and new.size == last.size and new.root != last.root:
        why = Message("it signed two different trees of {size} entries", {"size": new.size})
        return Fork(seen, request.note, request.proof, proven=True, why=why)
    if request.old_size != last.size:
        return Unrelated(last.size)
    if last.size == 0 and request.proof:
        raise _off(Message("it proves from the empty tree on, which takes no proof"))
    if seen is not None and not _continues(last, new, request.proof):
        values: dict[str, str | int | float] = {"size": new.size, "seen": last.size}
        why = Message("its tree of {size} entries is not shown to continue its tree of {seen} entries", values)
        return Fork(seen, request.note, request.proof, proven=False, why=why)
    return Continues(new)
