"""A question on its way, and the turns as they grow."""

import threading
from collections.abc import Callable, Iterator

from fakes import answer
from markup import hit

from rag import bounds
from rag.errors import ModelError
from rag.page.run import Run, converse, history_of
from rag.server.records import Turn
from rag.server.service import ServiceEvent, Waiting
from rag.types import Answer, Sentence

WAIT = 10  # seconds until a test that hangs fails
HIT = hit(0, 27)


def answered(text: str) -> Answer:
    return answer(Sentence(text, (), True), hits=(HIT,))


class Asker:
    """Gives what `script` yields and remembers what it was asked."""

    def __init__(self, script: Callable[[str], Iterator[ServiceEvent]] | None = None) -> None:
        self.script = script or self.echo
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.closed = threading.Event()

    def __call__(self, question: str, history: list[tuple[str, str]]) -> Iterator[ServiceEvent]:
        self.asked.append((question, history))
        try:
            yield from self.script(question)
        finally:
            self.closed.set()

    @staticmethod
    def echo(question: str) -> Iterator[ServiceEvent]:
        yield [HIT]
        yield "Said"
        yield answered(f"Said {question}")


def last(asker: Asker, question: str, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns when the question is done."""
    *_, grown = converse(Run(asker, question, history_of(turns)), question, turns)
    return grown


def steps_of(asker: Asker, question: str = "Q") -> Iterator[tuple[Turn, ...]]:
    return converse(Run(asker, question, []), question, ())


def test_a_turn_grows_from_question_over_passages_and_pieces_to_the_answer() -> None:
    steps = [turns[-1] for turns in steps_of(Asker())]
    assert [(step.hits, step.text, step.state) for step in steps] == [
        (None, "", "running"),
        ((HIT,), "", "running"),
        ((HIT,), "Said", "running"),
        ((HIT,), "Said Q", "done"),
    ]


def test_an_event_that_changes_nothing_draws_nothing() -> None:
    asker = Asker(lambda _: iter([[HIT], Waiting(2), Waiting(2), Waiting(2), Waiting(1), answered("Said.")]))
    assert [turns[-1].ahead for turns in steps_of(asker)] == [0, 0, 2, 1, 0]


def test_the_history_holds_plain_answers_of_finished_and_stopped_turns_only() -> None:
    asker = Asker()
    turns = (
        *last(asker, "<b>one</b>", ()),
        Turn(2, "two", text="Half", state="stopped"),
        Turn(3, "three", text="Broken", state="failed"),
        Turn(4, "four", state="stopped"),
    )
    assert history_of(turns) == [("<b>one</b>", "Said <b>one</b>"), ("two", "Half")]
    assert last(asker, "five", turns)[-1].number == 5
    assert asker.asked[-1] == ("five", history_of(turns))


def test_of_a_long_conversation_the_last_turns_are_its_history_each_cut() -> None:
    turns = [Turn(number, f"Q{number}", text="x" * 30_000, state="done") for number in range(1, 151)]
    history = history_of(turns)
    assert [question for question, _ in history] == [f"Q{number}" for number in range(51, 151)]
    assert {len(text) for _, text in history} == {bounds.TURN}


def test_an_error_for_people_is_shown_as_it_is() -> None:
    def script(question: str) -> Iterator[ServiceEvent]:
        yield [HIT]
        raise ModelError("The model is down; start it.")

    turn = last(Asker(script), "Q", ())[-1]
    assert (turn.state, turn.note, turn.hits) == ("failed", "The model is down; start it.", (HIT,))


def test_of_any_other_exception_nothing_is_shown() -> None:
    def script(question: str) -> Iterator[ServiceEvent]:
        yield "Half"
        raise KeyError("secret")

    turn = last(Asker(script), "Q", ())[-1]
    assert turn.note == "Something went wrong. Ask again, or start the page anew."
    assert turn.text == "Half"


def test_a_stream_without_an_answer_broke_off() -> None:
    assert "broke off" in last(Asker(lambda _: iter([[HIT], "Half"])), "Q", ())[-1].note


def test_stop_shows_at_once_while_the_model_is_silent_and_closes_its_stream() -> None:
    silent = threading.Event()
    seen: list[str] = []

    def script(question: str) -> Iterator[ServiceEvent]:
        yield [HIT]
        yield "Half"
        silent.wait(WAIT)
        for piece in "abc":
            seen.append(piece)
            yield piece

    asker = Asker(script)
    run = Run(asker, "Q", [])
    steps = converse(run, "Q", ())
    next(turns for turns in steps if turns[-1].text == "Half")
    run.stop()
    *_, turns = steps
    assert (turns[-1].state, turns[-1].text, turns[-1].note) == ("stopped", "Half", "Stopped.")
    assert not asker.closed.is_set()
    silent.set()
    assert asker.closed.wait(WAIT)
    assert seen == ["a"]


def test_a_page_that_goes_away_closes_the_stream() -> None:
    gate = threading.Event()

    def script(question: str) -> Iterator[ServiceEvent]:
        yield "Half"
        gate.wait(WAIT)
        yield "more"
        raise AssertionError("read on after the page had gone")

    asker = Asker(script)
    steps = steps_of(asker)
    next(turns for turns in steps if turns[-1].text == "Half")
    steps.close()  # type: ignore[attr-defined]
    gate.set()
    assert asker.closed.wait(WAIT)


def test_stopping_a_run_that_has_ended_does_nothing() -> None:
    run = Run(Asker(), "Q", [])
    assert len(list(run.events())) == 3 and run.ended
    run.stop()
