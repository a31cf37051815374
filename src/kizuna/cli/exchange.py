"""``kizuna exchange``: what goes between nodes without a network, on removable media or through a diode."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import InputError, KizunaError, Message, NotReleasable
from kizuna.model.instants import format_instant
from kizuna.wiring import (
    forget_sealing_keys,
    give_sealing_key,
    load_settings,
    media_in,
    new_medium,
    open_medium,
    open_node,
    rotate_sealing_key,
    shelf_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.node.media import ExportReport, ImportReport
    from kizuna.node.state import Node

__all__ = ["exchange"]

_WITHIN_DAYS, _MOST_DAYS = 90, 730


@click.group(cls=Commands, help=_("Carry what goes between nodes on removable media, or through a diode."))
def exchange() -> None:
    """Group."""


@exchange.command(
    help=_("Make the key of a node that was made before there were removable media; a node that has one keeps it."),
    epilog=examples("kizuna exchange key --node ukr", "kizuna exchange key --rotate --within 90 --node ukr"),
)
@click.option(
    "--rotate",
    is_flag=True,
    help=_(
        "Make a new key for removable media, and announce it to the partners; the one before still opens what was made for it."
    ),
)
@click.option(
    "--within",
    type=click.IntRange(1, _MOST_DAYS),
    default=_WITHIN_DAYS,
    show_default=True,
    metavar="DAYS",
    help=_("Partners may make media for the former key for so many days."),
)
@click.option("--forget", is_flag=True, help=_("Remove the private keys that have ended: media made for them open no more."))
@node_option
@as_json
def key(rotate: bool, within: int, forget: bool, folder: Path, json_: bool) -> None:
    """Make the key, change it, or remove the former ones."""
    if rotate and forget:
        raise click.UsageError(_("--rotate and --forget exclude each other."))
    if rotate:
        _rotate(folder, within, json_)
        return
    if forget:
        count = forget_sealing_keys(folder)
        if json_:
            print_json({"removed": count})
        else:
            say(Message("Removed {count} keys that had ended.", {"count": count}))
        return
    with open_node(folder) as here:
        had = here.keys.sealing_key is not None
        party = here.organisation
    if not had:
        give_sealing_key(folder)
    if json_:
        print_json({"party": party, "made": not had})
        return
    if had:
        say(Message("{party} has a key for removable media already.", {"party": party}))
    else:
        say(Message("Made the key. Give the new card to the partners: kizuna partner card"))


def _rotate(folder: Path, within: int, json_: bool) -> None:
    id_, until = rotate_sealing_key(folder, timedelta(days=within))
    if json_:
        print_json({"key": id_, "former_until": format_instant(until)})
        return
    values = {"key": id_, "until": format_instant(until)}
    say(
        Message(
            "Made the key {key}; the former one ends on {until}. "
            "Partners learn it with their next pull; give the new card to those without a network.",
            values,
        )
    )
    say(Message("Back up the folder now: older copies have no key for what comes."))


def _exported(report: ExportReport, json_: bool) -> dict[str, Json]:
    if not json_:
        values: dict[str, str | int | float] = {
            "name": report.name,
            "entries": report.last - report.after,
            "first": report.after + 1,
            "last": report.last,
            "receipts": report.receipts,
            "bytes": report.size,
        }
        if report.last > report.after:
            say(Message("{name}: entries {first} to {last}, {receipts} receipts, {bytes} bytes.", values))
        else:
            say(Message("{name}: {receipts} receipts, {bytes} bytes.", values))
    return {
        "medium": report.name,
        "id": report.id,
        "after": report.after,
        "last": report.last,
        "receipts": report.receipts,
        "files": report.files,
        "bytes": report.size,
    }


@exchange.command(
    "export",
    help=_(
        "Write what a partner may have, and has not confirmed, encrypted to it, into a new folder in DIR: "
        "the same signed bytes as over the network, and the receipts for what came from it."
    ),
    epilog=examples(
        "kizuna exchange export --to UKR /media/stick --node jpn",
        "kizuna exchange export --to UKR /media/stick --since 120 --node jpn --json",
    ),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--to", required=True, metavar="PARTNER", help=_("The partner; a nation names its one partner."))
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="N",
    help=_("What follows entry N of its feed; what it has not confirmed by default."),
)
@node_option
@as_json
def export(directory: Path, to: str, since: int | None, folder: Path, json_: bool) -> None:
    """Write."""
    from kizuna.node.media import export_media

    with open_node(folder) as here:
        partner = here.partner(here.partner_named(to))
        reports, refusal = export_media(here, partner, new_medium(directory), since)
    made: list[Json] = [_exported(report, json_) for report in reports]
    if json_:
        print_json(
            {
                "partner": partner.party,
                "media": made,
                "refusal": None if refusal is None else {"reason": refusal.reason, "agreement": refusal.agreement},
            }
        )
    elif not reports and refusal is None:
        say(Message("There is nothing to carry to {partner}.", {"partner": partner.party}))
    if refusal is not None:
        raise NotReleasable(
            Message("nothing more may go to {partner}: {reason}", {"partner": partner.party, "reason": refusal.reason}),
            hint=Message("see: kizuna agreement list"),
        )


def _imported(report: ImportReport, json_: bool) -> dict[str, Json]:
    received = [] if report.pulled is None else report.pulled.received
    if not json_:
        values: dict[str, str | int | float] = {
            "name": report.name,
            "partner": report.partner,
            "came": report.came,
            "known": report.last - report.after - report.came,
            "receipts": report.receipts,
        }
        if report.missing is None:
            say(Message("{name}, from {partner}: {came} new entries, {known} known, {receipts} receipts.", values))
        else:
            first, last = report.missing
            say(
                Message(
                    "{name}, from {partner}: held until entries {first} to {last} have come; {receipts} receipts.",
                    values | {"first": first, "last": last},
                )
            )
        for product in received:
            click.echo(f"  {product.id}  {product.title}")
    return {
        "medium": report.name,
        "id": report.id,
        "partner": report.partner,
        "after": report.after,
        "last": report.last,
        "new": report.came,
        "receipts": report.receipts,
        "held": report.missing is not None,
        "missing": None if report.missing is None else list(report.missing),
        "received": [{"id": product.id, "title": product.title} for product in received],
    }


def _import_each(here: Node, folder: Path, paths: Sequence[Path], json_: bool) -> list[Json]:
    from kizuna.node.media import import_medium, is_for
    from kizuna.node.receive import Intake

    settings = load_settings(folder, os.environ)
    intake = Intake(settings.intake_files, settings.intake_bytes, settings.intake_entries)
    shelf = shelf_of(folder)
    found: list[Json] = []
    failure: KizunaError | None = None
    ours = 0
    for path in paths:
        bars: dict[str, Progress] = {}

        def told(title: str, done: int, total: int, bars: dict[str, Progress] = bars) -> None:
            bars.setdefault(title, Progress(title))(done, total)

        try:
            with open_medium(path, folder) as medium:
                # A stick may go round several partners.
                if len(paths) > 1 and not is_for(here, medium):
                    found.append({"medium": str(path), "foreign": True})
                    continue
                ours += 1
                found += [_imported(report, json_) for report in import_medium(here, medium, shelf, told, intake)]
        except KizunaError as error:
            # One faulty medium must not keep what lies on the others away.
            if len(paths) > 1 and not json_ and str(path) not in str(error):
                say(Message("{medium}: {why}", {"medium": str(path), "why": error.message}), err=True)
            failure = failure or error
            ours += 1
            found.append({"medium": str(path), "error": str(error)})
    if json_:
        print_json({"media": found})
    if failure is not None:
        raise failure
    if not ours:
        raise InputError(
            Message("no medium in {folder} was made for this node", {"folder": str(paths[0].parent)}),
            hint=Message("give it to the node for which it was made"),
            field="folder",
        )
    return found


@exchange.command(
    "import",
    help=_("Take in the media that lie in DIR, in any order and any number of times."),
    epilog=examples("kizuna exchange import /media/stick --node ukr", "kizuna exchange import /media/stick --node ukr --json"),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@node_option
@as_json
def import_(directory: Path, folder: Path, json_: bool) -> None:
    """Take in."""
    with open_node(folder) as here:
        _import_each(here, folder, media_in(directory), json_)
