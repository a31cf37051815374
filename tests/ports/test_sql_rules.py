"""The rules as SQL, in a real SQLite file and a real PostgreSQL: each selects what `decide` permits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random

import pytest
from simulators.registers import GIVER, KNOWN, make_world
from simulators.release_tables import FilledTables

from kizuna.adapters.sql_rules import Dialect
from kizuna.release.decide import decide_in
from kizuna.release.decision import Outcome
from kizuna.release.view import view_of


@pytest.fixture(scope="module", params=Dialect)
def database(request, tmp_path_factory):
    if request.param is Dialect.SQLITE:
        with closing(sqlite3.connect(tmp_path_factory.mktemp("rules") / "rules.sqlite")) as connection:
            yield connection, request.param
    else:
        with request.getfixturevalue("postgres_server").connected() as connection:
            connection.autocommit = False
            yield connection, request.param


@pytest.mark.parametrize("seed", range(12))
def test_the_database_selects_what_decide_permits(database, seed):
    random = Random(seed)
    # Every other world has more parties than a word has bits.
    many = seed % 2 == 1
    world = make_world(random, agreements=150 if many else 12, oddity=0.05 * (seed % 4), most_partners=90 if many else None)
    subjects = [world.subject(number, derived=0.3, foreign=0.3) for number in range(60)]
    view = view_of(world.register, KNOWN)
    if many:
        view.parties.mask(world.partners)
    tables = FilledTables(*database, view, GIVER, subjects)
    permits = 0
    for _ in range(10):
        partner, at, purpose = world.question()
        decided = [decide_in(view, subject, partner, at, purpose).outcome for subject in subjects]
        permitted = [number for number, outcome in enumerate(decided) if outcome is Outcome.PERMIT]
        assert tables.ask(partner, at, purpose) == permitted
        permits += len(permitted)
    assert permits


def test_nothing_in_the_tables_may_be_null(database):
    connection, dialect = database
    world = make_world(Random(1), agreements=2)
    tables = FilledTables(connection, dialect, view_of(world.register, KNOWN), GIVER, [world.subject(1)])
    connection.commit()
    tables.cursor.execute("SELECT * FROM release_product")
    columns = [description[0] for description in tables.cursor.description]
    # The number is the key, which SQLite would make up.
    for column in set(columns) - {"number"}:
        with pytest.raises(Exception, match=r"(?i)not.null"):
            tables.cursor.execute(f"UPDATE release_product SET {column} = NULL")
        connection.rollback()
