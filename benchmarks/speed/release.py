"""The decision, timed: alone beside Cedar, and over a million products in columns and in SQLite; and held to Cedar and z3.

All facts are made up (`tests/simulators/registers.py`), and a world always comes out the same but for the questions that Cedar is
held to, which are new each time. Times are CPU seconds of one thread.

Decisions: `decide`, with all reasons, over a register of 20 agreements; some articles set periods, areas, delays or resolutions.
Other cases are asked first, so that the register is compiled (``compile_ms``: what the first of them take more than the same ones
asked again); then new cases, each once, are timed. cedarpy gets the same cases, with policies and entities parsed beforehand and
many cases a call. ``decisions_per_s`` is a day of a node that labels in a dozen ways: 15 % of its products are derived, 5 %
another's, of 2 % something is odd (a review that is due, a date that is unknown); it asks about now, and now and then about five
other days. ``unlike_decisions_per_s`` is the other end: no two products are labelled or placed alike, 6 % of all facts are odd,
and each is asked about at an instant of its own.

The partner's view: each partner asks for all products; the median over partners. Both must give the same rows.

Cedar and z3 run in `.venv-bench-release`, made when it is missing (needs the package index once).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulators.registers import GIVER, KNOWN, make_world  # noqa: E402 - the tests' folder comes first

from kizuna.adapters.sql_rules import Dialect, tables_for  # noqa: E402
from kizuna.catalog.columns import granted, product_columns  # noqa: E402
from kizuna.formats.cedar import CEDAR_SCHEMA, cedar_policies  # noqa: E402
from kizuna.formats.cedar_requests import cedar_request  # noqa: E402
from kizuna.release.decide import decide  # noqa: E402
from kizuna.release.decision import Outcome  # noqa: E402
from kizuna.release.rules import RULES  # noqa: E402
from kizuna.release.subject import Subject  # noqa: E402
from kizuna.release.view import view_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.registers import World

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party

    Case = tuple[Subject, Party, Instant, str]

PEERS = ROOT / ".venv-bench-release"
LOCK = ROOT / "requirements" / "test.txt"
NEEDED = ("cedarpy", "z3-solver")
AGREEMENTS = 20
ODDITY, ODD_PRODUCTS = 0.06, 0.02
DECISIONS = 100_000
TIMES_CEDAR = 20
NOW = 0.9
"""How many of a day's questions are about now."""
THEOREMS = 10
POOL = 20_000
WARMING = 10
"""How many times as many cases are asked before those that are timed."""


def report(metric: str, value: float, unit: str, goal: float | None, *, met: bool | None = None, **peer: object) -> None:
    """Print one figure."""
    line: dict[str, object] = {
        "benchmark": "release",
        "metric": metric,
        "value": value,
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
    }
    print(json.dumps(line | peer | {"goal": goal, "met": met}), flush=True)


# Cedar and z3.


def locked(names: Sequence[str]) -> str:
    """Requirements of these names as locked, with their hashes."""
    found, taken = [], False
    for line in LOCK.read_text("utf-8").splitlines():
        if not line.startswith(" "):
            taken = line.partition("==")[0] in names
        if taken:
            found.append(line)
    return "\n".join(found) + "\n"


def ask_peers(*arguments: str) -> object:
    """What the peers print, run in their own environment."""
    python, stamp, wanted = PEERS / "bin" / "python", PEERS / "requirements.txt", locked(NEEDED)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"release: making {PEERS.name} for {', '.join(NEEDED)}", file=sys.stderr)
        venv.create(PEERS, clear=True, with_pip=True)
        wish = PEERS / "wish.txt"
        wish.write_text(wanted, "utf-8")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(wish)], check=True)
        wish.rename(stamp)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    command = [str(python), str(ROOT / "benchmarks" / "peers" / "cedar.py"), *arguments]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout)


