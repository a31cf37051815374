"""Where the fields of a TOML document stand: whatever tomllib reads has its place, and at that place stands what it read."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.formats.toml_positions import Place, end_of_toml, field_of, positions_of
from kizuna.wiring import sample_folder


def paths(value, path=()):
    """Every path that tomllib finds, with its value."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, below in value.items():
            yield from paths(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from paths(below, (*path, index))


def at(text, place):
    """Text from a place on."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])


def read_key(text):
    """First name of the key with which a text begins."""
    for end in range(1, len(text) + 1):
        if text[end : end + 1] in {*" .=]\t", ""}:
            try:
                (name,) = tomllib.loads(f"{text[:end]} = 0")
            except (tomllib.TOMLDecodeError, ValueError):
                continue
            return name
    raise AssertionError(text)


def read_value(text):
    """Longest TOML value with which a text begins."""
    found = []
    for end in range(1, len(text) + 1):
        if text[end : end + 1] in {*" ,]}#\t\n", ""}:
            try:
                found.append(tomllib.loads(f"x = {text[:end]}")["x"])
            except tomllib.TOMLDecodeError:
                continue
    return found


def check(text):
    document = tomllib.loads(text)
    where = positions_of(text)
    found = dict(paths(document))
    assert where.values.keys() == found.keys()
    assert where.keys.keys() == {path for path in found if isinstance(path[-1], str)}
    for path, place in where.keys.items():
        assert read_key(at(text, place)) == path[-1], path
    for path, value in found.items():
        if not isinstance(value, dict | list):
            assert value in read_value(at(text, where.values[path])), path
    return where


EXAMPLE = '''\
# a comment with = and [brackets]
title = "TOML \\" = #"   # another
'quoted key'."dotted \\u006bey".plain = 1
dates = [ 1979-05-27 07:32:00Z, 1979-05-27, 07:32:00, # with a comment ]
  -inf, 0x1F, true,
]
empty = []
text = """
[no.table]
a = 1 \\""" still ""\\
   inside"""""
raw = \'\'\'C:\\\'\'\'
two = \'\'\'it\'\'\'\'\'
inline = { a = 1, b.c = { d = [ { e = "x" }, {} ] } }
[ table . "sub table" ]
a = 1
[[array]]
name = "first"
[[array.inner]]
n = 1
[[array.inner]]
n = 2
[array.more]
x = 1
[[array]]
[[array.inner]]
n = 3
[table]
late = 1
[array.inner.deep]
z = 9
'''


def test_every_form_of_toml_is_found_where_it_stands():
    where = check(EXAMPLE)
    assert where.values["title",] == Place(2, 9)
    assert where.keys["quoted key", "dotted key", "plain"] == Place(3, 32)
    assert where.values["dates", 3] == Place(5, 3)
    assert where.values["array", 1, "inner", 0, "n"] == Place(27, 5)
    assert where.values["array", 1, "inner", 0, "deep", "z"] == Place(31, 5)


def test_lines_that_end_as_on_windows_count_the_same():
    assert check(EXAMPLE.replace("\n", "\r\n")) == check(EXAMPLE)


@pytest.mark.parametrize("path", sorted(sample_folder("coalition").rglob("*.toml")), ids=lambda path: path.name)
def test_every_field_of_the_sample_has_its_place(path):
    check(path.read_text("utf-8"))


# ---- documents of every shape

BLANK = st.sampled_from(["", " ", "\t", "  "])
BARE = st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True)
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=5)
COMMENT = st.sampled_from(["", "# c", '# [x] = "', "# '''"])


@st.composite
def names(draw):
    """A name, and how it is written."""
    name = draw(BARE | WORD)
    forms = [json.dumps(name, ensure_ascii=False)]
    if name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name):
        forms.append(name)
    if "'" not in name:
        forms.append(f"'{name}'")
    return name, draw(st.sampled_from(forms))


@st.composite
def strings(draw):
    word = draw(WORD)
    quotes = draw(st.sampled_from(["", '"', '""']))
    forms = [json.dumps(word, ensure_ascii=False), f'"""\n{json.dumps(word, ensure_ascii=False)[1:-1]}\n# = {quotes}"""']
    if "'" not in word:
        forms += [f"'{word}'", f"'''{word}\n[x]{quotes.replace(chr(34), chr(39))}'''"]
    return draw(st.sampled_from(forms))


SCALAR = strings() | st.sampled_from(
    ["1", "-1.5e3", "true", "nan", "2025-06-21", "2025-06-21T01:02:03Z", "2025-06-21 01:02:03.5+09:00"]
).filter(lambda text: text != "nan")


@st.composite
def arrays(draw, values):
    items = draw(st.lists(values, max_size=3))
    space = [draw(st.sampled_from(["", " ", "\n", " # c\n", "\n\n  "])) for _ in range(2 * len(items) + 2)]
    text = space[0]
    for index, item in enumerate(items):
        comma = "," if index < len(items) - 1 or draw(st.booleans()) else ""
        text += item + space[2 * index + 1] + comma + space[2 * index + 2]
    return f"[{text}]"


@st.composite
def inline_tables(draw, values):
    members = draw(st.lists(st.tuples(names(), values), max_size=3, unique_by=lambda member: member[0][0]))
    return "{" + draw(BLANK) + ", ".join(f"{name[1]}{draw(BLANK)}={draw(BLANK)}{value}" for name, value in members) + "}"


VALUE = st.recursive(SCALAR, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def documents(draw):
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        key = f"{draw(BLANK)}.{draw(BLANK)}".join(name[1] for name in draw(st.lists(names(), min_size=1, max_size=3)))
        match draw(st.sampled_from(["member", "member", "table", "array", "comment"])):
            case "member":
                line = f"{draw(BLANK)}{key}{draw(BLANK)}={draw(BLANK)}{draw(VALUE)}{draw(BLANK)}{draw(COMMENT)}"
            case "table":
                line = f"{draw(BLANK)}[{draw(BLANK)}{key}{draw(BLANK)}]{draw(COMMENT)}"
            case "array":
                line = f"{draw(BLANK)}[[{draw(BLANK)}{key}{draw(BLANK)}]]{draw(COMMENT)}"
            case _:
                line = draw(COMMENT)
        # What does not fit what is there already (a name given twice) is left out.
        try:
            tomllib.loads("\n".join([*lines, line]))
        except tomllib.TOMLDecodeError:
            continue
        lines.append(line)
    return "\n".join(lines)


@given(documents())
def test_whatever_tomllib_reads_has_its_place(text):
    check(text)


# ---- fields


def test_a_missing_field_is_shown_at_the_table_that_lacks_it():
    where = positions_of(EXAMPLE)
    assert where.of_field("array[1].inner[0].n") == Place(27, 5)
    assert where.of_field("array[1].inner[0].m") == Place(26, 1)
    assert where.of_field("inline.b.c.d[0].f") == where.values["inline", "b", "c", "d", 0]
    assert where.of_field("nothing.here") == Place(1, 1)
    assert where.of_field(None) == Place(1, 1)
    assert where.of_key("title") == Place(2, 1)
    assert where.of_key("titel") == Place(1, 1)
    assert field_of(("a", 0, "b")) == "a[0].b"


@pytest.mark.parametrize(
    ("text", "place"),
    [("a = 1\nb = \nc = 2", Place(2, 5)), ("a = 1\nb = [1,", Place(2, 8)), ('a = "x\n', Place(1, 7)), ("a", Place(1, 2))],
)
def test_where_toml_ends_is_told(text, place):
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert end_of_toml(text, caught.value) == place
