"""The frame that CPHD (NGA.STND.0068) and CRSD (NGA.STND.0080) share: a header of lines, then blocks, one of them XML.

Every place and size is checked against the file before anything is read or room is made for it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from kizuna.errors import InputError, Message
from kizuna.formats.xml_reading import parse_xml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml import etree

__all__ = ["SignalBlocks", "damaged", "read_signal_blocks", "standard_of"]

# CRSD says which of its kinds a file is, and has two numbers in its version.
_MAGIC = re.compile(rb"(CPHD|CRSD)(?:sar|tx|rcv)?/(\d+\.\d+(?:\.\d+)?)\n")
# Either standard gives the header no bound; theirs has a dozen lines.
_MOST_HEADER_BYTES = 1 << 16
_MOST_XML_BYTES = 64 << 20
_END_OF_HEADER = b"\f\n"
_LINE = re.compile(rb"([A-Z_0-9a-z]{1,64}) := ([^\n]*)\n")
_BLOCKS = ("XML", "SUPPORT", "PVP", "PPP", "SIGNAL")
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class SignalBlocks:
    """Where the blocks of a file lie, and its XML.

    Parameters
    ----------
    standard, version
        ``"CPHD"`` or ``"CRSD"``, and such as ``"1.1.0"``.
    extents
        First byte and length of each block.
    root
        XML.
    """

    standard: str
    version: str
    extents: Mapping[str, tuple[int, int]]
    root: etree._Element

    def place(self, block: str, offset: int, length: int) -> int:
        """First byte within the file of a part of a block.

        Raises
        ------
        InputError
            The part is not within the block.
        """
        begin, size = self.extents.get(block, (0, 0))
        if offset < 0 or length < 0 or offset + length > size:
            values: dict[str, str | int] = {"block": block, "size": size, "end": offset + length}
            raise damaged(Message("the {block} block has {size} bytes; an array in it ends at its byte {end}", values))
        return begin + offset


def standard_of(head: bytes) -> str | None:
    r"""``"CPHD"`` or ``"CRSD"`` of a file that starts with these bytes; None of another.

    Examples
    --------
    >>> standard_of(b"CPHD/1.1.0\n"), standard_of(b"NITF02.10")
    ('CPHD', None)
    """
    found = _MAGIC.match(head)
    return None if found is None else found[1].decode()


def damaged(reason: Message) -> InputError:
    """Error for a file that cannot be read."""
    return InputError(
        Message("the phase history file cannot be read: {reason}", {"reason": reason}),
        hint=Message("Fetch the file again; run cphdcheck or crsdcheck on it."),
        field="file",
    )


def read_signal_blocks(file: BinaryIO) -> SignalBlocks:
    """Header and XML of a file whose blocks all lie within it.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        Neither CPHD nor CRSD, or a damaged file.
    """
    file.seek(0)
    head = file.read(_MOST_HEADER_BYTES)
    magic = _MAGIC.match(head)
    if magic is None:
        raise damaged(Message("it starts with {got}, expected CPHD/ or CRSD/ and a version", {"got": repr(head[:12])}))
    end = head.find(_END_OF_HEADER)
    if end < 0:
        raise damaged(Message("its header does not end"))
    pairs = {name.decode(): value for name, value in _LINE.findall(head, 0, end)}
    size = file.seek(0, os.SEEK_END)
    extents = {}
    for block in _BLOCKS:
        length, offset = pairs.get(f"{block}_BLOCK_SIZE"), pairs.get(f"{block}_BLOCK_BYTE_OFFSET")
        if length is None and offset is None and block != "XML":
            continue
        if length is None or offset is None or not (_whole(length) and _whole(offset)):
            raise damaged(Message("its header says no place and size of the {block} block", {"block": block}))
        extents[block] = int(offset), int(length)
        if sum(extents[block]) > size:
            values: dict[str, str | int] = {"block": block, "end": sum(extents[block]), "size": size}
            raise damaged(Message("the {block} block ends at byte {end}, the file at byte {size}", values))
    offset_bytes, length_bytes = extents["XML"]
    if length_bytes > _MOST_XML_BYTES:
        raise damaged(Message("its XML is larger than {most} bytes", {"most": _MOST_XML_BYTES}))
    file.seek(offset_bytes)
    root = parse_xml(file.read(length_bytes), what="XML", most_bytes=_MOST_XML_BYTES)
    return SignalBlocks(magic[1].decode(), magic[2].decode(), extents, root)


def _whole(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MOST_DIGITS
