"""A slip of the pen in any rule, of any of the usual kinds, breaks a theorem."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from proofs.smt import table_of
from proofs.theorems import THEOREMS, holds, mutations

from kizuna.release.expressions import Expression, Literal, Operation, Operator, Sort
from kizuna.release.rules import RULES, Rule, RuleId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.smt import Line

TABLE = table_of()

SLIPS = {
    Operator.BELOW: (Operator.AT_MOST,),
    Operator.AT_MOST: (Operator.BELOW,),
    Operator.EQUAL: (Operator.UNEQUAL,),
    Operator.UNEQUAL: (Operator.EQUAL,),
    Operator.AND: (Operator.OR,),
    Operator.OR: (Operator.AND,),
}


def slips(tree: Expression) -> Iterator[Expression]:
    """The same tree with one operator changed, one side of a conjunction or disjunction left out, or a number one off."""
    if isinstance(tree, Literal) and tree.sort is Sort.NUMBER:
        yield from (replace(tree, value=tree.value + by) for by in (-1, 1))
    if isinstance(tree, Operation):
        for operator in SLIPS.get(tree.operator, ()):
            yield replace(tree, operator=operator)
        if tree.operator in {Operator.AND, Operator.OR}:
            yield tree.left
            yield tree.right
        if tree.operator is not Operator.MEET and Sort.MASK not in {tree.left.sort, tree.right.sort}:
            yield from (replace(tree, right=right) for right in slips(tree.right))
        if tree.operator is not Operator.MEET:
            yield from (replace(tree, left=left) for left in slips(tree.left))


def slipped(rule: Rule) -> Iterator[Line]:
    """Mutated lines of the table."""
    line = next(line for line in TABLE.lines if line.id is rule.id)
    yield from (replace(line, holds=tree) for tree in slips(line.holds))
    if line.refers is not None:
        yield from (replace(line, refers=tree) for tree in slips(line.refers))
        yield replace(line, refers=None)


@pytest.fixture(scope="module")
def telling():
    """Theorems by rule, those first that its absence breaks: they most often tell a slip as well."""
    broken = mutations()

    def first(rule):
        names = {*broken[rule], f"enough-{rule.value}"}
        return sorted(THEOREMS, key=lambda theorem: theorem.name not in names)

    return first


# Where the labels leave nobody in common the rule on dominant labels refers by itself, whatever this one says of it. That no
# limit of resolution is none follows from the rest of its rule, and is said so that stores need not look at a column.
UNSEEN = {RuleId.LINEAGE: 2, RuleId.RESOLUTION: 2}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id.value)
def test_a_slip_in_a_rule_is_found_out(rule, telling):
    theorems = telling(rule.id)
    survivors = []
    for number, line in enumerate(slipped(rule)):
        table = TABLE.having(line)
        told = next((theorem for theorem in theorems if not holds(theorem, table)), None)
        if told is None:
            survivors.append((number, line))
        else:
            theorems.remove(told)
            theorems.insert(0, told)
    assert len(survivors) == UNSEEN.get(rule.id, 0), survivors
