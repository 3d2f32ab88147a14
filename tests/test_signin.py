"""Signing in: the file of users, the form, sessions, names and passwords with each request, a proxy's header."""

import base64
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from asking import FakeBot, MemoryStore, make_app, serving
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SettingsError
from rag.page.owner import Proxies
from rag.page.signin import TRIES, Users, add_user
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


@pytest.fixture
def client(settings: Settings, users: Path, store: MemoryStore) -> TestClient:
    app = make_app(FakeBot(), settings.model_copy(update={"users": users}), store)
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


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


@pytest.mark.parametrize("line", ["anna", "anna:secret", "anna:$2y$04$short", ":" + hashed("x"), "bert:" + hashed("x")])
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


def test_a_user_is_added_and_gets_a_new_password_and_the_others_stay(users: Path) -> None:
    before = users.read_text().splitlines()
    add_user(users, "carla", "eight888")
    add_user(users, "anna", "a new password")
    read = Users(users)
    assert read.admits("carla", "eight888") and read.admits("anna", "a new password")
    assert [line for line in before if not line.startswith("anna")] == users.read_text().splitlines()[:3]
    assert users.stat().st_mode & 0o077 == 0
    assert [path.name for path in users.parent.iterdir() if path.name != "users"] == []


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


def test_nobody_comes_in_without_signing_in(client: TestClient) -> None:
    assert client.get("/").headers["location"] == "/login"
    for method, path in (
        ("GET", "/config"), ("GET", "/theme.css"), ("GET", "/gradio_api/info"), ("POST", "/gradio_api/queue/join"),
        ("GET", "/gradio_api/queue/data?session_hash=x"), ("POST", "/gradio_api/upload"), ("GET", "/gradio_api/file=/x"),
        ("POST", "/api/ask"), ("GET", "/api/schema"), ("POST", "/mcp"), ("POST", "/logout"),
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


def test_passwords_cannot_be_tried_without_end(client: TestClient) -> None:
    assert [sign_in(client, password=f"wrong {number}").status_code for number in range(TRIES)] == [401] * TRIES
    refused = sign_in(client)
    assert refused.status_code == 429 and 0 < int(refused.headers["retry-after"]) <= 60
    assert "10 wrong passwords within 60 seconds are allowed" in refused.text
    basic = client.post("/api/ask", json={"question": "Q"}, auth=("bert", "another one"))
    assert basic.status_code == 429 and "retry-after" in basic.headers


def test_right_passwords_do_not_count_as_tries(client: TestClient) -> None:
    assert {sign_in(client).status_code for _ in range(TRIES + 2)} == {303}


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


@pytest.mark.parametrize("header", ["Basic", "Basic %%%", "Basic " + base64.b64encode(b"\xff:x").decode(), "Bearer x"])
def test_other_authorisation_is_none(client: TestClient, header: str) -> None:
    assert client.post("/api/ask", json={"question": "Q"}, headers={"authorization": header}).status_code == 401


def test_a_user_taken_from_the_file_is_out_at_once(client: TestClient, users: Path) -> None:
    sign_in(client)
    assert client.get("/config").status_code == 200
    users.write_text(f"bert:{hashed('another one')}\n")
    assert client.get("/config").status_code == 401


def test_gradio_client_signs_in_by_the_form(settings: Settings, users: Path) -> None:
    from gradio_client import Client

    with serving(make_app(FakeBot(), settings.model_copy(update={"users": users}))) as address:
        client = Client(address, auth=("anna", PASSWORD), verbose=False)
        assert client.predict(api_name="/whoami") == "user:anna"
        with pytest.raises(Exception, match="Invalid credentials"):
            Client(address, auth=("anna", "wrong"), verbose=False)


def by_proxy(settings: Settings, proxies: str = "127.0.0.1", **others: Any) -> Any:
    return make_app(FakeBot(), settings.model_copy(update={"user_header": "X-User", "proxies": proxies, **others}))


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


def test_the_header_and_the_file_go_together(settings: Settings, users: Path) -> None:
    with serving(by_proxy(settings, users=users)) as address:
        assert httpx.get(address + "/config", headers={"x-user": "zoe"}).json()["username"] == "user:zoe"
        assert httpx.get(address + "/config", auth=("anna", PASSWORD)).json()["username"] == "user:anna"
        assert httpx.get(address + "/").headers["location"] == "/login"


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


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=4), st.ip_addresses(v=4).map(str))
def test_the_address_is_the_last_that_is_no_proxy(forwarded: list[str], client: str) -> None:
    from starlette.requests import Request

    def request(peer: str) -> Request:
        header = ",".join([*forwarded, client, "10.0.0.9"]).encode()
        return Request({"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", header)]})

    proxies = Proxies("127.0.0.1, 10.0.0.0/8")
    if client.startswith(("10.", "127.")):
        return
    assert proxies.address(request("127.0.0.1")) == client
    assert proxies.address(request("192.0.2.1")) == "192.0.2.1"
    assert proxies.trusts("::ffff:10.1.2.3") and not proxies.trusts("testclient")
