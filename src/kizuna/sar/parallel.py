"""Work shared among threads: kernels that release the interpreter's lock run side by side."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_spread", "thread_count"]

_PIECES_A_THREAD = 4  # so that a thread which the machine holds up leaves the rest of its share to the others


def thread_count(threads: int | None) -> int:
    """Threads to use: as many as told, else one for each processor that this process may use."""
    if threads is not None:
        return max(1, threads)
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def run_spread(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call ``work(begin, end)`` over disjoint ranges that together are 0 ... count, side by side.

    Parameters
    ----------
    work
        Does the items from `begin` up to, not including, `end`.
    count
        Number of items.
    threads
        Threads, 1 or more; 1 makes one call in this thread.
    """
    if threads == 1 or count <= 1:
        work(0, count)
        return
    pieces = min(count, threads * _PIECES_A_THREAD)
    edges = [count * piece // pieces for piece in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, begin, end) for begin, end in pairwise(edges)]:
            done.result()
