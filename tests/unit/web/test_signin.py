"""Sessions and how long they last."""

from __future__ import annotations

import itertools

import pytest

from kizuna.web.signin import Sessions

HOUR_S = 3600.0


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    ids = itertools.count()
    return Sessions(lambda: str(next(ids)), clock)


def test_a_session_ends_after_eight_idle_hours(sessions, clock):
    session = sessions.open("token")
    clock.now_s += 8 * HOUR_S - 1
    assert sessions.token(session) == "token"
    clock.now_s += 8 * HOUR_S
    assert sessions.token(session) is None
    clock.now_s = 0
    assert sessions.token(session) is None


def test_use_keeps_a_session_open_and_only_that_one(sessions, clock):
    idle, used = sessions.open("idle"), sessions.open("used")
    for _hour in range(24):
        clock.now_s += HOUR_S
        assert sessions.token(used) == "used"
    assert sessions.token(idle) is None


def test_the_session_that_is_in_use_stays_when_there_are_too_many(sessions, clock):
    first, second = sessions.open("first"), sessions.open("second")
    clock.now_s += 1
    assert sessions.token(first) == "first"
    for number in range(4095):
        sessions.open(f"token {number}")
    assert sessions.token(second) is None
    assert sessions.token(first) == "first"


def test_a_closed_session_stays_closed(sessions):
    session = sessions.open("token")
    sessions.close(session)
    sessions.close(session)
    assert sessions.token(session) is None
