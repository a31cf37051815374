"""schemathesis on the OpenAPI description, as a person and as a partner: what is asked beside it breaks nothing."""

from __future__ import annotations

import re

import pytest
from simulators.clients import CLIENTS, run

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection"
# Where a partner could meet what is withheld; the others answer everybody alike, and are asked as a person.
PARTNERS_OPERATIONS = ["search", "item", "aggregate"]
# What clients of maps ask for beyond what is described is passed over, as WMTS has it.
MAPS = "tile|wmts|/map|thumbnail"
PARTNERS_MAPS = ["tile", "map"]


def asked(caller, folder, *options, **path):
    """Let it ask as a caller; what it printed. An item that is there is named, else it would ask for others alone."""
    known = {"collection": "imagery", "item": caller.told[0], "layer": caller.told[0]} | path
    lines = "".join(f'"path.{name}" = "{value}"\n' for name, value in known.items())
    (folder / "schemathesis.toml").write_text(f"[parameters]\n{lines}", encoding="utf-8")
    words = ["--phases=coverage", "--seed=1", "--continue-on-failure", "--no-color", *options]
    words += [f"--header={name}: {value}" for name, value in caller.headers.items()]
    done = run(CLIENTS / "schemathesis", "run", caller.url + "/api", *words, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("who", ["person", "partner"])
def test_no_question_of_it_breaks_the_description(callers, who, tmp_path):
    caller = getattr(callers, who)
    recorded = tmp_path / "asked.har"
    options = [f"--checks={CHECKS}", "--report=har", f"--report-har-path={recorded}", f"--exclude-path-regex={MAPS}"]
    if caller is callers.partner:
        options += [f"--include-operation-id={name}" for name in PARTNERS_OPERATIONS]
    generated = re.search(r"(\d+) generated", asked(caller, tmp_path, *options))
    assert generated is not None
    assert int(generated[1]) > 100
    answers = recorded.read_text("utf-8")
    # It saw products, and those alone that the caller may see.
    assert any(product in answers for product in caller.told)
    assert not any(product in answers for product in caller.withheld)


@pytest.mark.parametrize("who", ["person", "partner"])
def test_no_question_of_it_breaks_a_map(callers, who, tmp_path):
    caller = getattr(callers, who)
    options = ["--checks=not_a_server_error,status_code_conformance"]
    if caller is callers.partner:
        options += [f"--include-operation-id={name}" for name in PARTNERS_MAPS]
    else:
        options.append(f"--include-path-regex={MAPS}")
    asked(caller, tmp_path, *options, z="0", x="0", y="0", format="png")
