"""Signing in with a name and a password from a file of users, as `htpasswd -B` writes it."""

import asyncio
import base64
import hashlib
import html
import os
import re
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

import bcrypt
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rag.errors import RagError, SettingsError
from rag.server.guesses import Guesses
from rag.server.limit import OftenError
from rag.server.owner import SESSION, Proxies, cookie, refusal

SESSION_SECONDS = 30 * 24 * 3600
SHORTEST, LONGEST = 8, 72
"""Bytes of a password; bcrypt reads no more."""
CHECKS = 2
"""Passwords that bcrypt checks at the same time."""
WAITING = 40
"""Checks under way or waiting, with which an address that is strange to a name begins no other."""
BELIEVED = 300.0
"""Seconds for which a password that was right from an address is not checked by bcrypt again."""
FORM = 4_096
"""Bytes of the form."""
_BASIC = 1_000
"""Characters of the header that carries a name and a password."""
_KIND = "application/x-www-form-urlencoded"
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
        self._proxies = proxies
        self._users = users
        self._sessions = sessions
        self._passwords = Passwords(users)

    async def recognise(self, request: Request) -> str | None:
        """The user whose session or whose name and password the request carries.

        Raises OftenError, StoreError, and SettingsError where the file of users cannot be read any more.
        """
        address = self._proxies.address(request)
        token = request.cookies.get(SESSION, "")
        user = await to_thread.run_sync(self._sessions.user_of, token) if token else None
        if user is not None and user in self._users:
            self._passwords.guesses.know(address, user)
            return user
        given = _basic(request.headers.get("authorization", ""))
        return given[0] if given and await self._passwords.admit(address, *given) else None

    def routes(self) -> list[Route]:
        """GET and POST /login, POST /logout."""
        return [
            Route("/login", self._form, methods=["GET"]),
            Route("/login", self._sign_in, methods=["POST"]),
            Route("/logout", self._sign_out, methods=["POST"]),
        ]

    async def _form(self, _: Request) -> Response:
        return HTMLResponse(_page())

    async def _sign_in(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
            return HTMLResponse(_page(f"This was no form; send the name and the password as {_KIND}."), 415)
        name, password = _fields(await request.body())
        try:
            if not await self._passwords.admit(self._proxies.address(request), name, password):
                return HTMLResponse(_page("The name or the password is wrong; try again.", name), 401)
            token = await to_thread.run_sync(self._sessions.begin, name, SESSION_SECONDS)
        except RagError as error:
            return _refused(error)
        reads_pages = "text/html" in request.headers.get("accept", "")
        # gradio_client takes a redirection for a failure.
        response: Response = RedirectResponse("/", 303) if reads_pages else JSONResponse({"user": name})
        response.headers["set-cookie"] = cookie(SESSION, token, SESSION_SECONDS, self._proxies.is_https(request))
        return response

    async def _sign_out(self, request: Request) -> Response:
        token = request.cookies.get(SESSION, "")
        if token:
            try:
                await to_thread.run_sync(self._sessions.end, token)
            except RagError as error:
                return _refused(error)
        response = RedirectResponse("/login", 303)
        response.headers["set-cookie"] = cookie(SESSION, "", 0, self._proxies.is_https(request))
        return response


class Passwords:
    """Checks passwords, a few at a time, and remembers for a while which were right."""

    def __init__(self, users: Users) -> None:
        self.guesses = Guesses()
        self._users = users
        self._pool = ThreadPoolExecutor(CHECKS, "bcrypt")
        self._checks: dict[bytes, Future[bool]] = {}
        self._key = secrets.token_bytes(32)
        self._moving = threading.Lock()
        self._believed: OrderedDict[bytes, float] = OrderedDict()

    async def admit(self, address: str, name: str, password: str) -> bool:
        """Whether this is the user's password. Raises OftenError, and SettingsError as Users does."""
        if not _NAME.fullmatch(name) or len(password) > LONGEST or "\0" in password:
            return False
        # With the hash that is stored, so that a changed password counts at once.
        whole = "\0".join((address, name, self._users.stored(name), password))
        digest = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), key=self._key).digest()
        self.guesses.check(address, name)
        if self._believed.get(digest, 0.0) > time.monotonic():
            return True
        check = self._checks.get(digest) or self._begin(digest, address, name, password)
        return await asyncio.shield(asyncio.wrap_future(check))  # Others may wait for the same one.

    def _begin(self, digest: bytes, address: str, name: str, password: str) -> Future[bool]:
        if len(self._checks) >= WAITING and not self.guesses.knows(address, name):
            raise OftenError("Many people are signing in; try again in 5 seconds.", 5)
        taken = self.guesses.take(address, name)  # Now, or else many at once would all pass before one is wrong.

        def check() -> bool:
            if not self._users.admits(name, password):
                return False
            self.guesses.right(taken)
            self.guesses.know(address, name)
            self._believe(digest)
            return True

        future = self._checks[digest] = self._pool.submit(check)
        future.add_done_callback(lambda _: self._checks.pop(digest, None))
        return future

    def _believe(self, digest: bytes) -> None:
        with self._moving:
            self._believed[digest] = time.monotonic() + BELIEVED
            while len(self._believed) > 1000:
                self._believed.popitem(last=False)


def _basic(header: str) -> tuple[str, str] | None:
    kind, _, coded = header[: _BASIC + 1].partition(" ")
    if len(header) > _BASIC or kind.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded, validate=True).decode("utf-8").partition(":")
    except ValueError:  # Of base64 or of UTF-8.
        return None
    return (name, password) if colon else None


def _fields(body: bytes) -> tuple[str, str]:
    """The name and the password, empty where the form is too long or has none."""
    text = body.decode("utf-8", "replace") if len(body) <= FORM else ""
    fields = dict(parse_qsl(text, keep_blank_values=True, errors="replace"))
    return fields.get("username", ""), fields.get("password", "")


def _refused(error: RagError) -> Response:
    status, sentence, headers = refusal(error)
    return HTMLResponse(_page(sentence), status, headers=headers)


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
