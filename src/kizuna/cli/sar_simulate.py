"""``kizuna sar simulate``: echoes of a scene that a recipe describes, what was really there, and the image if it is wanted."""

from __future__ import annotations

import json
import math
import resource
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, print_json, read_file, say
from kizuna.errors import InputError, Message
from kizuna.wiring import machine_name, open_input, sample_folder, system_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from kizuna.model.canonical import Json
    from kizuna.sar.acquisition import Acquisition
    from kizuna.sar.scene import Scene

__all__ = ["simulate"]

_SAMPLES = ("port",)
_MODES = ("spotlight", "stripmap")
_KIB_A_GB = 1e9 / 1024.0
_LOOK_AHEAD_S = 5.0 * 86400.0


@dataclass(slots=True)
class _Stages:
    """What each stage took: seconds of processors and of the clock on the wall."""

    taken: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        cpu, wall = time.process_time(), time.monotonic()
        yield
        self.taken[name] = time.process_time() - cpu, time.monotonic() - wall

    def told(self) -> dict[str, Json]:
        """All of it, with the most memory that was used and the machine that it was used on."""
        stages: dict[str, Json] = {
            name: {"cpu_s": round(cpu, 2), "wall_s": round(wall, 2)} for name, (cpu, wall) in self.taken.items()
        }
        return {
            "stages": stages,
            "cpu_s": round(sum(cpu for cpu, _wall in self.taken.values()), 2),
            "wall_s": round(sum(wall for _cpu, wall in self.taken.values()), 2),
            "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_A_GB, 2),
            "machine": machine_name(),
        }


@click.command(
    help=_(
        "Simulate the echoes of a scene and write them as CPHD, or as CRSD where the file is called so; RECIPE is a TOML file, "
        "or 'port', the reference port."
    ),
    epilog=examples(
        "kizuna sar simulate port --output port.cphd --truth port.geojson --image port.tif",
        "kizuna sar simulate port --elements satellite.tle --output port.cphd",
        "kizuna sar simulate port --mode stripmap --length 5000 --output strip.cphd --truth strip.geojson",
        "kizuna sar simulate port --extent 128 --output small.crsd",
        "kizuna sar simulate port --extent 256 --at 35.6,139.9 --output small.cphd",
    ),
)
@click.argument("recipe", default="port")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("CPHD or CRSD file to write, by its suffix."),
)
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False), help=_("GeoJSON of ships and reflectors to write."))
@click.option("--image", type=click.Path(path_type=Path, dir_okay=False), help=_("COG of the image to form and write."))
@click.option("--mode", type=click.Choice(_MODES), help=_("How the radar looks (default: the recipe's, else spotlight)."))
@click.option(
    "--extent",
    "extent_m",
    type=float,
    metavar="METRES",
    help=_("Side of the square, or a strip's swath (default: the recipe's)."),
)
@click.option("--length", "length_m", type=float, metavar="METRES", help=_("Length of a strip (default: the recipe's)."))
@click.option("--at", "place", metavar="LAT,LON", help=_("Where the scene lies, in degrees (default: the recipe's)."))
@click.option("--seed", type=click.IntRange(min=0), help=_("Of all that is random (default: the recipe's)."))
@click.option(
    "--elements",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Two-line elements of the satellite that observes, at its first pass after the recipe's start."),
)
@click.option("--dem", type=click.Path(path_type=Path, dir_okay=False), help=_("Terrain model: GeoTIFF of heights in metres."))
@click.option(
    "--undulation",
    type=float,
    default=0.0,
    show_default=True,
    help=_("What to add to the terrain's heights to have them above the ellipsoid, metres."),
)
@as_json
def simulate(
    recipe: str,
    output: Path,
    truth: Path | None,
    image: Path | None,
    mode: str | None,
    extent_m: float | None,
    length_m: float | None,
    place: str | None,
    seed: int | None,
    elements: Path | None,
    dem: Path | None,
    undulation: float,
    json_: bool,
) -> None:
    """Simulate."""
    for path, name in ((output, "output"), (truth, "truth"), (image, "image")):
        if path is not None and path.exists():
            raise InputError(
                Message("{path} exists", {"path": str(path)}),
                hint=Message("name another file; none is overwritten"),
                field=name,
            )
    stages = _Stages()
    with stages.stage("load"):
        from kizuna.formats.cphd_write import write_cphd
        from kizuna.formats.crsd_write import write_crsd
        from kizuna.formats.geotiff import write_detected_cog
        from kizuna.formats.scene_truth import truth_of
        from kizuna.formats.simulated_product import FASTEST, form_simulated, place_image
        from kizuna.sar.simulate import acquisition_of, collection_of
        from kizuna.sar.simulate import simulate as observe

        scene = _scene(recipe, mode, place, (extent_m, length_m), seed)
        _require_square(scene, image)
        scene = scene if dem is None else _on_terrain(scene, dem, undulation)
    with stages.stage("simulate"):
        if elements is None:
            acquisition = acquisition_of(scene)
        else:
            scene, acquisition = _flown(scene, elements)
        simulation = observe(scene, acquisition, progress=Progress(_("simulating")))
    with stages.stage("write echoes"):
        write = write_crsd if output.suffix.lower() == ".crsd" else write_cphd
        _write(output, lambda file: write(file, collection_of(simulation), produced=system_now()))
    if truth is not None:
        text = json.dumps(truth_of(simulation), ensure_ascii=False, indent=2) + "\n"
        _write(truth, lambda file: file.write(text.encode()))
    if image is not None:
        with stages.stage("form"):
            formed = form_simulated(simulation, method=FASTEST, progress=Progress(_("forming")))
        with stages.stage("geocode and write COG"):
            cog = write_detected_cog(place_image(formed, simulation))
            _write(image, lambda file: file.write(cog))
    at_rest, exact = simulation.scatterers
    told = stages.told()
    if json_:
        print_json(
            {
                "output": str(output),
                "truth": None if truth is None else str(truth),
                "image": None if image is None else str(image),
                "pulses": len(acquisition.times_s),
                "frequencies": len(acquisition.frequencies_hz),
                "mode": "spotlight" if scene.strip is None else "stripmap",
                "extent_m": simulation.extent_m[0],
                "length_m": simulation.extent_m[1],
                "scatterers": at_rest + exact,
                "error_db": round(simulation.error_db, 1),
                **told,
            }
        )
        return
    values: dict[str, str | int] = {"path": str(output), "pulses": simulation.history.pulses}
    values["frequencies"] = len(acquisition.frequencies_hz)
    say(Message("Wrote {path}: {pulses} pulses of {frequencies} frequencies.", values))
    for path in (truth, image):
        if path is not None:
            say(Message("Wrote {path}.", {"path": str(path)}))
    for stage, (cpu, wall) in stages.taken.items():
        click.echo(f"  {stage:<24}{cpu:7.1f} CPU s{wall:8.1f} s")
    say(
        Message(
            "In all {cpu_s} CPU seconds, {wall_s} s; at most {peak_gb} GB of memory; {machine}.",
            {name: str(told[name]) for name in ("cpu_s", "wall_s", "peak_gb", "machine")},
        )
    )


