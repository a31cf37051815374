"""What the templates show: products, decisions and terms in words, every sentence ready for translation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING, Literal

from kizuna.errors import InputError, Message
from kizuna.model.instants import Interval, parse_instant
from kizuna.release.decision import Obligation, ObligationKind, Outcome
from kizuna.release.rules import RULES, RuleId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.catalog.store import Item
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.product import Footprint, Product
    from kizuna.release.decision import Decision
    from kizuna.web.desk import PartnerRelease

__all__ = [
    "Row",
    "Sight",
    "Terms",
    "footprint_feature",
    "metres",
    "obligation_message",
    "read_terms",
    "reduction_message",
    "rule_sentence",
    "short_time",
    "sight_of",
    "size_text",
    "time_span",
]

_GRANT = Message("An article of an agreement in force grants it.")

_KILO, _TWO_DIGITS = 1000, 10

Sight = Literal["sees", "reduced", "person", "not"]
"""How a partner sees a product: whole, in reduced form, if a person decides so, not at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list.

    Parameters
    ----------
    item
        Product with where it came from.
    sights
        Partners with how each sees it, for the node's own products.
    """

    item: Item
    sights: tuple[tuple[PartnerRelease, Sight], ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One reason that the giving partner stated."""

    text: str
    agreement: str | None
    version: str | None
    article: str | None
    begin: Instant | None
    fictional: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms under which a partner handed a product over, in its words."""

    reasons: tuple[Term, ...]
    obligations: tuple[Message, ...]


def sight_of(decision: Decision) -> Sight:
    """How the partner of this decision sees the product."""
    match decision.outcome:
        case Outcome.PERMIT:
            return "reduced" if decision.reduced else "sees"
        case Outcome.REFER:
            return "person"
        case Outcome.DENY:
            return "not"


def short_time(instant: Instant) -> str:
    """Time for people, always in UTC and to the second: ``2025-06-22 03:14:07Z``."""
    return f"{instant:%Y-%m-%d %H:%M:%S}Z"


def time_span(interval: Interval) -> str:
    """Interval for people: a span within a minute by its begin alone, one of whole days by its days.

    Examples
    --------
    >>> time_span(Interval(parse_instant("2018-01-01"), parse_instant("2019-01-01")))
    '2018-01-01 – 2018-12-31Z'
    """
    begin, end = interval.begin, interval.end
    if end is None or end - begin < timedelta(minutes=1):
        return short_time(begin)
    if begin.time() == end.time() == time.min:
        last = end - timedelta(days=1)
        return f"{begin:%Y-%m-%d}Z" if last == begin else f"{begin:%Y-%m-%d} – {last:%Y-%m-%d}Z"
    return f"{short_time(begin)} – {end:%H:%M:%S}Z" if begin.date() == end.date() else f"{short_time(begin)} – {short_time(end)}"


def metres(length_m: float) -> str:
    """Length for people, two digits.

    Examples
    --------
    >>> metres(0.4567), metres(212.4), metres(1.0)
    ('0.46 m', '212 m', '1 m')
    """
    return f"{length_m:.2g} m" if length_m < _TWO_DIGITS else f"{length_m:.0f} m"


def size_text(size: int) -> str:
    """Size of a file for people, decimal units.

    Examples
    --------
    >>> size_text(812), size_text(48_200), size_text(12_400_000)
    ('812 B', '48 kB', '12 MB')
    """
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < _KILO:
            break
        value, unit = value / _KILO, larger
    return f"{value:.0f} {unit}" if value >= _TWO_DIGITS or unit == "B" else f"{value:.1f} {unit}"


def rule_sentence(rule: str) -> str | None:
    """English sentence of a rule, which is its gettext id; None for a rule that is not in the table."""
    return _GRANT.template if rule == RuleId.GRANT else next((entry.sentence for entry in RULES if entry.id == rule), None)


_OBLIGATIONS = {
    ObligationKind.DETECTED_ONLY: Message("detected image only: complex and raw data are taken out"),
    ObligationKind.CAVEAT: Message("carries the caveat “{value}”"),
    ObligationKind.REMARK: Message("marked {value} for the receiver"),
    ObligationKind.NO_ONWARD: Message("the receiver may not pass it on"),
    ObligationKind.RESOLUTION: Message("no finer than {value} m"),
    ObligationKind.DELAY: Message("not before {value} h after the observation"),
    ObligationKind.AREA: Message("only what lies inside the area of the article"),
    ObligationKind.PURPOSE: Message("to be used only for: {value}"),
}


_REDUCTIONS = {
    ObligationKind.DETECTED_ONLY: Message("detected image only"),
    ObligationKind.CAVEAT: Message("a caveat was added"),
    ObligationKind.REMARK: Message("marked for the receiver"),
    ObligationKind.NO_ONWARD: Message("not to be passed on"),
    ObligationKind.RESOLUTION: Message("coarser resolution"),
    ObligationKind.DELAY: Message("handed over later"),
    ObligationKind.AREA: Message("cut to an area"),
    ObligationKind.PURPOSE: Message("for certain purposes only"),
}


def reduction_message(kind: str) -> Message:
    """Words for an obligation that was applied to a product; one that is unknown here as it is written."""
    known = {obligation.value: message for obligation, message in _REDUCTIONS.items()}
    return known.get(kind) or Message("{what}", {"what": kind})


def obligation_message(obligation: Obligation) -> Message:
    """Sentence that says what an obligation asks."""
    return Message(_OBLIGATIONS[obligation.kind].template, {"value": obligation.value})


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _instant(value: object) -> Instant | None:
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except InputError:
        return None


def _members(document: object, name: str) -> Sequence[dict[str, object]]:
    members = document.get(name, []) if isinstance(document, dict) else []
    return [member for member in members if isinstance(member, dict)] if isinstance(members, list) else []


def _term(member: dict[str, object]) -> Term:
    return Term(
        text=_text(member.get("text")) or "",
        agreement=_text(member.get("agreement")),
        version=_text(member.get("version")),
        article=_text(member.get("article")),
        begin=_instant(member.get("from")),
        fictional=member.get("fictional") is True,
    )


def _foreign_obligation(member: dict[str, object]) -> Message:
    kind, value = _text(member.get("kind")) or "", _text(member.get("value")) or ""
    if kind in {known.value for known in ObligationKind}:
        return obligation_message(Obligation(ObligationKind(kind), value, "", ""))
    return Message("{kind} {value}", {"kind": kind, "value": value})


def read_terms(text: str | None) -> Terms | None:
    """Terms of their JSON text, as `kizuna.release.decision.decision_to_json` writes it.

    They come from another node: what cannot be read is left out of the page, never guessed.

    Returns
    -------
    Terms | None
        None where there are none, or nothing of them can be read.
    """
    try:
        document = json.loads(text or "null")
    except ValueError:
        return None
    reasons = tuple(_term(member) for member in _members(document, "reasons"))
    obligations = tuple(_foreign_obligation(member) for member in _members(document, "obligations"))
    return Terms(reasons, obligations) if reasons or obligations else None


def _geometry(footprint: Footprint) -> dict[str, Json]:
    return {"type": "Polygon", "coordinates": [[list(point) for point in footprint.ring]]}


def footprint_feature(product: Product) -> dict[str, Json] | None:
    """GeoJSON feature of a product's footprint; None where it has none."""
    if product.footprint is None:
        return None
    return {
        "type": "Feature",
        "geometry": _geometry(product.footprint),
        "properties": {
            "product": product.id,
            "title": product.title,
            "sensor": product.sensor,
            "originator": product.originator,
            "marking": product.label.marking,
            "time": None if product.event is None else short_time(product.event.begin),
            "nominal": product.footprint.nominal,
        },
    }
