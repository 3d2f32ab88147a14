"""What every request and response passes: the paths that exist, sizes, foreign sites, headers, the request's id."""

import logging
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.server.bodies import UPLOAD
from rag.server.log import request_id
from rag.settings import ServerSettings

OTHER_BODIES = 1024 * 1024
"""The largest body of a request that is no upload."""
LONGEST_PATH, LONGEST_PART = 1_000, 255
"""Bytes of a path, and of a part of it between slashes: what systems take as the name of a file."""
_PATHS = {
    "GET": r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|login|health|ready|metrics|api/schema)"
    r"|/(assets|static)/.+|/conversations/[^/]+"
    r"|/gradio_api/(info|app_id|queue/data|upload_progress|heartbeat/[^/]+)"
    r"|/gradio_api/file=(?![a-zA-Z][a-zA-Z0-9+.-]+:).+",
    "POST": r"/(login|logout|api/ask|mcp)"
    r"|/gradio_api/(queue/join|run/[^/]+|upload|cancel|reset)",
    "DELETE": r"/mcp",
}
_PATHS["HEAD"] = _PATHS["GET"]
_ALLOWED = {method: re.compile(paths) for method, paths in _PATHS.items()}
_UNASKED = {"deep_link", "all_endpoints"}
"""Parameters with which gradio gives away more than the page shows."""
_UTF_8 = re.compile(r'charset="?utf-?8"?\s*(?:;|$)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_NUMBER = 15
"""Digits of a length; Python refuses to read any number of them."""


def content_policy(forms: bool) -> str:
    """What the browser may load and send; `forms` allows them to be sent to this site."""
    target = "'self'" if forms else "'none'"
    return (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; "
        f"object-src 'none'; form-action {target}; base-uri 'self'; frame-ancestors 'self'"
    )


class Guard:
    """ASGI middleware, the outermost: headers of every response, the request's id, exceptions that nobody caught."""

    def __init__(self, app: ASGIApp, forms: bool) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": content_policy(forms),
            "X-Content-Type-Options": "nosniff",
            # A form needs its origin to be told, or it looks like another site's.
            "Referrer-Policy": "same-origin" if forms else "no-referrer",
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
        identity = request_id(Headers(scope=scope).get("x-request-id", ""))
        # Parts of files are not needed, and Gradio fails at ranges that are none.
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"x-request-id", b"range"}]
        scope["headers"] = [*headers, (b"x-request-id", identity.encode())]
        kept = scope["path"].startswith(("/assets/", "/static/"))
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                own = MutableHeaders(scope=message)
                own.update({**self._headers, "X-Request-ID": identity})
                if not kept:
                    own.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:  # It has gone, or was shown out, before it had sent everything.
            return
        except Exception as error:
            if began and isinstance(error.__cause__, HTTPException):  # Gradio's way to end a stream of no session.
                raise
            fields = {"request_id": identity, "path": scope["path"]}
            logging.getLogger(__name__).exception("A request failed.", extra={"fields": fields})
            if began:  # The server has to break the connection off.
                raise
            sentence = f"Something went wrong; the log tells what, under the request's id {identity}."
            await JSONResponse({"error": sentence}, 500)(scope, receive, sending)


class Gate:
    """ASGI middleware that lets in what the page and the doors need, of a right size and from no other site."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._upload = (settings.upload_mb + 1) * 1024 * 1024
        self._adds = settings.takes_documents
        self._names = _others(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(Request(scope))):
            status, sentence = refusal
            await JSONResponse({"error": sentence}, status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        path, headers = request.scope["path"], request.headers
        allowed = _ALLOWED.get(request.method)
        closed = path.startswith(UPLOAD) and not self._adds
        if path == "/mcp" and request.method == "GET":  # It would stay open for good, and nothing would come.
            return 405, "There are no events but those that answer a request; send it by POST."
        if closed or not allowed or not _is_path(path) or not allowed.fullmatch(path):
            return 404, f"There is nothing at {request.method} {path[:200]!r}."
        if request.method not in ("GET", "HEAD") and self._is_foreign(headers):
            return 403, "Another site sent this; only this page's own requests are taken."
        if "transfer-encoding" in headers:  # Or else it would have to be read to know its size.
            return 411, "The request does not say how long it is; send its Content-Length."
        kind = headers.get("content-type", "").lower()
        if kind.count("charset") > len(_UTF_8.findall(kind)):  # Some of Python's encodings raise whatever they like.
            return 415, "The request is not in UTF-8; send it so."
        most = self._upload if path == UPLOAD else OTHER_BODIES
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _LONGEST_NUMBER or int(length) > most:
            return 413, f"The request has {length[:20]} bytes, and at most {most:,} are allowed; send less."
        asked = parse_qsl(request.url.query, keep_blank_values=True)
        if any(name in _UNASKED for name, _ in asked):
            request.scope["query_string"] = urlencode([pair for pair in asked if pair[0] not in _UNASKED]).encode()
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


def _is_path(path: str) -> bool:
    """Whether it could be the path of a file that does not lie above."""
    raw = path.encode(errors="replace")
    parts = raw.split(b"/")
    fits = len(raw) <= LONGEST_PATH and all(len(part) <= LONGEST_PART for part in parts)
    return fits and b".." not in parts and not _CONTROL.search(path)


def names(settings: ServerSettings) -> list[str]:
    """The names under which the page is served: that of its address, those of this machine, and RAG_HOSTS."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return [host, "127.0.0.1", "localhost", "[::1]", *_others(settings)]


def _others(settings: ServerSettings) -> list[str]:
    return [name.strip() for name in settings.hosts.split(",") if name.strip()]
