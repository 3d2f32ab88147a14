"""Copies of the server that share a database: answers under way in one, seen, stopped and survived by another."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes import HIT, WAIT, Event, FakeBot, answered
from postgres import Postgres

from rag.errors import BusyError, StoreError, for_readers
from rag.page.handlers import UNDER_WAY, Page
from rag.server.answering import Answering, Running
from rag.server.elsewhere import Elsewhere
from rag.server.records import Progress, Turn
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import Settings

ANN = "ann", "c"


class Copy:
    """One copy of the server: what it has open, and a bot that is silent until its gate is open."""

    def __init__(self, address: str, settings: Settings) -> None:
        def script(question: str) -> Iterator[Event]:
            yield [HIT]
            yield "Half"
            self.bot.gate.wait()
            yield answered(f"Said {question}")

        self.bot = FakeBot(script)
        self.store = Store(address)
        self.service = Service(self.bot, settings, self.store.cluster)
        self.answering = Answering(self.service, self.store)

    def begin(self, question: str = "Q", turns: tuple[Turn, ...] = (), replaced: tuple[Turn, ...] = ()) -> Running:
        """Ask, and wait until half of it is written."""
        running = self.answering.begin(*ANN, question, turns, replaced)
        assert running
        next(progress for progress in running.follow() if progress.turns[-1].text == "Half")
        return running

    def close(self) -> None:
        self.bot.gate.set()
        self.store.close()


Open = Callable[..., Copy]


@pytest.fixture
def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a copy on the database."""
    monkeypatch.setattr("rag.server.cluster.BEAT", 0.1)
    monkeypatch.setattr("rag.server.cluster.DEAD", 3.0)
    monkeypatch.setattr("rag.server.elsewhere.LOOK", 0.05)
    copies: list[Copy] = []

    def open_one(address: str = "", **changes: object) -> Copy:
        address = address or request.getfixturevalue("address")
        copies.append(Copy(address, settings.model_copy(update={"per_minute": 0, **changes})))
        return copies[-1]

    yield open_one
    for copy in copies:
        copy.close()


def seen_from(copy: Copy) -> Elsewhere:
    """The answer under way in another copy."""
    found = copy.answering.under_way(*ANN)
    assert isinstance(found, Elsewhere)
    return found


def test_an_answer_in_one_copy_is_followed_in_another_to_its_end(opened: Open) -> None:
    here, there = opened(), opened()
    before = (Turn(1, "Before?", text="Yes.", state="done"),)
    here.store.write(*ANN, before)
    running = here.begin("Q", before)
    following = seen_from(there).follow()
    progress = next(one for one in following if one.turns[-1].text == "Half")
    assert (progress.turns[:1], progress.turns[1].state, progress.is_over) == (before, "running", False)
    assert there.answering.begin(*ANN, "Another?", before) is None
    here.bot.gate.set()
    *_, last = following
    assert last == Progress(running.turns, is_over=True) and last.turns[-1].text == "Said Q"
    assert there.store.read(*ANN) == running.turns and there.answering.under_way(*ANN) is None


def test_an_answer_in_one_copy_is_stopped_from_another(opened: Open) -> None:
    here, there = opened(), opened()
    running = here.begin()
    there.answering.stop("ben", "c")
    there.answering.stop(*ANN)
    *_, last = running.follow()
    assert (last.turns[-1].state, last.turns[-1].text, last.turns[-1].note) == ("stopped", "Half", "Stopped.")
    *_, last = Elsewhere(there.answering._shared, there.store, *ANN, running.turns[-1]).follow()
    assert last.turns == there.store.read(*ANN) == running.turns
    there.bot.gate.set()
    again = there.answering.begin(*ANN, "Again?", running.turns)
    assert again and [*again.follow()][-1].turns[-1].text == "Said Again?"


def test_an_answer_that_replaces_others_and_is_lost_leaves_them(opened: Open) -> None:
    here, there = opened(), opened()
    kept = (Turn(1, "One?", text="One.", state="done"), Turn(2, "Two?", text="Two.", state="done"))
    here.store.write(*ANN, kept)
    here.bot.script = lambda _: iter([here.bot.waits() or [HIT]])
    here.answering.begin(*ANN, "Changed?", kept[:1], kept[1:])
    assert seen_from(there).turns == (kept[0], Turn(2, "Changed?"))
    here.store.cluster.close()
    while there.answering.under_way(*ANN):
        time.sleep(0.05)
    assert there.store.read(*ANN) == kept


def test_a_question_that_is_lost_before_anything_is_found_is_shown_as_broken_off(opened: Open) -> None:
    here, there = opened(), opened()
    here.bot.script = lambda _: iter([here.bot.waits() or [HIT]])
    here.answering.begin(*ANN, "Q", ())
    assert seen_from(there).turns == (Turn(1, "Q"),)
    while not here.bot.asked:  # It was kept before.
        time.sleep(0.05)
    here.store.cluster.close()
    *_, last = seen_from(there).follow()
    assert last.turns == (Turn(1, "Q", state="failed", note="The answer broke off. Ask again."),)


