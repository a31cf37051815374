"""Content digests: SHA-256, written ``sha256:`` and 64 hexadecimal digits."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NewType

from kizuna.errors import InputError, Message

__all__ = ["Digest", "content_uri", "digest_of", "digest_of_uri", "parse_digest"]

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hexadecimal digits, as `digest_of` and `parse_digest` make it."""

_URI = "ni:///sha-256;"
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


def content_uri(digest: Digest) -> str:
    """URI of bytes by their digest (RFC 6920, section 3).

    Examples
    --------
    >>> content_uri(digest_of(b"Hello World!"))
    'ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk'
    """
    raw = bytes.fromhex(digest.removeprefix("sha256:"))
    return _URI + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def digest_of_uri(uri: str) -> Digest | None:
    """Digest of such a URI; None of any other.

    Examples
    --------
    >>> digest_of_uri(content_uri(digest_of(b""))) == digest_of(b""), digest_of_uri("https://example.com/")
    (True, None)
    """
    if not uri.startswith(_URI):
        return None
    text = uri.removeprefix(_URI)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return Digest(f"sha256:{raw.hex()}") if len(raw) == hashlib.sha256().digest_size else None
