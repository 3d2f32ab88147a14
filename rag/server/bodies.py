"""The bodies of requests, read whole and looked at before anything else reads them."""

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.documents.text import replace_surrogates

UPLOAD = "/gradio_api/upload"
"""What is sent there is read by the one who keeps it."""
DEEPEST = 20
"""Levels of JSON; what the page and the doors send has ten at most."""
SIGNS = 50_000
"""Commas and opening brackets of JSON, each of which may be a value."""
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD]")
_SENT = "rag.sent"


class Bodies:
    """ASGI middleware that refuses JSON of too many values, or too deep for those behind it, which recurse.

    Halves of signs, which nobody can write, become U+FFFD. `sent_in` gives those behind it what was sent; whatever
    is no JSON goes on as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"} or scope["path"] == UPLOAD:
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        try:
            scope[_SENT] = _read(body)
        except RecursionError:
            sentence = f"The JSON is nested more than {DEEPEST} levels deep, or has more than {SIGNS:,} values."
            await JSONResponse({"error": f"{sentence} GET /api/schema says what is taken."}, 400)(scope, receive, send)
            return
        if _SURROGATE.search(body) and scope[_SENT] is not None:
            text = replace_surrogates(json.dumps(scope[_SENT], ensure_ascii=False))
            body, scope[_SENT] = text.encode(), json.loads(text)
        await self._app(scope, _replayed(body, receive), send)


def sent_in(scope: Scope) -> Any:
    """The JSON that a request has sent, None where it is none, for those behind `Bodies`."""
    return scope[_SENT]


def _read(body: bytes) -> Any:
    """The JSON, None where it is none. Raises RecursionError where it is too deep or too much."""
    if _signs(body) > SIGNS and _signs(_TEXT.sub(b"", body)) > SIGNS:
        raise RecursionError
    try:
        sent = json.loads(body, parse_constant=_refuse)
    except ValueError:
        return None
    if _is_deep(sent):
        raise RecursionError
    return sent


def _signs(raw: bytes) -> int:
    return sum(raw.count(sign) for sign in (b"[", b"{", b","))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [one for each in inner for one in each]
    return any(isinstance(one, dict | list) for one in level)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` with the body once more before it."""
    first = True

    async def replay() -> Message:
        nonlocal first
        if not first:
            return await receive()
        first = False
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
