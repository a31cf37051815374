"""Serve one node: its partners' listener over mutual TLS, its people's on this machine."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.event_log import Event, EventLog, Member
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import server_context, trust
from kizuna.adapters.translations import translator
from kizuna.errors import InputError, KizunaError
from kizuna.node.health import HealthReader
from kizuna.node.people import PeopleRoom
from kizuna.node.share import Sharing
from kizuna.web.exchange import partner_app
from kizuna.web.gate import gated
from kizuna.web.hosts import only_hosts
from kizuna.web.limits import Limits, Meter
from kizuna.web.metrics import metrics_text
from kizuna.web.pages import people_app
from kizuna.web.serve import Listener, serve
from kizuna.wiring import KEYS, LANGUAGES, address, open_node, read_tile

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from kizuna.node.state import Node
    from kizuna.wiring import Settings

    type _Door = tuple[ssl.SSLContext, set[bytes], dict[str, str], FileKeys]

__all__ = ["serve_node"]

_LOOK_S = 0.5
_STRANGER = "stranger"


def _take_over(logger: logging.Logger, log: EventLog) -> None:
    """Let a library's warnings go to the node's log, which tells no words of them: a traceback may quote what is secret."""
    logger.handlers = [log.handler()]
    logger.propagate = False


def _let_in(context: ssl.SSLContext, certificate_der: bytes, seen: set[bytes]) -> None:
    if certificate_der not in seen:
        seen.add(certificate_der)
        # A certificate that OpenSSL cannot read keeps its own partner out, and nobody else.
        with contextlib.suppress(InputError):
            trust(context, certificate_der)


def _keep_up(node: Node, desk: Sharing, door: _Door, stop: threading.Event, log: EventLog) -> None:
    """Let partners in that were pinned while the node runs, decide anew when an agreement turned, make reduced files.

    Done here, and not when a partner asks, so that no request takes longer for what the node holds for others.
    """
    context, trusted, names, keys = door
    failing = ""
    while True:
        try:
            if node.journal.own_keys()[-1] != keys.public_key:
                # The node's keys were rotated: who connects from now on is shown the new certificate.
                keys.use(node.keys.key_id)
                keys.present(context)
            # What a removed partner asked before stays under its name.
            names |= {partner.fingerprint: party for party, partner in node.knowledge().partners.items()}
            for party, partner in node.knowledge().partners.items():
                _let_in(context, partner.certificate_der, trusted)
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
        trusted: set[bytes] = set()
        keys = FileKeys.load(folder / KEYS)
        context = server_context(keys, ())
        for partner in node.knowledge().partners.values():
            _let_in(context, partner.certificate_der, trusted)
        desk = Sharing(node, in_background=True)
        partner_host, partner_port = address(settings.partner_listen, field="partner_listen")
        people_host, people_port = address(settings.people_listen, field="people_listen")
        log = EventLog(sys.stderr, SystemClock(), as_json=settings.log_format == "json")
        _take_over(logging.getLogger("uvicorn"), log)
        meter = Meter(Limits(settings.partner_requests_a_minute, settings.partner_requests_at_once, settings.partner_bytes_a_day))

        # Kept up by the watcher, so that the gate asks no database: who is let in is still asked of the desk.
        names: dict[str, str] = {}
        # Plain logs are for a terminal, where a line for each request would bury what matters.
        tell = log.tell if settings.log_format == "json" else log.tell_failures
        partners = Listener(
            gated(partner_app(desk), meter, lambda seen: names.get(seen, _STRANGER), tell, SystemClock().now),
            partner_host,
            partner_port,
            context,
        )
        translators = {language: translator(language) for language in LANGUAGES}
        health = HealthReader(node)
        pages = only_hosts(
            people_app(PeopleRoom(node, read_tile), translators, lambda: metrics_text(health.read(), meter.usage())), people_host
        )
        people = Listener(pages, people_host, people_port)
        stop = threading.Event()
        watcher = threading.Thread(target=_keep_up, args=(node, desk, (context, trusted, names, keys), stop, log), daemon=True)

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
