"""Sub-apertures and looks: one collection seen from several angles, and speckle averaged over them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.form import Method, form_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

__all__ = ["multilook", "sub_apertures"]

_FEWEST_PULSES = 2


def sub_apertures(history: PhaseHistory, count: int, *, overlap: float = 0.0) -> tuple[PhaseHistory, ...]:
    """Consecutive parts of the aperture, of equal numbers of pulses, in the order of the pulses.

    Parameters
    ----------
    history
        Phase history.
    count
        How many parts.
    overlap
        Share of a part that it has in common with the next, 0 up to 1.

    Raises
    ------
    InputError
        Fewer than one part, parts of fewer than two pulses, or an overlap that is none.
    """
    if not (count >= 1 and 0.0 <= overlap < 1.0 and history.pulses // count >= _FEWEST_PULSES):
        raise InputError(
            Message(
                "{pulses} pulses cannot be cut into {count} parts that overlap by {overlap}",
                {"pulses": history.pulses, "count": count, "overlap": overlap},
            ),
            hint=Message("Ask for fewer parts, of two pulses or more; the overlap is a share below 1."),
            field="looks",
        )
    length = int(history.pulses / (count - (count - 1) * overlap))
    starts = [round(part * (history.pulses - length) / max(1, count - 1)) for part in range(count)]
    return tuple(_part(history, slice(start, start + length)) for start in starts)


def _part(history: PhaseHistory, pulses: slice) -> PhaseHistory:
    def cut(values: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64] | None:
        return None if values is None else values[pulses]

    return replace(
        history,
        samples=history.samples[pulses],
        positions_m=history.positions_m[pulses],
        reference_range_m=history.reference_range_m[pulses],
        range_correction_m=cut(history.range_correction_m),
        phase_correction_rad=cut(history.phase_correction_rad),
        times_s=cut(history.times_s),
    )


def multilook(
    history: PhaseHistory,
    grid: PlaneGrid,
    looks: int,
    method: Method = Method.BACKPROJECTION,
    *,
    overlap: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Amplitude whose square is the mean power of the images of several sub-apertures.

    Parameters
    ----------
    history, looks, overlap
        As `sub_apertures`.
    grid, method
        As `kizuna.sar.form.form_pixels`.
    progress
        Called with (looks done, looks in all).

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        Resolution along columns is that of one part; the number of independent looks is `looks` without overlap.

    Raises
    ------
    InputError
        As `sub_apertures` and `form_pixels`.
    """
    power = np.zeros(grid.shape, np.float32)
    parts = sub_apertures(history, looks, overlap=overlap)
    for done, part in enumerate(parts):
        image = form_pixels(part, grid, method)
        power += image.real**2 + image.imag**2
        if progress is not None:
            progress(done + 1, len(parts))
    return np.sqrt(power / len(parts))
