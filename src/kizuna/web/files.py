"""Answers that hand out a stored file, whole or by range: what a desktop tool needs to read a large image in place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.product import Asset

__all__ = ["byte_range", "file_response"]

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z", re.ASCII)
# Shown in the page; everything else is saved, never opened, since a partner's file must not run as a page of this node.
_SHOWN = {"image/png", "image/jpeg", "image/webp"}


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and byte after the last of a single range; all where the header asks for none or for several.

    Returns
    -------
    tuple[int, int] | None
        None where the range lies outside the file.

    Examples
    --------
    >>> byte_range("bytes=0-3", 10), byte_range("bytes=-2", 10), byte_range("bytes=20-", 10), byte_range(None, 10)
    ((0, 4), (8, 10), None, (0, 10))
    """
    match = _RANGE.match(header or "")
    if match is None or match[0] == "bytes=-":
        return 0, size
    first, last = match[1], match[2]
    start, stop = (int(first), min(int(last) + 1, size) if last else size) if first else (max(0, size - int(last)), size)
    return (start, stop) if start < stop else None


def _read(source: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    source.seek(start)
    while start < stop and (chunk := source.read(min(_CHUNK, stop - start))):
        start += len(chunk)
        yield chunk


def file_response(asset: Asset, source: BinaryIO, header: str | None) -> Response:
    """Answer with the bytes of `asset` that the header ``Range`` asks for. It closes `source`."""
    span = byte_range(header, asset.size)
    if span is None:
        source.close()
        return Response(status_code=416, headers={"Content-Range": f"bytes */{asset.size}"})
    start, stop = span
    kind = asset.media_type.partition(";")[0].strip()
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(stop - start),
        "Content-Disposition": f"{'inline' if kind in _SHOWN else 'attachment'}; filename*=UTF-8''{quote(asset.name, safe='')}",
    }
    partial = (start, stop) != (0, asset.size)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{asset.size}"
    return StreamingResponse(
        _read(source, start, stop),
        status_code=206 if partial else 200,
        media_type=asset.media_type,
        headers=headers,
        background=BackgroundTask(source.close),
    )
