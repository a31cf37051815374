"""Items of a STAC document, its pages and its children, from the web or from a folder; and their files."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from kizuna.adapters.input_files import open_input, read_input
from kizuna.errors import InputError, Message
from kizuna.formats.stac_read import read_stac

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from kizuna.adapters.web_fetch import WebFetch
    from kizuna.formats.stac_read import StacAsset, StacItem

__all__ = ["FoundItem", "is_web", "walk"]

_MOST_DOCUMENT_BYTES = 64_000_000
_MOST_DOCUMENTS = 10_000
_MOST_ASSET_BYTES = 1 << 40


def is_web(place: str) -> bool:
    """Whether a place is an address, not a path."""
    return urlsplit(place).scheme in {"http", "https"}


class FoundItem:
    """An item and where it was found.

    Parameters
    ----------
    item
        What it says.
    form
        Its JSON.
    base
        Where it was found: its links are relative to that. Empty where they are relative to nothing.
    web
        Fetches addresses.
    """

    def __init__(self, item: StacItem, form: object, base: str, web: WebFetch) -> None:
        self.item, self._form, self._base, self._web = item, form, base, web
        self._kept: BinaryIO | None = None

    @contextmanager
    def open_reference(self) -> Iterator[tuple[BinaryIO, str]]:
        """Open the item itself, its links made whole, as a file."""
        form = json.loads(json.dumps(self._form))
        for asset in form.get("assets", {}).values():
            if isinstance(asset, dict) and isinstance(asset.get("href"), str) and is_web(self._base):
                asset["href"] = urljoin(self._base, asset["href"])
        # The version first: by its first bytes it is known.
        form = {"type": "Feature", "stac_version": form["stac_version"], **form}
        data = json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()
        yield io.BytesIO(data), f"{_file_name(self.item.id)}.json"

    @contextmanager
    def open_asset(self, asset: StacAsset) -> Iterator[tuple[BinaryIO, str]]:
        """Open a file of the item; one from the web is fetched once, and checked against what the item says of it.

        Raises
        ------
        InputError
            It cannot be fetched, or is another than the item says.
        """
        if self._kept is None:
            # Open as long as this item is of use: it is looked at, and then made, later.
            kept = tempfile.TemporaryFile()  # noqa: SIM115
            place = urljoin(self._base, asset.href) if is_web(self._base) else asset.href
            if is_web(place):
                self._web.fetch(place, kept, most_bytes=_MOST_ASSET_BYTES, digest=asset.digest, size=asset.size)
            elif not self._base:
                raise InputError(
                    Message("{href} is no address, and nothing tells what it is relative to", {"href": asset.href[:500]}),
                    hint=Message("keep the items alone with --by-reference"),
                    field="href",
                )
            else:
                with open_input(_beside(Path(self._base), asset.href)) as file:
                    while piece := file.read(1 << 20):
                        kept.write(piece)
            self._kept = kept
        self._kept.seek(0)
        yield self._kept, asset.name


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)[:200].lstrip(".") or "item"


def _beside(document: Path, href: str) -> Path:
    """Path of a file below a document's folder. A document from elsewhere must not name another file of this machine."""
    folder = document.parent.resolve()
    path = (folder / href).resolve()
    if urlsplit(href).scheme or Path(href).is_absolute() or not path.is_relative_to(folder):
        raise InputError(
            Message(
                "{href} is no link that is followed from {document}",
                {"href": href[:500], "document": str(document)},
            ),
            hint=Message("expected is an http or https address, or a path below the document's own folder"),
            field="href",
        )
    return path


def walk(place: str, web: WebFetch, *, most: int) -> Iterator[FoundItem]:
    """Items of a document, of its further pages, and of what it links to; each document once.

    Parameters
    ----------
    place
        Address, or path of a file.
    web
        Fetches addresses.
    most
        Most items.

    Raises
    ------
    InputError
        A document cannot be read, or there are more items than `most`.
    """
    waiting, seen, count = [place], {place}, 0
    while waiting:
        at = waiting.pop(0)
        data, base = _document(at, web)
        document = read_stac(data)
        for item, form in document.items:
            count += 1
            if count > most:
                raise InputError(
                    Message("{place} has more than {most} items", {"place": place[:500], "most": most}),
                    hint=Message("take more of them in with --most"),
                    field="most",
                )
            yield FoundItem(item, form, base, web)
        for _rel, href in document.links:
            further = urljoin(base, href) if is_web(base) or is_web(href) else str(_beside(Path(base), href))
            if further not in seen and len(seen) < _MOST_DOCUMENTS:
                seen.add(further)
                waiting.append(further)


def _document(place: str, web: WebFetch) -> tuple[bytes, str]:
    if not is_web(place):
        return read_input(Path(place), most_bytes=_MOST_DOCUMENT_BYTES), place
    target = io.BytesIO()
    at, _ = web.fetch(place, target, most_bytes=_MOST_DOCUMENT_BYTES)
    return target.getvalue(), at
