"""The page for release officers says what the program says: the rules, and the worked example."""

from __future__ import annotations

import re
from pathlib import Path

from simulators.processes import kizuna

from kizuna.release.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "release.md").read_text("utf-8")


def test_the_page_lists_the_rules_as_they_are():
    told = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert told == [(rule.id.value, rule.sentence, rule.hook) for rule in RULES]


def test_the_worked_example_is_what_the_command_prints():
    printed = kizuna("release", "trap").out
    shown = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(shown) == 3
    for block in shown:
        assert block in printed, block
