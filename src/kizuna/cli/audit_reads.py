"""``kizuna audit reads``: what partners read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.product import parse_product_id
from kizuna.node.reads import reads_in_log
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["reads"]


@click.command(
    help=_(
        "Show what partners read of this node's products, as the log says it: listed by a search, as an item, a file, a tile. "
        "What was read again within the window (read_window_minutes) stands here once."
    ),
    epilog=examples(
        "kizuna audit reads --node jpn",
        "kizuna audit reads 01JZ1QV0... --by UKR/HUR --since 2025-07-01 --json",
    ),
)
@click.argument("product", required=False)
@click.option("--by", "partner", metavar="PARTNER", help=_("Only what this partner read."))
@click.option("--since", metavar="INSTANT", help=_("Only what was recorded at or after this instant."))
@node_option
@as_json
def reads(product: str | None, partner: str | None, since: str | None, folder: Path, json_: bool) -> None:
    """Show what was read."""
    begin = None if since is None else parse_instant(since, field="since")
    wanted = None if product is None else parse_product_id(product)
    with open_node(folder) as here:
        party = None if partner is None else here.partner_named(partner)
        found = [
            read
            for read in reads_in_log(here)
            if (wanted is None or read.product == wanted)
            and (party is None or read.partner == party)
            and (begin is None or read.at >= begin)
        ]
    if json_:
        print_json(
            [{"product": r.product, "partner": r.partner, "form": r.form.value, "at": format_instant(r.at)} for r in found]
        )
        return
    print_table(
        [_("at"), _("partner"), _("form"), _("product")],
        [[format_instant(r.at)[:19] + "Z", r.partner, r.form.value, r.product] for r in found],
    )
