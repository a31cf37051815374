"""The pages of a node for its own people: map, list, card with "who can see it, and why", partners, agreements.

Every view is a page at its own address and works without scripts; with scripts, a click on a row or on a footprint fetches the
card alone. A product that is hidden and one that does not exist get the same answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from kizuna.errors import InputError, KizunaError
from kizuna.model.instants import format_instant
from kizuna.model.product import AssetRole, parse_product_id
from kizuna.node.access import Act, may
from kizuna.node.reads import form_message
from kizuna.web import signin, views
from kizuna.web.desk import PeopleDesk
from kizuna.web.files import file_response
from kizuna.web.metrics import METRICS_TYPE
from kizuna.web.stac import PEOPLE_PATH, StacFace
from kizuna.web.stac_items import people_asset_path
from kizuna.web.tiles import TileFace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike, stat_result

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kizuna.catalog.store import Item
    from kizuna.model.product import ProductId
    from kizuna.web.desk import Person
    from kizuna.web.stac import StacDesk
    from kizuna.web.tiles import TileDesk

    Translate = Callable[[str], str]

__all__ = ["PeopleDesk", "people_app"]

_STATIC = Path(__file__).parent / "static"
_LANGUAGE_COOKIE = "kizuna-lang"
_LANGUAGE_NAMES = {"en": "English", "fr": "Français", "uk": "Українська", "ja": "日本語"}
_FORM_LIMIT = 8192
_MAX_ZOOM = 24
# What is asked by POST.
_QUESTIONS = ("/search", "/aggregate")
_PAGE_ROWS = 200

_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

# One transparent pixel: what a map gets where an image has no tile.
_EMPTY_TILE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000b49444154789c6360000200000500017a5eab3f0000000049454e44ae426082"
)


class _Headers:
    """Middleware that puts the security headers on every answer, and `no-store` on those that set nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                wanted = {**_HEADERS, "cache-control": "private, no-store"}
                message["headers"] = [
                    *message["headers"],
                    *((n.encode(), v.encode()) for n, v in wanted.items() if n.encode() not in present),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Static(StaticFiles):
    """The pages' own files. A folder of `vendor` names its version, so that what lies in it never changes."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        fixed = (_STATIC / "vendor") in Path(full_path).parents
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if fixed else "no-cache"
        return response


def _base_map(_request: Request) -> Response:
    # By ranges, hence outside the compressing mount.
    return FileResponse(
        _STATIC / "basemap.pmtiles", media_type="application/octet-stream", headers={"cache-control": "public, max-age=86400"}
    )


def _environment(language: str, translate: Translate) -> Environment:
    environment = Environment(
        loader=PackageLoader("kizuna.web"),
        autoescape=select_autoescape(default=True),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # No sentence of the pages has a plural form: a count stands beside its word.
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        translate, lambda one, many, count: translate(one if count == 1 else many), newstyle=True
    )

    def sentence_of(rule: str) -> str | None:
        sentence = views.rule_sentence(rule)
        return None if sentence is None else translate(sentence)

    environment.globals["language"] = language
    environment.filters |= {
        "say": lambda message: message.render(translate),
        "rule": sentence_of,
        "iso": format_instant,
        "time": views.short_time,
        "span": views.time_span,
        "metres": views.metres,
        "form": form_message,
        "reduction": views.reduction_message,
        "size": views.size_text,
        "sight": views.sight_of,
        "terms": views.read_terms,
        "obligation": views.obligation_message,
    }
    return environment


def _wanted_language(request: Request, known: Mapping[str, object]) -> str:
    for asked in (request.query_params.get("lang", ""), request.cookies.get(_LANGUAGE_COOKIE, "")):
        if asked in known:
            return asked
    ranked: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "").split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), name.lower().partition("-")[0]))
        except ValueError:
            continue
    return next((name for _, name in sorted(ranked, key=lambda entry: entry[0]) if name in known), "en")


def _asked_page(text: str | None, items: Sequence[Item], selected: Item | None, pages: int) -> int:
    """Number of the page to list, from 1: the one that was asked for, else the one on which the chosen product stands."""
    if text is not None and text.isascii() and text.isdecimal():
        return min(max(1, int(text[:9])), pages)
    ids = (item.product.id for item in items)
    place = next((place for place, id_ in enumerate(ids) if selected is not None and id_ == selected.product.id), 0)
    return place // _PAGE_ROWS + 1


class _Pages:
    """The endpoints. Those that read the store are plain functions, which Starlette runs in its threads."""

    def __init__(self, desk: PeopleDesk, translators: Mapping[str, Translate], identity_header: str) -> None:
        self._desk = desk
        self._identity_header = identity_header
        self._translators = translators
        self._environments = {language: _environment(language, translate) for language, translate in translators.items()}
        self._sessions = signin.Sessions()
        # Cookies are kept by host, not by port: two nodes on one host must not sign each other out.
        self._cookie = "kizuna-" + desk.organisation.replace("/", "-")

    # -- answering -------------------------------------------------------------------------------------------------

    def _page(self, request: Request, template: str, values: Mapping[str, object], code: int = 200) -> Response:
        language = _wanted_language(request, self._environments)
        others = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
        links = {known: "?" + urlencode([*others, ("lang", known)]) for known in self._environments}
        languages = [(known, _LANGUAGE_NAMES.get(known, known), link) for known, link in links.items()]
        text = (
            self._environments[language]
            .get_template(template)
            .render(
                organisation=self._desk.organisation,
                organisation_name=self._desk.organisation_name,
                languages=languages,
                path=request.url.path,
                **{"person": None, "marking": None} | dict(values),
            )
        )
        response = HTMLResponse(text, code, {"vary": "Accept-Language, Cookie, HX-Request"})
        if request.query_params.get("lang") == language:
            response.set_cookie(_LANGUAGE_COOKIE, language, max_age=31536000, samesite="strict", httponly=True)
        return response

    def _failure(self, request: Request, status: int, error: KizunaError | None = None) -> Response:
        if "hx-request" in request.headers or signin.wants_page(request):
            page = "fragments/failure.html" if "hx-request" in request.headers else "failure.html"
            return self._page(request, page, {"status": status, "error": error}, status)
        return PlainTextResponse({403: "forbidden\n", 404: "not found\n"}.get(status, "failed\n"), status)

    def failed(self, request: Request, error: Exception) -> Response:
        """Answer to an error that carries a status; for every 404 the same."""
        return self._failure(request, error.status_code if isinstance(error, HTTPException) else 500)

    def unable(self, request: Request, error: Exception) -> Response:
        """Answer where the node itself cannot go on (disk full, damaged log); what ails it is told to its own people only."""
        inside = self._sessions.token(request.cookies.get(self._cookie, "")) is not None
        return self._failure(request, 503, error if inside and isinstance(error, KizunaError) else None)

    def _person(self, request: Request) -> Person | None:
        token = signin.presented_token(request, self._sessions, self._cookie, self._identity_header)
        return None if token is None else self._desk.sign_in(token)

    def signed_in(
        self, endpoint: Callable[[Request, Person], Response], act: Act | None = Act.SEE_PRODUCTS
    ) -> Callable[[Request], Response]:
        """Endpoint for people who signed in; others are sent to the sign-in page, tools are asked for a token.

        Parameters
        ----------
        endpoint
            Answers.
        act
            What the endpoint lets a person do: whose role does not allow it is refused. None: it may do more than see, and what a
            request does is told by how it asks (`_act_of`).
        """

        def guarded(request: Request) -> Response:
            person = self._person(request)
            if person is not None:
                asked = _act_of(request) if act is None else act
                if asked is Act.RELEASE and signin.from_elsewhere(request):
                    # A browser that the proxy signed in could be made to send it.
                    raise HTTPException(403)
                if not may(person.role, asked):
                    raise HTTPException(404 if asked is Act.SEE_NUMBERS else 403)
                return endpoint(request, person)
            back = request.url.path + ("?" + request.url.query if request.url.query else "")
            if signin.wants_page(request):
                return RedirectResponse("/signin?next=" + quote(back, safe=""), 303)
            headers = {} if signin.is_browser(request) else {"www-authenticate": 'Basic realm="kizuna", charset="UTF-8"'}
            if "hx-request" in request.headers:
                headers["hx-redirect"] = "/signin"
            return PlainTextResponse("sign in with an access token\n", 401, headers)

        return guarded

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _row(self, person: Person, item: Item) -> views.Row:
        if item.received_from is not None:
            return views.Row(item, ())
        releases = self._desk.releases(person, item.product.id)
        return views.Row(item, tuple((release, views.sight_of(release.decision)) for release in releases))

    def _item(self, person: Person, text: str) -> Item:
        try:
            product = parse_product_id(text)
        except InputError:
            raise HTTPException(404) from None
        item = self._desk.product(person, product)
        if item is None:
            raise HTTPException(404)
        return item

    def _card(self, person: Person, item: Item) -> dict[str, object]:
        known: dict[ProductId, Item] = {}
        for parent in item.product.lineage:
            found = self._desk.product(person, parent)
            if found is not None:
                known[parent] = found
        return {
            "item": item,
            "releases": self._desk.releases(person, item.product.id),
            "reads": self._desk.reads(person, item.product.id),
            "known": known,
            "quicklook": item.product.asset(AssetRole.QUICKLOOK),
        }

    def entrance(self, request: Request, person: Person) -> Response:
        """First page: the products, for who may see them; else how the exchange stands."""
        return self.home(request, person) if may(person.role, Act.SEE_PRODUCTS) else RedirectResponse("/partners", 303)

    def home(self, request: Request, person: Person) -> Response:
        """Map, list and the card of the product that the address names."""
        items = self._desk.products(person)
        asked = request.query_params.get("product")
        selected = None if asked is None else self._item(person, asked)
        labels = [item.product.label for item in items]
        pages = max(1, -(-len(items) // _PAGE_ROWS))
        page = _asked_page(request.query_params.get("page"), items, selected, pages)
        first = (page - 1) * _PAGE_ROWS
        # A decision is made for each row and partner: only for the rows that are shown.
        shown = items[first : first + _PAGE_ROWS]
        values: dict[str, object] = {
            "person": person,
            "marking": self._desk.highest_marking(labels) if labels else None,
            "rows": [self._row(person, item) for item in shown],
            "total": len(items),
            "first": first + 1,
            "page": page,
            "pages": pages,
            "selected": None if selected is None else selected.product.id,
        }
        return self._page(request, "home.html", values | ({"item": None} if selected is None else self._card(person, selected)))

    def product(self, request: Request, person: Person) -> Response:
        """One card: alone for htmx, else as a page."""
        item = self._item(person, request.path_params["product"])
        template = "fragments/card.html" if "hx-request" in request.headers else "product.html"
        values = {"person": person, "marking": item.product.label.marking}
        return self._page(request, template, values | self._card(person, item))

    def asset(self, request: Request, person: Person) -> Response:
        """One file of a product."""
        item = self._item(person, request.path_params["product"])
        role = request.path_params["role"]
        found = self._desk.asset(person, item.product.id, AssetRole(role)) if role in {r.value for r in AssetRole} else None
        if found is None:
            raise HTTPException(404)
        return file_response(*found, request.headers.get("range"))

    def tile(self, request: Request, person: Person) -> Response:
        """One tile of a product's image; transparent where it has none."""
        item = self._item(person, request.path_params["product"])
        z, x, y = (request.path_params[name] for name in "zxy")
        if z > _MAX_ZOOM or x >= 1 << z or y >= 1 << z:
            raise HTTPException(404)
        data = self._desk.tile(person, item.product.id, z, x, y) or _EMPTY_TILE
        return Response(data, media_type="image/webp" if data[:4] == b"RIFF" else "image/png")

    def footprints(self, _request: Request, person: Person) -> Response:
        """Footprints of what this person may see, as GeoJSON."""
        features = [views.footprint_feature(item.product) for item in self._desk.products(person)]
        collection = {"type": "FeatureCollection", "features": [feature for feature in features if feature is not None]}
        return Response(json.dumps(collection, ensure_ascii=False), media_type="application/geo+json")

    def partners(self, request: Request, person: Person) -> Response:
        """Health of the exchange."""
        return self._page(request, "partners.html", {"person": person, "partners": self._desk.status(person)})

    def agreements(self, request: Request, person: Person) -> Response:
        """Agreements that the node knows."""
        return self._page(request, "agreements.html", {"person": person, "agreements": self._desk.agreements(person)})

    # -- signing in and out ----------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Response:
        """Sign-in page; its form posts the token, which is kept out of the address and out of the cookie."""
        back = signin.safe_return(request.query_params.get("next", "/"))
        if request.method != "POST":
            return self._page(request, "signin.html", {"back": back, "refused": False})
        form = await _read_form(request)
        token, back = form.get("token", "").strip(), signin.safe_return(form.get("next", "/"))
        known = bool(token) and not signin.from_elsewhere(request)
        person = await run_in_threadpool(self._desk.sign_in, token) if known else None
        if person is None:
            return self._page(request, "signin.html", {"back": back, "refused": True}, 403)
        response = RedirectResponse(back, 303)
        secure = request.url.scheme == "https"
        response.set_cookie(self._cookie, self._sessions.open(token), httponly=True, samesite="strict", secure=secure)
        return response

    def sign_out(self, request: Request) -> Response:
        """End the session."""
        if signin.from_elsewhere(request):
            raise HTTPException(403)
        self._sessions.close(request.cookies.get(self._cookie, ""))
        response = RedirectResponse("/signin", 303)
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return response

    def health(self, _request: Request) -> Response:
        """Sign of life."""
        return JSONResponse({"status": "ok"})


def _act_of(request: Request) -> Act:
    """What a request of the catalogue does: a question, or a change."""
    asks = request.method in {"GET", "HEAD"} or (request.method == "POST" and request.url.path.endswith(_QUESTIONS))
    return Act.SEE_PRODUCTS if asks else Act.RELEASE


async def _read_form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT:
            raise HTTPException(413)
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def people_app(
    desk: PeopleDesk,
    translators: Mapping[str, Translate],
    metrics: Callable[[], str] = str,
    catalogue: StacDesk | None = None,
    tiles: TileDesk | None = None,
    identity_header: str = "authorization",
) -> ASGIApp:
    """Pages of one node, as a plain ASGI callable.

    Parameters
    ----------
    desk
        What a person at this node may see.
    translators
        Gettext function by language code; ``"en"`` must be among them.
    metrics
        What the node counts, in the text format of Prometheus.
    catalogue
        What answers searches; None: there is no STAC API.
    tiles
        What says what may be drawn; None: there are no map tiles beside it.
    identity_header
        Header in which a proxy passes on the token of whom it signed in.
    """
    pages = _Pages(desk, translators, identity_header)

    def counted(_request: Request, _person: Person) -> Response:
        """Numbers for the operator's monitoring; to others the address does not exist."""
        return Response(metrics(), headers={"content-type": METRICS_TYPE})

    guard = pages.signed_in
    routes: list[BaseRoute] = [
        Route("/", guard(pages.entrance, Act.SEE_PARTNERS)),
        Route("/products/{product}", guard(pages.product)),
        Route("/products/{product}/assets/{role}", guard(pages.asset)),
        Route("/tiles/{product}/{z:int}/{x:int}/{y:int}", guard(pages.tile)),
        Route("/footprints.json", guard(pages.footprints)),
        Route("/partners", guard(pages.partners, Act.SEE_PARTNERS)),
        Route("/agreements", guard(pages.agreements, Act.SEE_AGREEMENTS)),
        Route("/signin", pages.sign_in, methods=["GET", "POST"]),
        Route("/signout", pages.sign_out, methods=["POST"]),
        Route("/healthz", pages.health),
        Route("/metrics", guard(counted, Act.SEE_NUMBERS)),
        Route("/static/basemap.pmtiles", _base_map),
        Mount("/static", GZipMiddleware(_Static(directory=_STATIC), minimum_size=1024)),
    ]
    if catalogue is not None:
        faces: list[StacFace | TileFace] = [StacFace(catalogue, PEOPLE_PATH, desk.organisation_name, people_asset_path)]
        if tiles is not None:
            faces.append(TileFace(tiles, PEOPLE_PATH, desk.organisation_name))
        for each in faces:
            routes += each.routes(lambda endpoint: guard(lambda request, _person: endpoint(request, None), None))
    handlers = {HTTPException: pages.failed, KizunaError: pages.unable}
    return Starlette(routes=routes, middleware=[Middleware(_Headers)], exception_handlers=handlers)
