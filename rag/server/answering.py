"""Answers under way, which go on in the server whoever follows them."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from rag.errors import RagError, for_readers
from rag.server.log import reason
from rag.server.records import Turn, advance, end, history_of
from rag.server.service import Service
from rag.server.store import Store

WAKE = 1.0
"""Seconds after which one who follows an answer hears of it although nothing has changed."""
PAUSE = 0.1
"""Seconds at least between what one who follows an answer hears."""
_LOG = logging.getLogger(__name__)
Turns = tuple[Turn, ...]


@dataclass(frozen=True)
class Progress:
    """The turns of a conversation as they are now.

    `warning` is what its reader should know beside them, for example that they could not be kept.
    """

    turns: Turns
    is_over: bool = False
    warning: str = ""


class Running:
    """An answer under way, which several may follow. Thread-safe."""

    def __init__(self, turns: Turns, replaced: Turns = ()) -> None:
        """`turns` are those of the conversation, that of the answer last.

        It takes the place of those `replaced`.
        """
        self.replaced = replaced
        self._changed = threading.Condition()
        self._progress = Progress(turns)
        self._is_ending = False

    @property
    def turns(self) -> Turns:
        """Those of the conversation as they are now."""
        return self._progress.turns

    @property
    def is_ending(self) -> bool:
        """Whether nothing but its end is still to come."""
        return self._is_ending

    def follow(self) -> Iterator[Progress]:
        """How far it is at each change, to its end.

        Given at least every WAKE seconds and at most every PAUSE; what comes meanwhile is left out but for the last.
        The answer goes on if nobody follows.
        """
        seen: Progress | None = None
        while seen is None or not seen.is_over:
            if seen:
                time.sleep(PAUSE)
            with self._changed:
                if self._progress is seen:
                    self._changed.wait(WAKE)
                seen = self._progress
            yield seen

    def show(self, turns: Turns) -> None:
        """Go on to these; nothing happens while it is ending."""
        with self._changed:
            if not self._is_ending:
                self._progress = Progress(turns)
                self._changed.notify_all()

    def take_end(self) -> bool:
        """Whether the caller ends it, as only the first does, who then calls `end`."""
        with self._changed:
            is_first, self._is_ending = not self._is_ending, True
            return is_first

    def end(self, turns: Turns, warning: str) -> None:
        """Show these as the last ones."""
        with self._changed:
            self._progress = Progress(turns, is_over=True, warning=warning)
            self._changed.notify_all()


class Answering:
    """Asks for the page; at most one answer is under way in each conversation. Thread-safe."""

    def __init__(self, service: Service, store: Store) -> None:
        self._service = service
        self._store = store
        self._running: dict[tuple[str, str], Running] = {}
        self._beginning = threading.Lock()
        self._keeping = threading.Lock()

    def begin(
        self, owner: str, conversation: str, question: str, turns: Turns, replaced: Turns = (),
        documents: Sequence[str] = (), request_id: str = "",
    ) -> Running | None:  # fmt: skip
        """Ask a question after `turns`; None while another answer is under way there.

        It takes the place of the turns that are `replaced`, unless it is refused or stopped before anything is found.
        """
        turn = Turn(number=turns[-1].number + 1 if turns else 1, question=question)
        running = Running((*turns, turn), replaced)
        with self._beginning:
            if self.under_way(owner, conversation):
                return None
            self._running[owner, conversation] = running

        def answer() -> None:
            self._answer(owner, conversation, running, documents, request_id)

        threading.Thread(target=answer, name="answer", daemon=True).start()
        return running

    def under_way(self, owner: str, conversation: str) -> Running | None:
        """The answer under way in the conversation."""
        return self._running.get((owner, conversation))

    def stop(self, owner: str, conversation: str) -> None:
        """End the answer under way, at once for its readers."""
        if running := self.under_way(owner, conversation):
            self._end(owner, conversation, running, end(running.turns[-1], stopped=True))

    def _answer(
        self, owner: str, conversation: str, running: Running, documents: Sequence[str], request_id: str
    ) -> None:
        *before, turn = running.turns
        asking = self._service.ask(
            owner, turn.question, history_of(before), documents, channel="page", request_id=request_id
        )
        try:
            with closing(asking) as events:
                for event in events:
                    if running.is_ending:  # It was stopped.
                        return
                    grown = advance(turn, event)
                    if grown != turn and not grown.answer:
                        running.show((*before, grown))
                    if isinstance(event, list):
                        self._keep_found(owner, conversation, running)
                    turn = grown
            turn = end(turn, stopped=False)
        except RagError as error:
            turn = replace(turn, state="failed", note=for_readers(error))
        except Exception:  # noqa: BLE001 - the service has logged it; its readers would wait for good
            turn = replace(turn, state="failed", note="Something went wrong. Ask again, or start the page anew.")
        self._end(owner, conversation, running, turn)

    def _end(self, owner: str, conversation: str, running: Running, turn: Turn) -> None:
        if not running.take_end():
            return
        *before, _ = running.turns
        if running.replaced and turn.hits is None:
            turns, warning = (*before, *running.replaced), turn.note
        else:
            turns = (*before, turn)
            with self._keeping:
                warning = self._keep(owner, conversation, turns)
        with self._beginning:
            del self._running[owner, conversation]
        running.end(turns, warning)

    def _keep_found(self, owner: str, conversation: str, running: Running) -> None:
        """Keep what there is, so that a server that dies loses no question."""
        with self._keeping:
            if not running.is_ending:
                self._keep(owner, conversation, running.turns)

    def _keep(self, owner: str, conversation: str, turns: Turns) -> str:
        """Why the turns could not be kept, empty if they were."""
        try:
            self._store.write(owner, conversation, turns)
        except RagError as error:
            _LOG.warning("A conversation could not be kept.", extra={"fields": {"reason": reason(error)}})
            return for_readers(error)
        return ""
