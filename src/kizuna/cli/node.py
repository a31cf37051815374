"""``kizuna node``: make, serve and look at a node."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from kizuna.cli.message_text import dealings_json, say_dealings
from kizuna.cli.node_token import token
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.node.forms import held_back
from kizuna.node.health import HealthReader, last_refused, refused_message
from kizuna.node.key_change import unaware
from kizuna.wiring import announce_node_keys, load_settings, make_node, migrate_node, open_node, rotate_node_keys

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.model.instants import Instant
    from kizuna.node.state import Announced, Node

__all__ = ["node"]

_FEW_DAYS = 30
_WITHIN_DAYS, _MOST_DAYS = 30, 180
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def _span(seconds: float) -> str:
    """Span of time, to its larger unit."""
    for unit, length in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


@click.group(cls=Commands, help=_("Make, serve and look at a node."))
def node() -> None:
    """Group."""


node.add_command(token)

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
@click.option("--database", metavar="URL", help=_("Keep its state in this PostgreSQL database instead of its folder."))
@node_option
@as_json
def init(
    nation: str,
    organisation: str | None,
    partner_listen: str | None,
    people_listen: str | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    database: str | None,
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
        "database": database,
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
    help=_("Move the state of a node from its folder into a PostgreSQL database, whole or not at all."),
    epilog=examples("kizuna node migrate --to 'postgresql://kizuna@db.example.org/kizuna?sslmode=verify-full' --node jpn"),
)
@click.option("--to", required=True, metavar="URL", help=_("Address of the database, without a password."))
@click.option("--assets", default="", metavar="URL", help=_("Move its files as well, into this bucket: s3://bucket/prefix."))
@node_option
@as_json
def migrate(to: str, assets: str, folder: Path, json_: bool) -> None:
    """Move."""

    def told(table: str, count: int) -> None:
        click.echo(Message("{table}: {count} copied", {"table": table, "count": count}).render(_), err=True)

    place = migrate_node(folder, to, told, assets=assets)
    if json_:
        print_json({"node": str(folder), "database": place})
        return
    say(Message("The state of the node lies in {place} now, and its settings say so.", {"place": place}))
    say(Message("Start serving processes anew. What is left in {folder} signs nothing any more.", {"folder": str(folder)}))


@node.command(
    "rotate-keys",
    help=_(
        "Make a new signing key and certificate, and announce them to the partners. They come into use once every partner has "
        "confirmed; nothing is refused meanwhile."
    ),
    epilog=examples("kizuna node rotate-keys --node jpn", "kizuna node rotate-keys --now --node jpn"),
)
@click.option(
    "--within",
    type=click.IntRange(1, _MOST_DAYS),
    default=_WITHIN_DAYS,
    show_default=True,
    metavar="DAYS",
    help=_("Use them after so many days, whoever has not confirmed; the former ones are accepted for as long again."),
)
@click.option("--now", is_flag=True, help=_("Use them at once, as when a key was stolen: partners then need the new card."))
@node_option
@as_json
def rotate_keys(within: int, now: bool, folder: Path, json_: bool) -> None:
    """Go over to new keys."""
    here, announced = (rotate_node_keys(folder), None) if now else announce_node_keys(folder, timedelta(days=within))
    if announced is not None:
        _say_announced(here, announced, json_)
        return
    if json_:
        print_json({"party": here.organisation, "key": here.keys.key_id, "announced": False})
        return
    say(Message("{party} signs with the key {key} from now on.", {"party": here.organisation, "key": here.keys.key_id}))
    if now:
        say(Message("Give each partner the new card (kizuna partner card): who does not know the key takes nothing until then."))
    say(Message("Back up the folder now: older copies have no key for what comes."))


def _say_announced(here: Node, announced: Announced, json_: bool) -> None:
    by, until = format_instant(announced.by), format_instant(announced.until)
    if json_:
        print_json({"party": here.organisation, "key": announced.key_id, "announced": True, "by": by, "until": until})
        return
    say(Message("Announced the key {key} to the partners.", {"key": announced.key_id}))
    values = {"by": by, "until": until}
    say(Message("It is used once all have confirmed, on {by} at the latest; the present one ends on {until}.", values))
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
        announced, lacking, refused = here.knowledge().announced, unaware(here), last_refused(here)
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
                    "announced_key": None
                    if announced is None
                    else {
                        "key": announced.key_id,
                        "by": when(announced.by),
                        "until": when(announced.until),
                        "unaware": [*lacking],
                    },
                    "last_refused_connection": None if refused is None else {"at": when(refused[1]), "cause": refused[0].value},
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
        if announced is not None:
            told = {"key": announced.key_id, "by": format_instant(announced.by), "missing": ", ".join(lacking) or "-"}
            say(Message("The key {key} is announced, and in use by {by} at the latest; not confirmed by: {missing}", told))
        if refused is not None:
            told = {"at": format_instant(refused[1]), "cause": refused_message(refused[0]).render(_)}
            say(Message("Last connection that was refused, at {at}: {cause}", told))
        for partner, products in held.items():
            for product, why in products:
                told = {"product": product, "partner": partner, "why": why.render(_)}
                say(Message("{product} may go to {partner}, and is held: {why}", told))
        say_dealings(here)
