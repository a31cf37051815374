"""Contract of the tail anchor: what is remembered of a log outside its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kizuna.adapters.tail_anchor import FileTailAnchor, MemoryTailAnchor, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.node.ports import TailAnchor


@pytest.fixture(params=["file", "memory"])
def anchor(request: pytest.FixtureRequest, tmp_path: Path) -> TailAnchor:
    return FileTailAnchor(tmp_path / "state", "ab" * 32) if request.param == "file" else MemoryTailAnchor()


def test_nothing_is_remembered_at_first(anchor):
    assert anchor.read() is None


def test_the_last_is_remembered(anchor):
    anchor.keep(1, bytes(32))
    anchor.keep(7, bytes(range(32)))
    assert anchor.read() == (7, bytes(range(32)))


def test_each_key_has_its_own(tmp_path):
    FileTailAnchor(tmp_path, "one").keep(3, bytes(32))
    assert FileTailAnchor(tmp_path, "two").read() is None
    assert FileTailAnchor(tmp_path, "one").read() == (3, bytes(32))


def test_nonsense_in_the_file_is_nothing(tmp_path):
    (tmp_path / "one.tail").write_text("many and more\n")
    assert FileTailAnchor(tmp_path, "one").read() is None


def test_the_state_folder_follows_the_environment(tmp_path):
    assert state_folder({"KIZUNA_STATE": str(tmp_path), "XDG_STATE_HOME": "/elsewhere"}) == tmp_path
    assert state_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "kizuna"
    assert state_folder({}).name == "kizuna"
