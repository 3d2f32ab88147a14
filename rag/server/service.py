"""The one place where the page, the APIs and the MCP tool ask."""

import logging
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from rag.chatbot import Chatbot, checked
from rag.errors import ModelError, RagError
from rag.langchain_adapter import History
from rag.server.cluster import Cluster
from rag.server.limits import RateLimit, Visitors
from rag.server.log import Monitor, Record, make_request_id, reason
from rag.server.queue import Ticket
from rag.server.shared import queue, rate_limit
from rag.settings import ServerSettings
from rag.types import Event, Evidence

_LOG = logging.getLogger(__name__)
CHECKED = 10.0
"""Seconds for which a check of the model holds."""
DRAFTS = 0.5
"""Seconds between two drafts of one visitor that are read ahead."""


@dataclass(frozen=True)
class Waiting:
    """The question waits for the model; `ahead` counts those that are answered first, and itself."""

    ahead: int


ServiceEvent = Event | Waiting
"""What a question gives, in order: the hits, the Evidence, its places in the queue, pieces, the Answer."""


class Service:
    """Lets each question search at once and reach the model in its turn. Thread-safe."""

    def __init__(self, bot: Chatbot, settings: ServerSettings, cluster: Cluster | None = None) -> None:
        """Questions are counted for all copies if there is a `cluster`."""
        self.bot = bot
        self.settings = settings
        self.cluster = cluster
        self.queue = queue(cluster, settings.at_once, settings.queue)
        self.visitors = Visitors()
        self.monitor = Monitor(settings)
        self.monitor.gauge("rag_waiting", "Questions that wait for the model.", lambda: self.queue.waiting)
        self.monitor.gauge("rag_running", "Questions that are being answered.", lambda: self.queue.running)
        self.monitor.gauge("rag_documents", "Documents in the index.", lambda: len(bot.documents))
        self.monitor.gauge("rag_passages", "Passages in the index.", lambda: bot.passages)
        self._rate_limit = rate_limit(cluster, "questions", settings.per_minute, "questions")
        self._draft_limit = RateLimit(1, "drafts", DRAFTS)
        self._reading = threading.Lock()
        self._checking = threading.Lock()
        self._checked_until = 0.0
        self._fault: RagError | None = ModelError("The model has not been tried yet; look again in a moment.")

    def ask(
        self,
        owner: str,
        question: str,
        history: History = (),
        documents: Sequence[str] = (),
        *,
        channel: str = "page",
        request_id: str = "",
    ) -> Generator[ServiceEvent, None, None]:
        """The events of a question: hits and Evidence at once, Waiting while others come first.

        `documents` are ids, none for all; `channel` and `request_id` are for the log. Closing it stops the
        model. Raises QuestionError for a blank or overlong question, BusyError if the queue is full or the owner
        asks too often, and what the bot raises.
        """
        record = Record(channel, owner, question, make_request_id(request_id))
        with self.monitor.question(record):
            question = checked(question)
            self._rate_limit.take(self.visitors.key(owner))
            with ExitStack() as leaving:
                ticket = self.queue.join(owner)
                leaving.callback(self.queue.leave, ticket)
                stream = self.bot.stream(question, history=history, documents=documents)
                leaving.enter_context(closing(stream))
                for number, event in enumerate(stream):
                    record.see(event)
                    searched = isinstance(event, Evidence)
                    if number == 1 and not searched:  # A stream without any: the model has begun.
                        yield from self._wait(ticket)
                    yield event
                    if searched:
                        yield from self._wait(ticket)
            if record.answer:  # It is as good as a check.
                self._checked_until, self._fault = time.monotonic() + CHECKED, None

    def read_ahead(self, owner: str, draft: str, history: History = (), documents: Sequence[str] = ()) -> None:
        """Let the idle model read for a question that is being typed, until it has.

        Nothing happens while any question waits or is answered, or another draft is read, and within DRAFTS
        seconds of the visitor's last. What is wrong with a draft is told when it is asked.
        """
        if self.queue.waiting or self.queue.running or not self._reading.acquire(blocking=False):
            return
        try:
            self._draft_limit.take(self.visitors.key(owner))
            self.bot.read_ahead(draft, history, documents)
        except RagError as error:
            _LOG.debug("A draft was not read ahead.", extra={"fields": {"reason": reason(error)}})
        finally:
            self._reading.release()

    def check(self) -> None:
        """Whether a question could be answered now; tries the model once in CHECKED seconds.

        Raises RagError, that of the last check while another one is under way.
        """
        if self._checking.acquire(blocking=False):
            try:
                self._try_model()
            finally:
                self._checking.release()
        if fault := self._fault:  # Another thread may take it away meanwhile.
            raise fault

    def _wait(self, ticket: Ticket) -> Generator[Waiting, None, None]:
        """The ticket's places in the queue, until it is its turn."""
        ahead = 0
        while ahead := self.queue.ahead(ticket, seen=ahead):
            yield Waiting(ahead)

    def _try_model(self) -> None:
        busy = self.queue.running and not self._fault  # A model at work need not be disturbed.
        if busy or time.monotonic() < self._checked_until:
            return
        try:
            len(self.bot.documents)
            self.bot.check()
            self._fault = None
        except RagError as fault:
            if str(fault) != str(self._fault):
                _LOG.warning("No question can be answered.", extra={"fields": {"reason": reason(fault)}})
            self._fault = fault
        self._checked_until = time.monotonic() + CHECKED
