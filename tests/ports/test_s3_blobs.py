"""What only an object store can suffer: damage, refusals, a server that is gone, several who put the same."""

from __future__ import annotations

import io
import threading

import obstore
import pytest

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.s3_blobs import S3Blobs, bucket_of
from kizuna.errors import InputError, StoreError
from kizuna.exchange.manifest import CHUNK_BYTES, make_manifest
from kizuna.model.digests import digest_of

# Three parts and a rest, as they are sent.
LONG = b"".join(bytes([number]) * (8 * 2**20) for number in range(3)) + b"rest"


@pytest.mark.parametrize(
    ("address", "about"),
    [
        ("https://bucket/x", "address"),
        ("s3:///x", "address"),
        ("s3://bucket/x?password=hunter2", "address"),
        ("s3://key:hunter2@bucket/x", "credentials"),
        ("s3://bucket/x?endpoint=http://s3.example.org", "https"),
        ("s3://bucket/x?endpoint=ftp://127.0.0.1", "https"),
    ],
)
def test_addresses_that_are_none_hold_secrets_or_lead_over_open_lines_are_refused(address, about):
    with pytest.raises(InputError, match=about) as caught:
        bucket_of(address)
    assert "hunter2" not in str(caught.value)
    assert caught.value.field == "assets"


def test_long_files_go_in_parts_and_are_read_in_ranges(object_store, tmp_path):
    address = object_store.new_bucket()
    blobs = S3Blobs(address, tmp_path)
    digest, size = blobs.put(io.BytesIO(LONG))
    assert (digest, size) == (digest_of(LONG), len(LONG))
    name = digest.removeprefix("sha256:")
    found = obstore.head(object_store.raw(address), f"blobs/{name[:2]}/{name[2:]}")
    # How S3 writes the tag of what came in parts.
    assert found["e_tag"].strip('"').endswith("-4")
    with blobs.open(digest) as file:
        file.seek(8 * 2**20 - 2)
        assert file.read(4) == b"\0\0\1\1"
        file.seek(-4, io.SEEK_END)
        assert file.read() == b"rest"
        file.seek(0)
        assert file.read() == LONG
    # Nothing is left on its way.
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_other_bytes_under_a_digest_are_noticed_by_whoever_reads_them_all(object_store, tmp_path):
    address = object_store.new_bucket()
    blobs = S3Blobs(address, tmp_path)
    digest, _ = blobs.put(b"as it was" * 100_000)
    name = digest.removeprefix("sha256:")
    obstore.put(object_store.raw(address), f"blobs/{name[:2]}/{name[2:]}", b"as it IS!" * 100_000)
    with blobs.open(digest) as file, pytest.raises(StoreError, match="damaged"):
        list(iter(lambda: file.read(70_000), b""))


def test_several_who_put_the_same_and_other_machines_see_it_once(object_store, tmp_path):
    address = object_store.new_bucket()
    stores = [S3Blobs(address, tmp_path / str(number)) for number in range(2)]
    failures = []

    def put(blobs):
        try:
            assert blobs.put(LONG[: 9 * 2**20])[0] == digest_of(LONG[: 9 * 2**20])
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=put, args=(stores[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert all(blobs.has(digest_of(LONG[: 9 * 2**20])) for blobs in stores)


def test_what_was_cut_on_its_way_to_the_bucket_is_sent_with_the_next(object_store, tmp_path, monkeypatch):
    blobs = S3Blobs(object_store.new_bucket(), tmp_path)
    data = LONG[: 2 * CHUNK_BYTES + 5]
    manifest = make_manifest(io.BytesIO(data))
    with monkeypatch.context() as patch:
        patch.setattr(S3Blobs, "_send", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            blobs.receive(manifest, lambda _, offset, length: data[offset : offset + length], "UKR")
    assert not blobs.has(manifest.digest)
    again = S3Blobs(blobs._name + "?" + "&".join(f"{k}={v}" for k, v in _asked(object_store).items()), tmp_path)
    # All of it was verified and lies here: nothing is fetched again.
    assert again.receive(manifest, lambda *_: pytest.fail("fetched again"), "UKR") == 0
    assert again.has(manifest.digest)


def _asked(object_store):
    return {"endpoint": object_store.endpoint, "region": "us-east-1"}


def test_refusals_and_absent_servers_are_told(object_store, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(StoreError, match="access denied"):
        S3Blobs(object_store.new_bucket(), tmp_path).put(b"x")
    gone = S3Blobs("s3://bucket/node?endpoint=http://127.0.0.1:9&region=us-east-1", tmp_path / "gone", retry=False)
    with pytest.raises(StoreError, match="cannot be used"):
        gone.has(digest_of(b"x"))


def test_files_of_a_folder_are_taken_over_as_they_are(object_store, tmp_path):
    folder = FileBlobs(tmp_path / "files")
    digests = sorted(folder.put(data)[0] for data in (b"1", b"22", LONG))
    blobs = S3Blobs(object_store.new_bucket(), tmp_path / "staging")
    blobs.put(b"22")
    assert [digest for digest, _ in blobs.take_over(folder)] == [digest for digest in digests if digest != digest_of(b"22")]
    for digest in digests:
        with blobs.open(digest) as file, folder.open(digest) as other:
            assert file.read() == other.read()
    damaged = folder._path(digest_of(b"1"))
    damaged.chmod(0o600)
    damaged.write_bytes(b"2")
    blobs.discard(digest_of(b"1"))
    with pytest.raises(StoreError, match="damaged"):
        list(blobs.take_over(folder))
