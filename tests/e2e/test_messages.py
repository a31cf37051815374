"""Recall, notice, alert, request and checkpoint between two nodes that serve, by the command line alone."""

from __future__ import annotations

import pytest
from simulators.coalition import AGREEMENT, introduce, label_text, labelled, published, small_tiff
from simulators.processes import assert_blobs_whole, kizuna, serving

REFUSED = 3


@pytest.fixture
def met(pair, tiff):
    """Two nodes that serve and pull from each other; the giver's first product has arrived."""
    (product,) = published(pair.jpn, tiff)
    with serving(pair.jpn) as giver, serving(pair.ukr) as taker:
        pair.meet(giver.partner_url)
        introduce(pair.jpn, pair.ukr, taker.partner_url)
        assert pulled(pair.ukr)["received"][0]["id"] == product
        yield pair, product


def ran(*arguments, status=0):
    done = kizuna(*arguments, "--json")
    assert done.status == status, done.err
    return done.json() if done.out else None


def pulled(folder, status=0):
    (report,) = ran("sync", "--node", folder, status=status)["partners"]
    return report


def types(report):
    return [message["type"] for message in report["messages"]]


def partner_of(folder):
    (partner,) = ran("node", "status", "--node", folder)["partners"]
    return partner


def verified(*folders):
    for folder in folders:
        assert kizuna("audit", "verify", "--node", folder).status == 0


def test_a_recall_and_its_signed_answer(met):
    (jpn, ukr), product = (met[0].jpn, met[0].ukr), met[1]
    assert assert_blobs_whole(ukr)
    done = ran("product", "recall", product[:10], "--reason", "Sent by mistake.", "--node", jpn)
    assert [(one["partner"], one["entry"], one["told"]) for one in done["recalls"]] == [("UKR/HUR", 1, True)]
    assert kizuna("product", "recall", product, "--reason", "x", "--node", jpn).status == 2
    assert types(pulled(ukr)) == ["withdraw"]
    assert ran("product", "list", "--node", ukr) == []
    (one,) = ran("product", "recalled", "--node", ukr)
    assert (one["product"], one["reason"], one["fate"]) == (product, "Sent by mistake.", None)
    assert partner_of(jpn)["recalls"][0]["fate"] is None
    for wrong in ([], ["--destroyed", "--kept", "x"], ["--kept", ""]):
        assert kizuna("product", "answer-recall", product, *wrong, "--node", ukr).status == 2
    ran("product", "answer-recall", product, "--kept", "A court asks for it.", "--node", ukr)
    pulled(ukr)
    (told,) = ran("product", "show", product, "--node", jpn)["recalls"][:1]
    assert (told["fate"], told["answer"]) == ("kept", "A court asks for it.")
    ran("product", "answer-recall", product, "--destroyed", "--node", ukr)
    assert assert_blobs_whole(ukr) == set()
    pulled(ukr)
    assert partner_of(jpn)["recalls"][0]["fate"] == "destroyed"
    for folder, words in ((jpn, "was recalled from UKR/HUR: destroyed"), (ukr, "JPN/IQPS recalled")):
        assert words in kizuna("node", "status", "--node", folder).out
    assert "Recalled from UKR/HUR (destroyed)" in kizuna("product", "show", product, "--node", jpn).out
    verified(jpn, ukr)


def test_a_suspension_is_told_and_a_withdrawal_calls_back(met):
    (jpn, ukr), product = (met[0].jpn, met[0].ukr), met[1]
    ran("agreement", "suspend", AGREEMENT, "--reason", "Review.", "--node", jpn)
    assert types(pulled(ukr, status=REFUSED)) == ["agreement-notice"]
    notice = partner_of(ukr)["notices"][0]
    assert (notice["agreement"], notice["state"], notice["reason"]) == (AGREEMENT, "suspended", "Review.")
    said = [line["partners_say"] for line in ran("agreement", "list", "--node", ukr) if line["id"] == AGREEMENT]
    assert [one["state"] for one in said[0]] == ["suspended"]
    assert f"JPN/IQPS says: {AGREEMENT} is suspended" in kizuna("agreement", "list", "--node", ukr).out
    ran("agreement", "resume", AGREEMENT, "--node", jpn)
    assert types(pulled(ukr)) == ["agreement-notice"]
    ran("agreement", "withdraw", AGREEMENT, "--reason", "Breach.", "--node", jpn)
    assert types(pulled(ukr)) == ["agreement-notice", "withdraw"]
    (one,) = ran("product", "recalled", "--node", ukr)
    assert (one["product"], one["agreement"], one["reason"]) == (product, AGREEMENT, "Breach.")
    verified(jpn, ukr)


