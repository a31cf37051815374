"""``kizuna sync``: pull what partners have for this node."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING

import click

from kizuna.cli.message_text import content_message
from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, say
from kizuna.errors import KizunaError, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.messages import content_to_json, type_of
from kizuna.model.instants import format_instant
from kizuna.node.health import note_clock
from kizuna.wiring import load_settings, open_node, shelf_of, take_due_keys, transport_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.receive import Intake, PullReport
    from kizuna.node.state import Node, Partner

__all__ = ["sync"]

_MOST_S = 31 * 86_400


def _report(report: PullReport, json_: bool) -> dict[str, Json]:
    refusal = report.refusal
    if not json_:
        values: dict[str, str | int | float] = {
            "partner": report.partner,
            "count": len(report.received),
            "bytes": report.payload_bytes,
        }
        if refusal is None:
            say(Message("{partner}: {count} new products, {bytes} bytes.", values))
        for product in report.received:
            click.echo(f"  {product.id}  {product.title}")
        for message in report.messages:
            click.echo("  " + content_message(message.content).render(_))
    return {
        "partner": report.partner,
        "received": [{"id": product.id, "title": product.title} for product in report.received],
        "bytes": report.payload_bytes,
        "messages": [
            {"sequence": message.sequence, "type": type_of(message.content), "content": content_to_json(message.content)}
            for message in report.messages
        ],
        "refusal": None
        if refusal is None
        else {
            "reason": refusal.reason,
            "rule": refusal.rule,
            "agreement": refusal.agreement,
            "since": None if refusal.since is None else format_instant(refusal.since),
        },
    }


def _pull(here: Node, folder: Path, partner: Partner, told: Callable[[str, int, int], None], intake: Intake) -> PullReport:
    from kizuna.node.kept_receipts import send_kept_receipts
    from kizuna.node.key_change import hand_over_statements
    from kizuna.node.receive import pull

    clock: list[tuple[Instant, Instant]] = []

    def timed(said: Instant, seen: Instant) -> None:
        clock[:] = [(said, seen)]

    with transport_to(folder, partner, timed) as transport:
        try:
            hand_over_statements(here, partner.party, transport)
            # What removable media brought is confirmed by the shorter way.
            send_kept_receipts(here, partner, transport)
            return pull(here, partner, transport, told, intake)
        finally:
            if clock:
                note_clock(here, partner.party, *clock[-1])


def _pull_as_known(here: Node, folder: Path, party: Party, told: Callable[[str, int, int], None], intake: Intake) -> PullReport:
    """Pull; once more where another process of this node learned meanwhile that the partner's keys change."""
    before = here.partner(party)
    try:
        return _pull(here, folder, before, told, intake)
    except (PartnerMisbehaved, PartnerUnreachable):
        after = here.partner(party)
        if after.keys == before.keys:
            raise
        return _pull(here, folder, after, told, intake)


def _pull_each(here: Node, folder: Path, partners: list[Party], json_: bool) -> None:
    from kizuna.node.media import release_held
    from kizuna.node.receive import Intake

    take_due_keys(folder, here)
    settings = load_settings(folder, os.environ)
    intake = Intake(settings.intake_files, settings.intake_bytes, settings.intake_entries)
    reports: list[dict[str, Json]] = []
    failure: KizunaError | None = None
    for partner in partners:
        bars: dict[str, Progress] = {}

        def told(title: str, done: int, total: int, bars: dict[str, Progress] = bars) -> None:
            bars.setdefault(title, Progress(title))(done, total)

        try:
            report = _pull_as_known(here, folder, partner, told, intake)
            # What they brought too early may be due now.
            release_held(here, shelf_of(folder), told, intake)
        except KizunaError as error:
            # One partner's failure must not keep the others' products away. The first is told at the end, with its hint.
            if failure is not None and not json_:
                say(Message("{name}: {why}", {"name": partner, "why": error.message}), err=True)
            failure = failure or error
            reports.append({"partner": partner, "error": str(error)})
            continue
        reports.append(_report(report, json_))
        if report.refusal is not None:
            refused = NotReleasable(
                Message("{partner} refuses: {reason}", {"partner": report.partner, "reason": report.refusal.reason}),
                hint=Message("ask the partner's release officer; what was received before stays here"),
            )
            if failure is not None and not json_:
                say(refused.message, err=True)
            failure = failure or refused
    take_due_keys(folder, here)
    if json_:
        print_json({"partners": list(reports)})
    if failure is not None:
        raise failure


def _number(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and math.isnan(value):
        raise click.BadParameter(_("nan is no number of seconds."))
    return value


@click.command(
    help=_("Pull what partners have for this node: once, or again and again."),
    epilog=examples(
        "kizuna sync --node ukr",
        "kizuna sync JPN/IQPS --every 60 --node ukr",
    ),
)
@click.argument("partner", nargs=-1)
@click.option("--once", is_flag=True, help=_("Pull once (the default)."))
@click.option(
    "--every",
    type=click.FloatRange(min=1, max=_MOST_S),
    callback=_number,
    metavar="SECONDS",
    help=_("Pull again after so many seconds, until stopped."),
)
@node_option
@as_json
def sync(partner: tuple[str, ...], once: bool, every: float | None, folder: Path, json_: bool) -> None:
    """Pull."""
    if once and every is not None:
        raise click.UsageError(_("--once and --every exclude each other."))
    with open_node(folder) as here:
        # Partners without an address only pull from us; naming one is a mistake that must not pass in silence.
        known = [p.party for p in here.knowledge().partners.values() if p.url]
        partners = [here.partner(here.partner_named(name)).party for name in partner] or known
        if not partners and not json_:
            say(Message("This node has pinned no partner that has an address."), err=True)
        while True:
            try:
                _pull_each(here, folder, partners, json_)
            except KizunaError as error:
                if every is None:
                    raise
                say(str(error), err=True)
            if every is None:
                return
            time.sleep(every)
