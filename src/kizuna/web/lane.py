"""Threads of their own for requests that are answered quickly, which are handed over at half the cost of Starlette's pool."""

from __future__ import annotations

from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lane"]


class Lane:
    """Some threads; what finds none free waits in the order in which it came.

    Parameters
    ----------
    name
        Name of the threads.
    most
        How many there are at most.
    """

    __slots__ = ("_threads",)

    def __init__(self, name: str, most: int) -> None:
        self._threads = ThreadPoolExecutor(most, name)

    async def run[**P, R](self, work: Callable[P, R], *values: P.args, **named: P.kwargs) -> R:
        """Result of `work`, called in one of the threads."""
        context = copy_context()
        return await get_running_loop().run_in_executor(self._threads, lambda: context.run(work, *values, **named))
