"""A partner that asks for all that it can think of, at a node that withholds something and at one that does not have it.

Both nodes stand at one instant and draw the same randomness from there on, so that each answer can be compared byte by byte.
"""
# ruff: noqa: E501 - a request a line reads best

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
import json
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.store import Item
from kizuna.exchange.feed import Receipt, page_from_bytes, seal_receipt
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Label
from kizuna.model.product import AssetRole, Footprint
from kizuna.model.provenance import FactKind
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.messages import recalled_under
from kizuna.node.publish import publish
from kizuna.node.tiles import Tiles
from kizuna.web.exchange import partner_app
from kizuna.web.gate import gated
from kizuna.web.limits import Limits, Meter
from kizuna.web.stac import PARTNER_PATH, beside, partner_stac
from simulators.images import scene_tiff
from simulators.nodes import HUR, IQPS, NZL, START, World
from simulators.products import product_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kizuna.model.parties import Party
    from kizuna.model.product import Product

__all__ = [
    "ABSENT",
    "EXCHANGE",
    "ITEMS",
    "STAC",
    "Answer",
    "Ask",
    "Leaks",
    "answers",
    "body_of",
    "posted",
    "quicklook",
    "session",
]

type Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

OPEN, HIDDEN = range(1, 8), range(20, 32)
ABSENT = product_id(999)
STAC, EXCHANGE = PARTNER_PATH, "/exchange/v1"
ITEMS = STAC + "/collections/imagery/items/"
BOX = Footprint(((30.0, 46.0), (31.0, 46.0), (31.0, 47.0), (30.0, 47.0), (30.0, 46.0)))
ACROSS = Footprint(((179.0, 0.0), (-179.0, 0.0), (-179.0, 1.0), (179.0, 1.0), (179.0, 0.0)))
FAR = Footprint(((-70.0, -40.0), (-69.0, -40.0), (-69.0, -39.0), (-70.0, -39.0), (-70.0, -40.0)))


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """A request, as its bytes stand on the line."""

    target: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = (("host", "node"),)
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.target} {dict(self.headers[1:]) or ''} {self.body[:80].decode(errors='replace')}"


def posted(path: str, document: object, method: str = "POST") -> Ask:
    """Request with a JSON body."""
    return Ask(path, method, (("host", "node"), ("content-type", "application/json")), json.dumps(document).encode())


def body_of(answer: Answer) -> Any:
    """JSON of an answer."""
    return json.loads(answer[2])


