"""`make bench` says what it can do, and does it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from simulators.processes import environment

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEMBERS = ["benchmark", "metric", "value", "unit", "peer", "peer_value", "ratio", "goal", "met"]


def run(*arguments, timeout_s=120):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=timeout_s)


@pytest.mark.parametrize("names", [[], ["no-such"], ["spine", "sar"]])
def test_an_unknown_benchmark_is_told_with_those_that_there_are(names):
    done = run(BENCHMARKS / "run.py", *names)
    assert (done.returncode, done.stdout) == (2, "")
    for name in ("spine", "sar", "sar-accuracy"):
        assert name in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [["accuracy/sar.py", "--only", "trihedral"], ["speed/exchange.py", "--only", "enqueue", "--queued", "1"]],
    ids=["sar-accuracy", "exchange"],
)
def test_each_figure_is_a_line_of_json(command):
    done = run(BENCHMARKS / command[0], *command[1:])
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    for line in lines:
        assert list(line) == MEMBERS
        # Of what is counted by the second, more is better; of all else, less.
        value, goal = line["value"], line["goal"]
        reached = None if goal is None else value >= goal if line["metric"].endswith("_per_s") else value <= goal
        assert line["met"] is reached
