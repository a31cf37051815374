"""The demo's order: a partner asks for an image, a simulated provider flies, and the image comes by the exchange."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import KizunaError, Message
from kizuna.model.product import parse_product_id
from kizuna.wiring import open_node, sample_folder, tasking_of

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId

__all__ = ["AGREEMENT_FILE", "LABEL", "Ordered", "completed", "order_words", "provider_words", "schedule_words", "watch_words"]

_TASKING = sample_folder("tasking")
AGREEMENT_FILE = _TASKING / "IQPS-HUR-2025.toml"
"""The imagery agreement of the story, with articles on requests and orders."""
LABEL = _TASKING / "images.label.toml"
_BEGIN = "2026-05-08T00:00:00Z"
_SPEED = "20000"
_LONGEST_S = 60.0
_PAUSE_S = 0.1
_TAKEN = frozenset({"accepted", "scheduled", "processing", "completed"})

_FLEET = ("--fleet", str(_TASKING / "fleet.toml"))
_ELEMENTS = ("--elements", str(sample_folder("planning") / "satellites.3le"), "--from", _BEGIN, "--json")
_REQUESTS = str(_TASKING / "orders.toml")


def provider_words(party: Party, inbox: Path) -> list[str]:
    """Command of the provider, whose clock stands until it has an order."""
    flying = ["--port", "0", "--hold", "--speed", _SPEED, "--deliver", str(inbox), "--policy", "JPN"]
    return ["plan", "provider", party, *_FLEET, *_ELEMENTS, *flying]


def watch_words(inbox: Path, folder: Path) -> list[str]:
    """Command that takes what the provider delivers into its node."""
    return ["ingest", "--watch", str(inbox), "--every", "0.1", "--node", str(folder), "--json"]


def schedule_words(folder: Path) -> list[str]:
    """Command by which the customer plans, on its node."""
    return ["plan", "schedule", _REQUESTS, *_FLEET, *_ELEMENTS, "--seconds", "2", "--node", str(folder)]


def order_words(schedule: Path, folder: Path) -> list[str]:
    """Command by which it orders what was scheduled."""
    return ["plan", "order", str(schedule), "--requests", _REQUESTS, *_FLEET, "--node", str(folder), "--json"]


@dataclass(frozen=True, slots=True)
class Ordered:
    """What `kizuna plan order` said of the one order."""

    order: str
    provider: Party
    satellite: str
    start: str

    @classmethod
    def of(cls, said: str, provider: Party) -> Ordered:
        """Read what it printed.

        Raises
        ------
        KizunaError
            If the order was not taken.
        """
        try:
            (row,) = json.loads(said)
            found = cls(row["order"], provider, row["satellite"], row["start"])
        except (ValueError, KeyError, TypeError):
            row = {"state": said[-300:]}
        else:
            if row["state"] in _TAKEN:
                return found
        state: Json = row["state"]
        raise KizunaError(Message("the order was not taken: {why}", {"why": str(row.get("why") or state)}))

    def told(self, customer: Party) -> Message:
        """It in one line."""
        values: dict[str, str | int | float] = {
            "customer": customer,
            "provider": self.provider,
            "satellite": self.satellite,
            "start": self.start,
        }
        return Message("  {customer} may tell {provider} what it wants, and orders: {satellite}, {start}", values)


def completed(folder: Path, ordered: Ordered) -> ProductId:
    """Wait until the order of the node in `folder` is completed; the product that was delivered.

    Raises
    ------
    KizunaError
        If that takes more than a minute.
    """
    with open_node(folder) as node:
        partner = node.partner(ordered.provider)
    end = time.monotonic() + _LONGEST_S
    with tasking_of(folder, partner) as client:
        while (found := client.order_named(ordered.order)).properties.status.status_code.value != "completed":
            if time.monotonic() > end:
                raise KizunaError(Message("the order is still {state}", {"state": found.properties.status.status_code.value}))
            time.sleep(_PAUSE_S)
    (path,) = [link.href.path or "" for link in found.links if link.rel == "delivery"]
    return parse_product_id(path.rpartition("/")[2])
