"""Requests for images out of a spreadsheet: ``name,latitude,longitude,from,until,images``, read as any other requests."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.places import parse_place
from kizuna.formats.tasking import box_about
from kizuna.model.instants import parse_instant
from kizuna.planning.tasking import ImageRequest, Mode

if TYPE_CHECKING:
    from kizuna.model.label import Label

__all__ = ["read_wanted"]

_COLUMNS = ("name", "latitude", "longitude", "from", "until")
_PRIORITY = 3
_MOST_DEG = 179.99, 89.99


def read_wanted(data: bytes, label: Label) -> tuple[tuple[ImageRequest, int], ...]:
    r"""Requests of a CSV table, for any mode and geometry, and how many images each needs; ``images`` may be left out.

    Parameters
    ----------
    data
        The table.
    label
        Of all of them: a table has none.

    Raises
    ------
    InputError
        A column is missing, or a line has another form; it names the line.

    Examples
    --------
    >>> table = b"name,latitude,longitude,from,until\nbridge,50.45,30.52,2026-05-08,2026-05-09\n"
    >>> from kizuna.model.label import Label
    >>> from kizuna.model.parties import parse_party
    >>> label = Label("UKR", "UNCLASSIFIED", parse_party("UKR/HUR"), parse_instant("2026-05-08"))
    >>> [(each.id, images) for each, images in read_wanted(table, label)]
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
            found.append(_wanted(row, label))
        except InputError as error:
            raise InputError(
                Message("line {line} of the requests: {why}", {"line": rows.line_num, "why": error.message}),
                hint=error.hint,
                field="requests",
            ) from error
    return tuple(found)


def _wanted(row: dict[str, str | None], label: Label) -> tuple[ImageRequest, int]:
    name = (row["name"] or "").strip()
    _name, place = parse_place(f"{name}={row['latitude']},{row['longitude']}")
    lon, lat = (
        max(-most, min(most, each)) for each, most in zip((place.longitude_deg, place.latitude_deg), _MOST_DEG, strict=True)
    )
    begin, end = (parse_instant((row[field] or "").strip(), field=field) for field in ("from", "until"))
    images = (row.get("images") or "1").strip()
    if not begin < end:
        raise InputError(Message("it ends before it begins"), hint=Message("let until come after from"), field="until")
    if not images.isdecimal() or int(images) < 1:
        raise InputError(
            Message("images: got {got!r}, expected a whole number of at least 1", {"got": images[:50]}), field="images"
        )
    area = box_about(name, lon, lat)
    modes = frozenset(Mode)
    return ImageRequest(name, area, begin, end, _PRIORITY, modes, 0.0, math.pi / 2, None, None, label), int(images)
