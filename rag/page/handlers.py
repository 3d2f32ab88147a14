"""What the page's events do.

The store holds the truth: each event begins with what is kept there, so that neither another tab nor a restart of the
server is written over.
"""

import secrets
from collections.abc import Iterator
from copy import copy
from html import unescape
from typing import Any

import gradio as gr

from rag import bounds
from rag.errors import QuestionError, RagError
from rag.page.chat import messages, welcome
from rag.page.choice import Chosen
from rag.page.conversations import conversation_list
from rag.page.documents import asked
from rag.page.kept import TOLD, UNDER_WAY, Kept, Sessions, Turns, page_owner, read, tried
from rag.page.markup import count
from rag.page.rating import turn_at
from rag.page.source import opening, source
from rag.page.suggest import Suggestions
from rag.server.answering import Answering, UnderWay
from rag.server.gradio_calls import Click, click_of, conversation_id
from rag.server.records import Progress, history_of
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import ServerSettings

BLANK = "Type a question first."
LONG = f"A question can have {bounds.QUESTION:,} characters at most; shorten it."
SUGGESTED = 20.0
"""Seconds for which a page that was just opened waits for the questions that it suggests."""
VALUES = 6
"""How many values `Page.draw` gives."""
_FEEDBACK = {"good": "Like", "bad": "Dislike", "": None}
Values = tuple[Any, ...]


