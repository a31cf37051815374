"""A provider of images in memory, which can die or fall silent at any step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kizuna.errors import Message, PartnerUnreachable
from kizuna.model.instants import parse_instant
from kizuna.model.parties import parse_party
from kizuna.planning.offers import Order, Status, matches
from kizuna.planning.tasking import Mode, ModeLimits, Satellite
from kizuna.planning.windows import sorted_windows

if TYPE_CHECKING:
    from kizuna.planning.offers import Offer, Wish

__all__ = ["EPOCH", "FLEET", "ICEYE", "Killed", "MemoryProvider", "access"]

EPOCH = parse_instant("2026-05-08")
ICEYE = parse_party("FIN/ICEYE")
MODES = {Mode.SPOTLIGHT: ModeLimits(10.0, 5_000.0, math.radians(15), math.radians(45))}
FLEET = [Satellite(name, ICEYE, MODES, turn_s=30, side_s=60, duty_s=300) for name in ("X1", "X2")]
# Satellite, seconds after the epoch, incidence, right.
PASSES = [("X1", 3600, 25, True), ("X2", 7200, 35, False), ("X1", 3600 + 40_000, 50, True)]


def access(_lon, lat, _begin, _end):
    """The same passes whatever the place, but for the far south, which nobody sees."""
    some = [] if lat < -60 else PASSES
    columns = {
        "satellite": [int(p[0] == "X2") for p in some],
        "target": [0 for _ in some],
        "start_s": [p[1] for p in some],
        "end_s": [p[1] + 60 for p in some],
        "closest_s": [p[1] + 30 for p in some],
        "incidence_rad": [math.radians(p[2]) for p in some],
        "right": [p[3] for p in some],
        "ascending": [True for _ in some],
    }
    return sorted_windows(EPOCH, ["X1", "X2"], ["place"], **columns)


class Killed(BaseException):
    """The process that asked ends here."""


@dataclass
class MemoryProvider:
    """Port `kizuna.node.take_orders.ImagingProvider`.

    Parameters
    ----------
    passes
        Passes that it can fly, in the order of time.
    """

    passes: list[Offer]
    booked: dict[str, Order] = field(default_factory=dict)
    """Orders by their tokens."""
    asked: list[str] = field(default_factory=list)
    """What it was asked, one word each."""
    silent: bool = False
    dies: str = ""
    """The word after whose answer nobody lives to hear it, once."""
    heard: object = None
    """Called before an order is taken."""

    def _hear(self, word: str) -> None:
        self.asked.append(word)
        if self.silent:
            raise PartnerUnreachable(Message("it does not answer"))

    def _end(self, word: str) -> None:
        if self.dies == word:
            self.dies = ""
            raise Killed

    def modes(self) -> list[tuple[Mode, str]]:
        self._hear("modes")
        return [(mode, mode.value) for mode in dict.fromkeys(one.mode for one in self.passes)]

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        self._hear("offers")
        return [
            one
            for one in self.passes
            if one.mode is mode
            and wish.begin <= one.begin
            and one.end <= wish.end
            and (wish.filter is None or matches(wish.filter, one.properties))
        ]

    def order(self, mode: Mode, wish: Wish, token: str, *, asked_before: bool) -> Order:
        self._hear("again" if asked_before else "order")
        if callable(self.heard):
            self.heard()
        if asked_before and token in self.booked:
            return self.booked[token]
        (offer,) = self.offers(mode, wish)
        at = offer.begin
        taken = any(one.offer == offer and one.status.code != "rejected" for one in self.booked.values())
        codes = ("received", "rejected") if taken else ("received", "accepted", "scheduled")
        statuses = tuple(Status(at, code, "words of the provider") for code in codes)
        order = Order(f"theirs-{len(self.booked)}", mode, wish, None, at, statuses, offer)
        self.booked[f"{token}{'' if token not in self.booked else ' twice'}"] = order
        self._end("order")
        return order

    def standing(self, order: Order) -> Order:
        self._hear("standing")
        return next(one for one in self.booked.values() if one.id == order.id)

    def deliver(self, id_: str, delivery: str) -> None:
        """Fly an order, and deliver."""
        for token, order in self.booked.items():
            if order.id == id_:
                over = [Status(order.created, code, "words") for code in ("processing", "completed")]
                self.booked[token] = replace(order, statuses=(*order.statuses, *over), delivery=delivery)
