"""Manifests: digest, size and running hashes of a file, so that each chunk can be trusted as it arrives. No I/O of its own.

A gigabyte needs 256 hashes. They travel inside the signed feed entry; a chunk that does not verify never counts.

Hash `i` is the SHA-256 of the file up to the end of chunk `i`, so the last one is the digest of the whole. One pass of hashing
therefore verifies each chunk as it comes and binds all of them to the digest under which the file is stored. Hashes of single
chunks would need a second pass for that: without it, a partner could sign chunks of one file under the digest of another.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import Message, PartnerMisbehaved
from kizuna.model.digests import Digest, parse_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from kizuna.model.canonical import Json
    from kizuna.model.reading import Table

__all__ = [
    "CHUNK_BYTES",
    "Manifest",
    "Verifier",
    "fetch_verified",
    "make_manifest",
    "manifest_to_json",
    "read_manifest",
    "verify_whole",
]

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
    running
        SHA-256 of the file up to the end of each chunk of `CHUNK_BYTES`, in order, in hexadecimal; the last chunk may be shorter.
    """

    digest: Digest
    size: int
    running: tuple[str, ...]

    def span(self, index: int) -> tuple[int, int]:
        """Offset and length of a chunk in bytes."""
        offset = index * CHUNK_BYTES
        return offset, min(CHUNK_BYTES, self.size - offset)


def make_manifest(source: BinaryIO) -> Manifest:
    """Manifest of all bytes that are left in `source`."""
    hashed, size, running = hashlib.sha256(), 0, []
    while chunk := _read_chunk(source):
        hashed.update(chunk)
        size += len(chunk)
        running.append(hashed.hexdigest())
    return Manifest(Digest("sha256:" + hashed.hexdigest()), size, tuple(running))


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
        "running": list(manifest.running),
    }


def read_manifest(table: Table) -> Manifest:
    """Manifest of a strictly read table.

    Raises
    ------
    InputError
        If a field is missing, unknown or has another form, or the hashes do not make up size and digest.
    """
    manifest = Manifest(
        digest=parse_digest(table.text("digest"), field=table.field("digest")),
        size=table.integer("size"),
        running=table.texts("running"),
    )
    if table.integer("chunk_bytes") != CHUNK_BYTES:
        table.fault("chunk_bytes", Message("{bytes} bytes", {"bytes": CHUNK_BYTES}))
    table.done()
    count = -(-manifest.size // CHUNK_BYTES)
    if len(manifest.running) != count or not all(_HASH.match(running) for running in manifest.running):
        table.fault("running", Message("{count} SHA-256 hashes in hexadecimal", {"count": count}))
    # INVARIANT: what verifies chunk by chunk has this digest. Everything else may then rely on the digest alone.
    if manifest.digest != "sha256:" + (manifest.running[-1] if manifest.running else hashlib.sha256().hexdigest()):
        table.fault("running", Message("the digest of the whole as the last hash"))
    return manifest


class Verifier:
    """Holds the chunks of one blob against its manifest, in order.

    Examples
    --------
    >>> import io
    >>> verifier = Verifier(make_manifest(io.BytesIO(b"image")))
    >>> verifier.takes(b"other"), verifier.takes(b"image"), verifier.done
    (False, True, True)
    """

    __slots__ = ("_hashed", "_manifest", "index")

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._hashed = hashlib.sha256()
        self.index = 0
        """The chunk that comes next."""

    @property
    def done(self) -> bool:
        """Whether all chunks were taken."""
        return self.index == len(self._manifest.running)

    def takes(self, data: bytes | memoryview) -> bool:
        """Whether `data` is the next chunk; if it is, the one behind it comes next."""
        if len(data) != self._manifest.span(self.index)[1]:
            return False
        hashed = self._hashed.copy()
        hashed.update(data)
        if hashed.hexdigest() != self._manifest.running[self.index]:
            return False
        self._hashed = hashed
        self.index += 1
        return True

    def take(self, data: bytes | memoryview) -> None:
        """Refuse `data` unless it is the next chunk.

        Raises
        ------
        PartnerMisbehaved
            If length or hash differ.
        """
        if not self.takes(data):
            _refuse(self._manifest, self.index, len(data), self._manifest.span(self.index)[1])


def _refuse(manifest: Manifest, index: int, got: int, expected: int) -> NoReturn:
    raise PartnerMisbehaved(
        Message(
            "chunk {index} of {digest}: {got} bytes that are not the {expected} bytes of the signed manifest",
            {"index": index, "digest": manifest.digest, "got": got, "expected": expected},
        ),
        hint=Message("receive again; if it happens twice, tell the partner's operator"),
    )


def verify_whole(manifest: Manifest, data: bytes | memoryview) -> None:
    """Refuse `data` unless it is all of a blob.

    Raises
    ------
    PartnerMisbehaved
        If length or hash differ.
    """
    if len(data) != manifest.size or "sha256:" + hashlib.sha256(data).hexdigest() != manifest.digest:
        _refuse(manifest, 0, len(data), manifest.size)


def fetch_verified(manifest: Manifest, fetch: Callable[[Digest, int, int], bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Chunks of a blob in order, each verified before it is handed on.

    Parameters
    ----------
    manifest
        Signed manifest.
    fetch
        Gives the bytes of a digest from an offset, of a length (`Transport.blob`).
    """
    verifier = Verifier(manifest)
    while not verifier.done:
        data = fetch(manifest.digest, *manifest.span(verifier.index))
        verifier.take(data)
        yield data
