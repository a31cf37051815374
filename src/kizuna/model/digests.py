"""Content digests: SHA-256, written ``sha256:`` and 64 hexadecimal digits."""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from kizuna.errors import InputError, Message

__all__ = ["Digest", "digest_of", "parse_digest"]

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hexadecimal digits, as `digest_of` and `parse_digest` make it."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z", re.ASCII)


def digest_of(data: bytes) -> Digest:
    """Digest of `data`.

    Examples
    --------
    >>> digest_of(b"")[:23]
    'sha256:e3b0c44298fc1c14'
    """
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def parse_digest(text: str, *, field: str = "digest") -> Digest:
    """Digest of a text that claims to be one.

    Raises
    ------
    InputError
        If `text` has another form.
    """
    if not _DIGEST.match(text):
        raise InputError(
            Message("{field}: {got!r} is no digest, expected sha256: and 64 hexadecimal digits", {"field": field, "got": text}),
            field=field,
        )
    return Digest(text)
