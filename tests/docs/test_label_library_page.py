"""The page on the label library: the examples of its policies are run, and say what they print."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from simulators.security_policies import ACME_XML, MOCK_XML

PAGE = (Path(__file__).parents[2] / "docs" / "label-library.md").read_text("utf-8")


def test_the_examples_print_what_the_page_says(tmp_path, monkeypatch):
    (tmp_path / "acme.xml").write_bytes(ACME_XML)
    (tmp_path / "mock.xml").write_bytes(MOCK_XML)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "label-library.md", "docs/label-library.md", 0)
    assert len(test.examples) > 20
    told = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
    assert result.failed == 0, "".join(told)
