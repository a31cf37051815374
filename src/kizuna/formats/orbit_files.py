"""Files with orbits of any form that is read here, told apart by what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.formats.oem import read_oem
from kizuna.formats.omm import read_omm
from kizuna.formats.tle import read_tle

if TYPE_CHECKING:
    from kizuna.formats.element_sets import ElementSet
    from kizuna.formats.oem import StateSet

__all__ = ["read_orbits"]

_HEAD = 4096


def read_orbits(data: bytes) -> tuple[tuple[ElementSet, ...], tuple[StateSet, ...]]:
    """Element sets and states of a file: TLE or 3LE, OMM (KVN, XML, JSON), OEM (KVN, XML).

    Raises
    ------
    InputError
        It is none of them, or a set of it is refused; the error names line and column.
    """
    head = data[:_HEAD].decode("utf-8-sig", "replace").lstrip()
    if "CCSDS_OEM_VERS" in head or (head.startswith("<") and "<oem" in head):
        return (), read_oem(data)
    if "CCSDS_OMM_VERS" in head or head[:1] in {"<", "{", "["}:
        return read_omm(data), ()
    # A character that is none of ASCII is refused by the line's checksum.
    return read_tle(data.decode("ascii", "replace")), ()
