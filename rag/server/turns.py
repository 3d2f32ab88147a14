"""One question in the page and what has become of it."""

from dataclasses import dataclass, replace
from typing import Literal

from rag.server.desk import Waiting
from rag.types import INCOMPLETE, Answer, Hit

Event = list[Hit] | str | Answer | Waiting
"""What a question gives, in order: the hits, its place in the line, pieces of the answer, the Answer."""


@dataclass(frozen=True)
class Turn:
    """One question and what has become of it. `note` says why there is no whole answer.

    `ahead` is its place in the line of questions that wait for the model, 0 when it does not wait. `rated` is the
    reader's verdict.
    """

    number: int
    question: str
    hits: tuple[Hit, ...] | None = None
    text: str = ""
    answer: Answer | None = None
    state: Literal["running", "done", "stopped", "failed"] = "running"
    note: str = ""
    ahead: int = 0
    rated: Literal["", "good", "bad"] = ""


def advance(turn: Turn, event: Event) -> Turn:
    """The turn after one event of the question's stream."""
    match event:
        case Answer():
            note = INCOMPLETE[event.incomplete]
            return replace(turn, answer=event, text=event.text, hits=event.hits, state="done", note=note, ahead=0)
        case Waiting(ahead):
            return replace(turn, ahead=ahead)
        case str():
            return replace(turn, text=turn.text + event, ahead=0)
    return replace(turn, hits=tuple(event))


def end(turn: Turn, stopped: bool) -> Turn:
    """The turn after the stream, which may have ended before its Answer."""
    if turn.answer:
        return turn
    if stopped:
        return replace(turn, state="stopped", note="Stopped.")
    return replace(turn, state="failed", note=INCOMPLETE["broke off"])
