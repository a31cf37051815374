"""``kizuna product``: look at what the node holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kizuna.cli.decision_text import decision_lines, outcome_word
from kizuna.cli.message_text import fate_word, recall_json
from kizuna.cli.originator import consent, relabel
from kizuna.cli.recall import answer_recall, recall, recalled
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import Message
from kizuna.model.canonical import parse_json
from kizuna.model.instants import format_instant
from kizuna.model.label import label_to_json
from kizuna.model.product import product_to_json
from kizuna.node.decisions import as_labelled_now, decide_item, require_item
from kizuna.node.forms import why_held
from kizuna.node.onward import passed_on
from kizuna.node.people import shown
from kizuna.node.recall import recall_of
from kizuna.node.versions import superseded_versions
from kizuna.release.decision import Outcome, decision_to_json
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.catalog.store import Item
    from kizuna.model.canonical import Json
    from kizuna.node.onward import PassedOn
    from kizuna.node.versions import Superseded

__all__ = ["product"]


@click.group(cls=Commands, help=_("Look at what the node holds; record consents and corrected labels."))
def product() -> None:
    """Group."""


product.add_command(consent)
product.add_command(relabel)
product.add_command(recall)
product.add_command(recalled)
product.add_command(answer_recall)


def _when(item: Item) -> str:
    event = item.product.event
    return "-" if event is None else format_instant(event.begin)[:16] + "Z"


@product.command(
    "list", help=_("List the products, newest observation first."), epilog=examples("kizuna product list --node jpn --json")
)
@node_option
@as_json
def list_(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        items = list(shown(here, here.store.items.all()))
    if json_:
        print_json([product_to_json(item.product) | {"received_from": item.received_from} for item in items])
        return
    print_table(
        [_("product"), _("version"), _("observed"), _("sensor"), _("marking"), _("from"), _("title")],
        [
            [
                item.product.id,
                f"{item.product.version}",
                _when(item),
                item.product.sensor,
                item.product.label.marking,
                item.received_from or item.product.originator,
                item.product.title,
            ]
            for item in items
        ],
    )


def _former_words(version: Superseded) -> str:
    values: dict[str, str | int | float | Message] = {
        "version": version.version,
        "marking": version.marking,
        "until": format_instant(version.until)[:19] + "Z",
    }
    return Message("version {version} [{marking}], until {until}", values).render(_)


def _passed_on_words(relayed: PassedOn) -> str:
    consent = relayed.consent
    values = {"holder": consent.holder, "originator": consent.originator, "at": format_instant(consent.made_at)[:19] + "Z"}
    if not relayed.verifies:
        return Message("by {holder}; the consent of {originator} does not verify any more", values).render(_)
    return Message("by {holder}, with the signed consent of {originator} of {at}", values).render(_)


def _passed_on_json(relayed: PassedOn) -> dict[str, Json]:
    consent = relayed.consent
    return {
        "originator": consent.originator,
        "holder": consent.holder,
        "record": consent.record,
        "begin": None if consent.begin is None else format_instant(consent.begin),
        "end": None if consent.end is None else format_instant(consent.end),
        "made_at": format_instant(consent.made_at),
        "verifies": relayed.verifies,
        "consent": parse_json(relayed.envelope),
    }


@product.command(help=_("Show a product, its files, and who may have it."), epilog=examples("kizuna product show abcd --json"))
@click.argument("product_id", metavar="PRODUCT")
@node_option
@as_json
def show(product_id: str, folder: Path, json_: bool) -> None:
    """Show."""
    with open_node(folder) as here:
        item = require_item(here, product_id)
        decisions = [(partner, decide_item(here, item.product, partner)) for partner in sorted(here.knowledge().partners)]
        current = as_labelled_now(here, item.product)
        held = {p: why_held(here, p, current, decision) for p, decision in decisions if decision.outcome is Outcome.PERMIT}
        named = [*sorted(here.knowledge().partners), "*"]
        former, relayed = superseded_versions(here, item.product.id), passed_on(here, item)
        called_back = [found for name in named if (found := recall_of(here, name, item.product.id)) is not None]
    first = item.product.label
    if json_:
        releases: list[Json] = [{"partner": partner} | decision_to_json(decision, _) for partner, decision in decisions]
        beside: dict[str, Json] = {"received_from": item.received_from, "releases": releases}
        beside["versions"] = [
            {"version": v.version, "content": v.content, "marking": v.marking, "until": format_instant(v.until)} for v in former
        ]
        beside["passed_on"] = None if relayed is None else _passed_on_json(relayed)
        beside["recalls"] = [recall_json(one) for one in called_back]
        beside["first_label"] = None if current.label == first else label_to_json(first)
        print_json(product_to_json(current) | beside)
        return
    click.echo(click.style(current.title, bold=True))
    rows = [
        (_("product"), current.id),
        (_("marking"), current.label.marking),
        *([] if current.label == first else [(_("labelled first"), first.marking)]),
        (_("originator"), current.originator),
        (_("received from"), item.received_from or "-"),
        *([] if relayed is None else [(_("passed on"), _passed_on_words(relayed))]),
        *([] if current.version == 1 else [(_("version"), f"{current.version}")]),
        *((_("replaced"), _former_words(version)) for version in former),
        (_("sensor"), current.sensor),
        (_("observed"), _when(item)),
        (_("resolution"), "-" if current.resolution_m is None else f"{current.resolution_m:.2f} m"),
        (_("content"), current.content),
        (_("derived from"), ", ".join(current.lineage) or "-"),
        (_("reductions"), ", ".join(current.reductions) or "-"),
        *((_("caveat"), caveat) for caveat in current.label.caveats),
        *((_("note"), note) for note in current.notes),
        *((asset.role.value, f"{asset.name}  {asset.size} B") for asset in current.assets),
    ]
    width = max(len(name) for name, _value in rows)
    for name, value in rows:
        click.echo(f"  {name:<{width}}  {value}")
    for partner, decision in decisions:
        click.echo(f"{partner}: {outcome_word(decision)}")
        for line in decision_lines(decision):
            click.echo(line)
        why = held.get(partner)
        if why is not None:
            click.echo("  " + Message("held: {why}", {"why": why.render(_)}).render(_))
    for one in called_back:
        if one.partner == "*":
            say(Message("Recalled: it goes to nobody any more: {reason}", {"reason": one.reason}))
            continue
        answer = fate_word(one.fate) if one.key is not None else _("it never had it")
        values: dict[str, str | int | float | Message] = {"partner": one.partner, "answer": answer, "reason": one.reason}
        say(Message("Recalled from {partner} ({answer}): {reason}", values))
