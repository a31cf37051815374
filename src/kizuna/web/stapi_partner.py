"""STAPI on the partners' listener: whoever may order nothing finds nothing there, whatever the node can do for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from kizuna.web.gate import peer_fingerprint
from kizuna.web.stapi import Customer, stapi_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.take_orders import OrderDesk

__all__ = ["partner_stapi"]

_CUSTOMER = "kizuna.customer"
# Of their own: a provider that hangs must not keep the exchange waiting.
_MOST_DECIDING = 4


def partner_stapi(
    app: ASGIApp,
    peer_of: Callable[[str], Party | None],
    desk: OrderDesk,
    title: str,
    now: Callable[[], Instant],
    path: str,
) -> ASGIApp:
    """`app`, but for what lies below a path, where partners that may order something find a tasking interface.

    Parameters
    ----------
    app
        What answers else, and everybody else.
    peer_of
        Partner whose pinned certificate has this SHA-256; None for a stranger.
    desk
        What takes orders.
    title
        Title of the landing page.
    now
        Present instant.
    path
        Where it is.
    """
    limiter = anyio.CapacityLimiter(_MOST_DECIDING)

    def customer_of(request: Request) -> Customer:
        found: Customer = request.scope[_CUSTOMER]
        return found

    def customer(fingerprint: str) -> Customer | None:
        peer = peer_of(fingerprint)
        for_it = None if peer is None else desk.for_partner(peer)
        return None if peer is None or for_it is None else Customer(peer, for_it)

    face = stapi_app(customer_of, title, now, path)

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] == path or scope["path"].startswith(path + "/")):
            found = await to_thread.run_sync(customer, peer_fingerprint(scope), limiter=limiter)
            if found is not None:
                await face({**scope, _CUSTOMER: found}, receive, send)
                return
        await app(scope, receive, send)

    return chosen
