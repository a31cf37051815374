"""Fetch what a document of others links to, from public addresses only: a link must not make this node ask its own network.

Each name is resolved here and the connection goes to the address that was checked, so that no second answer of a name server
counts; each redirection is checked anew. No proxy of the environment is used, and nothing is sent but the address.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from kizuna.errors import InputError, Message
from kizuna.model.digests import Digest

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import BinaryIO

__all__ = ["WebFetch", "is_public"]

_MOST_REDIRECTIONS = 5
_TIMEOUT_S = 30.0
# Beside these an answer has time enough at so many bytes a second.
_PATIENCE_S, _SLOWEST_BYTES_S = 60.0, 8192
_PIECE_BYTES = 1 << 18
_OK = 200
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
# NAT64, 6to4, Teredo: an IPv4 address within says where they lead.
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet.

    Examples
    --------
    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("169.254.169.254")
    (True, False, False, False)
    """
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast


@dataclass(frozen=True, slots=True)
class _Place:
    """Address taken apart."""

    scheme: str
    host: str
    port: int
    path: str


class WebFetch:
    """Fetches addresses.

    Parameters
    ----------
    private_hosts
        Hosts that may have an address that is not public, or be asked without TLS; their names as the links write them.
    """

    def __init__(self, private_hosts: Collection[str] = ()) -> None:
        self._private_hosts = frozenset(host.lower() for host in private_hosts)

    def fetch(
        self, url: str, target: BinaryIO, *, most_bytes: int, digest: Digest | None = None, size: int | None = None
    ) -> tuple[str, Digest]:
        """Write what stands at an address into a file.

        Parameters
        ----------
        url
            Address, http or https.
        target
            Open, writable file.
        most_bytes
            Most that is written.
        digest, size
            What it must be, where that is known.

        Returns
        -------
        str, Digest
            Where it stood at last, behind redirections; what it is.

        Raises
        ------
        InputError
            If the address is none that may be asked, nothing or something else stands there, or it does not answer.
        """
        for _ in range(_MOST_REDIRECTIONS + 1):
            place = self._place(url, checked=digest is not None)
            try:
                further, found = self._ask(url, place, target, most_bytes if size is None else min(size, most_bytes))
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = str(error) or type(error).__name__
                raise _cannot(Message("{url} cannot be fetched: {why}", {"url": url[:500], "why": why[:200]})) from error
            if further is None:
                self._require(url, found, digest, size)
                return url, found[0]
            if place.scheme == "https" and urlsplit(further).scheme != "https":
                raise _cannot(Message("{url} leads from https to {further}", {"url": url[:500], "further": further[:500]}))
            url = further
        raise _cannot(Message("{url}: more than {most} redirections", {"url": url[:500], "most": _MOST_REDIRECTIONS}))

    @staticmethod
    def _require(url: str, found: tuple[Digest, int], digest: Digest | None, size: int | None) -> None:
        if size is not None and found[1] != size:
            raise _cannot(Message("{url} has {got} bytes, expected {size}", {"url": url[:500], "got": found[1], "size": size}))
        if digest is not None and found[0] != digest:
            raise _cannot(
                Message("{url} is not what its checksum says: got {got}", {"url": url[:500], "got": found[0]}),
            )

    def _place(self, url: str, *, checked: bool) -> _Place:
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        unclean = any(character <= " " or character == "\x7f" for character in url) or not url.isascii()
        if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc or unclean:
            raise _cannot(Message("{url} is no address that is followed: expected http or https", {"url": url[:500]}))
        if parts.scheme == "http" and host not in self._private_hosts and not checked:
            raise _cannot(Message("{url} is asked without TLS, and no SHA-256 says what must stand there", {"url": url[:500]}))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _Place(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)

    def _connected(self, place: _Place) -> socket.socket:
        addresses = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        if place.host not in self._private_hosts:
            private = next((str(found[4][0]) for found in addresses if not is_public(str(found[4][0]))), None)
            if private is not None:
                raise InputError(
                    Message("{host} is at {address}, which is no public address", {"host": place.host, "address": private}),
                    hint=Message("a host of your own network must be named in the setting stac_private_hosts"),
                    field="href",
                )
        failure: OSError = OSError("no address")
        for family, kind, protocol, _, address in addresses:
            line = socket.socket(family, kind, protocol)
            line.settimeout(_TIMEOUT_S)
            try:
                line.connect(address)
            except OSError as error:
                line.close()
                failure = error
                continue
            if place.scheme == "http":
                return line
            return ssl.create_default_context().wrap_socket(line, server_hostname=place.host)
        raise failure

    def _ask(self, url: str, place: _Place, target: BinaryIO, most_bytes: int) -> tuple[str | None, tuple[Digest, int]]:
        """Where it leads further, or what was written."""
        connection = http.client.HTTPConnection(place.host, place.port, timeout=_TIMEOUT_S)
        connection.sock = self._connected(place)
        try:
            headers = {"user-agent": "kizuna", "accept": "*/*", "accept-encoding": "identity", "connection": "close"}
            connection.request("GET", place.path, headers=headers)
            answer = connection.getresponse()
            if answer.status in _REDIRECTIONS and answer.getheader("location"):
                return urljoin(url, str(answer.getheader("location"))), (Digest(""), 0)
            if answer.status != _OK:
                raise _cannot(Message("{url} answers {status}", {"url": url[:500], "status": answer.status}))
            return None, _written(answer, target, most_bytes, url)
        finally:
            connection.close()


def _written(answer: http.client.HTTPResponse, target: BinaryIO, most_bytes: int, url: str) -> tuple[Digest, int]:
    told = answer.length
    hashed, written, begun = hashlib.sha256(), 0, time.monotonic()
    while piece := answer.read(_PIECE_BYTES):
        written += len(piece)
        if written > most_bytes:
            raise _cannot(Message("{url} has more than {most} bytes", {"url": url[:500], "most": most_bytes}))
        if time.monotonic() - begun > _PATIENCE_S + written / _SLOWEST_BYTES_S:
            raise TimeoutError("too slow")
        hashed.update(piece)
        target.write(piece)
    if told is not None and written != told:
        raise _cannot(Message("{url} has {got} bytes, expected {size}", {"url": url[:500], "got": written, "size": told}))
    return Digest("sha256:" + hashed.hexdigest()), written


def _cannot(message: Message) -> InputError:
    return InputError(message, hint=Message("check the link, or fetch the file by other means and name it"), field="href")
