"""``kizuna plan``: who sees it when, and what follows from that."""

from __future__ import annotations

import importlib

import click

from kizuna.cli.terminal import _

__all__ = ["plan"]

_COMMANDS = {
    "access": "kizuna.cli.plan_access:access",
    "revisit": "kizuna.cli.plan_revisit:revisit",
    "whatif": "kizuna.cli.plan_whatif:whatif",
    "design": "kizuna.cli.plan_design:design",
    "schedule": "kizuna.cli.plan_schedule:schedule",
    "order": "kizuna.cli.plan_order:order",
    "provider": "kizuna.cli.plan_provider:provider",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _colon, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(name)
        return command


@click.group(cls=_Lazy, help=_("Plan: who sees it when, and what follows from that."))
def plan() -> None:
    """Group of the planning commands; each loads only what it needs."""
