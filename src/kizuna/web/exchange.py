"""What partners' nodes see: feed, blobs, receipts. Nobody else sees anything.

Who asks is told by the TLS connection alone. Whoever is not a partner, whatever does not exist and whatever is not handed
out to this partner gets one and the same answer, so that nothing can be learned by asking.

# INVARIANT: the desk is asked again before every piece of a blob, once what was sent before is all but gone, and meanwhile ten
# times a second, as it is while a page is on its way. A suspension therefore bites inside a piece: the connection is then cut,
# and what this machine still holds of it is thrown away.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kizuna.errors import InputError
from kizuna.exchange.feed import MOST_PAGE_ENTRIES, MOST_RECEIPT_BYTES, page_from_bytes
from kizuna.model.digests import parse_digest
from kizuna.node.share import BlobPart, FeedAnswer
from kizuna.web.pace import PIECE_BYTES, Pace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.web.pace import Line

__all__ = ["PIECE_BYTES", "BlobPart", "FeedAnswer", "PartnerDesk", "partner_app"]

_WATCH_S = 0.1
_SLICE_BYTES = 2**20
"""So much is handed to the line at a time: it makes copies of what it is given, and these stay in the processor's cache."""
_LOOK_S = 0.005
UNWATCHED_BYTES = 32 * 2**10
"""What is so short goes, or comes to its end, without being watched: a quarter of a second on a line of 1 Mbit/s."""
# Of their own, so that no crowd of slow questions keeps a suspension waiting: not even of those that begin an answer, which ask
# for up to a hundred files each.
_MOST_DECIDING = 16
_MOST_BEGINNING = 4
MOST_FILES_AT_ONCE = 100
_MOST_SEQUENCE = 2**53 - 1
_NUMBER = re.compile(r"[0-9]{1,16}\Z", re.ASCII)
_RANGE = re.compile(r"bytes=([0-9]{0,16})-([0-9]{0,16})\Z", re.ASCII)


class PartnerDesk(Protocol):
    """Answers partners. Every call decides anew, at the present instant. Called from several threads at once."""

    def peer_of(self, fingerprint: str) -> Party | None:
        """Partner whose pinned certificate has this SHA-256 (hexadecimal); None for a stranger."""
        ...

    def feed(self, peer: Party, after: int, limit: int) -> FeedAnswer:
        """Page of the partner's feed that follows entry `after`, or the signed refusal."""
        ...

    def blob(self, peer: Party, digest: Digest, offset: int, length: int) -> BlobPart | None:
        """Bytes of a blob from `offset` on, at most `length` (0: only ask for the size), fewer only at its end.

        None if it does not exist or may not be handed out to this partner now.
        """
        ...

    def record_reads(self, peer: Party, digests: Sequence[Digest]) -> None:
        """Have on record that the partner reads blobs, before their bytes are asked for: many together."""
        ...

    def receipt(self, peer: Party, envelope: bytes) -> bool:
        """Take a receipt; False if it is none of this partner's for something that was handed out."""
        ...


def _error(status: int, word: str, headers: dict[str, str] | None = None) -> Response:
    return Response(b'{"error":"%b"}' % word.encode(), status, headers, "application/json")


def _miss() -> Response:
    return _error(404, "not found")


class _Malformed(Exception):
    """The request cannot be understood."""


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    values = request.query_params.getlist(name)
    if not values:
        return default
    if len(values) != 1 or not _NUMBER.match(values[0]) or not least <= int(values[0]) <= most:
        raise _Malformed
    return int(values[0])


def _entries(answer: FeedAnswer) -> bytes | None:
    """Page but for its end, which says whether more follow; None of a refusal."""
    return None if answer.refused else answer.body.rpartition(b',"more":')[0]


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """Offset and length that a Range header asks for (RFC 9110, section 14.1.2); None if it cannot be satisfied."""
    if header is None:
        return 0, size
    match = _RANGE.match(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, length) if length else None
    begin, end = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    return (begin, end - begin + 1) if begin <= end else None


