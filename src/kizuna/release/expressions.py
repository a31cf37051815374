"""Conditions of rules as values: what `trace` makes of a rule, for the back ends that are not Python.

A rule's condition is one Python function over the columns of a product, an article and a question (`kizuna.release.columns`).
Called with rows of integers it decides. Called with the symbols of this module it writes itself down as a tree, which other rooms
turn into SQL, into operations on NumPy columns, and into SMT. So there is one text of each rule, and nobody copies it.

Only these operations exist: comparisons and sums of numbers; intersection of masks and its comparison with 0; and, or.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from kizuna.release.columns import ArticleRow, ProductRow, QuestionRow, masks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Column", "Expression", "Literal", "Operation", "Operator", "Sort", "columns_of", "trace"]


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
    """A number, or 0 as the empty mask."""

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
