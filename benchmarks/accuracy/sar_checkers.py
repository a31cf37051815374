"""What the checkers of sarkit and sarpy find in everything that kizuna writes. A JSON line a figure.

Files: SICD in each version, on the ground, the slant plane and one between, on polar format's own planes, and strips on zero-
Doppler grids to either side and squinted, uniform, Taylor and Hamming weights, spotlight, stripmap and dynamic stripmap, with
a label and without; SIDD in 8 and 16 bits; CPHD in both versions and CRSD, spotlight and strips, with fixed and moving
reference points; and what the commands write: simulated spotlight and strip collections, images formed of both by each
method, windowed, apodised, autofocused, by sub-apertures, in several looks (SIDD), and all of these reduced, as SICD and as
SIDD.

`checker_findings` sums what sarkit says of all of them and what sarpy says of those whose version it knows, but for three
things that are told apart: what sarpy wants otherwise than the reference (SIDD's version and date in the NITF header,
`_disputed`), and what it warns of although the standard allows it and all else would be untrue (`_remarks`: ImageFormAlgo
OTHER, no BetaZeroSFPoly off the slant plane, one time for all pixels of a stripmap collection of a single look).

sarpy runs in `.venv-bench-sarpy`, made when it is missing (needs the package index once; out of its reach sarkit alone checks).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from sar_peers import environment  # noqa: E402 - the tests' folder comes first
from scipy.signal import windows  # noqa: E402
from simulators.collections import START, orbital_collection, orbital_image, plane  # noqa: E402
from simulators.strips import strip_collection  # noqa: E402

from kizuna.formats.cphd_write import write_cphd  # noqa: E402
from kizuna.formats.crsd_write import write_crsd  # noqa: E402
from kizuna.formats.label_toml import write_label_toml  # noqa: E402
from kizuna.formats.marking import UNCLASSIFIED, marking_of  # noqa: E402
from kizuna.formats.sar_files import Format, check_sar_file  # noqa: E402
from kizuna.formats.sicd import write_sicd  # noqa: E402
from kizuna.formats.sicd_metadata import SICD_VERSIONS, UNIFORM, Weighting, describe_collection  # noqa: E402
from kizuna.formats.sicd_rma import write_strip  # noqa: E402
from kizuna.formats.sidd_write import detected_image, write_sidd  # noqa: E402
from kizuna.model.label import Label  # noqa: E402
from kizuna.model.parties import parse_party  # noqa: E402
from kizuna.sar.collection import Mode  # noqa: E402
from kizuna.sar.form import Method, form_pixels  # noqa: E402
from kizuna.sar.image import FormedImage, to_baseband  # noqa: E402
from kizuna.sar.strip import form_strip, plan_strip  # noqa: E402
from kizuna.sar.windows import parse_window  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.formats.marking import Marking
    from kizuna.sar.collection import Collection

PEERS = ROOT / ".venv-bench-sarpy"
NEEDED = ("sarpy==2.1.1", "pytest>=8", "lxml", "shapely")
MODULES = {Format.SICD: "sicd_consistency", Format.SIDD: "sidd_consistency", Format.CPHD: "cphd_consistency"}
SARPY_SICD = "1.3.0"
_SAID = re.compile(r"^(?:ERROR|WARNING|CRITICAL):[\w.]+:(.*(?:\n(?!(?:ERROR|WARNING|CRITICAL):).*)*)", re.MULTILINE)
SUMMARY = "has apparent errors"
DISPUTED = ("DES.DESSHSV has value", "DES.DESSHSD has value")
REMARKS = ("Image formation algorithm populated as", "No BetaZeroSFPoly field provided", "The Grid.TimeCOAPoly is scalar")
LABEL = Label("JPN", "秘", parse_party("JPN"), START, (parse_party("UKR"),))
STRIPS = {"right": {}, "left": {"right": False}, "squinted": {"moving": True, "doppler_hz": 1700.0}}
FORMED = {
    "spotlight": (
        (),
        ("--method", "factorised", "--plane", "slant", "--window", "kaiser:2.5"),
        ("--method", "polar-format", "--apodise"),
        ("--method", "polar-reference", "--autofocus", "own"),
        ("--method", "polar-plane", "--window", "hann", "--sub-apertures", "2"),
    ),
    "stripmap": (("--method", "omega-k"), ("--method", "omega-k", "--window", "taylor:35,5")),
}
COARSE = Label("USA", "CONFIDENTIAL", parse_party("USA"), START, (parse_party("UKR"),))
WEIGHTINGS = (
    UNIFORM,
    Weighting("TAYLOR", tuple(windows.taylor(512, 5, 35)), (("NBAR", "5"), ("SLL", "-35"))),
    Weighting("HAMMING", tuple(windows.hamming(512))),
)


type Written = Iterator[tuple[Path, Format, bool]]
"""Files written: path, format, and whether sarpy knows it."""


def written(folder: Path) -> Written:
    """Write everything."""
    collection = orbital_collection(((0.0, 0.0, 0.0), (20.0, 10.0, 0.0)))
    marking = marking_of(LABEL, letters={"秘": "C"})
    yield from _images(folder, collection, marking)
    yield from _strips(folder, marking)
    image = orbital_image(collection)
    for mark, levels in product((marking, UNCLASSIFIED), (np.uint8, np.uint16)):
        path = folder / f"{mark.security.classification}-{np.dtype(levels).name}.sidd"
        detected = detected_image(image, describe_collection(collection, produced=START, marking=mark))
        with path.open("w+b") as file:
            write_sidd(file, replace(detected, levels=detected.levels.astype(levels)))
        yield path, Format.SIDD, True
    points = np.linspace([-100.0, -50.0, 0.0], [100.0, 50.0, 0.0], collection.history.pulses)
    for mode, moving in product(Mode, (None, points)):
        yield from _echoes(
            folder, replace(collection, mode=mode, reference_points_m=moving), f"{mode.value[:4]}-{moving is None}"
        )
    yield from _commanded(folder)


def _images(folder: Path, collection: Collection, marking: Marking) -> Written:
    """SICD on planes, and on polar format's own."""
    modes, number = list(Mode), 0
    for kind in ("ground", "slant", "between"):
        image = orbital_image(collection, kind)
        for version, weighting in product(SICD_VERSIONS, WEIGHTINGS):
            number += 1
            description = replace(
                describe_collection(collection, produced=START, marking=marking if number % 2 else UNCLASSIFIED),
                version=version,
                mode=modes[number % 3],
                row_weighting=weighting,
                col_weighting=WEIGHTINGS[number % 3],
            )
            path = folder / f"{number}.nitf"
            with path.open("w+b") as file:
                write_sicd(file, image, description)
            yield path, Format.SICD, version == SARPY_SICD
    for kind, version in product(("ground", "slant"), SICD_VERSIONS):
        grid = plane(collection, kind)
        pixels = to_baseband(form_pixels(collection.history, grid, Method.POLAR_PLANE), collection.history, grid)
        image = FormedImage(pixels, grid, collection.history, collection.scene, nominal=False)
        described = describe_collection(collection, produced=START, marking=marking)
        path = folder / f"polar-{kind}-{version}.nitf"
        with path.open("w+b") as file:
            write_sicd(file, image, replace(described, version=version, polar_plane=True))
        yield path, Format.SICD, version == SARPY_SICD