def test_a_copy_that_was_taken_for_dead_does_not_write_over_what_came_after(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = opened(), opened()
    beat = here.answering._beat
    here.store.cluster._beats.clear()  # It hangs.
    stuck = here.begin("Stuck?")
    while there.answering.under_way(*ANN):
        time.sleep(0.05)
    broken = there.store.read(*ANN)
    assert broken and (broken[0].question, broken[0].state) == ("Stuck?", "failed")
    there.bot.gate.set()
    later = there.answering.begin(*ANN, "Again?", broken)
    assert later and [*later.follow()][-1].turns[-1].text == "Said Again?"
    beat()
    *_, last = stuck.follow()
    assert last.turns[-1].state == "failed" and last.warning == "The answer broke off. Ask again."
    here.bot.gate.set()
    assert here.bot.closed.wait(WAIT)
    assert [turn.question for turn in there.store.read(*ANN) or ()] == ["Stuck?", "Again?"]


CHILD = """
import sys, time
from fakes import HIT, FakeBot
from rag.server import cluster
from rag.server.answering import Answering
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import ServerSettings

def script(question):
    yield [HIT]
    yield "Half"
    print("half", flush=True)
    time.sleep(600)

cluster.BEAT = 0.1
store = Store(sys.argv[1])
settings = ServerSettings(_env_file=None, at_once=1)
Answering(Service(FakeBot(script), settings, store.cluster), store).begin("ann", "c", "Q", ())
time.sleep(600)
"""


@pytest.mark.slow
def test_a_copy_that_is_killed_costs_the_answer_in_flight_and_no_more(opened: Open, address: str) -> None:
    there = opened(at_once=1)
    before = Turn(1, "Before?", text="Yes.", state="done")
    there.store.write("ann", "other", [before])
    token = there.store.start_session("ann", 60)
    child = subprocess.Popen([sys.executable, "-c", CHILD, address], stdout=-1, cwd=Path(__file__).parents[1])
    try:
        assert child.stdout and child.stdout.readline() == b"half\n"
        following = seen_from(there).follow()
        next(one for one in following if one.turns[-1].text == "Half")
        waiting = there.answering.begin("ben", "c", "Mine?", ())
        assert waiting
        next(progress for progress in waiting.follow() if progress.turns[-1].ahead == 1)
    finally:
        child.kill()
        child.wait(WAIT)
    killed = time.monotonic()
    *_, last = following
    assert time.monotonic() - killed < 10
    (turn,) = last.turns
    assert (turn.state, turn.note, turn.hits) == ("failed", "The answer broke off. Ask again.", (HIT,))
    there.bot.gate.set()
    assert [*waiting.follow()][-1].turns[-1].text == "Said Mine?"  # The place of the dead copy was given to it.
    assert there.store.read("ann", "other") == (before,) and there.store.session_user(token) == "ann"
    again = there.answering.begin(*ANN, "Again?", last.turns)
    assert again and [*again.follow()][-1].turns[-1].text == "Said Again?"


def test_two_services_keep_the_rates_and_the_queue_together(opened: Open) -> None:
    here, there = opened(per_minute=2, at_once=1, queue=0), opened(per_minute=2, at_once=1, queue=0)
    asking = here.service.ask("ann", "1")
    assert next(asking) == [HIT]
    with pytest.raises(BusyError, match="0 questions are waiting already"):
        next(there.service.ask("ben", "1"))
    asking.close()
    there.bot.gate.set()
    assert len(list(there.service.ask("ann", "2"))) == 3
    for copy in (here, there):
        with pytest.raises(BusyError, match="2 questions within 60 seconds are allowed"):
            next(copy.service.ask("ann", "3"))


# The page


def by(session: str) -> Any:
    return SimpleNamespace(username="ann", query_params={"c": "c"}, headers={}, session_hash=session)


def test_the_page_of_another_copy_shows_the_answer_and_hinders_another(
    opened: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda text, **_: told.append(text))
    here, there = opened(), opened()
    page = Page(there.service, there.store, settings)
    here.begin()
    loading = page.load(by("one"))
    shown = next(values for values in loading if "Half" in str(values[0]["value"]))
    assert shown[3]["stop_btn"] is True
    next(page.remove_last("c", by("two")))
    assert told == [UNDER_WAY]
    page.stop("c", by("two"))
    *_, values = loading
    assert "Stopped." in str(there.store.read(*ANN))
    assert values[3]["stop_btn"] is False


@pytest.mark.slow
def test_while_the_database_restarts_readers_are_told_and_then_all_goes_on(
    opened: Open, settings: Settings, own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    address = own_postgres.create()
    here, there = opened(address), opened(address)
    page = Page(there.service, there.store, settings)
    running = here.begin()
    following = seen_from(there).follow()
    next(following)
    own_postgres.stop("immediate")
    assert not next(following).is_over
    sentence = for_readers(StoreError(""))
    next(page.load(by("one")))
    assert told and set(told) == {sentence}
    refused = there.answering.begin("ben", "c", "Now?", ())
    assert refused and [*refused.follow()][-1].turns[-1].note == sentence
    own_postgres.start()
    here.bot.gate.set()
    *_, last = following
    assert last.turns == running.turns and running.turns[-1].text == "Said Q"
    told.clear()
    there.bot.gate.set()
    *_, values = page.ask("Again?", "c", None, by("one"))
    assert told == [] and "Said Again?" in str(values[0]["value"])
    assert [turn.question for turn in here.store.read(*ANN) or ()] == ["Q", "Again?"]


def test_a_heartbeat_that_fails_does_not_end_the_others(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    copy, beaten = opened(), threading.Event()

    def fail() -> None:
        raise ValueError

    copy.store.cluster.on_beat(fail)
    copy.store.cluster.on_beat(beaten.set)
    assert beaten.wait(WAIT) and "A heartbeat failed." in caplog.text


def test_threads_that_beat_end_with_the_store(opened: Open) -> None:
    before = {thread for thread in threading.enumerate() if thread.name == "heartbeat"}
    copy = opened()
    (beating,) = {thread for thread in threading.enumerate() if thread.name == "heartbeat"} - before
    copy.store.close()
    beating.join(WAIT)
    assert not beating.is_alive()
