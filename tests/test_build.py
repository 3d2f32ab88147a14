"""The handlers of the page's events, without a browser."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from library import Library
from markup import DOCUMENT, answer, cite, hit

from rag.errors import StoreError
from rag.page.build import EXAMPLES, Page, build_page, head
from rag.page.desk import Desk
from rag.page.shelf import Shelf
from rag.page.store import Store
from rag.page.turns import Turn
from rag.settings import Settings
from rag.types import Answer, Document, Hit, Sentence

CHAT, PANE, LIST, BOX, SEND, STOP, TURNS, IDENTITY, RUN = range(9)


class Bot:
    """Echoes the question, and remembers the history."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.documents = Library(d=DOCUMENT)
        self.passages = 1

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **_: Any
    ) -> Iterator[list[Hit] | str | Answer]:
        self.asked.append((question, list(history)))
        yield [hit(0, 27)]
        yield "Said"
        yield answer(Sentence(f"Said {question}", (cite(1, "to Oslo"),), True), hits=(hit(0, 27),), question=question)


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "page.sqlite") as opened:
        yield opened


@pytest.fixture
def page(bot: Bot, store: Store, settings: Settings) -> Page:
    return Page(Desk(bot, settings), store, settings)


def by(owner: str = "ann", **parameters: str) -> Any:
    """A request of an owner."""
    return SimpleNamespace(username=owner, query_params=parameters, headers={})


def click(**data: Any) -> Any:
    """What the page's script sends."""
    return gr.EventData(None, data)


def asked(page: Page, question: str, turns: tuple[Turn, ...] = (), identity: str = "") -> tuple[Any, ...]:
    """The values when the question is done."""
    *_, values = page.ask(question, turns, identity, None, by())
    return values


def test_the_values_grow_and_the_pane_is_drawn_only_when_it_changes(page: Page) -> None:
    steps = list(page.ask("Q?", (), "", None, by()))
    assert [step[PANE] == gr.skip() for step in steps] == [False, False, True, False, True]
    assert [step[BOX] for step in steps] == ["", *[gr.skip()] * 4]
    assert [step[SEND]["visible"] for step in steps] == [False] * 4 + [True]
    assert [step[STOP]["visible"] for step in steps] == [True] * 4 + [False]
    assert "Said Q?" in steps[-1][CHAT] and "t1-c1" in steps[3][PANE] and steps[-1][RUN] is None


def test_a_blank_question_is_not_asked(page: Page, bot: Bot) -> None:
    values = asked(page, "one")
    (again,) = page.ask("  \n", values[TURNS], values[IDENTITY], None, by())
    assert len(bot.asked) == 1 and again[TURNS] == values[TURNS] and again[RUN] is None


def test_a_conversation_is_kept_for_its_owner_and_there_again_by_its_address(page: Page, store: Store) -> None:
    values = asked(page, "one")
    identity = values[IDENTITY]
    assert f'data-conversation="{identity}"' in values[CHAT] and "aria-current=true" in values[LIST]
    loaded = page.load(by(c=identity))
    assert (
        loaded[TURNS] == values[TURNS]
        and loaded[IDENTITY] == identity
        and loaded[PANE] == page.draw("ann", values[TURNS], identity, None)[PANE]
    )
    for request in (by("ben", c=identity), by(c="unknown"), by()):
        assert page.load(request)[TURNS] == () and page.load(request)[IDENTITY] == ""
    assert store.conversations("ben") == []


def test_a_reader_who_goes_away_leaves_what_was_written(page: Page, store: Store) -> None:
    steps = page.ask("Q?", (), "", None, by())
    identity = [next(steps) for _ in range(3)][-1][IDENTITY]
    steps.close()  # type: ignore[attr-defined]
    kept = store.read("ann", identity)
    assert kept and (kept[0].text, kept[0].state) == ("Said", "stopped")


def test_asking_again_takes_the_place_of_the_turn_and_those_after_it(page: Page, bot: Bot) -> None:
    values = asked(page, "two", *asked(page, "one")[TURNS:RUN])
    *_, retried = page.again(*values[TURNS:RUN], None, by(), click(action="retry", turn=2))
    assert bot.asked[-1] == ("two", [("one", "Said one")])
    assert [turn.question for turn in retried[TURNS]] == ["one", "two"]
    *_, edited = page.again(*retried[TURNS:RUN], None, by(), click(action="edit", turn=1, question="new"))
    assert bot.asked[-1] == ("new", []) and [turn.question for turn in edited[TURNS]] == ["new"]
    *_, more = page.again(*edited[TURNS:RUN], None, by(), click(action="suggest", question="more"))
    assert [turn.question for turn in more[TURNS]] == ["new", "more"] and more[IDENTITY] == values[IDENTITY]


