"""Files that a person named: regular ones only, and of those that are read whole no more than anybody meant.

A pipe may never end, a device never does, and a link can lead to either: a folder of agreements may come from anybody.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["LARGEST_BYTES", "open_input", "open_product", "read_input"]

LARGEST_BYTES = 16_000_000
"""Most bytes of a file that is read whole: an agreement, a label, a policy, a certificate."""


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def open_input(path: Path, *, hint: Message | None = None) -> Iterator[BinaryIO]:
    """Open a file that a person named.

    Parameters
    ----------
    path
        The file.
    hint
        What to do where it cannot be read.

    Raises
    ------
    InputError
        If it cannot be read, or is no regular file.
    """
    try:
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - closed below, behind the errors of opening
    except OSError as error:
        raise InputError(
            Message("{path} cannot be read: {why}", {"path": str(path), "why": error.strerror or str(error)}),
            hint=hint or Message("check the name of the file"),
            field="file",
        ) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError(
                Message("{path} is no regular file", {"path": str(path)}),
                hint=Message("name a file, not a pipe or a device"),
                field="file",
            )
        yield file


def read_input(path: Path, *, hint: Message | None = None, most_bytes: int = LARGEST_BYTES) -> bytes:
    """Bytes of a small file that a person named.

    Raises
    ------
    InputError
        If it cannot be read, is no regular file, or is larger than `most_bytes`.
    """
    with open_input(path, hint=hint) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise InputError(
            Message("{path} is larger than {most} bytes", {"path": str(path), "most": most_bytes}),
            hint=Message("make sure that this is the file that you mean"),
            field="file",
        )
    return data


# Any day does, as long as it is the same one: the same folder gives the same bytes, and so is known again.
_DAY = (1980, 1, 1, 0, 0, 0)
_MOST_PACKED = 4096


@contextmanager
def open_product(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a product that a person named: a file, or a folder that is one product, packed into a ZIP file without compression.

    Parameters
    ----------
    path
        The file, or a folder named ``*.SAFE``.

    Yields
    ------
    file, name
        Open file, and its name without folders.

    Raises
    ------
    InputError
        If it cannot be read, or is neither.
    """
    if not path.is_dir():
        with open_input(path) as file:
            yield file, path.name
        return
    if path.suffix.upper() != ".SAFE":
        raise InputError(
            Message("{path} is a folder, and no product by its name", {"path": str(path)}),
            hint=Message("name its files, or a Sentinel-1 folder (*.SAFE); to take in all that comes into a folder: --watch"),
            field="file",
        )
    with tempfile.TemporaryFile() as packed:
        _pack(path, packed)
        packed.seek(0)
        yield packed, f"{path.name}.zip"


def _pack(folder: Path, target: BinaryIO) -> None:
    found = sorted(folder.rglob("*"))
    if len(found) > _MOST_PACKED:
        raise InputError(
            Message(
                "{path} holds {count} files, at most {most} are packed",
                {"path": str(folder), "count": len(found), "most": _MOST_PACKED},
            ),
            hint=Message("make sure that this is the folder that you mean"),
            field="file",
        )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as package:
        package.writestr(zipfile.ZipInfo(f"{folder.name}/", _DAY), b"")
        for path in found:
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise InputError(
                    Message("{path} is a link or a device: a package holds files", {"path": str(path)}),
                    hint=Message("fetch the package again"),
                    field="file",
                )
            if path.is_file():
                member = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", _DAY)
                with open_input(path) as source, package.open(member, "w", force_zip64=True) as packed:
                    shutil.copyfileobj(source, packed, 1 << 20)
