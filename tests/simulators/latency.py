"""What a partner can tell from how long answers take: hidden products against ones that are nowhere, in turns, by a real node.

Each pair is one request about a hidden product and one about none, in an order that is drawn, over one TLS connection that stays
open. Classifiers learn on the first half of the pairs and are tried on the second: a threshold on the latency; twenty bins of
equal counts, each told by its majority, which finds differences that are no shift; and a logistic regression on the latency, its
logarithm, and its distance from the median of those around it, which takes the machine's own drift out.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.catalog.store import Item
from kizuna.model.digests import digest_of
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.product import Footprint
from kizuna.node.publish import publish
from kizuna.wiring import KEYS, open_node
from simulators.coalition import Pair, founded, introduce
from simulators.images import scene_tiff
from simulators.processes import serving
from simulators.products import a_product, product_id

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["ROUTES", "Line", "Stock", "accuracies", "asking", "stocked", "time_pairs"]

STAC, BLOBS = "/exchange/stac", "/exchange/v1/blobs/"
_TILE = "tiles/14/11668/7738.png"
_BINS = 20
_AROUND = 51

ROUTES: dict[str, Callable[[str, str], str]] = {
    "item": lambda id_, _digest: f"{STAC}/collections/imagery/items/{id_}",
    "search": lambda id_, _digest: f"{STAC}/search?ids={id_}",
    "filter": lambda id_, _digest: f"{STAC}/search?filter=id%3D%27{id_}%27",
    "blob": lambda _id, digest: BLOBS + digest,
    "tile": lambda id_, _digest: f"{STAC}/collections/imagery/items/{id_}/{_TILE}",
    "count": lambda id_, _digest: f"{STAC}/aggregate?aggregations=total_count&ids={id_}",
}


@dataclass(frozen=True, slots=True)
class Stock:
    """Two nodes, the giver of which hides some products from the taker.

    Parameters
    ----------
    pair
        The nodes.
    hidden
        Id and digest of a file of each hidden product.
    """

    pair: Pair
    hidden: list[tuple[str, str]]


def stocked(root: Path, shown: int, hidden: int, blobs: int) -> Stock:
    """Make them; `blobs` of the hidden products have a file that is there."""
    pair = Pair(founded(root / "jpn", "JPN/IQPS"), founded(root / "ukr", "UKR/HUR"))
    introduce(pair.jpn, pair.ukr)
    party = parse_party("JPN/IQPS")
    random = Random(7)
    found: list[tuple[str, str]] = []
    with open_node(pair.jpn) as node:
        begin = node.now()

        def items() -> Iterator[Item]:
            # Mixed, as they would come.
            which = [True] * shown + [False] * hidden
            random.shuffle(which)
            for number, is_shown in enumerate(which):
                west, south = random.uniform(-179, 178), random.uniform(-80, 79)
                ring = ((west, south), (west + 1, south), (west + 1, south + 1), (west, south + 1), (west, south))
                product = a_product(number, event=begin, produced=begin)
                label = Label("JPN", "UNCLASSIFIED" if is_shown else "秘", party, begin)
                if not is_shown:
                    digest = digest_of(b"%d" % number)
                    if len(found) < blobs:
                        digest = node.blobs.put(b"%d" % number)[0]
                    found.append((product.id, digest))
                yield Item(replace(product, originator=party, label=label, footprint=Footprint(ring)))

        node.store.items.put_all(items())
        for seed in (1, 2, 3):
            marking = "秘" if seed == 3 else "UNCLASSIFIED"
            made = publish(node, io.BytesIO(scene_tiff(side=256, seed=seed)), f"{seed}.tif", Label("JPN", marking, party, begin))
            if marking != "UNCLASSIFIED":
                found.append((made.product.id, made.product.content))
    random.shuffle(found)
    return Stock(pair, found)


class Line:
    """A connection of the taker to the giver, that stays open."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line = context.wrap_socket(raw)

    def ask(self, target: str) -> tuple[int, bytes]:
        """Nanoseconds from the request's first byte to the answer's last one, and the answer."""
        request = f"GET {target} HTTP/1.1\r\nhost: node\r\n\r\n".encode()
        begin = time.perf_counter_ns()
        answer = self.raw(request)
        return time.perf_counter_ns() - begin, answer

    def raw(self, request: bytes) -> bytes:
        """Answer to a request as it stands on the line; where that asks for the line's end, all that comes until then."""
        to_end = b"connection: close" in request
        self._line.sendall(request)
        answer = b""
        while True:
            piece = self._line.recv(65_536)
            answer += piece
            head, found, body = answer.partition(b"\r\n\r\n")
            if not piece:
                return answer
            if found and not to_end:
                length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
                if len(body) >= length:
                    return answer

    def close(self) -> None:
        """End it."""
        self._line.close()


