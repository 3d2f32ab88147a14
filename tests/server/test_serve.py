"""Requests that are sent by half, answers that nobody takes, and too many connections, over sockets of loopback."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fakes import HIT, WAIT, Event, FakeBot, answered
from serving import make_app, serving

from rag.server import serve
from rag.settings import Settings

SHORT = 0.5
HALVES = {
    "nothing": b"",
    "headers": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
    "body": b"POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{",
    "login": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\nuser",
    "upload": b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: 2000\r\n\r\n--b\r\n",
    "burst": b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: 200000\r\n\r\n--b\r\nContent-Disposition: form-data; name=files; filename=a\r\n\r\n"
    + b"x"
    * 100_000,
    "second": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /mcp HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 9\r\n\r\n{",
    "unread": b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
}


@pytest.fixture
def open_socket() -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def connect(address: str) -> socket.socket:
            where = ("127.0.0.1", int(address.rpartition(":")[2]))
            return stack.enter_context(socket.create_connection(where, timeout=WAIT))

        yield connect


def until_closed(connection: socket.socket) -> bytes:
    """What is received up to the end. Raises TimeoutError where the connection stays."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_a_request_that_is_sent_by_half_is_closed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, open_socket: Any, half: str
) -> None:
    monkeypatch.setattr(serve, "REQUEST_SECONDS", SHORT)
    with serving(make_app(FakeBot(), settings)) as address:
        connection = open_socket(address)
        connection.sendall(HALVES[half])
        received = until_closed(connection)
        statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
        assert statuses == {"nothing": [], "second": [b"200", b"408"], "unread": [b"404"]}.get(half, [b"408"])


@pytest.mark.slow
def test_two_hundred_that_are_sent_by_half_stop_nobody_and_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, open_socket: Any
) -> None:
    monkeypatch.setattr(serve, "REQUEST_SECONDS", 2 * SHORT)
    with serving(make_app(FakeBot(), settings)) as address:
        halves = []
        for number in range(200):
            halves.append(open_socket(address))
            halves[-1].sendall(HALVES["body" if number % 2 else "headers"])
        assert httpx.post(address + "/api/ask", json={"question": "Q"}, timeout=WAIT).json()["text"] == "Said Q"
        assert sum(b"408" in until_closed(connection) for connection in halves) > 100  # And the others are closed.


@pytest.mark.slow
def test_where_there_are_too_many_those_that_owe_a_request_make_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, open_socket: Any
) -> None:
    monkeypatch.setattr("rag.server.serve.CONNECTIONS", 20)
    with serving(make_app(FakeBot(), settings)) as address:
        halves = [open_socket(address) for _ in range(60)]
        for connection in halves:
            with contextlib.suppress(OSError):  # Some have had to go already.
                connection.sendall(HALVES["headers"])
        for number in range(5):
            response = httpx.post(address + "/api/ask", json={"question": str(number)}, timeout=WAIT)
            assert response.json()["text"] == f"Said {number}"
        closed, _, _ = select.select(halves, [], [], WAIT)
        assert len(closed) >= 40 and all(until_closed(connection) == b"" for connection in closed)


@pytest.mark.slow
def test_where_all_are_being_answered_one_more_is_told_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.server.serve.CONNECTIONS", 2)
    gate = threading.Event()

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        assert gate.wait(WAIT)
        yield answered(question)

    with serving(make_app(FakeBot(script), settings)) as address, httpx.Client(timeout=WAIT) as client:
        with client.stream("POST", address + "/api/ask?stream=1", json={"question": "1"}) as first:
            lines = first.iter_lines()
            assert next(lines) == "event: hits"
            refused = httpx.get(address + "/health", timeout=WAIT)
            gate.set()
            assert "event: answer" in list(lines)
        assert (refused.status_code, refused.text) == (503, "Service Unavailable")


@pytest.mark.slow
def test_neither_a_long_answer_nor_a_slow_upload_is_cut(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, open_socket: Any
) -> None:
    monkeypatch.setattr(serve, "REQUEST_SECONDS", SHORT)
    content = (
        b"--b\r\nContent-Disposition: form-data; name=files; filename=a.txt\r\n\r\n" + b"x" * 3000 + b"\r\n--b--\r\n"
    )
    head = HALVES["upload"].partition(b"Content-Length")[0] + b"Content-Length: %d\r\n\r\n" % len(content)

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        time.sleep(3 * SHORT)  # The pace of a model.
        yield answered(question)

    with serving(make_app(FakeBot(script), settings)) as address:
        upload = open_socket(address)
        upload.sendall(head)
        for first in range(0, len(content), 400):  # Four times the slowest rate.
            upload.sendall(content[first : first + 400])
            time.sleep(0.1)
        assert upload.recv(15) == b"HTTP/1.1 200 OK"
        assert "event: answer" in httpx.post(address + "/api/ask?stream=1", json={"question": "Q"}, timeout=WAIT).text


@pytest.mark.slow
def test_who_takes_nothing_of_an_answer_is_closed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, open_socket: Any
) -> None:
    monkeypatch.setattr(serve, "STALLED", SHORT)

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        for _ in range(1000):
            yield "x" * 50_000

    bot = FakeBot(script)
    with serving(make_app(bot, settings)) as address:
        body = b'{"question": "Q"}'
        head = HALVES["body"].replace(b"20", b"%d" % len(body)).replace(b"/api/ask", b"/api/ask?stream=1")
        open_socket(address).sendall(head[:-1] + body)
        assert bot.closed.wait(WAIT)
