"""Files by content, in a folder: `ab/cdef...` under the digest, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from kizuna.adapters.part_file import PartFile, owner_of, remove_part
from kizuna.errors import Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable, StoreError
from kizuna.exchange.manifest import CHUNK_BYTES, Verifier, fetch_verified, verify_whole
from kizuna.model.digests import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from kizuna.exchange.manifest import Manifest

__all__ = ["FileBlobs", "sync_folder"]

_PIECE_BYTES = 2**20
_FOLDER_LENGTH = 2
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


def _store_error(error: OSError, path: Path) -> StoreError:
    if error.errno in _FULL:
        return StoreError(
            Message("the disk is full: {path} could not be written", {"path": str(path)}),
            hint=Message("free some space, then try again; nothing was kept of the file"),
        )
    return StoreError(
        Message("{path} cannot be used: {why}", {"path": str(path), "why": error.strerror or str(error)}),
        hint=Message("check the node's folder and its permissions"),
    )


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    """Convert errors of the operating system that arise in our own folder."""
    try:
        yield
    except OSError as error:
        raise _store_error(error, path) from error


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(source: BinaryIO | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    while piece := source.read(_PIECE_BYTES):
        yield piece


class FileBlobs:
    """Blob store port over a folder. Several processes may use the same folder.

    A file is written under a temporary name that its writer keeps locked, synced, and renamed to its digest. Temporary
    files that nobody locks are what a killed process left, and are removed when the store is opened. What comes from a
    partner in several chunks is written as a part (`kizuna.adapters.part_file`), which outlives its writer.
    """

    __slots__ = ("_folder", "_parts", "_temporary")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        self._parts = folder / "parts"
        with _storing(folder):
            self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._parts.mkdir(exist_ok=True, mode=0o700)
            # Else all files could go with a folder whose own name was never brought to the disk.
            sync_folder(folder.parent)
            for path in self._temporary.iterdir():
                self._remove_abandoned(path)

    @staticmethod
    def _remove_abandoned(path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                # Its writer is at work.
                return
            finally:
                os.close(descriptor)

    def _path(self, digest: Digest) -> Path:
        name = digest.removeprefix("sha256:")
        return self._folder / name[:2] / name[2:]

    def _new_file(self) -> tuple[BinaryIO, Path]:
        while True:
            path = self._temporary / secrets.token_hex(16)
            file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file, path
            # Another process took it for abandoned between making and locking.
            file.close()

    def _name(self, written: Sequence[tuple[Digest, BinaryIO, Path]]) -> None:
        """Bring files that were written to the disk, and then give them their names."""
        with _storing(self._folder):
            for _, file, _ in written[: None if len(written) > 1 else 0]:
                # All begin to be written out before the first one is waited for: the disk is kept busy, not asked one by one.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for _, file, _ in written:
                os.fsync(file.fileno())
            folders = {}
            for digest, _, temporary in written:
                path = self._path(digest)
                path.parent.mkdir(exist_ok=True, mode=0o700)
                temporary.rename(path)
                folders[path.parent.name] = path.parent
            for folder in (*folders.values(), self._folder):
                sync_folder(folder)

    def _keep(self, pieces: Iterator[bytes | memoryview]) -> tuple[Digest, int]:
        with _storing(self._folder):
            file, temporary = self._new_file()
        try:
            hashed, size = hashlib.sha256(), 0
            for piece in pieces:
                hashed.update(piece)
                size += len(piece)
                with _storing(self._folder):
                    file.write(piece)
            found = Digest("sha256:" + hashed.hexdigest()), size
            with _storing(self._folder):
                file.flush()
            self._name([(found[0], file, temporary)])
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        finally:
            # What is still buffered after a failure has no place to go.
            with contextlib.suppress(OSError):
                file.close()
        return found

    def put(self, source: BinaryIO | bytes) -> tuple[Digest, int]:
        """Store all bytes of `source`; give their digest and count.

        Raises
        ------
        StoreError
            If the disk is full or cannot be written; nothing of the blob remains then.
        """
        return self._keep(_pieces(source))

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
        part = None
        if len(manifest.running) > 1:
            with _storing(self._parts):
                part = PartFile.take(self._parts / manifest.digest.removeprefix("sha256:"), manifest.size, owner)
        if part is None:
            # Nothing to go on with, or another process is at it: whichever is whole first is kept.
            self._keep(fetch_verified(manifest, fetch))
            return manifest.size
        with part:
            # The process that held it may have finished it meanwhile.
            return 0 if self.has(manifest.digest) else self._complete(manifest, part, fetch)

    def receive_all(self, manifests: Sequence[Manifest], bodies: Iterable[bytes | memoryview]) -> None:
        """Store small blobs together; see `kizuna.node.ports.BlobStore.receive_all`.

        Raises
        ------
        PartnerMisbehaved
            If a body does not verify.
        StoreError
            As for `put`.
        """
        written: list[tuple[Digest, BinaryIO, Path]] = []
        try:
            try:
                for manifest, body in zip(manifests, bodies, strict=True):
                    verify_whole(manifest, body)
                    with _storing(self._folder):
                        file, temporary = self._new_file()
                        written.append((manifest.digest, file, temporary))
                        file.write(body)
                        file.flush()
            except (NotReleasable, PartnerMisbehaved, PartnerUnreachable):
                self._name(written)
                raise
            self._name(written)
        except BaseException:
            for _, _, temporary in written:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
            raise
        finally:
            for _, file, _ in written:
                with contextlib.suppress(OSError):
                    file.close()

    def _complete(self, manifest: Manifest, part: PartFile, fetch: Callable[[Digest, int, int], bytes | memoryview]) -> int:
        verifier, fetched = Verifier(manifest), 0
        buffer = memoryview(bytearray(CHUNK_BYTES))
        path = self._path(manifest.digest)
        try:
            while not verifier.done:
                index = verifier.index
                with _storing(self._parts):
                    kept = part.chunk(index, buffer)
                if kept is not None and verifier.takes(kept):
                    continue
                data = fetch(manifest.digest, *manifest.span(index))
                verifier.take(data)
                fetched += len(data)
                with _storing(self._parts):
                    part.keep(index, data)
            with _storing(path):
                path.parent.mkdir(exist_ok=True, mode=0o700)
                part.finish(path)
                for folder in (path.parent, self._folder):
                    sync_folder(folder)
        except StoreError:
            # A full disk hurts more than a transfer that begins anew.
            with contextlib.suppress(OSError):
                part.discard()
            raise
        return fetched

    def forget_parts(self, keep: Callable[[str, Digest], bool]) -> None:
        """Remove what broken transfers left, but for what `keep` says of its owner and digest; see the port."""
        with _storing(self._parts):
            for path in {self._parts / path.name.removesuffix(".map") for path in self._parts.iterdir()}:
                owner = owner_of(path)
                if owner is None or not keep(owner, Digest("sha256:" + path.name)):
                    remove_part(path)

    def open(self, digest: Digest) -> BinaryIO:
        """Open a stored blob for reading and seeking.

        Raises
        ------
        StoreError
            If it is not there.
        """
        path = self._path(digest)
        with _storing(path):
            return path.open("rb")

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        with _storing(self._folder):
            return self._path(digest).is_file()

    def digests(self) -> Iterator[Digest]:
        """Digests of all blobs, in their order."""
        with _storing(self._folder):
            for folder in sorted(path for path in self._folder.iterdir() if len(path.name) == _FOLDER_LENGTH):
                for path in sorted(folder.iterdir()):
                    yield Digest(f"sha256:{folder.name}{path.name}")

    def discard(self, digest: Digest) -> None:
        """Remove a blob that nothing refers to, and what was derived from it; absent: nothing."""
        with _storing(self._folder):
            # In this order: what is derived after the blob has gone is not kept.
            self._path(digest).unlink(missing_ok=True)
            self._forget_derived(digest)

    def _beside(self, digest: Digest) -> Path:
        return self._folder / "derived" / digest.removeprefix("sha256:")

    def _forget_derived(self, digest: Digest) -> None:
        folder = self._beside(digest)
        if folder.is_dir():
            shutil.rmtree(folder)

    def derived(self, digest: Digest, name: str) -> BinaryIO | None:
        """Open what this node made of a blob; None where it is not there."""
        path = self._beside(digest) / name
        with _storing(path):
            try:
                return path.open("rb")
            except FileNotFoundError:
                return None

    def keep_derived(self, digest: Digest, name: str, data: bytes) -> None:
        """Keep something made of a blob; where there is no such blob, nothing.

        Raises
        ------
        StoreError
            If the disk is full or cannot be written.
        """
        path = self._beside(digest) / name
        with _storing(path):
            file, temporary = self._new_file()
            try:
                with file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            if not self.has(digest):
                self._forget_derived(digest)
