"""Requests for images as a CSV table: ``name,latitude,longitude,from,until,images``."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.places import parse_place
from kizuna.model.instants import parse_instant

if TYPE_CHECKING:
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.instants import Instant

__all__ = ["WantedImages", "read_wanted"]

_COLUMNS = ("name", "latitude", "longitude", "from", "until")


@dataclass(frozen=True, slots=True)
class WantedImages:
    """A request for images of a place between two instants.

    Parameters
    ----------
    name
        Its name.
    place
        Where.
    begin, end
        From when until when.
    images
        How many are needed.
    """

    name: str
    place: Geodetic
    begin: Instant
    end: Instant
    images: int = 1


def read_wanted(data: bytes) -> tuple[WantedImages, ...]:
    r"""Requests of a CSV table; the column ``images`` may be left out.

    Raises
    ------
    InputError
        A column is missing, or a line has another form; it names the line.

    Examples
    --------
    >>> table = b"name,latitude,longitude,from,until\nbridge,50.45,30.52,2026-05-08,2026-05-09\n"
    >>> [(each.name, each.images) for each in read_wanted(table)]
    [('bridge', 1)]
    """
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), skipinitialspace=True)
    except UnicodeDecodeError as error:
        raise InputError(Message("the requests are no text in UTF-8"), field="requests") from error
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise InputError(
            Message("the table of requests has no column {names}", {"names": ", ".join(missing)}),
            hint=Message("its first line is: name,latitude,longitude,from,until,images (images may be left out)"),
            field="requests",
        )
    found = []
    for row in rows:
        try:
            found.append(_wanted(row))
        except InputError as error:
            raise InputError(
                Message("line {line} of the requests: {why}", {"line": rows.line_num, "why": error.message}),
                hint=error.hint,
                field="requests",
            ) from error
    return tuple(found)


def _wanted(row: dict[str, str | None]) -> WantedImages:
    name = (row["name"] or "").strip()
    _name, place = parse_place(f"{name}={row['latitude']},{row['longitude']}")
    begin, end = (parse_instant((row[field] or "").strip(), field=field) for field in ("from", "until"))
    images = (row.get("images") or "1").strip()
    if not begin < end:
        raise InputError(Message("it ends before it begins"), hint=Message("let until come after from"), field="until")
    if not images.isdecimal() or int(images) < 1:
        raise InputError(
            Message("images: got {got!r}, expected a whole number of at least 1", {"got": images[:50]}), field="images"
        )
    return WantedImages(name, place, begin, end, int(images))
