"""Signing in: the file of users, the form, sessions, names and passwords with each request, a proxy's header."""

import asyncio
import base64
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from fakes import WAIT, FakeBot
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from serving import MemoryStore, make_app, serving

from rag.errors import SettingsError, StoreError
from rag.server import database as database_module
from rag.server import signin as signin_module
from rag.server import users as users_module
from rag.server.identity import RELOAD, Proxies
from rag.server.limits import OftenError
from rag.server.signin import ADDRESS_TRIES, CHECKS, FORM, NAME_TRIES, TRIES, Guesses
from rag.server.store import Store
from rag.server.users import Users, add_user
from rag.settings import Settings

PASSWORD = "correct horse"


def hashed(password: str, kind: str = "y") -> str:
    """As `htpasswd -B -C 4` writes it."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b", f"$2{kind}")


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"# who may ask\n\nanna:{hashed(PASSWORD)}\nbert:{hashed('another one', 'b')}\n")
    return path


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


Visit = Callable[..., TestClient]


@pytest.fixture
def visit(settings: Settings, users: Path, store: MemoryStore) -> Visit:
    """Opens the page from an address."""
    app = make_app(FakeBot(), settings.model_copy(update={"users": users}), store)

    def opened(address: str = "192.0.2.1", **options: Any) -> TestClient:
        return TestClient(app, base_url="http://localhost", follow_redirects=False, client=(address, 50000), **options)

    return opened


@pytest.fixture
def client(visit: Visit) -> TestClient:
    return visit()


def sign_in(client: TestClient, name: str = "anna", password: str = PASSWORD, **headers: str) -> Any:
    return client.post(
        "/login", data={"username": name, "password": password}, headers={"accept": "text/html", **headers}
    )


def test_the_file_of_htpasswd_is_read_and_read_again_when_it_changes(users: Path) -> None:
    read = Users(users)
    assert read.admits("anna", PASSWORD) and read.admits("bert", "another one")
    for name, password in (("anna", "wrong"), ("anna", ""), ("nobody", PASSWORD), ("", ""), ("anna", PASSWORD + "\0")):
        assert not read.admits(name, password)
    users.write_text(f"carla:{hashed('a third one')}\n")
    assert "carla" in read and "anna" not in read and read.admits("carla", "a third one")


def test_a_password_of_more_bytes_than_bcrypt_reads_is_wrong(users: Path) -> None:
    users.write_text(f"anna:{hashed('x' * 72)}\n")
    assert Users(users).admits("anna", "x" * 72) and not Users(users).admits("anna", "x" * 73)


@pytest.mark.parametrize(
    "line", ["anna", "anna:secret", "anna:$2y$04$short", ":" + hashed("x"), "bert:" + hashed("x")], ids=range(5)
)
def test_a_wrong_line_is_named(users: Path, line: str) -> None:
    with users.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(SettingsError, match=r"^Line 5 of the file of users .* --add-user NAME$"):
        Users(users)


def test_a_file_that_is_missing_or_no_text_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Users(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        Users(tmp_path / "binary")


@pytest.mark.slow
def test_a_user_is_added_and_gets_a_new_password_and_the_others_stay(users: Path) -> None:
    before = users.read_text().splitlines()
    add_user(users, "carla", "eight888")
    add_user(users, "anna", "a new password")
    read = Users(users)
    assert read.admits("carla", "eight888") and read.admits("anna", "a new password")
    assert [line for line in before if not line.startswith("anna")] == users.read_text().splitlines()[:3]
    assert users.stat().st_mode & 0o077 == 0
    assert [path.name for path in users.parent.iterdir() if path.name != "users"] == []


@pytest.mark.slow
def test_the_first_user_makes_the_file(tmp_path: Path) -> None:
    add_user(tmp_path / "new" / "users", "anna", PASSWORD)
    assert Users(tmp_path / "new" / "users").admits("anna", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "seven77"), ("anna", "x" * 73), ("anna", "ü" * 37), ("anna", "with\0nul!"), ("a:b", PASSWORD),
     ("", PASSWORD), ("#a", PASSWORD), ("a\nb", PASSWORD), (" a", PASSWORD), ("a ", PASSWORD), ("x" * 65, PASSWORD)],
)  # fmt: skip
def test_names_and_passwords_that_cannot_be_used_are_refused(users: Path, name: str, password: str) -> None:
    before = users.read_bytes()
    with pytest.raises(SettingsError, match=r"cannot be used|bytes"):
        add_user(users, name, password)
    assert users.read_bytes() == before


@pytest.mark.slow
def test_nobody_comes_in_without_signing_in(client: TestClient) -> None:
    assert client.get("/").headers["location"] == "/login"
    for method, path in (
        ("GET", "/config"), ("GET", "/theme.css"), ("GET", "/gradio_api/info"), ("POST", "/gradio_api/queue/join"),
        ("GET", "/gradio_api/queue/data?session_hash=x"), ("POST", "/gradio_api/upload"), ("GET", "/gradio_api/file=/x"),
        ("POST", "/api/ask"), ("GET", "/api/schema"), ("POST", "/mcp"),
    ):  # fmt: skip
        response = client.request(method, path)
        assert response.status_code == 401, path
        assert response.json() == {"error": "Nobody is signed in; sign in at /login, or send a name and a password."}
        assert ("www-authenticate" in response.headers) == path.startswith(("/api", "/mcp"))
    for path in ("/login", "/health", "/ready"):
        assert client.get(path).status_code == 200, path


def test_the_form_lets_in_and_out(client: TestClient, store: MemoryStore) -> None:
    form = client.get("/login")
    assert "form-action 'self'" in form.headers["content-security-policy"]
    for part in ('<html lang="en">', '<label for="username">', '<label for="password">', 'type="password"', "<title>"):
        assert part in form.text
    response = sign_in(client)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("rag_session=") and "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert "Secure" not in cookie and list(store.users.values()) == ["anna"]
    assert client.get("/config").json()["username"] == "user:anna"
    assert client.get("/logout").status_code == 404
    out = client.post("/logout")
    assert out.headers["location"] == "/login" and store.users == {}
    assert client.get("/config").status_code == 401


def test_the_wrong_password_and_the_wrong_name_look_the_same(client: TestClient) -> None:
    wrong, unknown = sign_in(client, password="wrong"), sign_in(client, name="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace("anna", "") == unknown.text.replace("nobody", "")
    assert 'role="alert"' in wrong.text and "set-cookie" not in wrong.headers


def test_what_is_typed_as_a_name_is_shown_as_text(client: TestClient) -> None:
    text = sign_in(client, name='"><script>alert(1)</script>').text
    assert "<script>" not in text and "&lt;script&gt;" in text


def wrong(client: TestClient, times: int = TRIES, name: str = "anna") -> list[int]:
    """The answers to so many wrong passwords, each another one."""
    return [sign_in(client, name, f"wrong {number}").status_code for number in range(times)]


@pytest.mark.slow
def test_passwords_cannot_be_tried_without_end(client: TestClient) -> None:
    assert wrong(client) == [401] * TRIES
    refused = sign_in(client)
    assert refused.status_code == 429 and 0 < int(refused.headers["retry-after"]) <= 60
    assert "10 wrong passwords within 60 seconds are allowed" in refused.text
    basic = client.post("/api/ask", json={"question": "Q"}, auth=("anna", PASSWORD))
    assert basic.status_code == 429 and "retry-after" in basic.headers


@pytest.mark.slow
@pytest.mark.parametrize("guesser", ["192.0.2.1", "198.51.100.1"], ids=["where the user is", "elsewhere"])
def test_whoever_guesses_does_not_learn_what_is_right_after_the_user_has_signed_in(visit: Visit, guesser: str) -> None:
    assert visit("192.0.2.1").get("/config", auth=("anna", PASSWORD)).status_code == 200
    other = visit(guesser)
    guesses = [other.get("/config", auth=("anna", f"wrong {number}")).status_code for number in range(TRIES + 2)]
    assert guesses == [401] * TRIES + [429, 429]
    assert other.get("/config", auth=("anna", PASSWORD)).status_code == 429


@pytest.mark.slow
def test_wrong_passwords_from_elsewhere_lock_nobody_out(visit: Visit) -> None:
    assert wrong(visit("198.51.100.1"), TRIES + 1) == [401] * TRIES + [429]
    assert sign_in(visit("192.0.2.1")).status_code == 303
    assert sign_in(visit("198.51.100.1"), "bert", "another one").status_code == 303


@pytest.mark.slow
def test_where_a_user_has_signed_in_many_addresses_lock_nobody_out_either(visit: Visit, store: MemoryStore) -> None:
    home, travelling, new = (visit(f"192.0.2.{number}") for number in (1, 2, 3))
    assert sign_in(home).status_code == 303
    travelling.cookies.set("rag_session", store.start_session("anna", 60))
    assert travelling.get("/config").status_code == 200
    for number in range(NAME_TRIES // TRIES):
        assert wrong(visit(f"198.51.100.{number}")) == [401] * TRIES
    late = sign_in(new)
    assert late.status_code == 429 and "100 wrong passwords within 60 seconds are allowed" in late.text
    home.cookies.clear(), travelling.cookies.clear()
    assert sign_in(home).status_code == sign_in(travelling).status_code == 303


@pytest.mark.slow
def test_one_address_cannot_try_many_names(visit: Visit) -> None:
    here = visit()
    assert sign_in(here).status_code == 303
    assert {sign_in(here, f"user {number}", "guessed").status_code for number in range(ADDRESS_TRIES)} == {401}
    assert sign_in(here, "bert", "another one").status_code == 429
    assert sign_in(here).status_code == 303


@pytest.mark.slow
def test_the_addresses_of_one_ipv6_household_have_the_tries_of_one(visit: Visit) -> None:
    for number in range(TRIES):
        assert wrong(visit(f"2001:db8::{number + 1:x}"), 1) == [401]
    assert sign_in(visit("2001:db8::ffff")).status_code == 429
    assert sign_in(visit("2001:db8:0:1::1")).status_code == 303
    assert wrong(visit("192.0.2.1"), TRIES + 1)[-1] == sign_in(visit("::ffff:192.0.2.1")).status_code == 429
    assert sign_in(visit("::ffff:192.0.2.2")).status_code == 303


@pytest.mark.parametrize("where", ["here", pytest.param("shared", marks=pytest.mark.slow)])
def test_the_rule_for_wrong_passwords(where: str, request: pytest.FixtureRequest) -> None:
    cluster = request.getfixturevalue("cluster") if where == "shared" else None
    guesses = Guesses(cluster)
    for _ in range(TRIES):
        guesses.take("a", "anna")
    guesses = Guesses(cluster) if cluster else guesses  # Another copy of the server.
    for again in (guesses.check, guesses.take):
        with pytest.raises(OftenError):
            again("a", "anna")
    for limit, key in guesses.take("b", "anna"):
        limit.give_back(key)  # It was right.
    guesses.know("b", "anna")
    for number in range(NAME_TRIES - TRIES):
        guesses.take(f"c{number % 20}", "anna")
    with pytest.raises(OftenError):
        guesses.check("new", "anna")
    for _ in range(TRIES):
        guesses.take("b", "anna")
    with pytest.raises(OftenError):
        guesses.take("b", "anna")
    guesses.take("b", "bert")


@pytest.mark.slow
def test_who_signed_in_at_one_copy_is_signed_in_at_all_and_wrong_passwords_count_at_all(
    settings: Settings, users: Path, address: str
) -> None:
    settings = settings.model_copy(update={"users": users})
    with Store(address) as one, Store(address) as two:
        apps = [make_app(FakeBot(), settings, store) for store in (one, two)]  # type: ignore[arg-type]
        here, there = (TestClient(app, base_url="http://localhost", follow_redirects=False) for app in apps)
        assert sign_in(here).status_code == 303
        there.cookies = here.cookies
        assert [client.get("/").status_code for client in (here, there)] == [200, 200]
        assert there.post("/logout").status_code == 303
        assert here.get("/").status_code == 303
        tried = [wrong(client, 1)[0] for client in [here, there] * (TRIES // 2)]
        assert tried == [401] * TRIES
        assert [sign_in(client).status_code for client in (here, there)] == [429, 429]


@pytest.mark.slow
def test_a_reader_whose_session_cannot_be_looked_up_is_told_and_comes_back(
    settings: Settings, users: Path, address: str
) -> None:
    with Store(address) as store:
        app = make_app(FakeBot(), settings.model_copy(update={"users": users}), store)  # type: ignore[arg-type]
        client = TestClient(app, base_url="http://localhost", follow_redirects=False)
        client.cookies.set("rag_session", store.start_session("anna", 60))
        assert client.get("/").status_code == 200
    shown = client.get("/")
    assert shown.status_code == 503 and shown.headers["refresh"] == RELOAD and "try again" in shown.json()["error"]
    other = client.get("/v1/models")
    assert other.status_code == 503 and "refresh" not in other.headers


@pytest.mark.slow
def test_right_passwords_do_not_count_as_tries(client: TestClient) -> None:
    assert {sign_in(client).status_code for _ in range(TRIES + 2)} == {303}


class SlowUsers:
    """Checks passwords as Users does, once its gate is open, and counts how many are checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = threading.Event()
        self.full = threading.Event()
        self.checked = self.running = self.peak = 0
        self._counting = threading.Lock()
        admits = Users.admits

        def check(users: Users, name: str, password: str) -> bool:
            self.wait()
            return admits(users, name, password)

        monkeypatch.setattr(Users, "admits", check)

    def wait(self) -> None:
        with self._counting:
            self.checked, self.running = self.checked + 1, self.running + 1
            self.peak = max(self.peak, self.running)
            if self.running == CHECKS:
                self.full.set()
        assert self.gate.wait(WAIT)
        with self._counting:
            self.running -= 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowUsers]:
    made = SlowUsers(monkeypatch)
    yield made
    made.gate.set()


