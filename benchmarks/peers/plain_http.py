"""The peer of the exchange benchmark: plain uvicorn and httpx over mutual TLS 1.3, nothing decided, verified or stored.

    plain_http.py serve CERTIFICATE KEY PINNED FILE      prints its port, serves the file at any path until stdin ends
    plain_http.py fetch CERTIFICATE KEY PINNED URL       fetches it once; prints bytes, CPU seconds and seconds

PINNED is the certificate of the other side; CPU seconds of the server are its parent's to read.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PIECE_BYTES = 2**20


def context(purpose: int, certificate: str, key: str, pinned: str) -> ssl.SSLContext:
    """TLS 1.3, both sides known."""
    made = ssl.SSLContext(purpose)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(certificate, key)
    made.load_verify_locations(pinned)
    return made


def serve(certificate: str, key: str, pinned: str, path: str) -> None:
    """Serve one file, as a Starlette `FileResponse` does: pieces read in a thread."""
    import uvicorn

    size = Path(path).stat().st_size

    async def app(scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with await asyncio.to_thread(Path(path).open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        config = uvicorn.Config(app, port=0, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None)
        config.load()
        config.ssl = context(ssl.PROTOCOL_TLS_SERVER, certificate, key, pinned)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for this
            await asyncio.sleep(0.02)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)

        def wait() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=wait, daemon=True).start()
        await running

    asyncio.run(main())


def fetch(certificate: str, key: str, pinned: str, url: str) -> None:
    """Fetch and drop."""
    import httpx

    with httpx.Client(verify=context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, pinned), trust_env=False, timeout=60) as client:
        cpu, begin, count = time.process_time(), time.perf_counter(), 0
        with client.stream("GET", url) as response:
            for piece in response.iter_raw():
                count += len(piece)
        print(json.dumps([count, time.process_time() - cpu, time.perf_counter() - begin]))


if __name__ == "__main__":
    {"serve": serve, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])
