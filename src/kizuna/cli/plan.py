"""``kizuna plan``: who sees it when, and what follows from that."""

from __future__ import annotations

import click

from kizuna.cli.lazy import LazyGroup
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


@click.group(cls=LazyGroup, places=_COMMANDS, help=_("Plan: who sees it when, and what follows from that."))
def plan() -> None:
    """Group of the planning commands; each loads only what it needs."""