async def by_basic(visit: Visit, password: str, address: str = "192.0.2.1", name: str = "anna") -> int:
    transport = httpx.ASGITransport(visit().app, client=(address, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get("/config", auth=(name, password))).status_code


@pytest.mark.slow
def test_a_hundred_guesses_at_once_are_few_checks(visit: Visit, slow: SlowUsers) -> None:
    async def guess() -> list[int]:
        asking = [asyncio.create_task(by_basic(visit, f"wrong {number}")) for number in range(100)]
        coming = list(asyncio.as_completed(asking, timeout=WAIT))
        refused = [await one for one in coming[: 100 - TRIES]]
        assert refused == [429] * (100 - TRIES)
        assert await asyncio.to_thread(slow.full.wait, WAIT)
        slow.gate.set()
        return [await one for one in coming[100 - TRIES :]]

    assert asyncio.run(guess()) == [401] * TRIES
    assert (slow.checked, slow.peak) == (TRIES, CHECKS)


@pytest.mark.slow
def test_a_program_that_asks_much_at_once_costs_one_check(visit: Visit, slow: SlowUsers) -> None:
    async def ask() -> list[int]:
        asking = [asyncio.create_task(by_basic(visit, PASSWORD)) for _ in range(30)]
        while not slow.checked:
            await asyncio.sleep(0)
        slow.gate.set()
        return await asyncio.gather(*asking)

    assert asyncio.run(ask()) == [200] * 30
    assert slow.checked == 1
    assert visit().get("/config", auth=("anna", PASSWORD)).status_code == 200 and slow.checked == 1
    assert visit("192.0.2.9").get("/config", auth=("anna", PASSWORD)).status_code == 200 and slow.checked == 2


def test_many_strangers_at_once_do_not_keep_out_who_is_known(
    visit: Visit, slow: SlowUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.gate.set()
    assert sign_in(visit("192.0.2.1")).status_code == 303
    slow.gate.clear()
    monkeypatch.setattr(signin_module, "WAITING", 3)

    async def come() -> list[int]:
        def guess(number: int) -> Coroutine[Any, Any, int]:
            return by_basic(visit, "wrong", f"198.51.100.{number}")

        first = [asyncio.create_task(guess(number)) for number in range(3)]
        while slow.running < CHECKS:
            await asyncio.sleep(0)
        assert await guess(3) == 429
        known = asyncio.create_task(by_basic(visit, "mistyped"))
        assert await guess(4) == 429
        slow.gate.set()
        return await asyncio.gather(*first, known)

    assert asyncio.run(come()) == [401] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
                {"sec-fetch-site": "same-site"}, {"origin": "http://localhost:81"}],
)  # fmt: skip
def test_no_other_site_can_sign_anybody_in_or_out(
    client: TestClient, store: MemoryStore, headers: dict[str, str]
) -> None:
    assert sign_in(client, **headers).status_code == 403 and store.users == {}
    sign_in(client, origin="http://localhost", **{"sec-fetch-site": "same-origin"})
    assert client.post("/logout", headers=headers).status_code == 403
    assert list(store.users.values()) == ["anna"]


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://localhost"}, {"origin": "null", "sec-fetch-site": "same-origin"}]
)
def test_the_form_passes_however_the_browser_says_that_it_is_ours(client: TestClient, headers: dict[str, str]) -> None:
    assert sign_in(client, **headers).status_code == 303
    assert client.get("/login").headers["referrer-policy"] == "same-origin"


