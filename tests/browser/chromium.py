"""Helpers that drive real Chromium over the pages of a node: launch, open a page signed in, wait until the map is painted."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

__all__ = ["Watched", "axe_violations", "keep_picture", "launch", "open_page", "wait_for_map"]

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "tests/browser/vendor/axe-core-4.14.1/axe.min.js"
ARTEFACTS = ROOT / "artefacts"

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


_MAP_STATE = """() => {
    const map = document.querySelector("kz-map");
    return [map.hasAttribute("data-kz-idle"), map.dataset.kzFailed ?? null];
}"""


@dataclass
class Watched:
    """A page with what went wrong on it.

    Parameters
    ----------
    page
        Playwright's page.
    complaints
        Errors of the console, which is where violations of the content policy are told, and uncaught exceptions.
    elsewhere
        Addresses outside the node that the page asked for.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Fail if anything went wrong so far."""
        assert self.complaints == []
        assert self.elsewhere == []


@contextlib.contextmanager
def launch() -> Iterator[Browser]:
    """Headless Chromium of the system; skips the test where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def open_page(
    browser: Browser,
    url: str,
    token: str | None = None,
    *,
    size: tuple[int, int] = (1440, 900),
    scheme: Literal["light", "dark"] = "light",
    locale: str = "en-GB",
    scripts: bool = True,
) -> Iterator[Watched]:
    """Open `url` in a fresh context, signing in by the form if a token is given.

    Parameters
    ----------
    browser
        What `launch` gave.
    url
        Full address of a page of a node on loopback.
    token
        Access token; None: do not sign in.
    size
        Width and height of the window in CSS pixels.
    scheme
        What the system prefers.
    locale
        Language of the browser.
    scripts
        Whether JavaScript runs.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale=locale,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    watched = Watched(page)

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            watched.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("request", lambda request: _note_elsewhere(watched, origin, request.url))
    try:
        if token is not None:
            page.goto(f"{origin}/signin")
            page.fill("#token", token)
            page.press("#token", "Enter")
            page.wait_for_url(f"{origin}/")
        page.goto(url)
        yield watched
    finally:
        context.close()


def _note_elsewhere(watched: Watched, origin: str, url: str) -> None:
    if not url.startswith((origin + "/", "data:", "blob:")):
        watched.elsewhere.append(url)


def wait_for_map(page: Page, timeout_s: float = 40) -> Locator:
    """Wait until the map is painted: everything that it asked for came, and nothing moves. Gives the map."""
    deadline = time.monotonic() + timeout_s
    quiet = 0
    # Not `wait_for_function`: it evaluates a string, which the content policy forbids.
    while quiet < 3:
        state = page.evaluate(_MAP_STATE)
        assert state[1] is None, state[1]
        quiet = quiet + 1 if state[0] else 0
        assert time.monotonic() < deadline, "the map is not painted"
        time.sleep(0.1)
    return page.locator("kz-map")


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds against the page, one line a rule. Runs in an isolated world, which the content policy leaves alone."""
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})["executionContextId"]
    session.send("Runtime.evaluate", {"expression": AXE.read_text(), "contextId": world})
    answer = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))",
            "contextId": world,
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    violations = json.loads(answer["result"]["value"])
    return [f"{v['id']}: {v['help']}: " + "; ".join(n["html"][:160] for n in v["nodes"]) for v in violations]


def keep_picture(page: Page, name: str, *, full: bool = False) -> Path:
    """Keep a picture of the page under `artefacts/`, which git ignores."""
    try:
        ARTEFACTS.mkdir(exist_ok=True)
        folder = ARTEFACTS
    except OSError:
        folder = Path(tempfile.mkdtemp())
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=full)
    return path
