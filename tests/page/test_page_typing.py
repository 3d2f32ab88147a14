"""While a question is typed in the page the bot reads ahead, and nobody sees anything of it."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import SEND, WAIT, Opener, ask, bot, chromium, done, is_ready, open_page, served, serving_page
from fakes import FakeBot
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)
QUESTION = "Which ship did they sail to the port of Oslo"
DELAY = 60
"""Milliseconds between two keys."""
PAUSE = 1000
"""Milliseconds after which a pause in the typing has surely been noticed."""


def type_on(page: Page, text: str) -> None:
    page.locator("#question textarea").press_sequentially(text, delay=DELAY)


def until(page: Page, holds: Callable[[], bool]) -> None:
    for _ in range(WAIT * 20):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come to that")


def test_what_is_typed_is_read_ahead_now_and_then_and_enter_works_meanwhile(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "What is it about?")
    done(page)
    assert bot.drafts == []
    type_on(page, "Who is")
    page.wait_for_timeout(PAUSE)
    assert bot.drafts == []
    page.locator("#question textarea").clear()
    type_on(page, QUESTION)
    until(page, lambda: bool(bot.drafts) and bot.drafts[-1][0] == QUESTION)
    drafts = [draft for draft, *_ in bot.drafts]
    assert 2 <= len(drafts) <= 6 and all(QUESTION.startswith(draft.strip()) for draft in drafts)
    assert all(history == bot.drafts[0][1] and len(history) == 1 for _, history, _ in bot.drafts)
    page.wait_for_timeout(PAUSE)
    assert len(bot.drafts) == len(drafts)
    expect(page.locator("#question textarea")).to_be_focused()
    expect(page.locator("#question textarea")).to_have_value(QUESTION)

    released = threading.Event()

    def reading(_: str) -> None:
        assert released.wait(WAIT)

    bot.reading = reading
    type_on(page, " first")
    until(page, lambda: bot.drafts[-1][0] == f"{QUESTION} first")
    expect(page.locator(SEND)).to_be_enabled()
    type_on(page, " or later?")
    page.keyboard.press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(2)
    done(page)
    assert bot.asked[-1][0] == f"{QUESTION} first or later?" and not released.is_set()
    read = len(bot.drafts)
    released.set()
    page.wait_for_timeout(PAUSE)
    assert len(bot.drafts) == read
    expect(page.locator("#question textarea")).to_have_value("")


def test_what_is_typed_stays_where_the_server_cannot_be_reached(open_page: Opener, bot: FakeBot) -> None:
    page = open_page(noisy=True)
    page.route("**/health", lambda route: route.abort())
    page.route("**/gradio_api/run/**", lambda route: route.abort())
    type_on(page, QUESTION)
    page.wait_for_timeout(PAUSE)
    expect(page.get_by_text("Connection Lost")).to_have_count(0)
    expect(page.locator("#question textarea")).to_have_value(QUESTION)
    assert bot.drafts == []


def test_nothing_is_sent_where_the_bot_does_not_read_ahead(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBot, "reads_ahead", False)
    with serving_page(tmp_path) as (bot, address), chromium.new_context() as context:
        page = context.new_page()
        page.goto(address)
        is_ready(page)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        type_on(page, QUESTION)
        page.wait_for_timeout(PAUSE)
        assert bot.drafts == [] and sent == []
