"""Web-optimised COGs as map tiles are cut from them: blocks of one band, read without GDAL, by several threads at once.

A dataset of GDAL's belongs to one thread, and opening one costs more than a block (2 ms of CPU against 0.1). Only what this
project writes is read: little-endian, one band of 8 or 16 bits without sign, blocks in rows, EPSG:3857, plain or deflated. Each
number in a file is held for a stranger's: partners send such files too.
"""

from __future__ import annotations

import math
import re
import struct
import threading
import weakref
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONTENT_TAG", "HIGH_TAG", "LOW_TAG", "SCALE_TAG", "Codes", "Content", "Part", "Scaling", "TiledImage"]

type Codes = npt.NDArray[np.unsignedinteger]

LOW_TAG, HIGH_TAG = "KIZUNA_STRETCH_LOW_DB", "KIZUNA_STRETCH_HIGH_DB"
CONTENT_TAG, SCALE_TAG = "KIZUNA_MAP_CONTENT", "KIZUNA_MAP_SCALE"
"""Tags of the files: what they hold, codes for an amplitude of 1, decibels of amplitude 1 at both ends of the stretch."""

_BLOCK = 256
_MOST_LEVELS, _MOST_BLOCKS, _MOST_TEXT = 32, 1 << 22, 1 << 16
# The largest picture takes 300 of them from a file with all its overviews.
_MOST_BLOCKS_AT_ONCE = 600
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PREDICTOR = 256, 257, 258, 259, 277, 317
_BLOCK_WIDTH, _BLOCK_HEIGHT, _OFFSETS, _COUNTS, _FORMAT = 322, 323, 324, 325, 339
_PIXEL_SCALE, _TIEPOINT, _GEO_KEYS, _GDAL_METADATA = 33550, 33922, 34735, 42112
_WANTED = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PREDICTOR, _BLOCK_WIDTH, _BLOCK_HEIGHT, _OFFSETS, _COUNTS, _FORMAT}
    | {_PIXEL_SCALE, _TIEPOINT, _GEO_KEYS, _GDAL_METADATA}
)
_TYPES = {1: "<u1", 2: "S1", 3: "<u2", 4: "<u4", 12: "<f8", 16: "<u8"}
_PLAIN, _DEFLATE, _OLD_DEFLATE = 1, 8, 32946
_PROJECTED_KEY, _WEB_MERCATOR = 3072, 3857
_DTYPES: dict[int, np.dtype[np.unsignedinteger]] = {8: np.dtype("<u1"), 16: np.dtype("<u2")}
_ITEM = re.compile(rb'<Item name="(KIZUNA_[A-Z_]{1,40})">([^<>&]{1,40})</Item>')
# Pixels of zoom 24 and of zoom 0, with some room, and some more than half of the grid's side.
_FINEST_M, _COARSEST_M, _FARTHEST_M = 1e-3, 2e5, 1e8
_SNAP = 65536.0


class Content(StrEnum):
    """What the codes of a file mean. 0 is no data in all of them."""

    LEVELS = "levels"
    AMPLITUDE = "amplitude"
    PHASE = "phase"


@dataclass(frozen=True, slots=True)
class Scaling:
    """What the codes of a file mean, in numbers.

    Parameters
    ----------
    content
        Levels: from 1 for `low_db` and less to 255 for `high_db` and more. Amplitude: code = `scale` times amplitude, at least
        1. Phase: from 1 for -pi to 255 for +pi.
    low_db, high_db
        Percentile stretch of the image, decibels of amplitude 1; without meaning for phase.
    scale
        Codes for an amplitude of 1.
    """

    content: Content
    low_db: float
    high_db: float
    scale: float


