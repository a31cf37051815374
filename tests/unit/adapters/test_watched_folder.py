"""A watched folder: what counts as complete, and where it goes. The clock is the test's."""

from __future__ import annotations

import pytest

from kizuna.adapters.watched_folder import WatchedFolder
from kizuna.errors import InputError


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def watched(folder, *, settle_s=10.0, labelled=False):
    return WatchedFolder(folder, settle_s=settle_s, labelled=labelled)


def names(look):
    complete, changing, unlabelled = look
    return [one.path.name for one in complete], changing, [path.name for path in unlabelled]


def test_a_file_counts_once_it_has_not_changed_for_a_while(folder):
    here, path = watched(folder), folder / "a.tif"
    path.write_bytes(b"first")
    assert names(here.look(0.0)) == ([], 1, [])
    assert names(here.look(9.0)) == ([], 1, [])
    path.write_bytes(b"first and more")
    assert names(here.look(11.0)) == ([], 1, [])
    assert names(here.look(20.9)) == ([], 1, [])
    assert names(here.look(21.0)) == (["a.tif"], 0, [])


def test_a_marker_says_that_it_is_complete(folder):
    here = watched(folder)
    (folder / "a.tif").write_bytes(b"all")
    (folder / "a.tif.ready").touch()
    ([arrived], _, _) = here.look(0.0)
    here.done(arrived)
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        "done/a.tif",
        "done/a.tif.ready",
    ]


@pytest.mark.parametrize(
    "name", [".a.tif", "a.tif.part", "a.tif.TMP", "a.tif.filepart", "a.tif.label.toml", "a.tif.ready", "a.reason.txt"]
)
def test_what_is_no_product_by_its_name_is_left(folder, name):
    (folder / name).write_bytes(b"x")
    here = watched(folder, settle_s=0.0)
    assert names(here.look(0.0)) == names(here.look(99.0)) == ([], 0, [])


def test_neither_links_nor_folders_are_products_but_a_safe_is(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.tif"
    secret.write_bytes(b"secret")
    (folder / "link.tif").symlink_to(secret)
    (folder / "sub").mkdir()
    (folder / "S1.SAFE").mkdir()
    (folder / "S1.SAFE" / "manifest.safe").write_bytes(b"<a/>")
    (folder / "S2.SAFE").mkdir()
    (folder / "S2.SAFE" / "link").symlink_to(secret)
    here = watched(folder, settle_s=5.0)
    here.look(0.0)
    (folder / "S1.SAFE" / "more").write_bytes(b"still coming")
    assert names(here.look(5.0)) == ([], 1, [])
    assert names(here.look(10.0)) == (["S1.SAFE"], 0, [])


def test_one_that_needs_a_label_waits_for_it_and_for_the_label_to_settle(folder):
    here = watched(folder, labelled=True)
    (folder / "a.tif").write_bytes(b"x")
    here.look(0.0)
    assert names(here.look(50.0)) == ([], 0, ["a.tif"])
    (folder / "a.tif.label.toml").write_text("x")
    assert names(here.look(51.0)) == ([], 1, [])
    ([arrived], _, _) = here.look(61.0)
    assert arrived.label == folder / "a.tif.label.toml"
    here.done(arrived)
    assert sorted(p.name for p in (folder / "done").iterdir()) == ["a.tif", "a.tif.label.toml"]


def test_what_is_refused_lies_in_failed_with_the_reason(folder):
    here = watched(folder, settle_s=0.0)
    (folder / "a.tif").write_bytes(b"x")
    ([arrived], _, _) = here.look(0.0)
    here.failed(arrived, "it is no image")
    assert (folder / "failed" / "a.tif.reason.txt").read_text() == "it is no image\n"
    assert names(here.look(1.0)) == ([], 0, [])


def test_a_name_that_is_taken_gets_a_number(folder):
    here = watched(folder, settle_s=0.0)
    for data in (b"1", b"2", b"3"):
        (folder / "a.tif").write_bytes(data)
        ([arrived], _, _) = here.look(0.0)
        here.done(arrived)
    assert {p.name: p.read_bytes() for p in (folder / "done").iterdir()} == {"a.tif": b"1", "2-a.tif": b"2", "3-a.tif": b"3"}


def test_what_took_the_place_of_a_product_meanwhile_stays(folder):
    here, path = watched(folder, settle_s=0.0), folder / "a.tif"
    path.write_bytes(b"first")
    ([arrived], _, _) = here.look(0.0)
    (folder / "new").write_bytes(b"another")
    (folder / "new").rename(path)
    here.done(arrived)
    assert path.read_bytes() == b"another"
    assert names(here.look(1.0)) == (["a.tif"], 0, [])


def test_a_folder_that_cannot_be_watched_is_refused(folder):
    (folder / "file").touch()
    with pytest.raises(InputError, match="cannot be watched") as caught:
        watched(folder / "file")
    assert caught.value.field == "watch"
    with pytest.raises(InputError, match="cannot be watched"):
        watched(folder / "missing")
    (folder / "elsewhere").mkdir()
    (folder / "done").symlink_to(folder / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        watched(folder)
