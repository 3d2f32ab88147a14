"""The handlers of the page's events, without a browser."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes import Event, FakeBot, Library, answer
from markup import DOCUMENT, cite, hit

from rag.errors import BusyError, StoreError, for_readers
from rag.page.build import build_page, head
from rag.page.editor import DocumentEditor
from rag.page.handlers import BLANK, UNDER_WAY, VALUES, Page
from rag.server.records import Turn
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import Settings
from rag.types import Document, Sentence

CHAT, PANE, LIST, BOX, SEND, STOP, IDENTITY = range(VALUES)
WAIT = 10  # seconds until a test that hangs fails


@pytest.fixture
def bot() -> FakeBot:
    """Echoes the question, once its gate is open."""

    def script(question: str) -> Iterator[Event]:
        if bot.fault:
            raise bot.fault
        yield [hit(0, 27)]
        yield "Said"
        bot.waits()
        yield answer(Sentence(f"Said {question}", (cite(1, "to Oslo"),), True), hits=(hit(0, 27),), question=question)

    bot = FakeBot(script, d=DOCUMENT)
    bot.gate.set()
    return bot


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "page.sqlite") as opened:
        yield opened


@pytest.fixture
def page(bot: FakeBot, store: Store, settings: Settings) -> Page:
    return Page(Service(bot, settings.model_copy(update={"per_minute": 0})), store, settings)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the page says beside the conversation."""
    said: list[str] = []
    for name in ("Info", "Warning"):
        monkeypatch.setattr(gr, name, said.append)
    return said


def by(owner: str = "ann", **parameters: str) -> Any:
    """A request of an owner."""
    return SimpleNamespace(username=owner, query_params=parameters, headers={}, session_hash=owner)


def click(**data: Any) -> Any:
    """What the page's script sends."""
    return gr.EventData(None, data)


def asked(page: Page, question: str, identity: str = "") -> str:
    """Ask, and wait until it is answered; gives the conversation."""
    *_, values = page.ask(question, identity, None, by())
    return str(values[IDENTITY])


def again(page: Page, identity: str, **data: Any) -> tuple[Any, ...]:
    *_, values = page.again(identity, None, by(), click(**data))
    return values


def act(page: Page, identity: str, owner: str = "ann", **data: Any) -> tuple[Any, ...]:
    return [*page.act(identity, by(owner), click(**data)), (gr.skip(),) * VALUES][0]


def loaded(page: Page, request: Any) -> tuple[Any, ...]:
    return next(page.load(request))


def kept(store: Store, identity: str) -> tuple[Turn, ...]:
    return store.read("ann", identity) or ()


def questions(store: Store, identity: str) -> list[str]:
    return [turn.question for turn in kept(store, identity)]


def skipped(values: tuple[Any, ...]) -> bool:
    return all(value == gr.skip() for value in values)


def test_the_values_grow_and_the_pane_is_drawn_only_when_it_changes(page: Page, bot: FakeBot) -> None:
    bot.gate.clear()
    steps = page.ask("Q?", "", None, by())
    seen = [next(steps)]
    while "Said" not in seen[-1][CHAT]:
        seen.append(next(steps))
    bot.gate.set()
    seen += steps
    assert [values[BOX] for values in seen] == ["", *[gr.skip()] * (len(seen) - 1)]
    assert (seen[0][SEND]["visible"], seen[0][STOP]["visible"]) == (False, True)
    drawn = [values[PANE] for values in seen if values[PANE] != gr.skip()]
    assert "t1-p1" in drawn[-2] and len(drawn) <= 3
    last = seen[-1]
    assert (
        "Said Q?" in last[CHAT]
        and "t1-c1" in last[PANE]
        and (last[SEND]["visible"], last[STOP]["visible"]) == (True, False)
    )


def test_a_blank_question_is_not_asked(page: Page, bot: FakeBot, told: list[str]) -> None:
    assert all(skipped(values) for values in page.ask("  \n", "", None, by()))
    assert told == [BLANK] and bot.asked == []


def test_a_conversation_is_kept_for_its_owner_and_there_again_by_its_address(page: Page, store: Store) -> None:
    identity = asked(page, "one")
    drawn = loaded(page, by(c=identity))
    assert f'data-conversation="{identity}"' in drawn[CHAT] and "aria-current=true" in drawn[LIST]
    assert "Said one" in drawn[CHAT] and drawn[IDENTITY] == identity and "t1-c1" in drawn[PANE]
    for request in (by("ben", c=identity), by(c="unknown"), by()):
        other = loaded(page, request)
        assert "Said one" not in other[CHAT] and other[IDENTITY] not in ("", identity)
    assert store.conversations("ben") == []


def test_an_answer_goes_on_without_its_reader_and_is_followed_by_any_other_tab(
    page: Page, store: Store, bot: FakeBot
) -> None:
    bot.gate.clear()
    steps = page.ask("Q?", "", None, by())
    identity = next(values for values in steps if "Said" in values[CHAT])[IDENTITY]
    steps.close()  # type: ignore[attr-defined]
    request = by(c=identity)
    request.session_hash = "another tab"
    other = page.load(request)
    assert next(other)[STOP]["visible"] is True
    bot.gate.set()
    *_, last = other
    assert "Said Q?" in last[CHAT] and last[STOP]["visible"] is False
    (turn,) = kept(store, identity)
    assert (turn.text, turn.state) == ("Said Q?", "done")


