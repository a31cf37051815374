"""Windows over band and aperture, and spatially variant apodisation: sidelobes against resolution."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.image import SpatialSupport

__all__ = ["Window", "WindowKind", "apodise", "parse_window", "weighted"]

type Floats = npt.NDArray[np.float64]
type Image = npt.NDArray[np.complex64]

_DESCRIBED = 512  # points of a window that SICD advises


class WindowKind(StrEnum):
    """Families of windows."""

    UNIFORM = "uniform"
    TAYLOR = "taylor"
    HAMMING = "hamming"
    HANN = "hann"
    KAISER = "kaiser"


@dataclass(frozen=True, slots=True)
class Window:
    """A window, symmetric and of mean 1: a unit scatterer keeps its magnitude.

    Parameters
    ----------
    kind
        Its family.
    sidelobe_db
        Of a Taylor window: how far its sidelobes lie below the peak, positive decibels.
    equal_sidelobes
        Of a Taylor window: how many are held at that level (n-bar).
    beta
        Of a Kaiser window.
    """

    kind: WindowKind = WindowKind.UNIFORM
    sidelobe_db: float = 35.0
    equal_sidelobes: int = 5
    beta: float = 2.5

    def weights(self, count: int = _DESCRIBED) -> Floats:
        """Weights of `count` even samples of the band or aperture, each at the middle of its share of it, shape (count,)."""
        return self.at((np.arange(count) + 0.5) / count)

    def at(self, share: npt.ArrayLike) -> Floats:
        """Weights at places 0 ... 1 of the band or aperture, any shape; over all places their mean is 1."""
        x = np.asarray(share, np.float64) - 0.5
        match self.kind:
            case WindowKind.UNIFORM:
                return np.ones_like(x)
            case WindowKind.TAYLOR:
                return self._taylor(x)
            case WindowKind.HAMMING:
                return 1.0 + 0.46 / 0.54 * np.cos(2.0 * math.pi * x)
            case WindowKind.HANN:
                return 1.0 + np.cos(2.0 * math.pi * x)
            case WindowKind.KAISER:
                shape = np.i0(self.beta * np.sqrt(np.maximum(0.0, 1.0 - 4.0 * x * x)))
                return np.asarray(shape * self.beta / math.sinh(self.beta) if self.beta else np.ones_like(x))
            case _:  # pragma: no cover
                assert_never(self.kind)

    def _taylor(self, x: Floats) -> Floats:
        # Carrara, Goodman and Majewski 1995, appendix D: 1 + 2 sum F_m cos(2 pi m x).
        n = self.equal_sidelobes
        a2 = (math.acosh(10.0 ** (self.sidelobe_db / 20.0)) / math.pi) ** 2
        stretch = n * n / (a2 + (n - 0.5) ** 2)
        others = np.arange(1, n)
        found = np.ones_like(x)
        for m in others:
            above = np.prod(1.0 - m * m / (stretch * (a2 + (others - 0.5) ** 2)))
            below = np.prod(1.0 - (m / others[others != m]) ** 2)
            found += (-1.0) ** (m + 1) * above / below * np.cos(2.0 * math.pi * m * x)
        return found

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and values of what the window takes, as SICD writes them."""
        match self.kind:
            case WindowKind.TAYLOR:
                return ("SLL", f"{-self.sidelobe_db:g}"), ("NBAR", str(self.equal_sidelobes))
            case WindowKind.KAISER:
                return (("BETA", f"{self.beta:g}"),)
            case WindowKind.UNIFORM | WindowKind.HAMMING | WindowKind.HANN:
                return ()
            case _:  # pragma: no cover
                assert_never(self.kind)


