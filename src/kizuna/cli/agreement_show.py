"""``kizuna agreement show``: an agreement as people read it, from a node or from its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.decision_text import obligation_words
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, read_file
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import agreement_to_json, parse_toml, read_agreement
from kizuna.model.instants import format_instant
from kizuna.model.provenance import FactKind
from kizuna.node.agreement_history import agreement_history
from kizuna.node.people import agreement_lines
from kizuna.wiring import CIVIL_OFFSETS, beside, open_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.regions import Area
    from kizuna.node.agreement_history import AgreementEvent
    from kizuna.release.agreements import Agreement, Article, Bound, Equivalence, Suspension, Term

__all__ = ["show"]

type Row = tuple[str, str]


def _date(bound: Bound) -> str:
    """Date as its source writes it, with the instant that it means where it does not say it itself."""
    if bound.earliest is None or bound.latest is None:
        return bound.text
    if bound.exact is None:
        return f"{bound.text} ({format_instant(bound.earliest)} … {format_instant(bound.latest)})"
    instant = format_instant(bound.exact)
    return bound.text if bound.text == instant else f"{bound.text} ({instant})"


def _term(term: Term) -> str:
    begin = _("from {date}").format(date=_date(term.begin))
    end = _("without end") if term.end is None else _("until {instant}").format(instant=_date(term.end))
    return f"{begin}, {end}"


def _box(area: Area) -> str:
    """Name of an area with the box around it, in degrees."""
    points = [point for polygon in area.polygons for point in polygon[0]]
    lons, lats = [lon for lon, _lat in points], [lat for _lon, lat in points]
    return _("{name} (longitude {west:g} to {east:g}, latitude {south:g} to {north:g})").format(
        name=area.name, west=min(lons), east=max(lons), south=min(lats), north=max(lats)
    )


def _article_rows(article: Article) -> Iterator[Row]:
    yield _("gives"), ", ".join(article.givers)
    yield _("receives"), ", ".join(article.receivers)
    yield _("kinds"), ", ".join(article.kinds) or "-"
    yield _("ceiling"), f"{article.policy} {article.ceiling}" if article.ceiling else _("unknown")
    for grant in article.categories:
        yield _("category"), f"{grant.tag}: {', '.join(grant.values)}"
    for area in article.areas:
        yield _("inside"), _box(area)
    for area in article.denied_areas:
        yield _("outside"), _box(area)
    if article.acquired is not None:
        yield _("observed"), _term(article.acquired)
    if article.produced is not None:
        yield _("made"), _term(article.produced)
    if article.purposes:
        yield _("purposes"), "; ".join(article.purposes)
    for obligation in article.obligations:
        yield _("obligation"), obligation_words(obligation)


def _equivalence_line(equivalence: Equivalence) -> str:
    held = [
        _("article {number}").format(number=equivalence.article),
        equivalence.basis,
        _("verified") if equivalence.verified else _("NOT VERIFIED"),
    ]
    if equivalence.valid is not None:
        held.append(_term(equivalence.valid))
    pair = f"{equivalence.policy} {equivalence.marking} → {equivalence.to_policy} {equivalence.to_marking}"
    return f"{pair}  [{', '.join(held)}]"


def _print_rows(rows: Sequence[Row], indent: int) -> None:
    width = max((len(name) for name, _value in rows), default=0)
    for name, value in rows:
        click.echo(f"{' ' * indent}{name:<{width}}  {value}")


def _print_version(agreement: Agreement, suspensions: Sequence[Suspension], recorded: Sequence[Row]) -> None:
    title = _("{id} version {version}").format(id=agreement.id, version=agreement.version)
    mark = "  " + click.style(_("FICTIONAL"), fg="yellow", bold=True) if agreement.fictional else ""
    click.echo(click.style(title, bold=True) + mark)
    click.echo(f"  {agreement.title}")
    rows = [
        (_("kind"), agreement.kind.value),
        (_("parties"), ", ".join(agreement.parties)),
        (_("in force"), _term(agreement.term)),
        *([(_("applies"), _("from {date}").format(date=_date(agreement.applies_from)))] if agreement.applies_from else []),
        (_("tells the partner of a suspension"), _("yes") if agreement.tells_partner else _("no")),
        *recorded,
        *((_("source"), source) for source in agreement.sources),
    ]
    _print_rows(rows, 2)
    for article in agreement.articles:
        click.echo("  " + click.style(_("article {number}").format(number=article.number), bold=True) + f"  {article.title}")
        _print_rows(list(_article_rows(article)), 4)
    if agreement.equivalences:
        click.echo("  " + click.style(_("equivalences"), bold=True))
        for equivalence in agreement.equivalences:
            click.echo(f"    {_equivalence_line(equivalence)}")
    for suspension in suspensions:
        click.echo("  " + click.style(_("suspended"), bold=True) + f"  {_term(suspension.term)}  {suspension.reason}")


def _happened(event: AgreementEvent) -> str:
    return {
        FactKind.AGREEMENT_SUSPENDED: _("suspended"),
        FactKind.AGREEMENT_RESUMED: _("resumed"),
        FactKind.AGREEMENT_WITHDRAWN: _("withdrawn"),
    }.get(event.kind, event.kind.value)


def _event_json(event: AgreementEvent) -> dict[str, Json]:
    form: dict[str, Json] = {
        "index": event.index,
        "kind": event.kind.value,
        "recorded_at": format_instant(event.recorded_at),
        "recorded_by": event.recorded_by,
        "authority": event.authority,
    }
    if event.version is not None:
        return form | {"agreement": agreement_to_json(event.version, event.suspensions)}
    return form | {"at": event.at, "reason": event.reason or None}


def _show_file(file: Path, *, json_: bool) -> None:
    try:
        agreement, suspensions = read_agreement(parse_toml(read_file(file), name=str(file)), CIVIL_OFFSETS, beside(file))
    except InputError as error:
        if error.field is None:
            raise
        raise InputError(
            Message("{path}: {why}", {"path": str(file), "why": error.message.render(_)}),
            hint=Message("all faults with their lines: kizuna agreement check {path}", {"path": str(file)}),
            field=error.field,
        ) from error
    if json_:
        print_json({"id": agreement.id, "state": None, "facts": [{"agreement": agreement_to_json(agreement, suspensions)}]})
        return
    _print_version(agreement, suspensions, [(_("recorded"), format_instant(agreement.recorded_at))])


@click.command(
    help=_(
        "Show an agreement: all versions that the node knows, how it was suspended, resumed and withdrawn from, who recorded "
        "what and when; or the one version in a file."
    ),
    epilog=examples("kizuna agreement show IQPS-HUR-2025 --node jpn", "kizuna agreement show IQPS-HUR-2025.toml --json"),
)
@click.argument("agreement", metavar="AGREEMENT|FILE")
@node_option
@as_json
def show(agreement: str, folder: Path, json_: bool) -> None:
    """Show."""
    path = Path(agreement)
    if path.suffix == ".toml" or path.is_file():
        _show_file(path, json_=json_)
        return
    with open_node(folder) as here:
        events = agreement_history(here, agreement)
        state = next(line.state for line in agreement_lines(here) if line.id == agreement)
    if json_:
        print_json({"id": agreement, "state": state, "facts": [_event_json(event) for event in events]})
        return
    say_state = click.style(_(state), bold=True)
    click.echo(_("{agreement}: {state}").format(agreement=agreement, state=say_state))
    for event in events:
        who = _("{at} by {who}, by authority of: {authority}").format(
            at=format_instant(event.recorded_at), who=event.recorded_by, authority=event.authority
        )
        if event.version is not None:
            _print_version(event.version, event.suspensions, [(_("recorded"), who)])
        else:
            when = _("from {date}").format(date=event.at)
            click.echo(click.style(_happened(event), bold=True) + f" {when}" + (f"  {event.reason}" if event.reason else ""))
            _print_rows([(_("recorded"), who)], 2)
