"""What one partner may ask of this node: how often, how much at once, how many bytes. Beyond it every request gets one answer.

The answer (429, `Retry-After`) is given before anybody looks at what was asked for, so that it tells nothing of what exists.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Limits", "Meter", "Usage"]

_DAY_S = 86_400.0
_MINUTE_S = 60.0
_BUSY_S = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one partner may ask.

    Parameters
    ----------
    requests_a_minute
        Requests in a minute; as many may come at once after a rest.
    requests_at_once
        Requests that are being answered.
    bytes_a_day
        Bytes of answers in a day, spread as they come: what was not used refills evenly.
    """

    requests_a_minute: int = 60_000
    requests_at_once: int = 32
    bytes_a_day: int = 10_000_000_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What a partner asked of this process."""

    partner: str
    requests: int
    throttled: int
    sent_bytes: int


class _Bucket:
    """Allowance that refills evenly over `period_s`, up to `most`."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, most: float, period_s: float, now: float) -> None:
        self._most = self._left = most
        self._rate = most / period_s
        self._at = now

    def take(self, amount: float, now: float) -> None:
        """Use some of it; what is used beyond it is missing later."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate) - amount
        self._at = now

    def wait_s(self, needed: float, now: float) -> float:
        """Seconds until there is `needed`; 0 for now."""
        self.take(0, now)
        return max(0.0, (needed - self._left) / self._rate)


class _Account:
    __slots__ = ("open", "requests", "sent", "sent_bytes", "throttled", "turns")

    def __init__(self, limits: Limits, now: float) -> None:
        self.turns = _Bucket(limits.requests_a_minute, _MINUTE_S, now)
        self.sent = _Bucket(limits.bytes_a_day, _DAY_S, now)
        self.open = self.requests = self.throttled = self.sent_bytes = 0


class Meter:
    """Keeps account of each partner. Safe to use from several threads.

    Parameters
    ----------
    limits
        The same for each partner.
    clock
        Seconds that only go on.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def _account(self, partner: str, now: float) -> _Account:
        return self._accounts.setdefault(partner, _Account(self._limits, now))

    def begin(self, partner: str) -> int:
        """Begin a request: 0 if it may go on, which `end` must follow; else the seconds after which to come again."""
        with self._lock:
            now = self._clock()
            account = self._account(partner, now)
            account.requests += 1
            wait_s = max(account.turns.wait_s(1, now), account.sent.wait_s(1, now))
            if account.open >= self._limits.requests_at_once:
                wait_s = max(wait_s, _BUSY_S)
            if wait_s > 0:
                account.throttled += 1
                return math.ceil(wait_s)
            account.turns.take(1, now)
            account.open += 1
            return 0

    def sent(self, partner: str, count: int) -> bool:
        """Count bytes of an answer; False if the day's are used up and the answer must end here."""
        with self._lock:
            now = self._clock()
            account = self._account(partner, now)
            account.sent_bytes += count
            # What is a thousandth over may still finish: most answers are small.
            account.sent.take(count, now)
            return account.sent.wait_s(-self._limits.bytes_a_day / 1000, now) <= 0

    def end(self, partner: str) -> None:
        """End a request that `begin` let in."""
        with self._lock:
            self._accounts[partner].open -= 1

    def usage(self) -> list[Usage]:
        """What each partner asked so far, by name."""
        with self._lock:
            return [Usage(name, a.requests, a.throttled, a.sent_bytes) for name, a in sorted(self._accounts.items())]
