"""``kizuna audit``: verify the tamper-evident log, confirm its tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, say
from kizuna.errors import Message
from kizuna.node.audit import verify_node
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["audit"]


@click.group(help=_("Verify the tamper-evident log, confirm its tail."))
def audit() -> None:
    """Group."""


@audit.command(
    help=_("Verify each entry's signature, their order, and the tree against its signed checkpoint."),
    epilog=examples("kizuna audit verify --node jpn"),
)
@node_option
@as_json
def verify(folder: Path, json_: bool) -> None:
    """Verify."""
    with open_node(folder) as here:
        state = verify_node(here, Progress(_("verifying")))
        confirmed = here.is_confirmed()
    if json_:
        print_json(
            {"entries": state.size, "root": state.root.hex(), "tail": state.tail, "tail_confirmed": confirmed, "verified": True}
        )
        return
    say(Message("{size} entries verified. Tail: {tail}", {"size": state.size, "tail": state.tail}))
    if not confirmed:
        say(
            Message(
                "The tail is not confirmed here: compare it with your last record, then: kizuna audit confirm --tail SIZE:ROOT"
            )
        )


@audit.command(
    help=_("Confirm the tail of a restored, copied or moved node, as an officer who compared it with a record kept elsewhere."),
    epilog=examples(
        "kizuna audit confirm --tail 42:9f86d081...",
    ),
)
@click.option("--tail", required=True, metavar="SIZE:ROOT", help=_("Tail as it must be."))
@node_option
@as_json
def confirm(tail: str, folder: Path, json_: bool) -> None:
    """Confirm."""
    with open_node(folder) as here:
        here.confirm_tail(tail)
    if json_:
        print_json({"confirmed": tail})
        return
    say(Message("Confirmed: the node serves again."))
