"""An owner's conversations for the page, and as they were before a change."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import gradio as gr

from rag.errors import RagError, for_readers
from rag.server.answering import Answering
from rag.server.gradio_calls import SESSIONS
from rag.server.log import reason
from rag.server.records import Rating, Turn
from rag.server.store import ConversationSummary, Store

UNDER_WAY = "This conversation is being answered; wait for it, or stop it."
CHANGED = "This conversation has gone on since then, so it stays as it is."
TOLD = 4
"""Seconds for which a message covers a corner of the page."""
Turns = tuple[Turn, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Before:
    """A conversation as it was, and how many turns it had after it was changed."""

    identity: str
    title: str
    turns: Turns
    ratings: tuple[Rating, ...]
    left: int


class Sessions(Generic[T]):
    """Something for each session of the page, of as many as are remembered."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, T] = OrderedDict()

    def get(self, request: gr.Request) -> T | None:
        """That of this session, if there is one."""
        return self._held.get(str(request.session_hash))

    def put(self, request: gr.Request, value: T) -> None:
        """Keep it in place of what this session had."""
        self._held.pop(str(request.session_hash), None)
        self._held[str(request.session_hash)] = value
        while len(self._held) > SESSIONS:
            self._held.popitem(last=False)

    def forget(self, request: gr.Request) -> T | None:
        """Have none for this session any more; gives what it had."""
        return self._held.pop(str(request.session_hash), None)


class Kept:
    """What the store holds, with the answers under way. Threads share it.

    Where the store cannot be read or written the page says why, and goes on.
    """

    def __init__(self, store: Store, answering: Answering) -> None:
        self.store = store
        self._answering = answering
        self._before = Sessions[Before]()

    def turns(self, owner: str, identity: str) -> Turns:
        """Those of the conversation as they are now."""
        running = self._answering.under_way(owner, identity)
        return read(lambda: running.turns if running else self.store.read(owner, identity) or (), ())

    def conversations(self, owner: str) -> list[ConversationSummary]:
        """Those of the owner, the newest first."""
        return read(lambda: self.store.conversations(owner), [])

    def found(self, owner: str, words: str) -> list[ConversationSummary]:
        """Those in whose name, questions or answers all of the words are."""
        wanted = words.casefold().split()
        return [one for one in self.conversations(owner) if not wanted or self._holds(owner, one, wanted)]

    def _holds(self, owner: str, one: ConversationSummary, wanted: Sequence[str]) -> bool:
        turns = self.turns(owner, one.id)
        said = " ".join([one.title, *(f"{turn.question} {turn.text}" for turn in turns)]).casefold()
        return all(word in said for word in wanted)

    def is_hindered(self, owner: str, identity: str) -> bool:
        """Whether an answer is under way there, which the page says."""
        is_under_way = self._answering.under_way(owner, identity) is not None
        if is_under_way:
            gr.Info(UNDER_WAY, duration=TOLD)
        return is_under_way

    def as_it_is(self, owner: str, identity: str, turns: Turns, left: int) -> Before:
        """The conversation before a change that leaves so many turns."""
        titles = {one.id: one.title for one in self.conversations(owner)}
        ratings: tuple[Rating, ...] = read(lambda: self.store.ratings_of(owner, identity), ())
        return Before(identity, titles.get(identity, ""), turns, ratings, left)

    def remember(self, request: gr.Request, before: Before | None) -> None:
        """What the button brings back from now on; nothing, if it is None."""
        self._before.forget(request)
        if before:
            self._before.put(request, before)

    def to_bring_back(self, request: gr.Request, turns: Turns) -> int:
        """How many turns were taken away, and are not among the `turns` shown."""
        before, shown = self._before.get(request), {(turn.question, turn.text) for turn in turns}
        return sum((turn.question, turn.text) not in shown for turn in before.turns) if before else 0

    def bring_back(self, owner: str, request: gr.Request) -> str | None:
        """Undo the last retry, edit or deletion; gives its conversation, if there is one."""
        before = self._before.get(request)
        if before is None or self.is_hindered(owner, before.identity):
            return None
        if len(self.turns(owner, before.identity)) != before.left:  # Another tab asked, too.
            self._before.forget(request)
            gr.Info(CHANGED, duration=TOLD)
        elif tried(self.store.write, owner, before.identity, before.turns):
            self._before.forget(request)
            tried(self.store.rename, owner, before.identity, before.title)
            for rating in before.ratings:
                tried(self.store.rate, owner, rating)
        return before.identity


def page_owner(request: gr.Request) -> str:
    """Whose page this is."""
    return str(request.username or "local")


def read(reading: Callable[[], T], default: T) -> T:
    """What the store holds, or the default."""
    try:
        return reading()
    except RagError as error:
        _warn(error)
        return default


def tried(change: Callable[..., None], *values: object) -> bool:
    """Whether the store took the change."""
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
