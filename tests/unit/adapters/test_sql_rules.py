"""The rules as SQL: what stands in the text, and what does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.rules import FRA, HUR, ISA, JPN, LABEL, NOW, NZL, SHARE, SUBJECT, register

from kizuna.adapters.sql_rules import Dialect, tables_for
from kizuna.model.parties import Party
from kizuna.release.view import view_of


@pytest.mark.parametrize("dialect", Dialect)
def test_no_text_from_outside_stands_in_the_statement(dialect):
    view = view_of(register(replace(SHARE, articles=(replace(SHARE.articles[0], kinds=("x'; --",)),)), ISA), NOW)
    tables = tables_for(view, JPN, dialect)
    where = tables.predicate(view, HUR, NOW)
    assert HUR in where.parameters
    assert where.text.count(dialect.parameter) == len(where.parameters)
    for text in (where.text, *tables.schema(), tables.insert_product()):
        assert not {"'", '"', "-", "\\", "\0"} & set(text)
        assert HUR not in text


def test_who_gets_nothing_gets_a_condition_that_never_holds():
    view = view_of(register(SHARE, ISA), NOW)
    for partner in (NZL, Party("ZZZ"), FRA):
        assert tables_for(view, JPN, Dialect.SQLITE).predicate(view, partner, NOW).text == "1 = 0"


def test_a_product_that_does_not_fit_is_refused():
    view = view_of(register(SHARE, ISA), NOW)
    tables = tables_for(view, JPN, Dialect.SQLITE)
    assert tables.words["releasable"] == 1
    tables.product_values(view, 1, SUBJECT)
    for number in range(100):
        view.parties.bit(number)
    with pytest.raises(ValueError, match=r"releasable of p needs 1.. bits, and the table has 63"):
        tables.product_values(view, 2, replace(SUBJECT, label=replace(LABEL, releasable_to=(NZL,))))
    # What names none of those beyond still fits, and so does what names all.
    tables.product_values(view, 3, SUBJECT)
    assert tables_for(view, JPN, Dialect.SQLITE).words["releasable"] == 2


def test_a_product_of_another_holder_is_refused():
    view = view_of(register(SHARE, ISA), NOW)
    with pytest.raises(ValueError, match="held by FRA, expected JPN"):
        tables_for(view, JPN, Dialect.SQLITE).product_values(view, 1, replace(SUBJECT, holder=FRA))