class Page:
    """The handlers; each gives the values of all components, in the order of `draw`.

    Threads share it.
    """

    def __init__(self, service: Service, store: Store, settings: ServerSettings) -> None:
        self._service = service
        self._settings = settings
        self._answering = Answering(service, store)
        self.suggestions = Suggestions(service.bot)
        self._followed = Sessions[str]()
        self._sought = Sessions[str]()
        self.kept = Kept(store, self._answering)

    def load(self, request: gr.Request) -> Iterator[Values]:
        """The conversation that the address names, or a new one."""
        identity = conversation_id(request.query_params.get("c")) or _new()
        yield from self._open(identity, request)
        if self.suggestions.wait(0) or not self.suggestions.wait(SUGGESTED):
            return
        if self._followed.get(request) is None and not self.kept.turns(page_owner(request), identity):
            yield self.draw(request, (), identity, pane=False, lists=False)

    def ask(self, question: str, identity: str, chosen: Chosen, request: gr.Request) -> Iterator[Values]:
        """What is typed, asked of the chosen documents after the turns of the conversation."""
        owner, identity = page_owner(request), conversation_id(identity) or _new()
        yield from self._begin(identity, question or "", self.kept.turns(owner, identity), (), chosen, request)

    def retry(self, identity: str, chosen: Chosen, request: gr.Request, event: gr.RetryData) -> Iterator[Values]:
        """The question of a turn again; that turn and later ones make room."""
        yield from self._again(identity, chosen, request, event.index, None)

    def edit(self, identity: str, chosen: Chosen, request: gr.Request, event: gr.EditData) -> Iterator[Values]:
        """The same with a question that was changed."""
        yield from self._again(identity, chosen, request, event.index, unescape(_text(event.value)))

    def suggested(self, identity: str, chosen: Chosen, request: gr.Request, event: gr.SelectData) -> Iterator[Values]:
        """A suggested question, which was clicked."""
        value = event.value.get("text") if isinstance(event.value, dict) else event.value
        yield from self.ask(_text(value), identity, chosen, request)

    def _again(
        self, identity: str, chosen: Chosen, request: gr.Request, index: Any, question: str | None
    ) -> Iterator[Values]:
        owner, identity = page_owner(request), conversation_id(identity) or _new()
        every = self.kept.turns(owner, identity)
        at = turn_at(index)
        if not 0 <= at < len(every):
            yield (gr.skip(),) * VALUES
            return
        question = every[at].question if question is None else question
        yield from self._begin(identity, question, every[:at], every[at:], chosen, request)

    def read_ahead(self, draft: str, identity: str, chosen: Chosen, request: gr.Request) -> None:
        """What is being typed, for the model to read; nothing is shown or kept."""
        if not (draft or "").strip():  # It was asked meanwhile.
            return
        owner = page_owner(request)
        try:
            turns, documents = self.kept.store.read(owner, conversation_id(identity)) or (), asked(chosen)
        except RagError:  # It is told when the question is asked.
            return
        self._service.read_ahead(owner, draft, history_of(turns), documents)

    def search(self, words: str, identity: str, request: gr.Request) -> str:
        """The list of conversations that have these words."""
        self._sought.put(request, (words or "")[: bounds.TITLE])
        return self._listing(request, conversation_id(identity))

    def stop(self, identity: str, request: gr.Request) -> None:
        """End the answer that is under way in the conversation."""
        self._answering.stop(page_owner(request), identity)

    def _begin(
        self, identity: str, question: str, turns: Turns, replaced: Turns, chosen: Chosen, request: gr.Request
    ) -> Iterator[Values]:
        owner, running, why = page_owner(request), None, BLANK if not question.strip() else LONG
        before = self.kept.as_it_is(owner, identity, (*turns, *replaced), len(turns) + 1) if replaced else None
        if question.strip() and len(question) <= bounds.QUESTION:
            try:
                request_id = request.headers.get("x-request-id", "")
                running = self._answering.begin(owner, identity, question, turns, replaced, asked(chosen), request_id)
                why = UNDER_WAY
            except QuestionError as error:
                why = str(error)
        if running is None:
            gr.Info(why, duration=TOLD)
            if replaced:  # An edited question is shown already.
                yield from self._open(identity, request)
            else:
                yield (gr.skip(),) * VALUES
            return
        self.kept.remember(request, before)
        yield from self._follow(running, identity, request, box="", opened=False)

    def _follow(
        self, running: UnderWay, identity: str, request: gr.Request, box: str | None = None, opened: bool = True
    ) -> Iterator[Values]:
        """The values as the answer grows, while no other event shows something else.

        Unless it was `opened` just now, the document stays until the answer has another.
        """
        token = secrets.token_hex(4)
        self._followed.put(request, token)
        shown: tuple[object, ...] = (None, (), None) if not opened else ()
        before: Progress | None = None
        values: Values = (gr.skip(),) * VALUES
        for progress in running.follow():
            if self._followed.get(request) != token:
                yield (gr.skip(),) * VALUES  # Gradio sends the last values again when an event ends.
                return
            if progress is before:
                continue
            last = progress.turns[-1]
            found = (last.hits, last.evidence, last.answer)
            lists = progress.is_over or before is None or shown[:1] != found[:1]
            if progress.warning:
                gr.Warning(progress.warning)
            values = self.draw(request, progress.turns, identity, not progress.is_over, box, shown != found, lists)
            yield tuple(map(copy, values))  # Gradio takes the value out of an update.
            before, shown, box = progress, found, None
        # Gradio sends the last values whole once more. What an update no longer has, its page takes out of the one
        # before, which may not be shown yet: only what is no update can be left out.
        chat, _, _, *others = values if self._followed.get(request) == token else (gr.skip(),) * VALUES
        yield chat, gr.skip(), gr.skip(), *others

    def _open(self, identity: str, request: gr.Request, box: str | None = None) -> Iterator[Values]:
        """Show a conversation, and the answer under way in it."""
        self._followed.forget(request)
        owner = page_owner(request)
        if running := self._answering.under_way(owner, identity):
            yield from self._follow(running, identity, request)
            return
        turns = self.kept.turns(owner, identity)
        yield self.draw(request, turns, identity or _new(), box=box)

    def act(self, identity: str, request: gr.Request, event: gr.EventData) -> Iterator[Values]:
        """What the page's script asks for."""
        wanted, owner = click_of(event) or Click(), page_owner(request)
        match wanted.action:
            case "open" | "new":
                yield from self._open(wanted.conversation, request)
            case "refresh":
                yield from self._refreshed(owner, wanted, request)
            case "source":
                yield self._source(owner, conversation_id(identity), wanted)
            case "rename":
                tried(self.kept.store.rename, owner, wanted.conversation, wanted.title)
                yield _only(self._listing(request, conversation_id(identity)), at=2)
            case "remove":
                yield from self._removed(owner, conversation_id(identity), wanted.conversation, request)
            case _:  # Gradio empties what an event that yields nothing would change.
                yield (gr.skip(),) * VALUES

    def _refreshed(self, owner: str, wanted: Click, request: gr.Request) -> Iterator[Values]:
        """What another tab has changed since `wanted.updated`."""
        updated = {one.id: one.updated for one in self.kept.conversations(owner)}.get(wanted.conversation, 0.0)
        if updated != wanted.updated or self._answering.under_way(owner, wanted.conversation):
            yield from self._open(wanted.conversation, request)
        else:
            yield _only(self._listing(request, wanted.conversation), at=2)

    def _source(self, owner: str, identity: str, wanted: Click) -> Values:
        """The documents with the passages and citations of an earlier turn."""
        turn = next((one for one in self.kept.turns(owner, identity) if one.number == wanted.turn), None)
        return _only(source(turn, self._service.bot.documents), at=1) if turn else (gr.skip(),) * VALUES

    def _removed(self, owner: str, identity: str, conversation: str, request: gr.Request) -> Iterator[Values]:
        """Delete a conversation, and say how to have it back."""
        if self.kept.is_hindered(owner, conversation):
            yield (gr.skip(),) * VALUES
            return
        if turns := self.kept.turns(owner, conversation):
            self.kept.remember(request, self.kept.as_it_is(owner, conversation, turns, 0))
        tried(self.kept.store.delete, owner, conversation)
        yield from self._open("" if conversation == identity else identity, request)

    def remove_last(self, identity: str, request: gr.Request) -> Iterator[Values]:
        """Take the last turn away; its question is in the text box again."""
        owner, identity = page_owner(request), conversation_id(identity)
        turns = self.kept.turns(owner, identity)
        if not turns or self.kept.is_hindered(owner, identity):
            yield (gr.skip(),) * VALUES
            return
        self.kept.remember(request, self.kept.as_it_is(owner, identity, turns, len(turns) - 1))
        tried(self.kept.store.write, owner, identity, turns[:-1])
        tried(self.kept.store.unrate, owner, identity, turns[-1].number)
        yield from self._open(identity if turns[:-1] else "", request, box=turns[-1].question)

    def bring_back(self, request: gr.Request) -> Iterator[Values]:
        """The conversation as it was before the last retry, edit or deletion."""
        if (identity := self.kept.bring_back(page_owner(request), request)) is None:
            yield (gr.skip(),) * VALUES
        else:
            yield from self._open(identity, request)

    def draw(
        self, request: gr.Request, turns: Turns, identity: str, busy: bool = False, box: str | None = None,
        pane: bool = True, lists: bool = True,
    ) -> Values:  # fmt: skip
        """The values of: conversation, source, list, text box, identity, the button that brings back."""
        documents = self._service.bot.documents
        shown = next((turn for turn in reversed(turns) if turn.hits), None)
        rated = [_FEEDBACK[turn.rated] for turn in turns]
        read(self.suggestions.renew, None)
        gone = self.kept.to_bring_back(request, turns)
        chat = gr.update(value=messages(turns, self.suggestions.next(turns)), feedback_value=rated)
        if not turns:
            chat |= {
                "placeholder": welcome(documents, self.suggestions.key_sentences),
                "examples": [{"text": question} for question in self.suggestions.first()],
            }
        buttons = gr.update(submit_btn=not busy, stop_btn=busy)
        return (
            chat,
            (source(shown, documents) if shown else opening(documents)) if pane else gr.skip(),
            self._listing(request, identity) if lists else gr.skip(),
            buttons if box is None else buttons | {"value": box},
            identity,
            gr.update(visible=bool(gone) and not busy, value=f"Undo: bring back {count(gone, 'answer')}"),
        )

    def _listing(self, request: gr.Request, identity: str) -> str:
        owner, words = page_owner(request), self._sought.get(request) or ""
        user = owner.removeprefix("user:") if owner.startswith("user:") and self._settings.users else ""
        return conversation_list(self.kept.found(owner, words), identity, user, words)


def _only(value: object, at: int) -> Values:
    """This value alone; the others stay as they are."""
    return *(gr.skip(),) * at, value, *(gr.skip(),) * (VALUES - at - 1)


def _text(value: object) -> str:
    """A text from the page; empty if something else was sent."""
    return value if isinstance(value, str) else ""


def _new() -> str:
    return secrets.token_urlsafe(9)
