"""Agreements, ladders and labels as files: TOML that a lawyer's engineer can read, and the same as JSON for the log.

A date may be a civil date (``2025-06-21``, read with the parties' offsets from UTC), ``"unknown"``, or a table of the instants
between which it lies. What is written for the log holds instants only, so that a log means the same wherever it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.agreement_areas import MOST_AREAS, area_to_json, no_files, read_area
from kizuna.formats.agreement_terms import (
    NO_CIVIL_DATES,
    UNKNOWN,
    CivilOffsets,
    bound_to_json,
    read_bound,
    read_period,
    read_term,
    term_to_json,
)
from kizuna.formats.faults import Faults
from kizuna.formats.toml_faults import TomlFault, read_toml
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.label import read_label
from kizuna.model.parties import nation_of
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, MOST_TEXTS, open_table
from kizuna.release.agreements import Agreement, AgreementKind, Article, Bound, Equivalence, Grant, Suspension, Term
from kizuna.release.decision import Obligation, ObligationKind
from kizuna.release.markings import UNCLASSIFIED, Ladder, Rung

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kizuna.formats.agreement_areas import Loader
    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.reading import Table
    from kizuna.model.regions import Area

__all__ = [
    "AGREEMENT_SCHEMA",
    "LABEL_SCHEMA",
    "MARKINGS_SCHEMA",
    "NO_CIVIL_DATES",
    "CivilOffsets",
    "agreement_to_json",
    "check_agreement",
    "parse_toml",
    "read_agreement",
    "read_label_document",
    "read_ladders",
]

AGREEMENT_SCHEMA = "kizuna/agreement/1"
LABEL_SCHEMA = "kizuna/label/1"
MARKINGS_SCHEMA = "kizuna/markings/1"
# Obligations add caveats to a label on its way out, and the receiver reads no more than `MOST_TEXTS`.
_MOST_CAVEATS = 50
_MOST_OBLIGATIONS = 20
# Beyond these nobody meant hours or metres (`kizuna.release.view.amount`).
_LARGEST_AMOUNT = 1e6

_AGREEMENT_FIELDS = (
    "schema", "id", "version", "title", "kind", "parties", "fictional", "tells_partner", "sources", "recorded", "in_force",
    "applies_from", "articles", "equivalences", "suspensions",
)  # fmt: skip
_ARTICLE_FIELDS = (
    "number", "title", "givers", "receivers", "kinds", "policy", "ceiling", "categories", "areas", "denied_areas", "acquired",
    "produced", "purposes", "onward", "obligations",
)  # fmt: skip
_EQUIVALENCE_FIELDS = (
    "policy", "marking", "to_policy", "to_marking", "article", "basis", "verified", "from", "until",
)  # fmt: skip
_TERM_FIELDS = ("from", "until")
_SUSPENSION_FIELDS = ("from", "until", "reason", "recorded")
_OBLIGATION_FIELDS = ("kind", "value")
_CATEGORY_FIELDS = ("tag", "values")
_AREA_FIELDS = ("name", "geometry", "file")

# What stands for a member that could not be read, in an agreement that is refused as a whole.
_NO_TERM = Term(Bound(None, None, UNKNOWN))
_NO_INSTANT = parse_instant("1970-01-01")
_AMOUNTS = {ObligationKind.RESOLUTION: Message("metres above 0"), ObligationKind.DELAY: Message("hours above 0")}
_TEXTS = {
    ObligationKind.CAVEAT: Message("the text of the caveat"),
    ObligationKind.REMARK: Message("the receiver's policy and marking"),
}


def parse_toml(data: bytes, *, name: str) -> dict[str, object]:
    """Table of TOML `data`.

    Raises
    ------
    InputError
        Naming the file, and the line and column where TOML ends.
    """
    try:
        found = read_toml(data.decode())
    except UnicodeDecodeError as error:
        raise InputError(
            Message("{name}: not TOML: byte {byte} is no UTF-8", {"name": name, "byte": error.start + 1}),
            hint=Message("save the file as UTF-8"),
        ) from error
    if isinstance(found, TomlFault):
        place: dict[str, str | int] = {"name": name, "line": found.place.line, "column": found.place.column}
        raise InputError(
            Message("{name}: not TOML: line {line}, column {column}: {why}", {**place, "why": found.why}), hint=found.hint
        )
    return found


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
        table.fault("caveats", Message("at most {most} texts", {"most": _MOST_CAVEATS}))
    return label


# Articles


def _amount(table: Table, expected: Message) -> str:
    """Parameter of an obligation that is a number, which TOML may hold as one or as a text; as text."""
    value = table.raw("value")
    text = f"{value:.15g}" if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        table.fault("value", expected)
    try:
        amount = float(text)
    except ValueError:
        table.fault("value", expected)
    if not 0 < amount < _LARGEST_AMOUNT:
        table.fault("value", Message("{expected} and below {limit:g}", {"expected": expected, "limit": _LARGEST_AMOUNT}))
    return text


def _read_obligation(table: Table, agreement: str, article: str, *, recorded: bool) -> Obligation:
    kind = ObligationKind(table.choice("kind", [kind.value for kind in ObligationKind]))
    if recorded:
        # What stands in a log was read once. Whether it can be applied is asked anew at every decision.
        return Obligation(kind, table.text("value", longest=LONGEST_LINE) if table.has("value") else "", agreement, article)
    if kind is ObligationKind.PURPOSE:
        raise InputError(
            Message("{field}: a purpose is not written as an obligation", {"field": table.field("kind")}),
            hint=Message('write it into the article: purposes = ["..."]'),
            field=table.field("kind"),
        )
    if kind in _AMOUNTS:
        return Obligation(kind, _amount(table, _AMOUNTS[kind]), agreement, article)
    if kind in _TEXTS:
        value = table.text("value", longest=LONGEST_LINE) if table.has("value") else ""
        if not value:
            table.fault("value", Message("the parameter of {kind}: {what}", {"kind": kind.value, "what": _TEXTS[kind]}))
        return Obligation(kind, value, agreement, article)
    if table.has("value"):
        table.fault("value", Message("no value: {kind} has no parameter", {"kind": kind.value}))
    return Obligation(kind, "", agreement, article)


def _read_obligations(table: Table, agreement: str, article: str, faults: Faults, *, recorded: bool) -> tuple[Obligation, ...]:
    made: list[Obligation] = []
    for member in faults.keep((), table.tables, "obligations"):
        faults.strange(member, _OBLIGATION_FIELDS)
        try:
            made.append(_read_obligation(member, agreement, article, recorded=recorded))
        except InputError as error:
            faults.found.append(error)
    if len(made) > _MOST_OBLIGATIONS:
        faults.keep(None, table.fault, "obligations", Message("at most {most} obligations", {"most": _MOST_OBLIGATIONS}))
    return tuple(made)


def _onward(table: Table, obligations: tuple[Obligation, ...], agreement: str, article: str) -> tuple[Obligation, ...]:
    """Obligations with what the article says of passing on: ``never``, or only with the originator's ``consent``."""
    if not table.has("onward"):
        return obligations
    never = any(o.kind is ObligationKind.NO_ONWARD for o in obligations)
    if table.choice("onward", ["consent", "never"]) == "never":
        return obligations if never else (*obligations, Obligation(ObligationKind.NO_ONWARD, "", agreement, article))
    if never:
        table.fault("onward", Message("never, which the obligation no-onward says too"))
    return obligations


