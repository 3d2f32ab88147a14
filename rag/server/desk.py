"""The desk: every question comes in here, from the page, the HTTP endpoint and the MCP tool."""

import logging
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag import bounds
from rag.errors import ModelError, QuestionError, RagError
from rag.server.limit import Limit, Visitors
from rag.server.line import Line
from rag.server.log import Record, Watch, reason, request_id
from rag.settings import ServerSettings
from rag.types import Answer, Documents, Hit

_LOG = logging.getLogger(__name__)
History = Sequence[tuple[str, str]]
CHECKED = 10.0
"""Seconds for which a check of the model holds."""


@dataclass(frozen=True)
class Waiting:
    """The question waits for the model; `ahead` counts those that come before it and itself, in the line."""

    ahead: int


class Bot(Protocol):
    """What is needed of a Chatbot."""

    @property
    def documents(self) -> Documents: ...

    @property
    def passages(self) -> int:
        """How many passages the index holds."""

    def check(self) -> None:
        """Let the model say one word. Raises ModelError where it does not."""

    def stream(
        self, question: str, history: History = (), documents: Sequence[str] = ()
    ) -> Iterator[list[Hit] | str | Answer]: ...


class Desk:
    """Lets each question search at once, and to the model in its turn; threads share it."""

    def __init__(self, bot: Bot, settings: ServerSettings) -> None:
        self.bot = bot
        self.settings = settings
        self.line = Line(settings.at_once, settings.queue)
        self.limit = Limit(settings.per_minute, "questions")
        self.visitors = Visitors()
        self.watch = Watch(settings)
        self.watch.gauge("rag_waiting", "Questions that wait for the model.", lambda: self.line.waiting)
        self.watch.gauge("rag_running", "Questions that are being answered.", lambda: self.line.running)
        self.watch.gauge("rag_documents", "Documents in the index.", lambda: len(bot.documents))
        self.watch.gauge("rag_passages", "Passages in the index.", lambda: bot.passages)
        self._health = Health(bot, self.line)

    def ask(
        self,
        owner: str,
        question: str,
        history: History = (),
        documents: Sequence[str] = (),
        *,
        door: str = "page",
        request: str = "",
    ) -> Generator[list[Hit] | str | Answer | Waiting, None, None]:
        """The events of the bot's stream, the hits at once, with Waiting while others come first.

        `documents` are the ids of those to ask, none for all; `request` is the id of the request, for the
        log. Closing it stops the model. Raises QuestionError for a question that is too long, BusyError where the
        line is full or the owner asks too often, and what the bot raises.
        """
        record = Record(door, owner, question, request_id(request))
        chosen: dict[str, Any] = {"documents": documents} if documents else {}
        with self.watch.question(record):
            if len(question) > bounds.QUESTION:
                size = f"{len(question):,} characters, and at most {bounds.QUESTION:,} are allowed"
                raise QuestionError(f"The question has {size}; shorten it.")
            self.limit.take(self.visitors.counted(owner))
            with self.line.join(owner) as place:
                stream = self.bot.stream(question, history=history, **chosen)
                try:
                    for number, event in enumerate(stream):
                        record.see(event)
                        yield event
                        ahead = 0
                        while number == 0 and (ahead := place.ahead(seen=ahead)):
                            yield Waiting(ahead)
                finally:
                    if isinstance(stream, Generator):
                        stream.close()
                if record.answer:
                    self._health.spoke()

    def check(self) -> None:
        """Whether a question could be answered now, cheaply. Raises RagError where it could not."""
        self._health.check()


class Health:
    """Whether the index is open and the model answers; asked for at most once in CHECKED seconds, threads share it."""

    def __init__(self, bot: Bot, line: Line) -> None:
        self._bot = bot
        self._line = line
        self._checking = threading.Lock()
        self._until = 0.0
        self._fault: RagError | None = ModelError("The model has not been tried yet; look again in a moment.")

    def spoke(self) -> None:
        """An answer is as good as a check."""
        self._until, self._fault = time.monotonic() + CHECKED, None

    def check(self) -> None:
        """Raises RagError, that of the last check while another check is under way or the last one still holds."""
        if self._checking.acquire(blocking=False):
            try:
                self._try()
            finally:
                self._checking.release()
        if self._fault:
            raise self._fault

    def _try(self) -> None:
        busy = self._line.running and not self._fault  # A model at work need not be disturbed.
        if busy or time.monotonic() < self._until:
            return
        try:
            len(self._bot.documents)
            self._bot.check()
            self._fault = None
        except RagError as fault:
            if str(fault) != str(self._fault):
                _LOG.warning("No question can be answered.", extra={"fields": {"reason": reason(fault)}})
            self._fault = fault
        self._until = time.monotonic() + CHECKED
