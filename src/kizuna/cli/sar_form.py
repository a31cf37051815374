"""``kizuna sar form``: complex images out of echoes."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kizuna.cli.sar_files import new_file, require_new
from kizuna.cli.sar_looks import require_looks_options, write_looks
from kizuna.cli.sar_map import MAP_VALUES, form_one_map, require_map_options
from kizuna.cli.sar_polarisations import (
    require_composite_options,
    require_polarisations,
    with_solution,
    write_composite,
)
from kizuna.cli.sar_sources import are_polarisations, read_sources
from kizuna.cli.sar_strip import STRIPMAP, form_one_strip, require_strip_options
from kizuna.cli.terminal import Progress, _, as_json, examples, print_json, say
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.earth.scene import LocalScene
    from kizuna.formats.formed_map import MapPlan
    from kizuna.formats.sicd_metadata import SicdDescription
    from kizuna.model.canonical import Json
    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.windows import Window

__all__ = ["form"]

# Spelled out so that help needs no radar code; a test holds them against the enumerations.
_METHODS = ("backprojection", "factorised", "polar-format", "polar-reference", "polar-plane")
_PLANES = ("ground", "slant")
_AUTOFOCUS = ("none", "given", "own")
_WORDS = {
    "backprojection": "time-domain backprojection",
    "factorised": "factorised time-domain backprojection",
    "polar-format": "polar format",
    "polar-reference": "polar format by non-uniform Fourier transforms",
    "polar-plane": "polar format on its own plane",
}


@click.command(
    help=_(
        "Form complex images from echoes, CPHD, CRSD, raw strips (HDF5) or Gotcha (.mat, one file a degree), and write "
        "them as SICD; on terrain, as GeoTIFF. Of a file with several channels each is formed, into a file of its own; "
        "polarisations of one collection, in one file or several, on the same pixels."
    ),
    epilog=examples(
        "kizuna sar form data_3dsar_pass1_az00?_HH.mat --output scene.nitf",
        "kizuna sar form port.cphd --method polar-format --window taylor:35,5 --output port.nitf",
        "kizuna sar form strip.cphd --method omega-k --output strip.nitf",
        "kizuna sar form port.cphd --method factorised --dem dem.tif --undulation 38.2 --output port.tif",
        "kizuna sar form strip.cphd --method omega-k --looks 4 --output strip.sidd.nitf",
        "kizuna sar form scene-hh.cphd scene-hv.cphd scene-vv.cphd --composite scene.png --output scene.nitf",
        "kizuna sar form port.cphd --autofocus own --solution phases.json --sub-apertures 3 --output port.nitf",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("File to write: SICD, or GeoTIFF with --dem."),
)
@click.option(
    "--method", type=click.Choice((*_METHODS, STRIPMAP)), default="backprojection", show_default=True, help=_("How to form it.")
)
@click.option("--plane", type=click.Choice(_PLANES), default="ground", show_default=True, help=_("Plane of the pixels."))
@click.option(
    "--grid",
    metavar="METRES:METRES",
    help=_("Side of the square and spacing of its pixels (default: 100:0.2 for Gotcha, else what the data hold and resolve)."),
)
@click.option(
    "--window",
    default="uniform",
    show_default=True,
    help=_("Over band and aperture: uniform, hamming, hann, taylor:DB,NBAR, kaiser:BETA."),
)
@click.option("--apodise", is_flag=True, help=_("Take sidelobes out by spatially variant apodisation, which is not linear."))
@click.option(
    "--autofocus",
    type=click.Choice(_AUTOFOCUS),
    default="none",
    show_default=True,
    help=_("Apply the solution given with the data, or one found by phase gradient."),
)
@click.option("--solution", type=click.Path(path_type=Path, dir_okay=False), help=_("Phases applied by autofocus, a JSON file."))
@click.option(
    "--sub-apertures", "parts", type=click.IntRange(min=1), default=1, help=_("Form as many images of parts of the aperture.")
)
@click.option(
    "--looks",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help=_("Detect the image in as many looks, parts of the aperture side by side, and write it as SIDD."),
)
@click.option(
    "--doppler", "doppler_hz", type=float, metavar="HZ", help=_("Doppler centroid of a strip (default: what the echoes tell).")
)
@click.option(
    "--doppler-band", "band_hz", type=float, metavar="HZ", help=_("Doppler band of a strip to process (default: likewise).")
)
@click.option(
    "--dem",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Form the image on this terrain model (GeoTIFF of heights in metres), north up, as a cloud-optimised GeoTIFF."),
)
@click.option(
    "--undulation",
    type=float,
    default=0.0,
    show_default=True,
    help=_("What to add to the terrain's heights to have them above the ellipsoid, metres."),
)
@click.option("--crs", help=_("Projected coordinate system in metres, such as EPSG:32643 (default: the scene's UTM zone)."))
@click.option("--pixels", type=click.Choice(MAP_VALUES), default=MAP_VALUES[0], help=_("What the map on terrain holds."))
@click.option(
    "--composite",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Picture in colour of the polarisations formed (PNG): Pauli's where HH and VV are among them."),
)
@click.option("--channel", help=_("Channel of the CPHD file (default: all)."))
@click.option("--classification", default="UNCLASSIFIED", show_default=True, help=_("Classification to write into the file."))
@as_json
def form(
    files: tuple[Path, ...],
    output: Path,
    method: str,
    plane: str,
    grid: str | None,
    window: str,
    apodise: bool,
    autofocus: str,
    solution: Path | None,
    parts: int,
    looks: int,
    doppler_hz: float | None,
    band_hz: float | None,
    dem: Path | None,
    undulation: float,
    crs: str | None,
    pixels: str,
    composite: Path | None,
    channel: str | None,
    classification: str,
    json_: bool,
) -> None:
    """Form."""
    from kizuna.sar.looks import sub_apertures

    laid = _laid(window, apodise=apodise)
    if solution is not None:
        require_new(solution)
    require_strip_options(
        method,
        {
            "plane": plane != _PLANES[0],
            "grid": grid is not None,
            "apodise": apodise,
            "autofocus": autofocus != "none",
            "sub-apertures": parts > 1,
            "dem": dem is not None,
        },
        {"doppler": doppler_hz is not None, "doppler-band": band_hz is not None},
    )
    require_map_options(
        dem,
        {"plane": plane != _PLANES[0], "apodise": apodise},
        {"undulation": undulation != 0.0, "crs": crs is not None, "pixels": pixels != MAP_VALUES[0]},
    )
    require_composite_options(composite, {"looks": looks > 1, "sub-apertures": parts > 1, "dem": dem is not None})
    require_looks_options(looks, {"apodise": apodise, "sub-apertures": parts > 1, "dem": dem is not None})
    wanted = None if grid is None else _lengths(grid)
    sources = read_sources(files, channel, classification)
    together = are_polarisations(sources)
    require_polarisations(composite, together=together)
    jobs = _jobs(output, [source.name for source in sources], parts)
    written: list[Json] = []
    found: dict[str, Any] = {}
    for index, source in enumerate(sources):
        # Polarisations of one collection share pixels, carrier and autofocus, so that they can be compared in phase.
        model = sources[0] if together else source
        if method == STRIPMAP:
            written.append(form_one_strip(jobs[index], source, model, laid, (doppler_hz, band_hz), looks))
            continue
        scene, nominal = source.scene, source.nominal
        lengths = (100.0, 0.2) if wanted is None and nominal else wanted
        flat = _grid_of(model.history, plane, lengths, parts)
        known = found.get(model.name) if autofocus == "own" else None
        focused, notes = _focused(source.history, autofocus, flat, found, source.name, known)
        told = replace(
            source.description,
            method=_WORDS[method],
            polar_plane=method == "polar-plane",
            autofocused=autofocus != "none",
            notes=(*source.description.notes, *notes),
        )
        on_map = None if dem is None else _map_of(model.history, scene, dem, undulation, lengths, crs)
        for number, part in enumerate(sub_apertures(focused, parts)):
            path = jobs[index * parts + number]
            if on_map is not None:
                carrier = model.history if parts == 1 else part
                written.append(form_one_map(path, part, on_map, (scene, carrier), told, method, laid, pixels))
                continue
            place = scene, nominal, model.history
            written.append(_formed(path, part, flat, place, told, method, laid, looks, apodised=apodise))
    if composite is not None:
        write_composite(composite, jobs)
    if solution is not None:
        with new_file(solution) as file:
            file.write((json.dumps(found, indent=2) + "\n").encode())
    if json_:
        print_json(written[0] if len(written) == 1 else {"images": [*written]})
        return
    for path in jobs:
        say(Message("Wrote {path}.", {"path": str(path)}))


def _laid(window: str, *, apodise: bool) -> Window:
    from kizuna.sar.windows import WindowKind, parse_window

    laid = parse_window(window)
    if apodise and laid.kind is not WindowKind.UNIFORM:
        raise InputError(
            Message("apodisation takes an image without a window, not {got}", {"got": window}),
            hint=Message("Leave one of them out."),
            field="window",
        )
    return laid


def _jobs(output: Path, names: Sequence[str], parts: int) -> list[Path]:
    """Files to write, none of which is there: for each channel and each part of the aperture, in order."""
    found = []
    for name in names:
        suffix = f"-{name}" if len(names) > 1 else ""
        for number in range(parts):
            ending = f"-{number + 1}" if parts > 1 else ""
            found.append(output.with_name(f"{output.stem}{suffix}{ending}{output.suffix}"))
            require_new(found[-1])
    return found


def _lengths(text: str) -> tuple[float, float]:
    first, _colon, second = text.partition(":")
    try:
        return float(first), float(second)
    except ValueError:
        raise InputError(
            Message("{got} is no grid", {"got": text}),
            hint=Message("Write the side of the square and the spacing in metres, such as 100:0.2."),
            field="grid",
        ) from None


def _grid_of(history: PhaseHistory, plane: str, wanted: tuple[float, float] | None, parts: int) -> PlaneGrid:
    """Pixels: as wanted, else all that neither pulses nor frequencies fold, at 1.25 times the rate that each axis needs."""
    from kizuna.sar.grid import ground_grid, slant_grid
    from kizuna.sar.image import spatial_support

    make = ground_grid if plane == "ground" else slant_grid
    if wanted is not None:
        return make(history, extent_m=wanted[0], spacing_m=wanted[1])
    grid = make(history, extent_m=2.0, spacing_m=1.0)
    row_band, col_band = spatial_support(history, grid).bandwidth
    extent = 0.9 * min((len(history.frequencies_hz) - 1) / row_band, history.pulses / col_band)
    rows, cols = 0.8 / row_band, 0.8 / col_band * parts
    return replace(grid, row_spacing_m=rows, col_spacing_m=cols, rows=round(extent / rows), cols=round(extent / cols))


def _map_of(
    history: PhaseHistory,
    scene: LocalScene,
    dem: Path,
    undulation_m: float,
    lengths_m: tuple[float, float] | None,
    crs: str | None,
) -> MapPlan:
    """Pixels on terrain: as wanted, else all that nothing folds."""
    from kizuna.formats.formed_map import plan_map

    with open_input(dem) as terrain:
        return plan_map(history, scene, terrain, undulation_m=undulation_m, lengths_m=lengths_m, crs=crs)


def _focused(
    history: PhaseHistory, autofocus: str, grid: PlaneGrid, found: dict[str, Any], name: str, known: dict[str, Any] | None
) -> tuple[PhaseHistory, tuple[tuple[str, str], ...]]:
    """History with autofocus applied, and what to note of it in the image; the phases go into `found`.

    `known` is what was found for another polarisation of the same pulses.
    """
    if autofocus == "none":
        return replace(history, range_correction_m=None, phase_correction_rad=None), ()
    if autofocus == "given":
        focused = history.autofocused()
        notes = (("Autofocus", "solution given with the data"),)
    elif known is not None:
        history = with_solution(history, known)
        focused = history.autofocused()
        notes = (("Autofocus", "phase gradient, as found for the first polarisation"),)
    else:
        from kizuna.sar.autofocus import phase_gradient

        own = replace(history, range_correction_m=None, phase_correction_rad=None)
        solved = phase_gradient(own, grid, progress=Progress(_("focusing")))
        history = solved.history
        focused = history.autofocused()
        rms = float((solved.phase_rad**2).mean() ** 0.5)
        notes = (("Autofocus", f"phase gradient, {solved.points} points, {len(solved.change_rad)} rounds, {rms:.3f} rad rms"),)
    if history.phase_correction_rad is not None and history.range_correction_m is not None:
        found[name] = {
            "phase_rad": [round(float(value), 6) for value in history.phase_correction_rad],
            "range_m": [round(float(value), 6) for value in history.range_correction_m],
        }
    return focused, notes


def _formed(
    path: Path,
    history: PhaseHistory,
    grid: PlaneGrid,
    place: tuple[LocalScene, bool, PhaseHistory],
    description: SicdDescription,
    method: str,
    window: Window,
    looks: int,
    *,
    apodised: bool,
) -> dict[str, Json]:
    from kizuna.formats.sicd import write_sicd
    from kizuna.formats.sicd_metadata import weighting_of
    from kizuna.sar.form import Method, form_pixels
    from kizuna.sar.image import FormedImage, spatial_support, to_baseband
    from kizuna.sar.windows import Window, apodise, weighted

    # Of several looks each is weighted by itself.
    aperture = window if looks == 1 else Window()
    pixels = form_pixels(weighted(history, window, aperture), grid, Method(method), progress=Progress(_("forming")))
    scene, nominal, carrier = place
    pixels = to_baseband(pixels, carrier, grid)
    if apodised:
        pixels = apodise(pixels, grid, spatial_support(history, grid))
        description = replace(description, notes=(*description.notes, ("Apodisation", "spatially variant, rows then columns")))
    image = FormedImage(pixels, grid, history, scene, nominal)
    told = replace(description, row_weighting=weighting_of(window), col_weighting=weighting_of(aperture))
    with new_file(path) if looks == 1 else BytesIO() as file:
        write_sicd(file, image, told)
        if looks > 1:
            return write_looks(path, file, told.marking, looks, window)
    return {"output": str(path), "shape": list(pixels.shape)}
