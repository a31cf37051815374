"""Strict reading of documents that others wrote (JSON, TOML): each fault names its field, what was got and expected.

A `Table` hands out its members one by one; `done` then refuses whatever nobody asked for, so that a misspelt member is
never ignored in silence.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.model.instants import instant_of, parse_instant
from kizuna.model.parties import parse_party

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party

__all__ = ["LONGEST_LINE", "LONGEST_MARKING", "MOST_TEXTS", "Table", "one_line", "one_of", "open_table"]

LONGEST_LINE = 2_000
"""Longest text of a product, a label or a list, in characters."""
LONGEST_MARKING = 200
"""Longest policy, classification or tag, in characters."""
MOST_TEXTS = 100
"""Most texts in a list of a product, a label or an agreement."""

_LONGEST_TEXT = 10_000
# A list of chunks is long. An envelope is bounded, and with it this.
_MOST_ITEMS = 100_000
# Lines of several lines may hold tabulators and line ends, and no other control characters.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# What others wrote is printed on terminals and pages: control and format characters (which turn the writing's direction, or
# hide) and line and paragraph separators.
_UNPRINTED = frozenset({"Cc", "Cf", "Zl", "Zp"})


def _is_line(text: str) -> bool:
    # What Python calls printable holds none of them, and nearly all text is.
    return text.isprintable() or not any(unicodedata.category(character) in _UNPRINTED for character in text)


def one_line(text: str) -> str:
    r"""`text` as a line that `Table.text` reads: what is not printed becomes a space; too long a text is cut.

    Examples
    --------
    >>> one_line("Kochi\r\n  in\u202e July ")
    'Kochi in July'
    """
    spaced = "".join(" " if unicodedata.category(character) in _UNPRINTED else character for character in text)
    return " ".join(spaced.split())[:LONGEST_LINE].rstrip()


def one_of(choices: Iterable[str]) -> Message:
    """What was expected, where there are a few choices."""
    return Message("one of {choices}", {"choices": ", ".join(choices)})


class Table:
    """One table (object) of a document, read member by member.

    Parameters
    ----------
    members
        The parsed table.
    path
        Where it stands in the document, for the errors (``"in_force"``; empty for the document itself).
    """

    __slots__ = ("_left", "_members", "_path")

    def __init__(self, members: Mapping[str, object], path: str = "") -> None:
        self._members = members
        self._path = path
        self._left = set(members)

    def __contains__(self, name: str) -> bool:
        """Whether the member `name` is there, be it null; it is not read by that."""
        return name in self._members

    def field(self, name: str) -> str:
        """Dotted name of the member `name` in the whole document."""
        return f"{self._path}.{name}" if self._path else name

    def fault(self, name: str, expected: Message) -> NoReturn:
        """Refuse the member `name`.

        Raises
        ------
        InputError
            Always; it names the field, what was got and what was expected.
        """
        got = self._members.get(name)
        raise InputError(
            Message(
                "{field}: got {got}, expected {expected}",
                {
                    "field": self.field(name),
                    "got": Message("nothing") if name not in self._members else repr(got)[:200],
                    "expected": expected,
                },
            ),
            hint=Message("correct the field {field}", {"field": self.field(name)}),
            field=self.field(name),
        )

    def has(self, name: str) -> bool:
        """Whether the member `name` is there and not null."""
        self._left.discard(name)
        return self._members.get(name) is not None

    def text(self, name: str, *, longest: int = _LONGEST_TEXT, lines: bool = False) -> str:
        """Non-empty text of one line, without control and format characters; `lines` lets line ends and formats pass."""
        self._left.discard(name)
        value = self._members.get(name)
        if not isinstance(value, str) or not value.strip():
            self.fault(name, Message("a text"))
        if len(value) > longest:
            self.fault(name, Message("a text of at most {most} characters", {"most": longest}))
        if _CONTROL.search(value) if lines else not _is_line(value):
            self.fault(name, Message("a text of one line without control characters"))
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of `choices`."""
        value = self.text(name)
        if value not in choices:
            self.fault(name, one_of(choices))
        return value

    def integer(self, name: str, *, least: int = 0) -> int:
        """Whole number of at least `least`."""
        self._left.discard(name)
        value = self._members.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.fault(name, Message("a whole number of at least {least}", {"least": least}))
        return value

    def number(self, name: str) -> float:
        """Finite number."""
        self._left.discard(name)
        value = self._members.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(name, Message("a number"))
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fault(name, Message("a finite number"))
        return number

    def boolean(self, name: str, *, default: bool | None = None) -> bool:
        """True or false; `default` where the member is absent (without one, absence is a fault)."""
        self._left.discard(name)
        value = self._members.get(name, default)
        if not isinstance(value, bool):
            self.fault(name, Message("true or false"))
        return value

    def texts(self, name: str, *, most: int = _MOST_ITEMS) -> tuple[str, ...]:
        """List of at most `most` texts of one line each; absent means empty."""
        self._left.discard(name)
        value = self._members.get(name, ())
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            self.fault(name, Message("a list of texts"))
        if len(value) > most or any(len(item) > LONGEST_LINE for item in value):
            values = {"most": most, "longest": LONGEST_LINE}
            self.fault(name, Message("at most {most} texts of at most {longest} characters", values))
        if not all(_is_line(item) for item in value):
            self.fault(name, Message("texts of one line without control characters"))
        return tuple(value)

    def party(self, name: str) -> Party:
        """One party."""
        return parse_party(self.text(name), field=self.field(name))

    def parties(self, name: str) -> tuple[Party, ...]:
        """List of parties; absent means empty."""
        return tuple(parse_party(text, field=self.field(name)) for text in self.texts(name, most=MOST_TEXTS))

    def instant(self, name: str) -> Instant:
        """RFC 3339 text, or a TOML date-time with its zone."""
        self._left.discard(name)
        value = self._members.get(name)
        if isinstance(value, datetime):
            return instant_of(value, field=self.field(name))
        if isinstance(value, date):
            return parse_instant(value.isoformat(), field=self.field(name))
        return parse_instant(self.text(name), field=self.field(name))

    def raw(self, name: str) -> object:
        """Member as it is, for the few that have several forms."""
        self._left.discard(name)
        return self._members.get(name)

    def table(self, name: str) -> Table:
        """Table below this one."""
        self._left.discard(name)
        value = self._members.get(name)
        if not isinstance(value, Mapping):
            self.fault(name, Message("a table"))
        return Table(value, self.field(name))

    def tables(self, name: str) -> tuple[Table, ...]:
        """List of tables; absent means empty."""
        self._left.discard(name)
        value = self._members.get(name, ())
        if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
            self.fault(name, Message("a list of tables"))
        return tuple(Table(item, f"{self.field(name)}[{index}]") for index, item in enumerate(value))

    def items(self, name: str, *, most: int = _MOST_ITEMS) -> tuple[Table, ...]:
        """Items of a list, each as the member `name` of a table of its own, so that one can be read where another is faulty.

        Absent means empty.
        """
        self._left.discard(name)
        value = self._members.get(name, ())
        if not isinstance(value, list | tuple):
            self.fault(name, Message("a list of texts"))
        if len(value) > most:
            values = {"most": most, "longest": LONGEST_LINE}
            self.fault(name, Message("at most {most} texts of at most {longest} characters", values))
        return tuple(Table({name: item}, self._path) for item in value)

    def done(self) -> None:
        """Refuse members that nobody read.

        Raises
        ------
        InputError
            If there are any.
        """
        if self._left:
            name = min(self._left)
            raise InputError(
                Message("{field}: unknown field", {"field": self.field(name)}),
                hint=Message(
                    "remove it, or correct its name; known here: {names}",
                    {"names": ", ".join(sorted(set(self._members) - self._left)) or "none"},
                ),
                field=self.field(name),
            )


def open_table(document: object, *, schema: str, what: str) -> Table:
    """Table of a document whose ``schema`` member must be `schema`.

    Raises
    ------
    InputError
        If `document` is no table or of another schema.
    """
    if not isinstance(document, Mapping):
        raise InputError(
            Message("{what}: expected a table of fields", {"what": what}),
            hint=Message("start it with schema = {schema!r}", {"schema": schema}),
        )
    table = Table(document)
    if table.text("schema") != schema:
        table.fault("schema", Message("the schema {schema}", {"schema": schema}))
    return table
