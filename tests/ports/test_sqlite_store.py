"""What only a database can suffer: killed writers, a second process, full disks, damage, foreign files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulators.products import NOON, UKR, a_product, product_id

from kizuna.adapters.sqlite import SqliteStore
from kizuna.catalog.extents import Extent
from kizuna.catalog.store import Item
from kizuna.errors import StoreError
from kizuna.model.digests import digest_of
from kizuna.node.ports import LogEntry, Outgoing
from kizuna.release.columns import micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PRELUDE = """
import os, signal, sys
from pathlib import Path
from kizuna.adapters.sqlite import SqliteStore
from kizuna.node.ports import LogEntry, Outgoing
store = SqliteStore(Path(sys.argv[1]))
"""


def _process(script: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _result(process: subprocess.Popen[str], *, say: str | None = None) -> tuple[int, str]:
    out, err = process.communicate(say, timeout=60)
    return process.returncode, out + err


def test_killed_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    script = """
with store.transaction():
    store.keep_setting("durable", "yes")
with store.transaction():
    store.keep_setting("half", "yes")
    store.log.append([LogEntry(0, b"s" * 32, b"x" * 5_000_000)], "checkpoint", [b"f" * 32])
    store.book.advance("UKR", 1)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert _result(_process(script, path))[0] == -9
    with closing(SqliteStore(path)) as store:
        assert store.setting("durable") == "yes"
        assert store.setting("half") is None
        assert (store.log.size(), store.log.checkpoint(), store.book.cursor(UKR)) == (0, None, 0)


def test_two_processes_write_by_turns_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    # Both make the database, at the same moment.
    script = """
for _ in range(50):
    with store.transaction():
        index = store.log.size()
        store.log.append([LogEntry(index, b"s" * 32, b"%d" % os.getpid())], "checkpoint", [b"f" * 32])
"""
    processes = [_process(script, path) for _ in range(3)]
    assert [_result(process) for process in processes] == [(0, "")] * 3
    with closing(SqliteStore(path)) as store:
        entries = list(store.log.entries())
    assert [entry.index for entry in entries] == list(range(150))
    assert {int(entry.envelope) for entry in entries} == {process.pid for process in processes}


def test_many_may_make_the_database_at_the_same_moment(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"{attempt}.db"
        barrier = threading.Barrier(6)
        failures: list[StoreError] = []

        def make(path: Path, barrier: threading.Barrier, failures: list[StoreError]) -> None:
            barrier.wait(10)
            try:
                SqliteStore(path).close()
            except StoreError as error:
                failures.append(error)

        threads = [threading.Thread(target=make, args=(path, barrier, failures)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert failures == []


def test_schema_made_between_two_looks_is_no_foreign_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes the schema right after this one has looked at the first of the two numbers."""
    path = tmp_path / "node.db"
    looks: list[str] = []

    class Slow(sqlite3.Connection):
        def execute(self, statement: str, values: Sequence[object] = (), /) -> sqlite3.Cursor:
            cursor = super().execute(statement, values)
            if statement == "PRAGMA user_version":
                looks.append(statement)
                if len(looks) == 1:
                    row = cursor.fetchone()
                    process = _process("", path)
                    assert _result(process) == (0, "")
                    return super().execute("SELECT ?", row)
            return cursor

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, factory=Slow, **named))
    with closing(SqliteStore(path)) as store:
        store.keep_setting("a", "b")
    assert len(looks) == 2


def test_first_receipt_is_the_one_that_is_kept(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "node.db")) as store:
        store.book.enqueue(UKR, product_id(1))
        store.book.sequence(Outgoing(UKR, 1, product_id(1), b"envelope", ()))
        store.book.acknowledge(UKR, 1, b"first")
        store.book.acknowledge(UKR, 1, b"second")
        with closing(sqlite3.connect(tmp_path / "node.db", autocommit=True)) as other:
            assert other.execute("SELECT receipt FROM outgoing").fetchall() == [(b"first",)]


def test_says_when_another_process_keeps_it_busy(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    script = """
with store.transaction():
    store.keep_setting("a", "theirs")
    print("ready", flush=True)
    sys.stdin.read()
"""
    process = _process(script, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with closing(SqliteStore(path, busy_s=0.2)) as store:
        assert store.setting("a") is None
        with pytest.raises(StoreError, match="in use by another process"):
            store.keep_setting("a", "ours")
        assert _result(process, say="")[0] == 0
        assert store.setting("a") == "theirs"
        store.keep_setting("a", "ours")
        assert store.setting("a") == "ours"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """File system of four megabytes; None where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    mounted = (
        os.geteuid() == 0
        and mount is not None
        and umount is not None
        and subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False).returncode
        == 0
    )
    yield folder if mounted else None
    if mounted and umount is not None:
        subprocess.run([umount, folder], check=True)


def test_full_disk_keeps_nothing_of_what_was_being_written(tmp_path: Path, small_disk: Path | None) -> None:
    path = (small_disk or tmp_path) / "node.db"
    with closing(SqliteStore(path)) as store:
        store.keep_setting("before", "kept")
        if small_disk is None:
            store._database.connection().execute("PRAGMA max_page_count = 200")

        def write() -> None:
            with store.transaction():
                store.book.advance(UKR, 1)
                store.log.append([LogEntry(0, b"s" * 32, b"x" * 6_000_000)], "checkpoint", [b"f" * 32])

        with pytest.raises(StoreError, match="disk is full") as caught:
            write()
        assert caught.value.hint is not None
        assert "free some space" in caught.value.hint.render()
        assert (store.setting("before"), store.log.size(), store.book.cursor(UKR)) == ("kept", 0, 0)
        # A small write goes on.
        store.keep_setting("after", "kept")
    with closing(SqliteStore(path)) as store:
        assert (store.setting("before"), store.setting("after"), store.book.cursor(UKR)) == ("kept", "kept", 0)


def _open_files() -> set[Path]:
    found = set()
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(file.readlink())
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells which files are open")
def test_nothing_is_put_aside_outside_the_folder_while_much_is_written(tmp_path: Path) -> None:
    before = _open_files()
    with closing(SqliteStore(tmp_path / "node.db")) as store, store.transaction():
        store.items.put_all(Item(a_product(number, files=(b"%d" % number,))) for number in range(1000))
        written = _open_files() - before
    assert written
    assert {file.parent for file in written} == {tmp_path}


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with closing(SqliteStore(path)) as store, store.transaction():
        for number in range(200):
            store.items.put(Item(a_product(number)))
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(100_000))
    with pytest.raises(StoreError, match="is damaged") as caught, closing(SqliteStore(path)) as store:
        list(store.items.all())
    assert caught.value.hint is not None
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match="is damaged"):
        SqliteStore(path)


