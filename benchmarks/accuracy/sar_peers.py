"""Environments in which others' code is measured, apart from kizuna's own."""

from __future__ import annotations

import subprocess
import sys
import venv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["environment"]


def environment(folder: Path, needed: Sequence[str]) -> Path | None:
    """Python of an environment with these packages, made once; None where it cannot be made, and why on standard error.

    Parameters
    ----------
    folder
        Where it lies. What was begun and not finished, or holds other packages, is made anew.
    needed
        Requirements, as pip takes them; wheels alone are taken.
    """
    python, stamp, wanted = folder / "bin" / "python", folder / "requirements.txt", "\n".join(needed)
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    print(f"sar-accuracy: making {folder.name} for {', '.join(needed)}", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    done = subprocess.run([*pip, *needed], check=False, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = said[-1] if said else f"pip ended with {done.returncode}"
        print(f"sar-accuracy: left out what needs {', '.join(needed)}: {reason}", file=sys.stderr)
        return None
    stamp.write_text(wanted, "utf-8")
    return python
