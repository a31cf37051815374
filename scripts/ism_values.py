#!/usr/bin/env python3
"""Write `src/kizuna/formats/ism_values.py` from the value lists of IC-ISM (CVE files): `ism_values.py [--check] FOLDER`.

The files are published by the Office of the Director of National Intelligence; where they carry a notice, it says "approved for
Public Release and is available for use without restriction". Needed only when the lists change: the module is committed.
"""

import argparse
import pathlib
import subprocess
import sys

from lxml import etree

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULE = ROOT / "src/kizuna/formats/ism_values.py"

CVE = "{urn:us:gov:ic:cve}"
ISM = "{urn:us:gov:ic:ism}"
MANY = {"true": True, "false": False}
KNOWN = {ISM + "classification", ISM + "ownerProducer", CVE + "codespace", "deprecated", "regularExpression"}

HEAD = '''"""Value lists of IC-ISM, as the controlled value enumerations (CVE) of its data encoding specification publish them.

Written by `scripts/ism_values.py`; do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DES_VERSION", "LISTS", "ValueList"]

DES_VERSION = {des!r}
"""Version of the data encoding specification (DES) that the lists belong to."""


class ValueList(NamedTuple):
    """One list.

    Parameters
    ----------
    version
        CVEVersion of the list.
    created
        Its createDate.
    many
        Whether an attribute may hold several of its values.
    values
        In the order published.
    patterns
        Regular expressions that stand for further values, each for a whole value.
    deprecated
        Values that are withdrawn, each with the date.
    """

    version: str
    created: str
    many: bool
    values: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    deprecated: tuple[tuple[str, str], ...] = ()


LISTS: Mapping[str, ValueList] = {{
'''


def parse(path: pathlib.Path) -> tuple[str, str]:
    """DES version of one file, and Python source of its list."""
    root = etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    (enumeration,) = root.iter(CVE + "Enumeration")
    values: list[str] = []
    patterns: list[str] = []
    deprecated: list[tuple[str, str]] = []
    for term in enumeration:
        if not isinstance(term.tag, str):
            continue  # a comment
        (value,) = term.iter(CVE + "Value")
        text = value.text
        strange = {*term.attrib, *value.attrib} - KNOWN
        if term.tag != CVE + "Term" or strange or not text or text != "".join(text.split()):
            sys.exit(f"{path.name}: what does {etree.tostring(term).decode()} mean?")
        (patterns if value.get("regularExpression") == "true" else values).append(text)
        if "deprecated" in term.attrib:
            deprecated.append((text, term.get("deprecated")))
    source = f"ValueList({root.get('CVEVersion')!r}, {root.get(ISM + 'createDate')!r}, "
    source += f"many={MANY[enumeration.get('multivalue')]}, values="
    source += words(values) if len(values) > 30 else repr(tuple(values))  # noqa: PLR2004 - a few lines
    if patterns:
        source += f", patterns={tuple(patterns)!r}"
    if deprecated:
        source += f", deprecated={tuple(deprecated)!r}"
    return root.get(ISM + "DESVersion"), source + ")"


def words(texts: list[str]) -> str:
    """Python source of a tuple of `texts`."""
    lines = ["       "]
    for text in texts:
        if len(lines[-1]) + len(text) >= 126:  # noqa: PLR2004 - the line length, less the indent to come
            lines.append("       ")
        lines[-1] += " " + text
    block = "\n".join(lines)
    return f'tuple("""\n{block}\n""".split())'


def render(folder: pathlib.Path) -> str:
    """Source of the module."""
    lists = {path.stem.removeprefix("CVEnumISM"): parse(path) for path in sorted(folder.glob("CVEnumISM*.xml"))}
    if not lists:
        sys.exit(f"{folder}: no CVEnumISM*.xml")
    (des,) = {version for version, _ in lists.values()}
    source = HEAD.format(des=des) + "".join(f"    {name!r}: {shown},\n" for name, (_, shown) in lists.items())
    source += "}\n"
    ruff = str(pathlib.Path(sys.executable).parent / "ruff")
    command = [ruff, "format", "--quiet", "--stdin-filename", str(MODULE), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def main() -> None:
    """Write the module, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the module differs from the files")
    parser.add_argument("folder", type=pathlib.Path, help="where the CVEnumISM*.xml lie")
    options = parser.parse_args()
    source = render(options.folder)
    if not options.check:
        MODULE.write_text(source, encoding="utf-8")
    elif MODULE.read_text(encoding="utf-8") != source:
        sys.exit(f"{MODULE.relative_to(ROOT)} is not what the files say: run scripts/ism_values.py {options.folder}")


if __name__ == "__main__":
    main()
