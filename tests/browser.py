"""The page in headless Chromium, with a fake bot. Import the fixtures where they are used."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fakes
import pytest
from fakes import Event, FakeBot, hit
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from chat_app import make_app
from rag.server.serve import listen, make_server
from rag.server.store import Store
from rag.settings import ServerSettings
from rag.types import Answer, Citation, Document, Hit, Sentence

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
WAIT = 20  # seconds until a test that hangs fails
WIDE, PHONE = (1280, 800), (390, 844)
TEXT = "\n".join(
    f"Paragraph {number} speaks of the sea. " + "The ship sails on and the wind is fair. " * 12 for number in range(12)
)
ARTICLE = Document("sea", "data/article.txt", "The <i>sea</i>", TEXT)


HITS = [hit(ARTICLE, TEXT.index(f"Paragraph {n} "), TEXT.index(f"Paragraph {n + 1} ") - 1) for n in range(10)]


def cite(number: int, quote: str, document: Document = ARTICLE) -> Citation:
    return fakes.cite(number, quote, document)


def answer(*sentences: Sentence, hits: Sequence[Hit] = HITS, **options: Any) -> Answer:
    """An answer to whatever is asked."""
    return fakes.answer(*sentences, hits=hits, question="", **options)


def sea(question: str) -> Iterator[Event]:
    """An answer with a mark far down, one outside the passages, and an invented sentence."""
    yield HITS
    yield "It speaks"
    yield answer(
        Sentence("It speaks of the sea.", (cite(1, "Paragraph 8 speaks of the sea."),), True),
        Sentence("And once more.", (cite(2, "Paragraph 11 speaks of the sea."),), True),
        Sentence("It was written in 1987.", (), False),
    )


@contextmanager
def serving_page(folder: Path, **changes: object) -> Iterator[tuple[FakeBot, str]]:
    """The page on a free port with these settings, and its bot."""
    usual = {"store": folder, "index": folder / "index", "per_minute": 0, "at_once": 20}
    settings = ServerSettings(_env_file=None, host="127.0.0.1", port=0, **usual | changes)  # type: ignore[arg-type]
    bot = FakeBot(sea, sea=ARTICLE)
    with Store(folder / "page.sqlite") as store, listen(settings) as listener:
        server = make_server(make_app(bot, store, settings))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield bot, "http://127.0.0.1:{1}/".format(*listener.getsockname())
        server.should_exit = True
        thread.join(WAIT)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeBot, str]]:
    """The page as most tests need it; a module may have another one."""
    with serving_page(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT * 1000)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())


@pytest.fixture
def bot(served: tuple[FakeBot, str]) -> FakeBot:
    served[0].__init__(sea, sea=ARTICLE)  # type: ignore[misc]
    return served[0]


Opener = Callable[..., Page]


@pytest.fixture
def open_page(bot: FakeBot, served: tuple[FakeBot, str], chromium: Browser) -> Iterator[Opener]:
    """Opens the page for a new reader; every request must go to it, and nothing may be left for the policy to block."""
    contexts = []
    requested: list[str] = []
    complaints: list[str] = []

    def opened(
        size: tuple[int, int] = WIDE,
        beside: Page | None = None,
        address: str = "",
        noisy: bool = False,
        **options: object,
    ) -> Page:
        context = (
            beside.context
            if beside
            else chromium.new_context(
                viewport={"width": size[0], "height": size[1]},
                **options,  # type: ignore[arg-type]
            )
        )
        if not beside:
            contexts.append(context)
            context.on("request", lambda request: requested.append(urlsplit(request.url).netloc))
        page = context.new_page()
        if not noisy:  # a browser complains of each failed request
            page.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served[1] + address)
        is_ready(page)
        return page

    yield opened
    bot.gate.set()
    for context in contexts:
        context.close()
    assert {host for host in requested if host} == {urlsplit(served[1]).netloc}
    assert complaints == []


def is_ready(page: Page) -> None:
    """Wait until the page is drawn and answers."""
    page.locator("#question textarea").wait_for()
    page.wait_for_function("document.body.dataset.busy === 'false'")


def ask(page: Page, question: str) -> None:
    """Type and send, and wait until the question is on its way."""
    turns = page.locator("#chat .turn").count()
    page.locator("#question textarea").fill(question)
    page.locator("#question textarea").press("Enter")
    expect(page.locator("#chat .turn")).to_have_count(turns + 1)


def done(page: Page) -> None:
    """Wait until the answer is whole."""
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#question textarea")).to_be_editable()
    expect(page.locator("body")).to_have_attribute("data-busy", "false")


def reply(page: Page) -> Locator:
    return page.locator("#chat .reply").last


def said(page: Page) -> Locator:
    """The answer's sentences and marks."""
    return reply(page).locator(".answer")


def tool(page: Page, action: str, turn: int = 1) -> Locator:
    return page.locator(f"#t{turn} .tools [data-action={action}]")


def drawer(page: Page, name: str) -> None:
    page.locator(f"[data-drawer-of={name}]").click()
    expect(page.locator(f"#{name}")).to_be_visible()


def in_view(element: Locator) -> bool:
    """Whether the whole element is inside the window and inside the pane that scrolls it."""
    script = """(element) => {
        const scroller = element.closest("#source, #chat");
        const inside = getComputedStyle(scroller).overflowY === "auto" ? scroller : element.closest("#right, #chat");
        const pane = inside.getBoundingClientRect(), box = element.getBoundingClientRect();
        const top = Math.max(0, pane.top), bottom = Math.min(innerHeight, pane.bottom);
        return box.top >= top - 1 && box.bottom <= bottom + 1 && box.left >= 0 && box.right <= innerWidth;
    }"""
    return bool(element.evaluate(script))


def comes_into_view(page: Page, element: Locator) -> None:
    """Wait until it is, for scrolling is smooth."""
    for _ in range(WAIT * 20):
        if in_view(element):
            return
        page.evaluate("() => new Promise(requestAnimationFrame)")
        page.wait_for_timeout(30)
    raise AssertionError("it does not come into view")
