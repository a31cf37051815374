"""Orders for images that partners place with this node, which speaks to the provider that flies.

A partner sees what could be imaged, and orders it, as far as an agreement says so: each pass is decided like a product of the
kind ``tasking``, with the label that its image would bear, the scene, the time of the pass and its resolution. What is not
permitted is not there: not in lists, not in counts, and an order for it ends as one that no pass fits. Whether the image then
goes to the partner is decided when it is there, as for all products; only then is its order completed.

# INVARIANT: an order is on record, with what was decided, before the provider hears of it.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from kizuna.errors import PartnerMisbehaved, PartnerUnreachable
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of, digest_of_uri
from kizuna.model.instants import Interval, format_instant, parse_instant
from kizuna.model.label import label_to_json
from kizuna.model.parties import Party
from kizuna.model.product import Footprint, ProductId
from kizuna.model.provenance import FactKind
from kizuna.model.regions import NOWHERE_KNOWN, Placement
from kizuna.node.decisions import decide_item
from kizuna.node.messages import new_id, was_recalled
from kizuna.node.tasking import binds_alone
from kizuna.planning.offers import Offer, Order, Status, Wish, only
from kizuna.planning.tasking import Mode
from kizuna.release.decide import decide
from kizuna.release.decision import Outcome, decision_to_json
from kizuna.release.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.product import Product
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision

__all__ = ["TASKING_KIND", "ImagingProvider", "OrderDesk", "PartnerDesk", "TakenOrder", "taken_orders"]

TASKING_KIND = "tasking"
"""Kind by which agreements name that a partner may see what could be imaged, and order it."""

_KEPT = "tasking/in/"
_MOST_TRIED = 20
_NO_PASS = "no pass fits, or none is free"  # noqa: S105 - an imaging pass
_ENDED = frozenset({"completed", "rejected", "cancelled", "user_cancelled", "expired", "failed"})


class ImagingProvider(Protocol):
    """Who flies. Called from several threads at once."""

    def modes(self) -> Sequence[tuple[Mode, str]]:
        """Modes that are offered, each with one line on it."""
        ...

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        """Passes that a wish fits, in the order of time.

        Raises
        ------
        PartnerUnreachable, PartnerMisbehaved
            If it does not answer, or not as it should; so do the others.
        """
        ...

    def order(self, mode: Mode, wish: Wish, token: str, *, asked_before: bool) -> Order:
        """Order an image; what was ordered before under this token is that order, and not ordered again."""
        ...

    def standing(self, order: Order) -> Order:
        """An order as it stands now."""
        ...


@dataclass(frozen=True, slots=True)
class TakenOrder:
    """An order of a partner, as this node keeps it.

    Parameters
    ----------
    partner
        Whose it is.
    order
        As the partner sees it, but for its delivery; the id is this node's.
    passes
        Passes that it may be given, in the order in which the provider is asked for them.
    asked
        How many of them the provider was asked for, the last of them perhaps without our knowing what it said.
    theirs
        Id of the order at the provider; None where it has none (yet).
    product
        What was delivered, once the partner may have it.
    """

    partner: Party
    order: Order
    passes: tuple[Offer, ...] = ()
    asked: int = 0
    theirs: str | None = None
    product: ProductId | None = None


_COARSEST_M = 1e6


class OrderDesk:
    """Takes orders of partners.

    Parameters
    ----------
    node
        This node.
    provider
        Who flies.
    label
        Label that images will bear.
    item_path
        Path on this node of a product, by its kind and id, for a partner.
    """

    def __init__(self, node: Node, provider: ImagingProvider, label: Label, item_path: Callable[[Product], str]) -> None:
        self.node, self.provider, self.label, self.item_path = node, provider, label, item_path
        self._placing: dict[Party, threading.Lock] = {}

    def for_partner(self, partner: Party) -> PartnerDesk | None:
        """The desk as it stands for a partner now; None where no agreement lets it order anything."""
        self.node.require_confirmed()
        return PartnerDesk(self, partner) if self.is_open(partner) else None

    def placing(self, partner: Party) -> threading.Lock:
        """Held while orders of a partner are placed or brought up to date: by one at a time."""
        return self._placing.setdefault(partner, threading.Lock())

    def decide(self, partner: Party, name: str, when: Interval | None, scene: Placement, resolution_m: float | None) -> Decision:
        """Decide whether a partner may order an image, and be shown that it could."""
        node = self.node
        now = node.now()
        subject = Subject(
            product=f"{TASKING_KIND}/{name}",
            kind=TASKING_KIND,
            originator=node.organisation,
            holder=node.organisation,
            label=self.label,
            complex_data=False,
            event=when,
            produced=now,
            resolution_m=resolution_m,
            placement=scene,
        )
        return decide(node.knowledge().register, subject, partner, now, now)

    def decide_offer(self, partner: Party, offer: Offer, name: str = "offer") -> Decision:
        """Decide on one pass."""
        scene = NOWHERE_KNOWN if offer.scene is None else self.node.placer().place(Footprint(offer.scene))
        return self.decide(partner, name, offer.when, scene, offer.resolution_m)

    def may_have(self, partner: Party, offer: Offer) -> bool:
        """Whether a partner may be shown a pass, and order it."""
        return binds_alone(self.decide_offer(partner, offer))

    def is_open(self, partner: Party) -> bool:
        """Whether there is an image, somewhere, that a partner could order now."""
        # The kindest place there is: within all areas, and in touch with none that is denied.
        everywhere = Placement(frozenset(self.node.placer().areas), frozenset())
        now = self.node.now()
        return binds_alone(self.decide(partner, "any", Interval(now, now), everywhere, _COARSEST_M))


class PartnerDesk:
    """What one partner sees of the desk (`kizuna.planning.offers.TaskingDesk`)."""

    def __init__(self, desk: OrderDesk, partner: Party) -> None:
        self._desk, self._partner = desk, partner

    def modes(self) -> list[tuple[Mode, str]]:
        """Modes that are offered."""
        return [*self._desk.provider.modes()]

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        """Passes that a wish fits, and that this partner may order."""
        return self.still(self._desk.provider.offers(mode, wish))

    def still(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those that this partner may order now."""
        return [offer for offer in offers if self._desk.may_have(self._partner, offer)]

    def order(self, mode: Mode, wish: Wish, geometry: Json, token: str | None = None) -> Order:
        """Take an order, put it on record, and place it with the provider."""
        desk, node = self._desk, self._desk.node
        with desk.placing(self._partner):
            known = self._known(token)
            if known is not None:
                return self._seen(known)
            # The same is asked of the provider whether the partner may have it or not.
            fitting = desk.provider.offers(mode, wish)
            decided = [(offer, desk.decide_offer(self._partner, offer)) for offer in fitting]
            allowed = tuple(offer for offer, decision in decided if binds_alone(decision))[:_MOST_TRIED]
            id_, now = new_id(node), node.now()
            first = next((pair for pair in decided if pair[0] in allowed[:1]), decided[0] if decided else None)
            decision = (
                first[1]
                if first is not None
                else desk.decide(self._partner, id_, Interval(wish.begin, wish.end), NOWHERE_KNOWN, None)
            )
            order = Order(id_, mode, wish, geometry, now, (Status(now, "received"),), token=token)
            if not allowed:
                order = replace(order, statuses=(*order.statuses, Status(now, "rejected", _NO_PASS)))
            taken = TakenOrder(self._partner, order, allowed)
            with node.store.transaction():
                node.journal.record(
                    FactKind.DECISION_MADE, _record(taken, desk.label, decision, now), by=node.by, authority="release rules"
                )
                _keep(node, taken)
            return self._seen(self._brought_up(taken))

    def orders(self) -> list[Order]:
        """Orders of this partner, as they stand now, as far as it may still know of them."""
        with self._desk.placing(self._partner):
            found = [self._brought_up(taken) for taken in taken_orders(self._desk.node, self._partner)]
        allowed = [taken for taken in found if taken.order.offer is None or self._desk.may_have(self._partner, taken.order.offer)]
        return [self._seen(taken) for taken in allowed]

    def _known(self, token: str | None) -> TakenOrder | None:
        own = taken_orders(self._desk.node, self._partner) if token is not None else ()
        return next((self._brought_up(taken) for taken in own if taken.order.token == token), None)

    def _place(self, taken: TakenOrder) -> TakenOrder:
        """Place an order with the provider, one permitted pass after the other, where it was not placed yet."""
        desk, node = self._desk, self._desk.node
        again = taken.asked > 0
        while taken.theirs is None and taken.order.status.code not in _ENDED:
            if not again:
                if taken.asked == len(taken.passes):
                    now = node.now()
                    order = replace(taken.order, statuses=(*taken.order.statuses, Status(now, "rejected", _NO_PASS)))
                    return self._kept(replace(taken, order=order))
                # Noted before it is asked: should we die of it, the order is looked for and not placed again.
                taken = self._kept(replace(taken, asked=taken.asked + 1))
            offer = taken.passes[taken.asked - 1]
            # It may have been a while since it was decided.
            if not desk.may_have(self._partner, offer):
                return taken
            token = f"{taken.order.id}.{taken.asked}"
            theirs = desk.provider.order(taken.order.mode, only(offer, taken.order.wish), token, asked_before=again)
            again = False
            if theirs.status.code != "rejected":
                order = replace(taken.order, offer=offer, statuses=_joined(taken.order, theirs))
                taken = self._kept(replace(taken, order=order, theirs=theirs.id))
        return taken

    def _brought_up(self, taken: TakenOrder) -> TakenOrder:
        """An order as the provider says that it stands; as we last knew it where the provider does not answer."""
        if taken.order.status.code in _ENDED:
            return taken
        try:
            taken = self._place(taken)
            if taken.theirs is None:
                return taken
            theirs = self._desk.provider.standing(replace(taken.order, id=taken.theirs))
        except (PartnerUnreachable, PartnerMisbehaved):
            return next(one for one in taken_orders(self._desk.node, self._partner) if one.order.id == taken.order.id)
        order = replace(taken.order, statuses=_joined(taken.order, theirs))
        product = None
        if theirs.status.code == "completed":
            product = self._delivered(theirs)
            if product is not None:
                order = replace(order, statuses=(*order.statuses, replace(theirs.status, text=None)))
        return self._kept(replace(taken, order=order, product=product))

    def _delivered(self, theirs: Order) -> ProductId | None:
        """Product that the provider delivered, once it is published here and this partner may have it."""
        node = self._desk.node
        digest = None if theirs.delivery is None else digest_of_uri(theirs.delivery)
        item = None if digest is None else node.store.items.by_content(digest)
        return item.product.id if item is not None and self._may_take(item.product) else None

    def _may_take(self, product: Product) -> bool:
        permitted = decide_item(self._desk.node, product, self._partner).outcome is Outcome.PERMIT
        return permitted and not was_recalled(self._desk.node, self._partner, product.id)

    def _seen(self, taken: TakenOrder) -> Order:
        item = None if taken.product is None else self._desk.node.store.items.get(taken.product)
        if item is None or not self._may_take(item.product):
            return taken.order
        return replace(taken.order, delivery=self._desk.item_path(item.product))

    def _kept(self, taken: TakenOrder) -> TakenOrder:
        with self._desk.node.store.transaction():
            _keep(self._desk.node, taken)
        return taken


