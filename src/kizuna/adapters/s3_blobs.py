"""Files by content in an object store that speaks S3: whole objects under their digests, staged in a folder on their way.

What was put is as durable as the object store keeps what it has acknowledged: `put` returns after that, never before. The server
checks each part by its SHA-256 as it comes in, and whoever reads a file from end to end has it checked against its digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from kizuna.adapters.blobs import FileBlobs
from kizuna.errors import InputError, Message, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from kizuna.exchange.manifest import Manifest
    from kizuna.model.digests import Digest

__all__ = ["S3Blobs", "bucket_of"]

_PART_BYTES = 8 * 2**20
_PARTS_AT_ONCE = 4
# Read at a time: maps are read in pieces of a few tens of kilobytes that lie near each other.
_AHEAD_BYTES = 2**18


def bucket_of(assets: str, *, field: str = "assets") -> tuple[str, str, dict[str, str]]:
    """Bucket, prefix, and further settings of an address as ``s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1``.

    Raises
    ------
    InputError
        If it is none, holds credentials, or speaks plain HTTP with another machine.
    """
    wrong = InputError(
        Message("{field}: expected the address of a bucket", {"field": field}),
        hint=Message("write for example s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1"),
        field=field,
    )
    try:
        parts = urlsplit(assets)
        asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise wrong from None
    if parts.scheme != "s3" or not parts.hostname or parts.fragment or set(asked) - {"endpoint", "region"}:
        raise wrong
    if parts.username or parts.password:
        raise InputError(
            Message("{field}: holds credentials, which then stand in files and lists of processes", {"field": field}),
            hint=Message("put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            field=field,
        )
    given = {name: values[-1] for name, values in asked.items()}
    endpoint = urlsplit(given.get("endpoint", "https:"))
    if endpoint.scheme != "https" and not (endpoint.scheme == "http" and _is_loopback(endpoint.hostname or "")):
        raise InputError(
            Message("{field}: the endpoint must be reached by https", {"field": field}),
            hint=Message("what is asked there would be read on the way, and could be changed"),
            field=field,
        )
    return parts.hostname, parts.path.strip("/"), given


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class S3Blobs:
    """Blob store port over a bucket. Several machines may use the same one.

    Parameters
    ----------
    assets
        Address of the bucket (`bucket_of`). Credentials come from ``AWS_ACCESS_KEY_ID`` and the like.
    staging
        Folder for what is on its way, and for the parts of broken transfers.
    retry
        Whether to ask again for half a minute where the server does not answer.
    """

    def __init__(self, assets: str, staging: Path, *, retry: bool = True) -> None:
        bucket, prefix, given = bucket_of(assets)
        self._name = f"s3://{bucket}/{prefix}"
        self._staged = FileBlobs(staging)
        self._lock = threading.Lock()
        with self._errors():
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                checksum_algorithm="SHA256",
                retry_config={"max_retries": 10 if retry else 0, "retry_timeout": timedelta(seconds=30)},
                client_options={"allow_http": given.get("endpoint", "").startswith("http:")},
                **given,  # type: ignore[arg-type] # an endpoint and a region
            )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Convert errors of the object store."""
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StoreError(
                Message("{path} cannot be used: {why}", {"path": self._name, "why": "access denied"}),
                hint=Message("check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do in the bucket"),
            ) from error
        except (BaseError, OSError) as error:
            raise StoreError(
                Message("{path} cannot be used: {why}", {"path": self._name, "why": str(error).partition("\n")[0][:200]}),
                hint=Message("check that the object store runs, and the setting assets"),
            ) from error

    @staticmethod
    def _key(digest: Digest) -> str:
        name = digest.removeprefix("sha256:")
        return f"blobs/{name[:2]}/{name[2:]}"

    def _size(self, key: str) -> int | None:
        """Length of an object; None where there is none."""
        with self._errors():
            try:
                return int(obstore.head(self._store, key)["size"])
            except FileNotFoundError:
                return None

    def _send(self, key: str, source: BinaryIO | bytes, size: int) -> None:
        with self._errors():
            obstore.put(
                self._store,
                key,
                source,
                use_multipart=size > _PART_BYTES,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        if self._size(key) != size:
            raise StoreError(
                Message("{path} did not keep what was sent to it", {"path": self._name}),
                hint=Message("check that the object store runs, and the setting assets"),
            )

    def _finish(self, digest: Digest) -> None:
        """Bring what lies in the folder to the bucket."""
        with self._lock:
            if not self.has(digest):
                with self._staged.open(digest) as file:
                    size = file.seek(0, io.SEEK_END)
                    file.seek(0)
                    self._send(self._key(digest), file, size)
            self._staged.discard(digest)

    def put(self, source: BinaryIO | bytes) -> tuple[Digest, int]:
        """Store all bytes of `source`; give their digest and count.

        Raises
        ------
        StoreError
            If the folder is full, or the object store cannot be used.
        """
        digest, size = self._staged.put(source)
        self._finish(digest)
        return digest, size

    def receive(self, manifest: Manifest, fetch: Callable[[Digest, int, int], bytes | memoryview], owner: str) -> int:
        """Store the blob of a manifest unless it is there; see `kizuna.node.ports.BlobStore.receive`.

        Raises
        ------
        PartnerMisbehaved
            If a chunk does not verify.
        StoreError
            As for `put`.
        """
        if self.has(manifest.digest):
            return 0
        fetched = self._staged.receive(manifest, fetch, owner)
        self._finish(manifest.digest)
        return fetched

    def receive_all(self, manifests: Sequence[Manifest], bodies: Iterable[bytes | memoryview]) -> None:
        """Store small blobs together; see `kizuna.node.ports.BlobStore.receive_all`.

        Raises
        ------
        PartnerMisbehaved
            If a body does not verify.
        StoreError
            As for `put`.
        """
        try:
            self._staged.receive_all(manifests, bodies)
        finally:
            for digest in dict.fromkeys(manifest.digest for manifest in manifests):
                if self._staged.has(digest):
                    self._finish(digest)

    def forget_parts(self, keep: Callable[[str, Digest], bool]) -> None:
        """Remove what broken transfers left, but for what `keep` says of its owner and digest; see the port."""
        self._staged.forget_parts(keep)

    def open(self, digest: Digest) -> BinaryIO:
        """Open a stored blob for reading and seeking.

        Raises
        ------
        StoreError
            If it is not there.
        """
        found = self._opened(self._key(digest), digest)
        if found is None:
            raise StoreError(
                Message("{digest} is not stored", {"digest": digest}),
                hint=Message("check that the object store runs, and the setting assets"),
            )
        return found

    def _opened(self, key: str, digest: Digest | None) -> BinaryIO | None:
        size = self._size(key)
        if size is None:
            return None
        return io.BufferedReader(_Object(self, key, size, digest), _AHEAD_BYTES)

    def piece(self, key: str, start: int, length: int) -> bytes:
        """Bytes of an object."""
        with self._errors():
            return obstore.get_range(self._store, key, start=start, length=length).to_bytes()

    def damaged(self, digest: Digest) -> StoreError:
        """Error for an object that has other bytes than were put."""
        return StoreError(
            Message("{path} is damaged: {why}", {"path": self._name, "why": digest}),
            hint=Message("restore the object from a backup; partners who received it can give it back"),
        )

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return self._size(self._key(digest)) is not None

    def discard(self, digest: Digest) -> None:
        """Remove a blob that nothing refers to, and what was derived from it; absent: nothing."""
        name = digest.removeprefix("sha256:")
        with self._errors():
            derived = [entry["path"] for some in obstore.list(self._store, f"derived/{name}") for entry in some]
            for key in (self._key(digest), *derived):
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, key)

    def _beside(self, digest: Digest, name: str) -> str:
        return f"derived/{digest.removeprefix('sha256:')}/{name}"

    def derived(self, digest: Digest, name: str) -> BinaryIO | None:
        """Open what this node made of a blob; None where it is not there."""
        return self._opened(self._beside(digest, name), None)

    def keep_derived(self, digest: Digest, name: str, data: bytes) -> None:
        """Keep something made of a blob; where there is no such blob, nothing.

        Raises
        ------
        StoreError
            If the object store cannot be used.
        """
        if self.has(digest):
            self._send(self._beside(digest, name), data, len(data))
        if not self.has(digest):
            self.discard(digest)

    def take_over(self, blobs: FileBlobs) -> Iterator[tuple[Digest, int]]:
        """Copy all files of a folder that are not here yet; each with its length."""
        for digest in blobs.digests():
            if not self.has(digest):
                with blobs.open(digest) as file:
                    size = file.seek(0, io.SEEK_END)
                    file.seek(0)
                    hashed = hashlib.sha256()
                    while piece := file.read(_PART_BYTES):
                        hashed.update(piece)
                    if hashed.hexdigest() != digest.removeprefix("sha256:"):
                        raise self.damaged(digest)
                    file.seek(0)
                    self._send(self._key(digest), file, size)
                yield digest, size


class _Object(io.RawIOBase):
    """An object that is read in pieces. Read from end to end, its bytes are compared with its digest."""

    def __init__(self, blobs: S3Blobs, key: str, size: int, digest: Digest | None) -> None:
        super().__init__()
        self._blobs, self._key, self._size, self._digest = blobs, key, size, digest
        self._at = self._hashed_to = 0
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readall(self) -> bytes:
        # By itself it would ask for a few kilobytes at a time.
        pieces = []
        while piece := self.read(_PART_BYTES):
            pieces.append(piece)
        return b"".join(pieces)

    def readinto(self, into: memoryview, /) -> int:  # type: ignore[override] # typeshed has any buffer
        length = min(len(into), self._size - self._at)
        if length <= 0:
            return 0
        piece = self._blobs.piece(self._key, self._at, length)
        into[: len(piece)] = piece
        if self._digest is not None and self._at == self._hashed_to:
            self._hash.update(piece)
            self._hashed_to += len(piece)
            if self._hashed_to == self._size and self._hash.hexdigest() != self._digest.removeprefix("sha256:"):
                raise self._blobs.damaged(self._digest)
        self._at += len(piece)
        return len(piece)