def _read_grants(table: Table, faults: Faults) -> tuple[Grant, ...]:
    made = []
    for member in faults.keep((), table.tables, "categories"):
        tag = faults.keep("", member.text, "tag", longest=LONGEST_MARKING)
        values = faults.keep(None, member.texts, "values", most=MOST_TEXTS)
        if values == ():
            faults.keep(None, member.fault, "values", Message("at least one value"))
        faults.close(member, _CATEGORY_FIELDS)
        made.append(Grant(tag, values or ()))
    return tuple(made)


def _read_areas(table: Table, name: str, load: Loader, faults: Faults) -> tuple[Area, ...]:
    members = faults.keep((), table.tables, name)
    if len(members) > MOST_AREAS:
        faults.keep(None, table.fault, name, Message("at most {most} areas", {"most": MOST_AREAS}))
    made = []
    for member in members[:MOST_AREAS]:
        faults.strange(member, _AREA_FIELDS)
        made.append(faults.keep(None, read_area, member, load))
    return tuple(area for area in made if area is not None)


def _read_parties(table: Table, name: str, faults: Faults) -> tuple[Party, ...]:
    """Parties of a list, as far as they can be read; each that cannot is a fault."""
    items = faults.keep((), table.items, name, most=MOST_TEXTS)
    found = [faults.keep(None, item.party, name) for item in items]
    return tuple(party for party in found if party is not None)


