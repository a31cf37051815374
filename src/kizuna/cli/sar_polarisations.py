"""``kizuna sar form`` of several polarisations: what they share, and their picture in colour."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kizuna.cli.sar_files import new_file, require_new
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kizuna.sar.history import PhaseHistory

__all__ = ["require_composite_options", "require_polarisations", "with_solution", "write_composite"]


def require_composite_options(composite: Path | None, others: Mapping[str, bool]) -> None:
    """Refuse a picture that is there, and one of images that are not complex or not whole.

    Parameters
    ----------
    composite
        Picture to write.
    others
        Options that make such images, and whether each was given.

    Raises
    ------
    InputError
        One was.
    """
    if composite is None:
        return
    require_new(composite)
    for name, given in others.items():
        if given:
            raise InputError(
                Message("--{option} and --composite do not go together", {"option": name}),
                hint=Message("Leave one of them out."),
                field=name,
            )


def require_polarisations(composite: Path | None, *, together: bool) -> None:
    """Refuse a picture in colour of what is no set of polarisations.

    Raises
    ------
    InputError
        It is none.
    """
    if composite is not None and not together:
        raise InputError(
            Message("the echoes are not several polarisations of one collection"),
            hint=Message("Leave --composite out, or name the files of all polarisations."),
            field="composite",
        )


def with_solution(history: PhaseHistory, solution: Mapping[str, Any]) -> PhaseHistory:
    """Echoes with the autofocus that was found for another polarisation of the same pulses.

    Raises
    ------
    InputError
        They have another number of pulses.
    """
    import numpy as np

    phases, ranges = (np.asarray(solution[name], np.float64) for name in ("phase_rad", "range_m"))
    if len(phases) != history.pulses:
        raise InputError(
            Message("the polarisations have {first} and {other} pulses", {"first": len(phases), "other": history.pulses}),
            hint=Message("Without as many pulses one autofocus does not serve both: form each by a command of its own."),
            field="autofocus",
        )
    return replace(history, phase_correction_rad=phases, range_correction_m=ranges)


def write_composite(path: Path, images: Sequence[Path]) -> None:
    """Write the picture of SICDs of one grid."""
    from kizuna.formats.metadata_tree import MetadataTree
    from kizuna.formats.polarisation_picture import composite_png
    from kizuna.formats.sar_pictures import directions_of
    from kizuna.formats.sicd import read_metadata, read_pixels, read_summary

    pixels, summaries, trees = {}, [], []
    for image in images:
        with open_input(image) as file:
            summary = read_summary(file)
            summaries.append(summary)
            trees.append(read_metadata(file))
            pixels[summary.polarisation] = read_pixels(file)
    tree = MetadataTree(trees[0])
    spacing = tuple(tree.number(f"Grid/{axis}/SS") or 1.0 for axis in ("Row", "Col"))
    made = composite_png(
        pixels,
        (spacing[0], spacing[1]),
        title=f"{summaries[0].core_name}, {summaries[0].sensor}",
        directions=directions_of(trees[0]),
    )
    with new_file(path) as file:
        file.write(made)
