"""Tools that other people search a node with, run as they are, and who asks with them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import httpx

__all__ = ["CLIENTS", "ROOT", "SCHEMA", "Caller", "Callers", "run"]

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / ".venv-clients" / "bin"
SCHEMA = ROOT / "src/kizuna/formats/schemas/stac-security.schema.json"


@dataclasses.dataclass(frozen=True)
class Caller:
    """Somebody who asks, and what they may see of the node."""

    name: str
    url: str
    """Address of the STAC API."""
    token: str
    """Access token; empty for a partner."""
    told: tuple[str, ...]
    """Products that they may see."""
    withheld: tuple[str, ...]
    """Products that are there, and not for them."""

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def json(self, path="", **parameters):
        answer = httpx.get(self.url + path, params=parameters or None, headers=self.headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def ids(self):
        """What search tells without any tool."""
        return {feature["id"] for feature in self.json("/search", limit=100)["features"]}


@dataclasses.dataclass(frozen=True)
class Callers:
    person: Caller
    partner: Caller

    def __iter__(self):
        return iter((self.person, self.partner))


def run(*command, timeout_s=120, cwd=None, **environment):
    """Run a tool to its end; what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    words = [str(word) for word in command]
    return subprocess.run(words, env=kept | environment, capture_output=True, text=True, timeout=timeout_s, cwd=cwd, check=False)
