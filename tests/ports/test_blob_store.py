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
from kizuna.adapters.part_file import PartFile
from kizuna.errors import Message, PartnerMisbehaved, PartnerUnreachable, StoreError
from kizuna.exchange.manifest import CHUNK_BYTES, make_manifest
from kizuna.model.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kizuna.model.digests import Digest
    from kizuna.node.ports import BlobStore

DATA = bytes(range(256)) * 10_000
LONG = b"".join(bytes([number]) * CHUNK_BYTES for number in range(3)) + b"rest"


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


def test_what_is_derived_lies_beside_the_blob_and_goes_with_it(blobs: BlobStore) -> None:
    digest, _ = blobs.put(DATA)
    other, _ = blobs.put(b"other")
    assert blobs.derived(digest, "map.tif") is None
    blobs.keep_derived(digest, "map.tif", b"first")
    blobs.keep_derived(digest, "map.tif", b"second")
    blobs.keep_derived(other, "map.tif", b"other's")
    found = blobs.derived(digest, "map.tif")
    assert found is not None
    with found:
        assert found.read() == b"second"
    assert not blobs.has(digest_of(b"second"))
    blobs.discard(digest)
    assert blobs.derived(digest, "map.tif") is None
    found = blobs.derived(other, "map.tif")
    assert found is not None
    found.close()


def test_nothing_is_derived_from_what_has_gone(blobs: BlobStore) -> None:
    blobs.keep_derived(digest_of(DATA), "map.tif", b"late")
    assert blobs.derived(digest_of(DATA), "map.tif") is None


