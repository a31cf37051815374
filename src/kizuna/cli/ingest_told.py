"""What ``kizuna ingest`` tells of the files that it takes in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from kizuna.cli.decision_text import outcome_word
from kizuna.cli.terminal import Progress, _, print_json, refuse, say
from kizuna.errors import InputError, Message
from kizuna.model.product import product_to_json
from kizuna.node.intake import Source
from kizuna.release.decision import decision_to_json
from kizuna.wiring import label_path, open_product, read_label_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.model.canonical import Json
    from kizuna.node.intake import Taken
    from kizuna.node.publish import Described, Published

__all__ = ["Told", "at_place", "label_hint", "published_json", "say_published", "source_of"]

_LABEL_HINT = Message("every product needs a label: write one beside it (docs/labels.md), or name it with --label")


def label_hint() -> Message:
    """What to do where a label is missing."""
    return _LABEL_HINT


def source_of(path: Path, label: Path | None, described: Described) -> Source:
    """File to take in, with its label beside it unless `label` names one for all."""
    return Source(
        str(path), partial(open_product, path), partial(read_label_file, label or label_path(path), hint=_LABEL_HINT), described
    )


class Told:
    """Tells what came of each file: as it is taken in, or all in their order as JSON; faults and progress on stderr.

    Parameters
    ----------
    places
        Where the files are, in their order; none where they come up one by one.
    json_
        Whether JSON is asked for.
    """

    def __init__(self, places: Sequence[str], *, json_: bool) -> None:
        self._order = {place: number for number, place in enumerate(places)}
        self._known = len(self._order)
        self._published: list[tuple[int, Published]] = []
        self._json = json_
        self._progress = Progress(_("files"))
        self._done = 0
        self.faults = 0

    def __call__(self, taken: Taken) -> None:
        """Tell what came of one."""
        self._done += 1
        if taken.published is not None:
            if self._json:
                self._published.append((self._order.setdefault(taken.source.place, len(self._order)), taken.published))
            else:
                say_published(taken.published)
        elif taken.fault is not None:
            self.faults += 1
            refuse(at_place(taken.source.place, taken.fault))
        if self._known > 1:
            self._progress(self._done, self._known)

    def fault(self, place: str, fault: InputError) -> None:
        """Tell a fault that is of no single file."""
        self.faults += 1
        refuse(at_place(place, fault))

    def finish(self) -> None:
        """Tell what is told at the end."""
        if self._json:
            ordered = sorted(self._published, key=lambda pair: pair[0])
            print_json([published_json(published) for _number, published in ordered])
        if self.faults and self._done > 1:
            values = {"refused": self.faults, "all": self._done}
            say(Message("{refused} of {all} files were refused.", values), err=True)


def at_place(place: str, fault: InputError) -> InputError:
    """Fault with the file that it is about before it, unless it names the file itself."""
    if fault.message.render().startswith(place):
        return fault
    return InputError(
        Message("{path}: {why}", {"path": place, "why": fault.message.render(_)}), hint=fault.hint, field=fault.field
    )


def published_json(published: Published) -> dict[str, Json]:
    """What came of a file, as JSON."""
    return {
        "product": product_to_json(published.product),
        "known_already": published.known,
        "decisions": [{"partner": partner} | decision_to_json(decision, _) for partner, decision in published.decisions],
    }


def say_published(published: Published) -> None:
    """Print what came of a file, and who may have it."""
    values: dict[str, str | int | float | Message] = {
        "id": published.product.id,
        "title": published.product.title,
        "marking": published.product.label.marking,
    }
    if published.known:
        say(Message("{id}  {title}: the same bytes are here already; nothing was changed.", values))
        return
    say(Message("{id}  {title}  [{marking}]", values))
    for partner, decision in published.decisions:
        click.echo(f"  {partner}: {outcome_word(decision)}  {decision.reasons[0].message.render(_)}")
