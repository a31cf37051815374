"""The system's clock."""

from __future__ import annotations

from datetime import UTC, datetime

from kizuna.model.instants import Instant

__all__ = ["SystemClock"]


class SystemClock:
    """Clock port over the system's clock."""

    __slots__ = ()

    def now(self) -> Instant:
        """Present instant."""
        return Instant(datetime.now(UTC))  # noqa: TID251 (this is that place)
