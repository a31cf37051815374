"""Decisions of this node about the products that it holds."""

from __future__ import annotations

from dataclasses import replace
from itertools import batched
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant
from kizuna.model.label import label_to_json
from kizuna.model.product import parse_product_id
from kizuna.model.provenance import FactKind
from kizuna.model.regions import NOWHERE_KNOWN
from kizuna.release.decide import Ancestor, Subject, decide
from kizuna.release.decision import Decision, Outcome, decision_to_json
from kizuna.release.view import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kizuna.catalog.areas import Placer
    from kizuna.catalog.store import Item, ItemStore
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId
    from kizuna.model.provenance import Fact
    from kizuna.node.state import Node

__all__ = [
    "as_labelled_now",
    "decide_item",
    "decided_on",
    "decider",
    "decision_facts",
    "decision_record",
    "labelling",
    "partner_terms",
    "require_item",
    "subject_of",
]

_MOST_GENERATIONS = 64
_MOST_ALIKE = 1000


def _ancestors(items: ItemStore, product: Product) -> Iterator[Ancestor]:
    """Everything that `product` is derived from, each once; what is not held here has no label."""
    seen: set[ProductId] = set()
    generation = list(product.lineage)
    for _ in range(_MOST_GENERATIONS):
        following: list[ProductId] = []
        for id_ in generation:
            if id_ in seen:
                continue
            seen.add(id_)
            item = items.get(id_)
            if item is None:
                yield Ancestor(id_, None, None)
                continue
            yield Ancestor(id_, item.product.originator, item.product.label)
            following += item.product.lineage
        if not following:
            return
        generation = following
    # A lineage without end is none that anybody can vouch for.
    yield Ancestor("…", None, None)


def subject_of(items: ItemStore, product: Product, holder: Party, placer: Placer | None = None) -> Subject:
    """What a decision has to know of `product`, held by `holder`.

    Parameters
    ----------
    items
        Where its ancestors are looked up.
    product
        The product as it was published, under the label that it had then: a decision knows by itself which correction of a label
        was known when.
    holder
        Who is asked to hand it over.
    placer
        Says how its footprint lies to the areas that agreements name; without one that is unknown, and no article that names
        areas lets it go.
    """
    return Subject(
        product=product.id,
        kind=product.kind,
        originator=product.originator,
        holder=holder,
        label=product.label,
        ancestors=tuple(_ancestors(items, product)),
        complex_data=product.complex_data,
        event=product.event,
        produced=product.produced,
        resolution_m=product.resolution_m,
        placement=NOWHERE_KNOWN if placer is None else placer.place(product.footprint),
    )


def labelling(node: Node) -> Callable[[Product], Product]:
    """What puts a product under its label as its originator last corrected it, for people and for what goes out."""
    known = node.knowledge().register
    if not known.relabellings:
        return lambda product: product
    view = view_of(known, node.now())

    def labelled(product: Product) -> Product:
        label = view.label_of(product.id, product.label)
        return product if label == product.label else replace(product, label=label)

    return labelled


def as_labelled_now(node: Node, product: Product) -> Product:
    """`product` under its label as its originator last corrected it."""
    return labelling(node)(product)


def decider(
    node: Node, *, valid_at: Instant | None = None, known_at: Instant | None = None
) -> Callable[[Product, Party], Decision]:
    """What decides whether a partner may have a product, now or as of other instants, by what the node knows at this moment.

    Use it for several products while nothing is recorded: inside a transaction, or to look ahead.
    """
    now = node.now()
    register, placer = node.knowledge().register, node.placer()
    valid, known = valid_at or now, known_at or now

    def decided(product: Product, partner: Party) -> Decision:
        subject = subject_of(node.store.items, product, node.organisation, placer)
        return decide(register, subject, partner, valid, known)

    return decided


def decide_item(
    node: Node, product: Product, partner: Party, *, valid_at: Instant | None = None, known_at: Instant | None = None
) -> Decision:
    """Decide whether `partner` may have `product`, now or as of other instants."""
    return decider(node, valid_at=valid_at, known_at=known_at)(product, partner)


def require_item(node: Node, text: str) -> Item:
    """Item that a person names by its product id (or its unambiguous beginning).

    Raises
    ------
    InputError
        If there is none, or several.
    """
    found = [item for item in node.store.items.all() if item.product.id.startswith(text)] if text else []
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            Message("{id} is the beginning of {count} product ids", {"id": text, "count": len(found)}),
            hint=Message("give more of it"),
            field="product",
        )
    parse_product_id(text, field="product")
    raise InputError(
        Message("this node holds no product {id}", {"id": text}), hint=Message("see: kizuna product list"), field="product"
    )


def decision_record(product: Product, partner: Party, decision: Decision, purpose: str, at: Instant) -> dict[str, Json]:
    """Body of the fact that a decision was made.

    Parameters
    ----------
    product
        Under the label that was decided on (`as_labelled_now`).
    purpose
        ``queue``, ``serve`` or ``export``.
    at
        Valid time that was asked about; the recorded time is the fact's.
    """
    return {
        "product": product.id,
        "version": product.version,
        "content": product.content,
        "label": label_to_json(product.label),
        "partner": partner,
        "purpose": purpose,
        "valid_at": format_instant(at),
        "decision": decision_to_json(decision),
    }


def decision_facts(
    made: Iterable[tuple[Product, Party, Decision]], purpose: str, at: Instant
) -> list[tuple[FactKind, dict[str, Json]]]:
    """Facts that decisions were made: what was decided alike for a partner about products of one label is one fact.

    Parameters
    ----------
    made
        Products under the label that was decided on, partners, and what was decided.
    purpose, at
        As for `decision_record`.
    """
    alike: dict[tuple[Party, int, Label], list[tuple[Product, Decision]]] = {}
    for product, partner, decision in made:
        # The same decision is the same object where much is decided at once; if it is not, there are more facts, as true.
        alike.setdefault((partner, id(decision), product.label), []).append((product, decision))
    facts: list[tuple[FactKind, dict[str, Json]]] = []
    for (partner, _, label), decided in alike.items():
        for some in batched(decided, _MOST_ALIKE):
            product, decision = some[0]
            if len(some) == 1:
                facts.append((FactKind.DECISION_MADE, decision_record(product, partner, decision, purpose, at)))
                continue
            body: dict[str, Json] = {
                "products": [{"id": p.id, "version": p.version, "content": p.content} for p, _ in some],
                "label": label_to_json(label),
                "partner": partner,
                "purpose": purpose,
                "valid_at": format_instant(at),
                "decision": decision_to_json(decision),
            }
            facts.append((FactKind.DECISIONS_MADE, body))
    return facts


def decided_on(fact: Fact) -> list[str]:
    """Ids of the products about which a fact says what was decided; empty for facts of other kinds."""
    match fact.kind, fact.body.get("products"):
        case FactKind.DECISION_MADE, _:
            return [str(fact.body["product"])]
        case FactKind.DECISIONS_MADE, list(products):
            return [str(product["id"]) for product in products if isinstance(product, dict)]
        case _:
            return []


def partner_terms(decision: Decision) -> dict[str, Json]:
    """The part of a permit that is meant for the partner: the granting articles and the obligations."""
    form = decision_to_json(decision)
    assert decision.outcome is Outcome.PERMIT  # noqa: S101 - INVARIANT: nobody is told why a thing was withheld
    return {"outcome": form["outcome"], "reasons": form["reasons"], "obligations": form["obligations"]}
