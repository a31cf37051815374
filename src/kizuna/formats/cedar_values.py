"""Strings and instants as Cedar writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["cedar_string", "down", "sound", "up", "written"]

_MILLISECOND = timedelta(milliseconds=1)
_LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)


def cedar_string(text: str) -> str:
    r"""String literal of Cedar; what is not printed is escaped, so that no text hides or turns what is read.

    Raises
    ------
    InputError
        If `text` holds a half of a surrogate pair, which no Cedar text can.

    Examples
    --------
    >>> print(cedar_string('say "秘"\n'))
    "say \"秘\"\u{a}"
    """
    return '"' + "".join(map(_escaped, sound(text))) + '"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"


def sound(text: str) -> str:
    """`text`, if it is one that Cedar can hold.

    Raises
    ------
    InputError
        If it holds a half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            Message("{field}: {got} is no Unicode text", {"field": "cedar", "got": ascii(text)}),
            hint=Message("correct this text where it was recorded"),
            field="cedar",
        ) from error
    return text


def down(instant: Instant) -> datetime:
    """Last whole millisecond that is not after an instant."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def up(instant: Instant) -> datetime:
    """First whole millisecond that is not before an instant (of the years that can be written)."""
    whole = down(instant)
    return whole if whole in {instant, _LAST} else whole + _MILLISECOND


def written(moment: datetime) -> str:
    """Text of a whole millisecond, as Cedar reads it."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00").removesuffix(".000") + "Z"
