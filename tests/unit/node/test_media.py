"""Media carried between two nodes that share nothing else."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.nodes import HUR, IQPS, NZL, TIFF, World

from kizuna.adapters import media_folder
from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium, media_in
from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import InputError, KizunaError, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.answers import Fate
from kizuna.exchange.envelope import key_id_of, peek
from kizuna.exchange.feed import Receipt, seal_receipt
from kizuna.exchange.medium import (
    HEADER_NAME,
    SEGMENT_BYTES,
    Contents,
    Part,
    make_header,
    make_segments,
    printable,
    receiver_key_of,
    seal_contents,
    segment_name,
)
from kizuna.exchange.rotation import SealingKey, seal_sealing_key
from kizuna.model.digests import digest_of
from kizuna.model.product import Asset, AssetRole
from kizuna.model.provenance import FactKind
from kizuna.node import media
from kizuna.node.founding import node_card, pin_partner, remove_partner, resume_agreement, suspend_agreement
from kizuna.node.kept_receipts import refused_receipts, send_kept_receipts
from kizuna.node.key_change import announce_sealing_key, hand_over_statements
from kizuna.node.media import export_media, import_medium, is_for, release_held
from kizuna.node.recall import order_recall, recall_of
from kizuna.node.withdrawals import answer_withdrawal


class Post:
    """Two nodes and what is carried between them."""

    def __init__(self, folder):
        self.world = World()
        self.folder = folder
        self.world.befriend(IQPS, HUR)
        self.world.agree(IQPS)
        self._stick = itertools.count()

    def node(self, party=HUR):
        return self.world.node(party)

    def export(self, giver=IQPS, receiver=HUR, since=None):
        """Folders of the media of one export."""
        node, folder = self.node(giver), self.folder / f"stick{next(self._stick)}"
        reports, _refusal = export_media(node, node.partner(receiver), lambda id_: NewFolderMedium(folder, id_), since)
        self.world.tick()
        return [folder / report.name for report in reports]

    def shelf(self, party=HUR):
        return FolderShelf(self.folder / f"shelf-{party[:3]}")

    def take(self, path, receiver=HUR):
        with FolderMedium(path) as medium:
            reports = import_medium(self.node(receiver), medium, self.shelf(receiver))
        self.world.tick()
        return reports

    def held(self, party=HUR):
        return {item.product.id for item in self.node(party).store.items.all()}

    def kinds(self, party):
        return [fact.kind for _index, fact in self.node(party).journal.facts()]

    def bodies(self, party, kind):
        return [fact.body for _index, fact in self.node(party).journal.facts() if fact.kind is kind]


@pytest.fixture
def post(tmp_path):
    return Post(tmp_path)


# ---- there and back


def test_what_a_partner_may_have_arrives_without_a_network(post):
    product = post.world.take_in(IQPS, 1)
    (path,) = post.export()
    (report,) = post.take(path)
    assert [p.id for p in report.pulled.received] == [product.id]
    assert (report.came, report.after, report.last, report.missing) == (1, 0, 1, None)
    here = post.node()
    found = here.store.items.get(product.id)
    assert found.received_from == IQPS
    assert AssetRole.ORIGINAL not in {asset.role for asset in found.product.assets}
    assert all(here.blobs.has(asset.digest) for asset in found.product.assets)
    assert not here.blobs.has(product.content)


def test_receipts_go_back_once(post):
    post.world.take_in(IQPS, 1)
    post.world.take_in(IQPS, 2)
    post.take(post.export()[0])
    (back,) = post.export(HUR, IQPS)
    (report,) = post.take(back, IQPS)
    # One for both entries.
    assert (report.receipts, report.came) == (1, 0)
    assert post.node(IQPS).store.book.acknowledged(HUR) == 2
    assert post.kinds(IQPS).count(FactKind.RECEIPT_RECEIVED) == 1
    # What was confirmed is not exported again, and says that the receipts came.
    post.world.take_in(IQPS, 3)
    (more,) = post.export()
    (report,) = post.take(more)
    assert (report.after, report.last) == (2, 3)
    (back,) = post.export(HUR, IQPS)
    assert post.take(back, IQPS)[0].receipts == 1
    assert post.export() == []


def test_receipts_that_are_lost_are_carried_again(post):
    post.world.take_in(IQPS, 1)
    post.take(post.export()[0])
    lost, found = post.export(HUR, IQPS), post.export(HUR, IQPS)
    assert lost != found
    assert post.take(found[0], IQPS)[0].receipts == 1
    size = post.node(IQPS).store.log.size()
    post.take(lost[0], IQPS)
    assert post.node(IQPS).store.log.size() == size


def test_receipts_go_by_network_when_there_is_one(post):
    post.world.take_in(IQPS, 1)
    post.take(post.export()[0])
    here = post.node()
    send_kept_receipts(here, here.partner(IQPS), post.world.way(HUR, IQPS))
    assert post.node(IQPS).store.book.acknowledged(HUR) == 1
    assert post.export(HUR, IQPS) == []


class Deaf:
    """Way to a partner that takes only some receipts; counts what it is sent."""

    def __init__(self, way, takes):
        self.way, self.takes, self.sent = way, takes, 0

    def receipt(self, envelope):
        self.sent += 1
        if not self.takes(peek(envelope)):
            raise PartnerMisbehaved(Message("not taken"))
        self.way.receipt(envelope)


def test_a_receipt_that_is_not_taken_is_kept_and_sent_again(post):
    for number in (1, 2):
        post.world.take_in(IQPS, number)
        post.take(post.export()[0])
    here, way = post.node(), post.world.way(HUR, IQPS)
    deaf = Deaf(way, lambda said: said["sequence"] < 2)
    for sent in (2, 3):
        send_kept_receipts(here, here.partner(IQPS), deaf)
        assert (deaf.sent, refused_receipts(here, IQPS)) == (sent, 1)
        assert post.node(IQPS).store.book.acknowledged(HUR) == 1
    send_kept_receipts(here, here.partner(IQPS), way)
    assert (post.node(IQPS).store.book.acknowledged(HUR), refused_receipts(here, IQPS)) == (2, 0)
    assert post.export(HUR, IQPS) == []


def test_a_receipt_that_a_later_one_confirms_as_well_is_kept_no_longer(post):
    for number in (1, 2):
        post.world.take_in(IQPS, number)
        post.take(post.export()[0])
    here, way = post.node(), post.world.way(HUR, IQPS)
    send_kept_receipts(here, here.partner(IQPS), Deaf(way, lambda said: said["sequence"] > 1))
    assert (post.node(IQPS).store.book.acknowledged(HUR), refused_receipts(here, IQPS)) == (2, 0)
    assert post.export(HUR, IQPS) == []
    # So does one that went by network.
    post.world.take_in(IQPS, 3)
    post.take(post.export()[0])
    send_kept_receipts(here, here.partner(IQPS), Deaf(way, lambda _said: False))
    assert refused_receipts(here, IQPS) == 1
    post.world.take_in(IQPS, 4)
    post.world.pull(HUR, IQPS)
    send_kept_receipts(here, here.partner(IQPS), Deaf(way, lambda _said: False))
    assert refused_receipts(here, IQPS) == 0
    assert post.export(HUR, IQPS) == []


def test_an_answer_to_a_recall_that_is_not_taken_is_not_lost(post):
    product = post.world.take_in(IQPS, 1)
    post.world.pull(HUR, IQPS)
    order_recall(post.node(IQPS), product, "sent by mistake", "order")
    post.world.pull(HUR, IQPS)
    here = post.node()
    answer_withdrawal(here, product.id, Fate.DESTROYED, None, "officer")
    post.export(HUR, IQPS)
    way = post.world.way(HUR, IQPS)
    for _ in range(2):
        send_kept_receipts(here, here.partner(IQPS), Deaf(way, lambda _said: False))
        assert refused_receipts(here, IQPS) == 1
    send_kept_receipts(here, here.partner(IQPS), way)
    assert recall_of(post.node(IQPS), HUR, product.id).fate is Fate.DESTROYED
    assert refused_receipts(here, IQPS) == 0


def test_nothing_to_carry_writes_nothing(post):
    assert post.export() == []
    assert list(post.folder.iterdir()) == []


def test_a_file_of_many_segments_arrives_whole(post):
    data = random.Random(0).randbytes(2 * SEGMENT_BYTES + 12_345)
    post.node(IQPS).blobs.put(data)
    asset = Asset(AssetRole.DETECTED, "big.tif", TIFF, digest_of(data), len(data))
    post.world.take_in(IQPS, 1, assets=(asset,), content=asset.digest, media_type=TIFF, complex_data=False)
    (path,) = post.export()
    assert len(list(path.iterdir())) == 4
    post.take(path)
    with post.node().blobs.open(asset.digest) as file:
        assert file.read() == data


# ---- any order, any number of times


def entries_of(post, count):
    """Media with the entries 1, 2, ... one each, and one with all of them."""
    media_ = []
    for number in range(1, count + 1):
        post.world.take_in(IQPS, number)
        media_ += post.export(since=number - 1)
    return [*media_, *post.export(since=0)]


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """Three entries on media of one each, of the last two, and of all."""
    post = Post(tmp_path_factory.mktemp("carried"))
    found = entries_of(post, 3)
    return post, [*found, *post.export(since=1)], post.held(IQPS)


def fresh_receiver(post, folder):
    """The receiver anew, and the same giver: the keys of nodes in memory come from their names."""
    other = Post.__new__(Post)
    other.world, other.folder = World(), folder
    other.world.clock.set(post.world.clock.now())
    here = other.world.node(HUR)
    pin_partner(here, node_card(post.node(IQPS), ""))
    other.world.tick()
    return other


@given(order=st.lists(st.integers(0, 4), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_any_order_duplicates_and_subsets(carried, tmp_path_factory, order):
    post, paths, products = carried
    covers = [{1}, {2}, {3}, {1, 2, 3}, {2, 3}]
    there = fresh_receiver(post, tmp_path_factory.mktemp("there"))
    came, seen = set(), 0
    for index in order:
        there.take(paths[index])
        came |= covers[index]
        # Each entry is taken over as soon as all before it have come, and not before.
        while seen + 1 in came:
            seen += 1
        assert there.node().store.book.cursor(IQPS) == seen
        assert len(there.held()) == seen
        waiting = there.shelf().names()
        assert bool(waiting) == bool(came - set(range(1, seen + 1)))
    assert there.held() <= products
    assert there.kinds(HUR).count(FactKind.PRODUCT_RECEIVED) == seen
    there.node().journal.verify()


def test_what_came_by_network_is_not_taken_again(post):
    post.world.take_in(IQPS, 1)
    (path,) = post.export()
    post.world.pull(HUR, IQPS)
    size = post.node().store.log.size()
    (report,) = post.take(path)
    assert (report.came, report.pulled.received) == (0, [])
    assert post.node().store.log.size() == size


def test_what_came_by_medium_is_not_pulled_again(post):
    post.world.take_in(IQPS, 1)
    post.take(post.export()[0])
    assert post.world.pull(HUR, IQPS).received == []


def test_what_is_held_is_released_when_the_network_closes_the_gap(post):
    post.world.take_in(IQPS, 1)
    post.world.take_in(IQPS, 2)
    post.export()
    (second,) = post.export(since=1)
    (report,) = post.take(second)
    assert (report.pulled, report.missing) == (None, (1, 1))
    assert post.held() == set()
    post.world.pull(HUR, IQPS)
    assert [r.came for r in release_held(post.node(), post.shelf())] == [0]
    assert post.shelf().names() == []
    assert len(post.held()) == 2


def test_no_more_is_held_than_the_bounds_allow(post, monkeypatch):
    monkeypatch.setattr(media, "MOST_HELD", 1)
    paths = entries_of(post, 3)
    post.take(paths[1])
    with pytest.raises(InputError) as caught:
        post.take(paths[2])
    assert "follow entry 2" in str(caught.value)
    monkeypatch.setattr(media, "MOST_HELD", 9)
    monkeypatch.setattr(media, "MOST_HELD_BYTES", 9)
    with pytest.raises(InputError):
        post.take(paths[2])
    assert len(post.shelf().names()) == 1
    post.take(paths[1])
    post.take(paths[0])
    post.take(paths[2])
    assert len(post.held()) == 3


def large(post, number):
    """Product whose one file fills a segment."""
    data = random.Random(number).randbytes(SEGMENT_BYTES)
    post.node(IQPS).blobs.put(data)
    asset = Asset(AssetRole.DETECTED, "a.tif", TIFF, digest_of(data), len(data))
    post.world.take_in(IQPS, number, assets=(asset,), content=asset.digest, media_type=TIFF, complex_data=False)


def test_a_medium_is_held_only_if_all_of_it_verifies(post):
    large(post, 1)
    large(post, 2)
    post.export()
    (path,) = post.export(since=1)
    file = path / segment_name(1)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError) as caught:
        post.take(path)
    assert caught.value.field == file.name
    assert post.shelf().names() == []


def test_a_held_medium_that_was_damaged_is_held_no_longer(post):
    paths = entries_of(post, 2)
    post.take(paths[1])
    (name,) = post.shelf().names()
    file = post.folder / "shelf-UKR" / name / segment_name(0)
    file.write_bytes(bytes(len(file.read_bytes())))
    with pytest.raises(InputError):
        post.take(paths[0])
    assert post.shelf().names() == []
    assert len(post.held()) == 1
    post.take(paths[1])
    assert len(post.held()) == 2


def test_one_export_makes_as_many_media_as_it_takes(post, monkeypatch):
    monkeypatch.setattr(media, "MOST_PARTS", 4)
    for number in range(1, 4):
        post.world.take_in(IQPS, number)
    paths = post.export()
    assert len(paths) == 3
    for path in reversed(paths):
        post.take(path)
    assert len(post.held()) == 3


# ---- the decision


def test_the_permit_is_in_the_log_before_a_byte_is_written(post):
    product = post.world.take_in(IQPS, 1)
    node, seen = post.node(IQPS), []

    class Watched(NewFolderMedium):
        def write(self, name, data):
            seen.append([(f.kind, f.body) for _i, f in node.journal.facts()])
            super().write(name, data)

    export_media(node, node.partner(HUR), lambda id_: Watched(post.folder / "stick", id_))
    for facts in seen:
        (exported,) = [body for kind, body in facts if kind is FactKind.MEDIUM_EXPORTED]
        decided = [b for k, b in facts if k is FactKind.DECISION_MADE and b["purpose"] == "export"]
        (released,) = [body for kind, body in facts if kind is FactKind.RELEASE_SEQUENCED]
        assert [(b["product"], b["decision"]["outcome"]) for b in decided] == [(product.id, "permit")]
        assert exported["envelopes"] == [released["entry"]]
        assert set(exported["files"]) == set(released["blobs"])
    assert seen


def test_a_suspended_partner_gets_no_medium_with_products(post):
    post.world.take_in(IQPS, 1)
    suspend_agreement(post.node(IQPS), "SHARE", "Review.", "order")
    post.world.tick()
    node = post.node(IQPS)
    reports, refusal = export_media(node, node.partner(HUR), lambda id_: NewFolderMedium(post.folder / "stick", id_))
    assert refusal.agreement == "SHARE"
    # The notice that tells of the suspension goes.
    assert [(report.after, report.last, report.files) for report in reports] == [(0, 1, 0)]
    resume_agreement(node, "SHARE", "order")
    post.world.tick()
    post.take(post.export(since=0)[0])
    assert len(post.held()) == 1


def test_a_suspension_while_a_medium_is_written_leaves_nothing_of_it(post):
    data = bytes(SEGMENT_BYTES)
    post.node(IQPS).blobs.put(data)
    other = random.Random(1).randbytes(SEGMENT_BYTES)
    post.node(IQPS).blobs.put(other)
    assets = tuple(
        Asset(role, name, TIFF, digest_of(content), len(content))
        for role, name, content in ((AssetRole.DETECTED, "a.tif", data), (AssetRole.VISUAL, "b.tif", other))
    )
    post.world.take_in(IQPS, 1, assets=assets, content=assets[0].digest, media_type=TIFF, complex_data=False)
    node, written = post.node(IQPS), []

    class Slow(NewFolderMedium):
        def write(self, name, data):
            super().write(name, data)
            written.append(name)
            if len(written) == 1:
                suspend_agreement(node, "SHARE", "Review.", "order")
                post.world.tick()

    with pytest.raises(NotReleasable):
        export_media(node, node.partner(HUR), lambda id_: Slow(post.folder / "stick", id_))
    assert written == [segment_name(0)]
    assert list((post.folder / "stick").iterdir()) == []


def test_what_is_withheld_is_not_on_the_medium(post):
    kept = post.world.take_in(IQPS, 1, kind="phase-history")
    given = post.world.take_in(IQPS, 2)
    post.take(post.export()[0])
    assert post.held() == {given.id} != {kept.id}


# ---- what a finder sees


def test_a_medium_shows_a_marker_a_key_and_a_length(post):
    product = post.world.take_in(IQPS, 1, title="Kochi harbour at dawn")
    (path,) = post.export()
    assert sorted(file.name for file in path.iterdir()) == [segment_name(0), HEADER_NAME]
    data = b"".join(file.read_bytes() for file in sorted(path.iterdir()))
    for told in (b"Kochi", b"IQPS", b"HUR", b"sha256", b"tif", b"schema", product.id.encode(), b"2025", b"UNCLASSIFIED"):
        assert told not in data
        assert told.decode() not in str(path.relative_to(post.folder))
    assert {file.stat().st_mtime for file in [path, *path.iterdir()]} == {315_619_200}
    assert {file.stat().st_mode & 0o077 for file in [path, *path.iterdir()]} == {0}


def test_two_exports_of_the_same_look_unlike(post):
    post.world.take_in(IQPS, 1)
    one, other = post.export(), post.export()
    assert (one[0] / segment_name(0)).read_bytes()[:64] != (other[0] / segment_name(0)).read_bytes()[:64]
    assert one[0].name != other[0].name


# ---- who


def test_a_medium_for_another_is_refused(post):
    post.world.take_in(IQPS, 1)
    (path,) = post.export()
    post.world.befriend(IQPS, NZL)
    with FolderMedium(path) as medium:
        assert is_for(post.node(HUR), medium)
        assert not is_for(post.node(NZL), medium)
    with pytest.raises(InputError) as caught:
        post.take(path, NZL)
    assert "made for the key" in str(caught.value)
    assert post.node(NZL).store.book.cursor(IQPS) == 0


def test_a_medium_of_a_stranger_is_refused(post):
    post.world.take_in(IQPS, 1)
    (path,) = post.export()
    remove_partner(post.node(), IQPS)
    post.world.tick()
    with pytest.raises(InputError) as caught:
        post.take(path)
    assert "no partner" in str(caught.value)
    assert post.held() == set()


def test_a_partner_without_a_key_gets_no_medium(post):
    post.world.take_in(IQPS, 1)
    card = node_card(post.node(HUR), "")
    del card["sealing_key"]
    pin_partner(post.node(IQPS), card)
    post.world.tick()
    with pytest.raises(InputError) as caught:
        post.export()
    assert caught.value.field == "partner"
    assert "kizuna exchange key" in caught.value.hint.render()


def test_a_node_without_a_key_says_so(post, monkeypatch):
    post.world.take_in(IQPS, 1)
    (path,) = post.export()
    monkeypatch.setattr(MemoryKeys, "sealing_key", None)
    with pytest.raises(InputError) as caught:
        post.take(path)
    assert "kizuna exchange key" in caught.value.hint.render()


# ---- hostile media


def state(post, party=HUR):
    node = post.node(party)
    return (
        node.store.log.size(),
        node.store.book.cursor(IQPS),
        node.store.book.acknowledged(IQPS),
        sorted(item.product.id for item in node.store.items.all()),
        sorted(node.blobs._blobs),
        node.store.settings(""),
        sorted(str(p) for p in post.folder.rglob("*") if "hostile" not in p.parts),
    )


def flip(path, rng):
    file = rng.choice(sorted(path.iterdir()))
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    return [file.name]


def truncate(path, rng):
    file = rng.choice(sorted(path.iterdir()))
    os.truncate(file, rng.randrange(file.stat().st_size))
    return [file.name]


def extend(path, rng):
    file = rng.choice(sorted(path.iterdir()))
    with file.open("ab") as opened:
        opened.write(rng.randbytes(rng.choice([1, 16, 500])))
    return [file.name]


def huge(path, rng):
    file = rng.choice(sorted(path.iterdir()))
    # Sparse: takes no room, and would take hours to read.
    os.truncate(file, rng.choice([2**40, 2**34]))
    return [file.name]


def remove(path, rng):
    file = rng.choice(sorted(path.iterdir()))
    file.unlink()
    return [file.name]


def add(path, rng):
    name = rng.choice(
        ["autorun.inf", segment_name(1), segment_name(7), "kizuna.medium.bak", ".hidden", "%2e%2e", "00000000.kzm "]
    )
    (path / name).write_bytes(rng.randbytes(rng.choice([0, 16, 17, 300])))
    return [name, segment_name(0)]


def swap(path, rng):
    one, two = sorted(path.iterdir())
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    return [one.name, two.name]


def instead(kind):
    def mutate(path, rng):
        file = rng.choice(sorted(path.iterdir()))
        data = file.read_bytes()
        file.unlink()
        match kind:
            case "link":
                real = path.parent / "real"
                real.write_bytes(data)
                file.symlink_to(real)
            case "link away":
                file.symlink_to("/etc/passwd")
            case "loop":
                file.symlink_to(file.name)
            case "pipe":
                os.mkfifo(file)
            case "folder":
                file.mkdir()
            case "device":
                file.symlink_to("/dev/zero")
            case "noise":
                file.write_bytes(rng.randbytes(len(data)))
            case "zeros":
                file.write_bytes(bytes(len(data)))
            case _:
                raise AssertionError(kind)
        return [file.name]

    return mutate


def more_things(path, rng):
    name = rng.choice(["extra", "...", "\x07bell"])
    rng.choice([lambda p: p.mkdir(), os.mkfifo, lambda p: p.symlink_to("/")])(path / name)
    return [printable(name)]


MUTATIONS = [flip] * 12 + [truncate, extend, huge, remove, add, swap, more_things] * 2
MUTATIONS += [instead(kind) for kind in ("link", "link away", "loop", "pipe", "folder", "device", "noise", "zeros")]


def test_hostile_media_are_refused_by_the_name_of_the_file_and_change_nothing(post):
    post.world.take_in(IQPS, 1)
    (good,) = post.export()
    before = state(post)
    rng = random.Random(20250701)
    for number in range(400):
        path = post.folder / "hostile" / str(number)
        shutil.copytree(good, path)
        named = MUTATIONS[number % len(MUTATIONS)](path, rng)
        with pytest.raises(InputError) as caught:
            post.take(path)
        assert caught.value.field in named, (number, named, str(caught.value))
        assert any(name in str(caught.value) for name in named)
        assert str(caught.value).isprintable()
        assert state(post) == before, number
        shutil.rmtree(path)
    shutil.rmtree(post.folder / "hostile")
    # And the node is none the worse for it.
    assert post.take(good)[0].came == 1


def test_parts_of_two_media_do_not_make_one(post):
    post.world.take_in(IQPS, 1)
    (one,), (other,) = post.export(), post.export()
    shutil.copy(other / segment_name(0), one / segment_name(0))
    with pytest.raises(InputError) as caught:
        post.take(one)
    assert caught.value.field == segment_name(0)


def forged(post, folder, *, signer=None, receiver=HUR, data=(), **changed):
    """Medium that somebody who knows the format made; by default with the partner's own key."""
    here = post.node(HUR)
    made = {
        "sender": IQPS,
        "receiver": receiver,
        "id": "a" * 26,
        "after": 0,
        "entries": tuple(Part(digest_of(one), len(one)) for one in data),
        "receipts": (),
        "files": (),
        "taken": (),
        "made_at": post.world.clock.now(),
    } | changed
    head = seal_contents(Contents(**made), signer or post.node(IQPS).keys)
    key = bytes(32)
    header = make_header(key, here.keys.sealing_key)
    folder.mkdir()
    (folder / HEADER_NAME).write_bytes(header)
    for index, segment in enumerate(make_segments(key, header, [head, *data])):
        (folder / segment_name(index)).write_bytes(segment)
    return folder


