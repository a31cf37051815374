"""A relay on the caller's own machine: it asks a node with a credential that a tool itself cannot send.

So a partner would use such a tool in its network (nginx, stunnel): plain HTTP on its side, mutual TLS on the node's, with its own
certificate. And so one would serve a page that searches a node, from one origin with the node's answers.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import uvicorn
from starlette.staticfiles import StaticFiles

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.wiring import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["as_partner", "as_person", "relayed"]

_TEXT = ("json", "text", "xml")
_KEPT = {b"content-type", b"range", b"accept", b"if-none-match"}
_LEFT_OUT = {"content-length", "connection", "transfer-encoding"}


class _Relay:
    """ASGI application that passes requests on to a node, but for those of a folder's files."""

    def __init__(self, client: httpx.Client, url: str, page: Path | None) -> None:
        self._client, self._url = client, url
        self._page = None if page is None else StaticFiles(directory=page, html=True)
        self._files = () if page is None else ("/", *(f"/{path.name}" for path in page.iterdir()))

    async def __call__(self, scope, receive, send) -> None:
        if self._page is not None and "/" + scope["path"].split("/")[1] in self._files:
            await self._page(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [(name, value) for name, value in scope["headers"] if name in _KEPT]
        query = scope["query_string"].decode()
        path = scope["raw_path"].decode() + (f"?{query}" if query else "")
        # One at a time is enough for one tool.
        answer = self._client.request(scope["method"], self._url + path, headers=headers, content=body)
        content = answer.content
        if any(word in answer.headers.get("content-type", "") for word in _TEXT):
            here = dict(scope["headers"])[b"host"]
            content = content.replace(self._url.encode(), b"http://" + here)
        kept = [(name.encode(), value.encode()) for name, value in answer.headers.items() if name not in _LEFT_OUT]
        # Of what HEAD asks for the length alone is told.
        length = answer.headers.get("content-length", "0") if scope["method"] == "HEAD" else str(len(content))
        kept.append((b"content-length", length.encode()))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


@contextlib.contextmanager
def relayed(client: httpx.Client, url: str, page: Path | None = None) -> Iterator[str]:
    """Address of a relay to what answers at `url`; those of its paths that a folder `page` has are answered from there."""
    # Named as TCP, for asyncio turns Nagle's delays off of no other.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    with client, listening:
        config = uvicorn.Config(_Relay(client, url, page), log_config=None, access_log=False, lifespan="off", ws="none")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(10)


def as_partner(folder: Path, server: Path) -> httpx.Client:
    """Client of the node in `folder`, with its certificate, to the node in `server`."""
    context = client_context(FileKeys.load(folder / KEYS), FileKeys.load(server / KEYS).certificate_der)
    return httpx.Client(verify=context, trust_env=False, timeout=60)


def as_person(token: str) -> httpx.Client:
    """Client of whom an access token is of."""
    return httpx.Client(headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60)
