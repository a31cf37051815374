"""``kizuna release``: may a partner have a product, in which form, and why."""

from __future__ import annotations

from pathlib import Path

import click

from kizuna.cli.decision_text import decision_lines, outcome_word
from kizuna.cli.registers import refuse_own_register, register_for_files
from kizuna.cli.release_cedar import export_cedar
from kizuna.cli.release_view import diff, trap, view
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.node.decisions import decide_item, require_item
from kizuna.node.reads import Read, form_message, last_reads
from kizuna.release.decide import decide
from kizuna.release.decision import Outcome, decision_to_json
from kizuna.wiring import open_node, subject_of_file, system_now

__all__ = ["release"]

_NOT_RELEASABLE = 3


@click.group(cls=Commands, help=_("May a partner have a product, in which form, and why."))
def release() -> None:
    """Group."""


for command in (view, diff, trap, export_cedar):
    release.add_command(command)


@release.command(
    help=_("Decide on a product of the node (its id), or on a file with FILE.label.toml beside it, and explain the decision."),
    epilog=examples(
        "kizuna release explain scene.nitf --to UKR/HUR",
        "kizuna release explain scene.nitf --to UKR/HUR --valid-at 2025-05-01 --accept-fictional IQPS-HUR-2025",
    ),
)
@click.argument("product")
@click.option("--to", "partner", required=True, metavar="PARTY", help=_("NATION or NATION/ORG."))
@click.option("--valid-at", metavar="INSTANT", help=_("Instant that the question is about (default: now)."))
@click.option("--known-at", metavar="INSTANT", help=_("Leave out what became known later (default: now)."))
@click.option(
    "--agreements",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=_("Folder of agreement files, for a file (default: the register of --node where it is given, else the sample)."),
)
@click.option(
    "--accept-fictional", multiple=True, metavar="AGREEMENT", help=_("Accept the fictional supplement of this agreement.")
)
@click.option("--accept-ladder", multiple=True, metavar="POLICY", help=_("Accept the unverified markings of this policy."))
@node_option
@as_json
@click.pass_context
def explain(
    context: click.Context,
    product: str,
    partner: str,
    valid_at: str | None,
    known_at: str | None,
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    folder: Path,
    json_: bool,
) -> None:
    """Decide and explain."""
    valid = None if valid_at is None else parse_instant(valid_at, field="valid-at")
    known = None if known_at is None else parse_instant(known_at, field="known-at")
    path = Path(product)
    read_by: list[Read] = []
    if path.is_file() or path.suffix:
        party = parse_party(partner, field="to")
        now = system_now()
        title = path.name
        valid, known = valid or now, known or now
        register = register_for_files(folder, agreements, accept_fictional, accept_ladder)
        decision = decide(register, subject_of_file(path, register), party, valid, known)
    else:
        refuse_own_register(agreements, accept_fictional, accept_ladder)
        with open_node(folder) as here:
            item = require_item(here, product)
            party = here.partner_named(partner)
            now = here.now()
            title = item.product.title
            valid, known = valid or now, known or now
            decision = decide_item(here, item.product, party, valid_at=valid, known_at=known)
            read_by = [read for read in last_reads(here, item.product.id) if read.partner == party]
    if json_:
        form = decision_to_json(decision, _)
        form |= {"reads": [{"form": read.form.value, "at": format_instant(read.at)} for read in read_by]}
        form |= {"product": product, "partner": party, "valid_at": format_instant(valid), "known_at": format_instant(known)}
        print_json(form)
    else:
        values: dict[str, str | int | float] = {"outcome": outcome_word(decision), "title": title, "partner": party}
        say(Message("{outcome}: {title} to {partner}", values))
        say(Message("  asked for {valid}, as known at {known}", {"valid": format_instant(valid), "known": format_instant(known)}))
        for line in decision_lines(decision):
            click.echo(line)
        for read in read_by:
            values = {
                "partner": read.partner,
                "form": form_message(read.form).render(_),
                "at": format_instant(read.at)[:19] + "Z",
            }
            say(Message("  {partner} read it ({form}), last recorded at {at}", values))
    if decision.outcome is not Outcome.PERMIT:
        context.exit(_NOT_RELEASABLE)
