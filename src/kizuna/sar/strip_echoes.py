"""Echoes of a strip: pulses in short blocks, each hearing what its beam lights; point targets lit to the very pulse."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.sar.echoes import Movers, cloud_echoes, point_echoes
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.parallel import run_spread, thread_count
from kizuna.sar.strip_acquisition import doppler_hz
from kizuna.sar.stripmap_kernels import turn_pulses

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.acquisition import Acquisition
    from kizuna.sar.echoes import Cloud

__all__ = ["refer_to_beam", "strip_echoes", "target_echoes"]

type Floats = npt.NDArray[np.float64]
type Samples = npt.NDArray[np.complex64]

_BLOCKS_A_DWELL = 32
"""Ground comes into the beam and leaves it in blocks of pulses: at the edges of the Doppler band, by a thirty-second of it."""
_LINE = 401
_REACH = 0.75
"""Half of the line on which the beam's edges are looked for, in dwells."""


def strip_echoes(
    acquisition: Acquisition,
    cloud: Cloud,
    movers: Movers,
    out: Samples,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Add the echoes of what a strip's beam lights.

    Parameters
    ----------
    acquisition
        With a beam.
    cloud
        Scatterers at rest.
    movers
        Scatterers that may move; their places are those in the middle of the collection.
    out
        Samples to add to, shape (pulses, frequencies), with their phase referred to the scene's zero.
    threads
        How many processors to use; None: all.
    progress
        Called with (blocks done, blocks in all).

    Returns
    -------
    float
        Level of the errors of the ranges of those at rest, decibels below their echoes.

    Notes
    -----
    Scatterers are sorted along the track, so that what a block lights are neighbours in memory.
    """
    beam = acquisition.beam
    assert beam is not None  # noqa: S101 # the caller's: a strip has one
    times = acquisition.times_s
    away = -acquisition.middle_m * [1.0, 1.0, 0.0]
    left = np.cross([0.0, 0.0, 1.0], away / np.linalg.norm(away))
    along = cloud.positions_m @ left.astype(np.float32)
    order = np.argsort(along, kind="stable")
    cloud, along = cloud.of(order), along[order]
    moving = movers.positions_m @ left
    # One block lights its own scatterers: the shorter, the sharper the edges of the beam.
    block = max(2, round(beam.dwell_s / _BLOCKS_A_DWELL / float(times[1] - times[0])))
    starts = range(0, len(times), block)
    wrong = whole = 0.0
    for done, start in enumerate(starts):
        stop = min(start + block, len(times))
        low, high = _lit(acquisition, left, (start + stop) // 2)
        part = replace(acquisition, times_s=times[start:stop], positions_m=acquisition.positions_m[start:stop], beam=None)
        heard = np.zeros((stop - start, out.shape[1]), np.complex64)
        piece = cloud.of(slice(*np.searchsorted(along, [low, high])))
        if len(piece):
            power = float(np.vdot(piece.amplitudes, piece.amplitudes).real)
            wrong += power * 10.0 ** (cloud_echoes(part, piece, heard, threads=threads) / 10.0)
            whole += power
        lit = np.flatnonzero((moving >= low) & (moving < high))
        if len(lit):
            later_s = 0.5 * float(times[start] + times[stop - 1] - times[0] - times[-1])
            velocities = movers.velocities_m_s[lit]
            there = movers.positions_m[lit] + later_s * velocities
            point_echoes(part, Movers(there, velocities, movers.amplitudes[lit]), heard, threads=threads)
        out[start:stop] += heard
        if progress is not None:
            progress(done + 1, len(starts))
    return 10.0 * math.log10(max(wrong / whole, 1e-20)) if whole else -math.inf


def _lit(acquisition: Acquisition, left: Floats, pulse: int) -> tuple[float, float]:
    """From where to where a pulse lights the line through the scene's centre along the track, metres of it."""
    beam = acquisition.beam
    assert beam is not None  # noqa: S101 # the caller's
    middle = float(beam.points_m[pulse] @ left)
    speed = float(np.linalg.norm(beam.points_m[-1] - beam.points_m[0])) / float(acquisition.times_s[-1])
    along = _REACH * speed * beam.dwell_s * np.linspace(-1.0, 1.0, _LINE)
    # About the middle of what is lit the surface is flat enough for its edges.
    places = beam.points_m[pulse] + along[:, None] * left
    found = doppler_hz(places, acquisition.positions_m[pulse], beam.velocities_m_s[pulse], acquisition.radar.centre_frequency_hz)
    order = np.argsort(found)
    edges = np.interp([-0.5 * beam.width_hz, 0.5 * beam.width_hz], found[order], along[order]) + middle
    return float(edges.min()), float(edges.max())


def target_echoes(acquisition: Acquisition, targets: Movers, out: Samples, *, threads: int | None = None) -> None:
    """Add the echoes of point targets at rest, each lit from the first to the last pulse of its own Doppler band.

    Parameters
    ----------
    acquisition
        With a beam.
    targets
        At rest.
    out, threads
        As of `strip_echoes`.
    """
    beam = acquisition.beam
    assert beam is not None  # noqa: S101 # the caller's: a strip has one
    for number in range(len(targets)):
        one = slice(number, number + 1)
        found = doppler_hz(
            targets.positions_m[one], acquisition.positions_m, beam.velocities_m_s, acquisition.radar.centre_frequency_hz
        )
        lit = np.flatnonzero(np.abs(found) < 0.5 * beam.width_hz)
        if not len(lit):
            continue
        pulses = slice(int(lit[0]), int(lit[-1]) + 1)
        part = replace(acquisition, times_s=acquisition.times_s[pulses], positions_m=acquisition.positions_m[pulses], beam=None)
        target = Movers(targets.positions_m[one], targets.velocities_m_s[one], targets.amplitudes[one])
        point_echoes(part, target, out[pulses], threads=threads)


def refer_to_beam(acquisition: Acquisition, samples: Samples, *, threads: int | None = None) -> Floats:
    """Refer the phase of samples from the scene's zero to the middle of what each pulse lights, in place.

    Returns
    -------
    ndarray of float64, shape (pulses,)
        The reference ranges.
    """
    beam = acquisition.beam
    assert beam is not None  # noqa: S101 # the caller's: a strip has one
    ranges = np.asarray(np.linalg.norm(acquisition.positions_m - beam.points_m, axis=-1), np.float64)
    change = 2.0 / SPEED_OF_LIGHT_M_S * (ranges - np.linalg.norm(acquisition.positions_m, axis=-1))
    frequencies = acquisition.frequencies_hz
    step = float(frequencies[-1] - frequencies[0]) / (len(frequencies) - 1)
    turns = np.stack([change * frequencies[0], change * step], axis=-1)

    def turn(begin: int, end: int) -> None:
        lines = samples[begin:end].view(np.float32)
        turn_pulses(lines, turns[begin:end], lines)

    run_spread(turn, len(samples), thread_count(threads))
    return ranges
