"""``kizuna catalog``: the node's catalogue, for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import InputError, Message
from kizuna.wiring import catalogue_index, load_settings, open_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.canonical import Json
    from kizuna.node.state import Node

__all__ = ["catalog"]

_FORMATS = {".geojson": "geojson", ".json": "geojson", ".kml": "kml", ".parquet": "geoparquet", ".ndjson": "pgstac"}


@click.group(cls=Commands, help=_("The node's catalogue, for other tools."))
def catalog() -> None:
    """Group."""


@catalog.command(
    help=_(
        "Write all products that a search finds into one file, as STAC items. Each keeps its marking. For pgstac their "
        "collections are written beside them, into FILE with .collections before its ending."
    ),
    epilog=examples(
        "kizuna catalog export all.geojson --node jpn",
        "kizuna catalog export ports.parquet --bbox 129,31,143,46 --filter 'gsd <= 1' --node jpn",
        "kizuna catalog export items.ndjson --node jpn",
        "kizuna catalog export week.kml --datetime 2026-11-16T00:00:00Z/2026-11-23T00:00:00Z --node jpn",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["geojson", "kml", "geoparquet", "pgstac"]),
    help=_("Format (default: by the ending of FILE)."),
)
@click.option("--bbox", metavar="W,S,E,N", default="", help=_("Place, in degrees."))
@click.option("--datetime", "span", metavar="SPAN", default="", help=_("Instant, or two with / between, one of which may be ..."))
@click.option("--filter", "filter_", metavar="CQL2", default="", help=_("Filter, as docs/catalogue.md has it."))
@click.option("--collections", metavar="NAMES", default="", help=_("Collections, with commas between."))
@click.option("--url", help=_("Where the node answers people, for links (default: its setting people_listen)."))
@node_option
@as_json
def export(
    file: Path,
    form: str | None,
    bbox: str,
    span: str,
    filter_: str,
    collections: str,
    url: str | None,
    folder: Path,
    json_: bool,
) -> None:
    """Export."""
    form = form or _FORMATS.get(file.suffix.lower())
    if form is None:
        raise InputError(
            Message("{path}: its ending tells no format", {"path": str(file)}),
            hint=Message("name it with --format: geojson, kml, geoparquet or pgstac"),
            field="format",
        )
    if file.exists():
        raise InputError(
            Message("{path} exists", {"path": str(file)}),
            hint=Message("name another file; none is overwritten"),
            field="file",
        )
    asked = {"bbox": bbox, "datetime": span, "filter": filter_, "collections": collections}
    with open_node(folder) as node:
        listen = load_settings(folder, {}).people_listen
        origin = (url or f"http://{listen}").rstrip("/")
        items = _items(node, asked, origin)
        part = file.with_name(file.name + ".part")
        try:
            count = _write(part, form, node.organisation, items)
            if form == "pgstac":
                _write_collections(file.with_suffix(f".collections{file.suffix}"), origin)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    if json_:
        print_json({"file": str(file), "format": form, "items": count})
    else:
        say(Message("Wrote {count} items into {path}.", {"count": count, "path": str(file)}))


def _items(node: Node, asked: dict[str, str], origin: str) -> Iterator[dict[str, Json]]:
    from kizuna.node.catalogue import Catalogue
    from kizuna.web.stac import PEOPLE_PATH
    from kizuna.web.stac_items import item_document, people_asset_path
    from kizuna.web.stac_query import get_query

    catalogue, token = Catalogue(node, catalogue_index(node)), None
    query, _token = get_query(asked | {"limit": "1000"})
    progress, done, total = Progress(_("exporting")), 0, node.store.items.count()
    while True:
        page = catalogue.search(query, None, token)
        for shown in page.items:
            yield item_document(shown, origin + PEOPLE_PATH, origin, people_asset_path)
        done, token = done + len(page.items), page.token
        # Of all, for nobody has counted what is found.
        progress(total if token is None else min(done, total - 1), total)
        if token is None:
            return


def _write(path: Path, form: str, title: str, items: Iterator[dict[str, Json]]) -> int:
    """Count of the items that were written."""
    with path.open("xb") as file:
        if form == "geojson":
            # As they come: this form alone needs no more memory for more items.
            count = 0
            for item in items:
                lead = b",\n" if count else b'{"type":"FeatureCollection","features":[\n'
                file.write(lead + json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())
                count += 1
            file.write(b"\n]}\n" if count else b'{"type":"FeatureCollection","features":[]}\n')
            return count
        if form == "pgstac":
            return sum(bool(file.write(_line(item))) for item in items)
        found = list(items)
        if form == "kml":
            from kizuna.formats.kml import kml_items

            file.write(kml_items(title, found))
        else:
            from kizuna.formats.geoparquet import geoparquet_items

            file.write(geoparquet_items(found))
        return len(found)


def _line(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _write_collections(path: Path, origin: str) -> None:
    """Collections, which pgstac wants before their items."""
    from kizuna.kinds.registry import kind_names
    from kizuna.web.stac import PEOPLE_PATH, collection_document

    path.write_bytes(b"".join(_line(collection_document(origin + PEOPLE_PATH, name)) for name in kind_names()))
