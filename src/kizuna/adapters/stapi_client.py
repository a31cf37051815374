"""Asks providers for images by their STAPI (Sensor Tasking API 0.1.0). Their answers are held to the models of `stapi-pydantic`.

An order tells whoever reads it what is of interest: it goes over TLS only, or to this machine itself; no redirection is
followed, and no proxy of the environment is used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from geojson_pydantic.geometries import Geometry
from pydantic import BaseModel, JsonValue, RootModel, ValidationError
from stapi_pydantic import (
    OpportunityCollection,
    OpportunityProperties,
    OpportunitySearchRecord,
    Order,
    OrderCollection,
    OrderPayload,
    OrderStatus,
    OrderStatuses,
    ProductsCollection,
)
from stapi_pydantic import OrderParameters as Parameters

from kizuna.errors import InputError, Message, PartnerMisbehaved, PartnerUnreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from typing import NoReturn

    from stapi_pydantic import Link

    from kizuna.model.canonical import Json

__all__ = ["CLIENT_TOKEN", "StapiClient"]

CLIENT_TOKEN = "client_token"  # noqa: S105 - its name
"""Order parameter by which a customer knows its order again, where the product has it."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_BYTES = 16 << 20
_MOST_PAGES = 1000
_TIMEOUT_S = 30.0
_REFUSED, _LATER = 400, 201
_PAGE = 100
_OPEN = frozenset({"received", "in_progress"})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGEST_WAIT_S = 0.05, 2.0, 120.0

type _Paged = ProductsCollection | _Opportunities | OrderCollection[OrderStatus] | OrderStatuses[OrderStatus]
type _Opportunities = OpportunityCollection[Geometry, OpportunityProperties]


