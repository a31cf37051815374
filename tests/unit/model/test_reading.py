"""Strict reading: each fault names its field, what was got and what was expected."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest

from kizuna.adapters.translations import translator
from kizuna.errors import InputError, Message
from kizuna.model.reading import LONGEST_LINE, Table, one_line, open_table

READERS = [
    ("text", None),
    ("text", ""),
    ("text", "   "),
    ("text", 5),
    ("text", "x" * 10_001),
    ("text", "red \x1b[31mtitle"),
    ("text", "nul\0"),
    ("text", "c1 \x9b31m"),
    ("text", "two\nlines"),
    ("text", "carriage\rreturn"),
    ("text", "tab\tulator"),
    ("text", "line\u2028separator"),
    ("text", "paragraph\u2029separator"),
    ("text", "gpj.\u202eexe"),
    ("text", "isolate\u2066d"),
    ("text", "zero\u200bwidth"),
    ("texts", ["a\nb"]),
    ("texts", ["a", "b\u202e"]),
    ("texts", ["x" * 2_001]),
    ("texts", ["x"] * 100_001),
    ("parties", ["JPN"] * 101),
    ("integer", 1.0),
    ("integer", True),
    ("integer", -1),
    ("integer", "1"),
    ("number", "1"),
    ("number", True),
    ("number", math.nan),
    ("number", math.inf),
    ("number", 10**400),
    ("boolean", 1),
    ("boolean", "true"),
    ("boolean", None),
    ("texts", "abc"),
    ("texts", ["a", 1]),
    ("texts", ["a", ""]),
    ("texts", ["a\x07"]),
    ("party", "Japan"),
    ("party", "ZZZ"),
    ("party", "JPN/"),
    ("party", "JPN/iqps"),
    ("party", "JPN\n"),
    ("parties", ["JPN", "XYZ/A"]),
    ("instant", "soon"),
    ("instant", 5),
    ("table", []),
    ("table", None),
    ("tables", {}),
    ("tables", [1]),
]


@pytest.mark.parametrize(("reader", "value"), READERS)
def test_a_fault_names_its_field_and_says_what_was_got_and_expected(reader, value):
    table = Table({"member": value}, "outer[2]")
    with pytest.raises(InputError) as caught:
        getattr(table, reader)("member")
    assert caught.value.field == "outer[2].member"
    assert str(caught.value).startswith("outer[2].member: ")
    assert "expected" in str(caught.value) or "unknown nation" in str(caught.value)


@pytest.mark.parametrize("reader", ["text", "integer", "number", "boolean", "party", "instant", "table"])
def test_an_absent_member_is_a_fault(reader):
    with pytest.raises(InputError) as caught:
        getattr(Table({}), reader)("member")
    assert caught.value.field == "member"
    assert "got nothing" in str(caught.value)


@pytest.mark.parametrize("reader", ["texts", "parties", "tables"])
def test_an_absent_list_is_empty(reader):
    assert getattr(Table({}), reader)("member") == ()


def test_a_member_that_nobody_asked_for_is_refused_by_name():
    table = Table({"known": 1, "releasable_too": []}, "label")
    table.integer("known")
    with pytest.raises(InputError) as caught:
        table.done()
    assert caught.value.field == "label.releasable_too"
    assert "known" in caught.value.hint.render()


def test_other_scripts_are_texts_and_line_ends_where_they_are_let_in():
    assert Table({"t": "一行目 Таємно é"}).text("t") == "一行目 Таємно é"
    assert Table({"t": "一行目\n二行目\tТаємно"}).text("t", lines=True) == "一行目\n二行目\tТаємно"
    with pytest.raises(InputError):
        Table({"t": "red \x1b[31m"}).text("t", lines=True)


def test_a_limit_is_read_up_to_and_not_beyond():
    assert Table({"t": "abc"}).text("t", longest=3) == "abc"
    assert Table({"t": ["a", "b"]}).texts("t", most=2) == ("a", "b")
    with pytest.raises(InputError, match="at most 2"):
        Table({"t": "abc"}).text("t", longest=2)
    with pytest.raises(InputError, match="at most 1"):
        Table({"t": ["a", "b"]}).texts("t", most=1)


@pytest.mark.parametrize("text", ["a\nb\u202e c", "\x00 a \u2028", "x " * 3_000])
def test_what_is_made_one_line_can_be_read(text):
    line = one_line(text)
    assert Table({"t": line}).text("t", longest=LONGEST_LINE) == line


def test_a_toml_date_and_date_time_are_instants():
    table = Table({"day": date(2025, 6, 21), "moment": datetime(2025, 6, 21, 9, tzinfo=UTC), "naive": datetime(2025, 6, 21)})  # noqa: DTZ001
    assert table.instant("day") == datetime(2025, 6, 21, tzinfo=UTC)
    assert table.instant("moment") == datetime(2025, 6, 21, 9, tzinfo=UTC)
    with pytest.raises(InputError):
        table.instant("naive")


@pytest.mark.parametrize("document", [None, [], "text", {}, {"schema": 1}, {"schema": "kizuna/label/2"}])
def test_a_document_of_another_schema_is_refused(document):
    with pytest.raises(InputError):
        open_table(document, schema="kizuna/label/1", what="label")


def test_what_was_expected_and_that_nothing_was_got_are_said_in_the_readers_language():
    french = translator("fr", {})
    with pytest.raises(InputError) as caught:
        Table({}).integer("version", least=1)
    said = caught.value.message.render(french)
    assert said == "version : reçu rien, attendu un nombre entier d’au moins 1"


@pytest.mark.parametrize(("reader", "value"), [row for row in READERS if row[0] not in {"party", "parties", "instant"}])
def test_no_fault_keeps_an_english_word_in_french(reader, value):
    with pytest.raises(InputError) as caught:
        getattr(Table({"member": value}), reader)("member")
    expected = caught.value.message.values["expected"]
    assert isinstance(expected, Message)
    assert expected.render(translator("fr", {})) != expected.render()