def _joined(ours: Order, theirs: Order) -> tuple[Status, ...]:
    """History as the partner sees it: received by us, and what the provider did since, but for its end and its words."""
    return (ours.statuses[0], *(replace(one, text=None) for one in theirs.statuses if one.code not in {"received", "completed"}))


# ---- kept


def taken_orders(node: Node, partner: Party | None = None) -> list[TakenOrder]:
    """Orders that partners (or one of them) placed with this node, the oldest first."""
    beginning = _KEPT if partner is None else f"{_KEPT}{partner}/"
    found = [_read(json.loads(text)) for text in node.store.settings(beginning).values()]
    # A nation's name is the beginning of its organisations' names.
    found = [taken for taken in found if partner in {None, taken.partner}]
    return sorted(found, key=lambda taken: (taken.order.created, taken.order.id))


def _record(taken: TakenOrder, label: Label, decision: Decision, at: Instant) -> dict[str, Json]:
    order = taken.order
    content: dict[str, Json] = {"id": order.id, "mode": order.mode.value, "wish": _wish_json(order.wish)}
    return {
        "product": f"{TASKING_KIND}/{order.id}",
        "version": 1,
        "content": digest_of(canonical(content)),
        "label": label_to_json(label),
        "partner": taken.partner,
        "purpose": TASKING_KIND,
        "valid_at": format_instant(at),
        "decision": decision_to_json(decision),
    }


