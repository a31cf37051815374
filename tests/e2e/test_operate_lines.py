"""The lines of docs/operate.md, run in order, as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from simulators.processes import environment

HOME = Path(__file__).parents[2]
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", (HOME / "docs" / "operate.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
# A block of a language is something to be written into a file, say.
BLOCKS = [block for language, block in FENCED if not language]


def test_the_page_has_a_block_for_each_chapter():
    assert len(BLOCKS) >= 10


def test_the_lines_of_the_page_run_as_written(tmp_path):
    (tmp_path / "src").symlink_to(HOME / "src")
    # What the page says to do beforehand: the environment is active. Each line must succeed.
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "kizuna"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m kizuna "$@"\n', "utf-8")
    command.chmod(0o755)
    found = environment({"KIZUNA_STATE": str(tmp_path / "state")})
    found["PATH"] = f"{command.parent}:{found['PATH']}"
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n" + "\n".join(BLOCKS)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=found, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pinned UKR/HUR." in done.stdout
    # The product came once; after the restoration, and before and after the change of keys, nothing came again.
    assert re.findall(r"JPN/IQPS: (\d+) new products", done.stdout) == ["1", "0", "0", "0"]
    assert "Revoked the key" in done.stdout
    assert "Signed by it: product" not in done.stdout
    assert "Removed UKR/HUR." in done.stdout
    assert '"event": "stopped"' in (tmp_path / "jpn.log").read_text("utf-8")
