"""What a reviewer wants to know of an agreement that reads without fault: where it lets nothing go, and why."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.agreement_terms import UNKNOWN
from kizuna.kinds.registry import kind_named
from kizuna.model.instants import format_instant
from kizuna.release.agreements import AgreementKind
from kizuna.release.decision import ObligationKind
from kizuna.release.view import APPLICABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kizuna.release.agreements import Agreement, Article, Bound, Equivalence, Term
    from kizuna.release.register import Register

__all__ = ["Remark", "review", "review_versions"]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one field of an agreement.

    Parameters
    ----------
    field
        Dotted name of the field.
    message
        What a reviewer wants to know.
    """

    field: str
    message: Message


def review(agreement: Agreement, register: Register) -> Iterator[Remark]:
    """What of an agreement lets nothing go, or less than one may think.

    Parameters
    ----------
    agreement
        An agreement without faults.
    register
        Its ladders tell which markings are known.
    """
    yield from _review_term(agreement.term, "in_force")
    if not agreement.sources:
        yield Remark("sources", Message("no source is named: nobody can check where the facts were read"))
    if agreement.kind is AgreementKind.INFORMATION_SECURITY and not agreement.equivalences:
        yield Remark(
            "kind",
            Message("an information-security agreement without equivalences: nothing classified goes under it"),
        )
    if agreement.kind is AgreementKind.DECLARATION and agreement.articles:
        yield Remark("kind", Message("a declaration lets nothing go by itself: its articles are not used"))
    if agreement.kind is AgreementKind.SHARING and not agreement.articles:
        yield Remark("kind", Message("an agreement on sharing without articles lets nothing go"))
    numbers = [article.number for article in agreement.articles]
    for index, article in enumerate(agreement.articles):
        field = f"articles[{index}]"
        if article.number in numbers[:index]:
            yield Remark(
                f"{field}.number",
                Message("another article has the number {number}: a decision could not say which", {"number": article.number}),
            )
        yield from _review_article(article, field, register)
    for index, equivalence in enumerate(agreement.equivalences):
        yield from _review_equivalence(equivalence, f"equivalences[{index}]", register)


def _review_term(term: Term, field: str) -> Iterator[Remark]:
    for name, bound in (("from", term.begin), ("until", term.end)):
        if bound is None:
            continue
        values: dict[str, str | int | float] = {"text": bound.text}
        if bound.text == UNKNOWN:
            yield Remark(f"{field}.{name}", Message("the date is unknown: nothing goes on it"))
        elif bound.earliest is None or bound.latest is None:
            yield Remark(f"{field}.{name}", Message("the date {text!r} is unknown: nothing goes on it", values))
        elif bound.exact is None:
            yield Remark(f"{field}.{name}", Message("the date {text!r} is approximate: within it a person decides", values))


def _marking_known(policy: str, marking: str, field: str, register: Register) -> Iterator[Remark]:
    values: dict[str, str | int | float] = {"policy": policy, "marking": marking}
    ladder = register.ladders.get(policy)
    if ladder is None:
        yield Remark(field, Message("no ladder of markings of the policy {policy} is known: nothing goes on it", values))
    elif ladder.rank(marking, accept_unverified=True) is None:
        yield Remark(field, Message("{marking} stands on no ladder of {policy}: nothing goes on it", values))
    elif register.ladder_rank(policy, marking) is None:
        yield Remark(
            field,
            Message(
                "{marking} stands on a rung of the ladder of {policy} that nobody verified: it counts only where a node accepts "
                "that ladder by name",
                values,
            ),
        )


def _known_kind(name: str) -> bool:
    try:
        kind_named(name)
    except InputError:
        return False
    return True


def _review_article(article: Article, field: str, register: Register) -> Iterator[Remark]:
    if article.ceiling is None:
        yield Remark(f"{field}.ceiling", Message("the ceiling is unknown: the article lets nothing go"))
    else:
        yield from _marking_known(article.policy, article.ceiling, f"{field}.ceiling", register)
    if not article.kinds:
        yield Remark(field, Message("the article names no kind of product: it lets nothing go"))
    for kind in article.kinds:
        if not _known_kind(kind):
            yield Remark(
                f"{field}.kinds", Message("no kind of product {kind!r} is known here: nothing goes on it", {"kind": kind})
            )
    for name, period in (("acquired", article.acquired), ("produced", article.produced)):
        if period is not None:
            yield from _review_term(period, f"{field}.{name}")
    for index, obligation in enumerate(article.obligations):
        where = f"{field}.obligations[{index}]"
        values: dict[str, str | int | float] = {"obligation": obligation.kind.value}
        if obligation.kind in APPLICABLE or obligation.kind is ObligationKind.DELAY:
            continue
        yield Remark(where, Message("this version cannot apply {obligation}: the article lets nothing go", values))


def _review_equivalence(equivalence: Equivalence, field: str, register: Register) -> Iterator[Remark]:
    if not equivalence.verified:
        yield Remark(f"{field}.verified", Message("the equivalence is not verified: it protects nothing"))
    yield from _marking_known(equivalence.policy, equivalence.marking, f"{field}.marking", register)
    yield from _marking_known(equivalence.to_policy, equivalence.to_marking, f"{field}.to_marking", register)
    if equivalence.valid is not None:
        yield from _review_term(equivalence.valid, field)


def review_versions(versions: Sequence[Agreement]) -> Iterator[tuple[Agreement, Remark]]:
    """What the versions of one agreement mean for each other: once recorded, only the highest counts, for all times.

    Parameters
    ----------
    versions
        Versions of one agreement, in any order.

    Yields
    ------
    version, remark
        The version that it is about.
    """
    for older, newer in pairwise(sorted(versions, key=lambda agreement: agreement.version)):
        values: dict[str, str | int | float] = {
            "id": newer.id,
            "version": newer.version,
            "older": older.version,
            "begin": newer.term.begin.text,
        }
        if older.version == newer.version:
            yield newer, Remark("version", Message("another file is version {version} of {id} too", values))
            continue
        if newer.recorded_at < older.recorded_at:
            yield newer, Remark("recorded", Message("version {version} was known before version {older}", values))
        if _leaves_gap(older.term, newer):
            yield (
                newer,
                Remark(
                    "in_force.from",
                    Message(
                        "version {version} begins only on {begin}, and version {older} counts no more before: until then nothing "
                        "goes; write in it applies_from, the day from which on it takes the other's place",
                        values,
                    ),
                ),
            )
        elif newer.applies_from is None and _overlap(older.term, newer.term):
            begin = newer.term.begin.latest
            values["begin"] = newer.term.begin.text if begin is None else format_instant(begin)
            yield (
                newer,
                Remark(
                    "in_force.from",
                    Message("versions {older} and {version} overlap from {begin} on: only version {version} counts", values),
                ),
            )


def _leaves_gap(older: Term, newer: Agreement) -> bool:
    """Whether the newer version, once known, takes the place of the older one before it begins itself."""
    applies = newer.applies_from and newer.applies_from.latest
    begin, known = newer.term.begin, applies or newer.recorded_at
    waits = begin.latest is not None and begin.latest > known
    begun = older.begin.earliest is None or older.begin.earliest <= known
    return waits and begun and (older.end is None or older.end.latest is None or older.end.latest > known)


def _overlap(older: Term, newer: Term) -> bool:
    """Whether there may be an instant at which both would be in force."""
    return _before(older.begin, newer.end) and _before(newer.begin, older.end)


def _before(begin: Bound, end: Bound | None) -> bool:
    if end is None or end.latest is None:
        return True
    return begin.earliest is None or begin.earliest < end.latest
