"""Figures and log lines: what they say, and that they never hold a question."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import gradio.queueing
import gradio.route_utils
import gradio.routes
import pytest
from fakes import HIT, Event, FakeBot, answered
from hypothesis import given
from hypothesis import strategies as st
from serving import logged

from rag.errors import ModelError, QuestionError, StoreError
from rag.server.log import LINE, JsonLines, hashed, make_request_id, reason
from rag.server.service import Service
from rag.settings import Settings

SECRET = "Who stole the Zanzibar ledger?"


@pytest.fixture
def lines() -> Iterator[Any]:
    """The lines of the log so far, each read from its JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("rag")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    def read(with_text: bool = False) -> list[dict[str, Any]]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    handler.setFormatter(JsonLines())
    read.handler = handler  # type: ignore[attr-defined]
    yield read
    logger.removeHandler(handler)
    logger.setLevel(level)


def failing(error: Exception) -> FakeBot:
    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        raise error

    return FakeBot(script)


def test_a_question_is_one_line_without_its_text(settings: Settings, lines: Any) -> None:
    list(Service(FakeBot(), settings).ask("guest:1", SECRET, channel="http", request_id="r-1"))
    (line,) = lines()
    assert line.pop("time").startswith("20") and 0 <= line.pop("seconds") < 5
    assert line == {
        "level": "info", "logger": "rag.server.log", "message": "question", "request_id": "r-1",
        "owner": hashed("guest:1"), "channel": "http", "outcome": "answered", "confidence": 0.9, "citations": 1,
    }  # fmt: skip
    assert "guest" not in json.dumps(line) and "Zanzibar" not in json.dumps(line)


def test_the_text_is_there_where_it_is_asked_for(settings: Settings, lines: Any) -> None:
    list(Service(FakeBot(), settings.model_copy(update={"log_questions": True})).ask("o", SECRET))
    assert lines()[0]["question"] == SECRET


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [
        (QuestionError(f"{SECRET} is too long."), "refused", "info"),
        (ModelError(f"The model says {SECRET}."), "failed", "warning"),
        (KeyError(SECRET), "failed", "error"),
    ],
)
def test_no_error_carries_the_question_into_the_log(
    settings: Settings, lines: Any, error: Exception, outcome: str, level: str
) -> None:
    with pytest.raises(type(error)):
        list(Service(failing(error), settings).ask("o", SECRET, request_id="r-2"))
    (line,) = lines()
    assert (line["outcome"], line["level"], line["request_id"]) == (outcome, level, "r-2")
    assert type(error).__name__ in (line.get("reason"), line.get("error"))
    assert "Zanzibar" not in json.dumps(line)
    assert ("test_log.py" in line.get("trace", "")) == (level == "error")


def test_the_figures_name_no_question_and_follow_the_line_and_the_index(settings: Settings) -> None:
    service = Service(FakeBot(), settings)
    asking = service.ask("o", SECRET)
    next(asking)
    figures = service.monitor.metrics().decode()
    assert "rag_running 1.0" in figures and "rag_waiting 0.0" in figures
    list(asking)
    figures = service.monitor.metrics().decode()
    for line in (
        'rag_questions_total{channel="page",outcome="answered"} 1.0', "rag_running 0.0", "rag_documents 1.0",
        "rag_passages 3.0", "rag_passages_seconds_count 1.0", "rag_first_token_seconds_count 1.0",
        "rag_answer_seconds_count 1.0",
    ):  # fmt: skip
        assert line in figures.splitlines()
    assert "Zanzibar" not in figures


def test_an_abstention_without_a_word_of_the_model_has_no_first_token(settings: Settings) -> None:
    service = Service(FakeBot(lambda _: iter([[HIT], answered("-", abstained=True)])), settings)
    list(service.ask("o", "Q"))
    assert b"rag_first_token_seconds_count 0.0" in service.monitor.metrics()


