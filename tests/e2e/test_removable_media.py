"""Two nodes that have no network between them, and a stick."""

from __future__ import annotations

import shutil

import pytest
from simulators.coalition import founded, introduce, labelled, published, small_tiff
from simulators.processes import assert_blobs_whole, kizuna, state_of

from kizuna.adapters.keys import FileKeys
from kizuna.model.instants import parse_instant
from kizuna.model.parties import parse_party
from kizuna.wiring import KEYS, open_node


@pytest.fixture
def apart(pair, tmp_path):
    """Two nodes that know each other's cards, without an address; one product at the giver."""
    introduce(pair.ukr, pair.jpn)
    published(pair.jpn, labelled(small_tiff(tmp_path / "harbour.tif")))
    return pair


def carry(folder, stick, *, to=None):
    if to is not None:
        return kizuna("exchange", "export", "--to", to, stick, "--node", folder, "--json")
    return kizuna("exchange", "import", stick, "--node", folder, "--json")


def products(folder):
    return [row["id"] for row in kizuna("product", "list", "--node", folder, "--json").json()]


def test_there_and_back_without_a_network(apart, tmp_path):
    stick = tmp_path / "stick"
    done = carry(apart.jpn, stick, to="UKR")
    assert done.status == 0, done.err
    (made,) = done.json()["media"]
    assert (made["after"], made["last"]) == (0, 1)
    done = carry(apart.ukr, stick)
    assert done.status == 0, done.err
    (taken,) = done.json()["media"]
    assert [p["id"] for p in taken["received"]] == products(apart.jpn) == products(apart.ukr)
    assert_blobs_whole(apart.ukr)
    # The same stick once more changes nothing.
    before = state_of(apart.ukr)
    done = carry(apart.ukr, stick)
    assert (done.status, done.json()["media"][0]["new"]) == (0, 0)
    assert state_of(apart.ukr) == before
    # The receipts go back on it, beside what came.
    done = carry(apart.ukr, stick, to="JPN/IQPS")
    assert (done.status, done.json()["media"][0]["receipts"]) == (0, 1)
    done = carry(apart.jpn, stick)
    assert done.status == 0, done.err
    assert [m.get("foreign", m.get("receipts")) for m in done.json()["media"]] in ([True, 1], [1, True])
    assert carry(apart.jpn, tmp_path / "other", to="UKR").json()["media"] == []
    for folder in (apart.jpn, apart.ukr):
        assert kizuna("audit", "verify", "--node", folder).status == 0
    log = kizuna("audit", "log", "--node", apart.jpn).out
    assert "a medium for UKR/HUR was written: 1 entries of its feed after entry 0, 0 receipts" in log
    assert "(export)" in log
    assert "a medium of JPN/IQPS was taken in: 1 new entries" in kizuna("audit", "log", "--node", apart.ukr).out


def test_the_second_stick_before_the_first(apart, tmp_path):
    carry(apart.jpn, tmp_path / "one", to="UKR")
    published(apart.jpn, labelled(small_tiff(tmp_path / "second.tif", seed=2)))
    done = kizuna("exchange", "export", "--to", "UKR", tmp_path / "two", "--since", "1", "--node", apart.jpn)
    assert "entries 2 to 2" in done.out
    done = kizuna("exchange", "import", tmp_path / "two", "--node", apart.ukr)
    assert done.status == 0, done.err
    assert "held until entries 1 to 1 have come" in done.out
    assert products(apart.ukr) == []
    done = carry(apart.ukr, tmp_path / "one")
    assert [m["new"] for m in done.json()["media"]] == [1, 1]
    assert sorted(products(apart.ukr)) == sorted(products(apart.jpn))
    assert list((apart.ukr / "media").iterdir()) == []


def test_a_suspended_partner_gets_no_product_and_exit_3(apart, tmp_path):
    kizuna("agreement", "suspend", "IQPS-HUR-2025", "--reason", "Review.", "--node", apart.jpn)
    done = carry(apart.jpn, tmp_path / "stick", to="UKR")
    assert done.status == 3
    assert "Review." in done.fault()["message"]
    assert all(medium["files"] == 0 for medium in done.json()["media"])


