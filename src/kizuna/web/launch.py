"""Serve one node: its partners' listener over mutual TLS, its people's on this machine."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.event_log import Event, EventLog, Member
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import renew, server_context
from kizuna.adapters.translations import translator
from kizuna.errors import KizunaError
from kizuna.node.catalogue import Catalogue
from kizuna.node.health import HealthReader, last_refused, note_refused
from kizuna.node.people import PeopleRoom
from kizuna.node.share import Sharing
from kizuna.node.tiles import Tiles
from kizuna.web.exchange import partner_app
from kizuna.web.gate import gated
from kizuna.web.hosts import only_hosts
from kizuna.web.limits import Limits, Meter
from kizuna.web.metrics import metrics_text
from kizuna.web.pages import people_app
from kizuna.web.serve import Listener, serve
from kizuna.web.stac import PARTNER_PATH, beside, item_path, partner_stac
from kizuna.wiring import (
    KEYS,
    LANGUAGES,
    TASKING_PATH,
    address,
    catalogue_index,
    open_node,
    order_desk,
    read_tile,
    signed_identities,
    take_due_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kizuna.catalog.aggregate import Aggregation, Counted
    from kizuna.catalog.query import Found, Index, Query, Sight
    from kizuna.node.health import RefusedConnection
    from kizuna.node.state import Node
    from kizuna.wiring import Settings

__all__ = ["serve_node"]

_LOOK_S = 0.5
_STRANGER = "stranger"
# A crowd of strangers must not make the node write all the time.
_REFUSED_ANEW_S = 60


def _take_over(logger: logging.Logger, log: EventLog) -> None:
    """Let a library's warnings go to the node's log, which tells no words of them: a traceback may quote what is secret."""
    logger.handlers = [log.handler()]
    logger.propagate = False


class _IndexWhenAsked:
    """Index that is made, and numpy loaded, when somebody searches: most nodes only exchange."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._index: Index | None = None

    def search(self, query: Query, sight: Sight) -> Found:
        """Page of what a query finds for a caller."""
        return self._made().search(query, sight)

    def aggregate(self, query: Query, aggregations: Sequence[Aggregation], sight: Sight) -> tuple[Counted, ...]:
        """What is counted of all that a query finds for a caller."""
        return self._made().aggregate(query, aggregations, sight)

    def _made(self) -> Index:
        with self._lock:
            if self._index is None:
                self._index = catalogue_index(self._node)
            return self._index


class _Door:
    """Who comes in, and what is shown to them.

    # INVARIANT: whoever was told that its new certificate is known here is let in with it: each handshake begins with what the
    # log says then, whichever process recorded it.

    Parameters
    ----------
    folder, node
        The node.
    """

    def __init__(self, folder: Path, node: Node) -> None:
        self.folder = folder
        self.names: dict[str, str] = {}
        """Parties by fingerprint of their certificates."""
        self._node = node
        self._keys = FileKeys.load(folder / KEYS)
        self._shown: tuple[bytes, frozenset[bytes]] = (b"", frozenset())
        self._seen: str | None = None
        self._refused: RefusedConnection | None = None
        self._lock = threading.Lock()
        self.context = server_context(self._keys, (), self._note, self._look)
        self.keep_up()

    def _note(self, cause: RefusedConnection) -> None:
        # In the midst of a handshake: written down later.
        self._refused = cause

    def _look(self) -> None:
        # A damaged log is told by what is asked next, and by the watcher.
        with contextlib.suppress(KizunaError):
            if self._node.store.log.checkpoint() != self._seen:
                self.keep_up()

    def keep_up(self) -> None:
        """Show the node's present certificate, and accept those by which partners are known now."""
        node = self._node
        with self._lock:
            seen = node.store.log.checkpoint()
            if node.journal.own_keys()[-1] != self._keys.public_key:
                # The node's keys were rotated: who connects from now on is shown the new certificate.
                self._keys.use(node.keys.key_id)
            now, partners = node.now(), node.knowledge().partners
            # What a removed partner asked before stays under its name.
            self.names |= {mark: party for party, partner in partners.items() for mark in partner.fingerprints(now)}
            # Who was removed, or whose certificate has ended, gets from the desk what any stranger gets.
            accepted = self._shown[1].union(*(partner.certificates(now) for partner in partners.values()))
            if (self._keys.certificate_der, accepted) != self._shown:
                renew(self.context, self._keys, accepted)
                self._shown = self._keys.certificate_der, accepted
            self._seen = seen

    def write_down(self) -> None:
        """Keep why a connection was refused, for the node's status."""
        cause, self._refused = self._refused, None
        node = self._node
        kept, now = last_refused(node), node.now()
        if cause is not None and (kept is None or kept[0] is not cause or (now - kept[1]).total_seconds() >= _REFUSED_ANEW_S):
            note_refused(node, cause, now)


