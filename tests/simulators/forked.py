"""Commands in processes of their own that need not load everything anew: a process has it loaded and forks for each of them.

The process that runs a command is real: it has its own number, environment, folder and standard streams, it can be killed, and
it ends as Python ends. Only the half second of loading is saved, some thousand times. What is decided while loading (the
language of the help) is that of a person who set nothing: commands under another language start a Python of their own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Forks", "Running", "may_fork"]

_LOADED = (
    "kizuna.cli.main",
    "kizuna.cli.node",
    "kizuna.cli.partner",
    "kizuna.cli.ingest",
    "kizuna.cli.product",
    "kizuna.cli.release",
    "kizuna.cli.agreement",
    "kizuna.cli.label",
    "kizuna.cli.sync",
    "kizuna.cli.request",
    "kizuna.cli.audit",
    "kizuna.web.serve",
    "uvicorn.protocols.http.httptools_impl",
)
_STREAMS = 3


def may_fork(env: Mapping[str, str] | None) -> bool:
    """Whether nothing in `env` is read while kizuna or Python loads."""
    return not any(name.startswith(("LC_", "LANG", "PYTHON", "TZ", "KIZUNA_LANG")) for name in env or {})


class Forks:
    """The process that has everything loaded, and what asks it.

    Parameters
    ----------
    environment
        Environment in which it loads.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            command = [sys.executable, "-P", __file__, str(far.fileno())]
            self._process = subprocess.Popen(command, env=dict(environment), pass_fds=(far.fileno(),), stdin=subprocess.DEVNULL)

    def close(self) -> None:
        """End it; commands that still run go on."""
        self._near.close()
        self._process.wait()

    def begin(self, words: Sequence[str], env: Mapping[str, str], cwd: str, streams: Sequence[int]) -> tuple[int, socket.socket]:
        """Begin a command with its three standard streams; give its number, and what tells its status when it has ended."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            asked = json.dumps({"words": list(words), "env": dict(env), "cwd": cwd}).encode()
            # What is too long for one message goes before it, by a file that nobody else knows.
            with os.fdopen(os.memfd_create("asked"), "r+b") as file:
                file.write(asked)
                file.flush()
                socket.send_fds(self._near, [b"?"], [file.fileno(), far.fileno(), *streams])
        return int(near.recv(64)), near


class Running:
    """A command under way, with what tests use of `subprocess.Popen`."""

    def __init__(self, forks: Forks, words: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        with contextlib.ExitStack() as stack:
            (out, out_end), (err, err_end) = os.pipe(), os.pipe()
            self.stdout: TextIO | None = os.fdopen(out)
            self.stderr: TextIO | None = os.fdopen(err)
            for end in (out_end, err_end):
                stack.callback(os.close, end)
            nothing = stack.enter_context(Path(os.devnull).open())
            self.pid, self._ended = forks.begin(words, env, cwd, (nothing.fileno(), out_end, err_end))

    def wait(self, timeout: float | None = None) -> int:
        """Status with which it ended; `subprocess.TimeoutExpired` where it goes on."""
        if self.returncode is None:
            self._ended.settimeout(timeout)
            try:
                self.returncode = int(self._ended.recv(64))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
            self._ended.close()
        return self.returncode

    def poll(self) -> int | None:
        """Status with which it ended; None where it goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that it still prints on both streams, when it has ended."""
        printed: dict[TextIO | None, str] = {None: ""}

        def read(file: TextIO) -> None:
            printed[file] = "" if file.closed else file.read()
            file.close()

        files = self.stdout, self.stderr
        readers = [threading.Thread(target=read, args=(file,), daemon=True) for file in files if file is not None]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return printed[files[0]], printed[files[1]]


def _serve(line: socket.socket) -> list[str]:
    """Fork for each command asked for; come back only in a process that is to run one, with its words."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _data, fds, _flags, _address = socket.recv_fds(line, 1, 2 + _STREAMS)
        if not fds:
            _end(0)
        if os.fork():
            for fd in fds:
                os.close(fd)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line.close()
        asking, told, *streams = fds
        with os.fdopen(asking, "rb") as file:
            file.seek(0)
            asked = json.loads(file.read())
        number = os.fork()
        if number:
            for fd in streams:
                os.close(fd)
            with socket.socket(fileno=told) as keeper:
                keeper.send(str(number).encode())
                _number, status = os.waitpid(number, 0)
                with contextlib.suppress(OSError):
                    keeper.send(str(os.waitstatus_to_exitcode(status)).encode())
            _end(0)
        os.close(told)
        for stream, fd in enumerate(streams):
            os.dup2(fd, stream)
            os.close(fd)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        return list(asked["words"])


def _end(status: int) -> NoReturn:
    os._exit(status)


def _main() -> None:
    for name in _LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    words = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = ["kizuna", *words]
    from kizuna.cli.main import main

    main()


if __name__ == "__main__":
    _main()
