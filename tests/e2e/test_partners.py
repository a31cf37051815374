"""Partners by the command line: removed, unreadable, named by their nation."""

from __future__ import annotations

import base64
import contextlib

import httpx
import pytest
from simulators.coalition import founded, introduce, labelled, published, small_tiff
from simulators.processes import kizuna, serving, state_of, within

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.errors import KizunaError
from kizuna.model.parties import parse_party
from kizuna.model.provenance import FactKind
from kizuna.wiring import KEYS, open_node, sample_folder, transport_to


def is_let_in(folder):
    """Whether the node in `folder` reads the giver's feed."""
    giver = parse_party("JPN/IQPS")
    with (
        contextlib.suppress(KizunaError),
        open_node(folder) as node,
        transport_to(folder, node.partner(giver)) as transport,
    ):
        return bool(transport.feed(0, 100))
    return False


def test_a_removed_partner_gets_what_a_stranger_gets(pair, tiff, tmp_path):
    published(pair.jpn, tiff)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        taker = client_context(FileKeys.load(pair.ukr / KEYS), FileKeys.load(pair.jpn / KEYS).certificate_der)
        # One connection that stays open: removal bites in its next request.
        with httpx.Client(verify=taker, base_url=giver.partner_url) as client:
            assert client.get("/exchange/v1/feed").status_code == 200
            done = kizuna("partner", "remove", "UKR/HUR", "--node", pair.jpn, "--json")
            assert (done.status, done.json()) == (0, {"removed": "UKR/HUR"})
            missing, nowhere = client.get("/exchange/v1/feed"), client.get("/no/such/thing")
        assert missing.status_code == 404
        assert (missing.content, missing.headers) == (nowhere.content, nowhere.headers)
        pulled = kizuna("sync", "--node", pair.ukr, "--json")
        assert pulled.status == 4
        assert "does not know this node" in pulled.fault()["message"]
    # Nor is it asked for anything, or listed.
    asked = kizuna("sync", "UKR/HUR", "--node", pair.jpn, "--json")
    assert (asked.status, asked.fault()["field"]) == (2, "partner")
    assert kizuna("partner", "list", "--node", pair.jpn, "--json").json() == []
    assert kizuna("node", "status", "--node", pair.jpn, "--json").json()["partners"] == []
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0
    # What comes later is not queued for it, and publishing goes on.
    published(pair.jpn, labelled(small_tiff(tmp_path / "later.tif", seed=9)))


@pytest.mark.parametrize(("party", "field"), [("FRA", "partner"), ("UKR", "partner"), ("ZZZ", "party"), ("", "party")])
def test_only_a_partner_can_be_removed(untouched, party, field):
    done = kizuna("partner", "remove", party, "--node", untouched, "--json")
    assert (done.status, done.fault()["field"]) == (2, field)


def test_removal_is_told_in_words(pair):
    assert kizuna("partner", "remove", "UKR/HUR", "--node", pair.jpn).out == "Removed UKR/HUR.\n"


def test_a_certificate_that_is_none_is_not_pinned(untouched, tmp_path):
    card = kizuna("partner", "card", "--node", founded(tmp_path / "fra", "FRA", agreements=False)).json()
    file = tmp_path / "card.json"
    junk = base64.b64encode(b"junk").decode()
    file.write_text(str(card | {"certificate": junk}).replace("'", '"'))
    done = kizuna("partner", "add", file, "--node", untouched, "--json")
    assert (done.status, done.fault()["field"]) == (2, "certificate")


def test_one_unreadable_certificate_keeps_nobody_else_out(pair, tmp_path):
    """A log of an earlier version may hold one; it comes before the others, at the start and while the node runs."""

    def pin_junk(party, junk):
        body = {"party": party, "url": "", "certificate": base64.b64encode(junk).decode(), "signing_key": "A" * 43 + "="}
        with open_node(pair.jpn) as node, node.store.transaction():
            node.journal.record(FactKind.PARTNER_PINNED, body, by=node.by, authority="test")

    pin_junk("ITA", b"junk")
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert is_let_in(pair.ukr)
        pin_junk("DEU", b"more junk")
        late = founded(tmp_path / "late", "FRA", agreements=False)
        introduce(late, pair.jpn, giver.partner_url)
        introduce(pair.jpn, late)
        within(10, "a new partner is not let in", lambda: is_let_in(late))


def test_a_nation_names_its_one_partner_in_sync(pair, tiff):
    published(pair.jpn, tiff)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        done = kizuna("sync", "JPN", "--node", pair.ukr, "--json")
    assert (done.status, done.json()["partners"][0]["partner"]) == (0, "JPN/IQPS")


def test_each_partner_that_fails_is_named(pair, tmp_path):
    lone = kizuna("sync", "--node", pair.ukr)
    assert (lone.status, lone.out) == (0, "")
    assert "no partner that has an address" in lone.err
    for nation in ("FRA", "ITA"):
        introduce(pair.ukr, founded(tmp_path / nation, nation, agreements=False), f"https://127.0.0.1:{len(nation)}")
    done = kizuna("sync", "--node", pair.ukr)
    assert (done.status, done.out, done.err.count("does not answer")) == (4, "", 2)
    assert "ITA: " in done.err


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-1", "0", "1e300"])
def test_an_interval_that_is_none_is_a_usage_error(untouched, number):
    done = kizuna("sync", "--every", number, "--node", untouched, "--json")
    assert (done.status, done.fault()["field"]) == (2, "every")


def test_the_ladders_beside_the_agreements_are_left_out(tmp_path):
    node = founded(tmp_path / "node", "JPN", agreements=False)
    register = sorted(sample_folder("coalition").glob("*.toml"))
    done = kizuna("agreement", "add", *register, "--node", node, "--json")
    assert done.status == 0
    assert len(done.json()) == len(register) - 1
    assert "markings.toml" in done.err
    before = state_of(node)
    done = kizuna("agreement", "add", sample_folder("coalition") / "markings.toml", "--node", node, "--json")
    assert (done.status, done.json()) == (0, [])
    assert state_of(node) == before


def test_doctor_says_when_the_machine_cannot_remember_the_tails_of_logs(tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.touch()
    for state, ok in [(tmp_path / "state", True), (blocked / "state", False)]:
        monkeypatch.setenv("KIZUNA_STATE", str(state))
        found = {finding["check"]: finding for finding in kizuna("doctor", "--node", tmp_path / "none", "--json").json()}
        assert (found["memory"]["ok"], found["memory"]["found"]) == (ok, str(state))


def test_doctor_says_that_no_node_lies_there(untouched, tmp_path):
    done = kizuna("doctor", "--node", tmp_path / "nowhere", "--json")
    found = {finding["check"]: finding for finding in done.json()}
    assert done.status == 0
    assert found["node"]["ok"] is None
    assert "nowhere" in found["node"]["found"]
    assert "settings" not in found
    plain = kizuna("doctor", "--node", tmp_path / "nowhere").out
    assert f"– node: no node lies in {tmp_path / 'nowhere'}" in plain
    there = {finding["check"] for finding in kizuna("doctor", "--node", untouched, "--json").json()}
    assert "settings" in there
    assert "node" not in there
