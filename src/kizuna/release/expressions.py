"""Conditions of rules as values: what `trace` makes of a rule, for the back ends that are not Python.

A rule's condition is one Python function over the columns of a product, an article and a question (`kizuna.release.columns`).
Called with rows of integers it decides. Called with the symbols of this module it writes itself down as a tree, which other rooms
turn into SQL, into operations on NumPy columns, and into SMT. So there is one text of each rule, and nobody copies it.

Only these operations exist: comparisons and sums of numbers; intersection of masks and its comparison with 0; and, or.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from kizuna.release.columns import ALL, ALWAYS, NEVER, ArticleRow, ProductRow, QuestionRow, masks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Column", "Expression", "Literal", "Operation", "Operator", "Sort", "columns_of", "conjuncts", "settle", "trace"]


class Sort(StrEnum):
    """What an expression's value is."""

    TRUTH = "truth"
    NUMBER = "number"
    MASK = "mask"
    """A set as bits; any length."""


class Operator(StrEnum):
    """Operations, as Python writes them. AND and OR join truths; MEET intersects masks."""

    AND = "and"
    OR = "or"
    MEET = "&"
    EQUAL = "=="
    UNEQUAL = "!="
    BELOW = "<"
    AT_MOST = "<="
    PLUS = "+"


_PYTHON: dict[Operator, Callable[[int, int], int]] = {
    Operator.AND: operator.and_,
    Operator.OR: operator.or_,
    Operator.MEET: operator.and_,
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.BELOW: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.PLUS: operator.add,
}
# What changes nothing, and what leaves nothing open.
_NEUTRAL = {Operator.AND: 1, Operator.OR: 0, Operator.MEET: ALL, Operator.PLUS: 0}
_ABSORBING = {Operator.AND: 0, Operator.OR: 1, Operator.MEET: 0}


class Expression:
    """A tree. Its operators build greater trees; comparing two does not say whether they are one and the same."""

    __slots__ = ()
    sort: Sort

    def __and__(self, other: Expression | int) -> Operation:
        joined = self.sort is Sort.TRUTH
        return Operation(Operator.AND if joined else Operator.MEET, self, _operand(other), self.sort)

    def __or__(self, other: Expression | int) -> Operation:
        return Operation(Operator.OR, self, _operand(other), Sort.TRUTH)

    def __add__(self, other: Expression | int) -> Operation:
        return Operation(Operator.PLUS, self, _operand(other), Sort.NUMBER)

    def __eq__(self, other: object) -> Operation:  # type: ignore[override]
        return Operation(Operator.EQUAL, self, _operand(other), Sort.TRUTH)

    def __ne__(self, other: object) -> Operation:  # type: ignore[override]
        return Operation(Operator.UNEQUAL, self, _operand(other), Sort.TRUTH)

    def __lt__(self, other: Expression | int) -> Operation:
        return Operation(Operator.BELOW, self, _operand(other), Sort.TRUTH)

    def __le__(self, other: Expression | int) -> Operation:
        return Operation(Operator.AT_MOST, self, _operand(other), Sort.TRUTH)

    def __gt__(self, other: Expression | int) -> Operation:
        return Operation(Operator.BELOW, _operand(other), self, Sort.TRUTH)

    def __ge__(self, other: Expression | int) -> Operation:
        return Operation(Operator.AT_MOST, _operand(other), self, Sort.TRUTH)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        """Refuse to be tested: a rule that branches in Python would be traced on one branch only.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a rule's condition joins its parts with & and |, never with and, or, not, if")


@dataclass(frozen=True, slots=True, eq=False)
class Column(Expression):
    """A column of a product (``p``), an article (``a``) or the question (``q``)."""

    side: str
    name: str
    sort: Sort


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expression):
    """A number, a mask, or a truth (0 or 1)."""

    value: int
    sort: Sort = Sort.NUMBER


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Expression):
    """An operation on two expressions."""

    operator: Operator
    left: Expression
    right: Expression
    sort: Sort


def _operand(value: object) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, int):
        return Literal(int(value))
    raise TypeError(f"a rule cannot compare a column with {value!r}")


class _Symbols:
    """Stands for a row: each attribute is the column of that name."""

    def __init__(self, side: str, row: type) -> None:
        masks = masks_of(row)
        for name in row.__slots__:  # type: ignore[attr-defined]
            setattr(self, name, Column(side, name, Sort.MASK if name in masks else Sort.NUMBER))


def trace(condition: Callable[[ProductRow, ArticleRow, QuestionRow], bool]) -> Expression:
    """Tree of a rule's condition.

    Examples
    --------
    >>> tree = trace(lambda p, a, q: p.rank <= a.ceiling)
    >>> tree.operator.value, tree.left.name, tree.right.name
    ('<=', 'rank', 'ceiling')
    """
    tree = cast(
        "object",
        condition(
            cast("ProductRow", _Symbols("p", ProductRow)),
            cast("ArticleRow", _Symbols("a", ArticleRow)),
            cast("QuestionRow", _Symbols("q", QuestionRow)),
        ),
    )
    if not isinstance(tree, Expression):
        raise TypeError(f"a rule's condition made {tree!r} of columns")
    return tree


def columns_of(expression: Expression) -> Iterator[Column]:
    """Columns that `expression` looks at, in the order written, with repetitions."""
    if isinstance(expression, Column):
        yield expression
    elif isinstance(expression, Operation):
        yield from columns_of(expression.left)
        yield from columns_of(expression.right)


def conjuncts(expression: Expression) -> Iterator[Expression]:
    """Parts of `expression` that must all hold, in the order written."""
    if isinstance(expression, Operation) and expression.operator is Operator.AND:
        yield from conjuncts(expression.left)
        yield from conjuncts(expression.right)
    else:
        yield expression


def settle(expression: Expression, rows: Mapping[str, object]) -> Expression:
    """Tree of `expression` with the rows of some sides filled in, and all that hangs on these alone worked out.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tree = trace(lambda p, a, q: (a.delay == 0) | (p.acquired_until + a.delay <= q.at))
    >>> settle(tree, {"a": SimpleNamespace(delay=0)}).value
    1
    """
    match expression:
        case Column() if expression.side in rows:
            return Literal(getattr(rows[expression.side], expression.name), expression.sort)
        case Operation():
            return _join(expression, settle(expression.left, rows), settle(expression.right, rows))
        case _:
            return expression


def _join(operation: Operation, left: Expression, right: Expression) -> Expression:
    """The operation on two settled trees."""
    sign, sort = operation.operator, operation.sort
    if isinstance(left, Literal) and isinstance(right, Literal):
        return Literal(int(_PYTHON[sign](left.value, right.value)), sort)
    for known, other in ((left, right), (right, left)):
        if isinstance(known, Literal):
            if known.value == _NEUTRAL.get(sign):
                return other
            if known.value == _ABSORBING.get(sign):
                return Literal(known.value, sort)
    return Literal(1, sort) if _without_limit(sign, left, right) else Operation(sign, left, right, sort)


def _without_limit(sign: Operator, left: Expression, right: Expression) -> bool:
    """Whether a comparison holds whatever a column holds: no number in a row lies before `ALWAYS` or after `NEVER`."""
    match sign, left, right:
        case Operator.AT_MOST, Literal(value=value), Column():
            return value <= ALWAYS
        case Operator.AT_MOST, Column(), Literal(value=value):
            return value >= NEVER
        case Operator.BELOW, Literal(value=value), Column():
            return value < ALWAYS
        case Operator.BELOW, Column(), Literal(value=value):
            return value > NEVER
        case _:
            return False