def _strips(folder: Path, marking: Marking) -> Written:
    """Strips: their echoes as CPHD and CRSD, and SICD of grid type RGZERO with an RMA block."""
    for name, changed in STRIPS.items():
        strip = strip_collection(((0.0, 0.0, 0.0),), **{"seconds": 1.2, **changed})
        yield from _echoes(folder, strip, f"strip-{name}")
        for window in ("uniform", "taylor:35,5"):
            laid = parse_window(window)
            formed = form_strip(strip, plan_strip(strip), band=laid, aperture=laid)
            for version in SICD_VERSIONS:
                path = folder / f"strip-{name}-{laid.kind}-{version}.nitf"
                described = describe_collection(strip, produced=START, marking=marking)
                with path.open("w+b") as file:
                    write_strip(file, formed, replace(described, version=version))
                yield path, Format.SICD, version == SARPY_SICD


def _echoes(folder: Path, collection: Collection, name: str) -> Written:
    """CPHD in both versions, and CRSD, which sarpy does not check."""
    for version in ("1.0.1", "1.1.0"):
        path = folder / f"{name}-{version}.cphd"
        with path.open("w+b") as file:
            write_cphd(file, collection, produced=START, version=version)
        yield path, Format.CPHD, True
    path = folder / f"{name}.crsd"
    with path.open("w+b") as file:
        write_crsd(file, collection, produced=START)
    yield path, Format.CRSD, False


