"""Partners with valid keys that lie: about whose a product, a certificate or a key is, and about what came before."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from simulators.nodes import HUR, IQPS, NZL, START, World
from simulators.products import product_id

from kizuna.adapters.memory import FixedClock, MemoryKeys
from kizuna.catalog.store import Item
from kizuna.errors import ClockBehind, InputError, Message, PartnerMisbehaved, StoreError
from kizuna.exchange.feed import FeedEntry, FeedPage, page_to_bytes, seal_entry, unseal_receipt
from kizuna.exchange.manifest import make_manifest
from kizuna.exchange.rotation import Rotation, SealingKey, seal_rotation, seal_sealing_key
from kizuna.exchange.transport import one_by_one
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, format_instant
from kizuna.model.label import Label
from kizuna.model.product import AssetRole
from kizuna.node.founding import node_card, pin_partner, remove_partner, suspend_agreement
from kizuna.node.key_change import revoke_key
from kizuna.node.originators import record_consent
from kizuna.node.receive import pull
from kizuna.node.share import Sharing
from kizuna.node.state import Node

DAY = timedelta(days=1)


class Giver:
    """Way to a giver that says what a test makes it say."""

    def __init__(self, world: World, giver) -> None:
        self.world, self.giver = world, giver
        self.entries: list[bytes] = []
        self.receipts: list[bytes] = []
        self.takes_receipts = True
        self.before_files = lambda: None

    def says(self, product) -> None:
        """Put an entry that hands out a product, of files that the giver has, into the feed."""
        node = self.world.node(self.giver)
        files = {asset.digest: node.blobs.open(asset.digest).read() for asset in product.assets}
        entry = FeedEntry(
            len(self.entries) + 1,
            self.giver,
            NZL,
            product,
            tuple(make_manifest(io.BytesIO(data)) for data in files.values()),
            {"outcome": "permit", "reasons": [], "obligations": []},
            self.world.clock.now(),
        )
        self.entries.append(seal_entry(entry, node.keys))

    def feed(self, after, limit):
        return page_to_bytes(FeedPage(after, tuple(self.entries[after : after + limit]), more=False))

    def blob(self, digest, offset, length):
        self.before_files()
        return self.world.node(self.giver).blobs.open(digest).read()[offset : offset + length]

    def blobs(self, wanted):
        return one_by_one(self, wanted)

    def receipt(self, envelope):
        if not self.takes_receipts:
            raise PartnerMisbehaved(Message("the partner does not take the receipt"))
        self.receipts.append(envelope)

    def pull(self):
        node = self.world.node(NZL)
        report = pull(node, node.partner(self.giver), self)
        self.world.tick()
        return report


# ---- whose a product is


@pytest.fixture
def passed_on(world) -> World:
    """NZL has a product of IQPS from HUR."""
    world.befriend(HUR, NZL)
    world.agree(IQPS)
    world.agree(HUR, id="ON", parties=["UKR/HUR", "NZL"], article={"givers": ["UKR/HUR"], "receivers": ["NZL"]})
    product = world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    record_consent(world.node(IQPS), product, NZL, "order 7")
    world.tick()
    world.pull(HUR, IQPS)
    world.pull(NZL, HUR)
    return world


def test_whoever_passed_a_product_on_cannot_make_it_its_own_by_a_newer_version(passed_on):
    nzl = passed_on.node(NZL)
    held = nzl.store.items.get(product_id(1))
    assert held.received_from == HUR
    giver = Giver(passed_on, HUR)
    giver.entries = [b"{}"]
    giver.says(replace(held.product, version=2, originator=HUR, label=Label("JPN", "UNCLASSIFIED", HUR, START)))
    with pytest.raises(PartnerMisbehaved, match="elsewhere"):
        giver.pull()
    assert nzl.store.items.get(product_id(1)) == held
    # So the originator can still hand it over, and newer versions.
    passed_on.agree(IQPS, id="TWO", parties=["JPN/IQPS", "NZL"], article={"receivers": ["NZL"]})
    passed_on.pull(NZL, IQPS)
    assert nzl.store.items.get(product_id(1)).received_from == IQPS


@pytest.mark.parametrize(("version", "way"), [(1, IQPS), (2, IQPS), (2, HUR)])
def test_what_came_by_another_way_while_its_files_came_is_not_written_over(world, version, way):
    giver, nzl = Giver(world, IQPS), world.node(NZL)
    product = world.hold(IQPS, 1)
    giver.says(product)
    other = Item(replace(product, version=version, title="the other"), way, "{}")

    def meanwhile():
        with nzl.store.transaction():
            if nzl.store.items.get(product.id) is None:
                nzl.store.items.put(other)

    giver.before_files = meanwhile
    with pytest.raises(PartnerMisbehaved if way == IQPS else StoreError):
        giver.pull()
    assert nzl.store.items.get(product.id) == other
    assert nzl.store.book.cursor(IQPS) == 0
    assert giver.receipts == []


def test_an_older_version_said_again_behind_the_newer_on_one_page_is_refused_and_the_newer_stays(world):
    giver, nzl = Giver(world, IQPS), world.node(NZL)
    newer = replace(world.hold(IQPS, 1), version=2)
    giver.says(world.hold(IQPS, 2))
    giver.says(newer)
    giver.says(replace(newer, version=1, title="before"))
    with pytest.raises(PartnerMisbehaved, match="older"):
        giver.pull()
    assert nzl.store.items.get(newer.id).product == newer
    assert nzl.store.book.cursor(IQPS) == 2
    assert len(giver.receipts) == 1


# ---- what was permitted a moment ago


@pytest.fixture
def served(world):
    """Desk of IQPS, which permitted a file to HUR at this very instant, and the file."""
    end = Instant(START + timedelta(hours=1))
    world.agree(IQPS, in_force={"from": "2025-01-01T00:00:00Z", "until": format_instant(end)})
    product = world.take_in(IQPS, 1)
    desk = world.desk(IQPS)
    desk.feed(HUR, 0, 100)
    world.clock.set(Instant(end - timedelta(milliseconds=50)))
    asset = next(asset for asset in product.assets if asset.role is AssetRole.DETECTED)
    assert desk.blob(HUR, asset.digest, 0, 0) is not None
    return desk, asset.digest


def test_a_permit_ends_with_the_next_fact_even_in_the_same_instant(world, served):
    desk, digest = served
    suspend_agreement(world.node(IQPS), "SHARE", "Test.", "release officer")
    assert desk.blob(HUR, digest, 0, 1) is None


def test_a_permit_ends_with_its_agreement(world, served):
    desk, digest = served
    world.tick(milliseconds=49)
    assert desk.blob(HUR, digest, 0, 1) is not None
    world.tick(milliseconds=101)
    assert desk.blob(HUR, digest, 0, 1) is None


def test_a_permit_does_not_outlive_a_clock_that_is_set_back(world, served):
    desk, digest = served
    world.tick(hours=-2)
    with pytest.raises(ClockBehind):
        desk.blob(HUR, digest, 0, 1)


def test_nothing_is_pulled_by_a_clock_that_is_set_back_also_where_there_is_nothing_to_take(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    assert len(world.pull(HUR, IQPS).received) == 1
    assert world.pull(HUR, IQPS).received == []
    node = world.node(HUR)
    # The partner's clock goes right.
    behind = replace(node.journal, clock=FixedClock(Instant(node.now() - timedelta(hours=2))))
    late = Node(behind, node.blobs, lambda: "here", "officer")
    with pytest.raises(ClockBehind):
        pull(late, late.partner(IQPS), world.way(HUR, IQPS))


# ---- receipts


def test_a_receipt_that_is_never_taken_is_told_and_holds_nothing_up(world):
    giver, nzl = Giver(world, IQPS), world.node(NZL)
    giver.takes_receipts = False
    for number in (1, 2, 3):
        giver.says(world.hold(IQPS, number))
        with pytest.raises(PartnerMisbehaved, match="receipt"):
            giver.pull()
        assert nzl.store.book.cursor(IQPS) == number
    with pytest.raises(PartnerMisbehaved, match="receipt"):
        giver.pull()
    # What confirms the last one confirms all.
    giver.takes_receipts = True
    giver.pull()
    (envelope,) = giver.receipts
    receipt = unseal_receipt(envelope, nzl.keys.public_key)
    assert (receipt.sequence, receipt.entry) == (3, digest_of(giver.entries[-1]))


# ---- whose a certificate and a key are


def said(world, party, former, fresh, **changes) -> bytes:
    """Statement of a party that keys take the place of its former ones, in a day."""
    whole = {"signing_key": fresh.public_key, "certificate_der": fresh.certificate_der} | changes
    at = Instant(world.clock.now() + timedelta(days=1))
    return seal_rotation(Rotation(party, former.key_id, at=at, **whole), former, fresh)


def known_by(world, party):
    partner = world.node(IQPS).partner(party)
    return partner.signing_key, partner.certificate_der, len(partner.former)


def test_a_key_that_was_given_up_never_comes_back_and_no_statement_counts_twice(world):
    desk, first = Sharing(world.node(IQPS)), world.node(HUR).keys
    second, third = (MemoryKeys(HUR, START, seed) for seed in (b"second", b"third"))
    onward, back = said(world, HUR, first, second), said(world, HUR, second, first)
    same = said(world, HUR, first, first, certificate_der=third.certificate_der)
    assert desk.receipt(HUR, same) is False
    assert known_by(world, HUR) == (first.public_key, first.certificate_der, 0)
    assert desk.receipt(HUR, onward) is True
    # Each of them is signed as it must be; only the last could lead on.
    assert [desk.receipt(HUR, statement) for statement in (back, onward, same)] == [False, True, True]
    assert known_by(world, HUR) == (second.public_key, second.certificate_der, 1)
    assert desk.receipt(HUR, said(world, HUR, second, third)) is True
    assert [desk.receipt(HUR, said(world, HUR, third, keys)) for keys in (first, second)] == [False, False]
    assert known_by(world, HUR) == (third.public_key, third.certificate_der, 2)


def test_nobody_can_say_that_the_certificate_which_another_announces_is_its_own(world):
    desk = Sharing(world.node(IQPS))
    theirs, ours = MemoryKeys(NZL, START, b"theirs"), MemoryKeys(HUR, START, b"ours")
    stolen = said(world, HUR, world.node(HUR).keys, ours, certificate_der=theirs.certificate_der)
    before = known_by(world, HUR)
    assert desk.receipt(HUR, stolen) is False
    assert known_by(world, HUR) == before
    assert desk.receipt(NZL, said(world, NZL, world.node(NZL).keys, theirs)) is True
    assert known_by(world, NZL)[:2] == (theirs.public_key, theirs.certificate_der)


def test_nobody_can_take_over_a_certificate_that_names_nobody(world):
    """Another team's node may have one without a name: then only who has it already counts."""
    here = world.node(IQPS)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    nameless = (
        builder.not_valid_before(START - DAY).not_valid_after(START + DAY).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    )
    theirs, ours = MemoryKeys(NZL, START, b"theirs"), MemoryKeys(HUR, START, b"ours")
    desk = Sharing(here)
    assert desk.receipt(NZL, said(world, NZL, world.node(NZL).keys, theirs, certificate_der=nameless)) is True
    assert desk.receipt(HUR, said(world, HUR, world.node(HUR).keys, ours, certificate_der=nameless)) is False


