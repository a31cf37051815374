"""Removable media in folders: written under another name and renamed when whole, read as what a stranger may have put there.

A folder that is read holds regular files directly in it, or it is refused: links, pipes, devices and folders are never opened.
Files are opened by name within the opened folder, so nothing that changes on the way can lead out of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, Self

from kizuna.errors import InputError, Message, PartnerUnreachable, StoreError
from kizuna.exchange.medium import HEADER_NAME, MOST_SEGMENTS, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["FolderMedium", "FolderShelf", "NewFolderMedium", "media_in", "require_room"]

_BEGINNING = "kizuna-"
_UNFINISHED = ".part"
# Folders of other names are not looked at: whoever made them chose what would be printed.
_NAME = re.compile(r"kizuna-[A-Za-z0-9_-]{1,100}\Z", re.ASCII)
_BLOCK_BYTES = 4096
_MOST_MEDIA = 10_000
# The earliest time that every file system can tell: when a medium was written is nobody's business.
_NO_TIME_S = 315_619_200
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP}


def _unreadable(path: Path | str, error: OSError) -> InputError | PartnerUnreachable:
    values: dict[str, str | int | float] = {"path": str(path), "why": error.strerror or str(error)}
    if error.errno in _NOT_THERE:
        return InputError(
            Message("{path} cannot be read: {why}", values), hint=Message("name the folder of the medium"), field="folder"
        )
    return PartnerUnreachable(
        Message("the medium cannot be read any more: {path}: {why}", values),
        hint=Message("connect it again and repeat the command: what was taken over stays, and is not taken twice"),
    )


def _unwritable(path: Path | str, error: OSError) -> InputError:
    return InputError(
        Message("{path} cannot be written: {why}", {"path": str(path), "why": error.strerror or str(error)}),
        hint=Message("check the medium, or take one with more room; nothing that could be taken in was left on it"),
        field="folder",
    )


class FolderMedium:
    """A medium that is read; see `kizuna.node.media.Medium`.

    Raises
    ------
    InputError
        If it is no folder, or holds anything but regular files.
    PartnerUnreachable
        If it cannot be read any more.
    """

    __slots__ = ("_descriptor", "path", "sizes")

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            self.sizes = dict(self._listed())
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Read no more of it."""
        os.close(self._descriptor)

    @property
    def name(self) -> str:
        """Name by which a person knows it."""
        return str(self.path)

    def _listed(self) -> Iterator[tuple[str, int]]:
        try:
            with os.scandir(self._descriptor) as found:
                for count, entry in enumerate(found):
                    if count > MOST_SEGMENTS:
                        raise InputError(
                            Message("{path} holds more than {most} files", {"path": str(self.path), "most": MOST_SEGMENTS}),
                            hint=Message("this is no medium of kizuna"),
                            field="folder",
                        )
                    state = entry.stat(follow_symlinks=False)
                    if not stat.S_ISREG(state.st_mode):
                        raise self._irregular(entry.name)
                    yield entry.name, state.st_size
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _irregular(self, name: str) -> InputError:
        return InputError(
            Message(
                "{file}: it is no regular file, and such a thing belongs to no medium", {"file": str(self.path / printable(name))}
            ),
            hint=Message("somebody changed the medium: ask the partner for another one"),
            field=printable(name),
        )

    def read(self, name: str) -> bytes:
        """Whole bytes of one of the files.

        Raises
        ------
        InputError
            If it is not what it was when the folder was listed.
        PartnerUnreachable
            If it cannot be read any more.
        """
        size = self.sizes.get(name, 0)
        try:
            # A pipe that took the file's place must not keep us waiting, and a link must not lead us away.
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._descriptor)
            with os.fdopen(opened, "rb") as file:
                if not stat.S_ISREG(os.fstat(opened).st_mode):
                    raise self._irregular(name)
                data = file.read(size + 1)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._irregular(name) from error
            raise _unreadable(self.path / name, error) from error
        if len(data) != size:
            raise InputError(
                Message("{file}: it changed while it was read", {"file": str(self.path / name)}),
                hint=Message("leave the medium alone until the command has ended, then repeat it"),
                field=name,
            )
        return data


def require_room(folder: Path, size: int) -> None:
    """Refuse to begin what would not fit.

    Raises
    ------
    StoreError
        If the node's folder has less than `size` bytes free.
    """
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise _shelf_error(folder, error) from error
    free = found.f_bavail * found.f_frsize
    if size > free:
        raise StoreError(
            Message("{path} has {free} bytes free, {needed} are needed", {"path": str(folder), "free": free, "needed": size}),
            hint=Message("free some space, then try again; nothing was taken in"),
        )


