"""The Gradio page: two panes, two drawers, and the events between them."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import gradio as gr

from rag.errors import RagError
from rag.page.choosing import Chosen, asked
from rag.page.conversation import conversation
from rag.page.desk import Desk
from rag.page.doors import register
from rag.page.frame import TITLE, bar, listing
from rag.page.panel import documents_panel
from rag.page.run import Asker, Run, converse, history_of
from rag.page.shelf import Shelf
from rag.page.source import loaded, opening, source
from rag.page.store import Rating, Store
from rag.page.suggest import first_questions, next_questions
from rag.page.turns import Event, Turn, end
from rag.settings import Settings

BLANK = "Type a question first."
EXAMPLES = (
    "What is the victory plan?",
    "Which cities did Zelensky visit to promote his plan?",
    "Did Rutte endorse the plan?",
    "What did Olaf Scholz advocate?",
)
Turns = tuple[Turn, ...]
Values = tuple[Any, ...]


def head() -> str:
    """The page's style and script, for the head of the HTML: Gradio would confine a style given as `css`."""
    style, script = (files("rag.page").joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return f"<style>{style}</style><script>{script}</script>"


class Page:
    """The handlers of the page's events; each gives the new values of all components, in the order of `draw`."""

    def __init__(self, desk: Desk, store: Store, settings: Settings) -> None:
        self._desk = desk
        self._store = store
        self._settings = settings

    def load(self, request: gr.Request) -> Values:
        """The conversation that the address names, or a new one."""
        owner, identity = _owner(request), str(request.query_params.get("c", ""))
        turns = (self._store.read(owner, identity) or ()) if identity else ()
        return self.draw(owner, turns, identity if turns else "", None)

    def ask(self, question: str, turns: Turns, identity: str, chosen: Chosen, request: gr.Request) -> Iterator[Values]:
        """What is typed, asked of the chosen documents after these turns."""
        owner = _owner(request)
        if not question.strip():
            gr.Info(BLANK)
            yield self.draw(owner, turns, identity, None, pane=False)
            return
        identity = identity or secrets.token_urlsafe(9)
        request_id = request.headers.get("x-request-id", "")  # the same in the log and in the response

        def asker(question: str, history: list[tuple[str, str]]) -> Iterator[Event]:
            yield from self._desk.ask(owner, question, history, asked(chosen), request=request_id)

        yield from self._asked(asker, owner, question, turns, identity)

    def again(
        self, turns: Turns, identity: str, chosen: Chosen, request: gr.Request, event: gr.EventData
    ) -> Iterator[Values]:
        """A suggested question, or an earlier one, perhaps edited: the turns from that one on make room for it."""
        wanted: dict[str, Any] = event._data or {}
        number = wanted.get("turn")
        kept = tuple(turn for turn in turns if number is None or turn.number < number)
        old = next((turn.question for turn in turns if turn.number == number), "")
        yield from self.ask(str(wanted.get("question") or old), kept, identity, chosen, request)

    def _asked(self, asker: Asker, owner: str, question: str, turns: Turns, identity: str) -> Iterator[Values]:
        grown: Turns = turns
        shown: object = None
        try:
            for number, (grown, run) in enumerate(converse(asker, question, turns)):
                if number == 0 or run is None:
                    _tried(self._store.write, owner, identity, grown)
                found = (grown[-1].hits, grown[-1].answer)
                changed = found != shown
                shown = found
                yield self.draw(owner, grown, identity, run, "" if number == 0 else None, changed, run is None)
        finally:
            if grown and grown[-1].state == "running":  # The reader has gone.
                _tried(self._store.write, owner, identity, (*grown[:-1], end(grown[-1], stopped=True)))

    def act(self, turns: Turns, identity: str, run: Run | None, request: gr.Request, event: gr.EventData) -> Values:
        """What a click in the panes asks for, beside questions."""
        owner = _owner(request)
        wanted: dict[str, Any] = event._data or {}
        action, number = wanted.get("action"), wanted.get("turn")
        turn = next((turn for turn in turns if turn.number == number), None)
        if action == "source" and turn:
            return self.draw(owner, turns, identity, run, only_pane_of=turn)
        if run is not None:
            return (gr.skip(),) * 9
        if action == "rate" and turn:
            turns = self._rated(owner, identity, turns, turn, wanted)
        elif action == "delete" and turn:
            turns = tuple(one for one in turns if one is not turn)
            _tried(self._store.write, owner, identity, turns)
            _tried(self._store.unrate, owner, identity, turn.number)
        elif action == "open":
            identity = str(wanted.get("conversation", ""))
            turns = self._store.read(owner, identity) or ()
        elif action == "remove":
            gone = str(wanted.get("conversation", ""))
            _tried(self._store.delete, owner, gone)
            turns = () if gone == identity else turns
        elif action == "new":
            turns = ()
        return self.draw(owner, turns, identity if turns else "", None, pane=action != "rate")

    def _rated(self, owner: str, identity: str, turns: Turns, turn: Turn, wanted: dict[str, Any]) -> Turns:
        verdict = wanted.get("verdict")
        rated = replace(turn, rated=verdict if verdict in ("good", "bad") else "")
        before = tuple(history_of([one for one in turns if one.number < turn.number]))
        if rated.rated:
            reason, comment, right = (str(wanted.get(name) or "") for name in ("reason", "comment", "right"))
            rating = Rating(identity, rated.number, rated.rated == "good", reason, comment, right, rated, before)
            kept = _tried(self._store.rate, owner, rating)
        else:
            kept = _tried(self._store.unrate, owner, identity, turn.number)
        grown = tuple(rated if one is turn and kept else one for one in turns)
        _tried(self._store.write, owner, identity, grown)
        return grown

    def draw(
        self, owner: str, turns: Turns, identity: str, run: Run | None, box: str | None = None, pane: bool = True,
        lists: bool = True, only_pane_of: Turn | None = None,
    ) -> Values:  # fmt: skip
        """The values of: conversation, source, list, text box, Send, Stop, turns, identity, run."""
        documents = self._desk.bot.documents
        skip = gr.skip()
        if only_pane_of:
            return skip, source(only_pane_of, documents), *(skip,) * 7
        busy = run is not None
        shown = next((turn for turn in reversed(turns) if turn.hits is not None), None)
        right = source(shown, documents) if shown else opening(documents)
        return (
            conversation(turns, identity, self._suggested(turns)),
            right if pane else skip,
            self._listing(owner, identity) if lists else skip,
            skip if box is None else box,
            gr.update(visible=not busy),
            gr.update(visible=busy),
            turns,
            identity,
            run,
        )

    def _listing(self, owner: str, identity: str) -> str:
        user = owner.removeprefix("user:") if owner.startswith("user:") and self._settings.users else ""
        return listing(self._store.conversations(owner), identity, user)

    def _suggested(self, turns: Sequence[Turn]) -> list[str]:
        documents = self._desk.bot.documents
        if turns:
            return next_questions(turns)
        if len(documents) == 1 and next(iter(documents.values())).source.endswith("article.txt"):
            return list(EXAMPLES)
        return first_questions(documents)


def _tried(change: Callable[..., None], *values: object) -> bool:
    """Whether the store took the change; where not the page says why, and goes on."""
    try:
        change(*values)
    except RagError as error:
        gr.Warning(str(error))
        return False
    return True


def _owner(request: gr.Request) -> str:
    return str(request.username or "local")


def build_page(desk: Desk, store: Store, settings: Settings, shelf: Shelf) -> gr.Blocks:
    """The page with its events, and the endpoint `ask`."""
    handlers = Page(desk, store, settings)
    blocks: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(bar(loaded(desk.bot.documents)), elem_id="top", apply_default_css=False, js_on_load=None)
        past = gr.HTML(listing([], ""), elem_id="list", apply_default_css=False, js_on_load=None)
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="left", min_width=300):
                chat = gr.HTML(
                    conversation((), "", []), elem_id="chat", apply_default_css=False, js_on_load=_connect("chat")
                )
                with gr.Row(elem_id="ask"):
                    box = gr.Textbox(
                        elem_id="question", placeholder="Your question", label="Your question", show_label=False,
                        container=False, lines=1, max_lines=5, scale=5, min_width=160, autofocus=True,
                    )  # fmt: skip
                    send = gr.Button("Send", elem_id="send", variant="primary", scale=1, min_width=80)
                    stop = gr.Button("Stop", elem_id="stop", variant="stop", scale=1, min_width=80, visible=False)
            with gr.Column(elem_id="right", min_width=300):
                pane = gr.HTML(
                    opening(desk.bot.documents),
                    elem_id="source",
                    apply_default_css=False,
                    js_on_load=_connect("source"),
                )
        chosen = documents_panel(shelf, lambda: desk.bot.documents).chosen
        register(desk)
        turns, identity, run = gr.State(()), gr.State(""), gr.State(None)

        outputs = [chat, pane, past, box, send, stop, turns, identity, run]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        asking: dict[str, Any] = {"outputs": outputs, **quiet}
        gr.on([box.submit, send.click], handlers.ask, [box, turns, identity, chosen], **asking)
        chat.submit(handlers.again, [turns, identity, chosen], **asking)
        chat.click(handlers.act, [turns, identity, run], outputs, trigger_mode="multiple", **quiet)
        stop.click(lambda run: run and run.stop(), [run], None, queue=False, **quiet)
        blocks.load(handlers.load, None, outputs, **quiet)
    return blocks


def _connect(name: str) -> str:
    return f'window.askTheArticle("{name}", element, trigger, watch);'
