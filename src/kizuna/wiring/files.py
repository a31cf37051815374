"""Files that come in: their labels, STAC documents, tiles of images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kizuna.adapters.input_files import read_input
from kizuna.adapters.pgstac import is_pgstac, walk_pgstac
from kizuna.adapters.stac_walk import FoundItem, walk
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml, read_label_document
from kizuna.wiring.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from kizuna.model.label import Label

__all__ = ["label_path", "read_label_file", "read_tile", "stac_items"]


def stac_items(place: str, folder: Path, *, most: int) -> Iterator[FoundItem]:
    """Items of a STAC document, of its further pages and of what it links to; or of a pgstac database.

    Parameters
    ----------
    place
        Address, path of a file, or address of a database.
    folder
        The node's folder, whose settings say which private hosts may be asked.
    most
        Most items.
    """
    from kizuna.adapters.web_fetch import WebFetch

    web = WebFetch(load_settings(folder, os.environ).stac_private_hosts)
    return walk_pgstac(place, web, most=most) if is_pgstac(place) else walk(place, web, most=most)


def read_tile(source: BinaryIO, z: int, x: int, y: int) -> bytes | None:
    """Map tile of a web-optimised GeoTIFF. GDAL is loaded with the first tile, not when the node starts."""
    from kizuna.formats.geotiff import render_tile

    return render_tile(source, z, x, y)


def label_path(path: Path) -> Path:
    """Where the label of a file lies: beside it, as ``FILE.label.toml``."""
    return path.with_name(path.name + ".label.toml")


def read_label_file(path: Path, *, hint: Message | None = None) -> Label:
    """Label of a ``FILE.label.toml``.

    Parameters
    ----------
    path
        The file.
    hint
        What to do where it cannot be read.

    Raises
    ------
    InputError
        If it is missing or cannot be used.
    """
    data = read_input(path, hint=hint or Message("every product needs a label: write one beside it (docs/labels.md)"))
    try:
        return read_label_document(parse_toml(data, name=str(path)))
    except InputError as error:
        if error.field is None:
            raise
        raise InputError(
            Message("{path}: {why}", {"path": str(path), "why": error.message}), hint=error.hint, field=error.field
        ) from error
