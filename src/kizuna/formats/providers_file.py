"""Whose satellites: a TOML file that gives the beginnings of satellites' names for each provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml
from kizuna.model.parties import parse_party
from kizuna.model.reading import open_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kizuna.model.parties import Party

__all__ = ["PROVIDERS_SCHEMA", "parse_provider", "provider_of", "read_providers"]

PROVIDERS_SCHEMA = "kizuna/providers/1"


def read_providers(data: bytes, *, name: str) -> dict[str, Party]:
    """Provider of each beginning of a name.

    Raises
    ------
    InputError
        If a field is missing or unknown, or one beginning has two providers.
    """
    table = open_table(parse_toml(data, name=name), schema=PROVIDERS_SCHEMA, what=name)
    found: dict[str, Party] = {}
    for each in table.tables("providers"):
        party = each.party("party")
        for beginning in each.texts("satellites"):
            if found.setdefault(beginning.upper(), party) != party:
                each.fault("satellites", Message("each beginning with one provider; {name} has two", {"name": beginning}))
        each.done()
    table.done()
    return found


def parse_provider(text: str) -> tuple[str, Party]:
    """Beginning of a name and its provider, of ``BEGINNING=PARTY``.

    Examples
    --------
    >>> parse_provider("QPS-SAR=JPN/IQPS")
    ('QPS-SAR', 'JPN/IQPS')
    """
    beginning, equals, party = text.partition("=")
    if not equals or not beginning.strip():
        raise InputError(
            Message("provider: got {got!r}, expected BEGINNING=PARTY", {"got": text[:200]}),
            hint=Message("for example QPS-SAR=JPN/IQPS: the beginning of the satellites' names, and whose they are"),
            field="provider",
        )
    return beginning.strip().upper(), parse_party(party.strip(), field="provider")


def provider_of(satellite: str, known: Mapping[str, Party]) -> Party | None:
    """Provider of a satellite: of the longest beginning of its name that is known; None where none is.

    Examples
    --------
    >>> from kizuna.model.parties import parse_party
    >>> provider_of("QPS-SAR-5 (TSUKUYOMI-I)", {"QPS-SAR": parse_party("JPN/IQPS")})
    'JPN/IQPS'
    """
    fitting: Iterable[str] = [beginning for beginning in known if satellite.upper().startswith(beginning)]
    longest = max(fitting, key=len, default=None)
    return None if longest is None else known[longest]
