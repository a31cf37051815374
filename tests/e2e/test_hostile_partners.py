"""A partner with a valid certificate that asks for what is another's, guesses, replays, lies; one that is removed half-way."""

from __future__ import annotations

import dataclasses
import json

import httpx
import pytest
from simulators.coalition import founded, introduce, published
from simulators.processes import Line, begin, kizuna, serving

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.exchange.feed import seal_receipt, unseal_receipt
from kizuna.model.parties import parse_party
from kizuna.wiring import KEYS, open_node

FRA = parse_party("FRA")


@pytest.fixture
def third(pair, tmp_path):
    """Node of a third nation that the giver knows, and with which it has no agreement."""
    folder = founded(tmp_path / "fra", "FRA", agreements=False)
    introduce(pair.jpn, folder)
    introduce(folder, pair.jpn, "https://127.0.0.1:1")
    return folder


def client_of(folder, giver, url):
    keys = FileKeys.load(folder / KEYS)
    return httpx.Client(verify=client_context(keys, FileKeys.load(giver / KEYS).certificate_der), base_url=url)


def told(answer):
    """All that an answer tells."""
    return answer.status_code, answer.content, sorted((n, v) for n, v in answer.headers.items() if n != "date")


def test_what_is_anothers_does_not_exist(pair, third, tiff):
    product = published(pair.jpn, tiff)[0]
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert kizuna("sync", "--node", pair.ukr).status == 0
        with open_node(pair.ukr) as node:
            (item,) = node.store.items.all()
        with client_of(pair.ukr, pair.jpn, giver.partner_url) as ukr:
            mine = ukr.get("/exchange/v1/feed").json()
            envelope = mine["entries"][0]
            digest = item.product.assets[0].digest
            assert ukr.get(f"/exchange/v1/blobs/{digest}").status_code == 200
        receipt = receipt_of(pair, third, envelope, item)
        with client_of(third, pair.jpn, giver.partner_url) as fra:
            nothing = told(fra.get("/exchange/v1/blobs/sha256:" + "0" * 64))
            assert nothing[0] == 404
            asked = [
                fra.get(f"/exchange/v1/blobs/{digest}"),
                fra.get(f"/exchange/v1/blobs/{digest}", headers={"range": "bytes=0-9"}),
                fra.get(f"/exchange/v1/blobs/{product}"),
                fra.get("/exchange/v1/feed/UKR/HUR"),
                fra.get("/exchange/v1/partners/UKR%2FHUR/feed"),
                fra.get("/exchange/v1/blobs/%2e%2e%2ffeed"),
                *(fra.post("/exchange/v1/receipts", content=body) for body in receipt),
            ]
            assert [told(answer) for answer in asked] == [nothing] * len(asked)
            # Headers that a proxy would trust say nothing here.
            pretended = {"x-forwarded-for": "127.0.0.1", "x-client-cert": "UKR/HUR", "x-ssl-client-s-dn": "CN=kizuna UKR/HUR"}
            assert told(fra.get(f"/exchange/v1/blobs/{digest}", headers=pretended)) == nothing
            feed = fra.get("/exchange/v1/feed", headers=pretended)
            assert feed.json()["entries"] == []
    log = kizuna("audit", "log", "--node", pair.jpn, "--json").json()
    assert not [fact for fact in log["entries"] if "FRA" in json.dumps(fact) and "receipt" in fact["kind"]]


def receipt_of(pair, third, envelope, item):
    """Receipts of the taker's entry as a third nation might send them: replayed, in its own name, in the taker's."""
    from kizuna.exchange.feed import Receipt
    from kizuna.model.canonical import canonical
    from kizuna.model.digests import digest_of

    with open_node(pair.ukr) as node:
        raw = canonical(envelope)
        genuine = Receipt(parse_party("JPN/IQPS"), node.organisation, 1, digest_of(raw), node.now())
        replayed = seal_receipt(genuine, node.keys)
        assert unseal_receipt(replayed, node.keys.public_key) == genuine
    with open_node(third) as node:
        lied = seal_receipt(genuine, node.keys)
        own = seal_receipt(dataclasses.replace(genuine, receiver=FRA), node.keys)
    return replayed, lied, own


def test_a_card_that_lies_about_its_nation_is_not_taken(pair, third, tmp_path):
    card = kizuna("partner", "card", "--node", third).out
    for nation, field in (("UKR/HUR", "certificate"), ("POL", "certificate"), ("JPN/IQPS", "party")):
        (tmp_path / "card.json").write_text(json.dumps(json.loads(card) | {"party": nation}), "utf-8")
        done = kizuna("partner", "add", tmp_path / "card.json", "--node", pair.jpn, "--json")
        assert (done.status, done.fault()["field"]) == (2, field)


def test_removing_a_partner_ends_its_running_transfer_and_keeps_the_history(stocked):
    pair, _product = stocked
    with serving(pair.jpn) as giver, Line(giver.partner_port, hold_after=400_000) as line:
        pair.meet(line.url)
        with begin("sync", "--node", pair.ukr, "--json") as pulling:
            assert line.held.wait(20)
            before = kizuna("audit", "log", "--node", pair.jpn, "--json").json()["entries"]
            assert kizuna("partner", "remove", "UKR/HUR", "--node", pair.jpn).status == 0
            line.go_on()
            pulling.communicate(timeout=60)
            assert pulling.returncode != 0
        assert kizuna("product", "list", "--node", pair.ukr, "--json").json() == []
    after = kizuna("audit", "log", "--node", pair.jpn, "--json").json()["entries"]
    assert after[: len(before)] == before
    assert [fact["kind"] for fact in after[len(before) :]] == ["partner.removed"]
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0
