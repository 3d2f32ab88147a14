"""Rate limits: never too many within a minute, and who counts as one visitor."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.server.limits import OftenError, RateLimit, Visitors, network


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
    assert (visitors.key("a"), visitors.key("new")) == ("here", "new")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), max_size=40), st.integers(1, 4))
def test_no_window_of_a_minute_ever_holds_more_than_the_limit(asks: list[tuple[str, int]], most: int) -> None:
    now = 0.0
    limit = RateLimit(most, "questions", clock=lambda: now)
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
    free, one = RateLimit(0, "questions"), RateLimit(1, "questions")
    for _ in range(100):
        free.take("a")
    one.take("a"), one.give_back("a"), one.give_back("a"), one.take("a")
    with pytest.raises(OftenError):
        one.take("a")


@pytest.mark.slow
def test_a_look_at_the_limit_counts_nothing_and_leaves_nothing_behind() -> None:
    now = 0.0
    limit = RateLimit(1, "tries", clock=lambda: now)
    limit.check("a"), limit.check("a"), limit.take("a")
    with pytest.raises(OftenError):
        limit.check("a")
    now = 60.0
    limit.check("a")
    tracemalloc.start()
    for key in map(str, range(10_000)):
        limit.check(key), limit.take(key)
    full, _ = tracemalloc.get_traced_memory()
    now = 120.0
    for key in map(str, range(20_000)):
        limit.check(key)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < full / 10


def test_many_keys_at_once_do_not_cost_the_square_of_their_number() -> None:
    limit = RateLimit(1, "tries", clock=lambda: 0.0)
    began = time.monotonic()
    for number in range(50_000):
        limit.take(str(number))
    assert time.monotonic() - began < 10  # Looking through all of them each time takes a minute.