def _read_period(table: Table, name: str, parties: Sequence[Party], offsets: CivilOffsets, faults: Faults) -> Term | None:
    member = faults.keep(None, table.table, name) if table.has(name) else None
    if member is None:
        return None
    faults.strange(member, _TERM_FIELDS)
    return _whole(member, faults, lambda: read_period(member, parties, offsets), parties, offsets)


def _whole(
    table: Table,
    faults: Faults,
    read: Callable[[], Term],
    parties: Sequence[Party],
    offsets: CivilOffsets,
    *,
    widest: bool = False,
) -> Term:
    """What `read` makes of a table's ``from`` and ``until``; where the begin is faulty, the end is looked at all the same."""
    try:
        return read()
    except InputError as error:
        faults.found.append(error)
        until = table.field("until")
        if table.has("until") and not (error.field or "").startswith(until):
            faults.keep(None, read_bound, table, "until", parties, offsets, end=True, widest=widest)
        return _NO_TERM


def _read_article(
    table: Table, agreement: str, parties: Sequence[Party], offsets: CivilOffsets, load: Loader, faults: Faults, *, recorded: bool
) -> Article:
    number = faults.keep("", table.text, "number")
    ceiling = faults.keep(UNKNOWN, table.text, "ceiling")
    obligations = _read_obligations(table, agreement, number, faults, recorded=recorded)
    areas = _read_areas(table, "areas", load, faults)
    article = Article(
        number=number,
        title=faults.keep("", table.text, "title"),
        givers=_read_parties(table, "givers", faults),
        receivers=_read_parties(table, "receivers", faults),
        kinds=faults.keep((), table.texts, "kinds", most=MOST_TEXTS),
        policy=faults.keep("", table.text, "policy", longest=LONGEST_MARKING),
        ceiling=None if ceiling == UNKNOWN else ceiling,
        obligations=faults.keep(obligations, _onward, table, obligations, agreement, number),
        categories=_read_grants(table, faults),
        areas=areas,
        denied_areas=_read_areas(table, "denied_areas", load, faults),
        acquired=_read_period(table, "acquired", parties, offsets, faults),
        produced=_read_period(table, "produced", parties, offsets, faults),
        purposes=faults.keep((), table.texts, "purposes", most=MOST_TEXTS),
    )
    needs_areas = any(obligation.kind is ObligationKind.AREA for obligation in obligations)
    if needs_areas and not recorded and not table.raw("areas"):
        field = table.field("obligations")
        faults.add(
            field,
            Message("{field}: the obligation area, and the article names no areas", {"field": field}),
            Message("name the areas of the article: [[articles.areas]] with name, and geometry or file"),
        )
    faults.close(table, _ARTICLE_FIELDS)
    return article


def _refuse_strangers(index: int, article: Article, agreement: str, parties: Sequence[Party], faults: Faults) -> None:
    """Refuse givers and receivers that are no parties.

    An organisation may be named by an article of its nation's agreement, never the nation by its organisation's.
    """
    named = {*article.givers, *article.receivers} - set(parties)
    strangers = {party for party in named if nation_of(party) not in parties}
    if strangers or not article.givers or not article.receivers:
        faults.add(
            f"articles[{index}]",
            Message(
                "articles[{index}]: {party} is no party to {agreement}",
                {"index": index, "party": min(strangers, default="nobody"), "agreement": agreement},
            ),
            Message("name givers and receivers among the parties, or organisations of a nation that is a party"),
        )


# Equivalences and suspensions


def _read_equivalence(table: Table, parties: Sequence[Party], offsets: CivilOffsets, begin: Bound, faults: Faults) -> Equivalence:
    valid = None
    if table.has("from") or table.has("until"):
        # Without a begin of its own it holds from that of the agreement on.
        valid = _whole(table, faults, lambda: read_term(table, parties, offsets, begin=begin), parties, offsets)
    equivalence = Equivalence(
        policy=faults.keep("", table.text, "policy", longest=LONGEST_MARKING),
        marking=faults.keep("", table.text, "marking", longest=LONGEST_MARKING),
        to_policy=faults.keep("", table.text, "to_policy", longest=LONGEST_MARKING),
        to_marking=faults.keep("", table.text, "to_marking", longest=LONGEST_MARKING),
        article=faults.keep("", table.text, "article"),
        basis=faults.keep("", table.text, "basis"),
        verified=faults.keep(False, table.boolean, "verified"),  # noqa: FBT003 - what stands for it where it cannot be read
        valid=valid,
    )
    faults.close(table, _EQUIVALENCE_FIELDS)
    if equivalence.to_marking == UNCLASSIFIED and equivalence.marking != UNCLASSIFIED:
        expected = Message("a marking above {lowest}, which protects nothing", {"lowest": UNCLASSIFIED})
        faults.keep(None, table.fault, "to_marking", expected)
    return equivalence


