"""Which register answers a question about files: a folder's, a node's, or the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from kizuna.errors import InputError, Message
from kizuna.wiring import load_register, open_node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.release.register import Register

__all__ = ["refuse_own_register", "register_for_files"]


def refuse_own_register(agreements: Path | None, accept_fictional: Sequence[str], accept_ladder: Sequence[str]) -> None:
    """Refuse a register beside that of a node.

    Raises
    ------
    InputError
        If any of the options that make one was given.
    """
    if agreements is not None or accept_fictional or accept_ladder:
        raise InputError(
            Message("a node has its own register: --agreements and --accept-... are for files without a node"),
            hint=Message("leave these options out, or name files and no --node"),
            field="agreements",
        )


def register_for_files(
    folder: Path, agreements: Path | None, accept_fictional: Sequence[str], accept_ladder: Sequence[str]
) -> Register:
    """Register by which files outside a node are decided: the node's where a person named one, else a folder's or the sample.

    Parameters
    ----------
    folder
        The node's folder, which has a default: it counts only where ``--node`` or ``KIZUNA_NODE`` says it. A folder of
        agreements stands above the variable, never above the option.
    agreements, accept_fictional, accept_ladder
        What `load_register` takes.

    Raises
    ------
    InputError
        If ``--node`` and a folder of agreements are both given, or either cannot be read.
    """
    source = click.get_current_context().get_parameter_source("folder")
    if source is ParameterSource.COMMANDLINE:
        refuse_own_register(agreements, accept_fictional, accept_ladder)
    elif source is not ParameterSource.ENVIRONMENT or agreements is not None or accept_fictional or accept_ladder:
        return load_register(agreements, accept_fictional, accept_ladder)
    with open_node(folder) as here:
        return here.knowledge().register
