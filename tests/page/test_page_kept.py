"""What the page keeps: conversations, ratings; reloads, tabs, the back button, a connection that is lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import (
    HITS,
    PHONE,
    WIDE,
    Opener,
    answer,
    ask,
    bot,
    chromium,
    done,
    draft,
    drawer,
    is_ready,
    open_page,
    questions,
    reply,
    said,
    served,
    serving_page,
    tool,
)
from fakes import Event, FakeBot
from playwright.sync_api import Browser, Locator, Page, expect
from serving import Line

from rag.page.chat import DRAFT
from rag.page.handlers import UNDER_WAY
from rag.server.store import Store
from rag.types import Sentence

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)


def asked(page: Page, question: str) -> None:
    ask(page, question)
    done(page)


def begin_anew(page: Page) -> None:
    drawer(page, "list")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator("#chat .reply")).to_have_count(0)


def listed(page: Page) -> Locator:
    """The conversations in the list, as far as they are shown."""
    return page.locator("#list .opener").filter(visible=True)


def choose(page: Page, title: str, item: str) -> None:
    """What the menu of a conversation offers."""
    drawer(page, "list")
    page.get_by_label(f"What to do with {title}").click()
    page.locator("#list .menu[open]").get_by_text(item, exact=True).click()


def test_a_conversation_is_there_after_a_reload_and_goes_on(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    asked(page, "What is it about?")
    page.reload()
    is_ready(page)
    expect(questions(page)).to_have_text(["What is it about?"])
    said(page).locator(".cite").first.click()
    expect(page.locator("#source mark.now")).to_have_text("Paragraph 8 speaks of the sea.")
    asked(page, "And then?")
    assert bot.asked[-1][1] == [("What is it about?", "It speaks of the sea. And once more. It was written in 1987.")]


def test_conversations_are_listed_opened_deleted_and_nobody_elses(open_page: Opener) -> None:
    page = open_page()
    asked(page, "First?")
    begin_anew(page)
    asked(page, "Second?")
    drawer(page, "list")
    expect(listed(page)).to_contain_text(["Second?", "First?"])
    listed(page).filter(has_text="First?").click()
    expect(questions(page)).to_have_text(["First?"])
    expect(page.locator("#list [aria-current]")).to_contain_text("First?")
    page.go_back()
    expect(questions(page)).to_have_text(["Second?"])
    choose(page, "Second?", "Delete")
    expect(listed(page)).to_contain_text(["First?"])
    expect(page.locator("#chat .reply")).to_have_count(0)
    other = open_page()
    drawer(other, "list")
    expect(other.locator("#list")).to_contain_text("None yet.")


def test_a_deleted_conversation_comes_back(open_page: Opener) -> None:
    page = open_page()
    asked(page, "First?")
    begin_anew(page)
    asked(page, "Second?")
    choose(page, "First?", "Delete")
    expect(listed(page)).to_contain_text(["Second?"])
    expect(questions(page)).to_have_text(["Second?"])
    page.locator("#back").click()
    expect(questions(page)).to_have_text(["First?"])
    expect(listed(page)).to_contain_text(["First?", "Second?"])
    expect(page.locator("#back")).to_be_hidden()
    asked(page, "And then?")
    page.reload()
    is_ready(page)
    expect(questions(page)).to_have_text(["First?", "And then?"])


def test_a_conversation_is_renamed(open_page: Opener) -> None:
    page = open_page()
    asked(page, "First?")
    shown: list[str] = []

    def answered(title: str) -> None:
        page.once("dialog", lambda dialog: (shown.append(dialog.default_value), dialog.accept(title)))

    answered("The <b>sea</b> & I")
    choose(page, "First?", "Rename …")
    expect(listed(page)).to_contain_text(["The <b>sea</b> & I"])
    expect(questions(page)).to_have_text(["First?"])
    answered("  ")
    choose(page, "The <b>sea</b> & I", "Rename …")
    asked(page, "Second?")
    page.reload()
    is_ready(page)
    drawer(page, "list")
    expect(listed(page)).to_contain_text(["The <b>sea</b> & I"])
    assert shown == ["First?", "The <b>sea</b> & I"]


SEEN = """(all) => all.map((element) => {
    const box = element.getBoundingClientRect();
    return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === element;
})"""


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_menu_of_a_conversation_is_seen_whole(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    asked(page, "First?")
    drawer(page, "list")
    page.get_by_label("What to do with First?").click()
    assert page.locator("#list .menu").locator("a, button").evaluate_all(SEEN) == [True] * 4


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_complaint_leaves_room_for_the_answer(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    asked(page, "First?")
    tool(page, "Dislike").click()
    expect(page.get_by_text("What is bad about the answer to “First?”? (optional)")).to_be_visible()
    expect(page.get_by_role("button", name="Close", exact=True)).to_be_in_viewport(ratio=1)
    chat, window = page.locator("#chat").bounding_box(), page.viewport_size
    assert chat and window and chat["height"] > 0.2 * window["height"]
    drawer(page, "list")


def test_conversations_are_searched(open_page: Opener) -> None:
    page = open_page()
    for question in ("Who sails?", "What is the sea?", "How deep is the SEA?"):
        begin_anew(page)
        asked(page, question)
    search = page.get_by_label("Search conversations")
    search.fill("Sea")
    expect(listed(page)).to_contain_text(["How deep is the SEA?", "What is the sea?"])
    search.fill("nothing of it")
    expect(listed(page)).to_have_count(0)
    expect(page.get_by_text("No conversation has these words.")).to_be_visible()
    search.fill("speaks SAILS")
    expect(listed(page)).to_contain_text(["Who sails?"])
    search.fill("sails")
    listed(page).click()
    expect(questions(page)).to_have_text(["Who sails?"])
    expect(search).to_have_value("sails")
    expect(listed(page)).to_have_count(1)
    search.fill("")
    expect(listed(page)).to_have_count(3)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_one_goes_from_conversation_to_conversation(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    asked(page, "First?")
    begin_anew(page)
    expect(page.locator("#question textarea")).to_be_in_viewport()
    asked(page, "Second?")
    drawer(page, "list")
    listed(page).filter(has_text="First?").click()
    expect(questions(page)).to_have_text(["First?"])
    if size == PHONE:
        expect(page.locator("#sidebar.open")).to_have_count(0)
    asked(page, "And then?")
    expect(questions(page)).to_have_text(["First?", "And then?"])


def test_a_conversation_of_another_is_not_shown_by_its_address(open_page: Opener) -> None:
    page = open_page()
    asked(page, "Secret?")
    address = page.url.rpartition("/")[2]
    other = open_page(address=address)
    expect(other.locator("#chat .reply")).to_have_count(0)
    found = other.request.get(page.url.split("?")[0] + "conversations/" + address.removeprefix("?c=") + ".md")
    assert found.status == 404


def test_a_conversation_is_saved_as_markdown_and_json(open_page: Opener) -> None:
    page = open_page()
    asked(page, "What is it about?")
    drawer(page, "list")
    page.get_by_label("What to do with What is it about?").click()
    for name, check in (("Markdown", lambda text: "## What is it about?" in text), ("JSON", json.loads)):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=f"Save as {name}").click()
        assert check(waiting.value.path().read_text(encoding="utf-8"))


def test_a_rating_is_given_with_its_reason_and_stays(chromium: Browser, tmp_path: Path) -> None:
    with serving_page(tmp_path) as (_, address), chromium.new_context() as context:
        page = context.new_page()
        page.goto(address)
        is_ready(page)
        rate(page)
        page.reload()
        is_ready(page)
        expect(tool(page, "Disliked")).to_be_visible()
    with Store(tmp_path / "page.sqlite") as store:
        ((_, given),) = store.ratings()
    said_of_it = given.good, given.reason, given.comment, given.right
    assert said_of_it == (False, "wrong source", "No.", "The sea & the ship.")


def rate(page: Page) -> None:
    """Ask, like the answer, and then dislike it with all that can be said."""
    asked(page, "What is it about?")
    tool(page, "Like").click()
    expect(tool(page, "Liked")).to_be_visible()
    expect(page.locator("#complaint")).to_be_hidden()
    tool(page, "Dislike").click()
    form = page.locator("#complaint")
    form.get_by_label("Wrong source").check()
    form.get_by_label("Comment").fill("No.")
    form.get_by_label("The right answer, if you know it").fill("The sea & the ship.")
    form.get_by_role("button", name="Send").click()
    expect(form).to_be_hidden()
    expect(tool(page, "Disliked")).to_be_visible()
    expect(tool(page, "Like")).to_be_visible()


def test_two_tabs_are_answered_at_the_same_time_and_apart(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield question
        bot.waits()
        yield answer(Sentence(f"Answer to {question}.", (), True))

    bot.script = script
    left = open_page()
    pages = {"left": left, "right": open_page(beside=left)}
    for name, page in pages.items():
        ask(page, name)
    for name, page in pages.items():
        expect(draft(page)).to_have_text(f"{DRAFT}{name}")
    bot.gate.set()
    for name, page in pages.items():
        expect(reply(page)).to_contain_text(f"Answer to {name}.")
        expect(questions(page)).to_have_text([name])


def half(bot: FakeBot) -> None:
    """Let the bot write a half, and the rest when the gate is opened."""

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "Half"
        bot.waits()
        yield answer(Sentence(f"Answer to {question}.", (), True))

    bot.script = script


@pytest.mark.parametrize("how", ["closed", "loaded anew", "open beside it"])
def test_an_answer_goes_on_without_its_page(open_page: Opener, bot: FakeBot, how: str) -> None:
    half(bot)
    page = open_page(noisy=True)  # A browser complains of the stream that the page left.
    again = open_page(beside=page)
    ask(page, "What?")
    expect(draft(page)).to_have_text(f"{DRAFT}Half")
    if how == "closed":
        page.close()
        again.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        drawer(again, "list")
        listed(again).first.click()
    elif how == "loaded anew":
        again = page
        page.reload()
    else:
        again.goto(page.url)
    expect(draft(again)).to_have_text(f"{DRAFT}Half")
    bot.gate.set()
    for each in {page, again} if how != "closed" else {again}:
        expect(reply(each)).to_contain_text("Answer to What?.")
        done(each)


def test_a_tab_shows_what_another_one_asked_when_it_is_looked_at(open_page: Opener) -> None:
    page = open_page()
    asked(page, "One?")
    other = open_page(beside=page, address=f"?{urlsplit(page.url).query}")
    asked(other, "Two?")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(questions(page)).to_have_text(["One?", "Two?"])


def test_one_can_look_at_another_conversation_while_an_answer_is_written(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    asked(page, "One?")
    half(bot)
    begin_anew(page)
    ask(page, "Two?")
    expect(draft(page)).to_have_text(f"{DRAFT}Half")
    drawer(page, "list")
    listed(page).filter(has_text="One?").click()
    expect(questions(page)).to_have_text(["One?"])
    bot.gate.set()
    drawer(page, "list")
    listed(page).filter(has_text="Two?").click()
    expect(reply(page)).to_contain_text("Answer to Two?.")
    expect(questions(page)).to_have_text(["Two?"])


def test_a_line_cut_in_an_answer_loses_neither_it_nor_what_is_typed(
    bot: FakeBot, served: tuple[FakeBot, str], chromium: Browser
) -> None:
    half(bot)
    at = urlsplit(served[1])
    with closing(Line(str(at.hostname), at.port or 0)) as line, chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{line.port}/")
        is_ready(page)
        ask(page, "What?")
        expect(draft(page)).to_have_text(f"{DRAFT}Half")
        page.locator("#question textarea").press_sequentially("And then?")
        line.cut()
        page.evaluate("window.dispatchEvent(new Event('offline'))")
        expect(page.locator("#status")).to_contain_text("The connection to the server is lost.")
        bot.gate.set()
        line.mend()
        expect(reply(page)).to_contain_text("Answer to What?.")
        expect(page.locator("#question textarea")).to_have_value("And then?")


def test_a_lost_connection_is_said_and_the_page_goes_on_by_itself(open_page: Opener) -> None:
    page = open_page(noisy=True)
    asked(page, "What is it about?")
    page.route("**/health", lambda route: route.fulfill(status=503))
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(page.locator("#status")).to_contain_text("The connection to the server is lost.")
    page.unroute("**/health")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("#status")).to_be_empty()
    asked(page, "And then?")
    expect(questions(page)).to_have_count(2)


def test_another_question_while_one_is_answered_loses_nothing(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    asked(page, "One?")

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "Half"
        bot.waits()
        yield answer(Sentence("Whole.", (), True))

    bot.script = script
    tool(page, "Retry").click()
    expect(draft(page)).to_have_text(f"{DRAFT}Half")
    page.locator("#question textarea").fill("Two?")
    page.locator("#question textarea").press("Enter")
    expect(page.get_by_text(UNDER_WAY)).to_be_visible()
    bot.gate.set()
    expect(reply(page)).to_contain_text("Whole.")
    done(page)
    page.reload()
    is_ready(page)
    expect(reply(page)).to_contain_text("Whole.")
    expect(questions(page)).to_have_text(["One?"])


def test_what_was_typed_of_one_answer_is_not_said_of_another(open_page: Opener) -> None:
    page = open_page()
    for question in ("One?", "Two?", "Three?"):
        asked(page, question)
    right = page.get_by_label("The right answer, if you know it")
    tool(page, "Dislike").click()
    right.fill("It is blue.")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(right).to_be_hidden()
    tool(page, "Dislike", turn=2).click()
    expect(right).to_have_value("")
    right.fill("It is red.")
    tool(page, "Dislike", turn=3).click()
    expect(right).to_have_value("")
    begin_anew(page)
    expect(right).to_be_hidden()


def test_a_long_question_is_edited_whole(open_page: Opener) -> None:
    page = open_page()
    long = "Why? " * 300
    asked(page, long)
    tool(page, "Edit").click()
    expect(page.locator("#chat textarea")).to_have_value(long)
