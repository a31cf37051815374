"""``kizuna sar form --method omega-k``: strips out of stripmap collections."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from kizuna.cli.sar_files import new_file
from kizuna.cli.sar_looks import write_looks
from kizuna.cli.terminal import Progress, _
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kizuna.cli.sar_sources import Source
    from kizuna.model.canonical import Json
    from kizuna.sar.windows import Window

__all__ = ["STRIPMAP", "form_one_strip", "require_strip_options"]

STRIPMAP = "omega-k"
"""Method that forms strips."""


def require_strip_options(method: str, others: Mapping[str, bool], own: Mapping[str, bool]) -> None:
    """Refuse options that the method has no use for.

    Parameters
    ----------
    method
        How the image is formed.
    others
        Options for which the zero-Doppler grid has no place, and whether each was given.
    own
        Options of strips alone, likewise.

    Raises
    ------
    InputError
        One of them was.
    """
    for name, given in (others if method == STRIPMAP else own).items():
        if given:
            raise InputError(
                Message("--{option} is not for {method}", {"option": name, "method": method}),
                hint=Message("Leave it out, or choose another --method."),
                field=name,
            )


def form_one_strip(
    path: Path,
    source: Source,
    model: Source,
    window: Window,
    doppler: tuple[float | None, float | None],
    looks: int,
) -> dict[str, Json]:
    """Form a strip, write it as SICD, and say what was found.

    Parameters
    ----------
    path
        File to write.
    source
        Echoes, and what the SICD says beside them.
    model
        Echoes whose pixels and Doppler band are taken: the same, or those of another polarisation.
    window
        Over band and aperture.
    doppler
        Centroid and processed width, hertz; None for what the echoes tell.
    looks
        In how many it is detected, and written as SIDD; 1: not at all.

    Raises
    ------
    InputError
        No strip can be formed from these echoes.
    """
    collection, description = source.collection, source.description
    if collection is None or model.collection is None:
        raise InputError(
            Message("these echoes carry no times, and so hold no strip"),
            hint=Message("Form them by another --method."),
            field="method",
        )
    from kizuna.formats.sicd_rma import write_strip
    from kizuna.sar.strip import form_strip, plan_strip
    from kizuna.sar.windows import Window

    plan = plan_strip(model.collection, doppler_hz=doppler[0], width_hz=doppler[1])
    # Of several looks each is weighted by itself.
    aperture = window if looks == 1 else Window()
    strip = form_strip(collection, plan, band=window, aperture=aperture, progress=Progress(_("forming")))
    written: dict[str, Json] = {"output": str(path), "shape": list(strip.pixels.shape)}
    with new_file(path) if looks == 1 else BytesIO() as file:
        write_strip(file, strip, description)
        if looks > 1:
            written = write_looks(path, file, description.marking, looks, window)
    return written | {
        "doppler_centroid_hz": round(plan.doppler.centroid_at(plan.grid.range_m), 3),
        "doppler_width_hz": round(plan.doppler.width_hz, 1),
    }