class _Document(RootModel[dict[str, JsonValue]]):
    """Any JSON object."""


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
    tls
        Whom to accept, and what to show; None: any server that the machine trusts, and nothing.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)) or not parts.hostname:
            raise InputError(
                Message("{url}: orders go over TLS only", {"url": url}),
                hint=Message("write an address that begins with https://, or one of this machine"),
                field="stapi",
            )
        self._url = url.rstrip("/")
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        verify = True if tls is None else tls
        self._http = httpx.Client(timeout=_TIMEOUT_S, headers=headers, transport=transport, trust_env=False, verify=verify)
        self._parameters: dict[str, frozenset[str]] = {}

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def _fetch(self, method: str, url: str, body: Json = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        try:
            with self._http.stream(method, url, json=body, headers=headers) as answer:
                content = bytearray()
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
        if not _REFUSED > status >= 200:  # noqa: PLR2004 - a redirection is none of its answers
            why = content[:300].decode("utf-8", "replace")
            raise PartnerMisbehaved(
                Message("{url} refused with {status}: {why}", {"url": self._url, "status": status, "why": why})
            )
        return status, bytes(content)

    def _read[M: BaseModel](self, model: type[M], content: bytes) -> M:
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            self._misbehaved(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", error)

    def _misbehaved(self, why: str, cause: Exception | None = None) -> NoReturn:
        raise PartnerMisbehaved(Message("{url}: its answer is not STAPI: {why}", {"url": self._url, "why": why})) from cause

    def _ask[M: BaseModel](self, model: type[M], method: str, path: str, body: Json = None) -> M:
        return self._read(model, self._fetch(method, self._url + path, body)[1])

    def _below(self, link: Link) -> str:
        """Address of a link, which may lead nowhere but into this interface."""
        address = str(link.href)
        if not address.startswith(self._url + "/"):
            self._misbehaved("a link leads elsewhere")
        return address

    def _pages[M: _Paged](self, model: type[M], page: M, headers: Mapping[str, str] | None = None) -> Iterator[M]:
        """A page, and all that follow it."""
        for _ in range(_MOST_PAGES):
            yield page
            following = next((link for link in page.links if link.rel == "next"), None)
            if following is None:
                return
            page = self._read(model, self._fetch(following.method or "GET", self._below(following), following.body, headers)[1])
        self._misbehaved("its pages have no end")

    def products(self) -> ProductsCollection:
        """What it offers, all pages together."""
        first, *others = self._pages(ProductsCollection, self._ask(ProductsCollection, "GET", "/products"))
        first.products.extend(product for page in others for product in page.products)
        return first

    def parameters(self, product: str) -> frozenset[str]:
        """Names of the parameters that an order of a product may have."""
        known = self._parameters.get(product)
        if known is None:
            document = self._ask(_Document, "GET", f"/products/{product}/order-parameters").root
            properties = document.get("properties")
            known = self._parameters[product] = frozenset(properties if isinstance(properties, dict) else ())
        return known

    def opportunities(self, product: str, wish: dict[str, Json], *, later: bool = False) -> _Opportunities:
        """Passes that fit a wish (``datetime``, ``geometry``, ``filter``), all pages together.

        Parameters
        ----------
        product, wish
            What is searched for.
        later
            Whether the provider may take its time (``Prefer: respond-async``): it is asked again until it has found all.

        Raises
        ------
        PartnerUnreachable
            Also if it takes more than two minutes.
        """
        model: type[_Opportunities] = OpportunityCollection[Geometry, OpportunityProperties]
        prefer = {"prefer": "respond-async" if later else "wait"}
        path = f"{self._url}/products/{product}/opportunities"
        status, content = self._fetch("POST", path, {**wish, "limit": _PAGE}, prefer)
        if status == _LATER:
            content = self._found_later(product, self._read(OpportunitySearchRecord, content))
        first, *others = self._pages(model, self._read(model, content), prefer)
        first.features.extend(feature for page in others for feature in page.features)
        return first

    def _found_later(self, product: str, record: OpportunitySearchRecord) -> bytes:
        """Collection of a search that was to be answered later."""
        pause_s, waited_s = _FIRST_PAUSE_S, 0.0
        while record.status.status_code.value in _OPEN:
            if waited_s > _LONGEST_WAIT_S:
                raise PartnerUnreachable(
                    Message("{url} does not answer: {why}", {"url": self._url, "why": "the search takes too long"}),
                    hint=Message("try again later"),
                )
            time.sleep(pause_s)
            waited_s, pause_s = waited_s + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S)
            record = self._ask(OpportunitySearchRecord, "GET", f"/searches/opportunities/{record.id}")
        if record.status.status_code.value != "completed":
            raise PartnerMisbehaved(
                Message("{url}: the search {state}", {"url": self._url, "state": record.status.status_code.value})
            )
        links = [link for link in (*record.status.links, *record.links) if link.rel == "opportunities"]
        address = self._below(links[0]) if links else f"{self._url}/products/{product}/opportunities/{record.id}"
        return self._fetch("GET", address)[1]

    def order(self, product: str, wish: dict[str, Json], parameters: dict[str, Json] | None = None) -> Order[OrderStatus]:
        """Order an image."""
        body: dict[str, Json] = {**wish, "order_parameters": parameters or {}}
        return self._ask(Order[OrderStatus], "POST", f"/products/{product}/orders", body)

    def order_once(self, product: str, wish: dict[str, Json], token: str, *, asked_before: bool) -> Order[OrderStatus]:
        """Order an image that may have been ordered already, by one who did not live to hear the answer.

        Parameters
        ----------
        product, wish
            What is ordered.
        token
            By which the order is known again, where the product has the parameter ``client_token``; elsewhere it is known by
            what was asked for.
        asked_before
            Whether it may have been ordered already: then the provider's orders are looked through first.
        """
        knows = CLIENT_TOKEN in self.parameters(product)
        if asked_before:
            asked = OrderPayload[Parameters].model_validate({**wish, "order_parameters": {}}, strict=False)
            for order in self.orders():
                said = order.properties
                same = said.search_parameters.model_dump(mode="json") == asked.model_dump(
                    mode="json", include={"datetime", "geometry", "filter"}
                )
                if said.order_parameters.get(CLIENT_TOKEN) == token if knows else said.product_id == product and same:
                    return order
        return self.order(product, wish, {CLIENT_TOKEN: token} if knows else None)

    def orders(self) -> list[Order[OrderStatus]]:
        """All our orders."""
        model = OrderCollection[OrderStatus]
        return [
            order for page in self._pages(model, self._ask(model, "GET", f"/orders?limit={_PAGE}")) for order in page.features
        ]

    def order_named(self, id_: str) -> Order[OrderStatus]:
        """An order as it stands."""
        return self._ask(Order[OrderStatus], "GET", f"/orders/{id_}")

    def statuses(self, id_: str) -> OrderStatuses[OrderStatus]:
        """History of an order, all pages together."""
        model = OrderStatuses[OrderStatus]
        first, *others = self._pages(model, self._ask(model, "GET", f"/orders/{id_}/statuses"))
        first.statuses.extend(status for page in others for status in page.statuses)
        return first
