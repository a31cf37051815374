"""Cedar and z3, in an environment of their own: `cedar.py rate FILE`, `cedar.py disagreements COUNT`, `cedar.py proofs`.

`speed/release.py` starts it and reads the JSON that it prints.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import cedarpy

_BATCH = 2_000


def rate(path: Path) -> dict[str, object]:
    """Decisions a CPU second on the cases in a file, and which of them Cedar allows.

    All is parsed beforehand, and each call decides many cases: the fastest way that cedarpy has.
    """
    cases = json.loads(path.read_text("utf-8"))
    schema = cedarpy.Schema.from_str(cases["schema"])
    policies = cedarpy.PolicySet.from_str(cases["policies"])
    requests, products, parties = cases["requests"], cases["products"], cases["parties"]
    allowed: list[bool] = []
    seconds = 0.0
    for first in range(0, len(requests), _BATCH):
        entities = cedarpy.Entities.from_json_str(json.dumps(parties + products[first : first + _BATCH]), schema)
        begin = time.process_time()
        results = cedarpy.is_authorized_batch(requests[first : first + _BATCH], policies, entities, schema)
        seconds += time.process_time() - begin
        if any(result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision for result in results):
            sys.exit("Cedar could not evaluate a policy")
        allowed += [result.allowed for result in results]
    return {"per_s": len(allowed) / seconds, "allowed": allowed}


def disagreements(count: int) -> int:
    """Of so many random questions those on which Cedar and kizuna disagree."""
    from simulators.cedar_oracle import disagreements as of

    return of(count, seed=int(time.time_ns()))


def proofs() -> dict[str, int]:
    """Theorems that z3 proves, and rules without which one of them fails."""
    from proofs.theorems import mutations, prove_all

    return {"proved": len(prove_all()), "caught": sum(1 for failing in mutations().values() if failing)}


def main(arguments: list[str]) -> None:
    """Print what was asked for."""
    match arguments:
        case ["rate", path]:
            print(json.dumps(rate(Path(path))))
        case ["disagreements", count]:
            print(disagreements(int(count)))
        case ["proofs"]:
            print(json.dumps(proofs()))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
