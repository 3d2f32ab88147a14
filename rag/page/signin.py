"""Signing in with a name and a password from a file of users, as `htpasswd -B` writes it."""

import base64
import binascii
import hashlib
import html
import os
import re
import secrets
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

import bcrypt
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rag.errors import SettingsError
from rag.page.limit import Limit, OftenError
from rag.page.owner import Proxies, cookie

SESSION = "rag_session"
SESSION_SECONDS = 30 * 24 * 3600
SHORTEST, LONGEST = 8, 72
"""Bytes of a password; bcrypt reads no more."""
TRIES = 10
"""Wrong passwords a minute, of one address and for one name."""
BELIEVED = 300.0
"""Seconds for which a name and password that were right are not checked by bcrypt again."""
_NAME = re.compile(r"[^\s:#\x00-\x1f][^:\x00-\x1f]{0,63}")
_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")


class Sessions(Protocol):
    """What is needed of a store."""

    def begin(self, user: str, seconds: int) -> str: ...

    def user_of(self, token: str) -> str | None: ...

    def end(self, token: str) -> None: ...


class Users:
    """The users of a file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError for a file that cannot be read, naming a wrong line."""
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._hashes: dict[str, str] = {}
        self._read()

    def __contains__(self, name: str) -> bool:
        return name in self._read()

    def stored(self, name: str) -> str:
        """The hash of a user's password, empty for a name that does not exist."""
        return self._read().get(name, "")

    def admits(self, name: str, password: str) -> bool:
        """Whether the password is this user's; takes as long for a name that does not exist. Slow on purpose."""
        hashes = self._read()
        cost = max((int(found[1]) for one in hashes.values() if (found := _HASH.fullmatch(one))), default=12)
        nobody = f"$2b${cost:02}${'.' * 53}"
        given = password.encode("utf-8", "surrogatepass")
        same = bcrypt.checkpw(given[:LONGEST], hashes.get(name, nobody).encode())
        return same and name in hashes and len(given) <= LONGEST

    def _read(self) -> dict[str, str]:
        try:
            stat = self._path.stat()
            stamp = stat.st_mtime_ns, stat.st_size
            if stamp != self._stamp:
                self._hashes = _users(self._path)
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The file of users {str(self._path)!r} cannot be read ({error}); set RAG_USERS to another, or "
                "make one with: python chat_app.py --add-user NAME"
            ) from error
        return self._hashes


def _users(path: Path) -> dict[str, str]:
    users: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not _NAME.fullmatch(name) or not _HASH.fullmatch(hashed) or name in users:
            raise SettingsError(
                f"Line {number} of the file of users {str(path)!r} is not NAME:HASH with a hash of bcrypt and a "
                "name of its own; write it with: python chat_app.py --add-user NAME"
            )
        users[name] = hashed
    return users


def add_user(path: Path, name: str, password: str) -> None:
    """Write a user to the file, or a new password for one that is there; other lines stay.

    Raises SettingsError for a name or password that cannot be used and a file that cannot be read or written.
    """
    if not _NAME.fullmatch(name) or name != name.strip():
        raise SettingsError(f"The name {name!r} cannot be used; take at most 64 letters without a colon.")
    size = len(password.encode("utf-8", "surrogatepass"))
    if not SHORTEST <= size <= LONGEST or "\0" in password:
        raise SettingsError(
            f"The password has {size} bytes, and {SHORTEST} to {LONGEST} are allowed; take another one."
        )
    if path.exists():
        Users(path)
    hashed = bcrypt.hashpw(password.encode("utf-8", "surrogatepass"), bcrypt.gensalt()).decode()
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if line.strip().partition(":")[0] != name]
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            file.write("\n".join([*kept, f"{name}:{hashed}"]) + "\n")
        os.replace(file.name, path)
    except OSError as error:
        raise SettingsError(f"The file of users {str(path)!r} cannot be written ({error}); set RAG_USERS.") from error


