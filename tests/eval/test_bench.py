"""The arithmetic of `python -m eval bench` on values that one can work out by hand, its table, its file, its errors."""

import itertools
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import HIT, Event, FakeBot, answered, write
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from eval import bench, fresh
from eval.__main__ import main
from eval.bench import by_turns
from eval.bench_table import Measured, figures, table
from eval.dataset import Question
from eval.fresh import INGEST, START, BenchError, Fresh, measured
from eval.timing import Call, Calls, Speed, Spread, Timed, counted, ratios, reading_speed, timed, writing_speed
from eval.typed import Typed, browser, read_marks, type_one, typed
from rag.errors import ModelError, StoreError
from rag.index.builder import update
from rag.index.health import verify
from rag.settings import Settings
from rag.types import Evidence

CHIEF = Question("chief", "fact", "Who is the chief?", ("Mark Rutte",))
AGE = Question("age", "fact", "How old?", ())


def same(value: float) -> Spread:
    return Spread(1, value, value, value, value, value, value)


SPEED = Speed(reads=same(100.0), writes=same(10.0))
STATED, ANSWERED, GROUNDED = Call(1, 3, 300, 100, 1), Call(3, 8, 320, 300, 21), Call(8, 9, 100, 0, 1)
OURS = Timed("chief", 0.5, 1.0, 4.0, 9.0, (STATED, ANSWERED, GROUNDED))
PEER = Timed("chief", 0.25, None, 8.0, 12.0, (Call(0.5, 12, 900, 0, 31),))


# The arithmetic


def test_the_spread_of_values() -> None:
    assert Spread.of([4, None, 1, 2, 3, 5]) == Spread(5, 3, pytest.approx(4.8), 2, 4, 1, 5)
    assert Spread.of([2.5]) == same(2.5)
    assert Spread.of([None]) is None


def test_ratios_are_those_of_each_question() -> None:
    assert ratios([1, 2, None, 4, 0], [2, 0, 1, None, 4]) == [0.5, None, None, None, 0]


def test_what_was_read_is_without_what_the_engine_knew() -> None:
    assert (OURS.prompt, OURS.read, OURS.written) == (720, 200 + 20 + 100, 23)
    silent = Timed("chief", 0.5, None, 4.0, 9.0, (STATED, Call(3, 8, None, None, None)))
    assert (silent.prompt, silent.read, silent.written, silent.floor(SPEED)) == (None, None, None, None)
    assert Call(0, 1, 300, None, 1).read == 300


def test_the_floor_is_what_was_read_and_written_at_the_engines_speed() -> None:
    # A call's first token comes with the reading: 320 tokens read, 20 more written.
    assert OURS.floor(SPEED) == pytest.approx(3.2 + 2.0)
    # Until the first token only the first two calls are read, and nothing is written.
    assert OURS.first_floor(SPEED) == pytest.approx(2.2)
    assert PEER.first_floor(SPEED) == pytest.approx(9.0)
    assert OURS.floor(Speed(None, None)) is OURS.first_floor(Speed(None, None)) is None
    assert Timed("age", 0.5, None, None, 2.0, (STATED,)).first_floor(SPEED) is None
    assert Timed("age", 0.5, None, None, None, (STATED,)).floor(SPEED) is None
    assert Timed("age", 0.5, None, 1.0, 2.0).first_floor(SPEED) is None


def test_what_a_call_before_the_answer_writes_counts_for_its_first_token() -> None:
    draft = Call(0, 2, 100, 0, 11)
    assert Timed("chief", 0, None, 4, 9, (draft, ANSWERED)).first_floor(SPEED) == pytest.approx(1.2 + 1.0)


def ticking(step: float = 1.0) -> Callable[[], float]:
    return itertools.count(0.0, step).__next__


def test_a_question_is_timed_until_each_event() -> None:
    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        yield Evidence(())
        yield ""
        yield "Mark "
        yield "Rutte."
        yield answered("Mark Rutte.")

    bot = FakeBot(script)
    assert timed(bot, CHIEF, Calls(), ticking()) == Timed("chief", 1, 2, 3, 5)
    assert bot.asked == [(CHIEF.question, [], [])]
    assert timed(FakeBot(), CHIEF, Calls(), ticking()) == Timed("chief", 1, None, 2, 3)


