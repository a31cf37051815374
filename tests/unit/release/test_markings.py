"""Ladders order markings within one policy, and nothing between two."""

from __future__ import annotations

import pytest
from simulators.rules import LADDERS, register

from kizuna.release.markings import UNCLASSIFIED, Ladder, Rung


def test_the_names_of_one_rung_rank_alike_and_unclassified_lowest():
    ladder = Ladder("FIN", (Rung(("KÄYTTÖ RAJOITETTU", "BEGRÄNSAD TILLGÅNG")), Rung(("SALAINEN", "HEMLIG"))), "RS 0.514.134.51")
    assert ladder.rank("KÄYTTÖ RAJOITETTU") == ladder.rank("BEGRÄNSAD TILLGÅNG") == 1
    assert ladder.rank("HEMLIG") == 2
    assert ladder.rank(UNCLASSIFIED) == 0


@pytest.mark.parametrize("marking", ["SECRET", "secret", "秘密", " 秘", "秘 ", "", "unclassified"])
def test_a_marking_that_is_written_in_another_way_is_unknown(marking):
    assert LADDERS["JPN"].rank(marking) is None


def test_an_unverified_rung_is_unknown_until_its_policy_is_accepted_by_name():
    assert register().ladder_rank("USA", "SECRET") is None
    assert register(accepted_ladders=frozenset({"USA"})).ladder_rank("USA", "SECRET") == 1
    assert register(accepted_ladders=frozenset({"UKR"})).ladder_rank("USA", "SECRET") is None
    # The rungs above an unverified one keep their place.
    assert register().ladder_rank("UKR", "Таємно") == 2


def test_an_unknown_policy_knows_no_marking_not_even_unclassified():
    assert register(accepted_ladders=frozenset({"NOR"})).ladder_rank("NOR", UNCLASSIFIED) is None
