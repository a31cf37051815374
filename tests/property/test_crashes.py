"""Power cuts at every step of an exchange, on disks that lose what was not synced; and a search for worse.

``KIZUNA_CRASHES=N`` looks N times as closely: at more of the steps, and at N times as many courses of events.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, closing, nullcontext, suppress
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from simulators.nodes import HUR, IQPS

import kizuna.adapters.blobs
import kizuna.adapters.part_file
import kizuna.exchange.manifest
from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.memory import MemoryKeys
from kizuna.adapters.sqlite import SqliteStore
from kizuna.errors import ClockBehind, KizunaError, PartnerUnreachable
from kizuna.model.digests import digest_of
from kizuna.node import receive
from kizuna.node.founding import resume_agreement
from kizuna.node.journal import Journal
from kizuna.node.withdrawals import withdrawn_products
from kizuna.wiring import Settings, make_node

disk = pytest.importorskip("simulators.disk", reason="`make test` installs apsw")
made = pytest.importorskip("simulators.machines", reason="`make test` installs apsw")
Kept, PARTIES = disk.Kept, made.PARTIES

CLOSELY = int(os.environ.get("KIZUNA_CRASHES", "1"))
SMALL_CHUNK_BYTES = 16
# Of the steps at which something unsynced arrives every so many-th is looked at.
EVERY = {Kept.NOTHING: 1, Kept.EVERYTHING: max(1, 8 // CLOSELY), Kept.SOME: max(1, 8 // CLOSELY)}


def enter_disks(stack):
    # Files of a few bytes then go through part files, as large ones do: those of each third entry.
    for module in (kizuna.adapters.blobs, kizuna.adapters.part_file, kizuna.exchange.manifest):
        stack.enter_context(mock.patch.object(module, "CHUNK_BYTES", SMALL_CHUNK_BYTES))
    fit = receive._fit_together
    # The others are taken together, as small ones are.
    apart = mock.patch.object(receive, "_fit_together", lambda taken: fit(taken) and all(e.sequence % 3 for e in taken))
    stack.enter_context(apart)
    stack.enter_context(disk.installed())


@pytest.fixture
def machines(tmp_path):
    with ExitStack() as stack:
        enter_disks(stack)
        (tmp_path / "run").mkdir()
        with closing(made.Machines(tmp_path / "run")) as pair:
            yield pair


def day(machines):
    """What happens between two nodes."""
    machines.publish()
    machines.publish()
    machines.sync()
    machines.publish(withheld=True)
    machines.publish()
    machines.suspend()
    machines.sync()
    machines.resume()
    # Then the partner is asked to witness, too.
    machines.tick(days=3)
    machines.sync()


def test_nothing_is_written_past_the_disks(machines):
    day(machines)
    machines.assert_promises_hold()
    machines.settle()
    for one in machines.disks.values():
        one.assert_nothing_bypassed()


def errands(machines):
    """What they say to each other besides products."""
    machines.publish()
    machines.sync()
    machines.alert()
    for party in PARTIES:
        machines.change_keys(party)
    machines.recall()
    machines.ask()
    machines.sync()
    # The receiver answers, and both go over to their new keys.
    machines.recall()
    for party in PARTIES:
        machines.change_keys(party)
    machines.publish()
    machines.sync()


def look_everywhere(machines, folder, kept, every, course=day):
    """Cut the power before each step of a course, and look at what is left; give the steps, and how many ways it was left."""
    steps, seen = [], set()

    def look(party, what):
        number = len(steps)
        steps.append(f"{number}: {party} {what}")
        if number % every:
            return
        image = machines.image(party, kept, number)
        left = hash((repr(machines.promises), *(tuple(files.items()) for files in image)))
        if left in seen:
            return
        seen.add(left)
        try:
            with machines.recovered(folder, image) as found:
                found.assert_promises_hold()
                found.settle()
        except BaseException as error:
            error.add_note(f"power cut before step {steps[-1]}, after which {kept.value} arrived")
            raise
        shutil.rmtree(folder)

    machines.on_step = look
    course(machines)
    machines.on_step = lambda _party, _what: None
    machines.settle()
    return steps, len(seen)


@pytest.mark.parametrize("kept", Kept)
def test_whatever_the_step_at_which_the_power_is_cut(tmp_path, machines, kept):
    steps, looks = look_everywhere(machines, tmp_path / "looked", kept, EVERY[kept])
    assert {line.split()[1] for line in steps} == set(PARTIES)
    assert looks > 30


def test_whatever_the_step_of_an_errand_at_which_the_power_is_cut(tmp_path, machines):
    first = [machines.node(party).keys.key_id for party in PARTIES]
    _steps, looks = look_everywhere(machines, tmp_path / "looked", Kept.NOTHING, max(1, 5 // CLOSELY), errands)
    assert looks > 15
    # All of it happened.
    assert (
        [machines.node(party).keys.key_id for party in PARTIES] == [machines.promises.keys[party] for party in PARTIES] != first
    )
    (called_back,) = [one for one in withdrawn_products(machines.node(HUR)) if one.fate is not None]
    assert called_back.product in machines.promises.recalled
    assert len(machines.promises.messages) == 2


def unsynced_files(patch):
    patch.setattr(disk._File, "sync", lambda file: None)


def unsynced_folders(patch):
    patch.setattr(kizuna.adapters.blobs, "sync_folder", lambda path: None)


def lazy_database(patch):
    execute = disk._Connection.execute
    lazily = ("synchronous = FULL", "synchronous = NORMAL")
    patch.setattr(disk._Connection, "execute", lambda self, text, values=(): execute(self, text.replace(*lazily), values))


def no_transactions(patch):
    patch.setattr(SqliteStore, "transaction", lambda store: nullcontext())


def receipt_first(patch):
    store, owed, ways = receive._store, receive._send_owed_receipt, {}

    def early(node, partner, taken):
        entry, envelope = taken[-1]
        with node.store.transaction():
            node.store.book.note(partner.party, receive._OWED, f"{entry.sequence} {digest_of(envelope)}")
        owed(node, partner, ways[node])
        store(node, partner, taken)

    def sent(node, partner, transport):
        ways[node] = transport
        owed(node, partner, transport)

    patch.setattr(receive, "_store", early)
    patch.setattr(receive, "_send_owed_receipt", sent)


def unlogged(patch):
    record = Journal.record_all
    patch.setattr(Journal, "record_all", lambda journal, facts, **by: record(journal, facts[:1], **by))


def files_after(patch):
    """Files fetched once the entry stands."""
    patch.setattr(FileBlobs, "receive", lambda blobs, manifest, fetch, owner: 0)
    patch.setattr(FileBlobs, "receive_all", lambda blobs, manifests, bodies: None)


@pytest.mark.parametrize(
    ("slip", "kept"),
    [
        (unsynced_files, Kept.NOTHING),
        (unsynced_folders, Kept.NOTHING),
        (lazy_database, Kept.NOTHING),
        (no_transactions, Kept.NOTHING),
        (receipt_first, Kept.NOTHING),
        (unlogged, Kept.NOTHING),
        (files_after, Kept.NOTHING),
    ],
)
def test_a_slip_is_found(tmp_path, monkeypatch, slip, kept):
    with ExitStack() as stack:
        enter_disks(stack)
        (tmp_path / "run").mkdir()
        machines = stack.enter_context(closing(made.Machines(tmp_path / "run")))
        slip(monkeypatch)
        stack.callback(monkeypatch.undo)
        for party in PARTIES:
            machines.boot(party)
        with pytest.raises((AssertionError, KizunaError)):
            look_everywhere(machines, tmp_path / "looked", kept, 1)


def test_the_name_of_a_new_nodes_folder_is_brought_to_the_disk(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(Path(f"/proc/self/fd/{file}").readlink()), fsync(file)))
    make_node(tmp_path / "node", IQPS, Settings())
    assert {tmp_path, tmp_path / "node"} <= set(synced)


CUTS = st.none() | st.tuples(
    st.sampled_from(PARTIES), st.integers(0, 90), st.sampled_from(Kept), st.integers(0, 2**16), st.integers(0, 4)
)


class Courses(RuleBasedStateMachine):
    """Any course of events between two nodes."""

    @initialize()
    def begin(self):
        self.stack = ExitStack()
        enter_disks(self.stack)
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.machines = made.Machines(self.folder)
        self.copy = None

    def during(self, work, cut):
        """Do something, in the midst of which a machine may lose its power, and perhaps again as it starts."""
        machines = self.machines
        if cut is None:
            work()
            return
        party, steps, kept, seed, again = cut
        machines.disks[party].cut_after(steps)
        with suppress(disk.PowerCut):
            work()
        if not machines.disks[party].dead:
            machines.disks[party].cut_at = None
            return
        if again:
            with suppress(disk.PowerCut):
                machines.power_cut(party, kept, seed, cut_at=again - 1)
        machines.power_cut(party, kept, seed)

    @rule(withheld=st.sampled_from([False, False, False, True]), cut=CUTS)
    def publish(self, withheld, cut):
        self.during(lambda: self.machines.publish(withheld=withheld), cut)

    @rule(cut=CUTS, faults=st.lists(st.sampled_from([None, None, "lost", "unanswered", "twice"]), max_size=6))
    def sync(self, cut, faults):
        def work():
            left = iter(faults)
            self.machines.fault = lambda: next(left, None)
            with suppress(PartnerUnreachable):
                self.machines.sync()

        self.during(work, cut)
        self.machines.fault = lambda: None

    @rule(cut=CUTS)
    def suspend_or_resume(self, cut):
        suspended = self.machines.is_suspended()
        self.during(self.machines.resume if suspended else self.machines.suspend, cut)
        if self.machines.promises.suspended is None:
            # Whichever it is, it stays so.
            self.machines.promises.suspended = self.machines.is_suspended()

    @rule(what=st.sampled_from(["alert", "ask", "recall"]), cut=CUTS)
    def send_a_message(self, what, cut):
        self.during(getattr(self.machines, what), cut)

    @rule(party=st.sampled_from(PARTIES), cut=CUTS)
    def change_keys(self, party, cut):
        self.during(lambda: self.machines.change_keys(party), cut)

    @rule(party=st.sampled_from(PARTIES), kept=st.sampled_from(Kept), seed=st.integers(0, 2**16))
    def cut_the_power(self, party, kept, seed):
        self.machines.power_cut(party, kept, seed)

    @rule(days=st.integers(1, 40))
    def let_time_pass(self, days):
        self.machines.tick(days=days)

    def unchanged(self, work, *errors):
        """Whatever is tried is refused and leaves no trace in any log."""
        before = [len(self.machines.facts(party)) for party in PARTIES]
        with pytest.raises(errors):
            work()
        assert [len(self.machines.facts(party)) for party in PARTIES] == before

    @rule(seconds=st.sampled_from([1.0, 3600.0, 60 * 86400.0]))
    def set_the_clock_back(self, seconds):
        machines, right = self.machines, self.machines.clock.now()
        last = max(machines.facts(IQPS)[-1].recorded_at, machines.facts(HUR)[-1].recorded_at)
        machines.clock.set(machines.facts(IQPS)[-1].recorded_at)
        machines.tick(seconds=-seconds)
        self.unchanged(machines.publish, ClockBehind)
        self.unchanged(machines.sync, ClockBehind)
        machines.clock.set(max(last, right))

    @rule()
    def keep_a_copy(self):
        book = self.machines.node(IQPS).store.book
        self.copy = self.machines.disks[IQPS].seen(), len(self.machines.facts(IQPS)), book.last_sequence(HUR), self.keys_in_use()

    def keys_in_use(self):
        return [key.key_id for key in self.machines.keys.values()]

    @precondition(lambda self: self.copy is not None and self.copy[1] < len(self.machines.facts(IQPS)))
    @rule(elsewhere=st.booleans())
    def restore_the_copy(self, elsewhere):
        machines = self.machines
        true = machines.disks[IQPS].seen()
        # What the machine remembers outside the node's folder is not restored with it; elsewhere it remembers nothing.
        files = {name: data for name, data in self.copy[0].items() if name.startswith(made.NODE)}
        if elsewhere:
            machines.places[IQPS] = "there"
        else:
            files |= {name: data for name, data in true.items() if not name.startswith(made.NODE)}
        machines.boot(IQPS, files)
        self.unchanged(machines.sync, KizunaError)
        machines.places[IQPS] = "here"
        machines.boot(IQPS, true)

    # A machine that is set back has the keys of then, which its partner may know no more: another story.
    @precondition(
        lambda self: (
            self.copy is not None
            and self.copy[2] < self.machines.node(IQPS).store.book.acknowledged(HUR)
            and self.copy[3] == self.keys_in_use()
        )
    )
    @rule()
    def set_the_whole_machine_back(self):
        machines, true = self.machines, self.machines.disks[IQPS].seen()
        machines.boot(IQPS, self.copy[0])
        if machines.is_suspended():
            resume_agreement(machines.node(IQPS), made.SHARE, "test")
        receiver = len(machines.facts(HUR))
        assert machines.sync() == 0
        assert "was this node set back?" in machines.node(IQPS).store.book.notes(HUR)["refusal_cause"]
        assert machines.node(IQPS).store.book.last_sequence(HUR) == self.copy[2], "numbered a second time"
        assert len(machines.facts(HUR)) == receiver
        machines.boot(IQPS, true)

    @rule(party=st.sampled_from(PARTIES))
    def lose_the_key(self, party):
        machines, key = self.machines, self.machines.keys[party]
        machines.keys[party] = MemoryKeys(party, machines.clock.now(), b"another")
        machines.boot(party)
        self.unchanged(machines.sync, KizunaError)
        machines.keys[party] = key
        machines.boot(party)

    @invariant()
    def promises_hold(self):
        self.machines.assert_promises_hold()

    def teardown(self):
        try:
            self.machines.settle()
        finally:
            self.machines.close()
            self.stack.close()


def test_whatever_the_course_of_events():
    run_state_machine_as_test(
        Courses,
        settings=settings(
            max_examples=25 * CLOSELY,
            stateful_step_count=12,
            deadline=None,
            derandomize=CLOSELY == 1,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_each_fault_by_itself():
    courses = Courses()
    courses.begin()
    try:
        courses.publish(withheld=False, cut=None)
        courses.sync(cut=None, faults=[])
        courses.keep_a_copy()
        courses.publish(withheld=False, cut=None)
        courses.sync(cut=None, faults=[])
        for elsewhere in (False, True):
            courses.restore_the_copy(elsewhere=elsewhere)
        courses.set_the_whole_machine_back()
        courses.set_the_clock_back(seconds=3600.0)
        for party in PARTIES:
            courses.lose_the_key(party=party)
        courses.promises_hold()
    finally:
        courses.teardown()
