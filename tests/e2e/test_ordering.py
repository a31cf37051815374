"""An image that a partner orders over the exchange: a process flies, the node publishes it, and the partner's node gets it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
import tomllib
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

import httpx
import pytest
from click.testing import CliRunner
from simulators.coalition import AGREEMENT, SUPPLEMENTS, founded, introduce
from simulators.processes import begin, serving, within
from simulators.providers import EPOCH, FLEET, ICEYE, access
from starlette.testclient import TestClient

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.provider_simulator import FasterClock, SimulatedProvider
from kizuna.adapters.tls import client_context
from kizuna.cli.main import kizuna as root
from kizuna.model.instants import Instant, format_instant
from kizuna.node.founding import record_agreement
from kizuna.web.stapi import Customer, stapi_app
from kizuna.wiring import CIVIL_OFFSETS, KEYS, open_node

SAMPLES = files("kizuna.samples") / "tasking"
SETS = """QPS-SAR-5 (TSUKUYOMI-I)
1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998
2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086
"""
# As `kizuna plan schedule` has it.
TASK = {
    "request": "sevastopol",
    "spot": "sevastopol",
    "satellite": "QPS-SAR-5 (TSUKUYOMI-I)",
    "provider": "JPN/IQPS",
    "mode": "stripmap",
    "start": "2026-05-08T03:47:47.407510Z",
    "end": "2026-05-08T03:47:55.407510Z",
    "incidence_deg": 42.269981,
    "look": "left",
    "direction": "ascending",
    "edge_uncertainty_s": None,
}


def run(*arguments):
    result = CliRunner().invoke(root, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def agree(*folders):
    document = tomllib.loads((SAMPLES / "IQPS-HUR-2025.toml").read_text("utf-8"))
    for folder in folders:
        with open_node(folder) as node:
            record_agreement(node, document, CIVIL_OFFSETS, SUPPLEMENTS)


def asked(folder, server, url, path="/exchange/stapi", method="GET", **body):
    context = client_context(FileKeys.load(folder / KEYS), FileKeys.load(server / KEYS).certificate_der)
    with httpx.Client(verify=context) as client:
        return client.request(method, url + path, **body)


@pytest.fixture
def world(pair, tmp_path):
    """The pair, a third node without an agreement, a provider that flies, and what takes in what it delivers."""
    sets, inbox = tmp_path / "sets.3le", tmp_path / "inbox"
    sets.write_text(SETS)
    shutil.copy(SAMPLES / "images.label.toml", pair.jpn / "images.label.toml")
    nzl = founded(tmp_path / "nzl", "NZL", agreements=False)
    introduce(pair.jpn, nzl)
    agree(pair.jpn, pair.ukr)
    flying = (
        "--fleet",
        SAMPLES / "fleet.toml",
        "--elements",
        sets,
        "--port",
        "0",
        "--speed",
        "20000",
        "--hold",
        "--deliver",
        inbox,
    )
    marked = ("--policy", "JPN", "--from", "2026-05-08T00:00:00Z", "--json")
    with ExitStack() as stack:
        inbox.mkdir()
        provider = stack.enter_context(begin("plan", "provider", "JPN/IQPS", *flying, *marked))
        stack.enter_context(begin("ingest", "--watch", inbox, "--every", "0.1", "--node", pair.jpn))
        set_ = {"KIZUNA_TASKING_PROVIDER": json.loads(provider.stdout.readline())["url"]}
        giver = stack.enter_context(serving(pair.jpn, env=set_ | {"KIZUNA_TASKING_LABEL": "images.label.toml"}))
        pair.meet(giver.partner_url)
        introduce(nzl, pair.jpn, giver.partner_url)
        yield pair, nzl, giver


def test_an_image_is_ordered_of_a_partner_and_comes_by_the_exchange(world, tmp_path):
    pair, nzl, giver = world
    request = ("--fleet", SAMPLES / "fleet.toml", "--node", pair.ukr)
    (tmp_path / "schedule.json").write_text(json.dumps({"schema": "kizuna/schedule/1", "tasks": [TASK]}))
    order = ("plan", "order", *request)
    (made,) = run(*order, tmp_path / "schedule.json", "--requests", SAMPLES / "orders.toml")
    assert (made["provider"], made["state"] in {"scheduled", "processing", "completed"}) == ("JPN/IQPS", True), made

    def standing():
        (row,) = run(*order, "--status")
        return row

    within(20, "completed", lambda: standing()["state"] == "completed")
    assert standing()["why"] == "not here yet: kizuna sync"
    (got,) = run("sync", "--node", pair.ukr)["partners"][0]["received"]
    row = standing()
    assert (row["product"], row["why"]) == (got["id"], "it is here")
    (taken,) = run("plan", "order", "--taken", "--node", pair.jpn)
    assert (taken["partner"], taken["order"], taken["product"]) == ("UKR/HUR", made["order"], got["id"])

    # The delivery is an item of the catalogue as this partner sees it; of the provider's words nothing is passed on.
    order_ = asked(pair.ukr, pair.jpn, giver.partner_url, f"/exchange/stapi/orders/{made['order']}").json()
    (delivery,) = [link["href"] for link in order_["links"] if link["rel"] == "delivery"]
    item = asked(pair.ukr, pair.jpn, giver.partner_url, delivery.removeprefix(giver.partner_url)).json()
    assert item["id"] == got["id"]
    history = asked(pair.ukr, pair.jpn, giver.partner_url, f"/exchange/stapi/orders/{made['order']}/statuses").json()["statuses"]
    assert [one["status_code"] for one in history] == ["completed", "processing", "scheduled", "accepted", "received"]
    assert {one["reason_text"] for one in history} == {None}

    # Of all that the third partner can tell nothing; and neither can the second, once the agreement is suspended.
    paths = ["", "/", "/products", "/orders", f"/orders/{made['order']}", "/products/stripmap", "/searches/opportunities"]
    nobody = asked(nzl, pair.jpn, giver.partner_url, "/exchange/v1/nothing")
    for path in paths:
        answer = asked(nzl, pair.jpn, giver.partner_url, "/exchange/stapi" + path)
        assert (answer.status_code, answer.content, answer.headers) == (404, nobody.content, nobody.headers), path
    assert asked(pair.ukr, pair.jpn, giver.partner_url, "/exchange/stapi/orders").json()["numberMatched"] == 1
    run("agreement", "suspend", AGREEMENT, "--reason", "test", "--node", pair.jpn)
    for path in paths:
        answer = asked(pair.ukr, pair.jpn, giver.partner_url, "/exchange/stapi" + path)
        assert (answer.status_code, answer.content) == (404, nobody.content), path
    facts = run("audit", "log", "--node", pair.jpn)
    assert json.dumps(facts).count(f"tasking/{made['order']}") >= 1


class Forgetful(SimulatedProvider):
    """Keeps tokens, and takes each order for a new one."""

    def order(self, mode, wish, geometry, token=None):
        made = replace(super().order(mode, wish, geometry), token=token)
        self._orders[made.id] = made
        return made


@pytest.fixture
def iceye():
    """A provider that is asked over HTTP; `hook` is called when it has taken an order, and before it says so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("content-length", 0))
            answer = app.request(self.command, self.path, content=self.rfile.read(length))
            if self.command == "POST" and self.path.endswith("/orders"):
                server.hook()
            with contextlib.suppress(OSError):
                self.send_response(answer.status_code)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_): ...

    clock = FasterClock(EPOCH, lambda: 0.0, 1.0)
    provider = Forgetful(ICEYE, FLEET, access, clock, None, policy="FIN", classification="UNCLASSIFIED")
    app = TestClient(stapi_app(lambda _request: Customer("", provider), "Simulated", clock))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.provider = provider
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_who_is_killed_before_it_hears_the_answer_does_not_order_twice(iceye, tmp_path):
    node = founded(tmp_path / "fin", "FIN/ICEYE", agreements=False)
    fleet, requests = tmp_path / "fleet.toml", tmp_path / "requests.toml"
    url = f"http://127.0.0.1:{iceye.server_address[1]}"
    text = (SAMPLES / "fleet.toml").read_text("utf-8")
    fleet.write_text(text.replace('satellites = ["ICEYE"]', f'satellites = ["X"]\nstapi = "{url}"'))
    requests.write_text((SAMPLES / "orders.toml").read_text("utf-8"))
    end = format_instant(Instant(EPOCH + timedelta(seconds=7250)))
    task = TASK | {"satellite": "X2", "provider": "FIN/ICEYE", "mode": "spotlight", "incidence_deg": 35.0, "end": end}
    task |= {"start": format_instant(Instant(EPOCH + timedelta(seconds=7210)))}
    (tmp_path / "schedule.json").write_text(json.dumps({"schema": "kizuna/schedule/1", "tasks": [task]}))
    status = ("plan", "order", "--fleet", fleet, "--node", node)
    order = (*status, tmp_path / "schedule.json", "--requests", requests)
    dead = threading.Event()
    with begin(*order, "--json") as process:
        iceye.hook = lambda: (os.kill(process.pid, signal.SIGKILL), dead.wait(60))
        process.wait(60)
        dead.set()
    assert [process.returncode, len(iceye.provider.orders())] == [-signal.SIGKILL, 1]
    iceye.hook = int
    (unclear,) = run(*status, "--status")
    assert (unclear["state"], unclear["order"]) == ("unclear", None)
    (made,) = run(*order)
    (known,) = iceye.provider.orders()
    assert (made["state"], made["order"]) == ("scheduled", known.id)
    assert run(*order)[0]["why"] == "ordered already"
    assert len(iceye.provider.orders()) == 1
