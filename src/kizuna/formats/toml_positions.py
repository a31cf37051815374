"""Where each field of a TOML document stands, so that a fault can be shown in its line.

`tomllib` reads values and forgets their places. This walks a document that `tomllib` has read already, so that nothing needs to
be checked again: only keys, brackets, strings and comments have to be told apart (TOML 1.0).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OpenBracket", "Place", "Positions", "end_of_toml", "open_bracket", "positions_of"]

type Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# A date may be followed by a blank and the time of day.
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")
_AT_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text: line and column, both from 1, in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Positions:
    """Places of the keys and values of a document.

    Parameters
    ----------
    keys, values
        By path: names of members, and indices in arrays. An element of an array has no key; its value stands for it. A table
        that is written in several parts stands where it is first named.
    """

    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]

    def of_field(self, field: str | None) -> Place:
        r"""Place of a field as errors name it (``articles[0].ceiling``): its value; of a missing one the table around it.

        Examples
        --------
        >>> where = positions_of('id = "A"\n[in_force]\nfrom = 2025-06-21\n')
        >>> where.of_field("in_force.from"), where.of_field("in_force.until")
        (Place(line=3, column=8), Place(line=2, column=2))
        """
        named = {field_of(path): path for path in self.values}
        rest = field or ""
        while rest:
            path = named.get(rest)
            if path is not None:
                return self.values[path] if rest == field else self.keys.get(path, self.values[path])
            # A name may itself hold a dot: cut off as little as possible.
            rest = rest[: max(rest.rfind("."), rest.rfind("["), 0)]
        return Place(1, 1)

    def of_key(self, field: str | None) -> Place:
        """Place of the name of a field, for a fault that lies in the name itself; as `of_field` where there is none."""
        for path, place in self.keys.items():
            if field_of(path) == field:
                return place
        return self.of_field(field)


def field_of(path: Path) -> str:
    """Name of a path as errors write it.

    Examples
    --------
    >>> field_of(("articles", 0, "ceiling"))
    'articles[0].ceiling'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def end_of_toml(text: str, error: tomllib.TOMLDecodeError) -> Place:
    """Place at which `tomllib` gave up."""
    found = _AT_LINE.search(str(error))
    if found:
        return Place(int(found[1]), int(found[2]))
    lines = text.replace("\r\n", "\n").split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


def positions_of(text: str) -> Positions:
    """Places of all fields of a document that `tomllib` reads without error."""
    return _Walk(text.replace("\r\n", "\n")).document()


@dataclass(frozen=True, slots=True)
class OpenBracket:
    """A bracket that is not closed: where it stands, and where the last value behind it ends."""

    opened: Place
    end: Place


def open_bracket(text: str, place: Place) -> OpenBracket | None:
    """Innermost bracket that is still open at a place, up to which `tomllib` could read; None where there is none.

    Parameters
    ----------
    text
        The text, with plain line ends.
    place
        Where `tomllib` gave up.
    """
    lines = text.split("\n")
    walk = _Walk("\n".join([*lines[: place.line - 1], lines[place.line - 1][: place.column - 1]]))
    try:
        walk.document()
    except (AssertionError, IndexError):
        # The text ends in the middle of a value.
        return walk.innermost()
    return None


