"""``kizuna request``: ask a partner for products, and answer when a partner asks."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.message_text import request_json, state_word
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import InputError, Message
from kizuna.exchange.messages import Step
from kizuna.formats.agreement_areas import no_files, read_area
from kizuna.model.instants import Interval, format_instant, parse_instant
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, Table
from kizuna.node.decisions import decide_item, require_item
from kizuna.node.requests import answer_request, ask_partner, fulfil_request, request_named, requests
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from kizuna.model.regions import Area
    from kizuna.node.requests import Request

__all__ = ["request"]

_AREA = "area"
_EDGES = 4
_NUMBERS = re.compile(r"[-+0-9.,eE\s]+")


@click.group(cls=Commands, help=_("Ask a partner for products, and answer when a partner asks."))
def request() -> None:
    """Group."""


def _line(name: str, text: str | None, longest: int = LONGEST_LINE) -> str | None:
    return None if text is None else Table({name: text}).text(name, longest=longest)


def _area(text: str) -> Area:
    """Area of a box ``west,south,east,north`` in degrees, of GeoJSON text, or of a file of it."""
    parts = text.split(",")
    inline = text.lstrip().startswith("{")
    if inline or (len(parts) != _EDGES and not _NUMBERS.fullmatch(text)):
        table = Table({"name": _AREA, "file": f"{_AREA}.geojson"})
        try:
            return read_area(table, lambda _name: text.encode() if inline else read_file(Path(text)))
        except InputError as error:
            raise InputError(error.message, hint=error.hint, field=_AREA) from error
    with suppress(ValueError, InputError):
        west, south, east, north = (float(part) for part in parts)
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        if west < east and south < north:
            return read_area(Table({"name": _AREA, "geometry": {"type": "Polygon", "coordinates": [ring]}}), no_files)
    raise InputError(
        Message("area: got {got}, expected west,south,east,north in degrees, a file of GeoJSON, or GeoJSON", {"got": text}),
        hint=Message("for example 133.5,33.4,133.7,33.6; a box does not cross the antimeridian"),
        field=_AREA,
    )


_authority = click.option("--authority", default="release officer", show_default=True, help=_("By what authority."))
_id = click.argument("id_", metavar="REQUEST")


def _told(one: Request, json_: bool) -> None:
    if json_:
        print_json(request_json(one))
    else:
        say(Message("Request {id}: {state}.", {"id": one.ask.id, "state": state_word(one)}))


@request.command(
    help=_("Ask a partner for products of an area and a time. It learns of it when it next asks this node."),
    epilog=examples(
        "kizuna request ask --to JPN/IQPS --area 133.5,33.4,133.7,33.6 --from 2025-07-01 --until 2025-07-08 --text Ships",
    ),
)
@click.option("--to", "partner", required=True, metavar="PARTNER", help=_("Partner."))
@click.option("--area", required=True, metavar="AREA", help=_("west,south,east,north in degrees; or GeoJSON, or a file of it."))
@click.option("--from", "begin", required=True, metavar="INSTANT", help=_("From when."))
@click.option("--until", "end", required=True, metavar="INSTANT", help=_("Until when."))
@click.option("--kind", default="imagery", show_default=True, help=_("Kind of product."))
@click.option("--text", help=_("One line more; the partner reads it."))
@_authority
@node_option
@as_json
def ask(
    partner: str,
    area: str,
    begin: str,
    end: str,
    kind: str,
    text: str | None,
    authority: str,
    folder: Path,
    json_: bool,
) -> None:
    """Ask."""
    where, when = _area(area), Interval(parse_instant(begin, field="from"), parse_instant(end, field="until"))
    what, words = _line("kind", kind, LONGEST_MARKING) or "", _line("text", text)
    with open_node(folder) as here:
        one = ask_partner(here, here.partner_named(partner), what, where, when, words, authority)
    _told(one, json_)


@request.command(
    "list", help=_("List the requests that this node made, and that were made to it."), epilog=examples("kizuna request list")
)
@node_option
@as_json
def list_(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        found = requests(here)
    if json_:
        print_json([request_json(one) for one in found])
        return
    print_table(
        [_("request"), _("partner"), _("direction"), _("kind"), _("from"), _("until"), _("state"), _("text")],
        [
            [
                one.ask.id,
                one.partner,
                _("made to us") if one.direction == "in" else _("made by us"),
                one.ask.kind,
                format_instant(one.ask.begin)[:16] + "Z",
                format_instant(one.ask.end)[:16] + "Z",
                state_word(one),
                one.ask.text or "",
            ]
            for one in found
        ],
    )


@request.command(help=_("Show one request."), epilog=examples("kizuna request show abcd --json"))
@_id
@node_option
@as_json
def show(id_: str, folder: Path, json_: bool) -> None:
    """Show."""
    with open_node(folder) as here:
        one = request_named(here, id_)
    form = request_json(one)
    if json_:
        print_json(form)
        return
    for name, value in form.items():
        click.echo(f"  {name:<10}  {'-' if value is None else value}")


@request.command(help=_("Accept a partner's request."), epilog=examples("kizuna request accept abcd --node jpn"))
@_id
@click.option("--reason", help=_("One sentence; the partner reads it."))
@_authority
@node_option
@as_json
def accept(id_: str, reason: str | None, authority: str, folder: Path, json_: bool) -> None:
    """Accept."""
    reason = _line("reason", reason)
    with open_node(folder) as here:
        one = answer_request(here, id_, Step.ACCEPT, reason, authority)
    _told(one, json_)


@request.command(
    help=_("Decline a partner's request."),
    epilog=examples("kizuna request decline abcd --reason 'No pass this week.' --node jpn"),
)
@_id
@click.option("--reason", required=True, help=_("One sentence; the partner reads it."))
@_authority
@node_option
@as_json
def decline(id_: str, reason: str, authority: str, folder: Path, json_: bool) -> None:
    """Decline."""
    words = _line("reason", reason)
    with open_node(folder) as here:
        one = answer_request(here, id_, Step.DECLINE, words, authority)
    _told(one, json_)


@request.command(
    help=_("Fulfil a partner's request with a product that it may have; it is told once the product has gone to it."),
    epilog=examples("kizuna request fulfil abcd --with efgh --node jpn"),
)
@_id
@click.option("--with", "product_id", required=True, metavar="PRODUCT", help=_("Product."))
@click.option("--reason", help=_("One sentence; the partner reads it."))
@_authority
@node_option
@as_json
def fulfil(id_: str, product_id: str, reason: str | None, authority: str, folder: Path, json_: bool) -> None:
    """Fulfil."""
    reason = _line("reason", reason)
    with open_node(folder) as here:
        product = require_item(here, product_id).product
        partner = request_named(here, id_, "in").partner
        one = fulfil_request(here, id_, product, decide_item(here, product, partner), reason, authority)
    _told(one, json_)
