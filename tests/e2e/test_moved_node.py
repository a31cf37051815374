"""A node's folder that was copied serves nothing and pulls nothing until an officer confirms the tail of its log."""

from __future__ import annotations

import shutil
import sqlite3

import pytest
from simulators.coalition import introduce, published
from simulators.processes import kizuna, serving, state_of


@pytest.fixture
def moved(pair, tiff, tmp_path):
    """The giver, stopped and copied elsewhere; the original is gone."""
    published(pair.jpn, tiff)
    copy = tmp_path / "elsewhere"
    shutil.copytree(pair.jpn, copy)
    shutil.rmtree(pair.jpn)
    return copy


def test_a_copied_node_serves_nothing_until_its_tail_is_confirmed(pair, moved):
    before = state_of(moved)
    refused = kizuna("node", "serve", "--node", moved, "--json", timeout_s=20)
    assert (refused.status, refused.fault()["kind"], refused.out) == (1, "TailUnconfirmed", "")
    assert "kizuna audit confirm" in refused.fault()["hint"]
    assert kizuna("node", "status", "--node", moved, "--json").json()["tail_confirmed"] is False

    verified = kizuna("audit", "verify", "--node", moved, "--json").json()
    assert verified["tail_confirmed"] is False
    size, _colon, root = verified["tail"].partition(":")
    for wrong in (f"{int(size) - 1}:{root}", f"{size}:{'0' * 64}", size, ""):
        done = kizuna("audit", "confirm", "--tail", wrong, "--node", moved, "--json")
        assert (done.status, done.fault()["field"]) == (2, "tail")
    assert state_of(moved) == before
    assert kizuna("node", "serve", "--node", moved, "--json", timeout_s=20).status == 1

    assert kizuna("audit", "confirm", "--tail", verified["tail"], "--node", moved, "--json").status == 0
    with serving(moved) as giver:
        introduce(pair.ukr, moved, giver.partner_url)
        done = kizuna("sync", "--node", pair.ukr, "--json")
    assert done.status == 0
    assert len(done.json()["partners"][0]["received"]) == 1
    assert kizuna("audit", "verify", "--node", moved, "--json").json()["tail_confirmed"]


def test_a_node_that_is_put_back_while_it_runs_stops_serving(pair, tiff, tmp_path):
    """The database is replaced under the serving process by yesterday's copy: it must notice by itself."""
    backup = tmp_path / "backup.sqlite"
    with sqlite3.connect(pair.jpn / "node.sqlite") as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    published(pair.jpn, tiff)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        for path in pair.jpn.glob("node.sqlite*"):
            path.unlink()
        shutil.copy(backup, pair.jpn / "node.sqlite")
        done = kizuna("sync", "--node", pair.ukr, "--json")
        assert done.status == 4
        assert "received" not in done.json()["partners"][0]
        # It says so to its operator, and ends as asked.
        giver.kill()


def test_a_copied_node_pulls_nothing_until_its_tail_is_confirmed(pair, tiff, tmp_path):
    published(pair.jpn, tiff)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        copy = tmp_path / "elsewhere"
        shutil.copytree(pair.ukr, copy)
        before = state_of(copy)
        done = kizuna("sync", "--node", copy, "--json")
        assert (done.status, done.fault()["kind"]) == (1, "TailUnconfirmed")
        assert "kizuna audit confirm" in done.fault()["hint"]
        assert state_of(copy) == before


def test_a_folder_that_was_moved_by_its_name_goes_on(pair, tiff, tmp_path):
    """A rename keeps the very file: nothing can have been lost."""
    published(pair.jpn, tiff)
    there = pair.jpn.rename(tmp_path / "renamed")
    assert kizuna("node", "status", "--node", there, "--json").json()["tail_confirmed"] is True
