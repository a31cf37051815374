"""A partner's desk that answers what a test tells it to."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from kizuna.adapters.tls import fingerprint_of
from kizuna.exchange.feed import FeedPage, page_to_bytes
from kizuna.model.digests import digest_of
from kizuna.web.exchange import BlobPart, FeedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.exchange.transport import Transport
    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party

__all__ = ["Link", "SimulatedDesk"]


@dataclasses.dataclass
class SimulatedDesk:
    """Desk over plain values.

    Parameters
    ----------
    peers
        Partners by the SHA-256 of their certificate.
    answer
        What the feed answers.
    blobs
        Files that are handed out.
    receipts
        Receipts that were taken.
    takes_receipts
        Whether receipts are taken.
    before_blob
        Called before each decision about bytes; False stops the transfer.
    asked
        Every call, for tests that count.
    pieces
        Offset and length of every question about a blob.
    """

    peers: dict[str, Party] = dataclasses.field(default_factory=dict)
    answer: FeedAnswer = dataclasses.field(
        default_factory=lambda: FeedAnswer(page_to_bytes(FeedPage(0, (), more=False)), refused=False)
    )
    blobs: dict[Digest, bytes] = dataclasses.field(default_factory=dict)
    receipts: list[tuple[Party, bytes]] = dataclasses.field(default_factory=list)
    takes_receipts: bool = True
    before_blob: Callable[[int, int], bool] = lambda _offset, _length: True
    asked: list[tuple[object, ...]] = dataclasses.field(default_factory=list)
    pieces: list[tuple[int, int]] = dataclasses.field(default_factory=list)

    def know(self, certificate_der: bytes, party: Party) -> None:
        """Take a certificate for a partner's."""
        self.peers[fingerprint_of(certificate_der)] = party

    def hold(self, data: bytes) -> Digest:
        """Hand out a file from now on."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return digest

    def peer_of(self, fingerprint: str) -> Party | None:
        """Partner of this fingerprint."""
        return self.peers.get(fingerprint)

    def feed(self, peer: Party, after: int, limit: int) -> FeedAnswer:
        """Answer that the test has set."""
        self.asked.append(("feed", peer, after, limit))
        return self.answer

    def blob(self, peer: Party, digest: Digest, offset: int, length: int) -> BlobPart | None:
        """Bytes, unless the test stops them."""
        self.asked.append(("blob", peer, digest, offset, length))
        self.pieces.append((offset, length))
        data = self.blobs.get(digest)
        if data is None or not self.before_blob(offset, length):
            return None
        return BlobPart(data[offset : offset + length], len(data))

    def record_reads(self, peer: Party, digests: Sequence[Digest]) -> None:
        """Keep which blobs were read."""
        self.asked.append(("read", peer, *digests))

    def receipt(self, peer: Party, envelope: bytes) -> bool:
        """Keep the receipt."""
        if self.takes_receipts:
            self.receipts.append((peer, envelope))
        return self.takes_receipts


@dataclasses.dataclass
class Link:
    """A transport and the desk at its other end."""

    transport: Transport
    desk: SimulatedDesk
    break_off: Callable[[], None]
