"""Orders of partners: taken as far as an agreement says, on record first, placed once, completed when the partner may have it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, NZL, START
from simulators.providers import Killed, MemoryProvider

from kizuna.errors import Message, PartnerUnreachable
from kizuna.model.digests import content_uri
from kizuna.model.instants import Instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.founding import suspend_agreement
from kizuna.node.recall import order_recall
from kizuna.node.take_orders import OrderDesk, taken_orders
from kizuna.planning.offers import Offer, Wish
from kizuna.planning.tasking import Mode

SEA = {"name": "Sea", "geometry": {"type": "Polygon", "coordinates": [[[28, 41], [42, 41], [42, 47], [28, 47], [28, 41]]]}}
IMAGERY = {"kinds": ["imagery"], "obligations": [{"kind": "detected-only"}]}
SILENT = Message("it does not answer")
POINT = {"type": "Point", "coordinates": [31, 46]}
WISH = Wish(START, Instant(START + timedelta(days=1)), 31.0, 46.0)


def box(lon, lat, half=0.05):
    west, east, south, north = lon - half, lon + half, lat - half, lat + half
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def offer(hour, *, at=(31.0, 46.0), resolution_m=0.5, scene=True):
    begin = Instant(START + timedelta(hours=hour))
    end = Instant(begin + timedelta(seconds=10))
    ring = box(*at) if scene else None
    return Offer(f"Q{hour}", Mode.SPOTLIGHT, begin, end, 0.5, right=True, ascending=True, resolution_m=resolution_m, scene=ring)


def articles(**tasking):
    base = {
        "title": "…",
        "givers": ["JPN/IQPS"],
        "receivers": ["UKR/HUR"],
        "policy": "JPN",
        "ceiling": "UNCLASSIFIED",
        "obligations": [],
    }
    return [base | {"number": "3"} | IMAGERY, base | {"number": "5", "kinds": ["tasking"]} | tasking]


def desk_of(world, provider):
    node = world.node(IQPS)
    label = Label("JPN", "UNCLASSIFIED", IQPS, START)
    return OrderDesk(node, provider, label, lambda product: f"/items/{product.id}")


@pytest.fixture
def provider():
    return MemoryProvider([offer(1), offer(2), offer(3, at=(20.0, 46.0)), offer(4)])


def decisions(world):
    return [
        fact
        for _, fact in world.node(IQPS).journal.facts()
        if fact.kind is FactKind.DECISION_MADE and fact.body["purpose"] == "tasking"
    ]


def satellites(offers):
    return [one.satellite for one in offers]


def test_without_an_article_on_tasking_there_is_no_desk(world, provider):
    desk = desk_of(world, provider)
    assert desk.for_partner(HUR) is None
    world.agree(IQPS)  # on imagery
    assert desk.for_partner(HUR) is None
    world.agree(IQPS, version=2, articles=articles())
    assert desk.for_partner(HUR) is not None
    assert desk.for_partner(NZL) is None
    assert provider.asked == []


@pytest.mark.parametrize(
    ("tasking", "shown"),
    [
        ({}, ["Q1", "Q2", "Q3", "Q4"]),
        ({"areas": [SEA]}, ["Q1", "Q2", "Q4"]),
        ({"denied_areas": [SEA]}, ["Q3"]),
        ({"obligations": [{"kind": "resolution", "value": "1"}]}, []),
        ({"obligations": [{"kind": "no-onward"}]}, ["Q1", "Q2", "Q3", "Q4"]),
        ({"obligations": [{"kind": "caveat", "value": "own use"}]}, None),
        ({"acquired": {"from": "2025-07-01T00:00:00Z", "until": "2025-07-01T11:30:00Z"}}, ["Q1", "Q2"]),
    ],
)
def test_passes_are_shown_as_far_as_the_article_says(world, provider, tasking, shown):
    world.agree(IQPS, articles=articles(**tasking))
    desk = desk_of(world, provider).for_partner(HUR)
    assert (desk and satellites(desk.offers(Mode.SPOTLIGHT, WISH))) == shown


def test_how_fine_is_said_by_the_article_too(world):
    world.agree(IQPS, articles=articles(obligations=[{"kind": "resolution", "value": "1"}]))
    provider = MemoryProvider([offer(1, resolution_m=0.5), offer(2, resolution_m=3.0), offer(3, resolution_m=None)])
    assert satellites(desk_of(world, provider).for_partner(HUR).offers(Mode.SPOTLIGHT, WISH)) == ["Q2"]


def test_a_scene_that_nobody_outlines_is_nowhere(world):
    world.agree(IQPS, articles=articles(areas=[SEA]))
    desk = desk_of(world, MemoryProvider([offer(1, scene=False)])).for_partner(HUR)
    assert desk.offers(Mode.SPOTLIGHT, WISH) == []
    assert desk.order(Mode.SPOTLIGHT, WISH, POINT).status.code == "rejected"


def test_an_order_is_on_record_before_the_provider_hears_of_it(world, provider):
    world.agree(IQPS, articles=articles(areas=[SEA]))
    seen = []
    provider.heard = lambda: seen.append([fact.body["decision"]["outcome"] for fact in decisions(world)])
    made = desk_of(world, provider).for_partner(HUR).order(Mode.SPOTLIGHT, WISH, POINT)
    assert seen == [["permit"]]
    assert [one.code for one in made.statuses] == ["received", "accepted", "scheduled"]
    assert {one.text for one in made.statuses} == {None}
    assert made.offer == offer(1)
    assert decisions(world)[0].body["partner"] == HUR
    verify_node(world.node(IQPS))


def test_what_may_not_be_ordered_ends_as_what_cannot_be_flown(world, provider):
    world.agree(IQPS, articles=articles(areas=[SEA]))
    desk = desk_of(world, provider).for_partner(HUR)
    provider.asked.clear()
    withheld = desk.order(Mode.SPOTLIGHT, replace(WISH, begin=offer(3).begin, end=offer(3).end), POINT)
    asked = [*provider.asked]
    provider.asked.clear()
    absent = desk.order(Mode.SPOTLIGHT, replace(WISH, begin=offer(5).begin, end=offer(5).end), POINT)
    assert asked == provider.asked == ["offers"]
    assert [(one.code, one.text) for one in withheld.statuses] == [(one.code, one.text) for one in absent.statuses]
    assert withheld.status.code == "rejected"
    assert provider.booked == {}
    assert [fact.body["decision"]["outcome"] for fact in decisions(world)] == ["deny", "deny"]


def test_a_pass_that_is_taken_is_followed_by_the_next_that_is_permitted(world, provider):
    world.agree(IQPS, articles=articles(areas=[SEA]))
    desk = desk_of(world, provider).for_partner(HUR)
    got = [desk.order(Mode.SPOTLIGHT, WISH, POINT) for _ in range(4)]
    # Never Q3, which lies outside.
    assert [one.offer and one.offer.satellite for one in got] == ["Q1", "Q2", "Q4", None]
    assert got[3].status.text == "no pass fits, or none is free"


def test_each_partner_has_its_own_orders_and_no_other(world, provider):
    both = [{**one, "receivers": ["UKR/HUR", "NZL"]} for one in articles()]
    world.agree(IQPS, articles=both, parties=["JPN/IQPS", "UKR/HUR", "NZL"])
    desk = desk_of(world, provider)
    for party in (HUR, NZL, HUR):
        desk.for_partner(party).order(Mode.SPOTLIGHT, WISH, POINT, "token")
    found = {party: desk.for_partner(party).orders() for party in (HUR, NZL)}
    # The token is one customer's own; the second order of HUR is its first.
    assert [len(orders) for orders in found.values()] == [1, 1]
    assert not {one.id for one in found[HUR]} & {one.id for one in found[NZL]}
    assert [one.status.code for one in provider.booked.values()] == ["scheduled", "rejected", "scheduled"]


def test_a_nation_does_not_see_what_its_organisation_ordered(world, provider):
    both = [{**one, "receivers": ["UKR/HUR", "UKR"]} for one in articles()]
    world.agree(IQPS, articles=both, parties=["JPN/IQPS", "UKR/HUR", "UKR"])
    desk = desk_of(world, provider)
    desk.for_partner(HUR).order(Mode.SPOTLIGHT, WISH, POINT)
    assert desk.for_partner(parse_party("UKR")).orders() == []


def test_after_a_suspension_nothing_is_left_to_see(world, provider):
    world.agree(IQPS, articles=articles())
    desk = desk_of(world, provider)
    before = desk.for_partner(HUR)
    before.order(Mode.SPOTLIGHT, WISH, POINT)
    suspend_agreement(world.node(IQPS), "SHARE", authority="minister", reason="test")
    world.tick()
    assert desk.for_partner(HUR) is None
    # One who came in just before.
    assert (before.orders(), before.offers(Mode.SPOTLIGHT, WISH), before.still([offer(1)])) == ([], [], [])
    assert before.order(Mode.SPOTLIGHT, WISH, POINT).status.code == "rejected"
    assert len(provider.booked) == 1


def test_a_node_that_dies_after_the_provider_took_the_order_does_not_place_it_again(any_world, provider):
    world = any_world
    world.agree(IQPS, articles=articles())
    provider.dies = "order"
    with pytest.raises(Killed):
        desk_of(world, provider).for_partner(HUR).order(Mode.SPOTLIGHT, WISH, POINT, "mine")
    # The node comes up again; its customer asks again, or looks.
    desk = desk_of(world, provider).for_partner(HUR)
    again = desk.order(Mode.SPOTLIGHT, WISH, POINT, "mine")
    assert (again.status.code, again.offer) == ("scheduled", offer(1))
    assert [one.id for one in desk.orders()] == [again.id]
    assert [len(provider.booked), provider.asked.count("order"), provider.asked.count("again")] == [1, 1, 1]
    assert len(decisions(world)) == 1


def test_a_provider_that_falls_silent_gets_the_order_later(world, provider):
    world.agree(IQPS, articles=articles())
    desk = desk_of(world, provider).for_partner(HUR)

    def silence():
        provider.heard = None
        provider.silent = True
        raise PartnerUnreachable(SILENT)

    provider.heard = silence
    made = desk.order(Mode.SPOTLIGHT, WISH, POINT)
    assert [made.status.code] == [one.status.code for one in desk.orders()] == ["received"]
    with pytest.raises(PartnerUnreachable):
        desk.offers(Mode.SPOTLIGHT, WISH)
    provider.silent = False
    assert [(one.id, one.status.code) for one in desk.orders()] == [(made.id, "scheduled")]


def test_an_order_that_waits_is_not_placed_once_it_is_no_longer_permitted(world, provider):
    world.agree(IQPS, articles=articles())
    desk = desk_of(world, provider).for_partner(HUR)
    provider.heard = lambda: (_ for _ in ()).throw(PartnerUnreachable(SILENT))
    desk.order(Mode.SPOTLIGHT, WISH, POINT)
    provider.heard = None
    suspend_agreement(world.node(IQPS), "SHARE", authority="minister", reason="test")
    world.tick()
    desk.orders()
    assert provider.booked == {}


def test_an_order_is_completed_when_the_partner_may_have_its_product(world, provider):
    world.agree(IQPS, articles=articles())
    desk = desk_of(world, provider).for_partner(HUR)
    made = desk.order(Mode.SPOTLIGHT, WISH, POINT)
    codes = lambda: [one.code for one in desk.orders()[0].statuses]  # noqa: E731
    product = world.hold(IQPS, 1)
    provider.deliver("theirs-0", content_uri(product.content))
    assert codes()[-1] == "processing"  # delivered, and not published yet
    world.take_in(IQPS, 1)
    assert codes() == ["received", "accepted", "scheduled", "processing", "completed"]
    (order,) = desk.orders()
    assert (order.id, order.delivery) == (made.id, f"/items/{product.id}")
    assert [one.product for one in taken_orders(world.node(IQPS))] == [product.id]
    order_recall(world.node(IQPS), product, "test", "officer", [HUR])
    world.tick()
    assert desk.orders()[0].delivery is None


def test_a_product_that_the_partner_may_not_have_completes_nothing(world, provider):
    world.agree(IQPS, articles=articles())
    desk = desk_of(world, provider).for_partner(HUR)
    desk.order(Mode.SPOTLIGHT, WISH, POINT)
    product = world.take_in(IQPS, 1, label=Label("JPN", "秘", IQPS, START))
    provider.deliver("theirs-0", content_uri(product.content))
    (order,) = desk.orders()
    assert (order.status.code, order.delivery) == ("processing", None)
