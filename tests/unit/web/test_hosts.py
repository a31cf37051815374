"""Which Host headers the people's listener answers to."""

from __future__ import annotations

import asyncio

import pytest

from kizuna.web.hosts import is_own_host, only_hosts

OWN = ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "127.9.8.7:65535", "[::1]", "[::1]:8080", "node.internal:8080"]
FOREIGN = [
    "",
    ":8080",
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example@localhost",
    "localhost@evil.example",
    "localhost:8080:80",
    "localhost/",
    "localhost\n",
    "127.1",
    "127.0.0.01",
    "0.0.0.0",
    "10.0.0.1",
    "::1",
    "[::1",
    "[::2]",
    "[localhost]",
    "localhost:x",
    "localhost, evil.example",
]


@pytest.mark.parametrize("header", OWN)
def test_the_machines_own_names_are_answered(header):
    assert is_own_host(header, "node.internal")


@pytest.mark.parametrize("header", FOREIGN)
def test_every_other_name_is_not(header):
    assert not is_own_host(header, "node.internal")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([b"localhost:8080"], 200),
        ([b"evil.example"], 421),
        ([], 421),
        ([b"localhost", b"localhost"], 421),
        ([b"localhost\xff"], 421),
    ],
)
def test_one_header_decides(headers, status):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        return {"type": "http.request"}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": [(b"host", value) for value in headers]}
    asyncio.run(only_hosts(app, "127.0.0.1")(scope, receive, send))
    assert sent[0]["status"] == status
