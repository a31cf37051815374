"""Agreements as Cedar policies, so that reviewers can read and test them with tools that know nothing of kizuna.

The policies are written straight from the agreements, not from the rule table: a second statement of the same policy, by which
the first can be checked. Decisions are made by `kizuna.release.decide`; Cedar knows no third outcome, so that what kizuna refers
to a person is not allowed here.

Each article is one ``permit``. What forbids whatever the article (an unknown marking, a missing consent, an unprotected marking)
is a ``forbid``. Dates, parties, markings and areas stand in the policies; what is known of a product comes with the request
(`kizuna.formats.cedar_requests`). Each clause ends with a comment that names the rule of kizuna's that it restates.

Instants in Cedar have milliseconds. Finer ones are rounded such that nothing more is allowed.

Source: Cedar 4 policy language reference guide; extension types ``datetime`` and ``duration`` (RFC 80), entity tags (RFC 82).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from kizuna.formats.cedar_values import cedar_string, down, up, written
from kizuna.model.reading import one_line
from kizuna.release.agreements import AgreementKind
from kizuna.release.decision import ObligationKind
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.view import APPLICABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement, Article, Equivalence, Suspension, Term
    from kizuna.release.decision import Obligation
    from kizuna.release.register import Register

__all__ = ["CEDAR_SCHEMA", "cedar_policies"]

CEDAR_SCHEMA = """\
// A marking in its policy's own words.
type Marking = { policy: String, classification: String };

// One value of a restrictive category.
type Value = { tag: String, value: String };

// That this party agrees to this product going on.
type Consent = { originator: Party, product: String };

// A nation or one of its organisations. The two never stand for each other: a Party has no parents.
entity Party = {
  nation: String,
  known: Bool, // whether ISO 3166-1 assigns the nation's code
};

// Of its permissive categories each is a tag, whose values are those that its label and those of its parents have in common.
entity Product = {
  kind: String,
  holder: Party,
  label: {
    marking: Marking,
    created: datetime,
    review?: datetime,
    releasableTo?: Set<Party>, // absent: without limit
  },
  // What it is derived from, all generations.
  lineage: {
    unlabelled: Bool, // whether the label or the originator of any is unknown
    markings: Set<Marking>,
    classified: Set<Marking>,
    created?: datetime, // the latest
    review?: datetime, // the earliest
    releasableTo?: Set<Party>, // parties that all name; absent: none sets a limit
    controls: Set<Consent>,
  },
  classified: Set<Marking>, // its own and its parents' markings above unclassified
  restrictive: Set<Value>, // its own and its parents'
  permissive: Set<String>, // the tags
  controls: Set<Consent>, // consents that it needs to go on
  phase: Bool,
  inside: Set<String>,
  touches?: Set<String>, // absent: unknown
  observedFrom?: datetime,
  observedUntil?: datetime,
  produced?: datetime,
  resolution?: Long, // millimetres on the ground
} tags Set<String>;

