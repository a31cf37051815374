"""Help in Japanese keeps to the terminal's columns; in other languages it is click's own."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from kizuna.cli.wide_help import Commands, WideFormatter, columns_of

LONG = "パートナーが回収したプロダクトと、その回答を一覧表示します (docs/exchange.md)。" * 3


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setattr(click.Context, "formatter_class", WideFormatter)


def help_of(text: str, option: str) -> list[str]:
    @click.group(cls=Commands, help=text)
    def group() -> None: ...

    @group.command(help=text)
    @click.option("--option", help=option)
    def one(option: str) -> None: ...

    done = [CliRunner().invoke(group, words, terminal_width=80) for words in (["--help"], ["one", "--help"])]
    return "".join(each.stdout for each in done).splitlines()


@pytest.mark.usefixtures("wide")
def test_no_line_is_wider_than_the_terminal_or_begins_or_ends_with_what_may_not_stand_there():
    lines = help_of(LONG, LONG)
    assert max(map(columns_of, lines)) <= 80
    assert not [line for line in lines if line.lstrip()[:1] in {"、", "。", ")"}]
    assert not [line for line in lines if line.endswith("(")]
    # Of a group's command its first sentence, cut, and not only that there is more.
    (listed,) = [line for line in lines if line.lstrip().startswith("one ")]
    assert listed.endswith("...")
    assert columns_of(listed) > 60


@pytest.mark.usefixtures("wide")
def test_nothing_of_the_text_is_lost():
    text = "".join(line.strip() for line in help_of(LONG, "x")).replace(" ", "")
    assert LONG.replace(" ", "") in text


def test_what_has_no_wide_letters_is_written_as_click_writes_it(monkeypatch):
    text = "Показати продукт, його файли і те, кому його можна надати; " * 3
    plain = help_of(text, text)
    monkeypatch.setattr(click.Context, "formatter_class", WideFormatter)
    assert help_of(text, text) == plain


@given(st.text(st.sampled_from("aZ 絆、。「」(){}"), max_size=60), st.integers(10, 40))
def test_any_text_comes_out_whole(text, width):
    formatter = WideFormatter(width=width)
    formatter.write_text("絆" + text)
    found = formatter.getvalue()
    assert found.replace("\n", "").replace(" ", "") == ("絆" + text).replace(" ", "")
