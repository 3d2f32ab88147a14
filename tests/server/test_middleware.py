"""JSON that is too deep, too much or none, at every path that takes a body."""

import json
import time
from collections.abc import Iterator

import pytest
from fakes import FakeBot
from fastapi.testclient import TestClient
from serving import make_app, make_page

from rag.server.middleware import DEEPEST, VALUES
from rag.settings import Settings

POSTS = (
    "/api/ask", "/mcp", "/login", "/logout", "/gradio_api/queue/join", "/gradio_api/run/ask", "/gradio_api/run/stop",
    "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/upload", "/v1/chat/completions",
)  # fmt: skip
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
CALL = b'{"session_hash": "s", "fn_index": 12, "event_id": "x", "trigger_id": null, "data": %s, "event_data": %s}'
ODD = (
    b'{"event_id": NaN}', b'{"event_id": 1e999}', b'{"event_id": %s}' % (b"9" * 5000), b'{"event_id": 5, "x": "\\ud800"}',
    b"\xff\xfe", b"null", b'"x"', b"", b"\x00", b'{"a":' * 30,
)  # fmt: skip


def lists(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def deep(levels: int) -> list[bytes]:
    """JSON of so many levels: lists, objects, among the values of an event, as its data; and lists without their end."""
    objects = b'{"question":' * levels + b"1" + b"}" * levels
    call = CALL % (lists(levels), b"null"), CALL % (b'["Q", "", null]', lists(levels))
    return [lists(levels), objects[:1_000_000], *call, b"[" * levels]


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(make_page(settings), base_url="http://localhost") as client:
        client.get("/")
        yield client


@pytest.mark.slow
def test_deep_json_is_refused_by_every_path(client: TestClient) -> None:
    for path in POSTS:
        for body in (*deep(400), *deep(100_000)):
            response = client.post(path, content=body, headers=ACCEPT)
            assert 400 <= response.status_code < 500 and len(response.content) < 5000, (path, body[:80], response.text)


@pytest.mark.slow
def test_odd_json_is_refused_by_every_path(client: TestClient) -> None:
    for path in POSTS:
        for body in ODD:
            assert 400 <= client.post(path, content=body, headers=ACCEPT).status_code < 500, (path, body)


def test_the_bound_of_levels_is_exact_and_far_beyond_what_a_question_has(settings: Settings) -> None:
    client = TestClient(make_app(FakeBot(), settings), base_url="http://localhost")
    for levels, sentence in {DEEPEST: "wrong at the body", DEEPEST + 1: "more than 20 levels"}.items():
        assert sentence in client.post("/api/ask", content=lists(levels), headers=ACCEPT).json()["error"]
    body = {"question": "Q", "history": [["[" * 1000, "]" * 1000]]}
    assert client.post("/api/ask", json=body).status_code == 200


@pytest.mark.slow
def test_json_of_too_many_values_is_refused_at_once(settings: Settings) -> None:
    client = TestClient(make_app(FakeBot(), settings), base_url="http://localhost")
    keys = json.dumps(dict.fromkeys(map(str, range(80_000)), 1)).encode()
    for body in (b"[" + b"[]," * (VALUES // 2) + b"[]]", keys, b"{" * 200_000):
        began = time.perf_counter()
        assert client.post("/api/ask", content=body, headers=ACCEPT).status_code == 400
        assert time.perf_counter() - began < 0.3  # It was a second for a body of this size.


def test_halves_of_signs_are_replaced_and_whole_ones_stay(settings: Settings) -> None:
    bot = FakeBot()
    client = TestClient(make_app(bot, settings), base_url="http://localhost")
    body = b'{"question": "\\ud800 \\ud83d\\ude00 \\\\ud800 \\uDC00"}'
    assert client.post("/api/ask", content=body, headers=ACCEPT).status_code == 200
    assert bot.asked[0][0] == "\ufffd \U0001f600 \\ud800 \ufffd"
