"""A question, compiled: the rules and articles that are left to look at, and what was said before.

Much of a question is settled before a product comes along: which articles cover the kind, which of them are in force, which rules
cannot fail. What is left is a handful of comparisons. What is said of a rule that fails is made once for all products of which
the same is to be said (`kizuna.release.case.Explanation`).

The rules themselves are those of `kizuna.release.rules` and nothing else: this module only chooses which of them to call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kizuna.release.columns import ALL, ALWAYS, NEVER, NO, YES, ArticleRow, ProductRow, micros
from kizuna.release.expressions import Column, Expression, Literal, Operation, columns_of, settle, trace
from kizuna.release.reasons import EXPLANATIONS
from kizuna.release.rules import RULES, RuleId
from kizuna.release.view import millimetres, nobody_in_common

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.release.case import Failure
    from kizuna.release.columns import QuestionRow
    from kizuna.release.decision import Decision
    from kizuna.release.rules import Condition, Rule
    from kizuna.release.subject import Subject
    from kizuna.release.view import Entry, LabelColumns, Question, View

__all__ = ["Check", "Dominated", "Lineage", "Plan", "Said", "Scope", "Verdict", "Way", "lineage_of", "plan_for"]

_NO_PARENTS = {
    "parents_policy": 0,
    "parents_rank": 0,
    "parents_marking": 0,
    "parents_made": ALWAYS,
    "parents_review": NEVER,
    "parents_releasable": ALL,
    "parents_needs": 0,
    "parents_consent": YES,
    "disjoint": NO,
}
"""Columns of a product that is derived from nothing."""


def _shaped(expression: Expression, shape: int) -> Expression:
    """Tree of a condition for products of a shape."""
    match expression:
        case Column(side="p", name=name):
            known = _shaped_columns(shape).get(name)
            return expression if known is None else Literal(known, expression.sort)
        case Operation(operator, left, right, sort):
            return Operation(operator, _shaped(left, shape), _shaped(right, shape), sort)
        case _:
            return expression


_TREES = {rule.id: trace(rule.holds) for rule in RULES}
_COLUMNS = {rule: tuple(columns_of(tree)) for rule, tree in _TREES.items()}
_COVERED = next(rule for rule in RULES if rule.id is RuleId.COVERED)
_ABOUT_PRODUCT = [rule for rule in RULES if rule.about_product]
_ABOUT_ARTICLE = [rule for rule in RULES if not rule.about_product and rule is not _COVERED]
_HANGING = [rule for rule in _ABOUT_ARTICLE if any(column.side == "p" for column in _COLUMNS[rule.id])]
# Rules that look at nothing of the product hold, or not, for a question as a whole.
_WITHOUT_PRODUCT = [rule for rule in _ABOUT_ARTICLE if rule not in _HANGING]
_OFFERED = tuple(sorted({column.name for rule in _HANGING for column in _COLUMNS[rule.id] if column.side == "a"}))
_ASKED = ("at", "known", "partner", "secured", "exposed")
_ANY_SHAPE = 7
_MOST_KEPT = 20_000
_TIMES = {"acquired_from", "acquired_until"}
_MEASURED = {RuleId.ACQUIRED, RuleId.PRODUCED, RuleId.DELAY, RuleId.AREA, RuleId.DENIED_AREA, RuleId.RESOLUTION}
"""Rules about when, where and how finely something was observed: of these things each product has its own."""
_PLACES = {"inside", "touches", "placed"}
# Of a refusal that is not first, more than a person may decide on is missing: it comes after all those of which only that is.
_BEYOND_A_PERSON = 1_000


class _NothingRow:
    """Stands for the row that a rule does not look at."""

    __slots__ = ()


_NO_ARTICLE: ArticleRow = _NothingRow()  # type: ignore[assignment]
_NO_PRODUCT: ProductRow = _NothingRow()  # type: ignore[assignment]


class _Row:
    """Row of a product that is derived from nothing, of which only the columns that a plan looks at are filled in."""

    __slots__ = tuple(name for name in ProductRow.__slots__ if name not in _NO_PARENTS)


for _name, _value in _NO_PARENTS.items():
    setattr(_Row, _name, _value)


class _DerivedRow(_Row):
    """The same of a product that is derived from others."""

    __slots__ = tuple(_NO_PARENTS)


@dataclass(eq=False, slots=True)
class Dominated:
    """Columns of the labels of all parents, dominated, but for their dates (`kizuna.release.columns.ProductRow`)."""

    policy: int
    rank: int
    marking: int
    releasable: int
    needs: int
    disjoint: int


@dataclass(eq=False, slots=True)
class Lineage:
    """What a product is derived from.

    Parameters
    ----------
    labels
        The parents' labels; None where one is not known.
    columns
        Columns of each, one object for all labels that say the same.
    dominated
        Columns of all of them together.
    """

    labels: tuple[Label | None, ...]
    columns: tuple[LabelColumns | None, ...]
    dominated: Dominated


def lineage_of(view: View, subject: Subject, label: Label, own: LabelColumns) -> Lineage:
    """What a product with this label is derived from."""
    labels = tuple([None if a.label is None else view.label_of(a.product, a.label) for a in subject.ancestors])
    columns = tuple([None if one is None else view.label_columns(one) for one in labels])
    whole = None not in [ancestor.originator for ancestor in subject.ancestors]
    key = (whole, own, columns)
    found = view.dominated.get(key)
    if not isinstance(found, Dominated):
        if len(view.dominated) > _MOST_KEPT:
            view.dominated.clear()
        known = [one for one in labels if one is not None]
        found = view.dominated[key] = _dominate(view, label, known, whole=whole and len(known) == len(labels))
    return Lineage(labels, columns, found)


def _dominate(view: View, own: Label, labels: Sequence[Label], *, whole: bool) -> Dominated:
    columns = [view.label_columns(label) for label in labels]
    classified = [column for column in columns if column.rank > 0]
    releasable, needs, marking = ALL, view.common_needs([own, *labels]), 0
    for column in columns:
        releasable &= column.releasable
        needs |= column.needs
        marking |= column.marking
    # Levels of different policies have no order: of such parents no article's ceiling speaks.
    unknown = not whole or any(column.rank < 0 for column in columns) or len({column.policy for column in classified}) > 1
    return Dominated(
        policy=classified[0].policy if classified else 0,
        rank=-1 if unknown else max((column.rank for column in columns), default=0),
        marking=marking,
        releasable=releasable,
        needs=needs,
        disjoint=int(nobody_in_common([own, *labels])),
    )


@dataclass(eq=False, slots=True)
class Said:
    """What a failing rule says, of one product or of many."""

    failures: tuple[Failure, ...]


class Check:
    """A rule that may fail for a product, under one article if it speaks of articles.

    Attributes
    ----------
    rule
        The rule.
    holds, refers
        Its conditions.
    explain, key, parents
        How it explains itself (`kizuna.release.case.Explanation`).
    said
        What it said before, by the key of its explanation.
    """

    __slots__ = ("explain", "holds", "key", "parents", "refers", "rule", "said")
    said: dict[object, Any]

    def __init__(self, rule: Rule, view: View, question: Question, entry: Entry | None = None) -> None:
        self.rule, self.holds, self.refers = rule, rule.holds, rule.refers
        explanation = EXPLANATIONS[rule.id]
        self.explain, self.key, self.parents = explanation.explain, explanation.key, explanation.parents
        if explanation.timeless:
            about = None if entry is None else (entry.agreement.id, entry.agreement.version, id(entry.article))
            self.said = view.said.setdefault((rule.id, question.giver, question.partner, about), {})
        else:
            self.said = {}


type _Asked = tuple[Check, Condition]


@dataclass(eq=False, slots=True)
class Way:
    """An article under which products may go.

    Parameters
    ----------
    entry
        The article.
    settled
        Rules that fail whatever the product.
    referred
        Whether a person may decide on each of these.
    hanging, offered
        Rules that hang on the product, and the columns of the article that they look at.
    open
        Of these, the rules that may fail, with their conditions, by the shape of products.
    """

    entry: Entry
    settled: tuple[Check, ...]
    referred: bool
    hanging: tuple[Check, ...]
    offered: tuple[int, ...]
    open: dict[int, tuple[_Asked, ...]]

    def asked(self, shape: int) -> tuple[_Asked, ...]:
        """Rules that may fail for products of a shape, with their conditions."""
        found = self.open.get(shape)
        if found is None:
            checks = [self.hanging[number] for number in _may_fail(shape, "a", self.offered)]
            found = self.open[shape] = tuple([(check, check.holds) for check in checks])
        return found


type _Offer = tuple[Way, ArticleRow, tuple[_Asked, ...], tuple[Check, ...]]
type Verdict = tuple[Sequence[Check], Way | None, Sequence[Check], bool]
"""What the rules say of a product: the rules about the product that fail; the article that is nearest to letting it go, None if
none covers its kind; the rules that fail for it; and whether a person may decide on all of these."""


class Scope:
    """A question about one kind of product: what covers it, and which columns of the product have to be filled in."""

    __slots__ = (
        "_checks",
        "_ways",
        "covered",
        "decisions",
        "forms",
        "measured",
        "named",
        "places",
        "plan",
        "produced",
        "resolution",
        "shapes",
        "timed",
        "times",
    )

    def __init__(
        self, plan: Plan, checks: tuple[Check, ...], known: tuple[int, ...], ways: tuple[Way, ...], covered: Check
    ) -> None:
        self.plan = plan
        self._checks, self._ways, self.covered = (checks, known), ways, (covered,)
        self.shapes: dict[int, tuple[tuple[_Asked, ...], tuple[_Offer, ...]]] = {}
        _, offers = self.shape(_ANY_SHAPE)
        open_ = {check.rule.id for _, _, asked, _ in offers for check, _ in asked}
        columns = [column for rule in open_ for column in _COLUMNS[rule]]
        names = {column.name for column in columns if column.side == "p"}
        self.times, self.produced = not names.isdisjoint(_TIMES), "produced" in names
        self.places, self.resolution = not names.isdisjoint(_PLACES), "resolution" in names
        # Where instants of the product are only compared with the one asked about, all that matters is their order to it: that
        # one is then 0. (An article that asks for a delay adds to an instant.)
        self.timed = any(column.side == "q" and column.name == "at" for column in columns)
        self.measured = tuple(
            [(check.holds, row) for _, row, asked, _ in offers for check, _ in asked if check.rule.id in _MEASURED]
        )
        # Of one that is too fine or touches what is excluded, it is said how fine it is, and what it touches.
        measured = [check.rule.id for _, _, asked, _ in offers for check, _ in asked if check.rule.id in _MEASURED]
        self.named = [number for number, rule in enumerate(measured) if rule in {RuleId.DENIED_AREA, RuleId.RESOLUTION}]
        self.forms = tuple([row for _, row, _, _ in offers if row.finest or row.crops])
        self.decisions: dict[object, Decision] = {}

    def key(self, view: View, subject: Subject, label: Label, own: LabelColumns, lineage: Lineage | None, at: Instant) -> object:
        """What a decision under this question looks at of a product, if that is nothing of which there is one only; else None.

        Labels are all current, and nobody ever consented to anything about the product or its parents. Of when, where and how
        finely it was observed enters only which articles allow it.
        """
        holder, whose = subject.holder, None
        if label.created > at or (label.review is not None and label.review <= at):
            return None
        if subject.originator != holder or label.originator != holder:
            if view.has_consents(subject.product):
                return None
            whose = (subject.originator, label.originator)
        if lineage is None:
            parents = None
        elif _is_ordinary(subject, lineage, at):
            parents = lineage.columns
        else:
            return None
        key = (own, whose, parents, subject.complex_data)
        return (*key, *self._held(view, subject, at)) if self.measured else key

    def _held(self, view: View, subject: Subject, at: Instant) -> list[object]:
        """Which articles allow when, where and how finely a product was observed, and what is said of it where they do not."""
        row: ProductRow = _Row()  # type: ignore[assignment]
        self.measure(row, view, subject)
        asked = self.plan.question.row(micros(at)) if self.timed else self.plan.now
        held: list[object] = [holds(row, article, asked) for holds, article in self.measured]
        if not all(held):
            # What is said of one that was observed at another time, or elsewhere, may be that this is not known.
            touches = subject.placement.touches
            held.append((subject.event is None or subject.event.end is None, subject.produced is None, touches is None))
            for number in self.named:
                # Of one that touches what is excluded, or is too fine, it is said what it touches, and how fine it is.
                if not held[number]:
                    denied = self.measured[number][1].denied
                    held.append((row.touches & denied if self.places else 0, subject.resolution_m if self.resolution else None))
        for article in self.forms:
            held.append(self.resolution and article.finest <= row.resolution)
            held.append(self.places and row.inside & article.areas != 0)
        return held

    def measure(self, row: ProductRow, view: View, subject: Subject) -> None:
        """Fill in when, where and how finely a product was observed, as far as it is looked at."""
        if self.times:
            event = subject.event
            row.acquired_from = ALWAYS if event is None else micros(event.begin)
            row.acquired_until = NEVER if event is None or event.end is None else micros(event.end)
        if self.produced:
            row.produced = NEVER if subject.produced is None else micros(subject.produced)
        if self.resolution:
            row.resolution = millimetres(subject.resolution_m)
        if self.places:
            row.inside, row.touches, row.placed = view.place_columns(subject.placement)

    def shape(self, shape: int) -> tuple[tuple[_Asked, ...], tuple[_Offer, ...]]:
        """What is left to ask of products of a shape: of the product alone, and of each article.

        A product's shape is 1 if it is derived from others, plus 2 if its label asks for something of an article, plus 4 if it is
        classified (or nobody knows whether it is).
        """
        checks, known = self._checks
        about_product = [checks[number] for number in _may_fail(shape, "q", known)]
        found = self.shapes[shape] = (
            tuple([(check, check.holds) for check in about_product]),
            tuple([(way, way.entry.row, way.asked(shape), way.settled) for way in self._ways]),
        )
        return found


def _is_ordinary(subject: Subject, lineage: Lineage, at: Instant) -> bool:
    """Whether all parents are the holder's own, and their labels known and current."""
    for ancestor, label in zip(subject.ancestors, lineage.labels, strict=True):
        if label is None or ancestor.originator != subject.holder or label.originator != subject.holder:
            return False
        if label.created > at or (label.review is not None and label.review <= at):
            return False
    return True


