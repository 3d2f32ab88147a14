"""Two copies of the page on one database: an answer is followed in both, and outlived when its copy is gone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import HITS, STOP, answer, ask, chromium, done, draft, is_ready, questions, reply, serving_page
from fakes import Event, FakeBot
from playwright.sync_api import Browser, expect
from serving import Line

from rag.page.chat import DRAFT
from rag.types import Sentence

pytestmark = pytest.mark.browser
fixtures = (chromium,)
Serve = Callable[[], tuple[ExitStack, FakeBot, str]]


@pytest.fixture
def serve(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serves a copy of the page, whose bot is silent after half of its answer; it is gone when the stack is closed."""
    monkeypatch.setattr("rag.server.cluster.BEAT", 0.1)
    monkeypatch.setattr("rag.server.cluster.DEAD", 3.0)
    with ExitStack() as every:

        def serve_one() -> tuple[ExitStack, FakeBot, str]:
            stack = every.enter_context(ExitStack())
            bot, at = stack.enter_context(serving_page(tmp_path, address))

            def script(question: str) -> Iterator[Event]:
                yield HITS
                yield "Half"
                bot.waits()
                yield answer(Sentence(f"Answer to {question}.", (), True))

            bot.script = script
            every.callback(bot.gate.set)
            return stack, bot, at

        yield serve_one


def test_an_answer_is_followed_and_stopped_in_the_page_of_another_copy(serve: Serve, chromium: Browser) -> None:
    (_, _, here), (_, bot, there) = serve(), serve()
    with chromium.new_context() as context:
        page, other = context.new_page(), context.new_page()
        page.goto(here)
        is_ready(page)
        ask(page, "What?")
        expect(draft(page)).to_have_text(f"{DRAFT}Half")
        other.goto(there + page.url.removeprefix(here))
        is_ready(other)
        expect(draft(other)).to_have_text(f"{DRAFT}Half")
        other.locator(STOP).click()
        for each in (page, other):
            expect(reply(each)).to_contain_text("Stopped.")
        bot.gate.set()
        ask(other, "And then?")
        done(other)
        expect(reply(other)).to_contain_text("Answer to And then?.")


def test_when_its_copy_is_gone_a_page_goes_on_with_another(serve: Serve, chromium: Browser) -> None:
    (gone, _, here), (_, bot, there) = serve(), serve()
    first, second = urlsplit(here), urlsplit(there)
    with closing(Line(str(first.hostname), first.port or 0)) as line, chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{line.port}/")
        is_ready(page)
        ask(page, "What?")
        expect(draft(page)).to_have_text(f"{DRAFT}Half")
        line.cut()
        gone.close()
        page.evaluate("window.dispatchEvent(new Event('offline'))")
        line.lead_to(str(second.hostname), second.port or 0)
        line.mend()
        expect(reply(page)).to_contain_text("The answer broke off. Ask again.")
        bot.gate.set()
        ask(page, "And then?")
        done(page)
        expect(questions(page)).to_have_text(["What?", "And then?"])
        expect(reply(page)).to_contain_text("Answer to And then?.")
