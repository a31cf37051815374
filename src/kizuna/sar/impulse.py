"""Impulse responses of point targets: where they peak, how wide they are, what stands beside them, each axis by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

__all__ = ["HALF_CHIP", "AxisResponse", "ImpulseResponse", "find_points", "measure_response", "theoretical_response"]

type Floats = npt.NDArray[np.float64]
type Complex = npt.NDArray[np.complex128]

HALF_CHIP = 48
"""Pixels around a target that are looked at, to each side; fewer near the edge of an image."""

# Of a half chip: what is faded out, so that its periodic continuation does not disturb what is inside, and how far sidelobes are
# looked for.
_FADED, _REACHED = 1.0 / 3.0, 0.5
_LEAST_HALF_CHIP = 16
_REACH = HALF_CHIP * _REACHED
_STEPS = 64  # samples of a cut a pixel
_TILE = 16
_LEAST_RATIO = 100.0  # 20 dB above the median around it
_MOST_CANDIDATES = 60
_ALONE = 12
_HALF_POWER = 0.5
_FINE = 64
_WIDTH_TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class AxisResponse:
    """Cut of a response along one axis.

    Parameters
    ----------
    width_px
        Full width at half power, pixels.
    pslr_db
        Highest sidelobe over the peak, within 24 pixels (fewer near an edge); NaN where there is none.
    islr_db
        Energy beside the main lobe (beyond the first minima) over that in it, as far.
    offsets_px, level_db
        The cut itself: distance from the peak and power over the peak's, shape (n,).
    """

    width_px: float
    pslr_db: float
    islr_db: float
    offsets_px: Floats
    level_db: Floats


@dataclass(frozen=True, slots=True)
class ImpulseResponse:
    """Response of one point target.

    Parameters
    ----------
    row, col
        Peak, fractional pixel indices.
    amplitude
        At the peak.
    clutter_db
        Peak power over the median power around it.
    along_rows, along_cols
        Cuts along the row index (a fixed column) and along the column index.
    """

    row: float
    col: float
    amplitude: float
    clutter_db: float
    along_rows: AxisResponse
    along_cols: AxisResponse


def measure_response(pixels: npt.NDArray[np.complexfloating], row: float, col: float, *, search_px: int = 4) -> ImpulseResponse:
    """Measure the brightest point near a place.

    Parameters
    ----------
    pixels
        Complex image, shape (rows, cols), of any carrier, sampled at least 1.05 times as finely as its bandwidth needs.
    row, col
        Where to look, pixel indices.
    search_px
        How far from there the peak may lie, pixels.

    Returns
    -------
    ImpulseResponse
        The measures.

    Raises
    ------
    InputError
        Too near the edge, nothing there, or a response that does not fall to half its power.

    Notes
    -----
    The chip is read between its pixels through its own spectrum, taken about its centroid. The main lobe ends at the first
    minima; PSLR and ISLR are those of the cut, not of the plane (CEOS SAR-CEOS-CALVAL, point-target analysis).
    """
    rows, cols = pixels.shape
    first_row, first_col = max(round(row) - search_px, 0), max(round(col) - search_px, 0)
    near = np.abs(pixels[first_row : max(round(row) + search_px + 1, 0), first_col : max(round(col) + search_px + 1, 0)])
    values: dict[str, str | int | float] = {"row": round(row), "col": round(col)}
    if not near.size or not near.max() > 0.0:
        raise InputError(
            Message("there is nothing at row {row}, column {col}", values),
            hint=Message("Check where the target lies."),
            field="target",
        )
    down, across = (int(index) for index in np.unravel_index(int(near.argmax()), near.shape))
    at_row, at_col = first_row + down, first_col + across
    half = min(HALF_CHIP, at_row, at_col, rows - at_row, cols - at_col)
    if half < _LEAST_HALF_CHIP:
        values = {"row": at_row, "col": at_col, "margin": _LEAST_HALF_CHIP, "rows": rows, "cols": cols}
        raise InputError(
            Message(
                "row {row}, column {col} lies within {margin} pixels of the edge of an image of {rows} x {cols} pixels", values
            ),
            hint=Message("Form a larger image, or measure a point farther inside it."),
            field="target",
        )
    top, left = at_row - half, at_col - half
    chip = np.asarray(pixels[top : top + 2 * half, left : left + 2 * half], np.complex128)
    series = _Series(chip)
    peak_row, peak_col = series.peak()
    amplitude = float(np.abs(series.at(np.array([peak_row]), np.array([peak_col])))[0, 0])
    reach = int(half * _REACHED)
    offsets = np.linspace(-reach, reach, 2 * reach * _STEPS + 1)
    along_rows = np.abs(series.at(peak_row + offsets, np.array([peak_col])))[:, 0] / amplitude
    along_cols = np.abs(series.at(np.array([peak_row]), peak_col + offsets))[0] / amplitude
    return ImpulseResponse(
        row=top + peak_row,
        col=left + peak_col,
        amplitude=amplitude,
        clutter_db=20.0 * math.log10(amplitude / max(float(np.median(np.abs(chip))), 1e-300)),
        along_rows=_axis(offsets, along_rows),
        along_cols=_axis(offsets, along_cols),
    )


def find_points(
    pixels: npt.NDArray[np.complexfloating], widths_px: tuple[float, float], *, most: int = 8
) -> tuple[ImpulseResponse, ...]:
    """Point targets of an image: bright, alone, and as wide as theory has it.

    Parameters
    ----------
    pixels
        Complex image, shape (rows, cols).
    widths_px
        Full widths at half power that theory has, along the row and the column index, pixels.
    most
        How many are wanted.

    Returns
    -------
    tuple of ImpulseResponse
        Brightest over their surroundings first; empty where there are none.
    """
    power = np.abs(np.asarray(pixels)) ** 2
    rows, cols = (size // _TILE for size in power.shape)
    if rows < 1 or cols < 1:
        return ()
    tiles = power[: rows * _TILE, : cols * _TILE].reshape(rows, _TILE, cols, _TILE).swapaxes(1, 2).reshape(rows, cols, -1)
    highest, place = tiles.max(axis=2), tiles.argmax(axis=2)
    usual = float(np.median(power[power > 0.0])) if np.any(power > 0.0) else math.inf
    found: list[ImpulseResponse] = []
    tried = 0
    for index in np.argsort(highest, axis=None)[::-1]:
        tile_row, tile_col = np.unravel_index(index, highest.shape)
        peak = highest[tile_row, tile_col]
        if peak < _LEAST_RATIO * usual or tried == _MOST_CANDIDATES:
            break
        row = int(tile_row) * _TILE + int(place[tile_row, tile_col]) // _TILE
        col = int(tile_col) * _TILE + int(place[tile_row, tile_col]) % _TILE
        if peak < power[max(row - _ALONE, 0) : row + _ALONE + 1, max(col - _ALONE, 0) : col + _ALONE + 1].max():
            continue
        tried += 1
        try:
            response = measure_response(pixels, row, col, search_px=1)
        except InputError:
            continue
        alone = all(max(abs(response.row - other.row), abs(response.col - other.col)) > _REACH for other in found)
        measured = response.along_rows.width_px, response.along_cols.width_px
        right = all(abs(got / want - 1.0) < _WIDTH_TOLERANCE for got, want in zip(measured, widths_px, strict=True))
        clean = not (response.along_rows.pslr_db > -_CLEAN_DB or response.along_cols.pslr_db > -_CLEAN_DB)
        if alone and right and clean:
            found.append(response)
    found.sort(key=lambda response: -response.clutter_db)
    return tuple(found[:most])


_CLEAN_DB = 9.0  # a uniform response's first sidelobe stands 13.3 dB below its peak; more than 4 dB on top is a neighbour's


class _Series:
    """A chip that can be evaluated between its pixels."""

    def __init__(self, chip: Complex) -> None:
        self._middle = len(chip) // 2
        taper = round(_FADED * self._middle)
        fade = 0.5 - 0.5 * np.cos(math.pi * (np.arange(taper) + 0.5) / taper)
        window = np.ones(len(chip))
        window[:taper], window[-taper:] = fade, fade[::-1]
        chip = chip * window[:, None] * window
        spectrum = np.fft.fft2(chip) / chip.size
        power = np.abs(spectrum) ** 2
        self._spectrum = spectrum
        self._frequencies = [_about_centroid(power.sum(axis=1 - axis)) for axis in (0, 1)]

    def at(self, rows: Floats, cols: Floats) -> Complex:
        """Values at all pairs of fractional rows (n,) and columns (m,), shape (n, m)."""
        left = np.exp(2j * math.pi * np.outer(rows, self._frequencies[0]))
        right = np.exp(2j * math.pi * np.outer(self._frequencies[1], cols))
        return np.asarray(left @ self._spectrum @ right, np.complex128)

    def peak(self) -> tuple[float, float]:
        """Fractional row and column of the greatest magnitude near the middle, to a thousandth of a pixel."""
        row = col = float(self._middle)
        neighbours = np.arange(-8, 9, dtype=np.float64)
        step = 1.0 / 8.0
        for _ in range(4):
            rows, cols = row + step * neighbours, col + step * neighbours
            magnitude = np.abs(self.at(rows, cols))
            i, j = np.unravel_index(int(magnitude.argmax()), magnitude.shape)
            row, col = float(rows[i]), float(cols[j])
            step /= 8.0
        return row, col


def _about_centroid(power: Floats) -> Floats:
    """Frequencies (cycles a sample) of DFT bins, each taken from the period centred on the power's circular centroid."""
    frequencies = np.fft.fftfreq(len(power))
    centroid = float(np.angle(np.sum(power * np.exp(2j * math.pi * frequencies)))) / (2.0 * math.pi)
    return frequencies - np.rint(frequencies - centroid)