class Leaks:
    """A node with what HUR may have, and what it must not learn of: by label, because it was called back, or as derived from that.

    Parameters
    ----------
    withheld
        Whether the node has the latter.
    """

    def __init__(self, *, withheld: bool) -> None:
        self.world = World()
        for party in (IQPS, HUR, NZL):
            self.world.node(party)
        self.world.befriend(IQPS, HUR)
        self.world.agree(IQPS)
        self.node = self.world.node(IQPS)
        self.shown: list[Product] = []
        self.hidden: list[Product] = []
        number = 0
        for number, place in enumerate([*HIDDEN[:6], *OPEN, *HIDDEN[6:]]):
            self._at(number)
            if place in OPEN:
                self.shown.append(self._made(place))
            elif withheld:
                self.hidden.append(self._made(place))
        for more, (seed, marking) in enumerate([(3, "UNCLASSIFIED"), (4, "秘"), (5, "UNCLASSIFIED")], start=number + 1):
            self._at(more)
            if marking == "UNCLASSIFIED" or withheld:
                label = Label("JPN", marking, IQPS, START)
                product = publish(self.node, io.BytesIO(scene_tiff(side=128, seed=seed)), f"scene-{seed}.tif", label).product
                (self.shown if marking == "UNCLASSIFIED" else self.hidden).append(product)
        self._at(number + 10)
        self.desk = self.world.desk(IQPS)
        self.desk._in_background = True
        self.catalogue = Catalogue(self.node, ColumnIndex(self.node.store.items, IQPS, detected_remains))
        self.tiles = Tiles(self.node, self.catalogue, in_background=False)
        self.desk.reconsider(HUR, self.node.now())
        self._at(number + 20)
        stac = partner_stac(self.desk.peer_of, self.catalogue, "IQPS", self.tiles)
        app = beside(partner_app(self.desk), PARTNER_PATH, stac)
        self.app = gated(app, Meter(Limits()), lambda _: "HUR", lambda *_: None, self.node.now)

    def _at(self, number: int) -> None:
        """Set the clock and the randomness to where they stand whatever was made before."""
        self.world.clock.set(Instant(START + timedelta(minutes=10, seconds=number)))
        self.node.keys._drawn = 100_000 * (number + 1)

    def _made(self, number: int) -> Product:
        world, node = self.world, self.node
        cause = number % 4 if number in HIDDEN else None
        # Between those that are shown, before and after them, and where nothing else is.
        begin = Instant(START - timedelta(hours=number % 20, minutes=number % 7))
        product = world.hold(
            IQPS,
            number,
            event=Interval(begin, Instant(begin + timedelta(seconds=20))),
            footprint={3: ACROSS, 4: None, 25: FAR, 26: None}.get(number, BOX),
            label=Label("JPN", "秘" if cause in {0, 1} else "UNCLASSIFIED", IQPS, START),
            sensor=f"QPS-{number % 3}" if cause != 1 else "QPS-HIDDEN",
            resolution_m=0.25 if cause == 1 else 0.5 + number % 3,
            title=f"scene {number}",
            lineage=(product_id(20),) if cause == 3 else (),
        )
        with node.store.transaction():
            node.journal.record(FactKind.PRODUCT_PUBLISHED, {"product": {}}, by=node.by, authority=IQPS)
            node.store.items.put(Item(product))
            if cause == 2:
                # Called back before it was ever handed out.
                node.store.keep_setting(recalled_under(HUR, product.id), "{}")
        return product

    def ask(self, ask: Ask, party: Party | None = HUR) -> Answer:
        """Answer to a request of a partner, or of a stranger."""
        chain = [] if party is None else [ssl.DER_cert_to_PEM_cert(self.world.node(party).keys.certificate_der)]
        return asyncio.run(_answer(self.app, ask, chain))


async def _answer(app: Any, ask: Ask, chain: list[str]) -> Answer:
    path, _, query = ask.target.partition("?")
    sent: list[Mapping[str, Any]] = []
    waiting = [{"type": "http.request", "body": ask.body}]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": ask.method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in ask.headers],
        "scheme": "http",
        "server": ("node", 80),
        "root_path": "",
        "extensions": {"tls": {"client_cert_chain": chain}},
    }

    async def receive() -> Mapping[str, Any]:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *bodies = sent
    return start["status"], list(start["headers"]), b"".join(message.get("body", b"") for message in bodies)


# ---- a long session


