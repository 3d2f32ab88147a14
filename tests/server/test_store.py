"""The page's store, on real files."""

import itertools
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from starlette.routing import Router
from starlette.testclient import TestClient

from rag.errors import StoreError
from rag.server import database as database_module
from rag.server import store as store_module
from rag.server.export import download_routes
from rag.server.identity import Identify, Proxies
from rag.server.limits import Visitors
from rag.server.records import REASONS, Rating, Turn, read_turn, to_bytes
from rag.server.store import MOST_CONVERSATIONS, MOST_TURNS, TITLE, ConversationSummary, Store, key_of
from rag.types import Answer, Citation, Hit, Passage, Sentence, Timings

ANN, BOB = "ann", "bob"


class Clock:
    """Says what the test tells it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """A store in a file."""
    with Store(tmp_path / "new" / "folder" / "page.sqlite", clock) as opened:
        yield opened


@pytest.fixture(params=["file", pytest.param("address", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Store]:
    """A store in a file, or in PostgreSQL."""
    place = request.getfixturevalue(request.param)
    with Store(place, clock) if isinstance(place, str) else nullcontext(place) as opened:
        yield opened


def turn(number: int = 1, question: str = "Who leads NATO?") -> Turn:
    """A turn with every part that a turn can have."""
    cited = Citation(1, "d", "a.pdf", "A", 2, 5, "Mark", 3)
    hit = Hit(Passage(7, "d", "a.pdf", "A", 0, 9, "It is Mark.", 3, (4,)), 0.03, None, None, 1)
    answer = Answer(
        question, "Mark Rutte.", (Sentence("Mark Rutte.", (cited,), True),), (cited,), (hit,), False, 0.9,
        Timings(0.0, 0.1, None, 1.5), {"check": 0.25},
    )  # fmt: skip
    return Turn(number, question, (hit,), "Mark Rutte.", answer, "done")


def bad(number: int = 1, conversation: str = "c", **changes: str) -> Rating:
    words = {"reason": "wrong", "comment": "", "right": ""} | changes
    return Rating(conversation, number, False, words["reason"], words["comment"], words["right"], turn(number), ())


def rated(store: Store, owner: str, conversation: str) -> dict[int, Rating]:
    """The ratings of one conversation by the number of their turn."""
    return {rating.number: rating for rating in store.ratings_of(owner, conversation)}


# Conversations


def test_a_conversation_is_listed_and_read(store: Store, clock: Clock) -> None:
    turns = (turn(1, "Who\n leads  NATO?"), turn(2, "And before?"))
    store.write(ANN, "c", turns)
    assert store.conversations(ANN) == [ConversationSummary("c", "Who leads NATO?", 1000.0, 2)]
    assert store.read(ANN, "c") == turns
    assert store.read(ANN, "other") is None


texts = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.integers(0, 10**9)
floats = st.floats(allow_nan=False)
pages = st.none() | numbers
citations = st.builds(Citation, numbers, texts, texts, texts, numbers, numbers, texts, pages)
sentences = st.builds(Sentence, texts, st.lists(citations, max_size=2).map(tuple), st.booleans())
passages = st.builds(
    Passage, numbers, texts, texts, texts, numbers, numbers, texts, pages, st.lists(numbers, max_size=2).map(tuple)
)
hits = st.lists(st.builds(Hit, passages, floats, st.none() | floats, pages, pages), max_size=2).map(tuple)
answers = st.builds(
    Answer, texts, texts, st.lists(sentences, max_size=2).map(tuple), st.lists(citations, max_size=2).map(tuple), hits,
    st.booleans(), floats, st.builds(Timings, floats, floats, st.none() | floats, floats),
    st.dictionaries(texts, floats, max_size=2), near=st.lists(citations, max_size=2).map(tuple),
)  # fmt: skip
turns = st.builds(
    Turn, st.integers(1, 10**9), texts, st.none() | hits, texts, st.none() | answers,
    st.sampled_from(["done", "stopped", "failed"]), texts, numbers, st.sampled_from(["", "good", "bad"]),
    st.lists(citations, max_size=2).map(tuple),
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(turns, min_size=1, max_size=3, unique_by=lambda one: one.number), texts, texts)
@example([Turn(1, "\ud83d\ude00 \ud800 \0", text="\udcff", state="done")], "\ud83d\ude00\0", "\ud800")
@effort(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_everything_survives_letter_for_letter(store: Store, some: list[Turn], owner: str, conversation: str) -> None:
    some.sort(key=lambda one: one.number)
    store.write(owner, conversation, some)
    assert store.read(owner, conversation) == tuple(some)
    (listed,) = store.conversations(owner)
    assert (listed.id, listed.turns) == (conversation, len(some)) and listed.title == listed.title.encode().decode()
    rating = Rating(conversation, some[0].number, True, "", "", "", some[0], (("\ud800", "\udfff"),))
    store.rate(owner, rating)
    assert rated(store, owner, conversation)[some[0].number] == rating
    store.delete(owner, conversation)


def test_evidence_and_near_survive_and_turns_without_them_are_read() -> None:
    whole = turn()
    assert whole.answer
    cited = whole.answer.citations
    quoting = replace(whole, evidence=cited, answer=replace(whole.answer, near=cited, abstained=True))
    assert read_turn(to_bytes(quoting)) == quoting
    older = json.loads(to_bytes(whole))
    del older["evidence"], older["answer"]["near"]
    assert read_turn(json.dumps(older).encode()) == whole


def test_what_is_not_a_number_survives_too(store: Store) -> None:
    answer = turn().answer
    assert answer
    store.write(ANN, "c", [replace(turn(), answer=replace(answer, confidence=math.nan, signals={"x": -math.inf}))])
    (kept,) = store.read(ANN, "c") or ()
    assert kept.answer and math.isnan(kept.answer.confidence) and kept.answer.signals == {"x": -math.inf}


def test_nobody_reaches_what_belongs_to_others(store: Store) -> None:
    store.write(ANN, "c", [turn()])
    store.rate(ANN, bad())
    assert store.read(BOB, "c") is None and store.conversations(BOB) == [] and rated(store, BOB, "c") == {}
    store.delete(BOB, "c")
    store.unrate(BOB, "c", 1)
    store.write(BOB, "c", [turn(1, "Mine?"), turn(2)])
    store.rate(BOB, bad(comment="Bob's"))
    assert store.read(ANN, "c") == (turn(),)
    assert rated(store, ANN, "c")[1].comment == ""
    assert [one.title for one in store.conversations(BOB)] == ["Mine?"]


def test_the_newest_come_first_and_a_long_question_is_shortened(store: Store, clock: Clock) -> None:
    for name, now in (("old", 1.0), ("new", 3.0), ("middle", 2.0)):
        clock.now = now
        store.write(ANN, name, [turn(1, "word " * 100)])
    assert [one.id for one in store.conversations(ANN)] == ["new", "middle", "old"]
    clock.now = 4.0
    store.write(ANN, "old", [turn(1, "word " * 100), turn(2)])
    first = store.conversations(ANN)[0]
    assert (first.id, first.updated, first.turns) == ("old", 4.0, 2)
    assert first.title.startswith("word word") and first.title.endswith(" …") and len(first.title) <= TITLE + 2


def test_writing_replaces_the_whole_conversation(store: Store) -> None:
    store.write(ANN, "c", [turn(1), turn(2), turn(3)])
    grown = (turn(1), replace(turn(2), text="Better.", rated="good"))
    store.write(ANN, "c", grown)
    assert store.read(ANN, "c") == grown
    store.write(ANN, "c", [])
    assert store.read(ANN, "c") is None and store.conversations(ANN) == []


def titles(store: Store, owner: str = ANN) -> list[str]:
    return [one.title for one in store.conversations(owner)]


def test_a_title_that_was_given_stays_when_turns_are_written(store: Store, clock: Clock) -> None:
    store.write(ANN, "c", [turn(1, "Who?")])
    store.rename(ANN, "c", "  The\n head \ud800of  NATO ")
    clock.now = 2000.0
    assert store.conversations(ANN) == [ConversationSummary("c", "The head \ufffdof NATO", 1000.0, 1)]
    for turns in ([turn(1, "Who?"), turn(2)], [turn(1, "Another one?")], [turn(2, "The last one?")]):
        store.write(ANN, "c", turns)
        assert titles(store) == ["The head \ufffdof NATO"]
    store.rename(ANN, "c", "x" * 500)
    assert titles(store) == [f"{'x' * TITLE} …"]
    store.write(ANN, "c", [])
    store.write(ANN, "c", [turn(1, "Anew?")])
    assert titles(store) == ["Anew?"]


def test_without_a_name_the_title_is_the_first_question_as_it_is_now(store: Store) -> None:
    store.write(ANN, "c", [turn(1, "Who?"), turn(2, "And before?")])
    store.write(ANN, "c", [turn(1, "Who\ud800 leads?")])
    assert titles(store) == ["Who\ufffd leads?"]
    store.write(ANN, "c", [turn(1, "word " * 100)])
    store.write(ANN, "c", [turn(1, "What?")])
    assert titles(store) == ["What?"]


def test_a_blank_name_and_one_for_what_is_not_there_change_nothing(store: Store) -> None:
    store.write(ANN, "c", [turn(1, "Who?")])
    for owner, conversation, title in ((ANN, "c", " \n "), (ANN, "other", "x"), (BOB, "c", "x")):
        store.rename(owner, conversation, title)
    assert titles(store) == ["Who?"] and titles(store, BOB) == []


def test_the_ratings_of_a_conversation_are_read_for_its_owner(store: Store) -> None:
    first, second = bad(1, comment="a"), bad(2, comment="b")
    for rating in (second, bad(1, "other"), first):
        store.rate(ANN, rating)
    store.rate(BOB, bad(3))
    assert store.ratings_of(ANN, "c") == (first, second)
    assert store.ratings_of(ANN, "none") == () and store.ratings_of("eve", "c") == ()


def test_a_deleted_conversation_leaves_nothing_behind(file: Store) -> None:
    file.write(ANN, "c", [turn(1, "The zebra question")])
    file.rate(ANN, bad(comment="The zebra comment"))
    file.delete(ANN, "c")
    assert file.read(ANN, "c") is None and rated(file, ANN, "c") == {} and list(file.ratings()) == []
    assert not any(b"zebra" in path.read_bytes() for path in file.path.parent.iterdir())


def test_the_least_recent_conversations_go(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_CONVERSATIONS", 3)
    store.write(BOB, "0", [turn()])
    for number in range(5):
        clock.now += 1
        store.write(ANN, str(number), [turn()])
    assert [one.id for one in store.conversations(ANN)] == ["4", "3", "2"]
    assert store.read(ANN, "1") is None and store.read(BOB, "0") == (turn(),)
    clock.now = 0  # Set back: what is written now is the newest all the same.
    store.write(ANN, "5", [turn()])
    assert {one.id for one in store.conversations(ANN)} == {"4", "3", "5"}
    assert MOST_CONVERSATIONS == 500


def test_of_a_long_conversation_the_last_turns_stay(store: Store) -> None:
    store.write(ANN, "c", [Turn(number, str(number), state="done") for number in range(1, MOST_TURNS + 6)])
    kept = store.read(ANN, "c")
    assert kept and [one.number for one in kept] == list(range(6, MOST_TURNS + 6))
    assert store.conversations(ANN)[0].title == "6"


def test_a_turn_left_while_it_ran_broke_off(store: Store) -> None:
    store.write(ANN, "c", [turn(), Turn(2, "And?", text="It is", ahead=3)])
    kept = store.read(ANN, "c")
    assert kept and kept[1] == Turn(2, "And?", text="It is", state="failed", note="The answer broke off. Ask again.")


def test_what_cannot_be_read_is_left_out_with_a_warning(file: Store, caplog: pytest.LogCaptureFixture) -> None:
    file.write(ANN, "c", [turn(1), turn(2, "The zebra question"), turn(3)])
    file.rate(ANN, bad(1))
    file.rate(ANN, bad(3))
    with sqlite3.connect(file.path) as other:
        other.execute("UPDATE turns SET turn = CAST(replace(turn, 'question\":', 'asked\":') AS BLOB) WHERE number = 2")
        other.execute("UPDATE turns SET turn = x'7b' WHERE number = 3")
        other.execute("UPDATE ratings SET rating = x'ff' WHERE number = 1")
    other.close()
    assert file.read(ANN, "c") == (turn(1),)
    assert list(rated(file, ANN, "c")) == [3] and [one.number for _, one in file.ratings()] == [3]
    assert "A turn in the store cannot be read" in caplog.text and "A rating in the store" in caplog.text
    assert "zebra" not in caplog.text


# Ratings


def test_the_last_rating_of_a_turn_counts(store: Store) -> None:
    better = Rating("c", 1, True, "", "", "", turn(), (("Before?", "Yes."),))
    store.rate(ANN, bad())
    store.rate(ANN, bad(2))
    ((first, _), _) = store.ratings()
    store.rate(ANN, better)
    assert dict(store.ratings())[first] == better
    assert rated(store, ANN, "c") == {1: better, 2: dict(store.ratings())[first + 1]}
    store.unrate(ANN, "c", 2)
    assert list(rated(store, ANN, "c")) == [1]
    store.rate(ANN, bad(2))
    assert max(dict(store.ratings())) > first + 1  # The number of one that was taken back is not given again.


def test_ratings_are_read_page_by_page_and_outlive_what_was_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_PAGE", 2)
    monkeypatch.setattr(store_module, "MOST_CONVERSATIONS", 1)
    for name in "abcde":
        store.write(ANN, name, [turn()])
        store.rate(ANN, bad(1, name))
    store.rate(BOB, bad(1, "a"))
    assert [one.conversation for _, one in store.ratings()] == ["a", "b", "c", "d", "e", "a"]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_can_be_given(store: Store, reason: str) -> None:
    store.rate(ANN, bad(reason=reason, comment="x", right="y"))
    assert rated(store, ANN, "c")[1].reason == reason


# Who is signed in


def test_a_token_names_its_user_until_its_time_is_over_or_it_is_ended(store: Store, clock: Clock) -> None:
    short, long = store.start_session(ANN, 10), store.start_session(BOB, 20)
    assert len({short, long}) == 2 and len(short) >= 43
    assert (store.session_user(short), store.session_user(long), store.session_user("guessed"), store.session_user("\ud800")) == (
        ANN, BOB, None, None,
    )  # fmt: skip
    clock.now += 10
    assert store.session_user(short) is None and store.session_user(long) == BOB
    store.end_session(long)
    store.end_session(long)
    assert store.session_user(long) is None


def test_only_the_hash_of_a_token_is_kept_and_old_ones_are_removed(file: Store, clock: Clock) -> None:
    token = file.start_session(ANN, 10)
    clock.now += 11
    other = file.start_session(BOB, 10)
    with sqlite3.connect(file.path) as database:
        rows = database.execute("SELECT token, user FROM sessions").fetchall()
    database.close()
    assert [user for _, user in rows] == [BOB.encode()]
    kept = b"".join(path.read_bytes() for path in file.path.parent.iterdir())
    assert token.encode() not in kept and other.encode() not in kept


# The file


def test_it_is_there_when_it_is_opened_again_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.sqlite"
    with Store(path) as store:
        store.write(ANN, "c", [turn()])
        token = store.start_session(ANN, 60)
    assert path.stat().st_mode & 0o077 == 0
    with Store(path) as store:
        assert store.read(ANN, "c") == (turn(),) and store.session_user(token) == ANN


def test_threads_share_it(store: Store) -> None:
    failed: list[Exception] = []

    def work(owner: str) -> None:
        try:
            for number in range(1, 11):
                store.write(owner, "c", [turn(each) for each in range(1, number + 1)])
                assert len(store.read(owner, "c") or ()) == number
        except Exception as error:  # noqa: BLE001 - the test tells it
            failed.append(error)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert all(store.conversations(str(number))[0].turns == 10 for number in range(8))


WRITER = """
import sys
from pathlib import Path
from rag.server.store import Store
from rag.server.records import Turn
print("ready", flush=True)
sys.stdin.readline()
with Store(Path(sys.argv[1])) as store:
    for number in range(40):
        store.write("ann", f"{sys.argv[2]}-{number}", [Turn(1, "?", state="done")])
