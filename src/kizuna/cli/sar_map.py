"""``kizuna sar form --dem``: images straight onto a terrain model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.cli.sar_files import new_file
from kizuna.cli.terminal import Progress, _
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kizuna.earth.scene import LocalScene
    from kizuna.formats.formed_map import MapPlan
    from kizuna.formats.sicd_metadata import SicdDescription
    from kizuna.model.canonical import Json
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.windows import Window

__all__ = ["MAP_VALUES", "form_one_map", "require_map_options"]

# Spelled out so that help needs no radar code; a test holds them against the enumeration.
MAP_VALUES = ("amplitude", "complex")
"""What pixels of a map may hold."""


def require_map_options(dem: Path | None, others: Mapping[str, bool], own: Mapping[str, bool]) -> None:
    """Refuse options that belong to a plane beside a terrain model, and those of a map without one.

    Parameters
    ----------
    dem
        The terrain model.
    others
        Options of images on a plane, and whether each was given.
    own
        Options of maps, likewise.

    Raises
    ------
    InputError
        One was.
    """
    for name, given in (own if dem is None else others).items():
        if not given:
            continue
        if dem is None:
            raise InputError(
                Message("--{option} is for maps on terrain", {"option": name}), hint=Message("Give --dem beside it."), field=name
            )
        raise InputError(
            Message("--{option} and --dem do not go together", {"option": name}),
            hint=Message("Leave one of them out."),
            field=name,
        )


def form_one_map(
    path: Path,
    history: PhaseHistory,
    plan: MapPlan,
    place: tuple[LocalScene, PhaseHistory],
    description: SicdDescription,
    method: str,
    window: Window,
    values: str,
) -> dict[str, Json]:
    """Form an image on a map, write it as a GeoTIFF, and say what was written.

    `place` is where it lies, and the history whose carrier is taken out of complex pixels.
    """
    from kizuna.formats.formed_map import MapValues, form_map
    from kizuna.sar.form import Method
    from kizuna.sar.windows import weighted

    made = form_map(
        weighted(history, window, window),
        place[0],
        plan,
        Method(method),
        carrier=place[1],
        values=MapValues(values),
        tags=_tags(description, window, history.polarisation),
        progress=Progress(_("forming")),
    )
    with new_file(path) as file:
        file.write(made.cog)
    return {"output": str(path), "shape": list(made.shape), "crs": str(plan.grid.crs), "spacing_m": plan.grid.transform.a}


def _tags(description: SicdDescription, window: Window, polarisation: str) -> dict[str, str]:
    """What the file says of itself, in the words that its SICD would have."""
    notes = {f"{name.upper().replace(' ', '_')}": said for name, said in description.notes}
    return notes | {
        "TIFFTAG_IMAGEDESCRIPTION": f"{description.core_name}, {description.collector}, {polarisation}",
        "TIFFTAG_DATETIME": description.collect_start.strftime("%Y:%m:%d %H:%M:%S"),
        "CLASSIFICATION": description.classification,
        "METHOD": f"{description.method}, on terrain",
        "WINDOW": window.kind.value,
    }