class Giver:
    """Partner who gives the bytes of one blob, and notes which chunks were asked for."""

    def __init__(self, data: bytes = DATA, fails_at: int | None = None) -> None:
        self.data = data
        self.manifest = make_manifest(io.BytesIO(data))
        self.fails_at = fails_at
        self.asked: list[int] = []

    def fetch(self, digest: Digest, offset: int, length: int) -> memoryview:
        assert digest == self.manifest.digest
        self.asked.append(offset // CHUNK_BYTES)
        if self.asked[-1] == self.fails_at:
            raise ConnectionResetError
        return memoryview(self.data)[offset : offset + length]


def _broken_off(blobs: BlobStore, at: int = 2, owner: str = "UKR") -> Giver:
    """Giver whose blob broke off before chunk `at`."""
    giver = Giver(LONG, fails_at=at)
    with pytest.raises(ConnectionResetError):
        blobs.receive(giver.manifest, giver.fetch, owner)
    assert not blobs.has(giver.manifest.digest)
    giver.asked, giver.fails_at = [], None
    return giver


@pytest.mark.parametrize("data", [b"", DATA, LONG, LONG[: 2 * CHUNK_BYTES]])
def test_receives_chunk_by_chunk_once(blobs: BlobStore, data: bytes) -> None:
    giver = Giver(data)
    assert blobs.receive(giver.manifest, giver.fetch, "UKR") == len(data)
    assert giver.asked == list(range(-(-len(data) // CHUNK_BYTES)))
    assert blobs.receive(giver.manifest, giver.fetch, "UKR") == 0
    with blobs.open(giver.manifest.digest) as file:
        assert file.read() == data


@pytest.mark.parametrize("data", [DATA, LONG])
def test_keeps_nothing_of_other_bytes(blobs: BlobStore, data: bytes) -> None:
    giver = Giver(data)
    giver.data = data[:-1] + b"\0"
    with pytest.raises(PartnerMisbehaved, match="chunk"):
        blobs.receive(giver.manifest, giver.fetch, "UKR")
    assert not blobs.has(digest_of(data))
    assert not blobs.has(digest_of(giver.data))


def test_keeps_nothing_of_a_short_blob_whose_source_fails(blobs: BlobStore, tmp_path: Path) -> None:
    giver = Giver(DATA, fails_at=0)
    with pytest.raises(ConnectionResetError):
        blobs.receive(giver.manifest, giver.fetch, "UKR")
    assert not blobs.has(digest_of(DATA))
    assert _files(tmp_path) == []


@pytest.mark.parametrize("at", [1, 2, 3])
def test_goes_on_where_the_source_failed(blobs: BlobStore, at: int) -> None:
    giver = _broken_off(blobs, at)
    assert blobs.receive(giver.manifest, giver.fetch, "UKR") == len(LONG) - at * CHUNK_BYTES
    assert giver.asked == list(range(at, 4))
    with blobs.open(giver.manifest.digest) as file:
        assert file.read() == LONG


SMALL = [b"one", b"", b"two" * 1000, b"one"]


def test_stores_small_blobs_together(blobs: BlobStore) -> None:
    blobs.receive_all([make_manifest(io.BytesIO(data)) for data in SMALL], SMALL)
    for data in SMALL:
        with blobs.open(digest_of(data)) as file:
            assert file.read() == data


@pytest.mark.parametrize("sent", [b"", b"two" * 999 + b"twO", b"two" * 1000 + b"!"])
def test_of_small_blobs_those_before_a_faulty_one_are_stored(blobs: BlobStore, tmp_path: Path, sent: bytes) -> None:
    with pytest.raises(PartnerMisbehaved):
        blobs.receive_all([make_manifest(io.BytesIO(data)) for data in SMALL], [*SMALL[:2], sent, SMALL[3]])
    assert [blobs.has(digest_of(data)) for data in SMALL[:3]] == [True, True, False]
    assert [path for path in _files(tmp_path) if "tmp" in path] == []


def test_of_small_blobs_those_that_came_before_the_line_broke_are_stored(blobs: BlobStore) -> None:
    def bodies() -> Iterator[bytes]:
        yield SMALL[0]
        raise PartnerUnreachable(Message("cut off"))

    with pytest.raises(PartnerUnreachable):
        blobs.receive_all([make_manifest(io.BytesIO(data)) for data in SMALL], bodies())
    assert [blobs.has(digest_of(data)) for data in SMALL[:3]] == [True, False, False]


def test_bytes_for_an_empty_blob_do_not_verify(blobs: BlobStore) -> None:
    with pytest.raises(PartnerMisbehaved):
        blobs.receive_all([make_manifest(io.BytesIO(b""))], [b"!"])


def test_forgets_what_it_is_told_to(blobs: BlobStore) -> None:
    giver = _broken_off(blobs)
    seen: list[tuple[str, Digest]] = []
    blobs.forget_parts(lambda owner, digest: seen.append((owner, digest)) is None)
    assert seen == [("UKR", giver.manifest.digest)]
    assert blobs.receive(giver.manifest, giver.fetch, "UKR") == len(LONG) - 2 * CHUNK_BYTES
    blobs.forget_parts(lambda _owner, _digest: False)
    assert blobs.has(giver.manifest.digest)
    blobs.discard(giver.manifest.digest)
    giver = _broken_off(blobs)
    blobs.forget_parts(lambda _owner, _digest: False)
    assert blobs.receive(giver.manifest, giver.fetch, "UKR") == len(LONG)


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
from kizuna.exchange.manifest import make_manifest
from kizuna.model.digests import digest_of
blobs = FileBlobs(Path(sys.argv[1]))
data, long = bytes(3_000_000), bytes(9_000_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
def receive(data):
    blobs.receive(make_manifest(io.BytesIO(data)), lambda _, offset, length: data[offset : offset + length], "UKR")
def receive_all(*data):
    blobs.receive_all([make_manifest(io.BytesIO(one)) for one in data], data)
for put in (
    lambda: blobs.put(io.BytesIO(data)),
    lambda: blobs.put(data),
    lambda: receive(data),
    lambda: receive(long),
    lambda: receive_all(b"fits", data),
):
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
    assert [line.startswith("the disk is full") for line in done.stdout.splitlines()] == [True] * 5
    assert _files(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from kizuna.adapters.blobs import FileBlobs
class Pieces:
    def __init__(self): self.left = 2
    def read(self, size):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"a" * 100_000
FileBlobs(Path(sys.argv[1])).put(Pieces())
"""


def test_what_a_killed_writer_left_is_removed_but_not_what_another_is_writing(tmp_path: Path) -> None:
    assert _in_process(KILLED, str(tmp_path)).returncode == -9
    assert len(_files(tmp_path)) == 1
    writer = FileBlobs(tmp_path)
    assert _files(tmp_path) == []

    class Pieces(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            # Another process opens the store in the middle.
            done = _in_process(
                "import sys, pathlib, kizuna.adapters.blobs as b; b.FileBlobs(pathlib.Path(sys.argv[1]))", str(tmp_path)
            )
            assert done.returncode == 0, done.stderr
            return super().read(size)

    digest, _ = writer.put(Pieces(DATA))
    with writer.open(digest) as file:
        assert file.read() == DATA


# ---- parts


def _part(folder: Path) -> Path:
    (path,) = (path for path in (folder / "blobs" / "parts").iterdir() if path.suffix != ".map")
    return path


RECEIVE = """
import io, os, signal, sys
from pathlib import Path
from kizuna.adapters.blobs import FileBlobs
from kizuna.exchange.manifest import CHUNK_BYTES, make_manifest
data = Path(sys.argv[2]).read_bytes()
def fetch(digest, offset, length):
    if offset == 2 * CHUNK_BYTES:
        os.kill(os.getpid(), signal.SIGKILL)
    return data[offset : offset + length]
FileBlobs(Path(sys.argv[1])).receive(make_manifest(io.BytesIO(data)), fetch, "UKR")
"""


def test_a_killed_process_leaves_what_it_verified(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(LONG)
    assert _in_process(RECEIVE, str(tmp_path / "blobs"), str(tmp_path / "data")).returncode == -9
    giver = Giver(LONG)
    assert FileBlobs(tmp_path / "blobs").receive(giver.manifest, giver.fetch, "UKR") == len(LONG) - 2 * CHUNK_BYTES
    assert giver.asked == [2, 3]
    name = giver.manifest.digest.removeprefix("sha256:")
    assert _files(tmp_path / "blobs") == [f"{name[:2]}/{name[2:]}"]
    assert (tmp_path / "blobs" / name[:2] / name[2:]).stat().st_mode & 0o777 == 0o400


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(CHUNK_BYTES + 5)
        file.write(b"!")


def _link(path: Path) -> None:
    other = path.parents[2] / "another's file"
    other.write_bytes(LONG)
    path.unlink()
    path.symlink_to(other)


def _twin(path: Path) -> None:
    other = path.parents[2] / "another's file"
    other.write_bytes(LONG)
    path.unlink()
    path.hardlink_to(other)


def _map(path: Path) -> Path:
    return path.with_name(path.name + ".map")


@pytest.mark.parametrize(
    ("spoil", "asked"),
    [
        # One byte changed: that chunk alone.
        (_flip, [1, 3]),
        # Writes that the disk lost.
        (lambda path: os.truncate(path, CHUNK_BYTES + 7), [1, 2, 3]),
        (lambda path: path.write_bytes(b""), [0, 1, 2, 3]),
        # Longer than the blob: of another.
        (lambda path: os.truncate(path, len(LONG) + 1), [0, 1, 2, 3]),
        (lambda path: path.unlink(), [0, 1, 2, 3]),
        (lambda path: _map(path).unlink(), [0, 1, 2, 3]),
        (lambda path: _map(path).write_bytes(b"another program's"), [0, 1, 2, 3]),
        (lambda path: _map(path).write_bytes(_map(path).read_bytes() + b"\0"), [0, 1, 2, 3]),
        # A bitmap that claims what never came.
        (lambda path: _map(path).write_bytes(_map(path).read_bytes()[:-1] + b"\xff"), [3]),
        (lambda path: path.chmod(0), [0, 1, 2, 3] if os.geteuid() else [3]),
        (_link, [0, 1, 2, 3]),
        (_twin, [0, 1, 2, 3]),
    ],
)
def test_parts_that_are_damaged_or_foreign_cost_chunks_only(
    tmp_path: Path, spoil: Callable[[Path], object], asked: list[int]
) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    giver = _broken_off(blobs, 3)
    spoil(_part(tmp_path))
    assert blobs.receive(giver.manifest, giver.fetch, "UKR") > 0
    assert giver.asked == asked
    with blobs.open(giver.manifest.digest) as file:
        assert file.read() == LONG
    other = tmp_path / "another's file"
    assert not other.exists() or other.read_bytes() == LONG
    assert [path for path in _files(tmp_path) if "parts" in path] == []


def test_a_part_of_another_partner_is_not_gone_on_with(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    giver = _broken_off(blobs)
    assert blobs.receive(giver.manifest, giver.fetch, "FRA") == len(LONG)


def test_a_part_that_another_process_holds_is_left_to_it(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    giver = _broken_off(blobs)
    held = PartFile.take(_part(tmp_path), len(LONG), "UKR")
    assert held is not None
    with held:
        blobs.forget_parts(lambda _owner, _digest: False)
        assert blobs.receive(giver.manifest, giver.fetch, "UKR") == len(LONG)
        assert _part(tmp_path).stat().st_size == 2 * CHUNK_BYTES


@pytest.mark.parametrize("name", ["stray", "stray.map"])
def test_strays_among_the_parts_are_removed(tmp_path: Path, name: str) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    (tmp_path / "blobs" / "parts" / name).write_bytes(b"\xff")
    blobs.forget_parts(lambda _owner, _digest: True)
    assert _files(tmp_path) == []


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
    steps.clear()
    data = [b"1", b"2", b"3"]
    blobs.receive_all([make_manifest(io.BytesIO(one)) for one in data], data)
    assert steps == ["fsync file"] * 3 + ["rename"] * 3 + ["fsync folder"] * 4