"""


@pytest.mark.slow
def test_two_processes_open_it_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "page.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, name], stdin=-1, stdout=-1, text=True) for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    with Store(path) as store:
        names = {one.id for one in store.conversations(ANN)}
    assert names == {f"{name}-{number}" for name, number in itertools.product("ab", range(40))}


@contextmanager
def held(path: Path, how: str = "IMMEDIATE") -> Iterator[Callable[[], None]]:
    """Another connection that holds the lock; gives what releases it."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute(f"BEGIN {how}")

        def release() -> None:
            if other.in_transaction:
                other.execute("ROLLBACK")

        yield release
        release()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_file_that_another_process_holds_can_be_read_and_says_so_when_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 0.0)
    with Store(tmp_path / "page.sqlite") as store:
        store.write(ANN, "c", [turn()])
        with held(store.path, how) as release:
            with pytest.raises(StoreError, match=r"at the moment \(database is locked\); try again") as raised:
                store.write(ANN, "c", [turn(), turn(2)])
            assert store.read(ANN, "c") == (turn(),)
            release()
        assert str(tmp_path) not in str(raised.value) and "RAG_" not in str(raised.value)
        assert str(store.path) in caplog.text  # Whoever runs the page has to know which file it is.
        store.write(ANN, "c", [turn(), turn(2)])
        assert store.read(ANN, "c") == (turn(), turn(2))


