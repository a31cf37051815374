"""Tokens that lead to the next page: a position, sealed for one caller and one query.

A token holds the place of an item that its caller was shown, and nothing else. It is worth nothing to another caller, nor in
another query, and none can be made up: to try whether an item is there by naming its place is not possible.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.canonical import canonical

if TYPE_CHECKING:
    from kizuna.catalog.query import Position

__all__ = ["Tokens"]

_SEAL_BYTES = 16
_LONGEST = 4_096


class Tokens:
    """Makes tokens and reads them again.

    Parameters
    ----------
    key
        Secret of the node.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _seal(self, caller: str, query: str, position: bytes) -> bytes:
        told = canonical([caller, query, position.decode()])
        return hmac.digest(self._key, told, hashlib.sha256)[:_SEAL_BYTES]

    def token(self, caller: str, query: str, position: Position) -> str:
        """Token for the page of a query after a position.

        Parameters
        ----------
        caller, query
            Who asks, and all of what is asked but for the page.
        position
            Where the page begins.
        """
        # Not canonical JSON, which would round numbers beyond 2**53.
        told = json.dumps(position, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._seal(caller, query, told) + told).decode().rstrip("=")

    def position(self, caller: str, query: str, token: str, *, length: int) -> Position:
        """Position of a token.

        Parameters
        ----------
        caller, query
            As when it was made.
        token
            What was handed out, or claims to be.
        length
            Count of the position's values.

        Raises
        ------
        InputError
            If it was not made here for this caller and query: the same, whatever is wrong with it.
        """
        wrong = InputError(
            Message("{field}: no token that was given to you for this search", {"field": "token"}),
            hint=Message("follow the link to the next page as it is, or begin again without a token"),
            field="token",
        )
        try:
            data = base64.b64decode(token[:_LONGEST] + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise wrong from None
        seal, told = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
        if not told.isascii() or not hmac.compare_digest(seal, self._seal(caller, query, told)):
            raise wrong
        match json.loads(told):
            case [*values] if len(values) == length:
                return tuple(value if isinstance(value, str | int | float) else None for value in values)
            case _:
                raise wrong
