"""A node's listeners in a thread of the test's process: real uvicorn, real TLS, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import uvloop

from kizuna.adapters.tls import server_context
from kizuna.web.serve import Listener, serve_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from kizuna.adapters.keys import FileKeys
    from kizuna.node.health import RefusedConnection

__all__ = ["Served", "served"]


async def nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Application that always answers 204."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Served:
    """Where the node is to be found."""

    def __init__(self, partners_port: int, people_port: int, partners: Listener) -> None:
        self.partners_port = partners_port
        self.people_port = people_port
        self.url = f"https://127.0.0.1:{partners_port}"
        assert partners.tls is not None
        self.context = partners.tls


@contextlib.contextmanager
def served(
    app: ASGIApp,
    keys: FileKeys,
    pinned: Iterable[bytes],
    people: ASGIApp = nothing,
    on_refused: Callable[[RefusedConnection], object] = lambda _cause: None,
    before_handshake: Callable[[], object] = lambda: None,
) -> Iterator[Served]:
    """Serve `app` to partners until the block ends."""
    partners = Listener(app, "127.0.0.1", 0, server_context(keys, pinned, on_refused, before_handshake))
    ready = threading.Event()
    ports: list[int] = []
    loop: list[asyncio.AbstractEventLoop] = []
    stops: list[asyncio.Event] = []
    failures: list[BaseException] = []

    def on_ready(*found: int) -> None:
        ports.extend(found)
        ready.set()

    async def main() -> None:
        loop.append(asyncio.get_running_loop())
        stops.append(asyncio.Event())
        await serve_until(stops[0], partners, Listener(people, "127.0.0.1", 0), on_ready)

    def run() -> None:
        try:
            uvloop.run(main())
        except BaseException as error:  # noqa: BLE001 (handed to the test's thread)
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="served")
    thread.start()
    try:
        assert ready.wait(10)
        if failures:
            raise failures[0]
        yield Served(ports[0], ports[1], partners)
    finally:
        if stops and thread.is_alive():
            loop[0].call_soon_threadsafe(stops[0].set)
        thread.join(10)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
