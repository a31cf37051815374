"""The gate in front of the partners' listener: each partner's limits, and a line in the operator's log for each request."""

from __future__ import annotations

import hashlib
import ssl
import time
from datetime import UTC
from email.utils import format_datetime
from typing import TYPE_CHECKING

from kizuna.adapters.event_log import Event, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kizuna.model.instants import Instant
    from kizuna.web.limits import Meter

    type Tell = Callable[[Event, Mapping[Member, str | float]], None]

__all__ = ["gated", "peer_fingerprint"]

_BODY = b'{"error":"too many requests"}'
_ROUTES = {"feed": "feed", "blobs": "blob", "receipts": "receipt"}
_PARTS = 4
_TIMED = (200, 403)


def peer_fingerprint(scope: Scope) -> str:
    """SHA-256 of the certificate that the peer showed, in hexadecimal; empty where it showed none."""
    chain = list((scope.get("extensions", {}).get("tls") or {}).get("client_cert_chain") or ())
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain[0])).hexdigest() if chain else ""


def _route(path: str) -> str:
    # Never the path itself: it names a file.
    parts = path.split("/", _PARTS)
    return _ROUTES.get(parts[3], "other") if len(parts) >= _PARTS and parts[1:3] == ["exchange", "v1"] else "other"


def gated(app: ASGIApp, meter: Meter, name_of: Callable[[str], str], tell: Tell, now: Callable[[], Instant]) -> ASGIApp:
    """`app` behind the limits of each partner.

    Parameters
    ----------
    app
        Application of the partners' listener.
    meter
        Keeps account.
    name_of
        Name of the holder of a certificate with this SHA-256 in the operator's log and numbers; a stranger has one too.
    tell
        Writes the operator's log.
    now
        Present instant, which answers of the feed tell.
    """

    async def at_gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        partner = name_of(peer_fingerprint(scope))
        wait_s = meter.begin(partner)
        if wait_s:
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(_BODY)).encode()),
                (b"retry-after", str(wait_s).encode()),
            ]
            await send({"type": "http.response.start", "status": 429, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
            tell(Event.THROTTLED, {Member.PARTNER: partner, Member.RETRY_AFTER_S: wait_s})
            return
        status = count = 0
        begun = time.monotonic()

        async def counted(message: Message) -> None:
            nonlocal status, count
            if message["type"] == "http.response.start":
                status = message["status"]
                if _route(scope["path"]) == "feed" and status in _TIMED:
                    # By this the partner learns how far its clock is from ours.
                    date = format_datetime(now().astimezone(UTC), usegmt=True).encode()
                    message["headers"] = [*message["headers"], (b"date", date)]
            length = len(message.get("body", b""))
            count += length
            if length and not meter.sent(partner, length) and message.get("more_body"):
                # The day's bytes are used up: what is on its way ends here, and goes on where it ended when it is asked again.
                line = scope.get("extensions", {}).get("kizuna.line")
                if line is not None:
                    line.cut()
            await send(message)

        try:
            await app(scope, receive, counted)
        finally:
            meter.end(partner)
            told: dict[Member, str | float] = {
                Member.PARTNER: partner,
                Member.ROUTE: _route(scope["path"]),
                Member.STATUS: status,
                Member.BYTES: count,
                Member.SECONDS: round(time.monotonic() - begun, 3),
            }
            tell(Event.REQUEST, told)

    return at_gate
