"""Transfers that break: either process is killed in the middle, the partner is down or refuses; nothing is lost or doubled."""

from __future__ import annotations

import time

import pytest
from simulators.coalition import AGREEMENT, founded, introduce, labelled, published, small_tiff
from simulators.large_files import SHARE, Reader, SlowLink, laden, sharing_pair
from simulators.processes import Line, assert_blobs_whole, begin, confirmed_by, kizuna, serving, state_of, within

from kizuna.exchange.manifest import CHUNK_BYTES
from kizuna.model.provenance import FactKind
from kizuna.node.founding import suspend_agreement
from kizuna.wiring import open_node

# The sample's files are 1.6, 1.9 and 0.4 MB: in the first one, in the second one.
PLACES = [700_000, 2_500_000]


def pull(folder):
    """One pull: status and what the one partner brought."""
    done = kizuna("sync", "--node", folder, "--json")
    return done, done.json()["partners"][0]


def received(folder):
    """Ids of the products that came, in order, by the log; it must verify, and the store must hold exactly them."""
    with open_node(folder) as node:
        node.journal.verify()
        came = [fact.body["product"]["id"] for _, fact in node.journal.facts() if fact.kind is FactKind.PRODUCT_RECEIVED]
        held = [item.product for item in node.store.items.all()]
        assert sorted(product.id for product in held) == sorted(came)
        digests = {asset.digest.removeprefix("sha256:") for product in held for asset in product.assets}
    assert digests <= assert_blobs_whole(folder)
    return came


def kept(folder):
    """What must not change where nothing was received: all but files that are whole."""
    state = {name: rows for name, rows in state_of(folder).items() if not name.startswith("blobs/")}
    # How far the partner's clock is from ours is learned from each answer.
    return state | {"note": [row for row in state["note"] if "'clock_" not in row]}


def acknowledged(folder):
    with open_node(folder) as node:
        receipts = [fact for _, fact in node.journal.facts() if fact.kind is FactKind.RECEIPT_RECEIVED]
    return [number for fact in receipts for number in confirmed_by(fact)]


@pytest.mark.parametrize("place", PLACES)
def test_the_giver_is_killed_in_the_middle_of_a_file(stocked, place):
    pair, product = stocked
    with serving(pair.jpn) as giver, Line(giver.partner_port, hold_after=place) as line:
        pair.meet(line.url)
        before = kept(pair.ukr)
        with begin("sync", "--node", pair.ukr, "--json") as taker:
            assert line.held.wait(30)
            giver.kill()
            line.cut()
            _out, err = taker.communicate(timeout=30)
        assert taker.returncode == 4
        assert '"kind": "PartnerUnreachable"' in err
        assert "does not answer" in err
    assert kept(pair.ukr) == before
    assert_blobs_whole(pair.ukr)
    with serving(pair.jpn, "--partner-listen", f"127.0.0.1:{giver.partner_port}") as giver:
        pair.meet(giver.partner_url)
        done, came = pull(pair.ukr)
        assert (done.status, [one["id"] for one in came["received"]]) == (0, [product])
        done, came = pull(pair.ukr)
        assert (done.status, came["received"], came["bytes"]) == (0, [], 0)
    assert received(pair.ukr) == [product]
    assert acknowledged(pair.jpn) == [1]


@pytest.mark.parametrize("place", PLACES)
def test_the_taker_is_killed_in_the_middle_of_a_file(stocked, place):
    pair, product = stocked
    with serving(pair.jpn) as giver:
        parts = pair.ukr / "blobs" / "tmp"
        with Line(giver.partner_port, hold_after=place) as line:
            pair.meet(line.url)
            before = kept(pair.ukr)
            with begin("sync", "--node", pair.ukr) as taker:
                assert line.held.wait(30)
                # Small files come together, and get their names together: the first one is written when all of it came,
                # which is after the line has carried it.
                within(30, "the first file was not written", lambda: len(list(parts.iterdir())) >= PLACES.index(place))
                taker.kill()
        assert len(list(parts.iterdir())) == PLACES.index(place), "the transfer was not in the middle of a file"
        assert kept(pair.ukr) | {"left": None} == before | {"left": None}
        pair.meet(giver.partner_url)
        done, came = pull(pair.ukr)
        assert (done.status, [one["id"] for one in came["received"]]) == (0, [product])
        assert pull(pair.ukr)[1]["received"] == []
    assert received(pair.ukr) == [product]
    assert acknowledged(pair.jpn) == [1]


def test_a_line_that_breaks_between_products_loses_none(pair, tmp_path):
    products = published(pair.jpn, *(labelled(small_tiff(tmp_path / f"{n}.tif", seed=n, side=200)) for n in range(3)))
    with serving(pair.jpn) as giver:
        came = []
        for place in (60_000, 150_000, 230_000):
            with Line(giver.partner_port, hold_after=place) as line:
                pair.meet(line.url)
                with begin("sync", "--node", pair.ukr, "--json") as taker:
                    if line.held.wait(8):
                        line.cut()
                    taker.communicate(timeout=30)
                came.append(len(received(pair.ukr)))
        pair.meet(giver.partner_url)
        assert pull(pair.ukr)[0].status == 0
    assert received(pair.ukr) == products
    assert acknowledged(pair.jpn) == [1, 2, 3]
    assert came[0] < 3, "no line broke in the middle"


def test_a_partner_that_is_down_is_told_with_status_4(untouched):
    done = kizuna("sync", "--node", untouched, "--json")
    assert done.status == 4
    assert "127.0.0.1:1" in done.fault()["message"]
    assert "error" in done.json()["partners"][0]


