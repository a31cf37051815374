"""How the inner loops of this room are compiled: once, when they are first loaded, and kept beside the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FLAG", "FLOAT", "INTEGER", "INTEGERS", "NOTHING", "PIECES", "ROW", "TABLE", "compiled", "several"]

# What is published of numba's types has no types of its own.
_types: Any = numba.types
FLOAT = _types.float64
INTEGER = _types.int64
FLAG = _types.boolean
NOTHING = _types.void
ROW = _types.Array(FLOAT, 1, "C")
TABLE = _types.Array(FLOAT, 2, "C")
PIECES = _types.Array(FLOAT, 3, "C")
INTEGERS = _types.Array(INTEGER, 1, "C")


def several(*types: object) -> Any:  # noqa: ANN401 - a type of numba's
    """Type of a tuple of these."""
    return _types.Tuple(types)


def compiled[**P, R](signature: object) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function for one signature.

    The signature is written out, so that a function is compiled once and not again for every number that it is passed as a
    constant. A product and a sum may be contracted; nothing else may change what IEEE 754 says.
    """
    decorate = numba.njit(cast("Any", signature), cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", decorate)