def test_a_name_and_a_password_with_each_request_do_for_programs(client: TestClient, users: Path) -> None:
    for _ in range(3):
        assert client.post("/api/ask", json={"question": "Q"}, auth=("anna", PASSWORD)).json()["text"] == "Said Q"
    users.write_text(f"anna:{hashed('changed now')}\n")
    assert client.post("/api/ask", json={"question": "Q"}, auth=("anna", PASSWORD)).status_code == 401


def basic(given: bytes) -> bytes:
    return b"Basic " + base64.b64encode(given)


NO_PASSWORDS = [
    b"Basic", b"Basic %%%", b"Bearer x", b"Basic \xff\xfe", "Basic é".encode(), basic(b"\xff:x"), basic(b"anna"),
    basic(b"an\0na:x"), basic(b"anna:x\0y"), basic(b"anna:correct horse\0"), basic(b"anna:\xed\xa0\x80"),
    basic(b"a" * 60_000 + b":x"), basic(b"anna:" + b"x" * 60_000), b"Basic " + b"=" * 60_000, b"Basic " + b" " * 60_000,
    b"basic\t" + base64.b64encode(b"anna:correct horse"), b"\xff" * 60_000, b"",
]  # fmt: skip


@pytest.mark.slow
def test_other_authorisation_is_none(visit: Visit) -> None:
    for number, header in enumerate(NO_PASSWORDS):
        client, sent = visit(f"198.51.100.{number}"), {"authorization": header}
        for _ in range(TRIES + 1):  # A password that nobody can have is no try, but one that is checked is.
            response = client.post("/api/ask", json={"question": "Q"}, headers=sent)  # type: ignore[arg-type]
            assert response.status_code in (401, 429), header[:50]


