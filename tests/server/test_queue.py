"""The queue for the model: never too many, nobody out of turn, nobody forgotten."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fakes import WAIT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import Postgres
from sqlalchemy import delete

from rag.errors import BusyError
from rag.server.cluster import Cluster
from rag.server.database import PostgreSQL
from rag.server.queue import HEARTBEAT, Queue, Ticket
from rag.server.schema import TICKETS
from rag.server.shared import POLL, SharedQueue

STEPS = st.lists(st.one_of(st.sampled_from("abc"), st.integers(0, 5)), max_size=60)
"""A letter: this owner joins; a number: this one of the tickets is left."""


Make = Callable[[int, int], Queue | SharedQueue]
effort = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
little = settings(effort, max_examples=5)
"""Each step is a transaction, or several."""


@pytest.fixture
def shared(database: PostgreSQL) -> Iterator[Make]:
    """Makes an empty queue that copies of the server share, without heartbeats."""
    cluster = Cluster(database)
    cluster.close()

    def make(at_once: int, longest: int) -> SharedQueue:
        with database.begin() as connection:
            connection.execute(delete(TICKETS))
        return SharedQueue(cluster, at_once, longest)

    return make


@pytest.fixture(params=["here", pytest.param("shared", marks=pytest.mark.slow)])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes an empty queue, of this process or shared."""
    return Queue if request.param == "here" else request.getfixturevalue("shared")


def served(queue: Queue, tickets: list[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if not queue.ahead(ticket)]


def check_bounds(make: Make, steps: list[str | int], at_once: int, longest: int) -> None:
    queue = make(at_once, longest)
    inside: list[Ticket] = []
    for step in steps:
        if isinstance(step, int):
            if inside:
                queue.leave(inside.pop(step % len(inside)))
        else:
            try:
                inside.append(queue.join(step))
            except BusyError:
                waiting = [ticket for ticket in inside if queue.ahead(ticket)]
                own = [ticket for ticket in waiting if ticket.owner == step]
                assert len(waiting) == longest or len(own) == (longest + 1) // 2
        assert queue.running == len(served(queue, inside)) == min(at_once, len(inside))
        assert queue.waiting == len(inside) - queue.running <= longest
        aheads = sorted(queue.ahead(ticket) for ticket in inside if queue.ahead(ticket))
        assert aheads == list(range(1, queue.waiting + 1))


@given(STEPS, st.integers(1, 3), st.integers(0, 6))
@effort
def test_whatever_happens_the_bounds_hold_and_no_seat_stays_empty(
    steps: list[str | int], at_once: int, longest: int
) -> None:
    check_bounds(Queue, steps, at_once, longest)


@pytest.mark.slow
@given(STEPS, st.integers(1, 3), st.integers(0, 6))
@little
def test_the_bounds_of_a_shared_queue_hold_as_well(
    shared: Make, steps: list[str | int], at_once: int, longest: int
) -> None:
    check_bounds(shared, steps, at_once, longest)


@given(STEPS, st.integers(1, 3))
def test_the_questions_of_one_owner_are_served_in_their_order(steps: list[str | int], at_once: int) -> None:
    queue = Queue(at_once, 100)
    inside: list[Ticket] = []
    for step in steps:
        if isinstance(step, int):
            if inside:
                queue.leave(inside.pop(step % len(inside)))
        else:
            inside.append(queue.join(step))
        for owner in "abc":
            aheads = [queue.ahead(ticket) for ticket in inside if ticket.owner == owner]
            waiting = [ahead for ahead in aheads if ahead]
            assert waiting == sorted(waiting) and aheads == [0] * (len(aheads) - len(waiting)) + waiting


@pytest.mark.parametrize(("at_once", "many"), [(1, 1), (1, 8), (3, 4)])
def test_a_first_question_comes_before_the_second_ones_of_others(make: Make, at_once: int, many: int) -> None:
    queue = make(at_once, 200)
    greedy = [queue.join("greedy") for _ in range(at_once + many)]
    modest = [queue.join("modest"), queue.join("modest")]
    assert queue.ahead(modest[0]) == 1
    queue.leave(greedy[0])
    assert queue.ahead(modest[0]) == 0


@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 4))
def test_nobody_starves_while_newcomers_come_without_end(at_once: int, longest: int, own: int) -> None:
    check_patience(Queue, at_once, longest, own)


def test_nobody_starves_in_a_shared_queue(shared: Make) -> None:
    check_patience(shared, 2, 5, 2)