def _searches() -> Iterator[str]:
    yield from (
        "",
        "limit=1",
        "limit=3",
        "limit=1000",
        "limit=1001",
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
    )
    for order in (
        "%2Bdatetime",
        "-datetime",
        "-platform",
        "%2Bplatform,-gsd",
        "gsd",
        "-gsd",
        "security:classification",
        "id",
        "-id",
    ):
        yield f"limit=2&sortby={order}"
    for order in ("expires", "-end_datetime", "collection", "hidden", "properties.gsd", "-", "security:originator"):
        yield f"sortby={order}"
    for box in (
        "29,45,32,48", "30,46,30,46", "-180,-90,180,90", "178,-5,-178,5", "178,-5,0,-178,5,9000", "-71,-41,-68,-38", "0,0,1",
        "1,0,0", "0,5,1,0", "a,b,c,d", "nan,0,1,1", "inf,0,1,1", "null,null", "-181,0,1,1", "0,0,0,0,0", "1e400,0,1,1",
    ):  # fmt: skip
        yield f"bbox={box}&limit=3"
    for span in (
        "2025-07-01T05:00:00Z/..", "../2025-07-01T05:00:00Z", "2025-06-30T20:00:00Z/2025-07-01T08:00:00Z", "2025-07-01T09:00:00Z",
        "../..", "/", "yesterday", "2025-07-02/2025-07-01", "2020-01-01/..", "null",
    ):  # fmt: skip
        yield f"datetime={span}"
    for text in (
        "security:classification = '秘'",
        "security:classification <> 'UNCLASSIFIED'",
        "NOT security:classification = 'UNCLASSIFIED' OR platform LIKE 'QPS-_'",
        "platform = 'QPS-HIDDEN'",
        "platform LIKE '%HIDDEN'",
        "gsd < 0.5",
        "gsd = 0.25 OR gsd = 1",
        "gsd IS NULL",
        "gsd BETWEEN 0 AND 1",
        f"id = '{product_id(20)}'",
        f"id IN ('{product_id(20)}', '{product_id(1)}', '{ABSENT}')",
        f"id > '{product_id(20)}'",
        f"id LIKE '{product_id(20)[:12]}%'",
        "datetime > TIMESTAMP('2025-07-01T00:00:00Z')",
        "collection = 'imagery'",
        "collection <> 'imagery'",
        "nothing = 1",
        "gsd = 'x'",
        "gsd =",
        "(" * 300 + "gsd=1" + ")" * 300,
        " AND ".join(["gsd=1"] * 1500),
        "TRUE",
        "FALSE",
        "1=1",
        "'; DROP TABLE item; --",
        "S_INTERSECTS(geometry, POINT(30.5 46.5))",
    ):
        yield "filter=" + quote(text)
        yield "limit=2&sortby=-id&filter=" + quote(text)
    for geometry in (
        '{"type":"Point","coordinates":[30.5,46.5]}',
        '{"type":"Point","coordinates":[-69.5,-39.5]}',
        '{"type":"Polygon","coordinates":[[[29,45],[32,45],[32,48],[29,48],[29,45]]]}',
        '{"type":"Polygon","coordinates":[[[0,0],[1,1],[0,1],[1,0],[0,0]]]}',
        '{"type":"GeometryCollection","geometries":[]}',
        '{"type":"Point"}',
        "[null,null]",
        "{",
    ):
        yield "intersects=" + quote(geometry)
    for ids in (
        product_id(1),
        product_id(20),
        ABSENT,
        f"{product_id(20)},{product_id(1)},{ABSENT}",
        f"{product_id(22)},{product_id(23)}",
    ):
        yield f"ids={ids}"
        yield f"ids={ids}&limit=1&sortby=-gsd"
    for fields in ("id", "-properties", "properties.gsd", "properties.security:classification,-assets", "nothing", "-id"):
        yield f"fields={fields}&limit=2"
    for token in ("bm90IGEgdG9rZW4", "%00", "next:imagery:x", "A" * 5000, "%ff%fe", "null", product_id(20)):
        yield f"token={token}"
    yield from ("collections=imagery", "collections=none", "collections=imagery,none", "unknown=1", "q=scene", "query=%7B%7D")
    yield from (
        "bbox=0,0,1,1&intersects=" + quote('{"type":"Point","coordinates":[0,0]}'),
        "filter-lang=xml&filter=a",
        "%00=1",
        "a%20b=c",
    )