class Writer(threading.Thread):
    """A thread in which the store writes; `about` is set in the transaction, just before it asks for the lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.about = threading.Event()
        self.store = Store(path, self.tick)
        self.error: Exception | None = None

    def tick(self) -> float:
        self.about.set()
        return 1000.0

    def run(self) -> None:
        try:
            self.store.start_session(BOB, 60)
        except StoreError as error:
            self.error = error


def test_others_are_read_while_a_sign_in_waits_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 20.0)
    writer = Writer(tmp_path / "page.sqlite")
    with writer.store as store:
        store.write(ANN, "c", [turn()])
        token = store.start_session(ANN, 60)
        writer.about.clear()
        with held(store.path) as release:
            writer.start()
            assert writer.about.wait(10)
            assert store.read(ANN, "c") == (turn(),) and store.session_user(token) == ANN
            assert [one.id for one in store.conversations(ANN)] == ["c"]
            assert writer.is_alive()
            release()
        writer.join(20)
        assert not writer.is_alive() and writer.error is None


@pytest.mark.slow
def test_many_that_write_to_a_locked_file_give_up_together_and_not_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 0.5)
    writer = Writer(tmp_path / "page.sqlite")
    with writer.store as store, held(store.path):
        threads = [threading.Thread(target=writer.run, daemon=True) for _ in range(20)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        for thread in threads:
            thread.join(20)
        assert time.monotonic() - began < 5  # One after the other would take ten seconds.
        assert "try again" in str(writer.error)


def test_a_full_disk_costs_only_what_had_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def with_little_room(*values: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*values, **options)
        connection.execute("PRAGMA max_page_count = 50")
        return connection

    monkeypatch.setattr(sqlite3, "connect", with_little_room)
    with Store(tmp_path / "page.sqlite") as store:
        store.write(ANN, "c", [turn()])
        with pytest.raises(StoreError, match=r"at the moment \(database or disk is full\); try again"):
            store.write(ANN, "d", [turn(1, "x" * 1_000_000)])
        assert [one.id for one in store.conversations(ANN)] == ["c"] and store.read(ANN, "c") == (turn(),)


# The file goes another way while it is open


def held_by(path: Path, owner: str = ANN) -> list[str]:
    """The owner's conversations in a file that is looked at alone, without what lies beside it."""
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(shutil.copy(path, folder))
        with closing(sqlite3.connect(alone)) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            query = "SELECT conversation FROM turns WHERE owner = ? ORDER BY conversation"
            return [key.decode() for (key,) in file.execute(query, [key_of(owner)])]