def check_patience(make: Make, at_once: int, longest: int, own: int) -> None:
    queue = make(at_once, longest)
    inside = [queue.join(f"first{number}") for number in range(at_once)]
    patient = [queue.join("patient") for _ in range(min(own, (longest + 1) // 2))]
    inside += patient
    for step in range((own + 1) * (at_once + longest) + at_once):
        while queue.waiting < longest:
            inside.append(queue.join(f"new{step}-{len(inside)}"))
        done = next(ticket for ticket in inside if not queue.ahead(ticket))
        queue.leave(done)
        inside.remove(done)
    assert not any(queue.ahead(ticket) for ticket in patient if ticket in inside)


def test_a_full_queue_refuses_with_its_length(make: Make) -> None:
    queue = make(1, 2)
    tickets = [queue.join(owner) for owner in "abc"]
    with pytest.raises(BusyError, match=r"^2 questions are waiting already; ask again in a minute\.$"):
        queue.join("d")
    queue.leave(tickets[1])
    assert queue.ahead(queue.join("d")) == 2


def test_one_owner_takes_at_most_half_of_the_queue(make: Make) -> None:
    queue = make(1, 4)
    for _ in range(3):
        queue.join("a")
    with pytest.raises(BusyError, match="2 questions of yours are waiting already"):
        queue.join("a")
    assert queue.ahead(queue.join("b")) == 1


def test_without_a_queue_only_a_free_seat_is_given(make: Make) -> None:
    queue = make(1, 0)
    first = queue.join("a")
    with pytest.raises(BusyError):
        queue.join("b")
    queue.leave(first)
    assert queue.ahead(queue.join("b")) == 0


def test_a_change_wakes_who_waits_before_the_heartbeat(make: Make) -> None:
    queue = make(1, 1)
    first, second = queue.join("a"), queue.join("b")
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(queue.ahead(second, seen=1)))
    thread.start()
    queue.leave(first)
    thread.join(WAIT)
    assert seen == [0]


@pytest.mark.slow
def test_without_a_change_the_heartbeat_ends_the_wait(make: Make) -> None:
    queue = make(1, 1)
    queue.join("a")
    assert queue.ahead(queue.join("b"), seen=1) == 1 and HEARTBEAT < 1 and POLL < 1


def test_threads_are_never_more_than_the_seats(make: Make) -> None:
    queue, moving = make(3, 100), threading.Lock()
    inside, most, done = 0, 0, 0

    def ask(owner: str) -> None:
        nonlocal inside, most, done
        ticket = queue.join(owner)
        ahead = queue.ahead(ticket)
        while ahead:
            ahead = queue.ahead(ticket, seen=ahead)
        with moving:
            inside += 1
            most = max(most, inside)
        with moving:
            inside -= 1
            done += 1
        queue.leave(ticket)

    threads = [threading.Thread(target=ask, args=(str(number % 5),)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert (done, queue.running, queue.waiting) == (40, 0, 0) and most <= 3


@pytest.mark.slow
def test_a_database_that_was_down_for_long_does_not_take_the_copies_for_dead(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.server.cluster.DEAD", 1.5)
    database = PostgreSQL(own_postgres.create())
    cluster = Cluster(database)
    cluster.close()
    one, two = SharedQueue(cluster, 1, 3), SharedQueue(cluster, 1, 3)
    first = one.join("a")
    own_postgres.stop()
    time.sleep(1.6)
    own_postgres.start()
    second = two.join("b")
    assert (one.ahead(first), two.ahead(second)) == (0, 1)
    database.close()


def test_two_copies_keep_the_bounds_together_and_serve_in_one_order(database: PostgreSQL) -> None:
    here, there = Cluster(database), Cluster(database)
    one, two = SharedQueue(here, 1, 3), SharedQueue(there, 1, 3)
    first, second, third = one.join("a"), two.join("b"), one.join("c")
    assert (one.ahead(first), two.ahead(second), one.ahead(third)) == (0, 1, 2)
    assert (one.running, one.waiting, two.running, two.waiting) == (1, 1, 0, 1)
    fourth = two.join("b")
    assert two.ahead(fourth) == 3  # A second question of one who waits.
    for queue in (one, two):
        with pytest.raises(BusyError, match="3 questions are waiting already"):
            queue.join("d")
    one.leave(first)
    assert (two.ahead(second), one.ahead(third), two.ahead(fourth)) == (0, 1, 2)
    here.close(), there.close()


@pytest.mark.slow
def test_the_tickets_of_a_copy_that_dies_are_given_up_and_those_of_others_are_not(
    database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.server.cluster.BEAT", 0.1)
    monkeypatch.setattr("rag.server.cluster.DEAD", 1.0)
    here, there = Cluster(database), Cluster(database)
    living, dying = SharedQueue(here, 1, 5), SharedQueue(there, 1, 5)
    taken, lost = dying.join("a"), dying.join("b")
    ticket = living.join("c")
    assert living.ahead(ticket) == 2
    there.close()
    ahead = 2
    while ahead:
        ahead = living.ahead(ticket, seen=ahead)
    for one in (taken, lost):
        with pytest.raises(BusyError, match="has lost its place in the queue; ask again"):
            dying.ahead(one)
    dying.leave(taken)
    assert living.ahead(ticket) == 0
    here.close()
