"""Aggregations as requests name them and answers tell them (STAC API aggregation extension 0.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kizuna.catalog.aggregate import FINEST_GEOHASH, FINEST_TILE, Aggregation, Measure, Period
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.catalog.aggregate import Counted
    from kizuna.model.canonical import Json

__all__ = ["AGGREGATION_PARAMETERS", "aggregation_document", "aggregations_document", "get_aggregations", "post_aggregations"]

_INTERVAL, _GEOHASH, _TILE = "datetime_frequency_interval", f"{Measure.GEOHASH}_precision", f"{Measure.TILE}_precision"
_PERIODS = {"year": Period.YEAR, "month": Period.MONTH, "day": Period.DAY, "hour": Period.HOUR}
_PERIOD_NAMES = {period: name for name, period in _PERIODS.items()}
_FINEST = {_GEOHASH: FINEST_GEOHASH, _TILE: FINEST_TILE}
AGGREGATION_PARAMETERS: dict[str, dict[str, Json]] = {
    "aggregations": {"type": "string", "description": "names with commas between"},
    _INTERVAL: {"type": "string", "enum": [*_PERIODS]},
    _GEOHASH: {"type": "integer", "minimum": 1, "maximum": FINEST_GEOHASH},
    _TILE: {"type": "integer", "minimum": 1, "maximum": FINEST_TILE},
}
"""Schemas of the parameters besides those of a search."""
_TYPES: dict[Measure, str] = {Measure.TOTAL: "integer", Measure.EARLIEST: "datetime", Measure.LATEST: "datetime"}
_DISTRIBUTION = "frequency_distribution"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _wrong(field: str, expected: Message, got: object) -> InputError:
    values: dict[str, str | int | float | Message] = {"field": field, "got": repr(got)[:64], "expected": expected}
    return InputError(Message("{field}: got {got}, expected {expected}", values), field=field)


def post_aggregations(document: Mapping[str, object]) -> tuple[Aggregation, ...]:
    """Aggregations of the body of a POST request, already parsed.

    Raises
    ------
    InputError
        Naming the member.
    """
    asked = document.get("aggregations", [])
    known = Message("names out of {names}", {"names": ", ".join(Measure)})
    if not isinstance(asked, list) or not all(isinstance(name, str) and name in set(Measure) for name in asked):
        raise _wrong("aggregations", known, asked)
    period = document.get(_INTERVAL, "month")
    if not isinstance(period, str) or period not in _PERIODS:
        raise _wrong(_INTERVAL, Message("one of {names}", {"names": ", ".join(_PERIODS)}), period)
    precisions = {name: _precision(name, document.get(name, 1)) for name in _FINEST}
    return tuple(
        Aggregation(measure, precisions.get(f"{measure}_precision", 1), _PERIODS[period])
        for measure in (Measure(name) for name in dict.fromkeys(asked))
    )


def _precision(field: str, got: object) -> int:
    if isinstance(got, bool) or not isinstance(got, int) or not 1 <= got <= _FINEST[field]:
        raise _wrong(field, Message("a whole number from 1 to {most}", {"most": _FINEST[field]}), got)
    return got


def get_aggregations(parameters: Mapping[str, str]) -> tuple[Aggregation, ...]:
    """Aggregations of the parameters of a GET request.

    Raises
    ------
    InputError
        Naming the parameter.
    """
    document: dict[str, object] = {}
    if parameters.get("aggregations"):
        document["aggregations"] = parameters["aggregations"].split(",")
    if parameters.get(_INTERVAL):
        document[_INTERVAL] = parameters[_INTERVAL]
    for name in _FINEST:
        text = parameters.get(name)
        if text:
            document[name] = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(FINEST_TILE)) else text
    return post_aggregations(document)


def aggregations_document(links: Sequence[Json]) -> Json:
    """What can be counted."""
    return {
        "type": "AggregationCollection",
        "aggregations": [{"name": measure.value, "data_type": _TYPES.get(measure, _DISTRIBUTION)} for measure in Measure],
        "links": [*links],
    }


def aggregation_document(counts: Sequence[Counted], links: Sequence[Json]) -> Json:
    """What was counted."""
    return {"type": "AggregationCollection", "aggregations": [_told(count) for count in counts], "links": [*links]}


def _told(count: Counted) -> Json:
    measure = count.aggregation.measure
    kind = _TYPES.get(measure, _DISTRIBUTION)
    told: dict[str, Json] = {"name": measure.value, "data_type": kind}
    match kind:
        case "integer":
            return told | {"value": count.value}
        case "datetime":
            return told | {"value": None if count.value is None else _instant(count.value)}
        case _:
            bucket = f"interval_{_PERIOD_NAMES[count.aggregation.period]}" if measure is Measure.TIME else "string"
            buckets: list[Json] = [{"key": one.key, "data_type": bucket, "frequency": one.count} for one in count.buckets]
            return told | {"buckets": buckets, "overflow": count.overflow}


def _instant(micros: int) -> str:
    return format_instant(Instant(_EPOCH + timedelta(microseconds=micros)))
