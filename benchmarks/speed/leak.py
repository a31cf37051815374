"""What a partner can tell of hidden products from how long answers take, and what the record of reads costs.

A real node (mutual TLS on loopback) with as many hidden products as shown ones is asked in pairs, one about a hidden product and
one about none, in drawn order, one route after the other in each round; see `tests/simulators/latency.py` for the classifiers. A
figure is the share of requests of the second half that the best of three classifiers tells rightly, having learned on the first
half; 0.5 is a guess. With 5,000 pairs its standard error is 0.007.

The record: the same page of a search and the same items, in turns without any record, with reads that are on record already, and
with a window of no length, so that each answer waits for its own entry of the log. In one process, over SQLite, without HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
# What this machine remembers of its nodes is none of this benchmark's.
_STATE = tempfile.TemporaryDirectory(prefix="kizuna-state-")
os.environ["KIZUNA_STATE"] = _STATE.name

from datetime import timedelta  # noqa: E402 - the tests' folder comes first

from simulators.latency import ROUTES, accuracies, asking, stocked, time_pairs  # noqa: E402

from kizuna.catalog.column_index import ColumnIndex  # noqa: E402
from kizuna.catalog.query import Query  # noqa: E402
from kizuna.model.parties import parse_party  # noqa: E402
from kizuna.node.catalogue import Catalogue, detected_remains  # noqa: E402
from kizuna.wiring import open_node  # noqa: E402

GOAL = 0.55
TAKER = parse_party("UKR/HUR")


def report(metric: str, value: float, unit: str, goal: float | None) -> None:
    """Print one figure, which must not exceed its goal; nobody else promises this, so there is no peer to run beside it."""
    line = {
        "benchmark": "leak",
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


def measure_record(folder: Path, rounds: int) -> None:
    """Print what it costs to have reads on record, in the catalogue of a node over SQLite, without HTTP."""
    with open_node(folder, by="exchange") as node:
        catalogue = Catalogue(node, ColumnIndex(node.store.items, node.organisation, detected_remains))
        page = catalogue.search(Query(limit=10), TAKER)
        reads, random = node.reads, Random(5)
        record = type(reads).record
        taken: dict[str, dict[str, list[float]]] = {what: {} for what in ("page", "item")}
        for number in range(rounds):
            shown = page.items[number % len(page.items)].product.id
            # On record already; on record with this answer; not recorded at all, as it was before there was a record.
            for how in random.sample(("known", "first", "none"), 3):
                reads.window = timedelta(0) if how == "first" else timedelta(days=1)
                if how == "none":
                    type(reads).record = lambda *_: False  # type: ignore[method-assign,assignment]
                for what, by_how in taken.items():
                    begin = time.perf_counter()
                    if what == "page":
                        catalogue.search(Query(limit=10), TAKER)
                    else:
                        catalogue.item(shown, TAKER)
                    by_how.setdefault(how, []).append(time.perf_counter() - begin)
                type(reads).record = record  # type: ignore[method-assign]
        for what, by_how in taken.items():
            middle = {how: statistics.median(seconds) * 1e3 for how, seconds in by_how.items()}
            report(f"{what}_unrecorded_p50_ms", round(middle["none"], 3), "ms", None)
            report(f"{what}_read_again_p50_ms", round(middle["known"], 3), "ms", None)
            report(f"{what}_first_read_p50_ms", round(middle["first"], 3), "ms", None)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5_000, help="pairs of requests a route")
    parser.add_argument("--products", type=int, default=5_000, help="hidden products, and as many that are shown")
    parser.add_argument("--rounds", type=int, default=300, help="rounds of the record's cost")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kizuna-leak-") as name:
        stock = stocked(Path(name), options.products, options.products, blobs=min(options.products, 500))
        with asking(stock) as open_line:
            line = open_line()
            taken = time_pairs(stock, line, list(ROUTES), options.pairs)
            line.close()
        for route, (seconds, hidden) in taken.items():
            report(f"{route}_told_rightly", round(max(accuracies(seconds, hidden).values()), 4), "share", GOAL)
        measure_record(stock.pair.jpn, options.rounds)


if __name__ == "__main__":
    main()
