"""titiler over one file: `titiler_server.py`, in an environment that has it.

Prints a line of JSON (its version, the port that it serves on), and serves with one worker until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from importlib.metadata import version

# What its documentation advises for performance.
os.environ |= {
    "GDAL_CACHEMAX": "200",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
}

import uvicorn
from fastapi import FastAPI
from titiler.core.factory import TilerFactory


async def main() -> None:
    """Serve."""
    app = FastAPI()
    app.include_router(TilerFactory().router)
    server = uvicorn.Server(uvicorn.Config(app, port=0, loop="asyncio", log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for this
        await asyncio.sleep(0.02)
    told = {"port": server.servers[0].sockets[0].getsockname()[1], "version": f"titiler.core {version('titiler.core')}"}
    print(json.dumps(told), flush=True)

    def wait() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=wait, daemon=True).start()
    await running


if __name__ == "__main__":
    asyncio.run(main())