def _keep_up(node: Node, desk: Sharing, door: _Door, stop: threading.Event, log: EventLog) -> None:
    """Let partners in that were pinned while the node runs, decide anew when an agreement turned, make reduced files.

    Done here, and not when a partner asks, so that no request takes longer for what the node holds for others.
    """
    failing = ""
    while True:
        try:
            take_due_keys(door.folder, node)
            door.keep_up()
            door.write_down()
            for party in node.knowledge().partners:
                desk.reconsider(party, node.now())
            # Last, because it may take long.
            for party in node.knowledge().partners:
                desk.prepare(party)
            failing = ""
        except KizunaError as error:
            # A damaged log, a full disk: told in full by each request or command that meets it.
            if failing != type(error).__name__:
                failing = type(error).__name__
                log.tell(Event.FAILED, {Member.WHERE: "keep-up", Member.ERROR: failing})
        if stop.wait(_LOOK_S):
            return


def serve_node(folder: Path, settings: Settings, started: Callable[[str, str], None]) -> None:
    """Serve the node in `folder` until SIGTERM or SIGINT.

    Parameters
    ----------
    folder
        The node's folder.
    settings
        Where to listen.
    started
        Called once both listeners answer, with the addresses of the partners' and the people's.

    Raises
    ------
    ClockBehind
        If the clock stands behind the node's last fact.
    TailUnconfirmed
        If the folder was copied, restored or moved and nobody confirmed the tail of its log: nothing is served then.
    InputError
        If a port is in use.
    """
    with open_node(folder, by="exchange") as node:
        node.now()
        node.require_confirmed()
        node.knowledge()
        # A server may run until its machine stops, and then keeps nothing any more.
        node.keep_beginning()
        node.reads.window = timedelta(minutes=settings.read_window_minutes)
        door = _Door(folder, node)
        desk = Sharing(node, in_background=True)
        partner_host, partner_port = address(settings.partner_listen, field="partner_listen")
        people_host, people_port = address(settings.people_listen, field="people_listen")
        log = EventLog(sys.stderr, SystemClock(), as_json=settings.log_format == "json")
        _take_over(logging.getLogger("uvicorn"), log)
        meter = Meter(Limits(settings.partner_requests_a_minute, settings.partner_requests_at_once, settings.partner_bytes_a_day))

        # Plain logs are for a terminal, where a line for each request would bury what matters.
        tell = log.tell if settings.log_format == "json" else log.tell_failures
        catalogue = Catalogue(node, _IndexWhenAsked(node))
        tiles = Tiles(node, catalogue)
        stac = partner_stac(desk.peer_of, catalogue, node.organisation, tiles)
        for_partners = beside(partner_app(desk), PARTNER_PATH, stac)
        orders = order_desk(folder, node, settings, lambda product: item_path(PARTNER_PATH, product))
        if orders is not None:
            # Most nodes take no orders, and load nothing of this.
            from kizuna.web.stapi_partner import partner_stapi

            for_partners = partner_stapi(for_partners, desk.peer_of, orders, node.organisation, node.now, TASKING_PATH)
        partners = Listener(
            # Names are kept up by the watcher, so that the gate asks no database: who is let in is still asked of the desk.
            gated(for_partners, meter, lambda seen: door.names.get(seen, _STRANGER), tell, SystemClock().now),
            partner_host,
            partner_port,
            door.context,
        )
        translators = {language: translator(language) for language in LANGUAGES}
        health = HealthReader(node)
        room = PeopleRoom(node, read_tile, signed_identities(folder, settings))

        def numbers() -> str:
            return metrics_text(health.read(), meter.usage())

        app = people_app(room, translators, numbers, catalogue, tiles, settings.oidc_header)
        pages = only_hosts(app, people_host)
        people = Listener(pages, people_host, people_port)
        stop = threading.Event()
        watcher = threading.Thread(target=_keep_up, args=(node, desk, door, stop, log), daemon=True)

        def answering(partner_at: int, people_at: int) -> None:
            # Not before: a start that fails leaves the node as it was.
            watcher.start()
            tell(Event.STARTED, {})
            started(f"https://{partner_host}:{partner_at}", f"http://{people_host}:{people_at}")

        try:
            serve(partners, people, answering)
        finally:
            stop.set()
            if watcher.is_alive():
                watcher.join()
            tell(Event.STOPPED, {})
