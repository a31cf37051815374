"""A question, compiled: the rules and articles that are left to look at, and what was said before.

Much of a question is settled before a product comes along: which articles cover the kind, which of them are in force, which rules
cannot fail. What is left is a handful of comparisons. What is said of a rule that fails is made once for all products of which
the same is to be said (`kizuna.release.case.Explanation`).

The rules themselves are those of `kizuna.release.rules` and nothing else: this module only chooses which of them to call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kizuna.release.columns import ALL, ALWAYS, NEVER, NO, YES, ArticleRow, ProductRow, micros
from kizuna.release.expressions import Column, Expression, Literal, Operation, columns_of, settle, trace
from kizuna.release.lineage import dates, dominate
from kizuna.release.measured import MEASURED, Measured
from kizuna.release.reasons import EXPLANATIONS
from kizuna.release.rules import RULES, RuleId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.release.case import Failure
    from kizuna.release.columns import QuestionRow
    from kizuna.release.decision import Decision
    from kizuna.release.lineage import Lineage
    from kizuna.release.rules import Condition, Rule
    from kizuna.release.subject import Subject
    from kizuna.release.view import Entry, LabelColumns, Question, View

__all__ = ["Check", "Key", "Plan", "Said", "Scope", "Verdict", "Way", "plan_for"]

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
# Of each rule the places among these that it looks at.
_LOOKED_AT = {
    side: [(rule.id, [names.index(column.name) for column in _COLUMNS[rule.id] if column.side == side]) for rule in rules]
    for side, names, rules in (("a", _OFFERED, _HANGING), ("q", _ASKED, _ABOUT_PRODUCT))
}
_ANY_SHAPE = 7
_MOST_KEPT = 20_000
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
class Said:
    """What a failing rule says, of one product or of many.

    Parameters
    ----------
    failures
        What it says.
    nameless
        Whether it may speak of parents that have no names yet (`kizuna.release.lineage.Lineage.nameless`).
    """

    failures: tuple[Failure, ...]
    nameless: bool = False


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


type Key = tuple[object, ...]
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
    permits
        What is said of products that go, by what enters into it.
    """

    entry: Entry
    settled: tuple[Check, ...]
    referred: bool
    hanging: tuple[Check, ...]
    offered: tuple[int, ...]
    open: dict[int, tuple[_Asked, ...]] = field(default_factory=dict)
    permits: dict[object, Decision] = field(default_factory=dict)

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
    """A question about one kind of product: what covers it, and what was decided of which.

    Attributes
    ----------
    plan
        The question about products of any kind.
    covered
        What is said where no article covers it.
    measured
        What is looked at of when, where and how finely a product was observed; None where nothing is.
    decisions
        What was decided, by the `key` of products.
    """

    __slots__ = ("_checks", "_ways", "covered", "decisions", "measured", "plan", "shapes")

    def __init__(
        self, plan: Plan, checks: tuple[Check, ...], known: tuple[int, ...], ways: tuple[Way, ...], covered: Check
    ) -> None:
        self.plan = plan
        self._checks, self._ways, self.covered = (checks, known), ways, (covered,)
        self.shapes: dict[int, tuple[tuple[_Asked, ...], tuple[_Offer, ...]]] = {}
        _, offers = self.shape(_ANY_SHAPE)
        asked = [(check.rule.id, check.holds, row) for _, row, open_, _ in offers for check, _ in open_]
        names = {column.name for rule, _, _ in asked for column in _COLUMNS[rule] if column.side == "p"}
        self.measured = Measured(asked, [row for _, row, _, _ in offers]) if names & MEASURED else None
        self.decisions: dict[Key, Decision] = {}

    def key(
        self, view: View, subject: Subject, label: Label, own: LabelColumns, lineage: Lineage | None, at: Instant
    ) -> Key | None:
        """What a decision under this question looks at of a product, if that is nothing of which there is one only; else None.

        The label is current, and nobody ever consented to anything about the product. First come its label, whose it is, and
        what it is derived from.
        """
        holder, whose, parents = subject.holder, None, None
        if label.created > at or (label.review is not None and label.review <= at):
            return None
        if subject.originator != holder or label.originator != holder:
            if view.has_consents(subject.product):
                return None
            whose = (subject.originator, label.originator)
        if lineage is not None:
            parents = lineage.key(view, subject, at)
            if parents is None:
                return None
        if self.measured is None:
            return own, whose, parents, subject.complex_data
        return own, whose, parents, subject.complex_data, *self.measured.key(view, subject, self.plan, at)

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


