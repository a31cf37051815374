"""Both listeners of a node in one process: partners over mutual TLS, people over plain HTTP on this machine or TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import ipaddress
import signal
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from kizuna.adapters.tls import TlsHttpProtocol
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

__all__ = ["Listener", "bind", "collect_seldom", "serve", "serve_until"]

_BACKLOG = 128
# With the tenth of a second in which connections are told to close, well under the five that a stop may take.
_GRACE_S = 3
_KEEP_ALIVE_S = 20
_TICK_S = 0.02
_LAST_PORT = 65_535
_YOUNG, _MIDDLE, _OLD = 1_000, 8, 2_000


@dataclass(frozen=True, slots=True)
class Listener:
    """One face of the node.

    Parameters
    ----------
    app
        ASGI application.
    host
        Address to listen on.
    port
        Port; 0 for one that is free.
    tls
        TLS context; None for plain HTTP, which is only allowed on a loopback address.
    """

    app: ASGIApp
    host: str
    port: int
    tls: ssl.SSLContext | None = None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: one handler stops both servers."""
        yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(listener: Listener) -> socket.socket:
    """Listening socket, bound before anything is started, so that a port in use is told at once.

    Raises
    ------
    InputError
        If the port is taken or may not be used, the address is not this machine's, or people would be served without
        TLS on an address that others reach.
    """
    host, port = listener.host, listener.port
    if listener.tls is None and not _is_loopback(host):
        raise InputError(
            Message("{host} can be reached from other machines, but has no TLS", {"host": host}),
            hint=Message("listen on 127.0.0.1, and let a proxy on this machine offer TLS"),
            field="host",
        )
    # getaddrinfo takes a port modulo 65536.
    if not 0 <= port <= _LAST_PORT:
        raise InputError(
            Message("port {port} does not exist", {"port": port}), hint=Message("choose a port from 0 to 65535"), field="port"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InputError(
            Message("cannot listen on {host} port {port}: {why}", {"host": host, "port": port, "why": str(error)}),
            hint=Message("name an address of this machine"),
            field="host",
        ) from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _cannot_listen(error, host, port) from error
    return listening


def _cannot_listen(error: OSError, host: str, port: int) -> InputError:
    values: dict[str, str | int | float] = {"host": host, "port": port}
    match error.errno:
        case errno.EADDRINUSE:
            return InputError(
                Message("port {port} on {host} is in use", values),
                hint=Message("stop the program that uses it, or choose another port (0 takes a free one)"),
                field="port",
            )
        case errno.EACCES:
            return InputError(
                Message("port {port} on {host} may not be used by this user", values),
                hint=Message("choose a port from 1024 on"),
                field="port",
            )
        case errno.EADDRNOTAVAIL:
            return InputError(
                Message("{host} is no address of this machine", values), hint=Message("choose one of its addresses"), field="host"
            )
        case _:
            return InputError(
                Message("cannot listen on {host} port {port}: {why}", values | {"why": error.strerror or str(error)}),
                hint=Message("choose another address or port"),
                field="port",
            )


def _server(listener: Listener) -> _Server:
    config = uvicorn.Config(
        listener.app,
        http=TlsHttpProtocol,
        ws="none",
        loop="uvloop",
        # No header of a request says who sent it.
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    config.load()
    config.ssl = listener.tls
    return _Server(config)


async def serve_until(stop: asyncio.Event, partners: Listener, people: Listener, on_ready: Callable[[int, int], None]) -> None:
    """Serve both listeners until `stop` is set; see `serve`."""
    with contextlib.ExitStack() as bound:
        sockets = [bound.enter_context(contextlib.closing(bind(listener))) for listener in (partners, people)]
        ports = [listening.getsockname()[1] for listening in sockets]
        servers = [_server(listener) for listener in (partners, people)]
        running = [
            asyncio.create_task(server.serve(sockets=[listening])) for server, listening in zip(servers, sockets, strict=True)
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            # uvicorn offers no event for this.
            while not all(server.started for server in servers) and not any(task.done() for task in running):  # noqa: ASYNC110
                await asyncio.sleep(_TICK_S)
            if all(server.started for server in servers):
                on_ready(ports[0], ports[1])
            await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*running)


def collect_seldom() -> None:
    """Have the garbage collector look seldom at what is old, and at the rest a little at a time.

    What a server keeps (names and labels of a catalogue, items that were shown lately) is old and hardly ever garbage in
    cycles; looking through all of it, which the collector does each time that a quarter has come in, held up all requests for
    0.1 to 0.5 s at 200,000 items (`make bench BENCH=catalog`).
    """
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def serve(partners: Listener, people: Listener, on_ready: Callable[[int, int], None]) -> None:
    """Serve both listeners until SIGTERM or SIGINT; returns within five seconds of it.

    Parameters
    ----------
    partners
        What partners' nodes reach (`kizuna.web.exchange.partner_app`, TLS from `kizuna.adapters.tls.server_context`).
    people
        What people and their tools reach.
    on_ready
        Called once both answer, with the ports of partners and people.

    Raises
    ------
    InputError
        If a port cannot be had; see `bind`. Nothing is served then.
    """

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
        await serve_until(stop, partners, people, on_ready)

    collect_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
