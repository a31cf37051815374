"""Manifests: the digest, size and chunk hashes of a file, so that each chunk can be trusted as it arrives. No I/O of its own.

A gigabyte needs 256 hashes. They travel inside the signed feed entry; a chunk that does not match is never stored.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import Message, PartnerMisbehaved
from kizuna.model.digests import Digest, parse_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from kizuna.model.canonical import Json
    from kizuna.model.reading import Table

__all__ = ["CHUNK_BYTES", "Manifest", "check_chunk", "fetch_verified", "make_manifest", "manifest_to_json", "read_manifest"]

CHUNK_BYTES = 4 * 2**20
"""Length of every chunk but the last."""

_HASH = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the bytes of one blob must be.

    Parameters
    ----------
    digest
        Digest of the whole.
    size
        Length in bytes.
    chunks
        SHA-256 of each chunk of `CHUNK_BYTES`, in order, in hexadecimal; the last chunk may be shorter.
    """

    digest: Digest
    size: int
    chunks: tuple[str, ...]

    def span(self, index: int) -> tuple[int, int]:
        """Offset and length of a chunk in bytes."""
        offset = index * CHUNK_BYTES
        return offset, min(CHUNK_BYTES, self.size - offset)


def make_manifest(source: BinaryIO) -> Manifest:
    """Manifest of all bytes that are left in `source`."""
    whole, size, chunks = hashlib.sha256(), 0, []
    while chunk := _read_chunk(source):
        whole.update(chunk)
        size += len(chunk)
        chunks.append(hashlib.sha256(chunk).hexdigest())
    return Manifest(Digest("sha256:" + whole.hexdigest()), size, tuple(chunks))


def _read_chunk(source: BinaryIO) -> bytes:
    """Read a whole chunk, however few bytes `source` gives at a time."""
    parts, left = [], CHUNK_BYTES
    while left and (part := source.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def manifest_to_json(manifest: Manifest) -> dict[str, Json]:
    """JSON form of `manifest`; `read_manifest` reads it back."""
    return {
        "digest": manifest.digest,
        "size": manifest.size,
        "chunk_bytes": CHUNK_BYTES,
        "chunks": list(manifest.chunks),
    }


def read_manifest(table: Table) -> Manifest:
    """Manifest of a strictly read table.

    Raises
    ------
    InputError
        If a field is missing, unknown or has another form, or the chunks do not make up the size.
    """
    manifest = Manifest(
        digest=parse_digest(table.text("digest"), field=table.field("digest")),
        size=table.integer("size"),
        chunks=table.texts("chunks"),
    )
    if table.integer("chunk_bytes") != CHUNK_BYTES:
        table.fault("chunk_bytes", Message("{bytes} bytes", {"bytes": CHUNK_BYTES}))
    table.done()
    count = -(-manifest.size // CHUNK_BYTES)
    if len(manifest.chunks) != count or not all(_HASH.match(chunk) for chunk in manifest.chunks):
        table.fault("chunks", Message("{count} SHA-256 hashes in hexadecimal", {"count": count}))
    return manifest


def check_chunk(manifest: Manifest, index: int, data: bytes) -> None:
    """Refuse `data` unless it is the chunk `index`.

    Raises
    ------
    PartnerMisbehaved
        If length or hash differ.
    """
    _, length = manifest.span(index)
    if len(data) != length or hashlib.sha256(data).hexdigest() != manifest.chunks[index]:
        raise PartnerMisbehaved(
            Message(
                "chunk {index} of {digest}: {got} bytes that are not the {expected} bytes of the signed manifest",
                {"index": index, "digest": manifest.digest, "got": len(data), "expected": length},
            ),
            hint=Message("receive again; if it happens twice, tell the partner's operator"),
        )


def fetch_verified(manifest: Manifest, fetch: Callable[[Digest, int, int], bytes]) -> Iterator[bytes]:
    """Chunks of a blob in order, each verified before it is handed on.

    Parameters
    ----------
    manifest
        Signed manifest.
    fetch
        Gives the bytes of a digest from an offset, of a length (`Transport.blob`).
    """
    for index in range(len(manifest.chunks)):
        data = fetch(manifest.digest, *manifest.span(index))
        check_chunk(manifest, index, data)
        yield data
