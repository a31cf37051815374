"""schemathesis on the OpenAPI description, as a person and as a partner: what is asked beside it breaks nothing."""

from __future__ import annotations

import re

import pytest
from simulators.clients import CLIENTS, run

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection"
# Where a partner could meet what is withheld; the others answer everybody alike, and are asked as a person.
PARTNERS_OPERATIONS = ["search", "item", "aggregate"]


@pytest.mark.parametrize("who", ["person", "partner"])
def test_no_question_of_it_breaks_the_description(callers, who, tmp_path):
    caller = getattr(callers, who)
    recorded = tmp_path / "asked.har"
    options = ["--phases=coverage", f"--checks={CHECKS}", "--seed=1", "--continue-on-failure", "--no-color"]
    options += ["--report=har", f"--report-har-path={recorded}"]
    options += [word for name, value in caller.headers.items() for word in ("--header", f"{name}: {value}")]
    options += [word for name in PARTNERS_OPERATIONS if not caller.token for word in ("--include-operation-id", name)]
    done = run(CLIENTS / "schemathesis", "run", caller.url + "/api", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) > 100
    answers = recorded.read_text("utf-8")
    # It saw products, and those alone that the caller may see.
    assert any(product in answers for product in caller.told)
    assert not any(product in answers for product in caller.withheld)
