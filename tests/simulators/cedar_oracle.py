"""Random registers and questions, put to kizuna and to Cedar: an independent engine under independently written policies.

Each question starts from one that is permitted; a few facts are then changed, so that every rule is met both ways, most often
alone. Instants fall on the very dates of the facts and a millisecond beside them.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import cedarpy

from kizuna.formats.cedar import CEDAR_SCHEMA, cedar_policies
from kizuna.formats.cedar_requests import cedar_request
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import Party
from kizuna.model.regions import Placement, area_of
from kizuna.release.agreements import (
    Agreement,
    AgreementKind,
    Article,
    Bound,
    Consent,
    Equivalence,
    Grant,
    Relabelling,
    Resumption,
    Suspension,
    Term,
    Withdrawal,
)
from kizuna.release.columns import micros
from kizuna.release.decide import Ancestor, Subject, decide
from kizuna.release.decision import Obligation, ObligationKind, Outcome
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.register import Register
from kizuna.release.rules import RULES
from kizuna.release.view import view_of
from simulators.rules import FRA, HUR, IQPS, JPN, LADDERS, NOW, NZL, UKR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Question", "Survey", "World", "answers", "disagreements", "survey", "worlds"]

DAY, MOMENT = timedelta(days=1), timedelta(milliseconds=1)
SCHEMA = cedarpy.Schema.from_str(CEDAR_SCHEMA)
AREAS = [
    area_of(name, ((((x, 0.0), (x + 1.0, 0.0), (x, 1.0), (x, 0.0)),),)) for name, x in (("the strait", 1.0), ('the "gulf"', 5.0))
]
MARKINGS = {"JPN": ["秘", "極秘", "機密"], "UKR": ["ДСК", "Таємно", "Цілком таємно"], "USA": ["SECRET"], "NOR": ["HEMMELIG"]}
TAGS, VALUES = ["SAP", 'Ha"ndling'], ["X", "Y", "Z"]
STRANGER = Party("ZZZ/HUR")
PURPOSES = ["maritime awareness", "disaster relief"]
PRODUCTS = [f"p{number}" for number in range(8)]
PARENTS = ["parent", "other parent"]
_PER_WORLD = 16


class Dice(random.Random):
    """What chooses; `moment` is how far beside a date instants fall."""

    moment = MOMENT


@dataclass(frozen=True, slots=True)
class Question:
    """What `decide` is asked besides the register and what is known of it."""

    subject: Subject
    partner: Party
    valid_at: Instant
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """A register, as known at an instant, and questions about it."""

    register: Register
    known_at: Instant
    questions: tuple[Question, ...]


def _day(number: float) -> Instant:
    return Instant(NOW + number * DAY)


def _about(dice: Dice) -> Instant:
    """An instant near that of most questions, on a date that other facts have too, or a millisecond beside it."""
    return Instant(_day(dice.randint(-3, 3)) + dice.choice([-1, 0, 0, 1]) * dice.moment)


def _bound(dice: Dice, instant: Instant) -> Bound:
    match dice.randrange(10):
        case 0:
            return Bound(None, None, "unknown")
        case 1 | 2:
            return Bound(instant, Instant(instant + 2 * DAY), "about")
        case _:
            return Bound(instant, instant, "exactly")


def _term(dice: Dice) -> Term:
    begin = _bound(dice, _about(dice))
    if dice.random() < 0.5:
        return Term(begin)
    end = _bound(dice, _about(dice))
    if begin.earliest is not None and end.latest is not None and end.latest <= begin.earliest:
        begin, end = replace(begin, earliest=end.earliest, latest=end.earliest), replace(begin, latest=begin.latest)
        if begin.latest is None or end.latest is None or end.latest <= begin.latest:
            return Term(begin)
    return Term(begin, end)


def _exactly(instant: Instant) -> Bound:
    return Bound(instant, instant, "exactly")


def _some[T](dice: Dice, of: Sequence[T], least: int = 1) -> tuple[T, ...]:
    return tuple(dice.sample(of, dice.randint(least, len(of))))


# What is permitted, before anything is changed.

LONG_AGO = _day(-30)
ALWAYS = Term(Bound(LONG_AGO, LONG_AGO, "long ago"))
ARTICLE = Article(
    "1",
    "imagery",
    (JPN, IQPS, UKR),
    (HUR, UKR, STRANGER),
    ("imagery", "detections"),
    "JPN",
    "極秘",
    categories=(Grant("SAP", ("X", "Z")),),
)
SHARE = Agreement("A", 1, "sharing", AgreementKind.SHARING, (JPN, UKR), ALWAYS, LONG_AGO, (ARTICLE,))
PAIRS = tuple(
    Equivalence("JPN", marking, "UKR", equal, "4", "text", verified=True)
    for marking, equal in (("秘", "Таємно"), ("極秘", "Таємно"), ("機密", "Цілком таємно"))
)
ISA = Agreement("ISA", 1, "security", AgreementKind.INFORMATION_SECURITY, (JPN, UKR), ALWAYS, LONG_AGO, equivalences=PAIRS)
LABEL = Label("JPN", "秘", JPN, LONG_AGO)
OBSERVED = Interval(Instant(NOW - 2 * DAY), Instant(NOW - 2 * DAY + timedelta(seconds=5)))
SUBJECT = Subject(
    "p0",
    "imagery",
    JPN,
    JPN,
    LABEL,
    event=OBSERVED,
    produced=Instant(NOW - DAY),
    resolution_m=0.5,
    placement=Placement(inside=frozenset({AREAS[0].id}), touches=frozenset({AREAS[0].id})),
)


# Changes of an article.


def _grants(dice: Dice, article: Article) -> Article:
    grants = [Grant(dice.choice(TAGS), _some(dice, VALUES)) for _ in range(dice.randint(1, 3))]
    return replace(article, categories=tuple(grants))


def _obligation(dice: Dice) -> Obligation:
    kind = dice.choice([*ObligationKind, ObligationKind.DELAY, ObligationKind.RESOLUTION])
    match kind:
        case ObligationKind.DELAY:
            value = dice.choice(["24", "48", "47.5", "48.5", "72", "0", "-1", "nan", "soon", "1e9"])
        case ObligationKind.RESOLUTION:
            value = dice.choice(["0.5", "0.501", "0.25", "1", "10", "0", "inf", ""])
        case _:
            value = "text"
    return Obligation(kind, value, "A", "1")


def _obliges(dice: Dice, article: Article) -> Article:
    return replace(article, obligations=(*article.obligations, *(_obligation(dice) for _ in range(dice.randint(1, 2)))))


ARTICLE_CHANGES: list[Callable[[Dice, Article], Article]] = [
    _grants,
    _grants,
    _obliges,
    _obliges,
    _obliges,
    lambda dice, a: replace(a, obligations=(Obligation(ObligationKind.RESOLUTION, dice.choice(["0.5", "0.001"]), "A", "1"),)),
    lambda dice, a: replace(a, ceiling=dice.choice([None, "SECRET", UNCLASSIFIED, *MARKINGS["JPN"]])),
    lambda dice, a: replace(a, policy="UKR", ceiling=dice.choice(MARKINGS["UKR"])),
    lambda dice, a: replace(a, givers=_some(dice, [JPN, IQPS, UKR])),
    lambda dice, a: replace(a, receivers=_some(dice, [HUR, UKR, FRA, NZL, STRANGER])),
    lambda dice, a: replace(a, kinds=_some(dice, ["imagery", "detections", "cyber"])),
    *[lambda dice, a: replace(a, purposes=_some(dice, PURPOSES))] * 2,
    lambda dice, a: replace(a, areas=_some(dice, AREAS)),
    lambda dice, a: replace(a, areas=_some(dice, AREAS), obligations=(Obligation(ObligationKind.AREA, "", "A", "1"),)),
    lambda dice, a: replace(a, denied_areas=_some(dice, AREAS)),
    lambda dice, a: replace(a, acquired=_term(dice)),
    lambda dice, a: replace(a, produced=_term(dice)),
]


# Changes of a register.


def _each(register: Register, id_: str, change: Callable[[Agreement], Agreement]) -> Register:
    return replace(register, agreements=tuple(change(a) if a.id == id_ else a for a in register.agreements))


def _change_article(dice: Dice, register: Register) -> Register:
    def changed(agreement: Agreement) -> Agreement:
        articles = agreement.articles
        for _ in range(dice.randint(1, 2)):
            articles = tuple(dice.choice(ARTICLE_CHANGES)(dice, article) for article in articles)
        return replace(agreement, articles=articles)

    return _each(register, "A", changed)


def _add_article(dice: Dice, register: Register) -> Register:
    article = replace(ARTICLE, number=dice.choice(["1", "2", "3 § „b“"]))
    for _ in range(dice.randint(1, 3)):
        article = dice.choice(ARTICLE_CHANGES)(dice, article)
    return _each(register, "A", lambda a: replace(a, articles=(*a.articles, article)))


def _add_agreement(dice: Dice, register: Register) -> Register:
    other = replace(
        dice.choice([SHARE, SHARE, ISA]),
        id=dice.choice(["B", 'B "b" \\ \n//', "ISA", "A"]),
        version=dice.randint(1, 2),
        kind=dice.choice(list(AgreementKind)),
        term=dice.choice([ALWAYS, _term(dice)]),
        recorded_at=dice.choice([LONG_AGO, _about(dice)]),
        applies_from=dice.choice([None, _exactly(_about(dice))]),
    )
    # Of two records of one version nobody can say which holds; a node refuses the second one.
    if any((other.id, other.version) == (a.id, a.version) for a in register.agreements):
        return register
    return replace(register, agreements=(*register.agreements, other))


def _add_version(dice: Dice, register: Register) -> Register:
    """A higher version of an agreement, as a rule from a day on."""
    id_ = dice.choice(["A", "A", "ISA"])
    before = max((a for a in register.agreements if a.id == id_), key=lambda a: a.version)
    after = replace(
        before,
        version=before.version + 1,
        term=dice.choice([ALWAYS, ALWAYS, _term(dice)]),
        recorded_at=dice.choice([LONG_AGO, _about(dice)]),
        articles=tuple(dice.choice(ARTICLE_CHANGES)(dice, article) for article in before.articles),
        equivalences=tuple(_pair(dice, pair) for pair in before.equivalences),
        applies_from=None if dice.random() < 0.2 else _exactly(_about(dice)),
    )
    return replace(register, agreements=(*register.agreements, after))


def _pair(dice: Dice, pair: Equivalence) -> Equivalence:
    match dice.randrange(8):
        case 0:
            return replace(pair, verified=False)
        case 1 | 2:
            return replace(pair, valid=_term(dice))
        case 3:
            return replace(pair, to_marking=dice.choice([*MARKINGS["UKR"], "SECRET", UNCLASSIFIED]))
        case 4:
            return replace(pair, marking=dice.choice([*MARKINGS["JPN"], UNCLASSIFIED]))
        case 5:
            return replace(pair, policy=dice.choice(["UKR", "NOR"]), marking="ДСК", to_policy=dice.choice(["UKR", "JPN"]))
        case _:
            return pair


def _change_pairs(dice: Dice, register: Register) -> Register:
    def changed(agreement: Agreement) -> Agreement:
        pairs = [_pair(dice, pair) if dice.random() < 0.5 else pair for pair in agreement.equivalences]
        if dice.random() < 0.4:
            pairs.append(_pair(dice, dice.choice(PAIRS)))
        if dice.random() < 0.2:
            pairs.pop(dice.randrange(len(pairs)))
        return replace(agreement, equivalences=tuple(pairs))

    return _each(register, "ISA", changed)


def _suspend(dice: Dice, register: Register) -> Register:
    id_ = dice.choice(["A", "A", "ISA"])
    suspension = Suspension(id_, _term(dice), dice.choice([LONG_AGO, _about(dice)]), "review\nof it")
    resumptions = [
        Resumption(dice.choice([id_, id_, "A"]), _about(dice), dice.choice([_about(dice), _day(-29)]))
        for _ in range(dice.randint(0, 3))
    ]
    suspensions = [suspension]
    if dice.random() < 0.4:
        # Another one, or what corrects it: of the same begin.
        other = Suspension(id_, _term(dice), dice.choice([LONG_AGO, _about(dice)]), "review again")
        end = other.term.end
        begin = suspension.term.begin
        late = end is None or end.latest is None or begin.earliest is None or end.latest > begin.earliest
        suspensions.append(replace(other, term=Term(begin, end)) if late and dice.random() < 0.6 else other)
    return replace(
        register,
        suspensions=(*register.suspensions, *suspensions),
        resumptions=(*register.resumptions, *resumptions),
    )


def _withdraw(dice: Dice, register: Register) -> Register:
    withdrawal = Withdrawal(dice.choice(["A", "A", "ISA", "B"]), _about(dice), dice.choice([LONG_AGO, _about(dice)]), "reason")
    return replace(register, withdrawals=(*register.withdrawals, withdrawal))


def _relabel(dice: Dice, register: Register) -> Register:
    product = dice.choice([*PRODUCTS, *PARENTS])
    made = [Relabelling(product, _label(dice), dice.choice([LONG_AGO, _about(dice)])) for _ in range(dice.randint(1, 2))]
    return replace(register, relabellings=(*register.relabellings, *made))


def _accept(dice: Dice, register: Register) -> Register:
    return replace(register, accepted_ladders=frozenset(_some(dice, ["UKR", "USA"])))


REGISTER_CHANGES: list[Callable[[Dice, Register], Register]] = [
    *[_change_article] * 12,
    _add_article,
    _add_agreement,
    *[_add_version] * 2,
    _change_pairs,
    *[_suspend] * 3,
    *[_withdraw] * 2,
    _relabel,
    _accept,
    lambda dice, register: _each(register, "A", lambda a: replace(a, term=_term(dice))),
    lambda dice, register: _each(register, "A", lambda a: replace(a, kind=dice.choice(list(AgreementKind)))),
    lambda dice, register: _each(register, "ISA", lambda a: replace(a, term=_term(dice))),
    lambda dice, register: _each(register, "ISA", lambda a: replace(a, parties=_some(dice, [JPN, UKR, FRA, IQPS], 2))),
    lambda dice, register: replace(register, ladders={k: v for k, v in register.ladders.items() if dice.random() < 0.8}),
]


def _consents(dice: Dice) -> Iterator[Consent]:
    for originator in (FRA, UKR, IQPS):
        for product in (*PRODUCTS, *PARENTS):
            if dice.random() < 0.6:
                term = ALWAYS if dice.random() < 0.6 else _term(dice)
                receiver = dice.choice([HUR, HUR, HUR, UKR])
                given = Consent(originator, product, receiver, term, dice.choice([LONG_AGO, LONG_AGO, _about(dice)]))
                yield given
                if dice.random() < 0.2:
                    # Corrected, taken back, or (of one instant) contradicted.
                    yield replace(
                        given, term=dice.choice([ALWAYS, _term(dice)]), recorded_at=dice.choice([LONG_AGO, _about(dice)])
                    )


def _register(dice: Dice) -> Register:
    register = Register((SHARE, ISA), consents=tuple(_consents(dice)), ladders=LADDERS)
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
        register = dice.choice(REGISTER_CHANGES)(dice, register)
    return register


# Changes of a product.


def _category(dice: Dice, tag: str) -> Category:
    return Category(tag, dice.choice(list(CategoryType)), _some(dice, VALUES))


LABEL_CHANGES: list[Callable[[Dice, Label], Label]] = [
    lambda dice, label: replace(label, classification=UNCLASSIFIED),
    lambda dice, label: replace(label, classification=dice.choice([*MARKINGS["JPN"], "部外秘"])),
    lambda dice, label: replace(
        label, policy=(policy := dice.choice(list(MARKINGS))), classification=dice.choice([UNCLASSIFIED, *MARKINGS[policy]])
    ),
    lambda dice, label: replace(label, originator=dice.choice([IQPS, FRA, UKR])),
    lambda dice, label: replace(label, created=_about(dice)),
    lambda dice, label: replace(label, review=_about(dice)),
    lambda dice, label: replace(label, releasable_to=_some(dice, [HUR, HUR, UKR, NZL, FRA], 0)),
    lambda dice, label: replace(label, categories=tuple(_category(dice, tag) for tag in _some(dice, [*TAGS, *TAGS]))),
]


def _label(dice: Dice) -> Label:
    label = LABEL
    for _ in range(dice.choice([0, 1, 1, 2])):
        label = dice.choice(LABEL_CHANGES)(dice, label)
    return label


def _ancestors(dice: Dice) -> tuple[Ancestor, ...]:
    return tuple(
        Ancestor(
            product,
            dice.choice([JPN, JPN, JPN, JPN, FRA, IQPS, None]),
            None if dice.random() < 0.07 else _label(dice),
        )
        for product in _some(dice, PARENTS)
    )


def _apart(dice: Dice, subject: Subject) -> Subject:
    """A product and a parent that each let somebody have it, but nobody in common."""
    apart: Sequence[dict[str, object]] = dice.choice(
        [
            [{"releasable_to": (HUR, UKR)}, {"releasable_to": (NZL,)}],
            [{"categories": (Category("SAP", CategoryType.PERMISSIVE, (value,)),)} for value in "XY"],
        ]
    )
    own, other = (replace(LABEL, classification=dice.choice([UNCLASSIFIED, "秘"]), **changes) for changes in apart)
    return replace(subject, label=own, ancestors=(Ancestor("parent", JPN, other),))


def _repeated(dice: Dice, subject: Subject) -> Subject:
    """A product whose label has two permissive categories of one tag."""
    categories = tuple(Category(TAGS[0], CategoryType.PERMISSIVE, _some(dice, VALUES)) for _ in range(2))
    return replace(subject, label=replace(LABEL, categories=categories))


def _placement(dice: Dice) -> Placement:
    touches = frozenset(area.id for area in _some(dice, AREAS, 0))
    return dice.choice([Placement(), Placement(touches=touches), Placement(frozenset(_some(dice, sorted(touches), 0)), touches)])


SUBJECT_CHANGES: list[Callable[[Dice, Subject], Subject]] = [
    _apart,
    _repeated,
    *[lambda dice, subject: replace(subject, label=_label(dice))] * 3,
    *[lambda dice, subject: replace(subject, ancestors=_ancestors(dice))] * 3,
    lambda dice, subject: replace(subject, kind=dice.choice(["detections", "cyber"])),
    lambda dice, subject: replace(subject, originator=dice.choice([FRA, UKR, IQPS])),
    lambda dice, subject: replace(subject, holder=dice.choice([IQPS, UKR])),
    lambda dice, subject: replace(subject, holder=UKR, originator=UKR, label=replace(_label(dice), originator=UKR)),
    lambda dice, subject: replace(subject, complex_data=False),
    lambda dice, subject: replace(
        subject, event=dice.choice([None, Interval(_about(dice)), replace(OBSERVED, end=_about(dice))])
    ),
    lambda dice, subject: replace(subject, event=Interval(_about(dice), _about(dice))),
    lambda dice, subject: replace(subject, produced=dice.choice([None, _about(dice)])),
    *[lambda dice, subject: replace(subject, resolution_m=dice.choice([None, 0.25, 0.501, 0.001, 0.0009]))] * 2,
    lambda dice, subject: replace(subject, placement=_placement(dice)),
]


def _bounds(terms: Iterable[Term | None]) -> list[Instant]:
    bounds = [bound for term in terms if term is not None for bound in (term.begin, term.end) if bound is not None]
    return [date for bound in bounds for date in (bound.earliest, bound.latest) if date is not None and date > LONG_AGO]


def _periods(register: Register) -> list[Instant]:
    """Dates of the periods in which products must have been observed or made."""
    articles = [article for agreement in register.agreements for article in agreement.articles]
    return _bounds(term for article in articles for term in (article.acquired, article.produced))


def _dates(register: Register) -> list[Instant]:
    """Dates on which what holds may change."""
    terms = [suspension.term for suspension in register.suspensions] + [consent.term for consent in register.consents[:2]]
    for agreement in register.agreements:
        terms += [agreement.term, *(pair.valid for pair in agreement.equivalences)]
        terms += [Term(agreement.applies_from)] if agreement.applies_from is not None else []
    return [*_bounds(terms), *(withdrawal.at for withdrawal in register.withdrawals), *(r.at for r in register.resumptions)]


def _on_a_date(dice: Dice, subject: Subject, periods: Sequence[Instant]) -> Subject:
    """A product of the very instants that an article names."""
    first, last, made = sorted(dice.choice(periods) for _ in range(3))
    event = dice.choice([OBSERVED, Interval(first, last), Interval(last, last), Interval(Instant(first - DAY), last)])
    return replace(subject, event=event, produced=dice.choice([subject.produced, made]))


def _question(dice: Dice, dates: Sequence[Instant], periods: Sequence[Instant]) -> Question:
    subject = replace(SUBJECT, product=dice.choice(PRODUCTS))
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
        subject = dice.choice(SUBJECT_CHANGES)(dice, subject)
    if periods and dice.random() < 0.4:
        subject = _on_a_date(dice, subject, periods)
    return Question(
        subject,
        dice.choice([HUR] * 12 + [UKR, NZL, STRANGER]),
        dice.choice([NOW, NOW, _about(dice), dice.choice(dates or [NOW])]),
        dice.choice(["", "", "", *PURPOSES]),
    )


def worlds(count: int, seed: int = 0, moment: timedelta = MOMENT) -> Iterator[World]:
    """Registers with questions, `count` questions in all."""
    dice = Dice(seed)
    dice.moment = moment
    for first in range(0, count, _PER_WORLD):
        register = _register(dice)
        dates, periods = _dates(register), _periods(register)
        known_at = dice.choice([_day(20), _day(20), _about(dice)])
        yield World(register, known_at, tuple(_question(dice, dates, periods) for _ in range(min(_PER_WORLD, count - first))))


# The two engines.


def answers(world: World, policies: str | None = None) -> list[bool]:
    """Whether Cedar allows each question of a world, under its own policies or others."""
    text = cedar_policies(world.register, world.known_at) if policies is None else policies
    requests, entities = [], {}
    for number, q in enumerate(world.questions):
        made = cedar_request(
            world.register, q.subject, q.partner, q.valid_at, world.known_at, q.purpose, name=f"{q.subject.product}#{number}"
        )
        requests.append(made.request)
        entities |= {json.dumps(entity["uid"]): entity for entity in made.entities}
    known = cedarpy.Entities.from_json_str(json.dumps(list(entities.values())), SCHEMA)
    results = cedarpy.is_authorized_batch(requests, cedarpy.PolicySet.from_str(text), known, SCHEMA)
    faults = [error for result in results for error in result.diagnostics.errors]
    if faults or any(result.decision is cedarpy.Decision.NoDecision for result in results):
        raise AssertionError(f"Cedar could not evaluate a policy: {faults}")
    return [result.allowed for result in results]


def outcome(world: World, question: Question) -> Outcome:
    """What kizuna decides."""
    q = question
    return decide(world.register, q.subject, q.partner, q.valid_at, world.known_at, q.purpose).outcome


def failing(world: World, question: Question) -> set[str]:
    """Rules that fail, for the article of which the fewest do. (Of the rows, only to count what a survey met.)"""
    view, q = view_of(world.register, world.known_at), question
    label = view.label_of(q.subject.product, q.subject.label)
    asked = view.question(q.subject.holder, q.partner, q.purpose, q.valid_at)
    product, row = view.product_row(q.subject, label, q.partner, q.valid_at), asked.row(micros(q.valid_at))
    forbidding = {str(rule.id) for rule in RULES if rule.about_product and not rule.holds(product, None, row)}
    tried = [
        {str(rule.id) for rule in RULES if not rule.about_product and not rule.holds(product, entry.row, row)}
        for entry in asked.entries
    ]
    return forbidding | min(tried, key=len, default={"covered"})


@dataclass(slots=True)
class Survey:
    """What random questions met: outcomes, rules that failed, rules that failed alone, and where the engines disagree."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    disagreements: list[tuple[World, Question, bool]] = field(default_factory=list)


def survey(count: int, seed: int = 0) -> Survey:
    """Ask both engines, and count what was met."""
    found = Survey()
    for world in worlds(count, seed):
        for question, allowed in zip(world.questions, answers(world), strict=True):
            said = outcome(world, question)
            found.outcomes[said] += 1
            if allowed != (said is Outcome.PERMIT):
                found.disagreements.append((world, question, allowed))
            failed = failing(world, question)
            found.failed.update(failed)
            if len(failed) == 1:
                found.alone.update(failed)
    return found


def disagreements(count: int, seed: int = 0) -> int:
    """How often, of `count` random questions, exactly one of the engines permits."""
    return sum(
        allowed != (outcome(world, question) is Outcome.PERMIT)
        for world in worlds(count, seed)
        for question, allowed in zip(world.questions, answers(world), strict=True)
    )