def _axis(offsets: Floats, amplitude: Floats) -> AxisResponse:
    middle = len(offsets) // 2
    power = amplitude**2
    ends = []
    width = 0.0
    for side in (power[middle::-1], power[middle:]):
        below = np.flatnonzero(side < _HALF_POWER)
        rising = np.flatnonzero(np.diff(side) > 0.0)
        if not below.size:
            raise InputError(
                Message("the response does not fall to half its power within {limit} pixels", {"limit": float(offsets[-1])}),
                hint=Message("Measure an isolated bright point in a focused image."),
                field="target",
            )
        high = int(below[0])
        width += (high - 1 + (side[high - 1] - _HALF_POWER) / (side[high - 1] - side[high])) / _STEPS
        after = rising[rising >= high]
        ends.append(int(after[0]) if after.size else len(side) - 1)
    low, high = middle - ends[0], middle + ends[1]
    beside = np.concatenate([power[:low], power[high + 1 :]])
    main = float(power[low : high + 1].sum())
    if beside.size:
        pslr_db = 10.0 * math.log10(max(float(beside.max()), 1e-30))
        islr_db = 10.0 * math.log10(max(float(beside.sum()) / main, 1e-30))
    else:
        pslr_db = islr_db = math.nan
    return AxisResponse(width, pslr_db, islr_db, offsets, 10.0 * np.log10(np.maximum(power, 1e-30)))


