"""What a listener can learn of one TCP connection beneath TLS, and how it cuts it."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Line"]

# linux/tcp.h, struct tcp_info: tcpi_bytes_acked and tcpi_min_rtt (microseconds).
_TCP_INFO_BYTES = 160
_BYTES_ACKED, _MIN_RTT = struct.Struct("=Q"), struct.Struct("=I")
_BYTES_ACKED_AT, _MIN_RTT_AT = 120, 148
_LINGER_NOT = struct.pack("ii", 1, 0)


class Line:
    """One connection of a listener.

    Parameters
    ----------
    transport
        As asyncio made it, TLS or not.
    """

    __slots__ = ("_transport", "window_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.window_bytes: float | None = None
        """What was last found to be the most bytes that should be under way (`kizuna.web.pace`)."""

    @property
    def _socket(self) -> socket.socket | None:
        found: socket.socket | None = self._transport.get_extra_info("socket")
        return found

    def under_way_bytes(self) -> int | None:
        """Bytes that the kernel was given and the other side has not confirmed; None where that cannot be known."""
        plain = self._socket
        with contextlib.suppress(OSError):
            if plain is not None and plain.fileno() >= 0:
                # Which tcp(7) calls SIOCOUTQ.
                return int(struct.unpack("i", fcntl.ioctl(plain.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
        return None

    def confirmed(self) -> tuple[int, float] | None:
        """Bytes that the other side confirmed so far, and the shortest round trip, seconds; None where that cannot be known."""
        plain = self._socket
        with contextlib.suppress(OSError, AttributeError, struct.error):
            if plain is not None:
                told = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
                (acked,), (rtt_us,) = _BYTES_ACKED.unpack_from(told, _BYTES_ACKED_AT), _MIN_RTT.unpack_from(told, _MIN_RTT_AT)
                # Not measured yet: all bits set.
                return int(acked), 0.0 if rtt_us == 2**32 - 1 else rtt_us / 1e6
        return None

    def cut(self) -> None:
        """End the connection at once; what the kernel still holds is thrown away, not sent (RST)."""
        plain = self._socket
        if plain is not None:
            with contextlib.suppress(OSError):
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._transport.abort()
