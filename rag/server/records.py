"""What the page keeps: turns of conversations and ratings, and their form in the store."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar, get_args

from pydantic import TypeAdapter

from rag import bounds
from rag.server.service import ServiceEvent, Waiting
from rag.types import INCOMPLETE, Answer, Citation, Evidence, Hit

Reason = Literal["wrong", "incomplete", "wrong source", "should have answered", "should not have answered", "other"]
"""What can be wrong with an answer."""
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True)
class Turn:
    """One question and what has become of it.

    `note` says why there is no whole answer. `ahead` is its place in the queue for the model, 0 when it does not
    wait. `rated` is the reader's verdict.
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
    evidence: tuple[Citation, ...] = ()


def advance(turn: Turn, event: ServiceEvent) -> Turn:
    """The turn after one event of its question."""
    match event:
        case Answer():
            note = INCOMPLETE[event.incomplete]
            return replace(turn, answer=event, text=event.text, hits=event.hits, state="done", note=note, ahead=0)
        case Waiting(ahead):
            return replace(turn, ahead=ahead)
        case str():
            return replace(turn, text=turn.text + event, ahead=0)
        case Evidence(citations):
            return replace(turn, evidence=citations)
        case list():
            return replace(turn, hits=tuple(event))


def end(turn: Turn, stopped: bool) -> Turn:
    """The turn after the last event, which may have come before its Answer."""
    if turn.answer:
        return turn
    if stopped:
        return replace(turn, state="stopped", note="Stopped.")
    return replace(turn, state="failed", note=INCOMPLETE["broke off"])


@dataclass(frozen=True)
class Progress:
    """The turns of a conversation as they are now.

    `warning` is what its reader should know beside them, for example that they could not be kept.
    """

    turns: tuple[Turn, ...]
    is_over: bool = False
    warning: str = ""


def history_of(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """The last (question, answer) pairs, which a further question may point back at."""
    told = [turn for turn in turns if turn.text and turn.state in ("done", "stopped")][-bounds.TURNS :]
    return [(turn.question, turn.text[: bounds.TURN]) for turn in told]


@dataclass(frozen=True)
class Rating:
    """A thumb up (`good`) or down.

    `reason` is "" for a good answer. `comment` and `right`, the answer that would have
    been right, are what the person typed, perhaps nothing. `turn` is the turn of that `number` as it was when it was
    rated, and `history` the questions and answers before it. `at` is the time in seconds (UTC).
    """

    conversation: str
    number: int
    good: bool
    reason: Literal[Reason, ""]
    comment: str
    right: str
    turn: Turn
    history: tuple[tuple[str, str], ...]
    at: float = field(default_factory=time.time)


_TURN, _RATING = TypeAdapter(Turn), TypeAdapter(Rating)
_Record = TypeVar("_Record", Turn, Rating)


def to_bytes(record: Turn | Rating) -> bytes:
    """The record as JSON, letter for letter."""
    # Pydantic's own JSON refuses a lone surrogate, and ASCII makes one letter of two of them.
    fields = _TURN.dump_python(record) if isinstance(record, Turn) else _RATING.dump_python(record)
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read_turn(stored: bytes, is_under_way: bool = False) -> Turn | None:
    """The turn, or None if unreadable. One that runs broke off, unless it `is_under_way`."""
    turn = _read(_TURN, stored, "turn")
    if is_under_way:
        return turn
    return end(replace(turn, ahead=0), stopped=False) if turn and turn.state == "running" else turn


def read_rating(stored: bytes) -> Rating | None:
    """The rating, None if it cannot be read."""
    return _read(_RATING, stored, "rating")


def _read(adapter: TypeAdapter[_Record], stored: bytes, what: str) -> _Record | None:
    """What `to_bytes` wrote; None, with a warning, if another version of the program wrote it."""
    try:
        return adapter.validate_python(json.loads(stored.decode("utf-8", "surrogatepass")))
    except ValueError as error:
        # Its text would hold what was asked.
        logging.getLogger(__name__).warning("A %s in the store cannot be read (%s).", what, type(error).__name__)
        return None
