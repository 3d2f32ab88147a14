"""A question's times, the tokens that it costs, and the engine's speed."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from eval.dataset import Question
from eval.record import Chain
from eval.statistics import percentile
from rag.errors import RagError
from rag.models.chat_model import explained
from rag.settings import Settings
from rag.types import Answer, Evidence

Clock = Callable[[], float]
READ_WORDS = 200
"""Words of the text by which the reading speed is measured."""
WRITE_TOKENS = 64
_WORDS = ("harbour", "lantern", "copper", "meadow", "signal", "winter", "basket", "thunder", "ribbon", "garden")


# Figures of many values


@dataclass(frozen=True)
class Spread:
    """The middle of some values, and how far they lie apart."""

    n: int
    median: float
    p95: float
    low: float
    high: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Spread | None":
        """That of the values that are there, None without any; `low` and `high` are quartiles."""
        there = [value for value in values if value is not None]
        if not there:
            return None
        median, p95, low, high = (percentile(there, percent) or 0.0 for percent in (50, 95, 25, 75))
        return cls(len(there), median, p95, low, high, min(there), max(there))


def ratios(above: Sequence[float | None], below: Sequence[float | None]) -> list[float | None]:
    """Each value over the other; None where one is missing or the lower is 0."""
    pairs = zip(above, below, strict=True)
    return [None if one is None or not other else one / other for one, other in pairs]


# The model's calls


@dataclass(frozen=True)
class Call:
    """One call of the model: when it began and ended, and its tokens.

    `cached` are those of `prompt` that the engine had read before. None: the model does not say.
    """

    began: float
    ended: float
    prompt: int | None
    cached: int | None
    written: int | None

    @property
    def read(self) -> int | None:
        """The tokens that had to be read."""
        return None if self.prompt is None else self.prompt - (self.cached or 0)


class Calls(BaseCallbackHandler):
    """Keeps the calls of a model, as a LangChain callback."""

    def __init__(self, clock: Clock = perf_counter) -> None:
        self.ended: list[Call] = []
        self._clock = clock
        self._began: dict[UUID, float] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002
        messages: list[list[BaseMessage]],  # noqa: ARG002
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Note when it began."""
        self._began[run_id] = self._clock()

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002
        """Keep it with the tokens that the model says."""
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        usage = getattr(getattr(generation, "message", None), "usage_metadata", None) or {}
        cached = (usage.get("input_token_details") or {}).get("cache_read")
        ended = self._clock()
        began = self._began.pop(run_id, ended)
        self.ended.append(Call(began, ended, usage.get("input_tokens"), cached, usage.get("output_tokens")))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002
        """Keep a call that was stopped; what it read and wrote is not told."""
        ended = self._clock()
        self.ended.append(Call(self._began.pop(run_id, ended), ended, None, None, None))

    def take(self) -> tuple[Call, ...]:
        """Those that ended since the last time."""
        taken, self.ended = tuple(self.ended), []
        return taken


@contextmanager
def counted(model: BaseChatModel, clock: Clock = perf_counter) -> Iterator[Calls]:
    """The calls of `model` from now on.

    It is asked to tell its tokens at the end of streams, too.
    """
    calls = Calls(clock)
    changed = {"callbacks": [calls], **({"stream_usage": True} if hasattr(model, "stream_usage") else {})}
    before = {name: getattr(model, name) for name in changed}
    for name, value in changed.items():
        setattr(model, name, value)
    try:
        yield calls
    finally:
        for name, value in before.items():
            setattr(model, name, value)


# A question


