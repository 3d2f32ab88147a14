"""What the page keeps: conversations, ratings; reloads, tabs, the back button, a connection that is lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from browser import (
    HITS,
    Opener,
    answer,
    ask,
    bot,
    chromium,
    done,
    drawer,
    is_ready,
    open_page,
    reply,
    served,
    tool,
)
from fakes import Event, FakeBot
from playwright.sync_api import Browser, Page, expect
from serving import Line

from rag.page.conversation import DRAFT
from rag.types import Sentence

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)


def asked(page: Page, question: str) -> None:
    ask(page, question)
    done(page)


def test_a_conversation_is_there_after_a_reload_and_goes_on(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    asked(page, "What is it about?")
    page.reload()
    is_ready(page)
    expect(page.locator("#chat .question")).to_have_text(["What is it about?"])
    reply(page).get_by_text("[1]", exact=True).click()
    expect(page.locator("#source mark.now")).to_have_text("Paragraph 8 speaks of the sea.")
    asked(page, "And then?")
    assert bot.asked[-1][1] == [("What is it about?", "It speaks of the sea. And once more. It was written in 1987.")]


def test_conversations_are_listed_opened_deleted_and_nobody_elses(open_page: Opener) -> None:
    page = open_page()
    asked(page, "First?")
    page.locator("#top [data-action=new]").click()
    expect(page.locator("#chat .turn")).to_have_count(0)
    asked(page, "Second?")
    drawer(page, "list")
    expect(page.locator("#list .opener")).to_have_text(["Second?", "First?"])
    page.locator("#list .opener").get_by_text("First?").click()
    expect(page.locator("#list")).to_be_hidden()
    expect(page.locator("#chat .question")).to_have_text(["First?"])
    page.go_back()
    expect(page.locator("#chat .question")).to_have_text(["Second?"])
    drawer(page, "list")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Delete Second?").click()
    expect(page.locator("#list .opener")).to_have_text(["First?"])
    expect(page.locator("#chat .turn")).to_have_count(0)
    other = open_page()
    drawer(other, "list")
    expect(other.locator("#list")).to_contain_text("None yet.")


def test_a_conversation_of_another_is_not_shown_by_its_address(open_page: Opener) -> None:
    page = open_page()
    asked(page, "Secret?")
    address = page.url.rpartition("/")[2]
    other = open_page(address=address)
    expect(other.locator("#chat .turn")).to_have_count(0)
    found = other.request.get(page.url.split("?")[0] + "conversations/" + address.removeprefix("?c=") + ".md")
    assert found.status == 404


def test_a_conversation_is_saved_as_markdown_and_json(open_page: Opener) -> None:
    page = open_page()
    asked(page, "What is it about?")
    drawer(page, "list")
    for name, check in (("Markdown", lambda text: "## What is it about?" in text), ("JSON", json.loads)):
        with page.expect_download() as waiting:
            page.locator("#list").get_by_text(name, exact=True).click()
        assert check(waiting.value.path().read_text(encoding="utf-8"))


def test_a_rating_is_given_with_its_reason_and_stays(open_page: Opener) -> None:
    page = open_page()
    asked(page, "What is it about?")
    good = page.locator("#t1 [data-verdict=good]")
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    page.locator("#t1 [data-verdict=bad]").click()
    form = page.locator("#t1 .complaint")
    form.get_by_label("What is bad about it?").select_option("wrong source")
    form.get_by_label("The right answer, if you know it").fill("The sea & the ship.")
    form.get_by_role("button", name="Send").click()
    expect(page.locator("#t1 [data-verdict=bad]")).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    page.reload()
    is_ready(page)
    expect(page.locator("#t1 [data-verdict=bad]")).to_have_attribute("aria-pressed", "true")


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
        expect(reply(page)).to_have_text(f"{DRAFT}{name}")
    bot.gate.set()
    for name, page in pages.items():
        expect(reply(page)).to_contain_text(f"Answer to {name}.")
        expect(page.locator("#chat .question")).to_have_text([name])


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
    expect(reply(page)).to_have_text(f"{DRAFT}Half")
    if how == "closed":
        page.close()
        again.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        drawer(again, "list")
        again.locator("#list .opener").first.click()
    elif how == "loaded anew":
        again = page
        page.reload()
    else:
        again.goto(page.url)
    expect(reply(again)).to_have_text(f"{DRAFT}Half")
    bot.gate.set()
    for each in {page, again} if how != "closed" else {again}:
        expect(reply(each)).to_contain_text("Answer to What?.")
        done(each)


def test_a_tab_shows_what_another_one_asked_when_it_is_looked_at(open_page: Opener) -> None:
    page = open_page()
    asked(page, "One?")
    other = open_page(beside=page)
    other.goto(page.url)
    is_ready(other)
    asked(other, "Two?")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#chat .question")).to_have_text(["One?", "Two?"])


def test_one_can_look_at_another_conversation_while_an_answer_is_written(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    asked(page, "One?")
    half(bot)
    page.locator("#top [data-action=new]").click()
    expect(page.locator("#chat .turn")).to_have_count(0)
    ask(page, "Two?")
    expect(reply(page)).to_have_text(f"{DRAFT}Half")
    drawer(page, "list")
    page.locator("#list .opener").get_by_text("One?").click()
    expect(page.locator("#chat .question")).to_have_text(["One?"])
    bot.gate.set()
    drawer(page, "list")
    page.locator("#list .opener").get_by_text("Two?").click()
    expect(reply(page)).to_contain_text("Answer to Two?.")
    expect(page.locator("#chat .question")).to_have_text(["Two?"])


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
        expect(reply(page)).to_have_text(f"{DRAFT}Half")
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
    expect(page.locator("#chat .question")).to_have_count(2)


def test_another_question_while_one_is_answered_loses_nothing(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    asked(page, "One?")

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "Half"
        bot.waits()
        yield answer(Sentence("Whole.", (), True))

    bot.script = script
    tool(page, "retry").click()
    expect(reply(page)).to_have_text(f"{DRAFT}Half")
    page.locator("#question textarea").fill("Two?")
    page.locator("#question textarea").press("Enter")
    expect(page.get_by_text("This conversation is being answered")).to_be_visible()
    bot.gate.set()
    expect(reply(page)).to_contain_text("Whole.")
    done(page)
    page.reload()
    is_ready(page)
    expect(reply(page)).to_contain_text("Whole.")
    expect(page.locator("#chat .question")).to_have_text(["One?"])


def test_what_was_typed_of_one_answer_is_not_said_of_another(open_page: Opener) -> None:
    page = open_page()
    asked(page, "One?")
    asked(page, "Two?")
    page.locator("#t1 [data-verdict=bad]").click()
    page.locator("#t1 [name=right]").fill("It is blue.")
    page.locator("#t1 .complaint").get_by_text("Cancel").click()
    tool(page, "delete").click()
    expect(page.locator("#chat .question")).to_have_text(["Two?"])
    page.locator("#t2 [data-verdict=bad]").click()
    expect(page.locator("#t2 [name=right]")).to_have_value("")


def test_a_long_question_is_edited_whole(open_page: Opener) -> None:
    page = open_page()
    long = "Why? " * 300
    asked(page, long)
    tool(page, "edit").click()
    expect(page.locator(".editing textarea")).to_have_value(long)
