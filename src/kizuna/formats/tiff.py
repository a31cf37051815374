"""TIFF's own directories, read without GDAL: GDAL shows the first image of a file and says little of what else lies in it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from kizuna.errors import InputError, Message

__all__ = ["Directory", "holds_one_plain_image", "read_directories"]

_MOST_DIRECTORIES = 64
_MOST_ENTRIES = 4096
_MOST_VALUES = 4096
# Field types that hold whole numbers (TIFF 6.0 section 2; BigTIFF's LONG8 and IFD8): struct's letter.
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _SAMPLES, _SUBDIRECTORIES, _FORMAT = 254, 256, 257, 258, 277, 330, 339
_REDUCED, _MASK = 1, 4
# SampleFormat: unsigned, signed, floating point. The others are undefined (4) and complex (5, 6).
_REAL_FORMATS = frozenset({1, 2, 3})


@dataclass(frozen=True, slots=True)
class Directory:
    """One image of a TIFF file.

    Parameters
    ----------
    subfile
        NewSubfileType: 1 an overview, 4 a mask, 0 or 2 an image of its own.
    size
        Columns, rows.
    samples
        Samples a pixel.
    bits
        Bits of each sample.
    formats
        SampleFormat of each sample.
    """

    subfile: int
    size: tuple[int, int]
    samples: int
    bits: tuple[int, ...]
    formats: tuple[int, ...]


class _Reader:
    """Numbers of a TIFF file, classic or big."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head = self.at(0, 4)
        self._order = {b"II": "<", b"MM": ">"}[head[:2]]
        (version,) = self.unpack("H", head[2:4])
        self.big = {42: False, 43: True}[version]

    def at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise EOFError
        return data

    def unpack(self, letters: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self._order + letters, data)

    def first(self) -> int:
        (offset,) = self.unpack("Q", self.at(8, 8)) if self.big else self.unpack("I", self.at(4, 4))
        return offset

    def directory(self, offset: int) -> tuple[dict[int, tuple[int, ...]], int]:
        """Whole numbers by tag of the directory at `offset`, and where the next one lies."""
        count_letter, letter, entry_bytes = ("Q", "Q", 20) if self.big else ("H", "I", 12)
        count_bytes, word = struct.calcsize("=" + count_letter), struct.calcsize("=" + letter)
        (count,) = self.unpack(count_letter, self.at(offset, count_bytes))
        if not 0 < count <= _MOST_ENTRIES:
            raise ValueError(count)
        data = self.at(offset + count_bytes, count * entry_bytes + word)
        found = {}
        for index in range(count):
            entry = data[index * entry_bytes : (index + 1) * entry_bytes]
            tag, type_, length = self.unpack("HH" + letter, entry[: 4 + word])
            if type_ in _WHOLE and tag in {_SUBFILE, _WIDTH, _HEIGHT, _BITS, _SAMPLES, _SUBDIRECTORIES, _FORMAT}:
                found[tag] = self._values(_WHOLE[type_], length, entry[4 + word :])
        (following,) = self.unpack(letter, data[-word:])
        return found, following

    def _values(self, letter: str, length: int, field: bytes) -> tuple[int, ...]:
        if not 0 < length <= _MOST_VALUES:
            raise ValueError(length)
        size = struct.calcsize("=" + letter) * length
        if size <= len(field):
            return self.unpack(letter * length, field[:size])
        (offset,) = self.unpack("Q" if self.big else "I", field)
        return self.unpack(letter * length, self.at(offset, size))


def read_directories(file: BinaryIO) -> tuple[Directory, ...]:
    """All images of a TIFF file, those of subdirectories included, the main one first.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        Not a TIFF file, or a damaged one, or one of more than 64 images.
    """
    found = []
    try:
        reader = _Reader(file)
        waiting, seen = [reader.first()], set[int]()
        while waiting:
            offset = waiting.pop(0)
            if not offset:
                continue
            _note(offset, seen)
            tags, following = reader.directory(offset)
            waiting += [following, *tags.get(_SUBDIRECTORIES, ())]
            samples = tags.get(_SAMPLES, (1,))[0]
            found.append(
                Directory(
                    subfile=tags.get(_SUBFILE, (0,))[0],
                    size=(tags[_WIDTH][0], tags[_HEIGHT][0]),
                    samples=samples,
                    bits=tags.get(_BITS, (1,)),
                    formats=tags.get(_FORMAT, (1,)),
                )
            )
    except (EOFError, ValueError, KeyError, OverflowError, OSError, struct.error) as error:
        raise InputError(
            Message("the directories of the TIFF file cannot be read: it is damaged or cut off"),
            hint=Message("Fetch the file again."),
            field="file",
        ) from error
    return tuple(found)


def _note(offset: int, seen: set[int]) -> None:
    if offset in seen or len(seen) >= _MOST_DIRECTORIES:
        raise ValueError(offset)
    seen.add(offset)


def holds_one_plain_image(directories: tuple[Directory, ...]) -> bool:
    """Whether a file holds one image of real numbers and, beside it, nothing but its overviews and masks."""
    if not directories or not all(_REAL_FORMATS.issuperset(directory.formats) for directory in directories):
        return False
    main, *others = directories
    return not main.subfile and all(_is_overview(main, other) or _is_mask(main, other) for other in others)


def _is_overview(main: Directory, other: Directory) -> bool:
    alike = (other.samples, set(other.bits), set(other.formats)) == (main.samples, set(main.bits), set(main.formats))
    smaller = other.size != main.size and all(side <= whole for side, whole in zip(other.size, main.size, strict=True))
    return other.subfile == _REDUCED and alike and smaller


def _is_mask(main: Directory, other: Directory) -> bool:
    fits = all(side <= whole for side, whole in zip(other.size, main.size, strict=True))
    return other.subfile in {_MASK, _MASK | _REDUCED} and fits and other.samples == 1 and set(other.bits) <= {1, 8}
