"""The page: `python chat_app.py` builds the index if there is none, starts the model and serves the page."""

import argparse
import logging
import queue
import socket
import sys
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ingest import main as ingest_main
from rag import Chatbot, Document, RagError, Settings, read_settings
from rag.errors import SettingsError
from rag.index import is_sound
from rag.progress import terminal_progress
from rag.render import CSS, SHOW_NEWEST, Event, Turn, advance, chat_messages, end, loaded_line, passages_pane

TITLE = "Ask the article"
AT_ONCE = 4  # questions answered at the same time; further ones wait
EXAMPLES = (
    "What is the victory plan?",
    "Which cities did Zelensky visit to promote his plan?",
    "Did Rutte endorse the plan?",
    "What did Olaf Scholz advocate?",
)
BLANK = "Type a question first."
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; form-action 'none'; base-uri 'self'; frame-ancestors 'self'"
)


class Bot(Protocol):
    """What the page needs of a Chatbot."""

    @property
    def documents(self) -> Mapping[str, Document]: ...

    def stream(self, question: str, history: Sequence[tuple[str, str]] = ()) -> Iterator[Event]: ...


class Run:
    """One question on its way: a thread reads the bot's stream, so Stop shows at once even while the bot is silent."""

    def __init__(self, bot: Bot, question: str, history: Sequence[tuple[str, str]]) -> None:
        self.stopped = False
        self._leave = threading.Event()
        self._events: queue.SimpleQueue[Event | Exception | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(bot, question, history), daemon=True).start()

    def stop(self) -> None:
        """End the run: the page goes on at once, the bot's stream is closed at its next event."""
        self.stopped = True
        self._leave.set()
        self._events.put(None)

    def events(self) -> Generator[Event, None, None]:
        """The bot's events until it ends or is stopped. Raises what the bot raises."""
        try:
            while (event := self._events.get()) is not None and not self._leave.is_set():
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self._leave.set()

    def _read(self, bot: Bot, question: str, history: Sequence[tuple[str, str]]) -> None:
        try:
            stream = bot.stream(question, history=history)
            try:
                for event in stream:
                    if self._leave.is_set():
                        break
                    self._events.put(event)
            finally:
                if isinstance(stream, Generator):
                    stream.close()
        except Exception as error:  # noqa: BLE001 - handed to the page, which shows it
            self._events.put(error)
        self._events.put(None)


def converse(bot: Bot, question: str, turns: list[Turn]) -> Iterator[tuple[list[Turn], Run | None]]:
    """Ask, and yield the turns as they grow, with the run while it can be stopped."""
    history = [(turn.question, turn.text) for turn in turns if turn.text and turn.state in ("done", "stopped")]
    turn = Turn(number=turns[-1].number + 1 if turns else 1, question=question)
    run = Run(bot, question, history)
    yield [*turns, turn], run
    try:
        with closing(run.events()) as events:
            for event in events:
                turn = advance(turn, event)
                yield [*turns, turn], run
        turn = end(turn, run.stopped)
    except RagError as error:
        turn = replace(turn, state="failed", note=str(error))
    except Exception as error:  # gradio would leave the page disabled for good
        logging.exception("The bot failed on a question.")
        sentence = f"Something went wrong ({type(error).__name__}: {error}). Ask again, or start the page anew."
        turn = replace(turn, state="failed", note=sentence)
    yield [*turns, turn], None


def draw(turns: list[Turn], run: Run | None, box: str | None = None, pane: bool = True) -> tuple[Any, ...]:
    """The new values of the page's components; None and False leave the text box and the passages as they are."""
    busy = run is not None
    passages = passages_pane(turns) if pane else gr.skip()
    more = gr.update(interactive=bool(turns) and not busy)
    send, stop = gr.update(visible=not busy), gr.update(visible=busy)
    return chat_messages(turns), passages, gr.skip() if box is None else box, send, stop, more, more, turns, run


def ask(bot: Bot, question: str, turns: list[Turn]) -> Iterator[tuple[Any, ...]]:
    """The page's values while a question is answered."""
    if not question.strip():
        messages, *others = draw(turns, None, pane=False)
        yield [*messages, {"role": "assistant", "content": BLANK}], *others
        return
    shown: object = None
    for number, (grown, run) in enumerate(converse(bot, question, turns)):
        found = (grown[-1].hits, grown[-1].answer)
        yield draw(grown, run, box=None if number else "", pane=found != shown)
        shown = found


def ask_again(bot: Bot, turns: list[Turn]) -> Iterator[tuple[Any, ...]]:
    """Ask the last question again, in place of its turn."""
    yield from ask(bot, turns[-1].question if turns else "", turns[:-1])