def act(page: Page, values: tuple[Any, ...], owner: str = "ann", **data: Any) -> tuple[Any, ...]:
    return page.act(values[TURNS], values[IDENTITY], values[RUN], by(owner), click(**data))


def test_a_citation_of_an_earlier_turn_brings_its_passages(page: Page) -> None:
    values = asked(page, "two", *asked(page, "one")[TURNS:RUN])
    drawn = act(page, values, action="source", turn=1)
    assert 'data-turn="1"' in drawn[PANE] and "t1-c1" in drawn[PANE]
    assert all(value == gr.skip() for place, value in enumerate(drawn) if place != PANE)


def test_turns_and_conversations_are_deleted(page: Page, store: Store) -> None:
    values = asked(page, "two", *asked(page, "one")[TURNS:RUN])
    left = act(page, values, action="delete", turn=1)
    assert (
        [turn.question for turn in left[TURNS]]
        == ["two"]
        == [t.question for t in store.read("ann", values[IDENTITY]) or ()]
    )
    empty = act(page, left, action="delete", turn=2)
    assert empty[IDENTITY] == "" and store.conversations("ann") == []
    values = asked(page, "three")
    assert act(page, values, "ben", action="remove", conversation=values[IDENTITY]) and store.read(
        "ann", values[IDENTITY]
    )
    gone = act(page, values, action="remove", conversation=values[IDENTITY])
    assert gone[TURNS] == () and store.conversations("ann") == []


def test_conversations_are_opened_and_begun(page: Page) -> None:
    first = asked(page, "one")
    second = asked(page, "two")
    assert act(page, second, action="open", conversation=first[IDENTITY])[TURNS] == first[TURNS]
    assert act(page, second, "ben", action="open", conversation=first[IDENTITY])[TURNS] == ()
    new = act(page, second, action="new")
    assert (new[TURNS], new[IDENTITY]) == ((), "") and "Title" in new[PANE]


def test_a_rating_is_kept_with_its_turn_changed_and_taken_back(page: Page, store: Store) -> None:
    values = asked(page, "two", *asked(page, "one")[TURNS:RUN])
    values = act(page, values, action="rate", turn=2, verdict="bad", reason="wrong", comment="No.", right="Yes.")
    ((_, rating),) = store.ratings()
    assert (rating.good, rating.reason, rating.comment, rating.right) == (False, "wrong", "No.", "Yes.")
    assert rating.history == (("one", "Said one"),) and rating.turn.text == "Said two"
    assert values[TURNS][1].rated == "bad" and page.load(by(c=values[IDENTITY]))[TURNS] == values[TURNS]
    values = act(page, values, action="rate", turn=2, verdict="good")
    assert [one.good for _, one in store.ratings()] == [True]
    values = act(page, values, action="rate", turn=2, verdict="")
    assert list(store.ratings()) == [] and values[TURNS][1].rated == ""


def test_what_the_script_should_never_send_does_nothing(page: Page, store: Store) -> None:
    values = asked(page, "one")
    for data in (
        {},
        {"action": "delete", "turn": 9},
        {"action": "rate", "turn": 1, "verdict": "bad", "reason": "x"},
        {"action": "?"},
    ):
        assert act(page, values, **data)[TURNS] == values[TURNS]
    assert list(store.ratings()) == []


def test_while_a_question_runs_only_passages_can_be_looked_at(page: Page) -> None:
    steps = page.ask("Q?", (), "", None, by())
    running = [next(steps) for _ in range(2)][-1]
    assert all(value == gr.skip() for value in act(page, running, action="new"))
    assert 'data-turn="1"' in act(page, running, action="source", turn=1)[PANE]


def test_a_store_that_cannot_be_written_stops_no_answer(
    page: Page, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def fail(*_: object) -> None:
        raise StoreError("The disk is full; make room.")

    monkeypatch.setattr(store, "write", fail)
    monkeypatch.setattr(gr, "Warning", said.append)
    assert asked(page, "one")[TURNS][0].text == "Said one"
    assert set(said) == {"The disk is full; make room."}


def test_examples_are_offered_for_the_shipped_article_and_names_for_others(page: Page, bot: Bot) -> None:
    assert "What is said about Oslo?" in page.load(by())[CHAT]
    bot.documents = Library(d=Document("d", "data/article.txt", "T", "t"))
    assert all(example in page.load(by())[CHAT] for example in EXAMPLES)


def test_the_page_calls_nobody_and_publishes_only_ask(bot: Bot, store: Store, settings: Settings) -> None:
    blocks = build_page(Desk(bot, settings), store, settings, Shelf(settings))
    assert blocks.analytics_enabled is False
    public = [fn.api_name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    assert public == ["ask"]


def test_the_head_holds_style_and_script_and_nothing_that_ends_them_early() -> None:
    inner = head().removeprefix("<style>").removesuffix("</script>")
    assert inner.count("</style><script>") == 1 and inner.lower().count("</") == 1
