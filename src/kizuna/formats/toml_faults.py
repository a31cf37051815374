"""What keeps a text from being TOML: where, why and what to do, in sentences that can be translated.

`tomllib` says why in English and where it gave up, which for a list that nobody closed is the line after it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass

from kizuna.errors import Message
from kizuna.formats.toml_positions import Place, end_of_toml, open_bracket

__all__ = ["TomlFault", "read_toml"]

_BYTE_ORDER_MARK = "\ufeff"
_NUMBER = re.compile(r"(?<![\w.\"'])[+-]?\d[\d_]*")
_CORRECT = Message("correct this line")

# By how tomllib's sentences begin. What is not among them is said in its own words.
_WHY = {
    "Invalid statement": Message("neither a name nor a table begins here"),
    "Expected newline or end of document": Message("something follows the value; expected the end of the line"),
    "Invalid value": Message("no value; a text stands between quotation marks"),
    "Expected '=' after a key": Message("expected = after the name"),
    "Invalid initial character for a key part": Message("no name begins so"),
    "Cannot overwrite a value": Message("this name stands twice"),
    "Duplicate inline table key": Message("this name stands twice"),
    "Cannot declare": Message("this table stands twice, or its name is taken"),
    "Cannot redefine namespace": Message("this table stands twice, or its name is taken"),
    "Cannot mutate immutable namespace": Message("this table was closed before, and nothing can be added to it"),
    "Expected ']' at the end": Message("expected ] at the end of the table's name"),
    "Expected ']]' at the end": Message("expected ]] at the end of the table's name"),
    "Unclosed inline table": Message("the braces of this table are not closed"),
    "Unterminated string": Message("a text without its closing quotation mark"),
    "Expected ": Message("a text without its closing quotation mark"),
    "Illegal character '\\n'": Message("a text without its closing quotation mark"),
    "Illegal character": Message("a control character"),
    "Found invalid character": Message("a character that may not stand here"),
    "Unescaped '\\' in a string": Message(
        "a backslash that begins no escape; between single quotation marks it is taken as it is"
    ),
    "Invalid hex value": Message("an escape that names no character"),
    "Escaped character is not": Message("an escape that names no character"),
    "Invalid date or datetime": Message("a date that no calendar has"),
}


@dataclass(frozen=True, slots=True)
class TomlFault:
    """Why a text is not TOML.

    Parameters
    ----------
    place
        Where.
    why
        What is wrong there.
    hint
        What to do.
    """

    place: Place
    why: Message
    hint: Message = _CORRECT


def read_toml(text: str) -> dict[str, object] | TomlFault:
    r"""Table of a TOML text, or what keeps it from being one.

    Examples
    --------
    >>> read_toml('parties = ["JPN"]')
    {'parties': ['JPN']}
    >>> fault = read_toml('parties = ["JPN"\nversion = 1')
    >>> fault.place, fault.why.render()
    (Place(line=1, column=17), 'a list that begins in line 1 does not go on here')
    """
    if text.startswith(_BYTE_ORDER_MARK):
        return TomlFault(
            Place(1, 1), Message("a byte order mark (BOM) stands before the text"), Message("save the file as UTF-8 without BOM")
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _fault(text.replace("\r\n", "\n"), error)
    except RecursionError:
        return TomlFault(Place(1, 1), Message("brackets inside too many brackets"), Message("write it with fewer"))
    except ValueError:
        return _long_number(text.replace("\r\n", "\n"))


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


def _long_number(text: str) -> TomlFault:
    """Python reads whole numbers up to a limit of digits, beyond which the time to read them grows as their square."""
    most = sys.get_int_max_str_digits()
    at = next((found.start() for found in _NUMBER.finditer(text) if sum(map(str.isdigit, found[0])) > most), 0)
    return TomlFault(
        _place(text, at), Message("a number of more than {most} digits", {"most": most}), Message("write fewer digits")
    )


def _fault(text: str, error: tomllib.TOMLDecodeError) -> TomlFault:
    said = str(error).partition(" (at ")[0]
    place = end_of_toml(text, error)
    why = next((message for begin, message in _WHY.items() if said.startswith(begin)), Message("{why}", {"why": said}))
    if not said.startswith(("Unclosed array", "Invalid value")):
        return TomlFault(place, why)
    # All before the place was read: what is still open there was opened by a bracket that nobody closed.
    bracket = open_bracket(text, place)
    if bracket is None:
        return TomlFault(place, why)
    line = {"line": bracket.opened.line}
    if said.startswith("Unclosed array"):
        return TomlFault(
            bracket.end,
            Message("a list that begins in line {line} does not go on here", line),
            Message("close it with ], or write a comma before its next value"),
        )
    return TomlFault(place, why, Message("correct this line, or close the bracket that line {line} opens", line))
