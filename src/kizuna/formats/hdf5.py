"""HDF5 read: groups, datasets, text attributes of files in the library's original layout, which it still writes by default.

Superblock 0 or 1, groups as symbol tables, datasets compact, contiguous or in chunks (deflate, shuffle, checksum). What is newer
is refused by name. Written after the HDF5 File Format Specification, version 3.0; every place and size is checked against the
file before anything is read or room is made for it.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Hdf5File", "is_hdf5"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NONE = 0xFFFF_FFFF_FFFF_FFFF
_MOST_BYTES = 8 << 30
_MOST_PIECES = 1 << 20
_MOST_RANK = 8
_SPACE, _TYPE, _LAYOUT, _FILTERS, _ATTRIBUTE, _MORE, _TABLE = 1, 3, 8, 11, 12, 16, 17
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
_DEEPEST = 32


def is_hdf5(head: bytes) -> bool:
    """Whether a file that starts with these bytes is HDF5."""
    return head.startswith(_SIGNATURE)


def _damaged(reason: Message) -> InputError:
    return InputError(
        Message("the HDF5 file cannot be read: {reason}", {"reason": reason}),
        hint=Message("Fetch the file again, or write it in HDF5's original layout (h5repack --low=0)."),
        field="file",
    )


class _Bytes:
    """A stretch of bytes, read from its beginning on; little-endian."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise _damaged(Message("a structure ends within a field"))
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def numbers(self, count: int, size: int = 8) -> tuple[int, ...]:
        return tuple(self.number(size) for _ in range(count))


