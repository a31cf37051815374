"""CQL2 in both forms: what is read, and what is said of what cannot be."""

from __future__ import annotations

import pytest

from kizuna.catalog.cql2 import And, Compare, Comparison, Filters, Has, Like, Not, OneOf, Or, Truth, Type
from kizuna.catalog.cql2_text import read_text
from kizuna.errors import InputError
from kizuna.model.instants import parse_instant
from kizuna.release.columns import micros

KNOWN = {"gsd": Type.NUMBER, "platform": Type.TEXT, "datetime": Type.INSTANT, "security:policy": Type.TEXT, "open": Type.BOOLEAN}
NEW_YEAR = micros(parse_instant("2026-01-01"))
GSD, PLATFORM, WHEN = {"property": "gsd"}, {"property": "platform"}, {"property": "datetime"}


def op(name, *args):
    return {"op": name, "args": list(args)}


@pytest.mark.parametrize(
    ("text", "document", "tree"),
    [
        ("gsd <= 0.5", op("<=", GSD, 0.5), Compare("gsd", Comparison.AT_MOST, 0.5)),
        ("-1e3 < gsd", op("<", -1e3, GSD), Compare("gsd", Comparison.ABOVE, -1000.0)),
        ("1 >= gsd", op(">=", 1, GSD), Compare("gsd", Comparison.AT_MOST, 1.0)),
        ("platform <> 'it''s 絆'", op("<>", PLATFORM, "it's 絆"), Compare("platform", Comparison.UNEQUAL, "it's 絆")),
        (
            "\"security:policy\" = 'JPN'",
            op("=", {"property": "security:policy"}, "JPN"),
            Compare("security:policy", Comparison.EQUAL, "JPN"),
        ),
        (
            "datetime > TIMESTAMP('2026-01-01T00:00:00Z')",
            op(">", WHEN, {"timestamp": "2026-01-01T00:00:00Z"}),
            Compare("datetime", Comparison.ABOVE, NEW_YEAR),
        ),
        ("datetime > date('2026-01-01')", op(">", WHEN, {"date": "2026-01-01"}), Compare("datetime", Comparison.ABOVE, NEW_YEAR)),
        ("datetime > '2026-01-01'", op(">", WHEN, "2026-01-01"), Compare("datetime", Comparison.ABOVE, NEW_YEAR)),
        (
            "gsd between 1 and 2",
            op("between", GSD, 1, 2),
            And((Compare("gsd", Comparison.AT_LEAST, 1.0), Compare("gsd", Comparison.AT_MOST, 2.0))),
        ),
        ("platform not in ('a', 'b')", op("not", op("in", PLATFORM, ["a", "b"])), Not(OneOf("platform", ("a", "b")))),
        ("platform LIKE 'a%'", op("like", PLATFORM, "a%"), Like("platform", "a%")),
        ("gsd IS NULL", op("isNull", GSD), Not(Has("gsd"))),
        ("open", {"property": "open"}, Compare("open", Comparison.EQUAL, value=True)),
        (
            "gsd=1 or not (open and true)",
            op("or", op("=", GSD, 1), op("not", op("and", {"property": "open"}, True))),
            Or(
                (
                    Compare("gsd", Comparison.EQUAL, 1.0),
                    Not(And((Compare("open", Comparison.EQUAL, value=True), Truth(value=True)))),
                )
            ),
        ),
    ],
)
def test_both_forms_are_read_into_one_tree(text, document, tree):
    assert read_text(Filters(KNOWN), text) == tree
    assert Filters(KNOWN).read_json(document) == tree


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "got the end, expected a property or a value"),
        ("gsd", "got gsd alone, expected a comparison"),
        ("gsd <", "got the end, expected a property or a value"),
        ("gsd < 1 gsd", "got 'gsd' at character 9, expected an operator"),
        ("(gsd < 1", "got the end, expected )"),
        ("gsd < gsd", "expected a property on one side and a value on the other"),
        ("1 < 2", "expected a property on one side and a value on the other"),
        ("gsd < 'a'", "got 'a', expected number for gsd"),
        ("gsd LIKE 'a'", "got like on gsd, expected a property that is a text"),
        ("nothing = 1", "got the property 'nothing', expected one of datetime, gsd"),
        ("gsd BETWEEN 1 OR 2", "got 'OR' at character 15, expected AND and the upper bound"),
        ("gsd IN 1", "got '1' at character 8, expected ("),
        ("datetime > 'yesterday'", "'yesterday' is no instant"),
        ("gsd # 1", "got '# 1' at character 4"),
        ("platform = 'open", "at character"),
        ("S_INTERSECTS(gsd, 1)", "got the property 'S_INTERSECTS'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text, told):
    with pytest.raises(InputError) as caught:
        read_text(Filters(KNOWN), text)
    assert told in str(caught.value)
    assert caught.value.field == "filter"
