"""Who asks: credentials that officers give and revoke, roles of commands, people whom a real OIDC provider signed in."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from simulators.coalition import founded, published
from simulators.processes import environment, kizuna, serving, within

CLIENT, SECRET, BACK = "kizuna-jpn", "not-so-secret", "http://127.0.0.1:4180/oauth2/callback"


@pytest.fixture
def node(tmp_path):
    return founded(tmp_path / "jpn", "JPN/IQPS", agreements=False)


def test_a_credential_is_given_used_listed_and_revoked(node, tiff):
    (product,) = published(node, tiff)
    given = kizuna("node", "token", "add", "aiko", "--role", "analyst", "--for", "QGIS", "--node", node, "--json").json()
    assert (given["name"], given["role"], given["purpose"], given["until"]) == ("aiko", "analyst", "QGIS", None)
    with serving(node) as running:
        url = f"{running.people_url}/stac/collections/imagery/items/{product}"
        for auth in ({"auth": ("anybody", given["token"])}, {"headers": {"authorization": f"Bearer {given['token']}"}}):
            assert httpx.get(url, **auth).status_code == 200
        (_, listed) = kizuna("node", "token", "list", "--node", node, "--json").json()
        assert listed == {name: value for name, value in given.items() if name != "token"}
        assert "aiko" in kizuna("node", "token", "list", "--node", node).out
        assert kizuna("node", "token", "revoke", given["id"], "--node", node).status == 0
        assert httpx.get(url, auth=("anybody", given["token"])).status_code == 401
    again = kizuna("node", "token", "revoke", given["id"], "--node", node, "--json")
    assert (again.status, again.fault()["field"]) == (2, "credential")
    log = kizuna("audit", "log", "--node", node).out
    assert f"aiko was given access as analyst (credential {given['id']})" in log
    assert given["token"][3:] not in log


def test_commands_act_for_the_person_and_within_the_role_whose_credential_is_set(node, tiff):
    def token(name, role):
        return {"KIZUNA_TOKEN": kizuna("node", "token", "add", name, "--role", role, "--node", node, "--json").json()["token"]}

    analyst, operator, officer = token("aiko", "analyst"), token("ops", "operator"), token("hana", "officer")
    ingest, read_log = ("ingest", tiff, "--node", node), ("audit", "log", "--node", node, "--json")
    for who, command in (
        (analyst, ingest),
        (operator, ingest),
        (analyst, read_log),
        (operator, ("product", "list", "--node", node)),
    ):
        done = kizuna(*command, env=who)
        assert (done.status, "does not allow it" in done.err) == (2, True), command
    assert kizuna("product", "list", "--node", node, env=analyst).status == 0
    assert kizuna("node", "status", "--node", node, env=operator).status == 0
    assert kizuna(*ingest, env=officer).status == 0
    entries = kizuna(*read_log, env=officer).json()["entries"]
    assert next(entry for entry in entries if entry["kind"] == "product.published")["recorded_by"] == "JPN/IQPS:hana"
    unknown = kizuna("node", "status", "--node", node, "--json", env={"KIZUNA_TOKEN": "kz-nobody"})
    assert (unknown.status, unknown.fault()["field"]) == (2, "KIZUNA_TOKEN")
    assert kizuna("node", "token", "add", "aiko", "--role", "officer", "--node", node, env=operator).status == 2


# ---- a real OIDC provider


@pytest.fixture
def provider():
    """Address of an OpenID provider that signs anybody in under the name that it is told."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers():
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(url + "/.well-known/openid-configuration").status_code == 200
        return False

    try:
        within(60, "the provider does not answer", answers)
        yield url
    finally:
        process.kill()
        process.wait()


def signed_in(url, name):
    """ID token of somebody, by the authorization code flow, as a proxy such as oauth2-proxy goes through it."""
    known = httpx.get(url + "/.well-known/openid-configuration").json()
    asked = {
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid email",
        "nonce": secrets.token_urlsafe(),
    }
    sent = httpx.post(known["authorization_endpoint"], params=asked, data={"sub": name})
    code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    answer = httpx.post(known["token_endpoint"], data=form, auth=(CLIENT, SECRET)).json()
    return answer["id_token"], httpx.get(known["jwks_uri"]).json()