@contextlib.contextmanager
def asking(stock: Stock) -> Iterator[Callable[[], Line]]:
    """Serve the giver; give what opens connections of the taker."""
    pair = stock.pair
    context = client_context(FileKeys.load(pair.ukr / KEYS), FileKeys.load(pair.jpn / KEYS).certificate_der)
    much = {"KIZUNA_PARTNER_REQUESTS_A_MINUTE": "100000000"}
    with serving(pair.jpn, env=much) as giver:
        yield lambda: Line(context, giver.partner_port)


def time_pairs(
    stock: Stock, line: Line, routes: list[str], pairs: int
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]:
    """By route how long each request took, in seconds, and whether it was about a hidden product, in the order of asking."""
    random = Random(11)
    taken: dict[str, list[tuple[int, bool]]] = {route: [] for route in routes}
    for route in routes:
        for _ in range(50):
            line.ask(ROUTES[route](product_id(10**7 + random.randrange(10**6)), digest_of(b"warm")))
    for number in range(pairs):
        id_, digest = stock.hidden[number % len(stock.hidden)]
        # Of the same form as hidden ones, and never the same twice.
        nowhere = product_id(10**6 + number), digest_of(b"nowhere %d" % number)
        for route in routes:
            both = [(True, ROUTES[route](id_, digest)), (False, ROUTES[route](*nowhere))]
            random.shuffle(both)
            for is_hidden, target in both:
                nanoseconds, answer = line.ask(target)
                taken[route].append((nanoseconds, is_hidden))
                # What would be told otherwise is for other tests.
                assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 200")), answer[:200]
    return {
        route: (np.array([n for n, _ in each], np.float64) / 1e9, np.array([h for _, h in each], np.bool_))
        for route, each in taken.items()
    }


def accuracies(seconds: npt.NDArray[np.float64], hidden: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Share of the second half that each classifier, having learned on the first half, tells rightly."""
    half = len(seconds) // 4 * 2
    train, test = slice(0, half), slice(half, None)
    return {
        "threshold": _threshold(seconds[train], hidden[train], seconds[test], hidden[test]),
        "bins": _bins(seconds[train], hidden[train], seconds[test], hidden[test]),
        "logistic": _logistic(seconds, hidden, train, test),
    }


def _threshold(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.bool_], new: npt.NDArray[np.float64], told: npt.NDArray[np.bool_]
) -> float:
    order = np.argsort(x)
    above = np.concatenate([[0], np.cumsum(np.where(y[order], -1, 1))]) + int(y.sum())
    # `above[n]`: rightly told if all but the n smallest are hidden.
    best, worst = int(above.argmax()), int(above.argmin())
    flip = len(x) - above[worst] > above[best]
    place = worst if flip else best
    bound = -np.inf if place == 0 else x[order][place - 1]
    guess = (new > bound) ^ flip
    return float((guess == told).mean())


def _bins(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.bool_], new: npt.NDArray[np.float64], told: npt.NDArray[np.bool_]
) -> float:
    edges = np.quantile(x, np.linspace(0, 1, _BINS + 1)[1:-1])
    where = np.digitize(x, edges)
    majority = np.array([y[where == bin_].mean() > 0.5 if (where == bin_).any() else False for bin_ in range(_BINS)])
    return float((majority[np.digitize(new, edges)] == told).mean())


def _logistic(x: npt.NDArray[np.float64], y: npt.NDArray[np.bool_], train: slice, test: slice) -> float:
    around = np.lib.stride_tricks.sliding_window_view(np.pad(x, _AROUND // 2, mode="edge"), _AROUND)[: len(x)]
    middle = np.median(around, axis=1)
    features = np.stack([x, np.log(x), x - middle, np.log(x / middle), x < middle], axis=1)
    features = (features - features[train].mean(0)) / (features[train].std(0) + 1e-12)
    features = np.concatenate([np.clip(features, -4, 4), np.ones((len(x), 1))], axis=1)
    weights = np.zeros(features.shape[1])
    for _ in range(30):
        # Newton's steps, with a little ridge.
        chance = 1 / (1 + np.exp(-features[train] @ weights))
        slope = features[train].T @ (y[train] - chance) - 1e-3 * weights
        curve = (features[train] * (chance * (1 - chance))[:, None]).T @ features[train] + 1e-3 * np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    return float(((features[test] @ weights > 0) == y[test]).mean())
