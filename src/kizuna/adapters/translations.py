"""Sentences in the user's language, from the gettext catalogues in `locale/`."""

from __future__ import annotations

import gettext
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["language_of", "translator"]

_LOCALE = Path(__file__).resolve().parent.parent / "locale"
_VARIABLES = ("KIZUNA_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_LANGUAGE = re.compile(r"[a-z]{2,3}\b", re.ASCII | re.IGNORECASE)


def language_of(language: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """Language code that the user wants (``"ja"``): the argument, else the first variable that is set, else English.

    Examples
    --------
    >>> language_of(environment={"LANG": "uk_UA.UTF-8"})
    'uk'
    """
    wanted = language or next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    match = _LANGUAGE.match(wanted.replace("_", "-"))
    return match[0].lower() if match else "en"


def translator(
    language: str | None = None, environment: Mapping[str, str] = os.environ, *, locale: Path = _LOCALE
) -> Callable[[str], str]:
    """Gettext function for a language; without a catalogue for it the sentences stay English.

    Parameters
    ----------
    language
        Language asked for; None: what the environment says.
    environment
        Variables of the process.
    locale
        Folder of the catalogues.
    """
    return gettext.translation("kizuna", locale, languages=[language_of(language, environment)], fallback=True).gettext
