"""The desk: hits at once, the model in its turn, a bound for each, and whether questions could be answered."""

import logging
import threading
import time
from collections.abc import Iterator
from unittest.mock import PropertyMock

import pytest
from fakes import HIT, WAIT, Event, FakeBot, answered
from hypothesis import given
from hypothesis import strategies as st

from rag import bounds
from rag.errors import BusyError, ModelError, QuestionError, StoreError
from rag.server.desk import Desk, Waiting
from rag.server.limit import Limit, OftenError, Visitors, network
from rag.settings import Settings


def counts(desk: Desk) -> dict[tuple[str, str], float]:
    """Questions by door and outcome, as Prometheus reads them."""
    return {
        (sample.labels["door"], sample.labels["outcome"]): sample.value
        for metric in desk.watch.registry.collect()
        for sample in metric.samples
        if sample.name == "rag_questions_total"
    }


def test_the_events_of_the_bot_pass_and_are_counted(settings: Settings) -> None:
    bot = FakeBot()
    desk = Desk(bot, settings)
    assert list(desk.ask("o", "Q", [("a", "b")])) == [[HIT], "Said", answered("Said Q")]
    assert bot.asked == [("Q", [("a", "b")], [])]
    list(desk.ask("o", "Q", (), ["d"], door="http"))
    assert bot.asked[-1] == ("Q", [], ["d"])
    assert counts(desk) == {("page", "answered"): 1, ("http", "answered"): 1}
    assert (desk.line.running, desk.line.waiting) == (0, 0)


def test_the_hits_come_before_the_turn_and_the_place_with_them(settings: Settings) -> None:
    desk = Desk(FakeBot(), settings.model_copy(update={"at_once": 1}))
    first, second = desk.ask("a", "1"), desk.ask("b", "2")
    assert next(first) == [HIT]
    assert next(second) == [HIT]
    assert next(second) == Waiting(1)
    assert list(first) == ["Said", answered("Said 1")]
    assert list(second) == ["Said", answered("Said 2")]


def test_closing_stops_the_model_and_frees_the_seat(settings: Settings) -> None:
    bot = FakeBot()
    desk = Desk(bot, settings)
    asking = desk.ask("a", "1")
    next(asking)
    asking.close()
    assert bot.closed.is_set() and desk.line.running == 0
    assert counts(desk) == {("page", "stopped"): 1}


def test_who_waits_can_leave_the_line(settings: Settings) -> None:
    desk = Desk(FakeBot(), settings.model_copy(update={"at_once": 1}))
    first, second = desk.ask("a", "1"), desk.ask("b", "2")
    next(first), next(second), next(second)
    second.close()
    assert (desk.line.running, desk.line.waiting) == (1, 0)


def test_errors_pass_and_leave_no_seat_taken(settings: Settings) -> None:
    def script(_: str) -> Iterator[Event]:
        yield [HIT]
        raise ModelError("The model is down; start it.")

    desk = Desk(FakeBot(script), settings)
    with pytest.raises(ModelError):
        list(desk.ask("a", "1"))
    assert desk.line.running == 0 and counts(desk) == {("page", "failed"): 1}


def test_an_abstention_and_a_broken_stream_are_told_apart(settings: Settings) -> None:
    desk = Desk(
        FakeBot(lambda text: iter([[HIT], answered("-", abstained=True)] if text == "A" else [[HIT], "Ha"])), settings
    )
    list(desk.ask("a", "A"))
    list(desk.ask("a", "B"))
    assert counts(desk) == {("page", "abstained"): 1, ("page", "failed"): 1}


def test_too_many_a_minute_are_refused_with_the_seconds(settings: Settings) -> None:
    desk = Desk(FakeBot(), settings.model_copy(update={"per_minute": 2}))
    list(desk.ask("a", "1")), list(desk.ask("a", "2"))
    with pytest.raises(OftenError, match=r"^2 questions within 60 seconds are allowed; try again in \d+ seconds\.$"):
        next(desk.ask("a", "3"))
    list(desk.ask("b", "1"))
    assert counts(desk) == {("page", "answered"): 3, ("page", "refused"): 1}


def test_a_fresh_cookie_is_no_fresh_allowance_but_a_signed_in_user_has_its_own(settings: Settings) -> None:
    desk = Desk(FakeBot(), settings.model_copy(update={"per_minute": 1}))
    desk.visitors.seen("guest:1", "192.0.2.1"), desk.visitors.seen("guest:2", "192.0.2.1")
    list(desk.ask("guest:1", "1"))
    with pytest.raises(BusyError):
        next(desk.ask("guest:2", "1"))
    list(desk.ask("user:anna", "1"))