def test_a_suspension_refuses_with_its_reason_and_a_resumption_delivers(pair, tiff):
    (product,) = published(pair.jpn, tiff)
    reason = "Review of the third-party rule."
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert kizuna("agreement", "suspend", AGREEMENT, "--reason", reason, "--node", pair.jpn).status == 0
        done, came = pull(pair.ukr)
        assert done.status == 3
        assert reason in done.fault()["message"]
        assert reason in came["refusal"]["reason"]
        assert came["refusal"]["agreement"] == AGREEMENT
        assert (came["received"], came["bytes"]) == ([], 0)
        assert not list((pair.ukr / "blobs").glob("??/*"))
        denied = kizuna("release", "explain", product, "--to", "UKR", "--node", pair.jpn, "--json")
        assert (denied.status, denied.json()["outcome"]) == (3, "deny")
        assert reason in str(denied.json()["reasons"])
        assert kizuna("agreement", "resume", AGREEMENT, "--node", pair.jpn).status == 0
        done, came = pull(pair.ukr)
        assert (done.status, [one["id"] for one in came["received"]]) == (0, [product])
        allowed = kizuna("release", "explain", product, "--to", "UKR/HUR", "--node", pair.jpn, "--json")
        assert (allowed.status, allowed.json()["outcome"]) == (0, "permit")
        status = kizuna("node", "status", "--node", pair.ukr, "--json").json()["partners"][0]
        assert reason in status["refusal_cause"]
        assert status["last_in"] is not None


def test_a_suspension_cuts_a_transfer_off(stocked):
    pair, _product = stocked
    with serving(pair.jpn) as giver, Line(giver.partner_port, hold_after=200_000) as line:
        pair.meet(line.url)
        before = kept(pair.ukr)
        with begin("sync", "--node", pair.ukr, "--json") as taker:
            assert line.held.wait(30)
            assert kizuna("agreement", "suspend", AGREEMENT, "--reason", "Now.", "--node", pair.jpn).status == 0
            line.go_on()
            _out, err = taker.communicate(timeout=30)
        assert taker.returncode in {3, 4}, err
        assert kept(pair.ukr) == before
        assert_blobs_whole(pair.ukr)


def test_one_partner_that_is_down_does_not_keep_the_others_products_away(pair, tiff, tmp_path):
    (product,) = published(pair.jpn, tiff)
    introduce(pair.ukr, founded(tmp_path / "fra", "FRA", agreements=False), "https://127.0.0.1:1")
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        done = kizuna("sync", "--node", pair.ukr, "--json")
    assert done.status == 4
    brought = {one["partner"]: one for one in done.json()["partners"]}
    assert [one["id"] for one in brought["JPN/IQPS"]["received"]] == [product]
    assert "does not answer" in brought["FRA"]["error"]


def test_a_partner_without_an_address_that_is_named_is_told(untouched, pair):
    done = kizuna("sync", "UKR/HUR", "--node", pair.jpn, "--json")
    assert done.status == 2
    assert "UKR/HUR" in done.fault()["message"]


# ---- large files

LARGE = 40 * 2**20


@pytest.fixture
def large(tmp_path):
    """Two nodes, and a file of some chunks that one is to have from the other."""
    pair = sharing_pair(tmp_path)
    return pair, laden(pair.jpn, LARGE)


@pytest.mark.parametrize("killed", ["giver", "taker"])
def test_a_large_file_goes_on_at_the_first_missing_chunk(large, killed):
    pair, _digest = large
    with serving(pair.jpn) as giver, Line(giver.partner_port, hold_after=LARGE * 6 // 10) as line:
        pair.meet(line.url)
        with begin("sync", "--node", pair.ukr, "--json") as taker:
            assert line.held.wait(60)
            # What came before the place is verified by now, or never will be.
            within(20, "no chunk was kept", lambda: part_bytes(pair.ukr) >= LARGE // 2)
            if killed == "giver":
                giver.kill()
                line.cut()
                _out, err = taker.communicate(timeout=30)
                assert taker.returncode == 4, err
            else:
                taker.kill()
    with serving(pair.jpn, "--partner-listen", f"127.0.0.1:{giver.partner_port}") as giver:
        pair.meet(giver.partner_url)
        done, brought = pull(pair.ukr)
    assert (done.status, len(brought["received"])) == (0, 1)
    # The last chunk may have been written and not have counted yet.
    assert 0 < brought["bytes"] <= LARGE // 2 + CHUNK_BYTES
    assert len(received(pair.ukr)) == 1
    assert list((pair.ukr / "blobs" / "parts").iterdir()) == []


def part_bytes(folder):
    """Bytes of files that broke off."""
    return sum(path.stat().st_blocks * 512 for path in (folder / "blobs" / "parts").iterdir())


@pytest.mark.timed
def test_a_suspension_by_another_process_bites_inside_a_chunk_on_a_slow_line(large):
    pair, digest = large
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        # The feed is read, so that the file has its place in it; the line breaks in the file.
        with Line(giver.partner_port, hold_after=100_000) as line:
            pair.meet(line.url)
            with begin("sync", "--node", pair.ukr) as taker:
                assert line.held.wait(30)
                taker.kill()
        with SlowLink(giver.partner_port, 125_000) as link:
            reader = Reader(pair.ukr, pair.jpn, link.port, digest)
            with reader.reading(), open_node(pair.jpn) as officer:
                within(20, "nothing came", lambda: reader.came > 150_000)
                before = time.monotonic()
                suspend_agreement(officer, SHARE, "Now.", "officer")
                assert reader.ended.wait(20)
    assert reader.came < CHUNK_BYTES
    assert reader.last_at - before < 1
