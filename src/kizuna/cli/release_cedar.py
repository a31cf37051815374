"""``kizuna release export-cedar``: the agreements as Cedar policies, for reviewers."""

from __future__ import annotations

from pathlib import Path

import click

from kizuna.cli.terminal import _, as_json, examples, print_json
from kizuna.errors import InputError, Message
from kizuna.formats.cedar import CEDAR_SCHEMA, cedar_policies
from kizuna.model.instants import format_instant, parse_instant
from kizuna.wiring import load_register, system_now

__all__ = ["export_cedar"]


@click.command(
    "export-cedar",
    help=_(
        "Write the agreements as Cedar policies, so that reviewers can read and test them with tools of their own. With --json "
        "their schema comes along. The node does not decide by them."
    ),
    epilog=examples(
        "kizuna release export-cedar --accept-fictional IQPS-HUR-2025 --output policies.cedar",
        "kizuna release export-cedar --agreements agreements --known-at 2025-05-01",
    ),
)
@click.option(
    "--agreements",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=_("Folder of agreement files (default: the sample register)."),
)
@click.option(
    "--accept-fictional", multiple=True, metavar="AGREEMENT", help=_("Accept the fictional supplement of this agreement.")
)
@click.option("--accept-ladder", multiple=True, metavar="POLICY", help=_("Accept the unverified markings of this policy."))
@click.option("--known-at", metavar="INSTANT", help=_("Leave out what became known later (default: now)."))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help=_("File to write (default: standard output)."))
@as_json
def export_cedar(
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    known_at: str | None,
    output: Path | None,
    json_: bool,
) -> None:
    """Write policies."""
    known = system_now() if known_at is None else parse_instant(known_at, field="known-at")
    if output is not None and output.exists():
        raise InputError(
            Message("{path} exists", {"path": str(output)}),
            hint=Message("name another file; none is overwritten"),
            field="output",
        )
    policies = cedar_policies(load_register(agreements, accept_fictional, accept_ladder), known)
    if output is not None:
        output.write_text(policies, encoding="utf-8")
    if json_:
        print_json({"policies": policies, "schema": CEDAR_SCHEMA, "known_at": format_instant(known)})
    elif output is None:
        click.echo(policies, nl=False)
