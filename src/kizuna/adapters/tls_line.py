"""A TLS connection that takes much from the kernel at a time.

A TLS socket asks the kernel twice for each record of 16 KiB. Here a buffer is filled as far as it goes, and deciphered from
memory, which takes less of the receiving end's time (benchmark: exchange).
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["TlsLine"]

_TAKEN_BYTES = 2**20


class TlsLine:
    """Connection over which bytes go enciphered, as a blocking socket's do.

    Parameters
    ----------
    plain
        Connected TCP socket, whose timeout holds here too; it is closed with this.
    context
        TLS context, which decides whom to speak to.
    host
        Name of the server.
    """

    __slots__ = ("_buffer", "_came", "_gone", "_plain", "_tls")

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._came, self._gone = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._gone, server_hostname=host)
        self._buffer = memoryview(bytearray(_TAKEN_BYTES))

    @classmethod
    def connect(cls, address: tuple[str, int], context: ssl.SSLContext, timeout_s: float) -> Self:
        """Connect, and see whom to speak to before anything is sent.

        Raises
        ------
        OSError
            If there is no connection, or the other side is not who it should be.
        """
        plain = socket.create_connection(address, timeout=timeout_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made = cls(plain, context, address[0])
            made._done(made._tls.do_handshake)
        except BaseException:
            plain.close()
            raise
        return made

    def _done[T](self, work: Callable[[], T]) -> T:
        """Result of what TLS does, which may need bytes of the other side, and have some for it."""
        while True:
            try:
                result = work()
            except ssl.SSLWantReadError:
                self._send()
                self._take()
            except ssl.SSLError:
                # The other side is told why.
                self._send()
                raise
            else:
                self._send()
                return result

    def _send(self) -> None:
        if self._gone.pending:
            self._plain.sendall(self._gone.read())

    def _take(self) -> None:
        count = self._plain.recv_into(self._buffer)
        if count:
            self._came.write(self._buffer[:count])
        else:
            self._came.write_eof()

    def gettimeout(self) -> float | None:
        """As a socket's."""
        return self._plain.gettimeout()

    def settimeout(self, timeout_s: float) -> None:
        """As a socket's."""
        self._plain.settimeout(timeout_s)

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        self._done(lambda: self._tls.write(data))

    def recv(self, count: int) -> bytes:
        """As a socket's; nothing at the end of the connection."""
        buffer = memoryview(bytearray(count))
        return bytes(buffer[: self.recv_into(buffer)])

    def recv_into(self, buffer: memoryview) -> int:
        """As a socket's, of as many records as are here; 0 at the end of the connection."""
        read, size, taken = self._tls.read, len(buffer), 0
        while taken < size:
            try:
                count = cast("int", read(size - taken, buffer[taken:]))
            except ssl.SSLWantReadError:
                if taken:
                    break
                self._send()
                self._take()
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                break
            if not count:
                break
            taken += count
        return taken

    def close(self) -> None:
        """As a socket's."""
        self._plain.close()
