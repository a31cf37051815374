"""Clock port."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest
from simulators.products import NOON

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.memory import FixedClock

if TYPE_CHECKING:
    from kizuna.node.ports import Clock


@pytest.mark.parametrize("clock", [SystemClock(), FixedClock(NOON)], ids=["system", "fixed"])
def test_tells_instants_that_never_go_back(clock: Clock) -> None:
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert first <= second <= first + timedelta(minutes=1)


def test_fixed_clock_is_set_by_hand() -> None:
    clock = FixedClock(NOON)
    clock.pass_by(timedelta(hours=1))
    assert clock.now() == NOON + timedelta(hours=1)
    clock.set(NOON)
    assert clock.now() == NOON
