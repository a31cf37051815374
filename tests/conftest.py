"""What all suites share: the stand-ins in `simulators/` can be imported by name."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# What a machine remembers of its nodes' tails is not this user's while tests run.
os.environ["KIZUNA_STATE"] = tempfile.mkdtemp(prefix="kizuna-state-")

sys.path.insert(0, str(Path(__file__).parent))
