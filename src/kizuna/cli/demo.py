"""``kizuna demo``: the main job on real data, from radar echoes to the right partner's map."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click

from kizuna.cli.story import END_SIGNALS, Story
from kizuna.cli.terminal import _, as_json, examples, print_json, say
from kizuna.errors import InputError, Message

__all__ = ["demo"]


@click.command(
    help=_(
        "Run the main job on real data: form an image from radar echoes, publish it on a Japanese node, let a Ukrainian node "
        "pull what an agreement allows and a third node nothing, suspend the agreement, and prove it all from the logs."
    ),
    epilog=examples(
        "kizuna demo",
        "kizuna demo --check --json",
    ),
)
@click.option("--check", is_flag=True, help=_("End by itself, with status 1 if anything is not as it must be."))
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=_("Keep the nodes in this new folder (default: a temporary one)."),
)
@as_json
def demo(check: bool, folder: Path | None, json_: bool) -> None:
    """Run the story."""
    if folder is not None and folder.exists():
        raise InputError(
            Message("{folder} exists", {"folder": str(folder)}),
            hint=Message("name a new folder, or leave --folder out"),
            field="folder",
        )
    root = folder or Path(tempfile.mkdtemp(prefix="kizuna-demo-"))
    # What is remembered of the demo's nodes goes when they go.
    os.environ["KIZUNA_STATE"] = str(root / "state")
    story = Story(root, loud=not json_)
    # Both signals end the story in its `finally`, also where a shell started us with SIGINT ignored: no node is left running.
    for number in END_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        figures = story.tell()
        if json_:
            print_json(figures)
        if not check:
            say(Message("The nodes stay up until you press Ctrl-C."), err=json_)
            sys.stdout.flush()
            story.wait()
    finally:
        # A second signal may not leave behind what the first one began to end.
        for number in END_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        story.stop()
        if folder is None:
            shutil.rmtree(root, ignore_errors=True)
