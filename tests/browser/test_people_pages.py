"""The pages of a node in real Chromium: painted, in step, without scripts, accessible, and asking nobody else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser.chromium import axe_violations, keep_picture, open_page, wait_for_map
from browser.fake_desk import PORT, RANGE, SHIP, TOKEN
from PIL import Image
from playwright.sync_api import expect

VIEWS = ["/", f"/?product={SHIP}", f"/?product={RANGE}", f"/?product={PORT}", f"/products/{RANGE}", "/partners", "/agreements"]


def pixels(locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def near(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 6) -> float:
    """Share of the pixels that have about this colour."""
    return float((np.abs(image - np.array(colour)).max(axis=2) <= tolerance).mean())


def outlines(image: np.ndarray) -> np.ndarray:
    """Where something as blue as a footprint's outline is painted."""
    return image[..., 2] - image[..., 0] > 60


def test_the_map_shows_land_sea_and_footprints(browser, node):
    with open_page(browser, node.url + "/", TOKEN) as watched:
        image = pixels(wait_for_map(watched.page))
        assert near(image, (0xF5, 0xF3, 0xED)) > 0.2  # land
        assert near(image, (0xDB, 0xE4, 0xE9)) > 0.2  # sea
        assert outlines(image).mean() > 0.0005
        keep_picture(watched.page, "people-desk")
        watched.check()


def test_the_chosen_product_lies_on_the_map_as_an_image(browser, node):
    with open_page(browser, f"{node.url}/?product={SHIP}", TOKEN) as watched:
        image = pixels(wait_for_map(watched.page))
        grey = (np.ptp(image, axis=2) <= 2) & (image[..., 0] < 200)
        assert grey.mean() > 0.1
        assert np.unique(image[grey][:, 0]).size > 60
        # A tile that the image does not reach is see-through: none is black.
        assert near(image, (0, 0, 0), 0) < 0.01
        keep_picture(watched.page, "people-product")
        watched.check()


def test_in_the_dark_the_page_and_the_map_are_dark(browser, node):
    with open_page(browser, node.url + "/", TOKEN, scheme="dark") as watched:
        image = pixels(wait_for_map(watched.page))
        assert image.mean() < 60
        keep_picture(watched.page, "people-dark")
        watched.check()


def test_a_click_on_a_footprint_opens_its_card(browser, node):
    with open_page(browser, node.url + "/", TOKEN) as watched:
        page = watched.page
        place = wait_for_map(page).bounding_box()
        image = pixels(page.locator("kz-map"))
        blue = np.argwhere(outlines(image))
        # The leftmost outline is the one off Odesa; its middle is not painted.
        columns = blue[blue[:, 1] < blue[:, 1].min() + 90]
        row, column = columns.mean(axis=0)
        page.mouse.click(place["x"] + column, place["y"] + row)
        expect(page.locator("#card h2")).to_have_text("Odesa, outer roads and Lanzheron")
        expect(page.locator(f'.row[data-product="{SHIP}"]')).to_have_attribute("aria-current", "true")
        assert page.url.endswith(f"/?product={SHIP}")
        assert page.title().startswith("Odesa")
        watched.check()


def test_a_row_opens_its_card_by_keyboard_and_the_map_follows(browser, node):
    with open_page(browser, node.url + "/", TOKEN) as watched:
        page = watched.page
        before = pixels(wait_for_map(page))
        page.locator(f'.row[data-product="{PORT}"]').focus()
        page.keyboard.press("Enter")
        expect(page.locator("#card h2")).to_have_text("Mykolaiv, change at the shipyard")
        after = pixels(wait_for_map(page))
        assert before.shape != after.shape
        assert ((np.ptp(after, axis=2) <= 2) & (after[..., 0] < 200)).mean() > 0.1
        page.evaluate("document.querySelector('kz-map').dataset.same = ''")
        page.go_back()
        expect(page.locator("#card h2")).to_have_count(0)
        page.go_forward()
        expect(page.locator("#card h2")).to_have_text("Mykolaiv, change at the shipyard")
        page.keyboard.press("Escape")
        expect(page.locator("#card h2")).to_have_count(0)
        expect(page.locator("kz-map[data-same] canvas")).to_have_count(1)
        watched.check()


def test_the_card_says_who_can_see_it_and_why(browser, node):
    with open_page(browser, f"{node.url}/?product={RANGE}", TOKEN) as watched:
        card = watched.page.locator("#card")
        partners = card.locator(".partner")
        expect(partners.nth(0)).to_contain_text("sees it in reduced form")
        expect(partners.nth(0)).to_contain_text("FICTIONAL")
        expect(partners.nth(1)).to_contain_text("a person must decide")
        why = partners.nth(0).locator("details")
        expect(why.locator("dl").first).to_be_hidden()
        why.locator("summary").click()
        expect(why).to_contain_text("FRA-JPN-SUPPLEMENT, version 2")
        expect(why).to_contain_text("detected image only")
        watched.check()


def test_list_and_card_work_without_scripts(browser, node):
    with open_page(browser, node.url + "/", TOKEN, scripts=False) as watched:
        page = watched.page
        expect(page.locator(".row")).to_have_count(3)
        expect(page.locator(".no-map")).to_be_visible()
        page.locator(f'.row[data-product="{SHIP}"]').click()
        expect(page.locator("#card")).to_contain_text("Its originator JPN/IQPS releases it to UKR/HUR only.")
        page.locator("#card summary").first.click()
        expect(page.locator("#card")).to_contain_text("FRA named in Releasable To by JPN/IQPS")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_no_page_has_a_fault_that_axe_finds(browser, node, locale):
    with open_page(browser, node.url + "/signin", locale=locale) as watched:
        assert axe_violations(watched.page) == []
    with open_page(browser, node.url + "/", TOKEN, locale=locale) as watched:
        assert watched.page.locator("html").get_attribute("lang") == locale[:2]
        for view in VIEWS:
            watched.page.goto(node.url + view)
            if watched.page.locator("kz-map").count():
                wait_for_map(watched.page)
            for summary in watched.page.locator(".partner summary").all():
                summary.click()
            assert axe_violations(watched.page) == [], view
        watched.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser, node, scheme):
    with open_page(browser, node.url + "/", TOKEN, size=(390, 844), scheme=scheme) as watched:
        page = watched.page
        for view in VIEWS:
            page.goto(node.url + view)
            if page.locator("kz-map").count():
                wait_for_map(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, view
            assert axe_violations(page) == [], view
        page.goto(f"{node.url}/?product={SHIP}")
        wait_for_map(page)
        keep_picture(page, f"people-phone-{scheme}")
        watched.check()


def test_who_is_signed_out_sees_nothing(browser, node):
    with open_page(browser, f"{node.url}/?product={SHIP}", TOKEN) as watched:
        page = watched.page
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{node.url}/?product={SHIP}")
        expect(page.locator("#token")).to_be_visible()
        assert "Odesa" not in page.content()
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#card h2")).to_have_text("Odesa, outer roads and Lanzheron")


def test_the_policy_stops_a_script_that_somebody_slipped_in(browser, node):
    """The watch itself works: a violation is heard."""
    with open_page(browser, node.url + "/partners", TOKEN) as watched:
        watched.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
        )
        assert watched.page.evaluate("window.bad") is None
        assert any("Content Security Policy" in complaint for complaint in watched.complaints)
