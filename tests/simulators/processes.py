"""Nodes as people run them: the command line in processes of its own, real TLS on loopback, folders compared as a whole."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simulators.forked import Forks, Running, may_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kizuna.model.provenance import Fact

__all__ = [
    "Done",
    "Line",
    "Serving",
    "assert_blobs_whole",
    "begin",
    "confirmed_by",
    "environment",
    "kizuna",
    "serving",
    "state_of",
    "within",
]

_PIECE_BYTES = 16_384


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of a person who set nothing but where the machine remembers its nodes, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KIZUNA_", "LC_", "LANG", "PYTEST_"))}
    kept["KIZUNA_STATE"] = os.environ["KIZUNA_STATE"]
    return kept | {"LC_ALL": "C.UTF-8"} | dict(more or {})


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, which must be JSON and nothing else."""
        assert self.out, (self.status, self.err)
        return json.loads(self.out)

    def fault(self) -> dict[str, Any]:
        """The error that it told as JSON: the last line on stderr."""
        return json.loads(self.err.splitlines()[-1])["error"]


def command(*arguments: object) -> list[str]:
    """Command line of a kizuna command."""
    return [sys.executable, "-m", "kizuna", *map(str, arguments)]


def kizuna(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, before: str = "", timeout_s: float = 120.0
) -> Done:
    """Run a command to its end; `before` is shell that limits it first (``ulimit -f 100``)."""
    if not before and may_fork(env):
        done = _forked([str(argument) for argument in arguments], environment(env), cwd, timeout_s)
    else:
        words = command(*arguments)
        if before:
            words = ["bash", "-c", f'{before} && exec "$@"', "limited", *words]
        ran = subprocess.run(words, env=environment(env), cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)
        done = Done(ran.returncode, ran.stdout, ran.stderr)
    assert "Traceback" not in done.err, done.err
    return done


@functools.cache
def _forks() -> Forks:
    forks = Forks(environment())
    atexit.register(forks.close)
    return forks


def _forked(words: Sequence[str], env: Mapping[str, str], cwd: Path | None, timeout_s: float) -> Done:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, Path(os.devnull).open() as nothing:
        files = nothing.fileno(), out.fileno(), err.fileno()
        number, ended = _forks().begin(words, env, str(cwd or Path.cwd()), files)
        with ended:
            ended.settimeout(timeout_s)
            try:
                status = int(ended.recv(64))
            except TimeoutError:
                os.kill(number, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, timeout_s) from None
        out.seek(0)
        err.seek(0)
        return Done(status, out.read(), err.read())


@contextlib.contextmanager
def begin(*arguments: object, env: Mapping[str, str] | None = None) -> Iterator[Running | subprocess.Popen[str]]:
    """Start a command; it is killed if it still runs when the block ends."""
    process: Running | subprocess.Popen[str]
    if may_fork(env):
        process = Running(_forks(), [str(argument) for argument in arguments], environment(env), str(Path.cwd()))
    else:
        process = subprocess.Popen(
            command(*arguments), env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """A node that answers."""

    process: Running | subprocess.Popen[str]
    partner_url: str
    people_url: str

    @property
    def partner_port(self) -> int:
        """Port of the partners' listener."""
        return int(self.partner_url.rpartition(":")[2])

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def confirmed_by(fact: Fact) -> range:
    """Numbers of the entries that a receipt confirms by name."""
    last, before = int(str(fact.body["sequence"])), fact.body.get("before", ())
    return range(last - len(before), last + 1)  # type: ignore[arg-type]


@contextlib.contextmanager
def serving(folder: Path, *options: object, env: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """Serve the node in `folder` on free ports until the block ends; it must then have ended well, or by `Serving.kill`."""
    ports = {"KIZUNA_PARTNER_LISTEN": "127.0.0.1:0", "KIZUNA_PEOPLE_LISTEN": "127.0.0.1:0"}
    with begin("node", "serve", "--node", folder, "--json", *options, env=ports | dict(env or {})) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        urls = json.loads(line)
        yield Serving(process, urls["partner_url"], urls["people_url"])
        if process.returncode != -signal.SIGKILL:
            process.terminate()
            _out, err = process.communicate(timeout=20)
            assert process.returncode == 0, err
            assert "Traceback" not in err, err


def state_of(folder: Path) -> dict[str, Any]:
    """All that a node's folder holds: every row of its database, every file of its own (by digest)."""
    state: dict[str, Any] = {}
    database = folder / "node.sqlite"
    if database.exists():
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            state |= {name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in names}
    files = {path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("node.sqlite")}
    return state | {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def assert_blobs_whole(folder: Path) -> set[str]:
    """Names of the stored files, each of which must be whole; no temporary one may lie about."""
    blobs = folder / "blobs"
    found = set()
    for path in blobs.rglob("*"):
        if path.is_file():
            assert path.parent.name != "tmp", path
            name = path.parent.name + path.name
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name
            found.add(name)
    return found


class Line:
    """A line to a node that stops carrying what the node sends after so many bytes, until it is cut.

    Parameters
    ----------
    port
        Port of the node on loopback.
    hold_after
        Bytes of the node that are carried before the line stalls; None: all.
    """

    def __init__(self, port: int, hold_after: int | None = None) -> None:
        self._port = port
        self._hold_after = hold_after
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._cut = threading.Event()
        self.held = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where the node is reached over this line."""
        return f"https://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    def go_on(self) -> None:
        """Carry again what was held, and all that follows."""
        self._hold_after = None

    def cut(self) -> None:
        """Break all connections, what they still carry included."""
        self._cut.set()

    def _accept(self) -> None:
        while not self._cut.is_set():
            if not select.select([self._listening], [], [], 0.02)[0]:
                continue
            near, _address = self._listening.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            thread = threading.Thread(target=self._carry, args=(near, far), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        carried = 0
        with near, far:
            while not self._cut.is_set():
                for ready in select.select([near, far], [], [], 0.02)[0]:
                    try:
                        data = ready.recv(_PIECE_BYTES)
                        (near if ready is far else far).sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    carried += len(data) if ready is far else 0
                if self._hold_after is not None and carried > self._hold_after:
                    self.held.set()
                    while self._hold_after is not None and not self._cut.wait(0.02):
                        pass


def within(seconds: float, what: str, holds: Callable[[], bool]) -> None:
    """Wait until `holds()`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)
