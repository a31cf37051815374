"""Fast factorised backprojection: exact backprojection of small parts of the scene, each from its own thinned-out history.

Seen from a part of the scene, and with the phase of that part's middle taken out, echoes vary slowly from pulse to pulse and
from frequency to frequency; the smaller the part, the fewer of both are needed. So the scene is halved again and again: each half
turns the phase to its own middle and halves the pulses or the frequencies, until a tile of pixels is left, which is backprojected
from what remains of the history (McCorkle and Rofheart 1996, SPIE 2747, with the halving done in the phase history).

Any surface, any smooth track, pulses at any spacing. The error is set by how closely thinned-out pulses and frequencies stand
(`_MARGIN`) and by over how many of them each echo is spread (`_TAPS`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.interpolate

from kizuna.sar.backprojection import backproject, check_span
from kizuna.sar.engine import Engine, Kernel, kernel_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.parallel import run_spread, thread_count
from kizuna.sar.profiles import range_profiles
from kizuna.sar.tiles import cut_tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.tiles import Surface, Tiles

__all__ = ["factorise"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]

_MARGIN = 1.6  # how many times closer than the sampling theorem asks nodes stand
_TAPS = 6  # nodes on either side of an echo over which it is spread: -77 dB
_SLACK = 1.03  # half of a part seldom needs exactly half the nodes
_LEAF_PIXELS = 64
_FEW_PULSES = 64
_LEAST_STEP = 1.5  # pulses are first thinned out by 1.5 to 3
_PARTS_A_THREAD = 4


def factorise(
    history: PhaseHistory,
    grid: Surface,
    *,
    oversampling: int = 20,
    threads: int | None = None,
    engine: Engine = Engine.AUTO,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form a complex image by fast factorised backprojection, uniformly weighted.

    Parameters
    ----------
    history
        Phase history of a spotlight collection; its pulses lie on a smooth track, in order.
    grid
        Pixels to form.
    oversampling
        How many times finer than the Nyquist rate the last range profiles are sampled before linear interpolation.
    threads
        How many threads share the work; one for each processor if not given.
    engine
        What runs the inner loop of the last step.
    progress
        Called with (pixels done, pixels in all).

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        As `kizuna.sar.backprojection.backproject` gives, to about -65 dB.

    Raises
    ------
    InputError
        The grid spans more range than the frequency step can tell apart.

    Notes
    -----
    A part of the scene with middle c needs nodes in slow time u closer than 1 / (2 V), V the greatest of
    |d/du (|x - a(u)| - |c - a(u)|)| 2 f / c_0 over its pixels x, and in frequency closer than c_0 / (4 Y), Y the greatest of
    ||x - a| - |c - a||. Echoes between nodes are spread over the nodes about them with the weights that interpolate a signal of
    that band with the least mean square error. Where even a tile would need almost all pulses, this is exact backprojection.

    Peak memory beside the history: the image, 8 bytes a pixel; one and a half times the history with one thread, up to four
    times with more, which begin side by side.
    """
    threads = thread_count(threads)
    tiles = cut_tiles(grid, history)
    check_span(history, grid, tiles)
    scene = _Scene(tiles, -(-grid.rows // tiles.side), -(-grid.cols // tiles.side))
    track = _track_of(history)
    step = None if track is None else _node_step(history, scene, track)
    if track is None or step is None:
        return backproject(history, grid, oversampling=oversampling, threads=threads, engine=engine, progress=progress)
    image = np.zeros((grid.rows, grid.cols), np.complex64)
    job = _Job(history, scene, track, _pulse_plan(track, step), _frequency_plan(history), oversampling, image, kernel_of(engine))
    told = _Told(progress, scene.down * scene.across)
    parts = job.spread_out(_PARTS_A_THREAD * threads, threads) if threads > 1 else [job.whole()]

    def finish(begin: int, end: int) -> None:
        for part in parts[begin:end]:
            job.finish(part, told)

    run_spread(finish, len(parts), threads)
    image /= history.pulses
    return image


class _Told:
    """Progress, told by one thread at a time."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self.progress, self.total, self.done, self.lock = progress, total, 0, Lock()

    def add(self, tiles: int) -> None:
        """Tell that so many more are done."""
        with self.lock:
            self.done += tiles
            if self.progress is not None:
                self.progress(self.done, self.total)


@dataclass(frozen=True, slots=True)
class _Echoes:
    """History thinned out: samples (nodes in slow time, nodes in frequency), the range taken out of each row, metres.

    `pulses` and `frequencies` are the levels: how often the number of nodes was halved; -1 for pulses as they were received.
    """

    samples: Image
    references_m: Floats
    pulses: int
    frequencies: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Tiles `top` to `bottom`, `left` to `right` (ends not included), and echoes for them."""

    top: int
    bottom: int
    left: int
    right: int
    echoes: _Echoes

    @property
    def tiles(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Tiles of the grid, and how they are halved."""

    tiles: Tiles
    down: int
    across: int

    @property
    def leaf(self) -> int:
        """Side of a part that is not halved again, tiles."""
        return max(1, _LEAF_PIXELS // self.tiles.side)

    def is_leaf(self, part: _Part) -> bool:
        return max(part.bottom - part.top, part.right - part.left) <= self.leaf

    def halves(self, part: _Part) -> list[_Part]:
        """Two halves, across the longer side, cut between leaves."""
        if part.bottom - part.top >= part.right - part.left:
            cut = part.top + self._half(part.bottom - part.top)
            return [replace(part, bottom=cut), replace(part, top=cut)]
        cut = part.left + self._half(part.right - part.left)
        return [replace(part, right=cut), replace(part, left=cut)]

    def _half(self, length: int) -> int:
        leaves = -(-length // self.leaf)
        return (leaves + 1) // 2 * self.leaf

    def points(self, top: int, bottom: int, left: int, right: int) -> Floats:
        """Some pixels that stand for a part, its outermost among them: shape (points, 3), metres."""
        some = 3 if len(self.tiles.offsets_m) == 1 else 9
        rows = sorted({round(at) for at in np.linspace(top, bottom - 1, some)})
        cols = sorted({round(at) for at in np.linspace(left, right - 1, some)})
        which = (np.array(rows)[:, None] * self.across + np.array(cols)).ravel()
        sets = self.tiles.offsets_m if len(self.tiles.offsets_m) == 1 else self.tiles.offsets_m[which]
        corners = sets[:, :3, :: self.tiles.side - 1, :: self.tiles.side - 1].reshape(len(sets), 3, -1)
        return np.asarray(self.tiles.centres_m[which][:, None] + np.moveaxis(corners, 1, -1), np.float64).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class _Track:
    """Where the antenna is at slow time u, counted in mean distances between pulses along the track."""

    times: Floats
    inside: scipy.interpolate.CubicSpline
    before: Callable[[Floats], Floats]
    after: Callable[[Floats], Floats]

    def positions_m(self, u: Floats) -> Floats:
        """Positions, shape (..., 3), metres; beyond the ends the track goes on smoothly."""
        first, last = self.times[0], self.times[-1]
        found = self.inside(np.clip(u, first, last))
        for beyond, smooth, end in ((u < first, self.before, first), (u > last, self.after, last)):
            # The smooth track need not end where the antenna did.
            found[beyond] += smooth(u[beyond]) - smooth(np.array([end]))
        return np.asarray(found, np.float64)


def _track_of(history: PhaseHistory) -> _Track | None:
    """Track through all antenna positions; None where it cannot be one: few pulses, or some at the same place."""
    positions = history.positions_m
    apart = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    if history.pulses < _FEW_PULSES or not apart.min() > 0.0:
        return None
    times = np.concatenate([[0.0], np.cumsum(apart)]) / apart.mean()
    near = max(_FEW_PULSES // 2, history.pulses // 4)

    def smooth(which: slice) -> Callable[[Floats], Floats]:
        middle, scale = float(times[which].mean()), float(np.ptp(times[which]))
        fit = np.polynomial.polynomial.polyfit((times[which] - middle) / scale, positions[which], 3)
        return lambda u: np.asarray(np.polynomial.polynomial.polyval((u - middle) / scale, fit).T, np.float64)

    spline = scipy.interpolate.CubicSpline(times, positions)
    return _Track(times, spline, smooth(slice(None, near)), smooth(slice(-near, None)))


def _rates(scene: _Scene, box: tuple[int, int, int, int], track: _Track, highest_hz: float) -> tuple[Floats, float, float]:
    """Middle of a part; most cycles that its echoes turn per unit of slow time; most metres that they lie from the middle's."""
    points = scene.points(*box)
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    u = np.linspace(track.times[0], track.times[-1], 7)
    antennas, speed = track.inside(u), track.inside(u, 1)
    to_points, to_centre = points[:, None] - antennas, centre - antennas
    ranges, middle = np.linalg.norm(to_points, axis=-1), np.linalg.norm(to_centre, axis=-1)
    turning = np.sum(to_points * speed, axis=-1) / ranges - np.sum(to_centre * speed, axis=-1) / middle
    return centre, float(np.abs(turning).max()) * 2.0 * highest_hz / SPEED_OF_LIGHT_M_S, float(np.abs(ranges - middle).max())


def _node_step(history: PhaseHistory, scene: _Scene, track: _Track) -> float | None:
    """Distance of the first thinned-out nodes in slow time, so that leaves get just enough of them; None: they need too many."""
    leaf, fastest = scene.leaf, 0.0
    for row in {round(at) for at in np.linspace(0, (scene.down - 1) // leaf, 4)}:
        for col in {round(at) for at in np.linspace(0, (scene.across - 1) // leaf, 4)}:
            top, left = row * leaf, col * leaf
            box = (top, min(top + leaf, scene.down), left, min(left + leaf, scene.across))
            fastest = max(fastest, _rates(scene, box, track, float(history.frequencies_hz[-1]))[1])
    widest = min(1.0 / (2.0 * fastest * _MARGIN * _SLACK), history.pulses / 8.0)
    if widest < _LEAST_STEP:
        return None
    return widest / 2.0 ** math.floor(math.log2(widest / _LEAST_STEP))


def spreading_weights(fractions: Floats, taps: int = _TAPS, margin: float = _MARGIN) -> Floats:
    """Weights of the 2 `taps` nodes about places between two of them, shape (2 taps, places): least mean square error.

    Parameters
    ----------
    fractions
        Place after the nearest node before it, in distances of nodes, 0 to 1.
    taps
        Nodes on either side.
    margin
        How many times closer than the sampling theorem asks the nodes stand.
    """
    nodes = np.arange(1 - taps, taps + 1)
    within = np.sinc((nodes[:, None] - nodes) / margin) + 1e-10 * np.eye(2 * taps)
    return np.asarray(np.linalg.solve(within, np.sinc((nodes[:, None] - fractions) / margin)), np.float64)


@dataclass(frozen=True, slots=True)
class _Nodes:
    """How many nodes there are at a level, and which of them stands on the first pulse or frequency."""

    count: int
    lead: int

    def halved(self) -> _Nodes:
        reach = 2 * _TAPS - 1
        lead = -(-(self.lead + reach) // 2)
        return _Nodes(lead + (self.count - 1 - self.lead + reach) // 2 + 1, lead)


@dataclass(frozen=True, slots=True)
class _PulsePlan:
    """Nodes in slow time by level, where they are, and how pulses are spread over those of level 0."""

    step: float
    nodes: list[_Nodes]
    positions_m: list[Floats]
    first: npt.NDArray[np.int64]
    weights: Singles


def _pulse_plan(track: _Track, step: float) -> _PulsePlan:
    at = track.times / step
    whole = np.floor(at)
    levels = [_Nodes(int(whole[-1]) + 2 * _TAPS, _TAPS - 1)]
    while levels[-1].count > 4 * _TAPS and at[-1] / 2.0 ** len(levels) > 1.0:
        levels.append(levels[-1].halved())
    steps = [step * 2.0**level for level in range(len(levels))]
    places = [np.arange(-nodes.lead, nodes.count - nodes.lead, dtype=np.float64) for nodes in levels]
    positions = [track.positions_m(place * apart) for place, apart in zip(places, steps, strict=True)]
    weights = np.ascontiguousarray(spreading_weights(at - whole).T, np.float32)
    return _PulsePlan(step, levels, positions, whole.astype(np.int64), weights)


def _frequency_plan(history: PhaseHistory) -> list[_Nodes]:
    levels = [_Nodes(len(history.frequencies_hz), 0)]
    while levels[-1].count > 4 * _TAPS and len(history.frequencies_hz) >> len(levels) > 1:
        levels.append(levels[-1].halved())
    return levels


@dataclass(frozen=True, slots=True)
class _Job:
    """What all parts share."""

    history: PhaseHistory
    scene: _Scene
    track: _Track
    pulses: _PulsePlan
    frequencies: list[_Nodes]
    oversampling: int
    image: Image
    kernel: Kernel

    def whole(self) -> _Part:
        """The scene, with the history as it was received."""
        echoes = _Echoes(self.history.samples, self.history.reference_range_m, -1, 0)
        return self.narrowed(_Part(0, self.scene.down, 0, self.scene.across, echoes))

    def narrowed(self, part: _Part) -> _Part:
        """The same part, with as few nodes as it can do with."""
        box = part.top, part.bottom, part.left, part.right
        centre, turns, away_m = _rates(self.scene, box, self.track, float(self.history.frequencies_hz[-1]))
        pulses = self._level(1.0 / (2.0 * turns * _MARGIN * self.pulses.step), len(self.pulses.nodes))
        most_hz = SPEED_OF_LIGHT_M_S / (4.0 * away_m * _MARGIN)
        frequencies = self._level(most_hz / self.history.frequency_step_hz, len(self.frequencies))
        echoes = part.echoes
        while echoes.pulses < pulses or echoes.frequencies < frequencies:
            echoes = self._thinned(echoes, centre, pulses=echoes.pulses < pulses, frequencies=echoes.frequencies < frequencies)
        return replace(part, echoes=echoes)

    def spread_out(self, wanted: int, threads: int) -> list[_Part]:
        """At least so many parts, if the scene has them, each with its echoes."""
        parts = [self.whole()]
        while len(parts) < wanted and not all(map(self.scene.is_leaf, parts)):
            wide = [half for part in parts for half in ([part] if self.scene.is_leaf(part) else self.scene.halves(part))]
            parts = self._all_narrowed(wide, threads)
        return parts

    def _all_narrowed(self, parts: list[_Part], threads: int) -> list[_Part]:
        def narrow(begin: int, end: int) -> None:
            parts[begin:end] = [self.narrowed(part) for part in parts[begin:end]]

        run_spread(narrow, len(parts), threads)
        return parts

    def finish(self, part: _Part, told: _Told) -> None:
        """Form a part: backproject a leaf, halve what is none."""
        if self.scene.is_leaf(part):
            self._form(part)
            told.add(part.tiles)
        else:
            for half in self.scene.halves(part):
                self.finish(self.narrowed(half), told)

    def _form(self, part: _Part) -> None:
        """Backproject a leaf."""
        tiles, across = self.scene.tiles, self.scene.across
        which = (np.arange(part.top, part.bottom)[:, None] * across + np.arange(part.left, part.right)).ravel()
        antennas, references = self._positions_m(part.echoes), part.echoes.references_m
        first_hz, step_hz = self._frequencies_hz(part.echoes)
        band = len(self.history.frequencies_hz) * self.history.frequency_step_hz / (part.echoes.samples.shape[1] * step_hz)
        profiles = range_profiles(
            part.echoes.samples,
            (first_hz, step_hz),
            replace(tiles, centres_m=tiles.centres_m[which]).range_windows_m(antennas, references),
            self.oversampling * band,
            gain=1.0 / len(self.history.frequencies_hz),
            threads=1,
        )
        for row in range(part.top, part.bottom):
            self.kernel(
                self.image,
                row * across + part.left,
                row * across + part.right,
                tiles.centres_m,
                tiles.offsets_m,
                antennas,
                references,
                profiles.samples,
                profiles.first,
                profiles.step_m,
                profiles.cycles_per_m,
            )

    def _level(self, ratio: float, levels: int) -> int:
        """How often nodes may be halved that stand `ratio` times closer than they must; -1: they must stay as they are."""
        return -1 if ratio < 1.0 else min(math.floor(math.log2(ratio)), levels - 1)

    def _positions_m(self, echoes: _Echoes) -> Floats:
        return self.history.positions_m if echoes.pulses < 0 else self.pulses.positions_m[echoes.pulses]

    def _frequencies_hz(self, echoes: _Echoes) -> tuple[float, float]:
        step = self.history.frequency_step_hz * 2.0**echoes.frequencies
        return float(self.history.frequencies_hz[0]) - self.frequencies[echoes.frequencies].lead * step, step

    def _thinned(self, echoes: _Echoes, centre: Floats, *, pulses: bool, frequencies: bool) -> _Echoes:
        """Echoes seen from `centre`, with half the pulses or frequencies, or of both."""
        from kizuna.sar.factorised_kernels import halve_pulses, merge_pulses, recentre  # loads numba

        half = _HALF_WEIGHTS
        first_hz, step_hz = self._frequencies_hz(echoes)
        references = np.linalg.norm(centre - self._positions_m(echoes), axis=-1)
        cycles = 2.0 * (references - echoes.references_m) / SPEED_OF_LIGHT_M_S
        level = echoes.frequencies + frequencies
        before, after = self.frequencies[echoes.frequencies], self.frequencies[level]
        turned = np.empty((len(echoes.samples), after.count), np.complex64)
        recentre(echoes.samples, cycles * first_hz, cycles * step_hz, frequencies, before.lead, half, after.lead, turned)
        echoes = _Echoes(turned, references, echoes.pulses, level)
        if not pulses:
            return echoes
        nodes = self.pulses.nodes[echoes.pulses + 1]
        if echoes.pulses < 0:
            merged = np.zeros((nodes.count, turned.shape[1]), np.complex64)
            merge_pulses(turned, self.pulses.first, self.pulses.weights, merged)
        else:
            merged = np.empty((nodes.count, turned.shape[1]), np.complex64)
            halve_pulses(turned, self.pulses.nodes[echoes.pulses].lead, half, nodes.lead, merged)
        references = np.linalg.norm(centre - self.pulses.positions_m[echoes.pulses + 1], axis=-1)
        return _Echoes(merged, references, echoes.pulses + 1, level)


_HALF_WEIGHTS = spreading_weights(np.array([0.5]))[_TAPS:, 0].astype(np.float32)
