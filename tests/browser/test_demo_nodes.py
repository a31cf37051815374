"""The pages of the demo's own nodes, in a real browser: real radar images, real decisions, real partners."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from browser.chromium import keep_picture, launch, open_page, wait_for_map

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """The demo, kept up; its nodes by party."""
    folder: Path = tmp_path_factory.mktemp("demo") / "nodes"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "kizuna", "demo", "--json", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"LC_ALL": "C.UTF-8"},
    )
    lines = []
    while not lines or lines[-1] != "}\n":
        line = process.stdout.readline()
        assert line, "the demo ended before it gave its figures"
        lines.append(line)
    figures = json.loads("".join(lines))
    yield {node["party"]: node for node in figures["nodes"]}
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) in {0, 130}
    process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launch() as started:
        yield started


def test_the_originator_sees_the_image_and_who_can_see_it(browser, nodes):
    node = nodes["JPN/IQPS"]
    with open_page(browser, node["people_url"], node["token"]) as watched:
        page = watched.page
        wait_for_map(page)
        # Three that it published, and the one that the partner ordered.
        assert page.locator("#list a[href*='product=']").count() == 4
        page.get_by_role("link", name="Kochi coast").first.click()
        page.get_by_role("heading", name="Kochi coast (Sentinel-1 GRD, 2018)").wait_for()
        canvas = wait_for_map(page)
        # The middle of the map is on the scene's footprint: a click there opens the card of what lies under it.
        box = canvas.bounding_box()
        page.mouse.click(box["x"] + 0.62 * box["width"], box["y"] + 0.35 * box["height"])
        page.get_by_role("heading", name="Kochi coast (Sentinel-1 GRD, 2018)").wait_for()
        card = page.locator("#card").inner_text()
        assert "UKR/HUR" in card
        assert "IQPS-HUR-2025 is suspended since" in card
        assert "Review of the third-party rule." in card
        assert "No agreement on file lets JPN/IQPS give imagery to NZL." in card
        assert "FICTIONAL" in card
        keep_picture(page, "demo-jpn")
        watched.check()


def test_the_partner_sees_what_it_may_and_no_phase(browser, nodes):
    node = nodes["UKR/HUR"]
    with open_page(browser, node["people_url"], node["token"]) as watched:
        page = watched.page
        wait_for_map(page)
        # Two of these, and the one that it ordered.
        assert page.locator("#list a[href*='product=']").count() == 3
        page.get_by_role("link", name="Car park").first.click()
        page.get_by_role("heading", name="Car park, spotlight").wait_for()
        wait_for_map(page)
        card = page.locator("#card").inner_text()
        assert "JPN/IQPS" in card
        assert "article 3" in card
        assert "nominal" in card
        assert ".nitf" not in card
        assert "withheld" not in page.content()
        keep_picture(page, "demo-ukr")
        watched.check()


def test_the_node_without_an_agreement_has_an_empty_map(browser, nodes):
    node = nodes["NZL"]
    with open_page(browser, node["people_url"], node["token"]) as watched:
        page = watched.page
        wait_for_map(page)
        for word in ("Gotcha", "Kochi coast (", "IQPS-HUR"):
            assert word not in page.content()
        keep_picture(page, "demo-nzl")
        watched.check()


def test_french_is_there_at_once(browser, nodes):
    node = nodes["JPN/IQPS"]
    with open_page(browser, node["people_url"], node["token"], locale="fr-FR") as watched:
        page = watched.page
        wait_for_map(page)
        page.get_by_role("link", name="Kochi coast").first.click()
        page.get_by_role("heading", name="Kochi coast").wait_for()
        assert page.locator("html").get_attribute("lang") == "fr"
        assert "est suspendu" in page.locator("#card").inner_text()
        watched.check()
