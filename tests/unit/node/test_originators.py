"""Consents of originators and corrected labels: facts that count at once, and never for the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, NZL, START
from simulators.products import product_id

from kizuna.catalog.store import Item
from kizuna.errors import InputError
from kizuna.exchange.feed import page_from_bytes
from kizuna.exchange.messages import Closed, ConsentNotice, unseal_any
from kizuna.exchange.onward import OnwardConsent, record_digest, seal_consent
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.label import Label, label_to_json
from kizuna.model.parties import Party
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.decisions import as_labelled_now, decide_item
from kizuna.node.forms import held_back
from kizuna.node.onward import take_consent
from kizuna.node.originators import correct_label, record_consent, withdraw_consent
from kizuna.node.people import PeopleRoom, Person
from kizuna.node.state import Node
from kizuna.release.decision import Outcome

FRA = Party("FRA")
FRENCH = Label("JPN", "UNCLASSIFIED", FRA, START)
LABEL = Label("JPN", "UNCLASSIFIED", IQPS, START)
STRICT = replace(LABEL, releasable_to=(NZL,))
MILDER = replace(LABEL, caveats=("Handle with care.",))
AIKO = Person("Aiko", "officer")


def served(world, peer=HUR):
    """Entries that a partner is handed."""
    node = world.node(IQPS)
    page = page_from_bytes(world.desk(IQPS).feed(peer, 0, 100).body)
    entries = [unseal_any(envelope, node.keys.public_key) for envelope in page.entries]
    return [getattr(entry, "content", entry) for entry in entries]


def outcome(world, product, partner=HUR, **when):
    return decide_item(world.node(IQPS), product, partner, **when).outcome


# ---- consents


def third_party(world, **changes):
    """Product of FRA that iQPS holds, as FRA handed it over: with no phase in it, that would have to be taken away."""
    if FRA not in world.nodes:
        world.befriend(IQPS, FRA)
    product = world.hold(IQPS, 5, originator=FRA, label=FRENCH, **({"complex_data": False} | changes))
    world.node(IQPS).store.items.put(Item(product, received_from=FRA))
    return product


def sign(world, product, begin, end=None):
    """FRA's own node says that it agrees."""
    node, keys = world.node(IQPS), world.node(FRA).keys
    consent = OnwardConsent(FRA, IQPS, HUR, product.id, 1, record_digest(product), begin, end, world.clock.now())
    with node.store.transaction():
        take_consent(node, node.partner(FRA), ConsentNotice(seal_consent(consent, keys)), {"partner": FRA})
    world.tick()


def test_a_consent_lets_a_third_partys_product_go_at_once(any_world):
    world = any_world
    world.agree(IQPS)
    node, product = world.node(IQPS), third_party(world)
    before = node.now()
    world.tick()
    assert outcome(world, product) is Outcome.DENY
    assert served(world) == []
    consent = record_consent(node, product, HUR, "letter 12", originator=FRA)
    assert consent.recorded_at == consent.term.begin.exact == node.now()
    world.tick()
    assert outcome(world, product) is Outcome.PERMIT
    # It is queued with the fact: nobody has to look through the catalogue first.
    assert product.id in node.store.book.waiting(HUR)
    # A letter is for people. What goes on goes with the originator's signature, which the receiver can verify.
    assert served(world) == []
    ((held, why),) = held_back(node, HUR)
    assert (held, "FRA has not sent its signed consent" in why.render()) == (product.id, True)
    sign(world, product, consent.term.begin.exact)
    assert [entry.product.id for entry in served(world)] == [product.id]
    assert outcome(world, product, NZL) is Outcome.DENY
    # It did not hold then, and what was known then did not hold it.
    assert outcome(world, product, valid_at=before) is Outcome.DENY
    assert outcome(world, product, known_at=before) is Outcome.DENY
    facts = [fact for _, fact in node.journal.facts() if fact.kind is FactKind.CONSENT_GIVEN]
    assert [fact.authority for fact in facts] == ["letter 12", "signature of FRA"]


def test_a_consent_holds_in_its_time(world):
    world.agree(IQPS)
    product = third_party(world)
    begin, end = parse_instant("2025-07-02"), parse_instant("2025-07-03")
    sign(world, product, begin, end)
    assert outcome(world, product) is Outcome.DENY
    assert served(world) == []
    world.tick(days=1)
    assert outcome(world, product) is Outcome.PERMIT
    assert len(served(world)) == 1
    world.tick(days=1)
    assert outcome(world, product) is Outcome.DENY
    # Its number is closed for good, so that nothing behind it waits for a consent that has ended.
    assert served(world)[0] == Closed()


