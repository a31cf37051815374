"""Passing on: a third party's product goes with its originator's signed consent and under its label, or not at all."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, NZL, World
from simulators.products import product_id

from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium
from kizuna.adapters.memory import MemoryKeys
from kizuna.catalog.store import Item
from kizuna.errors import InputError, NotReleasable, PartnerMisbehaved
from kizuna.exchange.envelope import key_id_of, peek, seal
from kizuna.exchange.feed import FeedEntry, FeedPage, page_from_bytes, page_to_bytes, seal_entry
from kizuna.exchange.manifest import make_manifest
from kizuna.exchange.messages import Closed, ConsentNotice, MessageEntry, Withdraw, seal_message, unseal_any
from kizuna.exchange.onward import OnwardConsent, record_digest, seal_consent, unseal_consent
from kizuna.exchange.transport import one_by_one
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.forms import held_back
from kizuna.node.founding import node_card, pin_partner, remove_partner
from kizuna.node.key_change import revoke_key
from kizuna.node.media import export_media, import_medium
from kizuna.node.onward import passed_on
from kizuna.node.originators import record_consent, withdraw_consent
from kizuna.node.recall import order_recall
from kizuna.node.receive import pull

ON = {"givers": ["UKR/HUR"], "receivers": ["NZL"], "obligations": [{"kind": "caveat", "value": "not for the press"}]}


@pytest.fixture
def chain(world) -> World:
    """IQPS gave a product to HUR, which may give imagery to NZL; all three know each other."""
    world.befriend(HUR, NZL)
    world.agree(IQPS)
    world.agree(HUR, id="ON", parties=["UKR/HUR", "NZL"], article=ON)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    return world


def agree_to(world, number=1, receiver=NZL, **terms):
    """IQPS consents; HUR is told."""
    node = world.node(IQPS)
    record_consent(node, node.store.items.get(product_id(number)).product, receiver, "order 7", **terms)
    world.tick()
    return world.pull(HUR, IQPS).messages


def said(world, giver=HUR, taker=NZL, after=0):
    node = world.node(giver)
    page = page_from_bytes(world.desk(giver).feed(taker, after, 100).body)
    found = [unseal_any(envelope, node.keys.public_key) for envelope in page.entries]
    return [getattr(entry, "content", entry) for entry in found]


def why_held(world):
    return [why.render() for _, why in held_back(world.node(HUR), NZL)]


# ---- the plain way


def test_what_its_originator_agrees_to_is_passed_on_under_its_signature_and_label(chain):
    assert said(chain) == []
    (message,) = agree_to(chain)
    assert isinstance(message.content, ConsentNotice)
    (product,) = chain.pull(NZL, HUR).received
    hur, nzl = chain.node(HUR).store.items.get(product.id), chain.node(NZL).store.items.get(product.id)
    assert (nzl.received_from, product.originator, product.label) == (HUR, IQPS, hur.product.label)
    # What HUR has to say is said beside the record, in its own words: the record is IQPS's.
    assert product == hur.product
    assert '"agreement":"ON"' in nzl.terms
    assert "not for the press" in nzl.terms
    assert "SHARE" not in nzl.terms
    assert all(chain.node(NZL).blobs.has(asset.digest) for asset in product.assets)
    relayed = passed_on(chain.node(NZL), nzl)
    assert relayed.verifies
    assert unseal_consent(relayed.envelope, chain.node(IQPS).keys.public_key) == relayed.consent
    assert (relayed.consent.holder, relayed.consent.receiver, relayed.consent.record) == (HUR, NZL, record_digest(product))
    (fact,) = [fact for _, fact in chain.node(NZL).journal.facts() if fact.kind is FactKind.PRODUCT_RECEIVED]
    assert fact.body["consent"] == relayed.envelope.decode()
    for party in (IQPS, HUR, NZL):
        verify_node(chain.node(party))
    assert passed_on(chain.node(HUR), hur) is None


def test_nothing_of_what_stands_between_originator_and_holder_goes_along(chain):
    agree_to(chain)
    (envelope,) = page_from_bytes(chain.desk(HUR).feed(NZL, 0, 100).body).entries
    whole = peek(envelope)
    statement = peek(unseal_any(envelope, chain.node(HUR).keys.public_key).consent)
    assert "SHARE" not in f"{whole}{statement}"
    names = {"schema", "originator", "holder", "receiver", "product", "version", "record", "begin", "end", "made_at"}
    assert statement.keys() == names


def test_what_the_record_comes_from_is_not_named_where_it_is_passed_on(chain):
    chain.take_in(IQPS, 2, lineage=(product_id(1),))
    chain.pull(HUR, IQPS)
    held = chain.node(HUR).store.items.get(product_id(2)).product
    assert held.lineage == (product_id(1),)
    agree_to(chain, 2)
    (product,) = chain.pull(NZL, HUR).received
    assert (product.id, product.lineage) == (product_id(2), ())


def test_a_consent_that_came_before_the_product_counts_once_it_is_there(world):
    world.befriend(HUR, NZL)
    world.agree(HUR, id="ON", parties=["UKR/HUR", "NZL"], article=ON)
    product = world.take_in(IQPS, 1)
    record_consent(world.node(IQPS), product, NZL, "order 7")
    assert said(world, IQPS, HUR) == []
    world.agree(IQPS)
    world.pull(HUR, IQPS)
    world.pull(HUR, IQPS)
    assert [p.id for p in world.pull(NZL, HUR).received] == [product.id]


def test_only_those_that_are_named_are_told(chain):
    chain.agree(IQPS, id="THIRD", parties=["JPN/IQPS", "NZL"], article={"receivers": ["NZL"]})
    chain.pull(NZL, IQPS)
    node = chain.node(IQPS)
    product = node.store.items.get(product_id(1)).product
    for wrong in ([NZL], ["FRA"]):
        with pytest.raises(InputError):
            record_consent(node, product, NZL, "order", holders=wrong)
    record_consent(node, product, "POL", "order", holders=[HUR])
    chain.tick()
    assert [message.content.__class__ for message in chain.pull(HUR, IQPS).messages] == [ConsentNotice]
    assert chain.pull(NZL, IQPS).messages == []
    # Who was told is told the end of it, and nobody else.
    withdraw_consent(node, product, "POL", "order 2")
    chain.tick()
    assert len(chain.pull(HUR, IQPS).messages) == 1
    assert chain.pull(NZL, IQPS).messages == []


def test_it_travels_on_media(chain, tmp_path):
    agree_to(chain)
    carry(chain, tmp_path, HUR, NZL)
    item = chain.node(NZL).store.items.get(product_id(1))
    assert (item.received_from, passed_on(chain.node(NZL), item).verifies) == (HUR, True)
    withdraw_consent(chain.node(IQPS), item.product, NZL, "order 8")
    chain.tick()
    carry(chain, tmp_path, IQPS, HUR)
    assert export(chain, tmp_path, HUR, NZL, since=0) is not None
    assert said(chain)[0] == Closed()


def export(world, folder, giver, taker, since=None):
    node = world.node(giver)
    reports, _ = export_media(node, node.partner(taker), lambda id_: NewFolderMedium(folder / giver[:3], id_), since)
    world.tick()
    return folder / giver[:3] / reports[0].name if reports else None


def carry(world, folder, giver, taker):
    with FolderMedium(export(world, folder, giver, taker)) as medium:
        import_medium(world.node(taker), medium, FolderShelf(folder / "shelf"))
    world.tick()


# ---- the holder refuses


def test_a_letter_is_no_signature(chain):
    hur = chain.node(HUR)
    record_consent(hur, hur.store.items.get(product_id(1)).product, NZL, "letter of 3 June", originator=IQPS)
    chain.tick()
    assert said(chain) == []
    assert why_held(chain) == ["JPN/IQPS has not sent its signed consent that it goes on to NZL"]


def test_after_a_consent_was_taken_back_nothing_goes(chain):
    agree_to(chain)
    assert len(said(chain)) == 1
    chain.take_in(HUR, 7, label=replace(chain.hold(HUR, 7).label, originator=HUR))
    entry, own = said(chain)
    blob = entry.product.assets[0].digest
    assert chain.desk(HUR).blob(NZL, blob, 0, 1) is not None
    withdraw_consent(chain.node(IQPS), entry.product, NZL, "order 8")
    chain.tick()
    chain.pull(HUR, IQPS)
    assert chain.desk(HUR).blob(NZL, blob, 0, 1) is None
    # NZL learns that something had this number, and that it is gone; what follows goes on.
    assert said(chain) == [Closed(), own]
    report = chain.pull(NZL, HUR)
    assert [p.id for p in report.received] == [product_id(7)]
    # Given again, it goes, at the end.
    agree_to(chain)
    assert [p.id for p in chain.pull(NZL, HUR).received] == [product_id(1)]
    verify_node(chain.node(HUR))


def test_a_consent_ends_on_its_day(chain):
    agree_to(chain, end=Instant(chain.clock.now() + timedelta(days=1)))
    assert len(said(chain)) == 1
    chain.tick(days=1)
    assert said(chain)[0] == Closed()


def test_a_consent_is_for_the_record_that_was_handed_over(chain):
    agree_to(chain)
    hur = chain.node(HUR)
    item = hur.store.items.get(product_id(1))
    for changed in (
        replace(item.product, label=replace(item.product.label, caveats=())),
        replace(item.product, title="another"),
        replace(item.product, version=2),
    ):
        hur.store.items.put(replace(item, product=changed))
        assert said(chain) == []
        assert "is not the one that JPN/IQPS signed its consent for" in why_held(chain)[0]
    hur.store.items.put(item)
    assert len(said(chain)) == 1


def test_a_label_of_somebody_else_is_not_passed_on(chain):
    hur = chain.node(HUR)
    item = hur.store.items.get(product_id(1))
    agree_to(chain)
    hur.store.items.put(replace(item, product=replace(item.product, label=replace(item.product.label, originator=HUR))))
    assert said(chain) == []


def test_a_form_that_its_originator_has_not_signed_does_not_go(chain):
    coarser = ON | {"obligations": [{"kind": "resolution", "value": "5"}]}
    chain.agree(HUR, id="ON", version=2, parties=["UKR/HUR", "NZL"], article=coarser)
    agree_to(chain)
    assert said(chain) == []
    assert why_held(chain) == ["ON asks for another form of it (resolution), which its originator has not signed"]


def test_without_the_originators_key_nothing_goes(chain):
    agree_to(chain)
    hur = chain.node(HUR)
    remove_partner(hur, IQPS)
    assert said(chain) == []
    assert "no partner here" in why_held(chain)[0]


def test_a_revoked_key_vouches_for_nothing_any_more(chain):
    agree_to(chain)
    assert len(said(chain)) == 1
    revoke_key(chain.node(HUR), IQPS, key_id_of(chain.node(IQPS).keys.public_key), "stolen")
    chain.tick()
    assert said(chain) == [Closed()]
    assert "was revoked" in why_held(chain)[0]


def test_a_recall_by_the_originator_reaches_whom_it_was_passed_on_to(chain):
    agree_to(chain)
    chain.pull(NZL, HUR)
    order_recall(chain.node(IQPS), chain.node(IQPS).store.items.get(product_id(1)).product, "by mistake", "order")
    chain.tick()
    chain.pull(HUR, IQPS)
    (message,) = chain.pull(NZL, HUR).messages
    assert message.content == Withdraw(product_id(1), 1, "by mistake")
    assert chain.node(NZL).store.items.count() == 0
    # Recalled, it is not spoken of any more.
    assert agree_to(chain) == []


# ---- a consent that is none


@pytest.fixture
def forged(chain):
    """What a hostile originator puts into its feed for HUR; gives the error of the pull."""

    def offered(envelope):
        node, hur = chain.node(IQPS), chain.node(HUR)
        number = hur.store.book.cursor(IQPS) + 1
        entry = seal_message(MessageEntry(number, IQPS, HUR, ConsentNotice(envelope), chain.clock.now()), node.keys)

        class Way:
            def feed(self, after, limit):
                return page_to_bytes(FeedPage(after, (entry,), more=False))

            def receipt(self, envelope):
                pass

        size = hur.store.log.size()
        with pytest.raises(PartnerMisbehaved) as caught:
            pull(hur, hur.partner(IQPS), Way())
        assert hur.store.book.cursor(IQPS) == number - 1
        assert hur.store.log.size() == size
        return str(caught.value)

    return offered


def consent(world, **changes):
    held = world.node(HUR).store.items.get(product_id(1)).product
    made = OnwardConsent(IQPS, HUR, NZL, held.id, 1, record_digest(held), world.clock.now(), None, world.clock.now())
    return replace(made, **changes)


def test_a_holder_takes_only_the_partners_own_consent_for_itself(chain, forged):
    keys, stranger = chain.node(IQPS).keys, MemoryKeys(NZL, chain.clock.now(), b"stranger")
    assert "signed with the key" in forged(seal_consent(consent(chain), stranger))
    # A partner cannot agree in the name of another, nor make HUR believe what was said to another.
    assert "a consent of FRA for UKR/HUR" in forged(seal_consent(consent(chain, originator="FRA"), keys))
    assert "a consent of JPN/IQPS for FRA" in forged(seal_consent(consent(chain, holder="FRA"), keys))
    assert "three different parties" in forged(seal_consent(consent(chain, receiver=HUR), keys))
    later = Instant(chain.clock.now() - timedelta(days=1))
    assert "an instant after the begin" in forged(seal_consent(consent(chain, end=later), keys))
    assert "it holds" in forged(seal("application/vnd.kizuna.receipt.1+json", {}, keys))
    forged(b"{}")
    forged(seal("application/vnd.kizuna.onward-consent.1+json", {"schema": "kizuna/onward-consent/1"}, keys))


# ---- the receiver refuses


class Relay:
    """Feed of HUR for NZL as a test makes it up."""

    def __init__(self, world):
        self.world = world
        held = world.node(HUR).store.items.get(product_id(1)).product
        self.product = replace(held, lineage=(), supersedes=None)

    def pull(self, made=None, *, keys=None, envelope=None, **changes):
        """Offer the product with a consent of IQPS; `changes` are of the record after it was signed."""
        world, hur = self.world, self.world.node(HUR)
        statement = seal_consent(made or consent(world), keys or world.node(IQPS).keys) if envelope is None else envelope
        product = replace(self.product, **changes)
        manifests = []
        for asset in product.assets:
            with hur.blobs.open(asset.digest) as file:
                manifests.append(make_manifest(io.BytesIO(file.read())))
        decision = {"outcome": "permit", "reasons": [], "obligations": []}
        self.number = world.node(NZL).store.book.cursor(HUR) + 1
        entry = FeedEntry(self.number, HUR, NZL, product, tuple(manifests), decision, world.clock.now(), statement or None)
        self.sealed = seal_entry(entry, hur.keys)
        nzl = world.node(NZL)
        return pull(nzl, nzl.partner(HUR), self)

    def feed(self, after, limit):
        return page_to_bytes(FeedPage(after, (self.sealed,) if after < self.number else (), more=False))

    def blob(self, digest, offset, length):
        with self.world.node(HUR).blobs.open(digest) as file:
            file.seek(offset)
            return file.read(length)

    def blobs(self, wanted):
        return one_by_one(self, wanted)

    def receipt(self, envelope):
        pass


@pytest.fixture
def relay(chain) -> Relay:
    return Relay(chain)


def refused(relay, match, made=None, **offered):
    nzl = relay.world.node(NZL)
    size = nzl.store.log.size()
    with pytest.raises((PartnerMisbehaved, NotReleasable), match=match):
        relay.pull(made, **offered)
    assert nzl.store.items.get(product_id(1)) is None
    assert nzl.store.book.cursor(HUR) == 0
    assert nzl.store.log.size() == size
    assert not any(nzl.blobs.has(asset.digest) for asset in relay.product.assets)


def test_a_relay_that_is_made_up_as_it_must_be_is_taken(relay):
    assert [p.id for p in relay.pull().received] == [product_id(1)]


def test_a_receiver_takes_nothing_that_its_originator_has_not_signed(relay):
    world, label = relay.world, relay.product.label
    now = world.clock.now()
    refused(relay, "without its consent", envelope=b"")
    refused(relay, "does not verify", keys=world.node(HUR).keys)
    refused(relay, "does not verify", keys=MemoryKeys(IQPS, now, b"forger"))
    refused(relay, "does not verify", envelope=seal("application/vnd.kizuna.receipt.1+json", {}, world.node(IQPS).keys))
    # Another holder's, another receiver's, another product's, another version's.
    refused(relay, "is for what FRA passes on", consent(world, holder="FRA"))
    refused(relay, "passes on to FRA", consent(world, receiver="FRA"))
    refused(relay, "is not the one that", consent(world, product=product_id(2)))
    refused(relay, "is not the one that", consent(world, version=2))
    # A milder label, another title, a file less.
    refused(relay, "label included, is not the one", label=replace(label, caveats=()))
    refused(relay, "label included, is not the one", title="another")
    refused(relay, "label included, is not the one", assets=relay.product.assets[:1])
    refused(relay, "label is not that of", label=replace(label, originator=HUR))
    # Not yet, no more, never.
    refused(relay, "does not hold now", consent(world, begin=Instant(now + timedelta(seconds=1))))
    refused(
        relay, "does not hold now", consent(world, begin=Instant(now - timedelta(days=2)), end=Instant(now - timedelta(days=1)))
    )
    refused(relay, "does not hold now", consent(world, begin=None))
    refused(relay, "names products or files", lineage=(product_id(2),))
    refused(relay, "names products or files", supersedes=digest_of(b"older"))
    # Said to be of the holder, or of the receiver itself.
    refused(relay, "as if it were a third party's", originator=HUR)
    refused(relay, "as if it were a third party's", originator=NZL)


def test_an_originator_that_is_no_partner_is_refused_until_it_is_pinned(relay):
    world, nzl = relay.world, relay.world.node(NZL)
    remove_partner(nzl, IQPS)
    refused(relay, "pin its card")
    pin_partner(nzl, node_card(world.node(IQPS), ""))
    assert [p.id for p in relay.pull().received] == [product_id(1)]


def test_a_key_that_the_receiver_revoked_is_not_believed(relay):
    revoke_key(relay.world.node(NZL), IQPS, key_id_of(relay.world.node(IQPS).keys.public_key), "stolen")
    relay.world.tick()
    refused(relay, "was revoked")


def test_what_verified_once_is_not_said_to_verify_for_ever(relay):
    relay.pull()
    relay.world.tick()
    nzl = relay.world.node(NZL)
    item = nzl.store.items.get(product_id(1))
    assert passed_on(nzl, item).verifies
    assert not passed_on(nzl, replace(item, product=replace(item.product, title="another"))).verifies
    revoke_key(nzl, IQPS, key_id_of(relay.world.node(IQPS).keys.public_key), "stolen")
    assert not passed_on(nzl, item).verifies


# ---- one product by several ways


@pytest.mark.parametrize("version", [1, 2])
def test_what_came_from_the_originator_itself_stands(relay, version):
    nzl = relay.world.node(NZL)
    own = replace(relay.product, title="as IQPS told it to NZL")
    nzl.store.items.put(Item(own, received_from=IQPS))
    relay.product = replace(relay.product, version=version)
    made = consent(relay.world, version=version, record=record_digest(relay.product))
    assert relay.pull(made).received == []
    assert nzl.store.items.get(product_id(1)) == Item(own, received_from=IQPS)
    assert nzl.store.book.cursor(HUR) == 1
    assert not any(nzl.blobs.has(asset.digest) for asset in own.assets)


def test_of_two_that_pass_it_on_the_newer_version_is_kept(relay):
    nzl = relay.world.node(NZL)
    nzl.store.items.put(Item(relay.product, received_from="POL"))
    assert relay.pull().received == []
    assert nzl.store.items.get(product_id(1)).received_from == "POL"
    relay.product = replace(relay.product, version=2)
    made = consent(relay.world, version=2, record=record_digest(relay.product))
    assert [p.version for p in relay.pull(made).received] == [2]
    assert nzl.store.items.get(product_id(1)).received_from == HUR


def test_what_the_originator_hands_over_itself_takes_the_place_of_what_was_passed_on(chain):
    agree_to(chain)
    chain.pull(NZL, HUR)
    chain.agree(IQPS, id="THIRD", parties=["JPN/IQPS", "NZL"], article={"receivers": ["NZL"]})
    assert chain.node(NZL).store.items.get(product_id(1)).received_from == HUR
    # The record is the same: it is IQPS's either way.
    assert chain.pull(NZL, IQPS).received == []
    item = chain.node(NZL).store.items.get(product_id(1))
    assert item.received_from == IQPS
    assert passed_on(chain.node(NZL), item) is None
    # The holder's recall does not reach it any more; the originator's does.
    order_recall(chain.node(HUR), chain.node(HUR).store.items.get(product_id(1)).product, "x", "order")
    chain.tick()
    chain.pull(NZL, HUR)
    assert chain.node(NZL).store.items.count() == 1
    verify_node(chain.node(NZL))


def test_a_product_of_nzls_own_is_not_overwritten(relay):
    nzl = relay.world.node(NZL)
    nzl.store.items.put(Item(relay.product))
    with pytest.raises(PartnerMisbehaved, match="from elsewhere"):
        relay.pull()
    assert nzl.store.items.get(product_id(1)) == Item(relay.product)