action receive appliesTo {
  principal: Party,
  resource: Product,
  context: {
    at: datetime, // the instant asked about
    purpose?: String,
    consents: Set<Consent>, // given to the principal and in force
  },
};
"""

_HEADER = """\
// Agreements as Cedar policies, written by kizuna for reviewers.
//
// What this is: the conditions of each agreement on file, and what forbids whatever the agreement, as known at {known}.
// What this is not: what the node decides by. Its own engine does, gives reasons, and may refer to a person (here: not allowed).
// Conditions end with the id of the rule that `kizuna release explain` names. Instants are rounded to milliseconds, such that
// nothing more is allowed. A product, its placement and its consents come with each request; the schema says how.
"""

_SCOPE = '(principal, action == Action::"receive", resource)'
_MILLISECONDS_AN_HOUR = 3_600_000
_MILLIMETRES_A_METRE = 1_000
_MOST_IN_LINE = 4
# What is above, `kizuna.release.view` does not read either.
_MOST = 1_000_000

type Condition = str | bool
"""Text of a Cedar expression, or a truth that is settled already."""


# Cedar's own words.


def _set(texts: Iterable[str]) -> str:
    """Set of literals, over several lines where it is long."""
    items = list(dict.fromkeys(texts))
    between, edge = (",\n  ", "\n  ") if len(items) > _MOST_IN_LINE else (", ", "")
    return f"[{edge}{between.join(items)}{edge.rstrip(' ')}]"


def _party(party: Party) -> str:
    return f"Party::{cedar_string(party)}"


def _marking(policy: str, classification: str) -> str:
    return f"{{policy: {cedar_string(policy)}, classification: {cedar_string(classification)}}}"


def _holds_all(whole: Iterable[str], part: str) -> str:
    """Whether a list of literals holds all members of the set `part`. Cedar knows no empty list."""
    whole = list(whole)
    return f"{_set(whole)}.containsAll({part})" if whole else f"{part}.isEmpty()"


def _datetime(moment: datetime) -> str:
    return f'datetime("{written(moment)}")'


# Conditions.


def _all(*conditions: Condition) -> Condition:
    parts = [condition for condition in conditions if condition is not True]
    if False in parts:
        return False
    return " && ".join(f"({part})" if len(parts) > 1 and " || " in str(part) else str(part) for part in parts) or True


def _any(*conditions: Condition) -> Condition:
    parts = [condition for condition in conditions if condition is not False]
    if True in parts:
        return True
    return " || ".join(f"({part})" if len(parts) > 1 else str(part) for part in parts) or False


def _not(condition: Condition) -> Condition:
    return f"!({condition})" if isinstance(condition, str) else not condition


def _where(record: str, name: str, condition: Callable[[str], str]) -> str:
    """Condition on a member that may be absent, and then sets no limit."""
    return f"if {record} has {name} then {condition(f'{record}.{name}')} else true"


def _surely(term: Term | None, *, asserted: bool = True) -> Condition:
    """Condition that a term runs at the instant asked about, whatever its approximate dates turn out to be.

    What is `asserted` is rounded to the shorter term, what is denied to the longer one.
    """
    if term is None:
        return True
    begin, end = term.begin.latest, None if term.end is None else term.end.earliest
    if begin is None or term.begin.earliest is None or (term.end is not None and (end is None or term.end.latest is None)):
        return False
    later, earlier = (up, down) if asserted else (down, up)
    return _all(
        f"context.at >= {_datetime(later(begin))}",
        True if end is None else f"context.at < {_datetime(earlier(end))}",
    )


def _ended(register: Register, suspension: Suspension) -> Instant | None:
    """When a suspension surely ended: at its own end, or when it was resumed as was last recorded; None: not yet.

    It is resumed by what was recorded after it and takes effect after it began, unless another suspension had begun in between.
    """
    begins = [
        (other.term.begin.latest or other.recorded_at, other.recorded_at)
        for other in register.suspensions
        if other.agreement == suspension.agreement
    ]
    ended = None if suspension.term.end is None else suspension.term.end.latest
    for resumption in sorted(register.resumptions, key=lambda each: (each.recorded_at, each.at)):
        if resumption.agreement != suspension.agreement or resumption.recorded_at <= suspension.recorded_at:
            continue
        if resumption.at <= (suspension.term.begin.latest or suspension.recorded_at):
            continue
        known = [begin for begin, recorded_at in begins if recorded_at < resumption.recorded_at and begin < resumption.at]
        if ended is None or all(begin < ended for begin in known):
            ended = resumption.at
    return ended


def _suspended(register: Register, suspension: Suspension) -> Condition:
    """Condition that a suspension may run at the instant asked about."""
    begin, end = suspension.term.begin.earliest, _ended(register, suspension)
    return _all(
        True if begin is None else f"context.at >= {_datetime(down(begin))}",
        True if end is None else f"context.at < {_datetime(up(end))}",
    )


def _standing(register: Register, agreement: Agreement) -> Iterator[tuple[Condition, str]]:
    """Conditions that an agreement is in force, each with the rule that it restates."""
    yield _surely(agreement.term), "in-force"
    for withdrawal in register.withdrawals:
        if withdrawal.agreement == agreement.id:
            yield f"context.at < {_datetime(down(withdrawal.at))}", "not-withdrawn"
    for suspension in register.suspensions:
        if suspension.agreement == agreement.id:
            yield _not(_suspended(register, suspension)), "not-suspended"


def _known_markings(register: Register) -> dict[tuple[str, str], int]:
    """Rank of each marking that is known here, by policy and name: 0 for unclassified, 1 for the lowest level."""
    known: dict[tuple[str, str], int] = {}
    for policy, ladder in sorted(register.ladders.items()):
        known[policy, UNCLASSIFIED] = 0
        named = {UNCLASSIFIED}
        for rank, rung in enumerate(ladder.rungs, start=1):
            if rung.verified or policy in register.accepted_ladders:
                known |= {(policy, name): rank for name in rung.markings if name not in named}
            named.update(rung.markings)
    return known


# Articles.


def _quantity(text: str) -> Decimal | None:
    """Parameter of an obligation; None if it is none that can be read."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < _MOST else None


