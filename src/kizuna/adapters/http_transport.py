"""The partner's node over HTTP/1.1 and mutual TLS, its certificate pinned."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import httpx

from kizuna.adapters.tls import client_context
from kizuna.errors import InputError, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.feed import MOST_PAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn, Self

    from kizuna.adapters.keys import FileKeys
    from kizuna.model.digests import Digest

__all__ = ["HttpTransport"]

# A name or an IP address, without what would make an address ambiguous.
_HOST = re.compile(r"[0-9A-Za-z._:-]+\Z", re.ASCII)
_MOST_SMALL_ANSWER_BYTES = 4096
_OK, _NO_CONTENT, _PARTIAL, _FORBIDDEN, _NOT_FOUND, _SERVER_ERRORS = 200, 204, 206, 403, 404, 500


class HttpTransport:
    """Transport port over HTTPS.

    Parameters
    ----------
    url
        Address of the partner's node (``"https://node.example:8443"``).
    keys
        Our keys: the partner knows us by our certificate.
    certificate_der
        The partner's certificate, DER; no other is accepted.
    timeout_s
        How long to wait for a connection, and for each next piece of an answer.
    deadline_s
        How long one answer may take as a whole.
    """

    def __init__(
        self, url: str, keys: FileKeys, certificate_der: bytes, *, timeout_s: float = 10.0, deadline_s: float = 120.0
    ) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise _no_address(url) from error
        rest = (address.userinfo, address.query, address.fragment)
        if address.scheme != "https" or not _HOST.match(address.raw_host.decode("ascii", "replace")) or any(rest):
            raise _no_address(url)
        self._url = str(address).rstrip("/")
        self._deadline_s = deadline_s
        self._client = httpx.Client(
            verify=client_context(keys, certificate_der),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
            # Shorter than the server keeps idle connections, so that we never send into a closing one.
            limits=httpx.Limits(keepalive_expiry=2.0),
            headers={"user-agent": "kizuna", "accept": "*/*", "accept-encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _exchange(
        self, method: str, path: str, most_bytes: int, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body of an answer, which may not be longer than `most_bytes`."""
        deadline = time.monotonic() + self._deadline_s
        try:
            with self._client.stream(method, self._url + path, headers=headers, content=content) as response:
                encoding = response.headers.get("content-encoding", "identity")
                if encoding != "identity":
                    _misbehaved(f"an answer in the encoding {encoding[:40]!r}")
                body = bytearray()
                for piece in response.iter_raw():
                    body += piece
                    if len(body) > most_bytes:
                        _misbehaved(f"an answer of more than {most_bytes} bytes")
                    if time.monotonic() > deadline:
                        self._unreachable(f"the answer took more than {self._deadline_s:g} s")
                return response.status_code, response.headers, bytes(body)
        except httpx.TransportError as error:
            self._unreachable(str(error) or type(error).__name__, error)

    def _unreachable(self, why: str, cause: Exception | None = None) -> NoReturn:
        raise PartnerUnreachable(
            Message("the partner's node at {url} does not answer: {why}", {"url": self._url, "why": why[:300]}),
            hint=Message(
                "check the address, that the partner's node runs, and that each side has pinned the other's certificate"
            ),
        ) from cause

    def _unexpected(self, status: int) -> NoReturn:
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
        status, headers, body = self._exchange("GET", f"/exchange/v1/feed?after={after}&limit={limit}", MOST_PAGE_BYTES)
        if status == _NOT_FOUND:
            self._unreachable("it does not know this node")
        if status not in {_OK, _FORBIDDEN}:
            self._unexpected(status)
        if headers.get("content-type") != "application/json":
            _misbehaved("a feed page of another media type")
        return body

    def blob(self, digest: Digest, offset: int, length: int) -> bytes:
        """Fetch `length` bytes of a blob from `offset` on.

        Raises
        ------
        NotReleasable
            If the partner does not (or no longer) hand it out.
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        if length == 0:
            return b""
        span = f"{offset}-{offset + length - 1}"
        status, headers, body = self._exchange(
            "GET", f"/exchange/v1/blobs/{digest}", max(length, _MOST_SMALL_ANSWER_BYTES), headers={"range": f"bytes={span}"}
        )
        if status == _NOT_FOUND:
            raise NotReleasable(
                Message("the partner does not hand out {digest}", {"digest": digest}),
                hint=Message("ask the feed why: kizuna sync"),
            )
        if status != _PARTIAL:
            self._unexpected(status)
        if len(body) != length or not headers.get("content-range", "").startswith(f"bytes {span}/"):
            _misbehaved(f"{len(body)} bytes where {length} bytes from {offset} were asked for")
        return body

    def receipt(self, envelope: bytes) -> None:
        """Hand over a signed receipt.

        Raises
        ------
        PartnerUnreachable, PartnerMisbehaved
            As for `feed`.
        """
        status, _, _ = self._exchange(
            "POST",
            "/exchange/v1/receipts",
            _MOST_SMALL_ANSWER_BYTES,
            headers={"content-type": "application/json"},
            content=envelope,
        )
        if status == _NOT_FOUND:
            raise PartnerMisbehaved(
                Message("the partner does not take the receipt"),
                hint=Message("tell the partner's operator; it is sent again next time"),
            )
        if status != _NO_CONTENT:
            self._unexpected(status)


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
