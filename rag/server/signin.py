"""Signing in: the form at /login, names and passwords with requests, sessions in the store."""

import asyncio
import base64
import hashlib
import html
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rag.errors import RagError
from rag.server.cluster import Cluster
from rag.server.identity import SESSION, Proxies, cookie, refusal
from rag.server.limits import Limit, OftenError
from rag.server.shared import known, rate_limit
from rag.server.store import Store
from rag.server.users import LONGEST_PASSWORD, NAME, Users

SESSION_SECONDS = 30 * 24 * 3600
TRIES = 10
"""Wrong passwords a minute for one name from one address."""
ADDRESS_TRIES = 50
"""Of one address for all the names that have not signed in from it."""
NAME_TRIES = 100
"""For one name from all the addresses from which it has not signed in."""
CHECKS = 2
"""Passwords that bcrypt checks at the same time."""
WAITING = 40
"""With so many checks under way or waiting, only addresses known for a name begin another."""
BELIEVED = 300.0
"""Seconds for which a password that was right from an address is not checked by bcrypt again."""
FORM = 4_096
"""Bytes of the form."""
_GIVEN = 1_000
"""Characters of the header that carries a name and a password."""
_FORM_TYPE = "application/x-www-form-urlencoded"
_REMEMBERED = 1_000
_Counted = list[tuple[Limit, str]]


class SignIn:
    """The form at /login, and authentication by its session, by Basic or by a key."""

    def __init__(self, users: Users, store: Store, proxies: Proxies, cluster: Cluster | None = None) -> None:
        """Wrong passwords are counted for all copies if there is a `cluster`."""
        self._proxies = proxies
        self._users = users
        self._store = store
        self._passwords = Passwords(users, Guesses(cluster))

    async def authenticate(self, request: Request) -> str | None:
        """The user whose session, or name and password, the request carries.

        Raises OftenError, StoreError, and SettingsError if the file of users cannot be read any more.
        """
        address = self._proxies.address(request)
        token = request.cookies.get(SESSION, "")
        user = await to_thread.run_sync(self._session_user, token, address) if token else None
        if user is not None:
            return user
        given = _given(request.headers.get("authorization", ""))
        return given[0] if given and await self._passwords.admit(address, *given) else None

    def _session_user(self, token: str, address: str) -> str | None:
        """Who has signed in at this address, if there still is such a user."""
        user = self._store.session_user(token)
        if user is None or user not in self._users:
            return None
        self._passwords.guesses.know(address, user)
        return user

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
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            return HTMLResponse(_page(f"This was no form; send the name and the password as {_FORM_TYPE}."), 415)
        name, password = _fields(await request.body())
        try:
            if not await self._passwords.admit(self._proxies.address(request), name, password):
                return HTMLResponse(_page("The name or the password is wrong; try again.", name), 401)
            token = await to_thread.run_sync(self._store.start_session, name, SESSION_SECONDS)
        except RagError as error:
            return _refused(error)
        reads_pages = "text/html" in request.headers.get("accept", "")
        # gradio_client takes a redirection for a failure.
        response: Response = RedirectResponse("/", 303) if reads_pages else JSONResponse({"user": name})
        response.headers["set-cookie"] = cookie(SESSION, token, SESSION_SECONDS, self._proxies.is_https(request))
        return response

    async def _sign_out(self, request: Request) -> Response:
        if token := request.cookies.get(SESSION, ""):
            try:
                await to_thread.run_sync(self._store.end_session, token)
            except RagError as error:
                return _refused(error)
        response = RedirectResponse("/login", 303)
        response.headers["set-cookie"] = cookie(SESSION, "", 0, self._proxies.is_https(request))
        return response


