"""Blob store port, and what only the folder can suffer: full disks, killed writers, several processes."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.memory import MemoryBlobs
from kizuna.errors import PartnerMisbehaved, StoreError
from kizuna.model.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.node.ports import BlobStore

DATA = bytes(range(256)) * 10_000


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", [b"", b"a", DATA])
def test_gives_back_what_was_put(blobs: BlobStore, data: bytes) -> None:
    assert not blobs.has(digest_of(data))
    assert blobs.put(data) == (digest_of(data), len(data))
    assert blobs.put(io.BytesIO(data)) == (digest_of(data), len(data))
    assert blobs.has(digest_of(data))
    with blobs.open(digest_of(data)) as file:
        assert file.read() == data
        file.seek(len(data) // 2)
        assert file.read(3) == data[len(data) // 2 :][:3]


def test_takes_chunks_that_make_up_the_digest(blobs: BlobStore) -> None:
    chunks = [DATA[:1000], b"", DATA[1000:]]
    blobs.put_chunks(digest_of(DATA), len(DATA), iter(chunks))
    blobs.put_chunks(digest_of(DATA), len(DATA), iter([]))
    with blobs.open(digest_of(DATA)) as file:
        assert file.read() == DATA


@pytest.mark.parametrize("chunks", [[], [DATA[:-1]], [DATA, b"more"], [DATA[::-1]], [DATA, DATA]])
def test_keeps_nothing_of_other_bytes(blobs: BlobStore, chunks: list[bytes]) -> None:
    with pytest.raises(PartnerMisbehaved, match="expected"):
        blobs.put_chunks(digest_of(DATA), len(DATA), iter(chunks))
    assert not blobs.has(digest_of(DATA))
    assert not blobs.has(digest_of(b"".join(chunks)))


def test_keeps_nothing_when_the_source_fails(blobs: BlobStore, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield DATA[:1000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        blobs.put_chunks(digest_of(DATA), len(DATA), chunks())
    assert not blobs.has(digest_of(DATA))
    assert _files(tmp_path) == []


def test_says_what_is_not_there(blobs: BlobStore) -> None:
    with pytest.raises(StoreError):
        blobs.open(digest_of(b"missing"))


def test_full_memory_is_a_full_disk() -> None:
    blobs = MemoryBlobs(room_bytes=1000)
    blobs.put(b"a" * 900)
    with pytest.raises(StoreError, match="disk is full"):
        blobs.put(b"b" * 101)
    blobs.put(b"a" * 900)
    assert not blobs.has(digest_of(b"b" * 101))


# ---- only the folder


def test_files_are_read_only_and_private(tmp_path: Path) -> None:
    digest, _ = FileBlobs(tmp_path / "blobs").put(DATA)
    name = digest.removeprefix("sha256:")
    path = tmp_path / "blobs" / name[:2] / name[2:]
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o077 == 0
    assert _files(tmp_path / "blobs") == [f"{name[:2]}/{name[2:]}"]


def _in_process(script: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False)


FULL = """
import io, resource, sys
from pathlib import Path
from kizuna.adapters.blobs import FileBlobs
from kizuna.errors import StoreError
from kizuna.model.digests import digest_of
blobs = FileBlobs(Path(sys.argv[1]))
data = bytes(3_000_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
chunks = lambda: blobs.put_chunks(digest_of(data), len(data), [data])
for put in (lambda: blobs.put(io.BytesIO(data)), lambda: blobs.put(data), chunks):
    try:
        put()
    except StoreError as error:
        print(error)
    assert not blobs.has(digest_of(data))
"""


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE is not None
    done = _in_process(FULL, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [line.startswith("the disk is full") for line in done.stdout.splitlines()] == [True] * 3
    assert _files(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from kizuna.adapters.blobs import FileBlobs
from kizuna.model.digests import digest_of
def chunks():
    yield b"a" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)
FileBlobs(Path(sys.argv[1])).put_chunks(digest_of(b""), 200_000, chunks())
"""


def test_what_a_killed_writer_left_is_removed_but_not_what_another_is_writing(tmp_path: Path) -> None:
    assert _in_process(KILLED, str(tmp_path)).returncode == -9
    assert len(_files(tmp_path)) == 1
    writer = FileBlobs(tmp_path)
    assert _files(tmp_path) == []

    def chunks() -> Iterator[bytes]:
        yield DATA[:1000]
        # Another process opens the store in the middle.
        done = _in_process(
            "import sys, pathlib, kizuna.adapters.blobs as b; b.FileBlobs(pathlib.Path(sys.argv[1]))", str(tmp_path)
        )
        assert done.returncode == 0, done.stderr
        yield DATA[1000:]

    writer.put_chunks(digest_of(DATA), len(DATA), chunks())
    with writer.open(digest_of(DATA)) as file:
        assert file.read() == DATA


def test_unwritable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where the folder should be")
    with pytest.raises(StoreError) as caught:
        FileBlobs(tmp_path / "blobs")
    assert caught.value.hint is not None


def test_everything_is_synced_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noting_fsync(descriptor: int) -> None:
        steps.append("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        fsync(descriptor)

    def noting_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    blobs = FileBlobs(tmp_path)
    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "rename", noting_rename)
    blobs.put(DATA)
    assert steps == ["fsync file", "rename", "fsync folder", "fsync folder"]
