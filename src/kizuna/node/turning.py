"""Instants at which what goes to partners can change without anything being published."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.model.instants import Instant
from kizuna.release.decision import ObligationKind
from kizuna.release.view import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.node.state import Node
    from kizuna.release.agreements import Term
    from kizuna.release.register import Register

__all__ = ["turning_points"]

_MICROSECONDS_AN_HOUR = 3_600_000_000


def _ends_of(term: Term) -> Iterator[Instant]:
    """Instants at which a term has certainly begun and is certainly over."""
    for bound in (term.begin, term.end):
        if bound is not None and bound.latest is not None:
            yield bound.latest


def turning_points(node: Node) -> Iterator[Instant]:
    """Instants at which a decision can turn without anything being published, in no order."""
    register = node.knowledge().register
    for agreement in register.agreements:
        yield from _ends_of(agreement.term)
        yield agreement.recorded_at
        if agreement.applies_from is not None and agreement.applies_from.exact is not None:
            yield agreement.applies_from.exact
        # A suspension can end on a day that was known from the start.
        for suspension, term in register.suspension_terms(agreement.id):
            yield from _ends_of(term)
            yield suspension.recorded_at
        for pair in agreement.equivalences:
            if pair.valid is not None:
                yield from _ends_of(pair.valid)
    for resumption in register.resumptions:
        yield resumption.at
        yield resumption.recorded_at
    for withdrawal in register.withdrawals:
        # Another agreement's withdrawal may end what stood in the way: two contradicting equivalences, say.
        yield withdrawal.at
        yield withdrawal.recorded_at
    for consent in register.consents:
        yield from _ends_of(consent.term)
        yield consent.recorded_at
    for relabelling in register.relabellings:
        yield relabelling.recorded_at
        yield relabelling.label.created
    yield from _delays_over(node, register)


def _delays_over(node: Node, register: Register) -> Iterator[Instant]:
    """Instants from which products may go that an article holds back for some hours after their observation."""
    delays = {
        timedelta(microseconds=math.ceil(hours * _MICROSECONDS_AN_HOUR))
        for agreement in register.agreements
        for article in agreement.articles
        for obligation in article.obligations
        if obligation.kind is ObligationKind.DELAY and math.isfinite(hours := amount(obligation.value))
    }
    # Most registers hold nothing back: their products need not be looked through.
    for item in node.store.items.all() if delays else ():
        if item.product.event is not None and item.product.event.end is not None:
            for delay in delays:
                # What is to wait beyond the end of the calendar waits for good.
                with suppress(OverflowError):
                    yield Instant(item.product.event.end + delay)