def theoretical_response(width_px: float, weights: npt.ArrayLike | None = None) -> AxisResponse:
    """Response that an evenly filled, weighted band has.

    Parameters
    ----------
    width_px
        Its full width at half power, pixels.
    weights
        Weights over the band, evenly spaced; None for uniform ones.

    Returns
    -------
    AxisResponse
        What `measure_response` would find.
    """
    window = np.ones(256) if weights is None else np.asarray(weights, np.float64)
    if len(window) < _FINE:
        centres = (np.arange(len(window)) + 0.5) / len(window)
        window = np.interp((np.arange(_FINE) + 0.5) / _FINE, centres, window)
    places = (np.arange(len(window)) + 0.5) / len(window) - 0.5

    def amplitude(offsets: Floats, bandwidth: float) -> Floats:
        turns = np.cos(2.0 * math.pi * bandwidth * np.outer(offsets, places))
        return np.asarray(np.abs(turns @ window) / window.sum(), np.float64)

    fine = np.linspace(0.0, 2.0, 4001)
    half = np.interp(-math.sqrt(_HALF_POWER), -amplitude(fine, 1.0), fine)
    offsets = np.linspace(-_REACH, _REACH, int(2 * _REACH) * _STEPS + 1)
    return _axis(offsets, amplitude(offsets, 2.0 * float(half) / width_px))
