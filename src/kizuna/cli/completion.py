"""``kizuna completion``: completion for the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kizuna.cli.terminal import _, examples

__all__ = ["completion"]


@click.command(
    help=_("Print the completion script of a shell."),
    epilog=examples(
        'eval "$(kizuna completion bash)"',
        "kizuna completion fish > ~/.config/fish/completions/kizuna.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script."""
    from kizuna.cli.main import kizuna

    script = get_completion_class(shell)
    if script is None:  # pragma: no cover - the choice names only shells that click knows
        raise TypeError(shell)
    click.echo(script(kizuna, {}, "kizuna", "_KIZUNA_COMPLETE").source())
