"""The queue for the model: never too many, nobody out of turn, nobody forgotten."""

import threading

import pytest
from fakes import WAIT
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BusyError
from rag.server.queue import HEARTBEAT, Queue, Ticket

STEPS = st.lists(st.one_of(st.sampled_from("abc"), st.integers(0, 5)), max_size=60)
"""A letter: this owner joins; a number: this one of the tickets is left."""


def served(queue: Queue, tickets: list[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if not queue.ahead(ticket)]


@given(STEPS, st.integers(1, 3), st.integers(0, 6))
def test_whatever_happens_the_bounds_hold_and_no_seat_stays_empty(
    steps: list[str | int], at_once: int, longest: int
) -> None:
    queue = Queue(at_once, longest)
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


@given(st.integers(1, 3), st.integers(1, 8))
def test_a_first_question_comes_before_the_second_ones_of_others(at_once: int, many: int) -> None:
    queue = Queue(at_once, 200)
    greedy = [queue.join("greedy") for _ in range(at_once + many)]
    modest = [queue.join("modest"), queue.join("modest")]
    assert queue.ahead(modest[0]) == 1
    queue.leave(greedy[0])
    assert queue.ahead(modest[0]) == 0


@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 4))
def test_nobody_starves_while_newcomers_come_without_end(at_once: int, longest: int, own: int) -> None:
    queue = Queue(at_once, longest)
    inside = [queue.join(f"first{number}") for number in range(at_once)]
    patient = [queue.join("patient") for _ in range(min(own, (longest + 1) // 2))]
    inside += patient
    for step in range((own + 1) * (at_once + longest) + at_once):
        while queue.waiting < longest:
            inside.append(queue.join(f"new{step}-{len(inside)}"))
        done = next(ticket for ticket in inside if not queue.ahead(ticket))
        queue.leave(done)
        inside.remove(done)
    assert not any(queue.ahead(ticket) for ticket in patient)


def test_a_full_queue_refuses_with_its_length() -> None:
    queue = Queue(1, 2)
    tickets = [queue.join(owner) for owner in "abc"]
    with pytest.raises(BusyError, match=r"^2 questions are waiting already; ask again in a minute\.$"):
        queue.join("d")
    queue.leave(tickets[1])
    assert queue.ahead(queue.join("d")) == 2


def test_one_owner_takes_at_most_half_of_the_queue() -> None:
    queue = Queue(1, 4)
    for _ in range(3):
        queue.join("a")
    with pytest.raises(BusyError, match="2 questions of yours are waiting already"):
        queue.join("a")
    assert queue.ahead(queue.join("b")) == 1


def test_without_a_queue_only_a_free_seat_is_given() -> None:
    queue = Queue(1, 0)
    first = queue.join("a")
    with pytest.raises(BusyError):
        queue.join("b")
    queue.leave(first)
    assert queue.ahead(queue.join("b")) == 0


def test_a_change_wakes_who_waits_before_the_heartbeat() -> None:
    queue = Queue(1, 1)
    first, second = queue.join("a"), queue.join("b")
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(queue.ahead(second, seen=1)))
    thread.start()
    queue.leave(first)
    thread.join(WAIT)
    assert seen == [0]


@pytest.mark.slow
def test_without_a_change_the_heartbeat_ends_the_wait() -> None:
    queue = Queue(1, 1)
    queue.join("a")
    assert queue.ahead(queue.join("b"), seen=1) == 1 and HEARTBEAT < 1


def test_threads_are_never_more_than_the_seats() -> None:
    queue, moving = Queue(3, 100), threading.Lock()
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
