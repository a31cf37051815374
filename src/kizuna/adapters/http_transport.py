"""The partner's node over HTTP/1.1 and mutual TLS, its certificate pinned."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.http_line import HttpLine, LineError, TooLong
from kizuna.adapters.tls import client_context
from kizuna.errors import InputError, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.feed import MOST_PAGE_BYTES
from kizuna.exchange.manifest import CHUNK_BYTES
from kizuna.model.instants import Instant, instant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import NoReturn, Self

    from kizuna.adapters.http_line import Answer
    from kizuna.adapters.keys import FileKeys
    from kizuna.model.digests import Digest

__all__ = ["HttpTransport"]

# A name or an IP address, without what would make an address ambiguous.
_HOST = re.compile(r"[0-9A-Za-z._:-]+\Z", re.ASCII)
_PATH = re.compile(r"(?:/[0-9A-Za-z._~%-]+)*/?\Z", re.ASCII)
_HEADERS = {"user-agent": "kizuna", "accept": "*/*", "accept-encoding": "identity"}
_MOST_SMALL_ANSWER_BYTES = 4096
_PORT = 443
# What is read at a time of many files: so much is lost of what came, at most, when the line breaks.
_LEAST_SLAB_BYTES = 128 * 2**10
# Of a link that carries less, no chunk would ever come whole.
_SLOWEST_BYTES_S = 8192
# What a partner may ask us to wait in all before a question is answered.
_LONGEST_WAIT_S = 120
_MOST_DIGITS = 6
_TOO_MANY = 429
_HALF_A_SECOND = timedelta(seconds=0.5)
_OK, _NO_CONTENT, _PARTIAL, _FORBIDDEN, _NOT_FOUND, _SERVER_ERRORS = 200, 204, 206, 403, 404, 500


class HttpTransport:
    """Transport port over HTTPS.

    Parameters
    ----------
    url
        Address of the partner's node (``"https://node.example:8443"``).
    keys
        Our keys: the partner knows us by our certificate.
    certificates_der
        The partner's certificate, DER, or those of which it may show either; no other is accepted.
    timeout_s
        How long to wait for a connection, and for each next piece of an answer.
    deadline_s
        How long one answer may take as a whole, beside what its bytes take at 8 KiB a second.
    """

    def __init__(
        self, url: str, keys: FileKeys, *certificates_der: bytes, timeout_s: float = 10.0, deadline_s: float = 120.0
    ) -> None:
        try:
            address = urlsplit(url)
            host, port = address.hostname or "", address.port or _PORT
        except ValueError as error:
            raise _no_address(url) from error
        rest = ("@" in address.netloc, "?" in url, "#" in url)
        if address.scheme != "https" or not _HOST.match(host) or any(rest) or not _PATH.match(address.path):
            raise _no_address(url)
        self._url = url.rstrip("/")
        self._path = address.path.rstrip("/")
        self._deadline_s = deadline_s
        self.on_clock: Callable[[Instant, Instant], object] | None = None
        self._line = HttpLine(host, port, client_context(keys, *certificates_der), timeout_s)
        # The file of which an answer is being read, and the place that comes next.
        self._reading: tuple[Digest, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._line.close()

    def _exchange(
        self,
        method: str,
        path: str,
        most_bytes: int,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        first_bytes: int | None = None,
    ) -> Answer:
        """Answer to a request, whose body may not be longer than `most_bytes`."""
        self._reading = None
        deadline_s = self._deadline_s + most_bytes / _SLOWEST_BYTES_S
        fields = {**_HEADERS, **(headers or {})}
        waited = 0.0
        try:
            while True:
                asked = SystemClock().now()
                answer = self._line.request(
                    method, self._path + path, fields, content, most_bytes, deadline_s, first_bytes=first_bytes
                )
                self._tell_clock(answer, asked)
                # A partner that is asked too much says when to come again: that is no failure, unless it is long.
                pause_s = _pause_s(answer)
                if pause_s is None or waited + pause_s > _LONGEST_WAIT_S:
                    break
                waited += pause_s
                time.sleep(pause_s)
        except TooLong:
            _misbehaved(f"an answer of more than {most_bytes} bytes")
        except LineError as error:
            self._unreachable(str(error), error)
        encoding = answer.headers.get("content-encoding", "identity")
        if encoding != "identity":
            _misbehaved(f"an answer in the encoding {encoding[:40]!r}")
        return answer

    def _unreachable(self, why: str, cause: Exception | None = None) -> NoReturn:
        raise PartnerUnreachable(
            Message("the partner's node at {url} does not answer: {why}", {"url": self._url, "why": why[:300]}),
            hint=Message(
                "check the address, that the partner's node runs, and that each side has pinned the other's certificate"
            ),
        ) from cause

    def _tell_clock(self, answer: Answer, asked: Instant) -> None:
        said = answer.headers.get("date")
        if self.on_clock is None or said is None:
            return
        try:
            # The header has whole seconds: on average half of one has passed.
            partner = instant_of(parsedate_to_datetime(said)) + _HALF_A_SECOND
        except (ValueError, TypeError, OverflowError, InputError):
            return
        self.on_clock(Instant(partner), Instant(asked + (SystemClock().now() - asked) / 2))

    def _unexpected(self, status: int) -> NoReturn:
        if status == _TOO_MANY:
            self._unreachable("it was asked too much, and wants to be asked again later")
        if status >= _SERVER_ERRORS:
            self._unreachable(f"it failed with status {status}")
        _misbehaved(f"an answer with status {status}")

    def feed(self, after: int, limit: int) -> bytes:
        """Fetch the feed page that follows entry `after`, or the signed refusal.

        Raises
        ------
        PartnerUnreachable, PartnerMisbehaved
            See `kizuna.exchange.transport.Transport.feed`.
        """
        answer = self._exchange("GET", f"/exchange/v1/feed?after={after}&limit={limit}", MOST_PAGE_BYTES)
        if answer.status == _NOT_FOUND:
            self._unreachable("it does not know this node")
        if answer.status not in {_OK, _FORBIDDEN}:
            self._unexpected(answer.status)
        if answer.headers.get("content-type") != "application/json":
            _misbehaved("a feed page of another media type")
        return bytes(answer.body)

    def blob(self, digest: Digest, offset: int, length: int) -> bytes | memoryview:
        """Fetch `length` bytes of a blob from `offset` on; the view may only be used until the next call.

        Raises
        ------
        NotReleasable
            If the partner does not (or no longer) hand it out.
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        if length == 0:
            return b""
        if self._reading == (digest, offset) and length <= self._line.left:
            # Broken off: asked for anew below, which tells whether the partner still hands it out.
            with contextlib.suppress(LineError):
                data = self._line.more(length, self._deadline_s + length / _SLOWEST_BYTES_S)
                self._reading = digest, offset + length
                return data
        # Whoever asks for a whole chunk asks for the next one then: one answer brings all that follow.
        ahead = length == CHUNK_BYTES
        last = offset + length - 1
        answer = self._exchange(
            "GET",
            f"/exchange/v1/blobs/{digest}",
            max(length, _MOST_SMALL_ANSWER_BYTES),
            headers={"range": f"bytes={offset}-{'' if ahead else last}"},
            first_bytes=length if ahead else None,
        )
        if answer.status == _NOT_FOUND:
            raise _not_handed_out(digest)
        if answer.status != _PARTIAL:
            self._unexpected(answer.status)
        span = f"bytes {offset}-{last + self._line.left}/"
        if len(answer.body) != length or not answer.headers.get("content-range", "").startswith(span):
            _misbehaved(f"{len(answer.body)} bytes where {length} bytes from {offset} were asked for")
        self._reading = digest, offset + length
        return answer.body

    def blobs(self, wanted: Sequence[tuple[Digest, int]]) -> Iterator[bytes | memoryview]:
        """Fetch whole blobs, one after the other, in one answer; see `kizuna.exchange.transport.Transport.blobs`.

        Raises
        ------
        NotReleasable
            If the partner does not hand out one of them; which, it does not say.
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        total = sum(size for _, size in wanted)
        if not total:
            yield from (b"" for _ in wanted)
            return
        slabs = _slabs([size for _, size in wanted])
        names = ",".join(digest for digest, size in wanted if size)
        answer = self._exchange(
            "GET",
            f"/exchange/v1/blobs/{names}",
            max(total, _MOST_SMALL_ANSWER_BYTES),
            first_bytes=sum(slabs[0]) if len(slabs) > 1 else None,
        )
        if answer.status == _NOT_FOUND:
            raise _not_handed_out(names)
        if answer.status != _OK:
            self._unexpected(answer.status)
        if len(answer.body) + self._line.left != total:
            _misbehaved(f"{len(answer.body) + self._line.left} bytes where {total} bytes were asked for")
        body = answer.body
        for index, sizes in enumerate(slabs):
            if index:
                try:
                    body = self._line.more(sum(sizes), self._deadline_s + sum(sizes) / _SLOWEST_BYTES_S)
                except LineError as error:
                    self._unreachable(str(error), error)
            begin = 0
            for size in sizes:
                yield body[begin : begin + size]
                begin += size

    def receipt(self, envelope: bytes) -> None:
        """Hand over a signed receipt.

        Raises
        ------
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        status = self._exchange(
            "POST",
            "/exchange/v1/receipts",
            _MOST_SMALL_ANSWER_BYTES,
            headers={"content-type": "application/json"},
            content=envelope,
        ).status
        if status == _NOT_FOUND:
            raise PartnerMisbehaved(
                Message("the partner does not take the receipt"),
                hint=Message("tell the partner's operator; it is sent again next time"),
            )
        if status != _NO_CONTENT:
            self._unexpected(status)