def test_record_that_is_no_product_is_damage(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "node.db")) as store:
        store.items.put(Item(a_product(1)))
        with closing(sqlite3.connect(tmp_path / "node.db", autocommit=True)) as other:
            other.execute("UPDATE item SET record = '{}'")
        with pytest.raises(StoreError, match="is damaged"):
            store.items.get(product_id(1))


def test_log_can_be_neither_changed_nor_shortened_by_sql(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "node.db")) as store:
        store.log.append([LogEntry(0, b"s" * 32, b"e")], "checkpoint", [b"f" * 32])
        with closing(sqlite3.connect(tmp_path / "node.db", autocommit=True)) as other:
            for statement in ("DELETE FROM log", "UPDATE log SET envelope = x'00'"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    other.execute(statement)
        assert store.log.size() == 1


@pytest.mark.parametrize("pragma", ["user_version = 99", "application_id = 1"])
def test_refuses_databases_of_others_and_of_later_versions(tmp_path: Path, pragma: str) -> None:
    SqliteStore(tmp_path / "node.db").close()
    with closing(sqlite3.connect(tmp_path / "node.db", autocommit=True)) as other:
        other.execute(f"PRAGMA {pragma}")
    with pytest.raises(StoreError, match="not a database that this version"):
        SqliteStore(tmp_path / "node.db")
    with closing(sqlite3.connect(tmp_path / "foreign.db", autocommit=True)) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="not a database that this version"):
        SqliteStore(tmp_path / "foreign.db")


def test_is_private_durable_and_told_apart(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "node.db")) as store:
        store.keep_setting("a", "b")
        for path in tmp_path.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
        connection = store._database.connection()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_connections_of_finished_threads_are_closed(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "node.db")) as store:
        for _ in range(20):
            thread = threading.Thread(target=lambda: store.setting("a"))
            thread.start()
            thread.join()
        assert len(store._database._connections) <= 2


def test_missing_folder_is_made_and_an_impossible_one_told(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "a" / "b" / "node.db").close()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        SqliteStore(tmp_path / "file" / "node.db")


def test_a_database_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with closing(SqliteStore(path)) as store:
        store.items.put_all(Item(a_product(number, event=NOON)) for number in (2, 1))
        items = list(store.items.all())
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE old (product TEXT PRIMARY KEY, moment_us INTEGER NOT NULL, content TEXT NOT NULL,"
            " received_from TEXT, record TEXT NOT NULL, terms TEXT) STRICT;"
            "INSERT INTO old SELECT product, moment_us, content, received_from, record, terms FROM item ORDER BY number;"
            "DROP TABLE item; DROP TABLE item_box; DROP TABLE item_removed; ALTER TABLE old RENAME TO item;"
            "CREATE INDEX item_newest ON item (moment_us DESC, product); CREATE INDEX item_content ON item (content);"
            "PRAGMA user_version = 1;"
        )
    for _ in range(2):
        with closing(SqliteStore(path)) as store:
            assert list(store.items.all()) == items
            rows = list(store.items.rows_after(0, 99))
            assert [(row.number, row.record["id"]) for row in rows] == [(1, product_id(2)), (2, product_id(1))]
            assert sorted(store.items.in_box(Extent(30.5, 46.2, 30.6, 46.3), *[micros(NOON)] * 2)) == [1, 2]


def test_a_long_queue_costs_no_more_for_each_than_a_short_one(tmp_path: Path) -> None:
    steps = []
    with closing(SqliteStore(tmp_path / "node.sqlite")) as store:
        connection = store._database.connection()
        for begin, end in ((0, 100), (100, 2100)):
            store.book.enqueue(UKR, *map(product_id, range(begin, end)))
            count = [0]
            connection.set_progress_handler(lambda count=count: count.append(0), 10)
            with store.transaction():
                last = store.book.last_sequence(UKR)
                for number, product in zip(range(last + 1, last + 21), store.book.waiting(UKR), strict=False):
                    store.book.sequence(Outgoing(UKR, number, product, b"entry", (digest_of(b"%d" % number),)))
                    assert store.book.holding(UKR, digest_of(b"%d" % number))[0].product == product
            connection.set_progress_handler(None, 0)
            steps.append(len(count))
            with store.transaction():
                # Then as many stand in the feed as wait.
                last = store.book.last_sequence(UKR)
                for number, product in enumerate(list(store.book.waiting(UKR))[: (end - begin) // 2], start=last + 1):
                    store.book.sequence(Outgoing(UKR, number, product, b"entry", (digest_of(b"%d" % number),)))
    assert steps[1] < 3 * steps[0], steps