def test_a_tab_that_shows_another_conversation_follows_no_more(page: Page, bot: FakeBot) -> None:
    first = asked(page, "one")
    bot.gate.clear()
    steps = page.ask("two", "", None, by())
    second = next(values for values in steps if "Said" in values[CHAT])[IDENTITY]
    assert "Said one" in act(page, second, action="open", conversation=first)[CHAT]
    assert list(steps) == []
    back = page.act(first, by(), click(action="open", conversation=second))
    next(back)
    bot.gate.set()
    *_, last = back
    assert "Said two" in last[CHAT] and last[IDENTITY] == second


def test_asking_again_takes_the_place_of_the_turn_and_those_after_it(page: Page, bot: FakeBot, store: Store) -> None:
    identity = asked(page, "two", asked(page, "one"))
    again(page, identity, action="retry", turn=2)
    assert bot.asked[-1] == ("two", [("one", "Said one")], []) and questions(store, identity) == ["one", "two"]
    again(page, identity, action="edit", turn=1, question="new")
    assert bot.asked[-1] == ("new", [], []) and questions(store, identity) == ["new"]
    again(page, identity, action="suggest", question="more")
    assert questions(store, identity) == ["new", "more"]


def test_what_cannot_be_asked_again_leaves_what_was_there(
    page: Page, bot: FakeBot, store: Store, told: list[str]
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    before = kept(store, identity)
    bot.fault = BusyError("40 questions are waiting already; ask again in a minute.")
    values = again(page, identity, action="retry", turn=1)
    assert kept(store, identity) == before and "Said two" in values[CHAT]
    assert told == ["40 questions are waiting already; ask again in a minute."]
    asked(page, "three", identity)
    assert [turn.state for turn in kept(store, identity)] == ["done", "done", "failed"]


def test_a_conversation_is_answered_once_at_a_time_whatever_tab_asks(
    page: Page, bot: FakeBot, store: Store, told: list[str]
) -> None:
    identity = asked(page, "one")
    bot.gate.clear()
    running = page.ask("two", identity, None, by())
    next(running), next(running)
    assert all(skipped(values) for values in page.ask("other", identity, None, by()))
    assert skipped(again(page, identity, action="retry", turn=1)) and skipped(
        act(page, identity, action="delete", turn=1)
    )
    assert skipped(act(page, "another", action="remove", conversation=identity))
    assert told == [UNDER_WAY] * 4
    bot.gate.set()
    *_, _last = running
    assert (
        questions(store, identity) == ["one", "two"] and [turn.state for turn in kept(store, identity)] == ["done"] * 2
    )
    asked(page, "three", identity)
    assert questions(store, identity) == ["one", "two", "three"]


def test_what_another_tab_did_meanwhile_is_not_written_over(page: Page, store: Store) -> None:
    identity = asked(page, "one")
    asked(page, "two", identity)  # by another tab, of which this one knows nothing
    act(page, identity, action="rate", turn=1, verdict="good")
    assert questions(store, identity) == ["one", "two"]


def test_stop_ends_the_answer_of_this_conversation(page: Page, bot: FakeBot, store: Store) -> None:
    bot.gate.clear()
    running = page.ask("Q?", "", None, by())
    identity = next(running)[IDENTITY]
    next(running)
    page.stop(identity, by("ben"))
    page.stop(identity, by())
    *_, last = running
    bot.gate.set()
    assert "Stopped." in last[CHAT] and kept(store, identity)[0].state == "stopped"


def test_a_draft_goes_along_with_what_a_question_would_have(
    page: Page, bot: FakeBot, store: Store, told: list[str]
) -> None:
    identity = asked(page, "one")
    before = kept(store, identity)
    page.read_ahead("What is", identity, frozenset({"e", "d"}), by())
    page.read_ahead("Where is", identity, None, by("ben"))
    assert bot.drafts == [("What is", [("one", "Said one")], ["d", "e"]), ("Where is", [], [])]
    assert kept(store, identity) == before and store.conversations("ben") == [] and told == []


def test_a_draft_that_could_not_be_asked_is_left_out_in_silence(
    page: Page, bot: FakeBot, store: Store, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is full; make room.")

    page.read_ahead("What is", "", frozenset(), by())
    page.read_ahead(" ", "", None, by())
    monkeypatch.setattr(store, "read", fail)
    page.read_ahead("What is", "", None, by())
    assert bot.drafts == [] and told == []


@pytest.mark.parametrize("reads", [True, False])
def test_the_page_sends_drafts_only_to_a_bot_that_reads_ahead(
    bot: FakeBot, store: Store, settings: Settings, reads: bool
) -> None:
    bot.reads_ahead = reads
    blocks = build_page(Service(bot, settings), store, settings, DocumentEditor(settings))
    (chat,) = [block for block in blocks.blocks.values() if getattr(block, "elem_id", "") == "chat"]
    events = [fn for fn in blocks.fns.values() if (chat._id, "input") in fn.targets]
    assert [(fn.queue, fn.show_progress, fn.outputs) for fn in events] == [(False, "hidden", [])] * reads
    assert f"watch, {str(reads).lower()});" in chat.js_on_load


def test_a_citation_of_an_earlier_turn_brings_its_passages(page: Page) -> None:
    identity = asked(page, "two", asked(page, "one"))
    drawn = act(page, identity, action="source", turn=1)
    assert 'data-turn="1"' in drawn[PANE] and "t1-c1" in drawn[PANE]
    assert skipped(drawn[:PANE] + drawn[PANE + 1 :])


def test_turns_and_conversations_are_deleted(page: Page, store: Store) -> None:
    identity = asked(page, "two", asked(page, "one"))
    act(page, identity, action="delete", turn=1)
    assert questions(store, identity) == ["two"]
    act(page, identity, action="delete", turn=2)
    assert store.conversations("ann") == []
    identity = asked(page, "three")
    act(page, identity, "ben", action="remove", conversation=identity)
    assert questions(store, identity) == ["three"]
    gone = act(page, identity, action="remove", conversation=identity)
    assert store.conversations("ann") == [] and gone[IDENTITY] != identity


def test_conversations_are_opened_and_begun(page: Page) -> None:
    first, second = asked(page, "one"), asked(page, "two")
    opened = act(page, second, action="open", conversation=first)
    assert "Said one" in opened[CHAT] and opened[IDENTITY] == first
    assert "Said one" not in act(page, second, "ben", action="open", conversation=first)[CHAT]
    new = act(page, second, action="new")
    assert new[IDENTITY] not in (first, second) and "Said" not in new[CHAT] and "Title" in new[PANE]


def test_a_rating_is_kept_with_its_turn_changed_and_taken_back(page: Page, store: Store, told: list[str]) -> None:
    identity = asked(page, "two", asked(page, "one"))
    act(page, identity, action="rate", turn=2, verdict="bad", reason="wrong", comment="No.", right="Yes.")
    ((_, rating),) = store.ratings()
    assert (rating.good, rating.reason, rating.comment, rating.right) == (False, "wrong", "No.", "Yes.")
    assert rating.history == (("one", "Said one"),) and rating.turn.text == "Said two"
    assert kept(store, identity)[1].rated == "bad" and told == ["Thank you. It is stored."]
    act(page, identity, action="rate", turn=2, verdict="good")
    assert [one.good for _, one in store.ratings()] == [True]
    act(page, identity, action="rate", turn=2, verdict="")
    assert list(store.ratings()) == [] and kept(store, identity)[1].rated == ""


def test_what_the_script_should_never_send_does_nothing(page: Page, store: Store, told: list[str]) -> None:
    identity = asked(page, "one")
    before = kept(store, identity)
    for data in (
        {},
        {"action": "delete", "turn": 9},
        {"action": "rate", "turn": 1, "verdict": "bad", "reason": "x"},
        {"action": "?"},
    ):
        act(page, identity, **data)
    assert kept(store, identity) == before and list(store.ratings()) == []


@pytest.mark.parametrize("method", ["write", "read", "conversations"])
def test_a_store_that_fails_stops_no_answer(
    page: Page, store: Store, told: list[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is full; make room.")

    monkeypatch.setattr(store, method, fail)
    *_, values = page.ask("one", "c", None, by())
    assert "Said one" in values[CHAT] and set(told) == {for_readers(StoreError(""))}


def test_questions_are_suggested_from_the_documents_and_after_an_answer_from_its_passages(
    page: Page, bot: FakeBot
) -> None:
    text = "She went to Oslo, for the ship was in Oslo. "
    bot.documents = Library(d=Document("d", "data/article.txt", "T", text))
    assert "What is said about Oslo?" in loaded(page, by())[CHAT] and "Summarise it" in loaded(page, by())[CHAT]
    *_, values = page.ask("one", "c", None, by())
    assert "Summarise it" not in values[CHAT]


def test_the_bar_says_what_can_be_asked_now(page: Page, bot: FakeBot) -> None:
    assert "1 document loaded: Title" in page.top(None)
    bot.documents = Library(d=DOCUMENT, e=Document("e", "e.txt", "Other", "t"))
    assert "2 documents loaded: Title, Other Only 1 of them" in page.top(frozenset({"e"}))


def test_the_page_calls_nobody_and_publishes_only_ask(bot: FakeBot, store: Store, settings: Settings) -> None:
    blocks = build_page(Service(bot, settings), store, settings, DocumentEditor(settings))
    assert blocks.analytics_enabled is False
    assert [fn.api_name for fn in blocks.fns.values() if fn.api_visibility != "private"] == ["ask"]


def test_the_head_holds_style_and_script_and_nothing_that_ends_them_early() -> None:
    inner = head().removeprefix("<style>").removesuffix("</script>")
    assert inner.count("</style><script>") == 1 and inner.lower().count("</") == 1
