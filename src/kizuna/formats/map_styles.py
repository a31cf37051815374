"""Names of the ways in which map pictures are drawn, and of their formats. Nothing here loads numpy."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Format", "Style"]


class Style(StrEnum):
    """How an image is shown. A phase is shown only to who may have the complex image."""

    DB = "db"
    DB_VIRIDIS = "db-viridis"
    AMPLITUDE = "amplitude"
    AMPLITUDE_VIRIDIS = "amplitude-viridis"
    PHASE = "phase"


class Format(StrEnum):
    """Format of a picture."""

    WEBP = "webp"
    PNG = "png"

    @property
    def media_type(self) -> str:
        """Such as ``image/webp``."""
        return f"image/{self.value}"
