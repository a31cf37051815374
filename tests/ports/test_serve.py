"""Both listeners of a process: ports in use, ports that are free, and how it stops."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulators.desk import SimulatedDesk
from simulators.serving import nothing

from kizuna.adapters.tls import client_context, server_context
from kizuna.errors import InputError
from kizuna.web.exchange import partner_app
from kizuna.web.serve import Listener, bind, serve

if TYPE_CHECKING:
    from kizuna.adapters.keys import FileKeys

SERVER = """
import asyncio, sys
from pathlib import Path
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import server_context
from kizuna.web.serve import Listener, serve

async def slow(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        print("lifespan ended", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await asyncio.sleep(60)

keys = FileKeys.load(Path(sys.argv[1]))
context = server_context(keys, [keys.certificate_der])
serve(
    Listener(slow, "127.0.0.1", 0, context),
    Listener(slow, "127.0.0.1", 0),
    lambda partners, people: print(partners, people, flush=True),
)
print("ended", flush=True)
"""


@pytest.mark.timed
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_within_five_seconds_although_requests_hang(node_keys: dict[str, FileKeys], number: signal.Signals) -> None:
    keys = node_keys["jpn"]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(keys.folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        partners, people = (int(port) for port in process.stdout.readline().split())
        assert partners != people
        secure = http.client.HTTPSConnection(
            "127.0.0.1", partners, context=client_context(keys, keys.certificate_der), timeout=10
        )
        plain = http.client.HTTPConnection("127.0.0.1", people, timeout=10)
        for connection in (secure, plain):
            connection.request("GET", "/")
            response = connection.getresponse()
            assert response.read(5) == b"first"
        begin = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - begin < 5
        assert process.returncode == 0, err
        assert out.splitlines().count("lifespan ended") == 2
        assert out.endswith("ended\n")
        for connection in (secure, plain):
            connection.close()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_port_in_use_is_told_before_anything_starts(node_keys: dict[str, FileKeys]) -> None:
    context = server_context(node_keys["jpn"], [])
    desk = partner_app(SimulatedDesk())

    def never(*_: int) -> None:
        pytest.fail("it served")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for partners, people in (
            (Listener(desk, "127.0.0.1", port, context), Listener(nothing, "127.0.0.1", 0)),
            (Listener(desk, "127.0.0.1", 0, context), Listener(nothing, "127.0.0.1", port)),
        ):
            with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 is in use") as caught:
                serve(partners, people, never)
            assert caught.value.field == "port"
            assert caught.value.hint is not None
            assert "choose another port" in caught.value.hint.render()


@pytest.mark.parametrize(
    ("host", "port", "field"),
    [
        ("127.0.0.1", 70_000, "port"),
        ("127.0.0.1", -1, "port"),
        ("a" * 70, 0, "host"),
        ("192.0.2.1", 0, "host"),
        ("no such host", 0, "host"),
    ],
)
def test_impossible_addresses_are_told(node_keys: dict[str, FileKeys], host: str, port: int, field: str) -> None:
    with pytest.raises(InputError) as caught:
        bind(Listener(nothing, host, port, server_context(node_keys["jpn"], [])))
    assert caught.value.field == field


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])
def test_people_are_not_served_without_tls_where_others_reach(host: str) -> None:
    with pytest.raises(InputError, match="no TLS"):
        bind(Listener(nothing, host, 0))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_free_port_of_loopback_is_taken(host: str) -> None:
    with bind(Listener(nothing, host, 0)) as listening:
        port = listening.getsockname()[1]
        assert port > 0
        with pytest.raises(InputError, match=f"port {port}"):
            bind(Listener(nothing, host, port))
    # Free again at once.
    bind(Listener(nothing, host, port)).close()


def test_no_path_of_this_machine_is_in_the_sources() -> None:
    """What is committed works anywhere."""
    root = Path(__file__).resolve().parents[2]
    own = [
        *(root / "src/kizuna/exchange").glob("*.py"),
        *(root / "src/kizuna/adapters").glob("*.py"),
        *(root / "tests/ports").glob("*.py"),
    ]
    assert [path.name for path in own if str(root) in path.read_text()] == []
