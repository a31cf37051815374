"""Help in a script of letters two columns wide, without spaces between words (Japanese).

click counts letters and breaks lines at spaces.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Commands", "WideFormatter", "columns_of", "has_wide"]

_MORE = "..."
_NO_BEGINNING = frozenset("、。，．・：；？！」』）］｝〉》】ーぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}")
"""Letters that no line begins with."""
_NO_END = frozenset("「『（［｛〈《【([{")
"""Letters that no line ends with."""


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes.

    Examples
    --------
    >>> columns_of("SAR"), columns_of("絆")
    (3, 2)
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text if not unicodedata.combining(letter))


def has_wide(text: str) -> bool:
    """Whether a letter of a text takes two columns."""
    return any(unicodedata.east_asian_width(letter) in "WF" for letter in text)


def _pieces(text: str) -> Iterator[str]:
    """Parts of a text that stay together: words, and single wide letters with what may not begin a line."""
    piece = ""
    for letter in text:
        stays = letter in _NO_BEGINNING or piece[-1:] in _NO_END
        if piece and not stays and (letter == " " or piece == " " or has_wide(letter) or has_wide(piece[-1])):
            yield piece
            piece = ""
        piece += letter
    if piece:
        yield piece


def _wrapped(text: str, columns: int) -> list[str]:
    lines, line = [], ""
    for piece in _pieces(" ".join(text.split())):
        if line and columns_of(line + piece) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines


def _shortened(text: str, columns: int) -> str:
    """First sentence of a help text, cut to so many columns."""
    first = text.partition("\n\n")[0].partition("。")
    sentence = " ".join((first[0] + first[1]).split())
    if columns_of(sentence) <= columns:
        return sentence
    lines = _wrapped(sentence, max(columns - len(_MORE), 2))
    return lines[0] + _MORE


class Commands(click.Group):
    """Group of commands, each listed with one line of help."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, command) for name, command in found if command is not None and not command.hidden]
        if not any(has_wide(command.help or "") for _, command in shown):
            super().format_commands(ctx, formatter)
            return
        left = formatter.width - 6 - max(len(name) for name, _ in shown)
        from kizuna.cli.terminal import _

        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _shortened(command.help or "", left)) for name, command in shown])


class WideFormatter(click.HelpFormatter):
    """Help as click writes it, but for wide letters."""

    def write_text(self, text: str) -> None:
        """Write paragraphs, each as wide as the page."""
        if not has_wide(text):
            super().write_text(text)
            return
        indent = " " * self.current_indent
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                self.write_paragraph()
            if paragraph.startswith("\b\n"):
                lines = paragraph.splitlines()[1:]
            else:
                lines = _wrapped(paragraph, self.width - self.current_indent)
            self.write("".join(f"{indent}{line}\n" for line in lines))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of names, and beside each what it is."""
        rows = [*rows]
        if not any(has_wide(second) for _, second in rows):
            super().write_dl(rows, col_max, col_spacing)
            return
        left = min(max(columns_of(first) for first, _ in rows), col_max) + col_spacing
        margin = " " * (self.current_indent + left)
        for first, second in rows:
            lines = _wrapped(second, max(self.width - len(margin) - 2, 10))
            beside = lines and columns_of(first) <= left - col_spacing
            self.write(" " * self.current_indent + first)
            if beside:
                self.write(" " * (left - columns_of(first)) + lines.pop(0))
            self.write("\n" + "".join(f"{margin}{line}\n" for line in lines))
