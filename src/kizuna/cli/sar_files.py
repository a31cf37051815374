"""Files that the radar commands write: never over another one, and whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["new_file", "require_new"]


def require_new(path: Path) -> None:
    """Refuse a file that is there.

    Raises
    ------
    InputError
        If it is.
    """
    if path.exists():
        raise InputError(
            Message("{path} exists", {"path": str(path)}),
            hint=Message("name another file; none is overwritten"),
            field="output",
        )


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write; it gets its name once all of it is written."""
    require_new(path)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w+b") as file:
            yield file
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
