"""Who is asking: access tokens and the sessions that browsers get for them.

A token comes as ``Authorization: Bearer``, as the password of ``Authorization: Basic`` (so that desktop tools such as QGIS can
send it), or once through the sign-in form; it never stands in an address. A browser then holds an opaque session id in a cookie
that scripts cannot read (HttpOnly) and that no other site can make it send (SameSite=Strict). That and the policy
``form-action 'self'`` are what stands against forged requests; the two forms there are (sign in, sign out) also refuse
a request that the browser itself says comes from another site.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

__all__ = ["Sessions", "from_elsewhere", "is_browser", "presented_token", "safe_return", "wants_page"]

_MOST_SESSIONS = 4096
_LONGEST_IDLE_S = 8 * 3600.0


_AUTHORIZATION = "authorization"


def _random_id() -> str:
    return secrets.token_urlsafe(32)


class Sessions:
    """Open sessions of browsers, in memory: who restarts the node signs everybody out.

    A session leads back to the token, and the node is asked about that at every request, so that revoking a token ends its
    sessions at once. A session that nobody used for eight hours, a shift, has ended.

    Parameters
    ----------
    random
        Source of session ids.
    elapsed_s
        Seconds since some instant; never goes back.
    """

    def __init__(self, random: Callable[[], str] = _random_id, elapsed_s: Callable[[], float] = time.monotonic) -> None:
        self._random = random
        self._elapsed_s = elapsed_s
        # Token and last use by session id, least recently used first.
        self._open: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def open(self, token: str) -> str:
        """Id of a new session; the one that was idle longest ends when there are too many."""
        with self._lock:
            self._end_idle()
            while len(self._open) >= _MOST_SESSIONS:
                del self._open[next(iter(self._open))]
            session = self._random()
            self._open[session] = (token, self._elapsed_s())
            return session

    def token(self, session: str) -> str | None:
        """Token that the session was opened with, if it is open; this counts as use."""
        with self._lock:
            self._end_idle()
            token, _used_s = self._open.pop(session, (None, 0.0))
            if token is not None:
                self._open[session] = (token, self._elapsed_s())
            return token

    def close(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(session, None)

    def _end_idle(self) -> None:
        oldest_s = self._elapsed_s() - _LONGEST_IDLE_S
        while self._open:
            session, (_token, used_s) = next(iter(self._open.items()))
            if used_s > oldest_s:
                break
            del self._open[session]


def presented_token(request: Request, sessions: Sessions, cookie: str, identity_header: str = _AUTHORIZATION) -> str | None:
    """Token that the request carries, in its header or by way of its session.

    Parameters
    ----------
    request
        Request.
    sessions
        Open sessions.
    cookie
        Name of the session cookie.
    identity_header
        Header in which a proxy passes on the token of whom it signed in. Where it is not ``Authorization`` and a request has it,
        nothing else of the request counts.
    """
    if identity_header.lower() != _AUTHORIZATION:
        passed = request.headers.getlist(identity_header)
        if passed:
            # A second one would be somebody else's.
            return passed[0].strip() if len(passed) == 1 else None
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip() or None
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
            except (binascii.Error, UnicodeDecodeError):
                return None
        case _:
            session = request.cookies.get(cookie)
            return None if session is None else sessions.token(session)


def wants_page(request: Request) -> bool:
    """Whether the client is a browser that goes to a page, not a tool or a script that fetches."""
    return "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers


def is_browser(request: Request) -> bool:
    """Whether a browser sent this; it would answer a Basic challenge with a dialogue of its own."""
    return "sec-fetch-site" in request.headers


def from_elsewhere(request: Request) -> bool:
    """Whether the browser says that another site caused this request."""
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def safe_return(path: str) -> str:
    """Page of this node to go back to after signing in; the first page for anything that might lead elsewhere.

    Examples
    --------
    >>> safe_return("/?product=a"), safe_return("//elsewhere.example/"), safe_return("https://elsewhere.example/")
    ('/?product=a', '/', '/')
    """
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain else "/"