class Passwords:
    """Checks passwords, a few at a time, and remembers for a while which were right."""

    def __init__(self, users: Users, guesses: "Guesses") -> None:
        self.guesses = guesses
        self._users = users
        self._counting = ThreadPoolExecutor(CHECKS, "guesses")  # What is counted may be in a database.
        self._pool = ThreadPoolExecutor(CHECKS, "bcrypt")
        self._checks: dict[bytes, Future[bool]] = {}
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._believed: OrderedDict[bytes, float] = OrderedDict()

    async def admit(self, address: str, name: str, password: str) -> bool:
        """Whether this is the user's password. Raises OftenError, and SettingsError as Users does."""
        if not NAME.fullmatch(name) or len(password) > LONGEST_PASSWORD or "\0" in password:
            return False
        # With the hash that is stored, so that a changed password counts at once.
        whole = "\0".join((address, name, self._users.stored(name), password))
        digest = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), key=self._key).digest()
        await to_thread.run_sync(self.guesses.check, address, name)
        if self._believed.get(digest, 0.0) > time.monotonic():
            return True
        check = self._checks.get(digest) or self._begin(digest, address, name, password)
        return await asyncio.shield(asyncio.wrap_future(check))  # Others may wait for the same one.

    def _begin(self, digest: bytes, address: str, name: str, password: str) -> Future[bool]:
        is_late = len(self._checks) >= WAITING
        check = self._checks[digest] = Future[bool]()
        check.add_done_callback(lambda _: self._checks.pop(digest, None))

        def count() -> None:
            if is_late and not self.guesses.knows(address, name):
                raise OftenError("Many people are signing in; try again in 5 seconds.", 5)
            counted = self.guesses.take(address, name)  # Now, or else many at once would all pass before one is wrong.
            self._pool.submit(_into, check, lambda: compare(counted))

        def compare(counted: _Counted) -> bool:
            if not self._users.admits(name, password):
                return False
            for limit, key in counted:
                limit.give_back(key)
            self.guesses.know(address, name)
            with self._lock:
                self._believed[digest] = time.monotonic() + BELIEVED
                while len(self._believed) > _REMEMBERED:
                    self._believed.popitem(last=False)
            return True

        self._counting.submit(_into, check, count)
        return check


def _into(check: Future[bool], work: Callable[[], bool | None]) -> None:
    """Settle the check with what the work finds, unless that is None, or its error."""
    try:
        if (found := work()) is not None:
            check.set_result(found)
    except BaseException as error:  # noqa: BLE001 - it is raised where the check is waited for
        check.set_exception(error)


class Guesses:
    """Counts wrong passwords. Thread-safe.

    An address may send TRIES a minute for each name. If a name has signed in from an address, or uses its session
    there, the address is known for it, and nothing that comes from elsewhere or for other names uses up those
    TRIES: wrong passwords from elsewhere do not lock a user out. Addresses that are strange to a name share
    ADDRESS_TRIES (one address, all names) and NAME_TRIES (one name, all addresses), which slow down whoever guesses
    with many of them. If nothing is left the right password is refused as well, also one that was right a moment
    ago: what is let in would tell which one is right.
    """

    def __init__(self, cluster: Cluster | None = None) -> None:
        self._pairs = rate_limit(cluster, "pair", TRIES, "wrong passwords")
        self._addresses = rate_limit(cluster, "address", ADDRESS_TRIES, "wrong passwords")
        self._names = rate_limit(cluster, "name", NAME_TRIES, "wrong passwords")
        self._lock = threading.Lock()
        self._known = known(cluster)

    def check(self, address: str, name: str) -> None:
        """Raises OftenError if one more would be one too many."""
        for limit, key in self._limits(address, name):
            limit.check(key)

    def take(self, address: str, name: str) -> _Counted:
        """Count one until it proves right and is given back. Raises OftenError as `check` does."""
        counted = self._limits(address, name)
        with self._lock:
            self.check(address, name)
            for limit, key in counted:
                limit.take(key)
        return counted

    def knows(self, address: str, name: str) -> bool:
        """Whether the address is known for the name."""
        return (address, name) in self._known

    def know(self, address: str, name: str) -> None:
        """The name has signed in from the address."""
        self._known.add((address, name))

    def _limits(self, address: str, name: str) -> _Counted:
        pair = self._pairs, f"{address} {name}"
        return [pair] if self.knows(address, name) else [pair, (self._addresses, address), (self._names, name)]


def _given(header: str) -> tuple[str, str] | None:
    """The name and password of Basic, or of a key (Bearer), as OpenAI's clients send."""
    kind, _, coded = header[: _GIVEN + 1].partition(" ")
    if len(header) > _GIVEN or kind.lower() not in ("basic", "bearer"):
        return None
    try:
        name, colon, password = base64.b64decode(coded, validate=True).decode("utf-8").partition(":")
    except ValueError:  # Of base64 or of UTF-8.
        return None
    return (name, password) if colon else None


def _fields(body: bytes) -> tuple[str, str]:
    """The name and the password, empty if the form is too long or has none."""
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