def _commanded(folder: Path) -> Written:
    """What the commands write, of the reference port; their SICD are of a version that sarpy does not know."""
    label = folder / "coarse.label.toml"
    label.write_bytes(write_label_toml(COARSE))
    for mode, sides in (("spotlight", ("--extent", "64")), ("stripmap", ("--extent", "400", "--length", "300"))):
        for suffix, form in (("cphd", Format.CPHD), ("crsd", Format.CRSD)):
            path = folder / f"port-{mode}.{suffix}"
            _run("simulate", "port", "--mode", mode, *sides, "--output", path)
            yield path, form, form is Format.CPHD
        output = folder / f"looks-{mode}.nitf"
        _run("form", folder / f"port-{mode}.cphd", *FORMED[mode][-1][:2], "--looks", "3", "--output", output)
        yield output, Format.SIDD, True
        for number, options in enumerate(FORMED[mode]):
            output = folder / f"formed-{mode}-{number}.nitf"
            _run("form", folder / f"port-{mode}.cphd", *options, "--output", output)
            for path in sorted(folder.glob(f"formed-{mode}-{number}*.nitf")):
                yield path, Format.SICD, False
                reduced = folder / f"reduced-{path.name}"
                _run("reduce", path, "--resolution", "6", "--label", label, "--output", reduced)
                yield reduced, Format.SICD, False
                detected = folder / f"detected-{path.name}"
                _run("reduce", path, "--resolution", "6", "--detected", "--label", label, "--output", detected)
                yield detected, Format.SIDD, True


def _run(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "kizuna", "sar", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")


def sarpy_says(python: Path, path: Path, kind: Format) -> list[str]:
    """Sentences of sarpy's checker, which exits 0 even with errors: its text counts."""
    command = [python, "-W", "ignore", "-m", f"sarpy.consistency.{MODULES[kind]}", path]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    text = done.stdout + done.stderr
    said = [" ".join(found.split()) for found in _SAID.findall(text)]
    if kind is Format.CPHD:
        # Its checker of CPHD prints failed checks only, a line each.
        said += [line.strip() for line in text.splitlines() if line.strip() and not _SAID.match(line)]
    if "Traceback" in text and not said:
        said.append(text.strip().splitlines()[-1])
    return [one for one in said if SUMMARY not in one]


def report(metric: str, value: int, unit: str, goal: int | None) -> None:
    """Print one figure."""
    line = {
        "benchmark": "sar-accuracy",
        "metric": metric,
        "value": value,
        "unit": unit,
        "peer": "sarkit, sarpy 2.1.1",
        "peer_value": None,
        "ratio": None,
        "goal": goal,
        "met": None if goal is None else value <= goal,
    }
    print(json.dumps(line))


def main() -> None:
    """Write, check, count."""
    findings: list[str] = []
    disputed: list[str] = []
    remarks: list[str] = []
    files = known_files = 0
    python = environment(PEERS, NEEDED)
    with tempfile.TemporaryDirectory() as folder:
        for path, kind, known in written(Path(folder)):
            files += 1
            with path.open("rb") as file:
                findings += [f"sarkit: {path.name}: {one}" for one in check_sar_file(file, kind)]
            if not known or python is None:
                continue
            known_files += 1
            for one in sarpy_says(python, path, kind):
                target = (
                    disputed
                    if any(words in one for words in DISPUTED)
                    else remarks
                    if any(words in one for words in REMARKS)
                    else findings
                )
                target.append(f"sarpy: {path.name}: {one}")
    for line in findings:
        print(line, file=sys.stderr)
    report("checker_findings", len(findings), f"in {files} files by sarkit, {known_files} of them by sarpy", 0)
    if python is None:
        return
    report("checker_findings_disputed", len(disputed), "by sarpy of what sarkit demands", None)
    report("checker_findings_remarks", len(remarks), "by sarpy of what the standard allows", None)


if __name__ == "__main__":
    main()
