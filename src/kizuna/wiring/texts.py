"""What commands take from their surroundings: the language of who sits there, the present instant, the samples that ship."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.translations import language_of, translator

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.instants import Instant

__all__ = ["LANGUAGES", "language", "sample_folder", "system_now", "translate"]

LANGUAGES = ("en", "fr", "ja", "uk")


def language() -> str:
    """Language of the person at the terminal."""
    return language_of()


def translate() -> Callable[[str], str]:
    """Translator for the person at the terminal."""
    return translator()


def system_now() -> Instant:
    """Present instant, for questions that are asked without a node."""
    return SystemClock().now()


def sample_folder(name: str) -> Path:
    """Folder of samples that ships with the package."""
    return Path(__file__).parents[1] / "samples" / name
