"""``kizuna node``: make, serve and look at a node."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from kizuna.cli.message_text import dealings_json, say_dealings
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.node.health import HealthReader
from kizuna.node.reduce import held_back
from kizuna.wiring import load_settings, make_node, open_node, rotate_node_keys

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.model.instants import Instant

__all__ = ["node"]

_FEW_DAYS = 30
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def _span(seconds: float) -> str:
    """Span of time, to its larger unit."""
    for unit, length in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


@click.group(help=_("Make, serve and look at a node."))
def node() -> None:
    """Group."""


_listen = click.option("--partner-listen", metavar="HOST:PORT", help=_("Where partners' nodes reach this one."))
_people = click.option("--people-listen", metavar="HOST:PORT", help=_("Where people's browsers reach it (loopback)."))


@node.command(
    help=_("Make a node: its keys, its certificate and its empty log."),
    epilog=examples(
        "kizuna node init --nation JPN --organisation IQPS --node jpn",
    ),
)
@click.option("--nation", required=True, help=_("ISO 3166-1 alpha-3 code."))
@click.option("--organisation", help=_("Organisation of the nation, without the nation (IQPS)."))
@_listen
@_people
@click.option(
    "--accept-fictional", multiple=True, metavar="AGREEMENT", help=_("Accept the fictional supplement of this agreement.")
)
@click.option("--accept-ladder", multiple=True, metavar="POLICY", help=_("Accept the unverified markings of this policy."))
@node_option
@as_json
def init(
    nation: str,
    organisation: str | None,
    partner_listen: str | None,
    people_listen: str | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    folder: Path,
    json_: bool,
) -> None:
    """Make a node."""
    party = parse_party(nation if organisation is None else f"{nation}/{organisation}", field="nation")
    options = {
        "partner_listen": partner_listen,
        "people_listen": people_listen,
        "accept_fictional": ",".join(accept_fictional) or None,
        "accept_ladders": ",".join(accept_ladder) or None,
    }
    token = make_node(folder, party, load_settings(folder, os.environ, options))
    if json_:
        print_json({"party": party, "node": str(folder), "token": token})
        return
    say(Message("Made the node of {party} in {folder}.", {"party": party, "folder": str(folder)}))
    say(Message("Access token of its first release officer (shown once): {token}", {"token": token}))


@node.command(
    help=_("Serve partners and people until stopped."),
    epilog=examples(
        "kizuna node serve --node jpn",
        "KIZUNA_PARTNER_LISTEN=127.0.0.1:0 kizuna node serve --node jpn --json",
    ),
)
@_listen
@_people
@node_option
@as_json
def serve(partner_listen: str | None, people_listen: str | None, folder: Path, json_: bool) -> None:
    """Serve."""
    from kizuna.web.launch import serve_node

    settings = load_settings(folder, os.environ, {"partner_listen": partner_listen, "people_listen": people_listen})

    def started(partner_url: str, people_url: str) -> None:
        if json_:
            click.echo(json.dumps({"partner_url": partner_url, "people_url": people_url}))
        else:
            say(Message("Partners: {url} (mutual TLS)", {"url": partner_url}))
            say(Message("People:   {url}", {"url": people_url}))
        sys.stdout.flush()

    serve_node(folder, settings, started)


@node.command(
    "rotate-keys",
    help=_("Make a new signing key and certificate; the former key signs that they take its place. Then give partners the card."),
    epilog=examples("kizuna node rotate-keys --node jpn", "kizuna partner card --node jpn > jpn.json"),
)
@node_option
@as_json
def rotate_keys(folder: Path, json_: bool) -> None:
    """Go over to new keys."""
    here = rotate_node_keys(folder)
    if json_:
        print_json({"party": here.organisation, "key": here.keys.key_id})
        return
    say(Message("{party} signs with the key {key} from now on.", {"party": here.organisation, "key": here.keys.key_id}))
    say(Message("Give each partner the new card (kizuna partner card): until it has added it, nothing goes either way."))
    say(Message("Back up the folder now: older copies have no key for what comes."))


@node.command(
    help=_("Show a node: its log, its partners and how the exchange with each stands."),
    epilog=examples("kizuna node status --node jpn"),
)
@node_option
@as_json
def status(folder: Path, json_: bool) -> None:
    """Show."""
    with open_node(folder) as here:
        health = HealthReader(here).read()
        statuses = [h.status for h in health.partners]
        held = {s.partner: list(held_back(here, s.partner)) for s in statuses}
        count, size, confirmed = health.products, health.log_entries, health.tail_confirmed

        def when(instant: Instant | None) -> str | None:
            return None if instant is None else format_instant(instant)[:19] + "Z"

        if json_:
            print_json(
                {
                    "party": here.organisation,
                    "products": count,
                    "log_entries": size,
                    "tail_confirmed": confirmed,
                    "certificate_days": health.certificate_days,
                    "partners": [
                        dealings_json(here, s.partner)
                        | {
                            "party": s.partner,
                            "last_in": when(s.last_in),
                            "last_out": when(s.last_out),
                            "waiting": s.waiting,
                            "waiting_s": round(h.waiting_s),
                            "unconfirmed": h.unconfirmed,
                            "unconfirmed_s": round(h.unconfirmed_s),
                            "clock_skew_s": h.clock_skew_s,
                            "clock_seen": when(h.clock_seen),
                            "certificate_days": h.certificate_days,
                            "held": [{"product": product, "why": why.render(_)} for product, why in held[s.partner]],
                            "last_refusal": when(s.last_refusal),
                            "refusal_cause": None if s.refusal_cause is None else s.refusal_cause.render(_),
                        }
                        for h in health.partners
                        for s in [h.status]
                    ],
                }
            )
            return
        values: dict[str, str | int | float] = {"party": here.organisation, "products": count, "entries": size}
        say(Message("{party}: {products} products, {entries} log entries.", values))
        if not confirmed:
            say(Message("The tail of its log is not confirmed: it serves nothing (see: kizuna audit verify)."))
        print_table(
            [
                _("partner"),
                _("last in"),
                _("last out"),
                _("waiting"),
                _("unconfirmed"),
                _("clock"),
                _("certificate"),
                _("last refusal"),
                _("cause"),
            ],
            [
                [
                    s.partner,
                    when(s.last_in) or "-",
                    when(s.last_out) or "-",
                    f"{s.waiting}" + (f" ({_span(h.waiting_s)})" if h.waiting_s else ""),
                    f"{h.unconfirmed}" + (f" ({_span(h.unconfirmed_s)})" if h.unconfirmed_s else ""),
                    "-" if h.clock_skew_s is None else f"{h.clock_skew_s:+.1f} s",
                    "-" if h.certificate_days is None else f"{h.certificate_days} d",
                    when(s.last_refusal) or "-",
                    "-" if s.refusal_cause is None else s.refusal_cause.render(_),
                ]
                for h in health.partners
                for s in [h.status]
            ],
        )
        if health.certificate_days is not None and health.certificate_days < _FEW_DAYS:
            say(
                Message("This node's certificate ends in {days} days: kizuna node rotate-keys", {"days": health.certificate_days})
            )
        for partner, products in held.items():
            for product, why in products:
                told = {"product": product, "partner": partner, "why": why.render(_)}
                say(Message("{product} may go to {partner}, and is held: {why}", told))
        say_dealings(here)
