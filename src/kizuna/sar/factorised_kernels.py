"""The inner loops of factorised backprojection: histories re-centred on a part of the scene and thinned out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["halve_pulses", "merge_pulses", "recentre"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]
type Integers = npt.NDArray[np.int64]

# cos(2 pi x) and sin(2 pi x) / x as polynomials in x^2 for |x| <= 1/2, of least greatest error: 4e-5 and 6e-6.
_C0, _C1, _C2, _C3, _C4 = (np.float32(c) for c in (0.9999598, -19.73104175, 64.6734317, -82.40355228, 45.64655792))
_S0, _S1, _S2, _S3, _S4 = (np.float32(s) for s in (6.28305672, -41.3312518, 81.36728057, -74.48025998, 32.78515046))
_ROUNDER = np.float32(1.5 * 2.0**23)
_ANCHORED = 128  # samples over which the phase runs in single precision before it is set anew


@njit(cache=True, nogil=True, fastmath={"contract"})
def _turned(
    row: Singles, begin: int, stride: int, count: int, start: float, step: float, real: Singles, imaginary: Singles
) -> None:
    """Every `stride`-th sample of `row` from `begin`, times exp(2j pi (start + k step)), k its place in the row."""
    for block in range(0, count, _ANCHORED):
        cycles = start + (begin + stride * block) * step
        anchor, slope = np.float32(cycles - math.floor(cycles)), np.float32(stride * step)
        size = min(_ANCHORED, count - block)
        source = row[2 * (begin + stride * block) :]
        to_real, to_imaginary = real[block : block + size], imaginary[block : block + size]
        for k in range(size):
            phase = anchor + np.float32(k) * slope
            phase -= (phase + _ROUNDER) - _ROUNDER
            s = phase * phase
            ss = s * s
            cosine = (_C0 + s * _C1) + ss * ((_C2 + s * _C3) + ss * _C4)
            sine = phase * ((_S0 + s * _S1) + ss * ((_S2 + s * _S3) + ss * _S4))
            a, b = source[np.uint64(2 * stride * k)], source[np.uint64(2 * stride * k + 1)]
            to_real[k] = a * cosine - b * sine
            to_imaginary[k] = a * sine + b * cosine


@njit(cache=True, nogil=True, fastmath={"contract"})
def recentre(
    samples: Image,
    starts: Floats,
    steps: Floats,
    halve: bool,  # noqa: FBT001 - numba takes arguments by place
    lead: int,
    weights: Singles,
    out_lead: int,
    out: Image,
) -> None:
    """Turn each pulse's phase by `starts` + k `steps` cycles at sample k and, if told, halve the number of its frequencies.

    Node m of the output lies on sample 2 (m - out_lead) + lead of the input; samples between two nodes are spread over the
    nodes about them by `weights`, nearest first.
    """
    rows = samples.view(np.float32)
    results = out.view(np.float32)
    count, nodes, taps = samples.shape[1], out.shape[1], len(weights)
    even = np.zeros((2, max(nodes, count)), np.float32)
    odd = np.zeros((2, nodes + 2 * taps), np.float32)
    sums = np.empty((2, max(nodes, count)), np.float32)
    for pulse in range(len(samples)):
        step = steps[pulse] - math.floor(steps[pulse])
        if not halve:
            _turned(rows[pulse], 0, 1, count, starts[pulse], step, sums[0], sums[1])
            for m in range(count):
                results[pulse, 2 * m] = sums[0, m]
                results[pulse, 2 * m + 1] = sums[1, m]
            continue
        first = out_lead - lead // 2  # first node on a sample
        begin = lead & 1
        held = (count - begin + 1) // 2
        _turned(rows[pulse], begin, 2, held, starts[pulse], step, even[0, first:], even[1, first:])
        first = taps + out_lead - (lead + 1) // 2  # first sample between nodes, counted as the right neighbour of its node
        begin = 1 - begin
        held = (count - begin + 1) // 2
        _turned(rows[pulse], begin, 2, held, starts[pulse], step, odd[0, first:], odd[1, first:])
        for part in range(2):
            total, source, between = sums[part], even[part], odd[part]
            for m in range(nodes):
                total[m] = source[m]
            for tap in range(taps):
                weight = weights[tap]
                right, left = between[taps + tap :], between[taps - 1 - tap :]
                for m in range(nodes):
                    total[m] += weight * (right[m] + left[m])
        for m in range(nodes):
            results[pulse, 2 * m] = sums[0, m]
            results[pulse, 2 * m + 1] = sums[1, m]


@njit(cache=True, nogil=True, fastmath={"contract"})
def halve_pulses(samples: Image, lead: int, weights: Singles, out_lead: int, out: Image) -> None:
    """Halve the number of pulses: as `recentre` does with frequencies, down the columns."""
    source, result = samples.view(np.float32), out.view(np.float32)
    pulses, width, taps = source.shape[0], source.shape[1], len(weights)
    chunk = 512  # columns at a time, so that the rows of a node stay in the cache
    for left in range(0, width, chunk):
        right = min(left + chunk, width)
        for node in range(len(out)):
            at = 2 * (node - out_lead) + lead
            total = result[node, left:right]
            total[:] = 0.0
            if 0 <= at < pulses:
                total[:] = source[at, left:right]
            for tap in range(2 * taps):
                near = tap // 2
                pulse = at + 1 + 2 * near if tap & 1 else at - 1 - 2 * near
                if 0 <= pulse < pulses:
                    weight, one = weights[near], source[pulse, left:right]
                    for k in range(len(total)):
                        total[k] += weight * one[k]


@njit(cache=True, nogil=True, fastmath={"contract"})
def merge_pulses(samples: Image, first: Integers, weights: Singles, out: Image) -> None:
    """Spread each pulse p over the nodes first[p], first[p] + 1, ... by `weights`, shape (pulses, taps); `out` must be zero."""
    source, result = samples.view(np.float32), out.view(np.float32)
    width = source.shape[1]
    chunk = 512
    for left in range(0, width, chunk):
        right = min(left + chunk, width)
        for pulse in range(len(source)):
            one = source[pulse, left:right]
            for tap in range(weights.shape[1]):
                weight = weights[pulse, tap]
                total = result[first[pulse] + tap, left:right]
                for k in range(len(one)):
                    total[k] += weight * one[k]