class SignIn:
    """The form at /login, and who has come through it, or sends a name and a password with each request."""

    def __init__(self, users: Users, sessions: Sessions, proxies: Proxies) -> None:
        self._users = users
        self._sessions = sessions
        self._proxies = proxies
        self._tries = Limit(TRIES, "wrong passwords")
        self._key = secrets.token_bytes(32)
        self._believed: OrderedDict[bytes, float] = OrderedDict()

    async def recognise(self, request: Request) -> str | None:
        """The user whose session or whose name and password the request carries. Raises OftenError."""
        token = request.cookies.get(SESSION, "")
        user = await to_thread.run_sync(self._sessions.user_of, token) if token else None
        if user is not None and user in self._users:
            return user
        given = _basic(request.headers.get("authorization", ""))
        return given[0] if given and await self._admits(request, *given) else None

    def routes(self) -> list[Route]:
        """GET and POST /login, POST /logout."""
        return [
            Route("/login", self._form, methods=["GET"]),
            Route("/login", self._sign_in, methods=["POST"]),
            Route("/logout", self._sign_out, methods=["POST"]),
        ]

    async def _admits(self, request: Request, name: str, password: str) -> bool:
        stored = self._users.stored(name)
        whole = f"{name}\0{stored}\0{password}".encode("utf-8", "surrogatepass")
        believed = hashlib.blake2b(whole, key=self._key).digest()
        if stored and self._believed.get(believed, 0.0) > time.monotonic():
            return True
        keys = f"address:{self._proxies.address(request)}", f"name:{name[:64]}"
        for key in keys:
            self._tries.take(key)
        if not await to_thread.run_sync(self._users.admits, name, password):
            return False
        for key in keys:
            self._tries.give_back(key)
        self._believed[believed] = time.monotonic() + BELIEVED
        while len(self._believed) > 1000:
            self._believed.popitem(last=False)
        return True

    async def _form(self, _: Request) -> Response:
        return HTMLResponse(_page())

    async def _sign_in(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        name, password = str(form.get("username", "")), str(form.get("password", ""))
        try:
            admitted = await self._admits(request, name, password)
        except OftenError as error:
            return HTMLResponse(_page(str(error)), 429, headers={"Retry-After": str(error.seconds)})
        if not admitted:
            return HTMLResponse(_page("The name or the password is wrong; try again.", name), 401)
        token = await to_thread.run_sync(self._sessions.begin, name, SESSION_SECONDS)
        reads_pages = "text/html" in request.headers.get("accept", "")
        # gradio_client takes a redirection for a failure.
        response: Response = RedirectResponse("/", 303) if reads_pages else JSONResponse({"user": name})
        response.headers["set-cookie"] = cookie(SESSION, token, SESSION_SECONDS, self._proxies.is_https(request))
        return response

    async def _sign_out(self, request: Request) -> Response:
        token = request.cookies.get(SESSION, "")
        if token:
            await to_thread.run_sync(self._sessions.end, token)
        response = RedirectResponse("/login", 303)
        response.headers["set-cookie"] = cookie(SESSION, "", 0, self._proxies.is_https(request))
        return response


def _basic(header: str) -> tuple[str, str] | None:
    kind, _, coded = header.partition(" ")
    try:
        name, colon, password = base64.b64decode(coded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if kind.lower() == "basic" and colon else None


def _page(problem: str = "", name: str = "") -> str:
    alert = f'<p role="alert" id="problem">{html.escape(problem)}</p>' if problem else ""
    described = ' aria-describedby="problem"' if problem else ""
    value = html.escape(name.encode("utf-8", "replace").decode(), quote=True)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - Ask the article</title><style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
main {{ max-width: 22rem; margin: 12vh auto; padding: 0 1rem; }}
label {{ display: block; margin: 1rem 0 .25rem; }}
input, button {{ width: 100%; box-sizing: border-box; font: inherit; padding: .6rem; }}
button {{ margin-top: 1.5rem; }} [role=alert] {{ border-left: 4px solid #c33; padding-left: .6rem; }}
</style></head><body><main><h1>Sign in</h1>{alert}<form method="post" action="/login">
<label for="username">Name</label><input id="username" name="username" value="{value}" autocomplete="username"
 autocapitalize="none" spellcheck="false" required autofocus{described}>
<label for="password">Password</label><input id="password" name="password" type="password"
 autocomplete="current-password" required>
<button>Sign in</button></form></main></body></html>"""
