"""Run the project's checks in order and stop at the first that fails: `check.py quick|all`.

Tests run side by side, a process for each processor; those marked `timed`, which say how fast something happens, run after them
and alone. The last line says how many tests passed, failed and were skipped, and why.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

QUICK_TESTS = ["src", "tests/unit", "tests/docs", "tests/decisions", "tests/proofs"]
ALL_TESTS = ["src", "tests"]
# A file stays together: its tests share what they set up. tests/conftest.py puts the longest first. More processes would wait for
# the soak, and where a container has fewer processors than its machine they would crowd it.
SIDE_BY_SIDE = ["--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]


def steps(level: str, reports: Path) -> list[tuple[str, list[str]]]:
    """Return the checks of a level, each with its command; the tests write what came of them into the folder `reports`."""
    python = sys.executable
    paths = ALL_TESTS if level == "all" else QUICK_TESTS
    tests = [python, "-m", "pytest", "-q", *paths]
    common = [
        ("lint", [str(BIN / "ruff"), "check", "--quiet", "."]),
        ("format", [str(BIN / "ruff"), "format", "--quiet", "--check", "."]),
        ("types", [str(BIN / "mypy")]),
        ("contracts", [str(BIN / "lint-imports"), "--no-cache"]),
        ("translations", [python, "scripts/translations.py", "compile", "--check"]),
        ("tests", [*tests, *SIDE_BY_SIDE, "-m", "not timed", f"--junit-xml={reports / 'tests.xml'}"]),
    ]
    timed = ("timed tests", [*tests, "-m", "timed", f"--junit-xml={reports / 'timed.xml'}"])
    return [*common, timed] if level == "all" else common


def summary(reports: Path, seconds: float) -> str:
    """Return one line on all tests that ran."""
    cases = [case for path in sorted(reports.glob("*.xml")) for case in ET.parse(path).iter("testcase")]  # noqa: S314 - our own
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    why = Counter(skip.get("message", "no reason told") for case in cases for skip in case.iter("skipped"))
    reasons = "; ".join(f"{count}: {reason}" for reason, count in why.most_common())
    passed = len(cases) - failed - why.total()
    return f"{passed} passed, {failed} failed, {why.total()} skipped{reasons and f' ({reasons})'} in {seconds:.0f} s"


def main() -> None:
    """Run them."""
    level = sys.argv[1] if sys.argv[1:] else "quick"
    if level not in {"quick", "all"}:
        sys.exit("usage: check.py quick|all")
    start = time.monotonic()
    failures = []
    with tempfile.TemporaryDirectory(prefix="kizuna-check-") as folder:
        reports = Path(folder)
        for name, command in steps(level, reports):
            print(f"== {name}", flush=True)
            begin = time.monotonic()
            status = subprocess.run(command, cwd=ROOT, check=False).returncode
            print(f"   {time.monotonic() - begin:.1f} s", flush=True)
            if status != 0:
                failures.append(f"== {name} failed (status {status})")
                # What is timed is tried also where another test fails, so that one run tells everything.
                if name != "tests":
                    break
        if any(reports.iterdir()):
            print("==", summary(reports, time.monotonic() - start), flush=True)
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
