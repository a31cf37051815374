"""Fakes of removable media that ship: folders as dictionaries. They pass the same suite as the adapter."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MemoryMedium", "MemoryShelf", "NewMemoryMedium"]


@dataclass(slots=True)
class MemoryMedium:
    """A medium that is read.

    Parameters
    ----------
    name
        Name by which a person knows it.
    files
        Its files.
    """

    name: str
    files: dict[str, bytes]
    sizes: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.sizes = {name: len(data) for name, data in self.files.items()}

    def read(self, name: str) -> bytes:
        """Whole bytes of one of its files."""
        data = self.files.get(name)
        if data is None or len(data) != self.sizes.get(name):
            raise InputError(
                Message("{file}: it changed while it was read", {"file": name}),
                hint=Message("leave the medium alone until the command has ended, then repeat it"),
                field=name,
            )
        return data


@dataclass(slots=True)
class NewMemoryMedium:
    """A medium that is written, into a place that has `room_bytes` left.

    Parameters
    ----------
    place
        Media that lie there, by name.
    name
        Its name among them.
    room_bytes
        How much fits.
    """

    place: dict[str, MemoryMedium]
    name: str
    room_bytes: int = 2**40
    _files: dict[str, bytes] | None = None

    def begin(self, files: int, size: int) -> None:  # noqa: ARG002 - a file takes no room beyond its bytes here
        """Make it, if there is room."""
        if size > self.room_bytes:
            raise InputError(
                Message(
                    "{path} has {free} bytes free, {needed} are needed",
                    {"path": self.name, "free": self.room_bytes, "needed": size},
                ),
                hint=Message("make room, or take a larger medium; nothing was written"),
                field="folder",
            )
        self._files = {}

    def write(self, name: str, data: bytes) -> None:
        """Write one file of it."""
        if self._files is None or name in self._files:
            raise InputError(
                Message("{path} cannot be written: {why}", {"path": name, "why": "File exists"}),
                hint=Message("check the medium, or take one with more room; nothing that could be taken in was left on it"),
                field="folder",
            )
        self._files[name] = data

    def finish(self) -> None:
        """Make a medium of what was written."""
        self.place[self.name] = MemoryMedium(self.name, dict(self._files or {}))

    def discard(self) -> None:
        """Remove what was written so far."""
        self._files = None


class MemoryShelf:
    """Media that came too early."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, MemoryMedium] = {}

    def names(self) -> list[str]:
        """Names of the media that are held, in order."""
        return sorted(self._held)

    def bytes_held(self) -> int:
        """Length of all of them in bytes."""
        return sum(sum(medium.sizes.values()) for medium in self._held.values())

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[MemoryMedium]:
        """Open one of them."""
        yield self._held[name]

    def new(self, id_: str) -> NewMemoryMedium:
        """One more, to be written."""
        return NewMemoryMedium(self._held, f"kizuna-{id_}")

    def drop(self, name: str) -> None:
        """Hold one of them no longer; absent: nothing."""
        self._held.pop(name, None)
