"""The line before the model: never too many, nobody before his turn, nobody forgotten."""

import threading

import pytest
from fakes import WAIT
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BusyError
from rag.server.line import HEARTBEAT, Line, Place

STEPS = st.lists(st.one_of(st.sampled_from("abc"), st.integers(0, 5)), max_size=60)
"""A letter: this owner joins; a number: this one of the places is left."""


def served(places: list[Place]) -> list[Place]:
    return [place for place in places if not place.ahead()]


@given(STEPS, st.integers(1, 3), st.integers(0, 6))
def test_whatever_happens_the_bounds_hold_and_no_seat_stays_empty(
    steps: list[str | int], at_once: int, longest: int
) -> None:
    line = Line(at_once, longest)
    inside: list[Place] = []
    for step in steps:
        if isinstance(step, int):
            if inside:
                inside.pop(step % len(inside)).__exit__(None, None, None)
        else:
            try:
                inside.append(line.join(step))
            except BusyError:
                waiting = [place for place in inside if place.ahead()]
                own = [place for place in waiting if place.owner == step]
                assert len(waiting) == longest or len(own) == (longest + 1) // 2
        assert line.running == len(served(inside)) == min(at_once, len(inside))
        assert line.waiting == len(inside) - line.running <= longest
        aheads = sorted(place.ahead() for place in inside if place.ahead())
        assert aheads == list(range(1, line.waiting + 1))


@given(STEPS, st.integers(1, 3))
def test_the_questions_of_one_owner_are_served_in_their_order(steps: list[str | int], at_once: int) -> None:
    line = Line(at_once, 100)
    inside: list[Place] = []
    for step in steps:
        if isinstance(step, int):
            if inside:
                inside.pop(step % len(inside)).__exit__(None, None, None)
        else:
            inside.append(line.join(step))
        for owner in "abc":
            aheads = [place.ahead() for place in inside if place.owner == owner]
            waiting = [ahead for ahead in aheads if ahead]
            assert waiting == sorted(waiting) and aheads == [0] * (len(aheads) - len(waiting)) + waiting


@given(st.integers(1, 3), st.integers(1, 8))
def test_a_first_question_comes_before_the_second_ones_of_others(at_once: int, many: int) -> None:
    line = Line(at_once, 200)
    greedy = [line.join("greedy") for _ in range(at_once + many)]
    modest = [line.join("modest"), line.join("modest")]
    assert modest[0].ahead() == 1
    greedy[0].__exit__(None, None, None)
    assert modest[0].ahead() == 0


@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 4))
def test_nobody_starves_while_newcomers_come_without_end(at_once: int, longest: int, own: int) -> None:
    line = Line(at_once, longest)
    inside = [line.join(f"first{number}") for number in range(at_once)]
    patient = [line.join("patient") for _ in range(min(own, (longest + 1) // 2))]
    inside += patient
    for step in range((own + 1) * (at_once + longest) + at_once):
        while line.waiting < longest:
            inside.append(line.join(f"new{step}-{len(inside)}"))
        done = next(place for place in inside if not place.ahead())
        done.__exit__(None, None, None)
        inside.remove(done)
    assert not any(place.ahead() for place in patient)


def test_a_full_line_refuses_with_its_length() -> None:
    line = Line(1, 2)
    places = [line.join(owner) for owner in "abc"]
    with pytest.raises(BusyError, match=r"^2 questions are waiting already; ask again in a minute\.$"):
        line.join("d")
    places[1].__exit__(None, None, None)
    assert line.join("d").ahead() == 2


def test_one_owner_takes_at_most_half_of_the_line() -> None:
    line = Line(1, 4)
    for _ in range(3):
        line.join("a")
    with pytest.raises(BusyError, match="2 questions of yours are waiting already"):
        line.join("a")
    assert line.join("b").ahead() == 1


def test_without_a_line_only_a_free_seat_is_given() -> None:
    line = Line(1, 0)
    with line.join("a"), pytest.raises(BusyError):
        line.join("b")
    with line.join("b") as place:
        assert place.ahead() == 0


def test_a_change_wakes_who_waits_before_the_heartbeat() -> None:
    line = Line(1, 1)
    first, second = line.join("a"), line.join("b")
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(second.ahead(seen=1)))
    thread.start()
    first.__exit__(None, None, None)
    thread.join(WAIT)
    assert seen == [0]


def test_without_a_change_the_heartbeat_ends_the_wait() -> None:
    line = Line(1, 1)
    line.join("a")
    assert line.join("b").ahead(seen=1) == 1 and HEARTBEAT < 1


def test_threads_are_never_more_than_the_seats() -> None:
    line, moving = Line(3, 100), threading.Lock()
    inside, most, done = 0, 0, 0

    def ask(owner: str) -> None:
        nonlocal inside, most, done
        with line.join(owner) as place:
            ahead = place.ahead()
            while ahead:
                ahead = place.ahead(seen=ahead)
            with moving:
                inside += 1
                most = max(most, inside)
            with moving:
                inside -= 1
                done += 1

    threads = [threading.Thread(target=ask, args=(str(number % 5),)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert (done, line.running, line.waiting) == (40, 0, 0) and most <= 3