def test_a_question_that_fails_keeps_what_came() -> None:
    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        raise ModelError("It is down; start it.")

    assert timed(FakeBot(script), CHIEF, Calls(), ticking()) == Timed("chief", 1, None, None, None, failed="ModelError")


def ended(handler: BaseCallbackHandler, **usage: Any) -> None:
    run_id = uuid.uuid4()
    handler.on_chat_model_start({}, [], run_id=run_id)
    message = AIMessage("", usage_metadata=usage or None)
    handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)


def test_the_calls_of_a_question_are_its_own() -> None:
    clock = ticking()
    calls = Calls(clock)
    ended(calls, input_tokens=1, output_tokens=1, total_tokens=2)

    def script(question: str) -> Iterator[Event]:
        cached = {"cache_read": 100}
        ended(calls, input_tokens=300, output_tokens=1, total_tokens=301, input_token_details=cached)
        yield "Yes."
        ended(calls)
        yield answered("Yes.")

    found = timed(FakeBot(script), CHIEF, calls, clock)
    assert found.calls == (Call(1, 2, 300, 100, 1), Call(4, 5, None, None, None))
    assert calls.ended == []


def model(*usage: tuple[int, int, int]) -> FakeMessagesListChatModel:
    said = [
        AIMessage(
            "One, two",
            usage_metadata={
                "input_tokens": prompt,
                "output_tokens": written,
                "total_tokens": prompt + written,
                "input_token_details": {"cache_read": cached},
            },
        )
        for prompt, cached, written in usage
    ]
    return FakeMessagesListChatModel(responses=said)


def test_a_model_is_counted_until_the_end() -> None:
    one = model((300, 100, 5))
    with counted(one, ticking()) as calls:
        one.invoke("Hello")
        assert calls.take() == (Call(0, 1, 300, 100, 5),)
    one.invoke("Hello")
    assert calls.ended == []


def test_the_engines_speed(settings: Settings) -> None:
    with counted(one := model((260, 10, 1)), ticking(2.0)) as calls:
        assert reading_speed(one, settings, calls) == 125.0
    with counted(one, ticking()) as calls:  # It comes in one piece, from which no speed can be told.
        assert writing_speed(one, settings, calls) is None


def test_chains_take_turns() -> None:
    order = []

    def script(name: str, question: str) -> Iterator[Event]:
        order.append(f"{name} {question}")
        yield answered("Said")

    bots = {name: FakeBot(partial(script, name)) for name in ("this", "peer")}
    found = by_turns(bots, [CHIEF, AGE], Calls())
    assert order == ["this Who is the chief?", "peer Who is the chief?", "peer How old?", "this How old?"]
    assert {name: [one.id for one in times] for name, times in found.items()} == {
        "this": ["chief", "age"],
        "peer": ["chief", "age"],
    }


# The table


INGESTED = Fresh({"ingest": 4.0}, 500.0, {"documents": 2, "passages": 12, "skipped": 0})
STARTED = [Fresh({"open": seconds, "answering": seconds + 10}, 1500.0) for seconds in (6.0, 7.0, 9.0)]
OTHER = Fresh({"ingest": 8.0, "open": 12.0, "answering": 20.0}, 2000.0, {"documents": 2, "passages": 6})
FAILED = Timed("age", 0.5, None, None, None, failed="ModelError")
TYPED = (Typed(0.2, 5.0, 8.0), Typed(None, 7.0, 10.0))


def a_set(peer: bool = True) -> Measured:
    return Measured(
        "notes", (INGESTED,), tuple(STARTED), (OTHER,) if peer else (), SPEED, (OURS, FAILED),
        (PEER, PEER) if peer else (), TYPED if peer else (), 1234.0,
    )  # fmt: skip


def cells(text: str) -> dict[str, list[str]]:
    return {line[:26].strip(): line[26:].split() for line in text.splitlines()}


