"""A real PostgreSQL of the tests' own: a cluster in a temporary folder, reached over its Unix socket alone."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pg8000.dbapi

from kizuna.adapters.migration import make_room
from kizuna.adapters.postgres import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Server", "server"]

# Debian keeps the programs of each version apart, off the PATH; as in scripts/setup.py.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])


def _run(*command: str, user: str | None) -> None:
    """Run a program; PostgreSQL refuses to serve as root, so root hands it to an account without rights."""
    program = shutil.which(command[0], path=_PATH)
    assert program is not None, f"{command[0]} is not installed: run `make setup-test`"
    as_user = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, cwd="/", timeout=120, **as_user)
    assert done.returncode == 0, done.stdout + done.stderr


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


class Server:
    """A PostgreSQL server of the tests' own.

    Parameters
    ----------
    folder
        Where its data and its socket lie.
    user
        Account under which it runs; None: the present one.
    """

    def __init__(self, folder: Path, user: str | None) -> None:
        self.folder, self._user = folder, user
        self._databases = itertools.count(1)
        self._made = ""
        if user is not None:
            shutil.chown(folder, user)
        self._data = str(folder / "data")
        _run("initdb", "-D", self._data, "-A", "trust", "-U", "kizuna", "-E", "UTF8", "--no-locale", "--no-sync", user=user)
        self.start()
        with self.connected() as connection:
            # Not the administrator, to whom row-level security does not apply.
            connection.cursor().execute("CREATE ROLE node LOGIN CREATEROLE")

    def start(self) -> None:
        """Start it, or start it again."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off -c max_connections=200"
        _run("pg_ctl", "-D", self._data, "-w", "-l", str(self.folder / "log"), "-o", options, "start", user=self._user)

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        _run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop", user=self._user)

    @contextmanager
    def connected(self, database: str = "postgres") -> Iterator[pg8000.dbapi.Connection]:
        """Connection of the administrator, each statement in a transaction of its own."""
        socket = str(self.folder / ".s.PGSQL.5432")
        with closing(pg8000.dbapi.connect("kizuna", database=database, unix_sock=socket)) as connection:
            connection.autocommit = True
            yield connection

    def address(self, name: str, user: str = "node") -> str:
        """Address of a database of this server."""
        return f"postgresql://{user}@/{name}?host={self.folder}"

    def new_database(self, template: str = "template1") -> str:
        """Address of an empty database."""
        name = f"node{next(self._databases)}"
        with self.connected() as connection:
            connection.cursor().execute(f"CREATE DATABASE {name} OWNER node TEMPLATE {template}")
        return self.address(name)

    def new_store(self) -> PostgresStore:
        """Empty store, one at a time: its tables are those of the one before, which is faster than making a database."""
        if not self._made:
            self._made = self.new_database()
        store = PostgresStore(self._made)
        make_room(store)
        return store


@contextmanager
def server() -> Iterator[Server]:
    """Server that is gone afterwards."""
    # The path of a socket is short by law.
    folder = Path(tempfile.mkdtemp(prefix="kizuna-pg-", dir="/tmp"))
    try:
        found = Server(folder, _account())
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder)
