"""schemathesis on the OpenAPI description, as a person and as a partner: what is asked beside it breaks nothing."""

from __future__ import annotations

import re

import pytest
from simulators.clients import CLIENTS, run

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection"
# Where a partner could meet what is withheld; the others answer everybody alike, and are asked as a person.
# What clients of maps ask for beyond what is described is passed over, as WMTS has it.
MAPS = "tile|wmts|/map|thumbnail"
PARTNERS_OPERATIONS = ["search", "item", "aggregate"]


@pytest.mark.parametrize("who", ["person", "partner"])
def test_no_question_of_it_breaks_the_description(callers, who, tmp_path):
    caller = getattr(callers, who)
    recorded = tmp_path / "asked.har"
    # Without these it would ask for what is not there alone.
    path = {"collection": "imagery", "item": caller.told[0], "layer": caller.told[0]}
    known = "".join(f'"path.{name}" = "{value}"\n' for name, value in path.items())
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{known}", encoding="utf-8")
    options = ["--phases=coverage", f"--checks={CHECKS}", "--seed=1", "--continue-on-failure", "--no-color"]
    options += ["--report=har", f"--report-har-path={recorded}"]
    options += [word for name, value in caller.headers.items() for word in ("--header", f"{name}: {value}")]
    options += [f"--exclude-path-regex={MAPS}"]
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


@pytest.mark.parametrize("who", ["person", "partner"])
def test_no_question_of_it_breaks_a_map(callers, who, tmp_path):
    caller = getattr(callers, who)
    path = {
        "collection": "imagery",
        "item": caller.told[0],
        "layer": caller.told[0],
        "z": "0",
        "x": "0",
        "y": "0",
        "format": "png",
    }
    known = "".join(f'"path.{name}" = "{value}"\n' for name, value in path.items())
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{known}", encoding="utf-8")
    options = ["--phases=coverage", "--checks=not_a_server_error,status_code_conformance", "--seed=1", "--no-color"]
    options += ["--continue-on-failure", f"--include-path-regex={MAPS}"]
    options += [word for name, value in caller.headers.items() for word in ("--header", f"{name}: {value}")]
    done = run(CLIENTS / "schemathesis", "run", caller.url + "/api", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
