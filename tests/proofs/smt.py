"""The rule table as formulas for z3: numbers are integers, masks are bit vectors, truths are Booleans.

Eight bits stand for vocabularies of any length: a rule asks of two masks only whether they meet, so that one bit decides, and
no theorem speaks of more than a few masks at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import z3

from kizuna.release.columns import ArticleRow, ProductRow, QuestionRow, masks_of
from kizuna.release.expressions import Column, Literal, Operation, Operator, Sort, columns_of, trace
from kizuna.release.rules import RULES, RuleId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.release.expressions import Expression
    from kizuna.release.rules import Rule

__all__ = ["BITS", "NOTHING", "Line", "Row", "Table", "article_row", "mask", "product_row", "question_row", "table_of"]

BITS = 8


def mask(value: int) -> z3.BitVecRef:
    """A mask of known bits; -1 is all of them."""
    return z3.BitVecVal(value, BITS)


class Row(dict[str, z3.ExprRef]):
    """Columns of a row by name, as attributes too. Two rows are one only if they are the same object."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __getattr__(self, name: str) -> z3.ExprRef:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def but(self, **changes: z3.ExprRef | int) -> Row:
        """The same row with other values in some columns."""
        unknown = set(changes) - set(self)
        if unknown:
            raise AttributeError(*unknown)
        return Row(self | {name: z3.IntVal(value) if isinstance(value, int) else value for name, value in changes.items()})


NOTHING = Row()
"""Stands for an article, of which rules about the product alone ask nothing."""


def _symbols(row: type, prefix: str) -> Row:
    masks = masks_of(row)
    return Row(
        (name, z3.BitVec(f"{prefix}.{name}", BITS) if name in masks else z3.Int(f"{prefix}.{name}"))
        for name in row.__annotations__
    )


def product_row(prefix: str = "p") -> Row:
    """Any product."""
    return _symbols(ProductRow, prefix)


def article_row(prefix: str = "a") -> Row:
    """Any article."""
    return _symbols(ArticleRow, prefix)


def question_row(prefix: str = "q") -> Row:
    """Any question."""
    return _symbols(QuestionRow, prefix)


_MADE: dict[object, tuple[list[object], z3.ExprRef]] = {}


def _written(tree: Expression, rows: dict[str, Row]) -> z3.ExprRef:
    """Formula of a whole condition, kept: most theorems look at the same rows, and writing formulas takes most of the time."""
    symbols = [rows[column.side][column.name] for column in columns_of(tree)]
    key = (id(tree), *[symbol.get_id() for symbol in symbols])
    if key not in _MADE:
        # What is kept along keeps its ids from being given to others.
        _MADE[key] = ([tree, *symbols], formula(tree, rows))
    return _MADE[key][1]


def _operate(operator: Operator, left: z3.ExprRef, right: z3.ExprRef) -> z3.ExprRef:
    match operator:
        case Operator.AND:
            made = z3.And(left, right)
        case Operator.OR:
            made = z3.Or(left, right)
        case Operator.MEET:
            made = left & right
        case Operator.EQUAL:
            made = left == right
        case Operator.UNEQUAL:
            made = left != right
        case Operator.BELOW:
            made = left < right
        case Operator.AT_MOST:
            made = left <= right
        case Operator.PLUS:
            made = left + right
    return made


def formula(tree: Expression, rows: dict[str, Row]) -> z3.ExprRef:
    """Formula of a tree over the rows of its three sides."""
    match tree:
        case Column(side, name):
            return rows[side][name]
        case Operation(operator, left, right):
            if Sort.MASK in {left.sort, right.sort}:
                left, right = (Literal(s.value, Sort.MASK) if isinstance(s, Literal) else s for s in (left, right))
            return _operate(operator, formula(left, rows), formula(right, rows))
        case Literal(value, Sort.MASK):
            return mask(value)
        case Literal(value):
            return z3.IntVal(value)
    raise TypeError(tree)


@cache
def _all_of(kept: tuple[tuple[str, tuple[Expression, ...]], ...], p: Row, a: Row, q: Row) -> z3.BoolRef:
    """Whether of each rule that is kept one of its conditions holds."""
    rows = {"p": p, "a": a, "q": q}
    return z3.And([z3.Implies(z3.Bool(name), z3.Or([_written(tree, rows) for tree in trees])) for name, trees in kept])


@dataclass(frozen=True, slots=True)
class Line:
    """A rule as trees. Mutations replace its trees."""

    id: RuleId
    holds: Expression
    refers: Expression | None
    about_product: bool

    @property
    def kept(self) -> str:
        """Name of the symbol that says whether the rule is in the table. One that is taken out neither denies nor refers."""
        return f"kept {self.id.value}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rules, as `decide` runs them; each only if its `Line.kept` is true."""

    lines: tuple[Line, ...]

    def having(self, other: Line) -> Table:
        """The table with another text of one rule."""
        return Table(tuple(other if line.id is other.id else line for line in self.lines))

    def holds(self, p: Row, a: Row, q: Row, *, about_product: bool, besides: tuple[RuleId, ...] = ()) -> z3.BoolRef:
        """Whether all rules about the product hold, or all about an article (`besides` some)."""
        lines = (line for line in self.lines if line.about_product is about_product and line.id not in besides)
        return _all_of(tuple((line.kept, (line.holds,)) for line in lines), p, a, q)

    def released(self, p: Row, q: Row, articles: Sequence[Row]) -> z3.BoolRef:
        """Whether a product goes: no rule about it fails, and none about one and the same article."""
        return z3.And(
            self.holds(p, NOTHING, q, about_product=True),
            z3.Or([self.holds(p, a, q, about_product=False) for a in articles]),
        )

    def _open(self, p: Row, a: Row, q: Row, *, about_product: bool) -> z3.BoolRef:
        lines = (line for line in self.lines if line.about_product is about_product)
        return _all_of(
            tuple((line.kept, (line.holds,) if line.refers is None else (line.holds, line.refers)) for line in lines), p, a, q
        )

    def referred(self, p: Row, q: Row, articles: Sequence[Row]) -> z3.BoolRef:
        """Whether a person is asked: it does not go, and each rule that fails leaves it to a person."""
        return z3.And(
            z3.Not(self.released(p, q, articles)),
            self._open(p, NOTHING, q, about_product=True),
            z3.Or([self._open(p, a, q, about_product=False) for a in articles]),
        )


def table_of(rules: Iterable[Rule] = RULES) -> Table:
    """The rule table as trees."""
    return Table(
        tuple(
            Line(rule.id, trace(rule.holds), None if rule.refers is None else trace(rule.refers), rule.about_product)
            for rule in rules
        )
    )
