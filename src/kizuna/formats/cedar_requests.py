"""Questions for the policies of `kizuna.formats.cedar`: who asks for what, as Cedar's JSON has it.

Facts that Cedar cannot work out are worked out here, from the product and the register as they stand: what labels have in
common, and which consents are in force.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from kizuna.formats.cedar_values import down, sound, up, written
from kizuna.model.label import CategoryType
from kizuna.model.parties import NATIONS, nation_of
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.view import NO_PURPOSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Term
    from kizuna.release.register import Register
    from kizuna.release.subject import Subject

__all__ = ["CedarRequest", "cedar_request"]

_MILLIMETRES_A_METRE = 1_000


@dataclass(frozen=True, slots=True)
class CedarRequest:
    """One question, as Cedar's JSON has it.

    Parameters
    ----------
    request
        Principal, action, resource and context.
    entities
        The parties and the product that it speaks of.
    """

    request: dict[str, Json]
    entities: list[Json]


def _entity(type_: str, id_: str) -> Json:
    return {"type": type_, "id": sound(id_)}


def _reference(party: Party) -> Json:
    return {"__entity": _entity("Party", party)}


def _moment(moment: datetime) -> Json:
    return {"__extn": {"fn": "datetime", "arg": written(moment)}}


def _label_marking(label: Label) -> dict[str, Json]:
    return {"policy": sound(label.policy), "classification": sound(label.classification)}


def _consents(pairs: Iterable[tuple[Party, str]]) -> list[Json]:
    return [{"originator": _reference(party), "product": sound(product)} for party, product in sorted(set(pairs))]


def _runs(term: Term, at: Instant) -> bool:
    """Whether a term surely runs at an instant."""
    begin, end = term.begin, term.end
    if begin.earliest is None or begin.latest is None or at < begin.latest:
        return False
    return end is None or (end.earliest is not None and end.latest is not None and at < end.earliest)


def _given(register: Register, subject: Subject, partner: Party, at: Instant) -> Iterator[tuple[Party, str]]:
    """Consents to the partner that are in force, of a product and what that is derived from.

    One to the product covers all that it is derived from.
    """
    parents = [ancestor.product for ancestor in subject.ancestors]
    for consent in register.consents:
        if consent.receiver == partner and consent.product in {subject.product, *parents} and _runs(consent.term, at):
            yield consent.originator, consent.product
            if consent.product == subject.product:
                yield from ((consent.originator, parent) for parent in parents)


def _limits(labels: Sequence[Label]) -> dict[str, Json]:
    """Parties that all labels name, if any label limits them."""
    limits = [set(label.releasable_to) for label in labels if label.releasable_to is not None]
    return {"releasableTo": [_reference(party) for party in sorted(set.intersection(*limits))]} if limits else {}


def _dates(labels: Sequence[Label]) -> dict[str, Json]:
    reviews = [label.review for label in labels if label.review is not None]
    dates: dict[str, Json] = {"created": _moment(up(max(label.created for label in labels)))} if labels else {}
    return dates | ({"review": _moment(down(min(reviews)))} if reviews else {})


def _categories(labels: Sequence[Label], kind: CategoryType) -> Iterator[tuple[str, set[str]]]:
    for label in labels:
        yield from ((sound(c.tag), set(map(sound, c.values))) for c in label.categories if c.type is kind)


def _distinct(values: Iterable[Json]) -> list[Json]:
    return list({json.dumps(value): value for value in values}.values())


def _product_times(subject: Subject) -> Iterator[tuple[str, Json]]:
    if subject.event is not None:
        yield "observedFrom", _moment(down(subject.event.begin))
        if subject.event.end is not None:
            yield "observedUntil", _moment(up(subject.event.end))
    if subject.produced is not None:
        yield "produced", _moment(down(subject.produced))


def _product(register: Register, subject: Subject, id_: str) -> Json:
    corrected = {r.product: r.label for r in sorted(register.relabellings, key=lambda r: r.recorded_at)}
    label = corrected.get(subject.product, subject.label)
    parents = [(a, None if a.label is None else corrected.get(a.product, a.label)) for a in subject.ancestors]
    labels = [parent for _, parent in parents if parent is not None]
    markings = [_label_marking(parent) for parent in labels]
    own = {(party, subject.product) for party in (subject.originator, label.originator) if party != subject.holder}
    theirs = {
        (party, ancestor.product)
        for ancestor, parent in parents
        for party in (ancestor.originator, None if parent is None else parent.originator)
        if party is not None and party != subject.holder
    }
    classified = [m for m in markings if m["classification"] != UNCLASSIFIED]
    restrictive = {(tag, v) for tag, values in _categories([label, *labels], CategoryType.RESTRICTIVE) for v in values}
    permissive: dict[str, set[str]] = {}
    for tag, values in _categories([label, *labels], CategoryType.PERMISSIVE):
        permissive[tag] = permissive.get(tag, values) & values
    attributes: dict[str, Json] = {
        "kind": sound(subject.kind),
        "holder": _reference(subject.holder),
        "label": {"marking": _label_marking(label), **_dates([label]), **_limits([label])},
        "lineage": {
            "unlabelled": any(parent is None or ancestor.originator is None for ancestor, parent in parents),
            "markings": _distinct(markings),
            "classified": _distinct(classified),
            **_dates(labels),
            **_limits(labels),
            "controls": _consents(theirs),
        },
        "classified": _distinct(m for m in (_label_marking(label), *classified) if m["classification"] != UNCLASSIFIED),
        "restrictive": [{"tag": tag, "value": value} for tag, value in sorted(restrictive)],
        "permissive": [*permissive],
        "controls": _consents(own),
        "phase": subject.complex_data,
        "inside": [*sorted(subject.placement.inside)],
    }
    if subject.placement.touches is not None:
        attributes["touches"] = [*sorted(subject.placement.touches)]
    if subject.resolution_m is not None:
        # As written, rounded to what is finer.
        attributes["resolution"] = int(Decimal(repr(subject.resolution_m)) * _MILLIMETRES_A_METRE)
    attributes |= dict(_product_times(subject))
    tags: Json = {tag: [*sorted(values)] for tag, values in permissive.items()}
    return {"uid": _entity("Product", id_), "attrs": attributes, "parents": [], "tags": tags}


def cedar_request(
    register: Register,
    subject: Subject,
    partner: Party,
    valid_at: Instant,
    known_at: Instant,
    purpose: str = NO_PURPOSE,
    *,
    name: str | None = None,
) -> CedarRequest:
    """The question of `kizuna.release.decide.decide`, for policies of `cedar_policies`.

    Parameters
    ----------
    register
        All facts.
    subject, partner, valid_at, known_at, purpose
        As asked of `decide`.
    name
        Id of the product entity; by default the product's. Requests that share a set of entities need different ones.

    Raises
    ------
    InputError
        If a text is no Unicode.
    """
    known = register.as_known(known_at)
    id_ = subject.product if name is None else name
    context: dict[str, Json] = {
        "at": _moment(down(valid_at)),
        "consents": _consents(_given(known, subject, partner, valid_at)),
    }
    if purpose != NO_PURPOSE:
        context["purpose"] = sound(purpose)
    request: dict[str, Json] = {
        "principal": _entity("Party", partner),
        "action": _entity("Action", "receive"),
        "resource": _entity("Product", id_),
        "context": context,
    }
    parties: list[Json] = [
        {
            "uid": _entity("Party", party),
            "attrs": {"nation": nation_of(party), "known": nation_of(party) in NATIONS},
            "parents": [],
        }
        for party in sorted({partner, subject.holder})
    ]
    return CedarRequest(request, [*parties, _product(known, subject, id_)])
