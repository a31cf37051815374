"""How much may be on its way at once, over lines whose clock and carrier the test is."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import pytest

from kizuna.web import pace as module
from kizuna.web.pace import PIECE_BYTES, Pace


@dataclass
class SimulatedLine:
    """Line that carries so many bytes a second, each confirmed a round trip later; time passes while somebody sleeps."""

    bytes_s: float
    rtt_s: float
    window_bytes: float | None = None
    given: float = 0.0
    carried: float = 0.0
    gone: float = 0.0
    now: float = 0.0
    past: deque[tuple[float, float]] = field(default_factory=deque)

    def give(self, count: int) -> None:
        self.given += count

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.carried = min(self.given, self.carried + self.bytes_s * seconds)
        self.past.append((self.now + self.rtt_s, self.carried))
        while self.past and self.past[0][0] <= self.now:
            self.gone = self.past.popleft()[1]

    def under_way_bytes(self) -> int:
        return int(self.given - self.gone)

    def confirmed(self) -> tuple[int, float]:
        return int(self.gone), self.rtt_s

    def cut(self) -> None:
        raise NotImplementedError


def carry(line: SimulatedLine, size: int, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """Seconds that it took to hand `size` bytes over, and most bytes that were on their way in the second half."""

    async def sleep(seconds: float) -> None:
        line.pass_by(seconds)

    monkeypatch.setattr(module.anyio, "sleep", sleep)
    pace, most = Pace(line, clock=lambda: line.now), 0

    async def run() -> None:
        nonlocal most
        while line.given < size:
            piece = pace.piece_bytes
            assert piece <= PIECE_BYTES
            line.give(piece)
            # The server itself waits while its own buffer is full: here that is short.
            line.pass_by(0.001)
            if line.given > size / 2:
                most = max(most, line.under_way_bytes())
            await pace.room()

    asyncio.run(run())
    return line.now, most


@pytest.mark.parametrize("megabits", [1, 10, 100])
@pytest.mark.parametrize("rtt_s", [0.001, 0.05, 0.6])
def test_a_line_is_filled_and_little_waits_in_front_of_it(megabits: int, rtt_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = megabits * 125_000
    seconds, most = carry(SimulatedLine(rate, rtt_s), rate * 40, monkeypatch)
    assert seconds < 40 * 1.35
    # A quarter of a second and what a long line holds anyway, as far as that can be measured.
    assert most / rate < 0.5 + 2 * rtt_s


def test_where_nothing_is_known_of_the_line_pieces_are_long() -> None:
    assert Pace(None).piece_bytes == PIECE_BYTES
    asyncio.run(Pace(None).room())


def test_what_was_learned_of_a_line_outlives_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    line = SimulatedLine(125_000, 0.001)
    first = Pace(line).piece_bytes
    carry(line, 1_000_000, monkeypatch)
    assert Pace(line).piece_bytes < first
