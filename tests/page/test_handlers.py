"""The handlers of the page's events, without a browser."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes import Event, FakeBot, Library, answer
from markup import DOCUMENT, Reader, cite, hit

from rag.errors import BusyError, StoreError, for_readers
from rag.page import kept as kept_module
from rag.page.build import build_page, head
from rag.page.handlers import BLANK, LONG, VALUES, Page
from rag.page.kept import CHANGED, UNDER_WAY, Sessions
from rag.page.rating import Ratings
from rag.server.document_editor import DocumentEditor
from rag.server.records import Turn
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import Settings
from rag.types import Document, Sentence

CHAT, PANE, LIST, BOX, IDENTITY, BACK = range(VALUES)


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
        monkeypatch.setattr(gr, name, lambda text, **_: said.append(text))
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


def retried(page: Page, identity: str, turn: int) -> tuple[Any, ...]:
    """Retry a turn (from 1), and wait until it is answered."""
    *_, values = page.retry(identity, None, by(), gr.RetryData(None, {"index": 2 * turn - 2, "value": ""}))
    return values


def edited(page: Page, identity: str, turn: int, text: Any) -> tuple[Any, ...]:
    *_, values = page.edit(identity, None, by(), edit(2 * turn - 2, text))
    return values


def edit(index: Any, text: Any) -> gr.EditData:
    return gr.EditData(None, {"index": index, "value": text, "previous_value": ""})


def removed(page: Page, identity: str) -> tuple[Any, ...]:
    return next(page.remove_last(identity, by()))


def brought_back(page: Page, owner: str = "ann") -> tuple[Any, ...]:
    *_, values = page.bring_back(by(owner))
    return values


def rated(page: Page, identity: str, turn: int, liked: Any) -> tuple[Any, ...]:
    """A tap on a thumb of a turn; gives the group and the number of the turn."""
    return Ratings(page.kept).rate(
        identity, by(), gr.LikeData(None, {"index": 2 * turn - 1, "value": "", "liked": liked})
    )


def act(page: Page, identity: str, owner: str = "ann", **data: Any) -> tuple[Any, ...]:
    return next(page.act(identity, by(owner), click(**data)))


def loaded(page: Page, request: Any) -> tuple[Any, ...]:
    return next(page.load(request))


def kept(store: Store, identity: str) -> tuple[Turn, ...]:
    return store.read("ann", identity) or ()


def questions(store: Store, identity: str) -> list[str]:
    return [turn.question for turn in kept(store, identity)]


def text(values: tuple[Any, ...]) -> str:
    """What the conversation shows."""
    return " ".join(
        message["content"]["text"] if message["role"] == "user" else Reader(message["content"]["value"]).text
        for message in values[CHAT].get("value", [])
    )


def buttons(values: tuple[Any, ...]) -> tuple[bool, bool]:
    """Whether one can send, and whether one can stop."""
    return values[BOX]["submit_btn"], values[BOX]["stop_btn"]


def skipped(values: tuple[Any, ...]) -> bool:
    return all(value == gr.skip() for value in values)


def test_the_values_grow_and_the_pane_is_drawn_only_when_it_changes(page: Page, bot: FakeBot) -> None:
    bot.gate.clear()
    steps = page.ask("Q?", "", None, by())
    seen = [next(steps)]
    while "Said" not in text(seen[-1]):
        seen.append(next(steps))
    bot.gate.set()
    seen += steps
    assert [values[BOX].get("value") for values in seen] == ["", *[None] * (len(seen) - 1)]
    assert buttons(seen[0]) == (False, True) and seen[0][BACK]["visible"] is False
    panes = [values[PANE] for values in seen if values[PANE] != gr.skip()]
    assert "t1-p1" in panes[-2] and len(panes) <= 3
    *_, last, again = seen  # Gradio sends the last values twice.
    assert "Said Q?" in text(last) and "t1-c1" in last[PANE] and buttons(last) == (True, False)
    assert [again[at] == (gr.skip() if at in (PANE, LIST) else last[at]) for at in range(VALUES)] == [True] * VALUES


def test_a_blank_question_is_not_asked(page: Page, bot: FakeBot, told: list[str]) -> None:
    assert all(skipped(values) for values in page.ask("  \n", "", None, by()))
    assert told == [BLANK] and bot.asked == []


def test_a_conversation_is_kept_for_its_owner_and_there_again_by_its_address(page: Page, store: Store) -> None:
    identity = asked(page, "one")
    drawn = loaded(page, by(c=identity))
    assert f'data-current="{identity}"' in drawn[LIST] and "aria-current=true" in drawn[LIST]
    assert "Said one" in text(drawn) and drawn[IDENTITY] == identity and "t1-c1" in drawn[PANE]
    for request in (by("ben", c=identity), by(c="unknown"), by()):
        other = loaded(page, request)
        assert text(other) == "" and other[IDENTITY] != ""
    assert store.conversations("ben") == []


def test_an_answer_goes_on_without_its_reader_and_is_followed_by_any_other_tab(
    page: Page, store: Store, bot: FakeBot
) -> None:
    bot.gate.clear()
    steps = page.ask("Q?", "", None, by())
    identity = next(values for values in steps if "Said" in text(values))[IDENTITY]
    steps.close()  # type: ignore[attr-defined]
    request = by(c=identity)
    request.session_hash = "another tab"
    other = page.load(request)
    assert buttons(next(other)) == (False, True)
    bot.gate.set()
    *_, last = other
    assert "Said Q?" in text(last) and buttons(last) == (True, False)
    (turn,) = kept(store, identity)
    assert (turn.text, turn.state) == ("Said Q?", "done")


def test_a_tab_that_shows_another_conversation_follows_no_more(page: Page, bot: FakeBot) -> None:
    first = asked(page, "one")
    bot.gate.clear()
    steps = page.ask("two", "", None, by())
    second = next(values for values in steps if "Said" in text(values))[IDENTITY]
    shown = act(page, second, action="open", conversation=first)
    assert "Said one" in text(shown) and buttons(shown) == (True, False)
    assert [skipped(values) for values in steps] == [True], "Gradio sends the last values again at the end"
    back = page.act(first, by(), click(action="open", conversation=second))
    assert buttons(next(back)) == (False, True)
    bot.gate.set()
    *_, last = back
    assert "Said two" in text(last) and last[IDENTITY] == second


def test_an_answer_is_followed_while_another_is_asked_elsewhere_in_the_same_tab(
    page: Page, bot: FakeBot, store: Store
) -> None:
    bot.gate.clear()
    first = page.ask("one", "", None, by())
    one = next(first)[IDENTITY]
    new = act(page, one, action="new")[IDENTITY]
    second = page.ask("two", new, None, by())
    next(second)
    bot.gate.set()
    *_, last = second
    assert [skipped(values) for values in first] == [True] and last[IDENTITY] == new and "Said two" in text(last)
    *_, last = page.act(new, by(), click(action="open", conversation=one))
    assert "Said one" in text(last) and questions(store, one) == ["one"]


def test_a_retry_or_an_edit_takes_the_place_of_the_turn_and_those_after_it(
    page: Page, bot: FakeBot, store: Store
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    retried(page, identity, 2)
    assert bot.asked[-1] == ("two", [("one", "Said one")], []) and questions(store, identity) == ["one", "two"]
    edited(page, identity, 1, "new")
    assert bot.asked[-1] == ("new", [], []) and questions(store, identity) == ["new"]
    retried(page, identity, 1)
    assert bot.asked[-1] == ("new", [], []) and len(bot.asked) == 5


@pytest.mark.parametrize("index", [2, [2, 0], (2, 0), 3])
def test_the_turn_of_a_message_is_found(page: Page, store: Store, index: Any) -> None:
    identity = asked(page, "two", asked(page, "one"))
    *_, _last = page.edit(identity, None, by(), edit(index, "new"))
    assert questions(store, identity) == ["one", "new"]


def test_what_is_edited_is_what_was_asked(page: Page, bot: FakeBot, store: Store) -> None:
    question = "Is 'a < b' && \"c\" &lt; <b>d</b>?"
    identity = asked(page, question)
    shown = loaded(page, by(c=identity))[CHAT]["value"][0]["content"]["text"]
    edited(page, identity, 1, f"{shown} And &amp;amp;?")
    assert bot.asked[-1][0] == f"{question} And &amp;?" and questions(store, identity) == [f"{question} And &amp;?"]


def test_a_suggested_question_is_asked_after_the_others(page: Page, bot: FakeBot, store: Store) -> None:
    identity = asked(page, "one")
    for value in ({"text": "more"}, {"text": "more", "files": None}, "more"):
        *_, last = page.suggested(identity, None, by(), gr.SelectData(None, {"index": 0, "value": value}))
        assert "Said more" in text(last) and bot.asked[-1][0] == "more"
    assert questions(store, identity) == ["one", "more", "more", "more"]


def test_what_cannot_be_asked_again_leaves_what_was_there(
    page: Page, bot: FakeBot, store: Store, told: list[str]
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    before = kept(store, identity)
    bot.fault = BusyError("40 questions are waiting already; ask again in a minute.")
    assert "Said two" in text(retried(page, identity, 1)) and kept(store, identity) == before
    assert told == ["40 questions are waiting already; ask again in a minute."]
    asked(page, "three", identity)
    assert [turn.state for turn in kept(store, identity)] == ["done", "done", "failed"]


@pytest.mark.parametrize(("text_of_it", "why"), [(" ", BLANK), ("", BLANK), ("x" * 2001, LONG)])
def test_an_edit_that_cannot_be_asked_shows_the_question_as_it_was(
    page: Page, bot: FakeBot, store: Store, told: list[str], text_of_it: str, why: str
) -> None:
    identity = asked(page, "one")
    before = kept(store, identity)
    drawn = edited(page, identity, 1, text_of_it)
    assert told == [why] and "one" in text(drawn) and drawn[BACK]["visible"] is False
    assert kept(store, identity) == before and len(bot.asked) == 1


def test_a_conversation_is_answered_once_at_a_time_whatever_tab_asks(
    page: Page, bot: FakeBot, store: Store, told: list[str]
) -> None:
    identity = asked(page, "one")
    rated(page, identity, 1, True)
    told.clear()
    bot.gate.clear()
    running = page.ask("two", identity, None, by())
    next(running)
    assert all(skipped(values) for values in page.ask("other", identity, None, by()))
    assert skipped(act(page, "another", action="remove", conversation=identity))
    assert (
        Ratings(page.kept).rate(identity, by(), gr.LikeData(None, {"index": 1, "value": "", "liked": False}))
        == (gr.skip(),) * 3
    )
    assert skipped(Ratings(page.kept).complain(identity, 1, "wrong", "No.", "", by()))
    assert skipped(removed(page, identity))
    request = by()
    request.session_hash = "another tab"
    refused = page.retry(identity, None, request, gr.RetryData(None, {"index": 0, "value": ""}))
    assert "two" in text(next(refused))
    assert told == [UNDER_WAY] * 6
    bot.gate.set()
    *_, _last = running
    *_, last = refused
    assert "Said two" in text(last)
    assert questions(store, identity) == ["one", "two"]
    assert [(turn.state, turn.rated) for turn in kept(store, identity)] == [("done", "good"), ("done", "")]
    assert [rating.good for _, rating in store.ratings()] == [True]
    asked(page, "three", identity)
    assert questions(store, identity) == ["one", "two", "three"]


def test_what_another_tab_did_meanwhile_is_not_written_over(page: Page, store: Store) -> None:
    identity = asked(page, "one")
    asked(page, "two", identity)  # by another tab, of which this one knows nothing
    rated(page, identity, 1, True)
    assert questions(store, identity) == ["one", "two"]


def test_a_tab_that_comes_back_is_told_what_another_one_changed(page: Page, bot: FakeBot, store: Store) -> None:
    identity = asked(page, "one")
    seen = store.conversations("ann")[0].updated
    refresh = {"action": "refresh", "conversation": identity, "updated": seen}
    same = act(page, identity, **refresh)
    assert f'data-updated="{seen}"' in same[LIST] and skipped(same[:LIST] + same[LIST + 1 :])
    edited(page, identity, 1, "two")
    assert "Said two" in text(act(page, identity, **refresh)), "also where there are as many turns as before"
    bot.gate.clear()
    running = page.ask("three", identity, None, by())
    next(running)
    request = by()
    request.session_hash = "another tab"
    following = page.act(identity, request, click(**refresh))
    assert buttons(next(following)) == (False, True)
    bot.gate.set()
    *_, last = following
    assert "Said three" in text(last)


def test_stop_ends_the_answer_of_this_conversation(page: Page, bot: FakeBot, store: Store) -> None:
    bot.gate.clear()
    running = page.ask("Q?", "", None, by())
    identity = next(values for values in running if "Said" in text(values))[IDENTITY]
    page.stop(identity, by("ben"))
    page.stop(identity, by())
    *_, last = running
    bot.gate.set()
    assert "Stopped." in text(last) and kept(store, identity)[0].state == "stopped"


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
    (script,) = [block for block in blocks.blocks.values() if getattr(block, "elem_id", "") == "script"]
    events = [fn for fn in blocks.fns.values() if (script._id, "input") in fn.targets]
    assert [(fn.queue, fn.show_progress, fn.outputs) for fn in events] == [(False, "hidden", [])] * reads
    assert f"trigger, {str(reads).lower()});" in script.js_on_load


def test_a_citation_of_an_earlier_turn_brings_its_passages(page: Page) -> None:
    identity = asked(page, "two", asked(page, "one"))
    drawn = act(page, identity, action="source", turn=1)
    assert 'data-turn="1"' in drawn[PANE] and "t1-c1" in drawn[PANE]
    assert skipped(drawn[:PANE] + drawn[PANE + 1 :])


def test_the_last_turn_is_taken_away_and_its_question_is_in_the_text_box_again(page: Page, store: Store) -> None:
    identity = asked(page, "two", asked(page, "one"))
    rated(page, identity, 2, True)
    drawn = removed(page, identity)
    assert drawn[BOX]["value"] == "two" and "two" not in text(drawn) and drawn[BACK]["visible"] is True
    assert questions(store, identity) == ["one"] and list(store.ratings()) == []
    drawn = removed(page, identity)
    assert drawn[BOX]["value"] == "one" and text(drawn) == "" and drawn[IDENTITY] != identity
    assert store.conversations("ann") == [] and skipped(removed(page, identity))


def test_conversations_are_deleted_by_their_owner(page: Page, store: Store) -> None:
    identity, other = asked(page, "three"), asked(page, "four")
    act(page, identity, "ben", action="remove", conversation=identity)
    assert questions(store, identity) == ["three"]
    drawn = act(page, identity, action="remove", conversation=other)
    assert "Said three" in text(drawn) and drawn[IDENTITY] == identity and "four" not in drawn[LIST]
    gone = act(page, identity, action="remove", conversation=identity)
    assert store.conversations("ann") == [] and gone[IDENTITY] != identity and gone[BACK]["visible"] is True


CHANGES = {
    "retry": lambda page, identity: retried(page, identity, 1),
    "edit": lambda page, identity: edited(page, identity, 1, "new"),
    "undo": removed,
    "delete": lambda page, identity: act(page, identity, action="remove", conversation=identity),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_taken_away_is_brought_back_once(
    page: Page, store: Store, change: Callable[[Page, str], tuple[Any, ...]]
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    act(page, identity, action="rename", conversation=identity, title="A name")
    rated(page, identity, 2, False)
    Ratings(page.kept).complain(identity, 2, "wrong", "No.", "Yes.", by())
    before, ratings = kept(store, identity), [rating for _, rating in store.ratings()]
    drawn = change(page, identity)
    assert kept(store, identity) != before and drawn[BACK]["visible"] is True
    drawn = brought_back(page)
    assert "Said two" in text(drawn) and drawn[IDENTITY] == identity and drawn[BACK]["visible"] is False
    assert drawn[CHAT]["feedback_value"] == [None, "Dislike"]
    assert kept(store, identity) == before and [rating for _, rating in store.ratings()] == ratings
    assert [one.title for one in store.conversations("ann")] == ["A name"]
    assert skipped(brought_back(page)) and kept(store, identity) == before


def test_what_was_taken_away_is_not_brought_back_after_another_question_or_by_others(page: Page, store: Store) -> None:
    identity = asked(page, "two", asked(page, "one"))
    removed(page, identity)
    assert skipped(brought_back(page, "ben"))
    assert all(skipped(values) for values in page.ask(" ", identity, None, by()))
    assert "Said two" in text(brought_back(page)), "nothing was asked"
    removed(page, identity)
    asked(page, "three", identity)
    assert skipped(brought_back(page)) and questions(store, identity) == ["one", "three"]


def test_what_another_tab_asked_since_is_not_written_over_by_what_is_brought_back(
    page: Page, store: Store, told: list[str]
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    retried(page, identity, 1)
    other = SimpleNamespace(**(vars(by()) | {"session_hash": "another tab"}))
    list(page.ask("three", identity, None, other))
    assert "Said three" in text(brought_back(page)) and told == [CHANGED]
    assert questions(store, identity) == ["one", "three"] and skipped(brought_back(page))


def test_nothing_is_brought_back_where_nothing_was_taken_away(page: Page, bot: FakeBot) -> None:
    identity = asked(page, "one")
    bot.fault = BusyError("Too many questions; wait.")
    values = retried(page, identity, 1)
    assert "Said one" in text(values) and values[BACK]["visible"] is False


def test_the_page_of_a_new_conversation_keeps_its_address(page: Page) -> None:
    assert loaded(page, by(c="some"))[IDENTITY] == "some"
    assert loaded(page, by())[IDENTITY] != ""


def test_what_a_retry_took_away_is_brought_back_when_its_answer_is_there(
    page: Page, bot: FakeBot, store: Store, told: list[str]
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    bot.gate.clear()
    running = page.edit(identity, None, by(), edit(0, "new"))
    assert next(running)[BACK]["visible"] is False
    assert skipped(brought_back(page)) and told == [UNDER_WAY]
    bot.gate.set()
    *_, last = running
    assert last[BACK]["visible"] is True
    brought_back(page)
    assert questions(store, identity) == ["one", "two"]


def test_what_cannot_be_written_can_be_brought_back_later(
    page: Page, store: Store, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = asked(page, "one")
    act(page, identity, action="remove", conversation=identity)
    with monkeypatch.context() as patched:
        patched.setattr(store, "write", fail)
        assert brought_back(page)[BACK]["visible"] is True and told == [for_readers(StoreError(""))]
    assert "Said one" in text(brought_back(page))


def test_conversations_are_opened_and_begun(page: Page) -> None:
    first, second = asked(page, "one"), asked(page, "two")
    opened = act(page, second, action="open", conversation=first)
    assert "Said one" in text(opened) and opened[IDENTITY] == first
    assert text(act(page, second, "ben", action="open", conversation=first)) == ""
    new = act(page, second, action="new")
    assert new[IDENTITY] not in (first, second) and text(new) == "" and "Title" in new[PANE]


def test_a_conversation_is_renamed_by_its_owner(page: Page, store: Store) -> None:
    identity = asked(page, "one")
    act(page, identity, "ben", action="rename", conversation=identity, title="His")
    assert [one.title for one in store.conversations("ann")] == ["one"]
    drawn = act(page, "another", action="rename", conversation=identity, title="A <b>\n name")
    assert "A &lt;b&gt; name" in drawn[LIST] and skipped(drawn[:LIST] + drawn[LIST + 1 :])
    asked(page, "two", identity)
    assert [one.title for one in store.conversations("ann")] == ["A <b> name"]


def test_conversations_are_found_by_what_was_asked_and_said(page: Page) -> None:
    first, second = asked(page, "one"), asked(page, "two")
    asked(page, "three", second)
    shown = page.search("Said THREE", first, by())
    assert f"conversations/{second}.md" in shown and first not in shown.partition("<ul>")[2]
    assert f"conversations/{first}.md" not in loaded(page, by(c=first))[LIST], "also when it is drawn anew"
    assert "No conversation has these words." in page.search("four", first, by())
    assert first in page.search(" ", second, by())
    other = by("ben")
    assert "None yet" in page.search("", "", other)


def test_a_rating_is_kept_at_once_with_its_turn_changed_and_taken_back(
    page: Page, store: Store, told: list[str]
) -> None:
    identity = asked(page, "two", asked(page, "one"))
    group, number, reason = rated(page, identity, 2, False)
    assert "the answer to “two”" in reason.label
    assert (group.visible, number) == (True, 2)
    ((_, rating),) = store.ratings()
    assert (rating.good, rating.reason, rating.comment, rating.right) == (False, "", "", "")
    assert rating.history == (("one", "Said one"),) and rating.turn.text == "Said two"
    assert kept(store, identity)[1].rated == "bad" and told == []
    assert loaded(page, by(c=identity))[CHAT]["feedback_value"] == [None, "Dislike"]
    assert rated(page, identity, 2, True)[0].visible is False
    assert [one.good for _, one in store.ratings()] == [True]
    assert loaded(page, by(c=identity))[CHAT]["feedback_value"] == [None, "Like"]
    assert rated(page, identity, 2, "")[0].visible is False
    assert list(store.ratings()) == [] and kept(store, identity)[1].rated == ""
    assert loaded(page, by(c=identity))[CHAT]["feedback_value"] == [None, None]


def test_what_is_bad_about_an_answer_is_kept_with_its_rating(page: Page, store: Store, told: list[str]) -> None:
    identity = asked(page, "two", asked(page, "one"))
    _, number, _ = rated(page, identity, 1, False)
    group, *boxes = Ratings(page.kept).complain(identity, number, "wrong", "No.", "Yes.", by())
    assert group.visible is False and boxes == [None, None, "", ""]
    ((_, rating),) = store.ratings()
    assert (rating.good, rating.reason, rating.comment, rating.right) == (False, "wrong", "No.", "Yes.")
    assert (rating.number, rating.turn.text, kept(store, identity)[0].rated) == (1, "Said one", "bad")
    Ratings(page.kept).complain(identity, 2.0, None, None, None, by())
    assert [(one.number, one.reason, one.comment) for _, one in store.ratings()] == [(1, "wrong", "No."), (2, "", "")]


def test_what_the_page_should_never_send_does_nothing(page: Page, bot: FakeBot, store: Store, told: list[str]) -> None:
    identity = asked(page, "one")
    before = kept(store, identity)
    long = {"action": "rename", "conversation": identity, "title": "x" * 201}
    for data in ({}, {"action": "source", "turn": 9}, {"action": "?"}, {"action": "delete", "turn": 1}, long):
        assert skipped(act(page, identity, **data))
    for data in ({"action": "rename", "title": "x"}, {"action": "remove"}, {"action": "remove", "turn": 1}):
        act(page, identity, **data)
    for index in (9, -1, -2, 10**30, [], "0", None, {"a": 1}, 1.5, [[0]]):
        assert all(skipped(values) for values in page.edit(identity, None, by(), edit(index, "new")))
        assert Ratings(page.kept).rate(identity, by(), gr.LikeData(None, {"index": index, "value": "", "liked": True})) == (
            gr.skip(), gr.skip(), gr.skip(),
        )  # fmt: skip
    for value in (5, None, ["new"], {"a": "new"}):
        edited(page, identity, 1, value)
        assert all(
            skipped(values)
            for values in page.suggested(identity, None, by(), gr.SelectData(None, {"index": 0, "value": value}))
        )
    for number, reason, comment in ((9, "wrong", ""), (None, None, ""), (1, "ugly", ""), (1, "wrong", "x" * 2001)):
        Ratings(page.kept).complain(identity, number, reason, comment, "", by())
    assert set(told) == {BLANK} and len(bot.asked) == 1
    assert kept(store, identity) == before and list(store.ratings()) == []
    assert [one.title for one in store.conversations("ann")] == ["one"]


def fail(*_: object) -> None:
    raise StoreError("The disk is full; make room.")


@pytest.mark.parametrize("method", ["write", "read", "conversations"])
def test_a_store_that_fails_stops_no_answer(
    page: Page, store: Store, told: list[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(store, method, fail)
    *_, values = page.ask("one", "c", None, by())
    assert "Said one" in text(values) and set(told) == {for_readers(StoreError(""))}


@pytest.mark.parametrize("method", ["write", "conversations", "ratings_of", "rate", "rename", "delete"])
def test_of_a_store_that_fails_the_page_says_so_and_goes_on(
    page: Page, store: Store, told: list[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    identity = asked(page, "one")
    monkeypatch.setattr(store, method, fail)
    assert "Said one" in text(retried(page, identity, 1))
    rated(page, identity, 1, False)
    act(page, identity, action="rename", conversation=identity, title="x")
    act(page, identity, action="remove", conversation=identity)
    brought_back(page)
    assert for_readers(StoreError("")) in told


def test_questions_are_suggested_on_the_first_page_and_below_an_answer(page: Page, bot: FakeBot) -> None:
    assert page.suggestions.first() == [], "nothing was published yet"
    examples = loaded(page, by())[CHAT]["examples"]
    assert [one["text"] for one in examples] == ["Summarise it", "Why “Anna sailed to”?"]
    bot.script = lambda _: iter([answer(Sentence("Said.", (), True), hits=(hit(0, 27),))])
    *_, values = page.ask("one", "c", None, by())
    assert values[CHAT]["value"][-1]["options"] == [{"value": "Why “Anna sailed to”?"}]


def test_the_first_page_waits_a_little_for_its_questions_unless_something_is_asked(page: Page, bot: FakeBot) -> None:
    written = threading.Event()
    bot.question_for = lambda _: str(written.wait(10))  # type: ignore[method-assign]
    first, second = page.load(by("ann")), page.load(by("ben"))
    assert [one["text"] for one in next(first)[CHAT]["examples"]] == ["Summarise it"]
    next(second)
    list(page.ask("one", "c", None, by("ben")))
    written.set()
    ((chat, *_),) = first
    assert [one["text"] for one in chat["examples"]] == ["Summarise it", "True"]
    assert list(second) == []


def test_the_first_page_says_what_can_be_asked_now(page: Page, bot: FakeBot) -> None:
    first = loaded(page, by())[CHAT]["placeholder"]
    assert "**Title**" in first and "Anna sailed to Oslo" in first
    bot.documents = Library(d=DOCUMENT, e=Document("e", "e.txt", "Other", "t"))
    assert "**Title**, **Other**" in loaded(page, by())[CHAT]["placeholder"]


def test_the_page_remembers_something_of_a_bounded_number_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "SESSIONS", 2)
    sessions = Sessions[int]()
    for name in "abac":  # The one that was put last but one is "a".
        sessions.put(by(name), ord(name))
    assert [sessions.get(by(name)) for name in "abc"] == [ord("a"), None, ord("c")]
    assert sessions.forget(by("a")) == ord("a") and sessions.get(by("a")) is None
    assert sessions.forget(by("a")) is None and sessions.get(by("c")) == ord("c")


def test_the_page_calls_nobody_and_publishes_only_ask(bot: FakeBot, store: Store, settings: Settings) -> None:
    blocks = build_page(Service(bot, settings), store, settings, DocumentEditor(settings))
    assert blocks.analytics_enabled is False
    assert [fn.api_name for fn in blocks.fns.values() if fn.api_visibility != "private"] == ["ask"]


def test_the_head_holds_style_and_script_and_nothing_that_ends_them_early() -> None:
    inner = head().removeprefix("<style>").removesuffix("</script>")
    assert inner.count("</style><script>") == 1 and inner.lower().count("</") == 1