def _scene(
    recipe: str, mode: str | None, place: str | None, sides_m: tuple[float | None, float | None], seed: int | None
) -> Scene:
    """Scene of a recipe, moved and cut as wanted."""
    from kizuna.formats.scene_recipe import read_scene
    from kizuna.formats.simulated_product import moved
    from kizuna.sar.collection import Mode

    path = sample_folder(recipe) / f"{recipe}.toml" if recipe in _SAMPLES else Path(recipe)
    scene = read_scene(read_file(path), name=path.name, mode=None if mode is None else Mode(mode.upper()))
    centre = None
    if place is not None:
        try:
            latitude, longitude = (float(part) for part in place.split(","))
        except ValueError:
            raise InputError(
                Message("{got} is no place", {"got": place}),
                hint=Message("Give latitude and longitude in degrees, such as 35.35,139.65."),
                field="at",
            ) from None
        centre = latitude, longitude
    return moved(scene, place=centre, extent_m=sides_m[0], length_m=sides_m[1], seed=seed)


def _require_square(scene: Scene, image: Path | None) -> None:
    if scene.strip is not None and image is not None:
        raise InputError(
            Message("no image of a strip is made here"),
            hint=Message("Form one by kizuna sar form --method omega-k, and map it by kizuna sar geocode."),
            field="image",
        )


def _flown(scene: Scene, path: Path) -> tuple[Scene, Acquisition]:
    """The scene and its pulses when the first satellite of a file of elements comes over it."""
    from kizuna.earth.orbit import track_of
    from kizuna.formats.element_sets import newest_sets
    from kizuna.formats.tle import read_tle
    from kizuna.sar.simulate import acquisition_by

    sets = newest_sets(read_tle(read_file(path).decode("ascii", "replace")), scene.start)
    if not sets:
        raise InputError(
            Message("{path} holds no elements", {"path": str(path)}),
            hint=Message("Give a file of two-line elements."),
            field="elements",
        )
    track = track_of(sets[0].elements, scene.start, _LOOK_AHEAD_S)
    return acquisition_by(scene, track.position_ecef_m, scene.start, duration_s=track.end_s)


def _on_terrain(scene: Scene, dem: Path, undulation_m: float) -> Scene:
    from kizuna.earth.scene import LocalScene
    from kizuna.formats.terrain import read_terrain

    # A square that holds the strip, whichever way it lies.
    side_m = scene.extent_m if scene.strip is None else math.hypot(scene.strip.length_m, scene.strip.swath_m) / math.sqrt(2.0)
    with open_input(dem) as file:
        return replace(scene, terrain=read_terrain(file, LocalScene(scene.place), side_m, undulation_m=undulation_m))


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w+b") as file:
            write(file)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
