"""A blob in the making: its bytes as far as they came, and beside them a bitmap of the chunks that were verified.

# INVARIANT: the bitmap is a hint and never proof. Whoever goes on with a part verifies each chunk of it again, so that a part
# file that lost writes, was damaged or is another's can cost a chunk fetched again, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING, Self

from kizuna.exchange.manifest import CHUNK_BYTES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PartFile", "owner_of", "remove_part"]

_MAGIC = b"kizuna part 1"
_MOST_HEADER_BYTES = 512
_MAP = ".map"


def _open(path: Path) -> int:
    """Descriptor of the file at `path`, made or made anew; whatever is no plain file of one name is put out of the way."""
    while True:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            state = os.fstat(descriptor)
            if stat.S_ISREG(state.st_mode) and state.st_nlink <= 1:
                return descriptor
            os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with contextlib.suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def _locked(path: Path) -> int | None:
    """Descriptor of the file at `path`, locked; None if another process holds it."""
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.lstat()):
                return descriptor
        # Another process finished or removed it between opening and locking.
        os.close(descriptor)


def _open_direct(path: Path, same: int) -> int | None:
    """Descriptor that writes past the page cache, which a file that nobody reads now would only fill (benchmark: exchange)."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_DIRECT)
        if os.path.samestat(os.fstat(descriptor), os.fstat(same)):
            return descriptor
        os.close(descriptor)
    return None


def _map_of(path: Path) -> Path:
    return path.with_name(path.name + _MAP)


class PartFile:
    """Part of one blob, held by this process alone.

    Parameters
    ----------
    path
        Where it lies.
    size
        Length of the whole blob in bytes.
    owner
        From whom it comes.
    """

    __slots__ = ("_bits", "_descriptor", "_direct", "_header", "_map", "_path", "_size")

    def __init__(self, path: Path, descriptor: int, size: int, owner: str) -> None:
        self._path, self._size = path, size
        self._descriptor = descriptor
        self._header = b"%s %d %s\n" % (_MAGIC, size, owner.encode())
        self._map = _open(_map_of(path))
        self._bits = self._read_bits()
        self._direct = _open_direct(path, descriptor)

    @classmethod
    def take(cls, path: Path, size: int, owner: str) -> Self | None:
        """Part at `path`, empty where nothing of use lies there; None while another process holds it."""
        descriptor = _locked(path)
        if descriptor is None:
            return None
        try:
            return cls(path, descriptor, size, owner)
        except BaseException:
            os.close(descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._map, self._descriptor, self._direct):
            if descriptor is not None:
                os.close(descriptor)

    def _read_bits(self) -> bytearray:
        """Bitmap as kept; an empty one, and an empty part, where it is another's or has another form."""
        chunks = -(-self._size // CHUNK_BYTES)
        count = -(-chunks // 8)
        kept = os.pread(self._map, len(self._header) + count + 1, 0)
        length = os.fstat(self._descriptor).st_size
        if kept.startswith(self._header) and len(kept) == len(self._header) + count and length <= self._size:
            return bytearray(kept[len(self._header) :])
        os.ftruncate(self._descriptor, 0)
        os.ftruncate(self._map, 0)
        os.pwrite(self._map, self._header + bytes(count), 0)
        return bytearray(count)

    def chunk(self, index: int, into: memoryview) -> memoryview | None:
        """Chunk as it was kept, read into `into`; None if it was not. To be verified."""
        if not self._bits[index // 8] & 1 << index % 8:
            return None
        offset = index * CHUNK_BYTES
        length = min(CHUNK_BYTES, self._size - offset)
        return into[: os.preadv(self._descriptor, [into[:length]], offset)]

    def keep(self, index: int, data: bytes | memoryview) -> None:
        """Keep a chunk that was verified."""
        left, offset = memoryview(data), index * CHUNK_BYTES
        if self._direct is not None and len(data) == CHUNK_BYTES:
            # From a buffer that begins with no page, or on a disk that wants longer sectors: the way below.
            with contextlib.suppress(OSError):
                written = os.pwrite(self._direct, left, offset)
                left, offset = left[written:], offset + written
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written
        self._bits[index // 8] |= 1 << index % 8
        os.pwrite(self._map, self._bits[index // 8 : index // 8 + 1], len(self._header) + index // 8)

    def finish(self, path: Path) -> None:
        """Make the part the file at `path`, whole and durable."""
        os.fsync(self._descriptor)
        os.fchmod(self._descriptor, 0o400)
        self._path.rename(path)
        _map_of(self._path).unlink(missing_ok=True)

    def discard(self) -> None:
        """Keep nothing of it."""
        self._path.unlink(missing_ok=True)
        _map_of(self._path).unlink(missing_ok=True)


def owner_of(path: Path) -> str | None:
    """From whom the part at `path` comes; None if nothing tells."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(_map_of(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            header = os.pread(descriptor, _MOST_HEADER_BYTES, 0).partition(b"\n")[0]
        finally:
            os.close(descriptor)
        if header.startswith(_MAGIC + b" "):
            return header.removeprefix(_MAGIC + b" ").partition(b" ")[2].decode()
    return None


def remove_part(path: Path) -> None:
    """Remove the part at `path`, unless a process is at work on it."""
    descriptor = _locked(path)
    if descriptor is None:
        return
    try:
        path.unlink(missing_ok=True)
        _map_of(path).unlink(missing_ok=True)
    finally:
        os.close(descriptor)
