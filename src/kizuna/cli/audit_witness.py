"""``kizuna audit witness``: how partners vouch for each other's logs; the same rounds by files, where no network joins them."""

from __future__ import annotations

from pathlib import Path

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.node.witness import checkpoint_for_witness, seen_size, take_cosignature, witness_lines
from kizuna.node.witness import witness as cosign_checkpoint
from kizuna.node.witnessing import send_checkpoint
from kizuna.wiring import open_node

__all__ = ["witness"]

_OUT = click.Path(path_type=Path, dir_okay=False)


@click.group(
    cls=Commands, help=_("Partners vouch for each other's logs: each cosigns what continues the log that it saw before.")
)
def witness() -> None:
    """Group."""


@witness.command(
    "list",
    help=_("How the witnessing with each partner stands: what was seen of its log, what it cosigned of ours, and forks."),
    epilog=examples("kizuna audit witness list --node jpn"),
)
@node_option
@as_json
def list_(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        lines = witness_lines(here)
    if json_:
        print_json(
            [
                {
                    "partner": line.partner,
                    "seen": line.seen,
                    "cosigned": line.cosigned,
                    "cosigned_at": None if line.cosigned_at is None else format_instant(line.cosigned_at),
                    "forked": line.forked,
                    "key": line.key,
                }
                for line in lines
            ]
        )
        return
    print_table(
        (_("partner"), _("seen of its log"), _("cosigned of ours"), _("at"), _("forked"), _("key as a witness")),
        [
            (
                line.partner,
                str(line.seen),
                str(line.cosigned),
                "–" if line.cosigned_at is None else format_instant(line.cosigned_at),
                _("yes") if line.forked else _("no"),
                line.key,
            )
            for line in lines
        ],
    )


@witness.command(
    help=_("Write a request to a partner to cosign this node's log, with the proof that it continues what the partner saw."),
    epilog=examples("kizuna audit witness ask request --since 0 --node jpn"),
)
@click.argument("file", type=_OUT)
@click.option(
    "--since", type=click.IntRange(min=0), default=0, help=_("Entries that the partner saw last (its kizuna audit witness list).")
)
@click.option("--until", metavar="INSTANT", help=_("Only what was recorded before this instant (default: all)."))
@node_option
@as_json
def ask(file: Path, since: int, until: str | None, folder: Path, json_: bool) -> None:
    """Write a request."""
    with open_node(folder) as here:
        body = checkpoint_for_witness(here, since, until=None if until is None else parse_instant(until, field="until"))
    file.write_bytes(body)
    if json_:
        print_json({"file": str(file)})
        return
    say(Message("Written: {path}. Hand it to the partner: kizuna audit witness cosign.", {"path": str(file)}))


@witness.command(
    help=_("Send a partner all of this node's log to cosign, over the feed; what was recorded before today goes by itself."),
    epilog=examples("kizuna audit witness send UKR/HUR --node jpn"),
)
@click.argument("partner")
@node_option
@as_json
def send(partner: str, folder: Path, json_: bool) -> None:
    """Send a checkpoint."""
    with open_node(folder) as here:
        party = here.partner_named(partner)
        size = send_checkpoint(here, party)
    if json_:
        print_json({"partner": party, "size": size})
        return
    say(Message("A checkpoint of {size} entries goes to {partner} when it next asks.", {"partner": party, "size": size}))


@witness.command(
    help=_("Cosign a partner's log as its request proves it; a log that forked is refused, and the evidence kept."),
    epilog=examples("kizuna audit witness cosign JPN request --out cosigned --node ukr"),
)
@click.argument("partner")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=_OUT, required=True, help=_("Where the cosigned checkpoint goes."))
@node_option
@as_json
def cosign(partner: str, file: Path, out: Path, folder: Path, json_: bool) -> None:
    """Cosign."""
    body = read_file(file)
    with open_node(folder) as here:
        party = here.partner_named(partner)
        out.write_bytes(cosign_checkpoint(here, party, body))
        size = seen_size(here, party)
    if json_:
        print_json({"partner": party, "size": size, "file": str(out)})
        return
    say(
        Message(
            "Cosigned: the log of {partner} at {size} entries. Hand {path} back to it.",
            {"partner": party, "size": size, "path": str(out)},
        )
    )


@witness.command(
    help=_("Take in what a partner has cosigned of this node's log; it goes along with proofs and exports from then on."),
    epilog=examples("kizuna audit witness take UKR cosigned --node jpn"),
)
@click.argument("partner")
@click.argument("file", type=click.Path(path_type=Path))
@node_option
@as_json
def take(partner: str, file: Path, folder: Path, json_: bool) -> None:
    """Take a cosignature in."""
    note = read_file(file)
    with open_node(folder) as here:
        party = here.partner_named(partner)
        at = take_cosignature(here, party, note)
    if json_:
        print_json({"partner": party, "cosigned_at": format_instant(at)})
        return
    say(Message("{partner} cosigned this node's log at {at}.", {"partner": party, "at": format_instant(at)}))
