"""Nodes to try the use cases on, over each store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.nodes import HUR, IQPS, NZL, World

from kizuna.adapters.memory import MemoryStore
from kizuna.adapters.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _world(*stores) -> World:
    world = World()
    for party, store in zip((IQPS, HUR, NZL), stores, strict=False):
        world.node(party, store)
    world.befriend(IQPS, HUR)
    world.befriend(IQPS, NZL)
    return world


@pytest.fixture
def world() -> World:
    """IQPS, HUR and NZL in memory, pinned to each other; no agreement yet."""
    return _world(MemoryStore(), MemoryStore(), MemoryStore())


@pytest.fixture(params=["memory", "sqlite"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """As `world`, over each store."""
    if request.param == "memory":
        yield _world(MemoryStore(), MemoryStore(), MemoryStore())
        return
    stores = [SqliteStore(tmp_path / f"{number}.db") for number in range(3)]
    yield _world(*stores)
    for store in stores:
        store.close()
