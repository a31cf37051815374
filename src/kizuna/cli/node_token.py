"""``kizuna node token``: credentials of people and their tools."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.node.access import ROLES, Person, credentials, give_access, revoke_access
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.model.canonical import Json
    from kizuna.node.access import Credential, Role

__all__ = ["token"]


@click.group(
    cls=Commands,
    help=_("Credentials of people and their tools: bearer tokens, and passwords of HTTP Basic for tools such as QGIS."),
)
def token() -> None:
    """Group."""


def _json(credential: Credential) -> dict[str, Json]:
    return {
        "id": credential.id,
        "name": credential.person.name,
        "role": credential.person.role,
        "purpose": credential.purpose,
        "made": None if credential.made is None else format_instant(credential.made),
        "until": None if credential.until is None else format_instant(credential.until),
    }


@token.command(
    help=_("Give a person a credential of its own for one purpose; it is shown once, and recorded without its secret."),
    epilog=examples(
        "kizuna node token add aiko --role analyst --for QGIS --node jpn",
        "kizuna node token add prometheus --role operator --days 90 --json",
    ),
)
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help=_("What it allows (docs/access.md)."))
@click.option("--for", "purpose", default="", metavar="TEXT", help=_("What it is for, such as the tool that gets it."))
@click.option("--days", type=click.IntRange(1, 3650), help=_("It ends after so many days (default: when it is revoked)."))
@node_option
@as_json
def add(name: str, role: Role, purpose: str, days: int | None, folder: Path, json_: bool) -> None:
    """Give."""
    with open_node(folder) as here:
        made, secret = give_access(here, Person(name, role), purpose, None if days is None else timedelta(days=days))
    if json_:
        print_json(_json(made) | {"token": secret})
        return
    say(
        Message(
            "Credential {id} of {name}, {role} (shown once): {token}",
            {"id": made.id, "name": name, "role": role} | {"token": secret},
        )
    )
    say(Message("As a bearer token, or with any user name as the password of HTTP Basic."))


@token.command(
    "list", help=_("List the credentials, without their secrets."), epilog=examples("kizuna node token list --node jpn")
)
@node_option
@as_json
def list_(folder: Path, json_: bool) -> None:
    """List."""
    with open_node(folder) as here:
        found = credentials(here)
    if json_:
        print_json([_json(credential) for credential in found])
        return
    print_table(
        [_("id"), _("name"), _("role"), _("for"), _("made"), _("until")],
        [
            [
                c.id,
                c.person.name,
                c.person.role,
                c.purpose or "-",
                *("-" if t is None else format_instant(t)[:10] for t in (c.made, c.until)),
            ]
            for c in found
        ],
    )


@token.command(
    help=_("Revoke a credential by its id, or all of a person by the name: from the next request on they open nothing."),
    epilog=examples("kizuna node token revoke 3f2a9c01d4e5 --node jpn", "kizuna node token revoke aiko"),
)
@click.argument("which", metavar="ID|NAME")
@node_option
@as_json
def revoke(which: str, folder: Path, json_: bool) -> None:
    """Revoke."""
    with open_node(folder) as here:
        gone = revoke_access(here, which)
    if json_:
        print_json([_json(credential) for credential in gone])
        return
    for credential in gone:
        values: dict[str, str | int | float] = {"id": credential.id, "name": credential.person.name}
        say(Message("Revoked: {id} of {name}.", values))
