"""What the commands share: words in the person's language, options, tables, progress, errors and exit statuses."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kizuna.cli.wide_help import columns_of
from kizuna.errors import InputError, KizunaError, Message
from kizuna.wiring import TOKEN_VARIABLE, person_at_terminal, read_input, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kizuna.model.canonical import Json

__all__ = [
    "Progress",
    "_",
    "as_json",
    "examples",
    "node_option",
    "print_json",
    "print_table",
    "read_file",
    "refuse",
    "say",
    "wants_json",
]

_ = translate()
"""Sentence in the person's language."""


_REDRAW_S = 0.1


def examples(*commands: str) -> str:
    """Epilog of a command's help: commands that one can copy."""
    return "\b\n" + _("Examples:") + "".join(f"\n  {command}" for command in commands)


def say(message: Message | str, *, err: bool = False) -> None:
    """Print one sentence."""
    click.echo(message.render(_) if isinstance(message, Message) else message, err=err)


def print_json(value: Json) -> None:
    """Print `value` as JSON for people and programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def as_json[F: Callable[..., Any]](command: F) -> F:
    """Give a command the option ``--json``."""
    return click.option("--json", "json_", is_flag=True, help=_("Print JSON."))(command)


def _permitted(context: click.Context, _parameter: click.Parameter, folder: Path) -> Path:
    """Folder of the node, if the person for whom the command acts may do with it what the command does."""
    if TOKEN_VARIABLE not in os.environ:
        return folder
    from kizuna.cli.acts import act_of
    from kizuna.node.access import may

    command = context.command_path.partition(" ")[2]
    try:
        act = act_of(command)
    except KeyError:
        act, known = None, False
    else:
        known = True
    if known and act is None:
        return folder
    person = person_at_terminal(folder)
    # Where no node lies there is nothing to keep from anybody.
    if person is not None and (act is None or not may(person.role, act)):
        values = {"command": context.command_path, "role": person.role}
        raise InputError(
            Message("{command}: the role {role} does not allow it", values),
            hint=Message(
                "docs/access.md says what each role may do; without {variable} the machine's own user acts",
                {"variable": TOKEN_VARIABLE},
            ),
            field=TOKEN_VARIABLE,
        )
    return folder


def node_option[F: Callable[..., Any]](command: F) -> F:
    """Give a command the option ``--node``."""
    return click.option(
        "--node",
        "folder",
        envvar="KIZUNA_NODE",
        default="kizuna-node",
        show_default=True,
        type=click.Path(path_type=Path, file_okay=False),
        callback=_permitted,
        help=_("Folder of the node (also KIZUNA_NODE)."),
    )(command)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a head, columns as wide as they need; only what people read."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(columns_of(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        cells = [cell + " " * (width - columns_of(cell)) for cell, width in zip(line, widths, strict=True)]
        text = "  ".join(cells).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 else text)


class Progress:
    """A line on stderr that says how far long work is; silent where stderr is no terminal.

    Parameters
    ----------
    what
        What is being done.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._on = sys.stderr.isatty() and "NO_PROGRESS" not in os.environ
        self._drawn = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Say that `done` of `total` is done."""
        now = time.monotonic()
        if self._on and (now - self._drawn > _REDRAW_S or done == total):
            self._drawn = now
            percent = 100 * done // total if total else 100
            click.echo(f"\r{self._what} {percent:3d} %", nl=done == total, err=True)


def read_file(path: Path) -> bytes:
    """Bytes of a small file that a person named.

    Raises
    ------
    InputError
        If it cannot be read, is no regular file, or is larger than anybody meant.
    """
    return read_input(path)


def wants_json() -> bool:
    """Whether the command was asked for JSON; known even where its options could not be read."""
    return "--json" in sys.argv


def refuse(error: KizunaError) -> None:
    """Print an error on stderr, as JSON where the command was asked for JSON."""
    if wants_json():
        form = {
            "error": {
                "kind": type(error).__name__,
                "message": error.message.render(_),
                "field": error.field,
                "hint": None if error.hint is None else error.hint.render(_),
            }
        }
        click.echo(json.dumps(form, ensure_ascii=False), err=True)
        return
    click.echo(click.style(_("error:"), fg="red", bold=True) + " " + error.message.render(_), err=True)
    if error.hint is not None:
        click.echo(click.style(_("hint:"), bold=True) + " " + error.hint.render(_), err=True)