class Plan:
    """A question, compiled.

    Attributes
    ----------
    question
        The question.
    """

    __slots__ = ("_checks", "_known", "_latest", "_scopes", "_ways", "question")

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
        self._latest = (at, asked)

    def _scope(self, view: View, kind: str) -> Scope:
        row: ProductRow = _Row()  # type: ignore[assignment]
        row.kind = view.kinds.bit(kind)
        ways = tuple([way for way in self._ways if _COVERED.holds(row, way.entry.row, self._latest[1])])
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

    def asked(self, at: Instant) -> QuestionRow:
        """Row of the question at an instant: as a rule the one that was asked about last."""
        latest, row = self._latest
        if latest != at:
            row = self.question.row(micros(at))
            self._latest = (at, row)
        return row

    def row(
        self, scope: Scope, view: View, subject: Subject, label: Label, own: LabelColumns, lineage: Lineage | None, at: Instant
    ) -> ProductRow:
        """What the rules that are left look at of a product with its own label and those of its parents."""
        row: ProductRow = _Row() if lineage is None else _DerivedRow()  # type: ignore[assignment]
        row.policy, row.rank, row.marking = own.policy, own.rank, own.marking
        row.releasable, row.needs = own.releasable, own.needs
        row.phase = subject.complex_data
        row.made = micros(label.created)
        row.review = NEVER if label.review is None else micros(label.review)
        partner = self.question.partner
        row.consent = view.own_consent(subject, label, partner, at)
        if scope.measured is not None:
            scope.measured.fill(row, view, subject)
        if lineage is not None:
            all_ = dominate(view, subject, label, lineage)
            # What all parents have in common may be a need that was never heard of before.
            self.question.learn(view.needs)
            row.parents_policy, row.parents_rank, row.parents_marking = all_.policy, all_.rank, all_.marking
            row.parents_releasable, row.parents_needs, row.disjoint = all_.releasable, all_.needs, all_.disjoint
            row.parents_made, row.parents_review = dates(lineage)
            row.parents_consent = view.parents_consent(subject, lineage.labels, partner, at)
        return row


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
        _offered(entry.row),
    )


def _offered(row: ArticleRow) -> tuple[int, ...]:
    """Columns of an article that the rules which hang on the product look at."""
    # Needs become known as labels are met: all that counts here is that there are some which it does not grant.
    return tuple([ALL if name == "lacking" and row.lacking else getattr(row, name) for name in _OFFERED])


def _may_fail(shape: int, side: str, values: tuple[int, ...]) -> list[int]:
    """Places of the rules that may fail for products of a shape, where these columns are known of an article or a question."""
    return [
        number
        for number, (rule, places) in enumerate(_LOOKED_AT[side])
        if _rule_may_fail(rule, shape, side, tuple([values[place] for place in places]))
    ]


@lru_cache(maxsize=4096)
def _rule_may_fail(rule: RuleId, shape: int, side: str, values: tuple[int, ...]) -> bool:
    """Whether a rule may fail, where the columns of that side which it looks at are known."""
    names = [column.name for column in _COLUMNS[rule] if column.side == side]
    tree = settle(_shaped_tree(rule, shape), {side: SimpleNamespace(**dict(zip(names, values, strict=True)))})
    return not isinstance(tree, Literal) or not tree.value


@cache
def _shaped_tree(rule: RuleId, shape: int) -> Expression:
    return _shaped(_TREES[rule], shape)


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