@dataclass(frozen=True)
class Timed:
    """A question put to a chain: seconds until each event, None if none came.

    `calls` are the model's, in seconds since the question was put, too. `failed` is the kind of the error.
    """

    id: str
    hits: float | None
    evidence: float | None
    first_token: float | None
    end: float | None
    calls: tuple[Call, ...] = ()
    failed: str | None = None

    @property
    def prompt(self) -> int | None:
        """The tokens of all prompts."""
        return _sum([call.prompt for call in self.calls])

    @property
    def read(self) -> int | None:
        """The tokens of all prompts that had to be read."""
        return _sum([call.read for call in self.calls])

    @property
    def written(self) -> int | None:
        """The tokens that the model wrote."""
        return _sum([call.written for call in self.calls])

    def floor(self, speed: "Speed") -> float | None:
        """Seconds that the engine needs for what it read and wrote, at least."""
        return _seconds(self.calls, speed) if self.end is not None else None

    def first_floor(self, speed: "Speed") -> float | None:
        """The same until the first token: read until then, written in calls before."""
        if self.first_token is None:
            return None
        begun = [call for call in self.calls if call.began <= self.first_token]
        if not begun:
            return None
        wrote = [call for call in begun if call.ended <= self.first_token]
        return _added(_reading(begun, speed), _writing(wrote, speed))


def timed(chain: Chain, question: Question, calls: Calls, clock: Clock = perf_counter) -> Timed:
    """Put one question; a RagError ends up in what is returned."""
    calls.take()
    began = clock()
    marks: dict[str, float] = {}
    failed = None
    try:
        for event in chain.stream(question.question, history=list(question.history)):
            name = _name(event)
            if name:
                marks.setdefault(name, clock() - began)
    except RagError as error:
        failed = type(error).__name__
    told = tuple(
        Call(one.began - began, one.ended - began, one.prompt, one.cached, one.written) for one in calls.take()
    )
    get = marks.get
    return Timed(question.id, get("hits"), get("evidence"), get("first_token"), get("end"), told, failed)


def _name(event: object) -> str:
    """What is marked by an event of a stream, "" if nothing is."""
    if isinstance(event, Answer):
        return "end"
    if isinstance(event, Evidence):
        return "evidence"
    return "hits" if isinstance(event, list) else "first_token" if event else ""


def _sum(values: Sequence[int | None]) -> int | None:
    there = [value for value in values if value is not None]
    return sum(there) if len(there) == len(values) else None


# The engine


@dataclass(frozen=True)
class Speed:
    """Tokens a second that the engine reads and writes; None if untold."""

    reads: Spread | None
    writes: Spread | None


def reading_speed(model: BaseChatModel, settings: Settings, calls: Calls) -> float | None:
    """Tokens a second of a text that no prompt began with. Raises ModelError."""
    words = " ".join(secrets.choice(_WORDS) for _ in range(READ_WORDS))
    calls.take()
    with explained(settings):
        model.bind(max_tokens=1).invoke(words)
    (call,) = calls.take()
    return call.read / (call.ended - call.began) if call.read and call.ended > call.began else None


def writing_speed(model: BaseChatModel, settings: Settings, calls: Calls, clock: Clock = perf_counter) -> float | None:
    """Tokens a second from the first of WRITE_TOKENS to the last. Raises ModelError."""
    calls.take()
    marks = []
    with explained(settings):
        for piece in model.bind(max_tokens=WRITE_TOKENS).stream("Count from one to two hundred, in words."):
            if piece.text:
                marks.append(clock())
    (call,) = calls.take()
    count = (call.written or len(marks)) - 1
    return count / (marks[-1] - marks[0]) if count > 0 and len(marks) > 1 and marks[-1] > marks[0] else None


def _seconds(calls: Sequence[Call], speed: Speed) -> float | None:
    return _added(_reading(calls, speed), _writing(calls, speed))


def _reading(calls: Sequence[Call], speed: Speed) -> float | None:
    tokens = _sum([call.read for call in calls])
    return None if tokens is None or speed.reads is None else tokens / speed.reads.median


def _writing(calls: Sequence[Call], speed: Speed) -> float | None:
    """The first token of a call comes with the reading."""
    tokens = _sum([None if call.written is None else max(0, call.written - 1) for call in calls])
    return None if tokens is None or speed.writes is None else tokens / speed.writes.median


def _added(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
