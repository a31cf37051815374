"""The main job, timed: `kizuna demo` (three real nodes on loopback, mutual TLS), and decisions over the sample register.

The job runs in processes of its own, with whatever else the machine is doing: figures of one run, not the best of several.
Decisions are counted in CPU seconds of this process, one thread; the best of three rounds.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time

from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.release.decide import Subject, decide
from kizuna.wiring import load_register

SUPPLEMENTS = ("IQPS-HUR-2025", "JPN-UKR-ISA-2024")
ROUND_S = 2.0


def report(metric: str, value: float, unit: str, goal: float | None) -> None:
    """Print one figure, which must not exceed its goal; nobody else does this job, so there is no peer to run beside it."""
    line = {
        "benchmark": "spine",
        "metric": metric,
        "value": value,
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
        "goal": goal,
        "met": None if goal is None else value <= goal,
    }
    print(json.dumps(line), flush=True)


def demo() -> tuple[dict[str, float], float]:
    """Figures of a demo that checks itself, and how long the command took, seconds."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "kizuna", "demo", "--check", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout), seconds


def decisions_per_s() -> tuple[float, int]:
    """Decisions a CPU second over the sample register with its supplements, and the count of its agreements.

    Eight partners ask for products under each marking of the originator's ladder, releasable to all or to one, on three days.
    """
    register = load_register(None, SUPPLEMENTS, ())
    japan = parse_party("JPN/IQPS")
    created = parse_instant("2025-06-22")
    labels = [
        Label("JPN", marking, japan, created, releasable_to=releasable)
        for marking in ("UNCLASSIFIED", "秘", "極秘", "機密")
        for releasable in (None, (parse_party("UKR/HUR"),))
    ]
    partners = [parse_party(name) for name in ("UKR/HUR", "UKR", "NZL", "USA", "FRA", "FIN", "GBR", "XXN")]
    days = [parse_instant(day) for day in ("2025-04-01", "2025-05-01", "2025-07-01")]
    now = parse_instant("2026-01-01")
    asked = [
        (Subject("product", "imagery", japan, japan, label), partner, day)
        for label, partner, day in itertools.product(labels, partners, days)
    ]
    best = 0.0
    for _ in range(3):
        count, begin = 0, time.process_time()
        while (spent := time.process_time() - begin) < ROUND_S:
            for subject, partner, day in asked:
                decide(register, subject, partner, day, now)
            count += len(asked)
        best = max(best, count / spent)
    return best, len(register.agreements)


def main() -> None:
    """Print the figures."""
    figures, demo_s = demo()
    report("echoes_to_partner_store_s", figures["echoes_to_partner_store_s"], "s", 60.0)
    report("suspension_to_refusal_s", figures["suspension_to_refusal_s"], "s", 1.0)
    report("demo_s", round(demo_s, 2), "s", 60.0)
    rate, agreements = decisions_per_s()
    report("decisions_per_s", round(rate), f"decisions per CPU second over {agreements} agreements", None)


if __name__ == "__main__":
    main()
