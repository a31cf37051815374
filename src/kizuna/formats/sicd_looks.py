"""Looks of a SICD: its band along the track cut into parts side by side, each detected, their powers averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import sarkit.sicd
import scipy.fft

from kizuna.errors import InputError, Message
from kizuna.sar.image import detect
from kizuna.sar.speckle import equivalent_looks
from kizuna.sar.windows import Window, WindowKind

if TYPE_CHECKING:
    import lxml.etree

__all__ = ["Looks", "looks_of_image"]

type Floats = npt.NDArray[np.float64]
type Image = npt.NDArray[np.complex64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd

_UNIFORM = Window()
_FEWEST_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Looks:
    """Mean power of several looks.

    Parameters
    ----------
    power
        Shape (rows, cols): twice as many rows as the image has, columns as `columns_a_pixel` says.
    columns_a_pixel
        Columns of this for one of the image; the first of both lie on each other.
    count
        How many looks were averaged.
    equivalent
        Equivalent number of looks, measured on the most homogeneous fields.
    """

    power: npt.NDArray[np.float32]
    columns_a_pixel: float
    count: int
    equivalent: float


def looks_of_image(tree: lxml.etree._ElementTree, pixels: Image, count: int, *, aperture: Window = _UNIFORM) -> Looks:
    """Detect a complex image in several looks.

    Parameters
    ----------
    tree
        Metadata of the SICD.
    pixels
        Its pixels, shape (rows, cols), whose band along the columns is not weighted where there is more than one look.
    count
        How many looks.
    aperture
        Window over the band of each look.

    Raises
    ------
    InputError
        Fewer than one look, or so many that a look has fewer than eight columns; an image weighted along the track.

    Notes
    -----
    Parts of the band along the track are parts of the aperture (Cumming and Wong 2005, section 6.5). They lie about the centre
    that the metadata give (DeltaKCOAPoly), row by row, are as wide as each other and do not overlap: their speckle is
    independent, so that there are as many equivalent looks. Resolution along the track is `count` times coarser.
    """
    rows, cols = pixels.shape
    helper = _sarkit.XmlHelper(tree)
    kept = math.ceil(cols / count) if count > 0 else 0
    if kept < _FEWEST_COLUMNS:
        raise InputError(
            Message("{looks} looks of {cols} columns", {"looks": count, "cols": cols}),
            hint=Message("Ask for fewer looks, of eight columns or more each."),
            field="looks",
        )
    if count == 1 and aperture.kind is WindowKind.UNIFORM:
        power = np.square(detect(pixels))
        return Looks(power, 2.0, 1, equivalent_looks(power)[0])
    if helper.load("./{*}Grid/{*}Col/{*}WgtFunct") is not None:
        raise InputError(
            Message("the image is weighted along the track, so that its looks would not be alike"),
            hint=Message("Form it with a uniform window; each look can be weighted by itself."),
            field="looks",
        )
    spacing = float(helper.load("./{*}Grid/{*}Col/{*}SS"))
    band = float(helper.load("./{*}Grid/{*}Col/{*}ImpRespBW"))
    centres = _centres(helper, rows, spacing)
    # Power is all that is wanted, and the conjugate image has the spectrum of the other sign.
    spectrum = scipy.fft.fft(np.conj(pixels) if int(helper.load("./{*}Grid/{*}Col/{*}Sgn")) > 0 else pixels, axis=1)
    # Bins of a part of the band, about its own middle: of each row its own, for the centre goes with the range.
    bins = np.arange(kept) - kept // 2
    share = bins / (cols * spacing) / (band / count) + 0.5
    inside = (share >= 0.0) & (share < 1.0)
    weights = np.where(inside, aperture.at(np.clip(share, 0.0, 1.0)), 0.0).astype(np.float32)
    total = np.zeros((2 * rows, 2 * kept), np.float32)
    for look in range(count):
        middles = np.rint((centres + band * ((look + 0.5) / count - 0.5)) * cols * spacing).astype(np.intp)
        part = np.take_along_axis(spectrum, (middles[:, None] + bins) % cols, axis=1) * weights
        # As bright as the whole image shows a scatterer: its band has `count` such parts.
        image = scipy.fft.ifft(np.fft.ifftshift(part, axes=1), axis=1) * np.float32(count * kept / cols)
        total += np.square(detect(image))
    total /= np.float32(count)
    return Looks(total, 2.0 * kept / cols, count, equivalent_looks(total)[0])


def _centres(helper: Any, rows: int, spacing: float) -> Floats:  # noqa: ANN401 # sarkit's XML helper, untyped
    """Middle of the band along the columns of each row, cycles a metre, within what the sampling tells."""
    poly = helper.load("./{*}Grid/{*}Col/{*}DeltaKCOAPoly")
    if poly is None:
        return np.zeros(rows)
    first = float(helper.load("./{*}ImageData/{*}FirstRow")) - float(helper.load("./{*}ImageData/{*}SCPPixel/{*}Row"))
    x = (np.arange(rows) + first) * float(helper.load("./{*}Grid/{*}Row/{*}SS"))
    centres = np.polynomial.polynomial.polyval(x, np.asarray(poly)[:, 0])
    return np.asarray(centres - np.rint(centres * spacing) / spacing, np.float64)
