"""The application: which requests pass, whose is what, and what every response carries."""

import json
import logging
import socket
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from fakes import WAIT, FakeBot
from fastapi.testclient import TestClient
from serving import MemoryStore, make_app, make_blocks, serving
from starlette.routing import Route

from rag.errors import ModelError, SettingsError
from rag.server.app import build_app
from rag.server.middleware import OTHER_BODIES
from rag.server.serve import listen
from rag.server.service import Service
from rag.server.uploads import MB
from rag.settings import Settings

LOCAL = "http://localhost"
FILE = {"_type": "gradio.FileData"}


@pytest.fixture
def client(settings: Settings) -> TestClient:
    return TestClient(make_app(FakeBot(), settings), base_url=LOCAL)


def join(client: TestClient, session: str, name: str = "whoami", data: Any = (), **more: Any) -> httpx.Response:
    functions = client.get("/config").json()["dependencies"]
    number = next(one["id"] for one in functions if one["api_name"] == name)
    body = {"fn_index": number, "session_hash": session, "data": list(data), **more}
    return client.post("/gradio_api/queue/join", json=body)


def visitor(app: Any) -> TestClient:
    """A browser of its own."""
    client = TestClient(app, base_url=LOCAL)
    client.get("/")
    return client


@pytest.mark.slow
def test_only_the_names_it_is_served_under_are_answered(settings: Settings) -> None:
    app = make_app(FakeBot(), settings.model_copy(update={"host": "box.example", "hosts": "chat.example, a.example"}))
    for name in ("127.0.0.1:7860", "localhost", "[::1]:7860", "box.example", "chat.example", "a.example:81"):
        assert TestClient(app, base_url=f"http://{name}").get("/").status_code == 200, name
    for name in ("evil", "chat.example.evil", "example"):
        assert TestClient(app, base_url=f"http://{name}").get("/").status_code == 400, name


@pytest.mark.slow
def test_every_response_carries_the_headers(client: TestClient) -> None:
    for response in (client.get("/"), client.get("/nowhere"), client.get("/theme.css"), client.post("/api/ask"),
                     client.post("/login"), client.get("/", headers={"host": "evil"})):  # fmt: skip
        headers = response.headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        for part in ("form-action 'none'", "object-src 'none'", "frame-ancestors 'self'", "base-uri 'self'"):
            assert part in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["referrer-policy"] == "no-referrer" and headers["cross-origin-opener-policy"] == "same-origin"
        assert (
            "camera=()" in headers["permissions-policy"] and "clipboard-write=(self)" in headers["permissions-policy"]
        )
        assert headers["cache-control"] == "no-store" and len(headers["x-request-id"]) == 32
        assert "access-control-allow-origin" not in headers and "server" not in headers


@pytest.mark.slow
def test_a_request_keeps_a_good_id_and_gets_one_for_a_bad_one(client: TestClient) -> None:
    assert client.get("/health", headers={"x-request-id": "my-1"}).headers["x-request-id"] == "my-1"
    assert client.get("/health", headers={"x-request-id": "<b>"}).headers["x-request-id"] != "<b>"


CLOSED = [
    "/docs", "/redoc", "/openapi.json", "/gradio_api/openapi.json", "/gradio_api/deep_link?session_hash=s", "/monitoring",
    "/monitoring/summary", "/monitoring/x", "/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/file=http://127.0.0.1:1/",
    "/gradio_api/file=https://example.org/x", "/gradio_api/file/etc/passwd", "/file=/etc/passwd", "/file/etc/passwd",
    "/gradio_api/token", "/gradio_api/user", "/gradio_api/login_check", "/gradio_api/dev/reload", "/gradio_api/runs",
    "/gradio_api/custom_component/x/client/y/z.js", "/gradio_api/stream/a/1/1/playlist.m3u8", "/gradio_api/queue/status",
    "/gradio_api/vibe-code", "/gradio_api/call/ask/1", "/gradio_api/profiling/traces", "/gradio_api/mcp/sse", "/logout",
    "/pwa_icon", "/svelte/x.js", "/gradio_api/startup-events", "/static/../x", "/assets/..%2f..%2fx", "/api/ask",
]  # fmt: skip
CLOSED_POSTS = [
    "/", "/gradio_api/component_server", "/gradio_api/component_server/", "/gradio_api/process_recording",
    "/gradio_api/vibe-edit", "/gradio_api/api/ask", "/gradio_api/call/ask", "/gradio_api/call/v2/ask",
    "/gradio_api/stream/x", "/gradio_api/run-history/connect", "/gradio_api/undo-vibe-edit",
]  # fmt: skip


