"""Which names the people's listener answers to.

A page elsewhere can have its own name resolve to 127.0.0.1 (DNS rebinding), and is then of one origin with this listener for the
browser. The Host header still carries that name: requests that do not go to this machine by one of its own names are turned away.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["is_own_host", "only_hosts"]

_LOOPBACK_6 = IPv6Address("::1")
# RFC 9110, section 7.2: uri-host [ ":" port ]; an IPv6 address stands in brackets.
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{0,5})?\Z", re.ASCII | re.IGNORECASE)
_MISDIRECTED = 421


def is_own_host(header: str, listen: str) -> bool:
    """Whether a Host header names this machine's loopback, or the host that the listener was told to listen on.

    Parameters
    ----------
    header
        The header's value; its port may be any.
    listen
        Host of ``people_listen``, without brackets.

    Examples
    --------
    >>> is_own_host("localhost:8080", "127.0.0.1"), is_own_host("[::1]", "127.0.0.1"), is_own_host("evil.example", "127.0.0.1")
    (True, True, False)
    """
    match = _HOST.match(header)
    if match is None:
        return False
    host = (match[1] or match[2]).lower()
    if host in {"localhost", listen.lower()}:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    match address:
        case IPv4Address():
            return address.is_loopback
        case IPv6Address():
            return address == _LOOPBACK_6


def only_hosts(app: ASGIApp, listen: str) -> ASGIApp:
    """Application that answers 421 (Misdirected Request) to whoever asks for another host than this one.

    Parameters
    ----------
    app
        The people's application.
    listen
        Host of ``people_listen``, without brackets.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or not is_own_host(hosts[0], listen):
                await PlainTextResponse("not a host of this node\n", _MISDIRECTED)(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded
