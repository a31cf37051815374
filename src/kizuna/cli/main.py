"""``kizuna``: the commands, loaded when they are called, so that each starts fast."""

from __future__ import annotations

import sys

import click

from kizuna import __version__
from kizuna.cli.lazy import LazyGroup
from kizuna.cli.terminal import _, examples, refuse, wants_json
from kizuna.cli.wide_help import WideFormatter
from kizuna.errors import InputError, KizunaError, Message, StoreError
from kizuna.wiring import speak

__all__ = ["kizuna", "main"]

_COMMANDS = {
    "demo": "kizuna.cli.demo:demo",
    "node": "kizuna.cli.node:node",
    "partner": "kizuna.cli.partner:partner",
    "ingest": "kizuna.cli.ingest:ingest",
    "product": "kizuna.cli.product:product",
    "catalog": "kizuna.cli.catalog:catalog",
    "sar": "kizuna.cli.sar:sar",
    "plan": "kizuna.cli.plan:plan",
    "release": "kizuna.cli.release:release",
    "agreement": "kizuna.cli.agreement:agreement",
    "label": "kizuna.cli.label:label",
    "sync": "kizuna.cli.sync:sync",
    "alert": "kizuna.cli.alert:alert",
    "request": "kizuna.cli.request:request",
    "exchange": "kizuna.cli.exchange:exchange",
    "audit": "kizuna.cli.audit:audit",
    "doctor": "kizuna.cli.doctor:doctor",
    "completion": "kizuna.cli.completion:completion",
}


@click.group(
    cls=LazyGroup,
    places=_COMMANDS,
    help=_("kizuna (絆): a node shows a partner exactly what an agreement in force allows, and can say why."),
    epilog=examples(
        "kizuna demo",
        "kizuna node init --nation JPN --organisation IQPS",
        "kizuna ingest scene.nitf --label scene.label.toml",
        "kizuna release explain scene.nitf --to UKR/HUR --valid-at 2025-06-22",
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="kizuna", help=_("Show the version and exit."))
def kizuna() -> None:
    """Group of all commands."""


def _usage_fault(error: click.ClickException) -> InputError:
    """Fault in how a command was called, as an error of ours."""
    field = None
    match error:
        case click.NoSuchOption(option_name=name):
            field = name
        case click.BadParameter(param=click.Parameter(opts=names)):
            field = max(names, key=len)
        case _:
            pass
    context = error.ctx if isinstance(error, click.UsageError) else None
    return InputError(
        # Click's own sentence: nothing in it is a field.
        Message("{what}", {"what": error.format_message()}),
        hint=Message("see: {command} --help", {"command": "kizuna" if context is None else context.command_path}),
        field=None if field is None else field.lstrip("-"),
    )


def main() -> None:
    """Run the command line; exit 0 ok, 1 error, 2 usage or bad input, 3 not releasable, 4 partner unreachable."""
    speak()
    click.Context.formatter_class = WideFormatter
    try:
        # Without its standalone mode click hands a command's `context.exit(status)` back as a value.
        status = kizuna(prog_name="kizuna", standalone_mode=False)
    except click.ClickException as error:
        if wants_json():
            refuse(_usage_fault(error))
        else:
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("Stopped."), err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe went away: nothing is wrong, nothing is left to say.
        sys.stderr.close()
        sys.exit(1)
    except KizunaError as error:
        refuse(error)
        sys.exit(error.exit_status)
    except OSError as error:
        refuse(
            StoreError(
                Message("{path}: {why}", {"path": str(error.filename or "disk"), "why": error.strerror or str(error)}),
                hint=Message("make room, or check the folder's permissions"),
            )
        )
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
