"""stac-fastapi-pgstac over a PostgreSQL of its own: `pgstac.py FOLDER ITEMS COLLECTION`, in an environment that has it.

Makes a database in FOLDER, loads the items, prints a line of JSON (how long loading took, the port that it serves on), and serves
until its standard input ends. PostgreSQL and PostGIS come from the system.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
QUERYABLES = {"gsd": "to_float", "platform": "to_text"}


def free_port() -> int:
    """Port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run(*command: str) -> None:
    """Run a program of PostgreSQL, which does not serve as root."""
    program = shutil.which(command[0], path=PROGRAMS)
    if program is None:
        sys.exit(f"{command[0]} is not installed")
    user = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, cwd="/", **user)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


@contextmanager
def postgres(folder: Path, port: int) -> Iterator[None]:
    """Serve a new database."""
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "pgstac_bench", "-E", "UTF8", "--no-locale")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c shared_buffers=1GB"
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "pgstac_bench", "stac")
        yield
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def postgres_cpu_s(folder: Path) -> float:
    """CPU seconds of all processes of the database, and of those of its children that ended."""
    head = int((folder / "data" / "postmaster.pid").read_text("utf-8").splitlines()[0])
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = stat.read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(values[1]) == head or int(stat.parent.name) == head:
            # utime, stime; of the head also those of children that it has waited for.
            used += sum(map(int, values[11:15] if int(stat.parent.name) == head else values[11:13]))
    return used / TICKS_A_SECOND


def load(items: str, collection: str, folder: Path) -> dict[str, float]:
    """Load a collection and its items."""
    import psycopg
    from pypgstac.db import PgstacDB
    from pypgstac.load import Loader, Methods
    from pypgstac.migrate import Migrate

    with PgstacDB() as database:
        Migrate(database).run_migration()
        loader = Loader(database)
        loader.load_collections(collection, Methods.insert)
        begin, cpu = time.perf_counter(), time.process_time() + postgres_cpu_s(folder)
        loader.load_items(items, Methods.insert)
        took = {"seconds": time.perf_counter() - begin, "cpu_s": time.process_time() + postgres_cpu_s(folder) - cpu}
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("SET search_path TO pgstac, public")
        for name, wrapper in QUERYABLES.items():
            connection.execute(
                "INSERT INTO pgstac.queryables (name, definition, property_wrapper, property_index_type)"
                " VALUES (%s, %s, %s, 'BTREE')",
                (name, json.dumps({"type": "number" if wrapper == "to_float" else "string"}), wrapper),
            )
        connection.execute("ANALYZE")
    return took


def main(folder: Path, items: str, collection: str) -> None:
    """Load and serve."""
    port, http_port = free_port(), free_port()
    os.environ |= {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "pgstac_bench",
        "PGPASSWORD": "none",
        "PGDATABASE": "stac",
    }
    with postgres(folder, port):
        took = load(items, collection, folder)
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            "stac_fastapi.pgstac.app:create_app",
            "--port",
            str(http_port),
            "--log-level",
            "error",
        ]
        with subprocess.Popen(command) as server:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", http_port), 1).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        sys.exit("stac-fastapi-pgstac did not start")
                    time.sleep(0.1)
            told = took | {"port": http_port, "server": server.pid, "version": version()}
            print(json.dumps(told), flush=True)
            for _line in sys.stdin:
                print(json.dumps({"postgres_cpu_s": postgres_cpu_s(folder)}), flush=True)
            server.terminate()


def version() -> str:
    """Name and version."""
    from importlib.metadata import version as version_of

    return f"stac-fastapi-pgstac {version_of('stac-fastapi-pgstac')}, pgstac {version_of('pypgstac')}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
