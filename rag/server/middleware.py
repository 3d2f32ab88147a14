"""What every request and response passes: paths, sizes, other sites, JSON, headers, ids."""

import json
import logging
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.documents.text import replace_surrogates
from rag.server.log import make_request_id
from rag.settings import ServerSettings

UPLOAD = "/gradio_api/upload"
OTHER_BODIES = 1024 * 1024
"""The largest body of a request that is no upload."""
LONGEST_PATH, LONGEST_PART = 1_000, 255
"""Bytes of a path, and of a part of it between slashes: what systems take as the name of a file."""
DEEPEST = 20
"""Levels of JSON; what the page and the API send has ten at most."""
VALUES = 50_000
"""Commas and opening brackets of JSON, each of which may be a value."""
_PATHS = {
    "GET": r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|login|health|ready|metrics|api/schema)"
    r"|/v1/models(/[^/]+)?"
    r"|/(assets|static)/.+|/conversations/[^/]+"
    r"|/gradio_api/(info|app_id|queue/data|upload_progress|heartbeat/[^/]+)"
    r"|/gradio_api/file=(?![a-zA-Z][a-zA-Z0-9+.-]+:).+",
    "POST": r"/(login|logout|api/ask|mcp|v1/chat/completions)"
    r"|/gradio_api/(queue/join|run/[^/]+|upload|cancel|reset)",
    "DELETE": r"/mcp",
}
_ALLOWED = {method: re.compile(paths) for method, paths in {**_PATHS, "HEAD": _PATHS["GET"]}.items()}
_UNASKED = {"deep_link", "all_endpoints"}
"""Parameters with which gradio gives away more than the page shows."""
_UTF_8 = re.compile(r'charset="?utf-?8"?\s*(?:;|$)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_NUMBER = 15
"""Digits of a length; Python refuses to read any number of them."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD]")
_JSON = "rag.json"
_SIGN_IN = "/login"
"""A form, whose page says what is wrong with it."""
_NOT_UTF_8 = "The request is not in UTF-8; send it so."


class SafeResponses:
    """ASGI middleware: security headers, the request's id, a sentence for an uncaught exception."""

    def __init__(self, app: ASGIApp, has_forms: bool) -> None:
        self._app = app
        target = "'self'" if has_forms else "'none'"
        self._headers = {
            "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; "
            f"object-src 'none'; form-action {target}; base-uri 'self'; "
            "frame-ancestors 'self'",
            "X-Content-Type-Options": "nosniff",
            # A form needs its origin to be told, or it looks like another site's.
            "Referrer-Policy": "same-origin" if has_forms else "no-referrer",
            "X-Frame-Options": "SAMEORIGIN",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), payment=(), "
            "usb=(), clipboard-write=(self)",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = make_request_id(Headers(scope=scope).get("x-request-id", ""))
        # Parts of files are not needed, and Gradio fails at ranges that are none.
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"x-request-id", b"range"}]
        scope["headers"] = [*headers, (b"x-request-id", request_id.encode())]
        may_cache = scope["path"].startswith(("/assets/", "/static/"))
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                own = MutableHeaders(scope=message)
                own.update({**self._headers, "X-Request-ID": request_id})
                if not may_cache:
                    own.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:  # It has gone, or was shown out, before it had sent everything.
            return
        except Exception as error:
            if began and isinstance(error.__cause__, HTTPException):  # Gradio's way to end a stream of no session.
                raise
            fields = {"request_id": request_id, "path": scope["path"]}
            logging.getLogger(__name__).exception("A request failed.", extra={"fields": fields})
            if began:  # The server has to break the connection off.
                raise
            sentence = f"Something went wrong; the log tells what, under the request's id {request_id}."
            await JSONResponse({"error": sentence}, 500)(scope, receive, sending)


