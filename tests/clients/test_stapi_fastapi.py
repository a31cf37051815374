"""STAPI against another implementation: our client at a server by stapi-fastapi, and what we serve against its description."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading

import httpx
import pytest
import uvicorn
from simulators.clients import CLIENTS, ROOT, run
from simulators.providers import EPOCH, FLEET, ICEYE, access

from kizuna.adapters.provider_simulator import FasterClock, SimulatedProvider
from kizuna.adapters.stapi_client import StapiClient
from kizuna.adapters.stapi_provider import StapiProvider
from kizuna.model.instants import parse_instant
from kizuna.planning.offers import Wish, only
from kizuna.planning.tasking import Mode
from kizuna.web.serve import Listener, bind
from kizuna.web.stapi import Customer, stapi_app

WISH = {"datetime": "2026-05-08T00:00:00Z/2026-05-09T00:00:00Z", "geometry": {"type": "Point", "coordinates": [30.5, 50.5]}}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def theirs():
    """Address of a provider by stapi-fastapi."""
    command = [str(CLIENTS / "python"), str(ROOT / "tests/clients/tools/stapi_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture
def client(theirs):
    with contextlib.closing(StapiClient(theirs)) as made:
        yield made


def test_products_and_opportunities_come_page_by_page_at_once_and_later(client):
    (product,) = client.products().products
    at_once, later = (client.opportunities(product.id, WISH, later=later).features for later in (False, True))
    assert [one.properties.platform for one in at_once] == [one.properties.platform for one in later] == ["X1", "X2"]
    assert client.parameters(product.id) == frozenset()


def test_an_order_is_found_again_among_its_orders(client):
    other = client.order("spotlight", {**WISH, "datetime": "2026-05-08T00:00:00Z/2026-05-08T01:00:00Z"})
    first = client.order_once("spotlight", WISH, "token", asked_before=True)
    again = client.order_once("spotlight", WISH, "token", asked_before=True)
    assert [again.id, other.id == first.id] == [first.id, False]
    assert {one.id for one in client.orders()} >= {first.id, other.id}
    assert {one.status_code.value for one in client.statuses(first.id).statuses} == {"received", "accepted"}


def test_it_can_fly_for_a_node(client):
    provider = StapiProvider(client)
    assert [mode for mode, _ in provider.modes()] == [Mode.SPOTLIGHT]
    wish = Wish(parse_instant("2026-05-08"), parse_instant("2026-05-09"), 30.5, 50.5)
    offers = provider.offers(Mode.SPOTLIGHT, wish)
    assert [(one.satellite, one.right, one.scene) for one in offers] == [("X1", False, None), ("X2", False, None)]
    order = provider.order(Mode.SPOTLIGHT, only(offers[0], wish), "token", asked_before=False)
    assert [one.code for one in order.statuses] == ["received", "accepted"]
    assert provider.order(Mode.SPOTLIGHT, only(offers[0], wish), "token", asked_before=True).id == order.id
    assert provider.standing(order).statuses == order.statuses


@pytest.fixture
def ours():
    """Address of a simulated provider of ours."""
    clock = FasterClock(EPOCH, lambda: 0.0, 1.0)
    provider = SimulatedProvider(ICEYE, FLEET, access, clock, None, policy="FIN", classification="UNCLASSIFIED")
    app = stapi_app(lambda _request: Customer("", provider), "Simulated", clock)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with bind(Listener(app, "127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_we_serve_is_as_it_describes_it(theirs, ours, tmp_path):
    document = httpx.get(theirs + "/openapi.json", trust_env=False).json()
    for path in document["paths"].values():
        for operation in path.values():
            # What is wrong is said otherwise: by `code` and `description`. And what is not there it does not mention.
            operation["responses"].pop("422", None)
            operation["responses"] |= {"422": {"description": "invalid"}, "404": {"description": "missing"}}
    for name in ("queryables", "order-parameters"):
        # The media type of JSON Schema, as OGC API - Features has it (part 3, 7.2).
        content = document["paths"][f"/products/spotlight/{name}"]["get"]["responses"]["200"]["content"]
        content["application/schema+json"] = content.pop("application/json")
    (tmp_path / "theirs.json").write_text(json.dumps(document), encoding="utf-8")
    with contextlib.closing(StapiClient(ours)) as made:
        order = made.order("spotlight", WISH).id
    found = httpx.post(
        ours + "/products/spotlight/opportunities", json=WISH, headers={"prefer": "respond-async"}, trust_env=False
    ).json()["id"]
    known = {"order_id": order, "search_record_id": found, "opportunity_collection_id": found}
    lines = "".join(f'"path.{name}" = "{value}"\n' for name, value in known.items())
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{lines}", encoding="utf-8")
    words = [
        "--phases=fuzzing",
        "--max-examples=3",
        "--seed=1",
        "--continue-on-failure",
        "--no-color",
        f"--checks={CHECKS}",
        f"--url={ours}",
    ]
    done = run(CLIENTS / "schemathesis", "run", tmp_path / "theirs.json", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-9000:] + done.stderr[-2000:]
