"""Canonical JSON, held to the reference implementation of RFC 8785."""

from __future__ import annotations

import json
import struct
from collections import OrderedDict
from enum import IntEnum, StrEnum

import numpy as np
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.model.canonical import _kept_members, canonical, parse_json

EXACT = st.integers(-(2**53) + 1, 2**53 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Any sixty-four bits: the doubles that text-minded strategies seldom find.
BITS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]).filter(lambda x: x - x == 0)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | EXACT | FINITE | BITS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_bytes_are_those_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


@given(FINITE | BITS)
def test_every_double_is_written_as_ecmascript_writes_it_and_reads_back_the_same(number):
    written = canonical(number)
    assert written == rfc8785.dumps(number)
    assert float(written) == number


def readable(value):
    """Whether no whole float beyond 2**53 is in it: written, it is an integer that readers do not agree on."""
    match value:
        case float():
            return abs(value) < 2**53 or abs(value) >= 1e21
        case list():
            return all(map(readable, value))
        case dict():
            return all(map(readable, value.values()))
    return True


@given(VALUES.filter(readable))
def test_reading_gives_what_was_written(value):
    assert canonical(parse_json(canonical(value))) == canonical(value)


@pytest.mark.parametrize(
    ("number", "text"),
    # RFC 8785, appendix B.
    [
        (0.0, b"0"),
        (-0.0, b"0"),
        (5e-324, b"5e-324"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (9007199254740992.0, b"9007199254740992"),
        (295147905179352830000.0, b"295147905179352830000"),
        (9.999999999999997e22, b"9.999999999999997e+22"),
        (1e21, b"1e+21"),
        (1e-6, b"0.000001"),
        (1e-7, b"1e-7"),
        (333333333.33333325, b"333333333.33333325"),
        (-0.0000033333333333333333, b"-0.0000033333333333333333"),
    ],
)
def test_numbers_of_the_specification(number, text):
    assert canonical(number) == text


def test_a_float_that_writes_itself_in_another_way_is_a_float_all_the_same():
    class Loud(float):
        def __repr__(self):
            return f"Loud({float(self)})"

    assert canonical({"resolution_m": Loud(0.5)}) == b'{"resolution_m":0.5}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**53, -(2**53), "\ud800", {"\udfff": 1}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(InputError):
        canonical([value])


@pytest.mark.parametrize("names", [[f"é{n}" for n in range(100)], ["\U0001f6f0" * 600, "\uff21", "a"]])
def test_tables_of_many_or_long_names_are_written_as_others_and_not_kept_in_memory(names):
    kept = _kept_members.cache_info().currsize
    table = dict.fromkeys(reversed(names), 0.5)
    assert canonical(table) == rfc8785.dumps(table)
    assert _kept_members.cache_info().currsize == kept


class Word(StrEnum):
    """A text that is of another type."""

    A = "絆"


def test_values_of_types_derived_from_those_of_json_are_written_alike():
    value = {"a": Word.A, "b": IntEnum("Number", {"TWO": 2}).TWO, "c": OrderedDict(z=1, y=(2.0, np.float64(0.1)))}
    assert canonical(value) == '{"a":"絆","b":2,"c":{"y":[2,0.1],"z":1}}'.encode()


def test_what_is_no_json_is_never_left_out_in_silence():
    with pytest.raises(AssertionError):
        canonical({"a": {1, 2}})


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"[-1e400]",
        b"",
        b"{",
        b"[1,]",
        b"{} {}",
        b"\xff",
        b"\xef\xbb\xbf{}",
        json.dumps({"a": 1}).encode("utf-16"),
        json.dumps({"a": 1}).encode("utf-32-le"),
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_what_two_readers_could_read_differently_is_refused(data):
    with pytest.raises(InputError) as caught:
        parse_json(data, field="card")
    assert caught.value.field == "card"
