"""What this machine calls itself, for figures that mean little without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["machine_name"]

_PROCESSORS = Path("/proc/cpuinfo")


def machine_name() -> str:
    """Processor and how many of it this process may use, such as ``"AMD EPYC, 2 processors"``."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{_model()}, {count} processors"


def _model() -> str:
    try:
        lines = _PROCESSORS.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
