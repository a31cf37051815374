"""The page for release officers says what the program says: the rules, and the worked example."""

from __future__ import annotations

import re
from pathlib import Path

from simulators.processes import kizuna

from kizuna.release.rules import RULES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "release.md").read_text("utf-8")
RULES_PAGE = (DOCS / "rules.md").read_text("utf-8")
# Of A4, in the type of a letter; a table or a listing takes its lines.
WORDS_OF_A_PAGE = 600


def test_the_page_of_rules_lists_them_as_they_are():
    told = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", RULES_PAGE, re.MULTILINE)
    assert told == [(rule.id.value, rule.sentence, rule.hook) for rule in RULES]


def test_the_worked_example_is_what_the_command_prints():
    printed = kizuna("release", "trap").out
    shown = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(shown) == 3
    for block in shown:
        assert block in printed, block


def test_the_model_takes_two_pages():
    assert len(PAGE.split()) <= 2 * WORDS_OF_A_PAGE
    assert "rules.md" in PAGE


def test_what_is_said_to_work_without_a_node_has_no_need_of_one():
    (said,) = re.findall(r"^(.*) work without a node too", PAGE, re.MULTILINE)
    named = re.findall(r"`([\w-]+)`", said)
    assert named == ["explain", "view", "diff", "export-cedar"]
    for command in named:
        assert "--agreements" in kizuna("release", command, "--help").out
    assert "--agreements" not in kizuna("agreement", "suspend", "--help").out
