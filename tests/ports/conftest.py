"""Each port's adapters, one after the other: every suite here runs over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.desk import Link, SimulatedDesk
from simulators.products import JPN, NOON, UKR
from simulators.serving import served

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.clock import SystemClock
from kizuna.adapters.http_transport import HttpTransport
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.memory import MemoryBlobs, MemoryKeys, MemoryStore, MemoryTransport
from kizuna.adapters.sqlite import SqliteStore
from kizuna.adapters.stores import open_blobs
from kizuna.web.exchange import partner_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kizuna.adapters.postgres import PostgresStore
    from kizuna.node.ports import BlobStore, Keys


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore | PostgresStore | MemoryStore]:
    """Store, empty."""
    found: SqliteStore | PostgresStore | MemoryStore
    match request.param:
        case "sqlite":
            found = SqliteStore(tmp_path / "node.db")
        case "postgresql":
            found = request.getfixturevalue("postgres_server").new_store()
        case _:
            found = MemoryStore()
    yield found
    found.close()


@pytest.fixture(params=["files", "s3", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Blob store, empty."""
    match request.param:
        case "files":
            return FileBlobs(tmp_path / "blobs")
        case "s3":
            return open_blobs(tmp_path / "blobs", request.getfixturevalue("object_store").new_bucket())
        case _:
            return MemoryBlobs()


@pytest.fixture(params=["files", "memory", "memory-seeded"])
def make_keys(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Keys]:
    """Maker of keys, each time other ones."""

    def make(name: str) -> Keys:
        if request.param == "files":
            return FileKeys.make(tmp_path / name, JPN, SystemClock().now())
        return MemoryKeys(JPN, NOON, name.encode() if request.param == "memory-seeded" else None)

    return make


@pytest.fixture(scope="session")
def node_keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FileKeys]:
    """Keys of two nations and of a stranger."""
    folder = tmp_path_factory.mktemp("keys")
    now = SystemClock().now()
    return {name: FileKeys.make(folder / name, party, now) for name, party in (("jpn", JPN), ("ukr", UKR), ("stranger", UKR))}


@pytest.fixture(params=["http", "memory"])
def link(request: pytest.FixtureRequest, node_keys: dict[str, FileKeys]) -> Iterator[Link]:
    """Transport from Ukraine to Japan."""
    jpn, ukr = node_keys["jpn"], node_keys["ukr"]
    desk = SimulatedDesk()
    desk.know(ukr.certificate_der, UKR)
    if request.param == "memory":
        memory = MemoryTransport(desk, ukr.certificate_der)

        def break_off() -> None:
            memory.reachable = False

        yield Link(memory, desk, break_off)
        return
    with (
        served(partner_app(desk), jpn, [ukr.certificate_der]) as found,
        HttpTransport(found.url, ukr, jpn.certificate_der, timeout_s=5) as http,
    ):

        def forget() -> None:
            # Nobody listens there any more.
            http.close()
            http._line._port = 9

        yield Link(http, desk, forget)
