"""``kizuna sar form --looks``: complex images, detected in several looks and written as SIDD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.cli.sar_files import new_file
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from kizuna.formats.marking import Marking
    from kizuna.model.canonical import Json
    from kizuna.sar.windows import Window

__all__ = ["require_looks_options", "write_looks"]


def require_looks_options(looks: int, others: Mapping[str, bool]) -> None:
    """Refuse options that have no meaning for detected images.

    Parameters
    ----------
    looks
        As wanted.
    others
        Such options, and whether each was given.

    Raises
    ------
    InputError
        Looks are wanted, and one of them was.
    """
    for name, given in others.items():
        if given and looks > 1:
            raise InputError(
                Message("--{option} and --looks do not go together", {"option": name}),
                hint=Message("Leave one of them out."),
                field=name,
            )


def write_looks(path: Path, sicd: BinaryIO, marking: Marking | None, looks: int, aperture: Window) -> dict[str, Json]:
    """Detect a SICD in looks, write the SIDD, and say what was written.

    Parameters
    ----------
    path
        File to write.
    sicd
        The complex image, not weighted along the track.
    marking
        What the SIDD is marked as; None: unclassified.
    looks
        How many.
    aperture
        Window over each look's part of the aperture.

    Raises
    ------
    InputError
        More looks than the image holds.
    """
    from kizuna.formats.marking import UNCLASSIFIED
    from kizuna.formats.sicd_sidd import detected_file

    made = detected_file(sicd, marking or UNCLASSIFIED, looks=looks, aperture=aperture)
    with new_file(path) as file:
        file.write(made.data)
    measured = None if made.equivalent_looks != made.equivalent_looks else round(made.equivalent_looks, 2)
    return {"output": str(path), "shape": list(made.shape), "looks": looks, "equivalent_looks": measured}
