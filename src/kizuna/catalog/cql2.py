"""Filters over typed properties: the expression tree, and its reading from CQL2 JSON (OGC 21-065r2, clause 9).

Basic CQL2 with the advanced comparison operators (``like``, ``between``, ``in``). Each comparison is of one property with one
value, and is typed when it is read: what no property has, and what has another type, is refused there. Whether a comparison holds
of a property without a value is unknown, and unknown is not true (clause 7.4): what a filter selects is what it surely holds of.

`kizuna.catalog.cql2_text` reads the text form into the same trees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.instants import parse_instant
from kizuna.release.columns import micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "MOST_DEPTH",
    "MOST_NODES",
    "And",
    "Compare",
    "Comparison",
    "Expression",
    "Filters",
    "Has",
    "Like",
    "Not",
    "OneOf",
    "Or",
    "Truth",
    "Type",
    "Value",
    "unreadable",
]

MOST_DEPTH = 32
"""How deep expressions may lie in each other."""
MOST_NODES = 1_000
"""How many comparisons and values a filter may have."""
_MOST_PATTERN, _MOST_SHOWN = 256, 40

type Value = str | float | int | bool


class Type(StrEnum):
    """What values a property has: instants are whole microseconds since 1970-01-01T00:00:00Z."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"
    BOOLEAN = "boolean"


class Comparison(StrEnum):
    """How a property is compared with a value."""

    EQUAL = "="
    UNEQUAL = "<>"
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="

    @property
    def turned(self) -> Comparison:
        """The same with its sides exchanged."""
        return Comparison(self.value.translate(str.maketrans("<>", "><"))) if self is not Comparison.UNEQUAL else self


@dataclass(frozen=True, slots=True)
class Truth:
    """What holds always, or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """A property compared with a value of its type."""

    name: str
    operator: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """A property that has one of several values."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Like:
    r"""A text that matches a pattern: ``%`` for any characters, ``_`` for one, ``\\`` before either for itself."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Has:
    """A property that has a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """What the part does not hold of."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts holds."""

    parts: tuple[Expression, ...]


type Expression = Truth | Compare | OneOf | Like | Has | Not | And | Or


