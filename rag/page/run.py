"""One question on its way through the service, and the turns as they grow."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from rag import bounds
from rag.errors import RagError, for_readers
from rag.server.records import Turn, advance, end
from rag.server.service import ServiceEvent

Asker = Callable[[str, list[tuple[str, str]]], Iterator[ServiceEvent]]
"""A question and the (question, answer) pairs before it -> its events, such as Service.ask for an owner."""


class Run:
    """A question on its way: a thread reads its events, so Stop shows at once even while the model is silent."""

    def __init__(self, asker: Asker, question: str, history: list[tuple[str, str]]) -> None:
        self.stopped = False
        self.ended = False
        """Whether nothing more will come."""
        self._leave = threading.Event()
        self._events: queue.SimpleQueue[ServiceEvent | Exception | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(asker, question, history), daemon=True).start()

    @property
    def behind(self) -> bool:
        """Whether more has come already, so that what is there now need not be shown by itself."""
        return not self._events.empty()

    def stop(self) -> None:
        """End the run: the page goes on at once, the events are closed at the next one."""
        self.stopped = True
        self._leave.set()
        self._events.put(None)

    def events(self) -> Generator[ServiceEvent, None, None]:
        """The events until they end or the run is stopped. Raises what the asker raises."""
        try:
            while (event := self._events.get()) is not None and not self._leave.is_set():
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self._leave.set()

    def _read(self, asker: Asker, question: str, history: list[tuple[str, str]]) -> None:
        try:
            events = asker(question, history)
            try:
                for event in events:
                    if self._leave.is_set():
                        break
                    self._events.put(event)
            finally:
                if isinstance(events, Generator):
                    events.close()
        except Exception as error:  # noqa: BLE001 - handed to the page, which shows it
            self._events.put(error)
        self.ended = True
        self._events.put(None)


def history_of(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """The last (question, answer) pairs, which a further question may point back at."""
    told = [turn for turn in turns if turn.text and turn.state in ("done", "stopped")][-bounds.TURNS :]
    return [(turn.question, turn.text[: bounds.TURN]) for turn in told]


def converse(run: Run, question: str, turns: Sequence[Turn]) -> Iterator[tuple[Turn, ...]]:
    """The turns as the one of this run grows, until it is no longer running."""
    turn = Turn(number=turns[-1].number + 1 if turns else 1, question=question)
    yield (*turns, turn)
    try:
        with closing(run.events()) as events:
            for event in events:
                grown = advance(turn, event)
                changed, turn = grown != turn, grown
                if changed and turn.answer is None:
                    yield (*turns, turn)
        turn = end(turn, run.stopped)
    except RagError as error:
        turn = replace(turn, state="failed", note=for_readers(error))
    except Exception:  # noqa: BLE001 - the service has logged it; gradio would leave the page disabled for good
        turn = replace(turn, state="failed", note="Something went wrong. Ask again, or start the page anew.")
    yield (*turns, turn)
