"""Reading on after a fault, so that a person learns of all faults of a document at once."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.model.reading import Table

__all__ = ["Faults"]


class Faults:
    """Faults of one document, in the order in which they were found.

    Attributes
    ----------
    found
        The faults.

    Examples
    --------
    >>> from kizuna.model.reading import Table
    >>> faults, table = Faults(), Table({"title": "", "version": 0})
    >>> faults.keep("", table.text, "title"), faults.keep(1, table.integer, "version", least=1)
    ('', 1)
    >>> [fault.field for fault in faults.found]
    ['title', 'version']
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[InputError] = []

    def keep[T, **P](self, instead: T, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` gives; where it refuses, the fault is kept and `instead` stands for it, so that reading goes on."""
        try:
            return read(*args, **kwargs)
        except InputError as error:
            self.found.append(error)
            return instead

    def add(self, field: str, message: Message, hint: Message) -> None:
        """Keep a fault of a field."""
        self.found.append(InputError(message, hint=hint, field=field))

    def close(self, table: Table, known: Sequence[str]) -> None:
        """Refuse each member that nobody read, with the name among `known` that it may have meant."""
        prefix = table.field("")
        while True:
            try:
                table.done()
            except InputError as error:
                field = error.field or prefix
                name = field.removeprefix(prefix)
                close = get_close_matches(name, known, n=1)
                hint = (
                    Message("did you mean {name}?", {"name": close[0]})
                    if close
                    else Message("remove it, or correct its name; known here: {names}", {"names": ", ".join(known)})
                )
                self.add(field, error.message, hint)
                # Asked for, it is no longer left over.
                table.raw(name)
            else:
                return

    def strange(self, table: Table, known: Sequence[str]) -> None:
        """Refuse each member that is not `known`, before the others are read: a fault in one of those must not hide it."""
        for name in known:
            table.raw(name)
        self.close(table, known)

    def refuse(self) -> None:
        """Refuse the document if it has faults.

        Raises
        ------
        InputError
            The first of them.
        """
        if self.found:
            raise self.found[0]
