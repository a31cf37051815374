"""A copied or restored folder is noticed."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from kizuna.adapters import folder_stamp as module
from kizuna.adapters.folder_stamp import folder_stamp
from kizuna.adapters.sqlite import SqliteStore
from kizuna.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_stays_while_the_node_works_and_changes_with_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "a" / "node.db"
    with closing(SqliteStore(path)) as store:
        stamp = folder_stamp(path)
        store.keep_setting("a", "b")
    with closing(SqliteStore(path)) as store:
        store.keep_setting("a", "c")
    assert folder_stamp(path) == stamp
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert folder_stamp(tmp_path / "b" / "node.db") != stamp
    # Restored in the same place from a backup.
    shutil.rmtree(tmp_path / "a")
    shutil.copytree(tmp_path / "b", tmp_path / "a")
    assert folder_stamp(path) != stamp


def test_changes_with_the_machine_and_tells_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "node.db"
    path.write_bytes(b"")
    stamps = set()
    for identity in ("a" * 32, "b" * 32):
        (tmp_path / "machine-id").write_text(identity)
        monkeypatch.setattr(module, "_MACHINE_ID", tmp_path / "machine-id")
        stamps.add(folder_stamp(path))
    monkeypatch.setattr(module, "_MACHINE_ID", tmp_path / "none")
    stamps.add(folder_stamp(path))
    assert len(stamps) == 3
    assert {len(stamp) for stamp in stamps} == {64}


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        folder_stamp(tmp_path / "none")
