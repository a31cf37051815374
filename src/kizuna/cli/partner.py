"""``kizuna partner``: the nodes that this one knows."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import Message
from kizuna.exchange.envelope import key_id_of
from kizuna.model.canonical import parse_json
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.node.founding import node_card, pin_partner, remove_partner
from kizuna.node.health import HealthReader
from kizuna.node.key_change import received_under, revoke_key
from kizuna.node.people import agreement_lines
from kizuna.wiring import address, load_settings, open_node

if TYPE_CHECKING:
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant

__all__ = ["partner"]


@click.group(cls=Commands, help=_("The nodes that this one knows."))
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
    help=_("Pin a partner's node by its card; one that is pinned is followed to new keys that its former ones vouch for."),
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
    help=_("Revoke a key of a partner, as when it was stolen: nothing that it signed is accepted from now on. What came stays."),
    epilog=examples('kizuna partner revoke JPN/IQPS --key 3327f640 --reason "Stolen on 3 July." --node ukr'),
)
@click.argument("party")
@click.option("--key", required=True, metavar="ID", help=_("The key's id (kizuna partner show), or its first characters."))
@click.option("--reason", required=True, help=_("Why, in one sentence."))
@node_option
@as_json
def revoke(party: str, key: str, reason: str, folder: Path, json_: bool) -> None:
    """Revoke."""
    with open_node(folder) as here:
        known = here.partner_named(party)
        revoked = revoke_key(here, known, key, reason)
        doubtful = received_under(here, frozenset({revoked}))
    if json_:
        print_json({"revoked": revoked, "party": known, "received_under_it": [product for _index, product in doubtful]})
        return
    say(Message("Revoked the key {key} of {party}.", {"key": revoked, "party": known}))
    for index, product in doubtful:
        say(Message("Signed by it: product {product}, entry {index} of the log.", {"product": product, "index": index}))


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
        revoked = here.knowledge().revoked
        ours = {key_id_of(key) for key in (known.signing_key, *(former.key for former in known.former))}
        doubtful: list[Json] = [product for _index, product in received_under(here, frozenset(ours & revoked))]

    def when(instant: Instant | None) -> str | None:
        return None if instant is None else format_instant(instant)[:19] + "Z"

    form: dict[str, Json] = {
        "party": known.party,
        "url": known.url,
        "certificate_sha256": known.fingerprint,
        "certificate_days": health.certificate_days,
        "signing_key": base64.b64encode(known.signing_key).decode(),
        "signing_key_sha256": key_id_of(known.signing_key),
        "former_keys": [key_id_of(former.key) for former in known.former],
        "revoked_keys": [*sorted(ours & revoked)],
        "received_under_revoked": doubtful,
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
        _("former keys"): ", ".join(key_id_of(former.key)[:16] for former in known.former) or "-",
        _("revoked keys"): ", ".join(id_[:16] for id_ in sorted(ours & revoked)) or "-",
        _("received under them"): ", ".join(map(str, doubtful)) or "-",
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
