"""Manifests: chunk by chunk."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from kizuna.errors import InputError, PartnerMisbehaved
from kizuna.exchange.manifest import (
    CHUNK_BYTES,
    Manifest,
    Verifier,
    fetch_verified,
    make_manifest,
    manifest_to_json,
    read_manifest,
)
from kizuna.model.digests import Digest, digest_of
from kizuna.model.reading import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.canonical import Json

DATA = bytes(range(256)) * (CHUNK_BYTES // 256) * 2 + b"rest"


class Dripping(io.BytesIO):
    """Gives at most a thousand bytes at a time, as pipes do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 1_000_000))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(DATA)])
@pytest.mark.parametrize("source", [io.BytesIO, Dripping])
def test_hashes_up_to_the_end_of_each_chunk(size: int, source: Callable[[bytes], io.BytesIO]) -> None:
    data = DATA[:size]
    manifest = make_manifest(source(data))
    assert (manifest.digest, manifest.size) == (digest_of(data), size)
    ends = [min(at + CHUNK_BYTES, size) for at in range(0, size, CHUNK_BYTES)]
    assert list(manifest.running) == [hashlib.sha256(data[:end]).hexdigest() for end in ends]
    assert read_manifest(Table(manifest_to_json(manifest))) == manifest


def test_fetches_and_verifies_each_chunk() -> None:
    manifest = make_manifest(io.BytesIO(DATA))
    asked = []

    def fetch(digest: Digest, offset: int, length: int) -> bytes:
        asked.append((digest, offset, length))
        return DATA[offset : offset + length]

    assert b"".join(fetch_verified(manifest, fetch)) == DATA
    assert asked == [
        (manifest.digest, 0, CHUNK_BYTES),
        (manifest.digest, CHUNK_BYTES, CHUNK_BYTES),
        (manifest.digest, 2 * CHUNK_BYTES, 4),
    ]


@pytest.mark.parametrize("data", [DATA[:CHUNK_BYTES][::-1], DATA[: CHUNK_BYTES - 1], DATA[: CHUNK_BYTES + 1], b""])
def test_refuses_another_chunk(data: bytes) -> None:
    verifier = Verifier(make_manifest(io.BytesIO(DATA)))
    with pytest.raises(PartnerMisbehaved, match="chunk 0"):
        verifier.take(data)
    # What was refused leaves no trace: the right one still fits.
    verifier.take(DATA[:CHUNK_BYTES])
    assert (verifier.index, verifier.done) == (1, False)


def test_hands_on_nothing_that_does_not_verify() -> None:
    manifest = make_manifest(io.BytesIO(DATA))

    def fetch(_digest: Digest, offset: int, length: int) -> bytes:
        return b"\0" * length if offset else DATA[:length]

    chunks = fetch_verified(manifest, fetch)
    assert next(chunks) == DATA[:CHUNK_BYTES]
    with pytest.raises(PartnerMisbehaved, match="chunk 1"):
        next(chunks)


@pytest.mark.parametrize(
    "members",
    [
        {"size": 5},
        {"size": -1},
        {"size": CHUNK_BYTES + 1},
        {"size": 4.0},
        {"chunk_bytes": 1024},
        {"running": []},
        {"running": ["0" * 63]},
        {"running": ["G" * 64]},
        {"running": ["0" * 64]},
        {"digest": digest_of(b"of another file")},
        {"digest": "sha256:0"},
        {"more": 1},
    ],
)
def test_refuses_other_forms(members: dict[str, Json]) -> None:
    form = manifest_to_json(Manifest(digest_of(b"data"), 4, (hashlib.sha256(b"data").hexdigest(),)))
    wrong = form | members if members != {"size": 5} else form | {"size": 0}
    with pytest.raises(InputError):
        read_manifest(Table(wrong))
