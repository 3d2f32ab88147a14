"""Questions typed in the real page by Chromium: seconds until it shows what came."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from eval.fresh import BenchError
from rag import Chatbot
from rag.settings import Settings, read_server_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PER_MINUTE = 200
"""Signs typed a minute: 40 words."""
BOX = "#question textarea"
READY = "document.querySelector('#list nav')?.dataset.current"
"""Whether the page has what its server gave it first."""
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_INSTALLED = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PAGE_SECONDS = 60.0
_LONGEST = 600.0
"""Seconds to wait for an answer."""
WATCH = """(box) => {
    const marks = window.benchMarks = {};
    const mark = (name) => { marks[name] ??= performance.now(); };
    const words = (element) => element && element.textContent.trim() !== "";
    const look = () => {
        const reply = [...document.querySelectorAll("#chat .reply")].at(-1);
        if (marks.enter === undefined || !reply) return;
        if (words(reply.querySelector(".evidence"))) mark("evidence");
        if (words(reply.querySelector(".answer"))) mark("first_word");
        if (reply.dataset.busy === "false") mark("done");
    };
    document.querySelector(box).addEventListener("keydown", (event) => {
        if (event.key === "Enter") mark("enter");
    }, { capture: true });
    new MutationObserver(look).observe(document.querySelector("#chat"),
        { subtree: true, childList: true, attributes: true, characterData: true });
}"""
"""Marks when Enter was pressed and when each thing was first in the page, by the page's own clock."""


@dataclass(frozen=True)
class Typed:
    """Seconds from Enter until the page had each; None if it never had."""

    evidence: float | None
    first_word: float | None
    done: float | None
    failed: str | None = None


def typed(bot: Chatbot, settings: Settings, questions: Sequence[str], folder: Path) -> list[Typed]:
    """Each question typed by a new reader; `folder` gets the page's store."""
    with _page(bot, settings, folder) as address, browser() as chromium:
        return [type_one(chromium, address, question) for question in tqdm(questions, "typed", unit="question")]


@contextmanager
def browser() -> Iterator["Browser"]:
    """Headless Chromium. Raises BenchError if it or Playwright is not installed."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as error:
        raise BenchError(
            'Typing in the page needs the extra "test"; run: pip install -c constraints.txt -e ".[local,eval,test]"'
        ) from error
    installed = next((found for name in _INSTALLED if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=installed, args=_FLAGS)
        except Error as error:
            raise BenchError(
                "Typing in the page needs Chromium, which does not start; install it, "
                "on Debian with: apt-get install chromium"
            ) from error
        try:
            yield chromium
        finally:
            chromium.close()


def type_one(chromium: "Browser", address: str, question: str, per_minute: float = PER_MINUTE) -> Typed:
    """Type the question as a person does, press Enter and wait for the answer's end."""
    from playwright.sync_api import Error

    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        page.set_default_timeout(_PAGE_SECONDS * 1000)
        page.goto(address)
        box = page.locator(BOX)
        box.wait_for()
        page.wait_for_function(READY)
        page.evaluate(WATCH, BOX)
        one_line = " ".join(question.split())
        box.press_sequentially(
            one_line, delay=60_000 / per_minute, timeout=(_PAGE_SECONDS + len(one_line) * 120 / per_minute) * 1000
        )
        box.press("Enter")
        page.wait_for_function("window.benchMarks.done !== undefined", timeout=_LONGEST * 1000)
        return read_marks(page.evaluate("window.benchMarks"))
    except Error as error:
        return Typed(None, None, None, type(error).__name__)
    finally:
        context.close()


def read_marks(marks: dict[str, Any]) -> Typed:
    """The page's marks, milliseconds by its clock, as seconds since Enter; without a word it failed."""
    if "first_word" not in marks:
        return Typed(None, None, None, "NoAnswer")

    def since(name: str) -> float | None:
        return (marks[name] - marks["enter"]) / 1000 if name in marks else None

    return Typed(since("evidence"), since("first_word"), since("done"))


@contextmanager
def _page(bot: Chatbot, settings: Settings, folder: Path) -> Iterator[str]:
    """The address of the real page, served from a thread of this process."""
    from chat_app import make_app
    from rag.server.serve import listen, make_server
    from rag.server.store import FILE, Store

    server_settings = read_server_settings(
        **{name: getattr(settings, name) for name in ("index", "model", "base_url", "embedder")},
        host="127.0.0.1", port=0, store=folder, per_minute=0, users=None, user_header="", hosts="",
    )  # fmt: skip
    with Store(folder / FILE) as store, listen(server_settings) as listener:
        server = make_server(make_app(bot, store, server_settings))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(10)