def _read_suspension(
    table: Table, agreement: str, parties: Sequence[Party], offsets: CivilOffsets, faults: Faults, *, fictional: bool
) -> Suspension:
    faults.strange(table, _SUSPENSION_FIELDS)
    term = _whole(table, faults, lambda: read_term(table, parties, offsets, widest=True), parties, offsets, widest=True)
    recorded_at = faults.keep(_NO_INSTANT, table.instant, "recorded")
    return Suspension(agreement, term, recorded_at, faults.keep("", table.text, "reason"), fictional)


def _in_force(table: Table, parties: Sequence[Party], offsets: CivilOffsets, faults: Faults) -> Term:
    member = faults.keep(None, table.table, "in_force")
    if member is None:
        return _NO_TERM
    faults.strange(member, _TERM_FIELDS)
    return _whole(member, faults, lambda: read_term(member, parties, offsets), parties, offsets)


def _applies_from(table: Table, parties: Sequence[Party], offsets: CivilOffsets) -> Bound | None:
    """From when on this version takes the place of the ones before; None for all time."""
    if not table.has("applies_from"):
        return None
    bound = read_bound(table, "applies_from", parties, offsets, end=False)
    if bound.exact is None and parties:
        expected = Message(
            "an exact date, from which on this version takes the place of the one before; leave it out to correct it"
        )
        table.fault("applies_from", expected)
    return bound


def check_agreement(
    document: Mapping[str, object], offsets: CivilOffsets, load: Loader = no_files, *, recorded: bool = False
) -> tuple[Agreement | None, tuple[Suspension, ...], list[InputError]]:
    """Agreement of its document with all faults that can be found in it.

    Parameters
    ----------
    document
        Parsed TOML, or JSON that `agreement_to_json` wrote.
    offsets
        Asked only where a date is civil; `NO_CIVIL_DATES` for what the log holds.
    load
        Gives the bytes of a file that the document names (an area's), by its name relative to the document.
    recorded
        Whether the document comes from the node's own log. Then what an older version of kizuna let pass is no fault: an
        obligation that cannot be read lets nothing go, and a log that could not be read would stop the node.

    Returns
    -------
    agreement, suspensions, faults
        The agreement and the suspensions that the document records; None and nothing where there are faults.
    """
    faults = Faults()
    try:
        table = open_table(document, schema=AGREEMENT_SCHEMA, what="agreement")
    except InputError as error:
        return None, (), [error]
    id_ = faults.keep("", table.text, "id")
    parties = _read_parties(table, "parties", faults)
    if len(set(parties)) < 2 and not faults.found:  # noqa: PLR2004 - an agreement is between two at least
        faults.keep(None, table.fault, "parties", Message("at least two parties"))
    # Of parties that are not known the civil days are not, and nobody is a stranger to them.
    whole = not faults.found
    fictional = faults.keep(False, table.boolean, "fictional", default=False)  # noqa: FBT003 - the default where it is absent
    term = _in_force(table, parties, offsets, faults)
    suspensions = tuple(
        _read_suspension(member, id_, parties, offsets, faults, fictional=fictional)
        for member in faults.keep((), table.tables, "suspensions")
    )
    agreement = Agreement(
        id=id_,
        version=faults.keep(1, table.integer, "version", least=1),
        title=faults.keep("", table.text, "title"),
        kind=AgreementKind(
            faults.keep(AgreementKind.DECLARATION.value, table.choice, "kind", [kind.value for kind in AgreementKind])
        ),
        parties=parties,
        term=term,
        recorded_at=faults.keep(_NO_INSTANT, table.instant, "recorded"),
        articles=tuple(
            _read_article(article, id_, parties, offsets, load, faults, recorded=recorded)
            for article in faults.keep((), table.tables, "articles")
        ),
        equivalences=tuple(
            _read_equivalence(equivalence, parties, offsets, term.begin, faults)
            for equivalence in faults.keep((), table.tables, "equivalences")
        ),
        tells_partner=faults.keep(False, table.boolean, "tells_partner", default=False),  # noqa: FBT003 - the same
        fictional=fictional,
        sources=faults.keep((), table.texts, "sources", most=MOST_TEXTS),
        applies_from=faults.keep(None, _applies_from, table, parties, offsets),
    )
    faults.close(table, _AGREEMENT_FIELDS)
    if whole:
        said = [fault.field or "" for fault in faults.found]
        for index, article in enumerate(agreement.articles):
            # Who could not be read is no stranger.
            if not {f"articles[{index}].givers", f"articles[{index}].receivers"}.intersection(said):
                _refuse_strangers(index, article, id_, parties, faults)
    if faults.found:
        return None, (), faults.found
    return agreement, suspensions, []


