"""What all suites share: the stand-ins in `simulators/` can be imported by name."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# What a machine remembers of its nodes' tails is not this user's while tests run.
_STATE = os.environ["KIZUNA_STATE"] = tempfile.mkdtemp(prefix="kizuna-state-")

# Tests start hundreds of processes; one that may keep no bytecode compiles all of kizuna anew, for half of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

sys.path.insert(0, str(Path(__file__).parent))

# Tests run side by side: how long one example takes by the clock says nothing of it. A whole test has its limit.
settings.register_profile("side-by-side", settings.default, deadline=None)
settings.load_profile("side-by-side")

# Where tests run side by side, the long ones come first: what is begun last is waited for by everybody.
_LONGEST_FIRST = ("e2e/test_soak.py", "clients", "browser", "e2e", "docs", "property", "ports", "proofs", "reference")


def pytest_collection_modifyitems(config, items):
    if not hasattr(config, "workerinput"):
        return
    folder = Path(__file__).parent
    first = [folder / name for name in _LONGEST_FIRST]
    items.sort(key=lambda item: next((rank for rank, path in enumerate(first) if item.path.is_relative_to(path)), len(first)))


def pytest_unconfigure():
    shutil.rmtree(_STATE, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server():
    """Real PostgreSQL server that all tests of this process share; each makes databases of its own."""
    from simulators.postgres import server

    with server() as found:
        yield found


@pytest.fixture(scope="session")
def object_store():
    """Real S3 server that all tests of this process share; each makes buckets of its own."""
    from simulators.object_store import ACCESS, object_store

    with object_store() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in ACCESS.items():
            patch.setenv(name, value)
        yield found
