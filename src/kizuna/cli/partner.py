"""``kizuna partner``: the nodes that this one knows."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.errors import Message
from kizuna.exchange.envelope import key_id_of
from kizuna.model.canonical import parse_json
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.node.founding import node_card, pin_partner, remove_partner
from kizuna.node.health import HealthReader
from kizuna.node.people import agreement_lines
from kizuna.wiring import address, load_settings, open_node

if TYPE_CHECKING:
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant

__all__ = ["partner"]


@click.group(help=_("The nodes that this one knows."))
def partner() -> None:
    """Group."""


@partner.command(
    help=_("Print this node's card, for a partner to pin. It is public."),
    epilog=examples("kizuna partner card --node ukr > ukr.json"),
)
@node_option
@as_json
def card(folder: Path, json_: bool) -> None:  # noqa: ARG001 - a card is JSON in any case
    """Print the card."""
    settings = load_settings(folder, os.environ)
    _host, port = address(settings.partner_listen, field="partner_listen")
    # A port that is free when the node starts is no address to hand over: such a node only pulls, until it has a `partner_url`.
    url = settings.partner_url or (f"https://{settings.partner_listen}" if port else "")
    with open_node(folder) as here:
        print_json(node_card(here, url))


@partner.command(
    help=_("Pin a partner's node by its card."),
    epilog=examples(
        "kizuna partner card --node ukr > ukr.json",
        "kizuna partner add ukr.json --node jpn",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@node_option
@as_json
def add(file: Path, folder: Path, json_: bool) -> None:
    """Pin."""
    with open_node(folder) as here:
        party = pin_partner(here, parse_json(read_file(file), field=str(file)))
    if json_:
        print_json({"pinned": party})
        return
    say(Message("Pinned {party}.", {"party": party}))


@partner.command(
    help=_("Unpin a partner: from its next request on its node is a stranger here."),
    epilog=examples("kizuna partner remove UKR/HUR --node jpn"),
)
@click.argument("party")
@node_option
@as_json
def remove(party: str, folder: Path, json_: bool) -> None:
    """Unpin."""
    gone = parse_party(party, field="party")
    with open_node(folder) as here:
        remove_partner(here, gone)
    if json_:
        print_json({"removed": gone})
        return
    say(Message("Removed {party}.", {"party": gone}))


@partner.command(
    help=_("Show a partner: its fingerprints and keys, its address, how the exchange stands, the agreements with it."),
    epilog=examples("kizuna partner show UKR/HUR --node jpn"),
)
@click.argument("party")
@node_option
@as_json
def show(party: str, folder: Path, json_: bool) -> None:
    """Show."""
    with open_node(folder) as here:
        known = here.partner(here.partner_named(party))
        (health,) = [h for h in HealthReader(here).read().partners if h.status.partner == known.party]
        agreements = [line for line in agreement_lines(here) if known.party in line.parties]

    def when(instant: Instant | None) -> str | None:
        return None if instant is None else format_instant(instant)[:19] + "Z"

    form: dict[str, Json] = {
        "party": known.party,
        "url": known.url,
        "certificate_sha256": known.fingerprint,
        "certificate_days": health.certificate_days,
        "signing_key": base64.b64encode(known.signing_key).decode(),
        "signing_key_sha256": key_id_of(known.signing_key),
        "last_in": when(health.status.last_in),
        "last_out": when(health.status.last_out),
        "agreements": [{"id": line.id, "version": line.version, "state": line.state} for line in agreements],
    }
    if json_:
        print_json(form)
        return
    words = {
        _("partner"): known.party,
        _("address"): known.url or _("none: it only pulls"),
        _("certificate"): f"SHA-256 {known.fingerprint}",
        _("days left"): str(health.certificate_days),
        _("signing key"): f"SHA-256 {key_id_of(known.signing_key)}",
        _("last in"): when(health.status.last_in) or "-",
        _("last out"): when(health.status.last_out) or "-",
        _("agreements"): ", ".join(f"{line.id} ({_(line.state)})" for line in agreements) or "-",
    }
    width = max(map(len, words))
    for name, value in words.items():
        click.echo(f"{name:{width}}  {value}")


@partner.command("list", help=_("List the pinned partners."), epilog=examples("kizuna partner list --node jpn --json"))
@node_option
@as_json
def list_(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        partners = [p for _party, p in sorted(here.knowledge().partners.items())]
    if json_:
        print_json([{"party": p.party, "url": p.url, "certificate_sha256": p.fingerprint} for p in partners])
        return
    print_table([_("partner"), _("address"), _("certificate")], [[p.party, p.url, p.fingerprint[:16]] for p in partners])