def media_in(folder: Path) -> list[Path]:
    """Folders of the media that lie in `folder`: itself, if it is one, or those directly in it.

    What else lies there is not looked at; nor is what was not written to its end.

    Raises
    ------
    InputError
        If it is no folder, or there is none.
    PartnerUnreachable
        If it cannot be read any more.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry, _ in zip(found, range(_MOST_MEDIA), strict=False)]
        if HEADER_NAME in names:
            return [folder.resolve()]
        media = sorted(folder / name for name in names if _NAME.match(name))
        media = [path for path in media if stat.S_ISDIR(path.lstat().st_mode)]
    except OSError as error:
        raise _unreadable(folder, error) from error
    if not media:
        raise InputError(
            Message("no medium of kizuna lies in {folder}", {"folder": str(folder)}),
            hint=Message("name the folder into which the partner exported; what begins with a dot was not written to its end"),
            field="folder",
        )
    return media


class NewFolderMedium:
    """A medium that is written; see `kizuna.node.media.NewMedium`.

    Parameters
    ----------
    folder
        Where its folder is made.
    id_
        Its name; what it holds is not told by it.
    """

    __slots__ = ("_folder", "_temporary", "path")

    def __init__(self, folder: Path, id_: str) -> None:
        self._folder = folder
        self.path = folder / f"{_BEGINNING}{id_}"
        self._temporary = folder / f".{_BEGINNING}{id_}{_UNFINISHED}"

    @property
    def name(self) -> str:
        """Name by which a person knows it."""
        return str(self.path)

    def begin(self, files: int, size: int) -> None:
        """Make its folder, if there is room for so many files of `size` bytes in all.

        Raises
        ------
        InputError
            If there is not, or it cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            found = os.statvfs(self._folder)
            free, needed = found.f_bavail * found.f_frsize, size + (files + 1) * _BLOCK_BYTES
            if needed > free:
                raise InputError(
                    Message(
                        "{path} has {free} bytes free, {needed} are needed",
                        {"path": str(self._folder), "free": free, "needed": needed},
                    ),
                    hint=Message("make room, or take a larger medium; nothing was written"),
                    field="folder",
                )
            self._temporary.mkdir(mode=0o700)
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def write(self, name: str, data: bytes) -> None:
        """Write one file of it, durably.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        path = self._temporary / name
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(data)
                file.flush()
                os.utime(opened, (_NO_TIME_S, _NO_TIME_S))
                os.fsync(opened)
        except OSError as error:
            raise _unwritable(path, error) from error

    def finish(self) -> None:
        """Give it its name: only from now on it can be taken in.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        try:
            _sync(self._temporary)
            os.utime(self._temporary, (_NO_TIME_S, _NO_TIME_S))
            self._temporary.rename(self.path)
            _sync(self._folder)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def discard(self) -> None:
        """Remove what was written of it so far."""
        shutil.rmtree(self._temporary, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderShelf:
    """Media that were taken in before those that go before them; see `kizuna.node.media.Shelf`.

    Parameters
    ----------
    folder
        A folder of its own in the node's folder; it need not be there.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Names of the media that are held, in order."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _shelf_error(self._folder, error) from error

    def bytes_held(self) -> int:
        """Length of all of them in bytes."""
        total = 0
        for name in self.names():
            with self.open(name) as medium:
                total += sum(medium.sizes.values())
        return total

    def open(self, name: str) -> FolderMedium:
        """Open one of them."""
        return FolderMedium(self._folder / name)

    def new(self, id_: str) -> NewFolderMedium:
        """One more, to be written."""
        try:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            for path in self._folder.iterdir():
                if path.name.startswith("."):
                    shutil.rmtree(path, ignore_errors=True)
        except OSError as error:
            raise _shelf_error(self._folder, error) from error
        return NewFolderMedium(self._folder, id_)

    def drop(self, name: str) -> None:
        """Hold one of them no longer."""
        with contextlib.suppress(FileNotFoundError):
            try:
                shutil.rmtree(self._folder / name)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise _shelf_error(self._folder / name, error) from error


def _shelf_error(path: Path, error: OSError) -> StoreError:
    return StoreError(
        Message("{path} cannot be used: {why}", {"path": str(path), "why": error.strerror or str(error)}),
        hint=Message("check the node's folder and its permissions"),
    )
