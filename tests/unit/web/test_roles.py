"""Each route of the people's listener lets do only what the person's role allows; and by whichever way somebody signs in."""

from __future__ import annotations

import asyncio
import base64
import re

import httpx
import pytest
from simulators.nodes import HUR, IQPS, World
from simulators.products import product_id
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kizuna.catalog.column_index import ColumnIndex
from kizuna.node.access import Act, Person, give_access, issue_token, may, revoke_access
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.people import PeopleRoom
from kizuna.node.tiles import Tiles
from kizuna.web.pages import _Pages, people_app

ROLES = ("analyst", "officer", "operator")
OPEN = {"/signin", "/signout", "/healthz", "/static/basemap.pmtiles"}
OTHERS = {"/partners": Act.SEE_PARTNERS, "/agreements": Act.SEE_AGREEMENTS, "/metrics": Act.SEE_NUMBERS}
HEADER = "x-signed-identity"


def identified(token):
    """Stands for `kizuna.adapters.oidc`, whose own tests say whom it believes."""
    return {"signed.aiko.token": Person("aiko", "analyst"), "signed.chief.token": Person("chief", "chief")}.get(token)


@pytest.fixture
def world():
    made = World()
    made.node(IQPS)
    made.node(HUR)
    made.befriend(IQPS, HUR)
    made.take_in(IQPS, 1)
    return made


def app_of(world):
    node = world.node(IQPS)
    catalogue = Catalogue(node, ColumnIndex(node.store.items, IQPS, detected_remains))
    tiles = Tiles(node, catalogue, in_background=False)
    return people_app(PeopleRoom(node, lambda *_: None, identified), {"en": str}, str, catalogue, tiles, HEADER)


def client_of(app, **headers):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers)


@pytest.fixture
def ask(world):
    app = app_of(world)

    def asked(method, path, **headers):
        async def once():
            async with client_of(app, **headers) as client:
                return await client.request(method, path)

        return asyncio.run(once())

    asked.app = app
    return asked


def token_of(world, role):
    with world.node(IQPS).store.transaction():
        return issue_token(world.node(IQPS), role, role)


def filled(path):
    values = {"product": product_id(1), "item": product_id(1), "role": "quicklook", "collection": "imagery"}
    return re.sub(r"{(\w+)(?::\w+)?}", lambda match: values.get(match[1], "0"), path)


def act_of(method, path):
    if path.startswith("/stac") and method not in {"GET", "HEAD"} and not path.endswith(("/search", "/aggregate")):
        return Act.RELEASE
    return OTHERS.get(path, Act.SEE_PRODUCTS)


def test_each_route_lets_do_what_the_role_allows(world, ask):
    asked = {(m, r.path) for r in ask.app.routes if isinstance(r, Route) and r.path not in OPEN for m in r.methods}
    assert len(asked) > 30
    for role in ("nobody", "chief", *ROLES):
        bearer = {} if role == "nobody" else {"authorization": f"Bearer {token_of(world, role)}"}
        for method, path in sorted(asked):
            status = ask(method, filled(path), **bearer).status_code
            if role in {"nobody", "chief"}:
                assert status == 401, (role, method, path)
            elif path == "/":
                assert status == (303 if role == "operator" else 200), (role, method, path)
            elif may(role, act_of(method, path)):
                assert status not in {401, 403}, (role, method, path, status)
            else:
                assert status == (404 if path == "/metrics" else 403), (role, method, path)


def test_one_credential_opens_item_thumbnail_file_and_tile_as_bearer_and_as_password(world, ask):
    given, token = give_access(world.node(IQPS), Person("aiko", "analyst"), "QGIS")
    basic = base64.b64encode(f"whoever:{token}".encode()).decode()
    paths = [
        f"/stac/collections/imagery/items/{product_id(1)}",
        f"/products/{product_id(1)}/assets/quicklook",
        f"/products/{product_id(1)}/assets/visual",
        f"/tiles/{product_id(1)}/0/0/0",
    ]
    for authorization in (f"Bearer {token}", f"Basic {basic}"):
        assert [ask("GET", path, authorization=authorization).status_code for path in paths] == [200] * 4
        assert ask("GET", paths[2], authorization=authorization, range="bytes=0-3").status_code == 206
    revoke_access(world.node(IQPS), given.id)
    for authorization in (f"Bearer {token}", f"Basic {basic}"):
        assert [ask("GET", path, authorization=authorization).status_code for path in paths] == [401] * 4


def test_a_token_in_the_proxys_header_signs_in_and_what_only_names_somebody_does_not(world, ask):
    token = token_of(world, "officer")
    assert ask("GET", "/stac", **{HEADER: "signed.aiko.token"}).status_code == 200
    assert ask("GET", "/metrics", **{HEADER: "signed.aiko.token"}).status_code == 404
    for told, status in (("aiko", 401), ("", 401), ("signed.chief.token", 403)):
        # Whatever else the request carries: the proxy said who it is.
        assert ask("GET", "/stac", **{HEADER: told, "authorization": f"Bearer {token}"}).status_code == status
    for name in ("x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username", "remote-user", "x-auth-request-user"):
        assert ask("GET", "/stac", **{name: "aiko"}).status_code == 401
    assert ask("GET", "/stac", authorization=f"Bearer {token}").status_code == 200


def test_the_proxys_header_counts_once(ask):
    async def twice():
        transport = httpx.ASGITransport(ask.app)
        headers = [(HEADER, "signed.aiko.token"), (HEADER, "signed.aiko.token")]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
            return await client.get("/stac")

    assert asyncio.run(twice()).status_code == 401


def test_a_change_that_another_site_caused_is_refused(world, ask):
    """A browser that a proxy signs in sends what a page elsewhere makes it send."""
    officer = {"authorization": f"Bearer {token_of(world, 'officer')}"}
    path = "/stac/changed"
    pages = _Pages(PeopleRoom(world.node(IQPS), lambda *_: None), {"en": str}, HEADER)
    app = Starlette(
        routes=[Route(path, pages.signed_in(lambda *_: PlainTextResponse("done"), None), methods=["GET", "POST"])],
        exception_handlers={HTTPException: pages.failed},
    )

    def status(method, **headers):
        async def once():
            async with client_of(app, **officer, **headers) as client:
                return (await client.request(method, path)).status_code

        return asyncio.run(once())

    for site in ("cross-site", "same-site"):
        assert status("POST", **{"sec-fetch-site": site}) == 403
        assert status("GET", **{"sec-fetch-site": site}) == 200
    assert status("POST", **{"sec-fetch-site": "same-origin"}) == 200
    assert status("POST") == 200


def test_the_card_says_which_partner_read_the_product(world, ask):
    world.agree(IQPS)
    node = world.node(IQPS)
    officer = {"authorization": f"Bearer {token_of(world, 'officer')}"}
    before = ask("GET", f"/products/{product_id(1)}", **officer).text
    assert "Read by partners" not in before
    Catalogue(node, ColumnIndex(node.store.items, IQPS, detected_remains)).item(product_id(1), HUR)
    told = ask("GET", f"/products/{product_id(1)}", **officer).text
    assert "Read by partners" in told
    assert "UKR/HUR: its item" in told
