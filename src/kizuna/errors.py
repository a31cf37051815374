"""One tree of errors.

::

    KizunaError                  exit status 1
    ├── InputError               2  a file, label, agreement, option or setting that cannot be used as it is
    ├── NotReleasable            3  asked to hand out what no agreement in force allows
    ├── PartnerUnreachable       4  the other node does not answer
    ├── PartnerMisbehaved        1  the other node answered with something that does not verify
    ├── StoreError               1  the node's own folder cannot be read or written (disk full, damaged, in use)
    ├── LogDamaged               1  the tamper-evident log does not verify
    ├── TailUnconfirmed          1  a restored or moved node that must not serve before its log's tail is confirmed
    └── ClockBehind              1  the clock stands behind the last recorded fact

A refusal to release is a value (`kizuna.release.decide.Decision`), not an exception; `NotReleasable` is what the command
line makes of it at the very end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ClockBehind",
    "InputError",
    "KizunaError",
    "LogDamaged",
    "Message",
    "NotReleasable",
    "PartnerMisbehaved",
    "PartnerUnreachable",
    "StoreError",
    "TailUnconfirmed",
]


def _as_written(template: str) -> str:
    return template


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence that a user reads: an English template, translated by gettext at the edge, and its values.

    Parameters
    ----------
    template
        English sentence with ``{name}`` fields; it is the gettext message id, so it must be a literal where it is made.
    values
        What the fields are filled with. A message among them is a part of the sentence, in the same language.

    Examples
    --------
    >>> Message("{path} is not a NITF file", {"path": "a.nitf"}).render()
    'a.nitf is not a NITF file'
    >>> french = {"{path}: expected {what}": "{path} : attendu {what}", "a text": "un texte"}
    >>> Message("{path}: expected {what}", {"path": "a.nitf", "what": Message("a text")}).render(french.__getitem__)
    'a.nitf : attendu un texte'
    """

    template: str
    values: Mapping[str, str | int | float | Message] = field(default_factory=dict)

    def render(self, translate: Callable[[str], str] = _as_written) -> str:
        """Sentence in the language of `translate` (a gettext function)."""
        values = {name: value.render(translate) if isinstance(value, Message) else value for name, value in self.values.items()}
        return translate(self.template).format_map(values)


class KizunaError(Exception):
    """Base of all errors that kizuna raises on purpose.

    Parameters
    ----------
    message
        What is wrong, where: a lower-case sentence with what was got and what was expected, units included.
    hint
        What to do about it.
    field
        Dotted name of the faulty field, if the fault lies in one (``"in_force.from"``).
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: Message, *, hint: Message | None = None, field: str | None = None) -> None:
        super().__init__(message.render())
        self.message = message
        self.hint = hint
        self.field = field


class InputError(KizunaError):
    """A file, label, agreement, option or setting cannot be used as it is."""

    exit_status = 2


class NotReleasable(KizunaError):
    """No agreement in force allows what was asked."""

    exit_status = 3


class PartnerUnreachable(KizunaError):
    """The partner's node does not answer."""

    exit_status = 4


class PartnerMisbehaved(KizunaError):
    """The partner's node answered with something that does not verify."""


class StoreError(KizunaError):
    """The node's own folder cannot be read or written."""


class LogDamaged(KizunaError):
    """The tamper-evident log does not verify."""


class TailUnconfirmed(KizunaError):
    """A restored or moved node must not serve before an officer or a partner confirms the tail of its log."""


class ClockBehind(KizunaError):
    """The clock stands behind the last recorded fact."""
