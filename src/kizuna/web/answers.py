"""Answers that the faces of the catalogue have in common: documents, the one miss, what is wrong with a question."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from kizuna.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party

    type Endpoint = Callable[[Request, Party | None], Response]
    type Guard = Callable[[Endpoint], Callable[[Request], Response]]

__all__ = ["JSON_TYPE", "answering", "miss", "text_of", "written"]

JSON_TYPE = "application/json"
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def written(document: Json, media_type: str = JSON_TYPE, status: int = 200) -> Response:
    """Answer with a document."""
    return Response(text_of(document), status, {"cache-control": "private, no-store"}, media_type)


def text_of(document: Json) -> bytes:
    """Text of a document, or of a part of one."""
    return _ENCODE(document).encode()


def miss() -> Response:
    """Answer to whatever does not exist for the caller."""
    return written({"code": "NotFound", "description": "not found"}, status=404)


def answering(endpoint: Endpoint) -> Endpoint:
    """Endpoint that says what is wrong with a question, and answers every miss alike."""

    def answer(request: Request, caller: Party | None) -> Response:
        try:
            return endpoint(request, caller)
        except InputError as error:
            hint = None if error.hint is None else error.hint.render()
            told = f"{error.message.render()}. {hint}" if hint else error.message.render()
            return written({"code": "InvalidParameterValue", "description": told}, status=400)
        except HTTPException:
            return miss()

    return answer
