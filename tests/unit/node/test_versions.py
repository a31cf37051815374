"""Newer versions of a product: who gets them in place of the older ones, and who learns nothing of them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from rasterio.io import MemoryFile
from simulators.nodes import HUR, IQPS, NZL, START
from simulators.products import product_id

from kizuna.errors import InputError, Message, NotReleasable
from kizuna.exchange.answers import Fate
from kizuna.exchange.feed import page_from_bytes
from kizuna.exchange.messages import Closed, MessageEntry, Withdraw, unseal_any
from kizuna.exchange.transport import one_by_one
from kizuna.model.label import Label
from kizuna.node.audit import verify_node
from kizuna.node.decisions import as_labelled_now, decide_item
from kizuna.node.originators import correct_label, record_consent
from kizuna.node.publish import Described, publish
from kizuna.node.recall import order_recall
from kizuna.node.receive import pull
from kizuna.node.versions import superseded_versions
from kizuna.node.withdrawals import answer_withdrawal
from kizuna.release.decision import Outcome

LABEL = Label("JPN", "UNCLASSIFIED", IQPS, START)
WITHHELD = replace(LABEL, releasable_to=())
EMPTY = b'{"after":1,"entries":[],"more":false,"schema":"kizuna/feed/1"}'


def tiff(seed=0):
    band = np.random.default_rng(seed).integers(1, 255, (24, 24), dtype=np.uint8)
    form = {"crs": "EPSG:32643", "transform": Affine(10.0, 0.0, 650_000.0, 0.0, -10.0, 1_100_000.0)}
    with MemoryFile() as file:
        with file.open(driver="GTiff", height=24, width=24, count=1, dtype="uint8", **form) as dataset:
            dataset.write(band, 1)
        return file.read()


FIRST, SECOND, THIRD = (tiff(seed) for seed in range(3))


@pytest.fixture
def shared(any_world):
    any_world.agree(IQPS, article={"obligations": []})
    return any_world


def put(world, data=FIRST, *, replaces=None, label=LABEL, party=IQPS, **said):
    published = publish(
        world.node(party), io.BytesIO(data), "a.tif", replace(label, originator=party), Described(replaces=replaces, **said)
    )
    world.tick()
    return published.product


def feed(world, after=0, taker=HUR):
    node = world.node(IQPS)
    page = page_from_bytes(world.desk(IQPS).feed(taker, after, 100).body)
    found = [unseal_any(envelope, node.keys.public_key) for envelope in page.entries]
    return [entry.content if isinstance(entry, MessageEntry) else entry.product for entry in found]


def held(world, product, party=HUR):
    return world.node(party).store.items.get(product.id).product


# ---- the plain way


def test_a_partner_gets_the_newer_version_of_the_same_product_in_place_of_the_older(shared):
    first = put(shared, title="Port")
    shared.pull(HUR, IQPS)
    second = put(shared, SECOND, replaces=first.id)
    assert (second.id, second.version, second.supersedes, second.title) == (first.id, 2, first.content, "Port")
    (came,) = shared.pull(HUR, IQPS).received
    assert (came.id, came.version, came.supersedes) == (first.id, 2, first.content)
    hur = shared.node(HUR)
    assert hur.store.items.count() == 1
    assert held(shared, first).content == second.content
    (before,) = superseded_versions(hur, first.id)
    assert (before.version, before.content, before.marking, before.received_from) == (1, first.content, "JPN UNCLASSIFIED", IQPS)
    # Original bytes are kept.
    assert all(node.blobs.has(asset.digest) for node in (shared.node(IQPS), hur) for asset in first.assets)
    assert [v.version for v in superseded_versions(shared.node(IQPS), first.id)] == [1]
    assert shared.pull(HUR, IQPS).received == []
    third = put(shared, THIRD, replaces=first.id)
    assert [p.version for p in shared.pull(HUR, IQPS).received] == [3]
    assert [v.version for v in superseded_versions(hur, first.id)] == [1, 2]
    assert held(shared, first).supersedes == second.content
    assert shared.node(IQPS).store.book.sequence_of(HUR, third.id) == 3
    for party in (IQPS, HUR):
        verify_node(shared.node(party))


def test_a_version_that_no_partner_had_replaces_nothing_there(shared):
    """What waits goes as it is now; that there was something before is nothing that the partner may know."""
    first = put(shared)
    put(shared, SECOND, replaces=first.id)
    ((product,),) = (shared.pull(HUR, IQPS).received,)
    assert (product.version, product.supersedes) == (2, None)
    assert superseded_versions(shared.node(HUR), first.id) == []
    assert shared.node(IQPS).store.book.last_sequence(HUR) == 1


def test_a_version_that_was_numbered_and_not_confirmed_goes_in_the_newer_one_under_its_number(shared):
    first = put(shared)
    (served,) = feed(shared)
    second = put(shared, SECOND, replaces=first.id)
    assert shared.desk(IQPS).blob(HUR, served.content, 0, 1) is None
    ((again),) = feed(shared)
    assert (again.version, again.content) == (2, second.content)
    assert shared.node(IQPS).store.book.last_sequence(HUR) == 1
    assert list(shared.node(IQPS).store.book.waiting(HUR)) == []
    assert [p.version for p in shared.pull(HUR, IQPS).received] == [2]
    assert shared.pull(HUR, IQPS).received == []


def test_a_version_is_sealed_anew_whatever_files_it_has(shared):
    first = put(shared)
    feed(shared)
    node = shared.node(IQPS)
    node.store.items.put(replace(node.store.items.get(first.id), product=replace(first, version=2)))
    assert [p.version for p in feed(shared)] == [2]


def test_a_partner_that_took_the_older_and_whose_receipt_was_lost_gets_the_newer_too(shared):
    first = put(shared)
    feed(shared)
    put(shared, SECOND, replaces=first.id)
    assert [p.version for p in feed(shared, after=1)] == [2]


# ---- who may have the old, and not the new


def test_a_partner_that_may_not_have_the_newer_version_learns_nothing_of_it(shared):
    first = put(shared)
    shared.pull(HUR, IQPS)
    size = shared.node(HUR).store.log.size()
    second = put(shared, SECOND, replaces=first.id, label=WITHHELD)
    assert shared.desk(IQPS).feed(HUR, 1, 100).body == EMPTY
    assert all(shared.desk(IQPS).blob(HUR, asset.digest, 0, 1) is None for asset in second.assets)
    report = shared.pull(HUR, IQPS)
    assert (report.received, report.messages) == ([], [])
    assert shared.node(HUR).store.log.size() == size
    assert held(shared, first).content == first.content
    # Unless an officer calls it back.
    order_recall(shared.node(IQPS), second, "wrong place", "order")
    shared.tick()
    assert [m.content for m in shared.pull(HUR, IQPS).messages] == [Withdraw(first.id, 1, "wrong place")]
    assert list(shared.node(IQPS).store.book.waiting(HUR)) == []


def test_a_newer_version_that_may_go_later_goes_then(shared):
    first = put(shared)
    shared.pull(HUR, IQPS)
    second = put(shared, SECOND, replaces=first.id, label=WITHHELD)
    assert feed(shared, after=1) == []
    correct_label(shared.node(IQPS), second, replace(LABEL, created=shared.clock.now()), "order")
    shared.tick()
    assert [p.version for p in shared.pull(HUR, IQPS).received] == [2]


def test_an_older_version_that_was_not_confirmed_is_closed_where_the_newer_may_not_go(shared):
    first = put(shared)
    other = put(shared, THIRD)
    assert [p.id for p in feed(shared)] == [first.id, other.id]
    put(shared, SECOND, replaces=first.id, label=WITHHELD)
    assert [getattr(one, "id", one) for one in feed(shared)] == [Closed(), other.id]
    assert shared.desk(IQPS).blob(HUR, first.content, 0, 1) is None
    assert [p.id for p in shared.pull(HUR, IQPS).received] == [other.id]


def test_the_correction_of_an_older_versions_label_does_not_count_for_the_newer(shared):
    first = put(shared, label=WITHHELD)
    correct_label(shared.node(IQPS), first, replace(LABEL, created=shared.clock.now()), "order")
    shared.tick()
    shared.pull(HUR, IQPS)
    second = put(shared, SECOND, replaces=first.id, label=WITHHELD)
    node = shared.node(IQPS)
    assert as_labelled_now(node, second).label == WITHHELD
    assert decide_item(node, second, HUR).outcome is Outcome.DENY
    assert feed(shared, after=1) == []


def test_a_consent_to_pass_on_is_for_the_version_that_it_was_given_for(shared):
    shared.befriend(HUR, NZL)
    article = {"givers": ["UKR/HUR"], "receivers": ["NZL"], "obligations": []}
    shared.agree(HUR, id="ON", parties=["UKR/HUR", "NZL"], article=article)
    first = put(shared)
    shared.pull(HUR, IQPS)
    record_consent(shared.node(IQPS), first, NZL, "order")
    shared.tick()
    shared.pull(HUR, IQPS)
    assert [p.version for p in shared.pull(NZL, HUR).received] == [1]
    second = put(shared, SECOND, replaces=first.id)
    report = shared.pull(HUR, IQPS)
    assert ([p.version for p in report.received], report.messages) == ([2], [])
    assert shared.pull(HUR, IQPS).messages == []
    assert shared.pull(NZL, HUR).received == []
    record_consent(shared.node(IQPS), second, NZL, "order 2")
    shared.tick()
    shared.pull(HUR, IQPS)
    assert [(p.version, p.supersedes) for p in shared.pull(NZL, HUR).received] == [(2, None)]


# ---- recalls and files


def test_a_recall_is_of_all_versions_files_included(shared):
    first = put(shared)
    shared.pull(HUR, IQPS)
    second = put(shared, SECOND, replaces=first.id)
    shared.pull(HUR, IQPS)
    order_recall(shared.node(IQPS), second, "x", "order")
    shared.tick()
    assert [m.content.recalls for m in shared.pull(HUR, IQPS).messages] == [2]
    hur = shared.node(HUR)
    assert hur.store.items.count() == 0
    answer_withdrawal(hur, first.id, Fate.DESTROYED, None, "officer")
    assert not any(hur.blobs.has(asset.digest) for product in (first, second) for asset in product.assets)
    assert superseded_versions(hur, first.id) == []
    with pytest.raises(InputError, match="was recalled"):
        put(shared, THIRD, replaces=first.id)


class Mute:
    """Way to a giver that names files, and hands out none."""

    def __init__(self, way):
        self.feed, self.receipt = way.feed, way.receipt

    def blob(self, *_asked):
        raise NotReleasable(Message("not handed out"))

    def blobs(self, wanted):
        return one_by_one(self, wanted)


def test_to_name_a_file_of_an_older_version_of_ours_is_not_to_have_it(shared):
    own = put(shared, FIRST, party=HUR, label=replace(LABEL, policy="UKR", classification="UNCLASSIFIED"))
    put(shared, SECOND, party=HUR, replaces=own.id, label=replace(LABEL, policy="UKR", classification="UNCLASSIFIED"))
    put(shared, FIRST)
    node = shared.node(HUR)
    with pytest.raises(NotReleasable):
        pull(node, node.partner(IQPS), Mute(shared.way(HUR, IQPS)))
    assert node.store.book.cursor(IQPS) == 0


# ---- what cannot be replaced


def test_only_an_own_product_is_replaced_by_other_bytes_under_its_originators_label(shared):
    first, other = put(shared), put(shared, THIRD)
    shared.pull(HUR, IQPS)
    node = shared.node(IQPS)
    size = node.store.log.size()
    for data, asked, field in (
        (FIRST, {"replaces": first.id}, "replaces"),
        (THIRD, {"replaces": first.id}, "replaces"),
        (SECOND, {"replaces": product_id(99)}, "replaces"),
    ):
        with pytest.raises(InputError) as caught:
            put(shared, data, **asked)
        assert caught.value.field == field
    with pytest.raises(InputError) as caught:
        publish(node, io.BytesIO(SECOND), "a.tif", replace(LABEL, originator=NZL), Described(replaces=first.id))
    assert caught.value.field == "originator"
    with pytest.raises(InputError, match="no product of this node's own"):
        put(shared, SECOND, party=HUR, replaces=other.id)
    assert node.store.log.size() == size
    assert node.store.items.get(first.id).product == first
