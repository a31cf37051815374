"""A hidden product and none: the same time, and the same bytes to requests that are no proper ones, from a real node over TLS."""
# ruff: noqa: E501 - a request a line reads best

from __future__ import annotations

import math

import numpy as np
import pytest
from simulators.latency import ROUTES, accuracies, asking, stocked, time_pairs
from simulators.products import product_id

from kizuna.model.digests import digest_of

PAIRS = 400
# Half of the requests are for trying. A classifier that guesses goes beyond four standard errors (a share of 0.6) in one of 30,000 runs.
BOUND = 0.5 + 4 * math.sqrt(0.25 / PAIRS)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return stocked(tmp_path_factory.mktemp("leak"), 300, 300, blobs=50)


@pytest.mark.timed
def test_how_long_an_answer_takes_does_not_tell_a_hidden_product_from_none(stock):
    with asking(stock) as open_line:
        line = open_line()
        taken = time_pairs(stock, line, ["item", "search", "blob", "tile"], PAIRS)
        line.close()
    told = {route: accuracies(*both) for route, both in taken.items()}
    assert {route: found for route, found in told.items() if max(found.values()) > BOUND} == {}


def drawn(shift=0.0, spread=1.0, count=4_000):
    """Latencies with the tail that they have, those of hidden products shifted or spread."""
    random = np.random.default_rng(5)
    hidden = random.permutation(np.arange(count) % 2 == 0)
    tail = random.gamma(2.0, 1.0, count) * np.where(hidden, spread, 1.0)
    return 1e-3 * (1 + 0.1 * tail + np.where(hidden, shift, 0.0)), hidden


def test_the_classifiers_find_what_there_is_and_nothing_else():
    assert max(accuracies(*drawn()).values()) < 0.54
    late, early, spread = (accuracies(*drawn(**how)) for how in ({"shift": 0.1}, {"shift": -0.1}, {"spread": 4.0}))
    for found in (late, early):
        assert min(found["threshold"], found["logistic"]) > 0.6
    assert spread["bins"] > 0.7


def test_the_machines_own_drift_does_not_hide_a_difference():
    seconds, hidden = drawn(shift=0.2)
    drift = seconds + 5e-3 * np.abs(np.sin(np.linspace(0, 9, len(seconds))))
    assert accuracies(drift, hidden)["logistic"] > 0.65


# ---- requests as bytes

HOST = b"host: node\r\n"
BAD = {
    "two lengths": lambda path: b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a length and chunks": lambda path: b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in another spelling": lambda path: b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"transfer-encoding: xchunked\r\n\r\n",
    "a folded header": lambda path: b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"x: a\r\n b\r\nconnection: close\r\n\r\n",
    "a header with a space": lambda path: b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"x : a\r\n\r\n",
    "a bare line feed": lambda path: b"GET " + path + b" HTTP/1.1\n" + b"host: node\n\n",
    "no host": lambda path: b"GET " + path + b" HTTP/1.1\r\n\r\n",
    "two hosts": lambda path: b"GET " + path + b" HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "an absolute address": lambda path: b"GET http://node" + path + b" HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n",
    "another version": lambda path: b"GET " + path + b" HTTP/1.0\r\n\r\n",
    "no version": lambda path: b"GET " + path + b"\r\n\r\n",
    "a request inside another": lambda path: b"POST /exchange/v1/receipts HTTP/1.1\r\n" + HOST + b"content-length: 0\r\n\r\nGET " + path + b" HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n",
    "an upgrade": lambda path: b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n",
    "another protocol": lambda path: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + path,
    "a null byte": lambda path: b"GET " + path + b"\x00 HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n",
    "bytes beyond ASCII": lambda path: b"GET " + path + b"\xc3\xa9 HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n",
    "an expectation": lambda path: b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"expect: 200-ok\r\nconnection: close\r\n\r\n",
}  # fmt: skip


def test_what_is_no_proper_request_gets_the_same_bytes(stock):
    id_, digest = stock.hidden[0]
    nowhere = product_id(10**6), digest_of(b"nowhere")
    with asking(stock) as open_line:
        for name, request in BAD.items():
            for route in ("item", "blob", "search"):
                found = []
                for about in ((id_, digest), nowhere):
                    line = open_line()
                    answer = line.raw(request(ROUTES[route](*about).encode()))
                    line.close()
                    for part, word in zip(about, (b"ID", b"DIGEST"), strict=True):
                        answer = answer.replace(part.encode(), word)
                    found.append(answer)
                assert found[0] == found[1], (name, route)
