"""A bot whose answers one can work out by hand, a store in memory, and the whole application on loopback."""

import io
import logging
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr
from fastapi import FastAPI
from library import Library

import chat_app
from rag.server.api import add_gradio_endpoint
from rag.server.app import build_app
from rag.server.log import start_logging
from rag.server.serve import listen, make_server
from rag.server.service import Service
from rag.server.store import FILE, Store
from rag.settings import ServerSettings, Settings
from rag.types import Answer, Citation, Document, Hit, Passage, Sentence, Timings

WAIT = 10  # seconds until a test that hangs fails
DOCUMENT = Document("d", "data/article.txt", "Title", "Anna sailed to Oslo.")
HIT = Hit(Passage(0, "d", DOCUMENT.source, "Title", 0, 20, DOCUMENT.text), 0.1, 0.5, 1, 1)
CITATION = Citation(1, "d", DOCUMENT.source, "Title", 0, 20, DOCUMENT.text)
Event = list[Hit] | str | Answer


def answered(text: str, abstained: bool = False) -> Answer:
    cited = () if abstained else (CITATION,)
    said = () if abstained else (Sentence(text, cited, True),)
    return Answer("Q", text, said, cited, (HIT,), abstained, 0.9, Timings(0, 0, None, 0), {"check": 0.5})


class FakeBot:
    """Streams what `script` yields, and remembers what it was asked and whether its streams were closed."""

    def __init__(self, script: Callable[[str], Iterator[Event]] | None = None) -> None:
        self.script = script or self.echo
        self.asked: list[tuple[str, list[tuple[str, str]], list[str]]] = []
        self.closed = threading.Event()
        self.checked = 0
        self.fault: Exception | None = None
        self.passages = 3

    @property
    def documents(self) -> dict[str, Document]:
        return {"d": DOCUMENT}

    def check(self) -> None:
        self.checked += 1
        if self.fault:
            raise self.fault

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), documents: Sequence[str] = ()
    ) -> Iterator[Event]:
        self.asked.append((question, [tuple(pair) for pair in history], list(documents)))
        try:
            yield from self.script(question)
        finally:
            self.closed.set()

    @staticmethod
    def echo(question: str) -> Iterator[Event]:
        yield [HIT]
        yield "Said"
        yield answered(f"Said {question}")


class MemoryStore:
    """Sessions in a dictionary."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}

    def start_session(self, user: str, seconds: int) -> str:
        token = secrets.token_urlsafe()
        self.users[token] = user
        return token

    def session_user(self, token: str) -> str | None:
        return self.users.get(token)

    def end_session(self, token: str) -> None:
        self.users.pop(token, None)


def whoami(request: gr.Request) -> str:
    return str(request.username)


def make_blocks(service: Service) -> gr.Blocks:
    """A page with the endpoint `ask`, an event that says who asks, one of the page's own, and an upload."""
    blocks: gr.Blocks
    with gr.Blocks(analytics_enabled=False) as blocks:
        add_gradio_endpoint(service)
        gr.api(whoami, api_name="whoami")
        box, file = gr.Textbox(label="Box"), gr.File(label="File")
        box.submit(lambda text: text, box, box, api_visibility="private")
        file.upload(lambda path: path.name, file, box, api_visibility="private")
    return blocks


def make_app(bot: FakeBot, settings: Settings, store: MemoryStore | None = None) -> FastAPI:
    service = Service(bot, settings)
    return build_app(service, store or MemoryStore(), make_blocks(service), settings)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application on a free port of loopback; gives its address."""
    server = make_server(app)
    with listen(ServerSettings(port=0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(WAIT)
            assert not thread.is_alive()


def sse(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The names and data of server-sent events."""
    import json

    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


class PageBot(FakeBot):
    """A FakeBot whose documents the whole page can list."""

    @property
    def documents(self) -> Library:
        return Library(d=DOCUMENT)


def make_page(settings: Settings) -> FastAPI:
    """The whole page, as chat_app serves it, with a store in the settings' folder."""
    settings = settings.model_copy(update={"store": settings.index.parent / "store"})
    return chat_app.make_app(PageBot(), Store(settings.store / FILE), settings)


@contextmanager
def logged(settings: Settings) -> Iterator[io.StringIO]:
    """What this process writes to its log, as an entry point starts it."""
    root, ours, stream = logging.getLogger(), logging.getLogger("rag"), io.StringIO()
    before, hooks = (root.handlers[:], root.level, ours.level), (threading.excepthook, sys.unraisablehook)
    try:
        start_logging(settings, stream)
        yield stream
    finally:
        root.handlers[:], root.level, ours.level = before
        threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)
