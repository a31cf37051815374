"""SPOT5 instances: what is read, what is refused, and plans that break a rule."""

from pathlib import Path

import pytest

from kizuna.errors import InputError
from kizuna.formats.spot5 import check_spot5, read_spot5, selection_of

VECTORS = Path(__file__).parents[2] / "vectors" / "spot5"
SMALL = "3\n0 5 2 1 451.2 2 902.4\n1 7 1 13 0 99\n2 4 1 2 451\n2\n2 0 1 1 13 2 13\n3 0 1 2 1 13 2\n"


def test_an_instance_is_read_whole():
    instance = read_spot5(SMALL)
    assert instance.photographs[0].profit == 5
    assert instance.photographs[0].weights == {1: 1, 2: 2}
    assert instance.rules[0].forbidden == {(1, 13), (2, 13)}
    assert instance.capacity is None


def test_several_orbits_are_told_by_their_last_rule():
    assert read_spot5((VECTORS / "1502.spot").read_text()).capacity == 200
    assert read_spot5((VECTORS / "54.spot").read_text()).capacity is None
    assert read_spot5(SMALL, several_orbits=True).capacity == 200


def test_the_options_say_what_the_rules_say():
    selection, options = selection_of(read_spot5(SMALL, several_orbits=True))
    assert options == [(0, 1), (0, 2), (1, 13), (2, 2)]
    assert selection.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert selection.triples.tolist() == [[0, 2, 3]]
    assert selection.amount.tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("plan", "profit"),
    [({}, 0), ({0: 1, 2: 2}, 9), ({1: 13, 2: 2}, 11), ({0: 1, 1: 13}, None), ({0: 2, 1: 13, 2: 2}, None), ({2: 3}, None)],
)
def test_a_plan_is_held_to_the_instance(plan, profit):
    instance = read_spot5(SMALL)
    if profit is None:
        with pytest.raises(InputError):
            check_spot5(instance, plan)
    else:
        assert check_spot5(instance, plan) == profit


def test_a_plan_heavier_than_the_memory_is_refused():
    text = "2\n0 5 1 1 45100\n1 7 1 1 45551\n1\n90000 0\n"
    with pytest.raises(InputError, match="201"):
        check_spot5(read_spot5(text), {0: 1, 1: 1})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("x\n", 1),
        ("1\n0 5 2 1 451\n0\n", 2),
        ("2\n0 5 1 1 0\n0 5 1 1 0\n0\n", 3),
        ("1\n0 5 1 1 nan\n0\n", 2),
        ("1\n0 5 1 1 0\n1\n2 0 7 1 1\n", 4),
        ("1\n0 5 1 1 0\n1\n4 0 0 0 0 1 1 1 1\n", 4),
        ("1\n0 5 1 1 0\n2\n90000\n", 5),
        ("1\n0 5 1 1 0\n0\n2 0 0 1 1\n", 4),
    ],
)
def test_a_fault_names_its_line(text, line):
    with pytest.raises(InputError) as fault:
        read_spot5(text)
    assert fault.value.field == f"line {line}"