class _WatchedResponse(Response):
    """Answer of which is asked ten times a second whether it may go on; where it may not, the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line: Line | None = scope["extensions"].get("kizuna.line")
        whole = False
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._until_gone, receive, group.cancel_scope)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                if scope["method"] != "HEAD":
                    group.start_soon(self._watch, group.cancel_scope, line)
                    await self._pieces(send, group.cancel_scope, line)
                if not group.cancel_scope.cancel_called:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    whole = True
                group.cancel_scope.cancel()
        finally:
            # Whatever it was that ended it half-way: the desk, the reader, a failure.
            if not whole and line is not None:
                line.cut()

    @staticmethod
    async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _watch(self, scope: anyio.CancelScope, line: Line | None) -> None:
        """Ask while something is on its way, which may take long on a slow line."""
        while True:
            await anyio.sleep(_WATCH_S)
            if not await self._holds((None if line is None else line.under_way_bytes()) or 0):
                scope.cancel()

    async def _holds(self, under_way_bytes: int) -> bool:
        """Whether all that is on its way may still go, of what was sent before as many bytes as are under way."""
        raise NotImplementedError

    async def _pieces(self, send: Send, scope: anyio.CancelScope, line: Line | None) -> None:
        """Send all, or cancel where it may not go on."""
        raise NotImplementedError


class _BlobResponse(_WatchedResponse):
    """Pieces of blobs, each decided for itself; the first one was taken before the answer began."""

    def __init__(
        self,
        ask: Callable[[int, int], Awaitable[BlobPart | None]],
        holds: Callable[[int, int], Awaitable[bool]],
        first: bytes,
        span: tuple[int, int],
        pace: Pace,
    ) -> None:
        super().__init__(media_type="application/octet-stream")
        self._ask, self._still, self._first, self._pace = ask, holds, first, pace
        self._offset, self._length = span
        # Where the piece begins and ends that is on its way.
        self._at, self._end = self._offset, self._offset + len(first)

    async def _holds(self, under_way_bytes: int) -> bool:
        return await self._still(max(self._offset, self._at - under_way_bytes), self._end)

    async def _pieces(self, send: Send, scope: anyio.CancelScope, line: Line | None) -> None:  # noqa: ARG002 - its pace knows it
        # Views, since each slice would be a copy.
        data, done = memoryview(self._first), 0
        while True:
            for begin in range(0, len(data), _SLICE_BYTES):
                await send({"type": "http.response.body", "body": data[begin : begin + _SLICE_BYTES], "more_body": True})
            done += len(data)
            if done == self._length:
                return
            # The server holds an empty piece back until the one before has left, so the desk decides as late as can be.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await self._pace.room()
            wanted = min(self._pace.piece_bytes, self._length - done)
            part = await self._ask(self._offset + done, wanted)
            if part is None or len(part.data) != wanted:
                scope.cancel()
                # Here the cancellation is noticed.
                await anyio.lowlevel.checkpoint()
                return
            data = memoryview(part.data)
            self._at = self._offset + done
            self._end = self._at + wanted


class _PageResponse(_WatchedResponse):
    """Page of a feed: it goes at once, and what is not through yet is thrown away as soon as one of its entries may not go."""

    def __init__(self, answer: FeedAnswer, holds: Callable[[], Awaitable[bool]]) -> None:
        super().__init__(answer.body, 403 if answer.refused else 200, {"cache-control": "no-store"}, "application/json")
        self._still = holds

    async def _holds(self, under_way_bytes: int) -> bool:  # noqa: ARG002 - it is one whole
        return await self._still()

    async def _pieces(self, send: Send, scope: anyio.CancelScope, line: Line | None) -> None:  # noqa: ARG002 - the watch cancels
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        # The kernel tells nobody when it has sent something.
        while line is not None and (line.under_way_bytes() or 0) > UNWATCHED_BYTES:  # noqa: ASYNC110
            await anyio.sleep(_LOOK_S)


class _Files:
    """Blobs for one partner, who is asked for anew with each piece, one after the other as if they were one."""

    __slots__ = ("_desk", "_digests", "_fingerprint", "_peer", "_sizes")

    def __init__(self, desk: PartnerDesk, peer: Party, fingerprint: str, digests: Sequence[Digest]) -> None:
        self._desk, self._peer, self._fingerprint, self._digests = desk, peer, fingerprint, digests
        self._sizes: list[int] = []

    def open(self) -> BlobPart | None:
        """Length of them all; None unless each may go now."""
        for digest in self._digests:
            part = self._desk.blob(self._peer, digest, 0, 0)
            if part is None:
                return None
            self._sizes.append(part.size)
        return BlobPart(b"", sum(self._sizes))

    def record(self) -> None:
        """Have on record that they are read, together; the desk would record each by itself, with its first bytes."""
        if len(self._digests) > 1:
            self._desk.record_reads(self._peer, self._digests)

    def holds(self, begin: int, end: int) -> bool:
        """Whether each blob that bytes from `begin` to `end` are of may go now, to whom this still is."""
        if self._desk.peer_of(self._fingerprint) != self._peer:
            return False
        first = 0
        for digest, size in zip(self._digests, self._sizes, strict=True):
            if first < end and begin < first + size and self._desk.blob(self._peer, digest, 0, 0) is None:
                return False
            first += size
        return True

    def part(self, offset: int, length: int) -> BlobPart | None:
        """Bytes from `offset` on, at most `length`; None unless each blob that they are of may go now, to whom this still is."""
        if self._desk.peer_of(self._fingerprint) != self._peer:
            return None
        found, begin = [], 0
        for digest, size in zip(self._digests, self._sizes, strict=True):
            end = begin + size
            if begin <= offset < end or offset < begin < offset + length or len(self._digests) == 1:
                first = max(0, offset - begin)
                part = self._desk.blob(self._peer, digest, first, max(0, min(size, offset + length - begin) - first))
                if part is None or part.size != size:
                    return None
                found.append(part.data)
            begin = end
        return BlobPart(b"".join(found) if len(found) > 1 else found[0] if found else b"", begin)


def _fingerprint(request: Request) -> str:
    """SHA-256 of the certificate that the line was opened with."""
    chain = list((request.scope.get("extensions", {}).get("tls") or {}).get("client_cert_chain") or ())
    if not chain:
        raise HTTPException(404)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain[0])).hexdigest()


class _Endpoints:
    """The three endpoints over a desk."""

    __slots__ = ("_beginning", "_deciding", "_desk")

    def __init__(self, desk: PartnerDesk) -> None:
        self._desk = desk
        self._deciding = anyio.CapacityLimiter(_MOST_DECIDING)
        self._beginning = anyio.CapacityLimiter(_MOST_BEGINNING)

    async def peer(self, request: Request) -> Party:
        """Partner who asks; a stranger gets what anybody gets for anything unknown."""
        peer = await to_thread.run_sync(self._desk.peer_of, _fingerprint(request))
        if peer is None:
            raise HTTPException(404)
        return peer

    async def feed(self, request: Request) -> Response:
        """Page of the partner's feed."""
        peer = await self.peer(request)
        if not set(request.query_params) <= {"after", "limit"}:
            raise _Malformed
        after = _number(request, "after", 0, 0, _MOST_SEQUENCE)
        limit = _number(request, "limit", MOST_PAGE_ENTRIES, 1, MOST_PAGE_ENTRIES)
        begun = time.monotonic()
        answer = await to_thread.run_sync(self._desk.feed, peer, after, limit)
        if len(answer.body) <= UNWATCHED_BYTES and time.monotonic() - begun < _WATCH_S:
            return Response(answer.body, 403 if answer.refused else 200, {"cache-control": "no-store"}, "application/json")
        fingerprint = _fingerprint(request)

        async def holds() -> bool:
            return await to_thread.run_sync(self._page_holds, peer, fingerprint, after, answer, limiter=self._deciding)

        # A large file may have been hashed for the last entry since the first one was decided on.
        return _PageResponse(answer, holds) if await holds() else _miss()

    def _page_holds(self, peer: Party, fingerprint: str, after: int, answer: FeedAnswer) -> bool:
        """Whether all entries of a page may go now, as they are, to whom this still is."""
        if self._desk.peer_of(fingerprint) != peer:
            return False
        if answer.refused:
            return True
        count = len(page_from_bytes(answer.body).entries)
        # No more than these are asked for: nothing is numbered, and whether more follow is of no account.
        return not count or _entries(self._desk.feed(peer, after, count)) == _entries(answer)

    async def blob(self, request: Request) -> Response:
        """Blob, or some one after the other, or one range of them."""
        peer = await self.peer(request)
        names = request.path_params["digests"].split(",", MOST_FILES_AT_ONCE - 1)
        try:
            files = _Files(self._desk, peer, _fingerprint(request), [parse_digest(name) for name in names])
        except InputError:
            return _miss()

        async def ask(offset: int, length: int) -> BlobPart | None:
            return await to_thread.run_sync(files.part, offset, length, limiter=self._deciding)

        async def holds(begin: int, end: int) -> bool:
            return await to_thread.run_sync(files.holds, begin, end, limiter=self._deciding)

        probe = await to_thread.run_sync(files.open, limiter=self._beginning)
        if probe is None:
            return _miss()
        ranges = request.headers.getlist("range")
        span = _span(", ".join(ranges) if ranges else None, probe.size)
        if span is None:
            return _error(416, "range not satisfiable", {"content-range": f"bytes */{probe.size}"})
        offset, length = span
        await to_thread.run_sync(files.record, limiter=self._deciding)
        pace = Pace(request.scope["extensions"].get("kizuna.line"))
        first = await ask(offset, min(pace.piece_bytes, length))
        if first is None:
            return _miss()
        response = _BlobResponse(ask, holds, first.data, span, pace)
        response.headers["content-length"] = str(length)
        response.headers["cache-control"] = "no-store"
        response.headers["accept-ranges"] = "bytes"
        if ranges:
            response.status_code = 206
            response.headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{probe.size}"
        return response

    async def receipt(self, request: Request) -> Response:
        """Take a receipt."""
        peer = await self.peer(request)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_RECEIPT_BYTES:
                return _error(413, "too large", {"connection": "close"})
        taken = await to_thread.run_sync(self._desk.receipt, peer, bytes(body))
        return Response(status_code=204) if taken else _miss()


async def _on_miss(_request: Request, _error: Exception) -> Response:
    return _miss()


async def _on_malformed(_request: Request, _malformed: Exception) -> Response:
    return _error(400, "malformed request")


async def _on_failure(_request: Request, _failure: Exception) -> Response:
    # Starlette raises the exception again afterwards, so the operator sees it; the partner does not.
    return _error(500, "failed")


def partner_app(desk: PartnerDesk) -> ASGIApp:
    """ASGI application for the partners' listener."""
    endpoints = _Endpoints(desk)
    app = Starlette(
        routes=[
            Route("/exchange/v1/feed", endpoints.feed, methods=["GET"]),
            Route("/exchange/v1/blobs/{digests}", endpoints.blob, methods=["GET"]),
            Route("/exchange/v1/receipts", endpoints.receipt, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _on_miss, _Malformed: _on_malformed, Exception: _on_failure},
    )
    # A redirect would tell an existing path from a missing one.
    app.router.redirect_slashes = False
    return app