def envelopes(post):
    return [o.envelope for o in post.node(IQPS).store.book.outgoing(HUR, 0, 9)]


def test_what_a_partner_signed_wrongly_is_refused(post):
    post.world.take_in(IQPS, 1)
    post.export()
    (entry,) = envelopes(post)
    stranger = MemoryKeys(IQPS, post.world.clock.now(), b"stranger")
    part = Part(digest_of(entry), len(entry))
    cases = {
        "signed by another": {"signer": stranger},
        "for another": {"receiver": NZL},
        "of another": {"sender": NZL},
        "no files": {"data": [entry]},
        "files cut": {"data": [entry], "files": (Part(digest_of(b""), 0),)},
        "no envelope": {"data": [b"{}"]},
        "two in one": {"data": [entry + b"," + entry]},
        "other number": {"data": [entry], "after": 4},
        "digest": {"data": [entry], "entries": (Part(digest_of(b"x"), len(entry)),)},
        "longer than it is": {"data": [entry], "files": (Part(digest_of(b"x"), 2**50),)},
        "more than it has": {"data": [entry], "entries": (part, Part(digest_of(b"x"), 9))},
    }
    # What makes these media, makes one that is taken where nothing in it lies.
    assert post.take(forged(post, post.folder / "honest"))[0].came == 0
    for number, (name, how) in enumerate(cases.items()):
        path = forged(post, post.folder / f"hostile{number}", **how)
        before = state(post)[:5]
        if name == "other number":
            # It may be held, but never counts: its number is told by its own signature.
            post.node().store.book.cursor(IQPS)
            post.take(path)
            assert len(post.shelf().names()) == 1
            assert state(post)[1:5] == before[1:5]
            continue
        with pytest.raises(InputError) as caught:
            post.take(path)
        assert ("promises" in str(caught.value)) == (name in {"no files", "files cut", "two in one"}), str(caught.value)
        assert state(post)[:5] == before, name


