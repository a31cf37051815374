"""How much of a file may be on its way at once, so that a suspension finds little that it can no longer stop.

A window of bytes that were handed to the kernel and that the other side has not confirmed: what the line was seen to carry in a
quarter of a second, and in two of its shortest round trips, without which a long line could never be filled. The window begins
small, at most doubles with each piece, and a piece is at most half of it. On a line of 1 Mbit/s 32 KiB are on their way, and no
line is slowed down: a line that is filled carries what it carries, however little waits in front of it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PIECE_BYTES", "Line", "Pace"]

PIECE_BYTES = 2**22
"""Most bytes of a blob that one decision hands out."""

_AHEAD_S = 0.25
_LEAST_WINDOW_BYTES = 32 * 2**10
_FIRST_WINDOW_BYTES = 64 * 2**10
_MOST_WINDOW_BYTES = 64 * 2**20
_LEAST_PIECE_BYTES = 16 * 2**10
_LOOK_S = 0.01


class Line(Protocol):
    """Connection (`kizuna.adapters.line.Line`)."""

    window_bytes: float | None

    def under_way_bytes(self) -> int | None:
        """Bytes given to the kernel and not confirmed."""
        ...

    def confirmed(self) -> tuple[int, float] | None:
        """Bytes confirmed, and the shortest round trip in seconds."""
        ...

    def cut(self) -> None:
        """End the connection at once."""
        ...


class Pace:
    """Window of one connection; it outlives an answer.

    Parameters
    ----------
    line
        The connection; None where nothing is known of it: pieces then have their greatest length.
    clock
        Seconds that only go on.
    """

    __slots__ = ("_clock", "_line", "_then")

    def __init__(self, line: Line | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._line, self._clock = line, clock
        self._then = self._state()

    def _state(self) -> tuple[int, float, float] | None:
        told = None if self._line is None else self._line.confirmed()
        return None if told is None else (*told, self._clock())

    @property
    def window_bytes(self) -> float:
        """Most bytes that should be under way."""
        if self._then is None or self._line is None:
            return _MOST_WINDOW_BYTES
        return self._line.window_bytes or _FIRST_WINDOW_BYTES

    @property
    def piece_bytes(self) -> int:
        """Length of the next piece."""
        return int(max(_LEAST_PIECE_BYTES, min(PIECE_BYTES, self.window_bytes / 2)))

    async def room(self) -> None:
        """Wait until the next piece fits into the window; to be called when a piece was handed over."""
        if self._line is None:
            return
        while (waiting := self._line.under_way_bytes()) is not None and waiting + self.piece_bytes > self.window_bytes:
            await anyio.sleep(_LOOK_S)
            self._learn()
        self._learn()

    def _learn(self) -> None:
        state = self._state()
        if state is None or self._then is None or self._line is None:
            return
        (acked, rtt_s, now), (before, _, then) = state, self._then
        if acked == before or now - then < _LOOK_S / 2:
            return
        wanted = (acked - before) / (now - then) * (_AHEAD_S + 2 * rtt_s)
        # Half of it, because a line bursts; never more than double, because the first pieces only fill what is empty.
        window = min((self.window_bytes + wanted) / 2, 2 * self.window_bytes)
        self._line.window_bytes = max(_LEAST_WINDOW_BYTES, min(_MOST_WINDOW_BYTES, window))
        self._then = state