def _wish_json(wish: Wish) -> dict[str, Json]:
    return {
        "begin": format_instant(wish.begin),
        "end": format_instant(wish.end),
        "place": [wish.longitude_deg, wish.latitude_deg],
        "filter": None if wish.filter is None else json.dumps(wish.filter, sort_keys=True),
    }


def _offer_json(offer: Offer) -> dict[str, Any]:
    return {
        "satellite": offer.satellite,
        "mode": offer.mode.value,
        "begin": format_instant(offer.begin),
        "end": format_instant(offer.end),
        "incidence_rad": offer.incidence_rad,
        "right": offer.right,
        "ascending": offer.ascending,
        "resolution_m": offer.resolution_m,
        "scene": offer.scene,
    }


def _offer(form: dict[str, Any]) -> Offer:
    return Offer(
        form["satellite"],
        Mode(form["mode"]),
        parse_instant(form["begin"]),
        parse_instant(form["end"]),
        form["incidence_rad"],
        form["right"],
        form["ascending"],
        form["resolution_m"],
        None if form["scene"] is None else tuple((lon, lat) for lon, lat in form["scene"]),
    )


def _keep(node: Node, taken: TakenOrder) -> None:
    order = taken.order
    form = {
        "partner": taken.partner,
        "id": order.id,
        "mode": order.mode.value,
        "wish": _wish_json(order.wish),
        "geometry": order.geometry,
        "created": format_instant(order.created),
        "statuses": [[format_instant(one.at), one.code, one.text] for one in order.statuses],
        "offer": None if order.offer is None else _offer_json(order.offer),
        "token": order.token,
        "passes": [_offer_json(offer) for offer in taken.passes],
        "asked": taken.asked,
        "theirs": taken.theirs,
        "product": taken.product,
    }
    node.store.keep_setting(f"{_KEPT}{taken.partner}/{order.id}", json.dumps(form))


def _read(form: dict[str, Any]) -> TakenOrder:
    wish = form["wish"]
    asked = json.loads(wish["filter"]) if wish["filter"] is not None else None
    longitude, latitude = wish["place"]
    order = Order(
        form["id"],
        Mode(form["mode"]),
        Wish(parse_instant(wish["begin"]), parse_instant(wish["end"]), longitude, latitude, asked),
        form["geometry"],
        parse_instant(form["created"]),
        tuple(Status(parse_instant(at), code, text) for at, code, text in form["statuses"]),
        None if form["offer"] is None else _offer(form["offer"]),
        form["token"],
    )
    product = form["product"]
    return TakenOrder(
        Party(form["partner"]),
        order,
        tuple(map(_offer, form["passes"])),
        form["asked"],
        form["theirs"],
        None if product is None else ProductId(product),
    )