@dataclass(slots=True)
class _Object:
    """Messages of an object header."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)

    def first(self, kind: int) -> bytes | None:
        return next((data for found, data in self.messages if found == kind), None)

    def need(self, kind: int) -> bytes:
        data = self.first(kind)
        if data is None:
            raise _damaged(Message("a dataset lacks what describes it"))
        return data


class Hdf5File:
    """An open HDF5 file.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        No HDF5, one of a newer layout, or a damaged one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._pieces = 0
        head = _Bytes(self._read(0, min(self._size, 96)))
        if not is_hdf5(head.take(min(8, self._size))):
            raise _damaged(Message("it is no HDF5"))
        version = head.number(1)
        if version > 1:
            raise _damaged(Message("its layout is version {version} of HDF5; 0 and 1 are read", {"version": version}))
        head.take(4)
        sizes = head.numbers(2, 1)
        if sizes != (8, 8):
            raise _damaged(Message("its places are not of 8 bytes"))
        head.take(1 + 4 + 4 + (4 if version else 0))
        base = head.number(8)
        head.take(24 + 8)
        self._root = head.number(8)
        if base:
            raise _damaged(Message("it does not begin at its first byte"))

    def _read(self, place: int, count: int) -> bytes:
        if place < 0 or count < 0 or place + count > self._size:
            raise _damaged(Message("a place lies beyond its end"))
        self._file.seek(place)
        return self._file.read(count)

    def _piece(self) -> None:
        """Count a structure, so that one that leads back to itself comes to an end."""
        self._pieces += 1
        # The least structure takes eight bytes: a way through more of them than the file has room for comes by one twice.
        if self._pieces > self._size // 8:
            raise _damaged(Message("its structures lead in a circle"))

    def names(self, path: str = "/") -> tuple[str, ...]:
        """Names within a group.

        Raises
        ------
        InputError
            No such group.
        """
        self._pieces = 0
        return tuple(self._members(self._at(path)))

    def has(self, path: str) -> bool:
        """Whether there is such a group or dataset."""
        self._pieces = 0
        place: int | None = self._root
        for name in filter(None, path.split("/")):
            header = self._object(int(place or 0))
            place = self._members(header).get(name) if header.first(_TABLE) is not None else None
            if place is None:
                return False
        return True

    def text(self, path: str, attribute: str) -> str | None:
        """Text of an attribute; None where there is none, or it is no text."""
        self._pieces = 0
        for kind, data in self._at(path).messages:
            if kind == _ATTRIBUTE:
                name, value = self._attribute(data)
                if name == attribute:
                    return value
        return None

    def shape(self, path: str) -> tuple[int, ...]:
        """Lengths of a dataset's axes; () of a single value."""
        self._pieces = 0
        return _space(self._at(path).need(_SPACE))

    def read(self, path: str) -> npt.NDArray[Any]:
        """A dataset.

        Raises
        ------
        InputError
            No such dataset, or one of a kind that is not read.
        """
        self._pieces = 0
        header = self._at(path)
        shape, dtype = _space(header.need(_SPACE)), _dtype(_Bytes(header.need(_TYPE)))
        count = int(np.prod(shape, dtype=object)) if shape else 1
        size = count * dtype.itemsize
        # Of a file of this size, no compression that is read makes more than about a thousandfold.
        if size > min(_MOST_BYTES, 1024 * self._size + _MOST_PIECES):
            raise _damaged(Message("a dataset of {size} bytes is more than is read", {"size": size}))
        layout = _Bytes(header.need(_LAYOUT))
        version, kind = layout.number(1), layout.number(1)
        if version != 3:  # noqa: PLR2004 # of all since 2003
            raise _damaged(Message("a dataset's layout is version {version}; 3 is read", {"version": version}))
        match kind:
            case 0:
                data = layout.take(layout.number(2))[:size]
            case 1:
                place, stored = layout.numbers(2)
                data = bytes(size) if place == _NONE else self._read(place, min(stored, size))
            case 2:
                return self._chunked(header, layout, shape, dtype)
            case _:
                raise _damaged(Message("a dataset is stored in a way that is not read"))
        if len(data) != size:
            raise _damaged(Message("a dataset is shorter than its shape"))
        return np.frombuffer(data, dtype).reshape(shape)

    def _chunked(self, header: _Object, layout: _Bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        axes = layout.number(1)
        root = layout.number(8)
        chunk = layout.numbers(axes, 4)
        if axes != len(shape) + 1 or chunk[-1] != dtype.itemsize or min(chunk) < 1:
            raise _damaged(Message("a dataset's chunks do not fit its shape"))
        filters = _filters(header.first(_FILTERS))
        size = int(np.prod(chunk, dtype=object))
        if size > 1024 * self._size + _MOST_PIECES:
            raise _damaged(Message("a dataset of {size} bytes is more than is read", {"size": size}))
        out = np.zeros(shape, dtype)
        if root == _NONE:
            return out
        for place, stored, skipped, offset in self._chunks(root, axes):
            data = _unfiltered(self._read(place, stored), filters, skipped, size, dtype.itemsize)
            block = np.frombuffer(data, dtype).reshape(chunk[:-1])
            inside = tuple(slice(at, min(at + length, end)) for at, length, end in zip(offset, chunk, shape, strict=False))
            if all(part.start < part.stop for part in inside):
                out[inside] = block[tuple(slice(0, part.stop - part.start) for part in inside)]
        return out

    def _chunks(self, place: int, axes: int, depth: int = 0) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
        self._piece()
        level, entries, node = self._node(place, 1, 8 * axes + 16, depth)
        for _ in range(entries):
            stored, skipped = node.numbers(2, 4)
            offset = node.numbers(axes)
            child = node.number(8)
            if level:
                yield from self._chunks(child, axes, depth + 1)
            else:
                self._piece()
                yield child, stored, skipped, offset

    def _node(self, place: int, kind: int, entry_bytes: int, depth: int) -> tuple[int, int, _Bytes]:
        """Level, number of entries, and entries of a node of a tree of groups (0) or chunks (1)."""
        head = _Bytes(self._read(place, 24))
        if head.take(4) != b"TREE" or head.number(1) != kind or depth > _DEEPEST:
            raise _damaged(Message("one of its trees is none"))
        level, entries = head.number(1), head.number(2)
        return level, entries, _Bytes(self._read(place + 24, entries * entry_bytes))

    def _at(self, path: str) -> _Object:
        header = self._object(self._root)
        for name in filter(None, path.split("/")):
            place = self._members(header).get(name) if header.first(_TABLE) is not None else None
            if place is None:
                raise _damaged(Message("it has no {path}", {"path": path}))
            header = self._object(place)
        return header

    def _members(self, header: _Object) -> dict[str, int]:
        table = header.first(_TABLE)
        if table is None:
            raise _damaged(Message("a group is stored in a way that is not read"))
        tree, heap = _Bytes(table).numbers(2)
        head = _Bytes(self._read(heap, 32))
        if head.take(4) != b"HEAP":
            raise _damaged(Message("the names of a group are none"))
        head.take(4)
        length = head.number(8)
        head.take(8)
        names = self._read(head.number(8), length)
        found: dict[str, int] = {}
        for count, symbols in self._symbols(tree):
            for _ in range(count):
                at, place = symbols.numbers(2)
                symbols.take(24)
                found[names[at : names.find(b"\0", at)].decode("utf-8", "replace")] = place
        return found

    def _symbols(self, place: int, depth: int = 0) -> Iterator[tuple[int, _Bytes]]:
        self._piece()
        level, entries, node = self._node(place, 0, 16, depth)
        for _ in range(entries):
            node.take(8)
            child = node.number(8)
            if level:
                yield from self._symbols(child, depth + 1)
            else:
                self._piece()
                head = _Bytes(self._read(child, 8))
                if head.take(4) != b"SNOD":
                    raise _damaged(Message("one of its trees is none"))
                head.take(2)
                count = head.number(2)
                yield count, _Bytes(self._read(child + 8, 40 * count))

    def _object(self, place: int) -> _Object:
        self._piece()
        head = _Bytes(self._read(place, 16))
        if head.number(1) != 1:
            raise _damaged(Message("an object is stored in a way that is not read"))
        head.take(1)
        count = head.number(2)
        head.take(4)
        parts = [_Bytes(self._read(place + 16, head.number(4)))]
        found = _Object()
        while parts and len(found.messages) < count:
            part = parts.pop(0)
            while len(part.data) - part.at >= 8 and len(found.messages) < count:  # noqa: PLR2004 # bytes of a message's head
                kind, size = part.numbers(2, 2)
                part.take(4)
                data = part.take(size)
                found.messages.append((kind, data))
                if kind == _MORE:
                    self._piece()
                    more = _Bytes(data)
                    parts.append(_Bytes(self._read(*more.numbers(2))))
        return found

    def _attribute(self, data: bytes) -> tuple[str, str | None]:
        body = _Bytes(data)
        version = body.number(1)
        body.take(1)
        sizes = body.numbers(3, 2)
        if version == 3:  # noqa: PLR2004 # adds the name's encoding
            body.take(1)
        parts = []
        for size in sizes:
            parts.append(body.take(size))
            if version == 1:
                body.take(min(-size % 8, len(data) - body.at))
        name = parts[0].split(b"\0")[0].decode("utf-8", "replace")
        kind = parts[1][0] & 15 if parts[1] else -1
        rest = data[body.at :]
        if kind == 3:  # noqa: PLR2004 # text of fixed length
            return name, rest.split(b"\0")[0].decode("utf-8", "replace")
        if kind == 9 and len(rest) >= 16:  # noqa: PLR2004 # of any length, in a heap of the file
            return name, self._from_heap(_Bytes(rest))
        return name, None

    def _from_heap(self, reference: _Bytes) -> str | None:
        length, place, wanted = reference.number(4), reference.number(8), reference.number(4)
        head = _Bytes(self._read(place, 16))
        if head.take(4) != b"GCOL":
            return None
        head.take(4)
        heap = _Bytes(self._read(place, head.number(8)))
        heap.take(16)
        while len(heap.data) - heap.at >= 16:  # noqa: PLR2004 # bytes of an entry's head
            index = heap.number(2)
            heap.take(6)
            size = heap.number(8)
            if index == 0:
                return None
            data = heap.take(size)
            if index == wanted:
                return data[:length].split(b"\0")[0].decode("utf-8", "replace")
            heap.take(min(-size % 8, len(heap.data) - heap.at))
        return None


def _space(data: bytes) -> tuple[int, ...]:
    body = _Bytes(data)
    version, rank = body.numbers(2, 1)
    body.take(6 if version == 1 else 2)
    if rank > _MOST_RANK:
        raise _damaged(Message("a dataset has {rank} axes", {"rank": rank}))
    return body.numbers(rank)


def _dtype(body: _Bytes, depth: int = 0) -> np.dtype[Any]:
    """Numbers, text, and compounds of them."""
    kind = body.number(1)
    flags = body.number(3)
    size = body.number(4)
    order = ">" if flags & 1 else "<"
    match kind & 15:
        case 0 if size in {1, 2, 4, 8}:
            body.take(4)
            return np.dtype(f"{order}{'i' if flags & 8 else 'u'}{size}")
        case 1 if size in {2, 4, 8}:
            body.take(12)
            return np.dtype(f"{order}f{size}")
        case 3 if 0 < size < _MOST_PIECES:
            return np.dtype(f"S{size}")
        case 8 if depth < _DEEPEST:  # an enumeration: of the kind that stands behind it
            return _dtype(body, depth + 1)
        case 6 if 0 < size < _MOST_PIECES and depth < _DEEPEST:
            return _compound(body, kind >> 4, (flags & 0xFFFF, size), depth + 1)
        case _:
            raise _damaged(Message("a dataset holds values of a kind that is not read"))


def _compound(body: _Bytes, version: int, counts: tuple[int, int], depth: int) -> np.dtype[Any]:
    members, size = counts
    names, kinds, offsets = [], [], []
    for _ in range(members):
        end = body.data.find(b"\0", body.at)
        name = body.take(end - body.at + 1)[:-1]
        if version < 3:  # noqa: PLR2004 # names were filled up to 8 bytes
            body.take(-(len(name) + 1) % 8)
        width = 4 if version < 3 else max(1, (size.bit_length() + 7) // 8)  # noqa: PLR2004
        offsets.append(body.number(width))
        if version == 1:
            body.take(28)
        names.append(name.decode("utf-8", "replace"))
        kinds.append(_dtype(body, depth))
    try:
        return np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": size})
    except (TypeError, ValueError) as error:
        raise _damaged(Message("a dataset holds values of a kind that is not read")) from error


def _filters(data: bytes | None) -> tuple[int, ...]:
    if data is None:
        return ()
    body = _Bytes(data)
    version, count = body.numbers(2, 1)
    if version == 1:
        body.take(6)
    found = []
    for _ in range(count):
        kind = body.number(2)
        length = body.number(2) if version == 1 or kind >= 256 else 0  # noqa: PLR2004 # ids of others
        body.take(2)
        values = body.number(2)
        body.take(length + 4 * values + (4 if version == 1 and values % 2 else 0))
        if kind not in {_DEFLATE, _SHUFFLE, _CHECKSUM}:
            raise _damaged(Message("a dataset is compressed by filter {filter}, which is not read", {"filter": kind}))
        found.append(kind)
    return tuple(found)


def _unfiltered(data: bytes, filters: tuple[int, ...], skipped: int, size: int, item: int) -> bytes:
    for index in range(len(filters) - 1, -1, -1):
        if skipped >> index & 1:
            continue
        match filters[index]:
            case 1:
                try:
                    data = zlib.decompressobj().decompress(data, size + 4)
                except zlib.error as error:
                    raise _damaged(Message("a chunk cannot be decompressed")) from error
            case 2:
                data = np.frombuffer(data, np.uint8).reshape(item, -1).T.tobytes() if len(data) % item == 0 else data
            case _:
                data = data[:-4]
    if len(data) != size:
        raise _damaged(Message("a dataset is shorter than its shape"))
    return data
