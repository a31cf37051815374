"""The two listeners of a running node: who gets in where, and what nobody can tell from outside."""

from __future__ import annotations

import contextlib
import ssl

import httpx
import pytest
from simulators.coalition import AGREEMENT, founded, introduce, labelled, published, small_tiff
from simulators.processes import kizuna, serving, within

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.errors import KizunaError
from kizuna.wiring import KEYS, open_node, transport_to

EXCHANGE = ["/exchange/v1/feed", f"/exchange/v1/blobs/sha256:{'0' * 64}"]
PAGES = [
    "/",
    "/products/" + "a" * 26,
    "/footprints.json",
    "/partners",
    "/agreements",
    "/signin",
    "/healthz",
    "/static/kizuna.css",
]


def client_of(folder, server):
    """HTTP client with the certificate of the node in `folder`, for the partners' listener of the node in `server`."""
    return httpx.Client(verify=client_context(FileKeys.load(folder / KEYS), FileKeys.load(server / KEYS).certificate_der))


def feed(folder):
    with open_node(folder) as node, transport_to(folder, node.partner("JPN/IQPS")) as transport:
        return transport.feed(0, 100)


@pytest.fixture
def coalition(pair, tmp_path):
    """The pair and a third node, which is pinned but has no agreement; the giver serves."""
    nzl = founded(tmp_path / "nzl", "NZL", agreements=False)
    introduce(pair.jpn, nzl)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        introduce(nzl, pair.jpn, giver.partner_url)
        yield pair, nzl, giver


def test_a_partner_without_an_agreement_cannot_tell_that_anything_was_published(coalition, tmp_path):
    pair, nzl, _giver = coalition
    before = feed(nzl)
    published(pair.jpn, *(labelled(small_tiff(tmp_path / f"{n}.tif", seed=n)) for n in range(2)))
    assert feed(nzl) == before
    done = kizuna("sync", "--node", pair.ukr, "--json")
    assert len(done.json()["partners"][0]["received"]) == 2
    assert feed(nzl) == before
    kizuna("agreement", "suspend", AGREEMENT, "--reason", "Not for NZL.", "--node", pair.jpn)
    assert feed(nzl) == before
    done = kizuna("sync", "--node", nzl, "--json")
    assert (done.status, done.json()["partners"][0]["received"]) == (0, [])


def test_a_file_that_one_partner_has_is_missing_for_another(coalition, tiff):
    pair, nzl, giver = coalition
    published(pair.jpn, tiff)
    kizuna("sync", "--node", pair.ukr)
    with open_node(pair.ukr) as node:
        digest = next(item.product.content for item in node.store.items.all())
    answers = {}
    for folder in (pair.ukr, nzl):
        with client_of(folder, pair.jpn) as client:
            answers[folder] = [
                client.get(f"{giver.partner_url}/exchange/v1/blobs/{name}") for name in (digest, "sha256:" + "0" * 64)
            ]
    assert [answer.status_code for answer in answers[pair.ukr]] == [200, 404]
    there, absent = answers[nzl]
    assert (there.status_code, there.content, there.headers) == (absent.status_code, absent.content, absent.headers)
    assert there.status_code == 404


def test_a_stranger_is_refused_before_anything_is_said(coalition, tmp_path):
    pair, _nzl, giver = coalition
    stranger = founded(tmp_path / "stranger", "UKR/HUR", agreements=False)
    with client_of(stranger, pair.jpn) as client, pytest.raises(httpx.TransportError):
        client.get(giver.partner_url + EXCHANGE[0])
    without = ssl.create_default_context()
    without.check_hostname, without.verify_mode = False, ssl.CERT_NONE
    with httpx.Client(verify=without) as client, pytest.raises(httpx.TransportError):
        client.get(giver.partner_url + EXCHANGE[0])
    with httpx.Client() as client, pytest.raises(httpx.TransportError):
        client.get(giver.partner_url.replace("https", "http") + EXCHANGE[0])
    # The stranger learns no more by the commands, and its own node keeps nothing.
    introduce(stranger, pair.jpn, giver.partner_url)
    assert kizuna("sync", "--node", stranger, "--json").status == 4


