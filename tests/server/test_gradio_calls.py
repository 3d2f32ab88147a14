"""Calls of the page's events as a client sends them that is no page: nothing breaks, nothing is printed or read."""

import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import WAIT, FakeBot
from fastapi.testclient import TestClient
from serving import MemoryStore, logged, make_app, make_blocks, make_page, serving

from rag import bounds
from rag.page.handlers import LONG
from rag.server import gradio_calls
from rag.server.app import build_app
from rag.server.service import Service
from rag.settings import Settings

SECRET = "Who stole the Zanzibar ledger?"
IDENTITY = 4
"""The place of the conversation's identity among the values of the page's events."""
FORGED = f'{SECRET}\n{{"level": "info", "message": "forged"}}'


class Page:
    """A client that calls the page's events."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        client.get("/")
        config = client.get("/config").json()
        self.events, self.components = config["dependencies"], config["components"]

    def number(self, component: str, event: str) -> int:
        """The event of the component with this id, the first that takes values."""
        (identity,) = (one["id"] for one in self.components if one["props"].get("elem_id") == component)
        return next(one["id"] for one in self.events if [identity, event] in one["targets"] and one["inputs"])

    def complain(self) -> int:
        """The event that takes what is bad about an answer: the conversation, the turn, a choice, two texts."""
        return next(one["id"] for one in self.events if len(one["inputs"]) == len(one["outputs"]) == 5)

    def join(self, number: Any, data: Any, **more: Any) -> httpx.Response:
        body = {"fn_index": number, "session_hash": "s", "trigger_id": None, "data": data, **more}
        kind = {"content-type": "application/json"}
        return self.client.post("/gradio_api/queue/join", content=json.dumps(body), headers=kind)

    def call(self, number: int, data: Any, **more: Any) -> list[dict[str, Any]]:
        """The messages that an event sends until it ends."""
        joined = self.join(number, data, **more)
        assert joined.status_code == 200, joined.text
        text = self.client.get("/gradio_api/queue/data?session_hash=s").text
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


@pytest.fixture
def page(settings: Settings) -> Iterator[Page]:
    with serving(make_page(settings)) as address, httpx.Client(base_url=address, timeout=WAIT) as client:
        yield Page(client)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """The lines of the log, without the warnings that tests alone show."""
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    return [entry for entry in entries if entry["logger"] != "py.warnings"]


def last(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in reversed(messages) if one["msg"] == "process_completed")


def identity_of(messages: list[dict[str, Any]]) -> str:
    """The conversation that the values name."""
    return str(last(messages)["output"]["data"][IDENTITY])


@pytest.mark.slow
def test_an_event_as_no_page_sends_it_is_refused_and_leaves_no_trace(
    page: Page, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    ask = page.number("question", "submit")
    good: dict[str, Any] = {"fn_index": ask, "session_hash": "s", "trigger_id": 7, "data": [FORGED, "", None]}
    wrong: dict[str, list[Any]] = {
        "fn_index": [-1, 999, 10**400, "x", str(ask), 1.5, True, None, [], {}],
        "session_hash": [5, "", "x" * 65, "x" * 100_000, "../x", "a\nb", None, [], {}],
        "data": [{}, None, [], [FORGED], [FORGED] * 4, [1] * 10_000, [5, "", None], [FORGED, {"a": FORGED}, None]],
        "trigger_id": ["x", "7", 1.5, [], {}, True],
        "batched": [True],
        "simple_format": [FORGED],
        "event_id": [7, {"a": FORGED}],
    }
    with logged(settings) as log:
        for name, values in wrong.items():
            for value in values:
                for path in ("queue/join", "run/ask_1"):
                    response = page.client.post(f"/gradio_api/{path}", json=good | {name: value})
                    assert 400 <= response.status_code < 500, (path, name, value, response.text)
                    assert "Zanzibar" not in response.text
    assert lines(log) == [] and "Zanzibar" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_of_an_event_that_gradio_fails_at_the_log_has_a_line_without_what_was_sent(
    page: Page, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    with logged(settings) as log:
        assert last(page.call(page.complain(), ["c", 1, FORGED, "", ""]))["success"] is False
    (entry,) = lines(log)
    assert (entry["message"], entry["error"]) == ("An event of the page failed.", "Error")
    assert "Zanzibar" not in log.getvalue() and "Zanzibar" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_no_event_reads_a_file_of_this_machine(page: Page, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("The key of the vault.")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    for event in page.events:
        for place in range(len(event["inputs"])):
            for value in (file, [file], [[file]], {"a": file}):
                data = [value if number == place else None for number in range(len(event["inputs"]))]
                if page.join(event["id"], data).status_code != 200:
                    continue
                told = html.unescape(page.client.get("/gradio_api/queue/data?session_hash=s").text)
                for found in re.findall(r"[\w/.-]+/secret\.txt", told):
                    assert "vault" not in page.client.get(f"/gradio_api/file={found}").text, (event["id"], place)
    assert secret.exists()


CLICKS: list[Any] = [
    FORGED, [FORGED], 5, True, {"action": 5}, {"action": FORGED}, {"action": "x" * 21}, {"action": "source", "turn": "1"},
    {"action": "source", "turn": 1.5}, {"action": "source", "turn": -1}, {"action": "source", "turn": 10**30},
    {"action": "open", "conversation": "../../x"}, {"action": "open", "conversation": {"a": FORGED}},
    {"action": "new", "title": "x" * (bounds.TITLE + 1)}, {"action": "remove", "conversation": "x" * 65},
    {"action": "rename", "title": [FORGED]}, {"action": "refresh", "turn": True}, {"action": "delete", "turn": 1},
    {"action": "new", "question": "x" * (bounds.TURN + 1)}, {"action": "new", "comment": "x" * (bounds.COMMENT + 1)},
]  # fmt: skip
"""What the page's script never sends."""
MESSAGES: list[Any] = [
    None, FORGED, [FORGED], 5, True, {}, {"index": 0}, {"value": FORGED},
    *(
        {"index": index, "value": {"a": FORGED}, "previous_value": [FORGED], "liked": [FORGED]}
        for index in (FORGED, -1, 10**30, [], [FORGED], {"a": FORGED}, None, 1.5)
    ),
]  # fmt: skip
"""What Gradio's conversation never says of a message."""


