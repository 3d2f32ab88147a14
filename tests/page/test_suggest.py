"""Suggested questions: written once for what was published, none that was asked or cited."""

import threading
import time
from dataclasses import replace

import pytest
from fakes import CITATION, DOCUMENT, FakeBot, Library, answered
from markup import asked

from rag.errors import ModelError, StoreError
from rag.page import suggest
from rag.page.suggest import AFTERWARDS, AT_THE_START, Suggestions
from rag.types import Citation, Document

MANY = tuple(replace(CITATION, start=n, quote=f"Sentence {n}.") for n in range(8))


class Bot(FakeBot):
    """Has eight key sentences, and counts the questions that it writes."""

    def __init__(self, *idle: str | None) -> None:
        super().__init__()
        self.idle = list(idle)
        self.written: list[str] = []

    def key_sentences(self, documents: object = (), count: int = 3) -> tuple[Citation, ...]:
        return MANY[:count]

    def question_for(self, quoted: Citation) -> str | None:
        if self.idle:
            return self.idle.pop(0)
        self.written.append(quoted.quote)
        return f"Q{quoted.start}?"


def ready(bot: FakeBot) -> Suggestions:
    suggestions = Suggestions(bot)
    suggestions.renew()
    assert suggestions.wait(10)
    return suggestions


def test_some_are_shown_at_the_start_and_some_afterwards() -> None:
    suggestions = ready(Bot())
    assert suggestions.first() == ["Summarise it", "Q0?", "Q1?", "Q2?"] and AT_THE_START == 4
    assert len(suggestions.key_sentences) == suggest.KEY
    turn = asked(answered("Said."))
    assert suggestions.next([turn]) == ["Q1?", "Q2?", "Q3?"] and AFTERWARDS == 3, "the first is cited"
    assert suggestions.next([replace(turn, question="Q2?")]) == ["Q1?", "Q3?", "Q4?"]
    assert suggestions.next([]) == suggestions.next([replace(turn, answer=None)]) == []


def test_what_was_found_comes_before_other_documents() -> None:
    bot = Bot()
    bot.documents = Library(d=DOCUMENT, e=Document("e", "e.txt", "Other", "t"))
    suggestions = ready(bot)
    assert suggestions.first()[0] == "Summarise “Title”"
    elsewhere = tuple(
        (text, replace(one, doc_id="e") if one.start < 6 else one) for text, one in suggestions._suggested
    )
    suggestions._suggested = elsewhere
    assert suggestions.next([asked(answered("Said."))]) == ["Q6?", "Q7?", "Q0?"]


def test_one_that_is_no_good_is_left_out_and_a_busy_model_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    suggestions = ready(Bot("", None, None, "Q9?", "Q9?"))
    assert suggestions.first() == ["Summarise it", "Q9?", "Q3?", "Q4?"] and waited == [suggest._IDLE] * 2


def test_what_is_published_next_has_its_own_and_keeps_what_was_written_already() -> None:
    bot = Bot()
    suggestions = ready(bot)
    suggestions.renew()
    assert len(bot.written) == len(MANY)
    bot.documents = Library(d=DOCUMENT)
    suggestions.renew()
    assert suggestions.wait(10) and len(bot.written) == len(MANY)
    assert suggestions.first() == ["Summarise it", "Q0?", "Q1?", "Q2?"]


def test_writing_ends_where_something_else_is_published() -> None:
    bot, at_work, go_on = Bot(), threading.Event(), threading.Event()

    def question_for(quoted: Citation) -> str:
        at_work.set()
        assert go_on.wait(10)
        return f"{len(bot.documents)} at {quoted.start}?"

    bot.question_for = question_for  # type: ignore[method-assign]
    suggestions = Suggestions(bot)
    suggestions.renew()
    assert at_work.wait(10)
    bot.documents = Library(d=DOCUMENT, e=Document("e", "e.txt", "Other", "t"))
    suggestions.renew()
    go_on.set()
    assert suggestions.wait(10)
    assert {text.partition(" ")[0] for text, _ in suggestions._suggested} == {"2"}


@pytest.mark.parametrize("method", ["question_for", "key_sentences"])
def test_a_model_or_an_index_that_fails_leaves_the_page_without(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Bot()

    def fail(*_: object, **__: object) -> str:
        raise ModelError("No model.") if method == "question_for" else StoreError("Damaged.")

    monkeypatch.setattr(bot, method, fail)
    suggestions = Suggestions(bot)
    if method == "key_sentences":
        with pytest.raises(StoreError):
            suggestions.renew()
    else:
        suggestions.renew()
        assert suggestions.wait(10)
    assert suggestions.first() == ["Summarise it"]
