"""Who asks: a user that has signed in, a guest known by a cookie, or a program known by its address."""

import hashlib
import ipaddress
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.errors import RagError, SettingsError
from rag.server.limit import OftenError, Visitors, network

COOKIE = "rag_owner"
SESSION = "rag_session"
YEAR = 365 * 24 * 3600
OPEN = ("/login", "/health", "/ready", "/metrics", "/favicon.ico")
"""What is answered to everybody."""
DOORS = ("/api/", "/mcp")
"""What programs call, which keep no cookies."""
_OWNER = "rag.owner"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_OURS = re.compile(rf"({COOKIE}|{SESSION})=[A-Za-z0-9_-]{{1,100}}".encode())
Recognise = Callable[[Request], Awaitable[str | None]]
"""A request -> the name of the user that has signed in."""


class Proxies:
    """The proxies in front of the page: what they say of a client is believed, from others it is not."""

    def __init__(self, addresses: str) -> None:
        """`addresses` are addresses or networks, divided by commas. Raises SettingsError, naming a wrong one."""
        self._networks = [_parsed(address.strip()) for address in addresses.split(",") if address.strip()]

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a proxy."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)

    def is_behind(self, connection: HTTPConnection) -> bool:
        """Whether the request came through a proxy."""
        return connection.client is not None and self.trusts(connection.client.host)

    def address(self, connection: HTTPConnection) -> str:
        """What counts as the client's address.

        Of those that the proxies have seen it is the nearest that is none of them.
        """
        peer = connection.client.host if connection.client else ""
        if not self.is_behind(connection):
            return network(peer)
        seen = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
        for address in (one.strip() for one in reversed(seen)):
            try:
                ipaddress.ip_address(address)
            except ValueError:
                break
            peer = address
            if not self.trusts(address):
                break
        return network(peer)

    def is_https(self, connection: HTTPConnection) -> bool:
        """Whether the client's own connection is encrypted."""
        forwarded = self.is_behind(connection) and connection.headers.get("x-forwarded-proto", "")
        return connection.url.scheme == "https" or forwarded == "https"


def _parsed(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(address)
    except ValueError as error:
        raise SettingsError(f"RAG_PROXIES names {address!r}, which is no address or network; correct it.") from error


class Owners:
    """ASGI middleware that finds out who asks and lets only those in that may; `owner_of` tells the others."""

    def __init__(
        self, app: ASGIApp, proxies: Proxies, visitors: Visitors, recognise: Recognise | None, has_login: bool
    ) -> None:
        """`recognise` is None where nobody signs in: then everybody may ask."""
        self._app = app
        self._proxies = proxies
        self._visitors = visitors
        self._recognise = recognise
        self._has_login = has_login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = _own_cookies(scope["headers"])
        request = Request(scope)
        if not self._proxies.is_behind(request):
            scope["headers"] = [pair for pair in scope["headers"] if not pair[0].startswith(b"x-forwarded-")]
        if self._recognise is None:
            await self._guest(request, receive, send)
            return
        user = None
        if scope["path"] not in OPEN:
            try:
                user = await self._recognise(request)
            except RagError as error:
                status, sentence, headers = refusal(error)
                await JSONResponse({"error": sentence}, status, headers=headers)(scope, receive, send)
                return
            if user is None:
                await self._refusal(request)(scope, receive, send)
                return
        scope[_OWNER] = f"user:{user}" if user is not None else None
        await self._app(scope, receive, send)

    async def _guest(self, request: Request, receive: Receive, send: Send) -> None:
        address = self._proxies.address(request)
        token = request.cookies.get(COOKIE, "")
        known = bool(_TOKEN.fullmatch(token))
        if not known and request.scope["path"].startswith(DOORS):
            owner, send_on = f"address:{_digest(address)}", send
        else:
            token = token if known else secrets.token_hex(16)
            owner = f"guest:{_digest(token)}"  # Not the token itself: scripts in the page can read the owner.
            send_on = send if known else _with_cookie(send, self._cookie(request, token))
        self._visitors.seen(owner, address)
        request.scope[_OWNER] = owner
        await self._app(request.scope, receive, send_on)

    def _cookie(self, request: Request, token: str) -> str:
        return cookie(COOKIE, token, YEAR, self._proxies.is_https(request))

    def _refusal(self, request: Request) -> Response:
        path = request.url.path
        if self._has_login and path == "/" and request.method == "GET":
            return RedirectResponse("/login", status_code=303)
        how = "sign in at /login, or send a name and a password" if self._has_login else "sign in at the proxy"
        headers = {"WWW-Authenticate": 'Basic realm="Ask the article"'} if path.startswith(DOORS) else {}
        return JSONResponse({"error": f"Nobody is signed in; {how}."}, 401, headers=headers if self._has_login else {})


def _own_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with our own cookies alone.

    To read a quoted one Python takes the square of its length in time.
    """
    others = [pair for pair in headers if pair[0] != b"cookie"]
    every = (one.strip() for name, value in headers if name == b"cookie" for one in value.split(b";"))
    ours = b"; ".join(one for one in every if _OURS.fullmatch(one))
    return [*others, (b"cookie", ours)] if ours else others


def refusal(error: RagError) -> tuple[int, str, dict[str, str]]:
    """The status, sentence and headers with which a reader is told."""
    if isinstance(error, OftenError):
        return 429, str(error), {"Retry-After": str(error.seconds)}
    if isinstance(error, SettingsError):  # It names the file of users.
        logging.getLogger(__name__).error("%s", error)
        return 503, "Nobody can sign in at the moment; tell whoever runs this page.", {}
    return 503, str(error), {}


def cookie(name: str, value: str, seconds: int, https: bool) -> str:
    """A Set-Cookie header that no script can read and no other site's form sends; 0 seconds delete it."""
    response = Response()
    response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=https)
    return response.headers["set-cookie"]


def _with_cookie(send: Send, header: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", header)
        await send(message)

    return sending


def owner_of(connection: HTTPConnection) -> str:
    """The owner of a request that has passed Owners."""
    return str(connection.scope[_OWNER])


def named_by_proxy(header: str, proxies: Proxies) -> Recognise:
    """Believes the one `header` in which a proxy names the user that it has signed in."""

    async def recognise(request: Request) -> str | None:
        names: Sequence[str] = Headers(scope=request.scope).getlist(header)
        if not proxies.is_behind(request) or len(names) != 1:
            return None
        name = names[0].strip()
        return name if name.isprintable() and 0 < len(name) <= 200 else None

    return recognise


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