def _whole(number: Decimal) -> int:
    """Whole number not below `number`."""
    return -int(-number // 1)


def _obliged(article: Article, obligation: Obligation, applicable: frozenset[ObligationKind]) -> Iterator[tuple[Condition, str]]:
    """What an obligation asks before a product may go."""
    kind, able = obligation.kind, obligation.kind in applicable
    match kind:
        case ObligationKind.DELAY:
            hours = _quantity(obligation.value)
            if hours is None:
                yield False, "obligations"
            elif hours:
                wait = _whole(hours * _MILLISECONDS_AN_HOUR)
                text = f"{wait // _MILLISECONDS_AN_HOUR}h" if wait % _MILLISECONDS_AN_HOUR == 0 else f"{wait}ms"
                over = f'resource.observedUntil.offset(duration("{text}")) <= context.at'
                yield f"resource has observedUntil && {over}", "delay"
        case ObligationKind.RESOLUTION:
            metres = _quantity(obligation.value)
            if metres is None:
                yield False, "obligations"
            elif metres:
                # What can be made coarser goes of whatever resolution, if that is known.
                least = 1 if able else _whole(metres * _MILLIMETRES_A_METRE)
                yield f"resource has resolution && resource.resolution >= {least}", "resolution"
        case ObligationKind.AREA:
            yield bool(article.areas), "obligations"
        case ObligationKind.DETECTED_ONLY:
            yield (True if able else "!resource.phase"), "obligations"
        case _:
            yield able, "obligations"


def _granted_categories(article: Article) -> Iterator[str]:
    values = [(grant.tag, value) for grant in article.categories for value in grant.values]
    yield _holds_all((f"{{tag: {cedar_string(t)}, value: {cedar_string(v)}}}" for t, v in values), "resource.restrictive")
    granted: dict[str, list[str]] = {}
    for tag, value in values:
        granted.setdefault(tag, []).append(cedar_string(value))
    yield _holds_all(map(cedar_string, granted), "resource.permissive")
    for tag, names in granted.items():
        name = cedar_string(tag)
        yield f"if resource.hasTag({name}) then resource.getTag({name}).containsAny({_set(names)}) else true"


def _bounds(period: Term) -> tuple[str, str | None] | None:
    """First instant at which a period surely runs and first one at which it may be over, as literals; None if unknown."""
    begin, end = period.begin.latest, None if period.end is None else period.end.earliest
    if begin is None or _surely(period) is False:
        return None
    return _datetime(up(begin)), None if end is None else _datetime(down(end))


def _observed(period: Term) -> Condition:
    """Condition that a product was observed in a period, from its first moment to its last."""
    bounds = _bounds(period)
    if bounds is None:
        return False
    begin, end = bounds
    after = f"resource has observedFrom && resource.observedFrom >= {begin}"
    before = f"resource has observedUntil && resource.observedFrom < {end} && resource.observedUntil <= {end}"
    return after if end is None else _all(after, before)


def _produced(period: Term) -> Condition:
    """Condition that a product was made in a period."""
    bounds = _bounds(period)
    if bounds is None:
        return False
    begin, end = bounds
    after = f"resource has produced && resource.produced >= {begin}"
    return after if end is None else _all(after, f"resource.produced < {end}")


def _article_conditions(
    register: Register, agreement: Agreement, article: Article, applicable: frozenset[ObligationKind]
) -> Iterator[tuple[Condition, str]]:
    """All conditions of an article, each with the rule that it restates."""
    yield f"{_set(map(cedar_string, article.kinds))}.contains(resource.kind)" if article.kinds else False, "covered"
    yield f"{_set(map(_party, article.givers))}.contains(resource.holder)" if article.givers else False, "covered"
    yield f"{_set(map(_party, article.receivers))}.contains(principal)" if article.receivers else False, "covered"
    yield from _standing(register, agreement)
    ranks = _known_markings(register)
    ceiling = None if article.ceiling is None else ranks.get((article.policy, article.ceiling))
    if ceiling is None:
        yield False, "ceiling"
        return
    may = [_marking(*m) for m, rank in ranks.items() if m[0] == article.policy and 0 < rank <= ceiling]
    own = f'resource.label.marking.classification == "{UNCLASSIFIED}"'
    yield _any(own, f"{_set(may)}.contains(resource.label.marking)" if may else False), "ceiling"
    yield _holds_all(may, "resource.lineage.classified"), "lineage-ceiling"
    yield from ((condition, "categories, lineage-ceiling") for condition in _granted_categories(article))
    if article.purposes:
        purposes = _set(map(cedar_string, article.purposes))
        yield _where("context", "purpose", lambda purpose: f"{purposes}.contains({purpose})"), "purpose"
    if article.areas:
        areas = _set(cedar_string(area.id) for area in article.areas)
        crops = ObligationKind.AREA in applicable and any(o.kind is ObligationKind.AREA for o in article.obligations)
        part = f"resource has touches && resource.touches.containsAny({areas})"
        yield _any(f"resource.inside.containsAny({areas})", part if crops else False), "area"
    if article.denied_areas:
        areas = _set(cedar_string(area.id) for area in article.denied_areas)
        yield f"resource has touches && !resource.touches.containsAny({areas})", "denied-area"
    if article.acquired is not None:
        yield _observed(article.acquired), "acquired"
    if article.produced is not None:
        yield _produced(article.produced), "produced"
    for obligation in article.obligations:
        yield from _obliged(article, obligation, applicable)


def _annotation(name: str, text: str) -> str:
    return f"@{name}({cedar_string(text)})\n" if text else ""


def _cited(agreement: Agreement, article: str) -> str:
    return f"{agreement.id} version {agreement.version}, article {article}" + (" (FICTIONAL)" if agreement.fictional else "")


def _permit(id_: str, agreement: Agreement, article: Article, conditions: Sequence[tuple[Condition, str]]) -> str:
    about = _cited(agreement, article.number)
    lost = sorted({rule for condition, rule in conditions if condition is False})
    if lost:
        return f"// {one_line(about)} lets nothing go: {', '.join(lost)}.\n"
    asked = "; ".join(f"{o.kind.value} {o.value}".rstrip() for o in article.obligations)
    areas = "; ".join(area.name for area in (*article.areas, *article.denied_areas))
    head = [
        f"// {one_line(about)}\n",
        _annotation("id", id_),
        _annotation("agreement", agreement.id),
        _annotation("version", str(agreement.version)),
        _annotation("article", article.number),
        _annotation("title", article.title),
        _annotation("fictional", "yes" if agreement.fictional else ""),
        _annotation(
            "in_force", agreement.term.begin.text + ("" if agreement.term.end is None else f" – {agreement.term.end.text}")
        ),
        _annotation("areas", areas),
        _annotation("obligations", asked),
    ]
    clauses = [f"when {{ {condition} }} // {rule}\n" for condition, rule in conditions if condition is not True]
    return "".join([*head, f"permit {_SCOPE}\n", *clauses, ";\n"])


def _permits(register: Register, applicable: frozenset[ObligationKind]) -> Iterator[str]:
    taken: set[str] = set()
    for agreement in register.agreements:
        if agreement.kind is AgreementKind.DECLARATION:
            continue
        for article in agreement.articles:
            id_ = wanted = f"{agreement.id} v{agreement.version} article {article.number}"
            number = 2
            while id_ in taken:
                id_, number = f"{wanted} ({number})", number + 1
            taken.add(id_)
            yield _permit(id_, agreement, article, list(_article_conditions(register, agreement, article, applicable)))


# What forbids, whatever the article.


def _forbid(rule: str, sentence: str, unless: Condition, *, when: str = "", number: int = 0) -> str:
    id_ = f"{rule} {number}" if number else rule
    clauses = [f"when {{ {when} }}\n"] if when else []
    if unless is not False:
        clauses.append(f"unless {{ {'true' if unless is True else unless} }} // {rule}\n")
    head = f"// {one_line(sentence)}\n{_annotation('id', id_)}{_annotation('rule', rule)}"
    return "".join([head, f"forbid {_SCOPE}\n", *clauses, ";\n"])


def _not_yet(day: str) -> str:
    return f"context.at < {day}"


def _names_partner(parties: str) -> str:
    return f"{parties}.contains(principal)"


def _label_forbids(register: Register) -> Iterator[str]:
    known = [_marking(*marking) for marking in _known_markings(register)]
    yield _forbid("partner-known", "The partner's nation must be known.", "principal.known")
    yield _forbid(
        "label-known",
        "Its marking must be one that is known here.",
        f"{_set(known)}.contains(resource.label.marking)" if known else False,
    )
    yield _forbid(
        "label-current",
        "Its label must have been made, and not be due for review.",
        f"resource.label.created <= context.at && ({_where('resource.label', 'review', _not_yet)})",
    )
    yield _forbid(
        "releasable-to",
        "Its originator must name the partner, where Releasable To limits it.",
        _where("resource.label", "releasableTo", _names_partner),
    )
    yield _forbid(
        "originator-consent", "Another's product goes on only with consent.", "context.consents.containsAll(resource.controls)"
    )
    conditions = [
        ("The labels of all that it is derived from must be known,", "!resource.lineage.unlabelled"),
        ("and their markings,", _holds_all(known, "resource.lineage.markings")),
        ("must have been made,", _where("resource.lineage", "created", lambda day: f"{day} <= context.at")),
        ("and not be due for review;", _where("resource.lineage", "review", _not_yet)),
        (
            "each of their originators must name the partner, where Releasable To limits it,",
            _where("resource.lineage", "releasableTo", _names_partner),
        ),
        ("and consent.", "context.consents.containsAll(resource.lineage.controls)"),
    ]
    for number, (sentence, condition) in enumerate(conditions, start=1):
        yield _forbid("lineage", sentence, condition, number=number)


def _between(agreement: Agreement) -> Condition:
    """Condition that holder and receiver belong to two different nations, both parties to an agreement."""
    nations = [cedar_string(party) for party in agreement.parties]
    if not nations:
        return False
    parties = _set(nations)
    return (
        f"{parties}.contains(resource.holder.nation) && {parties}.contains(principal.nation)"
        " && resource.holder.nation != principal.nation"
    )


def _pair_holds(pair: Equivalence, others: Sequence[Equivalence], ranks: dict[tuple[str, str], int]) -> Condition:
    """Condition that an agreement says in one voice, and in order, how a marking is protected.

    `others` are all its verified pairs for the same two policies. Two that name different equivalents of one marking, or place a
    higher marking below a lower one, speak for nothing while both hold.
    """

    def levels(one: Equivalence) -> tuple[int, int] | None:
        rank, to_rank = ranks.get((one.policy, one.marking)), ranks.get((one.to_policy, one.to_marking))
        return None if rank is None or to_rank is None else (rank, to_rank)

    if pair.marking == UNCLASSIFIED or not ranks.get((pair.to_policy, pair.to_marking)):
        return False
    against: list[Condition] = []
    for index, one in enumerate(others):
        if one.marking == pair.marking and one.to_marking != pair.to_marking:
            against.append(_surely(one.valid, asserted=False))
        for other in others[index + 1 :]:
            here, there = levels(one), levels(other)
            if here is not None and there is not None and _disordered(here, there):
                against.append(_all(_surely(one.valid, asserted=False), _surely(other.valid, asserted=False)))
    return _all(_surely(pair.valid), *map(_not, dict.fromkeys(against)))


def _disordered(one: tuple[int, int], other: tuple[int, int]) -> bool:
    (rank, to_rank), (other_rank, other_to) = sorted((one, other))
    return to_rank > other_to or (rank == other_rank and to_rank != other_to)


def _security_forbids(register: Register) -> Iterator[str]:
    ranks = _known_markings(register)
    standing: list[Condition] = []
    protected: dict[tuple[str, str], list[Condition]] = {}
    cited: dict[tuple[str, str], list[str]] = {}
    for agreement in register.agreements:
        if agreement.kind is not AgreementKind.INFORMATION_SECURITY:
            continue
        stands = _all(_between(agreement), *[condition for condition, _rule in _standing(register, agreement)])
        standing.append(stands)
        verified = [pair for pair in agreement.equivalences if pair.verified]
        for pair in verified:
            others = [o for o in verified if (o.policy, o.to_policy) == (pair.policy, pair.to_policy)]
            condition = _all(f"principal.nation == {cedar_string(pair.to_policy)}", stands, _pair_holds(pair, others, ranks))
            protected.setdefault((pair.policy, pair.marking), []).append(condition)
            says = f"{_cited(agreement, pair.article)}: {pair.to_policy} {pair.to_marking}"
            cited.setdefault((pair.policy, pair.marking), []).append(says)
    yield _forbid(
        "information-security",
        "Classified products need an information-security agreement of the two nations in force.",
        _any(*standing),
        when="!resource.classified.isEmpty()",
    )
    yield _forbid(
        "equivalence",
        "No agreement says how any other marking is protected.",
        _holds_all((_marking(*marking) for marking in protected), "resource.classified"),
    )
    for number, (marking, conditions) in enumerate(protected.items(), start=1):
        yield _forbid(
            "equivalence",
            f"{' '.join(marking)} goes only to whom an agreement obliges to protect it ({'; '.join(cited[marking])}).",
            _any(*dict.fromkeys(conditions)),
            when=f"resource.classified.contains({_marking(*marking)})",
            number=number,
        )


def cedar_policies(register: Register, known_at: Instant, applicable: frozenset[ObligationKind] = APPLICABLE) -> str:
    """Cedar policies of all agreements of a register, as known at an instant.

    Parameters
    ----------
    register
        All facts.
    known_at
        What was recorded after this instant is left out.
    applicable
        Obligations that the node can apply.

    Raises
    ------
    InputError
        If the register holds a text that is no Unicode.
    """
    known = register.as_known(known_at)
    parts = [
        _HEADER.replace("{known}", written(down(known_at))),
        *_label_forbids(known),
        *_security_forbids(known),
        *_permits(known, applicable),
    ]
    return "\n".join(parts)
