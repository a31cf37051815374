"""Tricks by which a partner may try to learn of what is hidden from it, and walls that are broken on purpose to see that they tell.

Each trick is a list of requests about one product. What they answer about a hidden product must be what they answer about one that
is nowhere, and the same on a node that does not have the hidden ones.
"""
# ruff: noqa: E501 - a trick a line reads best

from __future__ import annotations

import base64
import dataclasses
import json
import re
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pytest
from simulators.leaks import ABSENT, EXCHANGE, ITEMS, STAC, Ask, Leaks, answers, posted, quicklook
from starlette.exceptions import HTTPException

from kizuna.catalog import sights
from kizuna.catalog.query import Query
from kizuna.catalog.tokens import Tokens
from kizuna.model.digests import digest_of
from kizuna.node import catalogue as node_catalogue
from kizuna.node import share
from kizuna.node.catalogue import Catalogue
from kizuna.node.share import Sharing
from kizuna.node.tiles import Tiles
from kizuna.release.columns import micros
from kizuna.release.decision import Outcome
from kizuna.web import tiles as web_tiles
from kizuna.web.stac import StacFace

NOWHERE = digest_of(b"nowhere")
TILE = "tiles/14/11668/7738.png"


@dataclass(frozen=True)
class Target:
    """A product to ask about: one that is shown, one that is hidden, or one that is nowhere."""

    id: str
    digest: str
    begin_us: int
    leaks: Leaks


def target(leaks, product):
    if product is None:
        return Target(ABSENT, NOWHERE, micros(leaks.shown[3].event.begin) + 1, leaks)
    begin = product.produced if product.event is None else product.event.begin
    return Target(product.id, quicklook(product), micros(begin), leaks)


def get(path, *headers):
    return Ask(path, headers=(("host", "node"), *headers))


def search(query):
    return Ask(f"{STAC}/search?{query}")


def filtered(text, more=""):
    return search(f"filter={quote(text)}{more}")


def cql2(document):
    return posted(f"{STAC}/search", {"filter": document, "filter-lang": "cql2-json"})


def forged(t, *, seal=b"\0" * 16):
    """Token with the position of the product."""
    return base64.urlsafe_b64encode(seal + json.dumps([t.begin_us, t.id]).encode()).decode().rstrip("=")


def sealed(t, caller, query):
    """Token that the node itself gave to another caller, or for another query, with the position of the product."""
    return t.leaks.catalogue._tokens.token(caller, query.told, (t.begin_us, t.id))


