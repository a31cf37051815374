"""What only a database server can suffer: killed writers, other processes, restarts, copies, missing rights, foreign schemas."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing, suppress

import psycopg
import pytest
from simulators.postgres import server
from simulators.products import NOON, UKR, a_product, product_id

from kizuna.adapters.postgres import PostgresStore
from kizuna.adapters.postgres_database import address_of
from kizuna.catalog.store import Item
from kizuna.errors import InputError, StoreError
from kizuna.node.ports import LogEntry

PRELUDE = """
import os, signal, sys
from kizuna.adapters.postgres import PostgresStore
from kizuna.node.ports import LogEntry
store = PostgresStore(sys.argv[1])
"""


def _process(script, address):
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _result(process, say=None):
    out, err = process.communicate(say, timeout=60)
    return process.returncode, out + err


@pytest.mark.parametrize(
    "address", ["postgresql://node:hunter2@db/kizuna", "postgresql://db/kizuna?password=hunter2", "postgres://a:hunter2@[", "db"]
)
def test_no_password_is_taken_with_the_address_nor_told(address):
    with pytest.raises(InputError) as caught:
        address_of(address)
    assert caught.value.field == "database"
    assert "hunter2" not in str(caught.value)


def test_an_address_is_shown_without_user_and_parameters():
    assert address_of("postgresql://node@db:5433/kizuna?sslcert=/secret") == "postgresql://db:5433/kizuna"


def test_killed_inside_a_transaction_leaves_nothing(postgres_server):
    address = postgres_server.new_database()
    script = """
with store.transaction():
    store.keep_setting("durable", "yes")
with store.transaction():
    store.keep_setting("half", "yes")
    store.log.append([LogEntry(0, b"s" * 32, b"x" * 5_000_000)], "checkpoint", [b"f" * 32])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert _result(_process(script, address))[0] == -9
    with closing(PostgresStore(address)) as store:
        assert (store.setting("durable"), store.setting("half"), store.log.size()) == ("yes", None, 0)


def test_two_processes_make_the_tables_and_write_by_turns_and_lose_nothing(postgres_server):
    address = postgres_server.new_database()
    script = """
for _ in range(30):
    with store.transaction():
        index = store.log.size()
        store.log.append([LogEntry(index, b"s" * 32, b"%d" % os.getpid())], "checkpoint", [b"f" * 32])
"""
    processes = [_process(script, address) for _ in range(2)]
    assert [_result(process) for process in processes] == [(0, "")] * 2
    with closing(PostgresStore(address)) as store:
        entries = list(store.log.entries())
    assert [entry.index for entry in entries] == list(range(60))
    assert {int(entry.envelope) for entry in entries} == {process.pid for process in processes}


def test_says_when_another_process_keeps_it_busy(postgres_server):
    address = postgres_server.new_database()
    script = """
with store.transaction():
    store.keep_setting("a", "theirs")
    print("ready", flush=True)
    sys.stdin.read()
"""
    process = _process(script, address)
    assert process.stdout.readline() == "ready\n"
    with closing(PostgresStore(address, busy_s=0.2)) as store:
        assert store.setting("a") is None
        with pytest.raises(StoreError, match="in use by another process"):
            store.keep_setting("a", "ours")
        assert _result(process, say="")[0] == 0
        assert store.setting("a") == "theirs"
        store.keep_setting("a", "ours")
        assert store.setting("a") == "ours"


def test_the_log_cannot_be_changed_by_other_ways(postgres_server):
    with closing(postgres_server.new_store()) as store:
        store.log.append([LogEntry(0, b"s" * 32, b"fact")], "checkpoint", [b"f" * 32])
        for statement in ("UPDATE log SET salt = ''", "DELETE FROM log", "TRUNCATE log"):
            with pytest.raises(StoreError, match="append-only"):
                store.database.write(statement)
        assert store.log.size() == 1


def test_a_restarted_server_is_no_fault_and_a_stopped_one_is_told():
    with server() as found, closing(PostgresStore(found.new_database())) as store:
        store.keep_setting("a", "1")
        found.stop()
        found.start()
        assert store.setting("a") == "1"
        found.stop()
        found.start()
        store.keep_setting("a", "2")
        found.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            store.setting("a")
        with pytest.raises(StoreError, match="cannot be reached"):
            store.keep_setting("a", "3")
        found.start()
        assert store.setting("a") == "2"


def test_a_connection_that_is_lost_within_a_transaction_undoes_it(postgres_server):
    with closing(postgres_server.new_store()) as store:

        def write():
            with store.transaction():
                store.keep_setting("a", "1")
                pid = store.database.connection().info.backend_pid
                with postgres_server.connected() as administrator:
                    administrator.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
                # Neither this nor what follows may go to another connection, outside the transaction.
                with suppress(StoreError):
                    store.keep_setting("b", "1")
                store.keep_setting("c", "1")

        with pytest.raises(StoreError):
            write()
        assert store.settings_among("abc") == {}


def test_a_copy_of_the_database_lies_in_another_place(postgres_server):
    address = postgres_server.new_database()
    with closing(PostgresStore(address)) as store:
        stamp = store.database.stamp()
        assert store.database.stamp() == stamp
    copy = postgres_server.new_database(address.partition("@/")[2].partition("?")[0])
    with closing(PostgresStore(copy)) as store:
        assert store.database.stamp() != stamp


def test_a_schema_of_others_is_left_alone(postgres_server):
    address = postgres_server.new_database()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA kizuna")
        connection.execute("CREATE TABLE kizuna.theirs (a integer)")
        with pytest.raises(StoreError, match="not a database that this version"):
            PostgresStore(address)
        connection.execute("SELECT * FROM kizuna.theirs")


def test_without_being_asked_to_no_tables_are_made(postgres_server):
    address = postgres_server.new_database()
    with pytest.raises(StoreError, match="no node lies"):
        PostgresStore(address, make=False)
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'kizuna'").fetchone() is None


def test_commits_are_synchronous_whatever_the_server_does_by_itself(postgres_server):
    address = postgres_server.new_database()
    name = address.partition("@/")[2].partition("?")[0]
    with postgres_server.connected() as administrator:
        administrator.cursor().execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        administrator.cursor().execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    with closing(PostgresStore(address)) as store, store.transaction():
        assert store.database.row("SHOW synchronous_commit") == ("on",)
        assert store.database.row("SHOW transaction_isolation") == ("read committed",)


def test_items_lie_in_a_partition_for_each_month_and_odd_dates_make_none(postgres_server):
    from datetime import timedelta

    from kizuna.model.instants import Instant

    with closing(postgres_server.new_store()) as store:
        times = [NOON, Instant(NOON + timedelta(days=40)), *(Instant(NOON.replace(year=year)) for year in (2, 3, 9000, 9001))]
        store.items.put_all(Item(a_product(number, event=at)) for number, at in enumerate(times))
        rows = store.database.rows("SELECT DISTINCT tableoid::regclass::text FROM item_row")
        assert len(rows) == 4
        assert len(list(store.items.all())) == 6
        before = store.items.count()
        with suppress(RuntimeError), store.transaction():
            store.items.put(Item(a_product(9, event=Instant(NOON.replace(year=1999))), UKR))
            raise RuntimeError
        store.items.put(Item(a_product(9, event=Instant(NOON.replace(year=1999)))))
        assert (before, store.items.count()) == (6, 7)
        assert store.items.get(product_id(9)) is not None
