"""A node's pages behind real uvicorn on loopback, and real Chromium."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import uvicorn
from browser.chromium import launch
from browser.fake_desk import FakeDesk

from kizuna.adapters.translations import translator
from kizuna.web.pages import people_app
from kizuna.wiring import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    desk: FakeDesk


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launch() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def node() -> Iterator[Served]:
    desk = FakeDesk()
    app = people_app(desk, {language: translator(language) for language in LANGUAGES})
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, name="people")
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", desk)
    finally:
        server.should_exit = True
        thread.join(10)
