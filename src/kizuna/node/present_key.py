"""What a former signing key of this node has signed, and goes to a partner only now: under the present key.

A partner for which the former key was revoked, or that pinned this node anew, believes nothing which that key signed, whatever
date it bears: one such entry would hold up all that follow it. What the partner has already is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.exchange.checkpoint import make_checkpoint
from kizuna.exchange.envelope import payload_type_of, signer_of
from kizuna.exchange.messages import Closed, ConsentNotice, KeyStatement, LogCheckpoint
from kizuna.exchange.onward import seal_consent, unseal_consent
from kizuna.exchange.rotation import SEALING_KEY_TYPE, seal_sealing_key, unseal_sealing_key
from kizuna.exchange.witness import Request, read_request, request_bytes

if TYPE_CHECKING:
    from kizuna.exchange.messages import Content
    from kizuna.node.journal import Journal

__all__ = ["has_former_signature", "under_present_key"]


def has_former_signature(journal: Journal, envelope: bytes) -> bool:
    """Whether an envelope of this node bears the signature of a key that was given up since."""
    return len(journal.own_keys()) > 1 and signer_of(envelope) != journal.keys.key_id


def under_present_key(journal: Journal, content: Content) -> Content:
    """Content of a message, what is signed within it signed by the present key.

    A statement that a former key was given up becomes `Closed`: whoever is connected by the present certificate knows its end.
    """
    match content:
        case LogCheckpoint() if len(journal.own_keys()) > 1:
            return LogCheckpoint(_signed_anew(journal, read_request(content.request.encode())).decode())
        case ConsentNotice() if has_former_signature(journal, content.consent):
            return ConsentNotice(seal_consent(unseal_consent(content.consent, journal.key_of(content.consent)), journal.keys))
        case KeyStatement() if has_former_signature(journal, statement := content.statement.encode()):
            if payload_type_of(statement) != SEALING_KEY_TYPE:
                return Closed()
            return KeyStatement(seal_sealing_key(unseal_sealing_key(statement, journal.key_of(statement)), journal.keys).decode())
        case _:
            return content


def _signed_anew(journal: Journal, request: Request) -> bytes:
    """Request to a witness over the same tree. A signature of the present key comes out as it was: Ed25519 knows no chance."""
    checkpoint, origin = journal.open_note(request.note), journal.origin
    note = make_checkpoint(origin, checkpoint.size, checkpoint.root, journal.keys.sign, origin, journal.keys.public_key)
    return request_bytes(Request(request.old_size, request.proof, note))
