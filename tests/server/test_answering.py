"""Answers under way, and the turns as they grow."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import HIT, WAIT, Event, FakeBot, answered

from rag import bounds
from rag.errors import ModelError, StoreError, for_readers
from rag.server.answering import Answering, Progress, Running
from rag.server.records import Turn, history_of
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import Settings
from rag.types import Answer

ANN = "ann", "c"


def echo(question: str) -> Iterator[Event]:
    yield [HIT]
    yield "Said"
    yield answered(f"Said {question}")


def waiting(bot: FakeBot) -> Callable[[str], Iterator[Event]]:
    """Let the bot be silent until its gate is open."""

    def script(question: str) -> Iterator[Event]:
        bot.waits()
        yield from echo(question)

    return script


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot(echo)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "page.sqlite") as opened:
        yield opened


@pytest.fixture
def answering(bot: FakeBot, store: Store, settings: Settings) -> Answering:
    return Answering(Service(bot, settings.model_copy(update={"per_minute": 0})), store)


def last(answering: Answering, question: str = "Q", turns: tuple[Turn, ...] = ()) -> Turn:
    """The turn of a question, when it is over."""
    return ended(begun(answering, question, turns)).turns[-1]


def begun(answering: Answering, question: str = "Q", turns: tuple[Turn, ...] = ()) -> Running:
    running = answering.begin(*ANN, question, turns)
    assert running
    return running


def ended(running: Running) -> Progress:
    *_, progress = running.follow()
    return progress


def reaches(running: Running, text: str) -> None:
    """Wait until this is written."""
    next(progress for progress in running.follow() if progress.turns[-1].text == text)


def test_a_turn_grows_from_question_over_passages_and_pieces_to_the_answer(
    bot: FakeBot, answering: Answering, store: Store
) -> None:
    steps = {name: threading.Event() for name in ("found", "written", "answered")}

    def script(question: str) -> Iterator[Event]:
        for step, event in zip(steps.values(), echo(question), strict=True):
            assert step.wait(WAIT)
            yield event

    bot.script = script
    running = begun(answering)
    seen: list[Turn] = []
    for progress in running.follow():
        if not seen or progress.turns[-1] != seen[-1]:
            seen.append(progress.turns[-1])
            if left := [step for step in steps.values() if not step.is_set()]:
                left[0].set()
    assert [(turn.hits, turn.text, turn.state) for turn in seen] == [
        (None, "", "running"),
        ((HIT,), "", "running"),
        ((HIT,), "Said", "running"),
        ((HIT,), "Said Q", "done"),
    ]
    assert store.read(*ANN) == running.turns and answering.under_way(*ANN) is None


def test_the_history_holds_plain_answers_of_finished_and_stopped_turns_only(bot: FakeBot, answering: Answering) -> None:
    turns = (
        last(answering, "<b>one</b>"),
        Turn(2, "two", text="Half", state="stopped"),
        Turn(3, "three", text="Broken", state="failed"),
        Turn(4, "four", state="stopped"),
    )
    assert history_of(turns) == [("<b>one</b>", "Said <b>one</b>"), ("two", "Half")]
    assert last(answering, "five", turns).number == 5
    assert bot.asked[-1] == ("five", history_of(turns), [])


def test_of_a_long_conversation_the_last_turns_are_its_history_each_cut() -> None:
    turns = [Turn(number, f"Q{number}", text="x" * 30_000, state="done") for number in range(1, 151)]
    history = history_of(turns)
    assert [question for question, _ in history] == [f"Q{number}" for number in range(51, 151)]
    assert {len(text) for _, text in history} == {bounds.TURN}


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        (ModelError("The model is down; start it."), "The model is down; start it."),
        (KeyError("secret"), "Something went wrong. Ask again, or start the page anew."),
        (None, "The answer broke off. Ask again."),
    ],
)
def test_an_answer_that_fails_says_why_and_keeps_what_was_written(
    bot: FakeBot, answering: Answering, store: Store, fault: Exception | None, note: str
) -> None:
    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        yield "Half"
        if fault:
            raise fault

    bot.script = script
    turn = last(answering)
    assert (turn.state, turn.note, turn.text, turn.hits) == ("failed", note, "Half", (HIT,))
    assert store.read(*ANN) == (turn,)


def test_stop_shows_at_once_while_the_model_is_silent_and_closes_its_stream(
    bot: FakeBot, answering: Answering, store: Store
) -> None:
    silent = threading.Event()
    seen: list[str] = []

    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        yield "Half"
        silent.wait(WAIT)
        for piece in "abc":
            seen.append(piece)
            yield piece

    bot.script = script
    running = begun(answering)
    reaches(running, "Half")
    answering.stop("ben", "c")
    answering.stop(*ANN)
    turn = ended(running).turns[-1]
    assert (turn.state, turn.text, turn.note) == ("stopped", "Half", "Stopped.")
    assert not bot.closed.is_set() and answering.under_way(*ANN) is None
    silent.set()
    assert bot.closed.wait(WAIT)
    assert seen == ["a"] and store.read(*ANN) == (turn,)
    answering.stop(*ANN)


def test_a_conversation_has_one_answer_under_way_and_owners_are_apart(bot: FakeBot, answering: Answering) -> None:
    def script(question: str) -> Iterator[Event]:
        yield "Said"
        bot.waits()
        yield answered(question)

    bot.script = script
    running = begun(answering)
    assert answering.begin(*ANN, "other", ()) is None
    other = answering.begin("ben", "c", "other", ())
    assert other and answering.under_way(*ANN) is running and answering.under_way("ben", "c") is other
    bot.gate.set()
    assert [ended(one).turns[-1].text for one in (running, other)] == ["Q", "other"]


def test_what_was_read_while_an_answer_was_under_way_does_not_undo_its_end(answering: Answering, store: Store) -> None:
    running = begun(answering)
    before = (Turn(1, "Q", text="Half"),)
    ended(running)
    assert answering.begin(*ANN, "And?", before) is None
    assert [turn.text for turn in store.read(*ANN) or ()] == ["Said Q"]


def test_two_who_follow_see_the_same_and_one_who_comes_late_the_end(bot: FakeBot, answering: Answering) -> None:
    bot.script = waiting(bot)
    running = begun(answering)
    one, two = running.follow(), running.follow()
    next(one), next(two)
    bot.gate.set()
    ends = [[*follower][-1] for follower in (one, two, running.follow())]
    assert ends[0].is_over and ends == [ends[0]] * 3


def test_what_is_stopped_before_anything_is_found_takes_no_turns_place(
    bot: FakeBot, answering: Answering, store: Store
) -> None:
    turns = (last(answering, "one"), last(answering, "two", (Turn(1, "one", text="One.", state="done"),)))
    store.write(*ANN, turns)
    bot.script = waiting(bot)
    running = answering.begin(*ANN, "new", (), turns)
    assert running
    answering.stop(*ANN)
    bot.gate.set()
    assert ended(running) == Progress(turns, is_over=True, warning="Stopped.")
    assert store.read(*ANN) == turns


def test_what_is_refused_takes_no_turns_place(bot: FakeBot, answering: Answering, store: Store) -> None:
    turns = (last(answering, "one"), Turn(2, "two", text="Two.", state="done"))
    bot.fault = ModelError("The model is down; start it.")

    def script(_: str) -> Iterator[Event]:
        yield from ()
        raise bot.fault or AssertionError

    bot.script = script
    running = answering.begin(*ANN, "new", turns[:1], turns[1:])
    assert running
    assert ended(running) == Progress(turns, is_over=True, warning="The model is down; start it.")
    assert [turn.question for turn in store.read(*ANN) or ()] == ["one"]


def test_a_store_that_fails_stops_no_answer_and_is_told(
    answering: Answering, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is full; make room.")

    monkeypatch.setattr(store, "write", fail)
    progress = ended(begun(answering))
    assert isinstance(progress.turns[-1].answer, Answer) and progress.warning == for_readers(StoreError(""))


def test_an_answer_that_comes_when_the_store_is_closed_ends_like_others(
    bot: FakeBot, answering: Answering, store: Store
) -> None:
    bot.script = waiting(bot)
    running = begun(answering)
    store.close()
    bot.gate.set()
    progress = ended(running)
    assert progress.turns[-1].text == "Said Q" and progress.warning == for_readers(StoreError(""))


def test_one_who_follows_a_silent_answer_wakes_up_now_and_then(
    bot: FakeBot, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot.script = waiting(bot)
    monkeypatch.setattr("rag.server.answering.WAKE", 0.01)
    running = begun(answering)
    following = running.follow()
    assert next(following) is next(following)
    bot.gate.set()
    assert ended(running).turns[-1].text == "Said Q"
