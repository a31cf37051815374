"""One rule table, several back ends: NumPy columns and SQL let go exactly what `decide` lets go, product by product."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.registers import GIVER, KNOWN, make_world
from simulators.release_tables import FilledTables

from kizuna.adapters.sql_rules import Dialect
from kizuna.catalog.columns import granted, product_columns
from kizuna.release.decide import decide, decide_in
from kizuna.release.decision import Outcome
from kizuna.release.rules import RULES, RuleId
from kizuna.release.view import view_of

# No shrinking to speak of: a world is made of its seed. Few products each, so that a failing one can be read.
SEEDS = st.integers(0, 2**32 - 1)
PRODUCTS = 25


def agree(world, subjects, questions):
    """Decisions, after all back ends were held to them."""
    view = view_of(world.register, KNOWN)
    columns = product_columns(view, GIVER, subjects)
    decisions = []
    with closing(sqlite3.connect(":memory:")) as connection:
        tables = FilledTables(connection, Dialect.SQLITE, view, GIVER, subjects)
        for partner, at, purpose in questions:
            decided = [decide_in(view, subject, partner, at, purpose) for subject in subjects]
            permitted = [number for number, decision in enumerate(decided) if decision.outcome is Outcome.PERMIT]
            found = granted(columns, view, partner, at, purpose)
            assert np.flatnonzero(found.releasable).tolist() == permitted
            assert tables.ask(partner, at, purpose) == permitted
            for number in permitted:
                entry, reason = found.entries[found.article[number]], decided[number].reasons[0]
                assert (entry.agreement.id, entry.article.number) == (reason.agreement, reason.article)
            decisions += decided
    return decisions


@settings(max_examples=250, deadline=None)
@given(SEEDS, st.sampled_from([0.02, 0.1, 0.2, 0.4]), st.integers(1, 12))
def test_columns_and_sqlite_let_go_what_decide_lets_go(seed, oddity, agreements):
    world = make_world(Random(seed), agreements=agreements, oddity=oddity, products=PRODUCTS)
    subjects = [world.subject(number, derived=0.3, foreign=0.2) for number in range(PRODUCTS)]
    agree(world, subjects, [world.question() for _ in range(4)])


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_more_parties_than_a_word_has_bits(seed):
    world = make_world(Random(seed), agreements=200, oddity=0.1, most_partners=140, products=PRODUCTS)
    subjects = [world.subject(number) for number in range(PRODUCTS)]
    view = view_of(world.register, KNOWN)
    for partner in world.partners:
        view.parties.bit(partner)
    subjects.append(replace(subjects[0], label=replace(subjects[0].label, releasable_to=(world.partners[-1],))))
    assert len(product_columns(view, GIVER, subjects).masks["releasable"]) > 2
    agree(world, subjects, [world.question() for _ in range(8)])


@settings(max_examples=4, deadline=None)
@given(SEEDS)
def test_parties_that_are_first_met_after_the_columns_were_made(seed):
    world = make_world(Random(seed), agreements=160, oddity=0.05, most_partners=80, products=PRODUCTS)
    # Of these products only two partners are known, and no correction of a label names another.
    world.register = replace(world.register, relabellings=())
    few = tuple(world.partners[:2])
    subjects = [world.subject(number, foreign=0) for number in range(PRODUCTS)]
    subjects = [replace(s, label=replace(s.label, releasable_to=s.label.releasable_to and few), ancestors=()) for s in subjects]
    view = view_of(world.register, KNOWN)
    assert product_columns(view, GIVER, subjects).masks["releasable"][0].itemsize == 1
    assert len(view.parties) < 8
    decisions = agree(world, subjects, [(partner, world.instant(), "") for partner in world.partners])
    assert len(view.parties) > 64
    assert any(decision.outcome is Outcome.PERMIT for decision in decisions[-30 * PRODUCTS :])


def test_the_worlds_meet_every_rule_and_every_outcome():
    """Else the properties above would hold of nothing."""
    rules, outcomes = Counter(), Counter()
    for seed in range(6):
        world = make_world(Random(seed), oddity=0.15)
        subjects = [world.subject(number, derived=0.5) for number in range(100)]
        for decision in agree(world, subjects, [world.question() for _ in range(10)]):
            outcomes[decision.outcome] += 1
            rules.update({reason.rule for reason in decision.reasons})
    assert set(outcomes) == set(Outcome)
    assert min(outcomes.values()) > 20
    assert {rule.id for rule in RULES} <= {RuleId(rule) for rule, count in rules.items() if count > 20}


@settings(max_examples=6, deadline=None)
@given(SEEDS, st.sampled_from([0.05, 0.2, 0.4]))
def test_what_is_kept_is_what_would_be_said_anew(seed, oddity):
    world = make_world(Random(seed), agreements=6, oddity=oddity, products=40)
    subjects = [world.subject(number, derived=0.3, foreign=0.2) for number in range(40)]
    # Products that differ in one thing from one another find most of what was kept of the others.
    subjects += [
        replace(subject, **{name: getattr(world.random.choice(subjects), name)})
        for subject in subjects
        for name in ("label", "kind", "complex_data", "event", "produced", "resolution_m", "placement", "ancestors", "originator")
    ]
    questions = [world.question() for _ in range(3)]
    questions += [(partner, world.random.choice(questions)[1], "") for partner in world.partners]
    for partner, at, purpose in questions:
        anew = replace(world.register)
        for number, subject in enumerate(world.random.sample(subjects, len(subjects))):
            kept = decide(world.register, subject, partner, at, KNOWN, purpose)
            if number % 7 == 0:
                anew = replace(world.register)
            assert kept == decide(anew, subject, partner, at, KNOWN, purpose)
