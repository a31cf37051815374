"""Serve one node: its partners' listener over mutual TLS, its people's on this machine."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import server_context, trust
from kizuna.adapters.translations import translator
from kizuna.errors import InputError, KizunaError
from kizuna.node.people import PeopleRoom
from kizuna.node.share import Sharing
from kizuna.web.exchange import partner_app
from kizuna.web.hosts import only_hosts
from kizuna.web.pages import people_app
from kizuna.web.serve import Listener, serve
from kizuna.wiring import KEYS, LANGUAGES, address, open_node, read_tile

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from kizuna.node.state import Node
    from kizuna.wiring import Settings

__all__ = ["serve_node"]

_LOOK_S = 0.5


def _let_in(context: ssl.SSLContext, certificate_der: bytes, seen: set[bytes]) -> None:
    if certificate_der not in seen:
        seen.add(certificate_der)
        # A certificate that OpenSSL cannot read keeps its own partner out, and nobody else.
        with contextlib.suppress(InputError):
            trust(context, certificate_der)


def _keep_up(node: Node, desk: Sharing, context: ssl.SSLContext, trusted: set[bytes], stop: threading.Event) -> None:
    """Let partners in that were pinned while the node runs, decide anew when an agreement turned, make reduced files.

    Done here, and not when a partner asks, so that no request takes longer for what the node holds for others.
    """
    while True:
        try:
            for party, partner in node.knowledge().partners.items():
                _let_in(context, partner.certificate_der, trusted)
                desk.reconsider(party, node.now())
            # Last, because it may take long.
            for party in node.knowledge().partners:
                desk.prepare(party)
        except KizunaError:
            # A damaged log, a full disk: told by each request or command that meets it.
            pass
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
        context = server_context(FileKeys.load(folder / KEYS), ())
        for partner in node.knowledge().partners.values():
            _let_in(context, partner.certificate_der, trusted)
        desk = Sharing(node, in_background=True)
        partner_host, partner_port = address(settings.partner_listen, field="partner_listen")
        people_host, people_port = address(settings.people_listen, field="people_listen")
        partners = Listener(partner_app(desk), partner_host, partner_port, context)
        translators = {language: translator(language) for language in LANGUAGES}
        pages = only_hosts(people_app(PeopleRoom(node, read_tile), translators), people_host)
        people = Listener(pages, people_host, people_port)
        stop = threading.Event()
        watcher = threading.Thread(target=_keep_up, args=(node, desk, context, trusted, stop), daemon=True)

        def answering(partner_at: int, people_at: int) -> None:
            # Not before: a start that fails leaves the node as it was.
            watcher.start()
            started(f"https://{partner_host}:{partner_at}", f"http://{people_host}:{people_at}")

        try:
            serve(partners, people, answering)
        finally:
            stop.set()
            if watcher.is_alive():
                watcher.join()
