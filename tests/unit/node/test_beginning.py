"""The beginning of a log, kept so that a start need not read all of it: nothing of it is believed unsigned."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from simulators.nodes import HUR, IQPS, World

from kizuna.adapters.memory import MemoryKeys
from kizuna.adapters.sqlite import SqliteStore
from kizuna.errors import LogDamaged
from kizuna.exchange.envelope import peek, seal
from kizuna.exchange.merkle import leaf_data
from kizuna.model.provenance import FactKind
from kizuna.node.beginning import BEGINNING_TYPE, SETTING, TEACHING, Beginning, open_beginning, seal_beginning
from kizuna.node.founding import resume_agreement, suspend_agreement
from kizuna.node.journal import Journal
from kizuna.node.state import Node

REFUSALS = [(FactKind.REFUSAL_SERVED, {"number": number}) for number in range(30)]


def anew(node):
    """The node as another process has it, which knows nothing yet."""
    return Node(node.journal, node.blobs, lambda: "here", "another")


@pytest.fixture
def many(any_world, monkeypatch):
    """World whose log holds an agreement, its suspension, and many entries that teach nothing."""
    monkeypatch.setattr("kizuna.node.state._KEEP_EVERY", 20)
    grown(any_world)
    return any_world


def grown(world):
    world.befriend(IQPS, HUR)
    world.agree(IQPS)
    node = world.node(IQPS)
    suspend_agreement(node, "SHARE", "x", "order")
    world.tick()
    add(node)
    world.tick()
    return node


def add(node):
    with node.store.transaction():
        add_in(node)


def add_in(node):
    node.journal.record_all(REFUSALS, by="x", authority="y")


class Undone(Exception):
    """Ends a transaction."""


@pytest.fixture
def read(monkeypatch):
    """Kinds of the facts that were read."""
    kinds = []
    before = Journal.read_entry

    def read_entry(self, entry):
        fact = before(self, entry)
        kinds.append(fact.kind)
        return fact

    monkeypatch.setattr(Journal, "read_entry", read_entry)
    return kinds


def test_who_starts_later_knows_the_same_and_reads_only_what_teaches_and_what_came_after(many, read):
    node = many.node(IQPS)
    node.knowledge()
    node.keep_beginning()
    resume_agreement(node, "SHARE", "order")
    many.tick()
    whole = node.store.setting(SETTING)
    with node.store.transaction():
        node.store.drop_setting(SETTING)
    other = Node(Journal(IQPS, node.store, node.keys, many.clock), node.blobs, lambda: "here", "another")
    known = other.knowledge()
    assert {FactKind.REFUSAL_SERVED, FactKind.NODE_CREATED} <= set(read)
    with node.store.transaction():
        node.store.keep_setting(SETTING, whole)
    read.clear()
    third = Node(Journal(IQPS, node.store, node.keys, many.clock), node.blobs, lambda: "here", "another")
    assert third.knowledge() == known
    assert [suspension.agreement for suspension in known.register.suspensions] == ["SHARE"]
    assert [resumption.agreement for resumption in known.register.resumptions] == ["SHARE"]
    assert not {FactKind.REFUSAL_SERVED, FactKind.NODE_CREATED} & set(read)
    assert FactKind.AGREEMENT_RESUMED in read


def test_it_is_kept_anew_when_the_log_has_grown_and_not_before(many):
    node = many.node(IQPS)
    anew(node).keep_beginning()
    assert node.store.setting(SETTING) is None, "kept although nothing had been read"
    node.keep_beginning()
    first = node.store.setting(SETTING)
    assert peek(first.encode())["size"] == node.store.log.size()
    suspended = anew(node)
    suspended.knowledge()
    suspended.keep_beginning()
    assert node.store.setting(SETTING) == first
    add(node)
    suspended.keep_beginning()
    assert peek(node.store.setting(SETTING).encode())["size"] == node.store.log.size()
    known = suspended.knowledge()
    assert anew(node).knowledge() == known


def test_what_was_undone_is_never_kept(many):
    node = many.node(IQPS)
    with pytest.raises(Undone), node.store.transaction():  # noqa: PT012
        add_in(node)
        resume_agreement_in(node)
        assert node.knowledge().register.resumptions
        raise Undone
    node.keep_beginning()
    assert peek(node.store.setting(SETTING).encode())["size"] == node.store.log.size()
    assert not anew(node).knowledge().register.resumptions


def resume_agreement_in(node):
    body = {"agreement": "SHARE", "from": "2025-07-01T09:00:00Z"}
    node.journal.record(FactKind.AGREEMENT_RESUMED, body, by="x", authority="y")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"teaching": body["teaching"][:-1]},
        lambda body: body | {"kinds": body["kinds"][:-1]},
        lambda body: body | {"leaves": "0" * 64},
        lambda body: body | {"size": 10**9},
        lambda body: body | {"size": body["size"] - 1},
        lambda body: body | {"frontier": body["frontier"][:-1]},
        lambda body: body | {"frontier": ["?"]},
        lambda body: {},
        lambda body: [],
        lambda body: "no envelope",
    ],
)
def test_one_that_does_not_fit_the_log_is_not_used(many, read, change):
    node = many.node(IQPS)
    known = node.knowledge()
    node.keep_beginning()
    body = change(peek(node.store.setting(SETTING).encode()))
    with node.store.transaction():
        text = body if isinstance(body, str) else seal(BEGINNING_TYPE, body, node.keys).decode()
        node.store.keep_setting(SETTING, text)
    read.clear()
    assert Node(Journal(IQPS, node.store, node.keys, many.clock), node.blobs, lambda: "here", "x").knowledge() == known
    assert FactKind.REFUSAL_SERVED in read, "the log was not read as a whole"


def test_nobody_but_the_node_can_make_one(many):
    """Whoever can write to the database, and has no key, cannot leave a suspension out."""
    node = many.node(IQPS)
    known = node.knowledge()
    stranger = MemoryKeys(IQPS, node.now(), b"stranger")
    entries = {entry.index: node.journal.read_entry(entry).kind for entry in node.store.log.entries()}
    teaching = tuple(n for n, kind in entries.items() if kind in TEACHING and kind is not FactKind.AGREEMENT_SUSPENDED)
    leaves = tuple(leaf for n, leaf in zip(known.teaching, known.leaves, strict=True) if n in teaching)
    without_it = Beginning(known.size, known.frontier, teaching, leaves)
    for keys, believed in ((stranger, False), (node.keys, True)):
        text = seal_beginning(Journal(IQPS, node.store, keys, many.clock), without_it)
        assert (open_beginning(node.journal, text) is not None) == believed
        if not believed:
            with node.store.transaction():
                node.store.keep_setting(SETTING, text)
            assert anew(node).knowledge() == known


def test_a_log_that_is_older_than_its_beginning_is_read_as_a_whole(many):
    node = many.node(IQPS)
    node.knowledge()
    add(node)
    node.knowledge()
    node.keep_beginning()
    text = node.store.setting(SETTING)
    other = World(clock=many.clock)
    older = grown(other)
    with older.store.transaction():
        older.store.keep_setting(SETTING, text)
    assert anew(older).knowledge() == older.knowledge()


def altered(path, kind):
    """Change the envelope of the first entry of a kind."""
    with closing(sqlite3.connect(path)) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for place, envelope in database.execute("SELECT place, envelope FROM log ORDER BY place").fetchall():
            if peek(envelope)["kind"] == kind:
                signed = json.loads(envelope)
                first = signed["signatures"][0]
                first["sig"] = ("B" if first["sig"][0] == "A" else "A") + first["sig"][1:]
                database.execute("UPDATE log SET envelope = ? WHERE place = ?", (json.dumps(signed).encode(), place))
                return
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", [FactKind.AGREEMENT_SUSPENDED, FactKind.REFUSAL_SERVED])
def test_an_entry_that_was_altered_is_found_at_the_start_if_it_teaches_and_else_when_the_log_is_verified(
    tmp_path, monkeypatch, kind
):
    monkeypatch.setattr("kizuna.node.state._KEEP_EVERY", 20)
    with closing(SqliteStore(tmp_path / "node.db")) as store:
        world = World()
        world.node(IQPS, store)
        node = grown(world)
        known = node.knowledge()
        node.keep_beginning()
        altered(tmp_path / "node.db", kind)
        other = Node(Journal(IQPS, store, node.keys, world.clock), node.blobs, lambda: "here", "another")
        if kind in TEACHING:
            with pytest.raises(LogDamaged):
                other.knowledge()
        else:
            assert other.knowledge() == known
        with pytest.raises(LogDamaged):
            other.journal.verify()


def test_what_this_process_recorded_is_not_read_again_and_what_another_recorded_in_its_place_is(many, monkeypatch):
    node = many.node(IQPS)
    before, hashed = node.knowledge(), []
    monkeypatch.setattr("kizuna.node.state.leaf_data", lambda *entry: hashed.append(entry) or leaf_data(*entry))
    add(node)
    assert node.knowledge().size == before.size + len(REFUSALS)
    assert hashed == []
    with pytest.raises(Undone), node.store.transaction():  # noqa: PT012
        add_in(node)
        assert node.knowledge().size == before.size + 2 * len(REFUSALS)
        raise Undone
    # Another process takes the place of what was undone.
    other = Node(Journal(IQPS, node.store, node.keys, many.clock), node.blobs, lambda: "here", "another")
    resume_agreement(other, "SHARE", "order")
    add(other)
    hashed.clear()
    known = node.knowledge()
    assert known.register.resumptions
    assert len(hashed) < known.size, "the log was read as a whole"
    assert known == other.knowledge()
