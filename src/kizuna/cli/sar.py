"""``kizuna sar``: form images from radar echoes."""

from __future__ import annotations

import click

from kizuna.cli.sar_form import form
from kizuna.cli.sar_geocode import geocode
from kizuna.cli.sar_info import check, info
from kizuna.cli.sar_quality import quality
from kizuna.cli.sar_reduce import reduce
from kizuna.cli.sar_simulate import simulate
from kizuna.cli.terminal import _
from kizuna.cli.wide_help import Commands

__all__ = ["sar"]


@click.group(cls=Commands, help=_("Form images from radar echoes."))
def sar() -> None:
    """Group."""


sar.add_command(form)
sar.add_command(info)
sar.add_command(check)
sar.add_command(geocode)
sar.add_command(quality)
sar.add_command(reduce)
sar.add_command(simulate)