def build_page(bot: Bot, settings: Settings) -> gr.Blocks:  # noqa: ARG001 - the page has no setting of its own yet
    """The page with its events."""
    shipped = any(document.source.endswith("article.txt") for document in bot.documents.values())
    page: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(f"<h1>{TITLE}</h1>{loaded_line(bot.documents)}", elem_id="top")
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="left", min_width=320):
                chat = gr.Chatbot(
                    elem_id="chat", show_label=False, container=False, height=None, buttons=[], feedback_options=None,
                    render_markdown=False, sanitize_html=True, allow_tags=False, latex_delimiters=[],
                    examples=[{"text": text} for text in EXAMPLES] if shipped else None,
                    placeholder="Ask about the documents. Each answer links to the words it rests on.",
                )  # fmt: skip
                with gr.Row(elem_id="ask"):
                    box = gr.Textbox(
                        elem_id="question", placeholder="Your question", show_label=False, label="Your question",
                        container=False, lines=1, max_lines=5, scale=5, min_width=160, autofocus=True,
                    )  # fmt: skip
                    send = gr.Button("Send", elem_id="send", variant="primary", scale=1, min_width=80)
                    stop = gr.Button("Stop", elem_id="stop", variant="stop", scale=1, min_width=80, visible=False)
                with gr.Row():
                    retry = gr.Button("Retry", elem_id="retry", size="sm", min_width=80, interactive=False)
                    clear = gr.Button("Clear", elem_id="clear", size="sm", min_width=80, interactive=False)
            with gr.Column(elem_id="right", min_width=320):
                pane = gr.HTML(passages_pane([]), elem_id="passages", js_on_load=SHOW_NEWEST)
        turns, run = gr.State([]), gr.State(None)

        outputs = [chat, pane, box, send, stop, retry, clear, turns, run]
        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        asking: dict[str, Any] = {
            "outputs": outputs, "concurrency_limit": AT_ONCE, "concurrency_id": "ask", "api_visibility": "private",
            "show_progress": "minimal", "show_progress_on": [box],  # there gradio shows the place in a full queue
        }  # fmt: skip

        # Not a partial: gradio passes the clicked example only to a parameter it can see.
        def ask_example(turns: list[Turn], clicked: gr.SelectData) -> Iterator[tuple[Any, ...]]:
            yield from ask(bot, clicked.value["text"], turns)

        gr.on([box.submit, send.click], partial(ask, bot), [box, turns], **asking)
        chat.example_select(ask_example, [turns], **asking)
        retry.click(partial(ask_again, bot), [turns], **asking)
        stop.click(lambda run: run and run.stop(), [run], None, **quiet)
        clear.click(lambda: draw([], None), None, outputs, **quiet)
    return page


def build_app(bot: Bot, settings: Settings) -> FastAPI:
    """The page as a web application that answers only to the names it is served under."""
    app = FastAPI(openapi_url=None)
    names = ["127.0.0.1", "localhost", "[::1]", settings.host]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    theme = gr.themes.Default(primary_hue="blue", font=("system-ui", "sans-serif"), font_mono="monospace")
    gr.mount_gradio_app(
        app, build_page(bot, settings), path="/", theme=theme, css=CSS, footer_links=[], run_history=False,
        ssr_mode=False, mcp_server=False, max_file_size=1, show_error=False,
    )  # fmt: skip
    return app


class Server(uvicorn.Server):
    """A uvicorn server that says where the page is, once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            print(f"Open http://{f'[{host}]' if ':' in host else host}:{port} in a browser.", flush=True)


def listen(settings: Settings) -> socket.socket:
    """A socket on the page's address. Raises SettingsError where that address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise SettingsError(
            f"The page cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "set RAG_PORT to a free port, or to 0 to take any, and RAG_HOST to an address of this machine."
        ) from error


def make_server(bot: Bot, settings: Settings) -> Server:
    """The page's server. Its policy lets the browser load and send nothing elsewhere, whatever slips into the page."""
    policy = [("content-security-policy", CONTENT_POLICY)]
    app = build_app(bot, settings)
    return Server(uvicorn.Config(app, headers=policy, log_level="critical", timeout_graceful_shutdown=1))


def main(argv: Sequence[str] | None = None) -> int:
    """Build the index if there is none that is sound, open it and serve the page. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Ask the documents in a page; the settings are RAG_* variables.")
    parser.parse_args(argv)
    try:
        settings = read_settings()
        with listen(settings) as listener:
            if not is_sound(settings.index) and (code := ingest_main([])) and not is_sound(settings.index):
                return code
            with terminal_progress() as progress, Chatbot.open(settings, progress=progress) as bot:
                make_server(bot, settings).run([listener])
    except RagError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
