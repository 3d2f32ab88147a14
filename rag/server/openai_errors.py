"""Errors in the shape of OpenAI's API."""

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX = "/v1"
_KINDS = {401: ("invalid_request_error", "invalid_api_key"), 429: ("requests", "rate_limit_exceeded")}


def error_of(sentence: str, status: int, param: str | None = None, code: str | None = None) -> dict[str, str | None]:
    """The error as clients of OpenAI's API read it; `param` is the wrong field."""
    kind, usual = _KINDS.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    return {"message": sentence, "type": kind, "param": param, "code": code or usual}


class OpenAIErrors:
    """ASGI middleware, the outermost: errors below /v1, of whatever part, in OpenAI's shape."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and message["status"] >= 400:
                begun = message  # It has the length of the body, which is another one then.
                return
            if begun is not None:
                body = _shaped(message["body"], begun["status"])
                headers = {"content-length": str(len(body)), "content-type": "application/json"}
                MutableHeaders(scope=begun).update(headers)
                await send(begun)
                message = {**message, "body": body}
            await send(message)

        is_ours = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PREFIX}/")
        await self._app(scope, receive, sending if is_ours else send)


def _shaped(body: bytes, status: int) -> bytes:
    try:
        told = json.loads(body)["error"]
    except ValueError:  # A few words of Starlette's.
        told = f"{body.decode()}."
    return json.dumps({"error": error_of(told, status) if isinstance(told, str) else told}).encode()