def read_agreement(
    document: Mapping[str, object], offsets: CivilOffsets, load: Loader = no_files, *, recorded: bool = False
) -> tuple[Agreement, tuple[Suspension, ...]]:
    """Agreement of its document, with the suspensions that the same document records; as `check_agreement`.

    Raises
    ------
    InputError
        The first fault, naming its field.
    """
    agreement, suspensions, faults = check_agreement(document, offsets, load, recorded=recorded)
    if agreement is None:
        raise faults[0]
    return agreement, suspensions


def _obligation_to_json(obligation: Obligation) -> Json:
    form: dict[str, Json] = {"kind": obligation.kind.value}
    return form | {"value": obligation.value} if obligation.value else form


def _article_to_json(article: Article) -> Json:
    form: dict[str, Json] = {
        "number": article.number,
        "title": article.title,
        "givers": list(article.givers),
        "receivers": list(article.receivers),
        "kinds": list(article.kinds),
        "policy": article.policy,
        "ceiling": article.ceiling or UNKNOWN,
        "obligations": [_obligation_to_json(obligation) for obligation in article.obligations],
    }
    if article.categories:
        form["categories"] = [{"tag": grant.tag, "values": list(grant.values)} for grant in article.categories]
    if article.areas:
        form["areas"] = [area_to_json(area) for area in article.areas]
    if article.denied_areas:
        form["denied_areas"] = [area_to_json(area) for area in article.denied_areas]
    if article.acquired is not None:
        form["acquired"] = term_to_json(article.acquired)
    if article.produced is not None:
        form["produced"] = term_to_json(article.produced)
    if article.purposes:
        form["purposes"] = list(article.purposes)
    return form


def _equivalence_to_json(equivalence: Equivalence) -> Json:
    form: dict[str, Json] = {
        "policy": equivalence.policy,
        "marking": equivalence.marking,
        "to_policy": equivalence.to_policy,
        "to_marking": equivalence.to_marking,
        "article": equivalence.article,
        "basis": equivalence.basis,
        "verified": equivalence.verified,
    }
    return form if equivalence.valid is None else form | term_to_json(equivalence.valid)


def agreement_to_json(agreement: Agreement, suspensions: Iterable[Suspension] = ()) -> dict[str, Json]:
    """JSON form of `agreement` with its dates as instants and its areas as geometries; `read_agreement` reads it back."""
    applies = agreement.applies_from
    return {
        **({} if applies is None else {"applies_from": bound_to_json(applies)}),
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
        "in_force": term_to_json(agreement.term),
        "articles": [_article_to_json(article) for article in agreement.articles],
        "equivalences": [_equivalence_to_json(equivalence) for equivalence in agreement.equivalences],
        "suspensions": [
            {**term_to_json(s.term), "reason": s.reason, "recorded": format_instant(s.recorded_at)} for s in suspensions
        ],
    }


# Ladders


def read_ladders(document: Mapping[str, object]) -> dict[str, Ladder]:
    """Ladders of a ``markings.toml``, by policy.

    Raises
    ------
    InputError
        Naming the faulty field.
    """
    table = open_table(document, schema=MARKINGS_SCHEMA, what="markings")
    ladders: dict[str, Ladder] = {}
    for member in table.tables("ladders"):
        policy = member.text("policy")
        if policy in ladders:
            member.fault("policy", Message("one ladder a policy"))
        rungs = []
        placed = {UNCLASSIFIED}
        for rung in member.tables("rungs"):
            markings = rung.texts("markings", most=MOST_TEXTS)
            # A marking that stood on two rungs would be read as the lower one.
            if not markings or placed & set(markings):
                expected = Message("at least one marking, none of them on another rung or {lowest}", {"lowest": UNCLASSIFIED})
                rung.fault("markings", expected)
            placed |= set(markings)
            rungs.append(Rung(markings, rung.boolean("verified")))
            rung.done()
        ladders[policy] = Ladder(policy, tuple(rungs), member.text("basis"))
        member.done()
    table.done()
    return ladders