@pytest.mark.slow
def test_clicks_that_the_page_never_sends_do_nothing(
    page: Page, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    ask, act = page.number("question", "submit"), page.number("script", "click")
    identity = identity_of(page.call(ask, ["one", "", None]))
    before = page.client.get(f"/conversations/{identity}.json").text
    assert '"one"' in before
    with logged(settings) as log:
        for sent in CLICKS:
            told = last(page.call(act, [identity], event_data=sent))
            assert told["success"] and all(value["__type__"] == "update" for value in told["output"]["data"]), sent
    assert lines(log) == []
    with logged(settings) as log:
        for event in ("retry", "edit", "option_select", "example_select", "like"):
            number = page.number("chat", event)
            data = [identity] if event == "like" else [identity, None]
            for sent in MESSAGES:
                told = last(page.call(number, data, event_data=sent))
                assert not told["success"] or all(one["__type__"] == "update" for one in told["output"]["data"]), sent
        for words in ([1, FORGED, "", ""], [FORGED, "wrong", "", ""], [1, "wrong", "x" * (bounds.COMMENT + 1), ""]):
            page.call(page.complain(), [identity, *words])
    assert page.client.get(f"/conversations/{identity}.json").text == before
    assert {entry["message"] for entry in lines(log)} == {"An event of the page failed."}
    assert "Zanzibar" not in log.getvalue() and "Zanzibar" not in "".join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize("identity", ["x" * 65, "../../etc", "a b", "<b>", "a\nb", "\0", "x" * 500_000])
def test_an_identity_that_cannot_be_one_is_replaced(page: Page, identity: str) -> None:
    messages = page.call(page.number("question", "submit"), ["one", identity, None])
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", identity_of(messages)) and "Said one" in str(last(messages))


@pytest.mark.slow
def test_a_question_that_is_too_long_is_said_to_be_and_becomes_no_turn(page: Page) -> None:
    for question in ("x" * (bounds.QUESTION + 1), "[INST]" * 100_000):
        messages = page.call(page.number("question", "submit"), [question, "c", None])
        assert [one["log"] for one in messages if one["msg"] == "log"] == [LONG]
        assert all(value["__type__"] == "update" for value in last(messages)["output"]["data"])
    assert page.client.get("/conversations/c.json").status_code == 404
    whole = page.call(page.number("question", "submit"), ["x" * bounds.QUESTION, "c", None])
    assert "Said x" in str(whole)


@pytest.mark.slow
def test_half_a_sign_breaks_no_stream(page: Page, settings: Settings) -> None:
    with logged(settings) as log:
        for event in page.events:
            for text in ("\ud800", ["\udfff"]):
                if event["backend_fn"] and page.join(event["id"], [text] * len(event["inputs"])).status_code == 200:
                    assert "process_completed" in page.client.get("/gradio_api/queue/data?session_hash=s").text
    assert [entry for entry in lines(log) if entry["message"] == "A request failed."] == []


@pytest.mark.slow
def test_streams_of_one_visitor_are_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_calls, "STREAMS", 2)
    with serving(make_app(FakeBot(), settings)) as address, httpx.Client(base_url=address, timeout=WAIT) as client:
        client.get("/")
        with client.stream("GET", "/gradio_api/heartbeat/a"), client.stream("GET", "/gradio_api/heartbeat/b"):
            assert client.get("/gradio_api/heartbeat/c").status_code == 429


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["STREAMS", "SESSIONS"])
def test_what_is_kept_of_sessions_is_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(gradio_calls, bound, 3)
    service = Service(FakeBot(), settings)
    blocks = make_blocks(service)
    with TestClient(build_app(service, MemoryStore(), blocks, settings), base_url="http://localhost") as client:
        client.get("/")
        number = next(one["id"] for one in client.get("/config").json()["dependencies"] if one["api_name"] == "whoami")
        for session in "abcade":
            body = {"fn_index": number, "session_hash": session, "data": []}
            assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        assert [session for session in "abcde" if session in blocks.state_holder] == ["a", "d", "e"]


def test_a_stream_that_would_never_say_anything_is_not_opened(settings: Settings) -> None:
    client = TestClient(make_app(FakeBot(), settings), base_url="http://localhost")
    assert client.get("/mcp", headers={"accept": "text/event-stream"}).status_code == 405
