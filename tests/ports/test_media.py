"""Medium, NewMedium and Shelf ports."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium
from kizuna.adapters.media_memory import MemoryMedium, MemoryShelf, NewMemoryMedium
from kizuna.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kizuna.node.ports import Medium, NewMedium, Shelf


class InFolder:
    """A stick and a shelf on disk."""

    def __init__(self, folder: Path) -> None:
        self.stick = folder / "stick"
        self.shelf: Shelf = FolderShelf(folder / "shelf")

    def new(self, id_: str) -> NewMedium:
        return NewFolderMedium(self.stick, id_)

    def finished(self) -> list[str]:
        return sorted(path.name for path in self.stick.iterdir() if not path.name.startswith("."))

    def open(self, name: str) -> AbstractContextManager[Medium]:
        return FolderMedium(self.stick / name)

    def change(self, name: str, file: str, data: bytes) -> None:
        (self.stick / name / file).write_bytes(data)


class InMemory:
    """The same in dictionaries."""

    def __init__(self, _folder: Path) -> None:
        self.stick: dict[str, MemoryMedium] = {}
        self.shelf: Shelf = MemoryShelf()

    def new(self, id_: str) -> NewMedium:
        return NewMemoryMedium(self.stick, f"kizuna-{id_}")

    def finished(self) -> list[str]:
        return sorted(self.stick)

    def open(self, name: str) -> AbstractContextManager[Medium]:
        return nullcontext(self.stick[name])

    def change(self, name: str, file: str, data: bytes) -> None:
        self.stick[name].files[file] = data


type Place = InFolder | InMemory


@pytest.fixture(params=[InFolder, InMemory])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    make: Callable[[Path], Place] = request.param
    return make(tmp_path)


def write(medium: NewMedium, **files: bytes) -> None:
    medium.begin(len(files), sum(map(len, files.values())))
    for name, data in files.items():
        medium.write(name, data)
    medium.finish()


def test_what_was_finished_is_read(place: Place) -> None:
    write(place.new("x"), a=b"one", b=b"")
    assert place.finished() == ["kizuna-x"]
    with place.open("kizuna-x") as medium:
        assert dict(medium.sizes) == {"a": 3, "b": 0}
        assert (medium.read("a"), medium.read("b")) == (b"one", b"")
        assert medium.name.endswith("kizuna-x")


def test_what_was_not_finished_is_no_medium(place: Place) -> None:
    left, gone = place.new("left"), place.new("gone")
    for medium in (left, gone):
        medium.begin(1, 1)
        medium.write("a", b"x")
    gone.discard()
    assert place.finished() == []


def test_no_file_is_written_twice(place: Place) -> None:
    medium = place.new("x")
    medium.begin(1, 1)
    medium.write("a", b"x")
    with pytest.raises(InputError) as caught:
        medium.write("a", b"y")
    assert caught.value.field == "folder"


def test_what_has_no_room_is_not_begun(place: Place) -> None:
    with pytest.raises(InputError, match="bytes free"):
        place.new("x").begin(1, 2**60)


@pytest.mark.parametrize("data", [b"", b"12", b"1234"])
def test_a_file_that_changes_its_length_is_refused(place: Place, data: bytes) -> None:
    write(place.new("x"), a=b"123")
    with place.open("kizuna-x") as medium:
        place.change("kizuna-x", "a", data)
        with pytest.raises(InputError) as caught:
            medium.read("a")
    assert caught.value.field == "a"


def test_a_shelf_holds_until_it_drops(place: Place) -> None:
    shelf = place.shelf
    assert (list(shelf.names()), shelf.bytes_held()) == ([], 0)
    for id_ in ("b", "a"):
        write(shelf.new(id_), file=id_.encode() * 3)
    shelf.new("begun").begin(1, 1)
    assert (list(shelf.names()), shelf.bytes_held()) == (["kizuna-a", "kizuna-b"], 6)
    with shelf.open("kizuna-a") as medium:
        assert medium.read("file") == b"aaa"
    shelf.drop("kizuna-a")
    shelf.drop("kizuna-a")
    assert list(shelf.names()) == ["kizuna-b"]