@pytest.mark.parametrize(
    ("address", "counted"),
    [("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:2%eth0", "2001:db8::/64"), ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
     ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("here", "here"),
     ("", "")],
)  # fmt: skip
def test_the_addresses_of_one_household_count_as_one(address: str, counted: str) -> None:
    assert network(address) == network(counted) == counted


def test_a_guest_of_which_no_address_is_known_is_counted_alone() -> None:
    visitors = Visitors()
    visitors.seen("a", "here")
    assert (visitors.counted("a"), visitors.counted("new")) == ("here", "new")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), max_size=40), st.integers(1, 4))
def test_no_window_of_a_minute_ever_holds_more_than_the_limit(asks: list[tuple[str, int]], most: int) -> None:
    now = 0.0
    limit = Limit(most, "questions", clock=lambda: now)
    taken: dict[str, list[float]] = {"a": [], "b": []}
    for key, pause in asks:
        now += pause
        recent = [time for time in taken[key] if time > now - 60]
        try:
            limit.take(key)
            taken[key].append(now)
            assert len(recent) < most
        except OftenError as error:
            assert len(recent) == most and 0 < error.seconds <= 60
            assert recent[0] + 60 <= now + error.seconds


def test_a_limit_of_zero_is_none_and_what_is_given_back_does_not_count() -> None:
    free, one = Limit(0, "questions"), Limit(1, "questions")
    for _ in range(100):
        free.take("a")
    one.take("a"), one.give_back("a"), one.give_back("a"), one.take("a")
    with pytest.raises(OftenError):
        one.take("a")


def test_a_look_at_the_limit_counts_nothing_and_leaves_nothing_behind() -> None:
    now = 0.0
    limit = Limit(1, "tries", clock=lambda: now)
    limit.check("a"), limit.check("a"), limit.take("a")
    with pytest.raises(OftenError):
        limit.check("a")
    now = 60.0
    limit.check("a")
    assert limit._times == {}


def test_many_keys_at_once_do_not_cost_the_square_of_their_number() -> None:
    limit = Limit(1, "tries", clock=lambda: 0.0)
    began = time.monotonic()
    for number in range(50_000):
        limit.take(str(number))
    assert time.monotonic() - began < 10  # Looking through all of them each time takes a minute.


def test_a_check_asks_the_model_once_in_a_while_and_keeps_its_fault(settings: Settings) -> None:
    bot = FakeBot()
    desk = Desk(bot, settings)
    desk.check(), desk.check()
    assert bot.checked == 1
    bot.fault = ModelError("The model is down; start it.")
    failing = Desk(bot, settings)
    for _ in range(2):
        with pytest.raises(ModelError, match="is down"):
            failing.check()
    assert bot.checked == 2


def test_an_answer_is_as_good_as_a_check(settings: Settings) -> None:
    bot = FakeBot()
    desk = Desk(bot, settings)
    list(desk.ask("a", "1"))
    desk.check()
    assert bot.checked == 0


def test_an_index_that_cannot_be_read_is_not_ready(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, gone = Desk(FakeBot(), settings), PropertyMock(side_effect=StoreError("The index is gone; build it."))
    monkeypatch.setattr(FakeBot, "documents", gone, raising=False)
    with pytest.raises(StoreError):
        desk.check()


def test_a_check_does_not_wait_for_another_one(settings: Settings) -> None:
    begun, end = threading.Event(), threading.Event()

    class Slow(FakeBot):
        def check(self) -> None:
            begun.set()
            assert end.wait(WAIT)

    desk = Desk(Slow(), settings)
    thread = threading.Thread(target=desk.check)
    thread.start()
    assert begun.wait(WAIT)
    with pytest.raises(ModelError, match="not been tried yet"):
        desk.check()
    end.set()
    thread.join(WAIT)
    desk.check()


def test_a_question_that_is_too_long_takes_no_place_and_is_not_counted(settings: Settings) -> None:
    bot = FakeBot()
    desk = Desk(bot, settings.model_copy(update={"per_minute": 1}))
    with pytest.raises(QuestionError, match=r"2,001 characters, and at most 2,000 are allowed; shorten it"):
        next(desk.ask("o", "x" * (bounds.QUESTION + 1)))
    assert bot.asked == [] and counts(desk) == {("page", "refused"): 1}
    assert len(list(desk.ask("o", "x" * bounds.QUESTION))) == 3


def test_what_a_check_finds_is_told_to_the_operator_once(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    bot = FakeBot()
    bot.fault = ModelError("The model is down; start it.", "'m' at http://10.0.0.7/v1: APIConnectionError")
    desk = Desk(bot, settings)
    with caplog.at_level(logging.WARNING, "rag.server.desk"):
        for _ in range(3):
            with pytest.raises(ModelError):
                desk.check()
    fields = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert fields == [{"reason": "ModelError: 'm' at http://10.0.0.7/v1: APIConnectionError"}]