ENCODED = "application/x-www-form-urlencoded"
PART = b'--x\r\ncontent-disposition: form-data; name="username"\r\n\r\n\xff\r\n--x--\r\n'


NO_FORMS = [
    (ENCODED, b"", 401), (ENCODED, b"\xff\x00\xed\xa0\x80=&&&", 401), (ENCODED, b"username=%ff%fe&password=%00", 401),
    (ENCODED, b"username=anna%00&password=correct+horse", 401), (ENCODED, b"username=anna&password=correct+horse%00", 401),
    (ENCODED, b"username=%ED%A0%80&password=%ED%A0%80", 401), (ENCODED, b"username=anna&password=" + b"x" * 900_000, 401),
    (ENCODED, b"username=" + b"a" * 900_000 + b"&password=x", 401), (ENCODED, b"username=" + b"%" * 900_000, 401),
    (ENCODED, b"&" * 900_000, 401), (ENCODED, b"a=1&" * 200_000, 401), ("", b"\xff", 415), ("application/json", b"{}", 415),
    ("multipart/form-data", b"x", 415), ("multipart/form-data; boundary=x; charset=undefined", PART, 415),
    ("multipart/form-data; boundary=x; charset=u\0", PART, 415), (";" * 60_000, b"", 415),
]  # fmt: skip


