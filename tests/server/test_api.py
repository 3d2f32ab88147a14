"""What programs call, with real clients over loopback: httpx, gradio_client and an MCP client."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import gradio_client
import httpx
import pytest
from fakes import CITATION, HIT, WAIT, Event, FakeBot, answered
from fastapi.testclient import TestClient
from mcp import Client
from serving import logged, make_app, serving, sse

from rag import bounds
from rag.errors import DamagedError, ModelError, QuestionError, RagError, for_readers
from rag.settings import Settings
from rag.types import NEAREST, Evidence

USERS_AT_ONCE = 20
TOKENS = 8
TOKEN_SECONDS = 0.05


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


@pytest.fixture
def address(bot: FakeBot, settings: Settings) -> Iterator[str]:
    with serving(make_app(bot, settings)) as url:
        yield url


def local(bot: FakeBot, settings: Settings) -> TestClient:
    return TestClient(make_app(bot, settings), base_url="http://localhost")


def failing(error: Exception) -> FakeBot:
    def script(_: str) -> Iterator[Event]:
        yield from ()
        raise error

    return FakeBot(script)


@pytest.mark.slow
def test_the_answer_comes_whole(bot: FakeBot, address: str) -> None:
    body = {"question": "Q", "history": [["a", "b"]], "documents": ["d"]}
    response = httpx.post(address + "/api/ask", json=body, timeout=WAIT)
    assert response.json() == json.loads(json.dumps(asdict(answered("Said Q"))))
    assert bot.asked == [("Q", [("a", "b")], ["d"])]
    assert "set-cookie" not in response.headers


@pytest.mark.slow
@pytest.mark.parametrize("how", ["?stream=true", ""])
def test_the_answer_comes_as_events(address: str, how: str) -> None:
    accept = {} if how else {"accept": "text/event-stream"}
    with httpx.stream("POST", address + "/api/ask" + how, json={"question": "Q"}, headers=accept) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = list(sse(response.iter_lines()))
    assert [name for name, _ in events] == ["hits", "piece", "answer"]
    assert events[0][1][0]["passage"]["text"] == HIT.passage.text
    assert events[1][1] == {"text": "Said"} and events[2][1]["citations"][0]["number"] == 1


def test_evidence_and_the_reply_that_only_quotes_come_through(settings: Settings) -> None:
    client = local(FakeBot(FakeBot.quote), settings)
    events = list(sse(iter(client.post("/api/ask?stream=1", json={"question": "Q"}).text.splitlines())))
    assert [name for name, _ in events] == ["hits", "evidence", "piece", "answer"]
    cited = json.loads(json.dumps(asdict(CITATION)))
    assert events[1][1] == [cited] and events[3][1]["near"] == [cited]
    answer = client.post("/api/ask", json={"question": "Q"}).json()
    assert (answer["near"], answer["abstained"], answer["citations"]) == ([cited], True, [])
    assert answer["text"] == f"{NEAREST} “{CITATION.quote}”"


@pytest.mark.slow
def test_who_waits_is_told_its_place(settings: Settings) -> None:
    gate = threading.Event()

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        yield Evidence(())
        assert gate.wait(WAIT)
        yield answered(question)

    app = make_app(FakeBot(script), settings.model_copy(update={"at_once": 1}))
    with serving(app) as address, httpx.Client(timeout=WAIT) as client:
        url = address + "/api/ask?stream=1"
        with client.stream("POST", url, json={"question": "1"}) as first:
            assert next(sse(first.iter_lines()))[0] == "hits"
            with client.stream("POST", url, json={"question": "2"}) as second:
                events = sse(second.iter_lines())
                assert [next(events)[0] for _ in range(2)] == ["hits", "evidence"]
                assert next(events) == ("waiting", {"ahead": 1})
                gate.set()
                assert [name for name, _ in events] == ["answer"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(QuestionError("The question is empty; type one."), 400), (ModelError("It is down; start it."), 503),
     (DamagedError("The index in '/srv/index' is broken; build it."), 503)],
)  # fmt: skip
def test_errors_are_sentences_with_their_status(settings: Settings, error: RagError, status: int) -> None:
    client = local(failing(error), settings)
    for how in ("", "?stream=true"):
        response = client.post("/api/ask" + how, json={"question": "Q"})
        assert (response.status_code, response.json()) == (status, {"error": for_readers(error)})
        assert "/srv" not in response.text


def test_an_error_in_mid_stream_is_its_last_event(settings: Settings) -> None:
    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        yield "Half"
        raise ModelError("It broke; ask again.")

    text = local(FakeBot(script), settings).post("/api/ask?stream=true", json={"question": "Q"}).text
    assert list(sse(iter(text.splitlines())))[-1] == ("error", {"error": "It broke; ask again.", "status": 503})


@pytest.mark.slow
def test_too_often_and_too_many_say_when_to_ask_again(settings: Settings) -> None:
    client = local(FakeBot(), settings.model_copy(update={"per_minute": 1}))
    assert client.post("/api/ask", json={"question": "Q"}).status_code == 200
    client.get("/")
    client.cookies.clear()  # A fresh cookie is no way around.
    refused = client.post("/api/ask?stream=true", json={"question": "Q"}, headers={"cookie": "rag_owner=" + "0" * 32})
    assert refused.status_code == 429 and 50 < int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"].startswith("1 questions within 60 seconds are allowed")
    gate, begun = threading.Event(), threading.Event()

    def script(_: str) -> Iterator[Event]:
        begun.set()
        assert gate.wait(WAIT)
        yield answered("A")

    full = make_app(FakeBot(script), settings.model_copy(update={"at_once": 1, "queue": 0}))
    with serving(full) as address, ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, address + "/api/ask", json={"question": "1"}, timeout=WAIT)
        assert begun.wait(WAIT)
        second = httpx.post(address + "/api/ask", json={"question": "2"}, timeout=WAIT)
        gate.set()
        assert (second.status_code, second.headers["retry-after"], first.result().status_code) == (429, "60", 200)


@pytest.mark.slow
def test_what_is_no_question_is_refused_without_repeating_it(settings: Settings) -> None:
    client = local(bot := FakeBot(), settings)
    for body in (
        b"", b"no json", b"[]", b'"x"', b"null", b"{}", b'{"question": 1}', b'{"question": "Q", "more": 1}',
        b'{"question": "Q", "history": [["Zanzibar"]]}',
    ):  # fmt: skip
        response = client.post("/api/ask", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 422 and bot.asked == [], body
        assert response.json()["error"].startswith("The request is wrong at ") and "Zanzibar" not in response.text


TOO_MUCH: dict[str, dict[str, Any]] = {
    "question": {"question": "x" * (bounds.QUESTION + 1)},
    "history": {"question": "Q", "history": [["a", "b"]] * (bounds.TURNS + 1)},
    "history.0.0": {"question": "Q", "history": [["a" * (bounds.TURN + 1), "b"]]},
    "history.0.1": {"question": "Q", "history": [["a", "[INST]" * bounds.TURN]]},
    "documents": {"question": "Q", "documents": ["d"] * (bounds.CHOSEN + 1)},
    "documents.0": {"question": "Q", "documents": ["d" * (bounds.ID + 1)]},
}


@pytest.mark.slow
def test_every_channel_refuses_too_much_before_it_is_queued_or_counted(bot: FakeBot, settings: Settings) -> None:
    with serving(make_app(bot, settings.model_copy(update={"per_minute": 4}))) as address:
        client = gradio_client.Client(address, verbose=False)
        for place, body in TOO_MUCH.items():
            for how in ("", "?stream=true"):
                response = httpx.post(address + "/api/ask" + how, json=body, timeout=WAIT)
                assert response.status_code == 422
                assert response.json()["error"].startswith(f"The request is wrong at {place} (")
            result = mcp(address, body)[1]
            assert result.is_error and result.content[0].text.startswith(f"The request is wrong at {place} (")
            with pytest.raises(Exception, match=rf"^The request is wrong at {place} \("):
                client.predict(body["question"], body.get("history"), body.get("documents"), api_name="/ask")
        assert bot.asked == []
        most = {
            "question": "x" * bounds.QUESTION,
            "history": [["a" * bounds.TURN, "b"]] * 40,
            "documents": ["d"] * 1000,
        }
        assert httpx.post(address + "/api/ask", json=most, timeout=WAIT).status_code == 200
        assert mcp(address, most)[1].is_error is False
        assert client.predict(most["question"], most["history"], most["documents"], api_name="/ask")["text"]


@pytest.mark.slow
def test_the_schema_says_the_bounds(settings: Settings) -> None:
    schema = local(FakeBot(), settings).get("/api/schema").json()["components"]["schemas"]["Question"]["properties"]
    history, documents = schema["history"], schema["documents"]
    assert schema["question"]["maxLength"] == bounds.QUESTION
    assert (history["maxItems"], history["items"]["prefixItems"][1]["maxLength"]) == (bounds.TURNS, bounds.TURN)
    assert (documents["maxItems"], documents["items"]["maxLength"]) == (bounds.CHOSEN, bounds.ID)


@pytest.mark.slow
def test_a_sentence_repeats_little_of_what_was_sent(settings: Settings) -> None:
    body = {"question": "Q", "x" * 100_000: 1}
    assert len(local(FakeBot(), settings).post("/api/ask", json=body).text) < 300


@pytest.mark.slow
def test_no_channel_and_not_the_state_tells_where_the_model_runs(settings: Settings) -> None:
    error = ModelError("The model cannot be reached; ask again.", "'m' at http://10.0.0.7:8000/v1: APIConnectionError")

    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        raise error

    bot = failing(error)
    bot.fault = error
    with logged(settings) as log, serving(make_app(bot, settings)) as address:
        told = [httpx.post(address + "/api/ask", json={"question": "Q"}).text, httpx.get(address + "/ready").text]
        told += [str(mcp(address, {"question": "Q"})[1])]
        with pytest.raises(Exception, match="cannot be reached") as caught:
            gradio_client.Client(address, verbose=False).predict("Q", api_name="/ask")
        bot.script = script
        told += [str(caught.value), httpx.post(address + "/api/ask?stream=1", json={"question": "Q"}).text]
    assert all("The model cannot be reached; ask again." in text for text in told)
    assert "10.0.0.7" not in str(told) and "APIConnectionError" not in str(told)
    assert log.getvalue().count("10.0.0.7:8000/v1: APIConnectionError") == 5


@pytest.mark.slow
@pytest.mark.parametrize("door", ["/api/ask", "/mcp", "/gradio_api/queue/join", "/gradio_api/run/ask"])
@pytest.mark.parametrize("body", [b"\xbd", b'{"question": "caf\xe9"}', '{"question": "Q"}'.encode("utf-16")])
def test_bytes_that_are_no_text_are_refused_in_a_sentence(settings: Settings, door: str, body: bytes) -> None:
    response = local(bot := FakeBot(), settings).post(door, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()) == (400, {"error": "The request is not in UTF-8; send it so."})
    assert bot.asked == []


def test_a_call_of_the_page_that_is_refused_has_its_sentence_where_all_others_have_it(settings: Settings) -> None:
    response = local(FakeBot(), settings).post("/gradio_api/queue/join", content=b"[]")
    assert response.status_code == 422 and response.json()["error"] == "The request is no JSON object."


@pytest.mark.slow
def test_a_form_of_another_kind_is_no_question(settings: Settings) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        response = local(FakeBot(), settings).post(
            "/api/ask", content=b'{"question": "Q"}', headers={"content-type": kind}
        )
        assert response.status_code == 422


@pytest.mark.slow
def test_the_schema_describes_just_this(settings: Settings) -> None:
    schema = local(FakeBot(), settings).get("/api/schema").json()
    assert list(schema["paths"]) == ["/api/ask"]
    assert set(schema["paths"]["/api/ask"]["post"]["responses"]) == {"200", "400", "401", "413", "422", "429", "503"}
    parts = schema["components"]["schemas"]
    assert set(parts["Answer"]["properties"]) == set(asdict(answered("A")))
    assert set(parts["Question"]["properties"]) == {"question", "history", "documents"}
    assert set(parts["Problem"]["properties"]) == {"error"}


@pytest.mark.slow
def test_lone_surrogates_and_signs_of_all_kinds_come_through(settings: Settings) -> None:
    strange = "\ud800 \u202e <b> \u2028 \U0001f600 \0"
    client = local(FakeBot(lambda _: iter([[HIT], strange, replace(answered("A"), text=strange)])), settings)
    sent = strange.replace("\ud800", "\ufffd")
    assert client.post("/api/ask", json={"question": "Q"}).json()["text"] == sent
    events = list(sse(iter(client.post("/api/ask?stream=1", json={"question": "Q"}).text.split("\n"))))
    assert events[-1][1]["text"] == sent


def close_stream(address: str, begun: threading.Event) -> None:
    with httpx.stream("POST", address + "/api/ask?stream=true", json={"question": "Q"}) as response:
        assert next(sse(response.iter_lines()))[0] == "hits"


def close_request(address: str, begun: threading.Event) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address + "/api/ask", json={"question": "Q"}, timeout=0.2)


def close_tool(address: str, begun: threading.Event) -> None:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": "Q"}},
    }
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address + "/mcp", json=call, timeout=0.2, headers={"accept": "application/json, text/event-stream"})


def cancel_job(address: str, begun: threading.Event) -> None:
    job = gradio_client.Client(address, verbose=False).submit("Q", api_name="/ask")
    next(job)  # Until something came the client does not know the number of the call that it cancels.
    job.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("close", [close_stream, close_request, close_tool, cancel_job])
def test_who_goes_away_stops_the_model(settings: Settings, close: Callable[[str, threading.Event], None]) -> None:
    begun = threading.Event()

    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        for _ in range(2000):
            begun.set()
            yield "word "
            time.sleep(0.01)  # The pace of a model.

    bot = FakeBot(script)
    with serving(make_app(bot, settings)) as address:
        close(address, begun)
        assert begun.wait(WAIT) and bot.closed.wait(WAIT)
        until = time.monotonic() + WAIT
        while 'outcome="stopped"} 1.0' not in httpx.get(address + "/metrics").text:  # It is counted a moment later.
            assert time.monotonic() < until


@pytest.mark.slow
def test_gradio_client_asks(bot: FakeBot, address: str) -> None:
    client = gradio_client.Client(address, verbose=False)
    job = client.submit("Q", [["a", "b"]], ["d"], api_name="/ask")
    assert job.result(WAIT) == json.loads(json.dumps(asdict(answered("Said Q"))))
    assert job.outputs()[:-1] == [{"text": ""}, {"text": "Said"}]
    assert client.predict("R", api_name="/ask")["text"] == "Said R"
    assert bot.asked == [("Q", [("a", "b")], ["d"]), ("R", [], [])]


@pytest.mark.slow
def test_gradio_client_and_mcp_get_evidence_and_what_only_quotes(settings: Settings) -> None:
    cited = json.loads(json.dumps(asdict(CITATION)))
    with serving(make_app(FakeBot(FakeBot.quote), settings)) as address:
        job = gradio_client.Client(address, verbose=False).submit("Q", api_name="/ask")
        assert job.result(WAIT)["near"] == [cited]
        assert job.outputs()[:-1] == [{"text": ""}] + [{"text": text, "evidence": [cited]} for text in ("", "Anna")]
        (tool,), result = mcp(address, {"question": "Q"})
    assert result.structured_content["near"] == [cited] and "near" in tool.output_schema["properties"]


@pytest.mark.slow
def test_gradio_client_gets_the_sentence(settings: Settings) -> None:
    with serving(make_app(failing(ModelError("It is down; start it.")), settings)) as address:
        client = gradio_client.Client(address, verbose=False)
        with pytest.raises(Exception, match=r"^It is down; start it\.$"):
            client.predict("Q", api_name="/ask")
        with pytest.raises(Exception, match=r"^The request is wrong at history\.0"):
            client.predict("Q", [["a"]], api_name="/ask")


def mcp(address: str, arguments: dict[str, Any], **options: Any) -> Any:
    """The tools that an MCP client is told of, and what `ask` gives it."""

    async def call() -> Any:
        async with Client(address + "/mcp", read_timeout_seconds=WAIT, **options) as client:
            return (await client.list_tools()).tools, await client.call_tool("ask", arguments)

    return asyncio.run(call())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_assistant_asks_over_mcp(bot: FakeBot, address: str, mode: str) -> None:
    (tool,), result = mcp(address, {"question": "Q", "history": [["a", "b"]], "documents": ["d"]}, mode=mode)
    assert tool.name == "ask" and tool.annotations.read_only_hint
    assert set(tool.input_schema["properties"]) == {"question", "history", "documents"}
    assert "citations" in tool.output_schema["properties"]
    assert not result.is_error and result.structured_content == json.loads(json.dumps(asdict(answered("Said Q"))))
    assert json.loads(result.content[0].text) == result.structured_content
    assert bot.asked == [("Q", [("a", "b")], ["d"])]


@pytest.mark.slow
def test_an_assistant_gets_the_sentence(settings: Settings) -> None:
    with serving(make_app(failing(ModelError("It is down; start it.")), settings)) as address:
        _, result = mcp(address, {"question": "Q"})
        assert result.is_error and result.content[0].text == "It is down; start it."
        _, result = mcp(address, {"question": 1})
        assert result.is_error and result.content[0].text.startswith("The request is wrong at question")


@pytest.mark.slow
def test_mcp_is_not_for_other_sites_and_names(address: str) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream"}
    for headers, status in (({"origin": "http://evil"}, 403), ({"host": "evil"}, 400), ({}, 200)):
        assert httpx.post(address + "/mcp", json=call, headers=accept | headers).status_code == status


@pytest.mark.slow
def test_each_channel_counts_apart_and_all_go_by_the_same_limit(bot: FakeBot, settings: Settings) -> None:
    with serving(make_app(bot, settings.model_copy(update={"per_minute": 3}))) as address:
        httpx.post(address + "/api/ask", json={"question": "Q"})
        gradio_client.Client(address, verbose=False).predict("Q", api_name="/ask")
        mcp(address, {"question": "Q"})
        assert httpx.post(address + "/api/ask", json={"question": "Q"}).status_code == 429
        figures = httpx.get(address + "/metrics").text
    for channel, outcome in (("http", "answered"), ("gradio", "answered"), ("mcp", "answered"), ("http", "refused")):
        assert f'rag_questions_total{{channel="{channel}",outcome="{outcome}"}} 1.0' in figures


@pytest.mark.slow
def test_twenty_users_at_once_see_passages_within_a_second_and_are_answered_in_order(settings: Settings) -> None:
    def script(question: str) -> Iterator[Event]:
        time.sleep(0.03)
        yield [HIT]
        for _ in range(TOKENS):
            time.sleep(TOKEN_SECONDS)
            yield "word "
        yield answered(question)

    app = make_app(FakeBot(script), settings.model_copy(update={"per_minute": 0}))
    start = threading.Barrier(USERS_AT_ONCE)

    def ask(number: int) -> tuple[float, float, list[int], list[str]]:
        """Seconds until the hits and until the first word, the places in the queue, and the names of all events."""
        cookies = {"rag_owner": f"{number:032x}"}
        with httpx.Client(timeout=60, cookies=cookies) as client:
            start.wait(WAIT)
            began, times, places, names = time.perf_counter(), {}, [], []
            with client.stream("POST", address + "/api/ask?stream=true", json={"question": "Q"}) as response:
                assert response.status_code == 200
                for name, data in sse(response.iter_lines()):
                    times.setdefault(name, time.perf_counter() - began)
                    names.append(name)
                    places += [data["ahead"]] if name == "waiting" else []
        return times["hits"], times["piece"], places, names

    with serving(app) as address, ThreadPoolExecutor(USERS_AT_ONCE) as pool:
        seen = list(pool.map(ask, range(USERS_AT_ONCE)))
    assert max(hits for hits, *_ in seen) < 1
    assert all(names[0] == "hits" and names[-1] == "answer" for *_, names in seen)
    assert all(places == sorted(places, reverse=True) for *_, places, _ in seen)  # Nobody was overtaken.
    waited = sorted((places[0], first) for _, first, places, _ in seen if places)
    assert len(waited) >= USERS_AT_ONCE - settings.at_once - 4
    rounds = [(place - 1) // settings.at_once for place, _ in waited]
    for one, other in ((0, 2), (1, 3)):  # Two rounds later in the queue is later answered.
        earlier = [first for turn, (_, first) in zip(rounds, waited, strict=True) if turn == one]
        later = [first for turn, (_, first) in zip(rounds, waited, strict=True) if turn == other]
        assert not earlier or not later or max(earlier) < min(later)
