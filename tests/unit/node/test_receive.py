"""Taking from a partner: what does not verify leaves nothing behind, and what was cut off goes on where it stopped."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS, NZL, START, World
from simulators.products import product_id

from kizuna.adapters.memory import MemoryKeys
from kizuna.catalog.store import Item
from kizuna.errors import KizunaError, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.feed import FeedEntry, FeedPage, Refusal, page_to_bytes, seal_entry, seal_refusal
from kizuna.exchange.manifest import CHUNK_BYTES, make_manifest
from kizuna.exchange.transport import one_by_one
from kizuna.model.digests import digest_of
from kizuna.model.label import Label
from kizuna.model.product import product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import decide_item
from kizuna.node.founding import remove_partner, suspend_agreement
from kizuna.node.receive import pull
from kizuna.release.decision import Outcome


@pytest.fixture
def shared(any_world) -> World:
    """IQPS gives to HUR; one product waits."""
    any_world.agree(IQPS)
    any_world.take_in(IQPS, 1)
    return any_world


class Link:
    """Way to a giver that says what a test makes it say, and breaks where a test breaks it."""

    def __init__(self, world: World, giver=IQPS) -> None:
        self.world, self.giver = world, giver
        self.entries: list[bytes] = []
        self.files: dict[str, bytes] = {}
        self.receipts: list[bytes] = []
        self.asked: list[str] = []
        self.cut_receipts = False
        self.body: bytes | None = None

    def offer(self, number=1, *, keys=None, files=(b"image",), promised=None, **changes):
        """Put an entry into the feed; `changes` are of the entry, or of its product under the name `product`."""
        node = self.world.node(self.giver)
        product = self.world.hold(self.giver, number, complex_data=False)
        assets = tuple(replace(product.assets[1], digest=digest_of(f), size=len(f), name=f"{i}.tif") for i, f in enumerate(files))
        product = replace(product, content=digest_of(files[0]) if files else product.content, assets=assets)
        product = replace(product, **changes.pop("product", {}))
        entry = FeedEntry(
            sequence=len(self.entries) + 1,
            sender=self.giver,
            receiver=HUR,
            product=product,
            manifests=tuple(make_manifest(io.BytesIO(f)) for f in dict.fromkeys(files)),
            decision={"outcome": "permit", "reasons": [], "obligations": []},
            made_at=self.world.clock.now(),
        )
        entry = replace(entry, **changes)
        self.entries.append(seal_entry(entry, keys or node.keys))
        self.files |= {digest_of(f): f for f in (files if promised is None else promised)}
        return entry

    def feed(self, after, limit):
        if self.body is not None:
            return self.body
        return page_to_bytes(FeedPage(after, tuple(self.entries[after : after + limit]), more=False))

    def blob(self, digest, offset, length):
        self.asked.append(digest)
        if digest not in self.files:
            raise NotReleasable(Message("not handed out"))
        return self.files[digest][offset : offset + length]

    def blobs(self, wanted):
        return one_by_one(self, wanted)

    def receipt(self, envelope):
        if self.cut_receipts:
            raise PartnerUnreachable(Message("cut off"))
        self.receipts.append(envelope)

    def pull(self):
        node = self.world.node(HUR)
        report = pull(node, node.partner(self.giver), self)
        self.world.tick()
        return report


@pytest.fixture
def link(any_world) -> Link:
    """Feed of IQPS, as a test makes it up, for HUR."""
    return Link(any_world)


def nothing_came(world: World) -> None:
    node = world.node(HUR)
    assert node.store.book.cursor(IQPS) == 0
    assert node.store.items.count() == 0
    assert not node.store.book.notes(IQPS).get("receipt_owed")
    assert FactKind.PRODUCT_RECEIVED not in {fact.kind for _, fact in node.journal.facts()}


# ---- the plain way


def test_what_was_handed_over_is_stored_recorded_and_confirmed_once(shared):
    report = shared.pull(HUR, IQPS)
    (product,) = report.received
    hur, iqps = shared.node(HUR), shared.node(IQPS)
    assert all(hur.blobs.open(asset.digest).read() == iqps.blobs.open(asset.digest).read() for asset in product.assets)
    assert report.payload_bytes == sum(asset.size for asset in product.assets)
    item = hur.store.items.get(product.id)
    assert item.received_from == IQPS
    assert '"agreement":"SHARE"' in item.terms
    assert iqps.store.book.acknowledged(HUR) == 1
    size = hur.store.log.size()
    again = shared.pull(HUR, IQPS)
    assert (again.received, again.payload_bytes) == ([], 0)
    assert hur.store.log.size() == size
    assert hur.store.items.count() == 1


def test_what_was_received_does_not_go_on_or_back_without_its_originators_consent(shared):
    shared.pull(HUR, IQPS)
    shared.agree(HUR, id="ON", parties=["UKR/HUR", "NZL"], article={"givers": ["UKR/HUR"], "receivers": ["NZL"]})
    (item,) = shared.node(HUR).store.items.all()
    for partner in (NZL, IQPS):
        assert decide_item(shared.node(HUR), item.product, partner).outcome is Outcome.DENY
    shared.befriend(HUR, NZL)
    assert b'"entries":[]' in shared.desk(HUR).feed(NZL, 0, 100).body
    assert b'"entries":[]' in shared.desk(HUR).feed(IQPS, 0, 100).body


def test_a_made_up_feed_is_taken_as_a_real_one(link):
    link.offer()
    assert [p.id for p in link.pull().received] == [product_id(1)]
    assert len(link.receipts) == 1


# ---- what does not verify


FORGER = MemoryKeys(IQPS, World().clock.now(), b"forger")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"keys": FORGER}, id="signed by another"),
        pytest.param({"sequence": 2}, id="ahead of its turn"),
        pytest.param({"receiver": NZL}, id="for another receiver"),
        pytest.param({"sender": NZL}, id="from another sender"),
        pytest.param({"product": {"originator": NZL}}, id="of a third party"),
        pytest.param({"product": {"originator": HUR}}, id="said to be ours"),
        pytest.param({"product": {"label": Label("UKR", "UNCLASSIFIED", HUR, World().clock.now())}}, id="under our label"),
        pytest.param({"product": {"content": digest_of(b"a file of theirs to come")}}, id="content that is none of its files"),
        pytest.param({"product": {"assets": ()}}, id="files without a product"),
        pytest.param({"manifests": ()}, id="no manifests"),
        pytest.param({"manifests": (make_manifest(io.BytesIO(b"other")),)}, id="manifest of another file"),
        pytest.param({"promised": ()}, id="file not handed out"),
        pytest.param({"files": ()}, id="no files"),
        pytest.param({"decision": {"outcome": "deny", "reasons": [], "obligations": []}}, id="decided against"),
        pytest.param({"decision": {"outcome": ["permit"], "reasons": [], "obligations": []}}, id="outcome that is none"),
        pytest.param({"decision": {}}, id="not decided"),
    ],
)
def test_an_entry_that_does_not_hold_leaves_nothing_behind(link, changes):
    link.offer(**changes)
    with pytest.raises((PartnerMisbehaved, NotReleasable)):
        link.pull()
    nothing_came(link.world)
    assert link.receipts == []


@pytest.mark.parametrize("sent", [b"", b"imag", b"imagE", b"image!"])
def test_a_file_that_is_not_what_was_signed_leaves_nothing_behind(link, sent):
    link.offer()
    # However much was asked for, this comes.
    link.blob = lambda *_asked: sent
    with pytest.raises(PartnerMisbehaved):
        link.pull()
    nothing_came(link.world)
    assert not link.world.node(HUR).blobs.has(digest_of(b"image"))
    link.blob = lambda *_asked: b"image"
    assert len(link.pull().received) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"after":0,"entries":[1],"more":false,"schema":"kizuna/feed/1"}', b"\xff"])
def test_a_page_that_cannot_be_read_is_the_partners_fault(link, body):
    link.body = body
    with pytest.raises(PartnerMisbehaved):
        link.pull()
    nothing_came(link.world)


def test_a_refusal_must_be_signed_and_meant_for_us(link):
    world = link.world
    keys = world.node(IQPS).keys
    refusal = Refusal(IQPS, HUR, "suspended", "not-suspended", "SHARE", None, world.clock.now())
    for faulty, signer in (
        (refusal, FORGER),
        (replace(refusal, receiver=NZL), keys),
        (replace(refusal, sender=NZL), keys),
    ):
        link.body = seal_refusal(faulty, signer)
        with pytest.raises(PartnerMisbehaved):
            link.pull()
        assert "last_refusal" not in world.node(HUR).store.book.notes(IQPS)
    link.body = seal_refusal(refusal, keys)
    assert link.pull().refusal == refusal


def test_a_product_id_that_is_ours_or_a_third_partys_is_not_taken_over(link):
    world = link.world
    for held, received_from in ((world.take_in(HUR, 1), None), (world.hold(HUR, 2), NZL)):
        world.node(HUR).store.items.put(Item(held, received_from))
        link.entries.clear()
        link.offer(2 if received_from else 1)
        with pytest.raises(PartnerMisbehaved):
            link.pull()
        assert world.node(HUR).store.items.get(held.id).product == held
        assert world.node(HUR).store.book.cursor(IQPS) == 0


def test_to_name_a_file_of_ours_is_not_to_have_it(link):
    """A partner that learned a digest must not make our file its product, nor learn that we hold it."""
    world = link.world
    secret = b"a file of ours"
    own = world.hold(HUR, 7)
    digest, size = world.node(HUR).blobs.put(secret)
    world.node(HUR).store.items.put(Item(replace(own, assets=(replace(own.assets[0], digest=digest, size=size),))))
    link.offer(files=(secret,), promised=())
    with pytest.raises(NotReleasable):
        link.pull()
    assert link.asked == [digest], "it is asked for as if it were not here"
    assert world.node(HUR).store.book.cursor(IQPS) == 0
    # Whoever shows that it has the file may hand it over.
    link.files[digest] = secret
    assert len(link.pull().received) == 1


# ---- what is held is not rewritten


def test_the_fact_of_a_receipt_carries_the_record_and_its_terms(link):
    entry = link.offer()
    link.pull()
    node = link.world.node(HUR)
    (fact,) = [fact for _, fact in node.journal.facts() if fact.kind is FactKind.PRODUCT_RECEIVED]
    assert fact.body["product"] == product_to_json(entry.product)
    assert fact.body["terms"] == entry.decision


def test_the_same_record_said_again_changes_nothing(link):
    link.offer()
    (product,) = link.pull().received
    link.offer()
    report = link.pull()
    assert (report.received, report.payload_bytes) == ([], 0)
    node = link.world.node(HUR)
    assert node.store.book.cursor(IQPS) == 2
    assert [item.product for item in node.store.items.all()] == [product]


def test_a_newer_version_takes_the_place_of_the_one_before(link):
    link.offer()
    link.pull()
    entry = link.offer(product={"version": 2, "title": "now read this"})
    assert link.pull().received == [entry.product]
    assert [item.product for item in link.world.node(HUR).store.items.all()] == [entry.product]


@pytest.mark.parametrize(
    ("changes", "files", "why"),
    [
        ({"version": 2, "title": "another title"}, (b"image",), "version 2 of .* is here with another record"),
        (
            {"version": 2, "label": Label("JPN", "UNCLASSIFIED", IQPS, START)},
            (b"image",),
            "version 2 of .* is here with another record",
        ),
        ({"version": 2}, (b"another image",), "version 2 of .* is here with another record"),
        ({"version": 1}, (b"image",), "version 1 of .* is older than version 2, which is here"),
    ],
)
def test_a_partner_cannot_rewrite_what_it_handed_over(link, changes, files, why):
    label = Label("JPN", "UNCLASSIFIED", IQPS, link.world.clock.now(), caveats=("own use",))
    link.offer(product={"version": 2, "label": label})
    link.pull()
    node = link.world.node(HUR)
    held, size = list(node.store.items.all()), node.store.log.size()
    link.offer(files=files, product={"label": label, **changes})
    for _ in range(2):
        with pytest.raises(PartnerMisbehaved, match=f"entry 2 of JPN/IQPS: {why}"):
            link.pull()
    assert list(node.store.items.all()) == held
    assert node.store.log.size() == size
    assert node.store.book.cursor(IQPS) == 1
    assert not node.blobs.has(digest_of(b"another image"))


# ---- links that break


def test_a_receipt_that_was_cut_off_is_sent_again_with_the_next_pull(link):
    link.offer()
    link.cut_receipts = True
    with pytest.raises(PartnerUnreachable):
        link.pull()
    node = link.world.node(HUR)
    assert node.store.book.cursor(IQPS) == 1
    assert node.store.items.count() == 1
    link.world.tick()
    link.cut_receipts = False
    assert link.pull().received == []
    assert len(link.receipts) == 1
    link.pull()
    assert len(link.receipts) == 1


def test_a_pull_that_broke_in_the_second_file_goes_on_without_the_first(link):
    link.offer(files=(b"first", b"second"), promised=(b"first",))
    with pytest.raises(NotReleasable):
        link.pull()
    nothing_came(link.world)
    link.files[digest_of(b"second")] = b"second"
    report = link.pull()
    assert len(report.received) == 1
    assert report.payload_bytes == len(b"second")
    assert link.asked.count(digest_of(b"first")) == 1


def test_what_came_before_a_faulty_entry_stays_and_what_follows_waits(link):
    link.offer(1)
    link.offer(2, keys=FORGER)
    link.offer(3)
    for _ in range(2):
        with pytest.raises(PartnerMisbehaved):
            link.pull()
        link.world.tick()
    node = link.world.node(HUR)
    assert node.store.book.cursor(IQPS) == 1
    assert [item.product.id for item in node.store.items.all()] == [product_id(1)]
    assert len(link.receipts) == 1


def test_a_partner_that_answers_the_first_page_for_ever_doubles_nothing(link):
    link.offer()
    link.pull()
    link.body = page_to_bytes(FeedPage(0, tuple(link.entries), more=False))
    with pytest.raises(KizunaError):
        link.pull()
    assert link.world.node(HUR).store.items.count() == 1


def test_a_suspension_in_the_middle_of_a_pull_leaves_whole_entries_only(shared):
    shared.take_in(IQPS, 2)
    node, giver = shared.node(HUR), shared.node(IQPS)
    way = shared.way(HUR, IQPS)
    fetched = way.blob
    asked: list[str] = []

    def blob(digest, offset, length):
        asked.append(digest)
        if len(asked) == 5:
            shared.tick()
            suspend_agreement(giver, "SHARE", "now", "order")
        return fetched(digest, offset, length)

    class Way:
        feed, receipt = staticmethod(way.feed), staticmethod(way.receipt)

    Way.blob = staticmethod(blob)
    Way.blobs = staticmethod(lambda wanted: one_by_one(Way, wanted))
    with pytest.raises(NotReleasable):
        pull(node, node.partner(IQPS), Way)
    assert node.store.book.cursor(IQPS) == 1
    assert node.store.items.count() == 1


# ---- large files

LARGE = b"".join(bytes([number]) * CHUNK_BYTES for number in range(3)) + b"rest"


class Breaking(Link):
    """Way that breaks at the places of a file that a test names, each once."""

    def __init__(self, world: World, *places: int) -> None:
        super().__init__(world)
        self.places = list(places)
        self.brought: list[int] = []

    def blob(self, digest, offset, length):
        if self.places and offset == self.places[0]:
            self.places.pop(0)
            raise PartnerUnreachable(Message("cut off"))
        self.brought.append(offset // CHUNK_BYTES)
        return super().blob(digest, offset, length)


def test_a_large_file_comes_once_however_often_the_way_breaks(any_world):
    link = Breaking(any_world, 0, CHUNK_BYTES, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES)
    link.offer(files=(LARGE, b"small"))
    for _ in range(4):
        with pytest.raises(PartnerUnreachable):
            link.pull()
        nothing_came(any_world)
    told = []
    node = any_world.node(HUR)
    report = pull(node, node.partner(IQPS), link, lambda _title, done, total: told.append((done, total)))
    assert report.payload_bytes == 4 + 5
    assert link.brought == [0, 1, 2, 3, 0]
    # The bar stands where the bytes are.
    assert told == [(len(LARGE), len(LARGE) + 5), (len(LARGE) + 5, len(LARGE) + 5)]
    assert node.blobs.open(digest_of(LARGE)).read() == LARGE


def parts(world: World) -> list[str]:
    """From whom something is kept of files that broke off."""
    owners: list[str] = []
    world.node(HUR).blobs.forget_parts(lambda owner, _digest: owners.append(owner) is None)
    return owners


def broken_off(world: World) -> Breaking:
    link = Breaking(world, 2 * CHUNK_BYTES)
    link.offer(files=(LARGE,))
    with pytest.raises(PartnerUnreachable):
        link.pull()
    assert parts(world) == [IQPS]
    return link


def test_what_broke_off_is_kept_while_the_partner_refuses(any_world):
    link = broken_off(any_world)
    now = any_world.clock.now()
    refusal = Refusal(IQPS, HUR, "Suspended.", "suspended", "SHARE", now, now)
    link.body = seal_refusal(refusal, any_world.node(IQPS).keys)
    assert link.pull().refusal is not None
    assert parts(any_world) == [IQPS]
    link.body = None
    assert link.pull().payload_bytes == len(LARGE) - 2 * CHUNK_BYTES
    assert parts(any_world) == []


def test_what_broke_off_is_removed_when_its_entry_is_gone(any_world):
    link = broken_off(any_world)
    link.entries.clear()
    link.pull()
    assert parts(any_world) == []


def test_what_broke_off_is_removed_when_its_entry_was_sealed_anew_without_it(any_world):
    link = broken_off(any_world)
    link.entries.clear()
    link.offer(files=(b"smaller",))
    link.pull()
    assert parts(any_world) == []


def test_what_broke_off_from_another_partner_is_left(any_world):
    broken_off(any_world)
    any_world.befriend(HUR, NZL)
    other = Link(any_world, NZL)
    other.pull()
    assert parts(any_world) == [IQPS]
    # One that is none any more has nothing to give.
    remove_partner(any_world.node(HUR), IQPS)
    other.pull()
    assert parts(any_world) == []