@pytest.mark.slow
def test_no_form_is_an_error_of_the_server(visit: Visit) -> None:
    for number, (kind, body, status) in enumerate(NO_FORMS):
        headers = {"content-type": kind, "accept": "text/html"}
        response = visit(f"198.51.100.{number}").post("/login", content=body, headers=headers)
        assert response.status_code == status and len(response.text) < 2_000, (kind[:50], body[:50])
    told = 'role="alert"' in response.text or response.json() == {"error": "The request is not in UTF-8; send it so."}
    assert told and "set-cookie" not in response.headers


def test_a_form_of_the_longest_name_and_password_has_room(users: Path, client: TestClient) -> None:
    name, password = "\U0001f600" * 64, "x" * 72
    users.write_text(f"{name}:{hashed(password)}\n")
    assert sign_in(client, name, password).status_code == 303
    assert client.get("/config", auth=(name.encode(), password.encode())).status_code == 200
    assert len(name.encode()) * 3 + 72 * 3 < FORM


@pytest.mark.slow
def test_a_long_cookie_takes_no_time(visit: Visit, settings: Settings, store: MemoryStore) -> None:
    long = 'rag_owner="' + "\\" * 60_000 + '"; rag_session="' + "\\" * 60_000 + '"; other="\\'
    everybody = TestClient(make_app(FakeBot(), settings), base_url="http://localhost")
    began = time.monotonic()
    for client in (visit(), everybody):
        assert client.get("/health", headers={"cookie": long}).status_code == 200
    token = store.start_session("anna", 60)
    assert visit().get("/config", headers={"cookie": f"{long}; rag_session={token}; last=1"}).status_code == 200
    assert time.monotonic() - began < 5  # Python alone would take half a minute for each.


