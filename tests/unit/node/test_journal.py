"""The journal: what was changed in a log is found and named, and a clock that stands behind is refused."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, START, World, agreement

from kizuna.adapters.memory import MemoryKeys, MemoryStore
from kizuna.adapters.sqlite import SqliteStore
from kizuna.errors import ClockBehind, InputError, LogDamaged
from kizuna.exchange.checkpoint import make_checkpoint
from kizuna.exchange.envelope import peek, seal
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.canonical import canonical
from kizuna.model.provenance import FactKind
from kizuna.node.founding import record_agreement, suspend_agreement
from kizuna.node.journal import FACT_TYPE


def filled(store=None) -> World:
    world = World()
    world.node(IQPS, store)
    world.agree(IQPS)
    for number in range(1, 4):
        world.take_in(IQPS, number)
    return world


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_an_untouched_log_verifies_to_its_tail():
    node = filled().node(IQPS)
    state = node.journal.verify()
    assert state.size == node.store.log.size() == 6
    assert state.tail == f"6:{state.root.hex()}"
    assert state.last_recorded_at == START + timedelta(seconds=4)


def test_a_fresh_log_is_empty_and_a_founded_one_never_is():
    journal = World().node(IQPS).journal
    fresh = replace(journal, store=MemoryStore())
    assert fresh.verify().size == 0
    state = journal.store._shared._durable
    state.log.clear()
    state.checkpoint, state.frontier = None, ()
    with pytest.raises(LogDamaged, match="founded"):
        journal.verify()


def _swap(log):
    log[2], log[3] = replace(log[3], index=2), replace(log[2], index=3)


def _remove(log):
    del log[3]


def _close_gap(log):
    del log[3]
    log[3:] = [replace(entry, index=index) for index, entry in enumerate(log[3:], start=3)]


def _truncate(log):
    del log[-1]


def _flip_envelope(log):
    log[2] = replace(log[2], envelope=flipped(log[2].envelope, 40))


def _flip_salt(log):
    log[2] = replace(log[2], salt=flipped(log[2].salt, 0))


def _shorten_salt(log):
    log[2] = replace(log[2], salt=log[2].salt[:-1])


def _cut_envelope(log):
    log[2] = replace(log[2], envelope=log[2].envelope[:-1])


def _append_forged(log):
    keys = MemoryKeys(HUR, START, b"forger")
    log.append(replace(log[-1], index=len(log), envelope=seal(FACT_TYPE, {}, keys)))


def _double(log):
    log.append(replace(log[-1], index=len(log)))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_flip_envelope, "entry 2 of the log"),
        (_cut_envelope, "entry 2 of the log"),
        (_flip_salt, "do not make up the root"),
        (_shorten_salt, "salt of entry 2"),
        (_swap, "entry 3 of the log was recorded before"),
        (_remove, "entry 3 of the log is missing"),
        (_close_gap, "signed over 6 entries, the log holds 5"),
        (_truncate, "signed over 6 entries, the log holds 5"),
        (_double, "signed over 6 entries, the log holds 7"),
        (_append_forged, "entry 6 of the log"),
    ],
)
def test_what_was_changed_in_the_log_is_found_and_named(damage, says):
    node = filled().node(IQPS)
    damage(node.store._shared._durable.log)
    with pytest.raises(LogDamaged) as caught:
        node.journal.verify()
    assert says in str(caught.value)
    assert caught.value.hint is not None


def test_each_flipped_byte_of_an_entry_is_found():
    node = filled().node(IQPS)
    log = node.store._shared._durable.log
    whole = log[1]
    for at in range(0, len(whole.envelope), 37):
        log[1] = replace(whole, envelope=flipped(whole.envelope, at))
        with pytest.raises(LogDamaged):
            node.journal.verify()
    for at in range(len(whole.salt)):
        log[1] = replace(whole, salt=flipped(whole.salt, at))
        with pytest.raises(LogDamaged):
            node.journal.verify()


def test_a_checkpoint_that_was_changed_removed_or_made_by_another_is_found():
    node = filled().node(IQPS)
    state = node.store._shared._durable
    good = state.checkpoint
    root = node.journal.verify().root
    forger = MemoryKeys(HUR, START, b"forger")
    origin = node.journal.origin
    for bad in (
        None,
        "",
        good.replace("\n6\n", "\n7\n"),
        good.replace("kizuna/JPN/IQPS", "kizuna/JPN/X"),
        make_checkpoint(origin, 6, root, forger.sign, origin, forger.public_key),
        make_checkpoint(origin, 6, bytes(32), node.keys.sign, origin, node.keys.public_key),
        make_checkpoint(origin, 5, root, node.keys.sign, origin, node.keys.public_key),
    ):
        state.checkpoint = bad
        with pytest.raises(LogDamaged):
            node.journal.verify()
    state.checkpoint = good
    node.journal.verify()


def test_a_frontier_that_was_changed_is_found_before_the_next_entry_builds_on_it():
    node = filled().node(IQPS)
    state = node.store._shared._durable
    state.frontier = (bytes(32), *state.frontier[1:])
    with pytest.raises(LogDamaged, match="frontier"):
        node.journal.verify()


def test_damage_in_a_database_is_found_and_named(tmp_path):
    with contextlib.closing(SqliteStore(tmp_path / "node.db")) as store:
        node = filled(store).node(IQPS)
        node.journal.verify()
        with contextlib.closing(sqlite3.connect(tmp_path / "node.db")) as database, database:
            (envelope,) = database.execute("SELECT envelope FROM log WHERE place = 3").fetchone()
            # The file's owner can take away what keeps the table append-only; the signatures remain.
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {name}")
            database.execute("UPDATE log SET envelope = ? WHERE place = 3", (flipped(envelope, 40),))
        with pytest.raises(LogDamaged, match="entry 3"):
            node.journal.verify()


def recorded_together(count=70):
    """Node whose log holds so many facts that were recorded at once, after five others."""
    node = filled().node(IQPS)
    facts = [(FactKind.REFUSAL_SERVED, {"number": number}) for number in range(count)]
    with node.store.transaction():
        node.journal.record_all(facts, by="x", authority="y")
    return node


def test_what_was_recorded_together_is_read_and_verified_one_by_one():
    node = recorded_together()
    assert node.journal.verify().size == 76
    found = [fact for _index, fact in node.journal.facts(6)]
    assert [fact.body["number"] for fact in found] == list(range(70))
    assert {(fact.kind, fact.recorded_by, fact.authority) for fact in found} == {(FactKind.REFUSAL_SERVED, f"{IQPS}:x", "y")}
    # Two signatures over the two batches, where there would have been seventy.
    signatures = {json.loads(entry.envelope)["signatures"][0]["sig"] for entry in node.store.log.entries(6)}
    assert len(signatures) == 2


@pytest.mark.parametrize("damage", [_flip_envelope, _cut_envelope, _flip_salt, _shorten_salt, _swap, _remove, _truncate])
def test_what_was_changed_among_what_was_recorded_together_is_found(damage):
    node = recorded_together(5)
    # Such damage strikes entries 2 and 3, or the last: of the batch too.
    log = node.store._shared._durable.log
    struck = [replace(entry, index=index) for index, entry in enumerate(log[6:])]
    damage(struck)
    log[6:] = [replace(entry, index=entry.index + 6) for entry in struck]
    with pytest.raises(LogDamaged):
        node.journal.verify()


def test_no_entry_of_a_batch_takes_the_place_of_another_under_one_signature():
    """Whoever has the file can swap two entries of one instant, and make their places right: the leaves tell."""
    node = recorded_together(2)
    log = node.store._shared._durable.log
    swapped = [replace(log[7], index=6), replace(log[6], index=7)]
    log[6:] = swapped
    for entry in swapped:
        node.journal.open_entry(entry)
    with pytest.raises(LogDamaged, match="root"):
        node.journal.verify()


def test_a_body_that_was_written_out_is_recorded_as_one_that_was_not():
    node = filled().node(IQPS)
    body = {"product": {"b": 1.0, "a": "絆"}}
    with node.store.transaction():
        node.journal.record_all([(FactKind.REFUSAL_SERVED, body)], by="x", authority='y "body":{}')
        node.journal.record_all([(FactKind.REFUSAL_SERVED, canonical(body))], by="x", authority='y "body":{}')
    plain, written = (peek(entry.envelope) for entry in node.store.log.entries(6))
    assert plain == written
    assert (plain["body"], plain["authority"]) == (body, 'y "body":{}')
    node.journal.verify()


def test_a_clock_behind_the_log_is_refused_and_nothing_recorded():
    world = filled()
    node = world.node(IQPS)
    size = node.store.log.size()
    last = node.journal.verify().last_recorded_at
    world.clock.set(last)
    node.now()
    world.clock.set(last - timedelta(microseconds=1))
    for act in (
        node.now,
        lambda: suspend_agreement(node, "SHARE", "x", "order"),
        lambda: record_agreement(node, agreement(id="B"), NO_CIVIL_DATES, []),
        lambda: world.desk(IQPS).feed(HUR, 0, 10),
    ):
        with pytest.raises(ClockBehind):
            act()
    assert node.store.log.size() == size


def test_what_is_undone_was_never_recorded():
    node = filled().node(IQPS)
    before = node.journal.verify()
    with pytest.raises(RuntimeError), node.store.transaction():  # noqa: PT012
        node.journal.record(FactKind.TAIL_CONFIRMED, {}, by="x", authority="y")
        raise RuntimeError
    assert node.journal.verify() == before


def test_a_fact_that_could_not_be_read_again_is_not_recorded(world):
    node = world.node(IQPS)
    size = node.store.log.size()
    with pytest.raises(InputError), node.store.transaction():
        node.journal.record(FactKind.REFUSAL_SERVED, {}, by="x", authority="officer\x1b[2J")
    assert node.store.log.size() == size
    assert node.knowledge().size == size