def test_a_consent_for_what_a_product_was_made_from_counts_for_the_product(world):
    world.agree(IQPS)
    node, parent = world.node(IQPS), third_party(world)
    derived = world.take_in(IQPS, 6, lineage=(parent.id,))
    assert outcome(world, derived) is Outcome.DENY
    record_consent(node, derived, HUR, "letter", originator=FRA)
    world.tick()
    assert outcome(world, derived) is Outcome.PERMIT
    assert outcome(world, parent) is Outcome.DENY


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"originator": NZL}, "originator"),
        ({"originator": None}, "originator"),
        ({"receiver": FRA}, "to"),
        ({"begin": parse_instant("2025-08-01"), "end": parse_instant("2025-08-01")}, "until"),
        ({"end": parse_instant("2025-06-01")}, "until"),
    ],
)
def test_a_consent_that_means_nothing_is_refused(world, given, field):
    product = third_party(world)
    node = world.node(IQPS)
    size = node.store.log.size()
    asked = {"receiver": HUR, "originator": FRA} | given
    with pytest.raises(InputError) as caught:
        record_consent(node, product, asked.pop("receiver"), "letter", **asked)
    assert caught.value.field == field
    assert node.store.log.size() == size


def test_a_consent_that_is_taken_back_lets_nothing_go_from_then_on(any_world):
    world = any_world
    world.agree(IQPS)
    node, product = world.node(IQPS), third_party(world)
    given = record_consent(node, product, HUR, "letter", originator=FRA)
    sign(world, product, given.term.begin.exact)
    assert (outcome(world, product), len(served(world))) == (Outcome.PERMIT, 1)
    before = node.now()
    world.tick()
    ended = withdraw_consent(node, product, HUR, "letter 2", originator=FRA)
    assert (ended.term.begin, ended.term.end.exact) == (given.term.begin, node.now())
    assert (outcome(world, product), served(world)) == (Outcome.DENY, [])
    world.tick()
    assert (outcome(world, product), served(world)) == (Outcome.DENY, [])
    # What went before went rightly, and what was known then is what it was.
    assert outcome(world, product, valid_at=before) is Outcome.PERMIT
    assert outcome(world, product, known_at=before) is Outcome.PERMIT
    # Given again, it counts again, from then on.
    again = record_consent(node, product, HUR, "letter 3", originator=FRA)
    assert again.term.begin.exact == node.now()
    world.tick()
    assert outcome(world, product) is Outcome.PERMIT


def test_a_consent_that_ended_earlier_than_was_known_is_corrected(world):
    world.agree(IQPS)
    node, product = world.node(IQPS), third_party(world)
    record_consent(node, product, HUR, "letter", originator=FRA)
    world.tick(days=2)
    day = parse_instant("2025-07-02")
    withdraw_consent(node, product, HUR, "letter 2", originator=FRA, at=day)
    world.tick()
    assert outcome(world, product, valid_at=day) is Outcome.DENY
    assert outcome(world, product, valid_at=Instant(day - timedelta(seconds=1))) is Outcome.PERMIT


def test_a_consent_taken_back_before_it_began_never_held(world):
    world.agree(IQPS)
    node, product = world.node(IQPS), third_party(world)
    day = parse_instant("2025-07-02")
    record_consent(node, product, HUR, "letter", originator=FRA, begin=day)
    world.tick()
    withdraw_consent(node, product, HUR, "letter 2", originator=FRA)
    world.tick(days=2)
    assert outcome(world, product) is Outcome.DENY
    with pytest.raises(InputError):
        withdraw_consent(node, product, HUR, "letter 3", originator=FRA)


def test_a_consent_that_is_given_an_end_keeps_its_begin(world):
    node, product = world.node(IQPS), third_party(world)
    given = record_consent(node, product, HUR, "letter", originator=FRA)
    world.tick()
    ending = record_consent(node, product, HUR, "letter 2", originator=FRA, end=parse_instant("2025-07-03"))
    assert ending.term.begin == given.term.begin


def test_only_a_consent_that_would_go_on_is_taken_back(world):
    node, product = world.node(IQPS), third_party(world)
    with pytest.raises(InputError, match="no consent of FRA"):
        withdraw_consent(node, product, HUR, "letter", originator=FRA)
    record_consent(node, product, HUR, "letter", originator=FRA, end=parse_instant("2025-07-03"))
    world.tick()
    size = node.store.log.size()
    for at in ("2025-07-03", "2025-07-04"):
        with pytest.raises(InputError, match="anyway"):
            withdraw_consent(node, product, HUR, "letter", originator=FRA, at=parse_instant(at))
    with pytest.raises(InputError, match="no consent of FRA"):
        withdraw_consent(node, product, NZL, "letter", originator=FRA)
    assert node.store.log.size() == size


def test_a_nodes_own_consent_is_recorded_in_its_own_name(world):
    product = world.hold(IQPS, 1)
    consent = record_consent(world.node(IQPS), product, NZL, "order 3")
    assert consent.originator == IQPS
    assert world.node(IQPS).knowledge().register.consents == (consent,)


# ---- corrected labels


def relabel(world, product, label):
    made = correct_label(world.node(IQPS), product, label, "order 4")
    world.tick()
    return made


def test_a_stricter_label_stops_what_waits(any_world):
    world = any_world
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    assert product.id in world.node(IQPS).store.book.waiting(HUR)
    relabel(world, product, STRICT)
    assert outcome(world, product) is Outcome.DENY
    assert served(world) == []


