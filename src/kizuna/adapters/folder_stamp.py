"""Where a node's folder lies: a stamp that changes when the folder is copied, restored or moved to another machine."""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
from pathlib import Path

from kizuna.errors import Message, StoreError

__all__ = ["folder_stamp"]

_MACHINE_ID = Path("/etc/machine-id")
# statx(2): flags, mask and layout of its answer (linux/stat.h).
_AT_FDCWD = -100
_STATX_BTIME = 0x800
_STATX_BYTES = 256
_BTIME_AT = 80


def _birth_ns(path: Path) -> int:
    """When the file was made, in nanoseconds since 1970; 0 where the system does not tell.

    Python's `os.stat` has no birth time on Linux, and an inode alone is not enough: a file system gives the number of a
    removed file to the next one, so a database restored in place can have the inode of the one that was lost.
    """
    statx = getattr(ctypes.CDLL(None), "statx", None)
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx is None or statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, answer) != 0:
        return 0
    (mask,) = struct.unpack_from("=I", answer)
    seconds, nanoseconds = struct.unpack_from("=qI", answer, _BTIME_AT)
    return int(seconds) * 10**9 + int(nanoseconds) if mask & _STATX_BTIME else 0


def folder_stamp(database: Path) -> str:
    """Stamp of the place in which `database` lies.

    It is made of the machine's id (where there is one), the file system, and the file's inode and birth there, and
    hashed, so that it can be kept and shown without telling them. A copy of the file has another inode, a restored one
    another birth. A machine whose whole disk is set back cannot be noticed from within: that takes a partner's receipt.

    Raises
    ------
    StoreError
        If the file is not there.
    """
    try:
        status = database.stat()
    except OSError as error:
        raise StoreError(
            Message("{path} cannot be examined: {why}", {"path": str(database), "why": error.strerror or str(error)}),
            hint=Message("check the node's folder and its permissions"),
        ) from error
    try:
        machine = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        # Containers often have none; file system, inode and birth still tell a copy from the original.
        machine = ""
    text = f"kizuna/folder-stamp/1|{machine}|{status.st_dev}|{status.st_ino}|{_birth_ns(database)}"
    return hashlib.sha256(text.encode()).hexdigest()
