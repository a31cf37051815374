"""Transport port: over HTTP and mutual TLS to the real listener, and in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.products import UKR

from kizuna.errors import NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.model.digests import digest_of
from kizuna.web.exchange import PIECE_BYTES, FeedAnswer

if TYPE_CHECKING:
    from simulators.desk import Link

DATA = bytes(range(256)) * (PIECE_BYTES // 256) * 3 + b"rest"


def test_fetches_the_page_after_an_entry(link: Link) -> None:
    link.desk.answer = FeedAnswer(b'{"page":1}', refused=False)
    assert link.transport.feed(7, 20) == b'{"page":1}'
    assert link.desk.asked == [("feed", UKR, 7, 20)]


def test_brings_a_refusal_as_it_was_signed(link: Link) -> None:
    link.desk.answer = FeedAnswer(b'{"refusal":1}', refused=True)
    assert link.transport.feed(0, 100) == b'{"refusal":1}'


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, len(DATA)), (0, 0), (1, 1), (PIECE_BYTES - 1, PIECE_BYTES + 2), (len(DATA) - 1, 1), (0, PIECE_BYTES)],
)
def test_fetches_any_part_of_a_blob(link: Link, offset: int, length: int) -> None:
    digest = link.desk.hold(DATA)
    assert link.transport.blob(digest, offset, length) == DATA[offset : offset + length]


def test_what_is_missing_and_what_is_kept_back_look_the_same(link: Link) -> None:
    kept_back = link.desk.hold(b"kept back")
    link.desk.before_blob = lambda _offset, _length: False
    said = []
    for digest in (kept_back, digest_of(b"missing")):
        with pytest.raises(NotReleasable) as caught:
            link.transport.blob(digest, 0, 5)
        said.append(caught.value.message.template)
    assert said[0] == said[1]


@pytest.mark.parametrize(("offset", "length"), [(0, 6), (4, 2), (5, 1), (100, 1)])
def test_part_beyond_the_end_is_never_given(link: Link, offset: int, length: int) -> None:
    digest = link.desk.hold(b"12345")
    with pytest.raises(PartnerMisbehaved):
        link.transport.blob(digest, offset, length)


def test_hands_over_receipts(link: Link) -> None:
    link.transport.receipt(b'{"receipt":1}')
    assert link.desk.receipts == [(UKR, b'{"receipt":1}')]


def test_receipt_that_is_not_taken_is_told(link: Link) -> None:
    link.desk.takes_receipts = False
    with pytest.raises(PartnerMisbehaved, match="receipt"):
        link.transport.receipt(b"{}")


def test_partner_that_has_forgotten_us_does_not_answer(link: Link) -> None:
    link.desk.peers.clear()
    with pytest.raises(PartnerUnreachable):
        link.transport.feed(0, 100)
    assert link.desk.asked == []


def test_partner_that_is_away_does_not_answer(link: Link) -> None:
    link.break_off()
    digest = link.desk.hold(b"12345")
    for ask in (
        lambda: link.transport.feed(0, 1),
        lambda: link.transport.blob(digest, 0, 1),
        lambda: link.transport.receipt(b""),
    ):
        with pytest.raises(PartnerUnreachable) as caught:
            ask()
        assert caught.value.hint is not None
