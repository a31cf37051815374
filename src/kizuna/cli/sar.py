"""``kizuna sar``: form images from radar echoes."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import click

from kizuna.cli.sar_geocode import geocode
from kizuna.cli.sar_info import check, info
from kizuna.cli.sar_quality import quality
from kizuna.cli.sar_reduce import reduce
from kizuna.cli.sar_simulate import simulate
from kizuna.cli.terminal import Progress, _, as_json, examples, say
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input, system_now

__all__ = ["sar"]


@click.group(help=_("Form images from radar echoes."))
def sar() -> None:
    """Group."""


sar.add_command(info)
sar.add_command(check)
sar.add_command(geocode)
sar.add_command(quality)
sar.add_command(reduce)


@sar.command(
    help=_("Form an image from Gotcha phase history (.mat, one file a degree) and write it as SICD."),
    epilog=examples(
        "kizuna sar form data_3dsar_pass1_az00?_HH.mat --output scene.nitf",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help=_("SICD file to write."))
@click.option("--classification", default="UNCLASSIFIED", show_default=True, help=_("Classification to write into the file."))
@as_json
def form(files: tuple[Path, ...], output: Path, classification: str, json_: bool) -> None:
    """Form."""
    from kizuna.formats.gotcha import describe, form_gotcha
    from kizuna.formats.sicd import write_sicd

    if output.exists():
        raise InputError(
            Message("{path} exists", {"path": str(output)}),
            hint=Message("name another file; none is overwritten"),
            field="output",
        )
    with ExitStack() as stack:
        image = form_gotcha([stack.enter_context(open_input(path)) for path in files], progress=Progress(_("forming")))
    part = output.with_name(output.name + ".part")
    try:
        with part.open("w+b") as file:
            write_sicd(file, image, describe(produced=system_now(), classification=classification))
        part.rename(output)
    finally:
        part.unlink(missing_ok=True)
    if json_:
        click.echo(json.dumps({"output": str(output), "shape": list(image.pixels.shape)}))
    else:
        say(Message("Wrote {path}.", {"path": str(output)}))


sar.add_command(simulate)
