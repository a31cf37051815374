"""Ways to partners' nodes, and to who flies."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.keys import FileKeys
from kizuna.errors import InputError, Message, PartnerMisbehaved, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.wiring.files import read_label_file
from kizuna.wiring.nodes import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.exchange.transport import Transport
    from kizuna.model.instants import Instant
    from kizuna.model.product import Product
    from kizuna.node.state import Node, Partner
    from kizuna.node.take_orders import OrderDesk
    from kizuna.wiring.settings import Settings

__all__ = ["STAPI_TOKEN", "TASKING_PATH", "order_desk", "tasking_of", "transport_to"]

STAPI_TOKEN = "KIZUNA_STAPI_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable of the token that providers' tasking interfaces ask for."""
TASKING_PATH = "/exchange/stapi"
"""Where on its partners' listener a node takes orders."""


def _certificates_of(partner: Partner) -> tuple[bytes, ...]:
    """Certificates that a partner's node may show, if it can be reached at all."""
    if not partner.url:
        raise InputError(
            Message("{partner} was pinned without an address", {"partner": partner.party}),
            hint=Message("ask it for a card with its address, then: kizuna partner add FILE"),
            field="partner",
        )
    accepted = partner.certificates(SystemClock().now())
    if not accepted:
        raise PartnerMisbehaved(
            Message("the key {key} of {partner} was revoked", {"key": key_id_of(partner.signing_key), "partner": partner.party}),
            hint=Message("nothing was asked of its node; ask the partner's operator for a new card by a way that you trust"),
        )
    return accepted


@contextmanager
def transport_to(
    folder: Path, partner: Partner, on_clock: Callable[[Instant, Instant], object] | None = None
) -> Iterator[Transport]:
    """Way from the node in `folder` to a partner's node: HTTP over mutual TLS.

    Parameters
    ----------
    folder, partner
        From where, to whom.
    on_clock
        Told what the partner's clock said in an answer, and what ours showed in the middle of that question.

    Raises
    ------
    InputError
        If the partner was pinned without an address.
    PartnerMisbehaved
        If its key was revoked: nothing is asked of its node then.
    """
    from kizuna.adapters.http_transport import HttpTransport

    accepted = _certificates_of(partner)
    try:
        way = HttpTransport(partner.url, FileKeys.load(folder / KEYS), *accepted)
    except StoreError:
        # Our keys may have been changed in this very instant, by another process.
        way = HttpTransport(partner.url, FileKeys.load(folder / KEYS), *accepted)
    with way as transport:
        transport.on_clock = on_clock
        yield transport


@contextmanager
def tasking_of(folder: Path, partner: Partner) -> Iterator[StapiClient]:
    """The tasking interface of a partner's node: STAPI over mutual TLS, as `transport_to` the rest.

    Raises
    ------
    InputError, PartnerMisbehaved
        As `transport_to`.
    """
    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.adapters.tls import client_context

    accepted = _certificates_of(partner)
    context = client_context(FileKeys.load(folder / KEYS), *accepted)
    with closing(StapiClient(partner.url.rstrip("/") + TASKING_PATH, tls=context)) as client:
        yield client


def order_desk(folder: Path, node: Node, settings: Settings, item_path: Callable[[Product], str]) -> OrderDesk | None:
    """What takes orders of partners for images; None where no provider is set.

    Parameters
    ----------
    folder, node, settings
        The node in `folder`.
    item_path
        Path of a product on this node, for a partner.

    Raises
    ------
    InputError
        If the label cannot be read, is another's, or the provider's address is none.
    """
    if not settings.tasking_provider:
        return None
    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.adapters.stapi_provider import StapiProvider
    from kizuna.node.publish import require_understood
    from kizuna.node.take_orders import OrderDesk

    label = read_label_file(folder / settings.tasking_label)
    if label.originator != node.organisation:
        raise InputError(
            Message(
                "{path}: the originator is {got}, and images that partners order are {expected}'s",
                {"path": settings.tasking_label, "got": label.originator, "expected": node.organisation},
            ),
            hint=Message("correct the label that tasking_label names"),
            field="originator",
        )
    require_understood(node, label)
    client = StapiClient(settings.tasking_provider, os.environ.get(STAPI_TOKEN))
    return OrderDesk(node, StapiProvider(client), label, item_path)