def test_two_services_count_apart(settings: Settings) -> None:
    one, other = Service(FakeBot(), settings), Service(FakeBot(), settings)
    list(one.ask("o", "Q"))
    assert b"outcome=" not in other.monitor.metrics()


@given(st.text(max_size=80))
def test_an_id_is_kept_only_where_it_can_stand_in_a_header_and_a_log(given_id: str) -> None:
    used = make_request_id(given_id)
    assert used.isascii() and 0 < len(used) <= 64 and not set(used) & set("\r\n \"'<>")
    assert used == given_id or len(used) == 32


def test_given_ids_are_kept() -> None:
    assert make_request_id("a1-B_2.c") == "a1-B_2.c"


def test_the_log_of_a_process_is_lines_of_json(settings: Settings) -> None:
    with logged(settings) as stream:
        logging.getLogger("rag.x").info("one\ntwo")
        logging.getLogger("other").info("not shown")
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("other").exception("failed at %s", SECRET)
        warnings.warn(f"a warning about {SECRET}", UserWarning, stacklevel=1)
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert (first["message"], first["level"]) == ("one\ntwo", "info")
    assert second["error"] == "ValueError" and "test_log.py:" in second["message"]
    assert third["message"].endswith(": UserWarning") and "test_log.py:" in third["message"]
    assert SECRET not in stream.getvalue()
    with logged(settings.model_copy(update={"log_questions": True})) as stream:
        logging.getLogger("other").warning("about %s", SECRET)
    assert json.loads(stream.getvalue())["message"] == f"about {SECRET}"
    with_text = JsonLines(with_text=True)
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "m", None, sys.exc_info())
    assert json.loads(with_text.format(record))["error"] == f"ValueError: {SECRET}"


@pytest.mark.parametrize("text", ["x" * 200_000, "\U0001f600" * 200_000, "\n" * 200_000, "\x00\u2028\x85\r\n" * 50_000])
@pytest.mark.parametrize("with_text", [False, True])
def test_a_line_is_one_line_of_bounded_length_whatever_is_in_it(text: str, with_text: bool) -> None:
    fields = {"path": text, "question": text, "reason": text, "list": [text], "seconds": 0.5, "confidence": None}
    formatter = JsonLines(with_text)

    def deeper(level: int) -> None:
        if level:
            return other(level - 1)
        raise ValueError(text)

    def other(level: int) -> None:
        return deeper(level)

    try:
        deeper(300)
    except ValueError:
        for name in ("rag.x", "mcp"):
            record = logging.LogRecord(name, logging.ERROR, "a.py", 1, text, None, sys.exc_info())
            record.fields = fields
            line = formatter.format(record)
            assert len(line) <= LINE and len(line.splitlines()) == 1 and line.isascii()
            entry = json.loads(line)
            assert entry["seconds"] == 0.5 and entry["confidence"] is None and "deeper" in entry["trace"]


def test_what_gradio_prints_is_one_line_of_the_log(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    with logged(settings) as stream:
        for module in (gradio.queueing, gradio.routes, gradio.route_utils):
            try:
                raise ValueError(f"{SECRET}\n{{}}")
            except ValueError:
                module.traceback.print_exc()
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [entry["error"] for entry in entries] == ["ValueError"] * 3
    assert SECRET not in stream.getvalue() and SECRET not in "".join(capfd.readouterr())


def test_what_python_prints_of_a_thread_that_fails_is_one_line_of_the_log(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ValueError(f"{SECRET}\n{{}}")

    with logged(settings) as stream:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["error"] == "ValueError" and "in fail" in json.loads(line)["trace"]
    assert SECRET not in line and SECRET not in "".join(capfd.readouterr())


def test_what_the_operator_is_told_of_an_error_has_no_text_of_a_question() -> None:
    assert reason(QuestionError(SECRET)) == "QuestionError"
    assert reason(ModelError(SECRET, "at http://x")) == "ModelError: at http://x"
    assert reason(StoreError("The index in 'x' is damaged.")) == "StoreError: The index in 'x' is damaged."
