"""docs/exchange.md suffices: a program that another team could have written from it takes a feed from a real node."""

from __future__ import annotations

import ast
import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from simulators import second_node
from simulators.coalition import AGREEMENT
from simulators.processes import kizuna, serving
from simulators.second_node import ENTRY, REFUSAL, SecondNode, canonical, file_of, unseal, verify_proof

from kizuna.adapters.clock import SystemClock
from kizuna.node.founding import pin_partner, remove_partner
from kizuna.wiring import open_node


@pytest.fixture
def second(stocked, tmp_path):
    """Another team's node in the place of the taker, known to the giver by its card."""
    with open_node(stocked[0].jpn) as node:
        found = SecondNode("UKR/HUR", tmp_path, node.now())
        remove_partner(node, node.partner("UKR/HUR").party)
        pin_partner(node, found.card())
    return found


def test_another_teams_node_takes_a_feed_confirms_it_and_verifies_a_proof(stocked, second, tmp_path):
    pair, product = stocked
    now = SystemClock().now()
    card = kizuna("partner", "card", "--node", pair.jpn).json()
    key = base64.b64decode(card["signing_key"])
    assert kizuna("alert", "--to", "UKR", "A ship ahead.", "--node", pair.jpn).status == 0
    with serving(pair.jpn) as giver, second.connect(card, giver.partner_url) as link:
        answer = link.get("/exchange/v1/feed", params={"after": 0, "limit": 100})
        page = answer.json()
        assert (answer.status_code, page["schema"], page["after"], page["more"]) == (200, "kizuna/feed/1", 0, False)
        # An envelope's bytes are its canonical form.
        taken = [(unseal(envelope, ENTRY, key), canonical(envelope)) for envelope in page["entries"]]
        entries = [entry for entry, _ in taken]
        assert [(entry["sequence"], entry["type"]) for entry in entries] == [(1, "publish"), (2, "alert")]
        assert {(entry["sender"], entry["receiver"]) for entry in entries} == {("JPN/IQPS", "UKR/HUR")}
        assert (entries[0]["product"]["id"], entries[0]["decision"]["outcome"]) == (product, "permit")
        assert entries[1]["text"] == "A ship ahead."
        promised = {(asset["digest"], asset["size"]) for asset in entries[0]["product"]["assets"]}
        assert {(manifest["digest"], manifest["size"]) for manifest in entries[0]["manifests"]} == promised
        files = [file_of(link, manifest) for manifest in entries[0]["manifests"]]
        # All of them in one answer.
        names = ",".join(manifest["digest"] for manifest in entries[0]["manifests"])
        assert link.get(f"/exchange/v1/blobs/{names}").content == b"".join(files)
        assert link.get("/exchange/v1/blobs/sha256:" + "0" * 64).json() == {"error": "not found"}
        # A receipt for bytes that were not sent is not taken; one for both entries is.
        wrong = second.receipt([(entries[0], b"other")], now)
        assert link.post("/exchange/v1/receipts", content=wrong).status_code == 404
        assert link.post("/exchange/v1/receipts", content=second.receipt(taken, now)).status_code == 204
        assert link.get("/exchange/v1/feed", params={"after": 2}).json()["entries"] == []
        # The product is called back, and the agreement is suspended: two entries, then a signed refusal.
        assert kizuna("product", "recall", product, "--reason", "Wrong place.", "--node", pair.jpn).status == 0
        assert kizuna("agreement", "suspend", AGREEMENT, "--reason", "Talks.", "--node", pair.jpn).status == 0
        envelopes = link.get("/exchange/v1/feed", params={"after": 2}).json()["entries"]
        recalled, notice = ((unseal(envelope, ENTRY, key), canonical(envelope)) for envelope in envelopes)
        assert (recalled[0]["type"], recalled[0]["recalls"], recalled[0]["product"]) == ("withdraw", 1, product)
        assert (notice[0]["type"], notice[0]["agreement"], notice[0]["state"]) == ("agreement-notice", AGREEMENT, "suspended")
        assert link.post("/exchange/v1/receipts", content=second.receipt([recalled, notice], now)).status_code == 204
        said = second.recall_answer(*recalled, "kept", "Evidence.", now)
        assert link.post("/exchange/v1/receipts", content=said).status_code == 204
        assert link.get(f"/exchange/v1/blobs/{names}").status_code == 404
        refused = link.get("/exchange/v1/feed", params={"after": 4})
        refusal = unseal(refused.json(), REFUSAL, key)
        assert (refused.status_code, refusal["agreement"], "Talks." in refusal["reason"]) == (403, AGREEMENT, True)
    changed = page["entries"][0] | {"payload": page["entries"][1]["payload"]}
    with pytest.raises(InvalidSignature):
        unseal(changed, ENTRY, key)
    status = kizuna("node", "status", "--node", pair.jpn, "--json").json()["partners"][0]
    assert (status["waiting"], status["unconfirmed"]) == (0, 0)
    assert (status["recalls"][0]["fate"], status["recalls"][0]["answer"]) == ("kept", "Evidence.")
    digest = "sha256:" + hashlib.sha256(taken[0][1]).hexdigest()
    assert kizuna("audit", "prove", "UKR/HUR:1", "--out", tmp_path / "proof", "--node", pair.jpn).status == 0
    assert_proves((tmp_path / "proof").read_text("utf-8"), key, digest, product)


def assert_proves(text, key, digest, product):
    """The log of JPN/IQPS says that this entry was released, and a proof with another path does not."""
    fact = verify_proof(text, "JPN/IQPS", key)
    assert (fact["kind"], fact["body"]["entry"], fact["body"]["product"]) == ("release.sequenced", digest, product)
    lines = text.split("\n")
    with pytest.raises(AssertionError):
        verify_proof("\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]), "JPN/IQPS", key)


def test_the_other_teams_program_knows_nothing_of_kizuna():
    tree = ast.parse(Path(second_node.__file__).read_text("utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in names if name.partition(".")[0] in {"kizuna", "simulators"}]