def listed(store: Store) -> list[str]:
    return sorted(one.id for one in store.conversations(ANN))


def test_each_write_is_in_the_file_itself_as_soon_as_it_is_done(file: Store) -> None:
    for number in range(3):
        file.write(ANN, str(number), [turn()])
        assert held_by(file.path) == [str(each) for each in range(number + 1)]


@pytest.mark.parametrize("what", ["the file", "the folder"])
@pytest.mark.parametrize("first", ["read", "write"])
def test_a_store_that_is_moved_away_keeps_what_it_has_and_another_is_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str, first: str
) -> None:
    path = tmp_path / "store" / "page.sqlite"
    with Store(path) as store:
        store.write(ANN, "before", [turn()])
        moved = tmp_path / "moved"
        (path if what == "the file" else path.parent).rename(moved)
        if first == "read":
            assert store.read(ANN, "before") is None
        store.write(ANN, "after", [turn()])
        assert listed(store) == ["after"] and held_by(path) == ["after"]
        assert held_by(moved if what == "the file" else moved / "page.sqlite") == ["before"]
        assert f"{str(path)!r} was moved away, deleted or replaced" in caplog.text
        assert path.stat().st_mode & 0o077 == 0
    with Store(path) as store:
        assert listed(store) == ["after"]


def test_a_store_that_is_moved_away_and_back_has_everything(tmp_path: Path) -> None:
    path, away = tmp_path / "page.sqlite", tmp_path / "away"
    with Store(path) as store:
        store.write(ANN, "before", [turn()])
        path.rename(away)
        away.rename(path)
        store.write(ANN, "after", [turn()])
        path.rename(away)
        store.write(ANN, "meanwhile", [turn()])
        away.rename(path)  # Over the one that was begun meanwhile.
        assert listed(store) == ["after", "before"]
        store.write(ANN, "last", [turn()])
    assert held_by(path) == ["after", "before", "last"]


