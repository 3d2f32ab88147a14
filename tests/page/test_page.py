"""Asking, reading and checking in the page."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from browser import (
    ARTICLE,
    HITS,
    PHONE,
    WAIT,
    WIDE,
    Opener,
    answer,
    ask,
    bot,
    chromium,
    cite,
    comes_into_view,
    done,
    drawer,
    in_view,
    is_ready,
    open_page,
    reply,
    said,
    sea,
    served,
    tool,
)
from fakes import Event, FakeBot, quoted
from playwright.sync_api import expect

from rag.errors import ModelError
from rag.page.conversation import DRAFT, LEFT, TITLE
from rag.page.handlers import BLANK
from rag.types import NEAREST, Evidence

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)


def test_the_passages_come_before_the_answer_and_the_answer_grows(open_page: Opener, bot: FakeBot) -> None:
    steps = {name: threading.Event() for name in ("search", "read", "write")}

    def script(question: str) -> Iterator[Event]:
        assert steps["search"].wait(WAIT)
        yield HITS
        assert steps["read"].wait(WAIT)
        yield "It speaks"
        assert steps["write"].wait(WAIT)
        yield from list(sea(question))[1:]

    bot.script = script
    page = open_page()
    expect(page).to_have_title(TITLE)
    expect(page.locator("#source .text")).to_contain_text("Paragraph 11 speaks of the sea.")
    ask(page, "What is it about?")
    expect(reply(page)).to_have_text("Looking for passages …")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#question textarea")).to_have_value("")
    steps["search"].set()
    expect(page.locator("#source .card")).to_have_count(len(HITS))
    expect(page.locator("#t1-p1")).to_have_text(HITS[0].passage.text)
    expect(page.locator("#source .card").first).to_contain_text("The <i>sea</i>, 1st by meaning and 2nd by words")
    expect(reply(page)).to_have_text(f"Reading {len(HITS)} passages …")
    steps["read"].set()
    expect(reply(page)).to_have_text(f"{DRAFT}It speaks")
    steps["write"].set()
    expect(said(page)).to_contain_text("It was written in 1987. [not found in the documents]")
    expect(reply(page).locator(".confidence")).to_have_text("Confidence: high (90%).")
    done(page)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_citation_leads_to_its_words_and_they_lead_back(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    ask(page, "What is it about?")
    done(page)
    for number, quote in [(1, "Paragraph 8 speaks of the sea."), (2, "Paragraph 11 speaks of the sea.")]:
        mark = page.locator(f"#t1-c{number}")
        expect(mark).to_have_text(quote)
        assert not mark.is_visible() or not in_view(mark)
        reply(page).get_by_text(f"[{number}]", exact=True).click()
        expect(page.locator("#source mark.now")).to_have_text(quote)
        comes_into_view(page, mark)
        mark.locator("a").click()
        expect(page.locator("#chat .sentence.now")).to_have_id(f"t1-s{number}")
        expect(page.locator(f"#t1-s{number}")).to_be_in_viewport()
        expect(page.locator(f"#t1-s{number}")).to_be_focused()


def test_a_quotation_is_shown_where_a_citation_is_hovered_or_focused(open_page: Opener) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    first, second = page.locator(".quotation").all()
    expect(first).to_be_hidden()
    page.locator(".cite").first.hover()
    expect(first).to_be_visible()
    expect(first).to_have_text("“Paragraph 8 speaks of the sea.” The <i>sea</i>")
    box = first.bounding_box()
    assert box and box["x"] >= 0 and box["y"] >= 0
    page.locator("h1").hover()
    page.locator(".cite").first.focus()
    page.keyboard.press("Tab")
    expect(first).to_be_hidden()
    expect(second).to_be_visible()


def test_on_a_phone_the_document_is_opened_and_closed(open_page: Opener) -> None:
    page = open_page(PHONE)
    drawer(page, "right")
    back = page.get_by_role("button", name="Back to the conversation")
    expect(back).to_be_focused()
    back.click()
    expect(page.locator("#right")).to_be_hidden()
    expect(page.locator("[data-drawer-of=right]")).to_be_focused()


def test_a_quotation_stays_where_it_is_while_another_answer_is_written(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "It "
        bot.waits()
        yield "speaks"
        yield from list(sea(question))[2:]

    bot.script = script
    ask(page, "And now?")
    expect(reply(page)).to_have_text(f"{DRAFT}It")
    page.locator("#t1 .cite").first.hover()
    quotation = page.locator("#t1 .quotation").first
    before = quotation.bounding_box()
    bot.gate.set()
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    after = quotation.bounding_box()
    assert before and after and before["x"] > 8 and abs(after["x"] - before["x"]) < 30


def test_a_card_leads_to_its_passage(open_page: Opener) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    page.locator("#source .card a").nth(6).click()
    expect(page.locator("#source .passage.now").first).to_contain_text("Paragraph 6 speaks of the sea.")
    comes_into_view(page, page.locator("#t1-p7"))
    expect(page.locator("#source .card.cited")).to_have_count(1)


def test_a_follow_up_gets_the_history_and_earlier_citations_bring_their_passages(
    open_page: Opener, bot: FakeBot
) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    ask(page, "And who <b>wrote</b> it?")
    expect(page.locator("#source h2")).to_have_text("Passages for “And who <b>wrote</b> it?”")
    done(page)
    before = "It speaks of the sea. And once more. It was written in 1987."
    assert [asked[:2] for asked in bot.asked] == [
        ("What is it about?", []),
        ("And who <b>wrote</b> it?", [("What is it about?", before)]),
    ]
    page.locator("#t1-answer").get_by_text("[1]", exact=True).click()
    expect(page.locator("#source h2")).to_have_text("Passages for “What is it about?”")
    expect(page.locator("#source mark.now")).to_have_text("Paragraph 8 speaks of the sea.")
    comes_into_view(page, page.locator("#t1-c1"))


def test_what_is_absent_is_said_and_the_nearest_passages_shown(open_page: Opener, bot: FakeBot) -> None:
    bot.script = lambda _: iter([HITS[:2], answer(text="The documents do not say.", hits=HITS[:2], abstained=True)])
    page = open_page()
    ask(page, "Who won in 1950?")
    expect(reply(page)).to_have_text("The documents do not say.The nearest passages are shown in the document.")
    expect(page.locator("#source .card")).to_have_count(2)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_evidence_comes_first_and_the_nearest_sentences_lead_to_their_places(
    open_page: Opener, bot: FakeBot, size: tuple[int, int]
) -> None:
    near = [cite(number, f"Paragraph {number + 6} speaks of the sea.") for number in range(1, 4)]
    draft = threading.Event()

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield Evidence(tuple(near))
        assert draft.wait(WAIT)
        yield "It was the sea"
        bot.waits()
        yield quoted(*near[:2], hits=HITS)

    bot.script = script
    page = open_page(size)
    ask(page, "What is it about?")
    quotes = reply(page).locator("blockquote")
    expect(quotes).to_have_count(3)
    expect(page.locator("#source mark")).to_have_count(3)
    draft.set()
    expect(reply(page).locator(".draft")).to_have_text(f"{DRAFT}It was the sea")
    expect(reply(page).locator(".draft")).to_be_in_viewport()
    bot.gate.set()
    done(page)
    expect(said(page)).to_have_text(NEAREST)
    expect(quotes).to_have_count(2)
    quotes.nth(1).get_by_text("[2]", exact=True).click()
    expect(page.locator("#source mark.now")).to_have_text("Paragraph 8 speaks of the sea.")
    comes_into_view(page, page.locator("#t1-c2"))
    page.locator("#t1-c2 a").click()
    expect(page.locator("#chat blockquote.now")).to_have_id("t1-q2")


@pytest.mark.parametrize("error", [ModelError("The model is down; start it."), ValueError("<b>pipe</b>")])
def test_the_page_survives_an_error(open_page: Opener, bot: FakeBot, error: Exception) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        raise error

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_contain_text(str(error) if isinstance(error, ModelError) else "Something went wrong.")
    done(page)
    bot.script = sea
    ask(page, "And now?")
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    assert bot.asked[-1] == ("And now?", [], [])


@pytest.mark.parametrize("by_key", [False, True])
def test_stop_ends_the_stream_and_the_page_goes_on(open_page: Opener, bot: FakeBot, by_key: bool) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "It speaks"
        bot.waits()
        while True:
            yield " on"

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_have_text(f"{DRAFT}It speaks")
    if by_key:
        page.keyboard.press("Escape")
    else:
        page.locator("#stop").click()
    expect(reply(page)).to_have_text(f"{LEFT}It speaksStopped.")
    done(page)
    bot.gate.set()
    assert bot.closed.wait(WAIT)
    bot.script = sea
    ask(page, "And now?")
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    assert bot.asked[-1] == ("And now?", [("What?", "It speaks")], [])


def test_enter_while_running_asks_nothing_more(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield "It speaks"
        bot.waits()
        yield from sea(question)

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_have_text(f"{DRAFT}It speaks")
    page.locator("#question textarea").fill("Next?")
    page.locator("#question textarea").press("Enter")
    expect(page.get_by_text("This conversation is being answered")).to_be_visible()
    bot.gate.set()
    done(page)
    expect(page.locator("#question textarea")).to_have_value("Next?")
    page.locator("#send").click()
    expect(page.locator("#chat .question")).to_have_text(["What?", "Next?"])
    done(page)
    assert [question for question, *_ in bot.asked] == ["What?", "Next?"]


def test_suggestions_and_a_blank_question(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    page.locator("#send").click()
    expect(page.get_by_text(BLANK)).to_be_visible()
    assert bot.asked == []
    page.locator(".suggestions").get_by_text("Summarise it").click()
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    done(page)
    assert bot.asked == [("Summarise it", [], [])]


def test_retry_edit_and_delete(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "One?")
    done(page)
    bot.closed.clear()
    tool(page, "retry").click()
    assert bot.closed.wait(WAIT)
    done(page)
    assert bot.asked == [("One?", [], [])] * 2
    ask(page, "Two?")
    done(page)
    tool(page, "edit").click()
    editing = page.locator(".editing textarea")
    expect(editing).to_be_focused()
    editing.fill("Other?")
    editing.press("Enter")
    expect(page.locator("#chat .question")).to_have_text(["Other?"])
    done(page)
    assert bot.asked[-1] == ("Other?", [], [])
    tool(page, "delete").click()
    expect(page.locator("#chat .turn")).to_have_count(0)
    expect(page.locator("#source .card")).to_have_count(0)


def test_copy_takes_the_sources_along(open_page: Opener) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    ask(page, "What is it about?")
    done(page)
    tool(page, "copy").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "It speaks of the sea. [1]" in copied and "Paragraph 8 speaks of the sea." in copied


def test_which_documents_are_asked_can_be_chosen(open_page: Opener, bot: FakeBot) -> None:

    bot.documents["lake"] = replace(ARTICLE, doc_id="lake", source="lake.txt", title="The lake")
    page = open_page()
    drawer(page, "documents")
    page.locator("#documents-list").get_by_label("The lake").uncheck()
    expect(page.locator("#documents")).to_contain_text("Asked: 1 of 2 documents.")
    page.keyboard.press("Escape")
    expect(page.locator("#documents")).to_be_hidden()
    ask(page, "What is it about?")
    done(page)
    assert bot.asked[-1][2] == ["sea"]


def test_light_and_dark(open_page: Opener) -> None:
    page = open_page()
    dark = "document.body.classList.contains('dark')"
    before = page.evaluate(dark)
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(dark) is not before
    page.reload()
    is_ready(page)
    assert page.evaluate(dark) is not before


def test_the_keyboard_reaches_everything(open_page: Opener) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#question textarea")).to_be_focused()
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement?.dataset?.action ?? document.activeElement?.tagName"))
    assert {"drawer", "new", "theme", "source", "copy", "retry", "edit", "delete", "rate", "passage",
            "resting"} <= reached  # fmt: skip
