"""``kizuna sar simulate``: echoes of a scene that a recipe describes, and what was really there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, print_json, say
from kizuna.errors import InputError, Message
from kizuna.wiring import read_input, sample_folder, system_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from kizuna.sar.scene import Scene

__all__ = ["simulate"]

_SAMPLES = ("port",)


@click.command(
    help=_("Simulate the echoes of a scene and write them as CPHD; RECIPE is a TOML file, or 'port', the reference port."),
    epilog=examples(
        "kizuna sar simulate port --output port.cphd --truth port.geojson",
        "kizuna sar simulate port --extent 256 --at 35.6,139.9 --output small.cphd",
    ),
)
@click.argument("recipe", default="port")
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help=_("CPHD file to write."))
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False), help=_("GeoJSON of ships and reflectors to write."))
@click.option("--extent", "extent_m", type=float, metavar="METRES", help=_("Side of the square (default: the recipe's)."))
@click.option("--at", "place", metavar="LAT,LON", help=_("Where the scene lies, in degrees (default: the recipe's)."))
@click.option("--seed", type=click.IntRange(min=0), help=_("Of all that is random (default: the recipe's)."))
@as_json
def simulate(
    recipe: str, output: Path, truth: Path | None, extent_m: float | None, place: str | None, seed: int | None, json_: bool
) -> None:
    """Simulate."""
    from kizuna.formats.cphd_write import write_cphd
    from kizuna.formats.scene_truth import truth_of
    from kizuna.sar.simulate import acquisition_of, collection_of
    from kizuna.sar.simulate import simulate as observe

    for path, field in ((output, "output"), (truth, "truth")):
        if path is not None and path.exists():
            raise InputError(
                Message("{path} exists", {"path": str(path)}),
                hint=Message("name another file; none is overwritten"),
                field=field,
            )
    scene = _scene(recipe, place, extent_m, seed)
    acquisition = acquisition_of(scene)
    simulation = observe(scene, acquisition, progress=Progress(_("simulating")))
    _write(output, lambda file: write_cphd(file, collection_of(simulation), produced=system_now()))
    if truth is not None:
        text = json.dumps(truth_of(simulation), ensure_ascii=False, indent=2) + "\n"
        _write(truth, lambda file: file.write(text.encode()))
    at_rest, exact = simulation.scatterers
    if json_:
        print_json(
            {
                "output": str(output),
                "truth": None if truth is None else str(truth),
                "pulses": len(acquisition.times_s),
                "frequencies": len(acquisition.frequencies_hz),
                "extent_m": scene.extent_m,
                "scatterers": at_rest + exact,
                "error_db": round(simulation.error_db, 1),
            }
        )
        return
    values: dict[str, str | int] = {
        "path": str(output),
        "pulses": len(acquisition.times_s),
        "frequencies": len(acquisition.frequencies_hz),
    }
    say(Message("Wrote {path}: {pulses} pulses of {frequencies} frequencies.", values))


def _scene(recipe: str, place: str | None, extent_m: float | None, seed: int | None) -> Scene:
    """Scene of a recipe, moved and cut as wanted."""
    from dataclasses import replace

    from kizuna.earth.wgs84 import Geodetic
    from kizuna.formats.scene_recipe import LARGEST_EXTENT_M, read_scene

    path = sample_folder(recipe) / f"{recipe}.toml" if recipe in _SAMPLES else Path(recipe)
    scene = read_scene(read_input(path), name=path.name)
    if extent_m is not None:
        if not 10.0 <= extent_m <= LARGEST_EXTENT_M:  # noqa: PLR2004 # as in a recipe
            raise InputError(
                Message("extent {got} m; expected 10 to {most} m", {"got": extent_m, "most": LARGEST_EXTENT_M}),
                hint=Message("Simulate several scenes to cover more."),
                field="extent",
            )
        scene = replace(scene, extent_m=extent_m)
    if place is not None:
        try:
            latitude, longitude = (float(part) for part in place.split(","))
        except ValueError:
            latitude = longitude = float("nan")
        if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0):  # noqa: PLR2004 # degrees
            raise InputError(
                Message("{got} is no place", {"got": place}),
                hint=Message("Give latitude and longitude in degrees, such as 35.35,139.65."),
                field="at",
            )
        scene = replace(
            scene, place=Geodetic.from_degrees(latitude_deg=latitude, longitude_deg=longitude, height_m=scene.place.height_m)
        )
    return scene if seed is None else replace(scene, seed=seed)


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w+b") as file:
            write(file)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
