"""A change of the documents in a thread of its own, and its events."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rag.models.progress import Progress


@dataclass(frozen=True)
class Row:
    """A document as the page lists it (as Listed).

    A text from two sources has two rows with the same `doc_id`.
    `added` is when its file was added here, in seconds since 1970; 0 if it was not.
    """

    doc_id: str
    source: str
    title: str
    passages: int
    removable: bool
    left_out: tuple[str, ...] = ()
    words: int = 0
    pages: int = 0
    added: float = 0.0


@dataclass(frozen=True)
class Step:
    """How far a change is, in words and in numbers (0 of 0: unknown)."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Changed:
    """The end of a change, with the rows as they are now.

    `messages` say what could not be read, a sentence each. `added` are those rows that the change was about.
    """

    messages: tuple[str, ...]
    rows: tuple[Row, ...]
    added: tuple[Row, ...] = ()


class Changes:
    """One change after the other. Thread-safe."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        """Held by the change under way."""

    def start(self, work: Callable[[Progress], Changed]) -> Iterator[Step | Changed]:
        """Do `work` in a thread of its own when its turn has come."""
        events: queue.SimpleQueue[Step | Changed | BaseException] = queue.SimpleQueue()

        def tell(stage: str, done: int, total: int) -> None:
            events.put(Step(stage, done, total))

        def run() -> None:
            if not self.turn.acquire(blocking=False):
                tell("Waiting for another change of the documents", 0, 0)
                self.turn.acquire()
            try:
                events.put(work(tell))
            except BaseException as error:  # noqa: BLE001 - handed to who reads the events
                events.put(error)
            finally:
                self.turn.release()

        threading.Thread(target=run, name="documents", daemon=True).start()
        return _events(events)


def _events(events: "queue.SimpleQueue[Step | Changed | BaseException]") -> Iterator[Step | Changed]:
    """Those that come, up to the end of the change. Raises what ended it."""
    while not isinstance(event := events.get(), Changed):
        if isinstance(event, BaseException):
            raise event
        yield event
    yield event
