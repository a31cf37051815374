"""Sentences in the user's language."""

from __future__ import annotations

import struct
from importlib import resources
from pathlib import Path

import pytest

from kizuna.adapters.translations import language_of, translator
from kizuna.errors import Message
from kizuna.wiring import LANGUAGES

LOCALE = Path(str(resources.files("kizuna") / "locale"))


@pytest.mark.parametrize(
    ("argument", "environment", "language"),
    [
        ("ja", {"KIZUNA_LANG": "uk", "LANG": "de"}, "ja"),
        (None, {"KIZUNA_LANG": "uk", "LC_ALL": "de"}, "uk"),
        (None, {"LC_ALL": "de_DE.UTF-8", "LC_MESSAGES": "fr", "LANG": "it"}, "de"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "fr", "LANG": "it"}, "fr"),
        (None, {"LANG": "ja_JP.UTF-8"}, "ja"),
        (None, {"LANG": "C.UTF-8"}, "en"),
        (None, {"LANG": "POSIX"}, "en"),
        (None, {}, "en"),
        (None, {"LANGUAGE": "fr", "LC_ALL": "de", "LANG": "en_US.UTF-8"}, "fr"),
        (None, {"LANGUAGE": "fr_CA:de", "LANG": "en_US.UTF-8"}, "fr"),
        (None, {"LANGUAGE": "", "LANG": "fr"}, "fr"),
        (None, {"KIZUNA_LANG": "uk", "LANGUAGE": "fr"}, "uk"),
        ("../../etc", {}, "en"),
        ("JA-jp", {}, "ja"),
    ],
)
def test_language(argument: str | None, environment: dict[str, str], language: str) -> None:
    assert language_of(argument, environment) == language


def _catalogue(path: Path, pairs: dict[str, str]) -> None:
    """GNU .mo file of `pairs`."""
    entries = [(b"", b"Content-Type: text/plain; charset=UTF-8\n"), *sorted((k.encode(), v.encode()) for k, v in pairs.items())]
    tables, strings = [], b""
    start = 28 + 16 * len(entries)
    for column in (0, 1):
        for entry in entries:
            tables.append((len(entry[column]), start + len(strings)))
            strings += entry[column] + b"\0"
    path.parent.mkdir(parents=True)
    path.write_bytes(
        struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0)
        + b"".join(struct.pack("<2I", *row) for row in tables)
        + strings
    )


def test_sentences_come_from_the_catalogue_and_stay_english_without_one(tmp_path: Path) -> None:
    _catalogue(tmp_path / "ja" / "LC_MESSAGES" / "kizuna.mo", {"{path} is missing": "{path} がありません"})
    message = Message("{path} is missing", {"path": "a"})
    assert message.render(translator("ja", {}, locale=tmp_path)) == "a がありません"
    assert message.render(translator("uk", {}, locale=tmp_path)) == "a is missing"
    assert message.render(translator(None, {"KIZUNA_LANG": "ja"}, locale=tmp_path)) == "a がありません"
    assert translator("ja", {}, locale=tmp_path)("untranslated") == "untranslated"
    # The first of the languages that there is a catalogue for, and none behind English, which needs none.
    assert message.render(translator(None, {"LANGUAGE": "uk:ja"}, locale=tmp_path)) == "a がありません"
    assert message.render(translator(None, {"LANGUAGE": "en:ja"}, locale=tmp_path)) == "a is missing"


def test_every_language_that_is_offered_has_its_catalogue() -> None:
    offered = set(LANGUAGES) - {"en"}
    assert offered == {path.parent.parent.name for path in LOCALE.glob("*/LC_MESSAGES/kizuna.mo")}
    for language in offered:
        assert translator(language, {})("theory") != "theory"
