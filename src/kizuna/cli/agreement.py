"""``kizuna agreement``: check, record, list, show, suspend and resume agreements, and withdraw from them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.agreement_check import check, schema
from kizuna.cli.agreement_show import show
from kizuna.cli.message_text import notice_json
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml, read_agreement
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.reading import LONGEST_LINE, Table
from kizuna.node.founding import record_agreement, resume_agreement, suspend_agreement, withdraw_agreement
from kizuna.node.people import agreement_lines
from kizuna.node.take_messages import notice_message, notices
from kizuna.wiring import CIVIL_OFFSETS, beside, load_settings, open_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.canonical import Json

__all__ = ["agreement"]

# A register's folder holds its ladders beside its agreements.
_MARKINGS = "kizuna/markings/"


@click.group(cls=Commands, help=_("Check, record, list, show, suspend and resume agreements, and withdraw from them."))
def agreement() -> None:
    """Group."""


agreement.add_command(check)
agreement.add_command(schema)
agreement.add_command(show)


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Name the file in which a fault lies."""
    try:
        yield
    except InputError as error:
        raise InputError(
            Message("{path}: {why}", {"path": str(file), "why": error.message.render(_)}),
            hint=error.hint,
            field=error.field,
        ) from error


@agreement.command(
    help=_("Record agreements from their files. A fictional supplement must be accepted by name in the settings."),
    epilog=examples(
        "kizuna agreement add IQPS-HUR-2025.toml --node jpn",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@node_option
@as_json
def add(files: tuple[Path, ...], folder: Path, json_: bool) -> None:
    """Record."""
    settings = load_settings(folder, os.environ)
    documents = []
    for file in files:
        document = parse_toml(read_file(file), name=str(file))
        if str(document.get("schema", "")).startswith(_MARKINGS):
            say(
                Message(
                    "{file}: ladders of markings, no agreement; a node reads its ladders when it is made. Left out.",
                    {"file": str(file)},
                ),
                err=True,
            )
            continue
        documents.append((file, document))
    for file, document in documents:
        # A fault in one file leaves none of them recorded.
        with _naming(file):
            read_agreement(document, CIVIL_OFFSETS, beside(file))
    done: list[Json] = []
    with open_node(folder) as here:
        for file, document in documents:
            with _naming(file):
                recorded = record_agreement(here, document, CIVIL_OFFSETS, settings.accept_fictional, beside(file))
            if recorded is None:
                say(
                    Message("{file}: fictional and not accepted by name in the settings; left out.", {"file": str(file)}),
                    err=True,
                )
                continue
            done.append({"id": recorded.id, "version": recorded.version})
            if not json_:
                say(Message("Recorded {id} version {version}.", {"id": recorded.id, "version": recorded.version}))
    if json_:
        print_json(done)


@agreement.command(
    "list",
    help=_("List the agreements that this node knows, and how each stands now."),
    epilog=examples("kizuna agreement list --node jpn"),
)
@node_option
@as_json
def list_(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        lines, told = agreement_lines(here), notices(here)
    if json_:
        print_json(
            [
                {
                    "id": line.id,
                    "version": line.version,
                    "title": line.title,
                    "parties": list(line.parties),
                    "in_force_from": line.begin,
                    "state": line.state,
                    "withdrawn_with_effect_from": None if line.leaving is None else format_instant(line.leaving),
                    "fictional": line.fictional,
                    "partners_say": [notice_json(one) for one in told if one.notice.agreement == line.id],
                }
                for line in lines
            ]
        )
        return
    print_table(
        [_("agreement"), _("version"), _("parties"), _("in force from"), _("state"), ""],
        [
            [
                line.id,
                str(line.version),
                " – ".join(line.parties),
                line.begin,
                _(line.state),
                _("FICTIONAL") if line.fictional else "",
            ]
            for line in lines
        ],
    )
    for line in lines:
        if line.leaving is not None:
            values: dict[str, str | int | float | Message] = {"agreement": line.id, "date": format_instant(line.leaving)}
            say(Message("{agreement}: withdrawn from, with effect from {date}", values))
    for one in told:
        say(Message("{partner} says: {what}", {"partner": one.partner, "what": notice_message(one.notice)}))


def _sentence(name: str, text: str) -> str:
    """Option that is recorded for good and shown to others, as strictly as the same text in a file."""
    return Table({name: text}).text(name, longest=LONGEST_LINE)


_authority = click.option("--authority", default="release officer", show_default=True, help=_("By what authority."))


@agreement.command(
    help=_("Suspend an agreement from now on: the next request of the partner is refused."),
    epilog=examples(
        "kizuna agreement suspend IQPS-HUR-2025 --reason 'Review of the third-party rule.'",
    ),
)
@click.argument("id_", metavar="AGREEMENT")
@click.option("--reason", required=True, help=_("One sentence; the partner reads it if the agreement says so."))
@_authority
@node_option
@as_json
def suspend(id_: str, reason: str, authority: str, folder: Path, json_: bool) -> None:
    """Suspend."""
    reason, authority = _sentence("reason", reason), _sentence("authority", authority)
    with open_node(folder) as here:
        since = suspend_agreement(here, id_, reason, authority)
    if json_:
        print_json({"agreement": id_, "state": "suspended", "since": format_instant(since)})
    else:
        say(Message("{agreement} is suspended since {since}.", {"agreement": id_, "since": format_instant(since)}))


@agreement.command(
    help=_(
        "Resume a suspended agreement: what was frozen is decided anew. An instant that has passed (--at) ends a past suspension "
        "of which nobody knew when it ended, or corrects its end."
    ),
    epilog=examples(
        "kizuna agreement resume IQPS-HUR-2025",
        "kizuna agreement resume USA-UKR-SHARING --at 2025-03-11T18:00:00Z --authority 'joint statement of 11 March 2025'",
    ),
)
@click.argument("id_", metavar="AGREEMENT")
@click.option("--at", metavar="INSTANT", help=_("When it resumes or resumed (default: now)."))
@_authority
@node_option
@as_json
def resume(id_: str, at: str | None, authority: str, folder: Path, json_: bool) -> None:
    """Resume."""
    moment = None if at is None else parse_instant(at, field="at")
    authority = _sentence("authority", authority)
    with open_node(folder) as here:
        since = resume_agreement(here, id_, authority, moment)
        now = here.now()
    if json_:
        print_json({"agreement": id_, "state": "resumed", "since": format_instant(since)})
    elif since > now:
        say(Message("{agreement} resumes on {since}.", {"agreement": id_, "since": format_instant(since)}))
    else:
        say(Message("{agreement} is resumed since {since}.", {"agreement": id_, "since": format_instant(since)}))


@agreement.command(
    help=_(
        "Withdraw from an agreement, whatever its version: nothing goes under it from then on, and no resumption brings it back."
    ),
    epilog=examples(
        "kizuna agreement withdraw IQPS-HUR-2025 --reason 'Breach of the third-party rule.'",
        "kizuna agreement withdraw IQPS-HUR-2025 --reason 'Notice given on 1 June.' --at 2026-12-01",
    ),
)
@click.argument("id_", metavar="AGREEMENT")
@click.option("--reason", required=True, help=_("One sentence."))
@click.option("--at", metavar="INSTANT", help=_("When it takes effect, now or later (default: now)."))
@_authority
@node_option
@as_json
def withdraw(id_: str, reason: str, at: str | None, authority: str, folder: Path, json_: bool) -> None:
    """Withdraw."""
    reason, authority = _sentence("reason", reason), _sentence("authority", authority)
    moment = None if at is None else parse_instant(at, field="at")
    with open_node(folder) as here:
        effect = withdraw_agreement(here, id_, reason, authority, moment)
    if json_:
        print_json({"agreement": id_, "state": "withdrawn", "from": format_instant(effect)})
    else:
        say(Message("{agreement} is withdrawn from, with effect from {at}.", {"agreement": id_, "at": format_instant(effect)}))