def parse_window(text: str) -> Window:
    """Window as a person writes it: a name, and after a colon what it takes: ``taylor:35,5``, ``kaiser:2.5``, ``hamming``.

    Raises
    ------
    InputError
        No such window, or values that it cannot take.

    Examples
    --------
    >>> parse_window("taylor:30,4").equal_sidelobes
    4
    """
    name, _, rest = text.strip().lower().partition(":")
    most = {WindowKind.TAYLOR: 2, WindowKind.KAISER: 1}
    window = None
    with contextlib.suppress(ValueError):
        kind = WindowKind(name)
        values = [float(value) for value in rest.split(",")] if rest else []
        if len(values) <= most.get(kind, 0):
            window = Window(kind)
            if values and kind is WindowKind.KAISER:
                window = replace(window, beta=abs(values[0]))
            elif values:
                window = replace(window, sidelobe_db=abs(values[0]), equal_sidelobes=int([*values, 5][1]))
    if window is None or not (window.sidelobe_db > 0.0 and window.equal_sidelobes > 0 and np.isfinite(window.weights(8)).all()):
        raise InputError(
            Message("no window is called {got}", {"got": text}),
            hint=Message("Write one of {names}; taylor:35,5 and kaiser:2.5 take values.", {"names": ", ".join(WindowKind)}),
            field="window",
        )
    return window


def weighted(history: PhaseHistory, band: Window, aperture: Window) -> PhaseHistory:
    """The same echoes with windows laid over the band and over the aperture.

    Parameters
    ----------
    history
        Phase history.
    band
        Over the frequencies.
    aperture
        Over the angle at which pulses see the scene's zero, from the first to the last and half a step more at either end.

    Returns
    -------
    PhaseHistory
        For any way of forming an image: a unit scatterer at the scene's zero keeps magnitude 1.
    """
    if band.kind is WindowKind.UNIFORM and aperture.kind is WindowKind.UNIFORM:
        return history
    over_band = band.weights(len(history.frequencies_hz))
    away = history.positions_m / np.linalg.norm(history.positions_m, axis=-1)[:, None]
    chord = away[-1] - away[0]
    length = float(np.linalg.norm(chord))
    along = (away - away[0]) @ chord / length**2 if length > 0.0 else np.linspace(0.0, 1.0, history.pulses)
    over_aperture = aperture.at((along * (history.pulses - 1) + 0.5) / history.pulses)
    weights = np.outer(over_aperture / over_aperture.mean(), over_band / over_band.mean())
    return replace(history, samples=(history.samples * weights.astype(np.float32)).astype(np.complex64))


def apodise(pixels: Image, grid: PlaneGrid, support: SpatialSupport) -> Image:
    """Take the sidelobes out of an image without widening its main lobes: spatially variant apodisation.

    Parameters
    ----------
    pixels
        Complex image at baseband, formed with uniform weights, shape (rows, cols).
    grid
        Its pixels.
    support
        Where its spectrum lies.

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        Magnitudes never above those of the input or of its raised-cosine weightings; no longer linear in the echoes.

    Notes
    -----
    Of all windows 1 + 2 a cos(2 pi k / B), 0 <= a <= 1/2, each pixel takes, for its real and its imaginary part, the one that
    makes it least (Stankwitz, Dallaire and Fienup 1995, IEEE Trans. AES 31(1)). The neighbours 1 / B away that this needs are
    interpolated through the spectrum, so that the sampling need not be a multiple of the Nyquist rate. First along rows, then
    along columns.
    """
    out = np.asarray(pixels, np.complex64)
    for axis, (bandwidth, spacing) in enumerate(zip(support.bandwidth, (grid.row_spacing_m, grid.col_spacing_m), strict=True)):
        turns = scipy.fft.fftfreq(out.shape[axis], d=spacing) / bandwidth
        # The sum of both neighbours at once: 2 cos of their shift.
        factor = np.asarray(2.0 * np.cos(2.0 * math.pi * turns), np.float32)
        shaped = factor[:, None] if axis == 0 else factor
        beside = scipy.fft.ifft(scipy.fft.fft(out, axis=axis) * shaped, axis=axis)
        out = np.asarray(_least(out.real, beside.real) + 1j * _least(out.imag, beside.imag), np.complex64)
    return out


def _least(value: npt.NDArray[np.float32], beside: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Least magnitude of value + a beside for 0 <= a <= 1/2, with its sign."""
    most = value + np.float32(0.5) * beside
    crosses = np.signbit(value) != np.signbit(most)
    nearer = np.where(np.abs(most) < np.abs(value), most, value)
    return np.where(crosses, np.float32(0.0), nearer)
