"""Asks providers for images by their STAPI (Sensor Tasking API 0.1.0). Their answers are held to the models of `stapi-pydantic`.

An order tells whoever reads it what is of interest: it goes over TLS only, or to this machine itself; no redirection is
followed, and no proxy of the environment is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError
from stapi_pydantic import OpportunityCollection, OpportunityProperties, Order, OrderStatus, OrderStatuses, ProductsCollection

from kizuna.errors import InputError, Message, PartnerMisbehaved, PartnerUnreachable

if TYPE_CHECKING:
    from kizuna.model.canonical import Json

__all__ = ["StapiClient"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_BYTES = 16 << 20
_TIMEOUT_S = 30.0
_REFUSED = 400


class StapiClient:
    """A provider's tasking interface.

    Parameters
    ----------
    url
        Address of its landing page, ``https``; ``http`` of this machine alone.
    token
        Bearer token, if the provider asks for one.
    transport
        Other than the network, for tests.
    """

    def __init__(self, url: str, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        parts = urlsplit(url)
        if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)) or not parts.hostname:
            raise InputError(
                Message("{url}: orders go over TLS only", {"url": url}),
                hint=Message("write an address that begins with https://, or one of this machine"),
                field="stapi",
            )
        self._url = url.rstrip("/")
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(timeout=_TIMEOUT_S, headers=headers, transport=transport, trust_env=False)

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def _ask[M: BaseModel](self, model: type[M], method: str, path: str, body: Json = None) -> M:
        try:
            with self._http.stream(method, self._url + path, json=body) as answer:
                content = b""
                for piece in answer.iter_bytes():
                    content += piece
                    if len(content) > _MOST_BYTES:
                        raise PartnerMisbehaved(Message("{url}: its answer is too long", {"url": self._url}))
                status = answer.status_code
        except httpx.HTTPError as error:
            raise PartnerUnreachable(
                Message("{url} does not answer: {why}", {"url": self._url, "why": str(error) or type(error).__name__}),
                hint=Message("try again later"),
            ) from error
        if status >= _REFUSED:
            why = content[:300].decode("utf-8", "replace")
            raise PartnerMisbehaved(
                Message("{url} refused with {status}: {why}", {"url": self._url, "status": status, "why": why})
            )
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            values: dict[str, str | int | float] = {
                "url": self._url,
                "field": ".".join(map(str, first["loc"])),
                "why": first["msg"],
            }
            raise PartnerMisbehaved(Message("{url}: its answer is not STAPI: {field}: {why}", values)) from error

    def products(self) -> ProductsCollection:
        """What it offers."""
        return self._ask(ProductsCollection, "GET", "/products")

    def opportunities(self, product: str, wish: dict[str, Json]) -> OpportunityCollection[Any, OpportunityProperties]:
        """Passes that fit a wish (``datetime``, ``geometry``, ``filter``)."""
        return self._ask(OpportunityCollection[Any, OpportunityProperties], "POST", f"/products/{product}/opportunities", wish)

    def order(self, product: str, wish: dict[str, Json], parameters: dict[str, Json] | None = None) -> Order[OrderStatus]:
        """Order an image."""
        body: dict[str, Json] = {**wish, "order_parameters": parameters or {}}
        return self._ask(Order[OrderStatus], "POST", f"/products/{product}/orders", body)

    def order_named(self, id_: str) -> Order[OrderStatus]:
        """An order as it stands."""
        return self._ask(Order[OrderStatus], "GET", f"/orders/{id_}")

    def statuses(self, id_: str) -> OrderStatuses[OrderStatus]:
        """History of an order."""
        return self._ask(OrderStatuses[OrderStatus], "GET", f"/orders/{id_}/statuses")
