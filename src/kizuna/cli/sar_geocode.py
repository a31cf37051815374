"""``kizuna sar geocode``: put an image on a map."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from pathlib import Path

import click

from kizuna.cli.sar_files import new_file, require_new
from kizuna.cli.terminal import _, as_json, examples, say
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input

__all__ = ["geocode"]


@click.command(
    help=_(
        "Put an image on a map, north up, as a cloud-optimised GeoTIFF: a SICD or a Sentinel-1 GRD (the ZIP file of its SAFE "
        "package) by its own geometry, onto the ellipsoid or a terrain model; another by its ground control points."
    ),
    epilog=examples(
        "kizuna sar geocode scene.nitf --output map.tif",
        "kizuna sar geocode scene.nitf --dem dem.tif --undulation 38.2 --quantity gamma0 --mask mask.tif --output gamma.tif",
        "kizuna sar geocode S1A_IW_GRDH_1SDV_20180827.zip --dem dem.tif --spacing 20 --output map.tif",
        "kizuna sar geocode grd.tif --output map.tif",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help=_("File to write."))
@click.option("--dem", type=click.Path(path_type=Path, dir_okay=False), help=_("Terrain model: GeoTIFF of heights in metres."))
@click.option(
    "--undulation",
    type=float,
    default=0.0,
    show_default=True,
    help=_("What to add to the terrain's heights to have them above the ellipsoid, metres."),
)
@click.option(
    "--height", type=float, help=_("Without terrain: height of the map above the ellipsoid, metres (default: the scene's).")
)
@click.option(
    "--spacing", type=click.FloatRange(min=0.0, min_open=True), help=_("Side of a map pixel, metres (default: the image's).")
)
@click.option("--crs", help=_("Projected coordinate system in metres, such as EPSG:32643 (default: the scene's UTM zone)."))
@click.option(
    "--quantity",
    type=click.Choice(["amplitude", "sigma0", "gamma0"]),
    default="amplitude",
    show_default=True,
    help=_("What the map shows; gamma0 with terrain is flattened for its slopes."),
)
@click.option(
    "--mask", type=click.Path(path_type=Path, dir_okay=False), help=_("With terrain: write layover (1) and shadow (2) there.")
)
@as_json
def geocode(
    file: Path,
    output: Path,
    dem: Path | None,
    undulation: float,
    height: float | None,
    spacing: float | None,
    crs: str | None,
    quantity: str,
    mask: Path | None,
    json_: bool,
) -> None:
    """Geocode."""
    from kizuna.formats import geocode as maps

    for path in (output, mask):
        if path is not None:
            require_new(path)
    if mask is not None and dem is None:
        raise InputError(
            Message("without terrain nothing is hidden by it"), hint=Message("give --dem beside --mask"), field="mask"
        )
    with ExitStack() as stack:
        image = stack.enter_context(open_input(file))
        made = maps.geocode(
            image,
            terrain=None if dem is None else stack.enter_context(open_input(dem)),
            undulation_m=undulation,
            height_m=height,
            spacing_m=spacing,
            crs=crs,
            quantity=maps.Quantity(quantity),
        )
    with new_file(output) as target:
        target.write(made.cog)
    if mask is not None and made.mask_cog is not None:
        with new_file(mask) as target:
            target.write(made.mask_cog)
    if json_:
        misfit = None if math.isnan(made.misfit_px) else made.misfit_px
        click.echo(json.dumps({"output": str(output), "mask": None if mask is None else str(mask), "misfit_px": misfit}))
    else:
        say(Message("Wrote {path}.", {"path": str(output)}))
