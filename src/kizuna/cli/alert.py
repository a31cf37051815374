"""``kizuna alert``: a short text to a partner, under a label."""

from __future__ import annotations

from pathlib import Path

import click

from kizuna.cli.message_text import alert_json
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.errors import Message
from kizuna.exchange.messages import Alert
from kizuna.model.instants import format_instant
from kizuna.model.label import Label
from kizuna.model.parties import nation_of
from kizuna.model.reading import LONGEST_LINE, Table
from kizuna.node.messages import new_id
from kizuna.node.take_messages import alerts, send_alert
from kizuna.release.markings import UNCLASSIFIED
from kizuna.wiring import open_node, read_label_file

__all__ = ["alert"]


@click.command(
    help=_(
        "Send a partner a short text, or list the alerts that came and went. It goes only while an agreement with the partner is "
        "in force, and only what is unclassified and may go to it."
    ),
    epilog=examples(
        "kizuna alert --to UKR/HUR 'Launch seen at 03:14Z.' --node jpn",
        "kizuna alert --node ukr",
    ),
)
@click.argument("text", required=False)
@click.option("--to", "partner", metavar="PARTNER", help=_("Partner."))
@click.option(
    "--label", type=click.Path(path_type=Path), help=_("Label of the text (default: unclassified, releasable to the partner).")
)
@click.option("--authority", default="release officer", show_default=True, help=_("By what authority."))
@node_option
@as_json
def alert(text: str | None, partner: str | None, label: Path | None, authority: str, folder: Path, json_: bool) -> None:
    """Send or list."""
    if (text is None) != (partner is None):
        raise click.UsageError(_("Give a text and --to, or neither."))
    read = None if label is None else read_label_file(label)
    with open_node(folder) as here:
        if text is None or partner is None:
            lines = alerts(here)
        else:
            words = Table({"text": text}).text("text", longest=LONGEST_LINE)
            to, now = here.partner(here.partner_named(partner)).party, here.now()
            own = Label(nation_of(here.organisation), UNCLASSIFIED, here.organisation, now, (to,))
            lines = [send_alert(here, to, Alert(new_id(here), words, read or own), authority)]
    if json_:
        print_json(alert_json(lines[0]) if text is not None else [alert_json(line) for line in lines])
        return
    if text is not None:
        say(Message("The alert goes to {partner} when it next asks.", {"partner": lines[0].partner}))
        return
    print_table(
        [_("time"), _("partner"), _("direction"), _("marking"), _("text")],
        [
            [
                format_instant(line.at)[:19] + "Z",
                line.partner,
                _("sent") if line.sent else _("received"),
                line.alert.label.marking,
                line.alert.text,
            ]
            for line in lines
        ],
    )
