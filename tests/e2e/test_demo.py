"""`kizuna demo`: the main job in one command, which leaves nothing behind however it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from pathlib import Path

import pytest
from simulators.processes import begin, kizuna, within

from kizuna.cli.story import END_SIGNALS, Story
from kizuna.model.instants import parse_instant


def children(pid):
    """Processes that a process started, by their ids."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.timed
def test_the_demo_checks_itself_and_leaves_nothing_behind(tmp_path):
    seen: set[int] = set()
    with begin("demo", "--check", "--json", env={"TMPDIR": str(tmp_path)}) as demo:
        while demo.poll() is None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                seen |= set(children(demo.pid))
                demo.wait(0.1)
        out, err = demo.communicate(timeout=30)
    assert demo.returncode == 0, err
    figures = json.loads(out)
    assert len(figures["nodes"]) == 3
    assert [node["party"] for node in figures["nodes"]] == ["JPN/IQPS", "UKR/HUR", "NZL"]
    assert 0 < figures["order_to_partner_store_s"] < 30
    assert 0 < figures["suspension_to_refusal_s"] < 5
    assert figures["suspension_to_refusal_s"] < figures["echoes_to_partner_store_s"] < figures["total_s"] < 120
    # Two products of several files each, and none of the third.
    assert 1_000_000 < figures["payload_bytes"] < 20_000_000
    # Three products for two partners when they were published, two served.
    assert figures["decisions"] >= 8
    assert figures["log_entries_verified"] > figures["decisions"]
    assert len(seen) >= 3
    assert [pid for pid in seen if runs(pid)] == []
    assert list(tmp_path.iterdir()) == []
    assert all(not Path(node["folder"]).exists() for node in figures["nodes"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_stopped_half_way_leaves_nothing_behind(tmp_path, number):
    with begin("demo", "--json", env={"TMPDIR": str(tmp_path)}) as demo:
        within(60, "no node was started", lambda: demo.poll() is not None or len(children(demo.pid)) >= 1)
        nodes = children(demo.pid)
        assert nodes
        demo.send_signal(number)
        demo.communicate(timeout=30)
    assert demo.returncode not in {0, -signal.SIGKILL}
    assert [pid for pid in nodes if runs(pid)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_a_node_is_being_started_leaves_nothing_behind(tmp_path, monkeypatch, number):
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *given, **options):
            super().__init__(*given, **options)
            started.append(self)
            # The process runs, and nobody but this class knows of it yet.
            signal.raise_signal(number)

    monkeypatch.setattr("kizuna.cli.story.subprocess.Popen", Popen)
    monkeypatch.setenv("KIZUNA_STATE", str(tmp_path / "state"))
    story = Story(tmp_path / "demo", loud=False)
    before = {number: signal.signal(number, signal.default_int_handler) for number in END_SIGNALS}
    try:
        with pytest.raises(KeyboardInterrupt):
            story.tell()
        assert [signal.getsignal(number) for number in END_SIGNALS] == [signal.default_int_handler] * len(END_SIGNALS)
    finally:
        story.stop()
        left = [process for process in started if process.poll() is None]
        for process in left:
            process.kill()
            process.wait()
        for each, handler in before.items():
            signal.signal(each, handler)
    assert (len(started), left) == (1, [])


def test_the_nodes_of_a_demo_can_be_kept_and_asked(tmp_path):
    folder = tmp_path / "kept"
    done = kizuna("demo", "--check", "--json", "--folder", folder)
    assert done.status == 0
    figures = done.json()
    for node in figures["nodes"]:
        verified = kizuna("audit", "verify", "--node", node["folder"], "--json").json()
        assert verified["verified"]
        assert verified["tail_confirmed"]
    (agreement,) = [
        line
        for line in kizuna("agreement", "list", "--node", figures["nodes"][0]["folder"], "--json").json()
        if line["state"] == "suspended"
    ]
    assert agreement["id"] == "IQPS-HUR-2025"
    held = kizuna("product", "list", "--node", figures["nodes"][1]["folder"], "--json").json()
    assert len(held) == 3
    assert [product["title"] for product in held if "SIMULATED" in product["title"]]
    assert all(product["complex"] is False for product in held)
    assert all(parse_instant(product["produced"]) for product in held)
    again = kizuna("demo", "--check", "--json", "--folder", folder)
    assert (again.status, again.fault()["field"]) == (2, "folder")