def test_a_revoked_key_does_not_come_back_as_a_friends(world):
    here, desk, theirs = world.node(IQPS), Sharing(world.node(IQPS)), world.node(NZL).keys
    fresh = MemoryKeys(HUR, START, b"fresh")
    revoke_key(here, NZL, theirs.key_id, "Stolen.")
    remove_partner(here, NZL)
    world.tick()
    brought = said(world, HUR, world.node(HUR).keys, theirs, certificate_der=fresh.certificate_der)
    assert desk.receipt(HUR, brought) is False
    assert known_by(world, HUR)[2] == 0


@pytest.mark.parametrize("stolen", ["certificate", "announced certificate", "key", "former key", "key twice"])
def test_a_card_cannot_announce_what_is_anothers_or_was_given_up(world, stolen):
    here, liar = world.node(IQPS), world.node(HUR).keys
    fresh, third, fourth = (MemoryKeys(HUR, START, seed) for seed in (b"fresh", b"third", b"fourth"))
    theirs, announced = world.node(NZL).keys, MemoryKeys(NZL, START, b"announced")
    statements = {
        "certificate": [said(world, HUR, liar, fresh, certificate_der=theirs.certificate_der)],
        "announced certificate": [said(world, HUR, liar, fresh, certificate_der=announced.certificate_der)],
        "key": [said(world, HUR, liar, theirs, certificate_der=fresh.certificate_der)],
        "former key": [said(world, HUR, *step) for step in ((liar, fresh), (fresh, liar), (liar, third))],
        "key twice": [said(world, HUR, *step) for step in ((liar, fresh), (fresh, third), (third, fresh), (fresh, fourth))],
    }
    before, size = known_by(world, HUR), here.store.log.size()
    card = dict(node_card(world.node(HUR), "https://127.0.0.1:2"))
    with pytest.raises(PartnerMisbehaved):
        pin_partner(here, card | {"succession": [statement.decode() for statement in statements[stolen]]})
    assert known_by(world, HUR) == before
    assert here.store.log.size() == size


