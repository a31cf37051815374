"""``kizuna product recall|recalled|answer-recall``: call products back from partners, and answer when a partner does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kizuna.cli.message_text import fate_word, recall_json, withdrawn_json
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.errors import Message
from kizuna.exchange.answers import Fate
from kizuna.model.instants import format_instant
from kizuna.model.reading import LONGEST_LINE, Table
from kizuna.node.decisions import require_item
from kizuna.node.recall import order_recall
from kizuna.node.withdrawals import answer_withdrawal, withdrawn_products
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["answer_recall", "recall", "recalled"]


def _line(name: str, text: str) -> str:
    """Text that is recorded for good and shown to others."""
    return Table({name: text}).text(name, longest=LONGEST_LINE)


_authority = click.option("--authority", default="release officer", show_default=True, help=_("By what authority."))


@click.command(
    help=_(
        "Call a product back: it goes to nobody (or not to these partners) any more, and those that were handed it are told to "
        "destroy it. Bytes cannot be called back: what comes back is a signed answer."
    ),
    epilog=examples(
        "kizuna product recall abcd --reason 'Wrong label.' --node jpn",
        "kizuna product recall abcd --to UKR/HUR --reason 'Sent by mistake.' --node jpn",
    ),
)
@click.argument("product_id", metavar="PRODUCT")
@click.option("--to", "partners", multiple=True, metavar="PARTNER", help=_("From this partner only; may be repeated."))
@click.option("--reason", required=True, help=_("One sentence; the partners read it."))
@_authority
@node_option
@as_json
def recall(product_id: str, partners: tuple[str, ...], reason: str, authority: str, folder: Path, json_: bool) -> None:
    """Call back."""
    reason, authority = _line("reason", reason), _line("authority", authority)
    with open_node(folder) as here:
        item = require_item(here, product_id)
        named = [here.partner(here.partner_named(name)).party for name in partners] if partners else None
        made = order_recall(here, item.product, reason, authority, named)
    if json_:
        print_json({"product": item.product.id, "recalls": [recall_json(one) for one in made]})
        return
    say(Message("Recalled {product}.", {"product": item.product.id}))
    for one in made:
        values: dict[str, str | int | float | Message] = {"partner": one.partner, "number": one.recalls or 0}
        if one.key is None:
            say(Message("  {partner} never had it, and is told nothing.", values))
        else:
            say(Message("  {partner} had it as number {number}, and is told when it next asks.", values))


@click.command(
    help=_("List the products that partners called back, and what was answered."), epilog=examples("kizuna product recalled")
)
@node_option
@as_json
def recalled(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        found = withdrawn_products(here)
    if json_:
        print_json([withdrawn_json(one) for one in found])
        return
    print_table(
        [_("product"), _("partner"), _("recalled at"), _("answer"), _("sent"), _("title"), _("reason")],
        [
            [
                one.product,
                one.partner,
                format_instant(one.at)[:19] + "Z",
                fate_word(one.fate),
                _("yes") if one.told else _("no"),
                one.title,
                one.reason,
            ]
            for one in found
        ],
    )


@click.command(
    "answer-recall",
    help=_(
        "Answer a partner's recall: --destroyed removes the files that no other product needs, now and for good. The signed "
        "answer goes with the next kizuna sync."
    ),
    epilog=examples(
        "kizuna product answer-recall abcd --destroyed --node ukr",
        "kizuna product answer-recall abcd --kept 'A court asks for it.' --node ukr",
    ),
)
@click.argument("product_id", metavar="PRODUCT")
@click.option("--destroyed", is_flag=True, help=_("It is destroyed: the files are removed."))
@click.option("--kept", metavar="REASON", help=_("It is kept, hidden, for this reason."))
@click.option("--refused", metavar="REASON", help=_("The recall is refused, for this reason; it stays hidden."))
@_authority
@node_option
@as_json
def answer_recall(
    product_id: str,
    kept: str | None,
    refused: str | None,
    authority: str,
    folder: Path,
    json_: bool,
    *,
    destroyed: bool,
) -> None:
    """Answer."""
    chosen: list[tuple[Fate, str | None]] = [(Fate.DESTROYED, None)] if destroyed else []
    chosen += [(fate, text) for fate, text in ((Fate.KEPT, kept), (Fate.REFUSED, refused)) if text is not None]
    if len(chosen) != 1:
        raise click.UsageError(_("Give one of --destroyed, --kept and --refused."))
    fate, reason = chosen[0]
    if reason is not None:
        reason = _line("reason", reason)
    with open_node(folder) as here:
        one = answer_withdrawal(here, product_id, fate, reason, _line("authority", authority))
    if json_:
        print_json(withdrawn_json(one))
        return
    values: dict[str, str | int | float | Message] = {
        "product": one.product,
        "fate": fate_word(one.fate),
        "partner": one.partner,
    }
    say(Message("{product}: {fate}. {partner} is told with the next kizuna sync.", values))