def test_a_user_taken_from_the_file_is_out_at_once(client: TestClient, users: Path) -> None:
    sign_in(client)
    assert client.get("/config").status_code == 200
    users.write_text(f"bert:{hashed('another one')}\n")
    assert client.get("/config").status_code == 401


@pytest.mark.slow
def test_users_that_cannot_be_read_any_more_are_one_sentence_without_the_path(
    client: TestClient, users: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client)
    users.unlink()
    sentence = "Nobody can sign in at the moment; tell whoever runs this page."
    basic = client.get("/config", auth=("anna", PASSWORD))
    assert (basic.status_code, basic.json()) == (503, {"error": sentence})
    form = sign_in(client)
    assert form.status_code == 503 and sentence in form.text
    assert str(users) in caplog.text
    for path in ("/health", "/ready", "/login"):
        assert client.get(path, auth=("anna", PASSWORD)).status_code == 200


class BrokenStore(MemoryStore):
    """Says so to everybody."""

    def _fail(self, *_: object) -> Any:
        raise StoreError("It is locked; try again.")

    start_session = session_user = end_session = _fail


@pytest.mark.slow
def test_a_store_that_fails_is_one_sentence_and_holds_nobody(settings: Settings, users: Path) -> None:
    app = make_app(FakeBot(), settings.model_copy(update={"users": users}), BrokenStore())
    client = TestClient(app, base_url="http://localhost", follow_redirects=False)
    form = sign_in(client)
    assert form.status_code == 503 and "It is locked; try again." in form.text
    assert client.get("/config", auth=("anna", PASSWORD)).status_code == 200
    client.cookies.set("rag_session", "x" * 43)
    session = client.get("/config")
    assert (session.status_code, session.json()) == (503, {"error": "It is locked; try again."})
    assert client.post("/logout").status_code == 503
    for path in ("/health", "/ready", "/login"):
        assert client.get(path).status_code == 200


@pytest.mark.slow
def test_a_sign_in_that_waits_for_the_store_holds_neither_health_nor_other_users(
    settings: Settings, users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 20.0)
    about = threading.Event()

    def clock() -> float:
        about.set()  # A sign-in asks for the time just before it asks for the lock.
        return time.time()

    with Store(tmp_path / "page.sqlite", clock) as store:
        app = make_app(FakeBot(), settings.model_copy(update={"users": users}), store)  # type: ignore[arg-type]
        token = store.start_session("bert", 60)
        about.clear()
        with serving(app) as address, closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            answers: list[int] = []

            def come() -> None:
                form = {"username": "anna", "password": PASSWORD}
                answers.append(httpx.post(address + "/login", data=form, timeout=30).status_code)

            signing = threading.Thread(target=come, daemon=True)
            signing.start()
            assert about.wait(WAIT)
            for path in ("/health", "/ready", "/config"):
                assert httpx.get(address + path, cookies={"rag_session": token}, timeout=WAIT).status_code == 200
            assert answers == []
            other.execute("ROLLBACK")
            signing.join(WAIT)
            assert answers == [200]


@pytest.mark.slow
def test_gradio_client_signs_in_by_the_form(settings: Settings, users: Path) -> None:
    from gradio_client import Client

    with serving(make_app(FakeBot(), settings.model_copy(update={"users": users}))) as address:
        client = Client(address, auth=("anna", PASSWORD), verbose=False)
        assert client.predict(api_name="/whoami") == "user:anna"
        with pytest.raises(Exception, match="Invalid credentials"):
            Client(address, auth=("anna", "wrong"), verbose=False)


