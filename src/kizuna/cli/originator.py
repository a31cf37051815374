"""``kizuna product consent|relabel``: what an originator says of a product after it was published."""

from __future__ import annotations

from pathlib import Path

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, say
from kizuna.errors import InputError, Message
from kizuna.formats.agreement_terms import term_to_json
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.label import label_to_json
from kizuna.model.parties import parse_party
from kizuna.node.decisions import require_item
from kizuna.node.originators import correct_label, record_consent, withdraw_consent
from kizuna.wiring import open_node, read_label_file

__all__ = ["consent", "relabel"]

_OFFICER = "release officer"


@click.command(
    help=_(
        "Record that an originator agrees that a product, or what is derived from it, goes on to a party: this node's own "
        "organisation, or another whose consent lies here as a document. The consent recorded last counts; --withdraw takes it "
        "back."
    ),
    epilog=examples(
        "kizuna product consent abcd --to UKR/HUR",
        "kizuna product consent abcd --to POL --by UKR --until 2026-01-01",
        "kizuna product consent abcd --to UKR/HUR --originator FIN --authority 'letter of 3 June 2025' --until 2026-01-01",
        "kizuna product consent abcd --to UKR/HUR --withdraw",
    ),
)
@click.argument("product_id", metavar="PRODUCT")
@click.option("--to", "receiver", required=True, metavar="PARTY", help=_("NATION or NATION/ORG to which it may go on."))
@click.option(
    "--from", "begin", metavar="INSTANT", help=_("From when on (default: since the consent began that holds now, else now).")
)
@click.option("--until", "end", metavar="INSTANT", help=_("Until when (default: without end; with --withdraw: now)."))
@click.option("--withdraw", is_flag=True, help=_("Take the consent back: it ends with --until, which may have passed."))
@click.option(
    "--by",
    "holders",
    multiple=True,
    metavar="PARTNER",
    help=_("Partner that may pass this node's own product on (default: each that is handed it). They get a signed consent."),
)
@click.option("--originator", metavar="PARTY", help=_("Who agrees (default: this node's organisation)."))
@click.option("--authority", help=_("By what authority; for another's consent the document that gives it."))
@node_option
@as_json
def consent(
    product_id: str,
    receiver: str,
    begin: str | None,
    end: str | None,
    holders: tuple[str, ...],
    originator: str | None,
    authority: str | None,
    folder: Path,
    json_: bool,
    *,
    withdraw: bool,
) -> None:
    """Record a consent."""
    if withdraw and holders:
        raise InputError(
            Message("by: a consent is taken back from all that were told of it"),
            hint=Message("leave --by out"),
            field="by",
        )
    if withdraw and begin is not None:
        raise InputError(
            Message("from: a consent that is taken back keeps its begin"),
            hint=Message("say when it ends: --until INSTANT"),
            field="from",
        )
    by = None if originator is None else parse_party(originator, field="originator")
    with open_node(folder) as here:
        if by not in {None, here.organisation} and not authority:
            raise InputError(
                Message("authority: nothing says where {party} agreed", {"party": by or ""}),
                hint=Message("name the document: --authority 'letter of 3 June 2025'"),
                field="authority",
            )
        product, to = require_item(here, product_id).product, parse_party(receiver, field="to")
        until = None if end is None else parse_instant(end, field="until")
        if withdraw:
            made = withdraw_consent(here, product, to, authority or _OFFICER, originator=by, at=until)
        else:
            since = None if begin is None else parse_instant(begin, field="from")
            named = [here.partner_named(name) for name in holders] or None
            made = record_consent(here, product, to, authority or _OFFICER, originator=by, begin=since, end=until, holders=named)
    if json_:
        print_json(
            {
                "originator": made.originator,
                "product": made.product,
                "receiver": made.receiver,
                "term": term_to_json(made.term),
                "recorded_at": format_instant(made.recorded_at),
            }
        )
        return
    values: dict[str, str | int | float] = {
        "originator": made.originator,
        "product": made.product,
        "receiver": made.receiver,
        "begin": made.term.begin.text,
    }
    if made.term.begin.earliest is None:
        say(Message("{originator} takes back its consent that {product} goes on to {receiver}: it never held.", values))
    elif made.term.end is None:
        say(Message("{originator} agrees that {product} goes on to {receiver} from {begin} on.", values))
    else:
        values["end"] = made.term.end.text
        if withdraw:
            say(
                Message(
                    "{originator} takes back its consent that {product} goes on to {receiver}: it held from {begin} until {end}.",
                    values,
                )
            )
            return
        say(Message("{originator} agrees that {product} goes on to {receiver} from {begin} until {end}.", values))


@click.command(
    help=_(
        "Correct the label of a product that this node's organisation labelled. The first label stays on record; decisions, "
        "pages and all that is not confirmed yet follow the corrected one at once. A partner that confirmed the product keeps it "
        "as it came."
    ),
    epilog=examples("kizuna product relabel abcd --label corrected.label.toml --authority 'order 12'"),
)
@click.argument("product_id", metavar="PRODUCT")
@click.option("--label", type=click.Path(path_type=Path), required=True, help=_("The corrected label (FILE.label.toml)."))
@click.option("--authority", required=True, help=_("By what authority."))
@node_option
@as_json
def relabel(product_id: str, label: Path, authority: str, folder: Path, json_: bool) -> None:
    """Correct a label."""
    corrected = read_label_file(label)
    with open_node(folder) as here:
        item = require_item(here, product_id)
        made = correct_label(here, item.product, corrected, authority)
        book = here.store.book
        kept = sorted(
            partner
            for partner in here.knowledge().partners
            for entry in book.outgoing(partner, 0, book.acknowledged(partner))
            if entry.product == item.product.id and entry.sequence <= book.acknowledged(partner)
        )
    if json_:
        print_json(
            {
                "product": made.product,
                "label": label_to_json(made.label),
                "first_label": label_to_json(item.product.label),
                "recorded_at": format_instant(made.recorded_at),
                "kept_by": [*kept],
            }
        )
        return
    say(Message("{product} is labelled {marking} from now on.", {"product": made.product, "marking": made.label.marking}))
    if kept:
        say(
            Message(
                "It was confirmed under an earlier label by {partners}: tell them of the correction.",
                {"partners": ", ".join(kept)},
            ),
            err=True,
        )
