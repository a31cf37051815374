"""``kizuna ingest``: take files in, one, many, or all that come into a folder."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.decision_text import outcome_word
from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, refuse, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import Interval, parse_instant
from kizuna.model.product import product_to_json
from kizuna.node.decisions import require_item
from kizuna.node.intake import Source, take_in_all
from kizuna.node.publish import Described
from kizuna.release.decision import decision_to_json
from kizuna.wiring import label_path, open_node, open_product, read_label_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import Json
    from kizuna.node.intake import Taken
    from kizuna.node.publish import Published

__all__ = ["ingest"]

_LABEL_HINT = Message("every product needs a label: write one beside it (docs/labels.md), or name it with --label")
_MOST_JOBS = 64


@click.command(
    help=_("Take files into the node under their labels, and queue each for the partners that may have it."),
    epilog=examples(
        "kizuna ingest scene.nitf --node jpn",
        "kizuna ingest scene.tif --label scene.label.toml --title 'Port, morning'",
        "kizuna ingest archive/*.tif --label archive.label.toml --jobs 4",
        "kizuna ingest corrected.tif --replaces abcd --node jpn",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--label", type=click.Path(path_type=Path), help=_("Label of the files (default: FILE.label.toml beside each)."))
@click.option("--title", help=_("One line for people, where the file has none."))
@click.option("--sensor", help=_("What observed it, where the file does not say."))
@click.option("--event", metavar="INSTANT", help=_("When it was observed, where the file does not say."))
@click.option("--note", "notes", multiple=True, help=_("A sentence that must be read with it."))
@click.option("--derived-from", "parents", multiple=True, metavar="PRODUCT", help=_("A product that it was made from."))
@click.option("--replaces", metavar="PRODUCT", help=_("Own product of which the file is a newer, corrected version."))
@click.option(
    "--jobs", type=click.IntRange(1, _MOST_JOBS), help=_("How many files are made at a time (default: one a processor).")
)
@node_option
@as_json
@click.pass_context
def ingest(
    context: click.Context,
    files: tuple[Path, ...],
    label: Path | None,
    title: str | None,
    sensor: str | None,
    event: str | None,
    notes: tuple[str, ...],
    parents: tuple[str, ...],
    replaces: str | None,
    jobs: int | None,
    folder: Path,
    json_: bool,
) -> None:
    """Take in."""
    if replaces is not None and len(files) > 1:
        raise click.UsageError(_("--replaces takes one file."))
    moment = None if event is None else parse_instant(event, field="event")
    told = _Told(files, json_=json_)
    with open_node(folder) as here:
        described = Described(
            title=title,
            sensor=sensor,
            event=None if moment is None else Interval(moment, moment),
            notes=notes,
            derived_from=tuple(require_item(here, parent).product.id for parent in parents),
            replaces=None if replaces is None else require_item(here, replaces).product.id,
        )
        sources = (source_of(path, label, described) for path in files)
        try:
            take_in_all(here, sources, told, jobs=jobs or min(len(files), len(os.sched_getaffinity(0)), _MOST_JOBS))
        finally:
            # What was taken in before a fault stays, and is told.
            told.finish()
    if told.faults:
        context.exit(InputError.exit_status)


def source_of(path: Path, label: Path | None, described: Described) -> Source:
    """File to take in, with its label beside it unless `label` names one for all."""
    return Source(
        str(path), partial(open_product, path), partial(read_label_file, label or label_path(path), hint=_LABEL_HINT), described
    )


class _Told:
    """Tells what came of each file: as it is taken in, or all in their order as JSON; faults and progress on stderr."""

    def __init__(self, files: Sequence[Path], *, json_: bool) -> None:
        self._order = {str(path): number for number, path in enumerate(files)}
        self._published: list[tuple[int, Published]] = []
        self._json = json_
        self._progress = Progress(_("files"))
        self._done = 0
        self.faults = 0

    def __call__(self, taken: Taken) -> None:
        self._done += 1
        if taken.published is not None:
            if self._json:
                self._published.append((self._order[taken.source.place], taken.published))
            else:
                _say(taken.published)
        elif taken.fault is not None:
            self.faults += 1
            refuse(at_place(taken.source.place, taken.fault))
        if len(self._order) > 1:
            self._progress(self._done, len(self._order))

    def finish(self) -> None:
        """Tell what is told at the end."""
        if self._json:
            ordered = sorted(self._published, key=lambda pair: pair[0])
            print_json([_published_json(published) for _number, published in ordered])
        if self.faults and len(self._order) > 1:
            values = {"refused": self.faults, "all": self._done}
            say(Message("{refused} of {all} files were refused.", values), err=True)


def at_place(place: str, fault: InputError) -> InputError:
    """Fault with the file that it is about before it, unless it names the file itself."""
    if fault.message.render().startswith(place):
        return fault
    return InputError(
        Message("{path}: {why}", {"path": place, "why": fault.message.render(_)}), hint=fault.hint, field=fault.field
    )


def _published_json(published: Published) -> dict[str, Json]:
    return {
        "product": product_to_json(published.product),
        "known_already": published.known,
        "decisions": [{"partner": partner} | decision_to_json(decision, _) for partner, decision in published.decisions],
    }


def _say(published: Published) -> None:
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
