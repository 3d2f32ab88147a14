"""The service: hits at once, the model in its turn, a bound for each, and whether questions could be answered."""

import logging
import threading
from collections.abc import Iterator
from unittest.mock import PropertyMock

import pytest
from fakes import CITATION, HIT, WAIT, Event, FakeBot, answered

from rag import bounds
from rag.errors import BusyError, ModelError, QuestionError, StoreError
from rag.server.limits import OftenError
from rag.server.service import Service, Waiting
from rag.settings import Settings
from rag.types import Answer, Evidence


def counts(service: Service) -> dict[tuple[str, str], float]:
    """Questions by channel and outcome, as Prometheus reads them."""
    return {
        (sample.labels["channel"], sample.labels["outcome"]): sample.value
        for metric in service.monitor.registry.collect()
        for sample in metric.samples
        if sample.name == "rag_questions_total"
    }


def test_the_events_of_the_bot_pass_and_are_counted(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings)
    assert list(service.ask("o", "Q", [("a", "b")])) == [[HIT], "Said", answered("Said Q")]
    assert bot.asked == [("Q", [("a", "b")], [])]
    list(service.ask("o", "Q", (), ["d"], channel="http"))
    assert bot.asked[-1] == ("Q", [], ["d"])
    assert counts(service) == {("page", "answered"): 1, ("http", "answered"): 1}
    assert (service.queue.running, service.queue.waiting) == (0, 0)


def test_the_hits_come_before_the_turn_and_the_place_with_them(settings: Settings) -> None:
    service = Service(FakeBot(), settings.model_copy(update={"at_once": 1}))
    first, second = service.ask("a", "1"), service.ask("b", "2")
    assert next(first) == [HIT]
    assert next(second) == [HIT]
    assert next(second) == Waiting(1)
    assert list(first) == ["Said", answered("Said 1")]
    assert list(second) == ["Said", answered("Said 2")]


def test_the_evidence_comes_before_the_turn_and_the_model_after_it(settings: Settings) -> None:
    begun: list[str] = []

    def script(question: str) -> Iterator[Event]:
        yield [HIT]
        yield Evidence((CITATION,))
        begun.append(question)
        yield "Said"
        yield answered("Said.")

    service = Service(FakeBot(script), settings.model_copy(update={"at_once": 1}))
    first, second = service.ask("a", "1"), service.ask("b", "2")
    assert [next(first), next(second), next(second), next(second)] == [
        [HIT], [HIT], Evidence((CITATION,)), Waiting(1)
    ]  # fmt: skip
    assert begun == []
    assert list(first) == [Evidence((CITATION,)), "Said", answered("Said.")] and begun == ["1"]
    assert list(second) == ["Said", answered("Said.")]


def test_a_reply_that_only_quotes_is_counted_as_such(settings: Settings) -> None:
    service = Service(FakeBot(FakeBot.quote), settings)
    *_, answer = service.ask("a", "1")
    assert isinstance(answer, Answer) and answer.near == (CITATION,)
    assert counts(service) == {("page", "quoted"): 1}


def test_closing_stops_the_model_and_frees_the_seat(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings)
    asking = service.ask("a", "1")
    next(asking)
    asking.close()
    assert bot.closed.is_set() and service.queue.running == 0
    assert counts(service) == {("page", "stopped"): 1}


def test_who_waits_can_leave_the_queue(settings: Settings) -> None:
    service = Service(FakeBot(), settings.model_copy(update={"at_once": 1}))
    first, second = service.ask("a", "1"), service.ask("b", "2")
    next(first), next(second), next(second)
    second.close()
    assert (service.queue.running, service.queue.waiting) == (1, 0)


def test_errors_pass_and_leave_no_seat_taken(settings: Settings) -> None:
    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        raise ModelError("The model is down; start it.")

    service = Service(FakeBot(script), settings)
    with pytest.raises(ModelError):
        list(service.ask("a", "1"))
    assert service.queue.running == 0 and counts(service) == {("page", "failed"): 1}


def test_an_abstention_and_a_broken_stream_are_told_apart(settings: Settings) -> None:
    service = Service(
        FakeBot(lambda text: iter([[HIT], answered("-", abstained=True)] if text == "A" else [[HIT], "Ha"])), settings
    )
    list(service.ask("a", "A"))
    list(service.ask("a", "B"))
    assert counts(service) == {("page", "abstained"): 1, ("page", "failed"): 1}


def test_too_many_a_minute_are_refused_with_the_seconds(settings: Settings) -> None:
    service = Service(FakeBot(), settings.model_copy(update={"per_minute": 2}))
    list(service.ask("a", "1")), list(service.ask("a", "2"))
    with pytest.raises(OftenError, match=r"^2 questions within 60 seconds are allowed; try again in \d+ seconds\.$"):
        next(service.ask("a", "3"))
    list(service.ask("b", "1"))
    assert counts(service) == {("page", "answered"): 3, ("page", "refused"): 1}


