"""What originators say of their products after they published them: consents to pass them on, and corrected labels.

Both are facts of their own. Neither changes a product's record: its first label stays in it and in the log, and a decision asked
as of an earlier time is the one of that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.agreement_terms import term_to_json
from kizuna.model.instants import format_instant
from kizuna.model.label import label_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import as_labelled_now, subject_of
from kizuna.node.onward import NEVER, is_third_partys, tell_consent
from kizuna.node.publish import require_understood
from kizuna.node.share import reconsider_all
from kizuna.release.agreements import Bound, Consent, Relabelling, State, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.state import Node

__all__ = ["NEVER", "correct_label", "record_consent", "withdraw_consent"]


def record_consent(
    node: Node,
    product: Product,
    receiver: Party,
    authority: str,
    *,
    originator: Party | None = None,
    begin: Instant | None = None,
    end: Instant | None = None,
    holders: Sequence[Party] | None = None,
) -> Consent:
    """Record that an originator agrees that a product, or what is derived from it, goes on to a receiver.

    Parameters
    ----------
    node
        This node.
    product
        Product that it holds, or that one of its products is derived from.
    receiver
        To whom it may go on.
    authority
        By what authority; for another's consent the document that gives it.
    originator
        Who agrees; None for this node's own organisation.
    begin, end
        From when to when; None for since the consent began that holds now, if one does, else for now; and for without end.
    holders
        Of this node's own product: the partners that may pass it on, which are told by a signed consent; None for all that are
        handed it.

    Raises
    ------
    InputError
        If the originator has no say about the product, is the receiver, or the end stands before the begin.

    Notes
    -----
    Of the consents of one originator for one product and one receiver the one recorded last counts, for all time: it corrects
    the ones before.
    """
    by = node.organisation if originator is None else originator
    involved = _originators(node, product)
    if by not in involved:
        raise InputError(
            Message(
                "originator: {party} is no originator of {product} nor of anything it is derived from",
                {"party": by, "product": product.id},
            ),
            hint=Message("its originators are: {known}", {"known": ", ".join(sorted(involved))}),
            field="originator",
        )
    if by == receiver:
        raise InputError(
            Message("to: {party} is the originator itself", {"party": receiver}),
            hint=Message("name the party to which the product may go on"),
            field="to",
        )
    now = node.now()
    if begin is None:
        held = _standing_consent(node, by, product, receiver)
        begin = now if held is None or held.state(now) is not State.WITHIN else held.begin.exact or now
    if end is not None and end <= begin:
        raise InputError(
            Message(
                "until: {end} does not stand after the begin {begin}",
                {"end": format_instant(end), "begin": format_instant(begin)},
            ),
            hint=Message("correct one of the two"),
            field="until",
        )
    if holders is not None:
        _require_holders(node, product, receiver, holders, by)
    return _record(node, by, product, receiver, Term(_exact(begin), None if end is None else _exact(end)), authority, holders)


def _require_holders(node: Node, product: Product, receiver: Party, holders: Sequence[Party], by: Party) -> None:
    if by != node.organisation or is_third_partys(node, product):
        raise InputError(
            Message("by: {product} is not this node's own: nobody can be told to pass it on", {"product": product.id}),
            hint=Message("leave --by out"),
            field="by",
        )
    for holder in holders:
        if node.partner(holder).party == receiver:
            raise InputError(
                Message("by: {party} is the receiver itself", {"party": receiver}),
                hint=Message("name the partners that may pass it on to {party}", {"party": receiver}),
                field="by",
            )


def withdraw_consent(
    node: Node,
    product: Product,
    receiver: Party,
    authority: str,
    *,
    originator: Party | None = None,
    at: Instant | None = None,
) -> Consent:
    """Record that an originator takes its consent back: as a later consent, which ends then.

    Parameters
    ----------
    node
        This node.
    product, receiver
        As in the consent.
    authority
        By what authority; for another's consent the document that takes it back.
    originator
        Whose consent; None for this node's own organisation.
    at
        When it ends, or ended; None for now. Before it began, or at its begin: it never held.

    Raises
    ------
    InputError
        If no consent is on record, or it ends by then anyway.
    """
    by = node.organisation if originator is None else originator
    held = _standing_consent(node, by, product, receiver)
    effect = node.now() if at is None else at
    if held is None or held.begin.latest is None:
        raise InputError(
            Message(
                "no consent of {originator} is on record that {product} goes on to {receiver}",
                {"originator": by, "product": product.id, "receiver": receiver},
            ),
            hint=Message("nothing goes on to a third party without one: there is nothing to take back"),
            field="to",
        )
    if held.end is not None and held.end.earliest is not None and held.end.earliest <= effect:
        raise InputError(
            Message("until: the consent of {originator} ends on {end} anyway", {"originator": by, "end": held.end.text}),
            hint=Message("name an earlier instant"),
            field="until",
        )
    if effect <= (held.begin.earliest or held.begin.latest):
        term = Term(Bound(None, None, NEVER))
    else:
        term = Term(held.begin, _exact(effect))
    return _record(node, by, product, receiver, term, authority)


def _standing_consent(node: Node, originator: Party, product: Product, receiver: Party) -> Term | None:
    """Term of the consent that counts now, whether it holds now or not."""
    known = node.knowledge().register.as_known(node.now())
    found = [c for c in known.consents if (c.originator, c.product, c.receiver) == (originator, product.id, receiver)]
    return found[0].term if found else None


def _record(
    node: Node,
    originator: Party,
    product: Product,
    receiver: Party,
    term: Term,
    authority: str,
    holders: Sequence[Party] | None = None,
) -> Consent:
    body: dict[str, Json] = {
        "originator": originator,
        "product": product.id,
        "receiver": receiver,
        "term": term_to_json(term),
    }
    if holders is not None:
        body["holders"] = [*sorted(holders)]
    with node.store.transaction():
        fact = node.journal.record(FactKind.CONSENT_GIVEN, body, by=node.by, authority=authority)
        if originator == node.organisation:
            tell_consent(node, product, receiver, term, authority, holders)
    reconsider_all(node)
    return Consent(originator, product.id, receiver, term, fact.recorded_at)


def _exact(instant: Instant) -> Bound:
    return Bound(instant, instant, format_instant(instant))


def _originators(node: Node, product: Product) -> set[Party]:
    """Who has a say about a product: its originator, whoever labelled it, and those of all that it is derived from."""
    subject = subject_of(node.store.items, product, node.organisation)
    parties = {product.originator, product.label.originator}
    for ancestor in subject.ancestors:
        parties |= {party for party in (ancestor.originator, ancestor.label and ancestor.label.originator) if party}
    return parties


def correct_label(node: Node, product: Product, label: Label, authority: str) -> Relabelling:
    """Correct the label of a product that this node's organisation labelled; it counts from now on.

    What waits or was not confirmed yet goes out under the corrected label, or not at all. A partner that confirmed the product
    keeps it as it came.

    Parameters
    ----------
    node
        This node.
    product
        Product that it holds, as it was published.
    label
        The corrected label. The first one stays in the product's record.
    authority
        By what authority.

    Raises
    ------
    InputError
        If another labelled the product, the corrected label names another originator, says the same as the present one, or its
        marking cannot be placed.
    """
    own = node.organisation
    if product.label.originator != own:
        raise InputError(
            Message(
                "{product} was labelled by {originator}: only its originator corrects a label",
                {"product": product.id, "originator": product.label.originator},
            ),
            hint=Message("ask {originator} for the corrected product", {"originator": product.label.originator}),
            field="product",
        )
    if label.originator != own:
        raise InputError(
            Message("originator: got {got}, expected {own} as before", {"got": label.originator, "own": own}),
            hint=Message("a correction is the originator's own"),
            field="originator",
        )
    require_understood(node, label)
    if label == as_labelled_now(node, product).label:
        raise InputError(
            Message("{product} has this label already", {"product": product.id}),
            hint=Message("see: kizuna product show {product}", {"product": product.id}),
            field="label",
        )
    now = node.now()
    if label.created > now:
        raise InputError(
            Message(
                "created: the label says {created}, and it is {now}",
                {"created": format_instant(label.created), "now": format_instant(now)},
            ),
            hint=Message("until then nothing of the product would go to anybody: state when it was made"),
            field="created",
        )
    body: dict[str, Json] = {"product": product.id, "label": label_to_json(label)}
    with node.store.transaction():
        fact = node.journal.record(FactKind.LABEL_CORRECTED, body, by=node.by, authority=authority)
    reconsider_all(node)
    return Relabelling(product.id, label, fact.recorded_at)
