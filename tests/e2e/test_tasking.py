"""From requests to delivery: scheduled, told to whom an agreement lets know, ordered of a provider that is another process."""

import json
from importlib.resources import files

import pytest
from click.testing import CliRunner
from simulators.processes import begin, within

from kizuna.cli.main import kizuna as root
from kizuna.errors import InputError

SAMPLES = files("kizuna.samples") / "tasking"
SETS = """QPS-SAR-5 (TSUKUYOMI-I)
1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998
2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086
ICEYE-X41
1 62700U 25009CV  26127.75420197  .00002939  00000+0  26382-3 0  9990
2 62700  97.7057 207.8766 0002695 135.4126 224.7312 14.96494376 71363
"""
AGREEMENT = """
schema = "kizuna/agreement/1"
id = "TASKING"
version = 1
title = "Requests for images"
kind = "sharing"
parties = ["JPN/IQPS", "FIN/ICEYE"]
tells_partner = true
recorded = 2026-01-01
sources = ["made up"]
in_force = { from = 2026-01-01T00:00:00Z }

[[articles]]
number = "1"
title = "Requests for images"
givers = ["JPN/IQPS"]
receivers = ["FIN/ICEYE"]
kinds = ["request"]
policy = "JPN"
ceiling = "UNCLASSIFIED"
"""


def run(*arguments):
    result = CliRunner().invoke(root, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_image_is_scheduled_ordered_and_delivered(tmp_path):
    sets, node, inbox, fleet = tmp_path / "sets.3le", tmp_path / "node", tmp_path / "inbox", tmp_path / "fleet.toml"
    sets.write_text(SETS)
    fleet.write_text((SAMPLES / "fleet.toml").read_text())
    (tmp_path / "agreement.toml").write_text(AGREEMENT)
    requests = tmp_path / "requests.toml"
    requests.write_text((SAMPLES / "requests.toml").read_text())
    plan = (
        "plan",
        "schedule",
        requests,
        "--fleet",
        fleet,
        "--elements",
        sets,
        "--from",
        "2026-05-08T00:00:00Z",
        "--seconds",
        "3",
        "--node",
        node,
    )

    run("node", "init", "--nation", "JPN", "--organisation", "IQPS", "--node", node)
    alone = run(*plan)
    assert {task["provider"] for task in alone["tasks"]} == {"JPN/IQPS"}
    assert {"request": "kyiv", "spot": "kyiv", "why": "nobody who sees it may be told"} in alone["missed"]

    run("agreement", "add", tmp_path / "agreement.toml", "--node", node)
    together = run(*plan)
    (kyiv,) = [task for task in together["tasks"] if task["request"] == "kyiv"]
    assert kyiv["satellite"] == "ICEYE-X41"
    assert together["worth"] <= together["bound"]
    (tmp_path / "schedule.json").write_text(json.dumps({**together, "tasks": [kyiv]}))
    kept = run(*plan, "--keep", tmp_path / "schedule.json", "--commit-hours", "24")
    assert kyiv in kept["tasks"]

    options = ["--fleet", fleet, "--elements", sets, "--port", "0", "--speed", "20000", "--hold", "--deliver", inbox]
    with begin("plan", "provider", "FIN/ICEYE", *options, "--from", "2026-05-08T00:00:00Z", "--json") as provider:
        url = json.loads(provider.stdout.readline())["url"]
        fleet.write_text(fleet.read_text().replace('satellites = ["ICEYE"]', f'satellites = ["ICEYE"]\nstapi = "{url}"'))
        order = ("plan", "order", "--fleet", fleet, "--node", node)
        made = [*order, tmp_path / "schedule.json", "--requests", requests]
        (first,) = run(*made)
        (again,) = run(*made)
        within(60, "delivery", lambda: any(inbox.glob("*.tif")))
        assert [one["state"] for one in run(*order, "--status")] == ["completed"]
    told = run("audit", "log", "--node", node)
    assert first["order"] == again["order"]
    assert again["why"] == "ordered already"
    assert sorted(path.name for path in inbox.iterdir()) == [
        f"{first['order']}-ICEYE-X41.tif{end}" for end in ("", ".label.toml", ".ready")
    ]
    assert "request/kyiv" in json.dumps(told)

    run("agreement", "suspend", "TASKING", "--reason", "test", "--node", node)
    (tmp_path / "schedule.json").write_text(json.dumps({**together, "tasks": [{**kyiv, "start": "2026-05-08T09:07:01Z"}]}))
    (refused,) = run(*made)
    assert (refused["state"], refused["why"]) == ("not ordered", "it may not be told")

    # What was decided of one place does not let another be told.
    moved = [{**spot, "latitude_deg": 48.0} if spot["spot"] == "kyiv" else spot for spot in together["spots"]]
    (tmp_path / "schedule.json").write_text(json.dumps({**together, "tasks": [kyiv], "spots": moved}))
    with pytest.raises(InputError, match="does not lie in the area of its request"):
        run(*made)
