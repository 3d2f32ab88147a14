"""What the page's events do. The store holds the truth: each event begins with what is kept there, so that neither
another tab nor a restart of the server is written over."""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr

from rag import bounds
from rag.errors import RagError, for_readers
from rag.page.choice import Chosen
from rag.page.conversation import conversation, conversation_list, top_bar
from rag.page.documents import asked
from rag.page.run import Run, converse, history_of
from rag.page.source import loaded, opening, source
from rag.page.suggest import first_questions, next_questions
from rag.server.gradio_calls import Click, click_of, conversation_id
from rag.server.log import reason
from rag.server.records import Rating, Turn, end
from rag.server.service import Service, ServiceEvent
from rag.server.store import Store
from rag.settings import ServerSettings

BLANK = "Type a question first."
LONG = f"A question can have {bounds.QUESTION:,} characters at most; shorten it."
UNDER_WAY = "This conversation is being answered; wait for it, or stop it."
VALUES = 7
"""How many values `Page.draw` gives."""
Turns = tuple[Turn, ...]
Values = tuple[Any, ...]
T = TypeVar("T")


class Page:
    """The handlers; each gives the new values of all components, in the order of `draw`. Threads share it."""

    def __init__(self, service: Service, store: Store, settings: ServerSettings) -> None:
        self._service = service
        self._store = store
        self._settings = settings
        self._runs: dict[tuple[str, str], Run] = {}
        self._beginning = threading.Lock()

    def load(self, request: gr.Request) -> Values:
        """The conversation that the address names, or a new one."""
        owner, identity = _owner(request), conversation_id(request.query_params.get("c"))
        turns = self._kept(owner, identity)
        return self.draw(owner, turns, identity if turns else _new())

    def top(self, chosen: Chosen) -> str:
        """The bar, which says which documents can be asked, and how many of them are."""
        documents = self._service.bot.documents
        only = "" if chosen is None else f" Only {len(chosen):,} of them will be asked."
        return top_bar(loaded(documents) + only)

    def ask(self, question: str, identity: str, chosen: Chosen, request: gr.Request) -> Iterator[Values]:
        """What is typed, asked of the chosen documents after the turns of the conversation."""
        owner, identity = _owner(request), conversation_id(identity) or _new()
        yield from self._begin(owner, identity, question or "", self._kept(owner, identity), (), chosen, request)

    def again(self, identity: str, chosen: Chosen, request: gr.Request, event: gr.EventData) -> Iterator[Values]:
        """A suggested question, or an earlier one, perhaps edited: the turns from that one on make room for it."""
        wanted = click_of(event)
        if wanted is None:
            yield (gr.skip(),) * VALUES
            return
        owner, identity, number = _owner(request), conversation_id(identity) or _new(), wanted.turn
        every = self._kept(owner, identity)
        kept = tuple(turn for turn in every if number is None or turn.number < number)
        old = next((turn.question for turn in every if turn.number == number), "")
        yield from self._begin(owner, identity, wanted.question or old, kept, every[len(kept) :], chosen, request)

    def read_ahead(self, draft: str, identity: str, chosen: Chosen, request: gr.Request) -> None:
        """What is being typed, for the model to read meanwhile; nothing of it is shown or kept."""
        if not (draft or "").strip():  # It was asked meanwhile.
            return
        owner = _owner(request)
        try:
            turns, documents = self._store.read(owner, conversation_id(identity)) or (), asked(chosen)
        except RagError:  # It is told when the question is asked.
            return
        self._service.read_ahead(owner, draft, history_of(turns), documents)

    def stop(self, identity: str, request: gr.Request) -> None:
        """End the answer that is under way in the conversation."""
        if run := self._runs.get((_owner(request), identity)):
            run.stop()

    def _begin(
        self, owner: str, identity: str, question: str, turns: Turns, replaced: Turns, chosen: Chosen,
        request: gr.Request,
    ) -> Iterator[Values]:  # fmt: skip
        key, request_id = (owner, identity), request.headers.get("x-request-id", "")

        def asker(question: str, history: list[tuple[str, str]]) -> Iterator[ServiceEvent]:
            yield from self._service.ask(owner, question, history, asked(chosen), request_id=request_id)

        if len(question) > bounds.QUESTION or not question.strip():
            gr.Info(BLANK if len(question) <= bounds.QUESTION else LONG)
            yield (gr.skip(),) * VALUES
            return
        with self._beginning:
            if self._busy(owner, identity):
                gr.Info(UNDER_WAY)
                yield (gr.skip(),) * VALUES
                return
            run = self._runs[key] = Run(asker, question, history_of(turns))
        try:
            yield from self._asked(run, owner, identity, question, turns, replaced)
        finally:
            if self._runs.get(key) is run:
                del self._runs[key]

    def _asked(
        self, run: Run, owner: str, identity: str, question: str, turns: Turns, replaced: Turns
    ) -> Iterator[Values]:
        grown, shown, kept = turns, None, False
        try:
            for number, grown in enumerate(converse(run, question, turns)):
                last = grown[-1]
                over = last.state != "running"
                if over and replaced and last.hits is None:  # It was refused: what it was to replace stays.
                    gr.Warning(last.note)
                    yield self.draw(owner, turns + replaced, identity)
                    return
                found = (last.hits, last.evidence, last.answer, last.ahead)
                if found == shown and not over and run.behind:
                    continue
                keep = over or (not kept and last.hits is not None)
                if keep:
                    kept = _tried(self._store.write, owner, identity, grown)
                pane = shown is None or found[:3] != shown[:3]
                shown = found
                yield self.draw(owner, grown, identity, not over, "" if number == 0 else None, pane, keep)
        finally:
            if kept and grown[-1].state == "running":  # The reader has gone.
                _tried(self._store.write, owner, identity, (*grown[:-1], end(grown[-1], stopped=True)))

    def act(self, identity: str, request: gr.Request, event: gr.EventData) -> Values:
        """What a click in the panes asks for, beside questions."""
        wanted = click_of(event)
        if wanted is None:
            return (gr.skip(),) * VALUES
        owner, identity, action = _owner(request), conversation_id(identity), wanted.action
        turns = self._kept(owner, identity)
        turn = next((turn for turn in turns if turn.number == wanted.turn), None)
        if action == "source" and turn:
            return gr.skip(), source(turn, self._service.bot.documents), *(gr.skip(),) * (VALUES - 2)
        named = wanted.conversation or identity
        if self._busy(owner, identity) or (action == "remove" and self._busy(owner, named)):
            gr.Info(UNDER_WAY)
            return (gr.skip(),) * VALUES
        if action == "rate" and turn:
            turns = self._rated(owner, identity, turns, turn, wanted)
        elif action == "delete" and turn:
            turns = tuple(one for one in turns if one is not turn)
            _tried(self._store.write, owner, identity, turns)
            _tried(self._store.unrate, owner, identity, turn.number)
        elif action == "remove":
            _tried(self._store.delete, owner, named)
            turns = self._kept(owner, identity)
        elif action == "open":
            identity, turns = named, self._kept(owner, named)
        elif action == "new":
            turns = ()
        return self.draw(owner, turns, identity if turns else _new(), pane=action != "rate")

    def _rated(self, owner: str, identity: str, turns: Turns, turn: Turn, wanted: Click) -> Turns:
        rated = replace(turn, rated=wanted.verdict)
        before = tuple(history_of([one for one in turns if one.number < turn.number]))
        if rated.rated:
            why = wanted.reason, wanted.comment, wanted.right
            rating = Rating(identity, rated.number, rated.rated == "good", *why, rated, before)
            kept = _tried(self._store.rate, owner, rating)
        else:
            kept = _tried(self._store.unrate, owner, identity, turn.number)
        grown = tuple(rated if one is turn and kept else one for one in turns)
        if _tried(self._store.write, owner, identity, grown) and kept and rated.rated:
            gr.Info("Thank you. It is stored.")
        return grown

    def draw(
        self, owner: str, turns: Turns, identity: str, busy: bool = False, box: str | None = None, pane: bool = True,
        lists: bool = True,
    ) -> Values:  # fmt: skip
        """The values of: conversation, source, list, text box, Send, Stop, identity."""
        documents = self._service.bot.documents
        shown = next((turn for turn in reversed(turns) if turn.hits is not None), None)
        right = source(shown, documents) if shown else opening(documents)
        return (
            conversation(turns, identity, next_questions(turns) if turns else first_questions(documents)),
            right if pane else gr.skip(),
            self._listing(owner, identity) if lists else gr.skip(),
            gr.skip() if box is None else box,
            gr.update(visible=not busy),
            gr.update(visible=busy),
            identity,
        )

    def _busy(self, owner: str, identity: str) -> bool:
        run = self._runs.get((owner, identity))
        return run is not None and not run.ended

    def _kept(self, owner: str, identity: str) -> Turns:
        turns = _read(lambda: self._store.read(owner, identity), None) or ()
        if turns and turns[-1].answer is None and self._busy(owner, identity):
            return *turns[:-1], replace(turns[-1], note="This is being answered; load the page again in a while.")
        return turns

    def _listing(self, owner: str, identity: str) -> str:
        user = owner.removeprefix("user:") if owner.startswith("user:") and self._settings.users else ""
        return conversation_list(_read(lambda: self._store.conversations(owner), []), identity, user)


def _new() -> str:
    return secrets.token_urlsafe(9)


def _read(read: Callable[[], T], default: T) -> T:
    """What the store holds; where it cannot be read the page says why, and goes on with the default."""
    try:
        return read()
    except RagError as error:
        _warn(error)
        return default


def _tried(change: Callable[..., None], *values: object) -> bool:
    """Whether the store took the change; where not the page says why, and goes on."""
    try:
        change(*values)
    except RagError as error:
        _warn(error)
        return False
    return True


def _warn(error: RagError) -> None:
    logging.getLogger(__name__).warning(
        "A conversation could not be read or kept.", extra={"fields": {"reason": reason(error)}}
    )
    gr.Warning(for_readers(error))


def _owner(request: gr.Request) -> str:
    return str(request.username or "local")
