"""A real PostgreSQL of the tests' own: a cluster in a temporary folder, reached over its Unix socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pg8000.dbapi

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["postgres"]

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


@contextmanager
def postgres() -> Iterator[pg8000.dbapi.Connection]:
    """Connection to a database that is gone afterwards."""
    user = _account()
    # The path of a socket is short by law.
    folder = Path(tempfile.mkdtemp(prefix="kizuna-pg-", dir="/tmp"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = str(folder / "data")
        _run("initdb", "-D", data, "-A", "trust", "-U", "kizuna", "-E", "UTF8", "--no-locale", "--no-sync", user=user)
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        _run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start", user=user)
        try:
            connection = pg8000.dbapi.connect("kizuna", database="postgres", unix_sock=str(folder / ".s.PGSQL.5432"))
            try:
                yield connection
            finally:
                connection.close()
        finally:
            _run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop", user=user)
    finally:
        shutil.rmtree(folder)