def test_what_is_no_medium_is_refused(apart, tmp_path):
    stick = tmp_path / "stick"
    (medium,) = [made["medium"] for made in carry(apart.jpn, stick, to="UKR").json()["media"]]
    before = state_of(apart.ukr)
    cases = {"nothing": tmp_path / "nothing", "file": tmp_path / "harbour.tif", "empty": tmp_path / "empty"}
    cases["empty"].mkdir()
    for path in cases.values():
        done = carry(apart.ukr, path)
        assert (done.status, done.fault()["field"]) == (2, "folder"), done.err
    stranger = founded(tmp_path / "nzl", "NZL", agreements=False)
    done = carry(stranger, stick)
    assert (done.status, done.fault()["kind"]) == (2, "InputError")
    for name in ("00000000.kzm", "kizuna.medium"):
        changed = tmp_path / f"changed-{name}"
        shutil.copytree(medium, changed)
        data = (changed / name).read_bytes()
        (changed / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        done = carry(apart.ukr, changed)
        assert (done.status, done.fault()["field"]) == (2, name), done.err
    link = tmp_path / "linked"
    shutil.copytree(medium, link)
    (link / "00000000.kzm").unlink()
    (link / "00000000.kzm").symlink_to("/etc/passwd")
    assert (carry(apart.ukr, link).status, carry(apart.ukr, link).fault()["field"]) == (2, "00000000.kzm")
    assert state_of(apart.ukr) == before
    # One that is faulty does not keep the others away.
    shutil.copytree(tmp_path / "changed-00000000.kzm", stick / "kizuna-aaa")
    done = kizuna("exchange", "import", stick, "--node", apart.ukr)
    assert (done.status, "kizuna-aaa: 00000000.kzm: " in done.err) == (2, True), done.err
    assert products(apart.ukr) == products(apart.jpn)


def test_a_disk_that_is_full_leaves_no_medium(apart, tmp_path):
    stick = tmp_path / "stick"
    done = kizuna("exchange", "export", "--to", "UKR", stick, "--node", apart.jpn, "--json", before="ulimit -f 1")
    assert done.status != 0
    assert not [path for path in stick.rglob("*") if path.is_file()] if stick.exists() else True


def test_a_node_from_before_there_were_media(apart, tmp_path):
    (apart.ukr / "keys" / "sealing.pem").unlink()
    introduce(apart.jpn, apart.ukr)
    done = carry(apart.jpn, tmp_path / "stick", to="UKR")
    assert (done.status, done.fault()["field"]) == (2, "partner")
    assert "kizuna exchange key" in done.fault()["hint"]
    assert kizuna("exchange", "key", "--node", apart.ukr, "--json").json() == {"party": "UKR/HUR", "made": True}
    assert kizuna("exchange", "key", "--node", apart.ukr, "--json").json() == {"party": "UKR/HUR", "made": False}
    introduce(apart.jpn, apart.ukr)
    assert carry(apart.jpn, tmp_path / "stick", to="UKR").status == 0
    assert carry(apart.ukr, tmp_path / "stick").status == 0


def test_the_key_for_media_is_changed_by_command_and_told_to_partners(pair):
    introduce(pair.ukr, pair.jpn)
    before = FileKeys.load(pair.ukr / KEYS)
    done = kizuna("exchange", "key", "--rotate", "--within", 7, "--node", pair.ukr, "--json").json()
    after = FileKeys.load(pair.ukr / KEYS)
    assert after.sealing_ids == (done["key"], before.sealing_ids[0])
    with open_node(pair.ukr) as node:
        assert node.knowledge().sealing_ends == {before.sealing_ids[0]: parse_instant(done["former_until"])}
        assert [kept for kept in node.store.book.waiting(parse_party("JPN/IQPS")) if kept.startswith("keys:")]
    # It has not ended, so it stays.
    assert kizuna("exchange", "key", "--forget", "--node", pair.ukr, "--json").json() == {"removed": 0}
    assert FileKeys.load(pair.ukr / KEYS).sealing_ids == after.sealing_ids