def peer_version() -> str:
    """Cedar's name and version."""
    return locked(["cedarpy"]).split(" ", 1)[0].replace("==", " ")


# Decisions.


def day(world: World, count: int) -> list[Case]:
    """Cases of a day: products of a dozen labels, no two observed or made at the same time."""
    random = Random(3)
    world.oddity = ODD_PRODUCTS
    # What stands in a label without being a fault of it, and when it is asked about.
    forms = [label for label in (world.label() for _ in range(200)) if label.policy == "JPN" and label.classification != "?"][:12]
    moments = [world.instant(100, 300) for _ in range(6)]

    def labelled(label: Label, form: Label) -> Label:
        return replace(form, created=label.created, originator=label.originator, review=label.review)

    def product(number: int) -> Subject:
        made, form = world.subject(number, foreign=0.05), random.choice(forms)
        parents = [a if a.label is None else replace(a, label=labelled(a.label, form)) for a in made.ancestors]
        return replace(made, label=labelled(made.label, form), ancestors=tuple(parents))

    def question() -> tuple[Party, Instant, str]:
        partner, _, purpose = world.question()
        return partner, moments[0] if random.random() < NOW else random.choice(moments), purpose

    return [(product(number), *question()) for number in range(count)]


def unlike(world: World, count: int) -> list[Case]:
    """Cases that have as little as possible in common."""
    world.oddity = ODDITY
    return [(world.subject(number), *world.question()) for number in range(count)]


