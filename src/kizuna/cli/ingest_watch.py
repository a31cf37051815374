"""``kizuna ingest --watch``: take in all that comes into a folder, until it is stopped."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from kizuna.cli.ingest_told import at_place, published_json, say_published, source_of
from kizuna.cli.terminal import _, refuse, say
from kizuna.errors import Message
from kizuna.node.intake import take_in_all
from kizuna.node.publish import Described
from kizuna.wiring import open_node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.node.intake import Taken
    from kizuna.wiring import Arrived, WatchedFolder

__all__ = ["watch_folder"]


def watch_folder(
    watched: WatchedFolder, node_folder: Path, label: Path | None, *, every_s: float, once: bool, jobs: int, json_: bool
) -> int:
    """Take in what comes into a folder.

    Parameters
    ----------
    watched
        The folder.
    node_folder
        The node's.
    label
        Label of what has none beside it.
    every_s
        Seconds between looks.
    once
        Whether to end when nothing waits but for labels.
    jobs
        How many files are made at a time.
    json_
        Whether to print a JSON line for each product.

    Returns
    -------
    int
        How many were refused.
    """
    refused = 0
    waited: set[Path] = set()
    while True:
        complete, changing, unlabelled = watched.look(time.monotonic())
        _tell_unlabelled([path for path in unlabelled if path not in waited])
        waited = set(unlabelled)
        if complete:
            batch = _Batch(watched, complete, json_=json_)
            # Opened anew for each: agreements and partners are those of now.
            with open_node(node_folder) as here:
                sources = [source_of(one.path, one.label or label, Described()) for one in complete]
                take_in_all(here, sources, batch, jobs=jobs)
            refused += batch.refused
            continue
        if once and not changing:
            return refused
        time.sleep(every_s)


def _tell_unlabelled(paths: Sequence[Path]) -> None:
    for path in paths:
        values = {"path": str(path), "label": f"{path.name}.label.toml"}
        say(Message("{path} waits for its label: {label}", values), err=True)


class _Batch:
    """Moves each product out of the way once what came of it is durable, and tells it."""

    def __init__(self, watched: WatchedFolder, complete: Sequence[Arrived], *, json_: bool) -> None:
        self._watched, self._json = watched, json_
        self._arrived = {str(one.path): one for one in complete}
        self.refused = 0

    def __call__(self, taken: Taken) -> None:
        arrived = self._arrived[taken.source.place]
        if taken.fault is not None:
            self.refused += 1
            fault = at_place(taken.source.place, taken.fault)
            hint = "" if fault.hint is None else "\n" + fault.hint.render(_)
            self._watched.failed(arrived, fault.message.render(_) + hint)
            refuse(fault)
        elif taken.published is not None:
            self._watched.done(arrived)
            if self._json:
                click.echo(json.dumps(published_json(taken.published), ensure_ascii=False))
            else:
                say_published(taken.published)
