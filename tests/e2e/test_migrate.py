"""A node is moved into PostgreSQL: whole, once, and nobody can sign in its name at the old place."""

from __future__ import annotations

import shutil

import httpx
import pytest
from simulators.coalition import introduce, labelled, published, small_tiff
from simulators.processes import kizuna, serving

from kizuna.adapters import migration
from kizuna.adapters.sqlite import SqliteStore
from kizuna.errors import InputError, Message, StoreError, TailUnconfirmed
from kizuna.node.people import issue_token
from kizuna.wiring import migrate_node, moving, open_node


def told(_table, _count):
    """What was copied is of no interest here."""


def moved(folder, address):
    done = kizuna("node", "migrate", "--to", address, "--node", folder, "--json")
    assert done.status == 0, done.err
    return done.err


def sums(folder):
    """Tail of the log and counts of a node, and what it noted of its partner.

    Without the day on which it last looked whether its partner wants a checkpoint: a serving process notes that when it likes.
    """
    with open_node(folder) as node:
        notes = node.store.book.notes("UKR/HUR")
        return (
            node.journal.verify().tail,
            node.store.items.count(),
            {name: value for name, value in notes.items() if name != "checkpoint_looked"},
            [
                (p, list(node.store.book.waiting(p)), node.store.book.last_sequence(p), node.store.book.acknowledged(p))
                for p in node.knowledge().partners
            ],
            {name: node.store.setting(name) for name in node.store.settings("") if name != "place"},
        )


@pytest.fixture
def images(tmp_path):
    return [labelled(small_tiff(tmp_path / f"{number}.tif", seed=number)) for number in range(3)]


def test_a_node_goes_on_in_postgresql_where_it_was(pair, images, postgres_server):
    address = postgres_server.new_database()
    published(pair.jpn, images[0])
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert len(kizuna("sync", "--node", pair.ukr, "--json").json()["partners"][0]["received"]) == 1
        published(pair.jpn, images[1])
        with open_node(pair.jpn) as node:
            node.store.book.note("UKR/HUR", "word", "kept")
        before = sums(pair.jpn)
        assert "item: 2" in moved(pair.jpn, address)
        # The process that serves the old copy serves nothing any more.
        refused = kizuna("sync", "--node", pair.ukr, "--json")
        assert refused.status != 0 or refused.json()["partners"][0].get("received", []) == []
    assert sums(pair.jpn) == before
    with open_node(pair.jpn) as node, node.store.transaction():
        token = issue_token(node, "analyst", "analyst")
    *_, third = published(pair.jpn, images[2])
    with serving(pair.jpn) as giver:
        introduce(pair.ukr, pair.jpn, giver.partner_url)
        assert len(kizuna("sync", "--node", pair.ukr, "--json").json()["partners"][0]["received"]) == 2
        asked = {"headers": {"Authorization": f"Bearer {token}"}, "params": {"limit": 2, "bbox": "70,5,80,15"}}
        page = httpx.get(giver.people_url + "/stac/search", **asked).json()
        assert len(page["features"]) == 2
        (following,) = [link["href"] for link in page["links"] if link["rel"] == "next"]
        rest = httpx.get(following, headers=asked["headers"]).json()
        assert len({item["id"] for item in (*page["features"], *rest["features"])} | {third}) == 3
    assert kizuna("audit", "verify", "--node", pair.jpn, "--json").json()["tail_confirmed"]
    # What is left signs nothing, by whichever way it is opened.
    left = SqliteStore(pair.jpn / "node.sqlite")
    with pytest.raises(StoreError, match="moved elsewhere"), left.transaction():
        left.database.write("INSERT INTO log (place, salt, envelope) VALUES (99999, x'00', x'00')")
    left.close()
    done = kizuna("node", "status", "--node", pair.jpn, "--json", env={"KIZUNA_DATABASE": ""})
    assert (done.status, "was moved to" in done.fault()["message"]) == (1, True)


def test_a_move_that_fails_leaves_the_node_where_it_is(pair, images, postgres_server, monkeypatch):
    address = postgres_server.new_database()
    published(pair.jpn, images[0])
    before = sums(pair.jpn)

    def fail(*_given):
        raise StoreError(Message("cut"))

    with monkeypatch.context() as patch:
        patch.setattr(migration, "mark_moved", fail)
        with pytest.raises(StoreError, match="cut"):
            migrate_node(pair.jpn, address, told)
    assert sums(pair.jpn) == before
    # The copy is none that could be used; the node may go on before it is moved after all.
    monkeypatch.setenv("KIZUNA_DATABASE", address)
    with pytest.raises(StoreError, match="on its way"), open_node(pair.jpn):
        pass
    monkeypatch.delenv("KIZUNA_DATABASE")
    published(pair.jpn, images[1])
    before = sums(pair.jpn)
    moved(pair.jpn, address)
    assert sums(pair.jpn) == before


def test_a_move_that_is_cut_at_the_end_is_finished_by_the_next(pair, images, postgres_server, monkeypatch):
    address = postgres_server.new_database()
    published(pair.jpn, images[0])
    before = sums(pair.jpn)
    for step in ("write_settings", "arrive"):
        with monkeypatch.context() as patch:
            patch.setattr(migration if step == "arrive" else moving, step, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                migrate_node(pair.jpn, address, told)
        # Nowhere is there a node now.
        with pytest.raises(StoreError), open_node(pair.jpn):
            pass
    moved(pair.jpn, address)
    assert sums(pair.jpn) == before
    with pytest.raises(InputError, match="lies in that database already"):
        migrate_node(pair.jpn, address, told)


def test_what_must_not_be_moved_is_not(pair, images, tmp_path, postgres_server):
    published(pair.jpn, images[0])
    address = postgres_server.new_database()
    with pytest.raises(InputError, match="password") as caught:
        migrate_node(pair.jpn, address.replace("node@", "node:secret@"), told)
    assert caught.value.field == "to"
    copy = tmp_path / "copy"
    shutil.copytree(pair.jpn, copy)
    with pytest.raises(TailUnconfirmed):
        migrate_node(copy, address, told)
    moved(pair.jpn, address)
    with pytest.raises(InputError, match="lies in that database already"):
        migrate_node(pair.ukr, address, told)


def test_files_go_to_a_bucket_and_are_served_from_there(pair, images, postgres_server, object_store):
    published(pair.jpn, images[0])
    to, assets = postgres_server.new_database(), object_store.new_bucket()
    done = kizuna("node", "migrate", "--to", to, "--assets", assets, "--node", pair.jpn, "--json")
    assert (done.status, "blobs: " in done.err) == (0, True)
    for folder in pair.jpn.glob("blobs/??"):
        shutil.rmtree(folder)
    published(pair.jpn, images[1])
    with serving(pair.jpn) as giver:
        introduce(pair.ukr, pair.jpn, giver.partner_url)
        introduce(pair.jpn, pair.ukr)
        assert len(kizuna("sync", "--node", pair.ukr, "--json").json()["partners"][0]["received"]) == 2
    assert [path for path in pair.jpn.glob("blobs/??/*") if path.is_file()] == []
