"""Rate limits: never too many within a minute, and who counts as one visitor."""

import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.server.cluster import Cluster
from rag.server.database import PostgreSQL
from rag.server.limits import Limit, OftenError, RateLimit, Visitors, network
from rag.server.shared import SharedKnown, SharedRateLimit


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


ASKS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), max_size=40)
"""Who asks, and how many seconds after the one before."""
Make = Callable[[int, Callable[[], float]], Limit]


def make_here(most: int, clock: Callable[[], float]) -> Limit:
    return RateLimit(most, "questions", clock=clock)


@pytest.fixture
def make_shared(cluster: Cluster) -> Make:
    """Makes a limit that copies of the server share."""
    kinds = count()
    return lambda most, clock: SharedRateLimit(cluster, f"{next(kinds)}", most, "questions", clock=clock)


@pytest.fixture(params=["here", pytest.param("shared", marks=pytest.mark.slow)])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a limit, of this process or shared."""
    return make_here if request.param == "here" else request.getfixturevalue("make_shared")


def check_windows(make: Make, asks: list[tuple[str, int]], most: int) -> None:
    now = 0.0
    limit = make(most, lambda: now)
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


@given(ASKS, st.integers(1, 4))
def test_no_window_of_a_minute_ever_holds_more_than_the_limit(asks: list[tuple[str, int]], most: int) -> None:
    check_windows(make_here, asks, most)


@pytest.mark.slow
@given(ASKS, st.integers(1, 4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_nor_does_that_of_copies_that_share_it(make_shared: Make, asks: list[tuple[str, int]], most: int) -> None:
    check_windows(make_shared, asks, most)


def test_a_limit_of_zero_is_none_and_what_is_given_back_does_not_count(make: Make) -> None:
    free, one = make(0, time.time), make(1, time.time)
    for _ in range(100):
        free.take("a")
    one.take("a"), one.give_back("a"), one.give_back("a"), one.take("a")
    with pytest.raises(OftenError):
        one.take("a")
    with pytest.raises(OftenError):
        one.check("a")
    free.check("a"), one.check("b")


def test_two_copies_count_together_by_the_clock_of_the_database(database: PostgreSQL) -> None:
    copies = [Cluster(database), Cluster(database)]
    one, two = (SharedRateLimit(copy, "questions", 3, "questions") for copy in copies)
    one.take("a"), two.take("a"), one.take("a"), two.take("b")
    for limit in (one, two):
        with pytest.raises(OftenError, match="3 questions within 60 seconds are allowed") as raised:
            limit.take("a")
        assert 50 < raised.value.seconds <= 60
    for copy in copies:
        copy.close()


def test_many_at_once_in_two_copies_are_never_more_than_the_limit(database: PostgreSQL) -> None:
    copies = [Cluster(database), Cluster(database)]
    limits = [SharedRateLimit(copy, "questions", 5, "questions") for copy in copies]

    def take(number: int) -> bool:
        try:
            limits[number % 2].take("a")
        except OftenError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(20))) == 5
    for copy in copies:
        copy.close()


def test_what_one_copy_knows_the_other_knows(cluster: Cluster) -> None:
    one, two = SharedKnown(cluster), SharedKnown(cluster)
    assert ("here", "ann") not in one
    one.add(("here", "ann")), one.add(("here", "ann"))
    assert ("here", "ann") in two and ("here", "bob") not in two


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
