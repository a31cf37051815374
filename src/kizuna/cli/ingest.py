"""``kizuna ingest``: take files in, one, many, or all that come into a folder."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kizuna.cli.ingest_stac import ingest_stac
from kizuna.cli.ingest_told import Told, source_of
from kizuna.cli.ingest_watch import watch_folder
from kizuna.cli.terminal import _, as_json, examples, node_option
from kizuna.errors import InputError, Message
from kizuna.model.instants import Interval, parse_instant
from kizuna.node.decisions import require_item
from kizuna.node.intake import take_in_all
from kizuna.node.publish import Described
from kizuna.wiring import WatchedFolder, open_node

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
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
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
@click.option(
    "--watch",
    type=click.Path(path_type=Path, file_okay=False),
    help=_("Folder to watch: what comes into it is taken in and moved to its folder done, or failed with the reason."),
)
@click.option(
    "--settle", default=10.0, show_default=True, type=click.FloatRange(min=0.0), help=_("Seconds that a file must not change.")
)
@click.option("--every", default=5.0, show_default=True, type=click.FloatRange(min=0.01), help=_("Seconds between looks."))
@click.option(
    "--stac",
    metavar="URL|FILE",
    help=_("STAC item, collection or search, or pgstac database: take in the files that its items link to."),
)
@click.option("--by-reference", is_flag=True, help=_("With --stac: keep the items, and leave their files where they are."))
@click.option("--asset", metavar="KEY", help=_("With --stac: the asset that holds the product (default: its data)."))
@click.option("--most", default=1000, show_default=True, type=click.IntRange(min=1), help=_("With --stac: most items."))
@click.option("--once", is_flag=True, help=_("End when nothing in the watched folder waits any more."))
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
    watch: Path | None,
    settle: float,
    every: float,
    once: bool,
    stac: str | None,
    by_reference: bool,
    asset: str | None,
    most: int,
    folder: Path,
    json_: bool,
) -> None:
    """Take in."""
    if bool(files) + (watch is not None) + (stac is not None) != 1:
        (argument,) = [each for each in click.get_current_context().command.params if each.name == "files"]
        raise click.BadParameter(_("name files, a folder with --watch, or a document with --stac."), param=argument)
    if replaces is not None and len(files) > 1:
        raise click.UsageError(_("--replaces takes one file."))
    moment = None if event is None else parse_instant(event, field="event")
    if not files and (title or sensor or event or notes or parents or replaces):
        raise click.UsageError(_("--watch and --stac take no option that describes one file."))
    if stac is not None:
        refused = ingest_stac(stac, folder, label, by_reference=by_reference, asset=asset, most=most, jobs=jobs or 1, json_=json_)
        if refused:
            context.exit(InputError.exit_status)
        return
    if watch is not None:
        watched = WatchedFolder(watch, settle_s=settle, labelled=label is None)
        if watch_folder(watched, folder, label, every_s=every, once=once, jobs=jobs or 1, json_=json_):
            context.exit(InputError.exit_status)
        return
    told = Told([str(path) for path in files], json_=json_)
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
