"""STAC Browser 4.0.1 as it is built from its package, read in Chromium: catalogue, collection, search and item of each caller."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from browser.chromium import keep_picture, launch


@pytest.fixture(scope="module")
def chromium():
    with launch() as browser:
        yield browser


@pytest.mark.parametrize("who", ["person", "partner"])
def test_its_pages_show_what_the_caller_may_see(callers, who, chromium):
    caller = getattr(callers, who)
    root = caller.relay + urlsplit(caller.url).path
    page = chromium.new_page(viewport={"width": 1200, "height": 1400})
    try:
        # It would ask for a base map elsewhere.
        page.route(lambda url: not url.startswith(caller.relay), lambda route: route.abort())
        start = f"{caller.relay}/#/external/" + root.replace("://", ":/")
        page.goto(start)
        page.get_by_role("link", name="imagery").first.wait_for()
        keep_picture(page, f"stac-browser-{who}-catalogue")
        page.goto(f"{start}/collections/imagery")
        newest = caller.json("/search", limit=1)["features"][0]
        page.get_by_text(newest["properties"]["title"]).first.wait_for()
        text = page.locator("body").inner_text()
        keep_picture(page, f"stac-browser-{who}-collection")
        titles = {feature["properties"]["title"] for feature in caller.json("/search", limit=100)["features"]}
        assert titles <= set(text.split())
        page.goto(f"{start}/collections/imagery/items/{newest['id']}")
        # Each file has its own folded part.
        page.get_by_text("EPSG:32643").first.wait_for(state="attached")
        item = page.locator("body").text_content()
        keep_picture(page, f"stac-browser-{who}-item")
        assert newest["properties"]["title"] in item
        everything = page.content() + text + item
        assert not any(product in everything for product in caller.withheld)
        assert ("secret" in everything) == (caller is callers.person)
    finally:
        page.close()