def test_receipts_for_what_never_went_are_not_taken(post):
    post.world.take_in(HUR, 1)
    receipt = Receipt(HUR, IQPS, 1, digest_of(b"x"), post.world.clock.now())
    envelope = seal_receipt(receipt, post.node(IQPS).keys)
    path = forged(
        post, post.folder / "hostile", data=[envelope], entries=(), receipts=(Part(digest_of(envelope), len(envelope)),)
    )
    (report,) = post.take(path)
    assert report.receipts == 0
    assert post.node().store.book.acknowledged(IQPS) == 0


def test_random_bytes_in_the_stream_of_a_partner_are_refused(post):
    """The partner itself is hostile: every structure inside the encryption may be anything."""
    post.world.take_in(IQPS, 1)
    post.export()
    (entry,) = envelopes(post)
    rng = random.Random(7)
    before = state(post)[:5]
    for number in range(100):
        data = bytearray(entry)
        for _ in range(rng.choice([1, 1, 1, 5, 50])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        cut = bytes(data[: rng.choice([len(data), rng.randrange(1, len(data))])])
        if cut == entry:
            continue
        path = forged(post, post.folder / "hostile", data=[cut])
        with pytest.raises(InputError):
            post.take(path)
        assert state(post)[:5] == before, number
        shutil.rmtree(path)


# ---- the folder


def test_a_full_medium_is_told_before_anything_is_written(post, monkeypatch):
    post.world.take_in(IQPS, 1)
    found = os.statvfs(post.folder)
    monkeypatch.setattr(media_folder.os, "statvfs", lambda _path: type("Room", (), {"f_bavail": 1, "f_frsize": found.f_frsize}))
    with pytest.raises(InputError) as caught:
        post.export()
    assert "bytes free" in str(caught.value)
    assert [p for p in post.folder.rglob("*") if p.is_file()] == []
    assert FactKind.MEDIUM_EXPORTED not in post.kinds(IQPS)


def test_a_stick_that_is_pulled_out_leaves_nothing_that_is_taken_in(post):
    post.world.take_in(IQPS, 1)
    node, folder = post.node(IQPS), post.folder / "stick"

    class Pulled(NewFolderMedium):
        def finish(self):
            raise SystemExit

        def discard(self):
            """The power is gone."""

    with pytest.raises(SystemExit):
        export_media(node, node.partner(HUR), lambda id_: Pulled(folder, id_))
    (left,) = folder.iterdir()
    assert left.name.startswith(".")
    with pytest.raises(InputError):
        media_in(folder)
    export_media(node, node.partner(HUR), lambda id_: NewFolderMedium(folder, id_))
    (path,) = media_in(folder)
    assert post.take(path)[0].came == 1


def test_a_disk_that_fills_up_while_a_medium_is_written_leaves_nothing(post, monkeypatch):
    post.world.take_in(IQPS, 1)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(media_folder.os, "fsync", full)
    with pytest.raises(InputError) as caught:
        post.export()
    assert "No space left" in str(caught.value)
    assert [p for p in post.folder.rglob("*") if p.is_file()] == []


def test_an_import_that_breaks_off_goes_on_where_it_was(post):
    """A medium that is damaged behind its first entries: what came before stays, and comes once."""
    large(post, 1)
    large(post, 2)
    (path,) = post.export()
    whole = post.folder / "whole"
    shutil.copytree(path, whole)
    last = path / segment_name(2)
    last.write_bytes(bytes(len(last.read_bytes())))
    with pytest.raises(InputError) as caught:
        post.take(path)
    assert caught.value.field == last.name
    assert len(post.held()) == 1
    (report,) = post.take(whole)
    assert (report.came, len(post.held())) == (1, 2)


class Shaky(FolderMedium):
    """A medium that is pulled out at its n-th file."""

    left = 0

    def read(self, name):
        Shaky.left -= 1
        if Shaky.left < 0:
            raise PartnerUnreachable(Message("gone"))
        return super().read(name)


def test_a_medium_may_be_pulled_out_at_any_read(carried, tmp_path_factory):
    post, paths, products = carried
    pulled = 0
    for order in ([3], [2, 1, 0]):
        for reads in range(12):
            there = fresh_receiver(post, tmp_path_factory.mktemp("there"))
            Shaky.left = reads
            for index in order:
                try:
                    with Shaky(paths[index]) as medium:
                        import_medium(there.node(), medium, there.shelf())
                except PartnerUnreachable:
                    pulled += 1
                there.world.tick()
            for index in order:
                there.take(paths[index])
            assert there.held() == products
            assert there.kinds(HUR).count(FactKind.PRODUCT_RECEIVED) == 3
            assert there.shelf().names() == []
    assert pulled > 6


def test_an_unconfirmed_node_neither_exports_nor_imports(post):
    post.world.take_in(IQPS, 1)
    (path,) = post.export()
    for party in (IQPS, HUR):
        post.world.places[party] = "elsewhere"
    with pytest.raises(KizunaError):
        post.export()
    with pytest.raises(KizunaError):
        post.take(path)


def test_a_recall_and_its_answer_travel_on_media(post):
    product = post.world.take_in(IQPS, 1)
    (path,) = post.export()
    post.take(path)
    order_recall(post.node(IQPS), product, "sent by mistake", "order 5")
    post.world.tick()
    for path in post.export(since=1):
        post.take(path)
    assert post.held() == set()
    answer_withdrawal(post.node(HUR), product.id, Fate.DESTROYED, None, "officer")
    post.world.tick()
    (back,) = post.export(HUR, IQPS)
    post.take(back, IQPS)
    assert recall_of(post.node(IQPS), HUR, product.id).fate is Fate.DESTROYED


# ---- the key changes


def rotated(post, days=30):
    """The taker changes its key for media; gives the id of the former one and when it ends."""
    node = post.node()
    former = node.keys.rotate_sealing_key()
    until = announce_sealing_key(node, former, timedelta(days=days))
    post.world.tick()
    return key_id_of(former), until


def test_media_made_for_the_former_key_are_read_and_later_ones_are_made_for_the_new_one(post):
    first = post.world.take_in(IQPS, 1)
    (under_way,) = post.export()
    rotated(post)
    post.world.pull(IQPS, HUR)
    assert post.node(IQPS).partner(HUR).sealing_key == post.node().keys.sealing_key
    second = post.world.take_in(IQPS, 2)
    (later,) = post.export(since=1)
    with FolderMedium(later) as medium:
        assert receiver_key_of(medium.read(HEADER_NAME)) == key_id_of(post.node().keys.sealing_key)
    post.take(under_way)
    post.take(later)
    assert post.held() == {first.id, second.id}


def test_a_medium_made_after_the_former_keys_end_is_refused_and_one_made_before_is_not(post):
    first = post.world.take_in(IQPS, 1)
    (before,) = post.export()
    _id, until = rotated(post)
    post.world.clock.set(until)
    (at_the_end,) = post.export()
    post.world.tick()
    # The giver was never told.
    (after,) = post.export()
    post.world.tick(days=400)
    with pytest.raises(InputError, match="for a key that ended on 2025-07-31") as caught:
        post.take(after)
    assert "add this node's new card" in str(caught.value.hint)
    assert post.held() == set()
    for path in (at_the_end, before):
        post.take(path)
    assert post.held() == {first.id}


def test_what_was_made_for_a_key_that_was_removed_is_said_to_be_lost(post, monkeypatch):
    post.world.take_in(IQPS, 1)
    (path,) = post.export()
    rotated(post)
    monkeypatch.setattr(MemoryKeys, "sealing_ids", property(lambda keys: (key_id_of(keys.sealing_key),)))
    with pytest.raises(InputError, match="a key of this node that ended on"):
        post.take(path)
    with FolderMedium(path) as medium:
        assert is_for(post.node(), medium)
        assert not is_for(post.node(IQPS), medium)


def test_a_partner_learns_of_the_new_key_by_whichever_way_and_never_goes_back(post):
    giver, taker = post.node(IQPS), post.node()
    statements = []
    for _ in range(2):
        rotated(post)
        key = taker.store.settings("key-statement/JPN/IQPS/")
        statements.append(json.loads(key["key-statement/JPN/IQPS/sealing-key"])["statement"].encode())
    post.world.tick()
    # Handed over by a node that only pulls: the latest.
    hand_over_statements(taker, IQPS, post.world.way(HUR, IQPS))
    assert giver.partner(HUR).sealing_key == taker.keys.sealing_key
    desk, size = post.world.desk(IQPS), giver.store.log.size()
    for statement in statements:
        assert desk.receipt(HUR, statement)
    assert giver.store.log.size() == size
    assert giver.partner(HUR).sealing_key == taker.keys.sealing_key
    # On a medium, as part of the feed.
    (back,) = post.export(HUR, IQPS)
    post.take(back, IQPS)
    assert giver.partner(HUR).sealing_key == taker.keys.sealing_key
    # Nobody speaks for another, nor takes a key that is another's.
    said = SealingKey(IQPS, bytes(32), post.world.clock.now(), post.world.clock.now())
    for lie in (said, replace(said, party=HUR, sealing_key=giver.keys.sealing_key)):
        assert not desk.receipt(HUR, seal_sealing_key(lie, taker.keys))
    assert not desk.receipt(HUR, seal_sealing_key(replace(said, party=HUR), giver.keys))
