#!/usr/bin/env python3
"""Fetch what the pages ship from others, at exact versions, and write `vendor.json` with digest and licence of each file.

Runs `npm pack`, which checks the registry's own digests. Needed only to raise a version: the files are committed.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATIC = ROOT / "src/kizuna/web/static/vendor"
TESTS = ROOT / "tests/browser/vendor"

NOTO = [f"files/noto-sans-{s}-{w}-normal.woff2" for s in ("latin", "latin-ext", "cyrillic") for w in (400, 600)]

# Package, version, SPDX licence, where to, files of the package.
PACKAGES = [
    (
        "maplibre-gl",
        "6.17.0",
        "BSD-3-Clause",
        STATIC,
        ["dist/maplibre-gl.mjs", "dist/maplibre-gl-worker.mjs", "dist/maplibre-gl.css", "LICENSE.txt"],
    ),
    ("pmtiles", "4.5.0", "BSD-3-Clause", STATIC, ["dist/pmtiles.js"]),
    ("htmx.org", "4.0.1", "0BSD", STATIC, ["dist/htmx.min.js", "LICENSE"]),
    ("@fontsource/noto-sans", "5.3.0", "OFL-1.1", STATIC, [*NOTO, "LICENSE"]),
    ("axe-core", "4.14.1", "MPL-2.0", TESTS, ["axe.min.js", "LICENSE"]),
]


def fetch(package: str, version: str, licence: str, target: pathlib.Path, files: list[str]) -> Iterator[dict[str, str]]:
    """Unpack `files` of one package into `target` and give their entries for the list."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S607 - npm is where it is
        (archive,) = pathlib.Path(folder).glob("*.tgz")
        # The version is part of the path: such a file never changes, so browsers may keep it for good.
        room = target / f"{package.rpartition('/')[2]}-{version}"
        room.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            for name in files:
                data = tar.extractfile(f"package/{name}").read()
                path = room / name.rpartition("/")[2]
                path.write_bytes(data)
                yield {
                    "path": path.relative_to(target).as_posix(),
                    "package": package,
                    "version": version,
                    "licence": licence,
                    "sha256": hashlib.sha256(data).hexdigest(),
                }


def main() -> int:
    """Fetch all and write the two lists."""
    lists: dict[pathlib.Path, list[dict[str, str]]] = {STATIC: [], TESTS: []}
    for package, version, licence, target, files in PACKAGES:
        lists[target] += fetch(package, version, licence, target, files)
    for target, entries in lists.items():
        (target / "vendor.json").write_text(json.dumps(entries, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