@pytest.mark.parametrize("beside", [False, True])
def test_a_store_that_is_deleted_is_begun_anew(tmp_path: Path, beside: bool) -> None:
    path = tmp_path / "page.sqlite"
    with Store(path) as store:
        store.write(ANN, "before", [turn()])
        token = store.start_session(ANN, 60)
        for one in [*tmp_path.glob("page.sqlite*")] if beside else [path]:
            one.unlink()
        assert store.session_user(token) is None and listed(store) == []
        store.write(ANN, "after", [turn()])
        assert held_by(path) == ["after"]
    assert held_by(path) == ["after"]


def test_a_store_that_is_replaced_is_read_and_written_in_its_place(tmp_path: Path) -> None:
    path, other = tmp_path / "page.sqlite", tmp_path / "other" / "page.sqlite"
    with Store(other) as store:
        for number in range(40):
            store.write(ANN, f"other {number:02}", [turn(1, "x" * 5000)])
    expected = [f"other {number:02}" for number in range(40)]
    with Store(path) as store:
        store.write(ANN, "before", [turn()])
        other.replace(path)
        assert listed(store) == expected
        store.write(ANN, "zero", [turn()])
        assert listed(store) == [*expected, "zero"]
    assert held_by(path) == [*expected, "zero"]


def test_what_one_process_begins_anew_the_other_goes_on_with(tmp_path: Path) -> None:
    path = tmp_path / "page.sqlite"
    with Store(path) as one, Store(path) as two:
        one.write(ANN, "before", [turn()])
        assert listed(two) == ["before"]
        path.rename(tmp_path / "moved")
        one.write(ANN, "one", [turn()])
        two.write(ANN, "two", [turn()])
        one.write(ANN, "three", [turn()])
        assert listed(one) == listed(two) == ["one", "three", "two"]
    assert held_by(path) == ["one", "three", "two"] and held_by(tmp_path / "moved") == ["before"]