def test_a_revoked_key_leads_nowhere(world):
    here, liar, fresh = world.node(IQPS), world.node(HUR).keys, MemoryKeys(HUR, START, b"fresh")
    statement = said(world, HUR, liar, fresh)
    revoke_key(here, HUR, liar.key_id, "Stolen.")
    world.tick()
    assert Sharing(here).receipt(HUR, statement) is False
    shown = {"signing_key": fresh.public_key, "certificate": fresh.certificate_der}
    card = node_card(world.node(HUR), "") | {name: base64.b64encode(data).decode() for name, data in shown.items()}
    with pytest.raises(InputError) as caught:
        pin_partner(here, card | {"succession": [statement.decode()]})
    assert caught.value.field == "signing_key"
    assert known_by(world, HUR) == (liar.public_key, liar.certificate_der, 0)


def test_a_statement_that_a_former_key_is_said_to_have_signed_is_verified_although_it_changes_nothing(world):
    desk, first = Sharing(world.node(IQPS)), world.node(HUR).keys
    second, third = (MemoryKeys(HUR, START, seed) for seed in (b"second", b"third"))
    assert desk.receipt(HUR, said(world, HUR, first, second)) is True
    forged = json.loads(said(world, HUR, third, second))
    forged["signatures"][0]["keyid"] = first.key_id
    assert desk.receipt(HUR, canonical(forged)) is False


@pytest.mark.parametrize("wrong", ["party", "another's key", "our key", "earlier", "signature"])
def test_a_key_for_media_is_the_partners_own_and_the_latest(world, wrong):
    here, keys, now = world.node(IQPS), world.node(HUR).keys, world.clock.now()
    desk, former = Sharing(here), here.partner(HUR).sealing_key
    said_well = SealingKey(HUR, b"s" * 32, now, Instant(now + DAY))
    changes = {
        "party": {"party": NZL},
        "another's key": {"sealing_key": world.node(NZL).keys.sealing_key},
        "our key": {"sealing_key": here.keys.sealing_key},
        "earlier": {"sealing_key": b"e" * 32, "at": Instant(now - DAY)},
        "signature": {},
    }
    if wrong == "earlier":
        assert desk.receipt(HUR, seal_sealing_key(said_well, keys)) is True
        former = said_well.sealing_key
    signer = world.node(NZL).keys if wrong == "signature" else keys
    taken = desk.receipt(HUR, seal_sealing_key(replace(said_well, **changes[wrong]), signer))
    # What is known already, or older, changes nothing and may be said again.
    assert taken is (wrong == "earlier")
    assert here.partner(HUR).sealing_key == former
