"""Answers under way, which go on in the server whoever follows them."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace

from rag.errors import RagError, StoreError, for_readers
from rag.server.elsewhere import Elsewhere, SharedAnswers
from rag.server.log import reason
from rag.server.records import Progress, Turn, advance, end, history_of
from rag.server.service import Service
from rag.server.store import Store

WAKE = 1.0
"""Seconds after which one who follows an answer hears of it although nothing has changed."""
PAUSE = 0.1
"""Seconds at least between what one who follows an answer hears."""
_LOG = logging.getLogger(__name__)
Turns = tuple[Turn, ...]


class Running:
    """An answer under way, which several may follow. Thread-safe."""

    def __init__(self, turns: Turns, replaced: Turns = (), token: bytes | None = None) -> None:
        """`turns` are those of the conversation, that of the answer last.

        It takes the place of those `replaced`. Other copies of the server know it by the `token`.
        """
        self.replaced = replaced
        self.token = token
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


UnderWay = Running | Elsewhere
"""An answer under way, here or in another copy of the server."""


class Answering:
    """Asks for the page; at most one answer is under way in each conversation. Thread-safe."""

    def __init__(self, service: Service, store: Store) -> None:
        self._service = service
        self._store = store
        self._shared = SharedAnswers(service.cluster) if service.cluster else None
        if service.cluster:
            service.cluster.on_beat(self._beat)
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
        if turns and turns[-1].state == "running":  # They were read before that answer ended, and would undo its end.
            return None
        turn = Turn(number=turns[-1].number + 1 if turns else 1, question=question)
        token = None
        if self._shared:
            try:
                if not (token := self._shared.begin(owner, conversation, turn)):
                    return None
            except StoreError:  # It is told when the question is counted, or when the answer is kept.
                pass
        running = Running((*turns, turn), replaced, token)
        with self._beginning:
            if (owner, conversation) in self._running:
                return None
            self._running[owner, conversation] = running

        def answer() -> None:
            self._answer(owner, conversation, running, documents, request_id)

        threading.Thread(target=answer, name="answer", daemon=True).start()
        return running

    def under_way(self, owner: str, conversation: str) -> UnderWay | None:
        """The answer under way in the conversation, here or in another copy of the server."""
        if (running := self._running.get((owner, conversation))) or not self._shared:
            return running
        with suppress(StoreError):  # It is told when the conversation is read.
            if turn := self._shared.find(owner, conversation):
                return Elsewhere(self._shared, self._store, owner, conversation, turn)
        return None

    def stop(self, owner: str, conversation: str) -> None:
        """End the answer under way: at once, or soon if another copy gives it."""
        if running := self._running.get((owner, conversation)):
            self._end(owner, conversation, running, end(running.turns[-1], stopped=True))
        elif self._shared:
            with suppress(StoreError):  # It is logged, and the answer is shown to go on.
                self._shared.stop(owner, conversation)

    def _answer(
        self, owner: str, conversation: str, running: Running, documents: Sequence[str], request_id: str
    ) -> None:
        *before, turn = running.turns
        if running.token and not running.replaced:  # If this copy dies, another has the question.
            self._keep_found(owner, conversation, running)
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

    def _end(self, owner: str, conversation: str, running: Running, turn: Turn, is_lost: bool = False) -> None:
        if not running.take_end():
            return
        *before, _ = running.turns
        if is_lost:
            turns, warning = (*before, turn), turn.note
        elif running.replaced and turn.hits is None:
            turns, warning = (*before, *running.replaced), turn.note
        else:
            turns = (*before, turn)
            with self._keeping:
                warning = self._keep(owner, conversation, turns)
        if self._shared and running.token:
            with suppress(StoreError):  # Without heartbeats it is over for the others in a moment, too.
                self._shared.end(owner, conversation, running.token)
        with self._beginning:
            del self._running[owner, conversation]
        running.end(turns, warning)

    def _beat(self) -> None:
        """Show the answers under way to the other copies, which may have stopped them."""
        for (owner, conversation), running in list(self._running.items()):
            if not (self._shared and running.token) or running.is_ending:
                continue
            turn = running.turns[-1]
            said = self._shared.show(owner, conversation, running.token, turn)
            if said == "stopped":
                self._end(owner, conversation, running, end(turn, stopped=True))
            elif said == "lost" and not running.is_ending:  # This copy was taken for dead.
                self._end(owner, conversation, running, end(turn, stopped=False), is_lost=True)

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
