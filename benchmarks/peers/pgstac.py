"""stac-fastapi-pgstac over a PostgreSQL of its own, with stac-auth-proxy: `pgstac.py FOLDER ITEMS COLLECTION FRESH READER`.

Makes a database in FOLDER, loads the items, adds those of FRESH one by one, prints a line of JSON (how long that took, the ports
that it serves on), and serves until its standard input ends. At the proxy's port a search finds what is released to READER.
PostgreSQL and PostGIS come from the system.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
QUERYABLES = {"gsd": ("to_float", "number", "BTREE"), "release_to": ("to_text_array", "array", "GIN")}


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
        for name, (wrapper, kind, index) in QUERYABLES.items():
            connection.execute(
                "INSERT INTO pgstac.queryables (name, definition, property_wrapper, property_index_type) VALUES (%s, %s, %s, %s)",
                (name, json.dumps({"type": kind}), wrapper, index),
            )
        connection.execute("ANALYZE")
    return took


def insert(fresh: str) -> float:
    """Add items one by one; milliseconds that one takes (median)."""
    import psycopg

    took = []
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("SET search_path TO pgstac, public")
        for line in Path(fresh).read_text("utf-8").splitlines():
            begin = time.perf_counter()
            connection.execute("SELECT create_item(%s::jsonb)", (line,))
            took.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(took)


def issuer() -> str:
    """Address of an issuer of identities who knows nobody: the proxy asks for one, also where nobody signs in."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            names = ("authorization", "token", "userinfo")
            about = {"issuer": base, "jwks_uri": f"{base}/keys"} | {f"{name}_endpoint": f"{base}/{name}" for name in names}
            body = json.dumps({"keys": []} if self.path == "/keys" else about).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/.well-known/openid-configuration"


@contextmanager
def serving(app: str, port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve an application with one worker."""
    command = [sys.executable, "-m", "uvicorn", "--factory", app, "--port", str(port), "--log-level", "error"]
    with subprocess.Popen(command, env=os.environ | settings) as server:
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        sys.exit(f"{app} did not start")
                    time.sleep(0.1)
            yield server
        finally:
            server.terminate()


def main(folder: Path, items: str, collection: str, fresh: str, reader: str) -> None:
    """Load and serve."""
    port, http_port, proxy_port = free_port(), free_port(), free_port()
    os.environ |= {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "pgstac_bench",
        "PGPASSWORD": "none",
        "PGDATABASE": "stac",
    }
    # The proxy adds to each search that what is found is released to the reader. Nobody signs in: that would cost it more.
    released = json.dumps({"op": "a_contains", "args": [{"property": "release_to"}, [reader]]})
    proxy = {
        "UPSTREAM_URL": f"http://127.0.0.1:{http_port}",
        "OIDC_DISCOVERY_URL": issuer(),
        "DEFAULT_PUBLIC": "true",
        "WAIT_FOR_UPSTREAM": "false",
        "CHECK_CONFORMANCE": "false",
        "ENABLE_COMPRESSION": "false",
        "ITEMS_FILTER_CLS": "stac_auth_proxy.filters:Template",
        "ITEMS_FILTER_ARGS": json.dumps([released]),
    }
    with postgres(folder, port):
        told: dict[str, object] = load(items, collection, folder) | {"insert_ms": insert(fresh)}
        with (
            serving("stac_fastapi.pgstac.app:create_app", http_port) as server,
            serving("stac_auth_proxy.app:create_app", proxy_port, **proxy) as before_it,
        ):
            told |= {"port": http_port, "server": server.pid, "version": version("stac-fastapi-pgstac", "pypgstac")}
            told |= {"proxy_port": proxy_port, "proxy": before_it.pid, "proxy_version": version("stac-auth-proxy")}
            print(json.dumps(told), flush=True)
            for _line in sys.stdin:
                print(json.dumps({"postgres_cpu_s": postgres_cpu_s(folder)}), flush=True)


def version(*names: str) -> str:
    """Names and versions."""
    from importlib.metadata import version as version_of

    return ", ".join(f"{name} {version_of(name)}" for name in names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