@pytest.mark.slow
def test_nothing_is_open_that_need_not_be(client: TestClient) -> None:
    found = {path: client.get(path).status_code for path in CLOSED}
    found |= {path: client.post(path, json={}).status_code for path in CLOSED_POSTS}
    assert {path: status for path, status in found.items() if status != 404} == {}
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        assert client.request(method, "/").status_code == 404


def test_every_route_of_gradio_is_known(client: TestClient) -> None:
    """A newer gradio that adds a path has to be looked at: what the filter lets through is all that is listed here."""
    mounted = next(route.app for route in client.app.routes if getattr(route, "path", None) == "")  # type: ignore[attr-defined]
    from rag.server.middleware import _ALLOWED

    routers = [route.original_router for route in mounted.routes if hasattr(route, "original_router")]
    routes = [route for router in (mounted, *routers) for route in router.routes if hasattr(route, "path")]
    paths = {(method, route.path) for route in routes for method in route.methods}
    assert len(paths) > 60
    passing = {path for method, path in paths if method in _ALLOWED and _ALLOWED[method].fullmatch(path)}
    assert passing == {
        "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/login", "/assets/{path:path}",
        "/static/{path:path}", "/gradio_api/info", "/gradio_api/app_id", "/gradio_api/queue/data", "/gradio_api/queue/join",
        "/gradio_api/upload_progress", "/gradio_api/heartbeat/{session_hash}", "/gradio_api/file={path_or_url:path}",
        "/gradio_api/run/{api_name}", "/gradio_api/upload", "/gradio_api/cancel", "/gradio_api/reset",
    }  # fmt: skip


@pytest.mark.slow
def test_only_the_public_endpoint_is_listed_whatever_is_asked_for(client: TestClient) -> None:
    for query in ("", "?all_endpoints=true", "?serialize=False&all_endpoints=1"):
        listed = client.get("/gradio_api/info" + query).json()
        assert set(listed["named_endpoints"]) == {"/ask", "/whoami"} and listed["unnamed_endpoints"] == {}
    assert client.get("/config?deep_link=aaaaaaaa").json().get("deep_link_state") is None