def _slabs(sizes: Sequence[int]) -> list[list[int]]:
    """Sizes in their order, in groups that are long enough to be read for themselves."""
    found: list[list[int]] = [[]]
    for size in sizes:
        if sum(found[-1]) >= _LEAST_SLAB_BYTES:
            found.append([])
        found[-1].append(size)
    return found


def _not_handed_out(digest: str) -> NotReleasable:
    return NotReleasable(
        Message("the partner does not hand out {digest}", {"digest": digest}), hint=Message("ask the feed why: kizuna sync")
    )


def _pause_s(answer: Answer) -> int | None:
    """Seconds after which to ask again, if the answer says so."""
    text = answer.headers.get("retry-after", "")
    if answer.status != _TOO_MANY or not text.isascii() or not text.isdecimal() or len(text) > _MOST_DIGITS:
        return None
    return max(1, int(text))


def _misbehaved(what: str) -> NoReturn:
    raise PartnerMisbehaved(
        Message("the partner's node sent {what}", {"what": what}),
        hint=Message("nothing of it was taken over; tell the partner's operator"),
    )


def _no_address(url: str) -> InputError:
    return InputError(
        Message("{url!r} is not the address of a node", {"url": url[:200]}),
        hint=Message("write for example https://node.example:8443"),
        field="url",
    )
