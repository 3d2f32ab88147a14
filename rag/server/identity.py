"""Who asks: a signed-in user, a guest (by cookie), or a program (by address)."""

import hashlib
import ipaddress
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.errors import RagError, SettingsError, StoreError
from rag.server.limits import OftenError, Visitors, network

COOKIE = "rag_owner"
SESSION = "rag_session"
YEAR = 365 * 24 * 3600
PUBLIC = ("/login", "/logout", "/health", "/ready", "/metrics", "/favicon.ico")
"""What is answered to everybody."""
FOR_PROGRAMS = ("/api/", "/mcp", "/v1/")
"""What programs call, which keep no cookies."""
RELOAD = "5"
"""Seconds after which a browser loads the page again if the store could not be read."""
_OWNER = "rag.owner"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_OURS = re.compile(rf"({COOKIE}|{SESSION})=[A-Za-z0-9_-]{{1,100}}".encode())
Authenticate = Callable[[Request], Awaitable[str | None]]
"""A request -> the name of the user who has signed in."""


class Proxies:
    """The proxies in front of the server; only they are believed about a client."""

    def __init__(self, addresses: str) -> None:
        """`addresses` are addresses or networks, divided by commas. Raises SettingsError, naming a wrong one."""
        self._networks = [_network(address.strip()) for address in addresses.split(",") if address.strip()]

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
        """What counts as the client's address: the nearest that is no proxy."""
        address = connection.client.host if connection.client else ""
        forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
        while self.trusts(address) and forwarded:
            nearer = forwarded.pop().strip()
            try:
                ipaddress.ip_address(nearer)
            except ValueError:
                break
            address = nearer
        return network(address)

    def is_https(self, connection: HTTPConnection) -> bool:
        """Whether the client's own connection is encrypted."""
        forwarded = self.is_behind(connection) and connection.headers.get("x-forwarded-proto", "")
        return connection.url.scheme == "https" or forwarded == "https"

    def user_from(self, header: str) -> Authenticate:
        """Believes the one `header` in which a proxy names the user it has signed in."""

        async def authenticate(request: Request) -> str | None:
            names = Headers(scope=request.scope).getlist(header)
            if not self.is_behind(request) or len(names) != 1:
                return None
            name = names[0].strip()
            return name if name.isprintable() and 0 < len(name) <= 200 else None

        return authenticate


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(address)
    except ValueError as error:
        raise SettingsError(f"RAG_PROXIES names {address!r}, which is no address or network; correct it.") from error


class Identify:
    """ASGI middleware that finds the owner, for `owner_of`, and refuses who may not ask."""

    def __init__(
        self, app: ASGIApp, proxies: Proxies, visitors: Visitors, authenticate: Authenticate | None, has_login: bool
    ) -> None:
        """`authenticate` is None if nobody signs in: then everybody may ask."""
        self._app = app
        self._proxies = proxies
        self._visitors = visitors
        self._authenticate = authenticate
        self._has_login = has_login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = _own_cookies(scope["headers"])
        request = Request(scope)
        if not self._proxies.is_behind(request):
            scope["headers"] = [pair for pair in scope["headers"] if not pair[0].startswith(b"x-forwarded-")]
        if self._authenticate is None:
            send = self._guest(request, send)
        elif scope["path"] in PUBLIC:
            scope[_OWNER] = None
        else:
            try:
                user = await self._authenticate(request)
            except RagError as error:
                status, sentence, headers = refusal(error)
                if isinstance(error, StoreError) and scope["path"] == "/":  # The page comes by itself when it can.
                    headers = {**headers, "Refresh": RELOAD}
                await JSONResponse({"error": sentence}, status, headers=headers)(scope, receive, send)
                return
            if user is None:
                await self._refusal(request)(scope, receive, send)
                return
            scope[_OWNER] = f"user:{user}"
        await self._app(scope, receive, send)

    def _guest(self, request: Request, send: Send) -> Send:
        """Note the owner of a guest's request, and send a cookie if needed."""
        address = self._proxies.address(request)
        token = request.cookies.get(COOKIE, "")
        is_known = bool(_TOKEN.fullmatch(token))
        if not is_known and request.scope["path"].startswith(FOR_PROGRAMS):
            owner = f"address:{_digest(address)}"
        else:
            token = token if is_known else secrets.token_hex(16)
            owner = f"guest:{_digest(token)}"  # Not the token itself: scripts in the page can read the owner.
            if not is_known:
                send = _with_cookie(send, cookie(COOKIE, token, YEAR, self._proxies.is_https(request)))
        self._visitors.seen(owner, address)
        request.scope[_OWNER] = owner
        return send

    def _refusal(self, request: Request) -> Response:
        path = request.url.path
        if self._has_login and path == "/" and request.method == "GET":
            return RedirectResponse("/login", status_code=303)
        how = "sign in at /login, or send a name and a password" if self._has_login else "sign in at the proxy"
        if self._has_login and path.startswith("/v1/"):
            how = "send NAME:PASSWORD in base64 as the key"
        basic = self._has_login and path.startswith(FOR_PROGRAMS)
        headers = {"WWW-Authenticate": 'Basic realm="Ask the article"'} if basic else {}
        return JSONResponse({"error": f"Nobody is signed in; {how}."}, 401, headers=headers)


def owner_of(connection: HTTPConnection) -> str:
    """The owner of a request that has passed Identify."""
    return str(connection.scope[_OWNER])


def refusal(error: RagError) -> tuple[int, str, dict[str, str]]:
    """The status, sentence and headers that tell a reader why nobody can sign in."""
    if isinstance(error, OftenError):
        return 429, str(error), {"Retry-After": str(error.seconds)}
    if isinstance(error, SettingsError):  # It names the file of users.
        logging.getLogger(__name__).error("%s", error)
        return 503, "Nobody can sign in at the moment; tell whoever runs this page.", {}
    return 503, str(error), {}


def cookie(name: str, value: str, seconds: int, is_https: bool) -> str:
    """A Set-Cookie header, hidden from scripts and other sites' forms; 0 seconds delete it."""
    response = Response()
    response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=is_https)
    return response.headers["set-cookie"]


def _own_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with our own cookies alone: Python takes quadratic time for quoted ones."""
    others = [pair for pair in headers if pair[0] != b"cookie"]
    every = (one.strip() for name, value in headers if name == b"cookie" for one in value.split(b";"))
    ours = b"; ".join(one for one in every if _OURS.fullmatch(one))
    return [*others, (b"cookie", ours)] if ours else others


def _with_cookie(send: Send, header: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", header)
        await send(message)

    return sending


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
