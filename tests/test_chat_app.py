"""The page's events and its start, without a browser."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from fastapi.testclient import TestClient

import chat_app
from chat_app import Run, ask, ask_again, build_app, build_page, converse, draw, listen, main
from rag import Chatbot
from rag.errors import ModelError
from rag.render import Event, Turn
from rag.settings import Settings
from rag.types import Answer, Chunk, Document, Hit, Sentence, Timings

DOCUMENT = Document("d", "data/article.txt", "Title", "Anna sailed to Oslo.")
HIT = Hit(Chunk(0, "d", DOCUMENT.source, "Title", 0, 20, DOCUMENT.text), 0.1, 0.5, 1, 1)
WAIT = 10  # seconds until a test that hangs fails


def answered(text: str) -> Answer:
    return Answer("Q", text, (Sentence(text, (), True),), (), (HIT,), False, 0.9, Timings(0, 0, None, 0))


class FakeBot:
    """Streams what `script` yields and remembers what it was asked."""

    def __init__(self, script: Callable[[str], Iterator[Event]] | None = None) -> None:
        self.script = script or self.echo
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.closed = threading.Event()

    @property
    def documents(self) -> dict[str, Document]:
        return {"d": DOCUMENT}

    def stream(self, question: str, history: Sequence[tuple[str, str]] = ()) -> Iterator[Event]:
        self.asked.append((question, list(history)))
        try:
            yield from self.script(question)
        finally:
            self.closed.set()

    @staticmethod
    def echo(question: str) -> Iterator[Event]:
        yield [HIT]
        yield "Said"
        yield answered(f"Said {question}")


def last(bot: FakeBot, question: str, turns: list[Turn]) -> list[Turn]:
    """The turns when the question is done."""
    *_, (grown, run) = converse(bot, question, turns)
    assert run is None
    return grown


def test_a_turn_grows_from_question_over_passages_and_pieces_to_the_answer() -> None:
    steps = [turns[-1] for turns, _ in converse(FakeBot(), "Q", [])]
    assert [(step.hits, step.text, step.state) for step in steps] == [
        (None, "", "running"),
        ((HIT,), "", "running"),
        ((HIT,), "Said", "running"),
        ((HIT,), "Said Q", "done"),
        ((HIT,), "Said Q", "done"),
    ]


def test_the_history_holds_plain_answers_of_finished_and_stopped_turns_only() -> None:
    bot = FakeBot()
    turns = [
        *last(bot, "<b>one</b>", []),
        Turn(2, "two", text="Half", state="stopped"),
        Turn(3, "three", text="Broken", state="failed"),
        Turn(4, "four", state="stopped"),
    ]
    turns = last(bot, "five", turns)
    assert bot.asked[-1] == ("five", [("<b>one</b>", "Said <b>one</b>"), ("two", "Half")])
    assert turns[-1].number == 5


def test_an_error_for_people_is_shown_as_it_is() -> None:
    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        raise ModelError("The model is down; start it.")

    turn = last(FakeBot(script), "Q", [])[-1]
    assert (turn.state, turn.note, turn.hits) == ("failed", "The model is down; start it.", (HIT,))


def test_any_other_exception_is_logged_and_shown_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    def script(question: str) -> Iterator[Event]:
        yield "Half"
        raise KeyError("x")

    with caplog.at_level(logging.ERROR):
        turn = last(FakeBot(script), "Q", [])[-1]
    assert turn.note == "Something went wrong (KeyError: 'x'). Ask again, or start the page anew."
    assert turn.text == "Half"
    assert caplog.records[0].exc_info


def test_a_stream_without_an_answer_broke_off() -> None:
    assert "broke off" in last(FakeBot(lambda _: iter([[HIT], "Half"])), "Q", [])[-1].note


def test_stop_shows_at_once_while_the_bot_is_silent_and_closes_its_stream() -> None:
    silent = threading.Event()
    seen: list[str] = []

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        yield "Half"
        silent.wait(WAIT)
        for piece in "abc":
            seen.append(piece)
            yield piece

    bot = FakeBot(script)
    steps = converse(bot, "Q", [])
    run = next(run for turns, run in steps if turns[-1].text == "Half")
    assert run
    run.stop()
    *_, (turns, after) = steps
    assert (turns[-1].state, turns[-1].text, turns[-1].note, after) == ("stopped", "Half", "Stopped.", None)
    assert not bot.closed.is_set()
    silent.set()
    assert bot.closed.wait(WAIT)
    assert seen == ["a"]


def test_a_page_that_goes_away_closes_the_stream() -> None:
    gate = threading.Event()

    def script(question: str) -> Iterator[Event]:
        yield "Half"
        gate.wait(WAIT)
        yield "more"
        raise AssertionError("read on after the page had gone")

    bot = FakeBot(script)
    steps = converse(bot, "Q", [])
    next(turns for turns, _ in steps if turns[-1].text == "Half")
    steps.close()  # type: ignore[attr-defined]
    gate.set()
    assert bot.closed.wait(WAIT)


def test_stopping_a_run_that_has_ended_does_nothing() -> None:
    run = Run(FakeBot(), "Q", [])
    assert len(list(run.events())) == 3
    run.stop()


@pytest.mark.parametrize("question", ["", "  \n\t"])
def test_a_blank_question_is_not_asked(question: str) -> None:
    bot = FakeBot()
    turns = last(bot, "one", [])
    (values,) = ask(bot, question, turns)
    assert values[0][-1] == {"role": "assistant", "content": chat_app.BLANK}
    assert len(bot.asked) == 1 and values[-2] == turns and values[-1] is None


def test_the_passages_are_sent_only_when_they_change_and_the_box_is_emptied_once() -> None:
    values = list(ask(FakeBot(), "Q", []))
    skipped = gr.skip()
    assert [step[1] == skipped for step in values] == [False, False, True, False, True]
    assert [step[2] for step in values] == ["", *[skipped] * 4]


def test_send_becomes_stop_while_running() -> None:
    running, idle = draw([Turn(1, "Q")], Run(FakeBot(), "Q", [])), draw([Turn(1, "Q")], None)
    assert [update["visible"] for update in running[3:5]] == [False, True]
    assert [update["visible"] for update in idle[3:5]] == [True, False]
    assert [update["interactive"] for update in (*running[5:7], *idle[5:7])] == [False, False, True, True]


def test_retry_asks_the_last_question_in_place_of_its_turn() -> None:
    bot = FakeBot()
    turns = last(bot, "two", last(bot, "one", []))
    *_, values = ask_again(bot, turns)
    assert bot.asked[-1] == ("two", [("one", "Said one")])
    assert [turn.question for turn in values[-2]] == ["one", "two"]


def test_the_page_may_answer_several_tabs_and_calls_nobody(settings: Settings) -> None:
    page = build_page(FakeBot(), settings)
    limits = {fn.concurrency_limit for fn in page.fns.values() if fn.concurrency_id == "ask"}
    assert limits == {chat_app.AT_ONCE} and chat_app.AT_ONCE > 1
    assert page.analytics_enabled is False


def test_examples_are_offered_for_the_shipped_article_only(settings: Settings) -> None:
    class Other(FakeBot):
        @property
        def documents(self) -> dict[str, Document]:
            return {"d": Document("d", "report.md", "T", "t")}

    def examples(bot: FakeBot) -> Any:
        return next(b.examples for b in build_page(bot, settings).blocks.values() if isinstance(b, gr.Chatbot))

    assert [example["text"] for example in examples(FakeBot())] == list(chat_app.EXAMPLES)
    assert examples(Other()) is None


def test_only_the_names_it_is_served_under_are_answered(settings: Settings) -> None:
    app = build_app(FakeBot(), settings.model_copy(update={"host": "box.example"}))
    for name, status in {
        "127.0.0.1:7860": 200,
        "localhost": 200,
        "[::1]:7860": 200,
        "box.example": 200,
        "evil": 400,
    }.items():
        assert TestClient(app, base_url=f"http://{name}").get("/").status_code == status, name


def test_a_taken_port_is_one_sentence_and_exit_code_1(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(settings.model_copy(update={"port": 0})) as taken:
        monkeypatch.setenv("RAG_PORT", str(taken.getsockname()[1]))
        assert main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("The page cannot listen on 127.0.0.1:") and "RAG_PORT" in error and error.count("\n") == 1


def test_a_failing_start_is_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModelError("There is no model; install it.")

    monkeypatch.setenv("RAG_PORT", "0")
    monkeypatch.setattr(chat_app, "is_sound", lambda _: True)
    monkeypatch.setattr(Chatbot, "open", fail)
    assert main([]) == 1
    assert capsys.readouterr().err == "There is no model; install it.\n"


def test_a_missing_index_is_built_first_and_a_failed_build_ends_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[list[str]] = []

    def build(argv: list[str]) -> int:
        built.append(argv)
        return 1

    monkeypatch.setenv("RAG_PORT", "0")
    monkeypatch.setattr(chat_app, "is_sound", lambda _: False)
    monkeypatch.setattr(chat_app, "ingest_main", build)
    assert main([]) == 1
    assert built == [[]]


def test_the_page_is_served_with_its_policy_and_says_where(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    server = chat_app.make_server(FakeBot(), settings)
    with listen(settings.model_copy(update={"port": 0})) as listener:
        address = listener.getsockname()
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        head = httpx.get(f"http://127.0.0.1:{address[1]}", timeout=WAIT).headers
        server.should_exit = True
        thread.join(WAIT)
        assert not thread.is_alive()
    assert head["content-security-policy"].startswith("default-src 'self';")
    assert capsys.readouterr().out == f"Open http://127.0.0.1:{address[1]} in a browser.\n"


CTRL_C = """
import chat_app, contextlib, sys
class Chatbot:
    @staticmethod
    @contextlib.contextmanager
    def open(settings, progress):
        class Bot:
            documents = {}
        try:
            yield Bot()
        finally:
            print("closed")
chat_app.Chatbot = Chatbot
chat_app.is_sound = lambda settings: True
sys.exit(chat_app.main([]))
"""


def test_ctrl_c_closes_the_bot_and_ends_quietly(settings: Settings) -> None:
    root = Path(chat_app.__file__).parent
    command = [sys.executable, "-W", "ignore", "-c", CTRL_C]
    environment = {**os.environ, "RAG_PORT": "0"}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith("Open http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
        assert process.stdout.read() == "closed\n"
        assert process.stderr.read() == ""