@pytest.mark.slow
def test_another_site_changes_nothing(client: TestClient) -> None:
    for headers in (
        {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"}, {"origin": "http://localhost:3000"}, {"origin": "http://127.0.0.1"},
    ):  # fmt: skip
        for path in (
            "/api/ask",
            "/gradio_api/queue/join",
            "/gradio_api/upload",
            "/mcp",
            "/v1/chat/completions",
            "/logout",
            "/gradio_api/cancel",
        ):
            assert client.post(path, json={"question": "Q"}, headers=headers).status_code == 403, (headers, path)


def test_the_page_itself_may(settings: Settings) -> None:
    app = make_app(FakeBot(), settings.model_copy(update={"hosts": "chat.example"}))
    for host, origin in {"localhost": "http://localhost", "chat.example": "https://chat.example"}.items():
        headers = {"host": host, "origin": origin, "sec-fetch-site": "same-origin"}
        assert TestClient(app).post("/api/ask", json={"question": "Q"}, headers=headers).status_code == 200


@pytest.mark.slow
def test_large_bodies_are_refused_before_they_are_read(settings: Settings) -> None:
    with serving(make_app(FakeBot(), settings.model_copy(update={"upload_mb": 2}))) as address:
        port = int(address.rpartition(":")[2])
        for path, length in {"/api/ask": OTHER_BODIES + 1, "/gradio_api/upload": 3 * MB + 1, "/mcp": 10**12}.items():
            with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
                head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
                connection.sendall(head.encode())  # Not one byte of the body.
                assert connection.recv(100).startswith(b"HTTP/1.1 413 "), path
        chunked = httpx.post(address + "/api/ask", content=iter([b"{}"]))
        assert chunked.status_code == 411


@pytest.mark.slow
def test_uploads_of_the_allowed_size_pass_and_only_where_documents_may_be_added(settings: Settings) -> None:
    small, large = b"x" * MB, b"x" * (2 * MB + 1)
    with TestClient(make_app(FakeBot(), settings.model_copy(update={"upload_mb": 2})), base_url=LOCAL) as client:
        (path,) = client.post("/gradio_api/upload", files={"files": ("a.txt", small)}).json()
        assert client.get(f"/gradio_api/file={path}").content == small
        assert client.post("/gradio_api/upload", files={"files": ("a.txt", large)}).status_code == 413
        assert client.get("/gradio_api/file=/etc/passwd").status_code == 403
        assert client.get("/gradio_api/file=" + str(Path(__file__))).status_code == 403
        for named in ("http://127.0.0.1:1/x", "/etc/passwd", str(Path(path).parent)):
            assert "not uploaded" in join(client, "s", "lambda_1", [{"path": named, "meta": FILE}]).text
        assert join(client, "s", "lambda_1", [{"path": path, "meta": FILE}]).status_code == 200
    for changed in ({"add_documents": False}, {"host": "0.0.0.0"}):
        closed = TestClient(make_app(FakeBot(), settings.model_copy(update=changed)), base_url=LOCAL)
        assert closed.post("/gradio_api/upload", files={"files": ("a.txt", small)}).status_code == 404


@pytest.mark.slow
def test_a_guest_has_an_owner_from_the_first_request_on_and_keeps_it(settings: Settings) -> None:
    app = make_app(FakeBot(), settings)
    client = TestClient(app, base_url=LOCAL)
    first = client.get("/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Max-Age=31536000" in cookie and "Secure" not in cookie
    token = client.cookies["rag_owner"]
    assert len(bytes.fromhex(token)) == 16
    owner = client.get("/config").json()["username"]
    assert owner.startswith("guest:") and token not in owner
    assert f'"username":"{owner}"' in first.text.replace(": ", ":")
    assert "set-cookie" not in client.get("/").headers
    assert visitor(app).get("/config").json()["username"] != owner


@pytest.mark.slow
def test_a_cookie_that_is_none_of_ours_is_replaced(client: TestClient) -> None:
    for forged in ("", "x", "../../etc", "0" * 31, "G" * 32, '"' + "0" * 32):
        client.cookies.clear()
        response = client.get("/", headers={"cookie": f"rag_owner={forged}"})
        assert response.status_code == 200 and response.headers["set-cookie"].startswith("rag_owner="), forged


@pytest.mark.slow
def test_the_handlers_of_the_page_see_the_owner(settings: Settings) -> None:
    with serving(make_app(FakeBot(), settings)) as address, httpx.Client(base_url=address, timeout=WAIT) as client:
        client.get("/")
        owner = client.get("/config").json()["username"]
        assert join(client, "mine").status_code == 200
        events = client.get("/gradio_api/queue/data?session_hash=mine").text
        last = [json.loads(line[6:]) for line in events.splitlines() if "process_completed" in line][-1]
        assert last["output"]["data"] == [owner]


@pytest.mark.slow
def test_nobody_reads_ends_or_joins_the_session_of_another(settings: Settings) -> None:
    app = make_app(FakeBot(), settings)
    with TestClient(app, base_url=LOCAL) as mine:
        mine.get("/")
        other = visitor(app)
        assert join(mine, "mine").status_code == 200
        for response in (
            other.get("/gradio_api/queue/data?session_hash=mine"), other.get("/gradio_api/heartbeat/mine"),
            join(other, "mine"), join(other, ""), join(other, "../x"), join(other, "x" * 65),
            other.post("/gradio_api/cancel", json={"session_hash": "mine", "fn_index": 0, "event_id": "x"}),
            other.post("/gradio_api/run/whoami", json={"session_hash": "mine", "fn_index": 1, "data": []}),
            other.get("/gradio_api/queue/data?session_hash=mine&session_hash="), other.get("/gradio_api/queue/data"),
            other.post("/gradio_api/queue/join", json={"fn_index": 1, "data": []}),
        ):  # fmt: skip
            assert response.status_code == 403, response.text


@pytest.mark.slow
def test_without_its_queue_nothing_is_to_be_had_that_has_one(client: TestClient) -> None:
    functions = client.get("/config").json()["dependencies"]
    ask = next(one["id"] for one in functions if one["api_name"] == "ask")
    body = {"fn_index": ask, "session_hash": "s", "data": ["Q", None, None]}
    assert client.post("/gradio_api/run/ask", json=body).status_code == 404


@pytest.mark.slow
def test_health_is_always_and_ready_only_when_the_model_answers(settings: Settings) -> None:
    bot = FakeBot()
    bot.fault = ModelError("The model is down; start it.")
    client = TestClient(make_app(bot, settings), base_url=LOCAL)
    assert client.get("/health").status_code == 200
    response = client.get("/ready")
    assert (response.status_code, response.json()) == (503, {"error": "The model is down; start it."})
    ready = TestClient(make_app(FakeBot(), settings), base_url=LOCAL).get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "Questions can be asked."})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "metrics", "status"),
    [("127.0.0.1", None, 200), ("127.0.0.1", False, 404), ("0.0.0.0", None, 404), ("0.0.0.0", True, 200)],
)
def test_figures_are_shown_on_this_machine_or_where_it_is_said(
    settings: Settings, host: str, metrics: bool | None, status: int
) -> None:
    app = make_app(FakeBot(), settings.model_copy(update={"host": host, "metrics": metrics}))
    client = TestClient(app, base_url=LOCAL)
    client.post("/api/ask", json={"question": "Zanzibar"})
    response = client.get("/metrics")
    assert response.status_code == status and "Zanzibar" not in response.text
    assert ('rag_questions_total{channel="http",outcome="answered"} 1.0' in response.text) == (status == 200)