def test_the_table_sets_each_figure_beside_the_peer_and_the_floor() -> None:
    text = table(a_set())
    assert text.splitlines()[0].split("  ")[0] == "notes, 2 questions"
    found = cells(text)
    assert found["ingest, s"] == ["1", "4.00", "4.00", "–", "–", "8.00", "8.00", "–", "–", "–", "–"]
    assert found["ingest, passages / s"][1] == "3.00" and found["ingest, documents / s"][1] == "0.50"
    assert found["start until open, s"][:6] == ["3", "7.00", "8.80", "6.50–8.00", "6.00–9.00", "12.00"]
    assert found["first token, s"] == [
        "1", "4.00", "4.00", "–", "–", "8.00", "8.00", "8.00–8.00", "0.50", "2.20", "1.82",
    ]  # fmt: skip
    assert found["end, s"][-3:] == ["0.75", "5.20", "1.73"]
    assert found["tokens read"][:2] == ["1", "320"]
    assert found["typed: evidence, s"][:2] == ["1", "0.20"]
    assert found["typed: first word, s"][:4] == ["2", "6.00", "6.90", "5.50–6.50"]
    assert found["engine reads, tokens / s"][:2] == ["1", "100.0"]
    assert found["after the questions, MB"][:2] == ["1", "1234"]


def test_columns_and_rows_of_nothing_are_left_out() -> None:
    text = table(a_set(peer=False))
    assert "peer" not in text and "typed" not in text
    assert text.splitlines()[0].split()[-5:] == ["least–most", "floor", "this", "/", "floor"]


def test_the_ratio_is_that_of_each_question_and_not_of_the_medians() -> None:
    ours = [Timed(str(end), 0, None, None, end) for end in (1.0, 2.0, 9.0)]
    others = [Timed(str(end), 0, None, None, end) for end in (4.0, 4.0, 3.0)]
    made = Measured("x", (), (), (), Speed(None, None), tuple(ours), tuple(others), (), None)
    (end,) = [one for one in figures(made) if one.label == "end, s"]
    assert end.of_peer == Spread(3, 0.5, pytest.approx(2.75), 0.375, 1.75, 0.25, 3.0)
    assert end.floor is None and end.of_floor is None
    assert made.failed == 0 and a_set().failed == 1


# The processes


