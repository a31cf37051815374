"""A partner's account: turns, places, bytes; with a clock that the test moves."""

from __future__ import annotations

from kizuna.web.limits import Limits, Meter


class _Clock:
    now = 0.0

    def __call__(self):
        return self.now


def meter(**limits):
    clock = _Clock()
    return clock, Meter(Limits(**limits), clock)


def test_turns_refill_evenly():
    clock, found = meter(requests_a_minute=2)
    assert [found.begin("UKR") for _ in range(3)] == [0, 0, 30]
    clock.now = 29.0
    assert found.begin("UKR") == 1
    clock.now = 30.0
    assert found.begin("UKR") == 0
    # After any rest there are no more than a minute's.
    clock.now = 1e6
    assert [found.begin("UKR") for _ in range(3)] == [0, 0, 30]


def test_partners_have_accounts_of_their_own():
    _clock, found = meter(requests_a_minute=1)
    assert [found.begin("UKR"), found.begin("POL"), found.begin("UKR")] == [0, 0, 60]
    assert [(u.partner, u.requests, u.throttled) for u in found.usage()] == [("POL", 1, 0), ("UKR", 2, 1)]


def test_a_place_is_free_again_when_a_request_ends():
    _clock, found = meter(requests_at_once=1)
    assert [found.begin("UKR"), found.begin("UKR")] == [0, 1]
    found.end("UKR")
    assert found.begin("UKR") == 0


def test_bytes_beyond_the_days_end_the_answer_and_keep_the_next_away():
    clock, found = meter(bytes_a_day=86_400)
    assert found.begin("UKR") == 0
    assert found.sent("UKR", 86_400)
    assert found.sent("UKR", 80)
    assert not found.sent("UKR", 80)
    found.end("UKR")
    # One byte a second flows back.
    assert found.begin("UKR") == 161
    clock.now = 161.0
    assert found.begin("UKR") == 0
    assert found.usage()[0].sent_bytes == 86_560
