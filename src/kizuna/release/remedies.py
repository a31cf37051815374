"""What would turn a refusal: of all that the failing rules suggest, what is left when nothing superfluous is said.

Each rule that fails suggests a change without a look at the others. Some of these changes settle what others are for: under a
lower classification the equivalent of the higher one is not needed; a new agreement in the place of one that was withdrawn from
need not be resumed as well. So a change may say what it is `needed for` and what it `settles`, in words that only have to be the
same on both sides. They ride along in the values of its message, where no template shows them.
"""

from __future__ import annotations

from functools import cache
from string import Formatter
from typing import TYPE_CHECKING

from kizuna.errors import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EVERYTHING", "linked", "smallest"]

EVERYTHING = "everything"
"""Settled by a change after which all has to be asked anew."""

_NEEDED_FOR = "needed for"
_SETTLES = "settles"
# Of several things that stand in one value each has a line of its own: no name of anything holds a line break.
_BETWEEN = "\n"


def linked(change: Message, *, needed_for: Sequence[str] = (), settles: Sequence[str] = ()) -> Message:
    """Change that says what it is needed for, and what it settles beside that.

    Parameters
    ----------
    change
        What is suggested; what it says already of both stays.
    needed_for
        Of these, one that another change settles makes this one superfluous.
    settles
        What nobody needs who makes this change.
    """
    values = dict(change.values)
    for name, more in ((_NEEDED_FOR, needed_for), (_SETTLES, settles)):
        if more:
            values[name] = _BETWEEN.join(dict.fromkeys([*_listed(change, name), *more]))
    return Message(change.template, values)


def smallest(changes: Sequence[Message]) -> tuple[Message, ...]:
    """What would turn a refusal, of all that the rules that failed suggest.

    Parameters
    ----------
    changes
        In the order in which they are to be spoken of.

    Returns
    -------
    smallest
        Those that no other one makes superfluous, each once, without the values that their words do not name.

    Examples
    --------
    >>> low = linked(Message("a classification of {ceiling} or lower", {"ceiling": "B"}), settles=["marking A"])
    >>> equal = linked(Message("the equivalent of {marking}", {"marking": "A"}), needed_for=["marking A"])
    >>> [message.render() for message in smallest([equal, low])]
    ['a classification of B or lower']
    """
    if len(changes) > 1 and any(_SETTLES in change.values for change in changes):
        changes = _needed(changes)
    said: dict[object, Message] = {}
    for change in changes:
        fields = _fields(change.template)
        key = (change.template, *[change.values.get(field) for field in fields])
        if key not in said:
            said[key] = Message(change.template, {field: change.values[field] for field in fields})
    return tuple(said.values())


def _needed(changes: Sequence[Message]) -> Sequence[Message]:
    settled: set[str] = set()
    waiting = []
    for change in changes:
        if _NEEDED_FOR in change.values:
            waiting.append(change)
        else:
            settled.update(_listed(change, _SETTLES))
    if EVERYTHING in settled:
        return [change for change in changes if EVERYTHING in _listed(change, _SETTLES)]
    # What is superfluous settles nothing; so those that settle anything are looked at before those that settle nothing.
    dropped = set()
    for change in sorted(waiting, key=lambda change: _SETTLES not in change.values):
        if settled.isdisjoint(_listed(change, _NEEDED_FOR)):
            settled.update(_listed(change, _SETTLES))
        else:
            dropped.add(id(change))
    return [change for change in changes if id(change) not in dropped]


def _listed(change: Message, name: str) -> list[str]:
    found = change.values.get(name)
    return [] if found is None else str(found).split(_BETWEEN)


@cache
def _fields(template: str) -> tuple[str, ...]:
    """Names of what a template shows."""
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name))
