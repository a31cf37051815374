"""Tools that other people search a node with, run as they are, and who asks with them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import httpx

__all__ = ["CLIENTS", "ROOT", "SCHEMA", "STAC_BROWSER", "Caller", "Callers", "run"]

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / ".venv-clients" / "bin"
STAC_BROWSER = ROOT / "build/stac-browser/dist"
SCHEMA = ROOT / "src/kizuna/formats/schemas/stac-security.schema.json"


@dataclasses.dataclass(frozen=True)
class Caller:
    """Somebody who asks, and what they may see of the node."""

    name: str
    url: str
    """Address of the STAC API."""
    token: str
    """Access token; empty for a partner."""
    relay: str
    """Address of a relay that sends the credential."""
    told: tuple[str, ...]
    """Products that they may see."""
    withheld: tuple[str, ...]
    """Products that are there, and not for them."""
    files: tuple[Path, ...]
    """The images that they may see, the oldest first; all are of one place."""

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def gdal(self):
        """Environment in which GDAL asks as this caller."""
        kept = {
            "GDAL_HTTP_TIMEOUT": "30",
            "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/http://127.0.0.1",
            "GDAL_DISABLE_READDIR_ON_OPEN": "YES",
        }
        return kept | {"GDAL_HTTP_HEADERS": f"Authorization: Bearer {self.token}"} if self.token else kept

    @property
    def origin(self):
        """Address of the listener."""
        return self.url.removesuffix("/exchange/stac").removesuffix("/stac")

    def get(self, path="", **parameters):
        """Answer of the STAC API."""
        answer = httpx.get(self.url + path, params=parameters or None, headers=self.headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer

    def json(self, path="", **parameters):
        """Document of the STAC API."""
        return self.get(path, **parameters).json()

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
