"""Canonical JSON: one sequence of bytes for one value (RFC 8785, JSON Canonicalization Scheme).

Members are sorted by their names' UTF-16 code units, nothing is padded, strings are escaped only where JSON demands it, and
numbers are written as ECMAScript writes them. What is signed or hashed in kizuna is always these bytes.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NewType, assert_never

from kizuna.errors import InputError, Message

__all__ = ["CanonicalBytes", "Json", "canonical", "canonical_text", "parse_json", "utf8"]

type Json = bool | int | float | str | list[Json] | tuple[Json, ...] | dict[str, Json] | None

CanonicalBytes = NewType("CanonicalBytes", bytes)
"""UTF-8 bytes that `canonical` made."""

# Integers beyond this are not exact as IEEE 754 doubles (RFC 7493, section 2.2).
_LARGEST_INTEGER = 2**53 - 1
# ECMAScript writes decimals without an exponent from 1e-6 up to 1e21.
_PLAIN_FROM, _PLAIN_TO = -7, 21
# Between these, Python and ECMAScript write a fraction alike.
_ALIKE_FROM, _ALIKE_TO = 1e-4, 1e15
_MOST_NAMES, _LONGEST_NAMES = 32, 512


def _number(value: float) -> str:
    """ECMAScript's Number::toString of a finite double (ECMA-262, section 6.1.6.1.20)."""
    if value == 0:
        return "0"
    # A subclass of float (NumPy has one) may write itself in another way.
    mantissa, _, exponent = float.__repr__(value).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS x 10**point.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= _PLAIN_TO:
        text = digits + "0" * (point - count)
    elif 0 < point <= _PLAIN_TO:
        text = f"{digits[:point]}.{digits[point:]}"
    elif _PLAIN_FROM + 1 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        power = point - 1
        tail = f".{digits[1:]}" if count > 1 else ""
        text = f"{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"
    return sign + text


def _sorted_members(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names of a table in their order, each with the beginning of its member."""
    in_order = sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return [(name, f"{encode_basestring(name)}:") for name in in_order]


_kept_members = lru_cache(maxsize=512)(_sorted_members)


def _members(names: tuple[str, ...]) -> list[tuple[str, str]]:
    # Most tables are of a few forms, which recur. Others are not kept: whoever sends them could fill the memory with them.
    recurs = len(names) <= _MOST_NAMES and len("".join(names)) <= _LONGEST_NAMES
    return _kept_members(names) if recurs else _sorted_members(names)


def canonical_text(value: Any) -> str:  # noqa: ANN401 - JSON, whose exact type is asked for
    """Text of which `canonical` gives the bytes; for whoever joins values that were written before."""
    # A node writes thousands of values at once: the types that nearly all have are told apart cheaply.
    kind = type(value)
    if kind is str:
        # It escapes exactly what RFC 8785 asks for.
        return encode_basestring(value)
    if kind is dict:
        members = [
            begin + (encode_basestring(member) if type(member := value[name]) is str else canonical_text(member))
            for name, begin in _members(tuple(value))
        ]
        return f"{{{','.join(members)}}}"
    if kind is list or kind is tuple:
        return f"[{','.join([canonical_text(item) for item in value])}]"
    if kind is float and _ALIKE_FROM <= abs(value) < _ALIKE_TO:
        return str(int(value)) if value.is_integer() else repr(value)
    if kind is int and -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        return str(value)
    return _written_out(value)


def _written_out(value: Json) -> str:
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            if abs(value) > _LARGEST_INTEGER:
                raise InputError(
                    Message("the integer {value} is too large for JSON", {"value": value}),
                    hint=Message("write it as a string"),
                )
            return int.__repr__(value)
        case float():
            if not math.isfinite(value):
                raise InputError(
                    Message("JSON has no number for {value}", {"value": str(value)}), hint=Message("leave the member out")
                )
            return _number(value)
        case str():
            return encode_basestring(value)
        case list() | tuple():
            return canonical_text([*value])
        case dict():
            return canonical_text({**value})
        case _:
            assert_never(value)


def canonical(value: Json) -> CanonicalBytes:
    """Canonical bytes of `value`.

    Raises
    ------
    InputError
        If `value` holds an infinite or undefined number, an integer beyond 2**53 - 1, or a lone surrogate.

    Examples
    --------
    >>> canonical({"b": [1.0, 1e21], "a": "絆"}).decode()
    '{"a":"絆","b":[1,1e+21]}'
    """
    return utf8(canonical_text(value))


def utf8(text: str) -> CanonicalBytes:
    """Bytes of what `canonical_text` wrote.

    Raises
    ------
    InputError
        If a string in it holds a lone surrogate.
    """
    try:
        return CanonicalBytes(text.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            Message("a string holds half a character (a lone surrogate)"), hint=Message("write the text as valid Unicode")
        ) from error


def _unique_members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:32]} is beyond every number that JSON's readers agree on")
    return value


def parse_json(data: bytes, *, field: str = "document") -> Json:
    """Value of JSON `data`, refusing what two readers could read differently.

    That is: members that stand twice, NaN, numbers that overflow, another encoding than UTF-8.

    Raises
    ------
    InputError
        If `data` is not such JSON.
    """
    try:
        value: Json = json.loads(
            data.decode(), object_pairs_hook=_unique_members, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise InputError(
            Message("{field}: not JSON that can be read in one way only ({why})", {"field": field, "why": str(error)}),
            hint=Message("check that the whole file arrived"),
            field=field,
        ) from error
    return value