class _Walk:
    """Walk through a valid document, from its begin to its end."""

    __slots__ = ("_at", "_counts", "_end", "_keys", "_line_starts", "_open", "_text", "_values")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._keys: dict[Path, Place] = {}
        self._values: dict[Path, Place] = {}
        # How many tables each array of tables has so far.
        self._counts: dict[Path, int] = {}
        # Where brackets stand that are open, and where the last value ended.
        self._open: list[int] = []
        self._end = 0
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def document(self) -> Positions:
        table: Path = ()
        self._blank(lines=True)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._member(table)
            self._blank(lines=True)
        return Positions(self._keys, self._values)

    def innermost(self) -> OpenBracket | None:
        """Bracket that was opened last and not closed."""
        return OpenBracket(self._place(self._open[-1]), self._place(self._end)) if self._open else None

    # ---- places

    def _place(self, at: int) -> Place:
        low, high = 0, len(self._line_starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._line_starts[middle] <= at else (low, middle)
        return Place(low + 1, at - self._line_starts[low] + 1)

    def _name(self, path: Path, key: int, value: int | None = None) -> None:
        """Keep the place of a member; a table that was named before stays where it was."""
        self._keys.setdefault(path, self._place(key))
        self._values.setdefault(path, self._place(key if value is None else value))

    def _current(self, path: Path) -> Path:
        """Path of the latest table, where `path` is that of an array of tables."""
        return (*path, self._counts[path] - 1) if path in self._counts else path

    # ---- parts of the text

    def _blank(self, *, lines: bool) -> None:
        """Skip blanks, and with `lines` also line ends and comments."""
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in " \t" or (lines and character == "\n"):
                self._at += 1
            elif lines and character == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            else:
                return

    def _string(self) -> str:
        """Skip a string; give it as it is written."""
        begin = self._at
        quote = self._text[begin]
        if self._text.startswith(quote * 3, begin):
            end = begin + 3
            while not self._text.startswith(quote * 3, end):
                end += 2 if quote == '"' and self._text[end] == "\\" else 1
            end += 3
            # Up to two marks that belong to the string may stand before those that end it.
            for _ in range(2):
                end += self._text.startswith(quote, end)
        else:
            end = begin + 1
            while self._text[end] != quote:
                end += 2 if quote == '"' and self._text[end] == "\\" else 1
            end += 1
        self._at = end
        return self._text[begin:end]

    def _key(self) -> list[tuple[str, int]]:
        """Skip a key, dotted or not; give each name with where it begins."""
        names: list[tuple[str, int]] = []
        while True:
            begin = self._at
            if self._text[begin] in "\"'":
                written = self._string()
                (name,) = tomllib.loads(f"{written} = 0")
            else:
                found = _BARE_KEY.match(self._text, begin)
                assert found is not None  # noqa: S101 - INVARIANT: tomllib read this document
                name, self._at = found[0], found.end()
            names.append((name, begin))
            self._blank(lines=False)
            if self._at >= len(self._text) or self._text[self._at] != ".":
                return names
            self._at += 1
            self._blank(lines=False)

    def _header(self) -> Path:
        """Skip ``[table]`` or ``[[array of tables]]``; give the path of the table that it opens."""
        array = self._text.startswith("[[", self._at)
        begin = self._at
        self._at += 2 if array else 1
        self._blank(lines=False)
        names = self._key()
        self._at += 2 if array else 1
        path: Path = ()
        for number, (name, key) in enumerate(names):
            path = (*path, name)
            last = number == len(names) - 1
            if not last or not array:
                self._name(path, key)
                path = self._current(path)
        if array:
            self._name(path, names[-1][1])
            index = self._counts.get(path, 0)
            self._counts[path] = index + 1
            path = (*path, index)
            self._values[path] = self._place(begin)
        return path

    def _member(self, table: Path) -> None:
        """Skip ``key = value``."""
        names = self._key()
        self._at += 1
        self._blank(lines=False)
        path = table
        for name, key in names[:-1]:
            path = (*path, name)
            self._name(path, key)
        path = (*path, names[-1][0])
        self._name(path, names[-1][1], self._at)
        self._value(path)

    def _value(self, path: Path) -> None:
        """Skip a value, keeping the places of what is in it."""
        match self._text[self._at]:
            case '"' | "'":
                self._string()
            case "[":
                self._enter()
                index = 0
                self._blank(lines=True)
                while self._text[self._at] != "]":
                    self._values[*path, index] = self._place(self._at)
                    self._value((*path, index))
                    index += 1
                    self._separator()
                self._leave()
            case "{":
                self._enter()
                self._blank(lines=True)
                while self._text[self._at] != "}":
                    self._member(path)
                    self._separator()
                self._leave()
            case _:
                found = _SCALAR.match(self._text, self._at)
                assert found is not None  # noqa: S101 - INVARIANT: tomllib read this document
                self._at = found.end()
        self._end = self._at

    def _enter(self) -> None:
        """Step behind an opening bracket."""
        self._open.append(self._at)
        self._at += 1
        self._end = self._at

    def _leave(self) -> None:
        """Step behind the closing bracket."""
        self._open.pop()
        self._at += 1

    def _separator(self) -> None:
        """Skip a comma and what stands around it."""
        self._blank(lines=True)
        if self._text[self._at] == ",":
            self._at += 1
            self._blank(lines=True)
