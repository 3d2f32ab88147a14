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
from sqlalchemy import make_url

from rag.page.chat import DRAFT
from rag.types import Sentence

pytestmark = pytest.mark.browser
fixtures = (chromium,)
Serve = Callable[[str], tuple[FakeBot, str]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serves a copy of the page on a database; its bot is silent after half of its answer."""
    monkeypatch.setattr("rag.server.cluster.BEAT", 0.1)
    monkeypatch.setattr("rag.server.cluster.DEAD", 3.0)
    with ExitStack() as stack:

        def serve_one(place: str) -> tuple[FakeBot, str]:
            bot, at = stack.enter_context(serving_page(tmp_path, place))

            def script(question: str) -> Iterator[Event]:
                yield HITS
                yield "Half"
                bot.gate.wait()
                yield answer(Sentence(f"Answer to {question}.", (), True))

            bot.script = script
            stack.callback(bot.gate.set)
            return bot, at

        yield serve_one


def test_an_answer_is_followed_and_stopped_in_the_page_of_another_copy(
    serve: Serve, address: str, chromium: Browser
) -> None:
    (_, here), (bot, there) = serve(address), serve(address)
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


def test_when_its_copy_is_gone_a_page_goes_on_with_another(serve: Serve, address: str, chromium: Browser) -> None:
    database = make_url(address)
    with ExitStack() as stack:
        to_database = stack.enter_context(closing(Line("127.0.0.1", database.port or 0)))
        _, here = serve(database.set(port=to_database.port).render_as_string(hide_password=False))
        bot, there = serve(address)
        first, second = urlsplit(here), urlsplit(there)
        line = stack.enter_context(closing(Line(str(first.hostname), first.port or 0)))
        page = stack.enter_context(chromium.new_context()).new_page()
        page.goto(f"http://127.0.0.1:{line.port}/")
        is_ready(page)
        ask(page, "What?")
        expect(draft(page)).to_have_text(f"{DRAFT}Half")
        line.cut()
        to_database.cut()
        page.evaluate("window.dispatchEvent(new Event('offline'))")
        line.lead_to(str(second.hostname), second.port or 0)
        line.mend()
        expect(reply(page)).to_contain_text("The answer broke off. Ask again.")
        bot.gate.set()
        ask(page, "And then?")
        done(page)
        expect(questions(page)).to_have_text(["What?", "And then?"])
        expect(reply(page)).to_contain_text("Answer to And then?.")
