"""Conditions as trees: they say what the lambdas say, whatever of them is filled in."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest

from kizuna.release.columns import ALL, ALWAYS, NEVER, ArticleRow, ProductRow, QuestionRow, folded, masks_of, words_of
from kizuna.release.expressions import Expression, Literal, conjuncts, settle, trace
from kizuna.release.rules import RULES

ROWS = {"p": ProductRow, "a": ArticleRow, "q": QuestionRow}


def any_row(random, row):
    """Row of numbers and masks that often meet."""
    return row(
        *(
            random.choice([0, 1, 2, 3, ALL]) if name in masks_of(row) else random.choice([-1, 0, 1, 2, NEVER, ALWAYS])
            for name in row.__slots__
        )
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_filled_in_step_by_step_says_what_it_says_at_once(rule):
    random = Random(1)
    tree, answers = trace(rule.holds), set()
    for _ in range(2000):
        rows = {side: any_row(random, row) for side, row in ROWS.items()}
        partly = settle(tree, {"a": rows["a"], "q": rows["q"]})
        for part in (partly, settle(tree, {"q": rows["q"]}), settle(tree, {"p": rows["p"]})):
            whole = settle(part, rows)
            assert isinstance(whole, Literal)
            assert bool(whole.value) is bool(rule.holds(rows["p"], rows["a"], rows["q"]))
        if isinstance(partly, Literal):
            assert bool(partly.value) is bool(rule.holds(rows["p"], rows["a"], rows["q"]))
        answers.add(settle(partly, rows).value)
    assert answers == {0, 1}


def test_what_an_article_does_not_ask_for_drops_out():
    left = [
        settle(
            trace(rule.holds),
            {
                "a": SimpleNamespace(
                    **dict.fromkeys(ArticleRow.__slots__, 0)
                    | {
                        "anywhere": 1,
                        "acquired_from": ALWAYS,
                        "acquired_until": NEVER + 1,
                        "produced_from": ALWAYS,
                        "produced_until": NEVER + 1,
                        "purposes": ALL,
                    }
                )
            },
        )
        for rule in RULES
        if rule.id in {"area", "denied-area", "acquired", "produced", "delay", "resolution", "obligations"}
    ]
    assert [tree.value for tree in left] == [1] * 7


def test_parts_of_a_conjunction_are_taken_apart_and_those_of_a_choice_are_not():
    tree = trace(lambda p, a, q: (p.rank == 1) & ((p.made < q.at) | (p.rank == 2)) & (p.policy == a.policy))
    assert len(list(conjuncts(tree))) == 3
    assert all(isinstance(part, Expression) for part in conjuncts(tree))


@pytest.mark.parametrize("bits", [8, 64, 128])
def test_a_folded_mask_has_the_same_in_common_with_each_mask_that_fits(bits):
    random = Random(bits)
    for _ in range(2000):
        held = random.getrandbits(bits - 1) & random.getrandbits(bits - 1)
        held = random.choice([held, ~held, 0, ALL])
        asked = random.choice([1 << random.randrange(2 * bits), random.getrandbits(3 * bits), ~random.getrandbits(3 * bits)])
        short = folded(asked, bits)
        assert -(1 << bits - 1) <= short < 1 << bits - 1
        assert bool(held & short) is bool(held & asked)
        width = min(bits, 64)
        words = zip(words_of(held, bits // width, width), words_of(short, bits // width, width), strict=True)
        assert any(a & b for a, b in words) is bool(held & asked)
