"""A partner's relay: it asks a node with the partner's certificate, for tools of the partner that can send none.

So a partner would use them in its own network (nginx, stunnel): plain HTTP on its side, mutual TLS on the node's.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import uvicorn

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.wiring import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["relayed"]

_TEXT = ("json", "text", "xml")
_KEPT = {b"content-type", b"range", b"accept", b"if-none-match"}
_LEFT_OUT = {"content-length", "connection", "transfer-encoding"}


class _Relay:
    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client, self._url = client, url
        self.asked: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
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
        self.asked.append(f"{scope['method']} {path}")
        # One at a time is enough for one tool.
        answer = self._client.request(scope["method"], self._url + path, headers=headers, content=body)
        content = answer.content
        if any(word in answer.headers.get("content-type", "") for word in _TEXT):
            here = dict(scope["headers"])[b"host"]
            content = content.replace(self._url.encode(), b"http://" + here)
        kept = [(name.encode(), value.encode()) for name, value in answer.headers.items() if name not in _LEFT_OUT]
        kept.append((b"content-length", str(len(content)).encode()))
        kept.append((b"access-control-allow-origin", b"*"))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


@contextlib.contextmanager
def relayed(folder: Path, server: Path, url: str) -> Iterator[str]:
    """Address of a relay to the node in `server`, that answers partners at `url`, which asks as the node in `folder`."""
    context = client_context(FileKeys.load(folder / KEYS), FileKeys.load(server / KEYS).certificate_der)
    # Named as TCP, for asyncio turns Nagle's delays off of no other.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    with httpx.Client(verify=context, trust_env=False, timeout=60) as client, listening:
        config = uvicorn.Config(_Relay(client, url), log_config=None, access_log=False, lifespan="off", ws="none")
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
