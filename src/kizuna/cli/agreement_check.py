"""``kizuna agreement check|schema``: an agreement's faults in their lines, and the schema that editors know it by."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, print_json, read_file, say
from kizuna.cli.wide_help import columns_of
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import MARKINGS_SCHEMA, check_agreement, read_ladders
from kizuna.formats.toml_faults import TomlFault, read_toml
from kizuna.formats.toml_positions import Place, Positions, positions_of
from kizuna.node.agreement_review import review, review_versions
from kizuna.node.founding import area_faults
from kizuna.wiring import CIVIL_OFFSETS, beside, load_register

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kizuna.model.canonical import Json
    from kizuna.node.agreement_review import Remark
    from kizuna.release.agreements import Agreement

__all__ = ["check", "schema"]

_FAULTY = 2
_BLANKS = {"\t": "    "}


@dataclass(frozen=True, slots=True)
class _Finding:
    """A fault (or, not `severe`, a remark) in its place."""

    file: Path
    place: Place
    field: str | None
    message: Message
    hint: Message | None
    severe: bool
    line: str

    def json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "file": str(self.file),
            "line": self.place.line,
            "column": self.place.column,
            "field": self.field,
            "severity": "error" if self.severe else "warning",
            "message": self.message.render(_),
            "hint": None if self.hint is None else self.hint.render(_),
        }


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in one file; `agreement` where it has no faults and is one."""

    file: Path
    lines: Sequence[str]
    positions: Positions
    findings: list[_Finding]
    agreement: Agreement | None = None

    def add(self, place: Place, field: str | None, message: Message, hint: Message | None = None, *, severe: bool = True) -> None:
        """Keep a finding."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        self.findings.append(_Finding(self.file, place, field, message, hint, severe, line))

    def remark(self, remark: Remark) -> None:
        """Keep a remark."""
        self.add(self.positions.of_field(remark.field), remark.field, remark.message, severe=False)

    def fault(self, error: InputError) -> None:
        """Keep a fault. One that lies in a name is shown at the name."""
        unknown = error.message.template == "{field}: unknown field"
        place = self.positions.of_key(error.field) if unknown else self.positions.of_field(error.field)
        self.add(place, error.field, error.message, error.hint)


def _check_file(file: Path) -> _Checked:
    data = read_file(file)
    nowhere = Positions({}, {})
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        checked = _Checked(file, [], nowhere, [])
        line = before.count("\n")
        place = Place(line + 1, len(before) - (before.rfind("\n") + 1) + 1)
        checked.add(place, None, Message("a byte that is no UTF-8"), Message("save the file as UTF-8"))
        return checked
    lines = text.split("\n")
    document = read_toml(text)
    if isinstance(document, TomlFault):
        checked = _Checked(file, lines, nowhere, [])
        checked.add(document.place, None, Message("not TOML: {why}", {"why": document.why}), document.hint)
        return checked
    checked = _Checked(file, lines, positions_of(text), [])
    if document.get("schema") == MARKINGS_SCHEMA:
        try:
            read_ladders(document)
        except InputError as error:
            checked.fault(error)
        return checked
    agreement, _suspensions, faults = check_agreement(document, CIVIL_OFFSETS, beside(file))
    if agreement is not None:
        faults = list(area_faults(agreement))
    for fault in faults:
        checked.fault(fault)
    return _Checked(file, lines, checked.positions, checked.findings, None if faults else agreement)


def _shown(text: str) -> str:
    """Text without control characters, as wide as it is counted."""
    return "".join(_BLANKS.get(c, c if unicodedata.category(c) not in {"Cc", "Cf"} else " ") for c in text)


def _excerpt(finding: _Finding) -> Iterator[str]:
    """Line in which a finding lies, with a caret under the place."""
    most = 160
    # Of a very long line the part around the place is shown.
    start = max(0, finding.place.column - most // 2)
    before, line = finding.line[start : finding.place.column - 1], finding.line[start : start + most]
    if not line.strip():
        return
    number = str(finding.place.line)
    yield f"  {number} | {_shown(line).rstrip()}"
    yield f"  {' ' * len(number)} | {' ' * columns_of(_shown(before))}{click.style('^', bold=True)}"


def _print(finding: _Finding) -> None:
    word = click.style(_("error:"), fg="red", bold=True) if finding.severe else click.style(_("warning:"), fg="yellow", bold=True)
    where = f"{finding.file}:{finding.place.line}:{finding.place.column}:"
    text = finding.message.render(_)
    if not finding.severe and finding.field is not None:
        text = f"{finding.field}: {text}"
    click.echo(f"{where} {word} {text}")
    for line in _excerpt(finding):
        click.echo(line)
    if finding.hint is not None:
        click.echo("  " + click.style(_("hint:"), bold=True) + " " + finding.hint.render(_))


def _print_good(checked: _Checked) -> None:
    agreement = checked.agreement
    if agreement is None:
        say(Message("{file}: ladders of markings without faults", {"file": str(checked.file)}))
        return
    values: dict[str, str | int | float] = {
        "file": str(checked.file),
        "id": agreement.id,
        "version": agreement.version,
        "begin": agreement.term.begin.text,
        "articles": len(agreement.articles),
    }
    say(Message("{file}: {id} version {version}, in force from {begin}, articles: {articles}; no faults", values))


@click.command(
    help=_(
        "Check agreement files: each fault with its line and column, what was expected, and what to do (exit 2). What reads "
        "without fault is reviewed: a warning says where it lets nothing go."
    ),
    epilog=examples(
        "kizuna agreement check IQPS-HUR-2025.toml",
        "kizuna agreement check register/*.toml --json",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@as_json
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...], json_: bool) -> None:
    """Check."""
    every = [_check_file(file) for file in files]
    register = load_register(None, (), ())
    good = [(checked, checked.agreement) for checked in every if checked.agreement is not None]
    for checked, agreement in good:
        for remark in review(agreement, register):
            checked.remark(remark)
    for _id, group in groupby(sorted(good, key=lambda each: each[1].id), key=lambda each: each[1].id):
        versions = [agreement for _checked, agreement in group]
        for version, remark in review_versions(versions):
            next(checked for checked, agreement in good if agreement is version).remark(remark)
    findings = [finding for checked in every for finding in sorted(checked.findings, key=lambda each: each.place)]
    if json_:
        print_json([finding.json() for finding in findings])
    else:
        for checked in every:
            for finding in sorted(checked.findings, key=lambda each: each.place):
                _print(finding)
            if not any(finding.severe for finding in checked.findings):
                _print_good(checked)
    if any(finding.severe for finding in findings):
        context.exit(_FAULTY)


@click.command(
    help=_("Print the JSON Schema of agreements, for editors: taplo reads it from the line '#:schema agreement.schema.json'."),
    epilog=examples("kizuna agreement schema > agreement.schema.json"),
)
@click.option("--json", "json_", is_flag=True, help=_("Print JSON."))
def schema(json_: bool) -> None:  # noqa: ARG001 - a schema is JSON, asked for or not
    """Print."""
    text = (resources.files("kizuna.formats") / "schemas/agreement.schema.json").read_text(encoding="utf-8")
    click.echo(text, nl=False)