@dataclass(frozen=True, slots=True)
class Property:
    """A property by its name, before it is compared."""

    name: str


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant that was written as one (``TIMESTAMP('...')``, ``{"timestamp": "..."}``)."""

    text: str


type Operand = Property | Instant | Value


def unreadable(got: Message, expected: Message, *, field: str = "filter") -> InputError:
    """Error for a filter that cannot be read."""
    return InputError(
        Message("{field}: got {got}, expected {expected}", {"field": field, "got": got, "expected": expected}),
        hint=Message("filters are CQL2, for example: gsd <= 1 AND datetime >= TIMESTAMP('2026-01-01T00:00:00Z')"),
        field=field,
    )


def _shown(value: object) -> Message:
    return Message("{value}", {"value": repr(value)[:_MOST_SHOWN]})


class Filters:
    """Makes typed filters over known properties.

    Parameters
    ----------
    properties
        Type of each property that can be asked about.
    """

    __slots__ = ("_left", "_properties")

    def __init__(self, properties: Mapping[str, Type]) -> None:
        self._properties = properties
        self._left = MOST_NODES

    def count(self, depth: int) -> None:
        """Count one part of a filter that lies so deep.

        Raises
        ------
        InputError
            If there are too many, or it lies too deep.
        """
        self._left -= 1
        if depth > MOST_DEPTH or self._left < 0:
            raise unreadable(
                Message("a filter of more parts"),
                Message("at most {count} parts, {depth} deep", {"count": MOST_NODES, "depth": MOST_DEPTH}),
            )

    # ---- comparisons

    def compare(self, left: Operand, operator: Comparison, right: Operand) -> Expression:
        """Comparison of a property with a value, whichever side it stands on."""
        match left, right:
            case Property(name), (Instant() | str() | bool() | int() | float()):
                return Compare(name, operator, self.value(name, right))
            case ((Instant() | str() | bool() | int() | float()), Property(name)):
                return Compare(name, operator.turned, self.value(name, left))
            case _:
                raise unreadable(_shown(right), Message("a property on one side and a value on the other"))

    def between(self, name: str, low: Operand, high: Operand) -> Expression:
        """A property from one value to another, both included."""
        return And(
            (
                Compare(name, Comparison.AT_LEAST, self.value(name, low)),
                Compare(name, Comparison.AT_MOST, self.value(name, high)),
            )
        )

    def one_of(self, name: str, values: Sequence[Operand]) -> Expression:
        """A property that has one of several values."""
        for _ in values:
            self.count(0)
        return OneOf(name, tuple(self.value(name, value) for value in values))

    def like(self, name: str, pattern: Operand) -> Expression:
        """A text that matches a pattern."""
        if self.type_of(name) is not Type.TEXT:
            raise unreadable(Message("like on {name}", {"name": name}), Message("a property that is a text"))
        if not isinstance(pattern, str) or len(pattern) > _MOST_PATTERN:
            raise unreadable(_shown(pattern), Message("a pattern of at most {count} characters", {"count": _MOST_PATTERN}))
        return Like(name, pattern)

    def has(self, name: str) -> Expression:
        """A property that has a value."""
        self.type_of(name)
        return Has(name)

    def truth(self, operand: Operand) -> Expression:
        """An operand that stands where a condition does: a boolean property or value."""
        match operand:
            case bool():
                return Truth(operand)
            case Property(name) if self.type_of(name) is Type.BOOLEAN:
                return Compare(name, Comparison.EQUAL, value=True)
            case Property(name):
                raise unreadable(Message("{name} alone", {"name": name}), Message("a comparison"))
            case _:
                raise unreadable(_shown(operand), Message("a comparison"))

    def type_of(self, name: str) -> Type:
        """Type of a property.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        found = self._properties.get(name)
        if found is None:
            known = ", ".join(sorted(self._properties))
            raise unreadable(
                Message("the property {name}", {"name": repr(name)[:_MOST_SHOWN]}), Message("one of {names}", {"names": known})
            )
        return found

    def value(self, name: str, operand: Operand) -> Value:
        """Value that a property of this name is compared with.

        Raises
        ------
        InputError
            If it has another type.
        """
        kind = self.type_of(name)
        match kind, operand:
            case Type.TEXT, str():
                return operand
            case Type.BOOLEAN, bool():
                return operand
            case Type.NUMBER, (int() | float()) if not isinstance(operand, bool) and _is_finite(operand):
                return float(operand)
            case Type.INSTANT, (Instant(text=text) | str(text)):
                return micros(parse_instant(text, field="filter"))
            case _:
                raise unreadable(_shown(operand), Message("{type} for {name}", {"type": kind.value, "name": name}))

    # ---- JSON

    def read_json(self, document: object) -> Expression:
        """Filter of its CQL2 JSON form, already parsed.

        Raises
        ------
        InputError
            Naming what was found and what was expected.

        Examples
        --------
        >>> Filters({"gsd": Type.NUMBER}).read_json({"op": "<=", "args": [{"property": "gsd"}, 1]})
        Compare(name='gsd', operator=<Comparison.AT_MOST: '<='>, value=1.0)
        """
        return self._condition(document, 0)

    def _condition(self, document: object, depth: int) -> Expression:
        self.count(depth)
        match document:
            case {"op": ("and" | "or") as op, "args": [_, _, *_] as args}:
                parts = tuple(self._condition(arg, depth + 1) for arg in args)
                return And(parts) if op == "and" else Or(parts)
            case {"op": "not", "args": [arg]}:
                return Not(self._condition(arg, depth + 1))
            case {"op": str(op), "args": [*args]}:
                return self._test(op, args)
            case _:
                return self.truth(self._operand(document))

    def _test(self, op: str, args: list[object]) -> Expression:
        found: Expression
        match op, args:
            case "isNull", [arg]:
                found = Not(self.has(self._name(arg)))
            case "like", [arg, pattern]:
                found = self.like(self._name(arg), self._operand(pattern))
            case "between", [arg, low, high]:
                found = self.between(self._name(arg), self._operand(low), self._operand(high))
            case "in", [arg, [_, *_] as values]:
                found = self.one_of(self._name(arg), [self._operand(value) for value in values])
            case _, [left, right] if op in set(Comparison):
                found = self.compare(self._operand(left), Comparison(op), self._operand(right))
            case _:
                raise unreadable(
                    Message("op {op}", {"op": repr(op)[:_MOST_SHOWN]}),
                    Message("one of {names}, with as many args as it takes", {"names": _OPERATORS}),
                )
        return found

    def _name(self, document: object) -> str:
        match self._operand(document):
            case Property(name):
                return name
            case other:
                raise unreadable(_shown(other), Message('a property: {{"property": "..."}}'))

    def _operand(self, document: object) -> Operand:
        match document:
            case {"property": str(name)}:
                self.type_of(name)
                return Property(name)
            case {"timestamp": str(text)} | {"date": str(text)}:
                return Instant(text)
            case str() | bool() | int() | float():
                return document
            case _:
                raise unreadable(_shown(document), Message("a property or a value"))


_OPERATORS = ", ".join(["and", "or", "not", "isNull", "like", "between", "in", *Comparison])


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
