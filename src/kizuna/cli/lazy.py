"""Groups of commands whose modules are loaded when a command is called, so that each starts fast."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from kizuna.cli.wide_help import Commands

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LazyGroup"]


class LazyGroup(Commands):
    """Group of commands by where they stand, as ``module:name``.

    Parameters
    ----------
    places
        By the commands' names.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], **settings: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **settings)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names, in their order."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Command of a name, loaded; None where there is none."""
        if cmd_name not in self._places:
            return None
        module, _colon, name = self._places[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(name)
        return command