def _bodies() -> Iterator[object]:
    yield from ({}, [], None, 1, "x", {"limit": True}, {"limit": 1.5}, {"limit": 10**400}, {"limit": 2}, {"limit": 1000})
    yield from (
        {"bbox": [None, None]},
        {"bbox": [29, 45, 0, 32, 48, 9000]},
        {"bbox": "0,0,1,1"},
        {"bbox": [29, 45, 32, 48]},
        {"bbox": []},
    )
    yield from ({"datetime": [None, None]}, {"datetime": None}, {"datetime": ".."}, {"intersects": None}, {"intersects": []})
    yield from (
        {"ids": [product_id(20)]},
        {"ids": [product_id(20), product_id(1)]},
        {"ids": [ABSENT]},
        {"ids": []},
        {"ids": [1]},
        {"ids": "a"},
    )
    yield from (
        {"ids": ["x"] * 1001},
        {"ids": ["x" * 70_000]},
        {"token": 3},
        {"token": "x"},
        {"token": None},
        {"collections": ["none"]},
    )
    yield from (
        {"sortby": [{"field": "properties.hidden"}]},
        {"sortby": [{"field": "gsd", "direction": "desc"}], "limit": 3},
        {"sortby": ["gsd"]},
    )
    yield from (
        {"fields": {"include": ["id"]}},
        {"fields": {"exclude": ["properties"]}},
        {"fields": 3},
        {"query": {"gsd": {"lt": 1}}},
    )
    yield from (
        {"query": {"platform": {"eq": "QPS-HIDDEN"}}},
        {"query": {"hidden": {"eq": 1}}},
        {"unknown": 1},
        {"conf": {"nohydrate": True}},
    )
    for document in (
        {"op": "=", "args": [{"property": "id"}, product_id(20)]},
        {"op": "in", "args": [{"property": "id"}, [product_id(20), product_id(1)]]},
        {"op": "not", "args": [{"op": "=", "args": [{"property": "platform"}, "QPS-0"]}]},
        {"op": "isNull", "args": [{"property": "expires"}]},
        {"op": "like", "args": [{"property": "platform"}, "%HIDDEN%"]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": [30.5, 46.5]}]},
        {"op": "=", "args": [{"property": "gsd"}, 10**400]},
        {"op": "casei", "args": [{"property": "id"}]},
        True,
        False,
        "x",
    ):
        yield {"filter": document, "filter-lang": "cql2-json", "limit": 4}


_COUNTS = (
    "total_count", "datetime_min", "datetime_max", "classification_frequency", "collection_frequency", "platform_frequency", "centroid_geotile_grid_frequency",
    "datetime_frequency", "centroid_geohash_grid_frequency", "gsd_frequency", "total_count,datetime_max", "hidden", "",
)  # fmt: skip

_METHODS = ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get", "X")


def _paths(products: list[str]) -> Iterator[str]:
    yield from (
        STAC + path for path in ("", "/", "/conformance", "/api", "/api.html", "/queryables", "/sortables", "/schemas/security")
    )
    yield from (
        STAC + path
        for path in ("/collections", "/collections?limit=1", "/collections?q=imagery", "/collections/imagery", "/nowhere")
    )
    yield from (
        STAC + path
        for path in (
            "/collections/none",
            "/collections/imagery/queryables",
            "/collections/imagery/sortables",
            "/collections/imagery/items?limit=2",
        )
    )
    yield from (
        STAC + path
        for path in ("/collections/none/items", "/aggregations", "/collections/imagery/aggregations", "/wmts", "/tileMatrixSets")
    )
    yield from (
        STAC + path for path in ("/wmts/1.0.0/WMTSCapabilities.xml", "/tileMatrixSets/WebMercatorQuad", "/search/", "//search")
    )
    yield from (
        f"{STAC}/{path}f={form}"
        for form in ("kml", "geoparquet", "html", "json")
        for path in ("search?limit=3&", "collections/imagery/items?")
    )
    yield STAC + "/kml"
    yield from (f"{STAC}/aggregate?aggregations={name}" for name in _COUNTS)
    yield from (f"{STAC}/collections/imagery/aggregate?aggregations={name}" for name in _COUNTS[:6])
    for id_ in products:
        yield ITEMS + id_
        yield f"{STAC}/collections/none/items/{id_}"
        yield from (f"{ITEMS}{id_}/{below}" for below in _PICTURES)
        yield f"{ITEMS}{id_}/wmts/1.0.0/{id_}/db/WebMercatorQuad/14/7738/11668.png"
        yield f"{STAC}/wmts/1.0.0/{id_}/db/WebMercatorQuad/14/7738/11668.png"
    odd = products[1]
    yield from (
        ITEMS + form
        for form in (
            odd.lower(), f"%{ord(odd[0]):02x}{odd[1:]}", f"./{odd}", f"../items/{odd}", f"{odd}/", f"{odd}//", f"{odd}%00", f"{odd}%20",
            f"{odd}.json", f"{odd};v=1", f"{odd}%2f..%2f{odd}", "..%2f..", f"%252e%252e/{odd}", f"{odd}#x", "*", "%", f"{odd},{products[0]}",
        )
    )  # fmt: skip
    yield from (
        EXCHANGE + path for path in ("", "/", "/feed", "/feed/", "/feed?after=0&limit=1", "/feed?after=3", "/feed?after=99999")
    )
    yield from (
        EXCHANGE + path
        for path in ("/feed?limit=0", "/feed?after=-1", "/feed?after=1&after=2", "/feed?hidden=1", "/blobs", "/blobs/")
    )
    yield from (
        "/",
        "/stac",
        "/stac/search",
        "/products",
        f"/products/{odd}",
        "/metrics",
        "/healthz",
        "/exchange",
        "/exchange/v2/feed",
        "*",
    )


_PICTURES = (
    "thumbnail", "tilejson.json", "map", "map?width=64&f=png", "map/tiles", "map/tiles/WebMercatorQuad", "tiles/14/11668/7738.webp",
    "tiles/14/11668/7738.png", "tiles/0/0/0.png", "tiles/99/0/0.png", "tiles/1/9/9.png", "tiles/14/11668/7738.tif",
    "tiles/14/11668/7738.png?style=phase", "tiles/14/11668/7738.png?style=none", "map/tiles/WebMercatorQuad/14/7738/11668",
    "wmts/1.0.0/WMTSCapabilities.xml", "wmts?request=GetTile", "wmts/1.0.0/x/db/WebMercatorQuad/14/7738/11668.png",
)  # fmt: skip


def session(leaks: Leaks, hidden: list[Product]) -> list[Ask]:
    """Several hundred requests, those to whose answers lead included; the same for two nodes that show the same.

    Parameters
    ----------
    leaks
        Node whose links to next pages are followed.
    hidden
        What a node with more would hide: its ids and digests are asked for by name.
    """
    shown = leaks.shown
    ids = [shown[0].id, hidden[0].id, hidden[2].id, shown[-1].id, hidden[-1].id, ABSENT]
    asks = [Ask(path) for path in _paths(ids)]
    asks += [Ask(f"{STAC}/search?{query}") for query in _searches()]
    asks += [Ask(f"{ITEMS[:-1]}?{query}") for query in list(_searches())[::6]]
    asks += [posted(f"{STAC}/search", document) for document in _bodies()]
    asks += [posted(f"{STAC}/aggregate", document) for document in list(_bodies())[::4]]
    asks += [posted(f"{STAC}/aggregate", {"aggregations": [name]} | {"ids": ids}) for name in _COUNTS[:8]]
    paths = [STAC, f"{STAC}/search", f"{STAC}/collections/imagery/items", *(ITEMS + id_ for id_ in ids[:3]), f"{EXCHANGE}/feed"]
    asks += [Ask(path, method) for path in paths for method in _METHODS]
    asks += [posted(ITEMS[:-1], {"type": "Feature", "id": id_}) for id_ in ids]
    asks += [posted(STAC + "/collections/imagery/bulk_items", {"items": {id_: {"id": id_}}, "method": "upsert"}) for id_ in ids]
    digests = [asset.digest for product in (shown[0], hidden[0], shown[-1], hidden[-1]) for asset in product.assets]
    digests += ["sha256:" + "0" * 64, "sha256:0", "0" * 64]
    asks += [Ask(f"{EXCHANGE}/blobs/{digest}") for digest in digests]
    asks += [Ask(f"{EXCHANGE}/blobs/{digest.upper()}") for digest in digests[:6]]
    asks += [Ask(f"{EXCHANGE}/blobs/{','.join(pair)}") for pair in itertools.pairwise(digests)]
    for digest in digests[::2]:
        for span in ("bytes=0-3", "bytes=-1", "bytes=999999-", "bytes=0-0,2-3", "bytes=x"):
            asks.append(Ask(f"{EXCHANGE}/blobs/{digest}", headers=(("host", "node"), ("range", span))))
        asks.append(Ask(f"{EXCHANGE}/blobs/{digest}", "HEAD"))
    asks += [Ask(f"{EXCHANGE}/receipts", "POST", body=body) for body in (b"", b"{}", b"x" * 100, b"\x00", hidden[0].id.encode())]
    asks += [*_receipts(leaks), Ask(f"{EXCHANGE}/feed"), Ask(f"{EXCHANGE}/feed?after=2")]
    for name, value in (
        ("if-none-match", "*"), ("if-none-match", '"0"'), ("accept", "text/html"), ("accept", "image/webp"), ("accept-encoding", "gzip"),
        ("x-http-method-override", "DELETE"), ("x-forwarded-for", "127.0.0.1"), ("x-original-url", "/stac"), ("authorization", "Bearer kz-x"),
        ("host", "localhost"), ("expect", "100-continue"), ("range", "bytes=0-9"), ("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
    ):  # fmt: skip
        asks += [
            Ask(path, headers=(("host", "node"), (name, value)))
            for path in (ITEMS + ids[0], ITEMS + ids[1], f"{ITEMS}{ids[4]}/thumbnail", f"{STAC}/search?limit=2")
        ]
    return asks


def _receipts(leaks: Leaks) -> Iterator[Ask]:
    """Receipts for what came, for one that is another's, and for numbers beyond: good ones, as the partner's node signs them."""
    entries = page_from_bytes(leaks.ask(Ask(f"{EXCHANGE}/feed"))[2]).entries
    keys = leaks.world.node(HUR).keys
    for number in (1, 3, 3, 2, len(entries), len(entries) + 1, len(entries) + 5):
        for digest in (digest_of(entries[min(number, len(entries)) - 1]), digest_of(b"another")):
            yield Ask(f"{EXCHANGE}/receipts", "POST", body=seal_receipt(Receipt(IQPS, HUR, number, digest, START), keys))


def answers(leaks: Leaks, asks: list[Ask]) -> Iterator[tuple[Ask, Answer]]:
    """Answers in order, the pages that each leads to behind it."""
    for ask in asks:
        following: Ask | None = ask
        for _ in range(20):
            if following is None:
                break
            answer = leaks.ask(following)
            yield following, answer
            following = _next(following, answer)


def _next(ask: Ask, answer: Answer) -> Ask | None:
    if answer[0] != 200 or not answer[2].startswith(b"{"):
        return None
    document = body_of(answer)
    if not isinstance(document.get("links"), list):
        return None
    for link in document["links"]:
        if isinstance(link, dict) and link.get("rel") == "next":
            address = urlsplit(link["href"])
            target = address.path + (f"?{address.query}" if address.query else "")
            if ask.method == "POST":
                return posted(target, json.loads(ask.body) | link["body"])
            return Ask(target)
    return None


def quicklook(product: Product) -> str:
    """Digest of a product's quicklook."""
    asset = product.asset(AssetRole.QUICKLOOK)
    assert asset is not None
    return asset.digest
