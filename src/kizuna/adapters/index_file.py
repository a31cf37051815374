"""Where the columns of the catalogue are kept for the next start: a file beside the node's database, which may be removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["COLUMNS", "FileSnapshot"]

COLUMNS = "columns.npz"
"""Name of the file."""


class FileSnapshot:
    """Port that keeps a snapshot, over a file. It saves time and nothing else: a full disk only means that it is not kept.

    Parameters
    ----------
    path
        The file.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> BinaryIO | None:
        """File that was written last, open; None where there is none that can be read."""
        try:
            return self._path.open("rb")
        except OSError:
            return None

    def write(self, write: Callable[[BinaryIO], None]) -> None:
        """Replace the file by another one, which is whole or not there; one that a crash tore is told by its checksums."""
        new = self._path.with_name(f".{self._path.name}.new")
        with contextlib.suppress(OSError), open(new, "ab", opener=_owners) as file:
            # One process at a time; what one left that was killed is written over.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_ino != new.stat().st_ino:
                return
            try:
                file.truncate(0)
                write(file)
                file.flush()
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            new.replace(self._path)


def _owners(path: str, flags: int) -> int:
    # Written at any place, unlike what is only appended to.
    return os.open(path, flags & ~os.O_APPEND, 0o600)
