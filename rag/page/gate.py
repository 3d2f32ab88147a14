"""What every request and response passes: the paths that exist, sizes, foreign sites, headers, the request's id."""

import json
import logging
import re
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.page.owner import owner_of
from rag.page.watch import request_id
from rag.settings import Settings

MB = 1024 * 1024
OTHER_BODIES = MB
"""The largest body of a request that is no upload."""
SESSIONS = 10_000
"""Sessions of pages whose owner is remembered."""
_PATHS = {
    "GET": r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|login|health|ready|metrics|api/schema|mcp)"
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
_HELD = re.compile(r"/gradio_api/(queue/join|run/[^/]+|cancel)")
_WATCHED = re.compile(r"/gradio_api/(?:queue/data|heartbeat/(?P<session>[^/]+))")


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
        headers = [pair for pair in scope["headers"] if pair[0] != b"x-request-id"]
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
        except Exception:
            fields = {"request_id": identity, "path": scope["path"]}
            logging.getLogger(__name__).exception("A request failed.", extra={"fields": fields})
            if began:  # The server has to break the connection off.
                raise
            sentence = f"Something went wrong; the log tells what, under the request's id {identity}."
            await JSONResponse({"error": sentence}, 500)(scope, receive, sending)


class Gate:
    """ASGI middleware that lets in what the page and the doors need, of a right size and from no other site."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._upload = (settings.upload_mb + 1) * MB
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
        closed = path.startswith("/gradio_api/upload") and not self._adds
        if closed or not allowed or not allowed.fullmatch(path) or ".." in path.split("/"):
            return 404, f"There is nothing at {request.method} {path[:200]!r}."
        if request.method not in ("GET", "HEAD") and self._is_foreign(headers):
            return 403, "Another site sent this; only this page's own requests are taken."
        if "transfer-encoding" in headers:  # Or else it would have to be read to know its size.
            return 411, "The request does not say how long it is; send its Content-Length."
        most = self._upload if path == "/gradio_api/upload" else OTHER_BODIES
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            return 413, f"The request has {length} bytes, and at most {most:,} are allowed; send less."
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
        return urlsplit(origin).netloc not in {headers.get("host", ""), *self._names}


def names(settings: Settings) -> list[str]:
    """The names under which the page is served: that of its address, those of this machine, and RAG_HOSTS."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return [host, "127.0.0.1", "localhost", "[::1]", *_others(settings)]


def _others(settings: Settings) -> list[str]:
    return [name.strip() for name in settings.hosts.split(",") if name.strip()]


class Sessions:
    """ASGI middleware that binds each session of the page to the owner who began it: others cannot read or end it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        sentence = None
        if scope["method"] == "POST" and _HELD.fullmatch(scope["path"]):
            body = await request.body()
            sentence = self._fault(body, owner_of(request))
            receive = _replayed(body, receive)
        elif watched := _WATCHED.fullmatch(scope["path"]):
            given = parse_qs(request.url.query, keep_blank_values=True).get("session_hash", [])
            session = watched["session"] or (given[0] if len(given) == 1 else "")  # Gradio would take the last one.
            sentence = None if self._is_own(session, owner_of(request)) else _STRANGE
        if sentence:
            await JSONResponse({"detail": sentence}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fault(self, body: bytes, owner: str) -> str | None:
        try:
            sent = json.loads(body)
        except ValueError:
            return "The request is not JSON."
        session = sent.get("session_hash") if isinstance(sent, dict) else None
        if not isinstance(session, str) or not self._is_own(session, owner):
            return _STRANGE
        return "A file has to be uploaded first." if _names_address(sent.get("data")) else None

    def _is_own(self, session: str, owner: str) -> bool:
        if not session:
            return False
        holder = self._owners.setdefault(session, owner)
        self._owners.move_to_end(session)
        while len(self._owners) > SESSIONS:
            self._owners.popitem(last=False)
        return holder == owner


_STRANGE = "This session is somebody else's, or none; load the page anew."


def _names_address(data: Any) -> bool:
    """Whether a file among the data is a web address, which gradio would fetch."""
    if isinstance(data, list):
        return any(_names_address(one) for one in data)
    if isinstance(data, dict):
        path = data.get("path")
        return (isinstance(path, str) and "://" in path) or any(_names_address(one) for one in data.values())
    return False


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
