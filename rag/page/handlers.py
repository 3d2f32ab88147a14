"""What the page's events do. The store holds the truth: each event begins with what is kept there, so that neither
another tab nor a restart of the server is written over."""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr

from rag import bounds
from rag.errors import QuestionError, RagError, for_readers
from rag.page.choice import Chosen
from rag.page.conversation import conversation, conversation_list, top_bar
from rag.page.documents import asked
from rag.page.source import loaded, opening, source
from rag.page.suggest import first_questions, next_questions
from rag.server.answering import Answering, Running
from rag.server.gradio_calls import SESSIONS, Click, click_of, conversation_id
from rag.server.log import reason
from rag.server.records import Rating, Turn, history_of
from rag.server.service import Service
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
        self._answering = Answering(service, store)
        self._shown: OrderedDict[str, str] = OrderedDict()

    def load(self, request: gr.Request) -> Iterator[Values]:
        """The conversation that the address names, with the answer under way in it, or a new one."""
        owner, identity = _owner(request), conversation_id(request.query_params.get("c"))
        yield from self._open(owner, identity, request)

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
        self._answering.stop(_owner(request), identity)

    def _begin(
        self, owner: str, identity: str, question: str, turns: Turns, replaced: Turns, chosen: Chosen,
        request: gr.Request,
    ) -> Iterator[Values]:  # fmt: skip
        running, why = None, BLANK if not question.strip() else LONG
        if question.strip() and len(question) <= bounds.QUESTION:
            try:
                request_id = request.headers.get("x-request-id", "")
                running = self._answering.begin(
                    owner, identity, question, turns, replaced, documents=asked(chosen), request_id=request_id
                )
                why = UNDER_WAY
            except QuestionError as error:
                why = str(error)
        if running is None:
            gr.Info(why)
            yield (gr.skip(),) * VALUES
            return
        yield from self._follow(running, owner, identity, request, box="")

    def _follow(
        self, running: Running, owner: str, identity: str, request: gr.Request, box: str | None = None
    ) -> Iterator[Values]:
        """The values as the answer grows, as long as the page shows this conversation and no other event does it."""
        token, session = secrets.token_hex(4), str(request.session_hash)
        self._shown[session] = token
        self._shown.move_to_end(session)
        while len(self._shown) > SESSIONS:
            self._shown.popitem(last=False)
        shown: tuple[object, ...] | None = None
        before: object = None
        for progress in running.follow():
            if self._shown.get(session) != token:
                return
            if progress is before:
                continue
            before, last = progress, progress.turns[-1]
            found = (last.hits, last.evidence, last.answer)
            pane, lists = shown != found, progress.is_over or shown is None or shown[0] != found[0]
            if progress.warning:
                gr.Warning(progress.warning)
            yield self.draw(owner, progress.turns, identity, not progress.is_over, box, pane, lists)
            shown, box = found, None

    def _open(self, owner: str, identity: str, request: gr.Request) -> Iterator[Values]:
        """Show a conversation, and the answer under way in it."""
        self._shown.pop(str(request.session_hash), None)
        if running := self._answering.under_way(owner, identity):
            yield from self._follow(running, owner, identity, request)
            return
        turns = self._kept(owner, identity)
        yield self.draw(owner, turns, identity if turns else _new())

    def act(self, identity: str, request: gr.Request, event: gr.EventData) -> Iterator[Values]:
        """What a click in the panes asks for, beside questions."""
        wanted = click_of(event)
        if wanted and wanted.action in ("open", "new"):
            yield from self._open(_owner(request), wanted.conversation, request)
        elif wanted and wanted.action == "refresh":
            yield from self._refreshed(_owner(request), wanted, request)
        elif wanted:
            yield self._changed(identity, request, wanted)

    def _refreshed(self, owner: str, wanted: Click, request: gr.Request) -> Iterator[Values]:
        """What another tab has changed since this one had `wanted.turn` turns of its conversation."""
        is_under_way = self._answering.under_way(owner, wanted.conversation)
        if is_under_way or len(self._kept(owner, wanted.conversation)) != (wanted.turn or 0):
            yield from self._open(owner, wanted.conversation, request)
        else:
            yield gr.skip(), gr.skip(), self._listing(owner, wanted.conversation), *(gr.skip(),) * (VALUES - 3)

    def _changed(self, identity: str, request: gr.Request, wanted: Click) -> Values:
        owner, identity, action = _owner(request), conversation_id(identity), wanted.action
        turns = self._kept(owner, identity)
        turn = next((turn for turn in turns if turn.number == wanted.turn), None)
        if action == "source" and turn:
            return gr.skip(), source(turn, self._service.bot.documents), *(gr.skip(),) * (VALUES - 2)
        named = wanted.conversation or identity
        if self._answering.under_way(owner, named if action == "remove" else identity):
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

    def _kept(self, owner: str, identity: str) -> Turns:
        running = self._answering.under_way(owner, identity)
        return running.turns if running else _read(lambda: self._store.read(owner, identity) or (), ())

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
