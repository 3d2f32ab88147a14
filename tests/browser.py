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
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

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
SEND, STOP = "#question .submit-button", "#question .stop-button"
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
def serving_page(folder: Path, place: str = "", **changes: object) -> Iterator[tuple[FakeBot, str]]:
    """The page on a free port with these settings, and its bot; its store is in the folder, or the database `place`."""
    usual = {"store": folder, "index": folder / "index", "per_minute": 0, "at_once": 20}
    settings = ServerSettings(_env_file=None, host="127.0.0.1", port=0, **usual | changes)  # type: ignore[arg-type]
    bot = FakeBot(sea, sea=ARTICLE)
    with Store(place or folder / "page.sqlite") as store, listen(settings) as listener:
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
LEAVING = ("AbortError: signal is aborted", "Unexpected error Connection errored out.")
"""What Gradio complains of when a page is left before its last event has ended."""


def complaint(message: ConsoleMessage) -> list[str]:
    """What the page's script complains of, if it is an error of the page."""
    return [message.text] if message.type == "error" and not message.text.startswith(LEAVING) else []


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
            page.on("console", lambda message: complaints.extend(complaint(message)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served[1] + address)
        is_ready(page)
        return page

    yield opened
    bot.gate.set()
    for context in contexts:
        context.close()
    assert {host for host in requested if host} == {urlsplit(served[1]).netloc}
    assert not complaints, complaints


READY = """() => {
    const named = new URLSearchParams(location.search).get("c");
    return named !== null && document.querySelector("#list nav")?.dataset.current === named;
}"""


def is_ready(page: Page) -> None:
    """Wait until the page is drawn and answers."""
    page.locator("#question textarea").wait_for()
    page.wait_for_function(READY)


def ask(page: Page, question: str) -> None:
    """Type and send, and wait until the question is on its way."""
    turns = page.locator("#chat .reply").count()
    page.locator("#question textarea").fill(question)
    page.locator("#question textarea").press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(turns + 1)


def done(page: Page) -> None:
    """Wait until the answer is whole."""
    expect(page.locator(SEND)).to_be_visible()
    expect(page.locator(STOP)).to_be_hidden()
    expect(page.locator("#question textarea")).to_be_editable()
    expect(page.locator("#chat .reply[data-busy=true]")).to_have_count(0)


def questions(page: Page) -> Locator:
    return page.locator("#chat .user-row .message")


def reply(page: Page) -> Locator:
    return page.locator("#chat .reply").last


def said(page: Page) -> Locator:
    """The answer's sentences and marks."""
    return reply(page).locator(".answer")


def draft(page: Page) -> Locator:
    """The words that no check has passed, with what stands above them."""
    return reply(page).locator(".draft")


def tool(page: Page, name: str, turn: int = 1) -> Locator:
    """A button of a question ("Edit") or of its answer, by its name; `turn` counts those that are shown."""
    side = "user" if name in ("Edit", "Submit", "Cancel") else "bot"
    return page.locator(f"#chat .{side}-row").nth(turn - 1).get_by_role("button", name=name, exact=True)


def drawer(page: Page, name: str) -> None:
    """Open the sidebar at `list` or `documents`."""
    if not page.locator("#sidebar.open").count():
        page.locator("#sidebar .toggle-button").click()
    page.get_by_role("tab", name={"list": "Conversations", "documents": "Documents"}[name]).click()
    expect(page.locator(f"#{name}")).to_be_in_viewport()


def close_drawer(page: Page) -> None:
    page.locator("#sidebar .toggle-button").click()
    expect(page.locator("#sidebar.open")).to_have_count(0)


def in_view(element: Locator) -> bool:
    """Whether the whole element is inside the window and inside the pane that scrolls it."""
    script = """(element) => {
        let pane = element.parentElement;
        while (pane.parentElement && !/auto|scroll/.test(getComputedStyle(pane).overflowY)) pane = pane.parentElement;
        const around = pane.getBoundingClientRect(), box = element.getBoundingClientRect();
        const top = Math.max(0, around.top), bottom = Math.min(innerHeight, around.bottom);
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