def by_proxy(settings: Settings, proxies: str = "127.0.0.1", **others: Any) -> Any:
    return make_app(FakeBot(), settings.model_copy(update={"user_header": "X-User", "proxies": proxies, **others}))


@pytest.mark.slow
def test_the_header_of_a_proxy_is_believed_from_the_proxy_alone(settings: Settings) -> None:
    with serving(by_proxy(settings)) as address:
        assert httpx.get(address + "/config", headers={"x-user": "anna"}).json()["username"] == "user:anna"
        nobody = httpx.get(address + "/")
        assert (nobody.status_code, nobody.json()) == (401, {"error": "Nobody is signed in; sign in at the proxy."})
        twice = httpx.get(address + "/config", headers=[("x-user", "anna"), ("x-user", "bert")])
        assert twice.status_code == 401
    with serving(by_proxy(settings, proxies="192.0.2.7")) as address:
        spoofed = {
            "x-user": "anna",
            "x-forwarded-for": "192.0.2.7",
            "forwarded": "for=192.0.2.7",
            "x-real-ip": "192.0.2.7",
        }
        assert httpx.get(address + "/config", headers=spoofed).status_code == 401


@pytest.mark.slow
def test_the_header_and_the_file_go_together(settings: Settings, users: Path) -> None:
    with serving(by_proxy(settings, users=users)) as address:
        assert httpx.get(address + "/config", headers={"x-user": "zoe"}).json()["username"] == "user:zoe"
        assert httpx.get(address + "/config", auth=("anna", PASSWORD)).json()["username"] == "user:anna"
        assert httpx.get(address + "/").headers["location"] == "/login"


@pytest.mark.slow
def test_behind_a_proxy_with_https_the_cookie_is_secure(settings: Settings) -> None:
    with serving(make_app(FakeBot(), settings)) as address:
        assert "Secure" in httpx.get(address, headers={"x-forwarded-proto": "https"}).headers["set-cookie"]
    with serving(make_app(FakeBot(), settings.model_copy(update={"proxies": ""}))) as address:
        assert "Secure" not in httpx.get(address, headers={"x-forwarded-proto": "https"}).headers["set-cookie"]


def test_wrong_proxies_are_one_sentence() -> None:
    with pytest.raises(
        SettingsError, match=r"^RAG_PROXIES names 'here', which is no address or network; correct it\.$"
    ):
        Proxies("127.0.0.1, here")


@pytest.mark.slow
@given(st.lists(st.ip_addresses(v=4).map(str), max_size=4), st.ip_addresses(v=4).map(str))
def test_the_address_is_the_last_that_is_no_proxy(forwarded: list[str], client: str) -> None:
    from starlette.requests import Request

    def request(peer: str) -> Request:
        header = ",".join([*forwarded, client, "10.0.0.9"]).encode()
        return Request({"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", header)]})

    proxies = Proxies("127.0.0.1, 10.0.0.0/8")
    assert proxies.address(Request({"type": "http", "client": ("2001:db8::1", 1), "headers": []})) == "2001:db8::/64"
    if client.startswith(("10.", "127.")):
        return
    assert proxies.address(request("127.0.0.1")) == client
    assert proxies.address(request("192.0.2.1")) == "192.0.2.1"
    assert proxies.trusts("::ffff:10.1.2.3") and not proxies.trusts("testclient")


def test_a_user_whose_session_is_over_can_sign_out(client: TestClient, store: MemoryStore) -> None:
    sign_in(client)
    store.users.clear()
    out = client.post("/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/login")


@pytest.mark.parametrize("cost", ["03", "32", "99"])
def test_a_cost_that_bcrypt_does_not_take_is_a_wrong_line(users: Path, cost: str) -> None:
    users.write_text(f"anna:{hashed(PASSWORD).replace('$04$', f'${cost}$')}\n")
    with pytest.raises(SettingsError, match="Line 1"):
        Users(users)


@pytest.mark.slow
def test_a_file_of_users_keeps_its_mode_and_leaves_nothing_when_it_cannot_be_replaced(
    users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.chmod(0o640)
    add_user(users, "carla", "eight888")
    assert stat.S_IMODE(users.stat().st_mode) == 0o640

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(users_module.os, "replace", full)
    with pytest.raises(SettingsError, match="cannot be written"):
        add_user(users, "doris", "eight888")
    assert list(users.parent.iterdir()) == [users]
