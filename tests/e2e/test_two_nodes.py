"""The walk-through of docs/two-nodes.md, run as it is written (on other ports, in a folder of its own)."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from simulators.processes import environment

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs/two-nodes.md"
# Commands that end with another status than 0, each as often as the page says so.
REFUSED, STRANGER = 3, 4


def lines():
    """The commands of the page, in order."""
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def on_free_ports(text):
    with ExitStack() as held:
        for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text))):
            free = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            text = text.replace(f":{port}", f":{free}")
    return text


def test_the_walk_through_works_line_by_line(tmp_path):
    (tmp_path / "src").symlink_to(HOME / "src")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    # The environment of these tests stands for the one that `make setup` makes.
    (tmp_path / ".venv/bin/activate").write_text(f'PATH="{tmp_path}/.venv/bin:$PATH"\n')
    program = tmp_path / ".venv/bin/kizuna"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kizuna "$@"\n')
    program.chmod(0o755)
    commands = lines()
    # A person needs longer than this from one line to the next; after each its status is told.
    script = "".join(f'{line}\necho "status $? {number}" >> statuses\n' for number, line in enumerate(commands))
    # A file, not a pipe: the serving node holds its output open for as long as it runs.
    with (tmp_path / "out").open("w") as said:
        subprocess.run(
            ["bash"],
            input=on_free_ports("trap 'kill %1' EXIT\n" + script),
            cwd=tmp_path,
            env=environment() | {"PATH": os.environ["PATH"]},
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
    out = (tmp_path / "out").read_text("utf-8")
    statuses = [int(line.split()[1]) for line in (tmp_path / "statuses").read_text().splitlines()]
    assert len(statuses) == len(commands), out
    unusual = [(commands[number], status) for number, status in enumerate(statuses) if status]
    assert unusual == [("kizuna sync JPN --node ukr", REFUSED), ("kizuna sync JPN --node ukr", STRANGER)], out
    assert "Traceback" not in out
    assert "JPN/IQPS: 1 new products" in out
    assert "Review of the third-party rule." in out
    assert out.count("entries verified") == 2
    assert "markings.toml" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == [".venv", "out", "src", "statuses"]