def test_a_download_from_a_store_that_fails_is_one_sentence(tmp_path: Path) -> None:
    with Store(tmp_path / "page.sqlite") as store:
        store.path.unlink(), store.path.mkdir()
        router = Router(download_routes(store))
        owned = Identify(router, Proxies(""), Visitors(), authenticate=None, has_login=False)
        response = TestClient(owned).get("/conversations/c.md")
    assert response.status_code == 503 and "try again" in response.text and str(tmp_path) not in response.text


@pytest.fixture
def powerless() -> Iterator[Path]:
    """A folder for a user who may not write everywhere, as root may."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o777)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield path
        finally:
            if root:
                os.seteuid(0)


def test_what_is_made_read_only_is_read_on_and_says_so_when_written(powerless: Path) -> None:
    path, other = powerless / "store" / "page.sqlite", powerless / "other" / "page.sqlite"
    with Store(other) as store:
        store.write(ANN, "other", [turn()])
    other.chmod(0o444)
    with Store(path) as store:
        store.write(ANN, "before", [turn()])
        path.chmod(0o444)
        store.write(ANN, "after", [turn()])  # It was open already.
        assert listed(store) == ["after", "before"]
        other.replace(path)
        with pytest.raises(StoreError, match="attempt to write a readonly database"):
            store.write(ANN, "lost", [turn()])
        assert listed(store) == ["other"]
        path.chmod(0o644)
        path.rename(powerless / "moved")
        path.parent.chmod(0o555)
        for _ in range(2):
            with pytest.raises(StoreError, match=r"\(Permission denied\); try again"):
                store.write(ANN, "lost", [turn()])
        path.parent.chmod(0o755)
        store.write(ANN, "later", [turn()])
        assert listed(store) == ["later"]
    assert held_by(powerless / "moved") == ["other"] and held_by(path) == ["later"]


def test_damage_that_was_met_is_forgotten_when_a_sound_copy_comes(tmp_path: Path) -> None:
    path, copy = tmp_path / "page.sqlite", tmp_path / "copy"
    with Store(path) as store:
        for number in range(20):
            store.write(ANN, str(number), [turn(1, "x" * 10_000)])
        shutil.copy(path, copy)
        path.write_bytes(b"\xff" * path.stat().st_size)
        with pytest.raises(StoreError, match=r"malformed|not a database"):
            store.read(ANN, "3")
        shutil.copy(copy, path)
        assert store.read(ANN, "3") == (turn(1, "x" * 10_000),)


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_said_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"page.sqlite' is damaged .*; put a sound copy there, or move it away"):
        Store(path)
    assert path.read_bytes() == content


def test_damage_within_the_file_is_said_when_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "page.sqlite"
    with Store(path) as store:
        for number in range(20):
            store.write(ANN, str(number), [turn(1, "x" * 10_000)])
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\xff" * (len(raw) - 8192)
    path.write_bytes(raw)
    with pytest.raises(StoreError, match=r"is damaged|malformed"), Store(path) as store:
        for number in range(20):
            store.read(ANN, str(number))


@pytest.mark.parametrize("name", ["", "file/page.sqlite"], ids=["a folder", "in a file"])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be used .*or set RAG_STORE to another folder"):
        Store(tmp_path / name)
