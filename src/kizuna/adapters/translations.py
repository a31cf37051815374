"""Sentences in the user's language, from the gettext catalogues in `locale/`."""

from __future__ import annotations

import gettext
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

__all__ = ["language_of", "speak", "translator"]

_LOCALE = Path(__file__).resolve().parent.parent / "locale"
_DOMAIN = "kizuna"
# As GNU gettext orders them, behind our own. The first two may name several languages, best first.
_LISTS = ("KIZUNA_LANG", "LANGUAGE")
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_LANGUAGE = re.compile(r"[a-z]{2,3}\b", re.ASCII | re.IGNORECASE)
_ENGLISH = "en"


def _code(text: str) -> str:
    match = _LANGUAGE.match(text.replace("_", "-"))
    return match[0].lower() if match else _ENGLISH


def _languages(language: str | None, environment: Mapping[str, str]) -> list[str]:
    """Codes of the languages that the user wants, best first."""
    listed = language or next((environment[name] for name in _LISTS if environment.get(name)), "")
    codes = [_code(text) for text in listed.split(":") if text]
    return codes or [_code(next((environment[name] for name in _VARIABLES if environment.get(name)), ""))]


def language_of(language: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """Language code that the user wants most (``"ja"``): the argument, else the first variable that is set, else English.

    Examples
    --------
    >>> language_of(environment={"LANG": "uk_UA.UTF-8"})
    'uk'
    >>> language_of(environment={"LANGUAGE": "fr_CA:fr:en", "LANG": "uk_UA.UTF-8"})
    'fr'
    """
    return _languages(language, environment)[0]


def _spoken(language: str | None, environment: Mapping[str, str]) -> list[str]:
    """As `_languages`, up to English: the sentences are written in it, and no catalogue comes behind it."""
    wanted = _languages(language, environment)
    return wanted[: wanted.index(_ENGLISH)] if _ENGLISH in wanted else wanted


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
    return gettext.translation(_DOMAIN, locale, languages=_spoken(language, environment), fallback=True).gettext


def speak(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let libraries that ask gettext themselves (click) speak the user's language, from the same catalogues."""
    environment["LANGUAGE"] = ":".join([*_spoken(None, environment), _ENGLISH])
    gettext.bindtextdomain(_DOMAIN, _LOCALE)
    gettext.textdomain(_DOMAIN)