def test_a_stricter_label_stops_an_entry_that_was_not_confirmed_with_all_its_files(any_world):
    world = any_world
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    desk = world.desk(IQPS)
    (entry,) = served(world)
    for manifest in entry.manifests:
        assert desk.blob(HUR, manifest.digest, 0, 1) is not None
    relabel(world, product, STRICT)
    assert served(world) == []
    for manifest in entry.manifests:
        assert desk.blob(HUR, manifest.digest, 0, 1) is None
    assert world.pull(HUR, IQPS).received == []


def test_an_entry_that_was_not_confirmed_goes_out_under_the_corrected_label(any_world):
    world = any_world
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    (before,) = served(world)
    assert before.product.label.caveats == ("own use",)
    relabel(world, product, MILDER)
    (after,) = served(world)
    assert (after.sequence, after.product.id) == (before.sequence, product.id)
    assert after.product.label.caveats == ("Handle with care.", "own use")
    (received,) = world.pull(HUR, IQPS).received
    assert received.label == after.product.label
    # Sealed anew once, not at every look.
    assert len([f for _, f in world.node(IQPS).journal.facts() if f.kind is FactKind.RELEASE_SEQUENCED]) == 2
    verify_node(world.node(IQPS))
    verify_node(world.node(HUR))


def test_a_milder_label_queues_what_was_withheld(any_world):
    world = any_world
    world.agree(IQPS)
    product = world.take_in(IQPS, 1, label=STRICT)
    assert served(world) == []
    relabel(world, product, LABEL)
    assert product.id in world.node(IQPS).store.book.waiting(HUR)
    (entry,) = served(world)
    assert entry.product.label.releasable_to is None


def test_what_a_partner_confirmed_it_keeps_and_gets_no_more_of(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    (entry,) = served(world)
    world.pull(HUR, IQPS)
    relabel(world, product, STRICT)
    assert world.pull(HUR, IQPS).received == []
    assert world.desk(IQPS).blob(HUR, entry.manifests[0].digest, 0, 1) is None
    assert world.node(HUR).store.items.get(product.id) is not None
    # Those behind it still go.
    following = world.take_in(IQPS, 2)
    assert [p.id for p in world.pull(HUR, IQPS).received] == [following.id]


def test_people_see_the_corrected_label_and_the_log_keeps_the_first(any_world):
    world = any_world
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    world.take_in(IQPS, 2)
    node = world.node(IQPS)
    people = PeopleRoom(node, lambda *_: None)
    before = node.now()
    world.tick()
    relabel(world, product, STRICT)
    assert people.product(AIKO, product.id).product.label == STRICT
    assert {item.product.id: item.product.label for item in people.products(AIKO)} == {
        product.id: STRICT,
        product_id(2): LABEL,
    }
    assert [release.decision.outcome for release in people.releases(AIKO, product.id)] == [Outcome.DENY, Outcome.DENY]
    assert node.store.items.get(product.id).product.label == LABEL
    verify_node(node)
    assert outcome(world, product, known_at=before) is Outcome.PERMIT
    assert as_labelled_now(node, product).label == STRICT
    # Another process that opens the same store knows it too.
    other = Node(node.journal, node.blobs, lambda: "here", "another")
    assert as_labelled_now(other, product).label == STRICT


def test_each_decision_in_the_log_says_which_label_it_was_made_on(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    relabel(world, product, MILDER)
    served(world)
    made = [fact.body for _, fact in world.node(IQPS).journal.facts() if fact.kind is FactKind.DECISION_MADE]
    labels = [(body["purpose"], body["label"]) for body in made if body["partner"] == HUR]
    assert labels == [("queue", label_to_json(LABEL)), ("serve", label_to_json(MILDER))]


def test_the_last_correction_counts(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    for label in (STRICT, MILDER, STRICT, LABEL):
        relabel(world, product, label)
        assert as_labelled_now(world.node(IQPS), product).label == label
    assert outcome(world, product) is Outcome.PERMIT


def test_a_corrected_parent_holds_back_what_was_made_from_it(world):
    world.agree(IQPS)
    parent = world.take_in(IQPS, 1)
    derived = world.take_in(IQPS, 2, lineage=(parent.id,))
    assert outcome(world, derived) is Outcome.PERMIT
    relabel(world, parent, STRICT)
    assert outcome(world, derived) is Outcome.DENY


@pytest.mark.parametrize(
    ("label", "field"),
    [
        (replace(LABEL, originator=NZL), "originator"),
        (LABEL, "label"),
        (replace(LABEL, classification="TOP SECRET"), "classification"),
        (replace(LABEL, policy="XYZ"), "policy"),
        (replace(LABEL, created=parse_instant("2025-07-02")), "created"),
    ],
)
def test_a_correction_that_corrects_nothing_or_is_not_the_originators_is_refused(world, label, field):
    product = world.take_in(IQPS, 1)
    node = world.node(IQPS)
    size = node.store.log.size()
    with pytest.raises(InputError) as caught:
        correct_label(node, product, label, "order")
    assert caught.value.field == field
    assert node.store.log.size() == size


def test_nobody_corrects_anothers_label(world):
    with pytest.raises(InputError) as caught:
        correct_label(world.node(IQPS), third_party(world), LABEL, "order")
    assert caught.value.field == "product"