def measure_decisions(metric: str, world: World, cases: list[Case], count: int) -> None:
    """Decide `count` cases after others, and let Cedar decide the same."""
    # Consents and corrections of labels are about those that are timed.
    second, first, others = cases[:count], cases[count : 2 * count], cases[2 * count :]
    # The collector need not go through the cases again and again: they are here to stay.
    gc.collect()
    gc.freeze()
    cold, _ = decided(world, first)
    decided(world, others)
    again, _ = decided(world, first)
    warm, permits = decided(world, second)
    policies = cedar_policies(world.register, KNOWN)
    asked = [
        cedar_request(world.register, subject, partner, at, KNOWN, purpose, name=f"product {number}")
        for number, (subject, partner, at, purpose) in enumerate(second)
    ]
    parties = {
        json.dumps(entity["uid"]): entity for made in asked for entity in made.entities if entity["uid"]["type"] == "Party"
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.json"
        content = {
            "schema": CEDAR_SCHEMA,
            "policies": policies,
            "requests": [made.request for made in asked],
            "products": [entity for made in asked for entity in made.entities if entity["uid"]["type"] == "Product"],
            "parties": list(parties.values()),
        }
        path.write_text(json.dumps(content), "utf-8")
        peer = ask_peers("rate", str(path))
    if peer["allowed"] != permits:
        sys.exit("Cedar and kizuna disagree on the cases that were timed")
    value, theirs = count / warm, peer["per_s"]
    names = {"peer": f"{peer_version()}, parsed, batches", "peer_value": round(theirs), "ratio": round(value / theirs, 1)}
    unit = f"decisions with all reasons per CPU second, {AGREEMENTS} agreements"
    if metric == "decisions_per_s":
        met = value >= DECISIONS and value >= TIMES_CEDAR * theirs
        report(metric, round(value), unit, DECISIONS, met=met, **names)
        report("compile_ms", round(1e3 * (cold - again), 1), f"ms more for the first {count} cases", None)
    else:
        report(metric, round(value), unit, None, **names)


def decided(world: World, cases: Sequence[Case]) -> tuple[float, list[bool]]:
    """CPU seconds that deciding all cases takes, and which were permitted."""
    register, permit = world.register, Outcome.PERMIT
    begin = time.process_time()
    outcomes = [decide(register, subject, partner, at, KNOWN, purpose).outcome for subject, partner, at, purpose in cases]
    return time.process_time() - begin, [outcome is permit for outcome in outcomes]


# The partner's view.


def products(pool: Sequence[Subject], count: int) -> Iterator[Subject]:
    """So many products: no two with one id, each in parts like some of the pool; always the same."""
    yield from pool
    random = Random(2)
    for number in range(len(pool), count):
        like = random.choice(pool)
        yield Subject(
            f"product-{number}",
            like.kind,
            like.originator,
            like.holder,
            like.label,
            like.ancestors,
            like.complex_data,
            random.choice(pool).event,
            random.choice(pool).produced,
            random.choice(pool).resolution_m,
            random.choice(pool).placement,
        )


def measure_views(world: World, count: int, folder: Path) -> None:
    """Let each partner ask for all products, of columns and of SQLite."""
    view = view_of(world.register, KNOWN)
    pool = [world.subject(number) for number in range(min(count, POOL))]
    begin = time.process_time()
    columns = product_columns(view, GIVER, products(pool, count))
    report("columns_s", round(time.process_time() - begin, 2), f"s to make columns of {count} products", None)
    tables = tables_for(view, GIVER, Dialect.SQLITE)
    with closing(sqlite3.connect(folder / "products.sqlite")) as database:
        for statement in tables.schema():
            database.execute(statement)
        database.executemany(tables.insert_consent(), map(tables.consent_values, view.register.consents))
        numbered = enumerate(products(pool, count))
        while some := list(islice(numbered, 10_000)):
            database.executemany(tables.insert_product(), [tables.product_values(view, *pair) for pair in some])
            database.executemany(tables.insert_needed(), [row for pair in some for row in tables.needed_values(view, *pair)])
        database.commit()
        numpy_s, sqlite_s = [], []
        for partner in world.partners:
            at = world.instant(100, 300)
            begin = time.process_time()
            found = granted(columns, view, partner, at)
            numbers = np.flatnonzero(found.releasable)
            numpy_s.append(time.process_time() - begin)
            where = tables.predicate(view, partner, at)
            begin = time.process_time()
            rows = database.execute(f"SELECT p.number FROM release_product p WHERE {where.text}", where.parameters).fetchall()  # noqa: S608
            sqlite_s.append(time.process_time() - begin)
            if sorted(number for (number,) in rows) != numbers.tolist():
                sys.exit(f"SQLite and NumPy disagree on what goes to {partner} at {at}")
    size = "1m" if count == 1_000_000 else str(count)
    for name, seconds, goal in (("numpy", numpy_s, 100.0), ("sqlite", sqlite_s, 1000.0)):
        value = round(1e3 * statistics.median(seconds), 1)
        report(
            f"view_{name}_{size}_ms", value, f"ms for one of {len(seconds)} partners, {count} products", goal, met=value <= goal
        )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="cases to decide")
    parser.add_argument("--products", type=int, default=1_000_000, help="products that partners ask for")
    parser.add_argument("--questions", type=int, default=100_000, help="random questions for the two engines")
    options = parser.parse_args()
    world = make_world(Random(1), agreements=AGREEMENTS, oddity=ODDITY, products=options.cases)
    measure_decisions("decisions_per_s", world, day(world, (WARMING + 1) * options.cases), options.cases)
    measure_decisions("unlike_decisions_per_s", world, unlike(world, (WARMING + 1) * options.cases), options.cases)
    with tempfile.TemporaryDirectory() as folder:
        measure_views(world, options.products, Path(folder))
    apart = ask_peers("disagreements", str(options.questions))
    report("oracle_disagreements", apart, f"of {options.questions} random questions", 0, met=apart == 0, peer=peer_version())
    proofs = ask_peers("proofs")
    report("theorems_proved", proofs["proved"], "theorems", THEOREMS, met=proofs["proved"] >= THEOREMS)
    report(
        "mutations_caught", proofs["caught"], f"of {len(RULES)} rules left out", len(RULES), met=proofs["caught"] == len(RULES)
    )


if __name__ == "__main__":
    main()
