"""Asking, reading and checking in the page."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from browser import (
    ARTICLE,
    HITS,
    PHONE,
    SEND,
    STOP,
    WAIT,
    WIDE,
    Opener,
    answer,
    ask,
    bot,
    chromium,
    cite,
    close_drawer,
    comes_into_view,
    done,
    draft,
    drawer,
    in_view,
    is_ready,
    open_page,
    questions,
    reply,
    said,
    sea,
    served,
    tool,
)
from fakes import Event, FakeBot, Library, quoted
from playwright.sync_api import Locator, Page, expect

from rag.errors import ModelError
from rag.page.chat import DRAFT, LEFT, TITLE
from rag.page.handlers import BLANK, UNDER_WAY
from rag.types import NEAREST, Evidence, Sentence

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)
TYPED = "Is <b>it</b> &amp; &lt;that&gt;?\n\n  - one\n  - <img src=x>"
"""A question that HTML and Markdown would show otherwise."""


def halting(bot: FakeBot) -> None:
    """Let the bot write a little, and the rest when the gate is opened."""

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "It speaks"
        bot.waits()
        yield from list(sea(question))[2:]

    bot.script = script


def numbering(bot: FakeBot) -> None:
    """Let the bot count its answers."""
    bot.script = lambda _: iter([HITS, answer(Sentence(f"Answer {len(bot.asked)}.", (), True))])


def test_the_passages_come_before_the_answer_and_the_answer_grows(open_page: Opener, bot: FakeBot) -> None:
    steps = {name: threading.Event() for name in ("search", "find", "read", "write")}

    def script(question: str) -> Iterator[Event]:
        assert steps["search"].wait(WAIT)
        yield HITS
        assert steps["find"].wait(WAIT)
        yield Evidence((cite(1, "Paragraph 8 speaks of the sea."),))
        assert steps["read"].wait(WAIT)
        yield "It speaks"
        assert steps["write"].wait(WAIT)
        yield from list(sea(question))[2:]

    bot.script = script
    page = open_page()
    expect(page).to_have_title(TITLE)
    expect(page.locator("#source .text")).to_contain_text("Paragraph 11 speaks of the sea.")
    ask(page, "What is it about?")
    shown = reply(page).locator(".steps li")
    expect(shown).to_have_text(["Searching"])
    expect(page.locator(STOP)).to_be_visible()
    expect(page.locator("#question textarea")).to_have_value("")
    steps["search"].set()
    expect(page.locator("#source .card")).to_have_count(len(HITS))
    expect(page.locator("#t1-p1")).to_have_text(HITS[0].passage.text)
    expect(page.locator("#source .card").first).to_contain_text("The <i>sea</i>, 1st by meaning and 2nd by words")
    expect(shown).to_have_text(["Searched", "Reading"])
    steps["find"].set()
    expect(shown).to_have_text(["Searched", "Evidence found", "Reading"])
    expect(reply(page).locator("blockquote")).to_contain_text("Paragraph 8 speaks of the sea.")
    steps["read"].set()
    expect(shown).to_have_text(["Searched", "Read", "Writing"])
    expect(draft(page)).to_have_text(f"{DRAFT}It speaks")
    steps["write"].set()
    expect(said(page)).to_contain_text("It was written in 1987. not in the text")
    expect(shown).to_have_count(0)
    expect(reply(page).locator(".trust")).to_have_text("1 of 3 sentences is not in the text")
    expect(reply(page).locator(".trust")).to_have_attribute("title", re.compile("90%"))
    done(page)


def drawn(element: Locator, part: str) -> str:
    """What the style sheet sets before or after an element."""
    return str(element.evaluate("(element, part) => getComputedStyle(element, part).content", part))


def test_while_one_waits_steps_are_ticked_and_seconds_are_counted(open_page: Opener, bot: FakeBot) -> None:
    halting(bot)
    page = open_page()
    ask(page, "What is it about?")
    expect(draft(page)).to_be_visible()
    steps = reply(page).locator(".steps")
    assert "✓" in drawn(steps.locator(".done").first, "::before")
    seconds = steps.locator(".now")
    expect(seconds).to_have_attribute("data-seconds", re.compile(r"^\d+ s$"))
    before = int((seconds.get_attribute("data-seconds") or "").split()[0])
    expect(seconds).to_have_attribute("data-seconds", f"{before + 1} s")
    assert f" {before + 1} s" in drawn(seconds, "::after")
    bot.gate.set()
    done(page)
    expect(steps).to_have_count(0)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_citation_leads_to_its_words_and_they_lead_back(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    ask(page, "What is it about?")
    done(page)
    for number, quote in [(2, "Paragraph 11 speaks of the sea."), (1, "Paragraph 8 speaks of the sea.")]:
        mark = page.locator(f"#t1-c{number}")
        expect(mark).to_have_text(quote)
        assert number == 1 or not mark.is_visible() or not in_view(mark)
        said(page).get_by_text(str(number), exact=True).click()
        expect(page.locator("#source mark.now")).to_have_text(quote)
        comes_into_view(page, mark)
        mark.locator("a").click()
        expect(page.locator("#chat .sentence.now")).to_have_id(f"t1-s{number}")
        expect(page.locator(f"#t1-s{number}")).to_be_in_viewport()
        expect(page.locator(f"#t1-s{number}")).to_be_focused()


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_after_an_answer_the_document_moves_and_one_types_on(
    open_page: Opener, bot: FakeBot, size: tuple[int, int]
) -> None:
    halting(bot)
    page = open_page(size)
    ask(page, "What is it about?")
    expect(draft(page)).to_be_visible()
    page.locator("#question textarea").press_sequentially("And ")
    bot.gate.set()
    done(page)
    mark = page.locator("#t1-c1")
    if size == WIDE:
        expect(page.locator("#source mark.now")).to_have_id("t1-c1")
        comes_into_view(page, mark)
    else:
        expect(page.locator("#right")).to_be_hidden()
    expect(page.locator("#question textarea")).to_be_focused()
    page.keyboard.type("then?")
    expect(page.locator("#question textarea")).to_have_value("And then?")


def test_a_quotation_is_shown_where_a_citation_is_hovered_or_focused(open_page: Opener) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    first, second = page.locator(".quotation").all()
    expect(first).to_be_hidden()
    said(page).locator(".cite").first.hover()
    expect(first).to_be_visible()
    expect(first).to_have_text("“Paragraph 8 speaks of the sea.” The <i>sea</i>")
    box = first.bounding_box()
    assert box and box["x"] >= 0 and box["y"] >= 0
    page.locator("#question").hover()
    said(page).locator(".cite").first.focus()
    page.keyboard.press("Tab")
    expect(first).to_be_hidden()
    expect(second).to_be_visible()


@pytest.mark.parametrize("by_key", [False, True])
def test_on_a_phone_a_citation_opens_a_sheet_from_below(open_page: Opener, by_key: bool) -> None:
    page = open_page(PHONE)
    ask(page, "What is it about?")
    done(page)
    expect(page.locator("#right")).to_be_hidden()
    opener = said(page).locator(".cite").nth(1)
    opener.click()
    sheet = page.locator("#right").bounding_box()
    assert sheet and sheet["y"] > 100 and sheet["y"] + sheet["height"] == PHONE[1] and sheet["width"] == PHONE[0]
    comes_into_view(page, page.locator("#t1-c2"))
    expect(page.locator("#t1-c2 a")).to_be_focused()
    expect(page.locator("#left")).to_have_attribute("inert", "")
    if by_key:
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Back to the conversation").click()
    expect(page.locator("#right")).to_be_hidden()
    expect(opener).to_be_focused()


def test_on_a_phone_the_way_back_closes_the_sheet(open_page: Opener) -> None:
    page = open_page(PHONE)
    ask(page, "What is it about?")
    done(page)
    address = page.url
    for closing in ("back", "button", "Escape"):
        said(page).locator(".cite").nth(1).click()
        expect(page.locator("#right")).to_be_visible()
        if closing == "back":
            page.go_back()
        elif closing == "button":
            page.get_by_role("button", name="Back to the conversation").click()
        else:
            page.keyboard.press("Escape")
        expect(page.locator("#right")).to_be_hidden()
        assert page.url == address
        expect(said(page)).to_be_visible()


def test_the_first_page_is_shown_from_its_beginning_on_a_phone(open_page: Opener, bot: FakeBot) -> None:
    titled = {f"d{n}": replace(ARTICLE, doc_id=f"d{n}", title="A title of some length " * 4) for n in range(9)}
    bot.documents = Library(titled)
    page = open_page(PHONE)
    expect(page.locator("#chat .example").last).to_be_attached()
    expect(page.locator("#chat h2")).to_be_in_viewport()


def test_in_the_sheet_one_goes_from_citation_to_citation(open_page: Opener) -> None:
    page = open_page(PHONE)
    ask(page, "What is it about?")
    done(page)
    said(page).locator(".cite").first.click()
    for name, mark in (("after", "t1-c2"), ("after", "t1-c1"), ("before", "t1-c2"), ("before", "t1-c1")):
        page.get_by_role("button", name=f"Citation {name} this one").click()
        expect(page.locator("#source mark.now")).to_have_id(mark)
        comes_into_view(page, page.locator(f"#{mark}"))


def test_a_quotation_stays_where_it_is_while_another_answer_is_written(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    halting(bot)
    ask(page, "And now?")
    expect(draft(page)).to_have_text(f"{DRAFT}It speaks")
    page.locator("#t1-answer .answer .cite").first.hover()
    quotation = page.locator("#t1-answer .quotation").first
    expect(quotation).to_be_visible()
    before = quotation.bounding_box()
    bot.gate.set()
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    after = quotation.bounding_box()
    assert before and after and before["x"] > 8 and abs(after["x"] - before["x"]) < 30


def test_a_card_leads_to_its_passage(open_page: Opener) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    page.locator("#source .why summary").click()
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
    shown = page.locator("#source .source")
    expect(shown).to_have_attribute("data-turn", "2")
    done(page)
    before = "It speaks of the sea. And once more. It was written in 1987."
    assert [asked[:2] for asked in bot.asked] == [
        ("What is it about?", []),
        ("And who <b>wrote</b> it?", [("What is it about?", before)]),
    ]
    page.locator("#t1-answer .cite").nth(1).click()
    expect(shown).to_have_attribute("data-turn", "1")
    expect(page.locator("#source mark.now")).to_have_text("Paragraph 11 speaks of the sea.")
    comes_into_view(page, page.locator("#t1-c2"))


def test_what_is_absent_is_said_and_the_nearest_passages_shown(open_page: Opener, bot: FakeBot) -> None:
    bot.script = lambda _: iter([HITS[:2], answer(text="The documents do not say.", hits=HITS[:2], abstained=True)])
    page = open_page()
    ask(page, "Who won in 1950?")
    expect(said(page)).to_have_text("The documents do not say.")
    done(page)
    expect(reply(page).locator(".trust")).to_have_count(0)
    expect(page.locator("#source .card")).to_have_count(2)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_evidence_comes_first_and_the_nearest_sentences_lead_to_their_places(
    open_page: Opener, bot: FakeBot, size: tuple[int, int]
) -> None:
    near = [cite(number, f"Paragraph {number + 6} speaks of the sea.") for number in range(1, 4)]
    written = threading.Event()

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield Evidence(tuple(near))
        assert written.wait(WAIT)
        yield "It was the sea"
        bot.waits()
        yield quoted(*near[:2], hits=HITS)

    bot.script = script
    page = open_page(size)
    ask(page, "What is it about?")
    quotes = reply(page).locator("blockquote")
    expect(quotes).to_have_count(3)
    expect(page.locator("#source mark")).to_have_count(3)
    written.set()
    expect(draft(page)).to_have_text(f"{DRAFT}It was the sea")
    expect(draft(page)).to_be_in_viewport()
    bot.gate.set()
    done(page)
    expect(said(page)).to_have_text(NEAREST)
    expect(quotes).to_have_count(2)
    quotes.nth(1).locator(".cite").click()
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
    expect(draft(page)).to_have_text(f"{DRAFT}It speaks")
    if by_key:
        page.keyboard.press("Escape")
    else:
        page.locator(STOP).click()
    expect(draft(page)).to_have_text(f"{LEFT}It speaks")
    expect(reply(page).locator(".note")).to_have_text("Stopped.")
    done(page)
    bot.gate.set()
    assert bot.closed.wait(WAIT)
    bot.script = sea
    ask(page, "And now?")
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    assert bot.asked[-1] == ("And now?", [("What?", "It speaks")], [])


def test_enter_while_running_asks_nothing_more(open_page: Opener, bot: FakeBot) -> None:
    halting(bot)
    page = open_page()
    ask(page, "What?")
    expect(draft(page)).to_have_text(f"{DRAFT}It speaks")
    page.locator("#question textarea").fill("Next?")
    page.locator("#question textarea").press("Enter")
    expect(page.get_by_text(UNDER_WAY)).to_be_visible()
    bot.gate.set()
    done(page)
    expect(page.locator("#question textarea")).to_have_value("Next?")
    page.locator(SEND).click()
    expect(questions(page)).to_have_text(["What?", "Next?"])
    done(page)
    assert [question for question, *_ in bot.asked] == ["What?", "Next?"]


def test_suggestions_and_a_blank_question(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    page.locator(SEND).click()
    expect(page.get_by_text(BLANK)).to_be_visible()
    assert bot.asked == []
    page.locator("#chat .example").get_by_text("Summarise it").click()
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    done(page)
    assert bot.asked == [("Summarise it", [], [])]


def test_a_question_suggested_below_an_answer_is_asked(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    page.locator("#chat .options").get_by_text("Why “Anna sailed to”?").click()
    expect(questions(page)).to_have_text(["What is it about?", "Why “Anna sailed to”?"])
    done(page)
    assert bot.asked[-1][0] == "Why “Anna sailed to”?"


def icons_are(page: Page, seen: bool, turn: int, side: str = "bot") -> None:
    """Wait until the icons of an answer, or of its question, are seen or not."""
    icons = page.locator(f"#chat .{side}-row").nth(turn - 1).locator(".message-buttons")
    expect(icons).to_have_css("opacity", "1" if seen else "0")


def test_icons_are_seen_at_the_last_answer_and_where_one_points(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "One?")
    done(page)
    page.locator("#question").hover()
    icons_are(page, True, 1)
    halting(bot)
    ask(page, "Two?")
    expect(draft(page)).to_be_visible()
    icons_are(page, False, 1)
    expect(page.locator("#chat .bot-row").nth(1).locator(".message-buttons")).to_be_hidden()
    page.locator("#t1-answer").hover()
    icons_are(page, True, 1)
    questions(page).first.hover()
    icons_are(page, True, 1, "user")
    icons_are(page, False, 1)
    page.locator("#question").hover()
    tool(page, "Like").focus()
    icons_are(page, True, 1)
    icons_are(page, False, 1, "user")
    bot.gate.set()
    done(page)
    expect(tool(page, "Retry", 2)).to_be_enabled()
    icons_are(page, True, 2)


def test_icons_are_seen_where_nothing_can_hover(open_page: Opener) -> None:
    page = open_page(PHONE, has_touch=True, is_mobile=True)
    for question in ("One?", "Two?"):
        ask(page, question)
        done(page)
    for turn in (1, 2):
        icons_are(page, True, turn)
        icons_are(page, True, turn, "user")


@pytest.mark.parametrize("by_key", [False, True])
def test_a_question_is_shown_and_edited_as_it_was_typed(open_page: Opener, bot: FakeBot, by_key: bool) -> None:
    page = open_page()
    ask(page, TYPED)
    done(page)
    assert bot.asked[-1][0] == TYPED
    assert questions(page).inner_text() == TYPED
    assert page.locator("#chat").locator("b, img").count() == 0
    tool(page, "Edit").click()
    editing = page.locator("#chat textarea")
    expect(editing).to_be_focused()
    expect(editing).to_have_value(TYPED)
    box, around = editing.bounding_box(), page.locator("#chat").bounding_box()
    assert box and around and box["width"] > 0.9 * around["width"], "wide enough to write in"
    editing.fill(f"{TYPED} &amp;?")
    bot.closed.clear()
    if by_key:
        editing.press("Enter")
    else:
        tool(page, "Submit").click()
    assert bot.closed.wait(WAIT)
    expect(page.locator("#chat textarea")).to_have_count(0)
    done(page)
    assert bot.asked[-1] == (f"{TYPED} &amp;?", [], [])
    assert questions(page).inner_text() == f"{TYPED} &amp;?"


@pytest.mark.parametrize("by_key", [False, True])
def test_an_edit_can_be_left(open_page: Opener, bot: FakeBot, by_key: bool) -> None:
    page = open_page()
    ask(page, TYPED)
    done(page)
    tool(page, "Edit").click()
    page.locator("#chat textarea").press_sequentially("More")
    if by_key:
        page.keyboard.press("Escape")
        expect(tool(page, "Edit")).to_be_focused()
    else:
        tool(page, "Cancel").click()
    expect(page.locator("#chat textarea")).to_have_count(0)
    assert questions(page).inner_text() == TYPED
    tool(page, "Edit").click()
    expect(page.locator("#chat textarea")).to_have_value(TYPED)
    assert len(bot.asked) == 1


def test_retry_edit_and_delete(open_page: Opener, bot: FakeBot) -> None:
    numbering(bot)
    page = open_page()
    ask(page, "One?")
    done(page)
    tool(page, "Retry").click()
    expect(said(page)).to_have_text("Answer 2.")
    done(page)
    assert bot.asked == [("One?", [], [])] * 2
    ask(page, "Two?")
    done(page)
    tool(page, "Edit").click()
    page.locator("#chat textarea").fill("Other?")
    tool(page, "Submit").click()
    expect(said(page)).to_have_text("Answer 4.")
    expect(questions(page)).to_have_text(["Other?"])
    done(page)
    assert bot.asked[-1] == ("Other?", [], [])
    tool(page, "Take back").click()
    expect(page.locator("#chat .reply")).to_have_count(0)
    expect(page.locator("#source .card")).to_have_count(0)
    expect(page.locator("#question textarea")).to_have_value("Other?")


@pytest.mark.parametrize("what", ["Retry", "Edit", "Take back"])
def test_what_was_taken_away_comes_back(open_page: Opener, bot: FakeBot, what: str) -> None:
    numbering(bot)
    page = open_page()
    back = page.locator("#back")
    for question in ("One?", "Two?"):
        ask(page, question)
        done(page)
    expect(back).to_be_hidden()
    if what == "Edit":
        tool(page, "Edit").click()
        page.locator("#chat textarea").fill("Other?")
        tool(page, "Submit").click()
    else:
        tool(page, what, turn=2).click()
    changed = {"Retry": ["Answer 1.", "Answer 3."], "Edit": ["Answer 3."], "Take back": ["Answer 1."]}[what]
    expect(page.locator("#chat .answer")).to_have_text(changed)
    done(page)
    back.click()
    expect(page.locator("#chat .answer")).to_have_text(["Answer 1.", "Answer 2."])
    expect(questions(page)).to_have_text(["One?", "Two?"])
    expect(back).to_be_hidden()
    page.reload()
    is_ready(page)
    expect(page.locator("#chat .answer")).to_have_text(["Answer 1.", "Answer 2."])


def test_copy_takes_the_sources_along(open_page: Opener) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    ask(page, "What is it about?")
    done(page)
    tool(page, "Copy with sources").click()
    expect(page.locator("#chat .copy.done")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "It speaks of the sea. [1]" in copied and "Paragraph 8 speaks of the sea." in copied


def test_which_documents_are_asked_can_be_chosen(open_page: Opener, bot: FakeBot) -> None:

    bot.documents["lake"] = replace(ARTICLE, doc_id="lake", source="lake.txt", title="The lake")
    page = open_page()
    drawer(page, "documents")
    page.locator("#documents-list").get_by_role("checkbox", name="The lake").uncheck()
    expect(page.locator("#documents")).to_contain_text("Asked: 1 of 2 documents.")
    close_drawer(page)
    ask(page, "What is it about?")
    done(page)
    assert bot.asked[-1][2] == ["sea"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(open_page: Opener, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    dark = "document.body.classList.contains('dark')"
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(dark), page.evaluate(paper)
    assert before[0] is (scheme == "dark")
    drawer(page, "list")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(dark) is not before[0] and page.evaluate(paper) != before[1]
    page.reload()
    is_ready(page)
    assert page.evaluate(dark) is not before[0] and page.evaluate(paper) != before[1]


HIDDEN = "document.activeElement.closest('#sidebar:not(.open) .sidebar-content, [inert]') !== null"


def tab_to(page: Page, element: Locator) -> None:
    """Press Tab until the element is focused."""
    for _ in range(120):
        assert not page.evaluate(HIDDEN), "it reaches what nobody sees"
        if element.evaluate("(element) => element === document.activeElement"):
            expect(element).to_be_in_viewport()
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {element}")


def test_the_keyboard_reaches_everything(open_page: Opener) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    page.locator("#source .document h2").click()
    page.keyboard.press("/")
    expect(page.locator("#question textarea")).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Conversations and documents"))
    page.keyboard.press("Enter")
    expect(page.locator("#sidebar.open")).to_be_visible()
    in_turn = [
        *(page.locator(f"#sidebar [data-action={action}]") for action in ("theme", "new", "open")),
        page.get_by_label("Search conversations"),
        page.get_by_role("tab", name="Documents"),
        tool(page, "Edit"),
        said(page).locator(".cite").first,
        *(tool(page, name) for name in ("Copy with sources", "Retry", "Take back", "Dislike", "Like")),
        page.locator(SEND),
        page.locator("#t1-c1 a"),
        page.locator("#source .why summary"),
    ]
    for element in in_turn:
        tab_to(page, element)
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#source .card a").last)
    tab_to(page, page.locator("#list .menu summary"))
    page.keyboard.press("Enter")
    for name in ("Save as Markdown", "Save as JSON", "Rename …", "Delete"):
        tab_to(page, page.locator("#list .menu").get_by_text(name, exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(0)
    tab_to(page, page.locator("#back"))
    page.keyboard.press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(1)
    tab_to(page, page.get_by_label("Search conversations"))
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar.open")).to_have_count(0)
    expect(page.get_by_role("button", name="Conversations and documents")).to_be_focused()


def test_by_keyboard_alone_one_asks_checks_rates_and_edits(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    expect(page.locator("#question textarea")).to_be_focused()
    page.keyboard.type("What is it about?")
    page.keyboard.press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(1)
    done(page)
    tab_to(page, said(page).locator(".cite").nth(1))
    page.keyboard.press("Enter")
    expect(page.locator("#t1-c2 a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#t1-s2")).to_be_focused()
    tab_to(page, tool(page, "Like"))
    page.keyboard.press("Enter")
    expect(tool(page, "Liked")).to_be_visible()
    tab_to(page, tool(page, "Edit"))
    page.keyboard.press("Enter")
    expect(page.locator("#chat textarea")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" Say!")
    bot.closed.clear()
    page.keyboard.press("Enter")
    assert bot.closed.wait(WAIT)
    expect(questions(page)).to_have_text(["What is it about? Say!"])
    expect(page.locator("#question textarea")).to_be_focused()
    done(page)
    assert bot.asked[-1][0] == "What is it about? Say!"
