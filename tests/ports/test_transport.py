"""Transport port: over HTTP and mutual TLS to the real listener, and in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.products import UKR

from kizuna.adapters.http_transport import HttpTransport
from kizuna.errors import NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.model.digests import digest_of
from kizuna.web.exchange import PIECE_BYTES, FeedAnswer

if TYPE_CHECKING:
    from simulators.desk import Link

    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party

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


def _several(link: Link) -> list[bytes]:
    # Together more than is read at a time, some of it in files of one reading each, and an empty one.
    files = [b"1", b"", b"2" * 200_000, b"3" * 1000, DATA, b"4" * 70_000, b"5" * 70_000, b"", b"6"]
    for data in files:
        link.desk.hold(data)
    return files


def _wanted(files: list[bytes]) -> list[tuple[Digest, int]]:
    return [(digest_of(data), len(data)) for data in files]


def test_fetches_several_blobs_in_their_order(link: Link) -> None:
    files = _several(link)
    assert [bytes(data) for data in link.transport.blobs(_wanted(files))] == files
    assert [bytes(data) for data in link.transport.blobs(_wanted([b"", b""]))] == [b"", b""]
    assert list(link.transport.blobs([])) == []
    # The line is as good as before.
    assert link.transport.blob(digest_of(DATA), 0, 5) == DATA[:5]


def test_of_several_blobs_none_comes_behind_one_that_is_kept_back(link: Link) -> None:
    files = _several(link)
    came = []
    with pytest.raises(NotReleasable):
        came += [bytes(data) for data in link.transport.blobs(_wanted([*files[:2], b"missing", *files[2:]]))]
    assert came == files[: len(came)]
    assert len(came) <= 2
    assert link.transport.blob(digest_of(DATA), 0, 5) == DATA[:5]


def test_several_blobs_that_are_stopped_half_way_are_cut_off(link: Link) -> None:
    files = _several(link)
    last = digest_of(files[-1])
    blob = link.desk.blob

    def stopping(peer: Party, digest: Digest, offset: int, length: int) -> object:
        # When all are asked about it may go still.
        return None if digest == last and length else blob(peer, digest, offset, length)

    link.desk.blob = stopping  # type: ignore[method-assign,assignment]
    came = []
    with pytest.raises((NotReleasable, PartnerUnreachable)):
        came += [bytes(data) for data in link.transport.blobs(_wanted(files))]
    assert b"".join(files).startswith(b"".join(came))
    assert len(came) < len(files)


def test_abandoned_half_way_several_blobs_leave_the_line_as_it_was(link: Link) -> None:
    came = link.transport.blobs(_wanted(_several(link)))
    assert [bytes(next(came)) for _ in range(2)] == [b"1", b""]
    assert link.transport.blob(digest_of(DATA), 7, 5) == DATA[7:12]


def test_more_blobs_than_are_given_at_once_are_none(link: Link) -> None:
    files = [bytes([number]) for number in range(101)]
    for data in files:
        link.desk.hold(data)
    assert [bytes(data) for data in link.transport.blobs(_wanted(files[:100]))] == files[:100]
    if isinstance(link.transport, HttpTransport):
        with pytest.raises(NotReleasable):
            list(link.transport.blobs(_wanted(files)))


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
