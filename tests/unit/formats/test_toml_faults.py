"""Why a text is no TOML: at the place where a person must write, in words that can be translated."""

from __future__ import annotations

import sys
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.adapters.translations import translator
from kizuna.formats.toml_faults import _WHY, TomlFault, read_toml

MANY = "9" * (sys.get_int_max_str_digits() + 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ('a = 1\nparties = ["JPN", "UKR"\nfictional = true\n', 2, 24, "line 2"),
        ('parties = ["JPN" # the giver ]\n\n[in_force]\n', 1, 17, "line 1"),
        ('parties = [\n  "JPN"\n  "UKR",\n]\n', 2, 8, "line 1"),
        ("x = [1, [2, 3], [4\n", 1, 19, "line 1"),
        ("x = [\n  { a = [1, 2 }\n]", 2, 14, "line 2"),
        ("x = [", 1, 6, "no value"),
        ('\ufeffid = "A"', 1, 1, "byte order mark"),
        (f"a = 12\nx = {MANY}", 2, 5, "digits"),
        (f"a = [1, -{MANY}]", 1, 9, "digits"),
        ("x = 2025-02-30", 1, 5, "date"),
        ("x = 1\nx = 2", 2, 6, "twice"),
        ('x = "abc\ny = 1', 1, 9, "closing quotation mark"),
        ('x = """abc\ny = 1', 2, 6, "closing quotation mark"),
        ("x = '''abc\ny = 1", 2, 6, "closing quotation mark"),
        ('x = "a\\w"', 1, 9, "backslash"),
        ("x 1", 1, 3, "="),
        ("x = yes", 1, 5, "quotation marks"),
        ("[" * 3000, 1, 1, ""),
        ("x = " + "[" * 100_000, 1, 1, "brackets"),
    ],
)
def test_a_fault_stands_where_a_person_must_write(text, line, column, word):
    fault = read_toml(text)
    assert isinstance(fault, TomlFault)
    assert word in fault.why.render()
    if word not in {"", "closing quotation mark"}:
        assert (fault.place.line, fault.place.column) == (line, column)
    else:
        assert fault.place.line <= text.count("\n") + 1


def test_a_value_that_is_none_in_an_open_list_reminds_of_the_bracket():
    fault = read_toml('x = [\n  "JPN",\nid = "A"\n')
    assert fault.place.line == 3
    assert "line 1" in fault.hint.render()


@pytest.mark.parametrize("message", _WHY.values())
def test_what_the_parser_says_is_said_in_french_too(message):
    assert message.render(translator("fr", {})) != message.render()


@given(st.text(alphabet="ab=[]{}\"'#\n., 1\\\ufeff\r", max_size=40))
def test_a_text_is_read_as_tomllib_reads_it_or_its_fault_has_a_place(text):
    found = read_toml(text)
    if isinstance(found, TomlFault):
        with pytest.raises(tomllib.TOMLDecodeError):
            tomllib.loads(text)
        lines = text.replace("\r\n", "\n").split("\n")
        assert 1 <= found.place.line <= len(lines)
        assert 1 <= found.place.column <= len(lines[found.place.line - 1]) + 1
    else:
        assert found == tomllib.loads(text)
