"""The pages over a desk that is not real: who gets which answer."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import io
import json
import re
from pathlib import Path

import httpx
import pytest
from browser.fake_desk import HUR, PORT, RANGE, SHIP, TOKEN, FakeDesk, product_id
from PIL import Image

from kizuna.catalog.store import Item
from kizuna.errors import LogDamaged, Message
from kizuna.model.instants import Interval, parse_instant
from kizuna.model.product import make_product_id
from kizuna.web.files import byte_range
from kizuna.web.pages import people_app
from kizuna.web.signin import Sessions, safe_return
from kizuna.web.views import read_terms, time_span

ROOT = Path(__file__).resolve().parents[3]
BEARER = {"authorization": f"Bearer {TOKEN}"}
HTML = {"accept": "text/html"}
GUARDED = [
    "/",
    f"/products/{SHIP}",
    f"/products/{SHIP}/assets/quicklook",
    f"/tiles/{SHIP}/8/149/90",
    "/footprints.json",
    "/partners",
    "/agreements",
]


class Client:
    """Asks an application in this process; keeps cookies and follows no redirect."""

    def __init__(self, app, url="http://node.test"):
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)
        self.cookies = self._client.cookies

    def get(self, path, **options):
        return asyncio.run(self._client.get(path, **options))

    def post(self, path, **options):
        return asyncio.run(self._client.post(path, **options))


def same(sentence: str) -> str:
    return sentence


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def client(desk) -> Client:
    french = {"Products": "Produits"}
    app = people_app(desk, {"en": same, "fr": lambda sentence: french.get(sentence, sentence)})
    return Client(app)


@pytest.mark.parametrize("path", GUARDED)
def test_without_a_token_tools_are_asked_for_one_and_browsers_are_led_to_the_form(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "Odesa" not in answer.text
    page = client.get(path, headers=HTML)
    assert page.status_code == 303
    assert page.headers["location"].startswith("/signin?next=")
    assert "www-authenticate" not in client.get(path, headers={"sec-fetch-site": "same-origin"}).headers


@pytest.mark.parametrize("path", GUARDED)
def test_bearer_and_basic_open_every_route(client, path):
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    for value in (f"Bearer {TOKEN}", f"Basic {basic}"):
        assert client.get(path, headers={"authorization": value}).status_code == 200


@pytest.mark.parametrize(
    "value", ["Bearer wrong", "Bearer ", "Basic !!!", "Basic " + base64.b64encode(b"\xff:\xfe").decode(), "Digest x"]
)
def test_a_wrong_credential_opens_nothing(client, value):
    assert client.get("/", headers={"authorization": value}).status_code == 401


def test_the_form_gives_a_session_that_scripts_and_other_sites_cannot_use(client):
    answer = client.post("/signin", data={"token": TOKEN, "next": f"/?product={SHIP}"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/?product={SHIP}"
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Odesa" in client.get("/", headers=HTML).text
    kept = {"cookie": cookie.partition(";")[0]}
    assert client.get("/", headers=HTML | kept).status_code == 200
    client.post("/signout")
    client.cookies.clear()
    assert client.get("/", headers=HTML | kept).status_code == 303


def test_over_tls_the_session_cookie_is_secure(desk):
    client = Client(people_app(desk, {"en": same}), "https://node.test")
    assert "Secure" in client.post("/signin", data={"token": TOKEN}).headers["set-cookie"]


def test_a_revoked_token_ends_its_sessions_at_once(client, desk):
    client.post("/signin", data={"token": TOKEN})
    assert client.get("/", headers=HTML).status_code == 200
    desk.revoked = True
    assert client.get("/", headers=HTML).status_code == 303


def test_a_wrong_token_or_another_site_gets_no_session(client):
    assert "set-cookie" not in client.post("/signin", data={"token": "kz-wrong"}).headers
    forged = client.post("/signin", data={"token": TOKEN}, headers={"sec-fetch-site": "cross-site"})
    assert forged.status_code == 403
    assert "set-cookie" not in forged.headers
    client.post("/signin", data={"token": TOKEN})
    assert client.post("/signout", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.get("/", headers=HTML).status_code == 200


def test_a_form_without_end_is_cut_off(client):
    assert client.post("/signin", content=b"token=" + b"a" * 100_000).status_code == 413


@pytest.mark.parametrize(
    "path", ["https://elsewhere.test/", "//elsewhere.test/", "/\\elsewhere.test", "javascript:1", "", "/a\nb"]
)
def test_after_signing_in_nobody_is_led_elsewhere(path):
    assert safe_return(path) == "/"


def test_the_oldest_session_ends_when_there_are_too_many():
    ids = iter(str(number) for number in range(5000))
    sessions = Sessions(lambda: next(ids))
    for number in range(4097):
        sessions.open(f"token {number}")
    assert sessions.token("0") is None
    assert sessions.token("1") == "token 1"


@pytest.mark.parametrize("headers", [{}, HTML, {"hx-request": "true"}])
@pytest.mark.parametrize("form", ["/products/{}", "/?product={}", "/products/{}/assets/original", "/tiles/{}/3/4/2"])
def test_a_hidden_product_a_missing_one_and_nonsense_get_the_same_answer(client, desk, headers, form):
    hidden = SHIP
    desk.items = [item for item in desk.items if item.product.id != hidden]
    answers = [client.get(form.format(text), headers=BEARER | headers) for text in (hidden, product_id(77), "nonsense")]
    assert {answer.status_code for answer in answers} == {404}
    bodies = {answer.text.replace(text, "") for answer, text in zip(answers, (hidden, product_id(77), "nonsense"), strict=True)}
    assert len(bodies) == 1
    assert len({json.dumps(sorted(k for k in answer.headers)) for answer in answers}) == 1


def test_what_is_hidden_is_nowhere(client, desk):
    desk.items = [item for item in desk.items if item.product.id != SHIP]
    for path in ("/", "/footprints.json", f"/?product={PORT}"):
        text = client.get(path, headers=BEARER).text
        assert SHIP not in text
        assert "Odesa" not in text


class LongDesk(FakeDesk):
    """Holds `count` products of its own, and counts what it is asked to decide."""

    def __init__(self, count):
        super().__init__()
        (first, *_) = self.items
        self.ids = [make_product_id(number.to_bytes(16)) for number in range(1000, 1000 + count)]
        self.items = [Item(dataclasses.replace(first.product, id=id_)) for id_ in self.ids]
        self.decided = []

    def reads(self, person, product):
        return ()

    def releases(self, person, product):
        self.decided.append(product)
        return super().releases(person, SHIP)


def listed(text):
    return re.findall(r'class="row" data-product="([^"]+)"', text)


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@pytest.mark.parametrize(
    ("query", "first", "last", "said", "links"),
    [
        ("", 0, 200, "showing the newest 200 of 450", ["/?page=2"]),
        ("?page=1", 0, 200, "showing the newest 200 of 450", ["/?page=2"]),
        ("?page=2", 200, 400, "showing 201 to 400 of 450, newest first", ["/?page=1", "/?page=3"]),
        ("?page=3", 400, 450, "showing 401 to 450 of 450, newest first", ["/?page=2"]),
        ("?page=99", 400, 450, "showing 401 to 450 of 450, newest first", ["/?page=2"]),
        ("?page=" + "9" * 9000, 400, 450, "showing 401 to 450 of 450, newest first", ["/?page=2"]),
        ("?page=0", 0, 200, "showing the newest 200 of 450", ["/?page=2"]),
        ("?page=-1", 0, 200, "showing the newest 200 of 450", ["/?page=2"]),
        ("?page=²", 0, 200, "showing the newest 200 of 450", ["/?page=2"]),
    ],
)
def test_a_long_list_comes_in_pages_and_only_what_is_shown_is_decided(query, first, last, said, links):
    desk = LongDesk(450)
    text = Client(people_app(desk, {"en": same})).get("/" + query, headers=BEARER).text
    assert listed(text) == desk.ids[first:last]
    assert desk.decided == desk.ids[first:last]
    assert said in plain(text)
    assert "Products 450" in plain(text)
    assert re.findall(r'href="(/\?page=[^"]*)"', text) == links


def test_the_page_is_the_one_with_the_chosen_product_unless_another_is_asked_for():
    desk = LongDesk(450)
    client = Client(people_app(desk, {"en": same}))
    text = client.get(f"/?product={desk.ids[230]}", headers=BEARER).text
    assert listed(text) == desk.ids[200:400]
    assert text.count('aria-current="true"') >= 1
    assert 'class="close" href="/?page=2"' in text
    assert listed(client.get(f"/?product={desk.ids[230]}&page=3", headers=BEARER).text) == desk.ids[400:]


def test_what_is_hidden_is_not_counted():
    desk = LongDesk(250)
    desk.items = desk.items[:201]
    text = Client(people_app(desk, {"en": same})).get("/", headers=BEARER).text
    assert "showing the newest 200 of 201" in plain(text)
    assert "250" not in plain(text)


def test_a_short_list_has_no_pages():
    desk = LongDesk(200)
    text = Client(people_app(desk, {"en": same})).get("/", headers=BEARER).text
    assert len(listed(text)) == 200
    assert "showing" not in plain(text)
    assert "page=" not in text


def test_footprints_come_whole_and_undecided():
    desk = LongDesk(450)
    collection = Client(people_app(desk, {"en": same})).get("/footprints.json", headers=BEARER).json()
    assert len(collection["features"]) == 450
    assert desk.decided == []


def test_htmx_gets_the_card_alone(client):
    card = client.get(f"/products/{RANGE}", headers=BEARER | {"hx-request": "true"})
    assert "<html" not in card.text
    assert card.text.lstrip().startswith("<article")
    page = client.get(f"/products/{RANGE}", headers=BEARER)
    assert "<html" in page.text
    assert "hx-request" in page.headers["vary"].lower()


def test_the_card_of_a_received_product_states_its_terms(client):
    text = re.sub(r"\s+", " ", client.get(f"/products/{PORT}", headers=BEARER).text)
    assert "Received from UKR/HUR" in text
    assert "It goes on to others only with the consent of its originator UKR/HUR." in text
    assert "Article 2 of IQPS-HUR-2025 lets UKR/HUR give this." in text
    assert "the receiver may not pass it on" in text
    assert "a product that is not here" in text
    assert "UKR Таємно REL TO JPN/IQPS" in text


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"reasons": 3}', '{"reasons": [3, null]}', '{"obligations": {}}', "null"])
def test_terms_that_cannot_be_read_are_left_out(text):
    assert read_terms(text) is None


def test_terms_of_a_stranger_are_shown_as_text(client, desk):
    reason = {"text": "<script>x</script>", "from": "soon", "version": True}
    evil = json.dumps({"reasons": [reason], "obligations": [{"kind": "new", "value": "{x}"}]})
    desk.items[0] = type(desk.items[0])(desk.items[0].product, HUR, evil)
    text = client.get(f"/products/{SHIP}", headers=BEARER).text
    assert "<script>x" not in text
    assert "&lt;script&gt;x" in text
    assert "new {x}" in text


def test_every_answer_carries_the_policy_and_is_not_kept(client):
    for path in [*GUARDED, "/signin", "/healthz", "/nowhere"]:
        headers = client.get(path, headers=BEARER).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "private, no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_vendored_files_may_be_kept_for_good_and_others_not(client):
    vendored = client.get("/static/vendor/htmx.org-4.0.1/htmx.min.js")
    assert "immutable" in vendored.headers["cache-control"]
    assert client.get("/static/kizuna.css").headers["cache-control"] == "no-cache"
    part = client.get("/static/basemap.pmtiles", headers={"range": "bytes=0-6"})
    assert part.status_code == 206
    assert part.content == b"PMTiles"


def test_a_file_comes_whole_or_by_range(client):
    path = f"/products/{SHIP}/assets/quicklook"
    whole = client.get(path, headers=BEARER)
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(path, headers=BEARER | {"range": "bytes=8-15"})
    assert part.status_code == 206
    assert part.content == whole.content[8:16]
    assert part.headers["content-range"] == f"bytes 8-15/{len(whole.content)}"
    assert client.get(path, headers=BEARER | {"range": "bytes=99999999-"}).status_code == 416
    assert whole.headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize(
    ("header", "span"),
    [(None, (0, 10)), ("bytes=3-", (3, 10)), ("bytes=-3", (7, 10)), ("bytes=-30", (0, 10)), ("bytes=2-99", (2, 10)),
     ("bytes=10-", None), ("bytes=5-3", None), ("bytes=0-1,4-5", (0, 10)), ("bytes=-", (0, 10)), ("lines=1-2", (0, 10))],
)  # fmt: skip
def test_ranges(header, span):
    assert byte_range(header, 10) == span


def test_a_tile_that_the_image_does_not_reach_is_see_through(client):
    inside = client.get(f"/tiles/{SHIP}/8/149/90", headers=BEARER)
    assert inside.headers["content-type"] == "image/webp"
    outside = client.get(f"/tiles/{SHIP}/8/0/0", headers=BEARER)
    assert outside.status_code == 200
    assert outside.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(outside.content)).convert("RGBA").getextrema()[3] == (0, 0)
    for path in (f"/tiles/{SHIP}/8/256/0", f"/tiles/{SHIP}/25/0/0", f"/tiles/{SHIP}/8/-1/0", f"/tiles/{SHIP}/a/0/0"):
        assert client.get(path, headers=BEARER).status_code == 404


def test_footprints_are_geojson_and_say_where_a_position_is_nominal(client):
    collection = client.get("/footprints.json", headers=BEARER).json()
    assert {feature["properties"]["product"]: feature["properties"]["nominal"] for feature in collection["features"]} == {
        SHIP: False,
        RANGE: True,
        PORT: False,
    }


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [("", "", "en"), ("", "fr-FR,fr;q=0.9,en;q=0.5", "fr"), ("", "en;q=0.4,fr;q=0.8", "fr"), ("", "de,it;q=x", "en"),
     ("?lang=fr", "en", "fr"), ("?lang=xx", "en", "en")],
)  # fmt: skip
def test_the_language_follows_the_reader(client, query, header, language):
    text = client.get("/" + query, headers=BEARER | {"accept-language": header}).text
    assert f'<html lang="{language}">' in text
    assert ("Produits" in text) == (language == "fr")


def test_a_chosen_language_stays(client):
    client.get("/?lang=fr", headers=BEARER)
    assert '<html lang="fr">' in client.get("/partners", headers=BEARER).text


def test_a_node_that_cannot_go_on_says_why_to_its_own_people_only(client, desk, monkeypatch):
    client.post("/signin", data={"token": TOKEN})

    def fail(*_):
        raise LogDamaged(Message("entry {index} does not verify", {"index": 3}), hint=Message("restore it"))

    monkeypatch.setattr(desk, "products", fail)
    page = client.get("/", headers=HTML)
    assert page.status_code == 503
    assert "entry 3 does not verify" in page.text
    assert "restore it" in page.text
    client.cookies.clear()
    assert "entry 3" not in client.get("/", headers=BEARER | HTML).text


def test_what_was_taken_away_is_said_in_words(client, desk):
    product = desk.items[0].product
    desk.items[0] = Item(dataclasses.replace(product, reductions=("detected-only", "a-later-kind"), resolution_m=212.4))
    text = client.get(f"/products/{SHIP}", headers=BEARER).text
    assert "detected image only, a-later-kind" in text
    assert "212 m" in text


def test_times_are_told_in_utc():
    begin, soon, later = (
        parse_instant(text) for text in ("2025-06-22T03:14:07Z", "2025-06-22T03:14:20Z", "2025-06-22T05:00:00Z")
    )
    assert time_span(Interval(begin, soon)) == "2025-06-22 03:14:07Z"
    assert time_span(Interval(begin)) == "2025-06-22 03:14:07Z"
    day, next_day = parse_instant("2025-06-22"), parse_instant("2025-06-23")
    assert time_span(Interval(day, next_day)) == "2025-06-22Z"
    assert time_span(Interval(begin, next_day)) == "2025-06-22 03:14:07Z – 2025-06-23 00:00:00Z"
    assert time_span(Interval(begin, later)) == "2025-06-22 03:14:07Z – 05:00:00Z"


@pytest.mark.parametrize("listed", ["src/kizuna/web/static/vendor/vendor.json", "tests/browser/vendor/vendor.json"])
def test_vendored_files_are_those_that_were_listed(listed):
    folder = (ROOT / listed).parent
    entries = {entry["path"]: entry for entry in json.loads((ROOT / listed).read_text())}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"vendor.json"}
    assert there == set(entries)
    notice = (ROOT / "THIRD_PARTY.md").read_text()
    for path, entry in entries.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["sha256"] in notice
        assert f"{entry['package']} {entry['version']}" in notice