class RequestFilter:
    """ASGI middleware that passes requests to known paths, small enough, from this site."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._largest_upload = (settings.upload_mb + 1) * 1024 * 1024
        self._takes_documents = settings.takes_documents
        self._names = _further_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(Request(scope))):
            status, sentence = refusal
            await JSONResponse({"error": sentence}, status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        path, headers = request.scope["path"], request.headers
        allowed = _ALLOWED.get(request.method)
        is_closed = path.startswith(UPLOAD) and not self._takes_documents
        if path == "/mcp" and request.method == "GET":  # It would stay open for good, and nothing would come.
            return 405, "There are no events but those that answer a request; send it by POST."
        if is_closed or not allowed or not _is_sound(path) or not allowed.fullmatch(path):
            return 404, f"There is nothing at {request.method} {path[:200]!r}."
        if request.method not in ("GET", "HEAD") and self._is_foreign(headers):
            return 403, "Another site sent this; only this page's own requests are taken."
        if "transfer-encoding" in headers:  # Or else it would have to be read to know its size.
            return 411, "The request does not say how long it is; send its Content-Length."
        kind = headers.get("content-type", "").lower()
        if kind.count("charset") > len(_UTF_8.findall(kind)):  # Some of Python's encodings raise whatever they like.
            return 415, _NOT_UTF_8
        most = self._largest_upload if path == UPLOAD else OTHER_BODIES
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _LONGEST_NUMBER or int(length) > most:
            return 413, f"The request has {length[:20]} bytes, and at most {most:,} are allowed; send less."
        query = parse_qsl(request.url.query, keep_blank_values=True)
        if any(name in _UNASKED for name, _ in query):
            request.scope["query_string"] = urlencode([pair for pair in query if pair[0] not in _UNASKED]).encode()
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site not in (None, "same-origin", "none"):
            return True
        if origin in (None, "null"):  # A form of a page that sends no referrer has no origin either.
            return site is None and origin is not None
        try:
            return urlsplit(origin).netloc not in {headers.get("host", ""), *self._names}
        except ValueError:  # What is no address is not ours.
            return True


def _is_sound(path: str) -> bool:
    """Whether it could be the path of a file that does not lie above."""
    raw = path.encode(errors="replace")
    parts = raw.split(b"/")
    fits = len(raw) <= LONGEST_PATH and all(len(part) <= LONGEST_PART for part in parts)
    return fits and b".." not in parts and not _CONTROL.search(path)


def host_names(settings: ServerSettings) -> list[str]:
    """The names of the page: of its address, of this machine, and RAG_HOSTS."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return [host, "127.0.0.1", "localhost", "[::1]", *_further_names(settings)]


def _further_names(settings: ServerSettings) -> list[str]:
    return [name.strip() for name in settings.hosts.split(",") if name.strip()]


class JsonBodies:
    """ASGI middleware that refuses bodies not in UTF-8, and JSON that is too much.

    That has too many values or levels for the others. Lone surrogates become U+FFFD. What is no JSON goes on as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"} or scope["path"] == UPLOAD:
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        try:
            if scope["path"] != _SIGN_IN:
                body.decode()
            scope[_JSON] = _parsed(body)
        except UnicodeDecodeError:  # Each of the others would answer in its own way.
            await JSONResponse({"error": _NOT_UTF_8}, 400)(scope, receive, send)
            return
        except RecursionError:
            sentence = f"The JSON is nested more than {DEEPEST} levels deep, or has more than {VALUES:,} values."
            await JSONResponse({"error": f"{sentence} GET /api/schema says what is taken."}, 400)(scope, receive, send)
            return
        if _SURROGATE.search(body) and scope[_JSON] is not None:
            text = replace_surrogates(json.dumps(scope[_JSON], ensure_ascii=False))
            body, scope[_JSON] = text.encode(), json.loads(text)
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, receive_again, send)


def json_of(scope: Scope) -> Any:
    """The JSON of a request that has passed JsonBodies, None if it is none."""
    return scope[_JSON]


def _parsed(body: bytes) -> Any:
    """The JSON, or None. Raises RecursionError if it is too deep or too much."""
    if _values(body) > VALUES and _values(_STRING.sub(b"", body)) > VALUES:
        raise RecursionError
    try:
        value = json.loads(body, parse_constant=_refuse)
    except ValueError:
        return None
    level = [value]
    for _ in range(DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [one for each in inner for one in each]
    if any(isinstance(one, dict | list) for one in level):
        raise RecursionError
    return value


def _values(raw: bytes) -> int:
    return sum(raw.count(sign) for sign in (b"[", b"{", b","))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
