"""OpenAI's API, with its own client, with LangChain's, and with what no client sends."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import openai
import pytest
from fakes import CITATION, HIT, WAIT, Event, FakeBot, answer, answered, cite, quoted
from fastapi.testclient import TestClient
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from markdown_it import MarkdownIt
from openai import AsyncOpenAI, OpenAI
from serving import make_app, serving

from rag import bounds
from rag.errors import DamagedError, ModelError, QuestionError, for_readers
from rag.server.openai_api import MODEL
from rag.settings import Settings
from rag.types import NEAREST, Answer, Document, Evidence, Sentence

ASKED: Any = [{"role": "user", "content": "Q"}]
CITED = json.loads(json.dumps(asdict(CITATION)))
LINE = "[1] Title: “Anna sailed to Oslo.”"


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


@pytest.fixture
def client(bot: FakeBot, settings: Settings) -> Iterator[OpenAI]:
    with serving(make_app(bot, settings)) as address:
        yield client_of(address)


def client_of(address: str, key: str = "any") -> OpenAI:
    return OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=WAIT)


def local(settings: Settings, script: Any = None) -> TestClient:
    return TestClient(make_app(FakeBot(script), settings), base_url="http://localhost", raise_server_exceptions=False)


def ask(client: TestClient, **more: Any) -> Any:
    return client.post("/v1/chat/completions", json={"model": MODEL, "messages": ASKED} | more)


def always(*events: Event) -> Any:
    return lambda _: iter(events)


def message_of(settings: Settings, said: Answer) -> Any:
    (choice,) = ask(local(settings, always([HIT], said))).json()["choices"]
    return choice["message"]


def data(text: str) -> list[Any]:
    """The chunks of a stream, its last line left out."""
    *lines, end = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert end == "[DONE]"
    return [json.loads(line) for line in lines]


# Answers


@pytest.mark.slow
def test_the_one_model_is_listed_and_others_are_not_there(client: OpenAI) -> None:
    (model,) = client.models.list()
    assert (model.id, model.object) == (MODEL, "model") and client.models.retrieve(MODEL) == model
    for look in (
        lambda: client.models.retrieve("gpt-4"),
        lambda: client.chat.completions.create(model="gpt-4", messages=ASKED),
    ):
        with pytest.raises(openai.NotFoundError, match="the only one is 'ask-the-article'") as caught:
            look()
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError, match="There is nothing at POST '/v1/embeddings'") as caught:
        client.embeddings.create(model=MODEL, input="Q")
    assert (caught.value.type, caught.value.code) == ("invalid_request_error", None)


@pytest.mark.slow
def test_an_answer_comes_with_its_marks_its_sources_and_its_citations(bot: FakeBot, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=ASKED, temperature=0.7, max_tokens=9, tools=[], user="u", extra_body={"top_k": 4}
    )
    assert "set-cookie" not in raw.headers and bot.asked == [("Q", [], [])]
    completion = raw.parse()
    assert completion.id == f"chatcmpl-{raw.headers['x-request-id']}" and completion.model == MODEL
    assert completion.usage and completion.usage.total_tokens == 0
    (choice,) = completion.choices
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    assert choice.message.content == f"Said Q [1]\n\n- {LINE}"
    assert choice.message.annotations
    (annotation,) = choice.message.annotations
    cited = annotation.url_citation
    assert choice.message.content[cited.start_index : cited.end_index] == "Said Q"
    assert (cited.title, cited.url) == (LINE, "document:d#char=0,20")
    assert annotation.model_dump()["citation"] == CITED
    told = choice.message.model_dump()["answer"]
    assert told == {"abstained": False, "confidence": 0.9, "incomplete": "", "near": []}


@pytest.mark.slow
def test_the_draft_is_streamed_as_reasoning_and_only_the_answer_as_content(settings: Settings) -> None:
    with serving(make_app(FakeBot(FakeBot.quote), settings)) as address:
        stream = client_of(address).chat.completions.create(
            model=MODEL, messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["x-accel-buffering"] == "no"
        *chunks, last = list(stream)
    assert last.choices == [] and last.usage and last.usage.total_tokens == 0
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in (*chunks, last)}) == 1
    assert all(chunk.usage is None for chunk in chunks)
    deltas = [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks]
    assert deltas[:3] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "In the documents:\n\n- Title: “Anna sailed to Oslo.”\n\n"},
        {"reasoning_content": "Anna"},
    ]
    content, told, end = deltas[3:]
    assert content == {"content": f"{NEAREST}\n\n- {LINE}"} and end == {}
    cited = told["annotations"][0]["url_citation"]
    assert content["content"][cited["start_index"] : cited["end_index"]] == LINE
    assert told["answer"] == {"abstained": True, "confidence": 0.5, "incomplete": "", "near": [CITED]}
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 5 + ["stop"]


@pytest.mark.slow
def test_asynchronous_programs_get_the_same(settings: Settings) -> None:
    async def asking(address: str) -> tuple[str, str | None]:
        async with AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
            stream = await client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
            streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            whole = await client.chat.completions.create(model=MODEL, messages=ASKED)
            return streamed, whole.choices[0].message.content

    with serving(make_app(FakeBot(), settings)) as address:
        streamed, whole = asyncio.run(asking(address))
    assert streamed == whole == f"Said Q [1]\n\n- {LINE}"


@pytest.mark.slow
def test_langchain_talks_to_it_as_to_a_model(bot: FakeBot, settings: Settings) -> None:
    messages = [SystemMessage("Be a pirate."), HumanMessage("1"), AIMessage("One."), HumanMessage("2")]
    with serving(make_app(bot, settings)) as address:
        model = ChatOpenAI(model=MODEL, base_url=f"{address}/v1", api_key="any", max_retries=0)  # type: ignore[arg-type]
        assert model.invoke(messages).text == f"Said 2 [1]\n\n- {LINE}"
        assert "".join(str(chunk.text) for chunk in model.stream(messages)) == f"Said 2 [1]\n\n- {LINE}"
    assert bot.asked == [("2", [("1", "One.")], [])] * 2


def test_the_conversation_becomes_a_question_and_its_history(settings: Settings) -> None:
    bot = FakeBot()
    client = TestClient(make_app(bot, settings), base_url="http://localhost")
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    ask(client, messages=[
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": [{"type": "text", "text": "1"}, picture], "name": "anna"},
        {"role": "assistant", "content": f"One. [1] Two. [2] [1] Three. (not found in the documents)\n\n- {LINE}\n- [2] T: “U”"},
        {"role": "user", "content": "2"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]},
        {"role": "tool", "content": "42", "tool_call_id": "c"},
        {"role": "user", "content": [{"type": "text", "text": "3"}, {"type": "text", "text": "4"}]},
    ])  # fmt: skip
    assert bot.asked == [("3\n4", [("1", "One. Two. Three."), ("2", "")], [])]
    turns = [{"role": role, "content": str(number)} for number in range(150) for role in ("user", "assistant")]
    assert ask(client, messages=[*turns, {"role": "user", "content": "Q"}]).status_code == 200
    assert bot.asked[1] == ("Q", [(str(number), str(number)) for number in range(50, 150)], [])


def test_a_model_need_not_be_named(settings: Settings) -> None:
    assert local(settings).post("/v1/chat/completions", json={"messages": ASKED}).json()["model"] == MODEL


def test_a_refusal_is_nothing_but_its_sentence(settings: Settings) -> None:
    message = message_of(settings, answered("The documents do not answer this question.", abstained=True))
    assert message["content"] == "The documents do not answer this question." and message["annotations"] == []
    assert message["answer"]["abstained"] is True


def test_every_mark_has_its_source_in_the_order_of_the_numbers(settings: Settings) -> None:
    document = Document("d" * 40, "/srv/notes/ferry.md", "Ferries", "It leaves at nine. It is red.\nIt is fast.")
    web = Document("w", "https://example.org/f.html", "", "Off we go.")
    one, two = cite(1, "It leaves at nine.", document), cite(2, "It is red.\nIt is fast.", document)
    three = replace(cite(3, "Off we go.", web), page=7)
    said = [
        Sentence("At 9.", (one,), True),
        Sentence("Red & fast.", (two, one), True),
        Sentence("Off.", (three,), True),
    ]
    message = message_of(settings, answer(*said))
    assert message["content"] == (
        "At 9. [1] Red & fast. [2] [1] Off. [3]\n\n- [1] Ferries: “It leaves at nine.”\n"
        "- [2] Ferries: “It is red. It is fast.”\n- [3] https\\:\\//example\\.org/f\\.html, page 7: “Off we go.”"
    )
    shown = [each["url_citation"] for each in message["annotations"]]
    assert [message["content"][each["start_index"] : each["end_index"]] for each in shown] == [
        "At 9.", "Red & fast.", "Red & fast.", "Off.",
    ]  # fmt: skip
    assert [title[:3] for title in dict.fromkeys(each["title"] for each in shown)] == ["[1]", "[2]", "[3]"]
    addresses = list(dict.fromkeys(each["url"] for each in shown))
    assert addresses[1:] == [f"document:{'d' * 40}#char=19,41", "https://example.org/f.html#char=0,10"]
    assert "/srv" not in message["content"] + json.dumps(shown)


@pytest.mark.parametrize("incomplete", ["broke off", "length"])
def test_what_is_not_whole_or_not_supported_says_so(settings: Settings, incomplete: Any) -> None:
    said = replace(answer(Sentence("He is 70.", (), False), hits=[HIT]), incomplete=incomplete)
    client = local(settings, always([HIT], said))
    (choice,) = ask(client).json()["choices"]
    assert choice["finish_reason"] == "length" and choice["message"]["answer"]["incomplete"] == incomplete
    assert choice["message"]["content"].startswith("He is 70. (not found in the documents)\n\nThe answer ")
    assert data(ask(client, stream=True).text)[-1]["choices"][0]["finish_reason"] == "length"


@pytest.mark.slow
def test_what_a_document_holds_is_shown_and_loads_nothing(settings: Settings) -> None:
    planted = "![x](https://evil.example/?q) <img src=https://evil.example> [1]: https://evil.example `a` *b* www.evil.example"
    document = Document("d", "a.txt", f"# {planted}", planted)
    cited = cite(1, planted, document)
    for said in (quoted(cited), answer(Sentence("Yes.", (cited,), True))):
        parts = MarkdownIt("commonmark").parse(message_of(settings, said)["content"])
        kinds = {part.type for block in parts for part in [block, *(block.children or [])]}
        assert kinds.isdisjoint({"image", "link_open", "html_inline", "html_block", "code_inline", "em_open"})
    chunks = data(ask(local(settings, always([HIT], Evidence((cited,)), answered("A"))), stream=True).text)
    assert "![x]" not in chunks[1]["choices"][0]["delta"]["reasoning_content"]


@pytest.mark.slow
def test_halves_of_signs_become_whole_ones_everywhere(settings: Settings) -> None:
    odd = "\ud800 \u2028 \U0001f600 \0"
    document = Document("d", "https://a.example/\ud800", odd, odd)
    cited = cite(1, odd, document)
    for said in (replace(answered("A"), text=odd, sentences=()), quoted(cited), answer(Sentence(odd, (cited,), True))):
        client = local(settings, always([HIT], Evidence((cited,)), odd, said))
        for reply in (ask(client).text, ask(client, stream=True).text):
            assert "\ufffd" in json.dumps(reply, ensure_ascii=False) or "\\ufffd" in reply
            assert "\\ud800" not in reply


# What is refused


def texts(**more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "a", **more}, {"role": "assistant", "content": "b"}, *ASKED]


HOSTILE = "[INST]" * 33_000
WRONG: dict[str, tuple[Any, str, str | None]] = {
    "no object": ([], "The request is wrong at the body (", None),
    "nothing": ({}, "The request is wrong at messages (", "messages"),
    "no messages": ({"messages": []}, "The request is wrong at messages (", "messages"),
    "null": ({"messages": None}, "The request is wrong at messages (", "messages"),
    "no message": ({"messages": ["Q"]}, "The request is wrong at messages.0 (", "messages.0"),
    "no role": ({"messages": [{"content": "Q"}]}, "The request is wrong at messages.0.role (", "messages.0.role"),
    "number": ({"messages": [{"role": "user", "content": 1}]}, "The request is wrong at messages.0.content (",
               "messages.0.content"),
    "part": ({"messages": [{"role": "user", "content": [1]}]}, "The request is wrong at messages.0.content.0 (",
             "messages.0.content.0"),
    "model": ({"messages": ASKED, "model": 4}, "The request is wrong at model (", "model"),
    "stream": ({"messages": ASKED, "stream": "Zanzibar"}, "The request is wrong at stream (", "stream"),
    "options": ({"messages": ASKED, "stream_options": 1}, "The request is wrong at stream_options (", "stream_options"),
    "two": ({"messages": ASKED, "n": 2}, "The request is wrong at n (Input should be 1)", "n"),
    "empty": ({"messages": [{"role": "user", "content": " "}]}, "The question is empty; type one.", None),
    "null text": ({"messages": [{"role": "user", "content": None}]}, "The question is empty; type one.", None),
    "nobody's": ({"messages": [{"role": "system", "content": "Zanzibar"}]}, "The last message is not the user's;", None),
    "not the user's": ({"messages": texts()[:2]}, "The last message is not the user's;", None),
    "picture": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}, {"type": "image_url"}]}]},
                "The question has a part of the kind 'image_url'; only text is read, send that alone.", None),
    "long question": ({"messages": [{"role": "user", "content": "x" * (bounds.QUESTION + 1)}]},
                      "The question has 2,001 characters, and at most 2,000 are allowed", None),
    "hostile": ({"messages": [{"role": "user", "content": HOSTILE}]}, "The question has 198,000 characters", None),
    "long turn": ({"messages": texts(content=HOSTILE)}, "A message before the question has 198,000 characters", None),
    "long answer": ({"messages": [ASKED[0], {"role": "assistant", "content": HOSTILE}, *ASKED]},
                    "A message before the question has 198,000 characters", None),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_question_is_refused_without_repeating_it(settings: Settings, name: str) -> None:
    body, sentence, param = WRONG[name]
    bot = FakeBot()
    client = TestClient(make_app(bot, settings), base_url="http://localhost")
    for stream in ({}, {"stream": True}):
        sent = body | stream if isinstance(body, dict) and "stream" not in body else body
        response = client.post("/v1/chat/completions", json=sent)
        error = response.json()["error"]
        assert response.status_code == 400 and error["message"].startswith(sentence) and len(error["message"]) < 300
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, None)
        assert "Zanzibar" not in response.text and bot.asked == []


def test_the_longest_answer_that_was_given_can_be_sent_back(settings: Settings) -> None:
    quotes = "\n".join(f"- [{number}] T: “{'q' * 900}”" for number in range(1, 30))
    said = f"{'a' * (bounds.TURN - 1)}. [1]\n\n{quotes}"
    assert ask(local(settings), messages=[ASKED[0], {"role": "assistant", "content": said}, *ASKED]).status_code == 200


@pytest.mark.slow
def test_every_part_of_the_server_refuses_in_the_same_shape(settings: Settings) -> None:
    client = local(settings)
    good = json.dumps({"messages": ASKED}).encode()
    path, kind = "/v1/chat/completions", {"content-type": "application/json"}
    refused = {
        "no JSON": (client.post(path, content=b"no", headers=kind), 400),
        "no UTF-8": (client.post(path, content=b"\xbd", headers=kind), 400),
        "deep": (client.post(path, content=b"[" * 400 + b"]" * 400, headers=kind), 400),
        "much": (client.post(path, content=b"[" + b"1," * 60_000 + b"1]", headers=kind), 400),
        "large": (client.post(path, content=b"x" * 1_100_000, headers=kind), 413),
        "another site": (client.post(path, content=good, headers={"origin": "https://evil.example"}), 403),
        "another name": (client.post(path, content=good, headers={"host": "evil"}), 400),
        "no path": (client.get("/v1/nowhere"), 404),
        "no path either": (client.get("/v1"), 404),
        "wrong method": (client.get(path), 404),
        "odd model": (client.get(f"/v1/models/{'%ff' * 70}"), 404),
    }
    for name, (response, status) in refused.items():
        error = response.json()["error"]
        assert response.status_code == status and error["type"] == "invalid_request_error", name
        assert set(error) == {"message", "type", "param", "code"} and error["message"].endswith("."), name
        assert response.headers["content-type"] == "application/json" and response.headers["x-request-id"], name
    assert client.get("/nowhere").json() == {"error": "There is nothing at GET '/nowhere'."}


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [(QuestionError("Ask about something."), 400, "invalid_request_error"), (ModelError("Down; wait."), 503, "server_error"),
     (DamagedError("'/srv/index' is broken."), 503, "server_error")],
)  # fmt: skip
def test_a_fault_before_the_first_event_has_its_status(settings: Settings, error: Any, status: int, kind: str) -> None:
    def script(_: str) -> Iterator[Event]:
        yield from ()
        raise error

    for stream in (False, True):
        response = ask(local(settings, script), stream=stream)
        told = {"message": for_readers(error), "type": kind, "param": None, "code": None}
        assert (response.status_code, response.json()) == (status, {"error": told})


def test_a_fault_that_nobody_foresaw_names_only_the_request(settings: Settings) -> None:
    def script(_: str) -> Iterator[Event]:
        yield from ()
        raise ZeroDivisionError("Zanzibar")

    response = ask(local(settings, script))
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (500, "server_error") and "Zanzibar" not in response.text
    assert response.headers["x-request-id"] in error["message"]


@pytest.mark.slow
def test_an_error_in_mid_stream_reaches_the_client(settings: Settings) -> None:
    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        yield "Half"
        raise ModelError("It broke; ask again.", "at http://10.0.0.7:8000/v1")

    with serving(make_app(FakeBot(script), settings)) as address:
        stream = client_of(address).chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", None]
        with pytest.raises(openai.APIError, match=r"^It broke; ask again\.$") as caught:
            next(stream)
    assert caught.value.type == "server_error"
    text = ask(local(settings, script), stream=True).text
    assert "[DONE]" not in text and "10.0.0.7" not in text


@pytest.mark.slow
def test_too_often_and_too_many_say_when_to_ask_again(settings: Settings) -> None:
    with serving(make_app(FakeBot(), settings.model_copy(update={"per_minute": 1}))) as address:
        client = client_of(address)
        client.chat.completions.create(model=MODEL, messages=ASKED)
        with pytest.raises(openai.RateLimitError, match="1 questions within 60 seconds are allowed") as caught:
            client.chat.completions.create(model=MODEL, messages=ASKED)
        assert 50 < int(caught.value.response.headers["retry-after"]) <= 60
        assert caught.value.code == "rate_limit_exceeded"
        figures = httpx.get(address + "/metrics").text
    for outcome in ("answered", "refused"):
        assert f'rag_questions_total{{channel="openai",outcome="{outcome}"}} 1.0' in figures
    gate, begun = threading.Event(), threading.Event()

    def script(_: str) -> Iterator[Event]:
        begun.set()
        assert gate.wait(WAIT)
        yield answered("A")

    full = make_app(FakeBot(script), settings.model_copy(update={"at_once": 1, "queue": 0}))
    with serving(full) as address, ThreadPoolExecutor() as pool:
        client = client_of(address)
        first = pool.submit(client.chat.completions.create, model=MODEL, messages=ASKED)  # type: ignore[arg-type]
        assert begun.wait(WAIT)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        gate.set()
        assert caught.value.response.headers["retry-after"] == "60" and first.result()


@pytest.mark.slow
def test_who_waits_is_sent_comments_that_clients_pass_over(settings: Settings) -> None:
    gate = threading.Event()

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        yield Evidence(())
        assert gate.wait(WAIT)
        yield answered(question)

    app = make_app(FakeBot(script), settings.model_copy(update={"at_once": 1}))
    with serving(app) as address, httpx.Client(base_url=address, timeout=WAIT) as http:
        client = client_of(address)
        first = client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        next(first)
        second = client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        asked = {"messages": ASKED, "stream": True}
        with http.stream("POST", "/v1/chat/completions", json=asked) as third:
            assert next(line for line in third.iter_lines() if line.startswith(":")) == ": 2 ahead"
            gate.set()
        assert [chunk.choices[0].finish_reason for chunk in second][-1] == "stop"
        first.close()


@pytest.mark.slow
@pytest.mark.parametrize("stream", [True, False])
def test_who_goes_away_stops_the_model(settings: Settings, stream: bool) -> None:
    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        for _ in range(2000):
            yield "word "
            time.sleep(0.01)  # The pace of a model.

    bot = FakeBot(script)
    with serving(make_app(bot, settings)) as address:
        client = client_of(address)
        if stream:
            with client.chat.completions.create(model=MODEL, messages=ASKED, stream=True) as chunks:
                next(chunks)
        else:
            with pytest.raises(openai.APITimeoutError):
                client.with_options(timeout=0.3).chat.completions.create(model=MODEL, messages=ASKED)
        assert bot.closed.wait(WAIT)


# Who asks


def key(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.slow
def test_a_key_is_the_name_and_the_password_of_a_user(settings: Settings, tmp_path: Path) -> None:
    hashed = bcrypt.hashpw("grün:5678".encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "users").write_text(f"anna:{hashed}\n")
    with serving(make_app(FakeBot(), settings.model_copy(update={"users": tmp_path / "users"}))) as address:
        right = client_of(address, key("anna", "grün:5678"))
        assert right.chat.completions.create(model=MODEL, messages=ASKED).choices
        assert [model.id for model in right.models.list()] == [MODEL]
        for given in ("anna:gruen", "any", key("anna", ""), key("", "x")):
            with pytest.raises(openai.AuthenticationError, match="send NAME:PASSWORD in base64 as the key") as refused:
                client_of(address, given).models.list()
            assert refused.value.code == "invalid_api_key" and "set-cookie" not in refused.value.response.headers
        for number in range(9):  # Ten with the empty password, which is a wrong one as well.
            with pytest.raises(openai.AuthenticationError):
                client_of(address, key("anna", f"wrong {number}")).models.list()
        with pytest.raises(openai.RateLimitError) as caught:
            right.models.list()
        assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
        basic = httpx.get(address + "/v1/models", auth=("anna", "grün:5678"))
        assert basic.status_code == 429  # The same password, counted in the same place.


@pytest.mark.slow
def test_a_proxy_names_each_of_its_users(settings: Settings) -> None:
    settings = settings.model_copy(update={"user_header": "X-OpenWebUI-User-Email", "per_minute": 1})
    with serving(make_app(FakeBot(), settings)) as address:
        client = client_of(address)
        for user in ("anna@example.org", "bert@example.org"):
            named = client.with_options(default_headers={"X-OpenWebUI-User-Email": user})
            assert named.chat.completions.create(model=MODEL, messages=ASKED).choices
        with pytest.raises(openai.AuthenticationError, match="sign in at the proxy"):
            client.models.list()
