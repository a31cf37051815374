"""Dates and terms of agreements: civil days, instants, ``"unknown"``, and dates that a source gives only roughly.

A civil date is read with the parties' offsets from UTC. What is written for the log holds instants only, so that a log means
the same wherever it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.model.instants import begin_of_day, day_of, end_of_day, format_instant, instant_of, parse_instant
from kizuna.model.parties import nation_of
from kizuna.release.agreements import Bound, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Nation, Party
    from kizuna.model.reading import Table

    Offset = Callable[[Nation, date], timedelta]

__all__ = [
    "NO_CIVIL_DATES",
    "UNKNOWN",
    "CivilOffsets",
    "bound_to_json",
    "read_bound",
    "read_period",
    "read_term",
    "refuse_order",
    "term_to_json",
]

UNKNOWN = "unknown"
"""Stands for a date or a ceiling that no source gives. Nothing is released on it."""


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
    if isinstance(value, str):
        return day_of(value)
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def read_bound(
    table: Table, name: str, parties: Iterable[Party], offsets: CivilOffsets, *, end: bool, widest: bool = False
) -> Bound:
    """Begin or (`end`) end of a term; `widest` as for a suspension, which lasts while it is day for any of the parties.

    Raises
    ------
    InputError
        If it is no date, or the time zones of a party are not known.
    """
    value = table.raw(name)
    if value == UNKNOWN:
        return Bound(None, None, UNKNOWN)
    if isinstance(value, datetime):
        moment = instant_of(value, field=table.field(name))
        return Bound(moment, moment, format_instant(moment))
    day = _civil_day(value)
    if day is not None:
        nations = sorted({nation_of(party) for party in parties})
        if not nations:
            # The parties could not be read, so the document is refused; of nobody's day it is unknown when it begins.
            return Bound(None, None, day.isoformat())
        try:
            moment = _instant_of_day(day, nations, offsets, end=end, widest=widest)
        except OverflowError:
            table.fault(name, Message("a day of the years 2 to 9998; leave the end out where there is none"))
        except InputError as error:
            # The tables of the zones do not know in which field the day stands.
            raise InputError(error.message, hint=error.hint, field=table.field(name)) from error
        return Bound(moment, moment, day.isoformat())
    if isinstance(value, str):
        moment = parse_instant(value, field=table.field(name))
        return Bound(moment, moment, value)
    if not isinstance(value, Mapping):
        table.fault(name, Message('a date such as 2025-06-21, "unknown", or a table of earliest, latest and text'))
    member = table.table(name)
    text = member.text("text")
    known = member.has("earliest") or member.has("latest")
    bound = Bound(member.instant("earliest"), member.instant("latest"), text) if known else Bound(None, None, text)
    member.done()
    if bound.earliest is not None and bound.latest is not None and bound.latest < bound.earliest:
        member.fault("latest", Message("an instant that is not before the earliest"))
    return bound


def refuse_order(table: Table, begin: Bound, end: Bound) -> NoReturn:
    """Refuse an end that stands before its begin.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        Message(
            "{field}: the end {end} stands before the begin {begin}",
            {"field": table.field("until"), "end": end.text, "begin": begin.text},
        ),
        hint=Message("correct {begin_field} or {field}", {"begin_field": table.field("from"), "field": table.field("until")}),
        field=table.field("until"),
    )


def read_term(
    table: Table, parties: Iterable[Party], offsets: CivilOffsets, *, widest: bool = False, begin: Bound | None = None
) -> Term:
    """Term of a table's ``from`` and ``until``.

    Parameters
    ----------
    table
        Where they stand.
    parties
        Whose civil days count.
    offsets
        Asked only where a date is civil.
    widest
        Whether it lasts while it is day for any of them (a suspension), not for all.
    begin
        What an absent ``from`` means; None where it must be there.

    Raises
    ------
    InputError
        If either is no date, or the end stands before the begin.
    """
    parties = tuple(parties)
    if begin is None or table.has("from"):
        begin = read_bound(table, "from", parties, offsets, end=False, widest=widest)
    end = read_bound(table, "until", parties, offsets, end=True, widest=widest) if table.has("until") else None
    if end is not None and begin.earliest is not None and end.latest is not None and end.latest <= begin.earliest:
        refuse_order(table, begin, end)
    if end is not None and not parties and begin.latest is None and end.latest is None:
        # Whose civil days they are is not known; their order is.
        first, last = _civil_day(begin.text), _civil_day(end.text)
        if first is not None and last is not None and last < first:
            refuse_order(table, begin, end)
    return Term(begin, end)


def read_period(table: Table, parties: Iterable[Party], offsets: CivilOffsets) -> Term:
    """Period in which a product must have been observed or made: exact dates or unknown ones, never approximate.

    Raises
    ------
    InputError
        If a date is approximate: nobody could say whether a product lies inside, so each would have to be decided by a person,
        and a period that is meant to be read by rule must not hide that.
    """
    term = read_term(table, parties, offsets)
    for name, bound in (("from", term.begin), ("until", term.end)):
        if bound is not None and bound.earliest != bound.latest:
            raise InputError(
                Message(
                    "{field}: got the approximate date {text!r}, expected an exact one: of a product made in between nobody "
                    "could say whether it lies inside",
                    {"field": table.field(name), "text": bound.text},
                ),
                hint=Message('write the narrowest exact date that all parties agree on, or "unknown", which lets nothing go'),
                field=table.field(name),
            )
    table.done()
    return term


def bound_to_json(bound: Bound) -> Json:
    """JSON form of a begin or an end, in instants; `read_bound` reads it back."""
    if bound.earliest is None or bound.latest is None:
        return {"text": bound.text}
    return {"text": bound.text, "earliest": format_instant(bound.earliest), "latest": format_instant(bound.latest)}


def term_to_json(term: Term) -> dict[str, Json]:
    """JSON form of a term, in instants; `read_term` reads it back."""
    form: dict[str, Json] = {"from": bound_to_json(term.begin)}
    if term.end is not None:
        form["until"] = bound_to_json(term.end)
    return form
