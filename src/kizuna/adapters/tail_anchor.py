"""What is remembered of a log's tail outside the node's folder: a line in the machine's state folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FileTailAnchor", "MemoryTailAnchor", "is_writable", "state_folder"]


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder for what a machine remembers: ``KIZUNA_STATE``, else ``kizuna`` in the XDG state folder."""
    if environment.get("KIZUNA_STATE"):
        return Path(environment["KIZUNA_STATE"])
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kizuna"


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, or the folder itself where it is not there yet, as far as permissions tell."""
    place = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


class FileTailAnchor:
    """Anchor in a file of its own, one for each signing key.

    It is a second line behind the stamp of the folder's place: where the state folder cannot be written there is none, and
    `kizuna doctor` says so.

    Parameters
    ----------
    folder
        As `state_folder` gives it.
    key_id
        Id of the node's signing key.
    """

    __slots__ = ("_path",)

    def __init__(self, folder: Path, key_id: str) -> None:
        self._path = folder / f"{key_id}.tail"

    def read(self) -> tuple[int, bytes] | None:
        """Count of entries and hash of the last leaf, as last kept; None if nothing is, or it cannot be read."""
        try:
            size, leaf = self._path.read_text(encoding="ascii").split()
            return int(size), bytes.fromhex(leaf)
        except (OSError, ValueError):
            return None

    def keep(self, size: int, leaf: bytes) -> None:
        """Remember a count of entries and the hash of the last leaf."""
        part = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(f"{size} {leaf.hex()}\n", encoding="ascii")
            part.replace(self._path)


class MemoryTailAnchor:
    """Fake that ships."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: tuple[int, bytes] | None = None

    def read(self) -> tuple[int, bytes] | None:
        """As last kept."""
        return self._kept

    def keep(self, size: int, leaf: bytes) -> None:
        """Remember."""
        self._kept = (size, leaf)