def test_an_alert_goes_under_its_label_or_not_at_all(met, tmp_path):
    jpn, ukr = met[0].jpn, met[0].ukr
    ran("alert", "--to", "UKR", "Launch seen at 03:14Z.", "--node", jpn)
    assert types(pulled(ukr)) == ["alert"]
    assert [(one["sent"], one["text"]) for one in ran("alert", "--node", ukr)] == [(False, "Launch seen at 03:14Z.")]
    label = tmp_path / "secret.toml"
    label.write_text(label_text(classification='"極秘"'), encoding="utf-8")
    done = kizuna("alert", "--to", "UKR", "Secret.", "--label", label, "--node", jpn, "--json")
    assert (done.status, done.fault()["kind"]) == (REFUSED, "NotReleasable")
    assert types(pulled(ukr)) == []
    assert kizuna("alert", "no partner named", "--node", jpn).status == 2
    verified(jpn, ukr)


def test_a_request_from_question_to_fulfilment(met, tmp_path):
    jpn, ukr = met[0].jpn, met[0].ukr
    week = ("--from", "2025-07-01", "--until", "2025-07-08")
    for area in ("134,33,133,34", "1,2,3", "nowhere.geojson", '{"type": "Point"}', "133,33,134,nan"):
        done = kizuna("request", "ask", "--to", "JPN", "--area", area, *week, "--node", ukr, "--json")
        assert (done.status, done.fault()["field"]) == (2, "area"), done.err
        # Numbers that make no box are not looked for as a file.
        assert ("west,south,east,north" in done.fault()["message"]) == area[0].isdigit()
    asked = ran("request", "ask", "--to", "JPN", "--area", "133,33,134,34", *week, "--text", "Ships.", "--node", ukr)
    id_ = asked["id"]
    assert types(pulled(jpn)) == ["request"]
    (came,) = ran("request", "list", "--node", jpn)
    assert (came["id"], came["direction"], came["state"], came["bbox"]) == (id_, "in", "asked", [133, 33, 134, 34])
    assert partner_of(jpn)["requests"][0]["id"] == id_
    done = kizuna("request", "accept", id_, "--node", ukr, "--json")
    assert (done.status, done.fault()["message"]) == (2, f"no partner made the request {id_}")
    ran("request", "accept", id_[:8], "--node", jpn)
    pulled(ukr)
    assert ran("request", "show", id_, "--node", ukr)["state"] == "accepted"
    (fresh,) = published(jpn, labelled(small_tiff(tmp_path / "fresh.tif", seed=5)))
    ran("request", "fulfil", id_, "--with", fresh, "--node", jpn)
    report = pulled(ukr)
    assert ([one["id"] for one in report["received"]], types(report)) == ([fresh], ["request"])
    done = ran("request", "show", id_, "--node", ukr)
    assert (done["state"], done["product"]) == ("fulfilled", fresh)
    assert kizuna("request", "decline", id_, "--reason", "x", "--node", jpn).status == 2
    second = ran("request", "ask", "--to", "JPN", "--area", "133,33,134,34", *week, "--node", ukr)["id"]
    pulled(jpn)
    ran("request", "decline", second, "--reason", "No pass.", "--node", jpn)
    pulled(ukr)
    assert ran("request", "show", second, "--node", ukr)["reason"] == "No pass."
    verified(jpn, ukr)


def test_a_checkpoint_is_cosigned_over_the_feed(met):
    jpn, ukr = met[0].jpn, met[0].ukr
    size = ran("audit", "witness", "send", "UKR", "--node", jpn)["size"]
    assert types(pulled(ukr)) == ["checkpoint"]
    assert partner_of(ukr)["witness"]["seen"] == size
    witness = partner_of(jpn)["witness"]
    assert (witness["cosigned"], witness["forked"], witness["says_of_ours"]) == (size, False, None)
    verified(jpn, ukr)