@pytest.mark.parametrize("header", ["authorization", "x-forwarded-id-token"])
def test_people_whom_an_oidc_provider_signed_in_have_the_role_of_their_claim(node, tiff, provider, header):
    (product,) = published(node, tiff)
    (analyst, keys), (operator, _), (guest, _) = (signed_in(provider, f"{name}@jpn.example") for name in ("aiko", "ops", "guest"))
    (node / "issuer.json").write_text(json.dumps(keys))
    settings = {
        "KIZUNA_OIDC_ISSUER": provider,
        "KIZUNA_OIDC_AUDIENCE": CLIENT,
        "KIZUNA_OIDC_KEYS": "issuer.json",
        "KIZUNA_OIDC_HEADER": header,
        "KIZUNA_OIDC_NAME_CLAIM": "email",
        "KIZUNA_OIDC_ROLES_CLAIM": "email",
        "KIZUNA_OIDC_ANALYSTS": "aiko@jpn.example",
        "KIZUNA_OIDC_OPERATORS": "ops@jpn.example",
    }
    with serving(node, env=settings) as running:

        def status(path, passed, **more):
            value = f"Bearer {passed}" if header == "authorization" else passed
            return httpx.get(running.people_url + path, headers={header: value} | more).status_code

        item = f"/stac/collections/imagery/items/{product}"
        assert [status(path, analyst) for path in (item, "/", "/partners", "/metrics")] == [200, 200, 200, 404]
        assert [status(path, operator) for path in (item, "/partners", "/metrics")] == [403, 200, 200]
        assert status(item, guest) == 401
        head, body, seal = analyst.split(".")
        assert status(item, f"{head}.{operator.split('.')[1]}.{seal}") == 401
        assert status(item, f"{head}.{body}.") == 401
        assert httpx.get(running.people_url + item, headers={"x-forwarded-email": "aiko@jpn.example"}).status_code == 401
        # Issuers change their keys: those of another one open nothing, without a restart.
        assert (
            "aiko@jpn.example"
            in httpx.get(
                running.people_url + "/", headers={header: f"Bearer {analyst}" if header == "authorization" else analyst}
            ).text
        )
        (node / "issuer.json").write_text('{"keys": []}')
        assert status(item, analyst) == 401


@pytest.mark.parametrize("lacking", ["OIDC_AUDIENCE", "OIDC_KEYS"])
def test_an_issuer_without_an_audience_or_keys_is_refused(node, lacking):
    settings = {"KIZUNA_OIDC_ISSUER": "https://sso", "KIZUNA_OIDC_AUDIENCE": "a", "KIZUNA_OIDC_KEYS": "b"}
    settings[f"KIZUNA_{lacking}"] = ""
    done = kizuna("node", "serve", "--node", node, "--json", env=settings)
    assert (done.status, done.fault()["field"]) == (2, lacking.lower())


def test_keys_that_cannot_be_read_are_told_at_the_start(node):
    settings = {"KIZUNA_OIDC_ISSUER": "https://sso", "KIZUNA_OIDC_AUDIENCE": "a", "KIZUNA_OIDC_KEYS": "nowhere.json"}
    done = kizuna("node", "serve", "--node", node, "--json", env=settings)
    assert (done.status, done.fault()["field"]) == (2, "oidc_keys")


# ---- what partners read


def test_what_a_partner_fetched_is_told_by_the_log_and_with_the_reasons(pair, tiff):
    (product,) = published(pair.jpn, tiff)
    reads = ("audit", "reads", "--node", pair.jpn)
    assert kizuna(*reads, "--json").json() == []
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert kizuna("sync", "--node", pair.ukr).status == 0
    (read,) = kizuna(*reads, "--json").json()
    assert (read["product"], read["partner"], read["form"]) == (product, "UKR/HUR", "file")
    assert kizuna("audit", "reads", product, "--by", "UKR", "--since", "2025-01-01", "--node", pair.jpn, "--json").json() == [
        read
    ]
    assert kizuna("audit", "reads", product, "--since", "2100-01-01", "--node", pair.jpn, "--json").json() == []
    assert product in kizuna(*reads).out
    explain = ("release", "explain", product, "--to", "UKR/HUR", "--node", pair.jpn)
    assert kizuna(*explain, "--json").json()["reads"] == [{"form": "file", "at": read["at"]}]
    assert "UKR/HUR read it (a file of it), last recorded at" in kizuna(*explain).out
    assert "UKR/HUR read 1 products (file)" in kizuna("audit", "log", "--node", pair.jpn).out
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0
