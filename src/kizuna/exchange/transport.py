"""The port through which a node speaks to one partner's node. Adapters: HTTP over mutual TLS; in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kizuna.model.digests import Digest

__all__ = ["Transport", "one_by_one"]


class _Giver(Protocol):
    def blob(self, digest: Digest, offset: int, length: int) -> bytes | memoryview: ...


class Transport(Protocol):
    """One partner's node, as seen from here. The partner knows us by our certificate; nothing else identifies us."""

    def feed(self, after: int, limit: int) -> bytes:
        """Fetch the feed page that follows entry `after` (canonical JSON of a page, or of a signed refusal).

        Raises
        ------
        PartnerUnreachable
            If the partner does not answer, or the connection is refused at the TLS layer.
        PartnerMisbehaved
            If the answer is over-long or of another kind.
        """
        ...

    def blob(self, digest: Digest, offset: int, length: int) -> bytes | memoryview:
        """Fetch `length` bytes of a blob from `offset` on; a view of them may only be used until the next call.

        Raises
        ------
        NotReleasable
            If the partner does not (or no longer) hand it out: the same answer as for what does not exist.
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        ...

    def blobs(self, wanted: Sequence[tuple[Digest, int]]) -> Iterator[bytes | memoryview]:
        """Fetch whole blobs, one after the other, each given by its digest and its length; small ones in one go.

        A view may only be used until the next one is asked for, and nothing else may be asked for before the last one came.

        Raises
        ------
        NotReleasable, PartnerUnreachable, PartnerMisbehaved
            As for `blob`, at the blob that does not come.
        """
        ...

    def receipt(self, envelope: bytes) -> None:
        """Hand over a signed receipt.

        Raises
        ------
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        ...


def one_by_one(transport: _Giver, wanted: Sequence[tuple[Digest, int]]) -> Iterator[bytes | memoryview]:
    """`Transport.blobs` for ways on which going once for each costs nothing."""
    for digest, size in wanted:
        yield transport.blob(digest, 0, size)
