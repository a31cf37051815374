"""Where a node's folder lies: a stamp that changes when the folder is copied, restored or moved to another machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kizuna.errors import Message, StoreError

__all__ = ["folder_stamp"]

_MACHINE_ID = Path("/etc/machine-id")


def folder_stamp(database: Path) -> str:
    """Stamp of the place in which `database` lies.

    It is made of the machine's id (where there is one), the file system and the file's inode there, and hashed, so that
    it can be kept and shown without telling them. A copy of the file has another inode, a restored one too.

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
        # Containers often have none; file system and inode still tell a copy from the original.
        machine = ""
    text = f"kizuna/folder-stamp/1|{machine}|{status.st_dev}|{status.st_ino}"
    return hashlib.sha256(text.encode()).hexdigest()
