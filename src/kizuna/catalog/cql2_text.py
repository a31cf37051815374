"""CQL2 text (OGC 21-065r2, annex B): read into the trees of `kizuna.catalog.cql2` by recursive descent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.catalog.cql2 import And, Comparison, Instant, Not, Or, Property, unreadable
from kizuna.errors import Message

if TYPE_CHECKING:
    from kizuna.catalog.cql2 import Expression, Filters, Operand

__all__ = ["MOST_CHARACTERS", "read_text"]

MOST_CHARACTERS = 16_384
"""Longest filter that is read."""
_MOST_SHOWN = 24

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?)
      | (?P<name>[^\W\d][\w:.-]*)
      | "(?P<quoted>[^"]+)"
      | '(?P<text>(?:[^']|'')*)'
      | (?P<mark><>|<=|>=|[<>=(),])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            got = Message(
                "{text} at character {place}", {"text": repr(text[place : place + _MOST_SHOWN].strip()), "place": place + 1}
            )
            raise unreadable(got, Message("a property, a value, an operator or a parenthesis"))
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        if match.lastgroup == "end":
            return found
        place = match.end()


def read_text(filters: Filters, text: str) -> Expression:
    """Filter of its CQL2 text form.

    Parameters
    ----------
    filters
        What knows the properties.
    text
        For example ``gsd <= 1 AND platform LIKE 'QPS%'``.

    Raises
    ------
    InputError
        Naming what was found where, and what was expected.

    Examples
    --------
    >>> from kizuna.catalog.cql2 import Filters, Type
    >>> read_text(Filters({"gsd": Type.NUMBER}), "NOT gsd > 1 OR gsd IS NULL")
    Or(parts=(Not(part=Compare(name='gsd', operator=<Comparison.ABOVE: '>'>, value=1.0)), Not(part=Has(name='gsd'))))
    """
    if len(text) > MOST_CHARACTERS:
        raise unreadable(
            Message("{count} characters", {"count": len(text)}), Message("at most {count}", {"count": MOST_CHARACTERS})
        )
    reader = _Reader(filters, _tokens(text))
    found = reader.any_of(0)
    reader.take("end")
    return found


class _Reader:
    """Stands at a token, and reads what begins there."""

    __slots__ = ("_filters", "_place", "_tokens")

    def __init__(self, filters: Filters, tokens: list[_Token]) -> None:
        self._filters, self._tokens, self._place = filters, tokens, 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._place]

    def _is(self, *words: str) -> bool:
        """Whether these words stand here."""
        here = self._tokens[self._place : self._place + len(words)]
        return [t.text.upper() for t in here if t.kind in {"name", "mark"}] == list(words)

    def _skip(self, *words: str) -> bool:
        """Step over these words if they stand here."""
        if self._is(*words):
            self._place += len(words)
            return True
        return False

    def _unexpected(self, expected: Message) -> Exception:
        token = self._token
        got = (
            Message("the end")
            if token.kind == "end"
            else Message("{text} at character {place}", {"text": repr(token.text[:_MOST_SHOWN]), "place": token.place})
        )
        return unreadable(got, expected)

    def take(self, kind: str, word: str | None = None) -> str:
        """Text of the token here, which must be of a kind, and step over it."""
        token = self._token
        if token.kind != kind or (word is not None and token.text != word):
            if kind == "end":
                raise self._unexpected(Message("an operator (AND, OR, =, <, LIKE, ...) or the end"))
            raise self._unexpected(Message("a text in single quotes") if word is None else Message("{mark}", {"mark": word}))
        self._place += 1
        return token.text

    def any_of(self, depth: int) -> Expression:
        """Conditions joined with OR."""
        parts = [self._all_of(depth)]
        while self._skip("OR"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self, depth: int) -> Expression:
        parts = [self._condition(depth)]
        while self._skip("AND"):
            parts.append(self._condition(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _condition(self, depth: int) -> Expression:
        self._filters.count(depth)
        if self._skip("NOT"):
            return Not(self._condition(depth + 1))
        if self._skip("("):
            found = self.any_of(depth + 1)
            self.take("mark", ")")
            return found
        left = self._operand()
        if isinstance(left, Property):
            negated = self._is("NOT", "LIKE") or self._is("NOT", "BETWEEN") or self._is("NOT", "IN")
            if negated:
                self._skip("NOT")
            found_test = self._test(left.name)
            if found_test is not None:
                return Not(found_test) if negated else found_test
        token = self._token
        if token.kind == "mark" and token.text in set(Comparison):
            self._place += 1
            return self._filters.compare(left, Comparison(token.text), self._operand())
        return self._filters.truth(left)

    def _test(self, name: str) -> Expression | None:
        """What follows a property other than a comparison; None if nothing does."""
        if self._skip("IS", "NOT", "NULL"):
            return self._filters.has(name)
        if self._skip("IS", "NULL"):
            return Not(self._filters.has(name))
        if self._skip("LIKE"):
            return self._filters.like(name, self._operand())
        if self._skip("BETWEEN"):
            low = self._operand()
            if not self._skip("AND"):
                raise self._unexpected(Message("AND and the upper bound"))
            return self._filters.between(name, low, self._operand())
        if self._skip("IN"):
            self.take("mark", "(")
            values = [self._operand()]
            while self._skip(","):
                values.append(self._operand())
            self.take("mark", ")")
            return self._filters.one_of(name, values)
        return None

    def _operand(self) -> Operand:
        token = self._token
        match token.kind:
            case "number":
                self._place += 1
                return float(token.text)
            case "text":
                self._place += 1
                return token.text.replace("''", "'")
            case "name" if token.text.upper() in {"TRUE", "FALSE"}:
                self._place += 1
                return token.text.upper() == "TRUE"
            case "name" if token.text.upper() in {"TIMESTAMP", "DATE"} and self._tokens[self._place + 1].text == "(":
                self._place += 2
                text = self.take("text")
                self.take("mark", ")")
                return Instant(text)
            case "name" | "quoted" if token.kind == "quoted" or token.text.upper() not in _WORDS:
                self._filters.type_of(token.text)
                self._place += 1
                return Property(token.text)
            case _:
                raise self._unexpected(Message("a property or a value"))


_WORDS = {"AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL"}
