"""Run the project's checks in order and stop at the first that fails: `check.py quick|all`."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

QUICK_TESTS = ["src", "tests/unit", "tests/property", "tests/docs", "tests/decisions", "tests/proofs"]


def steps(level: str) -> list[tuple[str, list[str]]]:
    """Return the checks of a level, each with its command."""
    python = sys.executable
    common = [
        ("lint", [str(BIN / "ruff"), "check", "--quiet", "."]),
        ("format", [str(BIN / "ruff"), "format", "--quiet", "--check", "."]),
        ("types", [str(BIN / "mypy")]),
        ("contracts", [str(BIN / "lint-imports"), "--no-cache"]),
        ("translations", [python, "scripts/translations.py", "compile", "--check"]),
    ]
    tests = ["src", "tests"] if level == "all" else [path for path in QUICK_TESTS if (ROOT / path).exists()]
    return [*common, ("tests", [python, "-m", "pytest", "-q", *tests])]


def main() -> None:
    """Run them."""
    level = sys.argv[1] if sys.argv[1:] else "quick"
    if level not in {"quick", "all"}:
        sys.exit("usage: check.py quick|all")
    for name, command in steps(level):
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode != 0:
            sys.exit(f"== {name} failed (status {done.returncode})")
        print(f"   {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
