"""A disk that loses what was not synced when the power is cut, and what the adapters write to it.

What a process writes is seen by all at once, and is on the platter only after `fsync`: of a file for its bytes, of a folder
for the names in it. Until then each write, each name and each removal may or may not have arrived, in any order. A power cut
stands before a step (a write, a truncation, a sync, a name given or taken away); whoever is at work then gets a `PowerCut`.

SQLite writes here through a VFS of its own (`apsw`), the other adapters through stand-ins for `os` and for paths. What would
write past them is found: `Disk.assert_nothing_bypassed` compares what was noted with what lies in the folder.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import pkgutil
import random
import sqlite3
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import apsw

import kizuna.adapters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Disk", "DiskPath", "Kept", "PowerCut", "installed"]

_SECTOR_BYTES = 512
_MADE_BY_SQLITE = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_INDEX = "-shm"


class PowerCut(BaseException):
    """The machine has no power: nothing that the process still wants to do is done."""


class Kept(Enum):
    """What of the unsynced arrives when the power is cut."""

    NOTHING = "nothing"
    EVERYTHING = "everything"
    SOME = "some"


@dataclass(eq=False, slots=True)
class _File:
    """Bytes as the processes see them, as they are kept, and what stands between."""

    seen: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    synced: bool = False

    def write(self, offset: int, data: bytes) -> None:
        self.unsynced.append((offset, data))
        _put(self.seen, offset, data)

    def truncate(self, size: int) -> None:
        self.unsynced.append((size, None))
        _put(self.seen, size, None)

    def sync(self) -> None:
        self.kept, self.unsynced, self.synced = bytes(self.seen), [], True

    def after_cut(self, kept: Kept, dice: random.Random) -> bytes:
        if kept is Kept.EVERYTHING:
            return bytes(self.seen)
        found = bytearray(self.kept)
        for offset, data in self.unsynced if kept is Kept.SOME else ():
            match dice.randrange(3):
                case 0:
                    _put(found, offset, data)
                case 1 if data is not None and len(data) > 1:
                    # Sectors are written whole; some of them.
                    edge = _SECTOR_BYTES - offset % _SECTOR_BYTES
                    cuts = [0, *range(edge, len(data), _SECTOR_BYTES), len(data)]
                    for begin, end in itertools.pairwise(cuts):
                        if dice.random() < 0.5:
                            _put(found, offset + begin, data[begin:end])
                case _:
                    pass
        return bytes(found)


def _put(into: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del into[offset:]
    into.extend(bytes(max(0, offset - len(into))))
    if data is not None:
        into[offset : offset + len(data)] = data


_FOLDER = _File()


class Disk:
    """One machine's disk: a folder, and what of it is on the platter.

    Parameters
    ----------
    root
        Real folder in which the processes see their files; what lies in it is on the platter.
    on_step
        Called before each step, with its name.
    """

    def __init__(self, root: Path, on_step: Callable[[str], None] = lambda _what: None) -> None:
        self.root = root
        self.on_step = on_step
        self.steps = 0
        self.dead = self.left = False
        self.cut_at: int | None = None
        self._descriptors: dict[int, tuple[str, _File]] = {}
        self._names: dict[str, _File] = {}
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if path.is_dir():
                self._names[name] = _FOLDER
            else:
                data = path.read_bytes()
                self._names[name] = _File(bytearray(data), data, synced=True)
        self._kept = dict(self._names)
        self._pending: list[tuple[str, _File | None]] = []
        self.vfs = _Vfs(self)

    def path(self, name: str = "") -> DiskPath:
        """Path on this disk."""
        return DiskPath(self.root / name, disk=self)

    # ---- power

    def step(self, what: str) -> None:
        """Stand before a step."""
        if not self.dead:
            self.on_step(what)
        if self.cut_at is not None and self.steps >= self.cut_at:
            self.dead = True
        if self.dead:
            raise PowerCut(what)
        self.steps += 1

    def cut_after(self, steps: int) -> None:
        """Cut the power so many steps from now."""
        self.cut_at = self.steps + steps

    def cut(self) -> None:
        """Cut the power now."""
        self.dead = True

    def leave(self) -> None:
        """Note nothing any more: SQLite has no power cut when its connections are closed at last."""
        self.left = True

    def seen(self) -> dict[str, bytes | None]:
        """All files as the processes see them, by name; None for a folder."""
        return {name: None if file is _FOLDER else bytes(file.seen) for name, file in self._names.items()}

    def after_cut(self, kept: Kept, seed: int = 0) -> dict[str, bytes | None]:
        """All files as they are found after a power cut at this moment, by name; None for a folder."""
        dice = random.Random(seed)
        names = dict(self._names if kept is Kept.EVERYTHING else self._kept)
        for name, file in self._pending if kept is Kept.SOME else ():
            if dice.random() < 0.5:
                _name(names, name, file)
        found: dict[str, bytes | None] = {}
        for name, file in sorted(names.items()):
            # A file in a folder that did not arrive is nowhere.
            if all(names.get(str(folder)) is _FOLDER for folder in list(Path(name).parents)[:-1]):
                found[name] = None if file is _FOLDER else file.after_cut(kept, dice)
        return found

    def assert_nothing_bypassed(self) -> None:
        """Compare what was noted with what lies in the folder."""
        there = {str(p.relative_to(self.root)): None if p.is_dir() else p.read_bytes() for p in self.root.rglob("*")}
        there = {name: data for name, data in there.items() if not name.endswith(_INDEX)}
        noted = self.seen()
        assert sorted(there) == sorted(noted)
        assert not [name for name, data in there.items() if noted[name] != data]

    # ---- steps of the adapters

    def name_of(self, path: os.PathLike[str] | str) -> str:
        """Name of a path below the root."""
        return str(Path(path).relative_to(self.root))

    def create(self, name: str) -> _File:
        """Give a new, empty file a name."""
        self.step(f"create {name}")
        self._give(name, _File())
        return self._names[name]

    def file(self, name: str) -> _File:
        """File of a name."""
        return self._names[name]

    def has(self, name: str) -> bool:
        """Whether a name is taken."""
        return name in self._names

    def make_folder(self, name: str) -> None:
        """Make a folder."""
        self.step(f"mkdir {name}")
        self._give(name, _FOLDER)

    def rename(self, old: str, new: str) -> None:
        """Move a file, or a folder with all that is in it."""
        self.step(f"rename {old} {new}")
        moved = {name: file for name, file in self._names.items() if name == old or name.startswith(f"{old}/")}
        for name, file in moved.items():
            self._give(new + name.removeprefix(old), file)
        for name in moved:
            self._give(name, None)

    def remove(self, name: str) -> None:
        """Take a name away."""
        self.step(f"unlink {name}")
        self._give(name, None)

    def _give(self, name: str, file: _File | None) -> None:
        _name(self._names, name, file)
        self._pending.append((name, file))

    def write(self, name: str, file: _File, offset: int, data: bytes) -> None:
        """Write."""
        self.step(f"write {name}")
        file.write(offset, data)

    def truncate(self, name: str, file: _File, size: int) -> None:
        """Truncate."""
        self.step(f"truncate {name}")
        file.truncate(size)

    def sync(self, name: str, file: _File) -> None:
        """Bring a file's bytes to the platter, or a folder's names."""
        self.step(f"fsync {name}")
        if file is not _FOLDER:
            file.sync()
            return
        for entry, what in self._pending:
            if str(Path(entry).parent) == name:
                _name(self._kept, entry, what)
        self._pending = [(entry, what) for entry, what in self._pending if str(Path(entry).parent) != name]

    # ---- descriptors

    def opened(self, descriptor: int, name: str) -> None:
        """Note what a descriptor stands for."""
        self._descriptors[descriptor] = name, _FOLDER if name == "." else self._names[name]

    def closed(self, descriptor: int) -> None:
        """Forget a descriptor."""
        self._descriptors.pop(descriptor, None)

    def of(self, descriptor: int) -> tuple[str, _File] | None:
        """What a descriptor stands for, if it is of this disk."""
        return self._descriptors.get(descriptor)


def _name(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


# ---- paths


class DiskPath(type(Path())):  # type: ignore[misc]
    """Path on a disk: what is written through it is noted."""

    disk: Disk

    def __init__(self, *parts: os.PathLike[str] | str, disk: Disk) -> None:
        super().__init__(*parts)
        self.disk = disk

    def with_segments(self, *parts: os.PathLike[str] | str) -> Self:
        """Path on the same disk."""
        return type(self)(*parts, disk=self.disk)

    @property
    def on_disk(self) -> str:
        """Its name there."""
        return self.disk.name_of(self)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a folder."""
        if parents and self.on_disk != "." and not self.parent.exists():
            self.parent.mkdir(parents=True, exist_ok=True)
        if self.exists():
            super().mkdir(mode, exist_ok=exist_ok)
        else:
            self.disk.make_folder(self.on_disk)
            super().mkdir(mode)

    def rename(self, target: Any) -> Any:
        """Move."""
        self.disk.rename(self.on_disk, self.disk.name_of(target))
        return super().rename(target)

    def replace(self, target: Any) -> Any:
        """Move."""
        self.disk.rename(self.on_disk, self.disk.name_of(target))
        return super().replace(target)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove."""
        if self.disk.has(self.on_disk):
            self.disk.remove(self.on_disk)
        super().unlink(missing_ok)

    def write_text(self, data: str, encoding: str | None = None, *_: object, **__: object) -> int:
        """Write a whole file, unsynced."""
        return self.write_bytes(data.encode(encoding or "utf-8"))

    def write_bytes(self, data: Any) -> int:
        """Write a whole file, unsynced."""
        name = self.on_disk
        if self.disk.has(name):
            self.disk.truncate(name, self.disk.file(name), 0)
        else:
            self.disk.create(name)
        Path(self).write_bytes(b"")
        self.disk.write(name, self.disk.file(name), 0, bytes(data))
        with Path(self).open("wb") as file:
            return file.write(data)

    def open(self, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        """Open for reading only."""
        assert not set(mode) & set("wax+"), f"{self} is opened past the disk"
        return Path(self).open(mode, *arguments, **options)


class _Stream:
    """Unbuffered binary file over a descriptor."""

    def __init__(self, descriptor: int, system: _System) -> None:
        self._descriptor, self._system, self._offset, self.closed = descriptor, system, 0, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:
        self._offset += self._system.pwrite(self._descriptor, data, self._offset)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._system.close(self._descriptor)


class _System:
    """Stand-in for the module `os`."""

    def __init__(self) -> None:
        self._disks: dict[int, Disk] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        if not isinstance(path, DiskPath):
            return os.open(path, flags, mode)
        name, disk = path.on_disk, path.disk
        if flags & os.O_CREAT and not disk.has(name):
            disk.create(name)
        descriptor = os.open(path, flags, mode)
        self._disks[descriptor] = disk
        disk.opened(descriptor, name)
        if flags & os.O_TRUNC:
            disk.truncate(name, disk.file(name), 0)
        return descriptor

    def close(self, descriptor: int) -> None:
        disk = self._disks.pop(descriptor, None)
        if disk is not None:
            disk.closed(descriptor)
        os.close(descriptor)

    def fdopen(self, descriptor: int, mode: str = "r", *arguments: Any) -> Any:
        return _Stream(descriptor, self) if descriptor in self._disks else os.fdopen(descriptor, mode, *arguments)

    def _of(self, descriptor: int) -> tuple[Disk, str, _File] | None:
        disk = self._disks.get(descriptor)
        found = None if disk is None else disk.of(descriptor)
        return None if disk is None or found is None else (disk, *found)

    def fsync(self, descriptor: int) -> None:
        if found := self._of(descriptor):
            found[0].sync(*found[1:])

    fdatasync = fsync

    def pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        if found := self._of(descriptor):
            found[0].write(*found[1:], offset, bytes(data))
        return os.pwrite(descriptor, data, offset)

    def ftruncate(self, descriptor: int, size: int) -> None:
        if found := self._of(descriptor):
            found[0].truncate(*found[1:], size)
        os.ftruncate(descriptor, size)

    def write(self, descriptor: int, data: Any) -> int:
        assert descriptor not in self._disks, "written past the disk"
        return os.write(descriptor, data)


# ---- SQLite


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.name = f"disk-{id(disk)}"
        self._disk = disk
        super().__init__(self.name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> _VfsFile:  # noqa: N802
        return _VfsFile(name, flags, self._disk)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        disk = self._disk
        noted = not name.endswith(_INDEX) and not disk.left
        if noted:
            disk.remove(disk.name_of(name))
        super().xDelete(name, syncdir)
        if syncdir and noted:
            disk.sync(str(Path(disk.name_of(name)).parent), _FOLDER)


class _VfsFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        self._disk = disk
        self._name = disk.name_of(name.filename() if isinstance(name, apsw.URIFilename) else name)
        # SQLite syncs the folder with the first sync of a journal that it made.
        self._folder_too = False
        if not disk.has(self._name):
            assert flags[0] & apsw.SQLITE_OPEN_CREATE
            disk.create(self._name)
            self._folder_too = bool(flags[0] & _MADE_BY_SQLITE)
        self._file = disk.file(self._name)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if not self._disk.left:
            self._disk.write(self._name, self._file, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        if not self._disk.left:
            self._disk.truncate(self._name, self._file, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.left:
            return
        self._disk.sync(self._name, self._file)
        if self._folder_too:
            self._disk.sync(str(Path(self._name).parent), _FOLDER)
            self._folder_too = False


class _Cursor:
    """What the adapter asks of a cursor of the standard library."""

    def __init__(self, cursor: apsw.Cursor, changed: int) -> None:
        self._cursor, self.rowcount = cursor, changed

    def fetchone(self) -> Any:
        with _converted():
            return next(self._cursor, None)

    def fetchall(self) -> Any:
        with _converted():
            return list(self._cursor)


class _Connection:
    """What the adapter asks of a connection of the standard library."""

    def __init__(self, path: Any, timeout: float) -> None:
        with _converted():
            # A file that is not on a disk is SQLite's own business.
            vfs = path.disk.vfs.name if isinstance(path, DiskPath) else None
            self._connection = apsw.Connection(str(path), vfs=vfs)
            self._connection.set_busy_timeout(int(timeout * 1000))

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def execute(self, statement: str, values: Any = ()) -> _Cursor:
        with _converted():
            before = self._connection.total_changes()
            cursor = self._connection.execute(statement, values)
            return _Cursor(cursor, self._connection.changes() if self._connection.total_changes() != before else 0)

    def executemany(self, statement: str, rows: Any) -> None:
        with _converted():
            self._connection.executemany(statement, rows)

    def close(self) -> None:
        with _converted():
            self._connection.close()


@contextlib.contextmanager
def _converted() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        found = sqlite3.OperationalError(str(error))
        found.sqlite_errorcode = getattr(error, "extendedresult", 0)
        raise found from error


def _connect(path: Any, *, timeout: float, isolation_level: None, check_same_thread: bool) -> _Connection:
    assert isolation_level is None
    assert not check_same_thread
    return _Connection(path, timeout)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let the adapters write through the disks' paths; they touch all other paths as ever."""
    names = [name for name in dir(sqlite3) if name.startswith("SQLITE_")]
    database = SimpleNamespace(
        connect=_connect,
        complete_statement=sqlite3.complete_statement,
        Error=sqlite3.Error,
        OperationalError=sqlite3.OperationalError,
        Connection=_Connection,
        **{name: getattr(sqlite3, name) for name in names},
    )
    system = _System()
    changed: list[tuple[Any, str, Any]] = []
    for found in pkgutil.iter_modules(kizuna.adapters.__path__):
        module = importlib.import_module(f"kizuna.adapters.{found.name}")
        for name, old, new in (("os", os, system), ("sqlite3", sqlite3, database)):
            if getattr(module, name, None) is old:
                changed.append((module, name, old))
                setattr(module, name, new)
    try:
        yield
    finally:
        for module, name, old in changed:
            setattr(module, name, old)
