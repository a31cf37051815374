"""Agreements, ladders and labels as files: TOML that a lawyer's engineer can read, and the same as JSON for the log.

A date may be a civil date (``2025-06-21``, read with the parties' offsets from UTC), ``"unknown"``, or a table of the instants
between which it lies. What is written for the log holds instants only, so that a log means the same wherever it is read.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.instants import begin_of_day, end_of_day, format_instant, instant_of, parse_instant
from kizuna.model.label import read_label
from kizuna.model.parties import nation_of
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, MOST_TEXTS, open_table
from kizuna.release.agreements import Agreement, AgreementKind, Article, Bound, Equivalence, Suspension, Term
from kizuna.release.decision import Obligation, ObligationKind
from kizuna.release.markings import UNCLASSIFIED, Ladder, Rung

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Nation, Party
    from kizuna.model.reading import Table

    Offset = Callable[[Nation, date], timedelta]

__all__ = [
    "AGREEMENT_SCHEMA",
    "LABEL_SCHEMA",
    "NO_CIVIL_DATES",
    "CivilOffsets",
    "agreement_to_json",
    "parse_toml",
    "read_agreement",
    "read_label_document",
    "read_ladders",
]

AGREEMENT_SCHEMA = "kizuna/agreement/1"
LABEL_SCHEMA = "kizuna/label/1"
_MARKINGS_SCHEMA = "kizuna/markings/1"
_UNKNOWN = "unknown"
# Obligations add caveats to a label on its way out, and the receiver reads no more than `MOST_TEXTS`.
_MOST_CAVEATS = 50
_MOST_OBLIGATIONS = 20


@dataclass(frozen=True, slots=True)
class CivilOffsets:
    """Offsets from UTC (local = UTC + offset) by which a nation's civil days become instants.

    Parameters
    ----------
    begin
        Where in the nation a day begins last.
    end
        Where in the nation a day ends first.
    """

    begin: Offset
    end: Offset


def _no_civil_date(nation: Nation, day: date) -> timedelta:
    raise InputError(
        Message("a record of the log holds the civil date {day} of {nation}", {"day": day.isoformat(), "nation": nation}),
        hint=Message("records of the log hold instants only; verify the log: kizuna audit verify"),
    )


NO_CIVIL_DATES = CivilOffsets(_no_civil_date, _no_civil_date)
"""For documents of the log, whose dates are instants already."""


def parse_toml(data: bytes, *, name: str) -> dict[str, object]:
    """Table of TOML `data`.

    Raises
    ------
    InputError
        Naming the file, and the line and column where TOML ends.
    """
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(
            Message("{name}: not TOML: {why}", {"name": name, "why": str(error)}),
            hint=Message("correct the line that it names; the file must be UTF-8"),
        ) from error


def read_label_document(document: Mapping[str, object]) -> Label:
    """Label of a ``FILE.label.toml``.

    Raises
    ------
    InputError
        Naming the faulty field.
    """
    table = open_table(document, schema=LABEL_SCHEMA, what="label")
    label = read_label(table)
    if len(label.caveats) > _MOST_CAVEATS:
        table.fault("caveats", f"at most {_MOST_CAVEATS} texts")
    return label


def _instant_of_day(day: date, nations: Sequence[Nation], offsets: CivilOffsets, *, end: bool, widest: bool) -> Instant:
    """Instant of a civil day at which a term begins or ends.

    An agreement is in force while it is day for all its parties; a suspension (`widest`) lasts while it is day for any.
    """
    if end and widest:
        following = day + timedelta(days=1)
        return begin_of_day(following, [offsets.begin(nation, following) for nation in nations])
    if end:
        return end_of_day(day, [offsets.end(nation, day) for nation in nations])
    if widest:
        before = day - timedelta(days=1)
        return end_of_day(before, [offsets.end(nation, before) for nation in nations])
    return begin_of_day(day, [offsets.begin(nation, day) for nation in nations])


def _civil_day(value: object) -> date | None:
    """Civil day of a bare date, between quotation marks or without them."""
    if isinstance(value, str) and len(value) == len("2025-06-21"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _read_bound(table: Table, name: str, nations: Sequence[Nation], offsets: CivilOffsets, *, end: bool, widest: bool) -> Bound:
    value = table.raw(name)
    if value == _UNKNOWN:
        return Bound(None, None, _UNKNOWN)
    if isinstance(value, datetime):
        moment = instant_of(value, field=table.field(name))
        return Bound(moment, moment, format_instant(moment))
    day = _civil_day(value)
    if day is not None:
        try:
            moment = _instant_of_day(day, nations, offsets, end=end, widest=widest)
        except OverflowError:
            table.fault(name, "a day of the years 2 to 9998; leave the end out where there is none")
        return Bound(moment, moment, day.isoformat())
    if isinstance(value, str):
        moment = parse_instant(value, field=table.field(name))
        return Bound(moment, moment, value)
    member = table.table(name)
    text = member.text("text")
    known = member.has("earliest") or member.has("latest")
    bound = Bound(member.instant("earliest"), member.instant("latest"), text) if known else Bound(None, None, text)
    member.done()
    if bound.earliest is not None and bound.latest is not None and bound.latest < bound.earliest:
        member.fault("latest", "an instant that is not before the earliest")
    return bound


def _read_term(table: Table, parties: Iterable[Party], offsets: CivilOffsets, *, widest: bool = False) -> Term:
    nations = sorted({nation_of(party) for party in parties})
    begin = _read_bound(table, "from", nations, offsets, end=False, widest=widest)
    end = _read_bound(table, "until", nations, offsets, end=True, widest=widest) if table.has("until") else None
    if end is not None and begin.earliest is not None and end.latest is not None and end.latest <= begin.earliest:
        raise InputError(
            Message(
                "{field}: the end {end} stands before the begin {begin}",
                {"field": table.field("until"), "end": end.text, "begin": begin.text},
            ),
            hint=Message("correct {begin_field} or {field}", {"begin_field": table.field("from"), "field": table.field("until")}),
            field=table.field("until"),
        )
    return Term(begin, end)


def _read_obligation(table: Table, agreement: str, article: str) -> Obligation:
    kind = ObligationKind(table.choice("kind", [kind.value for kind in ObligationKind]))
    value = table.text("value", longest=LONGEST_LINE) if table.has("value") else ""
    table.done()
    needs = {ObligationKind.CAVEAT, ObligationKind.RESOLUTION, ObligationKind.DELAY}
    if kind in needs and not value:
        table.fault("value", f"the parameter of {kind.value}")
    return Obligation(kind, value, agreement, article)


def _read_article(table: Table, agreement: str) -> Article:
    number = table.text("number")
    ceiling = table.text("ceiling")
    article = Article(
        number=number,
        title=table.text("title"),
        givers=table.parties("givers"),
        receivers=table.parties("receivers"),
        kinds=table.texts("kinds", most=MOST_TEXTS),
        policy=table.text("policy", longest=LONGEST_MARKING),
        ceiling=None if ceiling == _UNKNOWN else ceiling,
        obligations=tuple(_read_obligation(o, agreement, number) for o in table.tables("obligations")),
    )
    table.done()
    if len(article.obligations) > _MOST_OBLIGATIONS:
        table.fault("obligations", f"at most {_MOST_OBLIGATIONS} obligations")
    return article


def _read_equivalence(table: Table) -> Equivalence:
    equivalence = Equivalence(
        policy=table.text("policy", longest=LONGEST_MARKING),
        marking=table.text("marking", longest=LONGEST_MARKING),
        to_policy=table.text("to_policy", longest=LONGEST_MARKING),
        to_marking=table.text("to_marking", longest=LONGEST_MARKING),
        article=table.text("article"),
        basis=table.text("basis"),
        verified=table.boolean("verified"),
    )
    table.done()
    if equivalence.to_marking == UNCLASSIFIED and equivalence.marking != UNCLASSIFIED:
        table.fault("to_marking", f"a marking above {UNCLASSIFIED}, which protects nothing")
    return equivalence


def read_agreement(document: Mapping[str, object], offsets: CivilOffsets) -> tuple[Agreement, tuple[Suspension, ...]]:
    """Agreement of its document, with the suspensions that the same document records.

    Parameters
    ----------
    document
        Parsed TOML, or JSON that `agreement_to_json` wrote.
    offsets
        Asked only where a date is civil; `NO_CIVIL_DATES` for what the log holds.

    Raises
    ------
    InputError
        Naming the faulty field.
    """
    table = open_table(document, schema=AGREEMENT_SCHEMA, what="agreement")
    id_ = table.text("id")
    parties = table.parties("parties")
    fictional = table.boolean("fictional", default=False)
    in_force = table.table("in_force")
    suspensions = []
    for member in table.tables("suspensions"):
        term = _read_term(member, parties, offsets, widest=True)
        suspensions.append(Suspension(id_, term, member.instant("recorded"), member.text("reason"), fictional))
        member.done()
    agreement = Agreement(
        id=id_,
        version=table.integer("version", least=1),
        title=table.text("title"),
        kind=AgreementKind(table.choice("kind", [kind.value for kind in AgreementKind])),
        parties=parties,
        term=_read_term(in_force, parties, offsets),
        recorded_at=table.instant("recorded"),
        articles=tuple(_read_article(article, id_) for article in table.tables("articles")),
        equivalences=tuple(_read_equivalence(equivalence) for equivalence in table.tables("equivalences")),
        tells_partner=table.boolean("tells_partner", default=False),
        fictional=fictional,
        sources=table.texts("sources", most=MOST_TEXTS),
    )
    in_force.done()
    table.done()
    if len(set(parties)) < 2:  # noqa: PLR2004 - an agreement is between two at least
        table.fault("parties", "at least two parties")
    for index, article in enumerate(agreement.articles):
        strangers = (set(article.givers) | set(article.receivers)) - set(parties)
        # An organisation may be named by an article of its nation's agreement, never the nation by its organisation's.
        strangers = {party for party in strangers if nation_of(party) not in parties}
        if strangers or not article.givers or not article.receivers:
            raise InputError(
                Message(
                    "articles[{index}]: {party} is no party to {agreement}",
                    {"index": index, "party": min(strangers, default="nobody"), "agreement": id_},
                ),
                hint=Message("name givers and receivers among the parties, or organisations of a nation that is a party"),
                field=f"articles[{index}]",
            )
    return agreement, tuple(suspensions)


def _bound_to_json(bound: Bound) -> Json:
    if bound.earliest is None or bound.latest is None:
        return {"text": bound.text}
    return {"text": bound.text, "earliest": format_instant(bound.earliest), "latest": format_instant(bound.latest)}


def _term_to_json(term: Term) -> dict[str, Json]:
    form: dict[str, Json] = {"from": _bound_to_json(term.begin)}
    if term.end is not None:
        form["until"] = _bound_to_json(term.end)
    return form


def agreement_to_json(agreement: Agreement, suspensions: Iterable[Suspension] = ()) -> dict[str, Json]:
    """JSON form of `agreement` with its dates as instants; `read_agreement` reads it back."""
    return {
        "schema": AGREEMENT_SCHEMA,
        "id": agreement.id,
        "version": agreement.version,
        "title": agreement.title,
        "kind": agreement.kind.value,
        "parties": list(agreement.parties),
        "fictional": agreement.fictional,
        "tells_partner": agreement.tells_partner,
        "sources": list(agreement.sources),
        "recorded": format_instant(agreement.recorded_at),
        "in_force": _term_to_json(agreement.term),
        "articles": [
            {
                "number": article.number,
                "title": article.title,
                "givers": list(article.givers),
                "receivers": list(article.receivers),
                "kinds": list(article.kinds),
                "policy": article.policy,
                "ceiling": article.ceiling or _UNKNOWN,
                "obligations": [
                    {"kind": o.kind.value, "value": o.value} if o.value else {"kind": o.kind.value} for o in article.obligations
                ],
            }
            for article in agreement.articles
        ],
        "equivalences": [
            {
                "policy": e.policy,
                "marking": e.marking,
                "to_policy": e.to_policy,
                "to_marking": e.to_marking,
                "article": e.article,
                "basis": e.basis,
                "verified": e.verified,
            }
            for e in agreement.equivalences
        ],
        "suspensions": [
            {**_term_to_json(s.term), "reason": s.reason, "recorded": format_instant(s.recorded_at)} for s in suspensions
        ],
    }


def read_ladders(document: Mapping[str, object]) -> dict[str, Ladder]:
    """Ladders of a ``markings.toml``, by policy.

    Raises
    ------
    InputError
        Naming the faulty field.
    """
    table = open_table(document, schema=_MARKINGS_SCHEMA, what="markings")
    ladders: dict[str, Ladder] = {}
    for member in table.tables("ladders"):
        policy = member.text("policy")
        if policy in ladders:
            member.fault("policy", "one ladder a policy")
        rungs = []
        placed = {UNCLASSIFIED}
        for rung in member.tables("rungs"):
            markings = rung.texts("markings", most=MOST_TEXTS)
            # A marking that stood on two rungs would be read as the lower one.
            if not markings or placed & set(markings):
                rung.fault("markings", f"at least one marking, none of them on another rung or {UNCLASSIFIED}")
            placed |= set(markings)
            rungs.append(Rung(markings, rung.boolean("verified")))
            rung.done()
        ladders[policy] = Ladder(policy, tuple(rungs), member.text("basis"))
        member.done()
    table.done()
    return ladders