def test_an_exception_nobody_caught_is_a_sentence_with_the_id_that_the_log_has(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> Any:
        raise KeyError("x")

    service = Service(FakeBot(), settings)
    app = build_app(
        service, MemoryStore(), make_blocks(service), settings, routes=[Route("/conversations/x.md", broken)]
    )
    with caplog.at_level(logging.ERROR, "rag.server.middleware"):
        response = TestClient(app, base_url=LOCAL).get("/conversations/x.md", headers={"x-request-id": "r-7"})
    assert response.status_code == 500 and response.json()["error"].endswith("under the request's id r-7.")
    assert "content-security-policy" in response.headers
    assert caplog.records[0].fields == {"request_id": "r-7", "path": "/conversations/x.md"}  # type: ignore[attr-defined]


def test_the_look_goes_to_the_page(settings: Settings) -> None:
    service = Service(FakeBot(), settings)
    blocks = gr.Blocks(analytics_enabled=False)
    app = build_app(service, MemoryStore(), blocks, settings, css="#zebra { color: red; }")
    assert "zebra" in TestClient(app, base_url=LOCAL).get("/").text


def test_wrong_users_and_proxies_end_the_start(settings: Settings, tmp_path: Path) -> None:
    for changed in ({"users": tmp_path / "none"}, {"proxies": "x"}):
        with pytest.raises(SettingsError):
            make_app(FakeBot(), settings.model_copy(update=changed))


def test_a_taken_port_is_one_sentence(settings: Settings) -> None:
    with listen(settings.model_copy(update={"port": 0})) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port} .*RAG_PORT"):
            listen(settings.model_copy(update={"port": port}))


@pytest.mark.slow
def test_the_server_says_where_it_is(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(make_app(FakeBot(), settings)) as address:
        assert httpx.get(address, timeout=WAIT).status_code == 200
    assert capsys.readouterr().out == f"Open {address} in a browser.\n"


@pytest.mark.slow
def test_an_odd_path_is_not_found(settings: Settings) -> None:
    long = "a" * 300
    paths = [
        f"/static/{long}", f"/assets/{long}", "/static/" + "a/" * 3000, "/static/%00", "/assets/x%00y", "/static/%0d%0aX",
        "/static/%ff%fe", "/static/%C0%AF..", "/assets/%2e", "/static/img", f"/gradio_api/file={long}",
        "/gradio_api/file=%00", "/gradio_api/file=.", "/gradio_api/file=~", "/gradio_api/file=" + "é" * 600,
        "/conversations/%00.md", f"/conversations/{long}.md", "/conversations/..%2f.md", "/gradio_api/run/%00",
    ]  # fmt: skip
    with serving(make_app(FakeBot(), settings)) as address, httpx.Client(base_url=address, timeout=WAIT) as client:
        for path in paths:
            for method in ("GET", "HEAD", "POST"):
                assert client.request(method, path).status_code in (403, 404, 405), (method, path[:80])


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://[::1"}, {"origin": "//["}, {"host": "localhost:x"}, {"host": "[::1"}, {"content-length": "9" * 5000},
     {"content-type": "multipart/form-data; boundary=b; charset=undefined"}, {"content-type": "text/x; charset*=utf-7''x"},
     {"content-type": 'multipart/form-data; boundary=b; charset="utf-8"; charset=idna'}, {"content-length": "\xb2"}],
)  # fmt: skip
def test_odd_headers_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    for path in ("/api/ask", "/gradio_api/upload", "/login", "/mcp", "/v1/chat/completions"):
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        response = client.post(path, content=b"--b--", headers=raw)  # type: ignore[arg-type]
        assert 400 <= response.status_code < 500, path


def test_a_part_of_a_file_is_not_given(client: TestClient) -> None:
    """Gradio fails at a range that is none."""
    for sent in ("bytes=0-0-0", "bytes=5-1", "bytes=99-100", "bytes=0-1", "bytes=" + "0-0," * 2000):
        assert client.get("/static/img/logo.svg", headers={"range": sent}).status_code == 200
