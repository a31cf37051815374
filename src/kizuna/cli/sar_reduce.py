"""``kizuna sar reduce``: what of an image may go, made by hand as a node makes it under an agreement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.sar_files import new_file, require_new
from kizuna.cli.terminal import _, as_json, examples, read_file, say
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input, read_label_file

if TYPE_CHECKING:
    from kizuna.kinds.values import Polygons

__all__ = ["reduce"]


@click.command(
    help=_(
        "Make an image coarser, or cut it to an area, for release. Of a complex image (SICD) a narrower band of its spectrum is "
        "kept, of a detected one the mean power of blocks: what is taken away cannot be computed from what remains."
    ),
    epilog=examples(
        "kizuna sar reduce scene.nitf --resolution 3 --output coarse.nitf",
        "kizuna sar reduce scene.nitf --resolution 3 --area port.geojson --detected --output coarse.tif",
        "kizuna sar reduce scene.nitf --resolution 3 --detected --label coarse.label.toml --output coarse.sidd.nitf",
        "kizuna sar reduce scene.nitf --area port.geojson --label coarse.label.toml --output port.nitf",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help=_("File to write."))
@click.option(
    "--resolution", type=click.FloatRange(min=0.0, min_open=True), help=_("Nothing finer remains, metres on the ground.")
)
@click.option(
    "--area", type=click.Path(path_type=Path, dir_okay=False), help=_("Nothing outside this polygon remains (GeoJSON file).")
)
@click.option("--detected", is_flag=True, help=_("Keep no phase: write a GeoTIFF (COG), or as .nitf and with --label a SIDD."))
@click.option(
    "--label",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Label file of what remains: a NITF is marked as it says, in place of its own marking."),
)
@as_json
def reduce(
    file: Path,
    output: Path,
    resolution: float | None,
    area: Path | None,
    detected: bool,
    label: Path | None,
    json_: bool,
) -> None:
    """Reduce."""
    from kizuna.formats import media_types
    from kizuna.kinds import imagery
    from kizuna.kinds.values import Limits
    from kizuna.model.product import AssetRole

    require_new(output)
    if resolution is None and area is None:
        raise InputError(
            Message("it is not said what is to be taken away"),
            hint=Message("give --resolution, --area or both"),
            field="resolution",
        )
    polygons = None if area is None else _polygons(area)
    marked = None if label is None else read_label_file(label)
    with open_input(file) as opened:
        found = imagery.extract(opened, file.name)
        opened.seek(0)
        made = imagery.reduce(opened, file.name, found.footprint, Limits(resolution or 0.0, polygons, marked))
    wanted = AssetRole.DETECTED if detected else made.files[0][0]
    is_sidd = detected and output.suffix in {".nitf", ".ntf", ".nsf"}
    found_files = [one for one in made.files if one[0] is wanted and (one[2] == media_types.SIDD) is is_sidd]
    if not found_files:
        raise InputError(
            Message("no SIDD can be made of it"),
            hint=Message("give --label, with a label that NITF and IC-ISM have words for; or write a GeoTIFF (.tif)"),
            field="output",
        )
    role, _name, media_type, data = found_files[0]
    with new_file(output) as target:
        target.write(data)
    if json_:
        answer = {
            "output": str(output),
            "media_type": media_type,
            "resolution_m": made.resolution_m,
            "complex": role is AssetRole.ORIGINAL,
        }
        click.echo(json.dumps(answer))
    else:
        values = {"path": str(output), "resolution": f"{made.resolution_m:.2f}"}
        say(Message("Wrote {path}: nothing finer than {resolution} m.", values))


def _polygons(path: Path) -> Polygons:
    from kizuna.catalog.areas import require_sound
    from kizuna.formats.agreement_areas import read_area
    from kizuna.model.reading import Table

    area = read_area(Table({"name": path.stem or "area", "file": path.name}), lambda _name: read_file(path))
    require_sound(area, field=str(path))
    return area.polygons
