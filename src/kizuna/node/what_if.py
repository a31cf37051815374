"""What a partner could see: of all products, at any instant, as known at any instant; and what a change would gain or lose it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant
from kizuna.model.product import ProductId, product_from_json
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import subject_of
from kizuna.release.agreements import Bound, Suspension, Term, Withdrawal
from kizuna.release.decide import decide_in
from kizuna.release.decision import Outcome
from kizuna.release.view import view_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision
    from kizuna.release.register import Register
    from kizuna.release.subject import Subject

__all__ = ["Difference", "Named", "Shift", "difference", "partner_view", "subjects_known", "suppose"]


@dataclass(frozen=True, slots=True)
class Named:
    """A product to decide on, with its title for people."""

    title: str
    subject: Subject


@dataclass(frozen=True, slots=True)
class Shift:
    """A product for which two decisions differ."""

    product: Named
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Difference:
    """What a partner gains and loses, and what changes its form or goes from refused to referred."""

    gained: tuple[Shift, ...]
    lost: tuple[Shift, ...]
    changed: tuple[Shift, ...]


def subjects_known(node: Node, known_at: Instant) -> list[Named]:
    """Products of which this node knew at an instant, as it knew them then, in the order in which it learned of them."""
    known: dict[ProductId, Product] = {}
    for _index, fact in node.journal.facts():
        if fact.recorded_at > known_at:
            continue
        if fact.kind is FactKind.PRODUCT_WITHDRAWN and fact.body["held"] is True:
            known.pop(ProductId(str(fact.body["product"])), None)
        if fact.kind in {FactKind.PRODUCT_PUBLISHED, FactKind.PRODUCT_RECEIVED}:
            product = product_from_json(fact.body["product"])
            known[product.id] = product
    placer = node.placer()
    return [Named(p.title, subject_of(node.store.items, p, node.organisation, placer)) for p in known.values()]


def partner_view(
    register: Register, products: Iterable[Named], partner: Party, valid_at: Instant, known_at: Instant
) -> list[tuple[Named, Decision]]:
    """Decision on each product, at an instant, as known at an instant."""
    view = view_of(register, known_at)
    return [(product, decide_in(view, product.subject, partner, valid_at)) for product in products]


def difference(before: Sequence[tuple[Named, Decision]], after: Sequence[tuple[Named, Decision]]) -> Difference:
    """Difference of two views of a partner. What only one of them knows of was refused in the other."""
    gained, lost, changed = [], [], []
    earlier = {product.subject.product: decision for product, decision in before}
    for product, decision in after:
        was = earlier.get(product.subject.product)
        if was is None:
            continue
        shift = Shift(product, was, decision)
        match was.outcome, decision.outcome:
            case (Outcome.PERMIT, Outcome.PERMIT) if was.obligations != decision.obligations:
                changed.append(shift)
            case (Outcome.PERMIT, Outcome.DENY | Outcome.REFER):
                lost.append(shift)
            case (Outcome.DENY | Outcome.REFER, Outcome.PERMIT):
                gained.append(shift)
            case (Outcome.DENY, Outcome.REFER) | (Outcome.REFER, Outcome.DENY):
                changed.append(shift)
            case _:
                continue
    return Difference(tuple(gained), tuple(lost), tuple(changed))


def suppose(register: Register, change: str, at: Instant, known_at: Instant) -> Register:
    """Register with one fact more: ``suspend:ID``, ``resume:ID`` or ``withdraw:ID``, from `at` on.

    Raises
    ------
    InputError
        If the change is none of these, or its agreement is not known then.
    """
    verb, colon, id_ = change.partition(":")
    known = sorted({agreement.id for agreement in register.as_known(known_at).agreements})
    if not colon or verb not in {"suspend", "resume", "withdraw"}:
        _refuse(change, Message("write suspend:ID, resume:ID or withdraw:ID, for example suspend:USA-UKR-SHARING"))
    if id_ not in known:
        _refuse(change, Message("agreements known then: {known}", {"known": ", ".join(known) or "none"}))
    exact = Bound(at, at, format_instant(at))
    match verb:
        case "suspend":
            fact = Suspension(id_, Term(exact), known_at, "supposed")
            return replace(register, suspensions=(*register.suspensions, fact))
        case "withdraw":
            return replace(register, withdrawals=(*register.withdrawals, Withdrawal(id_, at, known_at, "supposed")))
        case _:
            # What is supposed comes after all that is known: it ends whatever suspension runs, whatever later day was announced.
            resumptions = tuple(r for r in register.resumptions if r.agreement != id_ or r.at <= at)
            ended = tuple(
                replace(s, term=Term(s.term.begin, exact)) if s.agreement == id_ and _runs(s, at) else s
                for s in register.suspensions
            )
            return replace(register, suspensions=ended, resumptions=resumptions)


def _runs(suspension: Suspension, at: Instant) -> bool:
    """Whether a suspension runs at an instant, or may."""
    begin, end = suspension.term.begin, suspension.term.end
    begun = begin.earliest is None or begin.earliest < at
    return begun and (end is None or end.latest is None or at < end.latest)


def _refuse(change: str, hint: Message) -> NoReturn:
    raise InputError(Message("if: {change!r} is no change that can be supposed", {"change": change[:200]}), hint=hint, field="if")
