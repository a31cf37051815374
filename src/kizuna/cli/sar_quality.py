"""``kizuna sar quality``: measure an image, and put it on one page."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.sar_files import new_file, require_new
from kizuna.cli.terminal import _, as_json, examples, print_table, read_file, say
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input

if TYPE_CHECKING:
    from kizuna.formats.sicd_quality import SicdQuality
    from kizuna.model.canonical import Json

__all__ = ["quality"]

_LEFT_OUT = ("offsets_px", "level_db")


@click.command(
    help=_(
        "Measure a complex image (SICD): impulse responses of point targets, found or given, against what its metadata promise; "
        "equivalent looks; noise; and errors of place and radar cross-section where targets are known."
    ),
    epilog=examples(
        "kizuna sar quality scene.nitf",
        "kizuna sar quality scene.nitf --targets reflectors.csv --report quality.png",
        "kizuna sar quality scene.nitf --at 325,140 --report quality.html",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--targets",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_(
        "Targets whose place is known: CSV with name, latitude_deg, longitude_deg, height_m and maybe rcs_dbsm, "
        "or the truth of a simulation."
    ),
)
@click.option(
    "--at", "places", multiple=True, metavar="ROW,COL", help=_("Measure the brightest point near this pixel (repeatable).")
)
@click.option("--most", default=8, show_default=True, type=click.IntRange(1, 100), help=_("How many point targets to look for."))
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help=_("Write a page about it (.png or .html)."))
@as_json
def quality(file: Path, targets: Path | None, places: tuple[str, ...], most: int, report: Path | None, json_: bool) -> None:
    """Measure."""
    from kizuna.formats.sicd_quality import assess_sicd, read_references

    if report is not None:
        require_new(report)
        if report.suffix not in {".png", ".html"}:
            raise InputError(
                Message("the ending of {path} names no kind of report", {"path": str(report)}),
                hint=Message("name it .png or .html"),
                field="report",
            )
    references = () if targets is None else read_references(read_file(targets))
    with open_input(file) as opened:
        found, pixels = assess_sicd(opened, references=references, places=[_place(text) for text in places], most=most)
    if report is not None:
        from kizuna.formats.quality_report import quality_html, quality_png

        make = quality_png if report.suffix == ".png" else quality_html
        title = _("Quality of {name}").format(name=file.name)
        with new_file(report) as target:
            target.write(make(found, pixels, title=title, translate=_))
    if json_:
        click.echo(json.dumps(_as_json(found), ensure_ascii=False))
        return
    from kizuna.formats.quality_report import facts_of, table_of

    for name, value in facts_of(found, _):
        click.echo(f"{name}: {value}")
    click.echo()
    print_table(*table_of(found, _))
    if not found.targets:
        say(Message("No point target stands out: give one with --at or --targets."))
    if report is not None:
        say(Message("Wrote {path}.", {"path": str(report)}))


def _place(text: str) -> tuple[float, float]:
    try:
        row, col = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            Message("{got} is no pixel, expected ROW,COL", {"got": text}), hint=Message("for example --at 325,140"), field="at"
        ) from error
    return row, col


def _as_json(found: SicdQuality) -> dict[str, Json]:
    """What was measured, without the cuts; null for what is not known."""

    def plain(value: object) -> Json:
        match value:
            case float():
                return None if not math.isfinite(value) else float(value)
            case int() | str() | None:
                return value
            case tuple() | list():
                return [plain(one) for one in value]
            case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
                members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
                return {name: plain(member) for name, member in members.items() if name not in _LEFT_OUT}
            case _:
                return str(value)

    made = plain(found)
    return made if isinstance(made, dict) else {}