@dataclass(frozen=True, slots=True)
class Part:
    """What a picture needs of an image.

    Parameters
    ----------
    codes
        Pixels of one overview, shape (rows, cols), with one more on each side where there is one.
    region
        Left, top, right, bottom of what is asked for within `codes`, in its pixels.
    target
        Left, top, right, bottom that it fills of the picture, pixels.
    """

    codes: Codes
    region: tuple[float, float, float, float]
    target: tuple[int, int, int, int]

    @property
    def is_exact(self) -> bool:
        """Whether each pixel of the picture is one of `codes`."""
        left, top, right, bottom = self.region
        return (right - left, bottom - top) == (self.target[2] - self.target[0], self.target[3] - self.target[1]) and all(
            edge == round(edge) for edge in self.region
        )


@dataclass(frozen=True, slots=True)
class _Level:
    """One overview."""

    width: int
    height: int
    resolution_m: float
    offsets: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.uint64]
    compression: int
    predictor: int


def _unusable(why: Message) -> InputError:
    return InputError(
        Message("not a web-optimised COG that map tiles can be cut from: {why}", {"why": why}),
        hint=Message("Tiles are cut from the files that this node makes for them, not from originals."),
        field="file",
    )


class TiledImage:
    """A web-optimised COG, open for reading.

    Parameters
    ----------
    file
        Open, seekable binary file; nobody else may use it from now on. It is closed when nobody has the image any more.

    Raises
    ------
    InputError
        It is none, or a damaged one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()
        weakref.finalize(self, file.close)
        try:
            directories = list(self._directories())
            main = directories[0]
            bits = int(main[_BITS][0])
            self._dtype = _DTYPES[bits]
            for directory in directories:
                self._require(directory, bits)
            (width, height, _), (col, row, _, west, north, _) = main[_PIXEL_SCALE].tolist(), main[_TIEPOINT].tolist()
            self._resolution_m, self._west_m, self._north_m = float(width), float(west), float(north)
            keys = main[_GEO_KEYS].reshape(-1, 4)[1:].tolist()
            numbers = (self._resolution_m, self._west_m, self._north_m)
            placed = width == height and (col, row) == (0.0, 0.0) and all(map(math.isfinite, numbers))
            sound = _FINEST_M < self._resolution_m < _COARSEST_M and max(map(abs, numbers[1:])) < _FARTHEST_M
            if not placed or not sound or [_PROJECTED_KEY, 0, 1, _WEB_MERCATOR] not in keys:
                raise _unusable(Message("it does not lie on the grid of web map tiles"))
            self._levels = [self._level(directory, int(main[_WIDTH][0])) for directory in directories]
            self.scaling = _scaling(dict(_ITEM.findall(main[_GDAL_METADATA].tobytes()[:_MOST_TEXT])), bits)
        except (EOFError, ValueError, KeyError, IndexError, OverflowError, OSError, struct.error) as error:
            raise _unusable(Message("it is damaged, or laid out in another way")) from error

    # ---- what it is

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the raster, metres of EPSG:3857."""
        main = self._levels[0]
        east, south = self._west_m + main.width * self._resolution_m, self._north_m - main.height * self._resolution_m
        return self._west_m, south, east, self._north_m

    @property
    def resolution_m(self) -> float:
        """Side of a pixel, metres of EPSG:3857."""
        return self._resolution_m

    def part(self, bounds_m: tuple[float, float, float, float], size: tuple[int, int]) -> Part | None:
        """What a picture of a rectangle needs; None where the image has nothing there.

        Parameters
        ----------
        bounds_m
            West, south, east, north, metres of EPSG:3857.
        size
            Columns and rows of the picture.

        Raises
        ------
        InputError
            A block of the file is damaged.
        """
        west, south, east, north = bounds_m
        coarsest = max((east - west) / size[0], (north - south) / size[1]) * (1.0 + 1.0 / _SNAP)
        level = next((each for each in reversed(self._levels) if each.resolution_m <= coarsest), self._levels[0])

        # Rounded, because both lie on powers of two of one lattice, but for the noise of metres.
        def cols(x_m: float) -> float:
            return round((x_m - self._west_m) / level.resolution_m * _SNAP) / _SNAP

        def rows(y_m: float) -> float:
            return round((self._north_m - y_m) / level.resolution_m * _SNAP) / _SNAP

        first_col, first_row = cols(west), rows(north)
        across, down = (cols(east) - first_col) / size[0], (rows(south) - first_row) / size[1]
        if across <= 0.0 or down <= 0.0:
            # Too small a part of a pixel to be told from none.
            return None
        left, right = max(first_col, 0.0), min(cols(east), float(level.width))
        top, bottom = max(first_row, 0.0), min(rows(south), float(level.height))
        target = (
            round((left - first_col) / across),
            round((top - first_row) / down),
            round((right - first_col) / across),
            round((bottom - first_row) / down),
        )
        if right <= left or bottom <= top or target[2] <= target[0] or target[3] <= target[1]:
            return None
        margin = 0 if across == down == 1.0 and left == int(left) and top == int(top) else 1
        col, row = max(int(left) - margin, 0), max(int(top) - margin, 0)
        codes = self._codes(
            level, col, row, min(math.ceil(right) + margin, level.width), min(math.ceil(bottom) + margin, level.height)
        )
        return Part(codes, (left - col, top - row, right - col, bottom - row), target) if codes.any() else None

    # ---- how it is read

    def _codes(self, level: _Level, left: int, top: int, right: int, bottom: int) -> Codes:
        blocks_across = -(-level.width // _BLOCK)
        first_col, first_row = left // _BLOCK, top // _BLOCK
        last_col, last_row = (right - 1) // _BLOCK, (bottom - 1) // _BLOCK
        if (last_col - first_col + 1) * (last_row - first_row + 1) > _MOST_BLOCKS_AT_ONCE:
            raise _unusable(Message("its overviews are missing"))
        if (first_col, first_row) == (last_col, last_row):
            whole = self._block(level, first_row * blocks_across + first_col)
        else:
            whole = np.concatenate(
                [
                    np.concatenate(
                        [self._block(level, row * blocks_across + col) for col in range(first_col, last_col + 1)], axis=1
                    )
                    for row in range(first_row, last_row + 1)
                ]
            )
        col, row = first_col * _BLOCK, first_row * _BLOCK
        return whole[top - row : bottom - row, left - col : right - col]

    def _block(self, level: _Level, number: int) -> Codes:
        count = int(level.counts[number])
        size = _BLOCK * _BLOCK * self._dtype.itemsize
        if not count:
            return np.zeros((_BLOCK, _BLOCK), self._dtype)
        if count > 2 * size:
            raise _unusable(Message("a block is damaged"))
        data = self._at(int(level.offsets[number]), count)
        try:
            if level.compression != _PLAIN:
                data = zlib.decompressobj().decompress(data, size)
            codes: Codes = np.frombuffer(data, self._dtype).reshape(_BLOCK, _BLOCK)
        except (zlib.error, ValueError) as error:
            raise _unusable(Message("a block is damaged")) from error
        return codes if level.predictor == 1 else codes.cumsum(axis=1, dtype=self._dtype)

    def _at(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) != size:
            raise _unusable(Message("it is cut off"))
        return data

    def _directories(self) -> list[Mapping[int, npt.NDArray[np.generic]]]:
        head = self._at(0, 16)
        version = {b"II\x2a\x00": 42, b"II\x2b\x00": 43}[head[:4]]
        big = version == 43  # noqa: PLR2004 - BigTIFF's version
        (offset,) = struct.unpack_from("<Q", head, 8) if big else struct.unpack_from("<I", head, 4)
        found: list[Mapping[int, npt.NDArray[np.generic]]] = []
        while offset:
            if len(found) == _MOST_LEVELS:
                raise ValueError(offset)
            directory, offset = self._directory(offset, big=big)
            found.append(directory)
        return found

    def _directory(self, offset: int, *, big: bool) -> tuple[Mapping[int, npt.NDArray[np.generic]], int]:
        count_form, entry_form, place_form = ("<Q", "<HHQ", "<Q") if big else ("<H", "<HHI", "<I")
        start, word = struct.calcsize(count_form), struct.calcsize(place_form)
        entry_bytes = struct.calcsize(entry_form) + word
        (count,) = struct.unpack(count_form, self._at(offset, start))
        data = self._at(offset + start, min(count, 4096) * entry_bytes + word)
        found: dict[int, npt.NDArray[np.generic]] = {}
        for at in range(0, len(data) - word, entry_bytes):
            tag, type_, length = struct.unpack_from(entry_form, data, at)
            if tag not in _WANTED or type_ not in _TYPES or length > _MOST_BLOCKS:
                continue
            dtype = np.dtype(_TYPES[type_])
            size = dtype.itemsize * length
            field = data[at + entry_bytes - word : at + entry_bytes]
            if size > word:
                field = self._at(struct.unpack(place_form, field)[0], size)
            found[tag] = np.frombuffer(field[:size], dtype)
        (following,) = struct.unpack(place_form, data[-word:])
        return found, following

    @staticmethod
    def _require(directory: Mapping[int, npt.NDArray[np.generic]], bits: int) -> None:
        told = {tag: int(values[0]) for tag, values in directory.items() if tag in {*_REQUIRED, _COMPRESSION, _PREDICTOR, _BITS}}
        fits = all(told.get(tag, default) == wanted for tag, (default, wanted) in _REQUIRED.items())
        packed = told.get(_COMPRESSION, _PLAIN) in {_PLAIN, _DEFLATE, _OLD_DEFLATE} and told.get(_PREDICTOR, 1) in {1, 2}
        if not fits or not packed or told[_BITS] != bits:
            raise _unusable(Message("it is damaged, or laid out in another way"))

    def _level(self, directory: Mapping[int, npt.NDArray[np.generic]], width: int) -> _Level:
        own, height = int(directory[_WIDTH][0]), int(directory[_HEIGHT][0])
        offsets, counts = directory[_OFFSETS], directory[_COUNTS]
        blocks = -(-own // _BLOCK) * -(-height // _BLOCK)
        if not (0 < blocks == len(offsets) == len(counts)):
            raise ValueError(blocks)
        return _Level(
            own,
            height,
            # Overviews halve, and round up what is odd.
            self._resolution_m * 2 ** round(math.log2(width / own)),
            offsets.astype(np.uint64),
            counts.astype(np.uint64),
            int(directory[_COMPRESSION][0]) if _COMPRESSION in directory else _PLAIN,
            int(directory[_PREDICTOR][0]) if _PREDICTOR in directory else 1,
        )


# What stands in a directory where a tag is missing, and what has to.
_REQUIRED = {_BLOCK_WIDTH: (0, _BLOCK), _BLOCK_HEIGHT: (0, _BLOCK), _SAMPLES: (1, 1), _FORMAT: (1, 1)}


def _scaling(tags: Mapping[bytes, bytes], bits: int) -> Scaling:
    def number(tag: str, default: float | None = None) -> float:
        value = float(tags[tag.encode()]) if default is None or tag.encode() in tags else default
        if not math.isfinite(value):
            raise ValueError(value)
        return value

    content = Content(tags.get(CONTENT_TAG.encode(), Content.LEVELS.encode()).decode())
    if content is Content.PHASE:
        scaling = Scaling(content, 0.0, 0.0, 1.0)
    else:
        scaling = Scaling(content, number(LOW_TAG), number(HIGH_TAG), number(SCALE_TAG, 1.0))
        if scaling.high_db <= scaling.low_db or scaling.scale <= 0.0:
            raise ValueError(scaling)
    if bits != (16 if content is Content.AMPLITUDE else 8):
        raise ValueError(bits)
    return scaling