def test_a_fresh_cookie_is_no_fresh_allowance_but_a_signed_in_user_has_its_own(settings: Settings) -> None:
    service = Service(FakeBot(), settings.model_copy(update={"per_minute": 1}))
    service.visitors.seen("guest:1", "192.0.2.1"), service.visitors.seen("guest:2", "192.0.2.1")
    list(service.ask("guest:1", "1"))
    with pytest.raises(BusyError):
        next(service.ask("guest:2", "1"))
    list(service.ask("user:anna", "1"))


def test_a_draft_is_read_ahead_and_counts_as_no_question(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings.model_copy(update={"per_minute": 1}))
    service.read_ahead("a", "Who is", [("Q", "A")], ["d"])
    service.read_ahead("b", "Where is")
    assert bot.drafts == [("Who is", [("Q", "A")], ["d"]), ("Where is", [], [])]
    assert len(list(service.ask("a", "Who is Anna?"))) == 3 and counts(service) == {("page", "answered"): 1}


def test_one_draft_of_a_visitor_is_read_within_a_short_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = FakeBot()
    service = Service(bot, settings)
    service.visitors.seen("guest:1", "192.0.2.1"), service.visitors.seen("guest:2", "192.0.2.1")
    for owner in ("guest:1", "guest:1", "guest:2"):
        service.read_ahead(owner, owner)
    assert [draft for draft, *_ in bot.drafts] == ["guest:1"]
    monkeypatch.setattr("rag.server.service.DRAFTS", 1e-6)
    service = Service(bot, settings)
    service.read_ahead("a", "first"), service.read_ahead("a", "second")
    assert [draft for draft, *_ in bot.drafts] == ["guest:1", "first", "second"]


def test_no_draft_is_read_while_a_question_or_another_draft_is(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings)
    bot.reading = lambda _: service.read_ahead("b", "another draft")
    service.read_ahead("a", "a draft")
    asking = service.ask("a", "1")
    next(asking)
    service.read_ahead("c", "while it is answered")
    asking.close()
    service.read_ahead("d", "after it")
    assert [draft for draft, *_ in bot.drafts] == ["a draft", "after it"]


def test_what_is_wrong_with_a_draft_is_not_told_and_nothing_of_it_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(draft: str) -> None:
        raise ValueError if draft == "unforeseen" else QuestionError(f"{draft} is too long; shorten it.")

    bot = FakeBot()
    bot.reading = fail
    service = Service(bot, settings)
    caplog.set_level(logging.DEBUG, "rag")
    service.read_ahead("a", "Secret")
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG and record.fields == {"reason": "QuestionError"}  # type: ignore[attr-defined]
    with pytest.raises(ValueError):
        service.read_ahead("b", "unforeseen")
    bot.reading = lambda _: None
    service.read_ahead("c", "later")
    assert bot.drafts[-1][0] == "later"


def test_a_check_asks_the_model_once_in_a_while_and_keeps_its_fault(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings)
    service.check(), service.check()
    assert bot.checked == 1
    bot.fault = ModelError("The model is down; start it.")
    failing = Service(bot, settings)
    for _ in range(2):
        with pytest.raises(ModelError, match="is down"):
            failing.check()
    assert bot.checked == 2


def test_an_answer_is_as_good_as_a_check(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings)
    list(service.ask("a", "1"))
    service.check()
    assert bot.checked == 0


def test_an_index_that_cannot_be_read_is_not_ready(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    service, gone = Service(FakeBot(), settings), PropertyMock(side_effect=StoreError("The index is gone; build it."))
    monkeypatch.setattr(FakeBot, "documents", gone, raising=False)
    with pytest.raises(StoreError):
        service.check()


def test_a_check_does_not_wait_for_another_one(settings: Settings) -> None:
    begun, end = threading.Event(), threading.Event()

    class Slow(FakeBot):
        def check(self) -> None:
            begun.set()
            assert end.wait(WAIT)

    service = Service(Slow(), settings)
    thread = threading.Thread(target=service.check)
    thread.start()
    assert begun.wait(WAIT)
    with pytest.raises(ModelError, match="not been tried yet"):
        service.check()
    end.set()
    thread.join(WAIT)
    service.check()


def test_a_question_that_is_too_long_or_blank_takes_no_place_and_is_not_counted(settings: Settings) -> None:
    bot = FakeBot()
    service = Service(bot, settings.model_copy(update={"per_minute": 1}))
    with pytest.raises(QuestionError, match=r"2,001 characters, and at most 2,000 are allowed; shorten it"):
        next(service.ask("o", "x" * (bounds.QUESTION + 1)))
    with pytest.raises(QuestionError, match="empty"):
        next(service.ask("o", " \n"))
    assert bot.asked == [] and counts(service) == {("page", "refused"): 2}
    assert len(list(service.ask("o", "x" * bounds.QUESTION))) == 3


def test_what_a_check_finds_is_told_to_the_operator_once(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    bot = FakeBot()
    bot.fault = ModelError("The model is down; start it.", "'m' at http://10.0.0.7/v1: APIConnectionError")
    service = Service(bot, settings)
    with caplog.at_level(logging.WARNING, "rag.server.service"):
        for _ in range(3):
            with pytest.raises(ModelError):
                service.check()
    fields = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert fields == [{"reason": "ModelError: 'm' at http://10.0.0.7/v1: APIConnectionError"}]
