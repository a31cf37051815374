"""Searches for opportunities that are answered later (STAPI's ``Prefer: respond-async``), kept in memory for an hour."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stapi_pydantic import OpportunityPayload

    from kizuna.model.instants import Instant
    from kizuna.planning.offers import Offer
    from kizuna.planning.tasking import Mode

__all__ = ["Search", "Searches", "TooMany"]

_KEPT = timedelta(hours=1)
_MOST_EACH = 100
"""Searches that are kept for one customer: what is older goes."""
_MOST_OPEN = 4
"""Searches of one customer that may run at a time."""
_WORKERS = 2
_ID_BYTES = 12


class TooMany(Exception):
    """The customer has too many searches that are not answered yet."""


@dataclass(slots=True)
class Search:
    """A search, and how far it is: the statuses are in their order, each with its instant."""

    id: str
    owner: str
    mode: Mode
    payload: OpportunityPayload
    statuses: list[tuple[Instant, str]] = field(default_factory=list)
    found: list[Offer] | None = None

    @property
    def code(self) -> str:
        """Latest status."""
        return self.statuses[-1][1]


class Searches:
    """All of them; each belongs to the customer who asked, and exists for nobody else.

    Parameters
    ----------
    now
        Clock of the statuses.
    """

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._kept: dict[str, Search] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="stapi-search")

    def begin(self, owner: str, mode: Mode, payload: OpportunityPayload, find: Callable[[], list[Offer]]) -> Search:
        """Begin a search.

        Raises
        ------
        TooMany
            If the customer has too many that are not answered.
        """
        now = self._now()
        made = Search(secrets.token_urlsafe(_ID_BYTES), owner, mode, payload, [(now, "received")])
        with self._lock:
            self._kept = {id_: one for id_, one in self._kept.items() if one.statuses[0][0] > now - _KEPT}
            own = [one for one in self._kept.values() if one.owner == owner]
            if sum(one.code not in {"completed", "failed"} for one in own) >= _MOST_OPEN:
                raise TooMany
            for one in own[: max(len(own) + 1 - _MOST_EACH, 0)]:
                del self._kept[one.id]
            self._kept[made.id] = made
        self._workers.submit(self._run, made, find)
        return made

    def _run(self, search: Search, find: Callable[[], list[Offer]]) -> None:
        search.statuses.append((self._now(), "in_progress"))
        try:
            search.found = find()
        except Exception:  # noqa: BLE001 - whatever it was: the search failed, and its customer is told no more than that
            search.statuses.append((self._now(), "failed"))
        else:
            search.statuses.append((self._now(), "completed"))

    def of(self, owner: str) -> list[Search]:
        """Searches of a customer, the oldest first."""
        with self._lock:
            return [one for one in self._kept.values() if one.owner == owner]

    def named(self, owner: str, id_: str) -> Search | None:
        """Search of a customer; None where it has none of that name."""
        return next((one for one in self.of(owner) if one.id == id_), None)