class Plan:
    """A question, compiled.

    Attributes
    ----------
    question
        The question.
    now
        Its row where the instant asked about is 0.
    """

    __slots__ = ("_checks", "_known", "_scopes", "_ways", "now", "question")

    def __init__(self, view: View, question: Question, at: Instant) -> None:
        self.question = question
        asked = question.row(micros(at))
        self._checks = tuple([Check(rule, view, question) for rule in _ABOUT_PRODUCT])
        self._known = (0, asked.known, asked.partner, asked.secured, asked.exposed)
        # In this order articles are preferred that let a product go.
        entries = sorted(
            question.entries, key=lambda entry: (len(entry.article.obligations), entry.agreement.id, entry.article.number)
        )
        self._ways = tuple([_way(view, question, entry, asked) for entry in entries])
        self._scopes: dict[str, Scope] = {}
        self.now = question.row(0)

    def _scope(self, view: View, kind: str) -> Scope:
        row: ProductRow = _Row()  # type: ignore[assignment]
        row.kind = view.kinds.bit(kind)
        ways = tuple([way for way in self._ways if _COVERED.holds(row, way.entry.row, self.now)])
        covered = Check(_COVERED, view, self.question)
        covered.said = view.said.setdefault((_COVERED.id, self.question.giver, self.question.partner, kind), {})
        scope = self._scopes[kind] = Scope(self, self._checks, self._known, ways, covered)
        return scope

    def scope(self, view: View, kind: str) -> Scope:
        """The question about one kind of product."""
        return self._scopes.get(kind) or self._scope(view, kind)

    def judge(self, scope: Scope, own: LabelColumns, row: ProductRow, asked: QuestionRow, *, derived: bool) -> Verdict:
        """Run the rules that are left on a product."""
        shape = (1 if derived else 0) + (2 if own.needs else 0) + (4 if own.rank else 0)
        checks, offers = scope.shapes.get(shape) or scope.shape(shape)
        forbidding = [check for check, holds in checks if not holds(row, _NO_ARTICLE, asked)]
        nearest: Way | None = None
        best: Sequence[Check] = ()
        least, referred = 2 * _BEYOND_A_PERSON, False
        for way, article, open_, settled in offers:
            failed = [check for check, holds in open_ if not holds(row, article, asked)]
            if not failed and not settled:
                # Nothing is nearer than an article that lets it go.
                nearest, best, referred = way, (), True
                break
            refers = way.referred and (not failed or _refers(failed, row, article, asked))
            count = len(failed) + len(settled) + (0 if refers else _BEYOND_A_PERSON)
            if count < least:
                nearest, least, referred = way, count, refers
                best = (*settled, *failed) if settled else failed
        if nearest is None:
            return forbidding, None, scope.covered, False
        refer = referred and (not forbidding or _refers(forbidding, row, _NO_ARTICLE, asked))
        return forbidding, nearest, best, refer

    def row(
        self, scope: Scope, view: View, subject: Subject, label: Label, own: LabelColumns, lineage: Lineage | None, at: Instant
    ) -> tuple[ProductRow, QuestionRow]:
        """What the rules that are left look at of a product with its own label and those of its parents."""
        row: ProductRow = _Row() if lineage is None else _DerivedRow()  # type: ignore[assignment]
        row.policy, row.rank, row.marking = own.policy, own.rank, own.marking
        row.releasable, row.needs = own.releasable, own.needs
        row.phase = subject.complex_data
        if scope.timed:
            asked = self.question.row(micros(at))
            row.made = micros(label.created)
            row.review = NEVER if label.review is None else micros(label.review)
        else:
            asked = self.now
            row.made = 0 if label.created <= at else 1
            row.review = 1 if label.review is None or at < label.review else 0
        holder = subject.holder
        row.consent = (
            YES
            if subject.originator == holder and label.originator == holder
            else view.own_consent(subject, label, self.question.partner, at)
        )
        scope.measure(row, view, subject)
        if lineage is not None:
            all_ = lineage.dominated
            row.parents_policy, row.parents_rank, row.parents_marking = all_.policy, all_.rank, all_.marking
            row.parents_releasable, row.parents_needs, row.disjoint = all_.releasable, all_.needs, all_.disjoint
            row.parents_made, row.parents_review = _dates(lineage, at, timed=scope.timed)
            row.parents_consent = view.parents_consent(subject, lineage.labels, self.question.partner, at)
        return row, asked


