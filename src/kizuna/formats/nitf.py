"""NITF 2.1 (and NSIF 1.0): what the first 400 bytes say, so that a broken file is refused with words, not a stack of causes."""

from __future__ import annotations

import logging
import os
from typing import BinaryIO

from kizuna.errors import InputError, Message

__all__ = ["check_length", "is_nitf", "require_room_for_pixels"]

# They log what they then raise, and Python prints what nobody takes.
for _library in ("jbpy", "sarkit"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

_MAGICS = (b"NITF02.10", b"NSIF01.00")
_LENGTH_AT = 342  # FL, 12 digits (MIL-STD-2500C, table A-1)
_LENGTH_DIGITS = 12


def is_nitf(head: bytes) -> bool:
    """Whether a file that starts with these bytes says that it is NITF 2.1 or NSIF 1.0.

    Examples
    --------
    >>> is_nitf(b"NITF02.1003  BF01")
    True
    """
    return head.startswith(_MAGICS)


def check_length(file: BinaryIO) -> int:
    """Check that a NITF file is one and is as long as its header says; leave it at its start.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Returns
    -------
    int
        Length in bytes.

    Raises
    ------
    InputError
        Another format, or a file that was cut off or has bytes behind its end.
    """
    file.seek(0)
    head = file.read(_LENGTH_AT + _LENGTH_DIGITS)
    if not is_nitf(head):
        raise InputError(
            Message("not a NITF file: it starts with {got}, expected NITF02.10", {"got": repr(head[:9])}),
            hint=Message("Check that the right file was named; its extension alone does not make it a NITF."),
            field="file",
        )
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digits = head[_LENGTH_AT:]
    if len(digits) < _LENGTH_DIGITS or not digits.isdigit():
        raise InputError(
            Message("the NITF header is damaged: file length {got} at byte {at}", {"got": repr(digits), "at": _LENGTH_AT}),
            hint=Message("Fetch the file again."),
            field="FL",
        )
    if int(digits) != size:
        raise InputError(
            Message("the file ends at byte {size}; its NITF header says {length}", {"size": size, "length": int(digits)}),
            hint=Message("Fetch the file again: the transfer was cut off, or something was appended."),
            field="FL",
        )
    return size


def require_room_for_pixels(file: BinaryIO, shape: tuple[int, int], pixel_bytes: int) -> None:
    """Refuse an image that says it has more pixels than its file has bytes for, before room is made for them.

    Parameters
    ----------
    file
        Open, seekable binary file.
    shape
        Rows, columns, as its metadata say.
    pixel_bytes
        Bytes of a pixel.

    Raises
    ------
    InputError
        If they do not fit into the file.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    rows, cols = shape
    if rows < 1 or cols < 1 or rows * cols * pixel_bytes > size:
        raise InputError(
            Message(
                "the metadata say {rows} x {cols} pixels; the file has {size} bytes", {"rows": rows, "cols": cols, "size": size}
            ),
            hint=Message("Fetch the file again; its metadata or its pixels are damaged."),
            field="file",
        )