TRICKS = {
    # ---- an item by its address
    "an item by its id": lambda t: [Ask(ITEMS + t.id)],
    "an item by HEAD": lambda t: [Ask(ITEMS + t.id, "HEAD")],
    "an item by OPTIONS": lambda t: [Ask(ITEMS + t.id, "OPTIONS")],
    "an item by other methods": lambda t: [Ask(ITEMS + t.id, method) for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get")],
    "an overridden method": lambda t: [get(ITEMS + t.id, (name, "DELETE")) for name in ("x-http-method-override", "x-http-method", "x-method-override")],
    "a method in the query": lambda t: [Ask(f"{ITEMS}{t.id}?_method=DELETE"), Ask(f"{ITEMS}{t.id}?method=PUT")],
    "an id in lower case": lambda t: [Ask(ITEMS + t.id.lower())],
    "an id in percent signs": lambda t: [Ask(ITEMS + "".join(f"%{ord(c):02x}" for c in t.id)), Ask(f"{ITEMS}%25{ord(t.id[0]):02x}{t.id[1:]}")],
    "dot segments": lambda t: [Ask(f"{ITEMS}./{t.id}"), Ask(f"{ITEMS}x/../{t.id}"), Ask(f"{ITEMS}%2e%2e/items/{t.id}")],
    "slashes": lambda t: [Ask(f"{ITEMS}{t.id}/"), Ask(f"{ITEMS}/{t.id}"), Ask(f"{ITEMS}{t.id}%2f"), Ask(f"/{ITEMS}{t.id}")],
    "a suffix": lambda t: [Ask(f"{ITEMS}{t.id}{end}") for end in (".json", ";v=1", "%00", "%20", "%0a", ",", "%00.json")],
    "another collection": lambda t: [Ask(f"{STAC}/collections/{name}/items/{t.id}") for name in ("tracks", "none", "%2a", "")],
    "parameters of an item": lambda t: [Ask(f"{ITEMS}{t.id}?{query}") for query in ("fields=id", "f=json", "f=html", "token=x", "limit=0")],
    "a guessed ETag": lambda t: [get(ITEMS + t.id, ("if-none-match", value)) for value in ("*", '"0"', f'"{t.digest[-32:]}"')],
    "a condition in time": lambda t: [get(ITEMS + t.id, (name, "Sat, 01 Jan 2000 00:00:00 GMT")) for name in ("if-modified-since", "if-unmodified-since")],
    "a range of an item": lambda t: [get(ITEMS + t.id, ("range", span)) for span in ("bytes=0-0", "bytes=999999-", "bytes=-1")],
    "headers of proxies": lambda t: [get("/", (name, ITEMS + t.id)) for name in ("x-original-url", "x-rewrite-url", "x-forwarded-uri")],
    "an address that claims to be inside": lambda t: [get(ITEMS + t.id, ("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1"))],
    "other names of this host": lambda t: [get(ITEMS + t.id, ("host", "localhost")), get(ITEMS + t.id, ("host", "node"), ("host", "x"))],
    "a credential of people": lambda t: [get(ITEMS + t.id, ("authorization", "Bearer kz-x")), get(ITEMS + t.id, ("cookie", "kizuna-JPN-IQPS=x"))],
    "other forms of an answer": lambda t: [search(f"ids={t.id}&f={form}") for form in ("kml", "geoparquet", "json")] + [Ask(f"{ITEMS}{t.id}?f=kml")],
    "what is accepted": lambda t: [get(ITEMS + t.id, ("accept", kind)) for kind in ("text/html", "application/xml", "*/*;q=0")],
    "the people's addresses": lambda t: [Ask(f"/stac/collections/imagery/items/{t.id}"), Ask(f"/products/{t.id}"), Ask(f"/tiles/{t.id}/0/0/0")],
    # ---- searches
    "ids": lambda t: [search(f"ids={t.id}"), search(f"ids={t.id},{t.id}"), posted(f"{STAC}/search", {"ids": [t.id]})],
    "ids among those that are shown": lambda t: [search(f"ids={t.leaks.shown[0].id},{t.id},{t.leaks.shown[1].id}&limit={n}") for n in (1, 2, 3)],
    "a repeated parameter": lambda t: [search(f"ids={t.leaks.shown[0].id}&ids={t.id}"), search(f"ids={t.id}&ids={t.leaks.shown[0].id}")],
    "an id in a filter": lambda t: [filtered(f"id = '{t.id}'"), filtered(f"id IN ('{t.id}')"), filtered(f"id LIKE '{t.id}'"), filtered(f"NOT id <> '{t.id}'")],
    "an id in a filter in JSON": lambda t: [cql2({"op": "=", "args": [{"property": "id"}, t.id]}), cql2({"op": "in", "args": [{"property": "id"}, [t.id]]})],
    "an OR in a filter": lambda t: [filtered(f"id = '{t.id}' OR id = '{t.leaks.shown[0].id}'"), filtered(f"(id = '{t.id}' AND TRUE) OR FALSE")],
    "around an id": lambda t: [filtered(f"id >= '{t.id}' AND id <= '{t.id}'"), filtered(f"id BETWEEN '{t.id}' AND '{t.id}'")],
    "a filter that breaks out": lambda t: [filtered(f"id = '{t.id}'' OR 1=1"), filtered(f"id = '{t.id}') OR (TRUE"), filtered(f"TRUE --{t.id}")],
    "its very instant": lambda t: [search(f"datetime={_iso(t.begin_us)}&ids={t.id}"), search(f"datetime={_iso(t.begin_us)}/..&ids={t.id}")],
    "a page that ends there": lambda t: [search(f"ids={t.id},{t.leaks.shown[0].id}&limit=1&sortby={order}") for order in ("-gsd", "id", "-id", "-datetime")],
    "sorting by what is hidden": lambda t: [search(f"ids={t.id}&sortby={name}") for name in ("-security:classification", "platform", "gsd", "hidden")],
    "fields": lambda t: [search(f"ids={t.id}&fields={fields}") for fields in ("id", "properties.security:classification", "-id", "nothing")],
    "the query extension": lambda t: [posted(f"{STAC}/search", {"query": {"id": {"eq": t.id}}})],
    "a box of six numbers": lambda t: [search(f"bbox=-180,-90,0,180,90,9000&ids={t.id}"), posted(f"{STAC}/search", {"bbox": [-180, -90, 0, 180, 90, 1], "ids": [t.id]})],
    "a box of nothing": lambda t: [posted(f"{STAC}/search", {"bbox": [None, None], "ids": [t.id]}), search(f"bbox=null,null&ids={t.id}")],
    "a member twice": lambda t: [Ask(f"{STAC}/search", "POST", (("host", "node"), ("content-type", "application/json")), b'{"ids":["x"],"ids":["%s"]}' % t.id.encode())],
    "a body in another form": lambda t: [Ask(f"{STAC}/search", "POST", (("host", "node"), ("content-type", kind)), json.dumps({"ids": [t.id]}).encode()) for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16")],
    "a search that is too large": lambda t: [posted(f"{STAC}/search", {"ids": [t.id] * 1001}), posted(f"{STAC}/search", {"ids": [t.id], "x": "a" * 70_000}), filtered(" OR ".join([f"id = '{t.id}'"] * 400))],
    # ---- tokens
    "a made-up token with its position": lambda t: [search(f"limit=2&token={forged(t)}"), search(f"limit=2&token=next:imagery:{t.id}"), search(f"limit=2&token={t.id}")],
    "pgstac's token": lambda t: [search(f"token=next:{b'imagery'.hex()}:{t.id.encode().hex()}"), search(f"token=prev:imagery:{t.id}")],
    "a token of somebody else": lambda t: [search(f"limit=2&token={sealed(t, caller, Query())}") for caller in ("", "NZL", "UKR")],
    "a token of another search": lambda t: [search(f"limit=2&token={sealed(t, 'UKR/HUR', query)}") for query in (Query(ids=(t.id,)), Query(collections=("x",)))],
    "its own token, cut": lambda t: [search(f"limit=2&token={sealed(t, 'UKR/HUR', Query())[:-9]}")],
    # ---- counts
    "counts of an id": lambda t: [Ask(f"{STAC}/aggregate?aggregations={name}&ids={t.id}") for name in ("total_count", "datetime_min", "datetime_max", "platform_frequency")],
    "counts of all": lambda t: [Ask(f"{STAC}/aggregate?aggregations=total_count,platform_frequency,centroid_geohash_grid_frequency,datetime_max")],
    "counts behind a filter": lambda t: [posted(f"{STAC}/aggregate", {"aggregations": ["total_count"], "filter": {"op": "=", "args": [{"property": "id"}, t.id]}})],
    "extents and counts of collections": lambda t: [Ask(f"{STAC}/collections"), Ask(f"{STAC}/collections/imagery"), Ask(STAC), search(f"ids={t.id}&limit=1")],
    # ---- changes
    "an upsert in bulk": lambda t: [posted(f"{STAC}/collections/imagery/bulk_items", {"items": {t.id: {"id": t.id, "type": "Feature"}}, "method": "upsert"})],
    "an item that is there already": lambda t: [posted(ITEMS[:-1], {"type": "Feature", "id": t.id}), posted(ITEMS + t.id, {"id": t.id}, "PUT")],
    "a receipt for it": lambda t: [Ask(f"{EXCHANGE}/receipts", "POST", body=t.id.encode()), posted(f"{EXCHANGE}/receipts", {"payload": t.id, "payloadType": "x", "signatures": []})],
    # ---- pictures
    "a tile": lambda t: [Ask(f"{ITEMS}{t.id}/{TILE}"), Ask(f"{ITEMS}{t.id}/{TILE}", "HEAD"), Ask(f"{ITEMS}{t.id}/tiles/0/0/0.webp")],
    "a tile beyond the grid": lambda t: [Ask(f"{ITEMS}{t.id}/tiles/1/7/7.png"), Ask(f"{ITEMS}{t.id}/{TILE}?style=none"), Ask(f"{ITEMS}{t.id}/{TILE}?style=phase")],
    "a thumbnail and a map": lambda t: [Ask(f"{ITEMS}{t.id}/thumbnail"), Ask(f"{ITEMS}{t.id}/map?width=32&f=png"), Ask(f"{ITEMS}{t.id}/map?width=99999")],
    "a copy of a tile": lambda t: [get(f"{ITEMS}{t.id}/{TILE}", ("if-none-match", value)) for value in ("*", _tag(t), f"W/{_tag(t)}")],
    "beneath what is shown": lambda t: [Ask(f"{ITEMS}{t.leaks.shown[-1].id}/{TILE}?before={t.id}"), Ask(f"{ITEMS}{t.id}/{TILE}?before={t.leaks.shown[-1].id}")],
    "layers of maps": lambda t: [Ask(f"{STAC}/wmts?request=GetCapabilities"), Ask(f"{STAC}/wmts?request=GetTile&layer={t.id}&tilematrixset=WebMercatorQuad&tilematrix=14&tilerow=7738&tilecol=11668"), Ask(f"{ITEMS}{t.id}/wmts/1.0.0/WMTSCapabilities.xml"), Ask(f"{ITEMS}{t.id}/tilejson.json")],
    # ---- files
    "a file by its digest": lambda t: [Ask(f"{EXCHANGE}/blobs/{t.digest}"), Ask(f"{EXCHANGE}/blobs/{t.digest}", "HEAD")],
    "a part of a file": lambda t: [get(f"{EXCHANGE}/blobs/{t.digest}", ("range", span)) for span in ("bytes=0-0", "bytes=999999999-", "bytes=-1", "bytes=x", "bytes=0-0,2-2")],
    "a file among others": lambda t: [Ask(f"{EXCHANGE}/blobs/{quicklook(t.leaks.shown[0])},{t.digest}"), Ask(f"{EXCHANGE}/blobs/{t.digest},{t.digest}")],
    "a digest in another form": lambda t: [Ask(f"{EXCHANGE}/blobs/{form}") for form in (t.digest.upper(), t.digest.removeprefix("sha256:"), t.digest.replace(":", "%3a"), t.digest + "/")],
    # ---- the feed
    "the feed": lambda t: [Ask(f"{EXCHANGE}/feed"), Ask(f"{EXCHANGE}/feed?after=3&limit=2"), Ask(f"{EXCHANGE}/feed?after=9999"), Ask(f"{EXCHANGE}/feed?limit=1")],
}  # fmt: skip


def _iso(micros_):
    return np.datetime64(micros_, "us").item().isoformat(timespec="microseconds") + "Z"


def _tag(t):
    """ETag of the tile that people get, which a partner may have from elsewhere."""
    product = next((p for p in [*t.leaks.hidden, *t.leaks.shown] if p.id == t.id), None)
    return '"' + (product.content[-32:] if product is not None else "0" * 32) + '"'


def told(leaks, trick, product):
    """Answers of a trick about a product, its names blotted out: what is left must not hang on which one it was."""
    about = target(leaks, product)
    found = []
    for ask in TRICKS[trick](about):
        for _, (status, headers, body) in answers(leaks, [ask]):
            text = repr((status, headers, body))
            for name, value in (("ID", about.id), ("DIGEST", about.digest), ("WHEN", _iso(about.begin_us))):
                text = text.replace(value, name)
            # What was asked is part of what a token is sealed for.
            text = re.sub(r"(token=|token\W+:\W+)[\w-]{40,}", r"\1TOKEN", text)
            found.append(text)
    return found


@pytest.fixture(scope="module")
def without():
    return Leaks(withheld=False)


@pytest.fixture(scope="module")
def with_it():
    return Leaks(withheld=True)


def causes(leaks):
    """Hidden products, one for each cause, and one that can be drawn."""
    return [*leaks.hidden[:4], leaks.hidden[-1]]


def leaking(with_it, without, tricks=TRICKS):
    """Tricks that tell a hidden product from none."""
    found = set()
    for trick in tricks:
        nothing = None if trick in QUOTED else told(with_it, trick, None)
        for product in causes(with_it):
            if (nothing is not None and told(with_it, trick, product) != nothing) or not _same(with_it, without, trick, product):
                found.add(trick)
                break
    return found


def _same(with_it, without, trick, product):
    """Whether a node that does not have the product answers the same bytes."""
    asks = TRICKS[trick](target(with_it, product))
    return list(answers(with_it, asks)) == list(answers(without, asks))


# Their answers quote a part of the question, so that only the bytes of a node without the hidden ones compare.
QUOTED = {"a filter that breaks out", "a search that is too large"}


def test_there_are_tricks():
    assert len(TRICKS) >= 60


@pytest.mark.parametrize("trick", TRICKS)
def test_a_hidden_product_is_as_one_that_is_nowhere(with_it, without, trick):
    assert leaking(with_it, without, [trick]) == set()


# What tells nothing of what is shown either: the address exists for nobody.
TELLS_NOTHING = {
    "an item by OPTIONS", "an item by other methods", "dot segments", "another collection", "headers of proxies", "the people's addresses",
    "a box of nothing", "a search that is too large", "a made-up token with its position", "pgstac's token", "a token of somebody else",
    "a token of another search", "its own token, cut", "counts of all", "an upsert in bulk", "an item that is there already",
    "a receipt for it", "the feed", "an id in lower case", "a filter that breaks out", "a body in another form", "a suffix", "slashes",
    "an overridden method", "a member twice", "a method in the query", "a tile beyond the grid",
}  # fmt: skip


@pytest.mark.parametrize("trick", sorted(set(TRICKS) - TELLS_NOTHING))
def test_a_trick_tells_what_is_shown_from_what_is_nowhere(with_it, trick):
    """Else it would tell nothing of hidden ones for want of asking."""
    assert told(with_it, trick, with_it.shown[-1]) != told(with_it, trick, None)


# ---- walls, broken on purpose


def everything_found(patch):
    """The index finds what is hidden; only the second wall is left."""
    look = sights.look

    def careless(*asked):
        kept = look(*asked)
        return dataclasses.replace(kept, visible=np.ones_like(kept.visible))

    patch.setattr("kizuna.catalog.shelf.look", careless)


def everything_permitted(patch):
    everything_found(patch)
    permit, decide = Outcome.PERMIT, node_catalogue.decide_in

    def careless(*asked):
        return dataclasses.replace(decide(*asked), outcome=permit)

    patch.setattr(node_catalogue, "decide_in", careless)


def any_token(patch):
    """Tokens are believed, whoever made them."""
    patch.setattr("kizuna.catalog.tokens.hmac.compare_digest", lambda *_: True)


def tokens_of_anybody(patch):
    seal = Tokens._seal
    patch.setattr(Tokens, "_seal", lambda self, _caller, query, position: seal(self, "", query, position))


def tokens_of_any_search(patch):
    seal = Tokens._seal
    patch.setattr(Tokens, "_seal", lambda self, caller, _query, position: seal(self, caller, "", position))


def forbidden_instead_of_missing(patch):
    item = Catalogue.item

    def telling(self, product, partner, *form):
        found = item(self, product, partner, *form)
        if found is None and self._node.store.items.get(product) is not None:
            from kizuna.errors import InputError, Message

            raise InputError(Message("not for you"))
        return found

    patch.setattr(Catalogue, "item", telling)


def any_file(patch):
    """A file goes to whoever knows its digest."""
    allowed = Sharing._product_of

    def careless(self, peer, digest):
        return allowed(self, peer, digest) or ("x" if self._node.blobs.has(digest) else None)

    patch.setattr(Sharing, "_product_of", careless)


def size_of_any_file(patch):
    """A range beyond the end is looked at before who asks."""
    blob = Sharing.blob

    def careless(self, peer, digest, offset, length):
        found = blob(self, peer, digest, offset, length)
        if found is None and self._node.blobs.has(digest) and not length:
            from kizuna.node.share import BlobPart

            with self._node.blobs.open(digest) as source:
                return BlobPart(b"", source.seek(0, 2))
        return found

    patch.setattr(Sharing, "blob", careless)


def counts_of_the_store(patch):
    page = StacFace._page

    def counted(self, request, found, fields):
        answer = page(self, request, found, fields)
        document = json.loads(answer.body) | {"numberMatched": self._desk._node.store.items.count()}
        return type(answer)(json.dumps(document).encode(), answer.status_code, None, answer.media_type)

    patch.setattr(StacFace, "_page", counted)


def extents_of_the_store(patch):
    collection = StacFace._collection

    def measured(self, base, name):
        items = self._desk._node.store.items.all()
        latest = max(item.product.event.begin.isoformat() for item in items if item.product.event is not None)
        first = min(
            item.product.event.begin.isoformat() for item in self._desk._node.store.items.all() if item.product.event is not None
        )
        return collection(self, base, name) | {"extent": {"temporal": {"interval": [[first, latest]]}}}

    patch.setattr(StacFace, "_collection", measured)


def aggregation_of_all(patch):
    aggregate = Catalogue.aggregate
    patch.setattr(Catalogue, "aggregate", lambda self, query, asked, _partner: aggregate(self, query, asked, None))


def recalls_forgotten(patch):
    patch.setattr(Catalogue, "_recalled_from", lambda *_: frozenset())


def pictures_for_everybody(patch):
    sheet = Tiles.sheet
    patch.setattr(Tiles, "sheet", lambda self, product, _partner, *how: sheet(self, product, None, *how))


def style_before_the_product(patch):
    """What is wrong with the question is told after looking whether there is something to draw."""
    sheet = web_tiles.TileFace._sheet

    def telling(self, request, caller, drawn, before, name=None):
        product = request.path_params.get("item") if name is None else name
        if self._desk._node.store.items.get(product) is not None:
            try:
                return sheet(self, request, caller, drawn, before, name)
            except HTTPException:
                from kizuna.errors import InputError, Message

                raise InputError(Message("no such style")) from None
        return sheet(self, request, caller, drawn, before, name)

    patch.setattr(web_tiles.TileFace, "_sheet", telling)


def conflict_on_posting(patch):
    """A transaction that says 409 for what is there already, as pgstac's does."""
    ask = Leaks.ask

    def conflicting(self, asked, *party):
        if asked.method in {"POST", "PUT"} and asked.target.startswith(ITEMS[:-1]):
            body = json.loads(asked.body or b"{}")
            if self.node.store.items.get(str(body.get("id"))) is not None:
                return 409, [], b""
        return ask(self, asked, *party)

    patch.setattr(Leaks, "ask", conflicting)


def feed_of_everything(patch):
    """What waits to be released goes, permitted or not."""
    decider = share.decider

    def careless(node):
        decide = decider(node)
        return lambda *asked, **how: dataclasses.replace(decide(*asked, **how), outcome=Outcome.PERMIT)

    patch.setattr(share, "decider", careless)


BREAKS = {
    everything_found: {"a page that ends there", "ids among those that are shown", "counts of an id", "counts of all"},
    everything_permitted: {
        "an item by its id",
        "an item by HEAD",
        "ids",
        "an id in a filter",
        "a tile",
        "around an id",
        "its very instant",
    },
    any_token: {"a made-up token with its position"},
    tokens_of_anybody: {"a token of somebody else"},
    tokens_of_any_search: {"a token of another search"},
    forbidden_instead_of_missing: {"an item by its id", "a guessed ETag", "other names of this host", "what is accepted"},
    any_file: {"a file by its digest", "a part of a file", "a file among others"},
    size_of_any_file: {"a part of a file"},
    counts_of_the_store: {"extents and counts of collections"},
    extents_of_the_store: {"extents and counts of collections"},
    aggregation_of_all: {"counts of an id", "counts of all", "counts behind a filter"},
    recalls_forgotten: {"an item by its id", "ids", "an id in a filter in JSON"},
    pictures_for_everybody: {"a tile", "a thumbnail and a map", "beneath what is shown", "layers of maps"},
    style_before_the_product: {"a tile", "a tile beyond the grid"},
    conflict_on_posting: {"an item that is there already"},
    feed_of_everything: {"the feed"},
}


@pytest.mark.parametrize("wall", BREAKS, ids=lambda wall: wall.__name__)
def test_a_broken_wall_is_told(wall, without, monkeypatch):
    wall(monkeypatch)
    assert leaking(Leaks(withheld=True), without, BREAKS[wall]) == BREAKS[wall]