def _dates(lineage: Lineage, at: Instant, *, timed: bool) -> tuple[int, int]:
    """Latest making and earliest review of labels: in microseconds, or as their order to the instant asked about, which is 0."""
    made, review = (ALWAYS, NEVER) if timed else (0, 1)
    for label in lineage.labels:
        if label is None:
            continue
        if timed:
            made = max(made, micros(label.created))
            review = review if label.review is None else min(review, micros(label.review))
        else:
            made = made if label.created <= at else 1
            review = review if label.review is None or at < label.review else 0
    return made, review


def _refers(failed: Sequence[Check], row: ProductRow, article: ArticleRow, asked: QuestionRow) -> bool:
    """Whether a person may decide on each of these rules."""
    for check in failed:  # noqa: SIM110 - a generator would take longer than what it goes through
        if check.refers is None or not check.refers(row, article, asked):
            return False
    return True


def _way(view: View, question: Question, entry: Entry, asked: QuestionRow) -> Way:
    settled = tuple(
        [Check(rule, view, question, entry) for rule in _WITHOUT_PRODUCT if not rule.holds(_NO_PRODUCT, entry.row, asked)]
    )
    return Way(
        entry,
        settled,
        _refers(settled, _NO_PRODUCT, entry.row, asked),
        tuple([Check(rule, view, question, entry) for rule in _HANGING]),
        tuple([getattr(entry.row, name) for name in _OFFERED]),
        {},
    )


@lru_cache(maxsize=4096)
def _may_fail(shape: int, side: str, values: tuple[int, ...]) -> tuple[int, ...]:
    """Places of the rules that may fail for products of a shape, where these columns are known of an article or a question."""
    rules, names = (_HANGING, _OFFERED) if side == "a" else (_ABOUT_PRODUCT, _ASKED)
    rows = {side: SimpleNamespace(**dict(zip(names, values, strict=True)))}
    settled = [settle(_shaped(_TREES[rule.id], shape), rows) for rule in rules]
    return tuple([number for number, tree in enumerate(settled) if not isinstance(tree, Literal) or not tree.value])


@cache
def _shaped_columns(shape: int) -> Mapping[str, int]:
    return (
        (_NO_PARENTS if not shape & 1 else {}) | ({"needs": 0} if not shape & 2 else {}) | ({"rank": 0} if not shape & 4 else {})
    )


def plan_for(view: View, question: Question, at: Instant) -> Plan:
    """Plan of a question, made when it is first asked."""
    plan = question.plan
    if not isinstance(plan, Plan):
        plan = question.plan = Plan(view, question, at)
    return plan