def test_a_process_ingests_and_says_so(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.builder.update", partial(update, verify=verify))
    write(Path("notes"), {"a.txt": "They sleep.", "b.txt": "They eat.", "questions.jsonl": "{}"})
    assert fresh.main([INGEST, "notes", "made", ""]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"step": "ingest", "documents": 2, "passages": 2, "skipped": 0}
    assert fresh.main([INGEST, "none", "made", ""]) == 1
    assert "There is no file or folder 'none'" in capsys.readouterr().err


def test_a_process_starts_and_says_when_it_answers(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opens(monkeypatch, "rag.chatbot.Chatbot")
    assert fresh.main([START, "notes", "made", "Who?"]) == 0
    assert [json.loads(line)["step"] for line in capsys.readouterr().out.splitlines()] == ["open", "answering"]


@pytest.mark.slow
def test_a_process_that_fails_is_one_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with pytest.raises(BenchError, match=r"^The process that was to build the index failed: There is no file"):
        measured(INGEST, Path("none"), Path("made"))


# The command


def opens(monkeypatch: pytest.MonkeyPatch, where: str = "eval.bench.Chatbot") -> FakeBot:
    """Let the command open a fake bot, which is returned."""
    bot = FakeBot()
    bot.model = model((300, 100, 5))  # type: ignore[attr-defined]

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[FakeBot]:
        yield bot

    monkeypatch.setattr(where, SimpleNamespace(open=opened))
    return bot


@pytest.fixture
def notes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeBot:
    """A set `notes` of two questions; no process is started, and a fake bot is opened."""
    lines = [{"id": one.id, "kind": one.kind, "question": one.question, "answers": one.answers} for one in (CHIEF, AGE)]
    write(Path("notes"), {"questions.jsonl": "\n".join(map(json.dumps, lines))})
    by_name = {"ingest": INGESTED, "start": STARTED[0]}
    monkeypatch.setattr("eval.bench.measured", lambda what, *_: by_name[what])
    return opens(monkeypatch)


def test_the_command_prints_and_writes_the_figures(notes: FakeBot, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--no-article", "--data", "notes", "--starts", "2", "--ingests", "2", "--out", "out"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("notes, 2 questions")
    assert [asked for asked, *_ in notes.asked] == [bench.WARM_UP.question, CHIEF.question, AGE.question]
    (path,) = Path("out").glob("*-bench.json")
    assert f"Results: {path}" in out and not list(Path("out").glob("*Z.json"))
    written = json.loads(path.read_text(encoding="utf-8"))
    (found,) = written["sets"]
    assert (len(found["ingests"]), len(found["starts"]), found["peers"], found["typed"]) == (2, 2, [], [])
    assert [one["id"] for one in found["ours"]] == ["chief", "age"]
    assert next(one for one in found["figures"] if one["label"] == "ingest, s")["ours"]["median"] == 4.0
    assert written["settings"]["passages"] == 4 and written["seed"] == 0


def test_an_engine_that_fails_once_does_not_end_the_run(
    notes: FakeBot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise ModelError("It said nothing.")

    monkeypatch.setattr("eval.bench.reading_speed", silent)
    assert main(["bench", "--no-article", "--data", "notes", "--out", "out"]) == 0
    read = capsys.readouterr()
    assert read.err.count("The engine's speed could not be measured: It said nothing.") == 2 * bench.SPEEDS
    assert "engine reads" not in read.out and "end, s" in read.out and "floor" not in read.out


def test_the_command_takes_a_sample_of_each_set(notes: FakeBot, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--data", "notes", "--data", "notes", "--sample", "1", "--seed", "2", "--out", "out"]) == 0
    titles = [line for line in capsys.readouterr().out.splitlines() if "1 question " in line]
    assert [title.partition(",")[0] for title in titles] == ["article", "notes", "notes"]


def test_the_command_fails_with_one_sentence(
    notes: FakeBot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        assert main(["bench", *arguments]) == 1
        return capsys.readouterr().err

    def down(*_: object) -> None:
        raise StoreError("There is no index in 'index'; run: python ingest.py")

    nothing = "There is nothing to measure; leave out --no-article, or name a set with --data.\n"
    assert said("--no-article") == nothing
    assert "There is no questions.jsonl in 'none'" in said("--data", "none")
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    missing = 'Typing in the page needs the extra "test"; run: pip install -c constraints.txt -e ".[local,eval,test]"\n'
    assert said("--typed") == missing
    monkeypatch.setitem(sys.modules, "langchain_chroma", None)
    monkeypatch.delitem(sys.modules, "eval.baseline", raising=False)
    assert said("--peer").startswith('The command "python -m eval bench --peer" needs the extra "eval"; run: pip')
    monkeypatch.setattr("eval.bench.measured", down)
    assert said() == "There is no index in 'index'; run: python ingest.py\n"


# The page


def test_marks_of_the_page_are_seconds_since_enter() -> None:
    marks = {"enter": 1000, "evidence": 1250, "first_word": 4000, "done": 9500}
    assert read_marks(marks) == Typed(0.25, 3.0, 8.5)
    assert read_marks({"enter": 1000, "first_word": 3000, "done": 3000}) == Typed(None, 2.0, 2.0)
    assert read_marks({"enter": 1000, "done": 3000}) == Typed(None, None, None, "NoAnswer")


PAGE = """
<body><div id="list"><nav data-current="a"></nav></div><div id="chat"></div>
<div id="question"><textarea></textarea></div><script>
const chat = document.querySelector("#chat"), box = document.querySelector("textarea");
const after = (ms, then) => setTimeout(then, ms);
box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    chat.innerHTML = '<div class="reply" data-busy="true"><p class="evidence"></p><p class="answer"></p></div>';
    after(200, () => { chat.querySelector(".evidence").textContent = box.value; });
    after(400, () => { chat.querySelector(".answer").textContent = "It"; });
    after(600, () => { chat.querySelector(".reply").dataset.busy = "false"; });
});
</script></body>"""


@pytest.mark.browser
@pytest.mark.slow
def test_what_a_page_shows_is_marked_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    with browser() as chromium:
        found = type_one(chromium, (tmp_path / "page.html").as_uri(), "Where?", per_minute=12_000)
    assert found.evidence is not None and found.first_word is not None and found.done is not None
    assert 0.19 < found.evidence < found.first_word - 0.1 < found.done - 0.2


@pytest.mark.browser
@pytest.mark.slow
def test_questions_are_typed_in_the_real_page(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.typed.type_one", partial(type_one, per_minute=12_000))
    bot: Any = FakeBot()
    one, two = typed(bot, settings, ["Who is\n it?", "Where?"], Path("store"))
    assert [asked[:2] for asked in bot.asked] == [("Who is it?", []), ("Where?", [])]
    for found in (one, two):
        assert found.failed is None and found.first_word is not None and found.done is not None
        assert 0 < found.first_word <= found.done < 20
