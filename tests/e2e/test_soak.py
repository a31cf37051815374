"""A cut of `make soak`: two nodes that are killed, cut off and set back for five minutes lose, double and leak nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from simulators.processes import environment

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"
SECONDS = 300


@pytest.mark.timeout(SECONDS + 300)
def test_a_short_soak_loses_nothing_doubles_nothing_and_leaks_nothing():
    # Debian's faketime moves the clocks: `make test` installs it.
    done = subprocess.run(
        [sys.executable, SOAK, "--seconds", str(SECONDS), "--seed", "1"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS + 250,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert list(figures) == ["kills", "acknowledged", "lost", "duplicated", "bytes_without_permit", "forks_undetected"]
    assert figures["kills"] > 5
    assert figures["acknowledged"] > 0
    assert " 0 forks" not in done.stderr
    if "no faketime" not in done.stderr:
        assert "'weeks': 0" not in done.stderr
        assert "'weeks':" in done.stderr
        assert "'clock back':" in done.stderr
