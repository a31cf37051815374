"""``kizuna sar info`` and ``check`` as a person runs them: words, JSON and exit statuses."""

import json
import sys

import pytest
from simulators.collections import START, orbital_collection

from kizuna.cli.main import main
from kizuna.formats.cphd_write import write_cphd


@pytest.fixture
def echoes(tmp_path):
    path = tmp_path / "echoes.cphd"
    with path.open("w+b") as file:
        write_cphd(file, orbital_collection(), produced=START)
    return path


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["kizuna", "sar", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    return left.value.code, out, err


def test_info(monkeypatch, capsys, echoes):
    status, out, _ = run(monkeypatch, capsys, "info", echoes)
    assert status == 0
    assert "CPHD 1.1.0" in out
    assert "40 × 48" in out
    status, out, _ = run(monkeypatch, capsys, "info", echoes, "--json")
    form = json.loads(out)
    assert (status, form["format"], form["channels"], form["classification"]) == (0, "CPHD", ["1"], "UNCLASSIFIED")


def test_check_exits_by_what_it_finds(monkeypatch, capsys, echoes, tmp_path):
    status, out, _ = run(monkeypatch, capsys, "check", echoes)
    assert (status, out) == (0, f"{echoes}: CPHD, nothing found\n")
    whole, other = echoes.read_bytes(), tmp_path / "other.cphd"
    other.write_bytes(whole.replace(b"<SGN>-1</SGN>", b"<SGN>-7</SGN>"))
    status, out, _ = run(monkeypatch, capsys, "check", echoes, other, "--json")
    answers = json.loads(out)
    assert (status, answers[0]["findings"], len(answers[1]["findings"]) > 0) == (1, [], True)
    cut = tmp_path / "cut.cphd"
    cut.write_bytes(whole[:-1])
    status, _, err = run(monkeypatch, capsys, "check", cut)
    assert status == 2
    assert "the SIGNAL block ends at byte" in err