def test_a_partner_that_was_pinned_while_the_node_runs_gets_in(coalition, tmp_path):
    pair, _nzl, giver = coalition
    late = founded(tmp_path / "late", "FRA", agreements=False)
    introduce(late, pair.jpn, giver.partner_url)
    introduce(pair.jpn, late)

    def is_let_in():
        with contextlib.suppress(KizunaError):
            return bool(feed(late))
        return False

    within(10, "a new partner is not let in", is_let_in)


def test_a_node_that_shows_another_certificate_gets_no_request(coalition, tmp_path):
    """The taker pinned the giver's certificate; somebody else answers at its address."""
    pair, _nzl, _giver = coalition
    with serving(founded(tmp_path / "false", "JPN/IQPS", agreements=False)) as impostor:
        introduce(pair.ukr, pair.jpn, impostor.partner_url)
        done = kizuna("sync", "--node", pair.ukr, "--json")
    assert done.status == 4


def test_the_partners_listener_has_no_page_and_the_peoples_no_exchange(coalition, tiff):
    pair, _nzl, giver = coalition
    published(pair.jpn, tiff)
    with client_of(pair.ukr, pair.jpn) as partner, httpx.Client() as person:
        missing = partner.get(giver.partner_url + "/no/such/thing")
        assert missing.status_code == 404
        for path in PAGES:
            answer = partner.get(giver.partner_url + path)
            assert (answer.status_code, answer.content) == (missing.status_code, missing.content), path
        assert partner.get(giver.partner_url + EXCHANGE[0]).status_code == 200
        for path in EXCHANGE:
            assert person.get(giver.people_url + path).status_code == 404, path
        assert person.post(giver.people_url + "/exchange/v1/receipts", content=b"{}").status_code == 404
        assert person.get(giver.people_url + "/healthz").status_code == 200


def test_no_header_makes_a_person_of_a_visitor(coalition, tiff):
    pair, _nzl, giver = coalition
    published(pair.jpn, tiff)
    with httpx.Client() as visitor:
        for headers in (
            {},
            {"host": "evil.example"},
            {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
            {"x-forwarded-user": "operator", "x-ssl-client-cert": "UKR/HUR"},
            {"authorization": "Bearer kz-" + "a" * 32},
        ):
            for path in ("/footprints.json", "/", "/partners"):
                answer = visitor.get(giver.people_url + path, headers=headers)
                assert answer.status_code in {303, 400, 401, 421}, (headers, path)
                assert b"harbour" not in answer.content


def test_a_person_sees_what_the_token_of_the_node_opens(tmp_path, tiff):
    node = tmp_path / "node"
    made = kizuna("node", "init", "--nation", "JPN", "--organisation", "IQPS", "--node", node, "--json").json()
    (product,) = published(node, tiff)
    with serving(node) as served, httpx.Client(base_url=served.people_url) as person:
        headers = {"authorization": f"Bearer {made['token']}"}
        answer = person.get("/footprints.json", headers=headers)
        assert answer.status_code == 200
        assert product in answer.text
        assert person.get("/", headers=headers | {"host": "evil.example"}).headers.get("access-control-allow-origin") is None
        assert person.get("/footprints.json").status_code == 401


def test_the_pages_answer_to_this_machines_own_names_only(tmp_path):
    """A site whose name was made to resolve to 127.0.0.1 is of one origin with the listener, but for the Host header."""
    node = tmp_path / "node"
    token = kizuna("node", "init", "--nation", "JPN", "--node", node, "--json").json()["token"]
    with serving(node) as served, httpx.Client(base_url=served.people_url) as person:
        port = served.people_url.rpartition(":")[2]
        headers = {"authorization": f"Bearer {token}"}
        for host in ("localhost", f"localhost:{port}", "127.0.0.1", f"127.8.9.1:{port}", f"[::1]:{port}", "localhost:1"):
            assert person.get("/footprints.json", headers=headers | {"host": host}).status_code == 200, host
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example"):
            for path in ("/footprints.json", "/signin", "/healthz", "/static/kizuna.css", "/no/such/thing"):
                answer = person.get(path, headers=headers | {"host": host})
                assert (answer.status_code, answer.text) == (421, "not a host of this node\n"), (host, path)
        forged = person.post("/signin", data={"token": token}, headers={"host": "evil.example"})
        assert forged.status_code == 421
        assert "set-cookie" not in forged.headers
