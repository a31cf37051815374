"""stac-api-validator, every class that the API names and that it knows, as a person and as a partner."""

from __future__ import annotations

import json
import re

import pytest
from simulators.clients import CLIENTS, ROOT, SCHEMA, run

PLACE = {"type": "Polygon", "coordinates": [[[70, 5], [80, 5], [80, 15], [70, 15], [70, 5]]]}
CLASSES = ["core", "collections", "features", "item-search", "filter"]
CLASSES += [f"{face}#{name}" for face in ("item-search", "features") for name in ("sort", "fields", "query")]
# Where the tool asks for what a node does not do, and why it does not.
KNOWN = {
    r"Filter Ext\].*(eo:cloud_cover|mission).* status code 400 instead of 200": "radar sees no "
    "clouds: what is no queryable is refused (`additionalProperties` of the queryables is false)",
    r"Fields Ext\].*'exclude': \['properties'\], 'include'.*fewer than 5 fields": "it asks for one member and wants five",
    r"Query Ext\].*\"in\": .*non-matching results": "it looks for the values among the letters of the property that was found",
}
# With a token: the tool sends it to all addresses but to this one.
WITHOUT_TOKEN = r"service-desc.*(must return 200|media type used in Accept)"


@pytest.mark.parametrize("who", ["person", "partner"])
def test_it_finds_nothing_but_what_is_known(callers, who):
    caller = getattr(callers, who)
    item = caller.json("/search", limit=1)["features"][0]["properties"]
    gsd, platform = str(item["gsd"]), item["platform"]
    options = {
        "--root-url": caller.url,
        "--collection": "imagery",
        "--geometry": json.dumps(PLACE),
        "--fields-nested-property": "properties.gsd",
        "--query-comparison-field": "gsd",
        **dict.fromkeys(("--query-eq-value", "--query-lte-value", "--query-gte-value"), gsd),
        **dict.fromkeys(("--query-neq-value", "--query-lt-value"), "999"),
        "--query-gt-value": "1",
        "--query-substring-field": "platform",
        "--query-starts-with-value": platform[:3],
        "--query-ends-with-value": platform[-3:],
        "--query-contains-value": platform[1:-1],
        "--query-in-field": "platform",
        "--query-in-values": f"{platform},other",
    }
    if caller.token:
        options["--auth-bearer-token"] = caller.token
    words = [word for option in options.items() for word in option]
    words += [word for name in CLASSES for word in ("--conformance", name)]
    environment = {"PYTHONPATH": str(ROOT / "tests/clients/offline"), "KIZUNA_SCHEMA": str(SCHEMA)}
    done = run(CLIENTS / "stac-api-validator", *words, "--validate-pagination", **environment)
    told = done.stdout + done.stderr
    assert "Traceback" not in told, told
    found = [line[2:] for line in told.partition("Errors:")[2].splitlines() if line.startswith("- ")]
    assert found, told
    known = [*KNOWN, *([WITHOUT_TOKEN] if caller.token else [])]
    assert [line for line in found if not any(re.search(pattern, line) for pattern in known)] == []
    assert [pattern for pattern in known if not any(re.search(pattern, line) for line in found)] == []
    # Nothing that is withheld from the caller was told to its tool.
    assert not any(product in told for product in caller.withheld)
