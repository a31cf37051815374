"""Folders of media: what a stranger put there, and what was not written to its end."""

from __future__ import annotations

import os

import pytest

from kizuna.adapters import media_folder
from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium, media_in, require_room
from kizuna.errors import InputError, PartnerUnreachable, StoreError
from kizuna.exchange.medium import HEADER_NAME


def written(folder, id_="x", **files):
    medium = NewFolderMedium(folder, id_)
    medium.begin(len(files), 0)
    for name, data in files.items():
        medium.write(name, data)
    medium.finish()
    return medium.path


def test_what_was_written_is_read(tmp_path):
    path = written(tmp_path / "deep" / "stick", a=b"one", b=b"")
    with FolderMedium(path) as medium:
        assert medium.sizes == {"a": 3, "b": 0}
        assert (medium.read("a"), medium.read("b")) == (b"one", b"")
        assert medium.name == str(path)


def test_what_lies_beside_media_is_left_alone(tmp_path):
    one = written(tmp_path, "one", a=b"")
    (tmp_path / "System Volume Information").mkdir()
    (tmp_path / "kizuna-notes.txt").write_text("x")
    (tmp_path / "kizuna-link").symlink_to(one)
    NewFolderMedium(tmp_path, "two").begin(1, 0)
    assert media_in(tmp_path) == [one]
    (one / HEADER_NAME).write_bytes(b"")
    assert media_in(one) == [one]


@pytest.mark.parametrize("made", ["nothing", "file", "empty", "loop"])
def test_a_folder_without_media_is_refused(tmp_path, made):
    path = tmp_path / "stick"
    match made:
        case "file":
            path.write_text("x")
        case "empty":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case _:
            pass
    with pytest.raises(InputError) as caught:
        media_in(path)
    assert caught.value.field == "folder"


def test_a_link_to_a_folder_is_no_medium(tmp_path):
    path = written(tmp_path, a=b"")
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(InputError):
        FolderMedium(link)


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path):
    path = written(tmp_path, a=b"12345")
    with FolderMedium(path) as medium:
        (path / "a").unlink()
        # As long as what it takes the place of: only that it is a link tells.
        (tmp_path / "secret").write_bytes(b"54321")
        (path / "a").symlink_to(tmp_path / "secret")
        with pytest.raises(InputError) as caught:
            medium.read("a")
    assert caught.value.field == "a"


def test_a_file_that_becomes_a_pipe_keeps_nobody_waiting(tmp_path):
    path = written(tmp_path, a=b"12345")
    with FolderMedium(path) as medium:
        (path / "a").unlink()
        os.mkfifo(path / "a")
        with pytest.raises(InputError) as caught:
            medium.read("a")
    assert caught.value.field == "a"


@pytest.mark.parametrize("data", [b"1234", b"123456", b"1" * 1_000_000])
def test_a_file_that_changes_its_length_is_refused(tmp_path, data):
    path = written(tmp_path, a=b"12345")
    with FolderMedium(path) as medium:
        (path / "a").write_bytes(data)
        with pytest.raises(InputError) as caught:
            medium.read("a")
    assert caught.value.field == "a"


def test_a_folder_with_too_many_files_is_not_listed_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(media_folder, "MOST_SEGMENTS", 2)
    FolderMedium(written(tmp_path, "few", a=b"", b=b"", c=b"")).close()
    with pytest.raises(InputError):
        FolderMedium(written(tmp_path, "many", a=b"", b=b"", c=b"", d=b""))


def test_a_medium_that_cannot_be_read_any_more_is_out_of_reach(tmp_path, monkeypatch):
    path = written(tmp_path, a=b"12345")

    def broken(*_arguments, **_options):
        raise OSError(5, "Input/output error")

    with FolderMedium(path) as medium:
        monkeypatch.setattr(media_folder.os, "open", broken)
        with pytest.raises(PartnerUnreachable) as caught:
            medium.read("a")
    assert caught.value.exit_status == 4


def test_nothing_is_overwritten(tmp_path):
    written(tmp_path, "x", a=b"first")
    again = NewFolderMedium(tmp_path, "x")
    again.begin(1, 0)
    again.write("a", b"second")
    with pytest.raises(InputError):
        again.write("a", b"third")
    with pytest.raises(InputError):
        again.finish()
    again.discard()
    with FolderMedium(tmp_path / "kizuna-x") as medium:
        assert medium.read("a") == b"first"


def test_a_medium_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError) as caught:
        NewFolderMedium(tmp_path / "file", "x").begin(1, 0)
    assert str(tmp_path / "file") in str(caught.value)


def test_room_is_asked_for_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="bytes free"):
        NewFolderMedium(tmp_path, "x").begin(1, 2**60)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="bytes free"):
        require_room(tmp_path, 2**60)
    require_room(tmp_path, 1)


def test_a_shelf_holds_and_drops(tmp_path):
    shelf = FolderShelf(tmp_path / "media")
    assert (shelf.names(), shelf.bytes_held()) == ([], 0)
    left = shelf.new("left")
    left.begin(1, 0)
    for id_ in ("b", "a"):
        new = shelf.new(id_)
        new.begin(1, 0)
        new.write("file", id_.encode() * 3)
        new.finish()
    assert (shelf.names(), shelf.bytes_held()) == (["kizuna-a", "kizuna-b"], 6)
    assert sorted(path.name for path in (tmp_path / "media").iterdir()) == ["kizuna-a", "kizuna-b"]
    with shelf.open("kizuna-a") as medium:
        assert medium.read("file") == b"aaa"
    shelf.drop("kizuna-a")
    shelf.drop("kizuna-a")
    assert shelf.names() == ["kizuna-b"]
