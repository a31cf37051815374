"""A folder into which others put products: what is complete, and where it goes once it was taken in or refused.

A product counts when whoever writes it has finished: nothing of it or of its label changed for a while, or a marker file
(``NAME.ready``) stands beside it. Then it is moved into ``done``, or into ``failed`` with the reason beside it. Nothing else is
remembered: after a crash the folder is looked at anew, and a product that was recorded already is known by its bytes.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Arrived", "WatchedFolder"]

DONE, FAILED = "done", "failed"
_LABEL, _READY, _REASON = ".label.toml", ".ready", ".reason.txt"
# Names under which programs write what they rename once it is whole.
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download")
_PACKAGE = ".SAFE"
_MOST_NAMES = 10_000

type _Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A product that is complete.

    Parameters
    ----------
    path
        Its file or folder.
    label
        Its own label; None where it has none.
    stamp
        How it looked.
    """

    path: Path
    label: Path | None
    stamp: _Stamp


def _stamp_of(paths: list[Path]) -> _Stamp | None:
    """Name, size, time and place of each file; None where one went away or is no regular file or folder."""
    stamps = []
    for path in paths:
        with suppress(OSError):
            if path.is_symlink():
                return None
            found = path.stat()
            stamps.append((str(path), found.st_size, found.st_mtime_ns, found.st_ino))
            continue
        return None
    return tuple(stamps)


class WatchedFolder:
    """What arrives in a folder.

    Parameters
    ----------
    folder
        The folder; ``done`` and ``failed`` are made in it.
    settle_s
        For how long nothing may have changed, seconds.
    labelled
        Whether each product needs a label of its own beside it.

    Raises
    ------
    InputError
        If it is no folder, or nothing can be moved within it.
    """

    def __init__(self, folder: Path, *, settle_s: float, labelled: bool) -> None:
        self._folder, self._settle_s, self._labelled = folder, settle_s, labelled
        self._seen: dict[Path, tuple[_Stamp, float]] = {}
        self._left: dict[Path, _Stamp] = {}
        for name in (DONE, FAILED):
            try:
                (folder / name).mkdir(exist_ok=True)
            except OSError as error:
                raise InputError(
                    Message("{path} cannot be watched: {why}", {"path": str(folder), "why": error.strerror or str(error)}),
                    hint=Message("name a folder in which this program may make folders and move files"),
                    field="watch",
                ) from error
            if (folder / name).is_symlink():
                raise InputError(
                    Message("{path} is a link: products are moved into folders of the watched one", {"path": str(folder / name)}),
                    hint=Message("remove it"),
                    field="watch",
                )

    def look(self, now_s: float) -> tuple[list[Arrived], int, list[Path]]:
        """Look into the folder.

        Parameters
        ----------
        now_s
            Seconds of a clock that never goes back.

        Returns
        -------
        complete
            Products that may be taken in, by name.
        changing
            How many are not yet complete.
        unlabelled
            Products that wait for their label.
        """
        try:
            present = sorted(self._folder.iterdir())[:_MOST_NAMES]
        except OSError as error:
            raise StoreError(
                Message("{path} cannot be watched: {why}", {"path": str(self._folder), "why": error.strerror or str(error)}),
                hint=Message("name a folder in which this program may make folders and move files"),
            ) from error
        complete, changing, unlabelled = [], 0, []
        seen: dict[Path, tuple[_Stamp, float]] = {}
        for path in filter(self._is_product, present):
            label = path.with_name(path.name + _LABEL)
            has_label = label.is_file() and not label.is_symlink()
            inside = sorted(path.rglob("*")) if path.is_dir() else []
            stamp = _stamp_of([path, *inside, *([label] if has_label else [])])
            if stamp is None or self._left.get(path) == stamp:
                continue
            since = self._seen[path][1] if path in self._seen and self._seen[path][0] == stamp else now_s
            seen[path] = stamp, since
            ready = path.with_name(path.name + _READY).is_file()
            if self._labelled and not has_label:
                unlabelled.append(path)
            elif ready or now_s - since >= self._settle_s:
                complete.append(Arrived(path, label if has_label else None, stamp))
            else:
                changing += 1
        self._seen = seen
        return complete, changing, unlabelled

    def _is_product(self, path: Path) -> bool:
        if path.name.startswith(".") or path.is_symlink():
            return False
        if path.is_dir():
            return path.suffix.upper() == _PACKAGE
        ending = path.name.lower()
        return path.is_file() and not ending.endswith((*_UNFINISHED, _LABEL, _READY, _REASON))

    def done(self, arrived: Arrived) -> None:
        """Move a product that was taken in out of the way."""
        self._move(arrived, DONE)

    def failed(self, arrived: Arrived, reason: str) -> None:
        """Move a product that was refused out of the way, the reason beside it."""
        moved = self._move(arrived, FAILED)
        if moved is not None:
            with suppress(OSError):
                moved.with_name(moved.name + _REASON).write_text(reason + "\n", encoding="utf-8")

    def _move(self, arrived: Arrived, where: str) -> Path | None:
        """Move it with all that belongs to it, unless another took its place; with a number where its name is taken."""
        path = arrived.path
        inside = sorted(path.rglob("*")) if path.is_dir() else []
        if _stamp_of([path, *inside, *([arrived.label] if arrived.label is not None else [])]) != arrived.stamp:
            return None
        target = self._folder / where
        try:
            name = _free_name(lambda name: (target / name).exists(), path.name)
            path.rename(target / name)
        except OSError as error:
            # It stays, and is not looked at again while it is what it was: else it would be taken in for ever.
            self._left[path] = arrived.stamp
            if error.errno in {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY}:
                return None
            raise StoreError(
                Message("{path} cannot be moved: {why}", {"path": str(path), "why": error.strerror or str(error)}),
                hint=Message("name a folder in which this program may make folders and move files"),
            ) from error
        for ending in (_LABEL, _READY):
            with suppress(OSError):
                path.with_name(path.name + ending).rename(target / (name + ending))
        return target / name


def _free_name(taken: Callable[[str], bool], name: str) -> str:
    number, free = 1, name
    while taken(free):
        number += 1
        free = f"{number}-{name}"
    return free
