"""Several people at the page: a line before the model, signing in."""

from collections.abc import Iterator

import pytest
from browser import HITS, Opener, answer, ask, bot, chromium, done, drawer, is_ready, open_page, reply, serving_page
from fakes import Event, FakeBot
from playwright.sync_api import Browser, expect

from rag.server.users import add_user
from rag.types import Evidence, Sentence

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeBot, str]]:
    """A page whose model answers one question at a time, and lets two wait."""
    with serving_page(tmp_path_factory.mktemp("page"), at_once=1, queue=2) as page:
        yield page


def test_the_place_in_the_line_is_shown_and_a_full_line_refuses(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield Evidence(())
        bot.waits()
        yield answer(Sentence(f"Answer to {question}.", (), True))

    bot.script = script
    pages = [open_page() for _ in range(4)]
    for number, page in enumerate(pages):
        ask(page, str(number))
        shown = ["Reading", "number 1 in the queue", "number 2 in the queue", "ask again"][number]
        expect(reply(page)).to_contain_text(shown)
        if number < 3:
            expect(page.locator("#source .card")).to_have_count(len(HITS))
    done(pages[3])
    pages[1].locator("#question .stop-button").click()
    expect(reply(pages[1])).to_contain_text("Stopped.")
    expect(reply(pages[2])).to_contain_text("number 1 in the queue")
    bot.gate.set()
    for number in (0, 2):
        expect(reply(pages[number])).to_contain_text(f"Answer to {number}.")
    done(pages[3])


def test_only_who_has_signed_in_gets_to_the_page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("users")
    for name in ("ann", "ben"):
        add_user(folder / "users.txt", name, f"password of {name}")
    with serving_page(folder, users=folder / "users.txt") as (_, address):
        shown = {}
        for name in ("ann", "ben"):
            page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.goto(address)
            assert page.url.endswith("/login")
            for password in ("wrong password", f"password of {name}"):
                page.get_by_label("Name").fill(name)
                page.get_by_label("Password").fill(password)
                page.get_by_role("button").click()
            is_ready(page)
            ask(page, f"A question of {name}?")
            done(page)
            drawer(page, "list")
            shown[name] = [text.splitlines()[0] for text in page.locator("#list .opener").all_inner_texts()]
            expect(page.locator("#list")).to_contain_text(f"Signed in as {name}.")
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_label("Password")).to_be_visible()
            page.goto(address)
            assert page.url.endswith("/login")
        assert shown == {name: [f"A question of {name}?"] for name in ("ann", "ben")}
