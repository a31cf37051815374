"""HTTP/1.1 over one TLS connection at a time, body straight into one buffer that is used again.

No redirects, no proxies, no cookies, no content codings: a partner's node needs none, and each would be a way in. h11 reads the
heads; a body whose length the head tells goes from the TLS layer into the buffer without a copy (benchmark: exchange).
"""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import h11

from kizuna.adapters.tls_line import TlsLine

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

__all__ = ["Answer", "HttpLine", "LineError", "TooLong"]

_MOST_HEAD_BYTES = 16 * 2**10
_RECEIVE_BYTES = 64 * 2**10
# Shorter than the server keeps idle connections, so that we never send into a closing one.
_KEEP_ALIVE_S = 2.0
_WITH_BODY = (200, 206)


class LineError(Exception):
    """The connection, or the protocol upon it, failed."""


class TooLong(Exception):
    """An answer is longer than what was asked for can be."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a request.

    Parameters
    ----------
    status
        Status code.
    headers
        Fields by lower-case name; the last of several.
    body
        View of the body, until the next request.
    """

    status: int
    headers: dict[str, str]
    body: memoryview


class HttpLine:
    """Requests to one server, one after the other.

    Parameters
    ----------
    host, port
        The server.
    context
        TLS context, which decides whom to speak to.
    timeout_s
        How long to wait for a connection, and for each next piece of an answer.
    """

    __slots__ = ("_buffer", "_context", "_host", "_left", "_port", "_socket", "_timeout_s", "_used_at")

    def __init__(self, host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> None:
        self._host, self._port, self._context, self._timeout_s = host, port, context, timeout_s
        self._socket: TlsLine | None = None
        self._used_at = 0.0
        self._left = 0
        # Begins with a page, so that a disk can write from it.
        self._buffer = mmap.mmap(-1, _RECEIVE_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._left = 0

    @property
    def left(self) -> int:
        """Bytes of the last answer that were not read yet."""
        return self._left

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes | None,
        most_bytes: int,
        deadline_s: float,
        *,
        first_bytes: int | None = None,
    ) -> Answer:
        """Send a request and take the answer.

        Parameters
        ----------
        method, target, headers, content
            The request; ``host`` and ``content-length`` are added.
        most_bytes
            Longest body that is taken.
        deadline_s
            How long all of it may take.
        first_bytes
            Of a body (200, 206) that is longer, so many bytes are read, and the rest by `more`; at least 128 KiB.

        Raises
        ------
        LineError
            If the connection or the protocol fails, or the deadline passes.
        TooLong
            If the body is longer.
        """
        deadline = time.monotonic() + deadline_s
        if self._left:
            # An answer that nobody wants to the end.
            self.close()
        done = False
        try:
            connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)
            fields = [("host", self._authority()), *headers.items()]
            if content is not None:
                fields.append(("content-length", str(len(content))))
            message = connection.send(h11.Request(method=method, target=target, headers=fields)) or b""
            if content:
                message += connection.send(h11.Data(data=content)) or b""
            message += connection.send(h11.EndOfMessage()) or b""
            line = self._connected(deadline)
            line.sendall(message)
            response = self._response(connection, line, deadline)
            body = self._body(connection, line, response, most_bytes, first_bytes, deadline)
            done = True
        except (OSError, h11.ProtocolError) as error:
            raise LineError(str(error) or type(error).__name__) from error
        finally:
            if not done:
                self.close()
        found = {name.decode("ascii"): value.decode("latin-1") for name, value in response.headers}
        if not self._left and (response.http_version != b"1.1" or found.get("connection", "").lower() == "close"):
            self.close()
        self._used_at = time.monotonic()
        return Answer(response.status_code, found, body)

    def more(self, count: int, deadline_s: float) -> memoryview:
        """Read the next `count` bytes of the last answer, of which so many are left; the view is of the same buffer.

        Raises
        ------
        LineError
            If the connection fails, or the deadline passes.
        """
        if self._socket is None or not 0 < count <= self._left:
            msg = "nothing of the answer is left"
            raise LineError(msg)
        left = self._left - count
        try:
            self._grow(count, 0)
            body = self._rest(self._socket, 0, count, time.monotonic() + deadline_s)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise LineError(str(error) or type(error).__name__) from error
            raise
        self._left, self._used_at = left, time.monotonic()
        return body

    def _authority(self) -> str:
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    def _connected(self, deadline: float) -> TlsLine:
        if self._socket is not None and time.monotonic() - self._used_at > _KEEP_ALIVE_S:
            self.close()
        if self._socket is None:
            self._socket = TlsLine.connect((self._host, self._port), self._context, self._timeout_s)
        self._wait(self._socket, deadline)
        return self._socket

    def _wait(self, line: TlsLine, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            msg = "the answer took too long"
            raise LineError(msg)
        wanted = min(left, self._timeout_s)
        # A system call, which tens of thousands of records do not need.
        if wanted != line.gettimeout():
            line.settimeout(wanted)

    def _more(self, connection: h11.Connection, line: TlsLine, deadline: float) -> None:
        self._wait(line, deadline)
        connection.receive_data(line.recv(_RECEIVE_BYTES))

    def _response(self, connection: h11.Connection, line: TlsLine, deadline: float) -> h11.Response:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                self._more(connection, line, deadline)
            elif not isinstance(event, h11.InformationalResponse):
                msg = "the connection was closed without an answer"
                raise LineError(msg)

    def _body(
        self,
        connection: h11.Connection,
        line: TlsLine,
        response: h11.Response,
        most_bytes: int,
        first_bytes: int | None,
        deadline: float,
    ) -> memoryview:
        told = next((int(value) for name, value in response.headers if name == b"content-length"), None)
        if first_bytes is not None and told is not None and told > first_bytes and response.status_code in _WITH_BODY:
            self._left, told = told - first_bytes, first_bytes
        if told is not None and told > most_bytes and connection.their_state is h11.SEND_BODY:
            raise TooLong
        # What was handed out before may still be a view of the old one.
        self._grow(told or 0, 0)
        length = 0
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                begin, length = length, length + len(event.data)
                if length > most_bytes:
                    raise TooLong
                self._grow(length, begin)
                self._buffer[begin:length] = event.data
            elif isinstance(event, h11.EndOfMessage):
                return memoryview(self._buffer)[:length]
            elif event is not h11.NEED_DATA:
                msg = "the connection was closed in the middle of an answer"
                raise LineError(msg)
            elif told is None:
                self._more(connection, line, deadline)
            else:
                return self._rest(line, length, told, deadline)

    def _grow(self, size: int, kept: int) -> None:
        """Have a buffer of at least `size` bytes, of which `kept` are filled."""
        if size > len(self._buffer):
            longer = mmap.mmap(-1, max(size, 2 * kept))
            longer[:kept] = self._buffer[:kept]
            self._buffer = longer

    def _rest(self, line: TlsLine, begin: int, end: int, deadline: float) -> memoryview:
        """Body whose first bytes are in the buffer, the rest straight from the connection."""
        body = memoryview(self._buffer)[:end]
        while begin < end:
            self._wait(line, deadline)
            count = line.recv_into(body[begin:])
            if not count:
                msg = "the connection was closed in the middle of an answer"
                raise LineError(msg)
            begin += count
        return body
